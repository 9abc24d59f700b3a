//! One row through a network and back: what is computed, and what the backward pass keeps.

use super::kernel::{self, Plan, Weights};
use super::real::Real;
use super::SortingNetwork;
use crate::ops::fast_math::Level;

/// What to read off a soft order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Output {
    /// The values in soft order: x·P.
    Values,
    /// The soft ranks, from 1: P·(1, …, n).
    Ranks,
    /// Membership of the last k places: P·(0, …, 0, 1, …, 1).
    Last(usize),
    /// The soft index, from 0, at each place: (0, …, n − 1)·P.
    Indices,
    /// The permutation matrix, row-major.
    Permutation,
}

impl Output {
    /// Numbers that come out for n that go in.
    pub(crate) fn len(self, n: usize) -> usize {
        match self {
            Self::Permutation => n * n,
            _ => n,
        }
    }

    /// Its name in errors.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Values => "soft sort",
            Self::Ranks => "soft ranks",
            Self::Last(_) => "soft top k",
            Self::Indices => "soft argsort",
            Self::Permutation => "permutation matrix",
        }
    }

    /// What each of n places gives to the value that takes it, from the first place on; never falling.
    pub(crate) fn places(self, n: usize) -> Option<Vec<f64>> {
        match self {
            Self::Ranks => Some((1..=n).map(|place| place as f64).collect()),
            Self::Last(k) => Some((0..n).map(|place| if place + k >= n { 1.0 } else { 0.0 }).collect()),
            _ => None,
        }
    }
}

/// (0, …, n − 1).
pub(crate) fn indices<R: Real>(n: usize) -> impl Iterator<Item = R> {
    (0..n).map(|index| R::of(index as f64))
}

/// What the backward pass of one row needs.
#[derive(Clone, Debug)]
pub(crate) struct RowTrace<R> {
    weights: Weights<R>,
    /// For what places give: at each comparator, the difference of what its two outputs end at.
    gaps: Vec<R>,
}

/// Computes `output` of `values` into `out`.
pub(crate) fn forward<R: Real>(
    plan: &Plan,
    soft: &SortingNetwork,
    output: Output,
    values: &[R],
    out: &mut [R],
    with_gradient: bool,
) -> RowTrace<R> {
    let level = Level::detect();
    let mut scratch = plan.scratch();
    let mut weights = Weights::new(plan, with_gradient);
    let mut sorted = values.to_vec();
    let (relaxation, steepness) = (soft.relaxation, soft.steepness);
    kernel::sort_values(level, plan, relaxation, steepness, &mut sorted, &mut weights, &mut scratch);
    let mut gaps = Vec::new();
    match output {
        Output::Values => out.copy_from_slice(&sorted),
        Output::Ranks | Output::Last(_) => {
            // No matrix: what the places give goes back through the comparators.
            if with_gradient {
                gaps = vec![R::default(); plan.cells()];
            }
            let places = output.places(plan.n).into_iter().flatten();
            out.iter_mut().zip(places).for_each(|(out, place)| *out = R::of(place));
            kernel::pull_back(level, plan, &weights.keep, out, &mut gaps, &mut scratch);
        }
        Output::Indices => {
            out.iter_mut().zip(indices(plan.n)).for_each(|(out, index)| *out = index);
            kernel::push(level, plan, &weights.keep, out, &mut scratch);
        }
        Output::Permutation => {
            // Row i of P is the i-th unit vector pushed through.
            out.fill(R::default());
            for (i, row) in out.chunks_exact_mut(plan.n).enumerate() {
                row[i] = R::of(1.0);
                kernel::push(level, plan, &weights.keep, row, &mut scratch);
            }
        }
    }
    RowTrace { weights, gaps }
}

/// Turns the gradient with respect to the output into the one with respect to the values, in `gradient`.
pub(crate) fn backward<R: Real>(
    plan: &Plan,
    output: Output,
    trace: RowTrace<R>,
    cotangent: &[R],
    gradient: &mut [R],
) {
    // With P = M₁…M_L, r = P·c and gradient g on r, layer l's weight k (on wires a, b) receives
    // (u_a - u_b)·(w_a - w_b), where u = g·M₁…M_{l-1} and w = M_{l+1}…M_L·c. The w differences are the gaps.
    let level = Level::detect();
    let RowTrace { weights, mut gaps } = trace;
    let mut scratch = plan.scratch();
    let keep = &weights.keep;
    let on_weights = match output {
        Output::Values => {
            gradient.copy_from_slice(cotangent);
            vec![R::default(); plan.cells()]
        }
        Output::Ranks | Output::Last(_) => {
            gradient.copy_from_slice(cotangent);
            kernel::push_onto_gaps(level, plan, keep, gradient, &mut gaps, &mut scratch);
            gradient.fill(R::default());
            gaps
        }
        Output::Indices => {
            // u is what goes forward, w the cotangent that goes back.
            gaps = vec![R::default(); plan.cells()];
            gradient.copy_from_slice(cotangent);
            kernel::pull_back(level, plan, keep, gradient, &mut gaps, &mut scratch);
            gradient.iter_mut().zip(indices(plan.n)).for_each(|(to, index)| *to = index);
            kernel::push_onto_gaps(level, plan, keep, gradient, &mut gaps, &mut scratch);
            gradient.fill(R::default());
            gaps
        }
        Output::Permutation => {
            // Row i of P is e_i·P: u starts as the unit vector, c is the cotangent's row.
            let mut on_weights = vec![R::default(); plan.cells()];
            gaps.resize(plan.cells(), R::default());
            let mut pulled = vec![R::default(); plan.n];
            for (i, row) in cotangent.chunks_exact(plan.n).enumerate() {
                pulled.copy_from_slice(row);
                kernel::pull_back(level, plan, keep, &mut pulled, &mut gaps, &mut scratch);
                gradient.fill(R::default());
                gradient[i] = R::of(1.0);
                kernel::push_with_gaps(level, plan, keep, gradient, &gaps, &mut on_weights, &mut scratch);
            }
            gradient.fill(R::default());
            on_weights
        }
    };
    kernel::value_gradients(level, plan, &weights, &on_weights, gradient, &mut scratch);
}

/// A network as an operation on the rows of a tensor.
#[cfg(not(feature = "composed"))]
pub(crate) struct NetworkOp {
    plan: Plan,
    soft: SortingNetwork,
    output: Output,
}

#[cfg(not(feature = "composed"))]
impl NetworkOp {
    pub(crate) fn new(soft: &SortingNetwork, output: Output, n: usize) -> Self {
        Self { plan: Plan::new(soft.network, n), soft: *soft, output }
    }

    /// Comparators a row meets.
    pub(crate) fn work(&self) -> usize {
        let sweeps = if self.output == Output::Permutation { self.plan.n } else { 1 };
        self.plan.cells() * sweeps
    }

    pub(crate) fn forward(&self, row: &[f32], out: &mut [f32], with_gradient: bool) -> RowTrace<f32> {
        forward(&self.plan, &self.soft, self.output, row, out, with_gradient)
    }

    pub(crate) fn backward(&self, trace: RowTrace<f32>, cotangent: &[f32], gradient: &mut [f32]) {
        backward(&self.plan, self.output, trace, cotangent, gradient);
    }
}
