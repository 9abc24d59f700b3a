//! Known sets of features and images.

use std::path::{Path, PathBuf};

use super::addresses::{CIFAR10, CIFAR100};
use super::packed_or_not;
use crate::data::{libsvm, CifarLabels, Dataset};
use crate::error::{Error, Result};
use crate::files;

/// Where each class of CIFAR-10 goes in [`Dataset::with_asymmetric_noise`]: trucks to automobiles, birds to airplanes, deer to
/// horses, cats and dogs to each other.
///
/// # Reference
/// Patrini et al., CVPR 2017, section 5.
pub const CIFAR10_CONFUSIONS: [usize; 10] = [0, 1, 0, 5, 7, 3, 6, 7, 8, 1];

/// Features of a1a: categories of the Adult data set, one-hot. The training part alone lacks the last four.
const A1A_WIDTH: usize = 123;

impl Dataset {
    /// UCI's spambase, from a folder with `spambase.data`: 57 features, 1 is spam.
    ///
    /// The features are as measured: see [`Scaler`](crate::data::Scaler). [`Known::Spambase`](crate::data::Known::Spambase) fetches the file.
    ///
    /// # Errors
    /// As [`Dataset::from_csv`].
    ///
    /// # Reference
    /// Hopkins, Reeber, Forman, Suermondt, UCI 1999, doi:10.24432/C53G6X.
    pub fn spambase(folder: &Path) -> Result<Self> {
        Ok(Self::from_csv(&folder.join("spambase.data"))?.named("spambase"))
    }

    /// UCI's MAGIC gamma telescope, from a folder with `magic04.data`: 10 features, 0 is gamma (`g`), 1 is hadron (`h`).
    ///
    /// The features are as measured: see [`Scaler`](crate::data::Scaler). [`Known::Magic`](crate::data::Known::Magic) fetches the file.
    ///
    /// # Errors
    /// As [`Dataset::from_csv`].
    ///
    /// # Reference
    /// Bock, UCI 2004, doi:10.24432/C52C8B.
    pub fn magic(folder: &Path) -> Result<Self> {
        Ok(Self::from_csv(&folder.join("magic04.data"))?.named("MAGIC"))
    }

    /// The training and the test part of a1a, from a folder with `a1a` and `a1a.t`: 123 features, 1 earns more than 50,000 dollars.
    ///
    /// [`Known::A1a`](crate::data::Known::A1a) fetches the files.
    ///
    /// # Errors
    /// As [`Dataset::from_libsvm`]; [`Error::Data`] for more than 123 features.
    ///
    /// # Reference
    /// Platt, "Fast training of support vector machines using sequential minimal optimization", 1998; LIBSVM's page.
    pub fn a1a(folder: &Path) -> Result<[Self; 2]> {
        let part = |name: &str| -> Result<Self> {
            let path = folder.join(name);
            let data = libsvm::parse("a1a", &files::read(&path)?, &path, A1A_WIDTH)?;
            match data.width() {
                A1A_WIDTH => Ok(data),
                width => Err(Error::data(path, None, format!("{width} features, a1a has {A1A_WIDTH}"))),
            }
        };
        Ok([part("a1a")?, part("a1a.t")?])
    }

    /// The training and the test part of MNIST, from a folder with its four IDX files, packed or not.
    ///
    /// [`Known::Mnist`](crate::data::Known::Mnist) fetches them.
    ///
    /// # Errors
    /// As [`Dataset::from_idx`].
    pub fn mnist(folder: &Path) -> Result<[Self; 2]> {
        idx_parts(folder, "MNIST")
    }

    /// The training and the test part of Fashion-MNIST, from a folder with its four IDX files, packed or not.
    ///
    /// [`Known::FashionMnist`](crate::data::Known::FashionMnist) fetches them.
    ///
    /// # Errors
    /// As [`Dataset::from_idx`].
    ///
    /// # Reference
    /// Xiao, Rasul, Vollgraf, "Fashion-MNIST: a novel image dataset for benchmarking machine learning algorithms", 2017.
    pub fn fashion_mnist(folder: &Path) -> Result<[Self; 2]> {
        idx_parts(folder, "Fashion-MNIST")
    }

    /// The training and the test part of CIFAR-10, from a folder with `data_batch_1.bin` to `data_batch_5.bin`, those of them
    /// that there are, and `test_batch.bin`; named "CIFAR-10 (part)" unless there are all.
    ///
    /// [`Known::Cifar10`](crate::data::Known::Cifar10) fetches them. Images are of [`Dataset::CIFAR_IMAGE`].
    ///
    /// # Errors
    /// As [`Dataset::from_cifar`].
    pub fn cifar10(folder: &Path) -> Result<[Self; 2]> {
        let [first, rest @ .., test] = CIFAR10.map(|name| folder.join(name));
        let train: Vec<PathBuf> =
            std::iter::once(first).chain(rest.into_iter().filter(|path| path.exists())).collect();
        let name = if train.len() + 2 > CIFAR10.len() { "CIFAR-10" } else { "CIFAR-10 (part)" };
        let part = |paths: &[PathBuf]| Self::from_cifar(paths, CifarLabels::Ten).map(|data| data.named(name));
        Ok([part(&train)?, part(&[test])?])
    }

    /// The training and the test part of CIFAR-100 by fine labels, from a folder with `train.bin` and `test.bin`.
    ///
    /// [`Known::Cifar100`](crate::data::Known::Cifar100) fetches them; [`Dataset::from_cifar`] reads their coarse labels. Images are of
    /// [`Dataset::CIFAR_IMAGE`].
    ///
    /// # Errors
    /// As [`Dataset::from_cifar`].
    pub fn cifar100(folder: &Path) -> Result<[Self; 2]> {
        let part = |name| {
            Self::from_cifar(&[folder.join(name)], CifarLabels::Fine).map(|data| data.named("CIFAR-100"))
        };
        let [train, test] = CIFAR100;
        Ok([part(train)?, part(test)?])
    }
}

fn idx_parts(folder: &Path, name: &str) -> Result<[Dataset; 2]> {
    let part = |part: &str| -> Result<Dataset> {
        let images = packed_or_not(folder, &format!("{part}-images-idx3-ubyte"));
        let labels = packed_or_not(folder, &format!("{part}-labels-idx1-ubyte"));
        Ok(Dataset::from_idx(&images, &labels)?.named(name))
    };
    Ok([part("train")?, part("t10k")?])
}
