//! A linear layer with its activation: products of blocks of rows, then one pass.

use std::ops::Range;

use dfdx::prelude::*;
use rayon::prelude::*;

use super::affine::Activation;
use super::jet::{restore, take, Jet};
use crate::error::Result;
use crate::ops::fast_math::exp;
use crate::ops::gemm::{product, Factor, Into};
use crate::ops::parameters::Parameter;
use crate::ops::simd::{vectorised, Kernel};
use crate::ops::tensors::contents;
use crate::Dev;

/// Rows of a product that one thread does at a time. Fixed, so that results do not depend on how many there are.
const ROWS: usize = 128;
/// Rows of a weight's gradient that one thread does at a time.
const OUTPUTS: usize = 32;

pub(super) fn affine<T: Tape<f32, Dev>>(
    x: Jet<T>,
    weight: &Parameter,
    bias: Option<&Parameter>,
    part: Range<usize>,
    activation: Activation,
) -> Result<Jet<T>> {
    let (x, mut tape) = x.take()?;
    let (rows, inputs) = *x.value.shape();
    let outputs = part.len();
    let w = contents(weight.value())[part.start * inputs..part.end * inputs].to_vec();
    let b = bias.map_or(vec![0.0; outputs], |bias| contents(bias.value())[part.clone()].to_vec());

    let mut values = times_transposed(&x.values, &w, inputs);
    let mut tangents = x.tangents.as_ref().map(|tangents| times_transposed(tangents, &w, inputs));
    // The tangents before the activation, which the value's gradient depends on where the activation is curved.
    let raw = tangents.clone().filter(|_| matches!(activation, Activation::Elu | Activation::Tanh));
    values.par_chunks_mut(ROWS * outputs).for_each(|rows| {
        vectorised(BiasAndActivation { rows, bias: &b, activation });
    });
    if let Some(tangents) = &mut tangents {
        let chunks = tangents.par_chunks_mut(ROWS * outputs).zip(values.par_chunks(ROWS * outputs));
        chunks.for_each(|(tangents, values)| vectorised(Slopes { tangents, values, activation }));
    }
    let kept = if activation == Activation::Identity { Vec::new() } else { values.clone() };
    let out = Jet::<T>::give(values, tangents, (rows, outputs))?;

    let (ghost, weight, bias) = (out.clone(), weight.value().clone(), bias.map(|bias| bias.value().clone()));
    tape.add_backward_op(move |gradients| {
        let on_value = take(gradients, &ghost.value)?;
        let on_tangent = ghost.tangent.as_ref().map(|tangent| take(gradients, tangent)).transpose()?;
        let (mut before, mut along) = (on_value.clone(), on_tangent.clone());
        if activation != Activation::Identity {
            through(&kept, raw.as_deref(), &mut before, along.as_deref_mut(), activation, outputs);
        }
        add_product(gradients.get_or_alloc_mut(&x.value)?, &before, &w, outputs, inputs);
        let on_weight = gradients.get_or_alloc_mut(&weight)?;
        let on_weight = &mut on_weight[part.start * inputs..part.end * inputs];
        add_transposed_product(on_weight, &before, &x.values, outputs, inputs);
        if let (Some(along), Some(tangents), Some(tangent)) = (&along, &x.tangents, &x.tangent) {
            add_transposed_product(on_weight, along, tangents, outputs, inputs);
            add_product(gradients.get_or_alloc_mut(tangent)?, along, &w, outputs, inputs);
        }
        if let Some(bias) = &bias {
            let on_bias = &mut gradients.get_or_alloc_mut(bias)?[part.clone()];
            for row in before.chunks_exact(outputs) {
                on_bias.iter_mut().zip(row).for_each(|(sum, g)| *sum += g);
            }
        }
        if let (Some(tangent), Some(on_tangent)) = (&ghost.tangent, on_tangent) {
            restore(gradients, tangent, on_tangent)?;
        }
        restore(gradients, &ghost.value, on_value)
    });
    Ok(out.on(tape))
}

/// `x wᵀ`.
fn times_transposed(x: &[f32], w: &[f32], inputs: usize) -> Vec<f32> {
    let outputs = w.len() / inputs;
    let mut out = vec![0.0; x.len() / inputs * outputs];
    out.par_chunks_mut(ROWS * outputs).zip(x.par_chunks(ROWS * inputs)).for_each(|(out, x)| {
        let x = Factor::plain(x, x.len() / inputs, inputs);
        product(x, Factor::plain(w, outputs, inputs).transposed(), out, Into::Replace);
    });
    out
}

/// `to += g w`.
fn add_product(to: &mut [f32], g: &[f32], w: &[f32], outputs: usize, inputs: usize) {
    to.par_chunks_mut(ROWS * inputs).zip(g.par_chunks(ROWS * outputs)).for_each(|(to, g)| {
        let g = Factor::plain(g, g.len() / outputs, outputs);
        product(g, Factor::plain(w, outputs, inputs), to, Into::Add);
    });
}

/// `to += gᵀ x`, split by outputs so that every sum over rows is one thread's.
fn add_transposed_product(to: &mut [f32], g: &[f32], x: &[f32], outputs: usize, inputs: usize) {
    let rows = x.len() / inputs;
    if rows == 0 {
        return;
    }
    let x = Factor::plain(x, rows, inputs);
    to.par_chunks_mut(OUTPUTS * inputs).enumerate().for_each(|(chunk, to)| {
        let (first, count) = (chunk * OUTPUTS, to.len() / inputs);
        let g = Factor::columns(g, rows, outputs, first..first + count);
        product(g.transposed(), x, to, Into::Add);
    });
}

/// Gradients at the outputs become gradients before the activation.
fn through(
    values: &[f32],
    raw: Option<&[f32]>,
    on_value: &mut [f32],
    on_tangent: Option<&mut [f32]>,
    activation: Activation,
    outputs: usize,
) {
    let chunk = ROWS * outputs;
    match on_tangent {
        None => {
            values.par_chunks(chunk).zip(on_value.par_chunks_mut(chunk)).for_each(|(values, tangents)| {
                vectorised(Slopes { tangents, values, activation });
            })
        }
        Some(on_tangent) => {
            // a = f(z), t = slope(z) ż  ⇒  g_z = g_a slope + g_t ż slope', g_ż = g_t slope, where slope' = slope for z < 0 and
            // 0 for z > 0 (ELU), slope' = −2 a slope (tanh).
            let values = values.par_chunks(chunk);
            if let Some(raw) = raw {
                let both = on_value.par_chunks_mut(chunk).zip(on_tangent.par_chunks_mut(chunk));
                values.zip(raw.par_chunks(chunk)).zip(both).for_each(|((values, raw), (gv, gt))| {
                    vectorised(Curved { values, raw, on_value: gv, on_tangent: gt, activation });
                });
                return;
            }
            let both = on_value.par_chunks_mut(chunk).zip(on_tangent.par_chunks_mut(chunk));
            values.zip(both).for_each(|(values, (gv, gt))| {
                vectorised(Slopes { tangents: gv, values, activation });
                vectorised(Slopes { tangents: gt, values, activation });
            });
        }
    }
}

/// Adds the bias to every row, then activates.
struct BiasAndActivation<'a> {
    rows: &'a mut [f32],
    bias: &'a [f32],
    activation: Activation,
}

impl Kernel for BiasAndActivation<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        for row in self.rows.chunks_exact_mut(self.bias.len()) {
            let row = row.iter_mut().zip(self.bias);
            match self.activation {
                Activation::Identity => row.for_each(|(x, b)| *x += b),
                Activation::Relu => row.for_each(|(x, b)| *x = (*x + b).max(0.0)),
                Activation::Elu => row.for_each(|(x, b)| {
                    let z = *x + b;
                    let below = exp(z.min(0.0)) - 1.0;
                    *x = if z > 0.0 { z } else { below };
                }),
                Activation::Tanh => row.for_each(|(x, b)| *x = (*x + b).tanh()),
            }
        }
    }
}

/// Tangents times the activation's slope, known from its outputs.
struct Slopes<'a> {
    tangents: &'a mut [f32],
    values: &'a [f32],
    activation: Activation,
}

impl Kernel for Slopes<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let both = self.tangents.iter_mut().zip(self.values);
        match self.activation {
            Activation::Identity => {}
            Activation::Relu => both.for_each(|(t, &a)| *t = if a > 0.0 { *t } else { 0.0 }),
            Activation::Elu => both.for_each(|(t, &a)| *t *= if a > 0.0 { 1.0 } else { a + 1.0 }),
            Activation::Tanh => both.for_each(|(t, &a)| *t *= 1.0 - a * a),
        }
    }
}

/// Through ELU or tanh backward, for value and tangent at once.
struct Curved<'a> {
    values: &'a [f32],
    raw: &'a [f32],
    on_value: &'a mut [f32],
    on_tangent: &'a mut [f32],
    activation: Activation,
}

impl Kernel for Curved<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let saved = self.values.iter().zip(self.raw);
        for ((&a, &raw), (gv, gt)) in saved.zip(self.on_value.iter_mut().zip(self.on_tangent)) {
            let (slope, curvature) = match (self.activation, a > 0.0) {
                (Activation::Tanh, _) => (1.0 - a * a, -2.0 * a * (1.0 - a * a)),
                (_, true) => (1.0, 0.0),
                (_, false) => (a + 1.0, a + 1.0),
            };
            *gv = *gv * slope + *gt * raw * curvature;
            *gt *= slope;
        }
    }
}
