//! Beam search over all sentences at once.

use super::autoregressive::Beam;
use super::stack::Stack;
use crate::data::Vocabulary;
use crate::error::{check_finite, Result};
use crate::ops::{host, Sequences};
use crate::Matrix;

/// A translation being written.
#[derive(Debug, Clone)]
struct Hypothesis {
    ids: Vec<usize>,
    log_probability: f32,
}

/// A way to go on: by which token, from which hypothesis (its row), and how probable it is then.
#[derive(Clone, Copy)]
struct Extension {
    row: usize,
    token: usize,
    log_probability: f32,
}

/// One sentence's hypotheses, and the best translation that has come to its end.
struct Search {
    live: Vec<Hypothesis>,
    ended: Vec<(f32, Vec<usize>)>,
    longest: usize,
}

impl Search {
    /// Takes the best extensions: those that end are done, the others live on. Their rows are returned.
    fn extend(&mut self, first_row: usize, mut found: Vec<Extension>, beam: &Beam, end: usize) -> Vec<usize> {
        // By probability, the first found first.
        found.sort_by(|a, b| b.log_probability.total_cmp(&a.log_probability));
        found.truncate(beam.width);
        let (mut live, mut rows) = (Vec::new(), Vec::new());
        for Extension { row, token, log_probability } in found {
            let before = &self.live[row - first_row];
            let length = (before.ids.len() + 1) as f32;
            let score = log_probability / length.powf(beam.length_penalty);
            if token == end {
                self.ended.push((score, before.ids.clone()));
                continue;
            }
            let ids = [before.ids.as_slice(), &[token]].concat();
            if ids.len() == self.longest {
                self.ended.push((score, ids));
            } else {
                live.push(Hypothesis { ids, log_probability });
                rows.push(row);
            }
        }
        self.live = live;
        // What goes on only becomes less probable, and is divided by the longest length's power at most: where not even that
        // beats what has ended, nothing will.
        let most = |hypothesis: &Hypothesis| {
            hypothesis.log_probability / (self.longest as f32).powf(beam.length_penalty.max(0.0))
        };
        let best = self.ended.iter().map(|(score, _)| *score).fold(f32::NEG_INFINITY, f32::max);
        if self.live.iter().all(|hypothesis| most(hypothesis) <= best) {
            self.live.clear();
            rows.clear();
        }
        rows
    }

    fn best(self) -> Vec<usize> {
        let better =
            |best: (f32, Vec<usize>), next: (f32, Vec<usize>)| if next.0 > best.0 { next } else { best };
        self.ended.into_iter().reduce(better).map_or(Vec::new(), |(_, ids)| ids)
    }
}

/// The translations of all sentences of `source`, of which the encoder made `memory`.
pub(super) fn search(
    stack: &Stack,
    memory: &Matrix,
    source: &Sequences,
    beam: &Beam,
) -> Result<Vec<Vec<usize>>> {
    // The token before the first takes no position from the translation; its end does not need one.
    let longest = |&length: &usize| length.saturating_add(beam.extra).min(stack.config.positions);
    let start = |length| Search {
        live: vec![Hypothesis { ids: Vec::new(), log_probability: 0.0 }],
        ended: Vec::new(),
        longest: longest(length),
    };
    let mut searches: Vec<Search> = source.lengths().iter().map(start).collect();
    let mut caches = stack.caches(memory, searches.len())?;
    for position in 0..stack.config.positions {
        let written = Sequences::packed(searches.iter().map(|search| search.live.len()).collect());
        if written.rows() == 0 {
            break;
        }
        let live = searches.iter().flat_map(|search| &search.live);
        let last: Vec<usize> = live.map(|h| h.ids.last().copied().unwrap_or(Vocabulary::BEGIN)).collect();
        let logits = host(&stack.step(&last, position, &mut caches, &written, source)?);
        check_finite("translate", &logits)?;
        let mut kept = Vec::new();
        for (search, rows) in searches.iter_mut().zip(written.ranges()) {
            let mut found = Vec::new();
            for (row, hypothesis) in rows.clone().zip(&search.live) {
                let logits = &logits[row * stack.config.vocabulary..][..stack.config.vocabulary];
                found.extend(extensions(row, hypothesis.log_probability, logits, beam.width));
            }
            kept.extend(search.extend(rows.start, found, beam, Vocabulary::END));
        }
        caches.iter_mut().for_each(|cache| cache.pick(&kept));
    }
    Ok(searches.into_iter().map(Search::best).collect())
}

/// The best tokens after a hypothesis.
fn extensions(row: usize, before: f32, logits: &[f32], count: usize) -> Vec<Extension> {
    let max = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let log_sum = max + logits.iter().map(|z| (z - max).exp()).sum::<f32>().ln();
    let mut best: Vec<usize> = Vec::with_capacity(count + 1);
    for token in 0..logits.len() {
        let place = best.iter().position(|&b| logits[token] > logits[b]).unwrap_or(best.len());
        if place < count {
            best.insert(place, token);
            best.truncate(count);
        }
    }
    let extension =
        |token: usize| Extension { row, token, log_probability: before + logits[token] - log_sum };
    best.into_iter().map(extension).collect()
}
