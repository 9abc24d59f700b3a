//! All integration tests in one binary: one link, one run.

mod display;
mod layering;
mod ops;
mod support;
mod surrogate;
