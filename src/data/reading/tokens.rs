//! Texts cut into tokens that know where they stand.

use std::ops::Range;

use unicode_normalization::char::is_combining_mark;

use crate::data::normalised;

/// What a character is when a text is cut.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Letter,
    Digit,
    /// A token by itself: a mark, or a character of Chinese or Japanese.
    Alone,
    /// Belongs to what stands before it: accents, vowel signs, joiners.
    Extending,
}

fn kind(c: char) -> Kind {
    if is_combining_mark(c) || matches!(c, '\u{200c}' | '\u{200d}') {
        Kind::Extending
    } else if is_cjk(c) {
        Kind::Alone
    } else if c.is_alphabetic() {
        Kind::Letter
    } else if c.is_numeric() {
        Kind::Digit
    } else {
        Kind::Alone
    }
}

/// Han characters and kana, which are written without spaces; Korean has spaces.
pub(super) fn is_cjk(c: char) -> bool {
    matches!(c,
        '\u{3005}'..='\u{3007}'
        | '\u{3021}'..='\u{3029}'
        | '\u{3031}'..='\u{3035}'
        | '\u{3038}'..='\u{303b}'
        | '\u{3041}'..='\u{3096}'
        | '\u{309d}'..='\u{309f}'
        | '\u{30a1}'..='\u{30ff}'
        | '\u{31f0}'..='\u{31ff}'
        | '\u{3400}'..='\u{4dbf}'
        | '\u{4e00}'..='\u{9fff}'
        | '\u{f900}'..='\u{faff}'
        | '\u{ff66}'..='\u{ff9d}'
        | '\u{1b000}'..='\u{1b16f}'
        | '\u{20000}'..='\u{3ffff}')
}

/// Byte ranges of a text's tokens: runs of letters, runs of digits, single Chinese or Japanese characters, single marks.
///
/// Combining marks (accents, the vowel signs of Hindi) and joiners stay with what they follow. Spaces belong to no token,
/// every other character to exactly one; ranges are in order, and the text can be cut at their ends.
///
/// # Example
/// ```
/// use reloss::data::reading_tokens;
/// let text = "Ștefan's 12½ km, 战国 हिन्दी";
/// let tokens: Vec<&str> = reading_tokens(text).into_iter().map(|range| &text[range]).collect();
/// assert_eq!(tokens, ["Ștefan", "'", "s", "12½", "km", ",", "战", "国", "हिन्दी"]);
/// ```
pub fn reading_tokens(text: &str) -> Vec<Range<usize>> {
    let mut tokens: Vec<Range<usize>> = Vec::new();
    // What the last token is made of, as long as nothing ended it.
    let mut open = None;
    for (start, c) in text.char_indices() {
        if c.is_whitespace() {
            open = None;
            continue;
        }
        let (kind, end) = (kind(c), start + c.len_utf8());
        let goes_on = match (open, kind) {
            (Some(_), Kind::Extending) => true,
            (Some(open), _) => open == kind && matches!(kind, Kind::Letter | Kind::Digit),
            (None, _) => false,
        };
        match tokens.last_mut().filter(|_| goes_on) {
            Some(last) => last.end = end,
            None => {
                tokens.push(start..end);
                open = Some(kind);
            }
        }
    }
    tokens
}

/// A token as it is compared and looked up: [`normalised`], in lower case.
///
/// # Example
/// ```
/// assert_eq!(reloss::data::folded_token("S\u{0326}TIU"), "știu");
/// ```
pub fn folded_token(token: &str) -> String {
    // Twice: lower case can leave letters that compose.
    normalised(&normalised(token).to_lowercase())
}
