//! `reloss translate`: cross-entropy and bags of n-grams against losses learned for BLEU.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use reloss::data::Vocabulary;
use reloss::experiment::{Case, Comparison, TranslationCase, TranslationGround};
use reloss::files::create_folder;
use reloss::model::{Transformer, TransformerConfig};
use reloss::task::Train;
use reloss::Result;

use crate::runs::Runs;

/// Seeds, if not said otherwise.
const SEEDS: u64 = 3;

/// Options that runs depend on and that no column of the results names.
const FIXED: [&str; 3] = ["epochs", "patience", "size"];

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
    /// Epochs without a better BLEU on the validation part after which a run stops with its best model, the teacher's too; 0
    /// makes all epochs. That of the ground, if not given: 0, and 5 for the teacher of a text.
    #[arg(long)]
    patience: Option<usize>,
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
        if let Some(patience) = self.patience {
            ground.teacher.patience = patience;
            ground.train.patience = patience;
        }
        Ok(ground)
    }

    /// The command that makes these results, but for where the text lies.
    fn command(&self) -> String {
        let name = |folder: &PathBuf| folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let text = self.text.as_ref().map_or(String::new(), |folder| format!(" --text {}", name(folder)));
        let epochs = self.epochs.map_or(String::new(), |epochs| format!(" --epochs {epochs}"));
        let patience = self.patience.map_or(String::new(), |patience| format!(" --patience {patience}"));
        let size = if self.size == Size::Paper { " --size paper" } else { "" };
        format!("cargo run --release -- translate {}{text}{epochs}{patience}{size}", self.runs.options(SEEDS))
    }
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let seeds = arguments.runs.seeds(SEEDS)?;
    let out = arguments.runs.folder("translate")?;
    let path = out.join("translation.csv");
    let done = arguments.runs.done(&path, &arguments.command(), &FIXED)?;
    let ground = arguments.ground()?;
    let words = out.join("vocabulary.json");
    if arguments.runs.resume && words.exists() {
        ground.vocabulary.check(&words, Vocabulary::load(&words)?.fingerprint())?;
    }
    ground.vocabulary.save(&words)?;
    let begun = Comparison::runs_folder(&path);
    create_folder(&begun)?;
    let mut cases = Vec::new();
    for mut ground in [ground.clone(), ground.reversed()] {
        let file = format!("teacher-{}.safetensors", ground.parts[0].languages().join("-"));
        let kept = out.join(&file);
        let left = (arguments.runs.resume && kept.exists()).then(|| Transformer::load(&kept)).transpose()?;
        let (checkpoint, resume) = (Some(begun.join(file)), arguments.runs.resume);
        ground.teacher = Train { checkpoint, resume, ..ground.teacher };
        let (case, teacher) = TranslationCase::new(&ground, left)?;
        teacher.save(&kept)?;
        println!("{}: pairs left out as too long {:?}", case.setting(), case.task.skipped());
        println!("{}: BLEU of the teacher {:.1}", case.setting(), 100.0 * case.taught(&teacher)?);
        cases.push(case);
    }
    let cases = TranslationCase::with_losses(cases)?;
    let comparison = cases[0].comparison(seeds);
    let results = comparison.run("translate", &cases, done, Some(&path), &arguments.command())?;
    Runs::show(&path, &results, "cross_entropy")
}
