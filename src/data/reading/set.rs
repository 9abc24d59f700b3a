//! Questions about passages, checked, with the answers' places.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use super::squad::placed;
use super::{Answer, Question, ReadingReport};
use crate::data::split::{grouped_parts, random_rows};
use crate::data::{stem, TextSplit, Unfit};
use crate::error::{Error, Result};

/// Questions about passages, each with an answer or more that stands in its passage.
#[derive(Clone, PartialEq)]
pub struct ReadingSet {
    name: String,
    questions: Vec<Question>,
    /// Of each question, where answers to learn from stand, in bytes of its passage, one or more.
    spans: Vec<Vec<Range<usize>>>,
    report: ReadingReport,
}

impl fmt::Debug for ReadingSet {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let shown = format!("{} here; {}", self.len(), self.report);
        f.debug_tuple("ReadingSet").field(&self.name).field(&format_args!("{shown}")).finish()
    }
}

/// A question as read.
pub(super) struct Found {
    /// Its path inside the file, with a colon and a space, or nothing.
    pub place: String,
    /// The line, where the file has one a question.
    pub line: Option<usize>,
    pub question: Question,
    /// Where to learn from: `None` where the answers themselves say it.
    pub spans: Option<Vec<Range<usize>>>,
}

impl ReadingSet {
    /// A set of your own questions.
    ///
    /// An answer that does not stand where it says is searched in the passage: the occurrence nearest to that is marked, and
    /// counted in the [report](Self::report).
    ///
    /// # Errors
    /// [`Error::Data`] with the question's index for an id that occurs twice, a question or passage without text, or an
    /// answer that the passage does not have; [`Error::Shape`] for no questions.
    ///
    /// # Example
    /// ```
    /// use reloss::data::{Answer, Question, ReadingSet};
    /// let answers = vec![Answer { text: "in Lund".into(), start: 0 }];
    /// let asked = Question { id: "1".into(), context: "Anna lives in Lund.".into(), question: "Where?".into(), answers };
    /// let set = ReadingSet::new("one", vec![asked])?;
    /// assert_eq!((set.questions()[0].answers[0].start, set.report().respanned), (11, 1));
    /// # Ok::<(), reloss::Error>(())
    /// ```
    pub fn new(name: &str, questions: Vec<Question>) -> Result<Self> {
        let found = questions.into_iter().enumerate().map(|(i, question)| Found {
            place: format!("[{i}]: "),
            line: None,
            question,
            spans: None,
        });
        Self::gather(name, Path::new(name), found.collect(), Unfit::Refuse)
    }

    /// The questions of a file in SQuAD 1.1's JSON form: also CMRC 2018, XQuAD and others.
    ///
    /// Where `answer_start` is wrong the answer is searched, as [`ReadingSet::new`] does. With [`Unfit::Skip`] questions that
    /// cannot be used are left out and counted in the [report](Self::report); so are answers that the passage does not have:
    /// they stay right ones to judge by, with a start of −1, as long as another one stands there.
    ///
    /// # Errors
    /// [`Error::Io`] for a missing file; [`Error::Data`] for malformed JSON or missing fields with the line and the path
    /// inside the file, and with that path, unless those are to be skipped, for what [`ReadingSet::new`] refuses;
    /// [`Error::Shape`] when no question is left.
    ///
    /// # Example
    /// ```
    /// use reloss::data::{ReadingSet, Unfit};
    /// # let folder = tempfile::tempdir().map_err(|source| reloss::Error::Io { path: "".into(), source })?;
    /// let path = folder.path().join("two.json");
    /// let answer = |text| format!(r#""answers": [{{"text": "{text}", "answer_start": 2}}]"#);
    /// let text = format!(r#"{{"data": [{{"paragraphs": [{{"context": "战国无双", "qas": [
    ///     {{"id": "a", "question": "?", {}}}, {{"id": "b", "question": "?", {}}}]}}]}}]}}"#, answer("无双"), answer("三"));
    /// reloss::files::write_atomic(&path, text.as_bytes())?;
    /// assert_eq!(ReadingSet::squad(&path, Unfit::Skip)?.report().absent, 1);
    /// let error = ReadingSet::squad(&path, Unfit::Refuse).unwrap_err().to_string();
    /// assert!(error.ends_with("data[0].paragraphs[0].qas[1]: question b: the answer `三` is not in its passage"));
    /// # Ok::<(), reloss::Error>(())
    /// ```
    ///
    /// # Reference
    /// Rajpurkar, Zhang, Lopyrev, Liang, EMNLP 2016; Cui et al., EMNLP 2019; Artetxe, Ruder, Yogatama, ACL 2020.
    pub fn squad(path: &Path, unfit: Unfit) -> Result<Self> {
        let found = placed(path)?.into_iter().map(|(place, question)| Found {
            place: format!("{place}: "),
            line: None,
            question,
            spans: None,
        });
        Self::gather(&stem(path), path, found.collect(), unfit)
    }

    /// Checks questions of one origin and takes those that can be used.
    pub(super) fn gather(name: &str, origin: &Path, found: Vec<Found>, unfit: Unfit) -> Result<Self> {
        let mut set = Self {
            name: name.to_string(),
            questions: Vec::with_capacity(found.len()),
            spans: Vec::with_capacity(found.len()),
            report: ReadingReport { questions: found.len(), ..Default::default() },
        };
        let mut seen = HashSet::new();
        for one in found {
            let (line, place, id) = (one.line, one.place.clone(), one.question.id.clone());
            match (set.admit(one, unfit, &mut seen), unfit) {
                (Err(reason), Unfit::Refuse) => {
                    return Err(Error::data(origin, line, format!("{place}question {id}: {reason}")));
                }
                (Ok(()), _) | (Err(_), Unfit::Skip) => {}
            }
        }
        match set.is_empty() {
            true => Err(Error::shape("reading set", "one question or more", format!("none in {name}"))),
            false => Ok(set),
        }
    }

    /// Takes a question in, or counts and says why not.
    fn admit(&mut self, found: Found, unfit: Unfit, seen: &mut HashSet<String>) -> Result<(), String> {
        let Found { mut question, spans, .. } = found;
        if question.question.trim().is_empty() || question.context.trim().is_empty() {
            self.report.empty += 1;
            return Err("it or its passage has no text".to_string());
        }
        if !seen.insert(question.id.clone()) {
            self.report.repeated += 1;
            return Err("its id occurs twice".to_string());
        }
        let spans = match spans {
            Some(spans) => spans,
            None => locate_all(&mut question, unfit, &mut self.report)?,
        };
        if spans.is_empty() || question.answers.is_empty() {
            self.report.unanswered += 1;
            return Err("it has no answer that stands in its passage".to_string());
        }
        self.questions.push(question);
        self.spans.push(spans);
        Ok(())
    }

    /// The name in tables.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The same questions by another name.
    pub fn named(mut self, name: &str) -> Self {
        self.name = name.to_string();
        self
    }

    /// The questions, in the file's order unless shuffled.
    pub fn questions(&self) -> &[Question] {
        &self.questions
    }

    /// How many questions.
    pub fn len(&self) -> usize {
        self.questions.len()
    }

    /// Whether there are no questions: never.
    pub fn is_empty(&self) -> bool {
        self.questions.is_empty()
    }

    /// What was mended and left out of the whole file, also where this is a part of it.
    pub fn report(&self) -> &ReadingReport {
        &self.report
    }

    /// Where answers to learn from stand, in bytes of the passage: one or more for each question.
    pub fn spans(&self) -> &[Vec<Range<usize>>] {
        &self.spans
    }

    /// The passages, each once.
    pub fn passages(&self) -> Vec<Arc<str>> {
        let mut seen = HashSet::new();
        let passages = self.questions.iter().map(|question| &question.context);
        passages.filter(|context| seen.insert(Arc::clone(context))).cloned().collect()
    }

    /// The questions with these indices, from 0, in their order.
    ///
    /// # Errors
    /// [`Error::Shape`] for no indices or one that is not there.
    pub fn take(&self, indices: &[usize]) -> Result<Self> {
        if let Some(index) = indices.iter().find(|&&index| index >= self.len()) {
            return Err(Error::shape("take", format!("questions below {}", self.len()), index));
        }
        if indices.is_empty() {
            return Err(Error::shape("take", "one question or more", 0));
        }
        let questions = indices.iter().map(|&index| self.questions[index].clone()).collect();
        let spans = indices.iter().map(|&index| self.spans[index].clone()).collect();
        Ok(Self { name: self.name.clone(), questions, spans, report: self.report })
    }

    /// So many random questions (all of them shuffled, if there are no more).
    ///
    /// # Errors
    /// [`Error::Shape`] for a count of zero.
    pub fn subset(&self, count: usize, seed: u64) -> Result<Self> {
        self.take(&random_rows(self.len(), count, seed))
    }

    /// Training, validation and test part; no passage stands in two of them.
    ///
    /// Questions about the same text stay together, so that shares are met as nearly as that allows. Within a part the order
    /// is that of this set.
    ///
    /// # Errors
    /// [`Error::Parameter`] for shares that leave nothing to train with, [`Error::Undefined`] when a part would be empty.
    ///
    /// # Example
    /// ```
    /// use reloss::data::{ReadingSet, TextSplit};
    /// let [train, validation, test] = ReadingSet::world(400, 0)?.split(&TextSplit::default())?;
    /// assert_eq!(train.len() + validation.len() + test.len(), 400);
    /// let passages = test.passages();
    /// assert!(train.questions().iter().all(|question| !passages.contains(&question.context)));
    /// # Ok::<(), reloss::Error>(())
    /// ```
    pub fn split(&self, options: &TextSplit) -> Result<[Self; 3]> {
        let (mut numbers, mut groups) = (HashMap::new(), Vec::<Vec<usize>>::new());
        for (place, question) in self.questions.iter().enumerate() {
            let number = *numbers.entry(question.context.as_ref()).or_insert(groups.len());
            match groups.get_mut(number) {
                Some(group) => group.push(place),
                None => groups.push(vec![place]),
            }
        }
        let [train, validation, test] = grouped_parts(&self.name, groups, options)?;
        Ok([self.take(&train)?, self.take(&validation)?, self.take(&test)?])
    }
}

/// Finds the answers of a question in its passage; their starts are mended, and those that are not there are refused, or
/// counted.
fn locate_all(
    question: &mut Question,
    unfit: Unfit,
    report: &mut ReadingReport,
) -> Result<Vec<Range<usize>>, String> {
    let mut spans = Vec::with_capacity(question.answers.len());
    for answer in &mut question.answers {
        match (locate(&question.context, answer), unfit) {
            (Some(found), _) => {
                report.respanned += usize::from(found.moved);
                *answer = found.answer;
                spans.push(found.span);
            }
            (None, Unfit::Refuse) => {
                return Err(format!("the answer `{}` is not in its passage", answer.text));
            }
            (None, Unfit::Skip) => {
                answer.start = -1;
                report.absent += 1;
            }
        }
    }
    Ok(spans)
}

/// An answer with its place.
struct Located {
    answer: Answer,
    span: Range<usize>,
    /// Whether it stands elsewhere than it said.
    moved: bool,
}

/// Where an answer stands nearest to where it says: in characters, with which it is given back, and in bytes.
///
/// Space around it is left off: it judges nothing, and belongs to no token.
fn locate(context: &str, answer: &Answer) -> Option<Located> {
    let text = answer.text.trim();
    if text.is_empty() {
        return None;
    }
    let before = answer.text.chars().take_while(|c| c.is_whitespace()).count() as i64;
    let stated = answer.start.saturating_add(before);
    let exact = usize::try_from(stated).ok().and_then(|place| context.char_indices().nth(place));
    let exact = exact.map(|(start, _)| start).filter(|&start| context[start..].starts_with(text));
    // Characters are counted once, along with the search.
    let (mut chars, mut last) = (0_i64, 0);
    let places = context.match_indices(text).map(|(start, _)| {
        chars += context[last..start].chars().count() as i64;
        last = start;
        (chars, start)
    });
    let (place, start) = match exact {
        Some(start) => (stated, start),
        None => places.min_by_key(|(place, _)| place.abs_diff(stated))?,
    };
    let answer = Answer { text: text.to_string(), start: place };
    Some(Located { answer, span: start..start + text.len(), moved: exact.is_none() })
}
