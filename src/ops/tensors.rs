//! Between host slices and device tensors.

#[cfg(not(feature = "cuda"))]
use std::sync::OnceLock;

use dfdx::prelude::*;

use crate::error::{Error, Result};
use crate::{Dev, Matrix};

/// The shared device; clones share one cache of freed buffers.
#[cfg(not(feature = "cuda"))]
pub fn device() -> Dev {
    static DEVICE: OnceLock<Dev> = OnceLock::new();
    DEVICE.get_or_init(Dev::default).clone()
}

/// The shared device of this thread: CUDA's stream may not be shared between threads.
#[cfg(feature = "cuda")]
pub fn device() -> Dev {
    thread_local!(static DEVICE: Dev = Dev::default());
    DEVICE.with(Clone::clone)
}

/// Whether tensors can be made: always on the CPU; with `--features cuda`, whether there is a GPU to make them on.
///
/// Without one, everything else in this library panics in that build: ask first.
///
/// # Errors
/// [`Error::Device`] with the driver's reason.
///
/// # Example
/// ```
/// reloss::ops::check_device()?;
/// # Ok::<(), reloss::Error>(())
/// ```
pub fn check_device() -> Result<()> {
    #[cfg(feature = "cuda")]
    cuda_ready()?;
    Ok(())
}

/// Asks the driver first: the bindings panic where it has no device.
#[cfg(feature = "cuda")]
fn cuda_ready() -> Result<()> {
    extern "C" {
        fn cuInit(flags: std::ffi::c_uint) -> std::ffi::c_int;
    }
    let refused = |reason: String| {
        Err(Error::Device(format!("{reason}; built without `--features cuda`, the library runs on the CPU")))
    };
    // SAFETY: a function of the driver that may be called at any time, from any thread, any number of times.
    match unsafe { cuInit(0) } {
        0 => Dev::try_build(0, 0).map(|_| ()).or_else(|error| refused(error.to_string())),
        // Codes of CUDA's driver API.
        100 => refused("this machine has no NVIDIA GPU or no driver".to_string()),
        35 | 803 => refused("the NVIDIA driver is older than this build's CUDA".to_string()),
        code => refused(format!("the NVIDIA driver cannot start (CUDA error {code})")),
    }
}

/// A tensor of shape (rows, columns) from row-major values.
///
/// # Errors
/// [`Error::Shape`] when `values` has not `rows * columns` entries.
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
    Ok(device().try_tensor_from_vec(values, (rows, columns))?)
}

/// The values of a tensor in row-major order.
pub fn host<S: Shape, T>(tensor: &Tensor<S, f32, Dev, T>) -> Vec<f32> {
    // `as_vec` follows strides, so views (transposed, broadcast) come out in logical order.
    tensor.as_vec()
}

/// The values of a matrix that lies in memory as it reads: one copy of the block, where [`host`] goes value by value.
#[cfg(not(feature = "cuda"))]
pub(super) fn contents(contiguous: &Matrix) -> Vec<f32> {
    let &(rows, columns) = contiguous.shape();
    let mut values = vec![0.0; rows * columns];
    contiguous.copy_into(&mut values);
    values
}

/// As [`host`], of a matrix on any tape: one copy of the block where it lies in memory as it reads.
#[cfg(not(feature = "cuda"))]
pub(super) fn block<T>(matrix: &Matrix<T>) -> Result<Vec<f32>> {
    Ok(contents(&matrix.retaped::<NoneTape>().try_contiguous()?))
}

/// The value of a tensor with one element.
pub fn scalar<T>(tensor: &crate::Scalar<T>) -> f32 {
    tensor.as_vec()[0]
}
