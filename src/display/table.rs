//! Tables: a polars frame with a caption, as HTML, Markdown or a file.

use std::fmt;
use std::path::Path;

use polars::prelude::{AnyValue, Column, CsvWriter, DataFrame, SerWriter};

use super::axis::{brief, plain};
use super::text::{clean, escape};
use crate::error::{Error, Result};
use crate::files;

/// Which value of a column is the best one, set in bold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Best {
    /// The largest (an accuracy).
    Highest,
    /// The smallest (an error).
    Lowest,
}

/// Rows shown unless [`Table::rows`] says otherwise: about a screen.
const ROWS: usize = 50;

/// A polars frame with a caption, shown as a table in a notebook.
///
/// Numbers stand to the right, with one count of decimals per column: that which shows the
/// largest value with four digits, unless [`Table::decimals`] sets it. Missing values show as
/// "–". Texts like "0.91 ± 0.02" count as numbers.
///
/// # Example
/// ```
/// use polars::df;
/// use reloss::display::{Best, Table};
/// let frame = df!("loss" => ["cross-entropy", "learned"], "accuracy" => [0.9121, 0.93]).unwrap();
/// let table = Table::new(frame, "Digits").decimals("accuracy", 3).best("accuracy", Best::Highest);
/// let text = "Digits\n\
///             \n\
///             | loss          |  accuracy |\n\
///             |:--------------|----------:|\n\
///             | cross-entropy |     0.912 |\n\
///             | learned       | **0.930** |\n";
/// assert_eq!(table.text()?, text);
/// # Ok::<(), reloss::Error>(())
/// ```
#[derive(Clone)]
pub struct Table {
    frame: DataFrame,
    caption: String,
    decimals: Vec<(String, usize)>,
    best: Vec<(String, Best)>,
    rows: usize,
}

impl fmt::Debug for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (rows, columns) = self.frame.shape();
        write!(f, "Table({:?}, {rows} rows × {columns} columns)", self.caption)
    }
}

/// A column as texts.
struct Shown {
    name: String,
    cells: Vec<String>,
    bold: Vec<bool>,
    right: bool,
}

impl Table {
    /// A table of all columns of `frame`, in order.
    pub fn new(frame: DataFrame, caption: &str) -> Self {
        Self { frame, caption: caption.into(), decimals: Vec::new(), best: Vec::new(), rows: ROWS }
    }

    /// The frame shown.
    pub fn frame(&self) -> &DataFrame {
        &self.frame
    }

    /// Sets the count of decimals of a column of numbers, at most 17.
    pub fn decimals(mut self, column: &str, decimals: usize) -> Self {
        self.decimals.push((column.into(), decimals));
        self
    }

    /// Sets the best value of a column in bold, all of them where several are equal.
    pub fn best(mut self, column: &str, best: Best) -> Self {
        self.best.push((column.into(), best));
        self
    }

    /// Shows at most this many rows, and says how many more there are; 50 by default.
    pub fn rows(mut self, most: usize) -> Self {
        self.rows = most;
        self
    }

    /// The table as an HTML `<table>`, complete in itself.
    ///
    /// # Errors
    /// [`Error::Parameter`] when [`Table::decimals`] or [`Table::best`] name no column of the
    /// frame, or decimals exceed 17.
    pub fn html(&self) -> Result<String> {
        let columns = self.shown()?;
        let mut html = String::from("<table style=\"border-collapse: collapse; margin: 0.5em 0\">\n");
        if !self.caption.is_empty() {
            html.push_str(&format!(
                "<caption style=\"caption-side: top; text-align: left; padding: 0.2em 0\">{}</caption>\n",
                escape(&clean(&self.caption))
            ));
        }
        // `align` besides the style: sites that drop styles keep it.
        let cell = |tag: &str, column: &Shown, text: &str, rule: &str| {
            let side = if column.right { "right" } else { "left" };
            format!(
                "<{tag} align=\"{side}\" style=\"text-align: {side}; padding: 0.25em 0.7em{rule}\">{text}</{tag}>"
            )
        };
        let rule = "; border-bottom: 1px solid #888";
        let names: String = columns.iter().map(|c| cell("th", c, &escape(&c.name), rule)).collect();
        html.push_str(&format!("<thead><tr>{names}</tr></thead>\n<tbody>\n"));
        for row in 0..self.frame.height().min(self.rows) {
            let cells: String = columns
                .iter()
                .map(|column| {
                    let text = escape(&column.cells[row]);
                    let text = if column.bold[row] { format!("<b>{text}</b>") } else { text };
                    cell("td", column, &text, "")
                })
                .collect();
            html.push_str(&format!("<tr>{cells}</tr>\n"));
        }
        html.push_str("</tbody>\n</table>\n");
        if let Some(more) = self.more() {
            html.push_str(&format!("<p>{more}</p>\n"));
        }
        Ok(html)
    }

    /// The table as Markdown, columns aligned, readable as plain text.
    ///
    /// # Errors
    /// As for [`Table::html`].
    pub fn text(&self) -> Result<String> {
        let mut columns = self.shown()?;
        for column in &mut columns {
            for (cell, &bold) in column.cells.iter_mut().zip(&column.bold) {
                *cell = cell.replace('|', "\\|");
                if bold {
                    *cell = format!("**{cell}**");
                }
            }
            column.name = column.name.replace('|', "\\|");
        }
        let letters = |text: &str| text.chars().count();
        let widths: Vec<usize> = columns
            .iter()
            .map(|c| c.cells.iter().map(|t| letters(t)).max().unwrap_or(0).max(letters(&c.name)).max(2))
            .collect();
        let pad = |text: &str, width: usize, right: bool| {
            let space = " ".repeat(width - letters(text));
            if right {
                format!(" {space}{text} |")
            } else {
                format!(" {text}{space} |")
            }
        };
        let mut text = String::new();
        if !self.caption.is_empty() {
            text.push_str(&format!("{}\n\n", clean(&self.caption)));
        }
        let mut line = |cells: Vec<String>| {
            text.push('|');
            text.extend(cells);
            text.push('\n');
        };
        line(columns.iter().zip(&widths).map(|(c, &w)| pad(&c.name, w, c.right)).collect());
        let ruler = |(c, &w): (&Shown, &usize)| {
            let dashes = "-".repeat(w + 1);
            if c.right {
                format!("{dashes}:|")
            } else {
                format!(":{dashes}|")
            }
        };
        line(columns.iter().zip(&widths).map(ruler).collect());
        for row in 0..self.frame.height().min(self.rows) {
            line(columns.iter().zip(&widths).map(|(c, &w)| pad(&c.cells[row], w, c.right)).collect());
        }
        if let Some(more) = self.more() {
            text.push_str(&format!("\n{more}\n"));
        }
        Ok(text)
    }

    /// Writes the table to `path`, as its ending says: `.csv` (all rows, all digits), `.html`,
    /// `.md` or `.txt`.
    ///
    /// # Errors
    /// As for [`Table::html`]; [`Error::Parameter`] for another ending, [`Error::Draw`] where the
    /// frame has no CSV form (nested columns), [`Error::Io`] where the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        match path.extension().and_then(|e| e.to_str()).map(str::to_ascii_lowercase).as_deref() {
            Some("csv") => {
                let mut bytes = Vec::new();
                CsvWriter::new(&mut bytes).finish(&mut self.frame.clone()).map_err(|e| Error::Draw {
                    what: format!("table `{}`", self.caption),
                    reason: e.to_string(),
                })?;
                files::write_atomic(path, &bytes)
            }
            Some("html") => files::write_atomic(path, super::block::page(&self.html()?).as_bytes()),
            Some("md" | "txt") => files::write_atomic(path, self.text()?.as_bytes()),
            _ => Err(Error::parameter(
                "path",
                format!("{} ends in none of .csv .html .md .txt", path.display()),
            )),
        }
    }

    /// Shows the table in a notebook, as HTML and as text.
    ///
    /// A table that cannot be shown prints why to stderr.
    pub fn evcxr_display(&self) {
        match self.html().and_then(|html| Ok((html, self.text()?))) {
            Ok((html, text)) => {
                evcxr_runtime::mime_type("text/html").text(html);
                evcxr_runtime::mime_type("text/plain").text(text);
            }
            Err(error) => eprintln!("{error}"),
        }
    }

    fn more(&self) -> Option<String> {
        let more = self.frame.height().saturating_sub(self.rows);
        (more > 0).then(|| format!("… and {more} more rows"))
    }

    fn shown(&self) -> Result<Vec<Shown>> {
        let known = |name: &str| self.frame.columns().iter().any(|c| c.name() == name);
        let missing = |name: &str| format!("the table `{}` has no column `{name}`", self.caption);
        if let Some((name, _)) = self.best.iter().find(|(name, _)| !known(name)) {
            return Err(Error::parameter("best", missing(name)));
        }
        for (name, decimals) in &self.decimals {
            if !known(name) {
                return Err(Error::parameter("decimals", missing(name)));
            }
            if *decimals > 17 {
                return Err(Error::parameter("decimals", format!("{decimals} is more than 17")));
            }
        }
        Ok(self.frame.columns().iter().map(|column| self.show(column)).collect())
    }

    fn show(&self, column: &Column) -> Shown {
        let name = column.name().as_str();
        let values: Vec<Cell> =
            (0..column.len()).map(|row| column.get(row).map_or(Cell::Missing, Cell::from)).collect();
        let decimals = self.decimals.iter().rev().find(|(n, _)| n == name).map(|(_, d)| *d);
        let decimals = decimals.or_else(|| usual_decimals(&values));
        let cells: Vec<String> = values.iter().map(|value| value.text(decimals)).collect();
        let numbers: Vec<Option<f64>> = values.iter().map(Cell::number).collect();
        let right = values.iter().zip(&numbers).all(|(v, n)| n.is_some() || matches!(v, Cell::Missing));
        let best = self.best.iter().rev().find(|(n, _)| n == name).and_then(|(_, best)| {
            let known = numbers.iter().flatten().copied().filter(|v| !v.is_nan());
            match best {
                Best::Highest => known.reduce(f64::max),
                Best::Lowest => known.reduce(f64::min),
            }
        });
        let bold = numbers.iter().map(|n| best.is_some() && *n == best).collect();
        Shown { name: clean(name), cells, bold, right: right && !values.is_empty() }
    }
}

/// A value of a frame, as far as tables tell them apart.
enum Cell {
    Missing,
    Whole(String, f64),
    Real(f64),
    Text(String),
}

impl From<AnyValue<'_>> for Cell {
    fn from(value: AnyValue<'_>) -> Self {
        match value {
            AnyValue::Null => Self::Missing,
            AnyValue::Float32(v) => Self::Real(f64::from(v)),
            AnyValue::Float64(v) => Self::Real(v),
            AnyValue::String(v) => Self::Text(clean(v)),
            AnyValue::StringOwned(v) => Self::Text(clean(v.as_str())),
            other if other.is_integer() => {
                let text = other.to_string();
                let number = other.extract::<f64>().unwrap_or(f64::NAN);
                Self::Whole(text.replace('-', "−"), number)
            }
            other => Self::Text(clean(&other.to_string())),
        }
    }
}

impl Cell {
    fn text(&self, decimals: Option<usize>) -> String {
        match self {
            Self::Missing => "–".into(),
            Self::Whole(text, _) | Self::Text(text) => text.clone(),
            Self::Real(v) => real(*v, decimals),
        }
    }

    /// The number that a cell shows or, in a text, starts with ("0.91 ± 0.02", "0.91 [0.88, 0.94]").
    fn number(&self) -> Option<f64> {
        match self {
            Self::Missing => None,
            Self::Whole(_, v) | Self::Real(v) => Some(*v),
            Self::Text(text) => {
                let mean = text.split(['±', '[']).next().unwrap_or(text).trim();
                mean.replace('−', "-").parse().ok()
            }
        }
    }
}

/// A real number with `decimals` decimals, or with four significant digits.
fn real(value: f64, decimals: Option<usize>) -> String {
    match decimals {
        _ if value.is_nan() => "NaN".into(),
        _ if value.is_infinite() => if value > 0.0 { "∞" } else { "−∞" }.into(),
        Some(decimals) => plain(value, decimals),
        None => brief(value),
    }
}

/// Decimals for a column of reals; `None` where its values need powers of ten.
fn usual_decimals(values: &[Cell]) -> Option<usize> {
    let mut reals = values.iter().filter_map(|v| match v {
        Cell::Real(v) if v.is_finite() && *v != 0.0 => Some(v.abs()),
        _ => None,
    });
    let Some(first) = reals.next() else { return Some(0) };
    let (mut low, mut high, mut whole) = (first, first, first.fract() == 0.0);
    for value in reals {
        (low, high) = (low.min(value), high.max(value));
        whole &= value.fract() == 0.0;
    }
    if !(1e-5..1e9).contains(&low) || high >= 1e9 {
        return None;
    }
    if whole {
        return Some(0);
    }
    let digits = |value: f64, digits: i32| digits - 1 - value.log10().floor() as i32;
    // Four digits of the largest value, and at least two of the smallest.
    Some(digits(high, 4).max(digits(low, 2)).clamp(1, 6) as usize)
}

/// "mean ± sd" of repeated measurements, rounded at the second digit of the spread.
///
/// The spread is the sample standard deviation (n − 1). One value shows alone, none as "–", and
/// values that are not finite give "NaN".
///
/// # Example
/// ```
/// use reloss::display::mean_sd;
/// assert_eq!(mean_sd(&[0.91, 0.93, 0.92]), "0.920 ± 0.010");
/// assert_eq!(mean_sd(&[120.0, 180.0]), "150 ± 42");
/// assert_eq!(mean_sd(&[0.5]), "0.5");
/// assert_eq!(mean_sd(&[]), "–");
/// ```
pub fn mean_sd(values: &[f64]) -> String {
    let count = values.len() as f64;
    if values.is_empty() {
        return "–".into();
    }
    if values.iter().any(|v| !v.is_finite()) {
        return "NaN".into();
    }
    let mean = values.iter().sum::<f64>() / count;
    if values.len() == 1 {
        return brief(mean);
    }
    let squares: f64 = values.iter().map(|v| (v - mean).powi(2)).sum();
    let spread = (squares / (count - 1.0)).sqrt();
    if !mean.is_finite() || !spread.is_finite() {
        return "NaN".into();
    }
    if spread == 0.0 {
        return format!("{} ± 0", brief(mean));
    }
    // Rounding can carry (0.0996 → 0.10): the place follows the rounded spread.
    let place = format!("{spread:.1e}").split_once('e').and_then(|(_, e)| e.parse::<i32>().ok()).unwrap_or(0);
    if !(-9..=8).contains(&place) {
        return format!("{} ± {}", brief(mean), brief(spread));
    }
    let decimals = (1 - place).max(0) as usize;
    format!("{} ± {}", plain(mean, decimals), plain(spread, decimals))
}
