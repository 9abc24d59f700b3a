//! Soft sorting and ranking by projection onto the permutahedron, O(n log n).
//!
//! With ρ = (n, …, 1), the exact ranks of θ are the vertex of the permutahedron P(ρ) furthest along θ. A regularised
//! projection of θ/ε moves from that vertex towards the middle as ε grows; sorting swaps the two roles. Both come
//! down to isotonic regression, which pools adjacent violators; gradients are exact and cost O(n).

use serde::{Deserialize, Serialize};

use super::checks::{check_cotangent, check_softness, check_values};
use super::order::descending;
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
    /// Of s, the side to be regressed: its sum, or the logarithm of its sum of exponentials.
    s: f64,
    /// The same of w, the side it is compared with.
    w: f64,
}

impl Regularization {
    /// What a pool's value is read off: a mean, or a logarithm of a sum of exponentials.
    fn level(self, side: f64, len: usize) -> f64 {
        match self {
            Self::Quadratic => side / len as f64,
            Self::Entropic => side,
        }
    }

    fn join(self, a: f64, b: f64) -> f64 {
        match self {
            Self::Quadratic => a + b,
            Self::Entropic => log_sum_exp(a, b),
        }
    }

    fn value(self, pool: &Pool) -> f64 {
        let len = pool.end - pool.start;
        self.level(pool.s, len) - self.level(pool.w, len)
    }

    /// The pools of the non-increasing regression of s against w, by pooling adjacent violators.
    ///
    /// Equal neighbours are pooled too: of the subgradients at a kink, this is the symmetric one.
    fn pools(self, s: &[f64], w: &[f64]) -> Vec<Pool> {
        let mut pools: Vec<Pool> = Vec::new();
        for (place, (&s, &w)) in s.iter().zip(w).enumerate() {
            let mut last = Pool { start: place, end: place + 1, s, w };
            while let Some(before) = pools.pop_if(|before| self.value(before) <= self.value(&last)) {
                let (s, w) = (self.join(before.s, last.s), self.join(before.w, last.w));
                last = Pool { start: before.start, end: last.end, s, w };
            }
            pools.push(last);
        }
        pools
    }
}

/// ln(eᵃ + eᵇ) without overflow.
fn log_sum_exp(a: f64, b: f64) -> f64 {
    a.max(b) + (-(a - b).abs()).exp().ln_1p()
}

/// (n, …, 1).
fn places(n: usize) -> Vec<f64> {
    (1..=n).rev().map(|place| place as f64).collect()
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
    let pools = Regularization::Quadratic.pools(y, &vec![0.0; y.len()]);
    let value = |pool: Pool| vec![Regularization::Quadratic.value(&pool); pool.end - pool.start];
    Ok(pools.into_iter().flat_map(value).collect())
}

/// A projection with what its gradient needs; all in descending order.
struct Projected {
    order: Vec<usize>,
    pools: Vec<Pool>,
    /// The side the gradient belongs to: θ/ε for ranks, the sorted values for sorting.
    side: Vec<f64>,
    result: Vec<f64>,
}

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
        self.check("sorted", values)?;
        Ok(self.sort(values).result)
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
        self.check("ranks", values)?;
        let projected = self.rank(values);
        let mut ranks = vec![0.0; values.len()];
        projected.order.iter().zip(&projected.result).for_each(|(&i, &rank)| ranks[i] = rank);
        Ok(ranks)
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
        self.check("sorted_gradient", values)?;
        check_cotangent("sorted_gradient", cotangent, values.len())?;
        let projected = self.sort(values);
        // The places ascend: place j of the result is place n − 1 − j of the descending negatives.
        Ok(self.pull_back(&projected, |place| cotangent[place], |shares, sum, _| shares * sum))
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
        self.check("ranks_gradient", values)?;
        check_cotangent("ranks_gradient", cotangent, values.len())?;
        let projected = self.rank(values);
        // Entropic: d μ = μ (dz − d level), so the cotangent is weighed by μ.
        let weighed = |place: usize| {
            let g = cotangent[projected.order[place]];
            match self.regularization {
                Regularization::Quadratic => g,
                Regularization::Entropic => g * projected.result[place],
            }
        };
        let gradient = self.pull_back(&projected, weighed, |share, sum, own| own - share * sum);
        Ok(gradient.into_iter().map(|g| g / self.strength).collect())
    }

    fn rank(&self, values: &[f64]) -> Projected {
        let order = descending(values);
        let side: Vec<f64> = order.iter().map(|&i| values[i] / self.strength).collect();
        let w: Vec<f64> = match self.regularization {
            Regularization::Quadratic => places(values.len()),
            Regularization::Entropic => places(values.len()).into_iter().map(f64::ln).collect(),
        };
        let pools = self.regularization.pools(&side, &w);
        let mut result = vec![0.0; values.len()];
        for pool in &pools {
            let len = pool.end - pool.start;
            let (s, w) = (self.regularization.level(pool.s, len), self.regularization.level(pool.w, len));
            for place in pool.start..pool.end {
                // Differences within the pool first: far from 0 they are exact.
                let shifted = (side[place] - s) + w;
                result[place] = match self.regularization {
                    Regularization::Quadratic => shifted,
                    Regularization::Entropic => shifted.exp(),
                };
            }
        }
        Projected { order, pools, side, result }
    }

    /// Ascending order of θ is the descending order of −θ, negated.
    fn sort(&self, values: &[f64]) -> Projected {
        let negated: Vec<f64> = values.iter().map(|v| -v).collect();
        let order = descending(&negated);
        let side: Vec<f64> = order.iter().map(|&i| negated[i]).collect();
        let z: Vec<f64> = places(values.len()).iter().map(|place| place / self.strength).collect();
        let pools = self.regularization.pools(&z, &side);
        let mut result = vec![0.0; values.len()];
        for pool in &pools {
            let len = pool.end - pool.start;
            let (s, w) = (self.regularization.level(pool.s, len), self.regularization.level(pool.w, len));
            (pool.start..pool.end).for_each(|place| result[place] = -((z[place] - s) + w));
        }
        Projected { order, pools, side, result }
    }

    /// Pool by pool, from cotangents by place to the gradient by index: `of(share, sum, own)` makes one entry of the
    /// place's share of the pool, the pool's sum of cotangents, and the place's own.
    fn pull_back(
        &self,
        projected: &Projected,
        cotangent: impl Fn(usize) -> f64,
        of: impl Fn(f64, f64, f64) -> f64,
    ) -> Vec<f64> {
        let mut gradient = vec![0.0; projected.order.len()];
        for pool in &projected.pools {
            let places = pool.start..pool.end;
            let sum: f64 = places.clone().map(&cotangent).sum();
            let largest = projected.side[pool.start];
            let total: f64 = places.clone().map(|place| (projected.side[place] - largest).exp()).sum();
            for place in places {
                let share = match self.regularization {
                    Regularization::Quadratic => 1.0 / (pool.end - pool.start) as f64,
                    Regularization::Entropic => (projected.side[place] - largest).exp() / total,
                };
                gradient[projected.order[place]] = of(share, sum, cotangent(place));
            }
        }
        gradient
    }

    pub(super) fn check_options(&self) -> Result<()> {
        check_softness("strength", self.strength)
    }

    fn check(&self, op: &'static str, values: &[f64]) -> Result<()> {
        self.check_options()?;
        check_values(op, values)
    }
}
