//! Spans of passages: where a model looks for an answer, and where the right one is.

use dfdx::prelude::*;
use serde::{Deserialize, Serialize};

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
    rows: Sequences,
    gold: Vec<(usize, usize)>,
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

/// How right a span is, from 0 to 1; 1 for the answer itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum SpanFeature {
    /// 1 for the answer, 0 for any other span.
    Exact,
    /// F1 of the span's tokens and the answer's, by where they are: 2 · common / (length + length).
    Overlap,
    /// The share of the span's tokens that are in the answer.
    Inside,
    /// e^−(distance of the starts + distance of the ends) / 8: some of it is left where nothing overlaps. Ours.
    Near,
}

/// Tokens over which nearness falls by a factor of e.
const REACH: f64 = 8.0;

impl SpanFeature {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Exact, Self::Overlap, Self::Inside, Self::Near];

    /// Of a span where another one is right.
    pub(crate) fn of(self, (first, last): (usize, usize), gold: (usize, usize)) -> f64 {
        let common = (last.min(gold.1) + 1).saturating_sub(first.max(gold.0)) as f64;
        let (length, right) = ((last + 1 - first) as f64, (gold.1 + 1 - gold.0) as f64);
        match self {
            Self::Exact => f64::from(u8::from((first, last) == gold)),
            Self::Overlap => 2.0 * common / (length + right),
            Self::Inside => common / length,
            Self::Near => (-((first.abs_diff(gold.0) + last.abs_diff(gold.1)) as f64) / REACH).exp(),
        }
    }
}

/// The log-odds of what is expected of each passage's span: ln(E / (1 − E)), with E the mean of a feature under
/// p(first, last) ∝ exp(start logit + end logit) over all spans of at most `longest` tokens (and of the answer's length).
///
/// Log-odds beyond ±69 are held there.
///
/// # Shapes
/// `logits` (tokens, 2), starts and ends → (passages, features).
///
/// # Errors
/// [`Error::Shape`] for another number of rows or columns, [`Error::NotFinite`] for NaN or infinite logits,
/// [`Error::Parameter`] for no features or a longest span of zero.
///
/// # Example
/// ```
/// use reloss::ops::{host, matrix, span_features, SpanFeature, Spans};
/// // Two tokens, three spans, all alike: the answer has one third, log-odds −ln 2.
/// let spans = Spans::new(vec![2], vec![(0, 1)])?;
/// let x = span_features(matrix(vec![0.0; 4], 2, 2)?, &spans, &[SpanFeature::Exact], 30)?;
/// assert!((host(&x)[0] + 2f32.ln()).abs() < 1e-6);
/// # Ok::<(), reloss::Error>(())
/// ```
pub fn span_features<T: Tape<f32, Dev>>(
    logits: Matrix<T>,
    spans: &Spans,
    features: &[SpanFeature],
    longest: usize,
) -> Result<Matrix<T>> {
    check(&logits, spans, features, longest)?;
    #[cfg(not(feature = "cuda"))]
    return fused::span_features(logits, spans, features, longest);
    #[cfg(feature = "cuda")]
    composed(logits, spans, features, longest)
}

/// [`span_features`] made of dfdx's own operations.
///
/// # Errors
/// As [`span_features`].
pub fn span_features_composed<T: Tape<f32, Dev>>(
    logits: Matrix<T>,
    spans: &Spans,
    features: &[SpanFeature],
    longest: usize,
) -> Result<Matrix<T>> {
    check(&logits, spans, features, longest)?;
    composed(logits, spans, features, longest)
}

const NAME: &str = "span_features";

fn check_shape(name: &'static str, shape: (usize, usize), rows: &Sequences) -> Result<()> {
    rows.check(name, shape.0)?;
    match shape.1 == 2 {
        true => Ok(()),
        false => Err(Error::shape(name, "two columns, starts and ends", shape.1)),
    }
}

fn check<T: Tape<f32, Dev>>(
    logits: &Matrix<T>,
    spans: &Spans,
    features: &[SpanFeature],
    longest: usize,
) -> Result<()> {
    check_shape(NAME, *logits.shape(), &spans.rows)?;
    if features.is_empty() || longest == 0 {
        let reason = "a feature or more, and spans of a token or more";
        return Err(Error::parameter(if longest == 0 { "longest" } else { "features" }, reason));
    }
    check_finite(NAME, &host(logits))
}

/// The least share of what is expected, or of what is missing to it.
const LEAST: f64 = 1e-30;

/// All spans of a passage of so many tokens that are no longer than `longest` or the answer.
fn all_spans(length: usize, gold: (usize, usize), longest: usize) -> impl Iterator<Item = (usize, usize)> {
    let longest = longest.max(gold.1 + 1 - gold.0);
    (0..length).flat_map(move |first| (first..length.min(first + longest)).map(move |last| (first, last)))
}

fn composed<T: Tape<f32, Dev>>(
    logits: Matrix<T>,
    spans: &Spans,
    features: &[SpanFeature],
    longest: usize,
) -> Result<Matrix<T>> {
    let of = |(range, &gold): (std::ops::Range<usize>, &(usize, usize))| {
        let spans = all_spans(range.len(), gold, longest);
        (range.start, gold, spans.collect::<Vec<_>>())
    };
    let lists: Vec<_> = spans.rows.ranges().zip(&spans.gold).map(of).collect();
    let shape = (lists.len(), lists.iter().map(|list| list.2.len()).max().unwrap_or(0));
    // What there is no span for weighs nothing and is not right.
    let filled = |of: &dyn Fn(usize, (usize, usize), (usize, usize)) -> f64, empty: f64| -> Vec<f64> {
        let row = |(start, gold, list): &(usize, (usize, usize), Vec<(usize, usize)>)| {
            let (start, gold) = (*start, *gold);
            let mut row: Vec<f64> = list.iter().map(|&span| of(start, gold, span)).collect();
            row.resize(shape.1, empty);
            row
        };
        lists.iter().flat_map(row).collect()
    };
    let numbers = |of: &dyn Fn(usize, (usize, usize), (usize, usize)) -> f64, empty: f64| -> Result<Matrix> {
        matrix(filled(of, empty).into_iter().map(|v| v as f32).collect(), shape.0, shape.1)
    };
    let (logits, tape) = logits.split_tape();
    let column = |x: Matrix<T>, column: usize| -> Result<Matrix<T>> {
        let place = matrix(vec![f32::from(column == 0), f32::from(column == 1)], 2, 1)?;
        let rows = x.shape().0;
        let x: Vector<T> = x.try_matmul(place)?.try_reshape_like(&(rows,))?;
        let at = |start: usize, _: (usize, usize), span: (usize, usize)| {
            (start + if column == 0 { span.0 } else { span.1 }) as f64
        };
        let index = filled(&at, 0.0).into_iter().map(|row| row as usize).collect::<Vec<usize>>();
        let count = index.len();
        let x: Vector<T> = x.try_gather(device().try_tensor_from_vec(index, (count,))?)?;
        Ok(x.try_reshape_like(&shape)?)
    };
    let starts = column(logits.clone().put_tape(tape), 0)?;
    let scores = starts.try_add(column(logits.retaped::<T>(), 1)?)?;
    let p = scores.try_add(numbers(&|_, _, _| 0.0, -1e30)?)?.try_softmax::<Axis<1>>()?;
    let (p, tape) = p.split_tape();
    let mut out: Matrix<T> =
        matrix(vec![0.0; shape.0 * features.len()], shape.0, features.len())?.put_tape(tape);
    for (k, feature) in features.iter().enumerate() {
        let sum = |of: &dyn Fn(f64) -> f64| -> Result<Matrix<T>> {
            let right = numbers(&|_, gold, span| of(feature.of(span, gold)), 0.0)?;
            let sum: Vector<T> = p.retaped::<T>().try_mul(right)?.try_sum::<_, Axis<1>>()?;
            Ok(sum.try_clamp(LEAST as f32, f32::MAX)?.try_ln()?.try_reshape_like(&(shape.0, 1))?)
        };
        let odds = sum(&|right| right)?.try_sub(sum(&|right| 1.0 - right)?)?;
        let place = (0..features.len()).map(|column| f32::from(column == k)).collect();
        out = out.try_add(odds.try_matmul(matrix(place, 1, features.len())?)?)?;
    }
    Ok(out)
}

type Vector<T> = Tensor<(usize,), f32, Dev, T>;

/// One passage's logits, and where its answer is: what the fused form and the samples of a loss network are made of.
pub(crate) struct PassageSpans<'a> {
    /// (tokens, 2), row-major.
    pub(crate) logits: &'a [f32],
    pub(crate) gold: (usize, usize),
    pub(crate) longest: usize,
}

impl PassageSpans<'_> {
    fn score(&self, (first, last): (usize, usize)) -> f64 {
        f64::from(self.logits[2 * first]) + f64::from(self.logits[2 * last + 1])
    }

    fn all(&self) -> impl Iterator<Item = (usize, usize)> {
        all_spans(self.logits.len() / 2, self.gold, self.longest)
    }

    /// The weight of each span: 1 for the likeliest.
    fn weights(&self) -> Vec<f64> {
        let top = self.all().map(|span| self.score(span)).fold(f64::NEG_INFINITY, f64::max);
        self.all().map(|span| (self.score(span) - top).exp()).collect()
    }

    /// Of each feature the weights of what is right and of what is wrong.
    fn sums(&self, features: &[SpanFeature], weights: &[f64]) -> Vec<[f64; 2]> {
        let mut sums = vec![[0.0; 2]; features.len()];
        for (span, weight) in self.all().zip(weights) {
            for (sum, feature) in sums.iter_mut().zip(features) {
                let right = feature.of(span, self.gold);
                sum[0] += weight * right;
                sum[1] += weight * (1.0 - right);
            }
        }
        sums
    }

    /// The log-odds of each feature.
    pub(crate) fn log_odds(&self, features: &[SpanFeature]) -> Vec<f64> {
        let weights = self.weights();
        let odds = |[right, wrong]: [f64; 2]| {
            let least = LEAST * (right + wrong);
            (right.max(least) / wrong.max(least)).ln()
        };
        self.sums(features, &weights).into_iter().map(odds).collect()
    }

    /// Adds to the logits' gradient what these gradients at the log-odds make of it.
    pub(crate) fn back(&self, features: &[SpanFeature], at: &[f64], mut add: impl FnMut(usize, f64)) {
        // x = ln (R / Z) − ln (W / Z) with R = Σ w φ, W = Σ w (1 − φ), Z = R + W and dw / d(start + end) = w. Where both count
        // Z cancels; what is held at its limit has no slope.
        let weights = self.weights();
        let shares = self.sums(features, &weights).into_iter().zip(at).map(|(sums, at)| {
            let all = sums[0] + sums[1];
            let counts = |sum: f64| f64::from(u8::from(sum > LEAST * all));
            let share = |sum: f64| counts(sum) * at / sum.max(f64::MIN_POSITIVE);
            [share(sums[0]), share(sums[1]), at * (counts(sums[1]) - counts(sums[0])) / all]
        });
        let shares: Vec<[f64; 3]> = shares.collect();
        for (span, weight) in self.all().zip(&weights) {
            let along = features.iter().zip(&shares).map(|(feature, [on_right, on_wrong, on_all])| {
                let right = feature.of(span, self.gold);
                on_right * right - on_wrong * (1.0 - right) + on_all
            });
            let along = weight * along.sum::<f64>();
            add(2 * span.0, along);
            add(2 * span.1 + 1, along);
        }
    }
}

#[cfg(not(feature = "cuda"))]
mod fused {
    use rayon::prelude::*;

    use super::*;
    use crate::ops::sequence::jet::{restore, take};
    use crate::ops::tensors::contents;

    pub(super) fn span_features<T: Tape<f32, Dev>>(
        logits: Matrix<T>,
        spans: &Spans,
        features: &[SpanFeature],
        longest: usize,
    ) -> Result<Matrix<T>> {
        let (logits, mut tape) = logits.try_contiguous()?.split_tape();
        let (z, spans, features) = (contents(&logits), spans.clone(), features.to_vec());
        let lists: Vec<_> = spans.rows.ranges().zip(spans.gold).collect();
        let passage = move |(range, gold): &(std::ops::Range<usize>, (usize, usize)), z: &[f32]| {
            (2 * range.start..2 * range.end, *gold, z[2 * range.start..2 * range.end].to_vec())
        };
        let one = |list| {
            let (_, gold, logits) = passage(list, &z);
            let odds = PassageSpans { logits: &logits, gold, longest }.log_odds(&features);
            odds.into_iter().map(|odds| odds as f32).collect::<Vec<_>>()
        };
        let values: Vec<Vec<f32>> = lists.par_iter().map(one).collect();
        let out = matrix(values.concat(), lists.len(), features.len())?;
        let ghost = out.clone();
        tape.add_backward_op(move |gradients| {
            let on_out = take(gradients, &ghost)?;
            let one = |(list, at): (_, &[f32])| {
                let (range, gold, logits) = passage(list, &z);
                let at: Vec<f64> = at.iter().map(|&g| f64::from(g)).collect();
                let mut on_logits = vec![0.0; logits.len()];
                let passage = PassageSpans { logits: &logits, gold, longest };
                passage.back(&features, &at, |place, along| on_logits[place] += along);
                (range, on_logits)
            };
            let given: Vec<_> =
                lists.par_iter().zip(on_out.par_chunks_exact(features.len())).map(one).collect();
            let on_logits = gradients.get_or_alloc_mut(&logits)?;
            for (range, along) in given {
                on_logits[range].iter_mut().zip(along).for_each(|(to, along)| *to += along as f32);
            }
            restore(gradients, &ghost, on_out)
        });
        Ok(out.put_tape(tape))
    }
}

/// The cross-entropy of each passage's answer: the mean of its start's and its end's, each among all tokens.
///
/// # Shapes
/// `logits` (tokens, 2), starts and ends → (passages, 1).
///
/// # Errors
/// As [`span_features`].
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
    let index = device().try_tensor_from_vec(places, (passages * longest,))?;
    let padded: Matrix<T> = logits.try_gather(index)?;
    // What is no token weighs nothing: (passages, tokens, 2) becomes a row for the starts and one for the ends.
    let away = real.into_iter().flat_map(|real| [if real { 0.0 } else { -1e30 }; 2]).collect();
    let padded = padded.try_add(matrix(away, passages * longest, 2)?)?;
    let rows = padded.try_reshape_like(&(passages, longest, 2))?.try_permute::<_, Axes3<0, 2, 1>>()?;
    let rows: Matrix<T> = rows.try_reshape_like(&(2 * passages, longest))?;
    let targets: Vec<usize> = spans.gold.iter().flat_map(|&(first, last)| [first, last]).collect();
    let log_p = rows.try_log_softmax::<Axis<1>>()?;
    let own = log_p.try_select(device().try_tensor_from_vec(targets, (2 * passages,))?)?;
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
