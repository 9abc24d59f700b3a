//! Losses of heatmaps, learned for metrics of keypoints.

mod exact;
mod network;

pub use exact::{weighted_heatmap_error, JointWeights};
pub use network::{PoseForm, PoseNetwork};

use std::path::Path;

use dfdx::prelude::*;
use serde::{Deserialize, Serialize};

use super::learn::{learn_network, sample_losses};
use super::notes;
use super::objective::agreement;
use super::{Learn, Learned};
use crate::error::{Error, Result};
use crate::files;
use crate::loss::{HeatmapTargets, Loss};
use crate::metric::{Heatmaps, Keypoints, Metric};
use crate::ops::matrix;
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
#[derive(Debug, Clone)]
pub struct PoseSurrogate {
    network: PoseNetwork,
    metric: String,
}

#[derive(Serialize, Deserialize)]
struct Notes {
    metric: String,
}

/// The notes' key in a file.
const NOTES: &str = "reloss.pose";

impl PoseSurrogate {
    /// A loss from its network; `metric` names what it was learned for.
    pub fn new(network: PoseNetwork, metric: &str) -> Self {
        Self { network, metric: metric.to_string() }
    }

    /// The loss network.
    pub fn network(&self) -> &PoseNetwork {
        &self.network
    }

    /// The metric this loss was learned for.
    pub fn metric(&self) -> &str {
        &self.metric
    }

    /// The loss of each sample.
    ///
    /// # Errors
    /// [`Error::Shape`] for heatmaps of other sizes than the network's, and as [`PoseBatch::new`].
    pub fn values(&self, samples: &[PoseSample]) -> Result<Vec<f64>> {
        sample_losses(&self.network, &PoseBatch::new(samples)?)
    }

    /// Exact Spearman between −loss and metric (loss, where lower is better); 0 for a loss that is the same everywhere.
    ///
    /// # Errors
    /// As [`PoseSurrogate::values`]; [`Error::Undefined`] when all samples have the same metric.
    pub fn agreement(&self, metric: &dyn Metric<Heatmaps, Keypoints>, samples: &[PoseSample]) -> Result<f64> {
        let values: Vec<f64> = samples.iter().map(|sample| sample.metric).collect();
        agreement(&self.values(samples)?, &values, metric.direction())
    }

    /// Writes the network as safetensors, atomically.
    ///
    /// # Errors
    /// [`Error::Io`] when the file cannot be written.
    pub fn save(&self, path: &Path) -> Result<()> {
        files::write_atomic(path, &self.to_safetensors()?)
    }

    /// What [`PoseSurrogate::save`] writes: unlike a tensor of a CUDA device, it can be shared between threads.
    ///
    /// # Errors
    /// [`Error::Data`] when the tensors cannot be serialised.
    pub fn to_safetensors(&self) -> Result<Vec<u8>> {
        let notes = Notes { metric: self.metric.clone() };
        notes::to_safetensors(self.network.parameters(), NOTES, &notes)
    }

    /// Reads what [`PoseSurrogate::save`] wrote.
    ///
    /// # Errors
    /// [`Error::Io`] for a missing file; [`Error::Data`] for a corrupt one or one that does not hold such a network.
    pub fn load(path: &Path) -> Result<Self> {
        Self::from_safetensors(&files::read(path)?, path)
    }

    /// As [`PoseSurrogate::load`], from bytes; `path` serves the messages.
    ///
    /// # Errors
    /// As [`PoseSurrogate::load`].
    pub fn from_safetensors(bytes: &[u8], path: &Path) -> Result<Self> {
        let (parameters, notes) = notes::from_safetensors::<Notes>(bytes, path, NOTES)?;
        let data = |e: &dyn std::fmt::Display| Error::data(path, None, e);
        let notes = notes.ok_or_else(|| data(&"not a loss of heatmaps"))?;
        let network = PoseNetwork::from_parameters(&parameters).map_err(|e| data(&e))?;
        Ok(Self::new(network, &notes.metric))
    }
}

impl Loss<HeatmapTargets> for PoseSurrogate {
    fn name(&self) -> String {
        match self.network.form() {
            PoseForm::Weighted => "reloss".to_string(),
            PoseForm::Saturating => "reloss_saturating".to_string(),
        }
    }

    fn loss(&self, prediction: Matrix<Tape>, target: &HeatmapTargets) -> Result<Scalar<Tape>> {
        self.network.fits(target.pixels())?;
        let squares = target.differences(prediction)?.try_square()?;
        Ok(self.network.joints(squares)?.try_mean()?)
    }
}

/// Learns a loss of heatmaps whose ranking agrees with the metric's.
///
/// Of `options`, `input` and `output_bias` have no meaning here; the penalty is always that of each instance's heatmaps.
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
    let draw = |count, draw| PoseBatch::new(&sampler.draw(metric, count, options.seed_of(draw))?);
    let (network, history, held_out) = learn_network(network, metric, draw, options, |_, _| Ok(()))?;
    Ok(Learned { loss: PoseSurrogate::new(network, metric.name()), history, held_out })
}
