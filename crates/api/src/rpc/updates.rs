//! What an update has done, or would do, as structs of plain types.
//!
//! In: the core's reply. Out: values. Their shape is frozen when it is released: members may be added, and none changes. What is not
//! set has no member, as the empty text is a value like any other.

use provost_core::{Change, Effect, GroupDifference, ProcessChanges, Standing, UpdatedProcess};
use provost_wire::Value;

use super::faults::code_and_text;

/// One process after an update.
pub(super) fn updated(process: &UpdatedProcess) -> Value {
    let (code, text) = code_and_text(&process.result);
    Value::members([
        ("name", (&*process.name).into()),
        ("group", (&*process.group).into()),
        ("change", process.fate.word().into()),
        ("goes_on", process.goes_on.into()),
        ("status", code.into()),
        ("description", text.into()),
    ])
}

/// One group before it.
pub(super) fn difference(group: &GroupDifference) -> Value {
    let standing = match group.standing {
        Standing::Added => "added",
        Standing::Changed => "changed",
        Standing::Removed => "removed",
    };
    let processes = group.changes.processes.iter().map(|process| of_process(process, group));
    Value::members([
        ("group", group.name.as_str().into()),
        ("change", standing.into()),
        ("replaced", group.changes.whole.into()),
        ("changes", Value::Array(group.changes.changes.iter().map(change).collect())),
        ("processes", Value::Array(processes.collect())),
    ])
}

fn of_process(process: &ProcessChanges, group: &GroupDifference) -> Value {
    Value::members([
        ("name", process.name.as_str().into()),
        ("change", process.fate.word().into()),
        ("running", group.running.contains(&process.name).into()),
        ("starts", group.starting.contains(&process.name).into()),
        ("changes", Value::Array(process.changes.iter().map(change).collect())),
    ])
}

fn change(change: &Change) -> Value {
    let values = [("old", &change.old), ("new", &change.new)];
    let set = values.into_iter().filter_map(|(name, value)| Some((name, value.as_deref()?.into())));
    let always =
        [("key", change.key.as_str().into()), ("restart", (change.effect == Effect::Restart).into())];
    let all = always.into_iter().chain(set);
    Value::Struct(all.map(|(name, value)| (name.to_owned(), value)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use provost_core::{Fate, GroupChanges};

    #[test]
    fn a_difference_is_told_key_by_key_and_what_is_not_set_is_not_there() {
        let key = |key: &str, old: Option<&str>, new: Option<&str>, effect| Change {
            key: key.to_owned(),
            old: old.map(str::to_owned),
            new: new.map(str::to_owned),
            effect,
        };
        let changes = vec![
            key("command", Some("x"), Some("y"), Effect::Restart),
            key("environment.A", None, Some(""), Effect::Restart),
        ];
        let process = ProcessChanges { name: "p".to_owned(), fate: Fate::Restarted, changes };
        let told = difference(&GroupDifference {
            name: "g".to_owned(),
            standing: Standing::Changed,
            changes: GroupChanges { whole: false, changes: vec![], processes: vec![process] },
            running: ["p".to_owned()].into(),
            starting: std::collections::BTreeSet::new(),
        });
        let change = |members: &[(&str, Value)]| {
            Value::Struct(members.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect())
        };
        let expected = Value::members([
            ("group", "g".into()),
            ("change", "changed".into()),
            ("replaced", false.into()),
            ("changes", Value::Array(vec![])),
            (
                "processes",
                Value::Array(vec![Value::members([
                    ("name", "p".into()),
                    ("change", "restarted".into()),
                    ("running", true.into()),
                    ("starts", false.into()),
                    (
                        "changes",
                        Value::Array(vec![
                            change(&[
                                ("key", "command".into()),
                                ("restart", true.into()),
                                ("old", "x".into()),
                                ("new", "y".into()),
                            ]),
                            change(&[
                                ("key", "environment.A".into()),
                                ("restart", true.into()),
                                ("new", "".into()),
                            ]),
                        ]),
                    ),
                ])]),
            ),
        ]);
        assert_eq!(told, expected);
    }
}
