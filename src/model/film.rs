//! Adapters of a trained perceptron: a scale and a shift for every hidden unit.

use dfdx::prelude::*;

use super::{Mlp, Model, Parametric};
use crate::error::{Error, Result};
use crate::ops::{host, linear, Parameter, Parameters};
use crate::{Dev, Matrix, Tape};

/// A perceptron whose layers stay while every hidden unit, before its ReLU, is scaled and shifted.
///
/// Only scales and shifts are parameters, `I.scale` and `I.shift` of hidden layer I; they begin at 1 and 0, where the model
/// is the perceptron itself.
///
/// # Example
/// ```
/// use reloss::model::{Film, Mlp, Model, Parametric};
/// let film = Film::new(&Mlp::new(&[64, 128, 10], 0)?)?;
/// assert_eq!(film.parameters().count(), 2 * 128);
/// # Ok::<(), reloss::Error>(())
/// ```
///
/// # Reference
/// Perez, Strub, de Vries, Dumoulin, Courville, "FiLM: visual reasoning with a general conditioning layer", AAAI 2018.
#[derive(Debug, Clone)]
pub struct Film {
    base: Mlp,
    adapters: Parameters,
}

impl Film {
    /// Adapters that change nothing yet.
    ///
    /// # Errors
    /// [`Error::Parameter`] for a perceptron without hidden layers.
    pub fn new(base: &Mlp) -> Result<Self> {
        let sizes = base.sizes();
        let hidden = sizes.get(1..sizes.len() - 1).unwrap_or(&[]);
        if hidden.is_empty() {
            return Err(Error::parameter("hidden", "a model of one layer has nothing to adapt"));
        }
        let mut adapters = Vec::with_capacity(2 * hidden.len());
        for (i, &width) in hidden.iter().enumerate() {
            adapters.push(Parameter::new(&format!("{i}.scale"), &[width], vec![1.0; width])?);
            adapters.push(Parameter::new(&format!("{i}.shift"), &[width], vec![0.0; width])?);
        }
        Ok(Self { base: base.clone(), adapters: Parameters::new(adapters) })
    }

    /// The perceptron that computes the same.
    ///
    /// # Errors
    /// [`Error::Device`] when the device is out of memory.
    pub fn folded(&self) -> Result<Mlp> {
        let adapters = self.adapters.values();
        let pairs: Vec<&[Vec<f32>]> = adapters.chunks_exact(2).collect();
        let fold = |(i, p): (usize, &Parameter)| {
            let mut values = host(p.value());
            if let Some([scale, shift]) = pairs.get(i / 2) {
                let columns = values.len() / scale.len();
                values.iter_mut().enumerate().for_each(|(at, v)| *v *= scale[at / columns]);
                if i % 2 == 1 {
                    values.iter_mut().zip(shift).for_each(|(v, s)| *v += s);
                }
            }
            Parameter::new(p.name(), p.shape(), values)
        };
        let members = self.base.parameters().iter().enumerate().map(fold).collect::<Result<_>>()?;
        let mut folded = self.base.clone();
        *folded.parameters_mut() = Parameters::new(members);
        Ok(folded)
    }

    fn run<T: dfdx::prelude::Tape<f32, Dev>>(&self, x: Matrix<T>) -> Result<Matrix<T>> {
        let layers: Vec<_> = self.base.parameters().iter().collect();
        let adapters: Vec<_> = self.adapters.iter().collect();
        let mut x = x;
        for (i, pair) in layers.chunks_exact(2).enumerate() {
            x = linear(x, pair[0], pair[1])?;
            if let Some(&[scale, shift]) = adapters.get(2 * i..2 * i + 2) {
                let shape = *x.shape();
                let all = |p: &Parameter| -> Result<Matrix<T>> {
                    let row = p.value().retaped::<T>().try_reshape_like(&(shape.1,))?;
                    Ok(row.try_broadcast_like::<_, Axis<0>>(&shape)?)
                };
                x = x.try_mul(all(scale)?)?.try_add(all(shift)?)?.try_relu()?;
            }
        }
        Ok(x)
    }
}

impl Parametric for Film {
    fn name(&self) -> String {
        format!("{}-film", self.base.name())
    }

    fn parameters(&self) -> &Parameters {
        &self.adapters
    }

    fn parameters_mut(&mut self) -> &mut Parameters {
        &mut self.adapters
    }
}

impl Model for Film {
    fn forward(&mut self, x: Matrix<Tape>) -> Result<Matrix<Tape>> {
        self.run(x)
    }

    fn predict(&self, x: Matrix) -> Result<Matrix> {
        self.run(x)
    }
}
