//! `reloss classify`: losses learned for metrics of classes, compared with cross-entropy.

use std::path::Path;

use clap::{Args, ValueEnum};
use reloss::data::Dataset;
use reloss::display::training_curves;
use reloss::experiment::{learn_loss, Case, Classify, ImageCase, Results, Setting};
use reloss::loss::CrossEntropy;
use reloss::sampler::Sampler;
use reloss::surrogate::{Learn, ReportOptions};
use reloss::task::Train;
use reloss::{Error, Result};

use crate::images::{written, Images};
use crate::runs::Runs;

/// Seeds, if not said otherwise.
const SEEDS: u64 = 5;

/// Options that runs depend on and that no column of the results names.
const FIXED: [&str; 3] = ["rows", "epochs", "tuning-seeds"];

/// Parts of the training over which the report card follows the loss.
const STAGES: usize = 8;

#[derive(Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    runs: Runs,
    /// What is compared.
    #[arg(long, value_enum, default_value_t = Table::Digits)]
    table: Table,
    #[command(flatten)]
    images: Images,
    /// Only the regimes whose name contains this, such as `clean` or `noise`; may be given more than once.
    #[arg(long)]
    setting: Vec<String>,
}

/// Learning rates of the table of transfers, which has many losses: the two that mostly win in the full table.
const TRANSFER_GRID: [f64; 2] = [3e-3, 1e-2];

/// The tables.
#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Table {
    /// A perceptron on the embedded digits, its loss learned on the same digits.
    Digits,
    /// The loss that comes with the library, on all sets, networks and regimes.
    Full,
    /// Losses learned on each of some sets and networks, used on each.
    Transfer,
    /// As `full`, of the sets and networks asked for.
    Images,
}

impl Table {
    /// The file of its results.
    fn file(self) -> &'static str {
        match self {
            Self::Digits => "classify.csv",
            Self::Full | Self::Images => "classification.csv",
            Self::Transfer => "classification_transfer.csv",
        }
    }
}

impl Arguments {
    /// The entries of which the regime is asked for; all, if none is.
    fn wanted<T>(&self, all: Vec<T>, name: impl Fn(&T) -> String) -> Result<Vec<T>> {
        let names: Vec<String> = all.iter().map(&name).collect();
        let without = |wanted: &&String| !names.iter().any(|name| name.contains(wanted.as_str()));
        if let Some(wanted) = self.setting.iter().find(without) {
            let reason = format!("no regime has {wanted:?} in its name: {}", names.join("; "));
            return Err(Error::Parameter { name: "setting", reason });
        }
        let asked = |entry: &T| {
            self.setting.is_empty() || self.setting.iter().any(|wanted| name(entry).contains(wanted.as_str()))
        };
        Ok(all.into_iter().filter(asked).collect())
    }

    /// The command that makes these results.
    fn command(&self) -> String {
        let setting: String = self.setting.iter().map(|s| format!(" --setting '{s}'")).collect();
        let table = match self.table {
            Table::Digits => String::new(),
            table => format!(" --table {}{}", written(&table), self.images.options()),
        };
        format!("cargo run --release -- classify {}{setting}{table}", self.runs.options(SEEDS))
    }

    /// The digits, with figures of one loss.
    fn digits(&self, out: &Path, path: &Path, done: Results) -> Result<Results> {
        let all = Classify::default();
        let settings = self.wanted(all.settings.clone(), Setting::name)?;
        let comparison = Classify { settings, ..all }.with_seeds(self.runs.seeds(SEEDS)?);
        let data = Dataset::digits()?;
        show_one(&data, &comparison, &self.runs, out)?;
        comparison.run(&data, done, Some(path), &self.command())
    }

    /// Images.
    fn images(&self, path: &Path, done: Results) -> Result<Results> {
        let cases = match self.table {
            Table::Transfer => self.images.transfer()?,
            Table::Images => self.images.asked()?,
            _ => self.images.full()?,
        };
        let cases = self.wanted(cases, ImageCase::setting)?;
        let mut comparison = ImageCase::comparison(self.runs.seeds(SEEDS)?);
        comparison.train.epochs = self.images.epochs();
        if self.table == Table::Transfer {
            comparison.grid = TRANSFER_GRID.to_vec();
        }
        comparison.tuning_seeds = self.images.tuning_seeds(comparison.tuning_seeds)?;
        let cases = self.images.chosen(&cases, &comparison)?;
        comparison.run("classify", &cases, done, Some(path), &self.command())
    }
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let Arguments { table, images, .. } = arguments;
    images.check(*table == Table::Images, *table == Table::Digits)?;
    let out = arguments.runs.folder("classify")?;
    let path = out.join(arguments.table.file());
    let done = arguments.runs.done(&path, &arguments.command(), &FIXED)?;
    let results = match arguments.table {
        Table::Digits => arguments.digits(&out, &path, done)?,
        _ => arguments.images(&path, done)?,
    };
    Runs::show(&path, &results, "cross_entropy")
}

/// The loss of the first seed with clean labels: its report, its file and two training curves.
fn show_one(data: &Dataset, comparison: &Classify, runs: &Runs, out: &Path) -> Result<()> {
    let setting = Setting::Clean;
    let (metric, task) = (setting.metric(), setting.task(data, runs.seed)?);
    let train = Train { seed: runs.seed, ..comparison.comparison.train.clone() };
    let options = Learn {
        seed: runs.seed,
        checkpoint: Some(out.join("learning.safetensors")),
        resume: runs.resume,
        ..comparison.learn.clone()
    };
    let learned = learn_loss(&task, metric.as_ref(), &train, &options)?;
    learned.loss.save(&out.join("loss.safetensors"))?;

    let sampler = Sampler::stored(task.store_predictions(metric.as_ref(), &train)?);
    let stages = sampler.stages(metric.as_ref(), STAGES, 300, u64::MAX - 1)?;
    let held_out = sampler.draw(metric.as_ref(), 300, u64::MAX)?;
    let options = ReportOptions { stages, ..ReportOptions::default() };
    let report = learned.report_with(metric.as_ref(), &held_out, &options)?;
    save_figure(out, "report", &report.figure())?;
    report.block()?.save(out.join("report.html"))?;
    println!("{}", report.block()?.text()?);

    let original =
        task.train(&CrossEntropy::default(), metric.as_ref(), &Train { warm_up: 0.0, ..train.clone() })?;
    let outcome = task.train(&learned.loss, metric.as_ref(), &train)?;
    let curves = training_curves(metric.name(), &[("cross-entropy", &original), ("learned loss", &outcome)]);
    save_figure(out, "training", &curves)
}

fn save_figure(folder: &Path, name: &str, figure: &reloss::display::Figure) -> Result<()> {
    figure.save(folder.join(format!("{name}.svg")))?;
    figure.save(folder.join(format!("{name}.png")))
}
