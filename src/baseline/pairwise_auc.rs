//! Multiclass AUC through a convex loss of every pair of rows, in time linear in the rows where that is possible.

use dfdx::prelude::HasShape;

use super::record_defined;
use crate::error::{Error, Result};
use crate::loss::Loss;
use crate::ops::check_batch;
use crate::{Matrix, Scalar, Tape};

/// The loss of a pair by how far the row of the class stands above the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PairLoss {
    /// (1 − difference)².
    Square,
    /// exp(−difference).
    Exponential,
    /// max(0, 1 − difference).
    Hinge,
}

/// A surrogate of the one-against-one AUC: over ordered pairs of classes (i, j), the mean over rows a of class i and b of
/// class j of a loss of s_i(a) − s_i(b), averaged.
///
/// Scores are softmax probabilities. Squares and exponentials factor into sums over rows, O(rows · classes); the hinge
/// sorts, O(rows · classes · log rows). Classes that a batch lacks are left out; a batch of one class teaches nothing.
///
/// # Reference
/// Yang, Xu, Bao, Cao, Huang, "Learning with multiclass AUC: theory and algorithms", TPAMI 2021, arXiv 2107.13171.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PairwiseAuc {
    /// The loss of a pair.
    pub pair: PairLoss,
}

impl PairwiseAuc {
    /// The loss of scores, (rows, classes) row-major, and its gradient with respect to them.
    ///
    /// # Errors
    /// [`Error::Undefined`] where fewer than two classes occur.
    pub fn value(&self, scores: &[f64], classes: usize, labels: &[usize]) -> Result<(f64, Vec<f64>)> {
        let mut rows: Vec<Vec<usize>> = vec![Vec::new(); classes];
        labels.iter().enumerate().for_each(|(row, &label)| rows[label].push(row));
        let present: Vec<usize> = (0..classes).filter(|&class| !rows[class].is_empty()).collect();
        if present.len() < 2 {
            return Err(Error::undefined("pairwise AUC", "fewer than two classes occur"));
        }
        let pairs = (present.len() * (present.len() - 1)) as f64;
        let (mut sum, mut gradient) = (0.0, vec![0.0; scores.len()]);
        for &i in &present {
            // Rows of class j with their scores as of class i, each weighing 1/the rows of its class.
            let of = |j: usize| -> Vec<Row> {
                let weight = 1.0 / rows[j].len() as f64;
                rows[j].iter().map(|&row| (scores[row * classes + i], weight, row)).collect()
            };
            let own = of(i);
            let others: Vec<Row> = present.iter().filter(|&&j| j != i).flat_map(|&j| of(j)).collect();
            let mut add = |row: usize, g: f64| gradient[row * classes + i] += g / pairs;
            sum += match self.pair {
                PairLoss::Square => square(&own, &others, &mut add),
                PairLoss::Exponential => exponential(&own, &others, &mut add),
                PairLoss::Hinge => hinge(&own, &others, &mut add),
            };
        }
        Ok((sum / pairs, gradient))
    }
}

/// Score, weight and row.
type Row = (f64, f64, usize);

/// Σ w_a w_b (1 − s_a + s_b)² from the sums of weights, scores and squares of either side.
fn square(own: &[Row], others: &[Row], add: &mut dyn FnMut(usize, f64)) -> f64 {
    let sums = |side: &[Row]| {
        side.iter().fold((0.0, 0.0, 0.0), |(w, s, q), &(score, weight, _)| {
            (w + weight, s + weight * score, q + weight * score * score)
        })
    };
    let ((wa, sa, qa), (wb, sb, qb)) = (sums(own), sums(others));
    for &(score, weight, row) in own {
        add(row, -2.0 * weight * ((1.0 - score) * wb + sb));
    }
    for &(score, weight, row) in others {
        add(row, 2.0 * weight * ((1.0 + score) * wa - sa));
    }
    wa * wb + qa * wb + qb * wa - 2.0 * sa * wb + 2.0 * sb * wa - 2.0 * sa * sb
}

/// Σ w_a w_b exp(s_b − s_a), a product of two sums.
fn exponential(own: &[Row], others: &[Row], add: &mut dyn FnMut(usize, f64)) -> f64 {
    let a: f64 = own.iter().map(|(score, weight, _)| weight * (-score).exp()).sum();
    let b: f64 = others.iter().map(|(score, weight, _)| weight * score.exp()).sum();
    own.iter().for_each(|&(score, weight, row)| add(row, -weight * (-score).exp() * b));
    others.iter().for_each(|&(score, weight, row)| add(row, weight * score.exp() * a));
    a * b
}

/// Σ w_a w_b max(0, 1 − s_a + s_b): both sides sorted, with running sums over the pairs that count.
fn hinge(own: &[Row], others: &[Row], add: &mut dyn FnMut(usize, f64)) -> f64 {
    let sorted = |side: &[Row]| {
        let mut side = side.to_vec();
        side.sort_by(|a, b| a.0.total_cmp(&b.0));
        side
    };
    let (own, others) = (sorted(own), sorted(others));
    let mut sum = 0.0;
    // Of a the b with s_b > s_a − 1, from the top down; both sides fall together.
    let (mut next, mut weights, mut scores) = (others.len(), 0.0, 0.0);
    for &(score, weight, row) in own.iter().rev() {
        while next > 0 && others[next - 1].0 > score - 1.0 {
            next -= 1;
            weights += others[next].1;
            scores += others[next].1 * others[next].0;
        }
        sum += weight * ((1.0 - score) * weights + scores);
        add(row, -weight * weights);
    }
    let (mut next, mut weights) = (0, 0.0);
    for &(score, weight, row) in &others {
        while next < own.len() && own[next].0 < score + 1.0 {
            weights += own[next].1;
            next += 1;
        }
        add(row, weight * weights);
    }
    sum
}

impl Loss for PairwiseAuc {
    fn name(&self) -> String {
        match self.pair {
            PairLoss::Square => "pairwise_auc_square",
            PairLoss::Exponential => "pairwise_auc_exponential",
            PairLoss::Hinge => "pairwise_auc_hinge",
        }
        .to_string()
    }

    fn loss(&self, logits: Matrix<Tape>, labels: &[usize]) -> Result<Scalar<Tape>> {
        check_batch("pairwise AUC", &logits, labels)?;
        let classes = logits.shape().1;
        let p = super::probabilities(&logits);
        let defined = self.value(&p, classes, labels).map(|(value, by_p)| {
            // Through softmax: dz_j = p_j (g_j − Σ g p).
            let rows = p.chunks_exact(classes).zip(by_p.chunks_exact(classes));
            let by_logits = rows.flat_map(|(p, g)| {
                let mean: f64 = p.iter().zip(g).map(|(p, g)| p * g).sum();
                p.iter().zip(g).map(|(p, g)| (p * (g - mean)) as f32).collect::<Vec<_>>()
            });
            (value, by_logits.collect())
        });
        record_defined(logits, defined)
    }
}
