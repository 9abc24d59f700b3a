//! Predictions in files, judged against what is right: every score with its interval.

use std::collections::HashMap;

use polars::prelude::{Column, DataFrame};
use rayon::prelude::*;

use super::frame;
use crate::data::{Annotation, Detection, Question};
use crate::error::{Error, Result};
use crate::metric::{
    cmrc_exact_match, cmrc_f1, dureader_rouge_l, exact_match, rouge_l, rouge_n, token_f1, Bleu, Bootstrap,
    Chrf, Interval, KeypointAp, Oks, Rouge,
};

/// A metric of all predictions with its 95 % bootstrap interval over segments, questions or images.
#[derive(Debug, Clone, PartialEq)]
pub struct Score {
    /// The metric.
    pub metric: String,
    /// From 0 to 100, higher is better.
    pub interval: Interval,
}

impl Score {
    fn new(metric: impl ToString, rows: usize, of: impl Fn(&[usize]) -> Result<f64> + Sync) -> Result<Self> {
        Ok(Self { metric: metric.to_string(), interval: Bootstrap::default().interval(rows, of)? })
    }

    /// The mean of a value of every row, given as a share.
    fn mean(metric: &str, values: &[f64]) -> Result<Self> {
        let mean =
            |rows: &[usize]| Ok(100.0 * rows.iter().map(|&i| values[i]).sum::<f64>() / rows.len() as f64);
        Self::new(metric, values.len(), mean)
    }

    /// BLEU and chrF of translations: one list of references for each.
    ///
    /// # Errors
    /// As [`Bleu::corpus`].
    pub fn translations(bleu: &Bleu, hypotheses: &[&str], references: &[Vec<&str>]) -> Result<Vec<Self>> {
        let counts = bleu.counts(hypotheses, references)?;
        let most = references.iter().map(Vec::len).max().unwrap_or(0);
        let name = format!("BLEU {}", bleu.signature(most));
        let of_bleu = Self::new(name, counts.segments(), |rows| Ok(counts.score(rows)?.score))?;
        let chrf = Chrf { lowercase: bleu.lowercase, ..Chrf::default() };
        let counts = chrf.counts(hypotheses, references)?;
        Ok(vec![of_bleu, Self::new("chrF2", counts.segments(), |rows| counts.score(rows))?])
    }

    /// The mean F1 of ROUGE-1, 2 and L of summaries, by Unicode tokens; of several references the best counts.
    ///
    /// # Errors
    /// [`Error::Shape`] for no summaries, lists of different lengths or a summary without references.
    pub fn summaries(hypotheses: &[&str], references: &[Vec<&str>]) -> Result<Vec<Self>> {
        if hypotheses.len() != references.len() || references.iter().any(Vec::is_empty) {
            let got = format!("{} and {}", references.len(), hypotheses.len());
            return Err(Error::shape("ROUGE", "one list of references or more for each summary", got));
        }
        let one = |(hypothesis, references): (&&str, &Vec<&str>)| -> Result<[f64; 3]> {
            let hypothesis = Rouge::tokens(hypothesis);
            let mut best = [0.0_f64; 3];
            for reference in references.iter().map(|reference| Rouge::tokens(reference)) {
                let of = [
                    rouge_n(&reference, &hypothesis, 1)?,
                    rouge_n(&reference, &hypothesis, 2)?,
                    rouge_l(&reference, &hypothesis),
                ];
                best.iter_mut().zip(of).for_each(|(best, rouge)| *best = best.max(rouge.f1));
            }
            Ok(best)
        };
        let all: Vec<[f64; 3]> = hypotheses.par_iter().zip(references).map(one).collect::<Result<_>>()?;
        let column = |i: usize| all.iter().map(|values| values[i]).collect::<Vec<f64>>();
        let names = ["ROUGE-1 F1", "ROUGE-2 F1", "ROUGE-L F1"];
        names.iter().enumerate().map(|(i, name)| Self::mean(name, &column(i))).collect()
    }

    /// Exact match and F1 of answers: SQuAD's, or for `chinese` CMRC's, and with them DuReader's ROUGE-L and BLEU-4.
    ///
    /// # Errors
    /// [`Error::Undefined`] naming a question that is not answered; [`Error::Shape`] for no questions.
    pub fn answers(
        questions: &[Question],
        answers: &HashMap<String, String>,
        chinese: bool,
    ) -> Result<Vec<Self>> {
        let find = |question: &Question| match answers.get(&question.id) {
            Some(answer) => Ok(answer.as_str()),
            None => Err(Error::undefined("score", format!("question {} is not answered", question.id))),
        };
        let given: Vec<&str> = questions.iter().map(find).collect::<Result<_>>()?;
        let texts = |q: &Question| q.answers.iter().map(|answer| answer.text.clone()).collect::<Vec<_>>();
        let right: Vec<Vec<String>> = questions.iter().map(texts).collect();
        let right: Vec<Vec<&str>> =
            right.iter().map(|right| right.iter().map(String::as_str).collect()).collect();
        let each = |of: fn(&str, &[&str]) -> f64| -> Vec<f64> {
            given.par_iter().zip(&right).map(|(answer, right)| of(answer, right)).collect()
        };
        let matches = |of: fn(&str, &[&str]) -> bool| -> Vec<f64> {
            given
                .par_iter()
                .zip(&right)
                .map(|(answer, right)| f64::from(u8::from(of(answer, right))))
                .collect()
        };
        if !chinese {
            return Ok(vec![
                Self::mean("exact match", &matches(exact_match))?,
                Self::mean("F1", &each(token_f1))?,
            ]);
        }
        let bleu = Bleu::DUREADER.counts(&given, &right)?;
        Ok(vec![
            Self::mean("exact match (CMRC)", &matches(cmrc_exact_match))?,
            Self::mean("F1 (CMRC)", &each(cmrc_f1))?,
            Self::mean("ROUGE-L (DuReader)", &each(dureader_rouge_l))?,
            Self::new("BLEU-4 (DuReader)", bleu.segments(), |rows| Ok(bleu.score(rows)?.score))?,
        ])
    }

    /// COCO's keypoint average precision; areas without annotated instances are left out.
    ///
    /// # Errors
    /// As [`Oks::average_precision`]; [`Error::Undefined`] where nothing is annotated.
    pub fn keypoints(oks: &Oks, annotations: &[Annotation], detections: &[Detection]) -> Result<Vec<Self>> {
        type Part = fn(&KeypointAp) -> Option<f64>;
        let parts: [(&str, Part); 6] = [
            ("AP", |ap| ap.ap),
            ("AP50", |ap| ap.ap50),
            ("AP75", |ap| ap.ap75),
            ("AP medium", |ap| ap.ap_medium),
            ("AP large", |ap| ap.ap_large),
            ("AR", |ap| ap.ar),
        ];
        let matches = oks.matches(annotations, detections)?;
        let all = matches.average_precision(&(0..matches.images()).collect::<Vec<_>>())?;
        let there = parts.iter().filter(|(_, part)| part(&all).is_some());
        let scores = there.map(|&(name, part)| {
            Self::new(name, matches.images(), |images| {
                let value = part(&matches.average_precision(images)?);
                value.map(|v| 100.0 * v).ok_or_else(|| Error::undefined(name, "nothing is annotated"))
            })
        });
        let scores: Vec<Self> = scores.collect::<Result<_>>()?;
        match scores.is_empty() {
            true => Err(Error::undefined("keypoint AP", "nothing is annotated")),
            false => Ok(scores),
        }
    }

    /// Scores as a frame, a row a metric.
    ///
    /// # Errors
    /// [`Error::Draw`] when polars refuses.
    pub fn frame(scores: &[Self]) -> Result<DataFrame> {
        let real = |of: fn(&Interval) -> f64| scores.iter().map(|s| of(&s.interval)).collect::<Vec<f64>>();
        frame(vec![
            Column::new("metric".into(), scores.iter().map(|s| s.metric.clone()).collect::<Vec<_>>()),
            Column::new("value".into(), real(|i| i.value)),
            Column::new("95 %, from".into(), real(|i| i.low)),
            Column::new("to".into(), real(|i| i.high)),
        ])
    }
}
