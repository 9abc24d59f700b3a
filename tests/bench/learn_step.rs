//! One loss-learning step from raw logits: inputs, forward with tangents, soft Spearman, penalty,
//! backward, Adam. 256 samples of 128 rows, at 10 and at 1000 classes.

use criterion::{criterion_group, criterion_main, Criterion};
use dfdx::prelude::*;
use reloss::metric::{Direction, TopK};
use reloss::ops::Adam;
use reloss::sampler::{Sample, Sampler};
use reloss::sort::SoftSort;
use reloss::surrogate::{objective, Batch, Input, Network, Penalty, WithRespectTo};

fn step(network: &mut Network, adam: &mut Adam, samples: &[Sample]) {
    let batch = Batch::new(samples, &Input::released(), WithRespectTo::Logits).unwrap();
    let (penalty, sort) = (Penalty::released(), SoftSort::default());
    let direction = Direction::HigherIsBetter;
    let value = objective(network, &batch, direction, &penalty, &sort, reloss::Tape::default()).unwrap();
    adam.update(network.parameters_mut(), &mut value.total.try_backward().unwrap()).unwrap();
}

fn bench(c: &mut Criterion) {
    let mut group = c.benchmark_group("learn_step");
    group.sample_size(20);
    for classes in [10, 1000] {
        let samples =
            Sampler { rows: 128, ..Sampler::random(classes) }.draw(&TopK::ACCURACY, 256, 0).unwrap();
        let mut network = Network::new(1, 128, 0).unwrap();
        let mut adam = Adam::new(0.01, 1e-3);
        group.bench_function(format!("256x128x{classes}"), |b| {
            b.iter(|| step(&mut network, &mut adam, &samples))
        });
    }
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
