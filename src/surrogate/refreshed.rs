//! A loss that is learned anew while a model trains with it.

use std::fmt;
use std::sync::{Arc, Mutex};

use dfdx::prelude::HasShape;

use super::{learn, Learn, Surrogate};
use crate::error::{Error, Result};
use crate::loss::Loss;
use crate::metric::{Metric, Scores};
use crate::ops::host;
use crate::sampler::{Sampler, Store};
use crate::{Matrix, Scalar, Tape};

/// A learned loss that is learned again, from what the model predicted since, every so many batches.
///
/// It changes with every call: a run of training needs one of its own. Each time a fresh network is learned with the same
/// options.
///
/// # Example
/// ```
/// use reloss::metric::{Scores, TopK};
/// use reloss::sampler::Sampler;
/// use reloss::surrogate::{learn, Learn, Refreshed};
/// let options = Learn { steps: 3, samples: 8, held_out: 16, output_bias: 2.0, ..Learn::default() };
/// let store = reloss::sampler::Store::empty(2);
/// let first = learn(&TopK::ACCURACY, &Sampler::random(2), &options)?.loss;
/// let loss = Refreshed::new(first, std::sync::Arc::new(TopK::ACCURACY), Sampler::stored(store), options, 2)?;
/// let scores = Scores::new(vec![1.0, 0.0, 0.0, 2.0], 2)?;
/// let values = (0..4).map(|_| reloss::loss::value(&loss, &scores, &[0, 1])).collect::<Result<Vec<f64>, _>>()?;
/// // The same for two batches; then it is another.
/// assert!(values[0] == values[1] && values[1] != values[2] && values[2] == values[3]);
/// # Ok::<(), reloss::Error>(())
/// ```
pub struct Refreshed {
    metric: Arc<dyn Metric>,
    sampler: Sampler,
    options: Learn,
    every: usize,
    state: Mutex<State>,
}

struct State {
    loss: Surrogate,
    seen: Option<Store>,
    batches: usize,
}

impl fmt::Debug for Refreshed {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let mut shown = f.debug_struct("Refreshed");
        shown.field("metric", &self.metric.name()).field("every", &self.every).finish_non_exhaustive()
    }
}

impl Refreshed {
    /// Starts with a loss and learns another after each `every` batches, as the sampler draws from them.
    ///
    /// # Errors
    /// [`Error::Parameter`] for 0 batches.
    pub fn new(
        first: Surrogate,
        metric: Arc<dyn Metric>,
        sampler: Sampler,
        options: Learn,
        every: usize,
    ) -> Result<Self> {
        match every {
            0 => Err(Error::parameter("every", "a loss is learned again after one batch or more")),
            _ => {
                let state = Mutex::new(State { loss: first, seen: None, batches: 0 });
                Ok(Self { metric, sampler, options, every, state })
            }
        }
    }
}

impl State {
    /// Keeps a batch of predictions.
    fn see(&mut self, logits: &Matrix<Tape>, labels: &[usize]) -> Result<()> {
        let scores = Scores::new(host(logits), logits.shape().1)?;
        self.batches += 1;
        match &mut self.seen {
            Some(seen) => seen.append(scores, labels.to_vec()),
            None => {
                self.seen = Some(Store::new(scores, labels.to_vec())?);
                Ok(())
            }
        }
    }
}

impl Loss for Refreshed {
    fn name(&self) -> String {
        "reloss_refreshed".to_string()
    }

    fn loss(&self, logits: Matrix<Tape>, labels: &[usize]) -> Result<Scalar<Tape>> {
        let mut state = self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if state.batches == self.every {
            if let Some(seen) = state.seen.take() {
                let sampler = self.sampler.clone().with_store(seen);
                let shares = state.loss.shares.clone();
                let learned = learn(self.metric.as_ref(), &sampler, &self.options)?.loss;
                state.loss = Surrogate { shares, ..learned };
            }
            state.batches = 0;
        }
        state.see(&logits, labels)?;
        state.loss.loss(logits, labels)
    }
}
