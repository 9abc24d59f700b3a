//! Parallel text: read, generated, made into numbers and batches.

mod bpe;
mod encoded;
mod grammar;
mod normalised;
mod parallel;
mod readers;
mod sgm;
mod vocabulary;

pub use encoded::{EncodeOptions, EncodedText, TokenRows, TranslationBatch};
pub use normalised::normalised;
pub use parallel::{ParallelText, SentencePair, TextSplit, Unfit};
pub use readers::TsvColumns;
pub use vocabulary::{Units, Vocabulary};
