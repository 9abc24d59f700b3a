//! Metrics and samples of translations.

use crate::support::assert_close;
use reloss::metric::{Bleu, Chrf, Metric, SentenceBleu, Tokenizer};
use reloss::sampler::{TranslationSample, TranslationSampler, TranslationSource, TranslationStore};
use reloss::Error;

type Ids = dyn Metric<[Vec<usize>], [Vec<usize>]>;
type Texts = dyn Metric<Vec<String>, [String]>;

#[test]
fn bleu_of_ids_is_bleu_of_words() {
    let hypotheses = [vec![4, 5, 6, 7, 8, 9], vec![4, 4, 4], vec![]];
    let references = [vec![4, 5, 6, 7, 9, 8, 9], vec![4, 5, 4], vec![7]];
    let spelled = |all: &[Vec<usize>]| -> Vec<String> {
        let words = |ids: &Vec<usize>| ids.iter().map(|id| format!("w{id}")).collect::<Vec<_>>().join(" ");
        all.iter().map(words).collect()
    };
    let bleu = Bleu { tokenizer: Tokenizer::Whitespace, ..Bleu::default() };
    let pairs: [(&Ids, &Texts); 2] = [(&bleu, &bleu), (&SentenceBleu(bleu), &SentenceBleu(bleu))];
    for (ids, texts) in pairs {
        let value = ids.value(&hypotheses, &references).unwrap();
        assert_close(&[value], &[texts.value(&spelled(&hypotheses), &spelled(&references)).unwrap()], 1e-15);
        assert!((0.1..0.9).contains(&value), "{value}");
        assert!(matches!(ids.value(&hypotheses[..2], &references), Err(Error::Shape { .. })));
        assert!(matches!(ids.value(&[], &[]), Err(Error::Shape { .. })));
    }
    // By hand: 8 of 9 unigrams, 4 of 7 pairs, 2 of 5 triples, 1 of 3 quadruples, 9 tokens for 11.
    let by_hand =
        (8.0_f64 / 9.0 * (4.0 / 7.0) * (2.0 / 5.0) * (1.0 / 3.0)).powf(0.25) * (1.0_f64 - 11.0 / 9.0).exp();
    let ids: &Ids = &bleu;
    assert_close(&[ids.value(&hypotheses, &references).unwrap()], &[by_hand], 1e-12);
}

#[test]
fn texts_are_judged_on_a_scale_of_one() {
    let text = |lines: &[&str]| -> Vec<String> { lines.iter().map(|line| line.to_string()).collect() };
    let (hypothesis, reference) = (text(&["the cat sat on it."]), text(&["the cat sat on a mat."]));
    let metrics: [&Texts; 3] = [&Bleu::default(), &SentenceBleu::default(), &Chrf::default()];
    let scores: Vec<f64> =
        metrics.iter().map(|m| 100.0 * m.value(&hypothesis, &reference).unwrap()).collect();
    let chrf = Chrf::default().corpus(&["the cat sat on it."], &[vec!["the cat sat on a mat."]]).unwrap();
    let bleu =
        Bleu::default().corpus(&["the cat sat on it."], &[vec!["the cat sat on a mat."]]).unwrap().score;
    assert_close(&scores, &[bleu, bleu, chrf], 1e-12);
    assert_eq!(metrics.map(|metric| metric.name()), ["BLEU", "sentence BLEU", "chrF"]);
    for metric in metrics {
        assert_close(&[metric.value(&reference, &reference).unwrap()], &[1.0], 1e-12);
        assert!(matches!(metric.value(&hypothesis, &[]), Err(Error::Shape { .. })));
    }
}

/// The share of samples in each fifth of the metric's range.
fn fifths(samples: &[TranslationSample]) -> [f64; 5] {
    let mut counts = [0.0; 5];
    samples.iter().for_each(|s| counts[((5.0 * s.metric) as usize).min(4)] += 1.0 / samples.len() as f64);
    counts
}

fn store() -> TranslationStore {
    let reference = |row: usize| (0..5 + row % 9).map(|at| 4 + (row * 7 + at * at) % 90).collect();
    TranslationStore::new((0..60).map(reference).collect()).unwrap()
}

#[test]
fn corrupted_references_cover_bleu() {
    let bleu = Bleu::default();
    let metrics: [&Ids; 2] = [&bleu, &SentenceBleu(bleu)];
    let stored = || TranslationSampler::new(TranslationSource::Stored(store(), 1.0)).unwrap();
    for metric in metrics {
        for sampler in [TranslationSampler::random(2000, 16).unwrap(), stored()] {
            let samples = sampler.draw(metric, 500, 0).unwrap();
            let shares = fifths(&samples);
            assert!(shares.iter().all(|&share| share >= 0.05), "{}: {shares:?}", metric.name());
        }
    }
}

#[test]
fn log_odds_go_with_what_is_right() {
    let samples = TranslationSampler::random(500, 12).unwrap().draw(&Bleu::default(), 300, 1).unwrap();
    let mut means = Vec::new();
    for sample in &samples {
        assert_eq!(sample.log_odds.len(), sample.lengths.len() * sample.positions);
        assert_eq!(sample.lengths.iter().max(), Some(&sample.positions));
        let mut positive = 0;
        for (row, &length) in sample.log_odds.chunks(sample.positions).zip(&sample.lengths) {
            assert!(row.iter().all(|v| v.is_finite()) && row[length..].iter().all(|&v| v == 0.0));
            positive += row[..length].iter().filter(|&&v| v > 0.0).count();
        }
        means.push(positive as f64 / sample.lengths.iter().sum::<usize>() as f64);
    }
    let metric: Vec<f64> = samples.iter().map(|sample| sample.metric).collect();
    let rho = reloss::correlation::spearman(&means, &metric).unwrap();
    // Shifts and confidence keep it from 1: there is something left to learn.
    assert!(rho > 0.7 && rho < 0.999, "{rho}");
}

#[test]
fn matches_go_with_what_is_written() {
    let samples = TranslationSampler::random(500, 12).unwrap().draw(&Bleu::default(), 300, 1).unwrap();
    let of_order = |order: usize| -> Vec<f64> {
        let mean = |s: &TranslationSample| {
            s.matched.iter().map(|m| f64::from(m[order - 1])).sum::<f64>() / s.matched.len() as f64
        };
        samples.iter().map(mean).collect()
    };
    for matched in samples.iter().flat_map(|sample| &sample.matched) {
        assert!(matched.iter().all(|share| (0.0..=1.0).contains(share)), "{matched:?}");
    }
    let metric: Vec<f64> = samples.iter().map(|sample| sample.metric).collect();
    for order in 1..=4 {
        let rho = reloss::correlation::spearman(&of_order(order), &metric).unwrap();
        assert!(rho > 0.7 && rho < 0.999, "{order}: {rho}");
    }
    assert!(of_order(1).iter().zip(of_order(4)).all(|(one, four)| *one > four));
}

#[test]
fn draws_depend_on_the_seed_alone() {
    let sampler = TranslationSampler::random(300, 9).unwrap();
    let draw = |threads: usize, seed| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| sampler.draw(&Bleu::default(), 20, seed).unwrap())
    };
    let samples = draw(1, 5);
    assert_eq!(samples, draw(3, 5));
    assert_ne!(samples, draw(1, 6));
    assert_eq!(sampler.draw(&Bleu::default(), 7, 5).unwrap(), samples[..7]);
}

#[test]
fn stored_predictions_come_back_as_they_are() {
    let references = vec![vec![4, 5, 6, 7], vec![8, 9]];
    let mut store = TranslationStore::new(references.clone()).unwrap();
    let wrong = [
        (vec![vec![4]; 2], vec![vec![0.0; 4]; 2], 2),
        (vec![vec![4]; 1], vec![vec![0.0; 4], vec![0.0; 2]], 2),
        (vec![vec![4]; 2], vec![vec![0.0; 4]], 2),
        (vec![vec![4]; 2], vec![vec![0.0; 4], vec![0.0; 2]], 1),
    ];
    for (hypotheses, log_odds, matches) in wrong {
        assert!(matches!(
            store.append(hypotheses, log_odds, vec![[0.5; 4]; matches]),
            Err(Error::Shape { .. })
        ));
    }
    let mut append = |odds, share| {
        let matched = vec![[0.5; 4], [0.1, share, 0.1, 0.1]];
        store.append(vec![vec![4]; 2], vec![vec![0.0; 4], vec![0.0, odds]], matched)
    };
    for share in [-0.1, 1.1, f32::NAN] {
        let refused = append(0.0, share).unwrap_err().to_string();
        assert!(refused.contains("sentence 1"), "{refused}");
    }
    let infinite = append(f32::INFINITY, 0.1).unwrap_err();
    assert!(infinite.to_string().contains("sentence 1"), "{infinite}");
    let none = TranslationSampler::new(TranslationSource::Stored(store.clone(), 0.5));
    assert!(matches!(none, Err(Error::Parameter { .. })));
    let log_odds = vec![vec![1.0, 2.0, -3.0, 4.0], vec![-5.0, -6.0]];
    let matched = vec![[0.4, 0.3, 0.2, 0.1], [0.2; 4]];
    store.append(vec![vec![4, 5, 9, 7], vec![4]], log_odds, matched.clone()).unwrap();
    assert_eq!((store.rows(), store.times()), (2, 1));
    let sampler = TranslationSampler { source: TranslationSource::Stored(store, 0.0), rows: 3 };
    for sample in sampler.draw(&Bleu::default(), 20, 0).unwrap() {
        let rows: Vec<usize> = sample.lengths.iter().map(|&length| usize::from(length == 2)).collect();
        for (row, odds) in rows.iter().zip(sample.log_odds.chunks(sample.positions)) {
            let wanted = [[1.0, 2.0, -3.0, 4.0], [-5.0, -6.0, 0.0, 0.0]][*row];
            assert_eq!(odds, &wanted[..sample.positions]);
        }
        assert_eq!(sample.matched, rows.iter().map(|&row| matched[row]).collect::<Vec<_>>());
        let hypotheses: Vec<Vec<usize>> =
            rows.iter().map(|&row| [vec![4, 5, 9, 7], vec![4]][row].clone()).collect();
        let wanted: Vec<Vec<usize>> = rows.iter().map(|&row| references[row].clone()).collect();
        let metric: &Ids = &Bleu::default();
        assert_eq!(sample.metric, metric.value(&hypotheses, &wanted).unwrap());
    }
}

#[test]
fn stages_are_the_stores_times_in_order() {
    let mut store = TranslationStore::new(vec![vec![4, 5, 6, 7, 8]]).unwrap();
    store.append(vec![vec![9; 5]], vec![vec![-1.0; 5]], vec![[0.1; 4]]).unwrap();
    store.append(vec![vec![4, 5, 6, 7, 8]], vec![vec![1.0; 5]], vec![[0.8; 4]]).unwrap();
    // Half corrupted as a source, not so as stages.
    let sampler = TranslationSampler::new(TranslationSource::Stored(store, 0.5)).unwrap();
    let stages = sampler.stages(&Bleu::default(), 3, 0).unwrap();
    let names: Vec<&str> = stages.iter().map(|stage| stage.name.as_str()).collect();
    let bleu = |at: usize| stages[at].samples.iter().map(|s| s.metric).collect::<Vec<f64>>();
    assert_eq!(names, ["1 of 2", "2 of 2"]);
    assert_close(&bleu(1), &[1.0; 3], 1e-9);
    assert!(bleu(0).iter().all(|&value| value < 0.1), "{:?}", bleu(0));
    let none = TranslationSampler::random(9, 9).unwrap().stages(&Bleu::default(), 3, 0);
    assert!(matches!(none, Err(Error::Parameter { name: "stages", .. })));
}

#[test]
fn samplers_refuse_what_they_cannot_draw_from() {
    for (tokens, longest) in [(1, 9), (9, 0)] {
        assert!(matches!(TranslationSampler::random(tokens, longest), Err(Error::Parameter { .. })));
    }
    for share in [-0.1, f64::NAN] {
        let source = TranslationSource::Stored(store(), share);
        assert!(matches!(TranslationSampler::new(source), Err(Error::Parameter { .. })));
    }
    let none = TranslationSampler { rows: 0, ..TranslationSampler::random(9, 9).unwrap() };
    assert!(matches!(none.draw(&Bleu::default(), 1, 0), Err(Error::Parameter { .. })));
    for bad in [vec![], vec![vec![4], vec![]]] {
        assert!(matches!(TranslationStore::new(bad), Err(Error::Shape { .. })));
    }
}
