//! Heatmaps of all qualities, to learn a loss of poses from.

use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;
use rayon::prelude::*;

use super::{defined, generator};
use crate::data::heatmap_targets;
use crate::error::{check_finite, check_positive, Error, Result};
use crate::metric::{Heatmaps, Keypoints, Metric};

/// One sample of the correlation: heatmaps of some instances with their metric.
#[derive(Debug, Clone, PartialEq)]
pub struct PoseSample {
    /// The predictions, instance by instance, joint by joint.
    pub heatmaps: Heatmaps,
    /// The target heatmaps, in the same order.
    pub aims: Vec<f32>,
    /// What the metric is judged against.
    pub target: Keypoints,
    /// The metric of the sample.
    pub metric: f64,
}

/// Instances with their targets, and what a model predicted for them while it trained.
#[derive(Debug, Clone)]
pub struct PoseStore {
    keypoints: Keypoints,
    aims: Vec<f32>,
    size: (usize, usize),
    predictions: Vec<Vec<f32>>,
}

impl PoseStore {
    /// Instances without predictions yet; `aims` are their target heatmaps of `size` (height, width) pixels.
    ///
    /// # Errors
    /// [`Error::Shape`] for heatmaps that do not fit, [`Error::NotFinite`] for NaN or infinite pixels.
    pub fn new(keypoints: Keypoints, aims: Vec<f32>, size: (usize, usize)) -> Result<Self> {
        let store = Self { keypoints, aims: Vec::new(), size, predictions: Vec::new() };
        store.check(&aims)?;
        Ok(Self { aims, ..store })
    }

    /// Adds what a model predicts for all instances at one time.
    ///
    /// # Errors
    /// As [`PoseStore::new`].
    pub fn append(&mut self, predictions: Vec<f32>) -> Result<()> {
        self.check(&predictions)?;
        self.predictions.push(predictions);
        Ok(())
    }

    /// How many times predictions were added.
    pub fn times(&self) -> usize {
        self.predictions.len()
    }

    /// The store of one time only.
    pub(super) fn at(&self, time: usize) -> Self {
        let (keypoints, aims) = (self.keypoints.clone(), self.aims.clone());
        Self { keypoints, aims, size: self.size, predictions: vec![self.predictions[time].clone()] }
    }

    fn check(&self, values: &[f32]) -> Result<()> {
        let wanted = self.keypoints.rows() * self.instance();
        if values.len() != wanted {
            return Err(Error::shape("pose store", format!("{wanted} pixels"), values.len()));
        }
        check_finite("pose store", values)
    }

    /// Pixels of all heatmaps of an instance.
    fn instance(&self) -> usize {
        self.keypoints.joints() * self.size.0 * self.size.1
    }
}

/// Where heatmaps come from.
#[derive(Debug, Clone)]
pub enum PoseSource {
    /// Perturbed targets of random keypoints: joints, height, width. No data are needed.
    Random(usize, usize, usize),
    /// Instances of a store: perturbed targets with this probability, predictions of one time for a whole sample otherwise.
    Stored(PoseStore, f64),
}

/// Draws samples of heatmaps whose metric covers its range.
///
/// A perturbed sample has an error of its own, log-uniform from 0.5 % to 60 % of the box, by which its keypoints are shifted
/// (normally distributed), and a share of failures, uniform from 0 to a third: the heatmap of the joint's partner or another
/// joint (swap), next to nothing (drop), or a second, higher peak elsewhere. Peaks differ in height and width; there is noise. A
/// quarter of the samples are wild, as those of a fresh network: noise up to 300 % of a peak.
#[derive(Debug, Clone)]
pub struct PoseSampler {
    /// Where heatmaps come from.
    pub source: PoseSource,
    /// Instances in a sample.
    pub rows: usize,
    /// Width of the targets' Gaussians in pixels (their standard deviation).
    pub sigma: f64,
}

impl PoseSampler {
    /// Eight instances a sample of this source, Gaussians of 1.5 pixels.
    ///
    /// # Errors
    /// [`Error::Parameter`] for a source without joints or pixels, or a store without predictions where they are asked for.
    pub fn new(source: PoseSource) -> Result<Self> {
        let sampler = Self { source, rows: 8, sigma: 1.5 };
        sampler.check()?;
        Ok(sampler)
    }

    fn check(&self) -> Result<()> {
        let reason = match &self.source {
            PoseSource::Random(0, ..) | PoseSource::Random(_, 0, _) | PoseSource::Random(_, _, 0) => {
                "joints, height and width must be positive".to_string()
            }
            PoseSource::Stored(_, share) if !(0.0..=1.0).contains(share) => {
                format!("{share} is not a probability")
            }
            PoseSource::Stored(store, share) if *share < 1.0 && store.times() == 0 => {
                "the store has no predictions".to_string()
            }
            _ if self.rows == 0 => {
                return Err(Error::parameter("rows", "a sample needs one instance or more"))
            }
            _ => return check_positive("sigma", self.sigma),
        };
        Err(Error::parameter("source", reason))
    }

    /// Perturbed targets of random keypoints.
    ///
    /// # Errors
    /// As [`PoseSampler::new`].
    pub fn random(joints: usize, height: usize, width: usize) -> Result<Self> {
        Self::new(PoseSource::Random(joints, height, width))
    }

    /// Pixels of a heatmap.
    pub fn pixels(&self) -> usize {
        let (height, width) = self.size();
        height * width
    }

    fn size(&self) -> (usize, usize) {
        match &self.source {
            PoseSource::Random(_, height, width) => (*height, *width),
            PoseSource::Stored(store, _) => store.size,
        }
    }

    /// `count` samples and their metrics; the same for the same seed, whatever the threads.
    ///
    /// A sample that leaves the metric undefined (no visible joint) is drawn again, up to 100 times.
    ///
    /// # Errors
    /// [`Error::Parameter`] for options out of range, and what the metric has to say.
    pub fn draw(
        &self,
        metric: &dyn Metric<Heatmaps, Keypoints>,
        count: usize,
        seed: u64,
    ) -> Result<Vec<PoseSample>> {
        self.check()?;
        let one = |i: usize| defined(&mut generator(seed, i as u64), |rng| self.sample(metric, rng));
        (0..count).into_par_iter().map(one).collect()
    }

    fn sample(&self, metric: &dyn Metric<Heatmaps, Keypoints>, rng: &mut ChaCha8Rng) -> Result<PoseSample> {
        let (target, aims, predicted) = match &self.source {
            PoseSource::Random(joints, ..) => {
                let target = self.keypoints(*joints, rng)?;
                let (height, width) = self.size();
                let size = [height, width];
                let (points, visible) = (target.points().concat(), target.visible().concat());
                let aims = heatmap_targets(&points, &visible, size, size, self.sigma)?;
                (target, aims, None)
            }
            PoseSource::Stored(store, perturbed) => self.stored(store, *perturbed, rng)?,
        };
        let values = predicted.unwrap_or_else(|| self.perturbed(&target, rng));
        let (height, width) = self.size();
        let heatmaps = Heatmaps::new(values, height, width)?;
        Ok(PoseSample { metric: metric.value(&heatmaps, &target)?, heatmaps, aims, target })
    }

    /// Instances of a store, drawn with replacement, with predictions of one time unless they are to be perturbed.
    fn stored(&self, store: &PoseStore, perturbed: f64, rng: &mut ChaCha8Rng) -> Result<Drawn> {
        let size = store.instance();
        let rows: Vec<usize> = (0..self.rows).map(|_| rng.gen_range(0..store.keypoints.rows())).collect();
        let of = |all: &[f32]| -> Vec<f32> {
            rows.iter().flat_map(|&row| &all[row * size..(row + 1) * size]).copied().collect()
        };
        let time = (rng.gen::<f64>() >= perturbed).then(|| rng.gen_range(0..store.times()));
        let chosen = |all: &[Vec<[f64; 2]>]| rows.iter().map(|&row| all[row].clone()).collect();
        let target = Keypoints::new(
            chosen(store.keypoints.points()),
            rows.iter().map(|&row| store.keypoints.visible()[row].clone()).collect(),
            rows.iter().map(|&row| store.keypoints.sizes()[row]).collect(),
        )?;
        Ok((target, of(&store.aims), time.map(|time| of(&store.predictions[time]))))
    }

    /// Random keypoints in boxes that fill four fifths of their heatmaps.
    fn keypoints(&self, joints: usize, rng: &mut ChaCha8Rng) -> Result<Keypoints> {
        let (height, width) = self.size();
        let (w, h) = (width as f64, height as f64);
        let point =
            |rng: &mut ChaCha8Rng| [w * rng.gen_range(0.1..0.9) - 0.5, h * rng.gen_range(0.1..0.9) - 0.5];
        let points = (0..self.rows).map(|_| (0..joints).map(|_| point(rng)).collect()).collect();
        Keypoints::new(points, vec![vec![true; joints]; self.rows], vec![[0.8 * w, 0.8 * h]; self.rows])
    }

    /// Heatmaps that miss their targets more or less.
    fn perturbed(&self, target: &Keypoints, rng: &mut ChaCha8Rng) -> Vec<f32> {
        let (height, width) = self.size();
        let error = rng.gen_range(0.005f64.ln()..0.6f64.ln()).exp();
        let failing = rng.gen_range(0.0..1.0 / 3.0);
        let noise = match rng.gen::<f64>() < WILD {
            true => rng.gen_range(0.05f64.ln()..3f64.ln()).exp(),
            false => rng.gen_range(0.0..0.05),
        };
        let mut values = Vec::with_capacity(target.rows() * target.joints() * height * width);
        for (points, size) in target.points().iter().zip(target.sizes()) {
            let shift = error * size[0].max(size[1]);
            for joint in 0..points.len() {
                let pixel = |_| (noise * rng.sample::<f64, _>(StandardNormal)) as f32;
                let mut map: Vec<f32> = (0..height * width).map(pixel).collect();
                let failure = (rng.gen::<f64>() < failing).then(|| rng.gen_range(0..3));
                let mut peak = rng.gen_range(0.4..1.1);
                let mut at = points[joint];
                match failure {
                    Some(0) => at = points[rng.gen_range(0..points.len())],
                    Some(1) => peak *= 0.05,
                    Some(_) => {
                        let elsewhere = [rng.gen_range(0.0..width as f64), rng.gen_range(0.0..height as f64)];
                        bump(&mut map, width, elsewhere, 1.2 * peak, self.sigma);
                    }
                    None => {}
                }
                let at = at.map(|x| x + shift * rng.sample::<f64, _>(StandardNormal));
                bump(&mut map, width, at, peak, self.sigma * rng.gen_range(0.7..1.6));
                values.extend(map);
            }
        }
        values
    }
}

/// The share of wild samples among the perturbed ones.
const WILD: f64 = 0.25;

/// Instances with their target heatmaps, and with predictions unless those are still to be made.
type Drawn = (Keypoints, Vec<f32>, Option<Vec<f32>>);

/// Adds a Gaussian of this height and standard deviation around \[x, y\].
fn bump(map: &mut [f32], width: usize, [x, y]: [f64; 2], peak: f64, sigma: f64) {
    let along = |centre: f64, count: usize| -> Vec<f64> {
        (0..count).map(|i| (-(i as f64 - centre).powi(2) / (2.0 * sigma * sigma)).exp()).collect()
    };
    let (across, down) = (along(x, width), along(y, map.len() / width));
    for (pixels, down) in map.chunks_exact_mut(width).zip(down) {
        pixels.iter_mut().zip(&across).for_each(|(pixel, across)| *pixel += (peak * down * across) as f32);
    }
}
