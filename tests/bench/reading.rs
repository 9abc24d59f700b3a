//! One training step of a span reader by cross-entropy of start and end, and one of its predictions.
//!
//! `cargo bench --bench reading`; `cargo bench --bench reading -- --times` prints one line of JSON with the medians in
//! seconds, for `tests/peers/reading.py`.

use dfdx::prelude::*;
use reloss::loss::{Loss, SpanCrossEntropy};
use reloss::model::{Parametric, Reader, ReaderConfig};
use reloss::ops::{best_spans, host, Adam, Spans, Tokens};
use reloss::Tape;

#[path = "steps.rs"]
mod steps;

/// Passages, and questions.
const PASSAGES: usize = 32;
const LENGTHS: [usize; 2] = [150, 12];

/// Sentences of one length of a vocabulary of 5,000.
fn sentences(length: usize, seed: usize) -> Tokens {
    let ids = |i: usize| (0..length).map(|t| 4 + (i * 7919 + t * 104_729 + seed * 31) % 4996).collect();
    Tokens::new(&(0..PASSAGES).map(ids).collect::<Vec<_>>()).unwrap()
}

/// Calls `f` with the name and one step of every case.
fn each_case(f: &mut dyn FnMut(&str, steps::Step)) {
    let (passages, questions) = (sentences(LENGTHS[0], 0), sentences(LENGTHS[1], 5));
    let config = ReaderConfig::small(5000);
    let (mut reader, mut adam) = (Reader::new(config, 0).unwrap(), Adam::new(1e-3, 0.0));
    let matches: Vec<f32> =
        (0..passages.ids().len() * config.matches).map(|k| (k * 7919 % 5) as f32 / 4.0).collect();
    let gold = (0..PASSAGES).map(|row| ((row * 37) % 140, (row * 37) % 140 + 3)).collect();
    let spans = Spans::new(vec![LENGTHS[0]; PASSAGES], gold).unwrap();
    f("reader step, 32 passages", &mut || {
        let logits = reader.forward(&questions, &passages, &matches, 0, Tape::default()).unwrap();
        let loss = SpanCrossEntropy.loss(logits, &spans).unwrap();
        adam.update(reader.parameters_mut(), &mut loss.backward()).unwrap();
    });
    f("reader predicts 32 spans", &mut || {
        let logits = host(&reader.predict(&questions, &passages, &matches).unwrap());
        best_spans(&logits, passages.rows(), 30).unwrap();
    });
}

fn main() {
    steps::measure("reading", each_case);
}
