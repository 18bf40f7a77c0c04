//! The kernel's answers about network devices: any bytes give addresses or an errno. Compared with
//! a simple reader on std.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ocinit::container::net_devices::fuzz;

const INDEX: u32 = 7;

fn word(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..at + 4).map_or(0, |word| u32::from_ne_bytes(word.try_into().unwrap()))
}

fn half(bytes: &[u8], at: usize) -> u16 {
    bytes.get(at..at + 2).map_or(0, |half| u16::from_ne_bytes(half.try_into().unwrap()))
}

/// The fixed parts of permanent addresses, if the answer ends well.
fn expected(answer: &[u8]) -> Option<Vec<[u8; 8]>> {
    let mut addresses = Vec::new();
    let mut at = 0;
    loop {
        let length = word(answer, at) as usize;
        let body = answer.get(at + 16..at.checked_add(length)?).filter(|_| length >= 16)?;
        match half(answer, at + 4) {
            2 => return (word(body, 0) == 0).then_some(addresses),
            3 => return Some(addresses),
            20 if body.len() >= 8 && word(body, 4) == INDEX && body[3] == 0 => {
                let (mut flags, mut attribute) = (u32::from(body[2]), 8);
                while attribute < body.len() {
                    let length = usize::from(half(body, attribute));
                    let Some(value) =
                        body.get(attribute + 4..attribute + length).filter(|_| length >= 4)
                    else {
                        break;
                    };
                    if half(body, attribute + 2) == 8 {
                        flags = word(value, 0);
                    }
                    attribute += length.next_multiple_of(4);
                }
                if flags & 0x80 != 0 {
                    addresses.push(body[..8].try_into().unwrap());
                }
            }
            _ => {}
        }
        at += length.next_multiple_of(4);
    }
}

fuzz_target!(|data: &[u8]| {
    // One answer of the kernel has no more.
    if data.len() > 8 << 10 {
        return;
    }
    match (fuzz::addresses_in(data, INDEX), expected(data)) {
        (Ok(found), Some(expected)) => assert_eq!(found[..], expected[..]),
        (Err(error), Some(expected)) => assert!(expected.len() > 64, "{error}"),
        (Err(error), None) => assert!(!error.to_string().contains('\n')),
        (Ok(found), None) => panic!("{found:?}, and it is an error"),
    }
});
