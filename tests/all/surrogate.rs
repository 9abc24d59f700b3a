//! The objective's exact gradient, learning, checkpoints and files.

use std::sync::atomic::Ordering::Relaxed;

use dfdx::prelude::*;
use reloss::correlation::{kendall_tau_b, pearson, spearman};
use reloss::loss::{self, value, CrossEntropy, Focal, Loss, MeanAbsoluteError};
use reloss::metric::{ClassMetric, Custom, Direction, Metric, Scores, TopK};
use reloss::ops::{host, matrix, Activation, Parameters};
use reloss::rank::{rank, Ties};
use reloss::sampler::{Sample, Sampler, Store};
use reloss::sort::{SoftSort, SortingNetwork};
use reloss::surrogate::*;
use reloss::{Error, Tape};

use crate::support::{assert_close, wide};

fn samples(count: usize) -> Vec<Sample> {
    Sampler::random(5).draw(&TopK::ACCURACY, count, 7).unwrap()
}

fn gradient(network: &Network, batch: &Batch, penalty: &Penalty, fit: &Fit) -> Vec<f64> {
    let value = objective(network, batch, &TopK::ACCURACY, penalty, fit, Tape::default()).unwrap();
    let mut gradients = value.total.backward();
    let mut flat = Vec::new();
    for p in network.parameters().iter() {
        gradients.get_or_alloc_mut(p.value()).unwrap();
        flat.extend(wide(&host(&gradients.get(p.value()))));
    }
    flat
}

/// A network whose one parameter value is moved by `step`.
fn moved(network: &Network, index: usize, step: f32) -> Network {
    let mut before = 0;
    let members = network.parameters().iter().map(|p| {
        let mut values = host(p.value());
        if (before..before + values.len()).contains(&index) {
            values[index - before] += step;
        }
        before += values.len();
        reloss::ops::Parameter::new(p.name(), p.shape(), values).unwrap()
    });
    let moved = Network::from_parameters(&Parameters::new(members.collect())).unwrap();
    moved.with_activation(network.activation())
}

#[test]
fn objective_gradient_agrees_with_finite_differences() {
    let network = Network::new(1, 6, 2).unwrap();
    let samples = samples(12);
    for feature in [Feature::Probability, Feature::LogOdds] {
        for with_respect_to in [WithRespectTo::Logits, WithRespectTo::Probabilities] {
            for slope in [Slope::Row, Slope::SampleMean] {
                let input = Input { feature, temperature: 2.0, scale: 0.5, ..Input::default() };
                let batch = Batch::new(&samples, &input, with_respect_to).unwrap();
                let penalty = Penalty { weight: 0.1, with_respect_to, slope };
                let exact = gradient(&network, &batch, &penalty, &Fit::default());
                let at = |i: usize, step: f32| {
                    let network = moved(&network, i, step);
                    let (metric, fit) = (TopK::ACCURACY, Fit::default());
                    let value =
                        objective(&network, &batch, &metric, &penalty, &fit, Tape::default()).unwrap();
                    f64::from(reloss::ops::scalar(&value.total))
                };
                // f32 values: a step of 2e-3 leaves about 1e-4 of rounding and curvature.
                let scale = exact.iter().fold(1.0f64, |m, g| m.max(g.abs()));
                for i in (0..exact.len()).step_by(5) {
                    let difference = (at(i, 2e-3) - at(i, -2e-3)) / 4e-3;
                    assert_close(&[exact[i]], &[difference], 2e-2 * scale);
                }
            }
        }
    }
}

#[test]
fn other_fits_have_right_gradients_and_limits() {
    let network = Network::deep(1, 6, 2, 2).unwrap().with_activation(Activation::Tanh);
    let samples = samples(12);
    let batch = Batch::new(&samples, &Input::default(), WithRespectTo::Feature).unwrap();
    let penalty = Penalty { weight: 0.1, ..Penalty::default() };
    let at = |network: &Network, fit: &Fit| {
        objective(network, &batch, &TopK::ACCURACY, &penalty, fit, Tape::default()).unwrap()
    };
    for fit in [Fit::Kendall(0.5), Fit::Pearson, Fit::Ordinal(SoftSort::default()), Fit::Value] {
        let exact = gradient(&network, &batch, &penalty, &fit);
        let scale = exact.iter().fold(1.0f64, |m, g| m.max(g.abs()));
        for i in (0..exact.len()).step_by(3) {
            let total = |step| f64::from(reloss::ops::scalar(&at(&moved(&network, i, step), &fit).total));
            assert_close(&[exact[i]], &[(total(5e-4) - total(-5e-4)) / 1e-3], 2e-2 * scale);
        }
    }
    // The loss of each sample, and what the correlations are of their negatives.
    let loss = Surrogate::new(network.clone(), Input::default(), "accuracy").unwrap();
    let losses: Vec<f64> = loss.values(&samples).unwrap().iter().map(|loss| -loss).collect();
    let metric: Vec<f64> = samples.iter().map(|sample| sample.metric).collect();
    let of = |fit| f64::from(at(&network, &fit).agreement);
    assert_close(&[of(Fit::Pearson)], &[pearson(&losses, &metric).unwrap()], 1e-4);
    assert_close(&[of(Fit::Kendall(1e-5))], &[kendall_tau_b(&losses, &metric).unwrap()], 1e-4);
    // As sharp as ranks can be: ties of the metric broken by position.
    let sharp = SortingNetwork { steepness: 1e7, ..SortingNetwork::default() };
    let ordinal = spearman(&losses, &rank(&metric, Ties::Ordinal).unwrap()).unwrap();
    assert!((ordinal - spearman(&losses, &metric).unwrap()).abs() > 1e-3, "the samples have ties");
    assert_close(&[of(Fit::Ordinal(sharp.into()))], &[ordinal], 1e-3);
    assert_close(&[of(Fit::Rank(sharp.into()))], &[spearman(&losses, &metric).unwrap()], 1e-3);
}

#[test]
fn no_fit_learns_from_samples_of_one_metric() {
    let network = Network::new(1, 4, 0).unwrap();
    let one = vec![samples(1)[0].clone(); 6];
    let batch = Batch::new(&one, &Input::default(), WithRespectTo::Feature).unwrap();
    let soft = SoftSort::default();
    for fit in [Fit::Rank(soft), Fit::Ordinal(soft), Fit::Kendall(0.1), Fit::Pearson] {
        let refused =
            objective(&network, &batch, &TopK::ACCURACY, &Penalty::default(), &fit, Tape::default());
        assert!(matches!(refused, Err(Error::Undefined { .. })), "{fit:?}: {refused:?}");
    }
}

#[test]
fn networks_of_any_depth_and_activation_are_learned_and_survive_their_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("loss.safetensors");
    for (depth, activation, monotone, set) in [
        (1, Activation::Elu, false, false),
        (1, Activation::Tanh, false, true),
        (2, Activation::Relu, true, false),
        (3, Activation::Identity, false, true),
        (5, Activation::Tanh, true, false),
    ] {
        let input = Input { set, ..Input::default() };
        let options =
            Learn { depth, activation, monotone, input, hidden: 6, output_bias: 2.0, steps: 3, ..quick() };
        let sampler = Sampler::random(2);
        let loss = learn(&TopK::ACCURACY, &sampler, &options).unwrap().loss;
        assert_eq!((loss.network().depth(), loss.network().activation()), (depth, activation));
        let layers = loss.network().parameters().iter().count();
        assert_eq!(layers, 2 * (depth + 1));
        loss.save(&path).unwrap();
        let back = Surrogate::load(&path).unwrap();
        assert_eq!((back.network().depth(), back.network().activation()), (depth, activation));
        let samples = sampler.draw(&TopK::ACCURACY, 9, 3).unwrap();
        assert_eq!(back.values(&samples).unwrap(), loss.values(&samples).unwrap());
        if monotone {
            let curve: Vec<f64> = (1..40)
                .map(|i| f64::from(i) / 40.0)
                .map(|p| {
                    let scores = Scores::new(vec![(p / (1.0 - p)).ln() as f32, 0.0], 2).unwrap();
                    value(&loss, &scores, &[0]).unwrap()
                })
                .collect();
            assert!(curve.windows(2).all(|pair| pair[1] <= pair[0] + 1e-6), "{curve:?}");
        }
    }
    assert!(matches!(Network::deep(1, 4, 0, 0), Err(Error::Parameter { name: "depth", .. })));
    // A layer that is missing is no shallower network.
    let all = Network::new(1, 4, 0).unwrap();
    let without = all.parameters().iter().filter(|p| p.name() != "logits_fcs.2.weight").cloned().collect();
    assert!(matches!(Network::from_parameters(&Parameters::new(without)), Err(Error::Shape { .. })));
}

#[test]
fn a_refreshed_loss_is_the_one_learned_from_what_it_saw() {
    let options = Learn { steps: 4, output_bias: 2.0, ..quick() };
    let first = learn(&TopK::ACCURACY, &Sampler::random(5), &options).unwrap().loss;
    let template = Sampler { rows: 16, ..Sampler::stored(Store::empty(5)) };
    let metric = std::sync::Arc::new(TopK::ACCURACY);
    let refreshed =
        Refreshed::new(first.clone(), metric.clone(), template.clone(), options.clone(), 2).unwrap();
    let seen = samples(3);
    let of = |loss: &dyn Loss, sample: &Sample| value(loss, &sample.scores, &sample.labels).unwrap();
    let values: Vec<f64> = seen.iter().map(|sample| of(&refreshed, sample)).collect();
    let mut store = Store::new(seen[0].scores.clone(), seen[0].labels.clone()).unwrap();
    store.append(seen[1].scores.clone(), seen[1].labels.clone()).unwrap();
    let second = learn(&TopK::ACCURACY, &template.clone().with_store(store), &options).unwrap().loss;
    assert_eq!(values, [of(&first, &seen[0]), of(&first, &seen[1]), of(&second, &seen[2])]);
    assert_ne!(of(&first, &seen[2]), values[2]);
    assert!(matches!(Refreshed::new(first, metric, template, options, 0), Err(Error::Parameter { .. })));
}

/// Two classes, 12 rows a sample, F1 for a metric: no mean over rows.
fn sets(count: usize) -> Vec<Sample> {
    let sampler = Sampler { rows: 12, ..Sampler::random(2) };
    sampler.draw(&ClassMetric::MACRO_F1, count, 3).unwrap()
}

const SET: Input = Input {
    feature: Feature::LogOdds,
    also: Vec::new(),
    temperature: 1.0,
    scale: 0.5,
    balanced: false,
    set: true,
};

#[test]
fn objectives_of_sets_have_right_gradients() {
    let network = Network::new(2, 6, 2).unwrap();
    let samples = sets(10);
    let sort = Fit::Rank(SoftSort::default());
    for (fit, slope) in [
        (sort, Slope::Row),
        (sort, Slope::Sample),
        (Fit::Value, Slope::Sample),
        (Fit::Value, Slope::SampleMean),
    ] {
        let penalty = Penalty { weight: 0.3, with_respect_to: WithRespectTo::Logits, slope };
        let batch = Batch::new(&samples, &SET, penalty.with_respect_to).unwrap();
        let value = |network: &Network| {
            objective(network, &batch, &ClassMetric::MACRO_F1, &penalty, &fit, Tape::default()).unwrap()
        };
        let mut gradients = value(&network).total.backward();
        let exact: Vec<f64> = network
            .parameters()
            .iter()
            .flat_map(|p| {
                gradients.get_or_alloc_mut(p.value()).unwrap();
                wide(&host(&gradients.get(p.value())))
            })
            .collect();
        let at = |i, step| f64::from(reloss::ops::scalar(&value(&moved(&network, i, step)).total));
        let scale = exact.iter().fold(1.0f64, |m, g| m.max(g.abs()));
        assert!(exact.iter().any(|g| g.abs() > 1e-3), "{fit:?} {slope:?}");
        for i in (0..exact.len()).step_by(5) {
            assert_close(&[exact[i]], &[(at(i, 5e-4) - at(i, -5e-4)) / 1e-3], 2e-2 * scale);
        }
    }
}

#[test]
fn the_penalty_of_a_set_is_on_the_gradient_a_model_gets() {
    let samples = sets(1);
    let (scores, labels) = (&samples[0].scores, &samples[0].labels);
    let network = Network::new(2, 8, 5).unwrap();
    let loss = Surrogate::new(network.clone(), SET, "macro-F1").unwrap();
    let logits = reloss::ops::matrix(scores.values().to_vec(), 12, 2).unwrap();
    let value = loss.loss(logits.leaky_trace(), labels).unwrap();
    let gradient = wide(&host(&value.backward().get(&logits)));
    // By differences, of the value.
    let at = |i: usize, step: f32| {
        let mut moved = scores.values().to_vec();
        moved[i] += step;
        reloss::loss::value(&loss, &Scores::new(moved, 2).unwrap(), labels).unwrap()
    };
    let differences: Vec<f64> = (0..24).map(|i| (at(i, 1e-2) - at(i, -1e-2)) / 2e-2).collect();
    assert_close(&gradient, &differences, 1e-4);
    // The root mean square over rows of 12 times their gradients' norms.
    let norm = (12.0 * gradient.iter().map(|g| g * g).sum::<f64>()).sqrt();
    let penalty = Penalty { weight: 1.0, with_respect_to: WithRespectTo::Logits, slope: Slope::Sample };
    let pair = [samples[0].clone(), samples[0].clone()];
    let batch = Batch::new(&pair, &SET, penalty.with_respect_to).unwrap();
    let judged =
        objective(&network, &batch, &ClassMetric::MACRO_F1, &penalty, &Fit::Value, Tape::default()).unwrap();
    assert_close(&[f64::from(judged.penalty)], &[(norm - 1.0).powi(2)], 1e-4);
    // The fit: the loss itself against 1 − F1.
    let own = reloss::loss::value(&loss, scores, labels).unwrap();
    let total = f64::from(reloss::ops::scalar(&judged.total)) - f64::from(judged.penalty);
    assert_close(&[total], &[(own - (1.0 - samples[0].metric)).powi(2)], 1e-5);
}

#[test]
fn sets_refuse_what_they_cannot_see() {
    let three = Sampler::random(3).draw(&TopK::ACCURACY, 2, 0).unwrap();
    assert!(matches!(Batch::new(&three, &SET, WithRespectTo::Feature), Err(Error::Shape { .. })));
    let both = Input { balanced: true, ..SET };
    let network = Network::new(2, 4, 0).unwrap();
    assert!(matches!(Surrogate::new(network.clone(), both, "m"), Err(Error::Parameter { .. })));
    let loss = Surrogate::new(network, SET, "m").unwrap();
    let logits = reloss::ops::matrix(vec![0.0; 4], 2, 2).unwrap();
    assert!(matches!(loss.rows(logits, &[0, 1]), Err(Error::Parameter { name: "input", .. })));
    // A metric without bounds has no values to fit.
    let unbounded = Custom::new("mine", Direction::HigherIsBetter, |scores, _| f64::from(scores.row(0)[0]));
    let options = Learn { fit: Fit::Value, steps: 1, ..Learn::default() };
    let refused = learn(&unbounded, &Sampler::random(2), &options);
    assert!(matches!(refused, Err(Error::Parameter { name: "fit", .. })), "{refused:?}");
}

#[test]
fn a_loss_of_sets_is_learned_for_a_metric_that_is_no_mean() {
    let sampler = Sampler { rows: 32, ..Sampler::random(2) };
    let options = Learn {
        steps: 60,
        input: Input { set: true, ..Input::default() },
        penalty: Penalty { weight: 0.1, slope: Slope::Sample, ..Penalty::default() },
        ..Learn::default()
    };
    let learned = learn(&ClassMetric::MATTHEWS, &sampler, &options);
    let learned = learned.unwrap();
    assert!(learned.held_out > 0.8, "{}", learned.held_out);
    // Saved and loaded it is the same loss.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("loss.safetensors");
    learned.loss.save(&path).unwrap();
    let loaded = Surrogate::load(&path).unwrap();
    let sample = &sampler.draw(&TopK::ACCURACY, 1, 0).unwrap()[0];
    let value = |loss: &Surrogate| reloss::loss::value(loss, &sample.scores, &sample.labels).unwrap();
    assert_eq!(value(&loaded), value(&learned.loss));
}

#[test]
fn direction_is_the_norm_of_the_inputs_gradient() {
    let samples = samples(1);
    let (scores, labels) = (&samples[0].scores, &samples[0].labels);
    for feature in [Feature::Probability, Feature::LogOdds] {
        let input = Input { feature, temperature: 1.5, scale: 1.0, ..Input::default() };
        let batch = Batch::new(&samples, &input, WithRespectTo::Logits).unwrap();
        let logits = matrix(scores.values().to_vec(), scores.rows(), scores.classes()).unwrap();
        let x = match feature {
            Feature::Probability => reloss::ops::target_probability(logits.leaky_trace(), labels, 1.5),
            _ => reloss::ops::target_log_odds(logits.leaky_trace(), labels, 1.5),
        };
        let x = x.unwrap();
        let scaled: Vec<f64> = wide(&host(&x)).iter().map(|x| x * f64::from(input.scale)).collect();
        assert_close(&wide(&host(&batch.x)), &scaled, 1e-5);
        let gradient = host(&x.sum().backward().get(&logits));
        let norms: Vec<f64> = gradient
            .chunks(scores.classes())
            .map(|g| g.iter().map(|v| f64::from(v * v)).sum::<f64>().sqrt())
            .collect();
        assert_close(&wide(&host(&batch.directions[0])), &norms, 1e-5);
    }
}

fn quick() -> Learn {
    Learn { steps: 12, samples: 16, hidden: 16, held_out: 32, evaluate_every: 4, ..Learn::default() }
}

#[test]
fn same_seed_same_weights_whatever_the_threads() {
    let learn_with = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| learn(&TopK::ACCURACY, &Sampler::random(4), &quick()).unwrap())
    };
    let (one, three) = (learn_with(1), learn_with(3));
    assert_eq!(one.loss.network().parameters().values(), three.loss.network().parameters().values());
    assert_eq!(one.history, three.history);
}

/// Calls of `failing` left before it gives up, as if the process had been killed.
static LEFT: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);

fn failing(scores: &Scores, labels: &[usize]) -> f64 {
    let before = LEFT.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(1));
    let hits = labels.iter().enumerate().filter(|&(i, &label)| scores.argmax(i) == label).count();
    before.map_or(f64::NAN, |_| hits as f64 / labels.len() as f64)
}

#[test]
fn an_interrupted_run_continues_to_the_same_weights() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.safetensors");
    let metric = Custom::new("failing accuracy", Direction::HigherIsBetter, failing);
    let run = |calls: usize, options: Learn| {
        LEFT.store(calls, Relaxed);
        learn(&metric, &Sampler::random(4), &options)
    };
    let whole = run(usize::MAX, quick()).unwrap();
    // 32 held-out samples and 16 a step: it dies in step 10, after the checkpoint of step 8.
    let kept = Learn { checkpoint: Some(path.clone()), resume: true, ..quick() };
    assert!(matches!(run(32 + 9 * 16 + 5, kept.clone()), Err(Error::Undefined { .. })));
    let resumed = run(usize::MAX, kept.clone()).unwrap();
    assert_eq!(whole.loss.network().parameters().values(), resumed.loss.network().parameters().values());
    assert_eq!(whole.history, resumed.history);

    let other = Learn { seed: 1, ..kept.clone() };
    assert!(matches!(run(usize::MAX, other), Err(Error::Parameter { name: "resume", .. })));
    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    assert!(matches!(run(usize::MAX, kept), Err(Error::Data { .. })));
}

#[test]
fn a_learned_loss_ranks_and_survives_its_file() {
    let learned =
        learn(&TopK::ACCURACY, &Sampler::random(5), &Learn { steps: 60, samples: 32, hidden: 32, ..quick() })
            .unwrap();
    assert!(learned.held_out > 0.9, "held-out Spearman {}", learned.held_out);
    let report = learned.report(&TopK::ACCURACY, &samples(300)).unwrap();
    assert!(report.agreements[0].spearman.value > 0.8, "{:?}", report.agreements[0].spearman);

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("loss.safetensors");
    learned.loss.save(&path).unwrap();
    let loaded = Surrogate::load(&path).unwrap();
    let sample = &samples(1)[0];
    let of = |loss: &Surrogate| value(loss, &sample.scores, &sample.labels).unwrap();
    assert_eq!(of(&learned.loss), of(&loaded));
    assert_eq!(loaded.metric(), TopK::ACCURACY.name());
    let again = folder.path().join("again.safetensors");
    loaded.save(&again).unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), std::fs::read(&again).unwrap());
}

#[test]
fn an_error_rate_teaches_the_loss_that_accuracy_teaches() {
    fn error_rate(scores: &Scores, labels: &[usize]) -> f64 {
        1.0 - TopK::ACCURACY.value(scores, labels).unwrap_or(f64::NAN)
    }
    let error = Custom::new("error rate", Direction::LowerIsBetter, error_rate);
    let learned = |metric: &dyn Metric| learn(metric, &Sampler::random(4), &quick()).unwrap();
    let (one, other) = (learned(&TopK::ACCURACY), learned(&error));
    assert!(one.held_out > 0.0 && (one.held_out - other.held_out).abs() < 1e-9);
    let sample = &samples(1)[0];
    let of = |l: &Learned| value(&l.loss, &sample.scores, &sample.labels).unwrap();
    assert_close(&[of(&one)], &[of(&other)], 1e-4);
}

#[test]
fn a_surrogates_gradient_agrees_with_finite_differences() {
    let network = Network::new(1, 8, 4).unwrap();
    for feature in [Feature::Probability, Feature::LogOdds] {
        let loss =
            Surrogate::new(network.clone(), Input { feature, ..Input::default() }, "accuracy").unwrap();
        let z = [0.3f32, -0.2, 0.9, 1.4, 0.1, -1.0];
        let logits = matrix(z.to_vec(), 2, 3).unwrap();
        let exact = wide(&host(&loss.loss(logits.leaky_trace(), &[2, 1]).unwrap().backward().get(&logits)));
        let at = |i: usize, step: f32| {
            let mut z = z;
            z[i] += step;
            value(&loss, &Scores::new(z.to_vec(), 3).unwrap(), &[2, 1]).unwrap()
        };
        let differences: Vec<f64> = (0..6).map(|i| (at(i, 1e-2) - at(i, -1e-2)) / 2e-2).collect();
        assert_close(&exact, &differences, 2e-4);
    }
}

fn constant(_: &Scores, _: &[usize]) -> f64 {
    0.5
}

fn not_a_number(_: &Scores, _: &[usize]) -> f64 {
    f64::NAN
}

#[test]
fn learning_names_what_is_wrong() {
    let sampler = Sampler::random(3);
    let with = |metric: &dyn Metric, options: Learn| learn(metric, &sampler, &options).map(|l| l.held_out);
    let flat = Custom::new("flat", Direction::HigherIsBetter, constant);
    assert!(matches!(with(&flat, quick()), Err(Error::Undefined { .. })));
    let broken = Custom::new("broken", Direction::HigherIsBetter, not_a_number);
    assert!(matches!(with(&broken, quick()), Err(Error::Undefined { .. })));
    for bad in [
        Learn { steps: 0, ..quick() },
        Learn { samples: 1, ..quick() },
        Learn { held_out: 0, ..quick() },
        Learn { learning_rate: f64::NAN, ..quick() },
        Learn { hidden: 0, ..quick() },
        Learn { penalty: Penalty { weight: -1.0, ..Penalty::default() }, ..quick() },
        Learn {
            fit: Fit::Rank(SortingNetwork { steepness: 0.0, ..SortingNetwork::default() }.into()),
            ..quick()
        },
    ] {
        assert!(matches!(with(&TopK::ACCURACY, bad.clone()), Err(Error::Parameter { .. })), "{bad:?}");
    }
    assert!(matches!(Batch::new(&[], &Input::default(), WithRespectTo::Logits), Err(Error::Shape { .. })));
    let wide_network = Network::new(2, 4, 0).unwrap();
    assert!(matches!(Surrogate::new(wide_network, Input::default(), "m"), Err(Error::Shape { .. })));
}

#[test]
fn original_losses_by_hand() {
    let scores = Scores::new(vec![0.0, 0.0, 3.0f32.ln(), 0.0], 2).unwrap();
    // p of the labels: 1/2 and 3/4
    let expected = -(0.5f64.ln() + 0.75f64.ln()) / 2.0;
    assert_close(&[value(&CrossEntropy::default(), &scores, &[1, 0]).unwrap()], &[expected], 1e-6);
    assert_close(&[value(&MeanAbsoluteError, &scores, &[1, 0]).unwrap()], &[0.375], 1e-6);
    let weighted = CrossEntropy { class_weights: Some(vec![3.0, 1.0]), smoothing: 0.0 };
    let expected = -(0.5f64.ln() + 3.0 * 0.75f64.ln()) / 4.0;
    assert_close(&[value(&weighted, &scores, &[1, 0]).unwrap()], &[expected], 1e-6);
    let short = CrossEntropy { class_weights: Some(vec![1.0]), smoothing: 0.0 };
    assert!(matches!(value(&short, &scores, &[1, 0]), Err(Error::Shape { .. })));
    assert!(matches!(CrossEntropy::balanced(&[0, 0], 2), Err(Error::Parameter { .. })));
}

#[test]
fn label_smoothing_by_hand() {
    let smoothed = CrossEntropy::smoothed(0.2).unwrap();
    let scores = Scores::new(vec![3.0f32.ln(), 0.0], 2).unwrap();
    let expected = -(0.9 * 0.75f64.ln() + 0.1 * 0.25f64.ln());
    assert_close(&[value(&smoothed, &scores, &[0]).unwrap()], &[expected], 1e-6);
    // softmax − (0.9, 0.1)
    let logits = matrix(scores.values().to_vec(), 1, 2).unwrap();
    let loss = smoothed.loss(logits.clone().leaky_traced(), &[0]).unwrap();
    let gradients = loss.try_backward().unwrap();
    assert_close(&wide(&host(&gradients.get(&logits))), &[-0.15, 0.15], 1e-6);
    assert!(matches!(CrossEntropy::smoothed(1.0), Err(Error::Parameter { name: "smoothing", .. })));
}

#[test]
fn focal_loss_by_hand_and_by_differences() {
    let scores = Scores::new(vec![3.0f32.ln(), 0.0, 0.5, -1.0], 2).unwrap();
    let sure = 1.0 / (1.0 + (-1.5f64).exp());
    let focal = Focal::new(3.0).unwrap();
    let expected = -(0.75f64.powi(3) * 0.25f64.ln() + (1.0 - sure).powi(3) * sure.ln()) / 2.0;
    assert_close(&[value(&focal, &scores, &[1, 0]).unwrap()], &[expected], 1e-6);
    // γ = 0 is cross-entropy, in value and gradient.
    let plain = Focal::new(0.0).unwrap();
    let labels = [1, 0];
    let [ours, theirs] = [
        loss::gradient(&plain, &scores, &labels).unwrap(),
        loss::gradient(&CrossEntropy::default(), &scores, &labels).unwrap(),
    ];
    assert_close(&wide(&ours), &wide(&theirs), 1e-6);
    let slope = loss::gradient(&focal, &scores, &labels).unwrap();
    for i in 0..4 {
        let moved = |by: f32| {
            let mut z = scores.values().to_vec();
            z[i] += by;
            value(&focal, &Scores::new(z, 2).unwrap(), &labels).unwrap()
        };
        assert_close(&[f64::from(slope[i])], &[(moved(0.01) - moved(-0.01)) / 0.02], 1e-4);
    }
    // Far off and all but certain: finite.
    let far = Scores::new(vec![500.0, 0.0, 500.0, 0.0], 2).unwrap();
    assert_close(&[value(&focal, &far, &[0, 1]).unwrap()], &[250.0], 1e-3);
    assert!(loss::gradient(&focal, &far, &[0, 1]).unwrap().iter().all(|g| g.is_finite()));
    assert!(matches!(Focal::new(-1.0), Err(Error::Parameter { name: "gamma", .. })));
}

#[test]
fn a_balanced_input_weighs_rare_classes_and_sees_their_share() {
    let input = Input { balanced: true, ..Input::default() };
    let scores = Scores::new(vec![1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 0.0, 1.0], 2).unwrap();
    let sample = Sample { scores: scores.clone(), labels: vec![0, 0, 0, 1], metric: 1.0 };
    let batch = Batch::new(&[sample], &input, WithRespectTo::Feature).unwrap();
    // Shares 3/4 and 1/4 of two classes: weights 1/(2·3/4) and 1/(2·1/4).
    assert_close(&wide(&host(&batch.weight)), &[2.0 / 3.0, 2.0 / 3.0, 2.0 / 3.0, 2.0], 1e-6);
    let x = wide(&host(&batch.x));
    assert_close(&x[..2], &[0.2, 1.5f64.ln()], 1e-6);
    assert_close(&x[6..], &[0.2, 0.5f64.ln()], 1e-6);

    let loss = Surrogate::new(Network::new(2, 4, 0).unwrap(), input, "macro-F1").unwrap();
    let even = loss.clone().with_shares_of(&[0, 1], 2).unwrap();
    let labels = [0, 0, 0, 1];
    assert!(value(&loss, &scores, &labels).unwrap() != value(&even, &scores, &labels).unwrap());
    let one_class = loss.with_shares_of(&[0, 0], 2).unwrap();
    assert!(matches!(value(&one_class, &scores, &labels), Err(Error::Parameter { name: "shares", .. })));
}

#[test]
fn the_shares_of_a_balanced_loss_survive_its_file() {
    let input = Input { balanced: true, ..Input::default() };
    let loss = Surrogate::new(Network::new(2, 8, 0).unwrap(), input.clone(), "macro-F1").unwrap();
    let loss = loss.with_shares_of(&[0, 0, 0, 1], 2).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("loss.safetensors");
    loss.save(&path).unwrap();
    let loaded = Surrogate::load(&path).unwrap();
    // One row: without the training shares its own label would have share 1.
    let scores = Scores::new(vec![0.3, 1.0], 2).unwrap();
    let of = |loss: &Surrogate| value(loss, &scores, &[1]).unwrap();
    assert_eq!(of(&loss), of(&loaded));
    assert_eq!(*loaded.input(), input);
}

/// Golden values of PyTorch and diffsort: see `tests/golden/objective.py`.
#[derive(serde::Deserialize)]
struct Golden {
    logits: Vec<f64>,
    labels: Vec<usize>,
    metric: Vec<f64>,
    losses: Vec<f64>,
    penalty: f64,
    agreement: f64,
    gradient: std::collections::BTreeMap<String, Vec<f64>>,
}

#[test]
fn the_objective_equals_pytorchs_double_backward() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let golden: Golden =
        serde_json::from_slice(&std::fs::read(folder.join("objective.json")).unwrap()).unwrap();
    let loss = Surrogate::load(&folder.join("objective.safetensors")).unwrap();
    assert_eq!(*loss.input(), Input::released());

    let parts = golden.logits.chunks(6 * 4).zip(golden.labels.chunks(6)).zip(&golden.metric);
    let samples: Vec<Sample> = parts
        .map(|((logits, labels), &metric)| {
            let scores = Scores::new(logits.iter().map(|&z| z as f32).collect(), 4).unwrap();
            Sample { scores, labels: labels.to_vec(), metric }
        })
        .collect();
    let values: Vec<f64> = samples.iter().map(|s| value(&loss, &s.scores, &s.labels).unwrap()).collect();
    assert_close(&values, &golden.losses, 1e-6);

    let batch = Batch::new(&samples, &Input::released(), WithRespectTo::Logits).unwrap();
    let (penalty, fit) = (Penalty::released(), Fit::default());
    let got = objective(loss.network(), &batch, &TopK::ACCURACY, &penalty, &fit, Tape::default()).unwrap();
    assert_close(
        &[f64::from(got.agreement), f64::from(got.penalty)],
        &[golden.agreement, golden.penalty],
        2e-5,
    );
    let mut gradients = got.total.backward();
    let scale = golden.gradient.values().flatten().fold(0.0f64, |m, g| m.max(g.abs()));
    for p in loss.network().parameters().iter() {
        let want = &golden.gradient[p.name()];
        gradients.get_or_alloc_mut(p.value()).unwrap();
        assert_close(&wide(&host(&gradients.get(p.value()))), want, 1e-4 * scale);
    }
}
