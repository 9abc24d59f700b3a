//! The ways without a network as operations on the rows of a tensor.
#![cfg(not(feature = "cuda"))]

use super::fused::RowOp;
use super::row::Output;
use super::SoftSort;
use crate::error::Result;

/// Computes in f64 on lists, forward and again backward.
pub(crate) struct ListOp {
    soft: SoftSort,
    output: Output,
    n: usize,
}

impl ListOp {
    pub(crate) fn new(soft: &SoftSort, output: Output, n: usize) -> Self {
        Self { soft: *soft, output, n }
    }
}

fn wide(values: &[f32]) -> Vec<f64> {
    values.iter().map(|&v| f64::from(v)).collect()
}

fn narrow(values: Vec<f64>, out: &mut [f32]) {
    out.iter_mut().zip(values).for_each(|(o, v)| *o = v as f32);
}

impl RowOp for ListOp {
    /// The values.
    type Trace = Vec<f64>;

    fn work(&self) -> usize {
        match self.soft {
            SoftSort::Permutahedron(_) => 16 * self.n,
            SoftSort::Perturbed(way) => 16 * self.n * way.draws,
            _ => self.n * self.n,
        }
    }

    fn forward(&self, row: &[f32], out: &mut [f32], _: bool) -> Result<Self::Trace> {
        let values = wide(row);
        let result = match self.output {
            Output::Values => self.soft.sorted(&values),
            Output::Ranks => self.soft.ranks(&values),
            Output::Permutation => self.soft.permutation(&values),
        };
        narrow(result?, out);
        Ok(values)
    }

    fn backward(&self, values: Self::Trace, cotangent: &[f32], gradient: &mut [f32]) {
        let cotangent = wide(cotangent);
        let result = match self.output {
            Output::Values => self.soft.sorted_gradient(&values, &cotangent),
            Output::Ranks => self.soft.ranks_gradient(&values, &cotangent),
            Output::Permutation => self.soft.permutation_gradient(&values, &cotangent),
        };
        match result {
            Ok(result) => narrow(result, gradient),
            // The values passed going forward: only a cotangent that is not finite is refused, and stays so.
            Err(_) => gradient.fill(f32::NAN),
        }
    }
}
