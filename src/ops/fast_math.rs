//! Polynomial `f32` functions without branches or tables, so that loops over them become SIMD.
//!
//! Coefficients: Chebyshev fits of this project, rounded to `f32`; errors measured in the tests below. No fused
//! multiply-add is asked for, so every instruction set gives the same bits.

/// Instruction sets a kernel is compiled for; picked once per call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Level {
    /// Whatever the target guarantees.
    Portable,
    /// 8 lanes of f32.
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// 16 lanes of f32.
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

impl Level {
    /// The widest set this machine has.
    #[inline]
    pub(crate) fn detect() -> Self {
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx2") {
                return Self::Avx512;
            }
            if is_x86_feature_detected!("avx2") {
                return Self::Avx2;
            }
        }
        Self::Portable
    }
}

/// eˣ to 2e-7 relative for x in [-87, 88]; beyond, the value at that end.
#[inline(always)]
pub(crate) fn exp(x: f32) -> f32 {
    // eˣ = 2ⁿ·eʳ with n = round(x/ln 2). Adding 1.5·2²³ rounds to an integer and leaves n in the low bits.
    const ROUND: f32 = 12_582_912.0;
    let x = if x > 88.0 { 88.0 } else { x };
    let x = if x < -87.0 { -87.0 } else { x };
    let shifted = x * std::f32::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    // ln 2 in two parts: n times the first is exact.
    let r = (x - n * 0.693_359_4) + n * 2.121_944_4e-4;
    let q = 0.008_363_236 + r * 0.001_393_373_4;
    let q = 0.166_665_76 + r * (0.041_666_463 + r * q);
    let p = 1.0 + (r + r * r * (0.5 + r * q));
    f32::from_bits(p.to_bits().wrapping_add(shifted.to_bits() << 23))
}

/// Natural logarithm to 2e-7 (of 1 + |ln x|) for positive normal x.
#[inline(always)]
pub(crate) fn ln(x: f32) -> f32 {
    // x = 2ᵉ·m with m in [√½, √2): shifting the bits by √½'s makes the exponent come out right.
    const SQRT_HALF: u32 = 0x3f35_04f3;
    let bits = x.to_bits().wrapping_sub(SQRT_HALF);
    let e = (bits as i32 >> 23) as f32;
    let m = f32::from_bits((bits & 0x007f_ffff).wrapping_add(SQRT_HALF));
    // ln m = 2·atanh z, z = (m - 1)/(m + 1), |z| < 0.172.
    let z = (m - 1.0) / (m + 1.0);
    let z2 = z * z;
    let series = 1.0 + z2 * (1.0 / 3.0 + z2 * (0.2 + z2 * (1.0 / 7.0 + z2 * (1.0 / 9.0))));
    (e * 0.693_359_4 + 2.0 * z * series) - e * 2.121_944_4e-4
}

/// Arc tangent to 2e-7 for every finite x.
#[inline(always)]
pub(crate) fn atan(x: f32) -> f32 {
    // Beyond 1: atan x = π/2 - atan 1/x.
    let size = x.abs();
    let outside = size > 1.0;
    let z = if outside { 1.0 / size } else { size };
    let inner = z * atan_series(z * z);
    let angle = if outside { std::f32::consts::FRAC_PI_2 - inner } else { inner };
    angle.copysign(x)
}

/// Coefficients of atan(z)/z in powers of z², for z in [0, 1].
pub(crate) const ATAN: [f32; 9] = [
    1.0,
    -0.333_330_66,
    0.199_924_84,
    -0.142_025_71,
    0.106_367_54,
    -0.074_954_46,
    0.042_587_608,
    -0.016_005_03,
    0.002_834_064_2,
];

#[inline(always)]
fn atan_series(z2: f32) -> f32 {
    let mut sum = ATAN[8];
    let mut power = 8;
    while power > 0 {
        power -= 1;
        sum = sum * z2 + ATAN[power];
    }
    sum
}

/// Coefficients of erfc(y)·e^(y²)/t in powers of t = 1/(1 + y/2), for y >= 0.
pub(crate) const ERFC: [f32; 7] =
    [0.282_367_68, 0.277_024_33, 0.284_792_07, 0.028_344_227, 0.403_726_16, -0.367_759_44, 0.091_505_04];

/// Normal distribution function, absolute error 3e-7, and e^(-x²/2), for every x with a finite square.
#[inline(always)]
pub(crate) fn normal_cdf(x: f32) -> (f32, f32) {
    let size = x.abs();
    let bell = exp(-0.5 * size * size);
    let t = 1.0 / (1.0 + size * (0.5 * std::f32::consts::FRAC_1_SQRT_2));
    let mut sum = ERFC[6];
    let mut power = 6;
    while power > 0 {
        power -= 1;
        sum = sum * t + ERFC[power];
    }
    let tail = 0.5 * t * sum * bell;
    (if x > 0.0 { 1.0 - tail } else { tail }, bell)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn worst(from: f32, to: f32, error: impl Fn(f32) -> f64) -> f64 {
        (0..=200_000).map(|i| error(from + (to - from) * (i as f32 / 200_000.0))).fold(0.0, f64::max)
    }

    #[test]
    fn exponential_is_within_two_ten_millionths() {
        let error = worst(-87.0, 88.0, |x| (f64::from(exp(x)) / f64::from(x).exp() - 1.0).abs());
        assert!(error < 2e-7, "{error}");
        assert_eq!(exp(0.0), 1.0);
        assert_eq!(exp(-1e30), exp(-87.0));
        assert_eq!(exp(f32::INFINITY), exp(88.0));
    }

    #[test]
    fn logarithm_is_within_two_ten_millionths() {
        let near = worst(0.5, 2.0, |x| (f64::from(ln(x)) - f64::from(x).ln()).abs());
        assert!(near < 2e-7, "{near}");
        let far = worst(-80.0, 80.0, |p| {
            let x = p.exp();
            let truth = f64::from(x).ln();
            (f64::from(ln(x)) - truth).abs() / (1.0 + truth.abs())
        });
        assert!(far < 2e-7, "{far}");
    }

    #[test]
    fn arc_tangent_is_within_two_ten_millionths() {
        let error = worst(-50.0, 50.0, |x| (f64::from(atan(x)) - f64::from(x).atan()).abs());
        assert!(error < 2e-7, "{error}");
        assert_eq!(atan(0.0), 0.0);
        assert_eq!(atan(f32::MAX), std::f32::consts::FRAC_PI_2);
    }

    #[test]
    fn normal_distribution_is_within_three_ten_millionths() {
        let error = worst(-12.0, 12.0, |x| {
            (f64::from(normal_cdf(x).0) - crate::sort::normal_cdf_exact(f64::from(x))).abs()
        });
        assert!(error < 3e-7, "{error}");
        assert!((normal_cdf(0.0).0 - 0.5).abs() < 2e-7);
    }
}
