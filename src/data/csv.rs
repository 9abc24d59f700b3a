//! Rows of numbers, the label last: whole numbers from 0, or names.

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
        let label = fields.pop().filter(|label| !label.is_empty() && !fields.is_empty());
        let expected = "a row is one feature or more, then a label";
        labels.push((label.ok_or_else(|| Error::data(path, line, expected))?.to_string(), line));
        width = fields.len();
        for field in fields {
            features.push(number(field)?);
        }
    }
    let (labels, classes) = classes(&labels, path)?;
    Dataset::new(name, features, width, labels, classes).map_err(|e| Error::data(path, None, e))
}

/// Whole numbers from 0 as they are; names, none of them a number, in alphabetical order.
fn classes(labels: &[(String, Option<usize>)], path: &Path) -> Result<(Vec<usize>, usize)> {
    let mut names: Vec<&str> = labels.iter().map(|label| label.0.as_str()).collect();
    if !names.is_empty() && names.iter().all(|name| name.parse::<f64>().is_err()) {
        names.sort_unstable();
        names.dedup();
        let place = |label: &str| names.partition_point(|&name| name < label);
        return Ok((labels.iter().map(|label| place(&label.0)).collect(), names.len()));
    }
    let whole = |(label, line): &(String, Option<usize>)| {
        let value = label.parse().ok().filter(|v: &f64| *v >= 0.0 && v.fract() == 0.0 && *v <= 1e6);
        let reason = || format!("label `{label}` is neither a whole number from 0 nor a name among names");
        value.map(|v| v as usize).ok_or_else(|| Error::data(path, *line, reason()))
    };
    let labels: Vec<usize> = labels.iter().map(whole).collect::<Result<_>>()?;
    let classes = labels.iter().max().map_or(0, |&l| l + 1);
    Ok((labels, classes))
}
