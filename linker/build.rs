//! Hands our scripts and options to the linker of our binary, and to nothing else.

fn main() {
    let directory = std::env::var("CARGO_MANIFEST_DIR").expect("cargo sets CARGO_MANIFEST_DIR");
    let link = |option: &str| println!("cargo::rustc-link-arg-bins=-Wl,{option}");
    println!("cargo::rerun-if-changed=linker");
    println!("cargo::rustc-link-arg-bins={directory}/linker/static.ld");
    link(&format!("-T,{directory}/linker/unwind.ld,--no-eh-frame-hdr"));
    link(&format!("-T,{directory}/linker/relocations.ld"));
    // No build id: nothing looks it up.
    link("--build-id=none");
    // Our own start code: src/main.rs. musl's is linked and then dropped, as nothing calls it.
    link("-e,entry");
    // That start code names musl's set-up of the stack protector, whose object has the two symbols
    // of the stack protector that are ours.
    link("--defsym=__init_ssp=0");
    // Prebuilt `core` stands behind libc on the link line, and in a debug build it alone needs it.
    link("--undefined=bcmp");
    let flags = std::env::var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
    if flags.contains("relocation-model=static") {
        // The smallest file (linker/board.toml), docs/size.md: no padding to whole pages between
        // code, constants and data, and so nothing that could be made read-only.
        link("-z,noseparate-code,-z,norelro,-z,common-page-size=64");
    } else {
        // Addresses to relocate take two bits each and not 24 bytes; `entry` reads them.
        link("-z,pack-relative-relocs,-z,separate-code,-z,relro,-z,now");
    }
}
