//! Correlations with soft ranks, as losses.

use dfdx::prelude::{HasShape, Tape, TryMul};

use super::weighted::counting;
use super::{centred, constant, direction, mean, norm, scaled_around, too_few};
use crate::error::{check_finite, Error, Result};
use crate::rank::{rank, Ties};
use crate::sort::{self, SoftSort};
use crate::{Dev, Matrix, Scalar};

/// Spearman's correlation with soft ranks on one side, differentiable with respect to it.
///
/// `x` is standardised first (mean 0, standard deviation 1 with divisor n), so that the softness does not depend on
/// its scale; then its soft ranks are correlated (Pearson) with the average ranks of `other`. Ranks may be given
/// for `other`: the ranks of ranks are the same. Never NaN: what is undefined is an error.
///
/// # Shapes
/// (1, n) and n values → a scalar in \[-1, 1\].
///
/// # Errors
/// [`Error::Shape`] unless `x` has one row and the length of `other`, [`Error::NotFinite`] for NaN or infinite
/// values, [`Error::Undefined`] for fewer than two values, for a constant side (also: an `x` whose spread is below
/// the smallest normal `f32`, or whose soft ranks are all equal), [`Error::Parameter`] for bad options.
///
/// # Example
/// ```
/// use dfdx::prelude::*;
/// use reloss::{correlation::soft_spearman, sort::SoftSort};
/// let x = reloss::Dev::default().tensor_from_vec(vec![0.1, 0.4, 0.2, 0.3], (1, 4));
/// let rho = soft_spearman(x.leaky_trace(), &[1.0, 2.0, 3.0, 4.0], &SoftSort::default())?;
/// assert!((rho.array() - 0.4).abs() < 0.05);
/// let gradient = rho.backward().get(&x).as_vec();
/// // The second value stands too high.
/// assert!(gradient[1] < 0.0);
/// # Ok::<(), reloss::Error>(())
/// ```
///
/// # Reference
/// Huang et al., "Relational surrogate loss learning", ICLR 2022, section 4; standardising and tie-aware ranks are
/// ours (the released code ranks unscaled losses and breaks ties by index).
pub fn soft_spearman<T: Tape<f32, Dev>>(x: Matrix<T>, other: &[f64], soft: &SoftSort) -> Result<Scalar<T>> {
    let target = Target::new(*x.shape(), other, soft)?;
    #[cfg(not(feature = "composed"))]
    return fused::soft_spearman(x, target, soft);
    #[cfg(feature = "composed")]
    return composed(x, target, soft);
}

/// [`soft_spearman`] made of dfdx operations, for every device.
///
/// # Shapes
/// As [`soft_spearman`].
///
/// # Errors
/// As [`soft_spearman`].
///
/// # Example
/// ```
/// use dfdx::prelude::*;
/// use reloss::{correlation::soft_spearman_composed, sort::SoftSort};
/// let x = reloss::Dev::default().tensor_from_vec(vec![0.1, 0.4, 0.2, 0.3], (1, 4));
/// let rho = soft_spearman_composed(x, &[1.0, 2.0, 3.0, 4.0], &SoftSort::default())?;
/// assert!((rho.array() - 0.4).abs() < 0.05);
/// # Ok::<(), reloss::Error>(())
/// ```
pub fn soft_spearman_composed<T: Tape<f32, Dev>>(
    x: Matrix<T>,
    other: &[f64],
    soft: &SoftSort,
) -> Result<Scalar<T>> {
    let target = Target::new(*x.shape(), other, soft)?;
    composed(x, target, soft)
}

/// [`soft_spearman`] of the values that count.
///
/// # Shapes
/// (1, n), n values and n flags → a scalar in \[-1, 1\].
///
/// # Errors
/// As [`soft_spearman`] of what is left; [`Error::Shape`] for a mask of another length.
///
/// # Example
/// ```
/// use reloss::correlation::{soft_spearman, soft_spearman_masked};
/// use reloss::{ops::{matrix, scalar}, sort::SoftSort};
/// let (padded, mask) = (matrix(vec![0.1, 0.4, 0.2, 0.0], 1, 4)?, [true, true, true, false]);
/// let rho = soft_spearman_masked(padded, &[1.0, 2.0, 3.0, 0.0], &mask, &SoftSort::default())?;
/// let short = soft_spearman(matrix(vec![0.1, 0.4, 0.2], 1, 3)?, &[1.0, 2.0, 3.0], &SoftSort::default())?;
/// assert_eq!(scalar(&rho), scalar(&short));
/// # Ok::<(), reloss::Error>(())
/// ```
pub fn soft_spearman_masked<T: Tape<f32, Dev>>(
    x: Matrix<T>,
    other: &[f64],
    mask: &[bool],
    soft: &SoftSort,
) -> Result<Scalar<T>> {
    let counts: Vec<f64> = mask.iter().map(|&counts| f64::from(u8::from(counts))).collect();
    let (x, other, _) = counted(SOFT_SPEARMAN, x, other, &counts)?;
    soft_spearman(x, &other, soft)
}

/// Pearson's correlation of a tensor with fixed values, differentiable with respect to the tensor.
///
/// # Shapes
/// (1, n) and n values → a scalar in \[-1, 1\].
///
/// # Errors
/// [`Error::Shape`] unless `x` has one row and the length of `other`, [`Error::NotFinite`] for NaN or infinite
/// values, [`Error::Undefined`] for fewer than two values or a constant side.
///
/// # Example
/// ```
/// use reloss::{correlation::soft_pearson, ops::{matrix, scalar}};
/// let rho = soft_pearson(matrix(vec![1.0, 2.0, 3.0], 1, 3)?, &[2.0, 4.0, 7.0])?;
/// assert!((scalar(&rho) - 0.9933993).abs() < 1e-6);
/// # Ok::<(), reloss::Error>(())
/// ```
pub fn soft_pearson<T: Tape<f32, Dev>>(x: Matrix<T>, other: &[f64]) -> Result<Scalar<T>> {
    check_sides(SOFT_PEARSON, *x.shape(), other)?;
    pearson(SOFT_PEARSON, x, other, &vec![1.0; other.len()])
}

/// [`soft_pearson`] where each pair counts by its weight, 0 leaving it out.
///
/// # Shapes
/// (1, n), n values and n weights → a scalar in \[-1, 1\].
///
/// # Errors
/// As [`soft_pearson`] of the pairs that count; also [`Error::Parameter`] for a negative weight or weights that are
/// all 0.
///
/// # Example
/// ```
/// use reloss::{correlation::{pearson_weighted, soft_pearson_weighted}, ops::{matrix, scalar}};
/// let (y, w) = ([2.0, 4.0, 7.0, 0.0], [1.0, 0.5, 2.0, 0.0]);
/// let rho = soft_pearson_weighted(matrix(vec![1.0, 2.0, 3.0, 9.0], 1, 4)?, &y, &w)?;
/// assert!((f64::from(scalar(&rho)) - pearson_weighted(&[1.0, 2.0, 3.0, 9.0], &y, &w)?).abs() < 1e-6);
/// # Ok::<(), reloss::Error>(())
/// ```
pub fn soft_pearson_weighted<T: Tape<f32, Dev>>(
    x: Matrix<T>,
    other: &[f64],
    weights: &[f64],
) -> Result<Scalar<T>> {
    let (x, other, weights) = counted(SOFT_PEARSON, x, other, weights)?;
    pearson(SOFT_PEARSON, x, &other, &weights)
}

const SOFT_PEARSON: &str = "soft_pearson";

fn pearson<T: Tape<f32, Dev>>(
    name: &'static str,
    x: Matrix<T>,
    other: &[f64],
    weights: &[f64],
) -> Result<Scalar<T>> {
    check_finite(name, other)?;
    let unit = weighted_direction(name, other, weights)?;
    mean_and_spread(name, &x.as_vec())?;
    project(name, shrunk(x)?, &unit, weights)
}

/// Deviations y from the weighted mean, scaled to Σ w·y² = 1.
fn weighted_direction(name: &'static str, other: &[f64], weights: &[f64]) -> Result<Vec<f64>> {
    let total: f64 = weights.iter().sum();
    let mean = |v: &[f64]| -> f64 { v.iter().zip(weights).map(|(v, w)| v * (w / total)).sum() };
    let scaled = scaled_around(name, other, mean)?;
    let norm = scaled.iter().zip(weights).map(|(v, w)| w * v * v).sum::<f64>().sqrt();
    Ok(scaled.iter().map(|v| v / norm).collect())
}

/// Times a factor of its own size: squares of the largest floats would overflow.
pub(super) fn shrunk<T: Tape<f32, Dev>>(x: Matrix<T>) -> Result<Matrix<T>> {
    let largest = x.as_vec().iter().fold(0.0_f32, |size, v| size.max(v.abs()));
    Ok(x.try_mul(1.0 / largest)?)
}

/// The pairs with positive weights.
pub(super) fn counted<T: Tape<f32, Dev>>(
    name: &'static str,
    x: Matrix<T>,
    other: &[f64],
    weights: &[f64],
) -> Result<(Matrix<T>, Vec<f64>, Vec<f64>)> {
    use dfdx::prelude::*;
    check_sides(name, *x.shape(), other)?;
    let kept = counting(name, other.len(), weights)?;
    let of = |values: &[f64]| kept.iter().map(|&i| values[i]).collect::<Vec<_>>();
    let (other, weights) = (of(other), of(weights));
    if kept.len() < 2 {
        return Err(too_few(name, kept.len()));
    }
    let shape = (1, kept.len());
    let kept: Tensor<(usize, usize), usize, Dev> = x.device().try_tensor_from_vec(kept, shape)?;
    Ok((x.try_gather(kept)?, other, weights))
}

/// The cosine between the deviations of one row and a unit vector of deviations, in the weights' metric.
fn project<T: Tape<f32, Dev>>(
    name: &'static str,
    x: Matrix<T>,
    unit: &[f64],
    weights: &[f64],
) -> Result<Scalar<T>> {
    use dfdx::prelude::*;
    let weighed = unit.iter().zip(weights).map(|(u, w)| (u * w) as f32).collect();
    let unit = x.device().try_tensor_from_vec(weighed, *x.shape())?;
    let (r, norm) = deviations(x, weights)?;
    let rho = r.try_mul(unit)?.try_sum::<(), _>()?.try_div(norm.try_reshape_like(&())?)?;
    if !rho.as_vec()[0].is_finite() {
        return Err(constant(name));
    }
    Ok(rho)
}

/// Refuses a tensor that is not one row as long as the other side, of two values or more.
pub(super) fn check_sides(name: &'static str, shape: (usize, usize), other: &[f64]) -> Result<()> {
    if shape.0 != 1 || shape.1 != other.len() {
        let expected = format!("one row and one value of the other side for each column, (1, {})", shape.1);
        return Err(Error::shape(name, expected, format!("{shape:?} and {}", other.len())));
    }
    if shape.1 < 2 {
        return Err(too_few(name, shape.1));
    }
    Ok(())
}

const SOFT_SPEARMAN: &str = "soft_spearman";

/// The fixed side: its centred average ranks, scaled to length 1.
struct Target(Vec<f64>);

impl Target {
    fn new(shape: (usize, usize), other: &[f64], soft: &SoftSort) -> Result<Self> {
        check_sides(SOFT_SPEARMAN, shape, other)?;
        soft.check(SOFT_SPEARMAN, shape)?;
        Ok(Self(direction(SOFT_SPEARMAN, &rank(other, Ties::Average)?)?))
    }
}

/// Mean and standard deviation (divisor n) of values about to be standardised.
pub(super) fn mean_and_spread(name: &'static str, values: &[f32]) -> Result<(f64, f64)> {
    check_finite(name, values)?;
    let wide: Vec<f64> = values.iter().map(|&v| f64::from(v)).collect();
    let mean = mean(&wide);
    let spread = norm(&centred(&wide)) / (wide.len() as f64).sqrt();
    // Below, 1/spread would overflow in the gradient.
    if spread < f64::from(f32::MIN_POSITIVE) {
        return Err(constant(name));
    }
    Ok((mean, spread))
}

fn composed<T: Tape<f32, Dev>>(x: Matrix<T>, target: Target, soft: &SoftSort) -> Result<Scalar<T>> {
    let z = standardised(SOFT_SPEARMAN, x)?;
    let ranks = sort::composed::evaluate(SOFT_SPEARMAN, soft, sort::Output::Ranks, z)?;
    project(SOFT_SPEARMAN, ranks, &target.0, &vec![1.0; target.0.len()])
}

/// One row with mean 0 and standard deviation 1 (divisor n), by dfdx operations.
pub(super) fn standardised<T: Tape<f32, Dev>>(name: &'static str, x: Matrix<T>) -> Result<Matrix<T>> {
    use dfdx::prelude::*;
    let shape = *x.shape();
    mean_and_spread(name, &x.as_vec())?;
    let (z, norm) = deviations(shrunk(x)?, &vec![1.0; shape.1])?;
    let spread = norm.try_mul(1.0 / (shape.1 as f32).sqrt())?;
    Ok(z.try_div(spread.try_broadcast_like::<_, Axis<1>>(&shape)?)?)
}

type Deviations<T> = (Matrix<T>, dfdx::prelude::Tensor<(usize,), f32, Dev, T>);

/// x − mean and its length, for one row, under weights.
fn deviations<T: Tape<f32, Dev>>(x: Matrix<T>, weights: &[f64]) -> Result<Deviations<T>> {
    use dfdx::prelude::*;
    let shape = *x.shape();
    let total: f64 = weights.iter().sum();
    let device = x.device().clone();
    let row = |factor: f64| {
        device.try_tensor_from_vec(weights.iter().map(|w| (w * factor) as f32).collect(), shape)
    };
    let (x, tape) = x.split_tape();
    let mean = x.clone().put_tape(tape).try_mul(row(1.0 / total)?)?.try_sum::<(usize,), Axis<1>>()?;
    let centred = x.retaped::<T>().try_sub(mean.try_broadcast_like::<_, Axis<1>>(&shape)?)?;
    let (centred, tape) = centred.split_tape();
    let squares = centred.clone().put_tape(tape).try_square()?.try_mul(row(1.0)?)?;
    Ok((centred.put_tape(T::default()), squares.try_sum::<(usize,), Axis<1>>()?.try_sqrt()?))
}

/// From the gradient with respect to standardised values z to that of the values; `scale` is cotangent/spread.
#[cfg(not(feature = "composed"))]
pub(super) fn unstandardise(z: &[f64], on_z: &[f64], scale: f64, gradient: &mut [f32]) {
    // z = (x - mean)/spread: dx = (dz - mean(dz) - z·mean(z·dz))/spread.
    let (mean, along) = (mean(on_z), super::dot(z, on_z) / z.len() as f64);
    for ((g, on_z), z) in gradient.iter_mut().zip(on_z).zip(z) {
        *g = ((on_z - mean - z * along) * scale) as f32;
    }
}

#[cfg(not(feature = "composed"))]
mod fused {
    use super::super::{dot, gradient};
    use super::*;
    use crate::sort::{Output, RowOp, SoftOp, SoftTrace};

    pub(super) fn soft_spearman<T: Tape<f32, Dev>>(
        x: Matrix<T>,
        target: Target,
        soft: &SoftSort,
    ) -> Result<Scalar<T>> {
        let ranks = SoftOp::new(soft, Output::Ranks, target.0.len())?;
        sort::apply(SOFT_SPEARMAN, SoftSpearman { ranks, target }, x, ())
    }

    struct SoftSpearman {
        ranks: SoftOp,
        target: Target,
    }

    struct Trace {
        ranks: SoftTrace,
        standardised: Vec<f32>,
        spread: f64,
        /// dρ/d(soft ranks).
        on_ranks: Vec<f64>,
    }

    impl RowOp for SoftSpearman {
        type Trace = Trace;

        fn work(&self) -> usize {
            self.ranks.work()
        }

        fn forward(&self, row: &[f32], out: &mut [f32], with_gradient: bool) -> Result<Self::Trace> {
            let (mean, spread) = mean_and_spread(SOFT_SPEARMAN, row)?;
            let standardised: Vec<f32> =
                row.iter().map(|&v| ((f64::from(v) - mean) / spread) as f32).collect();
            let mut soft_ranks = vec![0.0; row.len()];
            let ranks = self.ranks.forward(&standardised, &mut soft_ranks, with_gradient)?;
            let centred = centred(&soft_ranks.iter().map(|&r| f64::from(r)).collect::<Vec<_>>());
            let norm = norm(&centred);
            if norm == 0.0 {
                return Err(constant(SOFT_SPEARMAN));
            }
            let towards: Vec<f64> = centred.iter().map(|c| c / norm).collect();
            out[0] = dot(&towards, &self.target.0).clamp(-1.0, 1.0) as f32;
            let on_ranks = gradient(&towards, &self.target.0, norm);
            Ok(Trace { ranks, standardised, spread, on_ranks })
        }

        fn backward(&self, trace: Self::Trace, cotangent: &[f32], gradient: &mut [f32]) {
            // The network's pass is linear in its cotangent: the factor from outside joins at the end, in f64.
            let Trace { ranks, standardised, spread, on_ranks } = trace;
            let on_ranks: Vec<f32> = on_ranks.iter().map(|&g| g as f32).collect();
            self.ranks.backward(ranks, &on_ranks, gradient);
            let on_z: Vec<f64> = gradient.iter().map(|&g| f64::from(g)).collect();
            let z: Vec<f64> = standardised.iter().map(|&z| f64::from(z)).collect();
            unstandardise(&z, &on_z, f64::from(cotangent[0]) / spread, gradient);
        }
    }
}
