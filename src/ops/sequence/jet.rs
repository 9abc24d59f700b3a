//! Values with a tangent or without.

use dfdx::prelude::*;

use crate::error::Result;
use crate::{Dev, Matrix};

/// A matrix of values that may carry the tangent of each: one code serves a network and its directional derivative.
///
/// See [`Dual`](crate::ops::Dual) for what tangents are good for.
#[derive(Debug, Clone)]
pub(crate) struct Jet<T: Tape<f32, Dev>> {
    /// (rows, columns).
    pub(crate) value: Matrix<T>,
    /// (rows, columns), where one is carried.
    pub(crate) tangent: Option<Matrix<T>>,
}

impl<T: Tape<f32, Dev>> Jet<T> {
    /// A value without tangent.
    pub(crate) fn plain(value: Matrix<T>) -> Self {
        Self { value, tangent: None }
    }

    /// The same on an empty tape: for a second use.
    pub(crate) fn retaped(&self) -> Self {
        Self { value: self.value.retaped::<T>(), tangent: self.tangent.as_ref().map(|t| t.retaped::<T>()) }
    }

    /// The same function of value and tangent, for what is linear.
    pub(super) fn each(self, f: impl Fn(Matrix<T>) -> Result<Matrix<T>>) -> Result<Self> {
        Ok(Self { value: f(self.value)?, tangent: self.tangent.map(f).transpose()? })
    }

    /// The sum of two, both with a tangent or both without.
    #[cfg(feature = "composed")]
    pub(super) fn add(self, other: Self) -> Result<Self> {
        let tangent = match (self.tangent, other.tangent) {
            (Some(one), Some(two)) => Some(one.try_add(two)?),
            (one, two) => one.or(two),
        };
        Ok(Self { value: self.value.try_add(other.value)?, tangent })
    }
}

#[cfg(not(feature = "composed"))]
pub(super) use taken::{restore, take, Taken};

#[cfg(not(feature = "composed"))]
mod taken {
    use super::*;
    use crate::ops::tensors::{contents, matrix};

    /// A jet off its tapes, with its numbers.
    pub(in super::super) struct Taken {
        pub(in super::super) value: Matrix,
        pub(in super::super) tangent: Option<Matrix>,
        pub(in super::super) values: Vec<f32>,
        pub(in super::super) tangents: Option<Vec<f32>>,
    }

    impl<T: Tape<f32, Dev>> Jet<T> {
        /// Its numbers, and its tapes in one.
        pub(in super::super) fn take(self) -> Result<(Taken, T)> {
            let (value, mut tape) = self.value.try_contiguous()?.split_tape();
            let mut tangent = None;
            if let Some(along) = self.tangent {
                let (along, other) = along.try_contiguous()?.split_tape();
                tape = tape.merge(other);
                tangent = Some(along);
            }
            let (values, tangents) = (contents(&value), tangent.as_ref().map(contents));
            Ok((Taken { value, tangent, values, tangents }, tape))
        }

        /// The result of an operation whose backward pass `tape` has yet to be given.
        pub(in super::super) fn give(
            values: Vec<f32>,
            tangents: Option<Vec<f32>>,
            shape: (usize, usize),
        ) -> Result<Jet<NoneTape>> {
            let tangent = tangents.map(|tangents| matrix(tangents, shape.0, shape.1)).transpose()?;
            Ok(Jet { value: matrix(values, shape.0, shape.1)?, tangent })
        }
    }

    impl Jet<NoneTape> {
        /// Put on a tape.
        pub(in super::super) fn on<T: Tape<f32, Dev>>(self, tape: T) -> Jet<T> {
            Jet {
                value: self.value.put_tape(tape),
                tangent: self.tangent.map(|tangent| tangent.put_tape(T::default())),
            }
        }
    }

    type Failure = <Dev as HasErr>::Err;

    /// The gradient at a tensor, to be [`restore`]d: a borrow would keep the other gradients from being changed.
    pub(in super::super) fn take(
        gradients: &mut Gradients<f32, Dev>,
        tensor: &Matrix,
    ) -> Result<Vec<f32>, Failure> {
        Ok(std::mem::take(&mut **gradients.get_or_alloc_mut(tensor)?))
    }

    /// Puts a gradient back.
    pub(in super::super) fn restore(
        gradients: &mut Gradients<f32, Dev>,
        tensor: &Matrix,
        gradient: Vec<f32>,
    ) -> Result<(), Failure> {
        **gradients.get_or_alloc_mut(tensor)? = gradient;
        Ok(())
    }
}
