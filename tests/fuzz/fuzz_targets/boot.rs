//! Files that PID 1 reads by lines: the list of modules, the control port, the kernel's counters.
//! Compared with a simple reader on std.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ocinit::init::{count_of, host_says, module_lines};

/// FILE [FILESYSTEM]; nothing if there are more words.
fn expected_modules(list: &[u8]) -> Vec<Option<(Vec<u8>, Vec<u8>)>> {
    let mut modules = Vec::new();
    for line in list.split(|byte| *byte == b'\n') {
        let words: Vec<&[u8]> =
            line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty()).collect();
        match words[..] {
            [] => {}
            [file, ..] if file.starts_with(b"#") => {}
            [file] => modules.push(Some((file.to_vec(), Vec::new()))),
            [file, system] => modules.push(Some((file.to_vec(), system.to_vec()))),
            _ => modules.push(None),
        }
    }
    modules
}

/// The word and its numbers, if it is one of the host's.
fn expected_words(line: &[u8]) -> Option<(String, Vec<u64>)> {
    let text = std::str::from_utf8(line).ok()?;
    let words: Vec<&str> = text.split(' ').collect();
    let number = |word: &&str| {
        (!word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit()))
            .then(|| word.parse().ok())?
    };
    let numbers: Vec<u64> = words[1..].iter().map(number).collect::<Option<_>>()?;
    let fits = match (words[0], &numbers[..]) {
        ("size", [rows, columns]) => *rows <= 65535 && *columns <= 65535,
        ("signal", [signal]) => (1..=64).contains(signal),
        ("eof", [_]) | ("done" | "stop", []) => true,
        _ => false,
    };
    fits.then(|| (words[0].to_string(), numbers))
}

fuzz_target!(|data: &[u8]| {
    let (kind, data) = data.split_first().unwrap_or((&0, &[]));
    match kind % 3 {
        0 => {
            let ours: Vec<_> = module_lines(data)
                .map(|line| match line {
                    Ok((file, system)) => Some((file.to_vec(), system.to_vec())),
                    Err(error) => {
                        let error = error.to_string();
                        assert!(
                            error.starts_with("/lib/modules/list: line ") && !error.contains('\n'),
                            "{error}"
                        );
                        None
                    }
                })
                .collect();
            assert_eq!(ours, expected_modules(data));
        }
        1 => {
            let found = host_says(data)
                .map(|(word, numbers)| (word.to_string(), numbers.into_iter().flatten().collect()));
            assert_eq!(found, expected_words(data));
        }
        _ => {
            let (key, text) = data.split_at(data.len().min(4));
            let Ok(key) = std::str::from_utf8(key) else { return };
            let number = |line: &[u8]| {
                let digits = line.strip_prefix(key.as_bytes())?.strip_prefix(b" ")?;
                let digits = std::str::from_utf8(digits)
                    .ok()
                    .filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))?;
                digits.parse::<u64>().ok()
            };
            assert_eq!(
                count_of(text, key),
                text.split(|byte| *byte == b'\n').find_map(number).unwrap_or(0)
            );
        }
    }
});
