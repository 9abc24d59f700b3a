//! What the loss network sees of a prediction, and how steeply that changes with the prediction.

use dfdx::prelude::*;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::metric::class_counts;
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
    /// The feature itself, before its scale: the same slope for sure and unsure predictions.
    Feature,
}

/// The number a row of logits is reduced to; p is the label's softmax probability.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Feature {
    /// p itself, as in the released code.
    Probability,
    /// ln(p / (1 − p)): never saturates, so the network sees differences among sure predictions.
    LogOdds,
}

/// What the loss network is given of a row.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Input {
    /// Which number of the row's logits.
    pub feature: Feature,
    /// Divides the logits; 1 in the released code.
    pub temperature: f32,
    /// Multiplies the feature; 1 in the released code.
    pub scale: f32,
    /// For macro metrics: rows weigh 1 / (K · share) and the network sees ln(K · share) too, where
    /// share is that of the row's label among the labels and K the number of classes.
    pub balanced: bool,
    /// For metrics that are no mean over rows (F1, AUC): the mean is taken over the rows' hidden features instead of
    /// their losses, so that the network sees the batch as a set, each row with its label (±1; two classes).
    ///
    /// Zaheer et al., "Deep Sets", NeurIPS 2017.
    #[serde(default)]
    pub set: bool,
}

impl Default for Input {
    /// The log-odds times 0.2 (ours: it keeps the network's input within a few units).
    fn default() -> Self {
        Self { feature: Feature::LogOdds, temperature: 1.0, scale: 0.2, balanced: false, set: false }
    }
}

impl Input {
    /// The input of the released code: p, as it is.
    pub fn released() -> Self {
        Self { feature: Feature::Probability, temperature: 1.0, scale: 1.0, balanced: false, set: false }
    }

    /// How many numbers a row has.
    pub fn width(&self) -> usize {
        1 + usize::from(self.balanced || self.set)
    }

    /// Refuses two ways to see the labels at once.
    pub(super) fn check(&self) -> Result<()> {
        match self.balanced && self.set {
            true => Err(Error::parameter("input", "balanced and set exclude each other")),
            false => Ok(()),
        }
    }

    /// The number beside each row's feature, if there is one.
    fn beside(&self, labels: &[usize], classes: usize, balance: &Balance) -> Result<Option<Vec<f32>>> {
        match (self.set, self.balanced) {
            (true, _) if classes != 2 => {
                Err(Error::shape("surrogate", "two classes, for a network that sees sets", classes))
            }
            (true, _) => Ok(Some(labels.iter().map(|&l| if l == 1 { 1.0 } else { -1.0 }).collect())),
            (_, true) => Ok(Some(balance.log_share.clone())),
            _ => Ok(None),
        }
    }

    /// The input of each row, (rows, width), differentiable with respect to the logits.
    pub(super) fn of<T: Tape<f32, Dev>>(
        &self,
        logits: Matrix<T>,
        labels: &[usize],
        balance: &Balance,
    ) -> Result<Matrix<T>> {
        let beside = self.beside(labels, logits.shape().1, balance)?;
        let x = match self.feature {
            Feature::Probability => target_probability(logits, labels, self.temperature)?,
            Feature::LogOdds => target_log_odds(logits, labels, self.temperature)?,
        };
        let Some(beside) = beside else {
            return Ok(x.try_mul(self.scale)?);
        };
        // (rows, 1) → (rows, 2): the second column is a constant.
        let beside = beside.into_iter().flat_map(|constant| [0.0, constant]).collect();
        let beside = matrix(beside, labels.len(), 2)?;
        Ok(x.try_matmul(matrix(vec![self.scale, 0.0], 1, 2)?)?.try_add(beside)?)
    }

    /// The input, row-major, at probability p of a label of average share (of class 1, in a set).
    pub(super) fn at(&self, p: f64) -> Vec<f32> {
        let feature = match self.feature {
            Feature::Probability => p,
            Feature::LogOdds => (p / (1.0 - p)).ln(),
        };
        let mut row = vec![feature as f32 * self.scale];
        row.resize(self.width(), if self.set { 1.0 } else { 0.0 });
        row
    }

    /// The scaled feature of each row, and how steeply it changes.
    fn rows(&self, sample: &Sample, with_respect_to: WithRespectTo) -> (Vec<f32>, Vec<f32>) {
        let (mut x, mut direction) = (Vec::new(), Vec::new());
        let classes = sample.scores.classes();
        let per_logit = self.temperature.recip();
        for (row, &label) in sample.scores.values().chunks_exact(classes).zip(&sample.labels) {
            let (odds, others) = row_log_odds(row, label, self.temperature);
            let (value, along_logits, along_p) = match self.feature {
                // d odds / dz = e_label − others, d odds / dp = 1 / (p (1 − p))
                Feature::LogOdds => {
                    (odds, (1.0 + others).sqrt() * per_logit, 2.0 + odds.exp() + (-odds).exp())
                }
                Feature::Probability => {
                    let p = 1.0 / (1.0 + (-odds).exp());
                    (p, p * (1.0 - p) * (1.0 + others).sqrt() * per_logit, 1.0)
                }
            };
            let along = match with_respect_to {
                WithRespectTo::Logits => along_logits,
                WithRespectTo::Probabilities => along_p,
                WithRespectTo::Feature => 1.0,
            };
            x.push(value * self.scale);
            direction.push(along * self.scale);
        }
        (x, direction)
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
    /// What each row weighs in its sample's mean, (samples × rows, 1); all 1 unless balanced.
    pub weight: Matrix,
    /// Whether the network sees each sample as a set.
    pub set: bool,
    /// One metric value per sample.
    pub metric: Vec<f64>,
}

/// Constants of each row that depend on its label's share.
pub(super) struct Balance {
    pub(super) log_share: Vec<f32>,
    pub(super) weight: Vec<f32>,
}

impl Balance {
    /// From the share of each class, or the labels' own shares where none are given.
    pub(super) fn new(labels: &[usize], classes: usize, shares: Option<&[f32]>) -> Result<Self> {
        let own: Vec<f32> = match shares {
            Some(shares) => shares.to_vec(),
            None => {
                let counts = class_counts(labels, classes)?;
                counts.iter().map(|&count| count as f32 / labels.len().max(1) as f32).collect()
            }
        };
        if own.len() != classes {
            return Err(Error::shape("surrogate", format!("shares of {classes} classes"), own.len()));
        }
        let relative: Vec<f32> = labels.iter().map(|&label| classes as f32 * own[label]).collect();
        if let Some(row) = relative.iter().position(|&r| r <= 0.0) {
            let reason = format!("class {} has share 0, yet is the label of row {row}", labels[row]);
            return Err(Error::parameter("shares", reason));
        }
        let log_share = relative.iter().map(|r| r.ln()).collect();
        Ok(Self { log_share, weight: relative.iter().map(|r| r.recip()).collect() })
    }
}

impl Batch {
    /// Prepares samples, all of the same number of rows.
    ///
    /// # Errors
    /// [`Error::Shape`] for no samples, no rows, or samples of different sizes.
    pub fn new(samples: &[Sample], input: &Input, with_respect_to: WithRespectTo) -> Result<Self> {
        let rows = samples.first().map_or(0, |s| s.labels.len());
        if rows == 0 {
            return Err(Error::shape(
                "surrogate batch",
                "one sample or more, of one row or more",
                samples.len(),
            ));
        }
        if let Some((i, sample)) = samples.iter().enumerate().find(|(_, s)| s.labels.len() != rows) {
            let got = format!("{} in sample {i}", sample.labels.len());
            return Err(Error::shape("surrogate batch", format!("{rows} rows"), got));
        }
        let features: Vec<_> = samples.par_iter().map(|s| input.rows(s, with_respect_to)).collect();
        let width = input.width();
        let (mut x, mut direction, mut weight) = (Vec::new(), Vec::new(), Vec::new());
        for (sample, (first, along)) in samples.iter().zip(features) {
            let classes = sample.scores.classes();
            let balance = Balance::new(&sample.labels, classes, None)?;
            match input.beside(&sample.labels, classes, &balance)? {
                Some(beside) => {
                    x.extend(first.iter().zip(beside).flat_map(|(&x, beside)| [x, beside]));
                    direction.extend(along.iter().flat_map(|&d| [d, 0.0]));
                }
                None => {
                    x.extend(first);
                    direction.extend(along);
                }
            }
            if input.balanced {
                weight.extend(balance.weight);
            }
        }
        let all = samples.len() * rows;
        weight.resize(all, 1.0);
        Ok(Self {
            x: matrix(x, all, width)?,
            direction: matrix(direction, all, width)?,
            weight: matrix(weight, all, 1)?,
            set: input.set,
            metric: samples.iter().map(|s| s.metric).collect(),
        })
    }

    /// How many samples.
    pub fn samples(&self) -> usize {
        self.metric.len()
    }
}
