//! Sorting networks by constant matrices, a layer at a time.

use dfdx::prelude::*;

use super::record;
use crate::error::Result;
use crate::ops::fast_math::{ATAN, ERFC};
use crate::sort::network::Layer;
use crate::sort::row::{indices, Output};
use crate::sort::{Relaxation, SortingNetwork};
use crate::{Dev, Matrix};

pub(super) fn evaluate<T: Tape<f32, Dev>>(
    tape: &mut T,
    soft: &SortingNetwork,
    output: Output,
    x: Matrix,
) -> Result<Matrix> {
    let (rows, n) = *x.shape();
    let run = Run::new(tape, x, soft)?;
    let repeated = |row: Vec<f32>| run.sorted.device().try_tensor_from_vec(row.repeat(rows), (rows, n));
    if let Some(places) = output.places(n) {
        return run.pull_back(tape, repeated(places.iter().map(|&c| c as f32).collect())?);
    }
    match output {
        Output::Values => Ok(run.sorted),
        Output::Indices => run.push(tape, repeated(indices(n).collect())?),
        _ => run.permutation(tape),
    }
}

/// The values' way through a network: its layers and their weights, all recorded on one tape.
struct Run {
    stages: Vec<Stage>,
    weights: Vec<Matrix>,
    sorted: Matrix,
}

impl Run {
    fn new<T: Tape<f32, Dev>>(tape: &mut T, mut sorted: Matrix, soft: &SortingNetwork) -> Result<Self> {
        let n = sorted.shape().1;
        let (mut stages, mut weights) = (Vec::new(), Vec::new());
        for layer in soft.network.plan(n).iter().filter(|layer| layer.len() > 0) {
            let stage = Stage::new(sorted.device(), layer, n)?;
            let difference = record(tape, &sorted, |x| x.try_matmul(stage.difference.clone()))?;
            let keep = weight(tape, difference, soft)?;
            sorted = stage.mix(tape, sorted, &keep)?;
            stages.push(stage);
            weights.push(keep);
        }
        Ok(Self { stages, weights, sorted })
    }

    /// x·P.
    fn push<T: Tape<f32, Dev>>(&self, tape: &mut T, mut x: Matrix) -> Result<Matrix> {
        for (stage, keep) in self.stages.iter().zip(&self.weights) {
            x = stage.mix(tape, x, keep)?;
        }
        Ok(x)
    }

    /// P·x.
    fn pull_back<T: Tape<f32, Dev>>(&self, tape: &mut T, mut x: Matrix) -> Result<Matrix> {
        for (stage, keep) in self.stages.iter().zip(&self.weights).rev() {
            x = stage.mix(tape, x, keep)?;
        }
        Ok(x)
    }

    /// Row i of P is the i-th unit vector pushed through: (rows, n·n).
    fn permutation<T: Tape<f32, Dev>>(&self, tape: &mut T) -> Result<Matrix> {
        let (rows, n) = *self.sorted.shape();
        let mut inputs = Vec::with_capacity(n);
        for input in 0..n {
            let unit = (0..rows * n).map(|i| if i % n == input { 1.0 } else { 0.0 }).collect();
            let row = self.sorted.device().try_tensor_from_vec(unit, (rows, n))?;
            inputs.push(self.push(tape, row)?.put_tape(std::mem::take(tape)));
        }
        let stacked = inputs.try_stack()?;
        let by_row = stacked.try_permute::<(usize, usize, usize), Axes3<1, 0, 2>>()?.try_contiguous()?;
        let (flat, used) = by_row.try_reshape_like(&(rows, n * n))?.split_tape();
        *tape = used;
        Ok(flat)
    }
}

/// One layer as constant matrices, (wires, comparators) or its transpose.
struct Stage {
    /// x ↦ x_high - x_low.
    difference: Matrix,
    /// Adds a comparator's number to its low wire, takes it from its high wire.
    spread: Matrix,
    /// Exchanges the wires of every comparator.
    exchange: Matrix,
}

impl Stage {
    fn new(device: &Dev, layer: &Layer, n: usize) -> Result<Self> {
        let pairs = layer.pairs();
        let count = pairs.len();
        let (mut difference, mut spread, mut exchange) =
            (vec![0.0; n * count], vec![0.0; count * n], vec![0.0; n * n]);
        let mut partner: Vec<usize> = (0..n).collect();
        for (k, &(low, high)) in pairs.iter().enumerate() {
            difference[low * count + k] = -1.0;
            difference[high * count + k] = 1.0;
            spread[k * n + low] = -1.0;
            spread[k * n + high] = 1.0;
            (partner[low], partner[high]) = (high, low);
        }
        for (wire, &to) in partner.iter().enumerate() {
            exchange[wire * n + to] = 1.0;
        }
        Ok(Self {
            difference: device.try_tensor_from_vec(difference, (n, count))?,
            spread: device.try_tensor_from_vec(spread, (count, n))?,
            exchange: device.try_tensor_from_vec(exchange, (n, n))?,
        })
    }

    /// x·M, with k = `keep`: low gets k·x_low + (1-k)·x_high = x_high - k·(x_high - x_low), high the rest.
    fn mix<T: Tape<f32, Dev>>(&self, tape: &mut T, x: Matrix, keep: &Matrix) -> Result<Matrix> {
        let exchanged = record(tape, &x, |x| x.try_matmul(self.exchange.clone()))?;
        let difference = record(tape, &x, |x| x.try_matmul(self.difference.clone()))?;
        let kept = record(tape, &difference, |d| d.try_mul(keep.clone()))?;
        let spread = record(tape, &kept, |k| k.try_matmul(self.spread.clone()))?;
        record(tape, &exchanged, |x| x.try_add(spread))
    }
}

/// The relaxation of differences, from dfdx operations.
fn weight<T: Tape<f32, Dev>>(tape: &mut T, x: Matrix, soft: &SortingNetwork) -> Result<Matrix> {
    let v = record(tape, &x, |x| x.try_mul(soft.steepness as f32))?;
    match soft.relaxation {
        Relaxation::Logistic => record(tape, &v, |v| v.try_sigmoid()),
        Relaxation::LogisticArt { lambda } => {
            let shrink = record(tape, &x, |x| x.try_abs()?.try_add(1e-10)?.try_powf(-lambda as f32))?;
            record(tape, &v, |v| v.try_mul(shrink)?.try_sigmoid())
        }
        Relaxation::Gaussian => normal(tape, v),
        Relaxation::Reciprocal => {
            let size = record(tape, &v, |v| v.try_abs()?.try_add(2.0))?;
            record(tape, &v, |v| v.try_div(size)?.try_mul(0.5)?.try_add(0.5))
        }
        Relaxation::Cauchy => {
            let angle = arc_tangent(tape, v)?;
            record(tape, &angle, |a| a.try_mul(std::f32::consts::FRAC_1_PI)?.try_add(0.5))
        }
        Relaxation::Optimal => {
            let near = size_below(&v, 0.25)?;
            let outside = away_from_zero(tape, &near, &v)?;
            let rest = record(tape, &outside, |v| v.try_recip()?.try_mul(-1.0 / 16.0))?;
            let ends = sign(&v)?.try_mul(0.5)?;
            let far = record(tape, &rest, |r| r.try_add(ends))?;
            let mixed = choose(tape, &near, v, far)?;
            record(tape, &mixed, |m| m.try_add(0.5))
        }
    }
}

type Mask = Tensor<(usize, usize), bool, Dev>;

fn size_below(v: &Matrix, bound: f32) -> Result<Mask> {
    Ok(v.clone().try_abs()?.try_lt(bound)?)
}

fn constant(like: &Matrix, value: f32) -> Result<Matrix> {
    Ok(like.device().try_zeros_like(like)?.try_add(value)?)
}

/// 1 or -1, without a gradient.
fn sign(v: &Matrix) -> Result<Matrix> {
    Ok(v.try_lt(0.0)?.try_choose(constant(v, -1.0)?, constant(v, 1.0)?)?)
}

fn choose<T: Tape<f32, Dev>>(tape: &mut T, mask: &Mask, yes: Matrix, no: Matrix) -> Result<Matrix> {
    record(tape, &yes, |yes| mask.clone().try_choose(yes, no.retaped::<T>()))
}

/// v, but 1 where `near`, so that what is not chosen there has finite gradients.
fn away_from_zero<T: Tape<f32, Dev>>(tape: &mut T, near: &Mask, v: &Matrix) -> Result<Matrix> {
    let ones = constant(v, 1.0)?;
    choose(tape, near, ones, v.clone())
}

/// Σ c_i·x^i.
fn polynomial<T: Tape<f32, Dev>>(tape: &mut T, x: &Matrix, coefficients: &[f32]) -> Result<Matrix> {
    let mut sum = constant(x, 0.0)?;
    for &c in coefficients.iter().rev() {
        sum = record(tape, &sum, |sum| sum.try_mul(x.clone())?.try_add(c))?;
    }
    Ok(sum)
}

fn arc_tangent<T: Tape<f32, Dev>>(tape: &mut T, v: Matrix) -> Result<Matrix> {
    // Beyond ±1: ±π/2 - atan 1/v.
    let near = size_below(&v, 1.0)?;
    let outside = away_from_zero(tape, &near, &v)?;
    let inverse = record(tape, &outside, |v| v.try_recip())?;
    let z = choose(tape, &near, v.clone(), inverse)?;
    let square = record(tape, &z, |z| z.try_square())?;
    let series = polynomial(tape, &square, &ATAN)?;
    let inner = record(tape, &z, |z| z.try_mul(series))?;
    let quarter_turn = sign(&v)?.try_mul(std::f32::consts::FRAC_PI_2)?;
    let outer = record(tape, &inner, |a| a.try_negate()?.try_add(quarter_turn))?;
    choose(tape, &near, inner, outer)
}

fn normal<T: Tape<f32, Dev>>(tape: &mut T, v: Matrix) -> Result<Matrix> {
    // Near 0: ½ + φ(v)·v·(1 + v²/3 + v⁴/15 + …), which unlike |v| has its slope there.
    let series: Vec<f32> =
        (0..10).scan(1.0, |term, k| Some(std::mem::replace(term, *term / (2 * k + 3) as f32))).collect();
    let near = size_below(&v, 1.0)?;
    // 0 outside, where the series would overflow.
    let inside = choose(tape, &near, v.clone(), constant(&v, 0.0)?)?;
    let square = record(tape, &inside, |v| v.try_square())?;
    let bell = record(tape, &square, |s| s.try_mul(-0.5)?.try_exp())?;
    let sum = polynomial(tape, &square, &series)?;
    let scale = 1.0 / (2.0 * std::f32::consts::PI).sqrt();
    let odd = record(tape, &sum, |s| s.try_mul(inside)?.try_mul(bell)?.try_mul(scale))?;
    let bell = record(tape, &v, |v| v.try_square()?.try_mul(-0.5)?.try_exp())?;
    let half = 0.5 * std::f32::consts::FRAC_1_SQRT_2;
    let t = record(tape, &v, |v| v.try_abs()?.try_mul(half)?.try_add(1.0)?.try_recip())?;
    let fit = polynomial(tape, &t, &ERFC)?;
    let signs = sign(&v)?;
    let tail =
        record(tape, &fit, |f| f.try_mul(t)?.try_mul(bell)?.try_mul(-0.5)?.try_add(0.5)?.try_mul(signs))?;
    let mixed = choose(tape, &near, odd, tail)?;
    record(tape, &mixed, |m| m.try_add(0.5))
}
