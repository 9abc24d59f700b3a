//! Text: the embedded font, widths, fitting, and escaping.

use std::sync::OnceLock;

use ab_glyph::{Font, FontRef, PxScale, ScaleFont};

use crate::error::{Error, Result};

/// The CSS families of text in SVG: the embedded font's origin, then fonts no wider than it.
pub(super) const FAMILIES: &str = "DejaVu Sans, Verdana, Helvetica, Arial, sans-serif";

/// plotters writes `size / 1.24` as the font size of an SVG text.
pub(super) const NOMINAL: f64 = 1.24;

/// The embedded font, parsed once.
pub(super) fn font() -> Result<&'static FontRef<'static>> {
    static FONT: OnceLock<Option<FontRef<'static>>> = OnceLock::new();
    FONT.get_or_init(|| FontRef::try_from_slice(include_bytes!("font.ttf")).ok()).as_ref().ok_or_else(|| {
        Error::Draw { what: "text".into(), reason: "the embedded font could not be read".into() }
    })
}

/// The scale at which one em of the embedded font is `size` pixels.
///
/// ab_glyph scales ascent − descent to the number given; the embedded font sets both so that
/// this is 1.24 em, plotters' factor.
pub(super) fn scale(size: f64) -> PxScale {
    PxScale::from((size * NOMINAL) as f32)
}

/// The width of `text` in pixels where one em is `size` pixels.
pub(super) fn width(text: &str, size: f64) -> Result<f64> {
    let font = font()?.as_scaled(scale(size));
    let mut previous = None;
    let mut sum = 0.0;
    for letter in text.chars() {
        let glyph = font.glyph_id(letter);
        if let Some(before) = previous {
            sum += font.kern(before, glyph);
        }
        sum += font.h_advance(glyph);
        previous = Some(glyph);
    }
    Ok(f64::from(sum))
}

/// Shortens `text` with an ellipsis until it is at most `limit` pixels wide.
pub(super) fn shorten(text: &str, size: f64, limit: f64) -> Result<String> {
    if width(text, size)? <= limit {
        return Ok(text.to_string());
    }
    let letters: Vec<char> = text.chars().collect();
    for keep in (1..letters.len()).rev() {
        let start: String = letters[..keep].iter().collect();
        let short = format!("{}…", start.trim_end());
        if width(&short, size)? <= limit {
            return Ok(short);
        }
    }
    Ok("…".to_string())
}

/// Breaks `text` at spaces into at most `lines` lines no wider than `limit`, the last shortened.
pub(super) fn wrap(text: &str, size: f64, limit: f64, lines: usize) -> Result<Vec<String>> {
    let mut done: Vec<String> = Vec::new();
    let mut words = text.split(' ').filter(|w| !w.is_empty()).peekable();
    while let Some(word) = words.next() {
        let mut line = word.to_string();
        if done.len() + 1 == lines {
            for word in words.by_ref() {
                line = format!("{line} {word}");
            }
        } else {
            while let Some(word) = words.peek() {
                let longer = format!("{line} {word}");
                if width(&longer, size)? > limit {
                    break;
                }
                line = longer;
                words.next();
            }
        }
        done.push(shorten(&line, size, limit)?);
    }
    Ok(done)
}

/// Replaces control characters, which XML forbids, by spaces.
pub(super) fn clean(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') { ' ' } else { c })
        .collect()
}

/// Escapes `text` for HTML and XML, in content and in attributes.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            other => out.push(other),
        }
    }
    out
}
