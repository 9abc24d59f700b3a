//! A loss of translations that sees how many n-grams are expected to be matched.

use dfdx::prelude::*;
use serde::{Deserialize, Serialize};

use super::super::input::unit_vectors;
use super::super::{
    learn_modality, Batch, Learn, Learned, LearnedLoss, Modality, Network, Rival, WithRespectTo,
};
use crate::error::{check_finite, check_positive, Error, Result};
use crate::loss::Loss;
use crate::metric::Metric;
use crate::ops::{matrix, ngram_matches, sequence_mean, token_cross_entropy, Parameters, Tokens};
use crate::sampler::{Matched, TranslationSample};
use crate::{Matrix, Scalar, Tape};

/// What the loss network is given of a sentence: numbers from 0 to 1, times a scale.
///
/// First the geometric mean of the probabilities of the reference's tokens, each at its place; then, for each order n from 1,
/// the share of the reference's n-grams that is expected to be matched ([`ngram_matches`]).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NgramInput {
    /// Matches of so many orders, from 1 to 4.
    pub orders: usize,
    /// Multiplies the numbers.
    pub scale: f32,
}

impl Default for NgramInput {
    /// Ours: BLEU's four orders, scale 5: inputs as wide as the log-odds of class scores are.
    fn default() -> Self {
        Self { orders: ORDERS, scale: 5.0 }
    }
}

/// Orders that samples bring along.
const ORDERS: usize = 4;

impl NgramInput {
    fn check(&self) -> Result<()> {
        check_positive("scale", self.scale)?;
        match (1..=ORDERS).contains(&self.orders) {
            true => Ok(()),
            false => Err(Error::parameter("orders", format!("{} is not from 1 to {ORDERS}", self.orders))),
        }
    }

    fn width(&self) -> usize {
        1 + self.orders
    }

    /// The input of a sentence.
    fn row(&self, log_odds: &[f32], matched: &Matched) -> impl Iterator<Item = f32> + '_ {
        // ln p, without overflow
        let log = |odds: &f32| odds.min(0.0) - (-odds.abs()).exp().ln_1p();
        let aligned = log_odds.iter().map(log).sum::<f32>() / log_odds.len() as f32;
        let shares = std::iter::once(aligned.exp()).chain(matched[..self.orders].to_vec());
        shares.map(|share| self.scale * share)
    }

    /// [`NgramInput::row`] of every sentence, differentiable: (sentences, width).
    fn rows(&self, logits: Matrix<Tape>, targets: &Tokens) -> Result<Matrix<Tape>> {
        let (logits, tape) = logits.split_tape();
        let orders: Vec<usize> = (1..=self.orders).collect();
        let matched = ngram_matches(logits.clone().put_tape(tape), targets, &orders)?;
        let costs = token_cross_entropy(logits.retaped::<Tape>(), targets.ids(), 0.0)?;
        let aligned = sequence_mean(costs, targets.rows())?.try_negate()?.try_exp()?;
        // Side by side: each number times the scale, in a column of its own.
        let width = self.width();
        let columns = |from: usize, to: usize| {
            let of = |row: usize| (0..width).map(move |column| if row == column { self.scale } else { 0.0 });
            matrix((from..to).flat_map(of).collect(), to - from, width)
        };
        let [first, rest] = [columns(0, 1)?, columns(1, width)?];
        Ok(matched.try_matmul(rest)?.try_add(aligned.try_matmul(first)?)?)
    }

    /// Samples as the network takes them, all of the same number of sentences.
    fn batch(&self, samples: &[TranslationSample]) -> Result<Batch> {
        const NAME: &str = "n-gram batch";
        self.check()?;
        let sentences = samples.first().map_or(0, |sample| sample.lengths.len());
        if sentences == 0 {
            return Err(Error::shape(NAME, "one sample or more, of one sentence or more", samples.len()));
        }
        let (mut x, mut weights) = (Vec::new(), Vec::new());
        for (i, sample) in samples.iter().enumerate() {
            let TranslationSample { lengths, positions, log_odds, matched, .. } = sample;
            let fits = |length: &usize| (1..=*positions).contains(length);
            if [lengths.len(), matched.len()] != [sentences; 2]
                || log_odds.len() != sentences * positions
                || !lengths.iter().all(fits)
            {
                let expected = format!("{sentences} sentences with tokens and matches");
                let got = format!(
                    "{lengths:?}, {} matches, {} log-odds in sample {i}",
                    matched.len(),
                    log_odds.len()
                );
                return Err(Error::shape(NAME, expected, got));
            }
            check_finite(NAME, log_odds).map_err(|error| error.at(format!("sample {i}")))?;
            check_finite(NAME, matched.as_flattened()).map_err(|error| error.at(format!("sample {i}")))?;
            for ((odds, &length), matched) in log_odds.chunks(*positions).zip(lengths).zip(matched) {
                x.extend(self.row(&odds[..length], matched));
            }
            weights.extend(self::weights(lengths));
        }
        let all = samples.len() * sentences;
        let direction = |along: Vec<f64>| {
            matrix(
                along.iter().map(|&a| self.scale * a as f32).collect::<Vec<_>>().repeat(all),
                all,
                self.width(),
            )
        };
        Ok(Batch {
            x: matrix(x, all, self.width())?,
            directions: unit_vectors(self.width()).into_iter().map(direction).collect::<Result<_>>()?,
            weight: matrix(weights, all, 1)?,
            set: false,
            metric: samples.iter().map(|sample| sample.metric).collect(),
        })
    }
}

/// What each sentence weighs, 1 in the mean: BLEU counts n-grams, of which long sentences have more.
fn weights(lengths: &[usize]) -> Vec<f32> {
    let mean = lengths.iter().sum::<usize>() as f32 / lengths.len() as f32;
    lengths.iter().map(|&length| length as f32 / mean).collect()
}

/// A learned loss of translations: a small frozen network of the n-grams each sentence is expected to share with its reference,
/// averaged over sentences as their lengths weigh.
///
/// Like BLEU, and unlike [`TranslationSurrogate`](super::TranslationSurrogate), it does not mind a phrase that stands a position too
/// early or too late, which models that write all tokens at once often do. It is the same network as for class scores.
///
/// # Example
/// ```
/// use reloss::loss::token_loss;
/// use reloss::ops::Tokens;
/// use reloss::surrogate::{Network, NgramInput, NgramSurrogate};
/// let loss = NgramSurrogate::new(Network::new(5, 16, 0)?, NgramInput::default(), "BLEU")?;
/// assert!(token_loss(&loss, vec![0.0; 6], &Tokens::new(&[vec![0, 1, 1]])?)? >= 0.0);
/// # Ok::<(), reloss::Error>(())
/// ```
///
/// # Reference
/// Huang et al., "Relational Surrogate Loss Learning", ICLR 2022, for how it is learned; the matches are those of Shao et al., AAAI 2020.
/// That a loss is learned of them is ours.
pub type NgramSurrogate = LearnedLoss<OfNgrams>;

/// Translations, as losses are learned of their expected n-grams.
#[derive(Debug, Clone, Copy)]
pub struct OfNgrams;

impl Modality for OfNgrams {
    type Network = Network;
    type Input = NgramInput;
    type Sample = TranslationSample;
    const KEY: &'static str = "reloss.ngrams";

    fn batch(samples: &[TranslationSample], input: &NgramInput, _: WithRespectTo) -> Result<Batch> {
        input.batch(samples)
    }

    fn network(parameters: &Parameters, input: &NgramInput) -> Result<Network> {
        input.check()?;
        Network::of_inputs(parameters, input.width())
    }

    fn rivals() -> Vec<Rival<TranslationSample>> {
        super::OfTranslations::rivals()
    }
}

impl Loss<Tokens> for NgramSurrogate {
    fn name(&self) -> String {
        "reloss".to_string()
    }

    fn loss(&self, logits: Matrix<Tape>, targets: &Tokens) -> Result<Scalar<Tape>> {
        let lengths = targets.rows().lengths();
        let weights = matrix(weights(lengths), lengths.len(), 1)?;
        Ok(self.network().rows(self.input().rows(logits, targets)?)?.try_mul(weights)?.try_mean()?)
    }
}

/// Learns a loss of translations from their expected n-grams, whose ranking agrees with the metric's.
///
/// `draw` makes so many samples from a seed, the same from the same. Of `options`, `input`, `monotone`, `depth` and `activation` have no
/// meaning here; the penalty's gradient is always that of the features, whatever its `with_respect_to`.
///
/// # Errors
/// As [`learn`](super::super::learn), [`Error::Parameter`] for an input without meaning, and what `draw` has to say.
pub fn learn_ngrams<P: ?Sized, L: ?Sized>(
    metric: &dyn Metric<P, L>,
    input: NgramInput,
    draw: impl Fn(usize, u64) -> Result<Vec<TranslationSample>>,
    options: &Learn,
) -> Result<Learned<NgramSurrogate>> {
    input.check()?;
    let network = Network::new(input.width(), options.hidden, options.seed)?;
    let network = network.with_output_bias(options.output_bias)?;
    learn_modality(network, input, metric, draw, options)
}
