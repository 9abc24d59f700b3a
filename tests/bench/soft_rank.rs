//! How long do soft ranks take, forward and backward, through the tape?
//!
//! `cargo bench --bench soft_rank`; `cargo bench --bench soft_rank -- --times` prints one line of JSON with the
//! medians in seconds, by way and shape, for the scripts in `tests/peers`.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion};
use dfdx::prelude::*;
use reloss::correlation::{soft_kendall, soft_spearman};
use reloss::rank::soft_rank;
use reloss::sort::{Network, Pairwise, Permutahedron, Regularization, SoftSort, SortingNetwork, Unimodal};
use reloss::{Dev, Matrix};

#[path = "times.rs"]
mod times;
use times::median_seconds;

/// (rows, n).
type Shapes = &'static [(usize, usize)];

const NETWORK_SHAPES: Shapes = &[
    (1, 16),
    (1, 64),
    (1, 256),
    (1, 1024),
    (1, 4096),
    (1, 16_384),
    (1, 65_536),
    (64, 16),
    (64, 64),
    (64, 256),
];
const PROJECTION_SHAPES: Shapes = &[
    (1, 16),
    (1, 64),
    (1, 256),
    (1, 1024),
    (1, 4096),
    (1, 16_384),
    (1, 65_536),
    (1, 262_144),
    (1, 1_048_576),
    (64, 16),
    (64, 64),
    (64, 256),
    (64, 1024),
    (64, 4096),
    (64, 16_384),
];
const PAIR_SHAPES: Shapes =
    &[(1, 16), (1, 64), (1, 256), (1, 1024), (1, 4096), (64, 16), (64, 64), (64, 256)];
const MATRIX_SHAPES: Shapes = &[(1, 16), (1, 64), (1, 256), (1, 1024), (64, 16), (64, 64)];

/// Each with the default options, and the shapes it is timed at.
fn ways() -> Vec<(&'static str, SoftSort, Shapes)> {
    let entropic = Permutahedron { regularization: Regularization::Entropic, ..Permutahedron::default() };
    let odd_even = SortingNetwork { network: Network::OddEven, ..SortingNetwork::default() };
    vec![
        ("bitonic", SoftSort::default(), NETWORK_SHAPES),
        ("odd-even", odd_even.into(), &[(1, 16), (1, 64), (1, 256)]),
        ("permutahedron l2", Permutahedron::default().into(), PROJECTION_SHAPES),
        ("permutahedron kl", entropic.into(), PROJECTION_SHAPES),
        ("pairwise", Pairwise::default().into(), PAIR_SHAPES),
        ("NeuralSort", Unimodal::default().into(), MATRIX_SHAPES),
    ]
}

/// Normal values with a fixed seed, and a cotangent that is not constant.
fn data(rows: usize, n: usize) -> (Matrix, Matrix) {
    let device = Dev::seed_from_u64(0);
    let shape = (rows, n);
    (device.sample_like(&shape, rand_distr::StandardNormal), device.sample_like(&shape, rand_distr::Standard))
}

/// Ranks, a weighted sum of them, and its gradient.
fn ranks_and_gradient(x: &Matrix, weights: &Matrix, soft: &SoftSort) -> reloss::Result<f32> {
    let ranks = soft_rank(x.leaky_trace(), soft)?;
    let gradients = (ranks * weights.clone()).sum::<(), _>().backward();
    Ok(gradients.get(x).as_vec()[0])
}

fn print_times() -> reloss::Result<()> {
    let mut entries = Vec::new();
    for (name, soft, shapes) in ways() {
        for &(rows, n) in shapes {
            let (x, weights) = data(rows, n);
            ranks_and_gradient(&x, &weights, &soft)?;
            let seconds = median_seconds(|| drop(black_box(ranks_and_gradient(&x, &weights, &soft))));
            entries.push(format!("\"{name}/{rows}x{n}\": {seconds:e}"));
        }
    }
    println!("{{{}}}", entries.join(", "));
    Ok(())
}

fn benchmarks(c: &mut Criterion) {
    let mut group = c.benchmark_group("soft_rank forward + backward");
    for (name, soft, shapes) in ways() {
        for &(rows, n) in shapes.iter().filter(|(rows, n)| rows * n <= 65_536) {
            let (x, weights) = data(rows, n);
            group.bench_function(BenchmarkId::new(name, format!("{rows}x{n}")), |b| {
                b.iter(|| ranks_and_gradient(&x, &weights, &soft))
            });
        }
    }
    group.finish();

    // Without the tape, in f64 with exact functions: what the fast ones save.
    let (x, weights) = data(1, 256);
    let values: Vec<f64> = x.as_vec().into_iter().map(f64::from).collect();
    let cotangent: Vec<f64> = weights.as_vec().into_iter().map(f64::from).collect();
    let soft = SoftSort::default();
    c.bench_function("f64 slices/1x256", |b| b.iter(|| soft.ranks_gradient(&values, &cotangent)));
    c.bench_function("soft_spearman/1x256", |b| {
        b.iter(|| Ok::<_, reloss::Error>(soft_spearman(x.leaky_trace(), &cotangent, &soft)?.backward()))
    });
    c.bench_function("soft_kendall/1x256", |b| {
        b.iter(|| Ok::<_, reloss::Error>(soft_kendall(x.leaky_trace(), &cotangent, 0.1)?.backward()))
    });
}

fn main() -> reloss::Result<()> {
    if std::env::args().any(|argument| argument == "--times") {
        return print_times();
    }
    let mut criterion = Criterion::default().configure_from_args();
    benchmarks(&mut criterion);
    criterion.final_summary();
    Ok(())
}
