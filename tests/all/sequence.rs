//! Operations on sentences: against PyTorch, fused against composed, and what they refuse.

use std::collections::BTreeMap;

use dfdx::prelude::*;
use reloss::ops::{
    affine, affine_composed, attention, attention_composed, decoder_layer, embed, embed_composed,
    encoder_layer, host, layer_norm, layer_norm_composed, matrix, ngram_matches, ngram_matches_composed,
    sequence_mean, sequence_mean_composed, token_cross_entropy, token_cross_entropy_composed, Activation,
    Attention, Dropout, Layer, Parameter, Parameters, Sequences, Tokens,
};
use reloss::{Error, Matrix, Result, Tape};
use serde::Deserialize;

use crate::support::{assert_close, wide};

/// The numbers of `tests/golden/conv_net.py`.
pub fn numbers(count: usize, seed: u64) -> Vec<f32> {
    (0..count as u64)
        .map(|k| {
            let whole = (k * k % 10007 * 31 + k * 7919 + seed * 104729) % 10007;
            (whole as f64 / 10007.0 - 0.5) as f32
        })
        .collect()
}

#[derive(Deserialize)]
struct Case {
    kind: String,
    lengths: Vec<usize>,
    source: Vec<usize>,
    causal: bool,
    activation: String,
    out: Vec<f64>,
    on_x: Vec<f64>,
    #[serde(default)]
    on_memory: Vec<f64>,
    gradients: BTreeMap<String, Vec<f64>>,
}

const WIDTH: usize = 8;

/// The parameters the golden script gives a layer, in PyTorch's order.
fn parameters(kind: &str) -> Parameters {
    let mut shapes: Vec<(String, Vec<usize>)> = Vec::new();
    let attentions: &[&str] =
        if kind == "encoder" { &["self_attn"] } else { &["self_attn", "multihead_attn"] };
    for name in attentions {
        shapes.push((format!("{name}.in_proj_weight"), vec![3 * WIDTH, WIDTH]));
        shapes.push((format!("{name}.in_proj_bias"), vec![3 * WIDTH]));
        shapes.push((format!("{name}.out_proj.weight"), vec![WIDTH, WIDTH]));
        shapes.push((format!("{name}.out_proj.bias"), vec![WIDTH]));
    }
    for (name, outputs, inputs) in [("linear1", 12, WIDTH), ("linear2", WIDTH, 12)] {
        shapes.push((format!("{name}.weight"), vec![outputs, inputs]));
        shapes.push((format!("{name}.bias"), vec![outputs]));
    }
    for norm in 1..=attentions.len() + 1 {
        shapes.push((format!("norm{norm}.weight"), vec![WIDTH]));
        shapes.push((format!("norm{norm}.bias"), vec![WIDTH]));
    }
    let member = |(seed, (name, shape)): (usize, (String, Vec<usize>))| {
        let shift = if name.starts_with("norm") && name.ends_with("weight") { 1.0 } else { 0.0 };
        let values = numbers(shape.iter().product(), seed as u64).into_iter().map(|v| v + shift);
        Parameter::new(&format!("layer.{name}"), &shape, values.collect()).unwrap()
    };
    Parameters::new(shapes.into_iter().enumerate().map(member).collect())
}

/// Rows of tokens, with rows of nines between the sentences where they are padded.
fn spread(tokens: &[f32], rows: &Sequences) -> Matrix {
    let width = tokens.len() / rows.tokens();
    let mut all = vec![9.0; rows.rows() * width];
    let mut rest = tokens;
    for range in rows.ranges() {
        let (here, after) = rest.split_at(range.len() * width);
        all[range.start * width..range.end * width].copy_from_slice(here);
        rest = after;
    }
    matrix(all, rows.rows(), width).unwrap()
}

/// The reverse of [`spread`].
fn gathered(values: &[f32], rows: &Sequences) -> Vec<f64> {
    let width = values.len() / rows.rows();
    wide(&rows.ranges().flat_map(|r| values[r.start * width..r.end * width].to_vec()).collect::<Vec<_>>())
}

fn tokens(lengths: &[usize], seed: u64) -> Vec<f32> {
    numbers(lengths.iter().sum::<usize>() * WIDTH, seed).into_iter().map(|v| 2.0 * v).collect()
}

#[test]
fn layers_equal_pytorch() {
    let cases: Vec<Case> = serde_json::from_str(include_str!("../golden/transformer.json")).unwrap();
    for case in cases {
        let parameters = parameters(&case.kind);
        let activation = if case.activation == "relu" { Activation::Relu } else { Activation::Elu };
        let layer = Layer { parameters: &parameters, prefix: "layer.", heads: 2, activation };
        let packed = |lengths: &[usize]| Sequences::packed(lengths.to_vec());
        let padded = |lengths: &[usize]| Sequences::padded(lengths.to_vec(), 6).unwrap();
        for layout in [packed, padded as fn(&[usize]) -> Sequences] {
            let (rows, source) = (layout(&case.lengths), layout(&case.source));
            let x = spread(&tokens(&case.lengths, 1000), &rows);
            let memory = spread(&tokens(&case.source, 1001), &source);
            let none = &mut Dropout::off();
            let out = match case.kind.as_str() {
                "encoder" => encoder_layer(layer, x.leaky_trace(), &rows, none).unwrap(),
                _ => {
                    let memory = memory.retaped::<Tape>();
                    decoder_layer(layer, x.leaky_trace(), &rows, memory, &source, case.causal, none).unwrap()
                }
            };
            assert_close(&gathered(&host(&out), &rows), &case.out, 1e-4);
            let mut cotangent = spread(&tokens(&case.lengths, 2000), &rows);
            let held: Vec<f32> = host(&cotangent).iter().map(|&v| if v == 9.0 { 0.0 } else { v }).collect();
            cotangent.copy_from(&held);
            let gradients = (out * cotangent).sum::<(), _>().backward();
            assert_close(&gathered(&host(&gradients.get(&x)), &rows), &case.on_x, 1e-4);
            if case.kind == "decoder" {
                assert_close(&gathered(&host(&gradients.get(&memory)), &source), &case.on_memory, 1e-4);
            }
            assert_eq!(case.gradients.len(), parameters.iter().len());
            for p in parameters.iter() {
                let want = &case.gradients[p.name().trim_start_matches("layer.")];
                let size = want.iter().fold(1.0f64, |size, v| size.max(v.abs()));
                assert_close(&wide(&host(&gradients.get(p.value()))), want, 1e-4 * size);
            }
        }
    }
}

/// Value and gradients of an operation of some matrices, through a cotangent.
fn judged(inputs: &[Matrix], f: impl Fn(Vec<Matrix<Tape>>) -> Result<Matrix<Tape>>) -> Vec<Vec<f64>> {
    let taped = inputs.iter().map(|x| x.leaky_trace()).collect();
    let out = f(taped).unwrap();
    let shape = *out.shape();
    let mut found = vec![wide(&host(&out))];
    let cotangent = matrix(numbers(shape.0 * shape.1, 77), shape.0, shape.1).unwrap();
    let gradients = (out * cotangent).sum::<(), _>().backward();
    found.extend(inputs.iter().map(|x| wide(&host(&gradients.get(x)))));
    found
}

#[track_caller]
fn same(one: &[Vec<f64>], other: &[Vec<f64>]) {
    assert_eq!(one.len(), other.len());
    for (one, other) in one.iter().zip(other) {
        assert_close(one, other, 2e-5);
    }
}

fn random(rows: usize, columns: usize, seed: u64) -> Matrix {
    matrix(numbers(rows * columns, seed).into_iter().map(|v| 3.0 * v).collect(), rows, columns).unwrap()
}

fn parameter(shape: &[usize], value: &Matrix) -> Parameter {
    let made = Parameter::new("given", shape, vec![0.0; shape.iter().product()]).unwrap();
    let mut list = Parameters::new(vec![made]);
    let source = Parameter::new("given", shape, host(value)).unwrap();
    list.assign(&Parameters::new(vec![source])).unwrap();
    list.iter().next().unwrap().clone()
}

type Attend = fn(Matrix<Tape>, Matrix<Tape>, Matrix<Tape>, Attention) -> Result<Matrix<Tape>>;

#[test]
fn fused_forms_equal_composed_ones() {
    let rows = Sequences::padded(vec![3, 0, 5, 1], 5).unwrap();
    let keys = Sequences::packed(vec![2, 4, 7, 0]);
    for (heads, causal) in [(1, false), (4, false), (2, true)] {
        let keys = if causal { &rows } else { &keys };
        let at = Attention { queries: &rows, keys, heads, causal };
        let inputs = [random(rows.rows(), 8, 1), random(keys.rows(), 8, 2), random(keys.rows(), 8, 3)];
        let three = |f: Attend| judged(&inputs, |x| f(x[0].retaped(), x[1].retaped(), x[2].retaped(), at));
        same(&three(attention), &three(attention_composed));
    }
    let x = [random(20, 7, 4)];
    same(
        &judged(&x, |x| sequence_mean(x[0].retaped(), &rows)),
        &judged(&x, |x| sequence_mean_composed(x[0].retaped(), &rows)),
    );
    let (weight, bias) = (parameter(&[7], &random(1, 7, 5)), parameter(&[7], &random(1, 7, 6)));
    let inputs = [x[0].clone(), weight.value().clone(), bias.value().clone()];
    same(
        &judged(&inputs, |x| layer_norm(x[0].retaped(), &weight, &bias)),
        &judged(&inputs, |x| layer_norm_composed(x[0].retaped(), &weight, &bias)),
    );
    let (weight, bias) = (parameter(&[9, 7], &random(9, 7, 7)), parameter(&[9], &random(1, 9, 8)));
    for activation in [Activation::Identity, Activation::Relu, Activation::Elu] {
        let inputs = [random(300, 7, 9), weight.value().clone(), bias.value().clone()];
        let one = judged(&inputs, |x| affine(x[0].retaped(), &weight, Some(&bias), activation));
        let two = judged(&inputs, |x| affine_composed(x[0].retaped(), &weight, Some(&bias), activation));
        for (one, two) in one.iter().zip(&two) {
            assert_close(one, two, 1e-3);
        }
        same(
            &judged(&inputs[..2], |x| affine(x[0].retaped(), &weight, None, activation)),
            &judged(&inputs[..2], |x| affine_composed(x[0].retaped(), &weight, None, activation)),
        );
    }
    let table = parameter(&[9, 7], &random(9, 7, 7));
    let inputs = [table.value().clone()];
    same(
        &judged(&inputs, |_| embed(&[3, 0, 3, 8], &table, 2.0, Tape::default())),
        &judged(&inputs, |_| embed_composed(&[3, 0, 3, 8], &table, 2.0, Tape::default())),
    );
    for smoothing in [0.0, 0.1] {
        let (x, targets) = ([random(6, 40, 11)], [0, 39, 7, 16, 15, 31]);
        same(
            &judged(&x, |x| token_cross_entropy(x[0].retaped(), &targets, smoothing)),
            &judged(&x, |x| token_cross_entropy_composed(x[0].retaped(), &targets, smoothing)),
        );
    }
    let (x, orders) = ([random(9, 4, 12)], [1, 2, 3, 4]);
    let references = Tokens::new(&[vec![0, 1, 1, 1, 3], vec![2], vec![3, 2, 0]]).unwrap();
    same(
        &judged(&x, |x| ngram_matches(x[0].retaped(), &references, &orders)),
        &judged(&x, |x| ngram_matches_composed(x[0].retaped(), &references, &orders)),
    );
}

#[test]
fn a_query_without_keys_and_a_row_without_token_give_zero() {
    let (queries, keys) = (Sequences::padded(vec![2, 1], 3).unwrap(), Sequences::packed(vec![0, 2]));
    let at = Attention { queries: &queries, keys: &keys, heads: 1, causal: false };
    let out = host(&attention(random(6, 2, 1), random(2, 2, 2), random(2, 2, 3), at).unwrap());
    assert!(out[..6].iter().chain(&out[8..]).all(|&v| v == 0.0));
    assert!(out[6..8].iter().all(|&v| v != 0.0));
}

#[test]
fn dropout_keeps_the_mean_and_depends_on_its_seed_alone() {
    let x = matrix(vec![1.0; 40_000], 200, 200).unwrap();
    let drop = |seed| host(&Dropout::new(0.3, seed).unwrap().apply(x.clone()).unwrap());
    let one = drop(1);
    assert_eq!(one, drop(1));
    assert_ne!(one, drop(2));
    // Four standard deviations of the mean: √(0.3 / 0.7 / 40,000) = 0.0033.
    assert_close(&[one.iter().map(|&v| f64::from(v)).sum::<f64>() / 40_000.0], &[1.0], 0.0131);
    let mut source = Dropout::new(0.3, 1).unwrap();
    assert_ne!(host(&source.apply(x.clone()).unwrap()), host(&source.apply(x.clone()).unwrap()));
}

#[test]
fn what_does_not_fit_is_named() {
    let rows = Sequences::packed(vec![2, 1]);
    assert!(
        matches!(Sequences::padded(vec![2, 9], 8), Err(Error::Shape { got, .. }) if got == "9 in sentence 1")
    );
    assert!(matches!(rows.pack(&[1, 2]), Err(Error::Shape { .. })));
    let table = Parameter::new("words", &[3, 1], vec![0.0; 3]).unwrap();
    let refused = embed(&[0, 3], &table, 1.0, NoneTape).unwrap_err().to_string();
    assert_eq!(refused, "embed: expected ids below the 3 rows of words, got 3 at place 1");
    let x = || random(3, 4, 0);
    let at = Attention { queries: &rows, keys: &rows, heads: 3, causal: false };
    assert!(matches!(attention(x(), x(), x(), at), Err(Error::Parameter { name: "heads", .. })));
    let other = Sequences::packed(vec![3]);
    let at = Attention { queries: &rows, keys: &other, heads: 2, causal: false };
    assert!(matches!(attention(x(), x(), x(), at), Err(Error::Shape { .. })));
    let at = Attention { queries: &rows, keys: &rows, heads: 2, causal: false };
    assert!(matches!(attention(x(), random(3, 2, 0), x(), at), Err(Error::Shape { .. })));
    assert!(matches!(layer_norm(x(), &table, &table), Err(Error::Shape { .. })));
    assert!(matches!(affine(x(), &table, None, Activation::Relu), Err(Error::Shape { .. })));
    assert!(matches!(token_cross_entropy(x(), &[0, 4, 1], 0.0), Err(Error::Shape { .. })));
    assert!(matches!(token_cross_entropy(x(), &[0, 3, 1], 1.0), Err(Error::Parameter { .. })));
    let (beyond, fits) = (Tokens::new(&[vec![0, 4, 1]]).unwrap(), Tokens::new(&[vec![0, 3, 1]]).unwrap());
    assert!(matches!(ngram_matches(x(), &beyond, &[2]), Err(Error::Shape { .. })));
    for orders in [&[][..], &[2, 0]] {
        assert!(matches!(ngram_matches(x(), &fits, orders), Err(Error::Parameter { name: "orders", .. })));
    }
    assert!(matches!(Dropout::new(1.0, 0), Err(Error::Parameter { .. })));
    let empty = Parameters::default();
    let layer = Layer { parameters: &empty, prefix: "layer.", heads: 2, activation: Activation::Relu };
    let missing = encoder_layer(layer, x(), &rows, &mut Dropout::off()).unwrap_err().to_string();
    assert_eq!(missing, "parameters: expected a tensor layer.self_attn.in_proj_weight, got none");
}
