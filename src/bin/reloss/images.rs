//! The tables of `reloss classify` over images, and `reloss pretrain`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, ValueEnum};
use reloss::data::{Augment, Dataset, ImageShape, Known};
use reloss::experiment::{pretrain, Chosen, Comparison, ImageCase, ImageLosses, Setting};
use reloss::files::create_folder;
use reloss::surrogate::{Learn, Pretrained};
use reloss::task::Architecture;
use reloss::{Error, Result};

/// Which images, and how many.
#[derive(Args)]
pub(crate) struct Images {
    /// With `--table images`: sets, downloaded unless they are in the folder of data sets (RELOSS_DATA) [default: digits]
    #[arg(long, value_enum)]
    data: Vec<Set>,
    /// With `--table images`: networks [default: small]
    #[arg(long, value_enum)]
    network: Vec<Network>,
    /// A folder with some of CIFAR-10's binary batches, to be used in place of the whole set.
    #[arg(long)]
    cifar10: Option<PathBuf>,
    /// Rows of each training set of images that are used, a fifth of them to validate; not of the table of digits [default:
    /// 2000]
    #[arg(long)]
    rows: Option<usize>,
    /// Epochs of each run on images; not of the table of digits [default: 10]
    #[arg(long)]
    epochs: Option<usize>,
    /// Seeds that learning rates of images are tuned on, counted from 100; not of the table of digits [default: 2]
    #[arg(long)]
    tuning_seeds: Option<u64>,
    /// Only this loss beside cross-entropy, by its name in the results; not of the table of digits, and may be given more than
    /// once.
    #[arg(long)]
    loss: Vec<String>,
    /// With `--table images`: without the losses of other papers, as it always is for residual networks and MobileNetV2.
    #[arg(long)]
    few: bool,
}

/// Sets of images.
#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Set {
    Digits,
    Mnist,
    FashionMnist,
    Cifar10,
    Cifar100,
}

/// The networks.
#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Network {
    Mlp,
    Small,
    Resnet20,
    Resnet56,
    MobilenetV2,
}

/// The name a value has on the command line.
pub(crate) fn written(value: &impl ValueEnum) -> String {
    value.to_possible_value().map_or(String::new(), |value| value.get_name().to_string())
}

impl Set {
    /// Training and test part, and what a row is.
    fn read(self, images: &Images) -> Result<([Dataset; 2], ImageShape)> {
        let gray = |side| ImageShape { channels: 1, height: side, width: side };
        let fetched = |known: Known| known.fetch(None);
        Ok(match self {
            Self::Digits => {
                let parts = Dataset::digits()?.split(&Default::default())?;
                ([parts.train, parts.test], gray(8))
            }
            Self::Mnist => (Dataset::mnist(&fetched(Known::Mnist)?)?, gray(28)),
            Self::FashionMnist => (Dataset::fashion_mnist(&fetched(Known::FashionMnist)?)?, gray(28)),
            Self::Cifar10 => {
                let folder = images.cifar10.clone().map_or_else(|| fetched(Known::Cifar10), Ok)?;
                (Dataset::cifar10(&folder)?, Dataset::CIFAR_IMAGE)
            }
            Self::Cifar100 => (Dataset::cifar100(&fetched(Known::Cifar100)?)?, Dataset::CIFAR_IMAGE),
        })
    }

    /// Crops and mirror images, for photographs.
    fn augment(self) -> Option<Augment> {
        matches!(self, Self::Cifar10 | Self::Cifar100).then(Augment::default)
    }
}

impl Network {
    fn architecture(self) -> Architecture {
        match self {
            Self::Mlp => Architecture::Mlp(128),
            Self::Small => Architecture::Small([16, 32]),
            Self::Resnet20 => Architecture::ResNet(20),
            Self::Resnet56 => Architecture::ResNet(56),
            Self::MobilenetV2 => Architecture::MobileNetV2,
        }
    }

    /// Whether it takes too long for a table of all losses.
    fn is_deep(self) -> bool {
        matches!(self, Self::Resnet20 | Self::Resnet56 | Self::MobilenetV2)
    }
}

const CLEAN: &[Setting] = &[Setting::Clean];
const WRONG: &[Setting] = &[Setting::Clean, Setting::Noise(0.4)];
const USUAL: &[Setting] =
    &[Setting::Clean, Setting::Noise(0.2), Setting::Noise(0.4), Setting::LongTail(20.0)];
const REGIMES: &[Setting] = &[
    Setting::Clean,
    Setting::Noise(0.2),
    Setting::Noise(0.4),
    Setting::LongTail(20.0),
    Setting::LongTail(50.0),
];

/// The rows of the full table.
const FULL: &[(Set, Network, &[Setting])] = &[
    (Set::Digits, Network::Small, USUAL),
    (Set::Mnist, Network::Small, USUAL),
    (Set::FashionMnist, Network::Small, USUAL),
    (Set::Mnist, Network::Mlp, WRONG),
    (Set::FashionMnist, Network::Mlp, WRONG),
    (Set::Digits, Network::Resnet20, WRONG),
    (Set::Cifar10, Network::Small, USUAL),
];

/// Where losses are learned and used in the table of transfers.
const TRANSFER: &[(Set, Network, &[Setting])] = &[
    (Set::Digits, Network::Mlp, CLEAN),
    (Set::Digits, Network::Resnet20, CLEAN),
    (Set::Mnist, Network::Mlp, CLEAN),
    (Set::Mnist, Network::Small, CLEAN),
    (Set::FashionMnist, Network::Small, CLEAN),
    (Set::Cifar10, Network::Small, CLEAN),
];

/// What a regime is judged by.
fn goals(setting: &Setting) -> &'static [Pretrained] {
    match setting {
        Setting::LongTail(_) => &[Pretrained::MacroF1, Pretrained::BalancedAccuracy],
        _ => &[Pretrained::Accuracy],
    }
}

impl Images {
    /// Refuses options that a table has no use for: which images, where it is fixed, and any, of the table of digits.
    pub(crate) fn check(&self, asked: bool, digits: bool) -> Result<()> {
        let given = [
            ("data", !asked && !self.data.is_empty()),
            ("network", !asked && !self.network.is_empty()),
            ("few", !asked && self.few),
            ("rows", digits && self.rows.is_some()),
            ("epochs", digits && self.epochs.is_some()),
            ("cifar10", digits && self.cifar10.is_some()),
            ("tuning_seeds", digits && self.tuning_seeds.is_some()),
            ("loss", digits && !self.loss.is_empty()),
        ];
        match given.into_iter().find(|(_, useless)| *useless) {
            Some((name, _)) => Err(Error::Parameter { name, reason: "this table has no use for it".into() }),
            None => Ok(()),
        }
    }

    /// Epochs of each run.
    pub(crate) fn epochs(&self) -> usize {
        self.epochs.unwrap_or(10)
    }

    fn rows(&self) -> usize {
        self.rows.unwrap_or(2000)
    }

    /// The seeds that rates are tuned on: the usual ones, or as many as asked for from the first of them on.
    pub(crate) fn tuning_seeds(&self, usual: Vec<u64>) -> Result<Vec<u64>> {
        match (self.tuning_seeds, usual.first()) {
            (Some(0), _) => {
                Err(Error::Parameter { name: "tuning_seeds", reason: "there must be one".into() })
            }
            (Some(count), Some(first)) => Ok((*first..first.saturating_add(count)).collect()),
            _ => Ok(usual),
        }
    }

    /// The cases with the losses asked for, and cross-entropy.
    pub(crate) fn chosen<'a>(
        &self,
        cases: &'a [ImageCase],
        comparison: &Comparison,
    ) -> Result<Vec<Chosen<'a, ImageCase>>> {
        let losses =
            (!self.loss.is_empty()).then(|| [&["cross_entropy".to_string()], &self.loss[..]].concat());
        if losses.is_some() {
            let seed = comparison.seeds.first().copied().unwrap_or_default();
            let all = cases.iter().map(|case| comparison.losses(case, seed)).collect::<Result<Vec<_>>>()?;
            let mut all = all.concat();
            all.sort();
            all.dedup();
            if let Some(unknown) = self.loss.iter().find(|loss| !all.contains(loss)) {
                let reason = format!("{unknown:?} is none of {}", all.join(", "));
                return Err(Error::Parameter { name: "loss", reason });
            }
        }
        Ok(cases.iter().map(|case| Chosen { case, losses: losses.clone() }).collect())
    }

    /// The cases of the full table.
    pub(crate) fn full(&self) -> Result<Vec<ImageCase>> {
        self.cases(FULL)
    }

    /// The cases of the table of transfers, with the losses learned on each.
    pub(crate) fn transfer(&self) -> Result<Vec<ImageCase>> {
        let train = ImageCase::comparison(vec![0]).train;
        let train = reloss::task::Train { epochs: self.epochs(), ..train };
        ImageCase::transfers(self.cases(TRANSFER)?, &train, &Learn::log_probability())
    }

    /// The cases asked for by set and network.
    pub(crate) fn asked(&self) -> Result<Vec<ImageCase>> {
        let sets = if self.data.is_empty() { &[Set::Digits] } else { &self.data[..] };
        let all = if self.network.is_empty() { &[Network::Small] } else { &self.network[..] };
        let networks = |&set: &Set| all.iter().map(move |&network| (set, network, REGIMES));
        let rows: Vec<(Set, Network, &[Setting])> = sets.iter().flat_map(networks).collect();
        self.cases(&rows)
    }

    fn cases(&self, rows: &[(Set, Network, &[Setting])]) -> Result<Vec<ImageCase>> {
        let mut sets: Vec<(Set, Arc<Dataset>, Arc<Dataset>, ImageShape)> = Vec::new();
        let mut cases = Vec::new();
        for &(set, network, settings) in rows {
            if !sets.iter().any(|known| known.0 == set) {
                let ([train, test], image) = set.read(self)?;
                sets.push((set, Arc::new(train), Arc::new(test), image));
            }
            let Some((_, train, test, image)) = sets.iter().find(|known| known.0 == set) else { continue };
            for (&setting, &goal) in settings.iter().flat_map(|s| goals(s).iter().map(move |goal| (s, goal)))
            {
                cases.push(ImageCase {
                    train: train.clone(),
                    test: test.clone(),
                    image: *image,
                    architecture: network.architecture(),
                    setting,
                    goal,
                    rows: self.rows(),
                    augment: set.augment(),
                    losses: if self.few || network.is_deep() { ImageLosses::Few } else { ImageLosses::All },
                });
            }
        }
        Ok(cases)
    }

    /// The options that fix the images, as in the command that makes the results, but for folders.
    pub(crate) fn options(&self) -> String {
        let data: String = self.data.iter().map(|set| format!(" --data {}", written(set))).collect();
        let network: String = self.network.iter().map(|n| format!(" --network {}", written(n))).collect();
        let few = if self.few { " --few" } else { "" };
        let tuning = self.tuning_seeds.map_or(String::new(), |count| format!(" --tuning-seeds {count}"));
        let losses: String = self.loss.iter().map(|loss| format!(" --loss {loss}")).collect();
        format!("{data}{network} --rows {} --epochs {}{tuning}{few}{losses}", self.rows(), self.epochs())
    }
}

#[derive(Args)]
pub(crate) struct Pretraining {
    /// Folder for the losses' files.
    #[arg(long, default_value = "data/pretrained")]
    out: PathBuf,
}

pub(crate) fn pretrained(arguments: &Pretraining) -> Result<()> {
    create_folder(&arguments.out)?;
    for which in Pretrained::ALL {
        let learned = pretrain(which)?;
        let path: &Path = &arguments.out.join(which.file());
        learned.loss.save(path)?;
        println!("{}: held-out Spearman {:.3}", path.display(), learned.held_out);
    }
    Ok(())
}
