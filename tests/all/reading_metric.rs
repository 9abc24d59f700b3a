//! How answers are judged, a batch at a time.

use reloss::metric::{
    cmrc_f1, dureader_rouge_l, token_f1, AnswerMeasure, AnswerMetric, AnswerScript, Bleu, Direction, Metric,
};
use reloss::Error;

use crate::support::assert_close;

fn owned(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| text.to_string()).collect()
}

fn values(script: AnswerScript, answers: &[&str], right: &[&[&str]]) -> Vec<f64> {
    let (answers, right) = (owned(answers), right.iter().map(|right| owned(right)).collect::<Vec<_>>());
    AnswerMetric::all(script).iter().map(|metric| metric.value(&answers, &right).unwrap()).collect()
}

#[test]
fn english_answers_by_hand() {
    // "old bridge" of "old bridge near river": F1 and ROUGE-L 2·2/(2 + 4); "Lund" is right; "b a" has both words of "a b",
    // the article off each: "b" is "b".
    let right: [&[&str]; 3] = [&["the old bridge near the river"], &["Kiel", "lund!"], &["a b"]];
    let got = values(AnswerScript::Words, &["The old bridge", "Lund", "b a"], &right);
    // BLEU: 4 of 4 words, 1 of 1 pairs, no longer answers; 4 tokens against 6.
    assert_close(&got, &[8.0 / 9.0, 2.0 / 3.0, 8.0 / 9.0, (1.0_f64 - 6.0 / 4.0).exp()], 1e-12);
    // The order of words: "two c d" against "d two": F1 4/5, the longest common subsequence one word, 2·1/5.
    let got = values(AnswerScript::Words, &["two c d"], &[&["d two"]]);
    assert_close(&got[..3], &[0.8, 0.0, 0.4], 1e-12);
    // Nothing right; nothing said.
    assert_eq!(values(AnswerScript::Words, &["x"], &[&["y"]]), [0.0; 4]);
    assert_eq!(values(AnswerScript::Words, &[""], &[&["y"]]), [0.0; 4]);
    assert_eq!(values(AnswerScript::Words, &["the"], &[&["a"]])[..3], [1.0; 3]);
}

#[test]
fn chinese_answers_by_hand() {
    let (answers, right) = (["战国", "《光荣》"], [&["战国无双", "三国"][..], &["光荣"]]);
    let got = values(AnswerScript::Chinese, &answers, &right);
    // F1 2/3 and 1; ROUGE-L: precision 1, recall 1/2, and the marks count: precision 1/2, recall 1.
    let rouge = [2.44 * 0.5 / (0.5 + 1.44), 2.44 * 0.5 / (1.0 + 0.72)];
    // No answer has four characters that are right: not smoothed, BLEU is 0.
    assert_close(&got, &[5.0 / 6.0, 0.5, (rouge[0] + rouge[1]) / 2.0, 0.0], 1e-8);
    assert_eq!(values(AnswerScript::Chinese, &["战国无双三"], &[&["战国无双三"]]), [1.0; 4]);
    // The functions for a single answer are the same.
    for (answer, right) in answers.iter().zip(right) {
        let one =
            |measure| AnswerMetric { measure, script: AnswerScript::Chinese }.single(answer, right).unwrap();
        assert_eq!(one(AnswerMeasure::F1), cmrc_f1(answer, right));
        assert_eq!(one(AnswerMeasure::RougeL), dureader_rouge_l(answer, right));
    }
}

#[test]
fn values_are_means_and_bleu_is_of_the_corpus() {
    let answers = ["战国无双三国志", "信长野望", "x"];
    let right = [&["战国无双三代国志"][..], &["信长之野望"], &["y", "xx"]];
    let got = values(AnswerScript::Chinese, &answers, &right);
    let mean = answers.iter().zip(right).map(|(answer, right)| cmrc_f1(answer, right)).sum::<f64>() / 3.0;
    assert_close(&got[..1], &[mean], 1e-12);
    let references: Vec<Vec<&str>> = right.iter().map(|right| right.to_vec()).collect();
    assert_close(&got[3..], &[Bleu::DUREADER.corpus(&answers, &references).unwrap().score / 100.0], 1e-12);
    let english = AnswerMetric::default();
    assert_eq!(
        english.single("10th century", &["the 10th"]).unwrap(),
        token_f1("10th century", &["the 10th"])
    );
}

#[test]
fn names_ranges_and_refusals() {
    let names: Vec<&str> = ["F1", "exact match", "ROUGE-L", "BLEU-4"].to_vec();
    for script in [AnswerScript::Words, AnswerScript::Chinese] {
        for (metric, name) in AnswerMetric::all(script).iter().zip(&names) {
            assert_eq!((metric.name(), metric.range()), (*name, (0.0, 1.0)));
            assert_eq!(metric.direction(), Direction::HigherIsBetter);
            let value = |answers: &[&str], right: &[Vec<String>]| metric.value(&owned(answers), right);
            assert!(matches!(value(&[], &[]), Err(Error::Shape { .. })));
            assert!(matches!(value(&["a"], &[]), Err(Error::Shape { .. })));
            assert!(matches!(value(&["a"], &[vec![]]), Err(Error::Shape { .. })));
            assert!(matches!(metric.single("a", &[]), Err(Error::Shape { .. })));
        }
    }
}
