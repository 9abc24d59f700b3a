//! Results as tables, differences from one loss beside the values.

use polars::prelude::{Column, DataFrame};

use super::{frame, mean_interval, mean_sd, Results};
use crate::error::{Error, Result};
use crate::metric::Interval;

/// Differences with a p-value below this are marked as significant.
const SIGNIFICANT: f64 = 0.05;

impl Results {
    /// Each distinct (setting, metric, loss) in order of appearance.
    fn groups(&self) -> Vec<(&str, &str, &str)> {
        let mut groups: Vec<(&str, &str, &str)> = Vec::new();
        for run in &self.runs {
            let key = (run.setting.as_str(), run.metric.as_str(), run.loss.as_str());
            if !groups.contains(&key) {
                groups.push(key);
            }
        }
        groups
    }

    /// A table of all comparisons: mean ± sd of each loss with its 95 % interval, and its paired difference from
    /// `baseline` with its own.
    ///
    /// Values are percent; intervals and p are those of [`Paired`](super::Paired).
    ///
    /// # Errors
    /// [`Error::Undefined`] when a loss shares no seed with the baseline.
    pub fn summary(&self, baseline: &str) -> Result<DataFrame> {
        let mut columns: [Vec<String>; 8] = Default::default();
        let range = |interval: Option<Interval>| {
            interval.map_or(String::new(), |i| format!("[{:.2}, {:.2}]", 100.0 * i.low, 100.0 * i.high))
        };
        for (setting, metric, loss) in self.groups() {
            let values: Vec<f64> = self.values(setting, metric, loss).iter().map(|v| v.1).collect();
            let (mean, sd) = mean_sd(&values);
            let versus = if loss == baseline {
                [String::new(), String::new(), String::new()]
            } else {
                let paired = self.paired(setting, metric, loss, baseline)?;
                [
                    format!("{:+.2} {}", 100.0 * paired.mean, range(paired.interval)).trim_end().to_string(),
                    format!("{}/{}", paired.wins, paired.pairs),
                    if paired.p < 0.001 { "< 0.001".to_string() } else { format!("{:.3}", paired.p) },
                ]
            };
            let spread = format!("{:.2} ± {:.2}", 100.0 * mean, 100.0 * sd);
            let names = [setting, metric, loss].map(str::to_string);
            let row = names.into_iter().chain([spread, range(mean_interval(&values)?)]);
            row.chain(versus).zip(&mut columns).for_each(|(cell, column)| column.push(cell));
        }
        let difference = format!("minus {baseline}");
        let names = ["setting", "metric", "loss", "mean ± sd, %", "95 %", &difference, "wins", "p"];
        frame(names.iter().zip(columns).map(|(&name, cells)| Column::new(name.into(), cells)).collect())
    }

    /// Losses side by side: a row a setting and metric, then a column for `baseline` and for each of `losses`, whose cells are
    /// `mean ± sd (difference, wins/seeds)`.
    ///
    /// Values are percent; differences are from `baseline`, paired by seed, positive where the loss is better, and with a `*`
    /// where p < 0.05 ([`Paired`](super::Paired)). A loss without runs in a setting has no value there.
    ///
    /// # Errors
    /// [`Error::Parameter`] for a loss that was never run; [`Error::Undefined`] when a loss shares no seed with the baseline.
    ///
    /// # Example
    /// ```
    /// use reloss::experiment::{Results, Run};
    /// use reloss::metric::Direction;
    /// let run = |loss: &str, seed: u64, value: f64| Run {
    ///     data: "digits".into(),
    ///     model: "mlp".into(),
    ///     loss: loss.into(),
    ///     metric: "accuracy".into(),
    ///     direction: Direction::HigherIsBetter,
    ///     setting: "clean".into(),
    ///     seed,
    ///     value,
    /// };
    /// let runs = vec![run("usual", 0, 0.9), run("usual", 1, 0.8), run("learned", 0, 0.92), run("learned", 1, 0.82)];
    /// let table = Results { runs }.side_by_side("usual", &["learned"])?;
    /// let cells: Vec<String> = table.get(0).unwrap_or_default().iter().map(|cell| cell.str_value().to_string()).collect();
    /// assert_eq!(cells, ["clean", "accuracy", "85.0 ± 7.1", "87.0 ± 7.1 (+2.0, 2/2)"]);
    /// # Ok::<(), reloss::Error>(())
    /// ```
    pub fn side_by_side(&self, baseline: &str, losses: &[&str]) -> Result<DataFrame> {
        let groups = self.groups();
        let losses: Vec<&str> = std::iter::once(baseline).chain(losses.iter().copied()).collect();
        if let Some(unknown) = losses.iter().find(|loss| !groups.iter().any(|group| group.2 == **loss)) {
            return Err(Error::parameter("losses", format!("{unknown} was never run")));
        }
        let mut rows: Vec<(&str, &str)> = Vec::new();
        for &(setting, metric, loss) in &groups {
            if losses.contains(&loss) && !rows.contains(&(setting, metric)) {
                rows.push((setting, metric));
            }
        }
        let settings: Vec<&str> = rows.iter().map(|row| row.0).collect();
        let metrics: Vec<&str> = rows.iter().map(|row| row.1).collect();
        let mut columns =
            vec![Column::new("setting".into(), settings), Column::new("metric".into(), metrics)];
        for loss in losses {
            let cell = |&(setting, metric): &(&str, &str)| match groups.contains(&(setting, metric, loss)) {
                true => self.beside(setting, metric, loss, baseline).map(Some),
                false => Ok(None),
            };
            columns.push(Column::new(loss.into(), rows.iter().map(cell).collect::<Result<Vec<_>>>()?));
        }
        frame(columns)
    }

    /// A cell of [`Results::side_by_side`].
    fn beside(&self, setting: &str, metric: &str, loss: &str, baseline: &str) -> Result<String> {
        let values: Vec<f64> = self.values(setting, metric, loss).iter().map(|v| v.1).collect();
        let (mean, sd) = mean_sd(&values);
        let spread = format!("{:.1} ± {:.1}", 100.0 * mean, 100.0 * sd);
        if loss == baseline {
            return Ok(spread);
        }
        let paired = self.paired(setting, metric, loss, baseline)?;
        let star = if paired.p < SIGNIFICANT { "*" } else { "" };
        let (difference, wins, pairs) = (100.0 * paired.mean, paired.wins, paired.pairs);
        // A small difference keeps the digit that says which way it goes.
        let difference = match difference.abs() < 0.1 {
            true => format!("{difference:+.2}"),
            false => format!("{difference:+.1}"),
        };
        Ok(format!("{spread} ({difference}{star}, {wins}/{pairs})"))
    }
}
