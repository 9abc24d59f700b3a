//! Files written whole or not at all.

use std::io::Write;
use std::path::Path;

use serde::Deserialize;
use tempfile::NamedTempFile;

use crate::error::{Error, Result};

/// Writes `bytes` to `path` atomically: temporary file beside it, fsync, rename.
///
/// A reader sees the old content or the new one, never a part, whenever the process is killed.
///
/// # Errors
/// [`Error::Io`] when the folder is missing or not writable.
pub fn write_atomic(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut file = temporary(folder_of(path))?;
    file.write_all(bytes).map_err(Error::io(path))?;
    persist(file, path)
}

/// A file in this folder that has no lasting name yet, and is removed unless it gets one by [`persist`].
pub(crate) fn temporary(folder: &Path) -> Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    // Readable as any new file: temporary ones are private by default.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder.tempfile_in(folder).map_err(Error::io(folder))
}

/// Gives a whole file its name, in place of another that has it.
pub(crate) fn persist(file: NamedTempFile, path: &Path) -> Result<()> {
    file.as_file().sync_all().map_err(Error::io(path))?;
    file.persist(path).map_err(|e| Error::io(path)(e.error))?;
    sync_folder(folder_of(path))
}

/// Gives the file at `from`, which must be whole, the name `to` in the same folder.
pub(crate) fn rename(from: &Path, to: &Path) -> Result<()> {
    let whole = std::fs::File::open(from).and_then(|file| file.sync_all());
    whole.and_then(|()| std::fs::rename(from, to)).map_err(Error::io(to))?;
    sync_folder(folder_of(to))
}

/// A rename is durable only once the folder is on disk.
fn sync_folder(folder: &Path) -> Result<()> {
    std::fs::File::open(folder).and_then(|folder| folder.sync_all()).map_err(Error::io(folder))
}

/// The folder a file is in.
pub(crate) fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Reads a whole file.
///
/// # Errors
/// [`Error::Io`] naming the file.
pub fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).map_err(Error::io(path))
}

/// Creates a folder and its parents, if missing.
///
/// # Errors
/// [`Error::Io`] naming the folder.
pub fn create_folder(path: &Path) -> Result<()> {
    std::fs::create_dir_all(path).map_err(Error::io(path))
}

/// Removes the files with this ending in a folder and in those in it, and the folders that are empty then.
pub(crate) fn clear_folder(path: &Path, ending: &str) -> Result<()> {
    let entries = match std::fs::read_dir(path) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        entries => entries.map_err(Error::io(path))?,
    };
    for entry in entries {
        let inner = entry.map_err(Error::io(path))?.path();
        if inner.is_dir() {
            clear_folder(&inner, ending)?;
        } else if inner.extension().is_some_and(|found| found == ending) {
            std::fs::remove_file(&inner).map_err(Error::io(&inner))?;
        }
    }
    match std::fs::remove_dir(path) {
        Err(e) if e.kind() != std::io::ErrorKind::DirectoryNotEmpty => Err(Error::io(path)(e)),
        _ => Ok(()),
    }
}

/// Reads JSON, naming file, line and the path inside it of what is wrong.
pub(crate) fn json<T: for<'de> Deserialize<'de>>(path: &Path) -> Result<T> {
    parse_json(&read(path)?).map_err(|(reason, line)| Error::data(path, Some(line), reason))
}

/// The value of some JSON, or what is wrong with it and in which line.
pub(crate) fn parse_json<T: for<'de> Deserialize<'de>>(
    bytes: &[u8],
) -> std::result::Result<T, (String, usize)> {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let (place, line) = (error.path().to_string(), error.inner().line());
        match place.as_str() {
            // The whole of the file, or what no path leads to.
            "." | "?" => (error.inner().to_string(), line),
            _ => (format!("{place}: {}", error.inner()), line),
        }
    })?;
    reader.end().map_err(|error| (error.to_string(), error.line()))?;
    Ok(value)
}
