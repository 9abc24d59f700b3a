//! Discounted cumulative gain.

use super::retrieval::check;
use crate::error::{check_finite, Error, Result};
use crate::sort::order::descending;

/// What a relevance is worth.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Gain {
    /// The relevance itself (Järvelin & Kekäläinen; scikit-learn).
    #[default]
    Linear,
    /// 2^relevance − 1 (Burges et al.; most of learning to rank).
    Exponential,
}

/// What tied scores do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum TiedScores {
    /// They share the mean gain of their places (scikit-learn).
    #[default]
    Share,
    /// They stand in order of appearance.
    InOrder,
}

/// Discounted cumulative gain: Σ gain / log₂(1 + place), places from 1, the highest score first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Dcg {
    /// What a relevance is worth.
    pub gain: Gain,
    /// What tied scores do.
    pub ties: TiedScores,
    /// Only the first k places count, all where there is no k.
    pub k: Option<usize>,
}

impl Dcg {
    /// The DCG of one list, 0 or more; higher is better.
    ///
    /// # Errors
    /// [`Error::Shape`] for lists of different lengths or empty ones, [`Error::NotFinite`] for NaN or infinite
    /// numbers, [`Error::Parameter`] for a negative relevance or a k of 0.
    ///
    /// # Example
    /// ```
    /// use reloss::metric::Dcg;
    /// // The relevant one stands second: 1/log₂ 3.
    /// assert_eq!(Dcg::default().value(&[0.9, 0.5], &[0.0, 1.0])?, 1.0 / 3.0_f64.log2());
    /// # Ok::<(), reloss::Error>(())
    /// ```
    pub fn value(&self, scores: &[f64], relevance: &[f64]) -> Result<f64> {
        const NAME: &str = "DCG";
        check(NAME, scores, relevance.len())?;
        check_finite(NAME, relevance)?;
        if let Some(index) = relevance.iter().position(|&r| r < 0.0) {
            let reason = format!("{} at index {index} is negative", relevance[index]);
            return Err(Error::parameter("relevance", reason));
        }
        if self.k == Some(0) {
            return Err(Error::parameter("k", "no place counts"));
        }
        let places = self.k.unwrap_or(scores.len()).min(scores.len());
        let discount = |place: usize| if place < places { 1.0 / (place as f64 + 2.0).log2() } else { 0.0 };
        let gain = |&i: &usize| match self.gain {
            Gain::Linear => relevance[i],
            Gain::Exponential => relevance[i].exp2() - 1.0,
        };
        let order = descending(scores);
        let tied = |a: &usize, b: &usize| self.ties == TiedScores::Share && scores[*a] == scores[*b];
        let (mut sum, mut first) = (0.0, 0);
        for group in order.chunk_by(tied) {
            let mean = group.iter().map(gain).sum::<f64>() / group.len() as f64;
            sum += mean * (first..first + group.len()).map(discount).sum::<f64>();
            first += group.len();
        }
        Ok(sum)
    }

    /// The DCG as a share of the best possible, in \[0, 1\]; higher is better.
    ///
    /// # Errors
    /// As [`Dcg::value`]; also [`Error::Undefined`] where nothing is relevant (scikit-learn gives 0).
    ///
    /// # Example
    /// ```
    /// use reloss::metric::Dcg;
    /// let (scores, relevance) = ([1.0, 0.0, 0.0, 0.0, 1.0], [10.0, 0.0, 0.0, 1.0, 5.0]);
    /// // The two tied for the first place share 10 and 5.
    /// assert_eq!(Dcg { k: Some(1), ..Dcg::default() }.normalized(&scores, &relevance)?, 0.75);
    /// # Ok::<(), reloss::Error>(())
    /// ```
    ///
    /// # Reference
    /// Järvelin, Kekäläinen, "Cumulated gain-based evaluation of IR techniques", 2002.
    pub fn normalized(&self, scores: &[f64], relevance: &[f64]) -> Result<f64> {
        let (value, best) = (self.value(scores, relevance)?, self.value(relevance, relevance)?);
        match best > 0.0 {
            true => Ok(value / best),
            false => Err(Error::undefined("NDCG", "nothing is relevant")),
        }
    }
}
