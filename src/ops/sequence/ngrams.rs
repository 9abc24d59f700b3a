//! How often a bag of 2-grams is expected of tokens that are predicted independently.

use dfdx::prelude::*;

use super::rows::Sequences;
use crate::error::{Error, Result};
use crate::ops::tensors::device;
use crate::{Dev, Matrix};

/// The expected count of 2-grams, Σ_t p_t(a) p_{t+1}(b), where each row's token is drawn from its softmax by itself.
///
/// # Shapes
/// `logits` (rows of the sentences, classes); for each sentence a list of 2-grams (a, b), tokens from 0 → (2-grams of all
/// sentences, 1).
///
/// # Errors
/// [`Error::Shape`] for rows or lists that do not fit the sentences and for a token out of range.
///
/// # Example
/// ```
/// use reloss::ops::{expected_ngrams, host, matrix, Sequences};
/// // Three even coins: "0 1" is expected at two places with probability 1/4 each.
/// let rows = Sequences::packed(vec![3]);
/// let counts = expected_ngrams(matrix(vec![0.0; 6], 3, 2)?, &rows, &[vec![(0, 1)]])?;
/// assert!((host(&counts)[0] - 0.5).abs() < 1e-6);
/// # Ok::<(), reloss::Error>(())
/// ```
///
/// # Reference
/// Shao et al., "Minimizing the Bag-of-Ngrams Difference for Non-Autoregressive Neural Machine Translation", AAAI 2020, eq. 10
/// with N = 2.
pub fn expected_ngrams<T: Tape<f32, Dev>>(
    logits: Matrix<T>,
    sequences: &Sequences,
    ngrams: &[Vec<(usize, usize)>],
) -> Result<Matrix<T>> {
    check(&logits, sequences, ngrams)?;
    #[cfg(not(feature = "composed"))]
    return fused::expected(logits, sequences, ngrams);
    #[cfg(feature = "composed")]
    composed(logits, sequences, ngrams)
}

/// [`expected_ngrams`] made of dfdx's own operations.
///
/// # Errors
/// As [`expected_ngrams`].
pub fn expected_ngrams_composed<T: Tape<f32, Dev>>(
    logits: Matrix<T>,
    sequences: &Sequences,
    ngrams: &[Vec<(usize, usize)>],
) -> Result<Matrix<T>> {
    check(&logits, sequences, ngrams)?;
    composed(logits, sequences, ngrams)
}

fn check<T: Tape<f32, Dev>>(
    logits: &Matrix<T>,
    sequences: &Sequences,
    ngrams: &[Vec<(usize, usize)>],
) -> Result<()> {
    const NAME: &str = "expected_ngrams";
    let &(rows, classes) = logits.shape();
    sequences.check(NAME, rows)?;
    if ngrams.len() != sequences.len() {
        return Err(Error::shape(NAME, format!("lists of {} sentences", sequences.len()), ngrams.len()));
    }
    match ngrams.iter().flatten().find(|&&(a, b)| a >= classes || b >= classes) {
        Some(ngram) => Err(Error::shape(NAME, format!("tokens below {classes}"), format!("{ngram:?}"))),
        None => Ok(()),
    }
}

fn composed<T: Tape<f32, Dev>>(
    logits: Matrix<T>,
    sequences: &Sequences,
    ngrams: &[Vec<(usize, usize)>],
) -> Result<Matrix<T>> {
    let &(rows, classes) = logits.shape();
    let count = ngrams.iter().map(Vec::len).sum::<usize>();
    let places = sequences.longest().saturating_sub(1).max(1);
    // One row of places a 2-gram; places that a shorter sentence has not are those of the first number, times 0.
    let (mut first, mut second, mut real) = (Vec::new(), Vec::new(), Vec::new());
    for (range, ngrams) in sequences.ranges().zip(ngrams) {
        for &(a, b) in ngrams {
            for t in 0..places {
                let is = t + 1 < range.len();
                let at = |t: usize, token: usize| if is { (range.start + t) * classes + token } else { 0 };
                first.push(at(t, a));
                second.push(at(t + 1, b));
                real.push(if is { 1.0 } else { 0.0 });
            }
        }
    }
    let shape = (count, places);
    let p = logits.try_softmax::<Axis<1>>()?.try_reshape_like(&(rows * classes,))?;
    let pick = |p: Tensor<(usize,), f32, Dev, T>, index: Vec<usize>| -> Result<Matrix<T>> {
        let picked: Tensor<(usize,), f32, Dev, T> =
            p.try_gather(device()?.try_tensor_from_vec(index, (count * places,))?)?;
        Ok(picked.try_reshape_like(&shape)?)
    };
    let (p, tape) = p.split_tape();
    let second = pick(p.retaped::<T>(), second)?;
    let product = pick(p.put_tape(tape), first)?.try_mul(second)?;
    let product = product.try_mul(device()?.try_tensor_from_vec(real, shape)?)?;
    Ok(product.try_sum::<(usize,), Axis<1>>()?.try_reshape_like(&(count, 1))?)
}

#[cfg(not(feature = "composed"))]
mod fused {
    use std::ops::Range;

    use rayon::prelude::*;

    use super::*;
    use crate::ops::log_odds::softmax;
    use crate::ops::sequence::jet::{restore, take};
    use crate::ops::simd::vectorised;
    use crate::ops::tensors::{contents, matrix};

    pub(super) fn expected<T: Tape<f32, Dev>>(
        logits: Matrix<T>,
        sequences: &Sequences,
        ngrams: &[Vec<(usize, usize)>],
    ) -> Result<Matrix<T>> {
        let (logits, mut tape) = logits.try_contiguous()?.split_tape();
        let classes = logits.shape().1;
        let mut p = contents(&logits);
        p.par_chunks_exact_mut(classes).for_each(|row| vectorised(|| softmax(row, 1.0)));
        let sentences: Vec<_> = sequences.ranges().zip(ngrams.to_vec()).collect();
        let counts = sentences.par_iter().flat_map_iter(|(range, ngrams)| {
            let count = |&(a, b): &(usize, usize)| {
                pairs(range).map(|(t, u)| p[t * classes + a] * p[u * classes + b]).sum()
            };
            ngrams.iter().map(count).collect::<Vec<f32>>()
        });
        let counts: Vec<f32> = counts.collect();
        let out = matrix(counts.clone(), counts.len(), 1)?;
        let ghost = out.clone();
        tape.add_backward_op(move |gradients| {
            let on_out = take(gradients, &ghost)?;
            let on_z = gradients.get_or_alloc_mut(&logits)?;
            let mut rest = on_out.as_slice();
            for (range, ngrams) in &sentences {
                let (here, after) = rest.split_at(ngrams.len());
                rest = after;
                backward(&p, classes, range, ngrams, here, on_z);
            }
            restore(gradients, &ghost, on_out)
        });
        Ok(out.put_tape(tape))
    }

    /// Rows of tokens that follow each other.
    fn pairs(range: &Range<usize>) -> impl Iterator<Item = (usize, usize)> {
        range.clone().zip(range.clone().skip(1))
    }

    /// One sentence: the gradient at a row's logits is p (g − Σ p g) where g, at its probabilities, is 0 but for few tokens.
    fn backward(
        p: &[f32],
        classes: usize,
        range: &Range<usize>,
        ngrams: &[(usize, usize)],
        on_counts: &[f32],
        on_z: &mut [f32],
    ) {
        let mut sums = vec![0.0; range.len()];
        for (&(a, b), &g) in ngrams.iter().zip(on_counts) {
            for (t, u) in pairs(range) {
                let both = g * p[t * classes + a] * p[u * classes + b];
                for (row, token) in [(t, a), (u, b)] {
                    on_z[row * classes + token] += both;
                    sums[row - range.start] += both;
                }
            }
        }
        let rows = range.start * classes..range.end * classes;
        let rows = on_z[rows.clone()].par_chunks_exact_mut(classes).zip(p[rows].par_chunks_exact(classes));
        rows.zip(sums).for_each(|((on_z, p), sum)| {
            vectorised(|| on_z.iter_mut().zip(p).for_each(|(on_z, p)| *on_z -= p * sum));
        });
    }
}
