//! How a learned loss and trained models show themselves.

use polars::prelude::{Column, DataFrame};

use super::{Block, Figure, Panel, Table};
use crate::error::{Error, Result};
use crate::metric::{quantile, Direction, Interval};
use crate::surrogate::{Agreement, Group, Profile, Report, Step};
use crate::task::Outcome;

impl Report {
    /// The report as its warnings, a figure and tables.
    ///
    /// # Errors
    /// [`Error::Draw`] when a chart cannot be drawn.
    pub fn block(&self) -> Result<Block> {
        let mut block = Block::new().paragraph(&self.title());
        for warning in &self.warnings {
            block = block.paragraph(&format!("Warning: {warning}"));
        }
        block = block.figure(self.figure()).table(self.table()?);
        for (groups, caption) in [(&self.bands, "by difficulty"), (&self.stages, "as the model improves")] {
            if !groups.is_empty() {
                block = block.table(self.groups(groups, caption)?);
            }
        }
        Ok(block)
    }

    /// What was looked at, and what came of it.
    fn title(&self) -> String {
        let mut looked = vec!["agreement", "bands of difficulty", "sign"];
        if self.profile.is_some() {
            looked.push("monotonicity");
        }
        if !self.stages.is_empty() {
            looked.push("drift");
        }
        let count = match self.warnings.len() {
            0 => "no warning".to_string(),
            1 => "1 warning".to_string(),
            count => format!("{count} warnings"),
        };
        format!(
            "Report card of a loss learned for {}: {count} (looked at: {})",
            self.metric,
            looked.join(", ")
        )
    }

    /// Metric against the learned loss and the original, agreement by difficulty and by stage, the loss and its gradient over
    /// p, and the learning curve: what there is of these.
    pub fn figure(&self) -> Figure {
        let mut figure = Figure::new().columns(2);
        for (place, agreement) in self.agreements.iter().take(2).enumerate() {
            figure = figure.panel(self.scatter(agreement, place == 0));
        }
        let metric: Vec<f64> = self.bands.iter().map(|band| band.metric).collect();
        let x = format!("mean {} of the band", self.metric);
        figure = figure.panel(self.group_panel("by difficulty", &x, &metric, &self.bands));
        if !self.stages.is_empty() {
            let places: Vec<f64> = (1..=self.stages.len()).map(|place| place as f64).collect();
            figure = figure.panel(self.group_panel("as the model improves", "stage", &places, &self.stages));
        }
        if let Some(profile) = &self.profile {
            figure = figure.panel(profile_panel(profile)).panel(gradient_panel(profile));
        }
        match self.history.is_empty() {
            true => figure,
            false => figure.panel(learning_panel(&self.history)),
        }
    }

    /// What should rise with the metric.
    fn turned(&self) -> &'static str {
        match self.direction {
            Direction::HigherIsBetter => "−loss",
            Direction::LowerIsBetter => "loss",
        }
    }

    /// Metric over a loss; over the learned one with what it reads as.
    fn scatter(&self, agreement: &Agreement, learned: bool) -> Panel {
        let points = pairs(&agreement.values, &self.values);
        let panel = Panel::new(&agreement.loss)
            .x("loss of a batch")
            .y(&self.metric)
            .points("held-out batch", &points)
            .note(&format!("Spearman of {} {}", self.turned(), signed(agreement.spearman.value)));
        if !learned {
            return panel;
        }
        let metric =
            |error: f64| if self.direction == Direction::HigherIsBetter { 1.0 - error } else { error };
        let knots = self.calibration.curve.knots().iter();
        let curve: Vec<(f64, f64)> = knots.map(|&(loss, error)| (loss, metric(error))).collect();
        panel.line("what the loss reads as", &curve)
    }

    /// A line for each loss over groups of samples; the learned one in a band, its interval.
    fn group_panel(&self, title: &str, label: &str, x: &[f64], groups: &[Group]) -> Panel {
        let mut panel = Panel::new(title).x(label).y(&format!("Spearman of {} and metric", self.turned()));
        for (i, agreement) in self.agreements.iter().enumerate() {
            let at = |(&x, group): (&f64, &Group)| Some((x, group.spearman.get(i).copied()??));
            let defined: Vec<(f64, Interval)> = x.iter().zip(groups).filter_map(at).collect();
            let points: Vec<(f64, f64)> = defined.iter().map(|(x, s)| (*x, s.value)).collect();
            panel = panel.line(&agreement.loss, &points);
            if i == 0 {
                let of = |value: fn(&(f64, Interval)) -> f64| defined.iter().map(value).collect::<Vec<f64>>();
                panel = panel.band(&agreement.loss, &of(|d| d.0), &of(|d| d.1.low), &of(|d| d.1.high));
            }
        }
        panel
    }

    /// Correlations with the metric and their intervals, a row a loss; beside each how far the learned one is ahead.
    ///
    /// # Errors
    /// [`Error::Draw`] when polars refuses.
    pub fn table(&self) -> Result<Table> {
        let column = |name: &str, of: &dyn Fn(&Agreement) -> String| {
            Column::new(name.into(), self.agreements.iter().map(of).collect::<Vec<String>>())
        };
        let columns = vec![
            column("loss", &|a| a.loss.clone()),
            column(&format!("Spearman of {} [95 %]", self.turned()), &|a| format!("{:.4}", a.spearman)),
            column("Kendall's tau-b [95 %]", &|a| format!("{:.4}", a.kendall)),
            column("learned loss ahead, in Spearman [95 %]", &|a| {
                a.lead.map_or(String::new(), |lead| format!("{:+.4}", lead.interval))
            }),
        ];
        let caption = format!(
            "{} held-out batches, {}; read as an estimate of {}, the learned loss is off by {:.3} on average",
            self.values.len(),
            self.metric,
            if self.direction == Direction::HigherIsBetter { "1 − metric" } else { "the metric" },
            self.calibration.off
        );
        Ok(Table::new(frame(self.agreements.len(), columns)?, &caption))
    }

    /// Spearman of each loss, a row a group.
    fn groups(&self, groups: &[Group], caption: &str) -> Result<Table> {
        let mut columns = vec![
            Column::new("samples of".into(), groups.iter().map(|g| g.name.as_str()).collect::<Vec<_>>()),
            Column::new("samples".into(), groups.iter().map(|g| g.samples as u32).collect::<Vec<_>>()),
            Column::new("mean metric".into(), groups.iter().map(|g| g.metric).collect::<Vec<_>>()),
        ];
        for (i, agreement) in self.agreements.iter().enumerate() {
            let text = |group: &Group| match group.spearman.get(i).copied().flatten() {
                Some(spearman) if i == 0 => format!("{spearman:.3}"),
                Some(spearman) => format!("{:.3}", spearman.value),
                None => "undefined".to_string(),
            };
            columns.push(Column::new(
                agreement.loss.as_str().into(),
                groups.iter().map(text).collect::<Vec<_>>(),
            ));
        }
        let caption = format!("Spearman of {} and {} {caption}", self.turned(), self.metric);
        Ok(Table::new(frame(groups.len(), columns)?, &caption).decimals("mean metric", 3))
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

fn frame(rows: usize, columns: Vec<Column>) -> Result<DataFrame> {
    let refused =
        |e: polars::error::PolarsError| Error::Draw { what: "report".to_string(), reason: e.to_string() };
    DataFrame::new(rows, columns).map_err(refused)
}

fn pairs(x: &[f64], y: &[f64]) -> Vec<(f64, f64)> {
    x.iter().copied().zip(y.iter().copied()).collect()
}

/// Three decimals and a typographic minus.
fn signed(value: f64) -> String {
    format!("{value:.3}").replace('-', "−")
}

/// The learned loss of a row over the label's probability.
fn profile_panel(profile: &Profile) -> Panel {
    Panel::new("learned profile")
        .x("probability p of the label")
        .y("loss of a row")
        .line("learned loss", &pairs(&profile.p, &profile.loss))
        .note(&format!("lowest at p = {:.3}", profile.minimum()))
}

/// How hard a row pulls, over the label's probability.
fn gradient_panel(profile: &Profile) -> Panel {
    // Of two classes cross-entropy's gradient is (p − 1, 1 − p).
    let original: Vec<f64> = profile.p.iter().map(|p| 2f64.sqrt() * (1.0 - p)).collect();
    Panel::new("how hard a row pulls")
        .x("probability p of the label")
        .y("norm of the gradient by the logits")
        .line("learned loss", &pairs(&profile.p, &profile.gradient))
        .line("cross entropy", &pairs(&profile.p, &original))
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
