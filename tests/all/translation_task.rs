//! Training translators, and the comparison of their losses.

use std::sync::Arc;

use reloss::data::{ParallelText, TextSplit, Units, Vocabulary};
use reloss::experiment::{Case, Comparison, Results, TranslationCase, TranslationGround};
use reloss::loss::{BagOfNgrams, TokenCrossEntropy};
use reloss::metric::Bleu;
use reloss::model::{Transformer, TransformerConfig};
use reloss::sampler::{TranslationSampler, TranslationSource};
use reloss::surrogate::{
    Input, Network, NgramInput, NgramSurrogate, TranslationNetwork, TranslationSurrogate,
};
use reloss::task::{Task, Train, Translation};
use reloss::Error;

fn tiny(vocabulary: usize) -> TransformerConfig {
    let (width, feed_forward, positions) = (16, 32, 24);
    TransformerConfig {
        width,
        heads: 2,
        feed_forward,
        positions,
        encoder_layers: 1,
        decoder_layers: 1,
        ..TransformerConfig::small(vocabulary)
    }
}

fn ground() -> TranslationGround {
    let split = TextSplit { validation: 0.2, test: 0.2, seed: 0 };
    let parts = ParallelText::grammar(150, 0).unwrap().split(&split).unwrap();
    let vocabulary = Arc::new(Vocabulary::learn(&parts[0].sentences(), 2000, Units::Words).unwrap());
    let train = Train { epochs: 3, batch: 256, learning_rate: 1e-2, ..Train::default() };
    // Long enough to write something.
    let teacher = Train { epochs: 15, ..train.clone() };
    TranslationGround { parts, vocabulary, config: tiny, teacher, train }
}

fn task() -> Translation {
    let ground = ground();
    Translation::new(&ground.parts, ground.vocabulary.clone(), tiny).unwrap()
}

#[test]
fn a_translator_learns_and_the_same_run_gives_the_same() {
    let (task, bleu) = (task(), Bleu::default());
    let train = ground().train;
    let outcome = task.train(&TokenCrossEntropy::default(), &bleu, &train).unwrap();
    assert!(outcome.history[2].loss < 0.9 * outcome.history[0].loss, "{:?}", outcome.history);
    assert_eq!((outcome.predictions.len(), outcome.targets.len()), (30, 30));
    let again = task.train(&TokenCrossEntropy::default(), &bleu, &train).unwrap();
    assert_eq!(outcome.predictions, again.predictions);
    // The first half of the steps is the other loss's.
    let half = Train { warm_up: 1.0, ..train };
    let before = task.train_after(&TokenCrossEntropy::default(), &BagOfNgrams, &bleu, &half).unwrap();
    assert_eq!(outcome.predictions, before.predictions);
}

#[test]
fn training_stops_with_the_best_model() {
    let (task, bleu) = (task(), Bleu::default());
    let train = Train { epochs: 30, patience: 2, learning_rate: 0.05, ..ground().train };
    let outcome = task.train(&TokenCrossEntropy::default(), &bleu, &train).unwrap();
    let best = outcome.history.iter().map(|epoch| epoch.validation).fold(0.0, f64::max);
    assert_eq!(outcome.validation, best);
    let last = outcome.history.len() - 1;
    let at = outcome.history.iter().position(|epoch| epoch.validation == best).unwrap();
    assert!(last == 29 || last == at + 2, "{last} {at}");
}

#[test]
fn parts_and_teachers_that_do_not_fit_are_refused() {
    let ground = ground();
    let [train, validation, test] = ground.parts.clone();
    let mixed = [train, validation.reversed(), test];
    let refused = Translation::new(&mixed, ground.vocabulary.clone(), tiny).unwrap_err();
    assert!(refused.to_string().contains("[\"en\", \"ro\"] in all parts"), "{refused}");
    let other = Transformer::new(TransformerConfig { width: 8, ..tiny(ground.vocabulary.len()) }, 0).unwrap();
    assert!(matches!(TranslationCase::new(&ground, Some(other)), Err(Error::Shape { .. })));
    let short = |vocabulary| TransformerConfig { positions: 6, ..tiny(vocabulary) };
    let task = Translation::new(&ground.parts, ground.vocabulary.clone(), short).unwrap();
    let kept: usize = task.parts().iter().map(|part| part.len()).sum();
    assert!(task.skipped()[0] > 0 && kept + task.skipped().iter().sum::<usize>() == 150);
}

#[test]
fn losses_of_translations_are_compared() {
    let ground = ground();
    let (case, teacher) = TranslationCase::new(&ground, None).unwrap();
    let references = Translation::new(&ground.parts, ground.vocabulary.clone(), tiny).unwrap();
    assert_ne!(case.task.parts()[0].targets(), references.parts()[0].targets());
    assert_eq!(case.task.parts()[2].targets(), references.parts()[2].targets());
    // The same teacher again: nothing is trained.
    let (same, _) = TranslationCase::new(&ground, Some(teacher)).unwrap();
    assert_eq!(same.task.parts()[0].targets(), case.task.parts()[0].targets());

    // What is learned is tested elsewhere: any network of translations can be compared.
    let network = TranslationNetwork::new(8, 24, 0).unwrap().with_output_bias(5.0).unwrap();
    let loss = TranslationSurrogate::new(network, Input::default(), "BLEU").unwrap();
    let mut case = case;
    case.losses = vec![("reloss".into(), loss.to_safetensors().unwrap())];
    let network = Network::new(5, 8, 0).unwrap().with_output_bias(5.0).unwrap();
    let loss = NgramSurrogate::new(network, NgramInput::default(), "BLEU").unwrap();
    case.ngrams = vec![("reloss_ngrams".into(), loss.to_safetensors().unwrap())];
    let (setting, data) = (case.setting(), case.data());
    assert_eq!((setting.as_str(), data.as_str()), ("grammar, en-ro", "grammar"));
    let comparison = Comparison {
        tuning_seeds: vec![9],
        grid: vec![1e-2],
        train: Train { epochs: 1, ..ground.train.clone() },
        ..case.comparison(vec![0])
    };
    let results = comparison.run("test", &[case], Results::default(), None, "").unwrap();
    let losses: Vec<&str> =
        results.runs.iter().filter(|r| r.metric == "BLEU").map(|r| r.loss.as_str()).collect();
    let wanted = [
        "cross_entropy",
        "bag_of_ngrams",
        "reloss_after_cross_entropy",
        "reloss",
        "reloss_with_cross_entropy",
        "reloss_after_bag_of_ngrams",
        "reloss_ngrams_with_cross_entropy",
        "reloss_ngrams",
    ];
    assert_eq!(losses, wanted);
    assert!(results.runs.iter().any(|run| run.metric == "chrF"));
}

#[test]
fn stored_predictions_are_those_of_the_references_tokens() {
    let task = task();
    let store = task.store_predictions(&Bleu::default(), &ground().train).unwrap();
    assert_eq!((store.rows(), store.times()), (task.parts()[0].len(), 3));
    let sampler = TranslationSampler::new(TranslationSource::Stored(store, 0.0)).unwrap();
    let metric: &dyn reloss::metric::Metric<[Vec<usize>], [Vec<usize>]> = &Bleu::default();
    let samples = sampler.draw(metric, 20, 0).unwrap();
    // A fresh model gives the references' tokens less than half.
    assert!(samples.iter().all(|sample| sample.cross_entropy() > 2f64.ln()));
    // And matches few of their tokens, longer n-grams less than short ones.
    for shares in samples.iter().flat_map(|sample| &sample.matched) {
        assert!(
            shares[0] > 0.0 && shares[0] < 0.5 && shares.windows(2).all(|pair| pair[1] <= pair[0]),
            "{shares:?}"
        );
    }
}
