//! Helpers shared by the tests.

/// Asserts that `got` and `want` agree to within `tolerance` everywhere; NaN agrees with nothing.
#[track_caller]
#[allow(dead_code)]
pub fn assert_close(got: &[f64], want: &[f64], tolerance: f64) {
    assert_eq!(got.len(), want.len(), "lengths differ");
    for (index, (&a, &b)) in got.iter().zip(want).enumerate() {
        let near = (a - b).abs() <= tolerance;
        assert!(near, "index {index}: got {a}, want {b}, tolerance {tolerance}");
    }
}
