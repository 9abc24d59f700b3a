//! Answers to questions, as SQuAD's evaluation script judges them.

use std::collections::HashMap;

use super::tokenize::words;

/// An answer in lower case, without ASCII punctuation, without the articles a, an and the, single spaces between words.
///
/// # Example
/// ```
/// assert_eq!(reloss::metric::normalized_answer(" The  Norman dynasty! "), "norman dynasty");
/// ```
///
/// # Reference
/// Rajpurkar, Zhang, Lopyrev, Liang, "SQuAD: 100,000+ questions for machine comprehension of text", EMNLP 2016, and its
/// script.
pub fn normalized_answer(answer: &str) -> String {
    let plain: String = answer.to_lowercase().chars().filter(|c| !c.is_ascii_punctuation()).collect();
    let mut without = String::with_capacity(plain.len());
    // Articles are whole runs of letters, digits and the like, whatever stands between.
    let mut rest = plain.as_str();
    while let Some(first) = rest.chars().next() {
        let inside = |c: char| c.is_alphanumeric();
        let end = rest.find(|c| inside(c) != inside(first)).unwrap_or(rest.len());
        let (run, after) = rest.split_at(end);
        without.push_str(if matches!(run, "a" | "an" | "the") { " " } else { run });
        rest = after;
    }
    words(&without).collect::<Vec<_>>().join(" ")
}

/// Whether an answer is one of the right ones, once both are [normalized](normalized_answer).
///
/// # Example
/// ```
/// assert!(reloss::metric::exact_match("norman dynasty!", &["The Norman dynasty"]));
/// ```
pub fn exact_match(answer: &str, right: &[&str]) -> bool {
    let answer = normalized_answer(answer);
    right.iter().any(|right| normalized_answer(right) == answer)
}

/// The F1 of the words in common with the right answer that fits best, in \[0, 1\]; higher is better; 0
/// where there is none.
///
/// Where an answer has no words left, it is right only if the other has none either.
///
/// # Example
/// ```
/// let f1 = reloss::metric::token_f1("10th century", &["in the 10th and 11th centuries"]);
/// assert!((f1 - 2.0 / 7.0).abs() < 1e-15);
/// ```
///
/// # Reference
/// As [`normalized_answer`].
pub fn token_f1(answer: &str, right: &[&str]) -> f64 {
    let answer = normalized_answer(answer);
    best(right, |right| f1(&answer, &normalized_answer(right)))
}

/// The highest value of any right answer, 0 where there is none.
pub(super) fn best(right: &[&str], value: impl Fn(&str) -> f64) -> f64 {
    right.iter().map(|right| value(right)).fold(0.0, f64::max)
}

fn f1(answer: &str, right: &str) -> f64 {
    let (answer, right): (Vec<&str>, Vec<&str>) = (words(answer).collect(), words(right).collect());
    if answer.is_empty() || right.is_empty() {
        return f64::from(u8::from(answer.is_empty() && right.is_empty()));
    }
    let mut left: HashMap<&str, usize> = HashMap::new();
    right.iter().for_each(|word| *left.entry(word).or_default() += 1);
    let mut hits = 0.0;
    for word in &answer {
        if let Some(count) = left.get_mut(word).filter(|count| **count > 0) {
            *count -= 1;
            hits += 1.0;
        }
    }
    2.0 * hits / (answer.len() + right.len()) as f64
}
