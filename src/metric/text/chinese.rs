//! Answers and texts in Chinese, as the scripts of CMRC 2018 and DuReader judge them.

use super::answers::best;
use super::rouge::common_subsequence;
use super::tokenize::is_space;

/// Marks that CMRC's script leaves out.
const MARKS: &str = "-:_*^/\\~`+=，。：？！“”；’《》·、「」（）－～『』";

fn is_mark(c: char) -> bool {
    MARKS.contains(c)
}

/// The characters this script calls Chinese: those of Unicode 1.1's unified ideographs.
fn is_han(c: char) -> bool {
    ('\u{4e00}'..='\u{9fa5}').contains(&c)
}

/// The tokens of a text in lower case: each Chinese character is one, what stands between is split into words; the
/// script's marks are left out.
///
/// Words are split as by the Penn Treebank's rules, which the script takes from NLTK: brackets, quotes, dashes and signs
/// stand alone, commas and stops stay inside numbers, endings as in `it's` come off. Sentences are not told apart: only
/// a stop at the very end comes off. Of all 10,256 texts of CMRC's dev and trial sets 4 are split otherwise by NLTK 3.10.
///
/// # Example
/// ```
/// assert_eq!(reloss::metric::cmrc_tokens("《战国》由KOEI在2004.5发行。"), ["战", "国", "由", "koei", "在", "2004.5", "发", "行"]);
/// ```
///
/// # Reference
/// Cui et al., "A span-extraction dataset for Chinese machine reading comprehension", EMNLP 2019, and its script.
pub fn cmrc_tokens(text: &str) -> Vec<String> {
    let (mut tokens, mut latin) = (Vec::new(), String::new());
    for c in text.to_lowercase().trim_matches(is_space).chars().filter(|&c| !is_mark(c)) {
        if is_han(c) {
            split_words(&std::mem::take(&mut latin), &mut tokens);
            tokens.push(c.to_string());
        } else {
            latin.push(c);
        }
    }
    split_words(&latin, &mut tokens);
    tokens
}

/// Splits a run without Chinese characters.
fn split_words(run: &str, tokens: &mut Vec<String>) {
    let run = run.trim_matches(is_space);
    let mut words = run.split(is_space).filter(|word| !word.is_empty()).peekable();
    while let Some(word) = words.next() {
        split_word(word, words.peek().is_none(), tokens);
    }
}

fn split_word(word: &str, is_last: bool, tokens: &mut Vec<String>) {
    let chars: Vec<char> = word.chars().collect();
    let closing = |c: &char| matches!(c, ']' | ')' | '}' | '>' | '"' | '\'' | '»' | '”' | '’');
    // The place of a single stop at the end of the run, closing marks after it allowed.
    let end = chars.iter().rposition(|c| !closing(c));
    let stop = end.filter(|&i| is_last && i > 0 && chars[i] == '.' && chars[i - 1] != '.');
    let alone = |i: usize| match chars[i] {
        ';' | '@' | '#' | '$' | '%' | '&' | '?' | '!' | '*' | '[' | ']' | '(' | ')' | '{' | '}' | '<'
        | '>' | '"' | '«' | '»' | '“' | '”' | '‘' | '’' | '„' | '–' | '—' => true,
        ',' => chars.get(i + 1).is_none_or(|next| !next.is_numeric()),
        '.' => stop == Some(i),
        _ => false,
    };
    let (mut piece, mut i) = (String::new(), 0);
    while i < chars.len() {
        let dots = chars[i..].iter().take_while(|&&c| c == '.').count();
        if dots > 1 {
            flush(&mut piece, tokens);
            tokens.push(".".repeat(dots));
            i += dots;
            continue;
        }
        if alone(i) {
            flush(&mut piece, tokens);
            // The Treebank's quotes: double backticks where one opens, two apostrophes where it closes.
            let after_one = i > 0 && chars[i - 1] == '"' && tokens.last().is_some_and(|token| token == "``");
            let opens = i == 0 || after_one || matches!(chars[i - 1], '(' | '[' | '{' | '<');
            tokens.push(match chars[i] {
                '"' if opens => "``".to_string(),
                '"' => "''".to_string(),
                other => other.to_string(),
            });
        } else {
            piece.push(chars[i]);
        }
        i += 1;
    }
    flush(&mut piece, tokens);
}

/// Ends a word, its ending apart where it has one.
fn flush(piece: &mut String, tokens: &mut Vec<String>) {
    const ENDINGS: [&str; 8] = ["'s", "'m", "'d", "'ll", "'re", "'ve", "n't", "'"];
    let word = std::mem::take(piece);
    let ending = ENDINGS.into_iter().find(|ending| word.len() > ending.len() && word.ends_with(ending));
    match ending {
        Some(ending) => tokens.extend([word[..word.len() - ending.len()].to_string(), ending.to_string()]),
        None if word.is_empty() => {}
        None => tokens.push(word),
    }
}

/// Whether an answer is one of the right ones but for case, surrounding space and the script's marks.
///
/// # Example
/// ```
/// assert!(reloss::metric::cmrc_exact_match("光荣", &["《光荣》。"]));
/// ```
///
/// # Reference
/// As [`cmrc_tokens`].
pub fn cmrc_exact_match(answer: &str, right: &[&str]) -> bool {
    let plain = |text: &str| -> String {
        text.to_lowercase().trim_matches(is_space).chars().filter(|&c| !is_mark(c)).collect()
    };
    let answer = plain(answer);
    right.iter().any(|right| plain(right) == answer)
}

/// The F1 of the longest run of [tokens](cmrc_tokens) in common with the right answer that fits best, in \[0, 1\];
/// higher is better.
///
/// # Example
/// ```
/// // In common: 战国, 2 of 2 and 2 of 4 tokens.
/// let f1 = reloss::metric::cmrc_f1("战国", &["战国无双"]);
/// assert!((f1 - 2.0 / 3.0).abs() < 1e-15);
/// ```
///
/// # Reference
/// As [`cmrc_tokens`].
pub fn cmrc_f1(answer: &str, right: &[&str]) -> f64 {
    let answer = cmrc_tokens(answer);
    best(right, |right| {
        let right = cmrc_tokens(right);
        match longest_run(&right, &answer) {
            0 => 0.0,
            run => 2.0 * run as f64 / (answer.len() + right.len()) as f64,
        }
    })
}

/// The length of the longest run of tokens that both have.
fn longest_run(a: &[String], b: &[String]) -> usize {
    let (mut before, mut longest) = (vec![0; b.len() + 1], 0);
    for token in a {
        // From the end, so that the entry to the left is still that of the row above.
        for j in (0..b.len()).rev() {
            before[j + 1] = if *token == b[j] { before[j] + 1 } else { 0 };
            longest = longest.max(before[j + 1]);
        }
    }
    longest
}

/// Characters that are not space, each a token: DuReader's.
fn characters(text: &str) -> Vec<char> {
    text.chars().filter(|&c| !is_space(c)).collect()
}

/// DuReader's ROUGE-L: of the longest common subsequence of characters, precision and recall, each of the right answer
/// where it is highest, joined by β = 1.2; in \[0, 1\], higher is better.
///
/// DuReader's BLEU-4 is [`Bleu::DUREADER`](super::Bleu::DUREADER).
///
/// # Example
/// ```
/// // Precision 2/2, recall 2/4: (1 + 1.44)·0.5/(0.5 + 1.44).
/// let rouge = reloss::metric::dureader_rouge_l("战国", &["战国无双"]);
/// assert!((rouge - 2.44 * 0.5 / 1.94).abs() < 1e-15);
/// ```
///
/// # Reference
/// He et al., "DuReader: a Chinese machine reading comprehension dataset from real-world applications", MRQA 2018, and
/// its script, after COCO's captions.
pub fn dureader_rouge_l(answer: &str, right: &[&str]) -> f64 {
    const BETA_SQUARED: f64 = 1.2 * 1.2;
    let answer = characters(answer);
    let (mut precision, mut recall) = (0.0_f64, 0.0_f64);
    for right in right.iter().map(|right| characters(right)) {
        let common = common_subsequence(&right, &answer) as f64;
        if common > 0.0 {
            precision = precision.max(common / answer.len() as f64);
            recall = recall.max(common / right.len() as f64);
        }
    }
    match precision > 0.0 {
        true => (1.0 + BETA_SQUARED) * precision * recall / (recall + BETA_SQUARED * precision),
        false => 0.0,
    }
}
