//! Losses of several papers on the ground where they play: imbalanced pairs of classes, long tails, retrieval.

use std::path::Path;
use std::sync::Arc;

use super::{learn_loss, Candidate, Case, Comparison, Results, Setting, Toy};
use crate::baseline::{
    AnyLoss, Compared, Comparisons, JeffriesMatusita, NewtonFisher, PairLoss, PairwiseAuc, ProtoTriplet,
    RecallAtK, SoftMetric, UniLoss,
};
use crate::data::{Dataset, Split};
use crate::error::{Error, Result};
use crate::loss::{CrossEntropy, Loss};
use crate::metric::{ClassMetric, Metric, NearestRecall, TopK};
use crate::sampler::Labels;
use crate::surrogate::{Learn, Penalty};
use crate::task::{Classification, Train};

/// A data set under a regime, with the losses that are made for it.
#[derive(Debug, Clone)]
pub enum Ground {
    /// Two classes, class 1 the rare one; judged by one of AnyLoss's metrics or ROC-AUC.
    Imbalanced(Box<Toy>),
    /// Digits whose classes thin out; judged by macro-F1.
    LongTail(Dataset, Setting),
    /// Digits whose class scores serve as embeddings; judged by recall at 1 among the test rows.
    Retrieval(Dataset),
}

impl Ground {
    /// All of them: two imbalanced sets under four metrics, long-tailed digits, retrieval.
    ///
    /// # Errors
    /// [`Error::Data`] when an embedded file is damaged.
    pub fn all() -> Result<Vec<Self>> {
        let cancer = Dataset::breast_cancer()?;
        // Malignant, the smaller class, becomes class 1.
        let turned = cancer.labels().iter().map(|label| 1 - label).collect();
        let cancer =
            Dataset::new("breast cancer 9:1", cancer.features().to_vec(), cancer.width(), turned, 2)?;
        let moons = Dataset::two_moons(1200, 0.3, 0)?;
        let moons = Dataset::new("two moons 9:1", moons.features().to_vec(), 2, moons.labels().to_vec(), 2)?;
        let metrics =
            [ClassMetric::F1, ClassMetric::G_MEAN, ClassMetric::BALANCED_ACCURACY, ClassMetric::ROC_AUC];
        let mut grounds = Vec::new();
        for data in [imbalanced(&cancer, 9)?, imbalanced(&moons, 9)?] {
            for metric in metrics {
                grounds.push(Self::Imbalanced(Box::new(rare(Toy::new(data.clone(), metric)?))));
            }
        }
        let digits = Dataset::digits()?;
        grounds.push(Self::LongTail(digits.clone(), Setting::LongTail(50.0)));
        grounds.push(Self::Retrieval(digits));
        Ok(grounds)
    }

    /// Compares the losses of these grounds.
    ///
    /// # Errors
    /// As [`Comparison::run`].
    pub fn run(
        grounds: &[Self],
        comparison: &Comparison,
        done: Results,
        path: Option<&Path>,
        command: &str,
    ) -> Result<Results> {
        let cases: Vec<&dyn Case> = grounds.iter().map(|ground| ground as &dyn Case).collect();
        comparison.run("baselines", &cases, done, path, command)
    }

    /// The budget all share: 40 epochs (80 in the long tail), five learning rates on three other seeds.
    pub fn comparison(seeds: Vec<u64>) -> Comparison {
        Comparison {
            seeds,
            tuning_seeds: vec![100, 101, 102],
            grid: vec![1e-3, 3e-3, 1e-2, 3e-2, 1e-1],
            train: Train::default(),
        }
    }
}

/// Where a class is rare its loss is learned from samples in which either class may be, up to 20 times, and with ten times
/// the penalty: chosen on seeds 200 to 203 of both sets.
fn rare(toy: Toy) -> Toy {
    let penalty = Penalty { weight: 0.1, ..toy.learn.penalty };
    Toy { labels: Labels::LongTail(20.0), learn: Learn { penalty, ..toy.learn.clone() }, ..toy }
}

/// All rows of class 0, and the first of class 1 until there are `ratio` of class 0 for each.
///
/// # Errors
/// [`Error::Parameter`] for a ratio of 0, [`Error::Shape`] where no row is left.
fn imbalanced(data: &Dataset, ratio: usize) -> Result<Dataset> {
    let of = |class: usize| (0..data.rows()).filter(move |&row| data.labels()[row] == class);
    let many = of(0).count();
    let few = many.checked_div(ratio).ok_or_else(|| Error::parameter("ratio", "it must be positive"))?;
    data.take(&of(0).chain(of(1).take(few)).collect::<Vec<_>>())
}

/// What AnyLoss has for a metric; the balanced accuracy for an AUC.
fn soft(metric: &ClassMetric) -> SoftMetric {
    match metric.name() {
        "F1" => SoftMetric::FBeta(1.0),
        "G-mean" => SoftMetric::GMean,
        _ => SoftMetric::BalancedAccuracy,
    }
}

fn uniloss(comparisons: Comparisons, metric: fn(&Compared) -> f64) -> Candidate {
    Candidate::fresh("uniloss", move |seed| {
        Ok(Box::new(UniLoss::new(comparisons, metric, seed)) as Box<dyn Loss>)
    })
}

/// Cross-entropy, then the classifier alone with labels smoothed by 0.98, for half as many epochs at the same rate.
fn over_smoothing() -> Candidate {
    Candidate::procedure("label_over_smoothing", |task, metric, options| {
        let first = task.train(&CrossEntropy::default(), metric, options)?;
        let again = Train { epochs: options.epochs.div_ceil(2), ..options.clone() };
        task.retrain_classifier(&first, &CrossEntropy::smoothed(0.98)?, metric, &again)
    })
}

impl Case for Ground {
    fn data(&self) -> String {
        match self {
            Self::Imbalanced(toy) => toy.data.name().to_string(),
            Self::LongTail(data, _) | Self::Retrieval(data) => data.name().to_string(),
        }
    }

    fn setting(&self) -> String {
        match self {
            Self::Imbalanced(toy) => toy.data.name().to_string(),
            Self::LongTail(_, setting) => format!("digits, {}", setting.name()),
            Self::Retrieval(_) => "digits, retrieval".to_string(),
        }
    }

    fn metric(&self) -> Arc<dyn Metric> {
        match self {
            Self::Imbalanced(toy) => Arc::new(toy.metric),
            Self::LongTail(_, setting) => setting.metric(),
            Self::Retrieval(_) => Arc::new(NearestRecall::first()),
        }
    }

    fn task(&self, seed: u64) -> Result<Classification> {
        match self {
            Self::Imbalanced(toy) => toy.task(seed),
            Self::LongTail(data, setting) => setting.task(data, seed),
            Self::Retrieval(data) => {
                Ok(Classification::new(data.split(&Split { seed, ..Split::default() })?))
            }
        }
    }

    fn train(&self, all: &Train) -> Train {
        let long = matches!(self, Self::LongTail(..));
        Train { epochs: all.epochs * if long { 2 } else { 1 }, ..all.clone() }
    }

    fn candidates(&self, task: &Classification, train: &Train) -> Result<Vec<Candidate>> {
        let part = &task.splits.train;
        let mut candidates = vec![Candidate::fixed(CrossEntropy::default())];
        let options = Learn { seed: train.seed, ..Learn::default() };
        match self {
            Self::Imbalanced(toy) => {
                candidates.push(Candidate::fixed(CrossEntropy::balanced(part.labels(), 2)?));
                candidates.push(Candidate::named("anyloss", AnyLoss::new(soft(&toy.metric))));
                for pair in [PairLoss::Square, PairLoss::Exponential, PairLoss::Hinge] {
                    candidates.push(Candidate::fixed(PairwiseAuc { pair }));
                }
                candidates.push(Candidate::fixed(JeffriesMatusita));
                candidates.push(uniloss(Comparisons::OnesWithZeros, Compared::roc_auc));
                let alternating = toy.as_ref().clone();
                candidates.push(Candidate::fresh(Toy::LOSSES[1], move |seed| {
                    Ok(Box::new(alternating.alternating(seed)?) as Box<dyn Loss>)
                }));
                candidates.push(Candidate::fixed(toy.learned(task, train, &toy.learn)?.loss));
            }
            Self::LongTail(..) => {
                candidates.push(Candidate::fixed(CrossEntropy::balanced(part.labels(), part.classes())?));
                candidates.push(over_smoothing());
                candidates.push(Candidate::fixed(PairwiseAuc { pair: PairLoss::Hinge }));
                candidates.push(Candidate::fixed(JeffriesMatusita));
                candidates.push(uniloss(Comparisons::LabelWithOthers, Compared::accuracy));
                let original = Box::new(CrossEntropy::default());
                candidates.push(Candidate::fixed(NewtonFisher::new(original, 0.1)?));
                let mut options = options;
                options.input.balanced = true;
                let learned = learn_loss(task, self.metric().as_ref(), train, &options)?;
                candidates.push(Candidate::fixed(learned.loss));
            }
            Self::Retrieval(_) => {
                candidates.push(Candidate::fixed(RecallAtK::default()));
                candidates.push(Candidate::fixed(ProtoTriplet::default()));
                // For accuracy: a learned loss sees what a row gives its label, not its neighbours.
                let learned = learn_loss(task, &TopK::ACCURACY, train, &options)?;
                candidates.push(Candidate::fixed(learned.loss));
            }
        }
        Ok(candidates)
    }
}
