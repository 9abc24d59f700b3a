//! Figures and tables of sweeps, and of losses used elsewhere than where they were learned.

use std::path::Path;

use reloss::display::{ablation, transfer_matrix, Layer};
use reloss::experiment::{Results, Run, Sweep};
use reloss::metric::Direction;
use reloss::Error;

fn data(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("data").join(name)
}

fn run(loss: &str, metric: &str, seed: u64, value: f64) -> Run {
    let [data, model] = ["digits", "mlp"].map(str::to_string);
    let setting = "digits, clean".to_string();
    let (loss, metric) = (loss.to_string(), metric.to_string());
    Run { data, model, loss, metric, direction: Direction::HigherIsBetter, setting, seed, value }
}

#[test]
fn an_axis_is_shown_with_its_differences_and_what_failed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("two.json");
    let losses = r#"[{"name": "usual", "loss": "Original"}, {"name": "other", "loss": "Remedy"}]"#;
    let product = format!(
        r#"{{"name": "p", "tasks": [{{"task": {{"Digits": "Clean"}}}}], "losses": {losses}, "seeds": [0, 1, 2]}}"#
    );
    std::fs::write(&path, format!(r#"{{"products": [{product}]}}"#)).unwrap();
    let sweep = Sweep::read(&path).unwrap();
    let mut results = Results::default();
    for (seed, [usual, other]) in [[0.5, 0.75], [0.5, 0.5], [0.25, 0.5]].into_iter().enumerate() {
        results.runs.push(run("usual", "accuracy", seed as u64, usual));
        results.runs.push(run("another's", "accuracy", seed as u64, 0.0));
        if seed < 2 {
            results.runs.push(run("other", "accuracy", seed as u64, other));
        }
    }
    let missing = ablation(&sweep, "p", &results, "usual").unwrap_err().to_string();
    assert!(missing.contains("other on digits, clean, seed 2"), "{missing}");
    results.runs.push(run("other", "failed", 2, 1.0));
    let text = ablation(&sweep, "p", &results, "usual").unwrap().html().unwrap();
    assert!(text.contains("other on digits, clean: 1 runs failed"), "{text}");
    // Seeds 0 and 1 are paired: 25 and 0 points.
    assert!(text.contains("+12.50") && text.contains("1/2"), "{text}");
    assert!(!text.contains("another"), "{text}");
    assert!(matches!(
        ablation(&sweep, "q", &results, "usual"),
        Err(Error::Parameter { name: "product", .. })
    ));
}

#[test]
fn transfer_matrices_have_a_row_a_loss_and_a_column_a_task() {
    for (file, metric, baseline, tasks, column) in [
        ("results/classification_transfer.csv", "accuracy", "cross_entropy", 6, "MNIST, conv-16-32"),
        ("results/pose_transfer.csv", "PCK@0.1", "mean_squared_error", 3, "fly"),
    ] {
        let results = Results::load(&data(file)).unwrap();
        let panel = transfer_matrix(&results, metric, baseline).unwrap();
        let [Layer::Heat { columns, values, names: [rows, across], .. }] = &panel.layers[..] else {
            panic!("{panel:?}")
        };
        assert_eq!((*columns, values.len()), (tasks, tasks * tasks));
        let at = across.iter().position(|name| name == column).unwrap();
        let setting =
            results.runs.iter().find(|run| run.setting.starts_with(column)).unwrap().setting.clone();
        for (row, loss) in rows.iter().enumerate() {
            let gain = 100.0 * results.paired(&setting, metric, loss, baseline).unwrap().mean;
            assert!((values[row * tasks + at] - gain).abs() <= 0.05 + 1e-9, "{loss}");
        }
        assert!(transfer_matrix(&results, "no metric", baseline).is_err());
    }
}

#[test]
fn the_committed_ablations_are_those_of_the_committed_sweep() {
    let sweep = Sweep::read(&data("sweeps/ablations.json")).unwrap();
    let results = Results::load(&data("results/ablations.csv")).unwrap();
    assert_eq!(sweep.of(&results).unwrap(), results);
    for name in sweep.names() {
        assert!(ablation(&sweep, &name, &results, "default").unwrap().html().unwrap().contains("default"));
    }
}
