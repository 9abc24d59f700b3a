//! Soft permutations by optimal transport, O(n²) an iteration.

use serde::{Deserialize, Serialize};

use super::checks::{check_softness, OnList};
use super::row::Output;
use super::shares::{read_off, GivesShares, Shares};
use crate::error::{Error, Result};

/// Sorting as transport of the values to places, with an entropy that softens it.
///
/// P is the doubly stochastic matrix with the largest Σ P\[i, j\]·x_i·y_j + τ·entropy of P, where y_j = j − (n + 1)/2 are
/// the centred places; it is found by normalising rows and columns of exp(x_i·y_j/τ) in turn, in logarithms. The
/// columns (places) sum to 1 exactly, the rows (values) as closely as the iterations come: the smaller τ beside the
/// values' distances, the more it takes. Gradients are those of the iterations taken.
///
/// # Example
/// ```
/// use reloss::sort::{Sinkhorn, SoftSort};
/// let soft = SoftSort::from(Sinkhorn { temperature: 2.0, ..Sinkhorn::default() });
/// let ranks: Vec<f64> = soft.ranks(&[30.0, 10.0, 20.0])?.iter().map(|r| (r * 100.0).round() / 100.0).collect();
/// assert_eq!(ranks, [2.93, 1.07, 2.0]);
/// // Ties share their places.
/// assert_eq!(soft.permutation(&[7.0, 7.0])?, [0.5; 4]);
/// # Ok::<(), reloss::Error>(())
/// ```
///
/// # Reference
/// Cuturi, Teboul, Vert, "Differentiable ranks and sorting using optimal transport", NeurIPS 2019, sections 3 and 4;
/// their squared distance to evenly spaced targets is, once rows and columns are normalised, this product.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Sinkhorn {
    /// τ, in \[1e-12, 1e12\]: larger is softer. Default: 1 ("ours").
    pub temperature: f64,
    /// Normalisations of rows and columns, one or more. Default: 20 ("ours").
    pub iterations: usize,
}

impl Default for Sinkhorn {
    fn default() -> Self {
        Self { temperature: 1.0, iterations: 20 }
    }
}

impl Sinkhorn {
    /// The first g: with it, a number added to all values changes nothing, however few the iterations.
    fn start(&self, logits: &[f64], n: usize) -> Vec<f64> {
        let mut start = vec![0.0; n];
        over_values(logits, &vec![0.0; n], &mut start);
        start
    }

    /// x_i·y_j/τ, (places, values), less what normalising takes off anyway: values count from their middle.
    fn logits(&self, values: &[f64]) -> Vec<f64> {
        let n = values.len();
        let low = values.iter().fold(f64::INFINITY, |low, &v| low.min(v));
        let high = values.iter().fold(f64::NEG_INFINITY, |high, &v| high.max(v));
        let middle = 0.5 * low + 0.5 * high;
        (0..n)
            .flat_map(|j| values.iter().map(move |v| (v - middle) / self.temperature * place(j, n)))
            .collect()
    }
}

impl OnList for Sinkhorn {
    fn check_options(&self) -> Result<()> {
        check_softness("temperature", self.temperature)?;
        if self.iterations == 0 {
            return Err(Error::parameter("iterations", "one or more are needed"));
        }
        Ok(())
    }

    fn output_of(&self, output: Output, values: &[f64]) -> Result<Vec<f64>> {
        Ok(read_off(output, values, &self.shares(values)))
    }

    fn gradient_of(&self, output: Output, values: &[f64], cotangent: &[f64]) -> Result<Vec<f64>> {
        Ok(self.through(output, values, &self.shares(values), cotangent))
    }
}

/// The j-th place, from 0, of n, centred.
pub(super) fn place(j: usize, n: usize) -> f64 {
    j as f64 - 0.5 * (n as f64 - 1.0)
}

/// to\[j\] = ln Σ_i exp(logit\[j, i\] − by_value\[i\]).
fn over_values(logits: &[f64], by_value: &[f64], to: &mut [f64]) {
    for (to, row) in to.iter_mut().zip(logits.chunks_exact(by_value.len())) {
        let largest = row.iter().zip(by_value).fold(f64::NEG_INFINITY, |m, (l, f)| m.max(l - f));
        *to = largest + row.iter().zip(by_value).map(|(l, f)| (l - f - largest).exp()).sum::<f64>().ln();
    }
}

/// to\[i\] = ln Σ_j exp(logit\[j, i\] − by_place\[j\]).
fn over_places(logits: &[f64], by_place: &[f64], to: &mut [f64]) {
    let n = to.len();
    let mut largest = vec![f64::NEG_INFINITY; n];
    for (row, g) in logits.chunks_exact(n).zip(by_place) {
        largest.iter_mut().zip(row).for_each(|(m, l)| *m = m.max(l - g));
    }
    to.fill(0.0);
    for (row, g) in logits.chunks_exact(n).zip(by_place) {
        to.iter_mut().zip(row).zip(&largest).for_each(|((sum, l), m)| *sum += (l - g - m).exp());
    }
    to.iter_mut().zip(&largest).for_each(|(sum, m)| *sum = m + sum.ln());
}

impl GivesShares for Sinkhorn {
    fn shares(&self, values: &[f64]) -> Shares {
        let n = values.len();
        let logits = self.logits(values);
        // f of the values, then g of the places, of every iteration.
        let mut iterates = vec![0.0; 2 * n * self.iterations];
        let mut before = self.start(&logits, n);
        for pair in iterates.chunks_exact_mut(2 * n) {
            let (f, g) = pair.split_at_mut(n);
            over_places(&logits, &before, f);
            over_values(&logits, f, g);
            before.copy_from_slice(g);
        }
        let f = &iterates[2 * n * (self.iterations - 1)..][..n];
        let mut by_place = logits;
        for (row, g) in by_place.chunks_exact_mut(n).zip(&before) {
            row.iter_mut().zip(f).for_each(|(l, f)| *l = (*l - f - g).exp());
        }
        Shares { by_place, iterates }
    }

    fn pull_back(&self, values: &[f64], shares: &Shares, on_shares: &[f64]) -> Vec<f64> {
        // ln P = L − f − g, f = ln Σ_j exp(L − g before), g = ln Σ_i exp(L − f): each logarithm's gradient is a
        // softmax, and L = x_i·y_j/τ turns a gradient on L[j, i] into y_j/τ times as much on x_i.
        let n = values.len();
        let logits = self.logits(values);
        let (mut on_f, mut on_g, mut gradient) = (vec![0.0; n], vec![0.0; n], vec![0.0; n]);
        for (j, (row, on_row)) in shares.by_place.chunks_exact(n).zip(on_shares.chunks_exact(n)).enumerate() {
            for (i, (share, on_share)) in row.iter().zip(on_row).enumerate() {
                let on_logarithm = share * on_share;
                gradient[i] += place(j, n) * on_logarithm;
                on_f[i] -= on_logarithm;
                on_g[j] -= on_logarithm;
            }
        }
        let start = self.start(&logits, n);
        for t in (0..self.iterations).rev() {
            let (f, g) = shares.iterates[2 * n * t..][..2 * n].split_at(n);
            let before = if t == 0 { &start[..] } else { &shares.iterates[2 * n * t - n..][..n] };
            for (j, row) in logits.chunks_exact(n).enumerate() {
                for (i, l) in row.iter().enumerate() {
                    let on_logit = on_g[j] * (l - f[i] - g[j]).exp();
                    gradient[i] += place(j, n) * on_logit;
                    on_f[i] -= on_logit;
                }
            }
            for (j, row) in logits.chunks_exact(n).enumerate() {
                on_g[j] = 0.0;
                for (i, l) in row.iter().enumerate() {
                    let on_logit = on_f[i] * (l - before[j] - f[i]).exp();
                    gradient[i] += place(j, n) * on_logit;
                    on_g[j] -= on_logit;
                }
            }
            on_f.fill(0.0);
        }
        for (j, row) in logits.chunks_exact(n).enumerate() {
            let slope = place(j, n) * on_g[j];
            row.iter().enumerate().for_each(|(i, l)| gradient[i] += slope * (l - start[j]).exp());
        }
        // The middle the values count from changes nothing: no gradient goes through it.
        gradient.into_iter().map(|g| g / self.temperature).collect()
    }
}
