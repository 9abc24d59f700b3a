//! Derivatives of a network of rows along given directions.

use dfdx::prelude::*;

use super::input::Batch;
use crate::error::{Error, Result};
use crate::ops::{mlp_with, Activation, Dual, Parameters};
use crate::{Dev, Matrix};

/// The outputs of layers for a batch, and their derivatives along each of its directions.
pub(super) fn along<T: Tape<f32, Dev>>(
    layers: &Parameters,
    activation: Activation,
    batch: &Batch,
    tape: T,
) -> Result<(Matrix<T>, Vec<Matrix<T>>)> {
    let mut tape = Some(tape);
    let (mut first, mut tangents) = (None, Vec::with_capacity(batch.directions.len()));
    for direction in &batch.directions {
        let tape = tape.take().unwrap_or_default();
        let Dual { value, tangent } = mlp_with(layers, activation, &batch.x, direction, tape)?;
        if first.is_none() {
            first = Some(value);
            tangents.push(tangent);
        } else {
            // What is recorded lies with the value, which is the first's again.
            let (_, recorded) = value.split_tape();
            let (tangent, rest) = tangent.split_tape();
            tangents.push(tangent.put_tape(recorded.merge(rest)));
        }
    }
    let first = first.ok_or_else(|| Error::shape("loss network", "a direction or more", 0))?;
    Ok((first, tangents))
}

/// The root of the sum of squares; of one, itself.
pub(super) fn norm<T: Tape<f32, Dev>>(mut slopes: Vec<Matrix<T>>) -> Result<Matrix<T>> {
    let last = slopes.pop().ok_or_else(|| Error::shape("loss network", "a slope or more", 0))?;
    if slopes.is_empty() {
        return Ok(last);
    }
    let mut sum = last.try_square()?;
    for slope in slopes {
        sum = sum.try_add(slope.try_square()?)?;
    }
    // The root's own slope at 0 is infinite: a gradient so small counts as this much.
    Ok(sum.try_add(1e-12)?.try_sqrt()?)
}
