//! Convolutional networks: against PyTorch, fused against composed, and what they refuse.

use std::collections::BTreeMap;

use dfdx::prelude::*;
use reloss::model::{
    Conv2d, ConvNet, DepthwiseConv2d, HeatmapNet, HighResolution, Layer, MaxPool2d, Model, Parametric, Way,
};
use reloss::ops::{
    average_pool, batch_norm, batch_norm_composed, batch_norm_with, batch_norm_with_composed, conv2d,
    conv2d_composed, conv_transpose2d, conv_transpose2d_composed, device, host, matrix, max_pool,
    max_pool_composed, shrink, unfold, unfold_composed, upsample, Adam, ImageShape, Moments, Parameter,
    Parameters, Sgd, Window,
};
use reloss::{Error, Matrix, Tape};
use serde::Deserialize;

use crate::support::{assert_close, wide};

/// The numbers of `tests/golden/conv_net.py`.
fn numbers(count: usize, seed: u64) -> Vec<f32> {
    (0..count as u64)
        .map(|k| {
            let whole = (k * k % 10007 * 31 + k * 7919 + seed * 104729) % 10007;
            (whole as f64 / 10007.0 - 0.5) as f32
        })
        .collect()
}

#[derive(Deserialize)]
struct Golden {
    cases: Vec<Case>,
    mobilenet_v2: Mobile,
}

#[derive(Deserialize)]
struct Mobile {
    parameters: usize,
    layers: Vec<Layer>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    image: ImageShape,
    rows: usize,
    layers: Vec<Layer>,
    out: Short,
    on_x: Short,
    gradients: BTreeMap<String, Short>,
    running: BTreeMap<String, Short>,
    shapes: BTreeMap<String, Vec<usize>>,
    predicted: Short,
}

/// A tensor as the golden file has it.
#[derive(Deserialize)]
struct Short {
    sum: f64,
    squares: f64,
    some: Vec<f64>,
}

impl Short {
    #[track_caller]
    fn check(&self, got: &[f32]) {
        let (got, count) = (wide(got), self.some.len());
        let size = got.iter().fold(1.0f64, |size, v| size.max(v.abs()));
        let some: Vec<f64> = (0..count).map(|k| got[k * got.len() / count]).collect();
        assert_close(&some, &self.some, 1e-4 * size);
        let terms: f64 = got.iter().map(|v| v.abs()).sum();
        assert_close(&[got.iter().sum()], &[self.sum], 1e-4 * terms.max(1.0));
        let squares: f64 = got.iter().map(|v| v * v).sum();
        assert_close(&[squares], &[self.squares], 2e-4 * squares.max(1.0));
    }
}

fn golden() -> Golden {
    serde_json::from_str(include_str!("../golden/conv_net.json")).unwrap()
}

/// The parameters the golden script gives its networks.
fn filled(parameters: &Parameters) -> Parameters {
    let mut seed = 0;
    let members = parameters.iter().filter(|p| p.is_learned()).map(|p| {
        let values = numbers(p.shape().iter().product(), seed);
        seed += 1;
        let inputs: usize = p.shape().iter().skip(1).product();
        let values = values.into_iter().map(|v| {
            let v = f64::from(v);
            (match p.shape().len() {
                1 if p.name().ends_with("weight") => v + 1.0,
                1 => v,
                _ => v * (2.0 * (6.0 / inputs as f64).sqrt()),
            }) as f32
        });
        Parameter::new(p.name(), p.shape(), values.collect()).unwrap()
    });
    let mut members: Vec<_> = members.collect();
    members.extend(parameters.iter().filter(|p| !p.is_learned()).cloned());
    Parameters::new(members)
}

#[test]
fn networks_equal_pytorch() {
    for case in golden().cases {
        println!("{}", case.name);
        let mut net = ConvNet::new(case.image, case.layers, 0).unwrap();
        let parameters = filled(net.parameters());
        net.parameters_mut().assign(&parameters).unwrap();
        let x = matrix(numbers(case.rows * case.image.len(), 1000), case.rows, case.image.len()).unwrap();
        let out = net.forward(x.leaky_trace()).unwrap();
        case.out.check(&host(&out));
        let shape = *out.shape();
        assert_eq!(shape.1, net.output().len());
        let cotangent = matrix(numbers(shape.0 * shape.1, 2000), shape.0, shape.1).unwrap();
        let gradients = (out * cotangent).sum::<(), _>().backward();
        case.on_x.check(&host(&gradients.get(&x)));

        let (mut learned, mut kept) = (0, 0);
        for p in net.parameters().iter() {
            println!("  {}", p.name());
            if p.is_learned() {
                learned += 1;
                assert_eq!(p.shape(), case.shapes[p.name()]);
                case.gradients[p.name()].check(&host(&gradients.get(p.value())));
            } else {
                kept += 1;
                case.running[p.name()].check(&host(p.value()));
            }
        }
        assert_eq!((learned, kept), (case.gradients.len(), case.running.len()));
        case.predicted.check(&host(&net.predict(x).unwrap()));
    }
}

#[test]
fn branches_that_do_not_fit_are_refused() {
    let image = ImageShape { channels: 2, height: 4, width: 4 };
    let way = |from, layers| Way { from, layers };
    let two =
        || Layer::Branches(vec![vec![way(0, vec![])], vec![way(0, vec![Layer::MaxPool(Window::tiles(2))])]]);
    let refused = |layers: Vec<Layer>| ConvNet::new(image, layers, 0).unwrap_err().to_string();
    assert!(refused(vec![two()]).contains("expected one image, got 2 branches"), "{}", refused(vec![two()]));
    let sum = |from: &[usize]| Layer::Branches(vec![from.iter().map(|&f| way(f, vec![])).collect()]);
    assert!(refused(vec![two(), sum(&[0, 2])]).contains("an image below 2, got 2"));
    assert!(refused(vec![two(), sum(&[0, 1])]).contains("from all ways to branch 0"));
    assert!(refused(vec![two(), sum(&[])]).contains("no way leads to branch 0"));
    assert!(refused(vec![Layer::Branches(vec![])]).contains("without branches"));
    assert!(refused(vec![two(), Layer::BatchNorm, sum(&[0])]).contains("one image"));
    assert!(refused(vec![two(), Layer::Relu, Layer::Relu, sum(&[0])]).contains("one image"));
}

#[test]
fn what_a_branch_that_is_dropped_shares_with_the_others_still_learns() {
    let image = ImageShape { channels: 1, height: 2, width: 2 };
    let conv = Layer::conv2d(1, Window::same(1));
    let same = || Way { from: 0, layers: vec![] };
    let second = Layer::Branches(vec![vec![Way { from: 1, layers: vec![] }]]);
    let layers = vec![conv, Layer::Branches(vec![vec![same()], vec![same()]]), second];
    let mut net = ConvNet::new(image, layers, 0).unwrap();
    let x = matrix(vec![1.0, 2.0, 3.0, 4.0], 1, 4).unwrap();
    let gradients = net.forward(x.leaky_traced()).unwrap().sum::<(), _>().backward();
    let weight = net.parameters().iter().next().unwrap();
    assert_eq!(host(&gradients.get(weight.value())), [10.0]);
}

#[test]
fn ready_made_networks_are_the_published_ones() {
    let golden = golden();
    let image = ImageShape { channels: 3, height: 32, width: 32 };
    let resnet = ConvNet::resnet(20, image, 10, 0).unwrap();
    let case = golden.cases.iter().find(|case| case.name == "resnet 20").unwrap();
    assert_eq!(resnet.layers(), case.layers);
    assert_eq!(resnet.parameters().count(), 269_722);
    assert_eq!(ConvNet::resnet(56, image, 10, 0).unwrap().parameters().count(), 853_018);
    let mobile = ConvNet::mobilenet_v2(image, 10, 0).unwrap();
    assert_eq!(mobile.layers(), golden.mobilenet_v2.layers);
    assert_eq!(mobile.parameters().count(), golden.mobilenet_v2.parameters);
    let sizes = HighResolution { stem: 4, bottlenecks: 1, width: 3, stages: vec![1, 1], blocks: 1 };
    let case = golden.cases.iter().find(|case| case.name == "hrnet").unwrap();
    let hrnet = HeatmapNet::HighResolution(sizes).build(case.image, 5, 0).unwrap();
    assert_eq!(hrnet.layers(), case.layers);
    assert!(matches!(ConvNet::resnet(21, image, 10, 0), Err(Error::Parameter { name: "depth", .. })));
}

/// Values, and gradients of a weighted sum with respect to these tensors.
fn traced(out: Matrix<Tape>, tensors: &[&Matrix]) -> Vec<Vec<f64>> {
    let shape = *out.shape();
    let mut found = vec![wide(&host(&out))];
    let weights = matrix(numbers(shape.0 * shape.1, 77), shape.0, shape.1).unwrap();
    let gradients = (out * weights).sum::<(), _>().backward();
    found.extend(tensors.iter().map(|t| wide(&host(&gradients.get(*t)))));
    found
}

#[track_caller]
fn assert_same(one: Vec<Vec<f64>>, other: Vec<Vec<f64>>) {
    one.iter().zip(&other).for_each(|(one, other)| assert_close(one, other, 2e-5));
}

type Pool = fn(Matrix<Tape>, ImageShape, Window) -> reloss::Result<(Matrix<Tape>, ImageShape)>;

/// Images, windows and how many images: odd and even sides, strides, zeros, single pixels.
fn views() -> Vec<(ImageShape, Window, usize)> {
    let mut views = Vec::new();
    for (channels, height, width) in [(1, 1, 1), (2, 5, 4), (4, 6, 7), (4, 3, 9)] {
        for (side, stride, padding) in
            [(1, 1, 0), (3, 1, 1), (3, 2, 1), (2, 2, 0), (2, 1, 1), (5, 3, 2), (3, 1, 0), (1, 2, 0)]
        {
            let (image, window) = (ImageShape { channels, height, width }, Window { side, stride, padding });
            if window.over(image).is_ok() {
                views.push((image, window, 1 + 2 * channels * stride));
            }
        }
    }
    views
}

#[test]
fn fused_forms_equal_composed_ones() {
    for (image, window, rows) in views() {
        // No two pixels alike: which of them gets the gradient differs between the forms.
        let pixels = numbers(rows * image.len(), 5).into_iter().enumerate().map(|(k, v)| v + 1e-5 * k as f32);
        let x = matrix(pixels.collect(), rows, image.len()).unwrap();
        let run = |f: fn(Matrix<Tape>, ImageShape, Window) -> reloss::Result<Matrix<Tape>>| {
            traced(f(x.leaky_trace(), image, window).unwrap(), &[&x])
        };
        assert_same(run(unfold), run(unfold_composed));
        if window.padding <= window.side / 2 {
            let run = |f: Pool| {
                let (out, shape) = f(x.leaky_trace(), image, window).unwrap();
                assert_eq!(out.shape().1, shape.len());
                traced(out, &[&x])
            };
            assert_same(run(max_pool), run(max_pool_composed));
        }
        if window.padding < window.side {
            let shape = [image.channels, 3, window.side, window.side];
            let weight = Parameter::new("weight", &shape, numbers(shape.iter().product(), 8)).unwrap();
            let bias = Parameter::new("bias", &[3], numbers(3, 9)).unwrap();
            let (form, bias) = (x.leaky_trace(), Some(&bias));
            if let Ok((one, out)) = conv_transpose2d(form, image, window, &weight, bias) {
                let form = x.leaky_trace();
                let (other, same) = conv_transpose2d_composed(form, image, window, &weight, bias).unwrap();
                assert_eq!((out, one.shape().1), (same, out.len()));
                let tensors = [&x, weight.value()];
                assert_same(traced(one, &tensors), traced(other, &tensors));
            }
        }
        for groups in [1, 2, 4] {
            if !image.channels.is_multiple_of(groups) {
                continue;
            }
            for (filters, biased) in [(groups, true), (3 * groups, false)] {
                let shape = [filters, image.channels / groups, window.side, window.side];
                let weight = Parameter::new("weight", &shape, numbers(shape.iter().product(), 6)).unwrap();
                let bias = Parameter::new("bias", &[filters], numbers(filters, 7)).unwrap();
                let bias = biased.then_some(&bias);
                let tensors: Vec<&Matrix> =
                    [&x, weight.value()].into_iter().chain(bias.map(|b| b.value())).collect();
                let (one, out) = conv2d(x.leaky_trace(), image, window, &weight, bias).unwrap();
                let (other, same) = conv2d_composed(x.leaky_trace(), image, window, &weight, bias).unwrap();
                assert_eq!((out, one.shape().1), (same, out.len()));
                assert_same(traced(one, &tensors), traced(other, &tensors));
            }
        }
    }
}

#[test]
fn batch_norm_fused_equals_composed_and_keeps_its_precision_far_from_zero() {
    let image = ImageShape { channels: 3, height: 5, width: 7 };
    let weight = Parameter::new("weight", &[3], numbers(3, 1)).unwrap();
    let bias = Parameter::new("bias", &[3], numbers(3, 2)).unwrap();
    let pixels = numbers(9 * image.len(), 3);
    let x = matrix(pixels.clone(), 9, image.len()).unwrap();
    let tensors = [&x, weight.value(), bias.value()];
    let (one, moments) = batch_norm(x.leaky_trace(), image, &weight, &bias).unwrap();
    let (other, _) = batch_norm_composed(x.leaky_trace(), image, &weight, &bias).unwrap();
    assert_same(traced(one, &tensors), traced(other, &tensors));
    let given = Moments { mean: vec![0.1, -0.2, 0.0], variance: vec![0.5, 0.0, 2.0], count: 4 };
    let one = batch_norm_with(x.leaky_trace(), image, &weight, &bias, &given).unwrap();
    let other = batch_norm_with_composed(x.leaky_trace(), image, &weight, &bias, &given).unwrap();
    assert_eq!(one.shape(), other.shape());
    let (one, other) = (traced(one, &tensors), traced(other, &tensors));
    one.iter().zip(&other).for_each(|(one, other)| assert_close(one, other, 1e-3));

    let far = matrix(pixels.iter().map(|v| v + 1000.0).collect(), 9, image.len()).unwrap();
    let (_, there) = batch_norm(far, image, &weight, &bias).unwrap();
    assert_close(&wide(&there.variance), &wide(&moments.variance), 1e-4);
    assert_eq!(moments.count, 9 * 35);
}

#[test]
fn operations_refuse_what_does_not_fit() {
    let image = ImageShape { channels: 2, height: 3, width: 4 };
    let x = || matrix(vec![0.0; 24], 1, 24).unwrap();
    let weight = |shape: &[usize]| Parameter::new("w", shape, vec![0.0; shape.iter().product()]).unwrap();
    let window = Window::same(3);
    let refused = |result: reloss::Result<(Matrix, ImageShape)>| result.unwrap_err();
    for shape in [&[4, 3, 3, 3][..], &[3, 1, 3, 3], &[4, 2, 3, 1], &[4, 18], &[0, 2, 3, 3]] {
        let error = refused(conv2d(x(), image, window, &weight(shape), None));
        assert!(matches!(error, Error::Shape { op: "conv2d", .. }), "{shape:?}: {error}");
    }
    let (w, b) = (weight(&[4, 2, 3, 3]), weight(&[3]));
    assert!(matches!(refused(conv2d(x(), image, window, &w, Some(&b))), Error::Shape { .. }));
    let narrow = matrix(vec![0.0; 20], 1, 20).unwrap();
    assert!(matches!(refused(conv2d(narrow, image, window, &w, None)), Error::Shape { .. }));
    let large = Window { side: 7, stride: 1, padding: 1 };
    assert!(matches!(unfold(x(), image, large), Err(Error::Parameter { name: "window", .. })));
    let still = Window { stride: 0, ..window };
    assert!(matches!(unfold(x(), image, still), Err(Error::Parameter { name: "window", .. })));
    let wide_zeros = Window { side: 3, stride: 1, padding: 2 };
    assert!(matches!(refused(max_pool(x(), image, wide_zeros)), Error::Parameter { name: "window", .. }));
    assert!(matches!(refused(average_pool(x(), image, wide_zeros)), Error::Parameter { name: "window", .. }));
    assert!(matches!(refused(shrink(x(), image, 1, 2)), Error::Parameter { name: "channels", .. }));
    assert!(matches!(refused(upsample(x(), image, 0)), Error::Parameter { name: "factor", .. }));
    let transposed = |window, weight: &Parameter| refused(conv_transpose2d(x(), image, window, weight, None));
    assert!(matches!(transposed(window, &weight(&[3, 2, 3, 3])), Error::Shape { .. }));
    let much = Window { side: 3, stride: 1, padding: 3 };
    assert!(matches!(transposed(much, &weight(&[2, 1, 3, 3])), Error::Parameter { name: "window", .. }));
    let nothing = ImageShape { channels: 0, ..image };
    assert!(matches!(refused(upsample(x(), nothing, 2)), Error::Parameter { name: "image", .. }));
    let one = ImageShape { channels: 24, height: 1, width: 1 };
    let of = |channels: usize| weight(&[channels]);
    assert!(matches!(batch_norm(x(), one, &of(24), &of(24)), Err(Error::Shape { .. })));
    assert!(matches!(batch_norm(x(), image, &of(2), &of(3)), Err(Error::Shape { .. })));

    let layers =
        vec![Layer::Relu, Layer::Residual { body: vec![Layer::conv2d(3, window)], shortcut: vec![] }];
    match ConvNet::new(image, layers, 0) {
        Err(Error::At { place, .. }) => assert!(place.starts_with("layer 1"), "{place}"),
        other => panic!("{other:?}"),
    }
    let uneven = Layer::Conv2d { filters: 3, window, groups: 2, bias: false };
    assert!(matches!(ConvNet::new(image, vec![uneven], 0), Err(Error::At { .. })));
    let net = ConvNet::new(image, vec![Layer::Relu], 0).unwrap();
    assert!(matches!(net.predict(matrix(vec![0.0; 5], 1, 5).unwrap()), Err(Error::Shape { .. })));
}

#[test]
fn max_pool_keeps_nan_and_infinities() {
    let image = ImageShape { channels: 1, height: 2, width: 4 };
    let low = f32::NEG_INFINITY;
    let x = matrix(vec![1.0, f32::NAN, low, low, 2.0, 3.0, low, low], 1, 8).unwrap();
    let (out, _) = max_pool(x.leaky_trace(), image, Window::tiles(2)).unwrap();
    let values = host(&out);
    assert!(values[0].is_nan() && values[1] == low, "{values:?}");
    assert_eq!(host(&out.sum().backward().get(&x)), [0.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
}

#[test]
fn training_changes_running_means_but_the_optimiser_does_not() {
    let image = ImageShape { channels: 1, height: 8, width: 8 };
    let layers = vec![
        Layer::conv2d(4, Window::same(3)),
        Layer::BatchNorm,
        Layer::Relu,
        Layer::GlobalAverage,
        Layer::Linear(2),
    ];
    let mut net = ConvNet::new(image, layers, 3).unwrap();
    let x = matrix(numbers(6 * 64, 8), 6, 64).unwrap();
    let step = |net: &mut ConvNet, adam: &mut Adam| {
        let loss = net.forward(x.leaky_trace()).unwrap().square().mean();
        let before: Vec<_> = net.parameters().values();
        let value = reloss::ops::scalar(&loss);
        adam.update(net.parameters_mut(), &mut loss.backward()).unwrap();
        for ((p, before), after) in net.parameters().iter().zip(&before).zip(net.parameters().values()) {
            assert_eq!(p.is_learned(), *before != after, "{}", p.name());
        }
        value
    };
    let mut adam = Adam::new(0.05, 0.1);
    let first = step(&mut net, &mut adam);
    let last = (0..30).map(|_| step(&mut net, &mut adam)).last().unwrap();
    assert!(last < 0.5 * first, "{first} → {last}");

    // All of it goes through a file, and goes on from there.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("net.safetensors");
    net.parameters().save(&path, Default::default()).unwrap();
    let mut copy = ConvNet::new(image, net.layers().to_vec(), 0).unwrap();
    copy.parameters_mut().assign(&Parameters::load(&path).unwrap().0).unwrap();
    assert_eq!(host(&copy.predict(x.clone()).unwrap()), host(&net.predict(x.clone()).unwrap()));
    let state = adam.state(net.parameters()).unwrap();
    let mut continued = Adam::new(0.05, 0.1);
    continued.restore(copy.parameters(), &state).unwrap();
    step(&mut net, &mut adam);
    step(&mut copy, &mut continued);
    assert_eq!(net.parameters().values(), copy.parameters().values());
}

#[test]
fn results_do_not_depend_on_the_number_of_threads() {
    let image = ImageShape { channels: 3, height: 9, width: 8 };
    let mut layers = vec![Layer::conv2d(8, Window::same(3)), Layer::BatchNorm, Layer::Relu];
    layers.extend(Layer::basic_block(8, 8, 2));
    layers.extend(Layer::inverted_residual(8, 8, 1, 2));
    layers.push(Layer::ConvTranspose2d { filters: 4, window: Window::tiles(2), bias: true });
    layers.push(Layer::MaxPool(Window::tiles(2)));
    let x = matrix(numbers(37 * image.len(), 4), 37, image.len()).unwrap();
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let mut net = ConvNet::new(image, layers.clone(), 1).unwrap();
            let gradients = net.forward(x.leaky_trace()).unwrap().square().sum::<(), _>().backward();
            let learned = net.parameters().iter().filter(|p| p.is_learned());
            let found: Vec<Vec<f32>> = learned.map(|p| host(&gradients.get(p.value()))).collect();
            (found, net.parameters().values(), host(&net.predict(x.clone()).unwrap()))
        })
    };
    assert_eq!(run(1), run(3));
}

#[test]
fn sgd_steps_as_pytorch_and_continues_from_its_state() {
    let start = || Parameters::new(vec![Parameter::new("w", &[2], vec![1.0, -2.0]).unwrap()]);
    let step = |sgd: &mut Sgd, parameters: &mut Parameters| {
        let w = parameters.iter().next().unwrap().value().clone();
        let mut gradients = (w.leaky_trace() - 0.25).square().sum().backward();
        sgd.update(parameters, &mut gradients).unwrap();
    };
    // v = 0.9 v + 2 (w − 0.25) + 0.01 w; w −= 0.1 v, in f64.
    let (mut wanted, mut velocity) = ([1.0f64, -2.0], [0.0f64; 2]);
    let (mut whole, mut sgd) = (start(), Sgd::new(0.1, 0.9, 0.01));
    let (mut parts, mut before) = (start(), Sgd::new(0.1, 0.9, 0.01));
    for at in 0..6 {
        for (w, v) in wanted.iter_mut().zip(&mut velocity) {
            *v = 0.9 * *v + 2.0 * (*w - 0.25) + 0.01 * *w;
            *w -= 0.1 * *v;
        }
        step(&mut sgd, &mut whole);
        if at == 3 {
            let state = before.state(&parts).unwrap();
            before = Sgd::new(0.1, 0.9, 0.01);
            before.restore(&parts, &state).unwrap();
        }
        step(&mut before, &mut parts);
    }
    assert_close(&wide(&whole.values()[0]), &wanted, 1e-6);
    assert_eq!(whole.values(), parts.values());
}

#[test]
fn dfdx_modules_compute_what_the_network_does() {
    use dfdx::nn::builders::{AvgPoolGlobal, BatchNorm2D, Linear, ReLU, Residual};
    type Block = (DepthwiseConv2d<4, 3, 1, 1>, BatchNorm2D<4>);
    type Stem = (Conv2d<2, 4, 3, 2, 1>, BatchNorm2D<4>, ReLU);
    type Net = (Stem, Residual<Block>, MaxPool2d<2, 2>, (AvgPoolGlobal, Linear<4, 3>));
    let image = ImageShape { channels: 2, height: 9, width: 8 };
    let window = Window { stride: 2, ..Window::same(3) };
    let depthwise = Layer::Conv2d { filters: 4, window: Window::same(3), groups: 4, bias: false };
    let layers = vec![
        Layer::conv2d(4, window),
        Layer::BatchNorm,
        Layer::Relu,
        Layer::Residual { body: vec![depthwise, Layer::BatchNorm], shortcut: vec![] },
        Layer::MaxPool(Window::tiles(2)),
        Layer::GlobalAverage,
        Layer::Linear(3),
    ];
    let mut ours = ConvNet::new(image, layers, 5).unwrap();
    let mut theirs = device().unwrap().build_module::<Net, f32>();
    let values = |name: &str| host(ours.parameters().iter().find(|p| p.name() == name).unwrap().value());
    theirs.0 .0.weight.copy_from(&values("0.weight"));
    theirs.1 .0 .0.weight.copy_from(&values("3.body.0.weight"));
    theirs.3 .1.weight.copy_from(&values("6.weight"));
    theirs.3 .1.bias.copy_from(&values("6.bias"));

    let pixels = numbers(5 * image.len(), 6);
    let flat = matrix(pixels.clone(), 5, image.len()).unwrap();
    let whole: Tensor<(usize, Const<2>, usize, usize), f32, _> =
        device().unwrap().tensor_from_vec(pixels, (5, Const, image.height, image.width));
    let one = ours.forward(flat.leaky_trace()).unwrap();
    let other = theirs.forward_mut(whole.leaky_trace());
    assert_close(&wide(&host(&one)), &wide(&host(&other)), 1e-5);
    let one = one.square().sum::<(), _>().backward();
    let other = other.square().sum::<(), _>().backward();
    let gradient = |name: &str| {
        let parameter = ours.parameters().iter().find(|p| p.name() == name).unwrap();
        wide(&host(&one.get(parameter.value())))
    };
    assert_close(&gradient("0.weight"), &wide(&host(&other.get(&theirs.0 .0.weight))), 1e-4);
    assert_close(&gradient("3.body.0.weight"), &wide(&host(&other.get(&theirs.1 .0 .0.weight))), 1e-4);
    assert_close(&wide(&host(&one.get(&flat))), &wide(&host(&other.get(&whole))), 1e-4);
    let predicted = ours.predict(flat).unwrap();
    assert_close(&wide(&host(&predicted)), &wide(&host(&theirs.forward(whole))), 1e-5);

    let mut adam = dfdx::optim::Adam::new(&theirs, Default::default());
    let before = host(&theirs.0 .0.weight);
    adam.update(&mut theirs, &other).unwrap();
    assert_ne!(before, host(&theirs.0 .0.weight));
    assert_eq!(theirs.num_trainable_params(), ours.parameters().count());
    let small: Tensor<(usize, Const<2>, usize, usize), f32, _> =
        device().unwrap().zeros_like(&(1, Const, 1, 1));
    let large = device().unwrap().build_module::<Conv2d<2, 1, 3>, f32>();
    assert!(large.try_forward(small).is_err());
}

#[test]
fn a_small_residual_network_learns_digits() {
    let data = reloss::data::Dataset::digits().unwrap();
    let image = ImageShape { channels: 1, height: 8, width: 8 };
    let mut layers = vec![Layer::conv2d(8, Window::same(3)), Layer::BatchNorm, Layer::Relu];
    layers.extend(Layer::basic_block(8, 16, 2));
    layers.extend([Layer::GlobalAverage, Layer::Linear(10)]);
    let mut net = ConvNet::new(image, layers, 0).unwrap();
    let rows = |rows: &mut dyn Iterator<Item = usize>| {
        let rows: Vec<usize> = rows.collect();
        let pixels: Vec<f32> = rows.iter().flat_map(|&row| data.row(row).to_vec()).collect();
        let labels: Vec<usize> = rows.iter().map(|&row| data.labels()[row]).collect();
        (matrix(pixels, rows.len(), 64).unwrap(), labels)
    };
    let mut sgd = Sgd::new(0.1, 0.9, 1e-4);
    for step in 0..150 {
        // Every fifth row is kept for the test.
        let (x, labels) = rows(&mut (0..64).map(|k| (step * 64 + k) * 7 % 1437).map(|k| k / 4 * 5 + k % 4));
        let logits = net.forward(x.leaky_traced()).unwrap();
        let loss = reloss::loss::Loss::loss(&reloss::loss::CrossEntropy::default(), logits, &labels).unwrap();
        sgd.update(net.parameters_mut(), &mut loss.backward()).unwrap();
    }
    let (x, labels) = rows(&mut (4..data.rows()).step_by(5));
    let logits = host(&net.predict(x).unwrap());
    let best = |row: &[f32]| (0..10).max_by(|&a, &b| row[a].total_cmp(&row[b])).unwrap();
    let right = logits.chunks(10).zip(&labels).filter(|(row, label)| best(row) == **label).count();
    assert!(right as f64 > 0.9 * labels.len() as f64, "{right} of {}", labels.len());
}
