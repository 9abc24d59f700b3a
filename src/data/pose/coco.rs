//! Pose sets from COCO keypoint files.

use std::collections::HashMap;
use std::path::Path;

use rayon::prelude::*;

use super::{partners_by_name, Instance, LeftOut, Picture, PoseSet, Skeleton};
use crate::data::coco::{pose_file, Annotation, Category, ImageEntry, COCO_SIGMAS};
use crate::error::{Error, Result};

/// What a COCO keypoint file does not say, or says of several categories.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CocoPose {
    /// The category's name; none for the file's only one.
    pub category: Option<String>,
    /// Fall-offs where the file has none, in square roots of the area; none for COCO's of a person with 17 joints and
    /// [`Skeleton::SIGMA`] for anything else.
    pub sigmas: Option<Vec<f64>>,
    /// Left/right partners, from 0; none for those that [`partners_by_name`] finds.
    pub partners: Option<Vec<usize>>,
}

impl PoseSet {
    /// The instances of one category of a COCO keypoint file and the images they are in.
    ///
    /// Limbs, from 1 in the file, count from 0 here. Fall-offs are the category's `sigmas` or `keypoints_sigmas`, where
    /// the file has them, or those of `options`. Joints of visibility 0 are not annotated; 1, hidden, counts as 2 does.
    /// Crowds, instances without an annotated joint and those whose box or area is empty are counted in
    /// [`PoseSet::left_out`]; images that no remaining annotation names are not decoded and need not be there. All
    /// pictures are kept in memory, 4 bytes a channel and pixel.
    ///
    /// # Errors
    /// [`Error::Io`] for a missing file; [`Error::Parameter`] for a category that is not there, or none where there are
    /// several, with those there are; [`Error::Data`] naming file and id for malformed JSON, ids that occur twice,
    /// annotations without an image, with a keypoint list of the wrong length, annotated keypoints that all have visibility
    /// 0 or lie more than a pixel outside the image, and for images that are corrupt or of another size than the file
    /// says. Errors of the category's joints are those of [`Skeleton::new`].
    ///
    /// # Example
    /// ```
    /// use reloss::data::{CocoPose, PoseSet};
    /// # let folder = tempfile::tempdir().map_err(|source| reloss::Error::Io { path: "".into(), source })?;
    /// let file = folder.path().join("keypoints.json");
    /// reloss::files::write_atomic(&file, br#"{
    ///     "images": [{"id": 3, "file_name": "3.png", "width": 8, "height": 8}],
    ///     "categories": [{"id": 1, "name": "fly", "keypoints": ["eyeL", "eyeR"], "skeleton": [[1, 2]]}],
    ///     "annotations": [{"id": 9, "image_id": 3, "category_id": 1, "area": 4, "bbox": [0, 0, 2, 2],
    ///                      "num_keypoints": 2, "keypoints": [0, 0, 2, 2, 2, 2]}]
    /// }"#)?;
    /// let missing = PoseSet::coco(&file, folder.path(), &CocoPose::default()).unwrap_err();
    /// assert!(missing.to_string().starts_with("image 3: ") && missing.to_string().contains("3.png"));
    /// # Ok::<(), reloss::Error>(())
    /// ```
    ///
    /// # Reference
    /// Lin et al., "Microsoft COCO: common objects in context", ECCV 2014, and the format's page.
    pub fn coco(annotations: &Path, images: &Path, options: &CocoPose) -> Result<Self> {
        let file = pose_file(annotations)?;
        let category = chosen(annotations, &file.categories, options.category.as_deref())?;
        let skeleton = skeleton(category, options)
            .map_err(|error| error.at(format!("{}, category {}", annotations.display(), category.name)))?;
        let entries: HashMap<u64, &ImageEntry> = file.images.iter().map(|entry| (entry.id, entry)).collect();

        let mut left_out = LeftOut::default();
        let (mut used, mut places, mut instances) = (Vec::new(), HashMap::new(), Vec::new());
        for annotation in file.annotations.iter().filter(|a| a.category_id == category.id) {
            let wrong = |reason: String| {
                Error::data(annotations, None, format!("annotation {}: {reason}", annotation.id))
            };
            if !counts(annotation, skeleton.len(), &mut left_out).map_err(wrong)? {
                continue;
            }
            let image = annotation.image_id;
            let entry = entries.get(&image).ok_or_else(|| wrong(format!("there is no image {image}")))?;
            let picture = *places.entry(image).or_insert_with(|| {
                used.push(*entry);
                used.len() - 1
            });
            instances.push(instance(annotation, picture));
        }
        if instances.is_empty() {
            let reason = format!("nothing of category {} is annotated: {left_out:?}", category.name);
            return Err(Error::data(annotations, None, reason));
        }
        let pictures = decoded(images, &used)?;
        for instance in &instances {
            instance.check_inside(&pictures[instance.picture], &skeleton).map_err(|reason| {
                Error::data(annotations, None, format!("annotation {}: {reason}", instance.id))
            })?;
        }
        Ok(Self { left_out, ..Self::new(&category.name, skeleton, pictures, instances)? })
    }
}

/// The category of this name, or the only one.
fn chosen<'a>(path: &Path, categories: &'a [Category], name: Option<&str>) -> Result<&'a Category> {
    let found = match (name, categories) {
        (None, [only]) => Some(only),
        (None, _) => None,
        (Some(name), _) => categories.iter().find(|category| category.name == name),
    };
    found.ok_or_else(|| {
        let names: Vec<&str> = categories.iter().map(|category| category.name.as_str()).collect();
        let asked = name.map_or("none is chosen".to_string(), |name| format!("`{name}` is not there"));
        Error::parameter("category", format!("{asked}: {} has [{}]", path.display(), names.join(", ")))
    })
}

fn skeleton(category: &Category, options: &CocoPose) -> Result<Skeleton> {
    let joints = category.keypoints.clone();
    let limb = |&[from, to]: &[usize; 2]| match (from.checked_sub(1), to.checked_sub(1)) {
        (Some(from), Some(to)) => Ok([from, to]),
        _ => Err(Error::parameter("limbs", format!("{from} to {to}: joints count from 1 in the file"))),
    };
    let limbs = category.skeleton.iter().map(limb).collect::<Result<_>>()?;
    let known = match category.name == "person" && joints.len() == COCO_SIGMAS.len() {
        true => COCO_SIGMAS.to_vec(),
        false => vec![Skeleton::SIGMA; joints.len()],
    };
    let sigmas = category.sigmas.clone().or_else(|| options.sigmas.clone()).unwrap_or(known);
    let partners = options.partners.clone().unwrap_or_else(|| partners_by_name(&joints));
    Skeleton::new(joints, limbs, partners, sigmas)
}

/// Whether an annotation counts, and if not the reason, or what is wrong with it.
fn counts(annotation: &Annotation, joints: usize, left_out: &mut LeftOut) -> Result<bool, String> {
    let Annotation { keypoints, bbox, area, num_keypoints, .. } = annotation;
    if annotation.iscrowd != 0 {
        left_out.crowds += 1;
        return Ok(false);
    }
    if keypoints.len() != 3 * joints {
        return Err(format!("{} numbers for {joints} keypoints, not {}", keypoints.len(), 3 * joints));
    }
    if keypoints.chunks_exact(3).all(|point| point[2] <= 0.0) {
        left_out.unannotated += 1;
        return match num_keypoints {
            0 => Ok(false),
            _ => {
                Err(format!("{num_keypoints} keypoints are said to be annotated, and all have visibility 0"))
            }
        };
    }
    let empty = !(bbox[2] > 0.0 && bbox[3] > 0.0 && *area > 0.0);
    left_out.empty += usize::from(empty);
    Ok(!empty)
}

fn instance(annotation: &Annotation, picture: usize) -> Instance {
    let points = annotation.keypoints.chunks_exact(3);
    Instance {
        id: annotation.id,
        picture,
        keypoints: points.clone().map(|point| [point[0], point[1]]).collect(),
        visible: points.map(|point| point[2] > 0.0).collect(),
        bbox: annotation.bbox,
        area: annotation.area,
    }
}

/// The images' pictures, in parallel; of several errors the first image's.
fn decoded(folder: &Path, entries: &[&ImageEntry]) -> Result<Vec<Picture>> {
    let read = |entry: &&ImageEntry| -> Result<Picture> {
        let path = folder.join(&entry.file_name);
        let picture = Picture::read(&path)?;
        let (height, width) = (picture.shape().height, picture.shape().width);
        let said = (entry.height.unwrap_or(height), entry.width.unwrap_or(width));
        match said == (height, width) {
            true => Ok(picture),
            false => {
                let reason = format!("{width} x {height} pixels, not {} x {} as annotated", said.1, said.0);
                Err(Error::data(path, None, reason))
            }
        }
    };
    let named = |entry: &&ImageEntry| read(entry).map_err(|e| e.at(format!("image {}", entry.id)));
    let all: Vec<Result<Picture>> = entries.par_iter().map(named).collect();
    all.into_iter().collect()
}

impl Instance {
    /// Refuses a joint that is annotated more than a pixel outside the picture.
    fn check_inside(&self, picture: &Picture, skeleton: &Skeleton) -> Result<(), String> {
        let (width, height) = (picture.shape().width as f64, picture.shape().height as f64);
        // The outermost pixels' centres are 0 and size − 1.
        let outside = |[x, y]: [f64; 2]| !((-1.0..=width).contains(&x) && (-1.0..=height).contains(&y));
        let seen = self.keypoints.iter().zip(&self.visible).zip(skeleton.joints());
        match seen.filter(|((_, &visible), _)| visible).find(|((&at, _), _)| outside(at)) {
            Some((([x, y], _), joint)) => {
                Err(format!("{joint} at ({x}, {y}) is outside the image of {width} x {height} pixels"))
            }
            None => Ok(()),
        }
    }
}
