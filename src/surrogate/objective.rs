//! What a loss network is learned by: rank agreement with the metric, and a bounded gradient.

use dfdx::prelude::*;
use serde::{Deserialize, Serialize};

use super::input::{Batch, WithRespectTo};
use super::network::Network;
use crate::correlation::soft_spearman;
use crate::error::Result;
use crate::metric::Direction;
use crate::ops::mlp;
use crate::sort::SoftSort;
use crate::{Scalar, Tape};

/// Which loss the penalty's gradient belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Slope {
    /// The row's own loss: a norm of 1 asks for a slope of about 1.
    Row,
    /// The mean loss of the sample, as in the released code: its hidden factor 1/rows asks for a
    /// slope of about `rows`.
    SampleMean,
}

/// The gradient penalty, weight · mean over rows of (‖∇L‖₂ − 1)², before a balanced row's weight.
///
/// # Reference
/// ReLoss, Eq. (8).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
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
    /// To be minimised: −agreement + weight · penalty.
    pub total: Scalar<Tape>,
    /// Soft Spearman correlation between −loss and the metric (loss, where lower is better).
    pub agreement: f32,
    /// The penalty, without its weight.
    pub penalty: f32,
}

/// −ρ(−L, M) + λ · penalty over a batch of samples, differentiable with respect to the network.
///
/// L is the sample's loss, the mean of |network| over its rows; M its metric; ρ the Pearson
/// correlation of the soft ranks of the standardised losses with the average ranks of the
/// metric. The penalty's own gradient is exact: see [`crate::ops::Dual`].
///
/// # Errors
/// [`Error::Undefined`](crate::Error::Undefined) when the metric is the same for all samples.
///
/// # Reference
/// ReLoss, Eq. (8) and the released training code; ties of the metric get average ranks, where
/// the released code breaks them by position.
pub fn objective(
    network: &Network,
    batch: &Batch,
    direction: Direction,
    penalty: &Penalty,
    sort: &SoftSort,
    tape: Tape,
) -> Result<Objective> {
    let out = mlp(network.parameters(), &batch.x, &batch.direction, tape)?;
    let samples = batch.samples();
    let rows = batch.x.shape().0 / samples;

    let losses = out
        .value
        .try_abs()?
        .try_mul(batch.weight.clone())?
        .try_reshape_like(&(samples, rows))?
        .try_mean::<(usize,), Axis<1>>()?;
    let target: Vec<f64> = batch.metric.iter().map(|m| direction.sign() * m).collect();
    let agreement = soft_spearman(losses.try_negate()?.try_reshape_like(&(1, samples))?, &target, sort)?;

    let scale = match penalty.slope {
        Slope::Row => 1.0,
        Slope::SampleMean => 1.0 / rows as f32,
    };
    let norm = out.tangent.try_abs()?.try_mul(scale)?;
    let bound = norm.try_sub(1.0)?.try_square()?.try_mean()?;
    let parts = (crate::ops::scalar(&agreement), crate::ops::scalar(&bound));
    let total = agreement.try_negate()?.try_add(bound.try_mul(penalty.weight)?)?;
    Ok(Objective { total, agreement: parts.0, penalty: parts.1 })
}
