//! `reloss score`: predictions in files.

use std::path::{Path, PathBuf};

use clap::Subcommand;
use reloss::data::{coco_annotations, coco_detections, lines, predicted_answers, questions};
use reloss::display::Table;
use reloss::experiment::Score;
use reloss::metric::{Bleu, Oks, Tokenizer};
use reloss::{Error, Result};

#[derive(Subcommand)]
pub(crate) enum Arguments {
    /// BLEU and chrF of text files, a segment a line.
    Translations {
        /// The translations.
        hypotheses: PathBuf,
        /// One file of references or more.
        #[arg(required = true)]
        references: Vec<PathBuf>,
        /// How lines become tokens.
        #[arg(long, value_enum, default_value_t = TokenizerName::V13a)]
        tokenizer: TokenizerName,
        /// Ignore case.
        #[arg(long)]
        lowercase: bool,
    },
    /// ROUGE-1, 2 and L of text files, a summary a line.
    Summaries {
        /// The summaries.
        hypotheses: PathBuf,
        /// One file of references or more.
        #[arg(required = true)]
        references: Vec<PathBuf>,
    },
    /// Exact match and F1 of answers: a JSON object of texts by question id.
    Answers {
        /// The answers.
        predictions: PathBuf,
        /// The questions, in SQuAD's form.
        questions: PathBuf,
        /// Judge as CMRC and DuReader do.
        #[arg(long)]
        chinese: bool,
    },
    /// Average precision of keypoints in COCO's form.
    Keypoints {
        /// The detections.
        detections: PathBuf,
        /// The annotations.
        annotations: PathBuf,
        /// The spread of every keypoint, for others than COCO's 17 of a person.
        #[arg(long, num_args = 1.., value_delimiter = ',')]
        sigmas: Option<Vec<f64>>,
    },
}

#[derive(Clone, Copy, clap::ValueEnum)]
pub(crate) enum TokenizerName {
    #[value(name = "13a")]
    V13a,
    Intl,
    Char,
    None,
}

impl TokenizerName {
    fn tokenizer(self) -> Tokenizer {
        match self {
            Self::V13a => Tokenizer::V13a,
            Self::Intl => Tokenizer::International,
            Self::Char => Tokenizer::Character,
            Self::None => Tokenizer::Whitespace,
        }
    }
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let scores = match arguments {
        Arguments::Translations { hypotheses, references, tokenizer, lowercase } => {
            let bleu = Bleu { tokenizer: tokenizer.tokenizer(), lowercase: *lowercase, ..Bleu::default() };
            let texts = Texts::read(hypotheses, references)?;
            Score::translations(&bleu, &texts.hypotheses(), &texts.references())?
        }
        Arguments::Summaries { hypotheses, references } => {
            let texts = Texts::read(hypotheses, references)?;
            Score::summaries(&texts.hypotheses(), &texts.references())?
        }
        Arguments::Answers { predictions, questions: gold, chinese } => {
            Score::answers(&questions(gold)?, &predicted_answers(predictions)?, *chinese)?
        }
        Arguments::Keypoints { detections, annotations, sigmas } => {
            let oks = sigmas.as_ref().map_or_else(Oks::default, |sigmas| Oks { sigmas: sigmas.clone() });
            Score::keypoints(&oks, &coco_annotations(annotations)?, &coco_detections(detections)?)?
        }
    };
    let table = Table::new(Score::frame(&scores)?, "from 0 to 100, higher is better");
    let table = ["value", "95 %, from", "to"].iter().fold(table, |table, name| table.decimals(name, 2));
    println!("{}", table.text()?);
    Ok(())
}

/// Lines of a file, and of one with references or more.
struct Texts {
    hypotheses: Vec<String>,
    references: Vec<Vec<String>>,
}

impl Texts {
    /// Refuses a file of references that has not as many lines.
    fn read(hypotheses: &Path, references: &[PathBuf]) -> Result<Self> {
        let hypotheses = lines(hypotheses)?;
        let read = |path: &PathBuf| {
            let read = lines(path)?;
            match read.len() == hypotheses.len() {
                true => Ok(read),
                false => {
                    let reason = format!("{} lines for {} hypotheses", read.len(), hypotheses.len());
                    Err(Error::Data { path: path.clone(), line: None, reason })
                }
            }
        };
        let references = references.iter().map(read).collect::<Result<_>>()?;
        Ok(Self { hypotheses, references })
    }

    fn hypotheses(&self) -> Vec<&str> {
        self.hypotheses.iter().map(String::as_str).collect()
    }

    fn references(&self) -> Vec<Vec<&str>> {
        let of = |line: usize| self.references.iter().map(|file| file[line].as_str()).collect();
        (0..self.hypotheses.len()).map(of).collect()
    }
}
