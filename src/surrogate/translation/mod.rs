//! Losses of translations, learned for metrics of texts.

mod network;

pub use network::TranslationNetwork;

use std::collections::HashMap;
use std::path::Path;

use dfdx::prelude::*;
use serde::{Deserialize, Serialize};

use super::learn::{learn_network, sample_losses};
use super::objective::agreement;
use super::{Learn, Learned};
use crate::error::{check_finite, check_positive, Error, Result};
use crate::files;
use crate::loss::Loss;
use crate::metric::Metric;
use crate::ops::{matrix, target_log_odds, Jet, Parameters, Sequences, Tokens};
use crate::sampler::TranslationSample;
use crate::{Matrix, Scalar, Tape};

/// Samples of translations as the loss network takes them: the tokens of all sentences of all samples, one below the other.
#[derive(Debug, Clone)]
pub struct TranslationBatch {
    /// Scaled log-odds of the reference tokens, (tokens, 1).
    x: Matrix,
    /// How the scaled log-odds change with the log-odds.
    scale: f32,
    /// Sentences, those of a sample next to each other.
    rows: Sequences,
    metric: Vec<f64>,
}

impl TranslationBatch {
    /// Prepares samples, all of the same number of sentences; the log-odds are multiplied by `scale`.
    ///
    /// # Errors
    /// [`Error::Shape`] for no samples, samples of different sizes, lists that do not fit and sentences without tokens;
    /// [`Error::NotFinite`] for NaN or infinite log-odds; [`Error::Parameter`] for a scale that is not positive.
    pub fn new(samples: &[TranslationSample], scale: f32) -> Result<Self> {
        const NAME: &str = "translation batch";
        check_positive("scale", scale)?;
        let sentences = samples.first().map_or(0, |sample| sample.lengths.len());
        if sentences == 0 {
            return Err(Error::shape(NAME, "one sample or more, of one sentence or more", samples.len()));
        }
        let (mut x, mut lengths) = (Vec::new(), Vec::new());
        for (i, sample) in samples.iter().enumerate() {
            if sample.lengths.len() != sentences || sample.lengths.contains(&0) {
                let got = format!("{:?} in sample {i}", sample.lengths);
                return Err(Error::shape(NAME, format!("{sentences} sentences with tokens"), got));
            }
            let rows = Sequences::padded(sample.lengths.clone(), sample.positions)?;
            let odds = rows.pack(&sample.log_odds)?;
            check_finite(NAME, &odds)?;
            x.extend(odds.into_iter().map(|odds| odds * scale));
            lengths.extend_from_slice(&sample.lengths);
        }
        let tokens = x.len();
        Ok(Self {
            x: matrix(x, tokens, 1)?,
            scale,
            rows: Sequences::packed(lengths),
            metric: samples.iter().map(|sample| sample.metric).collect(),
        })
    }
}

/// A learned loss of translations: a small frozen network of what a model gives to the tokens of each reference.
///
/// # Reference
/// Huang et al., "Relational Surrogate Loss Learning", ICLR 2022, and its released translation code, whose network sees
/// logits; here it sees log-odds, which a constant added to all logits does not change.
#[derive(Debug, Clone)]
pub struct TranslationSurrogate {
    network: TranslationNetwork,
    scale: f32,
    metric: String,
}

#[derive(Serialize, Deserialize)]
struct Notes {
    scale: f32,
    metric: String,
}

/// The notes' key in a file.
const NOTES: &str = "reloss.translation";

impl TranslationSurrogate {
    /// A loss from its network; log-odds are multiplied by `scale`, and `metric` names what it was learned for.
    ///
    /// # Errors
    /// [`Error::Parameter`] for a scale that is not positive.
    pub fn new(network: TranslationNetwork, scale: f32, metric: &str) -> Result<Self> {
        check_positive("scale", scale)?;
        Ok(Self { network, scale, metric: metric.to_string() })
    }

    /// The loss network.
    pub fn network(&self) -> &TranslationNetwork {
        &self.network
    }

    /// What log-odds are multiplied by.
    pub fn scale(&self) -> f32 {
        self.scale
    }

    /// The metric this loss was learned for.
    pub fn metric(&self) -> &str {
        &self.metric
    }

    /// The loss of each sample.
    ///
    /// # Errors
    /// [`Error::Shape`] for a sentence that is longer than the network's positions, and as [`TranslationBatch::new`].
    pub fn values(&self, samples: &[TranslationSample]) -> Result<Vec<f64>> {
        let batch = TranslationBatch::new(samples, self.scale)?;
        sample_losses(&self.network, &batch)
    }

    /// Exact Spearman between −loss and metric (loss, where lower is better); 0 for a loss that is the same everywhere.
    ///
    /// # Errors
    /// As [`TranslationSurrogate::values`]; [`Error::Undefined`] when all samples have the same metric.
    pub fn agreement<P: ?Sized, L: ?Sized>(
        &self,
        metric: &dyn Metric<P, L>,
        samples: &[TranslationSample],
    ) -> Result<f64> {
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

    /// What [`TranslationSurrogate::save`] writes: unlike a tensor of a CUDA device, it can be shared between threads.
    ///
    /// # Errors
    /// [`Error::Data`] when the tensors cannot be serialised.
    pub fn to_safetensors(&self) -> Result<Vec<u8>> {
        let notes = Notes { scale: self.scale, metric: self.metric.clone() };
        let text = serde_json::to_string(&notes).map_err(|e| Error::data(Path::new(NOTES), None, e))?;
        self.network.parameters().to_safetensors(HashMap::from([(NOTES.to_string(), text)]))
    }

    /// Reads what [`TranslationSurrogate::save`] wrote.
    ///
    /// # Errors
    /// [`Error::Io`] for a missing file; [`Error::Data`] for a corrupt one or one that does not hold such a network.
    pub fn load(path: &Path) -> Result<Self> {
        Self::from_safetensors(&files::read(path)?, path)
    }

    /// As [`TranslationSurrogate::load`], from bytes; `path` serves the messages.
    ///
    /// # Errors
    /// As [`TranslationSurrogate::load`].
    pub fn from_safetensors(bytes: &[u8], path: &Path) -> Result<Self> {
        let (parameters, notes) = Parameters::from_safetensors(bytes, path)?;
        let data = |e: &dyn std::fmt::Display| Error::data(path, None, e);
        let text = notes.get(NOTES).ok_or_else(|| data(&"not a loss of translations"))?;
        let notes: Notes = serde_json::from_str(text).map_err(|e| data(&e))?;
        let network = TranslationNetwork::from_parameters(&parameters).map_err(|e| data(&e))?;
        Self::new(network, notes.scale, &notes.metric).map_err(|e| data(&e))
    }
}

impl Loss<Tokens> for TranslationSurrogate {
    fn name(&self) -> String {
        "reloss".to_string()
    }

    fn loss(&self, logits: Matrix<Tape>, targets: &Tokens) -> Result<Scalar<Tape>> {
        self.network.fits(targets.rows())?;
        let odds = target_log_odds(logits, targets.ids(), 1.0)?.try_mul(self.scale)?;
        Ok(self.network.sentences(Jet::plain(odds), targets.rows())?.value.try_abs()?.try_mean()?)
    }
}

/// Learns a loss of translations whose ranking agrees with the metric's.
///
/// `draw` makes so many samples of the draw of this number, the same for the same number; no sentence is longer than
/// `positions`. Of `options`, `input.scale` multiplies the log-odds and `hidden` is the network's width (32 serves: ours, for
/// two cores); the rest of `input`, `output_bias` and the penalty's `with_respect_to` have no meaning here: the penalty is
/// always that of each sentence's log-odds.
///
/// # Errors
/// As [`learn`](super::learn), and what `draw` has to say.
pub fn learn_translation<P: ?Sized, L: ?Sized>(
    metric: &dyn Metric<P, L>,
    positions: usize,
    draw: impl Fn(usize, u64) -> Result<Vec<TranslationSample>>,
    options: &Learn,
) -> Result<Learned<TranslationSurrogate>> {
    let scale = options.input.scale;
    let network = TranslationNetwork::new(options.hidden, positions, options.seed)?;
    let draw = |count, number| TranslationBatch::new(&draw(count, options.seed_of(number))?, scale);
    let (network, history, held_out) = learn_network(network, metric, draw, options, |_, _| Ok(()))?;
    Ok(Learned { loss: TranslationSurrogate::new(network, scale, metric.name())?, history, held_out })
}
