//! Instructions beyond the x86-64 baseline, each in a function that also works without them.

use core::arch::x86_64::{
    __m128i, _mm_clmulepi64_si128, _mm_cvtsi32_si128, _mm_cvtsi128_si64, _mm_loadu_si128,
    _mm_set_epi64x, _mm_unpackhi_epi64, _mm_xor_si128,
};
use core::sync::atomic::{AtomicU8, Ordering};

/// Folds bytes for CRC-32 (reflected, as in gzip). A state of 0 after the returned 16 bytes equals
/// `state` after the first `used` of `bytes`. Returns None if the processor has no PCLMULQDQ or
/// there are fewer than 64 bytes.
pub fn fold(state: u32, bytes: &[u8]) -> Option<([u8; 16], usize)> {
    if bytes.len() < 64 || !has_pclmul() {
        return None;
    }
    // SAFETY: the processor has the instruction.
    Some(unsafe { fold_by_pclmul(state, bytes) })
}

fn has_pclmul() -> bool {
    const UNKNOWN: u8 = 0;
    const NO: u8 = 1;
    const YES: u8 = 2;
    if cfg!(miri) {
        return false;
    }
    // Cached, because CPUID traps in a VM.
    static KNOWN: AtomicU8 = AtomicU8::new(UNKNOWN);
    match KNOWN.load(Ordering::Relaxed) {
        UNKNOWN => {
            let has = core::arch::x86_64::__cpuid(1).ecx & 1 << 1 != 0;
            KNOWN.store(if has { YES } else { NO }, Ordering::Relaxed);
            has
        }
        known => known == YES,
    }
}

/// One step of folding. It is a macro, because our code is compiled for size and would call a
/// function for every 16 bytes.
macro_rules! advance {
    ($lane:expr, $by:expr, $next:expr) => {
        _mm_xor_si128(
            _mm_xor_si128(
                _mm_clmulepi64_si128($lane, $by, 0x00),
                _mm_clmulepi64_si128($lane, $by, 0x11),
            ),
            $next,
        )
    };
}

/// Intel's "Fast CRC Computation Using PCLMULQDQ": four lanes of 16 bytes, then one.
#[target_feature(enable = "pclmulqdq")]
fn fold_by_pclmul(state: u32, bytes: &[u8]) -> ([u8; 16], usize) {
    // x to the power 4·128+32, 4·128-32, 128+32 and 128-32, modulo the polynomial, reflected.
    let by_64 = _mm_set_epi64x(0x1_c6e4_1596, 0x1_5444_2bd4);
    let by_16 = _mm_set_epi64x(0x0_ccaa_009e, 0x1_7519_97d0);
    let (blocks, _) = bytes.as_chunks::<64>();
    let mut lanes = [_mm_set_epi64x(0, 0); 4];
    for (index, block) in blocks.iter().enumerate() {
        // SAFETY: there are 64 bytes; the loads need no alignment.
        let [a, b, c, d] = unsafe {
            let at = block.as_ptr().cast::<__m128i>();
            [
                _mm_loadu_si128(at),
                _mm_loadu_si128(at.add(1)),
                _mm_loadu_si128(at.add(2)),
                _mm_loadu_si128(at.add(3)),
            ]
        };
        lanes = match index {
            0 => [_mm_xor_si128(a, _mm_cvtsi32_si128(state as i32)), b, c, d],
            _ => [
                advance!(lanes[0], by_64, a),
                advance!(lanes[1], by_64, b),
                advance!(lanes[2], by_64, c),
                advance!(lanes[3], by_64, d),
            ],
        };
    }
    let sum = advance!(lanes[0], by_16, lanes[1]);
    let sum = advance!(sum, by_16, lanes[2]);
    let sum = advance!(sum, by_16, lanes[3]);
    let mut out = [0; 16];
    out[..8].copy_from_slice(&_mm_cvtsi128_si64(sum).to_le_bytes());
    out[8..].copy_from_slice(&_mm_cvtsi128_si64(_mm_unpackhi_epi64(sum, sum)).to_le_bytes());
    (out, 64 * blocks.len())
}
