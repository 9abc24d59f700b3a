//! The mean of each sentence's rows.

use dfdx::prelude::*;

use super::jet::Jet;
use super::rows::Sequences;
use crate::error::Result;
use crate::ops::tensors::device;
use crate::{Dev, Matrix};

/// The mean of each sentence's rows; 0 for a sentence without any.
///
/// # Shapes
/// `x` (rows of the sentences, width) → (sentences, width).
///
/// # Errors
/// [`Error::Shape`](crate::Error::Shape) for another number of rows.
///
/// # Example
/// ```
/// use reloss::ops::{host, matrix, sequence_mean, Sequences};
/// let rows = Sequences::padded(vec![2, 1], 2)?;
/// let x = matrix(vec![1.0, 3.0, 5.0, 99.0], 4, 1)?;
/// assert_eq!(host(&sequence_mean(x, &rows)?), [2.0, 5.0]);
/// # Ok::<(), reloss::Error>(())
/// ```
pub fn sequence_mean<T: Tape<f32, Dev>>(x: Matrix<T>, sequences: &Sequences) -> Result<Matrix<T>> {
    sequences.check("sequence_mean", x.shape().0)?;
    #[cfg(not(feature = "composed"))]
    return fused(x, sequences);
    #[cfg(feature = "composed")]
    sequence_mean_composed(x, sequences)
}

/// [`sequence_mean`] made of dfdx's own operations.
///
/// # Errors
/// As [`sequence_mean`].
pub fn sequence_mean_composed<T: Tape<f32, Dev>>(x: Matrix<T>, sequences: &Sequences) -> Result<Matrix<T>> {
    sequences.check("sequence_mean", x.shape().0)?;
    let shape = (sequences.len(), x.shape().1);
    let sums: Matrix<T> = super::attention::pad(x, sequences)?.try_sum::<(usize, usize), Axis<1>>()?;
    let shares = device()?.try_tensor_from_vec(shares(sequences), (shape.0,))?;
    Ok(sums.try_mul(shares.try_broadcast_like::<_, Axis<1>>(&shape)?)?)
}

/// [`sequence_mean`] of value and tangent.
pub(crate) fn mean_with_tangent<T: Tape<f32, Dev>>(x: Jet<T>, sequences: &Sequences) -> Result<Jet<T>> {
    x.each(|x| sequence_mean(x, sequences))
}

/// 1 / length.
fn shares(sequences: &Sequences) -> Vec<f32> {
    sequences.lengths().iter().map(|&length| (length.max(1) as f32).recip()).collect()
}

#[cfg(not(feature = "composed"))]
fn fused<T: Tape<f32, Dev>>(x: Matrix<T>, sequences: &Sequences) -> Result<Matrix<T>> {
    use crate::ops::tensors::{contents, matrix};

    let (x, mut tape) = x.try_contiguous()?.split_tape();
    let width = x.shape().1;
    let (values, shares) = (contents(&x), shares(sequences));
    let mut means = vec![0.0; sequences.len() * width];
    for ((range, mean), share) in sequences.ranges().zip(means.chunks_exact_mut(width)).zip(&shares) {
        for row in values[range.start * width..range.end * width].chunks_exact(width) {
            mean.iter_mut().zip(row).for_each(|(mean, x)| *mean += x * share);
        }
    }
    let out = matrix(means, sequences.len(), width)?;
    let (ghost, sequences) = (out.clone(), sequences.clone());
    tape.add_backward_op(move |gradients| {
        let on_out = super::jet::take(gradients, &ghost)?;
        let on_x = gradients.get_or_alloc_mut(&x)?;
        for ((range, g), share) in sequences.ranges().zip(on_out.chunks_exact(width)).zip(&shares) {
            for row in on_x[range.start * width..range.end * width].chunks_exact_mut(width) {
                row.iter_mut().zip(g).for_each(|(x, g)| *x += g * share);
            }
        }
        super::jet::restore(gradients, &ghost, on_out)
    });
    Ok(out.put_tape(tape))
}
