//! One type for all ways to soften sorting.

use serde::{Deserialize, Serialize};

use super::checks::{check_values, OnList};
use super::frame::{Framed, Order, Scale};
use super::row::Output;
use super::{Pairwise, Permutahedron, Perturbed, Sinkhorn, SortingNetwork, Unimodal};
use crate::error::{Error, Result};

/// A way to soften sorting, with its own options.
///
/// | way | cost | sorts | ranks | top k | argsort, permutation | keeps |
/// |---|---|---|---|---|---|---|
/// | [`SortingNetwork`] | O(n log² n) or O(n²) | yes | yes | yes | doubly stochastic | sums of values and ranks |
/// | [`Permutahedron`] | O(n log n) | yes | yes | yes | no | order; sums (quadratic) |
/// | [`Unimodal`] | O(n²) | yes | yes | yes | columns sum to 1 | |
/// | [`Sinkhorn`] | O(n²) an iteration | yes | yes | yes | columns sum to 1, rows nearly | sum of ranks, nearly |
/// | [`Pairwise`] | O(n²) | no | yes | no | no | order; sum of ranks |
/// | [`Perturbed`] | O(n log n) a draw | no | yes | yes | no | sum of ranks |
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Way {
    /// A sorting network with softened comparators; the default, with its own default.
    Network(SortingNetwork),
    /// Projection onto the permutahedron.
    Permutahedron(Permutahedron),
    /// NeuralSort or SoftSort.
    Unimodal(Unimodal),
    /// Optimal transport to the places.
    Sinkhorn(Sinkhorn),
    /// A sigmoid of every pair; ranks only.
    Pairwise(Pairwise),
    /// The mean over noise; what places give only, gradients estimated.
    Perturbed(Perturbed),
}

impl Default for Way {
    fn default() -> Self {
        Self::Network(SortingNetwork::default())
    }
}

/// How to soften sorting: goes wherever sorting or ranking is made differentiable.
///
/// Any way converts into it, with ascending order and differences as they are. All outputs follow `order`: in
/// descending order the largest value has rank 1 and the first place. What a way does not have is an error.
///
/// # Example
/// ```
/// use reloss::sort::{Order, Permutahedron, Scale, SoftSort};
/// let soft: SoftSort = Permutahedron { strength: 0.1, ..Permutahedron::default() }.into();
/// assert_eq!(soft.ranks(&[30.0, 10.0, 20.0])?, [3.0, 1.0, 2.0]);
/// let largest_first = SoftSort { order: Order::Descending, ..soft };
/// assert_eq!(largest_first.sorted(&[30.0, 10.0, 20.0])?, [30.0, 20.0, 10.0]);
/// // Without a unit of its own a list's scale decides how soft its ranks are.
/// let unit = SoftSort { scale: Scale::Deviation, ..SoftSort::default() };
/// let (small, large) = (unit.ranks(&[0.001, 0.002, 0.004])?, unit.ranks(&[1.0, 2.0, 4.0])?);
/// assert!(small.iter().zip(&large).all(|(a, b)| (a - b).abs() < 1e-9));
/// # Ok::<(), reloss::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SoftSort {
    /// The way. Default: the network of ReLoss's released code.
    pub way: Way,
    /// Which end comes first. Default: ascending.
    pub order: Order,
    /// The unit of differences. Default: as they are.
    pub scale: Scale,
}

macro_rules! from {
    ($($way:ident: $type:ty),*) => {$(
        impl From<$type> for SoftSort {
            fn from(way: $type) -> Self {
                Self { way: Way::$way(way), ..Self::default() }
            }
        }
    )*};
}

from!(
    Network: SortingNetwork,
    Permutahedron: Permutahedron,
    Unimodal: Unimodal,
    Sinkhorn: Sinkhorn,
    Pairwise: Pairwise,
    Perturbed: Perturbed
);

/// Calls a method that all ways have.
macro_rules! each_way {
    ($way:expr, $method:ident($($argument:expr),*)) => {
        match $way {
            Way::Network(way) => way.$method($($argument),*),
            Way::Permutahedron(way) => way.$method($($argument),*),
            Way::Unimodal(way) => way.$method($($argument),*),
            Way::Sinkhorn(way) => way.$method($($argument),*),
            Way::Pairwise(way) => way.$method($($argument),*),
            Way::Perturbed(way) => way.$method($($argument),*),
        }
    };
}

impl SoftSort {
    /// The same way, `factor` times as sharp: steepness times, temperature and the like divided by the factor.
    ///
    /// # Example
    /// ```
    /// use reloss::sort::{Pairwise, SoftSort, Way};
    /// let sharper = SoftSort::from(Pairwise { temperature: 1.0 }).sharpened(4.0);
    /// assert_eq!(sharper.way, Way::Pairwise(Pairwise { temperature: 0.25 }));
    /// ```
    pub fn sharpened(mut self, factor: f64) -> Self {
        match &mut self.way {
            Way::Network(way) => way.steepness *= factor,
            Way::Permutahedron(way) => way.strength /= factor,
            Way::Unimodal(way) => way.temperature /= factor,
            Way::Sinkhorn(way) => way.temperature /= factor,
            Way::Pairwise(way) => way.temperature /= factor,
            Way::Perturbed(way) => way.sigma /= factor,
        }
        self
    }

    /// The values in soft order.
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
        self.evaluate("sorted", Output::Values, values)
    }

    /// The soft ranks of the values, from 1 (the first place) to n.
    ///
    /// # Errors
    /// As [`SoftSort::sorted`].
    pub fn ranks(&self, values: &[f64]) -> Result<Vec<f64>> {
        self.evaluate("ranks", Output::Ranks, values)
    }

    /// How much each value belongs to the last k places, 0 to 1: in ascending order, to the k largest.
    ///
    /// The permutahedron projects onto the convex hull of the lists with k ones; others sum the shares of those
    /// places.
    ///
    /// # Errors
    /// As [`SoftSort::sorted`]; also [`Error::Parameter`] for a k that is not in 1..=n.
    ///
    /// # Example
    /// ```
    /// use reloss::sort::{Permutahedron, SoftSort};
    /// let soft: SoftSort = Permutahedron { strength: 2.0, ..Permutahedron::default() }.into();
    /// assert_eq!(soft.top_k(&[5.0, 1.0, 2.0], 2)?, [1.0, 0.25, 0.75]);
    /// # Ok::<(), reloss::Error>(())
    /// ```
    pub fn top_k(&self, values: &[f64], k: usize) -> Result<Vec<f64>> {
        check_k(k, values.len())?;
        self.evaluate("top_k", Output::Last(k), values)
    }

    /// The soft index, from 0, of the value at each place.
    ///
    /// # Errors
    /// As [`SoftSort::sorted`].
    ///
    /// # Example
    /// ```
    /// let order = reloss::sort::SoftSort::default().argsort(&[30.0, 10.0, 20.0])?;
    /// assert!(order.iter().zip([1.0, 2.0, 0.0]).all(|(soft, hard)| (soft - hard).abs() < 1e-6));
    /// # Ok::<(), reloss::Error>(())
    /// ```
    pub fn argsort(&self, values: &[f64]) -> Result<Vec<f64>> {
        self.evaluate("argsort", Output::Indices, values)
    }

    /// The soft permutation matrix P, row-major: row = input, column = place; `sort(x) = x @ P`.
    ///
    /// # Errors
    /// As [`SoftSort::sorted`].
    pub fn permutation(&self, values: &[f64]) -> Result<Vec<f64>> {
        self.evaluate("permutation", Output::Permutation, values)
    }

    /// The gradient of Σ_i cotangent\[i\]·sorted\[i\] with respect to the values.
    ///
    /// # Errors
    /// As [`SoftSort::sorted`]; also [`Error::Shape`] for a cotangent of another length.
    pub fn sorted_gradient(&self, values: &[f64], cotangent: &[f64]) -> Result<Vec<f64>> {
        self.gradient("sorted_gradient", Output::Values, values, cotangent)
    }

    /// The gradient of Σ_i cotangent\[i\]·ranks\[i\] with respect to the values.
    ///
    /// # Errors
    /// As [`SoftSort::sorted_gradient`].
    pub fn ranks_gradient(&self, values: &[f64], cotangent: &[f64]) -> Result<Vec<f64>> {
        self.gradient("ranks_gradient", Output::Ranks, values, cotangent)
    }

    /// The gradient of Σ_i cotangent\[i\]·top_k\[i\] with respect to the values.
    ///
    /// # Errors
    /// As [`SoftSort::top_k`] and [`SoftSort::sorted_gradient`].
    pub fn top_k_gradient(&self, values: &[f64], k: usize, cotangent: &[f64]) -> Result<Vec<f64>> {
        check_k(k, values.len())?;
        self.gradient("top_k_gradient", Output::Last(k), values, cotangent)
    }

    /// The gradient of Σ_i cotangent\[i\]·argsort\[i\] with respect to the values.
    ///
    /// # Errors
    /// As [`SoftSort::sorted_gradient`].
    pub fn argsort_gradient(&self, values: &[f64], cotangent: &[f64]) -> Result<Vec<f64>> {
        self.gradient("argsort_gradient", Output::Indices, values, cotangent)
    }

    /// The gradient of Σ cotangent·permutation (both row-major) with respect to the values.
    ///
    /// # Errors
    /// As [`SoftSort::sorted_gradient`].
    pub fn permutation_gradient(&self, values: &[f64], cotangent: &[f64]) -> Result<Vec<f64>> {
        self.gradient("permutation_gradient", Output::Permutation, values, cotangent)
    }

    fn evaluate(&self, op: &'static str, output: Output, values: &[f64]) -> Result<Vec<f64>> {
        if Framed::is_plain(self.order, self.scale) {
            return each_way!(&self.way, evaluate(op, output, values));
        }
        check_values(op, values)?;
        let framed = Framed::new(values, self.order, self.scale);
        let mut out = each_way!(&self.way, evaluate(op, output, &framed.values))?;
        if output == Output::Values {
            framed.restore(&mut out);
        }
        Ok(out)
    }

    fn gradient(
        &self,
        op: &'static str,
        output: Output,
        values: &[f64],
        cotangent: &[f64],
    ) -> Result<Vec<f64>> {
        if Framed::is_plain(self.order, self.scale) {
            return each_way!(&self.way, gradient(op, output, values, cotangent));
        }
        check_values(op, values)?;
        let framed = Framed::new(values, self.order, self.scale);
        if output != Output::Values {
            let on_framed = each_way!(&self.way, gradient(op, output, &framed.values, cotangent))?;
            return Ok(framed.pull_back(&on_framed, None));
        }
        let sorted = each_way!(&self.way, evaluate(op, output, &framed.values))?;
        let on_sorted = framed.cotangent(cotangent);
        let on_framed = each_way!(&self.way, gradient(op, output, &framed.values, &on_sorted))?;
        Ok(framed.pull_back(&on_framed, Some((&sorted, cotangent))))
    }

    /// Refuses options out of range and a shape (rows, columns) with nothing in it.
    pub(crate) fn check(&self, op: &'static str, shape: (usize, usize)) -> Result<()> {
        each_way!(&self.way, check_options())?;
        match shape {
            (0, _) | (_, 0) => Err(Error::shape(op, "at least one value", format!("{shape:?}"))),
            _ => Ok(()),
        }
    }

    pub(super) fn without(&self, output: Output) -> Error {
        Error::parameter("sort", format!("{:?} has no {}", self.way, output.name()))
    }
}

/// Refuses a k that n places do not have.
pub(super) fn check_k(k: usize, n: usize) -> Result<()> {
    if k == 0 || k > n {
        return Err(Error::parameter("k", format!("{k} is not in 1..={n}")));
    }
    Ok(())
}
