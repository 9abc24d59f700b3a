//! Rows of numbers, the label last.

use std::path::Path;

use super::Dataset;
use crate::error::{Error, Result};

/// Parses the rows; `path` serves the messages.
pub(super) fn parse(name: &str, bytes: &[u8], path: &Path) -> Result<Dataset> {
    let mut reader = ::csv::ReaderBuilder::new().has_headers(false).trim(::csv::Trim::All).from_reader(bytes);
    let (mut features, mut labels, mut width) = (Vec::new(), Vec::new(), 0);
    for record in reader.records() {
        let record = record.map_err(|e| Error::data(path, e.position().map(|p| p.line() as usize), &e))?;
        let line = record.position().map(|p| p.line() as usize);
        let number = |field: &str| -> Result<f32> {
            let value: f32 =
                field.parse().map_err(|_| Error::data(path, line, format!("`{field}` is not a number")))?;
            if value.is_finite() {
                Ok(value)
            } else {
                Err(Error::data(path, line, format!("`{field}` is not finite")))
            }
        };
        let mut fields: Vec<&str> = record.iter().collect();
        let label = fields.pop().map(number).transpose()?.unwrap_or(-1.0);
        if label < 0.0 || label.fract() != 0.0 || label > 1e6 || fields.is_empty() {
            return Err(Error::data(
                path,
                line,
                "a row is one feature or more, then a label: a whole number from 0",
            ));
        }
        width = fields.len();
        for field in fields {
            features.push(number(field)?);
        }
        labels.push(label as usize);
    }
    let classes = labels.iter().max().map_or(0, |&l| l + 1);
    Dataset::new(name, features, width, labels, classes).map_err(|e| Error::data(path, None, e))
}
