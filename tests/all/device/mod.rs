//! What both devices can do, compared with one set of numbers: `tests/golden/device.json`, written by the CPU's build.
//!
//! A process has one device, chosen by the feature `cuda`, and its fused operations are the CPU's alone. So the same tests run
//! in all builds: on the CPU they guard the numbers, with `--features cuda` they compare the GPU with them, and with
//! `--features composed` the operations that a GPU is given, on a CPU. After a change that is meant to change numbers, write them
//! again: `RELOSS_WRITE_DEVICE_GOLDENS=1 cargo test --test all device`.

#[cfg(feature = "cuda")]
mod absent;
mod complete;
mod images;
mod losses;
mod networks;
mod operations;
mod sequences;
mod soft;
mod training;

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;
use std::sync::OnceLock;

use dfdx::prelude::*;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use reloss::ops::{check_device, host, matrix, Parameter, Parameters};
use reloss::{Matrix, Result, Scalar, Tape};

/// Lists of numbers under names: a value, the gradient with respect to each input.
type Numbers = BTreeMap<String, Vec<f32>>;

/// Something computed from seeded inputs.
struct Case {
    /// What it is a case of, then a comma and how it differs from others.
    name: String,
    /// The difference allowed, as a share of the largest number of the list, or of a tenth of the case's largest.
    tolerance: f32,
    compute: Box<dyn Fn() -> Result<Numbers>>,
}

impl Case {
    fn new(name: &str, tolerance: f32, compute: impl Fn() -> Result<Numbers> + 'static) -> Self {
        Self { name: name.to_string(), tolerance, compute: Box::new(compute) }
    }

    fn numbers(&self) -> Numbers {
        let lists = (self.compute)().unwrap_or_else(|error| panic!("{}: {error}", self.name));
        lists.into_iter().map(|(list, values)| (list, summary(values))).collect()
    }
}

fn all_cases() -> Vec<Case> {
    let parts = [operations::cases(), images::cases(), sequences::cases(), soft::cases()];
    let models = [losses::cases(), networks::cases(), training::cases()];
    parts.into_iter().chain(models).flatten().collect()
}

/// Lists longer than this are kept as their [`summary`].
const LONGEST: usize = 24;

/// A short list as it is; of a long one the norm and its components along three seeded directions, which move with any entry.
fn summary(values: Vec<f32>) -> Vec<f32> {
    if values.len() <= LONGEST {
        return values;
    }
    let dot =
        |other: &[f32]| -> f64 { values.iter().zip(other).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum() };
    let along = (1..4).map(|seed| dot(&random(values.len(), seed)));
    std::iter::once(dot(&values).sqrt()).chain(along).map(|v| v as f32).collect()
}

/// Numbers from −1 to 1.
fn random(count: usize, seed: u64) -> Vec<f32> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    (0..count).map(|_| rng.gen_range(-1.0..1.0)).collect()
}

fn random_matrix(rows: usize, columns: usize, seed: u64) -> Result<Matrix> {
    matrix(random(rows * columns, seed), rows, columns)
}

fn random_parameter(name: &str, shape: &[usize], seed: u64) -> Result<Parameter> {
    Parameter::new(name, shape, random(shape.iter().product(), seed))
}

/// The values of an operation, and its gradients with respect to matrices and parameters, through a seeded cotangent.
fn differentiated(
    inputs: &[Matrix],
    parameters: &Parameters,
    f: impl Fn(Vec<Matrix<Tape>>) -> Result<Matrix<Tape>>,
) -> Result<Numbers> {
    let out = f(inputs.iter().map(|x| x.leaky_trace()).collect())?;
    let &(rows, columns) = out.shape();
    let values = host(&out);
    let along = out.try_mul(random_matrix(rows, columns, 99)?)?.try_sum()?;
    let mut numbers = gradients(along, inputs, parameters)?;
    numbers.insert("value".to_string(), values);
    Ok(numbers)
}

/// A scalar's gradients with respect to matrices and to what is learned of parameters.
fn gradients(value: Scalar<Tape>, inputs: &[Matrix], parameters: &Parameters) -> Result<Numbers> {
    let mut gradients = value.try_backward()?;
    let learned =
        parameters.iter().filter(|p| p.is_learned()).map(|p| (format!("on {}", p.name()), p.value()));
    let inputs = inputs.iter().enumerate().map(|(i, x)| (format!("on input {i}"), x));
    let mut found = Numbers::new();
    for (name, tensor) in inputs.chain(learned) {
        // What a value does not depend on has no gradient yet.
        gradients.try_alloc_for(tensor)?;
        found.insert(name, host(&gradients.get(tensor)));
    }
    Ok(found)
}

const WRITE: &str = "RELOSS_WRITE_DEVICE_GOLDENS";

/// The golden numbers by case, written anew first if the variable says so.
fn goldens() -> &'static BTreeMap<String, Numbers> {
    static GOLDENS: OnceLock<BTreeMap<String, Numbers>> = OnceLock::new();
    GOLDENS.get_or_init(|| {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden/device.json");
        if std::env::var_os(WRITE).is_some() {
            if cfg!(feature = "composed") {
                panic!("{WRITE}: the golden numbers are those of fused operations");
            }
            std::fs::write(&path, written(&all_cases())).unwrap();
        }
        serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
    })
}

/// JSON with a case a line.
fn written(cases: &[Case]) -> String {
    let line = |case: &Case| {
        let numbers = case.numbers();
        assert!(numbers.values().flatten().all(|v| v.is_finite()), "{}: {numbers:?}", case.name);
        format!("{}:{}", serde_json::to_string(&case.name).unwrap(), serde_json::to_string(&numbers).unwrap())
    };
    format!("{{\n{}\n}}\n", cases.iter().map(line).collect::<Vec<_>>().join(",\n"))
}

/// Whether there is a device; if not, the reason is printed, past the test harness's capture.
fn device_is_there() -> bool {
    match check_device() {
        Ok(()) => true,
        Err(error) => {
            let mut stderr = std::io::stderr();
            writeln!(stderr, "skipped: {error}").unwrap();
            false
        }
    }
}

/// Compares all numbers of some cases, and fails with everything that differs.
fn compare(cases: fn() -> Vec<Case>) {
    if !device_is_there() {
        return;
    }
    let differences: Vec<String> =
        cases().iter().flat_map(|case| differences(case, &goldens()[&case.name])).collect();
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

fn differences(case: &Case, golden: &Numbers) -> Vec<String> {
    let got = case.numbers();
    if !got.keys().eq(golden.keys()) {
        return vec![format!("{}: {:?}, golden {:?}", case.name, got.keys(), golden.keys())];
    }
    // A gradient that is 0 but for rounding is as exact as those that it is the sum of.
    let floor = golden.values().map(|want| largest(want)).fold(0.0, f32::max) / 10.0;
    let lists = got.iter().map(|(list, got)| (list, got, &golden[list]));
    lists
        .filter_map(|(list, got, want)| difference(case, list, (got, want), floor.max(largest(want))))
        .collect()
}

fn largest(values: &[f32]) -> f32 {
    values.iter().fold(0.0, |size, v| size.max(v.abs()))
}

/// What is wrong with a list of numbers of this size, if anything; NaN is never close.
fn difference(case: &Case, list: &str, (got, want): (&[f32], &[f32]), size: f32) -> Option<String> {
    let close = |(got, want): (&f32, &f32)| (got - want).abs() <= case.tolerance * size;
    if got.len() == want.len() && got.iter().zip(want).all(close) {
        return None;
    }
    let far = got.iter().zip(want).map(|(got, want)| (got - want).abs() / size).fold(0.0, f32::max);
    Some(format!(
        "{}, {list}: off by {far:.1e}, not {:e}: {got:?}, golden {want:?}",
        case.name, case.tolerance
    ))
}

#[test]
fn operations_give_the_golden_numbers() {
    compare(operations::cases);
}

#[test]
fn operations_on_images_give_the_golden_numbers() {
    compare(images::cases);
}

#[test]
fn operations_on_sentences_give_the_golden_numbers() {
    compare(sequences::cases);
}

#[test]
fn soft_orders_and_correlations_give_the_golden_numbers() {
    compare(soft::cases);
}

#[test]
fn losses_give_the_golden_numbers() {
    compare(losses::cases);
}

#[test]
fn loss_networks_give_the_golden_numbers() {
    compare(networks::cases);
}

#[test]
fn training_gives_the_golden_numbers() {
    compare(training::cases);
}
