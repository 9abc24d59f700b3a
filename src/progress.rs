//! Progress of long loops: a bar on a terminal, a line every so often elsewhere.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

/// Between two lines where no bar can be drawn (a notebook, a log file).
const LINE_EVERY: Duration = Duration::from_secs(5);

/// Shows how far a loop of known length is.
///
/// On a terminal an [indicatif] bar; in a notebook or a log one line every five seconds, since
/// output streams there by whole lines.
#[derive(Debug)]
pub struct Progress {
    what: String,
    total: usize,
    bar: Option<ProgressBar>,
    started: Instant,
    last_line: Instant,
}

impl Progress {
    /// Starts showing `total` steps of `what`.
    pub fn new(what: &str, total: usize) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::new(total as u64).with_prefix(what.to_string());
            match ProgressStyle::with_template("{prefix} {wide_bar} {pos}/{len} {eta} {msg}") {
                Ok(style) => bar.with_style(style),
                Err(_) => bar,
            }
        });
        let now = Instant::now();
        Self { what: what.to_string(), total, bar, started: now, last_line: now }
    }

    /// Says that `done` steps are over; `message` adds what the loop knows (a loss, a correlation).
    pub fn step(&mut self, done: usize, message: impl FnOnce() -> String) {
        if let Some(bar) = &self.bar {
            bar.set_message(message());
            bar.set_position(done as u64);
        } else if self.last_line.elapsed() >= LINE_EVERY && done < self.total {
            self.last_line = Instant::now();
            let seconds = self.started.elapsed().as_secs();
            println!("{}: {done}/{} after {seconds} s, {}", self.what, self.total, message());
        }
    }

    /// Removes the bar.
    pub fn finish(self) {
        if let Some(bar) = self.bar {
            bar.finish_and_clear();
        }
    }
}
