//! Without a device everything that needs one says so, and nothing panics.

use reloss::ops::check_device;
use reloss::Error;

use super::all_cases;

/// What went wrong, wherever.
fn innermost(error: Error) -> Error {
    match error {
        Error::At { source, .. } => innermost(*source),
        other => other,
    }
}

#[test]
fn without_a_device_everything_says_so() {
    if check_device().is_ok() {
        return;
    }
    let answers = all_cases().into_iter().map(|case| (case.name, (case.compute)().map_err(innermost)));
    let others: Vec<_> = answers.filter(|(_, answer)| !matches!(answer, Err(Error::Device(_)))).collect();
    assert!(others.is_empty(), "{others:?}");
}
