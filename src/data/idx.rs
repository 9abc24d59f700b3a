//! The IDX format of MNIST, packed by gzip or not.

use std::io::Read;
use std::path::Path;

use crate::error::{Error, Result};
use crate::files;

/// Unsigned bytes of any shape.
pub(super) struct Idx {
    pub(super) sizes: Vec<usize>,
    pub(super) values: Vec<u8>,
}

/// The content of a gzip file, or the bytes themselves if they are not one.
pub(super) fn unpack(bytes: &[u8], path: &Path) -> Result<Vec<u8>> {
    if !bytes.starts_with(&[0x1f, 0x8b]) {
        return Ok(bytes.to_vec());
    }
    let mut content = Vec::new();
    let read = flate2::read::MultiGzDecoder::new(bytes).read_to_end(&mut content);
    read.map_err(|e| Error::data(path, None, format!("damaged gzip: {e}")))?;
    Ok(content)
}

/// Reads a file of unsigned bytes with this many dimensions.
pub(super) fn read(path: &Path, dimensions: u8) -> Result<Idx> {
    let bytes = unpack(&files::read(path)?, path)?;
    let header = 4 + 4 * usize::from(dimensions);
    let magic = [0, 0, 8, dimensions];
    if bytes.len() < header || bytes[..4] != magic {
        let got = &bytes[..bytes.len().min(4)];
        let reason = format!(
            "not an IDX file of bytes in {dimensions} dimensions: it begins with {got:?}, not {magic:?}"
        );
        return Err(Error::data(path, None, reason));
    }
    let size = |b: &[u8]| u32::from_be_bytes([b[0], b[1], b[2], b[3]]) as usize;
    let sizes: Vec<usize> = bytes[4..header].chunks_exact(4).map(size).collect();
    let expected = sizes.iter().try_fold(1usize, |product, &size| product.checked_mul(size));
    let values = bytes[header..].to_vec();
    if expected != Some(values.len()) {
        let reason = format!("sizes {sizes:?} do not fit {} bytes: truncated?", values.len());
        return Err(Error::data(path, None, reason));
    }
    Ok(Idx { sizes, values })
}
