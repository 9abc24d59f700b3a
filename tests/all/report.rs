//! Report cards: what they measure, what they warn of, and what a page of them holds.

use crate::support::{assert_close, wide};
use reloss::correlation::{kendall_tau_b, spearman};
use reloss::loss::{gradient, value, Focal};
use reloss::metric::{Bootstrap, ClassMetric, Custom, Direction, Isotonic, PckMetric, Scores, TopK};
use reloss::ops::{Parameter, Parameters};
use reloss::sampler::{PoseSampler, Sample, Sampler, Stage, Store};
use reloss::surrogate::{
    learn, learn_pose, Input, Learn, Network, PoseForm, Pretrained, Report, ReportOptions, Rival, Surrogate,
    Warning,
};
use reloss::Error;

/// A loss of one unit a layer: with positive weights ELU changes nothing, and it is |weight · x + bias|.
fn straight(input: Input, weight: f32, bias: f32) -> Surrogate {
    let last = [(1.0, 0.0), (1.0, 0.0), (1.0, 0.0), (weight, bias)];
    let mut members = Vec::new();
    for (name, (weight, bias)) in ["logits_fcs.0", "logits_fcs.2", "loss.0", "loss.2"].iter().zip(last) {
        members.push(Parameter::new(&format!("{name}.weight"), &[1, 1], vec![weight]).unwrap());
        members.push(Parameter::new(&format!("{name}.bias"), &[1], vec![bias]).unwrap());
    }
    Surrogate::new(Network::from_parameters(&Parameters::new(members)).unwrap(), input, "accuracy").unwrap()
}

/// The authors' released weights, as measured: 128.16 · |p − 0.814|.
pub(super) fn v_shaped() -> Surrogate {
    straight(Input::released(), 128.16, -128.16 * 0.814)
}

fn samples(count: usize) -> Vec<Sample> {
    Sampler::random(5).draw(&TopK::ACCURACY, count, 7).unwrap()
}

fn quick() -> ReportOptions {
    ReportOptions { bootstrap: Bootstrap { draws: 200, ..Bootstrap::default() }, ..ReportOptions::default() }
}

fn card(loss: &Surrogate, samples: &[Sample], options: &ReportOptions) -> Report {
    Report::new(loss, &TopK::ACCURACY, samples, options).unwrap()
}

#[test]
fn isotonic_regression_by_hand() {
    // Ties in x share their mean: (2, 3 and 5) is 4, above the 3 that follows: (3 + 5 + 3) / 3 = 11/3 from x = 2 to 3.
    let curve = Isotonic::rising(&[3.0, 2.0, 1.0, 2.0, 4.0], &[3.0, 5.0, 0.0, 3.0, 6.0]).unwrap();
    assert_eq!(curve.knots().iter().map(|k| k.0).collect::<Vec<_>>(), [1.0, 2.0, 3.0, 4.0]);
    let y: Vec<f64> = curve.knots().iter().map(|k| k.1).collect();
    assert_close(&y, &[0.0, 11.0 / 3.0, 11.0 / 3.0, 6.0], 1e-12);
    assert_close(
        &[curve.at(1.5), curve.at(2.7), curve.at(3.5)],
        &[11.0 / 6.0, 11.0 / 3.0, 29.0 / 6.0],
        1e-12,
    );
    // All the wrong way round: one level, the mean; two knots are enough for it.
    let level = Isotonic::rising(&[1.0, 2.0, 3.0, 4.0], &[3.0, 2.0, 1.0, 0.0]).unwrap();
    assert_eq!(level.knots(), [(1.0, 1.5), (4.0, 1.5)]);
    assert_eq!(Isotonic::rising(&[2.0], &[7.0]).unwrap().at(-1e300), 7.0);
    assert!(matches!(Isotonic::rising(&[], &[]), Err(Error::Shape { .. })));
    assert!(matches!(Isotonic::rising(&[1.0], &[]), Err(Error::Shape { .. })));
    assert!(matches!(Isotonic::rising(&[f64::NAN], &[1.0]), Err(Error::NotFinite { index: 0, .. })));
}

#[test]
fn a_card_measures_what_the_exact_functions_do() {
    let (loss, samples) = (straight(Input::default(), -3.0, 50.0), samples(120));
    let report = card(&loss, &samples, &quick());
    let metric: Vec<f64> = samples.iter().map(|s| s.metric).collect();
    assert_eq!(report.values, metric);
    let names: Vec<&str> = report.agreements.iter().map(|a| a.loss.as_str()).collect();
    assert_eq!(
        names,
        ["learned loss", "cross entropy", "cross entropy smoothed", "focal", "mean absolute error"]
    );
    for agreement in &report.agreements {
        let down: Vec<f64> = agreement.values.iter().map(|loss| -loss).collect();
        let exact = [spearman(&down, &metric).unwrap(), kendall_tau_b(&down, &metric).unwrap()];
        assert_close(&[agreement.spearman.value, agreement.kendall.value], &exact, 1e-12);
        for interval in [agreement.spearman, agreement.kendall] {
            assert!(interval.low < interval.value && interval.value < interval.high, "{interval:?}");
        }
        if let Some(lead) = agreement.lead {
            let behind = report.agreements[0].spearman.value - agreement.spearman.value;
            assert_close(&[lead.interval.value], &[behind], 1e-12);
        }
    }
    assert_eq!(report.agreements.iter().filter(|a| a.lead.is_none()).count(), 1);
    let of_band: usize = report.bands.iter().map(|band| band.samples).sum();
    assert_eq!((of_band, report.bands.len(), report.stages.len()), (120, 4, 0));
    assert!(report.bands.windows(2).all(|pair| pair[0].metric < pair[1].metric));
}

#[test]
fn lower_is_better_turns_the_sign() {
    let samples: Vec<Sample> =
        samples(100).into_iter().map(|s| Sample { metric: 1.0 - s.metric, ..s }).collect();
    let loss = straight(Input::default(), -3.0, 50.0);
    let error = Report::new(&loss, &ClassMetric::ERROR_RATE, &samples, &quick()).unwrap();
    assert!(error.agreements[0].spearman.low > 0.2, "{:?}", error.agreements[0].spearman);
    let back: Vec<Sample> = samples.iter().map(|s| Sample { metric: 1.0 - s.metric, ..s.clone() }).collect();
    let accuracy = card(&loss, &back, &quick());
    assert_close(&[error.agreements[0].spearman.value], &[accuracy.agreements[0].spearman.value], 1e-12);
    let caption = |report: &Report| report.table().unwrap().text().unwrap();
    assert!(caption(&error).contains("Spearman of loss") && caption(&accuracy).contains("Spearman of −loss"));
    // Both read as the same error.
    for at in [40.0, 50.0, 60.0] {
        assert_close(&[error.calibration.error(at)], &[accuracy.calibration.error(at)], 1e-12);
    }
}

#[test]
fn a_calibrated_loss_reads_as_the_error() {
    let learned = learn(
        &TopK::ACCURACY,
        &Sampler::random(5),
        &Learn { steps: 60, samples: 32, hidden: 32, held_out: 64, ..Learn::default() },
    )
    .unwrap();
    let report = learned.report_with(&TopK::ACCURACY, &samples(400), &quick()).unwrap();
    assert_eq!(report.history, learned.history);
    let fresh = Sampler::random(5).draw(&TopK::ACCURACY, 200, 8).unwrap();
    let off: f64 = fresh
        .iter()
        .map(|s| {
            (report.calibration.error(value(&learned.loss, &s.scores, &s.labels).unwrap()) - 1.0 + s.metric)
                .abs()
        })
        .sum::<f64>()
        / fresh.len() as f64;
    // What the card says of itself holds on fresh samples; the metric's own mean is off by about 0.25.
    assert!((off - report.calibration.off).abs() < 0.03 && off < 0.12, "{off} {}", report.calibration.off);
}

#[test]
fn the_released_v_is_flagged_though_it_ranks() {
    let report = card(&v_shaped(), &samples(200), &quick());
    let found = report.warnings.iter().find_map(|warning| match warning {
        Warning::Rises { minimum, rise } => Some((*minimum, *rise)),
        _ => None,
    });
    let (minimum, rise) = found.expect("a V is not monotone");
    // The grid has steps of 0.005; the way up is 0.185 of 0.813 down.
    assert_close(&[minimum, rise], &[0.814, 0.185 / 0.813], 4e-3);
    assert!(report.agreements[0].spearman.value > 0.5, "{:?}", report.agreements[0].spearman);
    // The losses that come with the library fall all the way, as their README says.
    for which in Pretrained::ALL {
        let loss = Surrogate::pretrained(which).unwrap();
        let report = Report::new(&loss, which.metric().as_ref(), &tailed(which), &quick()).unwrap();
        assert!(!report.warnings.iter().any(|w| matches!(w, Warning::Rises { .. })), "{which:?}");
    }
}

fn tailed(which: Pretrained) -> Vec<Sample> {
    Sampler::random(5).draw(which.metric().as_ref(), 60, 3).unwrap()
}

#[test]
fn a_sound_loss_has_no_warning_and_each_fault_has_its_own() {
    // Stored predictions of which the log-odds tell all: no fault to find but what is put in.
    let (samples, options) = (easy(150, 1), quick());
    let named = |loss: &Surrogate, samples: &[Sample]| {
        let warnings = card(loss, samples, &options).warnings;
        assert!(warnings.iter().all(|w| w.to_string().ends_with('.')), "{warnings:?}");
        warnings
    };
    let sound = straight(Input::default(), -3.0, 50.0);
    assert_eq!(named(&sound, &samples), []);
    let backwards = named(&straight(Input::default(), 3.0, 50.0), &samples);
    assert!(matches!(backwards[0], Warning::Backwards { .. }), "{backwards:?}");
    assert!(backwards.iter().any(|w| matches!(w, Warning::Rises { rise, .. } if *rise == 1.0)));
    assert!(backwards.iter().any(|w| matches!(w, Warning::Behind { loss, .. } if loss == "cross entropy")));
    assert_eq!(named(&straight(Input::default(), 0.0, 1.0), &samples), [Warning::Constant]);
    let below = Surrogate::new(
        sound.network().clone().with_output_bias(-60.0).unwrap(),
        Input::default(),
        "accuracy",
    )
    .unwrap();
    // |−3 x − 60| is positive again: the absolute value is what keeps a loss above 0.
    assert!(!named(&below, &samples).iter().any(|w| matches!(w, Warning::Negative { .. })));
}

#[test]
fn a_monotone_loss_below_zero_is_named() {
    let options =
        Learn { steps: 30, samples: 24, hidden: 16, held_out: 32, monotone: true, ..Learn::default() };
    let learned = learn(&TopK::ACCURACY, &Sampler::random(5), &options).unwrap();
    let lowered = learned.loss.network().clone().with_output_bias(-100.0).unwrap();
    let loss = Surrogate::new(lowered, learned.loss.input().clone(), "accuracy").unwrap();
    let warnings = card(&loss, &samples(60), &quick()).warnings;
    assert!(
        warnings.iter().any(|w| matches!(w, Warning::Negative { lowest } if *lowest < -90.0)),
        "{warnings:?}"
    );
    assert!(!warnings.iter().any(|w| matches!(w, Warning::Rises { .. })), "{warnings:?}");
}

/// Rows that are right have log-odds 2, wrong ones −2: the mean of the log-odds is the accuracy, but for noise of this size.
fn noisy(count: usize, seed: u64, noise: f32) -> Vec<Sample> {
    use rand::{Rng, SeedableRng};
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
    let mut one = || {
        let right = rng.gen_range(4..=60);
        let shift = noise * rng.gen_range(-1.0f32..1.0);
        let logits = (0..64).flat_map(|i| [if i < right { 2.0 } else { -2.0f32 } + shift, 0.0]);
        let scores = Scores::new(logits.collect(), 2).unwrap();
        Sample { scores, labels: vec![0; 64], metric: f64::from(right) / 64.0 }
    };
    (0..count).map(|_| one()).collect()
}

fn easy(count: usize, seed: u64) -> Vec<Sample> {
    noisy(count, seed, 0.01)
}

#[test]
fn agreement_that_falls_under_drift_is_flagged_and_steady_agreement_is_not() {
    let loss = straight(Input::default(), -3.0, 50.0);
    let stages = |noise: &[f32]| {
        let stage = |(i, &noise): (usize, &f32)| Stage {
            name: format!("epoch {}", i + 1),
            samples: noisy(80, 10 + i as u64, noise),
        };
        ReportOptions { stages: noise.iter().enumerate().map(stage).collect(), ..quick() }
    };
    let of = |noise: &[f32]| {
        let report = card(&loss, &easy(80, 1), &stages(noise));
        let mut warnings = report.warnings;
        warnings.retain(|w| matches!(w, Warning::Falls { .. }));
        (report.stages, warnings)
    };
    let (groups, none) = of(&[0.5, 0.3, 0.01, 0.3]);
    assert_eq!((groups.len(), groups[2].name.as_str(), groups[2].samples), (4, "epoch 3", 80));
    assert_eq!(groups[2].spearman.len(), 5);
    let value = |i: usize| groups[i].spearman[0].unwrap().value;
    assert!(value(2) > value(0), "less noise, more agreement");
    assert!(
        none.iter().all(|w| matches!(w, Warning::Falls { after, .. } if after.0 == "epoch 4")),
        "{none:?}"
    );
    assert_eq!(of(&[0.3, 0.3, 0.3]).1, []);
    let (_, falls) = of(&[0.3, 0.01, 1.0, 2.0]);
    let [Warning::Falls { before, after, original }] = falls.as_slice() else { panic!("{falls:?}") };
    assert_eq!((before.0.as_str(), after.0.as_str()), ("epoch 2", "epoch 4"));
    assert!(after.1.high < before.1.low && original.is_some());
}

#[test]
fn a_profiles_gradient_is_that_of_the_loss() {
    let cases = [Input::default(), Input { temperature: 2.0, ..Input::released() }, Input::ranked()];
    for input in cases {
        let loss =
            Surrogate::new(Network::new(input.width(), 8, 4).unwrap(), input.clone(), "accuracy").unwrap();
        let profile = loss.profile().unwrap();
        for i in [0, 60, 100, 170, 200] {
            let odds = (profile.p[i] / (1.0 - profile.p[i])).ln() as f32 * input.temperature;
            let row = Scores::new(vec![odds, 0.0], 2).unwrap();
            let slope = wide(&gradient(&loss, &row, &[0]).unwrap());
            let norm = slope.iter().map(|g| g * g).sum::<f64>().sqrt();
            assert_close(&[profile.gradient[i]], &[norm], 1e-4 * norm.max(1e-3));
            assert_close(&[profile.loss[i]], &[value(&loss, &row, &[0]).unwrap()], 1e-5);
        }
    }
    // A set of one row of class 1, and a row of a class of average share.
    let set = Input { set: true, ..Input::default() };
    let loss = Surrogate::new(Network::new(2, 8, 4).unwrap(), set, "F1").unwrap();
    let profile = loss.profile().unwrap();
    let odds = (profile.p[60] / (1.0 - profile.p[60])).ln() as f32;
    let row = Scores::new(vec![0.0, odds], 2).unwrap();
    assert_close(&[profile.loss[60]], &[value(&loss, &row, &[1]).unwrap()], 1e-5);
    let balanced = Input { balanced: true, ..Input::default() };
    let loss = Surrogate::new(Network::new(2, 8, 4).unwrap(), balanced, "macro-F1").unwrap();
    let rows = Scores::new(vec![odds, 0.0, 0.0, odds], 2).unwrap();
    assert_close(&[loss.profile().unwrap().loss[60]], &[value(&loss, &rows, &[0, 1]).unwrap()], 1e-5);
}

#[test]
fn every_kind_has_a_card() {
    let metric = PckMetric::new(0.2).unwrap();
    let sampler = PoseSampler::random(5, 16, 16).unwrap();
    let options = Learn { steps: 10, samples: 16, held_out: 32, hidden: 8, ..Learn::default() };
    let learned = learn_pose(PoseForm::Weighted, &metric, &sampler, &options).unwrap();
    let draw = |seed| sampler.draw(&metric, 60, seed).unwrap();
    let stages = vec![
        Stage { name: "early".to_string(), samples: draw(2) },
        Stage { name: "late".to_string(), samples: draw(3) },
    ];
    let options = ReportOptions {
        stages,
        bootstrap: Bootstrap { draws: 100, ..Bootstrap::default() },
        rivals: vec![Rival::new("instances", |sample: &reloss::sampler::PoseSample| {
            Ok(sample.target.rows() as f64)
        })],
        ..ReportOptions::default()
    };
    let report = learned.report_with(&metric, &draw(1), &options).unwrap();
    let names: Vec<&str> = report.agreements.iter().map(|a| a.loss.as_str()).collect();
    assert_eq!(names, ["learned loss", "squared error", "instances"]);
    assert_eq!(report.agreements[0].values, learned.loss.values(&draw(1)).unwrap());
    // The number of instances is always the same: it orders nothing, which is a 0 and no error.
    assert_eq!(report.agreements[2].spearman.value, 0.0);
    assert_eq!((report.stages.len(), report.profile.is_none()), (2, true));
    let html = report.block().unwrap().html().unwrap();
    assert!(html.contains("squared error") && html.contains("as the model improves"));
    assert!(!html.contains("probability p"));
}

#[test]
fn warnings_stand_on_top_of_the_page() {
    let options = ReportOptions {
        rivals: vec![Rival::of(Focal::new(5.0).unwrap()).named("sharp focal")],
        stages: vec![Stage { name: "epoch 1".to_string(), samples: samples(40) }],
        ..quick()
    };
    let report = card(&v_shaped(), &samples(80), &options);
    assert_eq!(report.agreements.len(), 6);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("card.html");
    report.block().unwrap().save(&path).unwrap();
    let page = std::fs::read_to_string(&path).unwrap();
    assert!(page.starts_with("<!DOCTYPE html>"));
    let (warning, figure) = (page.find("Warning: Not monotone").unwrap(), page.find("<img").unwrap());
    assert!(warning < figure);
    for text in [
        "how%20hard%20a%20row%20pulls",
        "tau-b",
        "sharp focal",
        "by difficulty",
        "as the model improves",
        "epoch 1",
    ] {
        assert!(page.contains(text), "{text}");
    }
}

#[test]
fn what_a_card_cannot_judge_is_an_error() {
    let (loss, held_out) = (v_shaped(), samples(40));
    let of =
        |samples: &[Sample], options: &ReportOptions| Report::new(&loss, &TopK::ACCURACY, samples, options);
    let same: Vec<Sample> = held_out.iter().map(|s| Sample { metric: 0.5, ..s.clone() }).collect();
    assert!(matches!(of(&same, &quick()), Err(Error::Undefined { .. })));
    assert!(matches!(of(&[], &quick()), Err(Error::Shape { .. })));
    let none = ReportOptions { bands: 0, ..quick() };
    assert!(matches!(of(&held_out, &none), Err(Error::Parameter { name: "bands", .. })));
    let nan = ReportOptions { rivals: vec![Rival::new("nan", |_| Ok(f64::NAN))], ..quick() };
    assert!(matches!(of(&held_out, &nan), Err(Error::At { place, .. }) if place == "nan"));
    let empty =
        ReportOptions { stages: vec![Stage { name: "none".to_string(), samples: vec![] }], ..quick() };
    assert!(matches!(of(&held_out, &empty), Err(Error::At { place, .. }) if place == "stage none"));
}

#[test]
fn stages_are_the_stores_parts_in_order() {
    // Rows 0 to 9 predict class 0, rows 10 to 19 class 1.
    let logits: Vec<f32> = (0..20).flat_map(|i| if i < 10 { [1.0, 0.0] } else { [0.0, 1.0] }).collect();
    let store = Store::new(Scores::new(logits, 2).unwrap(), vec![0; 20]).unwrap();
    fn first(scores: &Scores, _: &[usize]) -> f64 {
        (0..scores.rows()).filter(|&i| scores.argmax(i) == 0).count() as f64 / scores.rows() as f64
    }
    let metric = Custom::new("share of class 0", Direction::HigherIsBetter, first);
    let stages = Sampler::stored(store.clone()).stages(&metric, 2, 5, 0).unwrap();
    let values = |stage: &Stage| stage.samples.iter().map(|s| s.metric).collect::<Vec<f64>>();
    assert_eq!((values(&stages[0]), values(&stages[1])), (vec![1.0; 5], vec![0.0; 5]));
    let again = Sampler::stored(store).stages(&metric, 2, 5, 0).unwrap();
    assert_eq!(stages, again);
    let random = Sampler::random(3).stages(&TopK::ACCURACY, 2, 5, 0);
    assert!(matches!(random, Err(Error::Parameter { name: "stages", .. })));
}

/// Golden values of PyTorch, by the module in the docs of `Surrogate::save`: see `tests/golden/pytorch.py`.
#[derive(serde::Deserialize)]
struct Golden {
    module: String,
    cases: Vec<GoldenCase>,
}

#[derive(serde::Deserialize)]
struct GoldenCase {
    weights: String,
    notes: Option<GoldenNotes>,
    classes: usize,
    logits: Vec<f32>,
    labels: Vec<usize>,
    loss: f64,
    gradient: Vec<f64>,
}

#[derive(serde::Deserialize)]
struct GoldenNotes {
    input: Input,
    shares: Option<Vec<f64>>,
}

#[test]
fn the_pytorch_module_in_the_docs_computes_the_same_numbers() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read(root.join("tests/golden/pytorch.json")).unwrap();
    let golden: Golden = serde_json::from_slice(&text).unwrap();
    let docs = std::fs::read_to_string(root.join("src/surrogate/pytorch.md")).unwrap();
    assert!(docs.contains(&golden.module), "the module has changed: run tests/golden/pytorch.py again");
    for case in &golden.cases {
        let filed = Surrogate::load(&root.join(&case.weights)).unwrap();
        let loss = match &case.notes {
            None => filed,
            Some(notes) => {
                let loss = Surrogate::new(filed.network().clone(), notes.input.clone(), "accuracy").unwrap();
                match &notes.shares {
                    // Labels of these shares.
                    Some(shares) => {
                        let labels = shares.iter().enumerate();
                        let labels = labels.flat_map(|(class, s)| vec![class; (10.0 * s).round() as usize]);
                        loss.with_shares_of(&labels.collect::<Vec<_>>(), case.classes).unwrap()
                    }
                    None => loss,
                }
            }
        };
        let scores = Scores::new(case.logits.clone(), case.classes).unwrap();
        let what = format!("{} {:?}", case.weights, loss.input());
        let got = value(&loss, &scores, &case.labels).unwrap();
        assert!((got - case.loss).abs() < 1e-5 * case.loss.max(1.0), "{what}: {got}, {}", case.loss);
        let slope = wide(&gradient(&loss, &scores, &case.labels).unwrap());
        assert_close(&slope, &case.gradient, 1e-5);
    }
}
