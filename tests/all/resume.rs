//! Training that was killed and continues.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;

use reloss::data::{Dataset, ImageShape, ParallelText, Split, Splits, TextSplit, Units, Vocabulary};
use reloss::experiment::{Candidate, Case, Comparison, Results};
use reloss::loss::{BagOfNgrams, CrossEntropy, Loss};
use reloss::metric::{Bleu, TopK};
use reloss::model::{Parametric, TransformerConfig};
use reloss::ops::Parameters;
use reloss::task::{Architecture, ImageClassification, MetricOf, Task, Train, Translation};
use reloss::{Error, Matrix, Result, Scalar, Tape};

/// A loss that ends the run, as a kill would, after so many steps; it goes by the name of the loss it stands for.
struct Killed<L>(L, AtomicUsize);

impl<L> Killed<L> {
    fn after(steps: usize, loss: L) -> Self {
        Self(loss, AtomicUsize::new(steps))
    }
}

impl<A: ?Sized, L: Loss<A>> Loss<A> for Killed<L> {
    fn name(&self) -> String {
        self.0.name()
    }

    fn loss(&self, prediction: Matrix<Tape>, target: &A) -> Result<Scalar<Tape>> {
        match self.1.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1)) {
            Ok(_) => self.0.loss(prediction, target),
            Err(_) => Err(Error::Undefined { what: "test".into(), reason: "killed".into() }),
        }
    }
}

fn images(architecture: Architecture) -> ImageClassification {
    // A ninth of each part, of all classes.
    let ninth = |part: Dataset| part.take(&(0..part.rows()).step_by(9).collect::<Vec<_>>()).unwrap();
    let Splits { train, validation, test } = Dataset::digits().unwrap().split(&Split::default()).unwrap();
    let splits = Splits { train: ninth(train), validation: ninth(validation), test: ninth(test) };
    ImageClassification::new(splits, ImageShape { channels: 1, height: 8, width: 8 }, architecture).unwrap()
}

/// A loss, killed after so many steps and continued: the same model and history, to the last bit, as without a break.
fn continues<T, L>(task: &T, loss: &L, metric: &MetricOf<T>, (train, steps): (&Train, usize))
where
    T: Task,
    L: Loss<T::Aim> + Clone,
{
    let folder = tempfile::tempdir().unwrap();
    let checkpoint = Some(folder.path().join("run.safetensors"));
    let kept = Train { checkpoint, resume: true, ..train.clone() };
    let killed = |steps| task.train(&Killed::after(steps, loss.clone()), metric, &kept);
    assert!(matches!(killed(steps), Err(Error::Undefined { .. })));
    let whole = task.train(loss, metric, train).unwrap();
    let continued = task.train(loss, metric, &kept).unwrap();
    // A run that is at its end asks no loss again.
    for outcome in [continued, killed(0).unwrap()] {
        assert_eq!((&outcome.history, outcome.validation), (&whole.history, whole.validation));
        assert_eq!(outcome.model.parameters().values(), whole.model.parameters().values());
    }
}

#[test]
fn a_killed_run_ends_as_if_it_had_not_been() {
    // Running means, and a best model beside the last; three steps an epoch, killed in the third of four epochs.
    let task = images(Architecture::ResNet(8));
    let batch = task.splits.train.rows().div_ceil(3);
    let train = Train { epochs: 4, batch, learning_rate: 0.03, patience: 2, ..Train::default() };
    continues(&task, &CrossEntropy::default(), &TopK::ACCURACY, (&train, 7));
    // Dropout, batches by length, a warm-up by another loss.
    let split = TextSplit { validation: 0.2, test: 0.2, seed: 0 };
    let parts = ParallelText::grammar(150, 0).unwrap().split(&split).unwrap();
    let vocabulary = Arc::new(Vocabulary::learn(&parts[0].sentences(), 2000, Units::Words).unwrap());
    let tiny = |vocabulary| TransformerConfig {
        width: 16,
        heads: 2,
        feed_forward: 32,
        encoder_layers: 1,
        decoder_layers: 1,
        ..TransformerConfig::small(vocabulary)
    };
    let task = Translation::new(&parts, vocabulary, tiny).unwrap();
    let train = Train { epochs: 4, batch: 256, warm_up: 0.3, ..Train::default() };
    let steps = task.parts()[0].batches(256, 0, 0).unwrap().len();
    continues(&task, &BagOfNgrams, &Bleu::default(), (&train, 2 * steps));
}

#[test]
fn another_run_is_not_continued() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.safetensors");
    let task = images(Architecture::Mlp(8));
    let (loss, metric) = (CrossEntropy::default(), TopK::ACCURACY);
    let train = Train { epochs: 1, checkpoint: Some(path.clone()), resume: true, ..Train::default() };
    task.train(&loss, &metric, &train).unwrap();
    let refused = |task: &ImageClassification, loss: &dyn Loss, train: &Train| {
        let found = task.train(loss, &metric, train);
        assert!(matches!(found, Err(Error::Parameter { name: "resume", .. })), "{found:?}");
    };
    refused(&task, &loss, &Train { learning_rate: 1e-3, ..train.clone() });
    refused(&task, &CrossEntropy::smoothed(0.1).unwrap(), &train);
    refused(&images(Architecture::Mlp(9)), &loss, &train);
    let fewer = task.splits.train.take(&(0..60).collect::<Vec<_>>()).unwrap();
    refused(
        &ImageClassification { splits: Splits { train: fewer, ..task.splits.clone() }, ..task.clone() },
        &loss,
        &train,
    );
    // Where a run is kept, and how often, does not make it another.
    task.train(&loss, &metric, &Train { checkpoint_seconds: 9.0, ..train.clone() }).unwrap();
    // Not asked to continue, it begins anew.
    let anew = Train { epochs: 2, resume: false, ..train.clone() };
    assert_eq!(task.train(&loss, &metric, &anew).unwrap().history.len(), 2);
    let stored = task.store_predictions(&metric, &train);
    assert!(matches!(stored, Err(Error::Parameter { name: "resume", .. })));
    for seconds in [-1.0, f64::NAN, f64::INFINITY] {
        let found = task.train(&loss, &metric, &Train { checkpoint_seconds: seconds, ..train.clone() });
        assert!(matches!(found, Err(Error::Parameter { name: "checkpoint_seconds", .. })), "{found:?}");
    }
    // A model's file, and one cut short.
    Parameters::default().save(&path, Default::default()).unwrap();
    assert!(matches!(task.train(&loss, &metric, &train), Err(Error::Data { .. })));
    std::fs::write(&path, b"cut").unwrap();
    assert!(matches!(task.train(&loss, &metric, &train), Err(Error::Data { .. })));
}

/// Digits, a perceptron, cross-entropy that may be killed after the first candidate's run; steps are counted.
struct Interrupted {
    steps: Arc<AtomicUsize>,
    dies: bool,
}

/// Cross-entropy that counts its steps.
struct Counted(Arc<AtomicUsize>);

impl Loss for Counted {
    fn name(&self) -> String {
        "counted".to_string()
    }

    fn loss(&self, logits: Matrix<Tape>, labels: &[usize]) -> Result<Scalar<Tape>> {
        self.0.fetch_add(1, Ordering::Relaxed);
        CrossEntropy::default().loss(logits, labels)
    }
}

impl Case for Interrupted {
    type Task = ImageClassification;

    fn data(&self) -> String {
        "digits".to_string()
    }

    fn setting(&self) -> String {
        "digits, clean".to_string()
    }

    fn metric(&self) -> Arc<MetricOf<ImageClassification>> {
        Arc::new(TopK::ACCURACY)
    }

    fn task(&self, _: u64) -> Result<ImageClassification> {
        Ok(images(Architecture::Mlp(8)))
    }

    fn candidates(&self, _: &ImageClassification, _: &Train) -> Result<Vec<Candidate<ImageClassification>>> {
        let steps = if self.dies { 0 } else { usize::MAX };
        let second = Killed::after(steps, CrossEntropy::default());
        Ok(vec![Candidate::fixed(Counted(self.steps.clone())), Candidate::fixed(second)])
    }
}

#[test]
fn a_killed_comparison_loses_no_run() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("results.csv");
    let runs = Comparison::runs_folder(&path);
    let train = Train { epochs: 2, ..Train::default() };
    let comparison = Comparison { seeds: vec![0], tuning_seeds: vec![9], grid: vec![5e-3], train };
    let steps = Arc::new(AtomicUsize::new(0));
    let compare = |dies: bool, path: Option<&Path>| {
        let case = Interrupted { steps: steps.clone(), dies };
        comparison.run("test", &[case], Results::default(), path, "test")
    };
    assert!(compare(true, Some(&path)).is_err());
    let first = steps.swap(0, Ordering::Relaxed);
    assert!(first > 0 && runs.exists() && Results::load(&path).unwrap().runs.is_empty());
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "# test\n");
    // The first candidate's run is there: it takes no step again, and what was kept is removed.
    let continued = compare(false, Some(&path)).unwrap();
    assert_eq!((steps.swap(0, Ordering::Relaxed), runs.exists()), (0, false));
    assert_eq!(Results::load(&path).unwrap(), continued);
    let whole = compare(false, None).unwrap();
    assert_eq!(steps.load(Ordering::Relaxed), first);
    let values = |results: &Results| results.runs.iter().map(|run| run.value).collect::<Vec<_>>();
    assert_eq!(values(&continued), values(&whole));
    // What was left is forgotten, but nothing else that is there.
    assert!(compare(true, Some(&path)).is_err());
    std::fs::write(runs.join("notes.txt"), b"mine").unwrap();
    Comparison::forget_runs(&path).unwrap();
    assert!(runs.join("notes.txt").exists() && !runs.join("seed-0").exists());
    Comparison::forget_runs(&path).unwrap();
}
