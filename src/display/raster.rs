//! A plotters backend that draws smooth lines, areas and text into RGB pixels.
//!
//! plotters' own bitmap backend rounds glyphs to whole pixels and drops their side bearings, and
//! its wide lines break where they fold; a figure has too much of both for that.

use std::convert::Infallible;

use ab_glyph::{point, Font, ScaleFont};
use plotters_backend::text_anchor::{HPos, VPos};
use plotters_backend::{
    BackendColor, BackendCoord, BackendStyle, BackendTextStyle, DrawingBackend, DrawingErrorKind,
    FontTransform,
};

use super::canvas::BASELINE;
use super::text;

/// RGB pixels, row after row from the top.
pub(super) struct Raster<'a> {
    pixels: &'a mut [u8],
    width: usize,
    height: usize,
}

/// Horizontal cuts through each row of pixels; areas are exact along a cut.
const CUTS: usize = 4;

/// A part of the image with how much of each pixel is covered.
struct Mask {
    left: i32,
    top: i32,
    width: usize,
    cover: Vec<f32>,
}

impl<'a> Raster<'a> {
    /// Draws into `pixels`, which hold `3 · width · height` bytes.
    pub fn new(pixels: &'a mut [u8], width: usize, height: usize) -> Self {
        debug_assert_eq!(pixels.len(), 3 * width * height);
        Self { pixels, width, height }
    }

    fn blend(&mut self, x: i32, y: i32, color: BackendColor, cover: f64) {
        let (Ok(column), Ok(row)) = (usize::try_from(x), usize::try_from(y)) else { return };
        let alpha = (color.alpha * cover).clamp(0.0, 1.0);
        if column >= self.width || row >= self.height || alpha == 0.0 {
            return;
        }
        let start = 3 * (row * self.width + column);
        let (r, g, b) = color.rgb;
        for (old, new) in self.pixels[start..start + 3].iter_mut().zip([r, g, b]) {
            let mixed = f64::from(*old) + (f64::from(new) - f64::from(*old)) * alpha;
            *old = mixed.round() as u8;
        }
    }

    /// An empty mask over the part of `points`' bounding box, `margin` wider, that is visible.
    fn mask(&self, points: &[BackendCoord], margin: f64) -> Option<Mask> {
        let margin = margin.ceil() as i32 + 1;
        let left = points.iter().map(|p| p.0).min()?.saturating_sub(margin).max(0);
        let top = points.iter().map(|p| p.1).min()?.saturating_sub(margin).max(0);
        let right = points.iter().map(|p| p.0).max()?.saturating_add(margin).min(self.width as i32);
        let bottom = points.iter().map(|p| p.1).max()?.saturating_add(margin).min(self.height as i32);
        if left >= right || top >= bottom {
            return None;
        }
        let (width, height) = ((right - left) as usize, (bottom - top) as usize);
        Some(Mask { left, top, width, cover: vec![0.0; width * height] })
    }

    fn paint(&mut self, mask: &Mask, color: BackendColor) {
        for (index, &cover) in mask.cover.iter().enumerate() {
            if cover > 0.0 {
                let (x, y) = ((index % mask.width) as i32, (index / mask.width) as i32);
                self.blend(mask.left + x, mask.top + y, color, f64::from(cover));
            }
        }
    }
}

impl Mask {
    /// Covers what lies within `radius` of the segment from `a` to `b`.
    fn stroke(&mut self, a: BackendCoord, b: BackendCoord, radius: f64) {
        let (ax, ay) = (f64::from(a.0 - self.left), f64::from(a.1 - self.top));
        let (bx, by) = (f64::from(b.0 - self.left), f64::from(b.1 - self.top));
        let (dx, dy) = (bx - ax, by - ay);
        let squared = dx * dx + dy * dy;
        let reach = radius + 1.0;
        let height = self.cover.len() / self.width;
        let rows = (ay.min(by) - reach).max(0.0) as usize
            ..((ay.max(by) + reach).ceil().max(0.0) as usize).min(height);
        for row in rows {
            let y = row as f64 + 0.5;
            // The part of the segment near this row bounds the columns to look at.
            let (mut from, mut to) = (0.0f64, 1.0f64);
            if dy != 0.0 {
                let (s, t) = ((y - reach - ay) / dy, (y + reach - ay) / dy);
                (from, to) = (s.min(t).clamp(0.0, 1.0), s.max(t).clamp(0.0, 1.0));
            }
            let (s, t) = (ax + from * dx, ax + to * dx);
            let columns = (s.min(t) - reach).max(0.0) as usize
                ..((s.max(t) + reach).ceil().max(0.0) as usize).min(self.width);
            for column in columns {
                let x = column as f64 + 0.5;
                let along = if squared > 0.0 {
                    (((x - ax) * dx + (y - ay) * dy) / squared).clamp(0.0, 1.0)
                } else {
                    0.0
                };
                let distance = (x - ax - along * dx).hypot(y - ay - along * dy);
                let cover = (radius + 0.5 - distance).clamp(0.0, 1.0) as f32;
                let cell = &mut self.cover[row * self.width + column];
                *cell = cell.max(cover);
            }
        }
    }

    /// Covers the inside of a polygon (even–odd).
    fn fill(&mut self, corners: &[BackendCoord]) {
        let height = self.cover.len() / self.width;
        let mut crossings: Vec<f64> = Vec::new();
        for cut in 0..height * CUTS {
            let y = f64::from(self.top) + (cut as f64 + 0.5) / CUTS as f64;
            crossings.clear();
            for (index, &a) in corners.iter().enumerate() {
                let b = corners[(index + 1) % corners.len()];
                let (ay, by) = (f64::from(a.1), f64::from(b.1));
                if (ay <= y) != (by <= y) {
                    let along = (y - ay) / (by - ay);
                    let x = f64::from(a.0) + along * f64::from(b.0 - a.0);
                    crossings.push((x - f64::from(self.left)).clamp(0.0, self.width as f64));
                }
            }
            crossings.sort_by(f64::total_cmp);
            let row = &mut self.cover[cut / CUTS * self.width..][..self.width];
            for pair in crossings.chunks_exact(2) {
                for (column, cell) in row
                    .iter_mut()
                    .enumerate()
                    .take((pair[1].ceil() as usize).min(self.width))
                    .skip(pair[0] as usize)
                {
                    let inside = pair[1].min(column as f64 + 1.0) - pair[0].max(column as f64);
                    *cell += (inside.max(0.0) / CUTS as f64) as f32;
                }
            }
        }
    }
}

impl DrawingBackend for Raster<'_> {
    type ErrorType = Infallible;

    fn get_size(&self) -> (u32, u32) {
        (self.width as u32, self.height as u32)
    }

    fn ensure_prepared(&mut self) -> Result<(), DrawingErrorKind<Infallible>> {
        Ok(())
    }

    fn present(&mut self) -> Result<(), DrawingErrorKind<Infallible>> {
        Ok(())
    }

    fn draw_pixel(
        &mut self,
        (x, y): BackendCoord,
        color: BackendColor,
    ) -> Result<(), DrawingErrorKind<Infallible>> {
        self.blend(x, y, color, 1.0);
        Ok(())
    }

    fn draw_path<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(
        &mut self,
        path: I,
        style: &S,
    ) -> Result<(), DrawingErrorKind<Infallible>> {
        let path: Vec<BackendCoord> = path.into_iter().collect();
        let radius = f64::from(style.stroke_width()) / 2.0;
        if let Some(mut mask) = self.mask(&path, radius) {
            for ends in path.windows(2) {
                mask.stroke(ends[0], ends[1], radius);
            }
            self.paint(&mask, style.color());
        }
        Ok(())
    }

    fn fill_polygon<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(
        &mut self,
        corners: I,
        style: &S,
    ) -> Result<(), DrawingErrorKind<Infallible>> {
        let corners: Vec<BackendCoord> = corners.into_iter().collect();
        if let Some(mut mask) = self.mask(&corners, 0.0) {
            mask.fill(&corners);
            self.paint(&mask, style.color());
        }
        Ok(())
    }

    fn draw_circle<S: BackendStyle>(
        &mut self,
        center: BackendCoord,
        radius: u32,
        style: &S,
        _fill: bool,
    ) -> Result<(), DrawingErrorKind<Infallible>> {
        let radius = f64::from(radius);
        if let Some(mut mask) = self.mask(&[center], radius) {
            mask.stroke(center, center, radius);
            self.paint(&mask, style.color());
        }
        Ok(())
    }

    fn draw_text<S: BackendTextStyle>(
        &mut self,
        text: &str,
        style: &S,
        at: BackendCoord,
    ) -> Result<(), DrawingErrorKind<Infallible>> {
        let size = style.size() / text::NOMINAL;
        let refused = |error| DrawingErrorKind::FontError(Box::new(error));
        let font = text::font().map_err(refused)?.as_scaled(text::scale(size));
        let width = text::width(text, size).map_err(refused)?;
        let mut pen = match style.anchor().h_pos {
            HPos::Left => 0.0,
            HPos::Center => -width / 2.0,
            HPos::Right => -width,
        } as f32;
        let baseline = match style.anchor().v_pos {
            VPos::Top => BASELINE * size,
            VPos::Center => 0.25 * size,
            VPos::Bottom => -0.25 * size,
        } as f32;
        let upwards = matches!(style.transform(), FontTransform::Rotate270);
        let mut previous = None;
        for letter in text.chars() {
            let id = font.glyph_id(letter);
            if let Some(before) = previous {
                pen += font.kern(before, id);
            }
            previous = Some(id);
            let glyph = id.with_scale_and_position(font.scale(), point(pen, baseline));
            pen += font.h_advance(id);
            let Some(outline) = font.outline_glyph(glyph) else { continue };
            let corner = outline.px_bounds().min;
            let color = style.color();
            outline.draw(|x, y, cover| {
                let (x, y) = (corner.x as i32 + x as i32, corner.y as i32 + y as i32);
                // Upwards: what was right is up, what was down is right.
                let (x, y) = if upwards { (at.0 + y, at.1 - x - 1) } else { (at.0 + x, at.1 + y) };
                self.blend(x, y, color, f64::from(cover));
            });
        }
        Ok(())
    }
}
