//! Device rules become a program that the kernel would take, or a one-line error. The program gives
//! the same answers as the rules, applied one after the other.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ocinit::cgroup::device_program;
use ocinit::spec::{SpecMemory, read_limits};
use ocinit::sys::arena::Word;

/// runc's devices of every container: type, major, minor, access.
const DEFAULTS: [(&str, i64, i64, u64); 10] = [
    ("c", -1, -1, 1),
    ("b", -1, -1, 1),
    ("c", 1, 3, 7),
    ("c", 1, 8, 7),
    ("c", 1, 7, 7),
    ("c", 5, 0, 7),
    ("c", 1, 5, 7),
    ("c", 1, 9, 7),
    ("c", 136, -1, 7),
    ("c", 5, 2, 7),
];

/// Interprets the program. Returns its answer; checks that every jump goes forward within it.
fn answer(code: &[u64], kind: u64, wanted: u64, major: u64, minor: u64) -> u64 {
    let context = [kind | wanted << 16, major, minor];
    let (mut registers, mut at, mut steps) = ([0u64; 11], 0, 0);
    loop {
        steps += 1;
        assert!(steps <= code.len());
        let word = code[at];
        let (target, source) = ((word >> 8 & 15) as usize, (word >> 12 & 15) as usize);
        let (offset, number) = ((word >> 16) as u16 as usize, (word >> 32) as i32 as i64 as u64);
        match word as u8 {
            0x61 => registers[target] = context[offset / 4] & 0xffff_ffff,
            0xb7 => registers[target] = number,
            0xbf => registers[target] = registers[source],
            0x77 => registers[target] >>= number,
            0x57 => registers[target] &= number,
            0x5f => registers[target] &= registers[source],
            0x47 => registers[target] |= number,
            0xa7 => registers[target] ^= number,
            0x15 => at += if registers[target] == number { offset } else { 0 },
            0x55 => at += if registers[target] != number { offset } else { 0 },
            0x95 => return registers[0],
            other => panic!("instruction {other:#x}"),
        }
        at += 1;
    }
}

/// Returns the kinds of access that the rules allow.
fn allowed(rules: &[serde_json::Value], kind: &str, major: i64, minor: i64) -> u64 {
    let mut allowed = 0;
    let mut apply = |allow: bool, access: u64| {
        allowed = if allow { allowed | access } else { allowed & !access }
    };
    for rule in rules {
        let number = |key: &str| rule[key].as_i64().unwrap_or(-1);
        let of = rule["type"].as_str().unwrap_or("a");
        let fits = ["", "a", kind].contains(&of)
            && [-1, major].contains(&number("major"))
            && [-1, minor].contains(&number("minor"));
        let allow = rule["allow"].as_bool().unwrap_or(false);
        let access = rule["access"].as_str().unwrap_or("");
        let access = if access.contains('a') && !allow { "rwm" } else { access };
        let access =
            [('m', 1), ('r', 2), ('w', 4)].iter().filter(|(letter, _)| access.contains(*letter));
        if fits {
            apply(allow, access.map(|(_, bit)| bit).sum());
        }
    }
    for (of, of_major, of_minor, access) in DEFAULTS {
        if of == kind && [-1, major].contains(&of_major) && [-1, minor].contains(&of_minor) {
            apply(true, access);
        }
    }
    allowed
}

fuzz_target!(|data: &[u8]| {
    let mut document = data.to_vec();
    let mut text = vec![0; 4 * data.len() + 4096];
    let mut lists = vec![Word::uninit(); SpecMemory::LISTS];
    let mut memory = SpecMemory::new(&mut text, &mut lists);
    let resources = read_limits(&mut document, &mut memory);
    let code = match resources.and_then(|resources| device_program(resources.device_rules)) {
        Ok(code) => code,
        Err(error) => return assert!(!error.to_string().contains('\n')),
    };
    let theirs: serde_json::Value = serde_json::from_slice(data).expect("what we take is JSON");
    let empty = Vec::new();
    let rules = theirs["devices"].as_array().unwrap_or(&empty);
    // Each number of a rule, and its neighbours.
    let mut numbers: Vec<i64> = vec![0, 1, 3, 5, 136, 10, 0x7fff_ffff];
    for rule in rules.iter().take(8) {
        for key in ["major", "minor"] {
            let number = rule[key].as_i64().unwrap_or(0);
            numbers.extend(
                [number, number + 1]
                    .into_iter()
                    .filter(|number| (0..=0x7fff_ffff).contains(number)),
            );
        }
    }
    for (name, kind) in [("b", 1), ("c", 2)] {
        for &major in &numbers {
            for &minor in &numbers {
                let allowed = allowed(rules, name, major, minor);
                for wanted in 1..8 {
                    let expected = u64::from(wanted & !allowed == 0);
                    assert_eq!(
                        answer(&code, kind, wanted, major as u64, minor as u64),
                        expected,
                        "{name} {wanted} {major}:{minor}"
                    );
                }
            }
        }
    }
});
