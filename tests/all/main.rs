//! One binary for all integration tests.
mod correlation;
mod sort;
mod support;
