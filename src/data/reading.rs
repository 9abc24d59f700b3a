//! Questions about passages, in the JSON form of SQuAD (CMRC 2018, XQuAD and others have the same).

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::error::{Error, Result};
use crate::files;

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
    /// Where the file says it starts in the passage, in characters from 0; some files are wrong here.
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
/// [`Error::Io`] for a missing file, [`Error::Data`] for malformed JSON, missing fields or invalid UTF-8 with the line,
/// and naming the id of a question that occurs twice or has no answer.
pub fn questions(path: &Path) -> Result<Vec<Question>> {
    let file: File = json(path)?;
    let (mut questions, mut seen) = (Vec::new(), HashSet::new());
    for paragraph in file.data.into_iter().flat_map(|article| article.paragraphs) {
        let context: Arc<str> = paragraph.context.into();
        for Asked { id, question, answers } in paragraph.qas {
            if answers.is_empty() {
                return Err(Error::data(path, None, format!("question {id} has no answer")));
            }
            if !seen.insert(id.clone()) {
                return Err(Error::data(path, None, format!("question {id} occurs twice")));
            }
            questions.push(Question { id, context: context.clone(), question, answers });
        }
    }
    match questions.is_empty() {
        true => Err(Error::data(path, None, "there are no questions")),
        false => Ok(questions),
    }
}

/// Predicted answers by question: a JSON object of texts.
///
/// # Errors
/// As [`questions`]; an id that occurs twice is an error here too, where JSON readers keep the last.
pub fn predicted_answers(path: &Path) -> Result<HashMap<String, String>> {
    json::<Unique>(path).map(|unique| unique.0)
}

/// Reads JSON, naming file and line of what is wrong.
pub(super) fn json<T: for<'de> Deserialize<'de>>(path: &Path) -> Result<T> {
    serde_json::from_slice(&files::read(path)?).map_err(|e| Error::data(path, Some(e.line()), e))
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
