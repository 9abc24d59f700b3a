//! Results as pictures and tables: [`Figure`] (SVG, PNG), [`Table`] (HTML, text) and [`Block`].
//!
//! Everything here takes plain numbers and owns what it is given, so a value can be the last
//! expression of a notebook cell (`evcxr_display` shows it) or be saved to a file.
//!
//! A picture looks the same on every machine: no system fonts are read. Raster images use the font
//! embedded in this crate; vector images name it first among fonts of about the same width.
//!
//! # Example
//! ```
//! use reloss::display::{Figure, Panel};
//! let panel = Panel::new("Held-out predictions")
//!     .x("loss")
//!     .y("accuracy")
//!     .points("learned", &[(0.1, 0.95), (0.4, 0.8), (0.9, 0.35)]);
//! let svg = Figure::new().panel(panel).svg()?;
//! assert!(svg.contains(">accuracy</text>"));
//! # Ok::<(), reloss::Error>(())
//! ```

mod ablation;
mod axis;
mod block;
mod canvas;
mod chart;
mod check;
mod draw;
mod figure;
mod geometry;
mod layers;
mod marked;
mod raster;
mod report;
mod shades;
mod table;
mod text;

pub use ablation::{ablation, transfer_matrix};
pub use axis::{Axis, Scale};
pub use block::{Block, Part};
pub use chart::{Layer, Panel};
pub use figure::Figure;
pub use marked::MarkedText;
pub use report::{training_bands, training_curves, Named};
pub use table::{mean_sd, Best, Table};
