//! Counts of what was taken for what, and the metrics that need no more.

use super::Scores;
use crate::error::{Error, Result};

/// How the values of several classes become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Average {
    /// Of this class alone.
    Of(usize),
    /// The mean over the classes that occur, in truth or as predictions.
    Macro,
    /// Of all counts together.
    Micro,
    /// The mean weighted by how often each class is true.
    Weighted,
}

/// What one class, or one label of many, was taken for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// True and predicted.
    pub hits: u64,
    /// Predicted, not true.
    pub false_alarms: u64,
    /// True, not predicted.
    pub misses: u64,
}

impl Tally {
    /// Of one label's flags.
    ///
    /// # Errors
    /// [`Error::Shape`] for lists of different lengths.
    ///
    /// # Example
    /// ```
    /// use reloss::metric::Tally;
    /// let tally = Tally::of_flags(&[false, true, true], &[false, true, false])?;
    /// assert_eq!((tally.precision()?, tally.recall()?), (1.0, 0.5));
    /// # Ok::<(), reloss::Error>(())
    /// ```
    pub fn of_flags(truth: &[bool], predicted: &[bool]) -> Result<Self> {
        if truth.len() != predicted.len() {
            return Err(Error::shape("tally", format!("{} predictions", truth.len()), predicted.len()));
        }
        let mut tally = Self::default();
        for pair in truth.iter().zip(predicted) {
            match pair {
                (true, true) => tally.hits += 1,
                (false, true) => tally.false_alarms += 1,
                (true, false) => tally.misses += 1,
                (false, false) => {}
            }
        }
        Ok(tally)
    }

    fn joined(self, other: Self) -> Self {
        Self {
            hits: self.hits + other.hits,
            false_alarms: self.false_alarms + other.false_alarms,
            misses: self.misses + other.misses,
        }
    }

    /// hits / predicted.
    ///
    /// # Errors
    /// [`Error::Undefined`] where nothing was predicted.
    pub fn precision(self) -> Result<f64> {
        ratio("precision", "it was never predicted", self.hits as f64, (self.hits + self.false_alarms) as f64)
    }

    /// hits / true.
    ///
    /// # Errors
    /// [`Error::Undefined`] where nothing is true.
    pub fn recall(self) -> Result<f64> {
        ratio("recall", "it never occurs", self.hits as f64, (self.hits + self.misses) as f64)
    }

    /// The weighted harmonic mean of precision and recall, recall counting β times as much; by counts, so that
    /// no hits give 0.
    ///
    /// # Errors
    /// [`Error::Undefined`] where nothing is true or predicted, [`Error::Parameter`] for a β that is not positive.
    ///
    /// # Reference
    /// van Rijsbergen, "Information retrieval", 1979, chapter 7.
    pub fn f_beta(self, beta: f64) -> Result<f64> {
        if !(beta > 0.0 && beta.is_finite()) {
            return Err(Error::parameter("beta", format!("{beta} is not positive and finite")));
        }
        let (squared, hits) = (beta * beta, self.hits as f64);
        let whole = (1.0 + squared) * hits + squared * self.misses as f64 + self.false_alarms as f64;
        ratio("F-beta", "it neither occurs nor was predicted", (1.0 + squared) * hits, whole)
    }

    /// hits / (true or predicted): intersection over union.
    ///
    /// # Errors
    /// [`Error::Undefined`] where nothing is true or predicted.
    pub fn jaccard(self) -> Result<f64> {
        let union = (self.hits + self.false_alarms + self.misses) as f64;
        ratio("Jaccard index", "it neither occurs nor was predicted", self.hits as f64, union)
    }
}

fn ratio(metric: &str, reason: &str, part: f64, whole: f64) -> Result<f64> {
    match whole > 0.0 {
        true => Ok(part / whole),
        false => Err(Error::undefined(metric, reason)),
    }
}

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

/// A confusion matrix.
///
/// What has no value is an error, never 0 or an epsilon: scikit-learn, whose definitions these are, gives 0 and a
/// warning there.
///
/// # Example
/// ```
/// use reloss::metric::{Average, Confusion};
/// let confusion = Confusion::new(&[0, 1, 2, 0, 1, 2], &[0, 2, 1, 0, 0, 1], 3)?;
/// assert_eq!(confusion.count(2, 1), 2);
/// assert_eq!(confusion.f_beta(1.0, Average::Of(0))?, 0.8);
/// assert_eq!(confusion.f_beta(1.0, Average::Micro)?, confusion.accuracy());
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
    /// [`Error::Shape`] for lists of different lengths, empty ones, or a label that is not below `classes`.
    pub fn new(truth: &[usize], predicted: &[usize], classes: usize) -> Result<Self> {
        if truth.is_empty() || truth.len() != predicted.len() {
            let got = format!("{} and {}", truth.len(), predicted.len());
            return Err(Error::shape("confusion matrix", "two lists of one length, not empty", got));
        }
        let mut counts = vec![0; classes * classes];
        for (row, (&truth, &predicted)) in truth.iter().zip(predicted).enumerate() {
            let label = truth.max(predicted);
            if label >= classes {
                let got = format!("{label} at row {row}");
                return Err(Error::shape("confusion matrix", format!("labels below {classes}"), got));
            }
            counts[truth * classes + predicted] += 1;
        }
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

    /// The counts of one class against the rest.
    ///
    /// # Errors
    /// [`Error::Parameter`] for a class that is not there.
    pub fn tally(&self, class: usize) -> Result<Tally> {
        if class >= self.classes {
            return Err(Error::parameter("class", format!("{class} is not below {}", self.classes)));
        }
        let hits = self.count(class, class);
        let of = |counts: &mut dyn Iterator<Item = u64>| counts.sum::<u64>() - hits;
        Ok(Tally {
            hits,
            false_alarms: of(&mut (0..self.classes).map(|truth| self.count(truth, class))),
            misses: of(&mut (0..self.classes).map(|predicted| self.count(class, predicted))),
        })
    }

    fn tallies(&self) -> Result<Vec<Tally>> {
        (0..self.classes).map(|class| self.tally(class)).collect()
    }

    fn total(&self) -> f64 {
        self.counts.iter().sum::<u64>() as f64
    }

    fn averaged(&self, average: Average, of: impl Fn(Tally) -> Result<f64>) -> Result<f64> {
        let named = |class: usize, tally: Tally| {
            of(tally).map_err(|error| match error {
                Error::Undefined { what, reason } => {
                    Error::undefined(what, format!("class {class}: {reason}"))
                }
                other => other,
            })
        };
        match average {
            Average::Of(class) => named(class, self.tally(class)?),
            Average::Micro => of(self.tallies()?.into_iter().fold(Tally::default(), Tally::joined)),
            Average::Macro | Average::Weighted => {
                let (mut sum, mut weights) = (0.0, 0.0);
                for (class, tally) in self.tallies()?.into_iter().enumerate() {
                    let true_ones = (tally.hits + tally.misses) as f64;
                    let occurs = true_ones > 0.0 || tally.false_alarms > 0;
                    let weight =
                        if average == Average::Macro { f64::from(u8::from(occurs)) } else { true_ones };
                    if weight > 0.0 {
                        sum += weight * named(class, tally)?;
                        weights += weight;
                    }
                }
                Ok(sum / weights)
            }
        }
    }

    /// The share of right predictions.
    pub fn accuracy(&self) -> f64 {
        let right: u64 = (0..self.classes).map(|class| self.count(class, class)).sum();
        right as f64 / self.total()
    }

    /// The misclassification rate, 1 − accuracy.
    pub fn error_rate(&self) -> f64 {
        1.0 - self.accuracy()
    }

    /// Recalls of the classes that occur in truth.
    fn recalls(&self) -> Result<Vec<f64>> {
        let occurring = self.tallies()?.into_iter().filter(|tally| tally.hits + tally.misses > 0);
        occurring.map(Tally::recall).collect()
    }

    /// The mean recall of the classes that occur in truth.
    ///
    /// # Errors
    /// None in practice: a matrix is never empty.
    pub fn balanced_accuracy(&self) -> Result<f64> {
        let recalls = self.recalls()?;
        Ok(recalls.iter().sum::<f64>() / recalls.len() as f64)
    }

    /// The geometric mean of the recalls of the classes that occur in truth.
    ///
    /// # Errors
    /// As [`Confusion::balanced_accuracy`].
    ///
    /// # Reference
    /// Kubat, Matwin, "Addressing the curse of imbalanced training sets", ICML 1997.
    pub fn g_mean(&self) -> Result<f64> {
        let recalls = self.recalls()?;
        Ok(recalls.iter().product::<f64>().powf(1.0 / recalls.len() as f64))
    }

    /// Precision, averaged.
    ///
    /// # Errors
    /// [`Error::Undefined`] naming a class that occurs but was never predicted.
    pub fn precision(&self, average: Average) -> Result<f64> {
        self.averaged(average, Tally::precision)
    }

    /// Recall, averaged.
    ///
    /// # Errors
    /// [`Error::Undefined`] naming a class that was predicted but never occurs.
    pub fn recall(&self, average: Average) -> Result<f64> {
        self.averaged(average, Tally::recall)
    }

    /// [`Tally::f_beta`], averaged.
    ///
    /// # Errors
    /// As [`Tally::f_beta`].
    pub fn f_beta(&self, beta: f64, average: Average) -> Result<f64> {
        self.averaged(average, |tally| tally.f_beta(beta))
    }

    /// [`Tally::jaccard`], averaged.
    ///
    /// # Errors
    /// As [`Tally::jaccard`].
    pub fn jaccard(&self, average: Average) -> Result<f64> {
        self.averaged(average, Tally::jaccard)
    }

    /// True and predicted counts of every class.
    fn margins(&self) -> Result<Vec<(f64, f64)>> {
        let margins = |t: Tally| ((t.hits + t.misses) as f64, (t.hits + t.false_alarms) as f64);
        Ok(self.tallies()?.into_iter().map(margins).collect())
    }

    /// Matthews' correlation coefficient, in \[-1, 1\], for any number of classes.
    ///
    /// # Errors
    /// [`Error::Undefined`] where truth or predictions are of one class only.
    ///
    /// # Example
    /// ```
    /// let confusion = reloss::metric::Confusion::new(&[1, 1, 1, 0], &[1, 0, 1, 1], 2)?;
    /// assert!((confusion.matthews()? + 1.0 / 3.0).abs() < 1e-15);
    /// # Ok::<(), reloss::Error>(())
    /// ```
    ///
    /// # Reference
    /// Gorodkin, "Comparing two K-category assignments by a K-category correlation coefficient", 2004, eq. (8).
    pub fn matthews(&self) -> Result<f64> {
        let (margins, total) = (self.margins()?, self.total());
        let sum = |of: fn(&(f64, f64)) -> f64| margins.iter().map(of).sum::<f64>();
        let spread = (total * total - sum(|m| m.0 * m.0)) * (total * total - sum(|m| m.1 * m.1));
        let covariance = self.accuracy() * total * total - sum(|m| m.0 * m.1);
        let name = "Matthews' correlation";
        ratio(name, "truth or predictions are of one class only", covariance, spread.sqrt())
    }

    /// Cohen's κ, the agreement beyond chance; at most 1.
    ///
    /// # Errors
    /// [`Error::Undefined`] where truth and predictions are of one class only.
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
        let (margins, total) = (self.margins()?, self.total());
        let weight = |a: usize, b: usize| match (disagreement, a.abs_diff(b) as f64) {
            (Disagreement::Plain, d) => d.min(1.0),
            (Disagreement::Linear, d) => d,
            (Disagreement::Quadratic, d) => d * d,
        };
        let (mut seen, mut expected) = (0.0, 0.0);
        for (a, (truth, _)) in margins.iter().enumerate() {
            for (b, (_, predicted)) in margins.iter().enumerate() {
                seen += weight(a, b) * self.count(a, b) as f64;
                expected += weight(a, b) * truth * predicted / total;
            }
        }
        ratio("Cohen's kappa", "truth and predictions are of one class only", expected - seen, expected)
    }
}
