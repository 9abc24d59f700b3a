//! A case with some of its losses.

use std::sync::Arc;

use super::{Candidate, Case};
use crate::error::Result;
use crate::task::{MetricOf, Train};

/// A case with some of its losses.
#[derive(Debug)]
pub struct Chosen<'a, C> {
    /// The case.
    pub case: &'a C,
    /// The losses' names; all, if it is none. Names the case does not have do nothing:
    /// [`Comparison::losses`](super::Comparison::losses) says which there are.
    pub losses: Option<Vec<String>>,
}

impl<C: Case> Case for Chosen<'_, C> {
    type Task = C::Task;

    fn data(&self) -> String {
        self.case.data()
    }

    fn setting(&self) -> String {
        self.case.setting()
    }

    fn metric(&self) -> Arc<MetricOf<C::Task>> {
        self.case.metric()
    }

    fn beside(&self) -> Vec<Arc<MetricOf<C::Task>>> {
        self.case.beside()
    }

    fn task(&self, seed: u64) -> Result<C::Task> {
        self.case.task(seed)
    }

    fn train(&self, all: &Train) -> Train {
        self.case.train(all)
    }

    fn candidates(&self, task: &C::Task, train: &Train) -> Result<Vec<Candidate<C::Task>>> {
        let wanted =
            |loss: &Candidate<C::Task>| self.losses.as_ref().is_none_or(|all| all.contains(&loss.name));
        Ok(self.case.candidates(task, train)?.into_iter().filter(wanted).collect())
    }
}
