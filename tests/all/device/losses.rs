//! Every loss that models train with, its gradient with respect to predictions.

use std::sync::Arc;

use dfdx::prelude::*;
use reloss::baseline::*;
use reloss::loss::*;
use reloss::metric::TopK;
use reloss::ops::{matrix, Parameters, Spans, Tokens};
use reloss::sort::{soft_permutation, SoftSort};
use reloss::surrogate::{Pretrained, Surrogate};
use reloss::{Matrix, Result, Scalar, Tape};

use super::{differentiated, random, random_matrix, Case};

const CLOSE: f32 = 2e-4;
/// Logarithms of shares that are all but 0.
const STEEP: f32 = 5e-3;
/// Rows of four classes, and of two.
const LABELS: [usize; 12] = [0, 3, 2, 1, 1, 2, 0, 3, 3, 2, 1, 0];
const BINARY: [usize; 12] = [0, 1, 1, 0, 1, 0, 0, 1, 0, 0, 1, 1];

pub(super) fn cases() -> Vec<Case> {
    let mut cases = of_classes();
    cases.extend(of_baselines());
    cases.extend(of_orders());
    cases.extend(of_texts());
    cases
}

/// A loss of predictions (rows, columns) of up to 3, both signs.
fn case<A: ?Sized + 'static>(
    name: &str,
    tolerance: f32,
    shape: (usize, usize),
    loss: impl Fn() -> Result<Box<dyn Loss<A>>> + 'static,
    target: impl Fn() -> Result<Box<A>> + 'static,
) -> Case {
    Case::new(name, tolerance, move || {
        let values = random(shape.0 * shape.1, 1).into_iter().map(|v| 3.0 * v).collect();
        let (loss, target) = (loss()?, target()?);
        differentiated(&[matrix(values, shape.0, shape.1)?], &Parameters::default(), |mut x| {
            column(loss.loss(x.remove(0), &target)?)
        })
    })
}

fn column(value: Scalar<Tape>) -> Result<Matrix<Tape>> {
    Ok(value.try_reshape_like(&(1, 1))?)
}

fn classes(name: &str, loss: impl Fn() -> Result<Box<dyn Loss>> + 'static) -> Case {
    case(name, CLOSE, (12, 4), loss, || Ok(LABELS.into()))
}

fn two_classes(name: &str, loss: impl Fn() -> Result<Box<dyn Loss>> + 'static) -> Case {
    case(name, CLOSE, (12, 2), loss, || Ok(BINARY.into()))
}

fn of_classes() -> Vec<Case> {
    let mut cases = vec![
        classes("CrossEntropy", || Ok(Box::new(CrossEntropy::default()))),
        classes("CrossEntropy, weighted and smoothed", || {
            Ok(Box::new(CrossEntropy { class_weights: Some(vec![1.0, 0.5, 2.0, 1.5]), smoothing: 0.2 }))
        }),
        classes("MeanAbsoluteError", || Ok(Box::new(MeanAbsoluteError))),
        classes("Focal", || Ok(Box::new(Focal::default()))),
        classes("Sum", || {
            let parts: Vec<(f32, Box<dyn Loss>)> =
                vec![(1.0, Box::new(CrossEntropy::default())), (2.0, Box::new(MeanAbsoluteError))];
            Ok(Box::new(Sum::new("both", parts)?))
        }),
    ];
    for which in Pretrained::ALL {
        cases.push(classes(&format!("Surrogate, {which:?}"), move || {
            Ok(Box::new(Surrogate::pretrained(which)?.with_shares_of(&[0, 0, 0, 1, 1, 2, 3], 4)?))
        }));
    }
    cases
}

fn of_baselines() -> Vec<Case> {
    vec![
        classes("JeffriesMatusita", || Ok(Box::new(JeffriesMatusita))),
        classes("PairwiseAuc, square", || Ok(Box::new(PairwiseAuc { pair: PairLoss::Square }))),
        classes("PairwiseAuc, hinge", || Ok(Box::new(PairwiseAuc { pair: PairLoss::Hinge }))),
        classes("ProtoTriplet", || Ok(Box::new(ProtoTriplet { margin: 3.0 }))),
        classes("Prototypes", || Ok(Box::new(Prototypes::new(CrossEntropy::default())))),
        classes("RecallAtK", || Ok(Box::new(RecallAtK { ks: vec![1, 2], temperature: 0.3 }))),
        classes("Newton, Fisher", || newton(Curvature::Fisher)),
        classes("Newton, Hessian", || newton(Curvature::Hessian)),
        classes("AdaptiveLoss", || Ok(Box::new(AdaptiveLoss::new(4, &Alignment::default())?))),
        classes("UniLoss, accuracy", || {
            Ok(Box::new(UniLoss::new(Comparisons::LabelWithOthers, Compared::accuracy, 4)))
        }),
        two_classes("UniLoss, AUC", || {
            Ok(Box::new(UniLoss::new(Comparisons::OnesWithZeros, Compared::roc_auc, 4)))
        }),
        two_classes("AnyLoss", || Ok(Box::new(AnyLoss { metric: SoftMetric::GMean, steepness: 5.0 }))),
        two_classes("AlternatingSurrogate", || {
            Ok(Box::new(AlternatingSurrogate::new(Arc::new(TopK::ACCURACY), &Lsl::default())?))
        }),
        case(
            "Bridge, ranks",
            CLOSE,
            (4, 3),
            || bridge(Hard::Ranks),
            || Ok([0, 1, 2, 2, 0, 1, 1, 0, 2, 2, 1, 0].into()),
        ),
        case("Bridge, largest", CLOSE, (4, 3), || bridge(Hard::Largest), || Ok([0, 2, 1, 1].into())),
    ]
}

fn newton(curvature: Curvature) -> Result<Box<dyn Loss>> {
    Ok(Box::new(Newton::new(Box::new(CrossEntropy::default()), curvature, 0.2)?))
}

fn bridge(hard: Hard) -> Result<Box<dyn Loss>> {
    Ok(Box::new(Bridge::new(hard, 3, &BridgeOptions::default())?))
}

/// Places of three sets of four.
const PLACES: [usize; 12] = [2, 0, 3, 1, 1, 0, 2, 3, 3, 2, 0, 1];

fn of_orders() -> Vec<Case> {
    let soft = SoftSort::default();
    vec![
        Case::new("permutation_cross_entropy", CLOSE, move || {
            differentiated(&[random_matrix(3, 4, 1)?], &Parameters::default(), |mut x| {
                column(permutation_cross_entropy(soft_permutation(x.remove(0), &soft)?, &PLACES)?)
            })
        }),
        case(
            "PermutationLoss",
            STEEP,
            (3, 4),
            move || Ok(Box::new(PermutationLoss { soft })),
            || Ok(PLACES.into()),
        ),
        case(
            "PlaceLoss",
            STEEP,
            (3, 4),
            move || Ok(Box::new(PlaceLoss { soft, loss: Box::new(Focal::default()) })),
            || Ok(PLACES.into()),
        ),
        case("HeatmapMse", CLOSE, (2, 60), || Ok(Box::new(HeatmapMse)), || heatmap_targets().map(Box::new)),
    ]
}

/// Two instances of three joints on 4 × 5 pixels, one joint hidden.
pub(super) fn heatmap_targets() -> Result<HeatmapTargets> {
    HeatmapTargets::new(random(120, 8), &[true, true, false, true, true, true], 3)
}

/// Passages of 3, 6 and 4 tokens.
pub(super) fn spans() -> Result<Box<Spans>> {
    Ok(Box::new(Spans::new(vec![3, 6, 4], vec![(0, 0), (2, 4), (3, 3)])?))
}

/// Sentences of 3, 5 and 1 tokens of a vocabulary of eight.
pub(super) fn tokens() -> Result<Box<Tokens>> {
    Ok(Box::new(Tokens::new(&[vec![0, 7, 3], vec![3, 1, 3, 1, 5], vec![4]])?))
}

fn of_texts() -> Vec<Case> {
    vec![
        case("SpanCrossEntropy", CLOSE, (13, 2), || Ok(Box::new(SpanCrossEntropy)), spans),
        case("SpanLikelihood", CLOSE, (13, 2), || Ok(Box::new(SpanLikelihood { longest: 4 })), spans),
        case("ExpectedOverlap", CLOSE, (13, 2), || Ok(Box::new(ExpectedOverlap { longest: 4 })), spans),
        case(
            "TokenCrossEntropy",
            CLOSE,
            (9, 8),
            || Ok(Box::new(TokenCrossEntropy { smoothing: 0.1 })),
            tokens,
        ),
        case("BagOfNgrams", CLOSE, (9, 8), || Ok(Box::new(BagOfNgrams)), tokens),
    ]
}
