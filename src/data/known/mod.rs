//! Well-known data sets: where they are, how their files are known to be right, how they are read.

mod addresses;
mod datasets;
mod texts;

use std::path::{Path, PathBuf};

use super::{Checksum, Download};
use crate::error::{Error, Result};
use addresses::{
    file_name, Official, A1A, CIFAR10, CIFAR100, CIFAR100_ARCHIVE, CIFAR10_ARCHIVE, CMRC, FASHION_MNIST,
    MAGIC, MNIST, SPAMBASE, SQUAD, TATOEBA, TATOEBA_ARCHIVE, WMT16, WMT16_EN_RO,
};
pub use datasets::CIFAR10_CONFUSIONS;

/// A data set at an official address.
///
/// # Example
/// ```no_run
/// use reloss::data::{Dataset, Known};
/// let [train, test] = Dataset::mnist(&Known::Mnist.fetch(None)?)?;
/// # Ok::<(), reloss::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Known {
    /// 4,601 e-mails, spam or not (UCI, CC BY 4.0, 0.7 MB).
    Spambase,
    /// 19,020 showers of particles in a telescope, gamma or hadron (UCI, CC BY 4.0, 1.5 MB).
    Magic,
    /// 1,605 and 30,956 people who earn more than 50,000 dollars a year or not (LIBSVM's form of UCI's Adult, CC BY 4.0, 2.4 MB); no checksum is published.
    A1a,
    /// Handwritten digits, 60,000 and 10,000 (Y. LeCun, C. Cortes, C. Burges; 12 MB).
    Mnist,
    /// Clothes, 60,000 and 10,000 (Zalando, MIT licence, 31 MB).
    FashionMnist,
    /// Photographs of ten classes, 50,000 and 10,000 (A. Krizhevsky, V. Nair, G. Hinton; 170 MB).
    Cifar10,
    /// Photographs of a hundred classes, 50,000 and 10,000 (the same; 169 MB).
    Cifar100,
    /// English and Romanian news, 1,999 and 1,999 pairs to choose and to test by (WMT 2016).
    Wmt16EnRo,
    /// Some 14,000 short English sentences with Romanian translations (Tatoeba, CC BY 2.0 FR); it grows, so that there is no checksum.
    TatoebaEnRo,
    /// Questions about passages of Wikipedia, 87,599 and 10,570, in English (SQuAD 1.1, CC BY-SA 4.0, 35 MB).
    Squad,
    /// Questions about passages of Wikipedia, 10,142, 3,219 and 1,002, in Chinese (CMRC 2018, CC BY-SA 4.0).
    Cmrc2018,
}

fn fetch_wmt16(folder: &Path) -> Result<()> {
    for ((url, sum), names) in WMT16.iter().zip(WMT16_EN_RO.chunks(2)) {
        let checksum = Checksum::Md5(sum.to_string());
        Download { urls: vec![url.to_string()], bytes: None, checksum }.fetch_packed(folder, names)?;
    }
    Ok(())
}

fn fetch_cmrc(folder: &Path) -> Result<()> {
    for (url, sum) in CMRC {
        let path = folder.join(file_name(url));
        if !path.exists() {
            let checksum = Checksum::Md5(sum.to_string());
            Download { urls: vec![url.to_string()], bytes: None, checksum }.fetch(&path)?;
        }
    }
    Ok(())
}

impl Known {
    /// The set's folder, with all its files: those that are not there are downloaded and checked.
    ///
    /// The folder is the one given, or the set's own in [`cache_folder`]: `spambase`, `magic`, `a1a`, `mnist`, `fashion-mnist`,
    /// `cifar-10-batches-bin`, `cifar-100-binary`, `wmt16-en-ro`, `tatoeba-en-ro`,
    /// `squad-1.1` or `cmrc-2018`. A file that is there, packed or not, is taken as it is. Where the sums come from is said
    /// in `src/data/known/addresses.rs`.
    ///
    /// # Errors
    /// As [`Download::fetch`] and [`Download::fetch_packed`]; [`Error::Parameter`] as [`cache_folder`].
    pub fn fetch(self, folder: Option<&Path>) -> Result<PathBuf> {
        let folder = match folder {
            Some(folder) => folder.to_path_buf(),
            None => cache_folder()?.join(self.folder()),
        };
        match self {
            Self::Spambase => fetch_files(&SPAMBASE, &folder)?,
            Self::Magic => fetch_files(&MAGIC, &folder)?,
            Self::A1a => fetch_files(&A1A, &folder)?,
            Self::Mnist => fetch_files(&MNIST, &folder)?,
            Self::FashionMnist => fetch_files(&FASHION_MNIST, &folder)?,
            Self::Cifar10 => CIFAR10_ARCHIVE.download().fetch_packed(&folder, &CIFAR10)?,
            Self::Cifar100 => CIFAR100_ARCHIVE.download().fetch_packed(&folder, &CIFAR100)?,
            Self::Wmt16EnRo => fetch_wmt16(&folder)?,
            Self::TatoebaEnRo => TATOEBA_ARCHIVE.download().fetch_packed(&folder, &[TATOEBA])?,
            Self::Squad => fetch_files(&SQUAD, &folder)?,
            Self::Cmrc2018 => fetch_cmrc(&folder)?,
        }
        Ok(folder)
    }

    fn folder(self) -> &'static str {
        match self {
            Self::Spambase => "spambase",
            Self::Magic => "magic",
            Self::A1a => "a1a",
            Self::Mnist => "mnist",
            Self::FashionMnist => "fashion-mnist",
            Self::Cifar10 => "cifar-10-batches-bin",
            Self::Cifar100 => "cifar-100-binary",
            Self::Wmt16EnRo => "wmt16-en-ro",
            Self::TatoebaEnRo => "tatoeba-en-ro",
            Self::Squad => "squad-1.1",
            Self::Cmrc2018 => "cmrc-2018",
        }
    }
}

fn fetch_files(files: &[Official], folder: &Path) -> Result<()> {
    for file in files {
        if !packed_or_not(folder, file.name().trim_end_matches(".gz")).exists() {
            file.download().fetch(&folder.join(file.name()))?;
        }
    }
    Ok(())
}

/// Where data sets are kept: the folder that the variable `RELOSS_DATA` names, or else `reloss` in the user's cache folder.
///
/// # Errors
/// [`Error::Parameter`] when there is neither that variable nor a home folder.
pub fn cache_folder() -> Result<PathBuf> {
    let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    if let Some(folder) = variable("RELOSS_DATA") {
        return Ok(folder);
    }
    let home = std::env::home_dir();
    let cache = if cfg!(windows) {
        variable("LOCALAPPDATA")
    } else if cfg!(target_os = "macos") {
        home.map(|home| home.join("Library/Caches"))
    } else {
        variable("XDG_CACHE_HOME")
            .filter(|folder| folder.is_absolute())
            .or(home.map(|home| home.join(".cache")))
    };
    let missing = || Error::parameter("RELOSS_DATA", "it is not set, and there is no home folder instead");
    cache.map(|cache| cache.join("reloss")).ok_or_else(missing)
}

/// `name.gz` where there is one, or `name`.
fn packed_or_not(folder: &Path, name: &str) -> PathBuf {
    let packed = folder.join(format!("{name}.gz"));
    match packed.exists() {
        true => packed,
        false => folder.join(name),
    }
}
