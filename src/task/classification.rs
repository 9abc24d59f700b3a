//! Classification of feature rows by a multilayer perceptron.

use dfdx::prelude::*;

use super::training::Training;
use super::{LossOf, Outcome, Task, Train};
use crate::data::{Dataset, Splits};
use crate::error::Result;
use crate::loss::{CrossEntropy, Loss};
use crate::metric::{Metric, Scores};
use crate::model::{Mlp, Model};
use crate::ops::{host, matrix};
use crate::sampler::Store;

/// A data set in three parts and the model trained on it.
#[derive(Debug, Clone)]
pub struct Classification {
    /// Train, validation and test parts.
    pub splits: Splits,
    /// Widths of the hidden layers.
    pub hidden: Vec<usize>,
}

impl Classification {
    /// A task on given parts with one hidden layer of 128.
    pub fn new(splits: Splits) -> Self {
        Self { splits, hidden: vec![128] }
    }

    /// The model's name in tables, such as `mlp-64-128-10`.
    pub fn model_name(&self) -> String {
        Mlp::name_of(&self.sizes())
    }

    fn sizes(&self) -> Vec<usize> {
        let data = &self.splits.train;
        [data.width()].into_iter().chain(self.hidden.iter().copied()).chain([data.classes()]).collect()
    }

    pub(super) fn model(&self, seed: u64) -> Result<Mlp> {
        Mlp::new(&self.sizes(), seed)
    }

    /// Trains a fresh model with a loss and judges it by a metric; [`Task::train`] of this task.
    ///
    /// # Errors
    /// As [`Task::train`].
    pub fn train(&self, loss: &dyn Loss, metric: &dyn Metric, options: &Train) -> Result<Outcome> {
        self.run(self.model(options.seed)?, loss, metric, options, |_, _| Ok(()))
    }

    /// Trains with cross-entropy and stores the training part's logits after every epoch.
    ///
    /// The store then holds predictions of all qualities, as the reference collects them.
    ///
    /// # Errors
    /// As [`Task::train`].
    pub fn store_predictions(&self, metric: &dyn Metric, options: &Train) -> Result<Store> {
        let loss = CrossEntropy::default();
        self.training([&loss; 2], metric, options).stored(self.model(options.seed)?)
    }

    /// The same task with a model that learns from the validation part: its predictions are ones no loss was learned from.
    pub fn on_validation(&self) -> Self {
        let splits = Splits { train: self.splits.validation.clone(), ..self.splits.clone() };
        Self { splits, ..self.clone() }
    }

    /// Keeps the features a model has learned and trains its last layer on with another loss.
    ///
    /// With [`CrossEntropy::smoothed`] at 0.98 this is label over-smoothing for long-tailed data (LORT: 20 epochs there).
    ///
    /// # Errors
    /// As [`Task::train`]; [`Error::Parameter`](crate::Error::Parameter) for a model without hidden layers.
    ///
    /// # Reference
    /// "Rethinking classifier re-training in long-tailed recognition: label over-smooth can balance", ICLR 2025.
    pub fn retrain_classifier(
        &self,
        trained: &Outcome,
        loss: &dyn Loss,
        metric: &dyn Metric,
        options: &Train,
    ) -> Result<Outcome> {
        let (body, last) = trained.model.split_last()?;
        let features = |part: &Dataset| {
            let x = matrix(part.features().to_vec(), part.rows(), part.width())?;
            let hidden = body.predict(x)?.try_relu()?;
            let width = hidden.shape().1;
            Dataset::new(part.name(), host(&hidden), width, part.labels().to_vec(), part.classes())
        };
        let Splits { train, validation, test } = &self.splits;
        let splits =
            Splits { train: features(train)?, validation: features(validation)?, test: features(test)? };
        let outcome = Self { splits, hidden: Vec::new() }.run(last, loss, metric, options, |_, _| Ok(()))?;
        Ok(Outcome { model: body.followed_by(&outcome.model), ..outcome })
    }

    pub(super) fn run(
        &self,
        model: Mlp,
        loss: &dyn Loss,
        metric: &dyn Metric,
        options: &Train,
        after_epoch: impl FnMut(usize, &Mlp) -> Result<()>,
    ) -> Result<Outcome> {
        self.training([&CrossEntropy::default(), loss], metric, options).run(model, after_epoch)
    }

    fn training<'a>(
        &'a self,
        losses: [&'a dyn Loss; 2],
        metric: &'a dyn Metric,
        options: &'a Train,
    ) -> Training<'a> {
        Training { splits: &self.splits, losses, metric, options, augment: None }
    }
}

impl Task for Classification {
    type Model = Mlp;
    type Prediction = Scores;
    type Target = [usize];
    type Truth = Vec<usize>;
    type Aim = [usize];

    fn original(&self) -> LossOf<Self> {
        Box::new(CrossEntropy::default())
    }

    fn train_after(
        &self,
        before: &dyn Loss,
        loss: &dyn Loss,
        metric: &dyn Metric,
        options: &Train,
    ) -> Result<Outcome> {
        self.training([before, loss], metric, options).run(self.model(options.seed)?, |_, _| Ok(()))
    }

    fn untested(mut self) -> Result<Self> {
        self.splits.test = self.splits.test.take(&[0])?;
        Ok(self)
    }
}
