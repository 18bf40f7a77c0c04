//! The graph of files: which file names an item that another file defines. Files in a circle can
//! be read only together, so a circle has at most [`CIRCLE_MAX`] files.
//!
//! A name that a `mod.rs` passes on (`pub use`) counts as a use of the file that defines it.

use super::{Source, sources};
use std::collections::{BTreeMap, BTreeSet};

const CIRCLE_MAX: usize = 5;

/// The path of a module: `["sys", "fs"]`.
type Module = Vec<String>;

#[derive(Default)]
struct File {
    name: String,
    /// The code as one text, without its `use` items.
    body: String,
    /// Paths of `use` items, expanded, as name and path.
    uses: Vec<(String, Vec<String>)>,
    /// The same of `pub use` items: what the file passes on.
    passes_on: BTreeMap<String, Vec<String>>,
}

struct Graph {
    files: BTreeMap<Module, File>,
}

fn module_of(name: &str) -> Module {
    let mut parts: Module = name.trim_end_matches(".rs").split('/').map(str::to_string).collect();
    if parts.last().is_some_and(|last| last == "mod" || last == "lib") {
        parts.pop();
    }
    parts
}

/// `a::{b, c::{d as e}}` -> (`b`, a::b), (`e`, a::c::d).
fn expand(tree: &str) -> Vec<(String, Vec<String>)> {
    let tree = tree.trim();
    let Some(open) = tree.find('{') else {
        let (path, alias) = tree.split_once(" as ").unwrap_or((tree, ""));
        let path: Vec<_> = path.trim().split("::").map(|part| part.trim().to_string()).collect();
        let last = path.iter().rev().find(|part| *part != "self").cloned().unwrap_or_default();
        let name = if alias.is_empty() { last } else { alias.trim().to_string() };
        return vec![(name, path)];
    };
    let (before, inner) = (&tree[..open], &tree[open + 1..tree.rfind('}').expect("closed")]);
    let (mut depth, mut start, mut parts) = (0, 0, Vec::new());
    for (at, character) in inner.char_indices() {
        match character {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&inner[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&inner[start..]);
    let whole = |part: &&&str| !part.trim().is_empty();
    parts
        .iter()
        .filter(whole)
        .flat_map(|part| expand(&format!("{before}{}", part.trim())))
        .collect()
}

fn file(source: &Source) -> File {
    let text = source.code.join("\n");
    let mut file = File { name: source.name.clone(), ..File::default() };
    let mut rest = text.as_str();
    while let Some(at) = next_use(rest) {
        let line = rest[..at].rfind('\n').map_or(0, |end| end + 1);
        let end = rest[at..].find(';').map_or(rest.len(), |end| at + end);
        let all = expand(&rest[at + 4..end].split_whitespace().collect::<Vec<_>>().join(" "));
        file.body.push_str(&rest[..line]);
        match rest[line..at].trim().starts_with("pub") {
            true => file.passes_on.extend(all),
            false => file.uses.extend(all),
        }
        rest = &rest[(end + 1).min(rest.len())..];
    }
    file.body.push_str(rest);
    file
}

/// Where the next `use` item begins.
fn next_use(text: &str) -> Option<usize> {
    text.match_indices("use ").map(|(at, _)| at).find(|at| {
        let line = text[..*at].rfind('\n').map_or(0, |end| end + 1);
        let before = text[line..*at].trim();
        before.is_empty() || before == "pub" || before.starts_with("pub(") && before.ends_with(')')
    })
}

impl Graph {
    fn new(sources: &[Source]) -> Graph {
        let has_code = |source: &&Source| !source.code.is_empty();
        let of = |source: &Source| (module_of(&source.name), file(source));
        Graph { files: sources.iter().filter(has_code).map(of).collect() }
    }

    /// The file that defines what `path` names, seen from `from`; `None` for another crate's, and
    /// for a module as such.
    fn definer(&self, from: &Module, path: &[String], depth: usize) -> Option<Module> {
        let full = self.full(from, path)?;
        let held = (0..=full.len()).rev().find(|n| self.files.contains_key(&full[..*n]))?;
        let (module, rest) = (full[..held].to_vec(), &full[held..]);
        let first = rest.first().filter(|first| *first != "self")?;
        match self.files[&module].passes_on.get(first) {
            Some(elsewhere) if depth < 8 => {
                let path = [elsewhere.as_slice(), &rest[1..]].concat();
                self.definer(&module, &path, depth + 1)
            }
            _ => Some(module),
        }
    }

    /// The path from the crate's root.
    fn full(&self, from: &Module, path: &[String]) -> Option<Module> {
        let (mut base, mut rest) = match path.first()?.as_str() {
            "crate" => (Module::new(), &path[1..]),
            "self" => (from.clone(), &path[1..]),
            "super" => (from.clone(), path),
            first => {
                let child = [from.as_slice(), &[first.to_string()]].concat();
                if !self.files.contains_key(&child) {
                    return None;
                }
                (from.clone(), path)
            }
        };
        while rest.first().is_some_and(|first| first == "super") {
            base.pop();
            rest = &rest[1..];
        }
        Some([base.as_slice(), rest].concat())
    }

    fn used_by(&self, module: &Module) -> BTreeSet<Module> {
        let file = &self.files[module];
        let mut used = BTreeSet::new();
        let mut modules = BTreeMap::new();
        for (name, path) in &file.uses {
            match self.definer(module, path, 0) {
                Some(definer) => drop(used.insert(definer)),
                None => {
                    let path: Vec<_> =
                        path.iter().filter(|part| *part != "self").cloned().collect();
                    modules.insert(name.clone(), path);
                }
            }
        }
        for path in paths(&file.body) {
            let path = match modules.get(&path[0]) {
                Some(module) => [module.as_slice(), &path[1..]].concat(),
                None => path,
            };
            used.extend(self.definer(module, &path, 0));
        }
        used.remove(module);
        used
    }

    /// The files that reach one another, largest circle first.
    fn circles(&self) -> Vec<Vec<&str>> {
        let direct: BTreeMap<_, _> =
            self.files.keys().map(|module| (module, self.used_by(module))).collect();
        let reach: BTreeMap<_, _> =
            self.files.keys().map(|from| (from, reached(&direct, from))).collect();
        let mut seen = BTreeSet::new();
        let mut circles = Vec::new();
        for module in self.files.keys() {
            let circle: Vec<_> =
                reach[module].iter().filter(|other| reach[*other].contains(module)).collect();
            if circle.len() > 1 && seen.insert(circle.clone()) {
                circles.push(circle.iter().map(|one| self.files[*one].name.as_str()).collect());
            }
        }
        circles.sort_by_key(|circle: &Vec<_>| std::cmp::Reverse(circle.len()));
        circles
    }
}

fn reached(direct: &BTreeMap<&Module, BTreeSet<Module>>, from: &Module) -> BTreeSet<Module> {
    let mut found = BTreeSet::new();
    let mut open = vec![from.clone()];
    while let Some(module) = open.pop() {
        for next in &direct[&module] {
            if found.insert(next.clone()) {
                open.push(next.clone());
            }
        }
    }
    found
}

/// `a::b::c` in code.
fn paths(text: &str) -> Vec<Vec<String>> {
    let is_part =
        |character: char| character.is_alphanumeric() || character == '_' || character == ':';
    text.split(|character| !is_part(character))
        .filter(|word| word.contains("::") && word.starts_with(|first: char| first.is_lowercase()))
        .map(|word| word.trim_end_matches(':').split("::").map(str::to_string).collect())
        .collect()
}

#[test]
fn files_in_a_circle_are_few() {
    let sources = sources();
    let graph = Graph::new(&sources);
    let large: Vec<_> =
        graph.circles().into_iter().filter(|circle| circle.len() > CIRCLE_MAX).collect();
    assert!(
        large.is_empty(),
        "these files use one another in a circle of more than {CIRCLE_MAX}: {large:#?}"
    );
}

#[test]
fn a_circle_is_seen_through_what_a_file_passes_on() {
    let source = |name: &str, code: &str| Source {
        name: name.to_string(),
        text: String::new(),
        code: code.lines().map(str::to_string).collect(),
    };
    let graph = Graph::new(&[
        source("a/mod.rs", "mod b;\npub use b::{B, other as O};\nmod c;"),
        source("a/b.rs", "use super::c;\nstruct B;\nfn f() { c::call() }"),
        source("a/c.rs", "use crate::a::{\n    B,\n};"),
        source("d.rs", "use crate::a::O;"),
    ]);
    assert_eq!(graph.circles(), [["a/b.rs", "a/c.rs"]]);
    assert_eq!(graph.used_by(&vec!["d".to_string()]).len(), 1);
}
