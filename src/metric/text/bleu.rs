//! BLEU as sacrebleu computes it.

use std::collections::HashMap;

use rayon::prelude::*;

use super::tokenize::words;
use super::{check, check_rows, Tokenizer};
use crate::error::{Error, Result};

/// What an order without matches counts as.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Smoothing {
    /// 1/2, 1/4, … of a match, order by order (NIST; sacrebleu's `exp`).
    Exponential,
    /// This many matches (`floor`, 0.1 there).
    Floor(f64),
    /// This many more matches and n-grams, from order 2 on (`add-k`, 1 there).
    AddK(f64),
    /// Nothing: the score is 0 then.
    None,
}

/// BLEU with its options.
///
/// # Example
/// ```
/// use reloss::metric::{Bleu, Tokenizer};
/// let bleu = Bleu { tokenizer: Tokenizer::Whitespace, ..Bleu::default() };
/// let score = bleu.corpus(&["the cat is on the mat"], &[vec!["there is a cat on the mat", "a cat is on the mat"]])?;
/// assert!((score.score - 75.98356856515926).abs() < 1e-9);
/// assert_eq!(score.matches, [5, 4, 3, 2]);
/// assert_eq!(bleu.signature(2), "nrefs:2|case:mixed|eff:no|tok:none|smooth:exp|version:reloss-0.1.0");
/// # Ok::<(), reloss::Error>(())
/// ```
///
/// # Reference
/// Papineni, Roukos, Ward, Zhu, "BLEU: a method for automatic evaluation of machine translation", ACL 2002; Post, WMT
/// 2018, whose sacrebleu 2.6 gives the same numbers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bleu {
    /// Default: 13a.
    pub tokenizer: Tokenizer,
    /// Default: exponential.
    pub smoothing: Smoothing,
    /// The longest n-grams, 1 to 16. Default: 4.
    pub order: usize,
    /// Whether case is ignored. Default: no.
    pub lowercase: bool,
    /// Whether orders longer than the hypothesis are left out: the usual for sentences. Default: no.
    pub effective_order: bool,
}

impl Bleu {
    /// What DuReader's script reports as BLEU-4: of characters, not smoothed (but for 1e-9, which keeps its divisions
    /// from 0). It reads answers of a question as its references.
    pub const DUREADER: Self = Self {
        tokenizer: Tokenizer::Character,
        smoothing: Smoothing::None,
        order: 4,
        lowercase: false,
        effective_order: false,
    };
}

impl Default for Bleu {
    fn default() -> Self {
        Self {
            tokenizer: Tokenizer::V13a,
            smoothing: Smoothing::Exponential,
            order: 4,
            lowercase: false,
            effective_order: false,
        }
    }
}

/// A BLEU score and what it is made of.
#[derive(Debug, Clone, PartialEq)]
pub struct BleuScore {
    /// From 0 to 100; higher is better.
    pub score: f64,
    /// Matching n-grams of each order.
    pub matches: Vec<u64>,
    /// n-grams of each order in the hypotheses.
    pub totals: Vec<u64>,
    /// Percent of each order, smoothed.
    pub precisions: Vec<f64>,
    /// The factor for hypotheses that are too short.
    pub brevity_penalty: f64,
    /// Tokens in the hypotheses.
    pub hypothesis_length: u64,
    /// Tokens in the references closest in length.
    pub reference_length: u64,
}

/// What BLEU counts in each segment, from which it follows for any of them: what
/// [`Bootstrap`](crate::metric::Bootstrap) resamples.
#[derive(Debug, Clone)]
pub struct BleuCounts {
    bleu: Bleu,
    /// Of each segment its two lengths, then matches and totals of every order.
    counts: Vec<u32>,
}

/// Segments counted by one thread at a time, at least.
const SHARE: usize = 64;

impl Bleu {
    /// The BLEU of a corpus: one list of references for each hypothesis.
    ///
    /// # Errors
    /// [`Error::Shape`] for no segments, lists of different lengths or a segment without references;
    /// [`Error::Parameter`] for options out of range.
    pub fn corpus(&self, hypotheses: &[&str], references: &[Vec<&str>]) -> Result<BleuScore> {
        let counts = self.counts(hypotheses, references)?;
        counts.score(&(0..counts.segments()).collect::<Vec<_>>())
    }

    /// The counts of every segment, in parallel.
    ///
    /// # Errors
    /// As [`Bleu::corpus`].
    ///
    /// # Example
    /// ```
    /// use reloss::metric::{Bleu, Bootstrap};
    /// let (hypotheses, references) = (["a b c d", "a b d c", "a b c"], vec![vec!["a b c d"]; 3]);
    /// let counts = Bleu::default().counts(&hypotheses, &references)?;
    /// let interval = Bootstrap::default().interval(counts.segments(), |rows| Ok(counts.score(rows)?.score))?;
    /// assert!(interval.low < interval.value && interval.value < interval.high);
    /// # Ok::<(), reloss::Error>(())
    /// ```
    pub fn counts(&self, hypotheses: &[&str], references: &[Vec<&str>]) -> Result<BleuCounts> {
        check("BLEU", hypotheses, references)?;
        self.check_options()?;
        let segments = hypotheses.par_iter().zip(references).with_min_len(SHARE);
        let counts = segments.flat_map_iter(|(hypothesis, references)| self.count(hypothesis, references));
        Ok(BleuCounts { bleu: *self, counts: counts.collect() })
    }

    /// The counts of segments that are tokens already, with one reference each: the tokenizer and case do not count.
    ///
    /// # Errors
    /// As [`Bleu::corpus`].
    ///
    /// # Example
    /// ```
    /// use reloss::metric::Bleu;
    /// let counts = Bleu::default().token_counts(&[vec![7, 8, 9, 5]], &[vec![7, 8, 9, 6]])?;
    /// assert_eq!(counts.score(&[0])?.matches, [3, 2, 1, 0]);
    /// # Ok::<(), reloss::Error>(())
    /// ```
    pub fn token_counts(&self, hypotheses: &[Vec<usize>], references: &[Vec<usize>]) -> Result<BleuCounts> {
        if hypotheses.is_empty() || hypotheses.len() != references.len() {
            let expected = "as many references as hypotheses, one or more";
            let got = format!("{} and {}", references.len(), hypotheses.len());
            return Err(Error::shape("BLEU", expected, got));
        }
        self.check_options()?;
        let segments = hypotheses.par_iter().zip(references).with_min_len(SHARE);
        let counts = segments.flat_map_iter(|(hypothesis, r)| self.count_tokens(hypothesis, &[r.as_slice()]));
        Ok(BleuCounts { bleu: *self, counts: counts.collect() })
    }

    /// The BLEU of one sentence, by effective order.
    ///
    /// # Errors
    /// As [`Bleu::corpus`].
    ///
    /// # Example
    /// ```
    /// use reloss::metric::Bleu;
    /// assert_eq!(Bleu::default().sentence("No, it is not.", &["No, it is not."])?.score.round(), 100.0);
    /// # Ok::<(), reloss::Error>(())
    /// ```
    pub fn sentence(&self, hypothesis: &str, references: &[&str]) -> Result<BleuScore> {
        Self { effective_order: true, ..*self }.corpus(&[hypothesis], &[references.to_vec()])
    }

    /// What has to stand beside a reported score, in sacrebleu's form.
    pub fn signature(&self, references: usize) -> String {
        let smooth = match self.smoothing {
            Smoothing::Exponential => "exp".to_string(),
            Smoothing::Floor(value) => format!("floor[{value:.2}]"),
            Smoothing::AddK(value) => format!("add-k[{value:.2}]"),
            Smoothing::None => "none".to_string(),
        };
        format!(
            "nrefs:{references}|case:{}|eff:{}|tok:{}|smooth:{smooth}|version:reloss-{}",
            if self.lowercase { "lc" } else { "mixed" },
            if self.effective_order { "yes" } else { "no" },
            self.tokenizer.name(),
            env!("CARGO_PKG_VERSION")
        )
    }

    fn check_options(&self) -> Result<()> {
        if !(1..=16).contains(&self.order) {
            return Err(Error::parameter("order", format!("{} is not in 1..=16", self.order)));
        }
        match self.smoothing {
            Smoothing::Floor(value) | Smoothing::AddK(value) if !(value >= 0.0 && value.is_finite()) => {
                Err(Error::parameter("smoothing", format!("{value} is negative or not finite")))
            }
            _ => Ok(()),
        }
    }

    /// One segment's counts.
    fn count(&self, hypothesis: &str, references: &[&str]) -> Vec<u32> {
        let spaced = |line: &str| match self.lowercase {
            true => self.tokenizer.spaced(&line.to_lowercase()),
            false => self.tokenizer.spaced(line),
        };
        let (hypothesis, references) = (spaced(hypothesis), references.iter().map(|r| spaced(r)));
        let references: Vec<String> = references.collect();
        // Words by number: n-grams are then slices of numbers, and in order counting needs no tables.
        let mut numbers: HashMap<&str, u32> = HashMap::new();
        let hypothesis_ids = identify(&hypothesis, &mut numbers);
        let reference_ids: Vec<Vec<u32>> = references.iter().map(|r| identify(r, &mut numbers)).collect();
        let references: Vec<&[u32]> = reference_ids.iter().map(Vec::as_slice).collect();
        self.count_tokens(&hypothesis_ids, &references)
    }

    /// One segment's counts, whatever the tokens are.
    fn count_tokens<T: Ord>(&self, hypothesis: &[T], references: &[&[T]]) -> Vec<u32> {
        let length = hypothesis.len();
        // The closest in length, of two the shorter.
        let closest = references.iter().map(|r| r.len()).min_by_key(|&l| (l.abs_diff(length), l));
        let mut counts = vec![length as u32, closest.unwrap_or(0) as u32];
        for n in 1..=self.order {
            let references: Vec<_> = references.iter().map(|tokens| sorted_grams(tokens, n)).collect();
            let hypothesis = sorted_grams(hypothesis, n);
            let matches = hypothesis.chunk_by(|a, b| a == b).map(|run| {
                let most = references.iter().map(|grams| times(run[0], grams)).max().unwrap_or(0);
                run.len().min(most)
            });
            counts.extend([matches.sum::<usize>() as u32, hypothesis.len() as u32]);
        }
        counts
    }

    fn score(&self, sum: &[u64]) -> BleuScore {
        let (hypothesis_length, reference_length) = (sum[0], sum[1]);
        let of_orders = |from: usize| sum[from..].iter().step_by(2).copied().collect::<Vec<u64>>();
        let (matches, totals) = (of_orders(2), of_orders(3));
        let mut precisions = vec![0.0; self.order];
        let brevity_penalty = match (hypothesis_length, reference_length) {
            (0, _) => 0.0,
            (h, r) if h < r => (1.0 - r as f64 / h as f64).exp(),
            _ => 1.0,
        };
        let mut score = 0.0;
        if matches.iter().any(|&count| count > 0) {
            let (mut halved, mut orders) = (1.0, self.order);
            for n in 1..=self.order {
                let more = match self.smoothing {
                    Smoothing::AddK(k) if n > 1 => k,
                    _ => 0.0,
                };
                let (hits, total) = (matches[n - 1] as f64 + more, totals[n - 1] as f64 + more);
                if total == 0.0 {
                    break;
                }
                if self.effective_order {
                    orders = n;
                }
                let hits = match self.smoothing {
                    _ if hits > 0.0 => hits,
                    Smoothing::Exponential => {
                        halved *= 2.0;
                        1.0 / halved
                    }
                    Smoothing::Floor(value) => value,
                    _ => 0.0,
                };
                precisions[n - 1] = 100.0 * hits / total;
            }
            let logs: f64 = precisions[..orders].iter().map(|p: &f64| p.ln()).sum();
            score = brevity_penalty * (logs / orders as f64).exp();
        }
        BleuScore { score, matches, totals, precisions, brevity_penalty, hypothesis_length, reference_length }
    }
}

impl BleuCounts {
    /// How many segments were counted.
    pub fn segments(&self) -> usize {
        self.counts.len() / self.width()
    }

    fn width(&self) -> usize {
        2 + 2 * self.bleu.order
    }

    /// The BLEU of these segments, from 0, repeats counting again.
    ///
    /// # Errors
    /// [`Error::Shape`] for no segments or one that is not there.
    pub fn score(&self, segments: &[usize]) -> Result<BleuScore> {
        check_rows("BLEU", segments, self.segments())?;
        let mut sum = vec![0_u64; self.width()];
        for &segment in segments {
            let counts = &self.counts[segment * self.width()..][..self.width()];
            sum.iter_mut().zip(counts).for_each(|(sum, &count)| *sum += u64::from(count));
        }
        Ok(self.bleu.score(&sum))
    }
}

/// The number of every token of a spaced line, new ones getting the next.
fn identify<'a>(spaced: &'a str, numbers: &mut HashMap<&'a str, u32>) -> Vec<u32> {
    let mut number = |token: &'a str| {
        let next = numbers.len() as u32;
        *numbers.entry(token).or_insert(next)
    };
    words(spaced).map(&mut number).collect()
}

pub(super) fn sorted_grams<T: Ord>(ids: &[T], n: usize) -> Vec<&[T]> {
    let mut grams: Vec<&[T]> = ids.windows(n).collect();
    grams.sort_unstable();
    grams
}

/// How often a gram stands in a sorted list.
pub(super) fn times<T: Ord>(gram: &[T], sorted: &[&[T]]) -> usize {
    let first = sorted.partition_point(|other| *other < gram);
    sorted[first..].iter().take_while(|other| **other == gram).count()
}

/// The n-grams with their counts.
pub(super) fn grams<T: Eq + std::hash::Hash>(tokens: &[T], n: usize) -> HashMap<&[T], u64> {
    let mut counts = HashMap::new();
    tokens.windows(n).for_each(|gram| *counts.entry(gram).or_default() += 1);
    counts
}
