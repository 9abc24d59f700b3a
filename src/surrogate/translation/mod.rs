//! Losses of translations, learned for metrics of texts.

mod network;
mod ngrams;

pub use network::TranslationNetwork;
pub use ngrams::{learn_ngrams, NgramInput, NgramSurrogate, OfNgrams};

use dfdx::prelude::*;

use super::{learn_modality, Feature, Input, Learn, Learned, LearnedLoss, Modality, Rival, WithRespectTo};
use crate::error::{check_finite, check_positive, Error, Result};
use crate::loss::Loss;
use crate::metric::Metric;
use crate::ops::{matrix, target_log_odds, token_cross_entropy, Jet, Parameters, Sequences, Tokens};
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
    /// [`Error::NotFinite`] for NaN or infinite log-odds; [`Error::Parameter`] for another input than log-odds or log-probability alone.
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
pub type TranslationSurrogate = LearnedLoss<OfTranslations>;

/// Translations, as losses are learned of them: of a token the network sees its log-odds or its log-probability alone.
#[derive(Debug, Clone, Copy)]
pub struct OfTranslations;

impl Modality for OfTranslations {
    type Network = TranslationNetwork;
    type Input = Input;
    type Sample = TranslationSample;
    const KEY: &'static str = "reloss.translation";

    fn batch(samples: &[TranslationSample], input: &Input, _: WithRespectTo) -> Result<TranslationBatch> {
        TranslationBatch::new(samples, input)
    }

    fn network(parameters: &Parameters, input: &Input) -> Result<TranslationNetwork> {
        check(input)?;
        TranslationNetwork::from_parameters(parameters)
    }

    fn rivals() -> Vec<Rival<TranslationSample>> {
        vec![Rival::new("cross entropy", |sample: &TranslationSample| Ok(sample.cross_entropy()))]
    }
}

impl Loss<Tokens> for TranslationSurrogate {
    fn name(&self) -> String {
        "reloss".to_string()
    }

    fn loss(&self, logits: Matrix<Tape>, targets: &Tokens) -> Result<Scalar<Tape>> {
        self.network().fits(targets.rows())?;
        let seen = match self.input().feature {
            Feature::LogProbability => token_cross_entropy(logits, targets.ids(), 0.0)?.try_negate()?,
            _ => target_log_odds(logits, targets.ids(), 1.0)?,
        };
        let seen = seen.try_mul(self.input().scale)?;
        Ok(self.network().sentences(Jet::plain(seen), targets.rows())?.value.try_abs()?.try_mean()?)
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
    learn_modality(network, options.input.clone(), metric, draw, options)
}
