//! Operations on rows of features and class scores, and the optimisers.

use dfdx::prelude::*;
use reloss::ops::{Adam, Optimizer, Sgd, *};
use reloss::surrogate::Network;
use reloss::{Matrix, Result, Tape};

use super::{differentiated, gradients, host, random, random_matrix, Case, Numbers};

const CLOSE: f32 = 1e-4;
const LABELS: [usize; 6] = [0, 4, 3, 1, 1, 2];

pub(super) fn cases() -> Vec<Case> {
    let mut cases = vec![
        on_scores("elu", elu),
        on_scores("softplus", softplus),
        on_scores("target_probability", |x| target_probability(x, &LABELS, 0.7)),
        on_scores("target_log_odds", |x| target_log_odds(x, &LABELS, 1.5)),
        Case::new("Dual, linear and elu", CLOSE, dual_layers),
        Case::new("mlp", CLOSE, || dual(mlp)),
        Case::new("mlp, of two layers", CLOSE, two_layers),
        Case::new("mlp_frozen", CLOSE, frozen),
        Case::new("Adam", CLOSE, || descended(Adam::new(0.1, 0.01))),
        Case::new("Sgd", CLOSE, || descended(Sgd::new(0.1, 0.9, 0.01))),
    ];
    for activation in [Activation::Identity, Activation::Relu, Activation::Elu, Activation::Tanh] {
        let name = format!("mlp_with, {activation:?}");
        cases.push(Case::new(&name, CLOSE, move || {
            dual(move |layers, x, direction, tape| mlp_with(layers, activation, x, direction, tape))
        }));
        let name = format!("mlp_frozen_with, {activation:?}");
        cases.push(Case::new(&name, CLOSE, move || {
            let network = Network::new(3, 8, 5)?;
            let inputs = [random_matrix(9, 3, 1)?];
            differentiated(&inputs, &Parameters::default(), |x| {
                mlp_frozen_with(network.parameters(), activation, x[0].retaped())
            })
        }));
    }
    cases
}

/// An operation on six rows of five numbers, of both signs and up to 4.
fn on_scores(name: &str, f: impl Fn(Matrix<Tape>) -> Result<Matrix<Tape>> + 'static) -> Case {
    Case::new(name, CLOSE, move || {
        let x = matrix(random(30, 1).into_iter().map(|v| 4.0 * v).collect(), 6, 5)?;
        differentiated(&[x], &Parameters::default(), |mut x| f(x.remove(0)))
    })
}

/// Value, tangent and gradients, of which both have a part.
fn both(dual: Dual<Tape>, layers: &Parameters) -> Result<Numbers> {
    let &(rows, columns) = dual.value.shape();
    let (value, tangent) = (host(&dual.value), host(&dual.tangent));
    let along = dual.value.try_mul(random_matrix(rows, columns, 97)?)?.try_sum::<(), _>()?;
    let across = dual.tangent.try_mul(random_matrix(rows, columns, 98)?)?.try_sum::<(), _>()?;
    let mut numbers = gradients(across.try_add(along)?, &[], layers)?;
    numbers.extend([("value".to_string(), value), ("tangent".to_string(), tangent)]);
    Ok(numbers)
}

fn dual(f: impl Fn(&Parameters, &Matrix, &Matrix, Tape) -> Result<Dual<Tape>>) -> Result<Numbers> {
    let network = Network::new(2, 8, 3)?;
    let (x, direction) = (random_matrix(11, 2, 1)?, random_matrix(11, 2, 2)?);
    both(f(network.parameters(), &x, &direction, Tape::default())?, network.parameters())
}

/// Many rows of one input, whose first layer the CPU evaluates at nodes, and many outputs.
fn two_layers() -> Result<Numbers> {
    let network = Network::new(1, 16, 4)?;
    let layers = Parameters::new(network.parameters().iter().take(4).cloned().collect());
    let (x, direction) = (random_matrix(2500, 1, 1)?, random_matrix(2500, 1, 2)?);
    both(mlp(&layers, &x, &direction, Tape::default())?, &layers)
}

fn dual_layers() -> Result<Numbers> {
    let layers = Network::new(3, 8, 6)?.parameters().clone();
    let mut members = layers.iter();
    let (Some(weight), Some(bias)) = (members.next(), members.next()) else {
        unreachable!("a network has layers")
    };
    let value = random_matrix(5, 3, 1)?.put_tape(Tape::default());
    let start = Dual { value, tangent: random_matrix(5, 3, 2)?.put_tape(Tape::default()) };
    let layer = Parameters::new(vec![weight.clone(), bias.clone()]);
    both(start.linear(weight, bias)?.elu()?, &layer)
}

fn frozen() -> Result<Numbers> {
    let network = Network::new(3, 8, 5)?;
    let inputs = [random_matrix(9, 3, 1)?];
    differentiated(&inputs, &Parameters::default(), |x| mlp_frozen(network.parameters(), x[0].retaped()))
}

/// What three steps downhill leave.
fn descended(mut optimizer: impl Optimizer) -> Result<Numbers> {
    let mut parameters = Parameters::new(vec![super::random_parameter("w", &[3, 4], 1)?]);
    for step in 0..3 {
        let w: Vec<Matrix> = parameters.iter().map(|p| p.value().clone()).collect();
        let error = w[0].leaky_trace().try_sub(random_matrix(3, 4, 10 + step)?)?;
        let mut gradients = error.try_square()?.try_sum::<(), _>()?.try_backward()?;
        optimizer.update(&mut parameters, &mut gradients)?;
    }
    Ok([("w".to_string(), parameters.values().concat())].into())
}
