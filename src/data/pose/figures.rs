//! Generated figures: stick persons in front of clutter, with the joints known exactly.

use std::f64::consts::PI;

use rand::Rng;
use rand_chacha::rand_core::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;
use rayon::prelude::*;

use super::augment::cut_normal;
use super::canvas::{Canvas, Shape};
use super::{partners_by_name, Instance, Picture, PoseSet, Skeleton};
use crate::data::ImageShape;
use crate::error::{Error, Result};

const JOINTS: [&str; 14] = [
    "head",
    "neck",
    "left_shoulder",
    "right_shoulder",
    "left_elbow",
    "right_elbow",
    "left_wrist",
    "right_wrist",
    "left_hip",
    "right_hip",
    "left_knee",
    "right_knee",
    "left_ankle",
    "right_ankle",
];
/// Trunk, legs, arms: the order they are drawn in, one side's arms and legs after the other's.
const LIMBS: [[usize; 2]; 14] = [
    [0, 1],
    [8, 9],
    [1, 2],
    [1, 3],
    [2, 8],
    [3, 9],
    [8, 10],
    [10, 12],
    [9, 11],
    [11, 13],
    [2, 4],
    [4, 6],
    [3, 5],
    [5, 7],
];
/// Lengths in heights of the upright figure, after the proportions of an adult, and the least share of an arm's or a
/// leg's that is left when it points at or away from the camera.
const TRUNK: f64 = 0.3;
const HEAD: f64 = 0.13;
const SHOULDERS: f64 = 0.125;
const HIPS: f64 = 0.08;
const ARMS: [f64; 2] = [0.18, 0.17];
const LEGS: [f64; 2] = [0.24, 0.23];
const FORESHORTENED: f64 = 0.7;
/// The smallest side of a picture on which limbs are still told apart.
const SMALLEST: usize = 32;
const LARGEST: usize = 2048;
/// More pixels than a machine's memory has room for are a slip.
const MOST: usize = 1 << 30;

impl PoseSet {
    /// Generated grey pictures of `side` × `side` pixels, each with one figure of 14 joints in front of clutter.
    ///
    /// Pose, size, place, limbs' thickness and greys are random; limbs of the figure's left are lighter than
    /// those of its right (so no mirror image is one of these figures: [`PoseSet::mirrors`]), and half of the figures are seen from behind. In a third of the pictures a rectangle
    /// hides a part of the figure: joints under it stay annotated. The area is that of the box, which holds all that is
    /// drawn of the figure; the fall-offs are [`Skeleton::SIGMA`]. Pixels have 256 levels; the same seed gives the same
    /// pictures on any number of threads, and more pictures begin with the same ones.
    ///
    /// # Errors
    /// [`Error::Parameter`] for no pictures, a side outside 32 to 2048 or more than 2³⁰ pixels.
    ///
    /// # Example
    /// ```
    /// let figures = reloss::data::PoseSet::figures(3, 64, 0)?;
    /// let first = &figures.instances()[0];
    /// assert_eq!((figures.len(), figures.channels(), first.keypoints.len()), (3, 1, 14));
    /// assert!(first.keypoints.iter().flatten().all(|&at| at > 0.0 && at < 63.0));
    /// # Ok::<(), reloss::Error>(())
    /// ```
    pub fn figures(count: usize, side: usize, seed: u64) -> Result<Self> {
        let fits = (SMALLEST..=LARGEST).contains(&side) && count <= MOST / (side * side);
        if count == 0 || !fits {
            let sides = format!("a side from {SMALLEST} to {LARGEST}");
            let reason = format!("{count} of side {side}: one or more, {sides} and 2^30 pixels at most");
            return Err(Error::parameter("figures", reason));
        }
        let joints = JOINTS.map(String::from);
        let partners = partners_by_name(&joints);
        let sigmas = vec![Skeleton::SIGMA; JOINTS.len()];
        let skeleton = Skeleton::new(joints.to_vec(), LIMBS.to_vec(), partners, sigmas)?;
        let drawn: Vec<(Vec<f32>, Instance)> =
            (0..count).into_par_iter().map(|index| picture(index, side, seed)).collect();
        let shape = ImageShape { channels: 1, height: side, width: side };
        let (mut pictures, mut instances) = (Vec::with_capacity(count), Vec::with_capacity(count));
        for (pixels, instance) in drawn {
            pictures.push(Picture::new(pixels, shape)?);
            instances.push(instance);
        }
        // A mirror image would have the lighter limbs on the figure's right.
        Ok(Self::new("figures", skeleton, pictures, instances)?.without_mirrors())
    }
}

/// One picture and its figure, from a random stream of its own.
fn picture(index: usize, side: usize, seed: u64) -> (Vec<f32>, Instance) {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(index as u64);
    let mut canvas = background(&mut rng, side);
    let figure = Figure::draw_one(&mut rng, side as f64);
    figure.paint(&mut canvas, &mut rng);
    if rng.gen_bool(1.0 / 3.0) {
        hide_a_part(&mut canvas, &figure, &mut rng);
    }
    let noise = rng.gen_range(0.0..0.05);
    let mut levels = |grey: &f64| {
        let seen: f64 = grey + noise * rng.sample::<f64, _>(StandardNormal);
        // As a sensor of 8 bits: also keeps the last bits of sines out of the pictures.
        ((seen.clamp(0.0, 1.0) * 255.0).round() / 255.0) as f32
    };
    let pixels = canvas.pixels.iter().map(&mut levels).collect();
    let bbox = figure.bbox();
    let instance = Instance {
        id: index as u64 + 1,
        picture: index,
        visible: vec![true; JOINTS.len()],
        area: bbox[2] * bbox[3],
        bbox,
        keypoints: figure.joints.to_vec(),
    };
    (pixels, instance)
}

fn point(rng: &mut ChaCha8Rng, side: f64) -> [f64; 2] {
    [(); 2].map(|()| rng.gen_range(0.0..side))
}

/// A gradient with rectangles, ellipses and stripes on it.
fn background(rng: &mut ChaCha8Rng, side: usize) -> Canvas {
    let size = side as f64;
    let (from, to, angle) =
        (rng.gen_range(0.32..0.66), rng.gen_range(0.32..0.66), rng.gen_range(0.0..2.0 * PI));
    let (sin, cos) = f64::sin_cos(angle);
    let mut canvas = Canvas::new(side, |[x, y]| {
        from + (to - from) * (0.5 + (cos * (x / size - 0.5) + sin * (y / size - 0.5)) / 1.5)
    });
    for _ in 0..rng.gen_range(4..12) {
        let centre = point(rng, size);
        let half = [(); 2].map(|()| size * rng.gen_range(0.03..0.22));
        let angle = rng.gen_range(0.0..PI);
        let (grey, other) = (rng.gen_range(0.1..0.9), rng.gen_range(0.2..0.8));
        match rng.gen_range(0..3) {
            0 => canvas.fill(Shape::Rectangle { centre, half, angle }, grey),
            1 => canvas.fill(Shape::Ellipse { centre, half, angle }, grey),
            _ => {
                // Stripes about as wide as limbs, across the rectangle.
                let waves = 2.0 * PI / (size * rng.gen_range(0.06..0.15));
                let (sin, cos) = f64::sin_cos(angle);
                let stripes = move |[x, y]: [f64; 2]| {
                    let share = 0.5 + 0.5 * (2.0 * (waves * (cos * x + sin * y)).sin()).clamp(-1.0, 1.0);
                    grey + (other - grey) * share
                };
                canvas.paint(Shape::Rectangle { centre, half, angle }, stripes);
            }
        }
    }
    canvas
}

/// Draws a rectangle over a random place of a random limb.
fn hide_a_part(canvas: &mut Canvas, figure: &Figure, rng: &mut ChaCha8Rng) {
    let [from, to] = LIMBS[rng.gen_range(0..LIMBS.len())].map(|joint| figure.joints[joint]);
    let share = rng.gen::<f64>();
    let centre = [0, 1].map(|i| from[i] + share * (to[i] - from[i]));
    let half = [(); 2].map(|()| figure.height * rng.gen_range(0.05..0.13));
    let angle = rng.gen_range(0.0..PI);
    canvas.fill(Shape::Rectangle { centre, half, angle }, rng.gen_range(0.1..0.9));
}

/// A figure in pixels.
struct Figure {
    joints: [[f64; 2]; 14],
    /// Height it would have upright.
    height: f64,
    /// Half the thickness of the limbs.
    radius: f64,
    head: f64,
}

impl Figure {
    /// A random pose, as large as fits into a random part of the picture, at a random place.
    fn draw_one(rng: &mut ChaCha8Rng, side: f64) -> Self {
        let joints = pose(rng);
        // On small pictures limbs are thicker: about two pixels at least.
        let radius = rng.gen_range(0.018..0.034_f64).max(1.6 / side);
        let head = rng.gen_range(0.055..0.075);
        let unit = Self { joints, height: 1.0, radius, head };
        let [left, top, width, height] = unit.bbox();
        let scale = (side - 2.0) * rng.gen_range(0.6..0.98) / f64::max(width, height);
        let room = [width, height].map(|size| side - 2.0 - scale * size);
        let corner = room.map(|room| 0.5 + room.max(0.0) * rng.gen::<f64>());
        let place = |[x, y]: [f64; 2]| [corner[0] + scale * (x - left), corner[1] + scale * (y - top)];
        Self { joints: joints.map(place), height: scale, radius: scale * radius, head: scale * head }
    }

    /// The box around all that is drawn: left, top, width, height.
    fn bbox(&self) -> [f64; 4] {
        let reach = |joint: usize| if joint == 0 { self.head.max(self.radius) } else { self.radius };
        let [mut low, mut high] = [[f64::INFINITY; 2], [f64::NEG_INFINITY; 2]];
        for (joint, at) in self.joints.iter().enumerate() {
            for axis in 0..2 {
                low[axis] = low[axis].min(at[axis] - reach(joint));
                high[axis] = high[axis].max(at[axis] + reach(joint));
            }
        }
        [low[0], low[1], high[0] - low[0], high[1] - low[1]]
    }

    /// Draws trunk, then legs and arms, those of a random side last.
    fn paint(&self, canvas: &mut Canvas, rng: &mut ChaCha8Rng) {
        let mean = canvas.pixels.iter().sum::<f64>() / canvas.pixels.len() as f64;
        // Head and trunk stand out from most of the background too.
        let middle = if mean > 0.5 { 0.26..0.34 } else { 0.66..0.74 };
        let greys = [rng.gen_range(middle), rng.gen_range(0.8..1.0), rng.gen_range(0.0..0.2)];
        let mut order: Vec<[usize; 2]> = LIMBS.to_vec();
        if rng.gen() {
            order[6..].chunks_exact_mut(4).for_each(|pair| pair.rotate_left(2));
        }
        for limb in order {
            let [from, to] = limb.map(|joint| self.joints[joint]);
            canvas.fill(Shape::Capsule { from, to, radius: self.radius }, greys[side_of(limb)]);
        }
        let [from, to] = [self.joints[0]; 2];
        canvas.fill(Shape::Capsule { from, to, radius: self.head }, greys[0]);
    }
}

/// 1 for limbs of the left, 2 for those of the right, 0 for those between: even joints but the head are left.
fn side_of([from, to]: [usize; 2]) -> usize {
    match (from.max(to), from.abs_diff(to)) {
        (9, 1) | (1, _) => 0,
        (last, _) => 1 + last % 2,
    }
}

/// A point this far from another in a direction: an angle from straight down, towards the picture's right.
fn reach(from: [f64; 2], length: f64, angle: f64) -> [f64; 2] {
    [from[0] + length * angle.sin(), from[1] + length * angle.cos()]
}

/// Joints of a random pose, in heights of the upright figure, the middle of the hips at 0.
fn pose(rng: &mut ChaCha8Rng) -> [[f64; 2]; 14] {
    let tilt = 0.25 * cut_normal(rng);
    // Seen from the front, the figure's left is on the picture's right.
    let facing = if rng.gen() { 1.0 } else { -1.0 };
    // Turned about its own axis, the trunk gets narrower.
    let breadth = rng.gen_range(0.65..1.0) * facing;
    let neck = reach([0.0; 2], TRUNK, PI + tilt);
    let mut joints = [[0.0; 2]; 14];
    joints[1] = neck;
    joints[0] = reach(neck, HEAD, PI + tilt + 0.2 * cut_normal(rng));
    for (side, sign) in [(0, 1.0), (1, -1.0)] {
        let out = sign * facing;
        let across = PI / 2.0 + tilt;
        joints[2 + side] =
            reach(reach(neck, 0.03, tilt), sign * breadth * SHOULDERS, across + 0.1 * cut_normal(rng));
        joints[8 + side] = reach([0.0; 2], sign * breadth * HIPS, across);
        let arm = rng.gen_range(-0.4..2.7);
        chain(
            rng,
            &mut joints,
            [2, 4, 6].map(|joint| joint + side),
            ARMS,
            [tilt + out * arm, out],
            [-0.4, 2.3],
        );
        let leg = rng.gen_range(-0.25..1.1);
        chain(
            rng,
            &mut joints,
            [8, 10, 12].map(|joint| joint + side),
            LEGS,
            [tilt / 2.0 + out * leg, out],
            [-1.3, 0.3],
        );
    }
    joints
}

/// An arm or a leg: its first part at an angle, its second bent against it by an angle between two, outwards positive.
fn chain(
    rng: &mut ChaCha8Rng,
    joints: &mut [[f64; 2]; 14],
    [start, middle, end]: [usize; 3],
    lengths: [f64; 2],
    [angle, out]: [f64; 2],
    [least, most]: [f64; 2],
) {
    let lengths = lengths.map(|length| length * rng.gen_range(FORESHORTENED..1.0));
    joints[middle] = reach(joints[start], lengths[0], angle);
    joints[end] = reach(joints[middle], lengths[1], angle + out * rng.gen_range(least..most));
}
