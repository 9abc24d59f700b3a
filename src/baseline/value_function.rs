//! MetricOpt's value function: what a metric will be, from a model's adapters alone.

use dfdx::prelude::{Backward, SumTo, Trace, TryMul, TrySub};
use rand::seq::SliceRandom;
use rand_chacha::rand_core::SeedableRng;
use rand_chacha::ChaCha8Rng;

use crate::error::{check_finite, check_positive, Error, Result};
use crate::model::{Mlp, Model, Parametric};
use crate::ops::{host, matrix, Adam};

/// The metric of a model with these adapters.
#[derive(Debug, Clone, PartialEq)]
pub struct Observation {
    /// All adapter parameters in one row.
    pub adapters: Vec<f32>,
    /// The metric as an error: lower is better.
    pub error: f64,
    /// How much it counts; 1 where it was measured.
    pub weight: f64,
}

/// How a [`ValueFunction`] is learned.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ValueOptions {
    /// Width of the two hidden layers; 64 ("ours").
    pub hidden: usize,
    /// Updates with 64 observations each; 400 ("ours").
    pub steps: usize,
    /// Adam's learning rate at the start, falling linearly to 0; 3e-3 ("ours").
    pub learning_rate: f64,
    /// Seed of the start and the batches.
    pub seed: u64,
}

impl Default for ValueOptions {
    fn default() -> Self {
        Self { hidden: 64, steps: 400, learning_rate: 3e-3, seed: 0 }
    }
}

/// A network that maps a model's adapters to the error they give.
///
/// # Example
/// The error is the first adapter's square:
/// ```
/// use reloss::baseline::{Observation, ValueFunction, ValueOptions};
/// let at = |i: i32| {
///     let a = i as f32 / 50.0;
///     Observation { adapters: vec![a, 0.3], error: f64::from(a * a), weight: 1.0 }
/// };
/// let value = ValueFunction::learn(&(-50..=50).map(at).collect::<Vec<_>>(), &ValueOptions::default())?;
/// assert!((value.error(&[0.5, 0.3])? - 0.25).abs() < 0.05);
/// assert!((value.gradient(&[0.5, 0.3])?[0] - 1.0).abs() < 0.4);
/// # Ok::<(), reloss::Error>(())
/// ```
///
/// # Reference
/// Huang, Zhai, Guo, Susskind, "MetricOpt: learning to optimize black-box evaluation metrics", CVPR 2021, arXiv 2104.10631.
#[derive(Debug, Clone)]
pub struct ValueFunction {
    network: Mlp,
    center: Vec<f32>,
    scale: f32,
    error: (f64, f64),
}

/// Mean and standard deviation; 1 for what does not vary.
fn spread(values: &[f64]) -> (f64, f64) {
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / values.len() as f64;
    (mean, if variance > 0.0 { variance.sqrt() } else { 1.0 })
}

impl ValueFunction {
    /// Learns from observations, in squared distance.
    ///
    /// # Errors
    /// [`Error::Undefined`] without observations, [`Error::Shape`] for adapters of different number, [`Error::NotFinite`]
    /// for values that are not finite, [`Error::Parameter`] for options out of range.
    pub fn learn(observations: &[Observation], options: &ValueOptions) -> Result<Self> {
        const BATCH: usize = 64;
        let ValueOptions { hidden, steps, learning_rate, seed } = *options;
        if steps == 0 {
            return Err(Error::parameter("steps", "the value function needs one or more"));
        }
        check_positive("learning_rate", learning_rate)?;
        let Some(first) = observations.first() else {
            return Err(Error::undefined("value function", "there are no observations"));
        };
        let width = first.adapters.len();
        if let Some(odd) = observations.iter().find(|o| o.adapters.len() != width) {
            return Err(Error::shape("value function", format!("{width} adapters"), odd.adapters.len()));
        }
        let flat: Vec<f32> = observations.iter().flat_map(|o| o.adapters.iter().copied()).collect();
        let numbers: Vec<f64> = observations.iter().flat_map(|o| [o.error, o.weight]).collect();
        check_finite("value function", &flat)?;
        check_finite("value function", &numbers)?;
        let column = |d: usize| flat.iter().skip(d).step_by(width).sum::<f32>() / observations.len() as f32;
        let center: Vec<f32> = (0..width).map(column).collect();
        let off: Vec<f64> = flat.iter().enumerate().map(|(i, v)| f64::from(v - center[i % width])).collect();
        let scale = spread(&off).1 as f32;
        let error = spread(&observations.iter().map(|o| o.error).collect::<Vec<f64>>());
        let network = Mlp::new(&[width, hidden, hidden, 1], seed)?;
        let mut value = Self { network, center, scale, error };
        let mut adam = Adam::new(learning_rate, 0.0);
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        for step in 0..steps {
            adam.set_learning_rate(learning_rate * (1.0 - step as f64 / steps as f64));
            value.update(&mut adam, observations.choose_multiple(&mut rng, BATCH))?;
        }
        Ok(value)
    }

    fn update<'a>(&mut self, adam: &mut Adam, batch: impl Iterator<Item = &'a Observation>) -> Result<()> {
        let (mut x, mut wanted, mut weights) = (Vec::new(), Vec::new(), Vec::new());
        for observation in batch {
            x.extend(self.normalized(&observation.adapters));
            wanted.push(((observation.error - self.error.0) / self.error.1) as f32);
            weights.push(observation.weight as f32);
        }
        let rows = wanted.len();
        let total: f32 = weights.iter().sum::<f32>().max(f32::MIN_POSITIVE);
        weights.iter_mut().for_each(|weight| *weight /= total);
        let out = self.network.forward(matrix(x, rows, self.center.len())?.leaky_traced())?;
        let squares = out.try_sub(matrix(wanted, rows, 1)?)?.try_square()?;
        let loss = squares.try_mul(matrix(weights, rows, 1)?)?.try_sum::<(), _>()?;
        adam.update(self.network.parameters_mut(), &mut loss.try_backward()?)
    }

    fn normalized<'a>(&'a self, adapters: &'a [f32]) -> impl Iterator<Item = f32> + 'a {
        adapters.iter().zip(&self.center).map(|(v, c)| (v - c) / self.scale)
    }

    fn row(&self, adapters: &[f32]) -> Result<crate::Matrix> {
        if adapters.len() != self.center.len() {
            let wanted = format!("{} adapters", self.center.len());
            return Err(Error::shape("value function", wanted, adapters.len()));
        }
        matrix(self.normalized(adapters).collect(), 1, adapters.len())
    }

    /// The error it expects of these adapters.
    ///
    /// # Errors
    /// [`Error::Shape`] for another number of adapters.
    pub fn error(&self, adapters: &[f32]) -> Result<f64> {
        let out = host(&self.network.predict(self.row(adapters)?)?);
        Ok(self.error.0 + self.error.1 * out.first().map_or(0.0, |&v| f64::from(v)))
    }

    /// The gradient of that error.
    ///
    /// # Errors
    /// As [`ValueFunction::error`].
    pub fn gradient(&self, adapters: &[f32]) -> Result<Vec<f32>> {
        let row = self.row(adapters)?;
        // A copy of the handles: the passes of a perceptron change nothing.
        let out = self.network.clone().forward(row.leaky_trace())?.try_sum::<(), _>()?;
        let factor = self.error.1 as f32 / self.scale;
        Ok(host(&out.try_backward()?.get(&row)).into_iter().map(|g| g * factor).collect())
    }
}
