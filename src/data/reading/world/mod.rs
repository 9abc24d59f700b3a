//! A generated world: short stories about people, with questions that counting common words does not answer.

mod lexicon;
mod passage;
#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::ops::Range;
use std::sync::Arc;

use rand::seq::SliceRandom;
use rand::Rng;
use rand_chacha::rand_core::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::{Answer, Question, ReadingSet};
use crate::error::{Error, Result};
use passage::{Past, Person, Slot, Story, Told};

/// More questions than are made in one call: a slip of the pen costs no minutes.
const MOST: usize = 1_000_000;
/// Questions about one passage.
const EACH: usize = 3;

/// A question before it is numbered: what it asks for, and where its answers stand.
struct Asked {
    // Read by the test that answers by common words alone.
    #[cfg_attr(not(test), allow(dead_code))]
    slot: Slot,
    text: String,
    answers: Vec<Range<usize>>,
}

/// What can be asked about a person.
#[derive(Clone, Copy)]
enum Kind {
    Who,
    Where,
    When,
    What,
    HowMany,
    First,
    Last,
}

const KINDS: [Kind; 7] =
    [Kind::Who, Kind::Where, Kind::When, Kind::What, Kind::HowMany, Kind::First, Kind::Last];

impl ReadingSet {
    /// Generated English passages of four to eight sentences, and so many questions about them, three a passage.
    ///
    /// Two or three people did the same with the same kind of thing; asked is who, where, when, what, how many, and what
    /// somebody was first and last. Common words mislead: deeds are told of "she" or "he" with another verb (*bought*) than the
    /// question has (*purchase*), and the sentences that have the name and the verb asked for say what did not happen, often at
    /// the place or time of somebody else's deed. Answers have one to seven words; some have a second, shorter form. Some 300
    /// different words. The same seed gives the same questions, and more questions begin with the same ones; no two passages
    /// are the same.
    ///
    /// # Errors
    /// [`Error::Parameter`] for no questions or more than a million.
    ///
    /// # Example
    /// ```
    /// let set = reloss::data::ReadingSet::world(4, 7)?;
    /// let asked = &set.questions()[0];
    /// assert!(asked.context.contains(&asked.answers[0].text) && asked.question.ends_with('?'));
    /// # Ok::<(), reloss::Error>(())
    /// ```
    pub fn world(count: usize, seed: u64) -> Result<Self> {
        if count == 0 || count > MOST {
            let reason = format!("{count}: one or more, and {MOST} at most");
            return Err(Error::parameter("count", reason));
        }
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let (mut seen, mut questions) = (HashSet::new(), Vec::with_capacity(count));
        while questions.len() < count {
            let (story, asked) = passage(&mut rng);
            let context: Arc<str> = story.text.into();
            if seen.insert(context.clone()) {
                questions.extend(asked.into_iter().enumerate().map(|(i, asked)| Question {
                    id: format!("{}-{i}", seen.len()),
                    answers: asked.answers.into_iter().map(|range| answer(&context, range)).collect(),
                    context: context.clone(),
                    question: asked.text,
                }));
            }
        }
        questions.truncate(count);
        Self::new("world", questions)
    }
}

fn answer(context: &str, range: Range<usize>) -> Answer {
    let start = context[..range.start].chars().count() as i64;
    Answer { text: context[range].to_string(), start }
}

/// A story and questions of different kinds about its people.
fn passage(rng: &mut ChaCha8Rng) -> (Story, Vec<Asked>) {
    let people = passage::people(rng);
    let story = Story::new(&people, rng);
    let mut kinds = KINDS;
    kinds.shuffle(rng);
    let asked = kinds.iter().take(EACH).map(|&kind| {
        let i = rng.gen_range(0..people.len());
        ask(kind, &people[i], &story.told[i], &story.text, rng)
    });
    let asked = asked.collect();
    (story, asked)
}

fn ask(kind: Kind, person: &Person, told: &Told, text: &str, rng: &mut ChaCha8Rng) -> Asked {
    let who = if rng.gen_bool(0.5) { person.name() } else { person.first.to_string() };
    let ([base, past], thing) = (person.asked(), person.thing);
    let one = |slot, text: String, range: &Range<usize>| Asked { slot, text, answers: vec![range.clone()] };
    match kind {
        Kind::Who => {
            let where_or_when = match rng.gen_bool(0.5) {
                true => format!("at {}", person.deed.place),
                false => person.deed.time.phrase(),
            };
            let first = told.name.start..told.name.start + person.first.len();
            let text = format!("Who {past} {thing} {where_or_when}?");
            Asked { slot: Slot::Name, text, answers: vec![told.name.clone(), first] }
        }
        Kind::Where => one(Slot::Place, format!("Where did {who} {base} {thing}?"), &told.place),
        Kind::When => one(Slot::Time, format!("When did {who} {base} {thing}?"), &told.time),
        Kind::HowMany => one(Slot::Count, format!("How many {thing} did {who} {base}?"), &told.count),
        Kind::What => {
            // Without the count it is right as well.
            let after = &text[told.count.end..];
            let rest = told.count.end + after.len() - after.trim_start().len()..told.thing.end;
            let text = format!("What did {who} {base}?");
            Asked { slot: Slot::Thing, text, answers: vec![told.thing.clone(), rest] }
        }
        Kind::First => match person.past {
            Past::Towns(_) => one(Slot::Town, format!("Where did {who} spend the childhood?"), &told.past[0]),
            Past::Jobs(_) => one(Slot::Job, format!("What was the first job of {who}?"), &told.past[0]),
        },
        Kind::Last => match person.past {
            Past::Towns(_) => one(Slot::Town, format!("Where did {who} settle?"), &told.past[1]),
            Past::Jobs(_) => one(Slot::Job, format!("What was the last job of {who}?"), &told.past[1]),
        },
    }
}
