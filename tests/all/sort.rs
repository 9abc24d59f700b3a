//! Networks, relaxations, soft sorts, ranks and permutations.

use dfdx::prelude::*;
use proptest::prelude::*;
use reloss::rank::{rank, soft_rank, Ties};
use reloss::sort::{composed, soft_permutation, soft_sort, Network, Relaxation, SortingNetwork};
use reloss::{Dev, Error, Matrix};
use serde_json::Value;

use crate::support::{assert_close, wide};

const NETWORKS: [Network; 2] = [Network::Bitonic, Network::OddEven];
pub const SIZES: [usize; 8] = [1, 2, 3, 5, 8, 13, 16, 33];

/// Values without structure, the same at every call.
pub fn scattered(n: usize, seed: u64) -> Vec<f64> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(1);
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as f64 / f64::from(1_u32 << 31) * 4.0 - 2.0
    };
    (0..n).map(|_| next()).collect()
}

pub fn matrix(values: &[f64], rows: usize) -> Matrix {
    let values: Vec<f32> = values.iter().map(|&v| v as f32).collect();
    let n = values.len() / rows;
    Dev::default().tensor_from_vec(values, (rows, n))
}

fn every_soft_sort() -> impl Iterator<Item = SortingNetwork> {
    let art = [Relaxation::LogisticArt { lambda: 0.0 }, Relaxation::LogisticArt { lambda: 0.6 }];
    NETWORKS.into_iter().flat_map(move |network| {
        Relaxation::ALL.into_iter().chain(art).map(move |relaxation| SortingNetwork {
            network,
            relaxation,
            steepness: 3.0,
        })
    })
}

pub fn golden() -> Value {
    serde_json::from_str(include_str!("../golden/sort.json")).unwrap()
}

pub fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect()
}

#[test]
fn golden_sorts_ranks_and_permutations() {
    let golden = golden();
    for case in golden["cases"].as_array().unwrap() {
        let lambda = case["lambda"].as_f64().unwrap();
        let soft = SortingNetwork {
            network: if case["network"] == "bitonic" { Network::Bitonic } else { Network::OddEven },
            relaxation: match case["relaxation"].as_str().unwrap() {
                "logistic" => Relaxation::Logistic,
                "logistic_art" => Relaxation::LogisticArt { lambda },
                "gaussian" => Relaxation::Gaussian,
                "reciprocal" => Relaxation::Reciprocal,
                "cauchy" => Relaxation::Cauchy,
                "optimal" => Relaxation::Optimal,
                other => panic!("unknown relaxation {other}"),
            },
            steepness: case["steepness"].as_f64().unwrap(),
        };
        let values = numbers(&case["values"]);
        let (sorted, ranks, p) =
            (numbers(&case["sorted"]), numbers(&case["ranks"]), numbers(&case["permutation"]));
        assert_close(&soft.sorted(&values).unwrap(), &sorted, 1e-12);
        assert_close(&soft.ranks(&values).unwrap(), &ranks, 1e-12);
        assert_close(&soft.permutation(&values).unwrap(), &p, 1e-12);
        // The tensors' f32.
        let x = matrix(&values, 1);
        assert_close(&wide(&soft_sort(x.clone(), &soft.into()).unwrap().as_vec()), &sorted, 5e-6);
        assert_close(&wide(&soft_rank(x.clone(), &soft.into()).unwrap().as_vec()), &ranks, 2e-5);
        assert_close(&wide(&soft_permutation(x, &soft.into()).unwrap().as_vec()), &p, 2e-6);
    }
}

#[test]
fn golden_network_sizes() {
    for size in golden()["sizes"].as_array().unwrap() {
        let n = size["n"].as_u64().unwrap() as usize;
        for (network, name) in [(Network::Bitonic, "bitonic"), (Network::OddEven, "odd_even")] {
            let want = numbers(&size[name]);
            assert_close(&[network.depth(n) as f64, network.comparators(n) as f64], &want, 0.0);
            assert_eq!(network.layers(n).len(), network.depth(n));
        }
    }
}

#[test]
fn networks_sort_every_list_of_zeros_and_ones() {
    // The 0-1 principle: a network that sorts all of these sorts everything.
    for network in NETWORKS {
        for n in 0..=12 {
            let layers = network.layers(n);
            for bits in 0..1_u32 << n {
                let mut list: Vec<u32> = (0..n).map(|i| bits >> i & 1).collect();
                for &(low, high) in layers.iter().flatten() {
                    if list[low] > list[high] {
                        list.swap(low, high);
                    }
                }
                assert!(list.is_sorted(), "{network:?} on {n} wires, input {bits:b}");
            }
        }
    }
}

#[test]
fn layers_use_no_wire_twice() {
    for network in NETWORKS {
        for n in [3, 7, 20, 33, 100] {
            for layer in network.layers(n) {
                let mut wires: Vec<usize> = layer.iter().flat_map(|&(a, b)| [a, b]).collect();
                wires.sort_unstable();
                assert!(wires.windows(2).all(|w| w[0] < w[1]) && wires.iter().all(|&w| w < n));
            }
        }
    }
}

#[test]
fn relaxations_have_hand_derived_values() {
    let at = |r: Relaxation, x| [r.value(x, 2.0), r.slope(x, 2.0)];
    // v = 2·0.5 = 1.
    let e = (-1.0_f64).exp();
    assert_close(&at(Relaxation::Logistic, 0.5), &[1.0 / (1.0 + e), 2.0 * e / (1.0 + e).powi(2)], 1e-15);
    assert_close(&at(Relaxation::Gaussian, 0.5), &[0.841344746068543, 2.0 * 0.241970724519143], 1e-14);
    assert_close(&at(Relaxation::Reciprocal, 0.5), &[2.0 / 3.0, 2.0 / 9.0], 1e-15);
    assert_close(&at(Relaxation::Cauchy, 0.5), &[0.75, 1.0 / std::f64::consts::PI], 1e-15);
    assert_close(&at(Relaxation::Optimal, 0.5), &[15.0 / 16.0, 2.0 / 16.0], 1e-15);
    assert_close(&at(Relaxation::Optimal, -0.05), &[0.4, 2.0], 1e-15);
    // |x| = 1/16: the fourth root is ½, u = 2·(1/16)/½ = ¼; du/dx = 2·¾/½ = 3.
    let s = 1.0 / (1.0 + (-0.25_f64).exp());
    let art = Relaxation::LogisticArt { lambda: 0.25 };
    assert_close(&at(art, 0.0625), &[s, 3.0 * s * (1.0 - s)], 1e-8);
    assert_close(&at(art, 0.0), &[0.5, 0.5 * 10_f64.powf(2.5)], 1e-10);
    assert!(Relaxation::Cauchy.value(f64::NAN, 1.0).is_nan());
}

#[test]
fn relaxations_are_symmetric_and_have_their_slopes() {
    for relaxation in Relaxation::ALL.into_iter().chain([Relaxation::LogisticArt { lambda: 0.7 }]) {
        for i in -400..=400 {
            let x = f64::from(i) / 50.0 + 0.0037;
            let (value, mirrored) = (relaxation.value(x, 1.7), relaxation.value(-x, 1.7));
            assert_close(&[value + mirrored], &[1.0], 1e-14);
            let h = 1e-6;
            let slope = (relaxation.value(x + h, 1.7) - relaxation.value(x - h, 1.7)) / (2.0 * h);
            let tolerance = 2e-6 * (1.0 + slope);
            assert_close(&[relaxation.slope(x, 1.7)], &[slope], tolerance);
        }
    }
}

#[test]
fn error_bounds_hold_and_are_reached() {
    for relaxation in Relaxation::ALL {
        for steepness in [0.5, 1.0, 8.0] {
            let bound = relaxation.error_bound(steepness);
            let gaps = (1..400_000).map(|i| f64::from(i) * 0.0005 / steepness).chain([1e6, 1e9]);
            let worst = gaps.map(|x| x * relaxation.value(-x, steepness)).fold(0.0, f64::max);
            assert!(worst <= bound * (1.0 + 1e-6), "{relaxation:?}: {worst} > {bound}");
            assert!(worst >= bound * (1.0 - 1e-3), "{relaxation:?}: {worst} < {bound}");
        }
        assert!(relaxation.error_bound(0.0).is_nan());
    }
    // At slope 1, as published.
    let published = [Relaxation::Reciprocal.error_bound(4.0), Relaxation::Optimal.error_bound(1.0)];
    assert_close(&published, &[0.25, 0.0625], 0.0);
    assert_close(&[Relaxation::Logistic.error_bound(4.0)], &[0.0696], 5e-5);
}

#[test]
fn swaps_are_monotone_where_claimed() {
    for relaxation in Relaxation::ALL {
        // d/dx of the soft minimum of (0, x), x·f(-x), is f(-x) - x·f'(x): never negative when monotone.
        let lowest = (1..20_000)
            .map(|i| f64::from(i) * 0.01)
            .fold(f64::INFINITY, |low, x| low.min(relaxation.value(-x, 1.0) - x * relaxation.slope(x, 1.0)));
        assert_eq!(lowest >= -1e-15, relaxation.is_monotone(), "{relaxation:?}: {lowest}");
    }
}

/// Central differences of Σ cotangent·f(x).
pub fn differences(x: &[f64], cotangent: &[f64], f: impl Fn(&[f64]) -> Vec<f64>) -> Vec<f64> {
    let h = 1e-6;
    let total = |x: &[f64]| -> f64 { f(x).iter().zip(cotangent).map(|(y, g)| y * g).sum() };
    let mut moved = x.to_vec();
    let mut derivative = |i: usize| {
        let mut at = |value| {
            moved[i] = value;
            total(&moved)
        };
        let slope = (at(x[i] + h) - at(x[i] - h)) / (2.0 * h);
        moved[i] = x[i];
        slope
    };
    (0..x.len()).map(&mut derivative).collect()
}

#[test]
fn gradients_match_finite_differences() {
    for soft in every_soft_sort() {
        for n in SIZES {
            let (x, g) = (scattered(n, n as u64), scattered(n * n, 99));
            let close = |got: Vec<f64>, want: Vec<f64>| {
                let scale = want.iter().fold(1.0_f64, |m, w| m.max(w.abs()));
                let ratio = |v: Vec<f64>| -> Vec<f64> { v.iter().map(|v| v / scale).collect() };
                assert_close(&ratio(got), &ratio(want), 2e-6);
            };
            close(
                soft.ranks_gradient(&x, &g[..n]).unwrap(),
                differences(&x, &g[..n], |x| soft.ranks(x).unwrap()),
            );
            close(
                soft.sorted_gradient(&x, &g[..n]).unwrap(),
                differences(&x, &g[..n], |x| soft.sorted(x).unwrap()),
            );
            if n <= 13 {
                close(
                    soft.permutation_gradient(&x, &g).unwrap(),
                    differences(&x, &g, |x| soft.permutation(x).unwrap()),
                );
            }
        }
    }
}

/// Values and gradient of Σ cotangent·out of a tensor operation.
pub fn through<S: Shape>(
    x: &Matrix,
    cotangent: &[f32],
    op: impl Fn(Matrix<reloss::Tape>) -> reloss::Result<Tensor<S, f32, Dev, reloss::Tape>>,
) -> (Vec<f64>, Vec<f64>) {
    let out = op(x.leaky_trace()).unwrap();
    let values = wide(&out.as_vec());
    let len = values.len();
    let g = x.device().tensor_from_vec(cotangent[..len].to_vec(), (len,));
    let gradients = (out.reshape_like(&(len,)) * g).sum::<(), _>().backward();
    (values, wide(&gradients.get(x).as_vec()))
}

#[test]
fn fused_operations_match_composed_ones_and_f64() {
    for soft in every_soft_sort() {
        for (rows, n) in [(1, 1), (2, 3), (3, 8), (2, 13)] {
            let data = scattered(rows * n, 5);
            let x = matrix(&data, rows);
            let g: Vec<f32> = scattered(rows * n * n, 6).iter().map(|&g| g as f32).collect();
            let pairs = [
                (
                    through(&x, &g, |x| soft_rank(x, &soft.into())),
                    through(&x, &g, |x| composed::soft_rank(x, &soft.into())),
                ),
                (
                    through(&x, &g, |x| soft_sort(x, &soft.into())),
                    through(&x, &g, |x| composed::soft_sort(x, &soft.into())),
                ),
                (
                    through(&x, &g, |x| soft_permutation(x, &soft.into())),
                    through(&x, &g, |x| composed::soft_permutation(x, &soft.into())),
                ),
            ];
            for ((fused, on_fused), (composed, on_composed)) in pairs {
                let scale = on_composed.iter().fold(1.0_f64, |m, g| m.max(g.abs()));
                assert_close(&fused, &composed, 3e-5);
                assert_close(&on_fused, &on_composed, 1e-4 * scale);
            }
            let (_, on_ranks) = through(&x, &g, |x| soft_rank(x, &soft.into()));
            for row in 0..rows {
                let values = wide(&x.as_vec()[row * n..(row + 1) * n]);
                let exact = soft.ranks_gradient(&values, &wide(&g[row * n..(row + 1) * n])).unwrap();
                let scale = exact.iter().fold(1.0_f64, |m, g| m.max(g.abs()));
                assert_close(&on_ranks[row * n..(row + 1) * n], &exact, 5e-5 * scale);
            }
        }
    }
}

#[test]
fn views_and_repeated_use_get_their_gradients() {
    let soft = SortingNetwork::default();
    let x = matrix(&[0.4, 0.1, 0.9], 1).reshape_like(&(3,));
    // A broadcast row: both copies' gradients add up.
    let rows = x.leaky_trace().broadcast_like::<_, Axis<0>>(&(2, 3));
    let weights: Vec<f64> = vec![1.0, 2.0, 4.0, 0.5, 0.0, -3.0];
    let out = soft_rank(rows, &soft.into()).unwrap() * matrix(&weights, 2);
    let got = wide(&out.sum::<(), _>().backward().get(&x).as_vec());
    let want = soft.ranks_gradient(&wide(&x.as_vec()), &[1.5, 2.0, 1.0]).unwrap();
    assert_close(&got, &want, 1e-4);
    // A transposed matrix is read and written in its logical order.
    let tall = matrix(&[0.4, 5.0, 0.1, 6.0, 0.9, 4.0], 3);
    let turned = tall.leaky_trace().permute::<(usize, usize), Axes2<1, 0>>();
    let out = soft_rank(turned, &soft.into()).unwrap() * matrix(&weights, 2);
    let got = wide(&out.sum::<(), _>().backward().get(&tall).as_vec());
    let first = soft.ranks_gradient(&wide(&[0.4, 0.1, 0.9]), &weights[..3]).unwrap();
    assert_close(&[got[0], got[2], got[4]], &first, 1e-4);
}

#[test]
fn many_rows_give_the_same_bits_as_each_alone() {
    // Enough work to be spread over threads.
    let (rows, n) = (64, 64);
    let x = matrix(&scattered(rows * n, 3), rows);
    let g: Vec<f32> = scattered(rows * n, 4).iter().map(|&g| g as f32).collect();
    let soft = SortingNetwork::default();
    let (together, on_together) = through(&x, &g, |x| soft_rank(x, &soft.into()));
    for row in 0..rows {
        let cells = row * n..(row + 1) * n;
        let one = x.device().tensor_from_vec(x.as_vec()[cells.clone()].to_vec(), (1, n));
        let (alone, on_alone) = through(&one, &g[cells.clone()], |x| soft_rank(x, &soft.into()));
        assert_eq!(together[cells.clone()], alone);
        assert_eq!(on_together[cells], on_alone);
    }
}

#[test]
fn ranks_approach_the_hard_ones_at_the_expected_rate() {
    let x = scattered(16, 1);
    let hard = rank(&x, Ties::Average).unwrap();
    let error = |relaxation, steepness| {
        let soft = SortingNetwork { relaxation, steepness, ..SortingNetwork::default() };
        let ranks = soft.ranks(&x).unwrap();
        ranks.iter().zip(&hard).map(|(r, h)| (r - h).abs()).fold(0.0, f64::max)
    };
    for relaxation in [Relaxation::Reciprocal, Relaxation::Cauchy, Relaxation::Optimal] {
        // Tails of 1/v: ten times the steepness, a tenth of the error.
        let ratio = error(relaxation, 1e5) / error(relaxation, 1e6);
        assert!((9.0..11.0).contains(&ratio), "{relaxation:?}: {ratio}");
    }
    for relaxation in [Relaxation::Logistic, Relaxation::Gaussian, Relaxation::LogisticArt { lambda: 0.25 }] {
        assert!(error(relaxation, 1e5) < 1e-9, "{relaxation:?}");
    }
}

#[test]
fn bad_input_is_refused() {
    let soft = SortingNetwork::default();
    for steepness in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e13] {
        let bad = SortingNetwork { steepness, ..soft };
        assert!(matches!(bad.ranks(&[1.0]), Err(Error::Parameter { name: "steepness", .. })));
        assert!(matches!(soft_rank(matrix(&[1.0], 1), &bad.into()), Err(Error::Parameter { .. })));
    }
    for lambda in [-0.1, 1.0, f64::NAN] {
        let bad = SortingNetwork { relaxation: Relaxation::LogisticArt { lambda }, ..soft };
        assert!(matches!(bad.sorted(&[1.0]), Err(Error::Parameter { name: "lambda", .. })));
    }
    for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let values = [0.0, 1.0, bad];
        assert!(matches!(soft.permutation(&values), Err(Error::NotFinite { index: 2, .. })));
        assert!(matches!(
            soft_rank(matrix(&values, 1), &soft.into()),
            Err(Error::NotFinite { index: 2, .. })
        ));
        assert!(matches!(
            composed::soft_sort(matrix(&values, 1), &soft.into()),
            Err(Error::NotFinite { .. })
        ));
    }
    assert!(matches!(soft.ranks(&[]), Err(Error::Shape { .. })));
    for shape in [(0, 3), (2, 0)] {
        let empty = Dev::default().tensor_from_vec(vec![], shape);
        assert!(matches!(soft_permutation(empty, &soft.into()), Err(Error::Shape { .. })));
    }
    assert!(matches!(soft.ranks_gradient(&[1.0, 2.0], &[1.0]), Err(Error::Shape { .. })));
}

#[test]
fn extremes_have_finite_gradients_and_the_sum_of_ranks() {
    let lists: [&[f32]; 7] = [
        &[3.0],
        &[2.0; 6],
        &[1e30, -1e30, 0.0, 1.0, -1e30],
        &[f32::MAX, f32::MIN, 0.0, 1.0],
        &[1e-45, 3e-45, -1e-45, 0.0],
        &[1.0, 1.0 + f32::EPSILON, 1.0],
        &[0.0, -0.0, 1e-20],
    ];
    for soft in every_soft_sort() {
        for steepness in [1e-300, 1e-30, 1.0, 1e6, 1e12] {
            let soft = SortingNetwork { steepness, ..soft };
            for list in lists {
                let n = list.len();
                let x = Dev::default().tensor_from_vec(list.to_vec(), (1, n));
                let g: Vec<f32> = (0..n * n).map(|i| i as f32 * 0.7 - 1.0).collect();
                let (ranks, on_ranks) = through(&x, &g, |x| soft_rank(x, &soft.into()));
                let (sorted, on_sorted) = through(&x, &g, |x| soft_sort(x, &soft.into()));
                let (p, on_p) = through(&x, &g, |x| soft_permutation(x, &soft.into()));
                for value in [&ranks, &on_ranks, &sorted, &on_sorted, &p, &on_p].into_iter().flatten() {
                    assert!(
                        value.is_finite(),
                        "{soft:?} {list:?}: {ranks:?} {on_ranks:?} {on_sorted:?} {on_p:?}"
                    );
                }
                assert_close(&[ranks.iter().sum()], &[(n * (n + 1)) as f64 / 2.0], 1e-4);
                if n == 1 {
                    assert_eq!((ranks, on_ranks), (vec![1.0], vec![0.0]));
                }
            }
        }
    }
}

#[test]
fn ranks_follow_every_tie_rule() {
    let x = [5.0, 1.0, 5.0, -0.0, 0.0, 5.0];
    assert_eq!(rank(&x, Ties::Average).unwrap(), [5.0, 3.0, 5.0, 1.5, 1.5, 5.0]);
    assert_eq!(rank(&x, Ties::Min).unwrap(), [4.0, 3.0, 4.0, 1.0, 1.0, 4.0]);
    assert_eq!(rank(&x, Ties::Max).unwrap(), [6.0, 3.0, 6.0, 2.0, 2.0, 6.0]);
    assert_eq!(rank(&x, Ties::Dense).unwrap(), [3.0, 2.0, 3.0, 1.0, 1.0, 3.0]);
    assert_eq!(rank(&x, Ties::Ordinal).unwrap(), [4.0, 3.0, 5.0, 1.0, 2.0, 6.0]);
    assert_eq!(rank(&[], Ties::Average).unwrap(), Vec::<f64>::new());
    assert!(matches!(rank(&[0.0, f64::NAN], Ties::Min), Err(Error::NotFinite { index: 1, .. })));
}

proptest! {
    #[test]
    fn permutations_are_doubly_stochastic_and_sort_their_input(
        x in prop::collection::vec(-3.0_f64..3.0, 1..20),
        odd_even: bool,
        relaxation in 0_usize..6,
        steepness in 0.1_f64..50.0,
    ) {
        let n = x.len();
        let network = if odd_even { Network::OddEven } else { Network::Bitonic };
        let soft = SortingNetwork { network, relaxation: Relaxation::ALL[relaxation], steepness };
        let p = soft.permutation(&x).unwrap();
        let column = |j: usize| (0..n).map(move |i| (i, i * n + j));
        for i in 0..n {
            prop_assert!((p[i * n..(i + 1) * n].iter().sum::<f64>() - 1.0).abs() < 1e-12);
            prop_assert!((column(i).map(|(_, at)| p[at]).sum::<f64>() - 1.0).abs() < 1e-12);
        }
        prop_assert!(p.iter().all(|&share| (0.0..=1.0).contains(&share)));
        // sort(x) = x @ P, ranks = P @ (1..n), both also without a matrix.
        let sorted: Vec<f64> = (0..n).map(|j| column(j).map(|(i, at)| x[i] * p[at]).sum()).collect();
        let ranks: Vec<f64> =
            p.chunks(n).map(|row| row.iter().zip(1..).map(|(share, place)| share * f64::from(place)).sum()).collect();
        assert_close(&soft.sorted(&x).unwrap(), &sorted, 1e-11);
        assert_close(&soft.ranks(&x).unwrap(), &ranks, 1e-10);
        prop_assert!((sorted.iter().sum::<f64>() - x.iter().sum::<f64>()).abs() < 1e-10);
        // Shifting every value changes no rank.
        let shifted: Vec<f64> = x.iter().map(|v| v + 0.5).collect();
        assert_close(&soft.ranks(&shifted).unwrap(), &ranks, 1e-6);
    }

    #[test]
    fn exact_ranks_order_as_the_values_do(x in prop::collection::vec(-5_i32..5, 1..30)) {
        let x: Vec<f64> = x.into_iter().map(f64::from).collect();
        for ties in [Ties::Average, Ties::Min, Ties::Max, Ties::Dense] {
            let ranks = rank(&x, ties).unwrap();
            for (a, ra) in x.iter().zip(&ranks) {
                for (b, rb) in x.iter().zip(&ranks) {
                    prop_assert_eq!(a.partial_cmp(b), ra.partial_cmp(rb));
                }
            }
        }
        let total: f64 = rank(&x, Ties::Average).unwrap().iter().sum();
        prop_assert_eq!(total, (x.len() * (x.len() + 1)) as f64 / 2.0);
    }
}
