//! Soft ranks as the mean of exact ranks under noise.

use rand::Rng;
use rand_chacha::rand_core::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;
use serde::{Deserialize, Serialize};

use super::checks::{check_softness, OnList};
use super::order::ascending;
use super::row::Output;
use super::SoftSort;
use crate::error::{Error, Result};

/// Ranks averaged over normal noise added to the values: E\[rank(x + σ z)\], by Monte Carlo.
///
/// The gradient E\[z · rank(x + σ z)\] / σ is estimated from the same draws, with rank(x) taken off to lower its
/// variance; it is an estimate, not the gradient of the estimated ranks, which are piecewise constant. The same seed
/// gives the same draws for every list of one length.
///
/// # Example
/// ```
/// use reloss::sort::Perturbed;
/// let soft = Perturbed { sigma: 0.1, ..Perturbed::default() };
/// assert_eq!(soft.ranks(&[30.0, 10.0, 20.0])?, [3.0, 1.0, 2.0]);
/// # Ok::<(), reloss::Error>(())
/// ```
///
/// # Reference
/// Berthet, Blondel, Teboul, Cuturi, Vert, Bach, "Learning with differentiable perturbed optimizers", NeurIPS 2020,
/// proposition 3.1.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Perturbed {
    /// σ, the noise's standard deviation, in \[1e-12, 1e12\]. Default: 1 (the paper's code).
    pub sigma: f64,
    /// Draws, one or more. Default: 1000 (the paper's code).
    pub draws: usize,
    /// Seed of the draws.
    pub seed: u64,
}

impl Default for Perturbed {
    fn default() -> Self {
        Self { sigma: 1.0, draws: 1000, seed: 0 }
    }
}

/// What each value's place in exact order gives; ties, which noise makes improbable, in order of appearance.
fn give(values: &[f64], places: &[f64]) -> Vec<f64> {
    let mut given = vec![0.0; values.len()];
    ascending(values).into_iter().zip(places).for_each(|(index, &place)| given[index] = place);
    given
}

impl Perturbed {
    /// The soft ranks of the values, from 1 (smallest) to n.
    ///
    /// # Errors
    /// [`Error::Parameter`] for options out of range, [`Error::Shape`] for an empty list,
    /// [`Error::NotFinite`] for NaN or infinite values.
    ///
    /// # Example
    /// ```
    /// let ranks = reloss::sort::Perturbed::default().ranks(&[0.5, 0.0])?;
    /// // 1 + Φ(0.5/√2) = 1.638 for the larger value.
    /// assert!((ranks[0] - 1.638).abs() < 0.05 && (ranks[0] + ranks[1] - 3.0).abs() < 1e-12);
    /// # Ok::<(), reloss::Error>(())
    /// ```
    pub fn ranks(&self, values: &[f64]) -> Result<Vec<f64>> {
        self.evaluate("ranks", Output::Ranks, values)
    }

    /// An estimate of the gradient of Σ_i cotangent\[i\]·ranks\[i\] with respect to the values.
    ///
    /// # Errors
    /// As [`Perturbed::ranks`]; also [`Error::Shape`] for lists of different lengths.
    ///
    /// # Example
    /// ```
    /// let gradient = reloss::sort::Perturbed::default().ranks_gradient(&[0.5, 0.0], &[1.0, 0.0])?;
    /// assert!(gradient[0] > 0.0 && gradient[1] < 0.0);
    /// # Ok::<(), reloss::Error>(())
    /// ```
    pub fn ranks_gradient(&self, values: &[f64], cotangent: &[f64]) -> Result<Vec<f64>> {
        self.gradient("ranks_gradient", Output::Ranks, values, cotangent)
    }

    /// The estimated Jacobian, row-major: row = value, column = what is given.
    pub(super) fn jacobian(&self, output: Output, values: &[f64]) -> Result<Vec<f64>> {
        let n = values.len();
        let places = self.places(output, n)?;
        let unperturbed = give(values, &places);
        let mut jacobian = vec![0.0; n * n];
        self.each_draw(values, &places, |noise, given| {
            for (row, z) in jacobian.chunks_exact_mut(n).zip(noise) {
                let moved = given.iter().zip(&unperturbed);
                row.iter_mut().zip(moved).for_each(|(sum, (given, before))| *sum += z * (given - before));
            }
        });
        let scale = 1.0 / (self.sigma * self.draws as f64);
        Ok(jacobian.into_iter().map(|sum| sum * scale).collect())
    }

    fn places(&self, output: Output, n: usize) -> Result<Vec<f64>> {
        output.places(n).ok_or_else(|| SoftSort::from(*self).without(output))
    }

    /// Calls `f` with the noise of every draw and what the perturbed values' places give.
    fn each_draw(&self, values: &[f64], places: &[f64], mut f: impl FnMut(&[f64], &[f64])) {
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        for _ in 0..self.draws {
            let noise: Vec<f64> = values.iter().map(|_| rng.sample(StandardNormal)).collect();
            let perturbed: Vec<f64> = values.iter().zip(&noise).map(|(v, z)| v + self.sigma * z).collect();
            f(&noise, &give(&perturbed, places));
        }
    }
}

impl OnList for Perturbed {
    fn check_options(&self) -> Result<()> {
        check_softness("sigma", self.sigma)?;
        if self.draws == 0 {
            return Err(Error::parameter("draws", "one or more are needed"));
        }
        Ok(())
    }

    fn check_output(&self, output: Output) -> Result<()> {
        self.places(output, 1).map(drop)
    }

    fn output_of(&self, output: Output, values: &[f64]) -> Result<Vec<f64>> {
        let places = self.places(output, values.len())?;
        let mut sums = vec![0.0; values.len()];
        self.each_draw(values, &places, |_, given| {
            sums.iter_mut().zip(given).for_each(|(sum, given)| *sum += given);
        });
        Ok(sums.into_iter().map(|sum| sum / self.draws as f64).collect())
    }

    fn gradient_of(&self, output: Output, values: &[f64], cotangent: &[f64]) -> Result<Vec<f64>> {
        let places = self.places(output, values.len())?;
        let unperturbed = give(values, &places);
        let mut gradient = vec![0.0; values.len()];
        self.each_draw(values, &places, |noise, given| {
            let moved = given.iter().zip(&unperturbed).zip(cotangent);
            let gain: f64 = moved.map(|((given, before), g)| g * (given - before)).sum();
            gradient.iter_mut().zip(noise).for_each(|(sum, z)| *sum += z * gain);
        });
        let scale = 1.0 / (self.sigma * self.draws as f64);
        Ok(gradient.into_iter().map(|sum| sum * scale).collect())
    }
}
