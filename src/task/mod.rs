//! Tasks: data + model + metric + any loss → outcome.

mod classification;

pub use classification::{Classification, Epoch, Outcome, Train};
