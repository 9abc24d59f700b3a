//! Metrics by hand, and samplers: coverage, stability of draws, bad input.

use reloss::metric::*;
use reloss::sampler::{Coverage, Generator, Labels, Sampler, Source, Store};
use reloss::Error;

use crate::support::assert_close;

/// Three classes; predictions 0, 1, 1, 2.
fn scores() -> Scores {
    Scores::new(vec![3., 2., 1., 1., 3., 2., 0., 3., 1., 1., 2., 3.], 3).unwrap()
}

#[test]
fn classification_metrics_by_hand() {
    let labels = [0, 1, 2, 0];
    // Right: rows 0 and 1.
    assert_close(&[TopK::ACCURACY.value(&scores(), &labels).unwrap()], &[0.5], 1e-15);
    // Second guesses: row 2 gives class 2 (score 1 of 0, 3, 1); row 3 gives 1, not 0.
    assert_close(&[TopK::new(2).unwrap().value(&scores(), &labels).unwrap()], &[0.75], 1e-15);
    assert_close(&[TopK::new(9).unwrap().value(&scores(), &labels).unwrap()], &[1.0], 1e-15);
    // F1: class 0: 2·1/(1+2), class 1: 2·1/(2+1), class 2: 0/(1+1).
    assert_close(&[MacroF1.value(&scores(), &labels).unwrap()], &[(2.0 / 3.0 + 2.0 / 3.0) / 3.0], 1e-15);
    // Recall: 1/2, 1, 0.
    assert_close(&[BalancedAccuracy.value(&scores(), &labels).unwrap()], &[0.5], 1e-15);
}

#[test]
fn ties_go_to_the_lower_class() {
    let tied = Scores::new(vec![1.0, 1.0, 1.0], 3).unwrap();
    assert_eq!((tied.argmax(0), tied.rank_of(0, 0), tied.rank_of(0, 2)), (0, 0, 2));
    assert_eq!(TopK::ACCURACY.value(&tied, &[0]).unwrap(), 1.0);
    assert_eq!(TopK::ACCURACY.value(&tied, &[2]).unwrap(), 0.0);
}

fn out_of_bounds(scores: &Scores, labels: &[usize]) -> f64 {
    f64::from(scores.row(0)[labels[0]])
}

#[test]
fn bad_batches_are_typed() {
    let metrics: [&dyn Metric; 4] = [
        &TopK::ACCURACY,
        &MacroF1,
        &BalancedAccuracy,
        &Custom::new("first", Direction::LowerIsBetter, out_of_bounds),
    ];
    for metric in metrics {
        assert!(matches!(metric.value(&scores(), &[0, 1, 2]), Err(Error::Shape { .. })), "{}", metric.name());
        assert!(
            matches!(metric.value(&scores(), &[0, 1, 2, 3]), Err(Error::Shape { .. })),
            "{}",
            metric.name()
        );
    }
    assert!(matches!(Scores::new(vec![], 2), Err(Error::Shape { .. })));
    assert!(matches!(Scores::new(vec![1.0; 3], 2), Err(Error::Shape { .. })));
    assert!(matches!(Scores::new(vec![1.0], 0), Err(Error::Shape { .. })));
    assert!(matches!(Scores::new(vec![1.0, f32::NAN], 2), Err(Error::NotFinite { index: 1, .. })));
    assert!(matches!(Scores::new(vec![f32::NEG_INFINITY, 1.0], 2), Err(Error::NotFinite { index: 0, .. })));
    assert!(matches!(TopK::new(0), Err(Error::Parameter { name: "k", .. })));
    assert!(matches!(class_counts(&[0, 3], 3), Err(Error::Shape { .. })));
}

fn store() -> Store {
    let samples = Sampler::random(4).draw(&TopK::ACCURACY, 20, 5).unwrap();
    let mut store = Store::new(samples[0].scores.clone(), samples[0].labels.clone()).unwrap();
    samples[1..].iter().for_each(|s| store.append(s.scores.clone(), s.labels.clone()).unwrap());
    store
}

#[test]
fn relabelling_covers_the_metrics_range() {
    let long_tail = Sampler { labels: Labels::LongTail(50.0), ..Sampler::stored(store()) };
    let cases: [(Sampler, &dyn Metric); 4] = [
        (Sampler::random(4), &TopK::ACCURACY),
        (Sampler::stored(store()), &TopK::ACCURACY),
        (Sampler::mixed(store(), 0.5), &TopK::ACCURACY),
        (long_tail, &MacroF1),
    ];
    for (sampler, metric) in cases {
        let coverage = Coverage::of(&sampler.draw(metric, 800, 1).unwrap()).unwrap();
        assert!(coverage.lowest < 0.25 && coverage.highest > 0.95, "{coverage:?}");
        // Nearly even: quartiles within a few points of those of the uniform distribution.
        assert!(coverage.three_quarters - coverage.quarter > 0.3, "{coverage:?}");
    }
}

#[test]
fn true_labels_are_kept() {
    let scores = Scores::new(vec![1.0, 0.0, 0.0, 1.0], 2).unwrap();
    let sampler =
        Sampler { labels: Labels::True, ..Sampler::stored(Store::new(scores, vec![1, 0]).unwrap()) };
    for sample in sampler.draw(&TopK::ACCURACY, 5, 0).unwrap() {
        assert_eq!(sample.metric, 0.0);
        assert!((0..sample.labels.len()).all(|i| sample.labels[i] != sample.scores.argmax(i)));
    }
}

#[test]
fn draws_are_pinned_and_independent_of_threads() {
    let draw = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| Sampler::random(3).draw(&TopK::ACCURACY, 8, 42).unwrap())
    };
    let one = draw(1);
    assert_eq!(one, draw(4));
    assert_ne!(one[0], one[1]);
    // Values every release must reproduce: a change breaks the reproducibility of results.
    let metrics: Vec<f64> = one.iter().map(|s| s.metric).collect();
    assert_close(&metrics, &PINNED_METRICS, 1e-12);
    assert_eq!(one[0].labels[..12], PINNED_LABELS);
}

#[test]
fn dirichlet_predictions_run_from_undecided_to_sure() {
    let sampler = Sampler { generator: Generator::Dirichlet, ..Sampler::random(4) };
    let samples = sampler.draw(&TopK::ACCURACY, 400, 7).unwrap();
    let mut surest = Vec::new();
    for sample in &samples {
        for row in sample.scores.values().chunks_exact(4) {
            // Logits are logarithms of probabilities that add up to 1.
            let p: Vec<f64> = row.iter().map(|&z| f64::from(z).exp()).collect();
            assert!((p.iter().sum::<f64>() - 1.0).abs() < 1e-5, "{p:?}");
            surest.push(p.into_iter().fold(0.0, f64::max));
        }
    }
    surest.sort_by(f64::total_cmp);
    let at = |share: f64| surest[(share * (surest.len() - 1) as f64) as usize];
    assert!(at(0.05) < 0.45 && at(0.95) > 0.95, "{} {}", at(0.05), at(0.95));
    let coverage = Coverage::of(&samples).unwrap();
    assert!(coverage.lowest < 0.3 && coverage.highest > 0.95, "{coverage:?}");
    let metrics: Vec<f64> = samples[..8].iter().map(|s| s.metric).collect();
    assert_close(&metrics, &PINNED_DIRICHLET, 1e-12);
}

const PINNED_DIRICHLET: [f64; 8] =
    [0.671875, 0.84375, 0.90625, 0.953125, 0.8125, 0.609375, 0.96875, 0.265625];
const PINNED_METRICS: [f64; 8] =
    [0.921875, 0.953125, 0.453125, 0.390625, 0.546875, 0.953125, 0.78125, 0.3125];
const PINNED_LABELS: [usize; 12] = [1, 0, 2, 2, 2, 0, 2, 2, 2, 1, 1, 2];

#[test]
fn samplers_refuse_what_cannot_be_drawn() {
    let draw = |sampler: Sampler| sampler.draw(&TopK::ACCURACY, 2, 0);
    assert!(matches!(draw(Sampler::random(1)), Err(Error::Parameter { name: "classes", .. })));
    assert!(matches!(
        draw(Sampler { rows: 0, ..Sampler::random(3) }),
        Err(Error::Parameter { name: "rows", .. })
    ));
    assert!(matches!(draw(Sampler::mixed(store(), 1.5)), Err(Error::Parameter { name: "mixed", .. })));
    let ratio = Sampler { labels: Labels::LongTail(0.5), ..Sampler::random(3) };
    assert!(matches!(draw(ratio), Err(Error::Parameter { name: "long tail", .. })));
    let scores = Scores::new(vec![1.0, 0.0], 2).unwrap();
    assert!(matches!(Store::new(scores.clone(), vec![2]), Err(Error::Shape { .. })));
    assert!(matches!(store().append(scores, vec![0]), Err(Error::Shape { .. })));
    assert!(matches!(Coverage::of(&[]), Err(Error::Undefined { .. })));
    assert!(matches!(Sampler::random(3).source, Source::Random(3)));
}
