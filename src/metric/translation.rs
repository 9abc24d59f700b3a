//! BLEU and chrF as metrics of a batch of translations, from 0 to 1.

use super::{Bleu, Chrf, Direction, Metric};
use crate::error::Result;

/// The mean BLEU of single sentences, smoothed, by effective order, as a [`Metric`].
///
/// # Example
/// ```
/// use reloss::metric::{Bleu, Metric, SentenceBleu};
/// let metric = SentenceBleu(Bleu::default());
/// let (hypotheses, references) = ([vec![5, 6, 7, 8, 9], vec![4]], [vec![5, 6, 7, 8, 9], vec![5]]);
/// assert!((metric.value(&hypotheses[..], &references[..])? - 0.5).abs() < 1e-12);
/// # Ok::<(), reloss::Error>(())
/// ```
///
/// # Reference
/// As sacrebleu's `sentence_bleu`, divided by 100.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct SentenceBleu(pub Bleu);

/// One reference for each hypothesis, as lists of one.
fn borrowed<'a>(hypotheses: &'a [String], references: &'a [String]) -> (Vec<&'a str>, Vec<Vec<&'a str>>) {
    let hypotheses = hypotheses.iter().map(String::as_str).collect();
    (hypotheses, references.iter().map(|reference| vec![reference.as_str()]).collect())
}

/// The BLEU of a corpus of sentences, by its tokenizer.
impl Metric<Vec<String>, [String]> for Bleu {
    fn name(&self) -> &str {
        "BLEU"
    }

    fn direction(&self) -> Direction {
        Direction::HigherIsBetter
    }

    fn range(&self) -> (f64, f64) {
        (0.0, 1.0)
    }

    fn value(&self, hypotheses: &Vec<String>, references: &[String]) -> Result<f64> {
        let (hypotheses, references) = borrowed(hypotheses, references);
        Ok(self.corpus(&hypotheses, &references)?.score / 100.0)
    }
}

/// The BLEU of a corpus of token ids: of subwords it is another number than that of the words they make up.
impl Metric<[Vec<usize>], [Vec<usize>]> for Bleu {
    fn name(&self) -> &str {
        "token BLEU"
    }

    fn direction(&self) -> Direction {
        Direction::HigherIsBetter
    }

    fn range(&self) -> (f64, f64) {
        (0.0, 1.0)
    }

    fn value(&self, hypotheses: &[Vec<usize>], references: &[Vec<usize>]) -> Result<f64> {
        let counts = self.token_counts(hypotheses, references)?;
        Ok(counts.score(&(0..counts.segments()).collect::<Vec<_>>())?.score / 100.0)
    }
}

impl SentenceBleu {
    fn effective(&self) -> Bleu {
        Bleu { effective_order: true, ..self.0 }
    }
}

/// The mean of all segments.
fn mean(counts: &super::BleuCounts) -> Result<f64> {
    let scores = (0..counts.segments()).map(|segment| Ok(counts.score(&[segment])?.score));
    Ok(scores.sum::<Result<f64>>()? / counts.segments() as f64 / 100.0)
}

impl Metric<Vec<String>, [String]> for SentenceBleu {
    fn name(&self) -> &str {
        "sentence BLEU"
    }

    fn direction(&self) -> Direction {
        Direction::HigherIsBetter
    }

    fn range(&self) -> (f64, f64) {
        (0.0, 1.0)
    }

    fn value(&self, hypotheses: &Vec<String>, references: &[String]) -> Result<f64> {
        let (hypotheses, references) = borrowed(hypotheses, references);
        mean(&self.effective().counts(&hypotheses, &references)?)
    }
}

impl Metric<[Vec<usize>], [Vec<usize>]> for SentenceBleu {
    fn name(&self) -> &str {
        "token sentence BLEU"
    }

    fn direction(&self) -> Direction {
        Direction::HigherIsBetter
    }

    fn range(&self) -> (f64, f64) {
        (0.0, 1.0)
    }

    fn value(&self, hypotheses: &[Vec<usize>], references: &[Vec<usize>]) -> Result<f64> {
        mean(&self.effective().token_counts(hypotheses, references)?)
    }
}

/// The chrF of a corpus of sentences.
impl Metric<Vec<String>, [String]> for Chrf {
    fn name(&self) -> &str {
        match self.word_order {
            0 => "chrF",
            1 => "chrF+",
            _ => "chrF++",
        }
    }

    fn direction(&self) -> Direction {
        Direction::HigherIsBetter
    }

    fn range(&self) -> (f64, f64) {
        (0.0, 1.0)
    }

    fn value(&self, hypotheses: &Vec<String>, references: &[String]) -> Result<f64> {
        let (hypotheses, references) = borrowed(hypotheses, references);
        Ok(self.corpus(&hypotheses, &references)? / 100.0)
    }
}
