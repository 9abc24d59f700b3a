//! Correlations: exact ones on slices, soft ones on tensors.

mod kendall;
mod soft;
mod soft_kendall;
mod weighted;

pub use kendall::{kendall_tau_b, kendall_tau_c, somers_d, weighted_tau, Combine, WeightedTau};
pub use soft::{
    soft_pearson, soft_pearson_weighted, soft_spearman, soft_spearman_composed, soft_spearman_masked,
};
pub use soft_kendall::{soft_kendall, soft_kendall_composed, soft_kendall_weighted};
pub use weighted::{kendall_tau_b_weighted, pearson_weighted, spearman_weighted};

use crate::error::{check_finite, Error, Result};
use crate::rank::{rank, Ties};

/// Pearson's correlation coefficient, in \[-1, 1\].
///
/// Two passes over scaled deviations: no cancellation, and no overflow at any finite input.
///
/// # Errors
/// [`Error::Shape`] for lists of different lengths, [`Error::NotFinite`] for NaN or infinite values,
/// [`Error::Undefined`] for fewer than two pairs or a constant list.
///
/// # Example
/// ```
/// use reloss::correlation::pearson;
/// assert!((pearson(&[1.0, 2.0, 3.0], &[2.0, 4.0, 7.0])? - 0.993_399_267_798_783).abs() < 1e-15);
/// assert!(pearson(&[1.0, 1.0], &[0.0, 1.0]).is_err());
/// # Ok::<(), reloss::Error>(())
/// ```
pub fn pearson(x: &[f64], y: &[f64]) -> Result<f64> {
    check("Pearson's correlation", x, y)?;
    correlate("Pearson's correlation", x, y)
}

/// The gradient of [`pearson`] with respect to its first list.
///
/// # Errors
/// As [`pearson`].
///
/// # Example
/// ```
/// use reloss::correlation::pearson_gradient;
/// // At a perfect correlation nothing can be gained.
/// let gradient = pearson_gradient(&[1.0, 2.0, 3.0], &[2.0, 4.0, 6.0])?;
/// assert!(gradient.iter().all(|g| g.abs() < 1e-15));
/// # Ok::<(), reloss::Error>(())
/// ```
pub fn pearson_gradient(x: &[f64], y: &[f64]) -> Result<Vec<f64>> {
    check("Pearson's correlation", x, y)?;
    let (towards_x, towards_y) =
        (direction("Pearson's correlation", x)?, direction("Pearson's correlation", y)?);
    Ok(gradient(&towards_x, &towards_y, norm(&centred(x))))
}

/// Spearman's rank correlation coefficient, in \[-1, 1\].
///
/// Pearson's correlation of average ranks, so ties are treated correctly.
///
/// # Errors
/// As [`pearson`].
///
/// # Example
/// ```
/// use reloss::correlation::spearman;
/// assert_eq!(spearman(&[1.0, 2.0, 3.0], &[1.0, 10.0, 100.0])?, 1.0);
/// // A tie: ranks 1, 2.5, 2.5.
/// assert!((spearman(&[1.0, 2.0, 3.0], &[0.0, 5.0, 5.0])? - 0.75_f64.sqrt()).abs() < 1e-15);
/// # Ok::<(), reloss::Error>(())
/// ```
pub fn spearman(x: &[f64], y: &[f64]) -> Result<f64> {
    check("Spearman's correlation", x, y)?;
    correlate("Spearman's correlation", &rank(x, Ties::Average)?, &rank(y, Ties::Average)?)
}

fn too_few(what: &str, n: usize) -> Error {
    Error::undefined(what, format!("it needs two values or more, got {n}"))
}

fn constant(what: &str) -> Error {
    Error::undefined(what, "all values of one side are equal")
}

fn dot(x: &[f64], y: &[f64]) -> f64 {
    x.iter().zip(y).map(|(x, y)| x * y).sum()
}

/// The length of a vector, without overflow or underflow on the way.
fn norm(x: &[f64]) -> f64 {
    let largest = x.iter().fold(0.0_f64, |size, v| size.max(v.abs()));
    if largest == 0.0 {
        return 0.0;
    }
    largest * x.iter().map(|v| (v / largest).powi(2)).sum::<f64>().sqrt()
}

fn mean(x: &[f64]) -> f64 {
    // Each term divided, so that a sum of the largest numbers does not overflow.
    let n = x.len() as f64;
    let rough: f64 = x.iter().map(|v| v / n).sum();
    // A second pass takes off what rounding left.
    rough + x.iter().map(|v| (v - rough) / n).sum::<f64>()
}

fn centred(x: &[f64]) -> Vec<f64> {
    let mean = mean(x);
    x.iter().map(|v| v - mean).collect()
}

/// Deviations from the mean, the largest scaled to 1: nothing overflows, whatever the values' size.
fn scaled(what: &str, x: &[f64]) -> Result<Vec<f64>> {
    scaled_around(what, x, mean)
}

/// [`scaled`] with a mean of one's own.
fn scaled_around(what: &str, x: &[f64], mean: impl Fn(&[f64]) -> f64) -> Result<Vec<f64>> {
    let shrink = |x: &[f64]| {
        let largest = x.iter().fold(0.0_f64, |size, v| size.max(v.abs()));
        (largest > 0.0).then(|| x.iter().map(|v| v / largest).collect::<Vec<f64>>())
    };
    if x.windows(2).all(|pair| pair[0] == pair[1]) {
        return Err(constant(what));
    }
    let deviations = shrink(x).and_then(|x| {
        let mean = mean(&x);
        shrink(&x.iter().map(|v| v - mean).collect::<Vec<f64>>())
    });
    deviations.ok_or_else(|| constant(what))
}

/// Deviations from the mean, scaled to length 1.
fn direction(what: &str, x: &[f64]) -> Result<Vec<f64>> {
    let scaled = scaled(what, x)?;
    let norm = norm(&scaled);
    Ok(scaled.iter().map(|v| v / norm).collect())
}

fn correlate(what: &'static str, x: &[f64], y: &[f64]) -> Result<f64> {
    let (x, y) = (scaled(what, x)?, scaled(what, y)?);
    // One root of the product: exact where the correlation is ±1.
    Ok((dot(&x, &y) / (dot(&x, &x) * dot(&y, &y)).sqrt()).clamp(-1.0, 1.0))
}

fn check(what: &'static str, x: &[f64], y: &[f64]) -> Result<()> {
    if x.len() != y.len() {
        return Err(Error::shape(what, "two lists of one length", format!("{} and {}", x.len(), y.len())));
    }
    check_finite(what, x)?;
    check_finite(what, y)?;
    match x.len() {
        0 | 1 => Err(too_few(what, x.len())),
        _ => Ok(()),
    }
}

/// dρ/dx for unit directions, x's deviations having length `norm`.
fn gradient(towards_x: &[f64], towards_y: &[f64], norm: f64) -> Vec<f64> {
    let rho = dot(towards_x, towards_y);
    towards_x.iter().zip(towards_y).map(|(x, y)| (y - rho * x) / norm).collect()
}
