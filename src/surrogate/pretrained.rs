//! Losses that come with the library.

use std::path::Path;
use std::sync::Arc;

use super::Surrogate;
use crate::error::Result;
use crate::metric::{ClassMetric, Metric, TopK};

/// A loss learned before, for any data of any number of classes: see `data/pretrained/README.md` for how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pretrained {
    /// For accuracy.
    Accuracy,
    /// For the macro-F1: it weighs rows by their class and wants [`Surrogate::with_shares_of`] the training labels.
    MacroF1,
    /// For the balanced accuracy; as the one for the macro-F1.
    BalancedAccuracy,
}

impl Pretrained {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Accuracy, Self::MacroF1, Self::BalancedAccuracy];

    /// The metric it was learned for.
    pub fn metric(self) -> Arc<dyn Metric> {
        match self {
            Self::Accuracy => Arc::new(TopK::ACCURACY),
            Self::MacroF1 => Arc::new(ClassMetric::MACRO_F1),
            Self::BalancedAccuracy => Arc::new(ClassMetric::BALANCED_ACCURACY),
        }
    }

    /// Whether that is a mean over classes, so that rows weigh by their class.
    pub fn balanced(self) -> bool {
        self != Self::Accuracy
    }

    /// The name of its file in `data/pretrained/`.
    pub fn file(self) -> &'static str {
        match self {
            Self::Accuracy => "accuracy.safetensors",
            Self::MacroF1 => "macro_f1.safetensors",
            Self::BalancedAccuracy => "balanced_accuracy.safetensors",
        }
    }

    fn bytes(self) -> &'static [u8] {
        match self {
            Self::Accuracy => include_bytes!("../../data/pretrained/accuracy.safetensors"),
            Self::MacroF1 => include_bytes!("../../data/pretrained/macro_f1.safetensors"),
            Self::BalancedAccuracy => {
                include_bytes!("../../data/pretrained/balanced_accuracy.safetensors")
            }
        }
    }
}

impl Surrogate {
    /// A loss that comes with the library.
    ///
    /// # Errors
    /// [`Error::Data`](crate::Error::Data) when the embedded file is damaged.
    ///
    /// # Example
    /// ```
    /// use reloss::loss::value;
    /// use reloss::metric::Scores;
    /// use reloss::surrogate::{Pretrained, Surrogate};
    /// let loss = Surrogate::pretrained(Pretrained::Accuracy)?;
    /// let (sure, unsure) = (Scores::new(vec![3.0, 0.0, 0.0], 3)?, Scores::new(vec![0.5, 0.0, 0.0], 3)?);
    /// assert!(value(&loss, &sure, &[0])? < value(&loss, &unsure, &[0])?);
    /// assert!(value(&loss, &unsure, &[0])? < value(&loss, &unsure, &[1])?);
    /// # Ok::<(), reloss::Error>(())
    /// ```
    pub fn pretrained(which: Pretrained) -> Result<Self> {
        Self::from_safetensors(which.bytes(), &Path::new("data/pretrained").join(which.file()))
    }
}
