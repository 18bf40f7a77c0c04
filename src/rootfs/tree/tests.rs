use super::*;
use std::collections::BTreeMap;

/// Returns path and file number of all names but the root's.
fn listed(tree: Tree) -> Vec<(String, u64)> {
    let mut found = Vec::new();
    tree.list(&mut |file| {
        found.push((String::from_utf8(file.path.to_vec()).unwrap(), file.size));
        Ok(())
    })
    .unwrap();
    assert_eq!(found.remove(0).0, "");
    found
}

/// Names are added and removed at random, and the tree and a sorted map must agree at the end.
#[test]
fn a_tree_is_what_was_done_to_it() {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut random = |below: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % below
    };
    for round in 0..40 {
        let mut tree = Tree::new().unwrap();
        // Components as they sort within a directory: '\x01' stands for the slash.
        let mut model: BTreeMap<String, u64> = BTreeMap::new();
        let mut directories = vec![(ROOT, String::new())];
        for n in 0..2_000 {
            let (parent, above) = directories[random(directories.len() as u64) as usize].clone();
            let name = format!("{:x}", random(40));
            let path = if above.is_empty() { name.clone() } else { format!("{above}\x01{name}") };
            let there = tree.child(parent, name.as_bytes()).unwrap();
            assert_eq!(there.is_some(), model.contains_key(&path), "{path}");
            if let Some(there) = there {
                tree.remove(there);
                let beneath = format!("{path}\x01");
                model.retain(|known, _| *known != path && !known.starts_with(&beneath));
                directories.retain(|(_, known)| *known != path && !known.starts_with(&beneath));
            } else {
                let is_directory = random(4) == 0;
                let mode = if is_directory { fs::S_IFDIR } else { fs::S_IFREG };
                let node = tree
                    .add(parent, name.as_bytes(), File { mode, size: n, ..File::default() })
                    .unwrap();
                model.insert(path.clone(), n);
                if is_directory {
                    directories.push((node, path));
                }
            }
        }
        let expected: Vec<_> =
            model.into_iter().map(|(path, n)| (path.replace('\x01', "/"), n)).collect();
        assert_eq!(listed(tree), expected, "round {round}");
    }
}

#[test]
fn what_is_removed_is_used_again() {
    let mut tree = Tree::new().unwrap();
    for round in 0..50 {
        let top = tree.add(ROOT, b"top", File { mode: fs::S_IFDIR, ..File::default() }).unwrap();
        let file = tree.add(top, b"file", File::default()).unwrap();
        let number = tree.node(file).file;
        tree.add_name(top, b"link", number).unwrap();
        tree.remove(top);
        assert_eq!((tree.nodes.len(), tree.files.len()), (4, 3), "round {round}");
    }
    assert_eq!(listed(tree), []);
}

#[test]
fn a_name_longer_than_any_file_has_is_refused() {
    let tree = Tree::new().unwrap();
    assert_eq!(tree.child(ROOT, &[b'x'; NAME_BYTES + 1]), Err(Errno::ENAMETOOLONG));
    assert_eq!(tree.child(ROOT, &[b'x'; NAME_BYTES]), Ok(None));
}
