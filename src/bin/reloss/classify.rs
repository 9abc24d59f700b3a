//! `reloss classify`: a loss learned for the metric of digits, its report, and its comparison with cross-entropy.

use std::path::Path;

use clap::Args;
use reloss::data::Dataset;
use reloss::display::{training_curves, Best, Table};
use reloss::experiment::{learn_loss, Classify, Setting};
use reloss::files::write_atomic;
use reloss::loss::CrossEntropy;
use reloss::sampler::Sampler;
use reloss::surrogate::Learn;
use reloss::task::Train;
use reloss::{Error, Result};

use crate::runs::Runs;

/// Seeds, if not said otherwise.
const SEEDS: u64 = 5;

#[derive(Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    runs: Runs,
    /// Only the regimes whose name contains this, such as `clean` or `noise`.
    #[arg(long)]
    setting: Option<String>,
}

impl Arguments {
    /// What is asked for.
    fn comparison(&self) -> Result<Classify> {
        let all = Classify::default();
        let seeds = self.runs.seeds(SEEDS)?;
        let wanted =
            |s: &&Setting| self.setting.as_ref().is_none_or(|wanted| s.name().contains(wanted.as_str()));
        let settings: Vec<Setting> = all.settings.iter().filter(wanted).copied().collect();
        if settings.is_empty() {
            let names: Vec<String> = all.settings.iter().map(Setting::name).collect();
            let reason = format!("no regime has it in its name: {}", names.join(", "));
            return Err(Error::Parameter { name: "setting", reason });
        }
        Ok(Classify { settings, ..all }.with_seeds(seeds))
    }

    /// The command that makes these results.
    fn command(&self) -> String {
        let setting = self.setting.as_ref().map_or(String::new(), |s| format!(" --setting '{s}'"));
        format!("cargo run --release -- classify {}{setting}", self.runs.options(SEEDS))
    }
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let comparison = arguments.comparison()?;
    let out = arguments.runs.folder("classify")?;
    let data = Dataset::digits()?;
    show_one(&data, &comparison, &arguments.runs, &out)?;

    let path = out.join("classify.csv");
    let results = comparison.run(&data, arguments.runs.done(&path)?, Some(&path), &arguments.command())?;
    let table = Table::new(
        results.summary("cross_entropy")?,
        "test metric, mean ± sd over seeds; paired differences",
    )
    .best("mean ± sd, %", Best::Highest);
    write_atomic(&out.join("classify.html"), table.html()?.as_bytes())?;
    println!("{}", table.text()?);
    println!("figures, tables and the learned loss are in {}", out.display());
    Ok(())
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

    let held_out = Sampler::stored(task.store_predictions(metric.as_ref(), &train)?);
    let report = learned.report(metric.as_ref(), &held_out.draw(metric.as_ref(), 300, u64::MAX)?)?;
    save_figure(out, "report", &report.figure())?;
    write_atomic(&out.join("report.html"), report.block()?.html()?.as_bytes())?;
    println!("{}", report.table()?.text()?);

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
