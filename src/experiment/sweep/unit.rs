//! One run of a sweep, and the file of its results.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::Serialize;
use sha2::{Digest, Sha256};

use super::ground::runs;
use super::spec::{SweepLoss, SweepTask};
use crate::error::{Error, Result};
use crate::experiment::{Results, Run};
use crate::files;
use crate::metric::Direction;
use crate::surrogate::Learn;
use crate::task::Train;

/// One run: a loss on a task with a seed. It knows all of its options and needs nothing but itself.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Unit {
    /// A name is no part of what is run.
    #[serde(skip)]
    pub(super) name: String,
    pub(super) task: SweepTask,
    pub(super) loss: SweepLoss<Learn, Train>,
    pub(super) train: Train,
    pub(super) seed: u64,
}

/// The metric of the one entry that a failed run leaves.
const FAILED: &str = "failed";

impl Unit {
    /// The loss's name in the results.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The task's name in the results.
    pub fn setting(&self) -> String {
        self.task.name()
    }

    /// The seed.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// All options, as JSON: the same text for the same run.
    fn described(&self) -> Result<String> {
        serde_json::to_string(self).map_err(|e| Error::parameter("sweep", e))
    }

    /// The SHA-256 of this crate's version and all options, in hexadecimal: the name of the run's file, whatever the names of
    /// loss and product.
    ///
    /// # Errors
    /// [`Error::Parameter`] when the options cannot be written.
    pub fn address(&self) -> Result<String> {
        Ok(digest(format!("{} {}", env!("CARGO_PKG_VERSION"), self.described()?).as_bytes()))
    }

    /// Trains, and judges: an entry a metric, for a learned loss one more with its held-out Spearman, on samples that are the
    /// same for all losses of a task and seed.
    ///
    /// A run that diverges, or ends where a metric is undefined, is a result too: one entry, of the metric `failed`.
    ///
    /// # Errors
    /// What data, training and learning have to say otherwise.
    pub fn run(&self) -> Result<Results> {
        let made = match runs(self) {
            Err(error @ (Error::Diverged { .. } | Error::Undefined { .. })) => {
                println!("{self} failed: {error}");
                Ok(vec![self.entry(String::new(), FAILED, Direction::LowerIsBetter, 1.0)])
            }
            made => made,
        };
        Ok(Results { runs: made.map_err(|error| error.at(self))? })
    }

    /// An entry of the results.
    pub(super) fn entry(&self, model: String, metric: &str, direction: Direction, value: f64) -> Run {
        let (data, loss) = (self.task.data().to_string(), self.name.clone());
        Run {
            data,
            model,
            loss,
            metric: metric.to_string(),
            direction,
            setting: self.setting(),
            seed: self.seed,
            value,
        }
    }

    /// The file of the results in a folder.
    ///
    /// # Errors
    /// As [`Unit::address`].
    pub fn path(&self, folder: &Path) -> Result<PathBuf> {
        Ok(folder.join(format!("{}.csv", self.address()?)))
    }

    /// What the file holds: the results, above them what was run and, first, the SHA-256 of all that follows.
    fn file(&self, path: &Path, results: &Results) -> Result<Vec<u8>> {
        // Bytes depend on what is run alone: names are given anew when files are read.
        let nameless = |run: &Run| Run { loss: String::new(), ..run.clone() };
        let results = Results { runs: results.runs.iter().map(nameless).collect() };
        let whole =
            results.to_csv(path, &format!("reloss {} {}", env!("CARGO_PKG_VERSION"), self.described()?))?;
        Ok([format!("# {}\n", digest(&whole)).as_bytes(), &whole].concat())
    }

    /// Writes the results into a folder, atomically.
    ///
    /// # Errors
    /// [`Error::Io`] when the file cannot be written.
    pub(super) fn save(&self, folder: &Path, results: &Results) -> Result<()> {
        let path = self.path(folder)?;
        files::write_atomic(&path, &self.file(&path, results)?)
    }

    /// The results that a folder has of this run, under this unit's name; none where there is no file.
    ///
    /// # Errors
    /// [`Error::Data`] for a file that is not whole or of another run.
    pub(super) fn load(&self, folder: &Path) -> Result<Option<Results>> {
        let path = self.path(folder)?;
        if !path.exists() {
            return Ok(None);
        }
        let bytes = files::read(&path)?;
        let mut results = Results::parse(&bytes, &path)?;
        if self.file(&path, &results)? != bytes {
            return Err(Error::data(path, None, "it is cut off, changed, or of another run"));
        }
        results.runs.iter_mut().for_each(|run| run.loss = self.name.clone());
        Ok(Some(results))
    }
}

/// The SHA-256 of some bytes, in hexadecimal.
fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{} on {}, seed {}", self.name, self.setting(), self.seed)
    }
}
