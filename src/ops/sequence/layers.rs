//! The layers of a transformer, with PyTorch's names for their parameters.

use dfdx::prelude::*;
use rand::distributions::{Distribution, Uniform};
use rand_chacha::ChaCha8Rng;

use super::affine::{affine_jet, affine_part, Activation};
use super::attention::{attend, Attention};
use super::dropout::Dropout;
use super::jet::Jet;
use super::layer_norm::normalised;
use super::rows::Sequences;
use crate::error::Result;
use crate::ops::parameters::{linear_layer, Parameter, Parameters};
use crate::ops::tensors::{host, matrix};
use crate::{Dev, Matrix};

/// Where a layer's parameters are, and how it computes with them.
#[derive(Debug, Clone, Copy)]
pub struct Layer<'a> {
    /// The parameters of a model.
    pub parameters: &'a Parameters,
    /// What this layer's names begin with: `encoder.layers.0.`
    pub prefix: &'a str,
    /// Heads of its attention.
    pub heads: usize,
    /// Between the two linear maps of its feed-forward part.
    pub activation: Activation,
}

/// The sizes of a layer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LayerSizes {
    /// Numbers a token.
    pub(crate) width: usize,
    /// Outputs of the first linear map of the feed-forward part.
    pub(crate) feed_forward: usize,
}

/// Self-attention and feed-forward part, each added to what came in and normalised.
///
/// `parameters` has `self_attn.in_proj_weight` (3·width, width), `self_attn.in_proj_bias`, `self_attn.out_proj`, `linear1`,
/// `linear2`, `norm1`, `norm2` (`weight`, `bias` each), as PyTorch's `TransformerEncoderLayer` with `norm_first=False`.
///
/// # Shapes
/// `x` (rows of the sentences, width) → the same.
///
/// # Errors
/// [`Error::Shape`](crate::Error::Shape) for a parameter that is missing or does not fit,
/// [`Error::Parameter`](crate::Error::Parameter) for heads that do not divide the width.
///
/// # Reference
/// Vaswani et al., "Attention Is All You Need", NeurIPS 2017. Dropout is on what the two parts add and within the
/// feed-forward part; PyTorch's layer has it on attention probabilities too.
pub fn encoder_layer<T: Tape<f32, Dev>>(
    layer: Layer,
    x: Matrix<T>,
    sequences: &Sequences,
    dropout: &mut Dropout,
) -> Result<Matrix<T>> {
    Ok(layer.encode(Jet::plain(x), sequences, dropout)?.value)
}

/// [`encoder_layer`] of a value with its tangent, without dropout.
pub(crate) fn encoder_layer_with_tangent<T: Tape<f32, Dev>>(
    layer: Layer,
    x: Jet<T>,
    sequences: &Sequences,
) -> Result<Jet<T>> {
    layer.encode(x, sequences, &mut Dropout::off())
}

/// Self-attention, attention to what an encoder gave (`memory`), and feed-forward part.
///
/// The names are those of PyTorch's `TransformerDecoderLayer`: as [`encoder_layer`]'s, with `multihead_attn` and `norm3`.
///
/// # Shapes
/// `x` (rows of `sequences`, width), `memory` (rows of `source`, width) → (rows of `sequences`, width).
///
/// # Errors
/// As [`encoder_layer`], and [`Error::Shape`](crate::Error::Shape) for another number of sentences in `source`.
///
/// # Reference
/// As [`encoder_layer`].
pub fn decoder_layer<T: Tape<f32, Dev>>(
    layer: Layer,
    x: Matrix<T>,
    sequences: &Sequences,
    memory: Matrix<T>,
    source: &Sequences,
    causal: bool,
    dropout: &mut Dropout,
) -> Result<Matrix<T>> {
    let at = Attention { queries: sequences, keys: sequences, heads: layer.heads, causal };
    let x = Jet::plain(x);
    let qkv = layer.project_all("self_attn", x.retaped())?;
    let x = layer.add("norm1", x, layer.attended("self_attn", qkv, at)?, dropout)?;
    let at = Attention { queries: sequences, keys: source, heads: layer.heads, causal: false };
    let memory = Jet::plain(memory);
    let qkv = [
        layer.project("multihead_attn", 0, x.retaped())?,
        layer.project("multihead_attn", 1, memory.retaped())?,
        layer.project("multihead_attn", 2, memory)?,
    ];
    let x = layer.add("norm2", x, layer.attended("multihead_attn", qkv, at)?, dropout)?;
    Ok(layer.feed_forward("norm3", x, dropout)?.value)
}

impl<'a> Layer<'a> {
    fn get(&self, name: &str) -> Result<&'a Parameter> {
        self.parameters.named(&format!("{}{name}", self.prefix))
    }

    fn linear<T: Tape<f32, Dev>>(&self, name: &str, x: Jet<T>, activation: Activation) -> Result<Jet<T>> {
        let (weight, bias) = (self.get(&format!("{name}.weight"))?, self.get(&format!("{name}.bias"))?);
        affine_jet(x, weight, Some(bias), activation)
    }

    /// Queries (0), keys (1) or values (2).
    fn project<T: Tape<f32, Dev>>(&self, name: &str, part: usize, x: Jet<T>) -> Result<Jet<T>> {
        let width = x.value.shape().1;
        let weight = self.get(&format!("{name}.in_proj_weight"))?;
        let bias = self.get(&format!("{name}.in_proj_bias"))?;
        affine_part(x, weight, Some(bias), part * width..(part + 1) * width, Activation::Identity)
    }

    fn project_all<T: Tape<f32, Dev>>(&self, name: &str, x: Jet<T>) -> Result<[Jet<T>; 3]> {
        Ok([
            self.project(name, 0, x.retaped())?,
            self.project(name, 1, x.retaped())?,
            self.project(name, 2, x)?,
        ])
    }

    fn attended<T: Tape<f32, Dev>>(&self, name: &str, qkv: [Jet<T>; 3], at: Attention) -> Result<Jet<T>> {
        self.linear(&format!("{name}.out_proj"), attend(qkv, at)?, Activation::Identity)
    }

    /// What a part gives, added to what it was given, normalised.
    fn add<T: Tape<f32, Dev>>(
        &self,
        norm: &str,
        x: Jet<T>,
        part: Jet<T>,
        dropout: &mut Dropout,
    ) -> Result<Jet<T>> {
        let (weight, bias) = (self.get(&format!("{norm}.weight"))?, self.get(&format!("{norm}.bias"))?);
        normalised(x, Some(dropout.apply_to(part)?), weight, bias)
    }

    fn feed_forward<T: Tape<f32, Dev>>(
        &self,
        norm: &str,
        x: Jet<T>,
        dropout: &mut Dropout,
    ) -> Result<Jet<T>> {
        let hidden = dropout.apply_to(self.linear("linear1", x.retaped(), self.activation)?)?;
        self.add(norm, x, self.linear("linear2", hidden, Activation::Identity)?, dropout)
    }

    fn encode<T: Tape<f32, Dev>>(
        &self,
        x: Jet<T>,
        sequences: &Sequences,
        dropout: &mut Dropout,
    ) -> Result<Jet<T>> {
        let at = Attention { queries: sequences, keys: sequences, heads: self.heads, causal: false };
        let qkv = self.project_all("self_attn", x.retaped())?;
        let x = self.add("norm1", x, self.attended("self_attn", qkv, at)?, dropout)?;
        self.feed_forward("norm2", x, dropout)
    }
}

/// What a decoder layer remembers while sentences are written token by token.
#[derive(Debug, Clone)]
pub(crate) struct Cached {
    /// Of the source, one row a token: computed once.
    cross: [Matrix; 2],
    /// Keys and values of each sentence's tokens so far, row after row.
    own: Vec<[Vec<f32>; 2]>,
}

impl Cached {
    /// Nothing written yet; `memory` is what the encoder gave.
    pub(crate) fn new(layer: Layer, memory: &Matrix, written: usize) -> Result<Self> {
        let cross = |part| {
            Ok::<_, crate::Error>(layer.project("multihead_attn", part, Jet::plain(memory.clone()))?.value)
        };
        Ok(Self { cross: [cross(1)?, cross(2)?], own: vec![Default::default(); written] })
    }

    /// Those of these sentences, in this order; one may be taken more than once.
    pub(crate) fn pick(&mut self, sentences: &[usize]) {
        self.own = sentences.iter().map(|&sentence| self.own[sentence].clone()).collect();
    }

    /// Adds a token to each sentence; keys and values of all tokens, sentence after sentence.
    fn grow(&mut self, new: [Jet<NoneTape>; 3]) -> Result<([Jet<NoneTape>; 3], Sequences)> {
        let [q, k, v] = new;
        let width = q.value.shape().1;
        for (part, new) in [host(&k.value), host(&v.value)].iter().enumerate() {
            for (own, row) in self.own.iter_mut().zip(new.chunks_exact(width)) {
                own[part].extend_from_slice(row);
            }
        }
        let all = |part: usize| -> Result<Jet<NoneTape>> {
            let rows: Vec<f32> = self.own.iter().flat_map(|own| own[part].iter().copied()).collect();
            let count = rows.len() / width;
            Ok(Jet::plain(matrix(rows, count, width)?))
        };
        let lengths = self.own.iter().map(|own| own[0].len() / width).collect();
        Ok(([q, all(0)?, all(1)?], Sequences::packed(lengths)))
    }
}

/// [`decoder_layer`] for the next token of every sentence being written, one row each; `written` says how many are written
/// for each sentence of `source`.
pub(crate) fn decoder_step(
    layer: Layer,
    x: Matrix,
    cached: &mut Cached,
    written: &Sequences,
    source: &Sequences,
) -> Result<Matrix> {
    let single = Sequences::packed(vec![1; x.shape().0]);
    let x = Jet::plain(x);
    let (qkv, so_far) = cached.grow(layer.project_all("self_attn", x.clone())?)?;
    let at = Attention { queries: &single, keys: &so_far, heads: layer.heads, causal: false };
    let none = &mut Dropout::off();
    let x = layer.add("norm1", x, layer.attended("self_attn", qkv, at)?, none)?;
    let at = Attention { queries: written, keys: source, heads: layer.heads, causal: false };
    let [k, v] = cached.cross.clone().map(Jet::plain);
    let qkv = [layer.project("multihead_attn", 0, x.clone())?, k, v];
    let x = layer.add("norm2", x, layer.attended("multihead_attn", qkv, at)?, none)?;
    Ok(layer.feed_forward("norm3", x, none)?.value)
}

/// Freshly initialised parameters of an [`encoder_layer`], as PyTorch does it.
pub(crate) fn encoder_layer_parameters(
    prefix: &str,
    sizes: LayerSizes,
    rng: &mut ChaCha8Rng,
) -> Result<Vec<Parameter>> {
    let mut members = attention_parameters(&format!("{prefix}self_attn"), sizes.width, rng)?;
    members.extend(rest_parameters(prefix, sizes, 2, rng)?);
    Ok(members)
}

/// Freshly initialised parameters of a [`decoder_layer`], as PyTorch does it.
pub(crate) fn decoder_layer_parameters(
    prefix: &str,
    sizes: LayerSizes,
    rng: &mut ChaCha8Rng,
) -> Result<Vec<Parameter>> {
    let mut members = attention_parameters(&format!("{prefix}self_attn"), sizes.width, rng)?;
    members.extend(attention_parameters(&format!("{prefix}multihead_attn"), sizes.width, rng)?);
    members.extend(rest_parameters(prefix, sizes, 3, rng)?);
    Ok(members)
}

fn attention_parameters(name: &str, width: usize, rng: &mut ChaCha8Rng) -> Result<Vec<Parameter>> {
    // Xavier's: inputs and outputs are those of the three maps in one, as in PyTorch.
    let bound = (6.0 / (4 * width) as f32).sqrt();
    let uniform = Uniform::new_inclusive(-bound, bound);
    let weight = (0..3 * width * width).map(|_| uniform.sample(rng)).collect();
    let [out, _] = linear_layer(&format!("{name}.out_proj"), width, width, rng)?;
    Ok(vec![
        Parameter::new(&format!("{name}.in_proj_weight"), &[3 * width, width], weight)?,
        Parameter::new(&format!("{name}.in_proj_bias"), &[3 * width], vec![0.0; 3 * width])?,
        out,
        Parameter::new(&format!("{name}.out_proj.bias"), &[width], vec![0.0; width])?,
    ])
}

/// The feed-forward part's parameters and those of the norms.
fn rest_parameters(
    prefix: &str,
    sizes: LayerSizes,
    norms: usize,
    rng: &mut ChaCha8Rng,
) -> Result<Vec<Parameter>> {
    let LayerSizes { width, feed_forward } = sizes;
    let mut members = Vec::from(linear_layer(&format!("{prefix}linear1"), width, feed_forward, rng)?);
    members.extend(linear_layer(&format!("{prefix}linear2"), feed_forward, width, rng)?);
    for norm in 1..=norms {
        let name = format!("{prefix}norm{norm}");
        members.push(Parameter::new(&format!("{name}.weight"), &[width], vec![1.0; width])?);
        members.push(Parameter::new(&format!("{name}.bias"), &[width], vec![0.0; width])?);
    }
    Ok(members)
}
