//! The loop of training, whatever a model predicts.

use std::borrow::Borrow;
use std::collections::HashMap;

use dfdx::prelude::*;

use super::{Epoch, Train};
use crate::error::{Error, Result};
use crate::loss::Loss;
use crate::model::Model;
use crate::ops::{scalar, Adam};
use crate::{Matrix, Scalar, Tape};

/// What a model learns from and is validated by.
pub(super) trait Lessons {
    /// What losses compare predictions with.
    type Aim: ?Sized;
    /// That of a batch, owned.
    type Aims: Borrow<Self::Aim>;

    /// The rows of each batch of an epoch, from 0.
    fn batches(&self, epoch: usize) -> Result<Vec<Vec<usize>>>;

    /// What goes into the model at a step, and what should come out.
    fn batch(&self, rows: &[usize], step: usize) -> Result<(Matrix, Self::Aims)>;

    /// The metric on the validation part, after so many steps.
    fn validate(&self, model: &impl Model, step: usize) -> Result<f64>;
}

/// A run of training.
pub(super) struct Run<'a, S: Lessons> {
    pub(super) lessons: &'a S,
    pub(super) loss: &'a dyn Loss<S::Aim>,
    /// The loss of the first steps, where there is a warm-up.
    pub(super) original: &'a dyn Loss<S::Aim>,
    pub(super) options: &'a Train,
}

impl<S: Lessons> Run<'_, S> {
    /// Trains a model and shows it after every epoch.
    pub(super) fn train<M: Model + Clone>(
        &self,
        mut model: M,
        mut after_epoch: impl FnMut(usize, &M) -> Result<()>,
    ) -> Result<(M, Vec<Epoch>)> {
        let Self { options, .. } = *self;
        options.check()?;
        let mut adam = Adam::new(options.learning_rate, 0.0);
        let mut history = Vec::with_capacity(options.epochs);
        for epoch in 0..options.epochs {
            let done = self.epoch(&mut model, &mut adam, epoch);
            history.push(done.map_err(|error| options.diverged(error, epoch))?);
            options.keep(&model, epoch + 1)?;
            after_epoch(epoch, &model)?;
        }
        // Tensors of its own, which later training does not touch.
        let mut trained = model.clone();
        *trained.parameters_mut() = model.parameters().detached()?;
        Ok((trained, history))
    }

    /// One pass over the training part; epochs count from 0.
    fn epoch(&self, model: &mut impl Model, adam: &mut Adam, epoch: usize) -> Result<Epoch> {
        let Self { lessons, options, .. } = *self;
        let batches = lessons.batches(epoch)?;
        let (first, total) = (epoch * batches.len(), options.epochs * batches.len());
        let warm = (options.warm_up * total as f64).round() as usize;
        let mut sum = 0.0;
        for (step, rows) in (first..).zip(&batches) {
            let loss = if step < warm { self.original } else { self.loss };
            adam.set_learning_rate(options.rate(step, total));
            let (x, aim) = lessons.batch(rows, step)?;
            let (before, value) = batch_loss(model, loss, x, aim.borrow(), step)?;
            adam.update(model.parameters_mut(), &mut value.try_backward()?)?;
            sum += before;
        }
        let validation = lessons.validate(model, first + batches.len())?;
        Ok(Epoch { epoch: epoch + 1, loss: sum / batches.len() as f64, validation })
    }
}

impl Train {
    /// The learning rate of a step, from 0, of `total`: rising over the first share `ramp`, falling all the while.
    fn rate(&self, step: usize, total: usize) -> f64 {
        let done = step as f64 / total as f64;
        let rising = self.ramp * total as f64;
        let risen = if rising > 0.0 { ((step + 1) as f64 / rising).min(1.0) } else { 1.0 };
        self.learning_rate * risen * (1.0 - done)
    }

    /// Keeps a model that is good so far.
    fn keep(&self, model: &impl Model, epoch: usize) -> Result<()> {
        let Some(path) = &self.checkpoint else { return Ok(()) };
        let notes = HashMap::from([("reloss.epoch".to_string(), epoch.to_string())]);
        model.parameters().save(path, notes)
    }

    /// A divergence, with what is left of the run.
    fn diverged(&self, error: Error, epochs: usize) -> Error {
        match (error, &self.checkpoint) {
            (Error::Diverged { what, step, reason }, Some(path)) if epochs > 0 => {
                let kept = format!("{reason}; the model after epoch {epochs} is in {}", path.display());
                Error::Diverged { what, step, reason: kept }
            }
            (error, _) => error,
        }
    }
}

/// A run of which the predictions left the finite numbers.
pub(super) fn not_finite(step: usize) -> Error {
    diverged(step, "predictions are not finite; lower the learning rate".to_string())
}

fn diverged(step: usize, reason: String) -> Error {
    Error::Diverged { what: "training".to_string(), step, reason }
}

/// The loss of a batch, before a step, and what it is differentiated by.
pub(super) fn batch_loss<A: ?Sized>(
    model: &mut impl Model,
    loss: &dyn Loss<A>,
    x: Matrix,
    aim: &A,
    step: usize,
) -> Result<(f64, Scalar<Tape>)> {
    let prediction = model.forward(x.leaky_traced())?;
    let value = match loss.loss(prediction, aim) {
        Err(Error::NotFinite { .. }) => return Err(not_finite(step)),
        other => other?,
    };
    let before = f64::from(scalar(&value));
    match before.is_finite() {
        true => Ok((before, value)),
        false => Err(diverged(step, format!("the loss is {before}; lower the learning rate"))),
    }
}
