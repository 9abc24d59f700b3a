//! The model that finds an answer in a passage.

use std::path::Path;

use dfdx::prelude::*;
use rand_chacha::rand_core::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::sentences::{self, check_sizes, check_tokens, check_training, table};
use super::{Parametric, WordVectors};
use crate::data::MATCHES;
use crate::error::{check_finite, Error, Result};
use crate::ops::{
    affine, decoder_layer, decoder_layer_parameters, embed, encoder_layer, encoder_layer_parameters, host,
    linear_layer, matrix, Activation, Dropout, Layer, LayerSizes, Parameter, Parameters, Tokens,
};
use crate::{Dev, Matrix, Tape};

/// The sizes of a reader.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ReaderConfig {
    /// Tokens that it knows: one vocabulary for questions and passages.
    pub vocabulary: usize,
    /// Numbers a word vector, as pretrained ones come.
    pub embedding: usize,
    /// Numbers a passage token brings along beside its word: what it has in common with the question.
    pub matches: usize,
    /// Numbers a token in the layers.
    pub width: usize,
    /// Heads of every attention; they divide the width.
    pub heads: usize,
    /// Width of the feed-forward parts' hidden layers.
    pub feed_forward: usize,
    /// Layers over the question.
    pub question_layers: usize,
    /// Layers over the passage, each of which attends to the question.
    pub layers: usize,
    /// Share of numbers that training sets to 0.
    pub dropout: f32,
    /// Tokens of the longest question or passage.
    pub positions: usize,
}

impl ReaderConfig {
    /// Ours, for two cores: 64 wide, 4 heads, 1 layer over the question, 2 over the passage, 384 positions.
    ///
    /// # Example
    /// ```
    /// use reloss::model::{Parametric, Reader, ReaderConfig};
    /// let config = ReaderConfig { embedding: 50, ..ReaderConfig::small(2000) };
    /// assert_eq!(Reader::new(config, 0)?.name(), "reader-64-2");
    /// # Ok::<(), reloss::Error>(())
    /// ```
    pub fn small(vocabulary: usize) -> Self {
        Self {
            vocabulary,
            embedding: 64,
            matches: MATCHES,
            width: 64,
            heads: 4,
            feed_forward: 128,
            question_layers: 1,
            layers: 2,
            dropout: 0.1,
            positions: 384,
        }
    }

    /// Ours, for more than two cores: 300 numbers a word as published vectors have, 256 wide, 8 heads, 2 + 4 layers.
    pub fn large(vocabulary: usize) -> Self {
        Self {
            embedding: 300,
            width: 256,
            heads: 8,
            feed_forward: 1024,
            question_layers: 2,
            layers: 4,
            ..Self::small(vocabulary)
        }
    }

    fn check(&self) -> Result<()> {
        let sizes = [
            ("embedding", self.embedding),
            ("matches", self.matches),
            ("width", self.width),
            ("feed_forward", self.feed_forward),
            ("question_layers", self.question_layers),
            ("layers", self.layers),
            ("positions", self.positions),
        ];
        check_sizes(&sizes, self.width, self.heads)?;
        check_training(self.vocabulary, self.dropout)
    }
}

/// A span reader: for each token of a passage, how well an answer to the question begins and ends there.
///
/// Word vectors are mapped to the width and positions added. The question goes through encoder layers; the passage, to
/// which a linear map of its matches is added, through layers of self-attention, attention to the question, and a
/// feed-forward part. Two linear heads read start and end off.
///
/// # Example
/// ```
/// use reloss::model::{Reader, ReaderConfig};
/// use reloss::ops::{best_spans, host, Tokens};
/// let reader = Reader::new(ReaderConfig { matches: 1, ..ReaderConfig::small(20) }, 0)?;
/// let question = Tokens::new(&[vec![4, 5], vec![6]])?;
/// let passage = Tokens::new(&[vec![7, 4, 8], vec![9, 6]])?;
/// // Whether a passage's token is in its question.
/// let matches = [0.0, 1.0, 0.0, 0.0, 1.0];
/// let logits = reader.predict(&question, &passage, &matches)?;
/// assert_eq!(*dfdx::prelude::HasShape::shape(&logits), (5, 2));
/// let spans = best_spans(&host(&logits), passage.rows(), 2)?;
/// assert!(spans.iter().all(|&(first, last, _)| first <= last && last < first + 2));
/// # Ok::<(), reloss::Error>(())
/// ```
///
/// # Reference
/// Ours, in the line of Yu et al., "QANet", ICLR 2018, of which it has self-attention and attention to the question, and
/// Chen et al., "Reading Wikipedia to Answer Open-Domain Questions", ACL 2017, of which it has the matches as features.
#[derive(Debug, Clone)]
pub struct Reader {
    config: ReaderConfig,
    parameters: Parameters,
}

impl Reader {
    /// A freshly initialised model: word vectors normal with deviation 1/√embedding, positions sinusoids, all else as PyTorch's.
    ///
    /// # Errors
    /// [`Error::Parameter`] for a size of zero, heads that do not divide the width, a vocabulary of fewer than the four special
    /// tokens, or a dropout outside [0, 1).
    pub fn new(config: ReaderConfig, seed: u64) -> Result<Self> {
        config.check()?;
        let rng = &mut ChaCha8Rng::seed_from_u64(seed);
        let ReaderConfig { vocabulary, embedding, matches, width, feed_forward, positions, .. } = config;
        let sizes = LayerSizes { width, feed_forward };
        let mut members = vec![table("embed_tokens.weight", vocabulary, embedding, rng)?];
        members.extend(linear_layer("projection", embedding, width, rng)?);
        members.push(Parameter::new("positions.weight", &[positions, width], sinusoids(positions, width))?);
        members.extend(linear_layer("matches", matches, width, rng)?);
        for layer in 0..config.question_layers {
            members.extend(encoder_layer_parameters(&format!("question.layers.{layer}."), sizes, rng)?);
        }
        for layer in 0..config.layers {
            members.extend(decoder_layer_parameters(&format!("passage.layers.{layer}."), sizes, rng)?);
        }
        members.extend(linear_layer("span", width, 2, rng)?);
        Ok(Self { config, parameters: Parameters::new(members) })
    }

    /// Its sizes.
    pub fn config(&self) -> &ReaderConfig {
        &self.config
    }

    /// The same reader with these vectors in place of those of their words.
    ///
    /// All are multiplied by one number, so that their root mean square is that of the vectors drawn at random.
    ///
    /// # Errors
    /// [`Error::Shape`] for vectors of another width than [`ReaderConfig::embedding`], or of ids that the vocabulary does not
    /// have.
    pub fn with_vectors(mut self, vectors: &WordVectors) -> Result<Self> {
        let ReaderConfig { vocabulary, embedding, .. } = self.config;
        if vectors.width() != embedding {
            let expected = format!("{embedding} numbers a word, the embedding");
            return Err(Error::shape("with_vectors", expected, vectors.width()));
        }
        if let Some((id, _)) = vectors.iter().find(|(id, _)| *id >= vocabulary) {
            return Err(Error::shape("with_vectors", format!("ids below the vocabulary's {vocabulary}"), id));
        }
        let mut values = host(self.parameters.named(WORDS)?.value());
        // Vectors that are all zero stay so.
        let scale = match vectors.root_mean_square() * (embedding as f64).sqrt() {
            size if size > 0.0 => size.recip(),
            _ => 1.0,
        };
        for (id, vector) in vectors.iter() {
            let row = &mut values[id * embedding..][..embedding];
            row.iter_mut().zip(vector).for_each(|(entry, &v)| *entry = (f64::from(v) * scale) as f32);
        }
        self.parameters.replace(WORDS, &values)?;
        Ok(self)
    }

    /// Logits of an answer's start and end at each token of the passages: a step of training, with dropout by `seed`.
    ///
    /// # Shapes
    /// `matches` (passage tokens, matches), row-major → (passage tokens, 2): start in column 0, end in column 1.
    ///
    /// # Errors
    /// [`Error::Shape`] for ids that the vocabulary does not have, more tokens than positions, another number of questions
    /// than of passages, or of matches; [`Error::NotFinite`] for matches that are not.
    pub fn forward(
        &self,
        question: &Tokens,
        passage: &Tokens,
        matches: &[f32],
        seed: u64,
        tape: Tape,
    ) -> Result<Matrix<Tape>> {
        self.run(question, passage, matches, &mut Dropout::new(self.config.dropout, seed)?, tape)
    }

    /// [`Reader::forward`] without dropout and gradients.
    ///
    /// # Errors
    /// As [`Reader::forward`].
    pub fn predict(&self, question: &Tokens, passage: &Tokens, matches: &[f32]) -> Result<Matrix> {
        self.run(question, passage, matches, &mut Dropout::off(), NoneTape)
    }

    fn run<T: dfdx::prelude::Tape<f32, Dev>>(
        &self,
        question: &Tokens,
        passage: &Tokens,
        matches: &[f32],
        dropout: &mut Dropout,
        tape: T,
    ) -> Result<Matrix<T>> {
        self.check(question, passage, matches)?;
        let memory = self.question(question, dropout, tape)?;
        let (memory, tape) = memory.split_tape();
        let features = matrix(matches.to_vec(), passage.ids().len(), self.config.matches)?.put_tape(tape);
        let features = self.linear("matches", features)?;
        let mut x = dropout.apply(self.embedded(passage, T::default())?.try_add(features)?)?;
        for layer in 0..self.config.layers {
            let prefix = format!("passage.layers.{layer}.");
            let memory = memory.retaped::<T>();
            x = decoder_layer(
                self.layer(&prefix),
                x,
                passage.rows(),
                memory,
                question.rows(),
                false,
                dropout,
            )?;
        }
        self.linear("span", x)
    }

    fn check(&self, question: &Tokens, passage: &Tokens, matches: &[f32]) -> Result<()> {
        let ReaderConfig { vocabulary, positions, .. } = self.config;
        check_tokens("question", question, vocabulary, positions)?;
        check_tokens("passage", passage, vocabulary, positions)?;
        if question.rows().len() != passage.rows().len() {
            let expected = format!("{} passages, one a question", question.rows().len());
            return Err(Error::shape("passage", expected, passage.rows().len()));
        }
        let tokens = passage.ids().len();
        if matches.len() != tokens * self.config.matches {
            let expected = format!("{} numbers for each of {tokens} tokens", self.config.matches);
            return Err(Error::shape("matches", expected, matches.len()));
        }
        check_finite("matches", matches)
    }

    /// What the layers over it make of the question.
    fn question<T: dfdx::prelude::Tape<f32, Dev>>(
        &self,
        question: &Tokens,
        dropout: &mut Dropout,
        tape: T,
    ) -> Result<Matrix<T>> {
        let mut x = dropout.apply(self.embedded(question, tape)?)?;
        for layer in 0..self.config.question_layers {
            let prefix = format!("question.layers.{layer}.");
            x = encoder_layer(self.layer(&prefix), x, question.rows(), dropout)?;
        }
        Ok(x)
    }

    /// √embedding times the word vectors, mapped to the width, and the positions.
    fn embedded<T: dfdx::prelude::Tape<f32, Dev>>(&self, tokens: &Tokens, tape: T) -> Result<Matrix<T>> {
        let scale = (self.config.embedding as f32).sqrt();
        let words = embed(tokens.ids(), self.parameters.named(WORDS)?, scale, tape)?;
        let places = tokens.rows().positions_of_tokens();
        let places = embed(&places, self.parameters.named("positions.weight")?, 1.0, T::default())?;
        Ok(self.linear("projection", words)?.try_add(places)?)
    }

    fn linear<T: dfdx::prelude::Tape<f32, Dev>>(&self, name: &str, x: Matrix<T>) -> Result<Matrix<T>> {
        let named = |part: &str| self.parameters.named(&format!("{name}.{part}"));
        affine(x, named("weight")?, Some(named("bias")?), Activation::Identity)
    }

    fn layer<'a>(&'a self, prefix: &'a str) -> Layer<'a> {
        let (parameters, heads) = (&self.parameters, self.config.heads);
        Layer { parameters, prefix, heads, activation: Activation::Relu }
    }

    /// Writes the model as safetensors, atomically.
    ///
    /// # Errors
    /// [`Error::Io`] when the file cannot be written.
    pub fn save(&self, path: &Path) -> Result<()> {
        sentences::save(&self.parameters, path, "reader", &self.config)
    }

    /// Reads what [`Reader::save`] wrote.
    ///
    /// # Errors
    /// [`Error::Io`] for a missing file, [`Error::Data`] for one that is not of such a model, [`Error::Shape`] for tensors that
    /// do not fit its sizes.
    pub fn load(path: &Path) -> Result<Self> {
        let (config, parameters) = sentences::read(path, "reader")?;
        let mut model = Self::new(config, 0)?;
        model.parameters.assign(&parameters)?;
        Ok(model)
    }
}

/// The table of word vectors.
const WORDS: &str = "embed_tokens.weight";

/// What positions begin as: neighbours are alike, and the way from one to the next is the same everywhere.
///
/// # Reference
/// Vaswani et al., "Attention Is All You Need", NeurIPS 2017, §3.5, which keeps them; here they are learned on.
fn sinusoids(positions: usize, width: usize) -> Vec<f32> {
    let number = |position: usize, column: usize| {
        let rate = 1e4f64.powf(-((column / 2 * 2) as f64) / width as f64);
        let (sine, cosine) = (position as f64 * rate).sin_cos();
        (if column.is_multiple_of(2) { sine } else { cosine }) as f32
    };
    (0..positions).flat_map(|position| (0..width).map(move |column| number(position, column))).collect()
}

impl Parametric for Reader {
    fn name(&self) -> String {
        format!("reader-{}-{}", self.config.width, self.config.layers)
    }

    fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    fn parameters_mut(&mut self) -> &mut Parameters {
        &mut self.parameters
    }
}
