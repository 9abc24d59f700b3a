//! Baselines: values by hand, gradients by finite differences, fast forms against all pairs.

use dfdx::prelude::*;
use reloss::baseline::*;
use reloss::data::Dataset;
use reloss::experiment::{Baselines, Case, Comparison, Ground, Results, Setting, SortingGround};
use reloss::loss::{CrossEntropy, Loss, PermutationLoss, PlaceLoss};
use reloss::metric::{ClassMetric, Scores, SetsInOrder};
use reloss::model::{Film, Mlp, Model, Parametric};
use reloss::ops::{host, matrix, Parameter, Parameters};
use reloss::task::{Classification, Descent, MetricOpt, Task, Train};
use reloss::{Error, Matrix, Scalar, Tape};
use std::collections::BTreeSet;

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
    let x = matrix(values.to_vec(), values.len() / classes, classes).unwrap();
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
    check_gradient(&|| Box::new(Prototypes::new(CrossEntropy::default())), &logits(12, 4, 9), 4, &four);
    check_gradient(
        &|| Box::new(AdaptiveLoss::new(3, &Alignment::default()).unwrap()),
        &logits(9, 3, 10),
        3,
        &three,
    );
    // Three sets of three scores in their places.
    let soft = SortingGround::ways()[0].1;
    let places: Vec<usize> = [[0, 1, 2], [2, 0, 1], [1, 2, 0]].concat();
    check_gradient(&|| Box::new(PermutationLoss { soft }), &logits(3, 3, 12), 3, &places);
    let place = || Box::new(PlaceLoss { soft, loss: Box::new(CrossEntropy::default()) });
    check_gradient(&|| place(), &logits(3, 3, 13), 3, &places);
}

#[test]
fn a_newton_gradient_solves_the_system_of_its_curvature() {
    let labels = [0, 2, 1, 1, 0];
    let values = logits(5, 3, 11);
    let gradient = |loss: &dyn Loss| {
        let x = matrix(values.clone(), 5, 3).unwrap();
        wide(&host(&loss.loss(x.leaky_trace(), &labels).unwrap().backward().get(&x)))
    };
    let plain = CrossEntropy::default();
    let g = gradient(&plain);
    let p: Vec<f64> = wide(&values)
        .chunks_exact(3)
        .flat_map(|row| {
            let sum: f64 = row.iter().map(|z| z.exp()).sum();
            row.iter().map(move |z| z.exp() / sum).collect::<Vec<f64>>()
        })
        .collect();
    let unit = |i: usize, j: usize| if i == j { 1.0 } else { 0.0 };
    // Of rows of five times the mean's gradient; cross-entropy's Hessian is diag(p) − ppᵀ.
    let fisher = |r: usize, i: usize, j: usize| 25.0 * g[3 * r + i] * g[3 * r + j];
    let hessian = |r: usize, i: usize, j: usize| p[3 * r + i] * (unit(i, j) - p[3 * r + j]);
    type Entry<'a> = &'a dyn Fn(usize, usize, usize) -> f64;
    let of: [(Curvature, &str, Entry, f64); 2] =
        [(Curvature::Fisher, "fisher", &fisher, 1e-6), (Curvature::Hessian, "hessian", &hessian, 1e-4)];
    for (curvature, name, entry, tolerance) in of {
        let newton = Newton::new(Box::new(plain.clone()), curvature, 0.2).unwrap();
        assert_eq!(newton.name(), format!("cross_entropy_newton_{name}"));
        assert_close(&[value(&newton, &values, 3, &labels)], &[value(&plain, &values, 3, &labels)], 1e-5);
        let solved = gradient(&newton);
        let damped =
            |i: usize, j: usize| (0..5).map(|r| entry(r, i, j)).sum::<f64>() / 5.0 + 0.2 * unit(i, j);
        for row in 0..5 {
            let back: Vec<f64> =
                (0..3).map(|i| (0..3).map(|j| damped(i, j) * solved[3 * row + j]).sum()).collect();
            assert_close(&back, &g[3 * row..3 * row + 3], tolerance);
        }
    }
    let refused = Newton::new(Box::new(plain), Curvature::Fisher, 0.0);
    assert!(matches!(refused, Err(Error::Parameter { name: "damping", .. })));
}

/// −½ z², whose Hessian is −1 everywhere.
struct Hill;

impl Loss for Hill {
    fn name(&self) -> String {
        "hill".to_string()
    }

    fn loss(&self, x: Matrix<Tape>, _: &[usize]) -> reloss::Result<Scalar<Tape>> {
        let rows = x.shape().0 as f32;
        Ok(x.square().sum() * (-0.5 / rows))
    }
}

#[test]
fn damping_is_doubled_until_the_curvature_is_positive() {
    let newton = Newton::new(Box::new(Hill), Curvature::Hessian, 0.3).unwrap();
    let x = matrix(vec![1.0, 2.0], 1, 2).unwrap();
    let gradient = wide(&host(&newton.loss(x.leaky_trace(), &[0]).unwrap().backward().get(&x)));
    // 0.3 and 0.6 are too little; −1 + 1.2 = 0.2.
    assert_close(&gradient, &[-1.0 / 0.2, -2.0 / 0.2], 0.05);
}

#[test]
fn a_bridge_has_the_hard_value_and_its_networks_slope() {
    // Rows and targets by hand: ranks 1 0 2 and 0 2 1, of which the second pair is exchanged.
    let scores = [0.3, -1.0, 2.0, -5.0, 7.0, 0.0];
    let ranks = || Bridge::new(Hard::Ranks, 3, &BridgeOptions::default()).unwrap();
    assert_close(&[value(&ranks(), &scores, 3, &[1, 0, 2, 0, 1, 2])], &[2.0 / 6.0], 1e-6);
    let largest = || Bridge::new(Hard::Largest, 3, &BridgeOptions::default()).unwrap();
    // Two entries of six are off by one: half of that, times three, is the error rate.
    assert_close(&[value(&largest(), &scores, 3, &[2, 0])], &[2.0 / 6.0], 1e-6);
    assert!(matches!(
        largest().loss(matrix(vec![0.0; 3], 1, 3).unwrap().leaky_trace(), &[3]),
        Err(Error::Shape { .. })
    ));
    assert!(matches!(
        ranks().loss(matrix(vec![0.0; 3], 1, 3).unwrap().leaky_trace(), &[0]),
        Err(Error::Shape { .. })
    ));
    let rate = BridgeOptions { learning_rate: f64::NAN, ..BridgeOptions::default() };
    assert!(matches!(
        Bridge::new(Hard::Ranks, 3, &rate),
        Err(Error::Parameter { name: "learning_rate", .. })
    ));

    // The gradient is that of the network along what is off, ⟨2 (hard − target)/6, network⟩, as it is after the call.
    let bridge = ranks();
    let places = [1, 0, 2, 0, 1, 2];
    for _ in 0..200 {
        value(&bridge, &scores, 3, &places);
    }
    let x = matrix(scores.to_vec(), 2, 3).unwrap();
    let gradient = wide(&host(&bridge.loss(x.leaky_trace(), &places).unwrap().backward().get(&x)));
    let off = [0.0, 0.0, 0.0, 0.0, 1.0, -1.0];
    let along = |moved: &[f32]| -> f64 {
        let out = bridge.approximation(matrix(moved.to_vec(), 2, 3).unwrap()).unwrap();
        wide(&host(&out)).iter().zip(off).map(|(v, d)| 2.0 * d * v / 6.0).sum()
    };
    let differences: Vec<f64> = (0..6)
        .map(|i| {
            let at = |step: f32| {
                let mut moved = scores.to_vec();
                moved[i] += step;
                along(&moved)
            };
            (at(1e-3) - at(-1e-3)) / 2e-3
        })
        .collect();
    assert_close(&gradient, &differences, 2e-3);
    assert!(gradient[3..].iter().any(|g| g.abs() > 1e-3), "{gradient:?}");
    // It has learned the function where it was taught.
    let learned = wide(&host(&bridge.approximation(matrix(scores.to_vec(), 2, 3).unwrap()).unwrap()));
    assert_close(&learned, &[1.0, 0.0, 2.0, 0.0, 2.0, 1.0], 0.3);
}

#[test]
fn batches_without_rows_are_refused() {
    let none = || matrix(vec![], 0, 3).unwrap().leaky_trace();
    let bridge = Bridge::new(Hard::Largest, 3, &BridgeOptions::default()).unwrap();
    let losses: [Box<dyn Loss>; 3] = [
        Box::new(bridge),
        Box::new(Newton::new(Box::new(CrossEntropy::default()), Curvature::Fisher, 0.1).unwrap()),
        Box::new(AdaptiveLoss::new(3, &Alignment::default()).unwrap()),
    ];
    for loss in losses {
        let refused = loss.loss(none(), &[]);
        assert!(matches!(refused, Err(Error::Shape { .. })), "{}", loss.name());
    }
}

#[test]
fn a_policy_moves_the_table_within_its_reach_and_learns_what_pays() {
    let options = Alignment { step: 0.3, reach: 0.5, seed: 3, ..Alignment::default() };
    let loss = AdaptiveLoss::new(3, &options).unwrap();
    let scores = Scores::new(logits(9, 3, 1), 3).unwrap();
    let labels: Vec<usize> = (0..9).map(|i| i % 3).collect();
    // It begins as cross-entropy.
    let plain = value(&CrossEntropy::default(), scores.values(), 3, &labels);
    assert_close(&[value(&loss, scores.values(), 3, &labels)], &[plain], 1e-6);
    // The metric is what it does to the table's first entry: down pays.
    let mut first = Vec::new();
    for step in 0..400 {
        if step % 20 == 0 {
            loss.restart();
        }
        let table = loss.table();
        assert!(table.iter().all(|v| v.is_finite()));
        for (row, entries) in table.chunks_exact(3).enumerate() {
            let sum: f32 = entries.iter().sum();
            assert!((0.5..=2.0).contains(&entries[row]) && sum >= -1e-6, "{entries:?}");
        }
        first.push(f64::from(table[0] + table[4] + table[8]));
        let metric = -first[step];
        loss.adapt(&scores, &labels, Some(metric), (step % 20) as f64 / 20.0).unwrap();
    }
    let mean = |part: &[f64]| part.iter().sum::<f64>() / part.len() as f64;
    assert!(
        mean(&first[300..]) < mean(&first[..100]) - 0.2,
        "{} {}",
        mean(&first[300..]),
        mean(&first[..100])
    );
    assert!(matches!(loss.adapt(&scores, &[0], None, 0.0), Err(Error::Shape { .. })));
    assert!(matches!(AdaptiveLoss::new(1, &options), Err(Error::Parameter { name: "classes", .. })));
    let far = Alignment { reach: 1.0, ..options };
    assert!(matches!(AdaptiveLoss::new(2, &far), Err(Error::Parameter { name: "alignment", .. })));
}

#[test]
fn a_value_function_refuses_what_it_cannot_learn_from() {
    let observation = |adapters: Vec<f32>, error: f64| Observation { adapters, error, weight: 1.0 };
    let learn = |seen: &[Observation]| ValueFunction::learn(seen, &ValueOptions::default());
    assert!(matches!(learn(&[]), Err(Error::Undefined { .. })));
    let uneven = [observation(vec![0.0], 0.1), observation(vec![0.0, 1.0], 0.2)];
    assert!(matches!(learn(&uneven), Err(Error::Shape { .. })));
    assert!(matches!(learn(&[observation(vec![f32::NAN], 0.1)]), Err(Error::NotFinite { .. })));
    // A constant is learned as one.
    let constant = learn(&[observation(vec![1.0], 0.25), observation(vec![2.0], 0.25)]).unwrap();
    assert_close(&[constant.error(&[1.5]).unwrap()], &[0.25], 0.1);
    assert!(matches!(constant.gradient(&[1.0, 2.0]), Err(Error::Shape { .. })));
    let options = ValueOptions { steps: 0, ..ValueOptions::default() };
    assert!(ValueFunction::learn(&[observation(vec![1.0], 0.0)], &options).is_err());
}

#[test]
fn metric_opt_keeps_the_model_and_folds_its_adapters() {
    let Ground::Imbalanced(toy) = &Ground::all().unwrap()[4] else { panic!("not two moons") };
    let (task, train) = (toy.task(0).unwrap(), Train { epochs: 6, ..Train::default() });
    let metric = ClassMetric::BALANCED_ACCURACY;
    let first = task.train(&CrossEntropy::default(), &metric, &train).unwrap();
    // Adapters at 1 and 0 change nothing; others fold into the same function.
    let mut film = Film::new(&first.model).unwrap();
    let test = &task.splits.test;
    let x = || matrix(test.features().to_vec(), test.rows(), test.width()).unwrap();
    let of = |model: &dyn Model| wide(&host(&model.predict(x()).unwrap()));
    assert_close(&of(&film), &of(&first.model), 1e-6);
    let turned: Vec<Parameter> = film
        .parameters()
        .iter()
        .enumerate()
        .map(|(i, p)| {
            let values = (0..p.value().shape().1).map(|j| ((i * 7 + j * 3) % 5) as f32 / 2.0 - 0.7);
            Parameter::new(p.name(), p.shape(), values.collect()).unwrap()
        })
        .collect();
    *film.parameters_mut() = Parameters::new(turned);
    assert_close(&of(&film.folded().unwrap()), &of(&film), 1e-5);

    for descent in [Descent::Adam, Descent::Sgd(0.9)] {
        let options = MetricOpt { trajectories: 3, descent, ..MetricOpt::default() };
        let tuned = task.finetune_for_metric(&first, &metric, &train, &options).unwrap();
        let again = task.finetune_for_metric(&first, &metric, &train, &options).unwrap();
        assert_eq!(tuned.predictions, again.predictions);
        assert_ne!(tuned.predictions, first.predictions);
        assert_close(&of(&tuned.model), &wide(tuned.predictions.values()), 1e-5);
        // The last layer is not adapted.
        let last = |model: &Mlp| model.parameters().values()[2..].to_vec();
        assert_eq!(last(&tuned.model), last(&first.model));
        // With a weight of 0 the value function has no say.
        let alone = MetricOpt { weight: 0.0, ..options };
        assert_ne!(
            task.finetune_for_metric(&first, &metric, &train, &alone).unwrap().predictions,
            tuned.predictions
        );
    }
    let none = MetricOpt { every: 0, ..MetricOpt::default() };
    let refused = task.finetune_for_metric(&first, &metric, &train, &none);
    assert!(matches!(refused, Err(Error::Parameter { name: "trajectories", .. })));
    let linear = Mlp::new(&[2, 2], 0).unwrap();
    assert!(matches!(Film::new(&linear), Err(Error::Parameter { name: "hidden", .. })));
}

#[test]
fn observations_between_measurements_lie_on_a_line() {
    let Ground::Imbalanced(toy) = &Ground::all().unwrap()[4] else { panic!("not two moons") };
    let task = toy.task(0).unwrap();
    let first = task.train(&CrossEntropy::default(), &ClassMetric::ERROR_RATE, &Train::default()).unwrap();
    let film = Film::new(&first.model).unwrap();
    let options = MetricOpt { trajectories: 2, epochs: 1, every: 4, ..MetricOpt::default() };
    let seen = task.observe(&film, &ClassMetric::ERROR_RATE, &Train::default(), &options).unwrap();
    // 420 rows or so in batches of 64: updates 0 to 4 lie between measurements, those after the last are left out.
    let weights: Vec<f64> = seen.iter().map(|o| o.weight).collect();
    assert_eq!(&weights[..5], [1.0, 0.75, 0.5, 0.75, 1.0]);
    let errors: Vec<f64> = seen.iter().map(|o| o.error).collect();
    let line: Vec<f64> = (0..5).map(|i| errors[0] + f64::from(i) / 4.0 * (errors[4] - errors[0])).collect();
    assert_close(&errors[..5], &line, 1e-12);
    assert!(errors.iter().all(|e| (0.0..=1.0).contains(e)));
    // The first trajectory begins without noise.
    assert_eq!(seen[0].adapters, film.parameters().values().concat());
}

#[test]
fn a_policy_trains_several_models_and_gives_the_best() {
    let Ground::Imbalanced(toy) = &Ground::all().unwrap()[4] else { panic!("not two moons") };
    let (task, train) = (toy.task(1).unwrap(), Train { epochs: 5, ..Train::default() });
    let metric = ClassMetric::BALANCED_ACCURACY;
    let of = |models| task.train_aligned(models, &metric, &train, &Alignment::default()).unwrap();
    let (one, three) = (of(1), of(3));
    assert!(three.validation >= one.validation);
    assert_eq!(of(3).predictions, three.predictions);
    let none = task.train_aligned(0, &metric, &train, &Alignment::default());
    assert!(matches!(none, Err(Error::Parameter { name: "models", .. })));
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
    let losses: [Box<dyn Loss>; 6] = [
        Box::new(AnyLoss::new(SoftMetric::GMean)),
        Box::new(PairwiseAuc { pair: PairLoss::Square }),
        Box::new(UniLoss::new(Comparisons::OnesWithZeros, Compared::roc_auc, 1)),
        Box::new(RecallAtK::default()),
        Box::new(ProtoTriplet::default()),
        Box::new(Prototypes::new(CrossEntropy::default())),
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
    assert_eq!(grounds.len(), 11);
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
    let baselines = Baselines::all(false).unwrap().named("retrieval").unwrap();
    assert_eq!((baselines.grounds.len(), baselines.sorting.len()), (1, 0));
    let results = baselines.run(&comparison, Results::default(), None, "test").unwrap();
    let losses: Vec<&str> = results.runs.iter().map(|run| run.loss.as_str()).collect();
    assert_eq!(losses, ["cross_entropy", "recall_at_k", "proto_triplet", "reloss"]);
    assert!(results.runs.iter().all(|run| run.value > 0.5), "{results:?}");
    let (small, full) = (Baselines::all(false).unwrap(), Baselines::all(true).unwrap());
    assert_eq!((small.grounds.len(), full.grounds.len()), (7, 11));
    assert!(small.named("breast").is_err() && full.named("breast").is_ok());
}

#[test]
fn new_classes_are_none_of_those_trained_on() {
    let ground = Ground::all().unwrap().pop().unwrap();
    for seed in 0..3 {
        let splits = ground.task(seed).unwrap().splits;
        let classes = |part: &Dataset| part.labels().iter().copied().collect::<BTreeSet<usize>>();
        let (known, new) = (classes(&splits.train), classes(&splits.test));
        assert_eq!((known.len(), new.len(), known.intersection(&new).count()), (5, 5, 0));
        assert!(classes(&splits.validation).is_subset(&known));
    }
}

#[test]
fn sorting_is_a_task_like_others() {
    let ground = SortingGround::digits().unwrap();
    let task = ground.task(0).unwrap();
    let train = Train { epochs: 6, batch: 20, learning_rate: 1e-2, ..Train::default() };
    let loss = PermutationLoss { soft: SortingGround::ways()[0].1 };
    let outcome = task.train(&loss, &SetsInOrder, &train).unwrap();
    // By chance 1/120 of sets are in order.
    let test = outcome.test(&SetsInOrder).unwrap();
    assert!(test > 0.03 && outcome.validation > 0.03, "{test} {}", outcome.validation);
    assert_eq!(outcome.history.last().map(|epoch| epoch.epoch), Some(6));
    assert_eq!(outcome.model.name(), "cnn-8-16-32");
    let store = task.store_predictions(&SortingGround::ways()[0].1, &train).unwrap();
    assert!(store.rows() >= 10 * 1000 * 5 && store.rows().is_multiple_of(5000), "{}", store.rows());
    let none = Train { epochs: 0, ..train };
    assert!(matches!(task.train(&loss, &SetsInOrder, &none), Err(Error::Parameter { .. })));
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
    assert_close(&predicted, &wide(again.predictions.values()), 1e-5);
    let flat = Classification { hidden: vec![], ..task.clone() };
    let linear =
        flat.train(&CrossEntropy::default(), &metric, &Train { epochs: 1, ..options.clone() }).unwrap();
    let refused = flat.retrain_classifier(&linear, &smoothed, &metric, &options);
    assert!(matches!(refused, Err(Error::Parameter { name: "hidden", .. })));
}
