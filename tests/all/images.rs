//! Convolutional networks in the comparison of losses, and the losses that come with the library.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;

use reloss::data::{Augment, Dataset, ImageShape, Split};
use reloss::experiment::{Case, Comparison, ImageCase, ImageLosses, Results, Setting};
use reloss::loss::{value, CrossEntropy, Loss};
use reloss::metric::{Scores, TopK};
use reloss::model::{Model, Parametric};
use reloss::ops::{host, matrix, Parameters};
use reloss::surrogate::{Learn, Pretrained, Surrogate};
use reloss::task::{Architecture, ImageClassification, Task, Train};
use reloss::{Error, Matrix, Scalar, Tape};

use crate::support::{assert_close, wide};

const DIGIT: ImageShape = ImageShape { channels: 1, height: 8, width: 8 };

fn task(architecture: Architecture) -> ImageClassification {
    let splits = Dataset::digits().unwrap().split(&Split::default()).unwrap();
    ImageClassification::new(splits, DIGIT, architecture).unwrap()
}

#[test]
fn every_architecture_builds_and_says_what_it_is() {
    let cifar = Dataset::CIFAR_IMAGE;
    for (architecture, name, built) in [
        (Architecture::Mlp(32), "mlp-32", "mlp-3072-32-10"),
        (Architecture::Small([4, 8]), "conv-4-8", "conv-4-8"),
        (Architecture::ResNet(20), "resnet-20", "resnet-20"),
        (Architecture::MobileNetV2, "mobilenet-v2", "mobilenet-v2"),
    ] {
        let model = architecture.build(cifar, 10, 0).unwrap();
        assert_eq!((architecture.name().as_str(), model.name().as_str()), (name, built));
        assert_eq!(model.output().len(), 10);
    }
    assert!(Architecture::ResNet(21).build(cifar, 10, 0).is_err());
    let splits = Dataset::digits().unwrap().split(&Split::default()).unwrap();
    let refused = ImageClassification::new(splits, cifar, Architecture::Mlp(8));
    assert!(matches!(refused, Err(Error::Shape { .. })));
}

#[test]
fn training_begins_with_the_loss_named_for_it() {
    let task = task(Architecture::Mlp(16));
    let (plain, smoothed) = (CrossEntropy::default(), CrossEntropy::smoothed(0.3).unwrap());
    let train = |warm_up: f64| Train { epochs: 2, warm_up, ..Train::default() };
    let of = |before: &dyn Loss, loss: &dyn Loss, warm_up: f64| {
        task.train_after(before, loss, &TopK::ACCURACY, &train(warm_up)).unwrap().predictions
    };
    let alone = |loss: &dyn Loss| task.train(loss, &TopK::ACCURACY, &train(0.0)).unwrap().predictions;
    assert_eq!(of(&smoothed, &plain, 1.0), alone(&smoothed));
    assert_eq!(of(&smoothed, &plain, 0.0), alone(&plain));
    let half = of(&smoothed, &plain, 0.5);
    assert!(half != alone(&smoothed) && half != alone(&plain));
    // Without a name it is the original.
    let named = of(task.original().as_ref(), &smoothed, 0.5);
    assert_eq!(named, task.train(&smoothed, &TopK::ACCURACY, &train(0.5)).unwrap().predictions);
    assert_eq!(task.original().name(), "cross_entropy");
}

#[test]
fn a_small_network_learns_digits_with_a_loss_that_comes_with_the_library() {
    let task = task(Architecture::Small([8, 16]));
    let train = Train { epochs: 20, learning_rate: 1e-2, ..Train::default() };
    let loss = Surrogate::pretrained(Pretrained::Accuracy).unwrap();
    let outcome = task.train(&loss, &TopK::ACCURACY, &train).unwrap();
    assert!(outcome.test(&TopK::ACCURACY).unwrap() > 0.92, "{}", outcome.validation);
    // The model makes the predictions it was judged by, and the same run the same model.
    let test = &task.splits.test;
    let x = matrix(test.features().to_vec(), test.rows(), test.width()).unwrap();
    assert_close(&wide(&host(&outcome.model.predict(x).unwrap())), &wide(outcome.predictions.values()), 1e-4);
    let short = Train { epochs: 1, ..train.clone() };
    let scores = |task: &ImageClassification| task.train(&loss, &TopK::ACCURACY, &short).unwrap().predictions;
    let first = scores(&task);
    assert_eq!(scores(&task), first);
    let shifted = Augment { padding: 1, flip: false };
    assert_ne!(scores(&ImageClassification { augment: Some(shifted), ..task.clone() }), first);
    let far = Train { learning_rate: 1e30, ..train.clone() };
    let diverged = task.train(&CrossEntropy::default(), &TopK::ACCURACY, &far);
    assert!(matches!(diverged, Err(Error::Diverged { .. })), "{diverged:?}");
    let store = task.store_predictions(&TopK::ACCURACY, &Train { epochs: 2, ..train }).unwrap();
    assert_eq!(store.rows(), 2 * task.splits.train.rows());
}

#[test]
fn losses_that_come_with_the_library_fall_as_predictions_get_right() {
    for which in Pretrained::ALL {
        let loss = Surrogate::pretrained(which).unwrap();
        for classes in [2, 10, 100] {
            // The label's logit rises, up to where it is all but certain, and none is too sure.
            let at = |logit: f32| {
                let mut row = vec![0.0; classes];
                row[0] = logit + (classes as f32 - 1.0).ln();
                value(&loss, &Scores::new(row, classes).unwrap(), &[0]).unwrap()
            };
            let values: Vec<f64> = (-8..=4).map(|z| at(z as f32)).collect();
            assert!(values.windows(2).all(|pair| pair[0] > pair[1]), "{which:?} {classes}: {values:?}");
        }
    }
    let metric = |which| Surrogate::pretrained(which).unwrap().metric().to_string();
    assert_eq!(metric(Pretrained::Accuracy), "accuracy");
    assert_eq!(metric(Pretrained::MacroF1), "macro-F1");
}

fn case(rows: usize, setting: Setting, goal: Pretrained, losses: ImageLosses) -> ImageCase {
    let parts = Dataset::digits().unwrap().split(&Split::default()).unwrap();
    ImageCase {
        train: Arc::new(parts.train),
        test: Arc::new(parts.test),
        image: DIGIT,
        architecture: Architecture::Mlp(16),
        setting,
        goal,
        rows,
        augment: None,
        losses,
    }
}

fn quick() -> Comparison {
    Comparison {
        seeds: vec![0],
        tuning_seeds: vec![9],
        grid: vec![5e-3],
        train: Train { epochs: 2, ..Train::default() },
    }
}

#[test]
fn cases_of_images_use_the_rows_they_are_given() {
    let clean = |rows| case(rows, Setting::Clean, Pretrained::Accuracy, ImageLosses::All);
    let splits = clean(500).task(0).unwrap().splits;
    assert!((splits.train.rows() as f64 - 400.0).abs() < 12.0, "{}", splits.train.rows());
    assert!((splits.validation.rows() as f64 - 100.0).abs() < 12.0, "{}", splits.validation.rows());
    assert_eq!(&splits.test, clean(500).test.as_ref());
    assert!(clean(5000).task(0).unwrap().splits.train.rows() > 800);
}

#[test]
fn images_are_judged_by_each_metric_and_every_loss() {
    let tail = Setting::LongTail(20.0);
    let cases = [
        case(500, Setting::Noise(0.4), Pretrained::Accuracy, ImageLosses::All),
        case(800, tail, Pretrained::MacroF1, ImageLosses::Few),
        case(800, tail, Pretrained::BalancedAccuracy, ImageLosses::Few),
    ];
    let results = quick().run("images", &cases, Results::default(), None, "test").unwrap();
    let of = |metric: &str| -> Vec<&str> {
        results.runs.iter().filter(|run| run.metric == metric).map(|run| run.loss.as_str()).collect()
    };
    let all = [
        "cross_entropy",
        "cross_entropy_smoothed",
        "focal",
        "mean_absolute_error",
        "jeffries_matusita",
        "pairwise_auc_hinge",
        "reloss",
        "reloss_after_cross_entropy",
        "reloss_with_cross_entropy_smoothed_after_cross_entropy",
    ];
    let few = [
        "cross_entropy",
        "cross_entropy_smoothed",
        "cross_entropy_weighted",
        "reloss",
        "reloss_after_cross_entropy",
        "reloss_with_cross_entropy_smoothed_after_cross_entropy",
    ];
    assert_eq!((of("accuracy"), of("top-5 accuracy")), (all.to_vec(), all.to_vec()));
    assert_eq!((of("macro-F1"), of("balanced accuracy")), (few.to_vec(), few.to_vec()));
    assert!(results.runs.iter().all(|run| (0.0..=1.0).contains(&run.value)));
    for (one, five) in
        results.runs.iter().zip(&results.runs[1..]).filter(|pair| pair.1.metric.starts_with("top"))
    {
        assert!(one.value <= five.value, "{one:?} {five:?}");
    }
    assert_eq!(results.runs[0].setting, "digits, mlp-16, noise 40 %");
}

#[test]
fn losses_learned_on_one_network_are_used_on_another() {
    let mlp = case(500, Setting::Clean, Pretrained::Accuracy, ImageLosses::Few);
    let conv = ImageCase { architecture: Architecture::Small([4, 8]), ..mlp.clone() };
    let train = Train { epochs: 3, ..Train::default() };
    let learn = Learn { steps: 10, ..Learn::default() };
    let cases = ImageCase::transfers(vec![mlp, conv], &train, &learn).unwrap();
    let results = quick().run("images", &cases, Results::default(), None, "test").unwrap();
    let pairs: Vec<(&str, &str)> = results
        .runs
        .iter()
        .filter(|run| run.metric == "accuracy")
        .map(|run| (run.setting.as_str(), run.loss.as_str()))
        .collect();
    let (mlp, conv) = ("digits, mlp-16", "digits, conv-4-8");
    for (i, target) in ["digits, mlp-16, clean", "digits, conv-4-8, clean"].into_iter().enumerate() {
        assert_eq!(pairs[3 * i..3 * i + 3], [(target, "cross_entropy"), (target, mlp), (target, conv)]);
    }
}

/// Cross-entropy for so many steps, then infinite.
struct Overflowing(AtomicUsize);

impl Loss for Overflowing {
    fn name(&self) -> String {
        "overflowing".to_string()
    }

    fn loss(&self, logits: Matrix<Tape>, labels: &[usize]) -> reloss::Result<Scalar<Tape>> {
        let left = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1));
        let factor = if left.is_ok() { 1.0 } else { f32::INFINITY };
        Ok(CrossEntropy::default().loss(logits, labels)? * factor)
    }
}

#[test]
fn a_run_that_diverges_leaves_its_last_good_model() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    let task = task(Architecture::Small([4, 8]));
    let train = Train { epochs: 6, batch: 1200, checkpoint: Some(path.clone()), ..Train::default() };
    let metric = TopK::ACCURACY;
    let kept = Train { epochs: 2, ..train.clone() };
    let good = task.train(&CrossEntropy::default(), &metric, &kept).unwrap();
    let mut again = task.architecture.build(DIGIT, 10, 7).unwrap();
    let (parameters, notes) = Parameters::load(&path).unwrap();
    again.parameters_mut().assign(&parameters).unwrap();
    let x = || matrix(task.splits.test.features().to_vec(), task.splits.test.rows(), 64).unwrap();
    assert_eq!(host(&again.predict(x()).unwrap()), host(&good.model.predict(x()).unwrap()));
    assert_eq!(notes["reloss.epoch"], "2");
    let refusal = |good_steps| match task.train(&Overflowing(AtomicUsize::new(good_steps)), &metric, &train) {
        Err(Error::Diverged { reason, .. }) => reason,
        other => panic!("{other:?}"),
    };
    let reason = refusal(3);
    assert!(reason.contains("model after epoch 3") && reason.contains("model.safetensors"), "{reason}");
    assert_eq!(Parameters::load(&path).unwrap().1["reloss.epoch"], "3");
    // Of a run that never was good there is nothing to name.
    assert!(!refusal(0).contains("model after"));
}

#[test]
fn the_rate_rises_over_its_ramp() {
    let task = task(Architecture::Mlp(8));
    let wrong = Train { ramp: 1.5, ..Train::default() };
    let refused = task.train(&CrossEntropy::default(), &TopK::ACCURACY, &wrong);
    assert!(matches!(refused, Err(Error::Parameter { name: "ramp", .. })));
    // One step, all of it ramp: the rate is at its height, as without.
    let rows = task.splits.train.rows();
    let one = |ramp| Train { epochs: 1, batch: rows, ramp, ..Train::default() };
    let scores =
        |train: &Train| task.train(&CrossEntropy::default(), &TopK::ACCURACY, train).unwrap().predictions;
    assert_eq!(scores(&one(1.0)), scores(&one(0.0)));
    // Of two steps the first is half as high.
    let two = |ramp| Train { epochs: 2, batch: rows, ramp, ..Train::default() };
    assert_ne!(scores(&two(1.0)), scores(&two(0.0)));
}

#[test]
fn tuning_needs_no_test_part() {
    let task = task(Architecture::Mlp(8));
    let (metric, options) = (TopK::ACCURACY, Train { epochs: 2, ..Train::default() });
    let train = |task: &ImageClassification| task.train(&CrossEntropy::default(), &metric, &options).unwrap();
    let whole = train(&task);
    let tuned = train(&task.untested().unwrap());
    assert_eq!((tuned.history, tuned.predictions.rows()), (whole.history, 1));
}
