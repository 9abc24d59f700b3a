//! Rows of a table by number.

use dfdx::prelude::*;

use crate::error::{Error, Result};
use crate::ops::parameters::Parameter;
use crate::ops::tensors::device;
use crate::{Dev, Matrix};

/// The rows of a table that `ids` name, from 0, times a number.
///
/// # Shapes
/// `table` (entries, width) → (ids, width).
///
/// # Errors
/// [`Error::Shape`] for an id that the table does not have.
///
/// # Example
/// ```
/// use reloss::ops::{embed, host, Parameter};
/// let table = Parameter::new("table", &[2, 2], vec![1.0, 2.0, 3.0, 4.0])?;
/// let rows = embed(&[1, 0, 1], &table, 1.0, dfdx::prelude::NoneTape)?;
/// assert_eq!(host(&rows), [3.0, 4.0, 1.0, 2.0, 3.0, 4.0]);
/// assert!(embed(&[2], &table, 1.0, dfdx::prelude::NoneTape).is_err());
/// # Ok::<(), reloss::Error>(())
/// ```
pub fn embed<T: Tape<f32, Dev>>(ids: &[usize], table: &Parameter, scale: f32, tape: T) -> Result<Matrix<T>> {
    check(ids, table)?;
    #[cfg(not(feature = "composed"))]
    return fused(ids, table, scale, tape);
    #[cfg(feature = "composed")]
    embed_composed(ids, table, scale, tape)
}

/// [`embed`] made of dfdx's own operations.
///
/// # Errors
/// As [`embed`].
pub fn embed_composed<T: Tape<f32, Dev>>(
    ids: &[usize],
    table: &Parameter,
    scale: f32,
    tape: T,
) -> Result<Matrix<T>> {
    check(ids, table)?;
    let index = device()?.try_tensor_from_vec(ids.to_vec(), (ids.len(),))?;
    let rows: Matrix<T> = table.value().clone().put_tape(tape).try_gather(index)?;
    Ok(rows.try_mul(scale)?)
}

fn check(ids: &[usize], table: &Parameter) -> Result<()> {
    let entries = table.value().shape().0;
    match ids.iter().position(|&id| id >= entries) {
        Some(row) => {
            let expected = format!("ids below the {entries} rows of {}", table.name());
            Err(Error::shape("embed", expected, format!("{} at place {row}", ids[row])))
        }
        None => Ok(()),
    }
}

#[cfg(not(feature = "composed"))]
fn fused<T: Tape<f32, Dev>>(ids: &[usize], table: &Parameter, scale: f32, tape: T) -> Result<Matrix<T>> {
    use crate::ops::tensors::{contents, matrix};

    let width = table.value().shape().1;
    let entries = contents(table.value());
    let rows = ids.iter().flat_map(|id| entries[id * width..][..width].iter().map(|entry| entry * scale));
    let out = matrix(rows.collect(), ids.len(), width)?;
    let (ghost, table, ids, mut tape) = (out.clone(), table.value().clone(), ids.to_vec(), tape);
    tape.add_backward_op(move |gradients| {
        let on_out = super::jet::take(gradients, &ghost)?;
        let on_table = gradients.get_or_alloc_mut(&table)?;
        for (id, row) in ids.iter().zip(on_out.chunks_exact(width)) {
            on_table[id * width..][..width].iter_mut().zip(row).for_each(|(sum, g)| *sum += g * scale);
        }
        super::jet::restore(gradients, &ghost, on_out)
    });
    Ok(out.put_tape(tape))
}
