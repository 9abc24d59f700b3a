//! A metric of one's own: losses learned for it, on any data set, beside cross-entropy.

use std::sync::Arc;

use super::{Candidate, Case, Comparison, Ground, Setting, Toy};
use crate::data::{Dataset, Scaler, Split};
use crate::error::Result;
use crate::loss::CrossEntropy;
use crate::metric::{ClassMetric, Metric};
use crate::sampler::{Labels, Sampler};
use crate::surrogate::{learn, Learn, Learned};
use crate::task::{Classification, Train};

/// A metric on a data set: a perceptron trained with cross-entropy, with a remedy, and with the loss learned for the metric.
///
/// # Example
/// ```
/// use reloss::data::Dataset;
/// use reloss::experiment::{Case, OwnMetric};
/// use reloss::metric::{Custom, Direction, Scores};
/// fn misses(scores: &Scores, labels: &[usize]) -> f64 {
///     (0..scores.rows()).filter(|&i| labels[i] == 1 && scores.argmax(i) == 0).count() as f64
/// }
/// let misses = Custom::new("misses", Direction::LowerIsBetter, misses);
/// let case = OwnMetric::of_sets(Dataset::two_moons(100, 0.2, 0)?, misses)?;
/// assert_eq!((case.setting().as_str(), case.task(0)?.splits.train.width()), ("two moons, clean", 2));
/// # Ok::<(), reloss::Error>(())
/// ```
#[derive(Clone)]
pub struct OwnMetric {
    /// The rows; each seed splits them anew and scales features by its training part.
    pub data: Dataset,
    /// What is done to the training part.
    pub setting: Setting,
    /// What models are judged by.
    pub metric: Arc<dyn Metric>,
    /// Widths of the model's hidden layers; none is a linear model.
    pub hidden: Vec<usize>,
    /// How the loss is learned.
    pub learn: Learn,
    /// The share of random samples it is learned from; predictions stored while the model trains are the rest.
    pub random: f64,
    /// How samples are relabelled.
    pub labels: Labels,
    /// Predictions in a sample.
    pub rows: usize,
    /// Weights of cross-entropy's classes in the remedy beside it; without them the setting's usual one: class weights in a
    /// long tail, smoothed labels elsewhere.
    pub weights: Option<Vec<f32>>,
}

impl std::fmt::Debug for OwnMetric {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        write!(f, "OwnMetric({} on {}, {})", self.metric.name(), self.data.name(), self.setting.name())
    }
}

impl OwnMetric {
    /// A metric that is about a mean over rows, or over classes (`Learn::input`'s `balanced`): the loss is one of rows.
    pub fn of_rows(data: Dataset, setting: Setting, metric: impl Metric + 'static) -> Self {
        Self {
            data,
            setting,
            metric: Arc::new(metric),
            hidden: vec![128],
            learn: Learn::default(),
            random: 0.0,
            labels: Labels::Cover,
            rows: 64,
            weights: None,
        }
    }

    /// A metric of two classes that is no mean over rows: the loss sees a batch as a set, learned as in the toy experiment.
    ///
    /// # Errors
    /// As [`Toy::new`].
    pub fn of_sets(data: Dataset, metric: impl Metric + 'static) -> Result<Self> {
        let Toy { data, hidden, learn, .. } = Toy::new(data, ClassMetric::F1)?;
        Ok(Self { hidden, learn, random: 0.5, ..Self::of_rows(data, Setting::Clean, metric) })
    }

    /// Where the loss's samples come from.
    ///
    /// # Errors
    /// What training has to say.
    pub fn sampler(&self, task: &Classification, train: &Train) -> Result<Sampler> {
        let store = task.store_predictions(self.metric.as_ref(), train)?;
        Ok(Sampler { labels: self.labels, rows: self.rows, ..Sampler::mixed(store, self.random) })
    }

    /// The loss learned from the task's training part.
    ///
    /// # Errors
    /// What training and learning have to say.
    pub fn learned(&self, task: &Classification, train: &Train) -> Result<Learned> {
        let (sampler, part) = (self.sampler(task, train)?, &task.splits.train);
        let options = Learn { seed: train.seed, ..self.learn.clone() };
        let learned = learn(self.metric.as_ref(), &sampler, &options)?;
        Ok(Learned { loss: learned.loss.with_shares_of(part.labels(), part.classes())?, ..learned })
    }

    /// As [`OwnMetric::sampler`], of another model and rows: trained on the validation part, which no loss learns from.
    ///
    /// # Errors
    /// What training has to say.
    pub fn held_out(&self, task: &Classification, train: &Train) -> Result<Sampler> {
        self.sampler(&task.on_validation(), train)
    }

    /// The budget all share, that of the baselines: 40 epochs, five learning rates on three other seeds.
    pub fn comparison(seeds: Vec<u64>) -> Comparison {
        Ground::comparison(seeds)
    }
}

impl Case for OwnMetric {
    type Task = Classification;

    fn data(&self) -> String {
        self.data.name().to_string()
    }

    fn setting(&self) -> String {
        format!("{}, {}", self.data.name(), self.setting.name())
    }

    fn metric(&self) -> Arc<dyn Metric> {
        self.metric.clone()
    }

    fn task(&self, seed: u64) -> Result<Classification> {
        let splits = self.data.split(&Split { seed, ..Split::default() })?;
        let mut splits = self.setting.apply(splits, seed)?;
        let scaler = Scaler::fit(&splits.train);
        for part in [&mut splits.train, &mut splits.validation, &mut splits.test] {
            *part = scaler.apply(part)?;
        }
        Ok(Classification { splits, hidden: self.hidden.clone() })
    }

    fn candidates(&self, task: &Classification, train: &Train) -> Result<Vec<Candidate>> {
        let remedy = match &self.weights {
            Some(weights) => CrossEntropy { class_weights: Some(weights.clone()), smoothing: 0.0 },
            None => self.setting.remedy(&task.splits.train)?,
        };
        Ok(vec![
            Candidate::fixed(CrossEntropy::default()),
            Candidate::fixed(remedy),
            Candidate::fixed(self.learned(task, train)?.loss),
        ])
    }
}
