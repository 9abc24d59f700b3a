//! Differentiable sorting: soft sorts, soft ranks and soft permutations.
//!
//! [`SoftSort`] chooses the way. A sorting network is a fixed sequence of comparators ([`Network`]); each hard swap
//! becomes a mixture of both orders with a weight that depends smoothly on the difference ([`Relaxation`]);
//! [`SortingNetwork`] joins the two with a steepness. A layer is then a doubly stochastic matrix with two numbers a
//! row, and `sort(x) = x @ P` with P the product of the layers. [`Permutahedron`], [`Unimodal`], [`Pairwise`] and
//! [`Perturbed`] do without a network.

mod checks;
pub mod composed;
mod fused;
mod kernel;
mod list;
mod network;
pub(crate) mod order;
mod pairwise;
mod permutahedron;
mod perturbed;
mod real;
mod relaxation;
mod row;
mod selection;
mod soft_sort;
mod sorting_network;
mod unimodal;

pub use network::Network;
pub use pairwise::Pairwise;
pub use permutahedron::{isotonic_decreasing, Permutahedron, Regularization};
pub use perturbed::Perturbed;
#[cfg(test)]
pub(crate) use real::normal_cdf_exact;
pub use relaxation::Relaxation;
pub use selection::{soft_quantile, soft_top_k};
pub use soft_sort::SoftSort;
pub use sorting_network::{log_sum_exp_sorted, SortingNetwork};
pub use unimodal::{Unimodal, Unimodality};

#[cfg(not(feature = "cuda"))]
pub(crate) use fused::{apply, RowOp};
#[cfg(not(feature = "cuda"))]
pub(crate) use list::ListOp;
#[cfg(not(feature = "cuda"))]
pub(crate) use row::{NetworkOp, Output};

use crate::error::Result;
#[cfg(doc)]
use crate::Error;
use crate::{Dev, Matrix};
use dfdx::prelude::{HasShape, NoneTape, Tape, Tensor};

/// One square matrix per row: shape (rows, n, n); `T` is its tape.
pub type Matrices<T = NoneTape> = Tensor<(usize, usize, usize), f32, Dev, T>;

/// Sorts every row softly, smallest value first.
///
/// One operation on the tape with its own backward pass; rows are independent of each other.
///
/// # Shapes
/// (rows, n) → (rows, n).
///
/// # Errors
/// [`Error::Parameter`] for steepness or λ out of range, [`Error::Shape`] for an empty matrix,
/// [`Error::NotFinite`] for NaN or infinite values, [`Error::Device`] when the device refuses.
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
    let shape = *x.shape();
    soft.check("soft_sort", shape)?;
    #[cfg(not(feature = "cuda"))]
    return apply_soft("soft_sort", soft, Output::Values, x, shape);
    #[cfg(feature = "cuda")]
    return composed::soft_sort(x, soft.network()?);
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
    soft.check("soft_permutation", (rows, n))?;
    #[cfg(not(feature = "cuda"))]
    return apply_soft("soft_permutation", soft, Output::Permutation, x, (rows, n, n));
    #[cfg(feature = "cuda")]
    return composed::soft_permutation(x, soft.network()?);
}

/// Reads `output` off every row of `x`, in the way `soft` says.
#[cfg(not(feature = "cuda"))]
pub(crate) fn apply_soft<S: dfdx::prelude::Shape, T: Tape<f32, Dev>>(
    name: &'static str,
    soft: &SoftSort,
    output: Output,
    x: Matrix<T>,
    shape: S,
) -> Result<Tensor<S, f32, Dev, T>> {
    let n = x.shape().1;
    match soft {
        SoftSort::Network(network) => apply(name, NetworkOp::new(network, output, n), x, shape),
        other => apply(name, ListOp::new(other, output, n), x, shape),
    }
}
