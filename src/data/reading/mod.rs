//! Reading comprehension: passages, questions and answers, read, generated, made into numbers and windows.

mod dureader;
mod encoded;
mod matches;
mod report;
mod set;
mod squad;
mod tokens;
mod windows;
mod world;

pub use encoded::{EncodedQuestion, EncodedReading};
pub use matches::MATCHES;
pub use report::ReadingReport;
pub use set::ReadingSet;
pub use squad::{predicted_answers, questions, Answer, Question};
pub use tokens::{folded_token, reading_tokens};
pub use windows::{Window, WindowOptions};
