//! SuSana Distancia's proto-triplet loss: nearer to the own class's mean than to any other, by a margin.

use dfdx::prelude::HasShape;

use super::record_defined;
use crate::error::{Error, Result};
use crate::loss::Loss;
use crate::ops::{check_batch, host};
use crate::{Matrix, Scalar, Tape};

/// max(0, d(q, c_y) − min over other classes of d(q, c_j) + margin), mean over queries; d is Euclidean.
///
/// Rows are embeddings. Every second row of a class is support, whose mean is the class's prototype c; the others are
/// queries. Classes of a single row in the batch are left out; a batch without two others teaches nothing.
///
/// # Shapes
/// As [`RecallAtK`](super::RecallAtK): embeddings (rows, dimensions).
///
/// # Reference
/// "SuSana Distancia is all you need: enforcing class separability in metric learning via two novel distance-based loss
/// functions for few-shot image classification", 2023, arXiv 2305.09062.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ProtoTriplet {
    /// 0.5 in the paper.
    pub margin: f64,
}

impl Default for ProtoTriplet {
    fn default() -> Self {
        Self { margin: 0.5 }
    }
}

impl ProtoTriplet {
    /// The loss of embeddings, (rows, width) row-major, and its gradient with respect to them.
    ///
    /// # Errors
    /// [`Error::Undefined`] where fewer than two classes have two rows; [`Error::Parameter`] for a negative margin.
    pub fn value(&self, x: &[f64], width: usize, labels: &[usize]) -> Result<(f64, Vec<f64>)> {
        if !(self.margin >= 0.0 && self.margin.is_finite()) {
            return Err(Error::parameter("margin", format!("{} is negative or not finite", self.margin)));
        }
        let classes = labels.iter().max().map_or(0, |&most| most + 1);
        let of = |class: usize| (0..labels.len()).filter(move |&row| labels[row] == class);
        let present: Vec<usize> = (0..classes).filter(|&class| of(class).count() > 1).collect();
        if present.len() < 2 {
            return Err(Error::undefined("proto-triplet", "fewer than two classes have two rows"));
        }
        let row = |i: usize| &x[i * width..(i + 1) * width];
        let supports: Vec<Vec<usize>> = present.iter().map(|&class| of(class).step_by(2).collect()).collect();
        let prototype = |support: &Vec<usize>| -> Vec<f64> {
            let sum = |d: usize| support.iter().map(|&i| row(i)[d]).sum::<f64>();
            (0..width).map(|d| sum(d) / support.len() as f64).collect()
        };
        let prototypes: Vec<Vec<f64>> = supports.iter().map(prototype).collect();
        let distance =
            |i: usize, c: &[f64]| row(i).iter().zip(c).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt();
        let queries: Vec<(usize, usize)> = present
            .iter()
            .enumerate()
            .flat_map(|(own, &class)| of(class).skip(1).step_by(2).map(move |i| (i, own)))
            .collect();
        let share = 1.0 / queries.len() as f64;
        let (mut sum, mut gradient) = (0.0, vec![0.0; x.len()]);
        for (query, own) in queries {
            let to = |class: usize| distance(query, &prototypes[class]);
            let others = (0..present.len()).filter(|&class| class != own);
            let Some(nearest) = others.min_by(|&a, &b| to(a).total_cmp(&to(b))) else { continue };
            let violation = to(own) - to(nearest) + self.margin;
            if violation <= 0.0 {
                continue;
            }
            sum += share * violation;
            for (class, sign) in [(own, share), (nearest, -share)] {
                // At distance 0 there is no direction.
                let length = to(class).max(1e-12);
                for d in 0..width {
                    let along = sign * (row(query)[d] - prototypes[class][d]) / length;
                    gradient[query * width + d] += along;
                    let each = along / supports[class].len() as f64;
                    supports[class].iter().for_each(|&i| gradient[i * width + d] -= each);
                }
            }
        }
        Ok((sum, gradient))
    }
}

impl Loss for ProtoTriplet {
    fn name(&self) -> String {
        "proto_triplet".to_string()
    }

    fn loss(&self, embeddings: Matrix<Tape>, labels: &[usize]) -> Result<Scalar<Tape>> {
        check_batch("proto-triplet", &embeddings, labels)?;
        let width = embeddings.shape().1;
        let x: Vec<f64> = host(&embeddings).into_iter().map(f64::from).collect();
        let defined = self.value(&x, width, labels);
        let narrow = |(value, g): (f64, Vec<f64>)| (value, g.into_iter().map(|g| g as f32).collect());
        record_defined(embeddings, defined.map(narrow))
    }
}
