//! A loss of class scores over the label's probability.

use dfdx::prelude::NoneTape;

use super::super::input::Batch;
use super::super::loss_network::LossNetwork;
use super::super::Surrogate;
use crate::error::Result;
use crate::ops::host;

/// The learned loss of a single row as a function of the label's probability p, of two classes.
#[derive(Debug, Clone, PartialEq)]
pub struct Profile {
    /// Probabilities from 0.001 to 0.999.
    pub p: Vec<f64>,
    /// The loss at each.
    pub loss: Vec<f64>,
    /// The norm of its gradient with respect to the row's logits at each; cross-entropy's is √2 (1 − p).
    pub gradient: Vec<f64>,
}

impl Profile {
    /// The probability at which the loss is smallest; a good loss has it at 1.
    pub fn minimum(&self) -> f64 {
        let best = self.loss.iter().zip(&self.p).min_by(|a, b| a.0.total_cmp(b.0));
        best.map_or(f64::NAN, |(_, &p)| p)
    }

    /// The most by which the loss rises as p does, as a share of its whole span: 0 means that it never rises.
    ///
    /// # Example
    /// ```
    /// use reloss::surrogate::Profile;
    /// let of = |loss: [f64; 3]| Profile { p: vec![0.1, 0.5, 0.9], loss: loss.to_vec(), gradient: vec![0.0; 3] };
    /// assert_eq!((of([4.0, 2.0, 0.0]).rise(), of([4.0, 0.0, 1.0]).rise()), (0.0, 0.25));
    /// assert_eq!(of([4.0, 0.0, 1.0]).minimum(), 0.5);
    /// ```
    pub fn rise(&self) -> f64 {
        let (mut low, mut high, mut rise) = (f64::INFINITY, f64::NEG_INFINITY, 0.0f64);
        for &loss in &self.loss {
            (low, high) = (low.min(loss), high.max(loss));
            rise = rise.max(loss - low);
        }
        if high > low {
            rise / (high - low)
        } else {
            0.0
        }
    }
}

impl Surrogate {
    /// The loss of a row of two classes (of a set of one row of class 1) over the label's probability, at 201 values of p
    /// from 0.001 to 0.999, with its gradient's norm.
    ///
    /// # Errors
    /// [`Error::Device`](crate::Error::Device) when the device is out of memory.
    ///
    /// # Example
    /// ```
    /// use reloss::surrogate::{Pretrained, Surrogate};
    /// let profile = Surrogate::pretrained(Pretrained::Accuracy)?.profile()?;
    /// // The losses that come with the library fall all the way.
    /// assert!(profile.minimum() > 0.99 && profile.rise() < 1e-3);
    /// # Ok::<(), reloss::Error>(())
    /// ```
    pub fn profile(&self) -> Result<Profile> {
        let p: Vec<f64> = (0..=200).map(|i| 0.001 + 0.998 * f64::from(i) / 200.0).collect();
        let judged = self.network().judge(&Batch::over_p(&p, self.input())?, NoneTape)?;
        let loss = host(&judged.losses).into_iter().map(f64::from).collect();
        let gradient = host(&judged.slopes).into_iter().map(|slope| f64::from(slope.abs())).collect();
        Ok(Profile { p, loss, gradient })
    }
}
