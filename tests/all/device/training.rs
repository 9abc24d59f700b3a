//! A short run of training of every task: losses as they went, and predictions.

use std::sync::Arc;

use reloss::data::{
    Dataset, Numbers as Pictures, ParallelText, PoseSet, ReadingSet, Split, Splits, TextSplit, Units,
    Vocabulary, WindowOptions,
};
use reloss::loss::{CrossEntropy, HeatmapMse, Loss, SpanCrossEntropy, TokenCrossEntropy};
use reloss::metric::{AnswerMetric, Bleu, PckMetric, TopK};
use reloss::model::{HeatmapNet, ReaderConfig, SimpleBaseline, TransformerConfig};
use reloss::ops::ImageShape;
use reloss::sort::SoftSort;
use reloss::surrogate::{Pretrained, Surrogate};
use reloss::task::*;
use reloss::Result;

use super::{Case, Numbers};

/// Steps of Adam amplify rounding.
const TRAINED: f32 = 2e-2;

pub(super) fn cases() -> Vec<Case> {
    let mut cases = vec![
        Case::new("PoseEstimation", TRAINED, pose),
        Case::new("Translation", TRAINED, translation),
        Case::new("Reading", TRAINED, reading),
        Case::new("SortNumbers", TRAINED, sorting),
        Case::new("Classification, cross-entropy", TRAINED, || classification(&CrossEntropy::default())),
        Case::new("Classification, learned loss", TRAINED, || {
            classification(&Surrogate::pretrained(Pretrained::Accuracy)?)
        }),
    ];
    for (name, architecture) in [
        ("small", Architecture::Small([4, 8])),
        ("ResNet", Architecture::ResNet(8)),
        ("MobileNetV2", Architecture::MobileNetV2),
    ] {
        cases.push(Case::new(&format!("ImageClassification, {name}"), TRAINED, move || images(architecture)));
    }
    cases
}

/// Losses of the epochs; metrics of models so little trained jump with a single prediction.
fn losses(history: &[Epoch]) -> Numbers {
    [("losses".to_string(), history.iter().map(|epoch| epoch.loss as f32).collect())].into()
}

/// Digits, few to train on.
fn digits(rows: usize) -> Result<Splits> {
    let Splits { train, validation, test } = Dataset::digits()?.split(&Split::default())?;
    let some: Vec<usize> = (0..rows).collect();
    Ok(Splits { train: train.take(&some)?, validation, test })
}

fn classification(loss: &dyn Loss) -> Result<Numbers> {
    let task = Classification { hidden: vec![16], ..Classification::new(digits(640)?) };
    let train = Train { epochs: 2, ..Train::default() };
    let outcome = task.train(loss, &TopK::ACCURACY, &train)?;
    let mut numbers = losses(&outcome.history);
    numbers.insert("scores".to_string(), outcome.predictions.values().to_vec());
    Ok(numbers)
}

fn images(architecture: Architecture) -> Result<Numbers> {
    let image = ImageShape { channels: 1, height: 8, width: 8 };
    let task = ImageClassification::new(digits(64)?, image, architecture)?.untested()?;
    let train = Train { epochs: 1, batch: 32, learning_rate: 1e-3, ..Train::default() };
    let outcome = task.train(&CrossEntropy::default(), &TopK::ACCURACY, &train)?;
    let mut numbers = losses(&outcome.history);
    numbers.insert("scores".to_string(), outcome.predictions.values().to_vec());
    Ok(numbers)
}

fn pose() -> Result<Numbers> {
    let stages = vec![(4, 1), (8, 1)];
    let net =
        HeatmapNet::Simple(SimpleBaseline { stem: 4, stages, upward: vec![8], ..SimpleBaseline::default() });
    let [train, validation] = PoseSet::figures(16, 32, 3)?.split(0.25, 0)?;
    let task = PoseEstimation::new([train, validation, PoseSet::figures(4, 32, 4)?], [32, 32], net)?;
    let train = Train { epochs: 3, batch: 4, learning_rate: 3e-3, ..Train::default() };
    let outcome = task.train(&HeatmapMse, &PckMetric::COARSE, &train)?;
    let mut numbers = losses(&outcome.history);
    numbers.insert("heatmaps".to_string(), outcome.predictions.values().to_vec());
    Ok(numbers)
}

fn split() -> TextSplit {
    TextSplit { validation: 0.2, test: 0.2, seed: 0 }
}

fn translator(vocabulary: usize) -> TransformerConfig {
    let sizes = TransformerConfig {
        width: 16,
        heads: 2,
        feed_forward: 32,
        positions: 24,
        ..TransformerConfig::small(vocabulary)
    };
    TransformerConfig { encoder_layers: 1, decoder_layers: 1, ..sizes }
}

fn translation() -> Result<Numbers> {
    let parts = ParallelText::grammar(150, 0)?.split(&split())?;
    let vocabulary = Arc::new(Vocabulary::learn(&parts[0].sentences(), 2000, Units::Words)?);
    let task = Translation::new(&parts, vocabulary, translator)?;
    let train = Train { epochs: 3, batch: 256, learning_rate: 1e-2, ..Train::default() };
    Ok(losses(&task.train(&TokenCrossEntropy::default(), &Bleu::default(), &train)?.history))
}

fn reader(vocabulary: usize) -> ReaderConfig {
    let (embedding, width, feed_forward) = (16, 16, 32);
    ReaderConfig { embedding, width, heads: 2, feed_forward, layers: 1, ..ReaderConfig::small(vocabulary) }
}

fn reading() -> Result<Numbers> {
    let parts = ReadingSet::world(60, 0)?.split(&split())?;
    let vocabulary = Arc::new(parts[0].vocabulary(1000)?);
    let windows = WindowOptions { length: 64, stride: 48, question: 16 };
    let task = Reading::new(&parts, vocabulary, reader, &windows)?;
    let train = Train { epochs: 2, batch: 1024, learning_rate: 1e-2, ..Train::default() };
    Ok(losses(&task.train(&SpanCrossEntropy, &AnswerMetric::default(), &train)?.history))
}

fn sorting() -> Result<Numbers> {
    let Splits { train, test, .. } = Dataset::digits()?.split(&Split::default())?;
    let task = SortNumbers { train: Pictures::new(train, 1)?, test: Pictures::new(test, 1)?, n: 3 };
    let train = TrainSorting {
        steps: 20,
        batch: 20,
        filters: [4, 4],
        hidden: 8,
        every: 5,
        ..TrainSorting::default()
    };
    let outcome = task.train(&SoftSort::default(), &train)?;
    let losses = outcome.history.iter().map(|step| step.loss as f32).collect();
    Ok([("losses".to_string(), losses)].into())
}
