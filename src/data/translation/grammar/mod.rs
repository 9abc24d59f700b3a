//! A grammar of English and Romanian that generates pairs: agreement, reordering, numbers written out.

mod clauses;
mod counts;
mod lexicon;
mod nouns;
mod numbers;
mod phrases;

use std::collections::HashSet;
use std::path::Path;

use rand::Rng;
use rand_chacha::rand_core::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::{ParallelText, Unfit};
use crate::error::{Error, Result};
use phrases::Phrase;

/// More pairs than the grammar is asked for in one call: a slip of the pen costs no minutes.
const MOST: usize = 1_000_000;

impl ParallelText {
    /// Generated English sentences, all different, with their Romanian translations.
    ///
    /// Statements and questions about people and things, in present, past and future, with negation, "can", "must" and
    /// "want", comparisons, numbers written out, prices, ages, hours and dates. What there is to learn: Romanian articles at
    /// the noun's end, that a preposition takes away; adjectives after the noun, in its gender and number (three genders);
    /// owners after what is owned; no pronoun where the verb says who; two genders of *two*, and *de* after numbers from
    /// twenty on. Whoever speaks or is spoken to is one man, as far as adjectives tell. The same seed gives the same pairs,
    /// and more pairs begin with the same ones.
    ///
    /// # Errors
    /// [`Error::Parameter`] for no pairs or more than a million.
    ///
    /// # Example
    /// ```
    /// let text = reloss::data::ParallelText::grammar(3, 7)?;
    /// assert_eq!((text.languages(), text.len()), (["en", "ro"], 3));
    /// assert!(text.pairs().iter().all(|pair| pair.source.ends_with(['.', '?'])));
    /// # Ok::<(), reloss::Error>(())
    /// ```
    pub fn grammar(pairs: usize, seed: u64) -> Result<Self> {
        if pairs == 0 || pairs > MOST {
            let reason = format!("{pairs}: one or more, and {MOST} at most");
            return Err(Error::parameter("pairs", reason));
        }
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let (mut seen, mut made) = (HashSet::new(), Vec::with_capacity(pairs));
        while made.len() < pairs {
            let sentence = sentence(&mut rng);
            if seen.insert(sentence.en.clone()) {
                made.push(sentence);
            }
        }
        let numbered = made.iter().enumerate().map(|(i, pair)| (pair.en.as_str(), pair.ro.as_str(), i + 1));
        Self::gather("grammar", ["en", "ro"], Path::new("grammar"), numbered, Unfit::Refuse)
    }
}

fn sentence(rng: &mut ChaCha8Rng) -> Phrase {
    let (phrase, mark) = match rng.gen_range(0..40) {
        0..15 => (clauses::action(rng), "."),
        15..20 => (clauses::asked_action(rng), "?"),
        20..23 => (clauses::quality(rng), "."),
        23 => (clauses::asked_quality(rng), "?"),
        24 => (clauses::profession(rng), "."),
        25..27 => (clauses::comparison(rng), "."),
        27..29 => (clauses::existence(rng), "."),
        29 => (joined(rng), "."),
        30..32 => {
            let clause = clauses::action(rng);
            (clauses::report(&clause, rng), ".")
        }
        32 => (counts::number(rng), "."),
        33 => (counts::sum(rng), "."),
        34..36 => (counts::price(rng), "."),
        36 => (counts::age(rng), "."),
        37 => (counts::hour(rng), "."),
        38 => (counts::date(rng), "."),
        _ => (counts::birth(rng), "."),
    };
    Phrase { en: written(&phrase.en, mark), ro: written(&phrase.ro, mark) }
}

/// Two statements.
fn joined(rng: &mut ChaCha8Rng) -> Phrase {
    let (first, second) = (clauses::action(rng), clauses::action(rng));
    let (en, ro) = [(" and", " și"), (", but", ", dar"), (" because", " pentru că")][rng.gen_range(0..3)];
    Phrase { en: format!("{}{en} {}", first.en, second.en), ro: format!("{}{ro} {}", first.ro, second.ro) }
}

/// With a capital and a mark at the end.
fn written(words: &str, mark: &str) -> String {
    let mut letters = words.chars();
    let first: String = letters.next().into_iter().flat_map(char::to_uppercase).collect();
    format!("{first}{}{mark}", letters.as_str())
}
