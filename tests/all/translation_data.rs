//! Parallel text: read, refused, generated, made into numbers and batches.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use reloss::data::{
    normalised, EncodeOptions, ParallelText, TextSplit, TokenRows, TsvColumns, Unfit, Units, Vocabulary,
};
use reloss::Error;

const EN_RO: [&str; 2] = ["en", "ro"];

fn write(folder: &Path, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, bytes).unwrap();
    path
}

/// Fails unless the error is of data, in this place, for this reason.
#[track_caller]
fn assert_data<T: std::fmt::Debug>(result: reloss::Result<T>, place: &str, reason: &str) {
    let error = result.unwrap_err();
    let said = error.to_string();
    assert!(matches!(error, Error::Data { .. }), "{error:?}");
    assert!(said.contains(place) && said.contains(reason), "{said}");
}

#[test]
fn sentences_are_normalised() {
    for (text, wanted) in [
        ("Ş ş Ţ ţ", "Ș ș Ț ț"),
        ("s\u{327}t\u{327}s\u{326}t\u{326}", "șțșț"),
        ("a\u{306}i\u{302}", "ăî"),
        ("  a \t\u{2009}b\r\n", "a b"),
        ("", ""),
    ] {
        assert_eq!(normalised(text), wanted);
        assert_eq!(normalised(wanted), wanted);
    }
}

#[test]
fn tables_are_read_by_columns() {
    let folder = tempfile::tempdir().unwrap();
    let tsv = |text: &[u8], source, target, empty| {
        let path = write(folder.path(), "pairs.tsv", text);
        ParallelText::from_tsv(&path, EN_RO, TsvColumns { source, target }, empty)
    };
    let table = "\u{feff}\"Hi.\"\tBun\u{103}.\tCC\r\nA dog.\tUn c\u{e2}ine.\tCC\n".as_bytes();
    let text = tsv(table, 0, 1, Unfit::Refuse).unwrap();
    assert_eq!((text.sources(), text.targets()), (vec!["\"Hi.\"", "A dog."], vec!["Bună.", "Un câine."]));
    assert_eq!((text.name(), text.languages(), text.skipped(), text.pairs()[1].line), ("pairs", EN_RO, 0, 2));
    assert_eq!(tsv(table, 1, 0, Unfit::Refuse).unwrap().sources(), text.targets());
    assert_data(tsv(table, 0, 3, Unfit::Refuse), "pairs.tsv:1", "3 columns where 4");
    assert_data(tsv(b"a\tb\nc\n", 0, 1, Unfit::Skip), "pairs.tsv:2", "1 columns where 2");
    assert_data(tsv(b"a\tb\nc\t\xff\n", 0, 1, Unfit::Skip), "pairs.tsv:2", "not UTF-8");
    assert_data(tsv(b"a\tb\n \tc\n", 0, 1, Unfit::Refuse), "pairs.tsv:2", "source side is empty");
    assert_data(tsv(b"a\tb\nc\t\n", 0, 1, Unfit::Refuse), "pairs.tsv:2", "target side is empty");
    let kept = tsv(b"\tb\na\tb\nc\t \n", 0, 1, Unfit::Skip).unwrap();
    assert_eq!((kept.len(), kept.skipped(), kept.pairs()[0].line), (1, 2, 2));
    assert!(matches!(tsv(b"", 0, 1, Unfit::Skip), Err(Error::Shape { .. })));
    assert!(matches!(tsv(b"\t\n", 0, 1, Unfit::Skip), Err(Error::Shape { .. })));
    let missing = ParallelText::from_tsv(Path::new("not there"), EN_RO, TsvColumns::default(), Unfit::Skip);
    assert!(matches!(missing, Err(Error::Io { .. })));
}

#[test]
fn two_files_need_as_many_lines() {
    let folder = tempfile::tempdir().unwrap();
    let read = |source: &[u8], target: &[u8], empty| {
        let (source, target) = (write(folder.path(), "a.en", source), write(folder.path(), "a.ro", target));
        ParallelText::from_files(&source, &target, EN_RO, empty)
    };
    let text = read(b"one\ntwo\n", b"unu\r\ndoi", Unfit::Refuse).unwrap();
    assert_eq!((text.sources(), text.targets()), (vec!["one", "two"], vec!["unu", "doi"]));
    let uneven = read(b"one\ntwo\n", b"unu\n", Unfit::Skip);
    assert_data(uneven, "a.ro:2", "1 lines, ");
    assert_data(read(b"one\ntwo\n", b"unu\ndoi\ntrei\n", Unfit::Skip), "a.ro:3", "a.en has 2");
    assert_data(read(b"one\n\n", b"unu\ndoi\n", Unfit::Refuse), "a.en:2", "source side is empty");
    assert_eq!(read(b"one\n\n", b"unu\ndoi\n", Unfit::Skip).unwrap().skipped(), 1);
    assert_data(read(b"one\n", b"\xc3\n", Unfit::Refuse), "a.ro:1", "not UTF-8");
}

/// A file in WMT's form with these segments, in one document.
fn sgm(segments: &[(&str, &str)]) -> String {
    let line = |(id, text): &(&str, &str)| format!("<seg id=\"{id}\">{text}</seg>\n");
    let lines: String = segments.iter().map(line).collect();
    format!("<srcset setid=\"s\" srclang=\"any\">\n<DOC sysid=\"x\" docid=\"d1\">\n<p>\n{lines}</p>\n</DOC>\n</srcset>\n")
}

#[test]
fn wmts_segments_are_read_and_compared() {
    let folder = tempfile::tempdir().unwrap();
    let read = |source: &str, reference: &str| {
        let (source, reference) =
            (write(folder.path(), "s.sgm", source), write(folder.path(), "r.sgm", reference));
        ParallelText::from_sgm(&source, &reference, EN_RO, Unfit::Refuse)
    };
    let source = sgm(&[("1", "A &lt;b&gt; &amp;lt; 3 < 4."), ("2", " two\nlines ")]);
    let text = read(&source, &sgm(&[("1", "unu"), ("2", "doi")]).replace('"', "'")).unwrap();
    assert_eq!(text.sources(), ["A <b> &lt; 3 < 4.", "two lines"]);
    assert_eq!((text.targets(), text.pairs()[1].line), (vec!["unu", "doi"], 5));
    let right = sgm(&[("1", "unu"), ("2", "doi")]);
    assert_data(read(&right, &sgm(&[("1", "unu"), ("3", "doi")])), "r.sgm:5", "segment `3` of `d1` where");
    assert_data(
        read(&right, &right.replace("d1", "d2")),
        "r.sgm:4",
        "of `d2` where the source has `1` of `d1`",
    );
    assert_data(read(&right, &sgm(&[("1", "unu")])), "r.sgm", "1 segments, the source has 2");
    assert_data(read(&right.replace("unu</seg>", "unu"), &right), "s.sgm:4", "segment `1` has no end");
    assert_data(read(&right.replace("doi</seg>", "doi"), &right), "s.sgm:5", "segment `2` has no end");
    assert_data(read(&right.replace("<seg id=\"2\">", ""), &right), "s.sgm:5", "has not begun");
    assert_data(read(&right.replace(" id=\"2\"", ""), &right), "s.sgm:5", "without an id");
    assert_data(read(&right.replace("unu", " "), &right), "s.sgm:4", "source side is empty");
    assert_data(read("plain text", &right), "s.sgm", "no segments");
}

#[test]
fn splits_share_no_sentence_of_either_language() {
    // Rows 0, 1, 2 hang together (by "a", then "y"), so do 5 and 6.
    let pairs =
        [("a", "x"), ("a", "y"), ("b", "y"), ("c", "z"), ("d", "u"), ("e", "v"), ("f", "v"), ("g", "w")];
    let text = ParallelText::new("t", EN_RO, &pairs).unwrap();
    for seed in 0..20 {
        let options = TextSplit { validation: 0.25, test: 0.25, seed };
        let parts = text.split(&options).unwrap();
        assert_eq!(parts.iter().map(ParallelText::len).sum::<usize>(), 8);
        for side in [ParallelText::sources, ParallelText::targets] {
            let sets: Vec<HashSet<&str>> =
                parts.iter().map(|part| side(part).into_iter().collect()).collect();
            assert!(
                sets[0].is_disjoint(&sets[1])
                    && sets[0].is_disjoint(&sets[2])
                    && sets[1].is_disjoint(&sets[2])
            );
        }
        assert_eq!(parts, text.split(&options).unwrap());
    }
    let one = text.take(&[0, 1, 2]).unwrap().split(&TextSplit::default());
    assert!(matches!(one, Err(Error::Undefined { .. })));
    for (validation, test) in [(0.0, 0.5), (0.5, 0.5), (f64::NAN, 0.1)] {
        let options = TextSplit { validation, test, seed: 0 };
        assert!(matches!(text.split(&options), Err(Error::Parameter { .. })));
    }
    assert!(matches!(text.take(&[8]), Err(Error::Shape { .. })));
    assert!(matches!(text.subset(0, 0), Err(Error::Shape { .. })));
    let all: HashSet<usize> = text.subset(99, 1).unwrap().pairs().iter().map(|pair| pair.line).collect();
    assert_eq!(all.len(), 8);
}

#[test]
fn merges_are_learned_by_hand() {
    // Words " aab" (twice) and " ab" (three times). " a" and "ab" occur five times, the pair of the lower numbers goes first;
    // then " ab" three times, "ab" and " aa" twice.
    let text = "aab ab ab ab aab";
    let learn = |size| Vocabulary::learn(&[text], size, Units::Subwords).unwrap();
    let tokens = |vocabulary: &Vocabulary| -> Vec<String> {
        (4..vocabulary.len()).map(|id| vocabulary.token(id).unwrap().to_string()).collect()
    };
    assert_eq!(tokens(&learn(7)), [" ", "a", "b"]);
    assert_eq!(tokens(&learn(8)), [" ", "a", "b", " a"]);
    assert_eq!(tokens(&learn(9)), [" ", "a", "b", " a", " ab"]);
    assert_eq!(tokens(&learn(100)), [" ", "a", "b", " a", " ab", "ab", " aab"]);
    assert_eq!(learn(8).encode("aab b"), [7, 5, 6, 4, 6]);
    assert_eq!(learn(100).encode("aab abab"), [10, 8, 9]);
    assert_eq!(learn(9).decode(&[2, 8, 7, 1, 3, 0, 77]), "ab a⁇⁇");
    assert!(matches!(Vocabulary::learn(&[text], 6, Units::Subwords), Err(Error::Parameter { .. })));
    assert!(matches!(Vocabulary::learn(&[" "], 60, Units::Subwords), Err(Error::Undefined { .. })));
    let words = Vocabulary::learn(&[text, "No, no: 12b!"], 8, Units::Words).unwrap();
    assert_eq!(tokens(&words), [" ab", " aab", " 12", " No"]);
    assert_eq!(words.encode("aab, 12!"), [5, 1, 6, 1]);
    assert_eq!(words.decode(&[5, 1, 6, 1]), "aab ⁇ 12 ⁇");
    assert_eq!((words.token(1), words.token(8)), (Some("<unk>"), None));
}

#[test]
fn known_text_survives_encoding() {
    let text = ParallelText::grammar(300, 3).unwrap();
    let odd = ["Ce-i asta? „Nu” (12,5%)... c\u{301}!", "x-y_z 'quoted' C++ 2nd", "aaaaaaaaaa aaa"];
    let all: Vec<&str> = text.sentences().into_iter().chain(odd).collect();
    for (size, units) in [(150, Units::Subwords), (1200, Units::Subwords), (100_000, Units::Words)] {
        let vocabulary = Vocabulary::learn(&all, size, units).unwrap();
        for sentence in &all {
            let ids = vocabulary.encode(sentence);
            assert!(ids.iter().all(|&id| (4..vocabulary.len()).contains(&id)), "{sentence}");
            assert_eq!(vocabulary.decode(&ids), normalised(sentence), "{units:?} {size}");
        }
    }
    // Neither the order of texts nor anything random decides.
    let mut turned = all.clone();
    turned.reverse();
    let learn = |texts: &[&str]| Vocabulary::learn(texts, 400, Units::Subwords).unwrap();
    assert_eq!(learn(&all), learn(&turned));
}

#[test]
fn vocabularies_are_kept_and_recognised() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vocabulary.json");
    let vocabulary = Vocabulary::learn(&["ab ab abc", "b c"], 20, Units::Subwords).unwrap();
    vocabulary.save(&path).unwrap();
    let loaded = Vocabulary::load(&path).unwrap();
    assert_eq!((&loaded, loaded.fingerprint()), (&vocabulary, vocabulary.fingerprint()));
    vocabulary.check(Path::new("model"), loaded.fingerprint()).unwrap();
    let other = Vocabulary::learn(&["ab ab abd", "b d"], 20, Units::Subwords).unwrap();
    assert_ne!(other.fingerprint(), vocabulary.fingerprint());
    assert_data(
        other.check(Path::new("a.model"), vocabulary.fingerprint()),
        "a.model",
        "trained with vocabulary",
    );
    for (damage, reason) in [
        (r#"{"units":"Subwords","tokens":["a","b"],"merges":[[0,1]]}"#, "merge 0"),
        (r#"{"units":"Subwords","tokens":["a","b"],"merges":[[0,7]]}"#, "merge 0"),
        (r#"{"units":"Subwords","tokens":["a","a"],"merges":[]}"#, "occurs twice"),
        (r#"{"units":"Subwords","tokens":["a",""],"merges":[]}"#, "is empty"),
        (r#"{"units":"Words","tokens":[],"merges":[]}"#, "no tokens"),
        (r#"{"units":"Words","tokens":["a"#, "EOF"),
    ] {
        assert_data(Vocabulary::load(&write(folder.path(), "bad.json", damage)), "bad.json", reason);
    }
}

#[test]
fn long_sentences_are_refused_or_counted() {
    let pairs = [("a b", "x y z"), ("a", "x"), ("a b q", "x")];
    let text = ParallelText::new("t", EN_RO, &pairs).unwrap();
    let words = Vocabulary::learn(&["a b", "x y z"], 9, Units::Words).unwrap();
    let encode = |longest, longer| text.encode(&words, &words, &EncodeOptions { longest, longer });
    assert_data(encode(2, Unfit::Refuse), "t:1", "the target side has 3 tokens, more than 2");
    let kept = encode(2, Unfit::Skip).unwrap();
    assert_eq!((kept.len(), kept.skipped(), kept.rows()), (1, 2, &[1][..]));
    let all = encode(3, Unfit::Refuse).unwrap();
    assert_eq!((all.unknown(), all.targets()[0].len()), ([1, 0], 3));
    assert!(matches!(encode(0, Unfit::Skip), Err(Error::Parameter { .. })));
    let long = ParallelText::new("l", EN_RO, &pairs[..1]).unwrap();
    let none = long.encode(&words, &words, &EncodeOptions { longest: 2, longer: Unfit::Skip });
    assert!(matches!(none, Err(Error::Shape { .. })));
    let distilled = all.with_targets(vec![vec![4], vec![1], vec![5, 1]]).unwrap();
    assert_eq!((distilled.unknown(), distilled.sources()), ([1, 2], all.sources()));
    assert!(matches!(all.with_targets(vec![vec![4]; 2]), Err(Error::Shape { .. })));
    assert!(matches!(all.with_targets(vec![vec![], vec![4], vec![4]]), Err(Error::Shape { .. })));
}

#[test]
fn batches_hold_every_pair_once_and_similar_lengths() {
    let text = ParallelText::grammar(500, 5).unwrap();
    let words = Vocabulary::learn(&text.sentences(), 100_000, Units::Words).unwrap();
    let encoded = text.encode(&words, &words, &EncodeOptions::default()).unwrap();
    let batches = encoded.batches(200, 7, 0).unwrap();
    let mut places: Vec<usize> = batches.concat();
    places.sort_unstable();
    assert_eq!(places, (0..500).collect::<Vec<_>>());
    let (mut padded, mut tokens) = (0, 0);
    for places in &batches {
        let batch = encoded.batch(places).unwrap();
        for (side, all) in [(&batch.source, encoded.sources()), (&batch.target, encoded.targets())] {
            assert!(side.ids.len() <= 200 && side.ids.len() == side.positions * places.len());
            for (row, &place) in side.ids.chunks(side.positions).zip(places) {
                let (ids, padding) = row.split_at(all[place].len());
                assert!(ids == all[place] && padding.iter().all(|&id| id == Vocabulary::PAD));
            }
        }
        padded += batch.target.ids.len();
        tokens += batch.target.lengths.iter().sum::<usize>();
    }
    assert!((padded as f64) < 1.1 * tokens as f64, "{padded} for {tokens}");
    assert_eq!(batches, encoded.batches(200, 7, 0).unwrap());
    assert_ne!(batches, encoded.batches(200, 7, 1).unwrap());
    assert_ne!(batches, encoded.batches(200, 8, 0).unwrap());
    assert!(matches!(encoded.batches(3, 7, 0), Err(Error::Parameter { .. })));
    for places in [&[][..], &[500]] {
        assert!(matches!(encoded.batch(places), Err(Error::Shape { .. })));
    }
    assert!(matches!(TokenRows::new(&[&[1], &[]]), Err(Error::Shape { .. })));
}

#[test]
fn the_grammar_gives_distinct_pairs_from_a_seed() {
    let text = ParallelText::grammar(3000, 1).unwrap();
    let distinct: HashSet<&str> = text.sources().into_iter().collect();
    assert_eq!(distinct.len(), 3000);
    assert_eq!(ParallelText::grammar(100, 1).unwrap().pairs(), &text.pairs()[..100]);
    assert_ne!(ParallelText::grammar(100, 2).unwrap().pairs(), &text.pairs()[..100]);
    // No cedillas, no double spaces, a capital first, and the right letters.
    for pair in text.pairs() {
        for side in [&pair.source, &pair.target] {
            assert_eq!(&normalised(side), side);
            assert!(side.chars().next().is_some_and(char::is_uppercase), "{side}");
            assert_eq!(side.matches(['.', '?']).count(), 1, "{side}");
        }
        assert_eq!(pair.source.ends_with('?'), pair.target.ends_with('?'));
    }
    for pairs in [0, 2_000_000] {
        assert!(matches!(ParallelText::grammar(pairs, 0), Err(Error::Parameter { .. })));
    }
}

#[test]
fn the_grammar_agrees() {
    let text = ParallelText::grammar(20_000, 11).unwrap();
    let two_feminine =
        ["doi cărți", "doi fete", "doi mere", "două băieți", "douăsprezece băieți", "doisprezece fete"];
    let articles = [
        "un fată",
        "un carte",
        "o băiat",
        "o măr",
        "cartea roșu",
        "mărul roșie",
        "în un",
        "în o ",
        "pe masa.",
    ];
    let numbers = [
        "zeci cărți",
        "zeci băieți",
        "sprezece de ",
        "sute băieți",
        "mii lei",
        " unu sute",
        "doi sute",
        "doi mii",
    ];
    for pair in text.pairs() {
        for wrong in two_feminine.iter().chain(&articles).chain(&numbers) {
            assert!(!pair.target.contains(wrong), "{wrong}: {pair:?}");
        }
    }
    // Each with its translation: what the comment says must occur, and right.
    let always = |english: &str, romanian: &str| {
        let found: Vec<_> = text.pairs().iter().filter(|pair| pair.source.contains(english)).collect();
        assert!(!found.is_empty(), "{english}");
        for pair in found {
            assert!(pair.target.to_lowercase().contains(romanian), "{english}, {romanian}: {pair:?}");
        }
    };
    always(" our brother ", "fratele nostru");
    always(" her sister ", "sora ei");
    always(" on the table", "pe masă");
    always(" in a park", "într-un parc");
    always(" in a garden", "într-o grădină");
    always(" two boys", "doi băieți");
    always(" twelve girls", "douăsprezece fete");
    always(" at two o'clock", "la ora două");
    always("It is half past one", "este unu și jumătate");
    always(" did not read", "nu a");
    always("I did not ", "nu am ");
    always("the first of ", " întâi ");
    always("the girl's ", "fetei");
    always("the boys' ", "băieților");
    always("Ion's ", "lui ion");
    // A definite noun and its adjective, wherever they occur: two feminine nouns, a neuter and a masculine one.
    let nouns = [("car", "mașina", 1), ("book", "cartea", 1), ("apple", "mărul", 0), ("shoe", "pantoful", 0)];
    let qualities = [("red", ["roșu", "roșie"]), ("black", ["negru", "neagră"]), ("new", ["nou", "nouă"])];
    let qualities =
        [&qualities[..], &[("expensive", ["scump", "scumpă"]), ("heavy", ["greu", "grea"])]].concat();
    let mut found = 0;
    for (noun, definite, form) in nouns {
        for (quality, forms) in &qualities {
            let english = format!("the {quality} {noun}");
            let whole = |text: &str| {
                let rest = text.split_once(&english).map(|(_, rest)| rest);
                rest.is_some_and(|rest| !rest.starts_with(char::is_alphabetic))
            };
            for pair in text.pairs().iter().filter(|pair| whole(&pair.source)) {
                assert!(pair.target.contains(&format!("{definite} {}", forms[form])), "{pair:?}");
                found += 1;
            }
        }
    }
    assert!(found > 0, "no such pair");
}
