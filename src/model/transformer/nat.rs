//! The transformer that writes all tokens at once.

use std::path::Path;

use dfdx::prelude::*;
use rand_chacha::rand_core::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use super::stack::Stack;
use super::TransformerConfig;
use crate::error::{check_finite, Error, Result};
use crate::model::{sentences, Parametric};
use crate::ops::{
    affine, host, linear_layer, sequence_mean, token_cross_entropy, Activation, Dropout, Parameters,
    Sequences, Tokens,
};
use crate::{Dev, Matrix, Scalar, Tape};

/// Differences of length that can be predicted, either way. Ours: fairseq's offset of 128 is for longer sentences.
const SPREAD: usize = 20;

/// How translations are read off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NatDecode {
    /// Lengths that are tried, the likeliest first; the translation with the highest mean log-probability is taken. NAT-Base
    /// tries 1.
    pub candidates: usize,
    /// Whether a token that is the same as the one before is left out; NAT-Base keeps it.
    pub collapse: bool,
}

impl Default for NatDecode {
    fn default() -> Self {
        Self { candidates: 1, collapse: false }
    }
}

/// What a [`NatBase`] predicts.
#[derive(Debug)]
pub struct NatOutput<T: dfdx::prelude::Tape<f32, Dev>> {
    /// Logits of every target token, (target tokens, vocabulary).
    pub logits: Matrix<T>,
    /// Logits of the difference of lengths, (sentences, differences).
    pub lengths: Matrix<T>,
}

impl NatOutput<Tape> {
    /// The cross-entropy of the differences of length, mean over sentences; larger ones than can be predicted count as the
    /// largest.
    ///
    /// # Errors
    /// [`Error::Shape`] for another number of sentences than predicted, [`Error::NotFinite`] for a model that has diverged.
    pub fn length_loss(lengths: Matrix<Tape>, source: &Tokens, target: &Tokens) -> Result<Scalar<Tape>> {
        let pairs = source.rows().lengths().iter().zip(target.rows().lengths());
        let classes: Vec<usize> =
            pairs.map(|(s, t)| (t + SPREAD).saturating_sub(*s).min(2 * SPREAD)).collect();
        Ok(token_cross_entropy(lengths, &classes, 0.0)?.try_mean()?)
    }
}

/// A transformer whose decoder predicts all tokens in one pass, each by itself ("NAT-Base").
///
/// The decoder sees a uniform copy of the source: at target position t of T the embedding of source token ⌊t S / T⌋, with the
/// position's. Its attention is not masked. The length is the source's plus a difference, classified from the mean of the
/// encoder's outputs.
///
/// # Example
/// ```
/// use reloss::model::{NatBase, NatDecode, TransformerConfig};
/// use reloss::ops::Tokens;
/// let model = NatBase::new(TransformerConfig { width: 16, ..TransformerConfig::small(9) }, 0)?;
/// let source = Tokens::new(&[vec![4, 5, 6], vec![7]])?;
/// let out = model.forward(&source, &[2, 4], 0, reloss::Tape::default())?;
/// assert_eq!(*dfdx::prelude::HasShape::shape(&out.logits), (6, 9));
/// assert!(!model.translate(&source, &NatDecode::default())?[0].is_empty());
/// # Ok::<(), reloss::Error>(())
/// ```
///
/// # Reference
/// Gu et al., "Non-Autoregressive Neural Machine Translation", ICLR 2018, with a length in place of fertilities as in Shao et
/// al., AAAI 2020; without Gu et al.'s positional attention.
#[derive(Debug, Clone)]
pub struct NatBase {
    stack: Stack,
}

impl NatBase {
    /// A freshly initialised model.
    ///
    /// # Errors
    /// As [`Transformer::new`](super::Transformer::new).
    pub fn new(config: TransformerConfig, seed: u64) -> Result<Self> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut stack = Stack::new(config, &mut rng)?;
        let mut members: Vec<_> = stack.parameters.iter().cloned().collect();
        members.extend(linear_layer("length", config.width, 2 * SPREAD + 1, &mut rng)?);
        stack.parameters = Parameters::new(members);
        Ok(Self { stack })
    }

    /// Its sizes.
    pub fn config(&self) -> &TransformerConfig {
        &self.stack.config
    }

    /// Logits of the tokens of targets of these lengths, and of the lengths themselves: a step of training, with dropout by
    /// `seed`.
    ///
    /// # Errors
    /// [`Error::Shape`] for ids that the vocabulary does not have, sentences longer than the positions or without tokens, and
    /// another number of lengths than of sentences.
    pub fn forward(
        &self,
        source: &Tokens,
        lengths: &[usize],
        seed: u64,
        tape: Tape,
    ) -> Result<NatOutput<Tape>> {
        self.run(source, lengths, &mut Dropout::new(self.stack.config.dropout, seed)?, tape)
    }

    /// [`NatBase::forward`] without dropout and gradients.
    ///
    /// # Errors
    /// As [`NatBase::forward`].
    pub fn predict(&self, source: &Tokens, lengths: &[usize]) -> Result<NatOutput<NoneTape>> {
        self.run(source, lengths, &mut Dropout::off(), NoneTape)
    }

    fn run<T: dfdx::prelude::Tape<f32, Dev>>(
        &self,
        source: &Tokens,
        lengths: &[usize],
        dropout: &mut Dropout,
        tape: T,
    ) -> Result<NatOutput<T>> {
        let memory = self.stack.encode(source, dropout, tape)?;
        let of_lengths = self.lengths(memory.retaped::<T>(), source.rows())?;
        let logits = self.write(source, lengths, memory, dropout)?;
        Ok(NatOutput { logits, lengths: of_lengths })
    }

    /// Logits of the differences of length.
    fn lengths<T: dfdx::prelude::Tape<f32, Dev>>(
        &self,
        memory: Matrix<T>,
        source: &Sequences,
    ) -> Result<Matrix<T>> {
        let named = |name| self.stack.parameters.named(name);
        let mean = sequence_mean(memory, source)?;
        affine(mean, named("length.weight")?, Some(named("length.bias")?), Activation::Identity)
    }

    /// Logits of all tokens.
    fn write<T: dfdx::prelude::Tape<f32, Dev>>(
        &self,
        source: &Tokens,
        lengths: &[usize],
        memory: Matrix<T>,
        dropout: &mut Dropout,
    ) -> Result<Matrix<T>> {
        let sentences = source.rows().len();
        if lengths.len() != sentences {
            return Err(Error::shape("target", format!("lengths of {sentences} sentences"), lengths.len()));
        }
        let positions = self.stack.config.positions;
        if let Some(sentence) = lengths.iter().position(|&length| length > positions) {
            let got = format!("{} in sentence {sentence}", lengths[sentence]);
            return Err(Error::shape("target", format!("{positions} tokens at most"), got));
        }
        let copies: Vec<_> =
            source.sentences().zip(lengths).map(|(ids, &length)| copy(ids, length)).collect();
        let x = self.stack.decode(&Tokens::new(&copies)?, memory, source.rows(), false, dropout)?;
        self.stack.logits(x)
    }

    /// The translation of each sentence: the likeliest token at each of as many positions as are predicted.
    ///
    /// # Errors
    /// [`Error::Shape`] as [`NatBase::forward`]; [`Error::Parameter`] for no candidates; [`Error::NotFinite`] for a model whose
    /// parameters have diverged.
    pub fn translate(&self, source: &Tokens, decode: &NatDecode) -> Result<Vec<Vec<usize>>> {
        if decode.candidates == 0 {
            return Err(Error::parameter("candidates", "one length or more must be tried"));
        }
        let memory = self.stack.encode(source, &mut Dropout::off(), NoneTape)?;
        let classes = host(&self.lengths(memory.clone(), source.rows())?);
        check_finite("translate", &classes)?;
        let likeliest: Vec<Vec<usize>> = classes.chunks_exact(2 * SPREAD + 1).map(descending).collect();
        let mut best: Vec<(f32, Vec<usize>)> = vec![(f32::NEG_INFINITY, Vec::new()); source.rows().len()];
        for candidate in 0..decode.candidates.min(2 * SPREAD + 1) {
            let sources = source.rows().lengths().iter();
            let length = |(&source, likeliest): (&usize, &Vec<usize>)| {
                (source + likeliest[candidate]).saturating_sub(SPREAD).clamp(1, self.stack.config.positions)
            };
            let lengths: Vec<usize> = sources.zip(&likeliest).map(length).collect();
            let logits = host(&self.write(source, &lengths, memory.clone(), &mut Dropout::off())?);
            check_finite("translate", &logits)?;
            let found: Vec<(usize, f32)> =
                logits.par_chunks_exact(self.stack.config.vocabulary).map(likeliest_token).collect();
            for (range, best) in Sequences::packed(lengths).ranges().zip(&mut best) {
                let tokens = &found[range];
                let score = tokens.iter().map(|(_, log_p)| log_p).sum::<f32>() / tokens.len() as f32;
                if score > best.0 {
                    *best = (score, tokens.iter().map(|&(token, _)| token).collect());
                }
            }
        }
        let mut translations: Vec<Vec<usize>> = best.into_iter().map(|(_, ids)| ids).collect();
        if decode.collapse {
            translations.iter_mut().for_each(Vec::dedup);
        }
        Ok(translations)
    }

    /// Writes the model as safetensors, atomically.
    ///
    /// # Errors
    /// [`Error::Io`] when the file cannot be written.
    pub fn save(&self, path: &Path) -> Result<()> {
        sentences::save(&self.stack.parameters, path, "nat", self.config())
    }

    /// Reads what [`NatBase::save`] wrote.
    ///
    /// # Errors
    /// As [`Transformer::load`](super::Transformer::load).
    pub fn load(path: &Path) -> Result<Self> {
        let (config, parameters) = sentences::read(path, "nat")?;
        let mut model = Self::new(config, 0)?;
        model.parameters_mut().assign(&parameters)?;
        Ok(model)
    }
}

impl Parametric for NatBase {
    fn name(&self) -> String {
        self.stack.config.name("nat")
    }

    fn parameters(&self) -> &Parameters {
        &self.stack.parameters
    }

    fn parameters_mut(&mut self) -> &mut Parameters {
        &mut self.stack.parameters
    }
}

/// So many tokens, evenly from all of a sentence.
fn copy(ids: &[usize], length: usize) -> Vec<usize> {
    (0..length).map(|t| ids[t * ids.len() / length]).collect()
}

/// The classes by logit, the likeliest first.
fn descending(logits: &[f32]) -> Vec<usize> {
    let mut classes: Vec<usize> = (0..logits.len()).collect();
    classes.sort_by(|&a, &b| logits[b].total_cmp(&logits[a]));
    classes
}

/// The first of the highest logits, with its log-probability.
fn likeliest_token(logits: &[f32]) -> (usize, f32) {
    let max = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum = crate::ops::simd::vectorised(|| {
        logits.iter().map(|z| crate::ops::fast_math::exp(z - max)).sum::<f32>()
    });
    (logits.iter().position(|&z| z == max).unwrap_or(0), -sum.ln())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_are_even() {
        assert_eq!(copy(&[5, 6, 7], 3), [5, 6, 7]);
        assert_eq!(copy(&[5, 6], 5), [5, 5, 5, 6, 6]);
        assert_eq!(copy(&[5, 6, 7, 8], 2), [5, 7]);
    }
}
