//! The loop in which a loss network is learned.

use std::path::Path;

use dfdx::prelude::*;

use super::checkpoint::Checkpoint;
use super::learn::{Learn, Step};
use super::loss_network::LossNetwork;
use super::objective::{agreement, objective};
use crate::error::{Error, Result};
use crate::metric::Metric;
use crate::ops::{host, Adam};
use crate::progress::Progress;

/// Learns any loss network: what [`learn`](super::learn) does, for predictions of any kind.
///
/// `draw` makes so many samples of the draw of this number, the same for the same number: 0 is the held-out set, then comes
/// one per step. The best network by the held-out samples is returned with the steps and its held-out Spearman.
///
/// # Errors
/// As [`learn`](super::learn), and what `draw` and `watch` have to say.
pub fn learn_network<N: LossNetwork, P: ?Sized, L: ?Sized>(
    network: N,
    metric: &dyn Metric<P, L>,
    draw: impl Fn(usize, u64) -> Result<N::Batch>,
    options: &Learn,
    mut watch: impl FnMut(usize, &N) -> Result<()>,
) -> Result<(N, Vec<Step>, f64)> {
    options.check()?;
    let held_out = draw(options.held_out, 0)?;
    let mut run = Run::start(network, options, metric, &held_out)?;
    let mut progress = Progress::new(&format!("loss for {}", metric.name()), options.steps);
    while run.step < options.steps && !run.exhausted(options) {
        let batch = draw(options.samples, run.step as u64 + 1)?;
        let mut entry = run.update(options, metric, &batch)?;
        if run.step % options.evaluate_every == 0 || run.step == options.steps {
            entry.held_out = Some(run.evaluate(metric, &held_out)?);
            watch(run.step, &run.network)?;
        }
        run.history.push(entry);
        if let (Some(_), Some(path)) = (entry.held_out, &options.checkpoint) {
            run.save(path, options, metric.name())?;
        }
        progress.step(run.step, || format!("agreement {:.3}, penalty {:.3}", entry.agreement, entry.penalty));
    }
    progress.finish();
    if run.best_held_out < 0.0 {
        let reason = format!(
            "its best held-out correlation with {} is {:.3}: it ranks backwards; lower the penalty or raise output_bias",
            metric.name(),
            run.best_held_out
        );
        return Err(Error::Diverged { what: "loss learning".to_string(), step: run.step, reason });
    }
    Ok((run.best, run.history, run.best_held_out))
}

/// The state of a run between two steps: all that a checkpoint holds.
struct Run<N> {
    network: N,
    adam: Adam,
    step: usize,
    best: N,
    best_held_out: f64,
    stale: usize,
    history: Vec<Step>,
}

impl<N: LossNetwork> Run<N> {
    fn start<P: ?Sized, L: ?Sized>(
        network: N,
        options: &Learn,
        metric: &dyn Metric<P, L>,
        held_out: &N::Batch,
    ) -> Result<Self> {
        // A fresh network ranks forwards or backwards by chance, and perfectly backwards is a
        // stationary point of the correlation: turn it round before it settles there. Around a
        // bias of 0 the absolute value undoes that; then the penalty moves it on.
        let backwards = ranks(&network, metric, held_out)? < 0.0;
        let network = if backwards { network.flipped()? } else { network };
        let mut run = Self {
            best: network.with_values(network.parameters())?,
            network,
            adam: Adam::new(options.learning_rate, options.weight_decay),
            step: 0,
            best_held_out: f64::NEG_INFINITY,
            stale: 0,
            history: Vec::new(),
        };
        match &options.checkpoint {
            Some(path) if options.resume && path.exists() => {
                let saved = Checkpoint::load(path, options, metric.name())?;
                run.network.parameters_mut().assign(&saved.network)?;
                run.best = run.best.with_values(&saved.best)?;
                run.adam.restore(run.network.parameters(), &saved.adam)?;
                run.step = saved.notes.history.len();
                run.best_held_out = saved.notes.best_held_out;
                run.stale = saved.notes.stale;
                run.history = saved.notes.history;
            }
            _ => {}
        }
        Ok(run)
    }

    fn exhausted(&self, options: &Learn) -> bool {
        options.patience > 0 && self.stale >= options.patience
    }

    fn update<P: ?Sized, L: ?Sized>(
        &mut self,
        options: &Learn,
        metric: &dyn Metric<P, L>,
        batch: &N::Batch,
    ) -> Result<Step> {
        let tape = crate::Tape::default();
        let objective = objective(&self.network, batch, metric, &options.penalty, &options.fit, tape)?;
        if !crate::ops::scalar(&objective.total).is_finite() {
            let reason = "the objective is not finite; lower the learning rate".to_string();
            return Err(Error::Diverged { what: "loss learning".to_string(), step: self.step, reason });
        }
        let mut gradients = objective.total.try_backward()?;
        if options.decay {
            let left = 1.0 - self.step as f64 / options.steps as f64;
            self.adam.set_learning_rate(options.learning_rate * left);
        }
        self.adam.update(self.network.parameters_mut(), &mut gradients)?;
        self.network.constrain()?;
        self.step += 1;
        Ok(Step {
            step: self.step,
            agreement: objective.agreement,
            penalty: objective.penalty,
            held_out: None,
        })
    }

    /// The held-out correlation; keeps the network if it is the best so far.
    fn evaluate<P: ?Sized, L: ?Sized>(
        &mut self,
        metric: &dyn Metric<P, L>,
        held_out: &N::Batch,
    ) -> Result<f64> {
        let agreement = ranks(&self.network, metric, held_out)?;
        if agreement > self.best_held_out {
            self.best_held_out = agreement;
            self.best = self.network.with_values(self.network.parameters())?;
            self.stale = 0;
        } else {
            self.stale += 1;
        }
        Ok(agreement)
    }

    fn save(&mut self, path: &Path, options: &Learn, metric: &str) -> Result<()> {
        let adam = self.adam.state(self.network.parameters())?;
        Checkpoint::save(
            path,
            options,
            metric,
            (self.network.parameters(), self.best.parameters(), &adam),
            (&self.history, self.best_held_out, self.stale),
        )
    }
}

/// The agreement of a network's losses with the metric.
fn ranks<N: LossNetwork, P: ?Sized, L: ?Sized>(
    network: &N,
    metric: &dyn Metric<P, L>,
    batch: &N::Batch,
) -> Result<f64> {
    agreement(&sample_losses(network, batch)?, N::metric(batch), metric.direction())
}

/// The loss of each sample.
pub(super) fn sample_losses<N: LossNetwork>(network: &N, batch: &N::Batch) -> Result<Vec<f64>> {
    let judged = network.judge(batch, NoneTape)?;
    Ok(host(&judged.losses).into_iter().map(f64::from).collect())
}
