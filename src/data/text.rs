//! Plain text, a segment a line.

use std::path::Path;

use crate::error::{Error, Result};
use crate::files;

/// The lines of a file in UTF-8, without their ends (`\n` or `\r\n`).
///
/// # Errors
/// [`Error::Io`] for a missing file, [`Error::Data`] with the line for bytes that are no UTF-8.
pub fn lines(path: &Path) -> Result<Vec<String>> {
    let bytes = files::read(path)?;
    utf8(&bytes, path).map(|text| text.lines().map(str::to_string).collect())
}

/// The text of a file.
pub(super) fn utf8<'a>(bytes: &'a [u8], path: &Path) -> Result<&'a str> {
    std::str::from_utf8(bytes).map_err(|error| {
        let line = bytes[..error.valid_up_to()].iter().filter(|&&b| b == b'\n').count() + 1;
        Error::data(path, Some(line), "not UTF-8")
    })
}
