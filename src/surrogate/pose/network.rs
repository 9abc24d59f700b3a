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
    /// |Linear(ELU(Linear(ELU(Linear(e)))))|: any function of the differences.
    Free,
}

impl PoseForm {
    /// The names of its linear layers, the first one first.
    fn layers(self) -> &'static [&'static str] {
        match self {
            Self::Weighted => &["fcs.0", "fcs.2"],
            Self::Free => &["free.0", "free.2", "free.4"],
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
        let (mut members, names) = (Vec::new(), form.layers());
        for (i, name) in names.iter().enumerate() {
            let inputs = if i == 0 { pixels } else { hidden };
            let outputs = if i + 1 == names.len() { 1 } else { hidden };
            members.extend(linear_layer(name, inputs, outputs, &mut rng)?);
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
        let found = first(PoseForm::Weighted).or_else(|| first(PoseForm::Free));
        let Some((form, &[hidden, pixels])) = found.as_ref().map(|(form, shape)| (*form, shape.as_slice()))
        else {
            let expected = "a matrix fcs.0.weight or free.0.weight";
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

    /// Weights and biases, layer by layer.
    fn layers(&self) -> Vec<[&Parameter; 2]> {
        let members: Vec<&Parameter> = self.parameters.iter().collect();
        members.chunks_exact(2).map(|pair| [pair[0], pair[1]]).collect()
    }

    /// What each joint costs: squared differences (joints, pixels) → (joints, 1).
    pub(super) fn joints<T: Tape<f32, Dev>>(&self, e: Matrix<T>) -> Result<Matrix<T>> {
        let (e, tape) = e.split_tape();
        let mut x = e.clone().put_tape(tape);
        for (i, [weight, bias]) in self.layers().into_iter().enumerate() {
            x = linear(if i > 0 { elu(x)? } else { x }, weight, bias)?;
        }
        match self.form {
            PoseForm::Free => Ok(x.try_abs()?),
            PoseForm::Weighted => {
                let mean = pixel_mean(e.retaped::<T>())?;
                Ok(x.try_sigmoid()?.try_mul(mean)?)
            }
        }
    }

    /// As [`PoseNetwork::joints`], with the derivative along a direction of the differences.
    fn dual<T: Tape<f32, Dev>>(&self, e: &Matrix, direction: &Matrix, tape: T) -> Result<Dual<T>> {
        let mut x = Dual { value: e.clone().put_tape(tape), tangent: direction.retaped::<T>() };
        for (i, [weight, bias]) in self.layers().into_iter().enumerate() {
            x = if i > 0 { x.elu()? } else { x }.linear(weight, bias)?;
        }
        match self.form {
            // The sign does not matter to a norm.
            PoseForm::Free => Ok(Dual { value: x.value.try_abs()?, tangent: x.tangent }),
            PoseForm::Weighted => {
                let Dual { value, tangent } = sigmoid(x)?;
                let (mean, change) = (pixel_mean(e.clone())?, pixel_mean(direction.clone())?);
                let (value, tape) = value.split_tape();
                let along = value.retaped::<T>().try_mul(change)?;
                let tangent = tangent.try_mul(mean.clone())?.try_add(along)?;
                Ok(Dual { value: value.put_tape(tape).try_mul(mean)?, tangent })
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

    /// With the last layer turned round: of a weighted form a weight w becomes 1 − w.
    fn flipped(self) -> Result<Self> {
        let last = self.form.layers().last().copied().unwrap_or_default();
        let turned = |p: &Parameter| match p.name().starts_with(last) {
            true => Parameter::new(p.name(), p.shape(), host(p.value()).iter().map(|w| -w).collect()),
            false => Ok(p.clone()),
        };
        let members = self.parameters.iter().map(turned).collect::<Result<_>>()?;
        Ok(Self { parameters: Parameters::new(members), ..self })
    }
}
