//! Retrieval among the rows themselves: is a neighbour of the same class?

use super::{Direction, Metric, Scores};
use crate::error::{Error, Result};

/// How often one of a row's k nearest others, by the cosine of their scores as embeddings, is of its class; in \[0, 1\],
/// higher is better.
///
/// Rows without another of their class do not ask. Of equal cosines the earlier row stands first; a row of zeros has
/// cosine 0 with all.
///
/// # Example
/// ```
/// use reloss::metric::{Metric, NearestRecall, Scores};
/// let scores = Scores::new(vec![1.0, 0.0, 0.9, 0.1, 0.0, 1.0, 0.2, 0.9], 2)?;
/// assert_eq!(NearestRecall::new(1)?.value(&scores, &[0, 0, 1, 0])?, 2.0 / 3.0);
/// # Ok::<(), reloss::Error>(())
/// ```
///
/// # Reference
/// Jégou, Douze, Schmid, "Product quantization for nearest neighbor search", 2011; as retrieval papers report R@k.
#[derive(Debug, Clone)]
pub struct NearestRecall {
    k: usize,
    name: String,
}

impl NearestRecall {
    /// Recall at 1: is the nearest of the same class?
    pub fn first() -> Self {
        Self { k: 1, name: "recall at 1".to_string() }
    }

    /// Recall at k.
    ///
    /// # Errors
    /// [`Error::Parameter`] for k = 0.
    pub fn new(k: usize) -> Result<Self> {
        match k {
            0 => Err(Error::parameter("k", "no neighbour counts")),
            _ => Ok(Self { k, name: format!("recall at {k}") }),
        }
    }
}

impl Metric for NearestRecall {
    fn name(&self) -> &str {
        &self.name
    }

    fn direction(&self) -> Direction {
        Direction::HigherIsBetter
    }

    fn range(&self) -> (f64, f64) {
        (0.0, 1.0)
    }

    fn value(&self, scores: &Scores, labels: &[usize]) -> Result<f64> {
        scores.check("recall at k", labels)?;
        let length = |row: &[f32]| row.iter().map(|v| v * v).sum::<f32>().sqrt().max(f32::MIN_POSITIVE);
        let unit: Vec<Vec<f32>> = (0..scores.rows())
            .map(|i| scores.row(i))
            .map(|row| row.iter().map(|v| v / length(row)).collect())
            .collect();
        let found = |i: usize| {
            let cosine = |j: usize| -> f32 { unit[i].iter().zip(&unit[j]).map(|(a, b)| a * b).sum() };
            let own = |j: usize| j != i && labels[j] == labels[i];
            let best = (0..unit.len()).filter(|&j| own(j)).map(|j| (cosine(j), j)).reduce(|best, next| {
                if next.0 > best.0 {
                    next
                } else {
                    best
                }
            })?;
            let before = |j: &usize| {
                let other = cosine(*j);
                *j != i && labels[*j] != labels[i] && (other > best.0 || (other == best.0 && *j < best.1))
            };
            Some((0..unit.len()).filter(before).count() < self.k)
        };
        let asked: Vec<bool> = (0..unit.len()).filter_map(found).collect();
        match asked.is_empty() {
            true => Err(Error::undefined("recall at k", "no row has another of its class")),
            false => Ok(asked.iter().filter(|&&found| found).count() as f64 / asked.len() as f64),
        }
    }
}
