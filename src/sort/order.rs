//! Exact orders of finite values.

use std::cmp::Ordering;

/// The values are finite, so `<` orders them; -0 and 0 tie.
pub(crate) fn compare(a: f64, b: f64) -> Ordering {
    a.partial_cmp(&b).unwrap_or(Ordering::Equal)
}

/// The indices of the values from the smallest to the largest, ties in order of appearance.
pub(crate) fn ascending(values: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_unstable_by(|&a, &b| compare(values[a], values[b]).then(a.cmp(&b)));
    order
}

/// The indices of the values from the largest to the smallest, ties in order of appearance.
pub(crate) fn descending(values: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_unstable_by(|&a, &b| compare(values[b], values[a]).then(a.cmp(&b)));
    order
}
