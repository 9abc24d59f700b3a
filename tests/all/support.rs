//! What the tests share.

/// Fails unless every value is within `tolerance` of the wanted one; NaN is never close.
#[track_caller]
pub fn assert_close(got: &[f64], want: &[f64], tolerance: f64) {
    assert_eq!(got.len(), want.len(), "lengths differ");
    for (i, (g, w)) in got.iter().zip(want).enumerate() {
        assert!((g - w).abs() <= tolerance, "at {i}: got {g}, want {w} within {tolerance}");
    }
}

/// To f64, for [`assert_close`].
pub fn wide(values: &[f32]) -> Vec<f64> {
    values.iter().map(|&v| f64::from(v)).collect()
}
