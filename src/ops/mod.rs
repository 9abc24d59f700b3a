//! TODO-doc.
pub(crate) mod fast_math;
