//! The transformer that writes token by token.

use std::path::Path;

use dfdx::prelude::*;
use rand_chacha::rand_core::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::beam::search;
use super::stack::Stack;
use super::TransformerConfig;
use crate::data::Vocabulary;
use crate::error::{check_finite, Error, Result};
use crate::model::{sentences, Parametric};
use crate::ops::{Dropout, Parameters, Tokens};
use crate::{Matrix, Tape};

/// How translations are searched for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Beam {
    /// Hypotheses kept a sentence; 1 is greedy. 4 in Vaswani et al. 2017, and 1 here: a grammar needs no more (ours).
    pub width: usize,
    /// Log-probabilities are divided by length to this power; 0.6 in Vaswani et al. 2017.
    pub length_penalty: f32,
    /// A translation has at most so many tokens more than its source; 50 in Vaswani et al. 2017.
    pub extra: usize,
}

impl Default for Beam {
    fn default() -> Self {
        Self { width: 1, length_penalty: 0.6, extra: 50 }
    }
}

/// An encoder and a decoder that writes token by token: the teacher that sequences are distilled from.
///
/// Post-norm layers with ReLU, learned positions, one table for source, target and output.
///
/// # Example
/// ```
/// use reloss::data::Vocabulary;
/// use reloss::model::{Beam, Transformer, TransformerConfig};
/// use reloss::ops::Tokens;
/// let model = Transformer::new(TransformerConfig { width: 16, ..TransformerConfig::small(9) }, 0)?;
/// let source = Tokens::new(&[vec![4, 5, 6], vec![7]])?;
/// let target = Tokens::new(&[vec![8, 4], vec![5]])?.ended(Vocabulary::END)?;
/// let logits = model.forward(&source, &target, 0, reloss::Tape::default())?;
/// assert_eq!(*dfdx::prelude::HasShape::shape(&logits), (5, 9));
/// let greedy = model.translate(&source, &Beam { extra: 4, ..Beam::default() })?;
/// assert!(greedy[0].len() <= 7 && greedy[1].len() <= 5);
/// # Ok::<(), reloss::Error>(())
/// ```
///
/// # Reference
/// Vaswani et al., "Attention Is All You Need", NeurIPS 2017, whose positions are sinusoids.
#[derive(Debug, Clone)]
pub struct Transformer {
    stack: Stack,
}

impl Transformer {
    /// A freshly initialised model.
    ///
    /// # Errors
    /// [`Error::Parameter`] for a size of zero, heads that do not divide the width, a vocabulary of fewer than the four special
    /// tokens, or a dropout outside [0, 1).
    pub fn new(config: TransformerConfig, seed: u64) -> Result<Self> {
        Ok(Self { stack: Stack::new(config, &mut ChaCha8Rng::seed_from_u64(seed))? })
    }

    /// Its sizes.
    pub fn config(&self) -> &TransformerConfig {
        &self.stack.config
    }

    /// Logits of every target token, from the source and the target tokens before it: a step of training, with dropout by
    /// `seed`.
    ///
    /// # Shapes
    /// `target` with [`Vocabulary::END`] after each sentence ([`Tokens::ended`]) → (target tokens, vocabulary).
    ///
    /// # Errors
    /// [`Error::Shape`] for ids that the vocabulary does not have, sentences longer than the positions, or another number of
    /// sentences in `target`.
    pub fn forward(&self, source: &Tokens, target: &Tokens, seed: u64, tape: Tape) -> Result<Matrix<Tape>> {
        self.run(source, target, &mut Dropout::new(self.stack.config.dropout, seed)?, tape)
    }

    /// [`Transformer::forward`] without dropout and gradients.
    ///
    /// # Errors
    /// As [`Transformer::forward`].
    pub fn predict(&self, source: &Tokens, target: &Tokens) -> Result<Matrix> {
        self.run(source, target, &mut Dropout::off(), NoneTape)
    }

    fn run<T: dfdx::prelude::Tape<f32, crate::Dev>>(
        &self,
        source: &Tokens,
        target: &Tokens,
        dropout: &mut Dropout,
        tape: T,
    ) -> Result<Matrix<T>> {
        self.stack.check("target", target)?;
        let memory = self.stack.encode(source, dropout, tape)?;
        let x =
            self.stack.decode(&target.shifted(Vocabulary::BEGIN), memory, source.rows(), true, dropout)?;
        self.stack.logits(x)
    }

    /// The translation of each sentence, without [`Vocabulary::END`].
    ///
    /// Keys and values of what is written are kept, so that a token costs one pass of its own row.
    ///
    /// # Errors
    /// [`Error::Shape`] as [`Transformer::forward`]; [`Error::Parameter`] for a beam of width 0 or a length penalty that is not
    /// finite; [`Error::NotFinite`] for a model whose parameters have diverged.
    pub fn translate(&self, source: &Tokens, beam: &Beam) -> Result<Vec<Vec<usize>>> {
        if beam.width == 0 {
            return Err(Error::parameter("width", "a beam needs one hypothesis or more"));
        }
        check_finite("length_penalty", &[beam.length_penalty])?;
        let memory = self.stack.encode(source, &mut Dropout::off(), NoneTape)?;
        search(&self.stack, &memory, source.rows(), beam)
    }

    /// Writes the model as safetensors, atomically.
    ///
    /// # Errors
    /// [`Error::Io`] when the file cannot be written.
    pub fn save(&self, path: &Path) -> Result<()> {
        sentences::save(&self.stack.parameters, path, "transformer", self.config())
    }

    /// Reads what [`Transformer::save`] wrote.
    ///
    /// # Errors
    /// [`Error::Io`] for a missing file, [`Error::Data`] for one that is not of such a model, [`Error::Shape`] for tensors that
    /// do not fit its sizes.
    pub fn load(path: &Path) -> Result<Self> {
        let (config, parameters) = sentences::read(path, "transformer")?;
        let mut model = Self::new(config, 0)?;
        model.parameters_mut().assign(&parameters)?;
        Ok(model)
    }
}

impl Parametric for Transformer {
    fn name(&self) -> String {
        self.stack.config.name("transformer")
    }

    fn parameters(&self) -> &Parameters {
        &self.stack.parameters
    }

    fn parameters_mut(&mut self) -> &mut Parameters {
        &mut self.stack.parameters
    }
}
