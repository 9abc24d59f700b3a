//! Training a model with any loss: what all tasks of rows with labels have in common.

use std::borrow::Borrow;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::run::{batch_loss, not_finite, Lessons, Run, StepLoss, Trained};
use crate::data::{Augment, Dataset, ImageShape, Splits};
use crate::error::{check_positive, Error, Result};
use crate::loss::Loss;
use crate::metric::{Bootstrap, Direction, Interval, Metric, Scores};
use crate::model::{Mlp, Model};
use crate::ops::{host, matrix};
use crate::sampler::Store;
use crate::Matrix;

/// How a model is trained. The learning rate falls linearly to 0, after it has risen to its height.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Train {
    /// Passes over the training part.
    pub epochs: usize,
    /// Rows a step.
    pub batch: usize,
    /// Adam's learning rate at the start.
    pub learning_rate: f64,
    /// The share of steps, from the start, in which the learning rate rises linearly from 0; 0 starts at its height.
    pub ramp: f64,
    /// The share of steps, from the start, made with [`Task::original`](super::Task::original), or the loss given to
    /// [`Task::train_after`](super::Task::train_after), before the loss takes over.
    ///
    /// 0 trains with the loss alone. A learned loss is nearly flat where a fresh model starts.
    pub warm_up: f64,
    /// The share of steps, after those of `warm_up`, in which the loss takes over little by little: its weight rises linearly
    /// from 0 to 1 while that of the other falls; 0 changes at once.
    #[serde(default)]
    pub handover: f64,
    /// Epochs without a better validation metric after which training stops with the best model; 0 never stops and keeps the
    /// last.
    pub patience: usize,
    /// Seed of the model's start and of the batches' order.
    pub seed: u64,
    /// Where the run is kept after every epoch, as safetensors: the model under its tensors' own names, beside it what the run
    /// needs to go on. Of a run that diverges the last good model is left.
    #[serde(skip)]
    pub checkpoint: Option<PathBuf>,
    /// Seconds that pass at least before the checkpoint is written again; after the last epoch it always is.
    #[serde(skip)]
    pub checkpoint_seconds: f64,
    /// Continue from the checkpoint, if there is one, to the same end as without a break. A loss that changes while it trains
    /// is not in it and would begin anew.
    #[serde(skip)]
    pub resume: bool,
}

/// Most seconds between two checkpoints: a day.
const MAX_SECONDS: f64 = 86_400.0;

impl Default for Train {
    fn default() -> Self {
        Self {
            epochs: 40,
            batch: 64,
            learning_rate: 3e-3,
            ramp: 0.0,
            warm_up: 0.0,
            handover: 0.0,
            patience: 0,
            seed: 0,
            checkpoint: None,
            checkpoint_seconds: 0.0,
            resume: false,
        }
    }
}

/// One pass over the training part.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Epoch {
    /// From 1.
    pub epoch: usize,
    /// Mean training loss, of whichever loss was in use.
    pub loss: f64,
    /// The metric on the validation part.
    pub validation: f64,
}

/// A trained model with its predictions.
#[derive(Debug, Clone)]
pub struct Outcome<M = Mlp, P = Scores, L = Vec<usize>> {
    /// The model after the last step.
    pub model: M,
    /// Curves.
    pub history: Vec<Epoch>,
    /// The metric on the validation part, after the last step.
    pub validation: f64,
    /// Test predictions.
    pub predictions: P,
    /// What a metric judges them against: test labels.
    pub targets: L,
}

impl<M, P, L> Outcome<M, P, L> {
    /// A metric of the test predictions.
    ///
    /// # Errors
    /// What the metric has to say.
    pub fn test<T: ?Sized>(&self, metric: &dyn Metric<P, T>) -> Result<f64>
    where
        L: Borrow<T>,
    {
        metric.value(&self.predictions, self.targets.borrow())
    }
}

impl<M> Outcome<M> {
    /// What a trained model makes of the test part.
    pub(super) fn new(trained: Trained<M>, test: &Dataset) -> Result<Self>
    where
        M: Model,
    {
        let Trained { model, validation, history } = trained;
        let predictions = predict(&model, test)?;
        Ok(Self { model, history, validation, predictions, targets: test.labels().to_vec() })
    }

    /// A metric of the test predictions with its 95 % interval over test rows.
    ///
    /// # Errors
    /// As [`Bootstrap::interval`].
    pub fn test_interval(&self, metric: &dyn Metric) -> Result<Interval> {
        Bootstrap::default().of_scores(metric, &self.predictions, &self.targets)
    }
}

impl Train {
    /// The batches of an epoch, from 0.
    pub(super) fn batches(&self, data: &Dataset, epoch: usize) -> Result<Vec<Vec<usize>>> {
        data.batches(self.batch, self.seed_of_epoch(epoch))
    }

    pub(super) fn check(&self) -> Result<()> {
        if self.epochs == 0 || self.batch == 0 {
            return Err(Error::parameter("train", "epochs and batch must be positive"));
        }
        check_positive("learning_rate", self.learning_rate)?;
        if !(0.0..=MAX_SECONDS).contains(&self.checkpoint_seconds) {
            let reason = format!("{} is not from 0 to {MAX_SECONDS}", self.checkpoint_seconds);
            return Err(Error::parameter("checkpoint_seconds", reason));
        }
        for (name, share) in [("warm_up", self.warm_up), ("handover", self.handover), ("ramp", self.ramp)] {
            if !(0.0..=1.0).contains(&share) {
                return Err(Error::parameter(name, format!("{share} is not a share from 0 to 1")));
            }
        }
        if self.warm_up + self.handover > 1.0 {
            let reason = format!(
                "{} more than the share of steps after the warm-up of {}",
                self.handover, self.warm_up
            );
            return Err(Error::parameter("handover", reason));
        }
        Ok(())
    }

    /// Refuses to continue a run where predictions are stored: those of the epochs before are gone.
    pub(super) fn check_storing(&self) -> Result<()> {
        match self.resume {
            true => Err(Error::parameter(
                "resume",
                "predictions are stored over a whole run, not a continued one",
            )),
            false => Ok(()),
        }
    }

    /// The seed of an epoch's order.
    pub(super) fn seed_of_epoch(&self, epoch: usize) -> u64 {
        self.seed.wrapping_add(epoch as u64 * 0x1_0000_0001)
    }

    /// The seed of a step's draws.
    pub(super) fn seed_of(&self, step: usize) -> u64 {
        // A large odd factor keeps the draws of neighbouring seeds apart.
        self.seed.wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(step as u64)
    }
}

/// Rows that go through a model together where nothing is learned.
const TOGETHER: usize = 512;

/// Class scores of every row of a data set.
pub(super) fn predict(model: &impl Model, data: &Dataset) -> Result<Scores> {
    let mut scores = Vec::with_capacity(data.rows() * data.classes());
    for rows in data.features().chunks(TOGETHER * data.width()) {
        let x = matrix(rows.to_vec(), rows.len() / data.width(), data.width())?;
        scores.extend(host(&model.predict(x)?));
    }
    Scores::new(scores, data.classes())
}

/// A run of training on rows with labels: the parts, what the model learns by, and what it is judged by.
pub(super) struct Training<'a> {
    pub(super) splits: &'a Splits,
    /// That of the warm-up and the one after it.
    pub(super) losses: [&'a dyn Loss; 2],
    pub(super) metric: &'a dyn Metric,
    pub(super) options: &'a Train,
    /// How training images are varied, if the rows are images.
    pub(super) augment: Option<(Augment, ImageShape)>,
}

impl Training<'_> {
    /// Trains a model and shows it after every epoch.
    pub(super) fn run<M: Model + Clone>(
        &self,
        model: M,
        after_epoch: impl FnMut(usize, &M) -> Result<()>,
    ) -> Result<Outcome<M>> {
        let [original, loss] = self.losses;
        let run = Run { lessons: self, loss, original, options: self.options };
        Outcome::new(run.train(model, after_epoch)?, &self.splits.test)
    }

    /// Trains a model and stores what it makes of the training part after every epoch, so that all qualities occur.
    pub(super) fn stored<M: Model + Clone>(&self, model: M) -> Result<Store> {
        let data = &self.splits.train;
        self.options.check_storing()?;
        let mut store = Store::empty(data.classes());
        self.run(model, |_, model| store.append(predict(model, data)?, data.labels().to_vec()))?;
        Ok(store)
    }
}

impl<M: Model> Lessons<M> for Training<'_> {
    type Aim = [usize];

    fn batches(&self, epoch: usize) -> Result<Vec<Vec<usize>>> {
        self.options.batches(&self.splits.train, epoch)
    }

    /// Rows are varied first.
    fn loss(&self, model: &mut M, loss: &dyn Loss, rows: &[usize], step: usize) -> Result<StepLoss> {
        let mut batch = Batch::of(&self.splits.train, rows);
        if let Some((augment, image)) = &self.augment {
            augment.apply(&mut batch.features, *image, self.options.seed_of(step))?;
        }
        let (x, labels) = batch.tensors()?;
        batch_loss(model, loss, x, &labels[..], step)
    }

    fn validate(&self, model: &M, step: usize) -> Result<f64> {
        validate(model, self.metric, &self.splits.validation, step)
    }

    fn direction(&self) -> Direction {
        self.metric.direction()
    }
}

/// Rows with their labels.
pub(super) struct Batch {
    features: Vec<f32>,
    width: usize,
    labels: Vec<usize>,
}

impl Batch {
    pub(super) fn of(data: &Dataset, rows: &[usize]) -> Self {
        let mut features = Vec::with_capacity(rows.len() * data.width());
        rows.iter().for_each(|&r| features.extend_from_slice(data.row(r)));
        let labels = rows.iter().map(|&r| data.labels()[r]).collect();
        Self { features, width: data.width(), labels }
    }

    /// As a model and a loss take them.
    pub(super) fn tensors(self) -> Result<(Matrix, Vec<usize>)> {
        Ok((matrix(self.features, self.labels.len(), self.width)?, self.labels))
    }
}

/// A metric of a model's predictions; predictions that are not finite are those of a run that diverged.
pub(super) fn validate(model: &impl Model, metric: &dyn Metric, data: &Dataset, step: usize) -> Result<f64> {
    match predict(model, data) {
        Ok(scores) => metric.value(&scores, data.labels()),
        Err(Error::NotFinite { .. }) => Err(not_finite(step)),
        Err(other) => Err(other),
    }
}
