//! Answers to questions: cross-entropy against the expected overlap and losses learned for F1.

use std::path::Path;
use std::sync::Arc;

use super::{own_and_others, Candidate, Case, Comparison};
use crate::data::{folded_token, ReadingSet, TextSplit, Unfit, Vocabulary, WindowOptions};
use crate::error::Result;
use crate::loss::{ExpectedOverlap, SpanCrossEntropy, SpanLikelihood};
use crate::metric::{AnswerMetric, AnswerScript};
use crate::model::{ReaderConfig, WordVectors};
use crate::sampler::{ReadingSampler, ReadingSource};
use crate::surrogate::{learn_reading, Learn, Learned, ReadingSurrogate, SpanInput};
use crate::task::{MetricOf, Reading, Train};

/// Questions with how they are judged, and how large the models are that answer them.
#[derive(Debug, Clone)]
pub struct ReadingGround {
    /// The training, the validation and the test part.
    pub parts: [ReadingSet; 3],
    /// By which scripts answers are judged.
    pub script: AnswerScript,
    /// Tokens of passages and questions.
    pub vocabulary: Arc<Vocabulary>,
    /// The model's sizes, from that of the vocabulary.
    pub config: fn(usize) -> ReaderConfig,
    /// How passages are cut.
    pub windows: WindowOptions,
    /// How models are trained; rate and seed are set by the comparison.
    pub train: Train,
}

/// Tokens of a vocabulary at most.
const VOCABULARY: usize = 8000;

impl ReadingGround {
    /// Generated passages: 4,000 questions, a tenth each to validate and to test.
    ///
    /// # Errors
    /// As [`ReadingSet::world`].
    pub fn world() -> Result<Self> {
        Self::generated(4000)
    }

    /// As [`ReadingGround::world`], of so many questions.
    ///
    /// # Errors
    /// As [`ReadingSet::world`].
    pub fn generated(questions: usize) -> Result<Self> {
        let config = |vocabulary| ReaderConfig { dropout: 0.0, ..ReaderConfig::small(vocabulary) };
        let ground = Self::new(&ReadingSet::world(questions, 0)?, AnswerScript::Words)?;
        Ok(Self { config, ..ground })
    }

    /// How models are trained.
    pub(super) fn training() -> Train {
        Train { epochs: 6, batch: 1024, learning_rate: RATE, ramp: 0.1, ..Train::default() }
    }

    /// A file in the form of SQuAD (CMRC 2018, XQuAD), judged by this script; what does not fit is left out and counted.
    ///
    /// # Errors
    /// As [`ReadingSet::squad`] and [`ReadingGround::new`].
    pub fn read(file: &Path, script: AnswerScript) -> Result<Self> {
        Self::new(&ReadingSet::squad(file, Unfit::Skip)?, script)
    }

    /// Questions judged by this script: a tenth each to validate and to test, all of a passage in one part.
    ///
    /// # Errors
    /// As [`ReadingSet::split`] and [`ReadingSet::vocabulary`].
    pub fn new(set: &ReadingSet, script: AnswerScript) -> Result<Self> {
        let parts = set.split(&TextSplit { validation: 0.1, test: 0.1, seed: 0 })?;
        let vocabulary = Arc::new(parts[0].vocabulary(VOCABULARY)?);
        let windows = WindowOptions { length: 128, stride: 96, ..WindowOptions::default() };
        let train = Self::training();
        Ok(Self { parts, script, vocabulary, config: ReaderConfig::small, windows, train })
    }

    /// The data set's name.
    pub fn name(&self) -> &str {
        self.parts[0].name()
    }

    /// Pretrained vectors of the vocabulary's tokens; the model's word vectors are as wide as they are.
    ///
    /// # Errors
    /// As [`WordVectors::read`].
    pub fn vectors(&self, file: &Path) -> Result<WordVectors> {
        let id = |word: &str| {
            Some(self.vocabulary.id(&folded_token(word))).filter(|&id| id != Vocabulary::UNKNOWN)
        };
        WordVectors::read(file, id)
    }
}

/// Questions ready to be compared on.
#[derive(Debug, Clone)]
pub struct ReadingCase {
    /// The task.
    pub task: Reading,
    /// Losses compared with cross-entropy, the likelihood of spans and the expected overlap, by name:
    /// [`ReadingSurrogate::to_safetensors`]. All take over from cross-entropy; the first also from the likelihood, and alone.
    pub losses: Vec<(String, Vec<u8>)>,
    name: String,
    script: AnswerScript,
    train: Train,
}

/// The learning rate of all: of 2e-3 and 5e-3, in trials with batches of 2,048 tokens and dropout, the better for
/// cross-entropy on generated passages (validation, seed 0).
const RATE: f64 = 2e-3;

impl ReadingCase {
    /// The ground's task, its models starting from these word vectors if there are some.
    ///
    /// # Errors
    /// As [`Reading::new`] and [`Reading::with_vectors`].
    pub fn new(ground: &ReadingGround, vectors: Option<Arc<WordVectors>>) -> Result<Self> {
        let task = Reading::new(&ground.parts, ground.vocabulary.clone(), ground.config, &ground.windows)?;
        let task = match vectors {
            Some(vectors) => task.with_vectors(vectors)?,
            None => task,
        };
        let (name, script, train) = (ground.name().to_string(), ground.script, ground.train.clone());
        Ok(Self { task, losses: Vec::new(), name, script, train })
    }

    /// These cases, of which each gets the loss learned on it and those of the others, the others' by their names.
    ///
    /// Losses are learned with seed 0, once for all seeds, as in the paper.
    ///
    /// # Errors
    /// As [`ReadingCase::learn`].
    pub fn with_losses(cases: Vec<Self>) -> Result<Vec<Self>> {
        let learned = |case: &Self| case.learn(&case.sampler(0)?, 0)?.loss.to_safetensors();
        let named = |case: &Self| Ok((case.name.clone(), learned(case)?));
        let losses = own_and_others(cases.iter().map(named).collect::<Result<_>>()?);
        let with = |(case, losses)| Self { losses, ..case };
        Ok(cases.into_iter().zip(losses).map(with).collect())
    }

    /// The same case with runs of so many epochs.
    pub fn with_epochs(mut self, epochs: usize) -> Self {
        self.train.epochs = epochs;
        self
    }

    /// F1 by this case's script: what losses are learned for.
    pub fn f1(&self) -> AnswerMetric {
        AnswerMetric { script: self.script, ..AnswerMetric::default() }
    }

    /// The budget all share: one learning rate, cross-entropy's.
    pub fn comparison(&self, seeds: Vec<u64>) -> Comparison {
        let train = self.train.clone();
        Comparison { seeds, tuning_seeds: vec![100], grid: vec![train.learning_rate], train }
    }

    /// Where losses are learned from: what a model gives while it trains with cross-entropy, half of the samples, and
    /// perturbed answers.
    ///
    /// # Errors
    /// What training has to say.
    pub fn sampler(&self, seed: u64) -> Result<ReadingSampler> {
        let train = Train { seed, ..self.train.clone() };
        let store = self.task.store_predictions(&self.f1(), &train)?;
        ReadingSampler::new(ReadingSource::Stored(store, 0.5))
    }

    /// How losses are learned.
    pub(super) fn options() -> Learn {
        Learn { hidden: 32, output_bias: 2.0, ..Learn::default() }
    }

    /// A loss learned from a sampler for F1.
    ///
    /// # Errors
    /// As [`learn_reading`].
    pub fn learn(&self, sampler: &ReadingSampler, seed: u64) -> Result<Learned<ReadingSurrogate>> {
        let metric = self.f1();
        let options = Learn { seed, ..Self::options() };
        let draw = |count, seed| sampler.draw(&metric, count, seed);
        learn_reading(&metric, SpanInput::default(), draw, &options)
    }
}

impl Case for ReadingCase {
    type Task = Reading;

    fn data(&self) -> String {
        self.name.clone()
    }

    fn setting(&self) -> String {
        self.name.clone()
    }

    fn metric(&self) -> Arc<MetricOf<Reading>> {
        Arc::new(self.f1())
    }

    fn beside(&self) -> Vec<Arc<MetricOf<Reading>>> {
        let [_, beside @ ..] = AnswerMetric::all(self.script);
        beside.into_iter().map(|metric| Arc::new(metric) as Arc<MetricOf<Reading>>).collect()
    }

    /// The data are the same for every seed; models start and batches come otherwise.
    fn task(&self, _: u64) -> Result<Reading> {
        Ok(self.task.clone())
    }

    fn train(&self, _: &Train) -> Train {
        self.train.clone()
    }

    fn candidates(&self, _: &Reading, _: &Train) -> Result<Vec<Candidate<Reading>>> {
        let (overlap, likelihood) = (ExpectedOverlap::default(), SpanLikelihood::default());
        let mut candidates = vec![
            Candidate::fixed(SpanCrossEntropy),
            Candidate::fixed(overlap),
            Candidate::taking_over("expected_overlap_after_cross_entropy", overlap),
            Candidate::fixed(likelihood),
            Candidate::taking_over("span_likelihood_after_cross_entropy", likelihood),
        ];
        for (i, (name, bytes)) in self.losses.iter().enumerate() {
            let loss = ReadingSurrogate::from_safetensors(bytes, Path::new(name))?;
            candidates.push(Candidate::taking_over(&format!("{name}_after_cross_entropy"), loss.clone()));
            if i == 0 {
                candidates.push(Candidate::named(name, loss.clone()));
                let name = format!("{name}_after_span_likelihood");
                candidates.push(Candidate::taking_over_from(&name, likelihood, loss));
            }
        }
        Ok(candidates)
    }
}
