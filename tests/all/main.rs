//! All integration tests in one binary: one link, one run.

mod correlation;
mod display;
mod layering;
mod ops;
mod sort;
mod support;
mod surrogate;
