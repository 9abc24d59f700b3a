//! chrF as sacrebleu computes it.

use super::bleu::grams;
use super::tokenize::{is_space, words};
use super::{check, check_rows};
use rayon::prelude::*;

use crate::error::{check_positive, Error, Result};

/// chrF: the F-score of character n-grams, and of word n-grams where asked for (chrF++ has two orders).
///
/// # Example
/// ```
/// use reloss::metric::Chrf;
/// assert_eq!(Chrf::default().corpus(&["a b c"], &[vec!["abc"]])?, 100.0);
/// let plus_plus = Chrf { word_order: 2, ..Chrf::default() };
/// assert!(plus_plus.corpus(&["a b c"], &[vec!["abc"]])? < 100.0);
/// # Ok::<(), reloss::Error>(())
/// ```
///
/// # Reference
/// Popović, "chrF: character n-gram F-score for automatic MT evaluation", WMT 2015; numbers as sacrebleu 2.6.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Chrf {
    /// The longest character n-grams, 1 to 16. Default: 6.
    pub order: usize,
    /// The longest word n-grams, 0 to 16. Default: 0.
    pub word_order: usize,
    /// How many times as much recall counts. Default: 2.
    pub beta: f64,
    /// Whether case is ignored. Default: no.
    pub lowercase: bool,
    /// Whether orders without n-grams count, by a tiny number, instead of being left out. Default: no.
    pub smoothed: bool,
}

impl Default for Chrf {
    fn default() -> Self {
        Self { order: 6, word_order: 0, beta: 2.0, lowercase: false, smoothed: false }
    }
}

/// What chrF counts in each segment, from which it follows for any of them: what
/// [`Bootstrap`](crate::metric::Bootstrap) resamples.
#[derive(Debug, Clone)]
pub struct ChrfCounts {
    chrf: Chrf,
    counts: Vec<Vec<Counts>>,
}

/// Of one order: n-grams in the hypothesis, in the reference, and in both.
type Counts = [f64; 3];

/// What stands for nothing where orders without n-grams count.
const TINY: f64 = 1e-16;

impl Chrf {
    /// The chrF of a corpus, from 0 to 100, higher is better: of each hypothesis the reference that fits best.
    ///
    /// # Errors
    /// [`Error::Shape`] for no segments, lists of different lengths or a segment without references;
    /// [`Error::Parameter`] for options out of range.
    pub fn corpus(&self, hypotheses: &[&str], references: &[Vec<&str>]) -> Result<f64> {
        let counts = self.counts(hypotheses, references)?;
        counts.score(&(0..counts.segments()).collect::<Vec<_>>())
    }

    /// The counts of every segment, in parallel.
    ///
    /// # Errors
    /// As [`Chrf::corpus`].
    pub fn counts(&self, hypotheses: &[&str], references: &[Vec<&str>]) -> Result<ChrfCounts> {
        check("chrF", hypotheses, references)?;
        if !(1..=16).contains(&self.order) || self.word_order > 16 {
            let reason = format!("{} and {} are not in 1..=16 and 0..=16", self.order, self.word_order);
            return Err(Error::parameter("order", reason));
        }
        check_positive("beta", self.beta)?;
        let best = |(hypothesis, references): (&&str, &Vec<&str>)| {
            let each = references.iter().map(|reference| self.count(hypothesis, reference));
            let scored = each.map(|counts| (self.score(&counts), counts));
            // The first of several that fit alike.
            let best = scored.reduce(|best, next| if next.0 > best.0 { next } else { best });
            best.map(|(_, counts)| counts).unwrap_or_default()
        };
        let segments = hypotheses.par_iter().zip(references);
        Ok(ChrfCounts { chrf: *self, counts: segments.map(best).collect() })
    }

    /// What has to stand beside a reported score, in sacrebleu's form.
    ///
    /// # Example
    /// ```
    /// use reloss::metric::Chrf;
    /// let signature = Chrf::default().signature(1);
    /// assert_eq!(signature, "nrefs:1|case:mixed|eff:yes|nc:6|nw:0|space:no|version:reloss-0.1.0");
    /// ```
    pub fn signature(&self, references: usize) -> String {
        format!(
            "nrefs:{references}|case:{}|eff:{}|nc:{}|nw:{}|space:no|version:reloss-{}",
            if self.lowercase { "lc" } else { "mixed" },
            if self.smoothed { "no" } else { "yes" },
            self.order,
            self.word_order,
            env!("CARGO_PKG_VERSION")
        )
    }

    fn count(&self, hypothesis: &str, reference: &str) -> Vec<Counts> {
        let cased = |line: &str| if self.lowercase { line.to_lowercase() } else { line.to_string() };
        let (hypothesis, reference) = (cased(hypothesis), cased(reference));
        let characters = |line: &str| line.chars().filter(|&c| !is_space(c)).collect::<Vec<char>>();
        let (h, r) = (characters(&hypothesis), characters(&reference));
        let mut counts: Vec<Counts> = (1..=self.order).map(|n| overlap(&h, &r, n)).collect();
        let (h, r) = (apart(&hypothesis), apart(&reference));
        counts.extend((1..=self.word_order).map(|n| overlap(&h, &r, n)));
        counts
    }

    fn score(&self, counts: &[Counts]) -> f64 {
        let factor = self.beta * self.beta;
        let f = |p: f64, r: f64| (1.0 + factor) * p * r / (factor * p + r);
        let (mut sum, mut precision, mut recall, mut orders) = (0.0, 0.0, 0.0, 0.0);
        for &[hypothesis, reference, both] in counts {
            let p = if hypothesis > 0.0 { both / hypothesis } else { TINY };
            let r = if reference > 0.0 { both / reference } else { TINY };
            sum += if factor * p + r > 0.0 { f(p, r) } else { TINY };
            if hypothesis > 0.0 && reference > 0.0 {
                (precision, recall, orders) = (precision + p, recall + r, orders + 1.0);
            }
        }
        if self.smoothed {
            return 100.0 * sum / counts.len() as f64;
        }
        match precision + recall > 0.0 {
            true => 100.0 * f(precision / orders, recall / orders),
            false => 0.0,
        }
    }
}

impl ChrfCounts {
    /// How many segments were counted.
    pub fn segments(&self) -> usize {
        self.counts.len()
    }

    /// The chrF of these segments, from 0, repeats counting again.
    ///
    /// # Errors
    /// [`Error::Shape`] for no segments or one that is not there.
    pub fn score(&self, segments: &[usize]) -> Result<f64> {
        check_rows("chrF", segments, self.segments())?;
        let mut sum = vec![[0.0; 3]; self.chrf.order + self.chrf.word_order];
        for &segment in segments {
            for (to, from) in sum.iter_mut().zip(&self.counts[segment]) {
                to.iter_mut().zip(from).for_each(|(to, from)| *to += from);
            }
        }
        Ok(self.chrf.score(&sum))
    }
}

/// Without n-grams in the reference those of the hypothesis do not count either.
fn overlap<T: Eq + std::hash::Hash>(hypothesis: &[T], reference: &[T], n: usize) -> Counts {
    let (h, r) = (grams(hypothesis, n), grams(reference, n));
    let total = |tokens: &[T]| (tokens.len() + 1).saturating_sub(n) as f64;
    let both: u64 = h.iter().map(|(gram, &count)| count.min(r.get(gram).copied().unwrap_or(0))).sum();
    let reference = total(reference);
    [if reference > 0.0 { total(hypothesis) } else { 0.0 }, reference, both as f64]
}

/// Words, with one mark of ASCII punctuation at the end, or else at the beginning, apart.
fn apart(line: &str) -> Vec<&str> {
    let mark = |c: Option<char>| c.is_some_and(|c| c.is_ascii_punctuation());
    let mut parts = Vec::new();
    for word in words(line) {
        if word.chars().nth(1).is_none() {
            parts.push(word);
        } else if mark(word.chars().next_back()) {
            parts.extend([&word[..word.len() - 1], &word[word.len() - 1..]]);
        } else if mark(word.chars().next()) {
            parts.extend([&word[..1], &word[1..]]);
        } else {
            parts.push(word);
        }
    }
    parts
}
