//! Every metric by hand: its direction, its range, a value derived on paper, and properties they share.

use proptest::prelude::*;
use reloss::metric::*;
use reloss::Error;

use crate::support::assert_close;

use Direction::{HigherIsBetter as Up, LowerIsBetter as Down};

/// Truth 1 1 1 0 0 0, scores of class 1 in this order of rows: 0.9, 0.6, 0.3, 0.7, 0.2, 0.1.
///
/// At one half 1 1 0 1 0 0 is predicted: of class 1 two hits, a miss, a false alarm; of class 0 likewise.
fn binary() -> (Scores, Vec<usize>) {
    let of_one: [f32; 6] = [0.9, 0.6, 0.3, 0.7, 0.2, 0.1];
    (Scores::new(of_one.iter().flat_map(|p| [1.0 - p, *p]).collect(), 2).unwrap(), vec![1, 1, 1, 0, 0, 0])
}

#[test]
fn metrics_of_class_scores_by_hand() {
    let two_thirds = 2.0 / 3.0;
    type Row = (ClassMetric, &'static str, Direction, (f64, f64), f64);
    let table: [Row; 14] = [
        (ClassMetric::ERROR_RATE, "error rate", Down, (0.0, 1.0), 1.0 / 3.0),
        (ClassMetric::BALANCED_ACCURACY, "balanced accuracy", Up, (0.0, 1.0), two_thirds),
        (ClassMetric::G_MEAN, "G-mean", Up, (0.0, 1.0), two_thirds),
        (ClassMetric::PRECISION, "precision", Up, (0.0, 1.0), two_thirds),
        (ClassMetric::RECALL, "recall", Up, (0.0, 1.0), two_thirds),
        (ClassMetric::F1, "F1", Up, (0.0, 1.0), two_thirds),
        (ClassMetric::MACRO_F1, "macro-F1", Up, (0.0, 1.0), two_thirds),
        (ClassMetric::WEIGHTED_F1, "weighted F1", Up, (0.0, 1.0), two_thirds),
        // 2 of the 4 that are 1 or predicted to be.
        (ClassMetric::JACCARD, "Jaccard index", Up, (0.0, 1.0), 0.5),
        (ClassMetric::MACRO_JACCARD, "macro Jaccard index", Up, (0.0, 1.0), 0.5),
        // (2·2 − 1·1)/√(3·3·3·3).
        (ClassMetric::MATTHEWS, "Matthews' correlation", Up, (-1.0, 1.0), 1.0 / 3.0),
        // Agreement 2/3, by chance 1/2.
        (ClassMetric::KAPPA, "Cohen's kappa", Up, (-1.0, 1.0), 1.0 / 3.0),
        // Of 9 pairs 0.6 and 0.3 against 0.7 are the wrong way round.
        (ClassMetric::ROC_AUC, "ROC-AUC", Up, (0.0, 1.0), 7.0 / 9.0),
        // Hits at places 1, 3 and 4: (1 + 2/3 + 3/4)/3.
        (
            ClassMetric::AVERAGE_PRECISION,
            "average precision",
            Up,
            (0.0, 1.0),
            (1.0 + two_thirds + 0.75) / 3.0,
        ),
    ];
    let (scores, labels) = binary();
    for (metric, name, direction, range, value) in table {
        assert_eq!((metric.name(), metric.direction(), metric.range()), (name, direction, range));
        assert_close(&[metric.value(&scores, &labels).unwrap()], &[value], 1e-12);
        // One label for each row, below the number of classes.
        assert!(matches!(metric.value(&scores, &labels[1..]), Err(Error::Shape { .. })), "{name}");
        assert!(matches!(metric.value(&scores, &[0, 1, 2, 0, 1, 0]), Err(Error::Shape { .. })), "{name}");
    }
    assert_eq!((TopK::ACCURACY.direction(), TopK::ACCURACY.range()), (Up, (0.0, 1.0)));
}

#[test]
fn metrics_without_a_value_are_errors() {
    let (scores, _) = binary();
    let all_zero = Scores::new([1.0, 0.0].repeat(6), 2).unwrap();
    let undefined = |metric: ClassMetric, scores: &Scores, labels: &[usize]| {
        matches!(metric.value(scores, labels), Err(Error::Undefined { .. }))
    };
    for metric in [ClassMetric::RECALL, ClassMetric::ROC_AUC, ClassMetric::AVERAGE_PRECISION] {
        assert!(undefined(metric, &scores, &[0; 6]), "{}", metric.name());
    }
    for metric in [ClassMetric::F1, ClassMetric::JACCARD, ClassMetric::MATTHEWS, ClassMetric::KAPPA] {
        assert!(undefined(metric, &all_zero, &[0; 6]), "{}", metric.name());
    }
    assert_eq!(ClassMetric::F1.where_undefined(0.0).value(&all_zero, &[0; 6]).unwrap(), 0.0);
    assert!(undefined(ClassMetric::PRECISION, &all_zero, &[0, 1, 0, 1, 0, 1]));
    let three = Scores::new(vec![1.0; 6], 3).unwrap();
    assert!(matches!(ClassMetric::AVERAGE_PRECISION.value(&three, &[0, 1]), Err(Error::Shape { .. })));
    // Of three classes one never occurs: its curve is undefined.
    assert!(undefined(ClassMetric::ROC_AUC, &three, &[0, 1]));
}

#[test]
fn many_batches_are_judged_in_parallel() {
    let (scores, labels) = binary();
    let flipped: Vec<usize> = labels.iter().map(|label| 1 - label).collect();
    let batches = [(&scores, &labels[..]), (&scores, &flipped[..])].repeat(50);
    let values = ClassMetric::ERROR_RATE.values(&batches).unwrap();
    assert_close(&values, &[1.0 / 3.0, 2.0 / 3.0].repeat(50), 1e-12);
    let bad = [(&scores, &labels[..]), (&scores, &labels[1..]), (&scores, &[][..])];
    let error = ClassMetric::ERROR_RATE.values(&bad).unwrap_err();
    assert!(matches!(&error, Error::At { place, .. } if place == "batch 1"), "{error}");
}

#[test]
fn segmentations_by_hand() {
    // Of class 0 two of three pixels, of class 1 one of two; the last does not count.
    let (truth, predicted) = ([0, 0, 0, 1, 255], [0, 0, 1, 1, 7]);
    let tallies = Tallies::of_pixels(&truth, &predicted, 2, Some(255)).unwrap();
    assert_close(&[tallies.jaccard(Average::Of(0)).unwrap()], &[2.0 / 3.0], 1e-15);
    assert_close(&[tallies.jaccard(Average::Of(1)).unwrap()], &[0.5], 1e-15);
    // Dice = 2·hits/(true + predicted).
    assert_close(&[tallies.f_beta(1.0, Average::Of(0)).unwrap()], &[4.0 / 5.0], 1e-15);
    assert!(matches!(Tallies::of_pixels(&truth, &predicted, 2, None), Err(Error::Shape { .. })));
    assert!(matches!(Tallies::of_pixels(&[9; 2], &[0; 2], 2, Some(9)), Err(Error::Undefined { .. })));
    assert!(matches!(Tallies::of_pixels(&[0], &[], 2, None), Err(Error::Shape { .. })));
}

#[test]
fn bootstrapped_scores_by_hand() {
    let scores = Scores::new([0.9, 0.1].repeat(100), 2).unwrap();
    let labels: Vec<usize> = (0..100).map(|i| usize::from(i % 4 == 0)).collect();
    let interval = Bootstrap::default().of_scores(&TopK::ACCURACY, &scores, &labels).unwrap();
    // ± 1.96·√(0.75·0.25/100) = 0.085.
    assert_close(&[interval.low, interval.high], &[0.665, 0.835], 0.02);
    assert_eq!(format!("{:+.1}", interval), "+0.8 [+0.7, +0.8]");
    let never = Scores::new([0.1, 0.9].repeat(100), 2).unwrap();
    let difference =
        Bootstrap::default().compare_scores(&TopK::ACCURACY, (&scores, &never), &labels).unwrap();
    assert_close(&[difference.interval.value], &[0.5], 1e-12);
    assert!(difference.p < 0.01 && difference.interval.low > 0.25);
    let shorter = Scores::new([0.1, 0.9].repeat(99), 2).unwrap();
    assert!(Bootstrap::default().compare_scores(&TopK::ACCURACY, (&scores, &shorter), &labels).is_err());
}

/// Rows of scores with labels; two classes or three.
fn batches() -> impl Strategy<Value = (Scores, Vec<usize>)> {
    (2_usize..4, 4_usize..40).prop_flat_map(|(classes, rows)| {
        let scores = prop::collection::vec(-3.0_f32..3.0, rows * classes);
        let labels = prop::collection::vec(0..classes, rows);
        (scores, labels).prop_map(move |(scores, labels)| (Scores::new(scores, classes).unwrap(), labels))
    })
}

const ALL: [ClassMetric; 14] = [
    ClassMetric::ERROR_RATE,
    ClassMetric::BALANCED_ACCURACY,
    ClassMetric::G_MEAN,
    ClassMetric::PRECISION,
    ClassMetric::RECALL,
    ClassMetric::F1,
    ClassMetric::MACRO_F1,
    ClassMetric::WEIGHTED_F1,
    ClassMetric::JACCARD,
    ClassMetric::MACRO_JACCARD,
    ClassMetric::MATTHEWS,
    ClassMetric::KAPPA,
    ClassMetric::ROC_AUC,
    ClassMetric::AVERAGE_PRECISION,
];

proptest! {
    #[test]
    fn metrics_stay_in_their_range_and_are_best_where_all_is_right((scores, labels) in batches()) {
        let right: Vec<f32> = labels.iter()
            .flat_map(|&label| (0..scores.classes()).map(move |class| f32::from(u8::from(class == label))))
            .collect();
        let right = Scores::new(right, scores.classes()).unwrap();
        for metric in ALL {
            let (low, high) = metric.range();
            if let Ok(value) = metric.value(&scores, &labels) {
                prop_assert!(low - 1e-12 <= value && value <= high + 1e-12, "{} {value}", metric.name());
            }
            let best = if metric.direction() == Up { high } else { low };
            if let Ok(value) = metric.value(&right, &labels) {
                prop_assert!((value - best).abs() < 1e-12, "{} {value}", metric.name());
            }
        }
    }

    #[test]
    fn metrics_do_not_depend_on_the_order_of_rows((scores, labels) in batches(), by in 1_usize..40) {
        let rows: Vec<usize> = (0..labels.len()).map(|i| (i + by) % labels.len()).collect();
        let values = rows.iter().flat_map(|&row| scores.row(row).to_vec()).collect();
        let turned = Scores::new(values, scores.classes()).unwrap();
        let turned_labels: Vec<usize> = rows.iter().map(|&row| labels[row]).collect();
        for metric in ALL {
            match (metric.value(&scores, &labels), metric.value(&turned, &turned_labels)) {
                (Ok(a), Ok(b)) => prop_assert!((a - b).abs() < 1e-12, "{} {a} {b}", metric.name()),
                (a, b) => prop_assert_eq!(a.is_ok(), b.is_ok(), "{}", metric.name()),
            }
        }
    }
}
