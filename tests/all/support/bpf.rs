//! Classic BPF as seccomp(2) takes it: what the kernel checks before it loads a filter, and what a
//! filter then says. An instruction is a `struct sock_filter` as one number.

pub const X86_64: u32 = 0xc000_003e;
pub const I386: u32 = 0x4000_0003;
/// The bit of x32's numbers.
pub const X32: u32 = 1 << 30;

fn parts(one: u64) -> (u16, usize, usize, u32) {
    (one as u16, (one >> 16) as u8 as usize, (one >> 24) as u8 as usize, (one >> 32) as u32)
}

/// Known instructions, jumps inside the filter, loads inside its data, a return at every end.
pub fn verify(program: &[u64]) {
    assert!((1..=4096).contains(&program.len()), "{} instructions", program.len());
    for (at, one) in program.iter().enumerate() {
        let left = program.len() - 1 - at;
        let (code, yes, no, value) = parts(*one);
        let fits = match code {
            0x15 | 0x25 | 0x35 => yes < left && no < left,
            0x05 => (value as usize) < left,
            0x20 => value % 4 == 0 && value < 64 && left > 0,
            0x54 => left > 0,
            0x06 => true,
            _ => false,
        };
        assert!(fits, "instruction {at} of {}: {one:#x}", program.len());
    }
}

/// The verdict on one system call, and how many instructions it took.
pub fn run(program: &[u64], arch: u32, number: u32, args: [u64; 6]) -> (u32, usize) {
    let mut data = vec![number, arch, 0, 0];
    data.extend(args.iter().flat_map(|arg| [*arg as u32, (*arg >> 32) as u32]));
    let (mut at, mut a, mut steps) = (0, 0u32, 0);
    loop {
        let (code, yes, no, value) = parts(program[at]);
        (at, steps) = (at + 1, steps + 1);
        let jump = |holds: bool| if holds { yes } else { no };
        match code {
            0x15 => at += jump(a == value),
            0x25 => at += jump(a > value),
            0x35 => at += jump(a >= value),
            0x05 => at += value as usize,
            0x20 => a = data[value as usize / 4],
            0x54 => a &= value,
            0x06 => return (value, steps),
            other => panic!("instruction {other:#x}"),
        }
    }
}
