//! Passages cut into overlapping windows.

use std::ops::Range;

use crate::error::{Error, Result};

/// How passages are cut into windows, in tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WindowOptions {
    /// The longest window. Default: 256 (ours: of XQuAD's English passages nineteen in twenty fit).
    pub length: usize,
    /// From the start of a window to that of the next, at most `length`. Default: 128 (as BERT's reader, for SQuAD).
    pub stride: usize,
    /// The longest question; what is longer is cut. Default: 64 (as BERT's reader).
    pub question: usize,
}

impl Default for WindowOptions {
    fn default() -> Self {
        Self { length: 256, stride: 128, question: 64 }
    }
}

impl WindowOptions {
    pub(super) fn check(&self) -> Result<()> {
        if self.length == 0 {
            return Err(Error::parameter("length", "a window has one token or more"));
        }
        if self.stride == 0 || self.stride > self.length {
            let reason = format!("{} must be 1 or more, and at most the length {}", self.stride, self.length);
            return Err(Error::parameter("stride", reason));
        }
        match self.question {
            0 => Err(Error::parameter("question", "a question has one token or more")),
            _ => Ok(()),
        }
    }

    /// The windows of so many tokens: every token is in one or more.
    pub(super) fn cut(self, tokens: usize) -> impl Iterator<Item = Range<usize>> {
        let last = tokens.saturating_sub(self.length).div_ceil(self.stride);
        (0..=last).map(move |i| i * self.stride..(i * self.stride).saturating_add(self.length).min(tokens))
    }
}

/// A window of the passage of one question.
#[derive(Debug, Clone, PartialEq)]
pub struct Window {
    /// The question's index in its set, from 0.
    pub question: usize,
    /// The ids of the window's tokens.
    pub ids: Vec<usize>,
    /// [`MATCHES`](super::MATCHES) numbers a token, row-major: what it has in common with the question.
    pub matches: Vec<f32>,
    /// Where each token stands in the whole passage, in bytes.
    pub tokens: Vec<Range<usize>>,
    /// First and last token (in the window, from 0, both inside) of the first right answer that lies in it wholly.
    pub span: Option<(usize, usize)>,
}
