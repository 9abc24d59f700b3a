//! Differentiable sorting: soft sorts, soft ranks and soft permutations.
//!
//! [`SoftSort`] chooses the way. A sorting network is a fixed sequence of comparators ([`Network`]); each hard swap
//! becomes a mixture of both orders with a weight that depends smoothly on the difference ([`Relaxation`]);
//! [`SortingNetwork`] joins the two with a steepness. A layer is then a doubly stochastic matrix with two numbers a
//! row, and `sort(x) = x @ P` with P the product of the layers. [`Permutahedron`], [`Unimodal`], [`Sinkhorn`],
//! [`Pairwise`] and [`Perturbed`] do without a network.

mod annealing;
mod checks;
pub mod composed;
mod frame;
mod fused;
mod kernel;
mod network;
pub(crate) mod order;
mod pair_sums;
mod pairwise;
mod permutahedron;
mod perturbed;
mod real;
mod relaxation;
mod row;
mod selection;
mod shares;
mod sinkhorn;
mod soft_op;
mod soft_sort;
mod sorting_network;
mod unimodal;

pub use annealing::{Annealing, Course};
pub use frame::{Order, Scale};
pub use network::Network;
pub use pairwise::Pairwise;
pub use permutahedron::{isotonic_decreasing, Permutahedron, Regularization};
pub use perturbed::Perturbed;
#[cfg(test)]
pub(crate) use real::normal_cdf_exact;
#[cfg(not(feature = "composed"))]
pub(crate) use relaxation::logistic;
pub use relaxation::Relaxation;
pub use selection::{soft_quantile, soft_top_k};
pub use sinkhorn::Sinkhorn;
pub use soft_sort::{SoftSort, Way};
pub use sorting_network::{log_sum_exp_sorted, SortingNetwork};
pub use unimodal::{Unimodal, Unimodality};

#[cfg(not(feature = "composed"))]
pub(crate) use fused::{apply, RowOp};
#[cfg(not(feature = "composed"))]
pub(crate) use pair_sums::pair_sums;
pub(crate) use row::Output;
#[cfg(not(feature = "composed"))]
pub(crate) use soft_op::{SoftOp, SoftTrace};

use crate::error::Result;
#[cfg(doc)]
use crate::Error;
use crate::{Dev, Matrix};
use dfdx::prelude::{HasShape, NoneTape, ReshapeTo, Tape, Tensor};

/// One square matrix per row: shape (rows, n, n); `T` is its tape.
pub type Matrices<T = NoneTape> = Tensor<(usize, usize, usize), f32, Dev, T>;

/// Sorts every row softly.
///
/// One operation on the tape with its own backward pass; rows are independent of each other.
///
/// # Shapes
/// (rows, n) → (rows, n).
///
/// # Errors
/// [`Error::Parameter`] for options out of range or a way that does not sort, [`Error::Shape`] for an empty
/// matrix, [`Error::NotFinite`] for NaN or infinite values, [`Error::Device`] when the device refuses.
///
/// # Example
/// ```
/// use dfdx::prelude::*;
/// use reloss::sort::{soft_sort, Relaxation, SortingNetwork};
/// let x = reloss::Dev::default().tensor_from_vec(vec![3.0, 2.0], (1, 2));
/// let soft = SortingNetwork { relaxation: Relaxation::Reciprocal, steepness: 2.0, ..SortingNetwork::default() };
/// assert_eq!(soft_sort(x, &soft.into())?.as_vec(), [2.25, 2.75]);
/// # Ok::<(), reloss::Error>(())
/// ```
///
/// # Reference
/// Petersen et al., "Differentiable sorting networks for scalable sorting and ranking supervision", 2105.04019.
pub fn soft_sort<T: Tape<f32, Dev>>(x: Matrix<T>, soft: &SoftSort) -> Result<Matrix<T>> {
    apply_soft("soft_sort", soft, Output::Values, x)
}

/// The soft index, from 0, of the value at each place of every row.
///
/// # Shapes
/// (rows, n) → (rows, n).
///
/// # Errors
/// As [`soft_sort`].
///
/// # Example
/// ```
/// use reloss::ops::{host, matrix};
/// use reloss::sort::{soft_argsort, SoftSort};
/// let order = host(&soft_argsort(matrix(vec![30.0, 10.0, 20.0], 1, 3)?, &SoftSort::default())?);
/// assert!(order.iter().zip([1.0, 2.0, 0.0]).all(|(soft, hard)| (soft - hard).abs() < 1e-5));
/// # Ok::<(), reloss::Error>(())
/// ```
///
/// # Reference
/// As [`soft_sort`]; (0, …, n − 1)·P without the matrix is ours.
pub fn soft_argsort<T: Tape<f32, Dev>>(x: Matrix<T>, soft: &SoftSort) -> Result<Matrix<T>> {
    apply_soft("soft_argsort", soft, Output::Indices, x)
}

/// The soft permutation matrix of every row.
///
/// Costs O(n) times what ranks or sorted values cost: use [`soft_sort`] or [`crate::rank::soft_rank`] where they
/// do.
///
/// # Shapes
/// (rows, n) → (rows, n, n); `P[row, i, j]` is the share of input i at place j (from 0), `sort(x) = x @ P`.
///
/// # Errors
/// As [`soft_sort`].
///
/// # Example
/// ```
/// use dfdx::prelude::*;
/// use reloss::sort::{soft_permutation, Relaxation, SortingNetwork};
/// let x = reloss::Dev::default().tensor_from_vec(vec![3.0, 2.0], (1, 2));
/// let soft = SortingNetwork { relaxation: Relaxation::Reciprocal, steepness: 2.0, ..SortingNetwork::default() };
/// assert_eq!(soft_permutation(x, &soft.into())?.as_vec(), [0.25, 0.75, 0.75, 0.25]);
/// # Ok::<(), reloss::Error>(())
/// ```
///
/// # Reference
/// As [`soft_sort`].
pub fn soft_permutation<T: Tape<f32, Dev>>(x: Matrix<T>, soft: &SoftSort) -> Result<Matrices<T>> {
    let (rows, n) = *x.shape();
    let flat = apply_soft("soft_permutation", soft, Output::Permutation, x)?;
    Ok(flat.try_reshape_like(&(rows, n, n))?)
}

/// Reads `output` off every row of `x`, in the way `soft` says: (rows, n) → (rows, numbers that come out).
pub(crate) fn apply_soft<T: Tape<f32, Dev>>(
    name: &'static str,
    soft: &SoftSort,
    output: Output,
    x: Matrix<T>,
) -> Result<Matrix<T>> {
    let (rows, n) = *x.shape();
    soft.check(name, (rows, n))?;
    #[cfg(not(feature = "composed"))]
    return apply(name, SoftOp::new(soft, output, n)?, x, (rows, output.len(n)));
    #[cfg(feature = "composed")]
    return composed::evaluate(name, soft, output, x);
}
