//! `reloss translate`: cross-entropy and bags of n-grams against losses learned for BLEU.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use reloss::data::Vocabulary;
use reloss::experiment::{Case, TranslationCase, TranslationGround};
use reloss::model::{Transformer, TransformerConfig};
use reloss::Result;

use crate::runs::Runs;

/// Seeds, if not said otherwise.
const SEEDS: u64 = 3;

#[derive(Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    runs: Runs,
    /// A folder with `train.tsv`, `dev.tsv` and `test.tsv`, two languages separated by a tab. Without it, the generated
    /// grammar of English and Romanian.
    #[arg(long)]
    text: Option<PathBuf>,
    /// The languages of the two columns.
    #[arg(long, num_args = 2, default_values_t = ["en".to_string(), "ro".to_string()], requires = "text")]
    languages: Vec<String>,
    /// Epochs of each run, the teacher's too; that of the ground, if not given.
    #[arg(long)]
    epochs: Option<usize>,
    /// The models' size, the teacher's too.
    #[arg(long, value_enum, default_value_t = Size::Small)]
    size: Size,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Size {
    /// What two cores train on this text: up to 64 wide, 2 + 2 layers.
    Small,
    /// The paper's NAT-Base: 512 wide, 6 + 6 layers. Wants a GPU.
    Paper,
}

impl Arguments {
    fn ground(&self) -> Result<TranslationGround> {
        let mut ground = match &self.text {
            Some(folder) => TranslationGround::read(folder, [&self.languages[0], &self.languages[1]])?,
            None => TranslationGround::grammar()?,
        };
        if self.size == Size::Paper {
            ground.config = TransformerConfig::paper;
        }
        if let Some(epochs) = self.epochs {
            ground.teacher.epochs = epochs;
            ground.train.epochs = epochs;
        }
        Ok(ground)
    }

    /// The command that makes these results, but for where the text lies.
    fn command(&self) -> String {
        let name = |folder: &PathBuf| folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let text = self.text.as_ref().map_or(String::new(), |folder| format!(" --text {}", name(folder)));
        let epochs = self.epochs.map_or(String::new(), |epochs| format!(" --epochs {epochs}"));
        let size = if self.size == Size::Paper { " --size paper" } else { "" };
        format!("cargo run --release -- translate {}{text}{epochs}{size}", self.runs.options(SEEDS))
    }
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let seeds = arguments.runs.seeds(SEEDS)?;
    let out = arguments.runs.folder("translate")?;
    let path = out.join("translation.csv");
    let ground = arguments.ground()?;
    let words = out.join("vocabulary.json");
    if arguments.runs.resume && words.exists() {
        ground.vocabulary.check(&words, Vocabulary::load(&words)?.fingerprint())?;
    }
    ground.vocabulary.save(&words)?;
    let mut cases = Vec::new();
    for ground in [ground.clone(), ground.reversed()] {
        let kept = out.join(format!("teacher-{}.safetensors", ground.parts[0].languages().join("-")));
        let left = (arguments.runs.resume && kept.exists()).then(|| Transformer::load(&kept)).transpose()?;
        let (case, teacher) = TranslationCase::new(&ground, left)?;
        teacher.save(&kept)?;
        println!("{}: pairs left out as too long {:?}", case.setting(), case.task.skipped());
        println!("{}: BLEU of the teacher {:.1}", case.setting(), 100.0 * case.taught(&teacher)?);
        cases.push(case);
    }
    let cases = TranslationCase::with_losses(cases)?;
    let comparison = cases[0].comparison(seeds);
    arguments.runs.compare(&path, "cross_entropy", |done| {
        comparison.run("translate", &cases, done, Some(&path), &arguments.command())
    })
}
