//! The experiments from a terminal, with progress bars, resumable.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use reloss::data::Dataset;
use reloss::display::{training_curves, Best, Table};
use reloss::experiment::{learn_loss, Classify, Results, Setting};
use reloss::files::{create_folder, write_atomic};
use reloss::loss::CrossEntropy;
use reloss::sampler::Sampler;
use reloss::surrogate::Learn;
use reloss::task::Train;
use reloss::{Error, Result};

/// Learn a differentiable loss for a metric, and train with it.
#[derive(Parser)]
#[command(version, about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Digits: learn a loss for the metric, report on it, compare it with cross-entropy.
    Classify(ClassifyArguments),
}

#[derive(Args)]
struct ClassifyArguments {
    /// Folder for figures, tables, the learned loss and the results.
    #[arg(long, default_value = "out/classify")]
    out: PathBuf,
    /// How many seeds each loss is run with, counted from --seed.
    #[arg(long, default_value_t = 5)]
    seeds: u64,
    /// The first seed.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Continue what an interrupted run left in the folder.
    #[arg(long)]
    resume: bool,
    /// Only the regimes whose name contains this, such as `clean` or `noise`.
    #[arg(long)]
    setting: Option<String>,
}

impl ClassifyArguments {
    /// What is asked for.
    fn comparison(&self) -> Result<Classify> {
        let all = Classify::default();
        let end = self.seed.checked_add(self.seeds).filter(|_| self.seeds > 0);
        let refuse = |name, reason| Err(Error::Parameter { name, reason });
        let Some(end) = end else {
            return refuse("seeds", format!("{} from {} on are no seeds", self.seeds, self.seed));
        };
        let wanted =
            |s: &&Setting| self.setting.as_ref().is_none_or(|wanted| s.name().contains(wanted.as_str()));
        let settings: Vec<Setting> = all.settings.iter().filter(wanted).copied().collect();
        if settings.is_empty() {
            let names: Vec<String> = all.settings.iter().map(Setting::name).collect();
            return refuse("setting", format!("no regime has it in its name: {}", names.join(", ")));
        }
        Ok(Classify { seeds: (self.seed..end).collect(), settings, ..all })
    }

    /// The command that makes these results.
    fn command(&self) -> String {
        let setting = self.setting.as_ref().map_or(String::new(), |s| format!(" --setting '{s}'"));
        format!("cargo run --release -- classify --seeds {} --seed {}{setting}", self.seeds, self.seed)
    }
}

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Classify(arguments) => classify(&arguments),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("reloss: {error}");
            ExitCode::FAILURE
        }
    }
}

fn classify(arguments: &ClassifyArguments) -> Result<()> {
    let comparison = arguments.comparison()?;
    create_folder(&arguments.out)?;
    let data = Dataset::digits()?;
    show_one(&data, &comparison, arguments)?;

    let path = arguments.out.join("classify.csv");
    let done = if arguments.resume && path.exists() { Results::load(&path)? } else { Results::default() };
    let results = comparison.run(&data, done, Some(&path), &arguments.command())?;
    let table = Table::new(
        results.summary("cross_entropy")?,
        "test metric, mean ± sd over seeds; paired differences",
    )
    .best("mean ± sd, %", Best::Highest);
    write_atomic(&arguments.out.join("classify.html"), table.html()?.as_bytes())?;
    println!("{}", table.text()?);
    println!("figures, tables and the learned loss are in {}", arguments.out.display());
    Ok(())
}

/// The loss of the first seed with clean labels: its report, its file and two training curves.
fn show_one(data: &Dataset, comparison: &Classify, arguments: &ClassifyArguments) -> Result<()> {
    let setting = Setting::Clean;
    let (metric, task) = (setting.metric(), setting.task(data, arguments.seed)?);
    let train = Train { seed: arguments.seed, ..comparison.train.clone() };
    let options = Learn {
        seed: arguments.seed,
        checkpoint: Some(arguments.out.join("learning.safetensors")),
        resume: arguments.resume,
        ..comparison.learn.clone()
    };
    let learned = learn_loss(&task, metric.as_ref(), &train, &options)?;
    learned.loss.save(&arguments.out.join("loss.safetensors"))?;

    let held_out = Sampler::stored(task.store_predictions(metric.as_ref(), &train)?);
    let report = learned.report(metric.as_ref(), &held_out.draw(metric.as_ref(), 300, u64::MAX)?)?;
    save_figure(&arguments.out, "report", &report.figure())?;
    write_atomic(&arguments.out.join("report.html"), report.block()?.html()?.as_bytes())?;
    println!("{}", report.table()?.text()?);

    let original =
        task.train(&CrossEntropy::default(), metric.as_ref(), &Train { warm_up: 0.0, ..train.clone() })?;
    let outcome = task.train(&learned.loss, metric.as_ref(), &train)?;
    let curves = training_curves(metric.name(), &[("cross-entropy", &original), ("learned loss", &outcome)]);
    save_figure(&arguments.out, "training", &curves)
}

fn save_figure(folder: &Path, name: &str, figure: &reloss::display::Figure) -> Result<()> {
    figure.save(folder.join(format!("{name}.svg")))?;
    figure.save(folder.join(format!("{name}.png")))
}
