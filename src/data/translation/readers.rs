//! Files of parallel text.

use std::path::Path;

use super::{ParallelText, Unfit};
use crate::data::{lines, stem};
use crate::error::{Error, Result};

/// Where the sides stand in a table, in columns from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TsvColumns {
    /// Default: 0.
    pub source: usize,
    /// Default: 1.
    pub target: usize,
}

impl Default for TsvColumns {
    fn default() -> Self {
        Self { source: 0, target: 1 }
    }
}

impl ParallelText {
    /// A table of columns separated by tabs, a pair a line; quotes are characters like others.
    ///
    /// # Errors
    /// [`Error::Io`] for a missing file; [`Error::Data`] with the line for bytes that are no UTF-8, a missing column, or,
    /// unless they are to be skipped, an empty side; [`Error::Shape`] for no pairs.
    ///
    /// # Example
    /// ```
    /// use reloss::data::{ParallelText, TsvColumns, Unfit};
    /// # let folder = tempfile::tempdir().map_err(|source| reloss::Error::Io { path: "".into(), source })?;
    /// let path = folder.path().join("pairs.tsv");
    /// reloss::files::write_atomic(&path, "7\tA book.\tO carte.\n8\tA house.\t \n".as_bytes())?;
    /// let columns = TsvColumns { source: 1, target: 2 };
    /// let text = ParallelText::from_tsv(&path, ["en", "ro"], columns, Unfit::Skip)?;
    /// assert_eq!((text.name(), text.len(), text.skipped()), ("pairs", 1, 1));
    /// let error = ParallelText::from_tsv(&path, ["en", "ro"], columns, Unfit::Refuse).unwrap_err();
    /// assert!(error.to_string().ends_with("pairs.tsv:2: the target side is empty"));
    /// # Ok::<(), reloss::Error>(())
    /// ```
    pub fn from_tsv(path: &Path, languages: [&str; 2], columns: TsvColumns, empty: Unfit) -> Result<Self> {
        let lines = text_lines(path)?;
        let wanted = columns.source.max(columns.target) + 1;
        let narrow = lines.iter().position(|line| line.split('\t').count() < wanted);
        if let Some(row) = narrow {
            let width = lines[row].split('\t').count();
            let reason = format!("{width} columns where {wanted} or more are needed");
            return Err(Error::data(path, Some(row + 1), reason));
        }
        let numbered = lines
            .iter()
            .enumerate()
            .map(|(i, line)| (field(line, columns.source), field(line, columns.target), i + 1));
        Self::gather(&stem(path), languages, path, numbered, empty)
    }

    /// Two files whose lines are each other's translations.
    ///
    /// # Errors
    /// As [`ParallelText::from_tsv`]; [`Error::Data`] naming the target file and both counts when they differ.
    pub fn from_files(source: &Path, target: &Path, languages: [&str; 2], empty: Unfit) -> Result<Self> {
        let (sources, targets) = (text_lines(source)?, text_lines(target)?);
        if sources.len() != targets.len() {
            let reason = format!("{} lines, {} has {}", targets.len(), source.display(), sources.len());
            return Err(Error::data(target, Some(sources.len().min(targets.len()) + 1), reason));
        }
        let numbered =
            sources.iter().zip(&targets).enumerate().map(|(i, (s, t))| (s.as_str(), t.as_str(), i + 1));
        Self::gather(&stem(source), languages, source, numbered, empty)
    }
}

/// Lines without the mark some programs put before the first.
fn text_lines(path: &Path) -> Result<Vec<String>> {
    let mut lines = lines(path)?;
    if let Some(first) = lines.first_mut() {
        if let Some(rest) = first.strip_prefix('\u{feff}') {
            *first = rest.to_string();
        }
    }
    Ok(lines)
}

fn field(line: &str, column: usize) -> &str {
    line.split('\t').nth(column).unwrap_or_default()
}
