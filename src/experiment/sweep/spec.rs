//! What a sweep is, as its JSON file says it.

use std::marker::PhantomData;

use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use super::unit::Unit;
use crate::error::{Error, Result};
use crate::experiment::classify::Setting;
use crate::sampler::Labels;
use crate::surrogate::{Learn, PoseForm};
use crate::task::Train;

/// A file: products, of which each is run in full.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Spec {
    pub(super) products: Vec<Product>,
}

/// All losses on all tasks with all seeds.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Product {
    pub(super) name: String,
    tasks: Vec<TaskEntry>,
    losses: Vec<LossEntry>,
    pub(super) seeds: Vec<u64>,
}

/// What is trained and judged, and what is otherwise there than usual, for all losses.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct TaskEntry {
    task: SweepTask,
    #[serde(default)]
    train: Overrides<Train>,
    #[serde(default)]
    store: Overrides<Train>,
    #[serde(default)]
    learn: Overrides<Learn>,
}

/// A loss under its name in the results, and how a model is trained otherwise with it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct LossEntry {
    name: String,
    loss: SweepLoss<Overrides<Learn>, Overrides<Train>>,
    #[serde(default)]
    train: Overrides<Train>,
}

/// What is trained and judged.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) enum SweepTask {
    /// The embedded digits under a regime, judged by its metric.
    Digits(Setting),
    /// Two classes under a metric of the batch as a set.
    Toy(TwoClasses),
    /// Generated figures, judged by PCK.
    Figures(Figures),
    /// Questions about generated passages, judged by F1.
    Reading(Questions),
}

/// Two classes, as `reloss toy` has them.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TwoClasses {
    pub(super) data: TwoClassData,
    pub(super) metric: TwoClassMetric,
}

/// Which rows.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) enum TwoClassData {
    BreastCancer,
    TwoMoons,
    NoisyXor,
}

/// What models are judged by, in the order of [`Toy::METRICS`](crate::experiment::Toy::METRICS).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) enum TwoClassMetric {
    ErrorRate,
    F1,
    RocAuc,
    Jaccard,
    Matthews,
}

/// Generated figures.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Figures {
    /// Figures to train on, a fifth of them to validate.
    pub(super) pictures: usize,
    /// Height and width of the crops in pixels.
    pub(super) size: usize,
}

impl Default for Figures {
    /// As `reloss pose` has them.
    fn default() -> Self {
        Self { pictures: 240, size: 64 }
    }
}

/// Generated questions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Questions {
    /// How many, a tenth each to validate and to test.
    pub(super) questions: usize,
}

impl Default for Questions {
    /// As `reloss read` has them.
    fn default() -> Self {
        Self { questions: 4000 }
    }
}

/// What a model is trained with; the types are those of options, in full or in part.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(bound(deserialize = "Learning<L, T>: Deserialize<'de>"))]
pub(super) enum SweepLoss<L, T> {
    /// The task's own: cross-entropy, the squared error of heatmaps.
    Original,
    /// The usual remedy of a regime: smoothed labels, class weights.
    Remedy,
    /// One learned on the task's training part.
    Learned(Box<Learning<L, T>>),
}

/// How a loss is learned and used.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Learning<L, T> {
    /// How it is learned.
    pub(super) learn: L,
    /// How the model is trained whose predictions it is learned from.
    pub(super) store: T,
    /// What it is learned from.
    pub(super) samples: Samples,
    /// Its form, for heatmaps; saturating if not given.
    pub(super) form: Option<PoseForm>,
    /// The weight of the task's original loss beside it.
    pub(super) beside: f32,
    /// Epochs after which it is learned again from the model in training, for classes.
    pub(super) refresh: Option<usize>,
}

/// What is otherwise than the task usually has it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Samples {
    /// The share of samples that no model has predicted.
    pub(super) random: Option<f64>,
    /// What labels are, for classes.
    pub(super) labels: Option<Labels>,
    /// Predictions in a sample.
    pub(super) rows: Option<usize>,
}

impl Product {
    /// Every run: by task, by loss, by seed.
    pub(super) fn units(&self) -> Result<Vec<Unit>> {
        let mut units = Vec::new();
        for task in &self.tasks {
            for loss in &self.losses {
                let unit = |&seed| task.unit(loss, seed);
                units.extend(self.seeds.iter().map(unit).collect::<Result<Vec<_>>>()?);
            }
        }
        Ok(units)
    }
}

impl TaskEntry {
    /// One run: the task's own options, under those of the entry, under those of the loss.
    fn unit(&self, loss: &LossEntry, seed: u64) -> Result<Unit> {
        let task = self.task.clone();
        let seeded = |options: Train| Train { seed, ..options };
        let train = loss.train.over(&self.train.over(&task.training())?)?;
        let resolved = match &loss.loss {
            SweepLoss::Original => SweepLoss::Original,
            SweepLoss::Remedy => SweepLoss::Remedy,
            SweepLoss::Learned(learning) => {
                let Learning { samples, form, beside, refresh, .. } = learning.as_ref().clone();
                let learn = learning.learn.over(&self.learn.over(&task.learning(form))?)?;
                let store = learning.store.over(&self.store.over(&task.storing())?)?;
                let (learn, store) = (Learn { seed, ..learn }, seeded(store));
                SweepLoss::Learned(Box::new(Learning { learn, store, samples, form, beside, refresh }))
            }
        };
        Ok(Unit { name: loss.name.clone(), task, loss: resolved, train: seeded(train), seed })
    }
}

/// A part of some options: what is not said stays as it is elsewhere.
#[derive(Debug, Clone)]
pub(super) struct Overrides<T> {
    said: Value,
    of: PhantomData<T>,
}

impl<T> Default for Overrides<T> {
    fn default() -> Self {
        Self { said: Value::Object(Default::default()), of: PhantomData }
    }
}

impl<'de, T: DeserializeOwned> Deserialize<'de> for Overrides<T> {
    /// Refuses what the options do not have; seeds are the sweep's.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        let said = Value::deserialize(deserializer)?;
        if said.get("seed").is_some() {
            return Err(D::Error::custom("seed: seeds are those of the product"));
        }
        serde_path_to_error::deserialize::<_, T>(&said).map_err(D::Error::custom)?;
        Ok(Self { said, of: PhantomData })
    }
}

impl<T: Serialize + DeserializeOwned> Overrides<T> {
    /// The options with what is said in place of theirs.
    fn over(&self, options: &T) -> Result<T> {
        let unfit = |e: serde_json::Error| Error::parameter("sweep", e);
        let mut all = serde_json::to_value(options).map_err(unfit)?;
        replace(&mut all, &self.said);
        serde_json::from_value(all).map_err(unfit)
    }
}

/// Puts what is said in place of what was: objects field by field, unless they are two variants of an enum.
fn replace(all: &mut Value, said: &Value) {
    match (all, said) {
        (Value::Object(all), Value::Object(said)) if !other_variant(all, said) => {
            for (key, value) in said {
                replace(all.entry(key.clone()).or_insert(Value::Null), value);
            }
        }
        (all, said) => *all = said.clone(),
    }
}

/// A variant with content is an object of one key, its name.
fn other_variant(all: &serde_json::Map<String, Value>, said: &serde_json::Map<String, Value>) -> bool {
    all.len() == 1 && said.len() == 1 && all.keys().ne(said.keys())
}
