//! What a heatmap network is to answer.

use rayon::prelude::*;

use super::view::MOST;
use crate::error::{check_finite, check_positive, Error, Result};

/// Heatmaps of joints: a Gaussian of peak 1 around each, zeros for joints that are not visible.
///
/// A joint at x of a crop w pixels wide lies at (x + 0.5) · v / w − 0.5 of a heatmap v pixels wide: pixel centres are at
/// integers in both, and their outer edges coincide. The centre is not rounded. `sigma` is in pixels of the heatmap.
///
/// # Shapes
/// `crop` and `heatmap` are \[height, width\]; the result is (joints, height, width), row-major.
///
/// # Errors
/// [`Error::Shape`] for no joints, other flags than joints or a size outside 1 to 8,192; [`Error::NotFinite`] for a visible joint that is;
/// [`Error::Parameter`] for a sigma that is not positive and finite.
///
/// # Example
/// ```
/// // The middle of a crop of 8 × 8 is between the middle pixels of a heatmap of 4 × 4.
/// let map = reloss::data::heatmap_targets(&[[3.5, 3.5]], &[true], [8, 8], [4, 4], 1.0)?;
/// assert!((map[5] - (-0.25f32).exp()).abs() < 1e-6 && map[5] == map[6] && map[5] == map[10]);
/// # Ok::<(), reloss::Error>(())
/// ```
///
/// # Reference
/// Tompson, Jain, LeCun, Bregler, "Joint training of a convolutional network and a graphical model for human pose
/// estimation", NeurIPS 2014; centres that are not rounded as Zhang et al., "Distribution-aware coordinate
/// representation for human pose estimation", CVPR 2020, and aligned edges as Huang et al., "The devil is in the
/// details", CVPR 2020 (there the centres of the outermost pixels coincide).
pub fn heatmap_targets(
    keypoints: &[[f64; 2]],
    visible: &[bool],
    crop: [usize; 2],
    heatmap: [usize; 2],
    sigma: f64,
) -> Result<Vec<f32>> {
    const NAME: &str = "heatmap targets";
    check_positive("sigma", sigma)?;
    if keypoints.is_empty() || visible.len() != keypoints.len() {
        let expected = format!("{} flags, one or more", keypoints.len());
        return Err(Error::shape(NAME, expected, visible.len()));
    }
    if [crop, heatmap].as_flattened().iter().any(|size| !(1..=MOST).contains(size)) {
        let expected = format!("sizes from 1 to {MOST}");
        return Err(Error::shape(NAME, expected, format!("{crop:?} and {heatmap:?}")));
    }
    let counting: Vec<[f64; 2]> =
        keypoints.iter().zip(visible).map(|(point, &seen)| if seen { *point } else { [0.0; 2] }).collect();
    check_finite(NAME, counting.as_flattened())?;
    let mut maps = vec![0.0; keypoints.len() * heatmap[0] * heatmap[1]];
    let joints = maps.par_chunks_exact_mut(heatmap[0] * heatmap[1]).zip(&counting).zip(visible);
    joints.filter(|(_, &seen)| seen).for_each(|((map, &[x, y]), _)| {
        // exp(−(dx² + dy²)/2σ²) is a product of one factor a column and one a row.
        let (columns, rows) =
            (factors(x, crop[1], heatmap[1], sigma), factors(y, crop[0], heatmap[0], sigma));
        for (line, row) in map.chunks_exact_mut(heatmap[1]).zip(&rows) {
            line.iter_mut().zip(&columns).for_each(|(value, column)| *value = (row * column) as f32);
        }
    });
    Ok(maps)
}

fn factors(at: f64, crop: usize, heatmap: usize, sigma: f64) -> Vec<f64> {
    let centre = (at + 0.5) * heatmap as f64 / crop as f64 - 0.5;
    (0..heatmap).map(|i| (-((i as f64 - centre) / sigma).powi(2) / 2.0).exp()).collect()
}
