//! The state of a learning run in one safetensors file.

use std::collections::HashMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::learn::{Learn, Step};
use crate::error::{Error, Result};
use crate::ops::{AdamState, Parameters};

/// Everything about a run that is not a tensor.
#[derive(Serialize, Deserialize)]
pub(super) struct Notes {
    options: Learn,
    metric: String,
    adam_step: i32,
    pub(super) history: Vec<Step>,
    pub(super) best_held_out: f64,
    pub(super) stale: usize,
}

/// A run as read back.
pub(super) struct Checkpoint {
    pub(super) network: Parameters,
    pub(super) best: Parameters,
    pub(super) adam: AdamState,
    pub(super) notes: Notes,
}

impl Checkpoint {
    /// Writes the state atomically: a kill leaves the last whole one.
    pub(super) fn save(
        path: &Path,
        options: &Learn,
        metric: &str,
        (network, best, adam): (&Parameters, &Parameters, &AdamState),
        (history, best_held_out, stale): (&[Step], f64, usize),
    ) -> Result<()> {
        let notes = Notes {
            options: options.clone(),
            metric: metric.to_string(),
            adam_step: adam.step,
            history: history.to_vec(),
            best_held_out,
            stale,
        };
        let text = serde_json::to_string(&notes).map_err(|e| Error::data(path, None, e))?;
        let all = [("network.", network), ("best.", best), ("adam.", &adam.moments)];
        Parameters::sections(&all)?.save(path, HashMap::from([("reloss.run".to_string(), text)]))
    }

    /// Reads a state and refuses one that belongs to another run.
    pub(super) fn load(path: &Path, options: &Learn, metric: &str) -> Result<Self> {
        let (all, notes) = Parameters::load(path)?;
        let text = notes.get("reloss.run");
        let text = text.ok_or_else(|| Error::data(path, None, "not the checkpoint of a learning run"))?;
        let notes: Notes = serde_json::from_str(text).map_err(|e| Error::data(path, None, e))?;
        let same = Learn { checkpoint: None, resume: false, ..options.clone() };
        if notes.options != same || notes.metric != metric {
            let reason = format!("{} was made with other options or for another metric", path.display());
            return Err(Error::Parameter { name: "resume", reason });
        }
        Ok(Self {
            network: all.section("network.")?,
            best: all.section("best.")?,
            adam: AdamState { step: notes.adam_step, moments: all.section("adam.")? },
            notes,
        })
    }
}
