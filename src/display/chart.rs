//! What a chart shows: a panel with its axes and layers, as plain data.

use std::fmt;

use super::axis::{Axis, Scale};

/// One kind of mark over the axes of a [`Panel`]; layers with one label share colour and shape.
///
/// A layer with an empty label is drawn but not named in the legend.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub enum Layer {
    /// A mark at each (x, y).
    Points {
        /// Name in the legend.
        label: String,
        /// The positions.
        points: Vec<(f64, f64)>,
    },
    /// Straight segments from each (x, y) to the next.
    Line {
        /// Name in the legend.
        label: String,
        /// The positions, in the order they are joined.
        points: Vec<(f64, f64)>,
    },
    /// A translucent area between two curves.
    Band {
        /// Name in the legend.
        label: String,
        /// Where both curves are given.
        x: Vec<f64>,
        /// The lower curve.
        low: Vec<f64>,
        /// The upper curve.
        high: Vec<f64>,
    },
    /// A bar per category, side by side with the bars of other labels.
    Bars {
        /// Name in the legend.
        label: String,
        /// Names under the bars.
        categories: Vec<String>,
        /// One height per category.
        heights: Vec<f64>,
        /// Half the length of each error bar; empty for none.
        spreads: Vec<f64>,
    },
    /// Counts of values in bins of equal width.
    Histogram {
        /// Name in the legend.
        label: String,
        /// What is counted.
        values: Vec<f64>,
        /// Number of bins, at least 1, over the range of all histograms in the panel.
        bins: usize,
    },
    /// A horizontal reference line (chance, a baseline).
    Level {
        /// Name in the legend.
        label: String,
        /// Its height.
        y: f64,
    },
    /// A grey picture, first row at the top.
    Picture {
        /// Number of columns.
        columns: usize,
        /// Row after row, from 0 (black) to 1 (white).
        values: Vec<f64>,
    },
    /// A matrix as shades, first row at the top.
    Heat {
        /// Name beside the colour scale.
        label: String,
        /// Number of columns.
        columns: usize,
        /// Row after row.
        values: Vec<f64>,
        /// Names of the rows and of the columns, with every value written in its cell; where empty, both are counted.
        names: [Vec<String>; 2],
    },
}

impl Layer {
    /// The name in the legend.
    pub fn label(&self) -> &str {
        match self {
            Self::Points { label, .. }
            | Self::Line { label, .. }
            | Self::Band { label, .. }
            | Self::Bars { label, .. }
            | Self::Histogram { label, .. }
            | Self::Level { label, .. }
            | Self::Heat { label, .. } => label,
            Self::Picture { .. } => "",
        }
    }
}

impl fmt::Debug for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, count) = match self {
            Self::Points { points, .. } => ("Points", points.len()),
            Self::Line { points, .. } => ("Line", points.len()),
            Self::Band { x, .. } => ("Band", x.len()),
            Self::Bars { heights, .. } => ("Bars", heights.len()),
            Self::Histogram { values, .. } => ("Histogram", values.len()),
            Self::Level { .. } => ("Level", 1),
            Self::Heat { values, .. } => ("Heat", values.len()),
            Self::Picture { values, .. } => ("Picture", values.len()),
        };
        write!(f, "{kind}({:?}, {count})", self.label())
    }
}

/// One chart: a title, two axes and the layers drawn over them.
///
/// Nothing is checked while a panel is put together; [`Figure::svg`](super::Figure::svg) and its
/// siblings refuse data that cannot be drawn, naming the panel and the series.
///
/// # Example
/// ```
/// use reloss::display::Panel;
/// let steps = [0.0, 100.0, 200.0];
/// let panel = Panel::new("Training")
///     .x("step")
///     .y("Spearman correlation")
///     .band("mean ± sd", &steps, &[0.1, 0.6, 0.8], &[0.3, 0.8, 0.9])
///     .line("mean ± sd", &[(0.0, 0.2), (100.0, 0.7), (200.0, 0.85)])
///     .note("5 seeds");
/// assert_eq!(
///     format!("{panel:?}"),
///     r#"Panel("Training", [Band("mean ± sd", 3), Line("mean ± sd", 3)])"#
/// );
/// ```
#[derive(Clone, Default, PartialEq)]
pub struct Panel {
    /// Above the chart.
    pub title: String,
    /// Lines of text under the title.
    pub notes: Vec<String>,
    /// The horizontal axis.
    pub x: Axis,
    /// The vertical axis.
    pub y: Axis,
    /// What is drawn, first to last.
    pub layers: Vec<Layer>,
}

impl fmt::Debug for Panel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Panel({:?}, {:?})", self.title, self.layers)
    }
}

impl Panel {
    /// An empty chart with this title.
    pub fn new(title: &str) -> Self {
        Self { title: title.into(), ..Self::default() }
    }

    /// Names the horizontal axis, with its unit.
    pub fn x(mut self, label: &str) -> Self {
        self.x.label = label.into();
        self
    }

    /// Names the vertical axis, with its unit.
    pub fn y(mut self, label: &str) -> Self {
        self.y.label = label.into();
        self
    }

    /// Makes the horizontal axis logarithmic; all x must be positive.
    pub fn log_x(mut self) -> Self {
        self.x.scale = Scale::Log;
        self
    }

    /// Makes the vertical axis logarithmic; all y must be positive.
    pub fn log_y(mut self) -> Self {
        self.y.scale = Scale::Log;
        self
    }

    /// Fixes the ends of the horizontal axis; what lies outside is cut off.
    pub fn x_range(mut self, low: f64, high: f64) -> Self {
        self.x.range = Some((low, high));
        self
    }

    /// Fixes the ends of the vertical axis; what lies outside is cut off.
    pub fn y_range(mut self, low: f64, high: f64) -> Self {
        self.y.range = Some((low, high));
        self
    }

    /// Adds a line of text under the title ("Spearman −0.98").
    pub fn note(mut self, text: &str) -> Self {
        self.notes.push(text.into());
        self
    }

    /// Adds a mark at each (x, y).
    pub fn points(self, label: &str, points: &[(f64, f64)]) -> Self {
        self.layer(Layer::Points { label: label.into(), points: points.to_vec() })
    }

    /// Adds a curve through (x, y), joined in the order given.
    pub fn line(self, label: &str, points: &[(f64, f64)]) -> Self {
        self.layer(Layer::Line { label: label.into(), points: points.to_vec() })
    }

    /// Adds a translucent area between `low` and `high` at each `x` (mean ± sd).
    pub fn band(self, label: &str, x: &[f64], low: &[f64], high: &[f64]) -> Self {
        let (x, low, high) = (x.to_vec(), low.to_vec(), high.to_vec());
        self.layer(Layer::Band { label: label.into(), x, low, high })
    }

    /// Adds a bar per category; the horizontal axis then shows the categories, at 0, 1, 2, ….
    pub fn bars(self, label: &str, categories: &[&str], heights: &[f64]) -> Self {
        self.bars_with_spread(label, categories, heights, &[])
    }

    /// Adds bars with error bars from `height − spread` to `height + spread`.
    pub fn bars_with_spread(
        self,
        label: &str,
        categories: &[&str],
        heights: &[f64],
        spreads: &[f64],
    ) -> Self {
        self.layer(Layer::Bars {
            label: label.into(),
            categories: categories.iter().map(|c| c.to_string()).collect(),
            heights: heights.to_vec(),
            spreads: spreads.to_vec(),
        })
    }

    /// Adds counts of `values` in `bins` equal bins over the range of all histograms here.
    pub fn histogram(self, label: &str, values: &[f64], bins: usize) -> Self {
        self.layer(Layer::Histogram { label: label.into(), values: values.to_vec(), bins })
    }

    /// Adds a horizontal reference line (chance, a baseline) at `y`.
    pub fn level(self, label: &str, y: f64) -> Self {
        self.layer(Layer::Level { label: label.into(), y })
    }

    /// Adds a grey picture: `values` from 0 (black) to 1 (white), row after row, `columns` in each, first row at the top; what
    /// lies outside is cut off. Further layers are drawn over it, in its pixels from 0.
    pub fn picture(self, columns: usize, values: &[f64]) -> Self {
        self.layer(Layer::Picture { columns, values: values.to_vec() })
    }

    /// Adds a matrix as shades: `values` row after row, `columns` in each, first row at the top.
    ///
    /// Both axes count from 0.
    pub fn heat(self, label: &str, columns: usize, values: &[f64]) -> Self {
        let names = Default::default();
        self.layer(Layer::Heat { label: label.into(), columns, values: values.to_vec(), names })
    }

    /// Adds a matrix as shades with its values: a name per row and per column, first row at the top.
    ///
    /// Values of both signs are blue above 0 and orange below, white at 0.
    ///
    /// # Example
    /// ```
    /// use reloss::display::{Figure, Panel};
    /// let panel = Panel::new("confusion").heat_named("share", &["cat", "dog"], &["cat", "dog"], &[0.9, 0.1, 0.3, 0.7]);
    /// assert!(Figure::new().panel(panel).svg()?.contains("dog"));
    /// # Ok::<(), reloss::Error>(())
    /// ```
    pub fn heat_named(self, label: &str, rows: &[&str], columns: &[&str], values: &[f64]) -> Self {
        let names = [rows, columns].map(|names| names.iter().map(|n| n.to_string()).collect());
        self.layer(Layer::Heat {
            label: label.into(),
            columns: columns.len(),
            values: values.to_vec(),
            names,
        })
    }

    /// Adds a layer.
    pub fn layer(mut self, layer: Layer) -> Self {
        self.layers.push(layer);
        self
    }
}
