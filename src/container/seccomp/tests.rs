//! Profiles by what their filters say, run by an interpreter of these few instructions.

use super::*;
use crate::codec::json;

const X86_64: u32 = 0xc000_003e;
const I386: u32 = 0x4000_0003;
const X32: u32 = 1 << 30;
const ALLOW: u32 = 0x7fff_0000;
const ERRNO: u32 = 0x0005_0000;
const KILL: u32 = 0;
const ENOSYS: u32 = ERRNO | 38;

/// Compiles a profile; its flags and instructions, or the error.
fn compile_text(profile: &str) -> core::result::Result<(u32, Vec<u64>), String> {
    let mut document = profile.as_bytes().to_vec();
    let value = json::check(&mut document).expect("JSON");
    let mut program = Box::new(Program::EMPTY);
    match compile(value, &mut program) {
        Ok(filter) => {
            verify(filter.program());
            Ok((filter.flags(), filter.program().to_vec()))
        }
        Err(error) => Err(error.to_string()),
    }
}

/// What the kernel checks: known instructions, jumps forward and inside, loads inside, a return at the end.
fn verify(program: &[u64]) {
    assert!((1..=4096).contains(&program.len()));
    for (at, one) in program.iter().enumerate() {
        let left = program.len() - 1 - at;
        let value = (one >> 32) as usize;
        match *one as u16 {
            0x15 | 0x25 | 0x35 => assert!(((one >> 16) as u8 as usize) < left && ((one >> 24) as u8 as usize) < left),
            0x05 => assert!(value < left),
            0x20 => assert!(value % 4 == 0 && value < 64 && left > 0),
            0x54 => assert!(left > 0),
            0x06 => {}
            other => panic!("instruction {other:#x}"),
        }
    }
}

fn run(program: &[u64], arch: u32, number: u32, args: [u64; 6]) -> u32 {
    let mut data = [number, arch, 0, 0].to_vec();
    data.extend(args.iter().flat_map(|arg| [*arg as u32, (*arg >> 32) as u32]));
    let (mut at, mut a) = (0, 0u32);
    loop {
        let one = program[at];
        let (yes, no, value) = ((one >> 16) as u8 as usize, (one >> 24) as u8 as usize, (one >> 32) as u32);
        at += 1;
        let jump = |holds: bool| if holds { yes } else { no };
        match one as u16 {
            0x15 => at += jump(a == value),
            0x25 => at += jump(a > value),
            0x35 => at += jump(a >= value),
            0x05 => at += value as usize,
            0x20 => a = data[value as usize / 4],
            0x54 => a &= value,
            _ => return value,
        }
    }
}

fn verdict(profile: &str, arch: u32, number: u32, args: [u64; 6]) -> u32 {
    run(&compile_text(profile).expect(profile).1, arch, number, args)
}

/// A profile that refuses all but what these rules say.
fn rules(rules: &str) -> String {
    format!(
        r#"{{"defaultAction":"SCMP_ACT_ERRNO","architectures":["SCMP_ARCH_X86_64","SCMP_ARCH_X86","SCMP_ARCH_X32"],"syscalls":[{rules}]}}"#
    )
}

#[test]
fn numbers_of_three_architectures() {
    let profile = rules(r#"{"names":["read","ioctl","stat64","_sysctl","no_such_call"],"action":"SCMP_ACT_ALLOW"}"#);
    let program = compile_text(&profile).unwrap().1;
    let run = |arch, number| run(&program, arch, number, [0; 6]);
    assert_eq!(
        [run(X86_64, 0), run(X86_64, 1), run(X86_64, 16), run(X86_64, 156), run(X86_64, 157)],
        [ALLOW, ERRNO | 1, ALLOW, ALLOW, ENOSYS]
    );
    assert_eq!(
        [run(I386, 3), run(I386, 54), run(I386, 195), run(I386, 149), run(I386, 0), run(I386, 196)],
        [ALLOW, ALLOW, ALLOW, ALLOW, ERRNO | 1, ENOSYS]
    );
    assert_eq!(
        [run(X86_64, X32), run(X86_64, X32 + 16), run(X86_64, X32 + 514), run(X86_64, X32 + 515)],
        [ALLOW, ERRNO | 1, ALLOW, ENOSYS]
    );
    assert_eq!([run(0x4000_0028, 0), run(0xc000_00b7, 0)], [KILL, KILL]);
    let alone =
        compile_text(r#"{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{"names":["read"],"action":"SCMP_ACT_ALLOW"}]}"#);
    let alone = alone.unwrap().1;
    let run = |arch, number| super::tests::run(&alone, arch, number, [0; 6]);
    assert_eq!(
        [run(X86_64, 0), run(X86_64, 1), run(X86_64, X32), run(X86_64, u32::MAX), run(I386, 3)],
        [ALLOW, ENOSYS, KILL, ERRNO | 1, KILL]
    );
}
