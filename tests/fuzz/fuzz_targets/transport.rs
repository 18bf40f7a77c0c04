//! A packet is a message or an error; a message is written as the packet that it was read from.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ocinit::codec::transport::{ANSWER_BYTES, Answer, REQUEST_BYTES, Request};

fuzz_target!(|data: &[u8]| {
    let mut buffer = [0; REQUEST_BYTES];
    if let Ok(request) = Request::decode(data) {
        assert_eq!(request.encode(&mut buffer), Ok(data));
    }
    if let Ok(answer) = Answer::decode(data) {
        assert_eq!(answer.encode(&mut buffer[..ANSWER_BYTES]), Ok(data));
    }
});
