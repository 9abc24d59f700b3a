//! Checks of a panel's data, and what follows from them: ranges, categories, bins, styles.

use super::axis::{Scale, Span};
use super::chart::{Layer, Panel};
use crate::error::{Error, Result};

/// A heat map beyond this many cells would make an unwieldy vector image.
const MOST_CELLS: usize = 40_000;
/// More bins than pixels show nothing.
const MOST_BINS: usize = 1_000;

/// A panel whose data can be drawn.
pub(super) struct Checked<'a> {
    pub panel: &'a Panel,
    pub x: Span,
    pub y: Span,
    /// Names along the horizontal axis, where there are bars or named columns.
    pub categories: Vec<&'a str>,
    /// Names along the vertical axis, from the top, where there are named rows.
    pub rows: Vec<&'a str>,
    /// For each layer the number of its label, from 0 in order of appearance.
    pub style: Vec<usize>,
    /// Names of the labels with bars, in order: they stand side by side.
    pub bar_labels: Vec<&'a str>,
    /// The range that histograms divide into bins.
    pub binned: (f64, f64),
}

/// The data's reach along one axis.
struct Reach(f64, f64);

impl Reach {
    fn new() -> Self {
        Self(f64::INFINITY, f64::NEG_INFINITY)
    }
    fn add(&mut self, value: f64) {
        self.0 = self.0.min(value);
        self.1 = self.1.max(value);
    }
    fn ends(&self, otherwise: (f64, f64)) -> (f64, f64) {
        if self.0 <= self.1 {
            (self.0, self.1)
        } else {
            otherwise
        }
    }
}

/// Refusals that name the panel and the series.
struct Place<'a> {
    panel: &'a str,
    series: &'a str,
}

impl Place<'_> {
    fn refuse(&self, reason: impl ToString) -> Error {
        Error::Draw {
            what: format!("panel `{}`, series `{}`", self.panel, self.series),
            reason: reason.to_string(),
        }
    }

    fn length(&self, name: &str, got: usize, wanted: usize) -> Result<()> {
        if got == wanted {
            return Ok(());
        }
        Err(self.refuse(format!("expected {wanted} values of {name}, got {got}")))
    }

    /// Refuses what is no matrix, or too large a one.
    fn cells(&self, columns: usize, values: &[f64], scales: (Scale, Scale)) -> Result<()> {
        if columns == 0 || values.is_empty() || !values.len().is_multiple_of(columns) {
            return Err(self.refuse(format!("{} values in rows of {columns}", values.len())));
        }
        if values.len() > MOST_CELLS {
            return Err(self.refuse(format!("{} cells, more than {MOST_CELLS}", values.len())));
        }
        if scales.0 == Scale::Log || scales.1 == Scale::Log {
            return Err(self.refuse("a heat map or picture needs linear axes"));
        }
        self.values("value", values.iter().copied(), Scale::Linear)
    }

    fn values(&self, name: &str, values: impl Iterator<Item = f64>, scale: Scale) -> Result<()> {
        for (index, value) in values.enumerate() {
            if !value.is_finite() {
                return Err(self.refuse(format!("{name} at index {index} is {value}, not finite")));
            }
            if scale == Scale::Log && value <= 0.0 {
                return Err(self.refuse(format!("{name} at index {index} is {value}, on a log axis")));
            }
        }
        Ok(())
    }
}

/// Checks `panel` and fits its axes.
///
/// # Errors
/// [`Error::Draw`] naming panel and series: nothing to draw, unequal lengths, values that are
/// not finite, values ≤ 0 on a log axis.
pub(super) fn check(panel: &Panel) -> Result<Checked<'_>> {
    if panel.layers.is_empty() {
        return Err(Error::Draw {
            what: format!("panel `{}`", panel.title),
            reason: "it has no layers".into(),
        });
    }
    let mut checked = Checked {
        panel,
        x: Span { low: 0.0, high: 1.0, scale: Scale::Linear, reversed: false },
        y: Span { low: 0.0, high: 1.0, scale: Scale::Linear, reversed: false },
        categories: Vec::new(),
        rows: Vec::new(),
        style: Vec::new(),
        bar_labels: Vec::new(),
        binned: (0.0, 1.0),
    };
    let (mut xs, mut ys, mut binned) = (Reach::new(), Reach::new(), Reach::new());
    let (mut anchored, mut heat) = (false, None);
    let mut labels: Vec<&str> = Vec::new();

    for layer in &panel.layers {
        let place = Place { panel: &panel.title, series: layer.label() };
        let (log_x, log_y) = (panel.x.scale, panel.y.scale);
        match layer {
            Layer::Points { points, .. } | Layer::Line { points, .. } => {
                if points.is_empty() {
                    return Err(place.refuse("it has no points"));
                }
                place.values("x", points.iter().map(|p| p.0), log_x)?;
                place.values("y", points.iter().map(|p| p.1), log_y)?;
                for &(x, y) in points {
                    xs.add(x);
                    ys.add(y);
                }
            }
            Layer::Band { x, low, high, .. } => {
                if x.is_empty() {
                    return Err(place.refuse("it has no points"));
                }
                place.length("low", low.len(), x.len())?;
                place.length("high", high.len(), x.len())?;
                place.values("x", x.iter().copied(), log_x)?;
                place.values("low", low.iter().copied(), log_y)?;
                place.values("high", high.iter().copied(), log_y)?;
                x.iter().for_each(|&x| xs.add(x));
                low.iter().chain(high).for_each(|&y| ys.add(y));
            }
            Layer::Bars { label, categories, heights, spreads } => {
                if categories.is_empty() {
                    return Err(place.refuse("it has no bars"));
                }
                if log_x == Scale::Log {
                    return Err(place.refuse("categories cannot stand on a log axis"));
                }
                place.length("heights", heights.len(), categories.len())?;
                if !spreads.is_empty() {
                    place.length("spreads", spreads.len(), categories.len())?;
                }
                place.values("height", heights.iter().copied(), log_y)?;
                place.values("spread", spreads.iter().copied(), Scale::Linear)?;
                for (index, &height) in heights.iter().enumerate() {
                    let spread = spreads.get(index).map_or(0.0, |s| s.abs());
                    ys.add(height + spread);
                    // On a log axis the lower end of an error bar may lie below every number.
                    ys.add(if log_y == Scale::Log && height <= spread { height } else { height - spread });
                }
                anchored = true;
                for category in categories {
                    if !checked.categories.contains(&category.as_str()) {
                        checked.categories.push(category);
                    }
                }
                if !checked.bar_labels.contains(&label.as_str()) {
                    checked.bar_labels.push(label);
                }
            }
            Layer::Histogram { values, bins, .. } => {
                if values.is_empty() {
                    return Err(place.refuse("it has no values"));
                }
                if !(1..=MOST_BINS).contains(bins) {
                    return Err(place.refuse(format!("{bins} bins, outside 1..={MOST_BINS}")));
                }
                if log_x == Scale::Log || log_y == Scale::Log {
                    return Err(place.refuse("a histogram needs linear axes"));
                }
                place.values("value", values.iter().copied(), Scale::Linear)?;
                values.iter().for_each(|&v| binned.add(v));
                anchored = true;
            }
            Layer::Level { y, .. } => {
                place.values("y", std::iter::once(*y), log_y)?;
                ys.add(*y);
            }
            Layer::Picture { columns, values } => {
                place.cells(*columns, values, (log_x, log_y))?;
                heat = Some((*columns, values.len() / columns));
            }
            Layer::Heat { columns, values, names, .. } => {
                place.cells(*columns, values, (log_x, log_y))?;
                let rows = values.len() / columns;
                if names.iter().any(|names| !names.is_empty()) {
                    place.length("row names", names[0].len(), rows)?;
                    place.length("column names", names[1].len(), *columns)?;
                }
                [checked.rows, checked.categories] =
                    names.each_ref().map(|names| names.iter().map(String::as_str).collect());
                heat = Some((*columns, rows));
            }
        }
        let style = match layer {
            Layer::Level { .. } | Layer::Heat { .. } | Layer::Picture { .. } => 0,
            _ => labels.iter().position(|l| *l == layer.label()).unwrap_or_else(|| {
                labels.push(layer.label());
                labels.len() - 1
            }),
        };
        checked.style.push(style);
    }

    if binned.0 <= binned.1 {
        checked.binned = spread_out(binned.0, binned.1);
        xs.add(checked.binned.0);
        xs.add(checked.binned.1);
        for layer in &panel.layers {
            if let Layer::Histogram { values, bins, .. } = layer {
                counts(values, checked.binned, *bins).iter().for_each(|&c| ys.add(c as f64));
            }
        }
    }
    let one = if panel.x.scale == Scale::Log { (1.0, 1.0) } else { (0.0, 1.0) };
    let (low, high) = xs.ends(one);
    checked.x = panel.x.fit(low, high, false)?;
    let (low, high) = ys.ends((0.0, 1.0));
    checked.y = panel.y.fit(low, high, anchored)?;
    let cells = |count: usize| (-0.5, count as f64 - 0.5);
    if !checked.categories.is_empty() && panel.x.range.is_none() {
        (checked.x.low, checked.x.high) = cells(checked.categories.len());
    }
    if let Some((columns, rows)) = heat {
        (checked.x.low, checked.x.high) = cells(columns);
        (checked.y.low, checked.y.high) = cells(rows);
        checked.y.reversed = true;
    }
    Ok(checked)
}

/// The range of bins: that of the data, widened where all values are one.
fn spread_out(low: f64, high: f64) -> (f64, f64) {
    let size = low.abs().max(high.abs());
    if high - low > size * 1e-12 {
        (low, high)
    } else {
        let wider = if size > 0.0 { size * 0.05 } else { 0.5 };
        (low - wider, high + wider)
    }
}

/// How many values lie in each bin; the last bin includes its upper end.
pub(super) fn counts(values: &[f64], (low, high): (f64, f64), bins: usize) -> Vec<usize> {
    let mut counts = vec![0; bins];
    for &value in values {
        let bin = ((value - low) / (high - low) * bins as f64) as usize;
        counts[bin.min(bins - 1)] += 1;
    }
    counts
}
