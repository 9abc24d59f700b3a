//! The loss network of the released classification code.

use dfdx::prelude::*;
use rand_chacha::rand_core::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::feature::Trend;
use super::input::Batch;
use super::loss_network::{Judged, LossNetwork};
use super::tangents::{along, norm};
use crate::error::{Error, Result};
use crate::ops::{host, linear, linear_layer, mlp_frozen_with, Activation, Parameter, Parameters};
use crate::{Dev, Matrix};

/// Hidden layers in the released code.
const DEPTH: usize = 3;

/// The linear layers' names, from input to output, with those of the released code where it has three hidden layers.
fn layers(depth: usize) -> impl Iterator<Item = String> {
    let first = (1..depth).map(|layer| format!("logits_fcs.{}", 2 * (layer - 1)));
    first.chain(["loss.0".to_string(), "loss.2".to_string()])
}

/// Four linear layers with ELU between them and one output: 33,409 parameters at width 128.
///
/// Other depths ([`Network::deep`]) and activations ([`Network::with_activation`]) are for comparison.
/// Its output is taken as it is where the network is monotone, and its absolute value elsewhere, as in the released code.
#[derive(Debug, Clone)]
pub struct Network {
    parameters: Parameters,
    /// Which way the output goes with each input, where it is bound to.
    trends: Option<Vec<Trend>>,
    /// What stands between the layers.
    activation: Activation,
}

impl Network {
    /// A freshly initialised network, uniform in ±1/√inputs as in PyTorch.
    ///
    /// # Errors
    /// [`Error::Parameter`] for a width of zero.
    ///
    /// # Example
    /// ```
    /// let network = reloss::surrogate::Network::new(1, 128, 0)?;
    /// assert_eq!(network.parameters().count(), 33_409);
    /// # Ok::<(), reloss::Error>(())
    /// ```
    pub fn new(inputs: usize, hidden: usize, seed: u64) -> Result<Self> {
        Self::deep(inputs, hidden, DEPTH, seed)
    }

    /// As [`Network::new`], with so many hidden layers in place of three.
    ///
    /// # Errors
    /// [`Error::Parameter`] for a width or depth of zero.
    pub fn deep(inputs: usize, hidden: usize, depth: usize, seed: u64) -> Result<Self> {
        if inputs == 0 || hidden == 0 {
            return Err(Error::parameter("hidden", "inputs and hidden width must be positive"));
        }
        if depth == 0 {
            return Err(Error::parameter("depth", "it needs one hidden layer or more"));
        }
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut members = Vec::new();
        let widths = [vec![inputs], vec![hidden; depth], vec![1]].concat();
        for (name, pair) in layers(depth).zip(widths.windows(2)) {
            members.extend(linear_layer(&name, pair[0], pair[1], &mut rng)?);
        }
        Ok(Self { parameters: Parameters::new(members), trends: None, activation: Activation::Elu })
    }

    /// The same network with this between its layers in place of ELU.
    pub fn with_activation(self, activation: Activation) -> Self {
        Self { activation, ..self }
    }

    /// What stands between its layers.
    pub fn activation(&self) -> Activation {
        self.activation
    }

    /// How many hidden layers it has.
    pub fn depth(&self) -> usize {
        self.weights().count() - 1
    }

    /// A freshly initialised network whose output goes one way with each input, whatever is learned.
    ///
    /// Every second hidden unit rises with the loss and the others fall, and no weight may have another sign than the
    /// units it joins ask for: the units that rise bend the loss one way, those that fall the other, so that it need not
    /// be convex. After each update weights that crossed 0 are put back there ([`LossNetwork::constrain`]), so that a file
    /// holds a plain network. Weights start uniform between 0 and 2 / inputs in size, biases as ever.
    ///
    /// # Errors
    /// [`Error::Parameter`] for a width of zero.
    ///
    /// # Example
    /// ```
    /// use reloss::surrogate::{Network, Trend};
    /// let network = Network::monotone(&[Trend::Falling], 16, 0)?;
    /// let first = &network.parameters().values()[0];
    /// assert!(first.iter().enumerate().all(|(unit, &w)| if unit % 2 == 0 { w <= 0.0 } else { w >= 0.0 }));
    /// # Ok::<(), reloss::Error>(())
    /// ```
    ///
    /// # Reference
    /// Archer and Wang, "Application of the back propagation neural network algorithm with monotonicity constraints",
    /// Decision Sciences 24, 1993 (signs of weights); Runje and Shankaranarayana, "Constrained monotonic neural
    /// networks", ICML 2023 (bends both ways), there by two activations, here by units that rise and fall.
    pub fn monotone(trends: &[Trend], hidden: usize, seed: u64) -> Result<Self> {
        Self::new(trends.len(), hidden, seed)?.into_monotone(trends)
    }

    /// A freshly initialised network as a monotone one, its weights started anew.
    pub(super) fn into_monotone(self, trends: &[Trend]) -> Result<Self> {
        let grown = |parameter: &Parameter, values: Vec<f32>| {
            // From uniform in ±1/√inputs to a mean size of 1/inputs: signs that agree add up.
            let factor = 2.0 / (parameter.value().shape().1 as f32).sqrt();
            values.into_iter().map(|w| factor * w).collect()
        };
        self.signed(trends, |parameter, values, signs| {
            let signed = |(w, &sign): (f32, &f32)| if sign == 0.0 { w } else { sign * w.abs() };
            grown(parameter, values.into_iter().zip(signs).map(signed).collect())
        })
    }

    /// This network as a monotone one.
    ///
    /// # Errors
    /// [`Error::Parameter`] when it does not go these ways, [`Error::Shape`] for another number of inputs.
    pub(super) fn held_to(self, trends: &[Trend]) -> Result<Self> {
        if trends.len() != self.inputs() {
            return Err(Error::shape("loss network", format!("{} inputs", trends.len()), self.inputs()));
        }
        for (parameter, signs) in self.weights().zip(self.signs(trends)) {
            if host(parameter.value()).iter().zip(&signs).any(|(w, sign)| w * sign < 0.0) {
                let reason =
                    format!("{} has weights of the wrong sign: it is not monotone", parameter.name());
                return Err(Error::parameter("network", reason));
            }
        }
        Ok(Self { trends: Some(trends.to_vec()), ..self })
    }

    /// Whether its output goes one way with each input.
    pub fn is_monotone(&self) -> bool {
        self.trends.is_some()
    }

    /// Which way its output goes with each input, where it is bound to.
    pub fn trends(&self) -> Option<&[Trend]> {
        self.trends.as_deref()
    }

    /// The weights of each layer.
    fn weights(&self) -> impl Iterator<Item = &Parameter> {
        self.parameters.iter().step_by(2)
    }

    /// The sign each weight is bound to, 0 where none.
    fn signs(&self, trends: &[Trend]) -> Vec<Vec<f32>> {
        let hidden = |unit: usize| [1.0, -1.0][unit % 2];
        let layers = self.depth() + 1;
        let of_layer = |(layer, parameter): (usize, &Parameter)| {
            let (outputs, inputs) = *parameter.value().shape();
            let input = |unit: usize| if layer == 0 { trends[unit].sign() } else { hidden(unit) };
            let output = |unit: usize| if layer + 1 == layers { 1.0 } else { hidden(unit) };
            (0..outputs * inputs).map(|i| output(i / inputs) * input(i % inputs)).collect()
        };
        self.weights().enumerate().map(of_layer).collect()
    }

    /// The same network with weights changed in knowledge of their signs.
    fn signed(
        self,
        trends: &[Trend],
        change: impl Fn(&Parameter, Vec<f32>, &[f32]) -> Vec<f32>,
    ) -> Result<Self> {
        let mut signs = self.signs(trends).into_iter();
        let members = self.parameters.iter().enumerate().map(|(i, parameter)| {
            let signs = if i % 2 == 0 { signs.next() } else { None };
            let Some(signs) = signs else { return Ok(parameter.clone()) };
            let values = change(parameter, host(parameter.value()), &signs);
            Parameter::new(parameter.name(), parameter.shape(), values)
        });
        let parameters = Parameters::new(members.collect::<Result<_>>()?);
        Ok(Self { parameters, trends: Some(trends.to_vec()), ..self })
    }

    /// The same network with this bias of its last layer.
    ///
    /// # Errors
    /// [`Error::Device`] when the device is out of memory.
    pub fn with_output_bias(self, bias: f32) -> Result<Self> {
        self.with(Parameter::new("loss.2.bias", &[1], vec![bias])?)
    }

    /// The same network with one member replaced by that of the same name.
    fn with(self, new: Parameter) -> Result<Self> {
        let members = self.parameters.iter().map(|p| if p.name() == new.name() { &new } else { p }.clone());
        Ok(Self { parameters: Parameters::new(members.collect()), ..self })
    }

    /// A network from tensors with the released code's names: they give the depth, their shapes the widths; ELU between them.
    ///
    /// # Errors
    /// [`Error::Shape`] when a tensor is missing or two do not fit together.
    pub fn from_parameters(source: &Parameters) -> Result<Self> {
        let named = |layer: &str| source.iter().any(|p| p.name().starts_with(&format!("{layer}.")));
        let depth = (1..).find(|&depth| !named(&format!("logits_fcs.{}", 2 * (depth - 1)))).unwrap_or(DEPTH);
        let name = layers(depth).next().map_or(String::new(), |layer| format!("{layer}.weight"));
        let shape = source.iter().find(|p| p.name() == name).map(Parameter::shape);
        let Some(&[hidden, inputs]) = shape else {
            return Err(Error::shape("loss network", format!("a matrix {name}"), format!("{shape:?}")));
        };
        let mut network = Self::deep(inputs, hidden, depth, 0)?;
        network.parameters.assign(source)?;
        Ok(network)
    }

    /// As [`Network::from_parameters`], for a loss that gives it so many inputs.
    pub(super) fn of_inputs(parameters: &Parameters, inputs: usize) -> Result<Self> {
        let network = Self::from_parameters(parameters)?;
        match network.inputs() == inputs {
            true => Ok(network),
            false => Err(Error::shape("loss network", format!("{inputs} inputs"), network.inputs())),
        }
    }

    /// How many numbers it takes per row.
    pub fn inputs(&self) -> usize {
        self.parameters.iter().next().map_or(0, |p| p.value().shape().1)
    }

    /// The loss of an output.
    fn loss<S: Shape, T: Tape<f32, Dev>>(
        &self,
        output: Tensor<S, f32, Dev, T>,
    ) -> Result<Tensor<S, f32, Dev, T>> {
        match self.is_monotone() {
            true => Ok(output),
            false => Ok(output.try_abs()?),
        }
    }

    /// The loss of each row, differentiable with respect to its input (the layers are frozen).
    ///
    /// # Shapes
    /// `x` (rows, inputs) → (rows, 1).
    ///
    /// # Errors
    /// [`Error::Shape`] for another number of inputs.
    pub fn rows<T: Tape<f32, Dev>>(&self, x: Matrix<T>) -> Result<Matrix<T>> {
        self.loss(mlp_frozen_with(&self.parameters, self.activation, x)?)
    }

    /// As [`Network::judge`], of samples seen as sets: |tail(mean over rows of head(row))|.
    fn sets<T: Tape<f32, Dev>>(&self, batch: &Batch, shape: (usize, usize), tape: T) -> Result<Judged<T>> {
        let (samples, rows) = shape;
        let (value, tangents) = along(&self.head(), self.activation, batch, tape)?;
        let hidden = value.shape().1;
        let shape = (samples, rows, hidden);
        let mean = value.try_reshape_like(&shape)?.try_mean::<(usize, usize), Axis<1>>()?;
        let (mean, tape) = mean.split_tape();
        let losses = self.loss(self.tail(mean.clone().put_tape(tape))?)?.try_reshape_like(&(samples,))?;
        // ∂(rows · loss)/∂row along its direction: the tail's steepness times the row's tangent.
        let slope = |tangent: Matrix<T>| -> Result<Matrix<T>> {
            let steepness = self.tail_slope(mean.retaped::<T>())?.try_reshape_like(&(samples, hidden, 1))?;
            let slopes = tangent.try_reshape_like(&shape)?.try_matmul(steepness)?;
            Ok(slopes.try_reshape_like(&(samples, rows))?)
        };
        Ok(Judged { losses, slopes: norm(tangents.into_iter().map(slope).collect::<Result<_>>()?)? })
    }

    /// The loss of one batch seen as a set, differentiable with respect to its input (the layers are frozen).
    pub(super) fn set<T: Tape<f32, Dev>>(&self, x: Matrix<T>) -> Result<Matrix<T>> {
        let rows = mlp_frozen_with(&self.head(), self.activation, x)?;
        let width = rows.shape().1;
        let mean = rows.try_mean::<(usize,), Axis<0>>()?.try_reshape_like(&(1, width))?;
        self.loss(self.tail(mean)?)
    }

    /// The layers before the mean over rows: all but the last.
    fn head(&self) -> Parameters {
        Parameters::new(self.parameters.iter().take(2 * self.depth()).cloned().collect())
    }

    /// Weight and bias of the layer after the mean over rows.
    fn last(&self) -> (&Parameter, &Parameter) {
        let layers: Vec<&Parameter> = self.parameters.iter().skip(2 * self.depth()).collect();
        (layers[0], layers[1])
    }

    fn tail<T: Tape<f32, Dev>>(&self, mean: Matrix<T>) -> Result<Matrix<T>> {
        let (weight, bias) = self.last();
        linear(self.activation.of(mean)?, weight, bias)
    }

    /// The derivative of [`Network::tail`] with respect to its input, (samples, hidden).
    fn tail_slope<T: Tape<f32, Dev>>(&self, mean: Matrix<T>) -> Result<Matrix<T>> {
        let slope = self.activation.slope(mean)?;
        let shape = *slope.shape();
        let weight = self.last().0.value().retaped::<T>().try_reshape_like(&(shape.1,))?;
        Ok(slope.try_mul(weight.try_broadcast_like::<_, Axis<0>>(&shape)?)?)
    }

    /// The layers, from input to output.
    pub fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// The layers, for an optimiser to change.
    pub fn parameters_mut(&mut self) -> &mut Parameters {
        &mut self.parameters
    }
}

impl LossNetwork for Network {
    type Batch = Batch;

    fn judge<T: Tape<f32, Dev>>(&self, batch: &Batch, tape: T) -> Result<Judged<T>> {
        let shape = (batch.samples(), batch.x.shape().0 / batch.samples());
        if batch.set {
            return self.sets(batch, shape, tape);
        }
        let (value, tangents) = along(&self.parameters, self.activation, batch, tape)?;
        let losses = self.loss(value)?.try_mul(batch.weight.clone())?.try_reshape_like(&shape)?;
        Ok(Judged {
            losses: losses.try_mean::<(usize,), Axis<1>>()?,
            slopes: norm(tangents)?.try_reshape_like(&shape)?,
        })
    }

    fn metric(batch: &Batch) -> &[f64] {
        &batch.metric
    }

    fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    fn parameters_mut(&mut self) -> &mut Parameters {
        &mut self.parameters
    }

    fn with_values(&self, values: &Parameters) -> Result<Self> {
        let network = Self::from_parameters(values)?;
        Ok(Self { trends: self.trends.clone(), activation: self.activation, ..network })
    }

    /// Turned upside down around its output bias; a monotone one goes the only way it may.
    fn flipped(self) -> Result<Self> {
        if self.is_monotone() {
            return Ok(self);
        }
        Ok(Self { parameters: self.parameters.negated("loss.2.weight")?, ..self })
    }

    /// Puts weights that crossed 0 back there.
    fn constrain(&mut self) -> Result<()> {
        let Some(trends) = &self.trends else { return Ok(()) };
        let signs = self.signs(trends);
        for (parameter, signs) in self.parameters.iter_mut().step_by(2).zip(signs) {
            let mut values = host(parameter.value());
            values.iter_mut().zip(signs).filter(|(w, sign)| **w * sign < 0.0).for_each(|(w, _)| *w = 0.0);
            parameter.value_mut().copy_from(&values);
        }
        Ok(())
    }
}
