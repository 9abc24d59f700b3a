//! Isotonic regression: a number read off another that orders as it does.

use crate::error::{check_finite, Error, Result};
use crate::sort::isotonic_decreasing;

/// A rising curve through scattered points: isotonic regression, linear between its knots.
///
/// # Example
/// The two points in the middle are the wrong way round, and share their mean.
/// ```
/// use reloss::metric::Isotonic;
/// let curve = Isotonic::rising(&[4.0, 1.0, 2.0, 3.0], &[1.0, 0.0, 0.6, 0.4])?;
/// assert_eq!(curve.knots(), [(1.0, 0.0), (2.0, 0.5), (3.0, 0.5), (4.0, 1.0)]);
/// assert_eq!((curve.at(1.5), curve.at(-7.0), curve.at(9.0)), (0.25, 0.0, 1.0));
/// # Ok::<(), reloss::Error>(())
/// ```
///
/// # Reference
/// Zadrozny, Elkan, "Transforming classifier scores into accurate multiclass probability estimates", KDD 2002, for its
/// use as calibration; [`isotonic_decreasing`] for the regression. As scikit-learn's `IsotonicRegression`, clipped outside.
#[derive(Debug, Clone, PartialEq)]
pub struct Isotonic {
    knots: Vec<(f64, f64)>,
}

impl Isotonic {
    /// The rising curve closest to `y` at `x` in the sum of squares; equal `x` share their mean `y`.
    ///
    /// # Errors
    /// [`Error::Shape`] for no points or lists of different lengths, [`Error::NotFinite`] for NaN or infinite values.
    pub fn rising(x: &[f64], y: &[f64]) -> Result<Self> {
        const NAME: &str = "isotonic regression";
        if x.is_empty() || x.len() != y.len() {
            return Err(Error::shape(
                NAME,
                "as many x as y, one or more",
                format!("{}, {}", x.len(), y.len()),
            ));
        }
        check_finite(NAME, x)?;
        check_finite(NAME, y)?;
        let mut points: Vec<(f64, f64)> = x.iter().copied().zip(y.iter().copied()).collect();
        points.sort_by(|a, b| a.0.total_cmp(&b.0));
        // Points that have their group's mean already are pooled as one: no weights are needed.
        for group in points.chunk_by_mut(|a, b| a.0 == b.0) {
            let mean = group.iter().map(|point| point.1).sum::<f64>() / group.len() as f64;
            group.iter_mut().for_each(|point| point.1 = mean);
        }
        let falling: Vec<f64> = points.iter().map(|point| -point.1).collect();
        let fitted = isotonic_decreasing(&falling)?;
        let mut knots: Vec<(f64, f64)> = points.iter().zip(fitted).map(|(point, y)| (point.0, -y)).collect();
        knots.dedup_by_key(|knot| knot.0);
        // Of a level stretch the ends are enough.
        let inner = |i: usize| {
            i > 0 && i + 1 < knots.len() && knots[i - 1].1 == knots[i].1 && knots[i].1 == knots[i + 1].1
        };
        let kept: Vec<(f64, f64)> = (0..knots.len()).filter(|&i| !inner(i)).map(|i| knots[i]).collect();
        Ok(Self { knots: kept })
    }

    /// The curve's corners, x ascending.
    pub fn knots(&self) -> &[(f64, f64)] {
        &self.knots
    }

    /// The curve at x; beyond its ends, as at the nearer one.
    pub fn at(&self, x: f64) -> f64 {
        let above = self.knots.partition_point(|knot| knot.0 < x);
        match (above.checked_sub(1).map(|i| self.knots[i]), self.knots.get(above)) {
            (Some((x0, y0)), Some(&(x1, y1))) => y0 + (y1 - y0) * ((x - x0) / (x1 - x0)),
            (Some((_, y)), None) | (None, Some(&(_, y))) => y,
            // There is one knot or more.
            (None, None) => 0.0,
        }
    }
}
