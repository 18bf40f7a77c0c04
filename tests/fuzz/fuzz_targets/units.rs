//! Sizes, shares and durations: any text is a value or None, and what is written out again is the
//! same value.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ocinit::io::units::{self, Share};

fuzz_target!(|data: &[u8]| {
    if let Some(bytes) = units::size(data) {
        assert_eq!(units::size(bytes.to_string().as_bytes()), Some(bytes));
        assert!(data.iter().all(|byte| b"0123456789. bkmgtpiBKMGTPI".contains(byte)));
    }
    if let Some(Share::Percent(percent)) = units::share(data) {
        assert!((1..=100).contains(&percent));
    }
    if let Some(us) = units::microseconds(data, None) {
        assert_eq!(units::microseconds(format!("{us}us").as_bytes(), None), Some(us));
    }
    if let Some(number) = units::thousandths(data) {
        let text = format!("{}.{:03}", number / 1000, number % 1000);
        assert_eq!(units::thousandths(text.as_bytes()), Some(number));
    }
});
