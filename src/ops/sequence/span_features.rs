//! What is expected of a model's span, as log-odds.

use dfdx::prelude::*;
use serde::{Deserialize, Serialize};

use super::spans::{check_shape, Spans};
use crate::error::{check_finite, Error, Result};
use crate::ops::tensors::{device, host, matrix};
use crate::{Dev, Matrix};

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
    #[cfg(not(feature = "composed"))]
    return fused::span_features(logits, spans, features, longest);
    #[cfg(feature = "composed")]
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
        let x: Vector<T> = x.try_gather(device()?.try_tensor_from_vec(index, (count,))?)?;
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

#[cfg(not(feature = "composed"))]
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
