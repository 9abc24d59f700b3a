//! What counting common words makes of the world.

use std::collections::HashMap;

use super::*;
use crate::data::{folded_token, reading_tokens};

/// The words of two answers in common, as an F1.
fn f1(a: &str, b: &str) -> f64 {
    let words = |text: &str| {
        text.split(' ').map(str::to_lowercase).filter(|w| w != "the" && w != "a").collect::<Vec<_>>()
    };
    let (a, mut b) = (words(a), words(b));
    let total = a.len() + b.len();
    let hits = a
        .iter()
        .filter(|word| b.iter().position(|other| other == *word).map(|i| b.swap_remove(i)).is_some())
        .count();
    2.0 * hits as f64 / total as f64
}

/// Of the phrases of the right kind (which a reader has to find first) that with the most question words within
/// `around` tokens, rare words counting more.
fn most_in_common(story: &Story, asked: &Asked, around: usize) -> String {
    let ranges = reading_tokens(&story.text);
    let tokens: Vec<String> = ranges.iter().map(|range| folded_token(&story.text[range.clone()])).collect();
    let mut counts: HashMap<&str, f64> = HashMap::new();
    tokens.iter().for_each(|token| *counts.entry(token).or_default() += 1.0);
    let question: HashSet<String> =
        reading_tokens(&asked.text).into_iter().map(|range| folded_token(&asked.text[range])).collect();
    let score = |range: &Range<usize>| {
        let first = ranges.partition_point(|token| token.end <= range.start);
        let last = ranges.partition_point(|token| token.start < range.end);
        let near = &tokens[first.saturating_sub(around)..(last + around).min(tokens.len())];
        let near: HashSet<&str> =
            near.iter().map(String::as_str).filter(|token| question.contains(*token)).collect();
        // Summed in one order, so that ties are ties.
        let mut weights: Vec<f64> = near.iter().map(|token| (1.0 + 1.0 / counts[token]).ln()).collect();
        weights.sort_by(f64::total_cmp);
        weights.iter().sum::<f64>()
    };
    let candidates = story.slots.iter().filter(|(slot, _)| *slot == asked.slot);
    let best = candidates.max_by(|a, b| score(&a.1).total_cmp(&score(&b.1))).unwrap();
    story.text[best.1.clone()].to_string()
}

/// Richardson, Burges, Renshaw, "MCTest", EMNLP 2013, section 4: their sliding window, here over the phrases that the
/// generator itself knows to be of the right kind.
#[test]
fn common_words_do_not_answer_the_questions() {
    let mut rng = ChaCha8Rng::seed_from_u64(0);
    let (mut questions, mut chance, mut scores) = (0.0, 0.0, [0.0; 4]);
    let mut kinds: HashMap<String, (f64, f64)> = HashMap::new();
    for _ in 0..500 {
        let (story, asked) = passage(&mut rng);
        for asked in asked {
            let right = |text: &str| {
                asked.answers.iter().map(|range| f1(text, &story.text[range.clone()])).fold(0.0, f64::max)
            };
            for (score, around) in scores.iter_mut().zip([4, 8, 12, 20]) {
                *score += right(&most_in_common(&story, &asked, around));
            }
            let kind = kinds.entry(format!("{:?}", asked.slot)).or_default();
            *kind = (kind.0 + 1.0, kind.1 + right(&most_in_common(&story, &asked, 12)));
            let same: Vec<_> = story.slots.iter().filter(|(slot, _)| *slot == asked.slot).collect();
            chance += same.iter().map(|(_, range)| right(&story.text[range.clone()])).sum::<f64>()
                / same.len() as f64;
            questions += 1.0;
        }
    }
    println!(
        "of {questions}: chance {:.3}, windows {:?}",
        chance / questions,
        scores.map(|score| score / questions)
    );
    for (kind, (count, score)) in kinds {
        println!("{kind}: {count}, {:.3}", score / count);
    }
    for score in scores {
        assert!(score / questions < chance / questions + 0.1, "{scores:?} against {chance} of {questions}");
    }
}
