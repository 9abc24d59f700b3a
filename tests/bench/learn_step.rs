//! One loss-learning step from raw logits: inputs, forward with tangents, soft Spearman, penalty,
//! backward, Adam. 256 samples of 128 rows, at 10 and at 1000 classes.
//!
//! `cargo bench --bench learn_step`; `cargo bench --bench learn_step -- --times` prints one line of JSON with the
//! medians in seconds, for `tests/peers/learn_step.py`.

use criterion::Criterion;
use dfdx::prelude::*;
use reloss::metric::TopK;
use reloss::ops::Adam;
use reloss::sampler::{Sample, Sampler};
use reloss::surrogate::{objective, Batch, Fit, Input, Network, Penalty, WithRespectTo};

#[path = "times.rs"]
mod times;

fn step(network: &mut Network, adam: &mut Adam, samples: &[Sample]) {
    let batch = Batch::new(samples, &Input::released(), WithRespectTo::Logits).unwrap();
    let (penalty, fit) = (Penalty::released(), Fit::default());
    let value = objective(network, &batch, &TopK::ACCURACY, &penalty, &fit, reloss::Tape::default()).unwrap();
    adam.update(network.parameters_mut(), &mut value.total.try_backward().unwrap()).unwrap();
}

/// Calls `f` with the name and one step of every case.
fn each_case(mut f: impl FnMut(&str, &mut dyn FnMut())) {
    for classes in [10, 1000] {
        let samples =
            Sampler { rows: 128, ..Sampler::random(classes) }.draw(&TopK::ACCURACY, 256, 0).unwrap();
        let mut network = Network::new(1, 128, 0).unwrap();
        let mut adam = Adam::new(0.01, 1e-3);
        f(&format!("256x128x{classes}"), &mut || step(&mut network, &mut adam, &samples));
    }
}

fn main() {
    if std::env::args().any(|argument| argument == "--times") {
        let mut entries = Vec::new();
        each_case(|name, step| entries.push(format!("\"{name}\": {:e}", times::median_seconds(step))));
        println!("{{{}}}", entries.join(", "));
        return;
    }
    let mut criterion = Criterion::default().configure_from_args();
    let mut group = criterion.benchmark_group("learn_step");
    group.sample_size(20);
    each_case(|name, step| {
        group.bench_function(name, |b| b.iter(&mut *step));
    });
    group.finish();
    criterion.final_summary();
}
