//! Predictions of all qualities, to learn a loss from.

mod corruption;
mod coverage;
mod labels;
mod pose;
mod reading;
mod stages;
mod translation;

pub use coverage::Coverage;
pub use labels::Labels;
pub use pose::{PoseSample, PoseSampler, PoseSource, PoseStore};
pub use reading::{Passage, ReadingSample, ReadingSampler, ReadingSource, ReadingStore};
pub use stages::Stage;
pub use translation::{Matched, TranslationSample, TranslationSampler, TranslationSource, TranslationStore};

use std::ops::Range;

use rand::Rng;
use rand_chacha::rand_core::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Dirichlet, Distribution, StandardNormal};
use rayon::prelude::*;

use self::labels::Tail;
use crate::error::{Error, Result};
use crate::metric::{Metric, Scores};

/// One sample of the correlation: a batch of predictions with its metric.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// The predictions.
    pub scores: Scores,
    /// Their labels.
    pub labels: Vec<usize>,
    /// The metric of the batch.
    pub metric: f64,
}

/// Logits stored while a model trains, so that all qualities occur, with their true labels.
#[derive(Debug, Clone)]
pub struct Store {
    values: Vec<f32>,
    labels: Vec<usize>,
    classes: usize,
    /// Rows by the class they predict, for samples of chosen class frequencies.
    by_prediction: Vec<Vec<usize>>,
}

impl Store {
    /// A store of predictions of this many classes that holds none yet.
    pub fn empty(classes: usize) -> Self {
        Self { values: Vec::new(), labels: Vec::new(), classes, by_prediction: vec![Vec::new(); classes] }
    }

    /// A store of a first batch of predictions.
    ///
    /// # Errors
    /// [`Error::Shape`] for labels that do not fit the scores.
    pub fn new(scores: Scores, labels: Vec<usize>) -> Result<Self> {
        let mut store = Self::empty(scores.classes());
        store.append(scores, labels)?;
        Ok(store)
    }

    /// Adds a batch of predictions.
    ///
    /// # Errors
    /// [`Error::Shape`] for labels that do not fit the scores, or another number of classes.
    pub fn append(&mut self, scores: Scores, labels: Vec<usize>) -> Result<()> {
        if scores.classes() != self.classes {
            return Err(Error::shape("store", format!("{} classes", self.classes), scores.classes()));
        }
        scores.check("store", &labels)?;
        for i in 0..scores.rows() {
            self.by_prediction[scores.argmax(i)].push(self.labels.len() + i);
        }
        self.values.extend_from_slice(scores.values());
        self.labels.extend(labels);
        Ok(())
    }

    /// How many predictions.
    pub fn rows(&self) -> usize {
        self.labels.len()
    }

    fn row(&self, i: usize) -> &[f32] {
        &self.values[i * self.classes..(i + 1) * self.classes]
    }
}

/// Where predictions come from.
#[derive(Debug, Clone)]
pub enum Source {
    /// Rows drawn from a store, with replacement.
    Stored(Store),
    /// Predictions of this many classes from the sampler's generator: no model is needed.
    Random(usize),
    /// A sample is random with this probability, stored otherwise.
    Mixed(Store, f64),
}

/// How random predictions come about. Each sample is as sure as a number s of its own says,
/// log-uniform on [1/4, 8].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Generator {
    /// Independent normal logits of standard deviation s.
    Normal,
    /// Logits ln p with p from the symmetric Dirichlet distribution of concentration 1/s.
    Dirichlet,
}

impl Generator {
    /// Appends the logits of one row.
    fn extend(self, logits: &mut Vec<f32>, classes: usize, s: f32, rng: &mut ChaCha8Rng) -> Result<()> {
        match self {
            Self::Normal => logits.extend((0..classes).map(|_| s * rng.sample::<f32, _>(StandardNormal))),
            Self::Dirichlet => {
                let dirichlet = Dirichlet::new_with_size(f64::from(s.recip()), classes)
                    .map_err(|e| Error::parameter("dirichlet", e.to_string()))?;
                // A probability may round to 0, whose logarithm is no logit.
                let p = dirichlet.sample(rng);
                logits.extend(p.into_iter().map(|p| p.max(f64::MIN_POSITIVE).ln() as f32));
            }
        }
        Ok(())
    }
}

/// Draws samples: predictions, labels and the metric of each.
///
/// # Example
/// ```
/// use reloss::metric::TopK;
/// use reloss::sampler::{Coverage, Sampler};
/// let samples = Sampler::random(10).draw(&TopK::ACCURACY, 500, 0)?;
/// let coverage = Coverage::of(&samples)?;
/// assert!(coverage.lowest < 0.15 && coverage.highest > 0.9);
/// # Ok::<(), reloss::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Sampler {
    /// Where predictions come from.
    pub source: Source,
    /// What random predictions look like.
    pub generator: Generator,
    /// What their labels are.
    pub labels: Labels,
    /// Predictions in a sample; 64 ("ours": half the released code's, as good and faster).
    pub rows: usize,
}

/// A generator of its own for each (seed, index): draws do not depend on threads.
fn generator(seed: u64, index: u64) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(index);
    rng
}

/// A sample of which the metric has a value, drawn again up to 100 times.
fn defined<T>(rng: &mut ChaCha8Rng, draw: impl Fn(&mut ChaCha8Rng) -> Result<T>) -> Result<T> {
    let mut sample = draw(rng);
    for _ in 0..100 {
        match sample {
            Err(Error::Undefined { .. }) => sample = draw(rng),
            other => return other,
        }
    }
    sample
}

impl Sampler {
    /// 64 predictions a sample from this source, labels that cover the metric's range.
    fn new(source: Source) -> Self {
        Self { source, generator: Generator::Normal, labels: Labels::Cover, rows: 64 }
    }

    /// Stored predictions, relabelled to cover the metric's range.
    pub fn stored(store: Store) -> Self {
        Self::new(Source::Stored(store))
    }

    /// Random predictions over a number of classes: needs no model at all.
    pub fn random(classes: usize) -> Self {
        Self::new(Source::Random(classes))
    }

    /// Stored and, with probability `random`, random samples.
    pub fn mixed(store: Store, random: f64) -> Self {
        Self::new(Source::Mixed(store, random))
    }

    /// The same sampler of another store, where it has one.
    pub fn with_store(self, store: Store) -> Self {
        let source = match self.source {
            Source::Stored(_) => Source::Stored(store),
            Source::Mixed(_, random) => Source::Mixed(store, random),
            source => source,
        };
        Self { source, ..self }
    }

    fn check(&self) -> Result<()> {
        let (classes, random) = match &self.source {
            Source::Stored(store) => (store.classes, 0.0),
            Source::Random(classes) => (*classes, 1.0),
            Source::Mixed(store, random) => (store.classes, *random),
        };
        if classes < 2 {
            return Err(Error::parameter("classes", format!("a sampler needs two or more, not {classes}")));
        }
        if self.rows == 0 {
            return Err(Error::parameter("rows", "a sample needs one row or more"));
        }
        if !(0.0..=1.0).contains(&random) {
            return Err(Error::parameter("mixed", format!("{random} is not a probability")));
        }
        self.labels.check()
    }

    /// `count` samples and their metrics; the same for the same seed, whatever the threads.
    ///
    /// A sample that leaves the metric undefined (one class, for an AUC) is drawn again, up to 100 times.
    ///
    /// # Errors
    /// [`Error::Parameter`] for options out of range, and what the metric has to say.
    pub fn draw(&self, metric: &dyn Metric, count: usize, seed: u64) -> Result<Vec<Sample>> {
        self.draw_these(metric, 0..count, seed)
    }

    /// The samples of a seed with these numbers, counted from 0.
    fn draw_these(&self, metric: &dyn Metric, numbers: Range<usize>, seed: u64) -> Result<Vec<Sample>> {
        self.check()?;
        let one = |i: usize| defined(&mut generator(seed, i as u64), |rng| self.sample(metric, rng));
        numbers.into_par_iter().map(one).collect()
    }

    fn sample(&self, metric: &dyn Metric, rng: &mut ChaCha8Rng) -> Result<Sample> {
        let (store, random) = match &self.source {
            Source::Stored(store) => (Some(store), 0.0),
            Source::Random(_) => (None, 1.0),
            Source::Mixed(store, random) => (Some(store), *random),
        };
        let store = store.filter(|_| random < 1.0 && rng.gen::<f64>() >= random);
        let classes = match &self.source {
            Source::Stored(store) | Source::Mixed(store, _) => store.classes,
            Source::Random(classes) => *classes,
        };
        let tail = match self.labels {
            Labels::LongTail(most) => Some(Tail::draw(classes, most, rng)),
            _ => None,
        };
        let (values, truth) = self.predictions(store, classes, tail.as_ref(), rng)?;
        let scores = Scores::new(values, classes)?;
        let labels = self.labels.of(&scores, truth, tail.as_ref(), rng);
        Ok(Sample { metric: metric.value(&scores, &labels)?, scores, labels })
    }

    /// Row-major scores with their true labels.
    fn predictions(
        &self,
        store: Option<&Store>,
        classes: usize,
        tail: Option<&Tail>,
        rng: &mut ChaCha8Rng,
    ) -> Result<(Vec<f32>, Vec<usize>)> {
        let mut values = Vec::with_capacity(self.rows * classes);
        let mut truth = Vec::with_capacity(self.rows);
        let scale = rng.gen_range(0.25f32.ln()..8f32.ln()).exp();
        for _ in 0..self.rows {
            let wanted = tail.map(|tail| tail.class(rng));
            match store {
                Some(store) => {
                    // A class never predicted has no rows: any row serves then.
                    let rows =
                        wanted.map(|class| &store.by_prediction[class]).filter(|rows| !rows.is_empty());
                    let row = match rows {
                        Some(rows) => rows[rng.gen_range(0..rows.len())],
                        None => rng.gen_range(0..store.rows()),
                    };
                    values.extend_from_slice(store.row(row));
                    truth.push(store.labels[row]);
                }
                None => {
                    let start = values.len();
                    self.generator.extend(&mut values, classes, scale, rng)?;
                    let row = &mut values[start..];
                    if let Some(class) = wanted {
                        let best = (0..classes).fold(0, |b, k| if row[k] > row[b] { k } else { b });
                        row.swap(best, class);
                    }
                    truth.push(rng.gen_range(0..classes));
                }
            }
        }
        Ok((values, truth))
    }
}
