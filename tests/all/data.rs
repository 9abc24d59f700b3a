//! Data sets: embedded, from files whole and damaged, split and altered.

use std::io::Write;
use std::path::{Path, PathBuf};

use reloss::data::{
    lines, predicted_answers, questions, Augment, CifarLabels, Dataset, ImageShape, Known, Scaler, Split,
    CIFAR10_CONFUSIONS,
};
use reloss::Error;

fn idx(dimensions: &[u32], values: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0, 0, 8, dimensions.len() as u8];
    dimensions.iter().for_each(|d| bytes.extend(d.to_be_bytes()));
    bytes.extend_from_slice(values);
    bytes
}

fn gz(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn write(folder: &Path, name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, bytes).unwrap();
    path
}

#[test]
fn embedded_sets_are_whole() {
    let digits = Dataset::digits().unwrap();
    assert_eq!((digits.rows(), digits.width(), digits.classes()), (1797, 64, 10));
    assert_eq!(digits.labels()[..10], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    assert!(digits.features().iter().all(|v| (0.0..=1.0).contains(v)));
    // The first image's first row: 0 0 5 13 9 1 0 0 of 16.
    assert_eq!(digits.row(0)[..8], [0.0, 0.0, 0.3125, 0.8125, 0.5625, 0.0625, 0.0, 0.0]);
    let cancer = Dataset::breast_cancer().unwrap();
    assert_eq!((cancer.rows(), cancer.width(), cancer.classes()), (569, 30, 2));
    assert_eq!(cancer.labels().iter().sum::<usize>(), 357);
    assert_eq!(cancer.row(0)[0], 17.99);
}

#[test]
fn idx_files_plain_and_packed() {
    let folder = tempfile::tempdir().unwrap();
    let images = idx(&[2, 2, 2], &[0, 51, 102, 255, 1, 2, 3, 4]);
    let labels = idx(&[2], &[1, 0]);
    let plain = (write(folder.path(), "i", &images), write(folder.path(), "l", &labels));
    let packed = (write(folder.path(), "i.gz", &gz(&images)), write(folder.path(), "l.gz", &gz(&labels)));
    for (images, labels) in [&plain, &packed, &(plain.0.clone(), packed.1.clone())] {
        let data = Dataset::from_idx(images, labels).unwrap();
        assert_eq!((data.rows(), data.width(), data.classes()), (2, 4, 2));
        assert_eq!(data.row(0), [0.0, 0.2, 0.4, 1.0]);
        assert_eq!(data.labels(), [1, 0]);
    }
}

#[test]
fn damaged_idx_files_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let images = idx(&[2, 2, 2], &[0; 8]);
    let good = write(folder.path(), "labels", &idx(&[2], &[1, 0]));
    let packed = gz(&images);
    let cases = [
        ("truncated", images[..images.len() - 1].to_vec()),
        ("longer", [images.as_slice(), &[1]].concat()),
        ("empty", vec![]),
        ("header", images[..6].to_vec()),
        ("magic", idx(&[8], &[0; 8])),
        ("packed", packed[..packed.len() - 6].to_vec()),
        ("checksum", [&packed[..packed.len() - 8], &[0; 8][..]].concat()),
        ("count", idx(&[3, 2, 2], &[0; 12])),
        ("overflow", idx(&[u32::MAX, u32::MAX, u32::MAX], &[0; 8])),
    ];
    for (name, bytes) in cases {
        let path = write(folder.path(), name, &bytes);
        let error = Dataset::from_idx(&path, &good).unwrap_err();
        assert!(matches!(error, Error::Data { .. }), "{name}: {error:?}");
        assert!(error.to_string().contains(folder.path().to_str().unwrap()), "{error}");
    }
    assert!(matches!(Dataset::from_idx(Path::new("/nowhere/i"), &good), Err(Error::Io { .. })));
}

#[test]
fn csv_files_name_the_line() {
    let folder = tempfile::tempdir().unwrap();
    let read = |text: &str| Dataset::from_csv(&write(folder.path(), "rows.csv", text.as_bytes()));
    let data = read("1.5,2,0\n 3 , 4 , 2\n").unwrap();
    assert_eq!((data.row(1), data.labels(), data.classes()), (&[3.0, 4.0][..], &[0, 2][..], 3));
    for (text, line) in [
        ("1,2,0\n1,x,0\n", 2),
        ("1,2,0\n1,2,0\n1,0\n", 3),
        ("1,NaN,0\n", 1),
        ("1,2,0.5\n", 1),
        ("1,2,-1\n", 1),
        ("7\n", 1),
    ] {
        match read(text) {
            Err(Error::Data { line: Some(got), .. }) => assert_eq!(got, line, "{text}"),
            other => panic!("{text}: {other:?}"),
        }
    }
    assert!(matches!(read(""), Err(Error::Data { .. })));
}

#[test]
fn splits_are_stratified_seeded_and_disjoint() {
    let data = Dataset::digits().unwrap();
    let parts = data.split(&Split::default()).unwrap();
    assert_eq!(parts, data.split(&Split::default()).unwrap());
    assert_ne!(parts, data.split(&Split { seed: 1, ..Split::default() }).unwrap());
    assert_eq!(parts.train.rows() + parts.validation.rows() + parts.test.rows(), data.rows());
    for class in 0..10 {
        let count = |d: &Dataset| d.labels().iter().filter(|&&l| l == class).count() as f64;
        assert!((count(&parts.test) - 0.25 * count(&data)).abs() <= 0.5);
    }
    let mut all: Vec<Vec<u32>> = Vec::new();
    for part in [&parts.train, &parts.validation, &parts.test] {
        all.extend((0..part.rows()).map(|i| part.row(i).iter().map(|v| v.to_bits()).collect()));
    }
    let mut own: Vec<Vec<u32>> =
        (0..data.rows()).map(|i| data.row(i).iter().map(|v| v.to_bits()).collect()).collect();
    all.sort();
    own.sort();
    assert_eq!(all, own);
}

#[test]
fn noise_and_long_tails_by_count() {
    let data = Dataset::digits().unwrap();
    let noisy = data.with_label_noise(0.4, 3).unwrap();
    let changed = noisy.labels().iter().zip(data.labels()).filter(|(a, b)| a != b).count() as f64;
    // 1,797 draws at 0.4: four standard deviations are 83.
    assert!((changed - 718.8).abs() < 83.0, "{changed}");
    assert_eq!(data.with_label_noise(0.0, 3).unwrap(), data);

    let tail = data.long_tailed(20.0, 3).unwrap();
    let mut counts: Vec<usize> = (0..10).map(|c| tail.labels().iter().filter(|&&l| l == c).count()).collect();
    counts.sort_unstable();
    assert!((8..=10).contains(&counts[0]) && (174..=183).contains(&counts[9]), "{counts:?}");
    assert_eq!(data.long_tailed(1.0, 3).unwrap().rows(), data.rows());
}

#[test]
fn batches_hold_every_row_once() {
    let data = Dataset::digits().unwrap();
    let batches = data.batches(64, 0).unwrap();
    assert_eq!((batches.len(), batches[28].len()), (29, 5));
    let mut rows: Vec<usize> = batches.concat();
    rows.sort_unstable();
    assert_eq!(rows, (0..1797).collect::<Vec<_>>());
}

#[test]
fn bad_options_and_contents_are_typed() {
    let data = Dataset::new("d", vec![0.0; 6], 1, vec![0, 0, 0, 0, 1, 1], 2).unwrap();
    assert!(matches!(data.split(&Split::default()), Err(Error::Undefined { .. })));
    assert!(matches!(data.split(&Split { test: 0.9, ..Split::default() }), Err(Error::Parameter { .. })));
    assert!(matches!(data.with_label_noise(1.5, 0), Err(Error::Parameter { .. })));
    assert!(matches!(data.with_label_noise(f64::NAN, 0), Err(Error::Parameter { .. })));
    assert!(matches!(data.long_tailed(0.5, 0), Err(Error::Parameter { .. })));
    assert!(matches!(data.batches(0, 0), Err(Error::Parameter { .. })));
    assert!(matches!(data.take(&[6]), Err(Error::Shape { .. })));
    assert!(matches!(data.take(&[]), Err(Error::Shape { .. })));
    let one = Dataset::new("one", vec![0.0, 1.0], 1, vec![0, 0], 1).unwrap();
    assert!(matches!(one.with_label_noise(0.5, 0), Err(Error::Parameter { .. })));
    assert!(matches!(Dataset::new("d", vec![], 1, vec![], 2), Err(Error::Shape { .. })));
    assert!(matches!(Dataset::new("d", vec![1.0, 2.0, 3.0], 2, vec![0, 0], 2), Err(Error::Shape { .. })));
    assert!(matches!(Dataset::new("d", vec![1.0], 1, vec![2], 2), Err(Error::Shape { .. })));
    assert!(matches!(
        Dataset::new("d", vec![f32::NAN], 1, vec![0], 1),
        Err(Error::NotFinite { index: 0, .. })
    ));
    let other = Dataset::new("o", vec![0.0; 4], 2, vec![0, 0], 1).unwrap();
    assert!(matches!(Scaler::fit(&data).apply(&other), Err(Error::Shape { .. })));
}

#[test]
fn questions_are_read_and_damaged_files_are_refused_with_line_and_id() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("questions.json");
    let write = |text: &str| std::fs::write(&path, text).unwrap();
    let asked = |id: &str, answers: &str| {
        format!("{{\"id\": \"{id}\", \"question\": \"?\", \"answers\": [{answers}]}}")
    };
    let file = |qas: &str| {
        format!("{{\"data\": [{{\"paragraphs\": [\n{{\"context\": \"c\", \"qas\": [{qas}]}}]}}]}}")
    };
    let right = "{\"text\": \"战国\", \"answer_start\": 3}";
    write(&file(&format!("{}, {}", asked("a", right), asked("b", right))));
    let read = questions(&path).unwrap();
    assert_eq!((read.len(), read[1].id.as_str(), &*read[1].context), (2, "b", "c"));
    assert_eq!((read[0].answers[0].text.as_str(), read[0].answers[0].start), ("战国", 3));
    for (qas, reason) in [
        (format!("{}, {}", asked("a", right), asked("a", right)), "question a occurs twice"),
        (asked("a", ""), "question a has no answer"),
        (String::new(), "no questions"),
    ] {
        write(&file(&qas));
        assert!(questions(&path).unwrap_err().to_string().contains(reason));
    }
    write(&file("{\"id\": \"a\"}"));
    assert!(matches!(questions(&path), Err(Error::Data { line: Some(2), .. })));
    std::fs::write(&path, b"{\"a\": \"\xff\"}").unwrap();
    assert!(matches!(predicted_answers(&path), Err(Error::Data { line: Some(1), .. })));
    write("{\"a\": \"x\", \"b\": \"y\"}");
    assert_eq!(predicted_answers(&path).unwrap()["b"], "y");
    write("{\"a\": \"x\",\n \"a\": \"y\"}");
    let twice = predicted_answers(&path).unwrap_err();
    assert!(matches!(&twice, Error::Data { line: Some(2), .. }) && twice.to_string().contains("question a"));
}

#[test]
fn lines_are_read_and_bytes_that_are_no_text_are_found() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lines.txt");
    std::fs::write(&path, "one\r\n\nthree").unwrap();
    assert_eq!(lines(&path).unwrap(), ["one", "", "three"]);
    std::fs::write(&path, b"one\ntwo\n\xc3(\n").unwrap();
    assert!(matches!(lines(&path), Err(Error::Data { line: Some(3), .. })));
    assert!(matches!(lines(&folder.path().join("none")), Err(Error::Io { .. })));
}

/// Records of CIFAR: these label bytes, then pixels that count from the record's number.
fn records(labels: &[&[u8]]) -> Vec<u8> {
    let pixels = |i: usize| (0..3072).map(move |p| (i + p) as u8);
    labels.iter().enumerate().flat_map(|(i, label)| label.iter().copied().chain(pixels(i))).collect()
}

#[test]
fn cifar_files_are_read_in_order() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "data_batch_1.bin", &records(&[&[3], &[9]]));
    write(folder.path(), "data_batch_4.bin", &records(&[&[0]]));
    write(folder.path(), "test_batch.bin", &records(&[&[5]]));
    let [train, test] = Dataset::cifar10(folder.path()).unwrap();
    assert_eq!((train.name(), train.width(), train.classes()), ("CIFAR-10 (part)", 3072, 10));
    assert_eq!((train.labels(), test.labels()), (&[3, 9, 0][..], &[5][..]));
    assert_eq!((train.row(1)[0], train.row(1)[50], train.row(2)[255]), (1.0 / 255.0, 0.2, 1.0));
    for batch in [2, 3, 5] {
        write(folder.path(), &format!("data_batch_{batch}.bin"), &records(&[&[1]]));
    }
    let [train, test] = Dataset::cifar10(folder.path()).unwrap();
    assert_eq!((train.name(), test.name(), train.rows()), ("CIFAR-10", "CIFAR-10", 6));

    write(folder.path(), "train.bin", &records(&[&[19, 99], &[4, 0]]));
    write(folder.path(), "test.bin", &records(&[&[0, 7]]));
    let [train, test] = Dataset::cifar100(folder.path()).unwrap();
    assert_eq!((train.name(), train.classes(), test.classes()), ("CIFAR-100", 100, 100));
    assert_eq!((train.labels(), test.labels(), train.row(1)[0]), (&[99, 0][..], &[7][..], 1.0 / 255.0));
    let coarse = Dataset::from_cifar(&[folder.path().join("train.bin")], CifarLabels::Coarse).unwrap();
    assert_eq!((coarse.labels(), coarse.classes(), coarse.features()), (&[19, 4][..], 20, train.features()));
}

#[test]
fn damaged_cifar_files_name_the_record() {
    let folder = tempfile::tempdir().unwrap();
    let two = records(&[&[1], &[2]]);
    let cases = [
        (CifarLabels::Ten, two[..two.len() - 1].to_vec(), "record 1 is truncated: 3072 of 3073"),
        (CifarLabels::Ten, [two.as_slice(), &[0]].concat(), "record 2 is truncated: 1 of 3073"),
        (CifarLabels::Ten, vec![], "record 0 is truncated: 0 of 3073"),
        (CifarLabels::Ten, records(&[&[1], &[10]]), "record 1: label 10 is not below 10"),
        (CifarLabels::Fine, records(&[&[20, 1]]), "record 0: coarse label 20 is not below 20"),
        (CifarLabels::Coarse, records(&[&[1, 100]]), "record 0: fine label 100 is not below 100"),
    ];
    for (labels, bytes, reason) in cases {
        let path = write(folder.path(), "batch.bin", &bytes);
        match Dataset::from_cifar(&[&path], labels) {
            Err(error @ Error::Data { .. }) => {
                let text = error.to_string();
                assert!(text.contains(reason) && text.contains("batch.bin"), "{text}");
            }
            other => panic!("{reason}: {other:?}"),
        }
    }
    assert!(matches!(Dataset::cifar10(folder.path()), Err(Error::Io { .. })));
    assert!(matches!(Dataset::cifar100(folder.path()), Err(Error::Io { .. })));
    assert!(matches!(Dataset::from_cifar::<&Path>(&[], CifarLabels::Ten), Err(Error::Shape { .. })));
}

#[test]
fn crops_and_flips_are_seeded_shifts_with_zeros() {
    let image = ImageShape { channels: 2, height: 3, width: 4 };
    let old: Vec<f32> = (1..=24).map(|v| v as f32).collect();
    let rows = old.repeat(200);
    let augment = Augment { padding: 2, flip: true };
    let mut new = rows.clone();
    augment.apply(&mut new, image, 5).unwrap();
    let mut again = rows.clone();
    augment.apply(&mut again, image, 5).unwrap();
    assert_eq!(new, again);
    augment.apply(&mut again, image, 6).unwrap();
    assert_ne!(new, again);
    // Every image is one of 5 × 5 shifts, mirrored or not, the same for both channels; all of them come up.
    let shifted = |down: isize, right: isize, flip: bool| -> Vec<f32> {
        let pixel = |channel: usize, y: isize, x: isize| {
            let inside = (0..3).contains(&y) && (0..4).contains(&x);
            if inside {
                old[channel * 12 + y as usize * 4 + x as usize]
            } else {
                0.0
            }
        };
        let places = (0..24).map(|i| (i / 12, (i % 12 / 4) as isize, (i % 4) as isize));
        places.map(|(c, y, x)| pixel(c, y + down, if flip { 3 - x } else { x } + right)).collect()
    };
    let mut kinds = std::collections::HashSet::new();
    for got in new.chunks_exact(24) {
        let all = (-2..=2)
            .flat_map(|down| (-2..=2).flat_map(move |right| [(down, right, false), (down, right, true)]));
        kinds.insert(all.into_iter().find(|&(down, right, flip)| shifted(down, right, flip) == got).unwrap());
    }
    assert!(kinds.len() > 45, "{} of 50 kinds in 200 images", kinds.len());
    // Without both it does nothing; halves of images are refused.
    let mut same = rows.clone();
    Augment { padding: 0, flip: false }.apply(&mut same, image, 1).unwrap();
    assert_eq!(same, rows);
    assert!(matches!(augment.apply(&mut same[..30], image, 1), Err(Error::Shape { .. })));
    for padding in [3, usize::MAX] {
        assert!(matches!(
            Augment { padding, flip: true }.apply(&mut same, image, 1),
            Err(Error::Parameter { .. })
        ));
    }
    let empty = ImageShape { width: 0, ..image };
    assert!(matches!(augment.apply(&mut same, empty, 1), Err(Error::Shape { .. })));
}

/// The draws are part of every result: a new version of a generator must not change them unseen.
#[test]
fn the_draws_of_crops_are_pinned() {
    let mut rows: Vec<f32> = [1.0, 2.0, 3.0, 4.0].repeat(4);
    let image = ImageShape { channels: 1, height: 2, width: 2 };
    Augment { padding: 1, flip: true }.apply(&mut rows, image, 1).unwrap();
    assert_eq!(rows, [0.0, 1.0, 0.0, 3.0, 2.0, 0.0, 4.0, 0.0, 4.0, 3.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0]);
}

#[test]
fn asymmetric_noise_follows_its_map() {
    let data = Dataset::digits().unwrap();
    let noisy = data.with_asymmetric_noise(0.4, &CIFAR10_CONFUSIONS, 3).unwrap();
    let pairs: Vec<_> = data.labels().iter().zip(noisy.labels()).collect();
    assert!(pairs.iter().all(|(old, new)| old == new || **new == CIFAR10_CONFUSIONS[**old]));
    let movable = pairs.iter().filter(|(old, _)| CIFAR10_CONFUSIONS[**old] != **old).count() as f64;
    let moved = pairs.iter().filter(|(old, new)| old != new).count() as f64;
    // Four standard deviations of a binomial.
    assert!((moved - 0.4 * movable).abs() < 4.0 * (0.24 * movable).sqrt(), "{moved} of {movable}");
    assert_eq!(data.with_asymmetric_noise(0.0, &CIFAR10_CONFUSIONS, 3).unwrap(), data);
    for (rate, map) in
        [(1.5, &CIFAR10_CONFUSIONS[..]), (f64::NAN, &CIFAR10_CONFUSIONS), (0.5, &[0; 9]), (0.5, &[10; 10])]
    {
        assert!(matches!(data.with_asymmetric_noise(rate, map, 0), Err(Error::Parameter { .. })));
    }
}

#[test]
fn fashion_mnist_is_read_as_mnist_is() {
    let folder = tempfile::tempdir().unwrap();
    for part in ["train", "t10k"] {
        write(folder.path(), &format!("{part}-images-idx3-ubyte.gz"), &gz(&idx(&[2, 2, 2], &[51; 8])));
        write(folder.path(), &format!("{part}-labels-idx1-ubyte"), &idx(&[2], &[1, 0]));
    }
    let [train, test] =
        Dataset::fashion_mnist(&Known::FashionMnist.fetch(Some(folder.path())).unwrap()).unwrap();
    assert_eq!((train.name(), train.width(), test.labels()), ("Fashion-MNIST", 4, &[1, 0][..]));
}
