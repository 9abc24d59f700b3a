//! The notebooks' only dependency: `:dep kit = { path = "kit" }`, then `use kit::*;`.
//!
//! It shows the library as it is (`kit::Error` is `reloss::Error`) and the crates that its values come from.
pub use reloss::*;

pub use reloss;

pub use {dfdx, plotters, polars, rand, rand_distr};
