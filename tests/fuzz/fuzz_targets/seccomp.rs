//! A seccomp profile becomes a filter that the kernel would take, or a one-line error. docker's
//! form is resolved first, to JSON or a one-line error.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ocinit::codec::json;
use ocinit::container::seccomp::{Program, compile};
use ocinit::io::output::Sink;
use ocinit::spec::{SpecMemory, capability, read_seccomp, seccomp};
use ocinit::sys::arena::Word;

#[path = "../../all/support/bpf.rs"]
mod bpf;

struct Bytes(Vec<u8>);

impl Sink for Bytes {
    fn put(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }
}

thread_local!(static PROGRAM: std::cell::RefCell<Box<Program>> = std::cell::RefCell::new(Box::new(Program::EMPTY)));

fuzz_target!(|data: &[u8]| {
    let mut document = data.to_vec();
    let Ok(profile) = json::check(&mut document) else { return };
    for bounding in [0, capability::DEFAULT, capability::ALL] {
        let mut resolved = Bytes(Vec::new());
        match seccomp::resolve(profile, bounding, &mut json::Writer::with_indent(&mut resolved, ""))
        {
            Ok(()) => drop(json::check(&mut resolved.0).expect("it writes JSON")),
            Err(error) => assert!(!error.to_string().contains('\n')),
        }
    }
    let (mut text, mut lists) =
        (vec![0; 4 * data.len() + 64], vec![Word::uninit(); SpecMemory::LISTS]);
    let profile = match read_seccomp(profile, &mut SpecMemory::new(&mut text, &mut lists)) {
        Ok(profile) => profile,
        Err(error) => return assert!(!error.to_string().contains('\n')),
    };
    PROGRAM.with_borrow_mut(|program| {
        let filter = match compile(&profile, program) {
            Ok(filter) => filter,
            Err(error) => return assert!(!error.to_string().contains('\n')),
        };
        bpf::verify(filter.program());
        for arch in [bpf::X86_64, bpf::I386, 0xc000_00b7] {
            for number in (0..600).chain([u32::MAX, 1 << 31]) {
                for number in [number, number | bpf::X32] {
                    let (verdict, steps) =
                        bpf::run(filter.program(), arch, number, [1, u64::MAX, 0, 1 << 32, 2, 3]);
                    assert!(steps <= filter.program().len());
                    assert!(
                        matches!(
                            verdict >> 16,
                            0 | 3 | 5 | 0x7fc0 | 0x7ff0 | 0x7ffc | 0x7fff | 0x8000
                        ),
                        "{verdict:#x}"
                    );
                }
            }
        }
    });
});
