//! Layer normalisation of a sum, with the tangent of it, one pass over each row either way.

use dfdx::prelude::*;
use rayon::prelude::*;

use super::jet::{restore, take, Jet};
use super::layer_norm::EPSILON;
use crate::error::Result;
use crate::ops::parameters::Parameter;
use crate::ops::simd::{lane_sum, vectorised, Kernel};
use crate::ops::tensors::contents;
use crate::Dev;

/// Rows that share one partial sum of the parameters' gradients. Fixed, whatever the number of threads.
const ROWS: usize = 64;

pub(super) fn layer_norm<T: Tape<f32, Dev>>(
    x: Jet<T>,
    other: Option<Jet<T>>,
    weight: &Parameter,
    bias: &Parameter,
) -> Result<Jet<T>> {
    let (mut x, mut tape) = x.take()?;
    let mut inputs = vec![(x.value, x.tangent)];
    if let Some(other) = other {
        let (other, other_tape) = other.take()?;
        tape = tape.merge(other_tape);
        add(&mut x.values, &other.values);
        if let (Some(sum), Some(tangents)) = (&mut x.tangents, &other.tangents) {
            add(sum, tangents);
        }
        inputs.push((other.value, other.tangent));
    }
    let shape = *inputs[0].0.shape();
    let width = shape.1;
    let (w, b) = (contents(weight.value()), contents(bias.value()));
    let (mut unit, along) = (x.values, x.tangents);
    let mut values = vec![0.0; unit.len()];
    let mut inverse = vec![0.0; shape.0];
    let rows = unit.par_chunks_mut(width).zip(values.par_chunks_mut(width)).zip(&mut inverse);
    rows.for_each(|((unit, out), inverse)| *inverse = vectorised(Standardise { unit, w: &w, b: &b, out }));
    let tangents = along.as_ref().map(|along| {
        let mut out = vec![0.0; along.len()];
        let rows = out.par_chunks_mut(width).zip(unit.par_chunks(width)).zip(along.par_chunks(width));
        rows.zip(&inverse).for_each(|(((out, unit), along), &inverse)| {
            vectorised(Project { unit, along, inverse, out: &mut *out });
            out.iter_mut().zip(&w).for_each(|(out, w)| *out *= w);
        });
        out
    });
    let out = Jet::<T>::give(values, tangents, shape)?;

    let (ghost, weight, bias) = (out.clone(), weight.value().clone(), bias.value().clone());
    tape.add_backward_op(move |gradients| {
        let on_value = take(gradients, &ghost.value)?;
        let on_tangent = ghost.tangent.as_ref().map(|tangent| take(gradients, tangent)).transpose()?;
        let mut on_x = vec![0.0; on_value.len()];
        let mut on_along = vec![0.0; on_tangent.as_ref().map_or(0, Vec::len)];
        let block = ROWS * width;
        let blocks = on_x.par_chunks_mut(block).enumerate();
        let empty: Vec<&mut [f32]> = (0..shape.0.div_ceil(ROWS)).map(|_| [].as_mut_slice()).collect();
        let alongs = if on_along.is_empty() { empty } else { on_along.chunks_mut(block).collect() };
        let partial = blocks.zip(alongs).map(|((block, on_x), on_along)| {
            let first = block * ROWS;
            let mut sums = vec![0.0; 2 * width];
            for (row, on_x) in on_x.chunks_exact_mut(width).enumerate() {
                let here = (first + row) * width..(first + row + 1) * width;
                let tangent = match (&along, &on_tangent) {
                    (Some(along), Some(g)) => {
                        let on_along = &mut on_along[row * width..][..width];
                        Some((&along[here.clone()], &g[here.clone()], on_along))
                    }
                    _ => None,
                };
                let (unit, g) = (&unit[here.clone()], &on_value[here]);
                vectorised(Backward {
                    unit,
                    inverse: inverse[first + row],
                    w: &w,
                    g,
                    tangent,
                    on_x,
                    sums: &mut sums,
                });
            }
            sums
        });
        let mut sums = vec![0.0; 2 * width];
        partial.collect::<Vec<_>>().iter().for_each(|partial| add(&mut sums, partial));
        for (value, tangent) in &inputs {
            add(gradients.get_or_alloc_mut(value)?, &on_x);
            if let Some(tangent) = tangent {
                add(gradients.get_or_alloc_mut(tangent)?, &on_along);
            }
        }
        add(gradients.get_or_alloc_mut(&weight)?, &sums[..width]);
        add(gradients.get_or_alloc_mut(&bias)?, &sums[width..]);
        if let (Some(tangent), Some(on_tangent)) = (&ghost.tangent, on_tangent) {
            restore(gradients, tangent, on_tangent)?;
        }
        restore(gradients, &ghost.value, on_value)
    });
    Ok(out.on(tape))
}

/// Adds numbers to others, in place.
pub(super) fn add(to: &mut [f32], from: &[f32]) {
    vectorised(|| to.iter_mut().zip(from).for_each(|(to, from)| *to += from));
}

/// The mean of the products of two rows, in partial sums side by side.
#[inline(always)]
fn mean_product(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0; 16];
    for (a, b) in a.chunks(16).zip(b.chunks(16)) {
        for (sum, (a, b)) in sums.iter_mut().zip(a.iter().zip(b)) {
            *sum += a * b;
        }
    }
    sums.iter().sum::<f32>() / a.len() as f32
}

/// One row: x becomes x̂, the output is x̂ w + b; gives 1/σ.
struct Standardise<'a> {
    unit: &'a mut [f32],
    w: &'a [f32],
    b: &'a [f32],
    out: &'a mut [f32],
}

impl Kernel for Standardise<'_> {
    type Output = f32;

    #[inline(always)]
    fn run(self) -> f32 {
        let mean = lane_sum(self.unit) / self.unit.len() as f32;
        self.unit.iter_mut().for_each(|x| *x -= mean);
        let inverse = (mean_product(self.unit, self.unit) + EPSILON).sqrt().recip();
        let affine = self.w.iter().zip(self.b);
        for ((x, out), (w, b)) in self.unit.iter_mut().zip(self.out).zip(affine) {
            *x *= inverse;
            *out = *x * w + b;
        }
        inverse
    }
}

/// The derivative of x̂ along a direction, (dx − mean dx − x̂ mean(x̂ dx)) / σ: symmetric, so gradients go back by it too.
struct Project<'a> {
    unit: &'a [f32],
    along: &'a [f32],
    inverse: f32,
    out: &'a mut [f32],
}

impl Kernel for Project<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let mean = lane_sum(self.along) / self.along.len() as f32;
        let share = mean_product(self.unit, self.along);
        for (out, (unit, along)) in self.out.iter_mut().zip(self.unit.iter().zip(self.along)) {
            *out = (along - mean - unit * share) * self.inverse;
        }
    }
}

/// One row backward: the gradients of x, of its tangent, and of weight and bias (`sums`).
///
/// With u = x̂, u̇ = P(ẋ) where P is [`Project`], g and ġ the gradients at the outputs times w: ẋ gets P(ġ); x gets
/// P(g − (m ġ + ẋ mean(u ġ)) / σ) − u mean(ġ u̇) / σ with m = mean(u ẋ), the two terms in ġ being the ways through u and
/// through σ.
struct Backward<'a> {
    unit: &'a [f32],
    inverse: f32,
    w: &'a [f32],
    g: &'a [f32],
    /// The tangent ẋ, the gradient at the tangent's output, and where ẋ's goes.
    tangent: Option<(&'a [f32], &'a [f32], &'a mut [f32])>,
    on_x: &'a mut [f32],
    sums: &'a mut [f32],
}

impl Kernel for Backward<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { unit, inverse, w, g, tangent, on_x, sums } = self;
        let width = unit.len();
        let (on_weight, on_bias) = sums.split_at_mut(width);
        let mut on_unit: Vec<f32> = g.iter().zip(w).map(|(g, w)| g * w).collect();
        for ((on_weight, on_bias), (&g, &u)) in
            on_weight.iter_mut().zip(on_bias.iter_mut()).zip(g.iter().zip(unit))
        {
            *on_weight += g * u;
            *on_bias += g;
        }
        let mut through_deviation = 0.0;
        if let Some((along, g, on_along)) = tangent {
            let mut u_dot = vec![0.0; width];
            Project { unit, along, inverse, out: &mut u_dot }.run();
            on_weight.iter_mut().zip(g.iter().zip(&u_dot)).for_each(|(sum, (g, u))| *sum += g * u);
            let g: Vec<f32> = g.iter().zip(w).map(|(g, w)| g * w).collect();
            Project { unit, along: &g, inverse, out: on_along }.run();
            let (share, swing) = (mean_product(unit, along), mean_product(unit, &g));
            for (on_unit, (g, along)) in on_unit.iter_mut().zip(g.iter().zip(along)) {
                *on_unit -= (share * g + along * swing) * inverse;
            }
            through_deviation = mean_product(&g, &u_dot) * inverse;
        }
        Project { unit, along: &on_unit, inverse, out: on_x }.run();
        on_x.iter_mut().zip(unit).for_each(|(on_x, u)| *on_x -= through_deviation * u);
    }
}
