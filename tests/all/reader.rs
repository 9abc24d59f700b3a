//! The span reader: against PyTorch, what it learns and refuses; best spans; pretrained word vectors.

use std::collections::BTreeMap;
use std::path::PathBuf;

use dfdx::prelude::*;
use proptest::prelude::*;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use reloss::model::{Parametric, Reader, ReaderConfig, WordVectors};
use reloss::ops::{
    best_spans, host, matrix, token_cross_entropy, Adam, Parameter, Parameters, Sequences, Tokens,
};
use reloss::{Error, Matrix, Scalar, Tape};
use serde::Deserialize;

use crate::sequence::numbers;
use crate::support::{assert_close, wide};

#[derive(Deserialize)]
struct Golden {
    config: ReaderConfig,
    questions: Vec<Vec<usize>>,
    passages: Vec<Vec<usize>>,
    logits: Vec<f64>,
    gradients: BTreeMap<String, Vec<f64>>,
}

fn tokens(sentences: &[Vec<usize>]) -> Tokens {
    Tokens::new(sentences).unwrap()
}

#[test]
fn a_reader_equals_pytorch() {
    let golden: Golden = serde_json::from_str(include_str!("../golden/reader.json")).unwrap();
    let mut reader = Reader::new(golden.config, 0).unwrap();
    assert_eq!(golden.gradients.len(), reader.parameters().iter().len());
    let given = |p: &Parameter| {
        let seed = golden.gradients.keys().position(|name| name == p.name()).unwrap();
        let shift = if p.name().contains("norm") && p.name().ends_with("weight") { 1.0 } else { 0.0 };
        let values = numbers(p.shape().iter().product(), seed as u64).into_iter().map(|v| v + shift);
        Parameter::new(p.name(), p.shape(), values.collect()).unwrap()
    };
    let parameters = Parameters::new(reader.parameters().iter().map(given).collect());
    reader.parameters_mut().assign(&parameters).unwrap();
    let (questions, passages) = (tokens(&golden.questions), tokens(&golden.passages));
    let count = passages.ids().len();
    let matches = numbers(count * golden.config.matches, 1000);
    let predicted = reader.predict(&questions, &passages, &matches).unwrap();
    assert_close(&wide(&host(&predicted)), &golden.logits, 1e-4);
    let logits = reader.forward(&questions, &passages, &matches, 0, Tape::default()).unwrap();
    assert_close(&wide(&host(&logits)), &golden.logits, 1e-4);
    let gradients = (logits * matrix(numbers(2 * count, 2000), count, 2).unwrap()).sum::<(), _>().backward();
    for p in reader.parameters().iter() {
        let want = &golden.gradients[p.name()];
        let size = want.iter().fold(1.0f64, |size, v| size.max(v.abs()));
        assert_close(&wide(&host(&gradients.get(p.value()))), want, 1e-4 * size);
    }
}

/// A small reader without dropout.
fn config() -> ReaderConfig {
    ReaderConfig {
        embedding: 12,
        matches: 2,
        width: 16,
        heads: 2,
        feed_forward: 24,
        dropout: 0.0,
        positions: 24,
        ..ReaderConfig::small(20)
    }
}

#[test]
fn company_and_padding_never_change_a_result() {
    let reader = Reader::new(config(), 3).unwrap();
    let questions = [vec![4, 5, 6], vec![7], vec![8, 9]];
    let passages = [vec![4; 9], vec![9, 8, 7], (4..20).collect::<Vec<_>>()];
    let matches = numbers(2 * 28, 1);
    let all = host(&reader.predict(&tokens(&questions), &tokens(&passages), &matches).unwrap());
    let padded = |sentences: &[Vec<usize>]| {
        let lengths: Vec<usize> = sentences.iter().map(Vec::len).collect();
        let fill = |ids: &Vec<usize>| ids.iter().copied().chain([19; 20]).take(20).collect::<Vec<_>>();
        Tokens::from_padded(&sentences.iter().flat_map(fill).collect::<Vec<_>>(), &lengths, 20).unwrap()
    };
    let filled = host(&reader.predict(&padded(&questions), &padded(&passages), &matches).unwrap());
    assert_eq!(all, filled);
    for (i, rows) in tokens(&passages).rows().ranges().enumerate() {
        let matches = &matches[2 * rows.start..2 * rows.end];
        let alone = reader.predict(&tokens(&questions[i..=i]), &tokens(&passages[i..=i]), matches).unwrap();
        assert_close(&wide(&host(&alone)), &wide(&all[2 * rows.start..2 * rows.end]), 1e-5);
    }
    let other = host(
        &reader.predict(&tokens(&[vec![4], vec![7], vec![8, 9]]), &tokens(&passages), &matches).unwrap(),
    );
    assert!(all[..18] != other[..18], "another question gives another answer");
    let dropping = Reader::new(ReaderConfig { dropout: 0.3, ..config() }, 3).unwrap();
    let forward = |seed| {
        let tape = Tape::default();
        host(&dropping.forward(&tokens(&questions), &tokens(&passages), &matches, seed, tape).unwrap())
    };
    assert!(forward(1) == forward(1) && forward(1) != forward(2));
}

/// Passages of 20 tokens in which the token of the question stands once; the answer is the two after it.
///
/// The match is where it stands, as without it this takes thousands of steps to learn.
fn look_ups(count: usize, seed: u64) -> (Tokens, Tokens, Vec<f32>, Vec<usize>) {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let (mut questions, mut passages) = (Vec::new(), Vec::new());
    let (mut matches, mut starts) = (Vec::new(), Vec::new());
    for _ in 0..count {
        let asked = rng.gen_range(4..20);
        let place = rng.gen_range(0..18);
        let other = |_| (asked - 4 + rng.gen_range(1..16)) % 16 + 4;
        let mut passage: Vec<usize> = (0..20).map(other).collect();
        passage[place] = asked;
        matches.extend((0..20).flat_map(|i| [f32::from(i == place), 0.0]));
        questions.push(vec![asked]);
        passages.push(passage);
        starts.push(place + 1);
    }
    (tokens(&questions), tokens(&passages), matches, starts)
}

/// The cross-entropy of starts and ends over the tokens of passages of one length.
fn loss(logits: Matrix<Tape>, starts: &[usize]) -> Scalar<Tape> {
    let (passages, tokens) = (starts.len(), logits.shape().0 / starts.len());
    let apart = logits.reshape_like(&(passages, tokens, 2)).permute::<_, Axes3<0, 2, 1>>();
    let targets: Vec<usize> = starts.iter().flat_map(|&start| [start, start + 1]).collect();
    token_cross_entropy(apart.reshape_like(&(2 * passages, tokens)), &targets, 0.0).unwrap().mean()
}

#[test]
fn a_reader_learns_to_look_up_what_stands_after_a_match() {
    let (mut reader, mut adam) = (Reader::new(config(), 0).unwrap(), Adam::new(5e-3, 0.0));
    for step in 0..150 {
        let (questions, passages, matches, starts) = look_ups(64, step);
        let logits = reader.forward(&questions, &passages, &matches, step, Tape::default()).unwrap();
        let mut gradients = loss(logits, &starts).backward();
        adam.update(reader.parameters_mut(), &mut gradients).unwrap();
    }
    let (questions, passages, matches, starts) = look_ups(64, 1_000_000);
    let logits = host(&reader.predict(&questions, &passages, &matches).unwrap());
    let spans = best_spans(&logits, passages.rows(), 4).unwrap();
    let right =
        spans.iter().zip(&starts).filter(|((first, last, _), &start)| (*first, *last) == (start, start + 1));
    let right = right.count();
    assert!(right > 57, "{right} of 64");
}

#[test]
fn a_reader_survives_its_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("reader.safetensors");
    let reader = Reader::new(config(), 5).unwrap();
    reader.save(&path).unwrap();
    let read = Reader::load(&path).unwrap();
    assert_eq!((read.config(), read.name()), (reader.config(), "reader-16-2".to_string()));
    assert_eq!(read.parameters().values(), Reader::new(config(), 5).unwrap().parameters().values());
    assert_ne!(read.parameters().values(), Reader::new(config(), 6).unwrap().parameters().values());
    assert!(matches!(reloss::model::NatBase::load(&path), Err(Error::Data { .. })));
    assert!(matches!(Reader::load(&folder.path().join("none")), Err(Error::Io { .. })));
}

#[test]
fn a_reader_names_what_does_not_fit() {
    let reader = Reader::new(ReaderConfig { positions: 4, ..config() }, 0).unwrap();
    let said = |question: &[Vec<usize>], passage: &[Vec<usize>], matches: &[f32]| {
        reader.predict(&tokens(question), &tokens(passage), matches).unwrap_err().to_string()
    };
    let one = [vec![4]];
    assert_eq!(
        said(&[vec![4], vec![20]], &[vec![4], vec![4]], &[0.0; 4]),
        "question: expected ids below the vocabulary's 20, got 20 in sentence 1"
    );
    assert_eq!(
        said(&one, &[vec![4; 5]], &[0.0; 10]),
        "passage: expected 4 tokens at most, got 5 in sentence 0"
    );
    assert_eq!(
        said(&one, &[vec![4], vec![5]], &[0.0; 4]),
        "passage: expected 1 passages, one a question, got 2"
    );
    assert_eq!(said(&one, &one, &[0.0; 3]), "matches: expected 2 numbers for each of 1 tokens, got 3");
    assert_eq!(said(&one, &one, &[0.0, f32::NAN]), "matches: the value at index 1 is not finite");
    for wrong in [
        ReaderConfig { heads: 3, ..config() },
        ReaderConfig { heads: 0, ..config() },
        ReaderConfig { vocabulary: 3, ..config() },
        ReaderConfig { embedding: 0, ..config() },
        ReaderConfig { matches: 0, ..config() },
        ReaderConfig { question_layers: 0, ..config() },
        ReaderConfig { dropout: f32::NAN, ..config() },
    ] {
        assert!(matches!(Reader::new(wrong, 0), Err(Error::Parameter { .. })));
    }
}

#[test]
fn best_spans_by_hand() {
    // The best start is after the best end; within two tokens 1 to 2 gives 3 + 1; within three 0 to 2 no more than that.
    let first = [2.0, 0.0, 3.0, -5.0, 0.0, 1.0, 9.0, -9.0];
    let second = [0.0, 0.0];
    let logits = [first.as_slice(), &second].concat();
    let packed = Sequences::packed(vec![4, 1]);
    assert_eq!(best_spans(&logits, &packed, 2).unwrap(), [(1, 2, 4.0), (0, 0, 0.0)]);
    assert_eq!(best_spans(&logits, &packed, 1).unwrap(), [(0, 0, 2.0), (0, 0, 0.0)]);
    // What fills up is not read, whatever it is.
    let padded = Sequences::padded(vec![4, 1], 4).unwrap();
    let filled = [logits.as_slice(), &[f32::NAN; 6]].concat();
    assert_eq!(best_spans(&filled, &padded, 2).unwrap(), [(1, 2, 4.0), (0, 0, 0.0)]);
    // All the same: the first, and of one token.
    assert_eq!(best_spans(&[1.0; 6], &Sequences::packed(vec![3]), usize::MAX).unwrap(), [(0, 0, 2.0)]);
    let mut wrong = logits.clone();
    wrong[8] = f32::NAN;
    let refused = best_spans(&wrong, &packed, 2).unwrap_err();
    assert_eq!(refused.to_string(), "window 1: best_spans: the value at index 0 is not finite");
    assert!(matches!(best_spans(&logits, &packed, 0), Err(Error::Parameter { .. })));
    assert!(matches!(best_spans(&logits[1..], &packed, 1), Err(Error::Shape { .. })));
    let empty = best_spans(&logits, &Sequences::packed(vec![5, 0]), 1).unwrap_err().to_string();
    assert_eq!(empty, "window 1: best_spans: expected one token or more, got 0");
    assert!(best_spans(&[], &Sequences::packed(vec![]), 1).unwrap().is_empty());
}

proptest! {
    #[test]
    fn best_spans_are_the_best_of_all(
        windows in prop::collection::vec(prop::collection::vec((-4i8..4, -4i8..4), 1..12), 0..5),
        longest in 1usize..14,
    ) {
        let rows = Sequences::packed(windows.iter().map(Vec::len).collect());
        let logits: Vec<f32> =
            windows.iter().flatten().flat_map(|&(start, end)| [f32::from(start), f32::from(end)]).collect();
        let found = best_spans(&logits, &rows, longest).unwrap();
        prop_assert_eq!(found.len(), windows.len());
        for (window, found) in windows.iter().zip(found) {
            let mut all: Vec<(i8, usize, usize)> = Vec::new();
            for (last, &(_, end)) in window.iter().enumerate() {
                for (first, &(start, _)) in window.iter().enumerate() {
                    if first <= last && last - first < longest {
                        all.push((-(start + end), first, last));
                    }
                }
            }
            let &(score, first, last) = all.iter().min().unwrap();
            prop_assert_eq!(found, (first, last, -f32::from(score)));
        }
    }
}

/// The vectors of a file with this text, of `the`, `cat` and `. .`, numbered from 4.
fn vectors(text: &[u8]) -> (Result<WordVectors, Error>, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vectors.txt");
    std::fs::write(&path, text).unwrap();
    let id = |word: &str| ["the", "cat", ". ."].iter().position(|&known| known == word).map(|i| i + 4);
    (WordVectors::read(&path, id), path)
}

#[test]
fn word_vectors_by_hand() {
    let glove = "the 1 -0.5\nof 3 4\n. . 5e-1 7\ncat 8 9\ncat 0 0\n";
    let fast = "9 2 \r\nthe 1 -0.5 \r\nof 3 4 \r\n. . 5e-1 7 \r\n\r\ncat 8 9 \r\ncat 0 0";
    for text in [glove, fast] {
        let vectors = vectors(text.as_bytes()).0.unwrap();
        assert_eq!((vectors.len(), vectors.width(), vectors.is_empty()), (3, 2, false));
        let want = [Some([1.0, -0.5]), Some([8.0, 9.0]), Some([0.5, 7.0]), None];
        assert!((4..8)
            .map(|id| vectors.get(id))
            .eq(want.iter().map(|v| v.as_ref().map(<[f32; 2]>::as_slice))));
    }
    let none = vectors(b"of 3 4\n").0.unwrap();
    assert!(none.is_empty() && none.width() == 2);
    for (text, line, reason) in [
        (b"the 1 2\nof 3 4 5\n".as_slice(), ":2", "3 numbers where 2 are wanted"),
        (b"the 1 2\nof 3\n", ":2", "1 numbers where 2 are wanted"),
        (b"2 3\nthe 1 2\n", ":2", "2 numbers where 3 are wanted"),
        (b"of 1 2\nthe 1 NaN\n", ":2", "`NaN` of `the` is not a finite number"),
        (b"the 1e39 2\n", ":1", "`1e39` of `the` is not a finite number"),
        (b"the 1 two\n", ":1", "`two` of `the` is not a finite number"),
        (b"the 1 2\ncat \xff 2\n", ":2", "not UTF-8"),
        (b"the\n", ":1", "a word without numbers"),
        (b"2 0\nthe\n", ":2", "a word without numbers"),
        (b"\n", "", "no word vectors"),
        (b"9 300\n", "", "no word vectors"),
    ] {
        let (read, path) = vectors(text);
        assert_eq!(read.unwrap_err().to_string(), format!("{}{line}: {reason}", path.display()));
    }
    let missing = WordVectors::read(&PathBuf::from("/nowhere/vectors.txt"), |_| None);
    assert!(matches!(missing, Err(Error::Io { .. })));
}

#[test]
fn a_reader_takes_vectors_at_the_size_of_its_own() {
    let vectors = vectors(b"cat 3 -4 0 5\nthe 1 2 2 4\n").0.unwrap();
    let config = ReaderConfig { embedding: 4, ..config() };
    let before = host(Reader::new(config, 0).unwrap().parameters().iter().next().unwrap().value());
    let reader = Reader::new(config, 0).unwrap().with_vectors(&vectors).unwrap();
    let after = host(reader.parameters().iter().next().unwrap().value());
    // Mean square 75 / 8, to become 1 / 4.
    let scale = (0.25f64 / (75.0 / 8.0)).sqrt();
    let want = [1.0, 2.0, 2.0, 4.0, 3.0, -4.0, 0.0, 5.0].map(|v| v * scale);
    assert_close(&wide(&after[16..24]), &want, 1e-6);
    assert_eq!((&after[..16], &after[24..]), (&before[..16], &before[24..]));
    let zero = self::vectors(b"the 0 0 0 0\n").0.unwrap();
    let reader = Reader::new(config, 0).unwrap().with_vectors(&zero).unwrap();
    assert_eq!(host(reader.parameters().iter().next().unwrap().value())[16..20], [0.0; 4]);
    let narrow = Reader::new(ReaderConfig { embedding: 3, ..config }, 0).unwrap().with_vectors(&vectors);
    assert_eq!(
        narrow.unwrap_err().to_string(),
        "with_vectors: expected 3 numbers a word, the embedding, got 4"
    );
    let few = Reader::new(ReaderConfig { vocabulary: 5, ..config }, 0).unwrap().with_vectors(&vectors);
    assert_eq!(few.unwrap_err().to_string(), "with_vectors: expected ids below the vocabulary's 5, got 5");
}
