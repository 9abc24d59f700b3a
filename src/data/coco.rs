//! COCO's keypoint files.

use std::collections::HashSet;
use std::path::Path;

use serde::Deserialize;

use crate::error::{Error, Result};
use crate::files::json;

/// An annotated instance of a COCO keypoint file.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Annotation {
    /// Its number, unique in the file.
    pub id: u64,
    /// Its image.
    pub image_id: u64,
    /// Its category.
    #[serde(default)]
    pub category_id: u64,
    /// Pixels it covers.
    pub area: f64,
    /// Left, top, width, height.
    pub bbox: [f64; 4],
    /// 1 for a crowd, which does not count.
    #[serde(default)]
    pub iscrowd: u8,
    /// How many keypoints are annotated; without any it does not count.
    pub num_keypoints: usize,
    /// x, y and visibility (0: not annotated) of each keypoint in turn.
    pub keypoints: Vec<f64>,
}

/// A detected instance of a COCO result file.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Detection {
    /// Its image.
    pub image_id: u64,
    /// Its category.
    #[serde(default)]
    pub category_id: u64,
    /// How sure the detector is.
    pub score: f64,
    /// x, y and a number that does not count of each keypoint in turn.
    pub keypoints: Vec<f64>,
}

/// The spread of each of a person's 17 keypoints, in square roots of the area.
///
/// # Reference
/// Lin et al., "Microsoft COCO", keypoint evaluation; as in pycocotools.
pub const COCO_SIGMAS: [f64; 17] = [
    0.026, 0.025, 0.025, 0.035, 0.035, 0.079, 0.079, 0.072, 0.072, 0.062, 0.062, 0.107, 0.107, 0.087, 0.087,
    0.089, 0.089,
];

#[derive(Deserialize)]
struct File {
    annotations: Vec<Annotation>,
}

/// A COCO keypoint file with its images and categories.
#[derive(Deserialize)]
pub(super) struct PoseFile {
    pub images: Vec<ImageEntry>,
    pub annotations: Vec<Annotation>,
    pub categories: Vec<Category>,
}

/// An image of a COCO file; some files leave its size out.
#[derive(Deserialize)]
pub(super) struct ImageEntry {
    pub id: u64,
    pub file_name: String,
    pub width: Option<usize>,
    pub height: Option<usize>,
}

/// A category of a COCO keypoint file; limbs count joints from 1.
#[derive(Deserialize)]
pub(super) struct Category {
    pub id: u64,
    pub name: String,
    #[serde(default)]
    pub keypoints: Vec<String>,
    #[serde(default)]
    pub skeleton: Vec<[usize; 2]>,
    /// Not in COCO's own files.
    #[serde(alias = "keypoints_sigmas")]
    pub sigmas: Option<Vec<f64>>,
}

/// The annotations of a COCO keypoint file.
///
/// # Errors
/// [`Error::Io`] for a missing file, [`Error::Data`] with line and reason for malformed JSON, missing fields or an id
/// that occurs twice.
pub fn coco_annotations(path: &Path) -> Result<Vec<Annotation>> {
    let file: File = json(path)?;
    check_ids(path, "annotation", file.annotations.iter().map(|annotation| annotation.id))?;
    Ok(file.annotations)
}

/// The same with images and categories, each id once.
pub(super) fn pose_file(path: &Path) -> Result<PoseFile> {
    let file: PoseFile = json(path)?;
    check_ids(path, "annotation", file.annotations.iter().map(|annotation| annotation.id))?;
    check_ids(path, "image", file.images.iter().map(|image| image.id))?;
    check_ids(path, "category", file.categories.iter().map(|category| category.id))?;
    Ok(file)
}

fn check_ids(path: &Path, kind: &str, ids: impl Iterator<Item = u64>) -> Result<()> {
    let mut seen = HashSet::new();
    match ids.into_iter().find(|&id| !seen.insert(id)) {
        Some(twice) => Err(Error::data(path, None, format!("{kind} {twice} occurs twice"))),
        None => Ok(()),
    }
}

/// The detections of a COCO result file.
///
/// # Errors
/// [`Error::Io`] for a missing file, [`Error::Data`] with line and reason for malformed JSON or missing fields.
pub fn coco_detections(path: &Path) -> Result<Vec<Detection>> {
    json(path)
}
