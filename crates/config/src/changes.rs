//! What has changed of a group: process by process, option by option, and whether what runs can go on all the same.
//!
//! In: a group as it runs, and as the files now have it. Out: the names of options as people write them, their old and new
//! values as text, and what each takes: nothing but to be told, or a restart. Which of both stands in the table of options
//! ([`OnChange`]); a field of [`ProcessConfig`] that has no key here does not compile. Nothing is carried out here, and what
//! makes a group another one as a whole is a matter of `diff.rs`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::diff::{same_kind, same_process};
use crate::options::{self, OnChange, SectionKind};
use crate::{
    AutoRestart, Channel, GroupConfig, GroupKind, LogExtras, LogFile, PoolConfig, ProcessConfig, ProgramType,
    SocketConfig, signal_name,
};

/// One option, or one variable of an environment, with another value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// As it is written in a section; `environment.NAME` for a variable.
    pub key: String,
    /// Nothing where nothing is set.
    pub old: Option<String>,
    pub new: Option<String>,
    pub effect: Effect,
}

/// What a changed option takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effect {
    /// What runs goes on, and the new value holds from here on.
    Live,
    /// What was started with the old value keeps it until it is started again.
    Restart,
}

/// What becomes of one process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fate {
    Untouched,
    /// It goes on with another configuration.
    Changed,
    /// It has to be started again to have its configuration.
    Restarted,
    Added,
    Removed,
}

impl Fate {
    /// The word that clients see.
    pub fn word(self) -> &'static str {
        match self {
            Fate::Untouched => "untouched",
            Fate::Changed => "changed",
            Fate::Restarted => "restarted",
            Fate::Added => "added",
            Fate::Removed => "removed",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProcessChanges {
    pub name: String,
    pub fate: Fate,
    /// None for those that are added or removed.
    pub changes: Vec<Change>,
}

/// How a group gets from one configuration to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupChanges {
    /// The group is another one now: all of it has to go before any of the new one comes.
    pub whole: bool,
    /// What the group's own section says.
    pub changes: Vec<Change>,
    /// Those of the new configuration in its order, then those that are in it no longer.
    pub processes: Vec<ProcessChanges>,
}

/// From a group that runs, with the processes that it has by now, to the one that is wanted.
pub fn group_changes(old: &GroupConfig, processes: &[Arc<ProcessConfig>], new: &GroupConfig) -> GroupChanges {
    let (before, after) = (by_name(processes), by_name(&new.processes));
    // Of two processes with one name it cannot be said which is which.
    let is_clear = before.len() == processes.len() && after.len() == new.processes.len();
    let whole = !is_clear || !stays_itself(&old.kind, &new.kind) || !same_sockets(&before, &after);
    let mut all = Vec::with_capacity(new.processes.len());
    for process in first_of_each(&new.processes) {
        let (fate, changes) = match before.get(process.name.as_str()) {
            None => (Fate::Added, Vec::new()),
            Some(old) => {
                let changes = process_changes(old, process);
                (if whole { Fate::Restarted } else { fate(&changes) }, changes)
            }
        };
        all.push(ProcessChanges { name: process.name.clone(), fate, changes });
    }
    let gone = first_of_each(processes).filter(|process| !after.contains_key(process.name.as_str()));
    all.extend(gone.map(|process| ProcessChanges {
        name: process.name.clone(),
        fate: Fate::Removed,
        changes: Vec::new(),
    }));
    GroupChanges { whole, changes: of_group(old, new), processes: all }
}

/// Whether a group can go from one kind to the other as what it is. A pool can, with all that waits in it, where its options
/// say so.
fn stays_itself(old: &GroupKind, new: &GroupKind) -> bool {
    match (old, new) {
        (GroupKind::EventListener(old), GroupKind::EventListener(new)) => {
            let both = of_pool(old).into_iter().zip(of_pool(new));
            both.filter(|(old, new)| old != new).all(|((key, _), _)| effect_in_pool(key) == Effect::Live)
        }
        (old, new) => same_kind(old, new),
    }
}

fn fate(changes: &[Change]) -> Fate {
    match changes.iter().map(|change| change.effect).max() {
        None => Fate::Untouched,
        Some(Effect::Live) => Fate::Changed,
        Some(Effect::Restart) => Fate::Restarted,
    }
}

/// What has changed of one process, in the order of the reference page.
pub fn process_changes(old: &ProcessConfig, new: &ProcessConfig) -> Vec<Change> {
    // Nearly always, and there may be thousands.
    if same_process(old, new) {
        return Vec::new();
    }
    let user = |process: &ProcessConfig| process.user.as_ref().map(|user| (user.uid, user.group()));
    let same_user = user(old) == user(new);
    let mut changes = Vec::new();
    for ((key, before), (_, after)) in written(old).into_iter().zip(written(new)) {
        // One account may have two names.
        if before != after && !(key == "user" && same_user) {
            changes.push(Change { effect: effect(SectionKind::Program, &key), key, old: before, new: after });
        }
    }
    let names: BTreeSet<&String> = old.environment.keys().chain(new.environment.keys()).collect();
    for name in names {
        let (before, after) = (old.environment.get(name), new.environment.get(name));
        if before != after {
            let (key, effect) = (format!("environment.{name}"), effect(SectionKind::Program, "environment"));
            changes.push(Change { key, old: before.cloned(), new: after.cloned(), effect });
        }
    }
    changes
}

fn of_group(old: &GroupConfig, new: &GroupConfig) -> Vec<Change> {
    let mut changes = Vec::new();
    let mut compare = |key: &str, old: String, new: String, effect| {
        if old != new {
            changes.push(Change { key: key.to_owned(), old: Some(old), new: Some(new), effect });
        }
    };
    if !same_kind(&old.kind, &new.kind) {
        compare("section", section(&old.kind), section(&new.kind), Effect::Restart);
    }
    compare("priority", old.priority.to_string(), new.priority.to_string(), Effect::Live);
    if let (GroupKind::EventListener(old), GroupKind::EventListener(new)) = (&old.kind, &new.kind) {
        for ((key, old), (_, new)) in of_pool(old).into_iter().zip(of_pool(new)) {
            compare(key, old, new, effect_in_pool(key));
        }
    }
    changes
}

fn section(kind: &GroupKind) -> String {
    let word = match kind {
        GroupKind::Program => "program",
        GroupKind::Group => "group",
        GroupKind::EventListener(_) => "eventlistener",
        GroupKind::Fcgi(_) => "fcgi-program",
    };
    word.to_owned()
}

fn by_name(processes: &[Arc<ProcessConfig>]) -> BTreeMap<&str, &ProcessConfig> {
    first_of_each(processes).map(|process| (process.name.as_str(), process)).collect()
}

/// Where two have one name, the first.
fn first_of_each(processes: &[Arc<ProcessConfig>]) -> impl Iterator<Item = &ProcessConfig> {
    let mut seen = BTreeSet::new();
    processes.iter().map(|process| &**process).filter(move |process| seen.insert(process.name.as_str()))
}

/// A socket is shared: it can be made anew only when nobody has the old one.
fn same_sockets(before: &BTreeMap<&str, &ProcessConfig>, after: &BTreeMap<&str, &ProcessConfig>) -> bool {
    let both = after.iter().filter_map(|(name, new)| Some((before.get(name)?, new)));
    both.into_iter().all(|(old, new)| old.socket == new.socket)
}

/// As the table of options says.
fn effect(section: SectionKind, key: &str) -> Effect {
    let row = options::row(section, key);
    match row.map(|row| row.on_change) {
        Some(OnChange::Live) => Effect::Live,
        Some(OnChange::Update | OnChange::Reread | OnChange::Reload | OnChange::NextClient) | None => {
            Effect::Restart
        }
    }
}

fn effect_in_pool(key: &str) -> Effect {
    effect(SectionKind::EventListener, key)
}

type Written = (String, Option<String>);

/// Every option but the environment, as one would write it; nothing where it is not set.
fn written(process: &ProcessConfig) -> Vec<Written> {
    // All of them: what is new here has to have a key below, and a row that says what its change takes.
    let ProcessConfig {
        // By which two processes are compared at all.
        name: _,
        // Belongs to the group, or shows in the socket.
        kind: _,
        command,
        priority,
        autostart,
        autorestart,
        startsecs,
        startretries,
        restartpause,
        backoff,
        startlimit,
        essential,
        program_type,
        exitcodes,
        stopsignal,
        stopwaitsecs,
        stopasgroup,
        killasgroup,
        user,
        umask,
        directory,
        // Variable by variable, elsewhere.
        environment: _,
        serverurl,
        redirect_stderr,
        stdout,
        stderr,
        socket,
    } = process;
    let seconds = |time: std::time::Duration| decimal(time.as_millis());
    let set = |text: &str| Some(text.to_owned());
    let flag = |flag: &bool| Some(flag.to_string());
    let own = [
        ("command", set(command)),
        ("priority", Some(priority.to_string())),
        ("autostart", flag(autostart)),
        ("startsecs", Some(startsecs.to_string())),
        (
            "startretries",
            Some(match startretries {
                crate::Retries::Limit(n) => n.to_string(),
                crate::Retries::Infinite => "infinite".to_owned(),
            }),
        ),
        ("backoff", set(backoff.curve.name())),
        ("maxbackoff", backoff.most.map(seconds)),
        ("backoffjitter", Some(decimal(backoff.jitter.thousandths.into()))),
        (
            "autorestart",
            set(match autorestart {
                AutoRestart::Never => "false",
                AutoRestart::Unexpected => "unexpected",
                AutoRestart::Always => "true",
            }),
        ),
        ("restartpause", Some(seconds(*restartpause))),
        ("startlimit", startlimit.map(|limit| format!("{}/{}", limit.restarts, seconds(limit.within)))),
        (
            "type",
            set(match program_type {
                ProgramType::Simple => "simple",
                ProgramType::Oneshot => "oneshot",
            }),
        ),
        ("essential", flag(essential)),
        ("exitcodes", Some(exitcodes.iter().map(u8::to_string).collect::<Vec<_>>().join(","))),
        ("stopsignal", set(signal_name(*stopsignal).trim_start_matches("SIG"))),
        ("stopwaitsecs", Some(stopwaitsecs.to_string())),
        ("stopasgroup", flag(stopasgroup)),
        ("killasgroup", flag(killasgroup)),
        ("user", user.as_ref().map(|user| user.name.clone())),
        ("umask", umask.map(octal)),
        ("directory", directory.as_ref().map(|path| path.display().to_string())),
        ("serverurl", set(serverurl.as_deref().unwrap_or("AUTO"))),
        ("redirect_stderr", flag(redirect_stderr)),
        // Both outputs have the same of these two.
        ("log_overflow", set(stdout.overflow.name())),
        ("logfile_mkdir", Some(stdout.extras.as_ref().is_some_and(|extras| extras.mkdir).to_string())),
    ];
    let mut all: Vec<Written> = own.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
    for (name, channel) in [("stdout", stdout), ("stderr", stderr)] {
        all.extend(of_channel(channel).map(|(key, value)| (format!("{name}_{key}"), value)));
    }
    all.extend(of_socket(socket.as_deref()).map(|(key, value)| (key.to_owned(), value)));
    all
}

fn of_channel(channel: &Channel) -> [(&'static str, Option<String>); 15] {
    let Channel { logfile, maxbytes, backups, capture_maxbytes, events_enabled, syslog, overflow: _, extras } =
        channel;
    let usual = LogExtras::default();
    let LogExtras { more, format, compress, owner, mode, mkdir: _, syslog: to, journald } =
        extras.as_deref().unwrap_or(&usual);
    let first = match logfile {
        LogFile::Auto => "AUTO".to_owned(),
        LogFile::None => "NONE".to_owned(),
        LogFile::Path(path) => path.display().to_string(),
    };
    let files = more.iter().fold(first, |files, path| format!("{files}, {}", path.display()));
    [
        ("logfile", Some(files)),
        ("logfile_maxbytes", Some(bytes(*maxbytes))),
        ("logfile_backups", Some(backups.to_string())),
        ("logfile_format", Some(format.to_string())),
        ("logfile_compress", Some(compress.name().to_owned())),
        ("logfile_owner", owner.map(owner_text)),
        ("logfile_mode", mode.map(octal)),
        ("capture_maxbytes", Some(bytes(*capture_maxbytes))),
        ("events_enabled", Some(events_enabled.to_string())),
        ("syslog", Some(syslog.to_string())),
        ("syslog_address", Some(to.address.to_string())),
        ("syslog_facility", Some(to.facility_name().to_owned())),
        ("syslog_severity", Some(to.severity_name().to_owned())),
        ("syslog_tag", to.tag.clone()),
        ("journald", Some(journald.to_string())),
    ]
}

/// What an event listener has beside the options of a program, in the order of the reference page.
fn of_pool(pool: &PoolConfig) -> [(&'static str, String); 7] {
    let PoolConfig {
        buffer_size,
        events,
        result_handler,
        overflow,
        overflow_maxbytes,
        listener_recover,
        payload_length,
    } = pool;
    [
        ("events", events.join(",")),
        ("overflow", overflow.name().to_owned()),
        ("buffer_size", buffer_size.to_string()),
        ("overflow_maxbytes", bytes(*overflow_maxbytes)),
        ("listener_recover", listener_recover.to_string()),
        ("payload_length", payload_length.name().to_owned()),
        ("result_handler", result_handler.name().to_owned()),
    ]
}

fn of_socket(socket: Option<&SocketConfig>) -> [(&'static str, Option<String>); 4] {
    let Some(SocketConfig { url, backlog, mode, owner }) = socket else {
        return ["socket", "socket_backlog", "socket_mode", "socket_owner"].map(|key| (key, None));
    };
    [
        ("socket", Some(url.clone())),
        ("socket_backlog", backlog.map(|backlog| backlog.to_string())),
        ("socket_mode", mode.map(octal)),
        ("socket_owner", owner.map(owner_text)),
    ]
}

/// A number of thousandths, as one would write it.
fn decimal(thousandths: u128) -> String {
    let text = format!("{}.{:03}", thousandths / 1000, thousandths % 1000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn octal(mode: u32) -> String {
    format!("{mode:03o}")
}

/// By number, as a name may stand for either.
fn owner_text((uid, gid): (Option<u32>, Option<u32>)) -> String {
    let part = |id: Option<u32>| id.map(|id| id.to_string()).unwrap_or_default();
    match gid {
        None => part(uid),
        Some(_) => format!("{}:{}", part(uid), part(gid)),
    }
}

/// In the largest unit that comes out even.
fn bytes(number: u64) -> String {
    let units = [("GB", 30), ("MB", 20), ("KB", 10)];
    let even = units.iter().find(|(_, shift)| number > 0 && number.trailing_zeros() >= *shift);
    even.map_or_else(|| number.to_string(), |(unit, shift)| format!("{}{unit}", number >> shift))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::options::OPTIONS;
    use crate::{CliOverrides, MemoryFiles, load};

    fn group(text: &str) -> GroupConfig {
        let files = MemoryFiles::with("/etc/s.conf", &format!("[supervisord]\n{text}"));
        load(Path::new("/etc/s.conf"), &CliOverrides::default(), &files).unwrap().groups.remove(0)
    }

    fn between(old: &str, new: &str) -> GroupChanges {
        let old = group(old);
        group_changes(&old, &old.processes, &group(new))
    }

    /// `key: old -> new`, and a `!` behind what takes a restart.
    fn told(changes: &[Change]) -> Vec<String> {
        let value = |value: &Option<String>| value.clone().unwrap_or_else(|| "-".to_owned());
        let mark = |change: &Change| if change.effect == Effect::Restart { " !" } else { "" };
        let one = |c: &Change| format!("{}: {} -> {}{}", c.key, value(&c.old), value(&c.new), mark(c));
        changes.iter().map(one).collect()
    }

    const A: &str = "[program:a]\ncommand=x\n";

    fn changed(extra: &str) -> Vec<String> {
        let changes = between(A, &format!("{A}{extra}\n"));
        let [process] = &changes.processes[..] else { panic!("there is one process") };
        told(&process.changes)
    }

    #[test]
    fn every_option_is_told_by_its_name_and_as_it_would_be_written() {
        for (written, expected) in [
            ("autostart=no", "autostart: true -> false"),
            ("startsecs=0", "startsecs: 1 -> 0"),
            ("startretries=-1", "startretries: 3 -> infinite"),
            ("backoff=constant", "backoff: linear -> constant"),
            ("maxbackoff=2.5", "maxbackoff: - -> 2.5"),
            ("backoffjitter=0.25", "backoffjitter: 0 -> 0.25"),
            ("autorestart=on", "autorestart: unexpected -> true"),
            ("restartpause=0.5", "restartpause: 0 -> 0.5"),
            ("startlimit=5/60", "startlimit: - -> 5/60"),
            ("type=oneshot", "type: simple -> oneshot"),
            ("essential=true", "essential: false -> true"),
            ("exitcodes=0,2", "exitcodes: 0 -> 0,2"),
            ("stopsignal=int", "stopsignal: TERM -> INT"),
            ("stopwaitsecs=99", "stopwaitsecs: 10 -> 99"),
            ("killasgroup=true", "killasgroup: false -> true"),
            ("log_overflow=drop", "log_overflow: block -> drop"),
            ("logfile_mkdir=true", "logfile_mkdir: false -> true"),
            ("stdout_logfile_maxbytes=1MB", "stdout_logfile_maxbytes: 50MB -> 1MB"),
            ("stdout_logfile_maxbytes=1000", "stdout_logfile_maxbytes: 50MB -> 1000"),
            ("stderr_logfile_backups=0", "stderr_logfile_backups: 10 -> 0"),
            ("stderr_logfile_compress=gzip", "stderr_logfile_compress: none -> gzip"),
            ("stdout_logfile_format=json", "stdout_logfile_format: text -> json"),
            ("stdout_logfile_mode=640", "stdout_logfile_mode: - -> 640"),
            ("stdout_logfile_owner=web", "stdout_logfile_owner: - -> 33"),
            ("stderr_capture_maxbytes=1KB", "stderr_capture_maxbytes: 0 -> 1KB"),
            ("stdout_events_enabled=true", "stdout_events_enabled: false -> true"),
            ("command=x y", "command: x -> x y !"),
            ("user=web", "user: - -> web !"),
            ("umask=22", "umask: - -> 022 !"),
            ("directory=/tmp", "directory: - -> /tmp !"),
            ("serverurl=http://h", "serverurl: AUTO -> http://h !"),
            ("stdout_logfile=/tmp/x, /dev/stdout", "stdout_logfile: AUTO -> /tmp/x, /dev/stdout !"),
            ("stderr_logfile=none", "stderr_logfile: AUTO -> NONE !"),
            ("stdout_syslog=true", "stdout_syslog: false -> true !"),
            ("stdout_syslog_address=@udp:h", "stdout_syslog_address: local -> @udp:h:514 !"),
            ("stdout_syslog_facility=daemon", "stdout_syslog_facility: user -> daemon !"),
            ("stdout_syslog_severity=err", "stdout_syslog_severity: info -> err !"),
            ("stdout_syslog_tag=a", "stdout_syslog_tag: - -> a !"),
            ("stderr_journald=true", "stderr_journald: false -> true !"),
            ("environment=A=1", "environment.A: - -> 1 !"),
        ] {
            assert_eq!(changed(written), [expected], "{written}");
        }
        assert_eq!(changed("stopasgroup=true"), ["stopasgroup: false -> true", "killasgroup: false -> true"]);
        // Then there is no log of its own.
        let redirected = ["redirect_stderr: false -> true !", "stderr_logfile: AUTO -> NONE !"];
        assert_eq!(changed("redirect_stderr=true"), redirected);
        let before = format!("{A}environment=A=1,B=2\n");
        let after = format!("{A}environment=B=3\n");
        assert_eq!(
            told(&between(&before, &after).processes[0].changes),
            ["environment.A: 1 -> - !", "environment.B: 2 -> 3 !"]
        );
    }

    #[test]
    fn every_option_of_a_program_in_the_table_has_a_key_and_every_key_a_row() {
        let written: BTreeSet<String> = written(&group(A).processes[0])
            .into_iter()
            .map(|(key, _)| key)
            .chain(["environment".to_owned()])
            .collect();
        let programs = [SectionKind::Program, SectionKind::FcgiProgram];
        let rows = OPTIONS.iter().filter(|row| programs.iter().any(|kind| row.sections.contains(kind)));
        // Names and numbers make a process; a prefix is a short word for a format.
        let elsewhere = ["process_name", "numprocs", "numprocs_start", "log_prefix"];
        let known: BTreeSet<String> =
            rows.map(|row| row.name.to_owned()).filter(|name| !elsewhere.contains(&name.as_str())).collect();
        assert_eq!(written, known);
    }

    #[test]
    fn every_option_of_a_pool_is_told() {
        let listener = "[eventlistener:a]\ncommand=x\nevents=TICK_5\n";
        let mut told_of = BTreeSet::from(["priority".to_owned()]);
        for (written, expected) in [
            ("events=TICK_60,EVENT", "events: TICK_5 -> EVENT,TICK_60"),
            ("overflow=block", "overflow: spill -> block"),
            ("buffer_size=11", "buffer_size: 10 -> 11"),
            ("overflow_maxbytes=0", "overflow_maxbytes: 256MB -> 0"),
            ("listener_recover=yes", "listener_recover: false -> true"),
            ("payload_length=characters", "payload_length: auto -> characters"),
            (
                "result_handler=supervisor_stdout:event_handler",
                "result_handler: supervisor.dispatchers:default_handler -> supervisor_stdout:event_handler",
            ),
        ] {
            let changes = between(listener, &format!("{listener}{written}\n"));
            // Who judges may be in the middle of an answer, and who reads in the middle of a payload.
            let takes = if changes.whole { " !" } else { "" };
            assert_eq!(
                changes.whole,
                ["result_handler", "payload_length"].iter().any(|key| written.starts_with(key)),
                "{written}"
            );
            assert_eq!(told(&changes.changes), [format!("{expected}{takes}")], "{written}");
            let fate = if changes.whole { Fate::Restarted } else { Fate::Untouched };
            assert_eq!(changes.processes[0].fate, fate, "{written}");
            told_of.insert(changes.changes[0].key.clone());
        }
        let rows = OPTIONS.iter().filter(|row| row.sections == [SectionKind::EventListener]);
        assert_eq!(told_of, rows.map(|row| row.name.to_owned()).collect());
    }

    #[test]
    fn what_nobody_would_call_a_change_is_none() {
        for same in ["user=web\n", "stdout_logfile_maxbytes=50MB\n", "startsecs=1\ncolour=blue\n"] {
            let written = format!("{A}{same}");
            let other = written.replace("user=web", "user=33");
            assert_eq!(between(&written, &other).processes[0].fate, Fate::Untouched, "{same}");
        }
        let renamed = between(&format!("{A}user=web\n"), &format!("{A}user=33\nstartsecs=2\n"));
        assert_eq!(told(&renamed.processes[0].changes), ["startsecs: 1 -> 2"]);
    }

    #[test]
    fn each_process_has_a_fate_of_its_own() {
        let several = |numprocs: u32, extra: &str| {
            format!("{A}numprocs={numprocs}\nprocess_name=a%(process_num)s\n{extra}\n")
        };
        let fates = |old: &str, new: &str| -> Vec<(String, Fate)> {
            let changes = between(old, new);
            assert!(!changes.whole);
            changes.processes.into_iter().map(|process| (process.name, process.fate)).collect()
        };
        let named = |all: &[(&str, Fate)]| -> Vec<(String, Fate)> {
            all.iter().map(|(name, fate)| ((*name).to_owned(), *fate)).collect()
        };
        use Fate::*;
        assert_eq!(
            fates(&several(2, ""), &several(3, "")),
            named(&[("a0", Untouched), ("a1", Untouched), ("a2", Added)])
        );
        assert_eq!(
            fates(&several(3, ""), &several(1, "startsecs=2")),
            named(&[("a0", Changed), ("a1", Removed), ("a2", Removed)])
        );
        assert_eq!(
            fates(&several(2, ""), &several(2, "environment=N=%(process_num)s")),
            named(&[("a0", Restarted), ("a1", Restarted)])
        );
    }

    #[test]
    fn another_kind_or_another_socket_makes_it_another_group() {
        let fcgi = "[fcgi-program:a]\ncommand=x\nsocket=unix:///tmp/s\n";
        let changes = between(A, fcgi);
        assert!(changes.whole);
        assert_eq!(told(&changes.changes), ["section: program -> fcgi-program !"]);
        assert_eq!(changes.processes[0].fate, Fate::Restarted);
        for extra in ["socket_mode=0777", "socket_backlog=9", "socket_owner=web"] {
            assert!(between(fcgi, &format!("{fcgi}{extra}\n")).whole, "{extra}");
        }
        assert!(!between(fcgi, &format!("{fcgi}startsecs=3\n")).whole);
        let listener = "[eventlistener:a]\ncommand=x\nevents=TICK_5\n";
        assert!(
            between(listener, &listener.replace("eventlistener", "program").replace("events=TICK_5\n", ""))
                .whole
        );
        // A program on its own, or named by a group of the same name, is one and the same.
        assert!(!between(A, &format!("{A}[group:a]\nprograms=a\npriority=5\n")).whole);
    }

    #[test]
    fn the_place_of_a_group_needs_no_restart() {
        let grouped = |priority: u32| format!("{A}[group:g]\nprograms=a\npriority={priority}\n");
        let changes = between(&grouped(5), &grouped(6));
        assert_eq!(told(&changes.changes), ["priority: 5 -> 6"]);
        assert_eq!(changes.processes[0].fate, Fate::Untouched);
    }
}
