//! A drawing surface in CSS pixels over any plotters backend.

use plotters::coord::Shift;
use plotters::element::{Circle, PathElement, Polygon, Text};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color as _, FontTransform, IntoFont, RGBAColor, RGBColor, ShapeStyle, TextStyle};
use plotters_backend::DrawingBackend;

use super::text::{FAMILIES, NOMINAL};
use crate::error::{Error, Result};

/// A position in CSS pixels from the upper left corner.
pub(super) type Point = (f64, f64);

/// A rectangle in CSS pixels.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Rect {
    pub left: f64,
    pub top: f64,
    pub right: f64,
    pub bottom: f64,
}

impl Rect {
    pub fn width(&self) -> f64 {
        self.right - self.left
    }
    pub fn height(&self) -> f64 {
        self.bottom - self.top
    }
    pub fn corners(&self) -> [Point; 4] {
        [(self.left, self.top), (self.right, self.top), (self.right, self.bottom), (self.left, self.bottom)]
    }
}

/// Which part of a text stands at the given position.
#[derive(Debug, Clone, Copy)]
pub(super) enum Align {
    Start,
    Middle,
    End,
}

/// A backend and how many of its units make one CSS pixel.
pub(super) struct Canvas<DB: DrawingBackend> {
    pub area: plotters::drawing::DrawingArea<DB, Shift>,
    pub scale: f64,
}

/// Distance from the anchor of a text (`VPos::Top`) down to its baseline, in em, as plotters' SVG
/// backend sets it; [`Raster`](super::raster::Raster) follows.
pub(super) const BASELINE: f64 = 0.76;

impl<DB: DrawingBackend> Canvas<DB> {
    fn place(&self, (x, y): Point) -> (i32, i32) {
        ((x * self.scale).round() as i32, (y * self.scale).round() as i32)
    }

    fn units(&self, length: f64) -> u32 {
        (length * self.scale).round().max(1.0) as u32
    }

    fn draw<'a, E>(&self, element: &'a E) -> Result<()>
    where
        E: plotters::element::Drawable<DB>,
        &'a E: plotters::element::PointCollection<'a, (i32, i32)>,
    {
        self.area
            .draw(element)
            .map_err(|error| Error::Draw { what: "figure".into(), reason: error.to_string() })
    }

    /// An open path, with round ends and joints.
    pub fn line(&self, points: &[Point], color: RGBColor, width: f64) -> Result<()> {
        let mut path: Vec<(i32, i32)> = points.iter().map(|&p| self.place(p)).collect();
        path.dedup();
        if path.len() < 2 {
            return Ok(());
        }
        let style = ShapeStyle { color: color.to_rgba(), filled: false, stroke_width: self.units(width) };
        self.draw(&PathElement::new(path, style))
    }

    /// A filled polygon.
    pub fn polygon(&self, points: &[Point], color: RGBAColor) -> Result<()> {
        let mut path: Vec<(i32, i32)> = points.iter().map(|&p| self.place(p)).collect();
        path.dedup();
        if path.len() < 3 {
            return Ok(());
        }
        self.draw(&Polygon::new(path, color.filled()))
    }

    /// A filled circle.
    pub fn disc(&self, center: Point, radius: f64, color: RGBAColor) -> Result<()> {
        self.draw(&Circle::new(self.place(center), self.units(radius), color.filled()))
    }

    /// One line of text with its baseline at `at`.
    pub fn text(&self, text: &str, at: Point, size: f64, color: RGBColor, align: Align) -> Result<()> {
        self.write(text, (at.0, at.1 - BASELINE * size), size, color, align, FontTransform::None)
    }

    /// Text that reads upwards, its baseline a vertical at `at.0`, its middle at `at.1`.
    pub fn text_upwards(&self, text: &str, at: Point, size: f64, color: RGBColor) -> Result<()> {
        let at = (at.0 - BASELINE * size, at.1);
        self.write(text, at, size, color, Align::Middle, FontTransform::Rotate270)
    }

    fn write(
        &self,
        text: &str,
        at: Point,
        size: f64,
        color: RGBColor,
        align: Align,
        turn: FontTransform,
    ) -> Result<()> {
        if text.is_empty() {
            return Ok(());
        }
        let horizontal = match align {
            Align::Start => HPos::Left,
            Align::Middle => HPos::Center,
            Align::End => HPos::Right,
        };
        let font = (FAMILIES, size * NOMINAL * self.scale).into_font().transform(turn);
        let style = TextStyle::from(font).color(&color).pos(Pos::new(horizontal, VPos::Top));
        self.draw(&Text::new(text.to_string(), self.place(at), style))
    }
}
