//! Losses of heatmaps: the released form, its gradients, samples that cover a metric, learning.

use dfdx::prelude::*;
use reloss::correlation::spearman;
use reloss::loss::{heatmap_value, HeatmapMse, HeatmapTargets, Loss};
use reloss::metric::{Heatmaps, Keypoints, Metric, PckMetric};
use reloss::ops::{host, matrix, scalar};
use reloss::sampler::{PoseSample, PoseSampler, PoseSource, PoseStore, Stage};
use reloss::surrogate::{
    learn_pose, objective, weighted_heatmap_error, Fit, JointWeights, Learn, LossNetwork, Penalty, PoseBatch,
    PoseForm, PoseNetwork, PoseSurrogate,
};
use reloss::{Error, Tape};

use crate::support::{assert_close, wide};

const FORMS: [PoseForm; 2] = [PoseForm::Weighted, PoseForm::Saturating];

fn pck() -> PckMetric {
    PckMetric::new(0.2).unwrap()
}

/// Four joints of 5 × 6 pixels, two instances a sample.
fn small() -> PoseSampler {
    PoseSampler { rows: 2, sigma: 1.0, ..PoseSampler::random(4, 5, 6).unwrap() }
}

/// A sample's loss by a frozen network, and its gradient with respect to the heatmaps.
fn loss_and_gradient(loss: &PoseSurrogate, sample: &PoseSample, values: Vec<f32>) -> (f64, Vec<f64>) {
    let visible: Vec<bool> = sample.target.visible().iter().flatten().copied().collect();
    let joints = sample.target.joints();
    let targets = HeatmapTargets::new(sample.aims.clone(), &visible, joints).unwrap();
    let heatmaps = matrix(values, sample.target.rows(), joints * sample.heatmaps.pixels()).unwrap();
    let value = loss.loss(heatmaps.leaky_trace(), &targets).unwrap();
    let size = f64::from(scalar(&value));
    (size, wide(&host(&value.backward().get(&heatmaps))))
}

#[test]
fn the_tensor_form_is_the_released_one() {
    let sample = &small().draw(&pck(), 1, 4).unwrap()[0];
    let network = PoseNetwork::new(PoseForm::Weighted, 30, 3, 1).unwrap();
    let values: Vec<Vec<f64>> = network.parameters().values().iter().map(|v| wide(v)).collect();
    let [w1, b1, w2, b2] = values.try_into().unwrap();
    let layers = JointWeights { w1, b1, w2, b2: b2[0] };
    let expected =
        weighted_heatmap_error(&wide(sample.heatmaps.values()), &wide(&sample.aims), &[1.0; 8], &layers)
            .unwrap();
    let loss = PoseSurrogate::new(network, (), "PCK").unwrap();
    let (value, gradient) = loss_and_gradient(&loss, sample, sample.heatmaps.values().to_vec());
    assert_close(&[value], &[expected], 1e-6);
    assert_close(&loss.values(std::slice::from_ref(sample)).unwrap(), &[expected], 1e-6);
    assert_eq!(gradient.len(), 240);
}

#[test]
fn hidden_joints_cost_nothing_and_have_no_gradient() {
    let sample = &small().draw(&pck(), 1, 4).unwrap()[0];
    let mut visible = sample.target.visible().to_vec();
    visible[1][2] = false;
    let target =
        Keypoints::new(sample.target.points().to_vec(), visible, sample.target.sizes().to_vec()).unwrap();
    let hidden = PoseSample { target, ..sample.clone() };
    let network = PoseNetwork::new(PoseForm::Weighted, 30, 3, 1).unwrap();
    let loss = PoseSurrogate::new(network, (), "PCK").unwrap();
    let values = hidden.heatmaps.values().to_vec();
    let (value, gradient) = loss_and_gradient(&loss, &hidden, values.clone());
    let place = 30 * (4 + 2);
    assert!(gradient[place..place + 30].iter().all(|&g| g == 0.0));
    let mut moved = values;
    moved[place + 7] += 3.0;
    assert_eq!(loss_and_gradient(&loss, &hidden, moved).0, value);
    assert_close(&loss.values(&[hidden]).unwrap(), &[value], 1e-6);
}

#[test]
fn gradients_of_heatmaps_agree_with_differences_and_their_norms_with_the_slopes() {
    let samples = small().draw(&pck(), 3, 7).unwrap();
    for form in FORMS {
        let network = PoseNetwork::new(form, 30, 3, 2).unwrap();
        let slopes = host(&network.judge(&PoseBatch::new(&samples).unwrap(), NoneTape).unwrap().slopes);
        let loss = PoseSurrogate::new(network, (), "PCK").unwrap();
        for (i, sample) in samples.iter().enumerate() {
            let values = sample.heatmaps.values().to_vec();
            let (_, gradient) = loss_and_gradient(&loss, sample, values.clone());
            for place in [0, 17, 100, 239] {
                let at = |by: f32| {
                    let mut moved = values.clone();
                    moved[place] += by;
                    loss_and_gradient(&loss, sample, moved).0
                };
                let difference = (at(0.02) - at(-0.02)) / 0.04;
                assert!(
                    (gradient[place] - difference).abs() < 2e-5,
                    "{form:?} {place}: {} {difference}",
                    gradient[place]
                );
            }
            // Of an instance alone, summed over its 30 pixels: the mean over two instances halves it.
            for (row, part) in gradient.chunks_exact(120).enumerate() {
                let norm = part.iter().map(|g| g * g).sum::<f64>().sqrt() * 2.0 * 30.0;
                assert_close(&[f64::from(slopes[2 * i + row]).abs()], &[norm], 1e-3);
            }
        }
    }
}

#[test]
fn the_objective_with_its_penalty_has_the_gradient_that_differences_give() {
    let samples = small().draw(&pck(), 6, 3).unwrap();
    let batch = PoseBatch::new(&samples).unwrap();
    let (penalty, fit) = (Penalty { weight: 0.5, ..Penalty::default() }, Fit::Value);
    for form in FORMS {
        let network = PoseNetwork::new(form, 30, 3, 5).unwrap();
        let total = |network: &PoseNetwork| {
            objective(network, &batch, &pck(), &penalty, &fit, Tape::default()).unwrap().total
        };
        let gradients = total(&network).backward();
        for (p, parameter) in network.parameters().iter().enumerate() {
            let gradient = host(&gradients.get(parameter.value()));
            let weights = host(parameter.value());
            // An absolute value has no derivative at 0.
            let smooth = |place: &usize| form == PoseForm::Weighted || weights[*place].abs() > 0.02;
            for place in (0..gradient.len()).step_by(7).filter(smooth) {
                let gradient = gradient[place];
                let at = |by: f32| {
                    let members = network.parameters().iter().enumerate().map(|(i, q)| {
                        let mut values = host(q.value());
                        if i == p {
                            values[place] += by;
                        }
                        reloss::ops::Parameter::new(q.name(), q.shape(), values).unwrap()
                    });
                    let moved =
                        network.with_values(&reloss::ops::Parameters::new(members.collect())).unwrap();
                    f64::from(scalar(&total(&moved)))
                };
                let difference = (at(0.01) - at(-0.01)) / 0.02;
                let error = (f64::from(gradient) - difference).abs();
                assert!(
                    error < 4e-3 * difference.abs().max(0.2),
                    "{form:?} {} {place}: {gradient} {difference}",
                    parameter.name()
                );
            }
        }
    }
}

#[test]
fn perturbed_targets_cover_every_threshold() {
    let sampler = PoseSampler::random(8, 16, 16).unwrap();
    for threshold in [0.05, 0.1, 0.2] {
        let metric = PckMetric::new(threshold).unwrap();
        let samples = sampler.draw(&metric, 400, 1).unwrap();
        let mut values: Vec<f64> = samples.iter().map(|s| s.metric).collect();
        values.sort_by(f64::total_cmp);
        assert!(values[20] < 0.35 && values[380] > 0.7, "{threshold}: {} {}", values[20], values[380]);
        assert!(values[100] + 0.15 < values[300], "{threshold}: {} {}", values[100], values[300]);
        assert_eq!(samples, sampler.draw(&metric, 400, 1).unwrap());
    }
    // The squared error orders them badly: height and width of a peak do not matter to PCK.
    let metric = pck();
    let samples = sampler.draw(&metric, 400, 2).unwrap();
    let losses: Vec<f64> = samples.iter().map(|s| heatmap_value(&HeatmapMse, s).unwrap()).collect();
    let values: Vec<f64> = samples.iter().map(|s| s.metric).collect();
    assert!(spearman(&losses, &values).unwrap() < -0.4);
}

#[test]
fn stored_predictions_are_those_of_one_time() {
    let target = Keypoints::new(
        vec![vec![[1.0, 1.0]], vec![[3.0, 2.0]]],
        vec![vec![true], vec![true]],
        vec![[4.0, 4.0]; 2],
    );
    let aims: Vec<f32> = (0..40).map(|i| if i == 6 || i == 20 + 13 { 1.0 } else { 0.0 }).collect();
    let mut store = PoseStore::new(target.unwrap(), aims.clone(), (4, 5)).unwrap();
    assert!(matches!(PoseSampler::new(PoseSource::Stored(store.clone(), 0.5)), Err(Error::Parameter { .. })));
    assert!(matches!(store.append(vec![0.0; 39]), Err(Error::Shape { .. })));
    store.append(vec![0.0; 40]).unwrap();
    store.append(aims.clone()).unwrap();
    let sampler = PoseSampler::new(PoseSource::Stored(store, 0.0)).unwrap();
    // All zero: found at the first pixel, wrong; or the targets themselves.
    let samples = sampler.draw(&pck(), 20, 0).unwrap();
    assert!(samples.iter().all(|s| s.metric == 0.0 || s.metric == 1.0));
    assert!(samples.iter().any(|s| s.metric == 0.0) && samples.iter().any(|s| s.metric == 1.0));
    assert!(samples.iter().filter(|s| s.metric == 1.0).all(|s| s.heatmaps.values() == s.aims));
    let stages = sampler.stages(&pck(), 4, 0).unwrap();
    let right = |stage: &Stage<PoseSample>| stage.samples.iter().map(|s| s.metric).collect::<Vec<f64>>();
    assert_eq!((stages.len(), right(&stages[0]), right(&stages[1])), (2, vec![0.0; 4], vec![1.0; 4]));
    let none = PoseSampler::random(1, 4, 5).unwrap().stages(&pck(), 4, 0);
    assert!(matches!(none, Err(Error::Parameter { name: "stages", .. })));
}

#[test]
fn learning_beats_the_squared_error_and_a_file_keeps_the_loss() {
    let sampler = PoseSampler::random(6, 16, 16).unwrap();
    let metric = pck();
    let held_out = sampler.draw(&metric, 200, u64::MAX).unwrap();
    let options = Learn { steps: 60, samples: 32, held_out: 64, hidden: 8, ..Learn::default() };
    let folder = tempfile::tempdir().unwrap();
    for form in FORMS {
        let learned = learn_pose(form, &metric, &sampler, &options).unwrap();
        let agreement = learned.loss.agreement(&metric, &held_out).unwrap();
        println!("{form:?}: {agreement}");
        assert!(agreement > 0.6, "{form:?}: {agreement}");
        let path = folder.path().join("loss.safetensors");
        learned.loss.save(&path).unwrap();
        let again = PoseSurrogate::load(&path).unwrap();
        assert_eq!(again.metric(), "PCK@0.2");
        assert_eq!(again.values(&held_out).unwrap(), learned.loss.values(&held_out).unwrap());
        let other = PoseSampler::random(6, 8, 16).unwrap().draw(&metric, 1, 0).unwrap();
        assert!(matches!(again.values(&other), Err(Error::Shape { .. })));
    }
}

#[test]
fn heatmaps_and_keypoints_that_do_not_fit_are_refused() {
    let targets = HeatmapTargets::new(vec![0.0; 24], &[true; 4], 2).unwrap();
    assert_eq!((targets.joints(), targets.pixels()), (2, 6));
    let wrong = matrix(vec![0.0; 24], 4, 6).unwrap();
    assert!(matches!(HeatmapMse.loss(wrong.leaky_traced(), &targets), Err(Error::Shape { .. })));
    let nan = matrix(vec![f32::NAN; 24], 2, 12).unwrap();
    assert!(matches!(HeatmapMse.loss(nan.leaky_traced(), &targets), Err(Error::NotFinite { .. })));
    assert!(matches!(HeatmapTargets::new(vec![0.0; 24], &[true; 3], 2), Err(Error::Shape { .. })));
    assert!(matches!(
        HeatmapTargets::new(vec![f32::INFINITY; 4], &[true; 4], 2),
        Err(Error::NotFinite { .. })
    ));
    assert!(matches!(PckMetric::new(0.0), Err(Error::Parameter { .. })));
    let points = vec![vec![[0.0, 0.0]; 2]];
    let bad_size = Keypoints::new(points.clone(), vec![vec![true; 2]], vec![[0.0, 1.0]]);
    assert!(matches!(bad_size, Err(Error::Parameter { name: "sizes", .. })));
    assert!(matches!(
        Keypoints::new(points.clone(), vec![vec![true]], vec![[1.0; 2]]),
        Err(Error::Shape { .. })
    ));
    let target = Keypoints::new(points, vec![vec![false; 2]], vec![[1.0; 2]]).unwrap();
    let heatmaps = |count: usize| Heatmaps::new(vec![0.0; 4 * count], 2, 2).unwrap();
    assert!(matches!(pck().value(&heatmaps(3), &target), Err(Error::Shape { .. })));
    assert!(matches!(pck().value(&heatmaps(2), &target), Err(Error::Undefined { .. })));
    assert!(matches!(PoseSampler::random(0, 4, 4), Err(Error::Parameter { .. })));
    assert!(matches!(PoseBatch::new(&[]), Err(Error::Shape { .. })));
    // Fields set by hand are checked where they are used.
    let none = PoseSampler { source: PoseSource::Random(2, 0, 4), ..small() };
    assert!(matches!(none.draw(&pck(), 1, 0), Err(Error::Parameter { name: "source", .. })));
    let still = PoseSampler { rows: 0, ..small() };
    assert!(matches!(still.draw(&pck(), 1, 0), Err(Error::Parameter { name: "rows", .. })));
    let batch = PoseBatch::new(&small().draw(&pck(), 2, 0).unwrap()).unwrap();
    let other = PoseNetwork::new(PoseForm::Weighted, 31, 3, 0).unwrap();
    assert!(matches!(other.judge(&batch, NoneTape), Err(Error::Shape { .. })));
    let mut ragged = small().draw(&pck(), 1, 0).unwrap();
    ragged[0].aims.pop();
    assert!(matches!(PoseBatch::new(&ragged), Err(Error::Shape { .. })));
}
