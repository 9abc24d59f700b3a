//! A multilayer perceptron of runtime sizes.

use dfdx::prelude::*;
use rand_chacha::rand_core::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::{Model, Parametric};
use crate::error::{Error, Result};
use crate::ops::{host, linear, linear_layer, Parameter, Parameters};
use crate::{Dev, Matrix, Tape};

/// A multilayer perceptron with ReLU between its layers.
///
/// # Example
/// ```
/// use reloss::model::{Mlp, Model, Parametric};
/// let model = Mlp::new(&[64, 128, 10], 0)?;
/// assert_eq!(model.parameters().count(), 64 * 128 + 128 + 128 * 10 + 10);
/// # Ok::<(), reloss::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Mlp {
    parameters: Parameters,
}

impl Mlp {
    /// A freshly initialised model: `sizes` are the widths from input to output.
    ///
    /// # Errors
    /// [`Error::Parameter`] for fewer than two sizes, or a size of zero.
    pub fn new(sizes: &[usize], seed: u64) -> Result<Self> {
        if sizes.len() < 2 || sizes.contains(&0) {
            return Err(Error::parameter(
                "sizes",
                format!("{sizes:?}: two or more positive widths are needed"),
            ));
        }
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut members = Vec::new();
        for (i, pair) in sizes.windows(2).enumerate() {
            members.extend(linear_layer(&format!("{i}"), pair[0], pair[1], &mut rng)?);
        }
        Ok(Self { parameters: Parameters::new(members) })
    }

    /// Its widths from input to output.
    pub fn sizes(&self) -> Vec<usize> {
        let weights = self.parameters.iter().step_by(2).map(|weight| *weight.value().shape());
        let mut sizes: Vec<usize> = weights.clone().take(1).map(|(_, inputs)| inputs).collect();
        sizes.extend(weights.map(|(outputs, _)| outputs));
        sizes
    }

    /// The name of a model of these widths in tables: `mlp-64-128-10`.
    pub fn name_of(sizes: &[usize]) -> String {
        let widths: Vec<String> = sizes.iter().map(usize::to_string).collect();
        format!("mlp-{}", widths.join("-"))
    }

    /// All layers but the last, and the last, with tensors of their own.
    pub(crate) fn split_last(&self) -> Result<(Self, Self)> {
        let count = self.parameters.iter().len();
        if count < 4 {
            return Err(Error::parameter("hidden", "a model of one layer has no features to keep"));
        }
        let copy = |p: &Parameter| Parameter::new(p.name(), p.shape(), host(p.value()));
        let part = |members: &mut dyn Iterator<Item = &Parameter>| -> Result<Self> {
            Ok(Self { parameters: Parameters::new(members.map(copy).collect::<Result<_>>()?) })
        };
        let members = || self.parameters.iter();
        Ok((part(&mut members().take(count - 2))?, part(&mut members().skip(count - 2))?))
    }

    /// These layers with those of another after them.
    pub(crate) fn followed_by(&self, other: &Self) -> Self {
        Self {
            parameters: Parameters::new(
                self.parameters.iter().chain(other.parameters.iter()).cloned().collect(),
            ),
        }
    }

    fn run<T: dfdx::prelude::Tape<f32, Dev>>(&self, x: Matrix<T>) -> Result<Matrix<T>> {
        let members: Vec<_> = self.parameters.iter().collect();
        let width = members[0].value().shape().1;
        if x.shape().1 != width {
            return Err(Error::shape("mlp model", format!("inputs of width {width}"), x.shape().1));
        }
        let mut x = x;
        for (i, pair) in members.chunks_exact(2).enumerate() {
            if i > 0 {
                x = x.try_relu()?;
            }
            x = linear(x, pair[0], pair[1])?;
        }
        Ok(x)
    }
}

impl Parametric for Mlp {
    fn name(&self) -> String {
        Self::name_of(&self.sizes())
    }

    fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    fn parameters_mut(&mut self) -> &mut Parameters {
        &mut self.parameters
    }
}

impl Model for Mlp {
    fn forward(&mut self, x: Matrix<Tape>) -> Result<Matrix<Tape>> {
        self.run(x)
    }

    fn predict(&self, x: Matrix) -> Result<Matrix> {
        self.run(x)
    }
}
