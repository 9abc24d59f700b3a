//! ROUGE on tokens, as the package rouge-score computes it.

use std::collections::HashMap;
use std::hash::Hash;

use super::bleu::{sorted_grams, times};
use super::stem::stem;
use crate::error::{Error, Result};

/// Precision, recall and their harmonic mean, in \[0, 1\], higher is better; all 0 where a side has nothing to match.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Rouge {
    /// The share of the prediction that is in the target.
    pub precision: f64,
    /// The share of the target that is in the prediction.
    pub recall: f64,
    /// Their harmonic mean.
    pub f1: f64,
}

impl Rouge {
    fn new(hits: f64, prediction: f64, target: f64) -> Self {
        let share = |whole: f64| if whole > 0.0 { hits / whole } else { 0.0 };
        let (precision, recall) = (share(prediction), share(target));
        let sum = precision + recall;
        Self { precision, recall, f1: if sum > 0.0 { 2.0 * precision * recall / sum } else { 0.0 } }
    }

    /// Lower-case runs of letters and digits of any script, each a token; rouge-score's own keeps a–z and 0–9 only
    /// and so drops every other script.
    ///
    /// # Example
    /// ```
    /// use reloss::metric::Rouge;
    /// assert_eq!(Rouge::tokens("Ein Übermut, 3×!"), ["ein", "übermut", "3"]);
    /// assert_eq!(Rouge::ascii_tokens("Ein Übermut, 3×!"), ["ein", "bermut", "3"]);
    /// ```
    pub fn tokens(text: &str) -> Vec<String> {
        runs(text, char::is_alphanumeric)
    }

    /// [`Rouge::ascii_tokens`], those of more than three letters stemmed: rouge-score's `use_stemmer`.
    ///
    /// # Example
    /// ```
    /// assert_eq!(reloss::metric::Rouge::stemmed_tokens("Testing the relational flies"), ["test", "the", "relat", "fli"]);
    /// ```
    pub fn stemmed_tokens(text: &str) -> Vec<String> {
        let stemmed = |token: String| if token.len() > 3 { stem(&token) } else { token };
        Self::ascii_tokens(text).into_iter().map(stemmed).collect()
    }

    /// Lower-case runs of a–z and 0–9, as rouge-score's default tokenizer without stemming.
    pub fn ascii_tokens(text: &str) -> Vec<String> {
        runs(text, |c| c.is_ascii_alphanumeric())
    }
}

fn runs(text: &str, inside: impl Fn(char) -> bool) -> Vec<String> {
    let text = text.to_lowercase();
    text.split(|c| !inside(c)).filter(|token| !token.is_empty()).map(str::to_string).collect()
}

/// ROUGE-N: n-grams in common.
///
/// # Errors
/// [`Error::Parameter`] for an n of 0.
///
/// # Example
/// ```
/// use reloss::metric::{rouge_n, Rouge};
/// let rouge = rouge_n(&Rouge::tokens("testing one two"), &Rouge::tokens("Testing"), 1)?;
/// assert_eq!((rouge.precision, rouge.recall, rouge.f1), (1.0, 1.0 / 3.0, 0.5));
/// # Ok::<(), reloss::Error>(())
/// ```
///
/// # Reference
/// Lin, "ROUGE: a package for automatic evaluation of summaries", 2004.
pub fn rouge_n<T: Eq + Hash>(target: &[T], prediction: &[T], n: usize) -> Result<Rouge> {
    if n == 0 {
        return Err(Error::parameter("n", "n-grams have one token or more"));
    }
    let [target_ids, prediction_ids] = identified(target, prediction);
    let in_prediction = sorted_grams(&prediction_ids, n);
    let in_target = sorted_grams(&target_ids, n);
    let runs = in_target.chunk_by(|a, b| a == b);
    let hits: usize = runs.map(|run| run.len().min(times(run[0], &in_prediction))).sum();
    let total = |tokens: &[T]| (tokens.len() + 1).saturating_sub(n) as f64;
    Ok(Rouge::new(hits as f64, total(prediction), total(target)))
}

/// Both sides by number, equal tokens alike.
fn identified<T: Eq + Hash>(target: &[T], prediction: &[T]) -> [Vec<u32>; 2] {
    let mut numbers: HashMap<&T, u32> = HashMap::with_capacity(target.len() + prediction.len());
    let mut number = |token| {
        let next = numbers.len() as u32;
        *numbers.entry(token).or_insert(next)
    };
    [target.iter().map(&mut number).collect(), prediction.iter().map(&mut number).collect()]
}

/// ROUGE-L: the longest common subsequence.
///
/// # Example
/// ```
/// use reloss::metric::{rouge_l, Rouge};
/// let rouge = rouge_l(&Rouge::tokens("testing one two"), &Rouge::tokens("testing two"));
/// assert_eq!((rouge.precision, rouge.recall), (1.0, 2.0 / 3.0));
/// ```
///
/// # Reference
/// As [`rouge_n`].
pub fn rouge_l<T: Eq + Hash>(target: &[T], prediction: &[T]) -> Rouge {
    let [target, prediction] = identified(target, prediction);
    let common = common_subsequence(&target, &prediction);
    Rouge::new(common as f64, prediction.len() as f64, target.len() as f64)
}

/// The length of the longest common subsequence.
pub(super) fn common_subsequence<T: Eq>(target: &[T], prediction: &[T]) -> usize {
    let mut lengths = vec![0_u32; prediction.len() + 1];
    for t in target {
        let mut diagonal = 0;
        for (j, p) in prediction.iter().enumerate() {
            let above = lengths[j + 1];
            lengths[j + 1] = if t == p { diagonal + 1 } else { above.max(lengths[j]) };
            diagonal = above;
        }
    }
    lengths[prediction.len()] as usize
}

/// ROUGE-Lsum: of every sentence of the target, what its longest common subsequences with the prediction's sentences
/// cover together; a token counts at most as often as either side has it.
///
/// # Example
/// ```
/// use reloss::metric::{rouge_l_sum, Rouge};
/// let sentences = |text: &str| text.lines().map(Rouge::tokens).collect::<Vec<_>>();
/// let rouge = rouge_l_sum(&sentences("w1 w2 w3 w4 w5"), &sentences("w1 w2 w6 w7 w8\nw1 w3 w8 w9 w5"));
/// assert_eq!((rouge.precision, rouge.recall), (0.4, 0.8));
/// ```
///
/// # Reference
/// Lin 2004, section 3.2, with rouge-score's clipping of counts.
pub fn rouge_l_sum<T: Eq + Hash>(target: &[Vec<T>], prediction: &[Vec<T>]) -> Rouge {
    let mut left: [HashMap<&T, i64>; 2] = [HashMap::new(), HashMap::new()];
    for (side, counts) in [target, prediction].into_iter().zip(&mut left) {
        side.iter().flatten().for_each(|token| *counts.entry(token).or_default() += 1);
    }
    let mut hits = 0.0;
    for sentence in target {
        let mut covered = vec![false; sentence.len()];
        for other in prediction {
            subsequence(sentence, other).into_iter().for_each(|i| covered[i] = true);
        }
        for token in sentence.iter().zip(covered).filter(|(_, covered)| *covered).map(|(token, _)| token) {
            let has = |counts: &HashMap<&T, i64>| counts.get(token).is_some_and(|&count| count > 0);
            if left.iter().all(has) {
                hits += 1.0;
                left.iter_mut().for_each(|counts| *counts.entry(token).or_default() -= 1);
            }
        }
    }
    let total = |side: &[Vec<T>]| side.iter().map(Vec::len).sum::<usize>() as f64;
    Rouge::new(hits, total(prediction), total(target))
}

/// Places, in `a`, of a longest common subsequence; of several the one rouge-score finds.
fn subsequence<T: Eq>(a: &[T], b: &[T]) -> Vec<usize> {
    let width = b.len() + 1;
    let mut lengths = vec![0_u32; (a.len() + 1) * width];
    for i in 1..=a.len() {
        for j in 1..=b.len() {
            lengths[i * width + j] = if a[i - 1] == b[j - 1] {
                lengths[(i - 1) * width + j - 1] + 1
            } else {
                lengths[(i - 1) * width + j].max(lengths[i * width + j - 1])
            };
        }
    }
    let (mut i, mut j, mut places) = (a.len(), b.len(), Vec::new());
    while i > 0 && j > 0 {
        if a[i - 1] == b[j - 1] {
            places.push(i - 1);
            (i, j) = (i - 1, j - 1);
        } else if lengths[i * width + j - 1] > lengths[(i - 1) * width + j] {
            j -= 1;
        } else {
            i -= 1;
        }
    }
    places
}
