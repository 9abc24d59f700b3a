//! Operations on images.

use reloss::ops::*;
use reloss::{Matrix, Result, Tape};

use super::{differentiated, random, random_matrix, random_parameter, Case, Numbers};

const CLOSE: f32 = 1e-4;
const IMAGE: ImageShape = ImageShape { channels: 2, height: 6, width: 4 };
const IMAGES: usize = 3;

type Placed = Result<(Matrix<Tape>, ImageShape)>;

pub(super) fn cases() -> Vec<Case> {
    let strided = Window { side: 3, stride: 2, padding: 1 };
    let upward = Window { side: 4, stride: 2, padding: 1 };
    let mut cases = vec![
        plain("unfold", move |x| unfold(x, IMAGE, strided)),
        plain("max_pool", move |x| Ok(max_pool(x, IMAGE, strided)?.0)),
        plain("max_pool, tiles", |x| Ok(max_pool(x, IMAGE, Window::tiles(2))?.0)),
        plain("average_pool", |x| Ok(average_pool(x, IMAGE, Window::tiles(2))?.0)),
        plain("average_pool, overlapping", move |x| Ok(average_pool(x, IMAGE, strided)?.0)),
        plain("global_average", |x| global_average(x, IMAGE)),
        plain("shrink", |x| Ok(shrink(x, IMAGE, 5, 2)?.0)),
        plain("upsample", |x| Ok(upsample(x, IMAGE, 2)?.0)),
        Case::new("batch_norm", CLOSE, trained_norm),
        Case::new("batch_norm_with", CLOSE, fixed_norm),
        filtered("conv_pool", [3, 2, 3, 3], true, |x, w, b| conv_pool(x, IMAGE, w, b.expect("a bias"))),
        transposed("conv_transpose2d", upward, true),
        transposed("conv_transpose2d, without bias", Window::tiles(2), false),
    ];
    for (name, window, channels, bias) in [
        ("conv2d", Window::same(3), 2, true),
        ("conv2d, strided, without bias", strided, 2, false),
        ("conv2d, 1 × 1", Window::same(1), 2, true),
        ("conv2d, by channel", Window::same(3), 1, false),
    ] {
        let weight = [4, channels, window.side, window.side];
        cases.push(filtered(name, weight, bias, move |x, w, b| first(conv2d(x, IMAGE, window, w, b))));
    }
    cases
}

fn first(placed: Placed) -> Result<Matrix<Tape>> {
    placed.map(|(values, _)| values)
}

fn images() -> Result<Matrix> {
    random_matrix(IMAGES, IMAGE.len(), 1)
}

fn plain(name: &str, f: impl Fn(Matrix<Tape>) -> Result<Matrix<Tape>> + 'static) -> Case {
    Case::new(name, CLOSE, move || {
        differentiated(&[images()?], &Parameters::default(), |mut x| f(x.remove(0)))
    })
}

/// An operation with a weight of this shape and perhaps a bias of each filter.
fn filtered(
    name: &str,
    weight: [usize; 4],
    bias: bool,
    f: impl Fn(Matrix<Tape>, &Parameter, Option<&Parameter>) -> Result<Matrix<Tape>> + 'static,
) -> Case {
    Case::new(name, CLOSE, move || with_filters(&weight, bias.then_some(weight[0]), &f))
}

fn transposed(name: &str, window: Window, bias: bool) -> Case {
    let f = move |x: Matrix<Tape>, w: &Parameter, b: Option<&Parameter>| {
        first(conv_transpose2d(x, IMAGE, window, w, b))
    };
    let shape = [IMAGE.channels, 3, window.side, window.side];
    Case::new(name, CLOSE, move || with_filters(&shape, bias.then_some(3), &f))
}

fn with_filters(
    weight: &[usize],
    biases: Option<usize>,
    f: &impl Fn(Matrix<Tape>, &Parameter, Option<&Parameter>) -> Result<Matrix<Tape>>,
) -> Result<Numbers> {
    let weight = random_parameter("weight", weight, 2)?;
    let bias = biases.map(|count| random_parameter("bias", &[count], 3)).transpose()?;
    let parameters = Parameters::new([weight.clone()].into_iter().chain(bias.clone()).collect());
    differentiated(&[images()?], &parameters, |mut x| f(x.remove(0), &weight, bias.as_ref()))
}

fn scales() -> Result<[Parameter; 2]> {
    Ok([random_parameter("weight", &[2], 2)?, random_parameter("bias", &[2], 3)?])
}

fn trained_norm() -> Result<Numbers> {
    let [weight, bias] = scales()?;
    let parameters = Parameters::new(vec![weight.clone(), bias.clone()]);
    let mut numbers = differentiated(&[images()?], &parameters, |mut x| {
        Ok(batch_norm(x.remove(0), IMAGE, &weight, &bias)?.0)
    })?;
    let (_, moments) = batch_norm(images()?, IMAGE, &weight, &bias)?;
    numbers.extend([("mean".to_string(), moments.mean), ("variance".to_string(), moments.variance)]);
    Ok(numbers)
}

fn fixed_norm() -> Result<Numbers> {
    let [weight, bias] = scales()?;
    let variance = random(2, 5).into_iter().map(|v| 1.5 + v).collect();
    let moments = Moments { mean: random(2, 4), variance, count: 10 };
    let parameters = Parameters::new(vec![weight.clone(), bias.clone()]);
    differentiated(&[images()?], &parameters, |mut x| {
        batch_norm_with(x.remove(0), IMAGE, &weight, &bias, &moments)
    })
}
