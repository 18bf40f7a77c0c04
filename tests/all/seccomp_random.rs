//! Random seccomp profiles beside libseccomp's filters: the same verdict on every system call. See
//! seccomp.rs.

use crate::seccomp::{ENOSYS, NAMES, Random, compare, ours, theirs};
use crate::support::bpf::{self, I386, X86_64};
use std::collections::BTreeMap;

/// An action as a profile has it, and what a filter returns for it.
const ACTIONS: [(&str, u32); 11] = [
    (r#""SCMP_ACT_ALLOW""#, 0x7fff_0000),
    (r#""SCMP_ACT_ALLOW""#, 0x7fff_0000),
    (r#""SCMP_ACT_ERRNO""#, 0x0005_0001),
    (r#""SCMP_ACT_ERRNO","errnoRet":38"#, ENOSYS),
    (r#""SCMP_ACT_KILL""#, 0),
    (r#""SCMP_ACT_KILL_THREAD""#, 0),
    (r#""SCMP_ACT_KILL_PROCESS""#, 0x8000_0000),
    (r#""SCMP_ACT_TRAP""#, 0x0003_0000),
    (r#""SCMP_ACT_TRACE""#, 0x7ff0_0001),
    (r#""SCMP_ACT_TRACE","errnoRet":513"#, 0x7ff0_0201),
    (r#""SCMP_ACT_LOG""#, 0x7ffc_0000),
];

const OPERATORS: [&str; 7] = ["EQ", "NE", "GT", "GE", "LT", "LE", "MASKED_EQ"];

struct Rule {
    names: Vec<&'static str>,
    action: (&'static str, u32),
    /// Index, operator, value, second value.
    args: Vec<(usize, &'static str, u64, u64)>,
}

impl Rule {
    /// Whether it is about such a call.
    fn holds(&self, args: &[u64; 6], wide: bool) -> bool {
        let half = |value: u64| if wide { value } else { value & 0xffff_ffff };
        let mut each = self.args.iter().map(|(index, operator, value, second)| {
            let (arg, value, second) = (half(args[*index]), half(*value), half(*second));
            match *operator {
                "EQ" => arg == value,
                "NE" => arg != value,
                "GT" => arg > value,
                "GE" => arg >= value,
                "LT" => arg < value,
                "LE" => arg <= value,
                _ => arg & value == second & value,
            }
        });
        let apart = (0..6).any(|index| self.args.iter().filter(|arg| arg.0 == index).count() > 1);
        if apart { each.any(|holds| holds) } else { each.all(|holds| holds) }
    }
}

struct Profile {
    default: (&'static str, u32),
    architectures: &'static str,
    rules: Vec<Rule>,
    /// What its arguments are compared with, and some neighbours.
    values: Vec<u64>,
}

impl Profile {
    /// Of many rules about one call where `contradicts`, which even libseccomp does not get right;
    /// of one at most otherwise.
    fn random(random: &mut Random, names: &[&'static str], contradicts: bool) -> Profile {
        let architectures = random.pick(&[
            "",
            r#""SCMP_ARCH_X86_64""#,
            r#""SCMP_ARCH_X86","SCMP_ARCH_X32""#,
            r#""SCMP_ARCH_X86""#,
            r#""SCMP_ARCH_X32","SCMP_ARCH_X86_64""#,
        ]);
        let default = random.pick(&ACTIONS);
        let mut profile = Profile {
            default,
            architectures,
            rules: Vec::new(),
            values: vec![0, 1, u64::MAX, 1 << 32],
        };
        let few: Vec<&str> = (0..4).map(|_| random.pick(names)).collect();
        let mut used = Vec::new();
        for _ in 0..random.below(16) {
            let has_args = random.below(2) == 0;
            let from = if contradicts { &few[..] } else { names };
            let mut called: Vec<&str> =
                (0..1 + random.below(6)).map(|_| random.pick(from)).collect();
            if !contradicts {
                called.retain(|name| !used.contains(name));
                called.dedup();
                used.extend(&called);
            }
            if called.is_empty() {
                continue;
            }
            let mut args: Vec<(usize, &str, u64, u64)> = Vec::new();
            for _ in 0..if has_args { 1 + random.below(3) } else { 0 } {
                let value = match random.below(4) {
                    0 => random.next() % 8,
                    1 => random.pick(&profile.values),
                    2 => random.next() & 0xffff_ffff,
                    _ => random.next() << 11 | random.next(),
                };
                let second =
                    if random.below(2) == 0 { value & random.next() } else { random.next() };
                let mut operator = random.pick(&OPERATORS);
                // libseccomp takes "less or equal" of 32 bits behind another condition for
                // "greater".
                if operator == "LE" && !contradicts {
                    operator = "LT";
                }
                let index = random.below(6);
                if contradicts || args.iter().all(|arg| arg.0 != index) {
                    args.push((index, operator, value, second));
                    let near = [
                        value,
                        value.wrapping_add(1),
                        value.wrapping_sub(1),
                        value ^ 1 << 32,
                        second & value,
                    ];
                    profile.values.extend(near);
                }
            }
            profile.rules.push(Rule { names: called, action: random.pick(&ACTIONS), args });
        }
        // runc takes i386's numbers for sockets and IPC as newer than a profile that has nothing
        // higher, even where it has them.
        let action = random.pick(&ACTIONS);
        profile.rules.push(Rule { names: vec!["pidfd_open"], action, args: Vec::new() });
        profile
    }

    fn text(&self) -> String {
        let rules: Vec<String> = self
            .rules
            .iter()
            .map(|rule| {
                let args = rule.args.iter().map(|(index, operator, value, second)| {
                    format!(r#"{{"index":{index},"value":{value},"valueTwo":{second},"op":"SCMP_CMP_{operator}"}}"#)
                });
                let args = args.collect::<Vec<_>>().join(",");
                format!(r#"{{"names":["{}"],"action":{},"args":[{args}]}}"#, rule.names.join("\",\""), rule.action.0)
            })
            .collect();
        format!(
            r#"{{"defaultAction":{},"architectures":[{}],"syscalls":[{}]}}"#,
            self.default.0.replace("errnoRet", "defaultErrnoRet"),
            self.architectures,
            rules.join(",")
        )
    }

    /// What it says about a call, by its name.
    fn verdict(&self, name: &str, args: &[u64; 6], wide: bool) -> u32 {
        let rules = || {
            self.rules
                .iter()
                .filter(|rule| rule.names.contains(&name) && rule.action.1 != self.default.1)
        };
        let first = rules()
            .find(|rule| rule.args.is_empty())
            .or_else(|| rules().find(|rule| rule.holds(args, wide)));
        first.map_or(self.default.1, |rule| rule.action.1)
    }
}

/// Names that Debian 12's libseccomp knows.
fn names() -> Vec<&'static str> {
    let known = |words: &[&str]| {
        words[1..].iter().any(|word| word.parse().is_ok_and(|number: u16| number <= 456))
    };
    let lines = NAMES.lines().map(|line| line.split(' ').collect::<Vec<_>>());
    lines.filter(|words| known(words) && !words[0].starts_with('u')).map(|words| words[0]).collect()
}

#[test]
fn random_profiles_as_libseccomp_has_them() {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let names = names();
    let profiles: Vec<_> = (0..100).map(|_| Profile::random(&mut random, &names, false)).collect();
    let texts: Vec<String> = profiles.iter().map(Profile::text).collect();
    let mut taken = 0;
    for ((profile, text), theirs) in
        profiles.iter().zip(&texts).zip(theirs("seccomp-random", &texts))
    {
        // None: it took more than its seconds.
        if let Some(theirs) = theirs {
            compare(text, &theirs, &profile.values, &mut random);
            taken += 1;
        }
    }
    assert!(taken > 80, "libseccomp takes {taken} profiles");
}

#[test]
fn random_profiles_mean_what_they_say() {
    let mut random = Random(0x2545_f491_4f6c_dd1d);
    let numbers = |line: &'static str| {
        let mut words = line.split(' ');
        (
            words.next().expect("a name"),
            [words.next(), words.next()].map(|word| word.and_then(|word| word.parse().ok())),
        )
    };
    let table: BTreeMap<&str, [Option<u32>; 2]> = NAMES.lines().map(numbers).collect();
    // On i386 these have rules of others behind them.
    let plain = |name: &&str| {
        !matches!(*name, "socketcall" | "ipc") && table[name][1].is_none_or(|number| number < 500)
    };
    let names: Vec<_> = names().into_iter().filter(plain).collect();
    for _ in 0..400 {
        let profile = Profile::random(&mut random, &names, true);
        let program = ours(&profile.text());
        let called: Vec<&str> = profile.rules.iter().flat_map(|rule| rule.names.clone()).collect();
        for name in called {
            for _ in 0..100 {
                let args = [0; 6].map(|_| random.pick(&profile.values));
                let [native, compat] = table[name];
                let x86 = profile.architectures.contains("X86\"");
                for (arch, number) in [(X86_64, native), (I386, compat.filter(|_| x86))] {
                    let Some(number) = number else { continue };
                    let (got, wanted) = (
                        bpf::run(&program, arch, number, args).0,
                        profile.verdict(name, &args, arch == X86_64),
                    );
                    assert!(
                        got == wanted,
                        "{name} {arch:#x} {args:#x?}: {got:#x}, not {wanted:#x}\n{}",
                        profile.text()
                    );
                }
            }
        }
    }
}
