//! Translation in one pass, taught by a translator that writes token by token.

use std::sync::Arc;

use dfdx::prelude::TryMul;

use super::run::{finite, not_finite, Lessons, Run, StepLoss, Trained};
use super::{Epoch, LossOf, MetricOf, Outcome, OutcomeOf, Task, Train};
use crate::data::{EncodeOptions, EncodedText, ParallelText, TokenRows, Unfit, Vocabulary};
use crate::error::{Error, Result};
use crate::loss::{Loss, TokenCrossEntropy};
use crate::metric::{Direction, Scores};
use crate::model::{Beam, NatBase, NatDecode, NatOutput, Transformer, TransformerConfig};
use crate::ops::{host, ngram_matches, target_log_odds, Tokens};
use crate::sampler::TranslationStore;
use crate::Tape;

/// Sentences translated all tokens at once ([`NatBase`]), from what a teacher makes of the same sentences if there is one.
///
/// Its [`Train::batch`] counts the tokens of either side of a step, padding included.
///
/// # Example
/// ```
/// use std::sync::Arc;
/// use reloss::data::{ParallelText, TextSplit, Units, Vocabulary};
/// use reloss::model::TransformerConfig;
/// use reloss::task::Translation;
/// let parts = ParallelText::grammar(300, 0)?.split(&TextSplit::default())?;
/// let words = Arc::new(Vocabulary::learn(&parts[0].sentences(), 2000, Units::Words)?);
/// let task = Translation::new(&parts, words, |size| TransformerConfig::small(size))?;
/// assert_eq!(task.direction(), "en-ro");
/// # Ok::<(), reloss::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Translation {
    direction: String,
    vocabulary: Arc<Vocabulary>,
    /// The training, the validation and the test part.
    parts: [Arc<EncodedText>; 3],
    /// What the translations of the validation and the test part should be.
    references: [Arc<Vec<String>>; 2],
    config: TransformerConfig,
    /// Weight of the cross-entropy of lengths beside the loss of tokens; 0.1 as in fairseq's models.
    pub length_weight: f32,
    /// How translations are read off.
    pub decode: NatDecode,
}

/// Sentences that are translated together where nothing is learned.
const TOGETHER: usize = 64;
/// Sentences of the training part whose predictions are stored.
const STORED: usize = 1000;

impl Translation {
    /// A task on a training, a validation and a test part; `config` makes the model's sizes from that of the vocabulary.
    ///
    /// Pairs longer than the model's positions are left out: [`Translation::skipped`].
    ///
    /// # Errors
    /// [`Error::Shape`] for parts of different languages, and as [`ParallelText::encode`] and [`NatBase::new`].
    pub fn new(
        parts: &[ParallelText; 3],
        vocabulary: Arc<Vocabulary>,
        config: fn(usize) -> TransformerConfig,
    ) -> Result<Self> {
        let languages = parts[0].languages();
        if let Some(other) = parts.iter().find(|part| part.languages() != languages) {
            let got = format!("{:?} in {}", other.languages(), other.name());
            return Err(Error::shape("translation", format!("{languages:?} in all parts"), got));
        }
        let config = config(vocabulary.len());
        // The sizes are checked once, before anything is trained.
        NatBase::new(config, 0)?;
        // The teacher writes an end token too.
        let options = EncodeOptions { longest: config.positions.saturating_sub(1), longer: Unfit::Skip };
        let encoded = |part: &ParallelText| part.encode(&vocabulary, &vocabulary, &options);
        let [train, validation, test] = [encoded(&parts[0])?, encoded(&parts[1])?, encoded(&parts[2])?];
        let texts = |part: &ParallelText, encoded: &EncodedText| {
            let all = part.targets();
            Arc::new(encoded.rows().iter().map(|&row| all[row].to_string()).collect())
        };
        Ok(Self {
            direction: languages.join("-"),
            references: [texts(&parts[1], &validation), texts(&parts[2], &test)],
            parts: [train, validation, test].map(Arc::new),
            vocabulary,
            config,
            length_weight: 0.1,
            decode: NatDecode::default(),
        })
    }

    /// The languages translated from and to: "en-ro".
    pub fn direction(&self) -> &str {
        &self.direction
    }

    /// The numbers of its tokens.
    pub fn vocabulary(&self) -> &Vocabulary {
        &self.vocabulary
    }

    /// The model's sizes.
    pub fn config(&self) -> TransformerConfig {
        self.config
    }

    /// The training, the validation and the test part as token ids.
    pub fn parts(&self) -> [&EncodedText; 3] {
        [&self.parts[0], &self.parts[1], &self.parts[2]]
    }

    /// Test sentences as they should be translated.
    pub fn references(&self) -> &[String] {
        &self.references[1]
    }

    /// Pairs of each part that are longer than the model's positions.
    pub fn skipped(&self) -> [usize; 3] {
        [0, 1, 2].map(|part| self.parts[part].skipped())
    }

    /// Trains the teacher, which writes token by token, with smoothed cross-entropy.
    ///
    /// # Errors
    /// As [`Task::train`].
    pub fn teacher(&self, metric: &MetricOf<Self>, options: &Train) -> Result<(Transformer, Vec<Epoch>)> {
        let loss = TokenCrossEntropy { smoothing: 0.1 };
        let lessons = TranslationLessons { task: self, metric, options };
        let run = Run { lessons: &lessons, loss: &loss, original: &loss, options };
        let trained = run.train(Transformer::new(self.config, options.seed)?, |_, _| Ok(()))?;
        Ok((trained.model, trained.history))
    }

    /// The same task, its training part translated by a teacher: sequence-level distillation.
    ///
    /// # Errors
    /// What the teacher has to say.
    ///
    /// # Reference
    /// Kim, Rush, "Sequence-Level Knowledge Distillation", EMNLP 2016; for such models Gu et al., ICLR 2018.
    pub fn distilled(&self, teacher: &Transformer) -> Result<Self> {
        let [train, ..] = &self.parts;
        let written = together(train, |source| teacher.translate(source, &Beam::default()))?;
        // A teacher that writes nothing teaches nothing: then the reference stays.
        let targets = written.into_iter().zip(train.targets());
        let targets = targets.map(|(new, old)| if new.is_empty() { old.clone() } else { new });
        let train = Arc::new(train.with_targets(targets.collect())?);
        let [_, validation, test] = self.parts.clone();
        Ok(Self { parts: [train, validation, test], ..self.clone() })
    }

    /// What a teacher makes of the test part.
    ///
    /// # Errors
    /// What the teacher has to say.
    pub fn taught(&self, teacher: &Transformer, beam: &Beam) -> Result<Vec<String>> {
        Ok(self.texts(together(&self.parts[2], |source| teacher.translate(source, beam))?))
    }

    /// Trains with cross-entropy and stores, after every epoch, what the model gives and writes for a thousand sentences of the
    /// training part.
    ///
    /// # Errors
    /// As [`Task::train`].
    pub fn store_predictions(&self, metric: &MetricOf<Self>, options: &Train) -> Result<TranslationStore> {
        options.check_storing()?;
        let [train, ..] = &self.parts;
        let rows: Vec<usize> = (0..train.len().min(STORED)).collect();
        let mut store = TranslationStore::new(train.targets()[..rows.len()].to_vec())?;
        let loss = TokenCrossEntropy::default();
        self.run([&loss; 2], metric, options, |_, model| {
            let (mut written, mut given, mut matched) = (Vec::new(), Vec::new(), Vec::new());
            for rows in rows.chunks(TOGETHER) {
                let batch = train.batch(rows)?;
                let (source, target) = (tokens(&batch.source)?, tokens(&batch.target)?);
                let logits = model.predict(&source, target.rows().lengths())?.logits;
                let scores = Scores::new(host(&logits), self.config.vocabulary)?;
                let odds = host(&target_log_odds(logits.clone(), target.ids(), 1.0)?);
                let shares = host(&ngram_matches(logits, &target, &[1, 2, 3, 4])?);
                matched.extend(shares.chunks_exact(4).map(|s| [s[0], s[1], s[2], s[3]]));
                for range in target.rows().ranges() {
                    written.push(range.clone().map(|token| scores.argmax(token)).collect());
                    given.push(odds[range].to_vec());
                }
            }
            store.append(written, given, matched)
        })?;
        Ok(store)
    }

    fn run(
        &self,
        [original, loss]: [&dyn Loss<Tokens>; 2],
        metric: &MetricOf<Self>,
        options: &Train,
        after_epoch: impl FnMut(usize, &NatBase) -> Result<()>,
    ) -> Result<Trained<NatBase>> {
        let lessons = TranslationLessons { task: self, metric, options };
        let run = Run { lessons: &lessons, loss, original, options };
        run.train(NatBase::new(self.config, options.seed)?, after_epoch)
    }

    fn translations(&self, model: &NatBase, part: &EncodedText) -> Result<Vec<String>> {
        Ok(self.texts(together(part, |source| model.translate(source, &self.decode))?))
    }

    fn texts(&self, sentences: Vec<Vec<usize>>) -> Vec<String> {
        sentences.iter().map(|ids| self.vocabulary.decode(ids)).collect()
    }
}

impl Task for Translation {
    type Model = NatBase;
    type Prediction = Vec<String>;
    type Target = [String];
    type Truth = Vec<String>;
    type Aim = Tokens;

    fn original(&self) -> LossOf<Self> {
        Box::new(TokenCrossEntropy::default())
    }

    fn train_after(
        &self,
        before: &dyn Loss<Tokens>,
        loss: &dyn Loss<Tokens>,
        metric: &MetricOf<Self>,
        options: &Train,
    ) -> Result<OutcomeOf<Self>> {
        let Trained { model, validation, history } =
            self.run([before, loss], metric, options, |_, _| Ok(()))?;
        Ok(Outcome {
            validation,
            predictions: self.translations(&model, &self.parts[2])?,
            targets: self.references[1].to_vec(),
            model,
            history,
        })
    }
}

/// The rows of a batch as a model takes them.
fn tokens(rows: &TokenRows) -> Result<Tokens> {
    Tokens::from_padded(&rows.ids, &rows.lengths, rows.positions)
}

/// What becomes of the sources of a part, some at a time.
fn together(
    part: &EncodedText,
    translate: impl Fn(&Tokens) -> Result<Vec<Vec<usize>>>,
) -> Result<Vec<Vec<usize>>> {
    let mut all = Vec::with_capacity(part.len());
    for sources in part.sources().chunks(TOGETHER) {
        all.extend(translate(&Tokens::new(sources)?)?);
    }
    Ok(all)
}

/// What translators learn from.
struct TranslationLessons<'a> {
    task: &'a Translation,
    metric: &'a MetricOf<Translation>,
    options: &'a Train,
}

impl TranslationLessons<'_> {
    fn epoch(&self, epoch: usize) -> Result<Vec<Vec<usize>>> {
        self.task.parts[0].batches(self.options.batch, self.options.seed, epoch as u64)
    }

    fn pair(&self, rows: &[usize]) -> Result<(Tokens, Tokens)> {
        let batch = self.task.parts[0].batch(rows)?;
        Ok((tokens(&batch.source)?, tokens(&batch.target)?))
    }

    fn judge(&self, step: usize, written: Result<Vec<String>>) -> Result<f64> {
        match written {
            Ok(written) => self.metric.value(&written, &self.task.references[0]),
            Err(Error::NotFinite { .. }) => Err(not_finite(step)),
            Err(other) => Err(other),
        }
    }
}

impl Lessons<NatBase> for TranslationLessons<'_> {
    type Aim = Tokens;

    fn batches(&self, epoch: usize) -> Result<Vec<Vec<usize>>> {
        self.epoch(epoch)
    }

    fn loss(
        &self,
        model: &mut NatBase,
        loss: &dyn Loss<Tokens>,
        rows: &[usize],
        step: usize,
    ) -> Result<StepLoss> {
        let (source, target) = self.pair(rows)?;
        let seed = self.options.seed_of(step);
        let out = model.forward(&source, target.rows().lengths(), seed, Tape::default())?;
        let lengths = NatOutput::length_loss(out.lengths, &source, &target)?;
        finite(step, loss.loss(out.logits, &target), Some(lengths.try_mul(self.task.length_weight)?))
    }

    fn validate(&self, model: &NatBase, step: usize) -> Result<f64> {
        self.judge(step, self.task.translations(model, &self.task.parts[1]))
    }

    fn direction(&self) -> Direction {
        self.metric.direction()
    }
}

impl Lessons<Transformer> for TranslationLessons<'_> {
    type Aim = Tokens;

    fn batches(&self, epoch: usize) -> Result<Vec<Vec<usize>>> {
        self.epoch(epoch)
    }

    fn loss(
        &self,
        model: &mut Transformer,
        loss: &dyn Loss<Tokens>,
        rows: &[usize],
        step: usize,
    ) -> Result<StepLoss> {
        let (source, target) = self.pair(rows)?;
        let target = target.ended(Vocabulary::END)?;
        let logits = model.forward(&source, &target, self.options.seed_of(step), Tape::default())?;
        finite(step, loss.loss(logits, &target), None)
    }

    fn validate(&self, model: &Transformer, step: usize) -> Result<f64> {
        let translate = |source: &Tokens| model.translate(source, &Beam::default());
        let written = together(&self.task.parts[1], translate);
        self.judge(step, written.map(|ids| self.task.texts(ids)))
    }

    fn direction(&self) -> Direction {
        self.metric.direction()
    }
}
