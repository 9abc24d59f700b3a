//! Baselines: values by hand, gradients by finite differences, fast forms against all pairs.

use dfdx::prelude::*;
use reloss::baseline::*;
use reloss::data::Dataset;
use reloss::experiment::{Case, Comparison, Ground, Results, Setting};
use reloss::loss::{CrossEntropy, Loss};
use reloss::metric::{ClassMetric, Scores};
use reloss::model::{Mlp, Model};
use reloss::ops::{host, matrix};
use reloss::task::{Classification, Train};
use reloss::Error;

use crate::sort::scattered;
use crate::support::{assert_close, wide};

/// Logits without structure.
fn logits(rows: usize, classes: usize, seed: usize) -> Vec<f32> {
    scattered(rows * classes, seed as u64).iter().map(|&v| v as f32).collect()
}

fn value(loss: &dyn Loss, values: &[f32], classes: usize, labels: &[usize]) -> f64 {
    reloss::loss::value(loss, &Scores::new(values.to_vec(), classes).unwrap(), labels).unwrap()
}

/// The gradient a model gets, against central differences of the value; `fresh` makes the loss anew each time.
fn check_gradient(fresh: &dyn Fn() -> Box<dyn Loss>, values: &[f32], classes: usize, labels: &[usize]) {
    let x = matrix(values.to_vec(), labels.len(), classes).unwrap();
    let loss = fresh().loss(x.leaky_trace(), labels).unwrap();
    let name = fresh().name();
    let gradient = wide(&host(&loss.backward().get(&x)));
    assert!(gradient.iter().any(|g| g.abs() > 1e-4), "{name}: {gradient:?}");
    let differences: Vec<f64> = (0..values.len())
        .map(|i| {
            let at = |step: f32| {
                let mut moved = values.to_vec();
                moved[i] += step;
                value(fresh().as_ref(), &moved, classes, labels)
            };
            (at(2e-3) - at(-2e-3)) / 4e-3
        })
        .collect();
    let scale = gradient.iter().fold(1e-2f64, |m, g| m.max(g.abs()));
    for (i, (got, want)) in gradient.iter().zip(&differences).enumerate() {
        assert!((got - want).abs() < 1e-2 * scale, "{name} at {i}: {got} and {want} by differences");
    }
}

#[test]
fn gradients_agree_with_finite_differences() {
    let two: Vec<usize> = (0..10).map(|i| usize::from(i % 3 == 0)).collect();
    let soft = [
        SoftMetric::Accuracy,
        SoftMetric::FBeta(1.0),
        SoftMetric::FBeta(2.0),
        SoftMetric::GMean,
        SoftMetric::BalancedAccuracy,
    ];
    for metric in soft {
        // Milder than the paper's 73, whose sigmoids are too steep for differences in f32.
        check_gradient(&|| Box::new(AnyLoss { metric, steepness: 6.0 }), &logits(10, 2, 1), 2, &two);
    }
    let three: Vec<usize> = (0..9).map(|i| i % 3).collect();
    check_gradient(&|| Box::new(JeffriesMatusita), &logits(9, 3, 2), 3, &three);
    for pair in [PairLoss::Square, PairLoss::Exponential, PairLoss::Hinge] {
        check_gradient(&|| Box::new(PairwiseAuc { pair }), &logits(9, 3, 3), 3, &three);
    }
    let uniloss = |comparisons, metric: fn(&Compared) -> f64| UniLoss::new(comparisons, metric, 4);
    check_gradient(
        &|| Box::new(uniloss(Comparisons::LabelWithOthers, Compared::accuracy)),
        &logits(9, 3, 4),
        3,
        &three,
    );
    check_gradient(
        &|| Box::new(uniloss(Comparisons::OnesWithZeros, Compared::roc_auc)),
        &logits(10, 2, 5),
        2,
        &two,
    );
    let retrieval = RecallAtK { temperature: 0.3, ks: vec![1, 2, 4] };
    let four: Vec<usize> = (0..12).map(|i| i % 4).collect();
    check_gradient(&|| Box::new(retrieval.clone()), &logits(12, 4, 6), 4, &four);
    check_gradient(&|| Box::new(ProtoTriplet { margin: 3.0 }), &logits(12, 4, 8), 4, &four);
}

#[test]
fn a_newton_gradient_solves_the_fishers_system() {
    let labels = [0, 2, 1, 1, 0];
    let values = logits(5, 3, 11);
    let gradient = |loss: &dyn Loss| {
        let x = matrix(values.clone(), 5, 3).unwrap();
        wide(&host(&loss.loss(x.leaky_trace(), &labels).unwrap().backward().get(&x)))
    };
    let plain = CrossEntropy::default();
    let newton = NewtonFisher::new(Box::new(plain.clone()), 0.2).unwrap();
    assert_eq!(newton.name(), "cross_entropy_newton");
    assert_close(&[value(&newton, &values, 3, &labels)], &[value(&plain, &values, 3, &labels)], 1e-5);
    let (g, solved) = (gradient(&plain), gradient(&newton));
    // Rows of five times the mean's gradient; F their mean outer product.
    let fisher = |i: usize, j: usize| {
        let sum: f64 = (0..5).map(|r| 25.0 * g[3 * r + i] * g[3 * r + j]).sum();
        sum / 5.0 + if i == j { 0.2 } else { 0.0 }
    };
    for row in 0..5 {
        let back: Vec<f64> =
            (0..3).map(|i| (0..3).map(|j| fisher(i, j) * solved[3 * row + j]).sum()).collect();
        assert_close(&back, &g[3 * row..3 * row + 3], 1e-6);
    }
    assert!(matches!(NewtonFisher::new(Box::new(plain), 0.0), Err(Error::Parameter { name: "damping", .. })));
}

#[test]
fn proto_triplets_by_hand() {
    // On a line: class 0 at 0 and 1, class 1 at 4 and 3 (support first). Query 1: |1 − 0| − |1 − 4| + 3 = 1; query 3:
    // |3 − 4| − |3 − 0| + 3 = 1.
    let x = [0.0, 4.0, 1.0, 3.0];
    let (value, _) = ProtoTriplet { margin: 3.0 }.value(&x, 1, &[0, 1, 0, 1]).unwrap();
    assert_close(&[value], &[1.0], 1e-12);
    assert_eq!(ProtoTriplet::default().value(&x, 1, &[0, 1, 0, 1]).unwrap(), (0.0, vec![0.0; 4]));
    assert!(matches!(ProtoTriplet::default().value(&x, 1, &[0, 1, 2, 0]), Err(Error::Undefined { .. })));
    let bad = ProtoTriplet { margin: -1.0 };
    assert!(matches!(bad.value(&x, 1, &[0, 1, 0, 1]), Err(Error::Parameter { name: "margin", .. })));
}

#[test]
fn soft_counts_come_to_the_metrics_by_hand() {
    // Sure: true 1 1 1 0 0, taken for 1 1 0 1 0.
    let (p, labels) = ([0.95, 0.9, 0.1, 0.9, 0.05], [1, 1, 1, 0, 0]);
    let of = |metric| AnyLoss::new(metric).value(&p, &labels).unwrap().0;
    assert_close(&[1.0 - of(SoftMetric::Accuracy)], &[3.0 / 5.0], 1e-9);
    assert_close(&[1.0 - of(SoftMetric::FBeta(1.0))], &[4.0 / 6.0], 1e-9);
    assert_close(&[1.0 - of(SoftMetric::BalancedAccuracy)], &[(2.0 / 3.0 + 0.5) / 2.0], 1e-9);
    assert_close(&[1.0 - of(SoftMetric::GMean)], &[(2.0_f64 / 3.0 * 0.5).sqrt()], 1e-9);
    // Without a class its recall is undefined; accuracy and F are not.
    let loss = AnyLoss::new(SoftMetric::GMean);
    assert!(matches!(loss.value(&[0.5], &[1]), Err(Error::Undefined { .. })));
    assert!(AnyLoss::new(SoftMetric::Accuracy).value(&[0.5], &[1]).is_ok());
    assert!(matches!(loss.value(&[0.5], &[2]), Err(Error::Shape { .. })));
    assert!(matches!(loss.value(&[f64::NAN], &[1]), Err(Error::NotFinite { .. })));
    let flat = AnyLoss { steepness: 0.0, ..loss };
    assert!(matches!(flat.value(&[0.5, 0.5], &[1, 0]), Err(Error::Parameter { name: "steepness", .. })));
    // Nothing right of class 1: no NaN where the root is 0.
    let (value, gradient) = AnyLoss { steepness: 1e4, ..loss }.value(&[0.0, 0.0], &[1, 0]).unwrap();
    assert_eq!(value, 1.0);
    assert!(gradient.iter().all(|g| g.is_finite()));
}

#[test]
fn pairwise_losses_equal_their_sums_over_all_pairs() {
    let (rows, classes) = (25, 4);
    let scores = scattered(rows * classes, 9);
    // Class 3 does not occur.
    let labels: Vec<usize> = (0..rows).map(|i| (i * i) % 3).collect();
    let of = |pair: PairLoss, d: f64| match pair {
        PairLoss::Square => (1.0 - d).powi(2),
        PairLoss::Exponential => (-d).exp(),
        PairLoss::Hinge => (1.0 - d).max(0.0),
    };
    let counts: Vec<f64> = (0..4).map(|c| labels.iter().filter(|&&l| l == c).count() as f64).collect();
    for pair in [PairLoss::Square, PairLoss::Exponential, PairLoss::Hinge] {
        let (mut sum, mut pairs) = (0.0, 0.0);
        for i in 0..4 {
            for j in (0..4).filter(|&j| j != i && counts[i] * counts[j] > 0.0) {
                pairs += 1.0;
                for a in (0..rows).filter(|&a| labels[a] == i) {
                    for b in (0..rows).filter(|&b| labels[b] == j) {
                        let d = scores[a * classes + i] - scores[b * classes + i];
                        sum += of(pair, d) / (counts[i] * counts[j]);
                    }
                }
            }
        }
        let got = PairwiseAuc { pair }.value(&scores, classes, &labels).unwrap();
        assert_close(&[got.0], &[sum / pairs], 1e-12);
    }
    let one = PairwiseAuc { pair: PairLoss::Square }.value(&[0.1, 0.9], 2, &[1]);
    assert!(matches!(one, Err(Error::Undefined { .. })));
}

#[test]
fn interpolation_meets_the_metric_where_predictions_are_sure() {
    let accuracy = || UniLoss::new(Comparisons::LabelWithOthers, Compared::accuracy, 1);
    // All right, and sure: at the best anchor itself.
    let sure: Vec<f32> = [40.0, 0.0, 0.0, 40.0, 40.0, 0.0].to_vec();
    assert_close(&[value(&accuracy(), &sure, 2, &[0, 1, 0])], &[-1.0], 1e-6);
    // Anchors are drawn anew with every call, alike for equal seeds.
    let (first, second) = (accuracy(), accuracy());
    let unsure = logits(6, 3, 7);
    let labels = [0, 1, 2, 0, 1, 2];
    let one = value(&first, &unsure, 3, &labels);
    assert_eq!(one, value(&second, &unsure, 3, &labels));
    assert_ne!(one, value(&first, &unsure, 3, &labels));
    let x = matrix(vec![0.0; 4], 2, 2).unwrap();
    let nan = UniLoss::new(Comparisons::LabelWithOthers, |_| f64::NAN, 1);
    assert!(matches!(nan.loss(x.leaky_trace(), &[1, 0]), Err(Error::Undefined { .. })));
}

#[test]
fn a_batch_that_leaves_a_loss_undefined_teaches_nothing() {
    let losses: [Box<dyn Loss>; 5] = [
        Box::new(AnyLoss::new(SoftMetric::GMean)),
        Box::new(PairwiseAuc { pair: PairLoss::Square }),
        Box::new(UniLoss::new(Comparisons::OnesWithZeros, Compared::roc_auc, 1)),
        Box::new(RecallAtK::default()),
        Box::new(ProtoTriplet::default()),
    ];
    // One class; for retrieval and prototypes, a single row.
    for (i, loss) in losses.iter().enumerate() {
        let rows = if i < 3 { 3 } else { 1 };
        let x = matrix(logits(rows, 2, 1), rows, 2).unwrap();
        let value = loss.loss(x.leaky_trace(), &vec![1; rows]).unwrap();
        assert_eq!(reloss::ops::scalar(&value), 0.0, "{}", loss.name());
        assert!(host(&value.backward().get(&x)).iter().all(|&g| g == 0.0), "{}", loss.name());
    }
}

#[test]
fn recall_at_k_by_hand() {
    // Two pairs far apart: every row finds its partner first.
    let embeddings = [1.0, 0.0, 1.0, 0.01, 0.0, 1.0, 0.01, 1.0];
    let loss = RecallAtK { ks: vec![1], temperature: 0.01 };
    // The partner's rank is 1, and σ(1 − 1) = 1/2.
    assert_close(&[value(&loss, &embeddings, 2, &[0, 0, 1, 1])], &[0.5], 1e-6);
    // Partners exchanged: rank 3 of three, or 2 by its near neighbour: σ(1 − 3) or σ(1 − 2).
    let crossed = value(&loss, &embeddings, 2, &[0, 1, 0, 1]);
    assert!(crossed > 0.72 && crossed < 0.89, "{crossed}");
    let alone = matrix(vec![0.0; 4], 2, 2).unwrap();
    assert!(matches!(loss.value(&[1.0; 4], &[0, 1]), Err(Error::Undefined { .. })));
    // Rows of zeros have no direction, and no NaN.
    let zero = loss.loss(alone.leaky_trace(), &[0, 0]).unwrap();
    assert!(wide(&host(&zero.backward().get(&alone))).iter().all(|g| g.is_finite()));
    let none = RecallAtK { ks: vec![], ..loss };
    assert!(matches!(none.value(&[1.0; 4], &[0, 0]), Err(Error::Parameter { name: "ks", .. })));
}

#[test]
fn listwise_gradients_agree_with_finite_differences() {
    let (scores, labels) = (scattered(7, 3), [0.0, 2.0, 1.0, 0.0, 3.0, 0.0, 1.0]);
    type Listwise = fn(&[f64], &[f64]) -> reloss::Result<(f64, Vec<f64>)>;
    let losses: [Listwise; 2] = [ranking_softmax, |scores, labels| approx_ndcg(scores, labels, 0.7)];
    for loss in losses {
        let gradient = loss(&scores, &labels).unwrap().1;
        let at = |i: usize, step: f64| {
            let mut moved = scores.clone();
            moved[i] += step;
            loss(&moved, &labels).unwrap().0
        };
        let differences: Vec<f64> = (0..7).map(|i| (at(i, 1e-6) - at(i, -1e-6)) / 2e-6).collect();
        assert_close(&gradient, &differences, 1e-7);
    }
    assert!(matches!(approx_ndcg(&[1.0], &[0.0], 1.0), Err(Error::Undefined { .. })));
    assert!(matches!(approx_ndcg(&[1.0], &[1.0], 0.0), Err(Error::Parameter { .. })));
    assert!(matches!(ranking_softmax(&[], &[]), Err(Error::Shape { .. })));
    assert!(matches!(hinge_bound_ranks(&[f64::NAN]), Err(Error::NotFinite { .. })));
}

#[test]
fn the_grounds_are_what_they_say_and_run() {
    let grounds = Ground::all().unwrap();
    assert_eq!(grounds.len(), 10);
    for ground in &grounds[..8] {
        let labels = ground.task(0).unwrap().splits.train.labels().to_vec();
        let ones = labels.iter().filter(|&&label| label == 1).count() as f64;
        assert!((labels.len() as f64 / ones - 10.0).abs() < 0.7, "{}", ground.setting());
    }
    // Retrieval is the quickest: two epochs, one seed, one rate.
    let comparison = Comparison {
        seeds: vec![0],
        tuning_seeds: vec![9],
        grid: vec![1e-2],
        train: Train { epochs: 2, ..Train::default() },
    };
    let results = Ground::run(&grounds[9..], &comparison, Results::default(), None, "test").unwrap();
    let losses: Vec<&str> = results.runs.iter().map(|run| run.loss.as_str()).collect();
    assert_eq!(losses, ["cross_entropy", "recall_at_k", "proto_triplet", "reloss"]);
    assert!(results.runs.iter().all(|run| run.value > 0.5), "{results:?}");
}

#[test]
fn a_classifier_is_retrained_on_features_that_stay() {
    let task = Setting::LongTail(20.0).task(&Dataset::digits().unwrap(), 0).unwrap();
    let options = Train { epochs: 8, ..Train::default() };
    let metric = ClassMetric::MACRO_F1;
    let first = task.train(&CrossEntropy::default(), &metric, &options).unwrap();
    let smoothed = CrossEntropy::smoothed(0.98).unwrap();
    let again = task.retrain_classifier(&first, &smoothed, &metric, &options).unwrap();
    let members = |model: &Mlp| model.parameters().values();
    let (before, after) = (members(&first.model), members(&again.model));
    assert_eq!((&before[0], &before[1]), (&after[0], &after[1]));
    assert_ne!(before[2], after[2]);
    assert_eq!((first.model.sizes(), again.model.sizes()), (vec![64, 128, 10], vec![64, 128, 10]));
    // The joined model makes the predictions it was judged by.
    let test = &task.splits.test;
    let x = matrix(test.features().to_vec(), test.rows(), test.width()).unwrap();
    let predicted = wide(&host(&again.model.predict(x).unwrap()));
    assert_close(&predicted, &wide(again.scores.values()), 1e-5);
    let flat = Classification { hidden: vec![], ..task.clone() };
    let linear =
        flat.train(&CrossEntropy::default(), &metric, &Train { epochs: 1, ..options.clone() }).unwrap();
    let refused = flat.retrain_classifier(&linear, &smoothed, &metric, &options);
    assert!(matches!(refused, Err(Error::Parameter { name: "hidden", .. })));
}
