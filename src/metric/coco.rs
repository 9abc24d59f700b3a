//! Object keypoint similarity and the average precision made of it, as the COCO evaluator computes them.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;

use rayon::prelude::*;
use serde::Deserialize;

use crate::error::{Error, Result};
use crate::files;

/// An annotated instance of a COCO keypoint file.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Annotation {
    /// Its number, unique in the file.
    pub id: u64,
    /// Its image.
    pub image_id: u64,
    /// Its category.
    #[serde(default)]
    pub category_id: u64,
    /// Pixels it covers.
    pub area: f64,
    /// Left, top, width, height.
    pub bbox: [f64; 4],
    /// 1 for a crowd, which does not count.
    #[serde(default)]
    pub iscrowd: u8,
    /// How many keypoints are annotated; without any it does not count.
    pub num_keypoints: usize,
    /// x, y and visibility (0: not annotated) of each keypoint in turn.
    pub keypoints: Vec<f64>,
}

/// A detected instance of a COCO result file.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Detection {
    /// Its image.
    pub image_id: u64,
    /// Its category.
    #[serde(default)]
    pub category_id: u64,
    /// How sure the detector is.
    pub score: f64,
    /// x, y and a number that does not count of each keypoint in turn.
    pub keypoints: Vec<f64>,
}

#[derive(Deserialize)]
struct File {
    annotations: Vec<Annotation>,
}

/// The annotations of a COCO keypoint file.
///
/// # Errors
/// [`Error::Io`] for a missing file, [`Error::Data`] with line and reason for malformed JSON, missing fields or an id
/// that occurs twice.
pub fn coco_annotations(path: &Path) -> Result<Vec<Annotation>> {
    let file: File = parse(path)?;
    let mut seen = HashSet::new();
    match file.annotations.iter().find(|annotation| !seen.insert(annotation.id)) {
        Some(twice) => Err(Error::data(path, None, format!("annotation {} occurs twice", twice.id))),
        None => Ok(file.annotations),
    }
}

/// The detections of a COCO result file.
///
/// # Errors
/// [`Error::Io`] for a missing file, [`Error::Data`] with line and reason for malformed JSON or missing fields.
pub fn coco_detections(path: &Path) -> Result<Vec<Detection>> {
    parse(path)
}

fn parse<T: for<'de> Deserialize<'de>>(path: &Path) -> Result<T> {
    serde_json::from_slice(&files::read(path)?).map_err(|e| Error::data(path, Some(e.line()), e))
}

/// The spread of each keypoint's annotations, in square roots of the area.
#[derive(Debug, Clone, PartialEq)]
pub struct Oks {
    /// One number a keypoint, positive.
    pub sigmas: Vec<f64>,
}

impl Default for Oks {
    /// The 17 keypoints of a person in COCO.
    fn default() -> Self {
        let hundredths = [26, 25, 25, 35, 35, 79, 79, 72, 72, 62, 62, 107, 107, 87, 87, 89, 89];
        Self { sigmas: hundredths.map(|h| f64::from(h) / 1000.0).to_vec() }
    }
}

/// Average precision and recall over OKS thresholds 0.50, 0.55, …, 0.95; none where nothing is annotated.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct KeypointAp {
    /// Of all instances, over all thresholds.
    pub ap: Option<f64>,
    /// At threshold 0.5.
    pub ap50: Option<f64>,
    /// At threshold 0.75.
    pub ap75: Option<f64>,
    /// Of medium instances, 32² to 96² pixels.
    pub ap_medium: Option<f64>,
    /// Of large instances, from 96² pixels on.
    pub ap_large: Option<f64>,
    /// Average recall of all instances.
    pub ar: Option<f64>,
}

/// Detections of an image that count at most.
const MOST: usize = 20;
const THRESHOLDS: usize = 10;
const RECALLS: usize = 101;
const ALL: [f64; 2] = [0.0, 1e10];
const MEDIUM: [f64; 2] = [32.0 * 32.0, 96.0 * 96.0];
const LARGE: [f64; 2] = [96.0 * 96.0, 1e10];
/// What the evaluator keeps denominators from 0 with: the spacing of f64 at 1.
const SPACING: f64 = f64::EPSILON;

fn threshold(t: usize) -> f64 {
    0.5 + t as f64 * ((0.95 - 0.5) / 9.0)
}

/// One image of one category: detections from the surest down, annotations, and their similarities.
struct Image<'a> {
    detections: Vec<&'a Detection>,
    annotations: Vec<&'a Annotation>,
    similarities: Vec<Vec<f64>>,
}

/// What became of the detections of one image at one threshold, and how many annotations count.
struct Matched {
    scores: Vec<f64>,
    /// Of every threshold and detection: matched, and left out.
    outcomes: Vec<Vec<(bool, bool)>>,
    counting: usize,
}

impl Oks {
    /// The similarity of keypoints to an annotation, in \[0, 1\].
    ///
    /// Over the annotated keypoints the mean of exp(−d²/(2·area·(2σ)²)); where none is annotated, distances count
    /// from the box, doubled to all sides.
    ///
    /// # Errors
    /// [`Error::Shape`] for another number of keypoints than sigmas, [`Error::NotFinite`] for NaN or infinite numbers,
    /// [`Error::Parameter`] for a sigma that is not positive.
    ///
    /// # Example
    /// ```
    /// use reloss::metric::{Annotation, Oks};
    /// let annotation = Annotation {
    ///     id: 1, image_id: 1, category_id: 1, area: 100.0, bbox: [0.0, 0.0, 10.0, 10.0], iscrowd: 0, num_keypoints: 1,
    ///     keypoints: vec![5.0, 5.0, 2.0],
    /// };
    /// let oks = Oks { sigmas: vec![0.05] };
    /// assert_eq!(oks.similarity(&[5.0, 5.0, 1.0], &annotation)?, 1.0);
    /// // 1 pixel off: exp(−1/(2·100·0.01)).
    /// assert!((oks.similarity(&[6.0, 5.0, 1.0], &annotation)? - (-0.5_f64).exp()).abs() < 1e-12);
    /// # Ok::<(), reloss::Error>(())
    /// ```
    ///
    /// # Reference
    /// Lin et al., "Microsoft COCO", keypoint evaluation; Ronchi, Perona, "Benchmarking and error diagnosis in
    /// multi-instance pose estimation", ICCV 2017.
    pub fn similarity(&self, keypoints: &[f64], annotation: &Annotation) -> Result<f64> {
        self.check("OKS", keypoints)?;
        self.check("OKS", &annotation.keypoints)?;
        Ok(self.value(keypoints, annotation))
    }

    fn check(&self, op: &'static str, keypoints: &[f64]) -> Result<()> {
        if let Some(k) = self.sigmas.iter().position(|s| !(*s > 0.0 && s.is_finite())) {
            let reason = format!("{} of keypoint {k} is not positive and finite", self.sigmas[k]);
            return Err(Error::parameter("sigmas", reason));
        }
        if keypoints.len() != 3 * self.sigmas.len() {
            return Err(Error::shape(op, format!("{} numbers", 3 * self.sigmas.len()), keypoints.len()));
        }
        crate::error::check_finite(op, keypoints)
    }

    fn value(&self, keypoints: &[f64], annotation: &Annotation) -> f64 {
        let [left, top, width, height] = annotation.bbox;
        let annotated = annotation.keypoints.chunks_exact(3).any(|point| point[2] > 0.0);
        let beyond =
            |v: f64, from: f64, size: f64| (from - size - v).max(0.0) + (v - (from + 2.0 * size)).max(0.0);
        let (mut sum, mut count) = (0.0, 0.0);
        let pairs = keypoints.chunks_exact(3).zip(annotation.keypoints.chunks_exact(3));
        for ((found, truth), sigma) in pairs.zip(&self.sigmas) {
            let (dx, dy) = match annotated {
                true if truth[2] > 0.0 => (found[0] - truth[0], found[1] - truth[1]),
                true => continue,
                false => (beyond(found[0], left, width), beyond(found[1], top, height)),
            };
            let e = (dx * dx + dy * dy) / (2.0 * sigma).powi(2) / (annotation.area + SPACING) / 2.0;
            sum += (-e).exp();
            count += 1.0;
        }
        sum / count
    }

    /// Average precision and recall of detections.
    ///
    /// # Errors
    /// As [`Oks::similarity`], and [`Error::NotFinite`] for a score that is not finite.
    ///
    /// # Example
    /// ```
    /// use reloss::metric::{Annotation, Detection, Oks};
    /// let annotation = Annotation {
    ///     id: 1, image_id: 1, category_id: 1, area: 2000.0, bbox: [0.0, 0.0, 40.0, 50.0], iscrowd: 0, num_keypoints: 1,
    ///     keypoints: vec![5.0, 5.0, 2.0],
    /// };
    /// let right = Detection { image_id: 1, category_id: 1, score: 0.9, keypoints: vec![5.0, 5.0, 1.0] };
    /// let ap = Oks { sigmas: vec![0.05] }.average_precision(&[annotation], &[right])?;
    /// assert_eq!((ap.ap, ap.ap_medium, ap.ap_large), (Some(1.0), Some(1.0), None));
    /// # Ok::<(), reloss::Error>(())
    /// ```
    ///
    /// # Reference
    /// pycocotools 2.0, `COCOeval` with `iouType = "keypoints"`, whose numbers these are.
    pub fn average_precision(
        &self,
        annotations: &[Annotation],
        detections: &[Detection],
    ) -> Result<KeypointAp> {
        for annotation in annotations {
            self.check("keypoint AP", &annotation.keypoints)?;
        }
        for detection in detections {
            self.check("keypoint AP", &detection.keypoints)?;
        }
        let scores: Vec<f64> = detections.iter().map(|detection| detection.score).collect();
        crate::error::check_finite("keypoint AP", &scores)?;
        let categories = self.images(annotations, detections);
        let of = |area: [f64; 2]| -> Vec<(Vec<f64>, Vec<f64>)> {
            categories.iter().filter_map(|images| accumulate(images, area)).collect()
        };
        let (all, medium, large) = (of(ALL), of(MEDIUM), of(LARGE));
        let mean = |curves: &[(Vec<f64>, Vec<f64>)], from: usize, to: usize| {
            let sums = curves.iter().map(|(precisions, _)| precisions[from..to].iter().sum::<f64>());
            (!curves.is_empty()).then(|| sums.sum::<f64>() / (curves.len() * (to - from)) as f64)
        };
        let recall =
            all.iter().map(|(_, recalls)| recalls.iter().sum::<f64>() / THRESHOLDS as f64).sum::<f64>();
        Ok(KeypointAp {
            ap: mean(&all, 0, THRESHOLDS),
            ap50: mean(&all, 0, 1),
            ap75: mean(&all, 5, 6),
            ap_medium: mean(&medium, 0, THRESHOLDS),
            ap_large: mean(&large, 0, THRESHOLDS),
            ar: (!all.is_empty()).then(|| recall / all.len() as f64),
        })
    }

    /// The images of every annotated category.
    fn images<'a>(&self, annotations: &'a [Annotation], detections: &'a [Detection]) -> Vec<Vec<Image<'a>>> {
        type Found<'a> = (Vec<&'a Annotation>, Vec<&'a Detection>);
        let mut found: BTreeMap<u64, BTreeMap<u64, Found<'a>>> = BTreeMap::new();
        for annotation in annotations {
            let images = found.entry(annotation.category_id).or_default();
            images.entry(annotation.image_id).or_default().0.push(annotation);
        }
        for detection in detections {
            if let Some(images) = found.get_mut(&detection.category_id) {
                images.entry(detection.image_id).or_default().1.push(detection);
            }
        }
        let image = |(annotations, mut detections): Found<'a>| {
            detections.sort_by(|a, b| b.score.total_cmp(&a.score));
            detections.truncate(MOST);
            let similar = |d: &&Detection| annotations.iter().map(|a| self.value(&d.keypoints, a)).collect();
            let similarities = detections.iter().map(similar).collect();
            Image { detections, annotations, similarities }
        };
        let images = |images: BTreeMap<u64, Found<'a>>| {
            images.into_values().collect::<Vec<_>>().into_par_iter().map(image).collect()
        };
        found.into_values().map(images).collect()
    }
}

impl Image<'_> {
    /// Matches every detection, from the surest down, with the most similar annotation left.
    fn matched(&self, area: [f64; 2]) -> Matched {
        let outside = |size: f64| size < area[0] || size > area[1];
        let ignored: Vec<bool> = self
            .annotations
            .iter()
            .map(|a| a.iscrowd != 0 || a.num_keypoints == 0 || outside(a.area))
            .collect();
        // Those that count come first.
        let mut order: Vec<usize> = (0..ignored.len()).collect();
        order.sort_by_key(|&g| ignored[g]);
        let outcomes = (0..THRESHOLDS).map(|t| {
            let mut taken = vec![false; ignored.len()];
            let one = |d: usize| {
                let (mut best, mut at) = (threshold(t).min(1.0 - 1e-10), None);
                for &g in &order {
                    if taken[g] && self.annotations[g].iscrowd == 0 {
                        continue;
                    }
                    // One that counts is not given up for one that does not.
                    if at.is_some_and(|m: usize| !ignored[m]) && ignored[g] {
                        break;
                    }
                    if self.similarities[d][g] >= best {
                        (best, at) = (self.similarities[d][g], Some(g));
                    }
                }
                match at {
                    Some(g) => {
                        taken[g] = true;
                        (true, ignored[g])
                    }
                    None => (false, outside(extent(&self.detections[d].keypoints))),
                }
            };
            (0..self.detections.len()).map(one).collect()
        });
        Matched {
            outcomes: outcomes.collect(),
            scores: self.detections.iter().map(|d| d.score).collect(),
            counting: ignored.iter().filter(|ignored| !**ignored).count(),
        }
    }
}

/// The area of the box around all keypoints.
fn extent(keypoints: &[f64]) -> f64 {
    let span = |axis: usize| {
        let values = || keypoints.chunks_exact(3).map(move |point| point[axis]);
        values().fold(f64::NEG_INFINITY, f64::max) - values().fold(f64::INFINITY, f64::min)
    };
    span(0) * span(1)
}

/// Mean precision over the recalls, and the recall reached, of every threshold; none where no annotation counts.
fn accumulate(images: &[Image], area: [f64; 2]) -> Option<(Vec<f64>, Vec<f64>)> {
    let matched: Vec<Matched> = images.par_iter().map(|image| image.matched(area)).collect();
    let counting: usize = matched.iter().map(|image| image.counting).sum();
    if counting == 0 {
        return None;
    }
    let places =
        matched.iter().enumerate().flat_map(|(i, image)| (0..image.scores.len()).map(move |d| (i, d)));
    let mut order: Vec<(usize, usize)> = places.collect();
    order.sort_by(|a, b| matched[b.0].scores[b.1].total_cmp(&matched[a.0].scores[a.1]));
    let (mut precisions, mut recalls) = (Vec::new(), Vec::new());
    for t in 0..THRESHOLDS {
        let (mut right, mut wrong, mut curve) = (0.0, 0.0, Vec::new());
        for &(i, d) in &order {
            let (is_matched, left_out) = matched[i].outcomes[t][d];
            if !left_out {
                right += f64::from(u8::from(is_matched));
                wrong += f64::from(u8::from(!is_matched));
            }
            curve.push((right / counting as f64, right / f64::max(right + wrong, 1.0)));
        }
        recalls.push(curve.last().map_or(0.0, |point| point.0));
        // The best precision at this recall or beyond.
        for i in (1..curve.len()).rev() {
            curve[i - 1].1 = curve[i - 1].1.max(curve[i].1);
        }
        let at = |r: usize| {
            let wanted = r as f64 * 0.01;
            let first = curve.partition_point(|point| point.0 < wanted);
            curve.get(first).map_or(0.0, |point| point.1)
        };
        precisions.push((0..RECALLS).map(at).sum::<f64>() / RECALLS as f64);
    }
    Some((precisions, recalls))
}
