//! Learning a loss for a metric.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::input::{Batch, Input, WithRespectTo};
use super::network::Network;
use super::objective::{Fit, Penalty};
use super::run::learn_network;
use super::Surrogate;
use crate::error::{check_positive, Error, Result};
use crate::metric::Metric;
use crate::ops::Activation;
use crate::sampler::{Sample, Sampler};

/// How a loss is learned.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Learn {
    /// Updates of the network at most; the released code makes about 390 on ImageNet.
    pub steps: usize,
    /// Samples (batches of predictions) ranked in one step; 256 in the released code.
    pub samples: usize,
    /// Adam's learning rate at the start; 0.01 in the released code.
    pub learning_rate: f64,
    /// Whether the learning rate falls linearly to 0; it does not in the released code.
    pub decay: bool,
    /// L2 weight decay; 1e-3 in the released code.
    pub weight_decay: f64,
    /// The gradient penalty.
    pub penalty: Penalty,
    /// What agreement means; ranks, by the released code's soft ranks.
    pub fit: Fit,
    /// What the network sees of a prediction.
    pub input: Input,
    /// Whether a better prediction may never cost more: the network is [`Network::monotone`] in its input, in place of
    /// the absolute value of a free one; not in the released code.
    pub monotone: bool,
    /// Width of the network's hidden layers; 128 in the released code, 64 here ("ours": as good
    /// with few samples, and faster).
    pub hidden: usize,
    /// Hidden layers of the network; 3 in the released code.
    pub depth: usize,
    /// What stands between its layers; ELU in the released code.
    pub activation: Activation,
    /// Bias of the network's output at the start.
    ///
    /// 0 in the released code. Well above 0 the network starts positive, and its absolute value
    /// changes nothing at first.
    pub output_bias: f32,
    /// Samples drawn apart, never learned from, that choose the best network.
    pub held_out: usize,
    /// Steps between two looks at the held-out samples, each followed by a checkpoint.
    pub evaluate_every: usize,
    /// Looks without a better held-out correlation after which learning stops; 0 never stops.
    pub patience: usize,
    /// Seed of the network's start and of every draw.
    pub seed: u64,
    /// Where the state is kept, so that a killed run can be continued.
    #[serde(skip)]
    pub checkpoint: Option<PathBuf>,
    /// Continue from the checkpoint, if there is one.
    #[serde(skip)]
    pub resume: bool,
}

impl Default for Learn {
    /// Settings found on the digits with PyTorch and confirmed with this crate: see
    /// `notebooks/00_quickstart.ipynb`.
    fn default() -> Self {
        Self {
            steps: 150,
            samples: 64,
            learning_rate: 0.01,
            decay: true,
            weight_decay: 1e-3,
            penalty: Penalty::default(),
            fit: Fit::default(),
            input: Input::default(),
            monotone: false,
            hidden: 64,
            depth: 3,
            activation: Activation::Elu,
            output_bias: 0.0,
            held_out: 256,
            evaluate_every: 10,
            patience: 0,
            seed: 0,
            checkpoint: None,
            resume: false,
        }
    }
}

impl Learn {
    /// Ours, of ln p, the penalty on the logits' gradient as in the paper: the losses that come with the library.
    ///
    /// What is learned falls all the way, near cross-entropy where the label is improbable, steeper where predictions turn right,
    /// flat where they are sure; [`Learn::default`] gives a V that pushes back predictions surer than some p.
    ///
    /// # Example
    /// ```
    /// use reloss::metric::TopK;
    /// use reloss::sampler::Sampler;
    /// use reloss::surrogate::{learn, Learn};
    /// let options = Learn { steps: 20, ..Learn::log_probability() };
    /// let learned = learn(&TopK::ACCURACY, &Sampler::random(10), &options)?;
    /// assert!(learned.held_out > 0.8);
    /// # Ok::<(), reloss::Error>(())
    /// ```
    pub fn log_probability() -> Self {
        Self {
            input: Input::log_probability(),
            penalty: Penalty { with_respect_to: WithRespectTo::Logits, ..Penalty::default() },
            output_bias: 2.0,
            ..Self::default()
        }
    }

    /// As [`Learn::log_probability`], of the label's soft rank too.
    ///
    /// Learned from predictions on the embedded digits (seeds 0 to 2) and judged on unused training rows of Fashion-MNIST, a
    /// perceptron, six seeds, 1,600 rows: 0.3, 0.2 and 0.2 points of accuracy ahead of cross-entropy (clean), 0.5, 0.6 and
    /// 0.4 (40 % wrong labels). On clean MNIST it is 0.5 behind, on clean parts of CIFAR-10 0.3 (three seeds each): not the
    /// default.
    pub fn ranked() -> Self {
        Self { input: Input::ranked(), ..Self::log_probability() }
    }

    /// The released code's settings: p as input, λ = 10 on the logits' gradient, 256 samples a step.
    ///
    /// They are kept for comparison; a loss learned from scratch with them may rank backwards.
    pub fn released() -> Self {
        Self {
            steps: 390,
            samples: 256,
            decay: false,
            penalty: Penalty::released(),
            input: Input::released(),
            hidden: 128,
            ..Self::default()
        }
    }
}

/// One step of learning, for the curves.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// From 1.
    pub step: usize,
    /// Correlation between the (negated) loss and the metric on the step's samples: that which is fitted, exact Spearman where
    /// values are.
    pub agreement: f32,
    /// The penalty, without its weight.
    pub penalty: f32,
    /// Exact Spearman on the held-out samples, at the steps that looked.
    pub held_out: Option<f64>,
}

/// A learned loss with the way it was found.
#[derive(Debug, Clone)]
pub struct Learned<L = Surrogate> {
    /// The network of the best held-out correlation, frozen.
    pub loss: L,
    /// Every step.
    pub history: Vec<Step>,
    /// Exact Spearman between −loss and metric on the held-out samples (positive is agreement).
    pub held_out: f64,
}

impl Learn {
    pub(super) fn check(&self) -> Result<()> {
        self.input.check()?;
        let positive = [
            ("steps", self.steps as f64),
            ("learning_rate", self.learning_rate),
            ("evaluate_every", self.evaluate_every as f64),
        ];
        for (name, value) in positive {
            check_positive(name, value)?;
        }
        for (name, value) in [("weight_decay", self.weight_decay), ("penalty", self.penalty.weight as f64)] {
            if !(value >= 0.0 && value.is_finite()) {
                return Err(Error::parameter(name, format!("{value} is negative or not finite")));
            }
        }
        if !self.output_bias.is_finite() {
            return Err(Error::parameter("output_bias", "it must be finite"));
        }
        for (name, value) in [("samples", self.samples), ("held_out", self.held_out)] {
            if value < 2 {
                return Err(Error::parameter(
                    name,
                    format!("a ranking needs two samples or more, not {value}"),
                ));
            }
        }
        Ok(())
    }

    /// The seed of a draw of this run.
    pub(crate) fn seed_of(&self, draw: u64) -> u64 {
        // A large odd factor keeps the draws of neighbouring seeds apart.
        self.seed.wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(draw)
    }

    fn batch(&self, samples: &[Sample]) -> Result<Batch> {
        Batch::new(samples, &self.input, self.penalty.with_respect_to)
    }
}

/// Learns a loss whose ranking of predictions agrees with the metric's.
///
/// Every step draws fresh samples, so the same seed gives the same network, bit for bit, with
/// any number of threads and across interruptions.
///
/// # Errors
/// [`Error::Parameter`] for options out of range, [`Error::Undefined`] when the metric is the
/// same on all samples of a step (the sampler does not cover its range), [`Error::Diverged`]
/// when the objective leaves the finite numbers, and what the sampler, the metric and the
/// checkpoint's file have to say.
///
/// # Example
/// ```
/// use reloss::metric::TopK;
/// use reloss::sampler::Sampler;
/// use reloss::surrogate::{learn, Learn};
/// let sampler = Sampler::random(10);
/// let learned = learn(&TopK::ACCURACY, &sampler, &Learn { steps: 20, ..Learn::default() })?;
/// assert!(learned.held_out > 0.8);
/// # Ok::<(), reloss::Error>(())
/// ```
///
/// # Reference
/// ReLoss and its released training code; see the fields of [`Learn`] for what differs.
pub fn learn(metric: &dyn Metric, sampler: &Sampler, options: &Learn) -> Result<Learned> {
    learn_watched(metric, sampler, options, |_, _| Ok(()))
}

/// As [`learn`]; after every look at the held-out samples `watch` is shown the step and the loss as it is then.
///
/// # Errors
/// As [`learn`], and what `watch` has to say.
pub fn learn_watched(
    metric: &dyn Metric,
    sampler: &Sampler,
    options: &Learn,
    mut watch: impl FnMut(usize, &Surrogate) -> Result<()>,
) -> Result<Learned> {
    options.input.check()?;
    let network = Network::deep(options.input.width(), options.hidden, options.depth, options.seed)?;
    let network = network.with_activation(options.activation);
    let network = match options.monotone {
        true => network.into_monotone(&options.input.trends())?,
        false => network,
    };
    let network = network.with_output_bias(options.output_bias)?;
    let draw = |count, draw| options.batch(&sampler.draw(metric, count, options.seed_of(draw))?);
    let watch_network = |step, network: &Network| {
        watch(step, &Surrogate::new(network.clone(), options.input.clone(), metric.name())?)
    };
    let (network, history, held_out) = learn_network(network, metric, draw, options, watch_network)?;
    Ok(Learned { loss: Surrogate::new(network, options.input.clone(), metric.name())?, history, held_out })
}
