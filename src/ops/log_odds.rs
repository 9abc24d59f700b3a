//! The log-odds a batch of logits gives to its labels.

use dfdx::prelude::*;

use super::fast_math::exp;
use super::probability::check_batch;
use super::simd::vectorised;
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
    #[cfg(not(feature = "cuda"))]
    return fused(logits, labels, temperature);
    #[cfg(feature = "cuda")]
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
    let index = super::device().try_tensor_from_vec(labels.to_vec(), (rows,))?;
    let (z, tape) = logits.try_div(temperature)?.split_tape();
    let others = z.retaped::<T>().try_add(away)?.try_logsumexp::<_, Axis<1>>()?;
    let own = z.put_tape(tape).try_select(index)?;
    Ok(own.try_sub(others)?.try_reshape_like(&(rows, 1))?)
}

/// The log-odds of one row's label, and the sum of squares of the softmax of the other classes,
/// which `others` becomes (0 at the label).
pub(crate) fn row_log_odds(z: &[f32], label: usize, temperature: f32, others: &mut [f32]) -> (f32, f32) {
    others.copy_from_slice(z);
    others[label] = f32::NEG_INFINITY;
    let (max, sum, squares) = vectorised(|| softmax_parts(others, temperature.recip()));
    // Two large logits of opposite sign may overflow the difference: the largest float is a limit.
    let odds = ((z[label] - max) / temperature - sum.ln()).clamp(-f32::MAX, f32::MAX);
    (odds, squares)
}

/// Softmax in place; the maximum, the sum of exponentials, and the sum of squares of the result.
#[inline(always)]
pub(super) fn softmax_parts(row: &mut [f32], inverse_temperature: f32) -> (f32, f32, f32) {
    let max = lanes(row, f32::NEG_INFINITY, f32::max, |z| z);
    for z in row.iter_mut() {
        // exp stops at e^-87: what is masked by an infinity must become exactly 0.
        let e = exp((*z - max) * inverse_temperature);
        *z = if *z == f32::NEG_INFINITY { 0.0 } else { e };
    }
    let sum = lanes(row, 0.0, |a, b| a + b, |e| e);
    let inverse = sum.recip();
    for e in row.iter_mut() {
        *e *= inverse;
    }
    (max, sum, lanes(row, 0.0, |a, b| a + b, |s| s * s))
}

/// Folds a row with 16 accumulators, so that the compiler may keep them in vector registers.
#[inline(always)]
fn lanes(row: &[f32], start: f32, fold: impl Fn(f32, f32) -> f32, of: impl Fn(f32) -> f32) -> f32 {
    let mut sums = [start; 16];
    let chunks = row.chunks_exact(16);
    let rest = chunks.remainder();
    for chunk in chunks {
        for (sum, &v) in sums.iter_mut().zip(chunk) {
            *sum = fold(*sum, of(v));
        }
    }
    for (sum, &v) in sums.iter_mut().zip(rest) {
        *sum = fold(*sum, of(v));
    }
    sums.into_iter().fold(start, fold)
}

#[cfg(not(feature = "cuda"))]
fn fused<T: Tape<f32, Dev>>(logits: Matrix<T>, labels: &[usize], temperature: f32) -> Result<Matrix<T>> {
    let (logits, mut tape) = logits.split_tape();
    let (rows, classes) = *logits.shape();
    let mut others = vec![0.0; rows * classes];
    let z = super::host(&logits);
    let rows_of = z.chunks_exact(classes).zip(others.chunks_exact_mut(classes)).zip(labels);
    let odds = rows_of.map(|((z, others), &label)| row_log_odds(z, label, temperature, others).0).collect();
    let odds = super::matrix(odds, rows, 1)?;
    let (output, labels) = (odds.clone(), labels.to_vec());
    tape.add_backward_op(move |gradients| {
        let grad = gradients.get_or_alloc_mut(&output)?.to_vec();
        let target = gradients.get_or_alloc_mut(&logits)?;
        for (i, (target, others)) in
            target.chunks_exact_mut(classes).zip(others.chunks_exact(classes)).enumerate()
        {
            let factor = grad[i] / temperature;
            target.iter_mut().zip(others).for_each(|(t, o)| *t -= factor * o);
            target[labels[i]] += factor;
        }
        Ok(())
    });
    Ok(odds.put_tape(tape))
}
