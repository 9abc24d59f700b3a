//! How the results of sweeps and of losses used elsewhere show themselves.

use super::{Block, Figure, Panel, Table};
use crate::error::{Error, Result};
use crate::experiment::{Results, Sweep};

/// What failed runs leave in place of a metric.
const FAILED: &str = "failed";

/// A product of a sweep: for each task a loss's difference from a baseline, one panel a metric, and the table of all.
///
/// Shown are each task's own metric and, of learned losses, their held-out Spearman; bars are means of the differences paired
/// by seed, in points of a hundred, with their standard deviation, and better is up. What failed is counted above.
///
/// # Errors
/// [`Error::Parameter`] when no product has this name; [`Error::Undefined`] when the results lack a run of it, or its baseline.
///
/// # Example
/// ```
/// use reloss::display::ablation;
/// use reloss::experiment::Sweep;
/// let folder = tempfile::tempdir().expect("a folder");
/// let file = folder.path().join("sweep.json");
/// let (task, seeds) = (r#"[{"task": {"Digits": "Clean"}, "train": {"epochs": 1}}]"#, "[0, 1]");
/// let losses = r#"[{"name": "usual", "loss": "Original"}, {"name": "smooth", "loss": "Remedy"}]"#;
/// let product = format!(r#"{{"name": "labels", "tasks": {task}, "losses": {losses}, "seeds": {seeds}}}"#);
/// reloss::files::write_atomic(&file, format!(r#"{{"products": [{product}]}}"#).as_bytes())?;
/// let sweep = Sweep::read(&file)?;
/// let shown = ablation(&sweep, "labels", &sweep.results()?, "usual")?;
/// assert!(shown.html()?.contains("smooth"));
/// # Ok::<(), reloss::Error>(())
/// ```
pub fn ablation(sweep: &Sweep, product: &str, results: &Results, baseline: &str) -> Result<Block> {
    let mut results = sweep.product(product)?.of(results)?;
    let mut block = Block::new();
    for failure in failures(&results) {
        block = block.paragraph(&failure);
    }
    results.runs.retain(|run| run.metric != FAILED);
    let mut figure = Figure::new().columns(2);
    for setting in distinct(results.runs.iter().map(|run| &run.setting)) {
        // Its own metric comes first.
        let own = results.runs.iter().find(|run| run.setting == setting).map(|run| run.metric.clone());
        for metric in own.iter().map(String::as_str).chain(["held-out Spearman"]) {
            figure = match differences(&results, &setting, metric, baseline)? {
                Some(panel) => figure.panel(panel),
                None => figure,
            };
        }
    }
    let caption = format!("{product}: % on the test part; differences paired by seed (positive: better)");
    Ok(block
        .figure(figure.panel_size(480, 300))
        .table(Table::new(results.summary(baseline)?, &caption).rows(200)))
}

/// A loss and a task with how many of its runs failed.
fn failures(results: &Results) -> Vec<String> {
    let failed = results.runs.iter().filter(|run| run.metric == FAILED);
    let places: Vec<String> = failed.map(|run| format!("{} on {}", run.loss, run.setting)).collect();
    let count = |place: &String| places.iter().filter(|other| *other == place).count();
    let told = |place: String| format!("{place}: {} runs failed", count(&place));
    distinct(places.iter()).into_iter().map(told).collect()
}

/// Bars of the differences of each loss from a baseline, where another has the metric.
fn differences(results: &Results, setting: &str, metric: &str, baseline: &str) -> Result<Option<Panel>> {
    let here = results.runs.iter().filter(|run| run.setting == setting && run.metric == metric);
    let mut losses = distinct(here.map(|run| &run.loss));
    losses.retain(|loss| loss != baseline);
    if losses.is_empty() {
        return Ok(None);
    }
    let of = |loss: &String| results.paired(setting, metric, loss, baseline);
    let paired = losses.iter().map(of).collect::<Result<Vec<_>>>()?;
    let names: Vec<&str> = losses.iter().map(String::as_str).collect();
    let means: Vec<f64> = paired.iter().map(|paired| 100.0 * paired.mean).collect();
    let spreads: Vec<f64> = paired.iter().map(|paired| 100.0 * paired.sd).collect();
    let usual: Vec<f64> = results.values(setting, metric, baseline).iter().map(|value| value.1).collect();
    let mean = 100.0 * usual.iter().sum::<f64>() / usual.len().max(1) as f64;
    let seeds = usual.len();
    let panel = Panel::new(setting)
        .x("")
        .y(&format!("{metric}, points from {baseline}"))
        .bars_with_spread("mean ± sd", &names, &means, &spreads)
        .level("", 0.0)
        .note(&format!("{baseline}: {mean:.1} %, {seeds} seeds"));
    Ok(Some(panel))
}

/// What losses gain where they are used, against a baseline: a row a loss, a column a setting, in points of a hundred.
///
/// # Errors
/// [`Error::Undefined`] when a loss and the baseline share no seed in a setting.
pub fn transfer_matrix(results: &Results, metric: &str, baseline: &str) -> Result<Panel> {
    let of_metric = || results.runs.iter().filter(|run| run.metric == metric);
    let settings = distinct(of_metric().map(|run| &run.setting));
    let mut losses = distinct(of_metric().map(|run| &run.loss));
    losses.retain(|loss| loss != baseline);
    if losses.is_empty() {
        return Err(Error::undefined("transfer matrix", format!("no loss beside {baseline} has {metric}")));
    }
    let gain = |loss: &String, setting: &String| -> Result<f64> {
        // One decimal is written in a cell.
        Ok((1000.0 * results.paired(setting, metric, loss, baseline)?.mean).round() / 10.0)
    };
    let row = |loss: &String| settings.iter().map(|setting| gain(loss, setting)).collect::<Result<Vec<_>>>();
    let gains = losses.iter().map(row).collect::<Result<Vec<_>>>()?.concat();
    let rows: Vec<&str> = losses.iter().map(String::as_str).collect();
    // What all settings end with (the size of crops, clean labels) says nothing of one.
    let end = settings[0].rfind(", ").map_or("", |at| &settings[0][at..]);
    let end = if settings.iter().all(|setting| setting.ends_with(end)) { end } else { "" };
    let columns: Vec<&str> =
        settings.iter().map(|setting| setting.strip_suffix(end).unwrap_or(setting)).collect();
    Ok(Panel::new(&format!("points of {metric} ahead of {}", baseline.replace('_', " ")))
        .x("used on")
        .y("learned on")
        .heat_named("points", &rows, &columns, &gains))
}

/// Each once, in order of appearance.
fn distinct<'a>(all: impl Iterator<Item = &'a String>) -> Vec<String> {
    let mut distinct: Vec<String> = Vec::new();
    for one in all {
        if !distinct.contains(one) {
            distinct.push(one.clone());
        }
    }
    distinct
}
