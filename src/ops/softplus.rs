//! The logarithm of 1 + exp.

use dfdx::prelude::*;

use crate::error::Result;
use crate::{Dev, Matrix};

/// Beyond this, exp(−x) is below half of an `f32`'s last place: softplus(x) is x.
const LINEAR: f32 = 20.0;

/// Softplus, ln(1 + exp(x)), without overflow; its derivative is the logistic function.
///
/// # Errors
/// [`Error::Device`](crate::Error::Device) when the device is out of memory.
///
/// # Example
/// ```
/// use reloss::ops::{host, matrix, softplus};
/// let y = host(&softplus(matrix(vec![0.0, 1000.0, -1000.0], 1, 3)?)?);
/// assert!((y[0] - 2f32.ln()).abs() < 1e-6);
/// assert_eq!(y[1..], [1000.0, 0.0]);
/// # Ok::<(), reloss::Error>(())
/// ```
pub fn softplus<T: Tape<f32, Dev>>(x: Matrix<T>) -> Result<Matrix<T>> {
    let (x, tape) = x.split_tape();
    // The lower bound is exp's underflow; beyond the bounds clamp's own gradient is 0.
    let curved = x.retaped::<T>().try_clamp(-104.0, LINEAR)?.try_exp()?.try_add(1.0)?.try_ln()?;
    Ok(x.put_tape(tape).try_sub(LINEAR)?.try_relu()?.try_add(curved)?)
}
