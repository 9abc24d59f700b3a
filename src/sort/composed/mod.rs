//! The same operations made of dfdx's own: for every device, and to test the fused ones against.
//!
//! Time and memory grow as n² a row (for a network, as n² a layer): prefer the functions of the same names in
//! [`crate::sort`] and [`crate::rank`], which choose by device.

mod network;
mod ways;

use dfdx::prelude::*;

use super::frame::{Framed, Order, Scale};
use super::row::Output;
use super::{Matrices, SoftSort, Way};
use crate::error::{check_finite, Error, Result};
use crate::{Dev, Matrix};

/// Reads `output` off every row of `x`: (rows, n) → (rows, numbers that come out).
pub(crate) fn evaluate<T: Tape<f32, Dev>>(
    name: &'static str,
    soft: &SoftSort,
    output: Output,
    x: Matrix<T>,
) -> Result<Matrix<T>> {
    soft.check(name, *x.shape())?;
    check_finite(name, &x.as_vec())?;
    let (x, mut tape) = x.split_tape();
    // A single value meets no comparator: its gradient is 0, but it is there.
    let input = x.clone();
    tape.add_backward_op(move |gradients| gradients.try_alloc_for(&input));
    let frame = Frame::new(&mut tape, &x, soft)?;
    let z = frame.values(&mut tape, &x)?;
    let out = match &soft.way {
        Way::Network(way) => network::evaluate(&mut tape, way, output, z)?,
        Way::Permutahedron(way) => ways::permutahedron(&mut tape, way, output, z)?,
        Way::Unimodal(way) => ways::unimodal(&mut tape, way, output, z)?,
        Way::Sinkhorn(way) => ways::sinkhorn(&mut tape, way, output, z)?,
        Way::Pairwise(way) => ways::pairwise(&mut tape, way, output, z)?,
        Way::Perturbed(way) => ways::perturbed(&mut tape, way, output, z)?,
    };
    let out = if output == Output::Values { frame.restore(&mut tape, out)? } else { out };
    Ok(out.put_tape(tape))
}

/// Units below count as no differences: 1/unit has to stay far from overflow.
const SMALLEST_UNIT: f64 = 1e-30;

/// Centre and unit of every row, as matrices like the values; none where nothing is taken off.
struct Frame {
    sign: f32,
    units: Option<(Matrix, Matrix)>,
}

impl Frame {
    fn new<T: Tape<f32, Dev>>(tape: &mut T, x: &Matrix, soft: &SoftSort) -> Result<Self> {
        let sign = if soft.order == Order::Descending { -1.0 } else { 1.0 };
        if soft.scale == Scale::Raw {
            return Ok(Self { sign, units: None });
        }
        let shape = *x.shape();
        let (rows, n) = shape;
        let host = x.as_vec();
        let (mut tied, mut span, mut shrink) = (vec![0.0; rows], vec![0.0; rows * n], Vec::new());
        for (row, values) in host.chunks_exact(n).enumerate() {
            let wide: Vec<f64> = values.iter().map(|&v| f64::from(v)).collect();
            let (low, high) = super::frame::ends(&wide);
            let unit = Framed::new(&wide, soft.order, soft.scale).unit();
            // Without differences that 1/unit can measure in f32 the unit is 1.
            let is_tied = unit < SMALLEST_UNIT;
            tied[row] = f32::from(u8::from(is_tied));
            shrink.extend(vec![if is_tied { 0.0 } else { (1.0 / unit) as f32 }; n]);
            if !is_tied {
                span[row * n + high] = 1.0 / (n - 1) as f32;
                span[row * n + low] = -1.0 / (n - 1) as f32;
            }
        }
        let device = x.device();
        let tied = device.try_tensor_from_vec(tied, (rows,))?;
        let mean = record(tape, x, |x| x.try_mean::<(usize,), Axis<1>>())?;
        let center = record(tape, &mean, |m| m.try_broadcast_like::<_, Axis<1>>(&shape))?;
        let unit = match soft.scale {
            Scale::Deviation => {
                // A factor of the unit's own size: squares of the largest floats would overflow.
                let shrink = device.try_tensor_from_vec(shrink, shape)?;
                let centred = record(tape, x, |x| x.try_sub(center.clone()))?;
                let small = record(tape, &centred, |c| c.try_mul(shrink.clone()))?;
                let squares = record(tape, &small, |c| c.try_square()?.try_mean::<(usize,), Axis<1>>())?;
                let unit = record(tape, &squares, |s| s.try_add(tied.clone())?.try_sqrt())?;
                let factor = shrink.try_mean::<(usize,), Axis<1>>()?.try_add(tied)?;
                record(tape, &unit, |u| u.try_div(factor))?
            }
            _ => {
                let span = device.try_tensor_from_vec(span, shape)?;
                let spacing = record(tape, x, |x| x.try_mul(span)?.try_sum::<(usize,), Axis<1>>())?;
                record(tape, &spacing, |s| s.try_add(tied))?
            }
        };
        let unit = record(tape, &unit, |u| u.try_broadcast_like::<_, Axis<1>>(&shape))?;
        Ok(Self { sign, units: Some((center, unit)) })
    }

    fn values<T: Tape<f32, Dev>>(&self, tape: &mut T, x: &Matrix) -> Result<Matrix> {
        let framed = match &self.units {
            None => x.clone(),
            Some((center, unit)) => {
                let centred = record(tape, x, |x| x.try_sub(center.clone()))?;
                record(tape, &centred, |c| c.try_div(unit.clone()))?
            }
        };
        record(tape, &framed, |z| z.try_mul(self.sign))
    }

    fn restore<T: Tape<f32, Dev>>(&self, tape: &mut T, sorted: Matrix) -> Result<Matrix> {
        let turned = record(tape, &sorted, |s| s.try_mul(self.sign))?;
        let Some((center, unit)) = &self.units else { return Ok(turned) };
        let scaled = record(tape, &turned, |s| s.try_mul(unit.clone()))?;
        record(tape, &scaled, |s| s.try_add(center.clone()))
    }
}

/// [`crate::sort::soft_sort`] made of dfdx operations.
///
/// # Shapes
/// (rows, n) → (rows, n).
///
/// # Errors
/// As [`crate::sort::soft_sort`].
///
/// # Example
/// ```
/// use dfdx::prelude::*;
/// use reloss::sort::{composed, Relaxation, SortingNetwork};
/// let x = reloss::Dev::default().tensor_from_vec(vec![3.0, 2.0], (1, 2));
/// let soft = SortingNetwork { relaxation: Relaxation::Reciprocal, steepness: 2.0, ..SortingNetwork::default() };
/// assert_eq!(composed::soft_sort(x, &soft.into())?.as_vec(), [2.25, 2.75]);
/// # Ok::<(), reloss::Error>(())
/// ```
pub fn soft_sort<T: Tape<f32, Dev>>(x: Matrix<T>, soft: &SoftSort) -> Result<Matrix<T>> {
    evaluate("soft_sort", soft, Output::Values, x)
}

/// [`crate::rank::soft_rank`] made of dfdx operations.
///
/// # Shapes
/// (rows, n) → (rows, n).
///
/// # Errors
/// As [`crate::rank::soft_rank`].
///
/// # Example
/// ```
/// use dfdx::prelude::*;
/// use reloss::sort::{composed, Relaxation, SortingNetwork};
/// let x = reloss::Dev::default().tensor_from_vec(vec![3.0, 2.0], (1, 2));
/// let soft = SortingNetwork { relaxation: Relaxation::Reciprocal, steepness: 2.0, ..SortingNetwork::default() };
/// assert_eq!(composed::soft_rank(x, &soft.into())?.as_vec(), [1.75, 1.25]);
/// # Ok::<(), reloss::Error>(())
/// ```
pub fn soft_rank<T: Tape<f32, Dev>>(x: Matrix<T>, soft: &SoftSort) -> Result<Matrix<T>> {
    evaluate("soft_rank", soft, Output::Ranks, x)
}

/// [`crate::sort::soft_permutation`] made of dfdx operations.
///
/// # Shapes
/// (rows, n) → (rows, n, n), row = input, column = place.
///
/// # Errors
/// As [`crate::sort::soft_permutation`].
///
/// # Example
/// ```
/// use dfdx::prelude::*;
/// use reloss::sort::{composed, Relaxation, SortingNetwork};
/// let x = reloss::Dev::default().tensor_from_vec(vec![3.0, 2.0], (1, 2));
/// let soft = SortingNetwork { relaxation: Relaxation::Reciprocal, steepness: 2.0, ..SortingNetwork::default() };
/// assert_eq!(composed::soft_permutation(x, &soft.into())?.as_vec(), [0.25, 0.75, 0.75, 0.25]);
/// # Ok::<(), reloss::Error>(())
/// ```
pub fn soft_permutation<T: Tape<f32, Dev>>(x: Matrix<T>, soft: &SoftSort) -> Result<Matrices<T>> {
    let (rows, n) = *x.shape();
    Ok(evaluate("soft_permutation", soft, Output::Permutation, x)?.try_reshape_like(&(rows, n, n))?)
}

/// [`crate::sort::soft_argsort`] made of dfdx operations.
///
/// # Shapes
/// (rows, n) → (rows, n).
///
/// # Errors
/// As [`crate::sort::soft_argsort`].
///
/// # Example
/// ```
/// use dfdx::prelude::*;
/// use reloss::sort::{composed, Relaxation, SortingNetwork};
/// let x = reloss::Dev::default().tensor_from_vec(vec![3.0, 2.0], (1, 2));
/// let soft = SortingNetwork { relaxation: Relaxation::Reciprocal, steepness: 2.0, ..SortingNetwork::default() };
/// assert_eq!(composed::soft_argsort(x, &soft.into())?.as_vec(), [0.75, 0.25]);
/// # Ok::<(), reloss::Error>(())
/// ```
pub fn soft_argsort<T: Tape<f32, Dev>>(x: Matrix<T>, soft: &SoftSort) -> Result<Matrix<T>> {
    evaluate("soft_argsort", soft, Output::Indices, x)
}

/// [`crate::sort::soft_top_k`] made of dfdx operations.
///
/// # Shapes
/// (rows, n) → (rows, n).
///
/// # Errors
/// As [`crate::sort::soft_top_k`].
///
/// # Example
/// ```
/// use dfdx::prelude::*;
/// use reloss::sort::{composed, Relaxation, SortingNetwork};
/// let x = reloss::Dev::default().tensor_from_vec(vec![3.0, 2.0], (1, 2));
/// let soft = SortingNetwork { relaxation: Relaxation::Reciprocal, steepness: 2.0, ..SortingNetwork::default() };
/// assert_eq!(composed::soft_top_k(x, 1, &soft.into())?.as_vec(), [0.75, 0.25]);
/// # Ok::<(), reloss::Error>(())
/// ```
pub fn soft_top_k<T: Tape<f32, Dev>>(x: Matrix<T>, k: usize, soft: &SoftSort) -> Result<Matrix<T>> {
    super::soft_sort::check_k(k, x.shape().1)?;
    evaluate("soft_top_k", soft, Output::Last(k), x)
}

type DeviceResult<T> = std::result::Result<T, <Dev as HasErr>::Err>;

/// Runs `op` on `x` with the one tape all operations share.
fn record<S: Shape, Q: Shape, T: Tape<f32, Dev>>(
    tape: &mut T,
    x: &Tensor<S, f32, Dev>,
    op: impl FnOnce(Tensor<S, f32, Dev, T>) -> DeviceResult<Tensor<Q, f32, Dev, T>>,
) -> Result<Tensor<Q, f32, Dev>> {
    let (out, used) = op(x.clone().put_tape(std::mem::take(tape))).map_err(Error::from)?.split_tape();
    *tape = used;
    Ok(out)
}
