//! Our seccomp filters beside those that libseccomp makes in runc's hands: the same verdict on
//! every system call. Needs libseccomp's shared library, which comes with runc.

use crate::support::bpf::{self, I386, X32, X86_64};
use crate::support::{scratch, tool, write};
use ocinit::codec::json;
use ocinit::container::seccomp::{Program, compile, compile_default};
use ocinit::spec::{SpecMemory, capability, read_seccomp, seccomp};
use ocinit::sys::arena::Word;
use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

pub const ENOSYS: u32 = 0x0005_0000 | 38;
pub const NAMES: &str = include_str!("../../src/spec/seccomp/syscalls.txt");

pub fn python() -> Command {
    let mut python = Command::new("python3");
    python.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/all/support/seccomp.py"));
    python
}

pub fn ours(profile: &str) -> Vec<u64> {
    let mut document = profile.as_bytes().to_vec();
    let mut program = Box::new(Program::EMPTY);
    let (mut text, mut lists) =
        (vec![0; 4 * profile.len()], vec![Word::uninit(); SpecMemory::LISTS]);
    let mut memory = SpecMemory::new(&mut text, &mut lists);
    let value = json::check(&mut document).expect("JSON");
    let filter =
        read_seccomp(value, &mut memory).and_then(|profile| compile(&profile, &mut program));
    let filter = filter.unwrap_or_else(|error| panic!("{error}: {profile}"));
    bpf::verify(filter.program());
    filter.program().to_vec()
}

/// What runc loads.
pub struct Theirs {
    pub program: Vec<u64>,
    /// Of x86_64, x32 and i386: numbers above are newer than the profile; -1: none is.
    pub highest: [i64; 3],
}

impl Theirs {
    pub fn run(&self, arch: u32, number: u32, args: [u64; 6]) -> u32 {
        let highest = match arch {
            I386 => self.highest[2],
            X86_64 => self.highest[usize::from(number & X32 != 0)],
            _ => -1,
        };
        if highest >= 0 && i64::from(number) > highest {
            ENOSYS
        } else {
            bpf::run(&self.program, arch, number, args).0
        }
    }
}

/// `None` where libseccomp makes no filter.
pub fn theirs(name: &str, profiles: &[String]) -> Vec<Option<Theirs>> {
    let file = scratch(name).join("profiles");
    write(&file, profiles.join("\n"));
    let lines = String::from_utf8(tool(python().arg("profiles").arg(file))).expect("UTF-8");
    let parse = |line: &str| {
        let words: Vec<&str> = line.split(' ').collect();
        let [program, a, b, c] = words[..] else { return None };
        let byte = |at: usize| {
            u64::from(u8::from_str_radix(&program[at..at + 2], 16).expect("hexadecimal"))
        };
        let one = |at: usize| (0..8).fold(0, |value, n| value | byte(16 * at + 2 * n) << (8 * n));
        let highest = [a, b, c].map(|number| number.parse().expect("a number"));
        Some(Theirs { program: (0..program.len() / 16).map(one).collect(), highest })
    };
    let parsed: Vec<_> = lines.lines().map(parse).collect();
    assert_eq!(parsed.len(), profiles.len());
    parsed
}

pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 >> 11
    }

    pub fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    pub fn pick<T: Copy>(&mut self, list: &[T]) -> T {
        list[self.below(list.len())]
    }
}

/// Compares verdicts on all numbers, each with arguments near those that the profile speaks of.
pub fn compare(profile: &str, theirs: &Theirs, values: &[u64], random: &mut Random) {
    let ours = ours(profile);
    let mut numbers: Vec<(u32, u32)> = Vec::new();
    for number in (0..=600).chain([1 << 20, X32 - 1]) {
        numbers.extend([
            (X86_64, number),
            (X86_64, number | X32),
            (I386, number),
            (0xc000_00b7, number),
        ]);
    }
    numbers.extend([(X86_64, u32::MAX), (I386, u32::MAX), (I386, X32), (0x4000_003e, 3)]);
    for (arch, number) in numbers {
        for round in 0..if values.is_empty() { 1 } else { 20 } {
            let mut args = [0; 6];
            if round > 0 {
                args = args.map(|_| random.pick(values));
            }
            // The kernel gives i386's arguments no upper half.
            if arch == I386 {
                args = args.map(|arg| arg & 0xffff_ffff);
            }
            let (got, wanted) =
                (bpf::run(&ours, arch, number, args).0, theirs.run(arch, number, args));
            assert!(
                got == wanted,
                "{arch:#x} {number} {args:#x?}: {got:#x}, not {wanted:#x}\n{profile}"
            );
        }
    }
}

#[test]
fn names_have_the_numbers_of_libseccomp() {
    let mut child = python()
        .arg("names")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python3");
    let names: Vec<&str> = NAMES.lines().filter_map(|line| line.split(' ').next()).collect();
    child.stdin.take().expect("a pipe").write_all(names.join("\n").as_bytes()).expect("names");
    let output = child.wait_with_output().expect("names");
    let known = String::from_utf8(output.stdout).expect("UTF-8");
    let table: BTreeMap<&str, Vec<Option<i64>>> = NAMES
        .lines()
        .map(|line| {
            let mut words = line.split(' ');
            (words.next().expect("a name"), words.map(|word| word.parse().ok()).collect())
        })
        .collect();
    assert!(known.lines().count() > 440, "libseccomp knows few names: {known}");
    for line in known.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        let number = |at: usize| words[at].parse::<i64>().ok().filter(|number| *number >= 0);
        let entry = &table[words[0]];
        assert_eq!(entry[0], number(1), "{line}");
        // What is multiplexed has a number below 0 there: `compare` tests those.
        let multiplexed = (-230..-100).contains(&words[3].parse().expect("a number"));
        assert!(multiplexed || entry[1] == number(3), "{line}: {entry:?}");
    }
}

#[test]
fn the_profiles_of_docker_and_podman() {
    let profiles =
        [include_str!("support/seccomp-docker.json"), include_str!("support/seccomp-podman.json")];
    let profiles = profiles.map(|profile| profile.trim_end().to_string());
    let values = [
        0,
        8,
        9,
        16,
        40,
        0x20000,
        0x20008,
        0xffff_ffff,
        1 << 32,
        0x7e02_0000,
        0x1_7e02_0000,
        0x0001_0000,
        17,
    ];
    for (profile, theirs) in profiles.iter().zip(theirs("seccomp-default", &profiles)) {
        let theirs = theirs.expect("libseccomp takes it");
        compare(profile, &theirs, &values, &mut Random(1));
        let ours = ours(profile);
        let steps = |number| bpf::run(&ours, X86_64, number, [0; 6]).1;
        let most = (0..600).map(steps).max().unwrap_or(0);
        eprintln!(
            "{} instructions, at most {most} for one call; libseccomp: {}",
            ours.len(),
            theirs.program.len()
        );
        assert!(
            ours.len() * 2 < theirs.program.len() && most <= 40,
            "no tree: {} instructions, {most}",
            ours.len()
        );
    }
}

/// Returns docker's default profile for a bounding set, as in config.json.
fn default_for(bounding: u64) -> String {
    struct Bytes(Vec<u8>);
    impl ocinit::io::output::Sink for Bytes {
        fn put(&mut self, bytes: &[u8]) {
            self.0.extend(bytes);
        }
    }
    let mut text = Bytes(Vec::new());
    seccomp::write_default(bounding, &mut json::Writer::with_indent(&mut text, ""));
    String::from_utf8(text.0).expect("UTF-8").trim_end().to_string()
}

/// Returns bounding sets: docker's, the empty one, the full one, and each capability alone.
fn bounding_sets() -> impl Iterator<Item = u64> {
    [capability::DEFAULT, 0, capability::ALL]
        .into_iter()
        .chain((0..capability::COUNT).map(|number| 1 << number))
}

#[test]
fn the_default_profile_is_compiled_as_its_json_is() {
    let mut program = Box::new(Program::EMPTY);
    for bounding in bounding_sets() {
        let direct = compile_default(bounding, &mut program).expect("a filter").program().to_vec();
        assert_eq!(direct, ours(&default_for(bounding)), "{bounding:#x}");
    }
}

#[test]
fn the_default_profile_as_libseccomp_has_it() {
    // Calls that are newer than libseccomp's table have no number there.
    let known = |line: &&str| {
        let mut numbers = line.split(' ').skip(1).filter_map(|word| word.parse::<u16>().ok());
        numbers.any(|number| number <= 456) && !line.starts_with("uretprobe")
    };
    let new: Vec<&str> = NAMES
        .lines()
        .filter(|line| !known(line))
        .filter_map(|line| line.split(' ').next())
        .collect();
    let without_new = |profile: String| {
        new.iter().fold(profile, |profile, name| profile.replace(&format!(",\"{name}\""), ""))
    };
    let profiles: Vec<String> =
        bounding_sets().map(|bounding| without_new(default_for(bounding))).collect();
    let values = [
        0,
        8,
        11,
        12,
        13,
        38,
        40,
        42,
        46,
        0x20000,
        0x20008,
        0xffff_ffff,
        1 << 32,
        0x7e02_0000,
        0x0001_0000,
    ];
    for (profile, theirs) in profiles.iter().zip(theirs("seccomp-ours", &profiles)) {
        compare(profile, &theirs.expect("libseccomp takes it"), &values, &mut Random(3));
    }
}

#[test]
fn the_default_profile_goes_by_capabilities() {
    let verdict = |bounding: u64, number: libc::c_long, first: u64| {
        let mut program = Box::new(Program::EMPTY);
        let filter = compile_default(bounding, &mut program).expect("a filter");
        bpf::run(filter.program(), X86_64, number as u32, [first, 0, 0, 0, 0, 0]).0
    };
    let (allow, eperm) = (0x7fff_0000, 0x0005_0001);
    let admin = capability::by_name(b"CAP_SYS_ADMIN").expect("a capability");
    for (number, with) in [
        (libc::SYS_mount, "CAP_SYS_ADMIN"),
        (libc::SYS_unshare, "CAP_SYS_ADMIN"),
        (libc::SYS_bpf, "CAP_SYS_ADMIN"),
        (libc::SYS_bpf, "CAP_BPF"),
        (libc::SYS_syslog, "CAP_SYSLOG"),
        (libc::SYS_reboot, "CAP_SYS_BOOT"),
        (libc::SYS_chroot, "CAP_SYS_CHROOT"),
        (libc::SYS_open_by_handle_at, "CAP_DAC_READ_SEARCH"),
        (libc::SYS_init_module, "CAP_SYS_MODULE"),
        (libc::SYS_kcmp, "CAP_SYS_PTRACE"),
        (libc::SYS_mbind, "CAP_SYS_NICE"),
        (libc::SYS_clock_settime, "CAP_SYS_TIME"),
    ] {
        let with = capability::by_name(with.as_bytes()).expect("a capability");
        assert_eq!((verdict(0, number, 0), verdict(with, number, 0)), (eperm, allow), "{number}");
    }
    for never in [
        libc::SYS_keyctl,
        libc::SYS_add_key,
        libc::SYS_userfaultfd,
        libc::SYS_io_uring_setup,
        libc::SYS_kexec_load,
    ] {
        assert_eq!(verdict(capability::ALL, never, 0), eperm, "{never}");
    }
    for always in [
        libc::SYS_read,
        libc::SYS_ptrace,
        libc::SYS_process_vm_readv,
        libc::SYS_name_to_handle_at,
        451,
        462,
    ] {
        assert_eq!(verdict(0, always, 0), allow, "{always}");
    }
    // Threads, but no namespaces; clone3 fails with ENOSYS.
    let thread = (libc::CLONE_VM | libc::CLONE_THREAD) as u64;
    assert_eq!(
        [verdict(0, libc::SYS_clone, thread), verdict(0, libc::SYS_clone3, 0)],
        [allow, ENOSYS]
    );
    for flag in [libc::CLONE_NEWUSER, libc::CLONE_NEWNS, libc::CLONE_NEWNET, libc::CLONE_NEWCGROUP]
    {
        assert_eq!(verdict(0, libc::SYS_clone, flag as u64), eperm, "{flag:#x}");
        assert_eq!(verdict(admin, libc::SYS_clone, flag as u64), allow, "{flag:#x}");
    }
    assert_eq!(verdict(admin, libc::SYS_clone3, 0), allow);
    let families =
        (1..46).filter(|family| verdict(capability::ALL, libc::SYS_socket, *family) == eperm);
    assert_eq!(families.collect::<Vec<_>>(), [12, 19, 20, 23, 25, 34, 37, 38, 40]);
}
