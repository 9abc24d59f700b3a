//! Loops compiled for the widest vectors the processor has.

/// Runs `f` compiled for AVX-512, AVX2 or the baseline, whichever the processor has.
///
/// `f` must be a small closure over `#[inline(always)]` functions: it is inlined into a function
/// with the wider instruction set, where the compiler vectorises its loops anew.
#[inline]
pub(crate) fn vectorised<R>(f: impl FnOnce() -> R) -> R {
    #[cfg(target_arch = "x86_64")]
    {
        if is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512dq") {
            // SAFETY: the features were just detected.
            return unsafe { avx512(f) };
        }
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
            // SAFETY: the features were just detected.
            return unsafe { avx2(f) };
        }
    }
    f()
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512dq,avx512vl,avx2,fma")]
unsafe fn avx512<R>(f: impl FnOnce() -> R) -> R {
    f()
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn avx2<R>(f: impl FnOnce() -> R) -> R {
    f()
}

/// exp for f32, relative error below 2e-7, 0 below -87 and finite up to 88.
#[inline(always)]
pub(crate) fn exp(x: f32) -> f32 {
    // exp(x) = 2^n exp(r), n = round(x / ln 2), r in ±ln 2 / 2: Taylor to degree 7 there. ln 2 is
    // split in two so that r keeps its digits.
    const ROUND: f32 = 12_582_912.0; // 1.5 * 2^23: adding it rounds to an integer
    let underflow = x < -87.0;
    let x = x.clamp(-87.0, 88.0);
    let shifted = x * std::f32::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    let r = x - n * 0.693_359_4 + n * 2.121_944_4e-4;
    let p = 1.0 / 5040.0;
    let p = p * r + 1.0 / 720.0;
    let p = p * r + 1.0 / 120.0;
    let p = p * r + 1.0 / 24.0;
    let p = p * r + 1.0 / 6.0;
    let p = p * r + 0.5;
    let p = p * r + 1.0;
    let p = p * r + 1.0;
    // The integer sits in the low bits of `shifted`; moved to the exponent it is 2^n.
    let power = f32::from_bits((shifted.to_bits().wrapping_sub(ROUND.to_bits()).wrapping_add(127)) << 23);
    if underflow {
        0.0
    } else {
        p * power
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn exp_is_within_2e_7() {
        for i in -8700..8800 {
            let x = i as f32 / 100.0;
            let (got, want) = (super::vectorised(|| super::exp(x)) as f64, (x as f64).exp());
            assert!((got / want - 1.0).abs() < 2e-7, "exp({x}) = {got}, want {want}");
        }
        assert_eq!(super::exp(-1e30), 0.0);
        assert!(super::exp(f32::MAX).is_finite());
    }
}
