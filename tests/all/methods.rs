//! Soft sorts and ranks without a network: permutahedron, NeuralSort, SoftSort, pairwise sigmoid.

use dfdx::prelude::*;
use proptest::prelude::*;
use reloss::correlation::soft_spearman;
use reloss::rank::{rank, soft_rank, Ties};
use reloss::sort::{
    isotonic_decreasing, soft_permutation, soft_quantile, soft_sort, soft_top_k, Pairwise, Permutahedron,
    Perturbed, Regularization, Relaxation, SoftSort, SortingNetwork, Unimodal, Unimodality,
};
use reloss::{Dev, Error, Matrix, Result, Tape};

use crate::sort::{differences, matrix, scattered, SIZES};
use crate::support::{assert_close, wide};

/// Every way without a network; the last one only ranks.
fn ways(softness: f64) -> [SoftSort; 5] {
    let permutahedron = |regularization| Permutahedron { regularization, strength: softness }.into();
    let unimodal = |unimodality| Unimodal { unimodality, temperature: softness }.into();
    [
        permutahedron(Regularization::Quadratic),
        permutahedron(Regularization::Entropic),
        unimodal(Unimodality::NeuralSort),
        unimodal(Unimodality::SoftSort),
        Pairwise { temperature: softness }.into(),
    ]
}

/// Those that sort.
fn sorters(softness: f64) -> impl Iterator<Item = SoftSort> {
    ways(softness).into_iter().take(4)
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
        for method in [0.05, 0.7, 20.0].into_iter().flat_map(ways) {
            let exact = method.ranks_gradient(&x, &cotangent).unwrap();
            close(&exact, &differences(&x, &cotangent, |x| method.ranks(x).unwrap()));
        }
        for method in [0.05, 0.7, 20.0].into_iter().flat_map(sorters) {
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
        for method in sorters(1e-6) {
            assert_close(&method.sorted(&x).unwrap(), &ascending(&x), 1e-9);
        }
        for method in ways(1e-6) {
            assert_close(&method.ranks(&x).unwrap(), &rank(&x, Ties::Average).unwrap(), 1e-9);
        }
    }
}

#[test]
fn equal_values_share_their_places() {
    for n in SIZES {
        for method in ways(0.3) {
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
    let g = [1.0, -2.0, 3.0, 0.5, 0.0, 1.0];
    for softness in [1e-12, 1e-3, 1.0, 1e12] {
        let ranks = ways(softness).map(|m| [m.ranks(&x).unwrap(), m.ranks_gradient(&x, &g).unwrap()]);
        let sorted = sorters(softness).map(|m| [m.sorted(&x).unwrap(), m.sorted_gradient(&x, &g).unwrap()]);
        for out in ranks.into_iter().chain(sorted).flatten() {
            assert!(out.iter().all(|v| v.is_finite()), "{softness}: {out:?}");
        }
    }
}

#[test]
fn what_cannot_be_sorted_is_refused() {
    for method in ways(1.0) {
        assert!(matches!(method.ranks(&[]), Err(Error::Shape { .. })));
        assert!(matches!(method.ranks(&[1.0, f64::NAN]), Err(Error::NotFinite { index: 1, .. })));
        assert!(matches!(method.ranks_gradient(&[1.0], &[1.0, 2.0]), Err(Error::Shape { .. })));
        assert!(matches!(
            method.ranks_gradient(&[1.0], &[f64::INFINITY]),
            Err(Error::NotFinite { index: 0, .. })
        ));
    }
    for softness in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        for method in ways(softness) {
            assert!(matches!(method.ranks(&[1.0]), Err(Error::Parameter { .. })), "{method:?}");
        }
    }
    let [quadratic, .., pairwise] = ways(1.0);
    assert!(matches!(pairwise.sorted(&[1.0]), Err(Error::Parameter { name: "sort", .. })));
    assert!(matches!(pairwise.sorted_gradient(&[1.0], &[1.0]), Err(Error::Parameter { name: "sort", .. })));
    for method in [quadratic, pairwise] {
        assert!(matches!(method.permutation(&[1.0]), Err(Error::Parameter { name: "sort", .. })));
        assert!(matches!(method.permutation_gradient(&[1.0], &[1.0]), Err(Error::Parameter { .. })));
    }
    assert!(matches!(isotonic_decreasing(&[f64::NAN]), Err(Error::NotFinite { .. })));
}

/// Of one row and its cotangent.
type ByList<'a> = &'a dyn Fn(&[f64], &[f64]) -> Result<Vec<f64>>;

#[test]
fn tensors_give_what_lists_give() {
    let (n, rows) = (7, 3);
    let (x, g) = (scattered(n * rows, 2), scattered(n * rows, 8));
    let each = |f: ByList| -> Vec<f64> {
        x.chunks(n).zip(g.chunks(n)).flat_map(|(x, g)| f(x, g).unwrap()).collect()
    };
    let tensor = matrix(&x, rows);
    let pull = |out: Matrix<Tape>| {
        let (values, gradients) = (out.as_vec(), (out * matrix(&g, rows)).sum::<(), _>().backward());
        (wide(&values), wide(&gradients.get(&tensor).as_vec()))
    };
    for soft in ways(0.4) {
        let (values, gradient) = pull(soft_rank(tensor.leaky_trace(), &soft).unwrap());
        assert_close(&values, &each(&|x, _| soft.ranks(x)), 1e-5);
        assert_close(&gradient, &each(&|x, g| soft.ranks_gradient(x, g)), 1e-5);
        let other: Vec<f64> = scattered(n, 4);
        let row = matrix(&x[..n], 1);
        let rho = soft_spearman(row.leaky_trace(), &other, &soft).unwrap();
        assert!(rho.array().abs() <= 1.0);
        assert!(rho.backward().get(&row).as_vec().iter().all(|g| g.is_finite()));
    }
    for soft in sorters(0.4) {
        let (values, gradient) = pull(soft_sort(tensor.leaky_trace(), &soft).unwrap());
        assert_close(&values, &each(&|x, _| soft.sorted(x)), 1e-5);
        assert_close(&gradient, &each(&|x, g| soft.sorted_gradient(x, g)), 1e-5);
    }
    let soft: SoftSort = Unimodal::default().into();
    let p = soft_permutation(matrix(&x[..n], 1), &soft).unwrap();
    assert_close(&wide(&p.as_vec()), &soft.permutation(&x[..n]).unwrap(), 1e-6);
    assert!(matches!(soft_sort(tensor, &Pairwise::default().into()), Err(Error::Parameter { .. })));
}

#[test]
fn perturbed_ranks_and_gradients_of_two_values() {
    let soft = Perturbed { sigma: 0.8, draws: 40_000, seed: 3 };
    let x: [f64; 2] = [0.3, -0.2];
    // The difference of the noises is normal with standard deviation σ√2: rank = 1 + Φ(d/(σ√2)).
    let d = (x[0] - x[1]) / (0.8 * 2.0_f64.sqrt());
    let phi = Relaxation::Gaussian;
    let (value, slope) = (phi.value(d, 1.0), phi.slope(d, 1.0) / (0.8 * 2.0_f64.sqrt()));
    // Standard errors: 0.5/200 and about 0.7/200.
    assert_close(&soft.ranks(&x).unwrap(), &[1.0 + value, 2.0 - value], 0.01);
    assert_close(&soft.ranks_gradient(&x, &[1.0, 0.0]).unwrap(), &[slope, -slope], 0.015);
    assert_eq!(soft.ranks(&x).unwrap(), soft.ranks(&x).unwrap());
    assert_ne!(soft.ranks(&x).unwrap(), Perturbed { seed: 4, ..soft }.ranks(&x).unwrap());
    for (name, bad) in
        [("sigma", Perturbed { sigma: 0.0, ..soft }), ("draws", Perturbed { draws: 0, ..soft })]
    {
        assert!(matches!(bad.ranks(&x), Err(Error::Parameter { name: n, .. }) if n == name));
    }
    assert!(matches!(SoftSort::from(soft).sorted(&x), Err(Error::Parameter { name: "sort", .. })));
    let rows = matrix(&[0.3, -0.2, 5.0, -5.0], 2);
    let ranks = soft_rank(rows.leaky_trace(), &soft.into()).unwrap();
    assert_close(&wide(&ranks.as_vec())[2..], &[2.0, 1.0], 1e-6);
    assert!(ranks.sum::<(), _>().backward().get(&rows).as_vec().iter().all(|g| g.is_finite()));
}

#[test]
fn calibrated_steepness_gives_one_slope() {
    for relaxation in Relaxation::ALL {
        match (relaxation.steepness_for(0.7), relaxation) {
            (Err(Error::Parameter { name: "slope", .. }), Relaxation::LogisticArt { .. }) => {}
            (steepness, _) => assert_close(&[relaxation.slope(0.0, steepness.unwrap())], &[0.7], 1e-12),
        }
        assert!(matches!(relaxation.steepness_for(f64::NAN), Err(Error::Parameter { .. })));
    }
    let plain = Relaxation::LogisticArt { lambda: 0.0 };
    assert_close(&[plain.slope(0.0, plain.steepness_for(2.0).unwrap())], &[2.0], 1e-12);
}

#[test]
fn quantiles_and_the_largest_k() {
    let x = [4.0, -1.0, 2.5, 0.0, 3.0];
    let sharp =
        sorters(1e-4).chain([SoftSort::from(SortingNetwork { steepness: 1e4, ..SortingNetwork::default() })]);
    for soft in sharp {
        for (q, want) in [(0.0, -1.0), (0.25, 0.0), (0.5, 2.5), (0.6, 2.7), (1.0, 4.0)] {
            let got = soft_quantile(matrix(&x, 1), q, &soft).unwrap();
            assert_close(&wide(&got.as_vec()), &[want], 1e-5);
        }
        let member = soft_top_k(matrix(&x, 1), 2, &soft);
        assert_close(&wide(&member.unwrap().as_vec()), &[1.0, 0.0, 0.0, 0.0, 1.0], 1e-5);
    }
    let soft = SoftSort::default();
    let rows = matrix(&scattered(12, 1), 3);
    let member = soft_top_k(rows.leaky_trace(), 3, &soft).unwrap();
    let sums: Vec<f64> = wide(&member.as_vec()).chunks(4).map(|row| row.iter().sum()).collect();
    assert_close(&sums, &[3.0; 3], 1e-5);
    assert!(member.square().sum::<(), _>().backward().get(&rows).as_vec().iter().any(|&g| g != 0.0));
    for k in [0, 6] {
        assert!(matches!(soft_top_k(matrix(&x, 1), k, &soft), Err(Error::Parameter { name: "k", .. })));
    }
    for q in [-0.1, 1.1, f64::NAN] {
        assert!(matches!(soft_quantile(matrix(&x, 1), q, &soft), Err(Error::Parameter { name: "q", .. })));
    }
    let empty = Dev::default().tensor_from_vec(vec![], (1, 0));
    assert!(matches!(soft_quantile(empty, 0.5, &soft), Err(Error::Shape { .. })));
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
