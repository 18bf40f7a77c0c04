//! Programs of a few bytes, for images that hold nothing else.

/// A static ELF program of x86-64 whose code is these bytes.
pub fn program(code: &[u8]) -> Vec<u8> {
    const AT: u64 = 0x40_0000;
    let mut elf = Vec::from(*b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0");
    elf.extend_from_slice(&[2, 0, 62, 0, 1, 0, 0, 0]);
    elf.extend_from_slice(&(AT + 120).to_le_bytes());
    elf.extend_from_slice(&64_u64.to_le_bytes());
    elf.extend_from_slice(&[0; 12]);
    elf.extend_from_slice(&[64, 0, 56, 0, 1, 0, 0, 0, 0, 0, 0, 0]);
    elf.extend_from_slice(&[1, 0, 0, 0, 5, 0, 0, 0]);
    let size = 120 + code.len() as u64;
    for field in [0, AT, AT, size, size, 4096] {
        elf.extend_from_slice(&field.to_le_bytes());
    }
    elf.extend_from_slice(code);
    elf
}
