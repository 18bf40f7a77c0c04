//! memcpy and memmove. musl uses `rep movs` for short copies, whose start-up halves the speed of
//! inflate (measured: a whole unpack took 1.15 s with musl's and 0.55 s with these).
//!
//! They are assembly, because a loop in Rust may be compiled to a call of the function it
//! implements. Only the binary gets them: tests and fuzz targets keep libc's, which their
//! sanitizers check.

use core::arch::naked_asm;

/// Copies of 0 to 32 bytes read all before they write any, so any overlap is allowed.
macro_rules! up_to_32 {
    () => {
        "mov rax, rdi
         cmp rdx, 16
         jb 20f
         cmp rdx, 32
         ja 10f
         movups xmm0, [rsi]
         movups xmm1, [rsi + rdx - 16]
         movups [rdi], xmm0
         movups [rdi + rdx - 16], xmm1
         ret
     20: cmp edx, 8
         jb 21f
         mov rcx, [rsi]
         mov r8, [rsi + rdx - 8]
         mov [rdi], rcx
         mov [rdi + rdx - 8], r8
         ret
     21: cmp edx, 4
         jb 22f
         mov ecx, [rsi]
         mov r8d, [rsi + rdx - 4]
         mov [rdi], ecx
         mov [rdi + rdx - 4], r8d
         ret
     22: cmp edx, 2
         jb 23f
         movzx ecx, word ptr [rsi]
         movzx r8d, byte ptr [rsi + rdx - 1]
         mov [rdi], cx
         mov [rdi + rdx - 1], r8b
         ret
     23: test edx, edx
         jz 24f
         movzx ecx, byte ptr [rsi]
         mov [rdi], cl
     24: ret
     10:"
    };
}

/// Copies 33 bytes and more upwards, correct if the destination lies below the source.
macro_rules! upwards {
    () => {
        "movups xmm2, [rsi + rdx - 32]
         movups xmm3, [rsi + rdx - 16]
         lea rcx, [rdi + rdx - 32]
     11: movups xmm0, [rsi]
         movups xmm1, [rsi + 16]
         movups [rdi], xmm0
         movups [rdi + 16], xmm1
         add rsi, 32
         add rdi, 32
         cmp rdi, rcx
         jb 11b
         movups [rcx], xmm2
         movups [rcx + 16], xmm3
         ret"
    };
}

/// memcpy(3).
///
/// # Safety
/// As in C.
#[unsafe(naked)]
#[cfg_attr(all(not(test), not(fuzzing), target_env = "musl"), unsafe(no_mangle))]
pub unsafe extern "C" fn memcpy(to: *mut u8, from: *const u8, count: usize) -> *mut u8 {
    naked_asm!(
        up_to_32!(),
        "cmp rdx, 512
         ja 30f",
        upwards!(),
        "30: mov rcx, rdx
         rep movsb
         ret",
    )
}

/// memmove(3).
///
/// # Safety
/// As in C.
#[unsafe(naked)]
#[cfg_attr(all(not(test), not(fuzzing), target_env = "musl"), unsafe(no_mangle))]
pub unsafe extern "C" fn memmove(to: *mut u8, from: *const u8, count: usize) -> *mut u8 {
    naked_asm!(
        up_to_32!(),
        "mov rcx, rdi
         sub rcx, rsi
         cmp rcx, rdx
         jb 40f",
        upwards!(),
        // The destination starts inside the source: downwards.
        "40: movups xmm2, [rsi]
         movups xmm3, [rsi + 16]
     41: movups xmm0, [rsi + rdx - 16]
         movups xmm1, [rsi + rdx - 32]
         movups [rdi + rdx - 16], xmm0
         movups [rdi + rdx - 32], xmm1
         sub rdx, 32
         cmp rdx, 32
         ja 41b
         movups [rdi], xmm2
         movups [rdi + 16], xmm3
         ret",
    )
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_length_and_overlap_copies_right() {
        let bytes: Vec<u8> = (0..2000u32).map(|n| (n * 7 + n / 256) as u8).collect();
        for count in (0..140).chain([511, 512, 513, 700]) {
            let mut copy = vec![0u8; count + 2];
            // SAFETY: both buffers are long enough and apart.
            unsafe { super::memcpy(copy[1..].as_mut_ptr(), bytes[3..].as_ptr(), count) };
            assert_eq!((copy[0], &copy[1..=count], copy[count + 1]), (0, &bytes[3..3 + count], 0));
            for distance in [0usize, 1, 2, 7, 15, 16, 31, 32, 33, 64, 100, 600] {
                for (from, to) in [(600, 600 + distance), (600 + distance, 600)] {
                    let (mut ours, mut right) = (bytes.clone(), bytes.clone());
                    let start = ours.as_mut_ptr();
                    // SAFETY: both ranges lie in `ours`.
                    unsafe { super::memmove(start.add(to), start.add(from), count) };
                    right.copy_within(from..from + count, to);
                    assert!(ours == right, "{count} bytes from {from} to {to}");
                }
            }
        }
    }
}
