//! Pooling.

use dfdx::prelude::*;

use super::pick::pick_columns;
use super::shape::{Geometry, Window};
use super::unfold::unfold;
use crate::data::ImageShape;
use crate::error::{Error, Result};
use crate::{Dev, Matrix};

/// The largest pixel under the window at each place; pixels beyond the image do not count, and NaN is the largest.
///
/// Of equal pixels the first gets the gradient.
///
/// # Shapes
/// Images (rows, channels·height·width) → (rows, channels·places), places as [`Window::over`] has them.
///
/// # Errors
/// [`Error::Shape`] for images that do not fit; [`Error::Parameter`] as [`Window::over`], and for more padding than half
/// the window's side.
///
/// # Example
/// ```
/// use reloss::ops::{host, matrix, max_pool, ImageShape, Window};
/// let image = ImageShape { channels: 1, height: 2, width: 4 };
/// let x = matrix(vec![1.0, 5.0, 2.0, 2.0, 3.0, 4.0, 8.0, 7.0], 1, 8)?;
/// let (out, shape) = max_pool(x, image, Window::tiles(2))?;
/// assert_eq!((host(&out), shape.height, shape.width), (vec![5.0, 8.0], 1, 2));
/// # Ok::<(), reloss::Error>(())
/// ```
pub fn max_pool<T: Tape<f32, Dev>>(
    x: Matrix<T>,
    image: ImageShape,
    window: Window,
) -> Result<(Matrix<T>, ImageShape)> {
    let geometry = check(x.shape().1, image, window)?;
    #[cfg(not(feature = "composed"))]
    let out = fused::max_pool(x, geometry)?;
    #[cfg(feature = "composed")]
    let out = composed(x, &geometry)?;
    Ok((out, geometry.places))
}

/// [`max_pool`] made of dfdx operations, for every device; equal pixels share the gradient.
///
/// # Shapes
/// As [`max_pool`].
///
/// # Errors
/// As [`max_pool`].
pub fn max_pool_composed<T: Tape<f32, Dev>>(
    x: Matrix<T>,
    image: ImageShape,
    window: Window,
) -> Result<(Matrix<T>, ImageShape)> {
    let geometry = check(x.shape().1, image, window)?;
    Ok((composed(x, &geometry)?, geometry.places))
}

/// The mean of the pixels under the window at each place; pixels beyond the image count as zeros.
///
/// # Shapes
/// As [`max_pool`].
///
/// # Errors
/// As [`max_pool`].
///
/// # Example
/// ```
/// use reloss::ops::{average_pool, host, matrix, ImageShape, Window};
/// let image = ImageShape { channels: 1, height: 2, width: 2 };
/// let (out, _) = average_pool(matrix(vec![1.0, 2.0, 3.0, 6.0], 1, 4)?, image, Window::tiles(2))?;
/// assert_eq!(host(&out), [3.0]);
/// # Ok::<(), reloss::Error>(())
/// ```
///
/// # Reference
/// PyTorch's `AvgPool2d` with its default `count_include_pad`.
pub fn average_pool<T: Tape<f32, Dev>>(
    x: Matrix<T>,
    image: ImageShape,
    window: Window,
) -> Result<(Matrix<T>, ImageShape)> {
    let geometry = check(x.shape().1, image, window)?;
    let (rows, places) = (x.shape().0, geometry.places);
    let views = unfold(x, image, window)?;
    let views = views.try_reshape_like(&(rows, image.channels, geometry.area(), places.pixels()))?;
    let means: Tensor<(usize, usize, usize), f32, Dev, T> = views.try_mean::<_, Axis<2>>()?;
    Ok((means.try_reshape_like(&(rows, places.len()))?, places))
}

/// The mean of every channel.
///
/// # Shapes
/// Images (rows, channels·height·width) → (rows, channels).
///
/// # Errors
/// [`Error::Shape`] for images that do not fit, [`Error::Parameter`] for an empty one.
///
/// # Example
/// ```
/// use reloss::ops::{global_average, host, matrix, ImageShape};
/// let image = ImageShape { channels: 2, height: 1, width: 2 };
/// let out = global_average(matrix(vec![1.0, 2.0, 3.0, 6.0], 1, 4)?, image)?;
/// assert_eq!(host(&out), [1.5, 4.5]);
/// # Ok::<(), reloss::Error>(())
/// ```
pub fn global_average<T: Tape<f32, Dev>>(x: Matrix<T>, image: ImageShape) -> Result<Matrix<T>> {
    image.check("global_average", x.shape().1)?;
    let shape = (x.shape().0, image.channels, image.pixels());
    Ok(x.try_reshape_like(&shape)?.try_mean::<_, Axis<2>>()?)
}

fn check(columns: usize, image: ImageShape, window: Window) -> Result<Geometry> {
    image.check("pool", columns)?;
    if window.padding > window.side / 2 {
        // Else windows could lie wholly outside, and the largest of no pixels has no value.
        return Err(Error::parameter("window", format!("{window:?}: padding beyond half the side")));
    }
    Geometry::new(image, window)
}

fn composed<T: Tape<f32, Dev>>(x: Matrix<T>, geometry: &Geometry) -> Result<Matrix<T>> {
    let Geometry { image, window, places } = *geometry;
    let (x, tape) = x.split_tape();
    let corner = |tape: T, tap: usize| {
        // A pixel beyond the edge is replaced by the edge's, which the window sees too.
        let along = |place: usize, offset: usize, size: usize| {
            (place * window.stride + offset).saturating_sub(window.padding).min(size - 1)
        };
        let sources = (0..places.len()).map(|k| {
            let y = along(k / places.width % places.height, tap / window.side, image.height);
            let x = along(k % places.width, tap % window.side, image.width);
            Some(k / places.pixels() * image.pixels() + y * image.width + x)
        });
        pick_columns(x.clone().put_tape(tape), sources)
    };
    let mut largest = corner(tape, 0)?;
    for tap in 1..geometry.area() {
        largest = largest.try_maximum(corner(T::default(), tap)?)?;
    }
    Ok(largest.try_permute::<(usize, usize), Axes2<1, 0>>()?.try_contiguous()?)
}

#[cfg(not(feature = "composed"))]
mod fused {
    use rayon::prelude::*;

    use super::*;
    use crate::ops::image::shape::Run;
    use crate::ops::image::unfold::backward;
    use crate::ops::tensors::{contents, matrix};

    /// Stands for no pixel yet.
    const NONE: u32 = u32::MAX;

    pub(super) fn max_pool<T: Tape<f32, Dev>>(x: Matrix<T>, geometry: Geometry) -> Result<Matrix<T>> {
        let (x, mut tape) = x.try_contiguous()?.split_tape();
        let (rows, len) = *x.shape();
        let out_len = geometry.places.len();
        let (mut out, mut chosen) = (vec![f32::NEG_INFINITY; rows * out_len], vec![NONE; rows * out_len]);
        let values = contents(&x);
        let outputs = out.par_chunks_exact_mut(out_len).zip(chosen.par_chunks_exact_mut(out_len));
        let images = values.par_chunks_exact(len).zip(outputs);
        images.for_each(|(image, (out, chosen))| geometry.largest(image, out, chosen));

        let out = matrix(out, rows, out_len)?;
        let outer = out.clone();
        tape.add_backward_op(move |gradients| {
            backward(gradients, &outer, &x, |on_out, on_x| {
                let outer = on_out.par_chunks_exact(out_len).zip(chosen.par_chunks_exact(out_len));
                on_x.par_chunks_exact_mut(len).zip(outer).for_each(|(on_image, (on_out, chosen))| {
                    on_out.iter().zip(chosen).for_each(|(g, &at)| on_image[at as usize] += g);
                });
            })
        });
        Ok(out.put_tape(tape))
    }

    impl Geometry {
        /// The largest pixels and where they stand in the image.
        fn largest(&self, image: &[f32], out: &mut [f32], chosen: &mut [u32]) {
            let (pixels, places, runs) = (self.image.pixels(), self.places.pixels(), self.runs());
            let stride = self.window.stride;
            let maps = out.chunks_exact_mut(places).zip(chosen.chunks_exact_mut(places));
            for (channel, (out, chosen)) in maps.enumerate() {
                for &Run { place, pixel, len, .. } in &runs {
                    let first = channel * pixels + pixel;
                    let seen = image[first..].iter().step_by(stride).zip((first..).step_by(stride));
                    let here = out[place..place + len].iter_mut().zip(&mut chosen[place..place + len]);
                    for ((out, chosen), (&value, at)) in here.zip(seen) {
                        // Without branches, which pixels would take as chance has it.
                        let larger = (value > *out) | value.is_nan() | (*chosen == NONE);
                        *out = if larger { value } else { *out };
                        *chosen = if larger { at as u32 } else { *chosen };
                    }
                }
            }
        }
    }
}
