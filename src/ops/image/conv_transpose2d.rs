//! Transposed convolution.

use dfdx::prelude::*;

use super::conv2d::check_bias;
use super::pick::pick_columns;
use super::shape::{Geometry, Window};
use super::unfold::view_columns;
use crate::data::ImageShape;
use crate::error::{Error, Result};
use crate::ops::parameters::Parameter;
use crate::{Dev, Matrix};

/// The transpose of [`conv2d`](super::conv2d()): every pixel spreads the window, times its weights, over a larger image.
///
/// # Shapes
/// Images (rows, channels·height·width); weight, as on file, (channels, filters, side, side); bias (filters) → images
/// of `filters` channels with (size − 1)·stride − 2·padding + side pixels on a side.
///
/// # Errors
/// [`Error::Shape`] for images, a weight or a bias that do not fit; [`Error::Parameter`] for a side or stride of zero,
/// padding of the window's side or more, or where nothing would come out.
///
/// # Example
/// ```
/// use reloss::ops::{conv_transpose2d, host, matrix, ImageShape, Parameter, Window};
/// let image = ImageShape { channels: 1, height: 1, width: 2 };
/// let weight = Parameter::new("weight", &[1, 1, 2, 2], vec![1.0, 2.0, 3.0, 4.0])?;
/// let x = matrix(vec![1.0, 10.0], 1, 2)?;
/// let (out, shape) = conv_transpose2d(x, image, Window::tiles(2), &weight, None)?;
/// assert_eq!(host(&out), [1.0, 2.0, 10.0, 20.0, 3.0, 4.0, 30.0, 40.0]);
/// assert_eq!((shape.height, shape.width), (2, 4));
/// # Ok::<(), reloss::Error>(())
/// ```
///
/// # Reference
/// PyTorch's `ConvTranspose2d` without dilation, groups and output padding.
pub fn conv_transpose2d<T: Tape<f32, Dev>>(
    x: Matrix<T>,
    image: ImageShape,
    window: Window,
    weight: &Parameter,
    bias: Option<&Parameter>,
) -> Result<(Matrix<T>, ImageShape)> {
    let geometry = plan(x.shape().1, image, window, weight, bias)?;
    #[cfg(not(feature = "composed"))]
    let out = fused::spread(x, geometry, weight)?;
    #[cfg(feature = "composed")]
    let out = composed(x, image, &geometry, weight)?;
    Ok((shifted(out, geometry.image, bias)?, geometry.image))
}

/// [`conv_transpose2d`] made of dfdx operations, for every device.
///
/// # Shapes
/// As [`conv_transpose2d`].
///
/// # Errors
/// As [`conv_transpose2d`].
pub fn conv_transpose2d_composed<T: Tape<f32, Dev>>(
    x: Matrix<T>,
    image: ImageShape,
    window: Window,
    weight: &Parameter,
    bias: Option<&Parameter>,
) -> Result<(Matrix<T>, ImageShape)> {
    let geometry = plan(x.shape().1, image, window, weight, bias)?;
    let out = composed(x, image, &geometry, weight)?;
    Ok((shifted(out, geometry.image, bias)?, geometry.image))
}

/// The shape that comes out of a transposed convolution.
pub(crate) fn spread_shape(image: ImageShape, window: Window, filters: usize) -> Result<ImageShape> {
    let Window { side, stride, padding } = window;
    if side == 0 || stride == 0 || filters == 0 || image.is_empty() || padding >= side {
        let reason =
            format!("{window:?} of {filters} filters over {image:?}: all positive, padding below the side");
        return Err(Error::parameter("window", reason));
    }
    let size = |size: usize| ((size - 1) * stride + side).checked_sub(2 * padding).filter(|&size| size > 0);
    match (size(image.height), size(image.width)) {
        (Some(height), Some(width)) => Ok(ImageShape { channels: filters, height, width }),
        _ => Err(Error::parameter("window", format!("{window:?} leaves nothing of {image:?}"))),
    }
}

/// The window over the image that comes out, whose places are the pixels that go in.
fn plan(
    columns: usize,
    image: ImageShape,
    window: Window,
    weight: &Parameter,
    bias: Option<&Parameter>,
) -> Result<Geometry> {
    const NAME: &str = "conv_transpose2d";
    image.check(NAME, columns)?;
    let filters = match *weight.shape() {
        [channels, filters, down, right]
            if channels == image.channels && (down, right) == (window.side, window.side) =>
        {
            filters
        }
        _ => {
            let expected =
                format!("a weight ({}, filters, {side}, {side})", image.channels, side = window.side);
            return Err(Error::shape(NAME, expected, format!("{:?}", weight.shape())));
        }
    };
    check_bias(NAME, bias, filters)?;
    Geometry::new(spread_shape(image, window, filters)?, window)
}

fn shifted<T: Tape<f32, Dev>>(
    out: Matrix<T>,
    image: ImageShape,
    bias: Option<&Parameter>,
) -> Result<Matrix<T>> {
    let Some(bias) = bias else { return Ok(out) };
    let (flat, shape) = (*out.shape(), (out.shape().0, image.channels, image.pixels()));
    let bias = bias.value().retaped::<T>().try_reshape_like(&(image.channels,))?;
    let bias: Tensor<(usize, usize, usize), f32, Dev, T> =
        bias.try_broadcast_like::<_, Axes2<0, 2>>(&shape)?;
    Ok(out.try_reshape_like(&shape)?.try_add(bias)?.try_reshape_like(&flat)?)
}

/// A convolution of stride 1 over the pixels with zeros between them, the window turned around.
fn composed<T: Tape<f32, Dev>>(
    x: Matrix<T>,
    image: ImageShape,
    geometry: &Geometry,
    weight: &Parameter,
) -> Result<Matrix<T>> {
    let (device, rows) = (x.device().clone(), x.shape().0);
    let (out, area) = (geometry.image, geometry.area());
    let Window { side, stride, padding } = geometry.window;
    let stretch = |size: usize| (size - 1) * stride + 1;
    let apart = ImageShape { height: stretch(image.height), width: stretch(image.width), ..image };
    let sources = (0..apart.len()).map(|k| {
        let (y, x) = (k / apart.width % apart.height, k % apart.width);
        let at = (k / apart.pixels() * image.height + y / stride) * image.width + x / stride;
        (y % stride == 0 && x % stride == 0).then_some(at)
    });
    let x = pick_columns(x, sources)?.try_permute::<(usize, usize), Axes2<1, 0>>()?;
    let window = Window { side, stride: 1, padding: side - 1 - padding };
    let views = view_columns(x, &Geometry::new(apart, window)?)?;
    let taps = image.channels * area;
    let (views, tape) = views.try_reshape_like(&(taps, out.pixels() * rows))?.split_tape();
    let turned = (0..out.channels * taps).map(|k| {
        let (filter, channel, tap) = (k / taps, k % taps / area, k % area);
        (channel * out.channels + filter) * area + area - 1 - tap
    });
    let turned = device.try_tensor_from_vec::<(usize,)>(turned.collect(), (out.channels * taps,))?;
    let weight = weight.value().clone().put_tape(tape).try_reshape_like(&(out.channels * taps,))?;
    let weight = weight.try_gather(turned)?.try_reshape_like(&(out.channels, taps))?;
    let product: Matrix<T> = weight.try_matmul(views.retaped::<T>())?;
    let product = product.try_reshape_like(&(out.len(), rows))?;
    Ok(product.try_permute::<(usize, usize), Axes2<1, 0>>()?.try_contiguous()?)
}

#[cfg(not(feature = "composed"))]
mod fused {
    use rayon::prelude::*;

    use super::*;
    use crate::ops::gemm::{product, Factor, Into};
    use crate::ops::image::conv2d::add;
    use crate::ops::image::unfold::backward;
    use crate::ops::tensors::{contents, host, matrix};

    /// Images whose gradients of the weights are added up by one thread; fixed, so that sums do not depend on the
    /// number of threads.
    const BLOCK: usize = 8;

    /// Products of every pixel with the weights, folded: the way back of a convolution, and its backward pass the way
    /// forward.
    pub(super) fn spread<T: Tape<f32, Dev>>(
        x: Matrix<T>,
        geometry: Geometry,
        weight: &Parameter,
    ) -> Result<Matrix<T>> {
        let (x, mut tape) = x.try_contiguous()?.split_tape();
        let (rows, len) = *x.shape();
        let (taps, places, out_len) = (geometry.taps(), geometry.places.pixels(), geometry.image.len());
        let channels = len / places;
        let (values, weights) = (contents(&x), host(weight.value()));
        let mut out = vec![0.0; rows * out_len];
        let images = values.par_chunks_exact(len).zip(out.par_chunks_exact_mut(out_len));
        images.for_each_init(
            || vec![0.0; taps * places],
            |views, (image, out)| {
                let weight = Factor::plain(&weights, channels, taps).transposed();
                product(weight, Factor::plain(image, channels, places), views, Into::Replace);
                geometry.fold(views, out);
            },
        );

        let out = matrix(out, rows, out_len)?;
        let (outer, weight) = (out.clone(), weight.value().clone());
        tape.add_backward_op(move |gradients| {
            let mut sums = Vec::new();
            backward(gradients, &outer, &x, |on_out, on_x| {
                let images = values.par_chunks(BLOCK * len).zip(on_x.par_chunks_mut(BLOCK * len));
                let work = images.zip(on_out.par_chunks(BLOCK * out_len));
                let one =
                    |views: &mut Vec<f32>, ((images, on_images), on_out): ((&[f32], &mut [f32]), &[f32])| {
                        let mut on_weight = vec![0.0; weights.len()];
                        let images = images.chunks_exact(len).zip(on_images.chunks_exact_mut(len));
                        for ((image, on_image), on_out) in images.zip(on_out.chunks_exact(out_len)) {
                            geometry.unfold(on_out, views);
                            let views = Factor::plain(views, taps, places);
                            product(Factor::plain(&weights, channels, taps), views, on_image, Into::Add);
                            let image = Factor::plain(image, channels, places);
                            product(image, views.transposed(), &mut on_weight, Into::Add);
                        }
                        on_weight
                    };
                sums = work.map_init(|| vec![0.0; taps * places], one).collect();
            })?;
            sums.iter().try_for_each(|sum| {
                add(gradients.get_or_alloc_mut(&weight)?, sum);
                Ok(())
            })
        });
        Ok(out.put_tape(tape))
    }
}
