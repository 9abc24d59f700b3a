//! BLEU of 3,000 pairs: this crate against the crate bleuscore, in one run; `tests/peers/metrics.py` runs it.
//!
//! Both use all threads; the smoothing is none, the only one both have, and the scores must be equal. Medians of turns.

use std::hint::black_box;
use std::time::Instant;

use bleuscore::RefLenMethod;
use reloss::metric::{Bleu, Smoothing};

#[path = "../../../../bench/texts.rs"]
mod texts;

fn seconds(f: impl FnOnce()) -> f64 {
    let start = Instant::now();
    f();
    start.elapsed().as_secs_f64()
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

fn main() -> reloss::Result<()> {
    let (targets, predictions) = texts::texts(3000);
    let owned: Vec<Vec<String>> = targets.iter().map(|target| vec![target.clone()]).collect();
    let references: Vec<Vec<&str>> = targets.iter().map(|target| vec![target.as_str()]).collect();
    let hypotheses: Vec<&str> = predictions.iter().map(String::as_str).collect();
    let bleu = Bleu { smoothing: Smoothing::None, ..Bleu::default() };
    let ours = bleu.corpus(&hypotheses, &references)?.score;
    let peer = || bleuscore::compute_score(&owned, &predictions, 4, false, RefLenMethod::Closest);
    let theirs = 100.0 * peer().bleu;
    assert!((ours - theirs).abs() < 1e-9, "{ours} here, {theirs} by bleuscore");
    let turn = |_| {
        let ours = seconds(|| drop(black_box(bleu.corpus(&hypotheses, &references))));
        (ours, seconds(|| drop(black_box(peer()))))
    };
    let (ours, theirs): (Vec<f64>, Vec<f64>) = (0..21).map(turn).unzip();
    println!("{{\"ours\": {:e}, \"peer_seconds\": {:e}}}", median(ours), median(theirs));
    Ok(())
}
