//! Fused CPU kernels of the loss network: blocks of rows stay in cache from layer to layer.

use std::sync::Mutex;

use dfdx::prelude::*;
use rayon::prelude::*;

use super::dual::Dual;
use super::fast_math::exp;
use super::gemm::{product, Factor, Into};
use super::parameters::Parameters;
use super::simd::vectorised;
use super::tensors::{host, matrix};
use crate::error::Result;
use crate::{Dev, Matrix};

/// Rows whose activations of one layer fit the second-level cache.
const BLOCK: usize = 128;
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

    /// Floats that a block of `rows` leaves for the backward pass: per hidden layer its ELU
    /// output and the tangent before ELU.
    fn saved(&self, rows: usize) -> usize {
        self.sizes[..self.depth() - 1].iter().map(|&(outputs, _)| 2 * rows * outputs).sum()
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

/// ELU and its effect on the tangent: value := elu(value), and `tangent := slope * raw`.
///
/// With a = elu(z), the slope is 1 for a > 0 and exp(z) = a + 1 elsewhere.
fn activate(value: &mut [f32], raw: &[f32], tangent: &mut [f32]) {
    vectorised(|| {
        for ((v, &raw), t) in value.iter_mut().zip(raw).zip(tangent) {
            let exponential = exp(v.min(0.0));
            *v = if *v > 0.0 { *v } else { exponential - 1.0 };
            *t = exponential * raw;
        }
    });
}

/// One block forward. `stacked` is scratch; `saved` keeps what backward needs; returns the
/// network's value and tangent in `out` (value rows, then tangent rows).
fn forward_block(
    layers: &Layers,
    input: &[f32],
    saved: &mut [f32],
    scratch: &mut Scratch,
    out: &mut [f32],
    rows: usize,
) {
    let Scratch { current, next, .. } = scratch;
    current.clear();
    current.extend_from_slice(input);
    let mut saved = saved;
    for layer in 0..layers.depth() {
        let (outputs, inputs) = layers.sizes[layer];
        let last = layer + 1 == layers.depth();
        next.resize(2 * rows * outputs, 0.0);
        let weight = Factor::plain(&layers.weights[layer], outputs, inputs).transposed();
        product(Factor::plain(current, 2 * rows, inputs), weight, next, Into::Replace);
        add_bias(&mut next[..rows * outputs], &layers.biases[layer]);
        if last {
            out.copy_from_slice(next);
            return;
        }
        let (here, rest) = saved.split_at_mut(2 * rows * outputs);
        saved = rest;
        let (value, tangent) = next.split_at_mut(rows * outputs);
        here[rows * outputs..].copy_from_slice(tangent);
        activate(value, &here[rows * outputs..], tangent);
        here[..rows * outputs].copy_from_slice(value);
        std::mem::swap(current, next);
    }
}

/// Through ELU backward, for value and tangent at once.
///
/// a = elu(z), t = slope(z) ż  ⇒  g_z = g_a slope + g_t ż slope', g_ż = g_t slope, where
/// slope' = slope for z < 0 and 0 for z > 0. The tangent t is rebuilt into `tangent` on the way.
fn deactivate(
    value: &[f32],
    raw: &[f32],
    grad_value: &mut [f32],
    grad_tangent: &mut [f32],
    tangent: &mut [f32],
) {
    vectorised(|| {
        let saved = value.iter().zip(raw).zip(tangent);
        for (((&a, &raw), t), (gv, gt)) in saved.zip(grad_value.iter_mut().zip(grad_tangent)) {
            let slope = if a > 0.0 { 1.0 } else { a + 1.0 };
            let curvature = if a > 0.0 { 0.0 } else { slope };
            *t = slope * raw;
            *gv = *gv * slope + *gt * raw * curvature;
            *gt *= slope;
        }
    });
}

/// One block backward: adds the layers' gradients to `gradient`.
fn backward_block(
    layers: &Layers,
    input: &[f32],
    saved: &[f32],
    grad_out: &[f32],
    scratch: &mut Scratch,
    gradient: &mut [f32],
    rows: usize,
) {
    let Scratch { current, next, stacked } = scratch;
    current.clear();
    current.extend_from_slice(grad_out);
    let (mut saved_end, mut gradient_end) = (saved.len(), gradient.len());
    for layer in (0..layers.depth()).rev() {
        let (outputs, inputs) = layers.sizes[layer];
        let here = gradient_end - outputs * (inputs + 1);
        let (weight_gradient, bias_gradient) = gradient[here..gradient_end].split_at_mut(outputs * inputs);
        gradient_end = here;
        vectorised(|| {
            for row in current[..rows * outputs].chunks_exact(outputs) {
                for (b, &g) in bias_gradient.iter_mut().zip(row) {
                    *b += g;
                }
            }
        });
        let grad = Factor::plain(current, 2 * rows, outputs);
        if layer == 0 {
            product(grad.transposed(), Factor::plain(input, 2 * rows, inputs), weight_gradient, Into::Add);
            return;
        }
        next.resize(2 * rows * inputs, 0.0);
        let weight = Factor::plain(&layers.weights[layer], outputs, inputs);
        product(grad, weight, next, Into::Replace);
        // The input of this layer: ELU values as saved, tangents rebuilt by `deactivate`.
        saved_end -= 2 * rows * inputs;
        let (value, raw) = saved[saved_end..saved_end + 2 * rows * inputs].split_at(rows * inputs);
        stacked.resize(2 * rows * inputs, 0.0);
        stacked[..rows * inputs].copy_from_slice(value);
        let (grad_value, grad_tangent) = next.split_at_mut(rows * inputs);
        deactivate(value, raw, grad_value, grad_tangent, &mut stacked[rows * inputs..]);
        product(grad.transposed(), Factor::plain(stacked, 2 * rows, inputs), weight_gradient, Into::Add);
        std::mem::swap(current, next);
    }
}

/// Buffers of one thread.
#[derive(Default)]
struct Scratch {
    current: Vec<f32>,
    next: Vec<f32>,
    stacked: Vec<f32>,
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

/// Value and tangent rows of each block, one after the other.
fn stack(x: &[f32], direction: &[f32], width: usize) -> Vec<f32> {
    let mut stacked = Vec::with_capacity(2 * x.len());
    for (x, d) in x.chunks(BLOCK * width).zip(direction.chunks(BLOCK * width)) {
        stacked.extend_from_slice(x);
        stacked.extend_from_slice(d);
    }
    stacked
}

/// Undoes [`stack`] for one column.
fn unstack(stacked: &[f32], rows: usize) -> (Vec<f32>, Vec<f32>) {
    let (mut value, mut tangent) = (Vec::with_capacity(rows), Vec::with_capacity(rows));
    for block in stacked.chunks(2 * BLOCK) {
        let (v, t) = block.split_at(block.len() / 2);
        value.extend_from_slice(v);
        tangent.extend_from_slice(t);
    }
    (value, tangent)
}

/// All blocks forward: the outputs (stacked) and what backward needs.
fn forward(layers: &Layers, input: &[f32], rows: usize) -> (Vec<f32>, Pooled) {
    let width = layers.sizes[0].1;
    let mut saved = Pooled::new(layers.saved(rows));
    let mut out = vec![0.0; 2 * rows];
    // A network without hidden layers saves nothing, and chunks must not be empty.
    let nothing = layers.saved(1) == 0;
    let blocks = rows.div_ceil(BLOCK);
    let mut spare = vec![Vec::new(); if nothing { blocks } else { 0 }];
    let pieces: Vec<&mut [f32]> = if nothing {
        spare.iter_mut().map(Vec::as_mut_slice).collect()
    } else {
        saved.0.chunks_mut(layers.saved(BLOCK)).collect()
    };
    input.par_chunks(2 * BLOCK * width).zip(pieces).zip(out.par_chunks_mut(2 * BLOCK)).for_each_init(
        Scratch::default,
        |scratch, ((input, saved), out)| {
            forward_block(layers, input, saved, scratch, out, input.len() / (2 * width));
        },
    );
    (out, saved)
}

/// All blocks backward: the layers' gradients in one list.
fn backward(layers: &Layers, input: &[f32], saved: &[f32], grad_out: &[f32]) -> Vec<f32> {
    let width = layers.sizes[0].1;
    let rows = input.len() / (2 * width);
    let groups = rows.div_ceil(BLOCK * GROUP);
    let partial = (0..groups).into_par_iter().map_init(Scratch::default, |scratch, group| {
        let mut gradient = vec![0.0; layers.gradient_len()];
        for block in group * GROUP..((group + 1) * GROUP).min(rows.div_ceil(BLOCK)) {
            let (start, end) = (block * BLOCK, ((block + 1) * BLOCK).min(rows));
            let saved = &saved[layers.saved(start)..layers.saved(end)];
            let input = &input[2 * start * width..2 * end * width];
            backward_block(
                layers,
                input,
                saved,
                &grad_out[2 * start..2 * end],
                scratch,
                &mut gradient,
                end - start,
            );
        }
        gradient
    });
    let mut total = vec![0.0; layers.gradient_len()];
    for gradient in partial.collect::<Vec<_>>() {
        for (t, g) in total.iter_mut().zip(gradient) {
            *t += g;
        }
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
    let &(rows, width) = x.shape();
    let layers = Layers::new(parameters);
    let input = stack(&host(x), &host(direction), width);
    let (out, saved) = forward(&layers, &input, rows);
    let (value, tangent) = unstack(&out, rows);
    let (value, tangent) = (matrix(value, rows, 1)?, matrix(tangent, rows, 1)?);

    let mut tape = tape;
    let (value_grad, tangent_grad) = (value.clone(), tangent.clone());
    let parameters = parameters.clone();
    tape.add_backward_op(move |gradients| {
        let grad_value = gradients.get_or_alloc_mut(&value_grad)?.to_vec();
        let grad_out = stack(&grad_value, gradients.get_or_alloc_mut(&tangent_grad)?, 1);
        let gradient = backward(&layers, &input, &saved.0, &grad_out);
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
        let (out, _) = forward(&layers, &stack(&values, &direction, width), rows);
        let (value, tangent) = unstack(&out, rows);
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
