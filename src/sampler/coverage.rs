//! What samples cover of a metric's range.

use super::Sample;
use crate::error::{Error, Result};

/// How well samples cover a metric's range.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Coverage {
    /// The smallest metric.
    pub lowest: f64,
    /// A quarter of the samples lie below.
    pub quarter: f64,
    /// Half of the samples lie below.
    pub median: f64,
    /// Three quarters of the samples lie below.
    pub three_quarters: f64,
    /// The largest metric.
    pub highest: f64,
}

impl Coverage {
    /// The quartiles of the samples' metrics.
    ///
    /// # Errors
    /// [`Error::Undefined`] without samples.
    pub fn of(samples: &[Sample]) -> Result<Self> {
        let mut values: Vec<f64> = samples.iter().map(|s| s.metric).collect();
        values.sort_by(f64::total_cmp);
        if values.is_empty() {
            return Err(Error::undefined("coverage", "there are no samples"));
        }
        let at = |share: f64| values[((values.len() - 1) as f64 * share).round() as usize];
        Ok(Self {
            lowest: at(0.0),
            quarter: at(0.25),
            median: at(0.5),
            three_quarters: at(0.75),
            highest: at(1.0),
        })
    }
}
