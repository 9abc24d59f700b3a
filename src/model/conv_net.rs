//! Convolutional networks.

use dfdx::prelude::*;
use rand_chacha::rand_core::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::layer::{build, Layer, Way};
use super::{Model, Parametric};
use crate::error::{Error, Result};
use crate::ops::{
    activate, average_pool, conv2d, conv_pool, conv_transpose2d, global_average, host, join, linear,
    max_pool, normalise, shrink, upsample, Bounds, ImageShape, Moments, Parameter, Parameters, Window,
};
use crate::{Dev, Matrix, Tape};

/// A network of [`Layer`]s, with parameters named as PyTorch names those of nested `Sequential`s.
///
/// A residual layer's ways are named `body` and `shortcut`: `3.body.0.weight`. Convolution, ReLU and 2 × 2 pooling in a
/// row are computed as one ([`conv_pool`]), which refuses NaN and infinite pixels.
///
/// # Example
/// ```
/// use reloss::model::{ConvNet, Layer, Model, Parametric};
/// use reloss::ops::{ImageShape, Window};
/// let image = ImageShape { channels: 1, height: 8, width: 8 };
/// let mut layers = vec![Layer::conv2d(4, Window::same(3)), Layer::BatchNorm, Layer::Relu];
/// layers.extend(Layer::basic_block(4, 8, 2));
/// layers.extend([Layer::GlobalAverage, Layer::Linear(10)]);
/// let model = ConvNet::new(image, layers, 0)?;
/// assert_eq!(model.output().len(), 10);
/// assert_eq!(model.parameters().count(), 4 * 9 + 8 + (8 * 4 * 9 + 16) + (8 * 8 * 9 + 16) + 90);
/// # Ok::<(), reloss::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct ConvNet {
    name: String,
    image: ImageShape,
    output: ImageShape,
    layers: Vec<Layer>,
    parameters: Parameters,
}

/// The share of a new batch in the running means. PyTorch's and dfdx's default.
const MOMENTUM: f32 = 0.1;

impl ConvNet {
    /// A freshly initialised network for images of this shape: weights uniform in ±1/√inputs (PyTorch's default).
    ///
    /// # Errors
    /// [`Error::At`] with the layer that does not fit what comes in.
    pub fn new(image: ImageShape, layers: Vec<Layer>, seed: u64) -> Result<Self> {
        let mut members = Vec::new();
        let output = build(&layers, image, "", &mut ChaCha8Rng::seed_from_u64(seed), &mut members)?;
        let parameters = Parameters::new(members);
        Ok(Self { name: format!("conv-net-{}", parameters.count()), image, output, layers, parameters })
    }

    /// The same network under another name; without one it is called by the number of its parameters.
    pub fn named(self, name: &str) -> Self {
        Self { name: name.to_string(), ..self }
    }

    /// Two blocks of 3 × 3 convolution, ReLU and 2 × 2 pooling, then a linear layer.
    ///
    /// # Errors
    /// As [`ConvNet::new`].
    pub fn small(image: ImageShape, filters: [usize; 2], classes: usize, seed: u64) -> Result<Self> {
        let block = |filters| {
            let window = Window::same(3);
            let conv = Layer::Conv2d { filters, window, groups: 1, bias: true };
            [conv, Layer::Relu, Layer::MaxPool(Window::tiles(2))]
        };
        let layers = filters.into_iter().flat_map(block).chain([Layer::Linear(classes)]);
        Ok(Self::new(image, layers.collect(), seed)?.named(&format!("conv-{}-{}", filters[0], filters[1])))
    }

    /// The residual network for small images: 16, 32 and 64 filters, `depth` = 6 n + 2 layers (20, 56, 110).
    ///
    /// # Errors
    /// [`Error::Parameter`] for another depth; as [`ConvNet::new`].
    ///
    /// # Reference
    /// He et al., "Deep Residual Learning for Image Recognition", CVPR 2016, section 4.2.
    pub fn resnet(depth: usize, image: ImageShape, classes: usize, seed: u64) -> Result<Self> {
        if depth < 8 || depth % 6 != 2 {
            return Err(Error::parameter("depth", format!("{depth} is not 6 n + 2 with n ≥ 1")));
        }
        let mut layers = vec![Layer::conv2d(16, Window::same(3)), Layer::BatchNorm, Layer::Relu];
        let mut inputs = 16;
        for (stage, filters) in [16, 32, 64].into_iter().enumerate() {
            for block in 0..depth / 6 {
                let stride = if stage > 0 && block == 0 { 2 } else { 1 };
                layers.extend(Layer::basic_block(inputs, filters, stride));
                inputs = filters;
            }
        }
        layers.extend([Layer::GlobalAverage, Layer::Linear(classes)]);
        Ok(Self::new(image, layers, seed)?.named(&format!("resnet-{depth}")))
    }

    /// MobileNetV2 for small images: the first two reductions of the paper's network left out.
    ///
    /// # Errors
    /// As [`ConvNet::new`].
    ///
    /// # Reference
    /// Sandler et al., "MobileNetV2: Inverted Residuals and Linear Bottlenecks", CVPR 2018, table 2; the strides of the
    /// first convolution and of the second stage are 1, since the images are 32 pixels wide and not 224.
    pub fn mobilenet_v2(image: ImageShape, classes: usize, seed: u64) -> Result<Self> {
        const STAGES: [(usize, usize, usize, usize); 7] = [
            (1, 16, 1, 1),
            (6, 24, 2, 1),
            (6, 32, 3, 2),
            (6, 64, 4, 2),
            (6, 96, 3, 1),
            (6, 160, 3, 2),
            (6, 320, 1, 1),
        ];
        let mut layers = vec![Layer::conv2d(32, Window::same(3)), Layer::BatchNorm, Layer::Relu6];
        let mut inputs = 32;
        for (expansion, filters, blocks, first) in STAGES {
            for block in 0..blocks {
                let stride = if block == 0 { first } else { 1 };
                layers.extend(Layer::inverted_residual(inputs, filters, stride, expansion));
                inputs = filters;
            }
        }
        layers.extend([Layer::conv2d(1280, Window::same(1)), Layer::BatchNorm, Layer::Relu6]);
        layers.extend([Layer::GlobalAverage, Layer::Linear(classes)]);
        Ok(Self::new(image, layers, seed)?.named("mobilenet-v2"))
    }

    /// The shape of the images that go in.
    pub fn image(&self) -> ImageShape {
        self.image
    }

    /// The shape of what comes out of an image.
    pub fn output(&self) -> ImageShape {
        self.output
    }

    /// Its layers.
    pub fn layers(&self) -> &[Layer] {
        &self.layers
    }
}

/// Whether [`conv_pool`] computes this layer, ReLU and this pooling.
fn is_pooled_at_once(layer: &Layer, pool: &Window, image: ImageShape) -> bool {
    let &Layer::Conv2d { window, groups: 1, bias: true, .. } = layer else { return false };
    let even = image.height.is_multiple_of(2) && image.width.is_multiple_of(2);
    even && !window.side.is_multiple_of(2) && window == Window::same(window.side) && *pool == Window::tiles(2)
}

/// Images of a batch, with the shape of each.
type Images<T> = Vec<(Matrix<T>, ImageShape)>;

/// The one image where there are no branches.
fn single<T>(mut images: Images<T>) -> Result<(Matrix<T>, ImageShape)> {
    match (images.pop(), images.len()) {
        (Some(image), 0) => Ok(image),
        (_, more) => Err(Error::shape("conv net", "one image", format!("{} branches", more + 1))),
    }
}

/// A pass through the layers: the parameters not used yet, and what the batch's normalisations saw.
struct Pass<'a> {
    parameters: std::iter::Enumerate<std::slice::Iter<'a, Parameter>>,
    training: bool,
    /// With the place of the running mean among the parameters.
    seen: Vec<(usize, Moments)>,
}

impl<'a> Pass<'a> {
    fn new(parameters: &'a Parameters, training: bool) -> Self {
        Self { parameters: parameters.iter().enumerate(), training, seen: Vec::new() }
    }

    /// The whole network on a batch.
    fn whole<T: dfdx::prelude::Tape<f32, Dev>>(&mut self, net: &ConvNet, x: Matrix<T>) -> Result<Matrix<T>> {
        if x.shape().1 != net.image.len() {
            let expected = format!("images of {} numbers ({:?})", net.image.len(), net.image);
            return Err(Error::shape("conv net", expected, x.shape().1));
        }
        Ok(self.run(&net.layers, x, net.image)?.0)
    }

    fn next(&mut self) -> Result<(usize, &'a Parameter)> {
        self.parameters.next().ok_or_else(|| Error::shape("conv net", "parameters for every layer", "fewer"))
    }

    /// Layers from one image to one, by way of several where they branch.
    fn run<T: dfdx::prelude::Tape<f32, Dev>>(
        &mut self,
        layers: &[Layer],
        x: Matrix<T>,
        image: ImageShape,
    ) -> Result<(Matrix<T>, ImageShape)> {
        let (mut images, mut rest) = (vec![(x, image)], layers);
        while let [layer, after @ ..] = rest {
            let relu = matches!(after.first(), Some(Layer::Relu));
            if let Layer::Branches(sums) = layer {
                images = self.branches(sums, images, if relu { Bounds::RELU } else { Bounds::NONE })?;
                rest = if relu { &after[1..] } else { after };
                continue;
            }
            let (x, image) = single(images)?;
            if let [Layer::Relu, Layer::MaxPool(pool), later @ ..] = after {
                if is_pooled_at_once(layer, pool, image) {
                    let ((_, weight), (_, bias)) = (self.next()?, self.next()?);
                    let pooled = image.pooled(bias.value().shape().1);
                    images = vec![(conv_pool(x, image, weight, bias)?, pooled)];
                    rest = later;
                    continue;
                }
            }
            // What holds the activation that follows it is one operation with it.
            let bounds = match (layer, after.first()) {
                (Layer::BatchNorm | Layer::Residual { .. }, Some(Layer::Relu)) => Bounds::RELU,
                (Layer::BatchNorm | Layer::Residual { .. }, Some(Layer::Relu6)) => Bounds::RELU6,
                _ => Bounds::NONE,
            };
            rest = if bounds == Bounds::NONE { after } else { &after[1..] };
            images = vec![self.step(layer, x, image, bounds)?];
        }
        single(images)
    }

    /// Sums of ways from several images.
    fn branches<T: dfdx::prelude::Tape<f32, Dev>>(
        &mut self,
        sums: &[Vec<Way>],
        images: Images<T>,
        bounds: Bounds,
    ) -> Result<Images<T>> {
        // All that came before is recorded once: on the first image, which takes it on.
        let mut tape = T::default();
        let mut inputs = Vec::with_capacity(images.len());
        for (x, image) in images {
            let (x, before) = x.split_tape();
            tape = tape.merge(before);
            inputs.push((x, image));
        }
        let mut out = Vec::with_capacity(sums.len());
        for ways in sums {
            let mut sum: Option<(Matrix<T>, ImageShape)> = None;
            for (i, Way { from, layers }) in ways.iter().enumerate() {
                let (x, image) = &inputs[*from];
                let (x, image) = self.run(layers, x.clone().put_tape(std::mem::take(&mut tape)), *image)?;
                let bounds = if i + 1 == ways.len() { bounds } else { Bounds::NONE };
                let joined = match sum.take() {
                    Some((before, _)) => join(before, x, bounds)?,
                    None if bounds == Bounds::NONE => x,
                    None => activate(x, bounds)?,
                };
                sum = Some((joined, image));
            }
            out.extend(sum);
        }
        Ok(out)
    }

    fn step<T: dfdx::prelude::Tape<f32, Dev>>(
        &mut self,
        layer: &Layer,
        x: Matrix<T>,
        image: ImageShape,
        bounds: Bounds,
    ) -> Result<(Matrix<T>, ImageShape)> {
        Ok(match layer {
            &Layer::Conv2d { window, bias, .. } => {
                let (_, weight) = self.next()?;
                let bias = if bias { Some(self.next()?.1) } else { None };
                conv2d(x, image, window, weight, bias)?
            }
            &Layer::ConvTranspose2d { window, bias, .. } => {
                let (_, weight) = self.next()?;
                let bias = if bias { Some(self.next()?.1) } else { None };
                conv_transpose2d(x, image, window, weight, bias)?
            }
            Layer::BatchNorm => (self.normalise(x, image, bounds)?, image),
            Layer::Relu => (activate(x, Bounds::RELU)?, image),
            Layer::Relu6 => (activate(x, Bounds::RELU6)?, image),
            &Layer::MaxPool(window) => max_pool(x, image, window)?,
            &Layer::AveragePool(window) => average_pool(x, image, window)?,
            Layer::GlobalAverage => (global_average(x, image)?, ImageShape { height: 1, width: 1, ..image }),
            &Layer::Upsample(factor) => upsample(x, image, factor)?,
            &Layer::Shrink { channels, stride } => shrink(x, image, channels, stride)?,
            &Layer::Linear(outputs) => {
                let ((_, weight), (_, bias)) = (self.next()?, self.next()?);
                (linear(x, weight, bias)?, ImageShape { channels: outputs, height: 1, width: 1 })
            }
            Layer::Residual { body, shortcut } => {
                let (one, image_out) = self.run(body, x.retaped::<T>(), image)?;
                let (other, _) = self.run(shortcut, x, image)?;
                (join(one, other, bounds)?, image_out)
            }
            Layer::Branches(sums) => single(self.branches(sums, vec![(x, image)], bounds)?)?,
        })
    }

    fn normalise<T: dfdx::prelude::Tape<f32, Dev>>(
        &mut self,
        x: Matrix<T>,
        image: ImageShape,
        bounds: Bounds,
    ) -> Result<Matrix<T>> {
        let ((_, weight), (_, bias)) = (self.next()?, self.next()?);
        let ((place, mean), (_, variance)) = (self.next()?, self.next()?);
        let running = Moments { mean: host(mean.value()), variance: host(variance.value()), count: 0 };
        let given = (!self.training).then_some(&running);
        let (out, moments) = normalise(x, image, weight, bias, given, bounds)?;
        self.seen.push((place, moments));
        Ok(out)
    }
}

impl Parametric for ConvNet {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    fn parameters_mut(&mut self) -> &mut Parameters {
        &mut self.parameters
    }
}

impl Model for ConvNet {
    fn forward(&mut self, x: Matrix<Tape>) -> Result<Matrix<Tape>> {
        let mut pass = Pass::new(&self.parameters, true);
        let out = pass.whole(self, x)?;
        for (place, moments) in pass.seen {
            // The running variance is the unbiased one, as in PyTorch and dfdx.
            let unbiased = moments.count as f32 / (moments.count - 1) as f32;
            let variance = moments.variance.iter().map(|v| v * unbiased).collect();
            let running = self.parameters.iter_mut().skip(place);
            for (running, new) in running.zip([moments.mean, variance]) {
                running.fade(&new, MOMENTUM);
            }
        }
        Ok(out)
    }

    fn predict(&self, x: Matrix) -> Result<Matrix> {
        Pass::new(&self.parameters, false).whole(self, x)
    }
}
