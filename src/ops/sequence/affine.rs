//! A linear layer with what comes after it.

use std::ops::Range;

use dfdx::prelude::*;
use serde::{Deserialize, Serialize};

use super::jet::Jet;
use crate::error::{Error, Result};
use crate::ops::elu::{elu, elu_slope};
use crate::ops::parameters::Parameter;
use crate::ops::tensors::{host, matrix};
use crate::{Dev, Matrix};

/// What is done to every output of a linear layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Activation {
    /// Nothing.
    Identity,
    /// max(x, 0).
    Relu,
    /// See [`elu`](crate::ops::elu).
    Elu,
    /// The hyperbolic tangent.
    Tanh,
}

impl Activation {
    /// Its value.
    pub(crate) fn of<T: Tape<f32, Dev>>(self, x: Matrix<T>) -> Result<Matrix<T>> {
        match self {
            Self::Identity => Ok(x),
            Self::Relu => Ok(x.try_relu()?),
            Self::Elu => elu(x),
            Self::Tanh => Ok(x.try_tanh()?),
        }
    }

    /// Its derivative, which can be differentiated again.
    pub(crate) fn slope<T: Tape<f32, Dev>>(self, x: Matrix<T>) -> Result<Matrix<T>> {
        let constant = |x: Matrix<T>, slope: fn(f32) -> f32| -> Result<Matrix<T>> {
            let (rows, columns) = *x.shape();
            let slopes = host(&x).into_iter().map(slope).collect();
            Ok(matrix(slopes, rows, columns)?.put_tape(x.split_tape().1))
        };
        match self {
            Self::Identity => constant(x, |_| 1.0),
            // relu's slope is a constant, 0 or 1 in every place.
            Self::Relu => constant(x, |z| if z > 0.0 { 1.0 } else { 0.0 }),
            Self::Elu => elu_slope(x),
            Self::Tanh => Ok(x.try_tanh()?.try_square()?.try_negate()?.try_add(1.0)?),
        }
    }
}

/// `activation(x Wᵀ + b)`.
///
/// # Shapes
/// `x` (rows, inputs), weight (outputs, inputs), bias (outputs) → (rows, outputs).
///
/// # Errors
/// [`Error::Shape`] for a weight or a bias that does not fit.
///
/// # Example
/// ```
/// use reloss::ops::{affine, host, matrix, Activation, Parameter};
/// let weight = Parameter::new("weight", &[2, 1], vec![3.0, -1.0])?;
/// let y = affine(matrix(vec![2.0], 1, 1)?, &weight, None, Activation::Relu)?;
/// assert_eq!(host(&y), [6.0, 0.0]);
/// # Ok::<(), reloss::Error>(())
/// ```
pub fn affine<T: Tape<f32, Dev>>(
    x: Matrix<T>,
    weight: &Parameter,
    bias: Option<&Parameter>,
    activation: Activation,
) -> Result<Matrix<T>> {
    let all = 0..weight.value().shape().0;
    Ok(affine_part(Jet::plain(x), weight, bias, all, activation)?.value)
}

/// [`affine`] made of dfdx's own operations.
///
/// # Errors
/// As [`affine`].
pub fn affine_composed<T: Tape<f32, Dev>>(
    x: Matrix<T>,
    weight: &Parameter,
    bias: Option<&Parameter>,
    activation: Activation,
) -> Result<Matrix<T>> {
    let all = 0..weight.value().shape().0;
    check(x.shape().1, weight, bias, &all)?;
    Ok(composed(Jet::plain(x), weight, bias, all, activation)?.value)
}

fn check(inputs: usize, weight: &Parameter, bias: Option<&Parameter>, part: &Range<usize>) -> Result<()> {
    let &(outputs, wanted) = weight.value().shape();
    if inputs != wanted || part.is_empty() || part.end > outputs {
        let expected = format!("{wanted} inputs for {} {:?}", weight.name(), weight.shape());
        return Err(Error::shape("affine", expected, format!("{inputs}, outputs {part:?}")));
    }
    match bias {
        Some(bias) if bias.value().shape() != &(1, outputs) => {
            let expected = format!("{} of {outputs} numbers", bias.name());
            Err(Error::shape("affine", expected, format!("{:?}", bias.shape())))
        }
        _ => Ok(()),
    }
}

/// Some outputs of [`affine`], with a tangent or without.
pub(super) fn affine_part<T: Tape<f32, Dev>>(
    x: Jet<T>,
    weight: &Parameter,
    bias: Option<&Parameter>,
    part: Range<usize>,
    activation: Activation,
) -> Result<Jet<T>> {
    check(x.value.shape().1, weight, bias, &part)?;
    #[cfg(not(feature = "composed"))]
    return super::affine_fused::affine(x, weight, bias, part, activation);
    #[cfg(feature = "composed")]
    composed(x, weight, bias, part, activation)
}

/// [`affine_part`] of all outputs.
pub(crate) fn affine_jet<T: Tape<f32, Dev>>(
    x: Jet<T>,
    weight: &Parameter,
    bias: Option<&Parameter>,
    activation: Activation,
) -> Result<Jet<T>> {
    let all = 0..weight.value().shape().0;
    affine_part(x, weight, bias, all, activation)
}

pub(super) fn composed<T: Tape<f32, Dev>>(
    x: Jet<T>,
    weight: &Parameter,
    bias: Option<&Parameter>,
    part: Range<usize>,
    activation: Activation,
) -> Result<Jet<T>> {
    let inputs = weight.value().shape().1;
    let shape = (x.value.shape().0, part.len());
    let rows = weight.value().retaped::<T>().try_slice((part.clone(), 0..inputs))?;
    let weights: Matrix<T> = rows.try_realize::<(usize, usize)>().map_err(|_| refused())?.try_permute()?;
    // One slice for both: of two from the same place dfdx's CPU keeps the gradient of one.
    let (weights, slicing) = weights.split_tape();
    let along = |tangent: Matrix<T>| tangent.try_matmul(weights.retaped::<T>());
    let tangent = x.tangent.map(along).transpose()?;
    let mut value = x.value.try_matmul(weights.put_tape(slicing))?;
    if let Some(bias) = bias {
        let bias = bias.value().retaped::<T>().try_slice((0..1, part.clone()))?;
        let bias: Vector<T> = bias.try_reshape_like(&(shape.1,))?;
        value = value.try_add(bias.try_broadcast_like::<_, Axis<0>>(&shape)?)?;
    }
    let (value, tape) = value.split_tape();
    let tangent = match (tangent, activation) {
        (tangent, Activation::Identity) => tangent,
        (None, _) => None,
        (Some(tangent), _) => Some(tangent.try_mul(activation.slope(value.retaped::<T>())?)?),
    };
    Ok(Jet { value: activation.of(value.put_tape(tape))?, tangent })
}

type Vector<T> = Tensor<(usize,), f32, Dev, T>;

fn refused() -> Error {
    Error::Device("a slice of runtime shape".to_string())
}
