//! Exact and soft correlations.

use dfdx::prelude::*;
use proptest::prelude::*;
use reloss::correlation::{
    kendall_tau_b, kendall_tau_b_weighted, kendall_tau_c, pearson, pearson_gradient, pearson_weighted,
    soft_kendall, soft_kendall_composed, soft_kendall_weighted, soft_pearson, soft_pearson_weighted,
    soft_spearman, soft_spearman_composed, soft_spearman_masked, somers_d, spearman, spearman_weighted,
    weighted_tau, Combine, WeightedTau,
};
use reloss::rank::{rank, Ties};
use reloss::sort::{Network, Relaxation, SoftSort, SortingNetwork};
use reloss::{Dev, Error, Matrix, Scalar, Tape};

use crate::sort::{differences, golden, matrix, numbers, scattered};
use crate::support::{assert_close, wide};

#[test]
fn exact_correlations_have_hand_derived_values() {
    // Deviations (-1, 0, 1) and (-1, 1, 0): 1/(√2·√2).
    assert_close(&[pearson(&[1.0, 2.0, 3.0], &[0.0, 2.0, 1.0]).unwrap()], &[0.5], 1e-15);
    // Ranks (3, 4, 2, 1) and (1, 2.5, 2.5, 4): a tie that ordinal ranks get wrong (-0.8).
    let (x, y) = ([5.05, 6.75, 3.21, 2.66], [1.65, 2.64, 2.64, 6.95]);
    assert_close(&[spearman(&x, &y).unwrap()], &[-2.0 / 10.0_f64.sqrt()], 1e-15);
    assert_eq!(spearman(&[1.0, 2.0], &[5.0, 3.0]).unwrap(), -1.0);
}

#[test]
fn exact_correlations_survive_large_offsets_and_scales() {
    let (x, y) = (scattered(50, 1), scattered(50, 2));
    let want = pearson(&x, &y).unwrap();
    let moved = |scale: f64, offset: f64| x.iter().map(|v| v * scale + offset).collect::<Vec<_>>();
    assert_close(&[pearson(&moved(1.0, 1e8), &y).unwrap()], &[want], 1e-7);
    assert_close(&[pearson(&moved(1e300, 0.0), &y).unwrap()], &[want], 1e-13);
    assert_close(&[pearson(&moved(1e-300, 0.0), &y).unwrap()], &[want], 1e-13);
    assert_close(&[pearson(&[f64::MAX, f64::MIN, 0.0], &[1.0, -1.0, 0.0]).unwrap()], &[1.0], 1e-15);
}

#[test]
fn pearson_gradient_matches_finite_differences() {
    let (x, y) = (scattered(9, 3), scattered(9, 4));
    let h = 1e-6;
    let slope = |i: usize| {
        let at = |step: f64| {
            let mut moved = x.clone();
            moved[i] += step;
            pearson(&moved, &y).unwrap()
        };
        (at(h) - at(-h)) / (2.0 * h)
    };
    let want: Vec<f64> = (0..9).map(slope).collect();
    assert_close(&pearson_gradient(&x, &y).unwrap(), &want, 1e-9);
}

type Soft = fn(Matrix<Tape>, &[f64], &SortingNetwork) -> reloss::Result<Scalar<Tape>>;
const FORMS: [Soft; 2] = [fused, composed];

fn fused(x: Matrix<Tape>, other: &[f64], soft: &SortingNetwork) -> reloss::Result<Scalar<Tape>> {
    soft_spearman(x, other, &(*soft).into())
}

fn composed(x: Matrix<Tape>, other: &[f64], soft: &SortingNetwork) -> reloss::Result<Scalar<Tape>> {
    soft_spearman_composed(x, other, &(*soft).into())
}

fn value_and_gradient(form: Soft, x: &[f64], other: &[f64], soft: &SortingNetwork) -> (f64, Vec<f64>) {
    let x = matrix(x, 1);
    let rho = form(x.leaky_trace(), other, soft).unwrap();
    let value = f64::from(rho.array());
    (value, wide(&rho.backward().get(&x).as_vec()))
}

#[test]
fn golden_spearman_soft_and_hard() {
    let golden = golden();
    let case = &golden["correlation"];
    let (x, other) = (numbers(&case["values"]), numbers(&case["other"]));
    let number = |name: &str| case[name].as_f64().unwrap();
    assert_close(&[spearman(&x, &other).unwrap()], &[number("spearman")], 1e-12);
    // The released script ranks unscaled values: f64 slices put together the same way.
    let soft = SortingNetwork::default();
    let (ranks, hard) = (soft.ranks(&x).unwrap(), rank(&other, Ties::Average).unwrap());
    assert_close(&[pearson(&ranks, &hard).unwrap()], &[number("unscaled")], 1e-12);
    let gradient = soft.ranks_gradient(&x, &pearson_gradient(&ranks, &hard).unwrap()).unwrap();
    assert_close(&gradient, &numbers(&case["unscaled_gradient"]), 1e-8);
    for form in FORMS {
        let (value, gradient) = value_and_gradient(form, &x, &other, &soft);
        assert_close(&[value], &[number("standardised")], 1e-6);
        assert_close(&gradient, &numbers(&case["standardised_gradient"]), 1e-5);
    }
}

/// The same in f64 from slices.
fn reference(x: &[f64], other: &[f64], soft: &SortingNetwork) -> f64 {
    let n = x.len() as f64;
    let mean = x.iter().sum::<f64>() / n;
    let spread = (x.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n).sqrt();
    let z: Vec<f64> = x.iter().map(|v| (v - mean) / spread).collect();
    pearson(&soft.ranks(&z).unwrap(), &rank(other, Ties::Average).unwrap()).unwrap()
}

#[test]
fn soft_spearman_gradient_matches_finite_differences() {
    for network in [Network::Bitonic, Network::OddEven] {
        for relaxation in Relaxation::ALL {
            for n in [2, 3, 5, 8, 13, 16, 33] {
                let soft = SortingNetwork { network, relaxation, steepness: 4.0 };
                let x: Vec<f64> = scattered(n, 7).iter().map(|&v| f64::from(v as f32)).collect();
                let other = scattered(n, 8);
                let slope = |i: usize| {
                    let at = |step: f64| {
                        let mut moved = x.clone();
                        moved[i] += step;
                        reference(&moved, &other, &soft)
                    };
                    (at(1e-6) - at(-1e-6)) / 2e-6
                };
                let want: Vec<f64> = (0..n).map(slope).collect();
                let scale = want.iter().fold(1.0_f64, |m, g| m.max(g.abs()));
                for form in FORMS {
                    let (value, gradient) = value_and_gradient(form, &x, &other, &soft);
                    assert_close(&[value], &[reference(&x, &other, &soft)], 2e-6);
                    assert_close(&gradient, &want, 5e-5 * scale);
                }
            }
        }
    }
}

#[test]
fn soft_spearman_does_not_depend_on_the_scale() {
    let (x, other) = (scattered(20, 1), scattered(20, 2));
    let soft = SortingNetwork::default();
    let (want, on_x) = value_and_gradient(fused, &x, &other, &soft);
    for scale in [1e-30, 1e-6, 1e6, 1e30] {
        let scaled: Vec<f64> = x.iter().map(|v| v * scale).collect();
        let (got, on_scaled) = value_and_gradient(fused, &scaled, &other, &soft);
        assert_close(&[got], &[want], 1e-5);
        let back: Vec<f64> = on_scaled.iter().map(|g| g * scale).collect();
        assert_close(&back, &on_x, 1e-4);
    }
}

#[test]
fn ranks_and_values_of_the_other_side_count_the_same() {
    let (x, other) = (matrix(&scattered(10, 1), 1), scattered(10, 2));
    let soft = SortingNetwork::default();
    let by_value = soft_spearman(x.clone(), &other, &soft.into()).unwrap().array();
    let by_rank = soft_spearman(x, &rank(&other, Ties::Average).unwrap(), &soft.into()).unwrap().array();
    assert_eq!(by_value, by_rank);
}

#[test]
fn what_is_undefined_is_an_error() {
    let soft = SortingNetwork::default();
    assert!(matches!(pearson(&[1.0], &[1.0]), Err(Error::Undefined { .. })));
    assert!(matches!(pearson(&[], &[]), Err(Error::Undefined { .. })));
    assert!(matches!(pearson(&[0.1; 3], &[1.0, 2.0, 3.0]), Err(Error::Undefined { .. })));
    assert!(matches!(spearman(&[1.0; 4], &[1.0, 2.0, 3.0, 4.0]), Err(Error::Undefined { .. })));
    assert!(matches!(spearman(&[1.0], &[1.0, 2.0]), Err(Error::Shape { .. })));
    assert!(matches!(pearson(&[1.0, f64::NAN], &[1.0, 2.0]), Err(Error::NotFinite { index: 1, .. })));
    for form in FORMS {
        let call =
            |x: &[f64], other: &[f64]| form(matrix(x, 1).leaky_traced(), other, &soft).map(|r| r.array());
        assert!(matches!(call(&[0.3; 5], &[1.0, 2.0, 3.0, 4.0, 5.0]), Err(Error::Undefined { .. })));
        assert!(matches!(call(&[1.0, 2.0], &[3.0, 3.0]), Err(Error::Undefined { .. })));
        assert!(matches!(call(&[1e-45, 0.0], &[1.0, 2.0]), Err(Error::Undefined { .. })));
        assert!(matches!(call(&[1.0], &[1.0]), Err(Error::Undefined { .. })));
        assert!(matches!(call(&[1.0, 2.0], &[1.0]), Err(Error::Shape { .. })));
        assert!(matches!(call(&[1.0, f64::INFINITY], &[1.0, 2.0]), Err(Error::NotFinite { index: 1, .. })));
        assert!(matches!(call(&[1.0, 2.0], &[1.0, f64::NAN]), Err(Error::NotFinite { index: 1, .. })));
        let two_rows = Dev::default().tensor_from_vec(vec![1.0; 4], (2, 2)).leaky_traced();
        assert!(matches!(form(two_rows, &[1.0, 2.0], &soft), Err(Error::Shape { .. })));
        let flat = SortingNetwork { steepness: 1e-30, ..soft };
        let equal = form(matrix(&[1.0, 2.0], 1).leaky_traced(), &[1.0, 2.0], &flat);
        assert!(matches!(equal, Err(Error::Undefined { .. })));
    }
}

#[test]
fn extremes_have_finite_gradients() {
    let lists: [&[f64]; 5] = [
        &[1e30, -1e30, 0.0, 1e30],
        &[f32::MAX as f64, f32::MIN as f64, 0.0, 1.0],
        &[2e-38, -2e-38, 0.0, 4e-38],
        &[1.0, 1.0, 1.0, 1.0 + f32::EPSILON as f64],
        &[0.0, 0.0, 0.0, 1.0],
    ];
    for relaxation in Relaxation::ALL {
        for steepness in [1e-2, 5.0, 1e12] {
            let soft = SortingNetwork { relaxation, steepness, ..SortingNetwork::default() };
            for list in lists {
                let (value, gradient) = value_and_gradient(fused, list, &[1.0, 3.0, 2.0, 2.0], &soft);
                assert!(value.abs() <= 1.0 && gradient.iter().all(|g| g.is_finite()), "{soft:?} {list:?}");
            }
        }
    }
}

proptest! {
    #[test]
    fn correlations_are_bounded_symmetric_and_scale_free(
        pairs in prop::collection::vec((-1e3_f64..1e3, -1e3_f64..1e3), 3..30),
        scale in 0.1_f64..10.0,
    ) {
        let (x, y): (Vec<f64>, Vec<f64>) = pairs.into_iter().unzip();
        for f in [pearson, spearman] {
            let rho = f(&x, &y).unwrap();
            prop_assert!(rho.abs() <= 1.0);
            let scaled: Vec<f64> = y.iter().map(|v| v * scale + 3.0).collect();
            let mirrored: Vec<f64> = y.iter().map(|v| -v).collect();
            assert_close(&[f(&y, &x).unwrap(), f(&x, &scaled).unwrap(), -f(&x, &mirrored).unwrap()], &[rho; 3], 1e-9);
        }
        let squashed: Vec<f64> = x.iter().map(|v| v.cbrt()).collect();
        prop_assert_eq!(spearman(&squashed, &y).unwrap(), spearman(&x, &y).unwrap());
    }
}

/// Concordant minus discordant pairs, and pairs told apart by each side, by looking at every pair.
fn every_pair(x: &[f64], y: &[f64], weight: impl Fn(usize, usize) -> f64) -> (f64, f64, f64) {
    let sign = |a: f64, b: f64| f64::from(i8::from(a > b) - i8::from(a < b));
    let (mut balance, mut by_x, mut by_y) = (0.0, 0.0, 0.0);
    for i in 0..x.len() {
        for j in 0..i {
            let (sx, sy, w) = (sign(x[i], x[j]), sign(y[i], y[j]), weight(i, j));
            balance += w * sx * sy;
            by_x += w * sx * sx;
            by_y += w * sy * sy;
        }
    }
    (balance, by_x, by_y)
}

fn distinct(x: &[f64]) -> f64 {
    let mut x = x.to_vec();
    x.sort_unstable_by(f64::total_cmp);
    x.dedup();
    x.len() as f64
}

#[test]
fn counting_by_merging_equals_counting_every_pair() {
    for n in [2, 3, 7, 16, 45, 130] {
        for levels in [2.0, 5.0, 1e6] {
            // Few levels make many ties.
            let coarse = |seed| scattered(n, seed).iter().map(|v| (v * levels / 4.0).round()).collect();
            let (x, y): (Vec<f64>, Vec<f64>) = (coarse(1), coarse(2));
            let (balance, by_x, by_y) = every_pair(&x, &y, |_, _| 1.0);
            if by_x == 0.0 || by_y == 0.0 {
                assert!(matches!(kendall_tau_b(&x, &y), Err(Error::Undefined { .. })));
                continue;
            }
            let (n, m) = (n as f64, distinct(&x).min(distinct(&y)));
            let tau_c = 2.0 * balance * m / (n * n * (m - 1.0));
            let expected = [balance / (by_x * by_y).sqrt(), tau_c, balance / by_x];
            let got = [kendall_tau_b(&x, &y), kendall_tau_c(&x, &y), somers_d(&x, &y)].map(Result::unwrap);
            assert_close(&got, &expected, 1e-12);

            for combine in [Combine::Sum, Combine::Product] {
                let w = |i: usize| 1.0 / (1.0 + i as f64);
                let weight = |i, j| if combine == Combine::Sum { w(i) + w(j) } else { w(i) * w(j) };
                let (balance, by_x, by_y) = every_pair(&x, &y, weight);
                let got = weighted_tau(&x, &y, WeightedTau::ByPlace, combine).unwrap();
                assert_close(&[got], &[balance / (by_x * by_y).sqrt()], 1e-12);
            }
        }
    }
}

#[test]
fn pair_counts_refuse_what_they_cannot_count() {
    let each = |x: &[f64], y: &[f64]| {
        [
            kendall_tau_b(x, y),
            kendall_tau_c(x, y),
            somers_d(x, y),
            weighted_tau(x, y, WeightedTau::Both, Combine::Sum),
        ]
    };
    for result in each(&[1.0], &[1.0]).into_iter().chain(each(&[1.0, 1.0], &[1.0, 2.0])) {
        assert!(matches!(result, Err(Error::Undefined { .. })), "{result:?}");
    }
    for result in each(&[1.0, 2.0], &[1.0]) {
        assert!(matches!(result, Err(Error::Shape { .. })), "{result:?}");
    }
    for result in each(&[1.0, f64::NAN], &[1.0, 2.0]) {
        assert!(matches!(result, Err(Error::NotFinite { index: 1, .. })), "{result:?}");
    }
    // A constant dependent side has Somers' D 0: of the pairs x tells apart none agrees.
    assert_eq!(somers_d(&[1.0, 2.0], &[3.0, 3.0]).unwrap(), 0.0);
}

#[test]
fn pearson_of_a_tensor_equals_that_of_lists() {
    for n in [2, 3, 17] {
        let (x, y) = (scattered(n, 5), scattered(n, 6));
        for scale in [1.0, 1e20, 1e-20] {
            let scaled: Vec<f64> = x.iter().map(|v| v * scale).collect();
            let tensor = matrix(&scaled, 1);
            let rho = soft_pearson(tensor.leaky_trace(), &y).unwrap();
            assert_close(&[f64::from(rho.array())], &[pearson(&x, &y).unwrap()], 1e-5);
            let gradient = wide(&rho.backward().get(&tensor).as_vec());
            let scaled: Vec<f64> = gradient.iter().map(|g| g * scale).collect();
            assert_close(&scaled, &pearson_gradient(&x, &y).unwrap(), 1e-5);
        }
    }
    let refused = |x: &[f64], y: &[f64]| soft_pearson(matrix(x, 1), y).unwrap_err();
    assert!(matches!(refused(&[1.0, 1.0], &[1.0, 2.0]), Error::Undefined { .. }));
    assert!(matches!(refused(&[1.0, 2.0], &[1.0, 1.0]), Error::Undefined { .. }));
    assert!(matches!(refused(&[1.0], &[1.0]), Error::Undefined { .. }));
    assert!(matches!(refused(&[1.0, 2.0], &[1.0]), Error::Shape { .. }));
    assert!(matches!(refused(&[1.0, f64::NAN], &[1.0, 2.0]), Error::NotFinite { index: 1, .. }));
    assert!(matches!(refused(&[1.0, 2.0], &[1.0, f64::NAN]), Error::NotFinite { index: 1, .. }));
}

#[test]
fn whole_weights_count_as_repetitions() {
    type Weighted = fn(&[f64], &[f64], &[f64]) -> reloss::Result<f64>;
    type Plain = fn(&[f64], &[f64]) -> reloss::Result<f64>;
    let forms: [(Weighted, Plain); 3] =
        [(pearson_weighted, pearson), (spearman_weighted, spearman), (kendall_tau_b_weighted, kendall_tau_b)];
    for n in [4, 9, 40] {
        let coarse = |seed| scattered(n, seed).iter().map(|v| (v * 3.0).round()).collect::<Vec<f64>>();
        let (x, y) = (coarse(1), coarse(2));
        let weights: Vec<f64> = (0..n).map(|i| [1.0, 0.0, 3.0, 2.0][i % 4]).collect();
        let repeat = |values: &[f64]| -> Vec<f64> {
            values.iter().zip(&weights).flat_map(|(&v, &w)| vec![v; w as usize]).collect()
        };
        for (weighted, plain) in forms {
            let want = plain(&repeat(&x), &repeat(&y)).unwrap();
            let scaled: Vec<f64> = weights.iter().map(|w| w * 1e200).collect();
            for weights in [&weights, &scaled] {
                assert_close(&[weighted(&x, &y, weights).unwrap()], &[want], 1e-12);
            }
        }
    }
    for (weighted, _) in forms {
        let refused = |x: &[f64], weights: &[f64]| weighted(x, &[1.0, 2.0, 4.0], weights).unwrap_err();
        let x = [3.0, 1.0, 2.0];
        assert!(matches!(refused(&x, &[1.0, 1.0]), Error::Shape { .. }));
        assert!(matches!(refused(&x, &[1.0, -1.0, 1.0]), Error::Parameter { name: "weights", .. }));
        assert!(matches!(refused(&x, &[0.0; 3]), Error::Parameter { name: "weights", .. }));
        assert!(matches!(refused(&x, &[1.0, f64::NAN, 1.0]), Error::NotFinite { index: 1, .. }));
        assert!(matches!(refused(&x, &[0.0, 0.0, 1.0]), Error::Undefined { .. }));
        assert!(matches!(refused(&[1.0, 1.0, 5.0], &[1.0, 1.0, 0.0]), Error::Undefined { .. }));
    }
}

/// Soft Kendall by its formula, in f64.
fn tau(x: &[f64], other: &[f64], weights: &[f64], temperature: f64) -> f64 {
    let kept: Vec<usize> = (0..x.len()).filter(|&i| weights[i] > 0.0).collect();
    let n = kept.len() as f64;
    let mean = kept.iter().map(|&i| x[i]).sum::<f64>() / n;
    let spread = (kept.iter().map(|&i| (x[i] - mean).powi(2)).sum::<f64>() / n).sqrt();
    let (mut sum, mut pairs, mut untied) = (0.0, 0.0, 0.0);
    for (a, &i) in kept.iter().enumerate() {
        for &j in &kept[..a] {
            let weight = weights[i] * weights[j];
            let sign = if other[i] == other[j] { 0.0 } else { (other[i] - other[j]).signum() };
            sum += weight * sign * ((x[i] - x[j]) / (spread * temperature)).tanh();
            pairs += weight;
            untied += weight * sign.abs();
        }
    }
    sum / f64::sqrt(pairs * untied)
}

#[test]
fn soft_kendall_matches_its_formula_and_finite_differences() {
    for n in [2, 3, 5, 8, 13, 33, 400] {
        let x: Vec<f64> = scattered(n, 7).iter().map(|&v| f64::from(v as f32)).collect();
        let other: Vec<f64> = scattered(n, 8).iter().map(|v| (v * 4.0).round()).collect();
        let weights: Vec<f64> = (0..n).map(|i| if i % 5 == 4 { 0.0 } else { 0.5 + (i % 3) as f64 }).collect();
        let ones = vec![1.0; n];
        let row = matrix(&x, 1);
        let checks = [
            (soft_kendall(row.leaky_trace(), &other, 0.3), &ones),
            (soft_kendall_composed(row.leaky_trace(), &other, 0.3), &ones),
            (soft_kendall_weighted(row.leaky_trace(), &other, &weights, 0.3), &weights),
        ];
        for (got, weights) in checks {
            let got = got.unwrap();
            assert_close(&[f64::from(got.array())], &[tau(&x, &other, weights, 0.3)], 2e-6);
            let gradient = wide(&got.backward().get(&row).as_vec());
            if n < 100 {
                let want = differences(&x, &[1.0], |x| vec![tau(x, &other, weights, 0.3)]);
                assert_close(&gradient, &want, 2e-6);
            } else {
                // Long enough for threads; the sum is kept.
                assert_close(&[gradient.iter().sum()], &[0.0], 1e-5);
            }
        }
    }
}

#[test]
fn soft_kendall_becomes_tau_b_and_refuses_what_is_undefined() {
    let (x, other) = (scattered(40, 1), scattered(40, 2).iter().map(|v| v.round()).collect::<Vec<_>>());
    let sharp = soft_kendall(matrix(&x, 1), &other, 1e-6).unwrap();
    assert_close(&[f64::from(sharp.array())], &[kendall_tau_b(&x, &other).unwrap()], 1e-6);
    for scale in [1e-20, 1e20] {
        let scaled: Vec<f64> = x.iter().map(|v| v * scale).collect();
        let got = soft_kendall(matrix(&scaled, 1), &other, 0.5).unwrap();
        assert_close(&[f64::from(got.array())], &[tau(&x, &other, &[1.0; 40], 0.5)], 1e-5);
    }
    let row = || matrix(&[1.0, 2.0, 4.0], 1);
    for form in [soft_kendall, soft_kendall_composed] {
        assert!(matches!(form(row(), &[1.0; 3], 0.5), Err(Error::Undefined { .. })));
        assert!(matches!(form(row(), &[1.0; 2], 0.5), Err(Error::Shape { .. })));
        assert!(matches!(form(row(), &[1.0, f64::NAN, 2.0], 0.5), Err(Error::NotFinite { index: 1, .. })));
        assert!(matches!(form(matrix(&[3.0; 3], 1), &[1.0, 2.0, 3.0], 0.5), Err(Error::Undefined { .. })));
        for bad in [0.0, -1.0, f64::NAN] {
            let refused = form(row(), &[1.0, 2.0, 3.0], bad);
            assert!(matches!(refused, Err(Error::Parameter { name: "temperature", .. })));
        }
    }
    let one_left = soft_kendall_weighted(row(), &[1.0, 2.0, 3.0], &[0.0, 1.0, 0.0], 0.5);
    assert!(matches!(one_left, Err(Error::Undefined { .. })));
    let negative = soft_kendall_weighted(row(), &[1.0, 2.0, 3.0], &[0.0, -1.0, 1.0], 0.5);
    assert!(matches!(negative, Err(Error::Parameter { name: "weights", .. })));
}

#[test]
fn weights_and_masks_reach_the_gradient() {
    let n = 12;
    let x: Vec<f64> = scattered(n, 3).iter().map(|&v| f64::from(v as f32)).collect();
    let other = scattered(n, 4);
    let weights: Vec<f64> = (0..n).map(|i| if i % 4 == 3 { 0.0 } else { 1.0 + (i % 2) as f64 }).collect();
    let row = matrix(&x, 1);
    let rho = soft_pearson_weighted(row.leaky_trace(), &other, &weights).unwrap();
    assert_close(&[f64::from(rho.array())], &[pearson_weighted(&x, &other, &weights).unwrap()], 1e-6);
    let gradient = wide(&rho.backward().get(&row).as_vec());
    let want = differences(&x, &[1.0], |x| vec![pearson_weighted(x, &other, &weights).unwrap()]);
    assert_close(&gradient, &want, 1e-5);

    let mask: Vec<bool> = weights.iter().map(|&w| w > 0.0).collect();
    let rho = soft_spearman_masked(row.leaky_trace(), &other, &mask, &SoftSort::default()).unwrap();
    let on_x = wide(&rho.backward().get(&row).as_vec());
    let kept = |v: &[f64]| (0..n).filter(|&i| mask[i]).map(|i| v[i]).collect::<Vec<_>>();
    let short = matrix(&kept(&x), 1);
    let alone = soft_spearman(short.leaky_trace(), &kept(&other), &SoftSort::default()).unwrap();
    assert_close(&kept(&on_x), &wide(&alone.backward().get(&short).as_vec()), 1e-7);
    assert!((0..n).filter(|&i| !mask[i]).all(|i| on_x[i] == 0.0));
    let nothing = soft_spearman_masked(row.clone(), &other, &vec![false; n], &SoftSort::default());
    assert!(matches!(nothing, Err(Error::Parameter { name: "weights", .. })));
    let short = soft_spearman_masked(row, &other, &mask[1..], &SoftSort::default());
    assert!(matches!(short, Err(Error::Shape { .. })));
}
