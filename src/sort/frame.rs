//! Which way to sort, and in which unit differences are measured.

use serde::{Deserialize, Serialize};

/// Which end comes first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Order {
    /// The smallest value has rank 1 and stands first.
    #[default]
    Ascending,
    /// The largest value has rank 1 and stands first: the ascending order of the negated values.
    Descending,
}

/// The unit in which a way to soften sorting sees differences, and with it how soft it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Scale {
    /// As they are: softness depends on the values' scale.
    #[default]
    Raw,
    /// The standard deviation of the list (divisor n): scale and shift change nothing.
    Deviation,
    /// The mean distance of neighbours, (max − min)/(n − 1): also the same for every n.
    Spacing,
}

/// A list with its centre and unit taken off, turned round for descending order.
#[derive(Clone, Debug)]
pub(super) struct Framed {
    pub values: Vec<f64>,
    scale: Scale,
    center: f64,
    /// 1 for a list without differences: its values are 0 then.
    unit: f64,
    sign: f64,
}

impl Framed {
    pub(super) fn new(values: &[f64], order: Order, scale: Scale) -> Self {
        let sign = if order == Order::Descending { -1.0 } else { 1.0 };
        let n = values.len() as f64;
        let center = if scale == Scale::Raw { 0.0 } else { values.iter().map(|v| v / n).sum() };
        let unit = match scale {
            Scale::Raw => 1.0,
            Scale::Deviation => deviation(values, center),
            Scale::Spacing => {
                let (low, high) = ends(values);
                (values[high] - values[low]) / (n - 1.0).max(1.0)
            }
        };
        // Below, 1/unit would overflow: such a list counts as tied.
        let unit = if unit > f64::MIN_POSITIVE { unit } else { f64::INFINITY };
        let values = values.iter().map(|v| sign * (v - center) / unit).collect();
        Self { values, scale, center, unit: if unit.is_finite() { unit } else { 1.0 }, sign }
    }

    /// The unit, 0 for a list without differences.
    pub(super) fn unit(&self) -> f64 {
        if self.values.iter().all(|&v| v == 0.0) {
            0.0
        } else {
            self.unit
        }
    }

    /// Whether nothing was changed.
    pub(super) fn is_plain(order: Order, scale: Scale) -> bool {
        (order, scale) == (Order::Ascending, Scale::Raw)
    }

    /// Soft-sorted values back in their own unit.
    pub(super) fn restore(&self, sorted: &mut [f64]) {
        sorted.iter_mut().for_each(|v| *v = self.center + self.sign * self.unit * *v);
    }

    /// The gradient with respect to the framed sorted values, of that with respect to the restored ones.
    pub(super) fn cotangent(&self, on_restored: &[f64]) -> Vec<f64> {
        on_restored.iter().map(|g| g * self.sign * self.unit).collect()
    }

    /// From the gradient with respect to the framed values to that of the list; `sorted` holds the framed sorted
    /// values and the gradient with respect to the restored ones, where those were the result.
    pub(super) fn pull_back(&self, on_framed: &[f64], sorted: Option<(&[f64], &[f64])>) -> Vec<f64> {
        // z = σ(x − c)/s, result c + σ·s·S(z):
        // dx = σ(dz − mean dz)/s + (dc: mean of the cotangent) + ds·(Σ σ·g·S(z) − Σ z·dz/s).
        if self.scale == Scale::Raw {
            return on_framed.iter().map(|g| self.sign * g).collect();
        }
        let n = on_framed.len() as f64;
        let mean = on_framed.iter().sum::<f64>() / n;
        let mut on_unit = -dot(&self.values, on_framed) / self.unit;
        let mut on_center = 0.0;
        if let Some((sorted, cotangent)) = sorted {
            on_unit += self.sign * dot(sorted, cotangent);
            on_center = cotangent.iter().sum::<f64>() / n;
        }
        let mut gradient: Vec<f64> =
            on_framed.iter().map(|g| self.sign * (g - mean) / self.unit + on_center).collect();
        match self.scale {
            Scale::Raw => {}
            // ds/dx_i = (x_i − c)/(n·s).
            Scale::Deviation => {
                let factor = self.sign * on_unit / n;
                gradient.iter_mut().zip(&self.values).for_each(|(g, z)| *g += factor * z);
            }
            Scale::Spacing => {
                let (low, high) = ends(&self.values);
                let share = self.sign * on_unit / (n - 1.0).max(1.0);
                gradient[high] += share;
                gradient[low] -= share;
            }
        }
        gradient
    }
}

/// Indices of the smallest and the largest value, the first of several.
pub(super) fn ends(values: &[f64]) -> (usize, usize) {
    let end = |ahead: fn(f64, f64) -> bool| {
        (1..values.len()).fold(0, |best, i| if ahead(values[i], values[best]) { i } else { best })
    };
    (end(|a, b| a < b), end(|a, b| a > b))
}

/// The standard deviation, without overflow of the squares.
fn deviation(values: &[f64], center: f64) -> f64 {
    let largest = values.iter().fold(0.0_f64, |largest, v| largest.max((v - center).abs()));
    if largest == 0.0 {
        return 0.0;
    }
    let squares: f64 = values.iter().map(|v| ((v - center) / largest).powi(2)).sum();
    largest * (squares / values.len() as f64).sqrt()
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}
