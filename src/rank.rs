//! Ranks: exact ones with every tie rule, soft ones from sorting networks.

use dfdx::prelude::Tape;

use crate::error::{check_finite, Result};
use crate::sort::{self, SoftSort};
use crate::{Dev, Matrix};

/// What equal values receive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Ties {
    /// The mean of the places they take: what Spearman's correlation needs.
    #[default]
    Average,
    /// The first place they take ("competition ranking").
    Min,
    /// The last place they take.
    Max,
    /// One more than the next smaller value's: no gaps.
    Dense,
    /// Distinct places in order of appearance.
    Ordinal,
}

/// The 1-based ranks of values, smallest first.
///
/// -0 and 0 tie. An empty list has no ranks: the result is empty.
///
/// # Errors
/// [`crate::Error::NotFinite`] for NaN or infinite values.
///
/// # Example
/// ```
/// use reloss::rank::{rank, Ties};
/// let values = [0.0, 2.0, 3.0, 2.0];
/// assert_eq!(rank(&values, Ties::Average)?, [1.0, 2.5, 4.0, 2.5]);
/// assert_eq!(rank(&values, Ties::Dense)?, [1.0, 2.0, 3.0, 2.0]);
/// assert!(rank(&[1.0, f64::NAN], Ties::Average).is_err());
/// # Ok::<(), reloss::Error>(())
/// ```
///
/// # Reference
/// The rules and names are those of R's `rank` and SciPy's `rankdata`.
pub fn rank(values: &[f64], ties: Ties) -> Result<Vec<f64>> {
    check_finite("rank", values)?;
    let order = sort::order::ascending(values);
    let mut ranks = vec![0.0; values.len()];
    let mut first = 0;
    let groups = order.chunk_by(|&a, &b| values[a] == values[b]);
    for (distinct, group) in groups.enumerate() {
        let last = first + group.len();
        for (offset, &index) in group.iter().enumerate() {
            ranks[index] = match ties {
                Ties::Average => (first + 1 + last) as f64 / 2.0,
                Ties::Min => (first + 1) as f64,
                Ties::Max => last as f64,
                Ties::Dense => (distinct + 1) as f64,
                Ties::Ordinal => (first + 1 + offset) as f64,
            };
        }
        first = last;
    }
    Ok(ranks)
}

/// Differentiable 1-based ranks of every row; in ascending order the smallest value's is near 1.
///
/// By a network, rank i is Σ_j j·P\[i, j\] with `sort(x) = x @ P`, and the ranks of a row sum to n(n + 1)/2. P is never formed: the
/// places 1..n go back through the network's swap weights, in time and memory of the comparators. One operation on
/// the tape; rows are independent of each other, and of the number of threads. One value has rank 1 and gradient 0.
///
/// # Shapes
/// (rows, n) → (rows, n).
///
/// # Errors
/// [`crate::Error::Parameter`] for steepness or λ out of range, [`crate::Error::Shape`] for an empty matrix,
/// [`crate::Error::NotFinite`] for NaN or infinite values, [`crate::Error::Device`] when the device refuses.
///
/// # Example
/// ```
/// use dfdx::prelude::*;
/// use reloss::{rank::soft_rank, sort::SoftSort};
/// let x = reloss::Dev::default().tensor_from_vec(vec![30.0, 10.0, 20.0, 0.2, 0.1, 0.1], (2, 3));
/// let ranks = soft_rank(x.leaky_trace(), &SoftSort::default())?;
/// let shown: Vec<f32> = ranks.as_vec().iter().map(|r| (r * 10.0).round() / 10.0).collect();
/// assert_eq!(shown, [3.0, 1.0, 2.0, 2.2, 1.9, 1.9]);
/// // The sum of ranks is fixed: its gradient vanishes.
/// let gradients = ranks.sum::<(), _>().backward();
/// assert!(gradients.get(&x).as_vec().iter().all(|g| g.abs() < 1e-4));
/// # Ok::<(), reloss::Error>(())
/// ```
///
/// # Reference
/// Petersen et al., 2105.04019, for P; the matrix-free form is ours.
pub fn soft_rank<T: Tape<f32, Dev>>(x: Matrix<T>, soft: &SoftSort) -> Result<Matrix<T>> {
    sort::apply_soft("soft_rank", soft, sort::Output::Ranks, x)
}
