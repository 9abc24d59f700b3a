//! Learned losses as safetensors: the network, and beside it what else the loss is, as JSON.

use std::collections::HashMap;
use std::path::Path;

use serde::de::DeserializeOwned;
use serde::Serialize;

use crate::error::{Error, Result};
use crate::ops::Parameters;

/// The file of a network with notes under a key.
pub(super) fn to_safetensors(parameters: &Parameters, key: &str, notes: &impl Serialize) -> Result<Vec<u8>> {
    let text = serde_json::to_string(notes).map_err(|e| Error::data(Path::new(key), None, e))?;
    // One entry: the order of several would differ from file to file.
    parameters.to_safetensors(HashMap::from([(key.to_string(), text)]))
}

/// The tensors of a file, and its notes if there are some under this key.
pub(super) fn from_safetensors<N: DeserializeOwned>(
    bytes: &[u8],
    path: &Path,
    key: &str,
) -> Result<(Parameters, Option<N>)> {
    let (parameters, notes) = Parameters::from_safetensors(bytes, path)?;
    let read = |text: &String| serde_json::from_str(text).map_err(|e| Error::data(path, None, e));
    Ok((parameters, notes.get(key).map(read).transpose()?))
}
