//! Metrics of keypoints.

use crate::error::{check_finite, check_positive, Error, Result};

/// Keypoints of one instance, \[x, y\] in pixels.
pub type Points = [[f64; 2]];

/// Refuses instances that do not fit each other: as many points, flags and normalizers everywhere.
pub(super) fn check(
    op: &'static str,
    predicted: &[&Points],
    target: &[&Points],
    mask: &[&[bool]],
) -> Result<usize> {
    let first = target.first().map_or(0, |points| points.len());
    if predicted.len() != target.len() || mask.len() != target.len() || first == 0 {
        let got = format!("{}, {} and {}", predicted.len(), target.len(), mask.len());
        return Err(Error::shape(op, "as many predictions and masks as targets, one or more", got));
    }
    for (i, ((p, t), m)) in predicted.iter().zip(target).zip(mask).enumerate() {
        if [p.len(), t.len(), m.len()] != [first; 3] {
            let got = format!("{}, {} and {} in instance {i}", p.len(), t.len(), m.len());
            return Err(Error::shape(op, format!("{first} points, targets and flags"), got));
        }
        check_finite(op, p.as_flattened())?;
        check_finite(op, t.as_flattened())?;
    }
    Ok(first)
}

/// The share of correct keypoints, keypoint by keypoint.
#[derive(Debug, Clone, PartialEq)]
pub struct Pck {
    /// Of every keypoint; none where it is never visible.
    pub each: Vec<Option<f64>>,
}

impl Pck {
    /// The mean over the keypoints that have a value.
    ///
    /// # Errors
    /// [`Error::Undefined`] where none has.
    pub fn mean(&self) -> Result<f64> {
        let values: Vec<f64> = self.each.iter().flatten().copied().collect();
        match values.is_empty() {
            true => Err(Error::undefined("PCK", "no keypoint is visible")),
            false => Ok(values.iter().sum::<f64>() / values.len() as f64),
        }
    }
}

/// PCK: how often a keypoint lies closer to its target than `threshold`, in units of each instance's normalizer; in
/// \[0, 1\], higher is better.
///
/// The normalizer is a width and a height (twice the same number for one unit): the box for PCK, the head's size for
/// PCKh. Instances whose normalizer has a 0 do not count, nor do keypoints that `mask` leaves out.
///
/// # Errors
/// [`Error::Shape`] for lists that do not fit, [`Error::NotFinite`] for NaN or infinite coordinates,
/// [`Error::Parameter`] for a threshold that is not positive or a negative normalizer.
///
/// # Example
/// ```
/// use reloss::metric::pck;
/// let (target, predicted) = ([[10.0, 10.0], [30.0, 30.0]], [[14.0, 10.0], [30.0, 36.0]]);
/// let pck = pck(&[&predicted], &[&target], &[&[true, true]], &[[10.0, 10.0]], 0.5)?;
/// assert_eq!((pck.each[0], pck.each[1], pck.mean()?), (Some(1.0), Some(0.0), 0.5));
/// # Ok::<(), reloss::Error>(())
/// ```
///
/// # Reference
/// Yang, Ramanan, "Articulated human detection with flexible mixtures of parts", 2013; Andriluka et al. 2014 for PCKh;
/// strictly below the threshold, as mmpose.
pub fn pck(
    predicted: &[&Points],
    target: &[&Points],
    mask: &[&[bool]],
    normalizers: &[[f64; 2]],
    threshold: f64,
) -> Result<Pck> {
    check_positive("threshold", threshold)?;
    let each = distances(predicted, target, mask, normalizers)?;
    let share = |distances: Vec<f64>| {
        let right = distances.iter().filter(|&&d| d < threshold).count();
        (!distances.is_empty()).then(|| right as f64 / distances.len() as f64)
    };
    Ok(Pck { each: each.into_iter().map(share).collect() })
}

/// Distances of the visible keypoints, keypoint by keypoint.
fn distances(
    predicted: &[&Points],
    target: &[&Points],
    mask: &[&[bool]],
    normalizers: &[[f64; 2]],
) -> Result<Vec<Vec<f64>>> {
    const NAME: &str = "PCK";
    let points = check(NAME, predicted, target, mask)?;
    if normalizers.len() != target.len() {
        return Err(Error::shape(NAME, format!("{} normalizers", target.len()), normalizers.len()));
    }
    check_finite(NAME, normalizers.as_flattened())?;
    if let Some(i) = normalizers.iter().position(|n| n[0] < 0.0 || n[1] < 0.0) {
        return Err(Error::parameter("normalizers", format!("that of instance {i} is negative")));
    }
    let mut each = vec![Vec::new(); points];
    for (i, unit) in normalizers.iter().enumerate().filter(|(_, unit)| unit[0] > 0.0 && unit[1] > 0.0) {
        for (k, distances) in each.iter_mut().enumerate().filter(|(k, _)| mask[i][*k]) {
            let along = |axis: usize| (predicted[i][k][axis] - target[i][k][axis]) / unit[axis];
            distances.push(along(0).hypot(along(1)));
        }
    }
    Ok(each)
}

/// The area under the curve of [`pck`]'s mean over `steps` thresholds k/steps, k from 0; in \[0, 1\],
/// higher is better.
///
/// # Errors
/// As [`pck`]; also [`Error::Parameter`] for no steps and [`Error::Undefined`] where no keypoint is visible.
///
/// # Example
/// ```
/// use reloss::metric::pck_auc;
/// // Off by 0.45 units: right at 0.5, 0.6, …, 0.9 of the thresholds 0, 0.1, …, 0.9.
/// let auc = pck_auc(&[&[[4.5, 0.0]]], &[&[[0.0, 0.0]]], &[&[true]], &[[10.0, 10.0]], 10)?;
/// assert_eq!(auc, 0.5);
/// # Ok::<(), reloss::Error>(())
/// ```
///
/// # Reference
/// As mmpose's `keypoint_auc`, which takes 20 steps.
pub fn pck_auc(
    predicted: &[&Points],
    target: &[&Points],
    mask: &[&[bool]],
    normalizers: &[[f64; 2]],
    steps: usize,
) -> Result<f64> {
    if steps == 0 {
        return Err(Error::parameter("steps", "one or more are needed"));
    }
    let each = distances(predicted, target, mask, normalizers)?;
    let visible: Vec<&Vec<f64>> = each.iter().filter(|distances| !distances.is_empty()).collect();
    if visible.is_empty() {
        return Err(Error::undefined("AUC of PCK", "no keypoint is visible"));
    }
    let share = |distances: &[f64], threshold: f64| {
        distances.iter().filter(|&&d| d < threshold).count() as f64 / distances.len() as f64
    };
    let at = |k: usize| {
        visible.iter().map(|d| share(d, k as f64 / steps as f64)).sum::<f64>() / visible.len() as f64
    };
    Ok((0..steps).map(at).sum::<f64>() / steps as f64)
}

/// The mean distance of the visible keypoints from their targets, in pixels; lower is better.
///
/// # Errors
/// [`Error::Shape`] for lists that do not fit, [`Error::NotFinite`] for NaN or infinite coordinates,
/// [`Error::Undefined`] where no keypoint is visible.
///
/// # Example
/// ```
/// let error = reloss::metric::end_point_error(&[&[[3.0, 4.0], [9.0, 9.0]]], &[&[[0.0, 0.0]; 2]], &[&[true, false]])?;
/// assert_eq!(error, 5.0);
/// # Ok::<(), reloss::Error>(())
/// ```
pub fn end_point_error(predicted: &[&Points], target: &[&Points], mask: &[&[bool]]) -> Result<f64> {
    check("end point error", predicted, target, mask)?;
    let units = vec![[1.0; 2]; target.len()];
    let all: Vec<f64> = distances(predicted, target, mask, &units)?.concat();
    match all.is_empty() {
        true => Err(Error::undefined("end point error", "no keypoint is visible")),
        false => Ok(all.iter().sum::<f64>() / all.len() as f64),
    }
}
