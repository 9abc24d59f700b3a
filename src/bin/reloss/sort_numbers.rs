//! `reloss sort-numbers`: ways to soften sorting, compared on images of numbers.

use std::path::PathBuf;

use clap::Args;
use reloss::data::{Dataset, Known, Split};
use reloss::display::Table;
use reloss::experiment::CompareSorters;
use reloss::sort::Network;
use reloss::task::TrainSorting;
use reloss::{Error, Result};

use crate::runs::Runs;

/// Seeds, if not said otherwise.
const SEEDS: u64 = 1;

/// Options that runs depend on and that no column of the results names.
const FIXED: [&str; 4] = ["sharpness", "batch", "learning-rate", "filters"];

#[derive(Args)]
pub(crate) struct Arguments {
    /// Folder for MNIST's four IDX files, downloaded if they are not there; without it, the 8 × 8 digits that come with
    /// the program.
    #[arg(long)]
    data: Option<PathBuf>,
    #[command(flatten)]
    runs: Runs,
    /// Numbers in a set.
    #[arg(long, default_value_t = 5)]
    n: usize,
    /// The sorting network.
    #[arg(long, value_enum, default_value_t = NetworkName::OddEven)]
    network: NetworkName,
    /// Only the ways whose name contains this, such as `cauchy`.
    #[arg(long)]
    way: Option<String>,
    /// Times as sharp as each way's own setting.
    #[arg(long, default_value_t = 1.0)]
    sharpness: f64,
    /// Updates of each run.
    #[arg(long)]
    steps: Option<usize>,
    /// Sets in a batch.
    #[arg(long)]
    batch: Option<usize>,
    /// Adam's learning rate.
    #[arg(long)]
    learning_rate: Option<f64>,
    /// Filters of the two convolutions.
    #[arg(long, num_args = 2, value_names = ["FIRST", "SECOND"])]
    filters: Option<Vec<usize>>,
    /// The papers' network and budget: 100,000 steps of 100 sets, days on two cores.
    #[arg(long)]
    paper: bool,
}

#[derive(Clone, Copy, clap::ValueEnum)]
pub(crate) enum NetworkName {
    OddEven,
    Bitonic,
}

impl Arguments {
    /// What is asked for.
    fn comparison(&self) -> Result<CompareSorters> {
        let network = match self.network {
            NetworkName::OddEven => Network::OddEven,
            NetworkName::Bitonic => Network::Bitonic,
        };
        let mut comparison = CompareSorters::new(network, self.n);
        let train = if self.paper { TrainSorting::paper() } else { TrainSorting::default() };
        comparison.train = TrainSorting {
            steps: self.steps.unwrap_or(train.steps),
            batch: self.batch.unwrap_or(train.batch),
            learning_rate: self.learning_rate.unwrap_or(train.learning_rate),
            filters: match self.filters.as_deref() {
                Some([first, second]) => [*first, *second],
                _ => train.filters,
            },
            ..train
        };
        comparison.seeds = self.runs.seeds(SEEDS)?;
        let names: Vec<String> = comparison.ways.iter().map(|way| way.0.clone()).collect();
        comparison.ways.retain(|way| self.way.as_ref().is_none_or(|wanted| way.0.contains(wanted.as_str())));
        if comparison.ways.is_empty() {
            let reason = format!("no way has it in its name: {}", names.join(", "));
            return Err(Error::Parameter { name: "way", reason });
        }
        if !(self.sharpness > 0.0 && self.sharpness.is_finite()) {
            let reason = format!("{} is not positive and finite", self.sharpness);
            return Err(Error::Parameter { name: "sharpness", reason });
        }
        comparison.ways.iter_mut().for_each(|way| way.1 = way.1.sharpened(self.sharpness));
        Ok(comparison)
    }

    /// The command that makes these results, but for the folders.
    fn command(&self, comparison: &CompareSorters) -> String {
        let network = if comparison.network == Network::Bitonic { "bitonic" } else { "odd-even" };
        let way = self.way.as_ref().map_or(String::new(), |way| format!(" --way '{way}'"));
        let train = &comparison.train;
        format!(
            "cargo run --release -- sort-numbers --n {} --network {network}{way} --sharpness {} --steps {} \
             --batch {} --learning-rate {} --filters {} {} {}",
            self.n,
            self.sharpness,
            train.steps,
            train.batch,
            train.learning_rate,
            train.filters[0],
            train.filters[1],
            self.runs.options(SEEDS)
        )
    }
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let comparison = arguments.comparison()?;
    let folder = arguments.runs.folder("sort_numbers")?;
    let [train, test] = match &arguments.data {
        Some(folder) => Dataset::mnist(&Known::Mnist.fetch(Some(folder))?)?,
        None => {
            println!("no folder for MNIST was given (--data): 8 × 8 digits instead");
            let parts = Dataset::digits()?.split(&Split::default())?;
            [parts.train, parts.test]
        }
    };
    let path = folder.join("sort_numbers.csv");
    let command = arguments.command(&comparison);
    let done = arguments.runs.done(&path, &command, &FIXED)?;
    let results = comparison.run((&train, &test), done, Some(&path), &command)?;
    let first = comparison.ways.first().map_or("", |way| way.0.as_str());
    let title = format!("shares on test digits, mean ± sd over seeds; paired differences from {first}");
    println!("{}", Table::new(results.summary(first)?, &title).text()?);
    println!("the results are in {}", path.display());
    Ok(())
}
