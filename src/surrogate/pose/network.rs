//! Loss networks of heatmaps.

use dfdx::prelude::*;
use rand_chacha::rand_core::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::super::loss_network::{Judged, LossNetwork};
use super::PoseBatch;
use crate::error::{Error, Result};
use crate::ops::{elu, host, linear, linear_layer, sigmoid, Dual, Parameter, Parameters};
use crate::{Dev, Matrix};

/// What the loss network makes of a joint's squared differences e, one number a pixel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum PoseForm {
    /// mean(e) · sigmoid(Linear(ELU(Linear(e)))): a learned weight a joint on the squared error, as in the released code.
    Weighted,
    /// Σ |w| (1 − exp(−|W| e)): ever growing with every difference, so that nothing but the target is lowest, and
    /// saturating, as metrics do for joints that are far off. Ours.
    Saturating,
}

impl PoseForm {
    /// The names of its two layers.
    fn layers(self) -> [&'static str; 2] {
        match self {
            Self::Weighted => ["fcs.0", "fcs.2"],
            Self::Saturating => ["reach", "cost"],
        }
    }
}

/// The loss network of heatmaps: from the squared differences of a joint to what they cost.
#[derive(Debug, Clone)]
pub struct PoseNetwork {
    parameters: Parameters,
    form: PoseForm,
}

impl PoseNetwork {
    /// A freshly initialised network for heatmaps of so many pixels, uniform in ±1/√inputs as in PyTorch.
    ///
    /// The names of its parameters are ours: those of the released weights are not known.
    ///
    /// # Errors
    /// [`Error::Parameter`] for a width of zero.
    ///
    /// # Example
    /// ```
    /// use reloss::surrogate::{PoseForm, PoseNetwork};
    /// // The released code's: heatmaps of 64 × 48 pixels, 8 hidden units.
    /// let network = PoseNetwork::new(PoseForm::Weighted, 64 * 48, 8, 0)?;
    /// assert_eq!(network.parameters().count(), 64 * 48 * 8 + 8 + 8 + 1);
    /// # Ok::<(), reloss::Error>(())
    /// ```
    pub fn new(form: PoseForm, pixels: usize, hidden: usize, seed: u64) -> Result<Self> {
        if pixels == 0 || hidden == 0 {
            return Err(Error::parameter("hidden", "pixels and hidden width must be positive"));
        }
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut members = Vec::new();
        for (name, [inputs, outputs]) in form.layers().iter().zip([[pixels, hidden], [hidden, 1]]) {
            let layer = linear_layer(name, inputs, outputs, &mut rng)?;
            // Nothing costs nothing: what saturates has no biases.
            let count = if form == PoseForm::Saturating { 1 } else { 2 };
            members.extend(layer.into_iter().take(count));
        }
        Ok(Self { parameters: Parameters::new(members), form })
    }

    /// A network from tensors with the names of [`PoseNetwork::new`]; their names give its form, their shapes its widths.
    ///
    /// # Errors
    /// [`Error::Shape`] when a tensor is missing or two do not fit together.
    pub fn from_parameters(source: &Parameters) -> Result<Self> {
        let first = |form: PoseForm| {
            let name = format!("{}.weight", form.layers()[0]);
            source.iter().find(|p| p.name() == name).map(|p| (form, p.shape().to_vec()))
        };
        let found = first(PoseForm::Weighted).or_else(|| first(PoseForm::Saturating));
        let Some((form, &[hidden, pixels])) = found.as_ref().map(|(form, shape)| (*form, shape.as_slice()))
        else {
            let expected = "a matrix fcs.0.weight or reach.weight";
            return Err(Error::shape("pose loss network", expected, format!("{found:?}")));
        };
        let mut network = Self::new(form, pixels, hidden, 0)?;
        network.parameters.assign(source)?;
        Ok(network)
    }

    /// What it makes of the differences.
    pub fn form(&self) -> PoseForm {
        self.form
    }

    /// Pixels of the heatmaps it judges.
    pub fn pixels(&self) -> usize {
        self.parameters.iter().next().map_or(0, |p| p.value().shape().1)
    }

    /// What is learned.
    pub fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// Refuses heatmaps of other sizes.
    pub(super) fn fits(&self, pixels: usize) -> Result<()> {
        match self.pixels() == pixels {
            true => Ok(()),
            false => {
                let expected = format!("heatmaps of {} pixels", self.pixels());
                Err(Error::shape("pose loss network", expected, pixels))
            }
        }
    }

    /// A parameter of the first (0) or the second layer.
    fn member(&self, layer: usize, kind: &str) -> Result<&Parameter> {
        let name = format!("{}.{kind}", self.form.layers()[layer]);
        let found = self.parameters.iter().find(|p| p.name() == name);
        found.ok_or_else(|| Error::shape("pose loss network", name, "none"))
    }

    /// One of its linear layers.
    fn linear<T: Tape<f32, Dev>>(&self, layer: usize, x: Matrix<T>) -> Result<Matrix<T>> {
        linear(x, self.member(layer, "weight")?, self.member(layer, "bias")?)
    }

    /// The absolute values of a layer's weights, (inputs, outputs).
    fn positive<T: Tape<f32, Dev>>(&self, layer: usize) -> Result<Matrix<T>> {
        Ok(self.member(layer, "weight")?.value().retaped::<T>().try_abs()?.try_permute()?)
    }

    /// What each joint costs: squared differences (joints, pixels) → (joints, 1).
    pub(super) fn joints<T: Tape<f32, Dev>>(&self, e: Matrix<T>) -> Result<Matrix<T>> {
        let (e, tape) = e.split_tape();
        let x = e.clone().put_tape(tape);
        match self.form {
            PoseForm::Weighted => {
                let weight = self.linear(1, elu(self.linear(0, x)?)?)?.try_sigmoid()?;
                Ok(weight.try_mul(pixel_mean(e.retaped::<T>())?)?)
            }
            PoseForm::Saturating => {
                let left = x.try_matmul(self.positive::<T>(0)?)?.try_negate()?.try_exp()?;
                Ok(left.try_negate()?.try_add(1.0)?.try_matmul(self.positive::<T>(1)?)?)
            }
        }
    }

    /// As [`PoseNetwork::joints`], with the derivative along a direction of the differences.
    fn dual<T: Tape<f32, Dev>>(&self, e: &Matrix, direction: &Matrix, tape: T) -> Result<Dual<T>> {
        let x = Dual { value: e.clone().put_tape(tape), tangent: direction.retaped::<T>() };
        match self.form {
            PoseForm::Weighted => {
                let layer = |i| Ok::<_, Error>((self.member(i, "weight")?, self.member(i, "bias")?));
                let ((w1, b1), (w2, b2)) = (layer(0)?, layer(1)?);
                let Dual { value, tangent } = sigmoid(x.linear(w1, b1)?.elu()?.linear(w2, b2)?)?;
                let (mean, change) = (pixel_mean(e.clone())?, pixel_mean(direction.clone())?);
                let (value, tape) = value.split_tape();
                let along = value.retaped::<T>().try_mul(change)?;
                let tangent = tangent.try_mul(mean.clone())?.try_add(along)?;
                Ok(Dual { value: value.put_tape(tape).try_mul(mean)?, tangent })
            }
            PoseForm::Saturating => {
                // d (1 − exp(−r)) = exp(−r) dr with r = |W| e.
                let reach = x.value.try_matmul(self.positive::<T>(0)?)?.try_negate()?;
                let change = x.tangent.try_matmul(self.positive::<T>(0)?)?;
                let (reach, tape) = reach.split_tape();
                let tangent = change.try_mul(reach.retaped::<T>().try_exp()?)?;
                let risen = reach.put_tape(tape).try_exp()?.try_negate()?.try_add(1.0)?;
                Ok(Dual {
                    value: risen.try_matmul(self.positive::<T>(1)?)?,
                    tangent: tangent.try_matmul(self.positive::<T>(1)?)?,
                })
            }
        }
    }

    /// The unit direction in which each instance's heatmaps raise its loss fastest, as a change of the differences; 0 where
    /// nothing changes it.
    fn steepest(&self, batch: &PoseBatch) -> Result<Matrix> {
        let e = &batch.squares;
        let slope = self.joints(e.leaky_trace())?.try_sum()?.try_backward()?.get(e);
        // d e / d heatmap = 2 (heatmap − target)
        let along = slope.try_mul(batch.steepness.clone())?;
        let (maps, pixels) = *e.shape();
        let instances = (maps / batch.joints, batch.joints * pixels);
        let flat = along.clone().try_reshape_like(&instances)?;
        let norms = host(&flat.try_square()?.try_sum::<(usize,), Axis<1>>()?);
        let factors = norms.into_iter().map(|square| if square > 0.0 { square.sqrt().recip() } else { 0.0 });
        let factors: Vec<f32> =
            factors.flat_map(|factor| std::iter::repeat_n(factor, batch.joints)).collect();
        let factors = e.device().try_tensor_from_vec(factors, (maps,))?;
        let factors = factors.try_broadcast_like::<_, Axis<1>>(&(maps, pixels))?;
        Ok(along.try_mul(factors)?.try_mul(batch.steepness.clone())?)
    }
}

/// The mean of each row, (rows, 1).
fn pixel_mean<T: Tape<f32, Dev>>(x: Matrix<T>) -> Result<Matrix<T>> {
    let rows = x.shape().0;
    Ok(x.try_mean::<(usize,), Axis<1>>()?.try_reshape_like(&(rows, 1))?)
}

impl LossNetwork for PoseNetwork {
    type Batch = PoseBatch;

    /// A row is an instance; its gradient is that of its loss summed over the pixels of a heatmap, mean over joints.
    fn judge<T: Tape<f32, Dev>>(&self, batch: &PoseBatch, tape: T) -> Result<Judged<T>> {
        self.fits(batch.squares.shape().1)?;
        let direction = self.steepest(batch)?;
        let out = self.dual(&batch.squares, &direction, tape)?;
        let (maps, pixels) = *batch.squares.shape();
        let (samples, instances) = (batch.metric.len(), maps / batch.joints);
        let losses = out.value.try_reshape_like(&(samples, maps / samples))?;
        let slopes = out.tangent.try_reshape_like(&(instances, batch.joints))?;
        let slopes = slopes.try_mean::<(usize,), Axis<1>>()?.try_mul(pixels as f32)?;
        Ok(Judged {
            losses: losses.try_mean::<(usize,), Axis<1>>()?,
            slopes: slopes.try_reshape_like(&(samples, instances / samples))?,
        })
    }

    fn metric(batch: &PoseBatch) -> &[f64] {
        &batch.metric
    }

    fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    fn parameters_mut(&mut self) -> &mut Parameters {
        &mut self.parameters
    }

    fn with_values(&self, values: &Parameters) -> Result<Self> {
        Self::from_parameters(values)
    }

    /// With the last layer turned round: a weight w becomes 1 − w. What saturates only ever grows.
    fn flipped(self) -> Result<Self> {
        if self.form == PoseForm::Saturating {
            return Ok(self);
        }
        let [_, last] = self.form.layers();
        Ok(Self { parameters: self.parameters.negated(last)?, ..self })
    }
}
