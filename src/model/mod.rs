//! The task models.

mod cnn;
mod conv_net;
mod film;
mod heatmap_net;
mod layer;
mod mlp;
mod modules;
mod transformer;

pub use cnn::Cnn;
pub use conv_net::ConvNet;
pub use film::Film;
pub use heatmap_net::HeatmapNet;
pub use layer::Layer;
pub use mlp::Mlp;
pub use modules::{Conv2d, DepthwiseConv2d, MaxPool2d};
pub use transformer::{Beam, NatBase, NatDecode, NatOutput, Transformer, TransformerConfig, BEGIN, END};

use crate::error::Result;
use crate::ops::Parameters;
use crate::{Matrix, Tape};

/// A model with parameters that maps a batch of inputs to a batch of predictions.
pub trait Model {
    /// Its name in tables, with its widths.
    fn name(&self) -> String;

    /// Predictions (rows, outputs) for inputs (rows, width), recorded on the tape: a step of training.
    ///
    /// What a model keeps of the batches it has seen (running means) changes.
    ///
    /// # Errors
    /// [`Error::Shape`](crate::Error::Shape) when the input's width is not the model's.
    fn forward(&mut self, x: Matrix<Tape>) -> Result<Matrix<Tape>>;

    /// Predictions without gradients; nothing changes.
    ///
    /// # Errors
    /// As [`Model::forward`].
    fn predict(&self, x: Matrix) -> Result<Matrix>;

    /// What the model has learned.
    fn parameters(&self) -> &Parameters;

    /// What the model learns, for an optimiser or a file to change.
    fn parameters_mut(&mut self) -> &mut Parameters;
}
