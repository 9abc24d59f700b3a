//! Pictures of any size, from PNG and JPEG files.

use std::fmt;
use std::io::Cursor;
use std::path::Path;

use image::{DynamicImage, ImageReader};

use crate::data::ImageShape;
use crate::error::{check_finite, Error, Result};
use crate::files;

/// A grey picture or one of red, green and blue: planes one after the other, each row-major, values in \[0, 1\].
#[derive(Clone, PartialEq)]
pub struct Picture {
    pixels: Vec<f32>,
    shape: ImageShape,
}

impl fmt::Debug for Picture {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let ImageShape { channels, height, width } = self.shape;
        write!(f, "Picture({channels} x {height} x {width})")
    }
}

impl Picture {
    /// A picture of these pixels.
    ///
    /// # Errors
    /// [`Error::Shape`] for channels other than 1 or 3, no pixels, or another number of them than `shape` has;
    /// [`Error::NotFinite`] for NaN or infinite ones.
    ///
    /// # Example
    /// ```
    /// use reloss::data::{ImageShape, Picture};
    /// let grey = Picture::new(vec![0.0, 0.5], ImageShape { channels: 1, height: 1, width: 2 })?;
    /// assert_eq!(grey.in_colour().pixels(), [0.0, 0.5, 0.0, 0.5, 0.0, 0.5]);
    /// # Ok::<(), reloss::Error>(())
    /// ```
    pub fn new(pixels: Vec<f32>, shape: ImageShape) -> Result<Self> {
        if !matches!(shape.channels, 1 | 3) || shape.is_empty() || pixels.len() != shape.len() {
            let got = format!("{} numbers for {shape:?}", pixels.len());
            return Err(Error::shape("picture", "whole planes, 1 or 3 of them", got));
        }
        check_finite("picture", &pixels)?;
        Ok(Self { pixels, shape })
    }

    /// The picture in a PNG or JPEG file, known by its content; what is grey in the file has one channel.
    ///
    /// Transparency is dropped, and a camera's note on how it was held is not followed: annotations count pixels as
    /// they lie in the file.
    ///
    /// # Errors
    /// [`Error::Io`] for a missing file, [`Error::Data`] for one of another kind or a corrupt one.
    ///
    /// # Example
    /// ```
    /// use reloss::data::Picture;
    /// # let folder = tempfile::tempdir().map_err(|source| reloss::Error::Io { path: "".into(), source })?;
    /// let path = folder.path().join("text.png");
    /// reloss::files::write_atomic(&path, b"not a picture")?;
    /// assert!(matches!(Picture::read(&path), Err(reloss::Error::Data { .. })));
    /// # Ok::<(), reloss::Error>(())
    /// ```
    pub fn read(path: &Path) -> Result<Self> {
        let bytes = files::read(path)?;
        let corrupt = |e: &dyn std::fmt::Display| Error::data(path, None, format!("not decoded: {e}"));
        let reader = ImageReader::new(Cursor::new(&bytes)).with_guessed_format().map_err(|e| corrupt(&e))?;
        let decoded = reader.decode().map_err(|e| corrupt(&e))?;
        // The JPEG decoder makes up what a file that ends early lacks.
        if bytes.starts_with(&[0xff, 0xd8]) && !bytes.windows(2).rev().any(|pair| pair == [0xff, 0xd9]) {
            return Err(corrupt(&"the file ends before the picture does"));
        }
        Self::from_decoded(&decoded)
    }

    fn from_decoded(decoded: &DynamicImage) -> Result<Self> {
        let (height, width) = (decoded.height() as usize, decoded.width() as usize);
        let shape = |channels| ImageShape { channels, height, width };
        if !decoded.color().has_color() {
            return Self::new(decoded.to_luma32f().into_raw(), shape(1));
        }
        let mixed = decoded.to_rgb32f().into_raw();
        let plane = |channel: usize| mixed.iter().skip(channel).step_by(3).copied();
        Self::new((0..3).flat_map(plane).collect(), shape(3))
    }

    /// The planes, one after the other.
    pub fn pixels(&self) -> &[f32] {
        &self.pixels
    }

    /// Channels, height and width in pixels.
    pub fn shape(&self) -> ImageShape {
        self.shape
    }

    /// With three channels: a grey picture's plane three times.
    pub fn in_colour(&self) -> Self {
        match self.shape.channels {
            1 => Self { pixels: self.pixels.repeat(3), shape: ImageShape { channels: 3, ..self.shape } },
            _ => self.clone(),
        }
    }

    /// The value at \[x, y\] of a plane, pixel centres at integers, linear between them and 0 outside.
    pub(super) fn sample(&self, channel: usize, [x, y]: [f64; 2]) -> f32 {
        let ImageShape { height, width, .. } = self.shape;
        // Beyond this no pixel has a weight; it also keeps the casts below in range.
        if !(x > -1.0 && y > -1.0 && x < width as f64 && y < height as f64) {
            return 0.0;
        }
        let (left, top) = (x.floor(), y.floor());
        let (across, down) = ((x - left) as f32, (y - top) as f32);
        let plane = channel * self.shape.pixels();
        let pixel = |column: i64, row: i64| match (usize::try_from(column), usize::try_from(row)) {
            (Ok(column), Ok(row)) if column < width && row < height => {
                self.pixels[plane + row * width + column]
            }
            _ => 0.0,
        };
        let (column, row) = (left as i64, top as i64);
        let between = |row: i64| pixel(column, row) * (1.0 - across) + pixel(column + 1, row) * across;
        between(row) * (1.0 - down) + between(row + 1) * down
    }
}
