//! Row-wise operations on the tape: own forward, own backward, CPU only.
#![cfg(not(feature = "composed"))]

use dfdx::prelude::{
    CopySlice, Cpu, HasShape, PutTape, ReshapeTo, Shape, SplitTape, Tape, Tensor, TensorFromVec,
};
use rayon::prelude::*;

use crate::error::{check_finite, Result};

/// A function of one row of a matrix, with its vector–Jacobian product.
pub(crate) trait RowOp: Send + Sync + 'static {
    /// What `forward` leaves for `backward`.
    type Trace: Send + 'static;

    /// Comparators or the like per row, to judge whether threads pay.
    fn work(&self) -> usize;

    fn forward(&self, row: &[f32], out: &mut [f32], with_gradient: bool) -> Result<Self::Trace>;

    /// Writes the gradient of the row; the buffer comes zeroed.
    fn backward(&self, trace: Self::Trace, cotangent: &[f32], gradient: &mut [f32]);
}

/// Work below which one thread does it: about 0.2 ms.
const PARALLEL_WORK: usize = 50_000;

/// Applies `op` to every row of `x`; the results side by side make a tensor of `shape`.
///
/// Every row is computed whole by one thread, so results do not depend on the number of threads.
pub(crate) fn apply<Op: RowOp, S: Shape, T: Tape<f32, Cpu>>(
    name: &'static str,
    op: Op,
    x: Tensor<(usize, usize), f32, Cpu, T>,
    shape: S,
) -> Result<Tensor<S, f32, Cpu, T>> {
    // Afterwards data and gradient buffers lie in row-major order.
    let (x, mut tape) = x.try_contiguous()?.split_tape();
    let (rows, n) = *x.shape();
    let width = shape.num_elements() / rows;
    let mut values = vec![0.0; rows * n];
    Cpu::copy_into(&x, &mut values);
    check_finite(name, &values)?;

    let mut out = vec![0.0; rows * width];
    let parallel = rows > 1 && rows * op.work() > PARALLEL_WORK;
    let one = |(row, out): (&[f32], &mut [f32])| op.forward(row, out, T::OWNS_TAPE);
    let traces: Vec<Op::Trace> = if parallel {
        values.par_chunks_exact(n).zip(out.par_chunks_exact_mut(width)).map(one).collect::<Result<_>>()?
    } else {
        values.chunks_exact(n).zip(out.chunks_exact_mut(width)).map(one).collect::<Result<_>>()?
    };

    let out = x.device().try_tensor_from_vec(out, shape)?;
    if !T::OWNS_TAPE {
        return Ok(out.put_tape(tape));
    }
    let out_for_backward = out.clone();
    tape.add_backward_op(move |gradients| {
        // The clone frees the borrow of `gradients`; it is a copy of one small buffer.
        let cotangent = gradients.get_or_alloc_mut(&out_for_backward)?.clone();
        let on_x = gradients.get_or_alloc_mut(&x)?;
        let one = |((trace, cotangent), on_row): ((Op::Trace, &[f32]), &mut [f32])| {
            let mut gradient = vec![0.0; n];
            op.backward(trace, cotangent, &mut gradient);
            for (sum, g) in on_row.iter_mut().zip(gradient) {
                // A product too large for f32 counts as the largest number.
                *sum += g.clamp(f32::MIN, f32::MAX);
            }
        };
        if parallel {
            let cotangents = cotangent.par_chunks_exact(width);
            traces.into_par_iter().zip(cotangents).zip(on_x.par_chunks_exact_mut(n)).for_each(one);
        } else {
            let cotangents = cotangent.chunks_exact(width);
            traces.into_iter().zip(cotangents).zip(on_x.chunks_exact_mut(n)).for_each(one);
        }
        Ok(())
    });
    Ok(out.put_tape(tape))
}
