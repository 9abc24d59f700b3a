//! Questions and windows of passages as numbers.

use std::ops::Range;
use std::sync::Arc;

use super::matches::Asked;
use super::{folded_token, reading_tokens, Question, ReadingSet, Window, WindowOptions, MATCHES};
use crate::data::split::batches_by_length;
use crate::data::{Units, Vocabulary};
use crate::error::{Error, Result};

/// The questions of a set as token ids, their passages in windows.
#[derive(Debug, Clone, PartialEq)]
pub struct EncodedReading {
    windows: Vec<Window>,
    questions: Vec<EncodedQuestion>,
    unaligned: usize,
    cut_answers: usize,
    cut_questions: usize,
}

/// A question as numbers, with its passage and right answers.
#[derive(Debug, Clone, PartialEq)]
pub struct EncodedQuestion {
    /// The ids of its tokens, one or more.
    pub ids: Vec<usize>,
    /// The passage it is about.
    pub context: Arc<str>,
    /// The right answers, as their file has them.
    pub answers: Vec<String>,
}

/// A passage in tokens: kept for the questions that follow about the same.
struct Passage {
    context: Arc<str>,
    ranges: Vec<Range<usize>>,
    tokens: Vec<String>,
    ids: Vec<usize>,
}

/// A text's tokens, folded.
fn folded(text: &str) -> Vec<String> {
    reading_tokens(text).into_iter().map(|range| folded_token(&text[range])).collect()
}

impl Passage {
    fn new(context: &Arc<str>, vocabulary: &Vocabulary) -> Self {
        let ranges = reading_tokens(context);
        let tokens: Vec<String> = ranges.iter().map(|range| folded_token(&context[range.clone()])).collect();
        let ids = tokens.iter().map(|token| vocabulary.id(token)).collect();
        Self { context: context.clone(), ranges, tokens, ids }
    }

    /// First and last token of those that cover a range of bytes, and whether they are exactly it.
    fn covering(&self, span: &Range<usize>) -> Option<(usize, usize, bool)> {
        let first = self.ranges.partition_point(|token| token.end <= span.start);
        let last = self.ranges.partition_point(|token| token.start < span.end).checked_sub(1)?;
        let exact = self.ranges.get(first)?.start == span.start && self.ranges[last].end == span.end;
        (first <= last).then_some((first, last, exact))
    }
}

impl ReadingSet {
    /// A vocabulary of the passages' and questions' tokens, the most frequent ones; `size` tokens at most.
    ///
    /// # Errors
    /// As [`Vocabulary::learn`].
    pub fn vocabulary(&self, size: usize) -> Result<Vocabulary> {
        let passages = self.passages();
        let questions = self.questions().iter().map(|question| question.question.as_str());
        let texts: Vec<&str> = passages.iter().map(|passage| passage.as_ref()).chain(questions).collect();
        Vocabulary::learn(&texts, size, Units::Tokens)
    }

    /// The questions as numbers, by a vocabulary of [`Units::Tokens`].
    ///
    /// Every window of a passage is there, also those without an answer: at prediction it is not known which they are.
    /// An answer that begins or ends inside a token is that whole token, and counted.
    ///
    /// # Errors
    /// [`Error::Parameter`] for options out of range, or a vocabulary of other units.
    ///
    /// # Example
    /// ```
    /// use reloss::data::{Answer, Question, ReadingSet, WindowOptions};
    /// let answers = vec![Answer { text: "Lund".into(), start: 14 }];
    /// let asked = Question { id: "1".into(), context: "Anna lives in Lund.".into(), question: "Where is Anna?".into(), answers };
    /// let set = ReadingSet::new("one", vec![asked])?;
    /// let options = WindowOptions { length: 4, stride: 2, ..Default::default() };
    /// let encoded = set.encode(&set.vocabulary(100)?, &options)?;
    /// let spans: Vec<_> = encoded.windows().iter().map(|window| window.span).collect();
    /// assert_eq!(spans, [Some((3, 3)), Some((1, 1))]);
    /// assert_eq!(encoded.text(1, (0, 1))?, "in Lund");
    /// # Ok::<(), reloss::Error>(())
    /// ```
    ///
    /// # Reference
    /// Windows as in Devlin, Chang, Lee, Toutanova, "BERT", NAACL 2019, and its script for SQuAD.
    pub fn encode(&self, vocabulary: &Vocabulary, options: &WindowOptions) -> Result<EncodedReading> {
        options.check()?;
        if vocabulary.units() != Units::Tokens {
            return Err(Error::parameter(
                "vocabulary",
                format!("of {:?}, not of Tokens", vocabulary.units()),
            ));
        }
        let mut encoded = EncodedReading {
            windows: Vec::new(),
            questions: Vec::with_capacity(self.len()),
            unaligned: 0,
            cut_answers: 0,
            cut_questions: 0,
        };
        let mut passage: Option<Passage> = None;
        for (question, spans) in self.questions().iter().zip(self.spans()) {
            let same = passage.take().filter(|passage| Arc::ptr_eq(&passage.context, &question.context));
            let current = same.unwrap_or_else(|| Passage::new(&question.context, vocabulary));
            encoded.push(question, spans, &current, vocabulary, options);
            passage = Some(current);
        }
        Ok(encoded)
    }
}

impl EncodedReading {
    fn push(
        &mut self,
        question: &Question,
        spans: &[Range<usize>],
        passage: &Passage,
        vocabulary: &Vocabulary,
        options: &WindowOptions,
    ) {
        let mut asked = folded(&question.question);
        self.cut_questions += usize::from(asked.len() > options.question);
        asked.truncate(options.question);
        let covers: Vec<(usize, usize, bool)> =
            spans.iter().filter_map(|span| passage.covering(span)).collect();
        self.unaligned += covers.iter().filter(|cover| !cover.2).count();
        let matches = Asked::new(&asked).matches(&passage.tokens);
        let before = self.windows.len();
        for tokens in options.cut(passage.ids.len()) {
            let inside =
                covers.iter().find(|&&(first, last, _)| tokens.contains(&first) && tokens.contains(&last));
            self.windows.push(Window {
                question: self.questions.len(),
                ids: passage.ids[tokens.clone()].to_vec(),
                matches: matches[tokens.start * MATCHES..tokens.end * MATCHES].to_vec(),
                tokens: passage.ranges[tokens.clone()].to_vec(),
                span: inside.map(|&(first, last, _)| (first - tokens.start, last - tokens.start)),
            });
        }
        self.cut_answers += usize::from(self.windows[before..].iter().all(|window| window.span.is_none()));
        self.questions.push(EncodedQuestion {
            ids: asked.iter().map(|token| vocabulary.id(token)).collect(),
            context: question.context.clone(),
            answers: question.answers.iter().map(|answer| answer.text.clone()).collect(),
        });
    }

    /// All windows, those of a question side by side, in the order of the questions.
    pub fn windows(&self) -> &[Window] {
        &self.windows
    }

    /// All questions, in the order of their set.
    pub fn questions(&self) -> &[EncodedQuestion] {
        &self.questions
    }

    /// The indices of the windows with an answer: those to learn from.
    pub fn answerable(&self) -> Vec<usize> {
        (0..self.windows.len()).filter(|&window| self.windows[window].span.is_some()).collect()
    }

    /// How many windows have no answer.
    pub fn without_answer(&self) -> usize {
        self.windows.iter().filter(|window| window.span.is_none()).count()
    }

    /// How many questions have no window that one of their answers fits into.
    pub fn cut_answers(&self) -> usize {
        self.cut_answers
    }

    /// How many questions were cut because they are too long.
    pub fn cut_questions(&self) -> usize {
        self.cut_questions
    }

    /// How many answers begin or end inside a token, which is taken whole.
    pub fn unaligned(&self) -> usize {
        self.unaligned
    }

    /// One epoch: indices of windows with an answer in batches, similar lengths together, batches in random order.
    ///
    /// A batch holds at most `tokens` tokens of windows (and of questions), padding counted: rows times the longest. Windows
    /// equally long are shuffled anew for every epoch, from the same seed.
    ///
    /// # Errors
    /// [`Error::Parameter`] when a single window has more tokens.
    ///
    /// # Example
    /// ```
    /// use reloss::data::{ReadingSet, WindowOptions};
    /// let set = ReadingSet::world(100, 0)?;
    /// let encoded = set.encode(&set.vocabulary(1000)?, &WindowOptions::default())?;
    /// let batches = encoded.batches(1024, 0, 1)?;
    /// assert_eq!(batches.iter().map(Vec::len).sum::<usize>(), encoded.answerable().len());
    /// # Ok::<(), reloss::Error>(())
    /// ```
    pub fn batches(&self, tokens: usize, seed: u64, epoch: u64) -> Result<Vec<Vec<usize>>> {
        let lengths = |place: usize| {
            let window = &self.windows[place];
            (window.ids.len(), self.questions[window.question].ids.len())
        };
        batches_by_length(lengths, self.answerable(), tokens, seed, epoch)
    }

    /// Where a window's tokens from a first to a last one, both inside, stand in the passage, in bytes.
    ///
    /// # Errors
    /// [`Error::Shape`] for a window that is not there, or tokens that are not in it or out of order.
    pub fn range(&self, window: usize, span: (usize, usize)) -> Result<Range<usize>> {
        let missing = || Error::shape("text", format!("windows below {}", self.windows.len()), window);
        let Window { tokens, .. } = self.windows.get(window).ok_or_else(missing)?;
        match (tokens.get(span.0), tokens.get(span.1)) {
            (Some(first), Some(last)) if span.0 <= span.1 => Ok(first.start..last.end),
            _ => {
                let expected = format!("first and last, in order, of {} tokens", tokens.len());
                Err(Error::shape("text", expected, format!("{span:?}")))
            }
        }
    }

    /// The passage's text there.
    ///
    /// # Errors
    /// As [`EncodedReading::range`].
    pub fn text(&self, window: usize, span: (usize, usize)) -> Result<&str> {
        let range = self.range(window, span)?;
        Ok(&self.questions[self.windows[window].question].context[range])
    }
}
