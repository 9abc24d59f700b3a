//! The softmax of attention forward and backward, with tangents and without.

use super::attention_fused::Head;
use crate::ops::fast_math::exp;
use crate::ops::simd::{lane_sum, Kernel};

/// The sum of the products of two rows.
#[inline(always)]
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0; 8];
    for (a, b) in a.chunks(8).zip(b.chunks(8)) {
        for (sum, (a, b)) in sums.iter_mut().zip(a.iter().zip(b)) {
            *sum += a * b;
        }
    }
    sums.iter().sum()
}

/// Scores, not yet scaled, become probabilities of the keys that a query sees, and 0.
pub(super) struct Softmax<'a> {
    pub(super) p: &'a mut [f32],
    pub(super) head: Head,
}

impl Kernel for Softmax<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let scale = self.head.scale();
        for (query, row) in self.p.chunks_exact_mut(self.head.keys.1).enumerate() {
            let (row, unseen) = row.split_at_mut(self.head.seen(query));
            unseen.fill(0.0);
            let max = row.iter().fold(f32::NEG_INFINITY, |max, &s| if s > max { s } else { max });
            row.iter_mut().for_each(|s| *s = exp((*s - max) * scale));
            let inverse = lane_sum(row).recip();
            row.iter_mut().for_each(|e| *e *= inverse);
        }
    }
}

/// Slopes of the scores, not yet scaled, are centred, s Ṡ − Σ P s Ṡ, and give those of the probabilities.
pub(super) struct SoftmaxTangent<'a> {
    pub(super) p: &'a [f32],
    pub(super) slopes: &'a mut [f32],
    pub(super) p_dot: &'a mut [f32],
    pub(super) head: Head,
}

impl Kernel for SoftmaxTangent<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let (keys, scale) = (self.head.keys.1, self.head.scale());
        let rows = self.slopes.chunks_exact_mut(keys).zip(self.p_dot.chunks_exact_mut(keys));
        for ((slopes, p_dot), p) in rows.zip(self.p.chunks_exact(keys)) {
            // Keys not seen have probability 0, and so have no part in anything.
            let mean = dot(p, slopes);
            for ((slope, p_dot), p) in slopes.iter_mut().zip(p_dot).zip(p) {
                *slope = (*slope - mean) * scale;
                *p_dot = p * *slope;
            }
        }
    }
}

/// Gradients at the probabilities become those at the scores before their scale: s P (g − Σ P g).
pub(super) struct OnScores<'a> {
    pub(super) p: &'a [f32],
    pub(super) on_p: &'a mut [f32],
    pub(super) head: Head,
}

impl Kernel for OnScores<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let (keys, scale) = (self.head.keys.1, self.head.scale());
        for (on_p, p) in self.on_p.chunks_exact_mut(keys).zip(self.p.chunks_exact(keys)) {
            let mean = dot(p, on_p);
            on_p.iter_mut().zip(p).for_each(|(g, p)| *g = scale * p * (*g - mean));
        }
    }
}

/// As [`OnScores`], with tangents: what is at the slopes goes back to them and, by their own part in it, to the probabilities.
pub(super) struct OnSlopes<'a> {
    pub(super) p: &'a [f32],
    pub(super) centred: &'a [f32],
    pub(super) on_p: &'a mut [f32],
    pub(super) on_slopes: &'a mut [f32],
    pub(super) p_dot: &'a mut [f32],
    pub(super) head: Head,
}

impl Kernel for OnSlopes<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let (keys, scale) = (self.head.keys.1, self.head.scale());
        let given = self.p.chunks_exact(keys).zip(self.centred.chunks_exact(keys));
        let found = self.on_p.chunks_exact_mut(keys).zip(self.on_slopes.chunks_exact_mut(keys));
        let found = found.zip(self.p_dot.chunks_exact_mut(keys));
        for ((p, centred), ((on_p, on_slopes), p_dot)) in given.zip(found) {
            let mean = dot(p, on_slopes);
            for (i, &c) in centred.iter().enumerate() {
                on_p[i] += (on_slopes[i] - mean) * c;
                on_slopes[i] = scale * p[i] * (on_slopes[i] - mean);
                p_dot[i] = p[i] * c;
            }
            let mean = dot(p, on_p);
            on_p.iter_mut().zip(p).for_each(|(g, p)| *g = scale * p * (*g - mean));
        }
    }
}
