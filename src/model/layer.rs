//! Layers of convolutional networks, as plain values.

use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::ops::{linear_layer, spread_shape, uniform, ImageShape, Parameter, Window};

/// One step of a [`ConvNet`](super::ConvNet), which knows nothing yet of the images it will see.
///
/// # Example
/// ```
/// use reloss::model::{ConvNet, Layer};
/// use reloss::ops::{ImageShape, Window};
/// // A heatmap for each of 17 joints, at the images' own size.
/// let mut layers = vec![Layer::conv2d(8, Window { stride: 2, ..Window::same(3) }), Layer::BatchNorm, Layer::Relu];
/// layers.extend(Layer::inverted_residual(8, 8, 1, 6));
/// let window = Window { side: 4, stride: 2, padding: 1 };
/// layers.push(Layer::ConvTranspose2d { filters: 8, window, bias: false });
/// layers.extend([Layer::BatchNorm, Layer::Relu, Layer::conv2d(17, Window::same(1))]);
/// let net = ConvNet::new(ImageShape { channels: 3, height: 24, width: 16 }, layers, 0)?;
/// assert_eq!(net.output(), ImageShape { channels: 17, height: 24, width: 16 });
/// # Ok::<(), reloss::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Layer {
    /// Convolution: see [`conv2d`](crate::ops::conv2d).
    Conv2d {
        /// Channels that come out.
        filters: usize,
        /// What a filter covers.
        window: Window,
        /// Into how many parts the channels are divided, each with filters of its own; 1 for all together.
        groups: usize,
        /// Whether a number is added to every channel.
        bias: bool,
    },
    /// Transposed convolution: see [`conv_transpose2d`](crate::ops::conv_transpose2d).
    ConvTranspose2d {
        /// Channels that come out.
        filters: usize,
        /// What a pixel spreads to.
        window: Window,
        /// Whether a number is added to every channel.
        bias: bool,
    },
    /// Batch normalisation: of the batch in training, by running means (momentum 0.1) in prediction.
    BatchNorm,
    /// max(x, 0).
    Relu,
    /// min(max(x, 0), 6).
    Relu6,
    /// See [`max_pool`](crate::ops::max_pool).
    MaxPool(Window),
    /// See [`average_pool`](crate::ops::average_pool).
    AveragePool(Window),
    /// See [`global_average`](crate::ops::global_average).
    GlobalAverage,
    /// See [`upsample`](crate::ops::upsample).
    Upsample(usize),
    /// See [`shrink`](crate::ops::shrink).
    Shrink {
        /// Channels that come out.
        channels: usize,
        /// Pixels from one that stays to the next.
        stride: usize,
    },
    /// All numbers of an image to so many outputs.
    Linear(usize),
    /// The sum of two ways.
    Residual {
        /// One way.
        body: Vec<Layer>,
        /// The other; empty for what came in, unchanged.
        shortcut: Vec<Layer>,
    },
    /// Several images from several, as in HRNet: each the sum of some ways. Of the other layers only a ReLU that follows takes
    /// more images than one, and a network must end with one.
    Branches(Vec<Vec<Way>>),
}

/// A way through layers from one of the images that come in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Way {
    /// Which image, from 0.
    pub from: usize,
    /// What is done with it; nothing, if empty.
    pub layers: Vec<Layer>,
}

impl Layer {
    /// A convolution of all channels without bias, as goes before batch normalisation.
    pub fn conv2d(filters: usize, window: Window) -> Self {
        Self::Conv2d { filters, window, groups: 1, bias: false }
    }

    /// Two 3 × 3 convolutions with batch normalisation beside a shortcut without parameters, then ReLU.
    ///
    /// # Reference
    /// He et al., "Deep Residual Learning for Image Recognition", CVPR 2016, figure 2 and section 4.2 (option A).
    pub fn basic_block(inputs: usize, filters: usize, stride: usize) -> Vec<Self> {
        let body = vec![
            Self::conv2d(filters, Window { stride, ..Window::same(3) }),
            Self::BatchNorm,
            Self::Relu,
            Self::conv2d(filters, Window::same(3)),
            Self::BatchNorm,
        ];
        let shortcut = match (inputs, stride) {
            (same, 1) if same == filters => vec![],
            _ => vec![Self::Shrink { channels: filters, stride }],
        };
        vec![Self::Residual { body, shortcut }, Self::Relu]
    }

    /// 1 × 1, 3 × 3 and 1 × 1 convolutions with batch normalisation, four times the filters coming out, beside a shortcut (a
    /// 1 × 1 convolution where the shape changes), then ReLU.
    ///
    /// # Reference
    /// He et al., "Deep Residual Learning for Image Recognition", CVPR 2016, figure 5; the 3 × 3 convolution has the stride,
    /// as in PyTorch.
    pub fn bottleneck(inputs: usize, filters: usize, stride: usize) -> Vec<Self> {
        let outputs = 4 * filters;
        let body = vec![
            Self::conv2d(filters, Window::same(1)),
            Self::BatchNorm,
            Self::Relu,
            Self::conv2d(filters, Window { stride, ..Window::same(3) }),
            Self::BatchNorm,
            Self::Relu,
            Self::conv2d(outputs, Window::same(1)),
            Self::BatchNorm,
        ];
        let shortcut = match (inputs, stride) {
            (same, 1) if same == outputs => vec![],
            _ => vec![Self::conv2d(outputs, Window { stride, ..Window::same(1) }), Self::BatchNorm],
        };
        vec![Self::Residual { body, shortcut }, Self::Relu]
    }

    /// Channels multiplied by `expansion`, a depthwise 3 × 3 convolution, and back to `filters` without activation;
    /// beside a shortcut where the shape stays.
    ///
    /// # Reference
    /// Sandler et al., "MobileNetV2: Inverted Residuals and Linear Bottlenecks", CVPR 2018, table 1.
    pub fn inverted_residual(inputs: usize, filters: usize, stride: usize, expansion: usize) -> Vec<Self> {
        let hidden = inputs * expansion;
        let mut body = vec![];
        if expansion != 1 {
            body.extend([Self::conv2d(hidden, Window::same(1)), Self::BatchNorm, Self::Relu6]);
        }
        let window = Window { stride, ..Window::same(3) };
        body.extend([
            Self::Conv2d { filters: hidden, window, groups: hidden, bias: false },
            Self::BatchNorm,
            Self::Relu6,
            Self::conv2d(filters, Window::same(1)),
            Self::BatchNorm,
        ]);
        match (inputs, stride) {
            (same, 1) if same == filters => vec![Self::Residual { body, shortcut: vec![] }],
            _ => body,
        }
    }
}

/// Makes the parameters of layers that follow each other, in their order; the shape that comes out.
pub(super) fn build(
    layers: &[Layer],
    image: ImageShape,
    prefix: &str,
    rng: &mut ChaCha8Rng,
    members: &mut Vec<Parameter>,
) -> Result<ImageShape> {
    let mut images = vec![image];
    for (i, layer) in layers.iter().enumerate() {
        let name = format!("{prefix}{i}");
        let built = match layer {
            Layer::Branches(sums) => build_branches(sums, &images, &name, rng, members),
            Layer::Relu if i > 0 && matches!(layers[i - 1], Layer::Branches(_)) => Ok(images.clone()),
            _ => single(&images).and_then(|image| Ok(vec![build_one(layer, image, &name, rng, members)?])),
        };
        images = built.map_err(|error| error.at(format!("layer {name}, of {images:?}")))?;
    }
    single(&images)
}

/// The one image of layers that take no more.
fn single(images: &[ImageShape]) -> Result<ImageShape> {
    match images {
        [image] => Ok(*image),
        _ => Err(Error::shape("conv net", "one image", format!("{} branches", images.len()))),
    }
}

fn build_branches(
    sums: &[Vec<Way>],
    images: &[ImageShape],
    name: &str,
    rng: &mut ChaCha8Rng,
    members: &mut Vec<Parameter>,
) -> Result<Vec<ImageShape>> {
    let mut built = Vec::with_capacity(sums.len());
    for (to, ways) in sums.iter().enumerate() {
        let mut out = None;
        for (i, Way { from, layers }) in ways.iter().enumerate() {
            let expected = || format!("an image below {}", images.len());
            let image = *images.get(*from).ok_or_else(|| Error::shape("branches", expected(), *from))?;
            let shape = build(layers, image, &format!("{name}.{to}.{i}."), rng, members)?;
            if *out.get_or_insert(shape) != shape {
                let expected = format!("{out:?} from all ways to branch {to}");
                return Err(Error::shape("branches", expected, format!("{shape:?}")));
            }
        }
        built.push(out.ok_or_else(|| Error::parameter("branches", format!("no way leads to branch {to}")))?);
    }
    match built.is_empty() {
        true => Err(Error::parameter("branches", "a layer without branches")),
        false => Ok(built),
    }
}

fn build_one(
    layer: &Layer,
    image: ImageShape,
    name: &str,
    rng: &mut ChaCha8Rng,
    members: &mut Vec<Parameter>,
) -> Result<ImageShape> {
    let ImageShape { channels, height, width } = image;
    Ok(match layer {
        &Layer::Conv2d { filters, window, groups, bias } => {
            let places = window.over(image)?;
            if filters == 0 || groups == 0 || channels % groups != 0 || filters % groups != 0 {
                let reason = format!("{groups} groups of {channels} channels and {filters} filters");
                return Err(Error::parameter("groups", reason));
            }
            let (seen, side) = (channels / groups, window.side);
            let inputs = seen * side * side;
            members.push(uniform(&format!("{name}.weight"), &[filters, seen, side, side], inputs, rng)?);
            if bias {
                members.push(uniform(&format!("{name}.bias"), &[filters], inputs, rng)?);
            }
            places.with_channels(filters)
        }
        &Layer::ConvTranspose2d { filters, window, bias } => {
            let out = spread_shape(image, window, filters)?;
            // PyTorch counts the inputs of the convolution it is the transpose of.
            let (side, inputs) = (window.side, filters * window.side * window.side);
            members.push(uniform(&format!("{name}.weight"), &[channels, filters, side, side], inputs, rng)?);
            if bias {
                members.push(uniform(&format!("{name}.bias"), &[filters], inputs, rng)?);
            }
            out
        }
        Layer::BatchNorm => {
            let shape = [channels];
            members.extend([
                Parameter::new(&format!("{name}.weight"), &shape, vec![1.0; channels])?,
                Parameter::new(&format!("{name}.bias"), &shape, vec![0.0; channels])?,
                Parameter::fixed(&format!("{name}.running_mean"), &shape, vec![0.0; channels])?,
                Parameter::fixed(&format!("{name}.running_var"), &shape, vec![1.0; channels])?,
            ]);
            image
        }
        Layer::Relu | Layer::Relu6 => image,
        Layer::MaxPool(window) | Layer::AveragePool(window) => window.over(image)?,
        Layer::GlobalAverage => ImageShape { channels, height: 1, width: 1 },
        Layer::Upsample(factor) => ImageShape { channels, height: height * factor, width: width * factor },
        &Layer::Shrink { channels, stride } => {
            let window = Window { side: 1, stride, padding: 0 };
            window.over(image)?.with_channels(channels)
        }
        &Layer::Linear(outputs) => {
            members.extend(linear_layer(name, image.len(), outputs, rng)?);
            ImageShape { channels: outputs, height: 1, width: 1 }
        }
        Layer::Residual { body, shortcut } => {
            if body.is_empty() {
                return Err(Error::parameter("body", "a residual layer without layers only doubles"));
            }
            let one = build(body, image, &format!("{name}.body."), rng, members)?;
            let other = build(shortcut, image, &format!("{name}.shortcut."), rng, members)?;
            if one != other {
                return Err(Error::shape(
                    "residual",
                    format!("{one:?} from both ways"),
                    format!("{other:?}"),
                ));
            }
            one
        }
        Layer::Branches(_) => return Err(Error::parameter("layer", "branches are built apart")),
    })
}
