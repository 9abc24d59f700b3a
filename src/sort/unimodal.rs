//! NeuralSort and SoftSort: permutation matrices softened row by row, O(n²).

use serde::{Deserialize, Serialize};

use super::checks::{check_softness, OnList};
use super::order::ascending;
use super::row::Output;
use super::shares::{dot, read_off, GivesShares, Shares};
use crate::error::Result;
#[cfg(doc)]
use crate::Error;

/// Where the logits of a place come from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Unimodality {
    /// How far a value ranks from the place, by sums of all distances (Grover et al.).
    #[default]
    NeuralSort,
    /// How far a value lies from the sorted value at the place (Prillo & Eisenschlos, d = |·|).
    SoftSort,
}

/// Soft permutations whose every place is a softmax over the values.
///
/// Each place's shares sum to 1 and the largest is where exact sorting puts it; the shares of one value over all
/// places need not sum to 1, so the sum of ranks is not kept. Softness depends on the values' scale: it grows with
/// the temperature.
///
/// # Example
/// ```
/// use reloss::sort::Unimodal;
/// let sharp = Unimodal { temperature: 1e-3, ..Unimodal::default() };
/// assert_eq!(sharp.sorted(&[3.0, 1.0, 2.0])?, [1.0, 2.0, 3.0]);
/// # Ok::<(), reloss::Error>(())
/// ```
///
/// # Reference
/// Grover, Wang, Zweig, Ermon, "Stochastic optimization of sorting networks via continuous relaxations", ICLR 2019,
/// eq. (5); Prillo, Eisenschlos, "SoftSort: a continuous relaxation for the argsort operator", ICML 2020, eq. (3).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Unimodal {
    /// Default: NeuralSort.
    pub unimodality: Unimodality,
    /// τ, in \[1e-12, 1e12\]. Default: 1 (both papers' code).
    pub temperature: f64,
}

impl Default for Unimodal {
    fn default() -> Self {
        Self { unimodality: Unimodality::NeuralSort, temperature: 1.0 }
    }
}

impl Unimodal {
    /// The soft permutation matrix P, row-major: row = input, column = place in ascending order.
    ///
    /// `sort(x) = x @ P`; columns sum to 1. The papers' matrix has places as rows, from the largest: it is the
    /// transpose of this one with the columns reversed.
    ///
    /// # Errors
    /// [`Error::Parameter`] for a temperature out of range, [`Error::Shape`] for an empty list,
    /// [`Error::NotFinite`] for NaN or infinite values.
    ///
    /// # Example
    /// ```
    /// let p = reloss::sort::Unimodal::default().permutation(&[7.0, 7.0])?;
    /// assert_eq!(p, [0.5; 4]);
    /// # Ok::<(), reloss::Error>(())
    /// ```
    pub fn permutation(&self, values: &[f64]) -> Result<Vec<f64>> {
        self.evaluate("permutation", Output::Permutation, values)
    }

    /// The values in soft ascending order.
    ///
    /// # Errors
    /// As [`Unimodal::permutation`].
    ///
    /// # Example
    /// ```
    /// let sorted = reloss::sort::Unimodal::default().sorted(&[1.0, 0.0])?;
    /// assert!((sorted[0] + sorted[1] - 1.0).abs() < 1e-12 && sorted[0] > 0.0);
    /// # Ok::<(), reloss::Error>(())
    /// ```
    pub fn sorted(&self, values: &[f64]) -> Result<Vec<f64>> {
        self.evaluate("sorted", Output::Values, values)
    }

    /// The soft ranks of the values, from 1 (smallest) to n: Σ_j j·P\[i, j\].
    ///
    /// # Errors
    /// As [`Unimodal::permutation`].
    ///
    /// # Example
    /// ```
    /// use reloss::sort::{Unimodal, Unimodality};
    /// let soft = Unimodal { unimodality: Unimodality::SoftSort, temperature: 0.01 };
    /// let ranks = soft.ranks(&[3.0, 1.0, 2.0])?;
    /// assert!(ranks.iter().zip([3.0, 1.0, 2.0]).all(|(r, hard)| (r - hard).abs() < 1e-9));
    /// # Ok::<(), reloss::Error>(())
    /// ```
    pub fn ranks(&self, values: &[f64]) -> Result<Vec<f64>> {
        self.evaluate("ranks", Output::Ranks, values)
    }

    /// The gradient of Σ cotangent·permutation (both row-major) with respect to the values.
    ///
    /// # Errors
    /// As [`Unimodal::permutation`]; also [`Error::Shape`] unless the cotangent has n² numbers.
    ///
    /// # Example
    /// ```
    /// let soft = reloss::sort::Unimodal::default();
    /// // Raising the first of two tied values takes it from the first place.
    /// let gradient = soft.permutation_gradient(&[7.0, 7.0], &[1.0, 0.0, 0.0, 0.0])?;
    /// assert!(gradient[0] < 0.0 && gradient[1] == -gradient[0]);
    /// # Ok::<(), reloss::Error>(())
    /// ```
    pub fn permutation_gradient(&self, values: &[f64], cotangent: &[f64]) -> Result<Vec<f64>> {
        self.gradient("permutation_gradient", Output::Permutation, values, cotangent)
    }

    /// The gradient of Σ_i cotangent\[i\]·sorted\[i\] with respect to the values.
    ///
    /// # Errors
    /// As [`Unimodal::permutation`]; also [`Error::Shape`] for lists of different lengths.
    ///
    /// # Example
    /// ```
    /// let soft = reloss::sort::Unimodal { temperature: 1e-3, ..Default::default() };
    /// assert_eq!(soft.sorted_gradient(&[3.0, 1.0, 2.0], &[0.0, 0.0, 1.0])?, [1.0, 0.0, 0.0]);
    /// # Ok::<(), reloss::Error>(())
    /// ```
    pub fn sorted_gradient(&self, values: &[f64], cotangent: &[f64]) -> Result<Vec<f64>> {
        self.gradient("sorted_gradient", Output::Values, values, cotangent)
    }

    /// The gradient of Σ_i cotangent\[i\]·ranks\[i\] with respect to the values.
    ///
    /// # Errors
    /// As [`Unimodal::sorted_gradient`].
    ///
    /// # Example
    /// ```
    /// let gradient = reloss::sort::Unimodal::default().ranks_gradient(&[0.5, 0.1], &[1.0, 0.0])?;
    /// assert!(gradient[0] > 0.0);
    /// # Ok::<(), reloss::Error>(())
    /// ```
    pub fn ranks_gradient(&self, values: &[f64], cotangent: &[f64]) -> Result<Vec<f64>> {
        self.gradient("ranks_gradient", Output::Ranks, values, cotangent)
    }
}

impl OnList for Unimodal {
    fn check_options(&self) -> Result<()> {
        check_softness("temperature", self.temperature)
    }

    fn output_of(&self, output: Output, values: &[f64]) -> Result<Vec<f64>> {
        Ok(read_off(output, values, &self.shares(values)))
    }

    fn gradient_of(&self, output: Output, values: &[f64], cotangent: &[f64]) -> Result<Vec<f64>> {
        Ok(self.through(output, values, &self.shares(values), cotangent))
    }
}

impl GivesShares for Unimodal {
    fn shares(&self, values: &[f64]) -> Shares {
        let n = values.len();
        let mut shares = vec![0.0; n * n];
        let ascending = ascending(values);
        let distances: Vec<f64> =
            values.iter().map(|a| values.iter().map(|b| (a - b).abs()).sum::<f64>()).collect();
        for (place, row) in shares.chunks_exact_mut(n).enumerate() {
            for (j, logit) in row.iter_mut().enumerate() {
                *logit = match self.unimodality {
                    Unimodality::NeuralSort => slope(place, n) * values[j] - distances[j],
                    Unimodality::SoftSort => -(values[ascending[place]] - values[j]).abs(),
                } / self.temperature;
            }
            softmax(row);
        }
        Shares { by_place: shares, iterates: Vec::new() }
    }

    fn pull_back(&self, values: &[f64], shares: &Shares, on_shares: &[f64]) -> Vec<f64> {
        let n = values.len();
        let (mut gradient, mut on_distances) = (vec![0.0; n], vec![0.0; n]);
        let ascending = ascending(values);
        let rows = shares.by_place.chunks_exact(n).zip(on_shares.chunks_exact(n));
        for (place, (row, on_row)) in rows.enumerate() {
            let mean = dot(row, on_row);
            for (j, (share, on_share)) in row.iter().zip(on_row).enumerate() {
                let on_logit = share * (on_share - mean) / self.temperature;
                match self.unimodality {
                    Unimodality::NeuralSort => {
                        gradient[j] += slope(place, n) * on_logit;
                        on_distances[j] -= on_logit;
                    }
                    Unimodality::SoftSort => {
                        let at_place = ascending[place];
                        let pull = sign(values[at_place] - values[j]) * on_logit;
                        gradient[j] += pull;
                        gradient[at_place] -= pull;
                    }
                }
            }
        }
        for (j, on_distance) in on_distances.into_iter().enumerate() {
            for k in 0..n {
                let pull = sign(values[j] - values[k]) * on_distance;
                gradient[j] += pull;
                gradient[k] -= pull;
            }
        }
        gradient
    }
}

/// 2 (place + 1) − n − 1: NeuralSort's factor of a value at a place, ascending from 0.
pub(super) fn slope(place: usize, n: usize) -> f64 {
    2.0 * (place as f64 + 1.0) - n as f64 - 1.0
}

/// The sign, 0 at 0: the middle of |·|'s subgradients.
fn sign(x: f64) -> f64 {
    if x == 0.0 {
        0.0
    } else {
        x.signum()
    }
}

fn softmax(row: &mut [f64]) {
    let max = row.iter().fold(f64::NEG_INFINITY, |max, &z| max.max(z));
    row.iter_mut().for_each(|z| *z = (*z - max).exp());
    let sum: f64 = row.iter().sum();
    row.iter_mut().for_each(|z| *z /= sum);
}
