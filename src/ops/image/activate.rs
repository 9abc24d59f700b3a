//! Activations, and sums of two ways with theirs.

use dfdx::prelude::*;

use crate::error::Result;
use crate::{Dev, Matrix};

/// Values are held between these; the gradient passes strictly between them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Bounds {
    low: f32,
    high: f32,
}

impl Bounds {
    /// No activation.
    pub(crate) const NONE: Self = Self { low: f32::NEG_INFINITY, high: f32::INFINITY };
    /// max(x, 0).
    pub(crate) const RELU: Self = Self { low: 0.0, high: f32::INFINITY };
    /// min(max(x, 0), 6).
    pub(crate) const RELU6: Self = Self { low: 0.0, high: 6.0 };

    /// NaN stays NaN.
    #[cfg(not(feature = "composed"))]
    #[inline(always)]
    pub(super) fn hold(self, value: f32) -> f32 {
        let raised = if value < self.low { self.low } else { value };
        if raised > self.high {
            self.high
        } else {
            raised
        }
    }

    /// What of a gradient passes to a value.
    #[cfg(not(feature = "composed"))]
    #[inline(always)]
    pub(super) fn pass(self, value: f32, gradient: f32) -> f32 {
        if (self.low < value) & (value < self.high) {
            gradient
        } else {
            0.0
        }
    }

    /// Made of dfdx operations.
    #[cfg(any(test, feature = "composed"))]
    pub(super) fn composed<T: Tape<f32, Dev>>(self, x: Matrix<T>) -> Result<Matrix<T>> {
        let x = if self.low == 0.0 { x.try_relu()? } else { x };
        Ok(if self.high < f32::INFINITY { x.try_clamp(self.low, self.high)? } else { x })
    }
}

/// Values held between bounds.
pub(crate) fn activate<T: Tape<f32, Dev>>(x: Matrix<T>, bounds: Bounds) -> Result<Matrix<T>> {
    #[cfg(not(feature = "composed"))]
    return fused::activate(x, bounds);
    #[cfg(feature = "composed")]
    return bounds.composed(x);
}

/// The sum of two matrices of one shape, held between bounds.
pub(crate) fn join<T: Tape<f32, Dev>>(one: Matrix<T>, other: Matrix<T>, bounds: Bounds) -> Result<Matrix<T>> {
    #[cfg(not(feature = "composed"))]
    return fused::join(one, other, bounds);
    #[cfg(feature = "composed")]
    return bounds.composed(one.try_add(other)?);
}

#[cfg(not(feature = "composed"))]
mod fused {
    use rayon::prelude::*;

    use super::*;
    use crate::ops::image::unfold::backward;
    use crate::ops::simd::vectorised;
    use crate::ops::tensors::{contents, matrix};

    /// Values of a piece of work.
    const PIECE: usize = 1 << 14;

    pub(super) fn activate<T: Tape<f32, Dev>>(x: Matrix<T>, bounds: Bounds) -> Result<Matrix<T>> {
        let (x, mut tape) = x.try_contiguous()?.split_tape();
        let (mut values, (rows, columns)) = (contents(&x), *x.shape());
        let slopes = hold(&mut values, None, bounds);
        let out = matrix(values, rows, columns)?;
        let outer = out.clone();
        tape.add_backward_op(move |gradients| {
            backward(gradients, &outer, &x, |on_out, on_x| pass(on_out, &slopes, on_x))
        });
        Ok(out.put_tape(tape))
    }

    pub(super) fn join<T: Tape<f32, Dev>>(
        one: Matrix<T>,
        other: Matrix<T>,
        bounds: Bounds,
    ) -> Result<Matrix<T>> {
        let (one, tape) = one.try_contiguous()?.split_tape();
        let (other, other_tape) = other.try_contiguous()?.split_tape();
        let mut tape = tape.merge(other_tape);
        let (mut values, (rows, columns)) = (contents(&one), *one.shape());
        let slopes = hold(&mut values, Some(&contents(&other)), bounds);
        let out = matrix(values, rows, columns)?;
        let outer = out.clone();
        tape.add_backward_op(move |gradients| {
            backward(gradients, &outer, &one, |on_out, on_one| pass(on_out, &slopes, on_one))?;
            backward(gradients, &outer, &other, |on_out, on_other| pass(on_out, &slopes, on_other))
        });
        Ok(out.put_tape(tape))
    }

    /// Adds what is to be added and holds the values; whether each lies between the bounds.
    fn hold(values: &mut [f32], added: Option<&[f32]>, bounds: Bounds) -> Vec<bool> {
        let mut between = vec![true; values.len()];
        let pieces = values.par_chunks_mut(PIECE).zip(between.par_chunks_mut(PIECE)).enumerate();
        pieces.for_each(|(piece, (values, between))| {
            vectorised(|| {
                if let Some(added) = added {
                    values.iter_mut().zip(&added[piece * PIECE..]).for_each(|(value, added)| *value += added);
                }
                for (value, between) in values.iter_mut().zip(between) {
                    *between = bounds.pass(*value, 1.0) != 0.0;
                    *value = bounds.hold(*value);
                }
            });
        });
        between
    }

    /// Adds the gradients of the values that lay between the bounds.
    fn pass(on_out: &[f32], between: &[bool], on_x: &mut [f32]) {
        let pieces = on_out.par_chunks(PIECE).zip(between.par_chunks(PIECE)).zip(on_x.par_chunks_mut(PIECE));
        pieces.for_each(|((on_out, between), on_x)| {
            vectorised(|| {
                for ((g, &between), on_x) in on_out.iter().zip(between).zip(on_x) {
                    *on_x += if between { *g } else { 0.0 };
                }
            });
        });
    }
}

#[cfg(all(test, not(feature = "composed")))]
mod tests {
    use super::*;
    use crate::ops::{host, matrix};

    #[test]
    fn fused_forms_equal_composed_ones() {
        let values = |seed: u64| (0..66).map(|k| ((k * 37 + seed) % 67) as f32 / 4.0 - 7.9).collect();
        let (one, other) = (matrix(values(0), 6, 11).unwrap(), matrix(values(29), 6, 11).unwrap());
        let weights = matrix(values(5), 6, 11).unwrap();
        let found = |out: Matrix<crate::Tape>| {
            let values = host(&out);
            let gradients = (out * weights.clone()).sum::<(), _>().backward();
            let of = |x: &Matrix| host(&(gradients.get(x)));
            (values, of(&one))
        };
        for bounds in [Bounds::NONE, Bounds::RELU, Bounds::RELU6] {
            if bounds != Bounds::NONE {
                let composed = bounds.composed(one.leaky_trace()).unwrap();
                assert_eq!(found(activate(one.leaky_trace(), bounds).unwrap()), found(composed));
            }
            let joined = join(one.leaky_trace(), other.retaped(), bounds).unwrap();
            let composed = bounds.composed(one.leaky_trace() + other.clone()).unwrap();
            assert_eq!(found(joined), found(composed));
            // A matrix beside itself gets both gradients, where dfdx's own sum panics.
            let twice = join(one.leaky_trace(), one.retaped(), bounds).unwrap();
            let alone = activate((one.clone() * 2.0).leaky_trace(), bounds).unwrap();
            let expected: Vec<f32> = host(&alone)
                .iter()
                .zip(host(&one))
                .map(|(y, x)| if *y == 2.0 * x { 2.0 } else { 0.0 })
                .collect();
            let (values, gradient) = found(twice);
            assert_eq!(values, host(&alone));
            let weighted: Vec<f32> = expected.iter().zip(host(&weights)).map(|(e, w)| e * w).collect();
            assert_eq!(gradient, weighted);
        }
    }
}
