//! Sweeps over a sorting network for one row of values, compiled once per instruction set.
//!
//! Every comparator mixes its two wires by the symmetric matrix [[k, 1-k], [1-k, k]], k the weight kept. A layer's
//! "low" wires are copied side by side, the "high" ones likewise, so that the arithmetic runs over contiguous
//! memory whatever the stride, and blocks that sort downwards need no sign. Lanes past the last comparator hold
//! zeros.

use super::network::Layer;
use super::real::Real;
use super::relaxation::{Curve, Relaxation, Visit};
use super::Network;
use crate::ops::fast_math::Level;

/// Comparators are laid out and computed in blocks of this many.
const LANES: usize = 16;

/// A network's layers for one length, and the room a layer's comparators take.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub n: usize,
    pub layers: Vec<Layer>,
    width: usize,
}

impl Plan {
    pub(crate) fn new(network: Network, n: usize) -> Self {
        Self { n, layers: network.plan(n), width: (n / 2).next_multiple_of(LANES) }
    }

    /// Room for one number per comparator, all layers.
    pub(crate) fn cells(&self) -> usize {
        self.layers.len() * self.width
    }

    /// Two rows of working memory for the sweeps.
    pub(crate) fn scratch<R: Real>(&self) -> Vec<R> {
        vec![R::default(); 2 * self.width]
    }
}

/// What the comparators of one row did: the weight kept, and if asked for its slopes.
#[derive(Clone, Debug)]
pub(crate) struct Weights<R> {
    pub keep: Vec<R>,
    slope: Vec<R>,
    pull: Vec<R>,
}

impl<R: Real> Weights<R> {
    pub(crate) fn new(plan: &Plan, with_slopes: bool) -> Self {
        let slopes = if with_slopes { plan.cells() } else { 0 };
        let zeros = |len| vec![R::default(); len];
        Self { keep: zeros(plan.cells()), slope: zeros(slopes), pull: zeros(slopes) }
    }
}

/// Defines `$name(level, …)`: `$body` compiled for each instruction set, chosen by `level`.
macro_rules! per_level {
    ($(#[$doc:meta])* $name:ident = $body:ident($($arg:ident: $type:ty),* $(,)?)) => {
        $(#[$doc])*
        pub(crate) fn $name<R: Real>(level: Level, $($arg: $type),*) {
            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx512f,avx2")]
                fn avx512<R: Real>($($arg: $type),*) {
                    $body($($arg),*)
                }
                #[target_feature(enable = "avx2")]
                fn avx2<R: Real>($($arg: $type),*) {
                    $body($($arg),*)
                }
                match level {
                    // SAFETY: `Level::detect` names a set only on a machine that has it.
                    Level::Avx512 => return unsafe { avx512($($arg),*) },
                    // SAFETY: as above.
                    Level::Avx2 => return unsafe { avx2($($arg),*) },
                    Level::Portable => {}
                }
            }
            #[cfg(not(target_arch = "x86_64"))]
            let _ = level;
            $body($($arg),*)
        }
    };
}

per_level! {
    /// Sends `values` through the network (in place: they come out soft-sorted) and stores the weights.
    sort_values = sort_values_body(
        plan: &Plan, relaxation: Relaxation, steepness: f64, values: &mut [R], weights: &mut Weights<R>,
        scratch: &mut [R],
    )
}

per_level! {
    /// x ← P·x: from the last layer to the first, storing the difference at each comparator in `gaps` (if not empty).
    pull_back = pull_back_body(plan: &Plan, keep: &[R], x: &mut [R], gaps: &mut [R], scratch: &mut [R])
}

per_level! {
    /// x ← x·P: from the first layer to the last.
    push = push_body(plan: &Plan, keep: &[R], x: &mut [R], scratch: &mut [R])
}

per_level! {
    /// [`push`] that adds difference·gap of each comparator to `weight_gradients`.
    push_with_gaps = push_with_gaps_body(
        plan: &Plan, keep: &[R], x: &mut [R], gaps: &[R], weight_gradients: &mut [R], scratch: &mut [R],
    )
}

per_level! {
    /// Gradient of the outputs to gradient of the inputs, with the weights' own gradients joining at each layer.
    value_gradients = value_gradients_body(
        plan: &Plan, weights: &Weights<R>, weight_gradients: &[R], gradient: &mut [R], scratch: &mut [R],
    )
}

#[inline(always)]
fn sort_values_body<R: Real>(
    plan: &Plan,
    relaxation: Relaxation,
    steepness: f64,
    values: &mut [R],
    weights: &mut Weights<R>,
    scratch: &mut [R],
) {
    relaxation.visit(steepness, SortValues { plan, values, weights, scratch });
}

struct SortValues<'a, R> {
    plan: &'a Plan,
    values: &'a mut [R],
    weights: &'a mut Weights<R>,
    scratch: &'a mut [R],
}

impl<R: Real> Visit<R> for SortValues<'_, R> {
    type Output = ();
    #[inline(always)]
    fn with<C: Curve<R>>(self, curve: C) {
        let Self { plan, values, weights, scratch } = self;
        let (a, b) = scratch.split_at_mut(plan.width);
        let with_slopes = !weights.slope.is_empty();
        for (index, layer) in plan.layers.iter().enumerate() {
            gather(layer, values, a, b);
            let cells = index * plan.width..(index + 1) * plan.width;
            let keep = blocks_mut(&mut weights.keep[cells.clone()]);
            let (a_blocks, b_blocks) = (blocks_mut(a), blocks_mut(b));
            if with_slopes {
                let slope = blocks_mut(&mut weights.slope[cells.clone()]);
                let pull = blocks_mut(&mut weights.pull[cells]);
                for ((((a, b), keep), slope), pull) in
                    a_blocks.iter_mut().zip(b_blocks).zip(keep).zip(slope).zip(pull)
                {
                    for i in 0..LANES {
                        let swap = curve.at((b[i] - a[i]).within(R::WIDEST));
                        (keep[i], slope[i], pull[i]) = (swap.keep, swap.slope, swap.pull);
                        (a[i], b[i]) = mixed(swap.keep, a[i], b[i]);
                    }
                }
            } else {
                for ((a, b), keep) in a_blocks.iter_mut().zip(b_blocks).zip(keep) {
                    for i in 0..LANES {
                        keep[i] = curve.at((b[i] - a[i]).within(R::WIDEST)).keep;
                        (a[i], b[i]) = mixed(keep[i], a[i], b[i]);
                    }
                }
            }
            scatter(layer, a, b, values);
        }
    }
}

/// Both outputs of a comparator; written so that even the largest finite values do not overflow.
#[inline(always)]
fn mixed<R: Real>(keep: R, a: R, b: R) -> (R, R) {
    let swap = R::of(1.0) - keep;
    (keep * a + swap * b, swap * a + keep * b)
}

#[inline(always)]
fn pull_back_body<R: Real>(plan: &Plan, keep: &[R], x: &mut [R], gaps: &mut [R], scratch: &mut [R]) {
    let (a, b) = scratch.split_at_mut(plan.width);
    for (index, layer) in plan.layers.iter().enumerate().rev() {
        gather(layer, x, a, b);
        let cells = index * plan.width..(index + 1) * plan.width;
        let blocks = blocks_mut(a).iter_mut().zip(blocks_mut(b)).zip(blocks(&keep[cells.clone()]));
        if gaps.is_empty() {
            for ((a, b), keep) in blocks {
                for i in 0..LANES {
                    (a[i], b[i]) = mixed(keep[i], a[i], b[i]);
                }
            }
        } else {
            for (((a, b), keep), gap) in blocks.zip(blocks_mut(&mut gaps[cells])) {
                for i in 0..LANES {
                    gap[i] = a[i] - b[i];
                    (a[i], b[i]) = mixed(keep[i], a[i], b[i]);
                }
            }
        }
        scatter(layer, a, b, x);
    }
}

#[inline(always)]
fn push_body<R: Real>(plan: &Plan, keep: &[R], x: &mut [R], scratch: &mut [R]) {
    let (a, b) = scratch.split_at_mut(plan.width);
    for (index, layer) in plan.layers.iter().enumerate() {
        gather(layer, x, a, b);
        let keep = blocks(&keep[index * plan.width..(index + 1) * plan.width]);
        for ((a, b), keep) in blocks_mut(a).iter_mut().zip(blocks_mut(b)).zip(keep) {
            for i in 0..LANES {
                (a[i], b[i]) = mixed(keep[i], a[i], b[i]);
            }
        }
        scatter(layer, a, b, x);
    }
}

#[inline(always)]
fn push_with_gaps_body<R: Real>(
    plan: &Plan,
    keep: &[R],
    x: &mut [R],
    gaps: &[R],
    weight_gradients: &mut [R],
    scratch: &mut [R],
) {
    let (a, b) = scratch.split_at_mut(plan.width);
    for (index, layer) in plan.layers.iter().enumerate() {
        gather(layer, x, a, b);
        let cells = index * plan.width..(index + 1) * plan.width;
        let stored = blocks(&keep[cells.clone()]).iter().zip(blocks(&gaps[cells.clone()]));
        let gradients = blocks_mut(&mut weight_gradients[cells]);
        for (((a, b), (keep, gap)), gradient) in
            blocks_mut(a).iter_mut().zip(blocks_mut(b)).zip(stored).zip(gradients)
        {
            for i in 0..LANES {
                gradient[i] = gradient[i] + (a[i] - b[i]) * gap[i];
                (a[i], b[i]) = mixed(keep[i], a[i], b[i]);
            }
        }
        scatter(layer, a, b, x);
    }
}

#[inline(always)]
fn value_gradients_body<R: Real>(
    plan: &Plan,
    weights: &Weights<R>,
    weight_gradients: &[R],
    gradient: &mut [R],
    scratch: &mut [R],
) {
    // With outputs a' = k·a + (1-k)·b, b' = (1-k)·a + k·b, k = f(d), d = b - a and gradients h on the outputs,
    // q on k from elsewhere: dL/dk = q - (h_a' - h_b')·d, so t = dL/dd = q·f' - (h_a' - h_b')·(d·f'), and
    // h_a = k·h_a' + (1-k)·h_b' - t, h_b = (1-k)·h_a' + k·h_b' + t.
    let (a, b) = scratch.split_at_mut(plan.width);
    for (index, layer) in plan.layers.iter().enumerate().rev() {
        gather(layer, gradient, a, b);
        let cells = index * plan.width..(index + 1) * plan.width;
        let slopes = blocks(&weights.slope[cells.clone()]).iter().zip(blocks(&weights.pull[cells.clone()]));
        let stored =
            blocks(&weights.keep[cells.clone()]).iter().zip(slopes).zip(blocks(&weight_gradients[cells]));
        for ((a, b), ((keep, (slope, pull)), q)) in blocks_mut(a).iter_mut().zip(blocks_mut(b)).zip(stored) {
            for i in 0..LANES {
                let t = q[i] * slope[i] - (a[i] - b[i]) * pull[i];
                let (on_a, on_b) = mixed(keep[i], a[i], b[i]);
                (a[i], b[i]) = (on_a - t, on_b + t);
            }
        }
        scatter(layer, a, b, gradient);
    }
}

#[inline(always)]
fn blocks<R>(row: &[R]) -> &[[R; LANES]] {
    row.as_chunks().0
}

#[inline(always)]
fn blocks_mut<R>(row: &mut [R]) -> &mut [[R; LANES]] {
    row.as_chunks_mut().0
}

/// Copies the layer's low wires to `a` and its high ones to `b`.
#[inline(always)]
fn gather<R: Real>(layer: &Layer, x: &[R], a: &mut [R], b: &mut [R]) {
    let len = layer.len();
    a[len..].fill(R::default());
    b[len..].fill(R::default());
    let (a, b) = (&mut a[..len], &mut b[..len]);
    if layer.head > 0 {
        let (first, second) = if layer.head_downwards() { (&mut *b, &mut *a) } else { (&mut *a, &mut *b) };
        first[..layer.head].copy_from_slice(&x[..layer.head]);
        second[..layer.head].copy_from_slice(&x[layer.stride..layer.stride + layer.head]);
    }
    // Short strides get a constant length, so that the copies become single moves.
    match layer.stride {
        1 => gather_groups(layer, 1, x, a, b),
        2 => gather_groups(layer, 2, x, a, b),
        4 => gather_groups(layer, 4, x, a, b),
        8 => gather_groups(layer, 8, x, a, b),
        16 => gather_groups(layer, 16, x, a, b),
        stride => gather_groups(layer, stride, x, a, b),
    }
}

/// The reverse of [`gather`].
#[inline(always)]
fn scatter<R: Real>(layer: &Layer, a: &[R], b: &[R], x: &mut [R]) {
    if layer.head > 0 {
        let (first, second) = if layer.head_downwards() { (b, a) } else { (a, b) };
        x[..layer.head].copy_from_slice(&first[..layer.head]);
        x[layer.stride..layer.stride + layer.head].copy_from_slice(&second[..layer.head]);
    }
    match layer.stride {
        1 => scatter_groups(layer, 1, a, b, x),
        2 => scatter_groups(layer, 2, a, b, x),
        4 => scatter_groups(layer, 4, a, b, x),
        8 => scatter_groups(layer, 8, a, b, x),
        16 => scatter_groups(layer, 16, a, b, x),
        stride => scatter_groups(layer, stride, a, b, x),
    }
}

/// Runs of groups that sort the same way: (first wire, first comparator, comparators, downwards).
#[inline(always)]
fn runs(layer: &Layer, stride: usize) -> impl Iterator<Item = (usize, usize, usize, bool)> + '_ {
    let (first, last) = layer.groups;
    let mut group = first;
    std::iter::from_fn(move || {
        if group >= last {
            return None;
        }
        let end = (((group >> layer.log_run) + 1) << layer.log_run).min(last);
        let done = (group - first) * stride;
        let run = (layer.start + 2 * done, layer.head + done, (end - group) * stride, layer.downwards(group));
        group = end;
        Some(run)
    })
}

#[inline(always)]
fn gather_groups<R: Real>(layer: &Layer, stride: usize, x: &[R], a: &mut [R], b: &mut [R]) {
    for (wire, at, len, downwards) in runs(layer, stride) {
        let (a, b) = (&mut a[at..at + len], &mut b[at..at + len]);
        let (first, second) = if downwards { (b, a) } else { (a, b) };
        let groups = x[wire..wire + 2 * len].chunks_exact(2 * stride);
        for (group, (first, second)) in
            groups.zip(first.chunks_exact_mut(stride).zip(second.chunks_exact_mut(stride)))
        {
            first.copy_from_slice(&group[..stride]);
            second.copy_from_slice(&group[stride..]);
        }
    }
}

#[inline(always)]
fn scatter_groups<R: Real>(layer: &Layer, stride: usize, a: &[R], b: &[R], x: &mut [R]) {
    for (wire, at, len, downwards) in runs(layer, stride) {
        let (a, b) = (&a[at..at + len], &b[at..at + len]);
        let (first, second) = if downwards { (b, a) } else { (a, b) };
        let groups = x[wire..wire + 2 * len].chunks_exact_mut(2 * stride);
        for (group, (first, second)) in
            groups.zip(first.chunks_exact(stride).zip(second.chunks_exact(stride)))
        {
            group[..stride].copy_from_slice(first);
            group[stride..].copy_from_slice(second);
        }
    }
}
