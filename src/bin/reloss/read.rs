//! `reloss read`: cross-entropy and the expected overlap against losses learned for F1.

use std::path::PathBuf;
use std::sync::Arc;

use clap::{Args, ValueEnum};
use reloss::data::{ReadingSet, Unfit};
use reloss::experiment::{ReadingCase, ReadingGround};
use reloss::metric::AnswerScript;
use reloss::model::ReaderConfig;
use reloss::{Error, Result};

use crate::runs::Runs;

/// Seeds, if not said otherwise.
const SEEDS: u64 = 3;

/// Options that runs depend on and that no column of the results names.
const FIXED: [&str; 3] = ["vectors", "epochs", "size"];

#[derive(Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    runs: Runs,
    /// Questions in the form of SQuAD, in a language that writes spaces, judged by SQuAD's script; may be repeated. Without
    /// files, generated passages.
    #[arg(long)]
    words: Vec<PathBuf>,
    /// Questions in the form of SQuAD in Chinese, judged by the script of CMRC 2018; may be repeated.
    #[arg(long)]
    chinese: Vec<PathBuf>,
    /// Questions in DuReader's form, lines of JSON, judged by its ROUGE-L and CMRC's F1; may be repeated.
    #[arg(long)]
    dureader: Vec<PathBuf>,
    /// Generated passages beside the files.
    #[arg(long)]
    world: bool,
    /// Pretrained word vectors as text: a word and its numbers a line. Models start from them.
    #[arg(long)]
    vectors: Option<PathBuf>,
    /// Epochs of each run; that of the ground, if not given.
    #[arg(long)]
    epochs: Option<usize>,
    /// The readers' size.
    #[arg(long, value_enum, default_value_t = Size::Small)]
    size: Size,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Size {
    /// What two cores train: 64 wide, 1 + 2 layers.
    Small,
    /// 256 wide, 2 + 4 layers, 300 numbers a word. Wants a GPU.
    Large,
}

impl Arguments {
    fn grounds(&self) -> Result<Vec<ReadingGround>> {
        let mut grounds = Vec::new();
        let files = [&self.words, &self.chinese, &self.dureader];
        if self.world || files.iter().all(|files| files.is_empty()) {
            grounds.push(ReadingGround::world()?);
        }
        for (files, script) in [(&self.words, AnswerScript::Words), (&self.chinese, AnswerScript::Chinese)] {
            for file in files {
                grounds.push(ReadingGround::read(file, script)?);
            }
        }
        for file in &self.dureader {
            grounds
                .push(ReadingGround::new(&ReadingSet::dureader(file, Unfit::Skip)?, AnswerScript::Chinese)?);
        }
        for ground in &mut grounds {
            if self.size == Size::Large {
                ground.config = ReaderConfig::large;
            }
            if let Some(epochs) = self.epochs {
                ground.train.epochs = epochs;
            }
        }
        let mut names: Vec<&str> = grounds.iter().map(ReadingGround::name).collect();
        names.sort_unstable();
        match names.windows(2).find(|two| two[0] == two[1]) {
            Some(two) => {
                let reason = format!("two sets are called {}: rename a file", two[0]);
                Err(Error::Parameter { name: "words", reason })
            }
            None => Ok(grounds),
        }
    }

    /// The command that makes these results, but for where the files lie.
    fn command(&self) -> String {
        let name = |file: &PathBuf| file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let files = |option: &str, files: &[PathBuf]| -> String {
            files.iter().map(|file| format!(" --{option} {}", name(file))).collect()
        };
        let world = if self.world { " --world" } else { "" };
        let vectors = files("vectors", self.vectors.as_slice());
        let epochs = self.epochs.map_or(String::new(), |epochs| format!(" --epochs {epochs}"));
        let size = if self.size == Size::Large { " --size large" } else { "" };
        let (words, chinese) = (files("words", &self.words), files("chinese", &self.chinese));
        let dureader = files("dureader", &self.dureader);
        let runs = self.runs.options(SEEDS);
        format!("cargo run --release -- read {runs}{world}{words}{chinese}{dureader}{vectors}{epochs}{size}")
    }
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let seeds = arguments.runs.seeds(SEEDS)?;
    let out = arguments.runs.folder("read")?;
    let path = out.join("reading.csv");
    let done = arguments.runs.done(&path, &arguments.command(), &FIXED)?;
    let mut cases = Vec::new();
    for ground in arguments.grounds()? {
        println!("{}: {}", ground.name(), ground.parts[0].report());
        let read = |file: &PathBuf| ground.vectors(file).map(Arc::new);
        let vectors = arguments.vectors.as_ref().map(read).transpose()?;
        let case = ReadingCase::new(&ground, vectors)?;
        let [train, ..] = case.task.parts();
        println!(
            "{}: {} windows to learn from, {} without an answer, {} answers cut, {} questions cut",
            ground.name(),
            train.answerable().len(),
            train.without_answer(),
            train.cut_answers(),
            train.cut_questions()
        );
        cases.push(case);
    }
    let cases = ReadingCase::with_losses(cases)?;
    let comparison = cases[0].comparison(seeds);
    let results = comparison.run("read", &cases, done, Some(&path), &arguments.command())?;
    Runs::show(&path, &results, "cross_entropy")
}
