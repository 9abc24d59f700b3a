//! Correlations of weighted observations; weights 0 and 1 mask ragged rows.

use super::kendall::Pairs;
use super::{check, scaled_around, Combine};
use crate::error::{check_finite, Error, Result};
use crate::sort::order::ascending;

/// Pearson's correlation where each pair counts by its weight, in \[-1, 1\].
///
/// Whole weights count as repetitions, 0 leaves a pair out; a common factor changes nothing.
///
/// # Errors
/// As [`super::pearson`]; also [`Error::Parameter`] for a negative weight or weights that are all 0, and
/// [`Error::Undefined`] when the pairs that count are fewer than two or constant on a side.
///
/// # Example
/// ```
/// use reloss::correlation::{pearson, pearson_weighted};
/// let masked = pearson_weighted(&[1.0, 2.0, 3.0, 99.0], &[2.0, 4.0, 7.0, -5.0], &[1.0, 1.0, 1.0, 0.0])?;
/// assert!((masked - pearson(&[1.0, 2.0, 3.0], &[2.0, 4.0, 7.0])?).abs() < 1e-15);
/// # Ok::<(), reloss::Error>(())
/// ```
pub fn pearson_weighted(x: &[f64], y: &[f64], weights: &[f64]) -> Result<f64> {
    const NAME: &str = "weighted Pearson's correlation";
    let rows = Rows::new(NAME, x, y, weights)?;
    rows.correlation(NAME, &rows.x, &rows.y)
}

/// Spearman's correlation where each pair counts by its weight, in \[-1, 1\].
///
/// A value's rank is the weight below it and half the weight of its ties, so that whole weights count as
/// repetitions.
///
/// # Errors
/// As [`pearson_weighted`].
///
/// # Example
/// ```
/// use reloss::correlation::{spearman, spearman_weighted};
/// let twice = spearman_weighted(&[1.0, 5.0, 3.0], &[2.0, 2.5, 9.0], &[1.0, 2.0, 1.0])?;
/// assert!((twice - spearman(&[1.0, 5.0, 5.0, 3.0], &[2.0, 2.5, 2.5, 9.0])?).abs() < 1e-15);
/// # Ok::<(), reloss::Error>(())
/// ```
pub fn spearman_weighted(x: &[f64], y: &[f64], weights: &[f64]) -> Result<f64> {
    const NAME: &str = "weighted Spearman's correlation";
    let rows = Rows::new(NAME, x, y, weights)?;
    rows.correlation(NAME, &ranks(&rows.x, &rows.weights), &ranks(&rows.y, &rows.weights))
}

/// Kendall's τ-b where each pair of observations counts by the product of their weights, in \[-1, 1\].
///
/// # Errors
/// As [`pearson_weighted`].
///
/// # Example
/// ```
/// use reloss::correlation::kendall_tau_b_weighted;
/// // Only the first and the last count.
/// assert_eq!(kendall_tau_b_weighted(&[1.0, 2.0, 3.0], &[5.0, 9.0, 4.0], &[1.0, 0.0, 1.0])?, -1.0);
/// # Ok::<(), reloss::Error>(())
/// ```
pub fn kendall_tau_b_weighted(x: &[f64], y: &[f64], weights: &[f64]) -> Result<f64> {
    const NAME: &str = "weighted Kendall's tau-b";
    let rows = Rows::new(NAME, x, y, weights)?;
    Pairs::count(&rows.x, &rows.y, |i| rows.weights[i], Combine::Product).tau_b(NAME)
}

/// The observations that count, with weights scaled to at most 1.
struct Rows {
    x: Vec<f64>,
    y: Vec<f64>,
    weights: Vec<f64>,
}

impl Rows {
    fn new(what: &'static str, x: &[f64], y: &[f64], weights: &[f64]) -> Result<Self> {
        check(what, x, y)?;
        let kept = counting(what, x.len(), weights)?;
        let largest = weights.iter().fold(0.0_f64, |largest, &w| largest.max(w));
        let of = |values: &[f64]| kept.iter().map(|&i| values[i]).collect::<Vec<_>>();
        let weights = of(weights).into_iter().map(|w| w / largest).collect();
        Ok(Self { x: of(x), y: of(y), weights })
    }

    /// Pearson's correlation of two lists under these weights.
    fn correlation(&self, what: &'static str, x: &[f64], y: &[f64]) -> Result<f64> {
        let total: f64 = self.weights.iter().sum();
        let mean = |v: &[f64]| -> f64 { v.iter().zip(&self.weights).map(|(v, w)| v * (w / total)).sum() };
        let (x, y) = (scaled_around(what, x, mean)?, scaled_around(what, y, mean)?);
        let product = |a: &[f64], b: &[f64]| -> f64 {
            a.iter().zip(b).zip(&self.weights).map(|((a, b), w)| w * a * b).sum()
        };
        Ok((product(&x, &y) / (product(&x, &x) * product(&y, &y)).sqrt()).clamp(-1.0, 1.0))
    }
}

/// The indices with positive weights.
pub(super) fn counting(what: &'static str, n: usize, weights: &[f64]) -> Result<Vec<usize>> {
    if weights.len() != n {
        return Err(Error::shape(what, format!("{n} weights"), weights.len()));
    }
    check_finite(what, weights)?;
    if let Some(index) = weights.iter().position(|&w| w < 0.0) {
        let reason = format!("{} at index {index} is negative", weights[index]);
        return Err(Error::parameter("weights", reason));
    }
    let kept: Vec<usize> = (0..n).filter(|&i| weights[i] > 0.0).collect();
    match kept.len() {
        0 => Err(Error::parameter("weights", "all are 0")),
        _ => Ok(kept),
    }
}

/// The weight below each value, and half the weight of its ties.
fn ranks(values: &[f64], weights: &[f64]) -> Vec<f64> {
    let order = ascending(values);
    let (mut below, mut ranks) = (0.0, vec![0.0; values.len()]);
    for ties in order.chunk_by(|&a, &b| values[a] == values[b]) {
        let weight: f64 = ties.iter().map(|&i| weights[i]).sum();
        ties.iter().for_each(|&i| ranks[i] = below + 0.5 * weight);
        below += weight;
    }
    ranks
}
