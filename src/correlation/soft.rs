//! Correlations with soft ranks, as losses.

use dfdx::prelude::{HasShape, Tape, TryMul};

use super::{centred, constant, direction, mean, norm, too_few};
use crate::error::{check_finite, Error, Result};
use crate::rank::{rank, Ties};
use crate::sort::{self, SoftSort, SortingNetwork};
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
    #[cfg(not(feature = "cuda"))]
    return fused::soft_spearman(x, target, soft);
    #[cfg(feature = "cuda")]
    return composed(x, target, soft.network()?);
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
/// use reloss::{correlation::soft_spearman_composed, sort::SortingNetwork};
/// let x = reloss::Dev::default().tensor_from_vec(vec![0.1, 0.4, 0.2, 0.3], (1, 4));
/// let rho = soft_spearman_composed(x, &[1.0, 2.0, 3.0, 4.0], &SortingNetwork::default())?;
/// assert!((rho.array() - 0.4).abs() < 0.05);
/// # Ok::<(), reloss::Error>(())
/// ```
pub fn soft_spearman_composed<T: Tape<f32, Dev>>(
    x: Matrix<T>,
    other: &[f64],
    soft: &SortingNetwork,
) -> Result<Scalar<T>> {
    let target = Target::new(*x.shape(), other, &(*soft).into())?;
    composed(x, target, soft)
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
    const NAME: &str = "soft_pearson";
    check_sides(NAME, *x.shape(), other)?;
    check_finite(NAME, other)?;
    let unit = direction(NAME, other)?;
    mean_and_spread(NAME, &x.as_vec())?;
    // A factor of its own size first: squares of the largest floats would overflow.
    let largest = x.as_vec().iter().fold(0.0_f32, |size, v| size.max(v.abs()));
    project(NAME, x.try_mul(1.0 / largest)?, &unit)
}

/// The cosine between the deviations of one row and a unit vector of deviations.
fn project<T: Tape<f32, Dev>>(name: &'static str, x: Matrix<T>, unit: &[f64]) -> Result<Scalar<T>> {
    use dfdx::prelude::*;
    let unit = x.device().try_tensor_from_vec(unit.iter().map(|&c| c as f32).collect(), *x.shape())?;
    let (r, norm) = deviations(x)?;
    let rho = r.try_mul(unit)?.try_sum::<(), _>()?.try_div(norm.try_reshape_like(&())?)?;
    if !rho.as_vec()[0].is_finite() {
        return Err(constant(name));
    }
    Ok(rho)
}

/// Refuses a tensor that is not one row as long as the other side, of two values or more.
fn check_sides(name: &'static str, shape: (usize, usize), other: &[f64]) -> Result<()> {
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
fn mean_and_spread(name: &'static str, values: &[f32]) -> Result<(f64, f64)> {
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

fn composed<T: Tape<f32, Dev>>(x: Matrix<T>, target: Target, soft: &SortingNetwork) -> Result<Scalar<T>> {
    use dfdx::prelude::*;
    let shape = *x.shape();
    mean_and_spread(SOFT_SPEARMAN, &x.as_vec())?;
    // A factor of its own size first: squares of the largest floats would overflow.
    let largest = x.as_vec().iter().fold(0.0_f32, |size, v| size.max(v.abs()));
    let (z, norm) = deviations(x.try_mul(1.0 / largest)?)?;
    let spread = norm.try_mul(1.0 / (shape.1 as f32).sqrt())?;
    let z = z.try_div(spread.try_broadcast_like::<_, Axis<1>>(&shape)?)?;
    project(SOFT_SPEARMAN, sort::composed::soft_rank(z, soft)?, &target.0)
}

type Deviations<T> = (Matrix<T>, dfdx::prelude::Tensor<(usize,), f32, Dev, T>);

/// x - mean and its length, for one row.
fn deviations<T: Tape<f32, Dev>>(x: Matrix<T>) -> Result<Deviations<T>> {
    use dfdx::prelude::*;
    let shape = *x.shape();
    let (x, tape) = x.split_tape();
    let mean = x.clone().put_tape(tape).try_mean::<(usize,), Axis<1>>()?;
    let centred = x.retaped::<T>().try_sub(mean.try_broadcast_like::<_, Axis<1>>(&shape)?)?;
    let (centred, tape) = centred.split_tape();
    let norm = centred.clone().put_tape(tape).try_square()?.try_sum::<(usize,), Axis<1>>()?.try_sqrt()?;
    Ok((centred.put_tape(T::default()), norm))
}

#[cfg(not(feature = "cuda"))]
mod fused {
    use super::super::{dot, gradient};
    use super::*;
    use crate::sort::{ListOp, NetworkOp, Output, RowOp};

    pub(super) fn soft_spearman<T: Tape<f32, Dev>>(
        x: Matrix<T>,
        target: Target,
        soft: &SoftSort,
    ) -> Result<Scalar<T>> {
        let n = target.0.len();
        match soft {
            SoftSort::Network(network) => {
                let ranks = NetworkOp::new(network, Output::Ranks, n);
                sort::apply(SOFT_SPEARMAN, SoftSpearman { ranks, target }, x, ())
            }
            other => {
                let ranks = ListOp::new(other, Output::Ranks, n);
                sort::apply(SOFT_SPEARMAN, SoftSpearman { ranks, target }, x, ())
            }
        }
    }

    struct SoftSpearman<Op> {
        ranks: Op,
        target: Target,
    }

    struct Trace<Ranks> {
        ranks: Ranks,
        standardised: Vec<f32>,
        spread: f64,
        /// dρ/d(soft ranks).
        on_ranks: Vec<f64>,
    }

    impl<Op: RowOp> RowOp for SoftSpearman<Op> {
        type Trace = Trace<Op::Trace>;

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
            // z = (x - mean)/spread: dx = (dz - mean(dz) - z·mean(z·dz))/spread.
            let on_z: Vec<f64> = gradient.iter().map(|&g| f64::from(g)).collect();
            let z: Vec<f64> = standardised.iter().map(|&z| f64::from(z)).collect();
            let (mean, along) = (mean(&on_z), dot(&z, &on_z) / z.len() as f64);
            let scale = f64::from(cotangent[0]) / spread;
            for ((g, on_z), z) in gradient.iter_mut().zip(on_z).zip(z) {
                *g = ((on_z - mean - z * along) * scale) as f32;
            }
        }
    }
}
