//! One spelling for what looks the same.

use unicode_normalization::UnicodeNormalization;

/// A sentence in NFC, with ș and ț, and single spaces between words.
///
/// Composed characters (NFC) and Romanian's letters with a comma below, which much text has with a cedilla (ş, ţ: other
/// letters, on keyboards that lacked the right ones), make one token of what is one word. Whitespace of any kind and length
/// becomes one space; none is left at the ends. Normalising twice changes nothing more.
///
/// The cedilla is replaced whatever the language: Turkish text would be damaged.
///
/// # Example
/// ```
/// use reloss::data::normalised;
/// assert_eq!(normalised(" S\u{0326}tiu  că\u{00a0}ţara e frumoasă\n"), "Știu că țara e frumoasă");
/// ```
///
/// # Reference
/// Unicode Standard Annex 15; for the letters, the preprocessing of Romanian in Sennrich, Haddow, Birch, "Edinburgh neural
/// machine translation systems for WMT 16", 2016 (which also removes diacritics from the source side; here they stay).
pub fn normalised(text: &str) -> String {
    let comma_below = |c: char| match c {
        'Ş' => 'Ș',
        'ş' => 'ș',
        'Ţ' => 'Ț',
        'ţ' => 'ț',
        other => other,
    };
    let composed: String = text.nfc().map(comma_below).collect();
    let words: Vec<&str> = composed.split_whitespace().collect();
    words.join(" ")
}
