//! Files packed together (tar with gzip, zip).

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;
use tempfile::NamedTempFile;
use zip::ZipArchive;

use super::Download;
use crate::error::{Error, Result};
use crate::files;

impl Download {
    /// Brings the files of these names, which a `.zip` or `.tar.gz` has in any of its folders, to `folder`.
    ///
    /// Nothing is fetched when all of them are there. Each gets its name only whole; the archive is removed.
    ///
    /// # Errors
    /// As [`Download::fetch`]; [`Error::Data`] for a damaged archive, or one that lacks a name.
    pub fn fetch_packed(&self, folder: &Path, names: &[&str]) -> Result<()> {
        if names.iter().all(|name| folder.join(name).exists()) {
            return Ok(());
        }
        let address = self.urls.first().map_or("", String::as_str);
        let archive = folder.join(address.rsplit('/').next().unwrap_or(address));
        self.fetch(&archive)?;
        let unpacked = unpack(&archive, folder, names);
        // A damaged archive would stand in the way of a whole one.
        if matches!(unpacked, Ok(()) | Err(Error::Data { .. })) {
            std::fs::remove_file(&archive).map_err(Error::io(&archive))?;
        }
        unpacked
    }
}

fn unpack(archive: &Path, folder: &Path, names: &[&str]) -> Result<()> {
    let mut wanted = Wanted { archive, folder, names, found: Vec::with_capacity(names.len()) };
    let file = File::open(archive).map_err(Error::io(archive))?;
    match archive.extension().is_some_and(|extension| extension == "zip") {
        true => wanted.unzip(file)?,
        false => wanted.untar(file)?,
    }
    wanted.persist()
}

/// The files looked for in an archive, and those found so far, by their place among the names.
struct Wanted<'a> {
    archive: &'a Path,
    folder: &'a Path,
    names: &'a [&'a str],
    found: Vec<(usize, NamedTempFile)>,
}

impl Wanted<'_> {
    fn untar(&mut self, file: File) -> Result<()> {
        let mut tar = tar::Archive::new(GzDecoder::new(file));
        for entry in tar.entries().map_err(|e| damaged(self.archive, e))? {
            let mut entry = entry.map_err(|e| damaged(self.archive, e))?;
            let inside = entry.path().map_err(|e| damaged(self.archive, e))?.into_owned();
            if entry.header().entry_type().is_file() {
                self.keep(&inside, &mut entry)?;
            }
        }
        Ok(())
    }

    fn unzip(&mut self, file: File) -> Result<()> {
        let mut zip = ZipArchive::new(file).map_err(|e| damaged(self.archive, e))?;
        for place in 0..zip.len() {
            let mut entry = zip.by_index(place).map_err(|e| damaged(self.archive, e))?;
            if entry.is_file() {
                let name = entry.name().map_err(|e| damaged(self.archive, e))?;
                let inside = PathBuf::from(name.into_owned());
                self.keep(&inside, &mut entry)?;
            }
        }
        Ok(())
    }

    /// Unpacks a file if its name is wanted: only the name within its folder counts, so that no archive can write elsewhere.
    fn keep(&mut self, inside: &Path, content: &mut impl Read) -> Result<()> {
        let own = |name: &&str| inside.file_name().is_some_and(|own| own == *name);
        if let Some(place) = self.names.iter().position(own) {
            let mut file = files::temporary(self.folder)?;
            std::io::copy(content, &mut file).map_err(|e| damaged(self.archive, e))?;
            self.found.push((place, file));
        }
        Ok(())
    }

    /// Gives all files their names, if each was found once.
    fn persist(mut self) -> Result<()> {
        self.found.sort_by_key(|&(place, _)| place);
        for (place, name) in self.names.iter().enumerate() {
            let times = self.found.iter().filter(|file| file.0 == place).count();
            if times != 1 {
                let reason = format!("it has `{name}` {times} times, not once");
                return Err(Error::data(self.archive, None, reason));
            }
        }
        self.found
            .into_iter()
            .try_for_each(|(place, file)| files::persist(file, &self.folder.join(self.names[place])))
    }
}

fn damaged(archive: &Path, error: impl std::fmt::Display) -> Error {
    Error::data(archive, None, format!("damaged archive: {error}"))
}
