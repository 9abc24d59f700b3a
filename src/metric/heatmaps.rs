//! Keypoints from heatmaps.

use rayon::prelude::*;

use crate::error::{check_finite, Error, Result};

/// How a heatmap becomes a point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decoding {
    /// The largest pixel.
    Largest,
    /// The largest pixel, a quarter of a pixel towards the larger neighbour on each axis; not at the edge.
    ///
    /// Newell, Yang, Deng, "Stacked hourglass networks for human pose estimation", ECCV 2016.
    Quarter,
    /// DARK: the top of the parabola through the logarithms around the largest pixel, once the heatmap is blurred by a
    /// Gaussian of this odd width (11 for targets of σ = 2, 17 for σ = 3); not within two pixels of the edge.
    ///
    /// Zhang, Zhu, Dai, Ye, Zhu, "Distribution-aware coordinate representation for human pose estimation", CVPR 2020.
    Dark(usize),
}

/// Heatmaps of keypoints: (instances · points, height, width), row-major, all finite.
#[derive(Debug, Clone, PartialEq)]
pub struct Heatmaps {
    values: Vec<f32>,
    height: usize,
    width: usize,
}

impl Heatmaps {
    /// Heatmaps one after the other, each row by row.
    ///
    /// # Errors
    /// [`Error::Shape`] for heatmaps without pixels, none at all or a ragged last one, [`Error::NotFinite`] for NaN or
    /// infinite pixels.
    pub fn new(values: Vec<f32>, height: usize, width: usize) -> Result<Self> {
        let pixels = height * width;
        if pixels == 0 || values.is_empty() || !values.len().is_multiple_of(pixels) {
            let expected = format!("whole heatmaps of {height} x {width} pixels, one or more");
            return Err(Error::shape("heatmaps", expected, format!("{} pixels", values.len())));
        }
        check_finite("heatmaps", &values)?;
        Ok(Self { values, height, width })
    }

    /// The pixels, heatmap by heatmap.
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// Pixels of a heatmap.
    pub fn pixels(&self) -> usize {
        self.height * self.width
    }

    /// The point of each heatmap, \[x, y\] in its pixels from 0, and its largest pixel; in parallel.
    ///
    /// Of equal pixels the first counts.
    ///
    /// # Errors
    /// [`Error::Parameter`] for a [`Decoding::Dark`] whose width is not odd and 3 or more.
    ///
    /// # Example
    /// ```
    /// use reloss::metric::{Decoding, Heatmaps};
    /// // A bump at (3.3, 2.8).
    /// let bump = |i: usize| {
    ///     let (x, y) = ((i % 7) as f32 - 3.3, (i / 7) as f32 - 2.8);
    ///     (-(x * x + y * y) / 8.0).exp()
    /// };
    /// let heatmap = Heatmaps::new((0..49).map(bump).collect(), 7, 7)?;
    /// assert_eq!(heatmap.decode(Decoding::Largest)?[0].0, [3.0, 3.0]);
    /// assert_eq!(heatmap.decode(Decoding::Quarter)?[0].0, [3.25, 2.75]);
    /// let [x, y] = heatmap.decode(Decoding::Dark(3))?[0].0;
    /// assert!((x - 3.3).abs() < 1e-3 && (y - 2.8).abs() < 1e-3);
    /// # Ok::<(), reloss::Error>(())
    /// ```
    ///
    /// # Reference
    /// As mmpose 1.x, `get_heatmap_maximum` with `refine_keypoints` or `refine_keypoints_dark`; there the quarter is
    /// also left out on the pixel next to the left and the upper edge.
    pub fn decode(&self, decoding: Decoding) -> Result<Vec<([f64; 2], f32)>> {
        let kernel = match decoding {
            Decoding::Dark(width) if width < 3 || width.is_multiple_of(2) => {
                return Err(Error::parameter("width", format!("{width} is not odd and 3 or more")));
            }
            Decoding::Dark(width) => gaussian(width),
            _ => Vec::new(),
        };
        let maps = self.values.par_chunks_exact(self.height * self.width).with_min_len(16);
        Ok(maps.map(|pixels| self.map(pixels).point(decoding, &kernel)).collect())
    }

    /// The mean of these heatmaps and those of the mirrored images, mirrored back: the flip test.
    ///
    /// `partners` has for each point the one it becomes in a mirror (itself, if it is neither left nor right). With
    /// `shift` the mirrored ones move a pixel to the right first, as networks need whose heatmaps are coarser than
    /// their images and not aligned by centres.
    ///
    /// # Errors
    /// [`Error::Shape`] for heatmaps of other sizes or numbers, or that are no whole instances of `partners`' points;
    /// [`Error::Parameter`] for partners that are not each other's.
    ///
    /// # Example
    /// ```
    /// use reloss::metric::Heatmaps;
    /// // Two points, left and right, of 1 × 3 pixels; the mirrored image shows them exchanged and reversed.
    /// let own = Heatmaps::new(vec![1.0, 0.0, 0.0, 0.0, 0.0, 1.0], 1, 3)?;
    /// let mirrored = Heatmaps::new(vec![1.0, 0.0, 0.0, 0.0, 0.5, 0.5], 1, 3)?;
    /// let mean = own.flip_test(&mirrored, &[1, 0], false)?;
    /// assert_eq!(mean.values(), [0.75, 0.25, 0.0, 0.0, 0.0, 1.0]);
    /// # Ok::<(), reloss::Error>(())
    /// ```
    ///
    /// # Reference
    /// As mmpose's `flip_heatmaps`; Newell et al. 2016; for the shift, Sun et al. 2019 (HRNet).
    pub fn flip_test(&self, mirrored: &Self, partners: &[usize], shift: bool) -> Result<Self> {
        const NAME: &str = "flip test";
        let size = |maps: &Self| (maps.values.len() / (maps.height * maps.width), maps.height, maps.width);
        if size(self) != size(mirrored) {
            return Err(Error::shape(NAME, format!("{:?}", size(self)), format!("{:?}", size(mirrored))));
        }
        let points = partners.len();
        if points == 0 || !size(self).0.is_multiple_of(points) {
            let expected = format!("whole instances of {points} points");
            return Err(Error::shape(NAME, expected, format!("{} heatmaps", size(self).0)));
        }
        if let Some(point) = (0..points).find(|&p| partners.get(partners[p]) != Some(&p)) {
            let reason = format!("point {point} is not the partner of its partner {}", partners[point]);
            return Err(Error::parameter("partners", reason));
        }
        let pixels = self.height * self.width;
        let mut values = self.values.clone();
        for (map, own) in values.chunks_exact_mut(pixels).enumerate() {
            let other = map / points * points + partners[map % points];
            let other = &mirrored.values[other * pixels..][..pixels];
            for (own, other) in own.chunks_exact_mut(self.width).zip(other.chunks_exact(self.width)) {
                for (x, own) in own.iter_mut().enumerate() {
                    let back = if shift { x.saturating_sub(1) } else { x };
                    *own = 0.5 * (*own + other[self.width - 1 - back]);
                }
            }
        }
        Ok(Self { values, ..*self })
    }

    fn map<'a>(&self, pixels: &'a [f32]) -> Map<'a> {
        Map { pixels, height: self.height, width: self.width }
    }
}

/// One heatmap.
struct Map<'a> {
    pixels: &'a [f32],
    height: usize,
    width: usize,
}

impl Map<'_> {
    fn point(&self, decoding: Decoding, kernel: &[f64]) -> ([f64; 2], f32) {
        let place = self.largest();
        let (x, y) = (place % self.width, place / self.width);
        let [dx, dy] = match decoding {
            Decoding::Largest => [0.0; 2],
            Decoding::Quarter => {
                [self.quarter(place, x, self.width, 1), self.quarter(place, y, self.height, self.width)]
            }
            Decoding::Dark(_) => self.dark(x, y, kernel),
        };
        ([x as f64 + dx, y as f64 + dy], self.pixels[place])
    }

    /// The place of the first of the largest pixels.
    fn largest(&self) -> usize {
        let largest = self.maximum();
        self.pixels.iter().position(|&pixel| pixel == largest).unwrap_or(0)
    }

    /// Eight at a time: one after the other, each comparison would wait for the one before.
    fn maximum(&self) -> f32 {
        let mut most = [f32::NEG_INFINITY; 8];
        let chunks = self.pixels.chunks_exact(8);
        let rest = chunks.remainder().iter().copied().fold(f32::NEG_INFINITY, f32::max);
        for chunk in chunks {
            most.iter_mut()
                .zip(chunk)
                .for_each(|(most, &pixel)| *most = if pixel > *most { pixel } else { *most });
        }
        most.into_iter().fold(rest, f32::max)
    }

    fn quarter(&self, place: usize, here: usize, end: usize, step: usize) -> f64 {
        if here == 0 || here + 1 == end {
            return 0.0;
        }
        let (before, after) = (self.pixels[place - step], self.pixels[place + step]);
        if after > before {
            0.25
        } else if after < before {
            -0.25
        } else {
            0.0
        }
    }

    /// One Newton step from (x, y) to the top of the blurred heatmap's logarithm.
    fn dark(&self, x: usize, y: usize, kernel: &[f64]) -> [f64; 2] {
        if x < 2 || y < 2 || x + 2 >= self.width || y + 2 >= self.height {
            return [0.0; 2];
        }
        // Around the pixel, as far as the differences reach: two steps along the axes, one across.
        let at = |dx: usize, dy: usize| self.blurred(x + dx - 2, y + dy - 2, kernel);
        let mut around = [[0.0; 5]; 5];
        for (dy, row) in around.iter_mut().enumerate() {
            for (dx, value) in row.iter_mut().enumerate() {
                if dx == 2 || dy == 2 || (dx % 2 == 1 && dy % 2 == 1) {
                    *value = at(dx, dy);
                }
            }
        }
        // mmpose keeps the logarithm's argument from 0, in heatmaps scaled to the height they had before the blur: the
        // scale, a constant in the logarithm, matters only where that happens.
        let scale = if around.iter().flatten().any(|&v| v < LOWEST) { self.scale(kernel) } else { 1.0 };
        let l = around.map(|row| row.map(|v| (v * scale).max(LOWEST).ln()));
        let [gx, gy] = [0.5 * (l[2][3] - l[2][1]), 0.5 * (l[3][2] - l[1][2])];
        let xx = 0.25 * (l[2][4] - 2.0 * l[2][2] + l[2][0]);
        let yy = 0.25 * (l[4][2] - 2.0 * l[2][2] + l[0][2]);
        let xy = 0.25 * (l[3][3] - l[1][3] - l[3][1] + l[1][1]);
        let determinant = xx * yy - xy * xy;
        if determinant == 0.0 {
            return [0.0; 2];
        }
        [-(yy * gx - xy * gy) / determinant, -(xx * gy - xy * gx) / determinant]
    }

    /// A pixel of the blurred heatmap, nothing around it.
    fn blurred(&self, x: usize, y: usize, kernel: &[f64]) -> f64 {
        let half = kernel.len() / 2;
        let (left, top) = (x.saturating_sub(half), y.saturating_sub(half));
        let (right, bottom) = ((x + half).min(self.width - 1), (y + half).min(self.height - 1));
        let across = &kernel[left + half - x..=right + half - x];
        let row = |y: usize| {
            let pixels = &self.pixels[y * self.width..][left..=right];
            pixels.iter().zip(across).map(|(&pixel, weight)| f64::from(pixel) * weight).sum::<f64>()
        };
        (top..=bottom).map(|y2| kernel[y2 + half - y] * row(y2)).sum()
    }

    fn scale(&self, kernel: &[f64]) -> f64 {
        let all = (0..self.pixels.len()).map(|i| self.blurred(i % self.width, i / self.width, kernel));
        let most = all.fold(f64::NEG_INFINITY, f64::max);
        if most > 0.0 {
            f64::from(self.maximum()) / most
        } else {
            1.0
        }
    }
}

/// What a logarithm is taken of at least.
const LOWEST: f64 = 1e-10;

/// Weights of a Gaussian of this width, of the spread OpenCV gives it; they add up to 1.
fn gaussian(width: usize) -> Vec<f64> {
    let sigma = 0.3 * ((width as f64 - 1.0) * 0.5 - 1.0) + 0.8;
    let weight = |i: usize| (-(i as f64 - (width / 2) as f64).powi(2) / (2.0 * sigma * sigma)).exp();
    let sum: f64 = (0..width).map(weight).sum();
    (0..width).map(|i| weight(i) / sum).collect()
}
