//! Translations of all qualities, to learn a loss from.

/// One sample of the correlation: what a model gave to the tokens of some references, and the metric of its translations.
#[derive(Debug, Clone, PartialEq)]
pub struct TranslationSample {
    /// The log-odds of each reference token, sentence by sentence, each filled up to `positions`.
    pub log_odds: Vec<f32>,
    /// Tokens of each reference.
    pub lengths: Vec<usize>,
    /// Numbers a sentence in `log_odds`.
    pub positions: usize,
    /// The metric of the sample.
    pub metric: f64,
}
