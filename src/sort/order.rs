//! Exact orders of finite values.

use std::cmp::Ordering;

use rayon::slice::ParallelSliceMut;

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

/// Sorts whole numbers: several times faster than sorting indices that look values up.
fn order<V: Key>(values: &[V], turned: impl Fn(u64) -> u64) -> Vec<usize> {
    // Values of f32 have 32 bits: key and index share one word.
    let word = |(index, v): (usize, &V)| {
        let key = turned(u64::from(v.narrow()?) << 32) & !LOW;
        Some(key | index as u64)
    };
    let words = if values.len() as u64 <= LOW { values.iter().enumerate().map(word).collect() } else { None };
    if let Some(words) = words {
        return sorted(words).into_iter().map(|word| (word & LOW) as usize).collect();
    }
    let wide = values.iter().enumerate().map(|(index, &v)| (turned(key64(v.into())), index));
    let mut pairs: Vec<(u64, usize)> = wide.collect();
    if pairs.len() < PARALLEL_LEN {
        pairs.sort_unstable();
    } else {
        pairs.par_sort_unstable();
    }
    pairs.into_iter().map(|pair| pair.1).collect()
}

/// The half of a word that holds the index.
const LOW: u64 = u32::MAX as u64;

/// From here on threads pay.
const PARALLEL_LEN: usize = 1 << 15;

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

    #[test]
    fn long_lists_are_sorted_by_digits() {
        let values: Vec<f64> =
            (0..5000).map(|i| f64::from(((i * 7919) % 1009 - 500) as f32 * 0.37)).collect();
        let mut up: Vec<usize> = (0..values.len()).collect();
        let mut down = up.clone();
        up.sort_by(|&a, &b| compare(values[a], values[b]));
        down.sort_by(|&a, &b| compare(values[b], values[a]));
        assert_eq!((ascending(&values), descending(&values)), (up, down));
    }

    #[test]
    fn keys_order_as_the_values_do() {
        let third = 1.0 / 3.0;
        let of_f32 = [0.0, -0.0, 1.5, -2.0, 1e30, -1e30, f64::from(f32::MIN_POSITIVE) / 8.0, 1.5, -2.0];
        let of_f64 = [third, -third, 0.0, -0.0, f64::MAX, f64::MIN, 5e-324, -5e-324, third];
        for values in [of_f32, of_f64] {
            let mut up: Vec<usize> = (0..values.len()).collect();
            let mut down = up.clone();
            up.sort_by(|&a, &b| compare(values[a], values[b]));
            down.sort_by(|&a, &b| compare(values[b], values[a]));
            assert_eq!((ascending(&values), descending(&values)), (up, down));
        }
    }
}
