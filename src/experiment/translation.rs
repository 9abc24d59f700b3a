//! Translations: cross-entropy and bags of n-grams against losses learned for BLEU.

use std::path::Path;
use std::sync::Arc;

use super::{own_and_others, Candidate, Case, Comparison};
use crate::data::{ParallelText, TextSplit, TsvColumns, Unfit, Units, Vocabulary};
use crate::error::{Error, Result};
use crate::loss::{BagOfNgrams, Loss, Sum, TokenCrossEntropy};
use crate::metric::{Bleu, Chrf, Metric};
use crate::model::{Beam, Transformer, TransformerConfig};
use crate::ops::Tokens;
use crate::sampler::{TranslationSampler, TranslationSource};
use crate::surrogate::{
    learn_ngrams, learn_translation, Learn, Learned, NgramInput, NgramSurrogate, Penalty,
    TranslationSurrogate,
};
use crate::task::{MetricOf, Train, Translation};

/// Texts of two languages and how large the models are that translate them.
#[derive(Debug, Clone)]
pub struct TranslationGround {
    /// The training, the validation and the test part.
    pub parts: [ParallelText; 3],
    /// Tokens of both languages.
    pub vocabulary: Arc<Vocabulary>,
    /// The models' sizes, from that of the vocabulary.
    pub config: fn(usize) -> TransformerConfig,
    /// How the teacher is trained.
    pub teacher: Train,
    /// How models are trained; rate and seed are set by the comparison.
    pub train: Train,
}

/// A third of the default sizes: what the generated grammar needs.
fn tiny(vocabulary: usize) -> TransformerConfig {
    let (width, feed_forward, positions) = (64, 192, 40);
    TransformerConfig { width, heads: 4, feed_forward, positions, ..TransformerConfig::small(vocabulary) }
}

/// Half of the default width: thousands of short sentences of real text, in a minute or two a run on one core.
fn half(vocabulary: usize) -> TransformerConfig {
    TransformerConfig { width: 64, feed_forward: 256, ..TransformerConfig::small(vocabulary) }
}

impl TranslationGround {
    /// Generated English and Romanian, whole words: 4,000 pairs, a tenth each to validate and to test.
    ///
    /// # Errors
    /// As [`ParallelText::grammar`].
    pub fn grammar() -> Result<Self> {
        let split = TextSplit { validation: 0.1, test: 0.1, seed: 0 };
        let parts = ParallelText::grammar(5000, 0)?.split(&split)?;
        let vocabulary = Arc::new(Vocabulary::learn(&parts[0].sentences(), 4000, Units::Words)?);
        let train = Train { epochs: 25, batch: 512, learning_rate: RATE, ramp: 0.1, ..Train::default() };
        let teacher = train.clone();
        Ok(Self { parts, vocabulary, config: tiny, teacher, train })
    }

    /// A folder with `train.tsv`, `dev.tsv` and `test.tsv`, English and Romanian (or any two languages) separated by a tab; lines
    /// with an empty side are left out and counted.
    ///
    /// # Errors
    /// As [`ParallelText::from_tsv`] and [`Vocabulary::learn`].
    pub fn read(folder: &Path, languages: [&str; 2]) -> Result<Self> {
        let name = folder.file_name().map_or("text".into(), |name| name.to_string_lossy());
        let part = |part: &str| -> Result<ParallelText> {
            let path = folder.join(format!("{part}.tsv"));
            Ok(ParallelText::from_tsv(&path, languages, TsvColumns::default(), Unfit::Skip)?.named(&name))
        };
        let parts = [part("train")?, part("dev")?, part("test")?];
        let vocabulary = Arc::new(Vocabulary::learn(&parts[0].sentences(), 2000, Units::Subwords)?);
        let train = Train { epochs: 15, batch: 1024, learning_rate: RATE, ramp: 0.1, ..Train::default() };
        let teacher = Train { patience: 5, ..train.clone() };
        Ok(Self { parts, vocabulary, config: half, teacher, train })
    }

    /// The other direction.
    pub fn reversed(&self) -> Self {
        let [train, validation, test] = &self.parts;
        let parts = [train.reversed(), validation.reversed(), test.reversed()];
        Self { parts, ..self.clone() }
    }

    /// The data set's name.
    pub fn name(&self) -> &str {
        self.parts[0].name()
    }
}

/// One direction, ready to be compared: the training part is what a teacher made of it.
#[derive(Debug, Clone)]
pub struct TranslationCase {
    /// The distilled task.
    pub task: Translation,
    /// Losses compared with cross-entropy and bags of n-grams, by name: [`TranslationSurrogate::to_safetensors`]. All take over
    /// from cross-entropy; the first is also used alone, and takes over from the bags.
    pub losses: Vec<(String, Vec<u8>)>,
    /// The same of losses of expected n-grams: [`NgramSurrogate::to_safetensors`]. All stand beside
    /// cross-entropy (taking over from it they did worse on real text); the first is also used alone.
    pub ngrams: Vec<(String, Vec<u8>)>,
    name: String,
    train: Train,
}

/// The learning rate of all: of 1e-3 and 3e-3 the better for cross-entropy on generated sentences (validation, seed 0).
const RATE: f64 = 3e-3;

impl TranslationCase {
    /// Trains the teacher, unless one is given, and lets it translate the training part.
    ///
    /// # Errors
    /// [`Error::Shape`] for a teacher of other sizes than the ground's, and what training has to say.
    pub fn new(ground: &TranslationGround, teacher: Option<Transformer>) -> Result<(Self, Transformer)> {
        let task = Translation::new(&ground.parts, ground.vocabulary.clone(), ground.config)?;
        let teacher = match teacher {
            Some(teacher) if *teacher.config() == task.config() => teacher,
            Some(other) => {
                let expected = format!("a teacher of {:?}", task.config());
                return Err(Error::shape("translation", expected, format!("{:?}", other.config())));
            }
            None => task.teacher(&Bleu::default(), &ground.teacher)?.0,
        };
        let task = task.distilled(&teacher)?;
        let name = ground.name().to_string();
        let (losses, ngrams) = (Vec::new(), Vec::new());
        Ok((Self { task, losses, ngrams, name, train: ground.train.clone() }, teacher))
    }

    /// These cases, of which each gets the loss learned on it and those of the others, the others' by their direction.
    ///
    /// Losses are learned with seed 0, once for all seeds, as in the paper.
    ///
    /// # Errors
    /// As [`TranslationCase::learn`] and [`TranslationCase::learn_ngrams`].
    pub fn with_losses(cases: Vec<Self>) -> Result<Vec<Self>> {
        let (mut losses, mut ngrams) = (Vec::new(), Vec::new());
        for case in &cases {
            let (sampler, name) = (case.sampler(0)?, case.task.direction().replace('-', "_"));
            losses.push((name.clone(), case.learn(&sampler, 0)?.loss.to_safetensors()?));
            ngrams.push((name, case.learn_ngrams(&sampler, 0)?.loss.to_safetensors()?));
        }
        let of_ngrams = |(name, loss): (String, Vec<u8>)| (name.replacen("reloss", "reloss_ngrams", 1), loss);
        let ngrams = own_and_others(ngrams).into_iter().map(|all| all.into_iter().map(of_ngrams).collect());
        let both = own_and_others(losses).into_iter().zip(ngrams);
        let with = |(case, (losses, ngrams))| Self { losses, ngrams, ..case };
        Ok(cases.into_iter().zip(both).map(with).collect())
    }

    /// The BLEU of what a teacher makes of the test part.
    ///
    /// # Errors
    /// What the teacher has to say.
    pub fn taught(&self, teacher: &Transformer) -> Result<f64> {
        let written = self.task.taught(teacher, &Beam::default())?;
        Metric::<Vec<String>, [String]>::value(&Bleu::default(), &written, self.task.references())
    }

    /// The budget all share: one learning rate, cross-entropy's.
    pub fn comparison(&self, seeds: Vec<u64>) -> Comparison {
        let train = self.train.clone();
        Comparison { seeds, tuning_seeds: vec![100], grid: vec![train.learning_rate], train }
    }

    /// Where losses are learned from: what a model writes while it trains with cross-entropy, half of the samples, and
    /// corrupted references.
    ///
    /// # Errors
    /// What training has to say.
    pub fn sampler(&self, seed: u64) -> Result<TranslationSampler> {
        let train = Train { seed, ..self.train.clone() };
        let store = self.task.store_predictions(&Bleu::default(), &train)?;
        TranslationSampler::new(TranslationSource::Stored(store, 0.5))
    }

    /// A loss learned from a sampler for the BLEU of tokens.
    ///
    /// # Errors
    /// As [`learn_translation`].
    pub fn learn(&self, sampler: &TranslationSampler, seed: u64) -> Result<Learned<TranslationSurrogate>> {
        let metric: &dyn Metric<[Vec<usize>], [Vec<usize>]> = &Bleu::default();
        // Log-odds: of ln p the network learned a plateau where p is small, and alone taught a fresh model nothing (BLEU 0).
        let penalty = Penalty { weight: 1.0, ..Penalty::default() };
        let fixed = Learn { hidden: 32, learning_rate: 3e-3, output_bias: 5.0, penalty, ..Learn::default() };
        let options = Learn { seed, ..fixed };
        let draw = |count, seed| sampler.draw(metric, count, seed);
        learn_translation(metric, self.task.config().positions, draw, &options)
    }

    /// As [`TranslationCase::learn`], of the n-grams that are expected to be matched.
    ///
    /// # Errors
    /// As [`learn_ngrams`].
    pub fn learn_ngrams(&self, sampler: &TranslationSampler, seed: u64) -> Result<Learned<NgramSurrogate>> {
        let metric: &dyn Metric<[Vec<usize>], [Vec<usize>]> = &Bleu::default();
        let penalty = Penalty { weight: 1.0, ..Penalty::default() };
        let fixed = Learn { hidden: 32, learning_rate: 3e-3, output_bias: 5.0, penalty, ..Learn::default() };
        let options = Learn { steps: 200, seed, ..fixed };
        learn_ngrams(metric, NgramInput::default(), |count, seed| sampler.draw(metric, count, seed), &options)
    }
}

/// A loss beside cross-entropy, each with weight 1.
fn with_cross_entropy(name: &str, loss: impl Loss<Tokens> + 'static) -> Result<Sum<Tokens>> {
    Sum::new(name, vec![(1.0, Box::new(TokenCrossEntropy::default())), (1.0, Box::new(loss))])
}

/// Bags of 2-grams beside cross-entropy, without which they teach a fresh model nothing: every 2-gram is as unlikely as any.
fn bags() -> Result<Sum<Tokens>> {
    with_cross_entropy("bag_of_ngrams", BagOfNgrams)
}

impl Case for TranslationCase {
    type Task = Translation;

    fn data(&self) -> String {
        self.name.clone()
    }

    fn setting(&self) -> String {
        format!("{}, {}", self.name, self.task.direction())
    }

    fn metric(&self) -> Arc<MetricOf<Translation>> {
        Arc::new(Bleu::default())
    }

    fn beside(&self) -> Vec<Arc<MetricOf<Translation>>> {
        vec![Arc::new(Chrf::default())]
    }

    /// The data are the same for every seed; models start and batches come otherwise.
    fn task(&self, _: u64) -> Result<Translation> {
        Ok(self.task.clone())
    }

    fn candidates(&self, _: &Translation, _: &Train) -> Result<Vec<Candidate<Translation>>> {
        let mut candidates = vec![Candidate::fixed(TokenCrossEntropy::default()), Candidate::fixed(bags()?)];
        for (i, (name, bytes)) in self.losses.iter().enumerate() {
            let loss = TranslationSurrogate::from_safetensors(bytes, Path::new(name))?;
            candidates.push(Candidate::taking_over(&format!("{name}_after_cross_entropy"), loss.clone()));
            if i == 0 {
                candidates.push(Candidate::named(name, loss.clone()));
                let both = with_cross_entropy(&format!("{name}_with_cross_entropy"), loss.clone())?;
                candidates.push(Candidate::fixed(both));
                let name = format!("{name}_after_bag_of_ngrams");
                candidates.push(Candidate::taking_over_from(&name, bags()?, loss));
            }
        }
        for (i, (name, bytes)) in self.ngrams.iter().enumerate() {
            let loss = NgramSurrogate::from_safetensors(bytes, Path::new(name))?;
            let both = with_cross_entropy(&format!("{name}_with_cross_entropy"), loss.clone())?;
            candidates.push(Candidate::fixed(both));
            if i == 0 {
                candidates.push(Candidate::named(name, loss));
            }
        }
        Ok(candidates)
    }
}
