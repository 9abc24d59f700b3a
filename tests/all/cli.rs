//! The command line program refuses what it cannot do, in one line and with status 1.

use std::process::{Command, Output};

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
    let message = refusal(&["classify", "--setting", "noisy"]);
    assert!(message.contains("clean, noise 20 %"), "{message}");
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
