//! Spans of passages: operations, losses, samplers and the learned loss.

use std::sync::Arc;

use dfdx::prelude::*;
use reloss::loss::{span_loss, ExpectedOverlap, Loss, SpanCrossEntropy, SpanLikelihood};
use reloss::metric::{token_f1, Direction, Metric};
use reloss::ops::{
    host, matrix, span_cross_entropy, span_features, span_features_composed, SpanFeature, Spans,
};
use reloss::sampler::{Passage, ReadingSample, ReadingSampler, ReadingSource, ReadingStore};
use reloss::surrogate::{
    learn_reading, Learn, LossNetwork, Modality, Network, OfAnswers, Penalty, ReadingSurrogate, SpanInput,
    WithRespectTo,
};
use reloss::{Error, Matrix, Result, Tape};

use crate::sequence::numbers;
use crate::support::{assert_close, wide};

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

/// Passages of 1, 6 and 4 tokens.
fn spans() -> Spans {
    Spans::new(vec![1, 6, 4], vec![(0, 0), (2, 4), (3, 3)]).unwrap()
}

fn logits(seed: u64) -> Vec<f32> {
    numbers(22, seed).into_iter().map(|v| 2.0 * v).collect()
}

#[test]
fn expectations_of_spans_by_hand() {
    // Start and end logits ln 1, ln 2 | ln 3, ln 4: spans (0,0), (0,1), (1,1) weigh 1·3… by their exponentials.
    let z = [1f32, 3.0, 2.0, 5.0].map(f32::ln);
    let (w00, w01, w11): (f64, f64, f64) = (1.0 * 3.0, 1.0 * 5.0, 2.0 * 5.0);
    let total = w00 + w01 + w11;
    let spans = Spans::new(vec![2], vec![(0, 0)]).unwrap();
    let odds = |longest| {
        let x = matrix(z.to_vec(), 2, 2).unwrap();
        wide(&host(&span_features(x, &spans, &SpanFeature::ALL, longest).unwrap()))
    };
    let logit = |e: f64| (e / (1.0 - e)).ln();
    let near = |distance: f64| (-distance / 8.0).exp();
    let overlap = (w00 + w01 * 2.0 / 3.0) / total;
    let inside = (w00 + w01 * 0.5) / total;
    let close = (w00 + w01 * near(1.0) + w11 * near(2.0)) / total;
    assert_close(&odds(30), &[logit(w00 / total), logit(overlap), logit(inside), logit(close)], 1e-6);
    // Without the span of two tokens.
    assert_close(&odds(1)[..1], &[(w00 / w11).ln()], 1e-6);
    // The answer itself is never too long.
    let whole = Spans::new(vec![2], vec![(0, 1)]).unwrap();
    let x = span_features(matrix(z.to_vec(), 2, 2).unwrap(), &whole, &[SpanFeature::Exact], 1).unwrap();
    assert_close(&wide(&host(&x)), &[logit(w01 / total)], 1e-6);
}

#[test]
fn fused_expectations_are_the_composed_ones() {
    for longest in [1, 3, 30] {
        let run = |f: &dyn Fn(Matrix<Tape>) -> Matrix<Tape>| {
            let x = matrix(logits(3), 11, 2).unwrap();
            let out = f(x.leaky_trace());
            let weights = matrix(numbers(12, 4), 3, 4).unwrap();
            let values = wide(&host(&out));
            (values, wide(&host(&(out * weights).sum().backward().get(&x))))
        };
        let spans = spans();
        let fused = run(&|x| span_features(x, &spans, &SpanFeature::ALL, longest).unwrap());
        let composed = run(&|x| span_features_composed(x, &spans, &SpanFeature::ALL, longest).unwrap());
        // The passage of one token has nothing wrong: its log-odds are at the limit.
        assert_close(&fused.0, &composed.0, 2e-5);
        assert_close(&fused.1, &composed.1, 1e-4);
        assert!(fused.1.iter().any(|g| g.abs() > 0.1));
    }
}

/// Central differences in f32 against the tape.
fn check_gradient(loss: &dyn Loss<Spans>, logits: &[f32], spans: &Spans, tolerance: f64) {
    let x = matrix(logits.to_vec(), logits.len() / 2, 2).unwrap();
    let value = loss.loss(x.leaky_trace(), spans).unwrap();
    let gradient = wide(&host(&value.backward().get(&x)));
    let moved = |place: usize, by: f32| {
        let mut logits = logits.to_vec();
        logits[place] += by;
        span_loss(loss, logits, spans).unwrap()
    };
    let differences: Vec<f64> =
        (0..logits.len()).map(|place| (moved(place, 1e-2) - moved(place, -1e-2)) / 2e-2).collect();
    assert_close(&gradient, &differences, tolerance);
    assert!(gradient.iter().any(|g| g.abs() > 10.0 * tolerance));
}

#[test]
fn losses_of_spans_have_right_gradients() {
    check_gradient(&SpanCrossEntropy, &logits(1), &spans(), 1e-3);
    check_gradient(&ExpectedOverlap::default(), &logits(1), &spans(), 1e-3);
    check_gradient(&SpanLikelihood::default(), &logits(1), &spans(), 1e-3);
    let network = Network::new(4, 16, 3).unwrap().with_output_bias(2.0).unwrap();
    let surrogate = ReadingSurrogate::new(network, SpanInput { scale: 1.0, ..SpanInput::default() }, "F1");
    let spans = Spans::new(vec![6, 4], vec![(2, 4), (3, 3)]).unwrap();
    check_gradient(&surrogate.unwrap(), &logits(1)[2..], &spans, 1e-3);
}

#[test]
fn cross_entropy_of_spans_by_hand() {
    let z = [1f32, 3.0, 2.0, 5.0, 4.0, 6.0].map(f32::ln);
    let spans = Spans::new(vec![2, 1], vec![(0, 1), (0, 0)]).unwrap();
    let losses = span_cross_entropy(matrix(z.to_vec(), 3, 2).unwrap(), &spans).unwrap();
    let first = -((1.0f64 / 3.0).ln() + (5.0f64 / 8.0).ln()) / 2.0;
    assert_close(&wide(&host(&losses)), &[first, 0.0], 1e-6);
    let sample = ReadingSample { logits: z.to_vec(), spans, metric: 0.0 };
    assert_close(&[sample.cross_entropy().unwrap()], &[first / 2.0], 1e-6);
}

#[test]
fn likelihood_of_spans_by_hand() {
    let z = [1f32, 3.0, 2.0, 5.0, 7.0, 1.0].map(f32::ln);
    let spans = Spans::new(vec![3], vec![(1, 1)]).unwrap();
    // Of (0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2); of at most one token: without the longer ones.
    for (longest, total) in [(30, 3.0 + 5.0 + 1.0 + 10.0 + 2.0 + 7.0), (1, 3.0 + 10.0 + 7.0)] {
        let loss = span_loss(&SpanLikelihood { longest }, z.to_vec(), &spans).unwrap();
        assert_close(&[loss], &[-(10.0f64 / total).ln()], 1e-6);
    }
}

#[test]
fn extremes_stay_finite() {
    let spans = Spans::new(vec![3], vec![(1, 1)]).unwrap();
    for far in [80.0, 1e4, 1e30] {
        for sure in
            [[0.0, 0.0, far, far, 0.0, 0.0], [far, far, 0.0, 0.0, 0.0, 0.0], [-far, far, far, -far, far, far]]
        {
            let losses: [Box<dyn Loss<Spans>>; 4] = [
                Box::new(SpanCrossEntropy),
                Box::new(SpanLikelihood::default()),
                Box::new(ExpectedOverlap::default()),
                Box::new(
                    ReadingSurrogate::new(Network::new(4, 8, 0).unwrap(), SpanInput::default(), "F1")
                        .unwrap(),
                ),
            ];
            for loss in losses {
                let x = matrix(sure.to_vec(), 3, 2).unwrap();
                let value = loss.loss(x.leaky_trace(), &spans).unwrap();
                assert!(reloss::ops::scalar(&value).is_finite(), "{} {far}", loss.name());
                let gradient = host(&value.backward().get(&x));
                assert!(gradient.iter().all(|g| g.is_finite()), "{} {far}: {gradient:?}", loss.name());
            }
        }
    }
    let refused = span_loss(&SpanCrossEntropy, vec![0.0, f32::NAN, 0.0, 0.0, 0.0, 0.0], &spans);
    assert!(matches!(refused, Err(Error::NotFinite { index: 1, .. })));
    assert!(matches!(span_loss(&SpanCrossEntropy, vec![0.0; 4], &spans), Err(Error::Shape { .. })));
    let refused = span_loss(&ExpectedOverlap { longest: 0 }, vec![0.0; 6], &spans);
    assert!(matches!(refused, Err(Error::Parameter { .. })));
    for (lengths, gold) in
        [(vec![], vec![]), (vec![2], vec![(1, 0)]), (vec![2], vec![(0, 2)]), (vec![0], vec![(0, 0)])]
    {
        assert!(matches!(Spans::new(lengths, gold), Err(Error::Shape { .. })));
    }
}

#[test]
fn perturbed_answers_cover_the_metric() {
    let sampler = ReadingSampler::random(40).unwrap();
    let samples = sampler.draw(&F1, 300, 1).unwrap();
    let mut counts = [0; 5];
    samples.iter().for_each(|sample| counts[((sample.metric * 5.0) as usize).min(4)] += 1);
    // Even where nothing is right some spans overlap: the lowest fifth is the thinnest.
    assert!(counts[0] >= 20 && counts[1..].iter().all(|&count| count >= 45), "{counts:?}");
    // Pinned: what one seed draws stays the same.
    assert_eq!(sampler.draw(&F1, 3, 1).unwrap(), samples[..3]);
    let first = &samples[0];
    assert_eq!((first.spans.rows().len(), first.spans.gold()[0]), (32, PINNED.0));
    assert_close(&[first.metric, f64::from(first.logits[0])], &[PINNED.1, PINNED.2], 1e-6);
}

const PINNED: ((usize, usize), f64, f64) = ((1, 2), 0.3578869047619048, -3.0389028);

fn passage() -> Passage {
    let text: Arc<str> = "the old bridge near the river".into();
    let mut tokens = Vec::new();
    for word in text.split(' ') {
        let start = word.as_ptr() as usize - text.as_ptr() as usize;
        tokens.push(start..start + word.len());
    }
    Passage { text, tokens, gold: (1, 2), answers: vec!["old bridge".to_string()] }
}

#[test]
fn stored_answers_are_read_off_their_logits() {
    let mut store = ReadingStore::new(vec![passage()]).unwrap();
    // The span "bridge near": half of it is right.
    let mut logits = vec![0.0; 12];
    (logits[2 * 2], logits[2 * 3 + 1]) = (5.0, 5.0);
    store.append(vec![logits.clone()]).unwrap();
    let sampler = ReadingSampler::new(ReadingSource::Stored(store.clone(), 0.0)).unwrap();
    let sample = &sampler.draw(&F1, 1, 0).unwrap()[0];
    assert_eq!((sample.metric, &sample.logits[..12]), (0.5, &logits[..]));
    let mut later = store.clone();
    (logits[2], logits[2 * 3 + 1]) = (9.0, 0.0);
    later.append(vec![logits]).unwrap();
    let stages = ReadingSampler::new(ReadingSource::Stored(later, 0.9)).unwrap().stages(&F1, 2, 0).unwrap();
    let values = |at: usize| stages[at].samples.iter().map(|s| s.metric).collect::<Vec<f64>>();
    assert_eq!((stages.len(), values(0)), (2, vec![0.5; 2]));
    assert!(values(1).iter().all(|&value| value > 0.5), "{:?}", values(1));
    let none = ReadingSampler::random(9).unwrap().stages(&F1, 2, 0);
    assert!(matches!(none, Err(Error::Parameter { name: "stages", .. })));
    assert!(matches!(store.append(vec![vec![0.0; 11]]), Err(Error::Shape { .. })));
    assert!(matches!(store.append(vec![]), Err(Error::Shape { .. })));
    let refused = store.append(vec![vec![f32::NAN; 12]]).unwrap_err().to_string();
    assert!(refused.contains("row 0") && refused.contains("finite"), "{refused}");
    for wrong in [
        Passage { tokens: vec![0..3, 2..5], gold: (0, 0), ..passage() },
        Passage { tokens: std::iter::once(0..99).collect(), gold: (0, 0), ..passage() },
        Passage { gold: (5, 6), ..passage() },
        Passage { answers: vec![], ..passage() },
        Passage { tokens: vec![], ..passage() },
    ] {
        assert!(matches!(ReadingStore::new(vec![wrong]), Err(Error::Shape { .. })));
    }
    let empty = ReadingStore::new(vec![passage()]).unwrap();
    for source in [
        ReadingSource::Stored(empty.clone(), 0.5),
        ReadingSource::Stored(empty, 1.5),
        ReadingSource::Random(0),
    ] {
        assert!(matches!(ReadingSampler::new(source), Err(Error::Parameter { .. })));
    }
    let none = ReadingSampler { rows: 0, ..ReadingSampler::random(9).unwrap() };
    assert!(matches!(none.draw(&F1, 1, 0), Err(Error::Parameter { .. })));
}

#[test]
fn a_loss_of_answers_is_learned_and_kept() {
    let sampler = ReadingSampler { rows: 8, ..ReadingSampler::random(20).unwrap() };
    let options = Learn { steps: 60, held_out: 64, hidden: 32, output_bias: 2.0, ..Learn::default() };
    let draw = |count, seed| sampler.draw(&F1, count, seed);
    let learned = learn_reading(&F1, SpanInput::default(), draw, &options).unwrap();
    assert!(learned.held_out > 0.75, "{}", learned.held_out);
    let test = sampler.draw(&F1, 100, 99).unwrap();
    let agreement = learned.loss.agreement(&F1, &test).unwrap();
    assert!(agreement > 0.75, "{agreement}");
    // What it was learned as is what models are trained with.
    let values = learned.loss.values(&test[..2]).unwrap();
    for (sample, value) in test.iter().zip(values) {
        let trained = span_loss(&learned.loss, sample.logits.clone(), &sample.spans).unwrap();
        assert_close(&[trained], &[value], 1e-5);
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("loss.safetensors");
    learned.loss.save(&path).unwrap();
    let again = ReadingSurrogate::load(&path).unwrap();
    assert_eq!(again.values(&test).unwrap(), learned.loss.values(&test).unwrap());
    assert_eq!((again.metric(), again.input()), ("F1", learned.loss.input()));
    let other = reloss::surrogate::PoseSurrogate::load(&path);
    assert!(matches!(other, Err(Error::Data { .. })), "a loss of other predictions");
    for wrong in [
        SpanInput { features: vec![], ..SpanInput::default() },
        SpanInput { features: vec![SpanFeature::Near; 4], ..SpanInput::default() },
        SpanInput { longest: 0, ..SpanInput::default() },
        SpanInput { scale: -1.0, ..SpanInput::default() },
    ] {
        let refused = ReadingSurrogate::new(Network::new(4, 8, 0).unwrap(), wrong, "F1");
        assert!(matches!(refused, Err(Error::Parameter { .. })));
    }
    let narrow = ReadingSurrogate::new(Network::new(3, 8, 0).unwrap(), SpanInput::default(), "F1");
    assert!(matches!(narrow, Err(Error::Shape { .. })));
    let penalty = Penalty { with_respect_to: WithRespectTo::Probabilities, ..Penalty::default() };
    let refused = learn_reading(&F1, SpanInput::default(), draw, &Learn { penalty, ..options });
    assert!(matches!(refused, Err(Error::Parameter { .. })));
}

#[test]
fn slopes_of_answers_are_gradients_of_the_logits() {
    let spans = Spans::new(vec![6, 4], vec![(2, 4), (3, 3)]).unwrap();
    let logits = logits(7)[2..].to_vec();
    let sample = ReadingSample { logits: logits.clone(), spans: spans.clone(), metric: 0.0 };
    let input = SpanInput { scale: 1.0, ..SpanInput::default() };
    let network = Network::new(4, 16, 5).unwrap().with_output_bias(2.0).unwrap();
    let batch = OfAnswers::batch(std::slice::from_ref(&sample), &input, WithRespectTo::Logits).unwrap();
    let slopes = wide(&host(&network.judge(&batch, NoneTape).unwrap().slopes));
    let loss = ReadingSurrogate::new(network, input, "F1").unwrap();
    let x = matrix(logits, 10, 2).unwrap();
    let gradient = wide(&host(&loss.loss(x.leaky_trace(), &spans).unwrap().backward().get(&x)));
    // The mean over two passages halves each one's.
    let norm = |rows: &[f64]| 2.0 * rows.iter().map(|g| g * g).sum::<f64>().sqrt();
    let slopes: Vec<f64> = slopes.into_iter().map(f64::abs).collect();
    assert_close(&slopes, &[norm(&gradient[..12]), norm(&gradient[12..])], 1e-5);
}
