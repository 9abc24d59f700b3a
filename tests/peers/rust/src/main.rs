//! Soft ranks: this crate against the crates fynch and rankit, in one run; `tests/peers/soft_rank.py` runs it.
//!
//! The same formulas: a sigmoid of every pair, and quadratic projection onto the permutahedron. fynch has no
//! gradients, so forward is compared with forward; rankit gives a dense Jacobian, multiplied here with the cotangent.
//! The peers compute in f64 on lists; this crate on tensors in f32, but for projections, which are lists in f64 on both
//! sides. Medians.

use std::hint::black_box;
use std::time::Instant;

use dfdx::prelude::*;
use reloss::rank::soft_rank;
use reloss::sort::{Pairwise, Permutahedron, SoftSort};

const LENGTHS: [usize; 5] = [16, 64, 256, 1024, 4096];

fn median_seconds(mut f: impl FnMut()) -> f64 {
    f();
    let start = Instant::now();
    f();
    let once = start.elapsed().as_secs_f64().max(1e-7);
    let repeats = (0.002 / once).ceil() as usize;
    let batches = (1.0 / once).clamp(5.0, 51.0) as usize;
    let mut times: Vec<f64> = (0..batches)
        .map(|_| {
            let start = Instant::now();
            (0..repeats).for_each(|_| f());
            start.elapsed().as_secs_f64() / repeats as f64
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

/// Without structure, the same at every call.
fn values(n: usize) -> Vec<f64> {
    (0..n).map(|i| ((i as f64 * 12.9898).sin() * 43_758.545).fract() * 3.0).collect()
}

/// One line of JSON.
fn print(way: &str, peer: &str, what: &str, n: usize, ours: f64, theirs: f64) {
    println!(
        "{{\"way\": \"{way}\", \"peer\": \"{peer}\", \"what\": \"{what}\", \"n\": {n}, \"ours\": {ours:e}, \
         \"peer_seconds\": {theirs:e}}}"
    );
}

fn main() -> reloss::Result<()> {
    let device = reloss::Dev::default();
    let (pairwise, projection): (SoftSort, SoftSort) =
        (Pairwise::default().into(), Permutahedron::default().into());
    for n in LENGTHS {
        let x = values(n);
        let weights: Vec<f64> = values(2 * n).split_off(n);
        let narrow = |v: &[f64]| device.tensor_from_vec(v.iter().map(|&v| v as f32).collect(), (1, n));
        let (row, cotangent) = (narrow(&x), narrow(&weights));
        let forward = |soft: &SoftSort| median_seconds(|| drop(black_box(soft_rank(row.clone(), soft))));
        let both = |soft: &SoftSort| {
            median_seconds(|| {
                let ranks = soft_rank(row.leaky_trace(), soft).expect("finite values have ranks");
                drop(black_box((ranks * cotangent.clone()).sum::<(), _>().backward()));
            })
        };
        print(
            "pairwise",
            "fynch",
            "forward",
            n,
            forward(&pairwise),
            median_seconds(|| drop(black_box(fynch::soft_rank(&x, 1.0)))),
        );
        print(
            "permutahedron l2",
            "fynch",
            "forward",
            n,
            median_seconds(|| drop(black_box(projection.ranks(&x)))),
            median_seconds(|| drop(black_box(fynch::fast_soft_rank(&x, 1.0)))),
        );
        print(
            "pairwise",
            "rankit",
            "forward",
            n,
            forward(&pairwise),
            median_seconds(|| drop(black_box(rankit::soft_rank(&x, 1.0)))),
        );
        print(
            "pairwise",
            "rankit",
            "forward + backward",
            n,
            both(&pairwise),
            median_seconds(|| {
                let ranks = rankit::soft_rank(&x, 1.0);
                let jacobian = rankit::gradients::soft_rank_gradient(&x, &ranks, 1.0);
                let mut gradient = vec![0.0; n];
                for (row, w) in jacobian.iter().zip(&weights) {
                    gradient.iter_mut().zip(row).for_each(|(g, d)| *g += w * d);
                }
                black_box(gradient);
            }),
        );
    }
    Ok(())
}
