//! The loss network of the released classification code.

use dfdx::prelude::HasShape;
use rand_chacha::rand_core::SeedableRng;
use rand_chacha::ChaCha8Rng;

use crate::error::{Error, Result};
use crate::ops::{host, linear_layer, Parameter, Parameters};

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

    /// The same network turned upside down around its output bias.
    pub(super) fn flipped(self) -> Result<Self> {
        let name = "loss.2.weight";
        let weight = self.parameters.iter().find(|p| p.name() == name);
        let Some(weight) = weight else { return Ok(self) };
        let turned = Parameter::new(name, weight.shape(), host(weight.value()).iter().map(|w| -w).collect())?;
        self.with(turned)
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

    /// The layers, from input to output.
    pub fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// The layers, for an optimiser to change.
    pub fn parameters_mut(&mut self) -> &mut Parameters {
        &mut self.parameters
    }
}
