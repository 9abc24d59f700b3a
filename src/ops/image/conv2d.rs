//! Convolution.

use dfdx::prelude::*;

use super::shape::{Geometry, Window};
use super::unfold::view_columns;
use crate::data::ImageShape;
use crate::error::{Error, Result};
use crate::ops::parameters::Parameter;
use crate::{Dev, Matrix};

/// Convolution (cross-correlation, as everywhere in learning), of all channels, in groups, or channel by channel.
///
/// The weight says how many groups there are: each filter sees as many channels as the weight has; with one, it is a
/// depthwise convolution. NaN and infinite pixels go through as they do in products.
///
/// # Shapes
/// Images (rows, channels·height·width); weight, as on file, (filters, channels/groups, side, side); bias (filters) →
/// (rows, filters·places), places as [`Window::over`] has them.
///
/// # Errors
/// [`Error::Shape`] for images, a weight or a bias that do not fit; [`Error::Parameter`] as [`Window::over`].
///
/// # Example
/// ```
/// use reloss::ops::{conv2d, host, matrix, ImageShape, Parameter, Window};
/// let image = ImageShape { channels: 1, height: 1, width: 4 };
/// let weight = Parameter::new("weight", &[1, 1, 3, 3], vec![0.0, 0.0, 0.0, -1.0, 0.0, 1.0, 0.0, 0.0, 0.0])?;
/// let x = matrix(vec![1.0, 2.0, 4.0, 8.0], 1, 4)?;
/// // Zeros stand beyond the edges: 2 - 0, 4 - 1, 8 - 2, 0 - 4.
/// let (out, shape) = conv2d(x, image, Window::same(3), &weight, None)?;
/// assert_eq!((host(&out), shape), (vec![2.0, 3.0, 6.0, -4.0], image));
/// # Ok::<(), reloss::Error>(())
/// ```
///
/// # Reference
/// PyTorch's `Conv2d` without dilation.
pub fn conv2d<T: Tape<f32, Dev>>(
    x: Matrix<T>,
    image: ImageShape,
    window: Window,
    weight: &Parameter,
    bias: Option<&Parameter>,
) -> Result<(Matrix<T>, ImageShape)> {
    let plan = Plan::new(x.shape().1, image, window, weight, bias)?;
    #[cfg(not(feature = "composed"))]
    let out = fused::conv2d(x, &plan, weight, bias)?;
    #[cfg(feature = "composed")]
    let out = composed(x, &plan, weight, bias)?;
    Ok((out, plan.out()))
}

/// [`conv2d`] made of dfdx operations, for every device.
///
/// # Shapes
/// As [`conv2d`].
///
/// # Errors
/// As [`conv2d`].
pub fn conv2d_composed<T: Tape<f32, Dev>>(
    x: Matrix<T>,
    image: ImageShape,
    window: Window,
    weight: &Parameter,
    bias: Option<&Parameter>,
) -> Result<(Matrix<T>, ImageShape)> {
    let plan = Plan::new(x.shape().1, image, window, weight, bias)?;
    Ok((composed(x, &plan, weight, bias)?, plan.out()))
}

/// Refuses a bias that is not one number a filter.
pub(super) fn check_bias(op: &'static str, bias: Option<&Parameter>, filters: usize) -> Result<()> {
    match bias {
        Some(bias) if bias.shape() != [filters] => {
            Err(Error::shape(op, format!("a bias of {filters}"), format!("{:?}", bias.shape())))
        }
        _ => Ok(()),
    }
}

/// The sizes of a convolution.
#[derive(Clone, Copy)]
struct Plan {
    geometry: Geometry,
    filters: usize,
    groups: usize,
}

impl Plan {
    fn new(
        columns: usize,
        image: ImageShape,
        window: Window,
        weight: &Parameter,
        bias: Option<&Parameter>,
    ) -> Result<Self> {
        const NAME: &str = "conv2d";
        image.check(NAME, columns)?;
        let geometry = Geometry::new(image, window)?;
        let side = window.side;
        let misfit = || {
            let expected =
                format!("a weight (filters, channels of {}, {side}, {side}) in groups", image.channels);
            Error::shape(NAME, expected, format!("{:?}", weight.shape()))
        };
        let &[filters, seen, down, right] = weight.shape() else { return Err(misfit()) };
        if filters == 0 || seen == 0 || (down, right) != (side, side) {
            return Err(misfit());
        }
        let groups = image.channels / seen;
        if groups * seen != image.channels || !filters.is_multiple_of(groups) {
            return Err(misfit());
        }
        check_bias(NAME, bias, filters)?;
        Ok(Self { geometry, filters, groups })
    }

    /// The shape that comes out.
    fn out(&self) -> ImageShape {
        self.geometry.places.with_channels(self.filters)
    }

    /// Pixels a filter sees.
    fn taps(&self) -> usize {
        self.geometry.taps() / self.groups
    }
}

fn composed<T: Tape<f32, Dev>>(
    x: Matrix<T>,
    plan: &Plan,
    weight: &Parameter,
    bias: Option<&Parameter>,
) -> Result<Matrix<T>> {
    let (rows, places) = (x.shape().0, plan.out().pixels());
    let &Plan { filters, groups, .. } = plan;
    let views = view_columns(x, &plan.geometry)?.try_reshape_like(&(groups, plan.taps(), places * rows))?;
    let (views, tape) = views.split_tape();
    let weight = weight.value().clone().put_tape(tape);
    let weight = weight.try_reshape_like(&(groups, filters / groups, plan.taps()))?;
    let out: Tensor<(usize, usize, usize), f32, Dev, T> = weight.try_matmul(views.retaped::<T>())?;
    let mut out = out.try_reshape_like(&(filters, places * rows))?;
    if let Some(bias) = bias {
        let bias = bias.value().retaped::<T>().try_reshape_like(&(filters,))?;
        out = out.try_add(bias.try_broadcast_like::<_, Axis<1>>(&(filters, places * rows))?)?;
    }
    let out = out.try_reshape_like(&(filters * places, rows))?;
    Ok(out.try_permute::<(usize, usize), Axes2<1, 0>>()?.try_contiguous()?)
}

#[cfg(not(feature = "composed"))]
mod fused {
    use rayon::prelude::*;

    use super::*;
    use crate::ops::gemm::{product, Factor, Into};
    use crate::ops::image::depthwise;
    use crate::ops::image::direct::{Direct, Room};
    use crate::ops::image::unfold::backward;
    use crate::ops::simd::lane_sum;
    use crate::ops::tensors::{contents, host, matrix};

    /// Images of a block where the way of computing does not ask for another number; fixed, so that the gradients of
    /// the weights do not depend on the number of threads.
    const BLOCK: usize = 8;

    pub(super) fn conv2d<T: Tape<f32, Dev>>(
        x: Matrix<T>,
        plan: &Plan,
        weight: &Parameter,
        bias: Option<&Parameter>,
    ) -> Result<Matrix<T>> {
        let (x, mut tape) = x.try_contiguous()?.split_tape();
        let (rows, len) = *x.shape();
        let plan = *plan;
        let (weights, shift) = (host(weight.value()), bias.map(|b| host(b.value())));
        let (way, out_len) = (Way::of(&plan), plan.out().len());
        let (block, block_out) = (way.block() * len, way.block() * out_len);
        let values = contents(&x);
        let mut out = vec![0.0; rows * out_len];
        let arranged = way.forward_weights(&weights);
        values.par_chunks(block).zip(out.par_chunks_mut(block_out)).for_each_init(
            Scratch::default,
            |scratch, (images, out)| {
                way.forward(&plan, &arranged, images, out, scratch);
                if let Some(shift) = &shift {
                    let maps = out.chunks_exact_mut(plan.out().pixels());
                    maps.zip(shift.iter().cycle()).for_each(|(map, b)| map.iter_mut().for_each(|o| *o += b));
                }
            },
        );

        let out = matrix(out, rows, out_len)?;
        let (outer, weight, bias) = (out.clone(), weight.value().clone(), bias.map(|b| b.value().clone()));
        tape.add_backward_op(move |gradients| {
            let mut sums = Vec::new();
            let arranged = way.backward_weights(&weights);
            backward(gradients, &outer, &x, |on_out, on_x| {
                let images = values.par_chunks(block).zip(on_x.par_chunks_mut(block));
                let work = images.zip(on_out.par_chunks(block_out));
                let one =
                    |scratch: &mut Scratch, ((images, on_images), on_out): ((&[f32], &mut [f32]), _)| {
                        let mut on_weight = vec![0.0; weights.len()];
                        way.backward(&plan, &arranged, (images, on_images), on_out, &mut on_weight, scratch);
                        (on_weight, shift.as_ref().map(|_| sum_maps(on_out, &plan)))
                    };
                sums = work.map_init(Scratch::default, one).collect();
            })?;
            for (on_weight, on_bias) in &sums {
                add(gradients.get_or_alloc_mut(&weight)?, on_weight);
                if let (Some(bias), Some(on_bias)) = (&bias, on_bias) {
                    add(gradients.get_or_alloc_mut(bias)?, on_bias);
                }
            }
            Ok(())
        });
        Ok(out.put_tape(tape))
    }

    pub(in super::super) fn add(to: &mut [f32], from: &[f32]) {
        to.iter_mut().zip(from).for_each(|(to, from)| *to += from);
    }

    /// The sum of every filter's outputs.
    fn sum_maps(on_out: &[f32], plan: &Plan) -> Vec<f32> {
        let mut sums = vec![0.0; plan.filters];
        for on_out in on_out.chunks_exact(plan.out().len()) {
            for (sum, map) in sums.iter_mut().zip(on_out.chunks_exact(plan.out().pixels())) {
                *sum += lane_sum(map);
            }
        }
        sums
    }

    /// Room of one thread.
    #[derive(Default)]
    struct Scratch {
        direct: Room,
        views: Vec<f32>,
        on_views: Vec<f32>,
    }

    /// How a convolution is computed best.
    enum Way {
        /// Stride 1: sums of shifted images.
        Direct(Direct),
        /// One channel a filter: a product of matrices would be one of vectors.
        Depthwise,
        /// What the window sees, as a matrix, times the weights.
        Product,
    }

    impl Way {
        fn of(plan: &Plan) -> Self {
            let (geometry, channels) = (plan.geometry, plan.geometry.image.channels);
            match geometry.window {
                _ if plan.groups > 1 && plan.groups == channels => Self::Depthwise,
                // A single pixel is a matrix already.
                Window { side, stride: 1, padding } if plan.groups == 1 && padding < side && side > 1 => {
                    Self::Direct(Direct::new(geometry, plan.filters))
                }
                _ => Self::Product,
            }
        }

        fn block(&self) -> usize {
            match self {
                Self::Direct(direct) => direct.block(),
                _ => BLOCK,
            }
        }

        fn forward_weights(&self, weight: &[f32]) -> Vec<f32> {
            match self {
                Self::Direct(direct) => direct.forward_weights(weight),
                _ => weight.to_vec(),
            }
        }

        fn backward_weights(&self, weight: &[f32]) -> Vec<f32> {
            match self {
                Self::Direct(direct) => direct.backward_weights(weight),
                _ => weight.to_vec(),
            }
        }

        /// A block of images, over an output of zeros.
        fn forward(
            &self,
            plan: &Plan,
            weight: &[f32],
            images: &[f32],
            out: &mut [f32],
            scratch: &mut Scratch,
        ) {
            if let Self::Direct(direct) = self {
                return direct.forward(weight, images, out, &mut scratch.direct);
            }
            let outs = out.chunks_exact_mut(plan.out().len());
            for (image, out) in images.chunks_exact(plan.geometry.image.len()).zip(outs) {
                match self {
                    Self::Depthwise => depthwise::forward(&plan.geometry, weight, image, out),
                    _ => plan.product(weight, image, out, &mut scratch.views),
                }
            }
        }

        /// Adds to the gradients of a block of images and of the weights.
        fn backward(
            &self,
            plan: &Plan,
            weight: &[f32],
            (images, on_images): (&[f32], &mut [f32]),
            on_out: &[f32],
            on_weight: &mut [f32],
            scratch: &mut Scratch,
        ) {
            if let Self::Direct(direct) = self {
                return direct.backward(weight, images, on_images, on_out, on_weight, &mut scratch.direct);
            }
            let len = plan.geometry.image.len();
            let images = images.chunks_exact(len).zip(on_images.chunks_exact_mut(len));
            for ((image, on_image), on_out) in images.zip(on_out.chunks_exact(plan.out().len())) {
                match self {
                    Self::Depthwise => {
                        depthwise::backward(&plan.geometry, weight, (image, on_image), on_out, on_weight)
                    }
                    _ => plan.product_backward(weight, (image, on_image), on_out, on_weight, scratch),
                }
            }
        }
    }

    impl Plan {
        /// What every tap sees; the image itself where that is the same.
        fn views<'a>(&self, image: &'a [f32], room: &'a mut Vec<f32>) -> &'a [f32] {
            if self.geometry.is_identity() {
                return image;
            }
            // What the window never covers stays zero from one image to the next.
            room.resize(self.geometry.taps() * self.geometry.places.pixels(), 0.0);
            self.geometry.unfold(image, room);
            room
        }

        fn product(&self, weight: &[f32], image: &[f32], out: &mut [f32], room: &mut Vec<f32>) {
            let (taps, places) = (self.taps(), self.out().pixels());
            let filters = self.filters / self.groups;
            let views = self.views(image, room).chunks_exact(taps * places);
            let parts = views.zip(out.chunks_exact_mut(filters * places));
            for (weight, (views, out)) in weight.chunks_exact(filters * taps).zip(parts) {
                let weight = Factor::plain(weight, filters, taps);
                product(weight, Factor::plain(views, taps, places), out, Into::Replace);
            }
        }

        fn product_backward(
            &self,
            weight: &[f32],
            (image, on_image): (&[f32], &mut [f32]),
            on_out: &[f32],
            on_weight: &mut [f32],
            scratch: &mut Scratch,
        ) {
            let (taps, places) = (self.taps(), self.out().pixels());
            let filters = self.filters / self.groups;
            let views = self.views(image, &mut scratch.views);
            let (on_views, into) = match self.geometry.is_identity() {
                true => (&mut *on_image, Into::Add),
                false => {
                    scratch.on_views.resize(views.len(), 0.0);
                    (scratch.on_views.as_mut_slice(), Into::Replace)
                }
            };
            let weights = weight.chunks_exact(filters * taps).zip(on_weight.chunks_exact_mut(filters * taps));
            let seen = views.chunks_exact(taps * places).zip(on_views.chunks_exact_mut(taps * places));
            let parts = seen.zip(on_out.chunks_exact(filters * places));
            for ((weight, on_weight), ((views, on_views), on_out)) in weights.zip(parts) {
                let on_out = Factor::plain(on_out, filters, places);
                let (views, weight) =
                    (Factor::plain(views, taps, places), Factor::plain(weight, filters, taps));
                product(on_out, views.transposed(), on_weight, Into::Add);
                product(weight.transposed(), on_out, on_views, into);
            }
            if !self.geometry.is_identity() {
                self.geometry.fold(&scratch.on_views, on_image);
            }
        }
    }
}

#[cfg(not(feature = "composed"))]
pub(super) use fused::add;
