//! The experiments from a terminal, with progress bars, resumable.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use reloss::data::{coco_annotations, coco_detections, lines, predicted_answers, questions, Dataset, Split};
use reloss::display::{training_curves, Best, Table};
use reloss::experiment::{learn_loss, Case, Classify, CompareSorters, Ground, Results, Score, Setting, Toy};
use reloss::files::{create_folder, write_atomic};
use reloss::loss::CrossEntropy;
use reloss::metric::{Bleu, ClassMetric, Metric, Oks, Tokenizer};
use reloss::sampler::Sampler;
use reloss::sort::Network;
use reloss::surrogate::Learn;
use reloss::task::{Train, TrainSorting};
use reloss::{Error, Result};

/// Learn a differentiable loss for a metric, and train with it.
#[derive(Parser)]
#[command(version, about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Digits: learn a loss for the metric, report on it, compare it with cross-entropy.
    Classify(ClassifyArguments),
    /// Two classes and five metrics: losses learned by rank, by value and in alternation.
    Toy(ToyArguments),
    /// Losses of several papers where they play: imbalanced classes, long tails, retrieval.
    Baselines(BaselinesArguments),
    /// Four-digit numbers: read them off images, supervised by their order alone; relaxations compared.
    SortNumbers(SortArguments),
    /// Predictions in files: their metrics with 95 % bootstrap intervals.
    #[command(subcommand)]
    Score(ScoreArguments),
}

#[derive(Subcommand)]
enum ScoreArguments {
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
enum TokenizerName {
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

#[derive(Args)]
struct ClassifyArguments {
    /// Folder for figures, tables, the learned loss and the results.
    #[arg(long, default_value = "out/classify")]
    out: PathBuf,
    /// How many seeds each loss is run with, counted from --seed.
    #[arg(long, default_value_t = 5)]
    seeds: u64,
    /// The first seed.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Continue what an interrupted run left in the folder.
    #[arg(long)]
    resume: bool,
    /// Only the regimes whose name contains this, such as `clean` or `noise`.
    #[arg(long)]
    setting: Option<String>,
}

#[derive(Args)]
struct ToyArguments {
    /// A data set of two classes more, as CSV (label last) or in LIBSVM form.
    #[arg(long)]
    data: Option<PathBuf>,
    /// Folder for the table and the results.
    #[arg(long, default_value = "out/toy")]
    out: PathBuf,
    /// How many seeds each loss is run with, counted from --seed.
    #[arg(long, default_value_t = 10)]
    seeds: u64,
    /// The first seed.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Only the metrics whose name contains this, such as `F1`.
    #[arg(long)]
    metric: Option<String>,
    /// All three data sets; without it, breast cancer alone.
    #[arg(long)]
    full: bool,
    /// Continue what an interrupted run left in the folder.
    #[arg(long)]
    resume: bool,
}

impl ToyArguments {
    /// What is asked for.
    fn cases(&self) -> Result<Vec<Toy>> {
        let mut sets = vec![Dataset::breast_cancer()?];
        if self.full {
            sets.extend([Dataset::two_moons(600, 0.3, 0)?, Dataset::noisy_xor(600, 0.6, 0)?]);
        }
        if let Some(path) = &self.data {
            sets.push(Dataset::read(path)?);
        }
        let all = Toy::METRICS;
        let wanted =
            |metric: &&ClassMetric| self.metric.as_ref().is_none_or(|m| metric.name().contains(m.as_str()));
        let metrics: Vec<ClassMetric> = all.iter().filter(wanted).copied().collect();
        if metrics.is_empty() {
            let names: Vec<&str> = all.iter().map(|metric| metric.name()).collect();
            let reason = format!("no metric has it in its name: {}", names.join(", "));
            return Err(Error::Parameter { name: "metric", reason });
        }
        let pairs = sets.iter().flat_map(|data| metrics.iter().map(move |&metric| (data, metric)));
        pairs.map(|(data, metric)| Toy::new(data.clone(), metric)).collect()
    }

    /// The command that makes these results, but for the folders.
    fn command(&self) -> String {
        let metric = self.metric.as_ref().map_or(String::new(), |m| format!(" --metric '{m}'"));
        let full = if self.full { " --full" } else { "" };
        format!("cargo run --release -- toy --seeds {} --seed {}{metric}{full}", self.seeds, self.seed)
    }
}

#[derive(Args)]
struct BaselinesArguments {
    /// Folder for the table and the results.
    #[arg(long, default_value = "out/baselines")]
    out: PathBuf,
    /// How many seeds each loss is run with, counted from --seed.
    #[arg(long, default_value_t = 5)]
    seeds: u64,
    /// The first seed.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Only the grounds whose name contains this, such as `moons`.
    #[arg(long)]
    ground: Option<String>,
    /// Continue what an interrupted run left in the folder.
    #[arg(long)]
    resume: bool,
}

impl BaselinesArguments {
    /// What is asked for.
    fn grounds(&self) -> Result<Vec<Ground>> {
        let all = Ground::all()?;
        let names: Vec<String> = all.iter().map(Case::setting).collect();
        let wanted =
            |ground: &Ground| self.ground.as_ref().is_none_or(|g| ground.setting().contains(g.as_str()));
        let grounds: Vec<Ground> = all.into_iter().filter(wanted).collect();
        match grounds.is_empty() {
            true => {
                let reason = format!("no ground has it in its name: {}", names.join(", "));
                Err(Error::Parameter { name: "ground", reason })
            }
            false => Ok(grounds),
        }
    }

    /// The command that makes these results, but for the folders.
    fn command(&self) -> String {
        let ground = self.ground.as_ref().map_or(String::new(), |g| format!(" --ground '{g}'"));
        format!("cargo run --release -- baselines --seeds {} --seed {}{ground}", self.seeds, self.seed)
    }
}

#[derive(Args)]
struct SortArguments {
    /// Folder with MNIST's four IDX files; without it, the 8 × 8 digits that come with the program.
    #[arg(long, env = "RELOSS_DATA")]
    data: Option<PathBuf>,
    /// Folder for the results and the state of the run.
    #[arg(long, default_value = "out/sort_numbers")]
    out: PathBuf,
    /// Numbers in a set.
    #[arg(long, default_value_t = 5)]
    n: usize,
    /// The sorting network.
    #[arg(long, value_enum, default_value_t = NetworkName::OddEven)]
    network: NetworkName,
    /// Only the ways whose name contains this, such as `cauchy`.
    #[arg(long)]
    way: Option<String>,
    /// Times as sharp as each way's own setting.
    #[arg(long, default_value_t = 1.0)]
    sharpness: f64,
    /// Updates of each run.
    #[arg(long)]
    steps: Option<usize>,
    /// Sets in a batch.
    #[arg(long)]
    batch: Option<usize>,
    /// Adam's learning rate.
    #[arg(long)]
    learning_rate: Option<f64>,
    /// Filters of the two convolutions.
    #[arg(long, num_args = 2, value_names = ["FIRST", "SECOND"])]
    filters: Option<Vec<usize>>,
    /// The papers' network and budget: 100,000 steps of 100 sets, days on two cores.
    #[arg(long)]
    paper: bool,
    /// How many seeds each way is run with, counted from --seed.
    #[arg(long, default_value_t = 1)]
    seeds: u64,
    /// The first seed.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Continue what an interrupted run left in the folder.
    #[arg(long)]
    resume: bool,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum NetworkName {
    OddEven,
    Bitonic,
}

impl SortArguments {
    /// What is asked for.
    fn comparison(&self) -> Result<CompareSorters> {
        let network = match self.network {
            NetworkName::OddEven => Network::OddEven,
            NetworkName::Bitonic => Network::Bitonic,
        };
        let mut comparison = CompareSorters::new(network, self.n);
        let train = if self.paper { TrainSorting::paper() } else { TrainSorting::default() };
        comparison.train = TrainSorting {
            steps: self.steps.unwrap_or(train.steps),
            batch: self.batch.unwrap_or(train.batch),
            learning_rate: self.learning_rate.unwrap_or(train.learning_rate),
            filters: match self.filters.as_deref() {
                Some([first, second]) => [*first, *second],
                _ => train.filters,
            },
            ..train
        };
        comparison.seeds = seeds(self.seed, self.seeds)?;
        let names: Vec<String> = comparison.ways.iter().map(|way| way.0.clone()).collect();
        comparison.ways.retain(|way| self.way.as_ref().is_none_or(|wanted| way.0.contains(wanted.as_str())));
        if comparison.ways.is_empty() {
            let reason = format!("no way has it in its name: {}", names.join(", "));
            return Err(Error::Parameter { name: "way", reason });
        }
        if !(self.sharpness > 0.0 && self.sharpness.is_finite()) {
            let reason = format!("{} is not positive and finite", self.sharpness);
            return Err(Error::Parameter { name: "sharpness", reason });
        }
        comparison.ways.iter_mut().for_each(|way| way.1 = way.1.sharpened(self.sharpness));
        Ok(comparison)
    }

    /// The command that makes these results, but for the folders.
    fn command(&self, comparison: &CompareSorters) -> String {
        let network = if comparison.network == Network::Bitonic { "bitonic" } else { "odd-even" };
        let way = self.way.as_ref().map_or(String::new(), |way| format!(" --way '{way}'"));
        let train = &comparison.train;
        format!(
            "cargo run --release -- sort-numbers --n {} --network {network}{way} --sharpness {} --steps {} \
             --batch {} --learning-rate {} --filters {} {} --seeds {} --seed {}",
            self.n,
            self.sharpness,
            train.steps,
            train.batch,
            train.learning_rate,
            train.filters[0],
            train.filters[1],
            self.seeds,
            self.seed
        )
    }
}

/// `count` seeds from `first` on.
fn seeds(first: u64, count: u64) -> Result<Vec<u64>> {
    match first.checked_add(count).filter(|_| count > 0) {
        Some(end) => Ok((first..end).collect()),
        None => {
            Err(Error::Parameter { name: "seeds", reason: format!("{count} from {first} on are no seeds") })
        }
    }
}

impl ClassifyArguments {
    /// What is asked for.
    fn comparison(&self) -> Result<Classify> {
        let all = Classify::default();
        let seeds = seeds(self.seed, self.seeds)?;
        let wanted =
            |s: &&Setting| self.setting.as_ref().is_none_or(|wanted| s.name().contains(wanted.as_str()));
        let settings: Vec<Setting> = all.settings.iter().filter(wanted).copied().collect();
        if settings.is_empty() {
            let names: Vec<String> = all.settings.iter().map(Setting::name).collect();
            let reason = format!("no regime has it in its name: {}", names.join(", "));
            return Err(Error::Parameter { name: "setting", reason });
        }
        Ok(Classify { settings, ..all }.with_seeds(seeds))
    }

    /// The command that makes these results.
    fn command(&self) -> String {
        let setting = self.setting.as_ref().map_or(String::new(), |s| format!(" --setting '{s}'"));
        format!("cargo run --release -- classify --seeds {} --seed {}{setting}", self.seeds, self.seed)
    }
}

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Classify(arguments) => classify(&arguments),
        Command::Toy(arguments) => toy(&arguments),
        Command::Baselines(arguments) => baselines(&arguments),
        Command::SortNumbers(arguments) => sort_numbers(&arguments),
        Command::Score(arguments) => score(&arguments),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("reloss: {error}");
            ExitCode::FAILURE
        }
    }
}

fn classify(arguments: &ClassifyArguments) -> Result<()> {
    let comparison = arguments.comparison()?;
    create_folder(&arguments.out)?;
    let data = Dataset::digits()?;
    show_one(&data, &comparison, arguments)?;

    let path = arguments.out.join("classify.csv");
    let done = if arguments.resume && path.exists() { Results::load(&path)? } else { Results::default() };
    let results = comparison.run(&data, done, Some(&path), &arguments.command())?;
    let table = Table::new(
        results.summary("cross_entropy")?,
        "test metric, mean ± sd over seeds; paired differences",
    )
    .best("mean ± sd, %", Best::Highest);
    write_atomic(&arguments.out.join("classify.html"), table.html()?.as_bytes())?;
    println!("{}", table.text()?);
    println!("figures, tables and the learned loss are in {}", arguments.out.display());
    Ok(())
}

fn toy(arguments: &ToyArguments) -> Result<()> {
    let (cases, seeds) = (arguments.cases()?, seeds(arguments.seed, arguments.seeds)?);
    compare("toy", &arguments.out, arguments.resume, |done, path| {
        Toy::run(&cases, &Toy::comparison(seeds), done, Some(path), &arguments.command())
    })
}

fn baselines(arguments: &BaselinesArguments) -> Result<()> {
    let (grounds, seeds) = (arguments.grounds()?, seeds(arguments.seed, arguments.seeds)?);
    compare("baselines", &arguments.out, arguments.resume, |done, path| {
        Ground::run(&grounds, &Ground::comparison(seeds), done, Some(path), &arguments.command())
    })
}

/// Runs a comparison with cross-entropy, from what is done already where it resumes, and shows its table.
fn compare(
    name: &str,
    out: &Path,
    resume: bool,
    run: impl FnOnce(Results, &Path) -> Result<Results>,
) -> Result<()> {
    create_folder(out)?;
    let path = out.join(format!("{name}.csv"));
    let done = if resume && path.exists() { Results::load(&path)? } else { Results::default() };
    let results = run(done, &path)?;
    let table = Table::new(results.summary("cross_entropy")?, "test metric over seeds; paired differences");
    write_atomic(&out.join(format!("{name}.html")), table.html()?.as_bytes())?;
    println!("{}", table.text()?);
    println!("the results are in {}", path.display());
    Ok(())
}

fn sort_numbers(arguments: &SortArguments) -> Result<()> {
    let comparison = arguments.comparison()?;
    create_folder(&arguments.out)?;
    let [train, test] = match &arguments.data {
        Some(folder) => Dataset::mnist(folder)?,
        None => {
            println!("no folder with MNIST was given (--data or RELOSS_DATA): 8 × 8 digits instead");
            let parts = Dataset::digits()?.split(&Split::default())?;
            [parts.train, parts.test]
        }
    };
    let path = arguments.out.join("sort_numbers.csv");
    let done = if arguments.resume && path.exists() { Results::load(&path)? } else { Results::default() };
    let results = comparison.run((&train, &test), done, Some(&path), &arguments.command(&comparison))?;
    let first = comparison.ways.first().map_or("", |way| way.0.as_str());
    let title = format!("shares on test digits, mean ± sd over seeds; paired differences from {first}");
    println!("{}", Table::new(results.summary(first)?, &title).text()?);
    println!("the results are in {}", path.display());
    Ok(())
}

fn score(arguments: &ScoreArguments) -> Result<()> {
    let scores = match arguments {
        ScoreArguments::Translations { hypotheses, references, tokenizer, lowercase } => {
            let bleu = Bleu { tokenizer: tokenizer.tokenizer(), lowercase: *lowercase, ..Bleu::default() };
            let texts = Texts::read(hypotheses, references)?;
            Score::translations(&bleu, &texts.hypotheses(), &texts.references())?
        }
        ScoreArguments::Summaries { hypotheses, references } => {
            let texts = Texts::read(hypotheses, references)?;
            Score::summaries(&texts.hypotheses(), &texts.references())?
        }
        ScoreArguments::Answers { predictions, questions: gold, chinese } => {
            Score::answers(&questions(gold)?, &predicted_answers(predictions)?, *chinese)?
        }
        ScoreArguments::Keypoints { detections, annotations, sigmas } => {
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

/// The loss of the first seed with clean labels: its report, its file and two training curves.
fn show_one(data: &Dataset, comparison: &Classify, arguments: &ClassifyArguments) -> Result<()> {
    let setting = Setting::Clean;
    let (metric, task) = (setting.metric(), setting.task(data, arguments.seed)?);
    let train = Train { seed: arguments.seed, ..comparison.comparison.train.clone() };
    let options = Learn {
        seed: arguments.seed,
        checkpoint: Some(arguments.out.join("learning.safetensors")),
        resume: arguments.resume,
        ..comparison.learn.clone()
    };
    let learned = learn_loss(&task, metric.as_ref(), &train, &options)?;
    learned.loss.save(&arguments.out.join("loss.safetensors"))?;

    let held_out = Sampler::stored(task.store_predictions(metric.as_ref(), &train)?);
    let report = learned.report(metric.as_ref(), &held_out.draw(metric.as_ref(), 300, u64::MAX)?)?;
    save_figure(&arguments.out, "report", &report.figure())?;
    write_atomic(&arguments.out.join("report.html"), report.block()?.html()?.as_bytes())?;
    println!("{}", report.table()?.text()?);

    let original =
        task.train(&CrossEntropy::default(), metric.as_ref(), &Train { warm_up: 0.0, ..train.clone() })?;
    let outcome = task.train(&learned.loss, metric.as_ref(), &train)?;
    let curves = training_curves(metric.name(), &[("cross-entropy", &original), ("learned loss", &outcome)]);
    save_figure(&arguments.out, "training", &curves)
}

fn save_figure(folder: &Path, name: &str, figure: &reloss::display::Figure) -> Result<()> {
    figure.save(folder.join(format!("{name}.svg")))?;
    figure.save(folder.join(format!("{name}.png")))
}
