//! Sentences as rows of matrices, one row a token: embeddings, layer normalisation, attention, transformer layers.

mod affine;
#[cfg(not(feature = "composed"))]
mod affine_fused;
mod attention;
#[cfg(not(feature = "composed"))]
mod attention_fused;
#[cfg(not(feature = "composed"))]
mod attention_kernels;
mod cross_entropy;
mod dropout;
mod embed;
mod jet;
mod layer_norm;
#[cfg(not(feature = "composed"))]
mod layer_norm_fused;
mod layers;
mod mean;
mod ngrams;
mod rows;
mod span_features;
mod spans;

pub(crate) use affine::affine_jet;
pub use affine::{affine, affine_composed, Activation};
pub use attention::{attention, attention_composed, Attention};
pub use cross_entropy::{token_cross_entropy, token_cross_entropy_composed};
pub use dropout::Dropout;
pub use embed::{embed, embed_composed};
pub(crate) use jet::Jet;
pub use layer_norm::{layer_norm, layer_norm_composed};
pub use layers::{decoder_layer, encoder_layer, Layer};
pub(crate) use layers::{
    decoder_layer_parameters, decoder_step, encoder_layer_parameters, encoder_layer_with_tangent, Cached,
    LayerSizes,
};
pub(crate) use mean::mean_with_tangent;
pub use mean::{sequence_mean, sequence_mean_composed};
pub(crate) use ngrams::Given;
pub use ngrams::{ngram_matches, ngram_matches_composed};
pub use rows::{Sequences, Tokens};
pub(crate) use span_features::PassageSpans;
pub use span_features::{span_features, span_features_composed, SpanFeature};
pub use spans::{best_spans, span_cross_entropy, Spans};
