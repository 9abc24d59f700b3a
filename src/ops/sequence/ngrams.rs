//! How much of a reference's n-grams is expected of tokens that are predicted independently.

use std::collections::BTreeMap;

use dfdx::prelude::*;

use super::rows::Tokens;
use crate::error::{Error, Result};
use crate::ops::probability::check_batch;
use crate::ops::tensors::{device, matrix};
use crate::{Dev, Matrix};

/// The share of each reference's n-grams that is expected to be matched, Σ_g min(E count(g), reference count(g)) / n-grams,
/// where each row's token is drawn from its softmax by itself: E count(g) = Σ_t p_t(g₁) p_{t+1}(g₂) ….
///
/// Of a sentence shorter than n it is the share of the one n-gram it has, itself.
///
/// # Shapes
/// `logits` (tokens, classes), a row for every token of the references; orders n from 1 → (sentences, orders), in [0, 1].
///
/// # Errors
/// [`Error::Shape`] for rows that do not fit the tokens, and for a token out of range, [`Error::NotFinite`] for NaN or infinite
/// logits, [`Error::Parameter`] for no orders or one of zero.
///
/// # Example
/// ```
/// use reloss::ops::{host, matrix, ngram_matches, Tokens};
/// // Three even coins for "0 1 1": the 2-grams 01 and 11 are expected at two places with probability 1/4 each.
/// let shares = ngram_matches(matrix(vec![0.0; 6], 3, 2)?, &Tokens::new(&[vec![0, 1, 1]])?, &[2])?;
/// assert!((host(&shares)[0] - 0.5).abs() < 1e-6);
/// # Ok::<(), reloss::Error>(())
/// ```
///
/// # Reference
/// Shao et al., "Minimizing the Bag-of-Ngrams Difference for Non-Autoregressive Neural Machine Translation", AAAI 2020, eqs.
/// 10–14, for any n.
pub fn ngram_matches<T: Tape<f32, Dev>>(
    logits: Matrix<T>,
    references: &Tokens,
    orders: &[usize],
) -> Result<Matrix<T>> {
    check(&logits, references, orders)?;
    #[cfg(not(feature = "composed"))]
    return fused::matches(logits, references, orders);
    #[cfg(feature = "composed")]
    composed(logits, references, orders)
}

/// [`ngram_matches`] made of dfdx's own operations.
///
/// # Errors
/// As [`ngram_matches`].
pub fn ngram_matches_composed<T: Tape<f32, Dev>>(
    logits: Matrix<T>,
    references: &Tokens,
    orders: &[usize],
) -> Result<Matrix<T>> {
    check(&logits, references, orders)?;
    composed(logits, references, orders)
}

fn check<T: Tape<f32, Dev>>(logits: &Matrix<T>, references: &Tokens, orders: &[usize]) -> Result<()> {
    if orders.is_empty() || orders.contains(&0) {
        return Err(Error::parameter("orders", format!("{orders:?}: one or more, each from 1")));
    }
    check_batch("ngram_matches", logits, references.ids())
}

/// A sentence's different n-grams: the place of the first of each, and how many there are.
fn bag(ids: &[usize], order: usize) -> Vec<(usize, f32)> {
    let mut bag = BTreeMap::new();
    for (place, ngram) in ids.windows(order).enumerate() {
        bag.entry(ngram).or_insert((place, 0.0)).1 += 1.0;
    }
    bag.into_values().collect()
}

/// The order that a sentence of so many tokens has n-grams of.
fn within(order: usize, length: usize) -> usize {
    order.min(length)
}

/// What a model gives, at each of a reference's positions (rows), to each of its tokens (columns): all that its expected
/// n-grams depend on.
pub(crate) struct Given<'a> {
    pub(crate) ids: &'a [usize],
    /// Probabilities, (tokens, tokens), row-major.
    pub(crate) p: &'a [f32],
}

impl Given<'_> {
    /// The probability of the n-gram that begins at `place` in the reference where it begins at `at` in what is written.
    fn at(&self, at: usize, place: usize, order: usize) -> f32 {
        let tokens = self.ids.len();
        (0..order).map(|k| self.p[(at + k) * tokens + place + k]).product()
    }

    /// Where n-grams may begin.
    fn places(&self, order: usize) -> usize {
        self.ids.len() - order + 1
    }

    fn expected(&self, place: usize, order: usize) -> f32 {
        (0..self.places(order)).map(|at| self.at(at, place, order)).sum()
    }

    /// The share of n-grams that is matched.
    pub(crate) fn share(&self, order: usize) -> f32 {
        let order = within(order, self.ids.len());
        let matched = |(place, count): (usize, f32)| self.expected(place, order).min(count);
        bag(self.ids, order).into_iter().map(matched).sum::<f32>() / self.places(order) as f32
    }

    /// Adds to the gradient at the probabilities' logarithms what the gradient at a share makes of it.
    #[cfg(not(feature = "composed"))]
    fn back(&self, order: usize, on_share: f32, on_logs: &mut [f32]) {
        let (tokens, order) = (self.ids.len(), within(order, self.ids.len()));
        let each = on_share / self.places(order) as f32;
        for (place, count) in bag(self.ids, order) {
            if self.expected(place, order) > count {
                continue;
            }
            for at in 0..self.places(order) {
                let on_all = each * self.at(at, place, order);
                (0..order).for_each(|k| on_logs[(at + k) * tokens + place + k] += on_all);
            }
        }
    }
}

fn composed<T: Tape<f32, Dev>>(
    logits: Matrix<T>,
    references: &Tokens,
    orders: &[usize],
) -> Result<Matrix<T>> {
    let &(rows, classes) = logits.shape();
    let longest = references.rows().longest();
    let (groups, most) = (references.rows().len() * orders.len(), orders.iter().copied().max().unwrap_or(0));
    // One row of places for each n-gram, as many n-grams for each sentence and order: what there is not counts nothing.
    let count = groups * longest;
    let factors = within(most, longest);
    let mut index = vec![vec![0; count * longest]; factors];
    let mut empty = vec![vec![1.0; count * longest]; factors];
    let (mut real, mut counts, mut shares) = (vec![0.0; count * longest], vec![0.0; count], vec![0.0; count]);
    let sentences = references.rows().ranges().zip(references.sentences());
    let of_orders = sentences.flat_map(|sentence| orders.iter().map(move |&order| (sentence.clone(), order)));
    for (group, ((range, ids), order)) in of_orders.enumerate() {
        let order = within(order, ids.len());
        let places = ids.len() - order + 1;
        for (ngram, (place, times)) in bag(ids, order).into_iter().enumerate() {
            let row = group * longest + ngram;
            (counts[row], shares[row]) = (times, (places as f32).recip());
            for at in 0..places {
                real[row * longest + at] = 1.0;
                for k in 0..order {
                    index[k][row * longest + at] = (range.start + at + k) * classes + ids[place + k];
                    empty[k][row * longest + at] = 0.0;
                }
            }
        }
    }
    let shape = (count, longest);
    let p = logits.try_softmax::<Axis<1>>()?.try_reshape_like(&(rows * classes,))?;
    let (p, tape) = p.split_tape();
    let mut product: Matrix<T> = matrix(real, count, longest)?.put_tape(tape);
    for (index, empty) in index.into_iter().zip(empty) {
        let index = device()?.try_tensor_from_vec(index, (count * longest,))?;
        let factor: Tensor<(usize,), f32, Dev, T> = p.retaped::<T>().try_gather(index)?;
        let there = matrix(empty.iter().map(|empty| 1.0 - empty).collect(), count, longest)?;
        let factor =
            factor.try_reshape_like(&shape)?.try_mul(there)?.try_add(matrix(empty, count, longest)?)?;
        product = product.try_mul(factor)?;
    }
    let expected: Matrix<T> = product.try_sum::<(usize,), Axis<1>>()?.try_reshape_like(&(count, 1))?;
    // min(e, c) = e − max(e − c, 0)
    let (expected, tape) = expected.split_tape();
    let above = expected.retaped::<T>().try_sub(matrix(counts, count, 1)?)?.try_relu()?;
    let matched = expected.put_tape(tape).try_sub(above)?.try_mul(matrix(shares, count, 1)?)?;
    let sums = matched.try_reshape_like(&(groups, longest))?.try_sum::<(usize,), Axis<1>>()?;
    Ok(sums.try_reshape_like(&(references.rows().len(), orders.len()))?)
}

#[cfg(not(feature = "composed"))]
mod fused {
    use std::ops::Range;

    use rayon::prelude::*;

    use super::*;
    use crate::ops::log_odds::softmax;
    use crate::ops::sequence::jet::{restore, take};
    use crate::ops::simd::vectorised;
    use crate::ops::tensors::contents;

    pub(super) fn matches<T: Tape<f32, Dev>>(
        logits: Matrix<T>,
        references: &Tokens,
        orders: &[usize],
    ) -> Result<Matrix<T>> {
        let (logits, mut tape) = logits.try_contiguous()?.split_tape();
        let classes = logits.shape().1;
        let mut p = contents(&logits);
        p.par_chunks_exact_mut(classes).for_each(|row| vectorised(|| softmax(row, 1.0)));
        let one = |(range, ids): (Range<usize>, &[usize])| {
            let given = range.clone().flat_map(|t| ids.iter().map(move |&id| t * classes + id));
            (range, ids.to_vec(), given.map(|at| p[at]).collect::<Vec<f32>>())
        };
        let sentences: Vec<_> = references.rows().ranges().zip(references.sentences()).map(one).collect();
        let orders = orders.to_vec();
        let shares = sentences.par_iter().flat_map_iter(|(_, ids, p)| {
            let given = Given { ids, p };
            orders.iter().map(|&order| given.share(order)).collect::<Vec<f32>>()
        });
        let out = matrix(shares.collect(), sentences.len(), orders.len())?;
        let ghost = out.clone();
        tape.add_backward_op(move |gradients| {
            let on_out = take(gradients, &ghost)?;
            let on_z = gradients.get_or_alloc_mut(&logits)?;
            for ((range, ids, given), on_shares) in sentences.iter().zip(on_out.chunks_exact(orders.len())) {
                let given = Given { ids, p: given };
                let mut on_logs = vec![0.0; ids.len() * ids.len()];
                for (&order, &on_share) in orders.iter().zip(on_shares) {
                    given.back(order, on_share, &mut on_logs);
                }
                let rows = range.start * classes..range.end * classes;
                let rows =
                    on_z[rows.clone()].par_chunks_exact_mut(classes).zip(p[rows].par_chunks_exact(classes));
                rows.zip(on_logs.par_chunks_exact(ids.len())).for_each(|((on_z, p), on_logs)| {
                    vectorised(|| through_softmax(p, ids, on_logs, on_z));
                });
            }
            restore(gradients, &ghost, on_out)
        });
        Ok(out.put_tape(tape))
    }

    /// One row: the gradient at logits of gradients at the logarithms of some tokens' probabilities.
    fn through_softmax(p: &[f32], ids: &[usize], on_logs: &[f32], on_z: &mut [f32]) {
        let sum: f32 = on_logs.iter().sum();
        on_z.iter_mut().zip(p).for_each(|(on_z, p)| *on_z -= p * sum);
        ids.iter().zip(on_logs).for_each(|(&id, on_log)| on_z[id] += on_log);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bags_count_repeats() {
        assert_eq!(bag(&[1, 1, 1, 2], 2), [(0, 2.0), (2, 1.0)]);
        assert_eq!(bag(&[1, 1, 1, 2], 4), [(0, 1.0)]);
        assert!(bag(&[7], 2).is_empty());
    }
}
