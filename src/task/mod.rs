//! Tasks: data + model + metric + any loss → outcome.

mod adaptive;
mod checkpoint;
mod classification;
mod digits;
mod images;
mod metric_opt;
mod pose;
mod reading;
mod run;
mod sorting;
mod training;
mod translation;

pub use classification::Classification;
pub use digits::SortDigits;
pub use images::{Architecture, ImageClassification};
pub use metric_opt::{Descent, MetricOpt};
pub use pose::PoseEstimation;
pub use reading::Reading;
pub use sorting::{Correct, SortNumbers, SortingOutcome, SortingStep, TrainSorting};
pub use training::{Epoch, Outcome, Train};
pub use translation::Translation;

use std::borrow::Borrow;

use crate::error::Result;
use crate::loss::Loss;
use crate::metric::Metric;
use crate::model::Parametric;

/// What losses are compared on: it trains a fresh model with any of them and judges it.
pub trait Task {
    /// The model it trains.
    type Model: Parametric;
    /// What a metric judges: class scores, heatmaps.
    type Prediction;
    /// What a metric judges predictions against.
    type Target: ?Sized;
    /// The targets of the test part, owned.
    type Truth: Borrow<Self::Target>;
    /// What a loss compares predictions with; for class scores the same labels.
    type Aim: ?Sized;

    /// The loss it is usually trained with, and by the steps of a warm-up if no other is named.
    fn original(&self) -> LossOf<Self>;

    /// Trains with a loss and judges by a metric, on the validation part and on the test part.
    ///
    /// Same seed, same start and same batches, whatever the loss: outcomes are paired.
    ///
    /// # Errors
    /// [`Error::Parameter`](crate::Error::Parameter) for options out of range, [`Error::Diverged`](crate::Error::Diverged)
    /// when the loss leaves the finite numbers, and what the loss and the metric have to say.
    fn train(
        &self,
        loss: &dyn Loss<Self::Aim>,
        metric: &MetricOf<Self>,
        options: &Train,
    ) -> Result<OutcomeOf<Self>> {
        self.train_after(self.original().as_ref(), loss, metric, options)
    }

    /// As [`Task::train`], with another loss than the original one for the steps of the warm-up.
    ///
    /// # Errors
    /// As [`Task::train`].
    ///
    /// # Example
    /// A learned loss joins label smoothing when half of the steps are made.
    /// ```
    /// use reloss::data::{Dataset, Split};
    /// use reloss::loss::{CrossEntropy, Sum};
    /// use reloss::metric::TopK;
    /// use reloss::surrogate::{Pretrained, Surrogate};
    /// use reloss::task::{Classification, Task, Train};
    ///
    /// let task = Classification::new(Dataset::digits()?.split(&Split::default())?);
    /// let (learned, smoothed) = (Surrogate::pretrained(Pretrained::Accuracy)?, CrossEntropy::smoothed(0.1)?);
    /// let both = Sum::new("both", vec![(1.0, Box::new(learned)), (1.0, Box::new(smoothed.clone()))])?;
    /// let options = Train { epochs: 4, warm_up: 0.5, ..Train::default() };
    /// let outcome = task.train_after(&smoothed, &both, &TopK::ACCURACY, &options)?;
    /// assert!(outcome.validation > 0.5);
    /// # Ok::<(), reloss::Error>(())
    /// ```
    fn train_after(
        &self,
        before: &dyn Loss<Self::Aim>,
        loss: &dyn Loss<Self::Aim>,
        metric: &MetricOf<Self>,
        options: &Train,
    ) -> Result<OutcomeOf<Self>>;

    /// The same task with the smallest test part there can be, for runs of which only the validation counts.
    ///
    /// Test predictions then cost nothing; the task itself, where they are few anyway.
    ///
    /// # Errors
    /// What the data have to say.
    fn untested(self) -> Result<Self>
    where
        Self: Sized,
    {
        Ok(self)
    }
}

/// A metric that a task's predictions can be judged by.
pub type MetricOf<T> = dyn Metric<<T as Task>::Prediction, <T as Task>::Target>;

/// A loss that a task can be trained with.
pub type LossOf<T> = Box<dyn Loss<<T as Task>::Aim>>;

/// What a task makes of a run.
pub type OutcomeOf<T> = Outcome<<T as Task>::Model, <T as Task>::Prediction, <T as Task>::Truth>;
