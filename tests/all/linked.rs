//! What the linked program is, and is not: the release build, and the board build (`make board`).

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use crate::support;
use crate::support::Boot;
use crate::support::images::busybox_layout;

/// The most that the board build may take, in bytes: docs/size.md.
const BOARD_BYTES_MAX: u64 = 256 << 10;

/// All that is linked from musl: what compilers call by themselves, and the environment's pointer.
const OF_LIBC: [&str; 9] = [
    "bcmp",
    "memcmp",
    "memset",
    "strlen",
    "__environ",
    "___environ",
    "_environ",
    "environ",
    // Of the start files, where no code of ours leads.
    "__dso_handle",
];
/// What this program has itself under names of C, and the linker's own names.
const OURS: [&str; 19] = [
    "entry",
    "memcpy",
    "memmove",
    "__stack_chk_fail",
    "__stack_chk_guard",
    "rust_eh_personality",
    "__code_start",
    "__relr_start",
    "__relr_end",
    "__init_ssp",
    "__executable_start",
    "etext",
    "_edata",
    "_end",
    "__bss_start",
    "_init",
    "_fini",
    "__EH_FRAME_LIST_END__",
    "DW.ref.rust_eh_personality",
];

/// PID 1 alone, as `make board` builds it.
fn board() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        let make = support::tool(
            // `make test` gives its own variables along.
            Command::new("make")
                .args(["-n", "board"])
                .env_remove("MAKEFLAGS")
                .env_remove("MAKELEVEL")
                .current_dir(support::project()),
        );
        let line = String::from_utf8(make).expect("make's text");
        let words = line.trim().strip_prefix("cargo ").expect("one command of cargo").split(' ');
        support::tool(
            Command::new(env!("CARGO")).args(words).arg("--quiet").current_dir(support::project()),
        );
        support::project().join("target/board/x86_64-unknown-linux-musl/small/ocinit")
    })
}

/// The debug build, which has all its symbols.
fn with_symbols() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_ocinit"))
}

fn text(program: &str, options: &[&str], file: &Path) -> String {
    let text = support::tool(Command::new(program).args(options).arg(file));
    String::from_utf8(text).expect("text")
}

/// Type and flags of each program header.
fn segments(file: &Path) -> Vec<(String, String)> {
    let listed = text("readelf", &["-lW"], file);
    let headers = listed.lines().skip_while(|line| !line.contains("FileSiz")).skip(1);
    let headers = headers.take_while(|line| !line.trim().is_empty()).map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [kind, _, _, _, _, _, flags @ .., _] = &words[..] else { panic!("{listed}") };
        (kind.to_string(), flags.concat())
    });
    headers.collect()
}

fn loaded(segments: &[(String, String)]) -> Vec<&str> {
    segments.iter().filter(|(kind, _)| kind == "LOAD").map(|(_, flags)| flags.as_str()).collect()
}

/// What is true of every build.
fn check(file: &Path) {
    let segments = segments(file);
    let has = |kind: &str| segments.iter().any(|(known, _)| known == kind);
    assert!(!has("TLS") && !has("INTERP"), "{segments:?}");
    assert!(loaded(&segments).len() >= 2 && loaded(&segments).iter().all(|flags| *flags != "RWE"));
    assert!(segments.contains(&("GNU_STACK".into(), "RW".into())), "{segments:?}");
    // .relr.dyn holds nothing but relative addresses. (readelf shows no types there.)
    let relocations = text("readelf", &["-rW"], file);
    let typed: Vec<&str> = relocations.lines().filter(|line| line.contains("R_X86_64_")).collect();
    assert!(typed.iter().all(|line| line.contains("R_X86_64_NONE")), "{relocations}");
    assert!(!text("readelf", &["-dW"], file).contains("(NEEDED)"));

    let code = text("objdump", &["-d", "--no-show-raw-insn"], file);
    assert!(code.contains("syscall"), "nothing was disassembled");
    let thread_local = code.lines().find(|line| line.contains("%fs:") || line.contains("%gs:"));
    assert_eq!(thread_local, None);
}

#[test]
fn the_released_program_is_hardened() {
    let file = support::boot::released();
    check(file);
    let segments = segments(file);
    // Constants, code, data; the first page of the last is read-only once it is relocated.
    assert_eq!(loaded(&segments), ["R", "RE", "RW"]);
    assert!(segments.contains(&("GNU_RELRO".into(), "R".into())), "{segments:?}");
    let dynamic = text("readelf", &["-dW"], file);
    assert!(dynamic.contains("PIE") && dynamic.contains("(RELR)"), "{dynamic}");
    assert!(text("readelf", &["-hW"], file).contains("DYN (Position-Independent"));
}

#[test]
fn nothing_of_libc_is_linked_but_what_is_named() {
    check(with_symbols());
    let symbols =
        text("nm", &["--defined-only", "--extern-only", "--format=posix"], with_symbols());
    let names = symbols.lines().filter_map(|line| line.split(' ').next());
    // Rust's names, and those of the one C library that is compiled in.
    let is_named = |name: &&str| {
        ["_ZN", "_R", "ZSTD_", "anon."].iter().any(|start| name.starts_with(start))
            || OF_LIBC.contains(name)
            || OURS.contains(name)
    };
    let others: Vec<&str> = names.clone().filter(|name| !is_named(name)).collect();
    assert!(names.count() > 100 && others.is_empty(), "{others:?}");
}

#[test]
fn the_c_code_checks_its_stack_and_the_secret_is_read_only() {
    let code = text("objdump", &["-d", "--no-show-raw-insn"], with_symbols());
    let calls =
        code.lines().filter(|line| line.contains("call") && line.contains("__stack_chk_fail"));
    assert!(!cfg!(feature = "zstd") || calls.count() > 5);
    let symbols = text("nm", &["-n", "--format=posix"], with_symbols());
    let mut fields =
        symbols.lines().find(|line| line.starts_with("__stack_chk_guard ")).expect("it");
    let number = |word: &str| u64::from_str_radix(word.trim_start_matches("0x"), 16).expect("hex");
    fields = fields.split(' ').nth(2).expect("an address");
    let guard = number(fields);
    let listed = text("readelf", &["-lW"], with_symbols());
    let relro = listed.lines().find(|line| line.contains("GNU_RELRO")).expect("RELRO");
    let words: Vec<&str> = relro.split_whitespace().collect();
    let (start, length) = (number(words[2]), number(words[5]));
    // mprotect(2) takes whole pages.
    let protected = start & !4095..(start + length) & !4095;
    assert!(protected.contains(&guard), "{guard:x} is not in {protected:x?}");
}

/// The program's lines of /proc/PID/maps, of a process that waits for its image.
fn mapped() -> Vec<(String, String)> {
    let mut child = Command::new(support::boot::released())
        .args(["inspect", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    let until = Instant::now() + Duration::from_secs(20);
    let mut lines = Vec::new();
    // The last of three is there as soon as `entry` has come to its end.
    while lines.len() < 4 && Instant::now() < until {
        let maps = std::fs::read_to_string(format!("/proc/{}/maps", child.id())).expect("its maps");
        lines = maps
            .lines()
            .filter(|line| line.contains("/ocinit"))
            .map(|line| line.split_once(' ').expect("two words"))
            .map(|(range, rest)| (range.to_owned(), rest[..4].to_owned()))
            .collect();
    }
    drop(child.stdin.take());
    let mut said = String::new();
    child.stderr.take().expect("a pipe").read_to_string(&mut said).expect("its words");
    child.wait().expect("it ends");
    assert!(lines.len() >= 4, "{lines:?} {said}");
    lines
}

#[test]
fn each_start_has_other_addresses_and_read_only_relocations() {
    let (first, second) = (mapped(), mapped());
    let modes: Vec<&str> = first.iter().map(|(_, mode)| mode.as_str()).collect();
    assert_eq!(modes, ["r--p", "r-xp", "r--p", "rw-p"]);
    let randomized = std::fs::read_to_string("/proc/sys/kernel/randomize_va_space").expect("it");
    assert!(randomized.trim() == "0" || first[0].0 != second[0].0, "twice at {}", first[0].0);
}

#[test]
fn the_board_build_is_small_and_plain() {
    check(board());
    let size = std::fs::metadata(board()).expect("the board build").len();
    assert!(size > 100 << 10, "{size} bytes is no PID 1");
    assert!(size <= BOARD_BYTES_MAX, "{size} bytes, {} too many", size - BOARD_BYTES_MAX);
    assert_eq!(loaded(&segments(board())), ["RE", "RW"]);
    assert!(text("readelf", &["-hW"], board()).contains("EXEC (Executable file)"));
}

#[test]
fn the_board_build_names_the_features_of_a_command() {
    let output = Command::new(board()).args(["run", "x"]).output().expect("it starts");
    let line = String::from_utf8(output.stderr).expect("text");
    assert!(line.starts_with("ocinit: run: ") && line.lines().count() == 1, "{line}");
    assert!(line.ends_with("(features runtime, tools)\n"), "{line}");
    assert_eq!(output.status.code(), Some(125));
}

#[test]
fn the_board_build_boots_to_an_exit_status() {
    let boot = || Boot::new(busybox_layout()).option("--init", board());
    let script = "grep Seccomp: /proc/self/status; exit 42";
    boot().script(script).run().expect_status(42).expect_stdout("Seccomp:\t2\n");
    let killed = boot().append("ocinit.memory=32M").arguments(["tail", "/dev/zero"]).run();
    killed.expect_status(128 + 9).expect_line(&["memory"]);
}
