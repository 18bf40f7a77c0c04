//! The tree of a list of tar entries: later entries replace earlier ones, links share a file,
//! missing parents are made, links among them are followed within the root.

use std::collections::BTreeMap;

use super::tree::Entry;

/// One entry as a tar reader listed it; what it did not say is empty.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Listed {
    pub path: Vec<u8>,
    pub kind: String,
    pub mode: u32,
    pub uid: u64,
    pub gid: u64,
    pub size: u64,
    pub link: Vec<u8>,
    pub mtime: i64,
    /// Digits of the fraction, where the reader knew them.
    pub fraction: String,
    pub sha256: String,
    pub device: Option<(u32, u32)>,
}

type Path = Vec<Vec<u8>>;

/// The tree in the making: nothing for a directory that no entry names, and a number for those that
/// are one file.
#[derive(Default)]
pub struct Model {
    nodes: BTreeMap<Path, (Option<Listed>, usize)>,
    next: usize,
}

impl Model {
    /// The tree that the entries make, or which of them has a name or a target that cannot be in a
    /// layer.
    pub fn of(entries: &[Listed]) -> Result<Model, String> {
        let mut model = Model::default();
        for entry in entries {
            model.apply(entry).map_err(|why| format!("{}: {why}", entry.path.escape_ascii()))?;
        }
        Ok(model)
    }

    fn apply(&mut self, entry: &Listed) -> Result<(), &'static str> {
        let mut path = split(&entry.path)?;
        let Some(last) = path.pop() else {
            self.nodes.insert(Path::new(), (Some(entry.clone()), 0));
            return Ok(());
        };
        let mut path = self.directory(path, true)?;
        path.push(last);
        let number = match entry.kind.as_str() {
            "hardlink" => {
                let mut target = split(&entry.link)?;
                let last = target.pop().ok_or("a link to the root")?;
                let mut target = self.directory(target, false)?;
                target.push(last);
                let (node, number) = self.nodes.get(&target).ok_or("a link to nothing")?.clone();
                self.put(path, node, number);
                return Ok(());
            }
            _ => {
                self.next += 1;
                self.next
            }
        };
        self.put(path, Some(entry.clone()), number);
        Ok(())
    }

    fn put(&mut self, path: Path, node: Option<Listed>, number: usize) {
        let is_directory =
            |node: &Option<Listed>| node.as_ref().is_none_or(|entry| entry.kind == "dir");
        let there = self.nodes.get(&path).is_some_and(|(there, _)| is_directory(there));
        if !(there && is_directory(&node)) {
            self.nodes.retain(|other, _| !other.starts_with(&path));
        }
        self.nodes.insert(path, (node, number));
    }

    /// Where a directory is, links followed; it is made where it is missing.
    fn directory(&mut self, path: Path, make: bool) -> Result<Path, &'static str> {
        let mut left: Vec<Vec<u8>> = path.into_iter().rev().collect();
        let (mut here, mut followed) = (Path::new(), 0);
        while let Some(name) = left.pop() {
            if name == b".." {
                here.pop();
                continue;
            }
            here.push(name);
            match self.nodes.get(&here) {
                Some((Some(entry), _)) if entry.kind == "symlink" => {
                    followed += 1;
                    if followed > 40 {
                        return Err("a loop of links");
                    }
                    here.pop();
                    if entry.link.starts_with(b"/") {
                        here.clear();
                    }
                    let parts = entry
                        .link
                        .split(|&byte| byte == b'/')
                        .filter(|part| !matches!(*part, b"" | b"."));
                    left.extend(parts.map(<[u8]>::to_vec).rev());
                }
                Some((entry, _)) if entry.as_ref().is_none_or(|entry| entry.kind == "dir") => {}
                Some(_) | None if make => self.put(here.clone(), None, 0),
                _ => return Err("a link to nothing"),
            }
        }
        Ok(here)
    }

    /// The first difference between this and a tree as it was found.
    pub fn compare(&self, found: &BTreeMap<String, Entry>) -> Result<(), String> {
        let mut numbers = BTreeMap::new();
        for (path, (node, number)) in &self.nodes {
            let is_directory = node.as_ref().is_none_or(|entry| entry.kind == "dir");
            let name = shown(path, is_directory);
            let there = found.get(&name).ok_or_else(|| format!("{name} is missing"))?;
            if let Some(entry) = node {
                differs(entry, there).map_err(|what| format!("{name}: {what}"))?;
            }
            let inode = std::os::unix::fs::MetadataExt::ino(&there.metadata);
            if !is_directory && *numbers.entry(number).or_insert(inode) != inode {
                return Err(format!("{name}: not the same file as the one it is linked to"));
            }
        }
        let expected: Vec<_> = self
            .nodes
            .iter()
            .map(|(path, (node, _))| {
                shown(path, node.as_ref().is_none_or(|entry| entry.kind == "dir"))
            })
            .collect();
        match found.keys().find(|name| *name != "." && !expected.contains(name)) {
            Some(more) => Err(format!("{more} is too much")),
            None => Ok(()),
        }
    }
}

fn shown(path: &Path, is_directory: bool) -> String {
    if path.is_empty() {
        return ".".into();
    }
    super::tree::escape(&path.join(&b'/')) + if is_directory { "/" } else { "" }
}

/// The components of a name, `..` taken back within it.
fn split(name: &[u8]) -> Result<Path, &'static str> {
    let mut path = Path::new();
    if name.is_empty() || name.len() > 4095 {
        return Err("an empty name, or one too long");
    }
    for part in name.split(|&byte| byte == b'/') {
        match part {
            b"" | b"." => {}
            b".." => drop(path.pop().ok_or("a name that leaves the root")?),
            part if part.len() > 255 => return Err("a name too long"),
            part => path.push(part.to_vec()),
        }
    }
    Ok(path)
}

fn differs(entry: &Listed, there: &Entry) -> Result<(), String> {
    let kind = match entry.kind.as_str() {
        "file" => "f",
        "dir" => "d",
        "symlink" => "l",
        "char" => "c",
        "block" => "b",
        "fifo" => "p",
        other => return Err(format!("type {other}")),
    };
    let mut wanted = vec![
        ("type", kind.to_string()),
        ("uid", entry.uid.to_string()),
        ("gid", entry.gid.to_string()),
    ];
    if kind != "l" {
        wanted.push(("mode", format!("{:04o}", entry.mode)));
    }
    if kind == "f" {
        wanted.push(("size", entry.size.to_string()));
    }
    if kind == "f" && entry.sha256.len() == 64 && entry.size <= super::tree::CONTENT_BYTES {
        wanted.push(("sha256", entry.sha256.clone()));
    }
    if kind == "l" {
        wanted.push(("link", super::tree::escape(&entry.link)));
    }
    if let (Some((major, minor)), "c" | "b") = (entry.device, kind) {
        wanted.push(("dev", format!("{major}:{minor}")));
    }
    for (key, wanted) in wanted {
        let is = there.attribute(key);
        if is != wanted {
            return Err(format!("{key} is {is}, not {wanted}"));
        }
    }
    let mtime = there.attribute("mtime");
    let is_right = match entry.fraction.is_empty() {
        true => mtime.split('.').next() == Some(entry.mtime.to_string().as_str()),
        false => mtime == format!("{}.{:0<9}", entry.mtime, entry.fraction),
    };
    if is_right {
        Ok(())
    } else {
        Err(format!("mtime is {mtime}, not {}.{}", entry.mtime, entry.fraction))
    }
}
