//! Questions about passages: read, mended, refused, generated, cut into tokens and windows.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use reloss::data::{
    folded_token, predicted_answers, questions, reading_tokens, Answer, EncodedReading, Question, ReadingSet,
    TextSplit, Unfit, Units, Vocabulary, WindowOptions, MATCHES,
};
use reloss::Error;

fn write(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    path
}

fn asked(id: &str, context: &str, question: &str, answers: &[(&str, i64)]) -> Question {
    let answers = answers.iter().map(|&(text, start)| Answer { text: text.to_string(), start });
    let (id, question) = (id.to_string(), question.to_string());
    Question { id, context: context.into(), question, answers: answers.collect() }
}

fn one(context: &str, answers: &[(&str, i64)]) -> reloss::Result<ReadingSet> {
    ReadingSet::new("one", vec![asked("1", context, "Who?", answers)])
}

/// Id, question, answers with their starts.
type Entry<'a> = (&'a str, &'a str, &'a [(&'a str, i64)]);

/// A file in SQuAD's form with one passage.
fn squad(context: &str, asked: &[Entry]) -> String {
    let qas = asked.iter().map(|(id, question, answers)| {
        let answers =
            answers.iter().map(|(text, start)| format!(r#"{{"text":"{text}","answer_start":{start}}}"#));
        let answers = answers.collect::<Vec<_>>().join(",");
        format!(r#"{{"id":"{id}","question":"{question}","answers":[{answers}]}}"#)
    });
    let qas = qas.collect::<Vec<_>>().join(",\n");
    format!(
        r#"{{"version":"1.1","data":[{{"title":"t","paragraphs":[{{"context":"{context}","qas":[{qas}]}}]}}]}}"#
    )
}

#[track_caller]
fn assert_data<T: std::fmt::Debug>(result: reloss::Result<T>, parts: &[&str]) {
    let error = result.unwrap_err();
    let said = error.to_string();
    assert!(matches!(error, Error::Data { .. }), "{error:?}");
    assert!(parts.iter().all(|part| said.contains(part)), "{said}");
}

#[test]
fn malformed_json_is_refused_with_line_and_path_inside() {
    let folder = tempfile::tempdir().unwrap();
    let path =
        write(folder.path(), "q.json", &squad("a b", &[("1", "?", &[("a", 0)]), ("2", "?", &[("b", 2)])]));
    let good = std::fs::read_to_string(&path).unwrap();
    for (from, to, parts) in [
        (
            r#""answer_start":2"#,
            r#""answer_start":"2""#,
            &["q.json:2: data[0].paragraphs[0].qas[1].answers[0].answer_start: invalid type: string"][..],
        ),
        (r#""context":"a b","#, "", &["data[0].paragraphs[0]: missing field `context`"]),
        (r#""id":"2","#, "", &["q.json:2: data[0].paragraphs[0].qas[1]: missing field `id`"]),
        (r#""data":"#, r#""date":"#, &["missing field `data`"]),
        ("]}]}]}]}", "]}]}]}", &["q.json:2: ", "EOF"]),
        ("]}]}]}]}", "]}]}]}]} {", &["q.json:2: ", "trailing"]),
    ] {
        assert!(good.contains(from));
        write(folder.path(), "q.json", &good.replace(from, to));
        assert_data(ReadingSet::squad(&path, Unfit::Skip), parts);
        assert_data(questions(&path), parts);
    }
    // The same for other JSON files.
    write(folder.path(), "q.json", r#"{"a": 1}"#);
    assert_data(predicted_answers(&path), &["q.json:1: a: invalid type"]);
    assert!(matches!(ReadingSet::squad(&folder.path().join("none"), Unfit::Skip), Err(Error::Io { .. })));
}

#[test]
fn unfit_questions_are_refused_or_counted() {
    let folder = tempfile::tempdir().unwrap();
    let fine: Entry = ("1", "who", &[("b", 2)]);
    let place = "data[0].paragraphs[0].qas[1]: question ";
    for (unfit, reason, counts) in [
        (("1", "where", &[("b", 2)][..]), "1: its id occurs twice", [0, 0, 0, 1]),
        (("2", " \\t", &[("b", 2)]), "2: it or its passage has no text", [0, 0, 1, 0]),
        (("2", "who", &[]), "2: it has no answer", [0, 1, 0, 0]),
        (("2", "who", &[("x", 2)]), "2: the answer `x` is not in its passage", [1, 1, 0, 0]),
        (("2", "who", &[("", 2), (" ", 1)]), "2: the answer `` is not in its passage", [2, 1, 0, 0]),
    ] {
        let path = write(folder.path(), "q.json", &squad("a b c", &[fine, unfit]));
        assert_data(ReadingSet::squad(&path, Unfit::Refuse), &["q.json: ", place, reason]);
        let set = ReadingSet::squad(&path, Unfit::Skip).unwrap();
        let report = set.report();
        assert_eq!((set.len(), set.name(), report.questions, report.left_out()), (1, "q", 2, 1));
        assert_eq!([report.absent, report.unanswered, report.empty, report.repeated], counts, "{report}");
    }
    let path = write(folder.path(), "q.json", &squad(" ", &[fine]));
    assert!(matches!(ReadingSet::squad(&path, Unfit::Skip), Err(Error::Shape { .. })));
    assert!(matches!(ReadingSet::new("none", vec![]), Err(Error::Shape { .. })));
    assert_data(one("a", &[("b", 0)]), &["one: [0]: question 1: the answer `b`"]);
    // An answer that is not there stays right where another one is.
    let path = write(folder.path(), "q.json", &squad("a b", &[("1", "who", &[("x", 0), ("b", 2)])]));
    let set = ReadingSet::squad(&path, Unfit::Skip).unwrap();
    let starts: Vec<i64> = set.questions()[0].answers.iter().map(|answer| answer.start).collect();
    assert_eq!(
        (starts, set.spans()[0].len(), &set.spans()[0][0], set.report().absent),
        (vec![-1, 2], 1, &(2..3), 1)
    );
}

#[test]
fn wrong_starts_are_mended_to_the_nearest_occurrence() {
    let context = "战国无双，战国。战国";
    for (text, stated, start, moved) in [
        ("战国", 0, 0, 0),
        ("战国", 5, 5, 0),
        ("战国", 4, 5, 1),
        ("战国", 2, 0, 1),
        ("战国", 99, 8, 1),
        ("战国", -1, 0, 1),
        ("战国", i64::MAX, 8, 1),
        ("战国", i64::MIN, 0, 1),
        ("国无", 0, 1, 1),
    ] {
        let set = one(context, &[(text, stated)]).unwrap();
        assert_eq!((set.questions()[0].answers[0].start, set.report().respanned), (start, moved), "{stated}");
        assert_eq!(&context[set.spans()[0][0].clone()], text);
    }
    // Space around an answer is none of it, and moves nothing.
    let set = one("in Lund now", &[(" Lund ", 2)]).unwrap();
    assert_eq!(
        (&set.questions()[0].answers[0], set.report().respanned),
        (&Answer { text: "Lund".into(), start: 3 }, 0)
    );
    // Occurrences that overlap: what the file says is right.
    assert_eq!(one("aaa", &[("aa", 1)]).unwrap().report().respanned, 0);
}

fn dureader(paragraphs: &str, segmented: &str, rest: &str) -> String {
    format!(
        r#"{{"question_id": 7, "question": "谁", "documents": [
          {{"paragraphs": [], "segmented_paragraphs": [], "most_related_para": -1}},
          {{"paragraphs": ["头"], "segmented_paragraphs": [["头"]], "most_related_para": 0}},
          {{"paragraphs": {paragraphs}, "segmented_paragraphs": {segmented}, "most_related_para": 1}}]{rest}}}"#
    )
    .replace('\n', " ")
}

#[test]
fn dureader_is_read_by_its_most_related_paragraphs() {
    let folder = tempfile::tempdir().unwrap();
    let read = |lines: &[String], unfit| {
        ReadingSet::dureader(&write(folder.path(), "d.json", &lines.join("\n")), unfit)
    };
    let (raw, words) = (
        r#"["x", "他 是\u3000Paul Berg。"]"#,
        r#"[["x"], ["他", "是", "\u3000", "Paul", " ", "Berg", "。"]]"#,
    );
    let answers = r#", "answers": ["保罗"], "answer_docs": [2], "answer_spans": [[3, 5]]"#;
    let set = read(&[dureader(raw, words, answers)], Unfit::Refuse).unwrap();
    let question = &set.questions()[0];
    assert_eq!((question.id.as_str(), &*question.context), ("7", "头\n他 是\u{3000}Paul Berg。"));
    assert_eq!(question.answers, [Answer { text: "保罗".into(), start: -1 }]);
    assert_eq!(&question.context[set.spans()[0][0].clone()], "Paul Berg");
    assert_eq!((set.report().questions, set.report().absent), (1, 0));
    // The test part has no answers; a second line with the same id.
    let good = dureader(raw, words, answers);
    let none = dureader(raw, words, "").replace("7", "8");
    let set = read(&[good.clone(), none.clone(), String::new(), good.clone()], Unfit::Skip).unwrap();
    assert_eq!((set.len(), set.report().unanswered, set.report().repeated), (1, 1, 1));
    assert_data(
        read(&[good.clone(), none.clone()], Unfit::Refuse),
        &["d.json:2: question 8: it has no answer"],
    );
    assert!(matches!(read(&[none], Unfit::Skip), Err(Error::Shape { .. })));
    for (line, reason) in [
        (dureader(raw, words, &answers.replace("5]", "9]")), "no words 3 to 9"),
        (dureader(raw, words, &answers.replace("3,", "6,")), "no words 6 to 5"),
        (dureader(r#"["x"]"#, words, answers), "documents[2].most_related_para: there is no paragraph 1"),
        (dureader(raw, r#"[["x"]]"#, answers), "there is no paragraph 1"),
        (dureader(raw, "3", answers), "documents[2].segmented_paragraphs: invalid type"),
        ("{".to_string(), "EOF"),
    ] {
        assert_data(read(&[good.clone(), line], Unfit::Skip), &["d.json:2: ", reason]);
    }
}

#[test]
fn tokens_by_hand() {
    for (text, wanted) in [
        ("", &[][..]),
        (" \u{3000}\n", &[]),
        ("It's 3.5 km!?", &["It", "'", "s", "3", ".", "5", "km", "!", "?"]),
        ("S\u{0326}tefan a\u{0306}", &["S\u{0326}tefan", "a\u{0306}"]),
        ("क्षत्रिय में", &["क्षत्रिय", "में"]),
        ("क्\u{200d}ष", &["क्\u{200d}ष"]),
        ("ω-force和KOEI在2004年", &["ω", "-", "force", "和", "KOEI", "在", "2004", "年"]),
        ("二〇〇八 カメラ々", &["二", "〇", "〇", "八", "カ", "メ", "ラ", "々"]),
        ("か\u{3099}き", &["か\u{3099}", "き"]),
        ("한국 사람", &["한국", "사람"]),
        ("\u{0301} a", &["\u{0301}", "a"]),
        ("x86 4½", &["x", "86", "4½"]),
    ] {
        let tokens: Vec<&str> = reading_tokens(text).into_iter().map(|range| &text[range]).collect();
        assert_eq!(tokens, wanted);
    }
}

proptest! {
    /// Tokens are in order, apart, cut at characters, and have every character that is not space exactly once.
    #[test]
    fn tokens_cover_all_but_space(text in "(\\PC|[ a-z0-9,.\u{0301}战あक\u{094d}\u{3000}\n]){0,40}") {
        let tokens = reading_tokens(&text);
        let mut end = 0;
        for token in &tokens {
            prop_assert!(token.start >= end && token.start < token.end);
            prop_assert!(text.is_char_boundary(token.start) && text.is_char_boundary(token.end));
            prop_assert!(text[end..token.start].chars().all(char::is_whitespace));
            prop_assert!(!text[token.clone()].chars().any(char::is_whitespace));
            end = token.end;
        }
        prop_assert!(text[end..].chars().all(char::is_whitespace));
        for token in tokens {
            let folded = folded_token(&text[token]);
            prop_assert_eq!(folded_token(&folded), folded);
        }
    }

    /// Windows have every token, answers stand where they should, and every number is in its range.
    #[test]
    fn windows_cover_the_passage(words in 1_usize..60, length in 1_usize..20, stride in 1_usize..20, at in 0_usize..60) {
        let context: Vec<String> = (0..words).map(|i| format!("w{}", (b'a' + (i % 26) as u8) as char)).collect();
        let (at, context) = (at % words, context.join(" "));
        let set = one(&context, &[(&context[3 * at..3 * at + 2], 3 * at as i64)]).unwrap();
        let options = WindowOptions { length, stride, question: 8 };
        let encoded = set.encode(&set.vocabulary(50).unwrap(), &options);
        if stride > length {
            let refused = matches!(encoded, Err(Error::Parameter { name: "stride", .. }));
            prop_assert!(refused);
            return Ok(());
        }
        let encoded = encoded.unwrap();
        let mut covered = HashSet::new();
        for (i, window) in encoded.windows().iter().enumerate() {
            prop_assert!(window.ids.len() <= length && window.ids.len() == window.tokens.len());
            prop_assert_eq!(window.matches.len(), MATCHES * window.ids.len());
            prop_assert!(window.matches.iter().all(|value| (0.0..=1.0).contains(value)));
            covered.extend(window.tokens.iter().map(|token| token.start / 3));
            let inside = window.tokens.iter().any(|token| token.start == 3 * at);
            prop_assert_eq!(window.span.is_some(), inside);
            if let Some(span) = window.span {
                prop_assert_eq!(encoded.text(i, span).unwrap(), &context[3 * at..3 * at + 2]);
            }
        }
        prop_assert_eq!(covered.len(), words);
        prop_assert_eq!(encoded.cut_answers(), 0);
        prop_assert_eq!(encoded.windows().len(), words.saturating_sub(length).div_ceil(stride) + 1);
    }
}

fn encoded(set: &ReadingSet, options: WindowOptions) -> EncodedReading {
    set.encode(&set.vocabulary(1000).unwrap(), &options).unwrap()
}

#[test]
fn windows_by_hand() {
    let options = WindowOptions { length: 4, stride: 2, question: 3 };
    let set = ReadingSet::new(
        "two",
        vec![
            asked("1", "a b c d e f g", "d or the", &[("c d e f g", 4), ("d E", 0), ("g", 12)][..1]),
            asked("2", "Anna was in New York", "Where was Anna now?", &[("York", 16), ("New York", 12)]),
        ],
    )
    .unwrap();
    let all = encoded(&set, options);
    let spans: Vec<_> =
        all.windows().iter().map(|window| (window.question, window.ids.len(), window.span)).collect();
    // Five tokens do not fit into a window of four; the second question's first answer is in its second window.
    assert_eq!(spans, [(0, 4, None), (0, 4, None), (0, 3, None), (1, 4, None), (1, 3, Some((2, 2)))]);
    assert_eq!(
        (all.answerable(), all.without_answer(), all.cut_answers(), all.cut_questions()),
        (vec![4], 4, 1, 1)
    );
    assert_eq!(
        (all.questions().len(), all.questions()[1].ids.len(), &all.questions()[1].answers[..]),
        (2, 3, &["York".to_string(), "New York".to_string()][..])
    );
    assert_eq!(all.text(4, (1, 2)).unwrap(), "New York");
    for (window, span) in [(5, (0, 0)), (4, (2, 1)), (4, (0, 3))] {
        assert!(matches!(all.text(window, span), Err(Error::Shape { .. })));
    }
    for wrong in [
        WindowOptions { length: 0, ..options },
        WindowOptions { stride: 0, ..options },
        WindowOptions { question: 0, ..options },
    ] {
        assert!(matches!(set.encode(&set.vocabulary(90).unwrap(), &wrong), Err(Error::Parameter { .. })));
    }
    let words = Vocabulary::learn(&["a"], 9, Units::Words).unwrap();
    assert!(matches!(set.encode(&words, &options), Err(Error::Parameter { name: "vocabulary", .. })));
}

#[test]
fn answers_inside_tokens_take_them_whole() {
    let set = one("the 20th century of Kings", &[("20", 4), ("King", 20), ("of Kings", 17)]).unwrap();
    let all = encoded(&set, WindowOptions::default());
    assert_eq!((all.unaligned(), all.windows()[0].span), (1, Some((1, 1))));
    assert_eq!(all.text(0, (1, 1)).unwrap(), "20");
    let set = one("the 20th century of Kings", &[("King", 20)]).unwrap();
    let all = encoded(&set, WindowOptions::default());
    assert_eq!((all.unaligned(), all.text(0, all.windows()[0].span.unwrap()).unwrap()), (1, "Kings"));
}

#[test]
fn ids_are_those_of_folded_tokens() {
    let set = one("Ştiu, ȘTIU s\u{326}tiu", &[("Ştiu", 0)]).unwrap();
    let words = set.vocabulary(20).unwrap();
    let all = set.encode(&words, &WindowOptions::default()).unwrap();
    let ids = &all.windows()[0].ids;
    assert_eq!((ids[0], words.token(ids[0]), words.units()), (ids[2], Some("știu"), Units::Tokens));
    assert_eq!(
        (ids[3], words.encode("Știu ,"), words.decode(&ids[..2])),
        (ids[0], ids[..2].to_vec(), "știu ,".to_string())
    );
    // What the vocabulary has no room for is unknown; it comes back from its file.
    let small = set.vocabulary(5).unwrap();
    let unknown = set.encode(&small, &WindowOptions::default()).unwrap();
    assert_eq!(unknown.windows()[0].ids, [4, Vocabulary::UNKNOWN, 4, 4]);
    let folder = tempfile::tempdir().unwrap();
    words.save(&folder.path().join("v.json")).unwrap();
    assert_eq!(Vocabulary::load(&folder.path().join("v.json")).unwrap(), words);
}

#[test]
fn parts_share_no_passage_and_are_the_same_again() {
    let set = ReadingSet::world(300, 1).unwrap();
    let options = TextSplit { validation: 0.1, test: 0.2, seed: 5 };
    let parts = set.split(&options).unwrap();
    assert_eq!(parts, set.split(&options).unwrap());
    assert_ne!(parts[2], set.split(&TextSplit { seed: 6, ..options }).unwrap()[2]);
    assert_eq!((parts[0].len(), parts[1].len(), parts[2].len()), (210, 30, 60));
    let mut owner = HashMap::new();
    for (part, set) in parts.iter().enumerate() {
        for question in set.questions() {
            assert_eq!(*owner.entry(question.context.to_string()).or_insert(part), part);
        }
    }
    let some = set.subset(10, 3).unwrap();
    assert_eq!((some.len(), &some), (10, &set.subset(10, 3).unwrap()));
    assert!(some
        .questions()
        .iter()
        .zip(some.spans())
        .all(|(q, spans)| q.context[spans[0].clone()] == q.answers[0].text));
    assert_eq!(set.subset(999, 3).unwrap().len(), 300);
    assert!(matches!(set.subset(0, 3), Err(Error::Shape { .. })));
    assert!(matches!(set.take(&[300]), Err(Error::Shape { .. })));
    for wrong in [0.0, 0.9, f64::NAN, 1.5] {
        assert!(matches!(
            set.split(&TextSplit { validation: wrong, test: 0.1, seed: 0 }),
            Err(Error::Parameter { .. })
        ));
    }
    assert!(matches!(set.take(&[0, 1, 2]).unwrap().split(&options), Err(Error::Undefined { .. })));
}

#[test]
fn the_world_is_regular_and_the_same_again() {
    let set = ReadingSet::world(6000, 0).unwrap();
    assert_eq!((set.len(), set.report().respanned, set.passages().len()), (6000, 0, 2000));
    assert_eq!(set.questions()[..30], *ReadingSet::world(30, 0).unwrap().questions());
    assert_ne!(set.questions()[..30], *ReadingSet::world(30, 1).unwrap().questions());
    let words = set.vocabulary(10_000).unwrap();
    assert!((200..400).contains(&words.len()), "{} words", words.len());
    let all = set.encode(&words, &WindowOptions::default()).unwrap();
    // Every passage fits into one window, every answer stands there, at the borders of tokens.
    assert_eq!((all.windows().len(), all.without_answer(), all.unaligned()), (6000, 0, 0));
    let mut lengths = HashMap::new();
    for window in all.windows() {
        let (first, last) = window.span.unwrap();
        *lengths.entry(last + 1 - first).or_insert(0) += 1;
        assert!(all.questions()[window.question].ids.len() <= 20);
    }
    assert_eq!(lengths.keys().copied().max(), Some(7));
    assert!((1..7).all(|length| lengths[&length] > 100), "{lengths:?}");
    for question in set.questions() {
        let sentences = question.context.matches('.').count();
        assert!((4..=8).contains(&sentences), "{}", question.context);
        let (context, answer) = (&question.context, &question.answers[0].text);
        assert!(question.answers.len() <= 2 && context.contains(answer.as_str()), "{context} {answer}");
    }
    assert!(matches!(ReadingSet::world(0, 0), Err(Error::Parameter { .. })));
    assert!(matches!(ReadingSet::world(usize::MAX, 0), Err(Error::Parameter { .. })));
}

#[test]
fn batches_have_every_answerable_window_once() {
    let set = ReadingSet::world(200, 2).unwrap();
    let all = encoded(&set, WindowOptions { length: 64, stride: 32, question: 16 });
    assert!(all.without_answer() > 0);
    let batches = all.batches(512, 1, 0).unwrap();
    assert_eq!(batches, all.batches(512, 1, 0).unwrap());
    assert_ne!(batches, all.batches(512, 1, 1).unwrap());
    let mut places: Vec<usize> = batches.iter().flatten().copied().collect();
    places.sort_unstable();
    assert_eq!(places, all.answerable());
    for batch in &batches {
        let longest = batch.iter().map(|&place| all.windows()[place].ids.len()).max().unwrap();
        assert!(longest * batch.len() <= 512);
    }
    assert!(matches!(all.batches(63, 1, 0), Err(Error::Parameter { name: "tokens", .. })));
}
