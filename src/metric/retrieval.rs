//! Metrics of scores that rank: what should stand first, stands how far in front?

use super::{Average, Scores};
use crate::error::{check_finite, Error, Result};
use crate::rank::{rank, Ties};
use crate::sort::order::descending;

pub(super) fn check(op: &'static str, scores: &[f64], targets: usize) -> Result<()> {
    if scores.is_empty() || scores.len() != targets {
        let got = format!("{} and {targets}", scores.len());
        return Err(Error::shape(op, "two lists of one length, not empty", got));
    }
    check_finite(op, scores)
}

/// How many are relevant, and how many are not; both must be.
fn both(metric: &str, relevant: &[bool]) -> Result<(f64, f64)> {
    let positives = relevant.iter().filter(|&&r| r).count();
    match (positives, relevant.len() - positives) {
        (0, _) => Err(Error::undefined(metric, "nothing is relevant")),
        (_, 0) => Err(Error::undefined(metric, "everything is relevant")),
        (positives, negatives) => Ok((positives as f64, negatives as f64)),
    }
}

/// The area under the ROC curve: how often a relevant one scores higher than another, ties counting one half; in
/// \[0, 1\], higher is better.
///
/// # Errors
/// [`Error::Shape`] for lists of different lengths or empty ones, [`Error::NotFinite`] for NaN or infinite scores,
/// [`Error::Undefined`] where nothing or everything is relevant.
///
/// # Example
/// ```
/// use reloss::metric::roc_auc;
/// assert_eq!(roc_auc(&[0.1, 0.4, 0.35, 0.8], &[false, false, true, true])?, 0.75);
/// assert!(roc_auc(&[0.1, 0.4], &[true, true]).is_err());
/// # Ok::<(), reloss::Error>(())
/// ```
///
/// # Reference
/// Hanley, McNeil, "The meaning and use of the area under a ROC curve", 1982: the Mann–Whitney statistic.
pub fn roc_auc(scores: &[f64], relevant: &[bool]) -> Result<f64> {
    const NAME: &str = "ROC-AUC";
    check(NAME, scores, relevant.len())?;
    let (positives, negatives) = both(NAME, relevant)?;
    let ranks = rank(scores, Ties::Average)?;
    let sum: f64 = ranks.iter().zip(relevant).filter(|(_, &r)| r).map(|(rank, _)| rank).sum();
    Ok((sum - positives * (positives + 1.0) / 2.0) / (positives * negatives))
}

/// Which classes are compared in a ROC-AUC of several.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Multiclass {
    /// Each class against all others.
    OneVsRest,
    /// Each class against each other, both ways round.
    OneVsOne,
}

/// [`roc_auc`] of several classes: by a class's scores, averaged over classes or pairs; in \[0, 1\], higher is better.
///
/// `Macro` weighs all alike; `Weighted` by how often a class, or either of a pair, occurs. Classes that never occur
/// are an error: their curve is undefined.
///
/// # Errors
/// As [`roc_auc`]; also [`Error::Parameter`] for other averages, and as [`Scores::new`] for labels that do not fit.
///
/// # Example
/// ```
/// use reloss::metric::{roc_auc_multiclass, Average, Multiclass, Scores};
/// let scores = Scores::new(vec![3.0, 1.0, 0.0, 0.0, 2.0, 1.0, 1.0, 0.0, 2.0], 3)?;
/// assert_eq!(roc_auc_multiclass(&scores, &[0, 1, 2], Multiclass::OneVsOne, Average::Macro)?, 1.0);
/// # Ok::<(), reloss::Error>(())
/// ```
///
/// # Reference
/// Hand, Till, "A simple generalisation of the area under the ROC curve for multiple class classification problems",
/// 2001; Provost, Domingos 2000 for one against the rest; both as scikit-learn averages them.
pub fn roc_auc_multiclass(
    scores: &Scores,
    labels: &[usize],
    multiclass: Multiclass,
    average: Average,
) -> Result<f64> {
    scores.check("ROC-AUC", labels)?;
    if !matches!(average, Average::Macro | Average::Weighted) {
        return Err(Error::parameter("average", format!("{average:?}: macro or weighted")));
    }
    let column = |class: usize, rows: &[usize]| -> Vec<f64> {
        rows.iter().map(|&row| f64::from(scores.row(row)[class])).collect()
    };
    let area = |class: usize, rows: &[usize]| {
        let relevant: Vec<bool> = rows.iter().map(|&row| labels[row] == class).collect();
        roc_auc(&column(class, rows), &relevant)
    };
    let of = |wanted: &dyn Fn(usize) -> bool| -> Vec<usize> {
        (0..labels.len()).filter(|&row| wanted(labels[row])).collect()
    };
    let (mut sum, mut weights) = (0.0, 0.0);
    let mut add = |rows: usize, value: f64| {
        let weight = if average == Average::Macro { 1.0 } else { rows as f64 };
        sum += weight * value;
        weights += weight;
    };
    for a in 0..scores.classes() {
        match multiclass {
            Multiclass::OneVsRest => {
                add(of(&|label| label == a).len(), area(a, &of(&|_| true))?);
            }
            Multiclass::OneVsOne => {
                for b in a + 1..scores.classes() {
                    let rows = of(&|label| label == a || label == b);
                    add(rows.len(), 0.5 * (area(a, &rows)? + area(b, &rows)?));
                }
            }
        }
    }
    Ok(sum / weights)
}

/// A point of a precision–recall curve: all that score at least `threshold` are taken.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PrecisionRecall {
    /// The lowest score taken.
    pub threshold: f64,
    /// The share of the taken that is relevant.
    pub precision: f64,
    /// The share of the relevant that is taken.
    pub recall: f64,
}

/// Precision and recall at every distinct score, from the highest down.
///
/// # Errors
/// As [`roc_auc`], but everything may be relevant.
///
/// # Example
/// ```
/// let curve = reloss::metric::precision_recall_curve(&[0.9, 0.5, 0.5], &[true, false, true])?;
/// assert_eq!((curve[0].precision, curve[0].recall), (1.0, 0.5));
/// // Ties are taken together.
/// assert_eq!((curve.len(), curve[1].precision, curve[1].recall), (2, 2.0 / 3.0, 1.0));
/// # Ok::<(), reloss::Error>(())
/// ```
pub fn precision_recall_curve(scores: &[f64], relevant: &[bool]) -> Result<Vec<PrecisionRecall>> {
    const NAME: &str = "precision-recall curve";
    check(NAME, scores, relevant.len())?;
    let total = relevant.iter().filter(|&&r| r).count();
    if total == 0 {
        return Err(Error::undefined(NAME, "nothing is relevant"));
    }
    let (mut taken, mut hits) = (0, 0);
    let order = descending(scores);
    let groups = order.chunk_by(|&a, &b| scores[a] == scores[b]);
    let points = groups.map(|group| {
        taken += group.len();
        hits += group.iter().filter(|&&i| relevant[i]).count();
        PrecisionRecall {
            threshold: scores[group[0]],
            precision: hits as f64 / taken as f64,
            recall: hits as f64 / total as f64,
        }
    });
    Ok(points.collect())
}

/// Average precision: precision summed over the steps of recall, ties taken together, nothing interpolated;
/// in (0, 1\], higher is better.
///
/// # Errors
/// As [`precision_recall_curve`].
///
/// # Example
/// ```
/// let ap = reloss::metric::average_precision(&[0.1, 0.4, 0.35, 0.8], &[false, false, true, true])?;
/// assert!((ap - (0.5 + 0.5 * 2.0 / 3.0)).abs() < 1e-15);
/// # Ok::<(), reloss::Error>(())
/// ```
///
/// # Reference
/// As scikit-learn's `average_precision_score`.
pub fn average_precision(scores: &[f64], relevant: &[bool]) -> Result<f64> {
    let curve = precision_recall_curve(scores, relevant)?;
    let mut before = 0.0;
    Ok(curve
        .iter()
        .map(|point| (point.recall - std::mem::replace(&mut before, point.recall)) * point.precision)
        .sum())
}

/// The share of the k highest scores that is relevant, and the share of the relevant among them.
fn hits_at(op: &'static str, scores: &[f64], relevant: &[bool], k: usize) -> Result<f64> {
    check(op, scores, relevant.len())?;
    if k == 0 || k > scores.len() {
        return Err(Error::parameter("k", format!("{k} is not in 1..={}", scores.len())));
    }
    Ok(descending(scores)[..k].iter().filter(|&&i| relevant[i]).count() as f64)
}

/// The share of the k highest scores that is relevant, in \[0, 1\]; higher is better; ties stand in order of appearance.
///
/// # Errors
/// As [`roc_auc`]; also [`Error::Parameter`] for a k that is not in 1..=n. That nothing is relevant is no error: 0.
///
/// # Example
/// ```
/// use reloss::metric::{precision_at_k, recall_at_k};
/// let (scores, relevant) = ([0.0, 3.0, 1.0, 2.0], [false, false, true, true]);
/// assert_eq!(precision_at_k(&scores, &relevant, 3)?, 2.0 / 3.0);
/// assert_eq!(recall_at_k(&scores, &relevant, 3)?, 1.0);
/// # Ok::<(), reloss::Error>(())
/// ```
pub fn precision_at_k(scores: &[f64], relevant: &[bool], k: usize) -> Result<f64> {
    Ok(hits_at("precision at k", scores, relevant, k)? / k as f64)
}

/// The share of the relevant among the k highest scores, in \[0, 1\]; higher is better; ties stand in order of
/// appearance.
///
/// # Errors
/// As [`precision_at_k`]; also [`Error::Undefined`] where nothing is relevant.
pub fn recall_at_k(scores: &[f64], relevant: &[bool], k: usize) -> Result<f64> {
    let hits = hits_at("recall at k", scores, relevant, k)?;
    match relevant.iter().filter(|&&r| r).count() {
        0 => Err(Error::undefined("recall at k", "nothing is relevant")),
        total => Ok(hits / total as f64),
    }
}

/// 1 / the place of the first relevant one, from the highest score down, in (0, 1\]; higher is better; ties
/// stand in order of appearance.
///
/// Its mean over queries is the MRR.
///
/// # Errors
/// As [`recall_at_k`].
///
/// # Example
/// ```
/// assert_eq!(reloss::metric::reciprocal_rank(&[0.2, 0.9, 0.5], &[true, false, true])?, 0.5);
/// # Ok::<(), reloss::Error>(())
/// ```
pub fn reciprocal_rank(scores: &[f64], relevant: &[bool]) -> Result<f64> {
    check("reciprocal rank", scores, relevant.len())?;
    let first = descending(scores).into_iter().position(|i| relevant[i]);
    let first = first.ok_or_else(|| Error::undefined("reciprocal rank", "nothing is relevant"))?;
    Ok(1.0 / (first + 1) as f64)
}

/// The mean of a metric over queries: MRR of [`reciprocal_rank`], MAP of [`average_precision`].
///
/// # Errors
/// The metric's own, of the first query that has one; [`Error::Shape`] for no queries.
///
/// # Example
/// ```
/// use reloss::metric::{mean_over_queries, reciprocal_rank};
/// let scores = [vec![0.2, 0.9], vec![0.7, 0.1]];
/// let relevant = [vec![true, false], vec![true, false]];
/// assert_eq!(mean_over_queries(&scores, &relevant, reciprocal_rank)?, 0.75);
/// # Ok::<(), reloss::Error>(())
/// ```
pub fn mean_over_queries(
    scores: &[Vec<f64>],
    relevant: &[Vec<bool>],
    metric: fn(&[f64], &[bool]) -> Result<f64>,
) -> Result<f64> {
    if scores.is_empty() || scores.len() != relevant.len() {
        let got = format!("{} and {}", scores.len(), relevant.len());
        return Err(Error::shape(
            "mean over queries",
            "as many lists of scores as of relevance, not none",
            got,
        ));
    }
    let values = scores.iter().zip(relevant).map(|(scores, relevant)| metric(scores, relevant));
    Ok(values.sum::<Result<f64>>()? / scores.len() as f64)
}

/// Label ranking average precision: over rows and their true labels, the share of true labels among those that score
/// at least as high; in (0, 1\], higher is better.
///
/// # Shapes
/// `scores` and `truth`: (rows, labels), row-major.
///
/// # Errors
/// [`Error::Shape`] for lists that do not fill whole rows, [`Error::NotFinite`] for NaN or infinite scores,
/// [`Error::Undefined`] for a row without a true label (scikit-learn counts it as 1).
///
/// # Example
/// ```
/// let truth = [true, false, false, false, false, true];
/// let lrap = reloss::metric::label_ranking_average_precision(&[0.75, 0.5, 1.0, 1.0, 0.2, 0.1], &truth, 3)?;
/// assert!((lrap - (1.0 / 2.0 + 1.0 / 3.0) / 2.0).abs() < 1e-15);
/// # Ok::<(), reloss::Error>(())
/// ```
///
/// # Reference
/// Tsoumakas, Katakis, Vlahavas, "Mining multi-label data", 2009, section 34.7.2.
pub fn label_ranking_average_precision(scores: &[f64], truth: &[bool], labels: usize) -> Result<f64> {
    const NAME: &str = "label ranking average precision";
    check(NAME, scores, truth.len())?;
    if labels == 0 || !scores.len().is_multiple_of(labels) {
        return Err(Error::shape(NAME, format!("whole rows of {labels} labels"), scores.len()));
    }
    let mut sum = 0.0;
    for (row, (scores, truth)) in scores.chunks_exact(labels).zip(truth.chunks_exact(labels)).enumerate() {
        let is_true: Vec<usize> = (0..labels).filter(|&label| truth[label]).collect();
        if is_true.is_empty() {
            return Err(Error::undefined(NAME, format!("row {row} has no true label")));
        }
        let above = |label: usize| (0..labels).filter(move |&other| scores[other] >= scores[label]);
        let share = |&label: &usize| {
            above(label).filter(|&other| truth[other]).count() as f64 / above(label).count() as f64
        };
        sum += is_true.iter().map(share).sum::<f64>() / is_true.len() as f64;
    }
    Ok(sum / (scores.len() / labels) as f64)
}
