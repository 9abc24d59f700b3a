//! Sums over all pairs of a list, O(n²), by wide vectors and threads.
#![cfg(not(feature = "composed"))]

use rayon::prelude::*;

use crate::ops::simd::{vectorised, Kernel};

const LANES: usize = 16;

/// Pairs below which one thread does it: about 0.1 ms.
const PARALLEL_PAIRS: usize = 1 << 17;

/// Values taken by one thread at a time.
const SHARE: usize = 64;

/// out\[i\] = Σ_j f(values\[i\] − values\[j\], others\[i\], others\[j\]); every sum is computed by one thread.
pub(crate) fn pair_sums<O, F>(values: &[f32], others: &[O], out: &mut [f32], f: F)
where
    O: Copy + Sync,
    F: Fn(f32, O, O) -> f32 + Copy + Sync,
{
    let run = |(start, out): (usize, &mut [f32])| vectorised(Sums { values, others, start, out, f });
    if values.len().pow(2) > PARALLEL_PAIRS {
        out.par_chunks_mut(SHARE).enumerate().for_each(|(share, out)| run((share * SHARE, out)));
    } else {
        run((0, out));
    }
}

struct Sums<'a, O, F> {
    values: &'a [f32],
    others: &'a [O],
    start: usize,
    out: &'a mut [f32],
    f: F,
}

impl<O: Copy, F: Fn(f32, O, O) -> f32> Kernel for Sums<'_, O, F> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        let (value_blocks, value_rest) = self.values.as_chunks::<LANES>();
        let (other_blocks, other_rest) = self.others.as_chunks::<LANES>();
        for (i, out) in (self.start..).zip(self.out) {
            let (value, other) = (self.values[i], self.others[i]);
            let mut lanes = [0.0; LANES];
            for (values, others) in value_blocks.iter().zip(other_blocks) {
                for lane in 0..LANES {
                    lanes[lane] += (self.f)(value - values[lane], other, others[lane]);
                }
            }
            let rest = value_rest.iter().zip(other_rest).map(|(v, o)| (self.f)(value - v, other, *o));
            *out = lanes.iter().sum::<f32>() + rest.sum::<f32>();
        }
    }
}
