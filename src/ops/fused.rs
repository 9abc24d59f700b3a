//! Fused CPU kernels of the loss network: blocks of rows stay in cache from layer to layer.

use std::sync::Mutex;

use dfdx::prelude::*;
use rayon::prelude::*;

use super::blocks::{Block, Nodes, Plan, NODES};
use super::dual::Dual;
use super::fast_math::exp;
use super::gemm::{product, Factor, Into};
use super::parameters::Parameters;
use super::simd::vectorised;
use super::tensors::{host, matrix};
use crate::error::Result;
use crate::{Dev, Matrix};

/// Blocks that share one partial sum of the weight gradients. Fixed, not tied to the number of
/// threads: sums are then added in the same order on every machine.
const GROUP: usize = 16;

/// The weights as plain slices.
struct Layers {
    /// (outputs, inputs) of each layer.
    sizes: Vec<(usize, usize)>,
    weights: Vec<Vec<f32>>,
    biases: Vec<Vec<f32>>,
}

impl Layers {
    fn new(parameters: &Parameters) -> Self {
        let members: Vec<_> = parameters.iter().collect();
        let mut layers = Self { sizes: vec![], weights: vec![], biases: vec![] };
        for pair in members.chunks_exact(2) {
            layers.sizes.push(*pair[0].value().shape());
            layers.weights.push(host(pair[0].value()));
            layers.biases.push(host(pair[1].value()));
        }
        layers
    }

    fn depth(&self) -> usize {
        self.sizes.len()
    }

    /// How many rows of a block layer `layer` puts out: from the second on, nodes have become rows.
    fn rows(&self, block: &Block, layer: usize) -> usize {
        if layer == 0 {
            block.inputs()
        } else {
            block.rows.len()
        }
    }

    /// Floats that a block leaves for the backward pass: per hidden layer its ELU output and the
    /// tangent before ELU.
    fn saved(&self, block: &Block) -> usize {
        let hidden = self.sizes[..self.depth() - 1].iter().enumerate();
        hidden.map(|(layer, &(outputs, _))| 2 * self.rows(block, layer) * outputs).sum()
    }

    /// The inputs in the order and the blocks they go through the network.
    fn plan(&self, x: &[f32], direction: &[f32]) -> Plan {
        let width = self.sizes[0].1;
        if width == 1 && self.depth() > 1 {
            Plan::smooth(x, direction, &self.weights[0], &self.biases[0])
        } else {
            Plan::plain(x, direction, width)
        }
    }

    /// How many numbers the network gives for a row.
    fn outputs(&self) -> usize {
        self.sizes.last().map_or(0, |&(outputs, _)| outputs)
    }

    /// Gradients of all layers in one list: weight, bias, weight, bias, …
    fn gradient_len(&self) -> usize {
        self.sizes.iter().map(|&(outputs, inputs)| outputs * (inputs + 1)).sum()
    }
}

/// `out[r] += bias` for the value rows.
fn add_bias(out: &mut [f32], bias: &[f32]) {
    vectorised(|| {
        for row in out.chunks_exact_mut(bias.len()) {
            for (o, &b) in row.iter_mut().zip(bias) {
                *o += b;
            }
        }
    });
}

/// ELU and its effect on the tangent: value := elu(value), `tangent *= slope`; `saved` keeps the
/// ELU values and the tangents before.
///
/// With a = elu(z), the slope is 1 for a > 0 and exp(z) = a + 1 elsewhere.
fn activate(value: &mut [f32], tangent: &mut [f32], saved: &mut [f32]) {
    let (kept_value, kept_raw) = saved.split_at_mut(value.len());
    vectorised(|| {
        let now = value.iter_mut().zip(tangent);
        for ((v, t), (kept_v, kept_t)) in now.zip(kept_value.iter_mut().zip(kept_raw)) {
            let exponential = exp(v.min(0.0));
            *kept_t = *t;
            *v = if *v > 0.0 { *v } else { exponential - 1.0 };
            *kept_v = *v;
            *t *= exponential;
        }
    });
}

/// What the first layer is given: value rows, then tangent rows.
fn first_input(plan: &Plan, block: &Block, input: &mut Vec<f32>) {
    input.clear();
    match &block.nodes {
        Some(nodes) => {
            input.extend_from_slice(&nodes.x);
            input.resize(2 * NODES, 1.0);
        }
        None => {
            let here = block.rows.start * plan.width..block.rows.end * plan.width;
            input.extend_from_slice(&plan.x[here.clone()]);
            input.extend_from_slice(&plan.direction[here]);
        }
    }
}

/// Values and slopes at the nodes become values and tangents at the rows.
fn interpolate(nodes: &Nodes, at_nodes: &[f32], at_rows: &mut Vec<f32>, columns: usize) {
    let rows = nodes.value.len() / NODES;
    at_rows.resize(2 * rows * columns, 0.0);
    let (value, tangent) = at_rows.split_at_mut(rows * columns);
    let (node_value, node_slope) = at_nodes.split_at(NODES * columns);
    let weights = |weights| Factor::plain(weights, rows, NODES);
    product(weights(&nodes.value), Factor::plain(node_value, NODES, columns), value, Into::Replace);
    product(weights(&nodes.tangent), Factor::plain(node_slope, NODES, columns), tangent, Into::Replace);
}

/// The transpose of [`interpolate`]: gradients at the rows become gradients at the nodes.
fn gather(nodes: &Nodes, at_rows: &[f32], at_nodes: &mut Vec<f32>, columns: usize) {
    let rows = nodes.value.len() / NODES;
    at_nodes.resize(2 * NODES * columns, 0.0);
    let (value, slope) = at_nodes.split_at_mut(NODES * columns);
    let (row_value, row_tangent) = at_rows.split_at(rows * columns);
    let weights = |weights| Factor::plain(weights, rows, NODES).transposed();
    product(weights(&nodes.value), Factor::plain(row_value, rows, columns), value, Into::Replace);
    product(weights(&nodes.tangent), Factor::plain(row_tangent, rows, columns), slope, Into::Replace);
}

/// One block forward. `saved` keeps what backward needs; the network's value rows and tangent rows
/// go to `out`.
fn forward_block(
    layers: &Layers,
    plan: &Plan,
    block: &Block,
    saved: &mut [f32],
    scratch: &mut Scratch,
    out: &mut [f32],
) {
    let Scratch { current, next } = scratch;
    first_input(plan, block, current);
    let mut saved = saved;
    let mut rows = block.inputs();
    for layer in 0..layers.depth() {
        let (outputs, inputs) = layers.sizes[layer];
        next.resize(2 * rows * outputs, 0.0);
        let weight = Factor::plain(&layers.weights[layer], outputs, inputs).transposed();
        product(Factor::plain(current, 2 * rows, inputs), weight, next, Into::Replace);
        std::mem::swap(current, next);
        if let (1, Some(nodes)) = (layer, &block.nodes) {
            rows = block.rows.len();
            interpolate(nodes, current, next, outputs);
            std::mem::swap(current, next);
        }
        add_bias(&mut current[..rows * outputs], &layers.biases[layer]);
        if layer + 1 < layers.depth() {
            let (here, rest) = saved.split_at_mut(2 * rows * outputs);
            saved = rest;
            let (value, tangent) = current.split_at_mut(rows * outputs);
            activate(value, tangent, here);
        }
    }
    out.copy_from_slice(current);
}

/// Through ELU backward, for value and tangent at once.
///
/// a = elu(z), t = slope(z) ż  ⇒  g_z = g_a slope + g_t ż slope', g_ż = g_t slope, where
/// slope' = slope for z < 0 and 0 for z > 0. `raw` holds ż and becomes t.
fn deactivate(value: &[f32], raw: &mut [f32], grad_value: &mut [f32], grad_tangent: &mut [f32]) {
    vectorised(|| {
        let saved = value.iter().zip(raw);
        for ((&a, raw), (gv, gt)) in saved.zip(grad_value.iter_mut().zip(grad_tangent)) {
            let slope = if a > 0.0 { 1.0 } else { a + 1.0 };
            let curvature = if a > 0.0 { 0.0 } else { slope };
            *gv = *gv * slope + *gt * *raw * curvature;
            *gt *= slope;
            *raw *= slope;
        }
    });
}

/// One block backward: adds the layers' gradients to `gradient` and uses `saved` up.
fn backward_block(
    layers: &Layers,
    plan: &Plan,
    block: &Block,
    saved: &mut [f32],
    scratch: &mut Scratch,
    grad_out: &[f32],
    gradient: &mut [f32],
) {
    let Scratch { current, next } = scratch;
    current.clear();
    current.extend_from_slice(grad_out);
    let (mut saved, mut gradient) = (saved, gradient);
    let mut rows = block.rows.len();
    for layer in (0..layers.depth()).rev() {
        let (outputs, inputs) = layers.sizes[layer];
        let (before, here) = gradient.split_at_mut(gradient.len() - outputs * (inputs + 1));
        gradient = before;
        let (weight_gradient, bias_gradient) = here.split_at_mut(outputs * inputs);
        add_rows(&current[..rows * outputs], bias_gradient);
        if let (1, Some(nodes)) = (layer, &block.nodes) {
            gather(nodes, current, next, outputs);
            std::mem::swap(current, next);
            rows = NODES;
        }
        let grad = Factor::plain(current, 2 * rows, outputs);
        if layer == 0 {
            first_input(plan, block, next);
            product(grad.transposed(), Factor::plain(next, 2 * rows, inputs), weight_gradient, Into::Add);
            return;
        }
        next.resize(2 * rows * inputs, 0.0);
        let weight = Factor::plain(&layers.weights[layer], outputs, inputs);
        product(grad, weight, next, Into::Replace);
        // What went into this layer: ELU values as saved, tangents made of the saved ones.
        let (before, input) = saved.split_at_mut(saved.len() - 2 * rows * inputs);
        saved = before;
        let (value, raw) = input.split_at_mut(rows * inputs);
        let (grad_value, grad_tangent) = next.split_at_mut(rows * inputs);
        deactivate(value, raw, grad_value, grad_tangent);
        product(grad.transposed(), Factor::plain(input, 2 * rows, inputs), weight_gradient, Into::Add);
        std::mem::swap(current, next);
    }
}

/// Adds up the rows of a matrix as wide as `sums`.
fn add_rows(values: &[f32], sums: &mut [f32]) {
    vectorised(|| {
        for row in values.chunks_exact(sums.len()) {
            for (sum, &value) in sums.iter_mut().zip(row) {
                *sum += value;
            }
        }
    });
}

/// Buffers of one thread.
#[derive(Default)]
struct Scratch {
    current: Vec<f32>,
    next: Vec<f32>,
}

/// Large buffers wait here between steps: fresh ones cost a page fault every 4 kB.
static POOL: Mutex<Vec<Vec<f32>>> = Mutex::new(Vec::new());

/// A buffer of `len` unspecified values that returns to the pool when dropped.
struct Pooled(Vec<f32>);

impl Pooled {
    fn new(len: usize) -> Self {
        let mut pool = POOL.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let mut buffer = pool.pop().unwrap_or_default();
        buffer.resize(len, 0.0);
        Self(buffer)
    }
}

impl Drop for Pooled {
    fn drop(&mut self) {
        let mut pool = POOL.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        // Two steps in flight at most: what exceeds that goes back to the system.
        if pool.len() < 4 {
            pool.push(std::mem::take(&mut self.0));
        }
    }
}

/// Cuts a slice into consecutive pieces of these lengths.
fn pieces(slice: &mut [f32], lengths: impl Iterator<Item = usize>) -> Vec<&mut [f32]> {
    let mut rest = slice;
    lengths
        .map(|length| {
            let (piece, after) = std::mem::take(&mut rest).split_at_mut(length);
            rest = after;
            piece
        })
        .collect()
}

/// All blocks forward: the outputs (stacked) and what backward needs.
fn forward(layers: &Layers, plan: &Plan) -> (Vec<f32>, Pooled) {
    let lengths = || plan.blocks.iter().map(|block| layers.saved(block));
    let mut saved = Pooled::new(lengths().sum());
    let mut out = vec![0.0; 2 * plan.rows() * layers.outputs()];
    let outs = pieces(&mut out, plan.blocks.iter().map(|block| 2 * block.rows.len() * layers.outputs()));
    let work = plan.blocks.par_iter().zip(pieces(&mut saved.0, lengths())).zip(outs);
    work.for_each_init(Scratch::default, |scratch, ((block, saved), out)| {
        forward_block(layers, plan, block, saved, scratch, out);
    });
    (out, saved)
}

/// All blocks backward: the layers' gradients in one list. Uses `saved` up.
fn backward(layers: &Layers, plan: &Plan, saved: &mut [f32], grad_out: &[f32]) -> Vec<f32> {
    let saved = pieces(saved, plan.blocks.iter().map(|block| layers.saved(block)));
    let mut work: Vec<_> = plan.blocks.iter().zip(saved).collect();
    let partial = work.par_chunks_mut(GROUP).map_init(Scratch::default, |scratch, group| {
        let mut gradient = vec![0.0; layers.gradient_len()];
        for (block, saved) in group {
            let (start, end) = (2 * block.rows.start, 2 * block.rows.end);
            let grad_out = &grad_out[start * layers.outputs()..end * layers.outputs()];
            backward_block(layers, plan, block, saved, scratch, grad_out, &mut gradient);
        }
        gradient
    });
    let mut total = vec![0.0; layers.gradient_len()];
    for gradient in partial.collect::<Vec<_>>() {
        total.iter_mut().zip(gradient).for_each(|(t, g)| *t += g);
    }
    total
}

/// See [`super::mlp()`].
pub(super) fn mlp<T: Tape<f32, Dev>>(
    parameters: &Parameters,
    x: &Matrix,
    direction: &Matrix,
    tape: T,
) -> Result<Dual<T>> {
    let rows = x.shape().0;
    let layers = Layers::new(parameters);
    let plan = layers.plan(&host(x), &host(direction));
    let (out, mut saved) = forward(&layers, &plan);
    let columns = layers.outputs();
    let (value, tangent) = plan.unstack(&out, columns);
    let (value, tangent) = (matrix(value, rows, columns)?, matrix(tangent, rows, columns)?);

    let mut tape = tape;
    let (value_grad, tangent_grad) = (value.clone(), tangent.clone());
    let parameters = parameters.clone();
    tape.add_backward_op(move |gradients| {
        let grad_value = gradients.get_or_alloc_mut(&value_grad)?.to_vec();
        let grad_out = plan.stack(&grad_value, gradients.get_or_alloc_mut(&tangent_grad)?, columns);
        let gradient = backward(&layers, &plan, &mut saved.0, &grad_out);
        let mut rest = gradient.as_slice();
        for parameter in parameters.iter() {
            let target = gradients.get_or_alloc_mut(parameter.value())?;
            let (here, after) = rest.split_at(target.len());
            rest = after;
            target.iter_mut().zip(here).for_each(|(t, g)| *t += g);
        }
        Ok(())
    });
    Ok(Dual { value: value.put_tape(tape), tangent: tangent.put_tape(T::default()) })
}

/// See [`super::mlp_frozen`]: one forward pass per input column carries its derivative along.
pub(super) fn mlp_frozen<T: Tape<f32, Dev>>(parameters: &Parameters, x: Matrix<T>) -> Result<Matrix<T>> {
    let (x, mut tape) = x.split_tape();
    let (rows, width) = *x.shape();
    let layers = Layers::new(parameters);
    let values = host(&x);
    let mut slopes = vec![0.0; rows * width];
    let mut result = Vec::new();
    for column in 0..width {
        let mut direction = vec![0.0; rows * width];
        direction.iter_mut().skip(column).step_by(width).for_each(|d| *d = 1.0);
        let plan = layers.plan(&values, &direction);
        let (value, tangent) = plan.unstack(&forward(&layers, &plan).0, 1);
        slopes.iter_mut().skip(column).step_by(width).zip(tangent).for_each(|(s, t)| *s = t);
        result = value;
    }
    let result = matrix(result, rows, 1)?;
    let output = result.clone();
    tape.add_backward_op(move |gradients| {
        let grad = gradients.get_or_alloc_mut(&output)?.to_vec();
        let target = gradients.get_or_alloc_mut(&x)?;
        for (row, (target, slopes)) in target.chunks_mut(width).zip(slopes.chunks(width)).enumerate() {
            target.iter_mut().zip(slopes).for_each(|(t, s)| *t += grad[row] * s);
        }
        Ok(())
    });
    Ok(result.put_tape(tape))
}
