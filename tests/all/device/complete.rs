//! Whatever computes on the device has a case, and every case its golden numbers.

use std::collections::BTreeSet;
use std::path::Path;

use super::{all_cases, goldens};

/// Where operations on tensors live.
const OPERATIONS: [&str; 4] = ["src/ops", "src/sort", "src/rank.rs", "src/correlation"];
/// Where losses, loss networks and tasks do.
const USERS: [&str; 4] = ["src/loss", "src/baseline", "src/surrogate", "src/task"];
/// Their traits.
const TRAITS: [&str; 3] = ["Loss", "LossNetwork", "Task"];
/// Tasks of sorted digits train by what `SortNumbers` trains by; a handover adds two losses, as `Sum` does.
const COVERED: [&str; 2] = ["SortDigits", "Handover"];

/// The code of all sources below a path, without their tests.
fn code(path: &Path) -> String {
    if path.is_dir() {
        let entries = std::fs::read_dir(path).unwrap().map(|entry| code(&entry.unwrap().path()));
        return entries.collect();
    }
    let source = std::fs::read_to_string(path).unwrap();
    source.split("#[cfg(test)]").next().unwrap_or_default().to_string()
}

fn sources<const N: usize>(places: [&str; N]) -> String {
    places.iter().map(|place| code(&Path::new(env!("CARGO_MANIFEST_DIR")).join(place))).collect()
}

/// Public functions over any tape; composed forms are the operations themselves on another device.
fn operations() -> BTreeSet<String> {
    let source = sources(OPERATIONS);
    let functions = source.lines().filter_map(|line| line.strip_prefix("pub fn ")?.split_once("<T: "));
    let taped =
        functions.filter(|(_, rest)| rest.trim_start_matches("dfdx::prelude::").starts_with("Tape<f32"));
    taped.map(|(name, _)| name.to_string()).filter(|name| !name.ends_with("_composed")).collect()
}

/// Types that a line `impl … Trait … for Type` names.
fn users() -> BTreeSet<String> {
    let source = sources(USERS);
    let named = source.lines().filter(|line| line.starts_with("impl")).filter_map(|line| {
        let (what, type_name) = line.split_once(" for ")?;
        let name_of = |text: &str| text.split(['<', ' ', '{']).next().unwrap_or_default().to_string();
        let is_one = what.split_whitespace().any(|word| TRAITS.contains(&name_of(word).as_str()));
        is_one.then(|| name_of(type_name))
    });
    named.filter(|name| !COVERED.contains(&name.as_str())).collect()
}

#[test]
fn whatever_computes_on_the_device_has_a_case() {
    let cases = all_cases();
    let covered: BTreeSet<&str> = cases.iter().filter_map(|case| case.name.split(", ").next()).collect();
    for (what, found, expected) in [("operations", operations(), 30), ("losses and tasks", users(), 25)] {
        assert!(found.len() > expected, "only {} {what} found: the reader of sources is broken", found.len());
        let missing: Vec<_> = found.iter().filter(|name| !covered.contains(name.as_str())).collect();
        assert!(missing.is_empty(), "{what} without a case: {missing:?}");
    }
}

#[test]
fn every_case_has_golden_numbers_and_all_golden_numbers_a_case() {
    let cases = all_cases();
    let named: BTreeSet<&str> = cases.iter().map(|case| case.name.as_str()).collect();
    assert_eq!(named.len(), cases.len(), "two cases of one name");
    let golden: BTreeSet<&str> = goldens().keys().map(String::as_str).collect();
    let odd: Vec<_> = named.symmetric_difference(&golden).collect();
    assert!(
        odd.is_empty(),
        "cases without golden numbers, or the reverse: {odd:?}; see device/mod.rs for how they are written"
    );
}
