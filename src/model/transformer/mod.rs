//! Transformers that translate: token by token, and all tokens at once.

mod autoregressive;
mod beam;
mod nat;
mod stack;

pub use autoregressive::{Beam, Transformer};
pub use nat::{NatBase, NatDecode, NatOutput};

use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::model::sentences::{check_sizes, check_training};

/// The sizes of a transformer.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct TransformerConfig {
    /// Tokens that it knows; one vocabulary for both languages, one table for what goes in and comes out.
    pub vocabulary: usize,
    /// Numbers a token.
    pub width: usize,
    /// Heads of every attention; they divide the width.
    pub heads: usize,
    /// Width of the feed-forward parts' hidden layers.
    pub feed_forward: usize,
    /// Layers of the encoder.
    pub encoder_layers: usize,
    /// Layers of the decoder.
    pub decoder_layers: usize,
    /// Share of numbers that training sets to 0.
    pub dropout: f32,
    /// Tokens of the longest sentence on either side, begin and end included.
    pub positions: usize,
}

impl TransformerConfig {
    /// Ours, for two cores: 128 wide, 4 heads, 2 + 2 layers, 64 positions.
    ///
    /// # Example
    /// ```
    /// use reloss::model::{NatBase, TransformerConfig};
    /// let config = TransformerConfig { width: 64, heads: 2, ..TransformerConfig::small(500) };
    /// assert_eq!(NatBase::new(config, 0)?.config().positions, 64);
    /// # Ok::<(), reloss::Error>(())
    /// ```
    pub fn small(vocabulary: usize) -> Self {
        Self {
            vocabulary,
            width: 128,
            heads: 4,
            feed_forward: 512,
            encoder_layers: 2,
            decoder_layers: 2,
            dropout: 0.1,
            positions: 64,
        }
    }

    /// Transformer-base, as the paper's NAT-Base: 512 wide, 8 heads, 6 + 6 layers.
    ///
    /// # Reference
    /// Vaswani et al., "Attention Is All You Need", NeurIPS 2017, table 3 (base).
    pub fn paper(vocabulary: usize) -> Self {
        Self {
            vocabulary,
            width: 512,
            heads: 8,
            feed_forward: 2048,
            encoder_layers: 6,
            decoder_layers: 6,
            dropout: 0.1,
            positions: 256,
        }
    }

    fn check(&self) -> Result<()> {
        let sizes = [
            ("width", self.width),
            ("heads", self.heads),
            ("feed_forward", self.feed_forward),
            ("encoder_layers", self.encoder_layers),
            ("decoder_layers", self.decoder_layers),
            ("positions", self.positions),
        ];
        check_sizes(&sizes, self.width, self.heads)?;
        check_training(self.vocabulary, self.dropout)
    }

    /// A short name for tables.
    fn name(&self, kind: &str) -> String {
        format!("{kind}-{}-{}+{}", self.width, self.encoder_layers, self.decoder_layers)
    }
}
