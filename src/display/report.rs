//! How a learned loss and trained models show themselves.

use polars::prelude::{Column, DataFrame};

use super::{Block, Figure, Panel, Table};
use crate::error::{Error, Result};
use crate::metric::quantile;
use crate::surrogate::{Profile, Report, Step};
use crate::task::Outcome;

impl Report {
    /// The report as a figure of four panels and a table.
    ///
    /// # Errors
    /// [`Error::Draw`] when a chart cannot be drawn.
    pub fn block(&self) -> Result<Block> {
        Ok(Block::new().figure(self.figure()).table(self.table()?))
    }

    /// Metric against each loss, the loss's profile over p, and the learning curve.
    pub fn figure(&self) -> Figure {
        let mut figure = Figure::new().columns(2);
        for agreement in &self.agreements {
            let points: Vec<(f64, f64)> =
                agreement.values.iter().copied().zip(self.values.iter().copied()).collect();
            let panel = Panel::new(&agreement.loss.replace('_', " "))
                .x("loss of a batch")
                .y(&self.metric)
                .points("held-out batch", &points)
                .note(&format!("Spearman {:.3}", agreement.spearman.value).replace('-', "−"));
            figure = figure.panel(panel);
        }
        figure.panel(profile_panel(&self.profile)).panel(learning_panel(&self.history))
    }

    /// Spearman correlation with the metric and its interval, a row a loss.
    ///
    /// # Errors
    /// [`Error::Draw`] when polars refuses.
    pub fn table(&self) -> Result<Table> {
        let names: Vec<&str> = self.agreements.iter().map(|a| a.loss.as_str()).collect();
        let spearman: Vec<String> = self.agreements.iter().map(|a| format!("{:.4}", a.spearman)).collect();
        let columns = vec![
            Column::new("loss".into(), names),
            Column::new("Spearman with the metric [95 %]".into(), spearman),
        ];
        let frame = DataFrame::new(self.agreements.len(), columns);
        let frame = frame.map_err(|e| Error::Draw { what: "report".to_string(), reason: e.to_string() })?;
        let caption = format!("{} held-out batches, {}", self.values.len(), self.metric);
        Ok(Table::new(frame, &caption))
    }

    /// Shows the report in a notebook.
    pub fn evcxr_display(&self) {
        match self.block() {
            Ok(block) => block.evcxr_display(),
            Err(error) => eprintln!("{error}"),
        }
    }
}

/// A loss's name with the outcomes of its seeds.
pub type Named<'a, M, P, L> = (&'a str, &'a [Outcome<M, P, L>]);

/// Training curves over seeds: the median validation metric by epoch, a line a loss, in a band that holds the middle half.
///
/// Medians, since a single run that fails would move a mean and its deviation off the chart: tables show those.
///
/// # Example
/// See the notebook `02_toy`.
pub fn training_bands<M, P, L>(title: &str, metric: &str, losses: &[Named<M, P, L>]) -> Panel {
    let mut panel = Panel::new(title).x("epoch").y(&format!("validation {metric}"));
    for (name, outcomes) in losses {
        let epochs = outcomes.iter().map(|outcome| outcome.history.len()).min().unwrap_or(0);
        let quarters = |share: f64| -> Vec<f64> {
            let at = |epoch: usize| {
                let mut values: Vec<f64> = outcomes.iter().map(|o| o.history[epoch].validation).collect();
                values.sort_by(f64::total_cmp);
                quantile(&values, share)
            };
            (0..epochs).map(at).collect()
        };
        let x: Vec<f64> = (1..=epochs).map(|epoch| epoch as f64).collect();
        let median: Vec<(f64, f64)> = x.iter().copied().zip(quarters(0.5)).collect();
        panel = panel.line(name, &median).band(name, &x, &quarters(0.25), &quarters(0.75));
    }
    panel
}

/// The learned loss of a row over the label's probability.
fn profile_panel(profile: &Profile) -> Panel {
    let points: Vec<(f64, f64)> = profile.p.iter().copied().zip(profile.loss.iter().copied()).collect();
    Panel::new("learned profile")
        .x("probability p of the label")
        .y("loss of a row")
        .line("learned loss", &points)
        .note(&format!("lowest at p = {:.3}", profile.minimum()))
}

/// Agreement over the steps: soft on the step's samples, exact on the held-out ones.
fn learning_panel(history: &[Step]) -> Panel {
    let soft: Vec<(f64, f64)> = history.iter().map(|s| (s.step as f64, f64::from(s.agreement))).collect();
    let exact: Vec<(f64, f64)> =
        history.iter().filter_map(|s| s.held_out.map(|value| (s.step as f64, value))).collect();
    Panel::new("learning the loss")
        .x("step")
        .y("Spearman of −loss and metric")
        .line("soft, step's samples", &soft)
        .line("exact, held out", &exact)
}

/// Training curves of several models: validation metric by epoch, a line a model.
///
/// # Example
/// See the notebook `00_quickstart`.
pub fn training_curves(metric: &str, models: &[(&str, &Outcome)]) -> Figure {
    let mut panel = Panel::new("training a model").x("epoch").y(&format!("validation {metric}"));
    for (name, outcome) in models {
        let points: Vec<(f64, f64)> =
            outcome.history.iter().map(|e| (e.epoch as f64, e.validation)).collect();
        panel = panel.line(name, &points);
    }
    Figure::new().panel(panel)
}
