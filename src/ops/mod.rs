//! Differentiable operations dfdx lacks, each with an exact gradient.
//!
//! An operation has a *composed* form, made of dfdx's own operations, and where it is hot a
//! *fused* CPU form with its own backward pass. The composed form serves CUDA and is the oracle
//! the fused one is tested against.

mod adam;
#[cfg(not(feature = "composed"))]
mod blocks;
mod dual;
mod elu;
pub(crate) mod fast_math;
#[cfg(not(feature = "composed"))]
pub(crate) mod fused;
#[cfg(not(feature = "composed"))]
mod gemm;
mod image;
mod log_odds;
mod mlp;
mod parameters;
mod probability;
mod sequence;
mod sgd;
pub(crate) mod simd;
mod softplus;
mod tensors;

pub use crate::data::ImageShape;
pub use adam::{Adam, AdamState};
pub use dual::Dual;
pub(crate) use dual::{linear, sigmoid};
pub use elu::elu;
pub(crate) use image::{activate, join, normalise, spread_shape, Bounds};
pub use image::{
    average_pool, batch_norm, batch_norm_composed, batch_norm_with, batch_norm_with_composed, conv2d,
    conv2d_composed, conv_pool, conv_pool_composed, conv_transpose2d, conv_transpose2d_composed,
    global_average, max_pool, max_pool_composed, shrink, unfold, unfold_composed, upsample, Moments, Window,
};
pub(crate) use log_odds::row_log_odds;
pub use log_odds::{target_log_odds, target_log_odds_composed};
pub use mlp::{mlp, mlp_composed, mlp_frozen, mlp_frozen_composed, mlp_frozen_with, mlp_with};
pub(crate) use parameters::{linear_layer, uniform};
pub use parameters::{Parameter, Parameters};
pub(crate) use probability::check_batch;
pub use probability::{softmax_rows, target_probability, target_probability_composed};
pub(crate) use sequence::Given;
pub use sequence::{
    affine, affine_composed, attention, attention_composed, best_spans, decoder_layer, embed, embed_composed,
    encoder_layer, layer_norm, layer_norm_composed, ngram_matches, ngram_matches_composed, sequence_mean,
    sequence_mean_composed, span_cross_entropy, span_features, span_features_composed, token_cross_entropy,
    token_cross_entropy_composed, Activation, Attention, Dropout, Layer, Sequences, SpanFeature, Spans,
    Tokens,
};
pub(crate) use sequence::{
    affine_jet, decoder_layer_parameters, decoder_step, encoder_layer_parameters, encoder_layer_with_tangent,
    mean_with_tangent, Cached, Jet, LayerSizes, PassageSpans,
};
pub use sgd::{Optimizer, Sgd};
pub use softplus::softplus;
pub use tensors::{check_device, device, host, matrix, scalar};
