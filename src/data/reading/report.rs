//! What reading a file has met.

use std::fmt;

/// What was mended and what was left out while questions were read, by reason.
///
/// # Example
/// ```
/// let report = reloss::data::ReadingReport { questions: 10, respanned: 2, repeated: 1, ..Default::default() };
/// assert_eq!(report.to_string(), "9 of 10 questions; answers found elsewhere than stated: 2; ids that occur again: 1");
/// assert_eq!(report.left_out(), 1);
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ReadingReport {
    /// Questions of the file, those left out among them.
    pub questions: usize,
    /// Answers that stand in the passage, but not where the file says: marked where they stand.
    pub respanned: usize,
    /// Answers whose text does not stand in the passage: right ones to judge by, but nothing to mark.
    pub absent: usize,
    /// Questions left out because no answer stands in the passage, or none is given.
    pub unanswered: usize,
    /// Questions left out because they or their passage have no text.
    pub empty: usize,
    /// Questions left out because their id occurred before.
    pub repeated: usize,
}

impl ReadingReport {
    /// Questions that were left out, for whatever reason.
    pub fn left_out(&self) -> usize {
        self.unanswered + self.empty + self.repeated
    }
}

impl fmt::Display for ReadingReport {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self.left_out() {
            0 => write!(f, "{} questions", self.questions)?,
            left_out => {
                write!(f, "{} of {} questions", self.questions.saturating_sub(left_out), self.questions)?
            }
        }
        let counts = [
            (self.respanned, "answers found elsewhere than stated"),
            (self.absent, "answers that are not in their passage"),
            (self.unanswered, "questions without an answer in their passage"),
            (self.empty, "empty questions or passages"),
            (self.repeated, "ids that occur again"),
        ];
        for (count, what) in counts.into_iter().filter(|(count, _)| *count > 0) {
            write!(f, "; {what}: {count}")?;
        }
        Ok(())
    }
}
