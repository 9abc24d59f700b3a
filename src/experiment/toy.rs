//! The toy experiment: two classes, metrics that cannot be differentiated, losses learned by rank and by value.

use std::sync::Arc;

use super::{per_seed, Candidate, Case, Comparison, Results, Run};
use crate::baseline::{AlternatingSurrogate, Lsl};
use crate::data::{Dataset, Scaler, Split};
use crate::error::{Error, Result};
use crate::loss::{CrossEntropy, Loss};
use crate::metric::{class_counts, ClassMetric, Metric};
use crate::sampler::{Labels, Sample, Sampler, Store};
use crate::surrogate::{learn, learn_watched, Fit, Input, Learn, Learned, Penalty, Slope};
use crate::task::{Classification, Outcome, Train};

/// One metric on one data set of two classes.
///
/// # Reference
/// After Huang et al., "Relational Surrogate Loss Learning", ICLR 2022, figures of the toy experiment; their data set is
/// not known.
#[derive(Debug, Clone)]
pub struct Toy {
    /// Two classes.
    pub data: Dataset,
    /// What models are judged by.
    pub metric: ClassMetric,
    /// Widths of the model's hidden layers.
    pub hidden: Vec<usize>,
    /// How losses are learned, by rank and by value alike.
    pub learn: Learn,
    /// How the predictions they are learned from are relabelled.
    pub labels: Labels,
}

/// Losses learned from the same predictions, one by the metric's ranks and one by its values.
#[derive(Debug, Clone)]
pub struct Pair {
    /// ReLoss.
    pub by_rank: Learned,
    /// The same network and penalty-free, as losses were learned before.
    pub by_value: Learned,
}

/// Rank correlation of a loss with the metric while it is learned.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Progression {
    /// The step of learning.
    pub step: usize,
    /// Spearman between −loss and metric on predictions for the rows it learns from.
    pub train: f64,
    /// The same on predictions for the test part, with their true labels resampled.
    pub held_out: f64,
}

impl Toy {
    /// A case with one hidden layer of 32.
    ///
    /// # Errors
    /// [`Error::Shape`] for data of other than two classes, [`Error::Undefined`] where one of them does not occur.
    pub fn new(data: Dataset, metric: ClassMetric) -> Result<Self> {
        if data.classes() != 2 {
            return Err(Error::shape("toy experiment", "two classes", data.classes()));
        }
        if let Some(class) = class_counts(data.labels(), 2)?.iter().position(|&count| count == 0) {
            return Err(Error::undefined("toy experiment", format!("class {class} does not occur")));
        }
        Ok(Self { data, metric, hidden: vec![32], learn: Self::learning(&metric), labels: Labels::Cover })
    }

    /// How losses for this metric are learned: an error rate is a mean over rows, other metrics are of the batch as a set.
    ///
    /// Chosen on seeds 200 to 203 of the three data sets: the log-odds unscaled (the metrics turn at 0, and a network of small
    /// inputs is too smooth there), a penalty of 0.01 on the sample's whole gradient (with 10 on every row's, the default
    /// for ten classes, far rows pull as much as near ones).
    pub(super) fn learning(metric: &ClassMetric) -> Learn {
        let set = metric.name() != ClassMetric::ERROR_RATE.name();
        Learn {
            input: Input { set, scale: 1.0, ..Input::default() },
            penalty: Penalty { weight: 0.01, slope: Slope::Sample, ..Penalty::default() },
            // Well above 0, so that a start that ranks backwards can be turned round.
            output_bias: 2.0,
            ..Learn::default()
        }
    }

    /// The loss options of the value fit: the squared distance alone, as in the papers that fit values.
    pub fn by_value(&self) -> Learn {
        Learn {
            fit: Fit::Value,
            penalty: Penalty { weight: 0.0, ..self.learn.penalty },
            ..self.learn.clone()
        }
    }

    /// Predictions for the training part, of all qualities a model passes through, relabelled to cover the metric; half of
    /// the samples are random.
    ///
    /// # Errors
    /// What training has to say.
    pub fn sampler(&self, task: &Classification, train: &Train) -> Result<Sampler> {
        Ok(self.sampler_of(task.store_predictions(&self.metric, train)?))
    }

    /// The same, of stored predictions.
    pub(super) fn sampler_of(&self, store: Store) -> Sampler {
        Sampler { labels: self.labels, ..Sampler::mixed(store, 0.5) }
    }

    /// A loss learned with these options from the task's predictions.
    ///
    /// # Errors
    /// What training and learning have to say.
    pub fn learned(&self, task: &Classification, train: &Train, options: &Learn) -> Result<Learned> {
        let sampler = self.sampler(task, train)?;
        learn(&self.metric, &sampler, &Learn { seed: train.seed, ..options.clone() })
    }

    /// Both losses, from the same predictions.
    ///
    /// # Errors
    /// What training and learning have to say.
    pub fn pair(&self, task: &Classification, train: &Train) -> Result<Pair> {
        let sampler = self.sampler(task, train)?;
        let of = |options: Learn| learn(&self.metric, &sampler, &Learn { seed: train.seed, ..options });
        Ok(Pair { by_rank: of(self.learn.clone())?, by_value: of(self.by_value())? })
    }

    /// Samples of another task's test predictions: models of all qualities, on rows no loss has learned from.
    ///
    /// # Errors
    /// What training has to say.
    pub fn held_out(&self, task: &Classification, train: &Train, count: usize) -> Result<Vec<Sample>> {
        let mut other = task.clone();
        other.splits.train = task.splits.test.clone();
        let sampler = Sampler::stored(other.store_predictions(&self.metric, train)?);
        Sampler { labels: self.labels, ..sampler }.draw(&self.metric, count, train.seed ^ 0x7E57)
    }

    /// Learns a loss and looks at its rank correlation on both kinds of samples on the way.
    ///
    /// # Errors
    /// What learning has to say.
    pub fn progression(
        &self,
        options: &Learn,
        sampler: &Sampler,
        held_out: &[Sample],
    ) -> Result<(Learned, Vec<Progression>)> {
        let own = sampler.draw(&self.metric, held_out.len().max(2), options.seed ^ 0x0117)?;
        let mut seen = Vec::new();
        let learned = learn_watched(&self.metric, sampler, options, |step, loss| {
            let train = loss.agreement(&self.metric, &own)?;
            seen.push(Progression { step, train, held_out: loss.agreement(&self.metric, held_out)? });
            Ok(())
        })?;
        Ok((learned, seen))
    }

    /// For every seed a loss learned with these options, and a model trained with it at this rate.
    ///
    /// # Errors
    /// What training and learning have to say.
    pub fn trained(
        &self,
        options: &Learn,
        seeds: &[u64],
        learning_rate: f64,
    ) -> Result<Vec<(Learned, Outcome)>> {
        per_seed(seeds, |seed| {
            let (task, train) = (self.task(seed)?, Train { seed, ..Train::default() });
            let learned = self.learned(&task, &train, options)?;
            let outcome = task.train(&learned.loss, &self.metric, &Train { learning_rate, ..train })?;
            Ok((learned, outcome))
        })
    }

    /// One loss a seed, learned from this case's model alone, trains models of these hidden widths; cross-entropy and a
    /// surrogate that alternates with each model beside it. The setting of a run is its model.
    ///
    /// `rates` are those of cross-entropy, the alternating surrogate and the learned loss, for all models.
    ///
    /// # Errors
    /// What training and learning have to say.
    pub fn transfer(&self, models: &[Vec<usize>], seeds: &[u64], rates: [f64; 3]) -> Result<Results> {
        let one = |seed: u64| -> Result<Vec<(usize, Run)>> {
            let (task, train) = (self.task(seed)?, Train { seed, ..Train::default() });
            let learned = self.learned(&task, &train, &self.learn)?.loss;
            let mut runs = Vec::new();
            for (place, hidden) in models.iter().enumerate() {
                let task = Classification { hidden: hidden.clone(), ..task.clone() };
                let alternating = self.alternating(seed)?;
                let original = CrossEntropy::default();
                let losses: [(&str, &dyn Loss); 3] = [
                    (Self::LOSSES[0], &original),
                    (Self::LOSSES[1], &alternating),
                    (Self::LOSSES[3], &learned),
                ];
                for ((name, loss), learning_rate) in losses.into_iter().zip(rates) {
                    let outcome =
                        task.train(loss, &self.metric, &Train { learning_rate, ..train.clone() })?;
                    let names = (self.data.name(), task.model_name());
                    let run = Run::judged((names.0, &names.1), name, &self.metric, seed, &outcome)?;
                    runs.push((place, run));
                }
            }
            Ok(runs)
        };
        let mut runs = per_seed(seeds, one)?.concat();
        // By model, seeds in their order.
        runs.sort_by_key(|run| run.0);
        Ok(Results { runs: runs.into_iter().map(|run| run.1).collect() })
    }

    pub(super) fn alternating(&self, seed: u64) -> Result<AlternatingSurrogate> {
        AlternatingSurrogate::new(Arc::new(self.metric), &Lsl { seed, ..Lsl::default() })
    }

    /// The seeds and budget of comparing cross-entropy, the alternating surrogate, and losses learned once by value and by
    /// rank: 40 epochs in batches of 64, seven learning rates on four other seeds.
    pub fn comparison(seeds: Vec<u64>) -> Comparison {
        Comparison {
            seeds,
            tuning_seeds: vec![100, 101, 102, 103],
            grid: vec![1e-3, 2e-3, 4e-3, 8e-3, 1.6e-2, 3.2e-2, 6.4e-2],
            train: Train::default(),
        }
    }

    /// Metrics of the experiment: the paper's misclassification rate, and those of Grabocka et al.; a model that predicts one
    /// class has a Matthews' correlation of 0.
    pub const METRICS: [ClassMetric; 5] = [
        ClassMetric::ERROR_RATE,
        ClassMetric::F1,
        ClassMetric::ROC_AUC,
        ClassMetric::JACCARD,
        ClassMetric::MATTHEWS.where_undefined(0.0),
    ];

    /// What the comparison calls its losses, in its order.
    pub const LOSSES: [&'static str; 4] =
        ["cross_entropy", "learned_alternating", "learned_by_value", "reloss"];
}

impl Case for Toy {
    type Task = Classification;

    fn data(&self) -> String {
        self.data.name().to_string()
    }

    fn setting(&self) -> String {
        self.data.name().to_string()
    }

    fn metric(&self) -> Arc<dyn Metric> {
        Arc::new(self.metric)
    }

    /// The split of one seed, features scaled by its training part.
    fn task(&self, seed: u64) -> Result<Classification> {
        let mut splits = self.data.split(&Split { seed, ..Split::default() })?;
        let scaler = Scaler::fit(&splits.train);
        for part in [&mut splits.train, &mut splits.validation, &mut splits.test] {
            *part = scaler.apply(part)?;
        }
        Ok(Classification { splits, hidden: self.hidden.clone() })
    }

    fn candidates(&self, task: &Classification, train: &Train) -> Result<Vec<Candidate>> {
        let Pair { by_rank, by_value } = self.pair(task, train)?;
        let toy = self.clone();
        let alternating = move |seed: u64| Ok(Box::new(toy.alternating(seed)?) as Box<dyn Loss>);
        Ok(vec![
            Candidate::fixed(CrossEntropy::default()),
            Candidate::fresh(Self::LOSSES[1], alternating),
            Candidate::named(Self::LOSSES[2], by_value.loss),
            Candidate::fixed(by_rank.loss),
        ])
    }
}
