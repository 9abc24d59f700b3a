//! Losses of answers that are spans of a passage, from a start and an end logit for every token.

use dfdx::prelude::*;

use super::Loss;
use crate::error::Result;
use crate::ops::{matrix, scalar, softplus, span_cross_entropy, span_features, SpanFeature, Spans};
use crate::{Matrix, Scalar, Tape};

/// The value of a loss on logits of (tokens, 2), row-major, without gradients.
///
/// # Errors
/// As [`Loss::loss`].
///
/// # Example
/// See [`SpanCrossEntropy`].
pub fn span_loss(loss: &dyn Loss<Spans>, logits: Vec<f32>, targets: &Spans) -> Result<f64> {
    let (rows, len) = (targets.rows().rows(), logits.len());
    let logits = matrix(logits, rows, len / rows.max(1))?;
    Ok(f64::from(scalar(&loss.loss(logits.leaky_traced(), targets)?)))
}

/// Cross-entropy of the answers' starts and ends, mean of both and over passages: what readers are trained with.
///
/// # Example
/// ```
/// use reloss::loss::{span_loss, SpanCrossEntropy};
/// use reloss::ops::Spans;
/// let spans = Spans::new(vec![4], vec![(1, 2)])?;
/// let even = span_loss(&SpanCrossEntropy, vec![0.0; 8], &spans)?;
/// assert!((even - 4f64.ln()).abs() < 1e-6);
/// # Ok::<(), reloss::Error>(())
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SpanCrossEntropy;

impl Loss<Spans> for SpanCrossEntropy {
    fn name(&self) -> String {
        "cross_entropy".to_string()
    }

    fn loss(&self, logits: Matrix<Tape>, targets: &Spans) -> Result<Scalar<Tape>> {
        Ok(span_cross_entropy(logits, targets)?.try_mean()?)
    }
}

/// −ln p of the answer among all spans, p ∝ exp(start logit + end logit): cross-entropy that knows that an end follows its start.
///
/// Where [`SpanCrossEntropy`] normalises starts and ends each over all tokens, this one leaves out what is no span.
///
/// # Example
/// ```
/// use reloss::loss::{span_loss, SpanLikelihood};
/// use reloss::ops::Spans;
/// // Two tokens, three spans, all alike.
/// let spans = Spans::new(vec![2], vec![(0, 1)])?;
/// let even = span_loss(&SpanLikelihood::default(), vec![0.0; 4], &spans)?;
/// assert!((even - 3f64.ln()).abs() < 1e-6);
/// # Ok::<(), reloss::Error>(())
/// ```
///
/// # Reference
/// Fajcik, Jon, Smrz, "Rethinking the Objectives of Extractive Question Answering", MRQA 2021 (the joint objective); the bound on
/// the length is ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpanLikelihood {
    /// Tokens of the longest span a model may give; 30, usual since Devlin et al. 2019 (BERT).
    pub longest: usize,
}

impl Default for SpanLikelihood {
    fn default() -> Self {
        Self { longest: 30 }
    }
}

impl Loss<Spans> for SpanLikelihood {
    fn name(&self) -> String {
        "span_likelihood".to_string()
    }

    fn loss(&self, logits: Matrix<Tape>, targets: &Spans) -> Result<Scalar<Tape>> {
        let odds = span_features(logits, targets, &[SpanFeature::Exact], self.longest)?;
        // −ln sigmoid(x) = softplus(−x)
        Ok(softplus(odds.try_negate()?)?.try_mean()?)
    }
}

/// 1 − the expected F1 of the tokens where the model's span is and where the answer is, mean over passages: the analytic
/// loss of F1.
///
/// Blind to words: a span elsewhere with the same words costs 1.
///
/// # Example
/// ```
/// use reloss::loss::{span_loss, ExpectedOverlap};
/// use reloss::ops::Spans;
/// // Three spans, all alike: (0, 1) is right, (0, 0) and (1, 1) have an F1 of 2/3.
/// let spans = Spans::new(vec![2], vec![(0, 1)])?;
/// let even = span_loss(&ExpectedOverlap::default(), vec![0.0; 4], &spans)?;
/// assert!((even - (1.0 - (1.0 + 2.0 / 3.0 + 2.0 / 3.0) / 3.0)).abs() < 1e-6);
/// # Ok::<(), reloss::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExpectedOverlap {
    /// Tokens of the longest span a model may give; 30, usual since Devlin et al. 2019 (BERT).
    pub longest: usize,
}

impl Default for ExpectedOverlap {
    fn default() -> Self {
        Self { longest: 30 }
    }
}

impl Loss<Spans> for ExpectedOverlap {
    fn name(&self) -> String {
        "expected_overlap".to_string()
    }

    fn loss(&self, logits: Matrix<Tape>, targets: &Spans) -> Result<Scalar<Tape>> {
        let odds = span_features(logits, targets, &[SpanFeature::Overlap], self.longest)?;
        // 1 − sigmoid(x) = sigmoid(−x)
        Ok(odds.try_negate()?.try_sigmoid()?.try_mean()?)
    }
}
