//! What the loss network sees of a prediction, and how steeply that changes with the prediction.

use dfdx::prelude::*;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::feature::{spanning, Feature, Trend};
use crate::error::{check_positive, Error, Result};
use crate::metric::{class_counts, Scores};
use crate::ops::{matrix, row_log_odds};
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
    /// The label's softmax probability; for an input that is a function of it alone.
    Probabilities,
    /// The features themselves, before their scale: the same slope for sure and unsure predictions.
    Feature,
}

/// What the loss network is given of a row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Input {
    /// Which number of the row's logits.
    pub feature: Feature,
    /// Further ones, each but once; none in the released code.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<Feature>,
    /// Divides the logits; 1 in the released code.
    pub temperature: f32,
    /// Multiplies the features; 1 in the released code.
    pub scale: f32,
    /// For macro metrics: rows weigh 1 / (K · share) and the network sees ln(K · share) too, where
    /// share is that of the row's label among the labels and K the number of classes.
    pub balanced: bool,
    /// For metrics that are no mean over rows (F1, AUC): the mean is taken over the rows' hidden features instead of
    /// their losses, so that the network sees the batch as a set, each row with its label (±1; two classes).
    ///
    /// Zaheer et al., "Deep Sets", NeurIPS 2017.
    pub set: bool,
}

impl Default for Input {
    /// The log-odds times 0.2 (ours: it keeps the network's input within a few units).
    fn default() -> Self {
        Self {
            feature: Feature::LogOdds,
            also: Vec::new(),
            temperature: 1.0,
            scale: 0.2,
            balanced: false,
            set: false,
        }
    }
}

impl Input {
    /// The input of the released code: p, as it is.
    pub fn released() -> Self {
        Self { feature: Feature::Probability, scale: 1.0, ..Self::default() }
    }

    /// ln p, cross-entropy's own number; ours, for [`Learn::log_probability`](super::Learn::log_probability).
    pub fn log_probability() -> Self {
        Self { feature: Feature::LogProbability, ..Self::default() }
    }

    /// ln p and the logarithm of the label's soft rank: how many classes stand before the label; ours, for
    /// [`Learn::ranked`](super::Learn::ranked).
    pub fn ranked() -> Self {
        Self { also: vec![Feature::LogRank], ..Self::log_probability() }
    }

    /// The features, in the order of the network's inputs.
    pub fn features(&self) -> impl Iterator<Item = Feature> + '_ {
        std::iter::once(self.feature).chain(self.also.iter().copied())
    }

    /// How many numbers a row has.
    pub fn width(&self) -> usize {
        1 + self.also.len() + usize::from(self.balanced || self.set)
    }

    /// Which way a monotone loss goes with each of a row's numbers: what is no feature leaves it free.
    pub fn trends(&self) -> Vec<Trend> {
        let mut trends: Vec<Trend> = self.features().map(Feature::trend).collect();
        trends.resize(self.width(), Trend::Free);
        trends
    }

    /// Refuses two ways to see the labels at once, a feature given twice, and numbers out of range.
    pub(super) fn check(&self) -> Result<()> {
        check_positive("temperature", self.temperature)?;
        check_positive("scale", self.scale)?;
        if let Some(feature) = self
            .also
            .iter()
            .enumerate()
            .find_map(|(i, f)| self.features().take(i + 1).any(|before| before == *f).then_some(f))
        {
            return Err(Error::parameter("input", format!("{feature:?} is there twice")));
        }
        match self.balanced && self.set {
            true => Err(Error::parameter("input", "balanced and set exclude each other")),
            false => Ok(()),
        }
    }

    /// Refuses a gradient with respect to probabilities of what is no function of the label's alone.
    fn check_gradient(&self, with_respect_to: WithRespectTo) -> Result<()> {
        let alone = matches!(self.feature, Feature::Probability | Feature::LogOdds | Feature::LogProbability);
        match with_respect_to {
            WithRespectTo::Probabilities if !alone || !self.also.is_empty() => {
                let reason = "probabilities, but the input is no function of the label's alone";
                Err(Error::parameter("with_respect_to", reason))
            }
            _ => Ok(()),
        }
    }

    /// The number beside each row's features, if there is one.
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
        let (rows, width) = (labels.len(), self.width());
        if width == 1 {
            return Ok(self.feature.of(logits, labels, self.temperature)?.try_mul(self.scale)?);
        }
        // Each feature in a column of its own, and constants in what is left: (rows, 1) → (rows, width).
        let column = |column: usize, x: Matrix<T>| -> Result<Matrix<T>> {
            let mut place = vec![0.0; width];
            place[column] = self.scale;
            Ok(x.try_matmul(matrix(place, 1, width)?)?)
        };
        let (logits, tape) = logits.split_tape();
        let mut x = column(0, self.feature.of(logits.clone().put_tape(tape), labels, self.temperature)?)?;
        for (i, feature) in self.also.iter().enumerate() {
            let also = feature.of(logits.retaped::<T>(), labels, self.temperature)?;
            x = x.try_add(column(i + 1, also)?)?;
        }
        let Some(beside) = beside else { return Ok(x) };
        let constants = beside.into_iter().flat_map(|constant| (1..width).map(|_| 0.0).chain([constant]));
        Ok(x.try_add(matrix(constants.collect(), rows, width)?)?)
    }

    /// The scaled features of each row, (rows, features), and the directions of its gradient, each (rows, features).
    fn rows(&self, sample: &Sample, with_respect_to: WithRespectTo) -> (Vec<f32>, Vec<Vec<f32>>) {
        let classes = sample.scores.classes();
        let rows = sample.scores.values().chunks_exact(classes).zip(&sample.labels);
        let single = matches!(self.feature, Feature::Probability | Feature::LogOdds) && self.also.is_empty();
        let count = 1 + self.also.len();
        let (mut x, mut directions) = (Vec::new(), vec![Vec::new(); count]);
        for (z, &label) in rows {
            if single {
                let (value, along) = self.single(z, label, with_respect_to);
                x.push(value * self.scale);
                directions[0].push(along * self.scale);
                continue;
            }
            let (values, gradients): (Vec<f32>, Vec<Vec<f64>>) =
                self.features().map(|f| f.row(z, label, self.temperature)).unzip();
            let columns = match with_respect_to {
                WithRespectTo::Logits => spanning(&gradients),
                // ln p alone, as checked: its slope in p is 1 / p.
                WithRespectTo::Probabilities => vec![vec![f64::from(-values[0]).exp()]],
                WithRespectTo::Feature => unit_vectors(count),
            };
            x.extend(values.iter().map(|value| value * self.scale));
            for (direction, column) in directions.iter_mut().zip(columns) {
                direction.extend(column.iter().map(|&c| c as f32 * self.scale));
            }
        }
        (x, directions)
    }

    /// Log-odds or probability of one row and how steeply it changes: no gradient of all classes is needed.
    fn single(&self, row: &[f32], label: usize, with_respect_to: WithRespectTo) -> (f32, f32) {
        let per_logit = self.temperature.recip();
        let (odds, others) = row_log_odds(row, label, self.temperature);
        let (value, along_logits, along_p) = match self.feature {
            Feature::Probability => {
                let p = 1.0 / (1.0 + (-odds).exp());
                (p, p * (1.0 - p) * (1.0 + others).sqrt() * per_logit, 1.0)
            }
            // d odds / dz = e_label − others, d odds / dp = 1 / (p (1 − p))
            _ => (odds, (1.0 + others).sqrt() * per_logit, 2.0 + odds.exp() + (-odds).exp()),
        };
        let along = match with_respect_to {
            WithRespectTo::Logits => along_logits,
            WithRespectTo::Probabilities => along_p,
            WithRespectTo::Feature => 1.0,
        };
        (value, along)
    }
}

pub(super) fn unit_vectors(count: usize) -> Vec<Vec<f64>> {
    (0..count).map(|i| (0..count).map(|j| f64::from(u8::from(i == j))).collect()).collect()
}

/// Samples as the loss network takes them: all rows of all samples, one below the other.
///
/// Logits and labels do not change while the network learns, so neither do the inputs nor their
/// steepness: both are plain numbers, computed once per sample whatever the number of classes.
#[derive(Debug, Clone)]
pub struct Batch {
    /// Inputs, (samples × rows, width).
    pub x: Matrix,
    /// Per row, changes of the input such that the network's directional derivatives along them have, together, its
    /// gradient's norm: one a feature. That of a single feature is its change along the prediction's steepest unit step.
    pub directions: Vec<Matrix>,
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
        input.check_gradient(with_respect_to)?;
        if let Some((i, sample)) = samples.iter().enumerate().find(|(_, s)| s.scores.classes() < 2) {
            let got = format!("{} in sample {i}", sample.scores.classes());
            return Err(Error::shape("surrogate batch", "two classes or more", got));
        }
        let features: Vec<_> = samples.par_iter().map(|s| input.rows(s, with_respect_to)).collect();
        let (count, width) = (1 + input.also.len(), input.width());
        let (mut x, mut directions, mut weight) = (Vec::new(), vec![Vec::new(); count], Vec::new());
        for (sample, (values, along)) in samples.iter().zip(features) {
            let classes = sample.scores.classes();
            let balance = Balance::new(&sample.labels, classes, None)?;
            let beside = input.beside(&sample.labels, classes, &balance)?;
            join(&mut x, &values, count, beside.as_deref());
            let still = beside.map(|beside| vec![0.0; beside.len()]);
            for (direction, along) in directions.iter_mut().zip(along) {
                join(direction, &along, count, still.as_deref());
            }
            if input.balanced {
                weight.extend(balance.weight);
            }
        }
        let all = samples.len() * rows;
        weight.resize(all, 1.0);
        let directions = directions.into_iter().map(|direction| matrix(direction, all, width));
        Ok(Self {
            x: matrix(x, all, width)?,
            directions: directions.collect::<Result<_>>()?,
            weight: matrix(weight, all, 1)?,
            set: input.set,
            metric: samples.iter().map(|s| s.metric).collect(),
        })
    }

    /// A sample of one row for each probability p of the label, of two classes: a label of average share, of class 1 in a set.
    ///
    /// The gradient is with respect to the logits.
    pub(super) fn over_p(p: &[f64], input: &Input) -> Result<Self> {
        let logits = p.iter().flat_map(|p| {
            let odds = input.temperature * (p / (1.0 - p)).ln() as f32;
            if input.set {
                [0.0, odds]
            } else {
                [odds, 0.0]
            }
        });
        let labels = vec![usize::from(input.set); p.len()];
        let rows = Sample { scores: Scores::new(logits.collect(), 2)?, labels, metric: 0.0 };
        let (values, directions) = input.rows(&rows, WithRespectTo::Logits);
        let constant = (input.balanced || input.set).then(|| vec![f32::from(u8::from(input.set)); p.len()]);
        let still = constant.as_ref().map(|constant| vec![0.0; constant.len()]);
        let (count, width) = (1 + input.also.len(), input.width());
        let joined = |values: &[f32], beside: Option<&[f32]>| {
            let mut rows = Vec::with_capacity(p.len() * width);
            join(&mut rows, values, count, beside);
            matrix(rows, p.len(), width)
        };
        Ok(Self {
            x: joined(&values, constant.as_deref())?,
            directions: directions
                .iter()
                .map(|along| joined(along, still.as_deref()))
                .collect::<Result<_>>()?,
            weight: matrix(vec![1.0; p.len()], p.len(), 1)?,
            set: input.set,
            metric: vec![0.0; p.len()],
        })
    }

    /// How many samples.
    pub fn samples(&self) -> usize {
        self.metric.len()
    }
}

/// Appends rows of `count` numbers, each with the one beside it.
fn join(to: &mut Vec<f32>, rows: &[f32], count: usize, beside: Option<&[f32]>) {
    match beside {
        Some(beside) => {
            for (row, &beside) in rows.chunks_exact(count).zip(beside) {
                to.extend_from_slice(row);
                to.push(beside);
            }
        }
        None => to.extend_from_slice(rows),
    }
}
