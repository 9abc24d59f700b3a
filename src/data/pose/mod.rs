//! Pictures with annotated joints, read or generated, and the crops, views and targets made of them.

mod augment;
mod canvas;
mod coco;
mod figures;
mod picture;
mod skeleton;
mod targets;
mod view;

pub use augment::PoseAugment;
pub use coco::CocoPose;
pub use picture::Picture;
pub use skeleton::{partners_by_name, Skeleton};
pub use targets::heatmap_targets;
pub use view::{Crop, View};

use std::fmt;
use std::sync::Arc;

use rand::seq::SliceRandom;
use rand_chacha::rand_core::SeedableRng;
use rand_chacha::ChaCha8Rng;

use crate::error::{check_finite, Error, Result};

/// One annotated figure in a picture.
#[derive(Debug, Clone, PartialEq)]
pub struct Instance {
    /// Its number, unique in the set.
    pub id: u64,
    /// Its picture in the set, from 0.
    pub picture: usize,
    /// \[x, y\] of each joint in pixels, x to the right, y down, pixel centres at integers.
    pub keypoints: Vec<[f64; 2]>,
    /// Which joints are annotated, even if something hides them; the others' keypoints do not count.
    pub visible: Vec<bool>,
    /// Left, top, width, height in pixels; both sizes positive.
    pub bbox: [f64; 4],
    /// What it covers, in square pixels; positive.
    pub area: f64,
}

/// Annotations of a file that a set leaves out, by the reason.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LeftOut {
    /// Marked as crowds.
    pub crowds: usize,
    /// Without any annotated joint.
    pub unannotated: usize,
    /// With a box or an area that is empty.
    pub empty: usize,
}

/// Pictures, and the figures of one skeleton in them.
#[derive(Clone, PartialEq)]
pub struct PoseSet {
    name: String,
    skeleton: Skeleton,
    pictures: Vec<Arc<Picture>>,
    instances: Vec<Instance>,
    mirrors: bool,
    left_out: LeftOut,
}

impl fmt::Debug for PoseSet {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let (instances, pictures) = (self.len(), self.pictures.len());
        let shown = format!("{instances} instances in {pictures} pictures, {} joints", self.skeleton.len());
        f.debug_tuple("PoseSet").field(&self.name).field(&format_args!("{shown}")).finish()
    }
}

impl PoseSet {
    /// A set of figures; pictures are all grey or all in colour: where some are in colour, grey ones get three channels.
    ///
    /// # Errors
    /// [`Error::Shape`], within [`Error::At`] with the instance's id, for joints or flags of another number than the
    /// skeleton's or a picture that is not there, and for no instances; [`Error::NotFinite`] for keypoints or boxes with
    /// NaN or infinite numbers, and [`Error::Parameter`] for an empty box or area or an id that occurs twice.
    ///
    /// # Example
    /// ```
    /// use reloss::data::{ImageShape, Instance, Picture, PoseSet, Skeleton};
    /// let skeleton = Skeleton::new(vec!["nose".into()], vec![], vec![0], vec![0.05])?;
    /// let picture = Picture::new(vec![0.0; 12], ImageShape { channels: 1, height: 3, width: 4 })?;
    /// let instance = Instance {
    ///     id: 7, picture: 0, keypoints: vec![[1.0, 2.0]], visible: vec![true], bbox: [0.0, 1.0, 2.0, 2.0], area: 4.0,
    /// };
    /// let set = PoseSet::new("nose", skeleton, vec![picture], vec![instance])?;
    /// assert_eq!((set.len(), set.channels()), (1, 1));
    /// # Ok::<(), reloss::Error>(())
    /// ```
    pub fn new(
        name: &str,
        skeleton: Skeleton,
        pictures: Vec<Picture>,
        instances: Vec<Instance>,
    ) -> Result<Self> {
        if instances.is_empty() {
            return Err(Error::shape("pose set", "one instance or more", 0));
        }
        let mut seen = std::collections::HashSet::new();
        for instance in &instances {
            let checked = instance.check(&skeleton, pictures.len());
            let checked = checked.and_then(|()| match seen.insert(instance.id) {
                true => Ok(()),
                false => Err(Error::parameter("id", "it occurs twice")),
            });
            checked.map_err(|error| error.at(format!("{name}, instance {}", instance.id)))?;
        }
        let colour = pictures.iter().any(|picture| picture.shape().channels == 3);
        let one_kind = |picture: Picture| match colour && picture.shape().channels == 1 {
            true => Arc::new(picture.in_colour()),
            false => Arc::new(picture),
        };
        let pictures = pictures.into_iter().map(one_kind).collect();
        let mirrors = skeleton.partners().iter().enumerate().any(|(joint, &other)| joint != other);
        let left_out = LeftOut::default();
        Ok(Self { name: name.to_string(), skeleton, pictures, instances, mirrors, left_out })
    }

    /// The name in tables.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The joints.
    pub fn skeleton(&self) -> &Skeleton {
        &self.skeleton
    }

    /// The pictures, shared by the sets that are parts of this one.
    pub fn pictures(&self) -> &[Arc<Picture>] {
        &self.pictures
    }

    /// The figures.
    pub fn instances(&self) -> &[Instance] {
        &self.instances
    }

    /// Whether a mirror image, partners exchanged, is one that could be in this set: so unless its joints have no partners or
    /// its pictures tell left from right by something else than shape.
    pub fn mirrors(&self) -> bool {
        self.mirrors
    }

    /// The same set, to be trained on without mirror images.
    pub fn without_mirrors(self) -> Self {
        Self { mirrors: false, ..self }
    }

    /// What the file has and this set, or the one it is a part of, leaves out.
    pub fn left_out(&self) -> LeftOut {
        self.left_out
    }

    /// How many instances.
    pub fn len(&self) -> usize {
        self.instances.len()
    }

    /// Whether there are no instances: never, once made by [`PoseSet::new`].
    pub fn is_empty(&self) -> bool {
        self.instances.is_empty()
    }

    /// Channels of every picture and so of every crop: 1 or 3.
    pub fn channels(&self) -> usize {
        self.pictures.first().map_or(1, |picture| picture.shape().channels)
    }

    /// The same set with three channels.
    pub fn in_colour(&self) -> Self {
        let spread = |picture: &Arc<Picture>| match picture.shape().channels {
            1 => Arc::new(picture.in_colour()),
            _ => picture.clone(),
        };
        Self { pictures: self.pictures.iter().map(spread).collect(), ..self.clone() }
    }

    /// The instances with these indices, from 0, in their order, with the pictures they are in.
    ///
    /// # Errors
    /// [`Error::Shape`] for no indices, one out of range or one that occurs twice.
    ///
    /// # Example
    /// ```
    /// let figures = reloss::data::PoseSet::figures(5, 48, 0)?;
    /// let part = figures.take(&[4, 1])?;
    /// assert_eq!((part.len(), part.pictures().len(), part.instances()[0].id), (2, 2, figures.instances()[4].id));
    /// # Ok::<(), reloss::Error>(())
    /// ```
    pub fn take(&self, indices: &[usize]) -> Result<Self> {
        let mut taken = vec![false; self.len()];
        let (mut pictures, mut instances) = (Vec::new(), Vec::with_capacity(indices.len()));
        let mut places = vec![None; self.pictures.len()];
        for &index in indices {
            match taken.get_mut(index) {
                Some(taken) if !*taken => *taken = true,
                _ => {
                    let expected = format!("different indices below {}", self.len());
                    return Err(Error::shape("take", expected, index));
                }
            }
            let old = &self.instances[index];
            let picture = *places[old.picture].get_or_insert_with(|| {
                pictures.push(self.pictures[old.picture].clone());
                pictures.len() - 1
            });
            instances.push(Instance { picture, ..old.clone() });
        }
        match instances.is_empty() {
            true => Err(Error::shape("take", "one index or more", 0)),
            false => {
                let (name, skeleton) = (self.name.clone(), self.skeleton.clone());
                let Self { mirrors, left_out, .. } = *self;
                Ok(Self { name, skeleton, pictures, instances, mirrors, left_out })
            }
        }
    }

    /// Two parts, to learn from and to choose by; figures of one picture stay together.
    ///
    /// `validation` is the share of pictures in the second part. The order within a part is that of this set.
    ///
    /// # Errors
    /// [`Error::Parameter`] for a share outside (0, 1), [`Error::Undefined`] where it leaves a part without pictures.
    ///
    /// # Example
    /// ```
    /// let [train, validation] = reloss::data::PoseSet::figures(10, 48, 0)?.split(0.2, 1)?;
    /// assert_eq!((train.len(), validation.len()), (8, 2));
    /// # Ok::<(), reloss::Error>(())
    /// ```
    pub fn split(&self, validation: f64, seed: u64) -> Result<[Self; 2]> {
        if !(validation > 0.0 && validation < 1.0) {
            return Err(Error::parameter("validation", format!("{validation} is no share between 0 and 1")));
        }
        let mut used: Vec<usize> = self.instances.iter().map(|instance| instance.picture).collect();
        used.sort_unstable();
        used.dedup();
        let count = (validation * used.len() as f64).round() as usize;
        if count == 0 || count == used.len() {
            let reason = format!("{} pictures leave a part empty at a share of {validation}", used.len());
            return Err(Error::undefined(format!("a split of {}", self.name), reason));
        }
        used.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
        let mut held_out = vec![false; self.pictures.len()];
        used.iter().take(count).for_each(|&picture| held_out[picture] = true);
        let (second, first): (Vec<usize>, Vec<usize>) =
            (0..self.len()).partition(|&i| held_out[self.instances[i].picture]);
        Ok([self.take(&first)?, self.take(&second)?])
    }
}

impl Instance {
    fn check(&self, skeleton: &Skeleton, pictures: usize) -> Result<()> {
        const NAME: &str = "pose set";
        if self.keypoints.len() != skeleton.len() || self.visible.len() != skeleton.len() {
            let got = format!("{} and {}", self.keypoints.len(), self.visible.len());
            return Err(Error::shape(NAME, format!("{} keypoints and flags", skeleton.len()), got));
        }
        if self.picture >= pictures {
            return Err(Error::shape(NAME, format!("a picture below {pictures}"), self.picture));
        }
        check_finite(NAME, self.keypoints.as_flattened())?;
        check_finite(NAME, &[&self.bbox[..], &[self.area]].concat())?;
        match self.bbox[2] > 0.0 && self.bbox[3] > 0.0 && self.area > 0.0 {
            true => Ok(()),
            false => Err(Error::parameter("bbox", "box or area is empty")),
        }
    }
}
