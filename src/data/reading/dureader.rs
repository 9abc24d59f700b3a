//! DuReader's JSON lines.

use std::ops::Range;
use std::path::Path;

use serde::Deserialize;

use super::set::Found;
use super::{Answer, Question, ReadingSet};
use crate::data::{lines, stem, Unfit};
use crate::error::{Error, Result};
use crate::files::parse_json;

/// One line. Lists that a part of the set lacks are empty.
#[derive(Deserialize)]
struct Record {
    question_id: u64,
    question: String,
    documents: Vec<Document>,
    #[serde(default)]
    answers: Vec<String>,
    #[serde(default)]
    answer_docs: Vec<usize>,
    #[serde(default)]
    answer_spans: Vec<[usize; 2]>,
}

#[derive(Deserialize)]
struct Document {
    paragraphs: Vec<String>,
    segmented_paragraphs: Vec<Vec<String>>,
    /// −1 for a document without paragraphs.
    most_related_para: Option<i64>,
}

impl ReadingSet {
    /// The questions of a file in DuReader 2.0's form: JSON lines, segmented into words.
    ///
    /// The passage is the most related paragraph of each document, as the file says, a line each. People wrote the answers in
    /// their own words: they are the right ones to judge by (starts are −1), and what is learned from is the span that
    /// the file finds most like them (`answer_docs`, `answer_spans`). Questions without answers, as all of the test part,
    /// cannot be used.
    ///
    /// # Errors
    /// [`Error::Io`] for a missing file; [`Error::Data`] with the line for bytes that are no UTF-8, malformed JSON or missing
    /// fields (with the path inside), paragraphs or words that are not there, and, unless those are to be skipped, a question
    /// without text, without answers, or with an id that occurred before; [`Error::Shape`] when no question is left.
    ///
    /// # Reference
    /// He et al., "DuReader", MRQA 2018; the passage as in its released baseline, which cuts paragraphs at 500 words: here
    /// [`WindowOptions`](super::WindowOptions) say.
    pub fn dureader(path: &Path, unfit: Unfit) -> Result<Self> {
        let mut found = Vec::new();
        for (i, text) in lines(path)?.iter().enumerate().filter(|(_, text)| !text.trim().is_empty()) {
            let refuse = |reason: String| Error::data(path, Some(i + 1), reason);
            let record: Record = parse_json(text.as_bytes()).map_err(|(reason, _)| refuse(reason))?;
            found.push(record.found(i + 1).map_err(refuse)?);
        }
        Self::gather(&stem(path), path, found, unfit)
    }
}

impl Record {
    fn found(self, line: usize) -> std::result::Result<Found, String> {
        let (mut context, mut spans) = (String::new(), Vec::new());
        for (i, document) in self.documents.iter().enumerate() {
            let Some(number) = document.most_related_para.filter(|&number| number >= 0) else { continue };
            let number = usize::try_from(number).unwrap_or(usize::MAX);
            let place = format!("documents[{i}].most_related_para");
            let missing = || format!("{place}: there is no paragraph {number}");
            let text = document.paragraphs.get(number).ok_or_else(missing)?;
            let words = document.segmented_paragraphs.get(number).ok_or_else(missing)?;
            if !context.is_empty() {
                context.push('\n');
            }
            for (&[first, last], _) in
                self.answer_spans.iter().zip(&self.answer_docs).filter(|pair| *pair.1 == i)
            {
                let span = words_in(text, words, first..=last).ok_or_else(|| {
                    format!(
                        "answer_spans: paragraph {number} of documents[{i}] has no words {first} to {last}"
                    )
                })?;
                spans.push(context.len() + span.start..context.len() + span.end);
            }
            context.push_str(text);
        }
        let answers = self.answers.into_iter().filter(|text| !text.trim().is_empty());
        let question = Question {
            id: self.question_id.to_string(),
            context: context.into(),
            question: self.question,
            answers: answers.map(|text| Answer { text, start: -1 }).collect(),
        };
        Ok(Found { place: String::new(), line: Some(line), question, spans: Some(spans) })
    }
}

/// Where some words of a paragraph stand in its text, which may have other spaces than the words.
fn words_in(text: &str, words: &[String], span: std::ops::RangeInclusive<usize>) -> Option<Range<usize>> {
    let length =
        |words: &[String]| words.iter().flat_map(|w| w.chars()).filter(|c| !c.is_whitespace()).count();
    let (before, inside) = (length(words.get(..*span.start())?), length(words.get(span)?));
    let mut places = text.char_indices().filter(|(_, c)| !c.is_whitespace());
    let (start, _) = places.nth(before)?;
    let (end, last) =
        text[start..].char_indices().filter(|(_, c)| !c.is_whitespace()).nth(inside.checked_sub(1)?)?;
    Some(start..start + end + last.len_utf8())
}
