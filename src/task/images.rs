//! Classification of images by a convolutional network.

use super::training::Training;
use super::{LossOf, Outcome, Task, Train};
use crate::data::{Augment, ImageShape, Splits};
use crate::error::{Error, Result};
use crate::loss::{CrossEntropy, Loss};
use crate::metric::{Metric, Scores};
use crate::model::{ConvNet, Layer};
use crate::sampler::Store;

/// The network of an image task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Architecture {
    /// A perceptron with one hidden layer of this width.
    Mlp(usize),
    /// [`ConvNet::small`] with these filters.
    Small([usize; 2]),
    /// [`ConvNet::resnet`] of this depth.
    ResNet(usize),
    /// [`ConvNet::mobilenet_v2`].
    MobileNetV2,
}

impl Architecture {
    /// Its name in settings of a comparison: `mlp-128`, `conv-16-32`, `resnet-20`, `mobilenet-v2`.
    pub fn name(self) -> String {
        match self {
            Self::Mlp(hidden) => format!("mlp-{hidden}"),
            Self::Small([first, second]) => format!("conv-{first}-{second}"),
            Self::ResNet(depth) => format!("resnet-{depth}"),
            Self::MobileNetV2 => "mobilenet-v2".to_string(),
        }
    }

    /// A freshly initialised network.
    ///
    /// # Errors
    /// As [`ConvNet::new`].
    pub fn build(self, image: ImageShape, classes: usize, seed: u64) -> Result<ConvNet> {
        match self {
            Self::Mlp(hidden) => {
                let layers = vec![Layer::Linear(hidden), Layer::Relu, Layer::Linear(classes)];
                let name = format!("mlp-{}-{hidden}-{classes}", image.len());
                Ok(ConvNet::new(image, layers, seed)?.named(&name))
            }
            Self::Small(filters) => ConvNet::small(image, filters, classes, seed),
            Self::ResNet(depth) => ConvNet::resnet(depth, image, classes, seed),
            Self::MobileNetV2 => ConvNet::mobilenet_v2(image, classes, seed),
        }
    }
}

/// Images in three parts and the network trained on them.
///
/// # Example
/// ```
/// use reloss::data::{Dataset, ImageShape, Split};
/// use reloss::task::{Architecture, ImageClassification};
/// let splits = Dataset::digits()?.split(&Split::default())?;
/// let image = ImageShape { channels: 1, height: 8, width: 8 };
/// let task = ImageClassification::new(splits, image, Architecture::Small([8, 16]))?;
/// assert!(task.augment.is_none());
/// # Ok::<(), reloss::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct ImageClassification {
    /// Train, validation and test parts.
    pub splits: Splits,
    /// What a row of them is.
    pub image: ImageShape,
    /// The network.
    pub architecture: Architecture,
    /// How training images are varied.
    pub augment: Option<Augment>,
}

impl ImageClassification {
    /// A task on given parts, images as they are.
    ///
    /// # Errors
    /// [`Error::Shape`] for rows that are not such images.
    pub fn new(splits: Splits, image: ImageShape, architecture: Architecture) -> Result<Self> {
        match splits.train.width() == image.len() {
            true => Ok(Self { splits, image, architecture, augment: None }),
            false => {
                let expected = format!("rows of {} numbers ({image:?})", image.len());
                Err(Error::shape("image classification", expected, splits.train.width()))
            }
        }
    }

    fn model(&self, seed: u64) -> Result<ConvNet> {
        self.architecture.build(self.image, self.splits.train.classes(), seed)
    }

    fn training<'a>(
        &'a self,
        losses: [&'a dyn Loss; 2],
        metric: &'a dyn Metric,
        options: &'a Train,
    ) -> Training<'a> {
        let augment = self.augment.map(|augment| (augment, self.image));
        Training { splits: &self.splits, losses, metric, options, augment }
    }

    /// Trains with cross-entropy and stores the training part's logits after every epoch.
    ///
    /// # Errors
    /// As [`Task::train`].
    pub fn store_predictions(&self, metric: &dyn Metric, options: &Train) -> Result<Store> {
        let loss = CrossEntropy::default();
        self.training([&loss; 2], metric, options).stored(self.model(options.seed)?)
    }
}

impl Task for ImageClassification {
    type Model = ConvNet;
    type Prediction = Scores;
    type Target = [usize];
    type Truth = Vec<usize>;
    type Aim = [usize];

    fn original(&self) -> LossOf<Self> {
        Box::new(CrossEntropy::default())
    }

    fn train_after(
        &self,
        before: &dyn Loss,
        loss: &dyn Loss,
        metric: &dyn Metric,
        options: &Train,
    ) -> Result<Outcome<ConvNet>> {
        self.training([before, loss], metric, options).run(self.model(options.seed)?, |_, _| Ok(()))
    }

    fn untested(mut self) -> Result<Self> {
        self.splits.test = self.splits.test.take(&[0])?;
        Ok(self)
    }
}
