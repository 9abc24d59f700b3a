//! Numbers, prices, ages, hours and dates.

use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::lexicon::{DAYS, MONTHS};
use super::nouns::{Gender, ANY};
use super::numbers::{counted, english, english_ordinal, english_year, romanian};
use super::phrases::{noun_phrase, person, quantity, thing_for, Determiner, Phrase, HE};

/// A bare number below 100,000.
pub(super) fn number(rng: &mut ChaCha8Rng) -> Phrase {
    let below = [100, 1000, 10_000, 100_000][rng.gen_range(0..4)];
    let n = rng.gen_range(0..below);
    Phrase { en: english(n), ro: romanian(n, Gender::M) }
}

/// A sum of two numbers.
pub(super) fn sum(rng: &mut ChaCha8Rng) -> Phrase {
    let (a, b) = (rng.gen_range(1..100), rng.gen_range(1..100));
    let [one, other, both] = [a, b, a + b].map(|n| Phrase { en: english(n), ro: romanian(n, Gender::M) });
    Phrase {
        en: format!("{} plus {} is {}", one.en, other.en, both.en),
        ro: format!("{} plus {} fac {}", one.ro, other.ro, both.ro),
    }
}

/// What something costs, in lei.
pub(super) fn price(rng: &mut ChaCha8Rng) -> Phrase {
    let determiner = [Determiner::Definite, Determiner::This, Determiner::That][rng.gen_range(0..3)];
    let thing = noun_phrase(thing_for(ANY, rng), determiner, rng.gen_bool(0.3), None);
    let lei = quantity(rng);
    let costs = if thing.person == HE { "costs" } else { "cost" };
    Phrase {
        en: format!("{} {costs} {} lei", thing.phrase.en, english(lei)),
        ro: format!("{} costă {} lei", thing.phrase.ro, counted(lei, Gender::M)),
    }
}

/// How old somebody is: Romanians have their years.
pub(super) fn age(rng: &mut ChaCha8Rng) -> Phrase {
    let (who, years) = (person(rng), rng.gen_range(2..100));
    let (is, has) = if who.person == HE { ("is", "are") } else { ("are", "au") };
    Phrase {
        en: format!("{} {is} {} years old", who.phrase.en, english(years)),
        ro: format!("{} {has} {} ani", who.phrase.ro, counted(years, Gender::M)),
    }
}

/// The hour, to five minutes.
pub(super) fn hour(rng: &mut ChaCha8Rng) -> Phrase {
    let (hour, minutes) = (rng.gen_range(1..=12), 5 * rng.gen_range(0..12));
    let next = hour % 12 + 1;
    let said = |minutes| match minutes {
        15 => Phrase::of(("quarter", "un sfert")),
        n => Phrase { en: english(n), ro: romanian(n, Gender::N) },
    };
    // Hours are feminine but for one.
    let ro_hour = |n| romanian(n, Gender::N);
    let (en, ro) = match minutes {
        0 => (format!("{} o'clock", english(hour)), format!("ora {}", ro_hour(hour))),
        30 => (format!("half past {}", english(hour)), format!("{} și jumătate", ro_hour(hour))),
        5..30 => {
            let past = said(minutes);
            (format!("{} past {}", past.en, english(hour)), format!("{} și {}", ro_hour(hour), past.ro))
        }
        _ => {
            let to = said(60 - minutes);
            (format!("{} to {}", to.en, english(next)), format!("{} fără {}", ro_hour(next), to.ro))
        }
    };
    Phrase { en: format!("it is {en}"), ro: format!("este {ro}") }
}

/// A day of a month.
fn day(rng: &mut ChaCha8Rng) -> Phrase {
    let (en, ro, days) = MONTHS[rng.gen_range(0..MONTHS.len())];
    let day = rng.gen_range(1..=days);
    let number = if day == 1 { "întâi".to_string() } else { romanian(day, Gender::M) };
    Phrase { en: format!("the {} of {en}", english_ordinal(day)), ro: format!("{number} {ro}") }
}

/// Which day today is, or tomorrow.
pub(super) fn date(rng: &mut ChaCha8Rng) -> Phrase {
    let (when, is) = [(("today", "azi"), ("is", "este")), (("tomorrow", "mâine"), ("will be", "va fi"))]
        [rng.gen_range(0..2)];
    let ((en, ro), day) = (DAYS[rng.gen_range(0..DAYS.len())], day(rng));
    Phrase {
        en: format!("{} {} {en}, {}", when.0, is.0, day.en),
        ro: format!("{} {} {ro}, {}", when.1, is.1, day.ro),
    }
}

/// When somebody was born.
pub(super) fn birth(rng: &mut ChaCha8Rng) -> Phrase {
    let who = person(rng);
    let (was, born) = if who.person == HE { ("was", "s-a născut") } else { ("were", "s-au născut") };
    match rng.gen_bool(0.5) {
        true => {
            let day = day(rng);
            Phrase {
                en: format!("{} {was} born on {}", who.phrase.en, day.en),
                ro: format!("{} {born} pe {}", who.phrase.ro, day.ro),
            }
        }
        false => {
            let year = rng.gen_range(1700..2000);
            Phrase {
                en: format!("{} {was} born in {}", who.phrase.en, english_year(year)),
                ro: format!("{} {born} în anul {}", who.phrase.ro, romanian(year, Gender::N)),
            }
        }
    }
}
