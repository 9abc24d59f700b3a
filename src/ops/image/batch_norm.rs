//! Batch normalisation.

use dfdx::prelude::*;

use super::activate::Bounds;
#[cfg(not(feature = "composed"))]
use super::batch_norm_fused;
use crate::data::ImageShape;
use crate::error::{Error, Result};
use crate::ops::parameters::Parameter;
use crate::ops::tensors::host;
use crate::{Dev, Matrix};

/// Added to every variance. PyTorch's and dfdx's default.
pub(super) const EPSILON: f32 = 1e-5;

/// Mean and variance of every channel.
#[derive(Debug, Clone, PartialEq)]
pub struct Moments {
    /// The means.
    pub mean: Vec<f32>,
    /// The variances, divided by the count ("biased").
    pub variance: Vec<f32>,
    /// Pixels of a channel they are of, over all images.
    pub count: usize,
}

/// Every channel minus its mean over all images and pixels, divided by its standard deviation, times its weight, plus
/// its bias; and the means and variances.
///
/// For training: the gradient goes through means and variances too. See [`batch_norm_with`] for prediction.
///
/// # Shapes
/// Images (rows, channels·height·width), weight (channels), bias (channels) → images of the same shape.
///
/// # Errors
/// [`Error::Shape`] for images, a weight or a bias that do not fit, and where a channel has only one pixel in all.
///
/// # Example
/// ```
/// use reloss::ops::{batch_norm, host, matrix, ImageShape, Parameter};
/// let image = ImageShape { channels: 1, height: 1, width: 2 };
/// let (weight, bias) = (Parameter::new("weight", &[1], vec![2.0])?, Parameter::new("bias", &[1], vec![1.0])?);
/// let (out, moments) = batch_norm(matrix(vec![3.0, 3.0, 7.0, 7.0], 2, 2)?, image, &weight, &bias)?;
/// assert_eq!((moments.mean[0], moments.variance[0]), (5.0, 4.0));
/// assert!((host(&out)[2] - 3.0).abs() < 1e-5);
/// # Ok::<(), reloss::Error>(())
/// ```
///
/// # Reference
/// Ioffe, Szegedy, "Batch Normalization", ICML 2015; 1e-5 added to the variance, as PyTorch does.
pub fn batch_norm<T: Tape<f32, Dev>>(
    x: Matrix<T>,
    image: ImageShape,
    weight: &Parameter,
    bias: &Parameter,
) -> Result<(Matrix<T>, Moments)> {
    normalise(x, image, weight, bias, None, Bounds::NONE)
}

/// [`batch_norm`], or [`batch_norm_with`] the given moments, with an activation after it.
pub(crate) fn normalise<T: Tape<f32, Dev>>(
    x: Matrix<T>,
    image: ImageShape,
    weight: &Parameter,
    bias: &Parameter,
    given: Option<&Moments>,
    bounds: Bounds,
) -> Result<(Matrix<T>, Moments)> {
    match given {
        Some(moments) => check_moments(x.shape().1, image, weight, bias, moments)?,
        None => check_batch(*x.shape(), image, weight, bias)?,
    }
    #[cfg(not(feature = "composed"))]
    return batch_norm_fused::batch_norm(x, image, weight, bias, given, bounds);
    #[cfg(feature = "composed")]
    return {
        let (out, moments) = composed(x, image, weight, bias, given)?;
        Ok((bounds.composed(out)?, moments))
    };
}

/// [`batch_norm`] made of dfdx operations, for every device.
///
/// # Shapes
/// As [`batch_norm`].
///
/// # Errors
/// As [`batch_norm`].
pub fn batch_norm_composed<T: Tape<f32, Dev>>(
    x: Matrix<T>,
    image: ImageShape,
    weight: &Parameter,
    bias: &Parameter,
) -> Result<(Matrix<T>, Moments)> {
    check_batch(*x.shape(), image, weight, bias)?;
    composed(x, image, weight, bias, None)
}

/// [`batch_norm`] with means and variances as they are given, for prediction.
///
/// # Shapes
/// As [`batch_norm`]; a mean and a variance for every channel.
///
/// # Errors
/// [`Error::Shape`] for images, parameters or moments that do not fit.
///
/// # Example
/// ```
/// use reloss::ops::{batch_norm_with, host, matrix, ImageShape, Moments, Parameter};
/// let image = ImageShape { channels: 1, height: 1, width: 1 };
/// let (weight, bias) = (Parameter::new("weight", &[1], vec![1.0])?, Parameter::new("bias", &[1], vec![0.0])?);
/// let moments = Moments { mean: vec![1.0], variance: vec![4.0], count: 10 };
/// let out = batch_norm_with(matrix(vec![5.0], 1, 1)?, image, &weight, &bias, &moments)?;
/// assert!((host(&out)[0] - 2.0).abs() < 1e-5);
/// # Ok::<(), reloss::Error>(())
/// ```
pub fn batch_norm_with<T: Tape<f32, Dev>>(
    x: Matrix<T>,
    image: ImageShape,
    weight: &Parameter,
    bias: &Parameter,
    moments: &Moments,
) -> Result<Matrix<T>> {
    Ok(normalise(x, image, weight, bias, Some(moments), Bounds::NONE)?.0)
}

/// [`batch_norm_with`] made of dfdx operations, for every device.
///
/// # Shapes
/// As [`batch_norm_with`].
///
/// # Errors
/// As [`batch_norm_with`].
pub fn batch_norm_with_composed<T: Tape<f32, Dev>>(
    x: Matrix<T>,
    image: ImageShape,
    weight: &Parameter,
    bias: &Parameter,
    moments: &Moments,
) -> Result<Matrix<T>> {
    check_moments(x.shape().1, image, weight, bias, moments)?;
    Ok(composed(x, image, weight, bias, Some(moments))?.0)
}

const NAME: &str = "batch_norm";

fn check(columns: usize, image: ImageShape, weight: &Parameter, bias: &Parameter) -> Result<()> {
    image.check(NAME, columns)?;
    for parameter in [weight, bias] {
        if parameter.shape() != [image.channels] {
            let expected = format!("{} of {} channels", parameter.name(), image.channels);
            return Err(Error::shape(NAME, expected, format!("{:?}", parameter.shape())));
        }
    }
    Ok(())
}

fn check_batch(
    (rows, columns): (usize, usize),
    image: ImageShape,
    weight: &Parameter,
    bias: &Parameter,
) -> Result<()> {
    check(columns, image, weight, bias)?;
    match rows * image.pixels() {
        0 | 1 => Err(Error::shape(NAME, "two or more pixels of a channel", rows * image.pixels())),
        _ => Ok(()),
    }
}

fn check_moments(
    columns: usize,
    image: ImageShape,
    weight: &Parameter,
    bias: &Parameter,
    moments: &Moments,
) -> Result<()> {
    check(columns, image, weight, bias)?;
    let lengths = [moments.mean.len(), moments.variance.len()];
    if lengths != [image.channels; 2] {
        return Err(Error::shape(NAME, format!("moments of {} channels", image.channels), lengths[0]));
    }
    Ok(())
}

type Images<T> = Tensor<(usize, usize, usize), f32, Dev, T>;

fn composed<T: Tape<f32, Dev>>(
    x: Matrix<T>,
    image: ImageShape,
    weight: &Parameter,
    bias: &Parameter,
    given: Option<&Moments>,
) -> Result<(Matrix<T>, Moments)> {
    let flat = *x.shape();
    let shape = (flat.0, image.channels, image.pixels());
    let device = x.device().clone();
    let x: Images<T> = x.try_reshape_like(&shape)?;
    let constant = |values: &[f32]| -> Result<Tensor<(usize,), f32, Dev, T>> {
        let constant = device.try_tensor_from_vec(values.to_vec(), (image.channels,))?;
        Ok(Tensor::put_tape(constant, T::default()))
    };
    let (mean, x) = match given {
        Some(moments) => (constant(&moments.mean)?, x),
        None => (x.retaped::<T>().try_mean::<(usize,), Axes2<0, 2>>()?, x),
    };
    let means = host(&mean);
    let centred = x.try_sub(mean.try_broadcast_like::<_, Axes2<0, 2>>(&shape)?)?;
    let variance = match given {
        Some(moments) => constant(&moments.variance)?,
        None => centred.retaped::<T>().try_square()?.try_mean::<(usize,), Axes2<0, 2>>()?,
    };
    let variances = host(&variance);
    let vector =
        |parameter: &Parameter| parameter.value().retaped::<T>().try_reshape_like(&(image.channels,));
    let scale = vector(weight)?.try_div(variance.try_add(EPSILON)?.try_sqrt()?)?;
    let scaled = centred.try_mul(scale.try_broadcast_like::<_, Axes2<0, 2>>(&shape)?)?;
    let out = scaled.try_add(vector(bias)?.try_broadcast_like::<_, Axes2<0, 2>>(&shape)?)?;
    let moments = Moments { mean: means, variance: variances, count: flat.0 * image.pixels() };
    Ok((out.try_reshape_like(&flat)?, moments))
}
