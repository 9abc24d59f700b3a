//! Surrogate losses: learned to rank batches of predictions as a metric does, then frozen.
//!
//! ```text
//! sampler → samples (predictions + metric value) → input of the loss network
//!         → network with tangents → objective → learn → Surrogate (a Loss)
//! ```

mod checkpoint;
mod feature;
mod input;
mod learn;
mod learned_loss;
mod loss_network;
mod network;
mod notes;
mod objective;
mod pose;
mod pretrained;
mod reading;
mod refreshed;
mod report;
mod run;
mod tangents;
mod translation;

pub use feature::{Feature, Trend};
pub use input::{Batch, Input, WithRespectTo};
pub use learn::{learn, learn_watched, Learn, Learned, Step};
pub use learned_loss::{learn_modality, LearnedLoss, Modality};
pub use loss_network::{Judged, LossNetwork};
pub use network::Network;
pub use objective::{objective, Fit, Objective, Penalty, Slope};
pub use pose::{
    learn_pose, weighted_heatmap_error, JointWeights, OfHeatmaps, PoseBatch, PoseForm, PoseNetwork,
    PoseSurrogate,
};
pub use pretrained::Pretrained;
pub use reading::{learn_reading, OfAnswers, ReadingSurrogate, SpanInput};
pub use refreshed::Refreshed;
pub use report::{Agreement, Calibration, Group, Profile, Report, ReportOptions, Reported, Rival, Warning};
pub use run::learn_network;
pub use translation::{
    learn_ngrams, learn_translation, NgramInput, NgramSurrogate, OfNgrams, OfTranslations, TranslationBatch,
    TranslationNetwork, TranslationSurrogate,
};

use std::path::Path;

use dfdx::prelude::*;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::files;
use crate::loss::Loss;
use crate::metric::Metric;
use crate::ops::{check_batch, host, matrix, Activation};
use crate::sampler::Sample;
use crate::{Dev, Matrix, Scalar, Tape};
use input::Balance;

/// A learned loss: a small frozen network of what a model predicts for each label.
///
/// # Reference
/// Huang et al., "Relational Surrogate Loss Learning", ICLR 2022. The network is that of the
/// released classification code, |MLP(p)| averaged over the batch.
#[derive(Debug, Clone)]
pub struct Surrogate {
    network: Network,
    input: Input,
    metric: String,
    shares: Option<Vec<f32>>,
}

/// What a file holds beside the network.
#[derive(Serialize, Deserialize)]
struct Notes {
    input: Input,
    metric: String,
    shares: Option<Vec<f32>>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    monotone: bool,
    /// Where it is not ELU.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    activation: Option<Activation>,
}

/// The notes' key in a file.
const NOTES: &str = "reloss.loss";

impl Surrogate {
    /// A loss from its parts; `metric` names what it was learned for.
    ///
    /// # Errors
    /// [`Error::Shape`] when the network does not take what `input` gives; [`Error::Parameter`] for an input that makes no
    /// sense, or a monotone network that goes other ways than [`Input::trends`].
    pub fn new(network: Network, input: Input, metric: &str) -> Result<Self> {
        input.check()?;
        if network.inputs() != input.width() {
            return Err(Error::shape(
                "surrogate",
                format!("a network of {} inputs", input.width()),
                network.inputs(),
            ));
        }
        if network.trends().is_some_and(|trends| *trends != input.trends()) {
            let reason = "it is monotone, but not in the way of these features";
            return Err(Error::parameter("network", reason));
        }
        Ok(Self { network, input, metric: metric.to_string(), shares: None })
    }

    /// This loss for data whose classes have the shares of these labels.
    ///
    /// Matters for a balanced input only; without it each batch's own labels give the shares.
    ///
    /// # Errors
    /// [`Error::Shape`] for a label that is not below `classes`, or no labels.
    pub fn with_shares_of(mut self, labels: &[usize], classes: usize) -> Result<Self> {
        if labels.is_empty() {
            return Err(Error::shape("surrogate", "labels", "none"));
        }
        let counts = crate::metric::class_counts(labels, classes)?;
        self.shares = Some(counts.iter().map(|&c| c as f32 / labels.len() as f32).collect());
        Ok(self)
    }

    /// The same loss without the shares of any classes: each batch's own labels give them again.
    pub fn without_shares(self) -> Self {
        Self { shares: None, ..self }
    }

    /// The loss network.
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// The loss network, for whoever goes on learning it.
    pub(crate) fn network_mut(&mut self) -> &mut Network {
        &mut self.network
    }

    /// What the network is given of a prediction.
    pub fn input(&self) -> &Input {
        &self.input
    }

    /// The metric this loss was learned for.
    pub fn metric(&self) -> &str {
        &self.metric
    }

    /// The loss of each sample.
    ///
    /// # Errors
    /// As [`Batch::new`].
    pub fn values(&self, samples: &[Sample]) -> Result<Vec<f64>> {
        let batch = Batch::new(samples, &self.input, WithRespectTo::Feature)?;
        run::sample_losses(&self.network, &batch)
    }

    /// Exact Spearman between −loss and metric (loss, where lower is better); 0 for a loss that is the same everywhere.
    ///
    /// # Errors
    /// As [`Batch::new`]; [`Error::Undefined`] when all samples have the same metric.
    pub fn agreement(&self, metric: &dyn Metric, samples: &[Sample]) -> Result<f64> {
        let values: Vec<f64> = samples.iter().map(|sample| sample.metric).collect();
        objective::agreement(&self.values(samples)?, &values, metric.direction())
    }

    /// The gradient's norm of each row of each sample, times the rows of a sample: what the penalty holds near 1.
    ///
    /// # Errors
    /// As [`Batch::new`].
    pub fn slopes(&self, samples: &[Sample], with_respect_to: WithRespectTo) -> Result<Vec<f64>> {
        let batch = Batch::new(samples, &self.input, with_respect_to)?;
        let judged = self.network.judge(&batch, NoneTape)?;
        Ok(host(&judged.slopes).into_iter().map(|slope| f64::from(slope.abs())).collect())
    }

    /// Writes the network as safetensors, atomically, with PyTorch's parameter names.
    ///
    /// The names are those of the released code (`logits_fcs.0.weight`, …), so that weights move
    /// to and from PyTorch; the input's settings and the classes' shares travel as notes beside them.
    ///
    /// # Errors
    /// [`Error::Io`] when the file cannot be written.
    ///
    #[doc = include_str!("pytorch.md")]
    pub fn save(&self, path: &Path) -> Result<()> {
        files::write_atomic(path, &self.to_safetensors()?)
    }

    /// What [`Surrogate::save`] writes: unlike a tensor of a CUDA device, it can be shared between threads.
    ///
    /// # Errors
    /// [`Error::Data`] when the tensors cannot be serialised.
    pub fn to_safetensors(&self) -> Result<Vec<u8>> {
        let notes = Notes {
            input: self.input.clone(),
            metric: self.metric.clone(),
            shares: self.shares.clone(),
            monotone: self.network.is_monotone(),
            activation: Some(self.network.activation()).filter(|&activation| activation != Activation::Elu),
        };
        notes::to_safetensors(self.network.parameters(), NOTES, &notes)
    }

    /// Reads what [`Surrogate::save`] wrote, or the released weights as safetensors.
    ///
    /// A file without notes is taken as released: input p at temperature 1.
    ///
    /// # Errors
    /// [`Error::Io`] for a missing file; [`Error::Data`] for a corrupt one or one that does not
    /// hold this network.
    pub fn load(path: &Path) -> Result<Self> {
        Self::from_safetensors(&files::read(path)?, path)
    }

    /// As [`Surrogate::load`], from bytes; `path` serves the messages.
    ///
    /// # Errors
    /// As [`Surrogate::load`].
    pub fn from_safetensors(bytes: &[u8], path: &Path) -> Result<Self> {
        let (parameters, notes) = notes::from_safetensors::<Notes>(bytes, path, NOTES)?;
        let data = |e: &dyn std::fmt::Display| Error::data(path, None, e);
        let notes = notes.unwrap_or_else(|| {
            let metric = "unknown".to_string();
            Notes { input: Input::released(), metric, shares: None, monotone: false, activation: None }
        });
        let network = Network::from_parameters(&parameters).and_then(|network| match notes.monotone {
            true => network.held_to(&notes.input.trends()),
            false => Ok(network),
        });
        let network = network.map_err(|e| data(&e))?;
        let network = network.with_activation(notes.activation.unwrap_or(Activation::Elu));
        let loss = Self::new(network, notes.input, &notes.metric).map_err(|e| data(&e))?;
        Ok(Self { shares: notes.shares, ..loss })
    }

    /// The loss of each row, |network(input)| (network(input), where it is monotone) times the row's weight, differentiable with respect
    /// to the logits.
    ///
    /// # Shapes
    /// `logits` (rows, classes) → (rows, 1).
    ///
    /// # Errors
    /// As [`Loss::loss`]; [`Error::Parameter`] for a loss that sees the batch as a set: its rows have none of their own.
    pub fn rows<T: dfdx::prelude::Tape<f32, Dev>>(
        &self,
        logits: Matrix<T>,
        labels: &[usize],
    ) -> Result<Matrix<T>> {
        if self.input.set {
            return Err(Error::parameter("input", "a loss of sets has no losses of rows"));
        }
        let (x, balance) = self.seen(logits, labels)?;
        let losses = self.network.rows(x)?;
        if !self.input.balanced {
            return Ok(losses);
        }
        let weight = matrix(balance.weight, labels.len(), 1)?;
        Ok(losses.try_mul(weight)?)
    }

    /// What the network is given of a batch.
    fn seen<T: dfdx::prelude::Tape<f32, Dev>>(
        &self,
        logits: Matrix<T>,
        labels: &[usize],
    ) -> Result<(Matrix<T>, Balance)> {
        check_batch("surrogate", &logits, labels)?;
        let balance = Balance::new(labels, logits.shape().1, self.shares.as_deref())?;
        Ok((self.input.of(logits, labels, &balance)?, balance))
    }
}

impl Loss for Surrogate {
    fn name(&self) -> String {
        "reloss".to_string()
    }

    fn loss(&self, logits: Matrix<Tape>, labels: &[usize]) -> Result<Scalar<Tape>> {
        if self.input.set {
            let (x, _) = self.seen(logits, labels)?;
            return Ok(self.network.set(x)?.try_mean()?);
        }
        Ok(self.rows(logits, labels)?.try_mean()?)
    }
}
