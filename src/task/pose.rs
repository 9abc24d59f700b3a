//! Keypoints of figures by heatmaps.

use std::sync::Arc;

use rayon::prelude::*;

use super::run::{batch_loss, not_finite, Lessons, Run, StepLoss, Trained};
use super::{LossOf, MetricOf, Outcome, OutcomeOf, Task, Train};
use crate::data::{heatmap_targets, shuffled_batches, Crop, PoseAugment, PoseSet, View};
use crate::error::{Error, Result};
use crate::loss::{HeatmapMse, HeatmapTargets, Loss};
use crate::metric::{Direction, Heatmaps, Keypoints};
use crate::model::{ConvNet, HeatmapNet, Model};
use crate::ops::{host, matrix, ImageShape};
use crate::sampler::PoseStore;
use crate::Matrix;

/// Top-down pose estimation: figures are cut out by their boxes, a network gives a heatmap a joint.
///
/// # Example
/// ```
/// use reloss::data::PoseSet;
/// use reloss::model::HeatmapNet;
/// use reloss::task::PoseEstimation;
/// let [train, validation] = PoseSet::figures(10, 64, 0)?.split(0.2, 0)?;
/// let test = PoseSet::figures(4, 64, 1)?;
/// let task = PoseEstimation::new([train, validation, test], [64, 64], HeatmapNet::default())?;
/// assert_eq!((task.joints(), task.heatmap()), (14, [16, 16]));
/// # Ok::<(), reloss::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct PoseEstimation {
    train: Arc<PoseSet>,
    /// The training, the validation and the test part, cut out as they are.
    crops: [Crops; 3],
    size: [usize; 2],
    heatmap: [usize; 2],
    network: HeatmapNet,
    /// Standard deviation of the targets' Gaussians, in pixels of the heatmaps; 1.5 (ours: the paper's 2 is for heatmaps
    /// of 64 × 48).
    pub sigma: f64,
    /// How training figures are varied.
    pub augment: Option<PoseAugment>,
}

/// Figures cut out.
#[derive(Debug, Clone)]
struct Crops {
    pixels: Vec<f32>,
    crops: Vec<Crop>,
    keypoints: Keypoints,
}

impl Crops {
    fn new(crops: Vec<Crop>, heatmap: [usize; 2]) -> Result<Self> {
        let keypoints = keypoints(&crops, heatmap)?;
        let pixels = crops.iter().flat_map(|crop| crop.pixels.iter().copied()).collect();
        Ok(Self { pixels, crops, keypoints })
    }

    fn rows(&self) -> usize {
        self.crops.len()
    }

    /// Pixels of some rows.
    fn pixels(&self, rows: &[usize]) -> Vec<f32> {
        let width = self.pixels.len() / self.rows().max(1);
        rows.iter().flat_map(|&row| &self.pixels[row * width..(row + 1) * width]).copied().collect()
    }
}

/// Keypoints of crops, in pixels of their heatmaps.
fn keypoints(crops: &[Crop], heatmap: [usize; 2]) -> Result<Keypoints> {
    let factors = |crop: &Crop| {
        [heatmap[1] as f64 / crop.shape.width as f64, heatmap[0] as f64 / crop.shape.height as f64]
    };
    let places = |crop: &Crop| {
        let [fx, fy] = factors(crop);
        crop.keypoints.iter().map(|[x, y]| [(x + 0.5) * fx - 0.5, (y + 0.5) * fy - 0.5]).collect()
    };
    let size = |crop: &Crop| {
        let [fx, fy] = factors(crop);
        [crop.bbox_size[0] * fx, crop.bbox_size[1] * fy]
    };
    Keypoints::new(
        crops.iter().map(places).collect(),
        crops.iter().map(|crop| crop.visible.clone()).collect(),
        crops.iter().map(size).collect(),
    )
}

/// Rows that go through a model together where nothing is learned.
const TOGETHER: usize = 64;

impl PoseEstimation {
    /// A task on a training, a validation and a test part; figures are cut out to `size` (height, width) pixels.
    ///
    /// # Errors
    /// [`Error::Shape`] for parts of different joints or channels; as [`HeatmapNet::build`] and [`PoseSet::crop`].
    pub fn new(parts: [PoseSet; 3], size: [usize; 2], network: HeatmapNet) -> Result<Self> {
        let [train, ..] = &parts;
        let (joints, channels) = (train.skeleton().len(), train.channels());
        for part in &parts {
            let got = (part.skeleton().len(), part.channels());
            if got != (joints, channels) {
                let expected = format!("{joints} joints and {channels} channels in {}", part.name());
                return Err(Error::shape("pose estimation", expected, format!("{got:?}")));
            }
        }
        let image = ImageShape { channels, height: size[0], width: size[1] };
        let output = network.build(image, joints, 0)?.output();
        let heatmap = [output.height, output.width];
        let cut = |part: &PoseSet| -> Result<Crops> {
            let view = View::new(size[0], size[1]);
            let crops = (0..part.len()).into_par_iter().map(|i| part.crop(i, &view));
            Crops::new(crops.collect::<Result<_>>()?, heatmap)
        };
        let crops = [cut(&parts[0])?, cut(&parts[1])?, cut(&parts[2])?];
        let [train, ..] = parts;
        Ok(Self { train: Arc::new(train), crops, size, heatmap, network, sigma: 1.5, augment: None })
    }

    /// How many joints there are.
    pub fn joints(&self) -> usize {
        self.train.skeleton().len()
    }

    /// Height and width of the heatmaps.
    pub fn heatmap(&self) -> [usize; 2] {
        self.heatmap
    }

    /// The test figures as they are cut out.
    pub fn test_crops(&self) -> &[Crop] {
        &self.crops[2].crops
    }

    /// What the test figures are judged against, in pixels of the heatmaps.
    pub fn test_keypoints(&self) -> &Keypoints {
        &self.crops[2].keypoints
    }

    fn image(&self) -> ImageShape {
        ImageShape { channels: self.train.channels(), height: self.size[0], width: self.size[1] }
    }

    fn model(&self, seed: u64) -> Result<ConvNet> {
        self.network.build(self.image(), self.joints(), seed)
    }

    /// Target heatmaps of crops, with which joints count.
    fn targets<'a>(&self, crops: impl Iterator<Item = &'a Crop>) -> Result<(Vec<f32>, Vec<bool>)> {
        let (mut values, mut visible) = (Vec::new(), Vec::new());
        for crop in crops {
            values.extend(heatmap_targets(
                &crop.keypoints,
                &crop.visible,
                self.size,
                self.heatmap,
                self.sigma,
            )?);
            visible.extend_from_slice(&crop.visible);
        }
        Ok((values, visible))
    }

    fn predict(&self, model: &impl Model, part: &Crops) -> Result<Vec<f32>> {
        let rows: Vec<usize> = (0..part.rows()).collect();
        let mut values = Vec::new();
        for rows in rows.chunks(TOGETHER) {
            let x = matrix(part.pixels(rows), rows.len(), self.image().len())?;
            values.extend(host(&model.predict(x)?));
        }
        Ok(values)
    }

    /// The heatmaps a model gives the figures of a part.
    fn heatmaps(&self, model: &impl Model, part: &Crops) -> Result<Heatmaps> {
        Heatmaps::new(self.predict(model, part)?, self.heatmap[0], self.heatmap[1])
    }

    fn run(
        &self,
        [original, loss]: [&dyn Loss<HeatmapTargets>; 2],
        metric: &MetricOf<Self>,
        options: &Train,
        after_epoch: impl FnMut(usize, &ConvNet) -> Result<()>,
    ) -> Result<OutcomeOf<Self>> {
        let lessons = PoseLessons { task: self, metric, options };
        let run = Run { lessons: &lessons, loss, original, options };
        let Trained { model, validation, history } = run.train(self.model(options.seed)?, after_epoch)?;
        let [_, _, test] = &self.crops;
        Ok(Outcome {
            validation,
            predictions: self.heatmaps(&model, test)?,
            targets: test.keypoints.clone(),
            model,
            history,
        })
    }

    /// Trains with the squared error and stores the training part's heatmaps after every epoch.
    ///
    /// # Errors
    /// As [`Task::train`].
    pub fn store_predictions(&self, metric: &MetricOf<Self>, options: &Train) -> Result<PoseStore> {
        options.check_storing()?;
        let [train, ..] = &self.crops;
        let (aims, _) = self.targets(train.crops.iter())?;
        let size = (self.heatmap[0], self.heatmap[1]);
        let mut store = PoseStore::new(train.keypoints.clone(), aims, size)?;
        let keep = |_, model: &ConvNet| store.append(self.predict(model, train)?);
        self.run([&HeatmapMse; 2], metric, options, keep)?;
        Ok(store)
    }
}

impl Task for PoseEstimation {
    type Model = ConvNet;
    type Prediction = Heatmaps;
    type Target = Keypoints;
    type Truth = Keypoints;
    type Aim = HeatmapTargets;

    fn original(&self) -> LossOf<Self> {
        Box::new(HeatmapMse)
    }

    fn train_after(
        &self,
        before: &dyn Loss<HeatmapTargets>,
        loss: &dyn Loss<HeatmapTargets>,
        metric: &MetricOf<Self>,
        options: &Train,
    ) -> Result<OutcomeOf<Self>> {
        self.run([before, loss], metric, options, |_, _| Ok(()))
    }
}

/// What a heatmap network learns from.
struct PoseLessons<'a> {
    task: &'a PoseEstimation,
    metric: &'a MetricOf<PoseEstimation>,
    options: &'a Train,
}

impl<M: Model> Lessons<M> for PoseLessons<'_> {
    type Aim = HeatmapTargets;

    fn batches(&self, epoch: usize) -> Result<Vec<Vec<usize>>> {
        let [train, ..] = &self.task.crops;
        shuffled_batches(train.rows(), self.options.batch, self.options.seed_of_epoch(epoch))
    }

    fn loss(
        &self,
        model: &mut M,
        loss: &dyn Loss<HeatmapTargets>,
        rows: &[usize],
        step: usize,
    ) -> Result<StepLoss> {
        let (x, targets) = self.batch(rows, step)?;
        batch_loss(model, loss, x, &targets, step)
    }

    fn validate(&self, model: &M, step: usize) -> Result<f64> {
        let [_, validation, _] = &self.task.crops;
        match self.task.heatmaps(model, validation) {
            Ok(heatmaps) => self.metric.value(&heatmaps, &validation.keypoints),
            Err(Error::NotFinite { .. }) => Err(not_finite(step)),
            Err(other) => Err(other),
        }
    }

    fn direction(&self) -> Direction {
        self.metric.direction()
    }
}

impl PoseLessons<'_> {
    /// The figures of a step, cut out anew where they are varied.
    fn batch(&self, rows: &[usize], step: usize) -> Result<(Matrix, HeatmapTargets)> {
        let [train, ..] = &self.task.crops;
        let Some(augment) = &self.task.augment else {
            let targets = self.task.targets(rows.iter().map(|&row| &train.crops[row]))?;
            return self.tensors(train.pixels(rows), targets);
        };
        let [height, width] = self.task.size;
        let seed = self.options.seed_of(step);
        let cut = |(i, &row): (usize, &usize)| {
            let seed = seed ^ (i as u64).wrapping_mul(0xD1B5_4A32_D192_ED03);
            let mut crop = self.task.train.crop(row, &augment.view(height, width, seed)?)?;
            augment.light(&mut crop, seed)?;
            Ok(crop)
        };
        let crops: Vec<Crop> = rows.par_iter().enumerate().map(cut).collect::<Result<_>>()?;
        let pixels = crops.iter().flat_map(|crop| crop.pixels.iter().copied()).collect();
        self.tensors(pixels, self.task.targets(crops.iter())?)
    }

    fn tensors(&self, pixels: Vec<f32>, targets: (Vec<f32>, Vec<bool>)) -> Result<(Matrix, HeatmapTargets)> {
        let width = self.task.image().len();
        let rows = pixels.len() / width;
        let targets = HeatmapTargets::new(targets.0, &targets.1, self.task.joints())?;
        Ok((matrix(pixels, rows, width)?, targets))
    }
}
