//! Pretrained word vectors in text form.

use std::collections::btree_map::{BTreeMap, Entry};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use crate::error::{Error, Result};

/// Pretrained word vectors by the numbers of their words, as GloVe, word2vec and fastText publish them in text form.
///
/// # Example
/// ```
/// use reloss::model::{Reader, ReaderConfig, WordVectors};
/// let path = std::env::temp_dir().join(format!("vectors-{}.txt", std::process::id()));
/// std::fs::write(&path, "the 1 0\ncat -0.5 2\ndog 3 4\n").map_err(|e| reloss::Error::Io { path: path.clone(), source: e })?;
/// let words = ["cat", "the", "bird"];
/// let vectors = WordVectors::read(&path, |word| words.iter().position(|w| *w == word).map(|i| i + 4))?;
/// assert_eq!((vectors.len(), vectors.width(), vectors.get(4)), (2, 2, Some([-0.5, 2.0].as_slice())));
/// let config = ReaderConfig { embedding: 2, ..ReaderConfig::small(7) };
/// let reader = Reader::new(config, 0)?.with_vectors(&vectors)?;
/// # std::fs::remove_file(&path).ok();
/// # Ok::<(), reloss::Error>(())
/// ```
///
/// # Reference
/// Pennington, Socher, Manning, "GloVe", EMNLP 2014; Bojanowski et al., "Enriching Word Vectors with Subword Information",
/// TACL 2017.
#[derive(Clone, PartialEq)]
pub struct WordVectors {
    width: usize,
    /// Ordered, so that what is done with all is done in one order.
    vectors: BTreeMap<usize, Vec<f32>>,
}

impl std::fmt::Debug for WordVectors {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        let shown = format!("{} of {} numbers", self.len(), self.width);
        f.debug_tuple("WordVectors").field(&format_args!("{shown}")).finish()
    }
}

impl WordVectors {
    /// Reads the vectors of the words that `id` knows, line by line.
    ///
    /// A line has a word and its numbers, between single spaces; the first may have a count and a width instead. The count is
    /// not checked, as such files are often cut. Of a word that occurs twice the first vector counts. Words may have spaces
    /// (GloVe's do). Every line's width is checked, but only the numbers of known words are read.
    ///
    /// # Errors
    /// [`Error::Io`] for a missing file; [`Error::Data`] with the line for bytes that are no UTF-8, another width than the
    /// first line's, or what is not a finite number, and for a file without vectors.
    pub fn read(path: &Path, id: impl Fn(&str) -> Option<usize>) -> Result<Self> {
        let mut file = BufReader::new(File::open(path).map_err(Error::io(path))?);
        let (mut width, mut vectors) = (None, BTreeMap::new());
        let (mut bytes, mut number, mut lines) = (Vec::new(), 0, 0);
        loop {
            bytes.clear();
            if file.read_until(b'\n', &mut bytes).map_err(Error::io(path))? == 0 {
                break;
            }
            number += 1;
            let wrong = |reason: String| Error::data(path, Some(number), reason);
            let line = std::str::from_utf8(&bytes).map_err(|_| wrong("not UTF-8".to_string()))?;
            let line = line.trim_end_matches(['\n', '\r', ' ']);
            if line.is_empty() {
                continue;
            }
            if let (1, Some(announced)) = (number, header(line)) {
                width = Some(announced);
                continue;
            }
            let width = *width.get_or_insert_with(|| line.matches(' ').count());
            let (word, numbers) = cut(line, width).map_err(wrong)?;
            lines += 1;
            if let Some(id) = id(word) {
                if let Entry::Vacant(vacant) = vectors.entry(id) {
                    vacant.insert(parsed(word, numbers).map_err(wrong)?);
                }
            }
        }
        match (width, lines) {
            (Some(width), 1..) => Ok(Self { width, vectors }),
            _ => Err(Error::data(path, None, "no word vectors")),
        }
    }

    /// How many words were found.
    pub fn len(&self) -> usize {
        self.vectors.len()
    }

    /// Whether no word was.
    pub fn is_empty(&self) -> bool {
        self.vectors.is_empty()
    }

    /// Numbers a vector, from 1.
    pub fn width(&self) -> usize {
        self.width
    }

    /// The vector of the word with this number, if it was found.
    pub fn get(&self, id: usize) -> Option<&[f32]> {
        self.vectors.get(&id).map(Vec::as_slice)
    }

    /// All that were found, by number.
    pub(super) fn iter(&self) -> impl Iterator<Item = (usize, &[f32])> + '_ {
        self.vectors.iter().map(|(&id, vector)| (id, vector.as_slice()))
    }

    /// The size of a typical number; 0 without vectors.
    pub(super) fn root_mean_square(&self) -> f64 {
        let squares: f64 = self.vectors.values().flatten().map(|&v| f64::from(v).powi(2)).sum();
        (squares / (self.len() * self.width).max(1) as f64).sqrt()
    }
}

/// The width that a line of a count and a width gives.
fn header(line: &str) -> Option<usize> {
    let (count, width) = line.split_once(' ')?;
    count.parse::<usize>().ok()?;
    width.parse().ok()
}

/// A word and its numbers, which are the last `width` fields.
fn cut(line: &str, width: usize) -> std::result::Result<(&str, &str), String> {
    let spaces = line.matches(' ').count();
    let wrong = || format!("{spaces} numbers where {width} are wanted");
    if width == 0 {
        return Err("a word without numbers".to_string());
    }
    let (place, _) = line.rmatch_indices(' ').nth(width - 1).ok_or_else(wrong)?;
    let (word, numbers) = (&line[..place], &line[place + 1..]);
    // A word may have spaces, but where its last part is a number, the line has too many of them.
    match word.rsplit_once(' ') {
        Some((_, last)) if last.parse::<f32>().is_ok() => Err(wrong()),
        _ => Ok((word, numbers)),
    }
}

fn parsed(word: &str, numbers: &str) -> std::result::Result<Vec<f32>, String> {
    let number = |field: &str| match field.parse::<f32>() {
        Ok(number) if number.is_finite() => Ok(number),
        _ => Err(format!("`{field}` of `{word}` is not a finite number")),
    };
    numbers.split(' ').map(number).collect()
}
