//! The tokenizers BLEU is reported with.

use std::borrow::Cow;
use std::sync::OnceLock;

use regex::Regex;

/// How a line becomes tokens.
///
/// # Example
/// ```
/// use reloss::metric::Tokenizer;
/// assert_eq!(Tokenizer::V13a.tokens("It's 3.5 km, no?"), ["It's", "3.5", "km", ",", "no", "?"]);
/// assert_eq!(Tokenizer::Character.tokens("日本 語"), ["日", "本", "語"]);
/// ```
///
/// # Reference
/// Post, "A call for clarity in reporting BLEU scores", WMT 2018, and its program sacrebleu.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Tokenizer {
    /// `13a`: what the WMT's mteval-v13a.pl does.
    #[default]
    V13a,
    /// `intl`: what mteval-v14.pl does, by Unicode's classes.
    International,
    /// `char`: every character.
    Character,
    /// `none`: whitespace.
    Whitespace,
}

impl Tokenizer {
    /// Its name in sacrebleu's signatures.
    pub fn name(self) -> &'static str {
        match self {
            Self::V13a => "13a",
            Self::International => "intl",
            Self::Character => "char",
            Self::Whitespace => "none",
        }
    }

    /// The tokens of a line.
    pub fn tokens(self, line: &str) -> Vec<String> {
        words(&self.spaced(line)).map(str::to_string).collect()
    }

    /// The line with whitespace between all tokens.
    pub(super) fn spaced(self, line: &str) -> String {
        match self {
            Self::V13a => v13a(line),
            Self::International => international(line),
            Self::Character => line.chars().flat_map(|c| [c, ' ']).collect(),
            Self::Whitespace => line.to_string(),
        }
    }
}

/// Whitespace as Python's `str.split` has it: Unicode's, and four separators of ASCII.
pub(super) fn is_space(c: char) -> bool {
    c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c)
}

pub(super) fn words(line: &str) -> impl Iterator<Item = &str> {
    line.split(is_space).filter(|word| !word.is_empty())
}

fn v13a(line: &str) -> String {
    let mut line = line.replace("<skipped>", "").replace("-\n", "").replace('\n', " ");
    if line.contains('&') {
        for (entity, character) in [("&quot;", "\""), ("&amp;", "&"), ("&lt;", "<"), ("&gt;", ">")] {
            line = line.replace(entity, character);
        }
    }
    let mut spaced = String::with_capacity(2 * line.len() + 2);
    spaced.push(' ');
    for c in line.chars() {
        if matches!(c, '{'..='~' | '['..='`' | ' '..='&' | '('..='+' | ':'..='@' | '/') {
            spaced.extend([' ', c, ' ']);
        } else {
            spaced.push(c);
        }
    }
    spaced.push(' ');
    let stop = |c: char| c == '.' || c == ',';
    let digit = |c: char| c.is_ascii_digit();
    // A stop unless after a digit; a stop unless before one; a dash after a digit.
    let spaced = pairs(&spaced, |a, b| !digit(a) && stop(b), [false, true, true]);
    let spaced = pairs(&spaced, |a, b| stop(a) && !digit(b), [true, true, false]);
    pairs(&spaced, |a, b| digit(a) && b == '-', [false, true, true])
}

/// Puts spaces before, between and after (as `gaps` says) every two neighbours that `matches`, from left to right
/// without overlap.
fn pairs(line: &str, matches: impl Fn(char, char) -> bool, gaps: [bool; 3]) -> String {
    let mut out = String::with_capacity(line.len() + line.len() / 4);
    let mut rest = line.chars().peekable();
    while let Some(a) = rest.next() {
        match rest.peek().copied() {
            Some(b) if matches(a, b) => {
                rest.next();
                let space = |wanted: bool| if wanted { " " } else { "" };
                out.push_str(space(gaps[0]));
                out.push(a);
                out.push_str(space(gaps[1]));
                out.push(b);
                out.push_str(space(gaps[2]));
            }
            _ => out.push(a),
        }
    }
    out
}

fn international(line: &str) -> String {
    static RULES: OnceLock<Vec<(Regex, &str)>> = OnceLock::new();
    let rules = RULES.get_or_init(|| {
        [(r"(\P{N})(\p{P})", "$1 $2 "), (r"(\p{P})(\P{N})", " $1 $2"), (r"(\p{S})", " $1 ")]
            .into_iter()
            .filter_map(|(pattern, to)| Regex::new(pattern).ok().map(|pattern| (pattern, to)))
            .collect()
    });
    let replaced = rules.iter().fold(Cow::Borrowed(line), |line, (pattern, to)| {
        Cow::Owned(pattern.replace_all(&line, *to).into_owned())
    });
    replaced.into_owned()
}
