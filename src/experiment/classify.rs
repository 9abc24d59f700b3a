//! Digits under clean, noisy and long-tailed labels: cross-entropy against a learned loss.

use std::path::Path;

use rayon::prelude::*;

use super::{Results, Run};
use crate::data::{Dataset, Split};
use crate::error::{Error, Result};
use crate::loss::{CrossEntropy, Loss, MeanAbsoluteError};
use crate::metric::{ClassMetric, Metric, TopK};
use crate::progress::Progress;
use crate::sampler::{Labels, Sampler};
use crate::surrogate::{learn, Learn, Learned};
use crate::task::{Classification, Train};

/// What is done to the data a model learns from; the test part stays as it is.
#[derive(Debug, Clone, Copy, PartialEq)]
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
    pub fn metric(&self) -> Box<dyn Metric> {
        match self {
            Self::LongTail(_) => Box::new(ClassMetric::MACRO_F1),
            _ => Box::new(TopK::ACCURACY),
        }
    }

    /// Whether its metric is a mean over classes, so that rows of rare classes weigh more.
    fn balanced(&self) -> bool {
        matches!(self, Self::LongTail(_))
    }

    /// The task of one seed: its split, with the labels of this setting.
    ///
    /// # Errors
    /// What the data set has to say.
    pub fn task(&self, data: &Dataset, seed: u64) -> Result<Classification> {
        let mut splits = data.split(&Split { seed, ..Split::default() })?;
        match *self {
            Self::Clean => {}
            Self::Noise(rate) => {
                splits.train = splits.train.with_label_noise(rate, seed)?;
                splits.validation = splits.validation.with_label_noise(rate, seed ^ 0x5EED)?;
            }
            Self::LongTail(ratio) => splits.train = splits.train.long_tailed(ratio, seed)?,
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
            settings: vec![
                Setting::Clean,
                Setting::Noise(0.2),
                Setting::Noise(0.4),
                Setting::LongTail(20.0),
                Setting::LongTail(50.0),
            ],
            seeds: (0..10).collect(),
            tuning_seeds: vec![100, 101, 102, 103],
            grid: vec![1e-3, 2e-3, 4e-3, 8e-3, 1.6e-2, 3.2e-2, 6.4e-2],
            learn: Learn::default(),
            train: Train::default(),
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
    let mut sampler = Sampler::stored(task.store_predictions(metric, train)?);
    if options.input.balanced {
        sampler = Sampler { labels: Labels::LongTail(100.0), rows: 128, ..sampler };
    }
    let mut learned = learn(metric, &sampler, options)?;
    let part = &task.splits.train;
    learned.loss = learned.loss.with_shares_of(part.labels(), part.classes())?;
    Ok(learned)
}

impl Classify {
    /// Runs what `done` lacks, as many seeds at a time as there are threads, and writes `path` after
    /// each round, so that nothing is lost.
    ///
    /// # Errors
    /// What data, training, learning and the file have to say.
    pub fn run(&self, data: &Dataset, done: Results, path: Option<&Path>, command: &str) -> Result<Results> {
        let mut results = done;
        let mut progress = Progress::new("classify", self.settings.len() * self.seeds.len());
        for (i, setting) in self.settings.iter().enumerate() {
            let missing = |seed: &&u64| !results.contains(&setting.name(), **seed);
            let seeds: Vec<u64> = self.seeds.iter().filter(missing).copied().collect();
            if seeds.is_empty() {
                continue;
            }
            let rates = self.tune(data, setting)?;
            let mut done = self.seeds.len() - seeds.len();
            for together in seeds.chunks(rayon::current_num_threads()) {
                let runs = together.par_iter().map(|&seed| self.compare(data, setting, seed, &rates));
                results.runs.extend(runs.collect::<Result<Vec<_>>>()?.into_iter().flatten());
                if let Some(path) = path {
                    results.save(path, command)?;
                }
                done += together.len();
                progress.step(i * self.seeds.len() + done, || setting.name());
            }
        }
        progress.finish();
        Ok(results)
    }

    /// The losses of one task; the learned one knows this task's training part only.
    fn candidates(
        &self,
        task: &Classification,
        setting: &Setting,
        metric: &dyn Metric,
        seed: u64,
    ) -> Result<Vec<Box<dyn Loss>>> {
        let train = self.train(setting, seed, self.train.learning_rate);
        let mut options = Learn { seed, ..self.learn.clone() };
        options.input.balanced = setting.balanced();
        let learned = learn_loss(task, metric, &train, &options)?;
        let part = &task.splits.train;
        // The usual remedy of either regime.
        let remedy = if setting.balanced() {
            CrossEntropy::balanced(part.labels(), part.classes())?
        } else {
            CrossEntropy::smoothed(0.1)?
        };
        Ok(vec![
            Box::new(CrossEntropy::default()),
            Box::new(remedy),
            Box::new(MeanAbsoluteError),
            Box::new(learned.loss),
        ])
    }

    /// The best learning rate of each candidate by the validation parts of the tuning seeds.
    fn tune(&self, data: &Dataset, setting: &Setting) -> Result<Vec<f64>> {
        let seeds = self.tuning_seeds.par_iter();
        let scores = seeds.map(|&seed| self.validation(data, setting, seed)).collect::<Result<Vec<_>>>()?;
        let mut totals: Vec<Vec<f64>> = Vec::new();
        for scores in scores {
            totals.resize(scores.len(), vec![0.0; self.grid.len()]);
            for (totals, scores) in totals.iter_mut().zip(scores) {
                totals.iter_mut().zip(scores).for_each(|(total, score)| *total += score);
            }
        }
        let best = |totals: &Vec<f64>| {
            let best = totals.iter().zip(&self.grid).max_by(|a, b| a.0.total_cmp(b.0));
            best.filter(|(total, _)| total.is_finite()).map(|(_, &rate)| rate)
        };
        let rates: Option<Vec<f64>> = totals.iter().map(best).collect();
        rates.filter(|rates| !rates.is_empty()).ok_or_else(|| {
            Error::parameter(
                "grid",
                format!("no rate of {:?} trains over seeds {:?}", self.grid, self.tuning_seeds),
            )
        })
    }

    /// The validation metric (higher is better) of each candidate at each rate of the grid.
    fn validation(&self, data: &Dataset, setting: &Setting, seed: u64) -> Result<Vec<Vec<f64>>> {
        let metric = setting.metric();
        let task = setting.task(data, seed)?;
        let score = |candidate: &dyn Loss, rate: f64| {
            match task.train(candidate, metric.as_ref(), &self.train(setting, seed, rate)) {
                Ok(outcome) => Ok(metric.direction().sign() * outcome.validation),
                // A rate that does not train is no choice.
                Err(Error::Diverged { .. }) => Ok(f64::NEG_INFINITY),
                Err(other) => Err(other),
            }
        };
        let candidates = self.candidates(&task, setting, metric.as_ref(), seed)?;
        let curve = |loss: &dyn Loss| self.grid.iter().map(|&rate| score(loss, rate)).collect();
        candidates.iter().map(|loss| curve(loss.as_ref())).collect()
    }

    /// A long-tailed part is small: its epochs are doubled, for every loss.
    fn train(&self, setting: &Setting, seed: u64, learning_rate: f64) -> Train {
        let epochs = self.train.epochs * if setting.balanced() { 2 } else { 1 };
        Train { epochs, seed, learning_rate, ..self.train.clone() }
    }

    /// One run of every candidate on the task of one seed.
    fn compare(&self, data: &Dataset, setting: &Setting, seed: u64, rates: &[f64]) -> Result<Vec<Run>> {
        let metric = setting.metric();
        let task = setting.task(data, seed)?;
        let mut runs = Vec::new();
        for (candidate, &learning_rate) in
            self.candidates(&task, setting, metric.as_ref(), seed)?.iter().zip(rates)
        {
            let train = self.train(setting, seed, learning_rate);
            let outcome = task.train(candidate.as_ref(), metric.as_ref(), &train)?;
            runs.push(Run {
                data: data.name().to_string(),
                model: task.model_name(),
                loss: candidate.name(),
                metric: metric.name().to_string(),
                direction: metric.direction(),
                setting: setting.name(),
                seed,
                value: outcome.test(metric.as_ref())?,
            });
        }
        Ok(runs)
    }
}
