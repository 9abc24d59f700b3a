//! People, what they did, and how it is told.

use std::ops::Range;

use rand::seq::SliceRandom;
use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::lexicon::{
    ASIDES, BESIDE, COUNTS, DAYS, EVENTS, JOBS, LANDMARKS, LOOKS, MEN, MONTHS, PLACES, QUALITIES, SEASONS,
    SURNAMES, THINGS, TOWNS, VERBS, WOMEN, YEARS,
};

/// What is said in a place of a sentence: answers to questions of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Slot {
    Name,
    Thing,
    Count,
    Place,
    Time,
    Town,
    Job,
}

/// When: a preposition (or none) and the time.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Time {
    pub preposition: &'static str,
    pub text: String,
}

impl Time {
    pub fn phrase(&self) -> String {
        format!("{} {}", self.preposition, self.text).trim_start().to_string()
    }
}

/// What somebody did.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Deed {
    pub count: &'static str,
    pub look: &'static str,
    pub place: String,
    pub time: Time,
}

/// What somebody was: first one thing, then the other.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Past {
    Towns([&'static str; 2]),
    Jobs([&'static str; 2]),
}

#[derive(Debug, Clone)]
pub(super) struct Person {
    pub first: &'static str,
    pub last: &'static str,
    pub pronoun: &'static str,
    pub past: Past,
    pub deed: Deed,
    /// Which verbs and things all deeds of the passage are of.
    pub verb: usize,
    pub thing: &'static str,
    /// Which of the two verbs tells the deed; questions have the other.
    pub told: usize,
}

impl Person {
    pub fn name(&self) -> String {
        format!("{} {}", self.first, self.last)
    }

    /// The verb of the question: base form and past.
    pub fn asked(&self) -> [&'static str; 2] {
        VERBS[self.verb][1 - self.told]
    }
}

pub(super) fn pick<T: Copy>(from: &[T], rng: &mut ChaCha8Rng) -> T {
    from[rng.gen_range(0..from.len())]
}

/// Two different ones.
fn two<T: Copy>(from: &[T], rng: &mut ChaCha8Rng) -> [T; 2] {
    let first = rng.gen_range(0..from.len());
    let second = (first + rng.gen_range(1..from.len())) % from.len();
    [from[first], from[second]]
}

fn place(rng: &mut ChaCha8Rng) -> String {
    let (quality, place) = (pick(&QUALITIES, rng), pick(&PLACES, rng));
    let (beside, landmark) = (pick(&BESIDE, rng), pick(&LANDMARKS, rng));
    match rng.gen_range(0..4) {
        0 => format!("the {place}"),
        1 => format!("the {quality} {place}"),
        2 => format!("the {place} {beside} the {landmark}"),
        _ => format!("the {quality} {place} {beside} the {landmark}"),
    }
}

fn time(rng: &mut ChaCha8Rng) -> Time {
    let (preposition, text) = match rng.gen_range(0..5) {
        0 => ("on", pick(&DAYS, rng).to_string()),
        1 => ("in", format!("{} {}", pick(&["early", "late"], rng), pick(&MONTHS, rng))),
        2 => ("in", format!("the {} of {}", pick(&SEASONS, rng), pick(&YEARS, rng))),
        3 => {
            let order = pick(&["before", "after"], rng);
            (
                "on",
                format!("the {} {order} the {}", pick(&["day", "night", "morning"], rng), pick(&EVENTS, rng)),
            )
        }
        _ => (
            "",
            format!(
                "{} {} after the {}",
                pick(&["two", "three", "four"], rng),
                pick(&["days", "weeks"], rng),
                pick(&EVENTS, rng)
            ),
        ),
    };
    Time { preposition, text }
}

fn deed(rng: &mut ChaCha8Rng) -> Deed {
    Deed { count: pick(&COUNTS, rng), look: pick(&LOOKS, rng), place: place(rng), time: time(rng) }
}

/// A deed that has nothing of these.
fn other_deed(taken: &[&Deed], rng: &mut ChaCha8Rng) -> Deed {
    loop {
        let new = deed(rng);
        let clashes = |old: &&Deed| {
            old.count == new.count || old.look == new.look || old.place == new.place || old.time == new.time
        };
        if !taken.iter().any(clashes) {
            return new;
        }
    }
}

/// Two or three people who did the same with the same kind of thing.
pub(super) fn people(rng: &mut ChaCha8Rng) -> Vec<Person> {
    let (verb, thing) = (rng.gen_range(0..VERBS.len()), pick(&THINGS, rng));
    let count = if rng.gen_bool(0.6) { 2 } else { 3 };
    let mut people: Vec<Person> = Vec::with_capacity(count);
    while people.len() < count {
        let (names, pronoun) = pick(&[(&WOMEN, "she"), (&MEN, "he")], rng);
        let (first, last) = (pick(names, rng), pick(&SURNAMES, rng));
        if people.iter().any(|other| other.first == first || other.last == last) {
            continue;
        }
        let past =
            if rng.gen_bool(0.5) { Past::Towns(two(&TOWNS, rng)) } else { Past::Jobs(two(&JOBS, rng)) };
        let taken: Vec<&Deed> = people.iter().map(|other| &other.deed).collect();
        let deed = other_deed(&taken, rng);
        people.push(Person { first, last, pronoun, past, deed, verb, thing, told: rng.gen_range(0..2) });
    }
    people
}

/// A text as it is written, with what is said where.
#[derive(Debug, Default)]
pub(super) struct Story {
    pub text: String,
    pub slots: Vec<(Slot, Range<usize>)>,
    /// Where each person is introduced, and where the deed is told: indices of its slots.
    pub told: Vec<Told>,
}

/// The slots that tell about a person.
#[derive(Debug, Default, Clone)]
pub(super) struct Told {
    pub name: Range<usize>,
    pub past: [Range<usize>; 2],
    pub thing: Range<usize>,
    pub count: Range<usize>,
    pub place: Range<usize>,
    pub time: Range<usize>,
}

impl Story {
    /// Adds words, a capital where a sentence begins, and gives their place.
    fn say(&mut self, words: &str) -> Range<usize> {
        let begins = self.text.is_empty() || self.text.ends_with('.');
        let joined = self.text.is_empty() || words.starts_with([',', '.']);
        if !joined {
            self.text.push(' ');
        }
        let start = self.text.len();
        self.text.push_str(words);
        if begins {
            if let Some(first) = self.text.get_mut(start..start + 1) {
                first.make_ascii_uppercase();
            }
        }
        start..self.text.len()
    }

    fn slot(&mut self, slot: Slot, words: &str) -> Range<usize> {
        let range = self.say(words);
        self.slots.push((slot, range.clone()));
        range
    }

    /// Who somebody was, by name.
    fn introduce(&mut self, person: &Person, told: &mut Told) {
        told.name = self.slot(Slot::Name, &person.name());
        let (slot, [before, between], [first, second]) = match person.past {
            Past::Towns(towns) => (Slot::Town, ["grew up in", "and later moved to"], towns),
            Past::Jobs(jobs) => (Slot::Job, ["was a", "before becoming a"], jobs),
        };
        self.say(before);
        let first = self.slot(slot, first);
        self.say(between);
        told.past = [first, self.slot(slot, second)];
        self.say(".");
    }

    fn things(&mut self, deed: &Deed, thing: &str) -> [Range<usize>; 2] {
        let count = self.slot(Slot::Count, deed.count);
        let rest = self.say(&format!("{} {thing}", deed.look));
        let whole = count.start..rest.end;
        self.slots.push((Slot::Thing, whole.clone()));
        [whole, count]
    }

    fn place(&mut self, deed: &Deed) -> Range<usize> {
        self.say("at");
        self.slot(Slot::Place, &deed.place)
    }

    fn time(&mut self, deed: &Deed) -> Range<usize> {
        if !deed.time.preposition.is_empty() {
            self.say(deed.time.preposition);
        }
        self.slot(Slot::Time, &deed.time.text)
    }

    /// What somebody did: of whom the text speaks, so that no name is needed.
    fn tell(&mut self, person: &Person, told: &mut Told, rng: &mut ChaCha8Rng) {
        let (who, verb) = (
            if rng.gen_bool(0.2) { person.first } else { person.pronoun },
            VERBS[person.verb][person.told][1],
        );
        let deed = &person.deed;
        let order = rng.gen_range(0..3);
        match order {
            1 => {
                told.time = self.time(deed);
                self.say(",");
            }
            2 => told.place = self.place(deed),
            _ => {}
        }
        self.say(who);
        self.say(verb);
        [told.thing, told.count] = self.things(deed, person.thing);
        if order != 2 {
            told.place = self.place(deed);
        }
        if order != 1 {
            told.time = self.time(deed);
        }
        self.say(".");
    }

    /// What did not happen, in the words that a question about what did happen will have.
    fn deny(&mut self, person: &Person, others: &[&Person], rng: &mut ChaCha8Rng) {
        let [base, past] = person.asked();
        let form = rng.gen_range(0..6);
        if form == 3 {
            self.say("nobody saw");
        }
        self.slot(Slot::Name, &person.name());
        if form > 3 {
            let (slot, words, from) = match person.past {
                Past::Towns(_) => (Slot::Town, "did not spend the childhood or settle in", &TOWNS),
                Past::Jobs(_) => (Slot::Job, "did not have a first or last job as a", &JOBS),
            };
            let (Past::Towns(true_ones) | Past::Jobs(true_ones)) = person.past;
            let untrue: Vec<&str> = from.iter().copied().filter(|word| !true_ones.contains(word)).collect();
            self.say(words);
            self.slot(slot, pick(&untrue, rng));
        } else {
            self.say(&match form {
                0 => format!("did not {base}"),
                1 => format!("never {past}"),
                2 => format!("had planned to {base}"),
                _ => base.to_string(),
            });
            let mut deed = other_deed(&[&person.deed], rng);
            // Often it is what somebody else did.
            let other = &others[rng.gen_range(0..others.len())].deed;
            if rng.gen_bool(0.6) {
                deed.place.clone_from(&other.place);
            }
            if rng.gen_bool(0.6) {
                deed.time = other.time.clone();
            }
            self.things(&deed, person.thing);
            self.place(&deed);
            self.time(&deed);
        }
        self.say(".");
    }

    /// The people one after the other, each introduced before the deed is told.
    pub fn new(people: &[Person], rng: &mut ChaCha8Rng) -> Self {
        let mut story = Self::default();
        let mut denied: Vec<usize> = (0..people.len()).collect();
        denied.shuffle(rng);
        denied.truncate(2);
        denied.retain(|_| rng.gen_bool(0.9));
        // With three people there are sentences enough.
        let asides = if people.len() == 2 { rng.gen_range(0..2) } else { 0 };
        for (i, person) in people.iter().enumerate() {
            let mut told = Told::default();
            let others: Vec<&Person> =
                people.iter().enumerate().filter(|(j, _)| *j != i).map(|(_, other)| other).collect();
            let denial = denied.contains(&i).then(|| rng.gen_range(0..3));
            let deny = |story: &mut Self, place: u32, rng: &mut ChaCha8Rng| {
                if denial == Some(place) {
                    story.deny(person, &others, rng);
                }
            };
            deny(&mut story, 0, rng);
            story.introduce(person, &mut told);
            deny(&mut story, 1, rng);
            story.tell(person, &mut told, rng);
            deny(&mut story, 2, rng);
            story.told.push(told);
            if i < asides {
                story.say(pick(&ASIDES, rng));
            }
        }
        story
    }
}
