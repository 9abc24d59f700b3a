//! `reloss sweep`: the runs a file declares, over any number of processes.

use std::path::{Path, PathBuf};

use clap::Args;
use reloss::experiment::{Shard, Sweep};
use reloss::files::create_folder;
use reloss::{Error, Result};

#[derive(Args)]
pub(crate) struct Arguments {
    /// The JSON file that declares the runs; its form is in the documentation of `experiment::Sweep`.
    spec: PathBuf,
    /// Folder for a file a run and for all results, shared by all processes; `out/sweep/` and the file's name, if not given.
    #[arg(long)]
    out: Option<PathBuf>,
    /// The part of the runs this process does, such as 0/4; that of SLURM_ARRAY_TASK_ID or JOB_COMPLETION_INDEX (of
    /// RELOSS_SHARDS) if not given, all of them where neither is set.
    #[arg(long)]
    shard: Option<String>,
    /// Only list what is missing.
    #[arg(long)]
    dry_run: bool,
}

impl Arguments {
    /// What this process does.
    fn shard(&self) -> Result<Shard> {
        match &self.shard {
            Some(text) => text.parse(),
            None => Ok(Shard::of_job(|name| std::env::var(name).ok())?.unwrap_or(Shard::WHOLE)),
        }
    }

    /// The file's name without its extension.
    fn name(&self) -> Result<&Path> {
        let name = self.spec.file_stem().map(Path::new);
        name.ok_or_else(|| Error::Parameter { name: "spec", reason: "it has no name".to_string() })
    }
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let (sweep, shard, name) = (Sweep::read(&arguments.spec)?, arguments.shard()?, arguments.name()?);
    let out = arguments.out.clone().unwrap_or_else(|| Path::new("out/sweep").join(name));
    let runs = out.join("runs");
    if arguments.dry_run {
        let missing = sweep.missing(&runs, shard)?;
        missing.iter().for_each(|unit| println!("{unit}"));
        println!("{} runs are missing", missing.len());
        return Ok(());
    }
    create_folder(&runs)?;
    sweep.run(&runs, shard)?;
    let missing = sweep.missing(&runs, Shard::WHOLE)?.len();
    if missing > 0 {
        println!("{missing} runs of other shards are missing: the last shard to end merges all");
        return Ok(());
    }
    let path = out.join(format!("{}.csv", name.display()));
    let command = format!("cargo run --release -- sweep {}", arguments.spec.display());
    sweep.merge(&runs)?.save(&path, &command)?;
    println!("the results are in {}", path.display());
    Ok(())
}
