//! Values that carry a tangent, for exact gradients of directional derivatives.

use dfdx::prelude::*;

use super::elu::{elu, elu_slope};
use super::parameters::Parameter;
use crate::error::Result;
use crate::{Dev, Matrix};

/// A matrix of values with the tangent (directional derivative) of each.
///
/// dfdx differentiates once only. A penalty on a *gradient* needs its derivative too: carry the
/// directional derivative forward through the network in ordinary tape operations (forward
/// mode), then one ordinary backward pass differentiates it (reverse over forward).
#[derive(Debug, Clone)]
pub struct Dual<T: Tape<f32, Dev>> {
    /// The values, (rows, columns).
    pub value: Matrix<T>,
    /// Their tangents, (rows, columns).
    pub tangent: Matrix<T>,
}

impl<T: Tape<f32, Dev>> Dual<T> {
    /// `x Wᵀ + b`, with weight (outputs, inputs) and bias (1, outputs).
    ///
    /// # Errors
    /// [`Error::Device`](crate::Error::Device) when the device is out of memory.
    pub fn linear(self, weight: &Parameter, bias: &Parameter) -> Result<Self> {
        Ok(Self {
            value: linear(self.value, weight, bias)?,
            tangent: self.tangent.try_matmul(weight.value().retaped::<T>().try_permute()?)?,
        })
    }

    /// [`elu`], whose tangent is `exp(min(x, 0))` times the tangent of x.
    ///
    /// # Errors
    /// [`Error::Device`](crate::Error::Device) when the device is out of memory.
    pub fn elu(self) -> Result<Self> {
        let (x, tape) = self.value.split_tape();
        let slope = elu_slope(x.retaped::<T>())?;
        Ok(Self { value: elu(x.put_tape(tape))?, tangent: self.tangent.try_mul(slope)? })
    }
}

/// The logistic function, whose tangent is σ (1 − σ) times the tangent of x.
pub(crate) fn sigmoid<T: Tape<f32, Dev>>(x: Dual<T>) -> Result<Dual<T>> {
    let (value, tape) = x.value.split_tape();
    let below = value.retaped::<T>().try_sigmoid()?.try_negate()?.try_add(1.0)?;
    let slope = value.retaped::<T>().try_sigmoid()?.try_mul(below)?;
    Ok(Dual { value: value.put_tape(tape).try_sigmoid()?, tangent: x.tangent.try_mul(slope)? })
}

/// `x Wᵀ + b` without tangent.
pub(crate) fn linear<T: Tape<f32, Dev>>(
    x: Matrix<T>,
    weight: &Parameter,
    bias: &Parameter,
) -> Result<Matrix<T>> {
    let shape = (x.shape().0, weight.value().shape().0);
    let bias = bias.value().retaped::<T>().try_reshape_like(&(shape.1,))?;
    let bias: Matrix<T> = bias.try_broadcast_like::<_, Axis<0>>(&shape)?;
    Ok(x.try_matmul(weight.value().retaped::<T>().try_permute()?)?.try_add(bias)?)
}
