//! What benches of single steps have in common.

use criterion::Criterion;
use dfdx::prelude::*;
use reloss::ops::{check_device, device};

#[path = "times.rs"]
mod times;

/// One step of a case.
pub type Step<'a> = &'a mut dyn FnMut();

/// A step and the wait for it: what a GPU is given it computes later.
fn finish(step: Step) {
    step();
    device().unwrap().synchronize();
}

/// Measures the cases with criterion, or prints their medians in seconds as a line of JSON where `--times` asks for it.
pub fn measure(group: &str, each_case: impl Fn(&mut dyn FnMut(&str, Step))) {
    if let Err(error) = check_device() {
        eprintln!("{group}: {error}");
        std::process::exit(1);
    }
    if std::env::args().any(|argument| argument == "--times") {
        let mut entries = Vec::new();
        each_case(&mut |name, step| {
            entries.push(format!("\"{name}\": {:e}", times::median_seconds(|| finish(step))));
        });
        println!("{{{}}}", entries.join(", "));
        return;
    }
    let mut criterion = Criterion::default().configure_from_args();
    let mut group = criterion.benchmark_group(group);
    group.sample_size(20);
    each_case(&mut |name, step| {
        group.bench_function(name, |b| b.iter(|| finish(step)));
    });
    group.finish();
    criterion.final_summary();
}
