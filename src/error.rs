//! The one error type: each variant names what was wrong and where.

use std::path::PathBuf;

/// What every fallible call of this crate returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Everything that can go wrong, with the values a person needs to mend it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Shapes or lengths that do not fit together.
    #[error("{op}: expected {expected}, got {got}")]
    Shape {
        /// The operation that refused.
        op: &'static str,
        /// What it takes.
        expected: String,
        /// What it was given.
        got: String,
    },
    /// A NaN or infinite number where a finite one is needed.
    #[error("{op}: the value at index {index} is not finite")]
    NotFinite {
        /// The operation that refused.
        op: &'static str,
        /// Position of the first offending value, from 0.
        index: usize,
    },
    /// A quantity that these inputs do not define (a correlation with a constant, say).
    #[error("{what} is undefined here: {reason}")]
    Undefined {
        /// The metric or statistic.
        what: String,
        /// Why it has no value.
        reason: String,
    },
    /// An option outside its range.
    #[error("parameter `{name}`: {reason}")]
    Parameter {
        /// The option's name.
        name: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// A file whose content is not what it should be.
    #[error("{}{}: {reason}", path.display(), line.map(|l| format!(":{l}")).unwrap_or_default())]
    Data {
        /// The file.
        path: PathBuf,
        /// Line number, from 1, where one is known.
        line: Option<usize>,
        /// What is wrong.
        reason: String,
    },
    /// A file or folder that could not be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
    /// A file that could not be fetched from the internet.
    #[error("{url} to {}: {reason}", path.display())]
    Download {
        /// Its address.
        url: String,
        /// Where it was to be.
        path: PathBuf,
        /// The server's or the network's answer, or what is wrong with the bytes.
        reason: String,
    },
    /// Another error, of one of many (a batch, a segment, an image).
    #[error("{place}: {source}")]
    At {
        /// Which of them.
        place: String,
        /// What was wrong with it.
        source: Box<Error>,
    },
    /// Training left the range of finite numbers.
    #[error("{what} diverged at step {step}: {reason}")]
    Diverged {
        /// What was being trained.
        what: String,
        /// The step, from 0.
        step: usize,
        /// The value seen, and what to change.
        reason: String,
    },
    /// The tensor device refused (out of memory, for example).
    #[error("device: {0}")]
    Device(String),
    /// A chart or table could not be drawn.
    #[error("drawing {what}: {reason}")]
    Draw {
        /// The figure or table.
        what: String,
        /// The drawing library's answer.
        reason: String,
    },
}

impl Error {
    /// An [`Error::Shape`] from two displayable sides.
    pub(crate) fn shape(op: &'static str, expected: impl ToString, got: impl ToString) -> Self {
        Self::Shape { op, expected: expected.to_string(), got: got.to_string() }
    }

    /// An [`Error::Parameter`].
    pub(crate) fn parameter(name: &'static str, reason: impl ToString) -> Self {
        Self::Parameter { name, reason: reason.to_string() }
    }

    /// An [`Error::Undefined`].
    pub(crate) fn undefined(what: impl ToString, reason: impl ToString) -> Self {
        Self::Undefined { what: what.to_string(), reason: reason.to_string() }
    }

    /// This error, of one of many.
    pub(crate) fn at(self, place: impl ToString) -> Self {
        Self::At { place: place.to_string(), source: Box::new(self) }
    }

    /// An [`Error::Data`].
    pub(crate) fn data(path: impl Into<PathBuf>, line: Option<usize>, reason: impl ToString) -> Self {
        Self::Data { path: path.into(), line, reason: reason.to_string() }
    }

    /// An [`Error::Io`], for `map_err`.
    pub(crate) fn io(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { path, source }
    }
}

/// Refuses an option that is not positive and finite.
pub(crate) fn check_positive(
    name: &'static str,
    value: impl Copy + std::fmt::Display + Into<f64>,
) -> Result<()> {
    match value.into() {
        number if number > 0.0 && number.is_finite() => Ok(()),
        _ => Err(Error::parameter(name, format!("{value} is not positive and finite"))),
    }
}

/// Refuses the first value that is not finite.
pub(crate) fn check_finite<T: Copy + Into<f64>>(op: &'static str, values: &[T]) -> Result<()> {
    match values.iter().position(|&v| !v.into().is_finite()) {
        Some(index) => Err(Error::NotFinite { op, index }),
        None => Ok(()),
    }
}

impl From<dfdx::prelude::CpuError> for Error {
    fn from(error: dfdx::prelude::CpuError) -> Self {
        Self::Device(error.to_string())
    }
}

#[cfg(feature = "cuda")]
impl From<dfdx::prelude::CudaError> for Error {
    fn from(error: dfdx::prelude::CudaError) -> Self {
        use dfdx::prelude::CudaError;
        match error {
            CudaError::Driver(code) => Self::cuda(code.0 as u32),
            other => Self::Device(other.to_string()),
        }
    }
}

#[cfg(any(test, feature = "cuda"))]
impl Error {
    /// An [`Error::Device`] from a code of CUDA's driver.
    pub(crate) fn cuda(code: u32) -> Self {
        let reason = match code {
            2 => "the GPU is out of memory; use smaller batches, fewer samples or a smaller model",
            35 | 803 => "the NVIDIA driver is older than this build's CUDA",
            100 => "this machine has no NVIDIA GPU or no driver",
            209 | 218 => "this build's kernels are not for this GPU; build for its CUDA_COMPUTE_CAP",
            222 => {
                "this build's kernels come of a newer CUDA than the NVIDIA driver's; build with one no newer"
            }
            _ => return Self::Device(format!("the NVIDIA driver failed with CUDA error {code}")),
        };
        Self::Device(format!("{reason} (CUDA error {code})"))
    }
}

#[cfg(test)]
mod tests {
    use super::Error;

    #[test]
    fn what_a_gpu_refuses_is_said_in_words() {
        for (code, words) in [
            (2, "out of memory"),
            (35, "driver is older"),
            (100, "no NVIDIA GPU"),
            (209, "CUDA_COMPUTE_CAP"),
            (218, "CUDA_COMPUTE_CAP"),
            (222, "newer CUDA than the NVIDIA driver's"),
            (719, "failed"),
        ] {
            let said = Error::cuda(code).to_string();
            assert!(said.contains(words) && said.contains(&format!("CUDA error {code}")), "{said}");
        }
    }
}
