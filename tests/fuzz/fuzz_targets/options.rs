//! The kernel's command line, its first line, and /ocinit.conf behind it: whatever they say, the
//! answer is options or one line; words are cut as the kernel's own code cuts them.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ocinit::init::OptionSources;

/// The kernel's `next_arg` (lib/cmdline.c) and `parse_args`, put into Rust as they stand: (name,
/// value) of each word.
fn kernel_words(line: &[u8]) -> Vec<(Vec<u8>, Option<Vec<u8>>)> {
    let space = |byte: u8| matches!(byte, b' ' | 9..=13 | 0xa0);
    let mut args = line.to_vec();
    args.push(0);
    let mut at = args.iter().position(|&byte| !space(byte)).unwrap_or(0);
    let mut words = Vec::new();
    while args[at] != 0 {
        let (mut start, mut in_quote, mut quoted, mut equals) = (at, false, false, 0);
        if args[start] == b'"' {
            (start, in_quote, quoted) = (start + 1, true, true);
        }
        let mut index = 0;
        while args[start + index] != 0 {
            let byte = args[start + index];
            if space(byte) && !in_quote {
                break;
            }
            if equals == 0 && byte == b'=' {
                equals = index;
            }
            if byte == b'"' {
                in_quote = !in_quote;
            }
            index += 1;
        }
        let end = start + index;
        let value = (equals != 0).then(|| {
            let mut value = start + equals + 1;
            args[start + equals] = 0;
            if args[value] == b'"' {
                value += 1;
                if args[end - 1] == b'"' {
                    args[end - 1] = 0;
                }
            }
            value
        });
        if quoted && end > 0 && args[end - 1] == b'"' {
            args[end - 1] = 0;
        }
        at = if args[end] == 0 { end } else { end + 1 };
        args[end] = 0;
        while space(args[at]) {
            at += 1;
        }
        let text = |from: usize| {
            args[from..].iter().take_while(|&&byte| byte != 0).copied().collect::<Vec<u8>>()
        };
        words.push((text(start), value.map(text)));
    }
    words
}

fuzz_target!(|data: &[u8]| {
    let end = data.iter().position(|&byte| byte == b'\n').unwrap_or(data.len());
    let (line, file) = (&data[..end], data.get(end + 1..).unwrap_or_default());
    // The kernel's line ends at a NUL, and is shorter than 2,048 bytes.
    if line.contains(&0) || line.len() >= 2047 {
        return;
    }
    let told = OptionSources { line, file };
    if let Err(error) = told.options() {
        let error = error.to_string();
        assert!(
            !error.contains('\n')
                && (error.starts_with("command line: ") || error.contains("ocinit.")),
            "{error}"
        );
    }
    let words = kernel_words(line);
    let ours = |word: &&(Vec<u8>, Option<Vec<u8>>)| word.0 != b"--" || word.1.is_some();
    let mut expected = Vec::new();
    for (name, value) in words.iter().skip_while(ours).skip(1) {
        let equals: &[u8] = if value.is_some() { b"=" } else { b"" };
        expected.push([name, equals, value.as_deref().unwrap_or_default()].concat());
    }
    let mut space = [0; 2048];
    let args: Vec<_> = told.args(&mut space).map(<[u8]>::to_vec).collect();
    assert_eq!(
        args.get(..expected.len()),
        Some(&expected[..]),
        "what follows -- in {}",
        line.escape_ascii()
    );
    let env: Vec<_> = told.env().map(<[u8]>::to_vec).collect();
    let given = words
        .iter()
        .take_while(ours)
        .filter(|(name, _)| name == b"ocinit.env")
        .filter_map(|(_, value)| value.clone());
    let given: Vec<_> = given.collect();
    assert_eq!(
        env.get(..given.len()),
        Some(&given[..]),
        "the environment of {}",
        line.escape_ascii()
    );
});
