//! Data sets made on the fly: two classes in the plane.

use rand::Rng;
use rand_chacha::rand_core::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;

use super::Dataset;
use crate::error::{Error, Result};

/// Refuses fewer than four rows, and noise that is negative or not finite.
fn check(rows: usize, noise: f64) -> Result<()> {
    if rows < 4 {
        return Err(Error::parameter("rows", format!("{rows} are too few: four or more")));
    }
    match noise >= 0.0 && noise.is_finite() {
        true => Ok(()),
        false => Err(Error::parameter("noise", format!("{noise} is negative or not finite"))),
    }
}

impl Dataset {
    /// Two half circles that reach into each other, with Gaussian noise of this deviation; rows alternate in class.
    ///
    /// # Errors
    /// [`Error::Parameter`] for fewer than four rows or noise that is negative or not finite.
    ///
    /// # Example
    /// ```
    /// let moons = reloss::data::Dataset::two_moons(100, 0.0, 0)?;
    /// // Without noise the first class lies on the upper half of the unit circle.
    /// assert!((moons.row(0)[0].hypot(moons.row(0)[1]) - 1.0).abs() < 1e-6 && moons.row(0)[1] >= 0.0);
    /// # Ok::<(), reloss::Error>(())
    /// ```
    ///
    /// # Reference
    /// As scikit-learn's `make_moons`, with angles drawn instead of spaced.
    pub fn two_moons(rows: usize, noise: f64, seed: u64) -> Result<Self> {
        check(rows, noise)?;
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut features = Vec::with_capacity(2 * rows);
        for row in 0..rows {
            let angle = rng.gen::<f64>() * std::f64::consts::PI;
            let [x, y] = match row % 2 {
                0 => [angle.cos(), angle.sin()],
                _ => [1.0 - angle.cos(), 0.5 - angle.sin()],
            };
            features.extend([x, y].map(|v| (v + noise * rng.sample::<f64, _>(StandardNormal)) as f32));
        }
        Self::new("two moons", features, 2, (0..rows).map(|row| row % 2).collect(), 2)
    }

    /// Four Gaussian clouds of this deviation at (±1, ±1), opposite ones of one class: no straight line parts them.
    ///
    /// # Errors
    /// As [`Dataset::two_moons`].
    pub fn noisy_xor(rows: usize, noise: f64, seed: u64) -> Result<Self> {
        check(rows, noise)?;
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut features = Vec::with_capacity(2 * rows);
        for row in 0..rows {
            let x = if rng.gen::<bool>() { 1.0 } else { -1.0 };
            let y = if row % 2 == 0 { x } else { -x };
            features.extend([x, y].map(|v: f64| (v + noise * rng.sample::<f64, _>(StandardNormal)) as f32));
        }
        Self::new("noisy XOR", features, 2, (0..rows).map(|row| row % 2).collect(), 2)
    }
}
