//! Where everything in a figure stands, and the drawing of axes, titles and legends.

use plotters::style::RGBColor;
use plotters_backend::DrawingBackend;

use super::axis::{self, Scale, Span, Tick};
use super::canvas::{Align, Canvas, Point, Rect};
use super::chart::{Layer, Panel};
use super::check::{check, Checked};
use super::layers;
use super::text::{clean, shorten, width, wrap};
use crate::error::Result;

const INK: RGBColor = RGBColor(0x22, 0x22, 0x22);
const FAINT_INK: RGBColor = RGBColor(0x55, 0x55, 0x55);
const AXIS: RGBColor = RGBColor(0x66, 0x66, 0x66);
const GRID: RGBColor = RGBColor(0xe4, 0xe4, 0xe4);

// Font sizes and distances in CSS pixels.
const TITLE: f64 = 13.5;
const LABEL: f64 = 12.0;
const SMALL: f64 = 11.0;
const EDGE: f64 = 10.0;
const RIGHT: f64 = 18.0;
const TICK: f64 = 4.0;
const LINE_HEIGHT: f64 = 1.35;
/// Length of the sample before a legend entry, and the room after each entry.
const SAMPLE: f64 = 24.0;
const SAMPLE_GAP: f64 = 6.0;
const ENTRY_GAP: f64 = 16.0;
/// The least room for the name of a category.
const NARROWEST_NAME: f64 = 32.0;
/// The least share of a panel's height that the data keep; a longer legend makes the row higher.
const DATA_SHARE: f64 = 0.4;
/// Width of the colour scale of a heat map.
const SHADES: f64 = 70.0;

/// A figure ready to be drawn on any backend.
pub(super) struct Plan<'a> {
    pub width: u32,
    pub height: u32,
    panels: Vec<Placed<'a>>,
}

/// A panel with everything placed.
struct Placed<'a> {
    checked: Checked<'a>,
    /// The whole panel, and within it the area of the data.
    outer: Rect,
    plot: Rect,
    title: Vec<String>,
    notes: Vec<String>,
    legend: Vec<Vec<Entry>>,
    x_ticks: Vec<Tick>,
    y_ticks: Vec<Tick>,
    categories: Vec<Vec<String>>,
}

/// One name in a legend: the layers it stands for, and the room it takes.
struct Entry {
    text: String,
    layers: Vec<usize>,
    width: f64,
}

impl Placed<'_> {
    fn header(&self) -> f64 {
        let lines = self.title.len() as f64 * TITLE + self.notes.len() as f64 * SMALL;
        EDGE + lines * LINE_HEIGHT + self.legend.len() as f64 * SMALL * 1.5 + 6.0
    }

    fn footer(&self) -> f64 {
        let rows = self.categories.iter().map(Vec::len).max().unwrap_or(1).max(1);
        let label = if self.checked.panel.x.label.is_empty() { 0.0 } else { LABEL * LINE_HEIGHT };
        TICK + 3.0 + rows as f64 * SMALL * LINE_HEIGHT + label + 7.0
    }
}

/// Places `panels`, each `size` CSS pixels, `columns` in a row.
pub(super) fn plan(panels: &[Panel], columns: usize, size: (u32, u32)) -> Result<Plan<'_>> {
    let (wide, high) = (f64::from(size.0), f64::from(size.1));
    let mut placed = Vec::with_capacity(panels.len());
    for panel in panels {
        let checked = check(panel)?;
        // The height of the axis is known only after the header: this estimate sets the ticks.
        let y_ticks = y_ticks(&checked, high - 110.0);
        placed.push(Placed {
            checked,
            outer: Rect::default(),
            plot: Rect::default(),
            title: Vec::new(),
            notes: Vec::new(),
            legend: Vec::new(),
            x_ticks: Vec::new(),
            y_ticks,
            categories: Vec::new(),
        });
    }
    for column in 0..columns {
        let mut left: f64 = 0.0;
        for one in placed.iter().skip(column).step_by(columns) {
            let mut widest: f64 = 0.0;
            for tick in &one.y_ticks {
                widest = widest.max(width(&tick.text, SMALL)?);
            }
            let label = if one.checked.panel.y.label.is_empty() { 0.0 } else { LABEL * LINE_HEIGHT + 2.0 };
            left = left.max(EDGE + label + widest + TICK + 4.0);
        }
        for one in placed.iter_mut().skip(column).step_by(columns) {
            one.plot.left = left.min(wide / 2.0).round();
            one.plot.right = wide - RIGHT;
            let room = one.plot.width();
            let panel = one.checked.panel;
            one.title = wrap(&clean(&panel.title), TITLE, room, 2)?;
            for note in &panel.notes {
                one.notes.extend(wrap(&clean(note), SMALL, room, 2)?);
            }
            one.legend = legend(panel, room)?;
            if one.checked.categories.is_empty() {
                one.x_ticks = x_ticks(&one.checked, room)?;
            } else {
                let slot = room / one.checked.categories.len() as f64;
                // Where there is no room for all names, every second, third … is left.
                let every = (NARROWEST_NAME / slot).ceil().max(1.0) as usize;
                for (index, name) in one.checked.categories.iter().enumerate() {
                    one.categories.push(if index % every == 0 {
                        wrap(&clean(name), SMALL, slot * every as f64 - 4.0, 2)?
                    } else {
                        Vec::new()
                    });
                }
            }
        }
    }
    let mut top = 0.0;
    for row in placed.chunks_mut(columns) {
        let header = row.iter().map(Placed::header).fold(0.0, f64::max).round();
        let footer = row.iter().map(Placed::footer).fold(0.0, f64::max).round();
        let bottom = top + high.max((header + footer + DATA_SHARE * high).round());
        for (column, one) in row.iter_mut().enumerate() {
            let left = column as f64 * wide;
            one.outer = Rect { left, top, right: left + wide, bottom };
            one.plot.left += left;
            one.plot.right += left;
            one.plot.top = top + header;
            one.plot.bottom = bottom - footer;
        }
        top = bottom;
    }
    Ok(Plan { width: columns as u32 * size.0, height: top as u32, panels: placed })
}

/// A heat map's axes count its cells: only whole numbers are marked.
fn whole(ticks: Vec<Tick>, checked: &Checked) -> Vec<Tick> {
    if checked.y.reversed {
        ticks.into_iter().filter(|t| t.at.fract() == 0.0).collect()
    } else {
        ticks
    }
}

fn y_ticks(checked: &Checked, room: f64) -> Vec<Tick> {
    if !checked.rows.is_empty() {
        let named = |(row, name): (usize, &&str)| Tick { at: row as f64, text: clean(name) };
        return checked.rows.iter().enumerate().map(named).collect();
    }
    whole(axis::ticks(&checked.y, (room / 38.0).clamp(2.0, 7.0) as usize), checked)
}

/// As many ticks as stand side by side without touching.
fn x_ticks(checked: &Checked, room: f64) -> Result<Vec<Tick>> {
    let mut ticks = Vec::new();
    for count in (1..=7).rev() {
        ticks = whole(axis::ticks(&checked.x, count), checked);
        let mut end = f64::NEG_INFINITY;
        let mut fits = true;
        for tick in &ticks {
            let middle = checked.x.share(tick.at) * room;
            let half = width(&tick.text, SMALL)? / 2.0;
            fits &= middle - half > end + 8.0 && middle + half < room + RIGHT - 2.0;
            end = middle + half;
        }
        if fits {
            break;
        }
    }
    Ok(ticks)
}

/// The names of a panel's layers in rows no wider than `room`.
fn legend(panel: &Panel, room: f64) -> Result<Vec<Vec<Entry>>> {
    let mut entries: Vec<Entry> = Vec::new();
    for (index, layer) in panel.layers.iter().enumerate() {
        let name = clean(layer.label());
        if let Layer::Heat { values, .. } = layer {
            let (low, high) = layers::extent(values);
            // Ends rounded to a thousandth of the range: 1e-27 beside 1 says no more than 0.
            let unit = 10f64.powf((high - low).log10().floor() - 3.0);
            let [low, high] = [low, high].map(|v| if unit > 0.0 { (v / unit).round() * unit } else { v });
            let text = format!("{name}: {} … {}", axis::brief(low), axis::brief(high));
            let text = shorten(text.trim_start_matches(": "), SMALL, room - SHADES - SAMPLE_GAP)?;
            let width = SHADES + SAMPLE_GAP + width(&text, SMALL)?;
            entries.push(Entry { text, layers: vec![index], width });
            continue;
        }
        if name.is_empty() {
            continue;
        }
        let text = shorten(&name, SMALL, room - SAMPLE - SAMPLE_GAP)?;
        // A level has its own look even where it shares a name.
        let shares = |e: &&mut Entry| {
            e.layers.iter().all(|&l| {
                panel.layers[l].label() == layer.label()
                    && !matches!(
                        (&panel.layers[l], layer),
                        (Layer::Level { .. }, _) | (_, Layer::Level { .. })
                    )
            })
        };
        match entries.iter_mut().find(shares) {
            Some(entry) => entry.layers.push(index),
            None => {
                let width = SAMPLE + SAMPLE_GAP + width(&text, SMALL)?;
                entries.push(Entry { text, layers: vec![index], width });
            }
        }
    }
    let mut rows: Vec<Vec<Entry>> = Vec::new();
    let mut used = f64::INFINITY;
    for entry in entries {
        if used + ENTRY_GAP + entry.width > room {
            rows.push(Vec::new());
            used = -ENTRY_GAP;
        }
        used += ENTRY_GAP + entry.width;
        if let Some(row) = rows.last_mut() {
            row.push(entry);
        }
    }
    Ok(rows)
}

/// Draws the whole figure.
pub(super) fn figure<DB: DrawingBackend>(canvas: &Canvas<DB>, plan: &Plan) -> Result<()> {
    let (right, bottom) = (f64::from(plan.width), f64::from(plan.height));
    let all = Rect { left: 0.0, top: 0.0, right, bottom };
    canvas.polygon(&all.corners(), layers::opaque(RGBColor(255, 255, 255)))?;
    for one in &plan.panels {
        axes(canvas, one)?;
        layers::draw(canvas, &one.checked, &one.plot)?;
        frame(canvas, one)?;
        titles(canvas, one)?;
    }
    Ok(())
}

/// A coordinate at which a line of one pixel fills one row of pixels.
fn crisp(coordinate: f64) -> f64 {
    coordinate.floor() + 0.5
}

/// Where `value` stands along the plot's axis.
pub(super) fn across(span: &Span, plot: &Rect, value: f64) -> f64 {
    plot.left + span.share(value) * plot.width()
}

/// Where `value` stands along the plot's vertical axis.
pub(super) fn upward(span: &Span, plot: &Rect, value: f64) -> f64 {
    plot.bottom - span.share(value) * plot.height()
}

/// The grid, tick marks and their texts.
fn axes<DB: DrawingBackend>(canvas: &Canvas<DB>, one: &Placed) -> Result<()> {
    let (plot, checked) = (&one.plot, &one.checked);
    let gridded = !checked.y.reversed;
    for tick in &one.x_ticks {
        let x = crisp(across(&checked.x, plot, tick.at));
        if gridded {
            canvas.line(&[(x, plot.top), (x, plot.bottom)], GRID, 1.0)?;
        }
        canvas.line(&[(x, plot.bottom), (x, plot.bottom + TICK)], AXIS, 1.0)?;
        canvas.text(&tick.text, (x, plot.bottom + TICK + 2.0 + SMALL), SMALL, INK, Align::Middle)?;
    }
    for tick in &one.y_ticks {
        let y = crisp(upward(&checked.y, plot, tick.at));
        if gridded {
            canvas.line(&[(plot.left, y), (plot.right, y)], GRID, 1.0)?;
        }
        canvas.line(&[(plot.left - TICK, y), (plot.left, y)], AXIS, 1.0)?;
        let at = (plot.left - TICK - 4.0, y + 0.36 * SMALL);
        canvas.text(&tick.text, at, SMALL, INK, Align::End)?;
    }
    for x in minor(&checked.x) {
        let x = crisp(across(&checked.x, plot, x));
        canvas.line(&[(x, plot.bottom), (x, plot.bottom + TICK / 2.0)], AXIS, 1.0)?;
    }
    for y in minor(&checked.y) {
        let y = crisp(upward(&checked.y, plot, y));
        canvas.line(&[(plot.left - TICK / 2.0, y), (plot.left, y)], AXIS, 1.0)?;
    }
    for (index, lines) in one.categories.iter().enumerate() {
        let x = across(&checked.x, plot, index as f64);
        if !(plot.left..=plot.right).contains(&x) {
            continue;
        }
        for (row, line) in lines.iter().enumerate() {
            let y = plot.bottom + TICK + 2.0 + SMALL * (1.0 + row as f64 * LINE_HEIGHT);
            canvas.text(line, (x, y), SMALL, INK, Align::Middle)?;
        }
    }
    Ok(())
}

/// Unlabelled marks of a log axis: 2 to 9 in each decade, where there are few decades.
fn minor(span: &Span) -> Vec<f64> {
    if span.scale == Scale::Linear || span.high / span.low > 1e7 {
        return Vec::new();
    }
    let decades = span.low.log10().floor() as i32..=span.high.log10().ceil() as i32;
    decades
        .flat_map(|decade| (2..=9).map(move |digit| f64::from(digit) * 10f64.powi(decade)))
        .filter(|value| (span.low..=span.high).contains(value))
        .collect()
}

/// The lines of the two axes, over what is drawn.
fn frame<DB: DrawingBackend>(canvas: &Canvas<DB>, one: &Placed) -> Result<()> {
    let Rect { left, top, right, bottom } = one.plot;
    let (left, bottom) = (crisp(left), crisp(bottom));
    let y = &one.checked.y;
    // What stands on zero shows where zero is.
    let stands = |l: &Layer| matches!(l, Layer::Bars { .. } | Layer::Histogram { .. });
    if y.low < 0.0 && y.high > 0.0 && one.checked.panel.layers.iter().any(stands) {
        let zero = crisp(upward(y, &one.plot, 0.0));
        canvas.line(&[(left, zero), (right, zero)], AXIS, 1.0)?;
    }
    canvas.line(&[(left, top), (left, bottom), (right, bottom)], AXIS, 1.0)
}

/// Title, notes, legend and the names of the axes.
fn titles<DB: DrawingBackend>(canvas: &Canvas<DB>, one: &Placed) -> Result<()> {
    let (plot, panel) = (&one.plot, one.checked.panel);
    // Titles stand at the top of the row, legends right above the axes.
    let mut y = one.outer.top + EDGE;
    for line in &one.title {
        canvas.text(line, (plot.left, y + TITLE), TITLE, INK, Align::Start)?;
        y += TITLE * LINE_HEIGHT;
    }
    for line in &one.notes {
        canvas.text(line, (plot.left, y + SMALL), SMALL, FAINT_INK, Align::Start)?;
        y += SMALL * LINE_HEIGHT;
    }
    y = plot.top - 6.0 - one.legend.len() as f64 * SMALL * 1.5;
    for row in &one.legend {
        let mut x = plot.left;
        for entry in row {
            let middle: Point = (x, y + 0.75 * SMALL);
            let sample = entry.layers.iter().any(|&l| matches!(panel.layers[l], Layer::Heat { .. }));
            let wide = if sample { SHADES } else { SAMPLE };
            layers::sample(canvas, &one.checked, &entry.layers, middle, wide)?;
            let at = (x + wide + SAMPLE_GAP, middle.1 + 0.36 * SMALL);
            canvas.text(&entry.text, at, SMALL, INK, Align::Start)?;
            x += entry.width + ENTRY_GAP;
        }
        y += SMALL * 1.5;
    }
    let label = shorten(&clean(&panel.x.label), LABEL, one.outer.width() - 2.0 * EDGE)?;
    let half = width(&label, LABEL)? / 2.0;
    let middle = (plot.left + plot.right) / 2.0;
    let middle = middle.clamp(one.outer.left + EDGE + half, one.outer.right - EDGE - half);
    canvas.text(&label, (middle, one.outer.bottom - 9.0), LABEL, INK, Align::Middle)?;
    let label = shorten(&clean(&panel.y.label), LABEL, one.outer.height() - 2.0 * EDGE)?;
    let half = width(&label, LABEL)? / 2.0;
    let middle = (plot.top + plot.bottom) / 2.0;
    let middle = middle.clamp(one.outer.top + EDGE + half, one.outer.bottom - EDGE - half);
    canvas.text_upwards(&label, (one.outer.left + EDGE + LABEL * 0.8, middle), LABEL, INK)
}
