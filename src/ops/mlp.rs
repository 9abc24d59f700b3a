//! The ELU multilayer perceptron of the loss networks, with its directional derivative.

use dfdx::prelude::*;

use super::dual::{linear, Dual};
use super::elu::elu;
use super::parameters::Parameters;
use super::sequence::{affine, affine_jet, Activation, Jet};
use crate::error::{Error, Result};
use crate::{Dev, Matrix};

/// The outputs of `layers`, which must alternate (outputs, inputs) weights and biases that fit each other.
fn check(layers: &Parameters, columns: usize) -> Result<usize> {
    let mut width = columns;
    let members: Vec<_> = layers.iter().collect();
    for pair in members.chunks(2) {
        let [weight, bias] = pair else {
            return Err(Error::shape("mlp", "weights and biases in pairs", members.len()));
        };
        let &(outputs, inputs) = weight.value().shape();
        if inputs != width || *bias.value().shape() != (1, outputs) {
            let got = format!("{} {:?}, {} {:?}", weight.name(), weight.shape(), bias.name(), bias.shape());
            return Err(Error::shape("mlp", format!("a layer of {width} inputs"), got));
        }
        width = outputs;
    }
    match members.is_empty() {
        true => Err(Error::shape("mlp", "one layer or more", 0)),
        false => Ok(width),
    }
}

/// Value and directional derivative of an ELU network, row by row.
///
/// `layers` holds weight (outputs, inputs) and bias (outputs) of each linear layer in turn, ELU
/// stands between them. Both results can be differentiated with respect to the layers, which
/// makes a penalty on the network's input gradient exact. `x` and `direction` are constants here.
///
/// # Shapes
/// `x` and `direction` (rows, inputs) → value and derivative, each (rows, outputs).
///
/// # Errors
/// [`Error::Shape`] when the layers do not fit `x`, or `direction` does not.
///
/// # Example
/// The slope of `f(x) = 3 x + 1` along direction 2 is 6:
/// ```
/// use reloss::ops::{host, matrix, mlp, Parameter, Parameters};
/// let layers = Parameters::new(vec![
///     Parameter::new("0.weight", &[1, 1], vec![3.0])?,
///     Parameter::new("0.bias", &[1], vec![1.0])?,
/// ]);
/// let out = mlp(&layers, &matrix(vec![5.0], 1, 1)?, &matrix(vec![2.0], 1, 1)?, dfdx::prelude::NoneTape)?;
/// assert_eq!((host(&out.value)[0], host(&out.tangent)[0]), (16.0, 6.0));
/// # Ok::<(), reloss::Error>(())
/// ```
pub fn mlp<T: Tape<f32, Dev>>(
    layers: &Parameters,
    x: &Matrix,
    direction: &Matrix,
    tape: T,
) -> Result<Dual<T>> {
    check(layers, x.shape().1)?;
    if x.shape() != direction.shape() {
        return Err(Error::shape(
            "mlp",
            format!("direction {:?}", x.shape()),
            format!("{:?}", direction.shape()),
        ));
    }
    #[cfg(not(feature = "composed"))]
    return super::fused::mlp(layers, x, direction, tape);
    #[cfg(feature = "composed")]
    mlp_composed(layers, x, direction, tape)
}

/// [`mlp`] made of dfdx's own operations.
///
/// # Errors
/// [`Error::Device`] when the device is out of memory.
pub fn mlp_composed<T: Tape<f32, Dev>>(
    layers: &Parameters,
    x: &Matrix,
    direction: &Matrix,
    tape: T,
) -> Result<Dual<T>> {
    let members: Vec<_> = layers.iter().collect();
    let mut dual = Dual { value: x.clone().put_tape(tape), tangent: direction.retaped::<T>() };
    for (i, pair) in members.chunks_exact(2).enumerate() {
        if i > 0 {
            dual = dual.elu()?;
        }
        dual = dual.linear(pair[0], pair[1])?;
    }
    Ok(dual)
}

/// [`mlp`] with another activation in place of ELU.
///
/// # Errors
/// As [`mlp`].
pub fn mlp_with<T: Tape<f32, Dev>>(
    layers: &Parameters,
    activation: Activation,
    x: &Matrix,
    direction: &Matrix,
    tape: T,
) -> Result<Dual<T>> {
    if activation == Activation::Elu {
        return mlp(layers, x, direction, tape);
    }
    check(layers, x.shape().1)?;
    let members: Vec<_> = layers.iter().collect();
    let last = members.len() / 2 - 1;
    let mut jet = Jet { value: x.clone().put_tape(tape), tangent: Some(direction.retaped::<T>()) };
    for (i, pair) in members.chunks_exact(2).enumerate() {
        let after = if i < last { activation } else { Activation::Identity };
        jet = affine_jet(jet, pair[0], Some(pair[1]), after)?;
    }
    let without = || Error::shape("mlp", "a tangent", "none");
    Ok(Dual { value: jet.value, tangent: jet.tangent.ok_or_else(without)? })
}

/// [`mlp_frozen`] with another activation in place of ELU.
///
/// # Errors
/// As [`mlp_frozen`].
pub fn mlp_frozen_with<T: Tape<f32, Dev>>(
    layers: &Parameters,
    activation: Activation,
    x: Matrix<T>,
) -> Result<Matrix<T>> {
    if activation == Activation::Elu {
        return mlp_frozen(layers, x);
    }
    check(layers, x.shape().1)?;
    let members: Vec<_> = layers.iter().collect();
    let last = members.len() / 2 - 1;
    let mut x = x;
    for (i, pair) in members.chunks_exact(2).enumerate() {
        let after = if i < last { activation } else { Activation::Identity };
        x = affine(x, pair[0], Some(pair[1]), after)?;
    }
    Ok(x)
}

/// The network's value, differentiable with respect to its input (the layers are frozen).
///
/// # Shapes
/// `x` (rows, inputs) → (rows, outputs).
///
/// # Errors
/// [`Error::Shape`] when the layers do not fit `x`.
pub fn mlp_frozen<T: Tape<f32, Dev>>(layers: &Parameters, x: Matrix<T>) -> Result<Matrix<T>> {
    let outputs = check(layers, x.shape().1)?;
    // The fused form carries slopes of one output along.
    #[cfg(not(feature = "composed"))]
    if outputs == 1 {
        return super::fused::mlp_frozen(layers, x);
    }
    let _ = outputs;
    mlp_frozen_composed(layers, x)
}

/// [`mlp_frozen`] made of dfdx's own operations.
///
/// # Errors
/// [`Error::Device`] when the device is out of memory.
pub fn mlp_frozen_composed<T: Tape<f32, Dev>>(layers: &Parameters, x: Matrix<T>) -> Result<Matrix<T>> {
    let members: Vec<_> = layers.iter().collect();
    let mut x = x;
    for (i, pair) in members.chunks_exact(2).enumerate() {
        if i > 0 {
            x = elu(x)?;
        }
        x = linear(x, pair[0], pair[1])?;
    }
    Ok(x)
}
