//! Digits under clean, noisy and long-tailed labels: cross-entropy against a learned loss.

use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Candidate, Case, Comparison, Results};
use crate::data::{Dataset, Split, Splits};
use crate::error::Result;
use crate::loss::{CrossEntropy, MeanAbsoluteError};
use crate::metric::{ClassMetric, Metric, TopK};
use crate::sampler::{Labels, Sampler, Store};
use crate::surrogate::{learn, Learn, Learned};
use crate::task::{Classification, Train};

/// What is done to the data a model learns from; the test part stays as it is.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub enum Setting {
    /// Nothing.
    Clean,
    /// This share of the training and validation labels becomes a uniformly random other class.
    Noise(f64),
    /// The training classes thin out exponentially: the largest has this many times the rows of the
    /// smallest. Validation and test keep all classes alike.
    LongTail(f64),
}

impl Setting {
    /// The name in tables and result files.
    pub fn name(&self) -> String {
        match self {
            Self::Clean => "clean".to_string(),
            Self::Noise(rate) => format!("noise {:.0} %", 100.0 * rate),
            Self::LongTail(ratio) => format!("long tail {ratio:.0}:1"),
        }
    }

    /// The metric this setting is judged by, for which its loss is learned.
    pub fn metric(&self) -> Arc<dyn Metric> {
        match self {
            Self::LongTail(_) => Arc::new(ClassMetric::MACRO_F1),
            _ => Arc::new(TopK::ACCURACY),
        }
    }

    /// Whether its metric is a mean over classes, so that rows of rare classes weigh more.
    pub(super) fn balanced(&self) -> bool {
        matches!(self, Self::LongTail(_))
    }

    /// A long-tailed part is small: its epochs are doubled, for every loss.
    pub(super) fn train(&self, all: &Train) -> Train {
        let epochs = all.epochs * if self.balanced() { 2 } else { 1 };
        Train { epochs, ..all.clone() }
    }

    /// How a loss is learned here: with weights of rows for a metric that is a mean over classes.
    pub(super) fn learn(&self, all: &Learn) -> Learn {
        let mut options = all.clone();
        options.input.balanced = self.balanced();
        options
    }

    /// The usual remedy of either regime: class weights, or smoothed labels.
    pub(super) fn remedy(&self, part: &Dataset) -> Result<CrossEntropy> {
        match self.balanced() {
            true => CrossEntropy::balanced(part.labels(), part.classes()),
            false => CrossEntropy::smoothed(0.1),
        }
    }

    /// The task of one seed: its split, with the labels of this setting.
    ///
    /// # Errors
    /// What the data set has to say.
    pub fn task(&self, data: &Dataset, seed: u64) -> Result<Classification> {
        Ok(Classification::new(self.apply(data.split(&Split { seed, ..Split::default() })?, seed)?))
    }

    /// These parts with the labels of this setting.
    ///
    /// # Errors
    /// What the data set has to say.
    pub fn apply(&self, mut splits: Splits, seed: u64) -> Result<Splits> {
        match *self {
            Self::Clean => {}
            Self::Noise(rate) => {
                splits.train = splits.train.with_label_noise(rate, seed)?;
                splits.validation = splits.validation.with_label_noise(rate, seed ^ 0x5EED)?;
            }
            Self::LongTail(ratio) => splits.train = splits.train.long_tailed(ratio, seed)?,
        }
        Ok(splits)
    }
}

/// The comparison `reloss classify` makes.
#[derive(Debug, Clone)]
pub struct Classify {
    /// The regimes.
    pub settings: Vec<Setting>,
    /// How the losses are learned.
    pub learn: Learn,
    /// Seeds, tuning and training.
    pub comparison: Comparison,
}

impl Default for Classify {
    fn default() -> Self {
        Self {
            settings: vec![
                Setting::Clean,
                Setting::Noise(0.2),
                Setting::Noise(0.4),
                Setting::LongTail(20.0),
                Setting::LongTail(50.0),
            ],
            learn: Learn::default(),
            comparison: Comparison {
                seeds: (0..10).collect(),
                tuning_seeds: vec![100, 101, 102, 103],
                grid: vec![1e-3, 2e-3, 4e-3, 8e-3, 1.6e-2, 3.2e-2, 6.4e-2],
                train: Train::default(),
            },
        }
    }
}

/// Learns a loss for a metric from predictions stored while a model trains with cross-entropy on
/// the task's own training part.
///
/// # Errors
/// What training and learning have to say.
pub fn learn_loss(
    task: &Classification,
    metric: &dyn Metric,
    train: &Train,
    options: &Learn,
) -> Result<Learned> {
    learn_from(task.store_predictions(metric, train)?, &task.splits.train, metric, options)
}

/// As [`learn_loss`], from predictions stored on a training part.
pub(super) fn learn_from(
    store: Store,
    part: &Dataset,
    metric: &dyn Metric,
    options: &Learn,
) -> Result<Learned> {
    learn_on(part, &sampler_of(store, options.input.balanced), metric, options)
}

/// Samples of stored predictions; with long tails, where rows weigh by their class.
pub(super) fn sampler_of(store: Store, balanced: bool) -> Sampler {
    let sampler = Sampler::stored(store);
    match balanced {
        true => Sampler { labels: Labels::LongTail(100.0), rows: 128, ..sampler },
        false => sampler,
    }
}

/// A loss learned from samples, for the classes of a training part.
pub(super) fn learn_on(
    part: &Dataset,
    sampler: &Sampler,
    metric: &dyn Metric,
    options: &Learn,
) -> Result<Learned> {
    let mut learned = learn(metric, sampler, options)?;
    learned.loss = learned.loss.with_shares_of(part.labels(), part.classes())?;
    Ok(learned)
}

impl Classify {
    /// This comparison over these seeds.
    pub fn with_seeds(mut self, seeds: Vec<u64>) -> Self {
        self.comparison.seeds = seeds;
        self
    }

    /// Runs what `done` lacks; after every round all results are written to `path`, with `command` as their origin.
    ///
    /// # Errors
    /// As [`Comparison::run`].
    pub fn run(&self, data: &Dataset, done: Results, path: Option<&Path>, command: &str) -> Result<Results> {
        let regime = |&setting| Regime { data, setting, learn: &self.learn };
        let regimes: Vec<Regime> = self.settings.iter().map(regime).collect();
        self.comparison.run("classify", &regimes, done, path, command)
    }
}

/// One data set under one setting.
pub(super) struct Regime<'a> {
    pub(super) data: &'a Dataset,
    pub(super) setting: Setting,
    pub(super) learn: &'a Learn,
}

impl Case for Regime<'_> {
    type Task = Classification;

    fn data(&self) -> String {
        self.data.name().to_string()
    }

    fn setting(&self) -> String {
        self.setting.name()
    }

    fn metric(&self) -> Arc<dyn Metric> {
        self.setting.metric()
    }

    fn task(&self, seed: u64) -> Result<Classification> {
        self.setting.task(self.data, seed)
    }

    fn train(&self, all: &Train) -> Train {
        self.setting.train(all)
    }

    /// The learned loss knows this task's training part only.
    fn candidates(&self, task: &Classification, train: &Train) -> Result<Vec<Candidate>> {
        let options = Learn { seed: train.seed, ..self.setting.learn(self.learn) };
        let learned = learn_loss(task, self.metric().as_ref(), train, &options)?;
        let part = &task.splits.train;
        Ok(vec![
            Candidate::fixed(CrossEntropy::default()),
            Candidate::fixed(self.setting.remedy(part)?),
            Candidate::fixed(MeanAbsoluteError),
            Candidate::fixed(learned.loss),
        ])
    }
}
