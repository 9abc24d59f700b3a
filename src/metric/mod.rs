//! Exact metrics of a batch of predictions: the numbers people are judged by.

mod bootstrap;
mod classification;
mod coco;
mod confusion;
mod pose;
mod probability;
mod retrieval;
mod scores;
mod text;

pub use bootstrap::{Bootstrap, Difference, Interval};
pub use classification::{class_counts, BalancedAccuracy, MacroF1, TopK};
pub use coco::{coco_annotations, coco_detections, Annotation, Detection, KeypointAp, Oks};
pub use confusion::{Average, Confusion, Disagreement, Tally};
pub use pose::{decode_heatmap, end_point_error, pck, pck_auc, Pck, Points};
pub use probability::{brier_score, calibration_error, log_loss};
pub use retrieval::{
    average_precision, label_ranking_average_precision, mean_over_queries, precision_at_k,
    precision_recall_curve, recall_at_k, reciprocal_rank, roc_auc, roc_auc_multiclass, Dcg, Gain, Multiclass,
    PrecisionRecall, TiedScores,
};
pub use scores::Scores;
pub use text::{
    exact_match, normalized_answer, rouge_l, rouge_l_sum, rouge_n, token_f1, Bleu, BleuScore, Chrf, Rouge,
    Smoothing, Tokenizer,
};

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

    /// The metric of one batch.
    ///
    /// # Errors
    /// [`Error::Shape`] for targets that do not fit, [`Error::Undefined`] where the metric has no
    /// value.
    fn value(&self, prediction: &Prediction, target: &Target) -> Result<f64>;
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
