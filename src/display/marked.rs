//! A text with parts marked.

use std::ops::Range;

use super::text::{clean, escape};
use crate::error::{Error, Result};

/// A text in which what is right is underlined, and what was given stands on a ground of colour.
///
/// In plain text the first stands in square brackets, the second in angle brackets.
///
/// # Example
/// ```
/// use reloss::display::MarkedText;
/// let text = MarkedText::new("Anna lives in the old town.", &[14..26], &[18..26])?;
/// assert_eq!(text.text(), "Anna lives in [the <old town>].");
/// assert!(text.html().contains("<mark"));
/// assert!(MarkedText::new("Anna", &[2..9], &[]).is_err());
/// # Ok::<(), reloss::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct MarkedText {
    text: String,
    right: Vec<Range<usize>>,
    given: Vec<Range<usize>>,
}

impl MarkedText {
    /// A text with what is right and what was given, in bytes.
    ///
    /// # Errors
    /// [`Error::Shape`] for a range that is not in the text or cuts a character.
    pub fn new(text: &str, right: &[Range<usize>], given: &[Range<usize>]) -> Result<Self> {
        if let Some(range) = right.iter().chain(given).find(|range| text.get((*range).clone()).is_none()) {
            let expected = format!("ranges of characters in a text of {} bytes", text.len());
            return Err(Error::shape("marked text", expected, format!("{range:?}")));
        }
        Ok(Self { text: text.to_string(), right: right.to_vec(), given: given.to_vec() })
    }

    /// Pieces between which nothing changes, with whether they are right and whether they were given.
    fn pieces(&self) -> Vec<(&str, bool, bool)> {
        let ends = self.right.iter().chain(&self.given).flat_map(|range| [range.start, range.end]);
        let mut cuts: Vec<usize> = ends.chain([0, self.text.len()]).collect();
        cuts.sort_unstable();
        cuts.dedup();
        let within = |ranges: &[Range<usize>], at: usize| ranges.iter().any(|range| range.contains(&at));
        let piece = |cut: &[usize]| {
            let text = &self.text[cut[0]..cut[1]];
            (text, within(&self.right, cut[0]), within(&self.given, cut[0]))
        };
        cuts.windows(2).map(piece).collect()
    }

    /// As a paragraph of HTML.
    pub fn html(&self) -> String {
        let piece = |(text, right, given): (&str, bool, bool)| {
            let mut html = escape(&clean(text));
            if right {
                html = format!("<u style=\"text-decoration-thickness: 2px\">{html}</u>");
            }
            match given {
                // Okabe and Ito's orange, light enough to read black on.
                true => format!("<mark style=\"background: #f5d08a; color: black\">{html}</mark>"),
                false => html,
            }
        };
        format!("<p>{}</p>\n", self.pieces().into_iter().map(piece).collect::<String>())
    }

    /// As plain text.
    pub fn text(&self) -> String {
        let (mut text, mut open) = (String::new(), [false; 2]);
        let ended = [("", false, false)];
        for (piece, right, given) in self.pieces().into_iter().chain(ended) {
            // What opened last closes first.
            if open[1] && (!given || open[0] != right) {
                text.push('>');
                open[1] = false;
            }
            if open[0] && !right {
                text.push(']');
                open[0] = false;
            }
            if right && !open[0] {
                text.push('[');
                open[0] = true;
            }
            if given && !open[1] {
                text.push('<');
                open[1] = true;
            }
            text.push_str(piece);
        }
        clean(&text)
    }
}
