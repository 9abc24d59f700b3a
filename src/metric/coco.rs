//! Object keypoint similarity and the average precision made of it, as the COCO evaluator computes them.

use std::collections::{BTreeMap, BTreeSet};

use rayon::prelude::*;

use crate::data::{Annotation, Detection, COCO_SIGMAS};
use crate::error::{Error, Result};

/// The spread of each keypoint's annotations, in square roots of the area.
#[derive(Debug, Clone, PartialEq)]
pub struct Oks {
    /// One number a keypoint, positive.
    pub sigmas: Vec<f64>,
}

impl Default for Oks {
    /// The 17 keypoints of a person in COCO.
    fn default() -> Self {
        Self { sigmas: COCO_SIGMAS.to_vec() }
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

/// What became of the detections of one image of one category at every threshold, and how many annotations count.
#[derive(Debug, Clone)]
struct Matched {
    scores: Vec<f64>,
    /// Of every threshold and detection: matched, and left out.
    outcomes: Vec<Vec<(bool, bool)>>,
    counting: usize,
}

/// The images of one category, by image: of all, of medium and of large instances; none where there is nothing.
type Category = Vec<Option<[Matched; 3]>>;

/// Detections matched with annotations, image by image: what average precision over any of the images needs.
#[derive(Debug, Clone)]
pub struct KeypointMatches {
    categories: Vec<Category>,
    images: usize,
}

impl Oks {
    /// The similarity of keypoints to an annotation, in \[0, 1\]; higher is better.
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
    /// use reloss::data::Annotation;
    /// use reloss::metric::Oks;
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

    /// Average precision and recall of detections, in \[0, 1\]; higher is better.
    ///
    /// # Errors
    /// As [`Oks::similarity`], and [`Error::NotFinite`] for a score that is not finite.
    ///
    /// # Example
    /// ```
    /// use reloss::data::{Annotation, Detection};
    /// use reloss::metric::Oks;
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
        let matches = self.matches(annotations, detections)?;
        matches.average_precision(&(0..matches.images).collect::<Vec<_>>())
    }

    /// Detections matched with annotations, for [`KeypointMatches::average_precision`] over some of the images.
    ///
    /// # Errors
    /// As [`Oks::average_precision`].
    pub fn matches(&self, annotations: &[Annotation], detections: &[Detection]) -> Result<KeypointMatches> {
        for annotation in annotations {
            let checked = self.check("keypoint AP", &annotation.keypoints);
            checked.map_err(|error| error.at(format!("annotation {}", annotation.id)))?;
        }
        for (i, detection) in detections.iter().enumerate() {
            let checked = self.check("keypoint AP", &detection.keypoints);
            checked.map_err(|error| error.at(format!("detection {i} (image {})", detection.image_id)))?;
        }
        let scores: Vec<f64> = detections.iter().map(|detection| detection.score).collect();
        crate::error::check_finite("keypoint AP", &scores)?;
        Ok(self.matched(annotations, detections))
    }

    /// The matches of every annotated category.
    fn matched(&self, annotations: &[Annotation], detections: &[Detection]) -> KeypointMatches {
        type Found<'a> = BTreeMap<u64, (Vec<&'a Annotation>, Vec<&'a Detection>)>;
        let mut found: BTreeMap<u64, Found> = BTreeMap::new();
        for annotation in annotations {
            let images = found.entry(annotation.category_id).or_default();
            images.entry(annotation.image_id).or_default().0.push(annotation);
        }
        for detection in detections {
            if let Some(images) = found.get_mut(&detection.category_id) {
                images.entry(detection.image_id).or_default().1.push(detection);
            }
        }
        let ids: BTreeSet<u64> = found.values().flat_map(|images| images.keys().copied()).collect();
        let ids: Vec<u64> = ids.into_iter().collect();
        let category = |images: Found| -> Category {
            let matched = |id: &u64| {
                let (annotations, mut detections) = images.get(id)?.clone();
                detections.sort_by(|a, b| b.score.total_cmp(&a.score));
                detections.truncate(MOST);
                let similar =
                    |d: &&Detection| annotations.iter().map(|a| self.value(&d.keypoints, a)).collect();
                let similarities = detections.iter().map(similar).collect();
                let image = Image { detections, annotations, similarities };
                Some([ALL, MEDIUM, LARGE].map(|area| image.matched(area)))
            };
            ids.par_iter().map(matched).collect()
        };
        KeypointMatches { categories: found.into_values().map(category).collect(), images: ids.len() }
    }
}

impl KeypointMatches {
    /// How many images have annotations or detections.
    pub fn images(&self) -> usize {
        self.images
    }

    /// Average precision and recall over these images, numbered from 0 by ascending id, repeats counting again: what
    /// [`Bootstrap`](crate::metric::Bootstrap) resamples.
    ///
    /// # Errors
    /// [`Error::Shape`] for an image that is not there.
    pub fn average_precision(&self, images: &[usize]) -> Result<KeypointAp> {
        if let Some(image) = images.iter().find(|&&image| image >= self.images) {
            return Err(Error::shape("keypoint AP", format!("images below {}", self.images), image));
        }
        let of = |area: usize| -> Vec<(Vec<f64>, Vec<f64>)> {
            let chosen = |category: &Category| -> Option<(Vec<f64>, Vec<f64>)> {
                let matched = images.iter().filter_map(|&image| category[image].as_ref());
                accumulate(&matched.map(|areas| &areas[area]).collect::<Vec<_>>())
            };
            self.categories.iter().filter_map(chosen).collect()
        };
        let (all, medium, large) = (of(0), of(1), of(2));
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
fn accumulate(matched: &[&Matched]) -> Option<(Vec<f64>, Vec<f64>)> {
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
