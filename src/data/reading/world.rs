//! A generated world.

use super::{Answer, Question, ReadingSet};
use crate::error::Result;

impl ReadingSet {
    /// Placeholder of the first commit.
    ///
    /// # Errors
    /// As [`ReadingSet::new`].
    pub fn world(count: usize, seed: u64) -> Result<Self> {
        let one = |i: usize| Question {
            id: i.to_string(),
            context: format!("Anna {i} bought {seed} lamps in Lund.").into(),
            question: "Where did Anna buy lamps?".into(),
            answers: vec![Answer { text: "Lund".into(), start: 0 }],
        };
        Self::new("world", (0..count).map(one).collect())
    }
}
