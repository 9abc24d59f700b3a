//! Downloads from a server of the tests' own: whole, cut, damaged, refused.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use reloss::data::{cache_folder, Checksum, Dataset, Download, Known, ParallelText, ReadingSet};
use reloss::Error;
use sha2::{Digest, Sha256};

/// How a server answers.
#[derive(Clone, Copy, PartialEq)]
enum Manner {
    /// With what was asked for.
    Proper,
    /// With everything, whatever the range.
    Whole,
    /// Without the length.
    Unmeasured,
    /// Properly, but the connection breaks after this many bytes.
    Cut(usize),
    /// With this status and no file.
    Status(&'static str),
}

/// A server of one file; it keeps where each request wanted to start.
struct Server {
    url: String,
    starts: Arc<Mutex<Vec<Option<usize>>>>,
}

impl Server {
    /// Answers the first requests in these manners, all further ones in the last of them.
    fn new(file: &[u8], manners: &[Manner]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/file.bin", listener.local_addr().unwrap());
        let starts = Arc::new(Mutex::new(Vec::new()));
        let (file, manners, seen) = (file.to_vec(), manners.to_vec(), starts.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let start = asked(&mut stream);
                let place = seen.lock().unwrap().len();
                seen.lock().unwrap().push(start);
                // The client may have gone: that is its business.
                let _ = stream.write_all(&answer(&file, start, manners[place.min(manners.len() - 1)]));
            }
        });
        Self { url, starts }
    }

    fn starts(&self) -> Vec<Option<usize>> {
        self.starts.lock().unwrap().clone()
    }
}

/// Reads a request; where its range starts.
fn asked(stream: &mut TcpStream) -> Option<usize> {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap_or(0) == 1 {
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap().to_lowercase();
    let range = head.lines().find_map(|line| line.strip_prefix("range: bytes="));
    range.map(|range| range.trim_end_matches('-').parse().unwrap())
}

fn answer(file: &[u8], start: Option<usize>, manner: Manner) -> Vec<u8> {
    let all = (String::from("200 OK"), String::new(), file);
    let (status, range, body) = match (manner, start) {
        (Manner::Status(status), _) => (status.to_string(), String::new(), &b"sorry"[..]),
        (Manner::Whole | Manner::Unmeasured, _) | (_, None) => all,
        (_, Some(start)) if start >= file.len() => {
            ("416 Range Not Satisfiable".into(), String::new(), &b""[..])
        }
        (_, Some(start)) => {
            let range = format!("Content-Range: bytes {start}-{}/{}\r\n", file.len() - 1, file.len());
            ("206 Partial Content".into(), range, &file[start..])
        }
    };
    let length = match manner {
        Manner::Unmeasured => String::new(),
        _ => format!("Content-Length: {}\r\n", body.len()),
    };
    let body = match manner {
        Manner::Cut(after) => &body[..after.min(body.len())],
        _ => body,
    };
    let head = format!("HTTP/1.1 {status}\r\n{range}{length}Connection: close\r\n\r\n");
    [head.as_bytes(), body].concat()
}

/// 300,000 bytes without a pattern that a shift would keep.
fn file() -> Vec<u8> {
    (0..300_000u64).map(|i| (i.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8).collect()
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect()
}

fn download(server: &Server, file: &[u8]) -> Download {
    let checksum = Checksum::Sha256(sha256(file));
    Download { urls: vec![server.url.clone()], bytes: Some(file.len() as u64), checksum }
}

/// The names in a folder, sorted.
fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// A folder, a file in it that is not there yet, and its `.part`.
fn place() -> (tempfile::TempDir, PathBuf, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let (path, part) = (folder.path().join("f"), folder.path().join("f.part"));
    (folder, path, part)
}

#[test]
fn a_file_is_fetched_once() {
    let (folder, _, _) = place();
    let (file, path) = (file(), folder.path().join("new").join("f"));
    let server = Server::new(&file, &[Manner::Proper]);
    for _ in 0..2 {
        download(&server, &file).fetch(&path).unwrap();
        assert!(std::fs::read(&path).unwrap() == file);
    }
    assert_eq!(server.starts(), [None]);
    assert_eq!(names(path.parent().unwrap()), ["f"]);
}

#[test]
fn a_cut_is_continued_within_a_call() {
    let (folder, path, _) = place();
    let file = file();
    let server = Server::new(
        &file,
        &[Manner::Cut(100_000), Manner::Status("503 Busy"), Manner::Cut(50_000), Manner::Proper],
    );
    download(&server, &file).fetch(&path).unwrap();
    assert!(std::fs::read(&path).unwrap() == file);
    assert_eq!(server.starts(), [None, Some(100_000), Some(100_000), Some(150_000)]);
    assert_eq!(names(folder.path()), ["f"]);
}

#[test]
fn what_came_before_a_broken_call_is_kept_and_continued() {
    let (folder, path, part) = place();
    let file = file();
    let server = Server::new(&file, &[Manner::Cut(10_000), Manner::Cut(0)]);
    let error = download(&server, &file).fetch(&path).unwrap_err();
    assert!(
        matches!(&error, Error::Download { url, path: at, .. } if *url == server.url && *at == path),
        "{error:?}"
    );
    assert_eq!(names(folder.path()), ["f.part"]);
    assert!(std::fs::read(&part).unwrap() == file[..10_000]);
    let server = Server::new(&file, &[Manner::Proper]);
    download(&server, &file).fetch(&path).unwrap();
    assert!(std::fs::read(&path).unwrap() == file);
    assert_eq!(server.starts(), [Some(10_000)]);
    assert_eq!(names(folder.path()), ["f"]);
}

#[test]
fn parts_that_do_not_fit_are_fetched_anew() {
    let file = file();
    let damaged: Vec<u8> = file[..1000].iter().map(|b| !b).collect();
    let longer = [file.as_slice(), b"?"].concat();
    let flipped: Vec<u8> = file.iter().map(|b| b ^ 1).collect();
    let proper = &[Manner::Proper][..];
    // The part, how the server answers, where the requests start.
    for (content, manners, starts) in [
        (&damaged, proper, vec![Some(1000), None]),
        (&longer, proper, vec![None]),
        (&flipped, proper, vec![None]),
        (&damaged, &[Manner::Whole], vec![Some(1000)]),
    ] {
        let (folder, path, part) = place();
        std::fs::write(&part, content).unwrap();
        let server = Server::new(&file, manners);
        download(&server, &file).fetch(&path).unwrap();
        assert!(std::fs::read(&path).unwrap() == file);
        assert_eq!(server.starts(), starts);
        assert_eq!(names(folder.path()), ["f"]);
    }
    // The length is not known here: the server has nothing after the part.
    let (_folder, path, part) = place();
    std::fs::write(&part, &longer).unwrap();
    let server = Server::new(&file, &[Manner::Proper]);
    Download { bytes: None, ..download(&server, &file) }.fetch(&path).unwrap();
    assert!(std::fs::read(&path).unwrap() == file);
    assert_eq!(server.starts(), [Some(300_001), None]);
}

#[test]
fn damaged_files_are_replaced() {
    let file = file();
    let mut flipped = file.clone();
    flipped[150_000] ^= 1;
    for damaged in [&file[..299_999], &flipped, &[]] {
        let (folder, path, _) = place();
        std::fs::write(&path, damaged).unwrap();
        let server = Server::new(&file, &[Manner::Proper]);
        download(&server, &file).fetch(&path).unwrap();
        assert!(std::fs::read(&path).unwrap() == file);
        assert_eq!((server.starts().len(), names(folder.path())), (1, vec!["f".to_string()]));
    }
}

#[test]
fn wrong_files_are_refused_and_leave_nothing() {
    let right = file();
    let flipped: Vec<u8> = right.iter().map(|b| b ^ 1).collect();
    let longer = [right.as_slice(), b"?"].concat();
    for (offered, manner, reason) in [
        (&longer[..], Manner::Unmeasured, "more than 300000 bytes"),
        (&flipped[..], Manner::Proper, "SHA-256"),
        (&flipped[..], Manner::Unmeasured, "SHA-256"),
        (&right[..1000], Manner::Proper, "1000 bytes, not 300000"),
        (&right[..], Manner::Status("404 Not Found"), "404"),
        (&right[..], Manner::Status("204 No Content"), "204"),
    ] {
        let (folder, path, _) = place();
        let server = Server::new(offered, &[manner]);
        let error = download(&server, &right).fetch(&path).unwrap_err();
        assert!(matches!(&error, Error::Download { .. }), "{error:?}");
        let text = error.to_string();
        assert!(
            text.contains(reason) && text.contains(&server.url) && text.contains(path.to_str().unwrap()),
            "{text}"
        );
        assert_eq!((server.starts().len(), names(folder.path())), (1, vec![]), "{reason}");
    }
}

#[test]
fn a_wrong_file_does_not_replace_a_damaged_one() {
    let (folder, path, _) = place();
    std::fs::write(&path, b"old").unwrap();
    let server = Server::new(b"new", &[Manner::Proper]);
    let wanted = download(&server, b"abc");
    assert!(matches!(wanted.fetch(&path), Err(Error::Download { .. })));
    assert_eq!(
        (std::fs::read(&path).unwrap().as_slice(), names(folder.path())),
        (&b"old"[..], vec!["f".to_string()])
    );
}

#[test]
fn the_next_address_is_asked() {
    let (_folder, path, _) = place();
    let file = file();
    let servers =
        [Server::new(&file, &[Manner::Status("404 Not Found")]), Server::new(&file, &[Manner::Proper])];
    let urls = servers.iter().map(|server| server.url.clone()).collect();
    Download { urls, ..download(&servers[0], &file) }.fetch(&path).unwrap();
    assert!(std::fs::read(&path).unwrap() == file);
    assert_eq!(servers.map(|server| server.starts().len()), [1, 1]);
}

#[test]
fn without_a_checksum_no_part_is_trusted() {
    let (folder, path, part) = place();
    let file = file();
    std::fs::write(&part, &file[..1000]).unwrap();
    let server = Server::new(&file, &[Manner::Cut(2000), Manner::Proper]);
    let wanted = Download { bytes: None, checksum: Checksum::Unpublished, ..download(&server, &file) };
    for _ in 0..2 {
        wanted.fetch(&path).unwrap();
        assert!(std::fs::read(&path).unwrap() == file);
    }
    assert_eq!(server.starts(), [None, None]);
    assert_eq!(names(folder.path()), ["f"]);
}

#[test]
fn who_comes_second_waits_for_the_first() {
    let (folder, path, _) = place();
    let file = file();
    let server = Server::new(&file, &[Manner::Cut(100_000), Manner::Proper]);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| download(&server, &file).fetch(&path).unwrap());
        }
    });
    assert!(std::fs::read(&path).unwrap() == file);
    assert_eq!(server.starts(), [None, Some(100_000)]);
    assert_eq!(names(folder.path()), ["f"]);
}

#[test]
fn descriptions_that_cannot_be_followed_are_refused() {
    let (folder, path, _) = place();
    let server = Server::new(b"abc", &[Manner::Proper]);
    let good = download(&server, b"abc");
    let sums = ["", "ba78", &"g".repeat(64)].map(|sum| Checksum::Sha256(sum.to_string()));
    for checksum in sums {
        assert!(matches!(Download { checksum, ..good.clone() }.fetch(&path), Err(Error::Parameter { .. })));
    }
    assert!(matches!(Download { urls: vec![], ..good.clone() }.fetch(&path), Err(Error::Parameter { .. })));
    let nowhere = Download { urls: vec!["no address".to_string()], ..good.clone() };
    assert!(matches!(nowhere.fetch(&path), Err(Error::Download { .. })));
    assert!(names(folder.path()).is_empty() && server.starts().is_empty());
    std::fs::write(&path, "a file").unwrap();
    assert!(matches!(good.fetch(&path.join("f")), Err(Error::Io { .. })));
}

/// A `.tar.gz` of these files.
fn packed(files: &[(&str, &[u8])]) -> Vec<u8> {
    let gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let mut tar = tar::Builder::new(gzip);
    for (name, bytes) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o600);
        // Written as they are: the builder refuses paths that lead out of a folder.
        header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
        header.set_cksum();
        tar.append(&header, *bytes).unwrap();
    }
    tar.into_inner().unwrap().finish().unwrap()
}

#[test]
fn archives_are_unpacked_by_name_and_removed() {
    let folder = tempfile::tempdir().unwrap();
    let inside = folder.path().join("set");
    let archive = packed(&[("a/one", b"1"), ("a/other", b"?"), ("../two", b"22"), ("a/readme", b"")]);
    let server = Server::new(&archive, &[Manner::Cut(50), Manner::Proper]);
    for _ in 0..2 {
        download(&server, &archive).fetch_packed(&inside, &["two", "one"]).unwrap();
        assert_eq!(std::fs::read(inside.join("one")).unwrap(), b"1");
        assert_eq!(std::fs::read(inside.join("two")).unwrap(), b"22");
    }
    assert_eq!(server.starts(), [None, Some(50)]);
    assert_eq!(
        (names(&inside), names(folder.path())),
        (vec!["one".to_string(), "two".to_string()], vec!["set".to_string()])
    );
}

#[test]
fn damaged_archives_leave_nothing() {
    let whole = packed(&[("a/one", &[7; 5000]), ("a/two", b"2"), ("b/two", b"2")]);
    let cases = [
        (whole.clone(), vec!["one", "three"], "`three` 0 times"),
        (whole.clone(), vec!["one", "two"], "`two` 2 times"),
        (whole[..whole.len() / 2].to_vec(), vec!["one"], "damaged"),
        (b"no archive".to_vec(), vec!["one"], "damaged"),
    ];
    for (archive, wanted, reason) in cases {
        let folder = tempfile::tempdir().unwrap();
        let server = Server::new(&archive, &[Manner::Proper]);
        let error = download(&server, &archive).fetch_packed(folder.path(), &wanted).unwrap_err();
        assert!(matches!(error, Error::Data { .. }) && error.to_string().contains(reason), "{error:?}");
        assert_eq!(names(folder.path()), Vec::<String>::new(), "{reason}");
    }
}

#[test]
fn zip_archives_are_unpacked_by_name() {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default();
    for (name, bytes) in [("../a/ron.txt", &b"Hi.\tBun\xc4\x83."[..]), ("_about.txt", b"?")] {
        zip.start_file(name, options.compression_method(zip::CompressionMethod::Deflated)).unwrap();
        zip.write_all(bytes).unwrap();
    }
    let archive = zip.finish().unwrap().into_inner();
    let folder = tempfile::tempdir().unwrap();
    let fetch = |archive: &[u8], names: &[&str]| {
        let mut server = Server::new(archive, &[Manner::Proper]);
        server.url = server.url.replace("file.bin", "ron-eng.zip");
        download(&server, archive).fetch_packed(folder.path(), names)
    };
    let missing = fetch(&archive, &["other.txt"]).unwrap_err();
    assert!(missing.to_string().contains("`other.txt` 0 times"), "{missing}");
    let cut = fetch(&archive[..archive.len() - 30], &["ron.txt"]).unwrap_err();
    assert!(matches!(&cut, Error::Data { .. }) && cut.to_string().contains("damaged"), "{cut}");
    assert_eq!(names(folder.path()), Vec::<String>::new());
    fetch(&archive, &["ron.txt"]).unwrap();
    assert_eq!(names(folder.path()), ["ron.txt"]);
    let text = ParallelText::tatoeba_en_ro(&Known::TatoebaEnRo.fetch(Some(folder.path())).unwrap()).unwrap();
    assert_eq!((text.name(), text.targets()), ("Tatoeba", vec!["Bună."]));
}

#[test]
fn md5_sums_are_checked() {
    let (folder, file) = (tempfile::tempdir().unwrap(), b"abc");
    let server = Server::new(file, &[Manner::Proper]);
    let path = folder.path().join("abc");
    let fetch = |sum: &str| {
        let checksum = Checksum::Md5(sum.to_string());
        Download { urls: vec![server.url.clone()], bytes: None, checksum }.fetch(&path)
    };
    let wrong = fetch("4a3dc2760bb077f4308cce96b06e6af6").unwrap_err();
    assert!(wrong.to_string().contains("wrong MD5, 900150983cd24fb0d6963f7d28e17f72"), "{wrong}");
    assert!(!path.exists());
    assert!(matches!(fetch("4a3d"), Err(Error::Parameter { .. })));
    // RFC 1321's own example; the second time nobody is asked.
    for _ in 0..2 {
        fetch("900150983CD24FB0D6963F7D28E17F72").unwrap();
    }
    assert_eq!((std::fs::read(&path).unwrap(), server.starts().len()), (file.to_vec(), 2));
}

#[test]
fn known_sets_that_are_there_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    let there = |set: Known| set.fetch(Some(folder.path())).unwrap();
    write("spambase.data", &format!("{}1\n{}0\n", "0.5,".repeat(57), "0,".repeat(57)));
    let spam = Dataset::spambase(&there(Known::Spambase)).unwrap();
    assert_eq!((spam.name(), spam.width(), spam.labels()), ("spambase", 57, &[1, 0][..]));
    write("magic04.data", "28.8,16,2.6,0.4,0.2,27.7,22,-8.2,40.1,81.9,g\n1,2,3,4,5,6,7,8,9,10,h\n");
    let magic = Dataset::magic(&there(Known::Magic)).unwrap();
    assert_eq!((magic.name(), magic.width(), magic.labels()), ("MAGIC", 10, &[0, 1][..]));
    write("a1a", "-1 3:1 119:1\n+1 5:1\n");
    write("a1a.t", "+1 123:1\n-1 1:1\n");
    let [train, test] = Dataset::a1a(&there(Known::A1a)).unwrap();
    assert_eq!((train.width(), train.labels(), train.row(0)[118]), (123, &[0, 1][..], 1.0));
    assert_eq!((test.width(), test.labels(), test.row(0)[122]), (123, &[1, 0][..], 1.0));
    write("a1a.t", "+1 124:1\n-1 1:1\n");
    assert!(matches!(Dataset::a1a(folder.path()), Err(Error::Data { .. })));
    assert_eq!(names(folder.path()), ["a1a", "a1a.t", "magic04.data", "spambase.data"]);
}

#[test]
fn known_questions_that_are_there_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, starts: &[i64]| {
        let asked = starts.iter().enumerate().map(|(i, start)| {
            format!(r#"{{"id":"{i}","question":"?","answers":[{{"text":"b","answer_start":{start}}}]}}"#)
        });
        let asked = asked.collect::<Vec<_>>().join(",");
        let text = format!(r#"{{"data":[{{"paragraphs":[{{"context":"a b","qas":[{asked}]}}]}}]}}"#);
        std::fs::write(folder.path().join(name), text).unwrap();
    };
    write("train-v1.1.json", &[2, 2]);
    write("dev-v1.1.json", &[2]);
    let [train, dev] = ReadingSet::squad_1_1(&Known::Squad.fetch(Some(folder.path())).unwrap()).unwrap();
    assert_eq!((train.name(), train.len(), dev.name(), dev.len()), ("SQuAD train", 2, "SQuAD dev", 1));
    for (part, starts) in [("train", &[2, 2, 2][..]), ("dev", &[2, 0]), ("trial", &[2])] {
        write(&format!("cmrc2018_{part}.json"), starts);
    }
    let parts = ReadingSet::cmrc2018(&Known::Cmrc2018.fetch(Some(folder.path())).unwrap()).unwrap();
    assert_eq!(parts.each_ref().map(ReadingSet::len), [3, 2, 1]);
    assert_eq!((parts[2].name(), parts[1].report().respanned), ("CMRC trial", 1));
}

#[test]
fn sets_are_kept_where_the_variable_says_or_in_the_users_cache() {
    let folder = cache_folder().unwrap();
    match std::env::var_os("RELOSS_DATA").filter(|value| !value.is_empty()) {
        Some(named) => assert_eq!(folder, PathBuf::from(named)),
        None => assert!(folder.ends_with("reloss") && folder.is_absolute(), "{folder:?}"),
    }
}
