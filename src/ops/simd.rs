//! Loops compiled for the widest vectors the processor has.

use super::fast_math::Level;

/// Runs `f` compiled for AVX-512, AVX2 or the baseline, whichever the processor has.
///
/// `f` must be a small closure over `#[inline(always)]` functions: it is inlined into a function
/// with the wider instruction set, where the compiler vectorises its loops anew.
#[inline]
pub(crate) fn vectorised<R>(f: impl FnOnce() -> R) -> R {
    match Level::detect() {
        Level::Portable => f(),
        // SAFETY: `Level::detect` names a set only on a machine that has it.
        #[cfg(target_arch = "x86_64")]
        Level::Avx2 => unsafe { avx2(f) },
        #[cfg(target_arch = "x86_64")]
        Level::Avx512 => unsafe { avx512(f) },
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx2")]
unsafe fn avx512<R>(f: impl FnOnce() -> R) -> R {
    f()
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
unsafe fn avx2<R>(f: impl FnOnce() -> R) -> R {
    f()
}
