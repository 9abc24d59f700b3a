//! What the labels of a sample are.

use std::ops::Range;

use rand::seq::SliceRandom;
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Exp1, StandardNormal};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::metric::Scores;

/// What the labels of a sample are.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub enum Labels {
    /// The stored ones (random predictions get uniform random labels).
    True,
    /// The predicted classes for the first ⌊u · rows⌋ rows, u uniform on [0, 1), random classes for
    /// the rest: accuracy covers [0, 1] evenly. As in the released code.
    Cover,
    /// As `Cover`, with u uniform on \[from, to): accuracy covers a part of its range.
    Between(f64, f64),
    /// For metrics of a ranking, where who stands on top counts: the first ⌊u · rows⌋ rows get class k with probability
    /// softmax(t (z_k / σ + b_k)), the rest random classes; σ is the deviation of the sample's logits, t log-uniform on
    /// \[1, 16\], b normal of deviation 1/2. The surer a prediction, the likelier it is right, where `Cover` makes all alike
    /// ("ours": wider ones rank held-out batches worse and train alike).
    Graded,
    /// As `Cover`, with class frequencies that thin out exponentially, the most frequent up to this
    /// many times the least, and a keep rate per class around the sample's u: macro averages
    /// cover their range, and what is right differs between frequent and rare classes.
    LongTail(f64),
}

impl Labels {
    /// Refuses numbers out of range.
    pub(super) fn check(self) -> Result<()> {
        match self {
            Self::LongTail(most) if !(most >= 1.0 && most.is_finite()) => {
                let reason = format!("{most}: the ratio of class frequencies is 1 or more");
                Err(Error::parameter("long tail", reason))
            }
            Self::Between(from, to) if !(0.0 <= from && from < to && to <= 1.0) => {
                let reason = format!("{from} to {to} is no part of the range from 0 to 1");
                Err(Error::parameter("between", reason))
            }
            _ => Ok(()),
        }
    }

    /// The labels of a sample's rows, of which `truth` are the true ones.
    pub(super) fn of(
        self,
        scores: &Scores,
        truth: Vec<usize>,
        tail: Option<&Tail>,
        rng: &mut ChaCha8Rng,
    ) -> Vec<usize> {
        let rows = scores.rows();
        let predicted = |i: usize, _: &mut ChaCha8Rng| scores.argmax(i);
        match (self, tail) {
            (Self::True, _) => truth,
            (_, Some(tail)) => (0..rows).map(|i| tail.relabel(scores.argmax(i), rng)).collect(),
            (Self::Between(from, to), _) => kept(scores, from..to, rng, predicted),
            (Self::Graded, _) => {
                let grades = Grades::draw(scores, rng);
                kept(scores, 0.0..1.0, rng, |i, rng| grades.label(scores.row(i), rng))
            }
            _ => kept(scores, 0.0..1.0, rng, predicted),
        }
    }
}

/// Labels by `label` for the first ⌊u · rows⌋ rows, u uniform on a range, random classes for the rest.
fn kept(
    scores: &Scores,
    share: Range<f64>,
    rng: &mut ChaCha8Rng,
    label: impl Fn(usize, &mut ChaCha8Rng) -> usize,
) -> Vec<usize> {
    let share = share.start + (share.end - share.start) * rng.gen::<f64>();
    let kept = (share * scores.rows() as f64) as usize;
    (0..scores.rows())
        .map(|i| if i < kept { label(i, rng) } else { rng.gen_range(0..scores.classes()) })
        .collect()
}

/// How the labels of one sample follow from its logits.
struct Grades {
    /// t / σ.
    sharpness: f64,
    /// t b, for each class.
    offsets: Vec<f64>,
}

impl Grades {
    fn draw(scores: &Scores, rng: &mut ChaCha8Rng) -> Self {
        let z = scores.values();
        let mean = z.iter().map(|&z| f64::from(z)).sum::<f64>() / z.len() as f64;
        let variance = z.iter().map(|&z| (f64::from(z) - mean).powi(2)).sum::<f64>() / z.len() as f64;
        let t = rng.gen_range(0f64..16f64.ln()).exp();
        let offset = |_| 0.5 * t * rng.sample::<f64, _>(StandardNormal);
        let offsets = (0..scores.classes()).map(offset).collect();
        // Logits all alike say nothing: any deviation serves.
        Self { sharpness: t / variance.sqrt().max(f64::from(f32::MIN_POSITIVE)), offsets }
    }

    /// A class drawn from the softmax of one row: the largest of its grades with Gumbel noise.
    fn label(&self, row: &[f32], rng: &mut ChaCha8Rng) -> usize {
        let graded = row.iter().zip(&self.offsets).map(|(&z, offset)| {
            let gumbel = -rng.sample::<f64, _>(Exp1).ln();
            self.sharpness * f64::from(z) + offset + gumbel
        });
        let best = graded.enumerate().max_by(|a, b| a.1.total_cmp(&b.1));
        best.map_or(0, |(class, _)| class)
    }
}

/// Class frequencies and keep rates of one long-tailed sample.
pub(super) struct Tail {
    cumulative: Vec<f64>,
    keep: Vec<f64>,
}

impl Tail {
    pub(super) fn draw(classes: usize, most: f64, rng: &mut ChaCha8Rng) -> Self {
        let ratio = (rng.gen::<f64>() * most.ln()).exp();
        let mut order: Vec<usize> = (0..classes).collect();
        order.shuffle(rng);
        let weights: Vec<f64> =
            order.iter().map(|&place| ratio.powf(-(place as f64) / (classes as f64 - 1.0))).collect();
        let total: f64 = weights.iter().sum();
        let cumulative = weights.iter().scan(0.0, |sum, w| {
            *sum += w / total;
            Some(*sum)
        });
        let cumulative = cumulative.collect();
        let base = rng.gen::<f64>();
        let keep = (0..classes).map(|_| (base + 0.3 * rng.sample::<f64, _>(StandardNormal)).clamp(0.0, 1.0));
        Self { cumulative, keep: keep.collect() }
    }

    pub(super) fn class(&self, rng: &mut ChaCha8Rng) -> usize {
        let u = rng.gen::<f64>();
        self.cumulative.partition_point(|&c| c <= u).min(self.cumulative.len() - 1)
    }

    /// The predicted class with its keep rate, another draw from the frequencies otherwise.
    fn relabel(&self, predicted: usize, rng: &mut ChaCha8Rng) -> usize {
        if rng.gen::<f64>() < self.keep[predicted] {
            predicted
        } else {
            self.class(rng)
        }
    }
}
