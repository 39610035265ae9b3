//! What `reread` and `update` compare: the groups that run, and those the files
//! now describe (SPEC 6.7).
//!
//! Equal is what Supervisor calls equal, with two exceptions: a log that went from
//! a path to AUTO has changed, and so has a socket with another mode, owner or backlog.

use std::collections::BTreeMap;

use crate::{GroupConfig, GroupKind, ProcessConfig, User};

/// Names of groups.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Diff {
    /// In the order of the new configuration.
    pub added: Vec<String>,
    /// In the order of the new configuration.
    pub changed: Vec<String>,
    /// In the order of the active groups.
    pub removed: Vec<String>,
}

pub fn diff<'a>(active: impl IntoIterator<Item = &'a GroupConfig>, new: &[GroupConfig]) -> Diff {
    let active: Vec<&GroupConfig> = active.into_iter().collect();
    let old = by_name(active.iter().copied());
    let now = by_name(new);
    let mut diff = Diff::default();
    for group in new {
        // Of two with one name only the first counts.
        if !std::ptr::eq(now[group.name.as_str()], group) {
            continue;
        }
        match old.get(group.name.as_str()) {
            None => diff.added.push(group.name.clone()),
            Some(before) if !same_group(before, group) => diff.changed.push(group.name.clone()),
            Some(_) => {}
        }
    }
    for group in active {
        if !now.contains_key(group.name.as_str()) {
            diff.removed.push(group.name.clone());
        }
    }
    diff
}

fn by_name<'a>(groups: impl IntoIterator<Item = &'a GroupConfig>) -> BTreeMap<&'a str, &'a GroupConfig> {
    let mut named = BTreeMap::new();
    for group in groups {
        named.entry(group.name.as_str()).or_insert(group);
    }
    named
}

fn same_group(a: &GroupConfig, b: &GroupConfig) -> bool {
    a.name == b.name
        && a.priority == b.priority
        && same_kind(&a.kind, &b.kind)
        && a.processes.len() == b.processes.len()
        && a.processes.iter().zip(&b.processes).all(|(a, b)| same_process(a, b))
}

/// A lone program and a group of that program are one kind to Supervisor.
pub(crate) fn same_kind(a: &GroupKind, b: &GroupKind) -> bool {
    match (a, b) {
        (GroupKind::EventListener(a), GroupKind::EventListener(b)) => a == b,
        (GroupKind::Fcgi(a), GroupKind::Fcgi(b)) => a == b,
        (GroupKind::Program | GroupKind::Group, GroupKind::Program | GroupKind::Group) => true,
        (GroupKind::Program | GroupKind::Group | GroupKind::EventListener(_) | GroupKind::Fcgi(_), _) => {
            false
        }
    }
}

/// The user counts by its number, however it was written; the kind belongs to the group.
pub(crate) fn same_process(a: &ProcessConfig, b: &ProcessConfig) -> bool {
    let ids = |process: &ProcessConfig| process.user.as_ref().map(|user: &User| (user.uid, user.group()));
    let aligned = ProcessConfig { user: a.user.clone(), kind: a.kind, ..b.clone() };
    ids(a) == ids(b) && *a == aligned
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::{CliOverrides, MemoryFiles, load};

    fn groups(text: &str) -> Vec<GroupConfig> {
        let files = MemoryFiles::with("/etc/s.conf", &format!("[supervisord]\n{text}"));
        load(Path::new("/etc/s.conf"), &CliOverrides::default(), &files).unwrap().groups
    }

    /// `+added ~changed -removed`.
    fn told(old: &str, new: &str) -> String {
        let diff = diff(&groups(old), &groups(new));
        let with = |sign: &str, names: &[String]| -> Vec<String> {
            names.iter().map(|name| format!("{sign}{name}")).collect()
        };
        [with("+", &diff.added), with("~", &diff.changed), with("-", &diff.removed)].concat().join(" ")
    }

    const A: &str = "[program:a]\ncommand=x\n";

    #[test]
    fn names_come_and_go_in_order() {
        let three = "[program:c]\ncommand=x\n[program:b]\ncommand=x\npriority=1\n";
        assert_eq!(told(A, &format!("{three}{A}")), "+b +c");
        assert_eq!(told(&format!("{three}{A}"), A), "-b -c");
        assert_eq!(told(A, A), "");
    }

    #[test]
    fn what_counts_as_a_change() {
        for (extra, expected) in [
            ("startsecs=2", "~a"),
            ("startretries=infinite", "~a"),
            ("restartpause=0.5", "~a"),
            ("backoff=constant", "~a"),
            ("maxbackoff=2", "~a"),
            ("backoffjitter=0.1", "~a"),
            ("startlimit=5/60", "~a"),
            ("essential=true", "~a"),
            ("type=oneshot", "~a"),
            ("restartpause=0.0\nbackoff=Linear\ntype=SIMPLE\nbackoffjitter=0", ""),
            ("priority=5", "~a"),
            ("numprocs=2\nprocess_name=a%(process_num)s", "~a"),
            ("stdout_logfile=/tmp/x", "~a"),
            ("environment=A=1", "~a"),
            ("log_overflow=drop", "~a"),
            ("log_prefix=name", "~a"),
            ("logfile_mkdir=true", "~a"),
            ("stdout_logfile=AUTO, /dev/stdout", "~a"),
            ("stdout_logfile_format=json", "~a"),
            ("stderr_logfile_format=%(pid)s %(message)s", "~a"),
            ("stdout_logfile_compress=gzip", "~a"),
            ("stderr_logfile_owner=web", "~a"),
            ("stderr_logfile_mode=600", "~a"),
            ("stdout_syslog_address=@udp:h", "~a"),
            ("stdout_syslog_facility=daemon", "~a"),
            ("stdout_syslog_severity=err", "~a"),
            ("stdout_syslog_tag=a", "~a"),
            ("stdout_journald=true", "~a"),
            (
                "log_overflow=Block\nlog_prefix=none\nstdout_logfile_format=TEXT\nstdout_syslog_facility=user",
                "",
            ),
            ("user=web", "~a"),
            ("startsecs=1", ""),
            ("colour=blue", ""),
        ] {
            assert_eq!(told(A, &format!("{A}{extra}\n")), expected, "{extra}");
            assert_eq!(told(&format!("{A}{extra}\n"), A), expected, "{extra} taken away");
        }
        assert_eq!(told(&format!("environment=B=1\n{A}"), A), "~a");
        assert_eq!(told(&format!("{A}user=web\n"), &format!("{A}user=33\n")), "");
        let retrying = |n: &str| format!("{A}startretries={n}\n");
        assert_eq!(told(&retrying("-1"), &retrying("infinite")), "");
        assert_eq!(told(&format!("{A}startlimit=5/60\n"), &format!("{A}startlimit=5/61\n")), "~a");
    }

    #[test]
    fn kinds() {
        assert_eq!(told(A, &format!("{A}[group:a]\nprograms=a\n")), "");
        let fcgi = "[fcgi-program:a]\ncommand=x\nsocket=unix:///tmp/s\n";
        assert_eq!(told(A, fcgi), "~a");
        for (extra, expected) in [
            ("socket_mode=0777", "~a"),
            ("socket_owner=web", "~a"),
            ("socket_backlog=9", "~a"),
            ("socket_mode=0700", ""),
        ] {
            assert_eq!(told(fcgi, &format!("{fcgi}{extra}\n")), expected, "{extra}");
        }
        assert_eq!(told(fcgi, &fcgi.replace("/tmp/s", "/tmp/t")), "~a");
        let listener = "[eventlistener:a]\ncommand=x\nevents=TICK_5\n";
        assert_eq!(told(listener, &format!("{listener}buffer_size=11\n")), "~a");
    }

    #[test]
    fn the_second_of_two_with_one_name_is_no_change() {
        let doubled = format!("{A}[eventlistener:a]\ncommand=y\nevents=TICK_5\npriority=2000\n");
        assert_eq!(told(&doubled, &doubled), "");
    }
}
