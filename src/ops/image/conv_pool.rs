//! The convolution block of small image models, in one operation.

use dfdx::prelude::*;

use super::pool::max_pool_composed;
use super::shape::{Geometry, Window};
use super::unfold::view_columns;
use crate::data::ImageShape;
use crate::error::{check_finite, Error, Result};
use crate::ops::parameters::Parameter;
use crate::{Dev, Matrix};

/// Convolution with zeros around ("same"), bias, the largest of every 2 × 2 pixels, and ReLU.
///
/// One operation with its own backward pass: what is not the largest of its four never reaches memory. Images are
/// computed in parallel; gradients are added in one order, whatever the number of threads.
///
/// # Shapes
/// Images (rows, channels·height·width), weight (filters, channels·side·side) or (filters, channels, side,
/// side) with an odd side, bias (1, filters) →
/// (rows, filters·height/2·width/2).
///
/// # Errors
/// [`Error::Shape`] for images, weights or a bias that do not fit, [`Error::Parameter`] for odd heights or widths,
/// [`Error::NotFinite`] for NaN or infinite pixels.
///
/// # Example
/// ```
/// use reloss::ops::{conv_pool, host, matrix, ImageShape, Parameter};
/// let image = ImageShape { channels: 1, height: 2, width: 2 };
/// let (weight, bias) = (Parameter::new("w", &[1, 1], vec![2.0])?, Parameter::new("b", &[1], vec![-1.0])?);
/// let out = conv_pool(matrix(vec![0.5, 3.0, 1.0, 2.0], 1, 4)?, image, &weight, &bias)?;
/// assert_eq!(host(&out), [5.0]);
/// # Ok::<(), reloss::Error>(())
/// ```
pub fn conv_pool<T: Tape<f32, Dev>>(
    x: Matrix<T>,
    image: ImageShape,
    weight: &Parameter,
    bias: &Parameter,
) -> Result<Matrix<T>> {
    let side = check(x.shape(), image, weight, bias)?;
    #[cfg(not(feature = "composed"))]
    return fused::conv_pool(x, image, side, weight, bias);
    #[cfg(feature = "composed")]
    return composed(x, image, side, weight, bias);
}

/// [`conv_pool`] made of dfdx operations, for every device.
///
/// # Shapes
/// As [`conv_pool`].
///
/// # Errors
/// As [`conv_pool`].
pub fn conv_pool_composed<T: Tape<f32, Dev>>(
    x: Matrix<T>,
    image: ImageShape,
    weight: &Parameter,
    bias: &Parameter,
) -> Result<Matrix<T>> {
    let side = check(x.shape(), image, weight, bias)?;
    composed(x, image, side, weight, bias)
}

/// Filters, and what each sees.
fn sizes(weight: &Parameter) -> (usize, usize) {
    let filters = weight.shape().first().copied().unwrap_or(0);
    (filters, weight.shape().iter().skip(1).product())
}

/// The side of the square filters.
fn check(
    &(_, columns): &(usize, usize),
    image: ImageShape,
    weight: &Parameter,
    bias: &Parameter,
) -> Result<usize> {
    const NAME: &str = "conv_pool";
    if image.is_empty() || !image.height.is_multiple_of(2) || !image.width.is_multiple_of(2) {
        return Err(Error::parameter(
            "image",
            format!("{image:?}: sizes must be positive, and even to pool"),
        ));
    }
    if columns != image.len() {
        return Err(Error::shape(NAME, format!("images of {} numbers", image.len()), columns));
    }
    let (filters, taps) = sizes(weight);
    let side = (taps / image.channels).isqrt();
    if side * side * image.channels != taps || side.is_multiple_of(2) {
        let expected = format!("odd square filters over {} channels", image.channels);
        return Err(Error::shape(NAME, expected, format!("{taps} taps")));
    }
    if *bias.value().shape() != (1, filters) {
        return Err(Error::shape(NAME, format!("a bias of {filters}"), format!("{:?}", bias.shape())));
    }
    Ok(side)
}

fn composed<T: Tape<f32, Dev>>(
    x: Matrix<T>,
    image: ImageShape,
    side: usize,
    weight: &Parameter,
    bias: &Parameter,
) -> Result<Matrix<T>> {
    check_finite("conv_pool", &x.as_vec())?;
    let rows = x.shape().0;
    let (filters, taps) = sizes(weight);
    let pixels = image.pixels();
    let geometry = Geometry::new(image, Window::same(side))?;
    let views = view_columns(x, &geometry)?.try_reshape_like(&(taps, pixels * rows))?;
    let (views, tape) = views.split_tape();
    let weight = weight.value().clone().put_tape(tape).try_reshape_like(&(filters, taps))?;
    let product = weight.try_matmul(views.retaped::<T>())?;
    let bias = bias.value().retaped::<T>().try_reshape_like(&(filters,))?;
    let bias = bias.try_broadcast_like::<_, Axis<1>>(&(filters, pixels * rows))?;
    let raised = product.try_add(bias)?.try_reshape_like(&(filters * pixels, rows))?;
    let raised = raised.try_permute::<(usize, usize), Axes2<1, 0>>()?;
    let (largest, _) = max_pool_composed(raised, image.with_channels(filters), Window::tiles(2))?;
    Ok(largest.try_relu()?)
}

#[cfg(not(feature = "composed"))]
mod fused {
    use rayon::prelude::*;

    use super::*;
    use crate::ops::image::conv2d::add;
    use crate::ops::image::direct::{Direct, Room};
    use crate::ops::image::unfold::backward;
    use crate::ops::tensors::{contents, host, matrix};

    /// A pooled pixel that ReLU cut off.
    const CUT: u8 = 4;

    pub(super) fn conv_pool<T: Tape<f32, Dev>>(
        x: Matrix<T>,
        image: ImageShape,
        side: usize,
        weight: &Parameter,
        bias: &Parameter,
    ) -> Result<Matrix<T>> {
        let (x, mut tape) = x.try_contiguous()?.split_tape();
        let rows = x.shape().0;
        let values = contents(&x);
        check_finite("conv_pool", &values)?;
        let (filters, _) = sizes(weight);
        let direct = Direct::new(Geometry::new(image, Window::same(side))?, filters);
        let block = Block { image, filters, pooled: image.pooled(filters), images: direct.block() };
        let (weights, shift) = (host(weight.value()), host(bias.value()));
        let (len, pooled) = (block.images * image.len(), block.images * block.pooled.len());
        let mut out = vec![0.0; rows * block.pooled.len()];
        let mut chosen = vec![CUT; out.len()];
        let arranged = direct.forward_weights(&weights);
        let outputs = out.par_chunks_mut(pooled).zip(chosen.par_chunks_mut(pooled));
        values.par_chunks(len).zip(outputs).for_each_init(
            || (Room::default(), block.raised()),
            |(room, raised), (images, (out, chosen))| {
                let raised = &mut raised[..images.len() / image.channels * filters];
                direct.forward(&arranged, images, raised, room);
                block.pool(raised, &shift, out, chosen);
            },
        );

        let out = matrix(out, rows, block.pooled.len())?;
        let (outer, weight, bias) = (out.clone(), weight.value().clone(), bias.value().clone());
        tape.add_backward_op(move |gradients| {
            let mut sums = Vec::new();
            let arranged = direct.backward_weights(&weights);
            backward(gradients, &outer, &x, |on_out, on_x| {
                let images = values.par_chunks(len).zip(on_x.par_chunks_mut(len));
                let work = images.zip(on_out.par_chunks(pooled).zip(chosen.par_chunks(pooled)));
                type Work<'a> = ((&'a [f32], &'a mut [f32]), (&'a [f32], &'a [u8]));
                let one = |(room, raised): &mut (Room, Vec<f32>), (there, here): Work| {
                    let ((images, on_images), (on_out, chosen)) = (there, here);
                    let (mut on_weight, mut on_bias) = (vec![0.0; weights.len()], vec![0.0; filters]);
                    let on_raised = &mut raised[..images.len() / image.channels * filters];
                    block.raise(on_out, chosen, on_raised, &mut on_bias);
                    direct.backward(&arranged, images, on_images, on_raised, &mut on_weight, room);
                    (on_weight, on_bias)
                };
                sums = work.map_init(|| (Room::default(), block.raised()), one).collect();
            })?;
            for (on_weight, on_bias) in &sums {
                add(gradients.get_or_alloc_mut(&weight)?, on_weight);
                add(gradients.get_or_alloc_mut(&bias)?, on_bias);
            }
            Ok(())
        });
        Ok(out.put_tape(tape))
    }

    /// Images that are computed together.
    #[derive(Clone, Copy)]
    struct Block {
        image: ImageShape,
        filters: usize,
        pooled: ImageShape,
        images: usize,
    }

    impl Block {
        /// Room for what comes out before pooling.
        fn raised(&self) -> Vec<f32> {
            vec![0.0; self.images * self.filters * self.image.pixels()]
        }

        /// The largest of every four with its bias, cut at 0, and which it was.
        fn pool(&self, raised: &[f32], bias: &[f32], out: &mut [f32], chosen: &mut [u8]) {
            let (pixels, pooled) = (self.image.pixels(), self.pooled.pixels());
            let maps = out.chunks_exact_mut(pooled).zip(chosen.chunks_exact_mut(pooled));
            for ((raised, &bias), (out, chosen)) in
                raised.chunks_exact(pixels).zip(bias.iter().cycle()).zip(maps)
            {
                let width = self.pooled.width;
                let lines = out.chunks_exact_mut(width).zip(chosen.chunks_exact_mut(width));
                for (pair, (out, chosen)) in raised.chunks_exact(4 * width).zip(lines) {
                    let (upper, lower) = pair.split_at(2 * width);
                    let squares = upper.chunks_exact(2).zip(lower.chunks_exact(2));
                    for ((upper, lower), (out, chosen)) in squares.zip(out.iter_mut().zip(chosen)) {
                        let (mut largest, mut at) = (upper[0], 0);
                        for (corner, value) in [(1, upper[1]), (2, lower[0]), (3, lower[1])] {
                            (largest, at) = if value > largest { (value, corner) } else { (largest, at) };
                        }
                        *out = (largest + bias).max(0.0);
                        *chosen = if largest + bias > 0.0 { at } else { CUT };
                    }
                }
            }
        }

        /// Gradients before pooling; adds to those of the bias.
        fn raise(&self, on_out: &[f32], chosen: &[u8], on_raised: &mut [f32], on_bias: &mut [f32]) {
            let (width, pooled) = (self.image.width, self.pooled);
            on_raised.fill(0.0);
            for (k, (&g, &at)) in on_out.iter().zip(chosen).enumerate() {
                if at != CUT {
                    let (map, rest) = (k / pooled.pixels(), k % pooled.pixels());
                    let (y, x) = (2 * (rest / pooled.width), 2 * (rest % pooled.width));
                    let at = usize::from(at);
                    on_raised[map * self.image.pixels() + (y + at / 2) * width + x + at % 2] = g;
                    on_bias[map % self.filters] += g;
                }
            }
        }
    }
}
