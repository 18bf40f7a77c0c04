//! A container's state.json gives a state or a one-line error. A state that was read is the same
//! when it is written and read again, and serde_json reads the same values.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ocinit::codec::json;
use ocinit::container::state::{Id, fuzz};
use ocinit::io::output::Sink;

const NAME: &std::ffi::CStr = c"box";

fuzz_target!(|data: &[u8]| {
    let mut document = data.to_vec();
    let Ok(value) = json::check(&mut document) else { return };
    let id = Id::check(NAME).expect("a name");
    let mut memory = vec![0; 4 * 4096];
    let state = match fuzz::read(id, &value, &mut memory) {
        Ok(state) => state,
        Err(error) => return assert!(!error.to_string().contains('\n')),
    };
    assert!(state.process.pid >= 0);
    let theirs: serde_json::Value = serde_json::from_slice(data).expect("what we take is JSON");
    for (key, ours) in [
        ("ociVersion", state.version),
        ("bundle", state.bundle),
        ("rootfs", state.rootfs),
        ("cgroup", state.cgroup),
    ] {
        assert_eq!(theirs[key].as_str().map(str::as_bytes), Some(ours.to_bytes()), "{key}");
    }
    assert_eq!(
        (theirs["id"].as_str(), theirs["pid"].as_u64()),
        (Some("box"), Some(state.process.pid as u64))
    );
    struct Text(Vec<u8>);
    impl Sink for Text {
        fn put(&mut self, bytes: &[u8]) {
            self.0.extend(bytes);
        }
    }
    let mut text = Text(Vec::new());
    if fuzz::write(&state, id, &mut text).is_err() {
        return;
    }
    let mut written = text.0;
    let again = json::check(&mut written).expect("what we write is JSON");
    let mut memory = vec![0; 4 * 4096];
    let again = fuzz::read(id, &again, &mut memory).expect("what we write is read");
    assert_eq!(
        (again.version, again.bundle, again.rootfs, again.cgroup),
        (state.version, state.bundle, state.rootfs, state.cgroup)
    );
    assert_eq!(
        (again.process.pid, again.process.started, again.owner),
        (state.process.pid, state.process.started, state.owner)
    );
    assert_eq!(
        (again.rootless, again.terminal, again.made),
        (state.rootless, state.terminal, state.made)
    );
});
