//! The integration tests: one binary, a module per part of the crate.

mod display;
mod support;
