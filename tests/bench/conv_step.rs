//! One training step of convolutional networks: forward, cross-entropy, backward, Adam.
//!
//! `cargo bench --bench conv_step`; `cargo bench --bench conv_step -- --times` prints one line of JSON with the medians
//! in seconds, for `tests/peers/conv_step.py`.

use dfdx::prelude::*;
use reloss::loss::{CrossEntropy, Loss};
use reloss::model::{ConvNet, Model, Parametric};
use reloss::ops::{matrix, Adam, ImageShape};
use reloss::Matrix;

#[path = "steps.rs"]
mod steps;

fn step(net: &mut ConvNet, adam: &mut Adam, images: &Matrix, labels: &[usize]) {
    let logits = net.forward(images.leaky_trace()).unwrap();
    let loss = CrossEntropy::default().loss(logits, labels).unwrap();
    adam.update(net.parameters_mut(), &mut loss.try_backward().unwrap()).unwrap();
}

/// Calls `f` with the name and one step of every case.
fn each_case(f: &mut dyn FnMut(&str, steps::Step)) {
    let grey = ImageShape { channels: 1, height: 28, width: 28 };
    let coloured = ImageShape { channels: 3, height: 32, width: 32 };
    let mut cases = vec![
        ("small 64x1x28x28", 64, ConvNet::small(grey, [16, 32], 10, 0).unwrap()),
        ("resnet-20 64x3x32x32", 64, ConvNet::resnet(20, coloured, 10, 0).unwrap()),
        ("mobilenet-v2 16x3x32x32", 16, ConvNet::mobilenet_v2(coloured, 10, 0).unwrap()),
    ];
    // What takes seconds a step on a CPU.
    if cfg!(feature = "cuda") {
        cases.push(("resnet-56 128x3x32x32", 128, ConvNet::resnet(56, coloured, 10, 0).unwrap()));
    }
    for (name, rows, mut net) in cases {
        let len = net.image().len();
        let pixels = (0..rows * len).map(|k| (k * 7919 % 10007) as f32 / 10007.0).collect();
        let images = matrix(pixels, rows, len).unwrap();
        let labels: Vec<usize> = (0..rows).map(|row| row % 10).collect();
        let mut adam = Adam::new(1e-3, 0.0);
        f(name, &mut || step(&mut net, &mut adam, &images, &labels));
    }
}

fn main() {
    steps::measure("conv_step", each_case);
}
