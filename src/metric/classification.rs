//! Metrics of class scores against labels.

use std::sync::Arc;

use super::{
    average_precision, roc_auc, roc_auc_multiclass, Average, Confusion, Direction, Disagreement, Metric,
    Multiclass, Scores, Tallies,
};
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

    /// k = 5.
    pub const FIVE: Self = Self { k: 5, name: std::borrow::Cow::Borrowed("top-5 accuracy") };

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

    fn range(&self) -> (f64, f64) {
        (0.0, 1.0)
    }

    fn value(&self, scores: &Scores, labels: &[usize]) -> Result<f64> {
        scores.check("top-k accuracy", labels)?;
        let hits = labels.iter().enumerate().filter(|&(i, &label)| scores.rank_of(i, label) < self.k).count();
        Ok(hits as f64 / labels.len() as f64)
    }
}

/// A metric of class scores against labels that has no options; of equal scores the lower class is the predicted one.
///
/// What needs a positive class takes class 1. What is undefined for a batch is an error; where that comes from classes
/// that a batch lacks, each constant says so.
///
/// # Example
/// Class 0: F1 = 2·1/(1+2) = 2/3; class 1: 2·1/(2+1) = 2/3; class 2 neither occurs nor is predicted.
/// ```
/// use reloss::metric::{ClassMetric, Metric, Scores};
/// let scores = Scores::new(vec![1., 0., 0., 0., 1., 0., 0., 1., 0.], 3)?;
/// assert!((ClassMetric::MACRO_F1.value(&scores, &[0, 0, 1])? - 2.0 / 3.0).abs() < 1e-15);
/// // Recall of the classes that occur: 1/2 and 1.
/// assert_eq!(ClassMetric::BALANCED_ACCURACY.value(&scores, &[0, 0, 1])?, 0.75);
/// # Ok::<(), reloss::Error>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct ClassMetric {
    name: &'static str,
    direction: Direction,
    range: (f64, f64),
    of: fn(&Scores, &[usize]) -> Result<f64>,
    instead: Option<f64>,
}

impl ClassMetric {
    /// All of them.
    pub const ALL: [Self; 14] = [
        Self::ERROR_RATE,
        Self::BALANCED_ACCURACY,
        Self::G_MEAN,
        Self::PRECISION,
        Self::RECALL,
        Self::F1,
        Self::MACRO_F1,
        Self::WEIGHTED_F1,
        Self::JACCARD,
        Self::MACRO_JACCARD,
        Self::MATTHEWS,
        Self::KAPPA,
        Self::ROC_AUC,
        Self::AVERAGE_PRECISION,
    ];

    const fn share(name: &'static str, of: fn(&Scores, &[usize]) -> Result<f64>) -> Self {
        Self { name, direction: Direction::HigherIsBetter, range: (0.0, 1.0), of, instead: None }
    }

    /// The same metric with this value where it is undefined; scikit-learn has 0 for most.
    pub const fn where_undefined(self, value: f64) -> Self {
        Self { instead: Some(value), ..self }
    }

    /// The misclassification rate, in \[0, 1\]; lower is better.
    pub const ERROR_RATE: Self = Self {
        direction: Direction::LowerIsBetter,
        ..Self::share("error rate", |s, l| Ok(Tallies::of_scores(s, l)?.error_rate()))
    };
    /// [`Tallies::balanced_accuracy`], in \[0, 1\]; higher is better.
    pub const BALANCED_ACCURACY: Self =
        Self::share("balanced accuracy", |s, l| Tallies::of_scores(s, l)?.balanced_accuracy());
    /// [`Tallies::g_mean`], in \[0, 1\]; higher is better.
    pub const G_MEAN: Self = Self::share("G-mean", |s, l| Tallies::of_scores(s, l)?.g_mean());
    /// [`Tallies::precision`] of class 1, in \[0, 1\]; higher is better; undefined where it is never predicted.
    pub const PRECISION: Self =
        Self::share("precision", |s, l| Tallies::of_scores(s, l)?.precision(Average::Of(1)));
    /// [`Tallies::recall`] of class 1, in \[0, 1\]; higher is better; undefined where it never occurs.
    pub const RECALL: Self = Self::share("recall", |s, l| Tallies::of_scores(s, l)?.recall(Average::Of(1)));
    /// F1 of class 1, in \[0, 1\]; higher is better; undefined where it neither occurs nor is predicted.
    pub const F1: Self = Self::share("F1", |s, l| Tallies::of_scores(s, l)?.f_beta(1.0, Average::Of(1)));
    /// The mean of the F1 of the classes that occur or are predicted, in \[0, 1\]; higher is better.
    pub const MACRO_F1: Self =
        Self::share("macro-F1", |s, l| Tallies::of_scores(s, l)?.f_beta(1.0, Average::Macro));
    /// The mean of the classes' F1 weighted by how often they occur, in \[0, 1\]; higher is better.
    pub const WEIGHTED_F1: Self =
        Self::share("weighted F1", |s, l| Tallies::of_scores(s, l)?.f_beta(1.0, Average::Weighted));
    /// [`Tallies::jaccard`] of class 1, in \[0, 1\]; higher is better; undefined where it neither occurs nor is
    /// predicted.
    pub const JACCARD: Self =
        Self::share("Jaccard index", |s, l| Tallies::of_scores(s, l)?.jaccard(Average::Of(1)));
    /// [`Tallies::jaccard`] averaged over the classes that occur or are predicted, in \[0, 1\]; higher is better.
    pub const MACRO_JACCARD: Self =
        Self::share("macro Jaccard index", |s, l| Tallies::of_scores(s, l)?.jaccard(Average::Macro));
    /// [`Tallies::matthews`], in \[-1, 1\]; higher is better; undefined where truth or predictions are of one class.
    pub const MATTHEWS: Self = Self {
        range: (-1.0, 1.0),
        ..Self::share("Matthews' correlation", |s, l| Tallies::of_scores(s, l)?.matthews())
    };
    /// [`Confusion::kappa`] with all disagreements alike, in \[-1, 1\]; higher is better; undefined where truth and
    /// predictions are of one class.
    pub const KAPPA: Self = Self {
        range: (-1.0, 1.0),
        ..Self::share("Cohen's kappa", |s, l| Confusion::of_scores(s, l)?.kappa(Disagreement::Plain))
    };
    /// [`roc_auc`] by the score of class 1 less that of class 0; of more classes each against the rest by its own
    /// score, averaged. In \[0, 1\]; higher is better; undefined where a class does not occur.
    pub const ROC_AUC: Self = Self::share("ROC-AUC", |s, l| match s.classes() {
        2 => {
            s.check("ROC-AUC", l)?;
            let (margins, positive) = margins(s, l);
            roc_auc(&margins, &positive)
        }
        _ => roc_auc_multiclass(s, l, Multiclass::OneVsRest, Average::Macro),
    });
    /// [`average_precision`] of class 1 of two, by its score less that of class 0, in \[0, 1\]; higher is better;
    /// undefined where class 1 does not occur.
    pub const AVERAGE_PRECISION: Self = Self::share("average precision", |s, l| {
        s.check("average precision", l)?;
        if s.classes() != 2 {
            return Err(Error::shape("average precision", "two classes", s.classes()));
        }
        let (margins, positive) = margins(s, l);
        average_precision(&margins, &positive)
    });
}

/// The score of class 1 less that of class 0, and whether the label is 1.
fn margins(scores: &Scores, labels: &[usize]) -> (Vec<f64>, Vec<bool>) {
    let margin = |pair: &[f32]| f64::from(pair[1]) - f64::from(pair[0]);
    let margins = scores.values().chunks_exact(2).map(margin).collect();
    (margins, labels.iter().map(|&label| label == 1).collect())
}

impl Metric for ClassMetric {
    fn name(&self) -> &str {
        self.name
    }

    fn direction(&self) -> Direction {
        self.direction
    }

    fn range(&self) -> (f64, f64) {
        self.range
    }

    fn value(&self, scores: &Scores, labels: &[usize]) -> Result<f64> {
        match ((self.of)(scores, labels), self.instead) {
            (Err(Error::Undefined { .. }), Some(value)) => Ok(value),
            (value, _) => value,
        }
    }
}

/// The metric of class scores that has this name, as the files of learned losses keep it.
///
/// # Errors
/// [`Error::Parameter`] for a name that no metric of this library has, with those there are.
///
/// # Example
/// ```
/// assert_eq!(reloss::metric::named("macro-F1")?.name(), "macro-F1");
/// assert_eq!(reloss::metric::named("top-3 accuracy")?.name(), "top-3 accuracy");
/// assert!(reloss::metric::named("parity-aware accuracy").is_err());
/// # Ok::<(), reloss::Error>(())
/// ```
pub fn named(name: &str) -> Result<Arc<dyn Metric>> {
    if name == TopK::ACCURACY.name() {
        return Ok(Arc::new(TopK::ACCURACY));
    }
    let k = name.strip_prefix("top-").and_then(|rest| rest.strip_suffix(" accuracy"));
    if let Some(k) = k.and_then(|k| k.parse().ok()) {
        return Ok(Arc::new(TopK::new(k)?));
    }
    match ClassMetric::ALL.into_iter().find(|metric| metric.name == name) {
        Some(metric) => Ok(Arc::new(metric)),
        None => {
            let names: Vec<&str> = ClassMetric::ALL.iter().map(|metric| metric.name).collect();
            let reason = format!("`{name}` is none of accuracy, top-k accuracy, {}", names.join(", "));
            Err(Error::parameter("metric", reason))
        }
    }
}
