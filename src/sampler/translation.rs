//! Translations of all qualities, to learn a loss of them from.

use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use super::corruption::corrupted;
use super::{defined, generator};
use crate::data::Vocabulary;
use crate::error::{check_finite, Error, Result};
use crate::metric::Metric;

/// One sample of the correlation: what a model gave to the references' tokens, with the metric of what it wrote.
#[derive(Debug, Clone, PartialEq)]
pub struct TranslationSample {
    /// Log-odds ln p − ln(1 − p) of the reference's token at each of its positions, sentence by sentence, each filled up
    /// with zeros to `positions`.
    pub log_odds: Vec<f32>,
    /// Tokens of each reference.
    pub lengths: Vec<usize>,
    /// The largest of the lengths.
    pub positions: usize,
    /// Of each sentence the shares of its 1- to 4-grams that are expected to be matched
    /// ([`ngram_matches`](crate::ops::ngram_matches)).
    pub matched: Vec<Matched>,
    /// The metric of the sample.
    pub metric: f64,
}

/// A sentence's expected shares of matched 1-, 2-, 3- and 4-grams.
pub type Matched = [f32; 4];

impl TranslationSample {
    /// The cross-entropy of the references' tokens, −ln p, mean over all: what the learned loss is compared with.
    ///
    /// # Example
    /// ```
    /// use reloss::sampler::TranslationSample;
    /// // Two sentences, of two tokens and of one; the last number is filled up.
    /// let log_odds = vec![0.0, 0.0, 0.0, 9.0];
    /// let matched = vec![[0.5, 0.25, 0.25, 0.25], [0.5; 4]];
    /// let even = TranslationSample { log_odds, lengths: vec![2, 1], positions: 2, matched, metric: 0.5 };
    /// assert!((even.cross_entropy() - 2f64.ln()).abs() < 1e-12);
    /// ```
    pub fn cross_entropy(&self) -> f64 {
        let rows = self.log_odds.chunks(self.positions.max(1)).zip(&self.lengths);
        let tokens = rows.flat_map(|(odds, &length)| odds.iter().take(length));
        // −ln p = ln(1 + e^−odds), without overflow
        let costs = tokens.map(|&odds| f64::from(-odds).max(0.0) + (-f64::from(odds).abs()).exp().ln_1p());
        costs.sum::<f64>() / self.lengths.iter().sum::<usize>() as f64
    }
}

/// Whether all lie in [0, 1], but for rounding.
pub(crate) fn are_shares(matched: &Matched) -> bool {
    matched.iter().all(|share| (0.0..=1.0 + 1e-4).contains(share))
}

/// What a model gave and wrote for all sentences at one time.
#[derive(Debug, Clone)]
struct Time {
    hypotheses: Vec<Vec<usize>>,
    log_odds: Vec<Vec<f32>>,
    matched: Vec<Matched>,
}

/// References, and what a model gave and wrote for them while it trained.
#[derive(Debug, Clone)]
pub struct TranslationStore {
    references: Vec<Vec<usize>>,
    times: Vec<Time>,
}

impl TranslationStore {
    /// References as token ids, nothing predicted yet.
    ///
    /// # Errors
    /// [`Error::Shape`] for no references or one without tokens.
    pub fn new(references: Vec<Vec<usize>>) -> Result<Self> {
        match references.iter().position(Vec::is_empty) {
            None if !references.is_empty() => Ok(Self { references, times: Vec::new() }),
            empty => {
                let got = empty.map_or("none".to_string(), |row| format!("none in reference {row}"));
                Err(Error::shape("translation store", "references of one token or more", got))
            }
        }
    }

    /// Adds one time: of every sentence the hypothesis, the log-odds of its reference's tokens, and its n-grams' matches.
    ///
    /// A non-autoregressive model gives all in one pass at the reference's length: the hypothesis is the most probable token
    /// of each position.
    ///
    /// # Errors
    /// [`Error::Shape`] for other numbers than the references', [`Error::NotFinite`] for NaN or infinite log-odds,
    /// [`Error::Parameter`] for matches that are no shares.
    pub fn append(
        &mut self,
        hypotheses: Vec<Vec<usize>>,
        log_odds: Vec<Vec<f32>>,
        matched: Vec<Matched>,
    ) -> Result<()> {
        const NAME: &str = "translation store";
        let got = [hypotheses.len(), log_odds.len(), matched.len()];
        if got != [self.references.len(); 3] {
            let expected = format!("{} hypotheses, rows of log-odds and matches", self.references.len());
            return Err(Error::shape(NAME, expected, format!("{got:?}")));
        }
        if let Some(row) = matched.iter().position(|shares| !are_shares(shares)) {
            let reason = format!("{:?} of sentence {row}: shares are from 0 to 1", matched[row]);
            return Err(Error::parameter("matched", reason));
        }
        for (row, (reference, odds)) in self.references.iter().zip(&log_odds).enumerate() {
            if odds.len() != reference.len() {
                let expected = format!("{} log-odds for sentence {row}", reference.len());
                return Err(Error::shape(NAME, expected, odds.len()));
            }
            check_finite(NAME, odds).map_err(|error| error.at(format!("sentence {row}")))?;
        }
        self.times.push(Time { hypotheses, log_odds, matched });
        Ok(())
    }

    /// How many sentences.
    pub fn rows(&self) -> usize {
        self.references.len()
    }

    /// How many times were added.
    pub fn times(&self) -> usize {
        self.times.len()
    }

    /// The store of one time only.
    pub(super) fn at(&self, time: usize) -> Self {
        Self { references: self.references.clone(), times: vec![self.times[time].clone()] }
    }
}

/// Where translations come from.
#[derive(Debug, Clone)]
pub enum TranslationSource {
    /// Corrupted random references: so many different tokens, Zipf-distributed; so many in the longest sentence. No data are
    /// needed.
    Random(usize, usize),
    /// Sentences of a store: corrupted references with this probability, what the model wrote at one time otherwise.
    Stored(TranslationStore, f64),
}

/// Draws samples of translations whose metric covers its range.
///
/// A corrupted sample has an error rate of its own, drawn so that BLEU covers its range, around which its sentences' rates lie,
/// and its own mix of a non-autoregressive model's errors: another token, a token missing (what follows moves up, so that
/// its log-odds are those of wrong tokens; half of the samples fill the end with the last token), a neighbour repeated in
/// its place, two neighbours swapped. Log-odds are high where the hypothesis has the reference's token, negative where not,
/// less so where a neighbouring position has it; a sample is as sharp as a number s of its own says, log-uniform on
/// [1/2, 4], and more or less confident throughout. What a position does not give to its reference's token it gives to what is
/// written there, or in part to the neighbours' tokens: of that the matches are expected.
///
/// # Example
/// ```
/// use reloss::metric::Bleu;
/// use reloss::sampler::TranslationSampler;
/// let samples = TranslationSampler::random(1000, 12)?.draw(&Bleu::default(), 100, 0)?;
/// let best = samples.iter().map(|sample| sample.metric).fold(0.0, f64::max);
/// assert!(best > 0.8 && samples[0].lengths.len() == 16);
/// # Ok::<(), reloss::Error>(())
/// ```
///
/// # Reference
/// The errors are those that Gu et al., "Non-autoregressive neural machine translation", ICLR 2018, and Shao et al., AAAI 2020,
/// describe; rates and log-odds are ours.
#[derive(Debug, Clone)]
pub struct TranslationSampler {
    /// Where translations come from.
    pub source: TranslationSource,
    /// Sentences in a sample; 16 ("ours": enough for a corpus BLEU that is rarely 0).
    pub rows: usize,
}

impl TranslationSampler {
    /// Sixteen sentences a sample of this source.
    ///
    /// # Errors
    /// [`Error::Parameter`] for a source without tokens, a probability that is none, or a store without predictions where
    /// they are asked for.
    pub fn new(source: TranslationSource) -> Result<Self> {
        let sampler = Self { source, rows: 16 };
        sampler.check()?;
        Ok(sampler)
    }

    /// Corrupted random references of so many different tokens and at most so many in a sentence.
    ///
    /// # Errors
    /// As [`TranslationSampler::new`].
    pub fn random(tokens: usize, longest: usize) -> Result<Self> {
        Self::new(TranslationSource::Random(tokens, longest))
    }

    fn check(&self) -> Result<()> {
        let reason = match &self.source {
            TranslationSource::Random(tokens, longest) if *tokens < 2 || *longest == 0 => {
                format!("{tokens} tokens, {longest} in a sentence: two and one or more are needed")
            }
            TranslationSource::Stored(_, share) if !(0.0..=1.0).contains(share) => {
                format!("{share} is not a probability")
            }
            TranslationSource::Stored(store, share) if *share < 1.0 && store.times() == 0 => {
                "the store has no predictions".to_string()
            }
            _ if self.rows == 0 => {
                return Err(Error::parameter("rows", "a sample needs one sentence or more"));
            }
            _ => return Ok(()),
        };
        Err(Error::parameter("source", reason))
    }

    /// `count` samples and their metrics; the same for the same seed, whatever the threads.
    ///
    /// A sample that leaves the metric undefined is drawn again, up to 100 times.
    ///
    /// # Errors
    /// [`Error::Parameter`] for options out of range, and what the metric has to say.
    pub fn draw(
        &self,
        metric: &dyn Metric<[Vec<usize>], [Vec<usize>]>,
        count: usize,
        seed: u64,
    ) -> Result<Vec<TranslationSample>> {
        self.check()?;
        let one = |i: usize| defined(&mut generator(seed, i as u64), |rng| self.sample(metric, rng));
        (0..count).into_par_iter().map(one).collect()
    }

    fn sample(
        &self,
        metric: &dyn Metric<[Vec<usize>], [Vec<usize>]>,
        rng: &mut ChaCha8Rng,
    ) -> Result<TranslationSample> {
        let (references, hypotheses, log_odds, matched) = match &self.source {
            TranslationSource::Random(tokens, longest) => {
                let references = (0..self.rows).map(|_| random_sentence(*tokens, *longest, rng)).collect();
                corrupted(references, |rng| zipf(*tokens, rng), rng)
            }
            TranslationSource::Stored(store, share) => {
                let rows: Vec<usize> = (0..self.rows).map(|_| rng.gen_range(0..store.rows())).collect();
                let references = rows.iter().map(|&row| store.references[row].clone()).collect();
                match rng.gen::<f64>() < *share {
                    true => corrupted(references, |rng| store.token(rng), rng),
                    false => {
                        let time = &store.times[rng.gen_range(0..store.times())];
                        let hypotheses = rows.iter().map(|&row| time.hypotheses[row].clone()).collect();
                        let log_odds = rows.iter().map(|&row| time.log_odds[row].clone()).collect();
                        (
                            references,
                            hypotheses,
                            log_odds,
                            rows.iter().map(|&row| time.matched[row]).collect(),
                        )
                    }
                }
            }
        };
        let lengths: Vec<usize> = references.iter().map(Vec::len).collect();
        let positions = lengths.iter().copied().max().unwrap_or(0);
        let mut padded = Vec::with_capacity(lengths.len() * positions);
        for (row, odds) in log_odds.iter().enumerate() {
            padded.extend_from_slice(odds);
            padded.resize((row + 1) * positions, 0.0);
        }
        let metric = metric.value(&hypotheses, &references)?;
        Ok(TranslationSample { log_odds: padded, lengths, positions, matched, metric })
    }
}

impl TranslationStore {
    /// A token as likely as it is frequent.
    fn token(&self, rng: &mut ChaCha8Rng) -> usize {
        let reference = &self.references[rng.gen_range(0..self.references.len())];
        reference[rng.gen_range(0..reference.len())]
    }
}

/// Half of the longest length to all of it.
fn random_sentence(tokens: usize, longest: usize, rng: &mut ChaCha8Rng) -> Vec<usize> {
    let length = rng.gen_range(longest.div_ceil(2)..=longest);
    (0..length).map(|_| zipf(tokens, rng)).collect()
}

/// The id of a token whose probability falls about as its number rises: log-uniform.
fn zipf(tokens: usize, rng: &mut ChaCha8Rng) -> usize {
    let rank = (rng.gen::<f64>() * (tokens as f64 + 1.0).ln()).exp() as usize;
    Vocabulary::END + rank.clamp(1, tokens)
}
