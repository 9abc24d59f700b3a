//! `reloss pose`: the squared error of heatmaps against losses learned for PCK.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use reloss::experiment::PoseCase;
use reloss::metric::PckMetric;
use reloss::model::HeatmapNet;
use reloss::task::Train;
use reloss::Result;

use crate::images::written;
use crate::runs::Runs;

/// Seeds, if not said otherwise.
const SEEDS: u64 = 5;

/// Options that runs depend on and that no column of the results names.
const FIXED: [&str; 4] = ["category", "threshold", "network", "epochs"];

#[derive(Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    runs: Runs,
    /// A folder with `keypoints_train.json` and `keypoints_val.json` in COCO's form and their `images`, also looked for in the
    /// folder of data sets (RELOSS_DATA); may be repeated. Without any, generated figures.
    #[arg(long)]
    set: Vec<PathBuf>,
    /// The generated figures besides the sets.
    #[arg(long)]
    figures: bool,
    /// The category of the sets' figures, where their files have several.
    #[arg(long)]
    category: Option<String>,
    /// Use the loss learned on each set on each.
    #[arg(long)]
    transfer: bool,
    /// The share of the box within which a joint is found: PCK at this threshold is what losses are learned for.
    #[arg(long, default_value_t = 0.1)]
    threshold: f64,
    /// Height of the crops.
    #[arg(long, default_value_t = 64)]
    height: usize,
    /// Width of the crops.
    #[arg(long, default_value_t = 64)]
    width: usize,
    /// The network.
    #[arg(long, value_enum, default_value_t = Network::Small)]
    network: Network,
    /// Epochs of each run.
    #[arg(long, default_value_t = 30)]
    epochs: usize,
}

#[derive(Clone, Copy, ValueEnum)]
enum Network {
    /// 16 to 64 filters, heatmaps a quarter as wide as the crops.
    Small,
    /// The paper's ResNet-50 with three transposed convolutions.
    Resnet50,
    /// A small HRNet: two branches, then three, 16 to 64 filters.
    HrnetSmall,
    /// The paper's HRNet-W32.
    HrnetW32,
    /// The paper's HRNet-W48.
    HrnetW48,
}

impl Arguments {
    fn cases(&self) -> Result<Vec<PoseCase>> {
        let mut cases = Vec::new();
        if self.figures || self.set.is_empty() {
            cases.push(PoseCase::figures()?);
        }
        for folder in &self.set {
            cases.push(PoseCase::read(folder, self.category.as_deref())?);
        }
        let metric = PckMetric::new(self.threshold)?;
        let network = match self.network {
            Network::Small => HeatmapNet::default(),
            Network::Resnet50 => HeatmapNet::resnet_50(),
            Network::HrnetSmall => HeatmapNet::hrnet_small(),
            Network::HrnetW32 => HeatmapNet::hrnet_w32(),
            Network::HrnetW48 => HeatmapNet::hrnet_w48(),
        };
        let sized = |case| PoseCase {
            size: [self.height, self.width],
            network: network.clone(),
            metric: metric.clone(),
            ..case
        };
        Ok(cases.into_iter().map(sized).collect())
    }

    /// The command that makes these results, but for where the sets' folders lie.
    fn command(&self) -> String {
        let name =
            |folder: &PathBuf| format!(" --set {}", folder.file_name().unwrap_or_default().to_string_lossy());
        let sets: String = self.set.iter().map(name).collect();
        let flag = |set: bool, name: &str| if set { format!(" --{name}") } else { String::new() };
        let category = self.category.as_ref().map_or(String::new(), |c| format!(" --category '{c}'"));
        format!(
            "cargo run --release -- pose {}{}{sets}{category}{} --threshold {} --height {} --width {} --network {} --epochs {}",
            self.runs.options(SEEDS),
            flag(self.figures, "figures"),
            flag(self.transfer, "transfer"),
            self.threshold,
            self.height,
            self.width,
            written(&self.network),
            self.epochs
        )
    }
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let out = arguments.runs.folder("pose")?;
    let path = out.join(if arguments.transfer { "pose_transfer.csv" } else { "pose.csv" });
    let done = arguments.runs.done(&path, &arguments.command(), &FIXED)?;
    let mut comparison = PoseCase::comparison(arguments.runs.seeds(SEEDS)?);
    comparison.train.epochs = arguments.epochs;
    let mut cases = arguments.cases()?;
    if arguments.transfer {
        cases = PoseCase::transfers(cases, &Train { seed: arguments.runs.seed, ..comparison.train.clone() })?;
    }
    let results = comparison.run("pose", &cases, done, Some(&path), &arguments.command())?;
    Runs::show(&path, &results, "mean_squared_error")
}
