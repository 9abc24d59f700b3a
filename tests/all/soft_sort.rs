//! Every way to soften sorting, in every order and unit, with every output, through the same checks.

use dfdx::prelude::*;
use reloss::rank::soft_rank;
use reloss::sort::{
    composed, soft_argsort, soft_permutation, soft_sort, soft_top_k, Annealing, Course, Network, Order,
    Pairwise, Permutahedron, Perturbed, Regularization, Relaxation, Scale, Sinkhorn, SoftSort,
    SortingNetwork, Unimodal, Unimodality, Way,
};
use reloss::{Error, Matrix, Result, Tape};

use crate::sort::{differences, matrix, scattered, through, SIZES};
use crate::support::{assert_close, wide};

const ORDERS: [Order; 2] = [Order::Ascending, Order::Descending];
const SCALES: [Scale; 3] = [Scale::Raw, Scale::Deviation, Scale::Spacing];

/// What is read off a soft order.
#[derive(Clone, Copy, Debug)]
enum Out {
    Values,
    Ranks,
    Top(usize),
    Indices,
    Permutation,
}

const OUTS: [Out; 5] = [Out::Values, Out::Ranks, Out::Top(2), Out::Indices, Out::Permutation];

impl Out {
    fn fits(self, n: usize) -> bool {
        !matches!(self, Self::Top(k) if k > n)
    }

    fn len(self, n: usize) -> usize {
        if matches!(self, Self::Permutation) {
            n * n
        } else {
            n
        }
    }

    fn list(self, soft: &SoftSort, x: &[f64]) -> Result<Vec<f64>> {
        match self {
            Self::Values => soft.sorted(x),
            Self::Ranks => soft.ranks(x),
            Self::Top(k) => soft.top_k(x, k),
            Self::Indices => soft.argsort(x),
            Self::Permutation => soft.permutation(x),
        }
    }

    fn gradient(self, soft: &SoftSort, x: &[f64], g: &[f64]) -> Result<Vec<f64>> {
        match self {
            Self::Values => soft.sorted_gradient(x, g),
            Self::Ranks => soft.ranks_gradient(x, g),
            Self::Top(k) => soft.top_k_gradient(x, k, g),
            Self::Indices => soft.argsort_gradient(x, g),
            Self::Permutation => soft.permutation_gradient(x, g),
        }
    }

    fn fused(self, soft: &SoftSort, x: Matrix<Tape>) -> Result<Matrix<Tape>> {
        match self {
            Self::Values => soft_sort(x, soft),
            Self::Ranks => soft_rank(x, soft),
            Self::Top(k) => soft_top_k(x, k, soft),
            Self::Indices => soft_argsort(x, soft),
            Self::Permutation => flat(soft_permutation(x, soft)),
        }
    }

    fn composed(self, soft: &SoftSort, x: Matrix<Tape>) -> Result<Matrix<Tape>> {
        match self {
            Self::Values => composed::soft_sort(x, soft),
            Self::Ranks => composed::soft_rank(x, soft),
            Self::Top(k) => composed::soft_top_k(x, k, soft),
            Self::Indices => composed::soft_argsort(x, soft),
            Self::Permutation => flat(composed::soft_permutation(x, soft)),
        }
    }
}

fn flat(p: Result<reloss::sort::Matrices<Tape>>) -> Result<Matrix<Tape>> {
    p.map(|p| {
        let (rows, n, _) = *p.shape();
        p.reshape_like(&(rows, n * n))
    })
}

/// The ways whose gradients are those of their values.
fn exact_ways() -> Vec<SoftSort> {
    let network = |network, relaxation| SortingNetwork { network, relaxation, steepness: 3.0 }.into();
    let permutahedron = |regularization| Permutahedron { regularization, strength: 0.7 }.into();
    let unimodal = |unimodality| Unimodal { unimodality, temperature: 0.6 }.into();
    vec![
        network(Network::Bitonic, Relaxation::LogisticArt { lambda: 0.25 }),
        network(Network::OddEven, Relaxation::Cauchy),
        permutahedron(Regularization::Quadratic),
        permutahedron(Regularization::Entropic),
        unimodal(Unimodality::NeuralSort),
        unimodal(Unimodality::SoftSort),
        Sinkhorn { temperature: 0.8, iterations: 7 }.into(),
        Pairwise { temperature: 0.5 }.into(),
    ]
}

fn all_ways() -> Vec<SoftSort> {
    let perturbed = Perturbed { sigma: 0.5, draws: 50, seed: 1 };
    exact_ways().into_iter().chain([perturbed.into()]).collect()
}

fn framed(soft: SoftSort) -> impl Iterator<Item = SoftSort> {
    ORDERS.into_iter().flat_map(move |order| SCALES.map(|scale| SoftSort { order, scale, ..soft }))
}

/// Of a number of the order 1, or as many times larger as the largest wanted.
#[track_caller]
fn close(got: &[f64], want: &[f64], tolerance: f64) {
    let largest = want.iter().fold(1.0, |largest: f64, w| largest.max(w.abs()));
    assert_close(got, want, tolerance * largest);
}

#[test]
fn gradients_of_everything_agree_with_finite_differences() {
    for soft in exact_ways().into_iter().flat_map(framed) {
        for (n, out) in SIZES.into_iter().flat_map(|n| OUTS.map(|out| (n, out))) {
            let (x, g) = (scattered(n, 3), scattered(out.len(n), 11));
            if !out.fits(n) || (n > 16 && matches!(out, Out::Permutation)) {
                continue;
            }
            let value = out.list(&soft, &x);
            let Ok(gradient) = out.gradient(&soft, &x, &g) else {
                assert!(matches!(value, Err(Error::Parameter { name: "sort", .. })), "{soft:?} {out:?}");
                continue;
            };
            close(&gradient, &differences(&x, &g, |x| out.list(&soft, x).unwrap()), 3e-6);
        }
    }
}

#[test]
fn tensors_and_composed_forms_give_what_lists_give() {
    for soft in all_ways().into_iter().flat_map(framed) {
        for (rows, n) in [(1, 1), (2, 3), (3, 8)] {
            let x = matrix(&scattered(rows * n, 5), rows);
            let values: Vec<f64> = wide(&x.as_vec());
            for out in OUTS.into_iter().filter(|out| out.fits(n)) {
                let g = scattered(rows * out.len(n), 6);
                let narrow: Vec<f32> = g.iter().map(|&g| g as f32).collect();
                if out.list(&soft, &values[..n]).is_err() {
                    for refused in [out.fused(&soft, x.leaky_trace()), out.composed(&soft, x.leaky_trace())] {
                        assert!(matches!(refused, Err(Error::Parameter { name: "sort", .. })));
                    }
                    continue;
                }
                let each = || values.chunks(n).zip(g.chunks(out.len(n)));
                let want: Vec<f64> = each().flat_map(|(x, _)| out.list(&soft, x).unwrap()).collect();
                let on_x: Vec<f64> = each().flat_map(|(x, g)| out.gradient(&soft, x, g).unwrap()).collect();
                let (fused, on_fused) = through(&x, &narrow, |x| out.fused(&soft, x));
                let (composed, on_composed) = through(&x, &narrow, |x| out.composed(&soft, x));
                close(&fused, &want, 1e-5);
                close(&composed, &want, 1e-5);
                close(&on_fused, &on_x, 1e-4);
                close(&on_composed, &on_x, 3e-4);
            }
        }
    }
}

#[test]
fn descending_is_ascending_of_the_negated_values() {
    let x = scattered(9, 4);
    let negated: Vec<f64> = x.iter().map(|v| -v).collect();
    for soft in all_ways() {
        let turned = SoftSort { order: Order::Descending, ..soft };
        assert_eq!(turned.ranks(&x).unwrap(), soft.ranks(&negated).unwrap());
        if let Ok(sorted) = soft.sorted(&negated) {
            let sorted: Vec<f64> = sorted.iter().map(|v| -v).collect();
            assert_eq!(turned.sorted(&x).unwrap(), sorted);
        }
    }
}

#[test]
fn units_of_their_own_make_scale_and_shift_irrelevant() {
    let x = scattered(12, 8);
    let moved: Vec<f64> = x.iter().map(|v| 1e4 * v + 37.0).collect();
    for soft in exact_ways().into_iter().flat_map(framed).filter(|soft| soft.scale != Scale::Raw) {
        close(&soft.ranks(&moved).unwrap(), &soft.ranks(&x).unwrap(), 1e-8);
        if let Ok(sorted) = soft.sorted(&x) {
            let sorted: Vec<f64> = sorted.iter().map(|v| 1e4 * v + 37.0).collect();
            close(&soft.sorted(&moved).unwrap(), &sorted, 1e-8);
        }
        // Without differences: the mean rank (a network only keeps the sum), and no gradient that is not finite.
        let tied = soft.ranks(&[4.0; 5]).unwrap();
        close(&[tied.iter().sum()], &[15.0], 1e-9);
        if !matches!(soft.way, Way::Network(_)) {
            close(&tied, &[3.0; 5], 1e-9);
        }
        let g = scattered(5, 2);
        assert!(soft.ranks_gradient(&[4.0; 5], &g).unwrap().iter().all(|g| g.is_finite()));
        let rows = matrix(&[4.0; 5], 1);
        for form in [Out::fused, Out::composed] {
            let ranks = form(Out::Ranks, &soft, rows.leaky_trace()).unwrap();
            let gradients = ranks.square().sum::<(), _>().backward();
            assert!(gradients.get(&rows).as_vec().iter().all(|g| g.is_finite()));
        }
    }
}

#[test]
fn memberships_of_the_last_places() {
    let x = [4.0, -1.0, 2.5, 0.0, 3.0];
    for soft in all_ways() {
        let sharp = match soft.way {
            // Transport needs the more iterations the sharper it is.
            Way::Sinkhorn(_) => Sinkhorn { temperature: 0.02, iterations: 500 }.into(),
            _ => soft.sharpened(1e5),
        };
        let Ok(member) = sharp.top_k(&x, 2) else {
            assert!(sharp.top_k(&x, 2).is_err_and(|e| e.to_string().contains("Pairwise")));
            continue;
        };
        let tolerance = if matches!(soft.way, Way::Sinkhorn(_)) { 5e-3 } else { 1e-5 };
        assert_close(&member, &[1.0, 0.0, 0.0, 0.0, 1.0], tolerance);
        let lowest = SoftSort { order: Order::Descending, ..sharp };
        assert_close(&lowest.top_k(&x, 2).unwrap(), &[0.0, 1.0, 0.0, 1.0, 0.0], tolerance);
        // All places: everything belongs, but one value's shares need not sum to 1 there.
        if !matches!(soft.way, Way::Unimodal(_) | Way::Sinkhorn(_)) {
            assert_close(&soft.top_k(&x, 5).unwrap(), &[1.0; 5], 1e-9);
        }
        for k in [0, 6] {
            assert!(matches!(soft.top_k(&x, k), Err(Error::Parameter { name: "k", .. })));
            assert!(matches!(soft.top_k_gradient(&x, k, &x), Err(Error::Parameter { name: "k", .. })));
        }
    }
}

#[test]
fn projection_onto_memberships_by_hand() {
    // θ/ε = (2.5, 0.5, 1): of the order 2.5, 1, 0.5 against 1, 1, 0, the last two pool at (1.5 − 1)/2 = 1/4.
    let soft = SoftSort::from(Permutahedron { strength: 2.0, ..Permutahedron::default() });
    assert_close(&soft.top_k(&[5.0, 1.0, 2.0], 2).unwrap(), &[1.0, 0.25, 0.75], 1e-12);
    // Entropic, k = 1: ln (1, 0, 0) pools everything: a softmax.
    let soft = SoftSort::from(Permutahedron { regularization: Regularization::Entropic, strength: 1.0 });
    let shares: Vec<f64> = [1.0_f64, 0.0, 3.0].iter().map(|v| v.exp()).collect();
    let total: f64 = shares.iter().sum();
    let want: Vec<f64> = shares.iter().map(|s| s / total).collect();
    assert_close(&soft.top_k(&[1.0, 0.0, 3.0], 1).unwrap(), &want, 1e-12);
}

#[test]
fn annealing_runs_from_one_end_to_the_other() {
    for course in [Course::Linear, Course::Exponential, Course::Cosine] {
        let schedule = Annealing { from: 0.25, to: 4.0, course };
        let factors: Vec<f64> = (0..9).map(|step| schedule.factor(step, 9)).collect();
        assert_close(&[factors[0], factors[8]], &[0.25, 4.0], 1e-12);
        assert!(factors.windows(2).all(|pair| pair[0] < pair[1]));
        assert_eq!((schedule.factor(99, 9), schedule.factor(0, 1)), (4.0, 4.0));
        let sharper = schedule.apply(SoftSort::default(), 8, 9).unwrap();
        assert_eq!(sharper, SortingNetwork { steepness: 20.0, ..SortingNetwork::default() }.into());
    }
    assert_close(&[Annealing { from: 1.0, to: 4.0, course: Course::Cosine }.factor(1, 3)], &[2.5], 1e-12);
    for bad in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let schedule = Annealing { to: bad, ..Annealing::default() };
        let refused = schedule.apply(SoftSort::default(), 0, 2);
        assert!(matches!(refused, Err(Error::Parameter { name: "to", .. })));
    }
}

#[test]
fn extremes_keep_values_and_gradients_finite() {
    let lists: [&[f64]; 6] = [
        &[1e30, -1e30, 0.0, 1e30, 3.0, -0.0],
        &[1e-40, -1e-40, 0.0, 1e-45, 2e-40, -3e-40],
        &[1e30, 1e-40, -1e30, 1.0, 1.0, 1.0],
        &[5.0; 6],
        &[0.0; 6],
        &[-7.0],
    ];
    for soft in all_ways().into_iter().flat_map(framed) {
        for x in lists {
            let n = x.len();
            for out in OUTS.into_iter().filter(|out| out.fits(n)) {
                let g = scattered(out.len(n), 6);
                let Ok(value) = out.list(&soft, x) else { continue };
                let gradient = out.gradient(&soft, x, &g).unwrap();
                assert!(value.iter().chain(&gradient).all(|v| v.is_finite()), "{soft:?} {out:?} {x:?}");
                let narrow: Vec<f32> = g.iter().map(|&g| g as f32).collect();
                for form in [Out::fused, Out::composed] {
                    let (value, gradient) = through(&matrix(x, 1), &narrow, |x| form(out, &soft, x));
                    assert!(value.iter().chain(&gradient).all(|v| v.is_finite()), "{soft:?} {out:?} {x:?}");
                }
            }
        }
    }
}

#[test]
fn a_permuted_list_has_permuted_ranks() {
    // Networks compare by place: theirs agree only where sorting is all but exact.
    let turn = |v: &[f64]| -> Vec<f64> { (0..v.len()).map(|i| v[(5 * i + 3) % v.len()]).collect() };
    for soft in exact_ways().into_iter().flat_map(framed) {
        let x = scattered(12, 21);
        let soft = if matches!(soft.way, Way::Network(_)) { soft.sharpened(1e6) } else { soft };
        assert_close(&soft.ranks(&turn(&x)).unwrap(), &turn(&soft.ranks(&x).unwrap()), 1e-4);
        if let Ok(sorted) = soft.sorted(&x) {
            assert_close(&soft.sorted(&turn(&x)).unwrap(), &sorted, 1e-4);
        }
    }
}

#[test]
fn transport_by_hand_and_doubly_stochastic() {
    // Normalised both ways, two values at a distance d have the odds p/(1 − p) = exp(d/(2τ)) of their order.
    let soft = SoftSort::from(Sinkhorn { temperature: 0.5, iterations: 100 });
    let p = 1.0 / (1.0 + (-0.6_f64 / (2.0 * 0.5)).exp());
    assert_close(&soft.permutation(&[0.6, 0.0]).unwrap(), &[1.0 - p, p, p, 1.0 - p], 1e-12);
    let (n, x) = (9, scattered(9, 31));
    let p = SoftSort::from(Sinkhorn { temperature: 2.0, iterations: 300 }).permutation(&x).unwrap();
    let rows: Vec<f64> = p.chunks(n).map(|row| row.iter().sum()).collect();
    let columns: Vec<f64> = (0..n).map(|j| (0..n).map(|i| p[i * n + j]).sum()).collect();
    assert_close(&rows, &[1.0; 9], 1e-9);
    assert_close(&columns, &[1.0; 9], 1e-12);
    let none = SoftSort::from(Sinkhorn { iterations: 0, ..Sinkhorn::default() });
    assert!(matches!(none.ranks(&x), Err(Error::Parameter { name: "iterations", .. })));
}
