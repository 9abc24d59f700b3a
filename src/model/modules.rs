//! Convolution and pooling as dfdx modules.

use dfdx::nn::tensor_collection::{ModuleVisitor, TensorCollection, TensorOptions};
use dfdx::prelude::*;
use rand_distr::Uniform;

use crate::error::Error;
use crate::ops::{conv2d, max_pool, ImageShape, Parameter, Window};
use crate::Dev;

/// What dfdx has for the error of any module: it says that sizes do not fit, not which.
type DeviceError = <Dev as HasErr>::Err;

/// Convolution without bias as a dfdx module, beside dfdx's `BatchNorm2D`, `Bias2D`, `ReLU`, `Residual`, `AvgPoolGlobal`.
///
/// For networks whose channels are types; dfdx's own needs a nightly compiler. With dfdx's feature `safetensors` it is saved
/// and loaded as dfdx's other modules are. [`ConvNet`](super::ConvNet) is for sizes
/// known only when running, says which sizes do not fit, and is the faster.
///
/// # Shapes
/// Images (batch, `I`, height, width) → (batch, `O`, places down, places across); weight (`O`, `I`, `K`, `K`), uniform
/// in ±1/√(I·K²). `S` is the stride, `P` the padding.
///
/// # Errors
/// dfdx's `WrongNumElements` for a window larger than the image with its zeros.
///
/// # Example
/// ```
/// use dfdx::nn::builders::{AvgPoolGlobal, BatchNorm2D, Linear, ReLU, Residual};
/// use dfdx::optim::{Optimizer, Sgd};
/// use dfdx::prelude::*;
/// use reloss::model::Conv2d;
/// type Block = (Conv2d<8, 8, 3, 1, 1>, BatchNorm2D<8>, ReLU);
/// type Net = (Conv2d<1, 8, 3, 2, 1>, Residual<Block>, (AvgPoolGlobal, Linear<8, 10>));
/// let device = reloss::ops::device()?;
/// let mut net = device.build_module::<Net, f32>();
/// let x: Tensor<Rank4<2, 1, 9, 9>, f32, _> = device.sample_normal();
/// let logits = net.forward_mut(x.leaky_trace());
/// assert_eq!(logits.shape().concrete(), [2, 10]);
/// let gradients = logits.square().mean().backward();
/// Sgd::new(&net, SgdConfig::default()).update(&mut net, &gradients).unwrap();
/// # Ok::<(), reloss::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Conv2d<
    const I: usize,
    const O: usize,
    const K: usize,
    const S: usize = 1,
    const P: usize = 0,
    E: Dtype = f32,
    D: Storage<E> = Dev,
> {
    /// (filters, channels, side, side).
    pub weight: Tensor<Rank4<O, I, K, K>, E, D>,
}

/// [`Conv2d`] channel by channel, with one filter each.
///
/// # Shapes
/// Images (batch, `C`, height, width) → (batch, `C`, places down, places across); weight (`C`, 1, `K`, `K`).
///
/// # Errors
/// As [`Conv2d`].
#[derive(Debug, Clone)]
pub struct DepthwiseConv2d<
    const C: usize,
    const K: usize,
    const S: usize = 1,
    const P: usize = 0,
    E: Dtype = f32,
    D: Storage<E> = Dev,
> {
    /// (channels, 1, side, side).
    pub weight: Tensor<Rank4<C, 1, K, K>, E, D>,
}

/// The largest pixel under a window as a dfdx module: see [`max_pool`](crate::ops::max_pool()).
///
/// # Shapes
/// Images (batch, channels, height, width) → (batch, channels, places down, places across).
///
/// # Errors
/// dfdx's `WrongNumElements` for a window that does not fit.
#[derive(Debug, Clone, Copy, Default)]
pub struct MaxPool2d<const K: usize, const S: usize = K, const P: usize = 0>;

fn misfit(_: Error) -> DeviceError {
    #[cfg(not(feature = "cuda"))]
    return CpuError::WrongNumElements;
    #[cfg(feature = "cuda")]
    return CudaError::Cpu(CpuError::WrongNumElements);
}

type Images<B, C, T> = Tensor<(B, C, usize, usize), f32, Dev, T>;

fn shape_of<B: Dim, C: Dim, H: Dim, W: Dim>(&(_, c, h, w): &(B, C, H, W)) -> ImageShape {
    ImageShape { channels: c.size(), height: h.size(), width: w.size() }
}

fn convolve<
    B: Dim,
    C: Dim,
    H: Dim,
    W: Dim,
    T: Tape<f32, Dev>,
    const O: usize,
    const I: usize,
    const K: usize,
>(
    x: Tensor<(B, C, H, W), f32, Dev, T>,
    weight: &Tensor<Rank4<O, I, K, K>, f32, Dev>,
    stride: usize,
    padding: usize,
) -> Result<Images<B, Const<O>, T>, DeviceError> {
    let (rows, image) = (x.shape().0, shape_of(x.shape()));
    let (x, tape) = x.try_reshape_like(&(rows.size(), image.len()))?.split_tape();
    // The operation leaves the weight's gradient with its matrix, whose own tape takes it on.
    let weight = weight.retaped::<T>().try_reshape_like(&(O * I * K, K))?;
    let (weight, weight_tape) = weight.split_tape();
    let weight = Parameter::view("weight", &[O, I, K, K], weight);
    let window = Window { side: K, stride, padding };
    let (out, places) =
        conv2d(x.put_tape(tape.merge(weight_tape)), image, window, &weight, None).map_err(misfit)?;
    out.try_reshape_like(&(rows, Const, places.height, places.width))
}

impl<const I: usize, const O: usize, const K: usize, const S: usize, const P: usize> BuildOnDevice<Dev, f32>
    for Conv2d<I, O, K, S, P>
{
    type Built = Self;
}

impl<const I: usize, const O: usize, const K: usize, const S: usize, const P: usize>
    TensorCollection<f32, Dev> for Conv2d<I, O, K, S, P>
{
    type To<E2: Dtype, D2: Device<E2>> = Conv2d<I, O, K, S, P, E2, D2>;

    fn iter_tensors<V: ModuleVisitor<Self, f32, Dev>>(
        visitor: &mut V,
    ) -> Result<Option<Self::To<V::E2, V::D2>>, V::Err> {
        let options = TensorOptions::reset_with(|weight| {
            let bound = 1.0 / ((I * K * K) as f32).sqrt();
            weight.try_fill_with_distr(Uniform::new_inclusive(-bound, bound))
        });
        let weight = Self::tensor("weight", |conv| &conv.weight, |conv| &mut conv.weight, options);
        visitor.visit_fields(weight, |weight| Conv2d { weight })
    }
}

impl<const I: usize, const O: usize, const K: usize, const S: usize, const P: usize> NonMutableModule
    for Conv2d<I, O, K, S, P>
{
}

impl<
        B: Dim,
        H: Dim,
        W: Dim,
        T,
        const I: usize,
        const O: usize,
        const K: usize,
        const S: usize,
        const P: usize,
    > Module<Tensor<(B, Const<I>, H, W), f32, Dev, T>> for Conv2d<I, O, K, S, P>
where
    T: Tape<f32, Dev>,
{
    type Output = Images<B, Const<O>, T>;
    type Error = DeviceError;

    fn try_forward(&self, x: Tensor<(B, Const<I>, H, W), f32, Dev, T>) -> Result<Self::Output, DeviceError> {
        convolve(x, &self.weight, S, P)
    }
}

impl<const C: usize, const K: usize, const S: usize, const P: usize> BuildOnDevice<Dev, f32>
    for DepthwiseConv2d<C, K, S, P>
{
    type Built = Self;
}

impl<const C: usize, const K: usize, const S: usize, const P: usize> TensorCollection<f32, Dev>
    for DepthwiseConv2d<C, K, S, P>
{
    type To<E2: Dtype, D2: Device<E2>> = DepthwiseConv2d<C, K, S, P, E2, D2>;

    fn iter_tensors<V: ModuleVisitor<Self, f32, Dev>>(
        visitor: &mut V,
    ) -> Result<Option<Self::To<V::E2, V::D2>>, V::Err> {
        let options = TensorOptions::reset_with(|weight| {
            let bound = 1.0 / K as f32;
            weight.try_fill_with_distr(Uniform::new_inclusive(-bound, bound))
        });
        let weight = Self::tensor("weight", |conv| &conv.weight, |conv| &mut conv.weight, options);
        visitor.visit_fields(weight, |weight| DepthwiseConv2d { weight })
    }
}

impl<const C: usize, const K: usize, const S: usize, const P: usize> NonMutableModule
    for DepthwiseConv2d<C, K, S, P>
{
}

impl<B: Dim, H: Dim, W: Dim, T, const C: usize, const K: usize, const S: usize, const P: usize>
    Module<Tensor<(B, Const<C>, H, W), f32, Dev, T>> for DepthwiseConv2d<C, K, S, P>
where
    T: Tape<f32, Dev>,
{
    type Output = Images<B, Const<C>, T>;
    type Error = DeviceError;

    fn try_forward(&self, x: Tensor<(B, Const<C>, H, W), f32, Dev, T>) -> Result<Self::Output, DeviceError> {
        convolve(x, &self.weight, S, P)
    }
}

impl<const K: usize, const S: usize, const P: usize> ZeroSizedModule for MaxPool2d<K, S, P> {}

impl<const K: usize, const S: usize, const P: usize> NonMutableModule for MaxPool2d<K, S, P> {}

impl<B: Dim, C: Dim, H: Dim, W: Dim, T, const K: usize, const S: usize, const P: usize>
    Module<Tensor<(B, C, H, W), f32, Dev, T>> for MaxPool2d<K, S, P>
where
    T: Tape<f32, Dev>,
{
    type Output = Images<B, C, T>;
    type Error = DeviceError;

    fn try_forward(&self, x: Tensor<(B, C, H, W), f32, Dev, T>) -> Result<Self::Output, DeviceError> {
        let (&(rows, channels, ..), image) = (x.shape(), shape_of(x.shape()));
        let x = x.try_reshape_like(&(rows.size(), image.len()))?;
        let window = Window { side: K, stride: S, padding: P };
        let (out, places) = max_pool(x, image, window).map_err(misfit)?;
        out.try_reshape_like(&(rows, channels, places.height, places.width))
    }
}
