//! Heatmaps judged against keypoints.

use super::pose::{check, pck, Points};
use super::{Decoding, Direction, Heatmaps, Metric};
use crate::error::{check_finite, check_positive, Error, Result};

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
        let found: Vec<[f64; 2]> = heatmaps.decode(decoding)?.into_iter().map(|(point, _)| point).collect();
        let expected = self.rows() * self.joints();
        match found.len() == expected {
            true => Ok(found.chunks_exact(self.joints()).map(<[_]>::to_vec).collect()),
            false => Err(Error::shape("keypoints", format!("{expected} heatmaps"), found.len())),
        }
    }
}

/// PCK of heatmaps: the share of visible keypoints found closer to their targets than a threshold, mean over the joints; in
/// \[0, 1\], higher is better.
///
/// Distances count in shares of the larger side of the instance's box.
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
    name: String,
    threshold: f64,
    decoding: Decoding,
}

impl PckMetric {
    /// PCK at this share of the box, of heatmaps decoded with the quarter offset.
    ///
    /// # Errors
    /// [`Error::Parameter`] for a threshold that is not positive.
    pub fn new(threshold: f64) -> Result<Self> {
        check_positive("threshold", threshold)?;
        Ok(Self { name: format!("PCK@{threshold}"), threshold, decoding: Decoding::Quarter })
    }

    /// The same with another way from heatmaps to points.
    pub fn decoded_by(self, decoding: Decoding) -> Self {
        Self { decoding, ..self }
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
        let found = target.decoded(heatmaps, self.decoding)?;
        let units: Vec<[f64; 2]> = target.sizes.iter().map(|s| [s[0].max(s[1]); 2]).collect();
        let found: Vec<&Points> = found.iter().map(Vec::as_slice).collect();
        let points: Vec<&Points> = target.points.iter().map(Vec::as_slice).collect();
        let visible: Vec<&[bool]> = target.visible.iter().map(Vec::as_slice).collect();
        pck(&found, &points, &visible, &units, self.threshold)?.mean()
    }
}
