//! Adaptive loss alignment: a policy that adapts a loss's parameters while a model trains.

use std::sync::{Mutex, MutexGuard, PoisonError};

use dfdx::prelude::*;
use rand::Rng;
use rand_chacha::rand_core::SeedableRng;
use rand_chacha::ChaCha8Rng;

use crate::error::{check_positive, Error, Result};
use crate::loss::Loss;
use crate::metric::Scores;
use crate::model::{Mlp, Model, Parametric};
use crate::ops::{check_batch, device, host, matrix, Adam};
use crate::{Matrix, Scalar, Tape};

/// Settings of an [`AdaptiveLoss`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Alignment {
    /// How far one action moves a class's weight; 0.1 ("ours").
    pub step: f32,
    /// How far a class's weight may fall from 1, below 1; it may rise to 1/(1 − reach). 0.5 ("ours").
    pub reach: f32,
    /// Adam's learning rate for the policy; 1e-2 ("ours").
    pub learning_rate: f64,
    /// Width of the policy's hidden layer; 32 ("ours").
    pub hidden: usize,
    /// Seed of the policy's start and of its actions.
    pub seed: u64,
}

impl Default for Alignment {
    fn default() -> Self {
        Self { step: 0.1, reach: 0.5, learning_rate: 1e-2, hidden: 32, seed: 0 }
    }
}

/// −Σ Φ(y, j) ln p_j, mean over rows, whose table Φ a policy adapts to a metric.
///
/// Φ begins as the identity, which is cross-entropy; its diagonal weighs classes, and off it a positive entry takes one
/// class for another lightly, a negative one gravely. After every look at held-out predictions the policy, a network,
/// moves each entry down, up or not at all, and is told whether the metric rose (REINFORCE with episodes of one step). The
/// paper puts a sigmoid around the sum; without it training begins with cross-entropy ("ours").
///
/// It changes while a model trains: a run of training needs one of its own.
///
/// # Reference
/// Huang, Zhai, Talbott, Bautista, Sun, Guestrin, Susskind, "Addressing the loss-metric mismatch with adaptive loss
/// alignment", ICML 2019, arXiv 1905.05895.
pub struct AdaptiveLoss {
    classes: usize,
    options: Alignment,
    state: Mutex<State>,
}

struct State {
    /// Φ, (label, class).
    table: Vec<f32>,
    policy: Mlp,
    adam: Adam,
    rng: ChaCha8Rng,
    /// Moving average of the mean log probabilities, (label, class).
    average: Option<Vec<f32>>,
    /// The last metric, and the actions since with what they were chosen by.
    last: Option<(f64, Matrix, Vec<usize>)>,
}

/// What the policy sees of an entry: mean log probability, its change, Φ less its start, progress, diagonal or not.
const FEATURES: usize = 5;
/// Down, stay, up.
const ACTIONS: usize = 3;

impl std::fmt::Debug for AdaptiveLoss {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        f.debug_struct("AdaptiveLoss").field("classes", &self.classes).finish_non_exhaustive()
    }
}

/// The identity.
fn start(classes: usize) -> Vec<f32> {
    (0..classes * classes).map(|at| f32::from(at / classes == at % classes)).collect()
}

/// The mean log probability of each class over the rows of each label, (label, class); 0 for a label that does not occur.
fn mean_log_probabilities(scores: &Scores, labels: &[usize]) -> Vec<f32> {
    let classes = scores.classes();
    let (mut sums, mut counts) = (vec![0.0; classes * classes], vec![0.0f32; classes]);
    for (i, &label) in labels.iter().enumerate() {
        let row = scores.row(i);
        let most = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let log_sum = most + row.iter().map(|z| (z - most).exp()).sum::<f32>().ln();
        counts[label] += 1.0;
        row.iter().zip(&mut sums[label * classes..]).for_each(|(z, sum)| *sum += z - log_sum);
    }
    sums.iter().enumerate().map(|(at, sum)| sum / counts[at / classes].max(1.0)).collect()
}

impl AdaptiveLoss {
    /// A loss for this many classes with a policy that has seen nothing yet.
    ///
    /// # Errors
    /// [`Error::Parameter`] for fewer than two classes, or options out of range.
    pub fn new(classes: usize, options: &Alignment) -> Result<Self> {
        let Alignment { step, reach, learning_rate, hidden, seed } = *options;
        if classes < 2 {
            return Err(Error::parameter("classes", format!("{classes} classes need no alignment")));
        }
        check_positive("learning_rate", learning_rate)?;
        if !(step > 0.0 && (step..1.0).contains(&reach)) {
            let reason = format!("step {step}, reach {reach}: 0 < step ≤ reach < 1");
            return Err(Error::parameter("alignment", reason));
        }
        let state = State {
            table: start(classes),
            policy: Mlp::new(&[FEATURES, hidden, ACTIONS], seed)?,
            adam: Adam::new(learning_rate, 0.0),
            rng: ChaCha8Rng::seed_from_u64(seed),
            average: None,
            last: None,
        };
        Ok(Self { classes, options: *options, state: Mutex::new(state) })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Φ as it is, (label, class) row-major.
    pub fn table(&self) -> Vec<f32> {
        self.state().table.clone()
    }

    /// Back to cross-entropy for another model; the policy keeps what it has learned.
    pub fn restart(&self) {
        let mut state = self.state();
        (state.table, state.average, state.last) = (start(self.classes), None, None);
    }

    /// Looks at held-out predictions, of which the metric, with higher values better, is `metric`: the policy learns from what
    /// has become of its last actions, and acts.
    ///
    /// `progress` is the share of training done, from 0 to 1. A metric that is undefined here is `None`: nothing is learned.
    ///
    /// # Errors
    /// [`Error::Shape`] for labels that do not fit the scores, or another number of classes.
    pub fn adapt(&self, scores: &Scores, labels: &[usize], metric: Option<f64>, progress: f64) -> Result<()> {
        scores.check("adaptive loss", labels)?;
        if scores.classes() != self.classes {
            let wanted = format!("{} classes", self.classes);
            return Err(Error::shape("adaptive loss", wanted, scores.classes()));
        }
        let mut state = self.state();
        if let (Some((before, seen, actions)), Some(now)) = (state.last.take(), metric) {
            // Without a difference there is nothing to learn.
            if now != before {
                state.reinforce(seen, actions, (now - before).signum() as f32)?;
            }
        }
        let features = state.features(mean_log_probabilities(scores, labels), self.classes, progress)?;
        let actions = state.act(&features)?;
        self.apply(&mut state.table, &actions);
        state.last = metric.map(|metric| (metric, features, actions));
        Ok(())
    }

    /// Moves the table. What is off the diagonal stays so small that no row's sum falls below 0, which would reward a
    /// model for being less and less sure of everything.
    fn apply(&self, table: &mut [f32], actions: &[usize]) {
        let least = 1.0 - self.options.reach;
        let most_off = least / (self.classes - 1) as f32;
        for (at, (entry, &action)) in table.iter_mut().zip(actions).enumerate() {
            let direction = action as f32 - 1.0;
            *entry = match at / self.classes == at % self.classes {
                true => (*entry + direction * self.options.step).clamp(least, 1.0 / least),
                false => (*entry + direction * self.options.step * most_off).clamp(-most_off, most_off),
            };
        }
    }
}

impl State {
    fn features(&mut self, means: Vec<f32>, classes: usize, progress: f64) -> Result<Matrix> {
        let average = self.average.get_or_insert_with(|| means.clone());
        let begun = start(classes);
        let mut features = Vec::with_capacity(FEATURES * means.len());
        for (at, mean) in means.iter().enumerate() {
            let diagonal = begun[at];
            // Log probabilities to the scale of the others.
            let (mean, change) = (mean.max(-10.0) / 10.0, (mean - average[at]).clamp(-1.0, 1.0));
            features.extend([mean, change, self.table[at] - begun[at], progress as f32, diagonal]);
        }
        average.iter_mut().zip(&means).for_each(|(average, mean)| *average += 0.3 * (mean - *average));
        matrix(features, means.len(), FEATURES)
    }

    /// An action an entry, drawn from the policy.
    fn act(&mut self, features: &Matrix) -> Result<Vec<usize>> {
        let chances = host(&self.policy.predict(features.clone())?.try_softmax::<Axis<1>>()?);
        let draw = |chances: &[f32]| {
            let u: f32 = self.rng.gen();
            usize::from(u >= chances[0]) + usize::from(u >= chances[0] + chances[1])
        };
        Ok(chances.chunks_exact(ACTIONS).map(draw).collect())
    }

    /// Makes actions more likely, or less with a negative reward.
    fn reinforce(&mut self, features: Matrix, actions: Vec<usize>, reward: f32) -> Result<()> {
        let count = actions.len();
        let index = device()?.try_tensor_from_vec(actions, (count,))?;
        let chances = self.policy.forward(features.leaky_traced())?.try_log_softmax::<Axis<1>>()?;
        let loss = chances.try_select(index)?.try_mean::<(), _>()?.try_mul(-reward)?;
        self.adam.update(self.policy.parameters_mut(), &mut loss.try_backward()?)
    }
}

impl Loss for AdaptiveLoss {
    fn name(&self) -> String {
        "adaptive_loss".to_string()
    }

    fn loss(&self, logits: Matrix<Tape>, labels: &[usize]) -> Result<Scalar<Tape>> {
        check_batch("adaptive loss", &logits, labels)?;
        let &(rows, classes) = logits.shape();
        if classes != self.classes {
            return Err(Error::shape("adaptive loss", format!("{} classes", self.classes), classes));
        }
        let table = self.table();
        let weights = labels.iter().flat_map(|label| &table[label * classes..(label + 1) * classes]);
        let weights = matrix(weights.copied().collect(), rows, classes)?;
        let log_p = logits.try_log_softmax::<Axis<1>>()?;
        Ok(log_p.try_mul(weights)?.try_sum()?.try_div(-(rows as f32))?)
    }
}
