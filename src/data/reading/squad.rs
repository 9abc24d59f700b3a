//! Questions about passages, in the JSON form of SQuAD (CMRC 2018, XQuAD and others have the same).

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::error::{Error, Result};
use crate::files::json;

/// A question about a passage, with its right answers.
#[derive(Debug, Clone, PartialEq)]
pub struct Question {
    /// Its id, unique in the file.
    pub id: String,
    /// The passage, shared by its questions.
    pub context: Arc<str>,
    /// The question.
    pub question: String,
    /// One right answer or more.
    pub answers: Vec<Answer>,
}

/// A right answer.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Answer {
    /// Its text.
    pub text: String,
    /// Where it starts in the passage, in characters from 0, as the file says: some are wrong here, and have −1 for an
    /// answer that the passage does not have. A [`ReadingSet`](super::ReadingSet) has mended them.
    #[serde(rename = "answer_start")]
    pub start: i64,
}

#[derive(Deserialize)]
struct File {
    data: Vec<Article>,
}

#[derive(Deserialize)]
struct Article {
    paragraphs: Vec<Paragraph>,
}

#[derive(Deserialize)]
struct Paragraph {
    context: String,
    qas: Vec<Asked>,
}

#[derive(Deserialize)]
struct Asked {
    id: String,
    question: String,
    answers: Vec<Answer>,
}

/// The questions of a file.
///
/// # Errors
/// [`Error::Io`] for a missing file, [`Error::Data`] for malformed JSON, missing fields or invalid UTF-8 with the line and
/// the path inside the file (`data[0].paragraphs[2].qas`), and with that path for a question that occurs twice or has no
/// answer.
pub fn questions(path: &Path) -> Result<Vec<Question>> {
    let (mut questions, mut seen) = (Vec::new(), HashSet::new());
    for (place, question) in placed(path)? {
        let refuse =
            |what: &str| Err(Error::data(path, None, format!("{place}: question {} {what}", question.id)));
        if question.answers.is_empty() {
            return refuse("has no answer");
        }
        if !seen.insert(question.id.clone()) {
            return refuse("occurs twice");
        }
        questions.push(question);
    }
    match questions.is_empty() {
        true => Err(Error::data(path, None, "there are no questions")),
        false => Ok(questions),
    }
}

/// The questions of a file as they are, each with its path inside.
pub(super) fn placed(path: &Path) -> Result<Vec<(String, Question)>> {
    let file: File = json(path)?;
    let mut questions = Vec::new();
    for (i, article) in file.data.into_iter().enumerate() {
        for (j, paragraph) in article.paragraphs.into_iter().enumerate() {
            let context: Arc<str> = paragraph.context.into();
            for (k, Asked { id, question, answers }) in paragraph.qas.into_iter().enumerate() {
                let place = format!("data[{i}].paragraphs[{j}].qas[{k}]");
                questions.push((place, Question { id, context: context.clone(), question, answers }));
            }
        }
    }
    Ok(questions)
}

/// Predicted answers by question: a JSON object of texts.
///
/// # Errors
/// As [`questions`]; an id that occurs twice is an error here too, where JSON readers keep the last.
pub fn predicted_answers(path: &Path) -> Result<HashMap<String, String>> {
    json::<Unique>(path).map(|unique| unique.0)
}

/// An object without repeated keys.
struct Unique(HashMap<String, String>);

impl<'de> Deserialize<'de> for Unique {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct Entries;
        impl<'de> Visitor<'de> for Entries {
            type Value = Unique;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("an object of answers by question id")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> std::result::Result<Unique, M::Error> {
                let mut entries = HashMap::new();
                while let Some((id, answer)) = map.next_entry::<String, String>()? {
                    if entries.contains_key(&id) {
                        return Err(serde::de::Error::custom(format!("question {id} is answered twice")));
                    }
                    entries.insert(id, answer);
                }
                Ok(Unique(entries))
            }
        }
        deserializer.deserialize_map(Entries)
    }
}
