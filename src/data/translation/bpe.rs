//! Byte-pair encoding: the most frequent neighbours become one symbol, again and again.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap};

/// Two neighbours by their numbers.
pub(super) type Pair = [usize; 2];

/// A word as symbols, with how often it occurs.
struct Word {
    symbols: Vec<usize>,
    count: u64,
}

/// Learns merges until there are `size` tokens or no two neighbours occur twice; adds what they make to `tokens`.
///
/// Of pairs equally frequent that of the lowest numbers is first, so that the same words always give the same merges.
pub(super) fn learn(words: &BTreeMap<String, u64>, tokens: &mut Vec<String>, size: usize) -> Vec<Pair> {
    let mut numbers: HashMap<String, usize> = tokens.iter().cloned().zip(0..).collect();
    let symbol = |c: char| numbers.get(c.encode_utf8(&mut [0; 4])).copied();
    let mut words: Vec<Word> = words
        .iter()
        .map(|(word, &count)| Word { symbols: word.chars().filter_map(symbol).collect(), count })
        .collect();
    let mut pairs = Pairs::default();
    (0..words.len()).for_each(|place| pairs.add(&words[place], place));
    let mut merges = Vec::new();
    while tokens.len() < size {
        let Some(pair) = pairs.most_frequent() else { break };
        let merged = [tokens[pair[0]].as_str(), tokens[pair[1]].as_str()].concat();
        // Two ways to the same string are one token.
        let to = *numbers.entry(merged).or_insert_with_key(|merged| {
            tokens.push(merged.clone());
            tokens.len() - 1
        });
        for place in pairs.places.remove(&pair).unwrap_or_default() {
            pairs.remove(&words[place]);
            merge(&mut words[place].symbols, pair, to);
            pairs.add(&words[place], place);
        }
        merges.push(pair);
    }
    merges
}

/// Puts `to` in place of every such pair, from left to right.
pub(super) fn merge(symbols: &mut Vec<usize>, pair: Pair, to: usize) {
    let mut kept = 0;
    let mut at = 0;
    while at < symbols.len() {
        let joined = symbols[at..].starts_with(&pair);
        symbols[kept] = if joined { to } else { symbols[at] };
        at += if joined { 2 } else { 1 };
        kept += 1;
    }
    symbols.truncate(kept);
}

/// How often neighbours occur, and in which words.
#[derive(Default)]
struct Pairs {
    counts: HashMap<Pair, u64>,
    /// Words that have or had the pair.
    places: HashMap<Pair, BTreeSet<usize>>,
    /// Counts as they were at some time: those that are no longer true are passed over.
    queue: BinaryHeap<(u64, Reverse<Pair>)>,
}

impl Pairs {
    fn add(&mut self, word: &Word, place: usize) {
        for pair in neighbours(word) {
            let count = self.counts.entry(pair).or_default();
            *count += word.count;
            self.queue.push((*count, Reverse(pair)));
            self.places.entry(pair).or_default().insert(place);
        }
    }

    fn remove(&mut self, word: &Word) {
        for pair in neighbours(word) {
            let count = self.counts.entry(pair).or_default();
            *count -= word.count;
            self.queue.push((*count, Reverse(pair)));
        }
    }

    fn most_frequent(&mut self) -> Option<Pair> {
        while let Some((count, Reverse(pair))) = self.queue.pop() {
            if count < 2 {
                return None;
            }
            if self.counts.get(&pair) == Some(&count) {
                return Some(pair);
            }
        }
        None
    }
}

fn neighbours(word: &Word) -> impl Iterator<Item = Pair> + '_ {
    word.symbols.windows(2).map(|pair| [pair[0], pair[1]])
}
