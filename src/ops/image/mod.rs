//! Images as rows of matrices: windows, convolution, pooling, normalisation.

mod activate;
mod batch_norm;
#[cfg(not(feature = "composed"))]
mod batch_norm_fused;
mod conv2d;
mod conv_pool;
mod conv_transpose2d;
#[cfg(not(feature = "composed"))]
mod depthwise;
#[cfg(not(feature = "composed"))]
mod direct;
mod pick;
mod pool;
mod shape;
mod unfold;

pub(crate) use activate::{activate, join, Bounds};
pub(crate) use batch_norm::normalise;
pub use batch_norm::{batch_norm, batch_norm_composed, batch_norm_with, batch_norm_with_composed, Moments};
pub use conv2d::{conv2d, conv2d_composed};
pub use conv_pool::{conv_pool, conv_pool_composed};
pub(crate) use conv_transpose2d::spread_shape;
pub use conv_transpose2d::{conv_transpose2d, conv_transpose2d_composed};
pub use pick::{shrink, upsample};
pub use pool::{average_pool, global_average, max_pool, max_pool_composed};
pub use shape::Window;
pub use unfold::{unfold, unfold_composed};
