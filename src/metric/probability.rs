//! Metrics of predicted probabilities.

use crate::error::{check_finite, Error, Result};

/// Refuses what is not `classes` probabilities a row that sum to 1 within 1e-6, and labels that do not fit.
fn check(op: &'static str, p: &[f64], classes: usize, labels: &[usize]) -> Result<()> {
    if labels.is_empty() || classes == 0 || p.len() != labels.len() * classes {
        let expected = format!("{} rows of {classes} probabilities, one or more", labels.len());
        return Err(Error::shape(op, expected, format!("{} numbers", p.len())));
    }
    check_finite(op, p)?;
    if let Some(row) = labels.iter().position(|&label| label >= classes) {
        let got = format!("{} at row {row}", labels[row]);
        return Err(Error::shape(op, format!("labels below {classes}"), got));
    }
    let bad = |row: &[f64]| row.iter().any(|&p| p < 0.0) || (row.iter().sum::<f64>() - 1.0).abs() > 1e-6;
    match p.chunks_exact(classes).position(bad) {
        Some(row) => Err(Error::parameter("probabilities", format!("row {row} is no distribution"))),
        None => Ok(()),
    }
}

/// The mean of −ln p of the true class, 0 or more; lower is better.
///
/// # Shapes
/// `p`: (rows, classes), row-major.
///
/// # Errors
/// [`Error::Shape`] for sizes or labels that do not fit, [`Error::Parameter`] for a row that is no distribution,
/// [`Error::Undefined`] where a true class has probability 0.
///
/// # Example
/// ```
/// let loss = reloss::metric::log_loss(&[0.5, 0.5, 0.75, 0.25], 2, &[0, 0])?;
/// assert!((loss - (2.0_f64.ln() - 0.75_f64.ln()) / 2.0).abs() < 1e-15);
/// # Ok::<(), reloss::Error>(())
/// ```
pub fn log_loss(p: &[f64], classes: usize, labels: &[usize]) -> Result<f64> {
    check("log loss", p, classes, labels)?;
    let of_truth = |(row, &label): (usize, &usize)| p[row * classes + label];
    let sum: f64 = labels.iter().enumerate().map(of_truth).map(|p| -p.ln()).sum();
    match sum.is_finite() {
        true => Ok(sum / labels.len() as f64),
        false => Err(Error::undefined("log loss", "a true class has probability 0")),
    }
}

/// The Brier score: the mean squared distance of the distributions from the truth, in \[0, 2\]; lower is better.
///
/// Of all classes, as Brier defined it: for two classes, twice what scikit-learn's binary form gives.
///
/// # Errors
/// As [`log_loss`].
///
/// # Example
/// ```
/// assert_eq!(reloss::metric::brier_score(&[0.5, 0.5], 2, &[0])?, 0.5);
/// # Ok::<(), reloss::Error>(())
/// ```
///
/// # Reference
/// Brier, "Verification of forecasts expressed in terms of probability", 1950, eq. (2).
pub fn brier_score(p: &[f64], classes: usize, labels: &[usize]) -> Result<f64> {
    check("Brier score", p, classes, labels)?;
    let mut sum = 0.0;
    for (row, &label) in p.chunks_exact(classes).zip(labels) {
        let truth = |class: usize| f64::from(u8::from(class == label));
        sum += row.iter().enumerate().map(|(class, p)| (p - truth(class)).powi(2)).sum::<f64>();
    }
    Ok(sum / labels.len() as f64)
}

/// The expected calibration error: the mean distance of confidence and accuracy over `bins` equal bins, in \[0, 1\];
/// lower is better.
///
/// A row's confidence is its largest probability; bins are open below and closed above.
///
/// # Errors
/// As [`log_loss`]; also [`Error::Parameter`] for no bins.
///
/// # Example
/// ```
/// // Two rows of confidence 0.8, one right: |0.5 − 0.8|.
/// let error = reloss::metric::calibration_error(&[0.8, 0.2, 0.8, 0.2], 2, &[0, 1], 10)?;
/// assert!((error - 0.3).abs() < 1e-15);
/// # Ok::<(), reloss::Error>(())
/// ```
///
/// # Reference
/// Guo, Pleiss, Sun, Weinberger, "On calibration of modern neural networks", ICML 2017, eq. (3).
pub fn calibration_error(p: &[f64], classes: usize, labels: &[usize], bins: usize) -> Result<f64> {
    check("calibration error", p, classes, labels)?;
    if bins == 0 {
        return Err(Error::parameter("bins", "one or more are needed"));
    }
    // Of each bin Σ confidence − Σ right: rows cancel out of the weighted mean.
    let mut gaps = vec![0.0; bins];
    for (row, &label) in p.chunks_exact(classes).zip(labels) {
        let first = |best: usize, class: usize| if row[class] > row[best] { class } else { best };
        let best = (1..classes).fold(0, first);
        let bin = ((row[best] * bins as f64).ceil() as usize).clamp(1, bins) - 1;
        gaps[bin] += row[best] - f64::from(u8::from(best == label));
    }
    Ok(gaps.iter().map(|gap: &f64| gap.abs()).sum::<f64>() / labels.len() as f64)
}
