//! What every test of a real VM needs: images made here, `qemu/boot` with a limit, and a message
//! that shows the log.

pub mod boot;
pub mod bpf;
pub mod bundle;
pub mod cache;
pub mod console;
pub mod disk;
pub mod elf;
pub mod endless;
pub mod fake;
pub mod ground;
pub mod images;
pub mod json;
pub mod lab;
pub mod layout;
pub mod model;
pub mod refusal;
pub mod slots;
pub mod tar;
pub mod terminal;
pub mod tmpfs;
pub mod tree;
pub mod unpack;
pub mod vm_cases;

pub use boot::{Boot, Outcome};
pub use images::{Image, busybox};
pub use layout::Layout;
pub use tar::Tar;

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};

/// The top of the source tree.
pub fn project() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Returns the binary of this build, or the one that `OCINIT` names.
pub fn ocinit() -> PathBuf {
    std::env::var_os("OCINIT").map_or_else(|| env!("CARGO_BIN_EXE_ocinit").into(), PathBuf::from)
}

/// An empty directory of this name, for one test alone: `disks-ext4`.
pub fn scratch(name: &str) -> PathBuf {
    static OWNERS: Mutex<BTreeMap<String, String>> = Mutex::new(BTreeMap::new());
    if let Some(test) = std::thread::current().name() {
        let mut owners = OWNERS.lock().unwrap_or_else(PoisonError::into_inner);
        let owner = owners.entry(name.into()).or_insert_with(|| test.into()).clone();
        drop(owners);
        assert_eq!(owner, test, "two tests use the directory {name}");
    }
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("scratch").join(name);
    let _ = std::fs::remove_dir_all(&directory);
    std::fs::create_dir_all(&directory)
        .unwrap_or_else(|error| panic!("create {}: {error}", directory.display()));
    directory
}

/// Runs a tool of the host to its end and gives its standard output; a failure shows what it said.
pub fn tool(command: &mut Command) -> Vec<u8> {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(
        output.status.success(),
        "{command:?}: {}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    output.stdout
}

/// Writes a file, or says which one it could not.
pub fn write(path: &Path, bytes: impl AsRef<[u8]>) {
    std::fs::write(path, bytes).unwrap_or_else(|error| panic!("write {}: {error}", path.display()));
}

/// Writes a program that is executed soon: see [`copy_program`].
pub fn write_program(path: &Path, bytes: impl AsRef<[u8]>) {
    let part = path.with_added_extension("part");
    write(&part, bytes);
    copy_program(&part, path);
    std::fs::set_permissions(path, PermissionsExt::from_mode(0o755))
        .unwrap_or_else(|error| panic!("chmod {}: {error}", path.display()));
    std::fs::remove_file(&part).unwrap_or_else(|error| panic!("{}: {error}", part.display()));
}

/// Copies a program that is executed soon, by a process of its own: another thread's fork would
/// inherit the descriptor that it is written by, and what is open to be written is not executed
/// (ETXTBSY).
pub fn copy_program(from: impl AsRef<Path>, to: &Path) {
    tool(Command::new("cp").arg(from.as_ref()).arg(to));
}

/// Reads a file, or says which one it could not.
pub fn read(path: &Path) -> Vec<u8> {
    std::fs::read(path).unwrap_or_else(|error| panic!("read {}: {error}", path.display()))
}

/// `count` bytes that look random and are the same in every run.
pub fn random_bytes(count: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut bytes = Vec::with_capacity(count + 8);
    while bytes.len() < count {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(count);
    bytes
}
