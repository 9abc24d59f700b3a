//! Differentiable approximation bridges: a hard function forward, a learned network's derivative backward.

use std::sync::{Mutex, PoisonError};

use dfdx::prelude::*;
use rand::Rng;
use rand_chacha::rand_core::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;

use super::record;
use crate::error::{check_positive, Error, Result};
use crate::loss::Loss;
use crate::metric::Scores;
use crate::model::{Mlp, Model, Parametric};
use crate::ops::{host, matrix, Adam};
use crate::rank::{rank, Ties};
use crate::{Matrix, Scalar, Tape};

/// A function of a row that cannot be differentiated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hard {
    /// 1 for the largest entry, 0 for the others; the target is 1 for the label. Half the squared distance to it is the
    /// error rate.
    Largest,
    /// The ranks, from 0; the targets are places from 0.
    Ranks,
}

impl Hard {
    /// The function of every row.
    fn of(self, x: &[f32], columns: usize) -> Result<Vec<f32>> {
        let scores = Scores::new(x.to_vec(), columns)?;
        let mut out = Vec::with_capacity(x.len());
        for i in 0..scores.rows() {
            match self {
                Self::Largest => out.extend((0..columns).map(|j| f32::from(j == scores.argmax(i)))),
                Self::Ranks => {
                    let row: Vec<f64> = scores.row(i).iter().map(|&v| f64::from(v)).collect();
                    out.extend(rank(&row, Ties::Average)?.into_iter().map(|rank| rank as f32 - 1.0));
                }
            }
        }
        Ok(out)
    }

    /// What the function should be.
    fn target(self, rows: usize, columns: usize, labels: &[usize]) -> Result<Vec<f32>> {
        let wanted = if self == Self::Largest { rows } else { rows * columns };
        if labels.len() != wanted {
            return Err(Error::shape("approximation bridge", format!("{wanted} labels"), labels.len()));
        }
        if let Some(at) = labels.iter().position(|&label| label >= columns) {
            let got = format!("{} at {at}", labels[at]);
            return Err(Error::shape("approximation bridge", format!("labels below {columns}"), got));
        }
        Ok(match self {
            Self::Largest => {
                labels.iter().flat_map(|&label| (0..columns).map(move |j| f32::from(j == label))).collect()
            }
            Self::Ranks => labels.iter().map(|&place| place as f32).collect(),
        })
    }
}

/// Settings of a [`Bridge`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BridgeOptions {
    /// Width of the network's two hidden layers; 64 ("ours").
    pub hidden: usize,
    /// Adam's learning rate for the network; 3e-3 ("ours").
    pub learning_rate: f64,
    /// Updates of the network on every batch; 5 ("ours"). The paper makes one, of γ = 10 times the squared distance, with
    /// the model's own optimiser.
    pub updates: usize,
    /// Seed of the network's start.
    pub seed: u64,
}

impl Default for BridgeOptions {
    fn default() -> Self {
        Self { hidden: 64, learning_rate: 3e-3, updates: 5, seed: 0 }
    }
}

/// The squared distance of a hard function to its target, mean over entries, with the Jacobian of a network that
/// approximates the function in place of the one it lacks.
///
/// Every batch first teaches the network the function, on its rows and on as many with noise as large as they are: from
/// rows that are all far from a jump it would learn a constant, whose Jacobian is 0 ("ours"). It changes with every call: a
/// run of training needs one of its own.
///
/// # Example
/// ```
/// use reloss::baseline::{Bridge, BridgeOptions, Hard};
/// let bridge = Bridge::new(Hard::Ranks, 3, &BridgeOptions::default())?;
/// let scores = reloss::metric::Scores::new(vec![0.3, -1.0, 2.0], 3)?;
/// // Ranks are 1, 0, 2: in their places, and with the last two exchanged.
/// assert_eq!(reloss::loss::value(&bridge, &scores, &[1, 0, 2])?, 0.0);
/// assert!((reloss::loss::value(&bridge, &scores, &[1, 2, 0])? - 8.0 / 3.0).abs() < 1e-6);
/// # Ok::<(), reloss::Error>(())
/// ```
///
/// # Reference
/// Ramapuram, Webb, "Differentiable approximation bridges for training networks containing non-differentiable functions",
/// 2019, arXiv 1905.03658.
pub struct Bridge {
    hard: Hard,
    updates: usize,
    state: Mutex<State>,
}

struct State {
    network: Mlp,
    adam: Adam,
    rng: ChaCha8Rng,
}

impl std::fmt::Debug for Bridge {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        f.debug_struct("Bridge").field("hard", &self.hard).finish_non_exhaustive()
    }
}

impl Bridge {
    /// A bridge for rows of this many entries that has seen nothing yet.
    ///
    /// # Errors
    /// [`Error::Parameter`] for a width of zero or a learning rate that is not positive and finite.
    pub fn new(hard: Hard, columns: usize, options: &BridgeOptions) -> Result<Self> {
        let rate = options.learning_rate;
        check_positive("learning_rate", rate)?;
        let network = Mlp::new(&[columns, options.hidden, options.hidden, columns], options.seed)?;
        let state = Mutex::new(State {
            network,
            adam: Adam::new(rate, 0.0),
            rng: ChaCha8Rng::seed_from_u64(options.seed),
        });
        Ok(Self { hard, updates: options.updates, state })
    }

    /// What the network makes of rows, (rows, columns).
    ///
    /// # Errors
    /// [`Error::Shape`] for rows of another width.
    pub fn approximation(&self, x: Matrix) -> Result<Matrix> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).network.predict(x)
    }
}

impl State {
    /// One step towards the function's values on these rows, and on them with noise.
    fn update(&mut self, hard: Hard, x: &[f32], columns: usize) -> Result<()> {
        let mean = x.iter().sum::<f32>() / x.len() as f32;
        let sd = (x.iter().map(|v| (v - mean).powi(2)).sum::<f32>() / x.len() as f32).sqrt();
        let mut all = x.to_vec();
        all.extend(x.iter().map(|v| v + sd * self.rng.sample::<f32, _>(StandardNormal)));
        let values = matrix(hard.of(&all, columns)?, all.len() / columns, columns)?;
        let rows = all.len() / columns;
        let out = self.network.forward(matrix(all, rows, columns)?.leaky_traced())?;
        let squared = out.try_sub(values)?.try_square()?.try_mean::<(), _>()?;
        self.adam.update(self.network.parameters_mut(), &mut squared.try_backward()?)
    }
}

impl Loss for Bridge {
    fn name(&self) -> String {
        "approximation_bridge".to_string()
    }

    fn loss(&self, logits: Matrix<Tape>, labels: &[usize]) -> Result<Scalar<Tape>> {
        let &(rows, columns) = logits.shape();
        if rows * columns == 0 {
            let got = format!("({rows}, {columns})");
            return Err(Error::shape("approximation bridge", "one row or more, of one column or more", got));
        }
        let x = host(&logits);
        crate::error::check_finite("approximation bridge", &x)?;
        let (values, target) = (self.hard.of(&x, columns)?, self.hard.target(rows, columns, labels)?);
        let count = (rows * columns) as f32;
        let off: Vec<f32> = values.iter().zip(&target).map(|(value, target)| value - target).collect();
        let total = off.iter().map(|d| f64::from(d * d)).sum::<f64>() / f64::from(count);
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        for _ in 0..self.updates {
            state.update(self.hard, &x, columns)?;
        }
        let slopes = off.into_iter().map(|d| 2.0 * d / count).collect();
        record(state.network.forward(logits)?, total, slopes)
    }
}
