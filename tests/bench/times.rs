//! Medians for the scripts in `tests/peers`.

use std::time::Instant;

/// The median over batches that last about 2 ms each.
pub fn median_seconds(mut f: impl FnMut()) -> f64 {
    f();
    let start = Instant::now();
    f();
    let once = start.elapsed().as_secs_f64();
    let repeats = (0.002 / once).ceil() as usize;
    // Fewer of what takes long.
    let batches = (2.0 / once).clamp(7.0, 51.0) as usize;
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
