//! Losses of translations, learned for metrics of texts.

mod network;

pub use network::TranslationNetwork;

use std::path::Path;

use dfdx::prelude::*;
use serde::{Deserialize, Serialize};

use super::learn::{learn_network, sample_losses};
use super::notes;
use super::objective::agreement;
use super::{Feature, Input, Learn, Learned};
use crate::error::{check_finite, check_positive, Error, Result};
use crate::files;
use crate::loss::Loss;
use crate::metric::Metric;
use crate::ops::{matrix, target_log_odds, token_cross_entropy, Jet, Sequences, Tokens};
use crate::sampler::TranslationSample;
use crate::{Matrix, Scalar, Tape};

/// Samples of translations as the loss network takes them: the tokens of all sentences of all samples, one below the other.
#[derive(Debug, Clone)]
pub struct TranslationBatch {
    /// The feature of the reference tokens times its scale, (tokens, 1).
    x: Matrix,
    scale: f32,
    /// Sentences, those of a sample next to each other.
    rows: Sequences,
    metric: Vec<f64>,
}

impl TranslationBatch {
    /// Prepares samples, all of the same number of sentences.
    ///
    /// # Errors
    /// [`Error::Shape`] for no samples, samples of different sizes, lists that do not fit and sentences without tokens;
    /// [`Error::NotFinite`] for NaN or infinite log-odds; [`Error::Parameter`] as [`TranslationSurrogate::new`].
    pub fn new(samples: &[TranslationSample], input: &Input) -> Result<Self> {
        const NAME: &str = "translation batch";
        check(input)?;
        let scale = input.scale;
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
            x.extend(odds.into_iter().map(|odds| scale * seen(input.feature, odds)));
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

/// What the network sees of log-odds.
fn seen(feature: Feature, odds: f32) -> f32 {
    match feature {
        // ln p = −ln(1 + e^−odds), without overflow
        Feature::LogProbability => odds.min(0.0) - (-odds.abs()).exp().ln_1p(),
        _ => odds,
    }
}

/// Refuses inputs that have no meaning for tokens.
fn check(input: &Input) -> Result<()> {
    check_positive("scale", input.scale)?;
    let plain = Input { feature: input.feature, scale: input.scale, ..Input::default() };
    match input.feature {
        Feature::LogOdds | Feature::LogProbability if *input == plain => Ok(()),
        _ => {
            let reason = "of a token the network sees log-odds or the log-probability, at temperature 1, and nothing else";
            Err(Error::parameter("input", reason))
        }
    }
}

/// A learned loss of translations: a small frozen network of what a model gives to the tokens of each reference.
///
/// # Reference
/// Huang et al., "Relational Surrogate Loss Learning", ICLR 2022, and its released translation code, whose network sees
/// logits; here it sees log-probabilities or log-odds, which a constant added to all logits does not change.
#[derive(Debug, Clone)]
pub struct TranslationSurrogate {
    network: TranslationNetwork,
    input: Input,
    metric: String,
}

#[derive(Serialize, Deserialize)]
struct Notes {
    input: Input,
    metric: String,
}

/// The notes' key in a file.
const NOTES: &str = "reloss.translation";

impl TranslationSurrogate {
    /// A loss from its network and what that sees of a token; `metric` names what it was learned for.
    ///
    /// # Errors
    /// [`Error::Parameter`] for a scale that is not positive, and for an input other than [`Feature::LogOdds`] or
    /// [`Feature::LogProbability`] alone.
    pub fn new(network: TranslationNetwork, input: Input, metric: &str) -> Result<Self> {
        check(&input)?;
        Ok(Self { network, input, metric: metric.to_string() })
    }

    /// The loss network.
    pub fn network(&self) -> &TranslationNetwork {
        &self.network
    }

    /// What the network sees of a token.
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
    /// [`Error::Shape`] for a sentence that is longer than the network's positions, and as [`TranslationBatch::new`].
    pub fn values(&self, samples: &[TranslationSample]) -> Result<Vec<f64>> {
        let batch = TranslationBatch::new(samples, &self.input)?;
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
        let notes = Notes { input: self.input.clone(), metric: self.metric.clone() };
        notes::to_safetensors(self.network.parameters(), NOTES, &notes)
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
        let (parameters, notes) = notes::from_safetensors::<Notes>(bytes, path, NOTES)?;
        let data = |e: &dyn std::fmt::Display| Error::data(path, None, e);
        let notes = notes.ok_or_else(|| data(&"not a loss of translations"))?;
        let network = TranslationNetwork::from_parameters(&parameters).map_err(|e| data(&e))?;
        Self::new(network, notes.input, &notes.metric).map_err(|e| data(&e))
    }
}

impl Loss<Tokens> for TranslationSurrogate {
    fn name(&self) -> String {
        "reloss".to_string()
    }

    fn loss(&self, logits: Matrix<Tape>, targets: &Tokens) -> Result<Scalar<Tape>> {
        self.network.fits(targets.rows())?;
        let seen = match self.input.feature {
            Feature::LogProbability => token_cross_entropy(logits, targets.ids(), 0.0)?.try_negate()?,
            _ => target_log_odds(logits, targets.ids(), 1.0)?,
        };
        let seen = seen.try_mul(self.input.scale)?;
        Ok(self.network.sentences(Jet::plain(seen), targets.rows())?.value.try_abs()?.try_mean()?)
    }
}

/// Learns a loss of translations whose ranking agrees with the metric's.
///
/// `draw` makes so many samples of the draw of this number, the same for the same number; no sentence is longer than
/// `positions`. Of `options`, `hidden` is the network's width (32 serves: ours, for two cores); the penalty is always that of
/// each sentence's features, whatever its `with_respect_to`.
///
/// # Errors
/// As [`learn`](super::learn), and what `draw` has to say.
pub fn learn_translation<P: ?Sized, L: ?Sized>(
    metric: &dyn Metric<P, L>,
    positions: usize,
    draw: impl Fn(usize, u64) -> Result<Vec<TranslationSample>>,
    options: &Learn,
) -> Result<Learned<TranslationSurrogate>> {
    let network = TranslationNetwork::new(options.hidden, positions, options.seed)?;
    let network = network.with_output_bias(options.output_bias)?;
    let draw = |count, number| TranslationBatch::new(&draw(count, options.seed_of(number))?, &options.input);
    let (network, history, held_out) = learn_network(network, metric, draw, options, |_, _| Ok(()))?;
    Ok(Learned {
        loss: TranslationSurrogate::new(network, options.input.clone(), metric.name())?,
        history,
        held_out,
    })
}
