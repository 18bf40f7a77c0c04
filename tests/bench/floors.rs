//! The floors of unpacking: one part of the work alone, as the library does it. Prints the seconds
//! it took, once its input was read. `filter` writes the seccomp filter that ocinit compiles of a
//! profile, for the floor of running.
//!
//!     floors inflate LAYER.tar.gz
//!     floors sha256 FILE...
//!     floors create LAYER.tar DIRECTORY
//!     floors filter PROFILE.json FILE

use ocinit::codec::digest::{Algorithm, Hasher};
use ocinit::codec::gzip::{Decoder, Window};
use ocinit::codec::json;
use ocinit::container::seccomp::{Program, compile};
use ocinit::limits::{INFLATE_STEP_BYTES, INPUT_BYTES};
use ocinit::rootfs::{self, UnpackMemory};
use ocinit::spec::{SpecMemory, read_seccomp};
use ocinit::sys::arena::Word;
use ocinit::sys::fd::CWD;
use ocinit::sys::fs;
use std::time::{Duration, Instant};

fn inflate(stored: &[u8]) -> Duration {
    let (mut window, mut decoder) = (Box::new(Window::EMPTY), Box::new(Decoder::new()));
    let mut output = vec![0; INFLATE_STEP_BYTES];
    let begin = Instant::now();
    let mut step = |piece: &[u8]| decoder.step(piece, &mut window, &mut output).expect("gzip");
    for mut piece in stored.chunks(INPUT_BYTES) {
        while !piece.is_empty() {
            piece = &piece[step(piece).0..];
        }
    }
    while step(&[]).1 > 0 {}
    decoder.finish().expect("the whole of it");
    begin.elapsed()
}

fn sha256(files: &[Vec<u8>]) -> Duration {
    let begin = Instant::now();
    for file in files {
        let mut hasher = Hasher::new(Algorithm::Sha256);
        hasher.update(file);
        std::hint::black_box(hasher.finish());
    }
    begin.elapsed()
}

fn create(mut tar: &[u8], directory: &str) -> Duration {
    let path = std::ffi::CString::new(directory).expect("a path");
    let root = fs::open(CWD, &path, fs::O_RDONLY | fs::O_DIRECTORY, 0).expect("the directory");
    let mut memory = Box::new(UnpackMemory::EMPTY);
    let begin = Instant::now();
    rootfs::apply_tar(&mut tar, root.by_ref(), &mut memory).expect("a layer");
    begin.elapsed()
}

/// Compiles a seccomp profile, and writes its instructions in seccomp(2)'s form.
fn filter(mut profile: Vec<u8>, file: &str) -> Duration {
    let mut program = Box::new(Program::EMPTY);
    let (mut text, mut lists) =
        (vec![0; 4 * profile.len()], vec![Word::uninit(); SpecMemory::LISTS]);
    let begin = Instant::now();
    let value = json::check(&mut profile).expect("JSON");
    let profile = read_seccomp(value, &mut SpecMemory::new(&mut text, &mut lists));
    let filter = compile(&profile.expect("a profile"), &mut program).expect("a filter");
    let took = begin.elapsed();
    std::fs::write(
        file,
        filter.program().iter().flat_map(|one| one.to_le_bytes()).collect::<Vec<u8>>(),
    )
    .expect(file);
    took
}

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let read = |path: &String| std::fs::read(path).expect(path);
    let took = match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["inflate", _] => inflate(&read(&words[1])),
        ["sha256", _, ..] => sha256(&words[1..].iter().map(read).collect::<Vec<_>>()),
        ["create", _, directory] => create(&read(&words[1]), directory),
        ["filter", _, file] => filter(read(&words[1]), file),
        _ => panic!(
            "usage: floors inflate LAYER.tar.gz | sha256 FILE... | create LAYER.tar DIRECTORY | filter PROFILE FILE"
        ),
    };
    println!("{:.6}", took.as_secs_f64());
}
