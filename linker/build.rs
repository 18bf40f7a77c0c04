//! Hands `static.ld` to the linker of our binary, and to nothing else.

fn main() {
    let directory = std::env::var("CARGO_MANIFEST_DIR").expect("cargo sets CARGO_MANIFEST_DIR");
    println!("cargo::rerun-if-changed=linker/static.ld");
    println!("cargo::rustc-link-arg-bins={directory}/linker/static.ld");
    // Prebuilt `core` stands behind libc on the link line, and in a debug build it alone needs this one.
    println!("cargo::rustc-link-arg-bins=-Wl,--undefined=bcmp");
}
