//! What the loss network sees of a prediction, and how steeply that changes with the prediction.

use dfdx::prelude::*;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::ops::{matrix, softmax_rows, target_probability};
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

/// The loss network's input: the label's probability, softmax(logits / temperature)\[label\].
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Input {
    /// Divides the logits; 1 in the released code.
    pub temperature: f32,
}

impl Default for Input {
    fn default() -> Self {
        Self { temperature: 1.0 }
    }
}

impl Input {
    /// How many numbers a row has.
    pub fn width(&self) -> usize {
        1
    }

    /// The input of each row, differentiable with respect to the logits.
    pub(super) fn of<T: Tape<f32, Dev>>(&self, logits: Matrix<T>, labels: &[usize]) -> Result<Matrix<T>> {
        target_probability(logits, labels, self.temperature)
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
            let classes = sample.scores.classes();
            let p = softmax_rows(sample.scores.values(), classes, input.temperature);
            for (p, &label) in p.chunks_exact(classes).zip(&sample.labels) {
                x.push(p[label]);
                direction.push(match with_respect_to {
                    WithRespectTo::Logits => logit_steepness(p, label) / input.temperature,
                    WithRespectTo::Probabilities => 1.0,
                });
            }
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

/// ‖∂p_label/∂z‖ = p_label ‖e_label − p‖.
fn logit_steepness(p: &[f32], label: usize) -> f32 {
    // Others' squares are summed apart: 1 − 2p + Σp² cancels badly near p = 1.
    let others: f32 = p.iter().enumerate().filter(|&(class, _)| class != label).map(|(_, p)| p * p).sum();
    let rest: f32 = p.iter().enumerate().filter(|&(class, _)| class != label).map(|(_, p)| p).sum();
    p[label] * (rest * rest + others).sqrt()
}
