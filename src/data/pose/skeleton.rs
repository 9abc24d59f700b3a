//! Joints of a figure, and how they hang together.

use std::collections::HashMap;

use crate::error::{Error, Result};

/// Joints with the limbs between them, their left/right partners and their fall-offs; index base 0.
#[derive(Debug, Clone, PartialEq)]
pub struct Skeleton {
    joints: Vec<String>,
    limbs: Vec<[usize; 2]>,
    partners: Vec<usize>,
    sigmas: Vec<f64>,
}

impl Skeleton {
    /// The fall-off of joints for which none is known: ours, a little stricter than the mean of COCO's 17, 0.067.
    pub const SIGMA: f64 = 0.05;

    /// A skeleton of these joints.
    ///
    /// `limbs` are pairs of joints from 0. `partners` has for each joint the one it becomes in a mirror, itself if it is
    /// neither left nor right (see [`partners_by_name`]). `sigmas` are the fall-offs of object keypoint similarity, in
    /// square roots of the instance's area.
    ///
    /// # Errors
    /// [`Error::Shape`] for no joints, or partners or sigmas of another number; [`Error::Parameter`] for a name that is
    /// empty or occurs twice, a limb from a joint to itself or to one that is not there, partners that are not each
    /// other's, and a sigma that is not positive and finite.
    ///
    /// # Example
    /// ```
    /// use reloss::data::{partners_by_name, Skeleton};
    /// let joints = ["nose", "left_eye", "right_eye"].map(String::from);
    /// let partners = partners_by_name(&joints);
    /// let skeleton = Skeleton::new(joints.to_vec(), vec![[0, 1], [0, 2]], partners, vec![0.05; 3])?;
    /// assert_eq!((skeleton.len(), skeleton.partners()), (3, &[0, 2, 1][..]));
    /// # Ok::<(), reloss::Error>(())
    /// ```
    ///
    /// # Reference
    /// Lin et al., "Microsoft COCO", keypoint evaluation, for the fall-offs.
    pub fn new(
        joints: Vec<String>,
        limbs: Vec<[usize; 2]>,
        partners: Vec<usize>,
        sigmas: Vec<f64>,
    ) -> Result<Self> {
        let count = joints.len();
        if count == 0 || partners.len() != count || sigmas.len() != count {
            let expected = format!("a partner and a sigma for each of {count} joints, one or more");
            let got = format!("{} and {}", partners.len(), sigmas.len());
            return Err(Error::shape("skeleton", expected, got));
        }
        check_names(&joints)?;
        if let Some([from, to]) = limbs.iter().find(|[a, b]| a == b || *a.max(b) >= count) {
            let reason = format!("{from} to {to} is no limb between two of {count} joints, counted from 0");
            return Err(Error::parameter("limbs", reason));
        }
        if let Some(joint) = (0..count).find(|&j| partners.get(partners[j]) != Some(&j)) {
            let reason = format!("{} and its partner {} are not each other's", joint, partners[joint]);
            return Err(Error::parameter("partners", reason));
        }
        if let Some(joint) = sigmas.iter().position(|s| !(*s > 0.0 && s.is_finite())) {
            let reason = format!("{} of joint {joint} is not positive and finite", sigmas[joint]);
            return Err(Error::parameter("sigmas", reason));
        }
        Ok(Self { joints, limbs, partners, sigmas })
    }

    /// Names of the joints.
    pub fn joints(&self) -> &[String] {
        &self.joints
    }

    /// Pairs of joints, from 0.
    pub fn limbs(&self) -> &[[usize; 2]] {
        &self.limbs
    }

    /// What each joint becomes in a mirror, from 0; itself if it is neither left nor right.
    pub fn partners(&self) -> &[usize] {
        &self.partners
    }

    /// Fall-offs of object keypoint similarity, in square roots of the area.
    pub fn sigmas(&self) -> &[f64] {
        &self.sigmas
    }

    /// How many joints.
    pub fn len(&self) -> usize {
        self.joints.len()
    }

    /// Whether there are no joints: never, once made by [`Skeleton::new`].
    pub fn is_empty(&self) -> bool {
        self.joints.is_empty()
    }
}

fn check_names(joints: &[String]) -> Result<()> {
    let mut seen = HashMap::new();
    for (joint, name) in joints.iter().enumerate() {
        if name.is_empty() {
            return Err(Error::parameter("joints", format!("joint {joint} has no name")));
        }
        if let Some(first) = seen.insert(name, joint) {
            let reason = format!("joints {first} and {joint} are both called `{name}`");
            return Err(Error::parameter("joints", reason));
        }
    }
    Ok(())
}

/// Left/right partners by the joints' names, from 0; a joint without exactly one partner is its own.
///
/// Two names are partners where exchanging `left` and `right` (also `Left`, `LEFT`), one capital `L` and `R` (`eyeL`,
/// `L_eye`), or one small `l` and `r` that stands by itself (`l_eye`, `eye.l`) makes one the other. Other differences do
/// not count: `paw1L` and `paw2R` are not found.
///
/// # Example
/// ```
/// use reloss::data::partners_by_name;
/// let names = ["nose", "right_ear", "eyeL", "eyeR", "left_ear", "lip", "rip"].map(String::from);
/// assert_eq!(partners_by_name(&names), [0, 4, 3, 2, 1, 5, 6]);
/// ```
pub fn partners_by_name(joints: &[String]) -> Vec<usize> {
    let only: Vec<Option<usize>> = joints
        .iter()
        .map(|name| {
            let mirrored = mirrored(name);
            let mut found = (0..joints.len()).filter(|&other| mirrored.contains(&joints[other]));
            found.next().filter(|_| found.next().is_none())
        })
        .collect();
    let partner = |joint: usize| only[joint].filter(|&other| only[other] == Some(joint)).unwrap_or(joint);
    (0..joints.len()).map(partner).collect()
}

/// What a name may become in a mirror.
fn mirrored(name: &str) -> Vec<String> {
    const SIDES: [(&str, &str); 5] =
        [("left", "right"), ("Left", "Right"), ("LEFT", "RIGHT"), ("L", "R"), ("l", "r")];
    let both = SIDES.iter().flat_map(|&(a, b)| [(a, b), (b, a)]);
    let exchanged = both.flat_map(|(from, to)| {
        // Small ones are in most words.
        let anywhere = !matches!(from, "l" | "r");
        let places = name.match_indices(from).filter(move |(at, _)| anywhere || stands_alone(name, *at));
        places.map(move |(at, _)| format!("{}{to}{}", &name[..at], &name[at + from.len()..]))
    });
    exchanged.collect()
}

/// Whether no letter stands on either side of the one at this byte.
fn stands_alone(name: &str, at: usize) -> bool {
    let letter = |c: char| c.is_alphabetic();
    !name[..at].ends_with(letter) && !name[at + 1..].starts_with(letter)
}
