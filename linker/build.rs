//! Hands our scripts and options to the linker of our binary, and to nothing else.

fn main() {
    let directory = std::env::var("CARGO_MANIFEST_DIR").expect("cargo sets CARGO_MANIFEST_DIR");
    println!("cargo::rerun-if-changed=linker/static.ld");
    println!("cargo::rustc-link-arg-bins={directory}/linker/static.ld");
    println!("cargo::rerun-if-changed=linker/unwind.ld");
    println!("cargo::rustc-link-arg-bins=-Wl,-T,{directory}/linker/unwind.ld,--no-eh-frame-hdr");
    // Relocations of a static-pie as a bitmap instead of 24 bytes each: 16 KiB. musl applies them since 1.2.4.
    println!("cargo::rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
    // No padding to whole pages between code and constants: 8 KiB. No RELRO, whose alignment is 4 KiB: musl's start code of
    // a static program never makes those pages read-only anyway.
    println!("cargo::rustc-link-arg-bins=-Wl,-z,noseparate-code,-z,norelro");
    // Nor up to a page before the data, with which the linker would save a page of memory at run time.
    println!("cargo::rustc-link-arg-bins=-Wl,-z,common-page-size=64");
    // Nothing that only tells which build this is, or (unwind.ld) which compilers made it: 0.3 KiB.
    println!("cargo::rustc-link-arg-bins=-Wl,--build-id=none");
    // Prebuilt `core` stands behind libc on the link line, and in a debug build it alone needs this one.
    println!("cargo::rustc-link-arg-bins=-Wl,--undefined=bcmp");
}
