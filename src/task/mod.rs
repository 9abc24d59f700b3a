//! Tasks: data + model + metric + any loss → outcome.

mod classification;
mod sorting;

pub use classification::{Classification, Epoch, Outcome, Train};
pub use sorting::{Correct, SortNumbers, SortingOutcome, SortingStep, TrainSorting};
