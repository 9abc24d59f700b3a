//! Axes: which numbers are shown, where the ticks are, and how they are written.

use crate::error::{Error, Result};

/// How numbers are laid along an axis.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Scale {
    /// Equal steps for equal differences.
    #[default]
    Linear,
    /// Equal steps for equal ratios; positive numbers only.
    Log,
}

/// One axis of a [`Panel`](super::Panel): its label, scale and, where fixed, its range.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Axis {
    /// What is shown, with its unit.
    pub label: String,
    /// Linear or logarithmic.
    pub scale: Scale,
    /// The ends, low then high; taken from the data where `None`.
    pub range: Option<(f64, f64)>,
}

/// A value marked on an axis, and its text.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Tick {
    pub at: f64,
    pub text: String,
}

/// A fitted axis: maps a value to its share of the axis' length.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Span {
    pub low: f64,
    pub high: f64,
    pub scale: Scale,
    /// High values first (the rows of a heat map).
    pub reversed: bool,
}

impl Span {
    /// Where `value` lies: 0 at the low end, 1 at the high end.
    pub fn share(&self, value: f64) -> f64 {
        let share = match self.scale {
            Scale::Linear => (value - self.low) / (self.high - self.low),
            Scale::Log => (value.ln() - self.low.ln()) / (self.high.ln() - self.low.ln()),
        };
        if self.reversed {
            1.0 - share
        } else {
            share
        }
    }
}

/// How far beyond the data an axis reaches, as a share of its length.
const MARGIN: f64 = 0.035;
/// A range narrower than this share of its values is below what f64 tick labels resolve.
const NARROWEST: f64 = 1e-12;
/// Numbers smaller than this count as 0 where a range is fitted: steps between ticks stay normal.
const TINIEST: f64 = 1e-290;

impl Axis {
    /// Fits the axis to data between `low` and `high`; `anchor_zero` keeps 0 at the end (bars).
    pub(super) fn fit(&self, low: f64, high: f64, anchor_zero: bool) -> Result<Span> {
        if let Some((low, high)) = self.range {
            let usable = high - low > TINIEST && (high - low).is_finite();
            if !usable || (self.scale == Scale::Log && low <= 0.0) {
                let wanted = if self.scale == Scale::Log { "0 < low < high" } else { "low < high" };
                return Err(Error::parameter(
                    "range",
                    format!("({low}, {high}) is not {wanted}, both finite"),
                ));
            }
            return Ok(Span { low, high, scale: self.scale, reversed: false });
        }
        let (low, high) = match self.scale {
            Scale::Linear => {
                let (mut low, mut high) =
                    if anchor_zero { (low.min(0.0), high.max(0.0)) } else { (low, high) };
                let size = low.abs().max(high.abs());
                if high - low <= (size * NARROWEST).max(TINIEST) {
                    let wider = if size > TINIEST { size * 0.1 } else { 1.0 };
                    (low, high) = (low - wider, high + wider);
                }
                let margin = (high - low) * MARGIN;
                // A bar stands on the axis: no gap below it.
                (
                    if anchor_zero && low == 0.0 { 0.0 } else { low - margin },
                    if anchor_zero && high == 0.0 { 0.0 } else { high + margin },
                )
            }
            Scale::Log => {
                let (mut low, mut high) = (low, high);
                if high.ln() - low.ln() <= NARROWEST {
                    (low, high) = (low / 2.0, high * 2.0);
                }
                let factor = ((high.ln() - low.ln()) * MARGIN).exp();
                (low / factor, high * factor)
            }
        };
        if !(high - low).is_finite() || high - low <= TINIEST || (self.scale == Scale::Log && low <= 0.0) {
            return Err(Error::Draw {
                what: format!("axis `{}`", self.label),
                reason: format!("the data reach from {low:e} to {high:e}, too far to show"),
            });
        }
        Ok(Span { low, high, scale: self.scale, reversed: false })
    }
}

/// About `count` ticks inside `span`, at round values.
pub(super) fn ticks(span: &Span, count: usize) -> Vec<Tick> {
    match span.scale {
        Scale::Linear => linear_ticks(span.low, span.high, count),
        Scale::Log => {
            let ticks = log_ticks(span.low, span.high, count);
            if ticks.len() >= 2 {
                ticks
            } else {
                linear_ticks(span.low, span.high, count)
            }
        }
    }
}

/// The round step (1, 2 or 5 times a power of ten) that cuts `size` into about `count` parts.
fn round_step(size: f64, count: usize) -> (f64, i32) {
    let rough = size / count.max(1) as f64;
    let mut exponent = rough.log10().floor() as i32;
    let mut digit = rough / 10f64.powi(exponent);
    digit = match digit {
        d if d < 1.5 => 1.0,
        d if d < 3.5 => 2.0,
        d if d < 7.5 => 5.0,
        _ => 10.0,
    };
    if digit == 10.0 {
        (digit, exponent) = (1.0, exponent + 1);
    }
    (digit, exponent)
}

fn linear_ticks(low: f64, high: f64, count: usize) -> Vec<Tick> {
    let (digit, exponent) = round_step(high - low, count);
    let step = digit * 10f64.powi(exponent);
    let slack = step * 1e-9;
    let (first, last) = (((low - slack) / step).ceil(), ((high + slack) / step).floor());
    let largest = low.abs().max(high.abs());
    let number = (last - first).max(0.0) as usize;
    // i · digit · 10^exponent, each factor exact, so that 0.3 is not 0.30000000000000004.
    let values = (0..=number).map(|i| (first + i as f64) * digit);
    let at =
        |units: f64| if exponent < 0 { units / 10f64.powi(-exponent) } else { units * 10f64.powi(exponent) };
    values
        .map(|units| {
            let at = at(units);
            let text = if !(1e-3..1e6).contains(&largest) {
                scientific(at, (largest.log10().floor() as i32 - exponent).clamp(0, 12) as usize)
            } else {
                plain(at, (-exponent).max(0) as usize)
            };
            Tick { at, text }
        })
        .collect()
}

fn log_ticks(low: f64, high: f64, count: usize) -> Vec<Tick> {
    let (first, last) = (low.log10().floor() as i32, high.log10().ceil() as i32);
    let decades = high.log10() - low.log10();
    let every = (decades / count.max(1) as f64).ceil().max(1.0) as i32;
    let digits: &[f64] = if decades <= 1.2 {
        &[1.0, 2.0, 3.0, 5.0]
    } else if decades <= 2.2 {
        &[1.0, 2.0, 5.0]
    } else {
        &[1.0]
    };
    let written_out = low >= 0.99e-3 && high <= 1.01e5;
    let mut ticks = Vec::new();
    for exponent in (first..=last).filter(|e| e.rem_euclid(every) == 0) {
        for &digit in digits {
            let at = if exponent < 0 { digit / 10f64.powi(-exponent) } else { digit * 10f64.powi(exponent) };
            if at < low * (1.0 - 1e-9) || at > high * (1.0 + 1e-9) {
                continue;
            }
            let text =
                if written_out { plain(at, (-exponent).max(0) as usize) } else { power(digit, exponent) };
            ticks.push(Tick { at, text });
        }
    }
    ticks
}

/// `value` with `decimals` decimals and a true minus sign; never "−0".
pub(super) fn plain(value: f64, decimals: usize) -> String {
    let text = format!("{value:.decimals$}");
    match text.strip_prefix('-') {
        Some(digits) if digits.chars().all(|c| matches!(c, '0' | '.')) => digits.to_string(),
        Some(digits) => format!("−{digits}"),
        None => text,
    }
}

/// `value` as `m×10ⁿ` with `decimals` decimals in m, trailing zeros dropped.
pub(super) fn scientific(value: f64, decimals: usize) -> String {
    if value == 0.0 {
        return "0".into();
    }
    let text = format!("{value:.decimals$e}");
    let Some((digits, exponent)) = text.split_once('e') else { return text };
    let digits =
        if digits.contains('.') { digits.trim_end_matches('0').trim_end_matches('.') } else { digits };
    format!("{}×10{}", digits.replace('-', "−"), superscript(exponent))
}

fn power(digit: f64, exponent: i32) -> String {
    let power = format!("10{}", superscript(&exponent.to_string()));
    if digit == 1.0 {
        power
    } else {
        format!("{digit}×{power}")
    }
}

fn superscript(digits: &str) -> String {
    const DIGITS: [char; 10] = ['⁰', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹'];
    digits
        .chars()
        .map(|c| match c.to_digit(10) {
            Some(digit) => DIGITS[digit as usize],
            None => '⁻',
        })
        .collect()
}

/// A value for a caption or legend: four significant digits at most.
pub(super) fn brief(value: f64) -> String {
    let size = value.abs();
    if value == 0.0 || (1e-3..1e5).contains(&size) {
        let decimals = if value == 0.0 { 0 } else { (3 - size.log10().floor() as i32).max(0) as usize };
        let text = plain(value, decimals);
        if text.contains('.') {
            text.trim_end_matches('0').trim_end_matches('.').to_string()
        } else {
            text
        }
    } else {
        scientific(value, 3)
    }
}
