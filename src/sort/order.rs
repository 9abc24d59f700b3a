//! Exact orders of finite values.

use std::cmp::Ordering;

/// The values are finite, so `<` orders them; -0 and 0 tie.
pub(crate) fn compare(a: f64, b: f64) -> Ordering {
    a.partial_cmp(&b).unwrap_or(Ordering::Equal)
}

/// A float whose order is that of whole numbers.
pub(crate) trait Key: Copy + Into<f64> {
    /// A number that is larger where the value is, if 32 bits hold it; -0 and 0 share one.
    fn narrow(self) -> Option<u32>;
}

impl Key for f32 {
    fn narrow(self) -> Option<u32> {
        Some(key32(self))
    }
}

impl Key for f64 {
    fn narrow(self) -> Option<u32> {
        let narrow = self as f32;
        (f64::from(narrow) == self).then(|| key32(narrow))
    }
}

/// The indices of the values from the smallest to the largest, ties in order of appearance.
pub(crate) fn ascending<V: Key>(values: &[V]) -> Vec<usize> {
    order(values, |key| key)
}

/// The indices of the values from the largest to the smallest, ties in order of appearance.
pub(crate) fn descending<V: Key>(values: &[V]) -> Vec<usize> {
    order(values, |key| !key)
}

/// Sorts whole numbers, key and index in one word: several times faster than indices that look values up.
fn order<V: Key>(values: &[V], turned: impl Fn(u64) -> u64) -> Vec<usize> {
    let index = |word: u64| (word & LOW) as usize;
    // Values of f32 fit whole.
    let word = |(index, v): (usize, &V)| Some(turned(u64::from(v.narrow()?) << 32) & !LOW | index as u64);
    if let Some(words) = values.iter().enumerate().map(word).collect() {
        return sorted(words).into_iter().map(index).collect();
    }
    // Of others the upper half; where it is the same, the whole decides.
    let full = |&index: &usize| (turned(key64(values[index].into())), index);
    let words = values.iter().enumerate().map(|(index, &v)| turned(key64(v.into())) & !LOW | index as u64);
    let words = sorted(words.collect());
    let mut order: Vec<usize> = words.iter().map(|&word| index(word)).collect();
    let mut start = 0;
    for run in words.chunk_by(|a, b| a >> 32 == b >> 32) {
        if run.len() > 1 {
            order[start..start + run.len()].sort_unstable_by_key(full);
        }
        start += run.len();
    }
    order
}

/// The half of a word that holds the index: lists are shorter than 2³².
const LOW: u64 = u32::MAX as u64;

/// From here on counting digits beats comparing.
const RADIX_LEN: usize = 1 << 11;

/// Bits of a digit: three digits make a key.
const DIGIT: u32 = 11;

/// Sorts by the upper half; indices come in ascending, and equal keys keep their order.
fn sorted(mut words: Vec<u64>) -> Vec<u64> {
    if words.len() < RADIX_LEN {
        words.sort_unstable();
        return words;
    }
    let mut other = vec![0; words.len()];
    for shift in [32, 32 + DIGIT, 32 + 2 * DIGIT] {
        let digit = |word: u64| (word >> shift) as usize & ((1 << DIGIT) - 1);
        let mut ends = vec![0; 1 << DIGIT];
        words.iter().for_each(|&word| ends[digit(word)] += 1);
        let mut before = 0;
        // Now the place where the next word of each digit goes.
        ends.iter_mut().for_each(|end| before += std::mem::replace(end, before));
        for &word in &words {
            let place = &mut ends[digit(word)];
            other[*place] = word;
            *place += 1;
        }
        std::mem::swap(&mut words, &mut other);
    }
    words
}

/// A number that is larger where the value is; -0 and 0 share one.
fn key64(value: f64) -> u64 {
    let bits = (value + 0.0).to_bits();
    // Negative numbers: all bits turned round; others: the sign set.
    bits ^ ((((bits as i64) >> 63) as u64) | 1 << 63)
}

fn key32(value: f32) -> u32 {
    let bits = (value + 0.0).to_bits();
    bits ^ ((((bits as i32) >> 31) as u32) | 1 << 31)
}

#[cfg(test)]
mod tests {
    use super::{ascending, compare, descending};

    #[track_caller]
    fn check(values: &[f64]) {
        let mut up: Vec<usize> = (0..values.len()).collect();
        let mut down = up.clone();
        up.sort_by(|&a, &b| compare(values[a], values[b]));
        down.sort_by(|&a, &b| compare(values[b], values[a]));
        assert_eq!((ascending(values), descending(values)), (up, down));
    }

    #[test]
    fn long_lists_are_sorted_by_digits() {
        let of_f32 = |i: i32| f64::from(((i * 7919) % 1009 - 500) as f32 * 0.37);
        // Differences beyond f32 and beyond the upper half of an f64.
        for scale in [0.0, 1e-9, 1e-14] {
            check(&(0..5000).map(|i| of_f32(i) + scale * f64::from(i * 31 % 17)).collect::<Vec<_>>());
        }
    }

    #[test]
    fn keys_order_as_the_values_do() {
        let third = 1.0 / 3.0;
        check(&[0.0, -0.0, 1.5, -2.0, 1e30, -1e30, f64::from(f32::MIN_POSITIVE) / 8.0, 1.5, -2.0]);
        check(&[third, -third, 0.0, -0.0, f64::MAX, f64::MIN, 5e-324, -5e-324, third]);
    }
}
