//! Losses of answers that are spans of a passage, learned for metrics of texts.

use dfdx::prelude::*;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::feature::spanning;
use super::input::unit_vectors;
use super::{learn_modality, Batch, Learn, Learned, LearnedLoss, Modality, Network, Rival, WithRespectTo};
use crate::error::{check_finite, check_positive, Error, Result};
use crate::loss::{span_loss, ExpectedOverlap, Loss};
use crate::metric::Metric;
use crate::ops::{matrix, span_features, Parameters, PassageSpans, SpanFeature, Spans};
use crate::sampler::ReadingSample;
use crate::{Matrix, Scalar, Tape};

/// What the loss network is given of a passage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SpanInput {
    /// What is expected of the model's span, as log-odds: one number each.
    pub features: Vec<SpanFeature>,
    /// Tokens of the longest span the expectation goes over.
    pub longest: usize,
    /// Multiplies the log-odds.
    pub scale: f32,
}

impl Default for SpanInput {
    /// Ours: all features, spans of 30 tokens (usual since Devlin et al. 2019, BERT), scale 0.2 as for class scores.
    fn default() -> Self {
        Self { features: SpanFeature::ALL.to_vec(), longest: 30, scale: 0.2 }
    }
}

impl SpanInput {
    /// Refuses what has no meaning.
    fn check(&self) -> Result<()> {
        check_positive("scale", self.scale)?;
        check_positive("longest", self.longest as f64)?;
        let twice = |(i, feature): (usize, &SpanFeature)| self.features[..i].contains(feature);
        match self.features.iter().enumerate().any(twice) || self.features.is_empty() {
            true => {
                let reason = format!("{:?}: each feature once, one or more", self.features);
                Err(Error::parameter("features", reason))
            }
            false => Ok(()),
        }
    }

    /// The scaled features of each passage, row-major, and the directions of their gradient, one a feature.
    fn rows(&self, sample: &ReadingSample, with_respect_to: WithRespectTo) -> (Vec<f32>, Vec<Vec<f32>>) {
        let count = self.features.len();
        let (mut x, mut directions) = (Vec::new(), vec![Vec::new(); count]);
        for (range, &gold) in sample.spans.rows().ranges().zip(sample.spans.gold()) {
            let logits = &sample.logits[2 * range.start..2 * range.end];
            let passage = PassageSpans { logits, gold, longest: self.longest };
            x.extend(passage.log_odds(&self.features).into_iter().map(|odds| self.scale * odds as f32));
            let columns = match with_respect_to {
                WithRespectTo::Feature => unit_vectors(count),
                _ => spanning(&self.gradients(&passage)),
            };
            for (direction, column) in directions.iter_mut().zip(columns) {
                direction.extend(column.into_iter().map(|along| self.scale * along as f32));
            }
        }
        (x, directions)
    }

    /// The gradient of each feature with respect to the passage's logits.
    fn gradients(&self, passage: &PassageSpans) -> Vec<Vec<f64>> {
        let one = |feature: &SpanFeature| {
            let mut gradient = vec![0.0; passage.logits.len()];
            passage.back(&[*feature], &[1.0], |place, along| gradient[place] += along);
            gradient
        };
        self.features.iter().map(one).collect()
    }

    /// Samples as the network takes them, all of the same number of passages.
    fn batch(&self, samples: &[ReadingSample], with_respect_to: WithRespectTo) -> Result<Batch> {
        const NAME: &str = "reading batch";
        self.check()?;
        if with_respect_to == WithRespectTo::Probabilities {
            let reason = "of a span the gradient is that of its features or of the logits";
            return Err(Error::parameter("with_respect_to", reason));
        }
        let passages = samples.first().map_or(0, |sample| sample.spans.gold().len());
        if passages == 0 {
            return Err(Error::shape(NAME, "one sample or more", samples.len()));
        }
        for (i, sample) in samples.iter().enumerate() {
            let (rows, logits) = (sample.spans.gold().len(), sample.logits.len());
            if rows != passages || logits != 2 * sample.spans.rows().rows() {
                let expected = format!("{passages} passages, two logits a token");
                return Err(Error::shape(NAME, expected, format!("{rows}, {logits} logits in sample {i}")));
            }
            check_finite(NAME, &sample.logits).map_err(|error| error.at(format!("sample {i}")))?;
        }
        let rows: Vec<_> = samples.par_iter().map(|sample| self.rows(sample, with_respect_to)).collect();
        let (all, width) = (samples.len() * passages, self.features.len());
        let direction = |k: usize| {
            let values = rows.iter().flat_map(|(_, directions)| directions[k].iter().copied());
            matrix(values.collect(), all, width)
        };
        Ok(Batch {
            directions: (0..width).map(direction).collect::<Result<_>>()?,
            x: matrix(rows.iter().flat_map(|(x, _)| x.iter().copied()).collect(), all, width)?,
            weight: matrix(vec![1.0; all], all, 1)?,
            set: false,
            metric: samples.iter().map(|sample| sample.metric).collect(),
        })
    }
}

/// A learned loss of answers: a small frozen network of what is expected of each passage's span, averaged over passages.
///
/// The same network as for class scores sees, in place of a label's log-odds, those of the right span, of the overlap with it,
/// of lying within it, and of being near it, each the mean over the model's distribution of spans ([`span_features`]).
///
/// # Example
/// ```
/// use reloss::loss::span_loss;
/// use reloss::ops::Spans;
/// use reloss::surrogate::{Network, ReadingSurrogate, SpanInput};
/// let loss = ReadingSurrogate::new(Network::new(4, 16, 0)?, SpanInput::default(), "F1")?;
/// assert!(span_loss(&loss, vec![0.0; 8], &Spans::new(vec![4], vec![(1, 2)])?)? >= 0.0);
/// # Ok::<(), reloss::Error>(())
/// ```
///
/// # Reference
/// Huang et al., "Relational Surrogate Loss Learning", ICLR 2022. The authors' loss network for reading comprehension was
/// never released: this one is ours.
pub type ReadingSurrogate = LearnedLoss<OfAnswers>;

/// Answers that are spans of a passage, as losses are learned of them.
#[derive(Debug, Clone, Copy)]
pub struct OfAnswers;

impl Modality for OfAnswers {
    type Network = Network;
    type Input = SpanInput;
    type Sample = ReadingSample;
    const KEY: &'static str = "reloss.reading";

    fn batch(samples: &[ReadingSample], input: &SpanInput, with_respect_to: WithRespectTo) -> Result<Batch> {
        input.batch(samples, with_respect_to)
    }

    fn network(parameters: &Parameters, input: &SpanInput) -> Result<Network> {
        input.check()?;
        Network::of_inputs(parameters, input.features.len())
    }

    fn rivals() -> Vec<Rival<ReadingSample>> {
        let overlap = |sample: &ReadingSample| {
            span_loss(&ExpectedOverlap::default(), sample.logits.clone(), &sample.spans)
        };
        vec![
            Rival::new("cross entropy", ReadingSample::cross_entropy),
            Rival::new("expected overlap", overlap),
        ]
    }
}

impl Loss<Spans> for ReadingSurrogate {
    fn name(&self) -> String {
        "reloss".to_string()
    }

    fn loss(&self, logits: Matrix<Tape>, targets: &Spans) -> Result<Scalar<Tape>> {
        let SpanInput { features, longest, scale } = self.input();
        let x = span_features(logits, targets, features, *longest)?.try_mul(*scale)?;
        Ok(self.network().rows(x)?.try_mean()?)
    }
}

/// Learns a loss of answers whose ranking agrees with the metric's.
///
/// `draw` makes so many samples from a seed, the same from the same. Of `options`, `input`, `monotone`, `depth` and `activation` have no
/// meaning here;
/// the penalty's gradient is that of the features or of the logits.
///
/// # Errors
/// As [`learn`](super::learn), [`Error::Parameter`] for an input without meaning, and what `draw` has to say.
pub fn learn_reading<P: ?Sized, L: ?Sized>(
    metric: &dyn Metric<P, L>,
    input: SpanInput,
    draw: impl Fn(usize, u64) -> Result<Vec<ReadingSample>>,
    options: &Learn,
) -> Result<Learned<ReadingSurrogate>> {
    let network = Network::new(input.features.len(), options.hidden, options.seed)?;
    let network = network.with_output_bias(options.output_bias)?;
    learn_modality(network, input, metric, draw, options)
}
