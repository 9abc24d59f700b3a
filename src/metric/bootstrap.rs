//! How sure a metric is: confidence intervals and paired comparisons by resampling rows.

use std::fmt;

use rand::Rng;
use rand_chacha::rand_core::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use super::{Metric, Scores};
use crate::error::{Error, Result};

/// How rows are resampled.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bootstrap {
    /// Resamples, one hundred or more. Default: 1,000.
    pub draws: usize,
    /// The share of resamples inside an interval, in (0, 1). Default: 0.95.
    pub level: f64,
    /// Seed of the resamples.
    pub seed: u64,
}

impl Default for Bootstrap {
    fn default() -> Self {
        Self { draws: 1000, level: 0.95, seed: 0 }
    }
}

/// A value with its confidence interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    /// Of all rows.
    pub value: f64,
    /// The interval's lower end.
    pub low: f64,
    /// Its upper end.
    pub high: f64,
}

impl fmt::Display for Interval {
    /// `0.940 [0.916, 0.962]`, with the formatter's decimals (3 by default) and sign.
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let decimals = f.precision().unwrap_or(3);
        let real = |value: f64| match f.sign_plus() {
            true => format!("{value:+.decimals$}"),
            false => format!("{value:.decimals$}"),
        };
        write!(f, "{} [{}, {}]", real(self.value), real(self.low), real(self.high))
    }
}

/// A difference of two systems on the same rows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Difference {
    /// First minus second, with its interval.
    pub interval: Interval,
    /// Two-sided p-value of no difference.
    pub p: f64,
}

impl Bootstrap {
    /// The percentile interval of a metric, given as a function of the rows that count (indices, with repeats).
    ///
    /// Resamples are drawn in parallel, each from its own stream: the same seed gives the same interval, whatever the
    /// number of threads.
    ///
    /// # Errors
    /// [`Error::Parameter`] for options out of range, [`Error::Shape`] for no rows, the metric's own error for all
    /// rows, and [`Error::Undefined`] where more than one resample in twenty has no value (fewer are left out).
    ///
    /// # Example
    /// ```
    /// use reloss::metric::Bootstrap;
    /// let right: Vec<f64> = (0..200).map(|i| if i % 4 == 0 { 0.0 } else { 1.0 }).collect();
    /// let accuracy = |rows: &[usize]| Ok(rows.iter().map(|&i| right[i]).sum::<f64>() / rows.len() as f64);
    /// let interval = Bootstrap::default().interval(200, accuracy)?;
    /// assert_eq!(interval.value, 0.75);
    /// // ± 1.96 standard errors of √(0.75·0.25/200).
    /// assert!((interval.low - 0.69).abs() < 0.015 && (interval.high - 0.81).abs() < 0.015);
    /// # Ok::<(), reloss::Error>(())
    /// ```
    ///
    /// # Reference
    /// Efron, Tibshirani, "An introduction to the bootstrap", 1993, chapter 13.
    pub fn interval(&self, rows: usize, metric: impl Fn(&[usize]) -> Result<f64> + Sync) -> Result<Interval> {
        Ok(self.resample(rows, metric)?.0)
    }

    /// The interval of a metric of class scores.
    ///
    /// # Errors
    /// As [`Bootstrap::interval`].
    ///
    /// # Example
    /// ```
    /// use reloss::metric::{Bootstrap, Scores, TopK};
    /// let scores = Scores::new([0.9, 0.1].repeat(100), 2)?;
    /// let labels: Vec<usize> = (0..100).map(|i| usize::from(i % 4 == 0)).collect();
    /// let interval = Bootstrap::default().of_scores(&TopK::ACCURACY, &scores, &labels)?;
    /// assert_eq!(format!("{interval:.2}"), "0.75 [0.67, 0.84]");
    /// # Ok::<(), reloss::Error>(())
    /// ```
    pub fn of_scores(&self, metric: &dyn Metric, scores: &Scores, labels: &[usize]) -> Result<Interval> {
        scores.check("bootstrap", labels)?;
        self.interval(scores.rows(), |rows| metric.value(&scores.chosen(rows)?, &chosen(labels, rows)))
    }

    /// Compares two models by a metric of their scores of the same rows.
    ///
    /// # Errors
    /// As [`Bootstrap::interval`].
    pub fn compare_scores(
        &self,
        metric: &dyn Metric,
        (first, second): (&Scores, &Scores),
        labels: &[usize],
    ) -> Result<Difference> {
        first.check("bootstrap", labels)?;
        second.check("bootstrap", labels)?;
        let of =
            |scores: &'_ Scores, rows: &[usize]| metric.value(&scores.chosen(rows)?, &chosen(labels, rows));
        self.compare(labels.len(), |rows| of(first, rows), |rows| of(second, rows))
    }

    /// Compares two systems on the same rows, both resampled alike.
    ///
    /// p is twice the share of resampled differences on the other side of 0, at least 1/draws: the paired bootstrap
    /// test.
    ///
    /// # Errors
    /// As [`Bootstrap::interval`].
    ///
    /// # Example
    /// ```
    /// use reloss::metric::Bootstrap;
    /// let mean = |values: Vec<f64>| move |rows: &[usize]| {
    ///     Ok(rows.iter().map(|&i| values[i]).sum::<f64>() / rows.len() as f64)
    /// };
    /// let noise = |i: usize| ((i * 37) % 11) as f64 / 11.0;
    /// let (a, b): (Vec<f64>, Vec<f64>) = (0..100).map(|i| (noise(i) + 0.2, noise(i + 1))).unzip();
    /// let difference = Bootstrap::default().compare(100, mean(a), mean(b))?;
    /// assert!(difference.interval.low > 0.0 && difference.p < 0.01);
    /// # Ok::<(), reloss::Error>(())
    /// ```
    ///
    /// # Reference
    /// Koehn, "Statistical significance tests for machine translation evaluation", EMNLP 2004.
    pub fn compare(
        &self,
        rows: usize,
        first: impl Fn(&[usize]) -> Result<f64> + Sync,
        second: impl Fn(&[usize]) -> Result<f64> + Sync,
    ) -> Result<Difference> {
        let difference = |rows: &[usize]| Ok(first(rows)? - second(rows)?);
        let (interval, draws) = self.resample(rows, difference)?;
        let (above, below) = draws.iter().fold((0.0, 0.0), |(above, below), &d| {
            // A draw without difference counts one half on either side.
            let share = if d > 0.0 {
                1.0
            } else if d < 0.0 {
                0.0
            } else {
                0.5
            };
            (above + share, below + 1.0 - share)
        });
        let n = draws.len() as f64;
        let p = (2.0 * f64::min(above, below) / n).clamp(1.0 / n, 1.0);
        Ok(Difference { interval, p })
    }

    /// The interval, and the values it was read off.
    fn resample(
        &self,
        rows: usize,
        metric: impl Fn(&[usize]) -> Result<f64> + Sync,
    ) -> Result<(Interval, Vec<f64>)> {
        self.check(rows)?;
        let all: Vec<usize> = (0..rows).collect();
        let value = metric(&all)?;
        let draws = self.values(rows, metric)?;
        let tail = 0.5 * (1.0 - self.level);
        let interval = Interval { value, low: quantile(&draws, tail), high: quantile(&draws, 1.0 - tail) };
        Ok((interval, draws))
    }

    fn check(&self, rows: usize) -> Result<()> {
        if self.draws < 100 {
            return Err(Error::parameter("draws", format!("{} are too few: 100 or more", self.draws)));
        }
        if !(self.level > 0.0 && self.level < 1.0) {
            return Err(Error::parameter("level", format!("{} is not between 0 and 1", self.level)));
        }
        match rows {
            0 => Err(Error::shape("bootstrap", "one row or more", 0)),
            _ => Ok(()),
        }
    }

    /// The metric of every resample that has one, in ascending order.
    fn values(&self, rows: usize, metric: impl Fn(&[usize]) -> Result<f64> + Sync) -> Result<Vec<f64>> {
        let one = |draw: usize| {
            let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
            rng.set_stream(draw as u64);
            let resample: Vec<usize> = (0..rows).map(|_| rng.gen_range(0..rows)).collect();
            match metric(&resample) {
                Ok(value) => Ok(Some(value)),
                Err(Error::Undefined { .. }) => Ok(None),
                Err(other) => Err(other),
            }
        };
        let all: Vec<Option<f64>> = (0..self.draws).into_par_iter().map(one).collect::<Result<_>>()?;
        let mut values: Vec<f64> = all.into_iter().flatten().collect();
        let missing = self.draws - values.len();
        if 20 * missing > self.draws {
            let reason = format!("{missing} of {} resamples have no value", self.draws);
            return Err(Error::undefined("bootstrap", reason));
        }
        values.sort_by(f64::total_cmp);
        Ok(values)
    }
}

fn chosen(labels: &[usize], rows: &[usize]) -> Vec<usize> {
    rows.iter().map(|&row| labels[row]).collect()
}

/// Of ascending values, one or more; between neighbours linearly, as in NumPy.
pub(crate) fn quantile(sorted: &[f64], q: f64) -> f64 {
    let place = q * (sorted.len() - 1) as f64;
    let (below, above) = (sorted[place.floor() as usize], sorted[place.ceil() as usize]);
    below + (above - below) * place.fract()
}
