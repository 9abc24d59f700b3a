//! Operations on sentences and passages.

use reloss::model::{Parametric, Transformer, TransformerConfig};
use reloss::ops::*;
use reloss::{Matrix, Result, Tape};

use super::{differentiated, random_matrix, random_parameter, Case, Numbers};

const CLOSE: f32 = 1e-4;
const WIDTH: usize = 8;

/// Sentences of 3, 5 and 1 tokens, one after the other.
fn packed() -> Sequences {
    Sequences::packed(vec![3, 5, 1])
}

/// The same, and an empty one, in rows of five places.
fn padded() -> Result<Sequences> {
    Sequences::padded(vec![3, 0, 5, 1], 5)
}

fn source() -> Sequences {
    Sequences::packed(vec![2, 4, 3])
}

pub(super) fn cases() -> Vec<Case> {
    let mut cases = vec![
        Case::new("embed", CLOSE, embedded),
        Case::new("layer_norm", CLOSE, normed),
        Case::new("attention, to others", CLOSE, || attended(&packed(), &source(), 4, false)),
        Case::new("attention, causal, padded", CLOSE, || attended(&padded()?, &padded()?, 2, true)),
        Case::new("sequence_mean", CLOSE, || on_tokens(&packed(), |x| sequence_mean(x, &packed()))),
        Case::new("sequence_mean, padded", CLOSE, || {
            let rows = padded()?;
            on_tokens(&rows, |x| sequence_mean(x, &rows))
        }),
        Case::new("encoder_layer", CLOSE, || encoded(&packed())),
        Case::new("encoder_layer, padded", CLOSE, || encoded(&padded()?)),
        Case::new("decoder_layer", CLOSE, || decoded(false)),
        Case::new("decoder_layer, causal", CLOSE, || decoded(true)),
        Case::new("ngram_matches", CLOSE, ngrams),
        Case::new("span_cross_entropy", CLOSE, || on_spans(span_cross_entropy)),
        Case::new("span_features", CLOSE, || {
            on_spans(|x, spans| span_features(x, spans, &SpanFeature::ALL, 4))
        }),
        Case::new("Dropout", CLOSE, || on_tokens(&packed(), |x| Dropout::new(0.3, 7)?.apply(x))),
    ];
    for smoothing in [0.0, 0.1] {
        cases.push(Case::new(&format!("token_cross_entropy, smoothing {smoothing}"), CLOSE, move || {
            on_tokens(&packed(), |x| token_cross_entropy(x, &[0, 7, 3, 3, 1, 6, 2, 5, 4], smoothing))
        }));
    }
    for activation in [Activation::Identity, Activation::Relu, Activation::Elu, Activation::Tanh] {
        cases.push(Case::new(&format!("affine, {activation:?}"), CLOSE, move || projected(activation)));
    }
    cases
}

fn on_tokens(rows: &Sequences, f: impl Fn(Matrix<Tape>) -> Result<Matrix<Tape>>) -> Result<Numbers> {
    let x = random_matrix(rows.rows(), WIDTH, 1)?;
    differentiated(&[x], &Parameters::default(), |mut x| f(x.remove(0)))
}

fn embedded() -> Result<Numbers> {
    let table = random_parameter("table", &[10, WIDTH], 2)?;
    let ids = [4, 9, 4, 0, 7];
    differentiated(&[], &Parameters::new(vec![table.clone()]), |_| embed(&ids, &table, 1.5, Tape::default()))
}

fn normed() -> Result<Numbers> {
    let (weight, bias) = (random_parameter("weight", &[WIDTH], 2)?, random_parameter("bias", &[WIDTH], 3)?);
    let parameters = Parameters::new(vec![weight.clone(), bias.clone()]);
    let x = random_matrix(9, WIDTH, 1)?;
    differentiated(&[x], &parameters, |mut x| layer_norm(x.remove(0), &weight, &bias))
}

fn projected(activation: Activation) -> Result<Numbers> {
    let (weight, bias) = (random_parameter("weight", &[5, WIDTH], 2)?, random_parameter("bias", &[5], 3)?);
    let parameters = Parameters::new(vec![weight.clone(), bias.clone()]);
    let x = random_matrix(9, WIDTH, 1)?;
    differentiated(&[x], &parameters, |mut x| affine(x.remove(0), &weight, Some(&bias), activation))
}

fn attended(queries: &Sequences, keys: &Sequences, heads: usize, causal: bool) -> Result<Numbers> {
    let (q, k) = (queries.rows(), keys.rows());
    let inputs = [random_matrix(q, WIDTH, 1)?, random_matrix(k, WIDTH, 2)?, random_matrix(k, WIDTH, 3)?];
    differentiated(&inputs, &Parameters::default(), |x| {
        let [q, k, v] = [0, 1, 2].map(|i: usize| x[i].retaped());
        attention(q, k, v, Attention { queries, keys, heads, causal })
    })
}

/// A model whose first layers are tried.
fn model() -> Result<Transformer> {
    let (width, feed_forward) = (WIDTH, 12);
    let sizes = TransformerConfig { width, heads: 2, feed_forward, ..TransformerConfig::small(9) };
    Transformer::new(TransformerConfig { encoder_layers: 1, decoder_layers: 1, ..sizes }, 5)
}

/// The parameters of one layer.
fn of_layer(all: &Parameters, prefix: &str) -> Parameters {
    Parameters::new(all.iter().filter(|p| p.name().starts_with(prefix)).cloned().collect())
}

fn encoded(rows: &Sequences) -> Result<Numbers> {
    let prefix = "encoder.layers.0.";
    let parameters = of_layer(model()?.parameters(), prefix);
    let layer = Layer { parameters: &parameters, prefix, heads: 2, activation: Activation::Relu };
    differentiated(&[random_matrix(rows.rows(), WIDTH, 1)?], &parameters, |mut x| {
        encoder_layer(layer, x.remove(0), rows, &mut Dropout::off())
    })
}

fn decoded(causal: bool) -> Result<Numbers> {
    let prefix = "decoder.layers.0.";
    let parameters = of_layer(model()?.parameters(), prefix);
    let layer = Layer { parameters: &parameters, prefix, heads: 2, activation: Activation::Relu };
    let (rows, source) = (packed(), source());
    let inputs = [random_matrix(rows.rows(), WIDTH, 1)?, random_matrix(source.rows(), WIDTH, 2)?];
    differentiated(&inputs, &parameters, |mut x| {
        let memory = x.remove(1);
        decoder_layer(layer, x.remove(0), &rows, memory, &source, causal, &mut Dropout::off())
    })
}

fn ngrams() -> Result<Numbers> {
    let references = Tokens::new(&[vec![0, 1, 1], vec![2, 3, 7, 2, 3], vec![5]])?;
    on_tokens(references.rows(), |x| ngram_matches(x, &references, &[1, 2, 3, 4]))
}

fn on_spans(f: impl Fn(Matrix<Tape>, &Spans) -> Result<Matrix<Tape>>) -> Result<Numbers> {
    let spans = Spans::new(vec![3, 6, 4], vec![(0, 0), (2, 4), (3, 3)])?;
    differentiated(&[random_matrix(13, 2, 1)?], &Parameters::default(), |mut x| f(x.remove(0), &spans))
}
