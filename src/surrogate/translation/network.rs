//! The loss network of translations.

use dfdx::prelude::*;
use rand_chacha::rand_core::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::super::loss_network::{Judged, LossNetwork};
use super::TranslationBatch;
use crate::error::{Error, Result};
use crate::ops::{
    affine_jet, embed, encoder_layer_parameters, encoder_layer_with_tangent, host, linear_layer, matrix,
    mean_with_tangent, uniform, Activation, Jet, Layer, LayerSizes, Parameter, Parameters, Sequences,
};
use crate::{Dev, Matrix};

/// Encoder layers. The released code's.
const LAYERS: usize = 2;

/// The loss network of translations: from what the model gives to each reference token, in its sentence, to what the sentence
/// costs.
///
/// Linear(1, d), ELU, Linear(d, d), ELU, plus learned positions; two encoder layers with ELU; Linear(d, d), ELU, Linear(d, 1);
/// the mean over the sentence, and its absolute value. Feed-forward parts are 2 d wide and heads at least 8 numbers, 8
/// heads at most (ours: the released code's are not known). Without dropout, where the released code has 0.1: the objective
/// compares samples, and noise would blur their ranks.
///
/// # Reference
/// The released code of ReLoss (translation).
#[derive(Debug, Clone)]
pub struct TranslationNetwork {
    parameters: Parameters,
}

impl TranslationNetwork {
    /// A freshly initialised network of width `hidden` for sentences of so many tokens at most, as PyTorch initialises.
    ///
    /// # Errors
    /// [`Error::Parameter`] for a width or positions of zero.
    ///
    /// # Example
    /// ```
    /// use reloss::surrogate::TranslationNetwork;
    /// let network = TranslationNetwork::new(32, 64, 0)?;
    /// assert_eq!((network.hidden(), network.positions()), (32, 64));
    /// # Ok::<(), reloss::Error>(())
    /// ```
    pub fn new(hidden: usize, positions: usize, seed: u64) -> Result<Self> {
        if hidden == 0 || positions == 0 {
            return Err(Error::parameter("hidden", "hidden width and positions must be positive"));
        }
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut members = Vec::from(linear_layer("logits_fcs.0", 1, hidden, &mut rng)?);
        members.extend(linear_layer("logits_fcs.2", hidden, hidden, &mut rng)?);
        members.push(uniform("positions.weight", &[positions, hidden], hidden, &mut rng)?);
        for layer in 0..LAYERS {
            let sizes = LayerSizes { width: hidden, feed_forward: 2 * hidden };
            members.extend(encoder_layer_parameters(&prefix(layer), sizes, &mut rng)?);
        }
        members.extend(linear_layer("loss.0", hidden, hidden, &mut rng)?);
        members.extend(linear_layer("loss.2", hidden, 1, &mut rng)?);
        Ok(Self { parameters: Parameters::new(members) })
    }

    /// A network from tensors with the names of [`TranslationNetwork::new`]; their shapes give its sizes.
    ///
    /// # Errors
    /// [`Error::Shape`] when a tensor is missing or two do not fit together.
    pub fn from_parameters(source: &Parameters) -> Result<Self> {
        let &[positions, hidden] = source.named("positions.weight")?.shape() else {
            return Err(Error::shape(
                "translation loss network",
                "a matrix positions.weight",
                "another shape",
            ));
        };
        let mut network = Self::new(hidden, positions, 0)?;
        network.parameters.assign(source)?;
        Ok(network)
    }

    /// The same network with this bias of its output.
    ///
    /// # Errors
    /// [`Error::Parameter`] for a bias that is not finite.
    pub fn with_output_bias(self, bias: f32) -> Result<Self> {
        if !bias.is_finite() {
            return Err(Error::parameter("output_bias", "it must be finite"));
        }
        let bias = Parameter::new("loss.2.bias", &[1], vec![bias])?;
        let members = self.parameters.iter().map(|p| if p.name() == bias.name() { &bias } else { p }.clone());
        Ok(Self { parameters: Parameters::new(members.collect()) })
    }

    /// The width of its layers.
    pub fn hidden(&self) -> usize {
        self.parameters.iter().next().map_or(0, |p| p.value().shape().0)
    }

    /// Tokens of the longest sentence it can judge.
    pub fn positions(&self) -> usize {
        self.parameters.named("positions.weight").map_or(0, |p| p.value().shape().0)
    }

    /// What is learned.
    pub fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// Refuses a sentence that is longer than its positions.
    pub(super) fn fits(&self, rows: &Sequences) -> Result<()> {
        match rows.lengths().iter().position(|&length| length > self.positions()) {
            Some(sentence) => {
                let expected = format!("{} tokens at most", self.positions());
                let got = format!("{} in sentence {sentence}", rows.lengths()[sentence]);
                Err(Error::shape("translation loss network", expected, got))
            }
            None => Ok(()),
        }
    }

    fn linear<T: Tape<f32, Dev>>(&self, name: &str, x: Jet<T>, activation: Activation) -> Result<Jet<T>> {
        let weight = self.parameters.named(&format!("{name}.weight"))?;
        let bias = self.parameters.named(&format!("{name}.bias"))?;
        affine_jet(x, weight, Some(bias), activation)
    }

    /// What each sentence costs, up to sign: scaled features of its tokens (tokens, 1) → (sentences, 1).
    pub(super) fn sentences<T: Tape<f32, Dev>>(&self, x: Jet<T>, rows: &Sequences) -> Result<Jet<T>> {
        let x = self.linear("logits_fcs.0", x, Activation::Elu)?;
        let x = self.linear("logits_fcs.2", x, Activation::Elu)?;
        let positions = self.parameters.named("positions.weight")?;
        let positions = embed(&rows.positions_of_tokens(), positions, 1.0, T::default())?;
        let mut x = Jet { value: x.value.try_add(positions)?, tangent: x.tangent };
        for layer in 0..LAYERS {
            let prefix = prefix(layer);
            let heads = heads(self.hidden());
            let (parameters, activation) = (&self.parameters, Activation::Elu);
            let layer = Layer { parameters, prefix: &prefix, heads, activation };
            x = encoder_layer_with_tangent(layer, x, rows)?;
        }
        let x = self.linear("loss.0", x, Activation::Elu)?;
        mean_with_tangent(self.linear("loss.2", x, Activation::Identity)?, rows)
    }

    /// For every sentence the unit direction of its tokens' features in which its cost changes fastest; 0 where nothing
    /// changes it.
    fn steepest(&self, batch: &TranslationBatch) -> Result<Matrix> {
        let costs = self.sentences(Jet::plain(batch.x.leaky_trace()), &batch.rows)?;
        let mut slopes = host(&costs.value.try_sum()?.try_backward()?.get(&batch.x));
        for range in batch.rows.ranges() {
            let slopes = &mut slopes[range];
            let norm = slopes.iter().map(|&s| f64::from(s).powi(2)).sum::<f64>().sqrt() as f32;
            slopes.iter_mut().for_each(|s| *s = if norm > 0.0 { *s / norm } else { 0.0 });
        }
        let tokens = slopes.len();
        matrix(slopes, tokens, 1)
    }
}

/// What the names of a layer begin with.
fn prefix(layer: usize) -> String {
    format!("encoder.layers.{layer}.")
}

/// The most heads, up to 8, that share a width in parts of 8 or more.
fn heads(width: usize) -> usize {
    (1..=8).rev().find(|&heads| width.is_multiple_of(heads) && width / heads >= 8).unwrap_or(1)
}

impl LossNetwork for TranslationNetwork {
    type Batch = TranslationBatch;

    /// A row is a sentence of T tokens. Its slope is the norm of its cost's gradient with respect to all its features, times
    /// √T: the root mean square of what T · cost changes with a token, so that 1 asks for the same slope a token whatever
    /// the length.
    fn judge<T: Tape<f32, Dev>>(&self, batch: &TranslationBatch, tape: T) -> Result<Judged<T>> {
        self.fits(&batch.rows)?;
        let direction = self.steepest(batch)?.try_mul(batch.scale)?;
        let x = Jet { value: batch.x.clone().put_tape(tape), tangent: Some(direction.retaped::<T>()) };
        let Jet { value, tangent } = self.sentences(x, &batch.rows)?;
        let missing = || Error::shape("translation loss network", "a tangent", "none");
        let (samples, all) = (batch.metric.len(), batch.rows.len());
        let shape = (samples, all / samples);
        let roots = batch.rows.lengths().iter().map(|&length| (length as f32).sqrt());
        let slopes = tangent.ok_or_else(missing)?.try_mul(matrix(roots.collect(), all, 1)?)?;
        Ok(Judged {
            losses: value.try_abs()?.try_reshape_like(&shape)?.try_mean::<(usize,), Axis<1>>()?,
            slopes: slopes.try_reshape_like(&shape)?,
        })
    }

    fn metric(batch: &TranslationBatch) -> &[f64] {
        &batch.metric
    }

    fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    fn parameters_mut(&mut self) -> &mut Parameters {
        &mut self.parameters
    }

    fn with_values(&self, values: &Parameters) -> Result<Self> {
        Self::from_parameters(values)
    }

    /// Turned upside down around its output bias.
    fn flipped(self) -> Result<Self> {
        Ok(Self { parameters: self.parameters.negated("loss.2.weight")? })
    }
}
