//! Poses: the squared error of heatmaps against losses learned for PCK.

use std::path::Path;
use std::sync::Arc;

use super::{Candidate, Case, Comparison};
use crate::data::{cache_folder, CocoPose, PoseAugment, PoseSet};
use crate::error::{Error, Result};
use crate::loss::HeatmapMse;
use crate::metric::{EndPointError, OksAp, PckAuc, PckMetric};
use crate::model::HeatmapNet;
use crate::sampler::{PoseSampler, PoseSource};
use crate::surrogate::{learn_pose, Learn, Learned, Penalty, PoseForm, PoseSurrogate};
use crate::task::{MetricOf, PoseEstimation, Train};

/// Figures of one kind, cut out to one size, and the network that finds their joints.
#[derive(Debug, Clone)]
pub struct PoseCase {
    /// What is trained on, a fifth of it to validate; one copy serves many cases.
    pub train: Arc<PoseSet>,
    /// What is tested on.
    pub test: Arc<PoseSet>,
    /// Height and width of the crops.
    pub size: [usize; 2],
    /// The network.
    pub network: HeatmapNet,
    /// PCK at the threshold that losses are learned for.
    pub metric: PckMetric,
    /// Steps in which they are learned.
    pub steps: usize,
    /// The losses compared with the squared error.
    pub losses: PoseLosses,
}

/// What is compared with the squared error.
#[derive(Debug, Clone)]
pub enum PoseLosses {
    /// Losses learned on the case's own training part: the released form, a saturating one, and the released form taking over
    /// from the squared error.
    Own,
    /// Losses learned elsewhere, by name: [`PoseSurrogate::to_safetensors`].
    Learned(Vec<(String, Vec<u8>)>),
}

/// Generated figures to train on.
const FIGURES: usize = 240;
/// The share of the pictures that validates.
const VALIDATION: f64 = 0.2;
/// The learning rate of the model whose predictions are stored.
const STORED_RATE: f64 = 5e-3;

impl PoseCase {
    /// A case at PCK@0.1 with 64 × 64 crops and 16 × 16 heatmaps.
    pub fn new(train: PoseSet, test: PoseSet) -> Self {
        Self {
            train: Arc::new(train),
            test: Arc::new(test),
            size: [64; 2],
            network: HeatmapNet::default(),
            metric: PckMetric::MEDIUM,
            steps: Learn::default().steps,
            losses: PoseLosses::Own,
        }
    }

    /// Generated figures: 240 to train on, 300 to test on.
    ///
    /// # Errors
    /// As [`PoseSet::figures`].
    pub fn figures() -> Result<Self> {
        Self::generated(FIGURES)
    }

    /// As [`PoseCase::figures`], with so many to train on.
    ///
    /// # Errors
    /// As [`PoseSet::figures`].
    pub fn generated(pictures: usize) -> Result<Self> {
        Ok(Self::new(PoseSet::figures(pictures, 64, 0)?, PoseSet::figures(300, 64, 1)?))
    }

    /// The figures of a folder in COCO's form: `keypoints_train.json`, `keypoints_val.json` to test on, and `images`; a folder
    /// that is not there is looked for in the [`cache_folder`] of data sets.
    ///
    /// # Errors
    /// As [`PoseSet::coco`].
    pub fn read(folder: &Path, category: Option<&str>) -> Result<Self> {
        let folder = match cache_folder() {
            Ok(sets) if !folder.exists() && sets.join(folder).exists() => sets.join(folder),
            _ => folder.to_path_buf(),
        };
        let options = CocoPose { category: category.map(str::to_string), ..CocoPose::default() };
        let part = |part: &str| {
            PoseSet::coco(&folder.join(format!("keypoints_{part}.json")), &folder.join("images"), &options)
        };
        Ok(Self::new(part("train")?, part("val")?))
    }

    /// The budget all share: 30 epochs of batches of 16, three learning rates on one other seed; the rate rises for a tenth of
    /// the steps.
    pub fn comparison(seeds: Vec<u64>) -> Comparison {
        Comparison {
            seeds,
            tuning_seeds: vec![100],
            grid: vec![3e-3, 1e-2, 3e-2],
            train: Train { epochs: 30, batch: 16, ramp: 0.1, ..Train::default() },
        }
    }

    /// How losses are learned here. Penalty weights were tried on other generated figures, seed 200: of 0.1 and 1 the saturating
    /// form does better with 0.1, of 1 and 10 the weighted one about as well with either.
    pub fn options(form: PoseForm) -> Learn {
        let weight = match form {
            PoseForm::Weighted => 1.0,
            PoseForm::Saturating => 0.1,
        };
        let penalty = Penalty { weight, ..Penalty::default() };
        Learn { samples: 32, hidden: 8, penalty, ..Learn::default() }
    }

    /// How the network is trained whose predictions losses are learned from.
    pub(super) fn storing(train: &Train) -> Train {
        Train { learning_rate: STORED_RATE, ..train.clone() }
    }

    /// Where losses are learned from: what the network predicts while it trains with the squared error, half of the samples,
    /// and perturbed targets.
    ///
    /// # Errors
    /// What training has to say.
    pub fn sampler(&self, task: &PoseEstimation, train: &Train) -> Result<PoseSampler> {
        let store = task.store_predictions(&self.metric, &Self::storing(train))?;
        PoseSampler::new(PoseSource::Stored(store, 0.5))
    }

    /// The task of these parts.
    fn of_parts(&self, parts: [PoseSet; 3]) -> Result<PoseEstimation> {
        let mut task = PoseEstimation::new(parts, self.size, self.network.clone())?;
        task.augment = Some(PoseAugment { flip: self.train.mirrors(), ..PoseAugment::default() });
        Ok(task)
    }

    /// The task of one seed's validation part, in place of all three.
    pub(super) fn of_validation(&self, seed: u64) -> Result<PoseEstimation> {
        let [_, validation] = self.train.split(VALIDATION, seed)?;
        self.of_parts([validation.clone(), validation.clone(), validation])
    }

    /// A loss of this form learned from a sampler.
    ///
    /// # Errors
    /// As [`learn_pose`].
    pub fn learn(&self, form: PoseForm, sampler: &PoseSampler, seed: u64) -> Result<Learned<PoseSurrogate>> {
        learn_pose(form, &self.metric, sampler, &Learn { seed, steps: self.steps, ..Self::options(form) })
    }

    /// These cases, each with the losses learned on all of them in place of its own.
    ///
    /// A loss has the name of the set it was learned on.
    ///
    /// # Errors
    /// What training and learning have to say.
    pub fn transfers(cases: Vec<Self>, train: &Train) -> Result<Vec<Self>> {
        let learned = |case: &Self| {
            let sampler = case.sampler(&case.task(train.seed)?, &Case::train(case, train))?;
            let learned = case.learn(PoseForm::Saturating, &sampler, train.seed)?;
            Ok((case.data(), learned.loss.to_safetensors()?))
        };
        let losses: Vec<(String, Vec<u8>)> = cases.iter().map(learned).collect::<Result<_>>()?;
        let with = |case| Self { losses: PoseLosses::Learned(losses.clone()), ..case };
        Ok(cases.into_iter().map(with).collect())
    }
}

impl Case for PoseCase {
    type Task = PoseEstimation;

    fn data(&self) -> String {
        self.train.name().to_string()
    }

    fn setting(&self) -> String {
        format!("{}, {} x {}", self.data(), self.size[0], self.size[1])
    }

    fn metric(&self) -> Arc<MetricOf<PoseEstimation>> {
        Arc::new(self.metric.clone())
    }

    fn beside(&self) -> Vec<Arc<MetricOf<PoseEstimation>>> {
        let mut metrics: Vec<Arc<MetricOf<PoseEstimation>>> = Vec::new();
        for other in [PckMetric::FINE, PckMetric::MEDIUM, PckMetric::COARSE] {
            if other.threshold() != self.metric.threshold() {
                metrics.push(Arc::new(other));
            }
        }
        metrics.push(Arc::new(PckAuc));
        metrics.push(Arc::new(EndPointError));
        metrics.push(Arc::new(OksAp::new(self.train.skeleton().sigmas())));
        metrics
    }

    fn task(&self, seed: u64) -> Result<PoseEstimation> {
        let [train, validation] = self.train.split(VALIDATION, seed)?;
        self.of_parts([train, validation, self.test.as_ref().clone()])
    }

    /// Small sets get more epochs, as many steps as the generated figures.
    fn train(&self, all: &Train) -> Train {
        let rows = (1.0 - VALIDATION) * self.train.len() as f64;
        let factor = (FIGURES as f64 * (1.0 - VALIDATION) / rows).max(1.0);
        Train { epochs: (all.epochs as f64 * factor).round() as usize, ..all.clone() }
    }

    fn candidates(&self, task: &PoseEstimation, train: &Train) -> Result<Vec<Candidate<PoseEstimation>>> {
        let mut candidates = vec![Candidate::fixed(HeatmapMse)];
        match &self.losses {
            PoseLosses::Learned(losses) => {
                for (name, bytes) in losses {
                    let loss = PoseSurrogate::from_safetensors(bytes, Path::new(name))?;
                    candidates.push(Candidate::named(name, loss));
                }
            }
            PoseLosses::Own => {
                let sampler = self.sampler(task, train)?;
                let learned = |form| Ok::<_, Error>(self.learn(form, &sampler, train.seed)?.loss);
                let weighted = learned(PoseForm::Weighted)?;
                candidates.push(Candidate::fixed(weighted.clone()));
                candidates.push(Candidate::fixed(learned(PoseForm::Saturating)?));
                candidates.push(Candidate::taking_over("reloss_after_squared_error", weighted));
            }
        }
        Ok(candidates)
    }
}
