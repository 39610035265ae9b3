//! The dependency fence: who may use whom, as ARCHITECTURE.md says, held against `cargo metadata`.

#![expect(clippy::unwrap_used, reason = "in a test a panic is the report")]

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::Value;

/// Each crate of ours and the crates of ours that it may use, outside tests.
const MAY_USE: &[(&str, &[&str])] = &[
    ("config", &[]),
    ("core", &["config"]),
    ("wire", &[]),
    ("keeper", &[]),
    ("host", &["config"]),
    ("secret", &[]),
    ("api", &["core", "secret", "wire"]),
    ("daemon", &["api", "config", "core", "host", "keeper", "wire"]),
    ("ctl", &["config", "secret", "wire"]),
    ("testkit", &[]),
    ("next", &["daemon", "keeper"]),
    ("bench", &["testkit", "config", "host"]),
];

/// Pure crates and the only foreign crates that they may use.
const PURE: &[(&str, &[&str])] =
    &[("config", &["serde_json"]), ("core", &[]), ("wire", &["memchr", "quick-xml"])];

fn packages() -> Vec<Value> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--offline", "--format-version", "1"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    metadata["packages"].as_array().unwrap().clone()
}

/// Dependencies of a package that are part of the program, not of its tests.
fn uses(package: &Value) -> BTreeSet<String> {
    let dependencies = package["dependencies"].as_array().unwrap().iter();
    dependencies.filter(|d| d["kind"].is_null()).map(|d| d["name"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn nobody_uses_whom_it_may_not() {
    let packages = packages();
    let by_name: BTreeMap<&str, &Value> = packages.iter().map(|p| (p["name"].as_str().unwrap(), p)).collect();
    let known: BTreeSet<String> = MAY_USE.iter().map(|(name, _)| format!("provost-{name}")).collect();
    for name in by_name.keys().filter(|name| name.starts_with("provost-")) {
        assert!(known.contains(*name), "{name} has no row in this table, nor in ARCHITECTURE.md");
    }
    for (name, allowed) in MAY_USE {
        let package = by_name[format!("provost-{name}").as_str()];
        for used in uses(package).iter().filter_map(|used| used.strip_prefix("provost-")) {
            assert!(allowed.contains(&used), "crates/{name} may not use crates/{used}");
        }
    }
}

#[test]
fn pure_crates_use_nothing_that_could_tempt_them() {
    for package in packages() {
        let Some(name) = package["name"].as_str().unwrap().strip_prefix("provost-").map(str::to_owned) else {
            continue;
        };
        let Some((_, allowed)) = PURE.iter().find(|(pure, _)| *pure == name) else { continue };
        for used in uses(&package).iter().filter(|used| !used.starts_with("provost-")) {
            assert!(allowed.contains(&used.as_str()), "crates/{name} is pure and may not use {used}");
        }
    }
}

#[test]
fn unsafe_code_is_forbidden_everywhere_but_in_the_keeper() {
    for package in packages() {
        let manifest = package["manifest_path"].as_str().unwrap();
        let text = std::fs::read_to_string(manifest).unwrap();
        let inherits = text.contains("[lints]\nworkspace = true");
        let is_keeper = package["name"] == "provost-keeper";
        assert_ne!(inherits, is_keeper, "{manifest}: only the keeper has lints of its own");
    }
}
