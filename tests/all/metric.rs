//! Metrics by hand, and samplers: coverage, stability of draws, bad input.

use reloss::data::{coco_annotations, coco_detections};
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
    assert_close(
        &[ClassMetric::MACRO_F1.value(&scores(), &labels).unwrap()],
        &[(2.0 / 3.0 + 2.0 / 3.0) / 3.0],
        1e-15,
    );
    // Recall: 1/2, 1, 0.
    assert_close(&[ClassMetric::BALANCED_ACCURACY.value(&scores(), &labels).unwrap()], &[0.5], 1e-15);
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
        &ClassMetric::MACRO_F1,
        &ClassMetric::BALANCED_ACCURACY,
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
fn labels_between_two_shares_cover_that_part_of_the_range() {
    let sampler = |from, to| Sampler { labels: Labels::Between(from, to), ..Sampler::random(10) };
    let metrics = |from, to| -> Vec<f64> {
        let samples = sampler(from, to).draw(&TopK::ACCURACY, 400, 0).unwrap();
        samples.iter().map(|sample| sample.metric).collect()
    };
    // Kept rows are right, of the others a tenth by chance.
    let high = metrics(0.75, 1.0);
    assert!(high.iter().all(|&m| m >= 0.75) && high.iter().any(|&m| m > 0.97));
    let low = metrics(0.0, 0.25);
    assert!(low.iter().all(|&m| m < 0.6) && low.iter().any(|&m| m < 0.15));
    let cover = Sampler::random(10).draw(&TopK::ACCURACY, 400, 0).unwrap();
    assert_eq!(metrics(0.0, 1.0), cover.iter().map(|sample| sample.metric).collect::<Vec<f64>>());
    for (from, to) in [(0.5, 0.5), (-0.1, 0.5), (0.5, 1.1), (f64::NAN, 1.0)] {
        let refused = sampler(from, to).draw(&TopK::ACCURACY, 1, 0);
        assert!(matches!(refused, Err(Error::Parameter { name: "between", .. })), "{from} {to}");
    }
}

#[test]
fn relabelling_covers_the_metrics_range() {
    let long_tail = Sampler { labels: Labels::LongTail(50.0), ..Sampler::stored(store()) };
    let cases: [(Sampler, &dyn Metric); 4] = [
        (Sampler::random(4), &TopK::ACCURACY),
        (Sampler::stored(store()), &TopK::ACCURACY),
        (Sampler::mixed(store(), 0.5), &TopK::ACCURACY),
        (long_tail, &ClassMetric::MACRO_F1),
    ];
    for (sampler, metric) in cases {
        let coverage = Coverage::of(&sampler.draw(metric, 800, 1).unwrap()).unwrap();
        assert!(coverage.lowest < 0.25 && coverage.highest > 0.95, "{coverage:?}");
        // Nearly even: quartiles within a few points of those of the uniform distribution.
        assert!(coverage.three_quarters - coverage.quarter > 0.3, "{coverage:?}");
    }
}

/// The share of right labels among the surer and the less sure half of each sample's rows.
fn right_by_sureness(labels: Labels) -> [f64; 2] {
    let sampler = Sampler { labels, ..Sampler::random(3) };
    let (mut right, mut rows) = ([0.0; 2], 0.0);
    for sample in sampler.draw(&TopK::ACCURACY, 400, 0).unwrap() {
        let sureness = |i: usize| {
            let mut row = sample.scores.row(i).to_vec();
            row.sort_by(f32::total_cmp);
            row[2] - row[1]
        };
        let mut order: Vec<usize> = (0..sample.labels.len()).collect();
        order.sort_by(|&a, &b| sureness(b).total_cmp(&sureness(a)));
        for (place, &i) in order.iter().enumerate() {
            right[2 * place / order.len()] +=
                f64::from(u8::from(sample.scores.argmax(i) == sample.labels[i]));
        }
        rows += order.len() as f64 / 2.0;
    }
    right.map(|right| right / rows)
}

#[test]
fn graded_labels_are_right_where_predictions_are_sure() {
    let [sure, unsure] = right_by_sureness(Labels::Cover);
    assert!((sure - unsure).abs() < 0.02, "{sure} {unsure}");
    let [sure, unsure] = right_by_sureness(Labels::Graded);
    assert!(sure > unsure + 0.08, "{sure} {unsure}");
    // Logits all alike leave the labels to chance and the offsets, and are no fault.
    let alike = Store::new(Scores::new(vec![0.5; 40], 4).unwrap(), vec![0; 10]).unwrap();
    let sampler = Sampler { labels: Labels::Graded, ..Sampler::stored(alike) };
    let samples = sampler.draw(&TopK::ACCURACY, 50, 0).unwrap();
    assert!((0..4).all(|class| samples.iter().any(|sample| sample.labels.contains(&class))));
    assert_eq!(samples, sampler.draw(&TopK::ACCURACY, 50, 0).unwrap());
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

#[test]
fn confusion_metrics_by_hand() {
    // Truth 0 0 0 0 1 1, taken for 0 0 0 1 1 0.
    let confusion = Confusion::new(&[0, 0, 0, 0, 1, 1], &[0, 0, 0, 1, 1, 0], 2).unwrap();
    let tallies = confusion.tallies();
    assert_eq!(tallies, Tallies::new(&[0, 0, 0, 0, 1, 1], &[0, 0, 0, 1, 1, 0], 2).unwrap());
    let close = |got: f64, want: f64| assert_close(&[got], &[want], 1e-15);
    close(tallies.accuracy(), 4.0 / 6.0);
    close(tallies.error_rate(), 2.0 / 6.0);
    close(tallies.balanced_accuracy().unwrap(), (0.75 + 0.5) / 2.0);
    close(tallies.g_mean().unwrap(), (0.75_f64 * 0.5).sqrt());
    close(tallies.precision(Average::Of(0)).unwrap(), 0.75);
    close(tallies.precision(Average::Macro).unwrap(), (0.75 + 0.5) / 2.0);
    close(tallies.recall(Average::Weighted).unwrap(), (4.0 * 0.75 + 2.0 * 0.5) / 6.0);
    close(tallies.f_beta(2.0, Average::Of(1)).unwrap(), 0.5);
    close(tallies.jaccard(Average::Of(0)).unwrap(), 3.0 / 5.0);
    close(tallies.jaccard(Average::Micro).unwrap(), 4.0 / 8.0);
    // Margins 4, 2 and 4, 2: agreement 4/6, by chance (16 + 4)/36.
    close(confusion.kappa(Disagreement::Plain).unwrap(), (4.0 / 6.0 - 20.0 / 36.0) / (1.0 - 20.0 / 36.0));
    close(tallies.matthews().unwrap(), (3.0 - 1.0) / 8.0);
    let distant = Confusion::new(&[0, 1, 2], &[2, 1, 0], 3).unwrap();
    // Disagreements 2 + 2 against 8 by chance over 3 rows, or squared 4 + 4 against 12 over 3.
    close(distant.kappa(Disagreement::Linear).unwrap(), 1.0 - 4.0 / (8.0 / 3.0));
    close(distant.kappa(Disagreement::Quadratic).unwrap(), 1.0 - 8.0 / (12.0 / 3.0));
    let scores = Scores::new(vec![0.9, 0.1, 0.2, 0.8], 2).unwrap();
    assert_eq!(Confusion::of_scores(&scores, &[0, 0]).unwrap(), Confusion::new(&[0, 0], &[0, 1], 2).unwrap());
}

#[test]
fn confusion_metrics_without_a_value_are_errors() {
    let never_predicted = Tallies::new(&[0, 1], &[0, 0], 3).unwrap();
    let error = never_predicted.precision(Average::Macro).unwrap_err();
    assert!(error.to_string().contains("class 1"), "{error}");
    assert!(matches!(never_predicted.matthews(), Err(Error::Undefined { .. })));
    // Class 2 is nowhere: the mean is over the others.
    assert_close(&[never_predicted.recall(Average::Macro).unwrap()], &[0.5], 0.0);
    assert!(matches!(never_predicted.recall(Average::Of(2)), Err(Error::Undefined { .. })));
    assert!(matches!(never_predicted.recall(Average::Of(3)), Err(Error::Parameter { name: "class", .. })));
    assert!(matches!(
        never_predicted.f_beta(0.0, Average::Micro),
        Err(Error::Parameter { name: "beta", .. })
    ));
    let one_class = Confusion::new(&[0, 0], &[0, 0], 1).unwrap();
    assert!(matches!(one_class.kappa(Disagreement::Plain), Err(Error::Undefined { .. })));
    for (truth, predicted) in
        [(vec![], vec![]), (vec![0], vec![0, 1]), (vec![0], vec![2]), (vec![5], vec![0])]
    {
        assert!(matches!(Confusion::new(&truth, &predicted, 2), Err(Error::Shape { .. })));
        assert!(matches!(Tallies::new(&truth, &predicted, 2), Err(Error::Shape { .. })));
    }
    assert!(matches!(Tally::of_flags(&[true], &[]), Err(Error::Shape { .. })));
}

#[test]
fn probability_metrics_by_hand_and_their_errors() {
    let p = [0.7, 0.3, 0.4, 0.6, 0.9, 0.1];
    let labels = [0, 0, 1];
    let logs = -(0.7_f64.ln() + 0.4_f64.ln() + 0.1_f64.ln()) / 3.0;
    assert_close(&[log_loss(&p, 2, &labels).unwrap()], &[logs], 1e-15);
    let brier = (2.0 * 0.09 + 2.0 * 0.36 + 2.0 * 0.81) / 3.0;
    assert_close(&[brier_score(&p, 2, &labels).unwrap()], &[brier], 1e-15);
    // Confidences 0.7 (right), 0.6 and 0.9 (wrong), each in its own tenth.
    let error = (0.3 + 0.6 + 0.9) / 3.0;
    assert_close(&[calibration_error(&p, 2, &labels, 10).unwrap()], &[error], 1e-15);
    assert_close(&[calibration_error(&p, 2, &labels, 1).unwrap()], &[(0.7 + 0.6 + 0.9 - 1.0) / 3.0], 1e-15);
    assert!(matches!(calibration_error(&p, 2, &labels, 0), Err(Error::Parameter { name: "bins", .. })));
    assert!(matches!(log_loss(&[1.0, 0.0], 2, &[1]), Err(Error::Undefined { .. })));
    assert!(matches!(brier_score(&[0.5, 0.6], 2, &[1]), Err(Error::Parameter { .. })));
    assert!(matches!(brier_score(&[1.5, -0.5], 2, &[1]), Err(Error::Parameter { .. })));
    assert!(matches!(brier_score(&[f64::NAN, 0.5], 2, &[1]), Err(Error::NotFinite { .. })));
    for (p, labels) in [(vec![], vec![]), (vec![0.5], vec![0]), (vec![0.5, 0.5], vec![2])] {
        assert!(matches!(brier_score(&p, 2, &labels), Err(Error::Shape { .. })));
    }
}

#[test]
fn retrieval_metrics_refuse_what_they_cannot_judge() {
    let (scores, relevant) = ([0.3, 0.2, 0.9], [true, false, false]);
    type Binary = fn(&[f64], &[bool]) -> reloss::Result<f64>;
    let all: [Binary; 3] = [roc_auc, average_precision, reciprocal_rank];
    for metric in all {
        assert!(matches!(metric(&scores, &[false; 3]), Err(Error::Undefined { .. })));
        assert!(matches!(metric(&scores, &relevant[1..]), Err(Error::Shape { .. })));
        assert!(matches!(metric(&[], &[]), Err(Error::Shape { .. })));
        assert!(matches!(metric(&[0.1, f64::NAN, 0.2], &relevant), Err(Error::NotFinite { index: 1, .. })));
    }
    assert!(matches!(roc_auc(&scores, &[true; 3]), Err(Error::Undefined { .. })));
    for k in [0, 4] {
        assert!(matches!(precision_at_k(&scores, &relevant, k), Err(Error::Parameter { name: "k", .. })));
    }
    assert!(matches!(recall_at_k(&scores, &[false; 3], 1), Err(Error::Undefined { .. })));
    assert_close(&[precision_at_k(&scores, &[false; 3], 1).unwrap()], &[0.0], 0.0);
    let dcg = Dcg::default();
    assert!(matches!(dcg.normalized(&scores, &[0.0; 3]), Err(Error::Undefined { .. })));
    assert!(matches!(dcg.value(&scores, &[1.0, -1.0, 0.0]), Err(Error::Parameter { .. })));
    assert!(matches!(Dcg { k: Some(0), ..dcg }.value(&scores, &[1.0; 3]), Err(Error::Parameter { .. })));
    // In order of appearance the first of the tied takes the first place.
    let first = Dcg { ties: TiedScores::InOrder, k: Some(1), ..dcg };
    assert_close(&[first.value(&[1.0, 1.0], &[3.0, 5.0]).unwrap()], &[3.0], 0.0);
    assert_close(&[Dcg { k: Some(1), ..dcg }.value(&[1.0, 1.0], &[3.0, 5.0]).unwrap()], &[4.0], 0.0);
    let exponential = Dcg { gain: Gain::Exponential, ..dcg };
    assert_close(&[exponential.value(&[1.0], &[3.0]).unwrap()], &[7.0], 1e-15);
    let none = label_ranking_average_precision(&scores, &[false; 3], 3);
    assert!(matches!(none, Err(Error::Undefined { .. })));
    let ragged = label_ranking_average_precision(&scores, &relevant, 2);
    assert!(matches!(ragged, Err(Error::Shape { .. })));
    let queries = mean_over_queries(&[], &[], roc_auc);
    assert!(matches!(queries, Err(Error::Shape { .. })));
}

#[test]
fn roc_auc_of_several_classes_averages_pairs_or_classes() {
    let scores = Scores::new(vec![0.8, 0.1, 0.1, 0.3, 0.5, 0.2, 0.6, 0.3, 0.1, 0.1, 0.2, 0.7], 3).unwrap();
    let labels = [0, 1, 1, 2];
    // Class 1 against the rest: scores .5, .3 beside .1, .2; class 0: .8 above .3, .6, .1; class 2: .7 above all.
    let rest = roc_auc_multiclass(&scores, &labels, Multiclass::OneVsRest, Average::Macro).unwrap();
    assert_close(&[rest], &[1.0], 1e-15);
    let swapped = [1, 0, 1, 2];
    // Class 0 (row 1, .3) beside .8, .6, .1: 1/3; class 1 (.1, .3) beside .5, .2: 1/4; class 2: 1.
    let rest = |average| roc_auc_multiclass(&scores, &swapped, Multiclass::OneVsRest, average).unwrap();
    assert_close(&[rest(Average::Macro)], &[(1.0 / 3.0 + 0.25 + 1.0) / 3.0], 1e-15);
    assert_close(&[rest(Average::Weighted)], &[(1.0 / 3.0 + 2.0 * 0.25 + 1.0) / 4.0], 1e-15);
    // Pairs: 0 and 1: by 0's scores .3 beside .8, .6: 0; by 1's .1, .3 beside .5: 0; 0 and 2: 1, 1; 1 and 2: ½ by
    // 1's scores (.1, .3 beside .2), 1 by 2's.
    let pairs = roc_auc_multiclass(&scores, &swapped, Multiclass::OneVsOne, Average::Macro).unwrap();
    assert_close(&[pairs], &[(0.0 + 1.0 + 0.75) / 3.0], 1e-15);
    let micro = roc_auc_multiclass(&scores, &swapped, Multiclass::OneVsOne, Average::Micro);
    assert!(matches!(micro, Err(Error::Parameter { name: "average", .. })));
    let absent = roc_auc_multiclass(&scores, &[0, 0, 1, 1], Multiclass::OneVsRest, Average::Macro);
    assert!(matches!(absent, Err(Error::Undefined { .. })));
}

#[test]
fn bootstrap_is_repeatable_and_refuses_what_it_cannot_judge() {
    let values: Vec<f64> = (0..50).map(|i| f64::from((i * 17 % 23) as u32)).collect();
    let mean = |rows: &[usize]| Ok(rows.iter().map(|&i| values[i]).sum::<f64>() / rows.len() as f64);
    let bootstrap = Bootstrap { draws: 400, ..Bootstrap::default() };
    let interval = bootstrap.interval(50, mean).unwrap();
    assert!(interval.low < interval.value && interval.value < interval.high);
    assert_eq!(bootstrap.interval(50, mean).unwrap(), interval);
    assert_ne!(Bootstrap { seed: 1, ..bootstrap }.interval(50, mean).unwrap(), interval);
    let narrow = Bootstrap { level: 0.5, ..bootstrap }.interval(50, mean).unwrap();
    assert!(interval.low < narrow.low && narrow.high < interval.high);
    // A system beside itself.
    let same = bootstrap.compare(50, mean, mean).unwrap();
    assert_eq!((same.interval.low, same.interval.high, same.p), (0.0, 0.0, 1.0));
    for (name, bad) in
        [("draws", Bootstrap { draws: 99, ..bootstrap }), ("level", Bootstrap { level: 1.0, ..bootstrap })]
    {
        assert!(matches!(bad.interval(50, mean), Err(Error::Parameter { name: n, .. }) if n == name));
    }
    assert!(matches!(bootstrap.interval(0, mean), Err(Error::Shape { .. })));
    // One relevant row of fifty is missing from a third of the resamples.
    let auc = |rows: &[usize]| {
        let scores: Vec<f64> = rows.iter().map(|&i| values[i]).collect();
        roc_auc(&scores, &rows.iter().map(|&i| i == 7).collect::<Vec<_>>())
    };
    assert!(matches!(bootstrap.interval(50, auc), Err(Error::Undefined { .. })));
}

#[test]
fn text_metrics_refuse_what_does_not_fit() {
    let bleu = Bleu::default();
    let good = (["a b"], [vec!["a b"]]);
    for (hypotheses, references) in
        [(vec![], vec![]), (vec!["a"], vec![]), (vec!["a"], vec![vec![]]), (vec!["a", "b"], vec![vec!["a"]])]
    {
        assert!(matches!(bleu.corpus(&hypotheses, &references), Err(Error::Shape { .. })));
        assert!(matches!(Chrf::default().corpus(&hypotheses, &references), Err(Error::Shape { .. })));
    }
    for bad in [
        Bleu { order: 0, ..bleu },
        Bleu { order: 17, ..bleu },
        Bleu { smoothing: Smoothing::Floor(-1.0), ..bleu },
        Bleu { smoothing: Smoothing::AddK(f64::NAN), ..bleu },
    ] {
        assert!(matches!(bad.corpus(&good.0, &good.1), Err(Error::Parameter { .. })), "{bad:?}");
    }
    for bad in [Chrf { order: 0, ..Chrf::default() }, Chrf { beta: 0.0, ..Chrf::default() }] {
        assert!(matches!(bad.corpus(&good.0, &good.1), Err(Error::Parameter { .. })), "{bad:?}");
    }
    assert!(matches!(rouge_n(&["a"], &["a"], 0), Err(Error::Parameter { name: "n", .. })));
}

#[test]
fn text_metrics_of_nothing_are_zero_not_nan() {
    let bleu = Bleu::default();
    let score = bleu.corpus(&[""], &[vec!["a b c"]]).unwrap();
    assert_eq!((score.score, score.brevity_penalty, score.hypothesis_length), (0.0, 0.0, 0));
    assert_eq!(bleu.sentence("", &[""]).unwrap().score, 0.0);
    assert_eq!(Chrf::default().corpus(&[""], &[vec![""]]).unwrap(), 0.0);
    let none: [&str; 0] = [];
    assert_eq!(rouge_n(&none, &["a"], 1).unwrap(), Rouge::default());
    assert_eq!(rouge_l(&none, &none), Rouge::default());
    assert_eq!(rouge_l_sum::<&str>(&[], &[vec!["a"]]), Rouge::default());
    assert_eq!((token_f1("the", &["a"]), token_f1("the", &["b"]), token_f1("b", &[])), (1.0, 0.0, 0.0));
    assert!(!exact_match("b", &[]));
}

#[test]
fn bleu_by_hand_with_every_smoothing() {
    // Unigrams 2 of 3, bigrams 0 of 2; as long as the reference.
    let score = |smoothing| {
        let bleu = Bleu { tokenizer: Tokenizer::Whitespace, order: 2, smoothing, ..Bleu::default() };
        bleu.corpus(&["a b x"], &[vec!["b c a"]]).unwrap().score
    };
    let mean = |first: f64, second: f64| 100.0 * (first * second).sqrt();
    assert_close(&[score(Smoothing::Exponential)], &[mean(2.0 / 3.0, 0.25)], 1e-12);
    assert_close(&[score(Smoothing::Floor(0.1))], &[mean(2.0 / 3.0, 0.05)], 1e-12);
    assert_close(&[score(Smoothing::AddK(1.0))], &[mean(2.0 / 3.0, 1.0 / 3.0)], 1e-12);
    assert_close(&[score(Smoothing::None)], &[0.0], 0.0);
    // Two tokens for four: e^(1 − 4/2); of two references the closest in length counts, of equals the shorter.
    let bleu = Bleu { tokenizer: Tokenizer::Whitespace, order: 1, ..Bleu::default() };
    let short = bleu.corpus(&["a b"], &[vec!["a b c d"]]).unwrap();
    assert_close(&[short.score], &[100.0 * (-1.0_f64).exp()], 1e-12);
    let two = bleu.corpus(&["a b"], &[vec!["a b c", "a"]]).unwrap();
    assert_eq!(two.reference_length, 1);
    assert_close(&[two.score], &[100.0], 1e-12);
    // Case, and many segments by several threads.
    let lower = Bleu { lowercase: true, ..bleu };
    assert_close(&[lower.corpus(&["A b"], &[vec!["a B"]]).unwrap().score], &[100.0], 1e-12);
    let (many, refs) = (vec!["a b"; 1000], vec![vec!["a c"]; 1000]);
    assert_eq!(bleu.corpus(&many, &refs).unwrap().matches, [1000]);
    assert!(lower.signature(1).contains("case:lc"));
}

#[test]
fn pose_metrics_refuse_what_does_not_fit() {
    let (two, one) = ([[0.0, 0.0], [1.0, 1.0]], [[0.0, 0.0]]);
    let (both, unit) = ([true, true], [[1.0, 1.0]]);
    let good = || pck(&[&two], &[&two], &[&both], &unit, 0.5);
    assert_eq!(good().unwrap().mean().unwrap(), 1.0);
    assert!(matches!(pck(&[&one], &[&two], &[&both], &unit, 0.5), Err(Error::Shape { .. })));
    assert!(matches!(pck(&[], &[], &[], &[], 0.5), Err(Error::Shape { .. })));
    assert!(matches!(pck(&[&two], &[&two], &[&both], &[], 0.5), Err(Error::Shape { .. })));
    assert!(matches!(pck(&[&two], &[&two], &[&both], &[[-1.0, 1.0]], 0.5), Err(Error::Parameter { .. })));
    assert!(matches!(pck(&[&two], &[&two], &[&both], &unit, 0.0), Err(Error::Parameter { .. })));
    let lost = [[f64::NAN, 0.0], [1.0, 1.0]];
    assert!(matches!(pck(&[&lost], &[&two], &[&both], &unit, 0.5), Err(Error::NotFinite { .. })));
    let hidden = pck(&[&two], &[&two], &[&[false, true]], &unit, 0.5).unwrap();
    assert_eq!((hidden.each[0], hidden.each[1]), (None, Some(1.0)));
    let none = [false, false];
    assert!(matches!(
        pck(&[&two], &[&two], &[&none], &unit, 0.5).unwrap().mean(),
        Err(Error::Undefined { .. })
    ));
    assert!(matches!(end_point_error(&[&two], &[&two], &[&none]), Err(Error::Undefined { .. })));
    assert!(matches!(pck_auc(&[&two], &[&two], &[&none], &unit, 20), Err(Error::Undefined { .. })));
    assert!(matches!(
        pck_auc(&[&two], &[&two], &[&both], &unit, 0),
        Err(Error::Parameter { name: "steps", .. })
    ));
}

fn decoded(values: Vec<f32>, height: usize, width: usize, decoding: Decoding) -> [f64; 2] {
    Heatmaps::new(values, height, width).unwrap().decode(decoding).unwrap()[0].0
}

#[test]
fn heatmaps_decode_to_the_tops_of_their_bumps() {
    // In a corner there is no neighbour to lean to; ties do not lean.
    assert_eq!(decoded(vec![2.0, 1.0, 1.0, 1.0], 2, 2, Decoding::Quarter), [0.0, 0.0]);
    assert_eq!(decoded(vec![1.0, 2.0, 1.0], 1, 3, Decoding::Quarter), [1.0, 0.0]);
    assert_eq!(decoded(vec![0.0, 2.0, 1.0], 1, 3, Decoding::Quarter), [1.25, 0.0]);
    assert_eq!(decoded(vec![0.0, 2.0, 1.0], 3, 1, Decoding::Quarter), [0.0, 1.25]);
    // A Gaussian blurred by a Gaussian is one of the same centre, whose logarithm is a parabola: DARK finds its top,
    // but for what the kernel cuts off.
    let bump = |x: f64, y: f64, sigma: f64| -> Vec<f32> {
        let at = |i: usize| ((i % 48) as f64 - x).powi(2) + ((i / 48) as f64 - y).powi(2);
        (0..64 * 48).map(|i| (-at(i) / (2.0 * sigma * sigma)).exp() as f32).collect()
    };
    for (x, y) in [(20.0, 30.0), (20.4, 30.3), (17.55, 12.9), (5.2, 58.8)] {
        let [got_x, got_y] = decoded(bump(x, y, 2.0), 64, 48, Decoding::Dark(11));
        assert!((got_x - x).abs() < 0.02 && (got_y - y).abs() < 0.02, "{got_x} {got_y} for {x} {y}");
    }
    // Too near the edge to step, and of constant or nowhere positive heatmaps: the largest pixel.
    assert_eq!(decoded(bump(1.2, 30.3, 2.0), 64, 48, Decoding::Dark(11)), [1.0, 30.0]);
    assert_eq!(decoded(vec![-1.0; 49], 7, 7, Decoding::Dark(3)), [0.0, 0.0]);
    let mut low = vec![-2.0; 49];
    low[24] = -1.0;
    assert_eq!(decoded(low, 7, 7, Decoding::Dark(3)), [3.0, 3.0]);
    // Several heatmaps decode each by itself.
    let both = [bump(9.0, 8.0, 2.0), bump(30.0, 40.0, 2.0)].concat();
    let points = Heatmaps::new(both, 64, 48).unwrap().decode(Decoding::Largest).unwrap();
    assert_eq!(points, [([9.0, 8.0], 1.0), ([30.0, 40.0], 1.0)]);
}

#[test]
fn heatmaps_that_do_not_fit_are_refused() {
    for (values, height, width) in [(vec![], 1, 3), (vec![0.0; 4], 1, 3), (vec![0.0; 4], 0, 4)] {
        assert!(matches!(Heatmaps::new(values, height, width), Err(Error::Shape { .. })));
    }
    assert!(matches!(Heatmaps::new(vec![0.0, f32::NAN], 1, 1), Err(Error::NotFinite { index: 1, .. })));
    let four = Heatmaps::new(vec![0.0; 4], 1, 1).unwrap();
    for width in [0, 1, 4] {
        assert!(matches!(four.decode(Decoding::Dark(width)), Err(Error::Parameter { name: "width", .. })));
    }
    let two = Heatmaps::new(vec![0.0; 4], 1, 2).unwrap();
    assert!(matches!(four.flip_test(&two, &[0], false), Err(Error::Shape { .. })));
    assert!(matches!(four.flip_test(&four, &[0, 1, 2], false), Err(Error::Shape { .. })));
    assert!(matches!(four.flip_test(&four, &[], false), Err(Error::Shape { .. })));
    for partners in [[1, 1], [2, 0]] {
        assert!(matches!(
            four.flip_test(&four, &partners, false),
            Err(Error::Parameter { name: "partners", .. })
        ));
    }
}

#[test]
fn the_flip_test_of_a_mirrored_copy_is_the_heatmap_itself() {
    let own = Heatmaps::new((0..24).map(|i| ((i * 7) % 11) as f32).collect(), 2, 3).unwrap();
    // Two instances of two points that change places.
    let mirrored: Vec<f32> = [1, 0, 3, 2]
        .iter()
        .flat_map(|map| own.values()[map * 6..][..6].chunks_exact(3))
        .flat_map(|row| row.iter().rev().copied())
        .collect();
    let mirrored = Heatmaps::new(mirrored, 2, 3).unwrap();
    assert_eq!(own.flip_test(&mirrored, &[1, 0], false).unwrap(), own);
    // Shifted, every pixel but the first is the mean with the one to its left.
    let shifted = own.flip_test(&mirrored, &[1, 0], true).unwrap();
    let row = &own.values()[..3];
    assert_eq!(shifted.values()[..3], [row[0], (row[1] + row[0]) / 2.0, (row[2] + row[1]) / 2.0]);
}

#[test]
fn keypoint_files_that_are_damaged_are_refused_with_their_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keypoints.json");
    let annotation = |id: u64| {
        format!(
            "{{\"id\": {id}, \"image_id\": 1, \"area\": 9.0, \"bbox\": [0, 0, 3, 3], \"num_keypoints\": 1, \
             \"keypoints\": [1, 1, 2]}}"
        )
    };
    let write = |text: &str| std::fs::write(&path, text).unwrap();
    write(&format!("{{\"annotations\": [{}, {}]}}", annotation(1), annotation(2)));
    let annotations = coco_annotations(&path).unwrap();
    assert_eq!((annotations.len(), annotations[1].iscrowd), (2, 0));
    write(&format!("{{\"annotations\": [{}, {}]}}", annotation(7), annotation(7)));
    let twice = coco_annotations(&path).unwrap_err();
    assert!(twice.to_string().contains("annotation 7"), "{twice}");
    for bad in ["{\"annotations\": [\n{\"id\": 1}]}", "{\"annotations\": [\n", "\n[]"] {
        write(bad);
        let error = coco_annotations(&path).unwrap_err();
        assert!(matches!(error, Error::Data { line: Some(2), .. }), "{error}");
    }
    std::fs::write(&path, [b'"', 0xff, b'"']).unwrap();
    assert!(matches!(coco_detections(&path), Err(Error::Data { .. })));
    assert!(matches!(coco_detections(&folder.path().join("none")), Err(Error::Io { .. })));

    let oks = Oks { sigmas: vec![0.1] };
    assert!(matches!(oks.similarity(&[1.0, 1.0], &annotations[0]), Err(Error::Shape { .. })));
    assert!(matches!(oks.similarity(&[1.0, f64::NAN, 1.0], &annotations[0]), Err(Error::NotFinite { .. })));
    let flat = Oks { sigmas: vec![0.0] };
    assert!(matches!(
        flat.similarity(&[1.0; 3], &annotations[0]),
        Err(Error::Parameter { name: "sigmas", .. })
    ));
    // Nothing annotated: nothing to be judged by.
    let nothing = oks.average_precision(&[], &[]).unwrap();
    assert_eq!((nothing.ap, nothing.ar), (None, None));
    let missed = oks.average_precision(&annotations[..1], &[]).unwrap();
    assert_eq!((missed.ap, missed.ar), (Some(0.0), Some(0.0)));
}

#[test]
fn chinese_answers_by_hand() {
    // Marks go, so what they part is joined; Chinese characters are tokens, the rest is words.
    let tokens = |text: &str| cmrc_tokens(text);
    assert_eq!(tokens("《战国无双3》"), ["战", "国", "无", "双", "3"]);
    assert_eq!(
        tokens(" A-B公司，Mac OS X (10.5)! "),
        ["ab", "公", "司", "mac", "os", "x", "(", "10.5", ")", "!"]
    );
    assert_eq!(
        tokens("1,234 a,b, it's U.S. don't..."),
        ["1,234", "a", ",", "b", ",", "it", "'s", "u.s.", "do", "n't", "..."]
    );
    assert_eq!(tokens("the end."), ["the", "end", "."]);
    assert_eq!(tokens("名\"Muse\"2008–09…"), ["名", "``", "muse", "''", "2008", "–", "09…"]);
    assert!(tokens("。，").is_empty() && tokens("").is_empty());
    // In common 国无 of 3 and of 4 tokens; 战 and 国无 are not one run.
    assert_close(&[cmrc_f1("国无人", &["战国无双"])], &[4.0 / 7.0], 1e-15);
    assert_close(&[cmrc_f1("国无人", &["x", "战国无双", "人"])], &[4.0 / 7.0], 1e-15);
    assert_eq!((cmrc_f1("", &["战"]), cmrc_f1("战", &[""]), cmrc_f1("战", &[])), (0.0, 0.0, 0.0));
    assert!(cmrc_exact_match(" ABC。", &["x", "abc"]) && !cmrc_exact_match("a b", &["ab"]));
    // Subsequence 战无 of 2 and of 4; the other reference has it whole: recall is its.
    let rouge = dureader_rouge_l("战 无", &["战国无双", "战无人"]);
    assert_close(&[rouge], &[2.44 * (2.0 / 3.0) / (2.0 / 3.0 + 1.44)], 1e-15);
    assert_eq!((dureader_rouge_l("", &["战"]), dureader_rouge_l("人", &["战"])), (0.0, 0.0));
    // Characters in common: 3, 2, 1, 0 of 4, 3, 2, 1, and no smoothing.
    let bleu = |answer: &str| Bleu::DUREADER.corpus(&[answer], &[vec!["战国无双"]]).unwrap();
    assert_eq!((bleu("战国无人").matches, bleu("战国无人").score), (vec![3, 2, 1, 0], 0.0));
    assert_close(&[bleu("战 国无双").score], &[100.0], 1e-12);
}

#[test]
fn counts_of_segments_add_up_to_the_corpus() {
    let hypotheses = ["the cat sat", "a dog barked loudly at it", "no"];
    let references = [vec!["the cat sat down", "a cat sat"], vec!["a dog barked at it"], vec!["yes"]];
    let bleu = Bleu { smoothing: Smoothing::Floor(0.1), ..Bleu::default() };
    let counts = bleu.counts(&hypotheses, &references).unwrap();
    assert_eq!(counts.segments(), 3);
    assert_eq!(counts.score(&[0, 1, 2]).unwrap(), bleu.corpus(&hypotheses, &references).unwrap());
    let twice = bleu.corpus(&[hypotheses[1]; 2], &[references[1].clone(), references[1].clone()]).unwrap();
    assert_eq!(counts.score(&[1, 1]).unwrap(), twice);
    assert!(matches!(counts.score(&[3]), Err(Error::Shape { .. })));
    assert!(matches!(counts.score(&[]), Err(Error::Shape { .. })));
    let chrf = Chrf { word_order: 2, ..Chrf::default() };
    let counts = chrf.counts(&hypotheses, &references).unwrap();
    assert_eq!(counts.score(&[0, 1, 2]).unwrap(), chrf.corpus(&hypotheses, &references).unwrap());
    assert!(matches!(counts.score(&[3]), Err(Error::Shape { .. })));
}

#[test]
fn sets_are_in_order_up_to_equal_places() {
    let scores = Scores::new(vec![1.0, 3.0, 2.0, 1.0, 1.0, 2.0], 3).unwrap();
    // The first set's last two share a place; in the second, equal scores stand for different places.
    assert_eq!(SetsInOrder.value(&scores, &[0, 1, 1, 0, 1, 2]).unwrap(), 0.5);
    assert_eq!(SetsInOrder.value(&scores, &[0, 1, 1, 0, 0, 2]).unwrap(), 1.0);
    assert!(matches!(SetsInOrder.value(&scores, &[0, 1, 1]), Err(Error::Shape { .. })));
}

#[test]
fn few_shot_accuracy_by_hand() {
    // On a line: class 0 at 0 and 4, class 1 at 3 and 5. With one example each the four episodes put the other two right by
    // halves: (0, 3): 4 goes to 3, 5 to 3; (0, 5): 4 to 5, 3 to 5; (4, 3): 0 to 3, 5 to 4; (4, 5): 0 to 4, 3 to 4.
    let line = Scores::new(vec![0.0, 4.0, 3.0, 5.0], 1).unwrap();
    let accuracy = FewShot::new(1, 4000, 0).unwrap().value(&line, &[0, 0, 1, 1]).unwrap();
    assert_close(&[accuracy], &[(0.5 + 0.5 + 0.0 + 0.5) / 4.0], 0.02);
    // Equal distances go to the first class.
    let same = Scores::new(vec![1.0; 6], 1).unwrap();
    assert_close(&[FewShot::one().value(&same, &[0, 0, 1, 1, 2, 2]).unwrap()], &[1.0 / 3.0], 1e-12);
    assert!(matches!(FewShot::one().value(&same, &[0, 0, 0, 0, 0, 1]), Err(Error::Undefined { .. })));
    assert!(matches!(FewShot::one().value(&same, &[0]), Err(Error::Shape { .. })));
    assert!(matches!(FewShot::new(0, 1, 0), Err(Error::Parameter { name: "shots", .. })));
}
