//! What both transformers are made of: one table of tokens, an encoder, a decoder.

use dfdx::prelude::*;
use rand_chacha::ChaCha8Rng;

use super::TransformerConfig;
use crate::error::{Error, Result};
use crate::model::sentences::{check_tokens, table};
use crate::ops::{
    affine, decoder_layer, decoder_layer_parameters, decoder_step, embed, encoder_layer,
    encoder_layer_parameters, Activation, Cached, Dropout, Layer, LayerSizes, Parameters, Sequences, Tokens,
};
use crate::{Dev, Matrix};

/// A configuration with its parameters.
#[derive(Debug, Clone)]
pub(super) struct Stack {
    pub(super) config: TransformerConfig,
    pub(super) parameters: Parameters,
}

impl Stack {
    /// Freshly initialised: tables normal with deviation 1/√width, linear maps as PyTorch's.
    pub(super) fn new(config: TransformerConfig, rng: &mut ChaCha8Rng) -> Result<Self> {
        config.check()?;
        let TransformerConfig { vocabulary, width, feed_forward, positions, .. } = config;
        let sizes = LayerSizes { width, feed_forward };
        let mut members = vec![
            table("embed_tokens.weight", vocabulary, width, rng)?,
            table("encoder.positions.weight", positions, width, rng)?,
            table("decoder.positions.weight", positions, width, rng)?,
        ];
        for layer in 0..config.encoder_layers {
            members.extend(encoder_layer_parameters(&format!("encoder.layers.{layer}."), sizes, rng)?);
        }
        for layer in 0..config.decoder_layers {
            members.extend(decoder_layer_parameters(&format!("decoder.layers.{layer}."), sizes, rng)?);
        }
        Ok(Self { config, parameters: Parameters::new(members) })
    }

    /// Refuses ids that the vocabulary does not have and sentences that are longer than the positions.
    pub(super) fn check(&self, side: &'static str, tokens: &Tokens) -> Result<()> {
        check_tokens(side, tokens, self.config.vocabulary, self.config.positions)
    }

    fn layer<'a>(&'a self, prefix: &'a str) -> Layer<'a> {
        let (parameters, heads) = (&self.parameters, self.config.heads);
        Layer { parameters, prefix, heads, activation: Activation::Relu }
    }

    /// Tokens with their positions: √width times the one plus the other, as in the paper of transformers.
    fn embedded<T: Tape<f32, Dev>>(
        &self,
        ids: &[usize],
        positions: &[usize],
        side: &str,
        tape: T,
    ) -> Result<Matrix<T>> {
        let scale = (self.config.width as f32).sqrt();
        let words = embed(ids, self.parameters.named("embed_tokens.weight")?, scale, tape)?;
        let table = self.parameters.named(&format!("{side}.positions.weight"))?;
        Ok(words.try_add(embed(positions, table, scale, T::default())?)?)
    }

    /// What the encoder makes of each token.
    pub(super) fn encode<T: Tape<f32, Dev>>(
        &self,
        source: &Tokens,
        dropout: &mut Dropout,
        tape: T,
    ) -> Result<Matrix<T>> {
        self.check("source", source)?;
        let x = self.embedded(source.ids(), &source.rows().positions_of_tokens(), "encoder", tape)?;
        let mut x = dropout.apply(x)?;
        for layer in 0..self.config.encoder_layers {
            let prefix = format!("encoder.layers.{layer}.");
            x = encoder_layer(self.layer(&prefix), x, source.rows(), dropout)?;
        }
        Ok(x)
    }

    /// What the decoder makes of tokens, given what the encoder made of the source.
    pub(super) fn decode<T: Tape<f32, Dev>>(
        &self,
        tokens: &Tokens,
        memory: Matrix<T>,
        source: &Sequences,
        causal: bool,
        dropout: &mut Dropout,
    ) -> Result<Matrix<T>> {
        self.check("target", tokens)?;
        let rows = tokens.rows();
        if rows.len() != source.len() {
            return Err(Error::shape("target", format!("{} sentences", source.len()), rows.len()));
        }
        let (memory, tape) = memory.split_tape();
        let x = self.embedded(tokens.ids(), &rows.positions_of_tokens(), "decoder", tape)?;
        let mut x = dropout.apply(x)?;
        for layer in 0..self.config.decoder_layers {
            let prefix = format!("decoder.layers.{layer}.");
            let memory = memory.retaped::<T>();
            x = decoder_layer(self.layer(&prefix), x, rows, memory, source, causal, dropout)?;
        }
        Ok(x)
    }

    /// What each decoder layer keeps while so many sentences are written.
    pub(super) fn caches(&self, memory: &Matrix, written: usize) -> Result<Vec<Cached>> {
        let cache = |layer: usize| {
            let prefix = format!("decoder.layers.{layer}.");
            Cached::new(self.layer(&prefix), memory, written)
        };
        (0..self.config.decoder_layers).map(cache).collect()
    }

    /// The logits of the next token of every sentence being written, from its last one.
    pub(super) fn step(
        &self,
        last: &[usize],
        position: usize,
        caches: &mut [Cached],
        written: &Sequences,
        source: &Sequences,
    ) -> Result<Matrix> {
        let mut x = self.embedded(last, &vec![position; last.len()], "decoder", NoneTape)?;
        for (layer, cache) in caches.iter_mut().enumerate() {
            let prefix = format!("decoder.layers.{layer}.");
            x = decoder_step(self.layer(&prefix), x, cache, written, source)?;
        }
        self.logits(x)
    }

    /// A logit for every token of the vocabulary, by the table that embeds them.
    pub(super) fn logits<T: Tape<f32, Dev>>(&self, x: Matrix<T>) -> Result<Matrix<T>> {
        affine(x, self.parameters.named("embed_tokens.weight")?, None, Activation::Identity)
    }
}
