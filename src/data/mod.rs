//! Data sets: rows of numbers with class labels, embedded or read from files; pictures with annotated joints; parallel
//! text; questions about passages; readers of the tasks' official formats.

mod archive;
mod cifar;
mod coco;
mod csv;
mod download;
mod generated;
mod idx;
mod image;
mod known;
mod libsvm;
mod numbers;
mod pose;
mod reading;
mod split;
mod text;
mod translation;

pub use cifar::CifarLabels;
pub use coco::{coco_annotations, coco_detections, Annotation, Detection, COCO_SIGMAS};
pub use download::{Checksum, Download};
pub use image::{Augment, ImageShape};
pub use known::{cache_folder, Known, CIFAR10_CONFUSIONS};
pub use numbers::Numbers;
pub use pose::{
    heatmap_targets, partners_by_name, CocoPose, Crop, Instance, LeftOut, Picture, PoseAugment, PoseSet,
    Skeleton, View,
};
pub use reading::{
    folded_token, predicted_answers, questions, reading_tokens, Answer, EncodedQuestion, EncodedReading,
    Question, ReadingReport, ReadingSet, Window, WindowOptions, MATCHES,
};
pub(crate) use split::shuffled_batches;
pub use split::{Scaler, Split, Splits};
pub use text::lines;
use text::utf8;
pub use translation::{
    normalised, EncodeOptions, EncodedText, ParallelText, SentencePair, TextSplit, TokenRows,
    TranslationBatch, TsvColumns, Unfit, Units, Vocabulary,
};

use std::path::Path;

use crate::error::{check_finite, Error, Result};

/// Rows of features with class labels from 0.
#[derive(Debug, Clone, PartialEq)]
pub struct Dataset {
    name: String,
    features: Vec<f32>,
    labels: Vec<usize>,
    width: usize,
    classes: usize,
}

impl Dataset {
    /// A data set from row-major features.
    ///
    /// # Errors
    /// [`Error::Shape`] for no rows, features that do not fill whole rows, or a label that is not
    /// below `classes`; [`Error::NotFinite`] for NaN or infinite features.
    ///
    /// # Example
    /// ```
    /// let data = reloss::data::Dataset::new("pair", vec![0.0, 1.0, 2.0, 3.0], 2, vec![0, 1], 2)?;
    /// assert_eq!((data.rows(), data.row(1)), (2, &[2.0, 3.0][..]));
    /// # Ok::<(), reloss::Error>(())
    /// ```
    pub fn new(
        name: &str,
        features: Vec<f32>,
        width: usize,
        labels: Vec<usize>,
        classes: usize,
    ) -> Result<Self> {
        if labels.is_empty() || width == 0 || features.len() != labels.len() * width {
            let expected = format!("{} rows of {width}, one or more of each", labels.len());
            return Err(Error::shape("data set", expected, format!("{} numbers", features.len())));
        }
        if let Some(row) = labels.iter().position(|&label| label >= classes) {
            return Err(Error::shape(
                "data set",
                format!("labels below {classes}"),
                format!("{} at row {row}", labels[row]),
            ));
        }
        check_finite("data set", &features)?;
        Ok(Self { name: name.to_string(), features, labels, width, classes })
    }

    /// Optical recognition of handwritten digits: 1,797 images of 8 × 8, features in `[0, 1]`, 10 classes.
    ///
    /// # Errors
    /// [`Error::Data`] when the embedded file is damaged.
    ///
    /// # Reference
    /// Alpaydin, Kaynak, UCI 1998, test part; as in scikit-learn.
    pub fn digits() -> Result<Self> {
        let file = include_bytes!("../../data/digits.csv.gz");
        let mut data = csv::parse(
            "digits",
            &idx::unpack(file, Path::new("digits.csv.gz"))?,
            Path::new("digits.csv.gz"),
        )?;
        data.features.iter_mut().for_each(|v| *v /= 16.0);
        Ok(data)
    }

    /// Breast cancer Wisconsin (diagnostic): 569 rows of 30 features, 2 classes (1 is benign).
    ///
    /// The features are as measured: see [`Scaler`].
    ///
    /// # Errors
    /// [`Error::Data`] when the embedded file is damaged.
    ///
    /// # Reference
    /// Wolberg, Mangasarian, Street, Street, UCI 1995; as in scikit-learn.
    pub fn breast_cancer() -> Result<Self> {
        let file = include_str!("../../data/breast_cancer.csv");
        // The first line counts rows and columns and names the classes.
        let rows = file.split_once('\n').map_or("", |(_, rows)| rows);
        csv::parse("breast cancer", rows.as_bytes(), Path::new("breast_cancer.csv"))
    }

    /// Rows of numbers separated by commas, the class label last; no header.
    ///
    /// Labels are whole numbers from 0, or names, which are numbered in alphabetical order (`spambase.data`,
    /// `magic04.data`).
    ///
    /// # Errors
    /// [`Error::Io`] for a missing file, [`Error::Data`] with the line for a malformed one.
    pub fn from_csv(path: &Path) -> Result<Self> {
        csv::parse(&stem(path), &crate::files::read(path)?, path)
    }

    /// A file of either text form, by its first line: commas mean CSV, anything else LIBSVM's form.
    ///
    /// # Errors
    /// As [`Dataset::from_csv`].
    pub fn read(path: &Path) -> Result<Self> {
        let bytes = crate::files::read(path)?;
        let first = bytes.split(|&b| b == b'\n').next().unwrap_or_default();
        match first.contains(&b',') {
            true => csv::parse(&stem(path), &bytes, path),
            false => libsvm::parse(&stem(path), &bytes, path, 0),
        }
    }

    /// LIBSVM's form, `label index:value …` a line, indices from 1; classes are numbered by ascending label (`a1a`, `a9a`).
    ///
    /// # Errors
    /// As [`Dataset::from_csv`].
    pub fn from_libsvm(path: &Path) -> Result<Self> {
        libsvm::parse(&stem(path), &crate::files::read(path)?, path, 0)
    }

    /// Images and labels in IDX form (MNIST, Fashion-MNIST), packed by gzip or not; pixels in `[0, 1]`.
    ///
    /// # Errors
    /// [`Error::Io`] for a missing file, [`Error::Data`] for a wrong magic number, a truncated or
    /// corrupt file, or counts that differ.
    pub fn from_idx(images: &Path, labels: &Path) -> Result<Self> {
        let pixels = idx::read(images, 3)?;
        let classes = idx::read(labels, 1)?;
        if pixels.sizes[0] != classes.sizes[0] {
            let reason = format!("{} labels for {} images", classes.sizes[0], pixels.sizes[0]);
            return Err(Error::data(labels, None, reason));
        }
        let features = pixels.values.iter().map(|&v| f32::from(v) / 255.0).collect();
        let labels: Vec<usize> = classes.values.iter().map(|&v| usize::from(v)).collect();
        let count = labels.iter().max().map_or(0, |&l| l + 1);
        Self::new(&stem(images), features, pixels.sizes[1] * pixels.sizes[2], labels, count)
    }

    /// The same rows under another name.
    pub fn named(self, name: &str) -> Self {
        Self { name: name.to_string(), ..self }
    }

    /// The name in tables.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How many rows.
    pub fn rows(&self) -> usize {
        self.labels.len()
    }

    /// Features in a row.
    pub fn width(&self) -> usize {
        self.width
    }

    /// How many classes; labels are below.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// All features, row-major.
    pub fn features(&self) -> &[f32] {
        &self.features
    }

    /// All labels.
    pub fn labels(&self) -> &[usize] {
        &self.labels
    }

    /// The features of row `i`, from 0.
    ///
    /// # Panics
    /// As indexing a slice, when `i` is not below [`Dataset::rows`].
    pub fn row(&self, i: usize) -> &[f32] {
        &self.features[i * self.width..(i + 1) * self.width]
    }

    /// The rows with these indices, in their order.
    ///
    /// # Errors
    /// [`Error::Shape`] for no rows or an index out of range.
    pub fn take(&self, rows: &[usize]) -> Result<Self> {
        if let Some(&row) = rows.iter().find(|&&row| row >= self.rows()) {
            return Err(Error::shape("take", format!("rows below {}", self.rows()), row));
        }
        let features = rows.iter().flat_map(|&row| self.row(row)).copied().collect();
        let labels = rows.iter().map(|&row| self.labels[row]).collect();
        Self::new(&self.name, features, self.width, labels, self.classes)
    }
}

fn stem(path: &Path) -> String {
    path.file_stem().map_or_else(|| "data".to_string(), |s| s.to_string_lossy().into_owned())
}
