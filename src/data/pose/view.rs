//! Crops: a figure's part of its picture, turned, scaled, shifted and mirrored.

use super::PoseSet;
use crate::data::ImageShape;
use crate::error::{check_finite, check_positive, Error, Result};

/// Pixels on a side of a crop or heatmap at most: more is a slip.
pub(super) const MOST: usize = 1 << 13;
/// By how much a crop can be smaller or larger than its part of the picture: beyond, numbers lose their digits.
const MOST_ZOOM: f64 = 1e6;

/// How a figure is seen; [`View::new`] is the plain view.
///
/// The part of the picture that fills the crop is the figure's box with a margin, widened on one axis to the crop's
/// aspect, about the box's centre.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct View {
    /// Rows of the crop.
    pub height: usize,
    /// Columns of the crop.
    pub width: usize,
    /// Size of the part that is seen, in units of the plain view's; 2 shows the figure half as large.
    pub scale: f64,
    /// By how much the figure is turned about the box's centre, in radians, clockwise as seen.
    pub rotation: f64,
    /// By how much the figure is moved right and down, in shares of the crop's width and height, before mirroring.
    pub shift: [f64; 2],
    /// Whether the finished crop is mirrored left to right; left and right joints are exchanged with it.
    pub flip: bool,
}

impl View {
    /// Size of the plain view's part of the picture, in sizes of the box: a quarter more, as mmpose.
    pub const MARGIN: f64 = 1.25;

    /// The plain view: upright, centred, the box with its margin.
    ///
    /// # Example
    /// ```
    /// let view = reloss::data::View::new(64, 48);
    /// assert_eq!((view.scale, view.rotation, view.flip), (1.0, 0.0, false));
    /// ```
    pub fn new(height: usize, width: usize) -> Self {
        Self { height, width, scale: 1.0, rotation: 0.0, shift: [0.0; 2], flip: false }
    }

    /// Refuses sizes, scales, angles and shifts that give no crop.
    fn check(&self) -> Result<()> {
        if !(1..=MOST).contains(&self.height) || !(1..=MOST).contains(&self.width) {
            let reason = format!("{} x {} pixels: from 1 to {MOST} a side", self.height, self.width);
            return Err(Error::parameter("view", reason));
        }
        check_positive("scale", self.scale)?;
        check_finite("view", &[self.rotation, self.shift[0], self.shift[1]])
    }

    /// Crop pixels per picture pixel, and the map from the picture to the crop, for this box.
    fn map(&self, [left, top, width, height]: [f64; 4]) -> (f64, Affine) {
        let size = [self.width as f64, self.height as f64];
        let part = (Self::MARGIN * width).max(Self::MARGIN * height * size[0] / size[1]) * self.scale;
        let per_pixel = size[0] / part;
        let (sin, cos) = self.rotation.sin_cos();
        let turn = [[per_pixel * cos, -per_pixel * sin], [per_pixel * sin, per_pixel * cos]];
        let centre = [left + width / 2.0, top + height / 2.0];
        // Pixel centres are at integers: the crop's middle is at (size − 1) / 2.
        let to = [0, 1].map(|axis| (size[axis] - 1.0) / 2.0 + self.shift[axis] * size[axis]);
        let mut map = Affine::about(turn, centre, to);
        if self.flip {
            // x becomes width − 1 − x.
            map.matrix[0] = map.matrix[0].map(|v| -v);
            map.offset[0] = size[0] - 1.0 - map.offset[0];
        }
        (per_pixel, map)
    }
}

/// An affine map of the plane.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Affine {
    matrix: [[f64; 2]; 2],
    offset: [f64; 2],
}

impl Affine {
    /// The map with this matrix that takes one point to another.
    fn about(matrix: [[f64; 2]; 2], from: [f64; 2], to: [f64; 2]) -> Self {
        let offset = [0, 1].map(|i| to[i] - matrix[i][0] * from[0] - matrix[i][1] * from[1]);
        Self { matrix, offset }
    }

    fn apply(&self, [x, y]: [f64; 2]) -> [f64; 2] {
        [0, 1].map(|i| self.matrix[i][0] * x + self.matrix[i][1] * y + self.offset[i])
    }

    /// The way back; the matrix is a scaled rotation or mirror, so it has one.
    fn inverse(&self) -> Self {
        let [[a, b], [c, d]] = self.matrix;
        let determinant = a * d - b * c;
        let matrix = [[d, -b], [-c, a]].map(|row| row.map(|v| v / determinant));
        Self::about(matrix, self.offset, [0.0; 2])
    }
}

/// A figure cut out of its picture, made by [`PoseSet::crop`].
#[derive(Debug, Clone, PartialEq)]
pub struct Crop {
    /// Planes of the crop, each row-major; 0 where the picture ends.
    pub pixels: Vec<f32>,
    /// Channels, height and width of the crop.
    pub shape: ImageShape,
    /// \[x, y\] of each joint in pixels of the crop, centres at integers; in a mirrored crop the left ones are the
    /// figure's right ones.
    pub keypoints: Vec<[f64; 2]>,
    /// Which joints are annotated and lie within the crop.
    pub visible: Vec<bool>,
    /// Crop pixels per picture pixel.
    pub per_pixel: f64,
    /// Width and height of the figure's box, before turning, in crop pixels.
    pub bbox_size: [f64; 2],
    back: Affine,
    /// Of each joint of the skeleton the one of the crop: partners in a mirrored crop, itself otherwise.
    order: Vec<usize>,
}

impl Crop {
    /// Where points of the crop, one a joint, lie in the picture; those of a mirrored crop change back to their partners.
    ///
    /// # Errors
    /// [`Error::Shape`] for another number of points than joints.
    ///
    /// # Example
    /// ```
    /// use reloss::data::{PoseSet, View};
    /// let figures = PoseSet::figures(1, 64, 0)?;
    /// let crop = figures.crop(0, &View { flip: true, rotation: 0.3, ..View::new(32, 32) })?;
    /// let back = crop.to_image(&crop.keypoints)?;
    /// let off = |k: usize| (back[3][k] - figures.instances()[0].keypoints[3][k]).abs();
    /// assert!(off(0) < 1e-9 && off(1) < 1e-9);
    /// # Ok::<(), reloss::Error>(())
    /// ```
    pub fn to_image(&self, points: &[[f64; 2]]) -> Result<Vec<[f64; 2]>> {
        if points.len() != self.order.len() {
            return Err(Error::shape("to image", format!("{} points", self.order.len()), points.len()));
        }
        Ok(self.order.iter().map(|&joint| self.back.apply(points[joint])).collect())
    }
}

impl PoseSet {
    /// The crop of a figure, from 0, in this view: linear between the picture's pixels, 0 outside it.
    ///
    /// Each pixel of the crop takes one point of the picture: a figure much larger than its crop is not smoothed first.
    ///
    /// # Errors
    /// [`Error::Shape`] for an instance that is not there; [`Error::Parameter`] for a view without pixels or of more than
    /// 8,192 on a side, and for a scale that is not positive and finite or changes sizes by more than 10⁶;
    /// [`Error::NotFinite`] for a rotation or shift that is not.
    ///
    /// # Example
    /// ```
    /// use reloss::data::{PoseSet, View};
    /// let figures = PoseSet::figures(1, 64, 0)?;
    /// let crop = figures.crop(0, &View::new(32, 24))?;
    /// assert_eq!((crop.pixels.len(), crop.shape.height, crop.shape.width), (32 * 24, 32, 24));
    /// // The box with its margin fits into the crop: every joint is in it.
    /// assert!(crop.visible.iter().all(|&visible| visible));
    /// # Ok::<(), reloss::Error>(())
    /// ```
    ///
    /// # Reference
    /// The top-down crop of Xiao, Wu, Wei, "Simple baselines for human pose estimation and tracking", ECCV 2018, with
    /// pixel centres at integers throughout as Huang et al., "The devil is in the details", CVPR 2020.
    pub fn crop(&self, instance: usize, view: &View) -> Result<Crop> {
        view.check()?;
        let Some(figure) = self.instances.get(instance) else {
            return Err(Error::shape("crop", format!("an instance below {}", self.len()), instance));
        };
        let picture = &self.pictures[figure.picture];
        let (per_pixel, map) = view.map(figure.bbox);
        if !(1.0 / MOST_ZOOM..=MOST_ZOOM).contains(&per_pixel) {
            let reason = format!("{} of this box makes {per_pixel} crop pixels of one", view.scale);
            return Err(Error::parameter("scale", reason));
        }
        let back = map.inverse();
        let shape = ImageShape { channels: picture.shape().channels, height: view.height, width: view.width };
        let mut pixels = Vec::with_capacity(shape.len());
        for channel in 0..shape.channels {
            let places = (0..view.height).flat_map(|y| (0..view.width).map(move |x| [x as f64, y as f64]));
            pixels.extend(places.map(|place| picture.sample(channel, back.apply(place))));
        }
        let order: Vec<usize> = match view.flip {
            true => self.skeleton.partners().to_vec(),
            false => (0..self.skeleton.len()).collect(),
        };
        let keypoints: Vec<[f64; 2]> =
            order.iter().map(|&joint| map.apply(figure.keypoints[joint])).collect();
        // A pixel reaches half a pixel around its centre.
        let inside = |[x, y]: [f64; 2]| {
            x >= -0.5 && y >= -0.5 && x < view.width as f64 - 0.5 && y < view.height as f64 - 0.5
        };
        let visible =
            order.iter().zip(&keypoints).map(|(&joint, &at)| figure.visible[joint] && inside(at)).collect();
        let bbox_size = [per_pixel * figure.bbox[2], per_pixel * figure.bbox[3]];
        Ok(Crop { pixels, shape, keypoints, visible, per_pixel, bbox_size, back, order })
    }
}
