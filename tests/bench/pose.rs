//! Poses: a training step of a heatmap network (forward, squared error, backward, Adam), and decoding with PCK.
//!
//! `cargo bench --bench pose`; `cargo bench --bench pose -- --times` prints one line of JSON with the medians in seconds, for
//! `tests/peers/pose.py`.

use dfdx::prelude::*;
use reloss::loss::{HeatmapMse, HeatmapTargets, Loss};
use reloss::metric::{Heatmaps, Keypoints, Metric, PckMetric};
use reloss::model::{ConvNet, HeatmapNet, Model, Parametric};
use reloss::ops::{matrix, Adam, ImageShape};
use reloss::Matrix;

#[path = "steps.rs"]
mod steps;

const INSTANCES: usize = 10_000;
const JOINTS: usize = 17;
const SIZE: [usize; 2] = [64, 48];

fn numbers(count: usize) -> Vec<f32> {
    (0..count).map(|k| (k * 7919 % 10007) as f32 / 10007.0).collect()
}

fn step(net: &mut ConvNet, adam: &mut Adam, images: &Matrix, targets: &HeatmapTargets) {
    let heatmaps = net.forward(images.leaky_trace()).unwrap();
    let loss = HeatmapMse.loss(heatmaps, targets).unwrap();
    adam.update(net.parameters_mut(), &mut loss.try_backward().unwrap()).unwrap();
}

/// A training step of 16 images.
fn training(form: HeatmapNet, image: ImageShape, joints: usize) -> impl FnMut() {
    let mut net = form.build(image, joints, 0).unwrap();
    let images = matrix(numbers(16 * image.len()), 16, image.len()).unwrap();
    let values = numbers(16 * net.output().len());
    let targets = HeatmapTargets::new(values, &vec![true; 16 * joints], joints).unwrap();
    let mut adam = Adam::new(1e-3, 0.0);
    move || step(&mut net, &mut adam, &images, &targets)
}

/// Calls `f` with the name and one step of every case.
fn each_case(f: &mut dyn FnMut(&str, steps::Step)) {
    let grey = ImageShape { channels: 1, height: 64, width: 64 };
    f("step 16x1x64x64", &mut training(HeatmapNet::default(), grey, 14));
    // The paper's, minutes a step on a CPU.
    if cfg!(feature = "cuda") {
        let photograph = ImageShape { channels: 3, height: 256, width: 192 };
        f("resnet-50 step 16x3x256x192", &mut training(HeatmapNet::resnet_50(), photograph, JOINTS));
    }

    let values = numbers(INSTANCES * JOINTS * SIZE[0] * SIZE[1]);
    let heatmaps = Heatmaps::new(values, SIZE[0], SIZE[1]).unwrap();
    let place = |i: usize, k: usize| [(i * 31 + k * 7) as f64 % 48.0, (i * 17 + k * 5) as f64 % 64.0];
    let points = (0..INSTANCES).map(|i| (0..JOINTS).map(|k| place(i, k)).collect()).collect();
    let visible = vec![vec![true; JOINTS]; INSTANCES];
    let target = Keypoints::new(points, visible, vec![[40.0, 50.0]; INSTANCES]).unwrap();
    f("decode and PCK 10000x17x64x48", &mut || {
        // As NumPy has it in the script.
        assert!((PckMetric::COARSE.value(&heatmaps, &target).unwrap() - 0.088418).abs() < 1e-6);
    });
}

fn main() {
    steps::measure("pose", each_case);
}
