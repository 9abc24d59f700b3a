//! The tasks of sweeps: how each learns a loss, and trains with one.

use std::sync::Arc;

use super::spec::{Learning, Samples, SweepLoss, SweepTask, TwoClassData, TwoClassMetric};
use super::unit::Unit;
use crate::data::Dataset;
use crate::error::{Error, Result};
use crate::experiment::classify::{learn_on, sampler_of, Regime};
use crate::experiment::{Case, PoseCase, ReadingCase, ReadingGround, Run, Toy};
use crate::loss::Sum;
use crate::metric::{ClassMetric, Direction, Metric};
use crate::sampler::{PoseSampler, PoseSource, ReadingSampler, ReadingSource, Sampler, Source, Store};
use crate::surrogate::{learn_pose, learn_reading, Learn, Penalty, PoseForm, Refreshed, SpanInput};
use crate::task::{Classification, LossOf, MetricOf, PoseEstimation, Reading, Task, Train};

/// A learned loss with its Spearman on samples of a model that was trained on the validation part: no loss has learned from
/// them, and they are the same for all.
type Judged<T> = (LossOf<T>, f64);

/// How a loss is learned, in full.
type Learned = Learning<Learn, Train>;

/// Samples a learned loss is judged on.
const HELD_OUT: usize = 256;
/// Keeps their draws apart from those of learning.
const HELD_OUT_SEED: u64 = 0x7E57;
/// The metric of that judgement.
const AGREEMENT: &str = "held-out Spearman";

/// A case whose losses can be asked for one by one.
trait Ground {
    /// The case.
    type Case: Case<Task = Self::Task>;
    /// What is trained.
    type Task: Task;

    /// Data, model and metrics.
    fn case(&self) -> &Self::Case;

    /// The usual remedy of its regime, where there is one.
    fn remedy(&self, _: &Self::Task) -> Result<LossOf<Self::Task>> {
        Err(unused("Remedy"))
    }

    /// A loss learned on the training part, for a model that is then trained so.
    fn learned(&self, task: &Self::Task, learning: &Learned, train: &Train) -> Result<Judged<Self::Task>>;
}

/// An option that a task has no use for.
fn unused(what: &str) -> Error {
    Error::parameter("sweep", format!("this task has no use for `{what}`"))
}

impl SweepTask {
    /// The data set's name.
    pub(super) fn data(&self) -> &'static str {
        match self {
            Self::Digits(_) => "digits",
            Self::Toy(toy) => toy.data.name(),
            Self::Figures(_) => "figures",
            Self::Reading(_) => "passages",
        }
    }

    /// The name in results.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Digits(setting) => format!("digits, {}", setting.name()),
            Self::Toy(toy) => format!("{}, {}", toy.data.name(), toy.metric.metric().name()),
            Self::Figures(figures) => format!("{} figures, {1} x {1}", figures.pictures, figures.size),
            Self::Reading(reading) => format!("{} generated questions", reading.questions),
        }
    }

    /// How models are trained here, unless a sweep says otherwise.
    pub(super) fn training(&self) -> Train {
        match self {
            Self::Digits(setting) => setting.train(&Train::default()),
            Self::Toy(_) => Train::default(),
            Self::Figures(_) => PoseCase::comparison(Vec::new()).train,
            Self::Reading(_) => ReadingGround::training(),
        }
    }

    /// How models are trained here to learn a loss from, unless a sweep says otherwise.
    pub(super) fn storing(&self) -> Train {
        match self {
            Self::Figures(_) => PoseCase::storing(&self.training()),
            _ => self.training(),
        }
    }

    /// How losses are learned here, unless a sweep says otherwise.
    pub(super) fn learning(&self, form: Option<PoseForm>) -> Learn {
        match self {
            Self::Digits(setting) => setting.learn(&Learn::default()),
            Self::Toy(toy) => Toy::learning(&toy.metric.metric()),
            Self::Figures(_) => PoseCase::options(form.unwrap_or(PoseForm::Saturating)),
            Self::Reading(_) => ReadingCase::options(),
        }
    }
}

impl TwoClassData {
    fn name(self) -> &'static str {
        match self {
            Self::BreastCancer => "breast cancer",
            Self::TwoMoons => "two moons",
            Self::NoisyXor => "noisy xor",
        }
    }

    fn read(self) -> Result<Dataset> {
        match self {
            Self::BreastCancer => Dataset::breast_cancer(),
            Self::TwoMoons => Dataset::two_moons(600, 0.3, 0),
            Self::NoisyXor => Dataset::noisy_xor(600, 0.6, 0),
        }
    }
}

impl TwoClassMetric {
    fn metric(self) -> ClassMetric {
        Toy::METRICS[self as usize]
    }
}

/// The entries of one run.
pub(super) fn runs(unit: &Unit) -> Result<Vec<Run>> {
    match &unit.task {
        SweepTask::Digits(setting) => {
            let data = &Dataset::digits()?;
            runs_on(&Regime { data, setting: *setting, learn: &Learn::default() }, unit)
        }
        SweepTask::Toy(toy) => runs_on(&Toy::new(toy.data.read()?, toy.metric.metric())?, unit),
        SweepTask::Figures(figures) => {
            let case = PoseCase::generated(figures.pictures)?;
            runs_on(&PoseCase { size: [figures.size; 2], ..case }, unit)
        }
        SweepTask::Reading(reading) => {
            let ground = ReadingGround::generated(reading.questions)?;
            runs_on(&Passages { case: ReadingCase::new(&ground, None)?, ground }, unit)
        }
    }
}

fn runs_on<G: Ground>(ground: &G, unit: &Unit) -> Result<Vec<Run>> {
    let case = ground.case();
    let (task, metric) = (case.task(unit.seed)?, case.metric());
    let mut agreement = None;
    let loss = match &unit.loss {
        SweepLoss::Original => task.original(),
        SweepLoss::Remedy => ground.remedy(&task)?,
        SweepLoss::Learned(learning) => {
            let (loss, judged) = ground.learned(&task, learning, &unit.train)?;
            agreement = Some(judged);
            match learning.beside {
                0.0 => loss,
                weight => Box::new(Sum::new(&unit.name, vec![(1.0, loss), (weight, task.original())])?),
            }
        }
    };
    let outcome = task.train(loss.as_ref(), metric.as_ref(), &unit.train)?;
    let model = crate::model::Parametric::name(&outcome.model);
    let judged = |metric: &Arc<MetricOf<G::Task>>| {
        let value = outcome.test(metric.as_ref())?;
        Ok(unit.entry(model.clone(), metric.name(), metric.direction(), value))
    };
    let mut runs = [metric].iter().chain(&case.beside()).map(judged).collect::<Result<Vec<_>>>()?;
    if let Some(agreement) = agreement {
        runs.push(unit.entry(model.clone(), AGREEMENT, Direction::HigherIsBetter, agreement));
    }
    Ok(runs)
}

impl Ground for Regime<'_> {
    type Case = Self;
    type Task = Classification;

    fn case(&self) -> &Self {
        self
    }

    fn remedy(&self, task: &Classification) -> Result<LossOf<Classification>> {
        Ok(Box::new(self.setting.remedy(&task.splits.train)?))
    }

    fn learned(
        &self,
        task: &Classification,
        learning: &Learned,
        train: &Train,
    ) -> Result<Judged<Classification>> {
        let usual = |store| sampler_of(store, self.setting.balanced());
        let storing = self.setting.train(&Train::default());
        learned_of_classes(task, self.metric(), usual, &storing, (learning, train))
    }
}

impl Ground for Toy {
    type Case = Self;
    type Task = Classification;

    fn case(&self) -> &Self {
        self
    }

    fn learned(
        &self,
        task: &Classification,
        learning: &Learned,
        train: &Train,
    ) -> Result<Judged<Classification>> {
        let usual = |store| self.sampler_of(store);
        learned_of_classes(task, self.metric(), usual, &Train::default(), (learning, train))
    }
}

/// A loss of class scores, learned from the usual samples of a store, with what is otherwise than usual.
fn learned_of_classes(
    task: &Classification,
    metric: Arc<dyn Metric>,
    usual: impl Fn(Store) -> Sampler,
    storing: &Train,
    (learning, train): (&Learned, &Train),
) -> Result<Judged<Classification>> {
    if learning.form.is_some() {
        return Err(unused("form"));
    }
    let (metric_of, part) = (metric.as_ref(), &task.splits.train);
    let sampler = learning.samples.of_classes(usual(task.store_predictions(metric_of, &learning.store)?));
    let loss = learn_on(part, &sampler, metric_of, &learning.learn)?.loss;
    let storing = Train { seed: train.seed, ..storing.clone() };
    let others = usual(task.on_validation().store_predictions(metric_of, &storing)?);
    let samples = others.draw(metric_of, HELD_OUT, train.seed ^ HELD_OUT_SEED)?;
    let agreement = loss.agreement(metric_of, &samples)?;
    let Some(epochs) = learning.refresh else { return Ok((Box::new(loss), agreement)) };
    let every = epochs * part.rows().div_ceil(train.batch);
    let refreshed = Refreshed::new(loss, metric, sampler, learning.learn.clone(), every)?;
    Ok((Box::new(refreshed), agreement))
}

impl Learned {
    /// Refuses what only losses of classes have.
    fn check_without_classes(&self) -> Result<()> {
        let (usual, learn) = (Learn::default(), &self.learn);
        let said = [
            ("labels", self.samples.labels.is_some()),
            ("refresh", self.refresh.is_some()),
            ("input", learn.input != usual.input),
            ("monotone", learn.monotone),
            ("depth", learn.depth != usual.depth),
            ("activation", learn.activation != usual.activation),
        ];
        said.iter().find(|option| option.1).map_or(Ok(()), |option| Err(unused(option.0)))
    }
}

impl Samples {
    /// The share of samples that no model has predicted, of predictions that are not relabelled; half if not given, as
    /// `reloss pose` and `reloss read` have it.
    fn perturbed(&self) -> f64 {
        self.random.unwrap_or(0.5)
    }

    /// The usual samples of classes with what is otherwise here.
    fn of_classes(&self, usual: Sampler) -> Sampler {
        let source = match (usual.source, self.random) {
            (Source::Stored(store) | Source::Mixed(store, _), Some(random)) => Source::Mixed(store, random),
            (source, _) => source,
        };
        let (labels, rows) = (self.labels.unwrap_or(usual.labels), self.rows.unwrap_or(usual.rows));
        Sampler { source, labels, rows, ..usual }
    }
}

impl Ground for PoseCase {
    type Case = Self;
    type Task = PoseEstimation;

    fn case(&self) -> &Self {
        self
    }

    fn learned(
        &self,
        task: &PoseEstimation,
        learning: &Learned,
        train: &Train,
    ) -> Result<Judged<PoseEstimation>> {
        learning.check_without_classes()?;
        if learning.learn.penalty.with_respect_to != Penalty::default().with_respect_to {
            return Err(unused("with_respect_to"));
        }
        let sampler = |task: &PoseEstimation, train: &Train, perturbed: f64| {
            PoseSampler::new(PoseSource::Stored(task.store_predictions(&self.metric, train)?, perturbed))
        };
        let usual = sampler(task, &learning.store, learning.samples.perturbed())?;
        let own = PoseSampler { rows: learning.samples.rows.unwrap_or(usual.rows), ..usual };
        let form = learning.form.unwrap_or(PoseForm::Saturating);
        let learned = learn_pose(form, &self.metric, &own, &learning.learn)?;
        let usual = PoseCase::storing(&PoseCase::comparison(Vec::new()).train);
        let storing = Train { seed: train.seed, ..usual };
        let others = sampler(&self.of_validation(train.seed)?, &storing, Samples::default().perturbed())?;
        let samples = others.draw(&self.metric, HELD_OUT, train.seed ^ HELD_OUT_SEED)?;
        let agreement = learned.loss.agreement(&self.metric, &samples)?;
        Ok((Box::new(learned.loss), agreement))
    }
}

/// Generated passages.
struct Passages {
    case: ReadingCase,
    ground: ReadingGround,
}

impl Ground for Passages {
    type Case = ReadingCase;
    type Task = Reading;

    fn case(&self) -> &ReadingCase {
        &self.case
    }

    fn learned(&self, task: &Reading, learning: &Learned, train: &Train) -> Result<Judged<Reading>> {
        learning.check_without_classes()?;
        if learning.form.is_some() {
            return Err(unused("form"));
        }
        let metric = self.case.f1();
        let sampler = |task: &Reading, train: &Train, perturbed: f64| {
            ReadingSampler::new(ReadingSource::Stored(task.store_predictions(&metric, train)?, perturbed))
        };
        let usual = sampler(task, &learning.store, learning.samples.perturbed())?;
        let own = ReadingSampler { rows: learning.samples.rows.unwrap_or(usual.rows), ..usual };
        let draw = |count, seed| own.draw(&metric, count, seed);
        let learned = learn_reading(&metric, SpanInput::default(), draw, &learning.learn)?;
        let validation = &self.ground.parts[1];
        let parts = [validation.clone(), validation.clone(), validation.clone()];
        let other = ReadingCase::new(&ReadingGround { parts, ..self.ground.clone() }, None)?;
        let storing = Train { seed: train.seed, ..ReadingGround::training() };
        let others = sampler(&other.task, &storing, Samples::default().perturbed())?;
        let samples = others.draw(&metric, HELD_OUT, train.seed ^ HELD_OUT_SEED)?;
        let agreement = learned.loss.agreement(&metric, &samples)?;
        Ok((Box::new(learned.loss), agreement))
    }
}
