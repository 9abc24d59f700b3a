//! The differentiable operations: values by hand, fused against composed, finite differences.

use dfdx::prelude::*;
use reloss::ops::*;
use reloss::surrogate::Network;
use reloss::{Error, Matrix, Tape};

use crate::support::{assert_close, wide};

/// A few inputs that hit both sides of ELU and block borders (128 rows a block).
fn inputs(rows: usize, width: usize) -> (Matrix, Matrix) {
    let x = (0..rows * width).map(|i| ((i * 37 % 101) as f32 / 50.0) - 1.0).collect();
    let d = (0..rows * width).map(|i| ((i * 53 % 89) as f32 / 40.0) - 1.1).collect();
    (matrix(x, rows, width).unwrap(), matrix(d, rows, width).unwrap())
}

/// A scalar that uses value and tangent, so that both backward paths count.
fn probe(dual: Dual<Tape>) -> reloss::Scalar<Tape> {
    let value = dual.value.square().mean();
    dual.tangent.abs().mean().sqrt() + value
}

fn gradients(parameters: &Parameters, dual: Dual<Tape>) -> Vec<Vec<f32>> {
    let mut gradients = probe(dual).backward();
    parameters
        .iter()
        .map(|p| {
            gradients.get_or_alloc_mut(p.value()).unwrap();
            host(&gradients.get(p.value()))
        })
        .collect()
}

#[test]
fn fused_mlp_equals_the_composed_one() {
    for (rows, width, hidden) in
        [(1, 1, 4), (7, 2, 8), (128, 1, 16), (300, 3, 16), (2500, 1, 8), (4000, 1, 64)]
    {
        let network = Network::new(width, hidden, 3).unwrap();
        let (x, d) = inputs(rows, width);
        let fused = mlp(network.parameters(), &x, &d, Tape::default()).unwrap();
        let composed = mlp_composed(network.parameters(), &x, &d, Tape::default()).unwrap();
        assert_close(&wide(&host(&fused.value)), &wide(&host(&composed.value)), 1e-5);
        assert_close(&wide(&host(&fused.tangent)), &wide(&host(&composed.tangent)), 1e-5);
        let (f, c) = (gradients(network.parameters(), fused), gradients(network.parameters(), composed));
        // f32 sums over all rows, added in another order.
        for (f, c) in f.iter().zip(&c) {
            assert_close(&wide(f), &wide(c), 1e-5 * (1.0 + rows as f64 / 1000.0));
        }
    }
}

#[test]
fn fused_mlp_of_many_outputs_equals_the_composed_one() {
    for (rows, width) in [(1, 2), (300, 2), (2500, 1)] {
        let all = Network::new(width, 16, 3).unwrap();
        let two = Parameters::new(all.parameters().iter().take(4).cloned().collect());
        let (x, d) = inputs(rows, width);
        let fused = mlp(&two, &x, &d, Tape::default()).unwrap();
        let composed = mlp_composed(&two, &x, &d, Tape::default()).unwrap();
        assert_eq!(*fused.value.shape(), (rows, 16));
        assert_close(&wide(&host(&fused.value)), &wide(&host(&composed.value)), 1e-5);
        assert_close(&wide(&host(&fused.tangent)), &wide(&host(&composed.tangent)), 1e-5);
        for (f, c) in gradients(&two, fused).iter().zip(&gradients(&two, composed)) {
            assert_close(&wide(f), &wide(c), 1e-5 * (1.0 + rows as f64 / 1000.0));
        }
    }
}

#[test]
fn mlp_gradients_agree_with_finite_differences() {
    let network = Network::new(2, 5, 1).unwrap();
    let (x, d) = inputs(9, 2);
    let dual = mlp(network.parameters(), &x, &d, Tape::default()).unwrap();
    let exact = gradients(network.parameters(), dual);
    let value_at = |layer: usize, index: usize, step: f64| {
        let members = network.parameters().iter().enumerate().map(|(i, p)| {
            let values = wide(&host(p.value()));
            let moved =
                values.iter().enumerate().map(|(j, v)| if (i, j) == (layer, index) { v + step } else { *v });
            (p.shape().to_vec(), moved.collect::<Vec<f64>>())
        });
        reference(&members.collect::<Vec<_>>(), &wide(&host(&x)), &wide(&host(&d)))
    };
    for (layer, gradient) in exact.iter().enumerate() {
        let differences: Vec<f64> = (0..gradient.len())
            .map(|i| (value_at(layer, i, 1e-5) - value_at(layer, i, -1e-5)) / 2e-5)
            .collect();
        assert_close(&wide(gradient), &differences, 2e-5);
    }
}

/// The probe in f64 by plain loops, its tangent by a central difference along `d`.
fn reference(layers: &[(Vec<usize>, Vec<f64>)], x: &[f64], d: &[f64]) -> f64 {
    let forward = |row: &[f64]| -> f64 {
        let mut h = row.to_vec();
        for (i, pair) in layers.chunks(2).enumerate() {
            if i > 0 {
                h.iter_mut().for_each(|v| *v = if *v > 0.0 { *v } else { v.exp() - 1.0 });
            }
            let inputs = h.len();
            let rows = pair[0].1.chunks(inputs).zip(&pair[1].1);
            h = rows.map(|(w, b)| w.iter().zip(&h).map(|(w, h)| w * h).sum::<f64>() + b).collect();
        }
        h[0]
    };
    let (mut squares, mut slopes) = (0.0, 0.0);
    let rows = x.len() / 2;
    for (x, d) in x.chunks(2).zip(d.chunks(2)) {
        let along = |e: f64| forward(&[x[0] + e * d[0], x[1] + e * d[1]]);
        squares += along(0.0).powi(2);
        slopes += ((along(1e-6) - along(-1e-6)) / 2e-6).abs();
    }
    squares / rows as f64 + (slopes / rows as f64).sqrt()
}

#[test]
fn mlps_of_other_activations_have_right_tangents_and_gradients() {
    let network = Network::new(2, 6, 4).unwrap();
    let (x, d) = inputs(40, 2);
    let along = |layers: &Parameters, activation, step: f32| {
        let moved = wide(&host(&x)).into_iter().zip(wide(&host(&d))).map(|(x, d)| x as f32 + step * d as f32);
        wide(&host(&mlp_frozen_with(layers, activation, matrix(moved.collect(), 40, 2).unwrap()).unwrap()))
    };
    for activation in [Activation::Identity, Activation::Tanh, Activation::Relu, Activation::Elu] {
        let layers = network.parameters();
        let dual = mlp_with(layers, activation, &x, &d, Tape::default()).unwrap();
        let (ahead, behind) = (along(layers, activation, 1e-3), along(layers, activation, -1e-3));
        let slopes: Vec<f64> = ahead.iter().zip(&behind).map(|(a, b)| (a - b) / 2e-3).collect();
        assert_close(&wide(&host(&dual.value)), &along(layers, activation, 0.0), 1e-6);
        // A kink of relu may lie between the two.
        assert_close(
            &wide(&host(&dual.tangent)),
            &slopes,
            if activation == Activation::Relu { 5e-2 } else { 2e-3 },
        );
        let probe = |layers: &Parameters| {
            let dual = mlp_with(layers, activation, &x, &d, Tape::default()).unwrap();
            let value = |t: Vec<f64>| t.iter().map(|v| v * v).sum::<f64>() / t.len() as f64;
            let slope = wide(&host(&dual.tangent)).iter().map(|t| t.abs()).sum::<f64>() / 40.0;
            value(wide(&host(&dual.value))) + slope.sqrt()
        };
        let exact = gradients(layers, dual);
        for (layer, gradient) in exact.iter().enumerate() {
            let moved = |step: f32| {
                let members = layers.iter().enumerate().map(|(i, p)| {
                    let mut values = host(p.value());
                    values[0] += if i == layer { step } else { 0.0 };
                    Parameter::new(p.name(), p.shape(), values).unwrap()
                });
                probe(&Parameters::new(members.collect()))
            };
            let difference = (moved(2e-3) - moved(-2e-3)) / 4e-3;
            assert_close(&[f64::from(gradient[0])], &[difference], 1e-2);
        }
    }
}

#[test]
fn frozen_mlp_passes_gradients_to_its_input() {
    let network = Network::new(3, 8, 5).unwrap();
    let (x, _) = inputs(200, 3);
    let run = |fused: bool| {
        let traced = x.leaky_trace();
        let y = if fused {
            mlp_frozen(network.parameters(), traced).unwrap()
        } else {
            mlp_frozen_composed(network.parameters(), traced).unwrap()
        };
        let values = wide(&host(&y));
        (values, wide(&host(&y.square().mean().backward().get(&x))))
    };
    let (fused, composed) = (run(true), run(false));
    assert_close(&fused.0, &composed.0, 1e-6);
    assert_close(&fused.1, &composed.1, 1e-6);
}

#[test]
fn mlp_refuses_what_does_not_fit() {
    let network = Network::new(2, 4, 0).unwrap();
    let (x, d) = inputs(3, 1);
    assert!(matches!(mlp(network.parameters(), &x, &d, NoneTape), Err(Error::Shape { .. })));
    assert!(matches!(mlp_frozen(network.parameters(), x), Err(Error::Shape { .. })));
    assert!(matches!(mlp(&Parameters::default(), &d, &d, NoneTape), Err(Error::Shape { .. })));
    assert!(matches!(matrix(vec![1.0; 5], 2, 3), Err(Error::Shape { .. })));
}

#[test]
fn target_probability_by_hand() {
    // softmax([0, ln 3]) = [1/4, 3/4]; dp1/dz = 3/4 (−1/4, 1/4)
    let z = matrix(vec![0.0, 3.0f32.ln()], 1, 2).unwrap();
    let p = target_probability(z.leaky_trace(), &[1], 1.0).unwrap();
    assert_close(&wide(&host(&p)), &[0.75], 1e-6);
    assert_close(&wide(&host(&p.sum().backward().get(&z))), &[-3.0 / 16.0, 3.0 / 16.0], 1e-6);
}

#[test]
fn target_probability_fused_equals_composed() {
    let z = matrix((0..60).map(|i| ((i * 29 % 41) as f32 - 20.0) / 3.0).collect(), 6, 10).unwrap();
    let labels = [0, 9, 3, 5, 5, 1];
    for temperature in [0.5, 1.0, 4.0] {
        let fused = target_probability(z.leaky_trace(), &labels, temperature).unwrap();
        let composed = target_probability_composed(z.leaky_trace(), &labels, temperature).unwrap();
        assert_close(&wide(&host(&fused)), &wide(&host(&composed)), 1e-6);
        let gradient = |p: Matrix<Tape>| wide(&host(&p.square().sum().backward().get(&z)));
        assert_close(&gradient(fused), &gradient(composed), 1e-6);
    }
}

#[test]
fn target_probability_at_the_extremes() {
    let z = matrix(vec![1e30, -1e30, 0.0, 88.0, 89.0, 90.0, 5.0, 5.0, 5.0], 3, 3).unwrap();
    let p = target_probability(z.leaky_trace(), &[1, 2, 0], 1.0).unwrap();
    assert!(host(&p).iter().all(|p| (0.0..=1.0).contains(p)));
    assert!(host(&p.sum().backward().get(&z)).iter().all(|g| g.is_finite()));
    let bad = |z: Vec<f32>, labels: &[usize], t: f32| target_probability(matrix(z, 1, 2).unwrap(), labels, t);
    assert!(matches!(bad(vec![f32::NAN, 0.0], &[0], 1.0), Err(Error::NotFinite { index: 0, .. })));
    assert!(matches!(bad(vec![0.0, f32::INFINITY], &[0], 1.0), Err(Error::NotFinite { index: 1, .. })));
    assert!(matches!(bad(vec![0.0, 0.0], &[2], 1.0), Err(Error::Shape { .. })));
    assert!(matches!(bad(vec![0.0, 0.0], &[0, 1], 1.0), Err(Error::Shape { .. })));
    assert!(matches!(bad(vec![0.0, 0.0], &[0], 0.0), Err(Error::Parameter { name: "temperature", .. })));
    assert!(matches!(target_probability(matrix(vec![], 0, 2).unwrap(), &[], 1.0), Err(Error::Shape { .. })));
}

#[test]
fn elu_and_its_slope() {
    let x = matrix(vec![2.0, 0.0, -1.0, -200.0, 1e30], 1, 5).unwrap();
    let y = elu(x.leaky_trace()).unwrap();
    assert_close(&wide(&host(&y))[..4], &[2.0, 0.0, (-1.0f64).exp() - 1.0, -1.0], 1e-6);
    assert_close(&wide(&host(&y.sum().backward().get(&x))), &[1.0, 1.0, (-1.0f64).exp(), 0.0, 1.0], 1e-6);
}

#[test]
fn adam_continues_from_its_state_as_if_never_stopped() {
    let start = || Parameters::new(vec![Parameter::new("w", &[2, 2], vec![1.0, -2.0, 3.0, 0.5]).unwrap()]);
    let step = |adam: &mut Adam, parameters: &mut Parameters| {
        let w = parameters.iter().next().unwrap().value().clone();
        let mut gradients = (w.leaky_trace() - 0.25).square().sum().backward();
        adam.update(parameters, &mut gradients).unwrap();
    };
    let (mut whole, mut adam) = (start(), Adam::new(0.1, 0.01));
    (0..6).for_each(|_| step(&mut adam, &mut whole));

    let (mut first, mut adam) = (start(), Adam::new(0.1, 0.01));
    (0..3).for_each(|_| step(&mut adam, &mut first));
    let state = adam.state(&first).unwrap();
    let mut second = start();
    second.assign(&first).unwrap();
    let mut adam = Adam::new(0.1, 0.01);
    adam.restore(&second, &state).unwrap();
    (0..3).for_each(|_| step(&mut adam, &mut second));
    assert_eq!(whole.values(), second.values());
}

#[test]
fn safetensors_keep_names_shapes_and_values_and_refuse_damage() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("w.safetensors");
    let network = Network::new(1, 4, 9).unwrap();
    network.parameters().save(&path, [("note".to_string(), "x".to_string())].into()).unwrap();
    let (loaded, notes) = Parameters::load(&path).unwrap();
    assert_eq!(notes["note"], "x");
    assert_eq!(
        Network::from_parameters(&loaded).unwrap().parameters().values(),
        network.parameters().values()
    );

    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, &bytes[..bytes.len() - 3]).unwrap();
    assert!(matches!(Parameters::load(&path), Err(Error::Data { .. })));
    std::fs::write(&path, b"not a safetensors file").unwrap();
    assert!(matches!(Parameters::load(&path), Err(Error::Data { .. })));
    assert!(matches!(Parameters::load(&folder.path().join("none")), Err(Error::Io { .. })));
    let nowhere = folder.path().join("missing").join("w.safetensors");
    assert!(matches!(network.parameters().save(&nowhere, Default::default()), Err(Error::Io { .. })));
}

#[test]
fn convolution_gradients_agree_with_the_composed_form_and_finite_differences() {
    use reloss::ops::{conv_pool, conv_pool_composed, ImageShape};
    let numbers = |n: usize, seed: u64| -> Vec<f32> {
        crate::sort::scattered(n, seed).iter().map(|&v| v as f32).collect()
    };
    for (image, filters, side) in [
        (ImageShape { channels: 1, height: 4, width: 6 }, 3, 3),
        (ImageShape { channels: 2, height: 6, width: 2 }, 2, 5),
        (ImageShape { channels: 3, height: 2, width: 4 }, 4, 1),
    ] {
        let (rows, taps) = (11, image.channels * side * side);
        let pooled = image.pooled(filters).len();
        let x = matrix(numbers(rows * image.len(), 1), rows, image.len()).unwrap();
        let g = numbers(rows * pooled, 4);
        let weight = Parameter::new("weight", &[filters, taps], numbers(filters * taps, 2)).unwrap();
        let bias = Parameter::new("bias", &[filters], numbers(filters, 3)).unwrap();
        type Form = fn(Matrix<Tape>, ImageShape, &Parameter, &Parameter) -> reloss::Result<Matrix<Tape>>;
        let run = |form: Form| {
            let out = form(x.leaky_trace(), image, &weight, &bias).unwrap();
            let values = wide(&host(&out));
            let cotangent = matrix(g.clone(), rows, pooled).unwrap();
            let gradients = (out * cotangent).sum::<(), _>().backward();
            let of = |tensor: &Matrix| wide(&host(&gradients.get(tensor)));
            (values, of(&x), of(weight.value()), of(bias.value()))
        };
        let (fused, composed) = (run(conv_pool), run(conv_pool_composed));
        assert_close(&fused.0, &composed.0, 1e-5);
        assert_close(&fused.1, &composed.1, 1e-5);
        assert_close(&fused.2, &composed.2, 1e-4);
        assert_close(&fused.3, &composed.3, 1e-4);
        // By hand at one output: the largest of its four sums, over the taps that see the image.
        let (data, w) = (host(&x), host(weight.value()));
        let sum = |y: usize, x: usize| -> f32 {
            (0..taps)
                .map(|tap| {
                    let (c, dy, dx) = (tap / (side * side), tap / side % side, tap % side);
                    let (sy, sx) =
                        ((y + dy) as isize - side as isize / 2, (x + dx) as isize - side as isize / 2);
                    let inside =
                        sy >= 0 && sx >= 0 && sy < image.height as isize && sx < image.width as isize;
                    if !inside {
                        return 0.0;
                    }
                    w[tap] * data[(c * image.height + sy as usize) * image.width + sx as usize]
                })
                .sum()
        };
        let largest =
            [(0, 0), (0, 1), (1, 0), (1, 1)].map(|(y, x)| sum(y, x)).into_iter().fold(f32::MIN, f32::max);
        assert_close(&[fused.0[0]], &[f64::from((largest + host(bias.value())[0]).max(0.0))], 1e-5);
    }
    let image = ImageShape { channels: 1, height: 3, width: 2 };
    let (weight, bias) =
        (Parameter::new("w", &[1, 4], vec![0.0; 4]).unwrap(), Parameter::new("b", &[1], vec![0.0]).unwrap());
    let refused = conv_pool(matrix(vec![0.0; 6], 1, 6).unwrap(), image, &weight, &bias);
    assert!(matches!(refused, Err(Error::Parameter { name: "image", .. })));
    let image = ImageShape { height: 2, ..image };
    for columns in [4, 6] {
        // Even filters, then images of another size.
        let refused = conv_pool(matrix(vec![0.0; columns], 1, columns).unwrap(), image, &weight, &bias);
        assert!(matches!(refused, Err(Error::Shape { .. })));
    }
}
