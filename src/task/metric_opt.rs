//! MetricOpt: a trained model finetuned along the gradient of a learned value function.

use dfdx::prelude::{Backward, SumTo, Trace, TryAdd, TryMul};
use rand::Rng;
use rand_chacha::rand_core::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;

use super::run::batch_loss;
use super::run::Trained;
use super::training::{validate, Batch};
use super::{Classification, Epoch, Outcome, Train};
use crate::baseline::{Observation, ValueFunction, ValueOptions};
use crate::error::{Error, Result};
use crate::loss::{CrossEntropy, Loss};
use crate::metric::Metric;
use crate::model::{Film, Parametric};
use crate::ops::{host, matrix, Adam, Optimizer, Parameter, Parameters, Sgd};
use crate::{Scalar, Tape};

/// The optimiser a value function is plugged into.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Descent {
    /// Adam.
    Adam,
    /// Stochastic gradient descent with this momentum.
    Sgd(f64),
}

impl Descent {
    fn optimizer(self, learning_rate: f64) -> Box<dyn Optimizer> {
        match self {
            Self::Adam => Box::new(Adam::new(learning_rate, 0.0)),
            Self::Sgd(momentum) => Box::new(Sgd::new(learning_rate, momentum, 0.0)),
        }
    }
}

/// Settings of [`Classification::finetune_for_metric`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MetricOpt {
    /// Runs of finetuning the value function learns from; 8 ("ours").
    pub trajectories: usize,
    /// Epochs of each; 2 ("ours").
    pub epochs: usize,
    /// Updates between two measurements of the metric; 2 ("ours"). Between them it is interpolated, and counts less.
    pub every: usize,
    /// The largest standard deviation of the noise a trajectory's adapters start with; 1 ("ours").
    pub noise: f64,
    /// The weight of the value function beside cross-entropy; 1 ("ours").
    pub weight: f64,
    /// The optimiser of the adapters.
    pub descent: Descent,
    /// How the value function is learned.
    pub value: ValueOptions,
}

impl Default for MetricOpt {
    fn default() -> Self {
        Self {
            trajectories: 8,
            epochs: 2,
            every: 2,
            noise: 1.0,
            weight: 1.0,
            descent: Descent::Adam,
            value: ValueOptions::default(),
        }
    }
}

/// All adapters in one row.
fn adapters(film: &Film) -> Vec<f32> {
    film.parameters().values().concat()
}

/// The metric as an error: lower is better.
fn error(metric: &dyn Metric, value: f64) -> f64 {
    -metric.direction().sign() * value
}

impl Classification {
    /// Keeps a trained model and finetunes a scale and a shift of every hidden unit with cross-entropy and a value
    /// function of the metric.
    ///
    /// The value function is learned from trajectories of the same finetuning without it, by the metric on the validation
    /// part: that part is seen by training here.
    ///
    /// # Errors
    /// As [`Task::train`](super::Task::train); [`Error::Parameter`] for a model without hidden layers or options out of
    /// range, [`Error::Undefined`] where the metric has no value anywhere on the way.
    ///
    /// # Reference
    /// Huang et al., "MetricOpt: learning to optimize black-box evaluation metrics", CVPR 2021, arXiv 2104.10631.
    pub fn finetune_for_metric(
        &self,
        trained: &Outcome,
        metric: &dyn Metric,
        train: &Train,
        options: &MetricOpt,
    ) -> Result<Outcome> {
        let film = Film::new(&trained.model)?;
        let value = ValueFunction::learn(&self.observe(&film, metric, train, options)?, &options.value)?;
        let mut tuning = Tuning::new(film, train, options)?;
        let mut history = Vec::with_capacity(train.epochs);
        for epoch in 0..train.epochs {
            let mut losses = Vec::new();
            for rows in train.batches(&self.splits.train, epoch)? {
                losses.push(tuning.step(self, &rows, Some((&value, options.weight)))?);
            }
            let validation = validate(&tuning.film, metric, &self.splits.validation, tuning.done)?;
            let loss = losses.iter().sum::<f64>() / losses.len() as f64;
            history.push(Epoch { epoch: epoch + 1, loss, validation });
        }
        let validation = history.last().map_or(f64::NAN, |epoch| epoch.validation);
        Outcome::new(Trained { model: tuning.film.folded()?, validation, history }, &self.splits.test)
    }

    /// What adapters give on the way of finetuning runs from starts that are more and more noisy.
    ///
    /// # Errors
    /// As [`Classification::finetune_for_metric`].
    pub fn observe(
        &self,
        film: &Film,
        metric: &dyn Metric,
        train: &Train,
        options: &MetricOpt,
    ) -> Result<Vec<Observation>> {
        if options.trajectories == 0 || options.every == 0 || options.epochs == 0 {
            return Err(Error::parameter("trajectories", "their number, epochs and every must be positive"));
        }
        let mut observations = Vec::new();
        for number in 0..options.trajectories {
            let mut rng = ChaCha8Rng::seed_from_u64(train.seed);
            rng.set_stream(number as u64);
            let noise = options.noise * number as f64 / options.trajectories as f64;
            // From a third of the learning rate to three times as much.
            let learning_rate = train.learning_rate * 3f64.powf(rng.gen_range(-1.0..1.0));
            let train = Train { epochs: options.epochs, learning_rate, seed: rng.gen(), ..train.clone() };
            let noisy = with_noise(film, noise as f32, &mut rng)?;
            match self.trajectory(noisy, metric, &train, options) {
                Ok(seen) => observations.extend(seen),
                // A run that left the finite numbers has nothing to say of those before it.
                Err(Error::Diverged { .. }) => {}
                Err(other) => return Err(other),
            }
        }
        Ok(observations)
    }

    fn trajectory(
        &self,
        film: Film,
        metric: &dyn Metric,
        train: &Train,
        options: &MetricOpt,
    ) -> Result<Vec<Observation>> {
        let mut tuning = Tuning::new(film, train, options)?;
        let mut path = vec![adapters(&tuning.film)];
        let mut measured = Vec::new();
        let mut measure = |at: usize, film: &Film| match validate(film, metric, &self.splits.validation, at) {
            Ok(value) => {
                measured.push((at, error(metric, value)));
                Ok(())
            }
            Err(Error::Undefined { .. }) => Ok(()),
            Err(other) => Err(other),
        };
        measure(0, &tuning.film)?;
        for epoch in 0..train.epochs {
            for rows in train.batches(&self.splits.train, epoch)? {
                tuning.step(self, &rows, None)?;
                path.push(adapters(&tuning.film));
                if tuning.done.is_multiple_of(options.every) {
                    measure(tuning.done, &tuning.film)?;
                }
            }
        }
        Ok(interpolated(path, &measured))
    }
}

/// Observations along a path that was measured here and there; what lies between counts less the farther it is from both.
fn interpolated(path: Vec<Vec<f32>>, measured: &[(usize, f64)]) -> Vec<Observation> {
    let between = |(at, adapters): (usize, Vec<f32>)| {
        let after = measured.iter().position(|&(place, _)| place >= at)?;
        let (right, error_right) = measured[after];
        let (left, error_left) =
            if right == at { (right, error_right) } else { *measured.get(after.checked_sub(1)?)? };
        let share = if right == left { 0.0 } else { (at - left) as f64 / (right - left) as f64 };
        let error = error_left + share * (error_right - error_left);
        Some(Observation { adapters, error, weight: 1.0 - share.min(1.0 - share) })
    };
    path.into_iter().enumerate().filter_map(between).collect()
}

/// A film of the same perceptron with normal noise on its adapters.
fn with_noise(film: &Film, sd: f32, rng: &mut ChaCha8Rng) -> Result<Film> {
    let mut noisy = film.clone();
    let mut member = |p: &Parameter| {
        let values = host(p.value()).into_iter().map(|v| v + sd * rng.sample::<f32, _>(StandardNormal));
        Parameter::new(p.name(), p.shape(), values.collect())
    };
    let members = film.parameters().iter().map(&mut member).collect::<Result<_>>()?;
    *noisy.parameters_mut() = Parameters::new(members);
    Ok(noisy)
}

/// Adapters on their way.
struct Tuning {
    film: Film,
    optimizer: Box<dyn Optimizer>,
    learning_rate: f64,
    total: usize,
    done: usize,
    batch: usize,
}

impl Tuning {
    fn new(film: Film, train: &Train, options: &MetricOpt) -> Result<Self> {
        train.check()?;
        let optimizer = options.descent.optimizer(train.learning_rate);
        Ok(Self {
            film,
            optimizer,
            learning_rate: train.learning_rate,
            total: train.epochs,
            done: 0,
            batch: train.batch,
        })
    }

    /// One step; the loss before it, without the value function's part.
    fn step(
        &mut self,
        task: &Classification,
        rows: &[usize],
        guide: Option<(&ValueFunction, f64)>,
    ) -> Result<f64> {
        let data = &task.splits.train;
        let (x, labels) = Batch::of(data, rows).tensors()?;
        let original = CrossEntropy::default();
        let (before, mut value) =
            batch_loss(&mut self.film, &original as &dyn Loss, x, &labels[..], self.done)?;
        if let Some((function, weight)) = guide {
            value = self.guided(value, function, weight as f32)?;
        }
        let steps = self.total * data.rows().div_ceil(self.batch);
        self.optimizer.set_learning_rate(self.learning_rate * (1.0 - self.done as f64 / steps as f64));
        self.optimizer.update(self.film.parameters_mut(), &mut value.try_backward()?)?;
        self.done += 1;
        Ok(before)
    }

    /// Adds a term whose gradient is the value function's: its linear part at the adapters as they are.
    fn guided(&self, loss: Scalar<Tape>, function: &ValueFunction, weight: f32) -> Result<Scalar<Tape>> {
        let gradient = function.gradient(&adapters(&self.film))?;
        let (mut at, mut loss) = (0, loss);
        for parameter in self.film.parameters().iter() {
            let &(rows, columns) = dfdx::prelude::HasShape::shape(parameter.value());
            let slopes = gradient[at..at + rows * columns].iter().map(|g| g * weight).collect();
            let linear = parameter.value().leaky_trace().try_mul(matrix(slopes, rows, columns)?)?;
            loss = loss.try_add(linear.try_sum::<(), _>()?)?;
            at += rows * columns;
        }
        Ok(loss)
    }
}
