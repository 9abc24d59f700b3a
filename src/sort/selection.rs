//! What is read off a soft order: quantiles and the largest k.

use dfdx::prelude::{HasShape, Tape, TensorFromVec, TryMatMul};

use super::row::Output;
use super::soft_sort::check_k;
use super::{apply_soft, soft_sort, SoftSort};
use crate::error::{Error, Result};
use crate::{Dev, Matrix};

/// The soft q-quantile of every row; q = 0.5 is the soft median.
///
/// Between two places the sorted values are interpolated linearly, as in NumPy.
///
/// # Shapes
/// (rows, n) → (rows, 1).
///
/// # Errors
/// [`Error::Parameter`] for a q outside \[0, 1\]; otherwise as [`soft_sort()`].
///
/// # Example
/// ```
/// use reloss::ops::{host, matrix};
/// use reloss::sort::{soft_quantile, Permutahedron};
/// let soft = Permutahedron { strength: 0.01, ..Permutahedron::default() }.into();
/// let x = matrix(vec![5.0, 1.0, 2.0, 4.0], 1, 4)?;
/// assert_eq!(host(&soft_quantile(x, 0.5, &soft)?), [3.0]);
/// # Ok::<(), reloss::Error>(())
/// ```
pub fn soft_quantile<T: Tape<f32, Dev>>(x: Matrix<T>, q: f64, soft: &SoftSort) -> Result<Matrix<T>> {
    if !(0.0..=1.0).contains(&q) {
        return Err(Error::parameter("q", format!("{q} is not in [0, 1]")));
    }
    let n = x.shape().1;
    let sorted = soft_sort(x, soft)?;
    let place = q * (n - 1) as f64;
    let below = (place.floor() as usize).min(n - 1);
    let mut weights = vec![0.0; n];
    weights[below] += (1.0 - place.fract()) as f32;
    weights[(below + 1).min(n - 1)] += place.fract() as f32;
    let weights = sorted.device().try_tensor_from_vec(weights, (n, 1))?;
    Ok(sorted.try_matmul(weights)?)
}

/// How much each value belongs to the last k places of its row: in ascending order, to the k largest.
///
/// # Shapes
/// (rows, n) → (rows, n), entries in \[0, 1\]; by a network, the quadratic permutahedron or noise each row sums to k.
///
/// # Errors
/// [`Error::Parameter`] for a k that is not in 1..=n; otherwise as [`soft_sort()`].
///
/// # Example
/// ```
/// use reloss::ops::{host, matrix};
/// use reloss::sort::{soft_top_k, SoftSort};
/// let x = matrix(vec![30.0, 10.0, 20.0], 1, 3)?;
/// let member = host(&soft_top_k(x, 2, &SoftSort::default())?);
/// assert!(member.iter().zip([1.0, 0.0, 1.0]).all(|(m, hard)| (m - hard).abs() < 1e-5));
/// # Ok::<(), reloss::Error>(())
/// ```
///
/// # Reference
/// By projection: Sander et al., "Fast, differentiable and sparse top-k", ICML 2023, section 3.
pub fn soft_top_k<T: Tape<f32, Dev>>(x: Matrix<T>, k: usize, soft: &SoftSort) -> Result<Matrix<T>> {
    check_k(k, x.shape().1)?;
    apply_soft("soft_top_k", soft, Output::Last(k), x)
}
