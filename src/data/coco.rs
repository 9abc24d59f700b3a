//! COCO's keypoint files.

use std::collections::HashSet;
use std::path::Path;

use serde::Deserialize;

use super::reading::json;
use crate::error::{Error, Result};

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

#[derive(Deserialize)]
struct File {
    annotations: Vec<Annotation>,
}

/// The annotations of a COCO keypoint file.
///
/// # Errors
/// [`Error::Io`] for a missing file, [`Error::Data`] with line and reason for malformed JSON, missing fields or an id
/// that occurs twice.
pub fn coco_annotations(path: &Path) -> Result<Vec<Annotation>> {
    let file: File = json(path)?;
    let mut seen = HashSet::new();
    match file.annotations.iter().find(|annotation| !seen.insert(annotation.id)) {
        Some(twice) => Err(Error::data(path, None, format!("annotation {} occurs twice", twice.id))),
        None => Ok(file.annotations),
    }
}

/// The detections of a COCO result file.
///
/// # Errors
/// [`Error::Io`] for a missing file, [`Error::Data`] with line and reason for malformed JSON or missing fields.
pub fn coco_detections(path: &Path) -> Result<Vec<Detection>> {
    json(path)
}
