//! What learned losses of all kinds of predictions have in common.

use std::path::Path;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::loss_network::LossNetwork;
use super::notes;
use super::objective::agreement;
use super::run::{learn_network, sample_losses};
use super::{Learn, Learned, Rival, WithRespectTo};
use crate::error::{Error, Result};
use crate::files;
use crate::metric::Metric;
use crate::ops::Parameters;

/// A kind of predictions, as losses are learned of them.
///
/// With a [`LossNetwork`] for its samples, and `Loss` implemented for [`LearnedLoss`] of it, a kind of predictions has all
/// that the others have: [`learn_modality`], files, and comparison with other losses.
///
/// # Example
/// A kind of one's own, on one page: numbers that are to come close to others, judged by the share that is within 0.1.
/// [`Network`](super::Network) serves where a row has a few numbers that say how wrong it is: here ln(1 + 100 · difference²).
/// ```
/// use reloss::loss::Loss;
/// use reloss::metric::{Direction, Metric};
/// use reloss::ops::{matrix, Parameters};
/// use reloss::surrogate::{learn_modality, Batch, Learn, LearnedLoss, Modality, Network, WithRespectTo};
/// use reloss::{Matrix, Result, Scalar, Tape};
/// use dfdx::prelude::*;
/// use rand::{Rng, SeedableRng};
/// use rand_chacha::ChaCha8Rng;
///
/// // 1. A sample: a batch of predictions, here by how far off they are, and its metric.
/// struct Guesses { off: Vec<f32>, close: f64 }
///
/// // 2. The metric's name, direction and range; samples bring its values along.
/// struct Close;
/// impl Metric<[f32], [f32]> for Close {
///     fn name(&self) -> &str { "close" }
///     fn direction(&self) -> Direction { Direction::HigherIsBetter }
///     fn range(&self) -> (f64, f64) { (0.0, 1.0) }
///     fn value(&self, guessed: &[f32], right: &[f32]) -> Result<f64> {
///         let close = guessed.iter().zip(right).filter(|(g, r)| (**g - **r).abs() < 0.1);
///         Ok(close.count() as f64 / guessed.len() as f64)
///     }
/// }
///
/// // 3. What the network sees of samples, and along which directions its slope is bounded.
/// struct OfNumbers;
/// impl Modality for OfNumbers {
///     type Network = Network;
///     type Input = ();
///     type Sample = Guesses;
///     const KEY: &'static str = "mine.numbers";
///     fn batch(samples: &[Guesses], _: &(), _: WithRespectTo) -> Result<Batch> {
///         let x: Vec<f32> = samples.iter().flat_map(|s| s.off.iter().map(|off| (100.0 * off * off).ln_1p())).collect();
///         let rows = x.len();
///         let ones = || matrix(vec![1.0; rows], rows, 1);
///         let metric = samples.iter().map(|s| s.close).collect();
///         Ok(Batch { x: matrix(x, rows, 1)?, directions: vec![ones()?], weight: ones()?, set: false, metric })
///     }
///     fn network(parameters: &Parameters, _: &()) -> Result<Network> {
///         Network::from_parameters(parameters)
///     }
/// }
///
/// // 4. The same of a model's predictions, differentiable: now it is a loss like any other.
/// struct Right(Vec<f32>);
/// impl Loss<Right> for LearnedLoss<OfNumbers> {
///     fn name(&self) -> String { "reloss".to_string() }
///     fn loss(&self, guessed: Matrix<Tape>, right: &Right) -> Result<Scalar<Tape>> {
///         let off = guessed.try_sub(matrix(right.0.clone(), right.0.len(), 1)?)?;
///         let x = off.try_square()?.try_mul(100.0)?.try_add(1.0)?.try_ln()?;
///         Ok(self.network().rows(x)?.try_mean()?)
///     }
/// }
///
/// // 5. A sampler that covers the metric's range, and learning.
/// let draw = |count: usize, seed: u64| {
///     let mut rng = ChaCha8Rng::seed_from_u64(seed);
///     let mut sample = || {
///         let spread = rng.gen_range(0.05..1.0);
///         let off: Vec<f32> = (0..32).map(|_| rng.gen_range(-spread..spread)).collect();
///         let close = Close.value(&off, &[0.0; 32])?;
///         Ok(Guesses { off, close })
///     };
///     (0..count).map(|_| sample()).collect()
/// };
/// let options = Learn { steps: 30, hidden: 16, output_bias: 2.0, ..Learn::default() };
/// let network = Network::new(1, options.hidden, 0)?.with_output_bias(options.output_bias)?;
/// let learned = learn_modality::<OfNumbers, _, _>(network, (), &Close, draw, &options)?;
/// assert!(learned.held_out > 0.9);
///
/// // Worse guesses cost more, and the gradient leads to the right number.
/// let guessed = matrix(vec![0.5], 1, 1)?;
/// let loss = learned.loss.loss(guessed.leaky_trace(), &Right(vec![0.2]))?;
/// assert!(loss.backward().get(&guessed).as_vec()[0] > 0.0);
/// # Ok::<(), reloss::Error>(())
/// ```
pub trait Modality {
    /// The network that judges samples.
    type Network: LossNetwork;
    /// What the network is given of a prediction, as a file keeps it.
    type Input: Serialize + DeserializeOwned;
    /// A batch of predictions, with its metric.
    type Sample;
    /// Under which a file has the input and the metric's name; no other kind's.
    const KEY: &'static str;

    /// Samples as the network takes them; the penalty's gradient is with respect to this, where there is a choice.
    ///
    /// # Errors
    /// [`Error::Shape`] for samples that do not fit together.
    fn batch(
        samples: &[Self::Sample],
        input: &Self::Input,
        with_respect_to: WithRespectTo,
    ) -> Result<<Self::Network as LossNetwork>::Batch>;

    /// The network of a file's tensors, for this input.
    ///
    /// # Errors
    /// [`Error::Shape`] for a tensor that is missing or does not fit, [`Error::Parameter`] for an input without meaning.
    fn network(parameters: &Parameters, input: &Self::Input) -> Result<Self::Network>;

    /// Losses that report cards set beside a learned one, the original first; none unless a kind names some.
    fn rivals() -> Vec<Rival<Self::Sample>> {
        Vec::new()
    }
}

/// A learned loss: a frozen network, what it is given of a prediction, and the name of the metric it was learned for.
#[derive(Debug, Clone)]
pub struct LearnedLoss<M: Modality> {
    network: M::Network,
    input: M::Input,
    metric: String,
}

#[derive(Serialize, Deserialize)]
struct Notes<I> {
    input: I,
    metric: String,
}

impl<M: Modality> LearnedLoss<M> {
    /// A loss from its parts; `metric` names what it was learned for.
    ///
    /// # Errors
    /// [`Error::Shape`] when the network does not take what `input` gives, [`Error::Parameter`] for an input without meaning.
    pub fn new(network: M::Network, input: M::Input, metric: &str) -> Result<Self> {
        let network = M::network(network.parameters(), &input)?;
        Ok(Self { network, input, metric: metric.to_string() })
    }

    /// The loss network.
    pub fn network(&self) -> &M::Network {
        &self.network
    }

    /// What the network is given of a prediction.
    pub fn input(&self) -> &M::Input {
        &self.input
    }

    /// The metric this loss was learned for.
    pub fn metric(&self) -> &str {
        &self.metric
    }

    /// The loss of each sample.
    ///
    /// # Errors
    /// [`Error::Shape`] for samples that do not fit together or the network.
    pub fn values(&self, samples: &[M::Sample]) -> Result<Vec<f64>> {
        Ok(self.values_and_metrics(samples)?.0)
    }

    /// The loss and the metric of each sample.
    pub(super) fn values_and_metrics(&self, samples: &[M::Sample]) -> Result<(Vec<f64>, Vec<f64>)> {
        let batch = M::batch(samples, &self.input, WithRespectTo::Feature)?;
        Ok((sample_losses(&self.network, &batch)?, M::Network::metric(&batch).to_vec()))
    }

    /// Exact Spearman between −loss and metric (loss, where lower is better); 0 for a loss that is the same everywhere.
    ///
    /// # Errors
    /// As [`LearnedLoss::values`]; [`Error::Undefined`] when all samples have the same metric.
    pub fn agreement<P: ?Sized, L: ?Sized>(
        &self,
        metric: &dyn Metric<P, L>,
        samples: &[M::Sample],
    ) -> Result<f64> {
        let (losses, values) = self.values_and_metrics(samples)?;
        agreement(&losses, &values, metric.direction())
    }

    /// Writes the network as safetensors, atomically.
    ///
    /// # Errors
    /// [`Error::Io`] when the file cannot be written.
    pub fn save(&self, path: &Path) -> Result<()> {
        files::write_atomic(path, &self.to_safetensors()?)
    }

    /// What [`LearnedLoss::save`] writes: unlike a tensor of a CUDA device, it can be shared between threads.
    ///
    /// # Errors
    /// [`Error::Data`] when the tensors cannot be serialised.
    pub fn to_safetensors(&self) -> Result<Vec<u8>> {
        let notes = Notes { input: &self.input, metric: self.metric.clone() };
        notes::to_safetensors(self.network.parameters(), M::KEY, &notes)
    }

    /// Reads what [`LearnedLoss::save`] wrote.
    ///
    /// # Errors
    /// [`Error::Io`] for a missing file; [`Error::Data`] for a corrupt one or one that does not hold such a loss.
    pub fn load(path: &Path) -> Result<Self> {
        Self::from_safetensors(&files::read(path)?, path)
    }

    /// As [`LearnedLoss::load`], from bytes; `path` serves the messages.
    ///
    /// # Errors
    /// As [`LearnedLoss::load`].
    pub fn from_safetensors(bytes: &[u8], path: &Path) -> Result<Self> {
        let (parameters, notes) = notes::from_safetensors::<Notes<M::Input>>(bytes, path, M::KEY)?;
        let data = |e: &dyn std::fmt::Display| Error::data(path, None, e);
        let Notes { input, metric } = notes.ok_or_else(|| data(&format!("no loss `{}`", M::KEY)))?;
        let network = M::network(&parameters, &input).map_err(|e| data(&e))?;
        Ok(Self { network, input, metric })
    }
}

/// Learns a loss of any kind of predictions, from a fresh network.
///
/// `draw` makes so many samples from a seed, the same from the same.
///
/// # Errors
/// As [`learn`](super::learn), and what `draw` has to say.
pub fn learn_modality<M: Modality, P: ?Sized, L: ?Sized>(
    network: M::Network,
    input: M::Input,
    metric: &dyn Metric<P, L>,
    draw: impl Fn(usize, u64) -> Result<Vec<M::Sample>>,
    options: &Learn,
) -> Result<Learned<LearnedLoss<M>>> {
    let with_respect_to = options.penalty.with_respect_to;
    let batch = |count, number| M::batch(&draw(count, options.seed_of(number))?, &input, with_respect_to);
    let (network, history, held_out) = learn_network(network, metric, batch, options, |_, _| Ok(()))?;
    Ok(Learned { loss: LearnedLoss::new(network, input, metric.name())?, history, held_out })
}
