//! Reading numbers off images, supervised by their order alone.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use dfdx::prelude::*;
use rand_chacha::rand_core::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::data::Numbers;
use crate::error::{check_positive, Error, Result};
use crate::loss::{Loss, PermutationLoss};
use crate::model::{Cnn, Model, Parametric};
use crate::ops::{host, matrix, scalar, Adam, AdamState, ImageShape, Parameters};
use crate::progress::Progress;
use crate::rank::{rank, Ties};
use crate::sort::SoftSort;

/// Sets of numbers to be sorted: a network gives every image one number, and only the order is known.
///
/// # Reference
/// Grover et al., ICLR 2019, section 6.1; Petersen et al., ICML 2021 and ICLR 2022, table 2.
#[derive(Debug, Clone)]
pub struct SortNumbers {
    /// What is trained on.
    pub train: Numbers,
    /// What is tested on: other images of digits.
    pub test: Numbers,
    /// Numbers in a set.
    pub n: usize,
}

/// How to train.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TrainSorting {
    /// Updates. The papers: 100,000. Default: 3,000 ("ours": little more than a minute on two cores).
    pub steps: usize,
    /// Sets in a batch. The papers: 100. Default: 20 ("ours").
    pub batch: usize,
    /// Adam's learning rate. The papers: 10^-3.5. Default: 2e-3 ("ours", for fewer steps).
    pub learning_rate: f64,
    /// Filters of the two convolutions. The papers: 32 and 64. Default: 8 and 16 ("ours").
    pub filters: [usize; 2],
    /// Units of the hidden layer. Default: 64 (the papers).
    pub hidden: usize,
    /// Seed of the model's start and of all draws.
    pub seed: u64,
    /// Steps between two entries of the history, each followed by a checkpoint. Default: 100.
    pub every: usize,
    /// File that holds the state of the run.
    #[serde(skip)]
    pub checkpoint: Option<PathBuf>,
}

impl Default for TrainSorting {
    fn default() -> Self {
        Self {
            steps: 3000,
            batch: 20,
            learning_rate: 2e-3,
            filters: [8, 16],
            hidden: 64,
            seed: 0,
            every: 100,
            checkpoint: None,
        }
    }
}

impl TrainSorting {
    /// The papers' network and budget: 100,000 steps of 100 sets, days on two cores.
    pub fn paper() -> Self {
        Self {
            steps: 100_000,
            batch: 100,
            learning_rate: 10f64.powf(-3.5),
            filters: [32, 64],
            ..Self::default()
        }
    }

    fn check(&self) -> Result<()> {
        if [self.steps, self.batch, self.every].contains(&0) {
            return Err(Error::parameter("train", "steps, batch and every must be positive"));
        }
        check_positive("learning_rate", self.learning_rate)
    }
}

/// What a trained model gets right, as shares from 0 to 1.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Correct {
    /// Sets in perfect order.
    pub sets: f64,
    /// Numbers with the right rank.
    pub ranks: f64,
}

/// The state of a run at a step.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct SortingStep {
    /// Updates so far.
    pub step: usize,
    /// Mean loss since the last entry.
    pub loss: f64,
    /// On fresh sets of the training digits.
    pub correct: Correct,
}

/// What came out of a run.
#[derive(Debug, Clone)]
pub struct SortingOutcome {
    /// The model as trained.
    pub model: Cnn,
    /// One entry every so many steps.
    pub history: Vec<SortingStep>,
    /// On the test digits.
    pub test: Correct,
}

/// Sets judged for an entry of the history, and for the test.
const LOOK_SETS: usize = 100;
const TEST_SETS: usize = 2000;
/// Images that go through the network together where nothing is learned.
const TOGETHER: usize = 500;
/// Streams of random numbers of one seed: model and training draws, looks, test.
const LOOK_STREAM: u64 = 1;
const TEST_STREAM: u64 = 2;

pub(super) fn stream(seed: u64, stream: u64) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(stream);
    rng
}

pub(super) fn image(numbers: &Numbers) -> ImageShape {
    ImageShape { channels: 1, height: numbers.height(), width: numbers.width() }
}

impl SortNumbers {
    /// Trains with the cross-entropy between soft and true permutations.
    ///
    /// With a checkpoint's file, a run that was killed, or had fewer steps, continues where its file left it, to the
    /// same result as a run in one go.
    ///
    /// # Errors
    /// [`Error::Parameter`] for options out of range, a way without a permutation matrix, or a checkpoint of another
    /// run; [`Error::Diverged`] when the loss is no longer finite; [`Error::Io`] and [`Error::Data`] for the file.
    pub fn train(&self, soft: &SoftSort, options: &TrainSorting) -> Result<SortingOutcome> {
        self.run(&PermutationLoss { soft: *soft }, Some(*soft), options, |_| Ok(()))
    }

    /// As [`SortNumbers::train`], with any loss of scores (sets, n) and places from 0.
    ///
    /// # Errors
    /// As [`SortNumbers::train`]; [`Error::Parameter`] for a checkpoint: what such a loss has learned is not in its file.
    pub fn train_with(&self, loss: &dyn Loss, options: &TrainSorting) -> Result<SortingOutcome> {
        match options.checkpoint {
            Some(_) => {
                Err(Error::parameter("checkpoint", "only the permutation loss is saved with its model"))
            }
            None => self.run(loss, None, options, |_| Ok(())),
        }
    }

    /// Trains, and shows the model at every entry of the history.
    pub(super) fn run(
        &self,
        loss: &dyn Loss,
        soft: Option<SoftSort>,
        options: &TrainSorting,
        mut watch: impl FnMut(&Cnn) -> Result<()>,
    ) -> Result<SortingOutcome> {
        options.check()?;
        if self.n < 2 {
            return Err(Error::parameter("n", format!("{} numbers have no order", self.n)));
        }
        let mut state = State::new(self, soft, options)?;
        let mut progress = Progress::new("sort numbers", options.steps);
        while state.step < options.steps {
            // Every step has its own draws: a run that was continued sees the same.
            let mut rng = stream(options.seed, 3 + state.step as u64);
            let (images, values) = self.train.draw(options.batch * self.n, &mut rng);
            let before = self.update(&mut state, loss, images, &values)?;
            state.losses.push(before);
            state.step += 1;
            if state.step.is_multiple_of(options.every) || state.step == options.steps {
                state.look(self, options)?;
                watch(&state.model)?;
            }
            let last = state.history.last().map_or(0.0, |entry| entry.correct.sets);
            progress.step(state.step, || format!("{:.0} % of sets in order", 100.0 * last));
        }
        progress.finish();
        let test =
            correct(&state.model, &self.test, self.n, TEST_SETS, &mut stream(options.seed, TEST_STREAM))?;
        Ok(SortingOutcome { model: state.model, history: state.history, test })
    }

    fn update(&self, state: &mut State, loss: &dyn Loss, images: Vec<f32>, values: &[f64]) -> Result<f64> {
        let diverged =
            |reason: String| Error::Diverged { what: "sorting".to_string(), step: state.step, reason };
        let x = matrix(images, values.len(), image(&self.train).len())?;
        let scores = state.model.forward(x.leaky_traced())?;
        let scores = scores.try_reshape_like(&(values.len() / self.n, self.n))?;
        let value = match loss.loss(scores, &places(values, self.n)?) {
            Err(Error::NotFinite { .. }) => {
                return Err(diverged("scores are not finite; lower the learning rate".into()))
            }
            other => other?,
        };
        let before = f64::from(scalar(&value));
        if !before.is_finite() {
            return Err(diverged(format!("the loss is {before}; lower the learning rate")));
        }
        state.adam.update(state.model.parameters_mut(), &mut value.try_backward()?)?;
        Ok(before)
    }
}

/// The place, from 0, of every number in its set of `n`; equal numbers in order of appearance.
pub(super) fn places(values: &[f64], n: usize) -> Result<Vec<usize>> {
    let mut places = Vec::with_capacity(values.len());
    for set in values.chunks_exact(n) {
        places.extend(rank(set, Ties::Ordinal)?.into_iter().map(|rank| rank as usize - 1));
    }
    Ok(places)
}

/// Draws sets and compares the order of the model's scores with the true one.
fn correct(model: &Cnn, numbers: &Numbers, n: usize, sets: usize, rng: &mut ChaCha8Rng) -> Result<Correct> {
    let (mut whole, mut single) = (0, 0);
    let mut left = sets;
    while left > 0 {
        let now = left.min(TOGETHER.div_ceil(n));
        left -= now;
        let (images, values) = numbers.draw(now * n, rng);
        let x = matrix(images, now * n, image(numbers).len())?;
        let scores: Vec<f64> = host(&model.predict(x)?).into_iter().map(f64::from).collect();
        for (scores, values) in scores.chunks_exact(n).zip(values.chunks_exact(n)) {
            // Ties of equal numbers are right in any order.
            let (got, want) = (rank(scores, Ties::Ordinal)?, rank(values, Ties::Min)?);
            let last = rank(values, Ties::Max)?;
            let right = got.iter().zip(want.iter().zip(&last)).filter(|(g, (w, l))| w <= g && g <= l).count();
            single += right;
            whole += usize::from(right == n);
        }
    }
    Ok(Correct { sets: whole as f64 / sets as f64, ranks: single as f64 / (sets * n) as f64 })
}

/// A run between two steps.
struct State {
    model: Cnn,
    adam: Adam,
    step: usize,
    losses: Vec<f64>,
    history: Vec<SortingStep>,
    run: Notes,
}

/// What a checkpoint says beside the tensors.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Notes {
    options: TrainSorting,
    soft: Option<SoftSort>,
    n: usize,
    data: String,
    history: Vec<SortingStep>,
    adam_step: i32,
}

/// The checkpoint's entry for [`Notes`].
const NOTES: &str = "reloss.sorting";

impl State {
    fn new(task: &SortNumbers, soft: Option<SoftSort>, options: &TrainSorting) -> Result<Self> {
        let model = Cnn::new(image(&task.train), options.filters, options.hidden, 1, options.seed)?;
        let run = Notes {
            // More steps continue the same run.
            options: TrainSorting { checkpoint: None, steps: 0, ..options.clone() },
            soft,
            n: task.n,
            data: task.train.name().to_string(),
            history: Vec::new(),
            adam_step: 0,
        };
        let adam = Adam::new(options.learning_rate, 0.0);
        let mut state = Self { model, adam, step: 0, losses: Vec::new(), history: Vec::new(), run };
        match &options.checkpoint {
            Some(path) if path.exists() => state.restore(path)?,
            _ => {}
        }
        Ok(state)
    }

    fn restore(&mut self, path: &Path) -> Result<()> {
        let (all, notes) = Parameters::load(path)?;
        let text =
            notes.get(NOTES).ok_or_else(|| Error::data(path, None, "not the checkpoint of a sorting run"))?;
        let notes: Notes = serde_json::from_str(text).map_err(|e| Error::data(path, None, e))?;
        if (Notes { history: Vec::new(), adam_step: 0, ..notes.clone() }) != self.run {
            let reason = format!("{} was made with other options or for other data", path.display());
            return Err(Error::Parameter { name: "checkpoint", reason });
        }
        self.model.parameters_mut().assign(&all.section("model.")?)?;
        let state = AdamState { step: notes.adam_step, moments: all.section("adam.")? };
        self.adam.restore(self.model.parameters(), &state)?;
        self.step = notes.history.last().map_or(0, |entry| entry.step);
        self.history = notes.history;
        Ok(())
    }

    /// Adds an entry to the history and writes the checkpoint.
    fn look(&mut self, task: &SortNumbers, options: &TrainSorting) -> Result<()> {
        let mut rng = stream(options.seed, LOOK_STREAM);
        let correct = correct(&self.model, &task.train, task.n, LOOK_SETS, &mut rng)?;
        let loss = self.losses.iter().sum::<f64>() / self.losses.len() as f64;
        self.losses.clear();
        self.history.push(SortingStep { step: self.step, loss, correct });
        let Some(path) = &options.checkpoint else { return Ok(()) };
        let adam = self.adam.state(self.model.parameters())?;
        let notes = Notes { history: self.history.clone(), adam_step: adam.step, ..self.run.clone() };
        let text = serde_json::to_string(&notes).map_err(|e| Error::data(path, None, e))?;
        let all = [("model.", self.model.parameters()), ("adam.", &adam.moments)];
        Parameters::sections(&all)?.save(path, HashMap::from([(NOTES.to_string(), text)]))
    }
}
