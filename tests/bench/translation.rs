//! One training step of NAT-Base by cross-entropy and by a learned loss, and one step of learning that loss.
//!
//! `cargo bench --bench translation`; `cargo bench --bench translation -- --times` prints one line of JSON with the medians in
//! seconds, for `tests/peers/translation.py`.

use dfdx::prelude::*;
use reloss::data::Vocabulary;
use reloss::loss::{BagOfNgrams, Loss, TokenCrossEntropy};
use reloss::metric::{Direction, Metric};
use reloss::model::{Beam, NatBase, NatDecode, NatOutput, Parametric, Transformer, TransformerConfig};
use reloss::ops::{Adam, Tokens};
use reloss::sampler::TranslationSample;
use reloss::surrogate::{
    objective, Fit, Input, LossNetwork, Network, NgramInput, NgramSurrogate, Penalty, TranslationBatch,
    TranslationNetwork, TranslationSurrogate,
};
use reloss::{Result, Tape};

#[path = "steps.rs"]
mod steps;

/// 64 sentences of 6 to 18 tokens of a vocabulary of 2,000.
fn sentences(seed: usize) -> Tokens {
    let length = |i: usize| 6 + (i * 7 + seed) % 13;
    let ids = |i: usize| (0..length(i)).map(|t| 4 + (i * 7919 + t * 104_729 + seed * 31) % 1996).collect();
    Tokens::new(&(0..64).map(ids).collect::<Vec<_>>()).unwrap()
}

fn step(nat: &mut NatBase, adam: &mut Adam, source: &Tokens, target: &Tokens, loss: &dyn Loss<Tokens>) {
    let out = nat.forward(source, target.rows().lengths(), 0, Tape::default()).unwrap();
    let of_lengths = NatOutput::length_loss(out.lengths, source, target).unwrap();
    let total = loss.loss(out.logits, target).unwrap().try_add(of_lengths).unwrap();
    adam.update(nat.parameters_mut(), &mut total.backward()).unwrap();
}

/// A metric for samples that bring theirs along.
struct Known;

impl Metric<str, str> for Known {
    fn name(&self) -> &str {
        "known"
    }

    fn direction(&self) -> Direction {
        Direction::HigherIsBetter
    }

    fn range(&self) -> (f64, f64) {
        (0.0, 1.0)
    }

    fn value(&self, _: &str, _: &str) -> Result<f64> {
        Ok(0.0)
    }
}

/// 64 samples of 8 sentences of 6 to 24 tokens.
fn samples() -> Vec<TranslationSample> {
    let sample = |i: usize| {
        let lengths = (0..8).map(|s| 6 + (i * 5 + s * 7) % 19).collect();
        let log_odds =
            (0..8 * 24).map(|k| ((i * 31 + k * 7919) % 1000) as f32 / 100.0 - 5.0 + i as f32 / 20.0);
        TranslationSample {
            log_odds: log_odds.collect(),
            lengths,
            positions: 24,
            matched: vec![],
            metric: i as f64 / 64.0,
        }
    };
    (0..64).map(sample).collect()
}

/// Calls `f` with the name and one step of every case.
fn each_case(f: &mut dyn FnMut(&str, steps::Step)) {
    let (source, target) = (sentences(0), sentences(5));
    let network = TranslationNetwork::new(32, 64, 0).unwrap();
    let surrogate = TranslationSurrogate::new(network, Input::default(), "known").unwrap();
    let of_ngrams = NgramInput::default();
    let ngrams = NgramSurrogate::new(Network::new(5, 32, 0).unwrap(), of_ngrams, "known").unwrap();
    let losses: [(&str, &dyn Loss<Tokens>); 4] = [
        ("nat step, cross-entropy", &TokenCrossEntropy::default()),
        ("nat step, bag of 2-grams", &BagOfNgrams),
        ("nat step, learned loss", &surrogate),
        ("nat step, learned loss of n-grams", &ngrams),
    ];
    let config = TransformerConfig::small(2000);
    for &(name, loss) in &losses {
        let (mut nat, mut adam) = (NatBase::new(config, 0).unwrap(), Adam::new(1e-3, 0.0));
        f(name, &mut || step(&mut nat, &mut adam, &source, &target, loss));
    }
    // The paper's size.
    if cfg!(feature = "cuda") {
        let config = TransformerConfig::paper(2000);
        let (mut nat, mut adam) = (NatBase::new(config, 0).unwrap(), Adam::new(1e-3, 0.0));
        f("NAT-Base step", &mut || step(&mut nat, &mut adam, &source, &target, losses[0].1));
    }
    let (mut teacher, mut adam) = (Transformer::new(config, 0).unwrap(), Adam::new(1e-3, 0.0));
    let ended = target.ended(Vocabulary::END).unwrap();
    f("transformer step", &mut || {
        let logits = teacher.forward(&source, &ended, 0, Tape::default()).unwrap();
        let loss = TokenCrossEntropy::default().loss(logits, &ended).unwrap();
        adam.update(teacher.parameters_mut(), &mut loss.backward()).unwrap();
    });
    // Untrained, so that every translation has its greatest length: 3 tokens more than the source.
    let (nat, teacher) = (NatBase::new(config, 0).unwrap(), Transformer::new(config, 0).unwrap());
    f("nat translates 64", &mut || {
        nat.translate(&source, &NatDecode::default()).unwrap();
    });
    f("transformer translates 64, greedy", &mut || {
        teacher.translate(&source, &Beam { extra: 3, ..Beam::default() }).unwrap();
    });

    let batch = TranslationBatch::new(&samples(), &Input::default()).unwrap();
    for (name, hidden) in [("loss learning step, width 32", 32), ("loss learning step, width 128", 128)] {
        let mut network = TranslationNetwork::new(hidden, 64, 0).unwrap();
        let mut adam = Adam::new(1e-2, 1e-3);
        f(name, &mut || {
            let (penalty, fit) = (Penalty::default(), Fit::default());
            let made = objective(&network, &batch, &Known, &penalty, &fit, Tape::default()).unwrap();
            adam.update(network.parameters_mut(), &mut made.total.backward()).unwrap();
        });
    }
}

fn main() {
    steps::measure("translation", each_case);
}
