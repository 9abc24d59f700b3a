//! All integration tests in one binary: one link, one run.

mod correlation;
mod data;
mod display;
mod experiment;
mod layering;
mod metric;
mod ops;
mod sort;
mod support;
mod surrogate;
