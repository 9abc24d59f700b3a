//! Metrics of texts: translation, summaries, answers.

mod answers;
mod bleu;
mod chinese;
mod chrf;
mod rouge;
mod stem;
mod tokenize;

pub use answers::{exact_match, normalized_answer, token_f1};
pub use bleu::{Bleu, BleuCounts, BleuScore, Smoothing};
pub use chinese::{cmrc_exact_match, cmrc_f1, cmrc_tokens, dureader_rouge_l};
pub use chrf::{Chrf, ChrfCounts};
pub use rouge::{rouge_l, rouge_l_sum, rouge_n, Rouge};
pub use tokenize::Tokenizer;

use crate::error::{Error, Result};

/// Refuses a corpus without segments, or references that do not fit: one list of references for each segment.
pub(super) fn check(op: &'static str, hypotheses: &[&str], references: &[Vec<&str>]) -> Result<()> {
    if hypotheses.is_empty() || hypotheses.len() != references.len() {
        let expected = "as many lists of references as hypotheses, one or more";
        let got = format!("{} and {}", references.len(), hypotheses.len());
        return Err(Error::shape(op, expected, got));
    }
    match references.iter().position(Vec::is_empty) {
        Some(segment) => {
            Err(Error::shape(op, "one reference or more", format!("none for segment {segment}")))
        }
        None => Ok(()),
    }
}

/// Refuses an empty choice of segments, and segments that are not there.
fn check_rows(op: &'static str, segments: &[usize], count: usize) -> Result<()> {
    match segments.iter().find(|&&segment| segment >= count) {
        None if segments.is_empty() => Err(Error::shape(op, "one segment or more", 0)),
        None => Ok(()),
        Some(segment) => Err(Error::shape(op, format!("segments below {count}"), segment)),
    }
}
