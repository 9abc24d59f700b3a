//! Well-known data sets: where they are, how their files are known to be right, how they are read.

use std::path::{Path, PathBuf};

use super::{libsvm, Checksum, CifarLabels, Dataset, Download, ParallelText, TsvColumns, Unfit};
use crate::error::{Error, Result};
use crate::files;

/// Where each class of CIFAR-10 goes in [`Dataset::with_asymmetric_noise`]: trucks to automobiles, birds to airplanes, deer to
/// horses, cats and dogs to each other.
///
/// # Reference
/// Patrini et al., CVPR 2017, section 5.
pub const CIFAR10_CONFUSIONS: [usize; 10] = [0, 1, 0, 5, 7, 3, 6, 7, 8, 1];

/// The files of CIFAR-10, the test part last.
const CIFAR10: [&str; 6] = [
    "data_batch_1.bin",
    "data_batch_2.bin",
    "data_batch_3.bin",
    "data_batch_4.bin",
    "data_batch_5.bin",
    "test_batch.bin",
];
/// The files of CIFAR-100.
const CIFAR100: [&str; 2] = ["train.bin", "test.bin"];
/// The files of WMT16's English-Romanian sets: source and reference of the development set, of the test set.
const WMT16_EN_RO: [&str; 4] = [
    "newsdev2016-enro-src.en.sgm",
    "newsdev2016-enro-ref.ro.sgm",
    "newstest2016-enro-src.en.sgm",
    "newstest2016-enro-ref.ro.sgm",
];
/// The file of Tatoeba's pairs.
const TATOEBA: &str = "ron.txt";
/// Features of a1a: categories of the Adult data set, one-hot. The training part alone lacks the last four.
const A1A_WIDTH: usize = 123;

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
}

/// Address, length and SHA-256, where they are known.
struct Official {
    url: &'static str,
    bytes: Option<u64>,
    sha256: Option<&'static str>,
}

impl Official {
    const fn new(url: &'static str, bytes: u64, sha256: &'static str) -> Self {
        Self { url, bytes: Some(bytes), sha256: Some(sha256) }
    }

    fn name(&self) -> &'static str {
        self.url.rsplit('/').next().unwrap_or(self.url)
    }

    fn download(&self) -> Download {
        let checksum = self.sha256.map_or(Checksum::Unpublished, |sum| Checksum::Sha256(sum.to_string()));
        Download { urls: vec![self.url.to_string()], bytes: self.bytes, checksum }
    }
}

// Sum: UCIData.jl (src/data/classification/spambase.jl) for this address, and others with it. Length: the file's listing in
// a course on it (702,942).
const SPAMBASE: [Official; 1] = [Official::new(
    "https://archive.ics.uci.edu/ml/machine-learning-databases/spambase/spambase.data",
    702_942,
    "b1ef93de71f97714d3d7d4f58fc9f718da7bbc8ac8a150eff2778616a8097b12",
)];
// Sum: UCIData.jl (src/data/classification/magic-gamma-telescope.jl) for this address, and others with it.
const MAGIC: [Official; 1] = [Official {
    url: "https://archive.ics.uci.edu/ml/machine-learning-databases/magic/magic04.data",
    bytes: None,
    sha256: Some("e9314b7ebd4b4b59a3b3d65f7316663963777b16a46786877651dbbaa640b36a"),
}];
// LIBSVM's page gives no sums, and no public code was found that has any.
const A1A: [Official; 2] = [
    Official {
        url: "https://www.csie.ntu.edu.tw/~cjlin/libsvmtools/datasets/binary/a1a",
        bytes: None,
        sha256: None,
    },
    Official {
        url: "https://www.csie.ntu.edu.tw/~cjlin/libsvmtools/datasets/binary/a1a.t",
        bytes: None,
        sha256: None,
    },
];
// Addresses, lengths and sums: TensorFlow Datasets, tensorflow_datasets/url_checksums/mnist.txt.
const MNIST: [Official; 4] = [
    Official::new(
        "https://storage.googleapis.com/cvdf-datasets/mnist/train-images-idx3-ubyte.gz",
        9_912_422,
        "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
    ),
    Official::new(
        "https://storage.googleapis.com/cvdf-datasets/mnist/train-labels-idx1-ubyte.gz",
        28_881,
        "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
    ),
    Official::new(
        "https://storage.googleapis.com/cvdf-datasets/mnist/t10k-images-idx3-ubyte.gz",
        1_648_877,
        "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
    ),
    Official::new(
        "https://storage.googleapis.com/cvdf-datasets/mnist/t10k-labels-idx1-ubyte.gz",
        4_542,
        "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
    ),
];
// Addresses, lengths and sums: TensorFlow Datasets, tensorflow_datasets/url_checksums/fashion_mnist.txt.
const FASHION_MNIST: [Official; 4] = [
    Official::new(
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/train-images-idx3-ubyte.gz",
        26_421_880,
        "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
    ),
    Official::new(
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/train-labels-idx1-ubyte.gz",
        29_515,
        "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
    ),
    Official::new(
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/t10k-images-idx3-ubyte.gz",
        4_422_102,
        "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
    ),
    Official::new(
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/t10k-labels-idx1-ubyte.gz",
        5_148,
        "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
    ),
];
// Address, length and sum: TensorFlow Datasets, tensorflow_datasets/url_checksums/cifar10.txt.
const CIFAR10_ARCHIVE: Official = Official::new(
    "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
    170_052_171,
    "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
);
// Address, length and sum: TensorFlow Datasets, tensorflow_datasets/url_checksums/cifar100.txt.
const CIFAR100_ARCHIVE: Official = Official::new(
    "https://www.cs.toronto.edu/~kriz/cifar-100-binary.tar.gz",
    168_513_733,
    "58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec",
);

// Addresses, sums and the names within: sacrebleu, sacrebleu/dataset/__init__.py.
const WMT16: [(&str, &str); 2] = [
    ("https://data.statmt.org/wmt16/translation-task/dev.tgz", "4a3dc2760bb077f4308cce96b06e6af6"),
    ("https://data.statmt.org/wmt16/translation-task/test.tgz", "3d809cd0c2c86adb2c67034d15c4e446"),
];
const TATOEBA_ARCHIVE: Official =
    Official { url: "http://www.manythings.org/anki/ron-eng.zip", bytes: None, sha256: None };

fn fetch_wmt16(folder: &Path) -> Result<()> {
    for ((url, sum), names) in WMT16.iter().zip(WMT16_EN_RO.chunks(2)) {
        let checksum = Checksum::Md5(sum.to_string());
        Download { urls: vec![url.to_string()], bytes: None, checksum }.fetch_packed(folder, names)?;
    }
    Ok(())
}

impl Known {
    /// The set's folder, with all its files: those that are not there are downloaded and checked.
    ///
    /// The folder is the one given, or the set's own in [`cache_folder`]: `spambase`, `magic`, `a1a`, `mnist`, `fashion-mnist`,
    /// `cifar-10-batches-bin`, `cifar-100-binary`, `wmt16-en-ro` or `tatoeba-en-ro`. A file that is there, packed or not, is taken as it is. Where
    /// the sums come from is said in `src/data/known.rs`.
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

impl Dataset {
    /// UCI's spambase, from a folder with `spambase.data`: 57 features, 1 is spam.
    ///
    /// The features are as measured: see [`Scaler`](super::Scaler). [`Known::Spambase`] fetches the file.
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
    /// The features are as measured: see [`Scaler`](super::Scaler). [`Known::Magic`] fetches the file.
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
    /// [`Known::A1a`] fetches the files.
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
    /// [`Known::Mnist`] fetches them.
    ///
    /// # Errors
    /// As [`Dataset::from_idx`].
    pub fn mnist(folder: &Path) -> Result<[Self; 2]> {
        idx_parts(folder, "MNIST")
    }

    /// The training and the test part of Fashion-MNIST, from a folder with its four IDX files, packed or not.
    ///
    /// [`Known::FashionMnist`] fetches them.
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
    /// [`Known::Cifar10`] fetches them. Images are of [`Dataset::CIFAR_IMAGE`].
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
    /// [`Known::Cifar100`] fetches them; [`Dataset::from_cifar`] reads their coarse labels. Images are of
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

impl ParallelText {
    /// WMT16's English-Romanian development and test set, from a folder with their four SGM files.
    ///
    /// [`Known::Wmt16EnRo`] fetches them; training text has to come from elsewhere.
    ///
    /// # Errors
    /// As [`ParallelText::from_sgm`].
    ///
    /// # Reference
    /// Bojar et al., "Findings of the 2016 conference on machine translation", 2016.
    pub fn wmt16_en_ro(folder: &Path) -> Result<[Self; 2]> {
        let [dev, dev_reference, test, test_reference] = WMT16_EN_RO.map(|name| folder.join(name));
        let read =
            |source: &Path, reference: &Path| Self::from_sgm(source, reference, ["en", "ro"], Unfit::Refuse);
        Ok([
            read(&dev, &dev_reference)?.named("newsdev2016"),
            read(&test, &test_reference)?.named("newstest2016"),
        ])
    }

    /// Tatoeba's English-Romanian pairs, from a folder with `ron.txt`, as manythings.org packs them.
    ///
    /// [`Known::TatoebaEnRo`] fetches the file. [`ParallelText::split`] makes its parts.
    ///
    /// # Errors
    /// As [`ParallelText::from_tsv`].
    pub fn tatoeba_en_ro(folder: &Path) -> Result<Self> {
        let path = folder.join(TATOEBA);
        Ok(Self::from_tsv(&path, ["en", "ro"], TsvColumns::default(), Unfit::Refuse)?.named("Tatoeba"))
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
