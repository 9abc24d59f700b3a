//! Losses a model can be trained with: one trait, and the originals the paper compares with.

mod focal;
mod heatmaps;
mod sorting;
mod spans;
mod sum;
mod tokens;

pub use focal::Focal;
pub use heatmaps::{heatmap_value, HeatmapMse, HeatmapTargets};
pub use sorting::{permutation_cross_entropy, PermutationLoss, PlaceLoss};
pub use spans::{span_loss, ExpectedOverlap, SpanCrossEntropy, SpanLikelihood};
pub(crate) use sum::weighted;
pub use sum::Sum;
pub use tokens::{token_loss, BagOfNgrams, TokenCrossEntropy};

use dfdx::prelude::*;

use crate::error::{Error, Result};
use crate::metric::Scores;
use crate::ops::{device, host, matrix, scalar, target_probability};
use crate::{Matrix, Scalar, Tape};

/// A differentiable loss of a batch of predictions against its targets.
///
/// Cross-entropy, a learned surrogate and every baseline are the same thing to a training loop,
/// so a comparison is one loop over `&dyn Loss`. `Target` is a slice of class labels unless a
/// task says otherwise.
pub trait Loss<Target: ?Sized = [usize]> {
    /// The name in tables and result files, in snake case.
    fn name(&self) -> String;

    /// The mean loss of the batch, recorded on the prediction's tape.
    ///
    /// # Errors
    /// [`Error::Shape`] for targets that do not fit, [`Error::NotFinite`] for predictions that
    /// are not finite.
    fn loss(&self, prediction: Matrix<Tape>, target: &Target) -> Result<Scalar<Tape>>;
}

/// The value of a loss on a batch of class scores, without gradients.
///
/// # Errors
/// As [`Loss::loss`].
///
/// # Example
/// ```
/// use reloss::loss::{value, CrossEntropy};
/// use reloss::metric::Scores;
/// let even = Scores::new(vec![0.0, 0.0], 2)?;
/// assert!((value(&CrossEntropy::default(), &even, &[1])? - 0.5f64.ln().abs()).abs() < 1e-6);
/// # Ok::<(), reloss::Error>(())
/// ```
pub fn value(loss: &dyn Loss, scores: &Scores, labels: &[usize]) -> Result<f64> {
    let logits = matrix(scores.values().to_vec(), scores.rows(), scores.classes())?;
    Ok(scalar(&loss.loss(logits.leaky_traced(), labels)?) as f64)
}

/// The gradient of a loss with respect to a batch of class scores, (rows, classes) row-major.
///
/// # Errors
/// As [`Loss::loss`].
///
/// # Example
/// ```
/// use reloss::loss::{gradient, CrossEntropy};
/// use reloss::metric::Scores;
/// let even = Scores::new(vec![0.0, 0.0], 2)?;
/// assert_eq!(gradient(&CrossEntropy::default(), &even, &[1])?, [0.5, -0.5]);
/// # Ok::<(), reloss::Error>(())
/// ```
pub fn gradient(loss: &dyn Loss, scores: &Scores, labels: &[usize]) -> Result<Vec<f32>> {
    let logits = matrix(scores.values().to_vec(), scores.rows(), scores.classes())?;
    let value = loss.loss(logits.leaky_trace(), labels)?;
    Ok(host(&value.try_backward()?.get(&logits)))
}

/// Cross-entropy of softmax logits, mean over the batch.
///
/// # Example
/// See [`value`].
#[derive(Debug, Clone, Default)]
pub struct CrossEntropy {
    /// A weight per class (the batch mean is weighted, as in PyTorch); equal when absent.
    pub class_weights: Option<Vec<f32>>,
    /// This share of the target goes to all classes alike, in [0, 1); 0 is plain cross-entropy.
    ///
    /// Szegedy et al., "Rethinking the Inception Architecture for Computer Vision", CVPR 2016, §7.
    pub smoothing: f32,
}

impl CrossEntropy {
    /// Label smoothing by this share; 0.1 is usual.
    ///
    /// # Errors
    /// [`Error::Parameter`] for a share outside [0, 1).
    pub fn smoothed(share: f32) -> Result<Self> {
        if !(0.0..1.0).contains(&share) {
            return Err(Error::parameter("smoothing", format!("{share} is not a share from 0 to below 1")));
        }
        Ok(Self { class_weights: None, smoothing: share })
    }

    /// Weights inversely proportional to how often each class occurs, scikit-learn's "balanced".
    ///
    /// # Errors
    /// [`Error::Parameter`] when a class does not occur, [`Error::Shape`] for a label out of range.
    pub fn balanced(labels: &[usize], classes: usize) -> Result<Self> {
        let counts = crate::metric::class_counts(labels, classes)?;
        if let Some(class) = counts.iter().position(|&c| c == 0) {
            return Err(Error::parameter("class_weights", format!("class {class} does not occur")));
        }
        let weights = counts.iter().map(|&c| labels.len() as f32 / (classes * c) as f32);
        Ok(Self { class_weights: Some(weights.collect()), smoothing: 0.0 })
    }
}

impl Loss for CrossEntropy {
    fn name(&self) -> String {
        match (&self.class_weights, self.smoothing > 0.0) {
            (None, false) => "cross_entropy",
            (Some(_), false) => "cross_entropy_weighted",
            (None, true) => "cross_entropy_smoothed",
            (Some(_), true) => "cross_entropy_weighted_smoothed",
        }
        .to_string()
    }

    fn loss(&self, logits: Matrix<Tape>, labels: &[usize]) -> Result<Scalar<Tape>> {
        let &(rows, classes) = logits.shape();
        crate::ops::check_batch("cross_entropy", &logits, labels)?;
        let weights: Vec<f32> = match &self.class_weights {
            Some(w) if w.len() != classes => {
                return Err(Error::shape("cross_entropy", format!("{classes} class weights"), w.len()))
            }
            Some(w) => labels.iter().map(|&label| w[label]).collect(),
            None => vec![1.0; rows],
        };
        let total: f32 = weights.iter().sum();
        let weights = device()?.try_tensor_from_vec(weights, (rows,))?;
        let index = device()?.try_tensor_from_vec(labels.to_vec(), (rows,))?;
        let log_p = logits.try_log_softmax::<Axis<1>>()?;
        let log_p = if self.smoothing > 0.0 {
            let (log_p, tape) = log_p.split_tape();
            let all = log_p.retaped::<Tape>().try_mean::<(usize,), Axis<1>>()?.try_mul(self.smoothing)?;
            log_p.put_tape(tape).try_select(index)?.try_mul(1.0 - self.smoothing)?.try_add(all)?
        } else {
            log_p.try_select(index)?
        };
        Ok(log_p.try_mul(weights)?.try_sum()?.try_div(-total)?)
    }
}

/// Mean absolute error of the label's probability, `1 - p`: bounded, so robust to wrong labels.
///
/// # Reference
/// Ghosh, Kumar, Sastry, "Robust Loss Functions under Label Noise for Deep Neural Networks",
/// AAAI 2017 (up to their factor 2).
#[derive(Debug, Clone, Copy, Default)]
pub struct MeanAbsoluteError;

impl Loss for MeanAbsoluteError {
    fn name(&self) -> String {
        "mean_absolute_error".to_string()
    }

    fn loss(&self, logits: Matrix<Tape>, labels: &[usize]) -> Result<Scalar<Tape>> {
        let p = target_probability(logits, labels, 1.0)?;
        Ok(p.try_mean()?.try_negate()?.try_add(1.0)?)
    }
}
