//! The ways without a network as operations on the rows of a tensor, and the frame around every way.
#![cfg(not(feature = "composed"))]

use super::checks::OnList;
use super::frame::{Framed, Order, Scale};
use super::fused::RowOp;
use super::permutahedron::Projected;
use super::row::{NetworkOp, Output, RowTrace};
use super::shares::{read_off, GivesShares, Shares};
use super::{pairwise, Permutahedron, Perturbed, Sinkhorn, SoftSort, Unimodal, Way};
use crate::error::Result;

/// Any way, any output, in any order and unit, on the rows of a tensor.
pub(crate) struct SoftOp {
    way: WayOp,
    output: Output,
    order: Order,
    scale: Scale,
}

enum WayOp {
    Network(NetworkOp),
    Permutahedron(Permutahedron, usize),
    Unimodal(Unimodal, usize),
    Sinkhorn(Sinkhorn, usize),
    Pairwise(f32, usize),
    /// By lists, forward and again backward: its cost is the draws'.
    Perturbed(Perturbed, usize),
}

/// What a way's forward pass leaves for its backward pass.
pub(crate) enum WayTrace {
    Network(RowTrace<f32>),
    Permutahedron(Projected),
    /// The values and their shares.
    Shares(Vec<f64>, Shares),
    Pairwise(Vec<f32>),
    Perturbed(Vec<f64>),
    /// No gradient was asked for.
    Nothing,
}

/// What a row's forward pass leaves for its backward pass.
pub(crate) struct SoftTrace {
    way: WayTrace,
    /// Unless it changed nothing; with the framed sorted values, if those are the result.
    frame: Option<(Framed, Vec<f64>)>,
}

fn wide(values: &[f32]) -> Vec<f64> {
    values.iter().map(|&v| f64::from(v)).collect()
}

fn narrow(values: &[f64], out: &mut [f32]) {
    out.iter_mut().zip(values).for_each(|(o, &v)| *o = v as f32);
}

impl SoftOp {
    /// For rows of `n` values.
    ///
    /// # Errors
    /// [`crate::Error::Parameter`] for a way without this output.
    pub(crate) fn new(soft: &SoftSort, output: Output, n: usize) -> Result<Self> {
        let way = match soft.way {
            Way::Network(network) => WayOp::Network(NetworkOp::new(&network, output, n)),
            Way::Permutahedron(way) => {
                way.check_output(output)?;
                WayOp::Permutahedron(way, n)
            }
            Way::Unimodal(way) => WayOp::Unimodal(way, n),
            Way::Sinkhorn(way) => WayOp::Sinkhorn(way, n),
            Way::Pairwise(way) => {
                way.check_output(output)?;
                WayOp::Pairwise(way.temperature as f32, n)
            }
            Way::Perturbed(way) => {
                way.check_output(output)?;
                WayOp::Perturbed(way, n)
            }
        };
        Ok(Self { way, output, order: soft.order, scale: soft.scale })
    }

    fn forward_way(&self, row: &[f32], out: &mut [f32], with_gradient: bool) -> Result<WayTrace> {
        let trace = match &self.way {
            WayOp::Network(network) => WayTrace::Network(network.forward(row, out, with_gradient)),
            WayOp::Permutahedron(way, _) => {
                let projected = way.project(self.output, row)?;
                narrow(projected.result(), out);
                WayTrace::Permutahedron(projected)
            }
            WayOp::Unimodal(way, _) => self.share(way, row, out),
            WayOp::Sinkhorn(way, _) => self.share(way, row, out),
            WayOp::Pairwise(temperature, _) => {
                pairwise::ranks(row, *temperature, out);
                WayTrace::Pairwise(row.to_vec())
            }
            WayOp::Perturbed(way, _) => {
                let values = wide(row);
                narrow(&way.evaluate("perturbed", self.output, &values)?, out);
                WayTrace::Perturbed(values)
            }
        };
        Ok(if with_gradient { trace } else { WayTrace::Nothing })
    }

    fn share(&self, way: &impl GivesShares, row: &[f32], out: &mut [f32]) -> WayTrace {
        let values = wide(row);
        let shares = way.shares(&values);
        narrow(&read_off(self.output, &values, &shares), out);
        WayTrace::Shares(values, shares)
    }

    fn backward_way(&self, trace: WayTrace, cotangent: &[f32], gradient: &mut [f32]) {
        match (&self.way, trace) {
            (WayOp::Network(network), WayTrace::Network(trace)) => {
                network.backward(trace, cotangent, gradient)
            }
            (WayOp::Permutahedron(way, _), WayTrace::Permutahedron(projected)) => {
                narrow(&way.pull_back(&projected, cotangent), gradient);
            }
            (WayOp::Unimodal(way, _), WayTrace::Shares(values, shares)) => {
                narrow(&way.through(self.output, &values, &shares, &wide(cotangent)), gradient);
            }
            (WayOp::Sinkhorn(way, _), WayTrace::Shares(values, shares)) => {
                narrow(&way.through(self.output, &values, &shares, &wide(cotangent)), gradient);
            }
            (WayOp::Pairwise(temperature, _), WayTrace::Pairwise(values)) => {
                pairwise::ranks_gradient(&values, *temperature, cotangent, gradient);
            }
            (WayOp::Perturbed(way, _), WayTrace::Perturbed(values)) => {
                match way.gradient("perturbed", self.output, &values, &wide(cotangent)) {
                    Ok(result) => narrow(&result, gradient),
                    // The values passed going forward: only a cotangent that is not finite is refused.
                    Err(_) => gradient.fill(f32::NAN),
                }
            }
            // Without a gradient there is no backward pass.
            _ => {}
        }
    }
}

impl RowOp for SoftOp {
    type Trace = SoftTrace;

    fn work(&self) -> usize {
        match &self.way {
            WayOp::Network(network) => network.work(),
            WayOp::Permutahedron(_, n) => 3 * n,
            WayOp::Unimodal(_, n) => 4 * n * n,
            WayOp::Sinkhorn(way, n) => 4 * n * n * way.iterations,
            WayOp::Pairwise(_, n) => n * n / 4,
            WayOp::Perturbed(way, n) => 16 * n * way.draws,
        }
    }

    fn forward(&self, row: &[f32], out: &mut [f32], with_gradient: bool) -> Result<Self::Trace> {
        if Framed::is_plain(self.order, self.scale) {
            return Ok(SoftTrace { way: self.forward_way(row, out, with_gradient)?, frame: None });
        }
        let framed = Framed::new(&wide(row), self.order, self.scale);
        let mut inner = vec![0.0; row.len()];
        narrow(&framed.values, &mut inner);
        let way = self.forward_way(&inner, out, with_gradient)?;
        let mut sorted = Vec::new();
        if self.output == Output::Values {
            sorted = wide(out);
            let mut restored = sorted.clone();
            framed.restore(&mut restored);
            narrow(&restored, out);
        }
        Ok(SoftTrace { way, frame: Some((framed, sorted)) })
    }

    fn backward(&self, trace: Self::Trace, cotangent: &[f32], gradient: &mut [f32]) {
        let SoftTrace { way, frame } = trace;
        let Some((framed, sorted)) = frame else { return self.backward_way(way, cotangent, gradient) };
        let on_restored = wide(cotangent);
        let (mut inner, mut of_sorted) = (cotangent.to_vec(), None);
        if self.output == Output::Values {
            narrow(&framed.cotangent(&on_restored), &mut inner);
            of_sorted = Some((sorted.as_slice(), on_restored.as_slice()));
        }
        self.backward_way(way, &inner, gradient);
        let on_framed = wide(gradient);
        narrow(&framed.pull_back(&on_framed, of_sorted), gradient);
    }
}
