//! Correlations that count pairs: Kendall's τ, weighted τ, Somers' D; all in O(n log n).

use rayon::prelude::*;

use super::{check, constant};
use crate::error::Result;
use crate::sort::order::compare;

/// How the weights of two elements make the weight of their pair.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Combine {
    /// Their sum ("additive").
    #[default]
    Sum,
    /// Their product ("multiplicative").
    Product,
}

/// Sums of pair weights over unordered pairs of elements.
pub(super) struct Pairs {
    total: f64,
    /// Pairs with equal x.
    x_ties: f64,
    /// Pairs with equal y.
    y_ties: f64,
    /// Pairs equal in both.
    joint_ties: f64,
    /// Pairs that x and y order oppositely.
    discordant: f64,
    distinct_x: usize,
    distinct_y: usize,
}

impl Combine {
    /// The weight of all pairs within a group, from how many there are, and the sums of weights
    /// and of their squares.
    fn within(self, weights: impl Iterator<Item = f64>) -> f64 {
        let (mut count, mut sum, mut squares) = (0.0, 0.0, 0.0);
        for weight in weights {
            count += 1.0;
            sum += weight;
            squares += weight * weight;
        }
        match self {
            Self::Sum => (count - 1.0_f64).max(0.0) * sum,
            Self::Product => 0.5 * (sum * sum - squares),
        }
    }

    /// The weight of all pairs of one element with `count` others of total weight `sum`.
    fn between(self, weight: f64, count: f64, sum: f64) -> f64 {
        match self {
            Self::Sum => sum + count * weight,
            Self::Product => sum * weight,
        }
    }
}

/// A value with its weight.
type Weighted = (f64, f64);

impl Pairs {
    /// Knight's algorithm: sort by (x, y), then count the exchanges a merge sort by y makes.
    pub(super) fn count(x: &[f64], y: &[f64], weight: impl Fn(usize) -> f64, combine: Combine) -> Self {
        let mut elements: Vec<(f64, Weighted)> = (0..x.len()).map(|i| (x[i], (y[i], weight(i)))).collect();
        elements.par_sort_unstable_by(|a, b| compare(a.0, b.0).then(compare(a.1 .0, b.1 .0)));
        let total = combine.within(elements.iter().map(|e| e.1 .1));
        let by_x = elements.chunk_by(|a, b| a.0 == b.0);
        let (x_ties, distinct_x) = sum(by_x.map(|ties| combine.within(ties.iter().map(|e| e.1 .1))));
        let by_both = elements.chunk_by(|a, b| a.0 == b.0 && a.1 .0 == b.1 .0);
        let (joint_ties, _) = sum(by_both.map(|ties| combine.within(ties.iter().map(|e| e.1 .1))));
        let mut by_y: Vec<Weighted> = elements.into_iter().map(|e| e.1).collect();
        let discordant = exchanges(&mut by_y, &mut vec![(0.0, 0.0); x.len()], combine);
        let by_y = by_y.chunk_by(|a, b| a.0 == b.0);
        let (y_ties, distinct_y) = sum(by_y.map(|ties| combine.within(ties.iter().map(|e| e.1))));
        Self { total, x_ties, y_ties, joint_ties, discordant, distinct_x, distinct_y }
    }

    /// Concordant minus discordant pairs.
    fn balance(&self) -> f64 {
        self.total - self.x_ties - self.y_ties + self.joint_ties - 2.0 * self.discordant
    }

    /// The balance over the geometric mean of the pairs that either side tells apart.
    pub(super) fn tau_b(&self, what: &'static str) -> Result<f64> {
        let (by_x, by_y) = (self.total - self.x_ties, self.total - self.y_ties);
        if !(by_x > 0.0 && by_y > 0.0) {
            return Err(constant(what));
        }
        // Roots apart: the product of two sums may overflow.
        Ok((self.balance() / by_x.sqrt() / by_y.sqrt()).clamp(-1.0, 1.0))
    }
}

/// The sum of terms, and how many there are.
fn sum(terms: impl Iterator<Item = f64>) -> (f64, usize) {
    terms.fold((0.0, 0), |(sum, count), term| (sum + term, count + 1))
}

/// Lists up to this long are sorted by insertion, longer ones by merging.
const SHORT: usize = 16;
/// Halves from this length on are sorted side by side. The tree is the same for every number of threads.
const LONG: usize = 1 << 13;

/// Sorts stably by value; the weight of the pairs that change places. `scratch` is as long as the list.
fn exchanges(list: &mut [Weighted], scratch: &mut [Weighted], combine: Combine) -> f64 {
    if list.len() <= SHORT {
        return insertions(list, combine);
    }
    let half = list.len() / 2;
    let (left, right) = list.split_at_mut(half);
    let (left_scratch, right_scratch) = scratch.split_at_mut(half);
    let mut sort_left = || exchanges(left, left_scratch, combine);
    let mut sort_right = || exchanges(right, right_scratch, combine);
    let (a, b) = if half >= LONG { rayon::join(sort_left, sort_right) } else { (sort_left(), sort_right()) };
    let across = merge(left, right, scratch, combine);
    list.copy_from_slice(scratch);
    a + b + across
}

fn insertions(list: &mut [Weighted], combine: Combine) -> f64 {
    let mut weight = 0.0;
    for i in 1..list.len() {
        let element = list[i];
        let mut place = i;
        while place > 0 && list[place - 1].0 > element.0 {
            list[place] = list[place - 1];
            place -= 1;
            weight += combine.between(element.1, 1.0, list[place].1);
        }
        list[place] = element;
    }
    weight
}

fn merge(left: &[Weighted], right: &[Weighted], merged: &mut [Weighted], combine: Combine) -> f64 {
    let mut waiting: f64 = left.iter().map(|e| e.1).sum();
    let (mut i, mut j, mut exchanged) = (0, 0, 0.0);
    for place in merged {
        if j == right.len() || (i < left.len() && left[i].0 <= right[j].0) {
            waiting -= left[i].1;
            *place = left[i];
            i += 1;
        } else {
            exchanged += combine.between(right[j].1, (left.len() - i) as f64, waiting);
            *place = right[j];
            j += 1;
        }
    }
    exchanged
}

/// Pairs that all count 1.
fn plain(x: &[f64], y: &[f64]) -> Pairs {
    Pairs::count(x, y, |_| 0.5, Combine::Sum)
}

/// Kendall's τ-b: concordant minus discordant pairs, corrected for ties; in \[-1, 1\].
///
/// # Errors
/// [`crate::Error::Shape`] for lists of different lengths, [`crate::Error::NotFinite`] for NaN or infinite values,
/// [`crate::Error::Undefined`] for fewer than two pairs or a constant list.
///
/// # Example
/// ```
/// use reloss::correlation::kendall_tau_b;
/// // Of three pairs, two agree and one does not.
/// assert!((kendall_tau_b(&[1.0, 2.0, 3.0], &[1.0, 3.0, 2.0])? - 1.0 / 3.0).abs() < 1e-15);
/// assert!(kendall_tau_b(&[1.0, 1.0], &[1.0, 2.0]).is_err());
/// # Ok::<(), reloss::Error>(())
/// ```
///
/// # Reference
/// Kendall, "The treatment of ties in ranking problems", Biometrika 1945; counted as in Knight, "A computer method
/// for calculating Kendall's tau with ungrouped data", JASA 1966.
pub fn kendall_tau_b(x: &[f64], y: &[f64]) -> Result<f64> {
    check("Kendall's tau-b", x, y)?;
    plain(x, y).tau_b("Kendall's tau-b")
}

/// Kendall's τ-c (Stuart's), for lists with different numbers of distinct values; in \[-1, 1\].
///
/// # Errors
/// As [`kendall_tau_b`].
///
/// # Example
/// ```
/// use reloss::correlation::kendall_tau_c;
/// // Four of six pairs agree, two are tied in y: 2 · 4 / (4² · (2 − 1) / 2) = 1.
/// assert_eq!(kendall_tau_c(&[1.0, 2.0, 3.0, 4.0], &[0.0, 0.0, 1.0, 1.0])?, 1.0);
/// # Ok::<(), reloss::Error>(())
/// ```
///
/// # Reference
/// Stuart, "The estimation and comparison of strengths of association in contingency tables", Biometrika 1953.
pub fn kendall_tau_c(x: &[f64], y: &[f64]) -> Result<f64> {
    const NAME: &str = "Kendall's tau-c";
    check(NAME, x, y)?;
    let pairs = plain(x, y);
    let (n, classes) = (x.len() as f64, pairs.distinct_x.min(pairs.distinct_y) as f64);
    if classes < 2.0 {
        return Err(constant(NAME));
    }
    Ok((2.0 * pairs.balance() / n / (n * (1.0 - 1.0 / classes))).clamp(-1.0, 1.0))
}

/// Somers' D of `y` given `x`: of the pairs that x tells apart, concordant minus discordant; in \[-1, 1\].
///
/// # Errors
/// [`crate::Error::Shape`] for lists of different lengths, [`crate::Error::NotFinite`] for NaN or infinite values,
/// [`crate::Error::Undefined`] for fewer than two pairs or a constant `x`.
///
/// # Example
/// ```
/// use reloss::correlation::somers_d;
/// let (x, y) = ([1.0, 2.0, 3.0], [5.0, 5.0, 7.0]);
/// // Not symmetric: x tells three pairs apart, y two of them.
/// assert!((somers_d(&x, &y)? - 2.0 / 3.0).abs() < 1e-15);
/// assert_eq!(somers_d(&y, &x)?, 1.0);
/// # Ok::<(), reloss::Error>(())
/// ```
///
/// # Reference
/// Somers, "A new asymmetric measure of association for ordinal variables", American Sociological Review 1962.
pub fn somers_d(x: &[f64], y: &[f64]) -> Result<f64> {
    const NAME: &str = "Somers' D";
    check(NAME, x, y)?;
    let pairs = plain(x, y);
    match pairs.total - pairs.x_ties {
        told_apart if told_apart > 0.0 => Ok((pairs.balance() / told_apart).clamp(-1.0, 1.0)),
        _ => Err(constant(NAME)),
    }
}

/// Which ranks the weights of [`weighted_tau`] come from, 0 for the most important element.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WeightedTau {
    /// The mean of the values with ranks by x and with ranks by y: symmetric. SciPy's default.
    #[default]
    Both,
    /// Ranks by x from its largest value, ties by y.
    ByX,
    /// The elements' places in the lists.
    ByPlace,
}

/// Kendall's τ with weights by rank, so that exchanges among the first matter more; in \[-1, 1\].
///
/// An element of rank r (from 0) weighs 1 / (1 + r), the hyperbolic weigher.
///
/// # Errors
/// As [`kendall_tau_b`].
///
/// # Example
/// ```
/// use reloss::correlation::{weighted_tau, Combine, WeightedTau};
/// let (x, top, bottom) = ([4.0, 3.0, 2.0, 1.0], [3.0, 4.0, 2.0, 1.0], [4.0, 3.0, 1.0, 2.0]);
/// let tau = |y: &[f64]| weighted_tau(&x, y, WeightedTau::Both, Combine::Sum);
/// assert!(tau(&top)? < tau(&bottom)?);
/// # Ok::<(), reloss::Error>(())
/// ```
///
/// # Reference
/// Vigna, "A weighted correlation index for rankings with ties", WWW 2015.
pub fn weighted_tau(x: &[f64], y: &[f64], ranks: WeightedTau, combine: Combine) -> Result<f64> {
    const NAME: &str = "weighted tau";
    check(NAME, x, y)?;
    let by = |ranks: &[usize]| {
        let weight = |i: usize| 1.0 / (1.0 + ranks[i] as f64);
        Pairs::count(x, y, weight, combine).tau_b(NAME)
    };
    match ranks {
        WeightedTau::ByPlace => by(&(0..x.len()).collect::<Vec<_>>()),
        WeightedTau::ByX => by(&descending(x, y)),
        WeightedTau::Both => Ok(0.5 * (by(&descending(x, y))? + by(&descending(y, x))?)),
    }
}

/// Each element's place, from 0, in descending order of `first`, ties by `second`, then the later first.
fn descending(first: &[f64], second: &[f64]) -> Vec<usize> {
    let mut places: Vec<usize> = (0..first.len()).collect();
    places.sort_unstable_by(|&a, &b| {
        compare(first[b], first[a]).then(compare(second[b], second[a])).then(b.cmp(&a))
    });
    let mut ranks = vec![0; first.len()];
    places.iter().enumerate().for_each(|(rank, &element)| ranks[element] = rank);
    ranks
}
