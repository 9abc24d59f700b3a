//! References as a non-autoregressive model might write them.

use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;

use super::Matched;
use crate::ops::Given;

/// References, hypotheses, log-odds of the references' tokens, matches of their n-grams.
pub(super) type Drawn = (Vec<Vec<usize>>, Vec<Vec<usize>>, Vec<Vec<f32>>, Vec<Matched>);

/// References with a non-autoregressive model's errors; `other` draws a wrong token.
pub(super) fn corrupted(
    references: Vec<Vec<usize>>,
    other: impl Fn(&mut ChaCha8Rng) -> usize,
    rng: &mut ChaCha8Rng,
) -> Drawn {
    let corruption = Corruption::draw(rng);
    let (mut hypotheses, mut log_odds) = (Vec::new(), Vec::new());
    for reference in &references {
        let written = corruption.hypothesis(reference, &other, rng);
        log_odds.push(corruption.log_odds(reference, &written, rng));
        hypotheses.push(written);
    }
    let rest = Rest { written: rng.gen(), neighbours: rng.gen() };
    let sentences = references.iter().zip(&hypotheses).zip(&log_odds);
    let matched =
        sentences.map(|((reference, written), odds)| rest.matched(reference, written, odds)).collect();
    (references, hypotheses, log_odds, matched)
}

/// What becomes of the probability that a position does not give to its reference's token.
struct Rest {
    /// From 0, where what is written is just ahead of the reference's token, to 1, where it has all of the rest.
    written: f64,
    /// The share of what is then left that goes to the neighbours' tokens, half to each.
    neighbours: f64,
}

impl Rest {
    fn matched(&self, reference: &[usize], written: &[usize], log_odds: &[f32]) -> Matched {
        let at = |(at, &odds): (usize, &f32)| self.given(reference, written.get(at), at, f64::from(odds));
        let p: Vec<f32> = log_odds.iter().enumerate().flat_map(at).collect();
        let given = Given { ids: reference, p: &p };
        [1, 2, 3, 4].map(|order| given.share(order))
    }

    /// What the position gives to each token of the reference.
    fn given(&self, reference: &[usize], written: Option<&usize>, at: usize, odds: f64) -> Vec<f32> {
        let right = 1.0 / (1.0 + (-odds).exp());
        let wrong = written.filter(|&token| *token != reference[at]);
        let ahead = wrong.map_or(0.0, |_| {
            let least = right.min(1.0 - right);
            least + self.written * (1.0 - right - least)
        });
        let near = self.neighbours * (1.0 - right - ahead) / 2.0;
        let neighbours = [at.checked_sub(1), Some(at + 1)].map(|at| reference.get(at?));
        let of = |token: &usize| {
            if *token == reference[at] {
                return right as f32;
            }
            let leads = if wrong == Some(token) { ahead } else { 0.0 };
            let beside = neighbours.iter().filter(|&&neighbour| neighbour == Some(token)).count();
            (leads + near * beside as f64) as f32
        };
        reference.iter().map(of).collect()
    }
}

/// BLEU-4 falls about as this power of the share of tokens that are right: the mean order of its n-grams.
const POWER: f64 = 2.5;

/// How a sample's references are corrupted.
struct Corruption {
    rate: f64,
    /// Cumulative shares of other tokens, missing ones and repeats; swaps are the rest.
    shares: [f64; 3],
    /// Whether the last token fills up what is missing at the end.
    filled: bool,
    sharpness: f64,
    confidence: f64,
}

impl Corruption {
    fn draw(rng: &mut ChaCha8Rng) -> Self {
        let quality: f64 = rng.gen();
        let weights: [f64; 4] = std::array::from_fn(|_| rng.gen::<f64>());
        let total: f64 = weights.iter().sum::<f64>().max(f64::MIN_POSITIVE);
        let mut sum = 0.0;
        let shares = std::array::from_fn(|kind| {
            sum += weights[kind] / total;
            sum
        });
        Self {
            rate: 1.0 - quality.powf(1.0 / POWER),
            shares,
            filled: rng.gen(),
            sharpness: rng.gen_range(0.5f64.ln()..4f64.ln()).exp(),
            confidence: rng.sample(StandardNormal),
        }
    }

    /// What a model with these errors writes for a reference.
    fn hypothesis(
        &self,
        reference: &[usize],
        other: impl Fn(&mut ChaCha8Rng) -> usize,
        rng: &mut ChaCha8Rng,
    ) -> Vec<usize> {
        // Sentences differ in difficulty, but all of a perfect sample are perfect.
        let rate = (self.rate * rng.gen_range(0.5..1.5)).min(1.0);
        let mut written = Vec::with_capacity(reference.len());
        let mut at = 0;
        while at < reference.len() {
            let kind = (rng.gen::<f64>() < rate).then(|| rng.gen::<f64>());
            match kind.map(|u| self.shares.partition_point(|&share| share <= u)) {
                None => written.push(reference[at]),
                Some(1) => {}
                Some(2) if at > 0 => written.push(reference[at - 1]),
                Some(3) if at + 1 < reference.len() => {
                    written.extend([reference[at + 1], reference[at]]);
                    at += 1;
                }
                Some(_) => written.push(other(rng)),
            }
            at += 1;
        }
        if self.filled {
            let last = written.last().copied().unwrap_or(reference[0]);
            written.resize(reference.len(), last);
        }
        written
    }

    /// What that model gives to the reference's tokens.
    fn log_odds(&self, reference: &[usize], written: &[usize], rng: &mut ChaCha8Rng) -> Vec<f32> {
        let one = |(at, token): (usize, &usize)| {
            let has = |place: usize| written.get(place) == Some(token);
            let noise: f64 = rng.sample(StandardNormal);
            let odds = |level: f64, spread: f64| self.sharpness * (level + spread * noise) + self.confidence;
            let value = if has(at) {
                odds(2.0, 1.0)
            } else {
                // What another token beats has a probability below one half.
                let near = has(at + 1) || (at > 0 && has(at - 1));
                odds(if near { -0.5 } else { -2.0 }, if near { 0.5 } else { 1.0 }).min(0.0)
            };
            value as f32
        };
        reference.iter().enumerate().map(one).collect()
    }
}
