//! What a row of a matrix holds, and windows that slide over it.

#[cfg(not(feature = "composed"))]
use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::data::ImageShape;
use crate::error::{Error, Result};

impl ImageShape {
    /// The shape after [`conv_pool`](super::conv_pool()) with this many filters.
    pub fn pooled(&self, filters: usize) -> Self {
        Self { channels: filters, height: self.height / 2, width: self.width / 2 }
    }

    /// The same sides with other channels.
    pub fn with_channels(self, channels: usize) -> Self {
        Self { channels, ..self }
    }

    /// Refuses rows that are not such images.
    pub(super) fn check(&self, op: &'static str, columns: usize) -> Result<()> {
        if self.is_empty() {
            return Err(Error::parameter("image", format!("{self:?}: sizes must be positive")));
        }
        if columns != self.len() {
            return Err(Error::shape(op, format!("images of {} numbers ({self:?})", self.len()), columns));
        }
        Ok(())
    }
}

/// A square window that slides over an image with zeros around it.
///
/// # Example
/// ```
/// use reloss::ops::{ImageShape, Window};
/// let image = ImageShape { channels: 3, height: 32, width: 31 };
/// let halved = Window { stride: 2, ..Window::same(3) }.over(image)?;
/// assert_eq!((halved.channels, halved.height, halved.width), (3, 16, 16));
/// assert!(Window::tiles(40).over(image).is_err());
/// # Ok::<(), reloss::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// Pixels on a side.
    pub side: usize,
    /// Pixels from one place to the next.
    pub stride: usize,
    /// Zeros on every side of the image.
    pub padding: usize,
}

impl Window {
    /// One place a pixel: for an odd side, the image keeps its size.
    pub fn same(side: usize) -> Self {
        Self { side, stride: 1, padding: side / 2 }
    }

    /// Places side by side, no zeros: what pooling uses.
    pub fn tiles(side: usize) -> Self {
        Self { side, stride: side, padding: 0 }
    }

    /// The image of its places, with as many channels.
    ///
    /// # Errors
    /// [`Error::Parameter`] for a side or stride of zero, an empty image, or a window larger than the image with its
    /// zeros.
    ///
    /// # Reference
    /// As PyTorch: ⌊(size + 2 padding − side) / stride⌋ + 1 places.
    pub fn over(&self, image: ImageShape) -> Result<ImageShape> {
        let &Self { side, stride, padding } = self;
        if side == 0 || stride == 0 || image.is_empty() {
            let reason = format!("{self:?} over {image:?}: sides, strides and sizes must be positive");
            return Err(Error::parameter("window", reason));
        }
        let places = |size: usize| (size + 2 * padding).checked_sub(side).map(|room| room / stride + 1);
        match (places(image.height), places(image.width)) {
            (Some(height), Some(width)) => Ok(ImageShape { height, width, ..image }),
            _ => Err(Error::parameter("window", format!("{self:?} is larger than {image:?} with its zeros"))),
        }
    }
}

/// A window over an image: which tap sees which pixel at which place.
#[derive(Clone, Copy, Debug)]
pub(super) struct Geometry {
    pub(super) image: ImageShape,
    pub(super) window: Window,
    /// The places, with the image's channels.
    pub(super) places: ImageShape,
}

impl Geometry {
    pub(super) fn new(image: ImageShape, window: Window) -> Result<Self> {
        Ok(Self { image, window, places: window.over(image)? })
    }

    /// Pixels under the window, over all channels.
    pub(super) fn taps(&self) -> usize {
        self.image.channels * self.area()
    }

    /// Pixels under the window.
    pub(super) fn area(&self) -> usize {
        self.window.side * self.window.side
    }

    /// Whether every place sees just the pixel it stands at.
    #[cfg(not(feature = "composed"))]
    pub(super) fn is_identity(&self) -> bool {
        self.window == Window::same(1)
    }

    /// The pixel a tap sees at a place; none outside.
    pub(super) fn source(&self, tap: usize, place: usize) -> Option<usize> {
        let Window { side, stride, padding } = self.window;
        let (channel, rest) = (tap / self.area(), tap % self.area());
        let y = (place / self.places.width * stride + rest / side).checked_sub(padding)?;
        let x = (place % self.places.width * stride + rest % side).checked_sub(padding)?;
        let inside = y < self.image.height && x < self.image.width;
        inside.then(|| channel * self.image.pixels() + y * self.image.width + x)
    }

    /// The places along an axis from which a tap's offset sees one of `size` pixels:
    /// 0 ≤ place · stride + offset − padding < size.
    #[cfg(not(feature = "composed"))]
    fn inside(&self, offset: usize, size: usize, places: usize) -> Range<usize> {
        let Window { stride, padding, .. } = self.window;
        let to = (size + padding).saturating_sub(offset).div_ceil(stride).min(places);
        padding.saturating_sub(offset).div_ceil(stride).min(to)..to
    }

    /// Every run of places in a row from which a tap sees pixels of one channel.
    #[cfg(not(feature = "composed"))]
    pub(super) fn runs(&self) -> Vec<Run> {
        let Window { side, stride, padding } = self.window;
        let mut runs = Vec::with_capacity(self.area() * self.places.height);
        for tap in 0..self.area() {
            let (down, right) = (tap / side, tap % side);
            let columns = self.inside(right, self.image.width, self.places.width);
            if columns.is_empty() {
                continue;
            }
            runs.extend(self.inside(down, self.image.height, self.places.height).map(|row| {
                let line = (row * stride + down - padding) * self.image.width;
                let place = row * self.places.width + columns.start;
                Run { tap, place, pixel: line + columns.start * stride + right - padding, len: columns.len() }
            }));
        }
        runs
    }
}

/// Places in a row from which a tap sees pixels; the next place's pixel is the window's stride on.
#[cfg(not(feature = "composed"))]
#[derive(Clone, Copy)]
pub(super) struct Run {
    /// The tap's number in the window.
    pub(super) tap: usize,
    /// The first place.
    pub(super) place: usize,
    /// The first pixel.
    pub(super) pixel: usize,
    /// How many places.
    pub(super) len: usize,
}
