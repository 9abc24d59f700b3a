//! What the tokens of a passage have in common with a question.

use std::collections::HashSet;

use super::tokens::is_cjk;

/// How many numbers a token of a passage has from its comparison with the question.
///
/// In this order: 1 where the token stands in the question; 1 where it does so with a neighbour (two tokens side by side in
/// both), or a word of five letters or more has its first four in common with one there; the share of the five tokens before
/// and the five after that stand in the question. Tokens are [folded](super::folded_token); marks never count.
///
/// # Reference
/// The exact match of folded tokens: Chen, Fisch, Weston, Bordes, "Reading Wikipedia to answer open-domain questions", ACL
/// 2017. The other two are ours: inflected words, and Chinese, whose single characters say little.
pub const MATCHES: usize = 3;

/// Neighbours on each side.
const AROUND: usize = 5;
/// Letters that stand for a word's stem, and how many a word has that has one.
const STEM: usize = 4;

/// A question, ready to be compared with.
pub(super) struct Asked<'a> {
    tokens: HashSet<&'a str>,
    pairs: HashSet<[&'a str; 2]>,
    stems: HashSet<&'a str>,
}

fn is_word(token: &str) -> bool {
    token.chars().next().is_some_and(char::is_alphanumeric)
}

/// The first letters of a word that is longer.
fn stem(token: &str) -> Option<&str> {
    let mut places = token.char_indices();
    let first = places.next().is_some_and(|(_, c)| c.is_alphabetic() && !is_cjk(c));
    let end = places.nth(STEM - 1).map(|(place, _)| place);
    end.filter(|_| first).map(|end| &token[..end])
}

impl<'a> Asked<'a> {
    pub fn new(question: &'a [String]) -> Self {
        let words = || question.iter().map(String::as_str).filter(|token| is_word(token));
        let pairs = question.windows(2).filter(|pair| pair.iter().all(|token| is_word(token)));
        Self {
            tokens: words().collect(),
            pairs: pairs.map(|pair| [pair[0].as_str(), pair[1].as_str()]).collect(),
            stems: words().filter_map(stem).collect(),
        }
    }

    /// [`MATCHES`] numbers for each token of a passage.
    pub fn matches(&self, passage: &[String]) -> Vec<f32> {
        let exact: Vec<bool> = passage.iter().map(|token| self.tokens.contains(token.as_str())).collect();
        let mut before = Vec::with_capacity(passage.len() + 1);
        before.push(0_usize);
        exact.iter().for_each(|&hit| before.push(before[before.len() - 1] + usize::from(hit)));
        let pair = |i: usize| match passage.get(i..i + 2) {
            Some([left, right]) => self.pairs.contains(&[left.as_str(), right.as_str()]),
            _ => false,
        };
        let looser = |i: usize| {
            pair(i)
                || (i > 0 && pair(i - 1))
                || stem(&passage[i]).is_some_and(|stem| self.stems.contains(stem))
        };
        let mut matches = Vec::with_capacity(passage.len() * MATCHES);
        for (i, &hit) in exact.iter().enumerate() {
            let (from, to) = (i.saturating_sub(AROUND), (i + AROUND + 1).min(passage.len()));
            let around = before[to] - before[from] - usize::from(hit);
            let share = around as f32 / (2 * AROUND) as f32;
            matches.extend([f32::from(u8::from(hit)), f32::from(u8::from(looser(i))), share]);
        }
        matches
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matches_by_hand() {
        let owned = |text: &str| text.split(' ').map(str::to_string).collect::<Vec<_>>();
        let (question, passage) = (owned("where did anna purchase , ?"), owned("anna purchased , did"));
        let wanted = [1.0, 0.0, 0.1, 0.0, 1.0, 0.2, 0.0, 0.0, 0.2, 1.0, 0.0, 0.1];
        assert_eq!(Asked::new(&question).matches(&passage), wanted);
        // Two characters side by side.
        let (question, passage) = (owned("战 国 三"), owned("国 战 国 无"));
        let second: Vec<f32> = Asked::new(&question).matches(&passage).chunks(3).map(|m| m[1]).collect();
        assert_eq!(second, [0.0, 1.0, 1.0, 0.0]);
        // A word as short as a stem has none.
        assert_eq!(
            (stem("anna"), stem("annas"), stem("战国无双三"), stem("12345")),
            (None, Some("anna"), None, None)
        );
    }
}
