//! The colours of matrices.

use plotters::style::RGBColor;

use super::layers::extent;

type Stop = (f64, f64, f64);

/// White to dark blue, its lightness falling evenly, so that it reads in grey as well.
const RISING: [Stop; 4] =
    [(255.0, 255.0, 255.0), (158.0, 202.0, 225.0), (0.0, 114.0, 178.0), (8.0, 34.0, 84.0)];
/// White to dark orange, which no colour-blindness takes for blue.
const FALLING: [Stop; 4] =
    [(255.0, 255.0, 255.0), (253.0, 201.0, 150.0), (213.0, 94.0, 0.0), (110.0, 40.0, 0.0)];

/// The shades of a matrix: from its least value to its greatest, or from 0 both ways.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shades {
    low: f64,
    high: f64,
    signed: bool,
}

impl Shades {
    /// Of a matrix's values; one of differences, whose cells have names, is white at 0 if it has both signs.
    pub(super) fn new(values: &[f64], named: bool) -> Self {
        let (low, high) = extent(values);
        Self { low, high, signed: named && low < 0.0 && high > 0.0 }
    }

    pub(super) fn of(&self, value: f64) -> RGBColor {
        let Self { low, high, signed } = *self;
        match signed {
            true if value < 0.0 => mixed(FALLING, -value / high.max(-low)),
            true => mixed(RISING, value / high.max(-low)),
            false => mixed(RISING, if high > low { (value - low) / (high - low) } else { 0.5 }),
        }
    }

    /// The colour at this share of the way from the least value to the greatest.
    pub(super) fn along(&self, share: f64) -> RGBColor {
        match self.high > self.low {
            true => self.of(self.low + share * (self.high - self.low)),
            false => mixed(RISING, share),
        }
    }
}

fn mixed(stops: [Stop; 4], share: f64) -> RGBColor {
    let along = share.clamp(0.0, 1.0) * (stops.len() - 1) as f64;
    let index = (along as usize).min(stops.len() - 2);
    let (a, b, t) = (stops[index], stops[index + 1], along - index as f64);
    let mix = |a: f64, b: f64| (a + t * (b - a)).round() as u8;
    RGBColor(mix(a.0, b.0), mix(a.1, b.1), mix(a.2, b.2))
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHITE: RGBColor = RGBColor(255, 255, 255);

    #[test]
    fn differences_are_white_at_zero_and_equally_dark_both_ways() {
        let shades = Shades::new(&[-1.0, 0.0, 2.0], true);
        assert_eq!(shades.of(0.0), WHITE);
        assert_eq!(shades.of(2.0), RGBColor(8, 34, 84));
        // Half as far: half-way along the other scale.
        let RGBColor(red, _, blue) = shades.of(-1.0);
        assert!(red > blue, "{red} {blue}");
        assert_eq!((shades.along(0.0), shades.along(1.0)), (shades.of(-1.0), shades.of(2.0)));
        assert_eq!(shades.along(1.0 / 3.0), WHITE);
    }

    #[test]
    fn others_go_from_the_least_to_the_greatest() {
        for shades in [Shades::new(&[-1.0, 2.0], false), Shades::new(&[1.0, 2.0], true)] {
            assert_eq!((shades.along(0.0), shades.along(1.0)), (WHITE, RGBColor(8, 34, 84)));
        }
        assert_eq!(Shades::new(&[3.0, 3.0], true).of(3.0), mixed(RISING, 0.5));
    }
}
