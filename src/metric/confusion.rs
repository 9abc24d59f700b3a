//! Counts of what was taken for what.

use super::tally::{check_labels, ratio};
use super::{Scores, Tallies, Tally};
use crate::error::Result;

/// How disagreements are weighed in Cohen's κ.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Disagreement {
    /// All alike.
    #[default]
    Plain,
    /// By the distance of the classes.
    Linear,
    /// By the square of the distance.
    Quadratic,
}

/// A confusion matrix: memory of the square of the number of classes, where [`Tallies`] are not enough.
///
/// # Example
/// ```
/// use reloss::metric::{Average, Confusion};
/// let confusion = Confusion::new(&[0, 1, 2, 0, 1, 2], &[0, 2, 1, 0, 0, 1], 3)?;
/// assert_eq!(confusion.count(2, 1), 2);
/// assert_eq!(confusion.tallies().recall(Average::Of(0))?, 1.0);
/// # Ok::<(), reloss::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Confusion {
    counts: Vec<u64>,
    classes: usize,
}

impl Confusion {
    /// Of true and predicted labels, from 0.
    ///
    /// # Errors
    /// [`Error::Shape`](crate::Error::Shape) for lists of different lengths, empty ones, or a label that is not below `classes`.
    pub fn new(truth: &[usize], predicted: &[usize], classes: usize) -> Result<Self> {
        check_labels("confusion matrix", truth, predicted, classes)?;
        let mut counts = vec![0; classes * classes];
        truth.iter().zip(predicted).for_each(|(truth, predicted)| counts[truth * classes + predicted] += 1);
        Ok(Self { counts, classes })
    }

    /// Of the classes with the largest scores.
    ///
    /// # Errors
    /// As [`Confusion::new`].
    pub fn of_scores(scores: &Scores, labels: &[usize]) -> Result<Self> {
        let predicted: Vec<usize> = (0..scores.rows()).map(|row| scores.argmax(row)).collect();
        Self::new(labels, &predicted, scores.classes())
    }

    /// How often `truth` was taken for `predicted`; 0 for classes that are not there.
    pub fn count(&self, truth: usize, predicted: usize) -> u64 {
        if truth.max(predicted) < self.classes {
            self.counts[truth * self.classes + predicted]
        } else {
            0
        }
    }

    /// How many classes.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// The counts of every class against the rest, and the metrics made of them.
    pub fn tallies(&self) -> Tallies {
        let tally = |class: usize| {
            let hits = self.count(class, class);
            let sum = |counts: &mut dyn Iterator<Item = u64>| counts.sum::<u64>() - hits;
            Tally {
                hits,
                false_alarms: sum(&mut (0..self.classes).map(|truth| self.count(truth, class))),
                misses: sum(&mut (0..self.classes).map(|predicted| self.count(class, predicted))),
            }
        };
        Tallies::of_each((0..self.classes).map(tally).collect())
    }

    /// Cohen's κ, the agreement beyond chance, at most 1; higher is better.
    ///
    /// # Errors
    /// [`Error::Undefined`](crate::Error::Undefined) where truth and predictions are of one class only.
    ///
    /// # Example
    /// ```
    /// use reloss::metric::{Confusion, Disagreement};
    /// let confusion = Confusion::new(&[0, 0, 1, 1], &[0, 0, 1, 0], 2)?;
    /// // Agreement 3/4, by chance 1/2.
    /// assert_eq!(confusion.kappa(Disagreement::Plain)?, 0.5);
    /// # Ok::<(), reloss::Error>(())
    /// ```
    ///
    /// # Reference
    /// Cohen, "Weighted kappa", Psychological Bulletin 1968.
    pub fn kappa(&self, disagreement: Disagreement) -> Result<f64> {
        let tallies = self.tallies();
        let total = self.counts.iter().sum::<u64>() as f64;
        let weight = |a: usize, b: usize| match (disagreement, a.abs_diff(b) as f64) {
            (Disagreement::Plain, d) => d.min(1.0),
            (Disagreement::Linear, d) => d,
            (Disagreement::Quadratic, d) => d * d,
        };
        let (mut seen, mut expected) = (0.0, 0.0);
        for (a, (truth, _)) in tallies.margins().enumerate() {
            for (b, (_, predicted)) in tallies.margins().enumerate() {
                seen += weight(a, b) * self.count(a, b) as f64;
                expected += weight(a, b) * truth * predicted / total;
            }
        }
        ratio("Cohen's kappa", "truth and predictions are of one class only", expected - seen, expected)
    }
}
