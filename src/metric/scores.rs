//! A batch of class scores.

use crate::error::{check_finite, Error, Result};
use crate::ops::simd::vectorised;

/// Class scores of a batch: (rows, classes), row-major, all finite; higher is more likely.
#[derive(Debug, Clone, PartialEq)]
pub struct Scores {
    values: Vec<f32>,
    classes: usize,
}

impl Scores {
    /// A batch from row-major values.
    ///
    /// # Errors
    /// [`Error::Shape`] for no classes, no rows or a ragged last row, [`Error::NotFinite`] for NaN
    /// or infinite scores.
    ///
    /// # Example
    /// ```
    /// let scores = reloss::metric::Scores::new(vec![0.1, 0.9, 0.8, 0.2], 2)?;
    /// assert_eq!((scores.rows(), scores.argmax(0), scores.argmax(1)), (2, 1, 0));
    /// # Ok::<(), reloss::Error>(())
    /// ```
    pub fn new(values: Vec<f32>, classes: usize) -> Result<Self> {
        if classes == 0 || values.is_empty() || !values.len().is_multiple_of(classes) {
            let got = format!("{} values for {classes} classes", values.len());
            return Err(Error::shape("scores", "one or more whole rows of one or more classes", got));
        }
        check_finite("scores", &values)?;
        Ok(Self { values, classes })
    }

    /// How many predictions.
    pub fn rows(&self) -> usize {
        self.values.len() / self.classes
    }

    /// How many classes.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// The scores of prediction `i`, from 0.
    ///
    /// # Panics
    /// As indexing a slice, when `i` is not below [`Scores::rows`].
    pub fn row(&self, i: usize) -> &[f32] {
        &self.values[i * self.classes..(i + 1) * self.classes]
    }

    /// These rows, repeats again.
    pub(crate) fn chosen(&self, rows: &[usize]) -> Result<Self> {
        Self::new(rows.iter().flat_map(|&row| self.row(row)).copied().collect(), self.classes)
    }

    /// All scores, row-major.
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// The class with the highest score of row `i`; the first one on ties.
    pub fn argmax(&self, i: usize) -> usize {
        let row = self.row(i);
        let mut best = 0;
        for (class, &score) in row.iter().enumerate() {
            if score > row[best] {
                best = class;
            }
        }
        best
    }

    /// How many classes stand before `class` in row `i`, from 0; of equal scores the lower class first.
    pub fn rank_of(&self, i: usize, class: usize) -> usize {
        let row = self.row(i);
        let (own, before, after) = (row[class], &row[..class], &row[class + 1..]);
        // Counted in f32's own width, so that a vector compares as many as it holds.
        let count = |part: &[f32], above: fn(f32, f32) -> bool| -> usize {
            part.chunks(1 << 16)
                .map(|part| part.iter().map(|&s| u32::from(above(s, own))).sum::<u32>() as usize)
                .sum()
        };
        vectorised(|| count(before, |score, own| score >= own) + count(after, |score, own| score > own))
    }

    /// Refuses labels that are not one per row and below the classes.
    pub(crate) fn check(&self, op: &'static str, labels: &[usize]) -> Result<()> {
        if labels.len() != self.rows() {
            return Err(Error::shape(op, format!("{} labels", self.rows()), labels.len()));
        }
        match labels.iter().position(|&label| label >= self.classes) {
            Some(i) => {
                let expected = format!("labels below {}", self.classes);
                Err(Error::shape(op, expected, format!("{} at row {i}", labels[i])))
            }
            None => Ok(()),
        }
    }
}
