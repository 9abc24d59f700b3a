//! What a loss network is learned by: agreement with the metric, in rank or in value, and a bounded gradient.

use dfdx::prelude::*;
use serde::{Deserialize, Serialize};

use super::input::WithRespectTo;
use super::loss_network::LossNetwork;
use crate::correlation::{soft_kendall, soft_pearson, soft_spearman, spearman};
use crate::error::{Error, Result};
use crate::metric::{Direction, Metric};
use crate::ops::host;
use crate::rank::{rank, Ties};
use crate::sort::SoftSort;
use crate::{Matrix, Scalar, Tape};

/// Which loss the penalty's gradient belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Slope {
    /// The row's own loss: a norm of 1 asks for a slope of about 1.
    Row,
    /// The mean loss of the sample, as in the released code: its hidden factor 1/rows asks for a
    /// slope of about `rows`.
    SampleMean,
    /// All rows of a sample together: the root of their mean square, so that rows the metric does not depend on may
    /// have none while others have more.
    Sample,
}

/// What "agrees with the metric" means.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub enum Fit {
    /// Samples are ranked alike: ReLoss, by these soft ranks.
    Rank(SoftSort),
    /// As `Rank`, but samples of equal metric get different ranks, in the order they are drawn, as in the released code.
    Ordinal(SoftSort),
    /// Pairs of samples are ordered alike: Kendall's τ with soft signs, of this temperature in standard deviations of the
    /// losses.
    Kendall(f64),
    /// Values correlate: Pearson's correlation, so that the loss is to be a straight line of the metric.
    Pearson,
    /// The loss *is* the metric, as an error from 0 (best) to 1, in squared distance: what losses were learned by
    /// before, and the paper compares with (Grabocka et al. 2019). For metrics with a bounded range.
    Value,
}

impl Default for Fit {
    fn default() -> Self {
        Self::Rank(SoftSort::default())
    }
}

impl Fit {
    /// The correlation of losses, (1, samples), with what they are to follow.
    fn correlation(&self, losses: Matrix<Tape>, target: &[f64]) -> Result<Scalar<Tape>> {
        match self {
            Self::Rank(sort) => soft_spearman(losses, target, sort),
            Self::Ordinal(_) if target.windows(2).all(|pair| pair[0] == pair[1]) => {
                Err(Error::undefined("soft_spearman", "all samples have the same metric"))
            }
            Self::Ordinal(sort) => soft_spearman(losses, &rank(target, Ties::Ordinal)?, sort),
            Self::Kendall(temperature) => soft_kendall(losses, target, *temperature),
            Self::Pearson => soft_pearson(losses, target),
            Self::Value => Err(Error::parameter("fit", "values are not correlated")),
        }
    }
}

/// The gradient penalty, weight · mean over rows of (‖∇L‖₂ − 1)², before a balanced row's weight.
///
/// # Reference
/// ReLoss, Eq. (8).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Penalty {
    /// λ; 10 in the released code, 0 switches the penalty off.
    pub weight: f32,
    /// What the gradient is taken with respect to; the logits in the released code.
    pub with_respect_to: WithRespectTo,
    /// Whose gradient it is; the sample mean's in the released code.
    pub slope: Slope,
}

impl Default for Penalty {
    /// Ours: a slope of 1 in the log-odds, with the released weight.
    fn default() -> Self {
        Self { weight: 10.0, with_respect_to: WithRespectTo::Feature, slope: Slope::Row }
    }
}

impl Penalty {
    /// The released code's: weight 10, the sample mean's gradient with respect to the logits.
    pub fn released() -> Self {
        Self { weight: 10.0, with_respect_to: WithRespectTo::Logits, slope: Slope::SampleMean }
    }
}

/// The objective's value with its two parts.
#[derive(Debug)]
pub struct Objective {
    /// To be minimised: the fit, −agreement for ranks, plus weight · penalty.
    pub total: Scalar<Tape>,
    /// Correlation between −loss and the metric (loss, where lower is better): that which is fitted, exact Spearman where
    /// values are.
    pub agreement: f32,
    /// The penalty, without its weight.
    pub penalty: f32,
}

/// −ρ(−L, M) + λ · penalty over a batch of samples, differentiable with respect to the network.
///
/// L is the sample's loss, the mean of |network| over its rows; M its metric; ρ the Pearson
/// correlation of the soft ranks of the standardised losses with the average ranks of the
/// metric, unless [`Fit`] says otherwise. Where values are fitted, the mean of (L − error)² stands for −ρ. The penalty's own gradient is exact: see
/// [`crate::ops::Dual`].
///
/// # Errors
/// [`Error::Undefined`] when the metric is the same for all samples, [`Error::Parameter`] when values of a metric
/// without bounds are fitted.
///
/// # Reference
/// ReLoss, Eq. (8) and the released training code; ties of the metric get average ranks, where
/// the released code breaks them by position.
pub fn objective<N: LossNetwork, P: ?Sized, L: ?Sized>(
    network: &N,
    batch: &N::Batch,
    metric: &dyn Metric<P, L>,
    penalty: &Penalty,
    fit: &Fit,
    tape: Tape,
) -> Result<Objective> {
    let (judged, values) = (network.judge(batch, tape)?, N::metric(batch));
    let (samples, rows) = *judged.slopes.shape();
    let direction = metric.direction();
    let (distance, agreement) = match fit {
        Fit::Value => {
            let errors = errors(metric, values)?;
            let losses: Vec<f64> = host(&judged.losses).into_iter().map(f64::from).collect();
            let agreement = agreement(&losses, values, direction)? as f32;
            let errors = judged.losses.device().try_tensor_from_vec(errors, (samples,))?;
            (judged.losses.try_sub(errors)?.try_square()?.try_mean()?, agreement)
        }
        _ => {
            let target: Vec<f64> = values.iter().map(|m| direction.sign() * m).collect();
            let losses = judged.losses.try_negate()?.try_reshape_like(&(1, samples))?;
            let agreement = fit.correlation(losses, &target)?;
            let value = crate::ops::scalar(&agreement);
            (agreement.try_negate()?, value)
        }
    };
    let norm = judged.slopes.try_abs()?;
    let bound = match penalty.slope {
        Slope::Row => norm.try_sub(1.0)?.try_square()?.try_mean()?,
        Slope::SampleMean => norm.try_mul(1.0 / rows as f32)?.try_sub(1.0)?.try_square()?.try_mean()?,
        Slope::Sample => {
            // The root's own slope at 0 is infinite: a gradient so small counts as this much.
            let squares = norm.try_square()?.try_mean::<(usize,), Axis<1>>()?;
            squares.try_add(1e-12)?.try_sqrt()?.try_sub(1.0)?.try_square()?.try_mean()?
        }
    };
    let penalty_value = crate::ops::scalar(&bound);
    let total = distance.try_add(bound.try_mul(penalty.weight)?)?;
    Ok(Objective { total, agreement, penalty: penalty_value })
}

/// Exact Spearman between the negated losses and the metric (the losses, where lower is better); 0 for losses that are all
/// the same, which rank nothing.
///
/// # Errors
/// [`Error::Undefined`] when all metrics are the same, but the losses are not.
pub(super) fn agreement(losses: &[f64], metric: &[f64], direction: Direction) -> Result<f64> {
    let target: Vec<f64> = metric.iter().map(|m| -direction.sign() * m).collect();
    match spearman(losses, &target) {
        Err(Error::Undefined { .. }) if losses.windows(2).all(|w| w[0] == w[1]) => Ok(0.0),
        other => other,
    }
}

/// Metric values as errors from 0 (best) to 1.
pub(crate) fn errors<P: ?Sized, L: ?Sized>(metric: &dyn Metric<P, L>, values: &[f64]) -> Result<Vec<f32>> {
    let (low, high) = metric.range();
    if !(low.is_finite() && high.is_finite()) {
        let reason = format!("{} has no bounds: its values cannot be fitted, its ranks can", metric.name());
        return Err(Error::parameter("fit", reason));
    }
    let best = if metric.direction() == Direction::HigherIsBetter { high } else { low };
    Ok(values.iter().map(|value| ((best - value).abs() / (high - low)) as f32).collect())
}
