//! Result files, paired comparisons, and training.

use reloss::data::Dataset;
use reloss::experiment::{Classify, Comparison, Paired, Results, Run, Setting};
use reloss::loss::{CrossEntropy, Loss, Sum};
use reloss::metric::{Direction, TopK};
use reloss::surrogate::Learn;
use reloss::task::{Classification, Train};
use reloss::{Error, Matrix, Scalar, Tape};

use crate::support::assert_close;

fn run(loss: &str, seed: u64, value: f64) -> Run {
    Run {
        data: "digits".into(),
        model: "mlp-64-10".into(),
        loss: loss.into(),
        metric: "error".into(),
        direction: Direction::LowerIsBetter,
        setting: "clean".into(),
        seed,
        value,
    }
}

fn results() -> Results {
    let values = [("cross_entropy", [0.3, 0.2, 0.4]), ("reloss", [0.2, 0.25, 0.1])];
    let runs =
        values.iter().flat_map(|(loss, v)| v.iter().enumerate().map(move |(s, &v)| run(loss, s as u64, v)));
    Results { runs: runs.collect() }
}

#[test]
fn results_survive_their_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("r.csv");
    results().save(&path, "the command").unwrap();
    assert_eq!(Results::load(&path).unwrap(), results());
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(
        text.starts_with("# the command\ndata,model,loss,metric,direction,setting,seed,value\n"),
        "{text}"
    );
    assert!(text.contains("digits,mlp-64-10,cross_entropy,error,lower,clean,0,0.3"), "{text}");
    std::fs::write(&path, text.replace(",lower,", ",sideways,")).unwrap();
    assert!(matches!(Results::load(&path), Err(Error::Data { line: Some(3), .. })));
    assert!(matches!(Results::load(&folder.path().join("none")), Err(Error::Io { .. })));
}

#[test]
fn paired_differences_by_hand() {
    // Lower is better: 0.1, −0.05, 0.3 in favour of the learned loss.
    let paired = results().paired("clean", "error", "reloss", "cross_entropy").unwrap();
    assert_eq!((paired.pairs, paired.wins), (3, 2));
    assert_close(&[paired.mean, paired.sd], &[0.35 / 3.0, 0.175_594_229], 1e-8);
    // |sum| 0.35 or more: +++ (0.35), +-+ (0.45) and their opposites, of 8.
    assert_close(&[Paired::new(&[0.1, 0.05, 0.2]).unwrap().p], &[0.25], 1e-12);
    assert_close(&[paired.p], &[0.5], 1e-12);
    assert_close(&[Paired::new(&[0.0; 3]).unwrap().p], &[1.0], 1e-12);
    // Too few for an interval; of eight, resampled means: 0.5 ± about 1.96·0.5/√8.
    assert_eq!(paired.interval, None);
    let interval = Paired::new(&[0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 1.0]).unwrap().interval.unwrap();
    assert_close(&[interval.low, interval.value, interval.high], &[0.125, 0.5, 0.875], 1e-12);
    // 20 equal differences: z = √20.
    assert!(Paired::new(&[1.0; 20]).unwrap().p < 1e-5);
    assert!(matches!(Paired::new(&[]), Err(Error::Undefined { .. })));
    assert!(matches!(results().paired("clean", "error", "reloss", "none"), Err(Error::Undefined { .. })));
}

#[test]
fn the_summary_has_a_row_a_loss() {
    let table = results().summary("cross_entropy").unwrap();
    assert_eq!(table.shape(), (2, 8));
    let text = format!("{table:?}");
    assert!(text.contains("30.00 ± 10.00") && text.contains("2/3"), "{text}");
}

#[test]
fn losses_stand_side_by_side() {
    let mut all = results();
    // Eight wins of eight are significant; a setting need not have every loss.
    let setting = |run: Run| Run { setting: "noise".into(), ..run };
    all.runs.extend((0..8).map(|seed| setting(run("cross_entropy", seed, 0.3))));
    all.runs.extend((0..8).map(|seed| setting(run("focal", seed, 0.2996))));
    let table = all.side_by_side("cross_entropy", &["reloss", "focal"]).unwrap();
    let names: Vec<String> = table.get_column_names().iter().map(|name| name.to_string()).collect();
    assert_eq!(names, ["setting", "metric", "cross_entropy", "reloss", "focal"]);
    let row = |at: usize| -> Vec<String> {
        table.get(at).unwrap().iter().map(|cell| cell.str_value().to_string()).collect()
    };
    assert_eq!(row(0), ["clean", "error", "30.0 ± 10.0", "18.3 ± 7.6 (+11.7, 2/3)", "null"]);
    assert_eq!(row(1), ["noise", "error", "30.0 ± 0.0", "null", "30.0 ± 0.0 (+0.04*, 8/8)"]);
    assert_eq!(all.side_by_side("cross_entropy", &[]).unwrap().shape(), (2, 3));
    assert!(matches!(all.side_by_side("none", &["reloss"]), Err(Error::Parameter { name: "losses", .. })));
    assert!(matches!(all.side_by_side("reloss", &["focal"]), Err(Error::Undefined { .. })));
}

fn task() -> Classification {
    Setting::Clean.task(&Dataset::digits().unwrap(), 0).unwrap()
}

fn short() -> Train {
    Train { epochs: 6, ..Train::default() }
}

#[test]
fn training_is_reproducible_and_learns() {
    let train = |seed: u64| {
        task().train(&CrossEntropy::default(), &TopK::ACCURACY, &Train { seed, ..short() }).unwrap()
    };
    let (one, two, other) = (train(0), train(0), train(1));
    assert_eq!(one.predictions, two.predictions);
    assert_ne!(one.predictions, other.predictions);
    assert!(one.test(&TopK::ACCURACY).unwrap() > 0.9);
    assert_eq!(one.history.len(), 6);
}

/// A loss without bound: training with it must stop with an error, not with NaN weights.
struct Explosive;

impl Loss for Explosive {
    fn name(&self) -> String {
        "explosive".to_string()
    }

    fn loss(&self, logits: Matrix<Tape>, _: &[usize]) -> reloss::Result<Scalar<Tape>> {
        use dfdx::prelude::*;
        Ok((logits * 1e30).square().mean())
    }
}

#[test]
fn divergence_and_bad_options_are_typed() {
    let train = |options: Train| task().train(&CrossEntropy::default(), &TopK::ACCURACY, &options);
    assert!(matches!(task().train(&Explosive, &TopK::ACCURACY, &short()), Err(Error::Diverged { .. })));
    assert!(matches!(train(Train { learning_rate: 1e30, ..short() }), Err(Error::Diverged { .. })));
    assert!(matches!(train(Train { epochs: 0, ..short() }), Err(Error::Parameter { .. })));
    assert!(matches!(train(Train { batch: 0, ..short() }), Err(Error::Parameter { .. })));
    assert!(matches!(train(Train { learning_rate: f64::NAN, ..short() }), Err(Error::Parameter { .. })));
    assert!(matches!(train(Train { warm_up: 1.5, ..short() }), Err(Error::Parameter { .. })));
    let late = Train { warm_up: 0.6, handover: 0.5, ..short() };
    assert!(matches!(train(late), Err(Error::Parameter { name: "handover", .. })));
}

#[test]
fn a_loss_takes_over_little_by_little() {
    let task = task();
    // A step an epoch, a model that does not move, and a loss of twice the original one's value.
    let options = Train {
        epochs: 4,
        batch: task.splits.train.rows(),
        learning_rate: 1e-12,
        warm_up: 0.25,
        handover: 0.5,
        ..short()
    };
    let twice = Sum::new("twice", vec![(2.0, Box::new(CrossEntropy::default()) as Box<dyn Loss>)]).unwrap();
    let outcome = task.train(&twice, &TopK::ACCURACY, &options).unwrap();
    let losses: Vec<f64> = outcome.history.iter().map(|e| e.loss / outcome.history[0].loss).collect();
    assert_close(&losses, &[1.0, 1.0, 1.5, 2.0], 1e-5);
}

#[test]
fn a_comparison_resumes_with_what_is_missing() {
    let data = Dataset::digits().unwrap();
    let quick = Classify {
        settings: vec![Setting::Noise(0.4)],
        learn: Learn { steps: 10, samples: 16, hidden: 8, held_out: 16, ..Learn::default() },
        comparison: Comparison {
            seeds: vec![0, 1],
            tuning_seeds: vec![9],
            grid: vec![1e-2],
            train: Train { epochs: 2, ..Train::default() },
        },
    };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("classify.csv");
    let whole = quick.run(&data, Results::default(), Some(&path), "test").unwrap();
    assert_eq!(whole.runs.len(), 2 * 4);
    assert_eq!(Results::load(&path).unwrap(), whole);
    let half = Results { runs: whole.runs[..4].to_vec() };
    assert_eq!(quick.run(&data, half, None, "test").unwrap(), whole);
    // Of a seed only the losses it lacks are run.
    let changed =
        |(i, run): (usize, &Run)| Run { value: if i == 5 { 0.5 } else { run.value }, ..run.clone() };
    let mut some: Vec<Run> = whole.runs.iter().enumerate().map(changed).collect();
    let lost = some.remove(6);
    let again = quick.run(&data, Results { runs: some.clone() }, None, "test").unwrap();
    assert_eq!((&again.runs[..7], &again.runs[7..]), (&some[..], &[lost][..]));
    let mut no_rate = quick.clone();
    no_rate.comparison.grid.clear();
    assert!(matches!(no_rate.run(&data, Results::default(), None, "test"), Err(Error::Parameter { .. })));
}

#[test]
fn timings_are_read_and_compared() {
    use reloss::experiment::Timings;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("times.csv");
    let text = "# a script\nway,peer,what,rows,n,ours,theirs\na,b,forward,1,16,1e-6,2e-6\na,b,forward,1,64,2e-6,6e-6\n\
                a,c,forward + backward,1,16,1e-6,1e-5\na,b,forward,64,16,1,1\n";
    std::fs::write(&path, text).unwrap();
    let ratios = Timings::load(&path).unwrap().ratios(1);
    assert_eq!(ratios.len(), 2);
    assert_eq!(ratios[0].0, "a: b, forward");
    assert_eq!(ratios[1].0, "a: c");
    let points: Vec<f64> = ratios[0].1.iter().flat_map(|&(n, ratio)| [n, ratio]).collect();
    crate::support::assert_close(&points, &[16.0, 2.0, 64.0, 3.0], 1e-12);
    std::fs::write(&path, text.replace("2e-6", "fast")).unwrap();
    assert!(matches!(Timings::load(&path), Err(reloss::Error::Data { line: Some(_), .. })));
}
