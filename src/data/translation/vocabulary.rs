//! Sentences as numbers: subwords or words.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::path::Path;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use unicode_normalization::char::is_combining_mark;

use super::bpe::{self, Pair};
use super::normalised;
use crate::data::reading::{folded_token, reading_tokens};
use crate::error::{Error, Result};
use crate::files::{self, json};

/// What the tokens of a vocabulary are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Units {
    /// Parts of words that byte-pair encoding finds: every text of known characters has tokens.
    #[default]
    Subwords,
    /// Whole words, runs of digits, and marks: words that are too rare are unknown.
    Words,
    /// The tokens of [`reading_tokens`], [folded](folded_token), each by itself: what spaces there were is not kept.
    Tokens,
}

/// Tokens with their numbers, of one language or shared by two.
///
/// Text is cut at spaces and where letters, digits and marks meet; every mark stands alone. A token that begins a word
/// begins with the space before it, so that tokens put together are the text again. Numbers below four are special:
/// [`Vocabulary::PAD`], [`Vocabulary::UNKNOWN`], [`Vocabulary::BEGIN`] and [`Vocabulary::END`].
///
/// # Example
/// ```
/// use reloss::data::{Units, Vocabulary};
/// let vocabulary = Vocabulary::learn(&["the cat, the dog", "the cats"], 24, Units::Subwords)?;
/// let ids = vocabulary.encode("the cat, the dog");
/// assert_eq!(vocabulary.decode(&ids), "the cat, the dog");
/// assert_eq!(vocabulary.token(ids[0]), Some(" the"));
/// assert_eq!(vocabulary.encode("xx")[1..], [Vocabulary::UNKNOWN; 2]); // after the space
/// # Ok::<(), reloss::Error>(())
/// ```
///
/// # Reference
/// Sennrich, Haddow, Birch, "Neural machine translation of rare words with subword units", ACL 2016. The space before a
/// word instead of a mark after it: Kudo, Richardson, "SentencePiece", EMNLP 2018.
#[derive(Clone, PartialEq)]
pub struct Vocabulary {
    units: Units,
    /// Without the special ones.
    tokens: Vec<String>,
    merges: Vec<Pair>,
    numbers: HashMap<String, usize>,
    /// When a pair is merged, and into what.
    ranks: HashMap<Pair, (usize, usize)>,
    fingerprint: String,
}

/// What the file has. Tokens are numbered from 0 here.
#[derive(Serialize, Deserialize)]
struct Stored {
    units: Units,
    tokens: Vec<String>,
    merges: Vec<Pair>,
}

impl fmt::Debug for Vocabulary {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let shown = format!("{} {:?}, {}", self.len(), self.units, self.fingerprint);
        f.debug_tuple("Vocabulary").field(&format_args!("{shown}")).finish()
    }
}

/// What comes before the first token.
const SPECIAL: [&str; 4] = ["<pad>", "<unk>", "<s>", "</s>"];
/// How an unknown token is shown.
const UNSHOWN: &str = "⁇";

impl Vocabulary {
    /// Fills up shorter rows of a batch.
    pub const PAD: usize = 0;
    /// Stands for what has no token.
    pub const UNKNOWN: usize = 1;
    /// Before the first token of a sentence, where a model wants it.
    pub const BEGIN: usize = 2;
    /// After the last token of a sentence, where a model wants it.
    pub const END: usize = 3;

    /// Learns a vocabulary of at most `size` tokens, the four special ones among them.
    ///
    /// Subwords: every character of the texts, then what merging the most frequent neighbours gives, as long as some occur
    /// twice. Words: the most frequent. Ties go by the alphabet: the same texts give the same vocabulary in any order.
    ///
    /// # Errors
    /// [`Error::Undefined`] for texts without words; [`Error::Parameter`] for a size that has no room for every character (or
    /// for one word).
    pub fn learn(texts: &[&str], size: usize, units: Units) -> Result<Self> {
        let mut words: BTreeMap<String, u64> = BTreeMap::new();
        for text in texts {
            units.cut(text, |piece| *words.entry(piece).or_default() += 1);
        }
        if words.is_empty() {
            return Err(Error::undefined("a vocabulary", "the texts have no words"));
        }
        let least = match units {
            Units::Subwords => {
                let characters: BTreeSet<char> = words.keys().flat_map(|w| w.chars()).collect();
                characters.into_iter().map(String::from).collect()
            }
            Units::Words | Units::Tokens => Vec::new(),
        };
        let room = size.saturating_sub(SPECIAL.len());
        if room < least.len().max(1) {
            let needed = least.len().max(1) + SPECIAL.len();
            let reason = format!("{size} tokens have no room: these texts need {needed} or more");
            return Err(Error::parameter("size", reason));
        }
        let (mut tokens, mut merges) = (least, Vec::new());
        match units {
            Units::Subwords => merges = bpe::learn(&words, &mut tokens, room),
            Units::Words | Units::Tokens => {
                let mut frequent: Vec<(String, u64)> = words.into_iter().collect();
                // Stable: words equally frequent stay in alphabetical order.
                frequent.sort_by_key(|word| std::cmp::Reverse(word.1));
                tokens.extend(frequent.into_iter().take(room).map(|(word, _)| word));
            }
        }
        Self::build(Stored { units, tokens, merges })
            .map_err(|reason| Error::undefined("a vocabulary", reason))
    }

    /// Checks what a file says and prepares the look-ups.
    fn build(stored: Stored) -> std::result::Result<Self, String> {
        let bytes = serde_json::to_vec(&stored).map_err(|e| e.to_string())?;
        let fingerprint: String = Sha256::digest(bytes).iter().take(8).map(|b| format!("{b:02x}")).collect();
        let Stored { units, tokens, merges } = stored;
        let mut numbers = HashMap::new();
        for (number, token) in tokens.iter().enumerate() {
            if token.is_empty() || numbers.insert(token.clone(), number).is_some() {
                return Err(format!("token {number}, `{token}`, is empty or occurs twice"));
            }
        }
        if tokens.is_empty() || (units != Units::Subwords && !merges.is_empty()) {
            return Err("it has no tokens, or merges of words".to_string());
        }
        let mut ranks = HashMap::new();
        for (rank, pair) in merges.iter().enumerate() {
            let [left, right] = pair.map(|side| tokens.get(side).map_or("", String::as_str));
            let merged = numbers.get(&[left, right].concat());
            let to = *merged
                .filter(|_| !left.is_empty() && !right.is_empty())
                .ok_or_else(|| format!("merge {rank} of {pair:?} gives no token"))?;
            ranks.insert(*pair, (rank, to));
        }
        Ok(Self { units, tokens, merges, numbers, ranks, fingerprint })
    }

    /// How many tokens, the special ones among them; ids are below.
    pub fn len(&self) -> usize {
        SPECIAL.len() + self.tokens.len()
    }

    /// Whether there are no tokens: never.
    pub fn is_empty(&self) -> bool {
        self.tokens.is_empty()
    }

    /// What its tokens are.
    pub fn units(&self) -> Units {
        self.units
    }

    /// The token with this id, the space before a word with it; special ones as `<pad>`, `<unk>`, `<s>`, `</s>`.
    pub fn token(&self, id: usize) -> Option<&str> {
        match SPECIAL.get(id) {
            Some(special) => Some(special),
            None => self.tokens.get(id - SPECIAL.len()).map(String::as_str),
        }
    }

    /// The ids of a sentence, without special ones but [`Vocabulary::UNKNOWN`].
    ///
    /// The text is [`normalised`] first. Of subwords each unknown character is one unknown token, of words each unknown word.
    pub fn encode(&self, text: &str) -> Vec<usize> {
        let mut ids = Vec::new();
        self.units.cut(text, |piece| match self.units {
            Units::Words | Units::Tokens => ids.push(self.id(&piece)),
            Units::Subwords => self.encode_piece(&piece, &mut ids),
        });
        ids
    }

    /// The id of this very token (see [`Vocabulary::token`]), or [`Vocabulary::UNKNOWN`].
    ///
    /// # Example
    /// ```
    /// use reloss::data::{Units, Vocabulary};
    /// let vocabulary = Vocabulary::learn(&["The dog, the cat"], 8, Units::Tokens)?;
    /// assert_eq!((vocabulary.id("the"), vocabulary.id("The"), vocabulary.encode("THE dogs")), (4, 1, vec![4, 1]));
    /// # Ok::<(), reloss::Error>(())
    /// ```
    pub fn id(&self, token: &str) -> usize {
        self.numbers.get(token).map_or(Self::UNKNOWN, |number| number + SPECIAL.len())
    }

    fn encode_piece(&self, piece: &str, ids: &mut Vec<usize>) {
        // No token has this number: unknown characters are never merged.
        let none = self.tokens.len();
        let number = |c: char| self.numbers.get(c.encode_utf8(&mut [0; 4])).copied().unwrap_or(none);
        let mut symbols: Vec<usize> = piece.chars().map(number).collect();
        let next = |symbols: &[usize]| {
            let known = |pair: &[usize]| {
                let pair = [pair[0], pair[1]];
                self.ranks.get(&pair).map(|&(rank, to)| (rank, pair, to))
            };
            symbols.windows(2).filter_map(known).min()
        };
        while let Some((_, pair, to)) = next(&symbols) {
            bpe::merge(&mut symbols, pair, to);
        }
        let id = |symbol| if symbol == none { Self::UNKNOWN } else { symbol + SPECIAL.len() };
        ids.extend(symbols.into_iter().map(id));
    }

    /// The text of these ids: what was encoded, normalised, as far as it was known.
    ///
    /// Padding, beginning and end are left out; what is unknown, or has no token here, becomes ⁇.
    pub fn decode(&self, ids: &[usize]) -> String {
        let mut text = String::new();
        for &id in ids {
            match id {
                Self::PAD | Self::BEGIN | Self::END => {}
                Self::UNKNOWN => self.push_unknown(&mut text),
                _ => match self.tokens.get(id - SPECIAL.len()) {
                    Some(token) => {
                        text.push_str(if self.units == Units::Tokens { " " } else { "" });
                        text.push_str(token);
                    }
                    None => self.push_unknown(&mut text),
                },
            }
        }
        // Models may well give a space without a word.
        normalised(&text)
    }

    fn push_unknown(&self, text: &mut String) {
        // Of a word its space is unknown too.
        if self.units != Units::Subwords {
            text.push(' ');
        }
        text.push_str(UNSHOWN);
    }

    /// Sixteen hexadecimal digits that differ for different vocabularies: checkpoints keep them.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// Refuses a checkpoint of a model that was trained with another vocabulary.
    ///
    /// # Errors
    /// [`Error::Data`] naming the checkpoint and both fingerprints when they differ.
    pub fn check(&self, checkpoint: &Path, fingerprint: &str) -> Result<()> {
        match fingerprint == self.fingerprint {
            true => Ok(()),
            false => {
                let reason = format!("trained with vocabulary {fingerprint}, not with {}", self.fingerprint);
                Err(Error::data(checkpoint, None, reason))
            }
        }
    }

    /// Writes it as JSON, whole or not at all.
    ///
    /// # Errors
    /// [`Error::Io`] when the file cannot be written.
    pub fn save(&self, path: &Path) -> Result<()> {
        let (units, tokens, merges) = (self.units, self.tokens.clone(), self.merges.clone());
        let bytes = serde_json::to_vec(&Stored { units, tokens, merges });
        files::write_atomic(path, &bytes.map_err(|e| Error::data(path, None, e))?)
    }

    /// Reads what [`Vocabulary::save`] has written.
    ///
    /// # Errors
    /// [`Error::Io`] for a missing file; [`Error::Data`] for malformed JSON with the line, and for tokens that occur twice
    /// or merges that give none.
    pub fn load(path: &Path) -> Result<Self> {
        Self::build(json(path)?).map_err(|reason| Error::data(path, None, reason))
    }
}

/// What a character is when words are cut.
#[derive(PartialEq)]
enum Kind {
    Letter,
    Digit,
    Mark,
}

fn kind(c: char) -> Kind {
    if c.is_alphabetic() || is_combining_mark(c) {
        Kind::Letter
    } else if c.is_numeric() {
        Kind::Digit
    } else {
        Kind::Mark
    }
}

impl Units {
    /// Hands out what byte-pair encoding starts from, or the tokens of a text.
    fn cut(self, text: &str, mut take: impl FnMut(String)) {
        match self {
            Self::Subwords | Self::Words => pieces(&normalised(text), take),
            Self::Tokens => {
                reading_tokens(text).into_iter().for_each(|range| take(folded_token(&text[range])))
            }
        }
    }
}

/// Hands out runs of letters, runs of digits and single marks; the first of a word with a space before it.
fn pieces(text: &str, mut take: impl FnMut(String)) {
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        let (mut piece, mut last) = (String::from(" "), None);
        for c in word.chars() {
            let kind = kind(c);
            let goes_on = last.is_none() || (kind != Kind::Mark && last.as_ref() == Some(&kind));
            if !goes_on {
                take(std::mem::take(&mut piece));
            }
            piece.push(c);
            last = Some(kind);
        }
        take(piece);
    }
}
