//! Images made of other images' pixels.

use dfdx::prelude::*;

use crate::data::ImageShape;
use crate::error::{Error, Result};
use crate::{Dev, Matrix};

/// Every `stride`-th pixel of every `stride`-th row, and channels of zeros after the image's own.
///
/// The shortcut without parameters of small residual networks.
///
/// # Shapes
/// Images (rows, channels·height·width) → (rows, `channels`·⌈height/stride⌉·⌈width/stride⌉).
///
/// # Errors
/// [`Error::Shape`] for images that do not fit; [`Error::Parameter`] for a stride of zero, fewer channels than the
/// image's, or an empty image.
///
/// # Example
/// ```
/// use reloss::ops::{host, matrix, shrink, ImageShape};
/// let image = ImageShape { channels: 1, height: 1, width: 3 };
/// let (out, shape) = shrink(matrix(vec![1.0, 2.0, 3.0], 1, 3)?, image, 2, 2)?;
/// assert_eq!((host(&out), shape.channels), (vec![1.0, 3.0, 0.0, 0.0], 2));
/// # Ok::<(), reloss::Error>(())
/// ```
///
/// # Reference
/// He et al., "Deep Residual Learning for Image Recognition", CVPR 2016, section 4.2 (option A).
pub fn shrink<T: Tape<f32, Dev>>(
    x: Matrix<T>,
    image: ImageShape,
    channels: usize,
    stride: usize,
) -> Result<(Matrix<T>, ImageShape)> {
    image.check("shrink", x.shape().1)?;
    if stride == 0 || channels < image.channels {
        let reason = format!("{channels} channels at stride {stride} cannot hold {image:?}");
        return Err(Error::parameter("channels", reason));
    }
    let out =
        ImageShape { channels, height: image.height.div_ceil(stride), width: image.width.div_ceil(stride) };
    let sources = pixels(out, |channel, y, x| {
        let pixel = (channel * image.height + y * stride) * image.width + x * stride;
        (channel < image.channels).then_some(pixel)
    });
    Ok((pick(x, sources)?, out))
}

/// Every pixel `factor` times in both directions ("nearest").
///
/// # Shapes
/// Images (rows, channels·height·width) → (rows, channels·height·factor·width·factor).
///
/// # Errors
/// [`Error::Shape`] for images that do not fit; [`Error::Parameter`] for a factor of zero or an empty image.
///
/// # Example
/// ```
/// use reloss::ops::{host, matrix, upsample, ImageShape};
/// let image = ImageShape { channels: 1, height: 1, width: 2 };
/// let (out, shape) = upsample(matrix(vec![1.0, 2.0], 1, 2)?, image, 2)?;
/// assert_eq!((host(&out), shape.height), (vec![1.0, 1.0, 2.0, 2.0, 1.0, 1.0, 2.0, 2.0], 2));
/// # Ok::<(), reloss::Error>(())
/// ```
pub fn upsample<T: Tape<f32, Dev>>(
    x: Matrix<T>,
    image: ImageShape,
    factor: usize,
) -> Result<(Matrix<T>, ImageShape)> {
    image.check("upsample", x.shape().1)?;
    if factor == 0 {
        return Err(Error::parameter("factor", "must be positive"));
    }
    let out = ImageShape { height: image.height * factor, width: image.width * factor, ..image };
    let sources =
        pixels(out, |channel, y, x| Some((channel * image.height + y / factor) * image.width + x / factor));
    Ok((pick(x, sources)?, out))
}

/// A source for every pixel of an image.
fn pixels(
    image: ImageShape,
    source: impl Fn(usize, usize, usize) -> Option<usize>,
) -> impl Iterator<Item = Option<usize>> {
    (0..image.len()).map(move |k| source(k / image.pixels(), k / image.width % image.height, k % image.width))
}

/// Images whose pixels are others of the given images, or zero.
fn pick<T: Tape<f32, Dev>>(x: Matrix<T>, sources: impl Iterator<Item = Option<usize>>) -> Result<Matrix<T>> {
    #[cfg(not(feature = "composed"))]
    return fused(x, sources.collect());
    #[cfg(feature = "composed")]
    return Ok(pick_columns(x, sources)?.try_permute::<(usize, usize), Axes2<1, 0>>()?.try_contiguous()?);
}

/// `pick` made of dfdx operations, with the images in columns: (pixels, rows).
pub(super) fn pick_columns<T: Tape<f32, Dev>>(
    x: Matrix<T>,
    sources: impl Iterator<Item = Option<usize>>,
) -> Result<Matrix<T>> {
    let (device, rows) = (x.device().clone(), x.shape().0);
    let (mut at, mut inside) = (Vec::new(), Vec::new());
    for source in sources {
        at.push(source.unwrap_or(0));
        inside.push(f32::from(u8::from(source.is_some())));
    }
    let len = at.len();
    let at = device.try_tensor_from_vec::<(usize,)>(at, (len,))?;
    let inside: Tensor<(usize,), f32, Dev> = device.try_tensor_from_vec(inside, (len,))?;
    let inside = inside.try_broadcast_like::<_, Axis<1>>(&(len, rows))?;
    Ok(x.try_permute::<(usize, usize), Axes2<1, 0>>()?.try_gather(at)?.try_mul(inside)?)
}

#[cfg(not(feature = "composed"))]
fn fused<T: Tape<f32, Dev>>(x: Matrix<T>, sources: Vec<Option<usize>>) -> Result<Matrix<T>> {
    use super::unfold::{backward, each_image};
    use crate::ops::tensors::{contents, matrix};

    let (x, mut tape) = x.try_contiguous()?.split_tape();
    let (rows, len) = *x.shape();
    let mut out = vec![0.0; rows * sources.len()];
    each_image(&contents(&x), len, &mut out, sources.len(), |image, out| {
        out.iter_mut().zip(&sources).for_each(|(out, source)| *out = source.map_or(0.0, |at| image[at]));
    });
    let out = matrix(out, rows, sources.len())?;
    let outer = out.clone();
    tape.add_backward_op(move |gradients| {
        backward(gradients, &outer, &x, |on_out, on_x| {
            each_image(on_out, sources.len(), on_x, len, |on_out, on_image| {
                for (g, source) in on_out.iter().zip(&sources) {
                    source.iter().for_each(|&at| on_image[at] += g);
                }
            });
        })
    });
    Ok(out.put_tape(tape))
}

#[cfg(all(test, not(feature = "composed")))]
mod tests {
    use super::*;
    use crate::ops::{host, matrix};

    #[test]
    fn picked_pixels_are_the_same_in_both_forms() {
        let x = matrix((0..12).map(|v| v as f32).collect(), 2, 6).unwrap();
        let sources = [Some(5), None, Some(0), Some(5), Some(2)];
        let weights = matrix((0..10).map(|v| v as f32 - 3.0).collect(), 2, 5).unwrap();
        let run = |fused_form: bool| {
            let traced = x.leaky_trace();
            let out = match fused_form {
                true => fused(traced, sources.to_vec()).unwrap(),
                false => pick_columns(traced, sources.into_iter()).unwrap().permute(),
            };
            let values = host(&out);
            let gradients = (out * weights.clone()).sum::<(), _>().backward();
            (values, host(&gradients.get(&x)))
        };
        assert_eq!(run(true), run(false));
        assert_eq!(run(true).0, [5.0, 0.0, 0.0, 5.0, 2.0, 11.0, 0.0, 6.0, 11.0, 8.0]);
    }
}
