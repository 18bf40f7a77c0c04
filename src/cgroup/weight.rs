//! Converts `cpu.shares` of cgroup v1 to `cpu.weight` of v2.

/// Returns the weight of 1 to 10,000 for these shares of 2 to 262,144, as in runc and crun since
/// 2025. The usual 1024 gives 100, and the ends give the ends. Returns 0 for 0, which means that
/// none is set.
///
/// ```text
/// ceil(10 ^ ((l^2 + 125 l) / 612 - 7 / 34)), l = log2(shares)
/// ```
pub(super) fn of_shares(shares: i64) -> i64 {
    match shares {
        0 => 0,
        ..=2 => 1,
        262_144.. => 10_000,
        shares => {
            let l = log2(shares);
            let weight = power_of_10((l * l + 125.0 * l) / 612.0 - 7.0 / 34.0);
            // Rounding may leave a whole number a little too large.
            (weight - 1e-9) as i64 + 1
        }
    }
}

/// Terms of either series: the last is smaller than a double's last bit.
const TERMS: i32 = 24;

fn log2(number: i64) -> f64 {
    let whole = number.ilog2();
    // ln m = 2 (z + z^3/3 + z^5/5 ...), z = (m - 1)/(m + 1), which is at most 1/3.
    let m = number as f64 / (1i64 << whole) as f64;
    let z = (m - 1.0) / (m + 1.0);
    let (mut power, mut sum) = (z, 0.0);
    for n in 0..TERMS {
        sum += power / f64::from(2 * n + 1);
        power *= z * z;
    }
    f64::from(whole) + 2.0 * sum / core::f64::consts::LN_2
}

/// For exponents of 0 to 4.
fn power_of_10(exponent: f64) -> f64 {
    let whole = exponent as u32;
    let x = (exponent - f64::from(whole)) * core::f64::consts::LN_10;
    let (mut term, mut sum) = (1.0, 1.0);
    for n in 1..TERMS {
        term *= x / f64::from(n);
        sum += term;
    }
    sum * f64::from(10u32.pow(whole))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_are_those_of_the_newest_runc() {
        for (shares, weight) in [
            (0, 0),
            (1, 1),
            (2, 1),
            (512, 59),
            (1024, 100),
            (2048, 174),
            (262_144, 10_000),
            (i64::MAX, 10_000),
        ] {
            assert_eq!(of_shares(shares), weight, "{shares}");
        }
        for shares in 3..262_144 {
            let l = (shares as f64).log2();
            let exact = 10f64.powf((l * l + 125.0 * l) / 612.0 - 7.0 / 34.0);
            assert_eq!(of_shares(shares), exact.ceil() as i64, "{shares}: {exact}");
        }
    }
}
