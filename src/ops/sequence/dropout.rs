//! Dropout with a seed.

use dfdx::prelude::*;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::jet::Jet;
use crate::error::{Error, Result};
use crate::ops::simd::vectorised;
use crate::ops::tensors::matrix;
use crate::{Dev, Matrix};

/// Sets a share of the numbers to 0 and divides the others by the rest's share: while a model is trained.
///
/// # Example
/// ```
/// use reloss::ops::{host, matrix, Dropout};
/// let x = matrix(vec![1.0; 1000], 10, 100)?;
/// let kept = host(&Dropout::new(0.2, 7)?.apply(x.clone())?);
/// let zeros = kept.iter().filter(|&&x| x == 0.0).count();
/// assert!((150..250).contains(&zeros) && kept.iter().all(|&x| x == 0.0 || x == 1.25));
/// assert_eq!(host(&Dropout::off().apply(x)?), [1.0; 1000]);
/// # Ok::<(), reloss::Error>(())
/// ```
///
/// # Reference
/// Srivastava et al., "Dropout", JMLR 2014.
#[derive(Debug, Clone)]
pub struct Dropout {
    share: f32,
    rng: ChaCha8Rng,
}

impl Dropout {
    /// A source of masks; the same seed gives the same ones in the same order.
    ///
    /// # Errors
    /// [`Error::Parameter`] for a share outside [0, 1).
    pub fn new(share: f32, seed: u64) -> Result<Self> {
        match (0.0..1.0).contains(&share) {
            true => Ok(Self { share, rng: ChaCha8Rng::seed_from_u64(seed) }),
            false => Err(Error::parameter("dropout", format!("{share} is not a share from 0 to below 1"))),
        }
    }

    /// None: for prediction.
    pub fn off() -> Self {
        Self { share: 0.0, rng: ChaCha8Rng::seed_from_u64(0) }
    }

    /// Some numbers set to 0, the others raised.
    ///
    /// # Errors
    /// [`Error::Device`] when the device is out of memory.
    pub fn apply<T: Tape<f32, Dev>>(&mut self, x: Matrix<T>) -> Result<Matrix<T>> {
        Ok(self.apply_to(Jet::plain(x))?.value)
    }

    /// [`Dropout::apply`] of a value and its tangent, in the same places.
    pub(super) fn apply_to<T: Tape<f32, Dev>>(&mut self, x: Jet<T>) -> Result<Jet<T>> {
        if self.share == 0.0 {
            return Ok(x);
        }
        let &(rows, columns) = x.value.shape();
        let kept = (1.0 - self.share).recip();
        let threshold = (f64::from(self.share) * 4_294_967_296.0) as u32;
        let (first, second) = (self.rng.next_u32(), self.rng.next_u32());
        let mut mask = vec![0.0; rows * columns];
        vectorised(|| {
            for (place, mask) in mask.iter_mut().enumerate() {
                *mask = if hash(place as u32 ^ first, second) < threshold { 0.0 } else { kept };
            }
        });
        let mask = matrix(mask, rows, columns)?;
        x.each(|x| Ok(x.try_mul(mask.clone())?))
    }
}

/// A number that looks random for every place, by itself: the loop over places becomes one of vectors.
///
/// Two rounds of xor-shift and multiplication by odd constants (the finaliser of MurmurHash3, public domain), keyed in between.
#[inline(always)]
fn hash(place: u32, key: u32) -> u32 {
    let round = |x: u32| {
        let x = (x ^ (x >> 16)).wrapping_mul(0x85eb_ca6b);
        (x ^ (x >> 13)).wrapping_mul(0xc2b2_ae35)
    };
    let x = round(round(place) ^ key);
    x ^ (x >> 16)
}
