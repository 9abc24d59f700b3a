//! This crate's times beside other systems', as the scripts in `tests/peers` write them.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::files;

/// One computation timed here and by a peer, in the same run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Timing {
    /// How sorting was softened.
    pub way: String,
    /// The other system.
    pub peer: String,
    /// `forward` or `forward + backward`.
    pub what: String,
    /// Lists at a time.
    pub rows: usize,
    /// Values in a list.
    pub n: usize,
    /// Seconds by this crate.
    pub ours: f64,
    /// Seconds by the peer.
    pub theirs: f64,
}

/// Many of them.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Timings {
    /// One entry a way, peer and shape.
    pub all: Vec<Timing>,
}

impl Timings {
    /// Reads what a script wrote.
    ///
    /// # Errors
    /// [`Error::Io`] for a missing file, [`Error::Data`] with the line for a malformed one.
    pub fn load(path: &Path) -> Result<Self> {
        let bytes = files::read(path)?;
        let mut reader = csv::ReaderBuilder::new().comment(Some(b'#')).from_reader(bytes.as_slice());
        let line = |e: &csv::Error| e.position().map(|p| p.line() as usize);
        let all = reader.deserialize().map(|row| row.map_err(|e| Error::data(path, line(&e), e)));
        Ok(Self { all: all.collect::<Result<_>>()? })
    }

    /// How many times as long the peer took, over the length: a label and its points for each way, peer and kind.
    pub fn ratios(&self, rows: usize) -> Vec<(String, Vec<(f64, f64)>)> {
        let mut curves: Vec<(String, Vec<(f64, f64)>)> = Vec::new();
        for timing in self.all.iter().filter(|timing| timing.rows == rows) {
            let kind = if timing.what == "forward" { ", forward" } else { "" };
            let label = format!("{}: {}{kind}", timing.way, timing.peer);
            let point = (timing.n as f64, timing.theirs / timing.ours);
            match curves.iter_mut().find(|curve| curve.0 == label) {
                Some(curve) => curve.1.push(point),
                None => curves.push((label, vec![point])),
            }
        }
        curves
    }
}
