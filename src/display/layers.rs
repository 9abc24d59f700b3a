//! The marks of each layer, and their samples in the legend.

use plotters::style::{Color as _, RGBAColor, RGBColor};
use plotters_backend::DrawingBackend;

use super::axis::brief;
use super::canvas::{Align, Canvas, Point, Rect};
use super::chart::Layer;
use super::check::{counts, Checked};
use super::draw::{across, upward};
use super::geometry::{clip_area, clip_line, inside, thin_out};
use super::shades::Shades;
use crate::error::Result;

/// The colours of Okabe and Ito (2008), told apart with any colour vision; yellow is left out,
/// being hard to see on white, and sky blue stands last, being close to blue in small marks.
const COLORS: [RGBColor; 7] = [
    RGBColor(0x00, 0x72, 0xb2),
    RGBColor(0xd5, 0x5e, 0x00),
    RGBColor(0x00, 0x9e, 0x73),
    RGBColor(0xcc, 0x79, 0xa7),
    RGBColor(0xe6, 0x9f, 0x00),
    RGBColor(0x00, 0x00, 0x00),
    RGBColor(0x56, 0xb4, 0xe9),
];
const LEVEL: RGBColor = RGBColor(0x55, 0x55, 0x55);

/// Lengths of dash, gap, dash, gap … in CSS pixels; empty for a solid line.
const DASHES: [&[f64]; 5] = [&[], &[7.0, 5.0], &[1.5, 4.0], &[9.0, 4.0, 1.5, 4.0], &[4.0, 3.5]];
const LEVEL_DASHES: [&[f64]; 3] = [&[2.0, 3.5], &[6.0, 3.0, 2.0, 3.0], &[10.0, 4.0]];
const LINE: f64 = 1.8;
const BAND: f64 = 0.18;
/// Font size of the values in a heat map's cells.
const CELL_TEXT: f64 = 11.0;
/// A line with at most this many points also shows them.
const FEW: usize = 15;

pub(super) fn opaque(color: RGBColor) -> RGBAColor {
    color.to_rgba()
}

fn color(style: usize) -> RGBColor {
    COLORS[style % COLORS.len()]
}

/// Smallest and largest value.
pub(super) fn extent(values: &[f64]) -> (f64, f64) {
    values.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), &v| (low.min(v), high.max(v)))
}

/// Draws all layers of a panel inside `plot`: areas first, then lines, then points.
pub(super) fn draw<DB: DrawingBackend>(canvas: &Canvas<DB>, checked: &Checked, plot: &Rect) -> Result<()> {
    let layers = || checked.panel.layers.iter().zip(&checked.style);
    for (layer, &style) in layers() {
        match layer {
            Layer::Picture { columns, values } => {
                cells(canvas, checked, plot, *columns, values, grey)?;
            }
            Layer::Heat { columns, values, names, .. } => {
                let named = !names[0].is_empty();
                let shades = Shades::new(values, named);
                cells(canvas, checked, plot, *columns, values, |v| shades.of(v))?;
                if named {
                    written(canvas, checked, plot, *columns, (values, shades))?;
                }
            }
            Layer::Bars { label, categories, heights, spreads } => {
                bars(canvas, checked, plot, style, (label, categories, heights, spreads))?;
            }
            Layer::Histogram { values, bins, .. } => {
                histogram(canvas, checked, plot, style, values, *bins)?;
            }
            Layer::Band { x, low, high, .. } => {
                let up = x.iter().zip(high).map(|(&x, &y)| place(checked, plot, (x, y)));
                let back = x.iter().zip(low).rev().map(|(&x, &y)| place(checked, plot, (x, y)));
                let area = clip_area(up.chain(back).collect(), plot);
                canvas.polygon(&area, color(style).mix(BAND))?;
            }
            _ => {}
        }
    }
    let mut levels = 0;
    for (layer, &style) in layers() {
        match layer {
            Layer::Level { y, .. } => {
                let y = upward(&checked.y, plot, *y);
                if (plot.top..=plot.bottom).contains(&y) {
                    let ends = [(plot.left, y), (plot.right, y)];
                    dashed(canvas, &ends, LEVEL, 1.4, LEVEL_DASHES[levels % LEVEL_DASHES.len()])?;
                }
                levels += 1;
            }
            Layer::Line { points, .. } => {
                let path: Vec<Point> = points.iter().map(|&p| place(checked, plot, p)).collect();
                let path = thin_out(path, plot);
                for part in clip_line(&path, plot) {
                    dashed(canvas, &part, color(style), LINE, DASHES[style % DASHES.len()])?;
                }
            }
            _ => {}
        }
    }
    for (layer, &style) in layers() {
        let (points, radius, alpha) = match layer {
            Layer::Points { points, .. } => match points.len() {
                0..=60 => (points, 3.6, 0.85),
                61..=400 => (points, 2.7, 0.65),
                _ => (points, 2.0, 0.45),
            },
            Layer::Line { points, .. } if points.len() <= FEW => (points, 3.2, 1.0),
            _ => continue,
        };
        for &point in points {
            let at = place(checked, plot, point);
            if inside(at, plot) {
                mark(canvas, at, radius, style, color(style).mix(alpha))?;
            }
        }
    }
    Ok(())
}

fn place(checked: &Checked, plot: &Rect, (x, y): Point) -> Point {
    (across(&checked.x, plot, x), upward(&checked.y, plot, y))
}

/// A filled mark of the series' own shape, of about equal area for all.
fn mark<DB: DrawingBackend>(
    canvas: &Canvas<DB>,
    (x, y): Point,
    r: f64,
    style: usize,
    color: RGBAColor,
) -> Result<()> {
    let corners =
        |shape: &[Point]| -> Vec<Point> { shape.iter().map(|&(dx, dy)| (x + r * dx, y + r * dy)).collect() };
    match style % 6 {
        0 => canvas.disc((x, y), r, color),
        1 => canvas.polygon(&corners(&[(0.0, -1.25), (1.15, 0.8), (-1.15, 0.8)]), color),
        2 => canvas.polygon(&corners(&[(-0.88, -0.88), (0.88, -0.88), (0.88, 0.88), (-0.88, 0.88)]), color),
        3 => canvas.polygon(&corners(&[(0.0, -1.3), (1.3, 0.0), (0.0, 1.3), (-1.3, 0.0)]), color),
        4 => canvas.polygon(&corners(&[(0.0, 1.25), (1.15, -0.8), (-1.15, -0.8)]), color),
        _ => {
            // A cross of two strokes 0.6 r wide.
            let (a, b) = (1.2, 0.3);
            let plus = [
                (-b, -a),
                (b, -a),
                (b, -b),
                (a, -b),
                (a, b),
                (b, b),
                (b, a),
                (-b, a),
                (-b, b),
                (-a, b),
                (-a, -b),
                (-b, -b),
            ];
            canvas.polygon(&corners(&plus), color)
        }
    }
}

/// A path in dashes; `pattern` alternates drawn and left-out lengths.
fn dashed<DB: DrawingBackend>(
    canvas: &Canvas<DB>,
    path: &[Point],
    color: RGBColor,
    width: f64,
    pattern: &[f64],
) -> Result<()> {
    if pattern.is_empty() {
        return canvas.line(path, color, width);
    }
    let Some(&first) = path.first() else { return Ok(()) };
    let (mut piece, mut slot, mut left) = (vec![first], 0, pattern[0]);
    for ends in path.windows(2) {
        let (mut a, b) = (ends[0], ends[1]);
        loop {
            let length = (b.0 - a.0).hypot(b.1 - a.1);
            if length < left {
                left -= length;
                piece.push(b);
                break;
            }
            let share = left / length;
            a = (a.0 + share * (b.0 - a.0), a.1 + share * (b.1 - a.1));
            piece.push(a);
            if slot % 2 == 0 {
                canvas.line(&piece, color, width)?;
            }
            piece = vec![a];
            slot = (slot + 1) % pattern.len();
            left = pattern[slot];
        }
    }
    if slot % 2 == 0 {
        canvas.line(&piece, color, width)?;
    }
    Ok(())
}

/// Share of a category's room that its bars fill.
const FILLED: f64 = 0.72;

fn bars<DB: DrawingBackend>(
    canvas: &Canvas<DB>,
    checked: &Checked,
    plot: &Rect,
    style: usize,
    (label, categories, heights, spreads): (&str, &[String], &[f64], &[f64]),
) -> Result<()> {
    let beside = checked.bar_labels.len().max(1) as f64;
    let own = checked.bar_labels.iter().position(|l| *l == label).unwrap_or(0) as f64;
    let wide = FILLED / beside;
    let level = |y: f64| upward(&checked.y, plot, y.clamp(checked.y.low, checked.y.high));
    let base = level(0.0);
    for (index, (category, &height)) in categories.iter().zip(heights).enumerate() {
        let slot = checked.categories.iter().position(|c| c == category).unwrap_or(0) as f64;
        let left = slot - FILLED / 2.0 + own * wide;
        let ends = [left, left + wide].map(|x| across(&checked.x, plot, x).clamp(plot.left, plot.right));
        let (a, b) = (base.min(level(height)), base.max(level(height)));
        let area = Rect { left: ends[0] + 0.75, top: a, right: ends[1] - 0.75, bottom: b };
        canvas.polygon(&area.corners(), color(style).mix(0.85))?;
        if let Some(&spread) = spreads.get(index) {
            let x = (ends[0] + ends[1]) / 2.0;
            let (top, bottom) = (level(height + spread.abs()), level(height - spread.abs()));
            let cap = ((ends[1] - ends[0]) * 0.2).min(5.0);
            let ink = RGBColor(0x22, 0x22, 0x22);
            canvas.line(&[(x, top), (x, bottom)], ink, 1.3)?;
            for y in [top, bottom] {
                canvas.line(&[(x - cap, y), (x + cap, y)], ink, 1.3)?;
            }
        }
    }
    Ok(())
}

fn histogram<DB: DrawingBackend>(
    canvas: &Canvas<DB>,
    checked: &Checked,
    plot: &Rect,
    style: usize,
    values: &[f64],
    bins: usize,
) -> Result<()> {
    let (low, high) = checked.binned;
    let step = (high - low) / bins as f64;
    let mut outline: Vec<Point> = vec![place(checked, plot, (low, 0.0))];
    for (bin, count) in counts(values, checked.binned, bins).into_iter().enumerate() {
        let from = low + bin as f64 * step;
        outline.push(place(checked, plot, (from, count as f64)));
        outline.push(place(checked, plot, (from + step, count as f64)));
    }
    outline.push(place(checked, plot, (high, 0.0)));
    canvas.polygon(&clip_area(outline.clone(), plot), color(style).mix(0.3))?;
    for part in clip_line(&outline, plot) {
        dashed(canvas, &part, color(style), 1.5, DASHES[style % DASHES.len()])?;
    }
    Ok(())
}

fn grey(value: f64) -> RGBColor {
    let level = (255.0 * value.clamp(0.0, 1.0)).round() as u8;
    RGBColor(level, level, level)
}

/// The cells of a matrix, each in the tone of its value.
fn cells<DB: DrawingBackend>(
    canvas: &Canvas<DB>,
    checked: &Checked,
    plot: &Rect,
    columns: usize,
    values: &[f64],
    tone: impl Fn(f64) -> RGBColor,
) -> Result<()> {
    // Whole pixels: no seams between cells.
    let x = |edge: f64| across(&checked.x, plot, edge).clamp(plot.left, plot.right).round();
    let y = |edge: f64| upward(&checked.y, plot, edge).clamp(plot.top, plot.bottom).round();
    for (row, cells) in values.chunks(columns).enumerate() {
        let (a, b) = (y(row as f64 - 0.5), y(row as f64 + 0.5));
        let shades: Vec<RGBColor> = cells.iter().map(|&v| tone(v)).collect();
        let mut column = 0;
        for run in shades.chunk_by(|a, b| a == b) {
            let (left, right) = (x(column as f64 - 0.5), x((column + run.len()) as f64 - 0.5));
            column += run.len();
            let area = Rect { left, top: a.min(b), right, bottom: a.max(b) };
            canvas.polygon(&area.corners(), opaque(run[0]))?;
        }
    }
    Ok(())
}

/// The values of a heat map in its cells, dark on light shades and light on dark ones.
fn written<DB: DrawingBackend>(
    canvas: &Canvas<DB>,
    checked: &Checked,
    plot: &Rect,
    columns: usize,
    (values, shades): (&[f64], Shades),
) -> Result<()> {
    for (i, &value) in values.iter().enumerate() {
        let RGBColor(red, green, blue) = shades.of(value);
        // Relative luminance, as Rec. 709 weighs the colours.
        let light = 0.2126 * f64::from(red) + 0.7152 * f64::from(green) + 0.0722 * f64::from(blue);
        let ink = if light > 128.0 { RGBColor(0, 0, 0) } else { RGBColor(255, 255, 255) };
        let (x, y) = place(checked, plot, ((i % columns) as f64, (i / columns) as f64));
        canvas.text(&brief(value), (x, y + 0.36 * CELL_TEXT), CELL_TEXT, ink, Align::Middle)?;
    }
    Ok(())
}

/// What stands before a name in the legend: the looks of its layers over one another.
pub(super) fn sample<DB: DrawingBackend>(
    canvas: &Canvas<DB>,
    checked: &Checked,
    indices: &[usize],
    (x, y): Point,
    wide: f64,
) -> Result<()> {
    let ends = [(x, y), (x + wide, y)];
    let area = |half: f64| Rect { left: x, top: y - half, right: x + wide, bottom: y + half };
    for &index in indices {
        let style = checked.style[index];
        match &checked.panel.layers[index] {
            Layer::Points { .. } => mark(canvas, (x + wide / 2.0, y), 3.6, style, opaque(color(style)))?,
            Layer::Line { points, .. } => {
                dashed(canvas, &ends, color(style), LINE, DASHES[style % DASHES.len()])?;
                if points.len() <= FEW {
                    mark(canvas, (x + wide / 2.0, y), 3.2, style, opaque(color(style)))?;
                }
            }
            Layer::Band { .. } => canvas.polygon(&area(5.0).corners(), color(style).mix(BAND))?,
            Layer::Bars { .. } => {
                let square = Rect { left: x + 8.0, top: y - 5.0, right: x + wide - 4.0, bottom: y + 5.0 };
                canvas.polygon(&square.corners(), color(style).mix(0.85))?;
            }
            Layer::Histogram { .. } => {
                canvas.polygon(&area(4.5).corners(), color(style).mix(0.3))?;
                let top = [(x, y - 4.5), (x + wide, y - 4.5)];
                dashed(canvas, &top, color(style), 1.5, DASHES[style % DASHES.len()])?;
            }
            Layer::Level { .. } => {
                let before = checked.panel.layers[..index].iter();
                let levels = before.filter(|l| matches!(l, Layer::Level { .. })).count();
                dashed(canvas, &ends, LEVEL, 1.4, LEVEL_DASHES[levels % LEVEL_DASHES.len()])?;
            }
            // Without a name, never in a legend.
            Layer::Picture { .. } => {}
            Layer::Heat { values, names, .. } => {
                let shades = Shades::new(values, !names[0].is_empty());
                let steps = 35;
                for step in 0..steps {
                    let left = x + wide * f64::from(step) / f64::from(steps);
                    let right = x + wide * f64::from(step + 1) / f64::from(steps);
                    let cell = Rect { left, top: y - 4.5, right, bottom: y + 4.5 };
                    canvas.polygon(
                        &cell.corners(),
                        opaque(shades.along(f64::from(step) / f64::from(steps - 1))),
                    )?;
                }
            }
        }
    }
    Ok(())
}
