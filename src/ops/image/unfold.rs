//! What a sliding window sees, as columns: the step from images to matrix products.

use dfdx::prelude::*;

use super::pick::pick_columns;
use super::shape::{Geometry, Window};
use crate::data::ImageShape;
use crate::error::Result;
use crate::{Dev, Matrix};

/// The pixels under a window at each of its places (im2col); zeros where it reaches beyond the image.
///
/// # Shapes
/// Images (rows, channels·height·width) → (rows, channels·side²·places): of every channel, every pixel of the window,
/// row-major, and of each all places, row-major ([`Window::over`]).
///
/// # Errors
/// [`Error::Shape`](crate::Error::Shape) for images that do not fit; [`Error::Parameter`](crate::Error::Parameter) as
/// [`Window::over`].
///
/// # Example
/// ```
/// use reloss::ops::{host, matrix, unfold, ImageShape, Window};
/// let image = ImageShape { channels: 1, height: 2, width: 3 };
/// let x = matrix(vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0], 1, 6)?;
/// // Two places; a line a pixel of the window.
/// let seen = unfold(x, image, Window { side: 2, stride: 1, padding: 0 })?;
/// assert_eq!(host(&seen), [1.0, 2.0, 2.0, 3.0, 4.0, 5.0, 5.0, 6.0]);
/// # Ok::<(), reloss::Error>(())
/// ```
///
/// # Reference
/// PyTorch's `Unfold`, with its order of channels, window and places.
pub fn unfold<T: Tape<f32, Dev>>(x: Matrix<T>, image: ImageShape, window: Window) -> Result<Matrix<T>> {
    image.check("unfold", x.shape().1)?;
    let geometry = Geometry::new(image, window)?;
    #[cfg(not(feature = "composed"))]
    return fused::unfold(x, geometry);
    #[cfg(feature = "composed")]
    return composed(x, geometry);
}

/// [`unfold`] made of dfdx operations, for every device.
///
/// # Shapes
/// As [`unfold`].
///
/// # Errors
/// As [`unfold`].
pub fn unfold_composed<T: Tape<f32, Dev>>(
    x: Matrix<T>,
    image: ImageShape,
    window: Window,
) -> Result<Matrix<T>> {
    image.check("unfold", x.shape().1)?;
    composed(x, Geometry::new(image, window)?)
}

fn composed<T: Tape<f32, Dev>>(x: Matrix<T>, geometry: Geometry) -> Result<Matrix<T>> {
    Ok(view_columns(x, &geometry)?.try_permute::<(usize, usize), Axes2<1, 0>>()?.try_contiguous()?)
}

/// What every tap sees at every place, the images in columns: (taps·places, rows).
pub(super) fn view_columns<T: Tape<f32, Dev>>(x: Matrix<T>, geometry: &Geometry) -> Result<Matrix<T>> {
    let places = geometry.places.pixels();
    pick_columns(x, (0..geometry.taps() * places).map(|k| geometry.source(k / places, k % places)))
}

#[cfg(not(feature = "composed"))]
pub(super) use fused::{backward, each_image};

#[cfg(not(feature = "composed"))]
mod fused {
    use rayon::prelude::*;

    use super::*;
    use crate::ops::image::shape::Run;
    use crate::ops::tensors::{contents, matrix};

    pub(super) fn unfold<T: Tape<f32, Dev>>(x: Matrix<T>, geometry: Geometry) -> Result<Matrix<T>> {
        let (x, mut tape) = x.try_contiguous()?.split_tape();
        let (rows, len) = *x.shape();
        let views = geometry.taps() * geometry.places.pixels();
        let mut out = vec![0.0; rows * views];
        each_image(&contents(&x), len, &mut out, views, |image, out| geometry.unfold(image, out));
        let out = matrix(out, rows, views)?;
        let outer = out.clone();
        tape.add_backward_op(move |gradients| {
            backward(gradients, &outer, &x, |on_out, on_x| {
                each_image(on_out, views, on_x, len, |on_out, on_image| geometry.fold(on_out, on_image));
            })
        });
        Ok(out.put_tape(tape))
    }

    /// Calls `f` with every row of both, in parallel.
    pub(in super::super) fn each_image(
        from: &[f32],
        from_len: usize,
        to: &mut [f32],
        to_len: usize,
        f: impl Fn(&[f32], &mut [f32]) + Sync,
    ) {
        let rows = from.par_chunks_exact(from_len).zip(to.par_chunks_exact_mut(to_len));
        rows.for_each(|(from, to)| f(from, to));
    }

    /// Lends `f` the gradient of `out`, and that of `x` to add to.
    pub(in super::super) fn backward(
        gradients: &mut Gradients<f32, Dev>,
        out: &Matrix,
        x: &Matrix,
        f: impl FnOnce(&[f32], &mut [f32]),
    ) -> Result<(), <Dev as HasErr>::Err> {
        // Taken and put back, where a borrow of both at once would need a copy.
        let on_out = std::mem::take(&mut **gradients.get_or_alloc_mut(out)?);
        f(&on_out, gradients.get_or_alloc_mut(x)?);
        **gradients.get_or_alloc_mut(out)? = on_out;
        Ok(())
    }

    impl Geometry {
        /// What every tap sees: (taps, places), over an output of zeros.
        pub(in super::super) fn unfold(&self, image: &[f32], views: &mut [f32]) {
            let (places, stride, runs) = (self.places.pixels(), self.window.stride, self.runs());
            let channels = image.chunks_exact(self.image.pixels());
            for (image, views) in channels.zip(views.chunks_exact_mut(self.area() * places)) {
                for &Run { tap, place, pixel, len } in &runs {
                    let view = &mut views[tap * places + place..][..len];
                    let seen = &image[pixel..];
                    match stride {
                        1 => view.copy_from_slice(&seen[..len]),
                        _ => view.iter_mut().zip(seen.iter().step_by(stride)).for_each(|(v, s)| *v = *s),
                    }
                }
            }
        }

        /// The transpose of [`Geometry::unfold`]: adds what every tap saw to the pixels it saw.
        pub(in super::super) fn fold(&self, views: &[f32], image: &mut [f32]) {
            let (places, stride, runs) = (self.places.pixels(), self.window.stride, self.runs());
            let channels = image.chunks_exact_mut(self.image.pixels());
            for (image, views) in channels.zip(views.chunks_exact(self.area() * places)) {
                for &Run { tap, place, pixel, len } in &runs {
                    let view = &views[tap * places + place..][..len];
                    let seen = &mut image[pixel..];
                    match stride {
                        1 => seen[..len].iter_mut().zip(view).for_each(|(s, v)| *s += v),
                        _ => seen.iter_mut().step_by(stride).zip(view).for_each(|(s, v)| *s += v),
                    }
                }
            }
        }
    }
}
