//! Sweeps: what a file may say, runs as files, shards, and processes that are killed.

use std::path::{Path, PathBuf};

use reloss::experiment::{Results, Shard, Sweep, Unit};
use reloss::Error;

/// A product of the clean digits in one epoch.
fn product(name: &str, losses: &str, seeds: &str) -> String {
    format!(
        r#"{{"name": "{name}", "tasks": [{{"task": {{"Digits": "Clean"}}, "train": {{"epochs": 1}},
        "store": {{"epochs": 1}}}}], "losses": [{losses}], "seeds": {seeds}}}"#
    )
}

fn file(folder: &Path, products: &str) -> PathBuf {
    let path = folder.join("tiny.json");
    std::fs::write(&path, format!("{{\"products\":\n[{products}]}}")).unwrap();
    path
}

fn units(folder: &Path, products: &str) -> Vec<Unit> {
    Sweep::read(&file(folder, products)).unwrap().units().unwrap()
}

fn refusal(folder: &Path, products: &str) -> String {
    let path = file(folder, products);
    let message = Sweep::read(&path).unwrap_err().to_string();
    assert!(message.starts_with(path.to_str().unwrap()), "{message}");
    message
}

const ORIGINAL: &str = r#"{"name": "ce", "loss": "Original"}"#;

/// A learned loss that says this of how it is learned.
fn learned(name: &str, learn: &str) -> String {
    format!(r#"{{"name": "{name}", "loss": {{"Learned": {{"learn": {learn}}}}}}}"#)
}

const QUICK: &str = r#"{"steps": 2, "samples": 8, "held_out": 8, "hidden": 4, "output_bias": 2}"#;

#[test]
fn what_is_no_option_is_named_with_its_line_and_place() {
    let folder = tempfile::tempdir().unwrap();
    let of = |loss: &str| refusal(folder.path(), &product("p", loss, "[0]"));
    let message = of(&learned("a", r#"{"penalty": {"wait": 1}}"#));
    assert!(
        message.contains(".json:3: ") && message.contains("products[0].losses[0].loss.Learned.learn"),
        "{message}"
    );
    assert!(message.contains("penalty.wait") || message.contains("unknown field `wait`"), "{message}");
    let message = of(r#"{"name": "a", "loss": "Original", "trains": {}}"#);
    assert!(message.contains("products[0].losses[0]") && message.contains("trains"), "{message}");
    assert!(of(&learned("a", r#"{"seed": 1}"#)).contains("seeds are those of the product"));
    assert!(of(&learned("a", r#"{"checkpoint": "x"}"#)).contains("unknown field `checkpoint`"));
    assert!(of(r#"{"name": "a", "loss": "Hinge"}"#).contains("Hinge"));
    assert!(refusal(folder.path(), &product("p", ORIGINAL, "[]")).contains("nothing to run"));
    let twice = [product("p", ORIGINAL, "[0]"), product("p", ORIGINAL, "[1]")].join(",");
    assert!(refusal(folder.path(), &twice).contains("products[1]"));
    assert!(matches!(Sweep::read(&folder.path().join("none.json")), Err(Error::Io { .. })));
}

#[test]
fn defaults_that_are_said_are_no_other_run_and_names_are_none() {
    let folder = tempfile::tempdir().unwrap();
    let losses = [
        learned("left out", "{}"),
        learned(
            "said",
            r#"{"penalty": {"weight": 10}, "hidden": 64, "fit": {"Rank": {"way": {"Network": {"steepness": 5}}}}}"#,
        ),
        learned("other way", r#"{"fit": {"Rank": {"way": {"Pairwise": {}}}}}"#),
        learned("other fit", r#"{"fit": "Value"}"#),
        ORIGINAL.to_string(),
    ];
    let units = units(folder.path(), &product("p", &losses.join(","), "[3, 4]"));
    let address: Vec<String> = units.iter().map(|unit| unit.address().unwrap()).collect();
    assert_eq!(units.len(), 10);
    assert_eq!(address[0], address[2], "a default that is said");
    let mut distinct = address.clone();
    distinct.sort();
    distinct.dedup();
    assert_eq!(distinct.len(), 8);
    assert!(address.iter().all(|a| a.len() == 64 && a.chars().all(|c| c.is_ascii_hexdigit())));
    assert_eq!(units[9].to_string(), "ce on digits, clean, seed 4");
}

#[test]
fn what_two_products_share_is_run_once_and_two_runs_of_one_name_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let shared = [product("p", ORIGINAL, "[0, 1]"), product("q", ORIGINAL, "[1, 2]")].join(",");
    assert_eq!(units(folder.path(), &shared).len(), 3);
    let sweep = Sweep::read(&file(folder.path(), &shared)).unwrap();
    assert_eq!(sweep.product("q").unwrap().units().unwrap().len(), 2);
    assert_eq!(sweep.with_seeds(vec![7]).units().unwrap().len(), 1);
    let other = learned("ce", "{}");
    let message =
        refusal(folder.path(), &[product("p", ORIGINAL, "[0]"), product("q", &other, "[0]")].join(","));
    assert!(message.contains("two different runs are called ce"), "{message}");
}

#[test]
fn shards_are_disjoint_and_together_all() {
    let of = |index| (0..10).filter(|&unit| Shard::new(index, 3).unwrap().contains(unit)).collect::<Vec<_>>();
    let mut all = [of(0), of(1), of(2)].concat();
    assert_eq!(of(1), [1, 4, 7]);
    all.sort();
    assert_eq!(all, (0..10).collect::<Vec<_>>());
    for text in ["2/2", "1", "a/2", "0/0", "-1/2", "0/2/3"] {
        assert!(matches!(text.parse::<Shard>(), Err(Error::Parameter { name: "shard", .. })), "{text}");
    }
}

#[test]
fn shards_come_from_the_schedulers_variables() {
    let of = |set: &[(&str, &str)]| {
        Shard::of_job(|name| set.iter().find(|s| s.0 == name).map(|s| s.1.to_string()))
            .map_err(|e| e.to_string())
    };
    let shard = |i, n| Ok(Some(Shard::new(i, n).unwrap()));
    let [id, first, step, count] =
        ["SLURM_ARRAY_TASK_ID", "SLURM_ARRAY_TASK_MIN", "SLURM_ARRAY_TASK_STEP", "SLURM_ARRAY_TASK_COUNT"];
    assert_eq!(of(&[]), Ok(None));
    assert_eq!(of(&[(id, "3"), (first, "1"), (step, "1"), (count, "4")]), shard(2, 4));
    assert_eq!(of(&[(id, "30"), (first, "10"), (step, "10"), (count, "3")]), shard(2, 3));
    // A part of an array that is started again keeps the numbers of the whole.
    assert_eq!(of(&[(id, "7"), (first, "3"), (count, "2"), ("RELOSS_SHARDS", "8")]), shard(7, 8));
    assert_eq!(of(&[("JOB_COMPLETION_INDEX", "0"), ("RELOSS_SHARDS", "2")]), shard(0, 2));
    for (set, named) in [
        (vec![("JOB_COMPLETION_INDEX", "0")], "RELOSS_SHARDS"),
        (vec![("JOB_COMPLETION_INDEX", "2"), ("RELOSS_SHARDS", "2")], "2/2"),
        (vec![("JOB_COMPLETION_INDEX", "x"), ("RELOSS_SHARDS", "2")], "`x`"),
        (vec![(id, "1")], count),
        (vec![(id, "9"), (first, "1"), (count, "4")], "8/4"),
        (vec![(id, "0"), (first, "1"), (count, "4")], "not of an array"),
        (vec![(id, "5"), (first, "0"), (step, "2"), (count, "4")], "not of an array"),
        (vec![(id, "0"), ("JOB_COMPLETION_INDEX", "0")], "--shard"),
    ] {
        assert!(of(&set).unwrap_err().contains(named), "{set:?}: {:?}", of(&set));
    }
}

#[test]
fn damaged_files_are_refused_by_merging_and_run_again() {
    let folder = tempfile::tempdir().unwrap();
    let losses = [learned("learned", QUICK), learned("the same", QUICK)].join(",");
    let sweep = Sweep::read(&file(folder.path(), &product("p", &losses, "[0]"))).unwrap();
    let message = sweep.merge(folder.path()).unwrap_err().to_string();
    assert!(
        message.contains("2 of 2 runs are missing") && message.contains("learned on digits, clean, seed 0"),
        "{message}"
    );
    assert_eq!(sweep.missing(folder.path(), Shard::WHOLE).unwrap().len(), 1);
    sweep.run(folder.path(), Shard::WHOLE).unwrap();
    let whole = sweep.merge(folder.path()).unwrap();
    let metrics: Vec<(&str, &str)> =
        whole.runs.iter().map(|run| (run.loss.as_str(), run.metric.as_str())).collect();
    let of = |loss| [(loss, "accuracy"), (loss, "held-out Spearman")];
    assert_eq!(metrics, [of("learned"), of("the same")].concat());
    assert_eq!(whole, sweep.results().unwrap());

    let path = sweep.units().unwrap()[0].path(folder.path()).unwrap();
    let bytes = std::fs::read(&path).unwrap();
    let last_line = bytes[..bytes.len() - 1].iter().rposition(|&b| b == b'\n').unwrap() + 1;
    let changed = [&bytes[..bytes.len() - 3], b"7\n"].concat();
    for damaged in [&bytes[..last_line], &bytes[..bytes.len() - 4], &changed, b""] {
        std::fs::write(&path, damaged).unwrap();
        match sweep.merge(folder.path()) {
            Err(Error::Data { path: named, .. }) => assert_eq!(named, path),
            other => panic!("{other:?}"),
        }
        assert_eq!(sweep.missing(folder.path(), Shard::WHOLE).unwrap().len(), 1);
    }
    sweep.run(folder.path(), Shard::WHOLE).unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), bytes);
}

#[test]
fn runs_that_fail_are_results_and_options_without_use_are_errors() {
    let folder = tempfile::tempdir().unwrap();
    let of = |losses: &str| Sweep::read(&file(folder.path(), &product("p", losses, "[0]"))).unwrap();
    let results =
        of(r#"{"name": "wild", "loss": "Original", "train": {"learning_rate": 1e30}}"#).results().unwrap();
    assert_eq!(results.runs.len(), 1);
    assert_eq!((results.runs[0].metric.as_str(), results.runs[0].value), ("failed", 1.0));
    let form = of(r#"{"name": "form", "loss": {"Learned": {"form": "Weighted"}}}"#)
        .results()
        .unwrap_err()
        .to_string();
    assert!(form.contains("form on digits, clean, seed 0") && form.contains("no use for `form`"), "{form}");
}

#[test]
fn figures_and_passages_are_tasks_too() {
    let folder = tempfile::tempdir().unwrap();
    let learned =
        format!(r#"{{"name": "learned", "loss": {{"Learned": {{"learn": {QUICK}, "beside": 0.5}}}}}}"#);
    let task = |task: &str| {
        format!(
            r#"{{"name": "{0}", "tasks": [{{"task": {task}, "train": {{"epochs": 1}}, "store": {{"epochs": 1}}}}],
            "losses": [{learned}], "seeds": [0]}}"#,
            task.len()
        )
    };
    let products = [
        task(r#"{"Toy": {"data": "TwoMoons", "metric": "RocAuc"}}"#),
        task(r#"{"Figures": {"pictures": 10, "size": 16}}"#),
        task(r#"{"Reading": {"questions": 60}}"#),
    ];
    let results = Sweep::read(&file(folder.path(), &products.join(","))).unwrap().results().unwrap();
    let metrics: Vec<&str> = results.runs.iter().map(|run| run.metric.as_str()).collect();
    assert!(["ROC-AUC", "PCK@0.1", "F1"].iter().all(|metric| metrics.contains(metric)), "{metrics:?}");
    assert_eq!(metrics.iter().filter(|metric| **metric == "held-out Spearman").count(), 3);
}

#[cfg(all(feature = "cli", unix))]
mod processes {
    use super::*;
    use std::os::unix::process::ExitStatusExt;
    use std::process::{Child, Command};
    use std::time::{Duration, Instant, SystemTime};

    fn reloss(spec: &Path, out: &Path, more: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_reloss"));
        command.arg("sweep").arg(spec).arg("--out").arg(out).args(more).env("RAYON_NUM_THREADS", "1");
        for variable in ["SLURM_ARRAY_TASK_ID", "JOB_COMPLETION_INDEX", "RELOSS_SHARDS"] {
            command.env_remove(variable);
        }
        command.stdout(std::process::Stdio::null());
        command
    }

    fn done(mut child: Child) {
        assert!(child.wait().unwrap().success());
    }

    /// The files of runs with their times.
    fn runs(out: &Path) -> Vec<(PathBuf, SystemTime)> {
        let Ok(entries) = std::fs::read_dir(out.join("runs")) else { return Vec::new() };
        let csv = entries
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.extension().is_some_and(|e| e == "csv"));
        let mut files: Vec<_> =
            csv.map(|path| (path.clone(), std::fs::metadata(path).unwrap().modified().unwrap())).collect();
        files.sort();
        files
    }

    #[test]
    fn two_processes_of_which_one_is_killed_make_what_one_makes() {
        let folder = tempfile::tempdir().unwrap();
        let losses = [ORIGINAL.to_string(), learned("learned", QUICK)].join(",");
        let spec = file(folder.path(), &product("p", &losses, "[0, 1, 2, 3, 4, 5, 6, 7]"));
        let (shared, alone) = (folder.path().join("shared"), folder.path().join("alone"));
        let mut first = reloss(&spec, &shared, &["--shard", "0/2"]).spawn().unwrap();
        let started = Instant::now();
        while runs(&shared).is_empty() {
            assert!(started.elapsed() < Duration::from_secs(60), "no run was finished");
            std::thread::sleep(Duration::from_millis(1));
        }
        first.kill().unwrap();
        assert_eq!(first.wait().unwrap().signal(), Some(9), "it was to be killed on its way");
        let kept = runs(&shared);
        assert!(!kept.is_empty() && kept.len() < 8, "{kept:?}");

        // The other shard as an array's second task, and the killed one again, at once.
        let mut array = reloss(&spec, &shared, &[]);
        let variables =
            [("SLURM_ARRAY_TASK_ID", "1"), ("SLURM_ARRAY_TASK_MIN", "0"), ("SLURM_ARRAY_TASK_COUNT", "2")];
        let second = array.envs(variables).spawn().unwrap();
        done(reloss(&spec, &shared, &["--shard", "0/2"]).spawn().unwrap());
        done(second);
        done(reloss(&spec, &alone, &[]).spawn().unwrap());

        let all = runs(&shared);
        assert_eq!(all.len(), 16);
        assert!(kept.iter().all(|before| all.contains(before)), "what was finished was run again");
        let bytes = |out: &Path| std::fs::read(out.join("tiny.csv")).unwrap();
        assert_eq!(bytes(&shared), bytes(&alone));
        for (path, _) in &all {
            let other = alone.join("runs").join(path.file_name().unwrap());
            assert_eq!(std::fs::read(path).unwrap(), std::fs::read(other).unwrap());
        }
        let merged = Results::load(&alone.join("tiny.csv")).unwrap();
        assert_eq!(merged.runs.len(), 24);
        let seeds = merged.values("digits, clean", "accuracy", "learned");
        assert_eq!(seeds.iter().map(|value| value.0).collect::<Vec<_>>(), (0..8).collect::<Vec<_>>());
    }

    #[test]
    fn a_dry_run_lists_what_is_missing_and_runs_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let spec = file(folder.path(), &product("p", ORIGINAL, "[0, 1, 2]"));
        let out = folder.path().join("out");
        let listed = reloss(&spec, &out, &["--dry-run", "--shard", "1/2"])
            .stdout(std::process::Stdio::piped())
            .output();
        let text = String::from_utf8(listed.unwrap().stdout).unwrap();
        assert_eq!(text, "ce on digits, clean, seed 1\n1 runs are missing\n");
        assert!(!out.exists());
        let refused = reloss(&spec, &out, &["--shard", "2/2"]).output().unwrap();
        assert_eq!(refused.status.code(), Some(1));
        assert!(String::from_utf8(refused.stderr).unwrap().contains("2/2"));
    }
}
