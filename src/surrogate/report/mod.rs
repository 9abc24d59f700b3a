//! What there is to know of a learned loss before training with it: its report card.

mod agreement;
mod profile;
mod warning;

pub use agreement::{Agreement, Group};
pub use profile::Profile;
pub use warning::Warning;

use std::fmt;

use super::learn::{Learned, Step};
use super::{LearnedLoss, Modality, Surrogate};
use crate::error::{check_finite, check_positive, Error, Result};
use crate::loss::{value, CrossEntropy, Focal, Loss, MeanAbsoluteError};
use crate::metric::{Bootstrap, Direction, Isotonic, Metric};
use crate::sampler::{Sample, Stage};
use agreement::{Judge, Named};

/// The loss of a sample.
type Value<S> = dyn Fn(&S) -> Result<f64>;

/// A loss of samples to compare a learned one with.
pub struct Rival<S = Sample> {
    name: String,
    value: Box<Value<S>>,
}

impl<S> Rival<S> {
    /// A loss as a function of a sample; its name in tables.
    pub fn new(name: &str, value: impl Fn(&S) -> Result<f64> + 'static) -> Self {
        Self { name: name.to_string(), value: Box::new(value) }
    }

    /// The same loss under another name.
    pub fn named(self, name: &str) -> Self {
        Self { name: name.to_string(), ..self }
    }
}

impl Rival {
    /// A loss of class scores.
    ///
    /// # Example
    /// ```
    /// use reloss::loss::Focal;
    /// use reloss::surrogate::{ReportOptions, Rival};
    /// let sharp = Rival::of(Focal::new(5.0)?).named("focal, γ = 5");
    /// let options = ReportOptions { rivals: vec![sharp], ..ReportOptions::default() };
    /// assert_eq!(format!("{:?}", options.rivals), "[focal, γ = 5]");
    /// # Ok::<(), reloss::Error>(())
    /// ```
    pub fn of(loss: impl Loss + 'static) -> Self {
        Self::new(&loss.name().replace('_', " "), move |s| value(&loss, &s.scores, &s.labels))
    }
}

impl<S> fmt::Debug for Rival<S> {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// What a report card looks at beside the held-out samples, and how.
#[derive(Debug)]
pub struct ReportOptions<S = Sample> {
    /// Losses to compare with, beside those the kind of predictions has of itself ([`Reported::rivals`]); each has a name of
    /// its own.
    pub rivals: Vec<Rival<S>>,
    /// Samples of a model as it improves, in order ([`Sampler::stages`](crate::sampler::Sampler::stages)); none by default.
    pub stages: Vec<Stage<S>>,
    /// Bands of difficulty, by the metric's quantiles, 1 or more; 4 ("ours": quarters of some hundred samples are enough for
    /// a correlation each).
    pub bands: usize,
    /// How intervals are found.
    pub bootstrap: Bootstrap,
}

impl<S> Default for ReportOptions<S> {
    fn default() -> Self {
        Self { rivals: Vec::new(), stages: Vec::new(), bands: 4, bootstrap: Bootstrap::default() }
    }
}

/// A learned loss of any kind of predictions, as report cards take it: [`Surrogate`] and every [`LearnedLoss`].
pub trait Reported {
    /// A batch of predictions, with its metric.
    type Sample;

    /// The loss and the metric of each sample.
    ///
    /// # Errors
    /// [`Error::Shape`] for samples that do not fit together or the loss.
    fn judged(&self, samples: &[Self::Sample]) -> Result<(Vec<f64>, Vec<f64>)>;

    /// Losses that take the same samples, the original first.
    fn rivals(&self) -> Vec<Rival<Self::Sample>>;

    /// The loss over the label's probability, where there is such a thing.
    ///
    /// # Errors
    /// [`Error::Device`] when the device is out of memory.
    fn over_p(&self) -> Result<Option<Profile>> {
        Ok(None)
    }
}

impl Reported for Surrogate {
    type Sample = Sample;

    fn judged(&self, samples: &[Sample]) -> Result<(Vec<f64>, Vec<f64>)> {
        Ok((self.values(samples)?, samples.iter().map(|sample| sample.metric).collect()))
    }

    /// Cross-entropy, plain and with labels smoothed by the usual 0.1, the focal loss and the mean absolute error.
    fn rivals(&self) -> Vec<Rival> {
        vec![
            Rival::of(CrossEntropy::default()),
            Rival::of(CrossEntropy { smoothing: 0.1, ..CrossEntropy::default() }),
            Rival::of(Focal::default()),
            Rival::of(MeanAbsoluteError),
        ]
    }

    fn over_p(&self) -> Result<Option<Profile>> {
        self.profile().map(Some)
    }
}

impl<M: Modality> Reported for LearnedLoss<M> {
    type Sample = M::Sample;

    fn judged(&self, samples: &[M::Sample]) -> Result<(Vec<f64>, Vec<f64>)> {
        self.values_and_metrics(samples)
    }

    fn rivals(&self) -> Vec<Rival<M::Sample>> {
        M::rivals()
    }
}

/// From the loss of a sample to an estimate of its error: 1 − metric, or the metric where lower is better.
#[derive(Debug, Clone, PartialEq)]
pub struct Calibration {
    /// The error over the loss, by isotonic regression on all held-out samples.
    pub curve: Isotonic,
    /// Mean absolute difference between estimate and error, each half of the samples estimated from the other.
    pub off: f64,
}

impl Calibration {
    fn new(losses: &[f64], metric: &[f64], direction: Direction) -> Result<Self> {
        let error = |m: &f64| if direction == Direction::HigherIsBetter { 1.0 - m } else { *m };
        let errors: Vec<f64> = metric.iter().map(error).collect();
        let half = |all: &[f64], from: usize| all.iter().skip(from).step_by(2).copied().collect::<Vec<f64>>();
        let mut off = 0.0;
        for (fitted, judged) in [(0, 1), (1, 0)] {
            let curve = Isotonic::rising(&half(losses, fitted), &half(&errors, fitted))?;
            let pairs = half(losses, judged).into_iter().zip(half(&errors, judged));
            off += pairs.map(|(loss, error)| (curve.at(loss) - error).abs()).sum::<f64>();
        }
        Ok(Self { curve: Isotonic::rising(losses, &errors)?, off: off / metric.len() as f64 })
    }

    /// The loss of a sample, read as an estimate of 1 − metric (of the metric, where lower is better).
    pub fn error(&self, loss: f64) -> f64 {
        self.curve.at(loss)
    }
}

/// A learned loss on samples it was not learned from, beside others.
///
/// In a notebook it shows itself as a figure and tables, warnings first; `report.block()?.save("report.html")` is the same as a
/// page.
#[derive(Debug, Clone)]
pub struct Report {
    /// The metric's name.
    pub metric: String,
    /// Which of its values are better.
    pub direction: Direction,
    /// The metric of each sample.
    pub values: Vec<f64>,
    /// The learned loss first, then the original, then the others.
    pub agreements: Vec<Agreement>,
    /// By difficulty: bands of the metric, lowest first. Within a band all correlations are lower than over its whole range.
    pub bands: Vec<Group>,
    /// Under drift: by stage, as the model improves.
    pub stages: Vec<Group>,
    /// The loss as an estimate of the error.
    pub calibration: Calibration,
    /// The learned loss over p, of class scores.
    pub profile: Option<Profile>,
    /// How it was learned, where that is known: a file does not say.
    pub history: Vec<Step>,
    /// What to know of before training with it.
    pub warnings: Vec<Warning>,
}

impl Report {
    /// The report card of a loss, on samples it was not learned from.
    ///
    /// # Errors
    /// [`Error::Undefined`] when the metric is the same on all samples,
    /// [`Error::Parameter`] for options out of range and for two losses of one
    /// name, and what the samples themselves have wrong.
    ///
    /// # Example
    /// A V-shaped loss, lowest at p = 0.814 as the authors' released weights are: it ranks well, and still is not one to train
    /// a model to the end with.
    /// ```
    /// use reloss::metric::TopK;
    /// use reloss::ops::{Parameter, Parameters};
    /// use reloss::sampler::Sampler;
    /// use reloss::surrogate::{Input, Network, Report, ReportOptions, Surrogate, Warning};
    /// // |128.16 p − 104.3|, as a network of width 1: ELU changes nothing above 0.
    /// let layers = ["logits_fcs.0", "logits_fcs.2", "loss.0", "loss.2"].iter().zip([(1.0, 0.0), (1.0, 0.0), (1.0, 0.0), (128.16, -104.3)]);
    /// let mut members = Vec::new();
    /// for (name, (weight, bias)) in layers {
    ///     members.push(Parameter::new(&format!("{name}.weight"), &[1, 1], vec![weight])?);
    ///     members.push(Parameter::new(&format!("{name}.bias"), &[1], vec![bias])?);
    /// }
    /// let network = Network::from_parameters(&Parameters::new(members))?;
    /// let loss = Surrogate::new(network, Input::released(), "accuracy")?;
    /// let held_out = Sampler::random(10).draw(&TopK::ACCURACY, 100, 0)?;
    /// let report = Report::new(&loss, &TopK::ACCURACY, &held_out, &ReportOptions::default())?;
    /// let turn = report.warnings.iter().find_map(|w| match w {
    ///     Warning::Rises { minimum, .. } => Some(*minimum),
    ///     _ => None,
    /// });
    /// assert!(turn.is_some_and(|p| (p - 0.814).abs() < 0.005));
    /// # Ok::<(), reloss::Error>(())
    /// ```
    pub fn new<R: Reported, P: ?Sized, L: ?Sized>(
        loss: &R,
        metric: &dyn Metric<P, L>,
        held_out: &[R::Sample],
        options: &ReportOptions<R::Sample>,
    ) -> Result<Self> {
        check_positive("bands", options.bands as f64)?;
        let (bootstrap, direction) = (&options.bootstrap, metric.direction());
        let rivals: Vec<Rival<R::Sample>> = loss.rivals();
        let rivals: Vec<&Rival<R::Sample>> = rivals.iter().chain(&options.rivals).collect();
        check_names(&rivals)?;
        let (losses, values) = judged(loss, &rivals, held_out)?;
        let judge = Judge::new(&values, direction, bootstrap);
        let stage = |stage: &Stage<R::Sample>| {
            let (losses, values) = judged(loss, &rivals, &stage.samples)?;
            let all: Vec<usize> = (0..values.len()).collect();
            Judge::new(&values, direction, bootstrap).group(&stage.name, &losses, &all)
        };
        let named = |s: &Stage<R::Sample>| stage(s).map_err(|error| error.at(format!("stage {}", s.name)));
        let agreements = judge.agreements(&losses)?;
        let bands = judge.bands(&losses, options.bands)?;
        let mut report = Self {
            metric: metric.name().to_string(),
            direction,
            calibration: Calibration::new(&agreements[0].values, &values, direction)?,
            agreements,
            bands,
            stages: options.stages.iter().map(named).collect::<Result<_>>()?,
            profile: loss.over_p()?,
            history: Vec::new(),
            warnings: Vec::new(),
            values,
        };
        report.warnings = warning::of(&report);
        Ok(report)
    }
}

/// What cards call the learned loss.
const LEARNED: &str = "learned loss";

/// Refuses two losses of one name, which no table could tell apart.
fn check_names<S>(rivals: &[&Rival<S>]) -> Result<()> {
    let names: Vec<&str> = std::iter::once(LEARNED).chain(rivals.iter().map(|r| r.name.as_str())).collect();
    match names.iter().enumerate().find(|(i, name)| names[..*i].contains(name)) {
        Some((_, name)) => Err(Error::parameter("rivals", format!("two losses are called `{name}`"))),
        None => Ok(()),
    }
}

/// All losses of samples, the learned one first, and their metric.
fn judged<R: Reported>(
    loss: &R,
    rivals: &[&Rival<R::Sample>],
    samples: &[R::Sample],
) -> Result<(Vec<Named>, Vec<f64>)> {
    let (learned, metric) = loss.judged(samples)?;
    let mut losses = vec![(LEARNED.to_string(), learned)];
    for rival in rivals {
        let values = samples.iter().map(|sample| (rival.value)(sample)).collect::<Result<_>>();
        losses.push((rival.name.clone(), values.map_err(|error| error.at(&rival.name))?));
    }
    for (name, values) in &losses {
        check_finite("report card", values).map_err(|error| error.at(name))?;
    }
    Ok((losses, metric))
}

impl<R: Reported> Learned<R> {
    /// The report card of the loss, on samples drawn apart: [`Report::new`] with the history, and default options.
    ///
    /// # Errors
    /// As [`Report::new`].
    pub fn report<P: ?Sized, L: ?Sized>(
        &self,
        metric: &dyn Metric<P, L>,
        held_out: &[R::Sample],
    ) -> Result<Report> {
        self.report_with(metric, held_out, &ReportOptions::default())
    }

    /// As [`Learned::report`], with other losses beside it, and as the model improves.
    ///
    /// # Errors
    /// As [`Report::new`].
    pub fn report_with<P: ?Sized, L: ?Sized>(
        &self,
        metric: &dyn Metric<P, L>,
        held_out: &[R::Sample],
        options: &ReportOptions<R::Sample>,
    ) -> Result<Report> {
        let report = Report::new(&self.loss, metric, held_out, options)?;
        Ok(Report { history: self.history.clone(), ..report })
    }
}
