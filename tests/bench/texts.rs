//! Texts without structure, the same in every run and in Python (`tests/peers/metrics.py`).

/// Numbers without structure that Python makes too.
pub struct Numbers(pub u64);

impl Numbers {
    /// The next one below `end`.
    pub fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }
}

/// Sentences of a thousand words, and the same with every fifth word another.
pub fn texts(count: usize) -> (Vec<String>, Vec<String>) {
    let mut numbers = Numbers(1);
    let mut pair = || {
        let (mut target, mut prediction) = (Vec::new(), Vec::new());
        for _ in 0..10 + numbers.below(30) {
            let word = numbers.below(1000);
            target.push(format!("word{word}"));
            let other = numbers.below(5) == 0;
            prediction.push(if other { format!("other{word}") } else { format!("word{word}") });
        }
        (target.join(" ") + ".", prediction.join(" ") + ".")
    };
    (0..count).map(|_| pair()).unzip()
}
