//! A small convolutional network.

use dfdx::prelude::*;
use rand_chacha::rand_core::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::{Model, Parametric};
use crate::error::{Error, Result};
use crate::ops::{conv_pool, linear, linear_layer, ImageShape, Parameters};
use crate::{Dev, Matrix, Tape};

/// Two blocks of convolution (5 × 5), ReLU and pooling (2 × 2), a hidden layer with ReLU, and a linear output.
///
/// # Example
/// ```
/// use reloss::{model::{Cnn, Model, Parametric}, ops::ImageShape};
/// let image = ImageShape { channels: 1, height: 28, width: 112 };
/// let model = Cnn::new(image, [32, 64], 64, 1, 0)?;
/// assert_eq!(model.parameters().count(), 32 * 26 + 64 * (32 * 25 + 1) + 64 * (64 * 7 * 28 + 1) + 65);
/// # Ok::<(), reloss::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Cnn {
    image: ImageShape,
    parameters: Parameters,
}

/// The side of the filters.
const SIDE: usize = 5;

impl Cnn {
    /// A freshly initialised model for images of this shape.
    ///
    /// # Errors
    /// [`Error::Parameter`] for a height or width that is not divisible by 4, or a size of zero.
    pub fn new(
        image: ImageShape,
        filters: [usize; 2],
        hidden: usize,
        outputs: usize,
        seed: u64,
    ) -> Result<Self> {
        let sizes = [image.channels, image.height, image.width, filters[0], filters[1], hidden, outputs];
        if sizes.contains(&0) || !image.height.is_multiple_of(4) || !image.width.is_multiple_of(4) {
            let reason =
                format!("{image:?}, {filters:?}, {hidden}, {outputs}: all positive, sides divisible by 4");
            return Err(Error::parameter("sizes", reason));
        }
        let flat = image.pooled(filters[0]).pooled(filters[1]).len();
        let area = SIDE * SIDE;
        let layers = [
            ("0", image.channels * area, filters[0]),
            ("1", filters[0] * area, filters[1]),
            ("2", flat, hidden),
            ("3", hidden, outputs),
        ];
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut members = Vec::new();
        for (name, inputs, outputs) in layers {
            members.extend(linear_layer(name, inputs, outputs, &mut rng)?);
        }
        Ok(Self { image, parameters: Parameters::new(members) })
    }

    fn run<T: dfdx::prelude::Tape<f32, Dev>>(&self, x: Matrix<T>) -> Result<Matrix<T>> {
        let members: Vec<_> = self.parameters.iter().collect();
        let (mut x, mut image) = (x, self.image);
        for pair in members[..4].chunks_exact(2) {
            x = conv_pool(x, image, pair[0], pair[1])?;
            image = image.pooled(pair[0].value().shape().0);
        }
        let hidden = linear(x, members[4], members[5])?.try_relu()?;
        linear(hidden, members[6], members[7])
    }
}

impl Parametric for Cnn {
    fn name(&self) -> String {
        // Weight and bias of every layer; the last one's outputs are the task's.
        let widths = self.parameters.iter().step_by(2).take(3).map(|weight| weight.shape()[0].to_string());
        format!("cnn-{}", widths.collect::<Vec<_>>().join("-"))
    }

    fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    fn parameters_mut(&mut self) -> &mut Parameters {
        &mut self.parameters
    }
}

impl Model for Cnn {
    fn forward(&mut self, x: Matrix<Tape>) -> Result<Matrix<Tape>> {
        self.run(x)
    }

    fn predict(&self, x: Matrix) -> Result<Matrix> {
        self.run(x)
    }
}
