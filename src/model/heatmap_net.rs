//! Networks from images to heatmaps.

use serde::{Deserialize, Serialize};

use super::{ConvNet, Layer, Parametric, Way};
use crate::error::{Error, Result};
use crate::ops::{ImageShape, Window};

/// The form and the sizes of a heatmap network.
///
/// # Example
/// ```
/// use reloss::model::HeatmapNet;
/// use reloss::ops::ImageShape;
/// // Images of 64 × 64 pixels, heatmaps of 16 × 16.
/// let image = ImageShape { channels: 1, height: 64, width: 64 };
/// for form in [HeatmapNet::default(), HeatmapNet::hrnet_small()] {
///     let net = form.build(image, 17, 0)?;
///     assert_eq!(net.output(), ImageShape { channels: 17, height: 16, width: 16 });
/// }
/// # Ok::<(), reloss::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum HeatmapNet {
    /// Down to small images and up again.
    Simple(SimpleBaseline),
    /// Large images kept beside small ones.
    HighResolution(HighResolution),
}

impl Default for HeatmapNet {
    fn default() -> Self {
        Self::Simple(SimpleBaseline::default())
    }
}

impl HeatmapNet {
    /// SimpleBaseline's with ResNet-50 and three transposed convolutions of 256 filters (256 × 192 pixels → 64 × 48).
    pub fn resnet_50() -> Self {
        Self::Simple(SimpleBaseline {
            stem: 64,
            large: true,
            stages: vec![(64, 3), (128, 4), (256, 6), (512, 3)],
            bottleneck: true,
            upward: vec![256; 3],
        })
    }

    /// HRNet-W32 (256 × 192 pixels → 64 × 48).
    pub fn hrnet_w32() -> Self {
        Self::HighResolution(HighResolution { width: 32, ..HighResolution::paper() })
    }

    /// HRNet-W48 (384 × 288 pixels → 96 × 72).
    pub fn hrnet_w48() -> Self {
        Self::HighResolution(HighResolution { width: 48, ..HighResolution::paper() })
    }

    /// The small form of HRNet.
    pub fn hrnet_small() -> Self {
        Self::HighResolution(HighResolution::default())
    }

    /// A freshly initialised network with a heatmap a joint.
    ///
    /// # Errors
    /// [`Error::Parameter`] without stages; as [`ConvNet::new`].
    pub fn build(&self, image: ImageShape, joints: usize, seed: u64) -> Result<ConvNet> {
        let mut layers = match self {
            Self::Simple(sizes) => sizes.layers()?,
            Self::HighResolution(sizes) => sizes.layers()?,
        };
        layers.push(Layer::Conv2d { filters: joints, window: Window::same(1), groups: 1, bias: true });
        let net = ConvNet::new(image, layers, seed)?;
        let name = format!("heatmaps-{}", net.parameters().count());
        Ok(net.named(&name))
    }
}

/// Residual stages that halve the image, transposed convolutions that double it again.
///
/// # Reference
/// Xiao, Wu, Wei, "Simple Baselines for Human Pose Estimation and Tracking", ECCV 2018.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SimpleBaseline {
    /// Filters of the first convolution, which halves the image.
    pub stem: usize,
    /// Whether the first convolution is 7 × 7 and pooling halves once more, as for large images; 3 × 3 and no pooling
    /// otherwise.
    pub large: bool,
    /// Filters and residual blocks of each stage; all but the first halve what comes in.
    pub stages: Vec<(usize, usize)>,
    /// Whether blocks are of three convolutions with four times the filters coming out, as in the ResNets from 50 layers on;
    /// of two otherwise.
    pub bottleneck: bool,
    /// Filters of the transposed convolutions, each of which doubles what comes in.
    pub upward: Vec<usize>,
}

impl Default for SimpleBaseline {
    /// Ours, for two cores: four times smaller heatmaps than images, 16 to 64 filters.
    fn default() -> Self {
        Self {
            stem: 16,
            large: false,
            stages: vec![(16, 1), (32, 1), (64, 1)],
            bottleneck: false,
            upward: vec![32],
        }
    }
}

impl SimpleBaseline {
    fn layers(&self) -> Result<Vec<Layer>> {
        if self.stages.is_empty() {
            return Err(Error::parameter("stages", "a heatmap network needs one or more"));
        }
        let first = Window { stride: 2, ..Window::same(if self.large { 7 } else { 3 }) };
        let mut layers = convolution(self.stem, first);
        if self.large {
            layers.push(Layer::MaxPool(Window { stride: 2, ..Window::same(3) }));
        }
        let mut inputs = self.stem;
        for (stage, &(filters, blocks)) in self.stages.iter().enumerate() {
            for block in 0..blocks {
                let stride = if stage > 0 && block == 0 { 2 } else { 1 };
                if self.bottleneck {
                    layers.extend(Layer::bottleneck(inputs, filters, stride));
                    inputs = 4 * filters;
                } else {
                    layers.extend(Layer::basic_block(inputs, filters, stride));
                    inputs = filters;
                }
            }
        }
        for &filters in &self.upward {
            let window = Window { side: 4, stride: 2, padding: 1 };
            layers.push(Layer::ConvTranspose2d { filters, window, bias: false });
            layers.extend([Layer::BatchNorm, Layer::Relu]);
        }
        Ok(layers)
    }
}

/// Branches of ever smaller images beside one that stays at a quarter of the input, exchanging what they see.
///
/// # Reference
/// Sun, Xiao, Liu, Wang, "Deep High-Resolution Representation Learning for Human Pose Estimation", CVPR 2019; no more than
/// the largest image goes into the heatmaps, as there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HighResolution {
    /// Filters of the two first convolutions, each of which halves the image.
    pub stem: usize,
    /// Bottleneck blocks before the branches, with as many filters as the stem and four times as many coming out.
    pub bottlenecks: usize,
    /// Filters of the largest image; each smaller one has twice as many.
    pub width: usize,
    /// Modules of each stage, after each of which all branches exchange; every stage begins with a branch more: two in the
    /// first.
    pub stages: Vec<usize>,
    /// Residual blocks of a branch in a module.
    pub blocks: usize,
}

impl Default for HighResolution {
    /// Ours, for two cores: two stages of one module with one block, 16 filters.
    fn default() -> Self {
        Self { stem: 16, bottlenecks: 1, width: 16, stages: vec![1, 1], blocks: 1 }
    }
}

impl HighResolution {
    /// The paper's, 32 filters wide.
    pub fn paper() -> Self {
        Self { stem: 64, bottlenecks: 4, width: 32, stages: vec![1, 4, 3], blocks: 4 }
    }

    fn layers(&self) -> Result<Vec<Layer>> {
        if self.stages.is_empty() || self.stages.contains(&0) {
            return Err(Error::parameter(
                "stages",
                "a heatmap network needs one or more, none without modules",
            ));
        }
        let halving = Window { stride: 2, ..Window::same(3) };
        let mut layers = convolution(self.stem, halving);
        layers.extend(convolution(self.stem, halving));
        let mut inputs = self.stem;
        for _ in 0..self.bottlenecks {
            layers.extend(Layer::bottleneck(inputs, self.stem, 1));
            inputs = 4 * self.stem;
        }
        let first = convolution(self.width, Window::same(3));
        let second = convolution(2 * self.width, halving);
        let both = [first, second].map(|layers| vec![Way { from: 0, layers }]);
        layers.push(Layer::Branches(both.into()));
        for (stage, &modules) in self.stages.iter().enumerate() {
            let branches = stage + 2;
            if stage > 0 {
                layers.push(self.one_more(branches));
            }
            for module in 0..modules {
                let last = stage + 1 == self.stages.len() && module + 1 == modules;
                layers.push(self.residuals(branches));
                layers.push(self.exchange(branches, if last { 1 } else { branches }));
                layers.push(Layer::Relu);
            }
        }
        Ok(layers)
    }

    /// Filters of a branch, from 0.
    fn filters(&self, branch: usize) -> usize {
        self.width << branch
    }

    /// All branches as they are, and one more from the smallest.
    fn one_more(&self, branches: usize) -> Layer {
        let same = (0..branches - 1).map(|from| Way { from, layers: vec![] });
        let halved = convolution(self.filters(branches - 1), Window { stride: 2, ..Window::same(3) });
        let new = Way { from: branches - 2, layers: halved };
        Layer::Branches(same.chain([new]).map(|way| vec![way]).collect())
    }

    /// Residual blocks on every branch.
    fn residuals(&self, branches: usize) -> Layer {
        let blocks = |from| {
            let block = |_| Layer::basic_block(self.filters(from), self.filters(from), 1);
            vec![Way { from, layers: (0..self.blocks).flat_map(block).collect() }]
        };
        Layer::Branches((0..branches).map(blocks).collect())
    }

    /// Every one of the first `kept` branches as the sum of all, brought to its size.
    fn exchange(&self, branches: usize, kept: usize) -> Layer {
        let sum = |to| (0..branches).map(|from| Way { from, layers: self.resized(from, to) }).collect();
        Layer::Branches((0..kept).map(sum).collect())
    }

    /// From one branch's size to another's.
    fn resized(&self, from: usize, to: usize) -> Vec<Layer> {
        if from > to {
            let convolved = Layer::conv2d(self.filters(to), Window::same(1));
            return vec![convolved, Layer::BatchNorm, Layer::Upsample(1 << (from - to))];
        }
        let halving = Window { stride: 2, ..Window::same(3) };
        let mut layers: Vec<Layer> =
            (from + 1..to).flat_map(|_| convolution(self.filters(from), halving)).collect();
        if from < to {
            layers.extend([Layer::conv2d(self.filters(to), halving), Layer::BatchNorm]);
        }
        layers
    }
}

/// Convolution, batch normalisation and ReLU.
fn convolution(filters: usize, window: Window) -> Vec<Layer> {
    vec![Layer::conv2d(filters, window), Layer::BatchNorm, Layer::Relu]
}
