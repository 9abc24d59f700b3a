//! The ways without a network. Orders and pools are found on the host: they are constant around any input.

use dfdx::prelude::*;

use super::record;
use crate::error::Result;
use crate::sort::checks::OnList;
use crate::sort::row::{indices, Output};
use crate::sort::{
    Matrices, Pairwise, Permutahedron, Perturbed, Regularization, Sinkhorn, Unimodal, Unimodality,
};
use crate::{Dev, Matrix};

type Indices = Tensor<(usize, usize), usize, Dev>;

/// \[row, i, j\] = x\[row, i\].
fn down<T: Tape<f32, Dev>>(tape: &mut T, x: &Matrix) -> Result<Matrices> {
    let (rows, n) = *x.shape();
    record(tape, x, |x| x.try_broadcast_like::<_, Axis<2>>(&(rows, n, n)))
}

/// \[row, i, j\] = x\[row, j\].
fn across<T: Tape<f32, Dev>>(tape: &mut T, x: &Matrix) -> Result<Matrices> {
    let (rows, n) = *x.shape();
    record(tape, x, |x| x.try_broadcast_like::<_, Axis<1>>(&(rows, n, n)))
}

/// \[row, i, j\] = a\[row, i\] − b\[row, j\].
fn differences<T: Tape<f32, Dev>>(tape: &mut T, a: &Matrix, b: &Matrix) -> Result<Matrices> {
    // A broadcast tensor counts as the same one, and dfdx refuses operations of a tensor with itself: b as another.
    let b = record(tape, b, |b| b.try_add(0.0))?;
    let (a, b) = (down(tape, a)?, across(tape, &b)?);
    record(tape, &a, |a| a.try_sub(b))
}

/// Σ_j products\[row, i, j\].
fn sum_across<T: Tape<f32, Dev>>(tape: &mut T, a: &Matrices, b: Matrices) -> Result<Matrix> {
    record(tape, a, |a| a.try_mul(b)?.try_sum::<(usize, usize), Axis<2>>())
}

/// Σ_i products\[row, i, j\].
fn sum_down<T: Tape<f32, Dev>>(tape: &mut T, a: &Matrices, b: Matrices) -> Result<Matrix> {
    record(tape, a, |a| a.try_mul(b)?.try_sum::<(usize, usize), Axis<1>>())
}

/// |·|, with slope 0 at 0.
fn size<T: Tape<f32, Dev>>(tape: &mut T, x: &Matrices) -> Result<Matrices> {
    let sign = |v: f32| if v == 0.0 { 0.0 } else { v.signum() };
    let signs = x.as_vec().into_iter().map(sign).collect();
    let signs = x.device().try_tensor_from_vec(signs, *x.shape())?;
    record(tape, x, |x| x.try_mul(signs))
}

/// `of(row, i, j)` at every entry.
fn entries(like: &Matrix, of: impl Fn(usize, usize, usize) -> f32) -> Result<Matrices> {
    let (rows, n) = *like.shape();
    let values = (0..rows * n * n).map(|k| of(k / (n * n), k / n % n, k % n)).collect();
    Ok(like.device().try_tensor_from_vec(values, (rows, n, n))?)
}

fn gathered<T: Tape<f32, Dev>>(tape: &mut T, x: &Matrix, at: &Indices) -> Result<Matrix> {
    record(tape, x, |x| x.try_gather(at.clone()))
}

/// The values of every row, widened.
fn host_rows(x: &Matrix) -> Vec<Vec<f64>> {
    x.as_vec().chunks_exact(x.shape().1).map(|row| row.iter().map(|&v| f64::from(v)).collect()).collect()
}

pub(super) fn pairwise<T: Tape<f32, Dev>>(
    tape: &mut T,
    way: &Pairwise,
    output: Output,
    x: Matrix,
) -> Result<Matrix> {
    way.check_output(output)?;
    let d = differences(tape, &x, &x)?;
    let below = record(tape, &d, |d| d.try_mul(1.0 / way.temperature as f32)?.try_sigmoid())?;
    // The value itself counted one half.
    record(tape, &below, |b| b.try_sum::<(usize, usize), Axis<2>>()?.try_add(0.5))
}

pub(super) fn unimodal<T: Tape<f32, Dev>>(
    tape: &mut T,
    way: &Unimodal,
    output: Output,
    x: Matrix,
) -> Result<Matrix> {
    let (rows, n) = *x.shape();
    let logits = match way.unimodality {
        Unimodality::NeuralSort => {
            let sizes = differences(tape, &x, &x)?;
            let sizes = size(tape, &sizes)?;
            let distances = record(tape, &sizes, |s| s.try_sum::<(usize, usize), Axis<2>>())?;
            let slopes = entries(&x, |_, place, _| crate::sort::unimodal::slope(place, n) as f32)?;
            let (values, distances) = (across(tape, &x)?, across(tape, &distances)?);
            record(tape, &values, |v| v.try_mul(slopes)?.try_sub(distances))?
        }
        Unimodality::SoftSort => {
            let order = host_rows(&x).iter().flat_map(|row| crate::sort::order::ascending(row)).collect();
            let order = x.device().try_tensor_from_vec(order, (rows, n))?;
            let sorted = gathered(tape, &x, &order)?;
            let distances = differences(tape, &sorted, &x)?;
            let distances = size(tape, &distances)?;
            record(tape, &distances, |d| d.try_negate())?
        }
    };
    let scale = 1.0 / way.temperature as f32;
    let shares = record(tape, &logits, |l| l.try_mul(scale)?.try_softmax::<Axis<2>>())?;
    read_off(tape, output, x, shares)
}

/// The output, of shares \[row, place, value\].
fn read_off<T: Tape<f32, Dev>>(tape: &mut T, output: Output, x: Matrix, shares: Matrices) -> Result<Matrix> {
    let (rows, n) = *x.shape();
    if let Some(places) = output.places(n) {
        return sum_down(tape, &shares, entries(&x, |_, place, _| places[place] as f32)?);
    }
    match output {
        Output::Values => {
            let values = across(tape, &x)?;
            sum_across(tape, &shares, values)
        }
        Output::Indices => {
            let indices: Vec<f32> = indices(n).collect();
            sum_across(tape, &shares, entries(&x, |_, _, index| indices[index])?)
        }
        _ => {
            let turned = record(tape, &shares, |s| {
                s.try_permute::<(usize, usize, usize), Axes3<0, 2, 1>>()?.try_contiguous()
            })?;
            record(tape, &turned, |p| p.try_reshape_like(&(rows, n * n)))
        }
    }
}

pub(super) fn sinkhorn<T: Tape<f32, Dev>>(
    tape: &mut T,
    way: &Sinkhorn,
    output: Output,
    x: Matrix,
) -> Result<Matrix> {
    let (rows, n) = *x.shape();
    let cube = (rows, n, n);
    let places = entries(&x, |_, j, _| (crate::sort::sinkhorn::place(j, n) / way.temperature) as f32)?;
    let middles = host_rows(&x).iter().flat_map(|row| vec![middle(row); n]).collect();
    let middles = x.device().try_tensor_from_vec(middles, (rows, n))?;
    let centred = record(tape, &x, |x| x.try_sub(middles))?;
    let values = across(tape, &centred)?;
    let mut logarithms = record(tape, &values, |v| v.try_mul(places))?;
    for iteration in 0..=way.iterations {
        // Over the places, but not to begin with; then over the values.
        if iteration > 0 {
            let f = record(tape, &logarithms, |l| l.try_logsumexp::<(usize, usize), Axis<1>>())?;
            let f = record(tape, &f, |f| f.try_broadcast_like::<_, Axis<1>>(&cube))?;
            logarithms = record(tape, &logarithms, |l| l.try_sub(f))?;
        }
        let g = record(tape, &logarithms, |l| l.try_logsumexp::<(usize, usize), Axis<2>>())?;
        let g = record(tape, &g, |g| g.try_broadcast_like::<_, Axis<2>>(&cube))?;
        logarithms = record(tape, &logarithms, |l| l.try_sub(g))?;
    }
    let shares = record(tape, &logarithms, |l| l.try_exp())?;
    read_off(tape, output, x, shares)
}

fn middle(row: &[f64]) -> f32 {
    let low = row.iter().fold(f64::INFINITY, |low, &v| low.min(v));
    let high = row.iter().fold(f64::NEG_INFINITY, |high, &v| high.max(v));
    (0.5 * low + 0.5 * high) as f32
}

pub(super) fn permutahedron<T: Tape<f32, Dev>>(
    tape: &mut T,
    way: &Permutahedron,
    output: Output,
    x: Matrix,
) -> Result<Matrix> {
    way.check_output(output)?;
    let shape = *x.shape();
    let n = shape.1;
    let found = host_rows(&x).iter().map(|row| way.project(output, row)).collect::<Result<Vec<_>>>()?;
    let order: Vec<usize> = found.iter().flat_map(|row| row.order().to_vec()).collect();
    let pools: Vec<Vec<usize>> = found.iter().map(|row| row.pool_starts()).collect();
    let device = x.device().clone();
    let indices = |at: Vec<usize>| device.try_tensor_from_vec(at, shape);
    let constant = |of: Vec<f64>| device.try_tensor_from_vec(of.iter().map(|&v| v as f32).collect(), shape);
    let together = entries(&x, |row, i, j| f32::from(u8::from(pools[row][i] == pools[row][j])))?;

    // The side that depends on the input, by place, and the level of its pool there.
    let factor = if output == Output::Values { -1.0 } else { 1.0 / way.strength };
    let side = gathered(tape, &x, &indices(order.clone())?)?;
    let side = record(tape, &side, |s| s.try_mul(factor as f32))?;
    let entropic = way.regularization == Regularization::Entropic;
    let levels: Vec<(f64, f64)> = found.iter().flat_map(|row| row.levels()).collect();
    let level = if entropic {
        // The level itself, as a constant, keeps the exponentials within range.
        let here = |level: &(f64, f64)| if output == Output::Values { level.1 } else { level.0 };
        let here = constant(levels.iter().map(here).collect())?;
        let raised = record(tape, &side, |s| s.try_sub(here.clone())?.try_exp())?;
        let raised = across(tape, &raised)?;
        let sums = sum_across(tape, &raised, together)?;
        record(tape, &sums, |s| s.try_ln()?.try_add(here))?
    } else {
        let lengths = constant(pools.iter().flat_map(|row| lengths(row)).collect())?;
        let values = across(tape, &side)?;
        let sums = sum_across(tape, &values, together)?;
        record(tape, &sums, |s| s.try_div(lengths))?
    };
    // What does not depend on the input: the level of w, or of sorting z less its level.
    let fixed = match output {
        Output::Values => {
            let result = found.iter().flat_map(|row| row.result().to_vec());
            constant(result.zip(&levels).map(|(result, levels)| -result - levels.1).collect())?
        }
        _ => constant(levels.iter().map(|levels| levels.1).collect())?,
    };
    if output == Output::Values {
        // −((z − level of z) + level of the side).
        return record(tape, &level, |l| l.try_negate()?.try_sub(fixed));
    }
    let shifted = record(tape, &side, |s| s.try_sub(level)?.try_add(fixed))?;
    let result = if entropic { record(tape, &shifted, |s| s.try_exp())? } else { shifted };
    let mut place_of = vec![0; order.len()];
    for (row, order) in order.chunks_exact(n).enumerate() {
        order.iter().enumerate().for_each(|(place, &index)| place_of[row * n + index] = place);
    }
    gathered(tape, &result, &indices(place_of)?)
}

/// How many places share each place's pool.
fn lengths(starts: &[usize]) -> Vec<f64> {
    starts.iter().map(|start| starts.iter().filter(|&other| other == start).count() as f64).collect()
}

/// The estimate as it stands, and the line through it with the estimated slopes.
pub(super) fn perturbed<T: Tape<f32, Dev>>(
    tape: &mut T,
    way: &Perturbed,
    output: Output,
    x: Matrix,
) -> Result<Matrix> {
    way.check_output(output)?;
    let shape = *x.shape();
    let n = shape.1;
    let (mut estimates, mut slopes) = (Vec::new(), Vec::new());
    for row in host_rows(&x) {
        estimates.extend(way.evaluate("perturbed", output, &row)?.iter().map(|&v| v as f32));
        slopes.push(way.jacobian(output, &row)?);
    }
    let estimates = x.device().try_tensor_from_vec(estimates, shape)?;
    // A constant: dfdx refuses operations of a tensor with itself.
    let here = x.device().try_tensor_from_vec(x.as_vec(), shape)?;
    let slopes = entries(&x, |row, value, given| slopes[row][value * n + given] as f32)?;
    let away = record(tape, &x, |x| x.try_sub(here))?;
    let away = down(tape, &away)?;
    let moved = sum_down(tape, &away, slopes)?;
    record(tape, &moved, |m| m.try_add(estimates))
}
