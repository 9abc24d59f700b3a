//! How well losses order samples, of all of them and of parts.

use crate::correlation::{kendall_tau_b, spearman};
use crate::error::{Error, Result};
use crate::metric::{quantile, Bootstrap, Difference, Direction, Interval};

/// How one loss orders samples, against the metric.
#[derive(Debug, Clone, PartialEq)]
pub struct Agreement {
    /// The loss's name.
    pub loss: String,
    /// The loss of each sample.
    pub values: Vec<f64>,
    /// Spearman correlation of −loss with the metric (of the loss, where lower is better) and its interval over samples: 1
    /// is perfect, 0 for a loss that is the same everywhere.
    pub spearman: Interval,
    /// The same of Kendall's τ-b.
    pub kendall: Interval,
    /// The learned loss's Spearman less this one's, both resampled alike; none for the learned loss.
    pub lead: Option<Difference>,
}

/// How losses order a part of the samples: those of a band of difficulty, or of a stage of training.
#[derive(Debug, Clone, PartialEq)]
pub struct Group {
    /// Its name: the metric's range in a band, the stage's name.
    pub name: String,
    /// How many samples.
    pub samples: usize,
    /// Their mean metric.
    pub metric: f64,
    /// Spearman correlation of each loss, in the order of [`Report::agreements`](super::Report::agreements); none where the
    /// metric is the same on all samples, or on too many resamples.
    pub spearman: Vec<Option<Interval>>,
}

/// An exact correlation of two lists.
type Correlation = fn(&[f64], &[f64]) -> Result<f64>;

/// Losses by name, each of the same samples.
pub(super) type Named = (String, Vec<f64>);

/// The metric of samples, turned so that a loss should rise with it.
pub(super) struct Judge<'a> {
    target: Vec<f64>,
    metric: &'a [f64],
    bootstrap: &'a Bootstrap,
}

impl<'a> Judge<'a> {
    pub(super) fn new(metric: &'a [f64], direction: Direction, bootstrap: &'a Bootstrap) -> Self {
        Self { target: metric.iter().map(|m| -direction.sign() * m).collect(), metric, bootstrap }
    }

    /// All losses on all samples; the first is the one that leads.
    pub(super) fn agreements(&self, losses: &[Named]) -> Result<Vec<Agreement>> {
        let all = self.metric.len();
        let Some((_, leading)) = losses.first() else { return Ok(Vec::new()) };
        let one = |(place, (name, values)): (usize, &Named)| {
            let of =
                |correlation: Correlation| move |rows: &[usize]| self.correlate(correlation, values, rows);
            let learned = |rows: &[usize]| self.correlate(spearman, leading, rows);
            let lead = match place {
                0 => None,
                _ => Some(self.bootstrap.compare(all, learned, of(spearman))?),
            };
            Ok(Agreement {
                loss: name.clone(),
                values: values.clone(),
                spearman: self.bootstrap.interval(all, of(spearman))?,
                kendall: self.bootstrap.interval(all, of(kendall_tau_b))?,
                lead,
            })
        };
        losses.iter().enumerate().map(one).collect()
    }

    /// All losses on these samples.
    pub(super) fn group(&self, name: &str, losses: &[Named], samples: &[usize]) -> Result<Group> {
        let one = |(_, values): &Named| {
            let of = |rows: &[usize]| {
                let rows: Vec<usize> = rows.iter().map(|&row| samples[row]).collect();
                self.correlate(spearman, values, &rows)
            };
            match self.bootstrap.interval(samples.len(), of) {
                Err(Error::Undefined { .. }) => Ok(None),
                other => other.map(Some),
            }
        };
        let metric = samples.iter().map(|&i| self.metric[i]).sum::<f64>() / samples.len() as f64;
        let spearman = losses.iter().map(one).collect::<Result<_>>()?;
        Ok(Group { name: name.to_string(), samples: samples.len(), metric, spearman })
    }

    /// All losses on bands of the metric.
    pub(super) fn bands(&self, losses: &[Named], count: usize) -> Result<Vec<Group>> {
        let one = |band: &Vec<usize>| {
            let of = |pick: fn(f64, f64) -> f64| {
                band.iter().map(|&i| self.metric[i]).reduce(pick).unwrap_or(f64::NAN)
            };
            self.group(&format!("{:.2} to {:.2}", of(f64::min), of(f64::max)), losses, band)
        };
        bands(self.metric, count).iter().map(one).collect()
    }

    /// A correlation on these samples.
    fn correlate(&self, of: Correlation, losses: &[f64], samples: &[usize]) -> Result<f64> {
        let chosen = |all: &[f64]| samples.iter().map(|&i| all[i]).collect::<Vec<f64>>();
        let (losses, target) = (chosen(losses), chosen(&self.target));
        match of(&losses, &target) {
            Err(Error::Undefined { .. }) if constant(&losses) && !constant(&target) => Ok(0.0),
            other => other,
        }
    }
}

/// Whether all values are the same.
pub(super) fn constant(values: &[f64]) -> bool {
    values.windows(2).all(|pair| pair[0] == pair[1])
}

/// Samples by the metric's quantiles, lowest first; equal metrics in one band, empty bands left out.
fn bands(metric: &[f64], count: usize) -> Vec<Vec<usize>> {
    let mut sorted = metric.to_vec();
    sorted.sort_by(f64::total_cmp);
    let edges: Vec<f64> = (1..count).map(|k| quantile(&sorted, k as f64 / count as f64)).collect();
    let mut bands = vec![Vec::new(); count];
    for (i, value) in metric.iter().enumerate() {
        bands[edges.iter().filter(|edge| value > edge).count()].push(i);
    }
    bands.retain(|band: &Vec<usize>| !band.is_empty());
    bands
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bands_keep_ties_together() {
        let metric = [0.5, 0.1, 0.5, 0.9, 0.5, 0.2, 0.5, 1.0];
        // Quartiles 0.425, 0.5 and 0.6: nothing lies above the first and not above the second but the ties.
        assert_eq!(bands(&metric, 4), [vec![1, 5], vec![0, 2, 4, 6], vec![3, 7]]);
        assert_eq!(bands(&metric, 1).len(), 1);
    }
}
