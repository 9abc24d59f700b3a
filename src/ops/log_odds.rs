//! The log-odds a batch of logits gives to its labels.

use dfdx::prelude::*;

use super::fast_math::exp;
use super::probability::check_batch;
use super::simd::{vectorised, Kernel};
use crate::error::{Error, Result};
use crate::{Dev, Matrix};

/// The log-odds of each row's label, ln(p / (1 − p)) with p = softmax(z / T)\[label\].
///
/// Computed as z_label/T − logsumexp of the others, so it neither saturates nor cancels where p
/// is near 0 or 1. The gradient is (e_label − softmax of the others) / T.
///
/// # Shapes
/// `logits` (rows, classes), two classes or more, one label per row from 0 → (rows, 1).
///
/// # Errors
/// [`Error::Shape`] for a single class, a wrong number of labels or one out of range,
/// [`Error::NotFinite`] for NaN or infinite logits, [`Error::Parameter`] for a temperature that
/// is not positive.
///
/// # Example
/// ```
/// use reloss::ops::{host, matrix, target_log_odds};
/// let odds = target_log_odds(matrix(vec![3.0, 1.0, 0.0, 100.0], 2, 2)?, &[0, 0], 1.0)?;
/// assert_eq!(host(&odds), [2.0, -100.0]);
/// # Ok::<(), reloss::Error>(())
/// ```
pub fn target_log_odds<T: Tape<f32, Dev>>(
    logits: Matrix<T>,
    labels: &[usize],
    temperature: f32,
) -> Result<Matrix<T>> {
    check_batch("target_log_odds", &logits, labels)?;
    super::probability::check_temperature(temperature)?;
    if logits.shape().1 < 2 {
        return Err(Error::shape("target_log_odds", "two classes or more", logits.shape().1));
    }
    #[cfg(not(feature = "composed"))]
    return fused(logits, labels, temperature);
    #[cfg(feature = "composed")]
    target_log_odds_composed(logits, labels, temperature)
}

/// [`target_log_odds`] made of dfdx's own operations, without its checks.
///
/// # Errors
/// [`Error::Device`] when the device is out of memory.
pub fn target_log_odds_composed<T: Tape<f32, Dev>>(
    logits: Matrix<T>,
    labels: &[usize],
    temperature: f32,
) -> Result<Matrix<T>> {
    let (rows, classes) = *logits.shape();
    // The label's own logit leaves the sum of the others by a large negative number.
    let mut away = vec![0.0; rows * classes];
    labels.iter().enumerate().for_each(|(row, &label)| away[row * classes + label] = -1e30);
    let away = super::matrix(away, rows, classes)?;
    let index = super::device()?.try_tensor_from_vec(labels.to_vec(), (rows,))?;
    let (z, tape) = logits.try_div(temperature)?.split_tape();
    let others = z.retaped::<T>().try_add(away)?.try_logsumexp::<_, Axis<1>>()?;
    let own = z.put_tape(tape).try_select(index)?;
    Ok(own.try_sub(others)?.try_reshape_like(&(rows, 1))?)
}

/// The softmax of one row without its label: exp((z − max) / T) / sum.
#[derive(Clone, Copy)]
struct Others {
    max: f32,
    sum: f32,
    /// Of the softmax.
    squares: f32,
}

/// One row's [`Others`], to be vectorised.
struct OthersOf<'a> {
    z: &'a [f32],
    label: usize,
    inverse_temperature: f32,
}

impl Kernel for OthersOf<'_> {
    type Output = Others;

    #[inline(always)]
    fn run(self) -> Others {
        let sides = [&self.z[..self.label], &self.z[self.label + 1..]];
        let max = lanes(sides[1], lanes(sides[0], f32::NEG_INFINITY, f32::max), f32::max);
        let (mut sums, mut squares) = ([0.0f32; LANES], [0.0f32; LANES]);
        for side in sides {
            let chunks = side.chunks_exact(LANES);
            let rest = chunks.remainder();
            for chunk in chunks.chain([rest]) {
                for ((sum, square), &z) in sums.iter_mut().zip(&mut squares).zip(chunk) {
                    let e = exp((z - max) * self.inverse_temperature);
                    *sum += e;
                    *square += e * e;
                }
            }
        }
        let (sum, squares): (f32, f32) = (sums.iter().sum(), squares.iter().sum());
        Others { max, sum, squares: squares / (sum * sum) }
    }
}

impl Others {
    fn of(z: &[f32], label: usize, temperature: f32) -> Self {
        vectorised(OthersOf { z, label, inverse_temperature: temperature.recip() })
    }

    fn log_odds(self, own: f32, temperature: f32) -> f32 {
        // Two large logits of opposite sign may overflow the difference: the largest float is a limit.
        ((own - self.max) / temperature - self.sum.ln()).clamp(-f32::MAX, f32::MAX)
    }
}

/// The log-odds of one row's label, and the sum of squares of the softmax of the other classes.
pub(crate) fn row_log_odds(z: &[f32], label: usize, temperature: f32) -> (f32, f32) {
    let others = Others::of(z, label, temperature);
    (others.log_odds(z[label], temperature), others.squares)
}

/// Softmax in place.
#[inline(always)]
pub(super) fn softmax(row: &mut [f32], inverse_temperature: f32) {
    let max = lanes(row, f32::NEG_INFINITY, f32::max);
    row.iter_mut().for_each(|z| *z = exp((*z - max) * inverse_temperature));
    let inverse = lanes(row, 0.0, |a, b| a + b).recip();
    row.iter_mut().for_each(|e| *e *= inverse);
}

/// Accumulators of a fold, as many as a vector register has places.
const LANES: usize = 16;

/// Folds a row in an order that keeps the accumulators in vector registers.
#[inline(always)]
fn lanes(row: &[f32], start: f32, fold: impl Fn(f32, f32) -> f32) -> f32 {
    let mut lanes = [start; LANES];
    let chunks = row.chunks_exact(LANES);
    let rest = chunks.remainder();
    for chunk in chunks.chain([rest]) {
        for (lane, &v) in lanes.iter_mut().zip(chunk) {
            *lane = fold(*lane, v);
        }
    }
    lanes.into_iter().fold(start, fold)
}

#[cfg(not(feature = "composed"))]
fn fused<T: Tape<f32, Dev>>(logits: Matrix<T>, labels: &[usize], temperature: f32) -> Result<Matrix<T>> {
    use rayon::prelude::*;

    let (logits, mut tape) = logits.try_contiguous()?.split_tape();
    let (rows, classes) = *logits.shape();
    let z = super::tensors::contents(&logits);
    let labels = labels.to_vec();
    let others: Vec<Others> = z
        .par_chunks_exact(classes)
        .zip(&labels)
        .map(|(z, &label)| Others::of(z, label, temperature))
        .collect();
    let odds = z.chunks_exact(classes).zip(&labels).zip(&others);
    let odds = odds.map(|((z, &label), others)| others.log_odds(z[label], temperature));
    let odds = super::matrix(odds.collect(), rows, 1)?;
    let output = odds.clone();
    tape.add_backward_op(move |gradients| {
        let grad = gradients.get_or_alloc_mut(&output)?.to_vec();
        let target = gradients.get_or_alloc_mut(&logits)?;
        let rows = target.par_chunks_exact_mut(classes).zip(z.par_chunks_exact(classes)).zip(&labels);
        rows.zip(others.par_iter().zip(grad)).for_each(|(((target, z), &label), (others, grad))| {
            let (factor, own) = (grad / temperature, target[label]);
            vectorised(|| {
                for (t, &z) in target.iter_mut().zip(z) {
                    *t -= factor / others.sum * exp((z - others.max) * temperature.recip());
                }
            });
            target[label] = own + factor;
        });
        Ok(())
    });
    Ok(odds.put_tape(tape))
}
