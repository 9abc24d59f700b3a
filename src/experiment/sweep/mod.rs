//! Sweeps: many runs from one declarative file, over processes and machines that share a folder and nothing else.

mod ground;
mod shard;
mod spec;
mod unit;

pub use shard::Shard;
pub use unit::Unit;

use std::collections::{HashMap, HashSet};
use std::path::Path;

use rayon::prelude::*;

use super::{Results, Run};
use crate::error::{Error, Result};
use crate::files;
use crate::progress::Progress;
use spec::{Product, Spec};

/// Runs of losses on tasks with seeds, as a file declares them.
///
/// # The file
/// JSON: a list of products, each of which runs all its losses on all its tasks with all its seeds. What a product leaves out
/// has its default; what it says that is not an option is an error that names it.
///
/// ```json
/// {"products": [{
///   "name": "penalty",
///   "tasks": [{"task": {"Digits": {"Noise": 0.4}}, "train": {"learning_rate": 0.008}}],
///   "losses": [
///     {"name": "cross-entropy", "loss": "Original"},
///     {"name": "λ = 1", "loss": {"Learned": {"learn": {"penalty": {"weight": 1}}}}},
///     {"name": "λ = 1, late", "loss": {"Learned": {"learn": {"penalty": {"weight": 1}}}}, "train": {"warm_up": 0.5}}
///   ],
///   "seeds": [0, 1, 2, 3, 4]
/// }]}
/// ```
///
/// - A task is `{"Digits": …}` with one of the regimes `"Clean"`, `{"Noise": 0.4}` and `{"LongTail": 20}`;
///   `{"Toy": {"data": "TwoMoons", "metric": "F1"}}` (or `BreastCancer`, `NoisyXor`; `ErrorRate`, `RocAuc`, `Jaccard`, `Matthews`);
///   `{"Figures": {"pictures": 240, "size": 64}}`; or `{"Reading": {"questions": 4000}}`. Beside it `train` has options of
///   [`Train`](crate::task::Train), `store` the same for the model whose predictions losses are learned from, `learn` options of
///   [`Learn`](crate::surrogate::Learn).
/// - A loss is `"Original"`, `"Remedy"` (smoothed labels or class weights, of digits) or `{"Learned": …}` with
///   - `learn` and `store`, which go over the task's,
///   - `samples`: `random`, the share that no model predicted, `rows`, and of classes `labels`
///     ([`Labels`](crate::sampler::Labels)),
///   - `form` of figures ([`PoseForm`](crate::surrogate::PoseForm)),
///   - `refresh` of classes, the epochs after which it is learned again ([`Refreshed`](crate::surrogate::Refreshed)),
///   - `beside`, the weight of the original loss added to it.
///
///   Beside it `train` goes over the task's.
///
/// # Runs and files
/// Every run is a [`Unit`] that needs nothing but its own options, and leaves one file, written atomically, whose name is the
/// SHA-256 of these and of this crate's version: what several products ask for is run once, what has its file is not run
/// again, and killing a process at any moment loses the runs in flight alone. Two processes that do the same unit write the
/// same bytes. A file that is cut off or changed is run again, with a note; [`Sweep::merge`] refuses it. Whoever changes the
/// code but not the version starts with an empty folder.
///
/// # On a cluster
/// Any number of processes share the folder `--out`; `--shard i/n` gives each its part, and whoever finds nothing missing at
/// its end merges. In a Slurm array and in an indexed Kubernetes Job the shard is known ([`Shard::of_job`]).
///
/// Slurm, `sbatch sweep.sh`:
/// ```sh
/// #!/bin/bash
/// #SBATCH --array=0-31
/// #SBATCH --cpus-per-task=1
/// RAYON_NUM_THREADS=$SLURM_CPUS_PER_TASK reloss sweep ablations.json --out /shared/ablations
/// ```
///
/// Kubernetes, `kubectl apply -f sweep.yaml`:
/// ```yaml
/// apiVersion: batch/v1
/// kind: Job
/// metadata: {name: ablations}
/// spec:
///   completionMode: Indexed
///   completions: 32
///   parallelism: 32
///   template:
///     spec:
///       restartPolicy: OnFailure
///       containers:
///       - name: reloss
///         image: registry.example/reloss
///         command: [reloss, sweep, /shared/ablations.json, --out, /shared/ablations]
///         env: [{name: RELOSS_SHARDS, value: "32"}]
///         volumeMounts: [{name: shared, mountPath: /shared}]
///       volumes: [{name: shared, persistentVolumeClaim: {claimName: shared}}]
/// ```
///
/// GNU parallel, eight processes of one thread on one machine:
/// ```sh
/// seq 0 31 | RAYON_NUM_THREADS=1 parallel -j 8 reloss sweep ablations.json --out ablations --shard {}/32
/// ```
///
/// Ray:
/// ```python
/// import ray, subprocess
/// @ray.remote(num_cpus=1)
/// def shard(i, n):
///     command = ["reloss", "sweep", "ablations.json", "--out", "/shared/ablations", "--shard", f"{i}/{n}"]
///     subprocess.run(command, check=True)
/// ray.get([shard.remote(i, 32) for i in range(32)])
/// ```
///
/// # Example
/// ```
/// use reloss::experiment::{Shard, Sweep};
/// let folder = tempfile::tempdir().expect("a folder");
/// let file = folder.path().join("sweep.json");
/// let task = r#"{"task": {"Digits": "Clean"}, "train": {"epochs": 1}}"#;
/// let losses = r#"{"name": "ce", "loss": "Original"}"#;
/// let product = format!(r#"{{"name": "all", "tasks": [{task}], "losses": [{losses}], "seeds": [0, 1]}}"#);
/// reloss::files::write_atomic(&file, format!(r#"{{"products": [{product}]}}"#).as_bytes())?;
/// let sweep = Sweep::read(&file)?;
/// // Two processes, here one after the other.
/// sweep.run(folder.path(), Shard::new(0, 2)?)?;
/// assert_eq!(sweep.missing(folder.path(), Shard::WHOLE)?.len(), 1);
/// sweep.run(folder.path(), Shard::new(1, 2)?)?;
/// let frame = sweep.merge(folder.path())?.frame()?;
/// assert_eq!(frame.height(), 2);
/// # Ok::<(), reloss::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Sweep {
    products: Vec<Product>,
}

impl Sweep {
    /// Reads a file.
    ///
    /// # Errors
    /// [`Error::Io`] for a missing file; [`Error::Data`] with the line and the path inside it for what is no option or out of
    /// place, and for two products of one name, or two different runs of one.
    pub fn read(path: &Path) -> Result<Self> {
        let Spec { products } = files::json(path)?;
        let sweep = Self { products };
        let refuse = |reason: String| Error::data(path, None, reason);
        for (i, product) in sweep.products.iter().enumerate() {
            if sweep.products[..i].iter().any(|before| before.name == product.name) {
                return Err(refuse(format!(
                    "products[{i}]: a product before it is called {} too",
                    product.name
                )));
            }
        }
        match sweep.units() {
            Ok(units) if units.is_empty() => Err(refuse("there is nothing to run".to_string())),
            Ok(_) => Ok(sweep),
            Err(error) => Err(refuse(error.to_string())),
        }
    }

    /// The products' names, in their order.
    pub fn names(&self) -> Vec<String> {
        self.products.iter().map(|product| product.name.clone()).collect()
    }

    /// One of the products.
    ///
    /// # Errors
    /// [`Error::Parameter`] when none has this name.
    pub fn product(&self, name: &str) -> Result<Self> {
        match self.products.iter().find(|product| product.name == name) {
            Some(product) => Ok(Self { products: vec![product.clone()] }),
            None => {
                let reason = format!("none is called {name}: {}", self.names().join("; "));
                Err(Error::parameter("product", reason))
            }
        }
    }

    /// The same runs with these seeds.
    pub fn with_seeds(mut self, seeds: Vec<u64>) -> Self {
        self.products.iter_mut().for_each(|product| product.seeds = seeds.clone());
        self
    }

    /// All runs, by product, task, loss and seed; what occurs again under the same name is left out.
    ///
    /// # Errors
    /// [`Error::Parameter`] for two different runs of one name, task and seed.
    pub fn units(&self) -> Result<Vec<Unit>> {
        let (mut units, mut seen) = (Vec::new(), HashMap::new());
        for product in &self.products {
            for unit in product.units()? {
                let key = (unit.setting(), unit.name().to_string(), unit.seed());
                match seen.insert(key, unit.address()?) {
                    None => units.push(unit),
                    Some(before) if before == unit.address()? => {}
                    Some(_) => {
                        let reason = format!("{}: two different runs are called {unit}", product.name);
                        return Err(Error::parameter("sweep", reason));
                    }
                }
            }
        }
        Ok(units)
    }

    /// The runs of a shard of which a folder has no file that is whole; each file once, whatever the names.
    ///
    /// # Errors
    /// As [`Sweep::units`], and [`Error::Io`] for a file that cannot be read.
    pub fn missing(&self, folder: &Path, shard: Shard) -> Result<Vec<Unit>> {
        let (mut missing, mut seen) = (Vec::new(), HashSet::new());
        for unit in self.units()? {
            if !seen.insert(unit.address()?) || !shard.contains(seen.len() - 1) {
                continue;
            }
            match unit.load(folder) {
                Ok(Some(_)) => continue,
                Ok(None) => {}
                Err(error @ Error::Data { .. }) => println!("{error}: it is run again"),
                Err(error) => return Err(error),
            }
            missing.push(unit);
        }
        Ok(missing)
    }

    /// Runs what is missing of a shard in a folder, as many at a time as there are threads.
    ///
    /// # Errors
    /// As [`Sweep::missing`] and [`Unit::run`]; [`Error::Io`] when a file cannot be written.
    pub fn run(&self, folder: &Path, shard: Shard) -> Result<()> {
        let missing = self.missing(folder, shard)?;
        let mut progress = Progress::new("sweep", missing.len());
        let mut done = 0;
        for together in missing.chunks(rayon::current_num_threads()) {
            together.par_iter().try_for_each(|unit| unit.save(folder, &unit.run()?))?;
            done += together.len();
            progress.step(done, || together[0].to_string());
        }
        progress.finish();
        Ok(())
    }

    /// All results of a folder, in the order of the file, whichever process they come from.
    ///
    /// # Errors
    /// [`Error::Undefined`] with the number of runs that are missing and the first of them, [`Error::Data`] for a file that is
    /// not whole.
    pub fn merge(&self, folder: &Path) -> Result<Results> {
        let units = self.units()?;
        let (mut results, mut missing) = (Results::default(), Vec::new());
        for unit in &units {
            match unit.load(folder)? {
                Some(of_unit) => results.runs.extend(of_unit.runs),
                None => missing.push(unit),
            }
        }
        match missing.first() {
            None => Ok(results),
            Some(first) => {
                let reason =
                    format!("{} of {} runs are missing, the first: {first}", missing.len(), units.len());
                Err(Error::undefined("merged sweep", reason))
            }
        }
    }

    /// Of the results of a larger sweep those of these runs.
    ///
    /// # Errors
    /// [`Error::Undefined`] for a run that has none.
    pub fn of(&self, results: &Results) -> Result<Results> {
        let mut found = Results::default();
        for unit in self.units()? {
            let setting = unit.setting();
            let own = |run: &&Run| run.loss == unit.name && run.setting == setting && run.seed == unit.seed;
            let before = found.runs.len();
            found.runs.extend(results.runs.iter().filter(own).cloned());
            if found.runs.len() == before {
                return Err(Error::undefined("sweep", format!("there are no results of {unit}")));
            }
        }
        Ok(found)
    }

    /// The results of all runs, which are all run anew; no file is read or written.
    ///
    /// # Errors
    /// As [`Unit::run`].
    pub fn results(&self) -> Result<Results> {
        let runs = self.units()?.iter().map(|unit| Ok(unit.run()?.runs)).collect::<Result<Vec<_>>>()?;
        Ok(Results { runs: runs.concat() })
    }
}
