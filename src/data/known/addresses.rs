//! Where files are, what they are called, and by which sums they are known.

use crate::data::{Checksum, Download};

/// The files of CIFAR-10, the test part last.
pub(super) const CIFAR10: [&str; 6] = [
    "data_batch_1.bin",
    "data_batch_2.bin",
    "data_batch_3.bin",
    "data_batch_4.bin",
    "data_batch_5.bin",
    "test_batch.bin",
];
/// The files of CIFAR-100.
pub(super) const CIFAR100: [&str; 2] = ["train.bin", "test.bin"];
/// The files of WMT16's English-Romanian sets: source and reference of the development set, of the test set.
pub(super) const WMT16_EN_RO: [&str; 4] = [
    "newsdev2016-enro-src.en.sgm",
    "newsdev2016-enro-ref.ro.sgm",
    "newstest2016-enro-src.en.sgm",
    "newstest2016-enro-ref.ro.sgm",
];
/// The file of Tatoeba's pairs.
pub(super) const TATOEBA: &str = "ron.txt";

/// What follows the last slash.
pub(super) fn file_name(url: &str) -> &str {
    url.rsplit('/').next().unwrap_or(url)
}

/// Address, length and SHA-256, where they are known.
pub(super) struct Official {
    pub url: &'static str,
    pub bytes: Option<u64>,
    pub sha256: Option<&'static str>,
}

impl Official {
    pub const fn new(url: &'static str, bytes: u64, sha256: &'static str) -> Self {
        Self { url, bytes: Some(bytes), sha256: Some(sha256) }
    }

    pub fn name(&self) -> &'static str {
        file_name(self.url)
    }

    pub fn download(&self) -> Download {
        let checksum = self.sha256.map_or(Checksum::Unpublished, |sum| Checksum::Sha256(sum.to_string()));
        Download { urls: vec![self.url.to_string()], bytes: self.bytes, checksum }
    }
}

// Sum: UCIData.jl (src/data/classification/spambase.jl) for this address, and others with it. Length: the file's listing in
// a course on it (702,942).
pub(super) const SPAMBASE: [Official; 1] = [Official::new(
    "https://archive.ics.uci.edu/ml/machine-learning-databases/spambase/spambase.data",
    702_942,
    "b1ef93de71f97714d3d7d4f58fc9f718da7bbc8ac8a150eff2778616a8097b12",
)];
// Sum: UCIData.jl (src/data/classification/magic-gamma-telescope.jl) for this address, and others with it.
pub(super) const MAGIC: [Official; 1] = [Official {
    url: "https://archive.ics.uci.edu/ml/machine-learning-databases/magic/magic04.data",
    bytes: None,
    sha256: Some("e9314b7ebd4b4b59a3b3d65f7316663963777b16a46786877651dbbaa640b36a"),
}];
// LIBSVM's page gives no sums, and no public code was found that has any.
pub(super) const A1A: [Official; 2] = [
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
pub(super) const MNIST: [Official; 4] = [
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
pub(super) const FASHION_MNIST: [Official; 4] = [
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
pub(super) const CIFAR10_ARCHIVE: Official = Official::new(
    "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
    170_052_171,
    "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
);
// Address, length and sum: TensorFlow Datasets, tensorflow_datasets/url_checksums/cifar100.txt.
pub(super) const CIFAR100_ARCHIVE: Official = Official::new(
    "https://www.cs.toronto.edu/~kriz/cifar-100-binary.tar.gz",
    168_513_733,
    "58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec",
);

// Addresses, sums and the names within: sacrebleu, sacrebleu/dataset/__init__.py.
pub(super) const WMT16: [(&str, &str); 2] = [
    ("https://data.statmt.org/wmt16/translation-task/dev.tgz", "4a3dc2760bb077f4308cce96b06e6af6"),
    ("https://data.statmt.org/wmt16/translation-task/test.tgz", "3d809cd0c2c86adb2c67034d15c4e446"),
];
pub(super) const TATOEBA_ARCHIVE: Official =
    Official { url: "http://www.manythings.org/anki/ron-eng.zip", bytes: None, sha256: None };

// Addresses and sums: ParlAI, parlai/tasks/squad/build.py; lengths: the sums' entries of Hugging Face's datasets.
pub(super) const SQUAD: [Official; 2] = [
    Official::new(
        "https://rajpurkar.github.io/SQuAD-explorer/dataset/train-v1.1.json",
        30_288_272,
        "3527663986b8295af4f7fcdff1ba1ff3f72d07d61a20f487cb238a6ef92fd955",
    ),
    Official::new(
        "https://rajpurkar.github.io/SQuAD-explorer/dataset/dev-v1.1.json",
        4_854_279,
        "95aa6a52d5d6a735563366753ca50492a658031da74f301ac5238b03966972c9",
    ),
];
// Addresses and sums (MD5): PaddleNLP, paddlenlp/datasets/cmrc2018.py.
pub(super) const CMRC: [(&str, &str); 3] = [
    ("https://bj.bcebos.com/paddlenlp/datasets/cmrc/cmrc2018_train.json", "7fb714b479c7f40fbb16acabd7af0ede"),
    ("https://bj.bcebos.com/paddlenlp/datasets/cmrc/cmrc2018_dev.json", "853b80709ff2d071f9fce196521b843c"),
    ("https://bj.bcebos.com/paddlenlp/datasets/cmrc/cmrc2018_trial.json", "070f8ade5b15cfdb095c1fcef9cf43c1"),
];
