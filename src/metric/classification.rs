//! Metrics of class scores against labels.

use super::{Direction, Metric, Scores};
use crate::error::{Error, Result};

/// How often each class occurs.
///
/// # Errors
/// [`Error::Shape`] for a label that is not below `classes`.
pub fn class_counts(labels: &[usize], classes: usize) -> Result<Vec<usize>> {
    let mut counts = vec![0; classes];
    for (row, &label) in labels.iter().enumerate() {
        let Some(count) = counts.get_mut(label) else {
            return Err(Error::shape(
                "labels",
                format!("labels below {classes}"),
                format!("{label} at row {row}"),
            ));
        };
        *count += 1;
    }
    Ok(counts)
}

/// The share of rows whose label is among the k highest scores, in `[0, 1]`.
///
/// Of equal scores the lower class stands first.
///
/// # Example
/// ```
/// use reloss::metric::{Metric, Scores, TopK};
/// let scores = Scores::new(vec![0.5, 0.3, 0.2, 0.5, 0.3, 0.2], 3)?;
/// assert_eq!(TopK::ACCURACY.value(&scores, &[0, 1])?, 0.5);
/// assert_eq!(TopK::new(2)?.value(&scores, &[0, 1])?, 1.0);
/// # Ok::<(), reloss::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct TopK {
    k: usize,
    name: std::borrow::Cow<'static, str>,
}

impl TopK {
    /// k = 1.
    pub const ACCURACY: Self = Self { k: 1, name: std::borrow::Cow::Borrowed("accuracy") };

    /// Top-k accuracy.
    ///
    /// # Errors
    /// [`Error::Parameter`] for k = 0.
    pub fn new(k: usize) -> Result<Self> {
        match k {
            0 => Err(Error::parameter("k", "top-0 accuracy counts nothing")),
            1 => Ok(Self::ACCURACY),
            _ => Ok(Self { k, name: format!("top-{k} accuracy").into() }),
        }
    }
}

impl Metric for TopK {
    fn name(&self) -> &str {
        &self.name
    }

    fn direction(&self) -> Direction {
        Direction::HigherIsBetter
    }

    fn value(&self, scores: &Scores, labels: &[usize]) -> Result<f64> {
        scores.check("top-k accuracy", labels)?;
        let hits = labels.iter().enumerate().filter(|&(i, &label)| scores.rank_of(i, label) < self.k).count();
        Ok(hits as f64 / labels.len() as f64)
    }
}

/// Per class: how often it was right, predicted, and true.
fn tally(op: &'static str, scores: &Scores, labels: &[usize]) -> Result<Vec<[f64; 3]>> {
    scores.check(op, labels)?;
    let mut tally = vec![[0.0; 3]; scores.classes()];
    for (i, &label) in labels.iter().enumerate() {
        let predicted = scores.argmax(i);
        tally[predicted][1] += 1.0;
        tally[label][2] += 1.0;
        if predicted == label {
            tally[label][0] += 1.0;
        }
    }
    Ok(tally)
}

/// The mean of the classes' F1, in `[0, 1]`, over classes that occur or are predicted.
///
/// # Example
/// Class 0: F1 = 2·1/(1+2) = 2/3; class 1: 2·1/(2+1) = 2/3; class 2 neither occurs nor is predicted.
/// ```
/// use reloss::metric::{MacroF1, Metric, Scores};
/// let scores = Scores::new(vec![1., 0., 0., 0., 1., 0., 0., 1., 0.], 3)?;
/// assert!((MacroF1.value(&scores, &[0, 0, 1])? - 2.0 / 3.0).abs() < 1e-15);
/// # Ok::<(), reloss::Error>(())
/// ```
///
/// # Reference
/// scikit-learn's `f1_score(average="macro")`, whose labels are those that occur in either list.
#[derive(Debug, Clone, Copy)]
pub struct MacroF1;

impl Metric for MacroF1 {
    fn name(&self) -> &str {
        "macro-F1"
    }

    fn direction(&self) -> Direction {
        Direction::HigherIsBetter
    }

    fn value(&self, scores: &Scores, labels: &[usize]) -> Result<f64> {
        let tally = tally("macro-F1", scores, labels)?;
        let present: Vec<_> = tally.iter().filter(|[_, predicted, truth]| predicted + truth > 0.0).collect();
        let sum: f64 =
            present.iter().map(|[right, predicted, truth]| 2.0 * right / (predicted + truth)).sum();
        Ok(sum / present.len() as f64)
    }
}

/// The mean of the classes' recall, in `[0, 1]`, over classes that occur.
///
/// # Example
/// ```
/// use reloss::metric::{BalancedAccuracy, Metric, Scores};
/// let scores = Scores::new(vec![1., 0., 1., 0., 0., 1.], 2)?;
/// assert_eq!(BalancedAccuracy.value(&scores, &[0, 1, 1])?, 0.75);
/// # Ok::<(), reloss::Error>(())
/// ```
///
/// # Reference
/// scikit-learn's `balanced_accuracy_score`.
#[derive(Debug, Clone, Copy)]
pub struct BalancedAccuracy;

impl Metric for BalancedAccuracy {
    fn name(&self) -> &str {
        "balanced accuracy"
    }

    fn direction(&self) -> Direction {
        Direction::HigherIsBetter
    }

    fn value(&self, scores: &Scores, labels: &[usize]) -> Result<f64> {
        let tally = tally("balanced accuracy", scores, labels)?;
        let present: Vec<_> = tally.iter().filter(|[_, _, truth]| *truth > 0.0).collect();
        let sum: f64 = present.iter().map(|[right, _, truth]| right / truth).sum();
        Ok(sum / present.len() as f64)
    }
}
