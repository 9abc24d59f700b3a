//! What the loss network sees of a prediction, and how steeply that changes with the prediction.

use dfdx::prelude::*;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::ops::{matrix, row_log_odds, target_log_odds, target_probability};
use crate::sampler::Sample;
use crate::{Dev, Matrix};

/// What the penalty's gradient is taken with respect to.
///
/// The two give very different losses: with respect to probabilities a norm of 1 asks for a
/// straight line in p (the mean absolute error); with respect to logits for a log-odds shape
/// that stays steep where p is near 0 or 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum WithRespectTo {
    /// The logits, as in the released code.
    Logits,
    /// The softmax probabilities.
    Probabilities,
}

/// The number a row of logits is reduced to; p is the label's softmax probability.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Feature {
    /// p itself, as in the released code.
    Probability,
    /// ln(p / (1 − p)): never saturates, so the network sees differences among sure predictions.
    LogOdds,
}

/// The loss network's input: one number of each row.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Input {
    /// Which number.
    pub feature: Feature,
    /// Divides the logits; 1 in the released code.
    pub temperature: f32,
}

impl Default for Input {
    fn default() -> Self {
        Self { feature: Feature::Probability, temperature: 1.0 }
    }
}

impl Input {
    /// How many numbers a row has.
    pub fn width(&self) -> usize {
        1
    }

    /// The input of each row, differentiable with respect to the logits.
    pub(super) fn of<T: Tape<f32, Dev>>(&self, logits: Matrix<T>, labels: &[usize]) -> Result<Matrix<T>> {
        match self.feature {
            Feature::Probability => target_probability(logits, labels, self.temperature),
            Feature::LogOdds => target_log_odds(logits, labels, self.temperature),
        }
    }

    /// The input at probability p of the label.
    pub(super) fn at(&self, p: f64) -> f64 {
        match self.feature {
            Feature::Probability => p,
            Feature::LogOdds => (p / (1.0 - p)).ln(),
        }
    }

    /// Inputs and steepness of a sample's rows, appended to the two lists.
    fn rows(&self, sample: &Sample, with_respect_to: WithRespectTo, x: &mut Vec<f32>, direction: &mut Vec<f32>) {
        let classes = sample.scores.classes();
        let mut p = vec![0.0; classes];
        let per_logit = self.temperature.recip();
        for (row, &label) in sample.scores.values().chunks_exact(classes).zip(&sample.labels) {
            let (odds, others) = row_log_odds(row, label, self.temperature, &mut p);
            let (value, along_logits, along_p) = match self.feature {
                // d odds / dz = e_label − others, d odds / dp = 1 / (p (1 − p))
                Feature::LogOdds => (odds, (1.0 + others).sqrt() * per_logit, 2.0 + odds.exp() + (-odds).exp()),
                Feature::Probability => {
                    let p = 1.0 / (1.0 + (-odds).exp());
                    (p, p * (1.0 - p) * (1.0 + others).sqrt() * per_logit, 1.0)
                }
            };
            x.push(value);
            direction.push(match with_respect_to {
                WithRespectTo::Logits => along_logits,
                WithRespectTo::Probabilities => along_p,
            });
        }
    }
}

/// Samples as the loss network takes them: all rows of all samples, one below the other.
///
/// Logits and labels do not change while the network learns, so neither do the inputs nor their
/// steepness: both are plain numbers, computed once per sample whatever the number of classes.
#[derive(Debug, Clone)]
pub struct Batch {
    /// Inputs, (samples × rows, width).
    pub x: Matrix,
    /// Per row, the input's change along its own steepest unit step of the prediction: the
    /// network's directional derivative along it is, up to sign, its gradient's norm.
    pub direction: Matrix,
    /// One metric value per sample.
    pub metric: Vec<f64>,
}

impl Batch {
    /// Prepares samples, all of the same number of rows.
    ///
    /// # Errors
    /// [`Error::Shape`] for no samples, no rows, or samples of different sizes.
    pub fn new(samples: &[Sample], input: &Input, with_respect_to: WithRespectTo) -> Result<Self> {
        let rows = samples.first().map_or(0, |s| s.labels.len());
        if rows == 0 {
            return Err(Error::shape("surrogate batch", "one sample or more, of one row or more", samples.len()));
        }
        let mut x = Vec::with_capacity(samples.len() * rows);
        let mut direction = Vec::with_capacity(samples.len() * rows);
        for (i, sample) in samples.iter().enumerate() {
            if sample.labels.len() != rows {
                let got = format!("{} in sample {i}", sample.labels.len());
                return Err(Error::shape("surrogate batch", format!("{rows} rows"), got));
            }
            input.rows(sample, with_respect_to, &mut x, &mut direction);
        }
        let all = samples.len() * rows;
        Ok(Self {
            x: matrix(x, all, 1)?,
            direction: matrix(direction, all, 1)?,
            metric: samples.iter().map(|s| s.metric).collect(),
        })
    }

    /// How many samples.
    pub fn samples(&self) -> usize {
        self.metric.len()
    }
}
