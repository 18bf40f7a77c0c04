//! The released binary stays below the limit of Cargo.toml without zstd, and zstd takes little
//! more.

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use crate::support;
use crate::support::images::Layer;
use crate::support::unpack::Case;

/// `package.metadata.size-limit-kib` of `Cargo.toml`, in bytes.
fn limit() -> u64 {
    let text = std::fs::read_to_string(support::project().join("Cargo.toml")).expect("Cargo.toml");
    let line =
        text.lines().find_map(|line| line.strip_prefix("size-limit-kib = ")).expect("the limit");
    line.parse::<u64>().expect("a number") << 10
}

/// What libzstd's decoder may add, in bytes.
const ZSTD_BYTES_MAX: u64 = 64 << 10;

/// The released binary without zstd, as `make size` builds it.
fn without_zstd() -> PathBuf {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    let build = || {
        let target = support::project().join("target/without-zstd");
        let mut command = Command::new(env!("CARGO"));
        command.args([
            "build",
            "--release",
            "--quiet",
            "--bin",
            "ocinit",
            "--no-default-features",
            "--features",
            "init,runtime,tools",
            "--target-dir",
        ]);
        support::tool(command.arg(&target).current_dir(support::project()));
        target.join("x86_64-unknown-linux-musl/release/ocinit")
    };
    BINARY.get_or_init(build).clone()
}

#[test]
fn the_released_binary_is_within_its_limit() {
    let size = |path: &std::path::Path| std::fs::metadata(path).expect("the released binary").len();
    let (bytes, with_zstd) = (size(&without_zstd()), size(support::boot::released()));
    // A binary of nothing would pass too: PID 1, a JSON reader and inflate are more than this.
    assert!(bytes > 20 << 10, "{bytes} bytes is no ocinit");
    assert!(bytes < limit(), "{bytes} bytes, {} too many: see `make size`", bytes - limit());
    assert!(with_zstd < bytes + ZSTD_BYTES_MAX, "zstd takes {} bytes", with_zstd - bytes);
    assert!(with_zstd > bytes, "there is no zstd in it");
}

#[test]
fn a_binary_without_zstd_says_so() {
    let case = Case::new("without-zstd", vec![Layer::zstd(b"", &[])]);
    let mut command = Command::new(without_zstd());
    let output = command
        .arg("unpack")
        .arg(case.directory.join("image"))
        .arg(case.directory.join("rootfs"))
        .output();
    let output = output.expect("the binary runs");
    let line = String::from_utf8(output.stderr).expect("text");
    assert!(
        line.ends_with(": zstd: this ocinit was built without it\n") && line.lines().count() == 1,
        "{line}"
    );
    assert_eq!(output.status.code(), Some(125));
}

#[test]
fn the_released_binary_is_static() {
    let headers = support::tool(
        std::process::Command::new("readelf").arg("-ldW").arg(support::boot::released()),
    );
    let headers = String::from_utf8(headers).expect("readelf's text");
    assert!(headers.contains("LOAD"), "{headers}");
    assert!(!headers.contains("INTERP") && !headers.contains("(NEEDED)"), "{headers}");
}
