//! A figure: panels composed into one image, and its ways out (SVG, PNG, file, notebook).

use std::fmt;
use std::path::Path;

use plotters::drawing::IntoDrawingArea;
use plotters::prelude::SVGBackend;

use super::canvas::Canvas;
use super::chart::Panel;
use super::draw::{self, Plan};
use super::raster::Raster;
use super::text;
use crate::error::{Error, Result};
use crate::files;

/// Width and height of a panel in CSS pixels: two beside one another fill a notebook's column.
const PANEL: (u32, u32) = (420, 320);
/// The widest figure in CSS pixels; panels shrink to fit.
const WIDEST: u32 = 1300;
/// Panels narrower or lower than this have no room for their labels.
const SMALLEST: (u32, u32) = (200, 160);
/// The largest height of one panel.
const HIGHEST: u32 = 2000;
/// The most panels in a figure, so that its pixels fit in memory.
const MOST_PANELS: usize = 48;
/// Units of the SVG's coordinates per CSS pixel: plotters' coordinates are whole numbers.
const SVG_UNITS: u32 = 10;
/// Image pixels of a PNG per CSS pixel.
const PNG_PIXELS: u32 = 2;

/// Panels composed into one image; in a notebook, a cell's picture.
///
/// Panels fill the rows from the left. Those of one row share the top and bottom of their axes,
/// those of one column the left end. A row grows where its legend would leave the data no room.
/// PNG shows Latin and Greek letters and mathematical signs; others appear as boxes there.
///
/// # Example
/// ```
/// use reloss::display::{Figure, Panel};
/// let figure = Figure::new()
///     .panel(Panel::new("Accuracy").bars("digits", &["cross-entropy", "learned"], &[0.91, 0.93]))
///     .panel(Panel::new("Loss").log_y().line("train", &[(0.0, 1.0), (1.0, 0.1), (2.0, 0.02)]));
/// let png = figure.png()?;
/// assert_eq!(&png[1..4], b"PNG");
/// assert_eq!(format!("{figure:?}"), r#"Figure(["Accuracy", "Loss"])"#);
/// assert!(Figure::new().svg().is_err(), "nothing to draw");
/// # Ok::<(), reloss::Error>(())
/// ```
#[derive(Clone, Default, PartialEq)]
pub struct Figure {
    /// The charts, row after row.
    pub panels: Vec<Panel>,
    /// Panels in a row; chosen by their number where `None`.
    pub columns: Option<usize>,
    /// Width and height of one panel in CSS pixels; 420 × 320 where `None`.
    pub panel_size: Option<(u32, u32)>,
}

impl fmt::Debug for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let titles: Vec<&str> = self.panels.iter().map(|p| p.title.as_str()).collect();
        write!(f, "Figure({titles:?})")
    }
}

impl Figure {
    /// A figure without panels yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a panel.
    pub fn panel(mut self, panel: Panel) -> Self {
        self.panels.push(panel);
        self
    }

    /// Sets how many panels stand in a row, 1 to 6.
    pub fn columns(mut self, columns: usize) -> Self {
        self.columns = Some(columns);
        self
    }

    /// Sets the size of one panel in CSS pixels: 200–1300 wide, 160–2000 high; 420 × 320 by default.
    pub fn panel_size(mut self, width: u32, height: u32) -> Self {
        self.panel_size = Some((width, height));
        self
    }

    /// Panels in a row, and the size of one.
    fn layout(&self) -> Result<(usize, (u32, u32))> {
        let count = self.panels.len();
        if count == 0 {
            return Err(Error::Draw { what: "figure".into(), reason: "it has no panels".into() });
        }
        if count > MOST_PANELS {
            return Err(Error::Draw {
                what: "figure".into(),
                reason: format!("{count} panels, more than {MOST_PANELS}"),
            });
        }
        let columns = self.columns.unwrap_or(if count == 4 { 2 } else { count.min(3) });
        let most = (WIDEST / SMALLEST.0) as usize;
        if !(1..=most).contains(&columns) {
            return Err(Error::parameter("columns", format!("{columns} is outside 1..={most}")));
        }
        let columns = columns.min(count);
        let (width, height) = self.panel_size.unwrap_or(PANEL);
        if !(SMALLEST.0..=WIDEST).contains(&width) || !(SMALLEST.1..=HIGHEST).contains(&height) {
            return Err(Error::parameter(
                "panel_size",
                format!(
                    "{width} × {height} is outside {}..={WIDEST} × {}..={HIGHEST}",
                    SMALLEST.0, SMALLEST.1
                ),
            ));
        }
        Ok((columns, (width.min(WIDEST / columns as u32), height)))
    }

    fn plan(&self) -> Result<Plan<'_>> {
        let (columns, size) = self.layout()?;
        draw::plan(&self.panels, columns, size)
    }

    /// The figure as an SVG document, text as text.
    ///
    /// # Errors
    /// [`Error::Draw`] for a figure without panels, a panel without data, or data that cannot be
    /// drawn (not finite, of unequal length, not positive on a log axis), naming panel and series;
    /// [`Error::Parameter`] for columns, sizes or ranges outside their limits.
    pub fn svg(&self) -> Result<String> {
        let plan = self.plan()?;
        let mut drawn = String::new();
        {
            let size = (plan.width * SVG_UNITS, plan.height * SVG_UNITS);
            let area = SVGBackend::with_string(&mut drawn, size).into_drawing_area();
            let canvas = Canvas { area, scale: f64::from(SVG_UNITS) };
            draw::figure(&canvas, &plan)?;
            canvas
                .area
                .present()
                .map_err(|e| Error::Draw { what: "figure".into(), reason: e.to_string() })?;
        }
        Ok(finish_svg(&drawn, &plan, &self.alternative()))
    }

    /// The figure as a PNG image, two image pixels per CSS pixel.
    ///
    /// # Errors
    /// As for [`Figure::svg`].
    pub fn png(&self) -> Result<Vec<u8>> {
        encode(&self.pixels()?)
    }

    pub(super) fn pixels(&self) -> Result<Pixels> {
        let plan = self.plan()?;
        let (width, height) = (plan.width * PNG_PIXELS, plan.height * PNG_PIXELS);
        let mut bytes = vec![255; 3 * width as usize * height as usize];
        {
            let raster = Raster::new(&mut bytes, width as usize, height as usize);
            let canvas = Canvas { area: raster.into_drawing_area(), scale: f64::from(PNG_PIXELS) };
            draw::figure(&canvas, &plan)?;
        }
        Ok(Pixels { width, height, bytes })
    }

    /// Writes the figure to `path`, as its ending says: `.svg` or `.png`.
    ///
    /// # Errors
    /// As for [`Figure::svg`]; [`Error::Parameter`] for another ending, [`Error::Io`] where the
    /// file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        match path.extension().and_then(|e| e.to_str()).map(str::to_ascii_lowercase).as_deref() {
            Some("svg") => files::write_atomic(path, self.svg()?.as_bytes()),
            Some("png") => files::write_atomic(path, &self.png()?),
            _ => Err(Error::parameter("path", format!("{} ends in neither .svg nor .png", path.display()))),
        }
    }

    /// Shows the figure in a notebook: as SVG, as PNG where SVG is not shown, and its name as text.
    ///
    /// A figure that cannot be drawn prints why to stderr.
    pub fn evcxr_display(&self) {
        match self.svg().and_then(|svg| Ok((svg, self.png()?))) {
            Ok((svg, png)) => {
                // Pictures are thousands of marks: as pixels alone they keep a notebook small.
                if svg.len() <= LARGEST_SVG {
                    evcxr_runtime::mime_type("image/svg+xml").text(svg);
                }
                evcxr_runtime::mime_type("image/png").bytes(&png);
                evcxr_runtime::mime_type("text/plain").text(format!("{self:?}"));
            }
            Err(error) => eprintln!("{error}"),
        }
    }

    /// What the figure shows, for readers who cannot see it.
    pub(super) fn alternative(&self) -> String {
        let titles: Vec<String> = self.panels.iter().map(|p| text::clean(&p.title)).collect();
        format!("Chart: {}", titles.join("; "))
    }
}

/// Bytes of a vector image in a notebook at most.
const LARGEST_SVG: usize = 400_000;

/// Gives plotters' SVG its size in CSS pixels, a name, and texts without line breaks around them.
fn finish_svg(drawn: &str, plan: &Plan, name: &str) -> String {
    let (width, height) = (plan.width, plan.height);
    let mut svg = format!(
        "<svg width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {} {}\" \
         xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" aria-label=\"{}\" \
         stroke-linecap=\"round\" stroke-linejoin=\"round\">\n",
        width * SVG_UNITS,
        height * SVG_UNITS,
        text::escape(name)
    );
    for line in drawn.lines().skip(1) {
        if line == "</text>" {
            svg.truncate(svg.trim_end_matches('\n').len());
        }
        svg.push_str(line);
        if !line.starts_with("<text ") {
            svg.push('\n');
        }
    }
    svg
}

/// An image: three bytes (red, green, blue) per pixel, row after row from the top.
pub(super) struct Pixels {
    pub width: u32,
    pub height: u32,
    pub bytes: Vec<u8>,
}

/// The image as a PNG file.
pub(super) fn encode(image: &Pixels) -> Result<Vec<u8>> {
    let encode = || -> Result<Vec<u8>, png::EncodingError> {
        let mut file = Vec::new();
        let mut encoder = png::Encoder::new(&mut file, image.width, image.height);
        encoder.set_color(png::ColorType::Rgb);
        encoder.set_depth(png::BitDepth::Eight);
        // A CSS pixel is 1/96 inch.
        let per_metre = (f64::from(96 * PNG_PIXELS) / 0.0254).round() as u32;
        encoder.set_pixel_dims(Some(png::PixelDimensions {
            xppu: per_metre,
            yppu: per_metre,
            unit: png::Unit::Meter,
        }));
        let mut writer = encoder.write_header()?;
        writer.write_image_data(&image.bytes)?;
        writer.finish()?;
        Ok(file)
    };
    encode().map_err(|e| Error::Draw { what: "figure".into(), reason: e.to_string() })
}
