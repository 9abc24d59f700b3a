//! What others do about metrics that cannot be differentiated: one paper a file, each a [`Loss`](crate::loss::Loss).

mod lsl;

pub use lsl::{AlternatingSurrogate, Lsl};
