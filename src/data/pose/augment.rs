//! Random views and lights.

use rand::Rng;
use rand_chacha::rand_core::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;

use super::{Crop, View};
use crate::error::{Error, Result};

/// How much random views differ; all deviations are of normal draws, cut off at two deviations.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PoseAugment {
    /// Deviation of the rotation, in radians.
    pub rotation: f64,
    /// Deviation of the scale's logarithm.
    pub scale: f64,
    /// Deviation of the shift on each axis, in shares of the crop.
    pub shift: f64,
    /// Whether half of the views are mirrored.
    pub flip: bool,
    /// Deviation of the logarithm of the contrast.
    pub contrast: f64,
    /// Deviation of what is added to every pixel of \[0, 1\].
    pub brightness: f64,
}

impl Default for PoseAugment {
    /// Up to ±40° as Xiao et al. 2018, and mirrors; the rest ours, mild enough to keep the figure in its crop.
    fn default() -> Self {
        let rotation = 20f64.to_radians();
        Self { rotation, scale: 0.12, shift: 0.03, flip: true, contrast: 0.15, brightness: 0.05 }
    }
}

impl PoseAugment {
    fn check(&self) -> Result<()> {
        let all = [self.rotation, self.scale, self.shift, self.contrast, self.brightness];
        match all.iter().find(|&&deviation| !(deviation >= 0.0 && deviation.is_finite())) {
            Some(wrong) => Err(Error::parameter("augment", format!("a deviation of {wrong}"))),
            None => Ok(()),
        }
    }

    /// A random view of this size; the same seed draws the same.
    ///
    /// # Errors
    /// [`Error::Parameter`] for a deviation that is negative or not finite.
    ///
    /// # Example
    /// ```
    /// use reloss::data::{PoseAugment, View};
    /// let none = PoseAugment { rotation: 0.0, scale: 0.0, shift: 0.0, flip: false, ..PoseAugment::default() };
    /// assert_eq!(none.view(64, 48, 7)?, View::new(64, 48));
    /// assert_ne!(PoseAugment::default().view(64, 48, 7)?, View::new(64, 48));
    /// # Ok::<(), reloss::Error>(())
    /// ```
    pub fn view(&self, height: usize, width: usize, seed: u64) -> Result<View> {
        self.check()?;
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let rotation = self.rotation * cut_normal(&mut rng);
        let scale = (self.scale * cut_normal(&mut rng)).exp();
        let shift = [(); 2].map(|()| self.shift * cut_normal(&mut rng));
        let flip = rng.gen::<bool>() && self.flip;
        Ok(View { height, width, scale, rotation, shift, flip })
    }

    /// Changes contrast (about the crop's mean) and brightness at random, within \[0, 1\]; the same seed draws the same.
    ///
    /// The draws do not depend on those of [`PoseAugment::view`] for the same seed.
    ///
    /// # Errors
    /// As [`PoseAugment::view`].
    ///
    /// # Example
    /// ```
    /// use reloss::data::{PoseAugment, PoseSet, View};
    /// let mut crop = PoseSet::figures(1, 64, 0)?.crop(0, &View::new(32, 32))?;
    /// let before = crop.clone();
    /// PoseAugment { contrast: 0.0, brightness: 0.0, ..PoseAugment::default() }.light(&mut crop, 7)?;
    /// assert!(crop.pixels.iter().zip(&before.pixels).all(|(new, old)| (new - old).abs() < 1e-6));
    /// PoseAugment::default().light(&mut crop, 7)?;
    /// assert_ne!(crop, before);
    /// # Ok::<(), reloss::Error>(())
    /// ```
    pub fn light(&self, crop: &mut Crop, seed: u64) -> Result<()> {
        self.check()?;
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(1);
        let contrast = (self.contrast * cut_normal(&mut rng)).exp() as f32;
        let brightness = (self.brightness * cut_normal(&mut rng)) as f32;
        let sum: f64 = crop.pixels.iter().map(|&v| f64::from(v)).sum();
        let mean = (sum / crop.pixels.len().max(1) as f64) as f32;
        let change = |v: f32| ((v - mean) * contrast + mean + brightness).clamp(0.0, 1.0);
        crop.pixels.iter_mut().for_each(|v| *v = change(*v));
        Ok(())
    }
}

/// A standard normal draw, drawn again beyond two deviations: no figure on its head by a rare draw.
pub(super) fn cut_normal(rng: &mut ChaCha8Rng) -> f64 {
    loop {
        let draw: f64 = rng.sample(StandardNormal);
        if draw.abs() <= 2.0 {
            return draw;
        }
    }
}
