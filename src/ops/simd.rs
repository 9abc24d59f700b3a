//! Loops compiled for the widest vectors the processor has.

use super::fast_math::Level;

/// A computation that [`vectorised`] may compile anew.
///
/// Small closures over `#[inline(always)]` functions serve as they are. The compiler may leave a
/// large closure out of line, with the baseline's instructions: give that one a type whose `run`
/// is `#[inline(always)]`.
pub(crate) trait Kernel {
    /// What it gives.
    type Output;
    /// Computes it.
    fn run(self) -> Self::Output;
}

impl<R, F: FnOnce() -> R> Kernel for F {
    type Output = R;
    #[inline(always)]
    fn run(self) -> R {
        self()
    }
}

/// Runs a kernel compiled for AVX-512, AVX2 or the baseline, whichever the processor has: it is
/// inlined into a function with the wider instruction set, where its loops are vectorised anew.
#[inline]
pub(crate) fn vectorised<K: Kernel>(kernel: K) -> K::Output {
    match Level::detect() {
        Level::Portable => kernel.run(),
        // SAFETY: `Level::detect` names a set only on a machine that has it.
        #[cfg(target_arch = "x86_64")]
        Level::Avx2 => unsafe { avx2(kernel) },
        #[cfg(target_arch = "x86_64")]
        Level::Avx512 => unsafe { avx512(kernel) },
    }
}

/// The sum in 16 partial sums side by side, so that it is one of vectors; the same on every machine.
#[cfg(not(feature = "composed"))]
pub(crate) fn lane_sum(values: &[f32]) -> f32 {
    let mut sums = [0.0; 16];
    for values in values.chunks(16) {
        for (sum, value) in sums.iter_mut().zip(values) {
            *sum += value;
        }
    }
    sums.iter().sum()
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx2")]
unsafe fn avx512<K: Kernel>(kernel: K) -> K::Output {
    kernel.run()
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
unsafe fn avx2<K: Kernel>(kernel: K) -> K::Output {
    kernel.run()
}
