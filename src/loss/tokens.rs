//! Losses of translations, from a row of logits for every token of the references.

use std::collections::BTreeMap;

use dfdx::prelude::*;

use super::Loss;
use crate::error::Result;
use crate::ops::{check_batch, device, expected_ngrams, matrix, scalar, token_cross_entropy, Tokens};
use crate::{Matrix, Scalar, Tape};

/// The value of a loss on logits of (tokens, vocabulary), row-major, without gradients.
///
/// # Errors
/// As [`Loss::loss`].
///
/// # Example
/// See [`TokenCrossEntropy`].
pub fn token_loss(loss: &dyn Loss<Tokens>, logits: Vec<f32>, targets: &Tokens) -> Result<f64> {
    let (rows, len) = (targets.ids().len(), logits.len());
    let logits = matrix(logits, rows, len / rows.max(1))?;
    Ok(f64::from(scalar(&loss.loss(logits.leaky_traced(), targets)?)))
}

/// Cross-entropy of every reference token, mean over the tokens of all sentences.
///
/// # Example
/// ```
/// use reloss::loss::{token_loss, TokenCrossEntropy};
/// use reloss::ops::Tokens;
/// let targets = Tokens::new(&[vec![0, 1], vec![1]])?;
/// let even = token_loss(&TokenCrossEntropy::default(), vec![0.0; 3 * 2], &targets)?;
/// assert!((even - 2f64.ln()).abs() < 1e-6);
/// # Ok::<(), reloss::Error>(())
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct TokenCrossEntropy {
    /// This share of each target goes to the whole vocabulary alike, in [0, 1); 0 is plain cross-entropy, 0.1 usual in
    /// translation (Vaswani et al. 2017).
    pub smoothing: f32,
}

impl Loss<Tokens> for TokenCrossEntropy {
    fn name(&self) -> String {
        match self.smoothing > 0.0 {
            true => "cross_entropy_smoothed",
            false => "cross_entropy",
        }
        .to_string()
    }

    fn loss(&self, logits: Matrix<Tape>, targets: &Tokens) -> Result<Scalar<Tape>> {
        Ok(token_cross_entropy(logits, targets.ids(), self.smoothing)?.try_mean()?)
    }
}

/// The difference of bags of 2-grams, expected and in the reference, from 0 (the same) to 1: "BoN-L1, N = 2".
///
/// For a sentence of T tokens 1 − Σ_g min(expected count, reference count) / (T − 1), which is their L1 distance over
/// 2 (T − 1); mean over the sentences of two tokens or more. Sentences of one token have no 2-grams and cost nothing.
///
/// # Example
/// ```
/// use reloss::loss::{token_loss, BagOfNgrams};
/// use reloss::ops::Tokens;
/// // Even coins: the one 2-gram of the reference is expected 1/4 times.
/// let loss = token_loss(&BagOfNgrams, vec![0.0; 4], &Tokens::new(&[vec![0, 1]])?)?;
/// assert!((loss - 0.75).abs() < 1e-6);
/// # Ok::<(), reloss::Error>(())
/// ```
///
/// # Reference
/// Shao et al., "Minimizing the Bag-of-Ngrams Difference for Non-Autoregressive Neural Machine Translation", AAAI 2020, eqs.
/// 10–14.
#[derive(Debug, Clone, Copy, Default)]
pub struct BagOfNgrams;

impl Loss<Tokens> for BagOfNgrams {
    fn name(&self) -> String {
        "bag_of_ngrams".to_string()
    }

    fn loss(&self, logits: Matrix<Tape>, targets: &Tokens) -> Result<Scalar<Tape>> {
        check_batch("bag_of_ngrams", &logits, targets.ids())?;
        let bags: Vec<_> = targets.sentences().map(bag).collect();
        let sentences = bags.iter().filter(|bag| !bag.is_empty()).count();
        if sentences == 0 {
            return Ok(logits.try_sum()?.try_mul(0.0)?);
        }
        let ngrams: Vec<Vec<_>> = bags.iter().map(|bag| bag.keys().copied().collect()).collect();
        let counts: Vec<f32> = bags.iter().flat_map(|bag| bag.values().copied()).collect();
        let share = |bag: &BTreeMap<_, f32>| (bag.values().sum::<f32>() * sentences as f32).recip();
        let shares = bags.iter().flat_map(|bag| std::iter::repeat_n(share(bag), bag.len())).collect();
        let column = |values: Vec<f32>| -> Result<Matrix> {
            let rows = values.len();
            Ok(device()?.try_tensor_from_vec(values, (rows, 1))?)
        };
        let expected = expected_ngrams(logits, targets.rows(), &ngrams)?;
        // min(e, c) = e − max(e − c, 0)
        let (expected, tape) = expected.split_tape();
        let above = expected.retaped::<Tape>().try_sub(column(counts)?)?.try_relu()?;
        let matched = expected.put_tape(tape).try_sub(above)?.try_mul(column(shares)?)?;
        Ok(matched.try_sum()?.try_negate()?.try_add(1.0)?)
    }
}

/// How often each 2-gram occurs in a sentence.
fn bag(ids: &[usize]) -> BTreeMap<(usize, usize), f32> {
    let mut bag = BTreeMap::new();
    for pair in ids.windows(2) {
        *bag.entry((pair[0], pair[1])).or_insert(0.0) += 1.0;
    }
    bag
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bags_count_repeats() {
        let found: Vec<_> = bag(&[1, 1, 1, 2]).into_iter().collect();
        assert_eq!(found, [((1, 1), 2.0), ((1, 2), 1.0)]);
        assert!(bag(&[7]).is_empty());
    }
}
