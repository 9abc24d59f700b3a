//! How long do exact metrics take?
//!
//! `cargo bench --bench metrics`; `cargo bench --bench metrics -- --times` prints one line of JSON with medians in
//! seconds and the values, for `tests/peers/metrics.py`, which makes the same data.

use std::hint::black_box;

use criterion::Criterion;
use reloss::data::{Annotation, Detection};
use reloss::metric::{average_precision, roc_auc, rouge_l, rouge_n, Bleu, Metric, Oks, Rouge, Scores, TopK};

#[path = "texts.rs"]
mod texts;
#[path = "times.rs"]
mod times;

use texts::{texts, Numbers};

/// Scores with ties, higher where relevant.
fn ranking(n: usize) -> (Vec<f64>, Vec<bool>) {
    let mut numbers = Numbers(2);
    let mut one = || {
        let relevant = numbers.below(10) == 0;
        (numbers.below(100_000) as f64 + if relevant { 20_000.0 } else { 0.0 }, relevant)
    };
    (0..n).map(|_| one()).unzip()
}

/// Three people an image, each found with noise.
fn people(images: u64) -> (Vec<Annotation>, Vec<Detection>) {
    let mut numbers = Numbers(3);
    let (mut annotations, mut detections) = (Vec::new(), Vec::new());
    for image_id in 1..=images {
        for _ in 0..3 {
            let corner = [numbers.below(400) as f64, numbers.below(300) as f64];
            let (mut keypoints, mut found) = (Vec::new(), Vec::new());
            for _ in 0..17 {
                let point = corner.map(|c| c + numbers.below(100) as f64);
                keypoints.extend([point[0], point[1], 2.0]);
                found.extend([point[0] + numbers.below(12) as f64, point[1] + numbers.below(12) as f64, 1.0]);
            }
            annotations.push(Annotation {
                id: annotations.len() as u64 + 1,
                image_id,
                category_id: 1,
                area: 6000.0,
                bbox: [corner[0], corner[1], 100.0, 100.0],
                iscrowd: 0,
                num_keypoints: 17,
                keypoints,
            });
            let score = numbers.below(1000) as f64 / 1000.0;
            detections.push(Detection { image_id, category_id: 1, score, keypoints: found });
        }
    }
    (annotations, detections)
}

/// 256 batches of 128 rows of 1000 classes.
fn batches() -> (Vec<Scores>, Vec<usize>) {
    let mut numbers = Numbers(4);
    let mut batch = || {
        let values = (0..128_000).map(|_| numbers.below(1 << 20) as f32).collect();
        Scores::new(values, 1000).expect("whole rows of finite numbers")
    };
    ((0..256).map(|_| batch()).collect(), (0..128).map(|row| row * 7 % 1000).collect())
}

/// Calls `f` with the name and the computation of every case.
fn each_case(mut f: impl FnMut(&str, &mut dyn FnMut() -> reloss::Result<f64>)) {
    let (targets, predictions) = texts(3000);
    let hypotheses: Vec<&str> = predictions.iter().map(String::as_str).collect();
    let references: Vec<Vec<&str>> = targets.iter().map(|target| vec![target.as_str()]).collect();
    f("BLEU", &mut || Ok(Bleu::default().corpus(&hypotheses, &references)?.score));
    f("ROUGE", &mut || {
        let mut sum = 0.0;
        for (target, prediction) in targets.iter().zip(&predictions) {
            let (t, p) = (Rouge::ascii_tokens(target), Rouge::ascii_tokens(prediction));
            sum += rouge_n(&t, &p, 1)?.f1 + rouge_n(&t, &p, 2)?.f1 + rouge_l(&t, &p).f1;
        }
        Ok(sum / 9000.0)
    });
    let (scores, relevant) = ranking(1_000_000);
    f("ROC-AUC", &mut || roc_auc(&scores, &relevant));
    f("average precision", &mut || average_precision(&scores, &relevant));
    let (annotations, detections) = people(500);
    f("OKS-AP", &mut || {
        Ok(Oks::default().average_precision(&annotations, &detections)?.ap.unwrap_or(f64::NAN))
    });
    let (batches, labels) = batches();
    f("accuracy", &mut || {
        let values = batches.iter().map(|scores| TopK::ACCURACY.value(scores, &labels));
        Ok(values.sum::<reloss::Result<f64>>()? / 256.0)
    });
    // What accuracy cannot be faster than: every number read once.
    f("one pass", &mut || {
        let largest = |scores: &Scores| scores.values().iter().fold(0.0_f32, |m, &v| m.max(v));
        Ok(batches.iter().map(|scores| f64::from(largest(scores))).sum())
    });
}

fn main() {
    if std::env::args().any(|argument| argument == "--times") {
        let mut entries = Vec::new();
        each_case(|name, run| {
            let value = run().unwrap_or(f64::NAN);
            let seconds = times::median_seconds(|| drop(black_box(run())));
            entries.push(format!("\"{name}\": [{seconds:e}, {value}]"));
        });
        println!("{{{}}}", entries.join(", "));
        return;
    }
    let mut criterion = Criterion::default().configure_from_args().sample_size(10);
    each_case(|name, run| {
        criterion.bench_function(&format!("metrics/{name}"), |b| b.iter(&mut *run));
    });
    criterion.final_summary();
}
