//! What a report card warns of.

use std::fmt;

use super::agreement::{constant, Group};
use super::Report;
use crate::metric::{Difference, Interval};

/// Something in a learned loss to know of before training with it; each variant says by which rule it is given.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Warning {
    /// The loss is the same on all held-out samples.
    Constant,
    /// The interval of Spearman's correlation lies below 0.
    Backwards {
        /// Of −loss and the metric.
        spearman: Interval,
    },
    /// Another loss agrees better: the interval of the paired difference lies below 0.
    Behind {
        /// The other loss.
        loss: String,
        /// Spearman of the learned loss less that of the other.
        lead: Difference,
    },
    /// Within a band of difficulty the interval reaches down to 0: there the loss may not order samples at all.
    Blind {
        /// The metric's range in the band.
        band: String,
        /// Of −loss and the metric within the band.
        spearman: Interval,
    },
    /// As the model improves agreement falls: a stage's interval lies below that of an earlier one. Of several such stages
    /// the one with the lowest correlation, against the best before it.
    Falls {
        /// The earlier stage and its correlation.
        before: (String, Interval),
        /// The later one.
        after: (String, Interval),
        /// What the original loss does over the same two stages, where both are defined.
        original: Option<(f64, f64)>,
    },
    /// Surer predictions of the label cost more: the profile rises by over a hundredth of its span.
    Rises {
        /// The probability at which the loss is smallest.
        minimum: f64,
        /// The largest rise, as a share of the profile's span.
        rise: f64,
    },
    /// The loss is below 0 somewhere, on the held-out samples or on its profile: it trains all the same, but 0 is not its best.
    Negative {
        /// The lowest value.
        lowest: f64,
    },
}

/// Rises of the profile up to this share of its span are taken for rounding; ours. Larger ones are common: V-shaped losses,
/// the library's own among them, are named as such.
const LEVEL: f64 = 0.01;

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::Constant => write!(f, "The loss is the same on all held-out samples: it orders nothing."),
            Self::Backwards { spearman } => {
                write!(f, "The loss ranks backwards: Spearman {spearman} with the metric.")
            }
            Self::Behind { loss, lead } => {
                write!(f, "{} agrees better with the metric, by {:.3} in Spearman.", loss, -lead.interval.value)
            }
            Self::Blind { band, spearman } => {
                write!(f, "Where the metric is {band} the loss may not order samples: Spearman {spearman}.")
            }
            Self::Falls { before, after, original } => {
                write!(f, "Agreement falls as the model improves: Spearman {} at {}, ", before.1, before.0)?;
                write!(f, "{} at {}", after.1, after.0)?;
                match original {
                    Some((from, to)) => write!(f, " (the original loss: {from:.3} and {to:.3})."),
                    None => write!(f, "."),
                }
            }
            Self::Rises { minimum, rise } => write!(
                f,
                "Not monotone: the loss is lowest at p = {minimum:.3}, and rises by {:.0} % of its span as the label's \
                 probability grows; predictions surer than that are pushed back.",
                100.0 * rise
            ),
            Self::Negative { lowest } => write!(f, "The loss goes below 0, to {lowest:.3}."),
        }
    }
}

/// All warnings of a card, in the order of the variants.
pub(super) fn of(report: &Report) -> Vec<Warning> {
    let Some((learned, others)) = report.agreements.split_first() else { return Vec::new() };
    if constant(&learned.values) {
        return vec![Warning::Constant];
    }
    let mut warnings = Vec::new();
    if learned.spearman.high < 0.0 {
        warnings.push(Warning::Backwards { spearman: learned.spearman });
    }
    let behind = others.iter().filter_map(|other| Some((other, other.lead?)));
    warnings.extend(
        behind
            .filter(|(_, lead)| lead.interval.high < 0.0)
            .map(|(other, lead)| Warning::Behind { loss: other.loss.clone(), lead }),
    );
    let bands = report.bands.iter().filter_map(|band| Some((band, learned_in(band)?)));
    warnings.extend(
        bands
            .filter(|(_, spearman)| spearman.low <= 0.0)
            .map(|(band, spearman)| Warning::Blind { band: band.name.clone(), spearman }),
    );
    warnings.extend(fall(&report.stages));
    if let Some((minimum, rise)) = report.profile.as_ref().map(|p| (p.minimum(), p.rise())) {
        if rise > LEVEL {
            warnings.push(Warning::Rises { minimum, rise });
        }
    }
    let profile = report.profile.iter().flat_map(|profile| &profile.loss);
    let lowest = learned.values.iter().chain(profile).copied().fold(f64::INFINITY, f64::min);
    if lowest < 0.0 {
        warnings.push(Warning::Negative { lowest });
    }
    warnings
}

/// The learned loss's correlation in a group.
fn learned_in(group: &Group) -> Option<Interval> {
    group.spearman.first().copied().flatten()
}

/// A stage with the learned loss's correlation in it.
type At<'a> = (&'a Group, Interval);

fn fall(stages: &[Group]) -> Option<Warning> {
    let mut best: Option<At> = None;
    let mut worst: Option<(At, At)> = None;
    for stage in stages {
        let Some(now) = learned_in(stage) else { continue };
        match best {
            Some(before) if now.high < before.1.low => {
                if worst.is_none_or(|(_, (_, lowest))| now.value < lowest.value) {
                    worst = Some((before, (stage, now)));
                }
            }
            Some((_, before)) if now.low <= before.low => {}
            _ => best = Some((stage, now)),
        }
    }
    worst.map(|((from, before), (to, after))| {
        let original = |group: &Group| Some(group.spearman.get(1).copied()??.value);
        Warning::Falls {
            before: (from.name.clone(), before),
            after: (to.name.clone(), after),
            original: original(from).zip(original(to)),
        }
    })
}
