//! The Jeffries–Matusita distance between the predicted and the true distribution.

use dfdx::prelude::HasShape;

use super::{probabilities, record};
use crate::error::Result;
use crate::loss::Loss;
use crate::ops::check_batch;
use crate::{Matrix, Scalar, Tape};

/// √(2 − 2·√p) of the label's probability p, mean over the batch: bounded by √2, so that no row dominates.
///
/// At p = 1 its slope is that of a cone; there, within rounding, no gradient is given.
///
/// # Reference
/// The distance of two distributions, Σ (√p − √q)² under the root, where the true one is of a single class.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct JeffriesMatusita;

impl Loss for JeffriesMatusita {
    fn name(&self) -> String {
        "jeffries_matusita".to_string()
    }

    fn loss(&self, logits: Matrix<Tape>, labels: &[usize]) -> Result<Scalar<Tape>> {
        check_batch("Jeffries-Matusita", &logits, labels)?;
        let &(rows, classes) = logits.shape();
        let p = probabilities(&logits);
        let mut gradient = Vec::with_capacity(p.len());
        let mut sum = 0.0;
        for (row, &label) in p.chunks_exact(classes).zip(labels) {
            let root = row[label].sqrt();
            let distance = (2.0 - 2.0 * root).max(0.0).sqrt();
            sum += distance;
            // d distance / dp = −1/(2·distance·√p), dp/dz_j = p (δ − p_j).
            let slope = if distance > 1e-9 { -0.5 * root / distance } else { 0.0 };
            let by =
                |(class, p): (usize, &f64)| slope * (f64::from(u8::from(class == label)) - p) / rows as f64;
            gradient.extend(row.iter().enumerate().map(by).map(|g| g as f32));
        }
        record(logits, sum / rows as f64, gradient)
    }
}
