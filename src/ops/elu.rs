//! The exponential linear unit.

use dfdx::prelude::*;

use crate::error::Result;
use crate::{Dev, Matrix};

/// ELU: `x` where positive, `exp(x) - 1` elsewhere.
///
/// The derivative is `exp(min(x, 0))`, so it is 1 at 0 from both sides.
///
/// # Errors
/// [`Error::Device`](crate::Error::Device) when the device is out of memory.
///
/// # Example
/// ```
/// use reloss::ops::{elu, host, matrix};
/// let y = elu(matrix(vec![2.0, 0.0, -1.0], 1, 3)?)?;
/// assert_eq!(host(&y)[..2], [2.0, 0.0]);
/// assert!((host(&y)[2] - (-0.6321206)).abs() < 1e-6);
/// # Ok::<(), reloss::Error>(())
/// ```
///
/// # Reference
/// Clevert, Unterthiner, Hochreiter, "Fast and Accurate Deep Network Learning by Exponential
/// Linear Units", ICLR 2016, with α = 1.
pub fn elu<T: Tape<f32, Dev>>(x: Matrix<T>) -> Result<Matrix<T>> {
    let (x, tape) = x.split_tape();
    let exponential = elu_slope(x.clone().put_tape(tape))?.try_sub(1.0)?;
    Ok(x.retaped::<T>().try_relu()?.try_add(exponential)?)
}

/// The derivative of ELU, `exp(min(x, 0))`.
pub(crate) fn elu_slope<T: Tape<f32, Dev>>(x: Matrix<T>) -> Result<Matrix<T>> {
    // The lower bound is exp's underflow, far below: clamp's own gradient is 0 beyond it, as exp's.
    Ok(x.try_clamp(-104.0, 0.0)?.try_exp()?)
}
