//! How long does Kendall's τ-b take?
//!
//! `cargo bench --bench kendall`; `cargo bench --bench kendall -- --times` prints one line of JSON with the medians
//! in seconds, for `tests/peers/kendall.py`.

use std::hint::black_box;

use criterion::Criterion;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;
use reloss::correlation::kendall_tau_b;

#[path = "times.rs"]
mod times;

const LENGTHS: [usize; 3] = [1_000, 30_000, 1_000_000];

/// Two correlated lists; the second is rounded, so that it has ties.
fn lists(n: usize) -> (Vec<f64>, Vec<f64>) {
    let mut rng = ChaCha8Rng::seed_from_u64(0);
    let x: Vec<f64> = (0..n).map(|_| rng.sample(StandardNormal)).collect();
    let y = x.iter().map(|v| ((v + rng.sample::<f64, _>(StandardNormal)) * 1e3).round()).collect();
    (x, y)
}

fn main() {
    if std::env::args().any(|argument| argument == "--times") {
        let entries = LENGTHS.map(|n| {
            let (x, y) = lists(n);
            let seconds = times::median_seconds(|| drop(black_box(kendall_tau_b(&x, &y))));
            format!("\"{n}\": {seconds:e}")
        });
        println!("{{{}}}", entries.join(", "));
        return;
    }
    let mut criterion = Criterion::default().configure_from_args().sample_size(10);
    for n in LENGTHS {
        let (x, y) = lists(n);
        criterion.bench_function(&format!("kendall_tau_b/{n}"), |b| b.iter(|| kendall_tau_b(&x, &y)));
    }
    criterion.final_summary();
}
