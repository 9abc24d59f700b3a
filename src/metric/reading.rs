//! How answers to questions are judged, as metrics of a batch, from 0 to 1.

use super::text::check;
use super::{
    cmrc_exact_match, cmrc_f1, dureader_rouge_l, exact_match, normalized_answer, rouge_l, token_f1, Bleu,
    Direction, Metric, Tokenizer,
};
use crate::error::Result;

/// What is measured of answers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum AnswerMeasure {
    /// The F1 of the tokens in common: [`token_f1`], [`cmrc_f1`].
    #[default]
    F1,
    /// The share of answers that are a right one: [`exact_match`], [`cmrc_exact_match`].
    ExactMatch,
    /// The longest common subsequence: [`rouge_l`]'s F1 of words, [`dureader_rouge_l`] of characters.
    RougeL,
    /// The BLEU of all answers together, n-grams up to four: [`Bleu`].
    Bleu,
}

/// By which scripts answers are judged.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum AnswerScript {
    /// Words of [normalized](normalized_answer) answers, as SQuAD 1.1's script has them. BLEU is smoothed, and of the orders that
    /// any answer is long enough for: answers are short.
    #[default]
    Words,
    /// F1 and exact match of CMRC 2018's script, ROUGE-L and BLEU-4 ([`Bleu::DUREADER`]: not smoothed) of DuReader's, of characters.
    Chinese,
}

/// A measure of answers, each judged by the right answer that fits it best, as a [`Metric`].
///
/// Predictions are texts, targets the right answers of each. Values are means (of BLEU that of the corpus), in \[0, 1\].
///
/// # Example
/// ```
/// use reloss::metric::{AnswerMeasure, AnswerMetric, Metric};
/// let answers = vec!["the old bridge".to_string(), "Monday".to_string()];
/// let right = [vec!["bridge".to_string(), "an old bridge near it".to_string()], vec!["on Friday".to_string()]];
/// // 2 of 2 and 2 of 4 words; nothing: (2/3 + 0) / 2.
/// assert!((AnswerMetric::default().value(&answers, &right)? - 1.0 / 3.0).abs() < 1e-12);
/// let exact = AnswerMetric { measure: AnswerMeasure::ExactMatch, ..Default::default() };
/// assert_eq!(exact.value(&answers, &right)?, 0.0);
/// # Ok::<(), reloss::Error>(())
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct AnswerMetric {
    /// Default: F1.
    pub measure: AnswerMeasure,
    /// Default: words, as SQuAD's script.
    pub script: AnswerScript,
}

impl AnswerMetric {
    /// The four measures by one script: F1, exact match, ROUGE-L, BLEU-4.
    pub fn all(script: AnswerScript) -> [Self; 4] {
        use AnswerMeasure::{ExactMatch, RougeL, F1};
        [F1, ExactMatch, RougeL, AnswerMeasure::Bleu].map(|measure| Self { measure, script })
    }

    /// The measure of a single answer.
    ///
    /// # Errors
    /// [`Error::Shape`](crate::Error::Shape) for no right answers.
    ///
    /// # Example
    /// ```
    /// let f1 = reloss::metric::AnswerMetric::default().single("Anna", &["Anna Kovacs"])?;
    /// assert!((f1 - 2.0 / 3.0).abs() < 1e-12);
    /// # Ok::<(), reloss::Error>(())
    /// ```
    pub fn single(&self, answer: &str, right: &[&str]) -> Result<f64> {
        self.of(&[answer], &[right.to_vec()])
    }

    fn of(&self, answers: &[&str], right: &[Vec<&str>]) -> Result<f64> {
        check("answers", answers, right)?;
        let mean = |value: &dyn Fn(&str, &[&str]) -> f64| {
            let values = answers.iter().zip(right).map(|(answer, right)| value(answer, right));
            Ok(values.sum::<f64>() / answers.len() as f64)
        };
        let share = |hit: bool| f64::from(u8::from(hit));
        match (self.measure, self.script) {
            (AnswerMeasure::F1, AnswerScript::Words) => mean(&token_f1),
            (AnswerMeasure::F1, AnswerScript::Chinese) => mean(&cmrc_f1),
            (AnswerMeasure::ExactMatch, AnswerScript::Words) => mean(&|a, r| share(exact_match(a, r))),
            (AnswerMeasure::ExactMatch, AnswerScript::Chinese) => mean(&|a, r| share(cmrc_exact_match(a, r))),
            (AnswerMeasure::RougeL, AnswerScript::Words) => mean(&rouge_of_words),
            (AnswerMeasure::RougeL, AnswerScript::Chinese) => mean(&dureader_rouge_l),
            (AnswerMeasure::Bleu, AnswerScript::Words) => bleu_of_words(answers, right),
            (AnswerMeasure::Bleu, AnswerScript::Chinese) => bleu(Bleu::DUREADER, answers, right),
        }
    }
}

/// ROUGE-L's F1 of normalized words, of the right answer that fits best; 1 where neither has words left.
fn rouge_of_words(answer: &str, right: &[&str]) -> f64 {
    let answer = normalized_answer(answer);
    let one = |right: &&str| {
        let right = normalized_answer(right);
        let words = |text: &'_ str| text.split_whitespace().map(str::to_string).collect::<Vec<_>>();
        match answer.is_empty() && right.is_empty() {
            true => 1.0,
            false => rouge_l(&words(&right), &words(&answer)).f1,
        }
    };
    right.iter().map(one).fold(0.0, f64::max)
}

fn bleu_of_words(answers: &[&str], right: &[Vec<&str>]) -> Result<f64> {
    let options = Bleu { tokenizer: Tokenizer::Whitespace, effective_order: true, ..Bleu::default() };
    let answers: Vec<String> = answers.iter().map(|answer| normalized_answer(answer)).collect();
    let right: Vec<Vec<String>> =
        right.iter().map(|right| right.iter().map(|text| normalized_answer(text)).collect()).collect();
    let right: Vec<Vec<&str>> =
        right.iter().map(|right| right.iter().map(String::as_str).collect()).collect();
    bleu(options, &answers.iter().map(String::as_str).collect::<Vec<_>>(), &right)
}

/// From 0 to 1; what is exactly right can come out above by rounding.
fn bleu(options: Bleu, answers: &[&str], right: &[Vec<&str>]) -> Result<f64> {
    Ok((options.corpus(answers, right)?.score / 100.0).min(1.0))
}

impl Metric<Vec<String>, [Vec<String>]> for AnswerMetric {
    fn name(&self) -> &str {
        match self.measure {
            AnswerMeasure::F1 => "F1",
            AnswerMeasure::ExactMatch => "exact match",
            AnswerMeasure::RougeL => "ROUGE-L",
            AnswerMeasure::Bleu => "BLEU-4",
        }
    }

    fn direction(&self) -> Direction {
        Direction::HigherIsBetter
    }

    fn range(&self) -> (f64, f64) {
        (0.0, 1.0)
    }

    fn value(&self, answers: &Vec<String>, right: &[Vec<String>]) -> Result<f64> {
        let answers: Vec<&str> = answers.iter().map(String::as_str).collect();
        let right: Vec<Vec<&str>> =
            right.iter().map(|right| right.iter().map(String::as_str).collect()).collect();
        self.of(&answers, &right)
    }
}
