//! Text, figures and tables in one cell or page.

use std::fmt;
use std::path::Path;

use super::figure::{encode, Figure, Pixels};
use super::marked::MarkedText;
use super::table::Table;
use super::text::{clean, escape};
use crate::error::{Error, Result};
use crate::files;

/// A part of a [`Block`].
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Part {
    /// A paragraph.
    Text(String),
    /// A picture.
    Figure(Figure),
    /// A table.
    Table(Table),
    /// A text with parts marked.
    Marked(MarkedText),
}

/// Text, figures and tables shown together: a notebook cell shows one value only.
///
/// # Example
/// ```
/// use polars::df;
/// use reloss::display::{Block, Figure, Panel, Table};
/// let panel = Panel::new("Profile").line("loss", &[(0.0, 2.0), (1.0, 0.5)]);
/// let frame = df!("n" => [1, 2], "loss" => [2.0, 0.5]).unwrap();
/// let block = Block::new()
///     .paragraph("The loss falls.")
///     .figure(Figure::new().panel(panel))
///     .table(Table::new(frame, "Values"));
/// assert!(block.html()?.contains("<td align=\"right\""));
/// assert!(block.text()?.starts_with("The loss falls.\n\n[Chart: Profile]\n\nValues\n"));
/// # Ok::<(), reloss::Error>(())
/// ```
#[derive(Clone, Default)]
pub struct Block {
    /// What is shown, first to last.
    pub parts: Vec<Part>,
}

impl fmt::Debug for Block {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Block")?;
        f.debug_list().entries(&self.parts).finish()
    }
}

impl Block {
    /// A block without parts yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a paragraph.
    pub fn paragraph(mut self, text: &str) -> Self {
        self.parts.push(Part::Text(text.into()));
        self
    }

    /// Adds a figure.
    pub fn figure(mut self, figure: Figure) -> Self {
        self.parts.push(Part::Figure(figure));
        self
    }

    /// Adds a table.
    pub fn table(mut self, table: Table) -> Self {
        self.parts.push(Part::Table(table));
        self
    }

    /// Adds a text with parts marked.
    pub fn marked(mut self, text: MarkedText) -> Self {
        self.parts.push(Part::Marked(text));
        self
    }

    /// The block as HTML, its figures as images within it (SVG as data URLs).
    ///
    /// Images, not `<svg>` elements: notebooks that the reader has not run are shown without
    /// the latter, and an image's names cannot clash with those of another.
    ///
    /// # Errors
    /// As for [`Figure::svg`] and [`Table::html`].
    pub fn html(&self) -> Result<String> {
        let mut html = String::new();
        for part in &self.parts {
            match part {
                Part::Text(text) => html.push_str(&format!("<p>{}</p>\n", escape(&clean(text)))),
                Part::Figure(figure) => html.push_str(&format!(
                    "<p><img alt=\"{}\" src=\"{}\"/></p>\n",
                    escape(&figure.alternative()),
                    data_url(&figure.svg()?)
                )),
                Part::Table(table) => html.push_str(&table.html()?),
                Part::Marked(text) => html.push_str(&text.html()),
            }
        }
        Ok(html)
    }

    /// The block as plain text, figures by their titles.
    ///
    /// # Errors
    /// As for [`Table::text`].
    pub fn text(&self) -> Result<String> {
        let parts: Result<Vec<String>> = self
            .parts
            .iter()
            .map(|part| match part {
                Part::Text(text) => Ok(clean(text)),
                Part::Figure(figure) => Ok(format!("[{}]", figure.alternative())),
                Part::Table(table) => Ok(table.text()?.trim_end().to_string()),
                Part::Marked(text) => Ok(text.text()),
            })
            .collect();
        Ok(parts?.join("\n\n"))
    }

    /// All figures of the block in one PNG image, one under the other; `None` without figures.
    ///
    /// # Errors
    /// As for [`Figure::png`].
    pub fn png(&self) -> Result<Option<Vec<u8>>> {
        let mut images = Vec::new();
        for part in &self.parts {
            if let Part::Figure(figure) = part {
                images.push(figure.pixels()?);
            }
        }
        if images.is_empty() {
            return Ok(None);
        }
        let width = images.iter().map(|i| i.width).max().unwrap_or(0);
        let mut all = Pixels { width, height: 0, bytes: Vec::new() };
        for image in &images {
            all.height += image.height;
            for row in image.bytes.chunks(3 * image.width as usize) {
                all.bytes.extend_from_slice(row);
                all.bytes.resize(all.bytes.len() + 3 * (width - image.width) as usize, 255);
            }
        }
        encode(&all).map(Some)
    }

    /// Writes the block to `path` as a page (`.html`) or as text (`.md`, `.txt`).
    ///
    /// # Errors
    /// As for [`Block::html`]; [`Error::Parameter`] for another ending, [`Error::Io`] where the
    /// file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        match path.extension().and_then(|e| e.to_str()).map(str::to_ascii_lowercase).as_deref() {
            Some("html") => files::write_atomic(path, page(&self.html()?).as_bytes()),
            Some("md" | "txt") => files::write_atomic(path, self.text()?.as_bytes()),
            _ => Err(Error::parameter("path", format!("{} ends in none of .html .md .txt", path.display()))),
        }
    }

    /// Shows the block in a notebook: as HTML, its figures as PNG, and as text.
    ///
    /// A block that cannot be shown prints why to stderr.
    pub fn evcxr_display(&self) {
        let forms = || Ok::<_, Error>((self.html()?, self.png()?, self.text()?));
        match forms() {
            Ok((html, png, text)) => {
                evcxr_runtime::mime_type("text/html").text(html);
                if let Some(png) = png {
                    evcxr_runtime::mime_type("image/png").bytes(&png);
                }
                evcxr_runtime::mime_type("text/plain").text(text);
            }
            Err(error) => eprintln!("{error}"),
        }
    }
}

/// A whole HTML document around `body`.
pub(super) fn page(body: &str) -> String {
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\"/></head>\n\
         <body style=\"font-family: sans-serif\">\n{body}</body>\n</html>\n"
    )
}

/// `svg` as a data URL that can stand in a double-quoted attribute.
fn data_url(svg: &str) -> String {
    let mut url = String::from("data:image/svg+xml,");
    for c in svg.chars() {
        match c {
            // Every quote in texts is escaped, so those left are around attributes.
            '"' => url.push('\''),
            '\n' => {}
            ' ' | '%' | '#' | '<' | '>' | '&' | '\\' | '^' | '`' | '{' | '|' | '}' => {
                url.push_str(&format!("%{:02X}", c as u32));
            }
            c if c.is_ascii_graphic() => url.push(c),
            c => c.encode_utf8(&mut [0; 4]).bytes().for_each(|b| url.push_str(&format!("%{b:02X}"))),
        }
    }
    url
}
