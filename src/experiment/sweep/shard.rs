//! Which part of a sweep a process does.

use std::str::FromStr;

use crate::error::{Error, Result};

/// A part of a sweep: of its units, numbered from 0, those that leave `index` when divided by `count`.
///
/// # Example
/// ```
/// use reloss::experiment::Shard;
/// let shard: Shard = "1/3".parse()?;
/// assert_eq!((shard.index(), shard.count()), (1, 3));
/// assert!("3/3".parse::<Shard>().is_err());
/// # Ok::<(), reloss::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    index: usize,
    count: usize,
}

/// How many shards there are, where a scheduler does not say.
const SHARDS: &str = "RELOSS_SHARDS";
/// The number of a task of a Slurm array; its first, how far they are apart, and how many there are.
const SLURM: [&str; 4] =
    ["SLURM_ARRAY_TASK_ID", "SLURM_ARRAY_TASK_MIN", "SLURM_ARRAY_TASK_STEP", "SLURM_ARRAY_TASK_COUNT"];
/// The number of a pod of an indexed Kubernetes Job.
const KUBERNETES: &str = "JOB_COMPLETION_INDEX";

impl Shard {
    /// All of a sweep.
    pub const WHOLE: Self = Self { index: 0, count: 1 };

    /// The part `index`, from 0, of `count`.
    ///
    /// # Errors
    /// [`Error::Parameter`] for an index that is not below the count.
    pub fn new(index: usize, count: usize) -> Result<Self> {
        match index < count {
            true => Ok(Self { index, count }),
            false => Err(refused(format!("{index}/{count}: shards count from 0 to below their number"))),
        }
    }

    /// Which part, from 0.
    pub fn index(&self) -> usize {
        self.index
    }

    /// Of how many.
    pub fn count(&self) -> usize {
        self.count
    }

    /// The shard a cluster's scheduler asks for, by the environment variables it sets; none outside of one.
    ///
    /// A task of a Slurm array takes its place in the array, of as many as there are. The pod of an indexed Kubernetes Job
    /// takes its completion index; how many there are is then in `RELOSS_SHARDS`. Where that is set in a Slurm array, task ids
    /// are the shards as they are, so that a part of an array can be started again.
    ///
    /// # Errors
    /// [`Error::Parameter`] for a variable that is no number or missing, for a shard that is not below their number, and where
    /// both schedulers ask.
    ///
    /// # Example
    /// ```
    /// use reloss::experiment::Shard;
    /// let set = |name: &str| match name {
    ///     "JOB_COMPLETION_INDEX" => Some("4".to_string()),
    ///     "RELOSS_SHARDS" => Some("10".to_string()),
    ///     _ => None,
    /// };
    /// assert_eq!(Shard::of_job(set)?, Some(Shard::new(4, 10)?));
    /// assert_eq!(Shard::of_job(|_| None)?, None);
    /// # Ok::<(), reloss::Error>(())
    /// ```
    pub fn of_job(variable: impl Fn(&str) -> Option<String>) -> Result<Option<Self>> {
        let number = |name: &str| -> Result<Option<usize>> {
            let parse = |text: String| {
                text.trim().parse().map_err(|_| refused(format!("{name} is `{text}`, which is no number")))
            };
            variable(name).map(parse).transpose()
        };
        let needed = |name: &str| number(name)?.ok_or_else(|| refused(format!("{name} is not set")));
        match (number(SLURM[0])?, number(KUBERNETES)?) {
            (None, None) => Ok(None),
            (Some(_), Some(_)) => {
                Err(refused(format!("{} and {KUBERNETES} are both set: give --shard i/n", SLURM[0])))
            }
            (None, Some(index)) => Self::new(index, needed(SHARDS)?).map(Some),
            (Some(id), None) => match number(SHARDS)? {
                Some(count) => Self::new(id, count).map(Some),
                None => {
                    let first = number(SLURM[1])?.unwrap_or(0);
                    let step = number(SLURM[2])?.unwrap_or(1).max(1);
                    let index = id.checked_sub(first).filter(|after| after % step == 0).map(|a| a / step);
                    let place = index.ok_or_else(|| {
                        refused(format!("{} {id} is not of an array from {first} by {step}", SLURM[0]))
                    })?;
                    Self::new(place, needed(SLURM[3])?).map(Some)
                }
            },
        }
    }

    /// Whether the unit of this number, from 0, is of this shard.
    pub fn contains(&self, unit: usize) -> bool {
        unit % self.count == self.index
    }
}

fn refused(reason: String) -> Error {
    Error::parameter("shard", reason)
}

impl FromStr for Shard {
    type Err = Error;

    /// From `i/n`.
    fn from_str(text: &str) -> Result<Self> {
        let parts = text.split_once('/').and_then(|(i, n)| Some((i.parse().ok()?, n.parse().ok()?)));
        let (index, count) = parts.ok_or_else(|| refused(format!("`{text}` is not i/n, such as 0/4")))?;
        Self::new(index, count)
    }
}
