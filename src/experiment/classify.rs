//! Digits under clean, noisy and long-tailed labels: cross-entropy against a learned loss.

use std::path::Path;

use super::{Results, Run};
use crate::data::{Dataset, Split};
use crate::error::{Error, Result};
use crate::loss::{CrossEntropy, Loss, MeanAbsoluteError};
use crate::metric::{MacroF1, Metric, TopK};
use crate::progress::Progress;
use crate::sampler::Sampler;
use crate::surrogate::{learn, Learn, Learned};
use crate::task::{Classification, Train};

/// What is done to the labels of the training and validation parts; the test part stays clean.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Setting {
    /// Nothing.
    Clean,
    /// This share of labels is replaced by a uniformly random other class.
    Noise(f64),
    /// Classes thin out exponentially; the largest has this many times the rows of the smallest.
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
    pub fn metric(&self) -> Box<dyn Metric> {
        match self {
            Self::LongTail(_) => Box::new(MacroF1),
            _ => Box::new(TopK::ACCURACY),
        }
    }

    /// The task of one seed: its split, with the labels of this setting.
    ///
    /// # Errors
    /// What the data set has to say.
    pub fn task(&self, data: &Dataset, seed: u64) -> Result<Classification> {
        let mut splits = data.split(&Split { seed, ..Split::default() })?;
        for (part, seed) in [(&mut splits.train, seed), (&mut splits.validation, seed ^ 0x5EED)] {
            *part = match *self {
                Self::Clean => continue,
                Self::Noise(rate) => part.with_label_noise(rate, seed)?,
                Self::LongTail(ratio) => part.long_tailed(ratio, seed)?,
            };
        }
        Ok(Classification::new(splits))
    }
}

/// The comparison `reloss classify` makes.
#[derive(Debug, Clone)]
pub struct Classify {
    /// The regimes.
    pub settings: Vec<Setting>,
    /// One run of each loss per seed; test parts are touched once per run.
    pub seeds: Vec<u64>,
    /// Seeds the learning rates are tuned on, by the validation part alone.
    pub tuning_seeds: Vec<u64>,
    /// Learning rates tried, the same for every loss.
    pub grid: Vec<f64>,
    /// How the losses are learned.
    pub learn: Learn,
    /// How the models are trained; rate and seed are set by the comparison.
    pub train: Train,
}

impl Default for Classify {
    fn default() -> Self {
        Self {
            settings: vec![Setting::Clean, Setting::Noise(0.2), Setting::Noise(0.4), Setting::LongTail(20.0)],
            seeds: (0..10).collect(),
            tuning_seeds: vec![100, 101],
            grid: vec![1e-3, 3e-3, 1e-2, 3e-2],
            learn: Learn::default(),
            train: Train::default(),
        }
    }
}

/// Learns a loss for the setting's metric from predictions stored while a model trains with
/// cross-entropy on the setting's own training part.
///
/// # Errors
/// What training and learning have to say.
pub fn learn_loss(task: &Classification, metric: &dyn Metric, train: &Train, options: &Learn) -> Result<Learned> {
    let store = task.store_predictions(metric, train)?;
    learn(metric, &Sampler::stored(store), options)
}

impl Classify {
    /// Runs what `done` lacks and writes `path` after every run, so that nothing is lost.
    ///
    /// # Errors
    /// What data, training, learning and the file have to say.
    pub fn run(&self, data: &Dataset, done: Results, path: Option<&Path>, command: &str) -> Result<Results> {
        let mut results = done;
        let mut progress = Progress::new("classify", self.settings.len() * self.seeds.len());
        for (i, setting) in self.settings.iter().enumerate() {
            let rates = self.rates_if_needed(data, setting, &results)?;
            for (j, &seed) in self.seeds.iter().enumerate() {
                for run in self.missing(data, setting, seed, &rates, &results)? {
                    results.runs.push(run);
                    if let Some(path) = path {
                        results.save(path, command)?;
                    }
                }
                progress.step(i * self.seeds.len() + j + 1, || setting.name());
            }
        }
        progress.finish();
        Ok(results)
    }

    fn losses(&self, task: &Classification, setting: &Setting, seed: u64) -> Result<Vec<(Box<dyn Loss>, f64)>> {
        let metric = setting.metric();
        let train = Train { seed, ..self.train.clone() };
        let learned = learn_loss(task, metric.as_ref(), &train, &Learn { seed, ..self.learn.clone() })?;
        let mut losses: Vec<(Box<dyn Loss>, f64)> = vec![
            (Box::new(CrossEntropy::default()), 0.0),
            (Box::new(MeanAbsoluteError), 0.0),
            (Box::new(learned.loss), self.train.warm_up),
        ];
        if let Setting::LongTail(_) = setting {
            let part = &task.splits.train;
            losses.push((Box::new(CrossEntropy::balanced(part.labels(), part.classes())?), 0.0));
        }
        Ok(losses)
    }
}
