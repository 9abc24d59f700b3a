//! Several losses at once.

use dfdx::prelude::*;

use super::Loss;
use crate::error::{Error, Result};
use crate::{Matrix, Scalar, Tape};

/// A weighted sum of losses of the same predictions.
///
/// # Example
/// ```
/// use reloss::loss::{value, CrossEntropy, MeanAbsoluteError, Sum};
/// use reloss::metric::Scores;
/// let both = Sum::new("both", vec![(1.0, Box::new(CrossEntropy::default())), (2.0, Box::new(MeanAbsoluteError))])?;
/// let even = Scores::new(vec![0.0, 0.0], 2)?;
/// assert!((value(&both, &even, &[1])? - (2f64.ln() + 2.0 * 0.5)).abs() < 1e-6);
/// # Ok::<(), reloss::Error>(())
/// ```
pub struct Sum<A: ?Sized = [usize]> {
    name: String,
    parts: Vec<Part<A>>,
}

/// A loss with its weight.
type Part<A> = (f32, Box<dyn Loss<A>>);

impl<A: ?Sized> Sum<A> {
    /// Weights and losses under a name for tables, in snake case.
    ///
    /// # Errors
    /// [`Error::Parameter`] for no losses, or a weight that is not finite.
    pub fn new(name: &str, parts: Vec<Part<A>>) -> Result<Self> {
        if let Some((weight, _)) = parts.iter().find(|(weight, _)| !weight.is_finite()) {
            return Err(Error::parameter("parts", format!("a weight of {weight}")));
        }
        match parts.is_empty() {
            true => Err(Error::parameter("parts", "a sum needs one loss or more")),
            false => Ok(Self { name: name.to_string(), parts }),
        }
    }
}

impl<A: ?Sized> std::fmt::Debug for Sum<A> {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        let parts = self.parts.iter().map(|(weight, loss)| (weight, loss.name()));
        f.debug_tuple("Sum").field(&self.name).field(&parts.collect::<Vec<_>>()).finish()
    }
}

impl<A: ?Sized> Loss<A> for Sum<A> {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn loss(&self, prediction: Matrix<Tape>, target: &A) -> Result<Scalar<Tape>> {
        weighted(self.parts.iter().map(|(weight, loss)| (*weight, loss.as_ref())), prediction, target)
    }
}

/// The weighted sum of some losses of the same predictions.
pub(crate) fn weighted<'a, A: ?Sized + 'a>(
    parts: impl IntoIterator<Item = (f32, &'a dyn Loss<A>)>,
    prediction: Matrix<Tape>,
    target: &A,
) -> Result<Scalar<Tape>> {
    // The first part records what came before; the tapes join as the parts are added.
    let (prediction, mut tape) = prediction.split_tape();
    let mut sum: Option<Scalar<Tape>> = None;
    for (weight, loss) in parts {
        let before = std::mem::take(&mut tape);
        let part = loss.loss(prediction.clone().put_tape(before), target)?.try_mul(weight)?;
        sum = Some(match sum {
            Some(sum) => sum.try_add(part)?,
            None => part,
        });
    }
    sum.ok_or_else(|| Error::parameter("parts", "a sum needs one loss or more"))
}
