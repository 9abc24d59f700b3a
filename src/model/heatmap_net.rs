//! Networks from images to heatmaps.

use serde::{Deserialize, Serialize};

use super::{ConvNet, Layer};
use crate::error::{Error, Result};
use crate::ops::{ImageShape, Window};

/// The sizes of a heatmap network: residual stages that halve the image, transposed convolutions that double it again.
///
/// # Example
/// ```
/// use reloss::model::HeatmapNet;
/// use reloss::ops::ImageShape;
/// // Images of 64 × 64 pixels, heatmaps of 16 × 16.
/// let image = ImageShape { channels: 1, height: 64, width: 64 };
/// let net = HeatmapNet::default().build(image, 17, 0)?;
/// assert_eq!(net.output(), ImageShape { channels: 17, height: 16, width: 16 });
/// # Ok::<(), reloss::Error>(())
/// ```
///
/// # Reference
/// Xiao, Wu, Wei, "Simple Baselines for Human Pose Estimation and Tracking", ECCV 2018.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeatmapNet {
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

impl Default for HeatmapNet {
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

impl HeatmapNet {
    /// The paper's: ResNet-50 and three transposed convolutions of 256 filters (256 × 192 pixels → 64 × 48).
    pub fn resnet_50() -> Self {
        Self {
            stem: 64,
            large: true,
            stages: vec![(64, 3), (128, 4), (256, 6), (512, 3)],
            bottleneck: true,
            upward: vec![256; 3],
        }
    }

    /// A freshly initialised network with a heatmap a joint.
    ///
    /// # Errors
    /// [`Error::Parameter`] without stages; as [`ConvNet::new`].
    pub fn build(&self, image: ImageShape, joints: usize, seed: u64) -> Result<ConvNet> {
        if self.stages.is_empty() {
            return Err(Error::parameter("stages", "a heatmap network needs one or more"));
        }
        let first = Window { stride: 2, ..Window::same(if self.large { 7 } else { 3 }) };
        let mut layers = vec![Layer::conv2d(self.stem, first), Layer::BatchNorm, Layer::Relu];
        if self.large {
            layers.push(Layer::MaxPool(Window { stride: 2, ..Window::same(3) }));
        }
        let mut inputs = self.stem;
        for (stage, &(filters, blocks)) in self.stages.iter().enumerate() {
            for block in 0..blocks {
                let stride = if stage > 0 && block == 0 { 2 } else { 1 };
                (inputs, layers) = self.block(layers, inputs, filters, stride);
            }
        }
        for &filters in &self.upward {
            let window = Window { side: 4, stride: 2, padding: 1 };
            layers.push(Layer::ConvTranspose2d { filters, window, bias: false });
            layers.extend([Layer::BatchNorm, Layer::Relu]);
        }
        layers.push(Layer::Conv2d { filters: joints, window: Window::same(1), groups: 1, bias: true });
        let net = ConvNet::new(image, layers, seed)?;
        let name = format!("heatmaps-{}", crate::model::Model::parameters(&net).count());
        Ok(net.named(&name))
    }

    /// Adds a residual block; the channels that come out, with the layers.
    fn block(
        &self,
        mut layers: Vec<Layer>,
        inputs: usize,
        filters: usize,
        stride: usize,
    ) -> (usize, Vec<Layer>) {
        if self.bottleneck {
            layers.extend(Layer::bottleneck(inputs, filters, stride));
            return (4 * filters, layers);
        }
        layers.extend(Layer::basic_block(inputs, filters, stride));
        (filters, layers)
    }
}
