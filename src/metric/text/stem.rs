//! Porter's stemmer with NLTK's extensions, which rouge-score uses.

/// The stem of a lower-case word.
///
/// # Reference
/// Porter, "An algorithm for suffix stripping", Program 1980; the extensions and the step names are those of NLTK 3.
pub(super) fn stem(word: &str) -> String {
    if let Some((_, stem)) = IRREGULAR.iter().find(|(irregular, _)| *irregular == word) {
        return (*stem).to_string();
    }
    if word.chars().count() <= 2 {
        return word.to_string();
    }
    let word = past(plural(word));
    let word = final_y(word);
    let word = double_suffixes(word);
    let word = replaced(word, &STEP_3, |stem| measure(stem) > 0);
    let word = last_suffix(word);
    final_letters(word)
}

const IRREGULAR: [(&str, &str); 16] = [
    ("sky", "sky"),
    ("skies", "sky"),
    ("dying", "die"),
    ("lying", "lie"),
    ("tying", "tie"),
    ("news", "news"),
    ("innings", "inning"),
    ("inning", "inning"),
    ("outings", "outing"),
    ("outing", "outing"),
    ("cannings", "canning"),
    ("canning", "canning"),
    ("howe", "howe"),
    ("proceed", "proceed"),
    ("exceed", "exceed"),
    ("succeed", "succeed"),
];

/// Suffixes with what takes their place.
type Rules = [(&'static str, &'static str)];

const STEP_2: [(&str, &str); 21] = [
    ("ational", "ate"),
    ("tional", "tion"),
    ("enci", "ence"),
    ("anci", "ance"),
    ("izer", "ize"),
    ("bli", "ble"),
    ("alli", "al"),
    ("entli", "ent"),
    ("eli", "e"),
    ("ousli", "ous"),
    ("ization", "ize"),
    ("ation", "ate"),
    ("ator", "ate"),
    ("alism", "al"),
    ("iveness", "ive"),
    ("fulness", "ful"),
    ("ousness", "ous"),
    ("aliti", "al"),
    ("iviti", "ive"),
    ("biliti", "ble"),
    ("fulli", "ful"),
];

const STEP_3: [(&str, &str); 7] = [
    ("icate", "ic"),
    ("ative", ""),
    ("alize", "al"),
    ("iciti", "ic"),
    ("ical", "ic"),
    ("ful", ""),
    ("ness", ""),
];

const STEP_4: [&str; 19] = [
    "al", "ance", "ence", "er", "ic", "able", "ible", "ant", "ement", "ment", "ent", "ion", "ou", "ism",
    "ate", "iti", "ous", "ive", "ize",
];

/// Whether each letter is a consonant; y is one after a vowel or at the beginning.
fn consonants(word: &str) -> Vec<bool> {
    let mut flags: Vec<bool> = Vec::with_capacity(word.len());
    for letter in word.chars() {
        let flag = match letter {
            'a' | 'e' | 'i' | 'o' | 'u' => false,
            'y' => flags.last().is_none_or(|before| !before),
            _ => true,
        };
        flags.push(flag);
    }
    flags
}

/// How often a vowel is followed by a consonant.
fn measure(word: &str) -> usize {
    consonants(word).windows(2).filter(|pair| !pair[0] && pair[1]).count()
}

fn ends_in_double_consonant(word: &str) -> bool {
    let mut letters = word.chars().rev();
    let (last, before) = (letters.next(), letters.next());
    last.is_some() && last == before && consonants(word).last() == Some(&true)
}

/// Consonant, vowel, consonant other than w, x and y; or a vowel and a consonant alone.
fn ends_short(word: &str) -> bool {
    let flags = consonants(word);
    let closed = !word.ends_with(['w', 'x', 'y']);
    flags.ends_with(&[true, false, true]) && closed || flags == [false, true]
}

/// The first rule whose suffix is there decides: applied where the stem meets the condition, else nothing is.
fn replaced(word: String, rules: &Rules, condition: impl Fn(&str) -> bool) -> String {
    let rule = rules.iter().find_map(|(suffix, to)| word.strip_suffix(suffix).map(|stem| (stem, to)));
    match rule {
        Some((stem, to)) if condition(stem) => format!("{stem}{to}"),
        _ => word,
    }
}

/// Step 1a.
fn plural(word: &str) -> String {
    if word.ends_with("ies") && word.chars().count() == 4 {
        return word[..word.len() - 1].to_string();
    }
    replaced(word.to_string(), &[("sses", "ss"), ("ies", "i"), ("ss", "ss"), ("s", "")], |_| true)
}

/// Step 1b.
fn past(word: String) -> String {
    if word.ends_with("ied") {
        let kept = if word.chars().count() == 4 { 1 } else { 2 };
        return word[..word.len() - kept].to_string();
    }
    if word.ends_with("eed") {
        return replaced(word, &[("eed", "ee")], |stem| measure(stem) > 0);
    }
    let has_vowel = |stem: &&str| consonants(stem).contains(&false);
    let stem = ["ed", "ing"].iter().find_map(|suffix| word.strip_suffix(suffix).filter(has_vowel));
    let Some(stem) = stem else { return word };
    if ["at", "bl", "iz"].iter().any(|end| stem.ends_with(end)) {
        return format!("{stem}e");
    }
    if ends_in_double_consonant(stem) {
        let single = !stem.ends_with(['l', 's', 'z']);
        let cut = if single { stem.chars().next_back().map_or(0, char::len_utf8) } else { 0 };
        return stem[..stem.len() - cut].to_string();
    }
    match measure(stem) == 1 && ends_short(stem) {
        true => format!("{stem}e"),
        false => stem.to_string(),
    }
}

/// Step 1c.
fn final_y(word: String) -> String {
    replaced(word, &[("y", "i")], |stem| {
        let flags = consonants(stem);
        flags.len() > 1 && flags.last() == Some(&true)
    })
}

/// Step 2.
fn double_suffixes(word: String) -> String {
    if let Some(stem) = word.strip_suffix("alli").filter(|stem| measure(stem) > 0) {
        return double_suffixes(format!("{stem}al"));
    }
    if word.ends_with("logi") && !STEP_2.iter().any(|(suffix, _)| word.ends_with(suffix)) {
        return replaced(word, &[("logi", "log")], |stem| measure(&format!("{stem}l")) > 0);
    }
    replaced(word, &STEP_2, |stem| measure(stem) > 0)
}

/// Step 4.
fn last_suffix(word: String) -> String {
    let found = STEP_4.iter().find_map(|suffix| word.strip_suffix(suffix).map(|stem| (*suffix, stem)));
    match found {
        Some((suffix, stem)) if measure(stem) > 1 && (suffix != "ion" || stem.ends_with(['s', 't'])) => {
            stem.to_string()
        }
        _ => word,
    }
}

/// Step 5.
fn final_letters(word: String) -> String {
    let short = |stem: &str| measure(stem) == 1 && !ends_short(stem);
    let word = match word.strip_suffix('e') {
        Some(stem) if measure(stem) > 1 || short(stem) => stem.to_string(),
        _ => word,
    };
    match word.strip_suffix('l') {
        Some(stem) if stem.ends_with('l') && measure(stem) > 1 => stem.to_string(),
        _ => word,
    }
}

#[cfg(test)]
mod tests {
    use super::stem;

    #[test]
    fn stems_of_the_paper_and_of_the_extensions() {
        let pairs = [
            ("caresses", "caress"),
            ("ponies", "poni"),
            ("cats", "cat"),
            ("feed", "feed"),
            ("agreed", "agre"),
            ("plastered", "plaster"),
            ("sing", "sing"),
            ("conflated", "conflat"),
            ("hopping", "hop"),
            ("falling", "fall"),
            ("filing", "file"),
            ("happy", "happi"),
            ("relational", "relat"),
            ("vietnamization", "vietnam"),
            ("hopefulness", "hope"),
            ("triplicate", "triplic"),
            ("adoption", "adopt"),
            ("probate", "probat"),
            ("controlling", "control"),
            // Extensions: short words in -ies and -ied, -y after a vowel, -logi, irregular forms.
            ("ties", "tie"),
            ("died", "die"),
            ("enjoy", "enjoy"),
            ("geology", "geolog"),
            ("skies", "sky"),
            ("dying", "die"),
            ("of", "of"),
        ];
        for (word, want) in pairs {
            assert_eq!(stem(word), want, "{word}");
        }
    }
}
