//! What is kept of a run of training, so that a killed one can be continued.

use std::collections::HashMap;
use std::path::Path;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::{Epoch, Train};
use crate::error::{Error, Result};
use crate::model::Parametric;
use crate::ops::{Adam, AdamState, Parameters};

/// A run after some epochs.
pub(super) struct State<M> {
    pub(super) model: M,
    pub(super) adam: Adam,
    pub(super) history: Vec<Epoch>,
    /// The best epoch so far, from 0, with its model; only where training may stop early.
    pub(super) best: Option<(usize, M)>,
}

/// What the file says beside the tensors.
#[derive(Serialize, Deserialize)]
struct Notes {
    run: Identity,
    history: Vec<Epoch>,
    best: Option<usize>,
    adam_step: i32,
}

/// What must be the same for a run to be continued.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
struct Identity {
    model: String,
    /// Of the warm-up and of the rest.
    losses: [String; 2],
    /// Of the first epoch: other data mostly have others.
    steps: usize,
    options: Train,
}

/// The file's entry for [`Notes`].
const NOTES: &str = "reloss.training";

/// Prefixes of what the file holds beside the model's own tensors.
const ADAM: &str = "adam.";
const BEST: &str = "best.";

/// A model with tensors of its own, which later training does not touch.
pub(super) fn detached<M: Parametric + Clone>(model: &M) -> Result<M> {
    let mut copy = model.clone();
    *copy.parameters_mut() = model.parameters().detached()?;
    Ok(copy)
}

/// The file of a run, if it has one.
pub(super) struct Checkpoint<'a> {
    options: &'a Train,
    run: Identity,
    /// When it was written, or the run began.
    written: Instant,
    /// Epochs of this run in the file.
    epochs: usize,
}

impl<'a> Checkpoint<'a> {
    pub(super) fn new(options: &'a Train, model: String, losses: [String; 2], steps: usize) -> Self {
        // Where a run is kept does not make it another.
        let fixed = Train { checkpoint: None, resume: false, checkpoint_seconds: 0.0, ..options.clone() };
        let run = Identity { model, losses, steps, options: fixed };
        Self { options, run, written: Instant::now(), epochs: 0 }
    }

    /// The run at its beginning, or as the file has it.
    pub(super) fn state<M: Parametric + Clone>(&mut self, model: M) -> Result<State<M>> {
        let adam = Adam::new(self.options.learning_rate, 0.0);
        let mut state = State { model, adam, history: Vec::new(), best: None };
        match &self.options.checkpoint {
            Some(path) if self.options.resume && path.exists() => self.restore(&mut state, path)?,
            _ => {}
        }
        self.epochs = state.history.len();
        Ok(state)
    }

    fn restore<M: Parametric + Clone>(&self, state: &mut State<M>, path: &Path) -> Result<()> {
        let (all, notes) = Parameters::load(path)?;
        let text = notes
            .get(NOTES)
            .ok_or_else(|| Error::data(path, None, "not the checkpoint of a training run"))?;
        let notes: Notes = serde_json::from_str(text).map_err(|e| Error::data(path, None, e))?;
        if notes.run != self.run {
            let reason =
                format!("{} is of another model, loss, number of steps or training options", path.display());
            return Err(Error::Parameter { name: "resume", reason });
        }
        state.model.parameters_mut().assign(&all)?;
        let kept = AdamState { step: notes.adam_step, moments: all.section(ADAM)? };
        state.adam.restore(state.model.parameters(), &kept)?;
        if let Some(epoch) = notes.best {
            let mut best = detached(&state.model)?;
            best.parameters_mut().assign(&all.section(BEST)?)?;
            state.best = Some((epoch, best));
        }
        state.history = notes.history;
        Ok(())
    }

    /// Writes the file, unless that was done not long ago; the last epoch always.
    pub(super) fn keep<M: Parametric>(&mut self, state: &mut State<M>, last: bool) -> Result<()> {
        let Some(path) = &self.options.checkpoint else { return Ok(()) };
        if !last && self.written.elapsed() < Duration::from_secs_f64(self.options.checkpoint_seconds) {
            return Ok(());
        }
        let epochs = state.history.len();
        let adam = state.adam.state(state.model.parameters())?;
        let (run, history) = (self.run.clone(), state.history.clone());
        let best = state.best.as_ref().map(|best| best.0);
        let notes = Notes { run, history, best, adam_step: adam.step };
        let text = serde_json::to_string(&notes).map_err(|e| Error::data(path, None, e))?;
        let mut sections = vec![("", state.model.parameters()), (ADAM, &adam.moments)];
        sections.extend(state.best.iter().map(|(_, best)| (BEST, best.parameters())));
        let notes = [("reloss.epoch", epochs.to_string()), (NOTES, text)];
        let notes = HashMap::from(notes.map(|(name, text)| (name.to_string(), text)));
        Parameters::sections(&sections)?.save(path, notes)?;
        (self.written, self.epochs) = (Instant::now(), epochs);
        Ok(())
    }

    /// A divergence, with what is left of the run.
    pub(super) fn diverged(&self, error: Error) -> Error {
        match (error, &self.options.checkpoint) {
            (Error::Diverged { what, step, reason }, Some(path)) if self.epochs > 0 => {
                let kept =
                    format!("{reason}; the model after epoch {} is in {}", self.epochs, path.display());
                Error::Diverged { what, step, reason: kept }
            }
            (error, _) => error,
        }
    }
}
