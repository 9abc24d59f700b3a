//! The loop of training, whatever a model predicts.

use dfdx::prelude::*;

use super::checkpoint::{detached, Checkpoint, State};
use super::{Epoch, Train};
use crate::error::{Error, Result};
use crate::loss::{weighted, Loss};
use crate::metric::Direction;
use crate::model::{Model, Parametric};
use crate::ops::{scalar, Adam};
use crate::{Matrix, Scalar, Tape};

/// What a model learns from and is validated by.
pub(super) trait Lessons<M> {
    /// What losses compare predictions with.
    type Aim: ?Sized;

    /// The rows of each batch of an epoch, from 0.
    fn batches(&self, epoch: usize) -> Result<Vec<Vec<usize>>>;

    /// The loss of a step's rows.
    fn loss(
        &self,
        model: &mut M,
        loss: &dyn Loss<Self::Aim>,
        rows: &[usize],
        step: usize,
    ) -> Result<StepLoss>;

    /// The metric on the validation part, after so many steps.
    fn validate(&self, model: &M, step: usize) -> Result<f64>;

    /// Which values of that metric are better.
    fn direction(&self) -> Direction;
}

/// What a run ends with.
pub(super) struct Trained<M> {
    pub(super) model: M,
    /// Of that model.
    pub(super) validation: f64,
    pub(super) history: Vec<Epoch>,
}

/// The value of a loss before a step, and what it is differentiated by.
pub(super) type StepLoss = (f64, Scalar<Tape>);

/// A run of training.
pub(super) struct Run<'a, S, A: ?Sized> {
    pub(super) lessons: &'a S,
    pub(super) loss: &'a dyn Loss<A>,
    /// The loss of the first steps, where there is a warm-up.
    pub(super) original: &'a dyn Loss<A>,
    pub(super) options: &'a Train,
}

impl<S, A: ?Sized> Run<'_, S, A> {
    /// Trains a model and shows it after every epoch.
    pub(super) fn train<M: Parametric + Clone>(
        &self,
        model: M,
        mut after_epoch: impl FnMut(usize, &M) -> Result<()>,
    ) -> Result<Trained<M>>
    where
        S: Lessons<M, Aim = A>,
    {
        let Self { options, lessons, .. } = *self;
        options.check()?;
        let losses = [self.original.name(), self.loss.name()];
        let steps = lessons.batches(0)?.len();
        let mut checkpoint = Checkpoint::new(options, model.name(), losses, steps);
        let mut state = checkpoint.state(model)?;
        while !options.ends(&state) {
            let epoch = state.history.len();
            let done = self.epoch(&mut state.model, &mut state.adam, epoch);
            state.history.push(done.map_err(|error| checkpoint.diverged(error))?);
            if options.patience > 0 && is_best(&state, lessons.direction()) {
                state.best = Some((epoch, detached(&state.model)?));
            }
            let last = options.ends(&state);
            checkpoint.keep(&mut state, last)?;
            after_epoch(epoch, &state.model)?;
        }
        let State { model, history, best, .. } = state;
        let (epoch, model) = match best {
            Some(best) => best,
            None => (history.len() - 1, detached(&model)?),
        };
        Ok(Trained { model, validation: history[epoch].validation, history })
    }

    /// The loss where that which is learned with has this share of it.
    fn loss_at(&self, share: f32) -> Handover<'_, A> {
        Handover { from: self.original, to: self.loss, share }
    }

    /// One pass over the training part; epochs count from 0.
    fn epoch<M: Parametric>(&self, model: &mut M, adam: &mut Adam, epoch: usize) -> Result<Epoch>
    where
        S: Lessons<M, Aim = A>,
    {
        let Self { lessons, options, .. } = *self;
        let batches = lessons.batches(epoch)?;
        let (first, total) = (epoch * batches.len(), options.epochs * batches.len());
        let mut sum = 0.0;
        for (step, rows) in (first..).zip(&batches) {
            adam.set_learning_rate(options.rate(step, total));
            let (before, value) =
                lessons.loss(model, &self.loss_at(options.share(step, total)), rows, step)?;
            adam.update(model.parameters_mut(), &mut value.try_backward()?)?;
            sum += before;
        }
        let validation = lessons.validate(model, first + batches.len())?;
        Ok(Epoch { epoch: epoch + 1, loss: sum / batches.len() as f64, validation })
    }
}

/// Two losses, one of which takes over from the other.
struct Handover<'a, A: ?Sized> {
    from: &'a dyn Loss<A>,
    to: &'a dyn Loss<A>,
    /// How much of the second, from 0 to 1.
    share: f32,
}

impl<A: ?Sized> Loss<A> for Handover<'_, A> {
    fn name(&self) -> String {
        self.to.name()
    }

    fn loss(&self, prediction: Matrix<Tape>, target: &A) -> Result<Scalar<Tape>> {
        match self.share {
            share if share <= 0.0 => self.from.loss(prediction, target),
            share if share >= 1.0 => self.to.loss(prediction, target),
            share => weighted([(1.0 - share, self.from), (share, self.to)], prediction, target),
        }
    }
}

impl Train {
    /// The weight of the loss at a step of `total`, from 0 to 1; the original one has the rest.
    fn share(&self, step: usize, total: usize) -> f32 {
        let warm = (self.warm_up * total as f64).round() as usize;
        let handover = self.handover * total as f64;
        match step.checked_sub(warm) {
            None => 0.0,
            Some(since) if handover > 0.0 => (since as f64 / handover).min(1.0) as f32,
            Some(_) => 1.0,
        }
    }

    /// The learning rate of a step, from 0, of `total`: rising over the first share `ramp`, falling all the while.
    fn rate(&self, step: usize, total: usize) -> f64 {
        let done = step as f64 / total as f64;
        let rising = self.ramp * total as f64;
        let risen = if rising > 0.0 { ((step + 1) as f64 / rising).min(1.0) } else { 1.0 };
        self.learning_rate * risen * (1.0 - done)
    }

    /// Whether a run that has come so far is at its end.
    fn ends<M>(&self, state: &State<M>) -> bool {
        let epochs = state.history.len();
        let tired = state.best.as_ref().is_some_and(|(best, _)| epochs > best + self.patience);
        epochs >= self.epochs || tired
    }
}

/// Whether the last epoch is better than all before.
fn is_best<M>(state: &State<M>, direction: Direction) -> bool {
    let value = |epoch: &Epoch| direction.sign() * epoch.validation;
    match (state.history.last(), &state.best) {
        (Some(last), Some((best, _))) => value(last) > value(&state.history[*best]),
        _ => true,
    }
}

/// A run of which the predictions left the finite numbers.
pub(super) fn not_finite(step: usize) -> Error {
    diverged(step, "predictions are not finite; lower the learning rate".to_string())
}

fn diverged(step: usize, reason: String) -> Error {
    Error::Diverged { what: "training".to_string(), step, reason }
}

/// The loss of a batch of rows.
pub(super) fn batch_loss<A: ?Sized>(
    model: &mut impl Model,
    loss: &dyn Loss<A>,
    x: Matrix,
    aim: &A,
    step: usize,
) -> Result<StepLoss> {
    let prediction = model.forward(x.leaky_traced())?;
    finite(step, loss.loss(prediction, aim), None)
}

/// A loss with what is added to it, unless it has left the finite numbers.
pub(super) fn finite(
    step: usize,
    loss: Result<Scalar<Tape>>,
    beside: Option<Scalar<Tape>>,
) -> Result<StepLoss> {
    let mut value = match loss {
        Err(Error::NotFinite { .. }) => return Err(not_finite(step)),
        other => other?,
    };
    if let Some(beside) = beside {
        value = value.try_add(beside)?;
    }
    let before = f64::from(scalar(&value));
    match before.is_finite() {
        true => Ok((before, value)),
        false => Err(diverged(step, format!("the loss is {before}; lower the learning rate"))),
    }
}
