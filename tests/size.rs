//! The released binary is small: it will hold the whole runtime in 256 KiB.

mod support;

/// At the end of this issue, stripped.
const BYTES_MAX: u64 = 200 << 10;

#[test]
fn the_released_binary_is_under_200_kib() {
    let bytes = std::fs::metadata(support::boot::released()).expect("the released binary").len();
    // A binary of nothing would pass too: PID 1, a JSON reader and inflate are more than this.
    assert!(bytes > 20 << 10, "{bytes} bytes is no ocinit");
    assert!(bytes < BYTES_MAX, "{bytes} bytes, {} too many: see `make size`", bytes - BYTES_MAX);
}

#[test]
fn the_released_binary_is_static() {
    let headers = support::tool(std::process::Command::new("readelf").arg("-ldW").arg(support::boot::released()));
    let headers = String::from_utf8(headers).expect("readelf's text");
    assert!(headers.contains("LOAD"), "{headers}");
    assert!(!headers.contains("INTERP") && !headers.contains("(NEEDED)"), "{headers}");
}
