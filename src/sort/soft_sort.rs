//! One type for all ways to soften sorting.

use serde::{Deserialize, Serialize};

use super::{Pairwise, Permutahedron, Perturbed, SortingNetwork, Unimodal};
use crate::error::{Error, Result};

/// A way to soften sorting: goes wherever sorting or ranking is made differentiable.
///
/// | way | cost | sorts | ranks | permutation | keeps |
/// |---|---|---|---|---|---|
/// | [`SortingNetwork`] | O(n log² n) or O(n²) | yes | yes | doubly stochastic | sums of values and ranks |
/// | [`Permutahedron`] | O(n log n) | yes | yes | no | order; sums (quadratic) |
/// | [`Unimodal`] | O(n²) | yes | yes | columns sum to 1 | |
/// | [`Pairwise`] | O(n²) | no | yes | no | order; sum of ranks |
/// | [`Perturbed`] | O(n log n) a draw | no | yes | no | sum of ranks |
///
/// # Example
/// ```
/// use reloss::sort::{Permutahedron, SoftSort};
/// let soft: SoftSort = Permutahedron::default().into();
/// assert_eq!(soft.ranks(&[30.0, 10.0, 20.0])?, [3.0, 1.0, 2.0]);
/// # Ok::<(), reloss::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum SoftSort {
    /// A sorting network with softened comparators; the default, with its own default.
    Network(SortingNetwork),
    /// Projection onto the permutahedron.
    Permutahedron(Permutahedron),
    /// NeuralSort or SoftSort.
    Unimodal(Unimodal),
    /// A sigmoid of every pair; ranks only.
    Pairwise(Pairwise),
    /// The mean over noise; ranks only, gradients estimated.
    Perturbed(Perturbed),
}

impl Default for SoftSort {
    fn default() -> Self {
        Self::Network(SortingNetwork::default())
    }
}

macro_rules! from {
    ($($way:ident: $type:ty),*) => {$(
        impl From<$type> for SoftSort {
            fn from(way: $type) -> Self {
                Self::$way(way)
            }
        }
    )*};
}

from!(
    Network: SortingNetwork,
    Permutahedron: Permutahedron,
    Unimodal: Unimodal,
    Pairwise: Pairwise,
    Perturbed: Perturbed
);

impl SoftSort {
    /// The values in soft ascending order.
    ///
    /// # Errors
    /// [`Error::Parameter`] for options out of range or a way that does not sort, [`Error::Shape`] for an
    /// empty list, [`Error::NotFinite`] for NaN or infinite values.
    ///
    /// # Example
    /// ```
    /// use reloss::sort::{Pairwise, SoftSort};
    /// assert!(SoftSort::from(Pairwise::default()).sorted(&[1.0]).is_err());
    /// ```
    pub fn sorted(&self, values: &[f64]) -> Result<Vec<f64>> {
        match self {
            Self::Network(way) => way.sorted(values),
            Self::Permutahedron(way) => way.sorted(values),
            Self::Unimodal(way) => way.sorted(values),
            Self::Pairwise(_) | Self::Perturbed(_) => Err(self.without("soft sort")),
        }
    }

    /// The soft ranks of the values, from 1 (smallest) to n.
    ///
    /// # Errors
    /// As [`SoftSort::sorted`].
    pub fn ranks(&self, values: &[f64]) -> Result<Vec<f64>> {
        match self {
            Self::Network(way) => way.ranks(values),
            Self::Permutahedron(way) => way.ranks(values),
            Self::Unimodal(way) => way.ranks(values),
            Self::Pairwise(way) => way.ranks(values),
            Self::Perturbed(way) => way.ranks(values),
        }
    }

    /// The soft permutation matrix P, row-major: row = input, column = place; `sort(x) = x @ P`.
    ///
    /// # Errors
    /// As [`SoftSort::sorted`].
    pub fn permutation(&self, values: &[f64]) -> Result<Vec<f64>> {
        match self {
            Self::Network(way) => way.permutation(values),
            Self::Unimodal(way) => way.permutation(values),
            Self::Permutahedron(_) | Self::Pairwise(_) | Self::Perturbed(_) => {
                Err(self.without("permutation matrix"))
            }
        }
    }

    /// The gradient of Σ_i cotangent\[i\]·sorted\[i\] with respect to the values.
    ///
    /// # Errors
    /// As [`SoftSort::sorted`]; also [`Error::Shape`] for a cotangent of another length.
    pub fn sorted_gradient(&self, values: &[f64], cotangent: &[f64]) -> Result<Vec<f64>> {
        match self {
            Self::Network(way) => way.sorted_gradient(values, cotangent),
            Self::Permutahedron(way) => way.sorted_gradient(values, cotangent),
            Self::Unimodal(way) => way.sorted_gradient(values, cotangent),
            Self::Pairwise(_) | Self::Perturbed(_) => Err(self.without("soft sort")),
        }
    }

    /// The gradient of Σ_i cotangent\[i\]·ranks\[i\] with respect to the values.
    ///
    /// # Errors
    /// As [`SoftSort::sorted_gradient`].
    pub fn ranks_gradient(&self, values: &[f64], cotangent: &[f64]) -> Result<Vec<f64>> {
        match self {
            Self::Network(way) => way.ranks_gradient(values, cotangent),
            Self::Permutahedron(way) => way.ranks_gradient(values, cotangent),
            Self::Unimodal(way) => way.ranks_gradient(values, cotangent),
            Self::Pairwise(way) => way.ranks_gradient(values, cotangent),
            Self::Perturbed(way) => way.ranks_gradient(values, cotangent),
        }
    }

    /// The gradient of Σ cotangent·permutation (both row-major) with respect to the values.
    ///
    /// # Errors
    /// As [`SoftSort::sorted_gradient`].
    pub fn permutation_gradient(&self, values: &[f64], cotangent: &[f64]) -> Result<Vec<f64>> {
        match self {
            Self::Network(way) => way.permutation_gradient(values, cotangent),
            Self::Unimodal(way) => way.permutation_gradient(values, cotangent),
            Self::Permutahedron(_) | Self::Pairwise(_) | Self::Perturbed(_) => {
                Err(self.without("permutation matrix"))
            }
        }
    }

    /// Refuses options out of range and a shape (rows, columns) with nothing in it.
    pub(crate) fn check(&self, op: &'static str, shape: (usize, usize)) -> Result<()> {
        match self {
            Self::Network(way) => way.check_options()?,
            Self::Permutahedron(way) => way.check_options()?,
            Self::Unimodal(way) => way.check_options()?,
            Self::Pairwise(way) => way.check_options()?,
            Self::Perturbed(way) => way.check_options()?,
        }
        match shape {
            (0, _) | (_, 0) => Err(Error::shape(op, "at least one value", format!("{shape:?}"))),
            _ => Ok(()),
        }
    }

    /// On CUDA the networks only: they alone have a form made of dfdx's operations.
    #[cfg(feature = "cuda")]
    pub(crate) fn network(&self) -> Result<&SortingNetwork> {
        match self {
            Self::Network(network) => Ok(network),
            _ => Err(Error::parameter("sort", format!("on CUDA a sorting network is needed, not {self:?}"))),
        }
    }

    fn without(&self, what: &str) -> Error {
        Error::parameter("sort", format!("{self:?} has no {what}"))
    }
}
