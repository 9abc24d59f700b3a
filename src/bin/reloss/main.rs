//! The experiments from a terminal, with progress bars, resumable.

mod classify;
mod comparisons;
mod images;
mod pose;
mod read;
mod report;
mod runs;
mod score;
mod sort_numbers;
mod sweep;
mod translate;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Learn a differentiable loss for a metric, and train with it.
#[derive(Parser)]
#[command(version, about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Images: learn a loss for the metric, report on it, compare it with cross-entropy (5 seeds).
    Classify(Box<classify::Arguments>),
    /// Learn the losses that come with the library, on the embedded digits.
    Pretrain(images::Pretraining),
    /// Keypoints: the squared error of heatmaps against losses learned for PCK, on generated figures or your own (5 seeds).
    Pose(pose::Arguments),
    /// Translation all at once: cross-entropy and bags of n-grams against losses learned for BLEU, both directions (3 seeds).
    Translate(translate::Arguments),
    /// Questions about passages: cross-entropy and the expected overlap against losses learned for F1 (3 seeds).
    Read(read::Arguments),
    /// Two classes and five metrics: losses learned by rank, by value and in alternation (10 seeds).
    Toy(comparisons::Toys),
    /// Losses of twelve papers where they play: imbalanced classes, long tails, retrieval, new classes, sorting (5 seeds).
    Baselines(comparisons::Arguments),
    /// The report card of a saved loss, on a model's predictions in CSV files: warnings, figures and tables as a page.
    Report(report::Arguments),
    /// Four-digit numbers: read them off images, supervised by their order alone; relaxations compared (1 seed).
    SortNumbers(sort_numbers::Arguments),
    /// Runs that a file declares: any losses on any tasks, over any number of processes that share a folder.
    Sweep(sweep::Arguments),
    /// Predictions in files: their metrics with 95 % bootstrap intervals.
    #[command(subcommand)]
    Score(score::Arguments),
}

/// Keeps memory that is freed: every step of training frees tensors that the next one allocates again.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn keep_memory() {
    for threshold in [libc::M_TRIM_THRESHOLD, libc::M_MMAP_THRESHOLD] {
        // SAFETY: it changes a setting of the allocator, before there is another thread.
        unsafe { libc::mallopt(threshold, i32::MAX) };
    }
}

fn run(command: Command) -> reloss::Result<()> {
    reloss::ops::check_device()?;
    match command {
        Command::Classify(arguments) => classify::run(&arguments),
        Command::Pretrain(arguments) => images::pretrained(&arguments),
        Command::Pose(arguments) => pose::run(&arguments),
        Command::Translate(arguments) => translate::run(&arguments),
        Command::Read(arguments) => read::run(&arguments),
        Command::Toy(arguments) => comparisons::toys(&arguments),
        Command::Baselines(arguments) => comparisons::baselines(&arguments),
        Command::Report(arguments) => report::run(&arguments),
        Command::SortNumbers(arguments) => sort_numbers::run(&arguments),
        Command::Sweep(arguments) => sweep::run(&arguments),
        Command::Score(arguments) => score::run(&arguments),
    }
}

fn main() -> ExitCode {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    keep_memory();
    match run(Cli::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("reloss: {error}");
            ExitCode::FAILURE
        }
    }
}
