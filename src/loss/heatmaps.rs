//! Losses of heatmaps against target heatmaps.

use dfdx::prelude::*;

use super::Loss;
use crate::error::{check_finite, Error, Result};
use crate::ops::{matrix, scalar};
use crate::sampler::PoseSample;
use crate::{Dev, Matrix, Scalar, Tape};

/// Target heatmaps of a batch: (instances, joints · pixels), and which joints count.
#[derive(Debug, Clone)]
pub struct HeatmapTargets {
    values: Matrix,
    counts: Matrix,
    joints: usize,
}

impl HeatmapTargets {
    /// Targets joint by joint, each row by row; `visible` has a flag a joint.
    ///
    /// # Errors
    /// [`Error::Shape`] for heatmaps that do not fit, [`Error::NotFinite`] for NaN or infinite pixels.
    pub fn new(values: Vec<f32>, visible: &[bool], joints: usize) -> Result<Self> {
        let (maps, fits) = (visible.len(), !visible.is_empty() && joints > 0);
        if !fits || !maps.is_multiple_of(joints) || values.is_empty() || !values.len().is_multiple_of(maps) {
            let got = format!("{} pixels and {maps} flags", values.len());
            return Err(Error::shape("heatmap targets", format!("whole instances of {joints} joints"), got));
        }
        check_finite("heatmap targets", &values)?;
        let (rows, pixels) = (maps / joints, values.len() / maps);
        let counts =
            visible.iter().flat_map(|&seen| std::iter::repeat_n(f32::from(u8::from(seen)), pixels)).collect();
        Ok(Self {
            values: matrix(values, rows, joints * pixels)?,
            counts: matrix(counts, rows, joints * pixels)?,
            joints,
        })
    }

    /// How many joints an instance has.
    pub fn joints(&self) -> usize {
        self.joints
    }

    /// Pixels of a heatmap.
    pub fn pixels(&self) -> usize {
        self.values.shape().1 / self.joints
    }

    /// The difference from the targets of every pixel, 0 where a joint does not count: (instances · joints, pixels).
    ///
    /// # Errors
    /// [`Error::Shape`] for heatmaps of other sizes, [`Error::NotFinite`] for NaN or infinite pixels.
    pub fn differences<T: dfdx::prelude::Tape<f32, Dev>>(&self, heatmaps: Matrix<T>) -> Result<Matrix<T>> {
        if heatmaps.shape() != self.values.shape() {
            let expected = format!("heatmaps {:?} of {} joints", self.values.shape(), self.joints);
            return Err(Error::shape("heatmap loss", expected, format!("{:?}", heatmaps.shape())));
        }
        check_finite("heatmap loss", &crate::ops::host(&heatmaps))?;
        let shape = (heatmaps.shape().0 * self.joints, self.pixels());
        let difference = heatmaps.try_sub(self.values.clone())?.try_mul(self.counts.clone())?;
        Ok(difference.try_reshape_like(&shape)?)
    }
}

/// The value of a loss on a sample of heatmaps, without gradients.
///
/// # Errors
/// As [`Loss::loss`].
///
/// # Example
/// ```
/// use reloss::loss::{heatmap_value, HeatmapMse};
/// use reloss::metric::PckMetric;
/// use reloss::sampler::PoseSampler;
/// let samples = PoseSampler::random(3, 8, 8)?.draw(&PckMetric::COARSE, 2, 0)?;
/// assert!(heatmap_value(&HeatmapMse, &samples[0])? > 0.0);
/// # Ok::<(), reloss::Error>(())
/// ```
pub fn heatmap_value(loss: &dyn Loss<HeatmapTargets>, sample: &PoseSample) -> Result<f64> {
    let (rows, joints) = (sample.target.rows(), sample.target.joints());
    let visible: Vec<bool> = sample.target.visible().iter().flatten().copied().collect();
    let targets = HeatmapTargets::new(sample.aims.clone(), &visible, joints)?;
    let heatmaps = matrix(sample.heatmaps.values().to_vec(), rows, joints * sample.heatmaps.pixels())?;
    Ok(f64::from(scalar(&loss.loss(heatmaps.leaky_traced(), &targets)?)))
}

/// The mean squared difference of heatmaps from their targets, over all pixels, 0 for joints that do not count: the loss
/// heatmap networks are trained with.
///
/// # Example
/// ```
/// use dfdx::prelude::*;
/// use reloss::loss::{HeatmapMse, HeatmapTargets, Loss};
/// use reloss::ops::{matrix, scalar};
/// // Two joints of two pixels; the second does not count.
/// let targets = HeatmapTargets::new(vec![1.0, 0.0, 9.0, 9.0], &[true, false], 2)?;
/// let heatmaps = matrix(vec![0.0, 1.0, 0.0, 0.0], 1, 4)?;
/// assert_eq!(scalar(&HeatmapMse.loss(heatmaps.leaky_traced(), &targets)?), 0.5);
/// # Ok::<(), reloss::Error>(())
/// ```
///
/// # Reference
/// Xiao, Wu, Wei, "Simple Baselines for Human Pose Estimation and Tracking", ECCV 2018, up to their factor ½.
#[derive(Debug, Clone, Copy, Default)]
pub struct HeatmapMse;

impl Loss<HeatmapTargets> for HeatmapMse {
    fn name(&self) -> String {
        "mean_squared_error".to_string()
    }

    fn loss(&self, prediction: Matrix<Tape>, target: &HeatmapTargets) -> Result<Scalar<Tape>> {
        Ok(target.differences(prediction)?.try_square()?.try_mean()?)
    }
}
