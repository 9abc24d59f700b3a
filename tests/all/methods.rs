//! Soft sorts and ranks without a network: the permutahedron, NeuralSort, SoftSort.

use proptest::prelude::*;
use reloss::rank::{rank, Ties};
use reloss::sort::{isotonic_decreasing, Permutahedron, Regularization, Unimodal, Unimodality};
use reloss::{Error, Result};

use crate::sort::{differences, scattered, SIZES};
use crate::support::assert_close;

/// Any of the methods, by what it can do.
#[derive(Clone, Copy, Debug)]
enum Method {
    Permutahedron(Permutahedron),
    Unimodal(Unimodal),
}

impl Method {
    fn all(softness: f64) -> [Self; 4] {
        let permutahedron = |regularization| Permutahedron { regularization, strength: softness };
        let unimodal = |unimodality| Unimodal { unimodality, temperature: softness };
        [
            Self::Permutahedron(permutahedron(Regularization::Quadratic)),
            Self::Permutahedron(permutahedron(Regularization::Entropic)),
            Self::Unimodal(unimodal(Unimodality::NeuralSort)),
            Self::Unimodal(unimodal(Unimodality::SoftSort)),
        ]
    }

    fn sorted(&self, x: &[f64]) -> Result<Vec<f64>> {
        match self {
            Self::Permutahedron(m) => m.sorted(x),
            Self::Unimodal(m) => m.sorted(x),
        }
    }

    fn ranks(&self, x: &[f64]) -> Result<Vec<f64>> {
        match self {
            Self::Permutahedron(m) => m.ranks(x),
            Self::Unimodal(m) => m.ranks(x),
        }
    }

    fn sorted_gradient(&self, x: &[f64], g: &[f64]) -> Result<Vec<f64>> {
        match self {
            Self::Permutahedron(m) => m.sorted_gradient(x, g),
            Self::Unimodal(m) => m.sorted_gradient(x, g),
        }
    }

    fn ranks_gradient(&self, x: &[f64], g: &[f64]) -> Result<Vec<f64>> {
        match self {
            Self::Permutahedron(m) => m.ranks_gradient(x, g),
            Self::Unimodal(m) => m.ranks_gradient(x, g),
        }
    }
}

fn ascending(x: &[f64]) -> Vec<f64> {
    let mut sorted = x.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    sorted
}

/// Within what differences of a steep function are good for.
#[track_caller]
fn close(got: &[f64], want: &[f64]) {
    let largest = want.iter().fold(1.0, |largest: f64, w| largest.max(w.abs()));
    assert_close(got, want, 2e-6 * largest);
}

#[test]
fn gradients_agree_with_finite_differences() {
    for n in SIZES {
        let (x, cotangent) = (scattered(n, 3), scattered(n, 11));
        for method in [0.05, 0.7, 20.0].into_iter().flat_map(Method::all) {
            let exact = method.ranks_gradient(&x, &cotangent).unwrap();
            close(&exact, &differences(&x, &cotangent, |x| method.ranks(x).unwrap()));
            let exact = method.sorted_gradient(&x, &cotangent).unwrap();
            close(&exact, &differences(&x, &cotangent, |x| method.sorted(x).unwrap()));
        }
    }
}

#[test]
fn permutation_gradients_agree_with_finite_differences() {
    for n in [1, 2, 5, 8] {
        let (x, cotangent) = (scattered(n, 5), scattered(n * n, 6));
        for unimodality in [Unimodality::NeuralSort, Unimodality::SoftSort] {
            let soft = Unimodal { unimodality, temperature: 0.8 };
            let exact = soft.permutation_gradient(&x, &cotangent).unwrap();
            assert_close(&exact, &differences(&x, &cotangent, |x| soft.permutation(x).unwrap()), 1e-7);
            let p = soft.permutation(&x).unwrap();
            let columns: Vec<f64> = (0..n).map(|j| (0..n).map(|i| p[i * n + j]).sum()).collect();
            assert_close(&columns, &vec![1.0; n], 1e-12);
        }
    }
}

#[test]
fn without_softness_they_sort_exactly() {
    for n in SIZES {
        let x = scattered(n, 9);
        for method in Method::all(1e-6) {
            assert_close(&method.sorted(&x).unwrap(), &ascending(&x), 1e-9);
            assert_close(&method.ranks(&x).unwrap(), &rank(&x, Ties::Average).unwrap(), 1e-9);
        }
    }
}

#[test]
fn equal_values_share_their_places() {
    for n in SIZES {
        for method in Method::all(0.3) {
            let middle = (n as f64 + 1.0) / 2.0;
            let ranks = method.ranks(&vec![4.0; n]).unwrap();
            assert_close(&ranks, &vec![middle; n], 1e-9);
            let gradient = method.ranks_gradient(&vec![4.0; n], &scattered(n, 1)).unwrap();
            assert!(gradient.iter().all(|g| g.is_finite()));
        }
    }
}

#[test]
fn extremes_stay_finite() {
    let x = [-1e30, 1e30, 0.0, f64::MIN_POSITIVE / 4.0, 1e-300, -1e30];
    for method in [1e-12, 1e-3, 1.0, 1e12].into_iter().flat_map(Method::all) {
        for out in [
            method.sorted(&x).unwrap(),
            method.ranks(&x).unwrap(),
            method.sorted_gradient(&x, &[1.0, -2.0, 3.0, 0.5, 0.0, 1.0]).unwrap(),
            method.ranks_gradient(&x, &[1.0, -2.0, 3.0, 0.5, 0.0, 1.0]).unwrap(),
        ] {
            assert!(out.iter().all(|v| v.is_finite()), "{method:?}: {out:?}");
        }
    }
}

#[test]
fn what_cannot_be_sorted_is_refused() {
    for method in Method::all(1.0) {
        assert!(matches!(method.ranks(&[]), Err(Error::Shape { .. })));
        assert!(matches!(method.sorted(&[1.0, f64::NAN]), Err(Error::NotFinite { index: 1, .. })));
        assert!(matches!(method.ranks_gradient(&[1.0], &[1.0, 2.0]), Err(Error::Shape { .. })));
        assert!(matches!(
            method.sorted_gradient(&[1.0], &[f64::INFINITY]),
            Err(Error::NotFinite { index: 0, .. })
        ));
    }
    for softness in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        for method in Method::all(softness) {
            assert!(matches!(method.ranks(&[1.0]), Err(Error::Parameter { .. })), "{method:?}");
        }
    }
    assert!(matches!(isotonic_decreasing(&[f64::NAN]), Err(Error::NotFinite { .. })));
}

proptest! {
    #[test]
    fn permutahedron_keeps_the_sum_and_the_order(x in prop::collection::vec(-5.0..5.0f64, 1..20), strength in 0.01..10.0f64) {
        let n = x.len() as f64;
        for regularization in [Regularization::Quadratic, Regularization::Entropic] {
            let soft = Permutahedron { regularization, strength };
            let ranks = soft.ranks(&x).unwrap();
            prop_assert!((ranks.iter().sum::<f64>() - n * (n + 1.0) / 2.0).abs() < 1e-8);
            for (a, ra) in x.iter().zip(&ranks) {
                for (b, rb) in x.iter().zip(&ranks) {
                    prop_assert!(a <= b || ra >= &(rb - 1e-9));
                }
            }
            let sorted = soft.sorted(&x).unwrap();
            prop_assert!(sorted.windows(2).all(|w| w[0] <= w[1] + 1e-9));
        }
        let sorted = Permutahedron { strength, ..Permutahedron::default() }.sorted(&x).unwrap();
        prop_assert!((sorted.iter().sum::<f64>() - x.iter().sum::<f64>()).abs() < 1e-8);
    }

    #[test]
    fn isotonic_regression_is_the_closest_decreasing_list(y in prop::collection::vec(-5.0..5.0f64, 1..20)) {
        let v = isotonic_decreasing(&y).unwrap();
        prop_assert!(v.windows(2).all(|w| w[0] >= w[1]));
        // Optimality: residuals sum to 0 over each pool, and over a pool's head they are not positive.
        let mut start = 0;
        while start < y.len() {
            let end = start + v[start..].iter().take_while(|value| **value == v[start]).count();
            let mut sum = 0.0;
            for i in start..end {
                sum += y[i] - v[i];
                prop_assert!(sum <= 1e-9);
            }
            prop_assert!(sum.abs() < 1e-9);
            start = end;
        }
    }
}
