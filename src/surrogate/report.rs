//! What there is to know of a learned loss before training with it.

use dfdx::prelude::MeanTo;

use super::input::{Batch, WithRespectTo};
use super::learn::{Learned, Step};
use super::run::sample_losses;
use super::Surrogate;
use crate::correlation::spearman;
use crate::error::Result;
use crate::loss::{value, CrossEntropy, Loss};
use crate::metric::{Bootstrap, Interval, Metric};
use crate::ops::{host, matrix, scalar};
use crate::sampler::Sample;

/// How one loss orders samples, against the metric.
#[derive(Debug, Clone, PartialEq)]
pub struct Agreement {
    /// The loss's name.
    pub loss: String,
    /// The loss of each sample.
    pub values: Vec<f64>,
    /// Spearman correlation of the loss with the metric, and its 95 % interval over samples: −1 is perfect where higher
    /// is better.
    pub spearman: Interval,
}

/// The learned loss of a single row as a function of the label's probability p.
#[derive(Debug, Clone, PartialEq)]
pub struct Profile {
    /// Probabilities from 0.001 to 0.999.
    pub p: Vec<f64>,
    /// The loss at each.
    pub loss: Vec<f64>,
}

impl Profile {
    /// The probability at which the loss is smallest; a good loss has it at 1.
    pub fn minimum(&self) -> f64 {
        let best = self.loss.iter().zip(&self.p).min_by(|a, b| a.0.total_cmp(b.0));
        best.map_or(f64::NAN, |(_, &p)| p)
    }

    /// The share of steps, from p = 0 to 1, on which the loss falls; 1 means monotone.
    pub fn falling(&self) -> f64 {
        let falls = self.loss.windows(2).filter(|w| w[1] <= w[0]).count();
        falls as f64 / (self.loss.len().max(2) - 1) as f64
    }
}

/// A learned loss on samples it was not learned from, beside cross-entropy.
///
/// In a notebook it shows itself as a figure and a table.
#[derive(Debug, Clone)]
pub struct Report {
    /// The metric's name.
    pub metric: String,
    /// The metric of each sample.
    pub values: Vec<f64>,
    /// Cross-entropy first, then the learned loss.
    pub agreements: Vec<Agreement>,
    /// The learned loss over p.
    pub profile: Profile,
    /// How it was learned.
    pub history: Vec<Step>,
}

impl Surrogate {
    /// The loss of a row of two classes (of a set of one row of class 1) over the label's probability, at 201 values of p from 0.001 to 0.999.
    ///
    /// # Errors
    /// [`Error::Device`](crate::Error::Device) when the device is out of memory.
    pub fn profile(&self) -> Result<Profile> {
        let p: Vec<f64> = (0..=200).map(|i| 0.001 + 0.998 * f64::from(i) / 200.0).collect();
        let x = matrix(p.iter().flat_map(|&p| self.input().at(p)).collect(), p.len(), self.input().width())?;
        let loss = if self.input().set {
            // Sets of one row.
            let one =
                |x: &[f32]| Ok(scalar(&self.network().set(matrix(x.to_vec(), 1, x.len())?)?.try_mean()?));
            host(&x).chunks_exact(self.input().width()).map(one).collect::<Result<Vec<f32>>>()?
        } else {
            host(&self.network().rows(x)?)
        };
        Ok(Profile { p, loss: loss.into_iter().map(f64::from).collect() })
    }
}

impl Learned {
    /// Compares the loss with cross-entropy on samples drawn apart.
    ///
    /// # Errors
    /// [`Error::Undefined`](crate::Error::Undefined) when the metric or a loss is the same on all
    /// samples, and what the samples themselves have wrong.
    pub fn report(&self, metric: &dyn Metric, held_out: &[Sample]) -> Result<Report> {
        let values: Vec<f64> = held_out.iter().map(|s| s.metric).collect();
        let batch = Batch::new(held_out, self.loss.input(), WithRespectTo::Logits)?;
        let original = CrossEntropy::default();
        let cross_entropy: Result<Vec<f64>> =
            held_out.iter().map(|s| value(&original, &s.scores, &s.labels)).collect();
        let learned = sample_losses(self.loss.network(), &batch)?;
        let agreement = |loss: String, losses: Vec<f64>| -> Result<Agreement> {
            let of = |rows: &[usize]| {
                let chosen = |all: &[f64]| rows.iter().map(|&row| all[row]).collect::<Vec<f64>>();
                spearman(&chosen(&losses), &chosen(&values))
            };
            Ok(Agreement { loss, spearman: Bootstrap::default().interval(values.len(), of)?, values: losses })
        };
        let agreements =
            vec![agreement(original.name(), cross_entropy?)?, agreement(self.loss.name(), learned)?];
        Ok(Report {
            metric: metric.name().to_string(),
            values,
            agreements,
            profile: self.loss.profile()?,
            history: self.history.clone(),
        })
    }
}
