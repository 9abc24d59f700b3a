//! Soft orders in every way, and correlations.

use dfdx::prelude::*;
use reloss::correlation::*;
use reloss::ops::Parameters;
use reloss::rank::soft_rank;
use reloss::sort::{
    soft_argsort, soft_permutation, soft_quantile, soft_sort, soft_top_k, Network, Order, Pairwise,
    Permutahedron, Perturbed, Regularization, Relaxation, Scale, Sinkhorn, SoftSort, SortingNetwork,
    Unimodal, Unimodality,
};
use reloss::{Matrix, Result, Scalar, Tape};

use super::{differentiated, random_matrix, Case};

/// Soft orders are computed in f64 where they are fused.
const CLOSE: f32 = 2e-4;
const ROWS: usize = 3;
const VALUES: usize = 7;

type Form = fn(Matrix<Tape>, &SoftSort) -> Result<Matrix<Tape>>;

const SORT: (&str, Form) = ("soft_sort", soft_sort);
const RANK: (&str, Form) = ("soft_rank", soft_rank);
const TOP: (&str, Form) = ("soft_top_k", |x, soft| soft_top_k(x, 2, soft));
const QUANTILE: (&str, Form) = ("soft_quantile", |x, soft| soft_quantile(x, 0.3, soft));
const ARGSORT: (&str, Form) = ("soft_argsort", soft_argsort);
const PERMUTATION: (&str, Form) = ("soft_permutation", |x, soft| {
    let (rows, n) = *x.shape();
    Ok(soft_permutation(x, soft)?.try_reshape_like(&(rows, n * n))?)
});

const ALL: [(&str, Form); 6] = [SORT, RANK, TOP, QUANTILE, ARGSORT, PERMUTATION];

/// A way's name, the way, and what it gives.
type Way = (&'static str, SoftSort, Vec<(&'static str, Form)>);

fn ways() -> Vec<Way> {
    let relaxed = |network, relaxation| SortingNetwork { network, relaxation, steepness: 3.0 }.into();
    let projected = |regularization| Permutahedron { regularization, strength: 0.7 }.into();
    let unimodal = |unimodality| Unimodal { unimodality, temperature: 0.6 }.into();
    vec![
        ("bitonic", relaxed(Network::Bitonic, Relaxation::LogisticArt { lambda: 0.25 }), ALL.to_vec()),
        ("odd-even", relaxed(Network::OddEven, Relaxation::Cauchy), ALL.to_vec()),
        ("logistic", relaxed(Network::Bitonic, Relaxation::Logistic), vec![RANK]),
        ("Gaussian", relaxed(Network::Bitonic, Relaxation::Gaussian), vec![RANK]),
        ("reciprocal", relaxed(Network::Bitonic, Relaxation::Reciprocal), vec![RANK]),
        ("optimal", relaxed(Network::Bitonic, Relaxation::Optimal), vec![RANK]),
        ("quadratic", projected(Regularization::Quadratic), vec![SORT, RANK, TOP, QUANTILE]),
        ("entropic", projected(Regularization::Entropic), vec![SORT, RANK, TOP, QUANTILE]),
        ("NeuralSort", unimodal(Unimodality::NeuralSort), ALL.to_vec()),
        ("SoftSort", unimodal(Unimodality::SoftSort), ALL.to_vec()),
        ("Sinkhorn", Sinkhorn { temperature: 0.8, iterations: 7 }.into(), ALL.to_vec()),
        ("pairwise", Pairwise { temperature: 0.5 }.into(), vec![RANK]),
        ("perturbed", Perturbed { sigma: 0.5, draws: 50, seed: 1 }.into(), vec![RANK, TOP]),
    ]
}

pub(super) fn cases() -> Vec<Case> {
    let mut cases = correlations();
    for (way, soft, forms) in ways() {
        for (name, form) in forms {
            cases.push(ordered(&format!("{name}, {way}"), soft, form));
        }
    }
    for (name, order, scale) in [
        ("descending, in deviations", Order::Descending, Scale::Deviation),
        ("ascending, in spacings", Order::Ascending, Scale::Spacing),
    ] {
        let soft = SoftSort { order, scale, ..SoftSort::default() };
        cases.extend([SORT, RANK].map(|(form, f)| ordered(&format!("{form}, {name}"), soft, f)));
    }
    cases
}

fn ordered(name: &str, soft: SoftSort, form: Form) -> Case {
    Case::new(name, CLOSE, move || {
        let x = random_matrix(ROWS, VALUES, 1)?;
        differentiated(&[x], &Parameters::default(), |mut x| form(x.remove(0), &soft))
    })
}

const OTHER: [f64; VALUES] = [0.3, 2.0, -1.0, 0.3, 4.0, 0.5, 1.0];
const WEIGHTS: [f64; VALUES] = [1.0, 0.5, 2.0, 0.0, 1.0, 1.5, 0.7];
const MASK: [bool; VALUES] = [true, true, false, true, true, false, true];

fn correlations() -> Vec<Case> {
    let soft = SoftSort::default();
    let quadratic: SoftSort = Permutahedron { strength: 0.5, ..Permutahedron::default() }.into();
    vec![
        correlated("soft_spearman", move |x| soft_spearman(x, &OTHER, &soft)),
        correlated("soft_spearman, quadratic", move |x| soft_spearman(x, &OTHER, &quadratic)),
        correlated("soft_spearman_masked", move |x| soft_spearman_masked(x, &OTHER, &MASK, &soft)),
        correlated("soft_pearson", |x| soft_pearson(x, &OTHER)),
        correlated("soft_pearson_weighted", |x| soft_pearson_weighted(x, &OTHER, &WEIGHTS)),
        correlated("soft_kendall", |x| soft_kendall(x, &OTHER, 0.5)),
        correlated("soft_kendall_weighted", |x| soft_kendall_weighted(x, &OTHER, &WEIGHTS, 0.5)),
    ]
}

fn correlated(name: &str, f: impl Fn(Matrix<Tape>) -> Result<Scalar<Tape>> + 'static) -> Case {
    Case::new(name, CLOSE, move || {
        let x = random_matrix(1, VALUES, 2)?;
        differentiated(&[x], &Parameters::default(), |mut x| Ok(f(x.remove(0))?.try_reshape_like(&(1, 1))?))
    })
}
