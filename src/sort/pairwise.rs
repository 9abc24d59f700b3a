//! Soft ranks from comparing every pair, O(n²).

use serde::{Deserialize, Serialize};

use super::checks::{check_softness, OnList};
#[cfg(not(feature = "composed"))]
use super::pair_sums::pair_sums;
use super::relaxation::logistic;
use super::row::Output;
use super::SoftSort;
use crate::error::Result;
#[cfg(doc)]
use crate::Error;

/// Ranks that count, through a sigmoid, the values below.
///
/// The rank of x_i is 1 + Σ_{j≠i} σ((x_i − x_j)/τ); the ranks sum to n(n + 1)/2. There is no soft sort to it.
///
/// # Example
/// ```
/// let ranks = reloss::sort::Pairwise::default().ranks(&[7.0, 7.0, 7.0])?;
/// assert_eq!(ranks, [2.0, 2.0, 2.0]);
/// # Ok::<(), reloss::Error>(())
/// ```
///
/// # Reference
/// Qin, Liu, Li, "A general approximation framework for direct optimization of information retrieval measures",
/// Information Retrieval 2010, eq. (10).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Pairwise {
    /// τ, in \[1e-12, 1e12\]. Default: 1 ("ours").
    pub temperature: f64,
}

impl Default for Pairwise {
    fn default() -> Self {
        Self { temperature: 1.0 }
    }
}

impl Pairwise {
    /// The soft ranks of the values, from 1 (smallest) to n.
    ///
    /// # Errors
    /// [`Error::Parameter`] for a temperature out of range, [`Error::Shape`] for an empty list,
    /// [`Error::NotFinite`] for NaN or infinite values.
    ///
    /// # Example
    /// ```
    /// let ranks = reloss::sort::Pairwise { temperature: 0.01 }.ranks(&[3.0, 1.0, 2.0])?;
    /// assert!(ranks.iter().zip([3.0, 1.0, 2.0]).all(|(r, hard)| (r - hard).abs() < 1e-9));
    /// # Ok::<(), reloss::Error>(())
    /// ```
    pub fn ranks(&self, values: &[f64]) -> Result<Vec<f64>> {
        self.evaluate("ranks", Output::Ranks, values)
    }

    /// The gradient of Σ_i cotangent\[i\]·ranks\[i\] with respect to the values.
    ///
    /// # Errors
    /// As [`Pairwise::ranks`]; also [`Error::Shape`] for lists of different lengths.
    ///
    /// # Example
    /// ```
    /// // Two tied values: the sigmoid's slope of 1/4 lifts one rank and lowers the other.
    /// let gradient = reloss::sort::Pairwise::default().ranks_gradient(&[7.0, 7.0], &[1.0, 0.0])?;
    /// assert_eq!(gradient, [0.25, -0.25]);
    /// # Ok::<(), reloss::Error>(())
    /// ```
    pub fn ranks_gradient(&self, values: &[f64], cotangent: &[f64]) -> Result<Vec<f64>> {
        self.gradient("ranks_gradient", Output::Ranks, values, cotangent)
    }
}

impl OnList for Pairwise {
    fn check_options(&self) -> Result<()> {
        check_softness("temperature", self.temperature)
    }

    fn check_output(&self, output: Output) -> Result<()> {
        match output {
            Output::Ranks => Ok(()),
            other => Err(SoftSort::from(*self).without(other)),
        }
    }

    fn output_of(&self, _: Output, values: &[f64]) -> Result<Vec<f64>> {
        let rank = |a: &f64| {
            let below: f64 = values.iter().map(|b| logistic((a - b) / self.temperature).0).sum();
            // The value itself counted one half.
            below + 0.5
        };
        Ok(values.iter().map(rank).collect())
    }

    fn gradient_of(&self, _: Output, values: &[f64], cotangent: &[f64]) -> Result<Vec<f64>> {
        let one = |(a, g): (&f64, &f64)| {
            let pairs = values.iter().zip(cotangent);
            let pulls = pairs.map(|(b, h)| (g - h) * logistic((a - b) / self.temperature).1);
            pulls.sum::<f64>() / self.temperature
        };
        Ok(values.iter().zip(cotangent).map(one).collect())
    }
}

/// [`Pairwise::ranks`] of a row of a tensor.
#[cfg(not(feature = "composed"))]
pub(super) fn ranks(values: &[f32], temperature: f32, out: &mut [f32]) {
    pair_sums(values, values, out, |d, _, _| logistic(d / temperature).0);
    // The value itself counted one half.
    out.iter_mut().for_each(|rank| *rank += 0.5);
}

/// [`Pairwise::ranks_gradient`] of a row of a tensor.
#[cfg(not(feature = "composed"))]
pub(super) fn ranks_gradient(values: &[f32], temperature: f32, cotangent: &[f32], gradient: &mut [f32]) {
    pair_sums(values, cotangent, gradient, |d, g, h| (g - h) * logistic(d / temperature).1);
    gradient.iter_mut().for_each(|g| *g /= temperature);
}
