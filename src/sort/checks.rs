//! What every way to soften sorting refuses.

use crate::error::{check_finite, Error, Result};

/// Beyond, sums of values over the smallest softness could overflow.
const LARGEST: f64 = 1e280;

/// A strength, temperature or standard deviation.
pub(super) fn check_softness(name: &'static str, value: f64) -> Result<()> {
    if (1e-12..=1e12).contains(&value) {
        return Ok(());
    }
    Err(Error::parameter(name, format!("{value} is not in [1e-12, 1e12]")))
}

/// A list to be sorted.
pub(super) fn check_values(op: &'static str, values: &[f64]) -> Result<()> {
    if values.is_empty() {
        return Err(Error::shape(op, "at least one value", 0));
    }
    check_finite(op, values)?;
    match values.iter().position(|v| v.abs() > LARGEST) {
        Some(index) => Err(Error::NotFinite { op, index }),
        None => Ok(()),
    }
}

/// The gradient from outside on `len` numbers.
pub(super) fn check_cotangent(op: &'static str, cotangent: &[f64], len: usize) -> Result<()> {
    if cotangent.len() != len {
        return Err(Error::shape(op, format!("a cotangent of {len} numbers"), cotangent.len()));
    }
    check_finite(op, cotangent)
}
