//! The numbers a row of logits is reduced to, each with its exact gradient.

use dfdx::prelude::*;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
#[cfg(any(test, feature = "composed"))]
use crate::ops::device;
#[cfg(not(feature = "composed"))]
use crate::ops::matrix;
use crate::ops::{check_batch, host, row_log_odds, target_log_odds, target_probability};
use crate::{Dev, Matrix};

/// A number that a row of logits is reduced to.
///
/// u are the logits over the temperature, s = softmax(u), t the row's label and p = s\[t\].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Feature {
    /// p itself, in [0, 1], as in the released code.
    Probability,
    /// ln(p / (1 − p)): never saturates, so the network sees differences among sure predictions.
    LogOdds,
    /// ln p, at most 0: cross-entropy with its sign turned.
    LogProbability,
    /// u\[t\] less the largest other u: positive where the label is predicted.
    Margin,
    /// −Σ s ln s in nats, in [0, ln classes]: how unsure the prediction is, whatever the label.
    Entropy,
    /// ln r, where r = 1 + Σ σ(u\[j\] − u\[t\]) over the others is the label's soft rank, from 1: 0 where it is far ahead.
    LogRank,
}

/// Which way a loss should go as a number it is given rises, all others held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Trend {
    /// It never rises.
    Falling,
    /// It never falls.
    Rising,
    /// Either.
    Free,
}

impl Trend {
    /// −1, 1, or 0 where free.
    pub(super) fn sign(self) -> f32 {
        match self {
            Self::Falling => -1.0,
            Self::Rising => 1.0,
            Self::Free => 0.0,
        }
    }
}

impl Feature {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Probability, Self::LogOdds, Self::LogProbability, Self::Margin, Self::Entropy, Self::LogRank];

    /// Which way a loss should go as this rises: a better prediction of the label costs no more.
    pub fn trend(self) -> Trend {
        match self {
            Self::Probability | Self::LogOdds | Self::LogProbability | Self::Margin => Trend::Falling,
            Self::LogRank => Trend::Rising,
            Self::Entropy => Trend::Free,
        }
    }

    /// The feature of each row, (rows, 1), differentiable with respect to the logits.
    pub(super) fn of<T: Tape<f32, Dev>>(
        self,
        logits: Matrix<T>,
        labels: &[usize],
        temperature: f32,
    ) -> Result<Matrix<T>> {
        match self {
            Self::Probability => target_probability(logits, labels, temperature),
            Self::LogOdds => target_log_odds(logits, labels, temperature),
            _ => {
                check_batch("feature", &logits, labels)?;
                if logits.shape().1 < 2 {
                    return Err(Error::shape("feature", "two classes or more", logits.shape().1));
                }
                #[cfg(not(feature = "composed"))]
                return self.fused(logits, labels, temperature);
                #[cfg(feature = "composed")]
                self.composed(logits, labels, temperature)
            }
        }
    }

    /// [`Feature::of`] made of dfdx's own operations, without its checks.
    #[cfg(any(test, feature = "composed"))]
    fn composed<T: Tape<f32, Dev>>(
        self,
        logits: Matrix<T>,
        labels: &[usize],
        temperature: f32,
    ) -> Result<Matrix<T>> {
        let (rows, classes) = *logits.shape();
        let device = device()?;
        let at = |places: &[usize]| device.try_tensor_from_vec(places.to_vec(), (rows,));
        let (u, tape) = logits.try_div(temperature)?.split_tape();
        let with = || u.retaped::<T>();
        let x = match self {
            Self::Probability => return target_probability(u.put_tape(tape), labels, 1.0),
            Self::LogOdds => return target_log_odds(u.put_tape(tape), labels, 1.0),
            Self::LogProbability => u.put_tape(tape).try_log_softmax::<Axis<1>>()?.try_select(at(labels)?)?,
            Self::Margin => {
                let z = host(&u);
                let rivals: Vec<usize> =
                    z.chunks_exact(classes).zip(labels).map(|(z, &label)| rival(z, label)).collect();
                let rival = with().try_select(at(&rivals)?)?;
                u.put_tape(tape).try_select(at(labels)?)?.try_sub(rival)?
            }
            Self::Entropy => {
                let p = with().try_softmax::<Axis<1>>()?;
                let log_p = u.put_tape(tape).try_log_softmax::<Axis<1>>()?;
                log_p.try_mul(p)?.try_sum::<(usize,), Axis<1>>()?.try_negate()?
            }
            Self::LogRank => {
                let own =
                    with().try_select(at(labels)?)?.try_broadcast_like::<_, Axis<1>>(&(rows, classes))?;
                // The label's own σ(0) is one of the two halves that 1 is made of.
                let above = u.put_tape(tape).try_sub(own)?.try_sigmoid()?;
                above.try_sum::<(usize,), Axis<1>>()?.try_add(0.5)?.try_ln()?
            }
        };
        Ok(x.try_reshape_like(&(rows, 1))?)
    }

    /// [`Feature::of`] by [`Feature::row`].
    #[cfg(not(feature = "composed"))]
    fn fused<T: Tape<f32, Dev>>(
        self,
        logits: Matrix<T>,
        labels: &[usize],
        temperature: f32,
    ) -> Result<Matrix<T>> {
        let (logits, mut tape) = logits.split_tape();
        let (rows, classes) = *logits.shape();
        let (mut values, mut jacobian) = (Vec::with_capacity(rows), Vec::with_capacity(rows * classes));
        for (z, &label) in host(&logits).chunks_exact(classes).zip(labels) {
            let (value, gradient) = self.row(z, label, temperature);
            values.push(value);
            jacobian.extend(gradient.into_iter().map(|g| g as f32));
        }
        let output = matrix(values, rows, 1)?;
        let result = output.clone();
        tape.add_backward_op(move |gradients| {
            let grad = gradients.get_or_alloc_mut(&output)?.to_vec();
            let target = gradients.get_or_alloc_mut(&logits)?;
            let rows = target.chunks_exact_mut(classes).zip(jacobian.chunks_exact(classes));
            for ((target, jacobian), grad) in rows.zip(grad) {
                target.iter_mut().zip(jacobian).for_each(|(t, j)| *t += grad * j);
            }
            Ok(())
        });
        Ok(result.put_tape(tape))
    }

    /// The feature of one row and its gradient with respect to the logits; two classes or more.
    ///
    /// With e_t the label's unit vector, q the softmax of the others and m the largest other class, T ∇ is
    ///   p: p (1 − p) (e_t − q)    log-odds: e_t − q    ln p: e_t − s    margin: e_t − e_m
    ///   entropy H: −s (ln s + H)    ln r: (σ'_j − e_t Σ σ') / r
    pub(super) fn row(self, z: &[f32], label: usize, temperature: f32) -> (f32, Vec<f64>) {
        let temperature = f64::from(temperature);
        let u: Vec<f64> = z.iter().map(|&z| f64::from(z) / temperature).collect();
        let (value, mut gradient) = match self {
            Self::Probability | Self::LogOdds => {
                let odds = f64::from(row_log_odds(z, label, temperature as f32).0);
                let mut others = u.clone();
                others[label] = f64::NEG_INFINITY;
                let mut gradient: Vec<f64> = log_softmax(&others).iter().map(|q| -q.exp()).collect();
                gradient[label] = 1.0;
                if self == Self::LogOdds {
                    (odds, gradient)
                } else {
                    let p = (1.0 + (-odds).exp()).recip();
                    gradient.iter_mut().for_each(|g| *g *= p * (1.0 - p));
                    (p, gradient)
                }
            }
            Self::LogProbability => {
                let log_s = log_softmax(&u);
                let mut gradient: Vec<f64> = log_s.iter().map(|s| -s.exp()).collect();
                gradient[label] = -log_s[label].exp_m1();
                (log_s[label], gradient)
            }
            Self::Margin => {
                let rival = rival(z, label);
                let mut gradient = vec![0.0; z.len()];
                (gradient[label], gradient[rival]) = (1.0, -1.0);
                (u[label] - u[rival], gradient)
            }
            Self::Entropy => {
                let log_s = log_softmax(&u);
                // A share that rounds to 0 adds nothing.
                let part = |log_s: &f64, plus: f64| match log_s.exp() {
                    0.0 => 0.0,
                    s => -s * (log_s + plus),
                };
                let entropy: f64 = log_s.iter().map(|log_s| part(log_s, 0.0)).sum();
                (entropy, log_s.iter().map(|log_s| part(log_s, entropy)).collect())
            }
            Self::LogRank => {
                let above: Vec<f64> = u.iter().map(|u_j| ((u[label] - u_j).exp() + 1.0).recip()).collect();
                let rank = 0.5 + above.iter().sum::<f64>();
                let mut gradient: Vec<f64> = above.iter().map(|a| a * (1.0 - a) / rank).collect();
                gradient[label] -= gradient.iter().sum::<f64>();
                (rank.ln(), gradient)
            }
        };
        gradient.iter_mut().for_each(|g| *g /= temperature);
        (value.clamp(-f64::from(f32::MAX), f64::from(f32::MAX)) as f32, gradient)
    }
}

/// The first of the largest logits beside the label's.
fn rival(z: &[f32], label: usize) -> usize {
    let others = (0..z.len()).filter(|&j| j != label);
    others.reduce(|best, j| if z[j] > z[best] { j } else { best }).unwrap_or(label)
}

fn log_softmax(u: &[f64]) -> Vec<f64> {
    let max = u.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let sum = u.iter().map(|u| (u - max).exp()).sum::<f64>().ln();
    u.iter().map(|u| u - max - sum).collect()
}

/// Directions whose slopes have the norm of Σ_k slope_k gradient_k: the columns of the lower Cholesky factor of the
/// gradients' inner products, one a feature.
///
/// With G = C Cᵀ the squared norm is slopeᵀ G slope = ‖Cᵀ slope‖². Gradients that depend on others have a column of zeros.
pub(super) fn spanning(gradients: &[Vec<f64>]) -> Vec<Vec<f64>> {
    let count = gradients.len();
    let inner = |i: usize, j: usize| gradients[i].iter().zip(&gradients[j]).map(|(a, b)| a * b).sum::<f64>();
    let mut columns = vec![vec![0.0; count]; count];
    for j in 0..count {
        let (before, rest) = columns.split_at_mut(j);
        let left = |i: usize| inner(i, j) - before.iter().map(|column| column[i] * column[j]).sum::<f64>();
        let pivot = left(j);
        if pivot > 1e-10 * inner(j, j) {
            let root = pivot.sqrt();
            (j..count).for_each(|i| rest[0][i] = left(i) / root);
        }
    }
    columns
}

#[cfg(all(test, not(feature = "cuda")))]
mod tests {
    use super::*;
    use crate::ops::matrix;

    const Z: [f32; 8] = [0.3, -0.2, 0.9, 1.4, 0.1, -1.0, 2.0, 0.5];

    #[test]
    fn values_by_hand() {
        // s = (3, 1)/4 of two classes.
        let z = [3f32.ln(), 0.0];
        let value = |feature: Feature, label| f64::from(feature.row(&z, label, 1.0).0);
        let entropy = -(0.75 * 0.75f64.ln() + 0.25 * 0.25f64.ln());
        let expected = [0.75, 3f64.ln(), 0.75f64.ln(), 3f64.ln(), entropy, 1.25f64.ln()];
        for (feature, expected) in Feature::ALL.into_iter().zip(expected) {
            assert!((value(feature, 0) - expected).abs() < 1e-6, "{feature:?}");
        }
        assert!((value(Feature::Margin, 1) + 3f64.ln()).abs() < 1e-6);
        assert!((value(Feature::LogRank, 1) - 1.75f64.ln()).abs() < 1e-6);
    }

    #[test]
    fn gradients_agree_with_differences_and_with_dfdx() {
        for feature in Feature::ALL {
            let logits = matrix(Z.to_vec(), 2, 4).unwrap();
            let gradient = |x: Matrix<crate::Tape>| (host(&x), host(&x.sum().backward().get(&logits)));
            let ours = gradient(feature.of(logits.leaky_trace(), &[2, 1], 1.5).unwrap());
            let theirs = gradient(feature.composed(logits.leaky_trace(), &[2, 1], 1.5).unwrap());
            for (a, b) in ours.0.iter().chain(&ours.1).zip(theirs.0.iter().chain(&theirs.1)) {
                assert!((a - b).abs() < 1e-5, "{feature:?}: {ours:?}, {theirs:?}");
            }
            for (row, label) in [(0, 2), (1, 1)] {
                let z = &Z[4 * row..4 * row + 4];
                let (_, exact) = feature.row(z, label, 1.5);
                for j in 0..4 {
                    let moved = |by: f32| {
                        let mut z = z.to_vec();
                        z[j] += by;
                        f64::from(feature.row(&z, label, 1.5).0)
                    };
                    let difference = (moved(1e-2) - moved(-1e-2)) / 2e-2;
                    assert!(
                        (exact[j] - difference).abs() < 1e-4,
                        "{feature:?} {j}: {} {difference}",
                        exact[j]
                    );
                    assert!((exact[j] - f64::from(ours.1[4 * row + j])).abs() < 1e-5, "{feature:?}");
                }
            }
        }
    }

    #[test]
    fn far_off_all_is_finite() {
        let far = f32::MAX;
        for feature in Feature::ALL {
            for z in [[far, -far, 0.0], [-far, far, far], [1e4, -1e4, 0.0], [0.0; 3]] {
                for temperature in [0.5, 1.0] {
                    let (value, gradient) = feature.row(&z, 0, temperature);
                    assert!(value.is_finite() && gradient.iter().all(|g| g.is_finite()), "{feature:?} {z:?}");
                }
            }
        }
    }

    #[test]
    fn spanning_directions_have_the_norm_of_the_sum() {
        let gradients = vec![vec![1.0, -2.0, 0.5], vec![0.0, 1.0, 1.0], vec![2.0, -4.0, 1.0]];
        let columns = spanning(&gradients);
        assert_eq!(columns[2], [0.0; 3], "the third is twice the first");
        for slopes in [[1.0, 2.0, -0.3], [0.0, 1.0, 0.0], [-2.0, 0.1, 1.0]] {
            let sum = |i: usize| (0..3).map(|k| slopes[k] * gradients[k][i]).sum::<f64>();
            let norm = (0..3).map(|i| sum(i).powi(2)).sum::<f64>();
            let along = |column: &Vec<f64>| column.iter().zip(slopes).map(|(c, s)| c * s).sum::<f64>();
            let spanned: f64 = columns.iter().map(|column| along(column).powi(2)).sum();
            assert!((norm - spanned).abs() < 1e-10);
        }
    }
}
