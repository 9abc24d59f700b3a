//! Comparisons of losses, and their results: one row a run, as CSV files and polars frames.

mod baselines;
mod chosen;
mod classify;
mod comparison;
mod images;
mod own_metric;
mod pose;
mod reading;
mod score;
mod sort_numbers;
mod sweep;
mod tables;
mod timings;
mod toy;
mod translation;

pub use baselines::{summary_with_reported, Baselines, Ground, SortingGround};
pub use chosen::Chosen;
pub use classify::{learn_loss, Classify, Setting};
pub use comparison::{Candidate, Case, Comparison};
pub use images::{pretrain, ImageCase, ImageLosses};
pub use own_metric::OwnMetric;
pub use pose::{PoseCase, PoseLosses};
pub use reading::{ReadingCase, ReadingGround};
pub use score::Score;
pub use sort_numbers::CompareSorters;
pub use sweep::{Shard, Sweep, Unit};
pub use timings::{Timing, Timings};
pub use toy::{Pair, Progression, Toy};
pub use translation::{TranslationCase, TranslationGround};

use std::borrow::Borrow;
use std::path::Path;

use polars::prelude::{Column, DataFrame};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::files;
use crate::metric::{Bootstrap, Direction, Interval, Metric};
use crate::model::Parametric;
use crate::task::Outcome;

/// One run of one loss: what was trained, how, and the metric on its test part.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// The data set.
    pub data: String,
    /// The model.
    pub model: String,
    /// The loss, in snake case.
    pub loss: String,
    /// The metric.
    pub metric: String,
    /// `higher` or `lower`: which values of the metric are better.
    #[serde(with = "direction")]
    pub direction: Direction,
    /// The regime (clean labels, 40 % label noise, …).
    pub setting: String,
    /// The seed of split, start and batches; equal seeds are paired between losses.
    pub seed: u64,
    /// The metric's value.
    pub value: f64,
}

impl Run {
    /// A metric of one outcome's test predictions.
    fn judged<M: Parametric, P, L: Borrow<T>, T: ?Sized>(
        (data, setting): (&str, &str),
        loss: &str,
        metric: &dyn Metric<P, T>,
        seed: u64,
        outcome: &Outcome<M, P, L>,
    ) -> Result<Self> {
        Ok(Self {
            data: data.to_string(),
            model: outcome.model.name(),
            loss: loss.to_string(),
            metric: metric.name().to_string(),
            direction: metric.direction(),
            setting: setting.to_string(),
            seed,
            value: outcome.test(metric)?,
        })
    }
}

mod direction {
    use super::Direction;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(d: &Direction, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(match d {
            Direction::HigherIsBetter => "higher",
            Direction::LowerIsBetter => "lower",
        })
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Direction, D::Error> {
        match String::deserialize(d)?.as_str() {
            "higher" => Ok(Direction::HigherIsBetter),
            "lower" => Ok(Direction::LowerIsBetter),
            other => {
                Err(serde::de::Error::custom(format!("direction `{other}` is neither higher nor lower")))
            }
        }
    }
}

/// For each of the cases that losses (their bytes) were learned on, its own as `reloss` and then the others' by their names.
fn own_and_others(learned: Vec<(String, Vec<u8>)>) -> Vec<Vec<(String, Vec<u8>)>> {
    let of = |own: usize| {
        let others = learned.iter().enumerate().filter(|(i, _)| *i != own);
        let others = others.map(|(_, (name, loss))| (format!("reloss_{name}"), loss.clone()));
        std::iter::once(("reloss".to_string(), learned[own].1.clone())).chain(others).collect()
    };
    (0..learned.len()).map(of).collect()
}

/// The runs of a comparison.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Results {
    /// One entry a run.
    pub runs: Vec<Run>,
}

/// Two losses compared seed by seed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Paired {
    /// Seeds both losses were run with.
    pub pairs: usize,
    /// Mean of the differences, positive where the first loss is better.
    pub mean: f64,
    /// Standard deviation of the differences (n − 1).
    pub sd: f64,
    /// The mean with its 95 % bootstrap interval over seeds; of fewer than five pairs it would say nothing: none.
    pub interval: Option<Interval>,
    /// Seeds on which the first loss is strictly better.
    pub wins: usize,
    /// Two-sided p-value of the sign-flip permutation test of the mean difference.
    pub p: f64,
}

/// Mean and standard deviation (n − 1; 0 for a single value).
pub(crate) fn mean_sd(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let squares: f64 = values.iter().map(|v| (v - mean).powi(2)).sum();
    (mean, if values.len() > 1 { (squares / (n - 1.0)).sqrt() } else { 0.0 })
}

/// The mean with its 95 % bootstrap interval, of five values or more.
fn mean_interval(values: &[f64]) -> Result<Option<Interval>> {
    let mean = |rows: &[usize]| Ok(rows.iter().map(|&row| values[row]).sum::<f64>() / rows.len() as f64);
    (values.len() >= 5).then(|| Bootstrap::default().interval(values.len(), mean)).transpose()
}

impl Paired {
    /// Compares paired differences with zero.
    ///
    /// The p-value is exact up to 16 pairs (all 2ⁿ sign patterns) and from a normal
    /// approximation of the same permutation distribution above.
    ///
    /// # Errors
    /// [`Error::Undefined`] without differences.
    ///
    /// # Example
    /// Three wins of equal size: of the 8 sign patterns 2 are as extreme.
    /// ```
    /// let paired = reloss::experiment::Paired::new(&[1.0, 1.0, 1.0])?;
    /// assert_eq!((paired.mean, paired.wins, paired.p), (1.0, 3, 0.25));
    /// # Ok::<(), reloss::Error>(())
    /// ```
    pub fn new(differences: &[f64]) -> Result<Self> {
        if differences.is_empty() {
            return Err(Error::undefined("paired difference", "there are no pairs"));
        }
        let (mean, sd) = mean_sd(differences);
        let wins = differences.iter().filter(|&&d| d > 0.0).count();
        let (pairs, p) = (differences.len(), sign_flip(differences));
        Ok(Self { pairs, mean, sd, interval: mean_interval(differences)?, wins, p })
    }
}

fn sign_flip(differences: &[f64]) -> f64 {
    let total: f64 = differences.iter().sum::<f64>().abs();
    let n = differences.len();
    if n <= 16 {
        // Rounding must not make a pattern less extreme than itself.
        let bar = total * (1.0 - 1e-12) - f64::MIN_POSITIVE;
        let patterns = 1u32 << n;
        let sum = |bits: u32| -> f64 {
            differences.iter().enumerate().map(|(i, d)| if bits >> i & 1 == 1 { -d } else { *d }).sum()
        };
        (0..patterns).filter(|&bits| sum(bits).abs() >= bar).count() as f64 / f64::from(patterns)
    } else {
        let scale = differences.iter().map(|d| d * d).sum::<f64>().sqrt();
        if scale == 0.0 {
            1.0
        } else {
            normal_tail(total / scale)
        }
    }
}

/// P(|N(0, 1)| ≥ z) by Simpson's rule on the density.
fn normal_tail(z: f64) -> f64 {
    let density = |x: f64| (-0.5 * x * x).exp() * (2.0 / std::f64::consts::PI).sqrt();
    let steps = 2000;
    let h = z / f64::from(steps);
    let inner: f64 = (1..steps).map(|i| density(f64::from(i) * h) * if i % 2 == 1 { 4.0 } else { 2.0 }).sum();
    (1.0 - h / 3.0 * (density(0.0) + inner + density(z))).max(0.0)
}

impl Results {
    /// Writes the runs as CSV, atomically; the first line is a comment with `command`.
    ///
    /// # Errors
    /// [`Error::Io`] when the file cannot be written.
    pub fn save(&self, path: &Path, command: &str) -> Result<()> {
        files::write_atomic(path, &self.to_csv(path, command)?)
    }

    /// What [`Results::save`] writes; `path` serves the messages.
    fn to_csv(&self, path: &Path, command: &str) -> Result<Vec<u8>> {
        let mut writer = csv::Writer::from_writer(format!("# {command}\n").into_bytes());
        for run in &self.runs {
            writer.serialize(run).map_err(|e| Error::data(path, None, e))?;
        }
        writer.into_inner().map_err(|e| Error::data(path, None, e))
    }

    /// Reads what [`Results::save`] wrote.
    ///
    /// # Errors
    /// [`Error::Io`] for a missing file, [`Error::Data`] with the line for a malformed one.
    pub fn load(path: &Path) -> Result<Self> {
        Self::parse(&files::read(path)?, path)
    }

    fn parse(bytes: &[u8], path: &Path) -> Result<Self> {
        let mut reader = csv::ReaderBuilder::new().comment(Some(b'#')).from_reader(bytes);
        let runs = reader
            .deserialize()
            .map(|run| run.map_err(|e| Error::data(path, e.position().map(|p| p.line() as usize), e)));
        Ok(Self { runs: runs.collect::<Result<_>>()? })
    }

    /// Whether a loss was run with this seed in this setting, judged by this metric.
    pub fn contains(&self, setting: &str, metric: &str, loss: &str, seed: u64) -> bool {
        let same = |r: &Run| r.setting == setting && r.metric == metric && r.loss == loss && r.seed == seed;
        self.runs.iter().any(same)
    }

    /// The values of one loss in one setting under one metric, with their seeds.
    pub fn values(&self, setting: &str, metric: &str, loss: &str) -> Vec<(u64, f64)> {
        let wanted = |r: &&Run| r.setting == setting && r.metric == metric && r.loss == loss;
        self.runs.iter().filter(wanted).map(|r| (r.seed, r.value)).collect()
    }

    /// Compares two losses on the seeds both have; positive means `loss` is better.
    ///
    /// # Errors
    /// [`Error::Undefined`] when they share no seed.
    pub fn paired(&self, setting: &str, metric: &str, loss: &str, baseline: &str) -> Result<Paired> {
        let sign = self.runs.iter().find(|r| r.metric == metric).map_or(1.0, |r| r.direction.sign());
        let other = self.values(setting, metric, baseline);
        let differences: Vec<f64> = self
            .values(setting, metric, loss)
            .iter()
            .filter_map(|&(seed, v)| other.iter().find(|o| o.0 == seed).map(|o| sign * (v - o.1)))
            .collect();
        Paired::new(&differences)
    }

    /// All runs as a frame, a column a field.
    ///
    /// # Errors
    /// [`Error::Draw`] when polars refuses.
    pub fn frame(&self) -> Result<DataFrame> {
        let text = |name: &str, of: fn(&Run) -> &str| {
            Column::new(name.into(), self.runs.iter().map(|r| of(r).to_string()).collect::<Vec<_>>())
        };
        frame(vec![
            text("data", |r| &r.data),
            text("model", |r| &r.model),
            text("loss", |r| &r.loss),
            text("metric", |r| &r.metric),
            text("setting", |r| &r.setting),
            Column::new("seed".into(), self.runs.iter().map(|r| r.seed).collect::<Vec<_>>()),
            Column::new("value".into(), self.runs.iter().map(|r| r.value).collect::<Vec<_>>()),
        ])
    }
}

/// What `of` makes of every seed, in their order: in parallel on the CPU; on a GPU one after another, since the tensors of its
/// device stay in their thread.
///
/// # Errors
/// What `of` has to say.
///
/// # Example
/// ```
/// use reloss::data::{Dataset, Split};
/// use reloss::experiment::per_seed;
/// let digits = Dataset::digits()?;
/// let parts = per_seed(&[0, 1], |seed| digits.split(&Split { seed, ..Split::default() }))?;
/// assert_eq!(parts.len(), 2);
/// # Ok::<(), reloss::Error>(())
/// ```
#[cfg(not(feature = "composed"))]
pub fn per_seed<T: Send>(seeds: &[u64], of: impl Fn(u64) -> Result<T> + Sync) -> Result<Vec<T>> {
    use rayon::prelude::*;
    seeds.par_iter().map(|&seed| of(seed)).collect()
}

/// What `of` makes of every seed, one after another.
///
/// # Errors
/// What `of` has to say.
#[cfg(feature = "composed")]
pub fn per_seed<T>(seeds: &[u64], of: impl Fn(u64) -> Result<T>) -> Result<Vec<T>> {
    seeds.iter().map(|&seed| of(seed)).collect()
}

fn frame(columns: Vec<Column>) -> Result<DataFrame> {
    let height = columns.first().map_or(0, Column::len);
    DataFrame::new(height, columns)
        .map_err(|e| Error::Draw { what: "table".to_string(), reason: e.to_string() })
}
