//! The released pose loss in double precision, what the tensor form is tested against.

use crate::error::{check_finite, Error, Result};

/// The two linear layers of the released pose loss, row-major.
#[derive(Debug, Clone, PartialEq)]
pub struct JointWeights {
    /// (hidden, pixels).
    pub w1: Vec<f64>,
    /// (hidden).
    pub b1: Vec<f64>,
    /// (hidden).
    pub w2: Vec<f64>,
    /// One number.
    pub b2: f64,
}

impl JointWeights {
    /// sigmoid(w2 · ELU(w1 e + b1) + b2): what a joint's squared differences weigh.
    fn weight(&self, e: &[f64]) -> f64 {
        let hidden = self.w1.chunks_exact(e.len()).zip(&self.b1).map(|(row, bias)| {
            let x = row.iter().zip(e).map(|(w, e)| w * e).sum::<f64>() + bias;
            if x > 0.0 {
                x
            } else {
                x.exp_m1()
            }
        });
        let x = hidden.zip(&self.w2).map(|(h, w)| h * w).sum::<f64>() + self.b2;
        1.0 / (1.0 + (-x).exp())
    }
}

/// The released pose loss: the mean over all joints and pixels of squared differences, each joint's times its learned weight;
/// joints that do not count have no differences.
///
/// `output` and `target` hold joint by joint, row by row; `counts` has a number a joint that multiplies the difference.
///
/// # Errors
/// [`Error::Shape`] for lists that do not fit, [`Error::NotFinite`] for NaN or infinite numbers.
///
/// # Example
/// ```
/// use reloss::surrogate::{weighted_heatmap_error, JointWeights};
/// // Weights that see nothing: sigmoid(0) of the mean square.
/// let layers = JointWeights { w1: vec![0.0; 2], b1: vec![0.0], w2: vec![0.0], b2: 0.0 };
/// assert_eq!(weighted_heatmap_error(&[3.0, 1.0], &[1.0, 1.0], &[1.0], &layers)?, 0.5 * 2.0);
/// # Ok::<(), reloss::Error>(())
/// ```
///
/// # Reference
/// The released code of ReLoss (pose).
pub fn weighted_heatmap_error(
    output: &[f64],
    target: &[f64],
    counts: &[f64],
    layers: &JointWeights,
) -> Result<f64> {
    const NAME: &str = "weighted heatmap error";
    let hidden = layers.b1.len();
    let pixels = layers.w1.len().checked_div(hidden).unwrap_or(0);
    if pixels == 0 || layers.w1.len() != hidden * pixels || layers.w2.len() != hidden {
        let got = format!("{}, {hidden} and {} numbers", layers.w1.len(), layers.w2.len());
        return Err(Error::shape(NAME, "layers that fit each other", got));
    }
    if counts.is_empty() || output.len() != target.len() || output.len() != counts.len() * pixels {
        let got = format!("{}, {} and {}", output.len(), target.len(), counts.len());
        return Err(Error::shape(NAME, format!("heatmaps of {pixels} pixels and a number each"), got));
    }
    [output, target, counts].into_iter().try_for_each(|values| check_finite(NAME, values))?;
    let joint = |((h, t), count): ((&[f64], &[f64]), &f64)| {
        let e: Vec<f64> = h.iter().zip(t).map(|(h, t)| (count * (h - t)).powi(2)).collect();
        layers.weight(&e) * e.iter().sum::<f64>()
    };
    let maps = output.chunks_exact(pixels).zip(target.chunks_exact(pixels)).zip(counts);
    Ok(maps.map(joint).sum::<f64>() / output.len() as f64)
}
