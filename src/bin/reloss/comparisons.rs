//! `reloss toy` and `reloss baselines`: losses compared with cross-entropy.

use std::path::PathBuf;

use clap::Args;
use reloss::data::{Dataset, Known};
use reloss::experiment::{Baselines, Ground, Toy};
use reloss::metric::{ClassMetric, Metric};
use reloss::{Error, Result};

use crate::runs::Runs;

/// Seeds of the toy experiment, if not said otherwise.
const TOY_SEEDS: u64 = 10;

/// Seeds of the baselines, if not said otherwise.
const BASELINE_SEEDS: u64 = 5;

#[derive(Args)]
pub(crate) struct Toys {
    /// A data set of two classes more, as CSV (label last) or in LIBSVM form.
    #[arg(long)]
    data: Option<PathBuf>,
    /// A public data set of two classes more, downloaded unless it is in the folder of data sets (RELOSS_DATA).
    #[arg(long, value_enum)]
    known: Option<KnownName>,
    #[command(flatten)]
    runs: Runs,
    /// Only the metrics whose name contains this, such as `F1`.
    #[arg(long)]
    metric: Option<String>,
    /// All three data sets; without it, breast cancer alone.
    #[arg(long)]
    full: bool,
}

/// Public sets of two classes.
#[derive(Clone, Copy, clap::ValueEnum)]
enum KnownName {
    Spambase,
    Magic,
    A1a,
}

impl KnownName {
    fn name(self) -> &'static str {
        match self {
            Self::Spambase => "spambase",
            Self::Magic => "magic",
            Self::A1a => "a1a",
        }
    }

    /// The set; of a1a the training part, which is split as the others are.
    fn read(self) -> Result<Dataset> {
        match self {
            Self::Spambase => Dataset::spambase(&Known::Spambase.fetch(None)?),
            Self::Magic => Dataset::magic(&Known::Magic.fetch(None)?),
            Self::A1a => Dataset::a1a(&Known::A1a.fetch(None)?).map(|[train, _]| train),
        }
    }
}

impl Toys {
    /// What is asked for.
    fn cases(&self) -> Result<Vec<Toy>> {
        let mut sets = vec![Dataset::breast_cancer()?];
        if self.full {
            sets.extend([Dataset::two_moons(600, 0.3, 0)?, Dataset::noisy_xor(600, 0.6, 0)?]);
        }
        if let Some(known) = self.known {
            sets.push(known.read()?);
        }
        if let Some(path) = &self.data {
            sets.push(Dataset::read(path)?);
        }
        let all = Toy::METRICS;
        let wanted =
            |metric: &&ClassMetric| self.metric.as_ref().is_none_or(|m| metric.name().contains(m.as_str()));
        let metrics: Vec<ClassMetric> = all.iter().filter(wanted).copied().collect();
        if metrics.is_empty() {
            let names: Vec<&str> = all.iter().map(|metric| metric.name()).collect();
            let reason = format!("no metric has it in its name: {}", names.join(", "));
            return Err(Error::Parameter { name: "metric", reason });
        }
        let pairs = sets.iter().flat_map(|data| metrics.iter().map(move |&metric| (data, metric)));
        pairs.map(|(data, metric)| Toy::new(data.clone(), metric)).collect()
    }

    /// The command that makes these results, but for the folders.
    fn command(&self) -> String {
        let metric = self.metric.as_ref().map_or(String::new(), |m| format!(" --metric '{m}'"));
        let full = if self.full { " --full" } else { "" };
        let known = self.known.map_or(String::new(), |known| format!(" --known {}", known.name()));
        format!("cargo run --release -- toy {}{metric}{full}{known}", self.runs.options(TOY_SEEDS))
    }
}

#[derive(Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    runs: Runs,
    /// Only the grounds whose name contains this, such as `moons`.
    #[arg(long)]
    ground: Option<String>,
    /// Both imbalanced sets; without it, the two moons alone.
    #[arg(long)]
    full: bool,
}

impl Arguments {
    /// What is asked for.
    fn baselines(&self) -> Result<Baselines> {
        let all = Baselines::all(self.full)?;
        match &self.ground {
            Some(part) => all.named(part),
            None => Ok(all),
        }
    }

    /// The command that makes these results, but for the folders.
    fn command(&self) -> String {
        let ground = self.ground.as_ref().map_or(String::new(), |g| format!(" --ground '{g}'"));
        let full = if self.full { " --full" } else { "" };
        format!("cargo run --release -- baselines {}{ground}{full}", self.runs.options(BASELINE_SEEDS))
    }
}

pub(crate) fn toys(arguments: &Toys) -> Result<()> {
    let (cases, seeds) = (arguments.cases()?, arguments.runs.seeds(TOY_SEEDS)?);
    let path = arguments.runs.folder("toy")?.join("toy.csv");
    let done = arguments.runs.done(&path, &arguments.command(), &[])?;
    let results = Toy::comparison(seeds).run("toy", &cases, done, Some(&path), &arguments.command())?;
    Runs::show(&path, &results, "cross_entropy")
}

pub(crate) fn baselines(arguments: &Arguments) -> Result<()> {
    let (baselines, seeds) = (arguments.baselines()?, arguments.runs.seeds(BASELINE_SEEDS)?);
    let path = arguments.runs.folder("baselines")?.join("baselines.csv");
    let done = arguments.runs.done(&path, &arguments.command(), &[])?;
    let results = baselines.run(&Ground::comparison(seeds), done, Some(&path), &arguments.command())?;
    Runs::show(&path, &results, "cross_entropy")
}
