//! Cross-entropy that looks away from rows the model has right already.

use dfdx::prelude::*;

use super::Loss;
use crate::error::{Error, Result};
use crate::ops::{softplus, target_log_odds};
use crate::{Matrix, Scalar, Tape};

/// The focal loss, −(1 − p)^γ ln p of the label's probability p, mean over the batch; γ = 0 is cross-entropy.
///
/// Computed from the log-odds o: ln p = −softplus(−o) and ln (1 − p) = −softplus(o), so that it stays finite where p is near
/// 0 or 1.
///
/// # Example
/// ```
/// use reloss::loss::{value, Focal};
/// use reloss::metric::Scores;
/// let even = Scores::new(vec![0.0, 0.0], 2)?;
/// let expected = 0.5f64.powi(2) * 2f64.ln();
/// assert!((value(&Focal::default(), &even, &[1])? - expected).abs() < 1e-6);
/// # Ok::<(), reloss::Error>(())
/// ```
///
/// # Reference
/// Lin et al., "Focal Loss for Dense Object Detection", ICCV 2017, Eq. (4), of several classes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Focal {
    gamma: f32,
}

impl Default for Focal {
    /// γ = 2, the paper's.
    fn default() -> Self {
        Self { gamma: 2.0 }
    }
}

impl Focal {
    /// The focal loss with this γ.
    ///
    /// # Errors
    /// [`Error::Parameter`] for a γ that is negative or not finite.
    pub fn new(gamma: f32) -> Result<Self> {
        match gamma >= 0.0 && gamma.is_finite() {
            true => Ok(Self { gamma }),
            false => Err(Error::parameter("gamma", format!("{gamma} is not 0 or above"))),
        }
    }
}

impl Loss for Focal {
    fn name(&self) -> String {
        "focal".to_string()
    }

    fn loss(&self, logits: Matrix<Tape>, labels: &[usize]) -> Result<Scalar<Tape>> {
        let odds = target_log_odds(logits, labels, 1.0)?;
        let (odds, tape) = odds.split_tape();
        let weight = softplus(odds.retaped::<Tape>())?.try_mul(-self.gamma)?.try_exp()?;
        let surprise = softplus(odds.put_tape(tape).try_negate()?)?;
        Ok(surprise.try_mul(weight)?.try_mean()?)
    }
}
