//! All integration tests in one binary: one link, one run.

mod display;
mod ops;
mod support;
