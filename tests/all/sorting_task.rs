//! Sorting images of numbers: draws, the loss, a run, and its continuation after a kill.

use dfdx::prelude::*;
use reloss::data::{Dataset, Numbers, Split};
use reloss::experiment::{CompareSorters, Results};
use reloss::loss::permutation_cross_entropy;
use reloss::metric::TopK;
use reloss::sort::{Network, Pairwise, Relaxation, SortingNetwork};
use reloss::task::{SortDigits, SortNumbers, Task, Train, TrainSorting};
use reloss::{Dev, Error};

use crate::support::{assert_close, wide};

fn parts() -> [Dataset; 2] {
    let parts = Dataset::digits().unwrap().split(&Split::default()).unwrap();
    [parts.train, parts.test]
}

fn task(n: usize, length: usize) -> SortNumbers {
    let [train, test] = parts().map(|digits| Numbers::new(digits, length).unwrap());
    SortNumbers { train, test, n }
}

fn quick(steps: usize) -> TrainSorting {
    TrainSorting { steps, batch: 20, filters: [8, 8], hidden: 16, every: 10, ..TrainSorting::default() }
}

fn soft() -> SortingNetwork {
    SortingNetwork { network: Network::OddEven, relaxation: Relaxation::Cauchy, steepness: 10.0 }
}

#[test]
fn permutation_loss_by_hand_and_by_differences() {
    let shares = vec![0.25_f32, 0.75, 0.75, 0.25, 1.0, 0.0, 0.0, 1.0];
    let p = Dev::default().tensor_from_vec(shares.clone(), (2, 2, 2));
    let places = [1, 0, 1, 0];
    let loss = permutation_cross_entropy(p.leaky_trace(), &places).unwrap();
    // Four entries right to ¾, four wrong altogether, which count as 1e-7.
    let want = -(4.0 * 0.75_f64.ln() + 4.0 * 1e-7_f64.ln()) / 8.0;
    assert_close(&[f64::from(loss.array())], &[want], 1e-5);
    let gradient = wide(&loss.backward().get(&p).as_vec());
    let step = 1.0 / (8.0 * 0.75);
    assert_close(&gradient, &[step, -step, -step, step, 0.0, 0.0, 0.0, 0.0], 1e-6);
    for (bad, reason) in [(vec![0, 1, 0], "4 places"), (vec![0, 1, 2, 0], "below 2")] {
        let refused = permutation_cross_entropy(p.clone(), &bad).unwrap_err();
        assert!(matches!(&refused, Error::Shape { expected, .. } if expected.contains(reason)), "{refused}");
    }
}

#[test]
fn a_reader_learns_single_digits_from_their_order() {
    let outcome = task(3, 1).train(&soft().into(), &quick(150)).unwrap();
    // By chance 1/6 of sets are in order, a little more with ties.
    assert!(outcome.test.sets > 0.7 && outcome.test.ranks > outcome.test.sets, "{:?}", outcome.test);
    assert_eq!(outcome.history.len(), 15);
    assert!(outcome.history[14].loss < outcome.history[0].loss);
}

#[test]
fn a_killed_run_continues_to_the_same_result() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.safetensors");
    let task = task(3, 2);
    let whole = task.train(&soft().into(), &quick(20)).unwrap();
    // What a kill after step 10 leaves is what a run of 10 steps leaves.
    let saved = TrainSorting { checkpoint: Some(path.clone()), ..quick(20) };
    task.train(&soft().into(), &TrainSorting { steps: 10, ..saved.clone() }).unwrap();
    let continued = task.train(&soft().into(), &saved).unwrap();
    assert_eq!((continued.test, &continued.history), (whole.test, &whole.history));
    for other in [TrainSorting { seed: 7, ..saved.clone() }, TrainSorting { learning_rate: 0.1, ..saved }] {
        let refused = task.train(&soft().into(), &other);
        assert!(matches!(refused, Err(Error::Parameter { name: "checkpoint", .. })));
    }
}

#[test]
fn what_cannot_be_trained_is_refused() {
    let task = task(3, 1);
    let refused = task.train(&Pairwise::default().into(), &quick(1));
    assert!(matches!(refused, Err(Error::Parameter { name: "sort", .. })));
    for bad in [TrainSorting { steps: 0, ..quick(1) }, TrainSorting { learning_rate: f64::NAN, ..quick(1) }] {
        assert!(matches!(task.train(&soft().into(), &bad), Err(Error::Parameter { .. })));
    }
    let alone = SortNumbers { n: 1, ..task };
    assert!(matches!(alone.train(&soft().into(), &quick(1)), Err(Error::Parameter { name: "n", .. })));
    let [train, test] = parts().map(|digits| Numbers::new(digits, 2).unwrap());
    let validation = test.clone();
    let sets =
        SortDigits { numbers: SortNumbers { train, test, n: 3 }, validation, filters: [4, 4], hidden: 8 };
    for options in [Train { warm_up: 0.5, ..Train::default() }, Train { handover: 0.5, ..Train::default() }] {
        let loss = sets.original();
        let refused = sets.train(loss.as_ref(), &TopK::ACCURACY, &options);
        assert!(matches!(refused, Err(Error::Parameter { name: "warm_up", .. })));
    }
    let [digits, _] = parts();
    assert!(matches!(Numbers::new(digits, 0), Err(Error::Parameter { name: "length", .. })));
    let cancer = Dataset::breast_cancer().unwrap();
    assert!(matches!(Numbers::new(cancer, 4), Err(Error::Shape { .. })));
    let empty = tempfile::tempdir().unwrap();
    assert!(matches!(Dataset::mnist(empty.path()), Err(Error::Io { .. })));
}

#[test]
fn a_comparison_runs_what_is_missing_and_leaves_only_results() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("results.csv");
    let [train, test] = parts();
    let mut comparison = CompareSorters::new(Network::OddEven, 3);
    comparison.train = quick(2);
    comparison.ways.retain(|way| ["cauchy", "NeuralSort"].contains(&way.0.as_str()));
    let results = comparison.run((&train, &test), Results::default(), Some(&path), "a command").unwrap();
    assert_eq!(results.runs.len(), 4);
    assert_eq!(Results::load(&path).unwrap(), results);
    let again = comparison.run((&train, &test), results.clone(), Some(&path), "a command").unwrap();
    assert_eq!(again, results);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}
