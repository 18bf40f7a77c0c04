//! Hands our scripts and options to the linker of our binary, and to nothing else.

fn main() {
    let directory = std::env::var("CARGO_MANIFEST_DIR").expect("cargo sets CARGO_MANIFEST_DIR");
    println!("cargo::rerun-if-changed=linker/static.ld");
    println!("cargo::rustc-link-arg-bins={directory}/linker/static.ld");
    println!("cargo::rerun-if-changed=linker/unwind.ld");
    println!("cargo::rustc-link-arg-bins=-Wl,-T,{directory}/linker/unwind.ld,--no-eh-frame-hdr");
    // No padding to whole pages between code and constants: 8 KiB. No RELRO, whose alignment is 4 KiB: musl's start code of
    // a static program never makes those pages read-only anyway.
    println!("cargo::rustc-link-arg-bins=-Wl,-z,noseparate-code,-z,norelro");
    // Data starts in the file where code ends, and in memory on the next page at the same offset: no padding to a whole
    // page in between. No build id, which nobody looks up.
    println!("cargo::rustc-link-arg-bins=-Wl,-z,common-page-size=64,--build-id=none");
    // Our own start code: src/main.rs. musl's is linked and then dropped, as nothing calls it.
    println!("cargo::rustc-link-arg-bins=-Wl,-e,entry");
    // Prebuilt `core` stands behind libc on the link line, and in a debug build it alone needs this one.
    println!("cargo::rustc-link-arg-bins=-Wl,--undefined=bcmp");
}
