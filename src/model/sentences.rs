//! What models of sentences share: their sizes' checks, tables, ids and files.

use std::collections::HashMap;
use std::path::Path;

use rand::distributions::Distribution;
use rand_chacha::ChaCha8Rng;
use rand_distr::Normal;
use serde::de::DeserializeOwned;
use serde::Serialize;

use crate::data::Vocabulary;
use crate::error::{Error, Result};
use crate::files;
use crate::ops::{Parameter, Parameters, Tokens};

/// Refuses sizes of zero, and heads that do not divide the width.
pub(super) fn check_sizes(sizes: &[(&'static str, usize)], width: usize, heads: usize) -> Result<()> {
    if let Some((name, _)) = sizes.iter().find(|(_, size)| *size == 0) {
        return Err(Error::parameter(name, "it must be positive"));
    }
    match heads > 0 && width.is_multiple_of(heads) {
        true => Ok(()),
        false => Err(Error::parameter("heads", format!("{heads} do not divide a width of {width}"))),
    }
}

/// Refuses a vocabulary without a token of its own, and a dropout outside [0, 1).
pub(super) fn check_training(vocabulary: usize, dropout: f32) -> Result<()> {
    if vocabulary <= Vocabulary::END {
        let reason = format!("{vocabulary} tokens: padding, unknown, begin and end are four");
        return Err(Error::parameter("vocabulary", reason));
    }
    match (0.0..1.0).contains(&dropout) {
        true => Ok(()),
        false => Err(Error::parameter("dropout", format!("{dropout} is not a share"))),
    }
}

/// Refuses ids that the vocabulary does not have and sentences that are longer than the positions.
pub(super) fn check_tokens(
    side: &'static str,
    tokens: &Tokens,
    vocabulary: usize,
    positions: usize,
) -> Result<()> {
    for (sentence, ids) in tokens.sentences().enumerate() {
        if ids.len() > positions {
            let got = format!("{} in sentence {sentence}", ids.len());
            return Err(Error::shape(side, format!("{positions} tokens at most"), got));
        }
        if let Some(id) = ids.iter().find(|&&id| id >= vocabulary) {
            let got = format!("{id} in sentence {sentence}");
            return Err(Error::shape(side, format!("ids below the vocabulary's {vocabulary}"), got));
        }
    }
    Ok(())
}

/// A table whose numbers are normal with deviation 1/√width.
pub(super) fn table(name: &str, rows: usize, width: usize, rng: &mut ChaCha8Rng) -> Result<Parameter> {
    let normal = Normal::new(0.0, (width as f32).sqrt().recip()).map_err(|e| Error::parameter("width", e))?;
    Parameter::new(name, &[rows, width], (0..rows * width).map(|_| normal.sample(rng)).collect())
}

/// Writes parameters with the configuration of their kind of model beside them, atomically.
pub(super) fn save(parameters: &Parameters, path: &Path, kind: &str, config: &impl Serialize) -> Result<()> {
    let text = serde_json::to_string(config).map_err(|e| Error::data(path, None, e))?;
    parameters.save(path, HashMap::from([(format!("reloss.{kind}"), text)]))
}

/// What [`save`] wrote.
pub(super) fn read<C: DeserializeOwned>(path: &Path, kind: &str) -> Result<(C, Parameters)> {
    let (parameters, notes) = Parameters::from_safetensors(&files::read(path)?, path)?;
    let text = notes.get(&format!("reloss.{kind}"));
    let text = text.ok_or_else(|| Error::data(path, None, format!("not the file of a model `{kind}`")))?;
    let config = serde_json::from_str(text).map_err(|e| Error::data(path, None, e))?;
    Ok((config, parameters))
}
