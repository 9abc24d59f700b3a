//! The task models.

mod cnn;
mod conv_net;
mod film;
mod heatmap_net;
mod layer;
mod mlp;
mod modules;
mod reader;
mod sentences;
mod transformer;
mod word_vectors;

pub use cnn::Cnn;
pub use conv_net::ConvNet;
pub use film::Film;
pub use heatmap_net::{HeatmapNet, HighResolution, SimpleBaseline};
pub use layer::{Layer, Way};
pub use mlp::Mlp;
pub use modules::{Conv2d, DepthwiseConv2d, MaxPool2d};
pub use reader::{Reader, ReaderConfig};
pub use transformer::{Beam, NatBase, NatDecode, NatOutput, Transformer, TransformerConfig};
pub use word_vectors::WordVectors;

use crate::error::Result;
use crate::ops::Parameters;
use crate::{Matrix, Tape};

/// What has parameters to learn.
pub trait Parametric {
    /// Its name in tables, with its widths.
    fn name(&self) -> String;

    /// What it has learned.
    fn parameters(&self) -> &Parameters;

    /// What it learns, for an optimiser or a file to change.
    fn parameters_mut(&mut self) -> &mut Parameters;
}

/// A model that maps a batch of inputs, a row each, to a batch of predictions.
pub trait Model: Parametric {
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
}
