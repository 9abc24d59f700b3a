//! How long do soft ranks take, forward and backward, through the tape?
//!
//! `cargo bench --bench soft_rank`; `cargo bench --bench soft_rank -- --times` prints one line of JSON with the
//! medians in seconds, for `tests/peers/soft_rank.py`.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion};
use dfdx::prelude::*;
use reloss::correlation::soft_spearman;
use reloss::rank::soft_rank;
use reloss::sort::{Network, SoftSort, SortingNetwork};
use reloss::{Dev, Matrix};

#[path = "times.rs"]
mod times;
use times::median_seconds;

/// (rows, n), each with the default options (bitonic, ART, steepness 5).
const SHAPES: [(usize, usize); 7] = [(1, 16), (1, 64), (1, 256), (1, 1024), (1, 65_536), (64, 16), (64, 256)];

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

fn spearman_and_gradient(x: &Matrix, other: &[f64], soft: &SoftSort) -> reloss::Result<f32> {
    Ok(soft_spearman(x.leaky_trace(), other, soft)?.backward().get(x).as_vec()[0])
}

fn print_times() -> reloss::Result<()> {
    let mut entries = Vec::new();
    for (rows, n) in SHAPES {
        let (x, weights) = data(rows, n);
        let soft = SoftSort::default();
        ranks_and_gradient(&x, &weights, &soft)?;
        let seconds = median_seconds(|| drop(black_box(ranks_and_gradient(&x, &weights, &soft))));
        entries.push(format!("\"{rows}x{n}\": {seconds:e}"));
    }
    println!("{{{}}}", entries.join(", "));
    Ok(())
}

fn benchmarks(c: &mut Criterion) {
    let mut group = c.benchmark_group("soft_rank forward + backward");
    for (rows, n) in SHAPES {
        let (x, weights) = data(rows, n);
        group.bench_function(BenchmarkId::new("bitonic", format!("{rows}x{n}")), |b| {
            b.iter(|| ranks_and_gradient(&x, &weights, &SoftSort::default()))
        });
    }
    let (x, weights) = data(1, 256);
    let odd_even = SortingNetwork { network: Network::OddEven, ..SortingNetwork::default() }.into();
    group.bench_function("odd-even/1x256", |b| b.iter(|| ranks_and_gradient(&x, &weights, &odd_even)));
    group.finish();

    // Without the tape, in f64 with exact functions: what the fast ones save.
    let values: Vec<f64> = x.as_vec().into_iter().map(f64::from).collect();
    let cotangent: Vec<f64> = weights.as_vec().into_iter().map(f64::from).collect();
    let soft = SoftSort::default();
    c.bench_function("f64 slices/1x256", |b| b.iter(|| soft.ranks_gradient(&values, &cotangent)));
    c.bench_function("soft_spearman/1x256", |b| b.iter(|| spearman_and_gradient(&x, &cotangent, &soft)));
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
