//! Heatmaps judged against keypoints.

use std::borrow::Cow;

use super::pose::{check, end_point_error, pck, pck_auc, Points};
use super::{Decoding, Direction, Heatmaps, Metric, Oks};
use crate::data::{Annotation, Detection};
use crate::error::{check_finite, check_positive, Error, Result};

/// How the metrics here turn heatmaps into points.
const DECODING: Decoding = Decoding::Quarter;

/// Keypoints of instances, in pixels of their heatmaps: x to the right, y down, from 0, pixel centres at whole numbers.
#[derive(Debug, Clone, PartialEq)]
pub struct Keypoints {
    points: Vec<Vec<[f64; 2]>>,
    visible: Vec<Vec<bool>>,
    sizes: Vec<[f64; 2]>,
}

impl Keypoints {
    /// As many points and flags for every instance; `sizes` has the width and the height of each instance's box, in pixels of
    /// the heatmaps.
    ///
    /// # Errors
    /// [`Error::Shape`] for lists that do not fit or no instances, [`Error::NotFinite`] for NaN or infinite numbers,
    /// [`Error::Parameter`] for a size that is not positive.
    pub fn new(points: Vec<Vec<[f64; 2]>>, visible: Vec<Vec<bool>>, sizes: Vec<[f64; 2]>) -> Result<Self> {
        const NAME: &str = "keypoints";
        let rows: Vec<&Points> = points.iter().map(Vec::as_slice).collect();
        let flags: Vec<&[bool]> = visible.iter().map(Vec::as_slice).collect();
        check(NAME, &rows, &rows, &flags)?;
        if sizes.len() != points.len() {
            return Err(Error::shape(NAME, format!("sizes of {} instances", points.len()), sizes.len()));
        }
        check_finite(NAME, sizes.as_flattened())?;
        if let Some(i) = sizes.iter().position(|size| size[0] <= 0.0 || size[1] <= 0.0) {
            return Err(Error::parameter("sizes", format!("that of instance {i} is not positive")));
        }
        Ok(Self { points, visible, sizes })
    }

    /// How many instances.
    pub fn rows(&self) -> usize {
        self.points.len()
    }

    /// How many points each instance has.
    pub fn joints(&self) -> usize {
        self.points[0].len()
    }

    /// \[x, y\] of the points of each instance.
    pub fn points(&self) -> &[Vec<[f64; 2]>] {
        &self.points
    }

    /// Whether each point of each instance counts.
    pub fn visible(&self) -> &[Vec<bool>] {
        &self.visible
    }

    /// Width and height of each instance's box.
    pub fn sizes(&self) -> &[[f64; 2]] {
        &self.sizes
    }

    /// The points that heatmaps show, instance by instance.
    ///
    /// # Errors
    /// [`Error::Shape`] for another number of heatmaps, and as [`Heatmaps::decode`].
    pub fn decoded(&self, heatmaps: &Heatmaps, decoding: Decoding) -> Result<Vec<Vec<[f64; 2]>>> {
        let found = self.peaks(heatmaps, decoding)?;
        let points = |instance: &[([f64; 2], f32)]| instance.iter().map(|(point, _)| *point).collect();
        Ok(found.chunks_exact(self.joints()).map(points).collect())
    }

    /// The points that heatmaps show, with their largest pixels.
    fn peaks(&self, heatmaps: &Heatmaps, decoding: Decoding) -> Result<Vec<([f64; 2], f32)>> {
        let found = heatmaps.decode(decoding)?;
        let expected = self.rows() * self.joints();
        match found.len() == expected {
            true => Ok(found),
            false => Err(Error::shape("keypoints", format!("{expected} heatmaps"), found.len())),
        }
    }

    /// A metric of the points that heatmaps show (found, points, visible), with the quarter offset.
    fn judged(
        &self,
        heatmaps: &Heatmaps,
        metric: impl Fn(&[&Points], &[&Points], &[&[bool]]) -> Result<f64>,
    ) -> Result<f64> {
        let found = self.decoded(heatmaps, DECODING)?;
        let found: Vec<&Points> = found.iter().map(Vec::as_slice).collect();
        let points: Vec<&Points> = self.points.iter().map(Vec::as_slice).collect();
        let visible: Vec<&[bool]> = self.visible.iter().map(Vec::as_slice).collect();
        metric(&found, &points, &visible)
    }
}

/// PCK of heatmaps: the share of visible keypoints found closer to their targets than a threshold, mean over the joints; in
/// \[0, 1\], higher is better.
///
/// Distances count in shares of the larger side of the instance's box; heatmaps are decoded with the quarter offset.
///
/// # Example
/// ```
/// use reloss::metric::{Heatmaps, Keypoints, Metric, PckMetric};
/// // Two points of one instance, 1 × 5 pixels each: one found, one missed by three pixels.
/// let heatmaps = Heatmaps::new(vec![0., 1., 0., 0., 0., 0., 0., 0., 0., 1.], 1, 5)?;
/// let target = Keypoints::new(vec![vec![[1.0, 0.0]; 2]], vec![vec![true; 2]], vec![[10.0, 5.0]])?;
/// assert_eq!(PckMetric::new(0.2)?.value(&heatmaps, &target)?, 0.5);
/// # Ok::<(), reloss::Error>(())
/// ```
///
/// # Reference
/// See [`pck`].
#[derive(Debug, Clone)]
pub struct PckMetric {
    name: Cow<'static, str>,
    threshold: f64,
}

impl PckMetric {
    /// At 5 % of the box.
    pub const FINE: Self = Self { name: Cow::Borrowed("PCK@0.05"), threshold: 0.05 };
    /// At 10 % of the box.
    pub const MEDIUM: Self = Self { name: Cow::Borrowed("PCK@0.1"), threshold: 0.1 };
    /// At 20 % of the box.
    pub const COARSE: Self = Self { name: Cow::Borrowed("PCK@0.2"), threshold: 0.2 };

    /// PCK at this share of the box.
    ///
    /// # Errors
    /// [`Error::Parameter`] for a threshold that is not positive.
    pub fn new(threshold: f64) -> Result<Self> {
        check_positive("threshold", threshold)?;
        Ok(Self { name: format!("PCK@{threshold}").into(), threshold })
    }

    /// The share of the box below which a distance is right.
    pub fn threshold(&self) -> f64 {
        self.threshold
    }
}

impl Metric<Heatmaps, Keypoints> for PckMetric {
    fn name(&self) -> &str {
        &self.name
    }

    fn direction(&self) -> Direction {
        Direction::HigherIsBetter
    }

    fn range(&self) -> (f64, f64) {
        (0.0, 1.0)
    }

    fn value(&self, heatmaps: &Heatmaps, target: &Keypoints) -> Result<f64> {
        let units: Vec<[f64; 2]> = target.sizes.iter().map(|s| [s[0].max(s[1]); 2]).collect();
        target.judged(heatmaps, |found, points, visible| {
            pck(found, points, visible, &units, self.threshold)?.mean()
        })
    }
}

/// The area under the curve of PCK over thresholds 0, 0.025, … 0.475 of the larger side of the box; in \[0, 1\], higher is
/// better.
///
/// # Reference
/// See [`pck_auc`].
#[derive(Debug, Clone, Copy, Default)]
pub struct PckAuc;

impl Metric<Heatmaps, Keypoints> for PckAuc {
    fn name(&self) -> &str {
        "AUC of PCK"
    }

    fn direction(&self) -> Direction {
        Direction::HigherIsBetter
    }

    fn range(&self) -> (f64, f64) {
        (0.0, 1.0)
    }

    fn value(&self, heatmaps: &Heatmaps, target: &Keypoints) -> Result<f64> {
        // Thresholds k/20 of half the larger side.
        target.judged(heatmaps, |found, points, visible| {
            let units: Vec<[f64; 2]> = target.sizes.iter().map(|s| [0.5 * s[0].max(s[1]); 2]).collect();
            pck_auc(found, points, visible, &units, 20)
        })
    }
}

/// The mean distance of visible keypoints from their targets in pixels of the heatmaps; lower is better.
///
/// # Reference
/// See [`end_point_error`].
#[derive(Debug, Clone, Copy, Default)]
pub struct EndPointError;

impl Metric<Heatmaps, Keypoints> for EndPointError {
    fn name(&self) -> &str {
        "end point error"
    }

    fn direction(&self) -> Direction {
        Direction::LowerIsBetter
    }

    fn range(&self) -> (f64, f64) {
        (0.0, f64::INFINITY)
    }

    fn value(&self, heatmaps: &Heatmaps, target: &Keypoints) -> Result<f64> {
        target.judged(heatmaps, end_point_error)
    }
}

/// COCO's average precision over OKS thresholds 0.50 to 0.95, of one detection an instance, as sure as its mean peak; in
/// \[0, 1\], higher is better.
///
/// An instance's area is that of its box (COCO's is that of its outline).
///
/// # Reference
/// See [`Oks::average_precision`].
#[derive(Debug, Clone)]
pub struct OksAp {
    oks: Oks,
}

impl OksAp {
    /// With these sigmas, one a joint.
    pub fn new(sigmas: &[f64]) -> Self {
        Self { oks: Oks { sigmas: sigmas.to_vec() } }
    }
}

impl Metric<Heatmaps, Keypoints> for OksAp {
    fn name(&self) -> &str {
        "OKS-AP"
    }

    fn direction(&self) -> Direction {
        Direction::HigherIsBetter
    }

    fn range(&self) -> (f64, f64) {
        (0.0, 1.0)
    }

    fn value(&self, heatmaps: &Heatmaps, target: &Keypoints) -> Result<f64> {
        let found = target.peaks(heatmaps, DECODING)?;
        let (mut detections, mut annotations) = (Vec::new(), Vec::new());
        for (i, found) in found.chunks_exact(target.joints()).enumerate() {
            let (image_id, size) = (i as u64 + 1, target.sizes[i]);
            detections.push(Detection {
                image_id,
                category_id: 1,
                score: found.iter().map(|&(_, peak)| f64::from(peak)).sum::<f64>() / found.len() as f64,
                keypoints: found.iter().flat_map(|&([x, y], _)| [x, y, 1.0]).collect(),
            });
            let seen = &target.visible[i];
            let point = |([x, y], &seen): (&[f64; 2], &bool)| [*x, *y, if seen { 2.0 } else { 0.0 }];
            annotations.push(Annotation {
                id: image_id,
                image_id,
                category_id: 1,
                area: size[0] * size[1],
                bbox: [0.0, 0.0, size[0], size[1]],
                iscrowd: 0,
                num_keypoints: seen.iter().filter(|&&seen| seen).count(),
                keypoints: target.points[i].iter().zip(seen).flat_map(point).collect(),
            });
        }
        let precision = self.oks.average_precision(&annotations, &detections)?.ap;
        precision.ok_or_else(|| Error::undefined("OKS-AP", "no keypoint is visible"))
    }
}
