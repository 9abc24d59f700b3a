//! Sorting networks: which pairs of wires are compared, layer by layer.

use serde::{Deserialize, Serialize};

/// A fixed order of comparisons that sorts any list of its length.
///
/// Wires are numbered from 0. Any length n is served: a bitonic network of the next power of two loses its top
/// wires, so no padding value takes part and sums are kept.
///
/// # Example
/// ```
/// use reloss::sort::Network;
/// assert_eq!(Network::Bitonic.layers(4), [vec![(0, 1), (3, 2)], vec![(0, 2), (1, 3)], vec![(0, 1), (2, 3)]]);
/// assert_eq!(Network::OddEven.layers(3), [vec![(0, 1)], vec![(1, 2)], vec![(0, 1)]]);
/// ```
///
/// # Reference
/// Batcher, "Sorting networks and their applications", 1968; Petersen et al., 2105.04019.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Network {
    /// k(k + 1)/2 layers for n up to 2^k; the default, as in ReLoss's released code.
    #[default]
    Bitonic,
    /// n layers of neighbours: less blur per layer and easier to draw, but slower from n = 8 on.
    OddEven,
}

impl Network {
    /// The comparators of each layer as (low, high) wires.
    ///
    /// The smaller value goes to `low`, the larger to `high`; in a bitonic network `low > high` where a block
    /// sorts downwards. Wires in no pair of a layer keep their value. For n < 2 no layer compares anything.
    ///
    /// # Example
    /// ```
    /// use reloss::sort::Network;
    /// let mut values = [2.5, -1.0, 4.0, 0.5, 3.0];
    /// for (low, high) in Network::Bitonic.layers(5).into_iter().flatten() {
    ///     if values[low] > values[high] {
    ///         values.swap(low, high);
    ///     }
    /// }
    /// assert_eq!(values, [-1.0, 0.5, 2.5, 3.0, 4.0]);
    /// ```
    pub fn layers(self, n: usize) -> Vec<Vec<(usize, usize)>> {
        self.plan(n).iter().map(Layer::pairs).collect()
    }

    /// The number of layers for n values.
    ///
    /// # Example
    /// ```
    /// use reloss::sort::Network;
    /// assert_eq!((Network::Bitonic.depth(256), Network::OddEven.depth(256)), (36, 256));
    /// ```
    pub fn depth(self, n: usize) -> usize {
        match self {
            Self::Bitonic => blocks(n) * (blocks(n) + 1) / 2,
            Self::OddEven => n,
        }
    }

    /// The number of comparators for n values.
    ///
    /// # Example
    /// ```
    /// use reloss::sort::Network;
    /// assert_eq!((Network::Bitonic.comparators(16), Network::OddEven.comparators(16)), (80, 120));
    /// ```
    pub fn comparators(self, n: usize) -> usize {
        self.plan(n).iter().map(Layer::len).sum()
    }

    /// The layers in the strided form the kernels walk.
    pub(crate) fn plan(self, n: usize) -> Vec<Layer> {
        match self {
            Self::Bitonic => {
                let dropped = (1usize << blocks(n)).saturating_sub(n);
                let stages = (0..blocks(n)).flat_map(|block| (0..=block).rev().map(move |log| (block, log)));
                stages.map(|(block, log)| Layer::bitonic(blocks(n), dropped, block, log)).collect()
            }
            Self::OddEven => (0..n).map(|layer| Layer::neighbours(n, layer % 2)).collect(),
        }
    }
}

/// log₂ of the next power of two.
fn blocks(n: usize) -> usize {
    n.max(1).next_power_of_two().trailing_zeros() as usize
}

/// One layer: groups of `stride` wires beside `stride` partners, perhaps after a group cut short by dropped wires.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Layer {
    /// Distance between the two wires of a comparator.
    pub stride: usize,
    /// Pairs (i, i + stride), i < head, of a group that lost some of its first wires.
    pub head: usize,
    /// First wire of the whole groups.
    pub start: usize,
    /// Number of the first whole group and one past the last, counted with the dropped wires.
    pub groups: (usize, usize),
    /// 2^log_run groups in a row sort the same way, the first such run upwards.
    pub log_run: u32,
}

impl Layer {
    fn bitonic(blocks: usize, dropped: usize, block: usize, log: usize) -> Self {
        let (stride, width) = (1usize << log, 2usize << log);
        let first = dropped.div_ceil(width);
        let cut = dropped % width;
        Self {
            stride,
            head: if cut > 0 { stride.saturating_sub(cut) } else { 0 },
            start: first * width - dropped,
            groups: (first, (1usize << blocks) / width),
            log_run: (block - log) as u32,
        }
    }

    fn neighbours(n: usize, shift: usize) -> Self {
        let groups = (0, n.saturating_sub(shift) / 2);
        Self { stride: 1, head: 0, start: shift, groups, log_run: usize::BITS - 1 }
    }

    /// Comparators in this layer.
    #[inline(always)]
    pub(crate) fn len(&self) -> usize {
        self.head + (self.groups.1 - self.groups.0) * self.stride
    }

    /// Whether a group sorts downwards.
    #[inline(always)]
    pub(crate) fn downwards(&self, group: usize) -> bool {
        (group >> self.log_run) & 1 == 1
    }

    /// Whether the cut group before the whole ones sorts downwards.
    #[inline(always)]
    pub(crate) fn head_downwards(&self) -> bool {
        self.head > 0 && self.downwards(self.groups.0 - 1)
    }

    /// (low, high) wires, in the order in which the kernels lay comparators out.
    pub(crate) fn pairs(&self) -> Vec<(usize, usize)> {
        let order = |first: usize, downwards: bool| match downwards {
            true => (first + self.stride, first),
            false => (first, first + self.stride),
        };
        let mut pairs: Vec<_> = (0..self.head).map(|i| order(i, self.head_downwards())).collect();
        for group in self.groups.0..self.groups.1 {
            let base = self.start + (group - self.groups.0) * 2 * self.stride;
            pairs.extend((base..base + self.stride).map(|first| order(first, self.downwards(group))));
        }
        pairs
    }
}
