//! The form of WMT's development and test sets: one file of segments for each side.

use std::path::Path;

use super::{ParallelText, Unfit};
use crate::data::{stem, utf8};
use crate::error::{Error, Result};
use crate::files;

/// A segment with the place that its id and its document's make up.
struct Segment {
    document: String,
    id: String,
    text: String,
    line: usize,
}

impl ParallelText {
    /// A source and a reference file of WMT's SGM, whose segments have the same ids in the same order.
    ///
    /// # Errors
    /// [`Error::Io`] for a missing file; [`Error::Data`] with the line for bytes that are no UTF-8, a segment without an id or
    /// an end, segments whose ids or number differ (in the reference file), or, unless they are to be skipped, an empty one.
    ///
    /// # Example
    /// ```
    /// use reloss::data::{ParallelText, Unfit};
    /// # let folder = tempfile::tempdir().map_err(|source| reloss::Error::Io { path: "".into(), source })?;
    /// let [source, reference] = ["src.en.sgm", "ref.ro.sgm"].map(|name| folder.path().join(name));
    /// let file = |text: &str| format!("<doc docid=\"1\">\n<seg id=\"1\">{text}</seg>\n</doc>\n");
    /// reloss::files::write_atomic(&source, file("Salt &amp; pepper.").as_bytes())?;
    /// reloss::files::write_atomic(&reference, file("Sare și piper.").as_bytes())?;
    /// let text = ParallelText::from_sgm(&source, &reference, ["en", "ro"], Unfit::Refuse)?;
    /// assert_eq!(text.pairs()[0].source, "Salt & pepper.");
    /// # Ok::<(), reloss::Error>(())
    /// ```
    pub fn from_sgm(source: &Path, reference: &Path, languages: [&str; 2], empty: Unfit) -> Result<Self> {
        let (sources, references) = (segments(source)?, segments(reference)?);
        for (one, other) in sources.iter().zip(&references) {
            if (&one.document, &one.id) != (&other.document, &other.id) {
                let place = |segment: &Segment| format!("`{}` of `{}`", segment.id, segment.document);
                let reason = format!("segment {} where the source has {}", place(other), place(one));
                return Err(Error::data(reference, Some(other.line), reason));
            }
        }
        if sources.len() != references.len() {
            let reason = format!("{} segments, the source has {}", references.len(), sources.len());
            return Err(Error::data(reference, None, reason));
        }
        let numbered =
            sources.iter().zip(&references).map(|(s, r)| (s.text.as_str(), r.text.as_str(), s.line));
        Self::gather(&stem(source), languages, source, numbered, empty)
    }
}

/// The form is no proper SGML: what counts are the tags of documents and segments.
fn segments(path: &Path) -> Result<Vec<Segment>> {
    let bytes = files::read(path)?;
    let text = utf8(&bytes, path)?;
    let (mut found, mut document) = (Vec::new(), String::new());
    // The segment that has begun: its id, where its text starts, and its line.
    let mut begun: Option<(String, usize, usize)> = None;
    let (mut line, mut counted) = (1, 0);
    let bad = |line, reason: &str| Error::data(path, Some(line), reason);
    for (at, _) in text.match_indices('<') {
        let Some((tag, _)) = text[at + 1..].split_once('>') else { break };
        line += text[counted..at].matches('\n').count();
        counted = at;
        let name = tag.split(|c: char| c.is_whitespace()).next().unwrap_or_default().to_ascii_lowercase();
        match (name.as_str(), begun.take()) {
            ("seg", None) => {
                let id = attribute(tag, "id").ok_or_else(|| bad(line, "a segment without an id"))?;
                begun = Some((id, at + tag.len() + 2, line));
            }
            ("/seg", Some((id, start, line))) => {
                found.push(Segment {
                    document: document.clone(),
                    id,
                    text: unescaped(&text[start..at]),
                    line,
                });
            }
            ("seg" | "doc" | "/doc", Some((id, _, line))) => {
                return Err(bad(line, &format!("segment `{id}` has no end")));
            }
            ("doc", None) => document = attribute(tag, "docid").unwrap_or_default(),
            ("/seg", None) => return Err(bad(line, "the end of a segment that has not begun")),
            (_, still) => begun = still,
        }
    }
    match (begun, found.is_empty()) {
        (Some((id, _, line)), _) => Err(bad(line, &format!("segment `{id}` has no end"))),
        (None, true) => Err(Error::data(path, None, "there are no segments")),
        (None, false) => Ok(found),
    }
}

/// The value of `name="value"` (or without quotes) in a tag.
fn attribute(tag: &str, name: &str) -> Option<String> {
    let mut rest = tag;
    while let Some((before, after)) = rest.split_once('=') {
        let after = after.trim_start();
        let (value, next) = match after.chars().next() {
            Some(quote @ ('"' | '\'')) => after[1..].split_once(quote)?,
            _ => after.split_once(char::is_whitespace).unwrap_or((after, "")),
        };
        if before.split_whitespace().next_back().is_some_and(|own| own.eq_ignore_ascii_case(name)) {
            return Some(value.to_string());
        }
        rest = next;
    }
    None
}

/// The five entities of these files; the ampersand last, so that nothing is read twice.
fn unescaped(text: &str) -> String {
    [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&apos;", "'"), ("&amp;", "&")]
        .into_iter()
        .fold(text.to_string(), |text, (entity, character)| text.replace(entity, character))
}
