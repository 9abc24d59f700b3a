//! Several features of a row, and networks that go one way with them.

use std::path::Path;

use dfdx::prelude::*;
use proptest::prelude::*;
use reloss::metric::{ClassMetric, Metric, Scores, TopK};
use reloss::ops::{host, matrix, scalar, Parameter, Parameters};
use reloss::sampler::{Sample, Sampler};
use reloss::surrogate::*;
use reloss::{Error, Tape};

use crate::support::{assert_close, wide};

fn input(feature: Feature, also: &[Feature]) -> Input {
    Input { feature, also: also.to_vec(), temperature: 1.5, scale: 0.5, ..Input::default() }
}

/// Inputs of several features, of sets and of balanced rows too.
fn inputs() -> Vec<Input> {
    vec![
        input(Feature::LogProbability, &[]),
        input(Feature::Margin, &[]),
        input(Feature::LogOdds, &[Feature::Margin, Feature::Entropy, Feature::LogRank]),
        Input { balanced: true, ..input(Feature::LogProbability, &[Feature::Entropy]) },
    ]
}

fn samples(classes: usize, count: usize) -> Vec<Sample> {
    let sampler = Sampler { rows: 10, ..Sampler::random(classes) };
    sampler.draw(&TopK::ACCURACY, count, 7).unwrap()
}

fn network(input: &Input, monotone: bool, seed: u64) -> Network {
    match monotone {
        true => Network::monotone(&input.trends(), 6, seed).unwrap(),
        false => Network::new(input.width(), 6, seed).unwrap(),
    }
}

/// A network with one value moved.
fn moved(network: &Network, index: usize, step: f32) -> Network {
    let mut before = 0;
    let members = network.parameters().iter().map(|p| {
        let mut values = host(p.value());
        if (before..before + values.len()).contains(&index) {
            values[index - before] += step;
        }
        before += values.len();
        Parameter::new(p.name(), p.shape(), values).unwrap()
    });
    network.with_values(&Parameters::new(members.collect())).unwrap()
}

#[test]
fn objectives_of_several_features_have_right_gradients() {
    let set = Input { set: true, ..input(Feature::LogOdds, &[Feature::Entropy]) };
    let cases = inputs().into_iter().map(|input| (input, 4)).chain([(set, 2)]);
    for (input, classes) in cases {
        for (monotone, with_respect_to) in [(false, WithRespectTo::Logits), (true, WithRespectTo::Feature)] {
            let samples = samples(classes, 8);
            let penalty = Penalty { weight: 0.3, with_respect_to, slope: Slope::Row };
            let batch = Batch::new(&samples, &input, with_respect_to).unwrap();
            let value = |network: &Network| {
                let (metric, fit) = (TopK::ACCURACY, Fit::default());
                objective(network, &batch, &metric, &penalty, &fit, Tape::default()).unwrap().total
            };
            let network = network(&input, monotone, 2);
            let mut gradients = value(&network).backward();
            let exact: Vec<f64> = network
                .parameters()
                .iter()
                .flat_map(|p| {
                    gradients.get_or_alloc_mut(p.value()).unwrap();
                    wide(&host(&gradients.get(p.value())))
                })
                .collect();
            let at = |i, step| f64::from(scalar(&value(&moved(&network, i, step))));
            let scale = exact.iter().fold(1.0f64, |m, g| m.max(g.abs()));
            assert!(exact.iter().any(|g| g.abs() > 1e-3), "{input:?}");
            for i in (0..exact.len()).step_by(3) {
                assert_close(&[exact[i]], &[(at(i, 1e-3) - at(i, -1e-3)) / 2e-3], 2e-2 * scale);
            }
        }
    }
}

#[test]
fn the_penalty_is_on_the_gradient_a_model_gets() {
    for input in inputs() {
        for monotone in [false, true] {
            let samples = samples(4, 1);
            let (scores, labels) = (&samples[0].scores, &samples[0].labels);
            let loss = Surrogate::new(network(&input, monotone, 5), input.clone(), "accuracy").unwrap();
            let slopes = loss.slopes(&samples, WithRespectTo::Logits).unwrap();
            let logits = matrix(scores.values().to_vec(), scores.rows(), 4).unwrap();
            let rows = loss.rows(logits.leaky_trace(), labels).unwrap();
            let gradient = wide(&host(&rows.sum().backward().get(&logits)));
            let mut norms: Vec<f64> =
                gradient.chunks(4).map(|row| row.iter().map(|g| g * g).sum::<f64>().sqrt()).collect();
            if input.balanced {
                // The penalty is before the row's weight, which its own labels give.
                for (norm, label) in norms.iter_mut().zip(labels) {
                    let count = labels.iter().filter(|l| *l == label).count();
                    *norm *= 4.0 * count as f64 / labels.len() as f64;
                }
            }
            assert_close(&slopes, &norms, 2e-5);
            // By differences, of the value.
            let at = |i: usize, step: f32| {
                let mut moved = scores.values().to_vec();
                moved[i] += step;
                10.0 * reloss::loss::value(&loss, &Scores::new(moved, 4).unwrap(), labels).unwrap()
            };
            let differences: Vec<f64> = (0..40).map(|i| (at(i, 5e-3) - at(i, -5e-3)) / 1e-2).collect();
            assert_close(&gradient, &differences, 3e-3);
        }
    }
}

#[test]
fn of_ln_p_a_straight_line_is_cross_entropy() {
    // Slope 1 in the feature is what the penalty asks for: then the loss is the original one.
    let layer = |name: &str, weight: f32, bias: f32| {
        [
            Parameter::new(&format!("{name}.weight"), &[1, 1], vec![weight]).unwrap(),
            Parameter::new(&format!("{name}.bias"), &[1], vec![bias]).unwrap(),
        ]
    };
    // 40 − ln p stays on ELU's line for all these rows.
    let layers = [layer("logits_fcs.0", -1.0, 40.0), layer("logits_fcs.2", 1.0, 0.0)];
    let layers = layers.into_iter().chain([layer("loss.0", 1.0, 0.0), layer("loss.2", 1.0, -40.0)]);
    let network = Network::from_parameters(&Parameters::new(layers.flatten().collect())).unwrap();
    let input = Input { feature: Feature::LogProbability, scale: 1.0, ..Input::default() };
    let loss = Surrogate::new(network, input, "accuracy").unwrap();
    let sample = &samples(5, 1)[0];
    let original = reloss::loss::CrossEntropy::default();
    let gradient = |loss: &dyn reloss::loss::Loss| {
        wide(&reloss::loss::gradient(loss, &sample.scores, &sample.labels).unwrap())
    };
    assert_close(&gradient(&loss), &gradient(&original), 1e-6);
}

/// Numbers for a network's rows, on a line through a random point along each input it is bound in.
fn falls(input: &Input, loss: &Surrogate, logits: &[f32], label: usize) -> bool {
    // Of the label's own logit all features but the entropy are functions that go one way.
    assert!(!input.features().any(|feature| feature == Feature::Entropy));
    let at = |own: f32| {
        let mut row = logits.to_vec();
        row[label] = own;
        let logits = matrix(row, 1, logits.len()).unwrap();
        host(&loss.rows(logits, &[label]).unwrap())[0]
    };
    let values: Vec<f32> = (-40..=40).map(|i| at(i as f32 * 0.5)).collect();
    values.windows(2).all(|w| w[1] <= w[0] + 1e-5 * (1.0 + w[0].abs()))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn a_monotone_loss_never_rises_with_the_labels_logit(
        seed in 0u64..1000,
        logits in proptest::collection::vec(-4f32..4.0, 5),
        noise in proptest::collection::vec(-1f32..1.0, 200),
    ) {
        for also in [vec![], vec![Feature::Margin, Feature::LogRank], vec![Feature::LogProbability]] {
            let input = input(Feature::LogOdds, &also);
            // As after an update that minds no signs.
            let mut network = network(&input, true, seed);
            let members = network.parameters().iter().map(|p| {
                let values = host(p.value()).iter().zip(noise.iter().cycle()).map(|(w, n)| w + n).collect();
                Parameter::new(p.name(), p.shape(), values).unwrap()
            });
            network = network.with_values(&Parameters::new(members.collect())).unwrap();
            network.constrain().unwrap();
            let loss = Surrogate::new(network, input.clone(), "accuracy").unwrap();
            prop_assert!(falls(&input, &loss, &logits, 2));
        }
    }
}

#[test]
fn a_monotone_network_bends_both_ways() {
    let input = input(Feature::LogOdds, &[]);
    let (mut up, mut down) = (false, false);
    for seed in 0..10 {
        let loss = Surrogate::new(network(&input, true, seed), input.clone(), "accuracy").unwrap();
        let odds = matrix((-40..=40).flat_map(|i| [i as f32 * 0.5, 0.0]).collect(), 81, 2).unwrap();
        let values = host(&loss.rows(odds, &[0; 81]).unwrap());
        let bends: Vec<f32> = values.windows(3).map(|w| w[0] - 2.0 * w[1] + w[2]).collect();
        up |= bends.iter().any(|&bend| bend > 1e-3);
        down |= bends.iter().any(|&bend| bend < -1e-3);
    }
    assert!(up && down);
}

#[test]
fn a_monotone_loss_is_learned_and_survives_its_file() {
    let options = Learn {
        steps: 80,
        samples: 32,
        hidden: 32,
        held_out: 64,
        monotone: true,
        input: Input { also: vec![Feature::LogRank], ..Input::default() },
        ..Learn::default()
    };
    // Random predictions are as hard to rank as it gets: 0.88 here; stored ones of digits 0.99.
    let learned = learn(&TopK::ACCURACY, &Sampler::random(5), &options).unwrap();
    assert!(learned.held_out > 0.8, "{}", learned.held_out);
    assert!(learned.loss.network().is_monotone());
    assert_eq!(learned.loss.profile().unwrap().rise(), 0.0);
    assert!(falls(learned.loss.input(), &learned.loss, &[0.3, 1.0, -2.0, 0.0, 0.4], 1));

    let path = Path::new("loss.safetensors");
    let bytes = learned.loss.to_safetensors().unwrap();
    let loaded = Surrogate::from_safetensors(&bytes, path).unwrap();
    assert!(loaded.network().is_monotone());
    assert_eq!(loaded.to_safetensors().unwrap(), bytes);
    let sample = &samples(5, 1)[0];
    let value = |loss: &Surrogate| reloss::loss::value(loss, &sample.scores, &sample.labels).unwrap();
    assert_eq!(value(&loaded), value(&learned.loss));

    // Weights of the wrong sign under the same notes are no monotone network.
    let (parameters, notes) = Parameters::from_safetensors(&bytes, path).unwrap();
    let turned = parameters.iter().map(|p| {
        let values = host(p.value()).iter().map(|w| -w).collect();
        Parameter::new(p.name(), p.shape(), values).unwrap()
    });
    let bytes = Parameters::new(turned.collect()).to_safetensors(notes).unwrap();
    assert!(matches!(Surrogate::from_safetensors(&bytes, path), Err(Error::Data { .. })));
}

#[test]
fn a_loss_of_ln_p_and_rank_ranks() {
    let options = Learn { steps: 40, samples: 32, held_out: 64, ..Learn::ranked() };
    let learned = learn(&TopK::ACCURACY, &Sampler::random(5), &options).unwrap();
    assert!(learned.held_out > 0.8, "{}", learned.held_out);
    assert_eq!(learned.loss.input(), &Input::ranked());
}

#[test]
fn a_monotone_loss_of_sets_is_learned_too() {
    let sampler = Sampler { rows: 32, ..Sampler::random(2) };
    let options = Learn {
        steps: 40,
        samples: 32,
        monotone: true,
        input: Input { set: true, ..Input::default() },
        penalty: Penalty { weight: 0.1, slope: Slope::Sample, ..Penalty::default() },
        ..Learn::default()
    };
    let metric = ClassMetric::MATTHEWS;
    let learned = learn(&metric, &sampler, &options).unwrap();
    assert!(learned.held_out > 0.8, "{}: {}", metric.name(), learned.held_out);
}

#[test]
fn an_interrupted_monotone_run_continues_to_the_same_weights() {
    let folder = tempfile::tempdir().unwrap();
    let options = Learn {
        steps: 12,
        samples: 16,
        hidden: 8,
        held_out: 32,
        evaluate_every: 4,
        monotone: true,
        checkpoint: Some(folder.path().join("run.safetensors")),
        ..Learn::default()
    };
    let sampler = Sampler::random(4);
    let whole = learn(&TopK::ACCURACY, &sampler, &options).unwrap();
    // The checkpoint is that of the last step: continued, it has nothing left to do and gives the same.
    let again = learn(&TopK::ACCURACY, &sampler, &Learn { resume: true, ..options.clone() }).unwrap();
    assert!(again.loss.network().is_monotone());
    assert_eq!(again.loss.to_safetensors().unwrap(), whole.loss.to_safetensors().unwrap());
    let free = Learn { resume: true, monotone: false, ..options };
    let refused = learn(&TopK::ACCURACY, &sampler, &free);
    assert!(matches!(refused, Err(Error::Parameter { name: "resume", .. })), "{refused:?}");
}

#[test]
fn what_came_with_the_library_before_is_written_as_it_was() {
    for which in Pretrained::ALL {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/pretrained").join(which.file());
        let loss = Surrogate::pretrained(which).unwrap();
        assert_eq!(loss.to_safetensors().unwrap(), std::fs::read(path).unwrap(), "{which:?}");
        assert!(loss.input().also.is_empty() && !loss.network().is_monotone());
    }
}

#[test]
fn inputs_refuse_what_makes_no_sense() {
    let samples = samples(3, 2);
    let twice = input(Feature::Margin, &[Feature::Entropy, Feature::Margin]);
    let network = Network::new(3, 4, 0).unwrap();
    assert!(matches!(
        Surrogate::new(network.clone(), twice, "m"),
        Err(Error::Parameter { name: "input", .. })
    ));
    let cold = Input { temperature: 0.0, ..input(Feature::Margin, &[Feature::Entropy, Feature::LogRank]) };
    let refused = Surrogate::new(network, cold, "m");
    assert!(matches!(refused, Err(Error::Parameter { name: "temperature", .. })), "{refused:?}");
    for several in [input(Feature::LogOdds, &[Feature::Entropy]), input(Feature::Margin, &[])] {
        let refused = Batch::new(&samples, &several, WithRespectTo::Probabilities);
        assert!(matches!(refused, Err(Error::Parameter { name: "with_respect_to", .. })), "{refused:?}");
    }
    // Monotone the other way round than the feature is.
    let rising = Network::monotone(&[Trend::Rising], 4, 0).unwrap();
    let refused = Surrogate::new(rising, input(Feature::Margin, &[]), "m");
    assert!(matches!(refused, Err(Error::Parameter { name: "network", .. })), "{refused:?}");
    // d ln p / dp = 1 / p.
    let ln_p = Input { scale: 1.0, temperature: 1.0, ..input(Feature::LogProbability, &[]) };
    let batch = Batch::new(&samples, &ln_p, WithRespectTo::Probabilities).unwrap();
    let expected: Vec<f64> = wide(&host(&batch.x)).iter().map(|ln_p| (-ln_p).exp()).collect();
    assert_close(
        &wide(&host(&batch.directions[0])),
        &expected,
        1e-3 * expected.iter().fold(0.0, |m, e| e.max(m)),
    );
    // One class has no others.
    let one = Sample { scores: Scores::new(vec![1.0], 1).unwrap(), labels: vec![0], metric: 1.0 };
    let refused = Batch::new(&[one], &input(Feature::Margin, &[]), WithRespectTo::Feature);
    assert!(matches!(refused, Err(Error::Shape { .. })), "{refused:?}");
}
