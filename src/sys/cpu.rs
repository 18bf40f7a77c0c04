//! Instructions beyond the x86-64 baseline, each behind a function that works without them too.

use core::arch::x86_64::{
    __m128i, _mm_clmulepi64_si128, _mm_cvtsi32_si128, _mm_cvtsi128_si64, _mm_set_epi64x, _mm_unpackhi_epi64,
    _mm_xor_si128,
};
use core::sync::atomic::{AtomicU8, Ordering};

/// Folds bytes for CRC-32 (reflected, as in gzip): a state of 0 after these 16 bytes is what `state` is after the
/// `used` first ones of `bytes`. Nothing where the processor has no PCLMULQDQ or there are fewer than 64 bytes.
pub fn fold_crc32(state: u32, bytes: &[u8]) -> Option<([u8; 16], usize)> {
    if bytes.len() < 64 || !has_pclmul() {
        return None;
    }
    // SAFETY: the processor has the instruction.
    Some(unsafe { fold(state, bytes) })
}

fn has_pclmul() -> bool {
    const UNKNOWN: u8 = 0;
    const NO: u8 = 1;
    const YES: u8 = 2;
    // Remembered, because CPUID traps in a VM.
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

/// Intel's "Fast CRC Computation Using PCLMULQDQ": four lanes of 16 bytes, then one.
#[target_feature(enable = "pclmulqdq")]
fn fold(state: u32, bytes: &[u8]) -> ([u8; 16], usize) {
    let load = |at: usize| {
        let half = |at: usize| i64::from_le_bytes(bytes[at..at + 8].try_into().unwrap_or_default());
        _mm_set_epi64x(half(at + 8), half(at))
    };
    // x to the power 4·128+32, 4·128-32, 128+32 and 128-32, modulo the polynomial, reflected.
    let by_64 = _mm_set_epi64x(0x1_c6e4_1596, 0x1_5444_2bd4);
    let by_16 = _mm_set_epi64x(0x0_ccaa_009e, 0x1_7519_97d0);
    let mut lanes = [load(0), load(16), load(32), load(48)];
    lanes[0] = _mm_xor_si128(lanes[0], _mm_cvtsi32_si128(state as i32));
    let mut used = 64;
    while used + 64 <= bytes.len() {
        for (index, lane) in lanes.iter_mut().enumerate() {
            *lane = advance(*lane, by_64, load(used + 16 * index));
        }
        used += 64;
    }
    let mut sum = lanes[0];
    for lane in &lanes[1..] {
        sum = advance(sum, by_16, *lane);
    }
    let mut out = [0; 16];
    out[..8].copy_from_slice(&_mm_cvtsi128_si64(sum).to_le_bytes());
    out[8..].copy_from_slice(&_mm_cvtsi128_si64(_mm_unpackhi_epi64(sum, sum)).to_le_bytes());
    (out, used)
}

#[target_feature(enable = "pclmulqdq")]
fn advance(lane: __m128i, by: __m128i, next: __m128i) -> __m128i {
    let low = _mm_clmulepi64_si128(lane, by, 0x00);
    let high = _mm_clmulepi64_si128(lane, by, 0x11);
    _mm_xor_si128(_mm_xor_si128(low, high), next)
}
