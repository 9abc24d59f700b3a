//! What is read off the shares that every value has in every place, and the way back.

use super::row::{indices, Output};

/// Shares of the values in each place, ascending, (places, values) row-major; with what a gradient needs beside.
#[derive(Clone, Debug)]
pub(super) struct Shares {
    pub by_place: Vec<f64>,
    /// Of a way that iterates: what each iteration found.
    pub iterates: Vec<f64>,
}

/// A way that gives shares.
pub(super) trait GivesShares {
    fn shares(&self, values: &[f64]) -> Shares;

    /// From the gradient with respect to the shares to that with respect to the values they were made of.
    fn pull_back(&self, values: &[f64], shares: &Shares, on_shares: &[f64]) -> Vec<f64>;

    /// The gradient with respect to the values, of that with respect to the output.
    fn through(&self, output: Output, values: &[f64], shares: &Shares, cotangent: &[f64]) -> Vec<f64> {
        let mut gradient = self.pull_back(values, shares, &on_shares(output, values, cotangent));
        if output == Output::Values {
            // The values are sorted as well as sorted by.
            for (g, row) in cotangent.iter().zip(shares.by_place.chunks_exact(values.len())) {
                gradient.iter_mut().zip(row).for_each(|(sum, share)| *sum += g * share);
            }
        }
        gradient
    }
}

/// The output, of the shares.
pub(super) fn read_off(output: Output, values: &[f64], shares: &Shares) -> Vec<f64> {
    let (n, rows) = (values.len(), shares.by_place.chunks_exact(values.len()));
    if let Some(places) = output.places(n) {
        let mut given = vec![0.0; n];
        for (place, row) in places.iter().zip(rows) {
            given.iter_mut().zip(row).for_each(|(sum, share)| *sum += place * share);
        }
        return given;
    }
    let at_places = |payload: &[f64]| rows.map(|row| dot(row, payload)).collect();
    match output {
        Output::Values => at_places(values),
        Output::Indices => at_places(&indices(n).collect::<Vec<_>>()),
        _ => transposed(&shares.by_place, n),
    }
}

/// The gradient with respect to the shares, of that with respect to the output.
fn on_shares(output: Output, values: &[f64], cotangent: &[f64]) -> Vec<f64> {
    let n = values.len();
    let outer = |by_place: &[f64], by_value: &[f64]| -> Vec<f64> {
        by_place.iter().flat_map(|a| by_value.iter().map(move |b| a * b)).collect()
    };
    match (output.places(n), output) {
        (Some(places), _) => outer(&places, cotangent),
        (None, Output::Values) => outer(cotangent, values),
        (None, Output::Indices) => outer(cotangent, &indices(n).collect::<Vec<_>>()),
        (None, _) => transposed(cotangent, n),
    }
}

pub(super) fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn transposed(matrix: &[f64], n: usize) -> Vec<f64> {
    (0..n * n).map(|i| matrix[i % n * n + i / n]).collect()
}
