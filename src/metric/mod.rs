//! Exact metrics of a batch of predictions: the numbers people are judged by.

mod bootstrap;
mod classification;
mod coco;
mod confusion;
mod few_shot;
mod gain;
mod heatmaps;
mod isotonic;
mod keypoints;
mod nearest;
mod pose;
mod probability;
mod reading;
mod retrieval;
mod scores;
mod sets;
mod tally;
mod text;
mod translation;

pub(crate) use bootstrap::quantile;
pub use bootstrap::{Bootstrap, Difference, Interval};
pub use classification::{class_counts, named, ClassMetric, TopK};
pub use coco::{KeypointAp, KeypointMatches, Oks};
pub use confusion::{Confusion, Disagreement};
pub use few_shot::FewShot;
pub use gain::{Dcg, Gain, TiedScores};
pub use heatmaps::{Decoding, Heatmaps};
pub use isotonic::Isotonic;
pub use keypoints::{EndPointError, Keypoints, OksAp, PckAuc, PckMetric};
pub use nearest::NearestRecall;
pub use pose::{end_point_error, pck, pck_auc, Pck, Points};
pub use probability::{brier_score, calibration_error, log_loss};
pub use reading::{AnswerMeasure, AnswerMetric, AnswerScript};
pub use retrieval::{
    average_precision, label_ranking_average_precision, mean_over_queries, precision_at_k,
    precision_recall_curve, recall_at_k, reciprocal_rank, roc_auc, roc_auc_multiclass, Multiclass,
    PrecisionRecall,
};
pub use scores::Scores;
pub use sets::SetsInOrder;
pub use tally::{Average, Tallies, Tally};
pub use text::{
    cmrc_exact_match, cmrc_f1, cmrc_tokens, dureader_rouge_l, exact_match, normalized_answer, rouge_l,
    rouge_l_sum, rouge_n, token_f1, Bleu, BleuCounts, BleuScore, Chrf, ChrfCounts, Rouge, Smoothing,
    Tokenizer,
};
pub use translation::SentenceBleu;

use rayon::prelude::*;

use crate::error::{Error, Result};

/// Which values of a metric are better.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Accuracy, F1, BLEU, …
    HigherIsBetter,
    /// Error rates, distances, …
    LowerIsBetter,
}

impl Direction {
    /// +1 where higher is better, −1 where lower is.
    pub fn sign(self) -> f64 {
        match self {
            Self::HigherIsBetter => 1.0,
            Self::LowerIsBetter => -1.0,
        }
    }
}

/// A number that judges a batch of predictions against its targets.
///
/// `Prediction` and `Target` are class scores and labels unless a task says otherwise.
pub trait Metric<Prediction: ?Sized = Scores, Target: ?Sized = [usize]>: Send + Sync {
    /// The name in tables and figures.
    fn name(&self) -> &str;

    /// Which values are better.
    fn direction(&self) -> Direction;

    /// The lowest and the highest value it can have.
    fn range(&self) -> (f64, f64);

    /// The metric of one batch.
    ///
    /// # Errors
    /// [`Error::Shape`] for targets that do not fit, [`Error::Undefined`] where the metric has no
    /// value.
    fn value(&self, prediction: &Prediction, target: &Target) -> Result<f64>;

    /// The metric of each of many batches, in parallel.
    ///
    /// # Errors
    /// [`Error::At`] the first batch that has an error, counted from 0.
    ///
    /// # Example
    /// ```
    /// use reloss::metric::{Metric, Scores, TopK};
    /// let scores = Scores::new(vec![0.9, 0.1, 0.2, 0.8], 2)?;
    /// assert_eq!(TopK::ACCURACY.values(&[(&scores, &[0, 1]), (&scores, &[0, 0])])?, [1.0, 0.5]);
    /// let error = TopK::ACCURACY.values(&[(&scores, &[0, 1]), (&scores, &[7, 0])]).unwrap_err();
    /// assert_eq!(error.to_string(), "batch 1: top-k accuracy: expected labels below 2, got 7 at row 0");
    /// # Ok::<(), reloss::Error>(())
    /// ```
    fn values(&self, batches: &[(&Prediction, &Target)]) -> Result<Vec<f64>>
    where
        Prediction: Sync,
        Target: Sync,
    {
        let one = |(i, (prediction, target)): (usize, &(&Prediction, &Target))| {
            self.value(prediction, target).map_err(|error| error.at(format!("batch {i}")))
        };
        // All first, so that the error is that of the first batch, whatever the threads.
        let all: Vec<Result<f64>> = batches.par_iter().enumerate().map(one).collect();
        all.into_iter().collect()
    }
}

/// A metric of your own: a plain function of scores and labels.
///
/// Scores and labels are checked before your function sees them: one label per row, each below
/// the number of classes.
///
/// # Example
/// ```
/// use reloss::metric::{Custom, Direction, Metric, Scores};
/// fn top_2(scores: &Scores, labels: &[usize]) -> f64 {
///     let hits = (0..scores.rows()).filter(|&i| scores.rank_of(i, labels[i]) < 2).count();
///     hits as f64 / labels.len() as f64
/// }
/// let metric = Custom::new("top-2 accuracy", Direction::HigherIsBetter, top_2);
/// let scores = Scores::new(vec![3.0, 2.0, 1.0, 3.0, 2.0, 1.0], 3)?;
/// assert_eq!(metric.value(&scores, &[1, 2])?, 0.5);
/// # Ok::<(), reloss::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Custom {
    name: String,
    direction: Direction,
    function: fn(&Scores, &[usize]) -> f64,
}

impl Custom {
    /// Names a function as a metric.
    pub fn new(name: &str, direction: Direction, function: fn(&Scores, &[usize]) -> f64) -> Self {
        Self { name: name.to_string(), direction, function }
    }
}

impl Metric for Custom {
    fn name(&self) -> &str {
        &self.name
    }

    fn direction(&self) -> Direction {
        self.direction
    }

    /// Not known: without bounds.
    fn range(&self) -> (f64, f64) {
        (f64::NEG_INFINITY, f64::INFINITY)
    }

    fn value(&self, scores: &Scores, labels: &[usize]) -> Result<f64> {
        scores.check("metric", labels)?;
        let value = (self.function)(scores, labels);
        if value.is_finite() {
            Ok(value)
        } else {
            Err(Error::undefined(&self.name, format!("its function returned {value}")))
        }
    }
}
