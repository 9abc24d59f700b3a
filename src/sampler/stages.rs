//! Samples by time: what a model predicts as it improves.

use super::pose::{PoseSample, PoseSampler, PoseSource};
use super::reading::{ReadingSample, ReadingSampler, ReadingSource};
use super::translation::{TranslationSample, TranslationSampler, TranslationSource};
use super::{Sample, Sampler, Source, Store};
use crate::error::{Error, Result};
use crate::metric::{Heatmaps, Keypoints, Metric, Scores};

/// Samples of one time of a training, by name; several in order show what holds as a model improves.
#[derive(Debug, Clone, PartialEq)]
pub struct Stage<S = Sample> {
    /// Its name in tables and figures, such as `epoch 3`.
    pub name: String,
    /// The samples.
    pub samples: Vec<S>,
}

impl Store {
    /// The predictions in this many consecutive parts, the first stored first; sizes differ by one row at most.
    ///
    /// Of predictions stored after every epoch, as many parts as epochs are the epochs.
    ///
    /// # Errors
    /// [`Error::Parameter`] for no parts, or more than there are rows.
    ///
    /// # Example
    /// ```
    /// use reloss::metric::Scores;
    /// use reloss::sampler::Store;
    /// let store = Store::new(Scores::new([0.9, 0.1].repeat(5), 2)?, vec![0; 5])?;
    /// let rows: Vec<usize> = store.parts(2)?.iter().map(Store::rows).collect();
    /// assert_eq!(rows, [2, 3]);
    /// assert!(store.parts(6).is_err());
    /// # Ok::<(), reloss::Error>(())
    /// ```
    pub fn parts(&self, count: usize) -> Result<Vec<Store>> {
        if count == 0 || count > self.rows() {
            return Err(Error::parameter("parts", format!("{count} of {} rows", self.rows())));
        }
        let part = |i: usize| {
            let (from, to) = (i * self.rows() / count, (i + 1) * self.rows() / count);
            let values = self.values[from * self.classes..to * self.classes].to_vec();
            Self::new(Scores::new(values, self.classes)?, self.labels[from..to].to_vec())
        };
        (0..count).map(part).collect()
    }
}

impl Sampler {
    /// `count` samples from each of this many consecutive parts of the stored predictions, the first stored first.
    ///
    /// # Errors
    /// As [`Sampler::draw`] and [`Store::parts`]; [`Error::Parameter`] for a sampler without a store.
    ///
    /// # Example
    /// ```
    /// use reloss::metric::{Scores, TopK};
    /// use reloss::sampler::{Sampler, Store};
    /// let store = Store::new(Scores::new([0.9, 0.1, 0.3, 0.7].repeat(20), 2)?, vec![0; 40])?;
    /// let stages = Sampler::stored(store).stages(&TopK::ACCURACY, 4, 10, 0)?;
    /// assert_eq!((stages.len(), stages[3].name.as_str(), stages[3].samples.len()), (4, "4 of 4", 10));
    /// # Ok::<(), reloss::Error>(())
    /// ```
    pub fn stages(&self, metric: &dyn Metric, stages: usize, count: usize, seed: u64) -> Result<Vec<Stage>> {
        let (Source::Stored(store) | Source::Mixed(store, _)) = &self.source else {
            return Err(no_order());
        };
        let stage = |(i, part): (usize, Store)| {
            let source = match self.source {
                Source::Mixed(_, random) => Source::Mixed(part, random),
                _ => Source::Stored(part),
            };
            let sampler = Self { source, ..self.clone() };
            let samples = sampler.draw_these(metric, i * count..(i + 1) * count, seed)?;
            Ok(Stage { name: format!("{} of {stages}", i + 1), samples })
        };
        store.parts(stages)?.into_iter().enumerate().map(stage).collect()
    }
}

fn no_order() -> Error {
    Error::parameter("stages", "random predictions have no order: a store has")
}

/// A stage for each time of a store.
fn by_time<S>(times: usize, draw: impl Fn(usize) -> Result<Vec<S>>) -> Result<Vec<Stage<S>>> {
    let stage = |time| Ok(Stage { name: format!("{} of {times}", time + 1), samples: draw(time)? });
    (0..times).map(stage).collect()
}

impl PoseSampler {
    /// `count` samples of what the model predicted at each time of the store, the first first; none are perturbed.
    ///
    /// # Errors
    /// As [`PoseSampler::draw`]; [`Error::Parameter`] for a sampler without a store.
    pub fn stages(
        &self,
        metric: &dyn Metric<Heatmaps, Keypoints>,
        count: usize,
        seed: u64,
    ) -> Result<Vec<Stage<PoseSample>>> {
        let PoseSource::Stored(store, _) = &self.source else { return Err(no_order()) };
        by_time(store.times(), |time| {
            let source = PoseSource::Stored(store.at(time), 0.0);
            Self { source, rows: self.rows, sigma: self.sigma }.draw(metric, count, seed)
        })
    }
}

impl TranslationSampler {
    /// `count` samples of what the model wrote at each time of the store, the first first; none are corrupted.
    ///
    /// # Errors
    /// As [`TranslationSampler::draw`]; [`Error::Parameter`] for a sampler without a store.
    ///
    /// # Example
    /// ```
    /// use reloss::metric::Bleu;
    /// use reloss::sampler::{TranslationSampler, TranslationSource, TranslationStore};
    /// let mut store = TranslationStore::new(vec![vec![4, 5, 6, 7]])?;
    /// store.append(vec![vec![9; 4]], vec![vec![-1.0; 4]], vec![[0.1; 4]])?;
    /// store.append(vec![vec![4, 5, 6, 7]], vec![vec![1.0; 4]], vec![[0.9; 4]])?;
    /// let stages = TranslationSampler::new(TranslationSource::Stored(store, 0.5))?.stages(&Bleu::default(), 3, 0)?;
    /// assert_eq!((stages.len(), stages[1].name.as_str()), (2, "2 of 2"));
    /// assert!(stages[0].samples[0].metric < stages[1].samples[0].metric);
    /// # Ok::<(), reloss::Error>(())
    /// ```
    pub fn stages(
        &self,
        metric: &dyn Metric<[Vec<usize>], [Vec<usize>]>,
        count: usize,
        seed: u64,
    ) -> Result<Vec<Stage<TranslationSample>>> {
        let TranslationSource::Stored(store, _) = &self.source else { return Err(no_order()) };
        by_time(store.times(), |time| {
            let source = TranslationSource::Stored(store.at(time), 0.0);
            Self { source, rows: self.rows }.draw(metric, count, seed)
        })
    }
}

impl ReadingSampler {
    /// `count` samples of what the model answered at each time of the store, the first first; none are perturbed.
    ///
    /// # Errors
    /// As [`ReadingSampler::draw`]; [`Error::Parameter`] for a sampler without a store.
    pub fn stages(
        &self,
        metric: &dyn Metric<Vec<String>, [Vec<String>]>,
        count: usize,
        seed: u64,
    ) -> Result<Vec<Stage<ReadingSample>>> {
        let ReadingSource::Stored(store, _) = &self.source else { return Err(no_order()) };
        by_time(store.times(), |time| {
            let source = ReadingSource::Stored(store.at(time), 0.0);
            Self { source, rows: self.rows, longest: self.longest }.draw(metric, count, seed)
        })
    }
}
