//! Numbers written out in two languages.

use super::nouns::Gender;

const EN: [&str; 20] = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
];
const EN_TENS: [&str; 10] =
    ["", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"];
const EN_ORDINALS: [&str; 20] = [
    "zeroth",
    "first",
    "second",
    "third",
    "fourth",
    "fifth",
    "sixth",
    "seventh",
    "eighth",
    "ninth",
    "tenth",
    "eleventh",
    "twelfth",
    "thirteenth",
    "fourteenth",
    "fifteenth",
    "sixteenth",
    "seventeenth",
    "eighteenth",
    "nineteenth",
];
const RO: [&str; 20] = [
    "zero",
    "unu",
    "doi",
    "trei",
    "patru",
    "cinci",
    "șase",
    "șapte",
    "opt",
    "nouă",
    "zece",
    "unsprezece",
    "doisprezece",
    "treisprezece",
    "paisprezece",
    "cincisprezece",
    "șaisprezece",
    "șaptesprezece",
    "optsprezece",
    "nouăsprezece",
];
const RO_TENS: [&str; 10] =
    ["", "", "douăzeci", "treizeci", "patruzeci", "cincizeci", "șaizeci", "șaptezeci", "optzeci", "nouăzeci"];

/// A number below 100,000 in English words.
pub(super) fn english(n: usize) -> String {
    let above = |head: String, rest: usize| match rest {
        0 => head,
        _ => format!("{head} {}", english(rest)),
    };
    match n {
        0..20 => EN[n].to_string(),
        20..100 if n.is_multiple_of(10) => EN_TENS[n / 10].to_string(),
        20..100 => format!("{}-{}", EN_TENS[n / 10], EN[n % 10]),
        100..1000 => above(format!("{} hundred", EN[n / 100]), n % 100),
        _ => above(format!("{} thousand", english(n / 1000)), n % 1000),
    }
}

/// An ordinal from first to thirty-first.
pub(super) fn english_ordinal(n: usize) -> String {
    match (n, n % 10) {
        (0..20, _) => EN_ORDINALS[n].to_string(),
        (_, 0) => format!("{}ieth", EN_TENS[n / 10].trim_end_matches('y')),
        (_, ones) => format!("{}-{}", EN_TENS[n / 10 % 10], EN_ORDINALS[ones]),
    }
}

/// A year in English words, 1100 to 1999, as it is spoken.
pub(super) fn english_year(year: usize) -> String {
    let (century, rest) = (english(year / 100), year % 100);
    match rest {
        0 => format!("{century} hundred"),
        1..10 => format!("{century} oh {}", english(rest)),
        _ => format!("{century} {}", english(rest)),
    }
}

/// A number below 100,000 in Romanian words; one and two have the gender of what is counted.
pub(super) fn romanian(n: usize, gender: Gender) -> String {
    let above = |head: String, rest: usize| match rest {
        0 => head,
        _ => format!("{head} {}", romanian(rest, gender)),
    };
    match n {
        1 if gender == Gender::F => "una".to_string(),
        2 if gender != Gender::M => "două".to_string(),
        12 if gender != Gender::M => "douăsprezece".to_string(),
        0..20 => RO[n].to_string(),
        20..100 if n.is_multiple_of(10) => RO_TENS[n / 10].to_string(),
        20..100 => format!("{} și {}", RO_TENS[n / 10], romanian(n % 10, gender)),
        100..200 => above("o sută".to_string(), n % 100),
        200..1000 => above(format!("{} sute", romanian(n / 100, Gender::F)), n % 100),
        1000..2000 => above("o mie".to_string(), n % 1000),
        // A thousand is counted as anything feminine is.
        _ => above(format!("{} mii", counted(n / 1000, Gender::F)), n % 1000),
    }
}

/// The number before what it counts: "de" follows from twenty on, but not after hundreds and 1 to 19.
pub(super) fn counted(n: usize, gender: Gender) -> String {
    let of = if n.is_multiple_of(100) || n % 100 >= 20 { " de" } else { "" };
    format!("{}{of}", romanian(n, gender))
}
