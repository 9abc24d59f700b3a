//! The loss network of the released classification code.

use dfdx::prelude::*;
use rand_chacha::rand_core::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::input::Batch;
use super::loss_network::{Judged, LossNetwork};
use crate::error::{Error, Result};
use crate::ops::{elu, elu_slope, host, linear, linear_layer, mlp, mlp_frozen, Parameter, Parameters};
use crate::{Dev, Matrix};

/// The linear layers' names in the released code, from input to output.
const LAYERS: [&str; 4] = ["logits_fcs.0", "logits_fcs.2", "loss.0", "loss.2"];

/// Four linear layers with ELU between them and one output: 33,409 parameters at width 128.
#[derive(Debug, Clone)]
pub struct Network {
    parameters: Parameters,
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
        if inputs == 0 || hidden == 0 {
            return Err(Error::parameter("hidden", "inputs and hidden width must be positive"));
        }
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut members = Vec::new();
        let widths = [inputs, hidden, hidden, hidden, 1];
        for (name, pair) in LAYERS.iter().zip(widths.windows(2)) {
            members.extend(linear_layer(name, pair[0], pair[1], &mut rng)?);
        }
        Ok(Self { parameters: Parameters::new(members) })
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
        Ok(Self { parameters: Parameters::new(members.collect()) })
    }

    /// A network from tensors with the released code's names; their shapes give the widths.
    ///
    /// # Errors
    /// [`Error::Shape`] when a tensor is missing or two do not fit together.
    pub fn from_parameters(source: &Parameters) -> Result<Self> {
        let first = source.iter().find(|p| p.name() == "logits_fcs.0.weight");
        let shape = first.map(Parameter::shape);
        let Some(&[hidden, inputs]) = shape else {
            return Err(Error::shape("loss network", "a matrix logits_fcs.0.weight", format!("{shape:?}")));
        };
        let mut network = Self::new(inputs, hidden, 0)?;
        network.parameters.assign(source)?;
        Ok(network)
    }

    /// How many numbers it takes per row.
    pub fn inputs(&self) -> usize {
        self.parameters.iter().next().map_or(0, |p| p.value().shape().1)
    }

    /// As [`Network::judge`], of samples seen as sets: |tail(mean over rows of head(row))|.
    fn sets<T: Tape<f32, Dev>>(&self, batch: &Batch, shape: (usize, usize), tape: T) -> Result<Judged<T>> {
        let (samples, rows) = shape;
        let rows_out = mlp(&self.head(), &batch.x, &batch.direction, tape)?;
        let hidden = rows_out.value.shape().1;
        let shape = (samples, rows, hidden);
        let mean = rows_out.value.try_reshape_like(&shape)?.try_mean::<(usize, usize), Axis<1>>()?;
        let (mean, tape) = mean.split_tape();
        let steepness = self.tail_slope(mean.retaped::<T>())?;
        let losses = self.tail(mean.put_tape(tape))?.try_abs()?.try_reshape_like(&(samples,))?;
        // ∂(rows · loss)/∂row along its direction: the tail's steepness times the row's tangent.
        let steepness = steepness.try_reshape_like(&(samples, hidden, 1))?;
        let slopes = rows_out.tangent.try_reshape_like(&shape)?.try_matmul(steepness)?;
        Ok(Judged { losses, slopes: slopes.try_reshape_like(&(samples, rows))? })
    }

    /// The loss of one batch seen as a set, differentiable with respect to its input (the layers are frozen).
    pub(super) fn set<T: Tape<f32, Dev>>(&self, x: Matrix<T>) -> Result<Matrix<T>> {
        let rows = mlp_frozen(&self.head(), x)?;
        let width = rows.shape().1;
        let mean = rows.try_mean::<(usize,), Axis<0>>()?.try_reshape_like(&(1, width))?;
        Ok(self.tail(mean)?.try_abs()?)
    }

    /// The layers before the mean over rows: all but the last.
    fn head(&self) -> Parameters {
        Parameters::new(self.parameters.iter().take(6).cloned().collect())
    }

    /// Weight and bias of the layer after the mean over rows.
    fn last(&self) -> (&Parameter, &Parameter) {
        let layers: Vec<&Parameter> = self.parameters.iter().skip(6).collect();
        (layers[0], layers[1])
    }

    fn tail<T: Tape<f32, Dev>>(&self, mean: Matrix<T>) -> Result<Matrix<T>> {
        let (weight, bias) = self.last();
        linear(elu(mean)?, weight, bias)
    }

    /// The derivative of [`Network::tail`] with respect to its input, (samples, hidden).
    fn tail_slope<T: Tape<f32, Dev>>(&self, mean: Matrix<T>) -> Result<Matrix<T>> {
        let slope = elu_slope(mean)?;
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
        let out = mlp(&self.parameters, &batch.x, &batch.direction, tape)?;
        let losses = out.value.try_abs()?.try_mul(batch.weight.clone())?.try_reshape_like(&shape)?;
        Ok(Judged {
            losses: losses.try_mean::<(usize,), Axis<1>>()?,
            slopes: out.tangent.try_reshape_like(&shape)?,
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
        Self::from_parameters(values)
    }

    /// Turned upside down around its output bias.
    fn flipped(self) -> Result<Self> {
        let name = "loss.2.weight";
        let weight = self.parameters.iter().find(|p| p.name() == name);
        let Some(weight) = weight else { return Ok(self) };
        let turned = Parameter::new(name, weight.shape(), host(weight.value()).iter().map(|w| -w).collect())?;
        self.with(turned)
    }
}
