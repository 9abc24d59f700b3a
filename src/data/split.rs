//! Seeded splits, batches, and what is done to labels.

use rand::seq::SliceRandom;
use rand::Rng;
use rand_chacha::rand_core::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::{Dataset, TextSplit};
use crate::error::{Error, Result};

/// How a data set is split; what is neither validation nor test is for training.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Split {
    /// The share of each class for validation.
    pub validation: f64,
    /// The share of each class for the test.
    pub test: f64,
    /// Seed of the shuffle.
    pub seed: u64,
}

impl Default for Split {
    fn default() -> Self {
        Self { validation: 0.15, test: 0.25, seed: 0 }
    }
}

/// The parts of a data set.
#[derive(Debug, Clone, PartialEq)]
pub struct Splits {
    /// To learn from.
    pub train: Dataset,
    /// To choose by.
    pub validation: Dataset,
    /// To report on.
    pub test: Dataset,
}

impl Dataset {
    fn rows_of(&self, class: usize) -> Vec<usize> {
        (0..self.rows()).filter(|&row| self.labels[row] == class).collect()
    }

    /// Splits each class by the same shares.
    ///
    /// # Errors
    /// [`Error::Parameter`] for shares that leave nothing to train with, [`Error::Undefined`] when
    /// a class has too few rows to be in every part.
    ///
    /// # Example
    /// ```
    /// use reloss::data::{Dataset, Split};
    /// let parts = Dataset::digits()?.split(&Split::default())?;
    /// assert_eq!((parts.train.rows(), parts.validation.rows(), parts.test.rows()), (1077, 269, 451));
    /// # Ok::<(), reloss::Error>(())
    /// ```
    pub fn split(&self, options: &Split) -> Result<Splits> {
        let Split { validation, test, seed } = *options;
        if !(validation > 0.0 && test > 0.0 && validation + test < 1.0) {
            return Err(Error::parameter(
                "split",
                format!("shares {validation} and {test} must leave rows in every part"),
            ));
        }
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut parts: [Vec<usize>; 3] = Default::default();
        for class in 0..self.classes {
            let mut rows = self.rows_of(class);
            rows.shuffle(&mut rng);
            let share = |s: f64| (s * rows.len() as f64).round() as usize;
            let (first, second) = (share(validation), share(validation) + share(test));
            if !rows.is_empty() && (first == 0 || second == first || second >= rows.len()) {
                let reason = format!("class {class} has {} rows, too few for three parts", rows.len());
                return Err(Error::undefined(format!("a split of {}", self.name), reason));
            }
            for (part, rows) in parts.iter_mut().zip([&rows[second..], &rows[..first], &rows[first..second]])
            {
                part.extend_from_slice(rows);
            }
        }
        let [train, validation, test] = parts;
        Ok(Splits { train: self.take(&train)?, validation: self.take(&validation)?, test: self.take(&test)? })
    }

    /// Gives this share of rows a uniformly random *other* label (symmetric noise).
    ///
    /// # Errors
    /// [`Error::Parameter`] for a rate outside `[0, 1]` or a single class.
    pub fn with_label_noise(&self, rate: f64, seed: u64) -> Result<Self> {
        if !(0.0..=1.0).contains(&rate) || self.classes < 2 {
            let reason =
                format!("rate {rate} with {} classes: a share and two classes are needed", self.classes);
            return Err(Error::parameter("label_noise", reason));
        }
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut noisy = self.clone();
        for label in &mut noisy.labels {
            if rng.gen::<f64>() < rate {
                *label = (*label + rng.gen_range(1..self.classes)) % self.classes;
            }
        }
        Ok(noisy)
    }

    /// Gives this share of rows the label that `to` has at their class (asymmetric noise); a class that stands at its own place
    /// keeps its labels.
    ///
    /// # Errors
    /// [`Error::Parameter`] for a rate outside `[0, 1]`, or a map that does not give one label below the number of classes for
    /// each class.
    ///
    /// # Example
    /// ```
    /// let data = reloss::data::Dataset::new("d", vec![0.0; 4], 1, vec![0, 1, 2, 1], 3)?;
    /// assert_eq!(data.with_asymmetric_noise(1.0, &[2, 1, 0], 0)?.labels(), [2, 1, 0, 1]);
    /// # Ok::<(), reloss::Error>(())
    /// ```
    ///
    /// # Reference
    /// Patrini et al., "Making deep neural networks robust to label noise: a loss correction approach", CVPR 2017, section 5;
    /// their map for CIFAR-10 is [`CIFAR10_CONFUSIONS`](super::CIFAR10_CONFUSIONS).
    pub fn with_asymmetric_noise(&self, rate: f64, to: &[usize], seed: u64) -> Result<Self> {
        if !(0.0..=1.0).contains(&rate) {
            return Err(Error::parameter("label_noise", format!("rate {rate} is not a share")));
        }
        if to.len() != self.classes || to.iter().any(|&label| label >= self.classes) {
            let reason = format!("{to:?} is not one label for each of {} classes", self.classes);
            return Err(Error::parameter("to", reason));
        }
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut noisy = self.clone();
        for label in &mut noisy.labels {
            if rng.gen::<f64>() < rate {
                *label = to[*label];
            }
        }
        Ok(noisy)
    }

    /// Thins out the classes exponentially, in a random order of classes.
    ///
    /// The class that keeps most has `ratio` times the rows of the one that keeps least, which
    /// keeps one row at least.
    ///
    /// # Errors
    /// [`Error::Parameter`] for a ratio below 1 or a single class.
    pub fn long_tailed(&self, ratio: f64, seed: u64) -> Result<Self> {
        if !(ratio >= 1.0 && ratio.is_finite()) || self.classes < 2 {
            let reason =
                format!("ratio {ratio} with {} classes: 1 or more and two classes are needed", self.classes);
            return Err(Error::parameter("long_tail", reason));
        }
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut order: Vec<usize> = (0..self.classes).collect();
        order.shuffle(&mut rng);
        let mut kept = Vec::new();
        for (place, &class) in order.iter().enumerate() {
            let mut rows = self.rows_of(class);
            rows.shuffle(&mut rng);
            let share = ratio.powf(-(place as f64) / (self.classes as f64 - 1.0));
            rows.truncate(((rows.len() as f64 * share).round() as usize).max(1));
            kept.extend(rows);
        }
        self.take(&kept)
    }

    /// Row indices of one epoch in random order, `size` a batch, the last one shorter.
    ///
    /// # Errors
    /// [`Error::Parameter`] for a size of zero.
    pub fn batches(&self, size: usize, seed: u64) -> Result<Vec<Vec<usize>>> {
        shuffled_batches(self.rows(), size, seed)
    }
}

/// So many of the rows, in random order: all of them if there are no more.
pub(super) fn random_rows(rows: usize, count: usize, seed: u64) -> Vec<usize> {
    let mut order: Vec<usize> = (0..rows).collect();
    order.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
    order.truncate(count);
    order
}

/// So many rows in random order, `size` a batch, the last one shorter.
///
/// # Errors
/// [`Error::Parameter`] for a size of zero.
pub(crate) fn shuffled_batches(rows: usize, size: usize, seed: u64) -> Result<Vec<Vec<usize>>> {
    if size == 0 {
        return Err(Error::parameter("batch", "a batch needs one row or more"));
    }
    let mut rows: Vec<usize> = (0..rows).collect();
    rows.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
    Ok(rows.chunks(size).map(<[usize]>::to_vec).collect())
}

/// Training, validation and test part of what must stay together in groups, by place and in order; groups in random order.
///
/// # Errors
/// [`Error::Parameter`] for shares that leave nothing to train with, [`Error::Undefined`] when a part would be empty.
pub(super) fn grouped_parts(
    name: &str,
    mut groups: Vec<Vec<usize>>,
    options: &TextSplit,
) -> Result<[Vec<usize>; 3]> {
    let TextSplit { validation, test, seed } = *options;
    if !(validation > 0.0 && test > 0.0 && validation + test < 1.0) {
        let reason = format!("shares {validation} and {test} must leave something in every part");
        return Err(Error::parameter("split", reason));
    }
    groups.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
    let count: usize = groups.iter().map(Vec::len).sum();
    let wanted = [validation, test].map(|share| (share * count as f64).round() as usize);
    let mut parts: [Vec<usize>; 3] = Default::default();
    for group in groups {
        // A group too large for what is still wanted, but for a part that has nothing, goes to the training part.
        let room = |part: usize| parts[part + 1].len() + group.len() <= wanted[part].max(1);
        let part = (0..2).find(|&part| room(part)).map_or(0, |part| part + 1);
        parts[part].extend(group);
    }
    if parts.iter().any(Vec::is_empty) {
        return Err(Error::undefined(
            format!("a split of {name}"),
            format!("its {count} leave a part empty"),
        ));
    }
    parts.iter_mut().for_each(|part| part.sort_unstable());
    Ok(parts)
}

/// One epoch: places of what has these two lengths in batches, similar lengths together, batches in random order.
///
/// A batch holds at most `tokens`, padding counted: rows times the longest of either length. What is equally long is
/// shuffled anew for every epoch, from the same seed.
///
/// # Errors
/// [`Error::Parameter`] when a single one is longer.
pub(super) fn batches_by_length(
    lengths: impl Fn(usize) -> (usize, usize),
    mut places: Vec<usize>,
    tokens: usize,
    seed: u64,
    epoch: u64,
) -> Result<Vec<Vec<usize>>> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(epoch);
    places.shuffle(&mut rng);
    places.sort_by_key(|&place| lengths(place));
    let (mut batches, mut longest) = (Vec::<Vec<usize>>::new(), 0);
    for place in places {
        let (first, second) = lengths(place);
        let length = first.max(second);
        if length > tokens {
            return Err(Error::parameter("tokens", format!("{tokens} are too few: one has {length}")));
        }
        longest = length.max(longest);
        match batches.last_mut().filter(|batch| (batch.len() + 1) * longest <= tokens) {
            Some(batch) => batch.push(place),
            None => {
                batches.push(vec![place]);
                longest = length;
            }
        }
    }
    batches.shuffle(&mut rng);
    Ok(batches)
}

/// Brings each feature to mean 0 and standard deviation 1, by the rows it was fitted to.
#[derive(Debug, Clone, PartialEq)]
pub struct Scaler {
    mean: Vec<f64>,
    sd: Vec<f64>,
}

impl Scaler {
    /// Mean and standard deviation of each feature; a constant feature is only centred.
    pub fn fit(data: &Dataset) -> Self {
        let (rows, width) = (data.rows() as f64, data.width());
        let column = |j: usize| data.features().iter().skip(j).step_by(width).map(|&v| f64::from(v));
        let mean: Vec<f64> = (0..width).map(|j| column(j).sum::<f64>() / rows).collect();
        let sd = (0..width).map(|j| (column(j).map(|v| (v - mean[j]).powi(2)).sum::<f64>() / rows).sqrt());
        let sd = sd.map(|sd| if sd > 0.0 { sd } else { 1.0 }).collect();
        Self { mean, sd }
    }

    /// The data set with scaled features.
    ///
    /// # Errors
    /// [`Error::Shape`] for another width than that of the fitted rows.
    ///
    /// # Example
    /// ```
    /// use reloss::data::{Dataset, Scaler};
    /// let data = Dataset::new("d", vec![1.0, 5.0, 3.0, 5.0], 2, vec![0, 1], 2)?;
    /// assert_eq!(Scaler::fit(&data).apply(&data)?.features(), [-1.0, 0.0, 1.0, 0.0]);
    /// # Ok::<(), reloss::Error>(())
    /// ```
    pub fn apply(&self, data: &Dataset) -> Result<Dataset> {
        if data.width() != self.mean.len() {
            return Err(Error::shape("scaler", format!("rows of {}", self.mean.len()), data.width()));
        }
        let mut scaled = data.clone();
        for (i, v) in scaled.features.iter_mut().enumerate() {
            let j = i % self.mean.len();
            *v = ((f64::from(*v) - self.mean[j]) / self.sd[j]) as f32;
        }
        Ok(scaled)
    }
}
