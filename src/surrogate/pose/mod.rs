//! Losses of heatmaps, learned for metrics of keypoints.

mod exact;
mod network;

pub use exact::{weighted_heatmap_error, JointWeights};
pub use network::{PoseForm, PoseNetwork};

use dfdx::prelude::*;

use super::{learn_modality, Learn, Learned, LearnedLoss, Modality, Rival, WithRespectTo};
use crate::error::{Error, Result};
use crate::loss::{heatmap_value, HeatmapMse, HeatmapTargets, Loss};
use crate::metric::{Heatmaps, Keypoints, Metric};
use crate::ops::{matrix, Parameters};
use crate::sampler::{PoseSample, PoseSampler};
use crate::{Matrix, Scalar, Tape};

/// Samples of heatmaps as the loss network takes them: all joints of all instances of all samples, one below the other.
#[derive(Debug, Clone)]
pub struct PoseBatch {
    /// Squared differences from the targets, (samples · instances · joints, pixels).
    squares: Matrix,
    /// Their derivative by the heatmaps.
    steepness: Matrix,
    joints: usize,
    metric: Vec<f64>,
}

impl PoseBatch {
    /// Prepares samples, all of the same number of instances.
    ///
    /// # Errors
    /// [`Error::Shape`] for no samples or samples of different sizes.
    pub fn new(samples: &[PoseSample]) -> Result<Self> {
        let Some(first) = samples.first() else {
            return Err(Error::shape("pose batch", "one sample or more", 0));
        };
        let (joints, pixels) = (first.target.joints(), first.heatmaps.pixels());
        let maps = first.target.rows() * joints;
        let (mut squares, mut steepness) = (Vec::new(), Vec::new());
        for (i, sample) in samples.iter().enumerate() {
            let got = (sample.target.rows() * sample.target.joints(), sample.heatmaps.pixels());
            let whole = sample.aims.len() == sample.heatmaps.values().len();
            if got != (maps, pixels) || sample.target.joints() != joints || !whole {
                let expected = format!("{maps} heatmaps of {pixels} pixels");
                return Err(Error::shape("pose batch", expected, format!("{got:?} in sample {i}")));
            }
            let seen = sample.target.visible().iter().flatten();
            let values = sample.heatmaps.values().chunks_exact(pixels);
            for ((map, target), &seen) in values.zip(sample.aims.chunks_exact(pixels)).zip(seen) {
                let difference = map.iter().zip(target).map(|(h, t)| if seen { h - t } else { 0.0 });
                difference.for_each(|d| {
                    squares.push(d * d);
                    steepness.push(2.0 * d);
                });
            }
        }
        let rows = samples.len() * maps;
        Ok(Self {
            squares: matrix(squares, rows, pixels)?,
            steepness: matrix(steepness, rows, pixels)?,
            joints,
            metric: samples.iter().map(|s| s.metric).collect(),
        })
    }
}

/// A learned loss of heatmaps: a small frozen network of each joint's squared differences, averaged over joints and instances.
///
/// # Reference
/// Huang et al., "Relational Surrogate Loss Learning", ICLR 2022, and its released pose code.
pub type PoseSurrogate = LearnedLoss<OfHeatmaps>;

/// Heatmaps, as losses are learned of them.
#[derive(Debug, Clone, Copy)]
pub struct OfHeatmaps;

impl Modality for OfHeatmaps {
    type Network = PoseNetwork;
    type Input = ();
    type Sample = PoseSample;
    const KEY: &'static str = "reloss.pose";

    fn batch(samples: &[PoseSample], _: &(), _: WithRespectTo) -> Result<PoseBatch> {
        PoseBatch::new(samples)
    }

    fn network(parameters: &Parameters, _: &()) -> Result<PoseNetwork> {
        PoseNetwork::from_parameters(parameters)
    }

    fn rivals() -> Vec<Rival<PoseSample>> {
        vec![Rival::new("squared error", |sample| heatmap_value(&HeatmapMse, sample))]
    }
}

impl Loss<HeatmapTargets> for PoseSurrogate {
    fn name(&self) -> String {
        match self.network().form() {
            PoseForm::Weighted => "reloss".to_string(),
            PoseForm::Saturating => "reloss_saturating".to_string(),
        }
    }

    fn loss(&self, prediction: Matrix<Tape>, target: &HeatmapTargets) -> Result<Scalar<Tape>> {
        self.network().fits(target.pixels())?;
        let squares = target.differences(prediction)?.try_square()?;
        Ok(self.network().joints(squares)?.try_mean()?)
    }
}

/// Learns a loss of heatmaps whose ranking agrees with the metric's.
///
/// Of `options`, `input`, `monotone`, `depth`, `activation` and `output_bias` have no meaning here; the penalty is always that
/// of each instance's heatmaps.
///
/// # Errors
/// As [`learn`](super::learn).
///
/// # Example
/// ```
/// use reloss::metric::PckMetric;
/// use reloss::sampler::PoseSampler;
/// use reloss::surrogate::{learn_pose, Learn, PoseForm};
/// // No model yet: perturbed targets of 5 joints, 16 × 16 pixels.
/// let sampler = PoseSampler::random(5, 16, 16)?;
/// let options = Learn { steps: 20, samples: 16, held_out: 32, hidden: 8, ..Learn::default() };
/// let learned = learn_pose(PoseForm::Weighted, &PckMetric::new(0.2)?, &sampler, &options)?;
/// assert!(learned.held_out > 0.5);
/// # Ok::<(), reloss::Error>(())
/// ```
pub fn learn_pose(
    form: PoseForm,
    metric: &dyn Metric<Heatmaps, Keypoints>,
    sampler: &PoseSampler,
    options: &Learn,
) -> Result<Learned<PoseSurrogate>> {
    let network = PoseNetwork::new(form, sampler.pixels(), options.hidden, options.seed)?;
    learn_modality(network, (), metric, |count, seed| sampler.draw(metric, count, seed), options)
}
