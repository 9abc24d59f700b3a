//! Who and what: noun phrases with agreement in two languages.

use rand::seq::SliceRandom;
use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::lexicon::{Adjective, GOALS, MEANS, QUALITIES, TRAITS};
use super::nouns::{Gender, Noun, Place, HOLD, NAMES, PEOPLE, PLACES, RELATIVES, THINGS};
use super::numbers::{counted, english};

/// The same in English and Romanian.
#[derive(Debug, Clone, Default)]
pub(super) struct Phrase {
    pub en: String,
    pub ro: String,
}

impl Phrase {
    pub fn of((en, ro): (&str, &str)) -> Self {
        Self { en: en.to_string(), ro: ro.to_string() }
    }

    /// Both languages' words in this order; empty phrases leave no space.
    pub fn join(parts: &[&Self]) -> Self {
        Self {
            en: spaced(&parts.iter().map(|part| part.en.as_str()).collect::<Vec<_>>()),
            ro: spaced(&parts.iter().map(|part| part.ro.as_str()).collect::<Vec<_>>()),
        }
    }
}

/// Words with single spaces between those that are not empty.
pub(super) fn spaced(parts: &[&str]) -> String {
    let parts: Vec<&str> = parts.iter().copied().filter(|part| !part.is_empty()).collect();
    parts.join(" ")
}

/// Persons as the verbs' tables have them: I, you, he, we, they.
pub(super) const I: usize = 0;
pub(super) const YOU: usize = 1;
pub(super) const HE: usize = 2;
pub(super) const WE: usize = 3;
pub(super) const THEY: usize = 4;

/// Who does it: a phrase, its person, and how adjectives agree with it.
#[derive(Debug, Clone)]
pub(super) struct Subject {
    pub phrase: Phrase,
    pub person: usize,
    pub form: usize,
}

/// Where a form stands among masculine, feminine, masculine plural, feminine plural.
pub(super) fn form(gender: Gender, plural: bool) -> usize {
    match (gender, plural) {
        (Gender::M | Gender::N, false) => 0,
        (Gender::F, false) => 1,
        (Gender::M, true) => 2,
        (Gender::F | Gender::N, true) => 3,
    }
}

/// Whose.
#[derive(Clone, Copy)]
pub(super) enum Owner {
    /// My, your, his, her, our, their.
    Pronoun(usize),
    /// One of [`NAMES`].
    Name(usize),
    /// One of [`PEOPLE`], in the singular or plural.
    Person(usize, bool),
}

const MY: [&str; 6] = ["my", "your", "his", "her", "our", "their"];
const MEU: [[&str; 4]; 6] = [
    ["meu", "mea", "mei", "mele"],
    ["tău", "ta", "tăi", "tale"],
    ["lui"; 4],
    ["ei"; 4],
    ["nostru", "noastră", "noștri", "noastre"],
    ["lor"; 4],
];

impl Owner {
    pub fn draw(rng: &mut ChaCha8Rng) -> Self {
        match rng.gen_range(0..5) {
            0..3 => Self::Pronoun(rng.gen_range(0..MY.len())),
            3 => Self::Name(rng.gen_range(0..NAMES.len())),
            _ => Self::Person(rng.gen_range(0..PEOPLE.len()), rng.gen_bool(0.3)),
        }
    }

    fn english(self) -> String {
        match self {
            Self::Pronoun(i) => MY[i].to_string(),
            Self::Name(i) => format!("{}'s", NAMES[i].0),
            Self::Person(i, false) => format!("the {}'s", PEOPLE[i].en[0]),
            Self::Person(i, true) => {
                let plural = PEOPLE[i].en[1];
                format!("the {plural}{}", if plural.ends_with('s') { "'" } else { "'s" })
            }
        }
    }

    fn romanian(self, form: usize) -> String {
        match self {
            Self::Pronoun(i) => MEU[i][form].to_string(),
            Self::Name(i) => NAMES[i].1.to_string(),
            Self::Person(i, plural) => genitive(&PEOPLE[i], plural),
        }
    }
}

/// With the article, "of the": băiatului, fratelui, fetei, băieților.
fn genitive(noun: &Noun, plural: bool) -> String {
    let [_, definite, plural_form, _] = noun.ro;
    match (plural, noun.gender) {
        (true, _) => format!("{plural_form}lor"),
        (false, Gender::F) => format!("{plural_form}i"),
        (false, _) => format!("{}ui", definite.strip_suffix('e').unwrap_or(definite)),
    }
}

/// What stands before a noun in English.
#[derive(Clone, Copy)]
pub(super) enum Determiner {
    /// "a", and nothing in the plural.
    Indefinite,
    Definite,
    This,
    That,
    /// In the plural.
    Many,
    /// In the plural: so many, two or more.
    Number(usize),
    /// In the plural: the so many.
    TheNumber(usize),
    Of(Owner),
}

impl Determiner {
    fn always_plural(self) -> bool {
        matches!(self, Self::Many | Self::Number(_) | Self::TheNumber(_))
    }
}

/// A noun with what belongs to it.
pub(super) fn noun_phrase(
    noun: &Noun,
    determiner: Determiner,
    plural: bool,
    adjective: Option<&Adjective>,
) -> Subject {
    let plural = plural || determiner.always_plural();
    let form = form(noun.gender, plural);
    let en_words = spaced(&[adjective.map_or("", |a| a.en), noun.en[usize::from(plural)]]);
    let quality = adjective.map_or("", |a| a.ro[form]);
    let [bare, definite] = if plural { [noun.ro[2], noun.ro[3]] } else { [noun.ro[0], noun.ro[1]] };
    let demonstrative = |sets: [&str; 4]| spaced(&[sets[form], bare, quality]);
    let (en, ro) = match determiner {
        Determiner::Indefinite if plural => (String::new(), spaced(&[bare, quality])),
        Determiner::Indefinite => {
            let article = if en_words.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
            (article.to_string(), demonstrative(["un", "o", "", ""]))
        }
        Determiner::Definite => ("the".to_string(), spaced(&[definite, quality])),
        Determiner::This => (
            if plural { "these" } else { "this" }.to_string(),
            demonstrative(["acest", "această", "acești", "aceste"]),
        ),
        Determiner::That => (
            if plural { "those" } else { "that" }.to_string(),
            demonstrative(["acel", "acea", "acei", "acele"]),
        ),
        Determiner::Many => ("many".to_string(), demonstrative(["", "", "mulți", "multe"])),
        Determiner::Number(n) => (english(n), spaced(&[&counted(n, noun.gender), bare, quality])),
        Determiner::TheNumber(n) => {
            let article = if form == 2 { "cei" } else { "cele" };
            let number = counted(n, noun.gender);
            (format!("the {}", english(n)), spaced(&[article, &number, bare, quality]))
        }
        Determiner::Of(owner) => {
            let whose = owner.romanian(form);
            let ro = match (owner, quality) {
                (Owner::Pronoun(_), _) => spaced(&[definite, &whose, quality]),
                (_, "") => spaced(&[definite, &whose]),
                // Where the owner does not follow the noun itself, an article links them.
                _ => spaced(&[definite, quality, ["al", "a", "ai", "ale"][form], &whose]),
            };
            (owner.english(), ro)
        }
    };
    let phrase = Phrase { en: spaced(&[&en, &en_words]), ro };
    Subject { phrase, person: if plural { THEY } else { HE }, form }
}

fn pick<'a, T>(from: &'a [T], rng: &mut ChaCha8Rng) -> &'a T {
    &from[rng.gen_range(0..from.len())]
}

/// A number from two on, small ones more often; none whose last digits are 01, where usage is divided.
pub(super) fn quantity(rng: &mut ChaCha8Rng) -> usize {
    let n = match rng.gen_range(0..4) {
        0 | 1 => rng.gen_range(2..20),
        2 => rng.gen_range(20..100),
        _ => rng.gen_range(100..1000),
    };
    if n % 100 == 1 {
        n + 1
    } else {
        n
    }
}

/// A thing of one of these uses.
pub(super) fn thing_for(uses: u8, rng: &mut ChaCha8Rng) -> &'static Noun {
    let fitting: Vec<&Noun> = THINGS.iter().filter(|noun| noun.uses & uses != 0).collect();
    fitting[rng.gen_range(0..fitting.len())]
}

/// A thing of this use (any, for all of them), as it may be bought or read.
pub(super) fn thing(uses: u8, rng: &mut ChaCha8Rng) -> Subject {
    let noun = thing_for(uses, rng);
    let adjective = rng.gen_bool(0.4).then(|| pick(QUALITIES, rng));
    let determiner = match rng.gen_range(0..12) {
        0..2 => Determiner::Indefinite,
        2..5 => Determiner::Definite,
        5 => Determiner::This,
        6 => Determiner::That,
        7 => Determiner::Many,
        8..10 => Determiner::Number(quantity(rng)),
        _ => Determiner::Of(Owner::draw(rng)),
    };
    noun_phrase(noun, determiner, rng.gen_bool(0.35), adjective)
}

/// Things whose number is said, as in "there are".
pub(super) fn indefinite_thing(rng: &mut ChaCha8Rng) -> Subject {
    let adjective = rng.gen_bool(0.4).then(|| pick(QUALITIES, rng));
    let determiner = match rng.gen_range(0..4) {
        0 => Determiner::Indefinite,
        1 => Determiner::Many,
        _ => Determiner::Number(quantity(rng)),
    };
    noun_phrase(thing_for(HOLD, rng), determiner, rng.gen_bool(0.3), adjective)
}

/// A pronoun; Romanian verbs say who speaks without one.
fn pronoun(which: usize) -> Subject {
    let (en, ro, person, form) = [
        ("I", "", I, 0),
        ("you", "", YOU, 0),
        ("he", "el", HE, 0),
        ("she", "ea", HE, 1),
        ("we", "", WE, 2),
        ("they", "ei", THEY, 2),
    ][which];
    Subject { phrase: Phrase::of((en, ro)), person, form }
}

fn name(rng: &mut ChaCha8Rng) -> Subject {
    let (name, _, gender) = *pick(NAMES, rng);
    Subject { phrase: Phrase::of((name, name)), person: HE, form: form(gender, false) }
}

fn two_names(rng: &mut ChaCha8Rng) -> Subject {
    let mut two = NAMES.choose_multiple(rng, 2);
    let (Some(a), Some(b)) = (two.next(), two.next()) else { return name(rng) };
    let gender = if a.2 == Gender::F && b.2 == Gender::F { Gender::F } else { Gender::M };
    let (en, ro) = (format!("{} and {}", a.0, b.0), format!("{} și {}", a.0, b.0));
    Subject { phrase: Phrase { en, ro }, person: THEY, form: form(gender, true) }
}

/// Somebody who is not a pronoun.
pub(super) fn person(rng: &mut ChaCha8Rng) -> Subject {
    let adjective = rng.gen_bool(0.25).then(|| pick(TRAITS, rng));
    let plural = rng.gen_bool(0.35);
    match rng.gen_range(0..12) {
        0..2 => name(rng),
        2 => two_names(rng),
        3..6 => noun_phrase(pick(PEOPLE, rng), Determiner::Definite, plural, adjective),
        6 => noun_phrase(pick(PEOPLE, rng), Determiner::This, plural, adjective),
        7 => noun_phrase(pick(PEOPLE, rng), Determiner::Indefinite, false, adjective),
        8 => noun_phrase(pick(PEOPLE, rng), Determiner::TheNumber(rng.gen_range(2..20)), true, adjective),
        9 => noun_phrase(pick(PEOPLE, rng), Determiner::Number(quantity(rng)), true, adjective),
        _ => noun_phrase(pick(RELATIVES, rng), Determiner::Of(Owner::draw(rng)), plural, adjective),
    }
}

/// Somebody.
pub(super) fn anybody(rng: &mut ChaCha8Rng) -> Subject {
    match rng.gen_bool(0.3) {
        true => pronoun(rng.gen_range(0..6)),
        false => person(rng),
    }
}

/// Somebody a question can be about: not the one who asks.
pub(super) fn anybody_else(rng: &mut ChaCha8Rng) -> Subject {
    match rng.gen_bool(0.3) {
        true => pronoun(rng.gen_range(1..6)),
        false => person(rng),
    }
}

/// What a place can be.
fn place_quality(rng: &mut ChaCha8Rng) -> Option<&'static Adjective> {
    let fitting = ["old", "new", "big", "small", "beautiful"];
    let all: Vec<&Adjective> = QUALITIES.iter().filter(|a| fitting.contains(&a.en)).collect();
    rng.gen_bool(0.3).then(|| *pick(&all, rng))
}

/// One of these places with its preposition.
///
/// After a preposition a Romanian noun that nothing else belongs to loses its article: în grădină, but în grădina veche.
pub(super) fn place(places: &'static [Place], rng: &mut ChaCha8Rng) -> Phrase {
    let place = pick(places, rng);
    let quality = place_quality(rng);
    let determiner = match rng.gen_range(0..4) {
        0 => Determiner::Of(Owner::draw(rng)),
        1 => Determiner::Indefinite,
        _ => Determiner::Definite,
    };
    let inside = noun_phrase(&place.noun, determiner, false, quality).phrase;
    let ro = match (determiner, quality) {
        (Determiner::Definite, None) => format!("{} {}", place.ro, place.noun.ro[0]),
        (Determiner::Indefinite, _) if place.ro == "în" => format!("într-{}", inside.ro),
        _ => format!("{} {}", place.ro, inside.ro),
    };
    Phrase { en: format!("{} {}", place.en, inside.en), ro }
}

/// Somewhere to be.
pub(super) fn location(rng: &mut ChaCha8Rng) -> Phrase {
    place(PLACES, rng)
}

/// Somewhere to go, and perhaps how.
pub(super) fn goal(rng: &mut ChaCha8Rng) -> Phrase {
    let goal = Phrase::of(*pick(GOALS, rng));
    match rng.gen_bool(0.4) {
        true => Phrase::join(&[&goal, &Phrase::of(*pick(MEANS, rng))]),
        false => goal,
    }
}
