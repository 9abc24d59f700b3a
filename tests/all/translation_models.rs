//! Models, losses and loss networks of translation.

use dfdx::prelude::*;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use reloss::data::Vocabulary;
use reloss::loss::{token_loss, BagOfNgrams, Loss, TokenCrossEntropy};
use reloss::metric::{Bleu, Direction, Metric};
use reloss::model::{Beam, NatBase, NatDecode, NatOutput, Parametric, Transformer, TransformerConfig};
use reloss::ops::{
    host, matrix, ngram_matches, scalar, target_log_odds, Adam, Parameters, Sequences, Tokens,
};
use reloss::sampler::{TranslationSample, TranslationSampler};
use reloss::surrogate::{
    learn_ngrams, learn_translation, objective, Feature, Fit, Input, Learn, LossNetwork, Network, NgramInput,
    NgramSurrogate, Penalty, Slope, TranslationBatch, TranslationNetwork, TranslationSurrogate,
};
use reloss::{Error, Result, Tape};

use crate::sequence::numbers;
use crate::support::{assert_close, wide};

fn config() -> TransformerConfig {
    TransformerConfig { width: 32, heads: 4, feed_forward: 64, dropout: 0.0, ..TransformerConfig::small(20) }
}

/// Toy pairs: the target is the source reversed, its first token twice.
fn pairs(count: usize) -> (Vec<Vec<usize>>, Vec<Vec<usize>>) {
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let source: Vec<Vec<usize>> =
        (0..count).map(|_| (0..rng.gen_range(2..7)).map(|_| rng.gen_range(4..20)).collect()).collect();
    let target = source.iter().map(|ids| {
        let mut target: Vec<usize> = ids.iter().rev().copied().collect();
        target.push(target[0]);
        target
    });
    (source.clone(), target.collect())
}

fn tokens(sentences: &[Vec<usize>]) -> Tokens {
    Tokens::new(sentences).unwrap()
}

/// What a model gives each sentence, alone and among longer ones.
/// Log-odds times a scale.
fn scaled(scale: f32) -> Input {
    Input { scale, ..Input::default() }
}

#[test]
fn company_and_padding_never_change_a_result() {
    let (source, target) = pairs(6);
    let padded = |sentences: &[Vec<usize>], filler: usize| {
        let lengths: Vec<usize> = sentences.iter().map(Vec::len).collect();
        let fill = |ids: &Vec<usize>| ids.iter().copied().chain([filler; 9]).take(9).collect::<Vec<_>>();
        Tokens::from_padded(&sentences.iter().flat_map(fill).collect::<Vec<_>>(), &lengths, 9).unwrap()
    };
    let teacher = Transformer::new(config(), 1).unwrap();
    let nat = NatBase::new(config(), 2).unwrap();
    let lengths: Vec<usize> = target.iter().map(Vec::len).collect();
    let all = wide(&host(&teacher.predict(&padded(&source, 0), &padded(&target, 0)).unwrap()));
    let other = wide(&host(&teacher.predict(&padded(&source, 7), &padded(&target, 9)).unwrap()));
    assert_eq!(all, other);
    let out = nat.predict(&padded(&source, 0), &lengths).unwrap();
    let (logits, of_lengths) = (wide(&host(&out.logits)), wide(&host(&out.lengths)));
    let together = (
        teacher.translate(&padded(&source, 0), &Beam { extra: 3, ..Beam::default() }).unwrap(),
        teacher.translate(&padded(&source, 0), &Beam { width: 3, extra: 3, ..Beam::default() }).unwrap(),
        nat.translate(&padded(&source, 0), &NatDecode { candidates: 3, collapse: false }).unwrap(),
    );
    let mut first = 0;
    for (i, (source, target)) in source.iter().zip(&target).enumerate() {
        let (source, target) = (tokens(std::slice::from_ref(source)), tokens(std::slice::from_ref(target)));
        let here = first * 20..(first + lengths[i]) * 20;
        first += lengths[i];
        assert_close(&wide(&host(&teacher.predict(&source, &target).unwrap())), &all[here.clone()], 1e-4);
        let out = nat.predict(&source, &lengths[i..=i]).unwrap();
        assert_close(&wide(&host(&out.logits)), &logits[here], 1e-4);
        assert_close(&wide(&host(&out.lengths)), &of_lengths[i * 41..(i + 1) * 41], 1e-4);
        let greedy = Beam { extra: 3, ..Beam::default() };
        assert_eq!(teacher.translate(&source, &greedy).unwrap()[0], together.0[i]);
        assert_eq!(teacher.translate(&source, &Beam { width: 3, ..greedy }).unwrap()[0], together.1[i]);
        let decode = NatDecode { candidates: 3, collapse: false };
        assert_eq!(nat.translate(&source, &decode).unwrap()[0], together.2[i]);
    }
}

fn argmax(logits: &[f32]) -> usize {
    (0..logits.len()).fold(0, |best, i| if logits[i] > logits[best] { i } else { best })
}

#[test]
fn cached_decoding_is_teacher_forcing() {
    let (source, _) = pairs(5);
    let source = tokens(&source);
    let model = Transformer::new(config(), 3).unwrap();
    let written = model.translate(&source, &Beam { extra: 5, ..Beam::default() }).unwrap();
    // An untrained model may end at once: as a target it needs the end then.
    let logits = host(&model.predict(&source, &tokens(&written).ended(Vocabulary::END).unwrap()).unwrap());
    let mut rows = logits.chunks_exact(20);
    for (ids, source) in written.iter().zip(source.sentences()) {
        for &id in ids {
            assert_eq!(argmax(rows.next().unwrap()), id);
        }
        let last = argmax(rows.next().unwrap());
        assert!(last == Vocabulary::END || ids.len() == source.len() + 5);
    }
}

/// ln softmax.
fn log_p(logits: &[f32]) -> Vec<f64> {
    let sum = logits.iter().map(|&z| f64::from(z).exp()).sum::<f64>().ln();
    logits.iter().map(|&z| f64::from(z) - sum).collect()
}

#[test]
fn a_beam_that_prunes_nothing_finds_the_most_probable_translation() {
    let source = tokens(&[vec![5]]);
    for seed in 4..8 {
        let model = Transformer::new(config(), seed).unwrap();
        let (mut best, mut probability) = (vec![], f64::NEG_INFINITY);
        for first in (0..20).filter(|&first| first != Vocabulary::END) {
            let logits = host(&model.predict(&source, &tokens(&[vec![first, Vocabulary::END]])).unwrap());
            let (one, two) = (log_p(&logits[..20]), log_p(&logits[20..]));
            let mut consider = |ids: Vec<usize>, p: f64| {
                if p > probability {
                    (best, probability) = (ids, p);
                }
            };
            consider(vec![], one[Vocabulary::END]);
            for (second, p) in two.iter().enumerate() {
                // At the longest a translation has no end.
                consider(
                    if second == Vocabulary::END { vec![first] } else { vec![first, second] },
                    one[first] + p,
                );
            }
        }
        let beam = Beam { width: 400, extra: 1, length_penalty: 0.0 };
        assert_eq!(model.translate(&source, &beam).unwrap(), [best]);
    }
}

#[test]
fn both_models_learn_twenty_pairs_by_heart() {
    let (source, target) = pairs(20);
    let (sources, targets) = (tokens(&source), tokens(&target));
    let ended = targets.ended(Vocabulary::END).unwrap();
    let loss = TokenCrossEntropy::default();
    let (mut teacher, mut adam) = (Transformer::new(config(), 0).unwrap(), Adam::new(3e-3, 0.0));
    for _ in 0..300 {
        let logits = teacher.forward(&sources, &ended, 0, Tape::default()).unwrap();
        let mut gradients = loss.loss(logits, &ended).unwrap().backward();
        adam.update(teacher.parameters_mut(), &mut gradients).unwrap();
    }
    assert_eq!(teacher.translate(&sources, &Beam::default()).unwrap(), target);
    assert_eq!(teacher.translate(&sources, &Beam { width: 4, ..Beam::default() }).unwrap(), target);

    let (mut nat, mut adam) = (NatBase::new(config(), 0).unwrap(), Adam::new(3e-3, 0.0));
    let lengths: Vec<usize> = target.iter().map(Vec::len).collect();
    for _ in 0..300 {
        let out = nat.forward(&sources, &lengths, 0, Tape::default()).unwrap();
        let of_lengths = NatOutput::length_loss(out.lengths, &sources, &targets).unwrap();
        let total = loss.loss(out.logits, &targets).unwrap().try_add(of_lengths).unwrap();
        adam.update(nat.parameters_mut(), &mut total.backward()).unwrap();
    }
    assert_eq!(nat.translate(&sources, &NatDecode::default()).unwrap(), target);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("nat.safetensors");
    nat.save(&path).unwrap();
    let read = NatBase::load(&path).unwrap();
    assert_eq!(read.translate(&sources, &NatDecode::default()).unwrap(), target);
    let collapsed = read.translate(&sources, &NatDecode { collapse: true, ..NatDecode::default() }).unwrap();
    assert!(collapsed.iter().zip(&target).any(|(c, t)| c.len() < t.len()));
    assert!(matches!(Transformer::load(&path), Err(Error::Data { .. })));
}

#[test]
fn models_name_what_does_not_fit() {
    let model = NatBase::new(TransformerConfig { positions: 4, ..config() }, 0).unwrap();
    let said = |result: Result<NatOutput<NoneTape>>| result.unwrap_err().to_string();
    let unknown = said(model.predict(&tokens(&[vec![4], vec![20]]), &[1, 1]));
    assert_eq!(unknown, "source: expected ids below the vocabulary's 20, got 20 in sentence 1");
    let long = said(model.predict(&tokens(&[vec![4; 5]]), &[1]));
    assert_eq!(long, "source: expected 4 tokens at most, got 5 in sentence 0");
    assert_eq!(
        said(model.predict(&tokens(&[vec![4]]), &[usize::MAX])),
        format!("target: expected 4 tokens at most, got {} in sentence 0", usize::MAX)
    );
    assert!(model.predict(&tokens(&[vec![4]]), &[0]).is_err());
    assert!(model.predict(&tokens(&[vec![4]]), &[1, 1]).is_err());
    assert!(matches!(Tokens::new(&[vec![4], vec![]]), Err(Error::Shape { .. })));
    for wrong in [
        TransformerConfig { heads: 5, ..config() },
        TransformerConfig { vocabulary: 3, ..config() },
        TransformerConfig { width: 0, ..config() },
        TransformerConfig { dropout: 1.0, ..config() },
    ] {
        assert!(matches!(Transformer::new(wrong, 0), Err(Error::Parameter { .. })));
    }
    let mut other = NatBase::new(TransformerConfig { vocabulary: 21, ..config() }, 0).unwrap();
    let refused = other.parameters_mut().assign(model.parameters()).unwrap_err().to_string();
    assert!(refused.contains("embed_tokens.weight of shape [21, 32]"), "{refused}");
    let teacher = Transformer::new(config(), 0).unwrap();
    let none = Beam { width: 0, ..Beam::default() };
    assert!(matches!(teacher.translate(&tokens(&[vec![4]]), &none), Err(Error::Parameter { .. })));
}

/// The gradient of a loss at logits, and its differences.
#[track_caller]
fn check_gradient(loss: &dyn Loss<Tokens>, logits: &[f32], targets: &Tokens, tolerance: f64) {
    let rows = targets.ids().len();
    let x = matrix(logits.to_vec(), rows, logits.len() / rows).unwrap();
    let gradient = wide(&host(&loss.loss(x.leaky_trace(), targets).unwrap().backward().get(&x)));
    let step = 1e-2f32;
    let differences: Vec<f64> = (0..logits.len())
        .map(|i| {
            let at = |by: f32| {
                let mut moved = logits.to_vec();
                moved[i] += by;
                token_loss(loss, moved, targets).unwrap()
            };
            (at(step) - at(-step)) / f64::from(2.0 * step)
        })
        .collect();
    assert_close(&gradient, &differences, tolerance);
    assert!(gradient.iter().any(|g| g.abs() > 10.0 * tolerance));
}

#[test]
fn losses_of_tokens_have_right_gradients() {
    let targets = tokens(&[vec![0, 1, 1, 1, 2], vec![2], vec![1, 0]]);
    let logits: Vec<f32> = numbers(8 * 3, 1).into_iter().map(|v| 3.0 * v).collect();
    check_gradient(&TokenCrossEntropy::default(), &logits, &targets, 5e-4);
    check_gradient(&TokenCrossEntropy { smoothing: 0.2 }, &logits, &targets, 5e-4);
    check_gradient(&BagOfNgrams, &logits, &targets, 5e-4);
    for feature in [Feature::LogOdds, Feature::LogProbability] {
        let network = TranslationNetwork::new(16, 8, 3).unwrap().with_output_bias(2.0).unwrap();
        let input = Input { feature, ..scaled(2.0) };
        let surrogate = TranslationSurrogate::new(network, input.clone(), "BLEU").unwrap();
        check_gradient(&surrogate, &logits, &targets, 1e-3);
        // What is learned from and what is trained with are one loss.
        let odds = target_log_odds(matrix(logits.clone(), 8, 3).unwrap(), targets.ids(), 1.0).unwrap();
        let mut padded = host(&odds);
        padded.splice(6..6, [9.0; 4]);
        padded.extend([9.0; 3]);
        let sample = TranslationSample {
            log_odds: padded,
            lengths: vec![5, 1, 2],
            positions: 5,
            matched: vec![],
            metric: 0.0,
        };
        let trained = token_loss(&surrogate, logits.clone(), &targets).unwrap();
        assert_close(&surrogate.values(&[sample]).unwrap(), &[trained], 1e-5);
    }
    let network = || TranslationNetwork::new(16, 8, 3).unwrap();
    let margin = Input { feature: Feature::Margin, ..Input::default() };
    for wrong in [margin, Input { temperature: 2.0, ..Input::default() }, scaled(0.0)] {
        let refused = TranslationSurrogate::new(network(), wrong, "BLEU");
        assert!(matches!(refused, Err(Error::Parameter { .. })));
    }
    assert!(matches!(network().with_output_bias(f32::NAN), Err(Error::Parameter { .. })));
}

#[test]
fn a_loss_of_ngrams_has_the_right_gradient_and_is_the_one_that_was_learned() {
    // A sentence that repeats itself, one of a token, one shorter than the orders.
    let targets = tokens(&[vec![0, 1, 1, 1, 2], vec![2], vec![1, 0]]);
    let logits: Vec<f32> = numbers(8 * 3, 1).into_iter().map(|v| 3.0 * v).collect();
    for orders in 1..=4 {
        let network = Network::new(1 + orders, 16, 3).unwrap().with_output_bias(2.0).unwrap();
        let input = NgramInput { orders, scale: 30.0 };
        let surrogate = NgramSurrogate::new(network, input, "BLEU").unwrap();
        check_gradient(&surrogate, &logits, &targets, 1e-3);
        let of = |logits: &[f32]| matrix(logits.to_vec(), 8, 3).unwrap();
        let rows = Sequences::padded(vec![5, 1, 2], 5).unwrap();
        let mut padded = host(&target_log_odds(of(&logits), targets.ids(), 1.0).unwrap());
        padded.splice(6..6, [9.0; 4]);
        padded.extend([9.0; 3]);
        let shares = host(&ngram_matches(of(&logits), &targets, &[1, 2, 3, 4]).unwrap());
        let matched = shares.chunks(4).map(|s| [s[0], s[1], s[2], s[3]]).collect();
        let sample = TranslationSample {
            log_odds: padded,
            lengths: vec![5, 1, 2],
            positions: 5,
            matched,
            metric: 0.0,
        };
        assert_eq!(rows.rows(), sample.log_odds.len());
        let trained = token_loss(&surrogate, logits.clone(), &targets).unwrap();
        assert_close(&surrogate.values(&[sample]).unwrap(), &[trained], 1e-5);
    }
    // Where nothing is given to the reference, and where all is, there is a number with a finite gradient.
    let network = || Network::new(5, 16, 3).unwrap();
    let surrogate = NgramSurrogate::new(network(), NgramInput::default(), "BLEU").unwrap();
    for sure in [-200.0, 200.0] {
        let logits: Vec<f32> = targets
            .ids()
            .iter()
            .flat_map(|&id| (0..3).map(move |k| if k == id { sure } else { 0.0 }))
            .collect();
        let logits = matrix(logits, 8, 3).unwrap();
        let loss = surrogate.loss(logits.leaky_trace(), &targets).unwrap();
        assert!(scalar(&loss).is_finite());
        assert!(host(&loss.backward().get(&logits)).iter().all(|g| g.is_finite()));
    }
    for wrong in [
        NgramInput { orders: 0, scale: 1.0 },
        NgramInput { orders: 5, scale: 1.0 },
        NgramInput { orders: 4, scale: 0.0 },
    ] {
        assert!(matches!(NgramSurrogate::new(network(), wrong, "BLEU"), Err(Error::Parameter { .. })));
    }
    let fewer = NgramSurrogate::new(network(), NgramInput { orders: 3, scale: 1.0 }, "BLEU");
    assert!(matches!(fewer, Err(Error::Shape { .. })));
}

#[test]
fn a_loss_of_ngrams_is_learned_for_bleu_and_survives_its_file() {
    let sampler = TranslationSampler::random(500, 12).unwrap();
    let bleu: &dyn Metric<[Vec<usize>], [Vec<usize>]> = &Bleu::default();
    let draw = |count, seed| sampler.draw(bleu, count, seed);
    let options =
        Learn { steps: 100, samples: 32, held_out: 64, hidden: 16, output_bias: 2.0, ..Learn::default() };
    let learned = learn_ngrams(bleu, NgramInput::default(), draw, &options).unwrap();
    // Half of these samples' spread is confidence, which BLEU knows nothing of.
    assert!(learned.held_out > 0.7, "{}", learned.held_out);
    let unseen = sampler.draw(bleu, 200, 98).unwrap();
    let (costs, values): (Vec<f64>, Vec<f64>) = unseen.iter().map(|s| (-s.cross_entropy(), s.metric)).unzip();
    let cross_entropy = reloss::correlation::spearman(&costs, &values).unwrap();
    assert!(learned.loss.agreement(bleu, &unseen).unwrap() > cross_entropy, "{cross_entropy}");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("loss.safetensors");
    learned.loss.save(&path).unwrap();
    let read = NgramSurrogate::load(&path).unwrap();
    let test = sampler.draw(bleu, 50, 99).unwrap();
    assert_eq!(read.values(&test).unwrap(), learned.loss.values(&test).unwrap());
    assert_eq!((read.metric(), read.input()), ("token BLEU", &NgramInput::default()));
    assert!(matches!(TranslationSurrogate::load(&path), Err(Error::Data { .. })));
    let sample = |change: &dyn Fn(&mut TranslationSample)| {
        let mut sample = test[0].clone();
        change(&mut sample);
        read.values(&[sample])
    };
    let shapes: [&dyn Fn(&mut TranslationSample); 3] =
        [&|s| s.matched.clear(), &|s| s.lengths[0] = 0, &|s| s.log_odds.truncate(3)];
    for wrong in shapes {
        assert!(matches!(sample(wrong), Err(Error::Shape { .. })));
    }
    let infinite: [&dyn Fn(&mut TranslationSample); 2] =
        [&|s| s.matched[1][2] = f32::NAN, &|s| s.log_odds[0] = f32::INFINITY];
    for wrong in infinite {
        assert!(matches!(sample(wrong), Err(Error::At { place, .. }) if place == "sample 0"));
    }
}

#[test]
fn a_bag_of_ngrams_by_hand() {
    // ln of the probabilities; reference 0 1 0 1: bag {01: 2, 10: 1}.
    let p: [[f64; 3]; 4] = [[0.5, 0.3, 0.2], [0.1, 0.8, 0.1], [0.6, 0.3, 0.1], [0.2, 0.7, 0.1]];
    let logits: Vec<f32> = p.iter().flatten().map(|p| p.ln() as f32).collect();
    let count = |a: usize, b: usize| (0..3).map(|t| p[t][a] * p[t + 1][b]).sum::<f64>();
    let want = 1.0 - (count(0, 1).min(2.0) + count(1, 0).min(1.0)) / 3.0;
    let got = token_loss(&BagOfNgrams, logits, &tokens(&[vec![0, 1, 0, 1]])).unwrap();
    assert_close(&[got], &[want], 1e-6);
    // All mass on "0 0 0 0" against a bag that holds it once: no more than once is matched.
    let sure: Vec<f32> = (0..4).flat_map(|_| [30.0, 0.0, 0.0]).collect();
    let got = token_loss(&BagOfNgrams, sure, &tokens(&[vec![0, 0, 1, 2]])).unwrap();
    assert_close(&[got], &[1.0 - 1.0 / 3.0], 1e-6);
    assert_eq!(token_loss(&BagOfNgrams, vec![1.0, 0.0], &tokens(&[vec![0]])).unwrap(), 0.0);
    let bad = token_loss(&BagOfNgrams, vec![f32::NAN, 0.0, 0.0, 0.0], &tokens(&[vec![0, 1]]));
    assert!(matches!(bad, Err(Error::NotFinite { .. })));
    let bad =
        token_loss(&TokenCrossEntropy::default(), vec![0.0, 0.0, f32::NAN, 0.0], &tokens(&[vec![0, 1]]));
    assert!(matches!(bad, Err(Error::NotFinite { index: 2, .. })));
}

/// A metric to learn for: the share of tokens whose log-odds are positive, as BLEU would be higher with them.
struct Share;

impl Metric<str, str> for Share {
    fn name(&self) -> &str {
        "share"
    }

    fn direction(&self) -> Direction {
        Direction::HigherIsBetter
    }

    fn range(&self) -> (f64, f64) {
        (0.0, 1.0)
    }

    fn value(&self, _: &str, _: &str) -> Result<f64> {
        unreachable!("samples bring their metric along")
    }
}

fn samples(count: usize, seed: u64) -> Vec<TranslationSample> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let sample = |_| {
        let positions = 9;
        let lengths: Vec<usize> = (0..4).map(|_| rng.gen_range(1..=positions)).collect();
        let level = rng.gen_range(-3.0..3.0);
        let log_odds: Vec<f32> = (0..4 * positions).map(|_| level + rng.gen_range(-4.0f32..4.0)).collect();
        let (mut right, mut all) = (0u32, 0);
        for (row, &length) in log_odds.chunks(positions).zip(&lengths) {
            right += row[..length].iter().map(|&odds| u32::from(odds > 0.0)).sum::<u32>();
            all += length;
        }
        TranslationSample {
            log_odds,
            lengths,
            positions,
            matched: vec![],
            metric: f64::from(right) / all as f64,
        }
    };
    (0..count).map(sample).collect()
}

fn moved(network: &TranslationNetwork, name: &str, index: usize, step: f32) -> TranslationNetwork {
    let members = network.parameters().iter().map(|p| {
        let mut values = host(p.value());
        if p.name() == name {
            values[index] += step;
        }
        reloss::ops::Parameter::new(p.name(), p.shape(), values).unwrap()
    });
    network.with_values(&Parameters::new(members.collect())).unwrap()
}

#[test]
fn the_penalty_of_a_translation_network_has_the_right_gradient() {
    let batch = TranslationBatch::new(&samples(5, 1), &scaled(0.3)).unwrap();
    let network = TranslationNetwork::new(16, 9, 2).unwrap();
    for slope in [Slope::Row, Slope::Sample] {
        let penalty = Penalty { weight: 3.0, slope, ..Penalty::default() };
        let total = |network: &TranslationNetwork| {
            let tape = Tape::default();
            objective(network, &batch, &Share, &penalty, &Fit::Value, tape).unwrap().total
        };
        let gradients = total(&network).backward();
        let mut seen = 0;
        for p in network.parameters().iter() {
            let gradient = wide(&host(&gradients.get(p.value())));
            for index in [0, gradient.len() / 2, gradient.len() - 1] {
                let step = 4e-3f32;
                let value = |by| f64::from(scalar(&total(&moved(&network, p.name(), index, by))));
                let difference = (value(step) - value(-step)) / f64::from(2.0 * step);
                assert_close(&[gradient[index]], &[difference], 2e-2 * difference.abs().max(0.1));
                seen += usize::from(difference.abs() > 1e-2);
            }
        }
        assert!(seen > 20, "{seen}");
    }
}

#[test]
fn a_sentences_slope_is_the_norm_of_its_gradient() {
    let all = samples(2, 3);
    let network = TranslationNetwork::new(16, 9, 4).unwrap();
    let batch = TranslationBatch::new(&all, &scaled(0.3)).unwrap();
    let slopes = wide(&host(&network.judge(&batch, NoneTape).unwrap().slopes));
    let mut want = Vec::new();
    for sample in &all {
        for (sentence, &length) in sample.lengths.iter().enumerate() {
            let alone = |token: usize, by: f32| {
                let mut log_odds = sample.log_odds[sentence * 9..][..length].to_vec();
                log_odds[token] += by;
                let metric = sample.metric;
                let sample = TranslationSample {
                    log_odds,
                    lengths: vec![length],
                    positions: length,
                    matched: vec![],
                    metric,
                };
                let batch = TranslationBatch::new(&[sample], &scaled(0.3)).unwrap();
                f64::from(host(&network.judge(&batch, NoneTape).unwrap().losses)[0])
            };
            let squares = (0..length).map(|t| ((alone(t, 0.05) - alone(t, -0.05)) / 0.1).powi(2));
            want.push((squares.sum::<f64>() * length as f64).sqrt());
        }
    }
    let slopes: Vec<f64> = slopes.iter().map(|slope| slope.abs()).collect();
    assert_close(&slopes, &want, 2e-3);
    assert!(want.iter().all(|&w| w > 1e-2));
}

#[test]
fn a_loss_of_translations_is_learned_and_survives_its_file() {
    let draw = |count, seed| Ok(samples(count, seed));
    let options = Learn { steps: 40, samples: 32, held_out: 64, hidden: 16, ..Learn::default() };
    let learned = learn_translation(&Share, 9, draw, &options).unwrap();
    assert!(learned.held_out > 0.9, "{}", learned.held_out);
    let again = learn_translation(&Share, 9, draw, &options).unwrap();
    assert_eq!(learned.loss.network().parameters().values(), again.loss.network().parameters().values());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("loss.safetensors");
    learned.loss.save(&path).unwrap();
    let read = TranslationSurrogate::load(&path).unwrap();
    let test = samples(50, 99);
    assert_eq!(read.values(&test).unwrap(), learned.loss.values(&test).unwrap());
    assert_eq!((read.metric(), read.input()), ("share", &options.input));
    assert!(read.agreement(&Share, &test).unwrap() > 0.9);
    let long = TranslationSample {
        log_odds: vec![0.0; 10],
        lengths: vec![10],
        positions: 10,
        matched: vec![],
        metric: 0.0,
    };
    assert!(matches!(read.values(&[long]), Err(Error::Shape { .. })));
    for wrong in [
        TranslationSample {
            log_odds: vec![0.0; 3],
            lengths: vec![2],
            positions: 2,
            matched: vec![],
            metric: 0.0,
        },
        TranslationSample {
            log_odds: vec![0.0; 2],
            lengths: vec![3],
            positions: 2,
            matched: vec![],
            metric: 0.0,
        },
        TranslationSample {
            log_odds: vec![0.0; 2],
            lengths: vec![0],
            positions: 2,
            matched: vec![],
            metric: 0.0,
        },
    ] {
        assert!(matches!(read.values(&[wrong]), Err(Error::Shape { .. })));
    }
    let infinite = TranslationSample {
        log_odds: vec![f32::INFINITY],
        lengths: vec![1],
        positions: 1,
        matched: vec![],
        metric: 0.0,
    };
    assert!(matches!(read.values(&[infinite]), Err(Error::NotFinite { .. })));
}
