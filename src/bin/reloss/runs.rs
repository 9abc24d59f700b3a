//! What all commands that train many models have in common.

use std::path::{Path, PathBuf};

use clap::Args;
use reloss::display::Table;
use reloss::experiment::{Comparison, Results};
use reloss::files::{create_folder, read, write_atomic};
use reloss::{Error, Result};

/// Which runs, and where they are kept.
#[derive(Args)]
pub(crate) struct Runs {
    /// Folder for results, figures and the state of the run; `out/` and the command's name, if not given.
    #[arg(long)]
    out: Option<PathBuf>,
    /// How many seeds each loss is run with, counted from --seed.
    #[arg(long)]
    seeds: Option<u64>,
    /// The first seed.
    #[arg(long, default_value_t = 0)]
    pub(crate) seed: u64,
    /// Continue what an interrupted run left in the folder.
    #[arg(long)]
    pub(crate) resume: bool,
}

impl Runs {
    /// The folder, made if it is missing.
    pub(crate) fn folder(&self, command: &str) -> Result<PathBuf> {
        let folder = self.out.clone().unwrap_or_else(|| Path::new("out").join(command));
        create_folder(&folder)?;
        Ok(folder)
    }

    /// The seeds, `usual` many if not said otherwise.
    pub(crate) fn seeds(&self, usual: u64) -> Result<Vec<u64>> {
        let count = self.seeds.unwrap_or(usual);
        match self.seed.checked_add(count).filter(|_| count > 0) {
            Some(end) => Ok((self.seed..end).collect()),
            None => {
                let reason = format!("{count} from {} on are no seeds", self.seed);
                Err(Error::Parameter { name: "seeds", reason })
            }
        }
    }

    /// What is done already, where it resumes; what a killed run left is removed where it does not.
    ///
    /// Results of a command with another value of one of the `fixed` options are refused: they are not told apart from those to
    /// come.
    pub(crate) fn done(&self, path: &Path, command: &str, fixed: &[&str]) -> Result<Results> {
        if !self.resume {
            Comparison::forget_runs(path)?;
        }
        if !self.resume || !path.exists() {
            return Ok(Results::default());
        }
        let text = String::from_utf8_lossy(&read(path)?).into_owned();
        for made in text.lines().map_while(|line| line.strip_prefix("# ")) {
            if fixed.iter().any(|name| value(made, name) != value(command, name)) {
                let reason =
                    format!("{} was made by `{made}`, not `{command}`: choose another --out", path.display());
                return Err(Error::Parameter { name: "resume", reason });
            }
        }
        Results::load(path)
    }

    /// Shows the results' table of differences to a loss, and writes it beside them.
    pub(crate) fn show(path: &Path, results: &Results, baseline: &str) -> Result<()> {
        let title = "test metric, mean ± sd over seeds; paired differences (positive: better)";
        let summary = results.summary(baseline)?;
        let rows = summary.height();
        let table = Table::new(summary, title).rows(rows);
        write_atomic(&path.with_extension("html"), table.html()?.as_bytes())?;
        println!("{}", table.text()?);
        println!("the results are in {}", path.display());
        Ok(())
    }

    /// The options that fix the seeds, as in the command that makes the results.
    pub(crate) fn options(&self, usual: u64) -> String {
        format!("--seeds {} --seed {}", self.seeds.unwrap_or(usual), self.seed)
    }
}

/// What follows an option in a command.
fn value<'a>(command: &'a str, option: &str) -> Option<&'a str> {
    command.split(" --").find_map(|words| words.strip_prefix(option)?.strip_prefix(' '))
}
