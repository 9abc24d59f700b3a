//! Who does what: clauses with tense, negation and questions in two languages.

use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::lexicon::{
    Verb, ALWAYS, DAYS, FUTURE, INTRANSITIVE, MOTION, NOW, PAST, QUALITIES, TRAITS, TRANSITIVE,
};
use super::nouns::{Gender, SURFACES, THINGS};
use super::numbers::{english, romanian};
use super::phrases::{
    anybody, anybody_else, goal, indefinite_thing, location, noun_phrase, person, place, spaced, thing,
    thing_for, Determiner, Owner, Phrase, Subject, HE, I, THEY,
};

/// When, and in which way.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Tense {
    Present,
    Progressive,
    Past,
    Future,
    Can,
    Must,
    Want,
}

/// What a question asks for besides yes or no.
const ASKED: [(&str, &str); 3] = [("where", "unde"), ("when", "când"), ("why", "de ce")];

const PERFECT: [&str; 5] = ["am", "ai", "a", "am", "au"];
const WILL: [&str; 5] = ["voi", "vei", "va", "vom", "vor"];
const CAN: [&str; 5] = ["pot", "poți", "poate", "putem", "pot"];
const WANT: [&str; 5] = ["vreau", "vrei", "vrea", "vrem", "vor"];
const BE: [&str; 5] = ["sunt", "ești", "este", "suntem", "sunt"];
const WAS: [&str; 5] = ["eram", "erai", "era", "eram", "erau"];

/// English "am", "are", "is".
fn be(person: usize) -> &'static str {
    match person {
        I => "am",
        HE => "is",
        _ => "are",
    }
}

fn was(person: usize) -> &'static str {
    match person {
        I | HE => "was",
        _ => "were",
    }
}

fn pick<T: Copy>(from: &[T], rng: &mut ChaCha8Rng) -> T {
    from[rng.gen_range(0..from.len())]
}

/// English: what comes before the subject in a question (or after it otherwise), and the rest of the verb.
fn english_verb(verb: &Verb, tense: Tense, person: usize, split: bool) -> (&'static str, String) {
    let [base, third, past, gerund] = verb.en;
    let do_form = if person == HE { "does" } else { "do" };
    match tense {
        Tense::Progressive => (be(person), gerund.to_string()),
        Tense::Future => ("will", base.to_string()),
        Tense::Can => ("can", base.to_string()),
        Tense::Must => ("must", base.to_string()),
        Tense::Past if split => ("did", base.to_string()),
        Tense::Past => ("", past.to_string()),
        Tense::Present if split => (do_form, base.to_string()),
        Tense::Present => ("", if person == HE { third } else { base }.to_string()),
        Tense::Want if split => (do_form, format!("want to {base}")),
        Tense::Want => ("", format!("{} to {base}", if person == HE { "wants" } else { "want" })),
    }
}

/// Romanian: the verb, and what follows the subject where that comes after it.
fn romanian_verb(verb: &Verb, tense: Tense, person: usize) -> (String, String) {
    let [subjunctive, participle, infinitive] = verb.ro;
    let dependent = || match person {
        HE | THEY => format!("să {subjunctive}"),
        _ => format!("să {}", verb.present[person]),
    };
    match tense {
        Tense::Present | Tense::Progressive => (verb.present[person].to_string(), String::new()),
        Tense::Past => (format!("{} {participle}", PERFECT[person]), String::new()),
        Tense::Future => (format!("{} {infinitive}", WILL[person]), String::new()),
        Tense::Can => (format!("{} {infinitive}", CAN[person]), String::new()),
        Tense::Must => ("trebuie".to_string(), dependent()),
        Tense::Want => (WANT[person].to_string(), dependent()),
    }
}

/// Subject, verb and the rest as a statement.
fn statement(subject: &Subject, verb: &Verb, tense: Tense, negated: bool, rest: &Phrase) -> Phrase {
    let (auxiliary, main) = english_verb(verb, tense, subject.person, negated);
    let not = match (negated, auxiliary) {
        (false, _) => auxiliary.to_string(),
        (true, "can") => "cannot".to_string(),
        (true, _) => format!("{auxiliary} not"),
    };
    let (finite, dependent) = romanian_verb(verb, tense, subject.person);
    let nu = if negated { "nu" } else { "" };
    Phrase {
        en: spaced(&[&subject.phrase.en, &not, &main, &rest.en]),
        ro: spaced(&[&subject.phrase.ro, nu, &finite, &dependent, &rest.ro]),
    }
}

/// The same as a question, after what is asked for (or nothing).
fn question(asked: &Phrase, subject: &Subject, verb: &Verb, tense: Tense, rest: &Phrase) -> Phrase {
    let (auxiliary, main) = english_verb(verb, tense, subject.person, true);
    let (finite, dependent) = romanian_verb(verb, tense, subject.person);
    Phrase {
        en: spaced(&[&asked.en, auxiliary, &subject.phrase.en, &main, &rest.en]),
        ro: spaced(&[&asked.ro, &finite, &subject.phrase.ro, &dependent, &rest.ro]),
    }
}

fn tense(verb: &Verb, rng: &mut ChaCha8Rng) -> Tense {
    match verb.stative {
        true => pick(&[Tense::Present, Tense::Past, Tense::Future], rng),
        false => {
            use Tense::{Can, Future, Must, Past, Present, Progressive, Want};
            pick(&[Present, Progressive, Progressive, Past, Past, Future, Future, Can, Must, Want], rng)
        }
    }
}

/// A time that goes with the tense.
fn time(tense: Tense, stative: bool, rng: &mut ChaCha8Rng) -> Phrase {
    let clock = |rng: &mut ChaCha8Rng| {
        let hour = rng.gen_range(1..=12);
        let ro = format!("la ora {}", romanian(hour, Gender::N));
        Phrase { en: format!("at {} o'clock", english(hour)), ro }
    };
    match tense {
        Tense::Present if stative => Phrase::of(("today", "azi")),
        Tense::Present => Phrase::of(pick(ALWAYS, rng)),
        Tense::Progressive => Phrase::of(pick(NOW, rng)),
        _ => match rng.gen_range(0..6) {
            0 => {
                let (en, ro) = pick(DAYS, rng);
                Phrase { en: format!("on {en}"), ro: ro.to_string() }
            }
            1 => clock(rng),
            _ if tense == Tense::Past => Phrase::of(pick(PAST, rng)),
            _ => Phrase::of(pick(FUTURE, rng)),
        },
    }
}

/// A verb with what follows it.
fn predicate(rng: &mut ChaCha8Rng) -> (&'static Verb, Phrase) {
    match rng.gen_range(0..10) {
        0..6 => {
            let verb = &TRANSITIVE[rng.gen_range(0..TRANSITIVE.len())];
            let object = thing(verb.objects, rng).phrase;
            match rng.gen_bool(0.25) && !verb.stative {
                true => (verb, Phrase::join(&[&object, &location(rng)])),
                false => (verb, object),
            }
        }
        6..8 => {
            let verb = &INTRANSITIVE[rng.gen_range(0..INTRANSITIVE.len())];
            match rng.gen_bool(0.7) {
                true => (verb, location(rng)),
                false => (verb, Phrase::default()),
            }
        }
        _ => (&MOTION[rng.gen_range(0..MOTION.len())], goal(rng)),
    }
}

/// Somebody does something, or does not, perhaps at some time.
pub(super) fn action(rng: &mut ChaCha8Rng) -> Phrase {
    let subject = anybody(rng);
    let (verb, rest) = predicate(rng);
    let tense = tense(verb, rng);
    // "Must not" is no negation of "must".
    let negated = rng.gen_bool(0.25) && tense != Tense::Must;
    let clause = statement(&subject, verb, tense, negated, &rest);
    match rng.gen_range(0..4) {
        0 => Phrase::join(&[&clause, &time(tense, verb.stative, rng)]),
        1 => Phrase::join(&[&time(tense, verb.stative, rng), &clause]),
        _ => clause,
    }
}

/// Does somebody do something? Where, when, why, what, how many, who?
pub(super) fn asked_action(rng: &mut ChaCha8Rng) -> Phrase {
    let subject = anybody_else(rng);
    let (verb, rest) = predicate(rng);
    let tense = match tense(verb, rng) {
        Tense::Must => Tense::Past,
        other => other,
    };
    match rng.gen_range(0..6) {
        0 | 1 => question(&Phrase::default(), &subject, verb, tense, &rest),
        2 => question(&Phrase::of(pick(&ASKED[1..], rng)), &subject, verb, tense, &rest),
        3 => {
            let object = match verb.objects {
                0 => Phrase::default(),
                uses => thing(uses, rng).phrase,
            };
            question(&Phrase::of(ASKED[0]), &subject, verb, tense, &object)
        }
        4 if verb.objects != 0 && rng.gen_bool(0.5) => {
            question(&Phrase::of(("what", "ce")), &subject, verb, tense, &Phrase::default())
        }
        4 if verb.objects != 0 => {
            let noun = thing_for(verb.objects, rng);
            let how_many = if noun.gender == Gender::M { "câți" } else { "câte" };
            let en = format!("how many {}", noun.en[1]);
            let asked = Phrase { en, ro: format!("{how_many} {}", noun.ro[2]) };
            question(&asked, &subject, verb, tense, &Phrase::default())
        }
        _ => {
            let who = Subject { phrase: Phrase::of(("who", "cine")), person: HE, form: 0 };
            statement(&who, verb, tense, false, &rest)
        }
    }
}

/// "To be" with its negation: English before and after the subject's place, Romanian.
fn to_be(person: usize, tense: Tense, negated: bool) -> (String, String) {
    let not = if negated { " not" } else { "" };
    let nu = if negated { "nu " } else { "" };
    match tense {
        Tense::Past => (format!("{}{not}", was(person)), format!("{nu}{}", WAS[person])),
        Tense::Future => (format!("will{not} be"), format!("{nu}{} fi", WILL[person])),
        _ => (format!("{}{not}", be(person)), format!("{nu}{}", BE[person])),
    }
}

fn linked(subject: &Subject, complement: &Phrase, rng: &mut ChaCha8Rng) -> Phrase {
    let tense = pick(&[Tense::Present, Tense::Present, Tense::Past, Tense::Future], rng);
    let (en, ro) = to_be(subject.person, tense, rng.gen_bool(0.25));
    Phrase {
        en: spaced(&[&subject.phrase.en, &en, &complement.en]),
        ro: spaced(&[&subject.phrase.ro, &ro, &complement.ro]),
    }
}

/// Something has a quality.
pub(super) fn quality(rng: &mut ChaCha8Rng) -> Phrase {
    let of_person = rng.gen_bool(0.5);
    let subject = if of_person { anybody(rng) } else { definite_thing(rng) };
    let adjectives = if of_person { TRAITS } else { QUALITIES };
    let adjective = &adjectives[rng.gen_range(0..adjectives.len())];
    linked(&subject, &Phrase::of((adjective.en, adjective.ro[subject.form])), rng)
}

/// Whether something has a quality.
pub(super) fn asked_quality(rng: &mut ChaCha8Rng) -> Phrase {
    let subject = anybody_else(rng);
    let adjective = &TRAITS[rng.gen_range(0..TRAITS.len())];
    let tense = pick(&[Tense::Present, Tense::Past], rng);
    let (en, ro) = to_be(subject.person, tense, false);
    Phrase {
        en: spaced(&[&en, &subject.phrase.en, adjective.en]),
        ro: spaced(&[&ro, &subject.phrase.ro, adjective.ro[subject.form]]),
    }
}

/// Something has more of a quality than something else.
pub(super) fn comparison(rng: &mut ChaCha8Rng) -> Phrase {
    let of_people = rng.gen_bool(0.5);
    let one = |rng: &mut ChaCha8Rng| if of_people { person(rng) } else { definite_thing(rng) };
    let (subject, other) = (one(rng), one(rng));
    let adjectives = if of_people { TRAITS } else { QUALITIES };
    let comparable: Vec<_> = adjectives.iter().filter(|adjective| !adjective.more.is_empty()).collect();
    let adjective = comparable[rng.gen_range(0..comparable.len())];
    let complement = Phrase {
        en: format!("{} than {}", adjective.more, other.phrase.en),
        ro: format!("mai {} decât {}", adjective.ro[subject.form], other.phrase.ro),
    };
    linked(&subject, &complement, rng)
}

/// A thing that can be talked about.
fn definite_thing(rng: &mut ChaCha8Rng) -> Subject {
    let noun = &THINGS[rng.gen_range(0..THINGS.len())];
    let determiner = match rng.gen_range(0..5) {
        0..2 => Determiner::Definite,
        2 => Determiner::This,
        3 => Determiner::That,
        _ => Determiner::Of(Owner::draw(rng)),
    };
    noun_phrase(noun, determiner, rng.gen_bool(0.35), None)
}

/// English, Romanian of a man, Romanian of a woman.
const PROFESSIONS: [(&str, &str, &str); 12] = [
    ("teacher", "profesor", "profesoară"),
    ("student", "student", "studentă"),
    ("writer", "scriitor", "scriitoare"),
    ("singer", "cântăreț", "cântăreață"),
    ("engineer", "inginer", "ingineră"),
    ("painter", "pictor", "pictoriță"),
    ("journalist", "jurnalist", "jurnalistă"),
    ("dancer", "dansator", "dansatoare"),
    ("translator", "traducător", "traducătoare"),
    ("farmer", "fermier", "fermieră"),
    ("pharmacist", "farmacist", "farmacistă"),
    ("nurse", "asistent", "asistentă"),
];

/// Somebody's profession: Romanian has no article there.
pub(super) fn profession(rng: &mut ChaCha8Rng) -> Phrase {
    let subject = loop {
        let subject = anybody(rng);
        if subject.form < 2 {
            break subject;
        }
    };
    let (en, man, woman) = pick(&PROFESSIONS, rng);
    let article = if en.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
    let complement = Phrase { en: format!("{article} {en}"), ro: [man, woman][subject.form].to_string() };
    linked(&subject, &complement, rng)
}

/// Things are somewhere: Romanian says where first.
pub(super) fn existence(rng: &mut ChaCha8Rng) -> Phrase {
    let subject = indefinite_thing(rng);
    let place = place(SURFACES, rng);
    let tense = pick(&[Tense::Present, Tense::Present, Tense::Past], rng);
    let (en, ro) = to_be(subject.person, tense, false);
    Phrase {
        en: spaced(&["there", &en, &subject.phrase.en, &place.en]),
        ro: spaced(&[&place.ro, &ro, &subject.phrase.ro]),
    }
}

/// Somebody says or thinks it.
pub(super) fn report(clause: &Phrase, rng: &mut ChaCha8Rng) -> Phrase {
    let (en, present) = pick(
        &[
            (["think", "thinks"], ["cred", "crezi", "crede", "credem", "cred"]),
            (["know", "knows"], ["știu", "știi", "știe", "știm", "știu"]),
            (["say", "says"], ["spun", "spui", "spune", "spunem", "spun"]),
            (["hope", "hopes"], ["sper", "speri", "speră", "sperăm", "speră"]),
        ],
        rng,
    );
    let subject = anybody(rng);
    let said = en[usize::from(subject.person == HE)];
    Phrase {
        en: spaced(&[&subject.phrase.en, said, "that", &clause.en]),
        ro: spaced(&[&subject.phrase.ro, present[subject.person], "că", &clause.ro]),
    }
}
