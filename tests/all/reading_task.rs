//! Training readers, and the comparison of their losses.

use std::sync::Arc;

use reloss::data::{ReadingSet, TextSplit, WindowOptions};
use reloss::experiment::{Case, Comparison, ReadingCase, ReadingGround, Results};
use reloss::loss::{ExpectedOverlap, SpanCrossEntropy};
use reloss::metric::{AnswerMetric, AnswerScript};
use reloss::model::{Reader, ReaderConfig, WordVectors};
use reloss::ops::{best_spans, host, Tokens};
use reloss::sampler::{ReadingSampler, ReadingSource};
use reloss::surrogate::{Network, ReadingSurrogate, SpanInput};
use reloss::task::{Reading, Task, Train};
use reloss::Error;

fn tiny(vocabulary: usize) -> ReaderConfig {
    let (embedding, width, feed_forward) = (16, 16, 32);
    ReaderConfig { embedding, width, heads: 2, feed_forward, layers: 1, ..ReaderConfig::small(vocabulary) }
}

fn ground() -> ReadingGround {
    let split = TextSplit { validation: 0.2, test: 0.2, seed: 0 };
    let parts = ReadingSet::world(90, 0).unwrap().split(&split).unwrap();
    let vocabulary = Arc::new(parts[0].vocabulary(1000).unwrap());
    let train = Train { epochs: 4, batch: 1024, learning_rate: 1e-2, ..Train::default() };
    let windows = WindowOptions { length: 64, stride: 48, question: 16 };
    ReadingGround { parts, script: AnswerScript::Words, vocabulary, config: tiny, windows, train }
}

#[test]
fn a_reader_learns_and_the_same_run_gives_the_same() {
    let ground = ground();
    let case = ReadingCase::new(&ground, None).unwrap();
    let f1 = AnswerMetric::default();
    let outcome = case.task.train(&SpanCrossEntropy, &f1, &ground.train).unwrap();
    assert!(outcome.history[3].loss < 0.95 * outcome.history[0].loss, "{:?}", outcome.history);
    assert_eq!((outcome.predictions.len(), outcome.targets.len()), (18, 18));
    // Answers are taken from the passages.
    for (question, answer) in ground.parts[2].questions().iter().zip(&outcome.predictions) {
        assert!(question.context.contains(answer.as_str()) && !answer.is_empty());
    }
    let again = case.task.train(&SpanCrossEntropy, &f1, &ground.train).unwrap();
    assert_eq!(outcome.predictions, again.predictions);
    // All steps are the warm-up's.
    let warm = Train { warm_up: 1.0, ..ground.train.clone() };
    let before = case.task.train(&ExpectedOverlap::default(), &f1, &warm).unwrap();
    assert_eq!(outcome.predictions, before.predictions);
}

#[test]
fn of_several_windows_the_surest_answers() {
    let ground = ground();
    let case = ReadingCase::new(&ground, None).unwrap();
    let part = case.task.parts()[2];
    assert!(part.windows().len() > part.questions().len(), "passages of more than one window");
    let reader = Reader::new(case.task.config(), 3).unwrap();
    let answers = case.task.answer(&reader, part).unwrap();
    for (question, answer) in answers.iter().enumerate() {
        let own = (0..part.windows().len()).filter(|&window| part.windows()[window].question == question);
        let mut best = (f32::NEG_INFINITY, String::new());
        for window in own {
            let asked = Tokens::new(&[part.questions()[question].ids.clone()]).unwrap();
            let passage = Tokens::new(&[part.windows()[window].ids.clone()]).unwrap();
            let logits = host(&reader.predict(&asked, &passage, &part.windows()[window].matches).unwrap());
            let (first, last, score) = best_spans(&logits, passage.rows(), 30).unwrap()[0];
            // Alone and among others a window's logits differ by rounding.
            if score > best.0 + 1e-5 {
                best = (score, part.text(window, (first, last)).unwrap().to_string());
            }
        }
        assert_eq!(*answer, best.1);
    }
}

#[test]
fn windows_and_vectors_that_do_not_fit_are_refused() {
    let ground = ground();
    let new = |windows: &WindowOptions| Reading::new(&ground.parts, ground.vocabulary.clone(), tiny, windows);
    let long = WindowOptions { length: 400, stride: 100, question: 16 };
    let refused = new(&long).unwrap_err().to_string();
    assert!(refused.contains("400 tokens, but the model has 384 positions"), "{refused}");
    let short = WindowOptions { length: 1, stride: 1, question: 4 };
    assert!(new(&short).is_ok(), "answers of one token fit");

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vectors.txt");
    std::fs::write(&path, "the 1 0 0\nWhere 0 1 0\nunheard-of 0 0 1\n").unwrap();
    let vectors = ground.vectors(&path).unwrap();
    assert_eq!((vectors.len(), vectors.width()), (2, 3), "folded, and only words of the vocabulary");
    let task = ReadingCase::new(&ground, Some(Arc::new(vectors))).unwrap().task;
    assert_eq!(task.config().embedding, 3);
    std::fs::write(&path, "the 1 0 0\nwhere 0 1\n").unwrap();
    assert!(matches!(ground.vectors(&path), Err(Error::Data { line: Some(2), .. })));
    let none: Result<WordVectors, Error> = ground.vectors(&folder.path().join("none"));
    assert!(matches!(none, Err(Error::Io { .. })));
}

#[test]
fn losses_of_answers_are_compared() {
    let ground = ground();
    let mut case = ReadingCase::new(&ground, None).unwrap();
    // What is learned is tested elsewhere: any network of spans can be compared.
    let network = Network::new(4, 8, 0).unwrap().with_output_bias(2.0).unwrap();
    let loss = ReadingSurrogate::new(network, SpanInput::default(), "F1").unwrap();
    let bytes = loss.to_safetensors().unwrap();
    case.losses = vec![("reloss".into(), bytes.clone()), ("reloss_elsewhere".into(), bytes)];
    assert_eq!((case.setting().as_str(), case.data().as_str()), ("world", "world"));
    case = case.with_epochs(1);
    let comparison = Comparison { tuning_seeds: vec![9], grid: vec![1e-2], ..case.comparison(vec![0]) };
    let results = comparison.run("test", &[case], Results::default(), None, "").unwrap();
    let losses: Vec<&str> =
        results.runs.iter().filter(|r| r.metric == "F1").map(|r| r.loss.as_str()).collect();
    let wanted = [
        "cross_entropy",
        "expected_overlap",
        "expected_overlap_after_cross_entropy",
        "span_likelihood",
        "span_likelihood_after_cross_entropy",
        "reloss_after_cross_entropy",
        "reloss",
        "reloss_after_span_likelihood",
        "reloss_elsewhere_after_cross_entropy",
    ];
    assert_eq!(losses, wanted);
    for metric in ["exact match", "ROUGE-L", "BLEU-4"] {
        assert!(results.runs.iter().any(|run| run.metric == metric), "{metric}");
    }
}

#[test]
fn stored_predictions_are_those_of_windows_with_an_answer() {
    let ground = ground();
    let case = ReadingCase::new(&ground, None).unwrap();
    let store = case.task.store_predictions(&case.f1(), &ground.train).unwrap();
    assert_eq!((store.rows(), store.times()), (case.task.parts()[0].answerable().len(), 4));
    let sampler = ReadingSampler::new(ReadingSource::Stored(store, 0.0)).unwrap();
    let samples = sampler.draw(&case.f1(), 20, 0).unwrap();
    // Some of a little-trained model's answers are right, most are not.
    assert!(samples.iter().all(|sample| sample.metric < 0.8 && sample.cross_entropy().unwrap() > 0.5));
    assert!(samples.iter().any(|sample| sample.metric > 0.0));
}
