//! The command line program makes what it is asked for, and refuses what it cannot do, in one line and with status 1.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Output};

use reloss::experiment::Results;

fn reloss(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_reloss")).args(arguments).output().unwrap()
}

fn refusal(arguments: &[&str]) -> String {
    let output = reloss(arguments);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(output.stdout.is_empty(), "{output:?}");
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(message.starts_with("reloss: ") && message.lines().count() == 1, "{message}");
    message
}

#[test]
fn a_setting_that_does_not_exist_is_named_beside_those_that_do() {
    let message = refusal(&["classify", "--setting", "clean", "--setting", "noisy"]);
    assert!(message.contains("\"noisy\"") && message.contains("clean; noise 20 %"), "{message}");
}

#[test]
fn options_that_a_table_has_no_use_for_are_refused() {
    for (arguments, name) in [
        (["classify", "--table", "full", "--data", "mnist"], "`data`"),
        (["classify", "--table", "transfer", "--network", "mlp"], "`network`"),
        (["classify", "--table", "transfer", "--few", "--resume"], "`few`"),
        (["classify", "--table", "digits", "--rows", "500"], "`rows`"),
        (["classify", "--table", "digits", "--epochs", "3"], "`epochs`"),
        (["classify", "--table", "digits", "--tuning-seeds", "3"], "`tuning_seeds`"),
        (["classify", "--table", "digits", "--loss", "reloss"], "`loss`"),
    ] {
        let message = refusal(&arguments);
        assert!(message.contains(name) && message.contains("no use"), "{message}");
    }
}

#[test]
fn no_seeds_and_too_many_are_refused() {
    assert!(refusal(&["classify", "--seeds", "0"]).contains("`seeds`"));
    assert!(refusal(&["classify", "--seed", "18446744073709551615"]).contains("`seeds`"));
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    let out = file.join("out");
    let out = out.to_str().unwrap();
    assert!(refusal(&["classify", "--out", out]).contains(out));
}

#[test]
fn results_of_another_budget_are_not_continued() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("classification.csv");
    let made = "cargo run --release -- classify --seeds 1 --seed 7 --table images --data digits --rows 100 --epochs 1";
    std::fs::write(&path, format!("# {made}\n")).unwrap();
    let out = folder.path().to_str().unwrap();
    for other in [["--rows", "200", "--epochs", "1"], ["--rows", "100", "--epochs", "2"]] {
        let arguments = ["classify", "--table", "images", "--seeds", "1", "--resume", "--out", out];
        let message = refusal(&[&arguments[..], &other].concat());
        assert!(message.contains("`resume`") && message.contains(made), "{message}");
    }
    assert_eq!(std::fs::read_to_string(&path).unwrap(), format!("# {made}\n"));
}

#[test]
fn a_table_has_the_regimes_asked_for_and_few_losses_if_so_asked() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = ["classify", "--table", "images", "--network", "mlp", "--rows", "100", "--epochs", "1"];
    let asked = ["--few", "--seeds", "1", "--setting", "clean", "--setting", "noise 20"];
    let out = ["--out", folder.path().to_str().unwrap()];
    assert!(reloss(&[&arguments[..], &asked, &out].concat()).status.success());
    let results = Results::load(&folder.path().join("classification.csv")).unwrap();
    let settings: BTreeSet<&str> = results.runs.iter().map(|run| run.setting.as_str()).collect();
    assert_eq!(
        settings.into_iter().collect::<Vec<_>>(),
        ["digits, mlp-128, clean", "digits, mlp-128, noise 20 %"]
    );
    let losses: BTreeSet<&str> = results.runs.iter().map(|run| run.loss.as_str()).collect();
    assert!(losses.len() == 5 && !losses.contains("focal"), "{losses:?}");
}

#[test]
fn a_table_has_the_losses_asked_for_and_cross_entropy() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().to_str().unwrap();
    let arguments = ["classify", "--table", "images", "--network", "mlp", "--rows", "100", "--epochs", "1"];
    let asked = ["--seeds", "1", "--setting", "clean", "--out", out];
    let run = |more: &[&str]| reloss(&[&arguments[..], &asked, more].concat());
    let unknown = run(&["--loss", "relos"]);
    let message = String::from_utf8(unknown.stderr).unwrap();
    assert!(
        !unknown.status.success() && message.contains("\"relos\" is none of cross_entropy,"),
        "{message}"
    );
    assert!(run(&["--loss", "reloss", "--tuning-seeds", "1"]).status.success());
    let path = folder.path().join("classification.csv");
    let losses: Vec<String> = Results::load(&path).unwrap().runs.into_iter().map(|run| run.loss).collect();
    assert_eq!(losses, ["cross_entropy", "cross_entropy", "reloss", "reloss"]);
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.contains("--tuning-seeds 1 --loss reloss"), "{text}");
    // Rates that another number of seeds chose are no part of the same results.
    let message = refusal(&[&arguments[..], &asked, &["--resume", "--tuning-seeds", "2"]].concat());
    assert!(message.contains("`resume`"), "{message}");
    let message = refusal(&[&arguments[..], &asked, &["--tuning-seeds", "0"]].concat());
    assert!(message.contains("`tuning_seeds`"), "{message}");
}

#[test]
fn help_names_every_option() {
    let output = reloss(&["classify", "--help"]);
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    for option in ["--out", "--seeds", "--seed", "--resume", "--setting"] {
        assert!(text.contains(option), "{option}: {text}");
    }
}

#[test]
fn a_way_that_does_not_exist_is_named_beside_those_that_do() {
    let message = refusal(&["sort-numbers", "--way", "quick"]);
    assert!(message.contains("logistic, logistic with ART") && message.contains("SoftSort"), "{message}");
    assert!(refusal(&["sort-numbers", "--sharpness", "0"]).contains("`sharpness`"));
    assert!(refusal(&["sort-numbers", "--seeds", "0"]).contains("`seeds`"));
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let missing = folder.path().join("none");
    let paths = [missing.to_str().unwrap(), out.to_str().unwrap()];
    assert!(refusal(&["sort-numbers", "--data", paths[0], "--out", paths[1]]).contains("train-images"));
}

#[test]
fn files_are_scored_with_intervals() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_string()
    };
    let hypotheses = write("h", "the cat is on the mat\nno\n");
    let references = write("r", "the cat is on the mat\nno\n");
    let score = |arguments: &[&str]| {
        let output = reloss(&[&["score"], arguments].concat());
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let table = score(&["translations", &hypotheses, &references, &references]);
    assert!(table.contains("nrefs:2") && table.contains("100.00"), "{table}");
    assert!(score(&["summaries", &hypotheses, &references]).contains("ROUGE-L"));
    let gold = write(
        "gold.json",
        r#"{"data": [{"paragraphs": [{"context": "", "qas": [
            {"id": "a", "question": "", "answers": [{"text": "right", "answer_start": 0}]},
            {"id": "b", "question": "", "answers": [{"text": "wrong", "answer_start": 0}]}]}]}]}"#,
    );
    let answers = write("answers.json", r#"{"a": "Right.", "b": "no"}"#);
    assert!(score(&["answers", &answers, &gold]).contains("50.00"));
    assert!(score(&["answers", &answers, &gold, "--chinese"]).contains("DuReader"));
    let annotations = write(
        "annotations.json",
        r#"{"annotations": [{"id": 1, "image_id": 1, "area": 2000, "bbox": [0, 0, 9, 9], "num_keypoints": 1,
            "keypoints": [5, 5, 2]}]}"#,
    );
    let detections = write("detections.json", r#"[{"image_id": 1, "score": 1, "keypoints": [5, 5, 1]}]"#);
    let table = score(&["keypoints", &detections, &annotations, "--sigmas", "0.1"]);
    assert!(table.contains("AP medium") && !table.contains("AP large"), "{table}");
    assert!(refusal(&["score", "keypoints", &detections, &annotations]).contains("annotation 1: "));

    let unanswered = write("few.json", r#"{"a": "x"}"#);
    assert!(refusal(&["score", "answers", &unanswered, &gold]).contains("question b"));
    let shorter = write("short", "one\n");
    assert!(refusal(&["score", "translations", &hypotheses, &shorter]).contains(&shorter));
}

#[test]
fn a_toy_metric_that_does_not_exist_is_named_beside_those_that_do() {
    let message = refusal(&["toy", "--metric", "BLEU"]);
    assert!(message.contains("error rate, F1, ROC-AUC"), "{message}");
    assert!(refusal(&["toy", "--seeds", "0"]).contains("`seeds`"));
    assert!(refusal(&["toy", "--data", "none.csv"]).contains("none.csv"));
    let message = refusal(&["classify", "--table", "images", "--setting", "sun"]);
    assert!(message.contains("noise 40 %"), "{message}");
    let message = refusal(&["baselines", "--ground", "sun"]);
    assert!(message.contains("two moons 9:1") && message.contains("retrieval"), "{message}");
}

#[test]
fn questions_that_cannot_be_read_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_string();
    let (out, none, file) = (path("out"), path("none.json"), path("asked.json"));
    assert!(refusal(&["read", "--out", &out, "--words", &none]).contains("none.json"));
    let asked = |i: usize| {
        format!(
            r#"{{"context":"Anna has {i} hats.","qas":[{{"id":"{i}","question":"Who?",
            "answers":[{{"text":"Anna","answer_start":0}}]}}]}}"#
        )
    };
    let paragraphs = (0..40).map(asked).collect::<Vec<_>>().join(",");
    std::fs::write(&file, format!(r#"{{"data":[{{"paragraphs":[{paragraphs}]}}]}}"#)).unwrap();
    let twice = refusal(&["read", "--out", &out, "--words", &file, "--chinese", &file]);
    assert!(twice.contains("two sets are called asked"), "{twice}");
    let vectors = Command::new(env!("CARGO_BIN_EXE_reloss"))
        .args(["read", "--out", &out, "--words", &file, "--vectors", &none])
        .output()
        .unwrap();
    assert_eq!(vectors.status.code(), Some(1));
    assert!(String::from_utf8(vectors.stderr).unwrap().contains("none.json"));
    assert!(refusal(&["read", "--seeds", "0"]).contains("`seeds`"));
    assert!(refusal(&["translate", "--seeds", "0"]).contains("`seeds`"));
}

#[test]
fn a_report_of_a_saved_loss_is_a_page_with_its_warnings() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_string();
    // Logits of 80 rows each, surer in the second file; two of three rows are right.
    for (name, scale) in [("epoch_1.csv", 1.0), ("epoch_2.csv", 4.0)] {
        let row = |i: usize| {
            let logit = |class: usize| scale * (((7 * i + 5 * class) % 11) as f64 / 5.0 - 1.0);
            let best = (0..3).max_by(|&a, &b| logit(a).total_cmp(&logit(b))).unwrap();
            let label = if i.is_multiple_of(3) { (best + 1) % 3 } else { best };
            format!("{},{},{},{label}\n", logit(0), logit(1), logit(2))
        };
        std::fs::write(at(name), (0..80).map(row).collect::<String>()).unwrap();
    }
    let loss = &at("loss.safetensors");
    crate::report::v_shaped().save(Path::new(loss)).unwrap();
    let (page, first, second) = (at("card.html"), at("epoch_1.csv"), at("epoch_2.csv"));
    let samples = ["--samples", "40", "--out", page.as_str(), "--predictions", first.as_str()];
    let arguments = [&["report", loss][..], &samples, &[second.as_str()]].concat();
    let output = reloss(&arguments);
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    for part in ["Warning: Not monotone", "epoch_1", "epoch_2", "cross entropy smoothed", "card.html"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(std::fs::read_to_string(&page).unwrap().contains("<img"));
    // The same call, the same card.
    assert_eq!(reloss(&arguments).stdout, text.as_bytes());

    let unknown = [&["report", loss, "--metric", "BLEU"][..], &samples].concat();
    assert!(refusal(&unknown).contains("none of accuracy"));
    let missing = ["report", loss, "--predictions", page.as_str(), "--out", page.as_str()];
    assert!(refusal(&missing).contains("card.html"));
}
