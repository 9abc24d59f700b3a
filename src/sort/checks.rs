//! What every way to soften sorting refuses.

use super::row::Output;
use crate::error::{check_finite, Error, Result};

/// A way to soften sorting, on one list: what it refuses stands here once, for all ways and outputs.
pub(super) trait OnList {
    /// Refuses options out of range.
    fn check_options(&self) -> Result<()>;

    /// Refuses an output this way does not give.
    fn check_output(&self, _: Output) -> Result<()> {
        Ok(())
    }

    /// Refuses values this way cannot take.
    fn check_values(&self, op: &'static str, values: &[f64]) -> Result<()> {
        check_values(op, values)
    }

    /// The output, of what passed the checks.
    fn output_of(&self, output: Output, values: &[f64]) -> Result<Vec<f64>>;

    /// The gradient with respect to the values, of that with respect to the output; of what passed the checks.
    fn gradient_of(&self, output: Output, values: &[f64], cotangent: &[f64]) -> Result<Vec<f64>>;

    /// Refuses what this way cannot take or give.
    fn check(&self, op: &'static str, output: Output, values: &[f64]) -> Result<()> {
        self.check_options()?;
        self.check_values(op, values)?;
        self.check_output(output)
    }

    /// The output.
    fn evaluate(&self, op: &'static str, output: Output, values: &[f64]) -> Result<Vec<f64>> {
        self.check(op, output, values)?;
        self.output_of(output, values)
    }

    /// The gradient with respect to the values, of that with respect to the output.
    fn gradient(
        &self,
        op: &'static str,
        output: Output,
        values: &[f64],
        cotangent: &[f64],
    ) -> Result<Vec<f64>> {
        self.check(op, output, values)?;
        check_cotangent(op, cotangent, output.len(values.len()))?;
        self.gradient_of(output, values, cotangent)
    }
}

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
