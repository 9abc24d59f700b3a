//! The loss networks of all kinds of predictions: the objective with its gradient, a few steps of learning, and the loss that
//! comes of them.

use std::sync::Arc;

use dfdx::prelude::*;
use reloss::loss::{HeatmapTargets, Loss};
use reloss::metric::{token_f1, Bleu, Direction, Metric, PckMetric, TopK};
use reloss::ops::{host, Parameters, Spans, Tokens};
use reloss::sampler::{PoseSampler, ReadingSampler, Sampler, Store, TranslationSampler};
use reloss::surrogate::*;
use reloss::{Result, Tape};

use super::{differentiated, gradients, losses, random_matrix, Case, Numbers};

/// Sums over hundreds of rows, in another order.
const CLOSE: f32 = 1e-3;
/// Adam's first steps go by the gradient's sign, however small it is.
const LEARNED: f32 = 1e-2;

pub(super) fn cases() -> Vec<Case> {
    let mut cases = of_classes();
    cases.push(Case::new("Refreshed", LEARNED, refreshed));
    cases.extend(of_heatmaps());
    cases.extend(of_translations());
    cases.extend(of_answers());
    cases
}

/// Losses, slopes, the objective and its gradient.
fn judged<N: LossNetwork, P: ?Sized, L: ?Sized>(
    network: &N,
    batch: &N::Batch,
    metric: &dyn Metric<P, L>,
    options: &Learn,
) -> Result<Numbers> {
    let Judged { losses, slopes } = network.judge(batch, NoneTape)?;
    let Objective { total, agreement, penalty } =
        objective(network, batch, metric, &options.penalty, &options.fit, Tape::default())?;
    let value = vec![reloss::ops::scalar(&total), agreement, penalty];
    let mut numbers = gradients(total, &[], network.parameters())?;
    let lists = [("losses", host(&losses)), ("slopes", host(&slopes)), ("objective", value)];
    numbers.extend(lists.map(|(name, values)| (name.to_string(), values)));
    Ok(numbers)
}

/// Few steps on few samples.
fn brief(options: Learn) -> Learn {
    Learn { steps: 6, samples: 12, held_out: 16, evaluate_every: 2, hidden: 8, output_bias: 2.0, ..options }
}

/// How learning went; of what was learned, what it makes of predictions: where a parameter's gradient is 0 but for rounding, Adam
/// steps by the rounding.
fn course<L>(learned: &Learned<L>) -> Numbers {
    let steps = learned.history.iter().flat_map(|step| [step.agreement, step.penalty]).collect();
    [("history".to_string(), steps), ("held out".to_string(), vec![learned.held_out as f32])].into()
}

/// A learned loss of one batch, with its gradient.
fn used<A: ?Sized>(loss: &dyn Loss<A>, shape: (usize, usize), target: &A) -> Result<Numbers> {
    differentiated(&[random_matrix(shape.0, shape.1, 1)?], &Parameters::default(), |mut x| {
        Ok(loss.loss(x.remove(0), target)?.try_reshape_like(&(1, 1))?)
    })
}

fn of_classes() -> Vec<Case> {
    let set = Input { set: true, ..Input::default() };
    let balanced = Input { balanced: true, ..Input::default() };
    let sample = Penalty { slope: Slope::Sample, ..Penalty::default() };
    [
        ("log-odds", 3, Learn::default()),
        ("as released", 3, Learn::released()),
        ("ln p and rank", 3, Learn::ranked()),
        ("monotone", 3, Learn { monotone: true, ..Learn::ranked() }),
        ("balanced", 3, Learn { input: balanced, penalty: sample, ..Learn::default() }),
        ("sets", 2, Learn { input: set, fit: Fit::Pearson, ..Learn::default() }),
        ("pairs of samples", 3, Learn { fit: Fit::Kendall(0.5), ..Learn::default() }),
        ("values", 3, Learn { fit: Fit::Value, depth: 4, ..Learn::default() }),
    ]
    .into_iter()
    .flat_map(|(name, classes, options)| class_loss(name, classes, brief(options)))
    .collect()
}

/// The network that learning would start with.
fn fresh(options: &Learn) -> Result<Network> {
    let Learn { input, hidden, depth, .. } = options;
    let network = match options.monotone {
        true => Network::monotone(&input.trends(), *hidden, 3)?,
        false => Network::deep(input.width(), *hidden, *depth, 3)?,
    };
    network.with_output_bias(options.output_bias)
}

fn class_loss(name: &str, classes: usize, options: Learn) -> [Case; 2] {
    let sampler = move || Sampler { rows: 20, ..Sampler::random(classes) };
    const METRIC: TopK = TopK::ACCURACY;
    let tried = options.clone();
    let objective = Case::new(&format!("Network, {name}"), CLOSE, move || {
        let samples = sampler().draw(&METRIC, 8, 1)?;
        let batch = Batch::new(&samples, &tried.input, tried.penalty.with_respect_to)?;
        judged(&fresh(&tried)?, &batch, &METRIC, &tried)
    });
    let learning = Case::new(&format!("Surrogate, learned, {name}"), LEARNED, move || {
        let done = learn(&METRIC, &sampler(), &options)?;
        let labels: Vec<usize> = (0..6).map(|row| row % classes).collect();
        let mut numbers = course(&done);
        numbers.extend(used(&done.loss, (6, classes), &labels[..])?);
        Ok(numbers)
    });
    [objective, learning]
}

/// The loss that it starts with, and the one that it learns from a batch.
fn refreshed() -> Result<Numbers> {
    let options = brief(Learn::default());
    let (metric, labels) = (Arc::new(TopK::ACCURACY), [0, 2, 1, 1, 0, 2]);
    let first = learn(metric.as_ref(), &Sampler::random(3), &options)?.loss;
    let loss = Refreshed::new(first, metric, Sampler::stored(Store::empty(3)), options, 1)?;
    let renamed = |(name, values)| (format!("first {name}"), values);
    let mut numbers: Numbers = used(&loss, (6, 3), &labels[..])?.into_iter().map(renamed).collect();
    numbers.extend(used(&loss, (6, 3), &labels[..])?);
    Ok(numbers)
}

fn of_heatmaps() -> Vec<Case> {
    fn sampler() -> Result<PoseSampler> {
        Ok(PoseSampler { rows: 2, sigma: 1.0, ..PoseSampler::random(3, 4, 5)? })
    }
    let forms = [PoseForm::Weighted, PoseForm::Saturating];
    let case = |form: PoseForm| {
        let objective = Case::new(&format!("PoseNetwork, {form:?}"), CLOSE, move || {
            let metric = PckMetric::new(0.2)?;
            let batch = PoseBatch::new(&sampler()?.draw(&metric, 8, 1)?)?;
            judged(&PoseNetwork::new(form, 20, 8, 3)?, &batch, &metric, &Learn::default())
        });
        let learning = Case::new(&format!("PoseSurrogate, learned, {form:?}"), LEARNED, move || {
            let metric = PckMetric::new(0.2)?;
            let done = learn_pose(form, &metric, &sampler()?, &brief(Learn::default()))?;
            let mut numbers = course(&done);
            let loss: &dyn Loss<HeatmapTargets> = &done.loss;
            numbers.extend(used(loss, (2, 60), &losses::heatmap_targets()?)?);
            Ok(numbers)
        });
        [objective, learning]
    };
    forms.into_iter().flat_map(case).collect()
}

/// Of sentences' ids.
type Texts = dyn Metric<[Vec<usize>], [Vec<usize>]>;

fn of_translations() -> Vec<Case> {
    fn sampler() -> Result<TranslationSampler> {
        Ok(TranslationSampler { rows: 3, ..TranslationSampler::random(50, 6)? })
    }
    let objective = Case::new("TranslationNetwork", CLOSE, || {
        let bleu: &Texts = &Bleu::default();
        let batch = TranslationBatch::new(&sampler()?.draw(bleu, 8, 1)?, &Input::default())?;
        judged(&TranslationNetwork::new(8, 6, 3)?, &batch, bleu, &Learn::default())
    });
    let learning = Case::new("TranslationSurrogate, learned", LEARNED, || {
        let bleu: &Texts = &Bleu::default();
        let draw = |count, seed| sampler()?.draw(bleu, count, seed);
        let done = learn_translation(bleu, 6, draw, &brief(Learn::default()))?;
        let mut numbers = course(&done);
        let loss: &dyn Loss<Tokens> = &done.loss;
        numbers.extend(used(loss, (9, 8), losses::tokens()?.as_ref())?);
        Ok(numbers)
    });
    let matches = Case::new("NgramSurrogate, learned", LEARNED, || {
        let bleu: &Texts = &Bleu::default();
        let draw = |count, seed| sampler()?.draw(bleu, count, seed);
        let done = learn_ngrams(bleu, NgramInput::default(), draw, &brief(Learn::default()))?;
        let mut numbers = course(&done);
        let loss: &dyn Loss<Tokens> = &done.loss;
        numbers.extend(used(loss, (9, 8), losses::tokens()?.as_ref())?);
        Ok(numbers)
    });
    vec![objective, learning, matches]
}

/// Mean F1 of the answers' words.
struct F1;

impl Metric<Vec<String>, [Vec<String>]> for F1 {
    fn name(&self) -> &str {
        "F1"
    }

    fn direction(&self) -> Direction {
        Direction::HigherIsBetter
    }

    fn range(&self) -> (f64, f64) {
        (0.0, 1.0)
    }

    fn value(&self, given: &Vec<String>, right: &[Vec<String>]) -> Result<f64> {
        let one = |(given, right): (&String, &Vec<String>)| {
            token_f1(given, &right.iter().map(String::as_str).collect::<Vec<_>>())
        };
        Ok(given.iter().zip(right).map(one).sum::<f64>() / given.len() as f64)
    }
}

fn of_answers() -> Vec<Case> {
    fn sampler() -> Result<ReadingSampler> {
        Ok(ReadingSampler { rows: 4, ..ReadingSampler::random(12)? })
    }
    let objective = Case::new("Network, of answers", CLOSE, || {
        let samples = sampler()?.draw(&F1, 8, 1)?;
        let batch = OfAnswers::batch(&samples, &SpanInput::default(), WithRespectTo::Feature)?;
        judged(&Network::new(4, 8, 3)?.with_output_bias(2.0)?, &batch, &F1, &Learn::default())
    });
    let learning = Case::new("ReadingSurrogate, learned", LEARNED, || {
        let options = brief(Learn::default());
        let draw = |count, seed| sampler()?.draw(&F1, count, seed);
        let done = learn_reading(&F1, SpanInput::default(), draw, &options)?;
        let mut numbers = course(&done);
        let loss: &dyn Loss<Spans> = &done.loss;
        numbers.extend(used(loss, (13, 2), losses::spans()?.as_ref())?);
        Ok(numbers)
    });
    vec![objective, learning]
}
