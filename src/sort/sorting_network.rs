//! Sorting networks with softened comparators, on lists of `f64`.

use serde::{Deserialize, Serialize};

use super::checks::OnList;
use super::kernel;
use super::network::Network;
use super::relaxation::Relaxation;
use super::row::{self, Output};
use crate::error::{check_finite, Error, Result};

/// How to soften sorting: the network, the relaxation of its comparators, and the steepness.
///
/// The default is what ReLoss's released code uses: bitonic, logistic with ART at λ = 0.25, steepness 5. Softness
/// depends on the scale of the values: a difference counts only as steepness × difference.
///
/// The methods work in `f64` on one list, for looking at and checking; [`super::soft_sort()`],
/// [`super::soft_permutation`] and [`crate::rank::soft_rank`] do the same on tensors in `f32`.
///
/// # Example
/// ```
/// use reloss::sort::{Network, Relaxation, SortingNetwork};
/// let soft = SortingNetwork { relaxation: Relaxation::Cauchy, ..SortingNetwork::default() };
/// assert_eq!((soft.network, soft.steepness), (Network::Bitonic, 5.0));
/// let ranks = soft.ranks(&[0.3, -1.2, 0.8])?;
/// let rounded: Vec<f64> = ranks.iter().map(|r| (r * 100.0).round() / 100.0).collect();
/// assert_eq!(rounded, [2.07, 1.11, 2.82]);
/// # Ok::<(), reloss::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SortingNetwork {
    /// The sorting network. Default: bitonic (released code).
    pub network: Network,
    /// The softening of its comparators. Default: logistic with ART, λ = 0.25 (released code).
    pub relaxation: Relaxation,
    /// Factor on differences, in (0, 1e12]: larger is closer to exact sorting. Default: 5 (released code).
    pub steepness: f64,
}

impl Default for SortingNetwork {
    fn default() -> Self {
        Self {
            network: Network::Bitonic,
            relaxation: Relaxation::LogisticArt { lambda: 0.25 },
            steepness: 5.0,
        }
    }
}

/// The values sorted by a bitonic network whose comparators give max' = ln(eᵃ + eᵇ) and min' = a + b − max'.
///
/// A relaxation without steepness, for comparison: the sum is kept, the largest value comes out too large.
///
/// # Errors
/// [`Error::NotFinite`] for NaN or infinite values.
///
/// # Example
/// ```
/// let sorted = reloss::sort::log_sum_exp_sorted(&[20.0, 10.0])?;
/// assert!((sorted[0] - 10.0).abs() < 1e-4 && (sorted[1] - 20.0).abs() < 1e-4);
/// # Ok::<(), reloss::Error>(())
/// ```
///
/// # Reference
/// Williamson, "Differentiable parallel approximate sorting networks", 2020.
pub fn log_sum_exp_sorted(values: &[f64]) -> Result<Vec<f64>> {
    check_finite("log_sum_exp_sorted", values)?;
    let mut sorted = values.to_vec();
    for (low, high) in Network::Bitonic.layers(values.len()).into_iter().flatten() {
        let (a, b) = (sorted[low], sorted[high]);
        let over = (-(a - b).abs()).exp().ln_1p();
        sorted[high] = a.max(b) + over;
        sorted[low] = a.min(b) - over;
    }
    Ok(sorted)
}

/// Beyond this the gradient in f32 could overflow; any data is sorted exactly long before.
const STEEPNESS_LIMIT: f64 = 1e12;

impl SortingNetwork {
    /// The values in soft ascending order.
    ///
    /// # Errors
    /// [`Error::Parameter`] for steepness or λ out of range, [`Error::Shape`] for an empty list,
    /// [`Error::NotFinite`] for NaN or infinite values.
    ///
    /// # Example
    /// ```
    /// use reloss::sort::{Relaxation, SortingNetwork};
    /// let soft = SortingNetwork { relaxation: Relaxation::Reciprocal, steepness: 2.0, ..SortingNetwork::default() };
    /// // v = 2: f = 3/4 of the smaller value stays low.
    /// assert_eq!(soft.sorted(&[3.0, 2.0])?, [2.25, 2.75]);
    /// # Ok::<(), reloss::Error>(())
    /// ```
    pub fn sorted(&self, values: &[f64]) -> Result<Vec<f64>> {
        self.evaluate("sorted", Output::Values, values)
    }

    /// The soft ranks of the values, from 1 (smallest) to n.
    ///
    /// The i-th is Σ_j j·P\[i, j\]; their sum is n(n + 1)/2.
    ///
    /// # Errors
    /// As [`SortingNetwork::sorted`].
    ///
    /// # Example
    /// ```
    /// let ranks = reloss::sort::SortingNetwork::default().ranks(&[30.0, 10.0, 20.0])?;
    /// assert!(ranks.iter().zip([3.0, 1.0, 2.0]).all(|(r, hard)| (r - hard).abs() < 1e-6));
    /// # Ok::<(), reloss::Error>(())
    /// ```
    pub fn ranks(&self, values: &[f64]) -> Result<Vec<f64>> {
        self.evaluate("ranks", Output::Ranks, values)
    }

    /// The soft permutation matrix P, row-major: row = input, column = place in the order.
    ///
    /// `sort(x) = x @ P`; rows and columns each sum to 1.
    ///
    /// # Errors
    /// As [`SortingNetwork::sorted`].
    ///
    /// # Example
    /// ```
    /// use reloss::sort::{Relaxation, SortingNetwork};
    /// let soft = SortingNetwork { relaxation: Relaxation::Reciprocal, steepness: 2.0, ..SortingNetwork::default() };
    /// assert_eq!(soft.permutation(&[3.0, 2.0])?, [0.25, 0.75, 0.75, 0.25]);
    /// # Ok::<(), reloss::Error>(())
    /// ```
    pub fn permutation(&self, values: &[f64]) -> Result<Vec<f64>> {
        self.evaluate("permutation", Output::Permutation, values)
    }

    /// The gradient of Σ_i cotangent\[i\]·ranks\[i\] with respect to the values.
    ///
    /// # Errors
    /// As [`SortingNetwork::sorted`]; also [`Error::Shape`] for lists of different lengths.
    ///
    /// # Example
    /// ```
    /// use reloss::sort::{Relaxation, SortingNetwork};
    /// let soft = SortingNetwork { relaxation: Relaxation::Logistic, steepness: 4.0, ..SortingNetwork::default() };
    /// // Two tied values: raising the first by h raises its rank by h·(slope 1).
    /// assert_eq!(soft.ranks_gradient(&[7.0, 7.0], &[1.0, 0.0])?, [1.0, -1.0]);
    /// # Ok::<(), reloss::Error>(())
    /// ```
    pub fn ranks_gradient(&self, values: &[f64], cotangent: &[f64]) -> Result<Vec<f64>> {
        self.gradient("ranks_gradient", Output::Ranks, values, cotangent)
    }

    /// The gradient of Σ_i cotangent\[i\]·sorted\[i\] with respect to the values.
    ///
    /// # Errors
    /// As [`SortingNetwork::ranks_gradient`].
    ///
    /// # Example
    /// ```
    /// let soft = reloss::sort::SortingNetwork::default();
    /// // The sum is kept, so its gradient is 1 everywhere.
    /// let gradient = soft.sorted_gradient(&[0.2, 0.1, 0.4], &[1.0; 3])?;
    /// assert!(gradient.iter().all(|g| (g - 1.0).abs() < 1e-12));
    /// # Ok::<(), reloss::Error>(())
    /// ```
    pub fn sorted_gradient(&self, values: &[f64], cotangent: &[f64]) -> Result<Vec<f64>> {
        self.gradient("sorted_gradient", Output::Values, values, cotangent)
    }

    /// The gradient of Σ cotangent·permutation (both row-major) with respect to the values.
    ///
    /// # Errors
    /// As [`SortingNetwork::ranks_gradient`], with a cotangent of n² numbers.
    ///
    /// # Example
    /// ```
    /// use reloss::sort::{Relaxation, SortingNetwork};
    /// let soft = SortingNetwork { relaxation: Relaxation::Logistic, steepness: 4.0, ..SortingNetwork::default() };
    /// assert_eq!(soft.permutation_gradient(&[7.0, 7.0], &[1.0, 0.0, 0.0, 0.0])?, [-1.0, 1.0]);
    /// # Ok::<(), reloss::Error>(())
    /// ```
    pub fn permutation_gradient(&self, values: &[f64], cotangent: &[f64]) -> Result<Vec<f64>> {
        self.gradient("permutation_gradient", Output::Permutation, values, cotangent)
    }
}

impl OnList for SortingNetwork {
    fn check_options(&self) -> Result<()> {
        if !(self.steepness > 0.0 && self.steepness <= STEEPNESS_LIMIT) {
            let reason = format!("{} is not in (0, {STEEPNESS_LIMIT:e}]", self.steepness);
            return Err(Error::parameter("steepness", reason));
        }
        self.relaxation.check()
    }

    fn check_values(&self, op: &'static str, values: &[f64]) -> Result<()> {
        if values.is_empty() {
            return Err(Error::shape(op, "at least one value", 0));
        }
        check_finite(op, values)
    }

    fn output_of(&self, output: Output, values: &[f64]) -> Result<Vec<f64>> {
        let plan = kernel::Plan::new(self.network, values.len());
        let mut out = vec![0.0; output.len(values.len())];
        row::forward(&plan, self, output, values, &mut out, false);
        Ok(out)
    }

    fn gradient_of(&self, output: Output, values: &[f64], cotangent: &[f64]) -> Result<Vec<f64>> {
        let len = output.len(values.len());
        let plan = kernel::Plan::new(self.network, values.len());
        let trace = row::forward(&plan, self, output, values, &mut vec![0.0; len], true);
        let mut gradient = vec![0.0; values.len()];
        row::backward(&plan, output, trace, cotangent, &mut gradient);
        Ok(gradient)
    }
}
