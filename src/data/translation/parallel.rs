//! Sentences with their translations.

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};

use super::normalised;
use crate::data::split::{grouped_parts, random_rows};
use crate::error::{Error, Result};

/// What is done with a pair that cannot be used: a side without text, or longer than a model's positions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Unfit {
    /// It is an error that names file and line.
    #[default]
    Refuse,
    /// It is left out and counted.
    Skip,
}

/// A sentence and its translation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SentencePair {
    /// In the language translated from.
    pub source: String,
    /// In the language translated to.
    pub target: String,
    /// Where it stands in its file (or in what was generated), from 1.
    pub line: usize,
}

/// Sentences of two languages, pair by pair, in the spelling of [`normalised`].
#[derive(Clone, PartialEq)]
pub struct ParallelText {
    name: String,
    languages: [String; 2],
    origin: PathBuf,
    pairs: Vec<SentencePair>,
    skipped: usize,
}

/// The parts of a text; what is neither validation nor test is for training.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TextSplit {
    /// The share of pairs (of questions) for validation. Default: 0.05 (ours: thousands of sentences are enough to choose by).
    pub validation: f64,
    /// The share of pairs (of questions) for the test. Default: 0.05 (ours).
    pub test: f64,
    /// Seed of the shuffle.
    pub seed: u64,
}

impl Default for TextSplit {
    fn default() -> Self {
        Self { validation: 0.05, test: 0.05, seed: 0 }
    }
}

impl fmt::Debug for ParallelText {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let [source, target] = &self.languages;
        let shown = format!("{} pairs {source}-{target}, {} skipped", self.len(), self.skipped);
        f.debug_tuple("ParallelText").field(&self.name).field(&format_args!("{shown}")).finish()
    }
}

impl ParallelText {
    /// Pairs of sentences in two languages (by code: "en", "ro"), normalised here.
    ///
    /// # Errors
    /// [`Error::Data`] with the number of the first pair that has an empty side; [`Error::Shape`] for no pairs.
    ///
    /// # Example
    /// ```
    /// let pairs = [("A book.", "O carte."), ("A  house.", "O casă.")];
    /// let text = reloss::data::ParallelText::new("two", ["en", "ro"], &pairs)?;
    /// assert_eq!((text.len(), text.pairs()[1].source.as_str()), (2, "A house."));
    /// assert_eq!(text.reversed().pairs()[0].source, "O carte.");
    /// # Ok::<(), reloss::Error>(())
    /// ```
    pub fn new(name: &str, languages: [&str; 2], pairs: &[(&str, &str)]) -> Result<Self> {
        let numbered = pairs.iter().enumerate().map(|(i, pair)| (pair.0, pair.1, i + 1));
        Self::gather(name, languages, Path::new(name), numbered, Unfit::Refuse)
    }

    /// Normalises numbered pairs of one origin and takes those that have text on both sides.
    pub(super) fn gather<'a>(
        name: &str,
        languages: [&str; 2],
        origin: &Path,
        numbered: impl Iterator<Item = (&'a str, &'a str, usize)>,
        empty: Unfit,
    ) -> Result<Self> {
        let (mut pairs, mut skipped) = (Vec::new(), 0);
        for (source, target, line) in numbered {
            let (source, target) = (normalised(source), normalised(target));
            let side = if source.is_empty() { "source" } else { "target" };
            match (source.is_empty() || target.is_empty(), empty) {
                (false, _) => pairs.push(SentencePair { source, target, line }),
                (true, Unfit::Skip) => skipped += 1,
                (true, Unfit::Refuse) => {
                    return Err(Error::data(origin, Some(line), format!("the {side} side is empty")));
                }
            }
        }
        if pairs.is_empty() {
            return Err(Error::shape("parallel text", "one pair or more", format!("none in {name}")));
        }
        let languages = languages.map(str::to_string);
        Ok(Self { name: name.to_string(), languages, origin: origin.to_path_buf(), pairs, skipped })
    }

    /// The name in tables.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The same text by another name.
    pub fn named(mut self, name: &str) -> Self {
        self.name = name.to_string();
        self
    }

    /// The codes of the languages translated from and to.
    pub fn languages(&self) -> [&str; 2] {
        [&self.languages[0], &self.languages[1]]
    }

    /// The file it was read from (of two, the source side's), or its name.
    pub fn origin(&self) -> &Path {
        &self.origin
    }

    /// The pairs, in the file's order unless shuffled.
    pub fn pairs(&self) -> &[SentencePair] {
        &self.pairs
    }

    /// How many pairs of the file were left out for an empty side.
    pub fn skipped(&self) -> usize {
        self.skipped
    }

    /// How many pairs.
    pub fn len(&self) -> usize {
        self.pairs.len()
    }

    /// Whether there are no pairs: never.
    pub fn is_empty(&self) -> bool {
        self.pairs.is_empty()
    }

    /// All sentences, source side first: what a shared [`Vocabulary`](super::Vocabulary) is learned from.
    pub fn sentences(&self) -> Vec<&str> {
        self.sources().into_iter().chain(self.targets()).collect()
    }

    /// The sentences translated from.
    pub fn sources(&self) -> Vec<&str> {
        self.pairs.iter().map(|pair| pair.source.as_str()).collect()
    }

    /// The sentences translated to.
    pub fn targets(&self) -> Vec<&str> {
        self.pairs.iter().map(|pair| pair.target.as_str()).collect()
    }

    /// The other direction.
    pub fn reversed(&self) -> Self {
        let turned = |pair: &SentencePair| SentencePair {
            source: pair.target.clone(),
            target: pair.source.clone(),
            line: pair.line,
        };
        let [source, target] = self.languages.clone();
        Self { languages: [target, source], pairs: self.pairs.iter().map(turned).collect(), ..self.clone() }
    }

    /// The pairs with these indices, from 0, in their order; repeats are allowed.
    ///
    /// # Errors
    /// [`Error::Shape`] for no indices or one that is not there.
    pub fn take(&self, indices: &[usize]) -> Result<Self> {
        let one = |&index: &usize| {
            let missing = || Error::shape("take", format!("pairs below {}", self.len()), index);
            self.pairs.get(index).cloned().ok_or_else(missing)
        };
        let pairs: Vec<SentencePair> = indices.iter().map(one).collect::<Result<_>>()?;
        match pairs.is_empty() {
            true => Err(Error::shape("take", "one pair or more", 0)),
            false => Ok(Self {
                name: self.name.clone(),
                languages: self.languages.clone(),
                origin: self.origin.clone(),
                pairs,
                skipped: self.skipped,
            }),
        }
    }

    /// So many random pairs (all of them shuffled, if there are no more).
    ///
    /// # Errors
    /// [`Error::Shape`] for a count of zero.
    pub fn subset(&self, count: usize, seed: u64) -> Result<Self> {
        self.take(&random_rows(self.len(), count, seed))
    }

    /// Training, validation and test part; no sentence of either language stands in two of them.
    ///
    /// Pairs that share a sentence stay together, so that shares are met as nearly as that allows. Within a part the order
    /// is that of this text.
    ///
    /// # Errors
    /// [`Error::Parameter`] for shares that leave nothing to train with, [`Error::Undefined`] when a part would be empty.
    ///
    /// # Example
    /// ```
    /// use reloss::data::{ParallelText, TextSplit};
    /// let [train, validation, test] = ParallelText::grammar(1000, 0)?.split(&TextSplit::default())?;
    /// assert_eq!(train.len() + validation.len() + test.len(), 1000);
    /// assert!(validation.len() >= 50 && test.len() >= 50);
    /// # Ok::<(), reloss::Error>(())
    /// ```
    pub fn split(&self, options: &TextSplit) -> Result<[Self; 3]> {
        let [train, validation, test] = grouped_parts(&self.name, self.groups(), options)?;
        Ok([self.take(&train)?, self.take(&validation)?, self.take(&test)?])
    }

    /// Pairs by what they share: two of a group are connected through sentences of either language.
    fn groups(&self) -> Vec<Vec<usize>> {
        let mut parents: Vec<usize> = (0..self.len()).collect();
        for side in [self.sources(), self.targets()] {
            let mut first = HashMap::new();
            for (place, sentence) in side.into_iter().enumerate() {
                let earlier = *first.entry(sentence).or_insert(place);
                let (a, b) = (root(&mut parents, earlier), root(&mut parents, place));
                parents[a.max(b)] = a.min(b);
            }
        }
        let mut groups = vec![Vec::new(); self.len()];
        (0..self.len()).for_each(|place| groups[root(&mut parents, place)].push(place));
        groups.retain(|group| !group.is_empty());
        groups
    }
}

/// The group's first member; the path to it is halved on the way.
fn root(parents: &mut [usize], mut place: usize) -> usize {
    while parents[place] != place {
        parents[place] = parents[parents[place]];
        place = parents[place];
    }
    place
}
