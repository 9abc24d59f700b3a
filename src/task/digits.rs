//! Small sets of numbers to be sorted, for comparisons of many losses.

use rand_chacha::ChaCha8Rng;

use super::sorting::{image, places, stream, SortNumbers, TrainSorting};
use super::{Epoch, LossOf, Outcome, Task, Train};
use crate::data::Numbers;
use crate::error::{Error, Result};
use crate::loss::{Loss, PermutationLoss, PlaceLoss};
use crate::metric::{Metric, Scores};
use crate::model::{Cnn, Model};
use crate::ops::{host, matrix};
use crate::rank::{rank, Ties};
use crate::sampler::Store;
use crate::sort::SoftSort;

/// [`SortNumbers`] behind the [`Task`] trait: models are judged by a metric of their scores.
///
/// Scores are (sets, n); the labels a metric gets are the places, from 0, of the sets' true numbers, equal numbers sharing
/// the first of theirs. An epoch shows as many images as there are digits to draw from; the learning rate stays, as in the
/// papers.
#[derive(Debug, Clone)]
pub struct SortDigits {
    /// What is trained and tested on.
    pub numbers: SortNumbers,
    /// What learning rates are chosen by.
    pub validation: Numbers,
    /// Filters of the two convolutions.
    pub filters: [usize; 2],
    /// Units of the hidden layer.
    pub hidden: usize,
}

/// Sets a model is judged by, in validation and test.
const SETS: usize = 1000;
/// Entries of the history.
const LOOKS: usize = 10;
/// Streams of random numbers of one seed, far from those of a run's steps.
const VALIDATION_STREAM: u64 = u64::MAX;
const TEST_STREAM: u64 = u64::MAX - 1;
const STORE_STREAM: u64 = u64::MAX - 2;

impl SortDigits {
    /// Updates in an epoch.
    fn updates(&self, train: &Train) -> usize {
        (self.numbers.train.digits() / (train.batch * self.numbers.n).max(1)).max(1)
    }

    fn options(&self, train: &Train) -> TrainSorting {
        let steps = train.epochs * self.updates(train);
        TrainSorting {
            steps,
            batch: train.batch,
            learning_rate: train.learning_rate,
            filters: self.filters,
            hidden: self.hidden,
            seed: train.seed,
            every: steps.div_ceil(LOOKS).max(1),
            checkpoint: None,
        }
    }

    /// Scores of drawn sets, (sets, n), and what the numbers are.
    fn scores(&self, model: &Cnn, numbers: &Numbers, rng: &mut ChaCha8Rng) -> Result<(Scores, Vec<f64>)> {
        let (images, values) = numbers.draw(SETS * self.numbers.n, rng);
        let x = matrix(images, values.len(), image(numbers).len())?;
        Ok((Scores::new(host(&model.predict(x)?), self.numbers.n)?, values))
    }

    /// Scores of drawn sets and the places a metric judges them by.
    fn drawn(&self, model: &Cnn, numbers: &Numbers, rng: &mut ChaCha8Rng) -> Result<(Scores, Vec<usize>)> {
        let (scores, values) = self.scores(model, numbers, rng)?;
        let mut places = Vec::with_capacity(values.len());
        for set in values.chunks_exact(self.numbers.n) {
            places.extend(rank(set, Ties::Min)?.into_iter().map(|rank| rank as usize - 1));
        }
        Ok((scores, places))
    }

    /// Trains with the permutation loss and stores, on the way, what [`PlaceLoss`] shows a loss of class scores.
    ///
    /// # Errors
    /// As [`Task::train`].
    pub fn store_predictions(&self, soft: &SoftSort, train: &Train) -> Result<Store> {
        let mut store = Store::empty(self.numbers.n);
        let mut rng = stream(train.seed, STORE_STREAM);
        self.numbers.run(&PermutationLoss { soft: *soft }, None, &self.options(train), |model| {
            let (scores, values) = self.scores(model, &self.numbers.train, &mut rng)?;
            let scores = matrix(scores.values().to_vec(), scores.rows(), scores.classes())?;
            let scores = Scores::new(host(&PlaceLoss::class_scores(scores, soft)?), self.numbers.n)?;
            store.append(scores, places(&values, self.numbers.n)?)
        })?;
        Ok(store)
    }
}

impl Task for SortDigits {
    type Model = Cnn;
    type Prediction = Scores;
    type Target = [usize];
    type Truth = Vec<usize>;
    type Aim = [usize];

    fn original(&self) -> LossOf<Self> {
        Box::new(PermutationLoss { soft: SoftSort::default() })
    }

    /// There is no warm-up here: it is an [`Error::Parameter`].
    fn train_after(
        &self,
        _: &dyn Loss,
        loss: &dyn Loss,
        metric: &dyn Metric,
        options: &Train,
    ) -> Result<Outcome<Cnn>> {
        options.check()?;
        if options.warm_up + options.handover > 0.0 {
            return Err(Error::parameter("warm_up", "numbers are sorted with one loss from start to end"));
        }
        let outcome = self.numbers.train_with(loss, &self.options(options))?;
        let model = outcome.model;
        let (scores, places) =
            self.drawn(&model, &self.validation, &mut stream(options.seed, VALIDATION_STREAM))?;
        let validation = metric.value(&scores, &places)?;
        let (predictions, targets) =
            self.drawn(&model, &self.numbers.test, &mut stream(options.seed, TEST_STREAM))?;
        let updates = self.updates(options);
        let entry = |entry: &super::SortingStep| Epoch {
            epoch: entry.step.div_ceil(updates),
            loss: entry.loss,
            validation: entry.correct.sets,
        };
        Ok(Outcome {
            history: outcome.history.iter().map(entry).collect(),
            model,
            validation,
            predictions,
            targets,
        })
    }
}
