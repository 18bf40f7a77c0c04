//! A seccomp profile of either form becomes a filter that the kernel would take, or a one-line
//! error.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ocinit::codec::json;
use ocinit::container::seccomp::{Program, compile};
use ocinit::spec::{SpecMemory, capability, read_docker_seccomp, read_seccomp};
use ocinit::sys::arena::Word;

#[path = "../../all/support/bpf.rs"]
mod bpf;

thread_local!(static PROGRAM: std::cell::RefCell<Box<Program>> = std::cell::RefCell::new(Box::new(Program::EMPTY)));

fn room(data: &[u8]) -> (Vec<u8>, Vec<Word>) {
    (vec![0; 4 * data.len() + 64], vec![Word::uninit(); SpecMemory::LISTS])
}

fuzz_target!(|data: &[u8]| {
    let mut document = data.to_vec();
    let Ok(profile) = json::check(&mut document) else { return };
    for bounding in [0, capability::DEFAULT, capability::ALL] {
        let (mut text, mut lists) = room(data);
        let memory = &mut SpecMemory::new(&mut text, &mut lists);
        if let Err(error) = read_docker_seccomp(profile, bounding, memory) {
            assert!(!error.to_string().contains('\n'));
        }
    }
    let (mut text, mut lists) = room(data);
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
