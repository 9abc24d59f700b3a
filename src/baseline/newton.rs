//! Newton losses: the gradient of a loss preconditioned by its own curvature, here the empirical Fisher matrix.

use dfdx::prelude::{Backward, HasShape, Trace};

use super::record;
use crate::error::{Error, Result};
use crate::loss::Loss;
use crate::ops::{host, matrix, scalar};
use crate::{Matrix, Scalar, Tape};

/// A loss whose gradient g, row by row, becomes g (F + λI)⁻¹ with F the mean of gᵀg over the rows.
///
/// Value and minimum stay; steps become longer where the loss is flat for all rows. For losses whose gradients vanish or
/// explode, such as those of sorting.
///
/// # Reference
/// Petersen, Borgelt, Sutter, Kuehne, Deussen, Ermon, "Newton losses: using curvature information for learning with
/// differentiable algorithms", NeurIPS 2024, arXiv 2410.19055, the Fisher variant ("injection").
pub struct NewtonFisher {
    loss: Box<dyn Loss>,
    damping: f64,
}

impl std::fmt::Debug for NewtonFisher {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        f.debug_struct("NewtonFisher")
            .field("loss", &self.loss.name())
            .field("damping", &self.damping)
            .finish()
    }
}

impl NewtonFisher {
    /// Preconditions a loss; the damping λ keeps steps finite, 0.1 is among the paper's values.
    ///
    /// # Errors
    /// [`Error::Parameter`] for a damping that is not positive and finite.
    pub fn new(loss: Box<dyn Loss>, damping: f64) -> Result<Self> {
        match damping > 0.0 && damping.is_finite() {
            true => Ok(Self { loss, damping }),
            false => Err(Error::parameter("damping", format!("{damping} is not positive and finite"))),
        }
    }
}

impl Loss for NewtonFisher {
    fn name(&self) -> String {
        format!("{}_newton", self.loss.name())
    }

    fn loss(&self, logits: Matrix<Tape>, labels: &[usize]) -> Result<Scalar<Tape>> {
        let &(rows, classes) = logits.shape();
        // A leaf of its own, so that the inner loss's gradient ends at the logits.
        let leaf = matrix(host(&logits), rows, classes)?;
        let value = self.loss.loss(leaf.leaky_trace(), labels)?;
        let total = f64::from(scalar(&value));
        let gradients = value.try_backward()?;
        // Of the row's own loss, not of the mean.
        let g: Vec<f64> =
            host(&gradients.get(&leaf)).into_iter().map(|g| f64::from(g) * rows as f64).collect();
        let mut fisher = vec![0.0; classes * classes];
        for row in g.chunks_exact(classes) {
            for (i, a) in row.iter().enumerate() {
                row.iter().zip(&mut fisher[i * classes..]).for_each(|(b, f)| *f += a * b / rows as f64);
            }
        }
        (0..classes).for_each(|i| fisher[i * classes + i] += self.damping);
        let factor = cholesky(&fisher, classes);
        let solved = g.chunks_exact(classes).flat_map(|row| solve(&factor, classes, row));
        record(logits, total, solved.map(|v| (v / rows as f64) as f32).collect())
    }
}

/// The lower factor of a positive definite matrix; damping keeps its pivots positive.
fn cholesky(a: &[f64], n: usize) -> Vec<f64> {
    let mut l = vec![0.0; n * n];
    for i in 0..n {
        for j in 0..=i {
            let sum = a[i * n + j] - (0..j).map(|k| l[i * n + k] * l[j * n + k]).sum::<f64>();
            l[i * n + j] = if i == j { sum.max(f64::MIN_POSITIVE).sqrt() } else { sum / l[j * n + j] };
        }
    }
    l
}

/// x with L Lᵀ x = b.
fn solve(l: &[f64], n: usize, b: &[f64]) -> Vec<f64> {
    let mut x = b.to_vec();
    for i in 0..n {
        x[i] = (x[i] - (0..i).map(|k| l[i * n + k] * x[k]).sum::<f64>()) / l[i * n + i];
    }
    for i in (0..n).rev() {
        x[i] = (x[i] - (i + 1..n).map(|k| l[k * n + i] * x[k]).sum::<f64>()) / l[i * n + i];
    }
    x
}
