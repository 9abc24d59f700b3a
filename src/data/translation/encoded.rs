//! Sentence pairs as numbers, and batches of similar lengths.

use super::{ParallelText, Unfit, Vocabulary};
use crate::data::split::batches_by_length;
use crate::error::{Error, Result};

/// How sentences become numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EncodeOptions {
    /// The most tokens of either side, a model's positions less what it adds itself. Default: 64 (ours: of
    /// Tatoeba's 12,630 English-Romanian training pairs three are longer, in 4,000 subwords).
    pub longest: usize,
    /// What is done with longer ones. Default: refused.
    pub longer: Unfit,
}

impl Default for EncodeOptions {
    fn default() -> Self {
        Self { longest: 64, longer: Unfit::Refuse }
    }
}

/// Sentence pairs as token ids, without special ones.
#[derive(Debug, Clone, PartialEq)]
pub struct EncodedText {
    sources: Vec<Vec<usize>>,
    targets: Vec<Vec<usize>>,
    rows: Vec<usize>,
    skipped: usize,
    unknown: [usize; 2],
}

/// Token ids of some sentences, padded to the longest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenRows {
    /// Row by row, `positions` each; filled up with [`Vocabulary::PAD`].
    pub ids: Vec<usize>,
    /// Tokens of each row, one or more.
    pub lengths: Vec<usize>,
    /// The largest of the lengths.
    pub positions: usize,
}

/// Pairs of sentences for one step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TranslationBatch {
    /// Translated from.
    pub source: TokenRows,
    /// Translated to.
    pub target: TokenRows,
}

impl TokenRows {
    /// Pads sentences to the longest of them.
    ///
    /// # Errors
    /// [`Error::Shape`] for no sentences, or one without tokens.
    ///
    /// # Example
    /// ```
    /// let rows = reloss::data::TokenRows::new(&[&[7, 8, 9], &[5]])?;
    /// assert_eq!((rows.ids, rows.lengths, rows.positions), (vec![7, 8, 9, 5, 0, 0], vec![3, 1], 3));
    /// # Ok::<(), reloss::Error>(())
    /// ```
    pub fn new(sentences: &[&[usize]]) -> Result<Self> {
        let lengths: Vec<usize> = sentences.iter().map(|ids| ids.len()).collect();
        let positions = lengths.iter().copied().max().unwrap_or(0);
        if lengths.is_empty() || lengths.contains(&0) {
            return Err(Error::shape("token rows", "sentences of one token or more", format!("{lengths:?}")));
        }
        let mut ids = Vec::with_capacity(positions * lengths.len());
        for (row, sentence) in sentences.iter().enumerate() {
            ids.extend_from_slice(sentence);
            ids.resize((row + 1) * positions, Vocabulary::PAD);
        }
        Ok(Self { ids, lengths, positions })
    }
}

impl ParallelText {
    /// The pairs as token ids, by a vocabulary for each side (or one, twice).
    ///
    /// # Errors
    /// [`Error::Data`] with the line of a sentence that is longer than `longest`, unless those are to be skipped;
    /// [`Error::Parameter`] for a longest of 0; [`Error::Shape`] when no pair is left.
    ///
    /// # Example
    /// ```
    /// use reloss::data::{EncodeOptions, ParallelText, Units, Vocabulary};
    /// let text = ParallelText::new("one", ["en", "ro"], &[("a red car", "o mașină roșie")])?;
    /// let words = Vocabulary::learn(&text.sentences(), 100, Units::Words)?;
    /// let encoded = text.encode(&words, &words, &EncodeOptions::default())?;
    /// assert_eq!((encoded.len(), encoded.targets()[0].len(), encoded.unknown()), (1, 3, [0, 0]));
    /// let error = text.encode(&words, &words, &EncodeOptions { longest: 2, ..Default::default() }).unwrap_err();
    /// assert_eq!(error.to_string(), "one:1: the source side has 3 tokens, more than 2");
    /// # Ok::<(), reloss::Error>(())
    /// ```
    pub fn encode(
        &self,
        source: &Vocabulary,
        target: &Vocabulary,
        options: &EncodeOptions,
    ) -> Result<EncodedText> {
        if options.longest == 0 {
            return Err(Error::parameter("longest", "a sentence has one token or more"));
        }
        let mut encoded =
            EncodedText { sources: vec![], targets: vec![], rows: vec![], skipped: 0, unknown: [0; 2] };
        for (row, pair) in self.pairs().iter().enumerate() {
            let sides = [source.encode(&pair.source), target.encode(&pair.target)];
            let long = (0..2).find(|&side| sides[side].len() > options.longest);
            match (long, options.longer) {
                (None, _) => encoded.push(row, sides),
                (Some(_), Unfit::Skip) => encoded.skipped += 1,
                (Some(side), Unfit::Refuse) => {
                    let (name, tokens) = (["source", "target"][side], sides[side].len());
                    let reason =
                        format!("the {name} side has {tokens} tokens, more than {}", options.longest);
                    return Err(Error::data(self.origin(), Some(pair.line), reason));
                }
            }
        }
        match encoded.is_empty() {
            false => Ok(encoded),
            true => {
                let got = format!("{} pairs, all longer than {}", self.len(), options.longest);
                Err(Error::shape("encode", "a pair that is short enough", got))
            }
        }
    }
}

impl EncodedText {
    fn push(&mut self, row: usize, [source, target]: [Vec<usize>; 2]) {
        for (unknown, side) in self.unknown.iter_mut().zip([&source, &target]) {
            *unknown += side.iter().filter(|&&id| id == Vocabulary::UNKNOWN).count();
        }
        self.sources.push(source);
        self.targets.push(target);
        self.rows.push(row);
    }

    /// How many pairs.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there are no pairs: never.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The ids of the sentences translated from.
    pub fn sources(&self) -> &[Vec<usize>] {
        &self.sources
    }

    /// The ids of the sentences translated to.
    pub fn targets(&self) -> &[Vec<usize>] {
        &self.targets
    }

    /// Where each pair stands in the text it was made from, from 0.
    pub fn rows(&self) -> &[usize] {
        &self.rows
    }

    /// How many pairs were left out because a side is too long.
    pub fn skipped(&self) -> usize {
        self.skipped
    }

    /// How many tokens of each side are unknown.
    pub fn unknown(&self) -> [usize; 2] {
        self.unknown
    }

    /// The same pairs with other targets: what a teacher translates the sources to (sequence-level distillation).
    ///
    /// # Errors
    /// [`Error::Shape`] for another number of targets than pairs, or one without tokens.
    ///
    /// # Reference
    /// Kim, Rush, "Sequence-level knowledge distillation", EMNLP 2016.
    pub fn with_targets(&self, targets: Vec<Vec<usize>>) -> Result<Self> {
        if targets.len() != self.len() || targets.iter().any(Vec::is_empty) {
            let got = format!("{}, the shortest of {:?}", targets.len(), targets.iter().map(Vec::len).min());
            let expected = format!("{} targets of one token or more", self.len());
            return Err(Error::shape("with targets", expected, got));
        }
        let count = targets.iter().flatten().filter(|&&id| id == Vocabulary::UNKNOWN).count();
        Ok(Self { targets, unknown: [self.unknown[0], count], ..self.clone() })
    }

    /// One epoch: places of pairs in batches, pairs of similar lengths together, batches in random order.
    ///
    /// A batch holds at most `tokens` tokens of either side, padding counted: rows times the longest sentence. Pairs equally
    /// long are shuffled anew for every epoch, from the same seed.
    ///
    /// # Errors
    /// [`Error::Parameter`] when a single pair has more tokens.
    ///
    /// # Example
    /// ```
    /// use reloss::data::{EncodeOptions, ParallelText, Units, Vocabulary};
    /// let text = ParallelText::grammar(200, 0)?;
    /// let words = Vocabulary::learn(&text.sentences(), 10_000, Units::Words)?;
    /// let encoded = text.encode(&words, &words, &EncodeOptions::default())?;
    /// let batches = encoded.batches(256, 0, 1)?;
    /// assert_eq!(batches.iter().map(Vec::len).sum::<usize>(), 200);
    /// let batch = encoded.batch(&batches[0])?;
    /// assert!(batch.target.ids.len() <= 256 && batch.source.ids.len() <= 256);
    /// # Ok::<(), reloss::Error>(())
    /// ```
    pub fn batches(&self, tokens: usize, seed: u64, epoch: u64) -> Result<Vec<Vec<usize>>> {
        let lengths = |row: usize| (self.targets[row].len(), self.sources[row].len());
        batches_by_length(lengths, (0..self.len()).collect(), tokens, seed, epoch)
    }

    /// The pairs at these places, from 0, padded.
    ///
    /// # Errors
    /// [`Error::Shape`] for no places or one that is not there.
    pub fn batch(&self, places: &[usize]) -> Result<TranslationBatch> {
        if let Some(place) = places.iter().find(|&&place| place >= self.len()) {
            return Err(Error::shape("batch", format!("pairs below {}", self.len()), place));
        }
        let side = |all: &[Vec<usize>]| {
            let chosen: Vec<&[usize]> = places.iter().map(|&place| all[place].as_slice()).collect();
            TokenRows::new(&chosen)
        };
        Ok(TranslationBatch { source: side(&self.sources)?, target: side(&self.targets)? })
    }
}
