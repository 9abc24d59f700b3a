//! UniLoss: any metric of pairwise comparisons, interpolated between anchors where it is known.

use std::sync::atomic::{AtomicU64, Ordering};

use dfdx::prelude::HasShape;
use rand::Rng;
use rand_chacha::rand_core::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::{record, record_defined};
use crate::error::{Error, Result};
use crate::loss::Loss;
use crate::ops::{check_batch, host};
use crate::{Matrix, Scalar, Tape};

/// Which scores are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparisons {
    /// The label's score with that of every other class: (rows, classes − 1).
    LabelWithOthers,
    /// Of two classes, every row of class 1 with every row of class 0, by the score of class 1 less that of class 0:
    /// (ones, zeros).
    OnesWithZeros,
}

/// The outcomes of a batch's comparisons.
#[derive(Debug, Clone, PartialEq)]
pub struct Compared {
    /// Whether the first of each pair stands above, row-major.
    pub above: Vec<bool>,
    /// Comparisons in a row.
    pub width: usize,
}

impl Compared {
    /// The share of rows whose label stands above all others; for [`Comparisons::LabelWithOthers`].
    pub fn accuracy(&self) -> f64 {
        let rows = self.above.chunks_exact(self.width);
        let count = rows.len() as f64;
        rows.filter(|row| row.iter().all(|&above| above)).count() as f64 / count
    }

    /// The share of comparisons that are right, the ROC-AUC; for [`Comparisons::OnesWithZeros`].
    pub fn roc_auc(&self) -> f64 {
        self.above.iter().filter(|&&above| above).count() as f64 / self.above.len() as f64
    }
}

/// −Σ (vᵢ/‖c − bᵢ‖) / Σ (1/‖c − bᵢ‖) over anchors bᵢ ∈ {−1, 1}ᵈ with the exact metric vᵢ, at c = 2σ(difference) − 1.
///
/// A batch of one class has no comparisons of ones with zeros and teaches nothing. Anchors: all comparisons right, 16 with one of them wrong, 16 with one comparison of the batch turned round, 16 at
/// random, drawn anew with every call.
///
/// # Example
/// ```
/// use reloss::baseline::{Comparisons, Compared, UniLoss};
/// let loss = UniLoss::new(Comparisons::LabelWithOthers, Compared::accuracy, 0);
/// let scores = reloss::metric::Scores::new(vec![9.0, 0.0, 0.0, 9.0], 2)?;
/// assert!(reloss::loss::value(&loss, &scores, &[0, 1])? < -0.9);
/// # Ok::<(), reloss::Error>(())
/// ```
///
/// # Reference
/// Liu, Wang, Deng, "UniLoss: unified surrogate loss by adaptive interpolation", ECCV 2020, arXiv 2007.13870; anchors as in
/// the released code, the gradient derived anew (its classification code has the sign of the second term wrong).
#[derive(Debug)]
pub struct UniLoss {
    comparisons: Comparisons,
    metric: fn(&Compared) -> f64,
    seed: u64,
    calls: AtomicU64,
}

/// Anchors of each kind but the first.
const ANCHORS: usize = 16;

impl UniLoss {
    /// For a metric of comparisons, higher is better.
    pub fn new(comparisons: Comparisons, metric: fn(&Compared) -> f64, seed: u64) -> Self {
        Self { comparisons, metric, seed, calls: AtomicU64::new(0) }
    }

    /// Pairs of score indices, first and second, with the comparisons in a row.
    fn pairs(&self, classes: usize, labels: &[usize]) -> Result<(Vec<(usize, usize)>, usize)> {
        match self.comparisons {
            Comparisons::LabelWithOthers => {
                let of = |(row, &label): (usize, &usize)| {
                    let others = (0..classes).filter(move |&class| class != label);
                    others.map(move |class| (row * classes + label, row * classes + class))
                };
                Ok((labels.iter().enumerate().flat_map(of).collect(), classes - 1))
            }
            Comparisons::OnesWithZeros if classes != 2 => {
                Err(Error::shape("UniLoss", "two classes", classes))
            }
            Comparisons::OnesWithZeros => {
                let of = |class: usize| (0..labels.len()).filter(move |&row| labels[row] == class);
                let (ones, zeros): (Vec<usize>, Vec<usize>) = (of(1).collect(), of(0).collect());
                if ones.is_empty() || zeros.is_empty() {
                    return Err(Error::undefined("UniLoss", "the batch has one class only"));
                }
                let pairs = ones.iter().flat_map(|&one| zeros.iter().map(move |&zero| (one, zero)));
                Ok((pairs.collect(), zeros.len()))
            }
        }
    }

    fn anchors(&self, above: &[bool], width: usize) -> Vec<Compared> {
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        rng.set_stream(self.calls.fetch_add(1, Ordering::Relaxed));
        let compared = |above: Vec<bool>| Compared { above, width };
        let best = vec![true; above.len()];
        let mut anchors = vec![compared(best.clone())];
        let mut flipped = |from: &[bool]| {
            let mut anchor = from.to_vec();
            let at = rng.gen_range(0..anchor.len());
            anchor[at] = !anchor[at];
            anchor
        };
        anchors.extend((0..ANCHORS).map(|_| compared(flipped(&best))));
        anchors.extend((0..ANCHORS).map(|_| compared(flipped(above))));
        anchors.extend((0..ANCHORS).map(|_| compared(above.iter().map(|_| rng.gen()).collect())));
        anchors
    }
}

/// The interpolated metric at c, and its gradient; anchors as ±1 with their values.
fn interpolate(c: &[f64], anchors: &[(Vec<bool>, f64)]) -> (f64, Vec<f64>) {
    let sign = |above: bool| if above { 1.0 } else { -1.0 };
    // A comparison never reaches ±1; rounding may: then the anchor itself is met.
    let distance = |anchor: &[bool]| {
        let squares = c.iter().zip(anchor).map(|(c, &b)| (c - sign(b)).powi(2)).sum::<f64>();
        squares.sqrt().max(1e-9)
    };
    let distances: Vec<f64> = anchors.iter().map(|anchor| distance(&anchor.0)).collect();
    let sum: f64 = distances.iter().map(|d| 1.0 / d).sum();
    let weighted: f64 = distances.iter().zip(anchors).map(|(d, anchor)| anchor.1 / d).sum();
    let value = weighted / sum;
    let mut gradient = vec![0.0; c.len()];
    for (d, (anchor, v)) in distances.iter().zip(anchors) {
        // d(1/d)/dc = −(c − b)/d³; of the quotient: (v − value)/sum times that.
        let factor = -(v - value) / (sum * d.powi(3));
        for (g, (c, &b)) in gradient.iter_mut().zip(c.iter().zip(anchor)) {
            *g += factor * (c - sign(b));
        }
    }
    (value, gradient)
}

impl Loss for UniLoss {
    fn name(&self) -> String {
        "uniloss".to_string()
    }

    fn loss(&self, logits: Matrix<Tape>, labels: &[usize]) -> Result<Scalar<Tape>> {
        check_batch("UniLoss", &logits, labels)?;
        let classes = logits.shape().1;
        let raw: Vec<f64> = host(&logits).into_iter().map(f64::from).collect();
        let (pairs, width) = match self.pairs(classes, labels) {
            Err(undefined @ Error::Undefined { .. }) => return record_defined(logits, Err(undefined)),
            other => other?,
        };
        if pairs.is_empty() {
            return Err(Error::shape("UniLoss", "two classes or more", classes));
        }
        // Rows are compared by margins, whose gradient both logits share.
        let score = |i: usize| match self.comparisons {
            Comparisons::LabelWithOthers => raw[i],
            Comparisons::OnesWithZeros => raw[2 * i + 1] - raw[2 * i],
        };
        let sigmoid: Vec<f64> =
            pairs.iter().map(|&(a, b)| 1.0 / (1.0 + (score(b) - score(a)).exp())).collect();
        let c: Vec<f64> = sigmoid.iter().map(|s| 2.0 * s - 1.0).collect();
        let above: Vec<bool> = c.iter().map(|&c| c > 0.0).collect();
        let anchors = self.anchors(&above, width).into_iter().map(|anchor| {
            let value = (self.metric)(&anchor);
            (anchor.above, value)
        });
        let anchors: Vec<(Vec<bool>, f64)> = anchors.collect();
        if anchors.iter().any(|anchor| !anchor.1.is_finite()) {
            return Err(Error::undefined("UniLoss", "its metric returned a value that is not finite"));
        }
        let (value, by_c) = interpolate(&c, &anchors);
        let mut gradient = vec![0.0; raw.len()];
        for ((&(a, b), s), g) in pairs.iter().zip(&sigmoid).zip(by_c) {
            let slope = -g * 2.0 * s * (1.0 - s);
            for (row, by) in [(a, slope), (b, -slope)] {
                match self.comparisons {
                    Comparisons::LabelWithOthers => gradient[row] += by,
                    Comparisons::OnesWithZeros => {
                        gradient[2 * row + 1] += by;
                        gradient[2 * row] -= by;
                    }
                }
            }
        }
        record(logits, -value, gradient.into_iter().map(|g| g as f32).collect())
    }
}
