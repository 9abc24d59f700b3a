//! What every loss network can do, whatever it is given of a prediction.

use dfdx::prelude::*;

use crate::error::Result;
use crate::ops::Parameters;
use crate::{Dev, Matrix, Vector};

/// A network whose output, one number a sample, is to order samples as a metric does.
///
/// It is all that [`objective`](super::objective) and [`learn_network`](super::learn_network) need: another kind of
/// predictions brings its own network and its own samples, nothing else.
pub trait LossNetwork: Sized {
    /// Samples as the network takes them, with the metric of each.
    type Batch;

    /// The losses of samples and the gradients' norms, both differentiable with respect to the parameters.
    ///
    /// # Errors
    /// [`Error::Device`](crate::Error::Device) when the device is out of memory.
    fn judge<T: Tape<f32, Dev>>(&self, batch: &Self::Batch, tape: T) -> Result<Judged<T>>;

    /// The metric of each sample.
    fn metric(batch: &Self::Batch) -> &[f64];

    /// What is learned.
    fn parameters(&self) -> &Parameters;

    /// What is learned, for an optimiser to change.
    fn parameters_mut(&mut self) -> &mut Parameters;

    /// The same network with values by name, in tensors of its own.
    ///
    /// # Errors
    /// [`Error::Shape`](crate::Error::Shape) when one is missing or of another shape.
    fn with_values(&self, values: &Parameters) -> Result<Self>;

    /// The same network ordering samples the other way round.
    ///
    /// # Errors
    /// [`Error::Device`](crate::Error::Device) when the device is out of memory.
    fn flipped(self) -> Result<Self>;

    /// Takes the parameters back to what the network allows, after an update; all are allowed unless it says otherwise.
    ///
    /// # Errors
    /// [`Error::Device`](crate::Error::Device) when the device is out of memory.
    fn constrain(&mut self) -> Result<()> {
        Ok(())
    }
}

/// What a loss network says of samples.
#[derive(Debug)]
pub struct Judged<T: Tape<f32, Dev>> {
    /// The loss of each sample.
    pub losses: Vector<T>,
    /// The norm of the gradient with respect to each row's prediction, up to sign, (samples, rows): what the loss of the
    /// sample, times its rows, changes with that row along its steepest unit step.
    pub slopes: Matrix<T>,
}
