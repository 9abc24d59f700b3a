//! Training heatmap networks, and the comparison of their losses.

use std::sync::Arc;

use reloss::data::{PoseAugment, PoseSet};
use reloss::experiment::{Case, Comparison, PoseCase, PoseLosses, Results};
use reloss::loss::HeatmapMse;
use reloss::metric::{EndPointError, Heatmaps, Keypoints, Metric, OksAp, PckAuc, PckMetric};
use reloss::model::{HeatmapNet, HighResolution, Parametric, SimpleBaseline};
use reloss::ops::ImageShape;
use reloss::task::{PoseEstimation, Task, Train};
use reloss::Error;

use crate::support::assert_close;

fn tiny() -> HeatmapNet {
    let stages = vec![(4, 1), (8, 1)];
    HeatmapNet::Simple(SimpleBaseline { stem: 4, stages, upward: vec![8], ..SimpleBaseline::default() })
}

fn parts(count: usize) -> [PoseSet; 3] {
    let [train, validation] = PoseSet::figures(count, 32, 3).unwrap().split(0.25, 0).unwrap();
    [train, validation, PoseSet::figures(6, 32, 4).unwrap()]
}

fn task() -> PoseEstimation {
    PoseEstimation::new(parts(16), [32, 32], tiny()).unwrap()
}

fn quick() -> Train {
    Train { epochs: 3, batch: 4, learning_rate: 1e-2, ..Train::default() }
}

#[test]
fn the_paper_s_network_has_the_paper_s_size() {
    let image = ImageShape { channels: 3, height: 256, width: 192 };
    let net = HeatmapNet::resnet_50().build(image, 17, 0).unwrap();
    assert_eq!(net.output(), ImageShape { channels: 17, height: 64, width: 48 });
    // 34.0 million, of which running means and variances are not learned: counted by hand, layer by layer.
    let learned: usize =
        net.parameters().iter().filter(|p| p.is_learned()).map(|p| p.shape().iter().product::<usize>()).sum();
    assert_eq!(learned, 33_999_697);
    // The paper says 28.5 and 63.6 million.
    let count = |form: HeatmapNet| form.build(image, 17, 0).unwrap().parameters().count();
    assert_eq!(count(HeatmapNet::hrnet_w32()), 28_536_113);
    assert_eq!(count(HeatmapNet::hrnet_w48()), 63_595_745);
    let none = HeatmapNet::Simple(SimpleBaseline { stages: vec![], ..SimpleBaseline::default() });
    assert!(matches!(none.build(image, 17, 0), Err(Error::Parameter { name: "stages", .. })));
    let none = HeatmapNet::HighResolution(HighResolution { stages: vec![1, 0], ..HighResolution::default() });
    assert!(matches!(none.build(image, 17, 0), Err(Error::Parameter { name: "stages", .. })));
}

#[test]
fn metrics_of_heatmaps_by_hand() {
    // Two instances of one joint, 1 × 9 pixels: found exactly, and two pixels off, in boxes of 8.
    let mut values = vec![0.0; 18];
    (values[4], values[9 + 5]) = (1.0, 1.0);
    let heatmaps = Heatmaps::new(values, 1, 9).unwrap();
    let points = vec![vec![[4.0, 0.0]], vec![[3.0, 0.0]]];
    let target = Keypoints::new(points, vec![vec![true]; 2], vec![[8.0, 4.0]; 2]).unwrap();
    let value = |metric: &dyn Metric<Heatmaps, Keypoints>| metric.value(&heatmaps, &target).unwrap();
    // 2/8 of the box: right at 0.3, wrong at 0.2.
    assert_eq!(value(&PckMetric::COARSE), 0.5);
    assert_eq!(value(&PckMetric::new(0.3).unwrap()), 1.0);
    assert_eq!(value(&EndPointError), 1.0);
    // Thresholds k/20 of half the box, 4: the first is right from k = 1, the second above k = 10.
    assert_close(&[value(&PckAuc)], &[(19.0 + 9.0) / 40.0], 1e-12);
    // OKS of the second: exp(−4 / (2 · 32 · (2 · 0.25)²)) = exp(−1/4) = 0.78: right at six of ten thresholds.
    let precision = value(&OksAp::new(&[0.25]));
    assert!((precision - (4.0 * 0.505 + 6.0) / 10.0).abs() < 0.01, "{precision}");
}

#[test]
fn a_network_learns_figures_and_the_same_run_gives_the_same() {
    let task = task();
    let metric = PckMetric::COARSE;
    let long = Train { epochs: 30, ..quick() };
    let outcome = task.train(&HeatmapMse, &metric, &long).unwrap();
    let first = outcome.history[0].loss;
    assert!(outcome.history[29].loss < 0.7 * first, "{first} {}", outcome.history[29].loss);
    assert_eq!(outcome.targets, *task.test_keypoints());
    let again = |task: &PoseEstimation| task.train(&HeatmapMse, &metric, &quick()).unwrap().predictions;
    assert_eq!(again(&task), again(&task));
    let mut varied = task.clone();
    varied.augment = Some(PoseAugment::default());
    assert_ne!(again(&varied), again(&task));
    assert_eq!(again(&varied), again(&varied));
    let store = task.store_predictions(&metric, &quick()).unwrap();
    assert_eq!(store.times(), 3);
    let far = Train { learning_rate: 1e30, ..quick() };
    assert!(matches!(task.train(&HeatmapMse, &metric, &far), Err(Error::Diverged { .. })));
}

#[test]
fn parts_of_other_joints_are_refused() {
    let [train, validation, test] = parts(8);
    let colour = test.in_colour();
    let refused = PoseEstimation::new([train, validation, colour], [32, 32], tiny());
    assert!(matches!(refused, Err(Error::Shape { .. })), "{refused:?}");
}

#[test]
fn losses_of_poses_are_compared_and_moved_between_sets() {
    let case = |count, seed| PoseCase {
        train: Arc::new(PoseSet::figures(count, 32, seed).unwrap()),
        test: Arc::new(PoseSet::figures(4, 32, 9).unwrap()),
        size: [32, 32],
        network: tiny(),
        metric: PckMetric::COARSE,
        steps: 10,
        losses: PoseLosses::Own,
    };
    let comparison = Comparison {
        seeds: vec![0],
        tuning_seeds: vec![9],
        grid: vec![1e-2],
        train: Train { epochs: 2, ..quick() },
    };
    let results = comparison.run("pose", &[case(120, 0)], Results::default(), None, "test").unwrap();
    let of = |results: &Results, metric: &str| -> Vec<String> {
        results.runs.iter().filter(|run| run.metric == metric).map(|run| run.loss.clone()).collect()
    };
    let losses = ["mean_squared_error", "reloss", "reloss_saturating", "reloss_after_squared_error"];
    for metric in ["PCK@0.2", "PCK@0.05", "PCK@0.1", "AUC of PCK", "end point error", "OKS-AP"] {
        assert_eq!(of(&results, metric), losses, "{metric}");
    }
    let train = Train { epochs: 2, ..quick() };
    let moved = PoseCase::transfers(vec![case(120, 0), case(60, 1)], &train).unwrap();
    let results = comparison.run("pose", &moved[1..], Results::default(), None, "test").unwrap();
    assert_eq!(of(&results, "PCK@0.2"), ["mean_squared_error", "figures", "figures"]);
    assert!(moved[0].sampler(&moved[0].task(0).unwrap(), &train).is_ok());
}
