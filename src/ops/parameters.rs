//! Named tensors a model learns, and their safetensors files.

use std::collections::HashMap;
use std::path::Path;

use rand::distributions::{Distribution, Uniform};
use rand_chacha::ChaCha8Rng;
use safetensors::tensor::{Dtype, TensorView};
use safetensors::SafeTensors;

use super::tensors::{host, matrix};
use crate::error::{check_finite, Error, Result};
use crate::{files, Matrix};

/// One named tensor: any shape on file, a matrix in computation.
#[derive(Debug, Clone)]
pub struct Parameter {
    name: String,
    shape: Vec<usize>,
    value: Matrix,
    learned: bool,
}

impl Parameter {
    /// A parameter from row-major values; a vector becomes a matrix of one row.
    ///
    /// # Errors
    /// [`Error::Shape`] when `values` does not fill `shape`.
    pub fn new(name: &str, shape: &[usize], values: Vec<f32>) -> Result<Self> {
        let columns = shape.last().copied().unwrap_or(1);
        let rows = shape.iter().rev().skip(1).product();
        let value = matrix(values, rows, columns)?;
        Ok(Self { name: name.to_string(), shape: shape.to_vec(), value, learned: true })
    }

    /// A tensor that another owns, folded to a matrix already.
    pub(crate) fn view(name: &str, shape: &[usize], value: Matrix) -> Self {
        Self { name: name.to_string(), shape: shape.to_vec(), value, learned: true }
    }

    /// A tensor that is kept with a model but that no optimiser changes, as running means are ("buffer" in PyTorch).
    ///
    /// # Errors
    /// As [`Parameter::new`].
    pub fn fixed(name: &str, shape: &[usize], values: Vec<f32>) -> Result<Self> {
        Ok(Self { learned: false, ..Self::new(name, shape, values)? })
    }

    /// Moves every value towards a new one by this share of the way.
    pub(crate) fn fade(&mut self, new: &[f32], share: f32) {
        let faded =
            host(&self.value).iter().zip(new).map(|(old, new)| old + share * (new - old)).collect::<Vec<_>>();
        self.value.copy_from(&faded);
    }

    /// A tensor of its own with these values, under another name.
    fn copied(&self, name: String) -> Result<Self> {
        Ok(Self { name, learned: self.learned, ..Self::new("", &self.shape, host(&self.value))? })
    }

    /// The name, as PyTorch's `state_dict` would have it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The shape on file.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// The tensor, all leading dimensions folded into rows.
    pub fn value(&self) -> &Matrix {
        &self.value
    }

    /// Whether an optimiser changes it.
    pub fn is_learned(&self) -> bool {
        self.learned
    }

    /// The tensor, for an optimiser to change in place.
    pub(crate) fn value_mut(&mut self) -> &mut Matrix {
        &mut self.value
    }
}

/// An ordered list of named tensors: all that a model learns.
#[derive(Debug, Clone, Default)]
pub struct Parameters(Vec<Parameter>);

impl Parameters {
    /// A list from its members.
    pub fn new(members: Vec<Parameter>) -> Self {
        Self(members)
    }

    /// The members of several lists in one, each name after its list's prefix.
    pub(crate) fn sections(lists: &[(&str, &Self)]) -> Result<Self> {
        let members = lists
            .iter()
            .flat_map(|(prefix, list)| list.iter().map(move |p| p.copied(format!("{prefix}{}", p.name))));
        Ok(Self(members.collect::<Result<_>>()?))
    }

    /// The members whose names begin with `prefix`, without it.
    pub(crate) fn section(&self, prefix: &str) -> Result<Self> {
        let members = self.iter().filter_map(|p| {
            let name = p.name.strip_prefix(prefix)?;
            Some(p.copied(name.to_string()))
        });
        Ok(Self(members.collect::<Result<_>>()?))
    }

    /// The same values in tensors of their own, which an optimiser of these does not touch.
    ///
    /// # Errors
    /// [`Error::Device`] when the device is out of memory.
    pub fn detached(&self) -> Result<Self> {
        Ok(Self(self.iter().map(|p| p.copied(p.name.clone())).collect::<Result<_>>()?))
    }

    /// The members in order.
    pub fn iter(&self) -> std::slice::Iter<'_, Parameter> {
        self.0.iter()
    }

    /// The member of this name.
    pub(crate) fn named(&self, name: &str) -> Result<&Parameter> {
        let found = self.iter().find(|p| p.name == name);
        found.ok_or_else(|| Error::shape("parameters", format!("a tensor {name}"), "none"))
    }

    /// The same, the members whose names begin so with their signs turned.
    pub(crate) fn negated(&self, prefix: &str) -> Result<Self> {
        let turned = |p: &Parameter| match p.name.starts_with(prefix) {
            true => Parameter::new(&p.name, &p.shape, host(&p.value).iter().map(|w| -w).collect()),
            false => Ok(p.clone()),
        };
        self.iter().map(turned).collect::<Result<_>>().map(Self)
    }

    /// Gives the member of this name other values, as many as it has.
    pub(crate) fn replace(&mut self, name: &str, values: &[f32]) -> Result<()> {
        let shape = self.named(name)?.shape.clone();
        let new = Parameter::new(name, &shape, values.to_vec())?;
        self.iter_mut().filter(|p| p.name == name).for_each(|p| p.value.copy_from(&host(&new.value)));
        Ok(())
    }

    /// The members that an optimiser changes.
    pub(crate) fn learned(&self) -> impl Iterator<Item = &Parameter> {
        self.iter().filter(|p| p.learned)
    }

    pub(crate) fn iter_mut(&mut self) -> std::slice::IterMut<'_, Parameter> {
        self.0.iter_mut()
    }

    /// How many numbers are learned.
    pub fn count(&self) -> usize {
        self.learned().map(|p| p.shape.iter().product::<usize>()).sum()
    }

    /// The values of each member, row-major.
    pub fn values(&self) -> Vec<Vec<f32>> {
        self.0.iter().map(|p| host(&p.value)).collect()
    }

    /// The members as the safetensors format, with a map of notes beside them.
    ///
    /// # Errors
    /// [`Error::Parameter`] when two members share a name.
    pub fn to_safetensors(&self, notes: HashMap<String, String>) -> Result<Vec<u8>> {
        let bytes = self.0.iter().map(|p| {
            let bytes: Vec<u8> = host(&p.value).iter().flat_map(|v| v.to_le_bytes()).collect();
            (p.name.clone(), p.shape.clone(), bytes)
        });
        let bytes: Vec<_> = bytes.collect();
        let refuse = |e: safetensors::SafeTensorError| Error::parameter("parameters", e);
        let mut views = Vec::with_capacity(bytes.len());
        for (name, shape, bytes) in &bytes {
            views.push((name, TensorView::new(Dtype::F32, shape.clone(), bytes).map_err(refuse)?));
        }
        safetensors::serialize(views, Some(notes)).map_err(refuse)
    }

    /// Writes a safetensors file atomically.
    ///
    /// # Errors
    /// [`Error::Io`] when the file cannot be written.
    pub fn save(&self, path: &Path, notes: HashMap<String, String>) -> Result<()> {
        files::write_atomic(path, &self.to_safetensors(notes)?)
    }

    /// Reads every f32 tensor of a safetensors file, sorted by name, with the notes beside them.
    ///
    /// # Errors
    /// [`Error::Io`] for a missing file; [`Error::Data`] for a truncated or corrupt one, for
    /// tensors that are not f32 and for values that are not finite.
    pub fn load(path: &Path) -> Result<(Self, HashMap<String, String>)> {
        Self::from_safetensors(&files::read(path)?, path)
    }

    /// As [`Parameters::load`], from bytes; `path` serves the messages.
    ///
    /// # Errors
    /// As [`Parameters::load`].
    pub fn from_safetensors(bytes: &[u8], path: &Path) -> Result<(Self, HashMap<String, String>)> {
        let corrupt = |reason: String| Error::data(path, None, reason);
        let (_, header) = SafeTensors::read_metadata(bytes).map_err(|e| corrupt(e.to_string()))?;
        let file = SafeTensors::deserialize(bytes).map_err(|e| corrupt(e.to_string()))?;
        let mut members = Vec::new();
        for (name, view) in file.tensors() {
            if view.dtype() != Dtype::F32 {
                return Err(corrupt(format!("tensor {name} is {:?}, not F32", view.dtype())));
            }
            let values: Vec<f32> =
                view.data().chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
            check_finite("safetensors", &values).map_err(|e| corrupt(format!("tensor {name}: {e}")))?;
            members.push(Parameter::new(&name, view.shape(), values)?);
        }
        members.sort_by(|a, b| a.name.cmp(&b.name));
        Ok((Self(members), header.metadata().clone().unwrap_or_default()))
    }

    /// Takes from `source` the values of the members with the same names.
    ///
    /// # Errors
    /// [`Error::Shape`] when one is missing or has another shape.
    pub fn assign(&mut self, source: &Self) -> Result<()> {
        for member in &mut self.0 {
            let found = source.0.iter().find(|p| p.name == member.name);
            let found =
                found.ok_or_else(|| Error::shape("load", format!("a tensor {}", member.name), "none"))?;
            if found.shape != member.shape {
                let expected = format!("{} of shape {:?}", member.name, member.shape);
                return Err(Error::shape("load", expected, format!("{:?}", found.shape)));
            }
            member.value.copy_from(&host(&found.value));
        }
        Ok(())
    }
}

/// Weight and bias of a linear layer, uniform in ±1/√inputs (PyTorch's default).
pub(crate) fn linear_layer(
    name: &str,
    inputs: usize,
    outputs: usize,
    rng: &mut ChaCha8Rng,
) -> Result<[Parameter; 2]> {
    Ok([
        uniform(&format!("{name}.weight"), &[outputs, inputs], inputs, rng)?,
        uniform(&format!("{name}.bias"), &[outputs], inputs, rng)?,
    ])
}

/// A parameter uniform in ±1/√inputs.
pub(crate) fn uniform(name: &str, shape: &[usize], inputs: usize, rng: &mut ChaCha8Rng) -> Result<Parameter> {
    let bound = 1.0 / (inputs as f32).sqrt();
    let uniform = Uniform::new_inclusive(-bound, bound);
    let values = (0..shape.iter().product()).map(|_| uniform.sample(rng)).collect();
    Parameter::new(name, shape, values)
}

#[cfg(all(test, not(feature = "cuda")))]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_learned_stays_so_in_sections_and_does_not_count() {
        let list = Parameters::new(vec![
            Parameter::new("weight", &[2, 3], vec![1.0; 6]).unwrap(),
            Parameter::fixed("running_mean", &[2], vec![0.0; 2]).unwrap(),
        ]);
        let whole = Parameters::sections(&[("model.", &list)]).unwrap();
        let part = whole.section("model.").unwrap();
        let learned = |list: &Parameters| list.iter().map(Parameter::is_learned).collect::<Vec<_>>();
        assert_eq!((learned(&whole), learned(&part)), (vec![true, false], vec![true, false]));
        assert_eq!((list.count(), list.values().len()), (6, 2));
    }
}
