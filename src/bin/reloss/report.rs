//! `reloss report`: the report card of a saved loss.

use std::path::PathBuf;

use clap::Args;
use reloss::data::Dataset;
use reloss::metric::{named, Scores};
use reloss::sampler::{Labels, Sampler, Stage, Store};
use reloss::surrogate::{Report, ReportOptions, Surrogate};
use reloss::Result;

#[derive(Args)]
pub(crate) struct Arguments {
    /// The loss, as `Surrogate::save` wrote it.
    loss: PathBuf,
    /// What a model predicts: a row of class scores (logits) each, separated by commas, its label last. Of several files, in
    /// order as the model improved, each is a stage that shows whether the loss holds.
    #[arg(long, required = true, num_args = 1..)]
    predictions: Vec<PathBuf>,
    /// The metric by its name, if not the one the loss was learned for.
    #[arg(long)]
    metric: Option<String>,
    /// Samples drawn from the predictions, for the card and for each stage.
    #[arg(long, default_value_t = 300)]
    samples: usize,
    /// Predictions in a sample.
    #[arg(long, default_value_t = 64)]
    rows: usize,
    /// Keep the labels as they are; replaced otherwise, so that the metric covers its range.
    #[arg(long)]
    true_labels: bool,
    /// Seed of the draws.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// The card as a page.
    #[arg(long, default_value = "report.html")]
    out: PathBuf,
}

impl Arguments {
    /// Samples of these predictions.
    fn sampler(&self, store: Store) -> Sampler {
        let labels = if self.true_labels { Labels::True } else { Labels::Cover };
        Sampler { labels, rows: self.rows, ..Sampler::stored(store) }
    }
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let loss = Surrogate::load(&arguments.loss)?;
    let metric = named(arguments.metric.as_deref().unwrap_or_else(|| loss.metric()))?;
    let mut files: Vec<(String, Scores, Vec<usize>)> = Vec::new();
    for path in &arguments.predictions {
        let rows = Dataset::from_csv(path)?;
        let scores = Scores::new(rows.features().to_vec(), rows.width())?;
        files.push((rows.name().to_string(), scores, rows.labels().to_vec()));
    }
    let mut all = Store::empty(files.first().map_or(0, |file| file.1.classes()));
    let mut stages = Vec::new();
    for (number, (name, scores, labels)) in (1..).zip(&files) {
        all.append(scores.clone(), labels.clone())?;
        let sampler = arguments.sampler(Store::new(scores.clone(), labels.clone())?);
        let seed = arguments.seed.wrapping_add(number);
        let samples = sampler.draw(metric.as_ref(), arguments.samples, seed)?;
        stages.push(Stage { name: name.clone(), samples });
    }
    if stages.len() < 2 {
        stages.clear();
    }
    let held_out = arguments.sampler(all).draw(metric.as_ref(), arguments.samples, arguments.seed)?;
    let options = ReportOptions { stages, ..ReportOptions::default() };
    let block = Report::new(&loss, metric.as_ref(), &held_out, &options)?.block()?;
    block.save(&arguments.out)?;
    println!("{}", block.text()?);
    println!("the card is in {}", arguments.out.display());
    Ok(())
}
