//! Reading comprehension: the answer to a question is a span of a passage.

use std::sync::Arc;

use super::run::{finite, not_finite, Lessons, Run, StepLoss, Trained};
use super::{LossOf, MetricOf, Outcome, OutcomeOf, Task, Train};
use crate::data::{EncodedReading, ReadingSet, Vocabulary, Window, WindowOptions};
use crate::error::{Error, Result};
use crate::loss::{Loss, SpanCrossEntropy};
use crate::metric::Direction;
use crate::model::{Reader, ReaderConfig, WordVectors};
use crate::ops::{best_spans, host, Spans, Tokens};
use crate::sampler::{Passage, ReadingStore};
use crate::Tape;

/// Questions about passages, answered by a [`Reader`].
///
/// Its [`Train::batch`] counts the tokens of the windows of a step, padding included. Windows without an answer are no use to
/// learn from and left out of training; of several windows of a passage the answer is the span of the highest logits.
///
/// # Example
/// ```
/// use std::sync::Arc;
/// use reloss::data::{ReadingSet, TextSplit, WindowOptions};
/// use reloss::model::ReaderConfig;
/// use reloss::task::Reading;
/// let parts = ReadingSet::world(200, 0)?.split(&TextSplit::default())?;
/// let words = Arc::new(parts[0].vocabulary(2000)?);
/// let task = Reading::new(&parts, words, ReaderConfig::small, &WindowOptions::default())?;
/// assert_eq!(task.answers().len(), parts[2].len());
/// # Ok::<(), reloss::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Reading {
    vocabulary: Arc<Vocabulary>,
    /// The training, the validation and the test part.
    parts: [Arc<EncodedReading>; 3],
    config: ReaderConfig,
    vectors: Option<Arc<WordVectors>>,
    /// Tokens of the longest answer; 30, usual since Devlin et al. 2019 (BERT).
    pub longest: usize,
}

/// Windows that are read together where nothing is learned.
const TOGETHER: usize = 64;
/// Windows of the training part whose predictions are stored.
const STORED: usize = 1000;

impl Reading {
    /// A task on a training, a validation and a test part; `config` makes the model's sizes from that of the vocabulary.
    ///
    /// # Errors
    /// [`Error::Parameter`] for windows or questions longer than the model's positions, [`Error::Undefined`] when the training
    /// part has no window with an answer, and as [`ReadingSet::encode`] and [`Reader::new`].
    pub fn new(
        parts: &[ReadingSet; 3],
        vocabulary: Arc<Vocabulary>,
        config: fn(usize) -> ReaderConfig,
        windows: &WindowOptions,
    ) -> Result<Self> {
        let config = config(vocabulary.len());
        // The sizes are checked once, before anything is trained.
        Reader::new(config, 0)?;
        let longest = windows.length.max(windows.question);
        if longest > config.positions {
            let reason = format!("{longest} tokens, but the model has {} positions", config.positions);
            return Err(Error::parameter("windows", reason));
        }
        let encoded = |part: &ReadingSet| part.encode(&vocabulary, windows).map(Arc::new);
        let parts = [encoded(&parts[0])?, encoded(&parts[1])?, encoded(&parts[2])?];
        if parts[0].answerable().is_empty() {
            return Err(Error::undefined("training", "no window of the training part has an answer"));
        }
        Ok(Self { vocabulary, parts, config, vectors: None, longest: 30 })
    }

    /// The same task, its models starting from pretrained word vectors, whatever their width.
    ///
    /// # Errors
    /// As [`Reader::with_vectors`].
    pub fn with_vectors(self, vectors: Arc<WordVectors>) -> Result<Self> {
        let config = ReaderConfig { embedding: vectors.width(), ..self.config };
        Reader::new(config, 0)?.with_vectors(&vectors)?;
        Ok(Self { config, vectors: Some(vectors), ..self })
    }

    /// The numbers of its tokens.
    pub fn vocabulary(&self) -> &Vocabulary {
        &self.vocabulary
    }

    /// The model's sizes.
    pub fn config(&self) -> ReaderConfig {
        self.config
    }

    /// The training, the validation and the test part as token ids.
    pub fn parts(&self) -> [&EncodedReading; 3] {
        [&self.parts[0], &self.parts[1], &self.parts[2]]
    }

    /// The right answers to the test questions.
    pub fn answers(&self) -> Vec<Vec<String>> {
        right_answers(&self.parts[2])
    }

    /// What a model answers to the questions of a part.
    ///
    /// # Errors
    /// [`Error::NotFinite`] for a model that has diverged.
    pub fn answer(&self, model: &Reader, part: &EncodedReading) -> Result<Vec<String>> {
        let spans = self.spans(model, part)?;
        spans.into_iter().map(|(window, span)| Ok(part.text(window, span)?.to_string())).collect()
    }

    /// Where a model sees the answers to the questions of a part: the window, and first and last token in it.
    ///
    /// # Errors
    /// As [`Reading::answer`].
    pub fn spans(&self, model: &Reader, part: &EncodedReading) -> Result<Vec<(usize, (usize, usize))>> {
        let mut best: Vec<(f32, usize, (usize, usize))> =
            vec![(f32::NEG_INFINITY, 0, (0, 0)); part.questions().len()];
        let all: Vec<usize> = (0..part.windows().len()).collect();
        for windows in all.chunks(TOGETHER) {
            let batch = Batch::new(part, windows)?;
            let logits = host(&model.predict(&batch.questions, &batch.passages, &batch.matches)?);
            let found = best_spans(&logits, batch.passages.rows(), self.longest)?;
            for (&window, (first, last, score)) in windows.iter().zip(found) {
                let best = &mut best[part.windows()[window].question];
                if score > best.0 {
                    *best = (score, window, (first, last));
                }
            }
        }
        Ok(best.into_iter().map(|(_, window, span)| (window, span)).collect())
    }

    /// Trains with cross-entropy and stores, after every epoch, what the model gives for a thousand windows of the training part.
    ///
    /// # Errors
    /// As [`Task::train`].
    pub fn store_predictions(&self, metric: &MetricOf<Self>, options: &Train) -> Result<ReadingStore> {
        options.check_storing()?;
        let [part, ..] = &self.parts;
        let mut windows = part.answerable();
        windows.truncate(STORED);
        let mut store = ReadingStore::new(windows.iter().map(|&window| passage(part, window)).collect())?;
        self.run([&SpanCrossEntropy; 2], metric, options, |_, model| {
            let mut given = Vec::with_capacity(windows.len());
            for windows in windows.chunks(TOGETHER) {
                let batch = Batch::new(part, windows)?;
                let logits = host(&model.predict(&batch.questions, &batch.passages, &batch.matches)?);
                let rows = batch.passages.rows().ranges();
                given.extend(rows.map(|range| logits[2 * range.start..2 * range.end].to_vec()));
            }
            store.append(given)
        })?;
        Ok(store)
    }

    fn run(
        &self,
        [original, loss]: [&dyn Loss<Spans>; 2],
        metric: &MetricOf<Self>,
        options: &Train,
        after_epoch: impl FnMut(usize, &Reader) -> Result<()>,
    ) -> Result<Trained<Reader>> {
        let mut model = Reader::new(self.config, options.seed)?;
        if let Some(vectors) = &self.vectors {
            model = model.with_vectors(vectors)?;
        }
        let lessons = ReadingLessons { task: self, metric, options, right: right_answers(&self.parts[1]) };
        let run = Run { lessons: &lessons, loss, original, options };
        run.train(model, after_epoch)
    }
}

impl Task for Reading {
    type Model = Reader;
    type Prediction = Vec<String>;
    type Target = [Vec<String>];
    type Truth = Vec<Vec<String>>;
    type Aim = Spans;

    fn original(&self) -> LossOf<Self> {
        Box::new(SpanCrossEntropy)
    }

    fn train_after(
        &self,
        before: &dyn Loss<Spans>,
        loss: &dyn Loss<Spans>,
        metric: &MetricOf<Self>,
        options: &Train,
    ) -> Result<OutcomeOf<Self>> {
        let Trained { model, validation, history } =
            self.run([before, loss], metric, options, |_, _| Ok(()))?;
        let predictions = self.answer(&model, &self.parts[2])?;
        Ok(Outcome { model, history, validation, predictions, targets: self.answers() })
    }
}

fn right_answers(part: &EncodedReading) -> Vec<Vec<String>> {
    part.questions().iter().map(|question| question.answers.clone()).collect()
}

/// A window with an answer, as samplers take it.
fn passage(part: &EncodedReading, window: usize) -> Passage {
    let Window { question, tokens, span, .. } = &part.windows()[window];
    let asked = &part.questions()[*question];
    Passage {
        text: asked.context.clone(),
        tokens: tokens.clone(),
        gold: span.unwrap_or_default(),
        answers: asked.answers.clone(),
    }
}

/// Windows as a model takes them.
struct Batch {
    questions: Tokens,
    passages: Tokens,
    matches: Vec<f32>,
}

impl Batch {
    fn new(part: &EncodedReading, windows: &[usize]) -> Result<Self> {
        let all = || windows.iter().map(|&window| &part.windows()[window]);
        let questions: Vec<Vec<usize>> =
            all().map(|window| part.questions()[window.question].ids.clone()).collect();
        let passages: Vec<Vec<usize>> = all().map(|window| window.ids.clone()).collect();
        Ok(Self {
            questions: Tokens::new(&questions)?,
            passages: Tokens::new(&passages)?,
            matches: all().flat_map(|window| window.matches.iter().copied()).collect(),
        })
    }
}

/// What readers learn from.
struct ReadingLessons<'a> {
    task: &'a Reading,
    metric: &'a MetricOf<Reading>,
    options: &'a Train,
    /// The right answers of the validation part.
    right: Vec<Vec<String>>,
}

impl Lessons<Reader> for ReadingLessons<'_> {
    type Aim = Spans;

    fn batches(&self, epoch: usize) -> Result<Vec<Vec<usize>>> {
        self.task.parts[0].batches(self.options.batch, self.options.seed, epoch as u64)
    }

    fn loss(
        &self,
        model: &mut Reader,
        loss: &dyn Loss<Spans>,
        rows: &[usize],
        step: usize,
    ) -> Result<StepLoss> {
        let part = &self.task.parts[0];
        let batch = Batch::new(part, rows)?;
        let gold = rows.iter().filter_map(|&window| part.windows()[window].span).collect();
        let spans = Spans::new(batch.passages.rows().lengths().to_vec(), gold)?;
        let seed = self.options.seed_of(step);
        let logits =
            model.forward(&batch.questions, &batch.passages, &batch.matches, seed, Tape::default())?;
        finite(step, loss.loss(logits, &spans), None)
    }

    fn validate(&self, model: &Reader, step: usize) -> Result<f64> {
        match self.task.answer(model, &self.task.parts[1]) {
            Ok(answers) => self.metric.value(&answers, &self.right),
            Err(Error::NotFinite { .. }) => Err(not_finite(step)),
            Err(other) => Err(other),
        }
    }

    fn direction(&self) -> Direction {
        self.metric.direction()
    }
}
