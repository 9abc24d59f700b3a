//! Answers of all qualities, to learn a loss of them from.

use std::ops::Range;
use std::sync::Arc;

use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Exp1, StandardNormal};
use rayon::prelude::*;

use super::{defined, generator};
use crate::error::{check_finite, Error, Result};
use crate::metric::Metric;
use crate::ops::{best_spans, host, matrix, span_cross_entropy, Spans};

/// One sample of the correlation: start and end logits for some passages, with the metric of the likeliest spans.
#[derive(Debug, Clone, PartialEq)]
pub struct ReadingSample {
    /// (tokens, 2), row-major: the passages one after the other.
    pub logits: Vec<f32>,
    /// Which tokens are whose, and the right answers.
    pub spans: Spans,
    /// The metric of the sample.
    pub metric: f64,
}

impl ReadingSample {
    /// The cross-entropy of starts and ends, mean over passages: what the learned loss is compared with.
    ///
    /// # Errors
    /// [`Error::Shape`] for another number of logits than of tokens.
    pub fn cross_entropy(&self) -> Result<f64> {
        let logits = matrix(self.logits.clone(), self.spans.rows().rows(), 2)?;
        let losses = host(&span_cross_entropy(logits, &self.spans)?);
        Ok(losses.iter().map(|&loss| f64::from(loss)).sum::<f64>() / losses.len() as f64)
    }
}

/// A passage (or a window of one) with its right answer.
#[derive(Debug, Clone)]
pub struct Passage {
    /// The whole text.
    pub text: Arc<str>,
    /// Where each token is in it, in bytes.
    pub tokens: Vec<Range<usize>>,
    /// First and last token of the right answer.
    pub gold: (usize, usize),
    /// All right answers.
    pub answers: Vec<String>,
}

impl Passage {
    /// The text from a first to a last token.
    fn between(&self, (first, last): (usize, usize)) -> String {
        self.text[self.tokens[first].start..self.tokens[last].end].to_string()
    }

    fn check(&self, row: usize) -> Result<()> {
        let place = |what: String| Err(Error::shape("passage", "tokens and an answer in its text", what));
        let fits = |token: &Range<usize>| self.text.get(token.clone()).is_some_and(|token| !token.is_empty());
        if self.tokens.is_empty()
            || !self.tokens.iter().all(fits)
            || self.tokens.windows(2).any(|two| two[0].end > two[1].start)
        {
            return place(format!("{} tokens in row {row}", self.tokens.len()));
        }
        if self.gold.0 > self.gold.1 || self.gold.1 >= self.tokens.len() {
            return place(format!("an answer at {:?} in row {row}", self.gold));
        }
        if self.answers.is_empty() {
            return place(format!("no right answers in row {row}"));
        }
        Ok(())
    }
}

/// Passages, and what a model gave for them while it trained.
#[derive(Debug, Clone)]
pub struct ReadingStore {
    passages: Vec<Passage>,
    times: Vec<Vec<Vec<f32>>>,
}

impl ReadingStore {
    /// Passages, nothing predicted yet.
    ///
    /// # Errors
    /// [`Error::Shape`] for no passages, and tokens, answers or texts that do not fit together.
    pub fn new(passages: Vec<Passage>) -> Result<Self> {
        if passages.is_empty() {
            return Err(Error::shape("reading store", "one passage or more", 0));
        }
        passages.iter().enumerate().try_for_each(|(row, passage)| passage.check(row))?;
        Ok(Self { passages, times: Vec::new() })
    }

    /// Adds one time: of every passage the start and the end logit of each token, row-major.
    ///
    /// # Errors
    /// [`Error::Shape`] for other numbers than the tokens', [`Error::NotFinite`] for NaN or infinite logits.
    pub fn append(&mut self, logits: Vec<Vec<f32>>) -> Result<()> {
        const NAME: &str = "reading store";
        if logits.len() != self.passages.len() {
            return Err(Error::shape(
                NAME,
                format!("logits of {} passages", self.passages.len()),
                logits.len(),
            ));
        }
        for (row, (passage, logits)) in self.passages.iter().zip(&logits).enumerate() {
            if logits.len() != 2 * passage.tokens.len() {
                let expected = format!("{} logits in row {row}", 2 * passage.tokens.len());
                return Err(Error::shape(NAME, expected, logits.len()));
            }
            check_finite(NAME, logits).map_err(|error| error.at(format!("row {row}")))?;
        }
        self.times.push(logits);
        Ok(())
    }

    /// How many passages.
    pub fn rows(&self) -> usize {
        self.passages.len()
    }

    /// How many times were added.
    pub fn times(&self) -> usize {
        self.times.len()
    }

    /// The store of one time only.
    pub(super) fn at(&self, time: usize) -> Self {
        Self { passages: self.passages.clone(), times: vec![self.times[time].clone()] }
    }
}

/// Where answers come from.
#[derive(Debug, Clone)]
pub enum ReadingSource {
    /// Spans around the right ones in random passages of at most so many tokens. No data are needed.
    Random(usize),
    /// Passages of a store: spans around the right ones with this probability, what the model gave at one time otherwise.
    Stored(ReadingStore, f64),
}

/// Draws samples of answers whose metric covers its range.
///
/// A perturbed sample has a quality of its own, uniform on [0, 1], and so many right answers that its F1 is about that; its
/// other spans begin or end some tokens early or late, or stand elsewhere in the passage, in a mix of the sample's own. Logits are noise around a peak at the
/// span, and a smaller one at the right answer; a sample is as sharp as a number of its own says, log-uniform on [1/2, 4].
/// What a sample answers is read off its logits, perturbed or not.
///
/// # Example
/// ```
/// use reloss::metric::{Direction, Metric};
/// use reloss::sampler::ReadingSampler;
/// struct Same;
/// impl Metric<Vec<String>, [Vec<String>]> for Same {
///     fn name(&self) -> &str { "same" }
///     fn direction(&self) -> Direction { Direction::HigherIsBetter }
///     fn range(&self) -> (f64, f64) { (0.0, 1.0) }
///     fn value(&self, given: &Vec<String>, right: &[Vec<String>]) -> reloss::Result<f64> {
///         let same = given.iter().zip(right).filter(|(given, right)| right.contains(given));
///         Ok(same.count() as f64 / given.len() as f64)
///     }
/// }
/// let samples = ReadingSampler::random(40)?.draw(&Same, 100, 0)?;
/// let best = samples.iter().map(|sample| sample.metric).fold(0.0, f64::max);
/// assert!(best > 0.9);
/// # Ok::<(), reloss::Error>(())
/// ```
///
/// # Reference
/// Ours: the authors have released no sampler for reading comprehension.
#[derive(Debug, Clone)]
pub struct ReadingSampler {
    /// Where answers come from.
    pub source: ReadingSource,
    /// Questions in a sample; 32 ("ours": mean F1 then takes many values).
    pub rows: usize,
    /// Tokens of the longest span that is read off; 30, usual since Devlin et al. 2019 (BERT).
    pub longest: usize,
}

/// About the F1 of a span whose ends have moved.
const OVERLAP: f64 = 0.45;

/// How the answers of a sample are perturbed.
struct Perturbation {
    right: f64,
    /// Of wrong answers, the share that stands elsewhere.
    elsewhere: f64,
    sharpness: f64,
    /// How high the right answer stands where it is not the likeliest, from 0 to 1.
    second: f64,
}

impl Perturbation {
    fn draw(rng: &mut ChaCha8Rng) -> Self {
        let quality: f64 = rng.gen();
        // Spans that are somewhat right must not make more of the metric than the sample's quality.
        let near = rng.gen::<f64>().min(quality / OVERLAP);
        let right = (quality - OVERLAP * near) / (1.0 - OVERLAP * near);
        let sharpness = rng.gen_range(0.5f64.ln()..4f64.ln()).exp();
        Self { right, elsewhere: 1.0 - near, sharpness, second: rng.gen() }
    }

    /// A span of a passage of so many tokens where this one is right.
    fn span(&self, tokens: usize, gold: (usize, usize), rng: &mut ChaCha8Rng) -> (usize, usize) {
        if rng.gen::<f64>() < self.right {
            return gold;
        }
        if rng.gen::<f64>() < self.elsewhere {
            let first = rng.gen_range(0..tokens);
            return (first, (first + rng.gen_range(0..=2 * (gold.1 - gold.0))).min(tokens - 1));
        }
        // Both ends move, up to about the answer's length.
        let reach = (gold.1 - gold.0 + 2) as i64;
        let mut moved = |place: usize| {
            let by = rng.gen_range(-reach..=reach);
            (place as i64 + by).clamp(0, tokens as i64 - 1) as usize
        };
        let (one, other) = (moved(gold.0), moved(gold.1));
        (one.min(other), one.max(other))
    }

    /// Logits whose likeliest span is about this one.
    fn logits(
        &self,
        tokens: usize,
        gold: (usize, usize),
        span: (usize, usize),
        rng: &mut ChaCha8Rng,
    ) -> Vec<f32> {
        let mut logits: Vec<f64> = (0..2 * tokens).map(|_| rng.sample(StandardNormal)).collect();
        for (column, right, chosen) in [(0, gold.0, span.0), (1, gold.1, span.1)] {
            let peak = 3.0 + rng.sample::<f64, _>(Exp1);
            logits[2 * right + column] += self.second * peak;
            let top = (0..tokens).map(|token| logits[2 * token + column]).fold(f64::NEG_INFINITY, f64::max);
            logits[2 * chosen + column] = top.max(peak) + 0.5 * rng.sample::<f64, _>(Exp1);
        }
        logits.into_iter().map(|z| (self.sharpness * z) as f32).collect()
    }
}

impl ReadingSampler {
    /// 32 questions a sample of this source, spans of 30 tokens at most.
    ///
    /// # Errors
    /// [`Error::Parameter`] for passages without tokens, a probability that is none, or a store without predictions where
    /// they are asked for.
    pub fn new(source: ReadingSource) -> Result<Self> {
        let sampler = Self { source, rows: 32, longest: 30 };
        sampler.check()?;
        Ok(sampler)
    }

    /// Spans around the right ones in random passages of at most so many tokens.
    ///
    /// # Errors
    /// As [`ReadingSampler::new`].
    pub fn random(tokens: usize) -> Result<Self> {
        Self::new(ReadingSource::Random(tokens))
    }

    fn check(&self) -> Result<()> {
        let reason = match &self.source {
            ReadingSource::Random(0) => "passages of one token or more".to_string(),
            ReadingSource::Stored(_, share) if !(0.0..=1.0).contains(share) => {
                format!("{share} is not a probability")
            }
            ReadingSource::Stored(store, share) if *share < 1.0 && store.times() == 0 => {
                "the store has no predictions".to_string()
            }
            _ if self.rows == 0 || self.longest == 0 => {
                let name = if self.rows == 0 { "rows" } else { "longest" };
                return Err(Error::parameter(name, "it must be positive"));
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
        metric: &dyn Metric<Vec<String>, [Vec<String>]>,
        count: usize,
        seed: u64,
    ) -> Result<Vec<ReadingSample>> {
        self.check()?;
        let one = |i: usize| defined(&mut generator(seed, i as u64), |rng| self.sample(metric, rng));
        (0..count).into_par_iter().map(one).collect()
    }

    fn sample(
        &self,
        metric: &dyn Metric<Vec<String>, [Vec<String>]>,
        rng: &mut ChaCha8Rng,
    ) -> Result<ReadingSample> {
        let perturbation = Perturbation::draw(rng);
        let perturbed = |passages: &[&Passage], rng: &mut ChaCha8Rng| -> Vec<f32> {
            let one = |passage: &&Passage| {
                let (tokens, gold) = (passage.tokens.len(), passage.gold);
                let span = perturbation.span(tokens, gold, rng);
                perturbation.logits(tokens, gold, span, rng)
            };
            passages.iter().flat_map(one).collect()
        };
        match &self.source {
            ReadingSource::Random(tokens) => {
                let passages: Vec<Passage> = (0..self.rows).map(|_| random_passage(*tokens, rng)).collect();
                let passages: Vec<&Passage> = passages.iter().collect();
                let logits = perturbed(&passages, rng);
                self.judged(metric, &passages, logits)
            }
            ReadingSource::Stored(store, share) => {
                let rows: Vec<usize> = (0..self.rows).map(|_| rng.gen_range(0..store.rows())).collect();
                let passages: Vec<&Passage> = rows.iter().map(|&row| &store.passages[row]).collect();
                let logits = match rng.gen::<f64>() < *share {
                    true => perturbed(&passages, rng),
                    false => {
                        let time = &store.times[rng.gen_range(0..store.times())];
                        rows.iter().flat_map(|&row| time[row].iter().copied()).collect()
                    }
                };
                self.judged(metric, &passages, logits)
            }
        }
    }

    /// A sample of what its likeliest spans answer.
    fn judged(
        &self,
        metric: &dyn Metric<Vec<String>, [Vec<String>]>,
        passages: &[&Passage],
        logits: Vec<f32>,
    ) -> Result<ReadingSample> {
        let lengths = passages.iter().map(|passage| passage.tokens.len()).collect();
        let spans = Spans::new(lengths, passages.iter().map(|passage| passage.gold).collect())?;
        let best = best_spans(&logits, spans.rows(), self.longest)?;
        let given = passages
            .iter()
            .zip(best)
            .map(|(passage, (first, last, _))| passage.between((first, last)))
            .collect();
        let right: Vec<Vec<String>> = passages.iter().map(|passage| passage.answers.clone()).collect();
        let metric = metric.value(&given, &right)?;
        Ok(ReadingSample { logits, spans, metric })
    }
}

/// Words of 500, half of the longest length to all of it; an answer of up to six of them.
fn random_passage(longest: usize, rng: &mut ChaCha8Rng) -> Passage {
    let count = rng.gen_range(longest.div_ceil(2)..=longest);
    let (mut text, mut tokens) = (String::new(), Vec::new());
    for _ in 0..count {
        let start = text.len();
        text.push_str(&format!("w{}", rng.gen_range(0..500)));
        tokens.push(start..text.len());
        text.push(' ');
    }
    let first = rng.gen_range(0..count);
    let gold = (first, (first + rng.gen_range(0..6)).min(count - 1));
    let mut passage = Passage { text: text.into(), tokens, gold, answers: Vec::new() };
    passage.answers.push(passage.between(gold));
    passage
}
