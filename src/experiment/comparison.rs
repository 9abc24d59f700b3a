//! Losses on the same ground: one tuning budget for all, equal starts and batches, test parts touched once a run.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rayon::prelude::*;

use super::{per_seed, Chosen, Results, Run};
use crate::error::{Error, Result};
use crate::files::{clear_folder, create_folder};
use crate::loss::Loss;
use crate::progress::Progress;
use crate::task::{Classification, MetricOf, OutcomeOf, Task, Train};

/// How a candidate trains a model: the task, the metric it is judged by, and the options of the run.
type Training<T> = dyn Fn(&T, &MetricOf<T>, &Train) -> Result<OutcomeOf<T>>;

/// What a case's task makes.
type Trained<C> = OutcomeOf<<C as Case>::Task>;

/// A way to train to compare: a loss, or a procedure of several steps.
pub struct Candidate<T: Task = Classification> {
    pub(super) name: String,
    train: Box<Training<T>>,
    /// Whether a killed run can be continued.
    resumes: bool,
}

impl<T: Task> Candidate<T> {
    /// A loss that stays as it is.
    pub fn fixed(loss: impl Loss<T::Aim> + 'static) -> Self {
        Self::named(&loss.name(), loss)
    }

    /// As [`Candidate::fixed`], under another name.
    pub fn named(name: &str, loss: impl Loss<T::Aim> + 'static) -> Self {
        let train = move |task: &T, metric: &MetricOf<T>, options: &Train| task.train(&loss, metric, options);
        Self::procedure(name, train).resuming()
    }

    /// A loss that changes while a model trains: every run needs one of its own, made from its seed.
    pub fn fresh(name: &str, make: impl Fn(u64) -> Result<Box<dyn Loss<T::Aim>>> + 'static) -> Self {
        Self::procedure(name, move |task, metric, options| {
            task.train(make(options.seed)?.as_ref(), metric, options)
        })
    }

    /// A loss that takes over from the task's original one when half of the steps are made.
    pub fn taking_over(name: &str, loss: impl Loss<T::Aim> + 'static) -> Self {
        let train = move |task: &T, metric: &MetricOf<T>, options: &Train| {
            task.train(&loss, metric, &Train { warm_up: 0.5, ..options.clone() })
        };
        Self::procedure(name, train).resuming()
    }

    /// As [`Candidate::taking_over`], from a loss other than the original one.
    pub fn taking_over_from(
        name: &str,
        before: impl Loss<T::Aim> + 'static,
        loss: impl Loss<T::Aim> + 'static,
    ) -> Self {
        let train = move |task: &T, metric: &MetricOf<T>, options: &Train| {
            task.train_after(&before, &loss, metric, &Train { warm_up: 0.5, ..options.clone() })
        };
        Self::procedure(name, train).resuming()
    }

    /// Any way to train.
    pub fn procedure(
        name: &str,
        train: impl Fn(&T, &MetricOf<T>, &Train) -> Result<OutcomeOf<T>> + 'static,
    ) -> Self {
        Self { name: name.to_string(), train: Box::new(train), resumes: false }
    }

    /// The same, a killed run of which can be continued: one training, with the options given, of losses that stay as they are.
    pub fn resuming(self) -> Self {
        Self { resumes: true, ..self }
    }

    /// The options of a run that is kept in a folder, if there is one and the run can be continued.
    fn kept(&self, options: Train, case: &impl Case<Task = T>, folder: Option<&Path>) -> Result<Train> {
        let Some(folder) = folder.filter(|_| self.resumes) else { return Ok(options) };
        create_folder(folder)?;
        let (setting, metric) = (case.setting(), case.metric());
        let run = [&setting, metric.name(), &self.name].join(", ");
        let name = format!("{run}, {}, {}", options.learning_rate, options.seed);
        let name: String = name.chars().map(|c| if c.is_alphanumeric() { c } else { '-' }).collect();
        let checkpoint = Some(folder.join(format!("{name}.{KEPT}")));
        Ok(Train { checkpoint, checkpoint_seconds: CHECKPOINT_SECONDS, resume: true, ..options })
    }
}

impl<T: Task> std::fmt::Debug for Candidate<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        f.debug_tuple("Candidate").field(&self.name).finish()
    }
}

/// The ending of runs' files.
const KEPT: &str = "safetensors";

/// Seconds of a run that may be lost, beside those of the epoch it is in.
const CHECKPOINT_SECONDS: f64 = 30.0;

/// What losses are compared on: data under a regime, and the metric that judges.
pub trait Case: Sync {
    /// What is trained.
    type Task: Task;

    /// The data set's name.
    fn data(&self) -> String;

    /// The regime's name in tables and result files.
    fn setting(&self) -> String;

    /// The metric this case is judged by.
    fn metric(&self) -> Arc<MetricOf<Self::Task>>;

    /// Metrics reported beside it, for which nothing is tuned or learned; none by default.
    fn beside(&self) -> Vec<Arc<MetricOf<Self::Task>>> {
        Vec::new()
    }

    /// The task of one seed.
    ///
    /// # Errors
    /// What the data have to say.
    fn task(&self, seed: u64) -> Result<Self::Task>;

    /// How models are trained here, from what the comparison has for all.
    fn train(&self, all: &Train) -> Train {
        all.clone()
    }

    /// The losses of one task, in the same order for every seed; what is learned may use the training part alone.
    ///
    /// # Errors
    /// What training and learning have to say.
    fn candidates(&self, task: &Self::Task, train: &Train) -> Result<Vec<Candidate<Self::Task>>>;
}

/// How losses are compared.
#[derive(Debug, Clone)]
pub struct Comparison {
    /// One run of each loss per seed; test parts are touched once per run.
    pub seeds: Vec<u64>,
    /// Seeds the learning rates are tuned on, by the validation part alone.
    pub tuning_seeds: Vec<u64>,
    /// Learning rates tried, the same for every loss.
    pub grid: Vec<f64>,
    /// How the models are trained; rate and seed are set by the comparison.
    pub train: Train,
}

impl Comparison {
    /// Runs the losses that `done` lacks, as many seeds at a time as there are threads, and writes `path` after
    /// each round, so that nothing is lost; the runs of a round are kept in [`Comparison::runs_folder`] until then, and continued
    /// from there.
    ///
    /// # Errors
    /// What data, training, learning and the file have to say.
    pub fn run<C: Case>(
        &self,
        what: &str,
        cases: &[C],
        done: Results,
        path: Option<&Path>,
        command: &str,
    ) -> Result<Results> {
        let mut results = done;
        // Whoever continues this finds the command, also where no run has ended; older results stay until one has.
        if let Some(path) = path.filter(|path| !path.exists()) {
            results.save(path, command)?;
        }
        let folder = path.map(Self::runs_folder);
        let folder = folder.as_deref();
        let mut progress = Progress::new(what, cases.len() * self.seeds.len());
        for (i, case) in cases.iter().enumerate() {
            let (seeds, case) = self.missing(case, &results)?;
            if seeds.is_empty() {
                continue;
            }
            let (setting, metric) = (case.setting(), case.metric());
            let rates = self.tuned(&case, folder)?;
            let mut done = self.seeds.len() - seeds.len();
            for together in seeds.chunks(rayon::current_num_threads()) {
                let runs = together.par_iter().map(|&seed| self.compare(&case, seed, &rates, folder));
                let mut runs = runs.collect::<Result<Vec<_>>>()?.concat();
                runs.retain(|run| !results.contains(&run.setting, &run.metric, &run.loss, run.seed));
                results.runs.extend(runs);
                if let Some(path) = path {
                    results.save(path, command)?;
                }
                for seed in together {
                    folder.map_or(Ok(()), |folder| clear_folder(&seed_folder(folder, *seed), KEPT))?;
                }
                done += together.len();
                progress.step(i * self.seeds.len() + done, || format!("{setting}, {}", metric.name()));
            }
        }
        path.map_or(Ok(()), Self::forget_runs)?;
        progress.finish();
        Ok(results)
    }

    /// Where the runs that are not among the results in `path` yet are kept: a folder beside it, with the ending `runs`.
    ///
    /// What is there is taken for runs of the same comparison on the same data; [`Comparison::forget_runs`] begins anew.
    pub fn runs_folder(path: &Path) -> PathBuf {
        path.with_extension("runs")
    }

    /// Removes the runs kept beside the results in `path`.
    ///
    /// # Errors
    /// [`Error::Io`] for what cannot be removed.
    pub fn forget_runs(path: &Path) -> Result<()> {
        clear_folder(&Self::runs_folder(path), KEPT)
    }

    /// The names of a case's losses. They are made for it from the task of a seed, and some are learned.
    ///
    /// # Errors
    /// What data, training and learning have to say.
    pub fn losses(&self, case: &impl Case, seed: u64) -> Result<Vec<String>> {
        let train = Train { seed, ..case.train(&self.train) };
        let candidates = case.candidates(&case.task(seed)?, &train)?;
        Ok(candidates.into_iter().map(|candidate| candidate.name).collect())
    }

    /// What of a case is not done: the seeds, and the case with the losses that one of them lacks.
    fn missing<'a, C: Case>(&self, case: &'a C, done: &Results) -> Result<(Vec<u64>, Chosen<'a, C>)> {
        let (setting, metric) = (case.setting(), case.metric());
        let begun = done.runs.iter().any(|run| run.setting == setting && run.metric == metric.name());
        let seed = match self.seeds.first() {
            Some(&seed) if begun => seed,
            _ => return Ok((self.seeds.clone(), Chosen { case, losses: None })),
        };
        // Some losses are learned to know their names: only where the answer depends on it.
        let losses = self.losses(case, seed)?.into_iter();
        let lacks = |loss: &String, seed: &u64| !done.contains(&setting, metric.name(), loss, *seed);
        let losses: Vec<String> = losses.filter(|loss| self.seeds.iter().any(|s| lacks(loss, s))).collect();
        let seeds = self.seeds.iter().copied().filter(|s| losses.iter().any(|loss| lacks(loss, s)));
        Ok((seeds.collect(), Chosen { case, losses: Some(losses) }))
    }

    /// The best learning rate of each candidate by the validation parts of the tuning seeds; of one rate there is no choice.
    ///
    /// # Errors
    /// [`Error::Parameter`] where no rate trains, and what data, training and learning have to say.
    pub fn tune(&self, case: &impl Case) -> Result<Vec<f64>> {
        self.tuned(case, None)
    }

    fn tuned(&self, case: &impl Case, folder: Option<&Path>) -> Result<Vec<f64>> {
        if let ([rate], [seed, ..]) = (&self.grid[..], &self.tuning_seeds[..]) {
            let train = Train { seed: *seed, ..case.train(&self.train) };
            return Ok(vec![*rate; case.candidates(&case.task(*seed)?, &train)?.len()]);
        }
        let seeds = self.tuning_seeds.par_iter();
        let scores = seeds.map(|&seed| self.validation(case, seed, folder)).collect::<Result<Vec<_>>>()?;
        let mut totals: Vec<Vec<f64>> = Vec::new();
        for scores in scores {
            totals.resize(scores.len(), vec![0.0; self.grid.len()]);
            for (totals, scores) in totals.iter_mut().zip(scores) {
                totals.iter_mut().zip(scores).for_each(|(total, score)| *total += score);
            }
        }
        let best = |totals: &Vec<f64>| {
            let best = totals.iter().zip(&self.grid).max_by(|a, b| a.0.total_cmp(b.0));
            best.filter(|(total, _)| total.is_finite()).map(|(_, &rate)| rate)
        };
        let rates: Option<Vec<f64>> = totals.iter().map(best).collect();
        rates.filter(|rates| !rates.is_empty()).ok_or_else(|| {
            Error::parameter(
                "grid",
                format!("no rate of {:?} trains over seeds {:?}", self.grid, self.tuning_seeds),
            )
        })
    }

    /// The validation metric (higher is better) of each candidate at each rate of the grid.
    fn validation<C: Case>(&self, case: &C, seed: u64, folder: Option<&Path>) -> Result<Vec<Vec<f64>>> {
        let (metric, task) = (case.metric(), case.task(seed)?.untested()?);
        let train = Train { seed, ..case.train(&self.train) };
        let folder = folder.map(|folder| folder.join("tuning"));
        let score = |candidate: &Candidate<C::Task>, learning_rate: f64| {
            let options = Train { learning_rate, ..train.clone() };
            let options = candidate.kept(options, case, folder.as_deref())?;
            match (candidate.train)(&task, metric.as_ref(), &options) {
                Ok(outcome) => Ok(metric.direction().sign() * outcome.validation),
                // A rate that does not train, or not to a value of the metric, is no choice.
                Err(Error::Diverged { .. } | Error::Undefined { .. }) => Ok(f64::NEG_INFINITY),
                Err(other) => Err(other),
            }
        };
        let curve =
            |candidate: &Candidate<C::Task>| self.grid.iter().map(|&rate| score(candidate, rate)).collect();
        case.candidates(&task, &train)?.iter().map(curve).collect()
    }

    /// Models of every seed trained with each candidate at its rate, as the candidate's name with an outcome a seed.
    ///
    /// # Errors
    /// What data, training and learning have to say.
    pub fn outcomes<C>(&self, case: &C, rates: &[f64]) -> Result<Vec<(String, Vec<Trained<C>>)>>
    where
        C: Case,
        Trained<C>: Send,
    {
        let mut of_losses: Vec<(String, Vec<Trained<C>>)> = Vec::new();
        for of_seed in per_seed(&self.seeds, |seed| self.of_seed(case, seed, rates, None))? {
            for (i, (name, outcome)) in of_seed.into_iter().enumerate() {
                match of_losses.get_mut(i) {
                    Some(of_loss) => of_loss.1.push(outcome),
                    None => of_losses.push((name, vec![outcome])),
                }
            }
        }
        Ok(of_losses)
    }

    fn of_seed<C: Case>(
        &self,
        case: &C,
        seed: u64,
        rates: &[f64],
        folder: Option<&Path>,
    ) -> Result<Vec<(String, Trained<C>)>> {
        let (metric, task) = (case.metric(), case.task(seed)?);
        let train = Train { seed, ..case.train(&self.train) };
        let candidates = case.candidates(&task, &train)?;
        if candidates.len() != rates.len() {
            return Err(Error::shape(
                "comparison",
                format!("{} learning rates", candidates.len()),
                rates.len(),
            ));
        }
        let folder = folder.map(|folder| seed_folder(folder, seed));
        let one = |(candidate, &learning_rate): (&Candidate<C::Task>, &f64)| {
            let options = Train { learning_rate, ..train.clone() };
            let options = candidate.kept(options, case, folder.as_deref())?;
            let outcome = (candidate.train)(&task, metric.as_ref(), &options)?;
            Ok((candidate.name.clone(), outcome))
        };
        candidates.iter().zip(rates).map(one).collect()
    }

    /// One run of every candidate on the task of one seed: an entry for the case's metric and each of those beside it.
    fn compare<C: Case>(
        &self,
        case: &C,
        seed: u64,
        rates: &[f64],
        folder: Option<&Path>,
    ) -> Result<Vec<Run>> {
        let (data, setting) = (case.data(), case.setting());
        let metrics: Vec<Arc<MetricOf<C::Task>>> = [case.metric()].into_iter().chain(case.beside()).collect();
        let mut runs = Vec::new();
        for (loss, outcome) in self.of_seed(case, seed, rates, folder)? {
            for metric in &metrics {
                runs.push(Run::judged((&data, &setting), &loss, metric.as_ref(), seed, &outcome)?);
            }
        }
        Ok(runs)
    }
}

/// Where the runs of a seed are kept.
fn seed_folder(folder: &Path, seed: u64) -> PathBuf {
    folder.join(format!("seed-{seed}"))
}
