//! Between host slices and device tensors.

#[cfg(feature = "cuda")]
use std::cell::OnceCell;
#[cfg(not(feature = "cuda"))]
use std::sync::OnceLock;

use dfdx::prelude::*;

use crate::error::{Error, Result};
use crate::{Dev, Matrix};

/// The shared device; clones share one cache of freed buffers.
///
/// # Errors
/// None on the CPU; [`Error::Device`] with `--features cuda` where there is no GPU to be had.
#[cfg(not(feature = "cuda"))]
pub fn device() -> Result<Dev> {
    static DEVICE: OnceLock<Dev> = OnceLock::new();
    Ok(DEVICE.get_or_init(Dev::default).clone())
}

/// The shared device of this thread: CUDA's stream may not be shared between threads.
///
/// # Errors
/// [`Error::Device`] where there is no GPU to be had.
#[cfg(feature = "cuda")]
pub fn device() -> Result<Dev> {
    thread_local!(static DEVICE: OnceCell<Dev> = const { OnceCell::new() });
    DEVICE.with(|device| match device.get() {
        Some(device) => Ok(device.clone()),
        None => {
            let opened = open()?;
            Ok(device.get_or_init(|| opened).clone())
        }
    })
}

/// Whether tensors can be made: always on the CPU; with `--features cuda`, whether there is a GPU to make them on.
///
/// # Errors
/// As [`device`].
///
/// # Example
/// ```
/// reloss::ops::check_device()?;
/// # Ok::<(), reloss::Error>(())
/// ```
pub fn check_device() -> Result<()> {
    device().map(drop)
}

/// Asks the driver first: the bindings panic where it has no device.
#[cfg(feature = "cuda")]
fn open() -> Result<Dev> {
    extern "C" {
        fn cuInit(flags: std::ffi::c_uint) -> std::ffi::c_int;
    }
    let at_all = |error: Error| match error {
        Error::Device(reason) => {
            Error::Device(format!("{reason}; built without `--features cuda`, the library runs on the CPU"))
        }
        other => other,
    };
    // SAFETY: a function of the driver that may be called at any time, from any thread, any number of times.
    match unsafe { cuInit(0) } {
        0 => Dev::try_build(0, 0).map_err(|error| at_all(error.into())),
        code => Err(at_all(Error::cuda(code as u32))),
    }
}

/// A tensor of shape (rows, columns) from row-major values.
///
/// # Errors
/// [`Error::Shape`] when `values` has not `rows * columns` entries, [`Error::Device`] when the device refuses.
///
/// # Example
/// ```
/// let m = reloss::ops::matrix(vec![1.0, 2.0, 3.0, 4.0], 2, 2)?;
/// assert_eq!(reloss::ops::host(&m), [1.0, 2.0, 3.0, 4.0]);
/// # Ok::<(), reloss::Error>(())
/// ```
pub fn matrix(values: Vec<f32>, rows: usize, columns: usize) -> Result<Matrix> {
    if values.len() != rows * columns {
        let expected = format!("{rows} x {columns} values");
        return Err(Error::shape("matrix", expected, values.len()));
    }
    Ok(device()?.try_tensor_from_vec(values, (rows, columns))?)
}

/// The values of a tensor in row-major order.
pub fn host<S: Shape, T>(tensor: &Tensor<S, f32, Dev, T>) -> Vec<f32> {
    // `as_vec` follows strides, so views (transposed, broadcast) come out in logical order.
    tensor.as_vec()
}

/// The values of a matrix that lies in memory as it reads: one copy of the block, where [`host`] goes value by value.
#[cfg(not(feature = "composed"))]
pub(super) fn contents(contiguous: &Matrix) -> Vec<f32> {
    let &(rows, columns) = contiguous.shape();
    let mut values = vec![0.0; rows * columns];
    contiguous.copy_into(&mut values);
    values
}

/// As [`host`], of a matrix on any tape: one copy of the block where it lies in memory as it reads.
#[cfg(not(feature = "composed"))]
pub(super) fn block<T>(matrix: &Matrix<T>) -> Result<Vec<f32>> {
    Ok(contents(&matrix.retaped::<NoneTape>().try_contiguous()?))
}

/// The value of a tensor with one element.
pub fn scalar<T>(tensor: &crate::Scalar<T>) -> f32 {
    tensor.as_vec()[0]
}
