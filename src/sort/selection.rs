//! What is read off a soft order: quantiles and the largest k.

use dfdx::prelude::{HasShape, Tape, TensorFromVec, TryMatMul};

use super::{soft_permutation, soft_sort, SoftSort};
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

/// How much each value belongs to the k largest of its row: its shares of the last k places.
///
/// # Shapes
/// (rows, n) → (rows, n), entries in \[0, 1\]; by a sorting network each row sums to k.
///
/// # Errors
/// [`Error::Parameter`] for a k that is not in 1..=n, or a way without a permutation matrix; otherwise as
/// [`soft_permutation`].
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
pub fn soft_top_k<T: Tape<f32, Dev>>(x: Matrix<T>, k: usize, soft: &SoftSort) -> Result<Matrix<T>> {
    use dfdx::prelude::ReshapeTo;
    let (rows, n) = *x.shape();
    if k == 0 || k > n {
        return Err(Error::parameter("k", format!("{k} is not in 1..={n}")));
    }
    let places = (0..n).map(|place| if place + k >= n { 1.0 } else { 0.0 }).collect();
    let p = soft_permutation(x, soft)?.try_reshape_like(&(rows * n, n))?;
    let places = p.device().try_tensor_from_vec(places, (n, 1))?;
    Ok(p.try_matmul(places)?.try_reshape_like(&(rows, n))?)
}
