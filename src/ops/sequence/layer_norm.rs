//! Layer normalisation.

use dfdx::prelude::*;

use super::jet::Jet;
use crate::error::{Error, Result};
use crate::ops::parameters::Parameter;
use crate::{Dev, Matrix};

/// Added to every variance. PyTorch's default.
pub(super) const EPSILON: f32 = 1e-5;

/// Every row minus its mean, divided by its standard deviation, times the weight, plus the bias.
///
/// # Shapes
/// `x` (rows, width), weight and bias (width) → (rows, width).
///
/// # Errors
/// [`Error::Shape`] for a weight or a bias that does not fit.
///
/// # Example
/// ```
/// use reloss::ops::{host, layer_norm, matrix, Parameter};
/// let (weight, bias) = (Parameter::new("weight", &[2], vec![2.0; 2])?, Parameter::new("bias", &[2], vec![1.0; 2])?);
/// let y = layer_norm(matrix(vec![3.0, 7.0], 1, 2)?, &weight, &bias)?;
/// assert!((host(&y)[0] + 1.0).abs() < 1e-5 && (host(&y)[1] - 3.0).abs() < 1e-5);
/// # Ok::<(), reloss::Error>(())
/// ```
///
/// # Reference
/// Ba, Kiros, Hinton, "Layer Normalization", 2016; 1e-5 added to the variance, as PyTorch does.
pub fn layer_norm<T: Tape<f32, Dev>>(
    x: Matrix<T>,
    weight: &Parameter,
    bias: &Parameter,
) -> Result<Matrix<T>> {
    Ok(normalised(Jet::plain(x), None, weight, bias)?.value)
}

/// [`layer_norm`] made of dfdx's own operations.
///
/// # Errors
/// As [`layer_norm`].
pub fn layer_norm_composed<T: Tape<f32, Dev>>(
    x: Matrix<T>,
    weight: &Parameter,
    bias: &Parameter,
) -> Result<Matrix<T>> {
    check(x.shape().1, weight, bias)?;
    Ok(composed(Jet::plain(x), weight, bias)?.value)
}

fn check(width: usize, weight: &Parameter, bias: &Parameter) -> Result<()> {
    for parameter in [weight, bias] {
        if parameter.value().shape() != &(1, width) {
            let expected = format!("{} of {width} numbers", parameter.name());
            return Err(Error::shape("layer_norm", expected, format!("{:?}", parameter.shape())));
        }
    }
    Ok(())
}

/// The norm of `x`, or of `x + other`, with a tangent or without.
pub(super) fn normalised<T: Tape<f32, Dev>>(
    x: Jet<T>,
    other: Option<Jet<T>>,
    weight: &Parameter,
    bias: &Parameter,
) -> Result<Jet<T>> {
    check(x.value.shape().1, weight, bias)?;
    if let Some(other) = other.as_ref().filter(|other| other.value.shape() != x.value.shape()) {
        let expected = format!("{:?}", x.value.shape());
        return Err(Error::shape("layer_norm", expected, format!("{:?}", other.value.shape())));
    }
    #[cfg(not(feature = "composed"))]
    return super::layer_norm_fused::layer_norm(x, other, weight, bias);
    #[cfg(feature = "composed")]
    composed(if let Some(other) = other { x.add(other)? } else { x }, weight, bias)
}

/// A mean a row, in every column.
fn means<T: Tape<f32, Dev>>(x: Matrix<T>) -> Result<Matrix<T>> {
    let shape = *x.shape();
    Ok(x.try_mean::<(usize,), Axis<1>>()?.try_broadcast_like::<_, Axis<1>>(&shape)?)
}

pub(super) fn composed<T: Tape<f32, Dev>>(x: Jet<T>, weight: &Parameter, bias: &Parameter) -> Result<Jet<T>> {
    let shape = *x.value.shape();
    let row = |parameter: &Parameter| -> Result<Matrix<T>> {
        let row = parameter.value().retaped::<T>().try_reshape_like(&(shape.1,))?;
        Ok(row.try_broadcast_like::<_, Axis<0>>(&shape)?)
    };
    let (x, tangent) = (x.value, x.tangent);
    let centred = x.retaped::<T>().try_negate()?;
    let centred = means(centred)?.try_add(x)?;
    let deviation = means(centred.retaped::<T>().try_square()?)?.try_add(EPSILON)?.try_sqrt()?;
    let (deviation, tape) = deviation.split_tape();
    let unit = centred.try_div(deviation.clone().put_tape(tape))?;
    let (unit, tape) = unit.split_tape();
    let tangent = match tangent {
        // dx̂ = (dx − mean dx − x̂ mean(x̂ dx)) / σ
        Some(along) => {
            let share = means(along.retaped::<T>().try_mul(unit.retaped::<T>())?)?;
            let share = share.try_mul(unit.retaped::<T>())?;
            let centred = means(along.retaped::<T>())?.try_negate()?.try_add(along)?;
            let along = centred.try_sub(share)?.try_div(deviation.retaped::<T>())?;
            Some(along.try_mul(row(weight)?)?)
        }
        None => None,
    };
    let value = unit.put_tape(tape).try_mul(row(weight)?)?.try_add(row(bias)?)?;
    Ok(Jet { value, tangent })
}
