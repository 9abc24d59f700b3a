//! Blocks of rows that go through a loss network together, and where fewer nodes can stand for them.
//!
//! A network with one input sees sorted rows as a dense sampling of one smooth curve. Between two
//! kinks of the first layer's ELUs, over a stretch no wider than 1 / max |w|, the second layer's
//! pre-activation is analytic and is read off [`NODES`] Chebyshev nodes: the error of
//! interpolating eᵗ, |t| ≤ ½, is (½)⁸ / (8! 2⁷) < 1e-9, below an `f32`'s rounding. Half of the
//! large matrix products shrink from the block's rows to its nodes.

use std::f64::consts::PI;
use std::ops::Range;

use rayon::prelude::*;

/// Rows whose activations of one layer fit the second-level cache.
const BLOCK: usize = 384;
/// Chebyshev nodes that stand for a block of more rows.
pub(super) const NODES: usize = 8;
/// Rows from which nodes pay.
const WORTHWHILE: usize = 3 * NODES;

/// Consecutive rows.
pub(super) struct Block {
    pub(super) rows: Range<usize>,
    /// What the first layer is evaluated at, if not at the rows.
    pub(super) nodes: Option<Nodes>,
}

/// Inputs that stand for a block's rows.
pub(super) struct Nodes {
    pub(super) x: [f32; NODES],
    /// From values at the nodes to values at the rows, (rows, NODES).
    pub(super) value: Vec<f32>,
    /// From slopes at the nodes to tangents at the rows: `value` times each row's direction.
    pub(super) tangent: Vec<f32>,
}

impl Block {
    /// How many inputs the first layer is evaluated at.
    pub(super) fn inputs(&self) -> usize {
        if self.nodes.is_some() {
            NODES
        } else {
            self.rows.len()
        }
    }
}

/// The inputs of a network in the order and the blocks in which they go through it.
pub(super) struct Plan {
    /// How many numbers an input has.
    pub(super) width: usize,
    pub(super) blocks: Vec<Block>,
    /// The caller's row at each place.
    order: Vec<usize>,
    /// (rows, width), in this order.
    pub(super) x: Vec<f32>,
    pub(super) direction: Vec<f32>,
}

impl Plan {
    /// All rows as they come, in full blocks without nodes.
    pub(super) fn plain(x: &[f32], direction: &[f32], width: usize) -> Self {
        let rows = x.len() / width;
        let block = |start: usize| Block { rows: start..(start + BLOCK).min(rows), nodes: None };
        Self {
            width,
            blocks: (0..rows).step_by(BLOCK).map(block).collect(),
            order: (0..rows).collect(),
            x: x.to_vec(),
            direction: direction.to_vec(),
        }
    }

    /// Inputs of one number, ascending, with nodes where the first layer is smooth over enough rows.
    pub(super) fn smooth(x: &[f32], direction: &[f32], weight: &[f32], bias: &[f32]) -> Self {
        let mut order: Vec<usize> = (0..x.len()).collect();
        order.par_sort_unstable_by(|&a, &b| x[a].total_cmp(&x[b]).then(a.cmp(&b)));
        let sorted = |values: &[f32]| order.iter().map(|&row| values[row]).collect::<Vec<_>>();
        let (x, direction) = (sorted(x), sorted(direction));
        let block = |(rows, smooth): (Range<usize>, bool)| {
            let nodes = smooth.then(|| Nodes::new(&x[rows.clone()], &direction[rows.clone()]));
            Block { rows, nodes }
        };
        let blocks = stretches(&x, weight, bias).into_par_iter().map(block).collect();
        Self { width: 1, blocks, order, x, direction }
    }

    /// How many inputs.
    pub(super) fn rows(&self) -> usize {
        self.order.len()
    }

    /// From (value rows, tangent rows) of each block to two columns in the caller's order.
    pub(super) fn unstack(&self, stacked: &[f32], columns: usize) -> (Vec<f32>, Vec<f32>) {
        let all = self.order.len() * columns;
        let (mut value, mut tangent) = (vec![0.0; all], vec![0.0; all]);
        for Block { rows, .. } in &self.blocks {
            let here = &stacked[2 * columns * rows.start..2 * columns * rows.end];
            let (values, tangents) = here.split_at(columns * rows.len());
            let parts = values.chunks_exact(columns).zip(tangents.chunks_exact(columns));
            for (&row, (v, t)) in self.order[rows.clone()].iter().zip(parts) {
                value[row * columns..][..columns].copy_from_slice(v);
                tangent[row * columns..][..columns].copy_from_slice(t);
            }
        }
        (value, tangent)
    }

    /// The inverse of [`Plan::unstack`].
    pub(super) fn stack(&self, value: &[f32], tangent: &[f32], columns: usize) -> Vec<f32> {
        let mut stacked = Vec::with_capacity(2 * columns * self.order.len());
        for Block { rows, .. } in &self.blocks {
            for part in [value, tangent] {
                let rows = self.order[rows.clone()].iter();
                rows.for_each(|&row| stacked.extend_from_slice(&part[row * columns..][..columns]));
            }
        }
        stacked
    }
}

/// Cuts ascending inputs into blocks; says of each whether it is smooth and long enough for nodes.
fn stretches(x: &[f32], weight: &[f32], bias: &[f32]) -> Vec<(Range<usize>, bool)> {
    let kinks = weight.iter().zip(bias).map(|(w, b)| -b / w);
    let mut kinks: Vec<f32> = kinks.filter(|k| k.is_finite()).collect();
    kinks.sort_unstable_by(f32::total_cmp);
    let widest = weight.iter().fold(0.0, |widest: f32, w| widest.max(w.abs())).recip();

    let mut stretches: Vec<(Range<usize>, bool)> = Vec::new();
    let mut start = 0;
    while start < x.len() {
        let next_kink = kinks.get(kinks.partition_point(|&k| k < x[start]));
        let last = (x[start] + widest).min(next_kink.copied().unwrap_or(f32::INFINITY));
        let room = &x[start..x.len().min(start + BLOCK)];
        let rows = room.partition_point(|&x| x <= last).max(1);
        let end = start + rows;
        match stretches.last_mut() {
            // Short stretches share a block.
            Some((before, false)) if rows < WORTHWHILE && end - before.start <= BLOCK => before.end = end,
            _ => stretches.push((start..end, rows >= WORTHWHILE)),
        }
        start = end;
    }
    stretches
}

impl Nodes {
    /// Lagrange interpolation at the Chebyshev nodes of the first kind, written with Chebyshev
    /// polynomials: ℓ_k(t) = (1 + 2 Σ_{0<m<K} T_m(t_k) T_m(t)) / K, which divides by nothing.
    fn new(x: &[f32], direction: &[f32]) -> Self {
        let (low, high) = (f64::from(x[0]), f64::from(x[x.len() - 1]));
        let (centre, half) = (0.5 * (low + high), 0.5 * (high - low));
        let angle = |k: usize| (k as f64 + 0.5) * PI / NODES as f64;
        let at_nodes: [[f64; NODES]; NODES] =
            std::array::from_fn(|m| std::array::from_fn(|k| (m as f64 * angle(k)).cos()));
        let mut nodes = Self {
            x: std::array::from_fn(|k| (centre + half * angle(k).cos()) as f32),
            value: Vec::with_capacity(x.len() * NODES),
            tangent: Vec::with_capacity(x.len() * NODES),
        };
        for (&x, &direction) in x.iter().zip(direction) {
            let t = if half > 0.0 { (f64::from(x) - centre) / half } else { 0.0 };
            let (mut before, mut now) = (1.0, t);
            let mut sums = [0.5; NODES];
            for at_nodes in &at_nodes[1..] {
                sums.iter_mut().zip(at_nodes).for_each(|(sum, a)| *sum += a * now);
                (before, now) = (now, 2.0 * t * now - before);
            }
            let weights = sums.map(|sum| (sum * 2.0 / NODES as f64) as f32);
            nodes.value.extend(weights);
            nodes.tangent.extend(weights.map(|weight| weight * direction));
        }
        nodes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_give_back_an_exponential() {
        let x: Vec<f32> = (0..40).map(|i| 2.0 + 0.25 * i as f32 / 39.0).collect();
        let direction = vec![3.0; 40];
        let nodes = Nodes::new(&x, &direction);
        for (row, &x) in x.iter().enumerate() {
            let read = |weights: &[f32]| -> f32 {
                weights[row * NODES..][..NODES].iter().zip(nodes.x).map(|(w, x)| w * (-2.0 * x).exp()).sum()
            };
            let truth = (-2.0 * x).exp();
            assert!((read(&nodes.value) / truth - 1.0).abs() < 1e-6, "{}", read(&nodes.value) / truth);
            assert!((read(&nodes.tangent) / truth - 3.0).abs() < 3e-6);
        }
    }

    #[test]
    fn blocks_cover_the_rows_and_hold_no_kink_between_nodes() {
        let x: Vec<f32> = (0..1000).map(|i| (i as f32 / 500.0 - 1.0).powi(3)).collect();
        let (weight, bias) = ([2.0, -0.5, 0.0], [0.2, 0.1, 1.0]);
        let blocks = Plan::smooth(&x, &x, &weight, &bias).blocks;
        let mut next = 0;
        for block in &blocks {
            assert_eq!(block.rows.start, next);
            assert!(!block.rows.is_empty() && block.rows.len() <= BLOCK);
            next = block.rows.end;
            let (low, high) = (x[block.rows.start], x[block.rows.end - 1]);
            if block.nodes.is_some() {
                assert!(high - low <= 0.5 + 1e-6);
                for kink in [-0.1, 0.2] {
                    assert!(!(low < kink && kink < high), "{kink} in {low}..{high}");
                }
            }
        }
        assert_eq!(next, 1000);
        assert!(blocks.iter().any(|b| b.nodes.is_some()));
    }

    #[test]
    fn equal_and_extreme_inputs_are_blocks_too() {
        for x in [vec![0.5; 300], vec![-f32::MAX, 0.0, f32::MAX], vec![1.0]] {
            let blocks = Plan::smooth(&x, &x, &[1.0], &[0.0]).blocks;
            assert_eq!(blocks.iter().map(|b| b.rows.len()).sum::<usize>(), x.len());
            for nodes in blocks.iter().filter_map(|b| b.nodes.as_ref()) {
                assert!(nodes.value.iter().chain(&nodes.x).all(|v| v.is_finite()));
            }
        }
    }
}
