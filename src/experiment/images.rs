//! Losses learned on some images, frozen, and used by other networks on other images.

use std::path::Path;
use std::sync::Arc;

use super::classify::learn_from;
use super::{learn_loss, Candidate, Case, Comparison, Setting};
use crate::baseline::{JeffriesMatusita, PairLoss, PairwiseAuc};
use crate::data::{Augment, Dataset, ImageShape, Split, Splits};
use crate::error::Result;
use crate::loss::{CrossEntropy, Focal, Loss, MeanAbsoluteError, Sum};
use crate::metric::{Metric, TopK};
use crate::surrogate::{Learn, Learned, Pretrained, Surrogate};
use crate::task::{Architecture, ImageClassification, Train};

/// One network on one set of images under one regime, judged by one metric.
#[derive(Debug, Clone)]
pub struct ImageCase {
    /// What is trained on, and split for validation; one copy serves many cases.
    pub train: Arc<Dataset>,
    /// What is tested on.
    pub test: Arc<Dataset>,
    /// What a row is.
    pub image: ImageShape,
    /// The network.
    pub architecture: Architecture,
    /// What is done to the labels.
    pub setting: Setting,
    /// What it is judged by; rows weigh by their class where that is a mean over classes.
    pub goal: Pretrained,
    /// Rows of the training set that are used, drawn by the seed; all but a hundredth if there are no more.
    pub rows: usize,
    /// How training images are varied.
    pub augment: Option<Augment>,
    /// The losses compared with cross-entropy.
    pub losses: ImageLosses,
}

/// What is compared with cross-entropy on images.
#[derive(Debug, Clone)]
pub enum ImageLosses {
    /// Smoothed labels, class weights where classes count alike, the losses of other papers, and the learned loss that comes
    /// with the library: alone, taking over from cross-entropy half-way, and the same together with smoothed labels.
    All,
    /// As [`ImageLosses::All`] without the losses of other papers: for networks that take long.
    Few,
    /// Learned losses, by name: [`Surrogate::to_safetensors`].
    Learned(Vec<(String, Vec<u8>)>),
}

/// The share of the rows used that validates.
const VALIDATION: f64 = 0.2;

/// What cross-entropy with smoothed labels weighs beside a learned loss that takes over together with it: ours, on unused
/// training rows, seeds 200 to 231.
const SMOOTHED: f32 = 1.0;

/// Learns a loss that comes with the library, from predictions of a perceptron on the embedded digits (seed 0), clean or with
/// a tail of 20:1.
///
/// It is learned as [`Learn::log_probability`] says.
///
/// # Errors
/// What training and learning have to say.
pub fn pretrain(which: Pretrained) -> Result<Learned> {
    let setting = if which.balanced() { Setting::LongTail(20.0) } else { Setting::Clean };
    let task = setting.task(&Dataset::digits()?, 0)?;
    let mut options = Learn::log_probability();
    options.input.balanced = which.balanced();
    let mut learned = learn_loss(&task, which.metric().as_ref(), &Train::default(), &options)?;
    // The digits' shares are not those of what it will be used for.
    learned.loss = learned.loss.without_shares();
    Ok(learned)
}

impl ImageCase {
    /// The budget all share: ten epochs, four learning rates on two other seeds; the rate rises for a tenth of the steps.
    pub fn comparison(seeds: Vec<u64>) -> Comparison {
        Comparison {
            seeds,
            tuning_seeds: vec![100, 101],
            grid: vec![1e-3, 3e-3, 1e-2, 3e-2],
            train: Train { epochs: 10, ramp: 0.1, ..Train::default() },
        }
    }

    /// The data and the network: `MNIST, conv-16-32`.
    pub fn ground(&self) -> String {
        format!("{}, {}", self.train.name(), self.architecture.name())
    }

    /// A loss learned from what the network predicts here while it trains with cross-entropy.
    ///
    /// # Errors
    /// What training and learning have to say.
    pub fn learn(&self, train: &Train, options: &Learn) -> Result<Learned> {
        let (task, metric) = (self.task(train.seed)?, self.metric());
        let mut options = options.clone();
        options.input.balanced = self.goal.balanced();
        let store = task.store_predictions(metric.as_ref(), train)?;
        let mut learned = learn_from(store, &task.splits.train, metric.as_ref(), &options)?;
        learned.loss = learned.loss.without_shares();
        Ok(learned)
    }

    /// These cases, each with the losses learned on all of them in place of its own: what a table of transfers compares.
    ///
    /// A loss has the name of where it was learned, [`ImageCase::ground`].
    ///
    /// # Errors
    /// What training and learning have to say.
    pub fn transfers(cases: Vec<Self>, train: &Train, options: &Learn) -> Result<Vec<Self>> {
        let learned = |case: &Self| Ok((case.ground(), case.learn(train, options)?.loss.to_safetensors()?));
        let losses: Vec<(String, Vec<u8>)> = cases.iter().map(learned).collect::<Result<_>>()?;
        let with = |case| Self { losses: ImageLosses::Learned(losses.clone()), ..case };
        Ok(cases.into_iter().map(with).collect())
    }

    /// A learned loss as this training part needs it.
    fn fitted(&self, loss: Surrogate, part: &Dataset) -> Result<Surrogate> {
        match self.goal.balanced() {
            true => loss.with_shares_of(part.labels(), part.classes()),
            false => Ok(loss),
        }
    }
}

/// The losses that a learned one makes: alone, taking over from cross-entropy, and the same together with smoothed labels.
fn learned_forms(learned: Surrogate, smoothed: CrossEntropy) -> Result<[Candidate<ImageClassification>; 3]> {
    let name = format!("reloss_with_{}_after_cross_entropy", smoothed.name());
    let both = Sum::new(&name, vec![(1.0, Box::new(learned.clone())), (SMOOTHED, Box::new(smoothed))])?;
    Ok([
        Candidate::fixed(learned.clone()),
        Candidate::taking_over("reloss_after_cross_entropy", learned),
        Candidate::taking_over(&name, both),
    ])
}

impl Case for ImageCase {
    type Task = ImageClassification;

    fn data(&self) -> String {
        self.train.name().to_string()
    }

    fn setting(&self) -> String {
        format!("{}, {}", self.ground(), self.setting.name())
    }

    fn metric(&self) -> Arc<dyn Metric> {
        self.goal.metric()
    }

    /// Top-5 accuracy, beside accuracy.
    fn beside(&self) -> Vec<Arc<dyn Metric>> {
        match self.goal {
            Pretrained::Accuracy => vec![Arc::new(TopK::FIVE)],
            _ => Vec::new(),
        }
    }

    fn task(&self, seed: u64) -> Result<ImageClassification> {
        // The split's own test part is what is not used of the training set: a hundredth at least, so that there is one.
        let used = (self.rows as f64 / self.train.rows() as f64).min(0.99);
        let parts = self.train.split(&Split { validation: VALIDATION * used, test: 1.0 - used, seed })?;
        let splits = self.setting.apply(Splits { test: self.test.as_ref().clone(), ..parts }, seed)?;
        let task = ImageClassification::new(splits, self.image, self.architecture)?;
        Ok(ImageClassification { augment: self.augment, ..task })
    }

    fn candidates(
        &self,
        task: &ImageClassification,
        _: &Train,
    ) -> Result<Vec<Candidate<ImageClassification>>> {
        let part = &task.splits.train;
        let mut candidates = vec![Candidate::fixed(CrossEntropy::default())];
        if let ImageLosses::Learned(losses) = &self.losses {
            for (name, bytes) in losses {
                let loss = Surrogate::from_safetensors(bytes, Path::new(name))?;
                candidates.push(Candidate::taking_over(name, self.fitted(loss, part)?));
            }
            return Ok(candidates);
        }
        let smoothed = CrossEntropy::smoothed(0.1)?;
        candidates.push(Candidate::fixed(smoothed.clone()));
        if self.goal.balanced() {
            candidates.push(Candidate::fixed(CrossEntropy::balanced(part.labels(), part.classes())?));
        }
        if let ImageLosses::All = self.losses {
            candidates.extend([
                Candidate::fixed(Focal::default()),
                Candidate::fixed(MeanAbsoluteError),
                Candidate::fixed(JeffriesMatusita),
                Candidate::fixed(PairwiseAuc { pair: PairLoss::Hinge }),
            ]);
        }
        let learned = self.fitted(Surrogate::pretrained(self.goal)?, part)?;
        candidates.extend(learned_forms(learned, smoothed)?);
        Ok(candidates)
    }
}
