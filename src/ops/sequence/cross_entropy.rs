//! Cross-entropy of many classes, row by row.

use dfdx::prelude::*;

use crate::error::{Error, Result};
use crate::ops::probability::check_labels;
use crate::ops::tensors::device;
use crate::{Dev, Matrix};

/// The cross-entropy of each row's target, −Σ q ln softmax(z), with the share `smoothing` of q spread over all classes alike.
///
/// # Shapes
/// `logits` (rows, classes), a target a row from 0 → (rows, 1).
///
/// # Errors
/// [`Error::Shape`] for a wrong number of targets or one out of range, [`Error::NotFinite`] for NaN or infinite logits,
/// [`Error::Parameter`] for a share outside [0, 1).
///
/// # Example
/// ```
/// use reloss::ops::{host, matrix, token_cross_entropy};
/// let losses = token_cross_entropy(matrix(vec![0.0; 4], 2, 2)?, &[0, 1], 0.1)?;
/// assert!((host(&losses)[0] - 2f32.ln()).abs() < 1e-6);
/// # Ok::<(), reloss::Error>(())
/// ```
pub fn token_cross_entropy<T: Tape<f32, Dev>>(
    logits: Matrix<T>,
    targets: &[usize],
    smoothing: f32,
) -> Result<Matrix<T>> {
    check(&logits, targets, smoothing)?;
    #[cfg(not(feature = "composed"))]
    return fused::cross_entropy(logits, targets, smoothing);
    #[cfg(feature = "composed")]
    composed(logits, targets, smoothing)
}

/// [`token_cross_entropy`] made of dfdx's own operations.
///
/// # Errors
/// As [`token_cross_entropy`].
pub fn token_cross_entropy_composed<T: Tape<f32, Dev>>(
    logits: Matrix<T>,
    targets: &[usize],
    smoothing: f32,
) -> Result<Matrix<T>> {
    check(&logits, targets, smoothing)?;
    composed(logits, targets, smoothing)
}

const NAME: &str = "token_cross_entropy";

fn check<T: Tape<f32, Dev>>(logits: &Matrix<T>, targets: &[usize], smoothing: f32) -> Result<()> {
    if !(0.0..1.0).contains(&smoothing) {
        return Err(Error::parameter("smoothing", format!("{smoothing} is not a share from 0 to below 1")));
    }
    #[cfg(feature = "composed")]
    crate::error::check_finite(NAME, &crate::ops::tensors::host(logits))?;
    check_labels(NAME, *logits.shape(), targets)
}

fn composed<T: Tape<f32, Dev>>(logits: Matrix<T>, targets: &[usize], smoothing: f32) -> Result<Matrix<T>> {
    let rows = logits.shape().0;
    let index = device()?.try_tensor_from_vec(targets.to_vec(), (rows,))?;
    let (log_p, tape) = logits.try_log_softmax::<Axis<1>>()?.split_tape();
    let all = log_p.retaped::<T>().try_mean::<(usize,), Axis<1>>()?.try_mul(smoothing)?;
    let own = log_p.put_tape(tape).try_select(index)?.try_mul(1.0 - smoothing)?;
    Ok(own.try_add(all)?.try_negate()?.try_reshape_like(&(rows, 1))?)
}

#[cfg(not(feature = "composed"))]
mod fused {
    use rayon::prelude::*;

    use super::*;
    use crate::error::check_finite;
    use crate::ops::fast_math::exp;
    use crate::ops::sequence::jet::{restore, take};
    use crate::ops::simd::{vectorised, Kernel};
    use crate::ops::tensors::{contents, matrix};

    pub(super) fn cross_entropy<T: Tape<f32, Dev>>(
        logits: Matrix<T>,
        targets: &[usize],
        smoothing: f32,
    ) -> Result<Matrix<T>> {
        let (logits, mut tape) = logits.try_contiguous()?.split_tape();
        let (rows, classes) = *logits.shape();
        let z = contents(&logits);
        let targets = targets.to_vec();
        // ln Σ exp(z), the maximum taken off and put back.
        let sums: Vec<(f32, f32)> = z.par_chunks_exact(classes).map(|z| vectorised(LogSum { z })).collect();
        // What is not finite in a row leaves its mean so.
        if let Some(row) = sums.iter().position(|(log_sum, mean)| !(log_sum.is_finite() && mean.is_finite()))
        {
            check_finite(NAME, &z)?;
            return Err(Error::NotFinite { op: NAME, index: row * classes });
        }
        let losses =
            z.par_chunks_exact(classes).zip(&targets).zip(&sums).map(|((z, &target), &(log_sum, mean))| {
                log_sum - (1.0 - smoothing) * z[target] - smoothing * mean
            });
        let out = matrix(losses.collect(), rows, 1)?;
        let ghost = out.clone();
        tape.add_backward_op(move |gradients| {
            let on_out = take(gradients, &ghost)?;
            let on_z = gradients.get_or_alloc_mut(&logits)?;
            let given = z.par_chunks_exact(classes).zip(&targets).zip(on_out.par_iter().zip(&sums));
            let spread = smoothing / classes as f32;
            on_z.par_chunks_exact_mut(classes).zip(given).for_each(
                |(on_z, ((z, &target), (&g, &(log_sum, _))))| {
                    // A row that does not count costs nothing.
                    if g != 0.0 {
                        vectorised(Back { z, log_sum, g, spread, on_z: &mut *on_z });
                        on_z[target] -= g * (1.0 - smoothing);
                    }
                },
            );
            restore(gradients, &ghost, on_out)
        });
        Ok(out.put_tape(tape))
    }

    /// ln Σ exp(z) and the mean of a row.
    struct LogSum<'a> {
        z: &'a [f32],
    }

    impl Kernel for LogSum<'_> {
        type Output = (f32, f32);

        #[inline(always)]
        fn run(self) -> (f32, f32) {
            let mut max = [f32::NEG_INFINITY; 16];
            for z in self.z.chunks(16) {
                max.iter_mut().zip(z).for_each(|(max, &z)| *max = if z > *max { z } else { *max });
            }
            let max = max.into_iter().fold(f32::NEG_INFINITY, f32::max);
            let (mut sums, mut totals) = ([0.0; 16], [0.0; 16]);
            for z in self.z.chunks(16) {
                for ((sum, total), &z) in sums.iter_mut().zip(&mut totals).zip(z) {
                    *sum += exp(z - max);
                    *total += z - max;
                }
            }
            let (sum, total): (f32, f32) = (sums.iter().sum(), totals.iter().sum());
            (max + sum.ln(), max + total / self.z.len() as f32)
        }
    }

    /// `on_z += g (softmax(z) − spread)`.
    struct Back<'a> {
        z: &'a [f32],
        log_sum: f32,
        g: f32,
        spread: f32,
        on_z: &'a mut [f32],
    }

    impl Kernel for Back<'_> {
        type Output = ();

        #[inline(always)]
        fn run(self) {
            for (on_z, z) in self.on_z.iter_mut().zip(self.z) {
                *on_z += self.g * (exp(z - self.log_sum) - self.spread);
            }
        }
    }
}
