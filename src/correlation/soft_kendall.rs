//! Kendall's correlation with soft signs, as a loss.

use dfdx::prelude::{HasShape, Tape};

use super::constant;
use super::soft::{check_sides, counted, standardised};
use crate::error::{check_finite, Error, Result};
use crate::{Dev, Matrix, Scalar};

const NAME: &str = "soft_kendall";

/// Kendall's τ with soft signs on one side, differentiable with respect to it.
///
/// `x` is standardised (mean 0, standard deviation 1 with divisor n); then
/// τ = Σ_{i<j} tanh((x_i − x_j)/T)·sign(o_i − o_j) / √(N·N_o), with N pairs, N_o of them untied in `other`. As T
/// falls to 0 it becomes τ-b, where `x` has no ties. O(n²): every pair, by wide vectors and threads.
///
/// # Shapes
/// (1, n) and n values → a scalar in \[-1, 1\]; `temperature` is T, in standard deviations of `x`.
///
/// # Errors
/// [`Error::Shape`] unless `x` has one row and the length of `other`, [`Error::NotFinite`] for NaN or infinite
/// values, [`Error::Undefined`] for fewer than two values or a constant side, [`Error::Parameter`] for a temperature
/// that is not in \[1e-6, 1e6\].
///
/// # Example
/// ```
/// use dfdx::prelude::*;
/// use reloss::correlation::{kendall_tau_b, soft_kendall};
/// let (x, other) = ([0.1, 0.4, 0.2, 0.3], [1.0, 2.0, 3.0, 4.0]);
/// let row = reloss::Dev::default().tensor_from_vec(x.map(|v| v as f32).to_vec(), (1, 4));
/// let tau = soft_kendall(row.leaky_trace(), &other, 0.01)?;
/// assert!((f64::from(tau.array()) - kendall_tau_b(&x, &other)?).abs() < 1e-6);
/// // Softer, the second value is seen to stand too high.
/// let gradient = soft_kendall(row.leaky_trace(), &other, 1.0)?.backward().get(&row).as_vec();
/// assert!(gradient[1] < 0.0);
/// # Ok::<(), reloss::Error>(())
/// ```
///
/// # Reference
/// Kendall 1938 for τ; the sign as a limit of tanh: Huang et al., 2022, "Relational surrogate loss learning", name
/// Kendall's τ as the alternative to Spearman's; standardising and the tie rule are ours.
pub fn soft_kendall<T: Tape<f32, Dev>>(x: Matrix<T>, other: &[f64], temperature: f64) -> Result<Scalar<T>> {
    check_sides(NAME, *x.shape(), other)?;
    kendall(x, other, &vec![1.0; other.len()], temperature)
}

/// [`soft_kendall`] where each pair of observations counts by the product of their weights.
///
/// Weights of 0 leave observations out, also where `x` is standardised: masks for ragged rows.
///
/// # Shapes
/// (1, n), n values and n weights → a scalar in \[-1, 1\].
///
/// # Errors
/// As [`soft_kendall`] of what counts; also [`Error::Parameter`] for a negative weight or weights that are all 0.
///
/// # Example
/// ```
/// use reloss::{correlation::soft_kendall_weighted, ops::{matrix, scalar}};
/// // Only the first and the last count.
/// let x = matrix(vec![1.0, 2.0, 3.0], 1, 3)?;
/// let tau = soft_kendall_weighted(x, &[5.0, 9.0, 4.0], &[1.0, 0.0, 1.0], 0.01)?;
/// assert_eq!(scalar(&tau), -1.0);
/// # Ok::<(), reloss::Error>(())
/// ```
pub fn soft_kendall_weighted<T: Tape<f32, Dev>>(
    x: Matrix<T>,
    other: &[f64],
    weights: &[f64],
    temperature: f64,
) -> Result<Scalar<T>> {
    let (x, other, weights) = counted(NAME, x, other, weights)?;
    kendall(x, &other, &weights, temperature)
}

fn kendall<T: Tape<f32, Dev>>(
    x: Matrix<T>,
    other: &[f64],
    weights: &[f64],
    temperature: f64,
) -> Result<Scalar<T>> {
    let signs = Signs::new(other, weights, temperature)?;
    #[cfg(not(feature = "composed"))]
    return fused::kendall(x, signs);
    #[cfg(feature = "composed")]
    return composed(x, signs);
}

/// [`soft_kendall`] made of dfdx operations, for every device.
///
/// # Shapes
/// As [`soft_kendall`].
///
/// # Errors
/// As [`soft_kendall`].
///
/// # Example
/// ```
/// use reloss::{correlation::soft_kendall_composed, ops::{matrix, scalar}};
/// let tau = soft_kendall_composed(matrix(vec![1.0, 2.0, 3.0], 1, 3)?, &[1.0, 5.0, 7.0], 0.01)?;
/// assert!((scalar(&tau) - 1.0).abs() < 1e-6);
/// # Ok::<(), reloss::Error>(())
/// ```
pub fn soft_kendall_composed<T: Tape<f32, Dev>>(
    x: Matrix<T>,
    other: &[f64],
    temperature: f64,
) -> Result<Scalar<T>> {
    check_sides(NAME, *x.shape(), other)?;
    composed(x, Signs::new(other, &vec![1.0; other.len()], temperature)?)
}

/// The fixed side.
struct Signs {
    /// Its values by rank, so that differences in f32 keep their sign.
    ranks: Vec<f32>,
    /// Scaled so that what the pairs can reach is 1.
    weights: Vec<f32>,
    temperature: f32,
}

impl Signs {
    fn new(other: &[f64], weights: &[f64], temperature: f64) -> Result<Self> {
        check_finite(NAME, other)?;
        if !(1e-6..=1e6).contains(&temperature) {
            return Err(Error::parameter("temperature", format!("{temperature} is not in [1e-6, 1e6]")));
        }
        let ranks = crate::rank::rank(other, crate::rank::Ties::Dense)?;
        // Σ_{i<j} w_i·w_j = ((Σ w)² − Σ w²)/2, of all observations less those within each group of ties.
        let largest = weights.iter().fold(0.0_f64, |largest, &w| largest.max(w));
        let weights: Vec<f64> = weights.iter().map(|w| w / largest).collect();
        let groups = ranks.iter().fold(0.0_f64, |largest, &rank| largest.max(rank)) as usize;
        let mut sums = vec![0.0; groups];
        ranks.iter().zip(&weights).for_each(|(rank, w)| sums[*rank as usize - 1] += w);
        let total: f64 = weights.iter().sum();
        let pairs = 0.5 * (total * total - weights.iter().map(|w| w * w).sum::<f64>());
        let untied = 0.5 * (total * total - sums.iter().map(|s| s * s).sum::<f64>());
        if groups < 2 {
            return Err(constant(NAME));
        }
        // Products of two weights appear: each takes the square root of the norm √(pairs·untied).
        let scale = 1.0 / (pairs * untied).sqrt().sqrt();
        let weights = weights.iter().map(|w| (w * scale) as f32).collect();
        Ok(Self {
            ranks: ranks.iter().map(|&r| r as f32).collect(),
            weights,
            temperature: temperature as f32,
        })
    }
}

fn composed<T: Tape<f32, Dev>>(x: Matrix<T>, signs: Signs) -> Result<Scalar<T>> {
    use dfdx::prelude::*;
    let n = x.shape().1;
    let factors = (0..n * n).map(|k| {
        let (i, j) = (k / n, k % n);
        let sign = signs.ranks[i].total_cmp(&signs.ranks[j]) as i8;
        0.5 * f32::from(sign) * signs.weights[i] * signs.weights[j]
    });
    let factors = x.device().try_tensor_from_vec(factors.collect(), (n, n))?;
    let z = standardised(NAME, x)?.try_mul(1.0 / signs.temperature)?.try_reshape_like(&(n,))?;
    let (z, tape) = z.split_tape();
    let across = z.clone().put_tape(tape).try_broadcast_like::<_, Axis<1>>(&(n, n))?;
    // A broadcast tensor counts as the same one, and dfdx refuses operations of a tensor with itself.
    let down = z.retaped::<T>().try_add(0.0)?.try_broadcast_like::<_, Axis<0>>(&(n, n))?;
    Ok(across.try_sub(down)?.try_tanh()?.try_mul(factors)?.try_sum::<(), _>()?)
}

#[cfg(not(feature = "composed"))]
mod fused {
    use super::super::soft::{mean_and_spread, unstandardise};
    use super::*;
    use crate::sort::{self, logistic, pair_sums, RowOp};

    pub(super) fn kendall<T: Tape<f32, Dev>>(x: Matrix<T>, signs: Signs) -> Result<Scalar<T>> {
        sort::apply(NAME, SoftKendall(signs), x, ())
    }

    struct SoftKendall(Signs);

    struct Trace {
        standardised: Vec<f32>,
        spread: f64,
    }

    /// −1, 0 or 1 by the order of two ranks, without a branch.
    #[inline(always)]
    fn sign(a: f32, b: f32) -> f32 {
        (a - b).clamp(-1.0, 1.0)
    }

    impl SoftKendall {
        /// Σ_j sign·f(difference/T)·w_i·w_j for every i.
        fn sums(&self, z: &[f32], f: impl Fn(f32) -> f32 + Copy + Sync) -> Vec<f32> {
            let Signs { ranks, weights, temperature } = &self.0;
            let weighed: Vec<[f32; 2]> = ranks.iter().zip(weights).map(|(&r, &w)| [r, w]).collect();
            let mut sums = vec![0.0; z.len()];
            pair_sums(z, &weighed, &mut sums, |d, a, b| sign(a[0], b[0]) * b[1] * f(d / *temperature));
            sums.iter_mut().zip(weights).for_each(|(sum, w)| *sum *= w);
            sums
        }
    }

    impl RowOp for SoftKendall {
        type Trace = Trace;

        fn work(&self) -> usize {
            self.0.ranks.len().pow(2) / 4
        }

        fn forward(&self, row: &[f32], out: &mut [f32], _: bool) -> Result<Self::Trace> {
            let (mean, spread) = mean_and_spread(NAME, row)?;
            let standardised: Vec<f32> =
                row.iter().map(|&v| ((f64::from(v) - mean) / spread) as f32).collect();
            // tanh u = 2σ(2u) − 1; every pair is met twice.
            let sums = self.sums(&standardised, |u| 2.0 * logistic(2.0 * u).0 - 1.0);
            let tau = 0.5 * sums.iter().map(|&s| f64::from(s)).sum::<f64>();
            out[0] = tau.clamp(-1.0, 1.0) as f32;
            Ok(Trace { standardised, spread })
        }

        fn backward(&self, trace: Self::Trace, cotangent: &[f32], gradient: &mut [f32]) {
            let Trace { standardised, spread } = trace;
            // The slope of tanh u is 4σ'(2u).
            let on_z = self.sums(&standardised, |u| 4.0 * logistic(2.0 * u).1);
            let on_z: Vec<f64> = on_z.iter().map(|&g| f64::from(g / self.0.temperature)).collect();
            let z: Vec<f64> = standardised.iter().map(|&z| f64::from(z)).collect();
            unstandardise(&z, &on_z, f64::from(cotangent[0]) / spread, gradient);
        }
    }
}
