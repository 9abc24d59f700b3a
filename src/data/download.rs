//! Files from the internet: resumed, checked, whole or not there.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use md5::Md5;
use sha2::{Digest, Sha256};
use ureq::http::header::{CONTENT_RANGE, RANGE};
use ureq::http::StatusCode;

use crate::error::{Error, Result};
use crate::files;
use crate::progress::Progress;

/// How often an address is asked before it is given up; what came before a cut is kept.
const TRIES: u32 = 5;
/// Before the second try; doubled before each further one.
const PAUSE: Duration = Duration::from_millis(100);
/// For a connection to stand.
const CONNECT: Duration = Duration::from_secs(30);
/// Without a single byte.
const SILENCE: Duration = Duration::from_secs(60);
/// Bytes read at once.
const BLOCK: usize = 1 << 16;

/// What the bytes of a file are checked against.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Checksum {
    /// SHA-256, as 64 hexadecimal digits.
    Sha256(String),
    /// MD5, as 32 hexadecimal digits, where nothing better is published: it tells damage, not malice.
    Md5(String),
    /// None is published: the file is accepted as it comes, and its SHA-256 is printed.
    Unpublished,
}

/// A file at one address or several, and how to know that it is the right one.
///
/// What has come is kept beside the file, in `<name>.part`, until it is whole and checked: the name itself never stands
/// for a part of the file. Processes that want the same file at once wait for the first.
///
/// # Example
/// ```
/// use reloss::data::{Checksum, Download};
/// # let folder = tempfile::tempdir().map_err(|source| reloss::Error::Io { path: "".into(), source })?;
/// let path = folder.path().join("abc.txt");
/// reloss::files::write_atomic(&path, b"abc")?;
/// let file = Download {
///     urls: vec!["https://example.org/abc.txt".to_string()],
///     bytes: Some(3),
///     checksum: Checksum::Sha256("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad".to_string()),
/// };
/// file.fetch(&path)?; // it is there and right: nobody is asked
/// # Ok::<(), reloss::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Download {
    /// Where it is; the first that gives it is enough.
    pub urls: Vec<String>,
    /// How long it is, if that is known.
    pub bytes: Option<u64>,
    /// What it is checked against.
    pub checksum: Checksum,
}

/// Why a transfer ended without the whole file.
enum Stop {
    /// The connection broke: another try may go on from here.
    Cut(String),
    /// The server has something else, or nothing.
    Refused(String),
    /// The file could not be written.
    Local(Error),
}

impl Download {
    /// Brings the file to `path`, unless it is there already with the right length and checksum.
    ///
    /// A `.part` of an earlier call is continued when a checksum can tell that the parts fit; if they do not, or the file at
    /// `path` is damaged, it is fetched anew. Progress is shown.
    ///
    /// # Errors
    /// [`Error::Download`] with address and file when no address gives the right bytes, [`Error::Io`] when they cannot be
    /// written, [`Error::Parameter`] for no address or a checksum that is none.
    pub fn fetch(&self, path: &Path) -> Result<()> {
        self.check()?;
        if self.is_at(path)? {
            return Ok(());
        }
        files::create_folder(files::folder_of(path))?;
        let mut part = Part::open(path)?;
        // Another process may have brought it while this one waited for the part.
        let outcome = if self.is_at(path)? { Ok(()) } else { self.fetch_into(&mut part, path) };
        part.remove_if_empty();
        outcome
    }

    fn check(&self) -> Result<()> {
        if self.urls.is_empty() {
            return Err(Error::parameter("urls", "there is no address"));
        }
        match &self.checksum {
            Checksum::Sha256(sum) => check_digits(sum, 64),
            Checksum::Md5(sum) => check_digits(sum, 32),
            Checksum::Unpublished => Ok(()),
        }
    }

    fn accepts(&self, sum: &str) -> bool {
        match &self.checksum {
            Checksum::Sha256(right) | Checksum::Md5(right) => right.eq_ignore_ascii_case(sum),
            Checksum::Unpublished => true,
        }
    }

    fn is_at(&self, path: &Path) -> Result<bool> {
        let Ok(mut file) = File::open(path) else { return Ok(false) };
        let length = file.metadata().map_err(Error::io(path))?.len();
        if self.bytes.is_some_and(|bytes| bytes != length) {
            return Ok(false);
        }
        let right = match &self.checksum {
            Checksum::Unpublished => true,
            _ => self.accepts(&self.checksum.sum_of(&mut file).map_err(Error::io(path))?.hex()),
        };
        Ok(right)
    }

    fn fetch_into(&self, part: &mut Part, path: &Path) -> Result<()> {
        let mut last = Error::parameter("urls", "there is no address");
        for url in &self.urls {
            match self.fetch_from(url, part, path) {
                Err(error @ Error::Download { .. }) => last = error,
                other => return other,
            }
        }
        Err(last)
    }

    fn fetch_from(&self, url: &str, part: &mut Part, path: &Path) -> Result<()> {
        let mut reason = String::new();
        for attempt in 0..TRIES {
            if attempt > 0 {
                std::thread::sleep(PAUSE * (1 << (attempt - 1)));
            }
            let resumed = part.length()? > 0;
            match self.transfer(url, part) {
                Ok(sum) if self.accepts(&sum) => {
                    if self.checksum == Checksum::Unpublished {
                        println!("{}: no checksum is published, not verified; SHA-256 {sum}", path.display());
                    }
                    return files::rename(&part.path, path);
                }
                Ok(sum) => {
                    part.clear()?;
                    reason = format!("what came has the wrong {}, {sum}", self.checksum.name());
                    if !resumed {
                        break;
                    }
                }
                Err(Stop::Cut(cut)) => reason = cut,
                Err(Stop::Refused(refused)) => {
                    reason = refused;
                    break;
                }
                Err(Stop::Local(error)) => return Err(error),
            }
        }
        Err(Error::Download { url: url.to_string(), path: path.to_path_buf(), reason })
    }

    /// Adds what is missing to the part; the sum of the whole.
    fn transfer(&self, url: &str, part: &mut Part) -> Result<String, Stop> {
        let mut have = part.length().map_err(Stop::Local)?;
        // Without a checksum nobody can tell whether a part belongs to what the server has now.
        if self.checksum == Checksum::Unpublished || self.bytes.is_some_and(|bytes| have > bytes) {
            part.clear().map_err(Stop::Local)?;
            have = 0;
        }
        if have > 0 && self.bytes == Some(have) {
            return part.sum(&self.checksum).map(Sum::hex).map_err(Stop::Local);
        }
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_connect(Some(CONNECT))
            .timeout_per_read(Some(SILENCE))
            .user_agent(concat!("reloss/", env!("CARGO_PKG_VERSION")))
            .build()
            .new_agent();
        let mut request = agent.get(url);
        if have > 0 {
            request = request.header(RANGE, format!("bytes={have}-"));
        }
        let response = request.call().map_err(|e| Stop::Cut(e.to_string()))?;
        let range = response.headers().get(CONTENT_RANGE).and_then(|range| range.to_str().ok());
        match response.status() {
            StatusCode::PARTIAL_CONTENT if range.and_then(start) == Some(have) => {}
            // The server begins at the beginning, whatever it was asked for.
            StatusCode::OK => {
                part.clear().map_err(Stop::Local)?;
                have = 0;
            }
            StatusCode::RANGE_NOT_SATISFIABLE | StatusCode::PARTIAL_CONTENT => {
                part.clear().map_err(Stop::Local)?;
                return Err(Stop::Cut(format!("the server has no bytes from {have} on")));
            }
            status if status.is_server_error() => return Err(Stop::Cut(format!("the server says {status}"))),
            status => return Err(Stop::Refused(format!("the server says {status}"))),
        }
        let body = response.into_body();
        let total = body.content_length().map(|length| have.saturating_add(length));
        if let (Some(total), Some(bytes)) = (total, self.bytes) {
            if total != bytes {
                return Err(Stop::Refused(format!("the server has {total} bytes, not {bytes}")));
            }
        }
        self.receive(url, part, have, total.or(self.bytes), body.into_reader())
    }

    /// Reads the rest of the file, `have` bytes of which are there.
    fn receive(
        &self,
        url: &str,
        part: &mut Part,
        mut have: u64,
        total: Option<u64>,
        mut body: impl Read,
    ) -> Result<String, Stop> {
        let name = url.rsplit('/').next().unwrap_or(url);
        let whole = total.map_or(String::new(), |total| format!(" of {:.1}", megabytes(total)));
        println!("{url}: from {:.1}{whole} MB", megabytes(have));
        let mut progress =
            Progress::new(&format!("{name}, kB"), total.map_or(0, |total| (total / 1000) as usize));
        let mut sum = part.sum(&self.checksum).map_err(Stop::Local)?;
        let (began, before) = (Instant::now(), have);
        let mut block = vec![0; BLOCK];
        loop {
            let read = body.read(&mut block).map_err(|e| Stop::Cut(format!("after {have} bytes: {e}")))?;
            if read == 0 {
                break;
            }
            part.append(&block[..read]).map_err(Stop::Local)?;
            sum.update(&block[..read]);
            have += read as u64;
            if let Some(total) = total.filter(|&total| have > total) {
                part.clear().map_err(Stop::Local)?;
                return Err(Stop::Refused(format!("the server has more than {total} bytes")));
            }
            let rate = megabytes(have - before) / began.elapsed().as_secs_f64().max(1e-3);
            progress.step((have / 1000) as usize, || format!("{rate:.1} MB/s"));
        }
        progress.finish();
        match total {
            Some(total) if have != total => Err(Stop::Cut(format!("it ended after {have} of {total} bytes"))),
            _ => Ok(sum.hex()),
        }
    }
}

/// The bytes that have come, open for this process alone.
struct Part {
    path: PathBuf,
    file: File,
}

impl Part {
    fn open(path: &Path) -> Result<Self> {
        let mut name = path.file_name().unwrap_or_default().to_os_string();
        name.push(".part");
        let path = path.with_file_name(name);
        let mut options = OpenOptions::new();
        let options = options.read(true).write(true).create(true).truncate(false);
        let file = options.open(&path).map_err(Error::io(&path))?;
        // Some network file systems have no locks: there, two processes at once spoil the part, and its checksum tells.
        let _ = file.lock();
        Ok(Self { path, file })
    }

    fn length(&self) -> Result<u64> {
        self.file.metadata().map(|data| data.len()).map_err(Error::io(&self.path))
    }

    fn clear(&mut self) -> Result<()> {
        self.file.set_len(0).map_err(Error::io(&self.path))
    }

    /// Adds to the end, where [`Part::sum`] has stopped reading.
    fn append(&mut self, bytes: &[u8]) -> Result<()> {
        self.file.write_all(bytes).map_err(Error::io(&self.path))
    }

    fn sum(&mut self, checksum: &Checksum) -> Result<Sum> {
        checksum.sum_of(&mut self.file).map_err(Error::io(&self.path))
    }

    fn remove_if_empty(&self) {
        if std::fs::metadata(&self.path).is_ok_and(|data| data.len() == 0) {
            // An empty file left behind does no harm.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// A sum under way.
enum Sum {
    Sha256(Sha256),
    Md5(Md5),
}

impl Sum {
    fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha256(sum) => sum.update(bytes),
            Self::Md5(sum) => sum.update(bytes),
        }
    }

    fn hex(self) -> String {
        let digits = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        match self {
            Self::Sha256(sum) => digits(&sum.finalize()),
            Self::Md5(sum) => digits(&sum.finalize()),
        }
    }
}

impl Checksum {
    fn name(&self) -> &'static str {
        match self {
            Self::Md5(_) => "MD5",
            _ => "SHA-256",
        }
    }

    /// The sum of what is in the file so far, from its beginning.
    fn sum_of(&self, file: &mut File) -> std::io::Result<Sum> {
        let mut sum = match self {
            Self::Md5(_) => Sum::Md5(Md5::new()),
            _ => Sum::Sha256(Sha256::new()),
        };
        let mut block = vec![0; BLOCK];
        file.seek(SeekFrom::Start(0))?;
        loop {
            match file.read(&mut block)? {
                0 => return Ok(sum),
                read => sum.update(&block[..read]),
            }
        }
    }
}

fn check_digits(sum: &str, digits: usize) -> Result<()> {
    match sum.len() == digits && sum.bytes().all(|b| b.is_ascii_hexdigit()) {
        true => Ok(()),
        false => Err(Error::parameter("checksum", format!("`{sum}` is not {digits} hexadecimal digits"))),
    }
}

fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

/// The first byte of `bytes first-last/total`.
fn start(range: &str) -> Option<u64> {
    range.strip_prefix("bytes ")?.split('-').next()?.trim().parse().ok()
}
