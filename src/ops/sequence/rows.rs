//! Which rows of a matrix are which sentence's.

use std::ops::Range;

use crate::error::{Error, Result};

/// Sentences in a matrix of one row a token: row ranges, in order.
///
/// *Packed* rows are tokens only, sentence after sentence; *padded* rows give every sentence the same number of positions,
/// of which those from its length on hold nothing. Every operation leaves rows that hold nothing out, so that both
/// layouts give the same numbers; packed, nothing is computed that no one reads.
///
/// # Example
/// ```
/// use reloss::ops::Sequences;
/// let padded = Sequences::padded(vec![2, 1], 3)?;
/// assert_eq!((padded.rows(), padded.ranges().collect::<Vec<_>>()), (6, vec![0..2, 3..4]));
/// assert_eq!(padded.pack(&[7, 8, 0, 9, 0, 0])?, [7, 8, 9]);
/// assert_eq!(Sequences::packed(vec![2, 1]).ranges().collect::<Vec<_>>(), [0..2, 2..3]);
/// # Ok::<(), reloss::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sequences {
    lengths: Vec<usize>,
    /// Rows from one sentence's first to the next one's; none where rows are packed.
    positions: Option<usize>,
    starts: Vec<usize>,
    rows: usize,
}

impl Sequences {
    /// Sentences of these lengths, one after the other.
    pub fn packed(lengths: Vec<usize>) -> Self {
        let mut rows = 0;
        let start = |length: &usize| {
            rows += length;
            rows - length
        };
        let starts = lengths.iter().map(start).collect();
        Self { lengths, positions: None, starts, rows }
    }

    /// Sentences of these lengths, each in so many rows.
    ///
    /// # Errors
    /// [`Error::Shape`] for a length above `positions`.
    pub fn padded(lengths: Vec<usize>, positions: usize) -> Result<Self> {
        if let Some(sentence) = lengths.iter().position(|&length| length > positions) {
            let got = format!("{} in sentence {sentence}", lengths[sentence]);
            return Err(Error::shape("sequences", format!("{positions} tokens at most"), got));
        }
        let starts = (0..lengths.len()).map(|sentence| sentence * positions).collect();
        let rows = lengths.len() * positions;
        Ok(Self { lengths, positions: Some(positions), starts, rows })
    }

    /// The same sentences, packed.
    pub fn to_packed(&self) -> Self {
        Self::packed(self.lengths.clone())
    }

    /// How many sentences.
    pub fn len(&self) -> usize {
        self.lengths.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.lengths.is_empty()
    }

    /// Tokens of each sentence.
    pub fn lengths(&self) -> &[usize] {
        &self.lengths
    }

    /// Rows of the matrix, those that hold nothing included.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Tokens of all sentences.
    pub fn tokens(&self) -> usize {
        self.lengths.iter().sum()
    }

    /// The longest length; 0 without sentences.
    pub fn longest(&self) -> usize {
        self.lengths.iter().copied().max().unwrap_or(0)
    }

    /// The rows of each sentence.
    pub fn ranges(&self) -> impl Iterator<Item = Range<usize>> + '_ {
        self.starts.iter().zip(&self.lengths).map(|(&start, &length)| start..start + length)
    }

    /// Rows from each sentence's first to the next one's, the end for the last.
    #[cfg(not(feature = "composed"))]
    pub(super) fn spans(&self) -> impl Iterator<Item = usize> + '_ {
        self.lengths.iter().map(|&length| self.positions.unwrap_or(length))
    }

    /// Of a list with an entry a row, those that hold a token.
    ///
    /// # Errors
    /// [`Error::Shape`] for a list of another length.
    pub fn pack<V: Copy>(&self, values: &[V]) -> Result<Vec<V>> {
        self.check("sequences", values.len())?;
        Ok(self.ranges().flat_map(|range| values[range].iter().copied()).collect())
    }

    /// The position of every token in its sentence, from 0.
    pub fn positions_of_tokens(&self) -> Vec<usize> {
        self.lengths.iter().flat_map(|&length| 0..length).collect()
    }

    /// Refuses another number of rows.
    pub(crate) fn check(&self, op: &'static str, rows: usize) -> Result<()> {
        match rows == self.rows {
            true => Ok(()),
            false => Err(Error::shape(op, format!("{} rows of {} sentences", self.rows, self.len()), rows)),
        }
    }

    /// For every (sentence, position below `longest`), the row it is in (0 where none) and whether there is one.
    pub(super) fn places(&self, longest: usize) -> (Vec<usize>, Vec<bool>) {
        let place = |range: Range<usize>| {
            (0..longest).map(move |t| if t < range.len() { (range.start + t, true) } else { (0, false) })
        };
        self.ranges().flat_map(place).unzip()
    }
}

/// Tokens of sentences by their numbers in a vocabulary, one after the other.
///
/// # Example
/// ```
/// use reloss::ops::Tokens;
/// let tokens = Tokens::new(&[vec![5, 6], vec![7]])?;
/// assert_eq!(tokens, Tokens::from_padded(&[5, 6, 7, 0], &[2, 1], 2)?);
/// assert_eq!(tokens.ended(3)?.ids(), [5, 6, 3, 7, 3]);
/// assert_eq!(tokens.ended(3)?.rows().lengths(), [3, 2]);
/// # Ok::<(), reloss::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tokens {
    ids: Vec<usize>,
    rows: Sequences,
}

impl Tokens {
    /// From sentences.
    ///
    /// # Errors
    /// [`Error::Shape`] for no sentences and for one without tokens.
    pub fn new(sentences: &[Vec<usize>]) -> Result<Self> {
        let rows = Sequences::packed(sentences.iter().map(Vec::len).collect());
        Self::packed(sentences.concat(), rows)
    }

    /// From sentences of these lengths, filled up to so many positions with anything.
    ///
    /// # Errors
    /// [`Error::Shape`] for a length above `positions`, another number of ids, and as [`Tokens::new`].
    pub fn from_padded(ids: &[usize], lengths: &[usize], positions: usize) -> Result<Self> {
        let rows = Sequences::padded(lengths.to_vec(), positions)?;
        Self::packed(rows.pack(ids)?, rows.to_packed())
    }

    fn packed(ids: Vec<usize>, rows: Sequences) -> Result<Self> {
        if rows.is_empty() {
            return Err(Error::shape("tokens", "one sentence or more", 0));
        }
        match rows.lengths().iter().position(|&length| length == 0) {
            Some(sentence) => {
                Err(Error::shape("tokens", "one token or more", format!("none in sentence {sentence}")))
            }
            None => Ok(Self { ids, rows }),
        }
    }

    /// All ids, sentence after sentence.
    pub fn ids(&self) -> &[usize] {
        &self.ids
    }

    /// Which are whose: one row a token, packed.
    pub fn rows(&self) -> &Sequences {
        &self.rows
    }

    /// The ids of each sentence.
    pub fn sentences(&self) -> impl Iterator<Item = &[usize]> + '_ {
        self.rows.ranges().map(|range| &self.ids[range])
    }

    /// The same with a token at the end of each sentence.
    ///
    /// # Errors
    /// None that these tokens have not had.
    pub fn ended(&self, end: usize) -> Result<Self> {
        let with_end = |ids: &[usize]| [ids, &[end]].concat();
        Self::new(&self.sentences().map(with_end).collect::<Vec<_>>())
    }

    /// What comes before each token: `begin`, then the sentence without its last token.
    pub(crate) fn shifted(&self, begin: usize) -> Self {
        let shift = |ids: &[usize]| [&[begin], &ids[..ids.len() - 1]].concat();
        Self { ids: self.sentences().flat_map(shift).collect(), rows: self.rows.clone() }
    }
}
