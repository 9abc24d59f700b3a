//! Soft sorting and ranking by projection onto the permutahedron, O(n log n).
//!
//! With ρ = (n, …, 1), the exact ranks of θ are the vertex of the permutahedron P(ρ) furthest along θ. A regularised
//! projection of θ/ε moves from that vertex towards the middle as ε grows; sorting swaps the two roles. Both come
//! down to isotonic regression, which pools adjacent violators; gradients are exact and cost O(n).

use serde::{Deserialize, Serialize};

use super::checks::{check_softness, OnList};
use super::order::{ascending, descending, Key};
use super::row::Output;
use super::SoftSort;
use crate::error::{check_finite, Result};
#[cfg(doc)]
use crate::Error;

/// What the projection onto the permutahedron is regularised by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Regularization {
    /// ½‖μ‖² ("l2"): Euclidean projection, piecewise linear; exact for well separated values.
    #[default]
    Quadratic,
    /// ⟨μ, log μ − 1⟩ ("kl"): smooth within its pieces; ranks stay positive.
    Entropic,
}

/// Soft sorts and ranks by projection onto the permutahedron.
///
/// # Example
/// ```
/// use reloss::sort::Permutahedron;
/// let soft = Permutahedron { strength: 2.0, ..Permutahedron::default() };
/// assert_eq!(soft.ranks(&[5.0, 1.0, 2.0])?, [3.0, 1.25, 1.75]);
/// assert_eq!(Permutahedron::default().ranks(&[5.0, 1.0, 2.0])?, [3.0, 1.0, 2.0]);
/// # Ok::<(), reloss::Error>(())
/// ```
///
/// # Reference
/// Blondel, Teboul, Berthet, Djolonga, "Fast differentiable sorting and ranking", ICML 2020, propositions 3 to 5.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Permutahedron {
    /// Default: quadratic (the paper's code).
    pub regularization: Regularization,
    /// ε, in \[1e-12, 1e12\]: larger is softer. Default: 1 (the paper's code).
    pub strength: f64,
}

impl Default for Permutahedron {
    fn default() -> Self {
        Self { regularization: Regularization::Quadratic, strength: 1.0 }
    }
}

/// Consecutive places, in descending order, that share one value of the isotonic regression.
#[derive(Clone, Copy, Debug)]
struct Pool {
    start: usize,
    end: usize,
    /// Of s, the side to be regressed, summed as the regression sums.
    s: f64,
    /// The same of w, the side it is compared with.
    w: f64,
    /// Larger where the regression's value is.
    value: f64,
}

/// How a regression sums the values of a pool.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Sum {
    /// Plainly; a pool's level is the mean. Quadratic.
    Mean,
    /// Logarithms of sums of exponentials, the level itself. Entropic, whatever the range.
    Logarithm,
    /// Sums of exponentials: the level is the logarithm. Entropic, where exponentials do not underflow.
    Exponential,
}

impl Sum {
    fn join(self, a: f64, b: f64) -> f64 {
        match self {
            Self::Mean | Self::Exponential => a + b,
            Self::Logarithm => log_sum_exp(a, b),
        }
    }

    fn pool(self, start: usize, end: usize, s: f64, w: f64) -> Pool {
        let value = match self {
            Self::Mean => (s - w) / (end - start) as f64,
            Self::Logarithm => s - w,
            Self::Exponential => s / w,
        };
        Pool { start, end, s, w, value }
    }

    /// The levels of s and w in a pool.
    fn levels(self, pool: &Pool) -> (f64, f64) {
        let len = (pool.end - pool.start) as f64;
        match self {
            Self::Mean => (pool.s / len, pool.w / len),
            Self::Logarithm => (pool.s, pool.w),
            Self::Exponential => (pool.s.ln(), pool.w.ln()),
        }
    }

    /// The pools of the non-increasing regression of s against w, by pooling adjacent violators.
    ///
    /// Equal neighbours are pooled too: of the subgradients at a kink, this is the symmetric one.
    #[inline(always)]
    fn pools(self, n: usize, sides: impl Fn(usize) -> (f64, f64)) -> Vec<Pool> {
        let mut pools: Vec<Pool> = Vec::with_capacity(n);
        for place in 0..n {
            let (s, w) = sides(place);
            let mut last = self.pool(place, place + 1, s, w);
            while let Some(before) = pools.pop_if(|before| before.value <= last.value) {
                let (s, w) = (self.join(before.s, last.s), self.join(before.w, last.w));
                last = self.pool(before.start, last.end, s, w);
            }
            pools.push(last);
        }
        pools
    }
}

/// ln(eᵃ + eᵇ) without overflow; either may be −∞.
fn log_sum_exp(a: f64, b: f64) -> f64 {
    if a == b {
        return a + std::f64::consts::LN_2;
    }
    a.max(b) + (-(a - b).abs()).exp().ln_1p()
}

/// The non-increasing list closest to `y` in the sum of squares, O(n).
///
/// # Errors
/// [`Error::NotFinite`] for NaN or infinite values.
///
/// # Example
/// ```
/// assert_eq!(reloss::sort::isotonic_decreasing(&[3.0, 1.0, 2.0])?, [3.0, 1.5, 1.5]);
/// # Ok::<(), reloss::Error>(())
/// ```
///
/// # Reference
/// Best, Chakravarti, "Active set algorithms for isotonic regression", Mathematical Programming 1990.
pub fn isotonic_decreasing(y: &[f64]) -> Result<Vec<f64>> {
    check_finite("isotonic_decreasing", y)?;
    let pools = Sum::Mean.pools(y.len(), |place| (y[place], 0.0));
    let value = |pool: Pool| vec![pool.value; pool.end - pool.start];
    Ok(pools.into_iter().flat_map(value).collect())
}

/// A projection with what its gradient needs.
#[derive(Clone, Debug)]
pub(super) struct Projected {
    /// The values' indices by place, in descending order.
    order: Vec<usize>,
    pools: Vec<Pool>,
    sum: Sum,
    /// What was taken off s before exponentials were summed.
    offset: f64,
    /// The sorted values from the first place on, or what places give, in the order of the values.
    result: Vec<f64>,
    /// The sorted values negated, where the result is their soft sort by entropy.
    side: Vec<f64>,
    /// Whether the result is the sorted values.
    sorts: bool,
}

impl Projected {
    pub(super) fn result(&self) -> &[f64] {
        &self.result
    }

    /// The values' indices by place.
    pub(super) fn order(&self) -> &[usize] {
        &self.order
    }

    fn by_place<V: Copy>(&self, of: impl Fn(&Pool) -> V) -> Vec<V> {
        self.pools.iter().flat_map(|pool| vec![of(pool); pool.end - pool.start]).collect()
    }

    /// The first place of every place's pool.
    pub(super) fn pool_starts(&self) -> Vec<usize> {
        self.by_place(|pool| pool.start)
    }

    /// The levels of s and w in every place's pool.
    pub(super) fn levels(&self) -> Vec<(f64, f64)> {
        self.by_place(|pool| {
            let (s, w) = self.sum.levels(pool);
            (s + self.offset, w)
        })
    }
}

/// Exponentials of differences below this keep their precision, and so do their sums.
const EXPONENTIAL_RANGE: f64 = 500.0;

impl Permutahedron {
    /// The values in soft ascending order.
    ///
    /// # Errors
    /// [`Error::Parameter`] for a strength out of range, [`Error::Shape`] for an empty list,
    /// [`Error::NotFinite`] for NaN or infinite values.
    ///
    /// # Example
    /// ```
    /// use reloss::sort::Permutahedron;
    /// let soft = Permutahedron { strength: 0.1, ..Permutahedron::default() };
    /// assert_eq!(soft.sorted(&[5.0, 1.0, 2.0])?, [1.0, 2.0, 5.0]);
    /// # Ok::<(), reloss::Error>(())
    /// ```
    pub fn sorted(&self, values: &[f64]) -> Result<Vec<f64>> {
        self.evaluate("sorted", Output::Values, values)
    }

    /// The soft ranks of the values, from 1 (smallest) to n.
    ///
    /// # Errors
    /// As [`Permutahedron::sorted`].
    ///
    /// # Example
    /// ```
    /// use reloss::sort::{Permutahedron, Regularization};
    /// let soft = Permutahedron { regularization: Regularization::Entropic, strength: 1e9 };
    /// // Softness without end: every rank is the mean rank.
    /// assert!(soft.ranks(&[5.0, 1.0, 2.0])?.iter().all(|r| (r - 2.0).abs() < 1e-6));
    /// # Ok::<(), reloss::Error>(())
    /// ```
    pub fn ranks(&self, values: &[f64]) -> Result<Vec<f64>> {
        self.evaluate("ranks", Output::Ranks, values)
    }

    /// The gradient of Σ_i cotangent\[i\]·sorted\[i\] with respect to the values.
    ///
    /// # Errors
    /// As [`Permutahedron::sorted`]; also [`Error::Shape`] for lists of different lengths.
    ///
    /// # Example
    /// ```
    /// use reloss::sort::Permutahedron;
    /// let soft = Permutahedron { strength: 0.01, ..Permutahedron::default() };
    /// // Sorting only permutes then: the last place holds the first value.
    /// let gradient = soft.sorted_gradient(&[50.0, 10.0, 20.0], &[0.0, 0.0, 1.0])?;
    /// assert_eq!(gradient, [1.0, 0.0, 0.0]);
    /// # Ok::<(), reloss::Error>(())
    /// ```
    pub fn sorted_gradient(&self, values: &[f64], cotangent: &[f64]) -> Result<Vec<f64>> {
        self.gradient("sorted_gradient", Output::Values, values, cotangent)
    }

    /// The gradient of Σ_i cotangent\[i\]·ranks\[i\] with respect to the values.
    ///
    /// # Errors
    /// As [`Permutahedron::sorted_gradient`].
    ///
    /// # Example
    /// ```
    /// use reloss::sort::Permutahedron;
    /// let soft = Permutahedron { strength: 2.0, ..Permutahedron::default() };
    /// // The two smaller values share a pool: what one gains in rank the other loses.
    /// assert_eq!(soft.ranks_gradient(&[5.0, 1.0, 2.0], &[0.0, 1.0, 0.0])?, [0.0, 0.25, -0.25]);
    /// # Ok::<(), reloss::Error>(())
    /// ```
    pub fn ranks_gradient(&self, values: &[f64], cotangent: &[f64]) -> Result<Vec<f64>> {
        self.gradient("ranks_gradient", Output::Ranks, values, cotangent)
    }

    /// The projection `output` is read off.
    pub(super) fn project<V: Key>(&self, output: Output, values: &[V]) -> Result<Projected> {
        self.check_output(output)?;
        let n = values.len();
        match output {
            Output::Values => Ok(self.sort(values)),
            Output::Last(k) => Ok(self.give(values, |place| if place < k { 1.0 } else { 0.0 })),
            _ => Ok(self.give(values, |place| (n - place) as f64)),
        }
    }

    /// Onto the permutahedron of what places give, in descending order.
    #[inline(always)]
    fn give<V: Key>(&self, values: &[V], gives: impl Fn(usize) -> f64) -> Projected {
        let n = values.len();
        let order = descending(values);
        let mut result = vec![0.0; n];
        let at = |place: usize| values[order[place]].into() / self.strength;
        let highest = at(0);
        let narrow = highest - at(n - 1) < EXPONENTIAL_RANGE;
        let (sum, pools) = match self.regularization {
            Regularization::Quadratic => {
                let pools = Sum::Mean.pools(n, |place| (at(place), gives(place)));
                for pool in &pools {
                    // Differences within the pool first: far from 0 they are exact.
                    let (s, w) = Sum::Mean.levels(pool);
                    (pool.start..pool.end).for_each(|place| result[order[place]] = (at(place) - s) + w);
                }
                (Sum::Mean, pools)
            }
            Regularization::Entropic if narrow => {
                let raised: Vec<f64> = (0..n).map(|place| (at(place) - highest).exp()).collect();
                let pools = Sum::Exponential.pools(n, |place| (raised[place], gives(place)));
                for pool in &pools {
                    let factor = pool.w / pool.s;
                    (pool.start..pool.end).for_each(|place| result[order[place]] = raised[place] * factor);
                }
                (Sum::Exponential, pools)
            }
            Regularization::Entropic => {
                let pools = Sum::Logarithm.pools(n, |place| (at(place), gives(place).ln()));
                for pool in &pools {
                    let given = |place| ((at(place) - pool.s) + pool.w).exp();
                    (pool.start..pool.end).for_each(|place| result[order[place]] = given(place));
                }
                (Sum::Logarithm, pools)
            }
        };
        let offset = if sum == Sum::Exponential { highest } else { 0.0 };
        Projected { order, pools, sum, offset, result, side: Vec::new(), sorts: false }
    }

    /// Ascending order of θ is the descending order of −θ, negated.
    fn sort<V: Key>(&self, values: &[V]) -> Projected {
        let n = values.len();
        let order = ascending(values);
        let side: Vec<f64> = order.iter().map(|&i| -values[i].into()).collect();
        let z = |place: usize| (n - place) as f64 / self.strength;
        let sum = match self.regularization {
            Regularization::Quadratic => Sum::Mean,
            Regularization::Entropic => Sum::Logarithm,
        };
        let pools = sum.pools(n, |place| (z(place), side[place]));
        let mut result = vec![0.0; n];
        for pool in &pools {
            let (s, w) = sum.levels(pool);
            (pool.start..pool.end).for_each(|place| result[place] = -((z(place) - s) + w));
        }
        Projected { order, pools, sum, offset: 0.0, result, side, sorts: true }
    }

    /// From the gradient with respect to the result to that with respect to the values, pool by pool.
    pub(super) fn pull_back<V: Key>(&self, projected: &Projected, cotangent: &[V]) -> Vec<f64> {
        let Projected { order, pools, result, side, sorts, .. } = projected;
        let mut gradient = vec![0.0; order.len()];
        let quadratic = self.regularization == Regularization::Quadratic;
        for pool in pools {
            let places = pool.start..pool.end;
            let len = places.len() as f64;
            if *sorts {
                // A value's share of its pool's level.
                let share = |place: usize| if quadratic { 1.0 / len } else { (side[place] - pool.w).exp() };
                let sum: f64 = cotangent[places.clone()].iter().map(|&g| g.into()).sum();
                places.for_each(|place| gradient[order[place]] = share(place) * sum);
                continue;
            }
            let indices = &order[places];
            if quadratic {
                let mean = indices.iter().map(|&i| cotangent[i].into()).sum::<f64>() / len;
                let to = |i: usize| (cotangent[i].into() - mean) / self.strength;
                indices.iter().for_each(|&i| gradient[i] = to(i));
            } else {
                // dμ = μ·(dz − d level), and a value's share of the level is its share of Σ μ.
                let total: f64 = indices.iter().map(|&i| result[i]).sum();
                let sum: f64 = indices.iter().map(|&i| cotangent[i].into() * result[i]).sum();
                let to = |i: usize| result[i] * (cotangent[i].into() - sum / total) / self.strength;
                indices.iter().for_each(|&i| gradient[i] = to(i));
            }
        }
        gradient
    }
}

impl OnList for Permutahedron {
    fn check_options(&self) -> Result<()> {
        check_softness("strength", self.strength)
    }

    fn check_output(&self, output: Output) -> Result<()> {
        match output {
            Output::Values | Output::Ranks | Output::Last(_) => Ok(()),
            other => Err(SoftSort::from(*self).without(other)),
        }
    }

    fn output_of(&self, output: Output, values: &[f64]) -> Result<Vec<f64>> {
        Ok(self.project(output, values)?.result)
    }

    fn gradient_of(&self, output: Output, values: &[f64], cotangent: &[f64]) -> Result<Vec<f64>> {
        Ok(self.pull_back(&self.project(output, values)?, cotangent))
    }
}
