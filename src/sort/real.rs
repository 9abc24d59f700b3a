//! The two number types of the kernels: `f32` with fast functions for tensors, `f64` with exact ones for checks.

use std::ops::{Add, Div, Mul, Neg, Sub};

use crate::ops::fast_math;

/// A float the kernels run on.
pub(crate) trait Real:
    Copy
    + Default
    + PartialOrd
    + Send
    + Sync
    + Into<f64>
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
    + 'static
{
    /// Differences are cut to ± this, so that products with them stay finite.
    const WIDEST: Self;
    /// Steepened differences are cut to ± this, so that their squares stay finite.
    const STEEPEST: Self;

    fn of(value: f64) -> Self;
    fn abs(self) -> Self;
    fn sqrt(self) -> Self;
    /// e to a power of at most 0.
    fn exp(self) -> Self;
    /// A positive number to a power.
    fn pow(self, power: Self) -> Self;
    fn atan(self) -> Self;
    /// Φ(x) and e^(-x²/2).
    fn normal(self) -> (Self, Self);

    #[inline(always)]
    fn within(self, bound: Self) -> Self {
        let below = if self > bound { bound } else { self };
        if below < -bound {
            -bound
        } else {
            below
        }
    }
}

impl Real for f32 {
    const WIDEST: Self = 1e30;
    const STEEPEST: Self = 1e18;

    #[inline(always)]
    fn of(value: f64) -> Self {
        value as f32
    }
    #[inline(always)]
    fn abs(self) -> Self {
        f32::abs(self)
    }
    #[inline(always)]
    fn sqrt(self) -> Self {
        f32::sqrt(self)
    }
    #[inline(always)]
    fn exp(self) -> Self {
        fast_math::exp(self)
    }
    #[inline(always)]
    fn pow(self, power: Self) -> Self {
        fast_math::exp(power * fast_math::ln(self))
    }
    #[inline(always)]
    fn atan(self) -> Self {
        fast_math::atan(self)
    }
    #[inline(always)]
    fn normal(self) -> (Self, Self) {
        fast_math::normal_cdf(self)
    }
}

impl Real for f64 {
    const WIDEST: Self = 1e300;
    const STEEPEST: Self = 1e150;

    #[inline(always)]
    fn of(value: f64) -> Self {
        value
    }
    #[inline(always)]
    fn abs(self) -> Self {
        f64::abs(self)
    }
    #[inline(always)]
    fn sqrt(self) -> Self {
        f64::sqrt(self)
    }
    #[inline(always)]
    fn exp(self) -> Self {
        f64::exp(self)
    }
    #[inline(always)]
    fn pow(self, power: Self) -> Self {
        f64::powf(self, power)
    }
    #[inline(always)]
    fn atan(self) -> Self {
        f64::atan(self)
    }
    #[inline(always)]
    fn normal(self) -> (Self, Self) {
        (normal_cdf_exact(self), (-0.5 * self * self).exp())
    }
}

/// Φ(x) to 1e-15.
pub(crate) fn normal_cdf_exact(x: f64) -> f64 {
    let size = x.abs();
    let bell = (-0.5 * size * size).exp() / (2.0 * std::f64::consts::PI).sqrt();
    let tail = if size < 4.0 {
        // Φ(x) = ½ + φ(x)·(x + x³/3 + x⁵/(3·5) + …): every term positive, so nothing cancels but the last step.
        let (mut term, mut sum, mut odd) = (size, size, 1.0);
        while term > 1e-17 * sum {
            odd += 2.0;
            term *= size * size / odd;
            sum += term;
        }
        0.5 - bell * sum
    } else {
        // 1 - Φ(x) = φ(x)/(x + 1/(x + 2/(x + 3/…))), from the inside out.
        bell / (1..=60).rev().fold(size, |fraction, k| size + f64::from(k) / fraction)
    };
    if x > 0.0 {
        1.0 - tail
    } else {
        tail
    }
}

#[cfg(test)]
mod tests {
    use super::normal_cdf_exact;

    #[test]
    fn exact_normal_distribution_matches_tabulated_values() {
        // Abramowitz and Stegun, table 26.1.
        for (x, want) in [(0.0, 0.5), (1.0, 0.841344746068543), (2.0, 0.977249868051821)] {
            assert!((normal_cdf_exact(x) - want).abs() < 2e-15, "{x}");
            assert!((normal_cdf_exact(-x) - (1.0 - want)).abs() < 2e-15, "{x}");
        }
        assert!((normal_cdf_exact(-5.0) / 2.866515718791939e-7 - 1.0).abs() < 1e-12);
        assert!((normal_cdf_exact(3.999999999) - normal_cdf_exact(4.0)).abs() < 1e-12);
        assert_eq!((normal_cdf_exact(-1e9), normal_cdf_exact(1e9)), (0.0, 1.0));
    }
}
