//! The probability a batch of logits gives to its labels.

use dfdx::prelude::*;

use super::log_odds::softmax;
use super::simd::vectorised;
use crate::error::{check_finite, check_positive, Error, Result};
use crate::{Dev, Matrix};

/// Refuses logits that are not finite, and labels that are not one per row and below the classes.
pub(crate) fn check_batch<T>(op: &'static str, logits: &Matrix<T>, labels: &[usize]) -> Result<()> {
    check_labels(op, *logits.shape(), labels)?;
    #[cfg(not(feature = "composed"))]
    return check_finite(op, &super::tensors::block(logits)?);
    #[cfg(feature = "composed")]
    check_finite(op, &super::host(logits))
}

/// Refuses labels that are not one per row and below the classes.
pub(super) fn check_labels(
    op: &'static str,
    (rows, classes): (usize, usize),
    labels: &[usize],
) -> Result<()> {
    if labels.len() != rows || rows == 0 {
        return Err(Error::shape(op, format!("{} labels", rows.max(1)), labels.len()));
    }
    match labels.iter().position(|&label| label >= classes) {
        Some(i) => {
            Err(Error::shape(op, format!("labels below {classes}"), format!("{} at row {i}", labels[i])))
        }
        None => Ok(()),
    }
}

/// Refuses a temperature that is not positive and finite.
pub(super) fn check_temperature(temperature: f32) -> Result<()> {
    check_positive("temperature", temperature)
}

/// Softmax of each row of `classes` logits divided by `temperature`.
///
/// Shifted by the row's maximum, so that no logit overflows.
pub fn softmax_rows(logits: &[f32], classes: usize, temperature: f32) -> Vec<f32> {
    let mut p = logits.to_vec();
    for row in p.chunks_exact_mut(classes.max(1)) {
        vectorised(|| softmax(row, temperature.recip()));
    }
    p
}

/// The softmax probability of each row's label, p = softmax(z / T)\[label\].
///
/// The gradient is p (e_label − softmax) / T. It vanishes where p is 0: a row that far gone
/// contributes nothing, and nothing overflows.
///
/// # Shapes
/// `logits` (rows, classes), one label per row from 0 → (rows, 1), in `[0, 1]`.
///
/// # Errors
/// [`Error::Shape`] for a wrong number of labels or one out of range, [`Error::NotFinite`] for
/// NaN or infinite logits, [`Error::Parameter`] for a temperature that is not positive.
///
/// # Example
/// ```
/// use reloss::ops::{host, matrix, target_probability};
/// let p = target_probability(matrix(vec![0.0, 0.0, 1e4, -1e4], 2, 2)?, &[1, 1], 1.0)?;
/// assert_eq!(host(&p)[0], 0.5);
/// assert!(host(&p)[1] < 1e-30);
/// # Ok::<(), reloss::Error>(())
/// ```
pub fn target_probability<T: Tape<f32, Dev>>(
    logits: Matrix<T>,
    labels: &[usize],
    temperature: f32,
) -> Result<Matrix<T>> {
    check_temperature(temperature)?;
    check_batch("target_probability", &logits, labels)?;
    #[cfg(not(feature = "composed"))]
    return fused(logits, labels, temperature);
    #[cfg(feature = "composed")]
    target_probability_composed(logits, labels, temperature)
}

/// [`target_probability`] made of dfdx's own operations, without its checks.
///
/// # Errors
/// [`Error::Device`] when the device is out of memory.
pub fn target_probability_composed<T: Tape<f32, Dev>>(
    logits: Matrix<T>,
    labels: &[usize],
    temperature: f32,
) -> Result<Matrix<T>> {
    let rows = labels.len();
    let index = super::device()?.try_tensor_from_vec(labels.to_vec(), (rows,))?;
    let log_p = logits.try_div(temperature)?.try_log_softmax::<Axis<1>>()?;
    Ok(log_p.try_select(index)?.try_exp()?.try_reshape_like(&(rows, 1))?)
}

#[cfg(not(feature = "composed"))]
fn fused<T: Tape<f32, Dev>>(logits: Matrix<T>, labels: &[usize], temperature: f32) -> Result<Matrix<T>> {
    let (logits, mut tape) = logits.split_tape();
    let (rows, classes) = *logits.shape();
    let softmax = softmax_rows(&super::host(&logits), classes, temperature);
    let labels = labels.to_vec();
    let p = softmax.chunks_exact(classes.max(1)).zip(&labels).map(|(row, &label)| row[label]).collect();
    let p = super::matrix(p, rows, 1)?;
    let output = p.clone();
    tape.add_backward_op(move |gradients| {
        let grad = gradients.get_or_alloc_mut(&output)?.to_vec();
        let target = gradients.get_or_alloc_mut(&logits)?;
        for (i, (target, row)) in
            target.chunks_exact_mut(classes).zip(softmax.chunks_exact(classes)).enumerate()
        {
            let factor = grad[i] * row[labels[i]] / temperature;
            target.iter_mut().zip(row).for_each(|(t, s)| *t -= factor * s);
            target[labels[i]] += factor;
        }
        Ok(())
    });
    Ok(p.put_tape(tape))
}
