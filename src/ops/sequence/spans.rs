//! Spans of passages: where a model looks for an answer, and where the right one is.

use dfdx::prelude::*;

use super::rows::Sequences;
use crate::error::{check_finite, Error, Result};
use crate::ops::tensors::{device, host, matrix};
use crate::{Dev, Matrix};

/// The right answers of passages (or windows of them): of each the first and the last token, counted from 0.
///
/// # Example
/// ```
/// use reloss::ops::Spans;
/// // Passages of five and of three tokens.
/// let spans = Spans::new(vec![5, 3], vec![(1, 2), (0, 0)])?;
/// assert_eq!((spans.rows().rows(), spans.gold()[0]), (8, (1, 2)));
/// assert!(Spans::new(vec![3], vec![(2, 3)]).is_err());
/// # Ok::<(), reloss::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spans {
    pub(super) rows: Sequences,
    pub(super) gold: Vec<(usize, usize)>,
}

impl Spans {
    /// Passages of these lengths, packed, with an answer each.
    ///
    /// # Errors
    /// [`Error::Shape`] for no passages, another number of answers, and an answer that is empty or leaves its passage.
    pub fn new(lengths: Vec<usize>, gold: Vec<(usize, usize)>) -> Result<Self> {
        if lengths.is_empty() || lengths.len() != gold.len() {
            let expected = format!("an answer for each of {} passages, one or more", lengths.len());
            return Err(Error::shape("spans", expected, gold.len()));
        }
        let wrong = |(&length, &(first, last)): (&usize, &(usize, usize))| first > last || last >= length;
        if let Some(passage) = lengths.iter().zip(&gold).position(wrong) {
            let expected = format!("a span of {} tokens in passage {passage}", lengths[passage]);
            return Err(Error::shape("spans", expected, format!("{:?}", gold[passage])));
        }
        Ok(Self { rows: Sequences::packed(lengths), gold })
    }

    /// Which tokens are whose: one row a token, packed.
    pub fn rows(&self) -> &Sequences {
        &self.rows
    }

    /// First and last token of each answer.
    pub fn gold(&self) -> &[(usize, usize)] {
        &self.gold
    }
}

pub(super) fn check_shape(name: &'static str, shape: (usize, usize), rows: &Sequences) -> Result<()> {
    rows.check(name, shape.0)?;
    match shape.1 == 2 {
        true => Ok(()),
        false => Err(Error::shape(name, "two columns, starts and ends", shape.1)),
    }
}

/// The cross-entropy of each passage's answer: the mean of its start's and its end's, each among all tokens.
///
/// # Shapes
/// `logits` (tokens, 2), starts and ends → (passages, 1).
///
/// # Errors
/// [`Error::Shape`] for another number of rows or columns, [`Error::NotFinite`] for NaN or infinite logits.
///
/// # Example
/// ```
/// use reloss::ops::{host, matrix, span_cross_entropy, Spans};
/// let spans = Spans::new(vec![2, 4], vec![(0, 1), (2, 2)])?;
/// let losses = host(&span_cross_entropy(matrix(vec![0.0; 12], 6, 2)?, &spans)?);
/// assert!((losses[0] - 2f32.ln()).abs() < 1e-6 && (losses[1] - 4f32.ln()).abs() < 1e-6);
/// # Ok::<(), reloss::Error>(())
/// ```
pub fn span_cross_entropy<T: Tape<f32, Dev>>(logits: Matrix<T>, spans: &Spans) -> Result<Matrix<T>> {
    const NAME: &str = "span_cross_entropy";
    check_shape(NAME, *logits.shape(), &spans.rows)?;
    check_finite(NAME, &host(&logits))?;
    let (passages, longest) = (spans.rows.len(), spans.rows.longest());
    let (places, real) = spans.rows.places(longest);
    let index = device()?.try_tensor_from_vec(places, (passages * longest,))?;
    let padded: Matrix<T> = logits.try_gather(index)?;
    // What is no token weighs nothing: (passages, tokens, 2) becomes a row for the starts and one for the ends.
    let away = real.into_iter().flat_map(|real| [if real { 0.0 } else { -1e30 }; 2]).collect();
    let padded = padded.try_add(matrix(away, passages * longest, 2)?)?;
    let rows = padded.try_reshape_like(&(passages, longest, 2))?.try_permute::<_, Axes3<0, 2, 1>>()?;
    let rows: Matrix<T> = rows.try_reshape_like(&(2 * passages, longest))?;
    let targets: Vec<usize> = spans.gold.iter().flat_map(|&(first, last)| [first, last]).collect();
    let log_p = rows.try_log_softmax::<Axis<1>>()?;
    let own = log_p.try_select(device()?.try_tensor_from_vec(targets, (2 * passages,))?)?;
    let both: Matrix<T> = own.try_negate()?.try_reshape_like(&(passages, 2))?;
    Ok(both.try_mean::<(usize,), Axis<1>>()?.try_reshape_like(&(passages, 1))?)
}

/// The best span of each window: first token, last token (inclusive, from 0 in the window) and score.
///
/// The score is the start's logit plus the end's, the highest of all spans of at most `longest` tokens; of equal ones the
/// first start counts, then the first end.
///
/// # Shapes
/// `logits` (rows, 2), row-major: start in column 0, end in column 1, as a reader gives them.
///
/// # Errors
/// [`Error::Shape`] for another number of logits, or a window without tokens; [`Error::Parameter`] for spans of at most 0
/// tokens; [`Error::NotFinite`], within [`Error::At`] naming the window, for logits that are not.
///
/// # Example
/// ```
/// use reloss::ops::{best_spans, Sequences};
/// // One window of three tokens. Highest apart: start 1 and end 0, which is no span.
/// let logits = [1.0, 4.0, 2.0, 0.0, 0.0, 2.5];
/// let rows = Sequences::packed(vec![3]);
/// assert_eq!(best_spans(&logits, &rows, 3)?, [(0, 0, 5.0)]);
/// # Ok::<(), reloss::Error>(())
/// ```
///
/// # Reference
/// Chen et al., "Reading Wikipedia to Answer Open-Domain Questions", ACL 2017, §3.2: at most 15 tokens there.
pub fn best_spans(logits: &[f32], rows: &Sequences, longest: usize) -> Result<Vec<(usize, usize, f32)>> {
    if longest == 0 {
        return Err(Error::parameter("longest", "a span has one token or more"));
    }
    if logits.len() != 2 * rows.rows() {
        let expected = format!("2 logits for each of {} rows", rows.rows());
        return Err(Error::shape("best_spans", expected, logits.len()));
    }
    let best = |(window, range): (usize, std::ops::Range<usize>)| {
        let logits = &logits[2 * range.start..2 * range.end];
        let named = |error: Error| error.at(format!("window {window}"));
        check_finite("best_spans", logits).map_err(named)?;
        best_span(logits, longest).ok_or_else(|| named(Error::shape("best_spans", "one token or more", 0)))
    };
    rows.ranges().enumerate().map(best).collect()
}

/// The best span of one window; none without tokens.
fn best_span(logits: &[f32], longest: usize) -> Option<(usize, usize, f32)> {
    let tokens = logits.len() / 2;
    let mut best: Option<(usize, usize, f32)> = None;
    for first in 0..tokens {
        for last in first..first.saturating_add(longest).min(tokens) {
            let score = logits[2 * first] + logits[2 * last + 1];
            if best.is_none_or(|(.., highest)| score > highest) {
                best = Some((first, last, score));
            }
        }
    }
    best
}
