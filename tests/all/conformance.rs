//! Cases gathered from other libraries: inputs, what those libraries give, and how closely to agree.
//!
//! `cargo test --release conformance` runs the committed cases; with `RELOSS_CONFORMANCE=FILE` it runs the cases of
//! another file of the same form instead. Failing ids are printed with got and expected.

use reloss::baseline::{approx_ndcg, hinge_bound_ranks, ranking_softmax, AnyLoss, SoftMetric};
use reloss::correlation::{
    kendall_tau_b, kendall_tau_c, pearson, pearson_gradient, somers_d, spearman, weighted_tau, Combine,
    WeightedTau,
};
use reloss::data::{Annotation, Detection};
use reloss::metric::{
    average_precision, end_point_error, exact_match, label_ranking_average_precision, normalized_answer, pck,
    precision_at_k, recall_at_k, roc_auc, rouge_l, rouge_l_sum, rouge_n, token_f1, Average, Bleu, BleuScore,
    Chrf, Confusion, Dcg, Disagreement, Gain, Metric, Oks, Rouge, Scores, Smoothing, Tallies, Tally,
    TiedScores, Tokenizer, TopK,
};
use reloss::rank::{rank, Ties};
use reloss::sort::{
    isotonic_decreasing, log_sum_exp_sorted, Network, Permutahedron, Regularization, Relaxation,
    SortingNetwork, Unimodal, Unimodality,
};
use reloss::surrogate::{weighted_heatmap_error, JointWeights};
use serde_json::{json, Value};

use crate::sort::numbers;

type Outcome = Result<Value, String>;

#[test]
fn conformance() {
    let text = match std::env::var("RELOSS_CONFORMANCE") {
        Ok(path) => std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{path}: {e}")),
        Err(_) => include_str!("../golden/conformance.json").to_string(),
    };
    let file: Value = serde_json::from_str(&text).unwrap();
    let cases = file["cases"].as_array().unwrap();
    let mut failed = 0;
    for case in cases {
        if let Err(reason) = check(case) {
            failed += 1;
            println!("FAILED {}: {reason}", case["id"]);
        }
    }
    println!("{} passed, {failed} failed", cases.len() - failed);
    assert!(!cases.is_empty() && failed == 0, "{failed} of {} cases failed", cases.len());
}

fn check(case: &Value) -> Result<(), String> {
    let tolerance = case["tolerance"].as_f64().ok_or("no tolerance")?;
    match (evaluate(case), &case["expected"]) {
        // Undefined there, an error here.
        (Err(_), Value::Null) => Ok(()),
        (Ok(got), expected) if agree(&got, expected, tolerance) => Ok(()),
        (Ok(got), expected) => Err(format!("got {got}, expected {expected} within {tolerance:e}")),
        (Err(error), expected) => Err(format!("{error}; expected {expected}")),
    }
}

/// Whether all that is expected is there and within the tolerance, relative above 1.
fn agree(got: &Value, expected: &Value, tolerance: f64) -> bool {
    match (got, expected) {
        (Value::Array(got), Value::Array(expected)) => {
            got.len() == expected.len() && got.iter().zip(expected).all(|(g, e)| agree(g, e, tolerance))
        }
        (Value::Object(got), Value::Object(expected)) => {
            expected.iter().all(|(key, e)| got.get(key).is_some_and(|g| agree(g, e, tolerance)))
        }
        // Jacobians are computed always, not always expected.
        (Value::Object(got), Value::Array(_)) => {
            got.get("value").is_some_and(|g| agree(g, expected, tolerance))
        }
        (Value::String(got), Value::String(expected)) => got == expected,
        _ => match (got.as_f64(), expected.as_f64()) {
            (Some(g), Some(e)) => (g - e).abs() <= tolerance * e.abs().max(1.0),
            _ => false,
        },
    }
}

fn evaluate(case: &Value) -> Outcome {
    let (params, inputs) = (&case["params"], &case["inputs"]);
    match case["function"].as_str().unwrap_or_default() {
        "diffsort" => networks(params, inputs),
        "network_size" => Ok(network_size(inputs["n"].as_u64().ok_or("no n")? as usize)),
        "soft_rank" => project(params, inputs, Permutahedron::ranks, Permutahedron::ranks_gradient, 1.0),
        "soft_sort" => project(params, inputs, Permutahedron::sorted, Permutahedron::sorted_gradient, -1.0),
        "isotonic_decreasing" => show(isotonic_decreasing(&numbers(&inputs["y"]))),
        "bitonic_logsumexp_sort" => show(log_sum_exp_sorted(&numbers(&inputs["values"]))),
        "neuralsort_matrix" => unimodal(Unimodality::NeuralSort, params, inputs),
        "softsort_matrix" => unimodal(Unimodality::SoftSort, params, inputs),
        "rankdata" => show(rank(&numbers(&inputs["x"]), ties(params)?)),
        "pearson" => pair(inputs, pearson),
        "spearman" => pair(inputs, spearman),
        "kendall_tau_b" => pair(inputs, kendall_tau_b),
        "kendall_tau_c" => pair(inputs, kendall_tau_c),
        "weighted_tau" => pair(inputs, |x, y| weighted(params, x, y)),
        "somers_d" => somers(inputs),
        "diffsort_spearman" => diffsort_spearman(params, inputs).map(|(value, _)| value),
        "diffsort_spearman_grad" => diffsort_spearman(params, inputs).map(|(_, gradient)| gradient),
        "soft_spearman_grad" => soft_spearman_gradient(params, inputs),
        "anyloss_accuracy" => soft_counts(SoftMetric::Accuracy, params, inputs),
        "anyloss_f1" => soft_counts(SoftMetric::FBeta(1.0), params, inputs),
        "anyloss_fbeta" => soft_counts(SoftMetric::FBeta(number(params, "beta")?), params, inputs),
        "anyloss_gmean" => soft_counts(SoftMetric::GMean, params, inputs),
        "anyloss_balanced_accuracy" => soft_counts(SoftMetric::BalancedAccuracy, params, inputs),
        "ranking_softmax_loss" => listwise(inputs, ranking_softmax).map(|(value, _)| value),
        "ranking_softmax_loss_grad" => listwise(inputs, ranking_softmax).map(|(_, gradient)| gradient),
        "approx_ndcg" => {
            let temperature = number(params, "temperature")?;
            listwise(inputs, |scores, labels| approx_ndcg(scores, labels, temperature))
                .map(|(value, _)| value)
        }
        "hinge_bound_ranks" => show(hinge_bound_ranks(&numbers(&inputs["scores"]))),
        "f1" => averaged(params, inputs, |c, average| c.f_beta(1.0, average)),
        "fbeta" => {
            let beta = number(params, "beta")?;
            averaged(params, inputs, |c, average| c.f_beta(beta, average))
        }
        "precision" => averaged(params, inputs, Tallies::precision),
        "recall" => averaged(params, inputs, Tallies::recall),
        "jaccard" => averaged(params, inputs, Tallies::jaccard),
        "f1_multilabel" => multilabel_f1(inputs),
        "balanced_accuracy" => show(confusion(inputs)?.tallies().balanced_accuracy()),
        "matthews_corrcoef" => show(confusion(inputs)?.tallies().matthews()),
        "cohen_kappa" => show(confusion(inputs)?.kappa(Disagreement::Plain)),
        "top_k_accuracy" => top_k(params, inputs),
        "roc_auc" => show(roc_auc(&numbers(&inputs["y_score"]), &flags(&inputs["y_true"]))),
        "average_precision" => ap(params, inputs),
        "label_ranking_average_precision" => {
            let (truth, scores) = (matrix(&inputs["y_true"]), matrix(&inputs["y_score"]));
            let truth: Vec<bool> = truth.concat().iter().map(|&v| v != 0.0).collect();
            show(label_ranking_average_precision(&scores.concat(), &truth, scores[0].len()))
        }
        "dcg" => gains(params, inputs, |dcg, scores, labels| dcg.value(scores, labels)),
        "ndcg" => gains(params, inputs, |dcg, scores, labels| dcg.normalized(scores, labels)),
        "ndcg_at" => {
            let at = numbers(&params["at"]).into_iter().map(|k| {
                let dcg = Dcg { gain: Gain::Exponential, ties: TiedScores::InOrder, k: Some(k as usize) };
                dcg.normalized(&numbers(&inputs["scores"]), &numbers(&inputs["labels"]))
            });
            show(at.collect::<reloss::Result<Vec<_>>>())
        }
        "precision_at3" => show(precision_at_k(&numbers(&inputs["scores"]), &flags(&inputs["labels"]), 3)),
        "recall_at3" => show(recall_at_k(&numbers(&inputs["scores"]), &flags(&inputs["labels"]), 3)),
        "corpus_bleu" => {
            let scale = if params["scale"] == "0-1" { 0.01 } else { 1.0 };
            show(bleu(params, inputs)?.map(|score| scale * score.score))
        }
        "raw_corpus_bleu" => show(bleu(params, inputs)?.map(|score| 0.01 * score.score)),
        "bleu_statistics" => bleu(params, inputs)?
            .map(|s| json!({ "counts": s.matches, "totals": s.totals }))
            .map_err(|e| e.to_string()),
        "chrf" => chrf(params, inputs),
        "rouge1" => rouge(params, inputs, |t, p| rouge_n(&t.concat(), &p.concat(), 1)),
        "rouge2" => rouge(params, inputs, |t, p| rouge_n(&t.concat(), &p.concat(), 2)),
        "rougeL" => rouge(params, inputs, |t, p| Ok(rouge_l(&t.concat(), &p.concat()))),
        "rougeLsum" => rouge(params, inputs, |t, p| Ok(rouge_l_sum(t, p))),
        "reloss_pose" => {
            let weights = &inputs["weights"];
            let flat = |value: &Value| numbers(&flattened(value));
            let layers = JointWeights {
                w1: flat(&weights["w1"]),
                b1: flat(&weights["b1"]),
                w2: flat(&weights["w2"]),
                b2: flat(&weights["b2"])[0],
            };
            let [output, target, mask] = ["output", "target", "mask"].map(|name| flat(&inputs[name]));
            show(weighted_heatmap_error(&output, &target, &mask, &layers))
        }
        "pck" => poses(inputs, |p| {
            let normalizers = matrix(&inputs["normalizer"]).iter().map(|n| [n[0], n[1]]).collect::<Vec<_>>();
            let threshold = params["threshold"].as_f64().unwrap_or(f64::NAN);
            let pck = pck(&p.predicted(), &p.target(), &p.mask(), &normalizers, threshold)?;
            let each: Vec<f64> = pck.each.iter().map(|share| share.unwrap_or(-1.0)).collect();
            let count = pck.each.iter().flatten().count();
            // 0 there where nothing has a value.
            Ok(json!({ "acc": each, "avg": pck.mean().unwrap_or(0.0), "cnt": count }))
        }),
        "end_point_error" => {
            poses(inputs, |p| Ok(end_point_error(&p.predicted(), &p.target(), &p.mask())?.into()))
        }
        "oks_matrix" => oks_matrix(inputs),
        "coco_keypoint_ap" => {
            let (annotations, detections) = coco(inputs)?;
            let ap =
                Oks::default().average_precision(&annotations, &detections).map_err(|e| e.to_string())?;
            let all = [ap.ap, ap.ap50, ap.ap75, ap.ap_medium, ap.ap_large, ap.ar];
            Ok(all.map(|value| value.unwrap_or(-1.0)).to_vec().into())
        }
        "lcs_length" => {
            let (reference, candidate) = (numbers(&inputs["ref"]), numbers(&inputs["can"]));
            let whole = |list: &[f64]| list.iter().map(|&v| v as i64).collect::<Vec<_>>();
            let rouge = rouge_l(&whole(&reference), &whole(&candidate));
            Ok((rouge.recall * reference.len() as f64).into())
        }
        "squad_em_f1" => {
            let (gold, answer) = (text(&inputs["gold"]), text(&inputs["prediction"]));
            Ok(json!({
                "exact": u8::from(exact_match(answer, &[gold])),
                "f1": token_f1(answer, &[gold]),
                "normalized_gold": normalized_answer(gold),
                "normalized_prediction": normalized_answer(answer),
            }))
        }
        other => Err(format!("no function here answers to `{other}`")),
    }
}

fn show<T: Into<Value>>(result: reloss::Result<T>) -> Outcome {
    result.map(Into::into).map_err(|e| e.to_string())
}

fn number(value: &Value, name: &str) -> Result<f64, String> {
    value[name].as_f64().ok_or_else(|| format!("no {name}"))
}

fn pair(inputs: &Value, f: impl Fn(&[f64], &[f64]) -> reloss::Result<f64>) -> Outcome {
    show(f(&numbers(&inputs["x"]), &numbers(&inputs["y"])))
}

fn network(params: &Value) -> Result<SortingNetwork, String> {
    let network = match params["network"].as_str() {
        Some("bitonic") => Network::Bitonic,
        Some("odd_even") => Network::OddEven,
        other => return Err(format!("network {other:?}")),
    };
    let relaxation = match params["distribution"].as_str() {
        Some("logistic") => Relaxation::Logistic,
        Some("logistic_phi") => Relaxation::LogisticArt { lambda: number(params, "art_lambda")? },
        Some("gaussian") => Relaxation::Gaussian,
        Some("reciprocal") => Relaxation::Reciprocal,
        Some("cauchy") => Relaxation::Cauchy,
        Some("optimal") => Relaxation::Optimal,
        other => return Err(format!("distribution {other:?}")),
    };
    Ok(SortingNetwork { network, relaxation, steepness: number(params, "steepness")? })
}

fn rows(values: &[f64], n: usize) -> Value {
    values.chunks(n.max(1)).collect::<Vec<_>>().into()
}

fn networks(params: &Value, inputs: &Value) -> Outcome {
    let soft = network(params)?;
    let (mut sorted, mut permutation, mut ranks) = (vec![], vec![], vec![]);
    for row in inputs["values"].as_array().ok_or("no values")? {
        let values = numbers(row);
        let text = |e: reloss::Error| e.to_string();
        sorted.push(soft.sorted(&values).map_err(text)?);
        permutation.push(rows(&soft.permutation(&values).map_err(text)?, values.len()));
        // Theirs count from 0.
        let from_1 = soft.ranks(&values).map_err(text)?;
        ranks.push(from_1.into_iter().map(|r| r - 1.0).collect::<Vec<_>>());
    }
    Ok(json!({ "sorted": sorted, "permutation": permutation, "soft_rank0": ranks }))
}

fn network_size(n: usize) -> Value {
    json!({
        "bitonic_layers": Network::Bitonic.depth(n),
        "bitonic_comparators": Network::Bitonic.comparators(n),
        "odd_even_layers": Network::OddEven.depth(n),
        "odd_even_comparators": Network::OddEven.comparators(n),
    })
}

fn permutahedron(params: &Value) -> Result<Permutahedron, String> {
    let regularization = match params["regularization"].as_str() {
        Some("l2") => Regularization::Quadratic,
        Some("kl") => Regularization::Entropic,
        other => return Err(format!("regularization {other:?}")),
    };
    Ok(Permutahedron { regularization, strength: number(params, "strength")? })
}

type Value1 = fn(&Permutahedron, &[f64]) -> reloss::Result<Vec<f64>>;
type Gradient1 = fn(&Permutahedron, &[f64], &[f64]) -> reloss::Result<Vec<f64>>;

/// Descending is ascending of the negated values; `back` turns the results round.
fn project(params: &Value, inputs: &Value, value: Value1, gradient: Gradient1, back: f64) -> Outcome {
    let soft = permutahedron(params)?;
    let (sign, back) = if params["direction"] == "DESCENDING" { (-1.0, back) } else { (1.0, 1.0) };
    let values: Vec<f64> = numbers(&inputs["values"]).iter().map(|v| sign * v).collect();
    let text = |e: reloss::Error| e.to_string();
    let scaled = |list: Vec<f64>, factor: f64| list.into_iter().map(|v| factor * v).collect::<Vec<_>>();
    let out = scaled(value(&soft, &values).map_err(text)?, back);
    let row = |i: usize| {
        let unit: Vec<f64> = (0..values.len()).map(|j| f64::from(u8::from(i == j))).collect();
        gradient(&soft, &values, &unit).map(|row| scaled(row, back * sign)).map_err(text)
    };
    let jacobian: Vec<Vec<f64>> = (0..values.len()).map(row).collect::<Result<_, _>>()?;
    Ok(json!({ "value": out, "jacobian": jacobian }))
}

/// Theirs has places as rows, from the largest: ours transposed, columns reversed.
fn unimodal(unimodality: Unimodality, params: &Value, inputs: &Value) -> Outcome {
    let soft = Unimodal { unimodality, temperature: number(params, "tau")? };
    let values = numbers(&inputs["values"]);
    let n = values.len();
    let p = soft.permutation(&values).map_err(|e| e.to_string())?;
    let theirs: Vec<f64> = (0..n * n).map(|i| p[i % n * n + (n - 1 - i / n)]).collect();
    Ok(rows(&theirs, n))
}

fn ties(params: &Value) -> Result<Ties, String> {
    match params["method"].as_str() {
        Some("average") => Ok(Ties::Average),
        Some("min") => Ok(Ties::Min),
        Some("max") => Ok(Ties::Max),
        Some("dense") => Ok(Ties::Dense),
        Some("ordinal") => Ok(Ties::Ordinal),
        other => Err(format!("method {other:?}")),
    }
}

/// SciPy's `rank`: true (also where it is not given) for both, null for by x, false for by place.
fn weighted(params: &Value, x: &[f64], y: &[f64]) -> reloss::Result<f64> {
    let ranks = match params.get("rank") {
        None | Some(Value::Bool(true)) => WeightedTau::Both,
        Some(Value::Bool(false)) => WeightedTau::ByPlace,
        Some(_) => WeightedTau::ByX,
    };
    let combine = if params["additive"] == false { Combine::Product } else { Combine::Sum };
    weighted_tau(x, y, ranks, combine)
}

/// Of two lists, or of a contingency table with x down and y across.
fn somers(inputs: &Value) -> Outcome {
    let Some(table) = inputs["table"].as_array() else { return pair(inputs, somers_d) };
    let (mut x, mut y) = (vec![], vec![]);
    for (i, row) in table.iter().enumerate() {
        for (j, count) in numbers(row).into_iter().enumerate() {
            x.extend(vec![i as f64; count as usize]);
            y.extend(vec![j as f64; count as usize]);
        }
    }
    show(somers_d(&x, &y))
}

/// The released code's correlation: soft ranks of what is predicted, as it is, against exact ranks.
fn diffsort_spearman(params: &Value, inputs: &Value) -> Result<(Value, Value), String> {
    let (pred, target) = (numbers(&inputs["pred"]), numbers(&inputs["target"]));
    let soft = network(params)?;
    let both = || {
        let (soft_ranks, exact) = (soft.ranks(&pred)?, rank(&target, Ties::Average)?);
        let on_ranks = pearson_gradient(&soft_ranks, &exact)?;
        Ok((pearson(&soft_ranks, &exact)?.into(), soft.ranks_gradient(&pred, &on_ranks)?.into()))
    };
    both().map_err(|e: reloss::Error| e.to_string())
}

/// torchsort's example: soft ranks on both sides.
fn soft_spearman_gradient(params: &Value, inputs: &Value) -> Outcome {
    let (pred, target) = (numbers(&inputs["pred"]), numbers(&inputs["target"]));
    let soft = permutahedron(params)?;
    let both = || {
        let on_ranks = pearson_gradient(&soft.ranks(&pred)?, &soft.ranks(&target)?)?;
        soft.ranks_gradient(&pred, &on_ranks)
    };
    show(both())
}

fn matrix(value: &Value) -> Vec<Vec<f64>> {
    value.as_array().map_or(vec![], |rows| rows.iter().map(numbers).collect())
}

fn flags(value: &Value) -> Vec<bool> {
    numbers(value).iter().map(|&v| v > 0.0).collect()
}

/// Labels by the order of their values: any numbers name classes.
fn soft_counts(metric: SoftMetric, params: &Value, inputs: &Value) -> Outcome {
    let labels: Vec<usize> = numbers(&inputs["y_true"]).iter().map(|&y| y as usize).collect();
    let loss = AnyLoss { metric, steepness: number(params, "L")? };
    show(loss.value(&numbers(&inputs["p"]), &labels).map(|(value, _)| value))
}

/// Value and gradient.
fn listwise(
    inputs: &Value,
    of: impl Fn(&[f64], &[f64]) -> reloss::Result<(f64, Vec<f64>)>,
) -> Result<(Value, Value), String> {
    let (scores, labels) = (numbers(&inputs["scores"]), numbers(&inputs["labels"]));
    let (value, gradient) = of(&scores, &labels).map_err(|e| e.to_string())?;
    Ok((json!(value), json!(gradient)))
}

fn confusion(inputs: &Value) -> Result<Confusion, String> {
    let (truth, predicted) = (numbers(&inputs["y_true"]), numbers(&inputs["y_pred"]));
    let both: Vec<f64> = truth.iter().chain(&predicted).copied().collect();
    let named: Vec<usize> =
        rank(&both, Ties::Dense).map_err(|e| e.to_string())?.iter().map(|&r| r as usize - 1).collect();
    let classes = named.iter().max().map_or(0, |&last| last + 1);
    Confusion::new(&named[..truth.len()], &named[truth.len()..], classes).map_err(|e| e.to_string())
}

fn averaged(
    params: &Value,
    inputs: &Value,
    of: impl Fn(&Tallies, Average) -> reloss::Result<f64>,
) -> Outcome {
    let tallies = confusion(inputs)?.tallies();
    match params["average"].as_str() {
        None => {
            let each = (0..tallies.each().len()).map(|class| of(&tallies, Average::Of(class)));
            show(each.collect::<reloss::Result<Vec<_>>>())
        }
        Some("macro") => show(of(&tallies, Average::Macro)),
        Some("micro") => show(of(&tallies, Average::Micro)),
        Some("weighted") => show(of(&tallies, Average::Weighted)),
        Some("binary") => show(of(&tallies, Average::Of(1))),
        Some(other) => Err(format!("average {other}")),
    }
}

fn columns(value: &Value) -> Vec<Vec<f64>> {
    let rows = matrix(value);
    (0..rows.first().map_or(0, Vec::len)).map(|j| rows.iter().map(|row| row[j]).collect()).collect()
}

fn relevant(column: &[f64]) -> Vec<bool> {
    column.iter().map(|&v| v > 0.0).collect()
}

fn multilabel_f1(inputs: &Value) -> Outcome {
    let labels = columns(&inputs["y_true"]).into_iter().zip(columns(&inputs["y_pred"]));
    let f1 = |(truth, predicted): (Vec<f64>, Vec<f64>)| {
        Tally::of_flags(&relevant(&truth), &relevant(&predicted))?.f_beta(1.0)
    };
    show(labels.map(f1).collect::<reloss::Result<Vec<_>>>())
}

fn top_k(params: &Value, inputs: &Value) -> Outcome {
    let rows = matrix(&inputs["y_score"]);
    let values = rows.concat().iter().map(|&v| v as f32).collect();
    let labels: Vec<usize> = numbers(&inputs["y_true"]).iter().map(|&v| v as usize).collect();
    let both = || {
        let scores = Scores::new(values, rows.first().map_or(0, Vec::len))?;
        TopK::new(params["k"].as_u64().unwrap_or(0) as usize)?.value(&scores, &labels)
    };
    show(both())
}

fn ap(params: &Value, inputs: &Value) -> Outcome {
    let (truth, scores) = (&inputs["y_true"], &inputs["y_score"]);
    match params["average"].as_str() {
        None => show(average_precision(&numbers(scores), &flags(truth))),
        Some("micro") => {
            show(average_precision(&matrix(scores).concat(), &relevant(&matrix(truth).concat())))
        }
        Some("macro") => {
            let each: Vec<_> = columns(scores).into_iter().zip(columns(truth)).collect();
            let sum = each.iter().map(|(scores, truth)| average_precision(scores, &relevant(truth)));
            show(sum.sum::<reloss::Result<f64>>().map(|sum| sum / each.len() as f64))
        }
        Some(other) => Err(format!("average {other}")),
    }
}

/// One list, or the mean over rows. scikit-learn's relevance shares ties, the others' labels stand in order.
fn gains(
    params: &Value,
    inputs: &Value,
    of: impl Fn(&Dcg, &[f64], &[f64]) -> reloss::Result<f64>,
) -> Outcome {
    let gain = if params["gain"] == "linear" { Gain::Linear } else { Gain::Exponential };
    let shared = inputs.get("relevance").is_some();
    let ties = if shared { TiedScores::Share } else { TiedScores::InOrder };
    let dcg = Dcg { gain, ties, k: params["k"].as_u64().map(|k| k as usize) };
    let lists = |value: &Value| if value[0].is_array() { matrix(value) } else { vec![numbers(value)] };
    let labels = lists(if shared { &inputs["relevance"] } else { &inputs["labels"] });
    let each =
        lists(&inputs["scores"]).into_iter().zip(&labels).map(|(scores, labels)| of(&dcg, &scores, labels));
    show(each.sum::<reloss::Result<f64>>().map(|sum| sum / labels.len() as f64))
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// Hypotheses, and of each its references: the files list references by system, as sacrebleu does.
fn segments(inputs: &Value) -> (Vec<&str>, Vec<Vec<&str>>) {
    let list = |value: &'_ Value| value.as_array().cloned().unwrap_or_default();
    let hypotheses: Vec<&str> =
        inputs["hypotheses"].as_array().map_or(vec![], |h| h.iter().map(text).collect());
    let streams = list(&inputs["references"]).len();
    let of = |segment: usize| (0..streams).map(|s| text(&inputs["references"][s][segment])).collect();
    let references = (0..hypotheses.len()).map(of).collect();
    (hypotheses, references)
}

fn bleu(params: &Value, inputs: &Value) -> Result<reloss::Result<BleuScore>, String> {
    let value = params["smooth_value"].as_f64();
    let bleu = Bleu {
        tokenizer: match params["tokenize"].as_str() {
            Some("13a") => Tokenizer::V13a,
            Some("intl") => Tokenizer::International,
            Some("char") => Tokenizer::Character,
            Some("none") | None => Tokenizer::Whitespace,
            Some(other) => return Err(format!("tokenizer {other}")),
        },
        smoothing: match params["smooth"].as_str() {
            Some("exp") => Smoothing::Exponential,
            Some("floor") => Smoothing::Floor(value.unwrap_or(0.1)),
            Some("add-k") => Smoothing::AddK(value.unwrap_or(1.0)),
            Some("none") | None => Smoothing::None,
            Some(other) => return Err(format!("smoothing {other}")),
        },
        order: params["max_order"].as_u64().unwrap_or(4) as usize,
        lowercase: params["lowercase"] == true,
        effective_order: params["effective_order"] == true,
    };
    let (hypotheses, references) = segments(inputs);
    Ok(bleu.corpus(&hypotheses, &references))
}

fn chrf(params: &Value, inputs: &Value) -> Outcome {
    let chrf = Chrf {
        order: params["char_order"].as_u64().unwrap_or(6) as usize,
        word_order: params["word_order"].as_u64().unwrap_or(0) as usize,
        beta: params["beta"].as_f64().unwrap_or(2.0),
        lowercase: params["lowercase"] == true,
        smoothed: params["eps_smoothing"] == true,
    };
    let (hypotheses, references) = segments(inputs);
    show(chrf.corpus(&hypotheses, &references))
}

/// Tokens of every line, as rouge-score's default tokenizer finds them.
fn rouge(
    params: &Value,
    inputs: &Value,
    of: impl Fn(&[Vec<String>], &[Vec<String>]) -> reloss::Result<Rouge>,
) -> Outcome {
    let tokens = if params["use_stemmer"] == true { Rouge::stemmed_tokens } else { Rouge::ascii_tokens };
    let lines = |name: &str| text(&inputs[name]).split('\n').map(tokens).collect::<Vec<_>>();
    let rouge = of(&lines("target"), &lines("prediction")).map_err(|e| e.to_string())?;
    Ok(json!({ "precision": rouge.precision, "recall": rouge.recall, "fmeasure": rouge.f1 }))
}

/// Instances of keypoints as the files hold them.
struct Poses {
    predicted: Vec<Vec<[f64; 2]>>,
    target: Vec<Vec<[f64; 2]>>,
    mask: Vec<Vec<bool>>,
}

impl Poses {
    fn predicted(&self) -> Vec<&[[f64; 2]]> {
        self.predicted.iter().map(Vec::as_slice).collect()
    }

    fn target(&self) -> Vec<&[[f64; 2]]> {
        self.target.iter().map(Vec::as_slice).collect()
    }

    fn mask(&self) -> Vec<&[bool]> {
        self.mask.iter().map(Vec::as_slice).collect()
    }
}

/// All numbers of nested lists, in order.
fn flattened(value: &Value) -> Value {
    match value.as_array() {
        Some(items) if items.iter().any(Value::is_array) => {
            let flat = items.iter().map(flattened);
            flat.flat_map(|part| part.as_array().cloned().unwrap_or_default()).collect()
        }
        _ => value.clone(),
    }
}

fn poses(inputs: &Value, of: impl Fn(&Poses) -> reloss::Result<Value>) -> Outcome {
    let instances = |name: &str| {
        let list = inputs[name].as_array().cloned().unwrap_or_default();
        list.iter().map(|i| matrix(i).iter().map(|p| [p[0], p[1]]).collect()).collect()
    };
    let mask = inputs["mask"].as_array().cloned().unwrap_or_default();
    let flags =
        |row: &Value| row.as_array().map_or(vec![], |row| row.iter().map(|flag| flag == true).collect());
    let poses = Poses {
        predicted: instances("pred"),
        target: instances("target"),
        mask: mask.iter().map(flags).collect(),
    };
    of(&poses).map_err(|e| e.to_string())
}

fn coco(inputs: &Value) -> Result<(Vec<Annotation>, Vec<Detection>), String> {
    let annotations = serde_json::from_value(inputs["ground_truth"]["annotations"].clone());
    let detections = serde_json::from_value(inputs["detections"].clone());
    Ok((annotations.map_err(|e| e.to_string())?, detections.map_err(|e| e.to_string())?))
}

/// Of every image, detections from the surest down by annotations.
fn oks_matrix(inputs: &Value) -> Outcome {
    let (annotations, mut detections) = coco(inputs)?;
    detections.sort_by(|a, b| b.score.total_cmp(&a.score));
    let mut images = serde_json::Map::new();
    for annotation in &annotations {
        let of_image = |image: u64| image == annotation.image_id;
        let rows = detections.iter().filter(|d| of_image(d.image_id)).map(|d| {
            let here = annotations.iter().filter(|a| of_image(a.image_id));
            here.map(|a| Oks::default().similarity(&d.keypoints, a)).collect::<reloss::Result<Vec<f64>>>()
        });
        let rows = rows.collect::<reloss::Result<Vec<_>>>().map_err(|e| e.to_string())?;
        images.insert(format!("image_{}", annotation.image_id), rows.into());
    }
    Ok(images.into())
}
