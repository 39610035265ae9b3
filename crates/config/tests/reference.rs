//! The pages under docs/reference that are made from the option table.
//!
//! `configuration.md` is for people, `configuration.schema.json` for editors. Both
//! must be what the table gives; `PROVOST_BLESS=1` writes them anew. What cannot
//! be told by a table stands in `configuration.head.md`, which is written by hand.

use std::path::{Path, PathBuf};

use provost_config::EVENT_TYPES;
use provost_config::json::Json;
use provost_config::options::{DefaultValue, OPTIONS, OnChange, OptionRow, SectionKind, ValueKind};

#[test]
fn the_pages_are_what_the_table_gives() {
    compare("configuration.md", &page());
    compare("configuration.schema.json", &format!("{}\n", schema()));
}

#[test]
fn every_option_is_on_the_page_once_for_each_of_its_headings() {
    let page = page();
    for row in OPTIONS {
        let entry = format!("| `{}` |", row.name);
        assert!(page.contains(&entry), "{entry}");
        assert!(page.contains(row.doc), "{}", row.doc);
    }
}

#[test]
fn every_flag_of_the_help_is_on_its_page() {
    let page = read("supervisord.md").expect("docs/reference/supervisord.md is there");
    let help = provost_config::cli::help("supervisord");
    let flags =
        help.lines().filter(|line| line.starts_with('-')).filter_map(|line| line.split_whitespace().next());
    let mut seen = 0;
    for flag in flags.flat_map(|flags| flags.split('/')) {
        assert!(page.contains(&format!("`{flag}")), "{flag}");
        seen += 1;
    }
    assert!(seen > 40, "the help has become shorter: {seen}");
}

#[test]
fn every_type_and_every_option_of_a_listener_is_on_the_page_of_events() {
    let page = read("events.md").expect("docs/reference/events.md is there");
    for name in EVENT_TYPES {
        let row = page.lines().filter(|line| line.starts_with('|') && line.contains(&format!("`{name}`")));
        assert_eq!(row.count(), 1, "{name}");
    }
    let own = OPTIONS.iter().filter(|row| row.sections == [SectionKind::EventListener]);
    for row in own {
        assert!(page.contains(&format!("`{}", row.name)), "{}", row.name);
    }
}

/// How a kind of section is written, what it is for, and whose options it has besides.
const SECTIONS: &[(SectionKind, &str, &str, Option<SectionKind>)] = &[
    (SectionKind::Supervisord, "supervisord", "The daemon itself. The file is refused without it.", None),
    (
        SectionKind::UnixHttpServer,
        "unix_http_server",
        "A server on a unix socket, usually for supervisorctl. There may be several, as \
         `[unix_http_server:NAME]`.",
        None,
    ),
    (
        SectionKind::InetHttpServer,
        "inet_http_server",
        "A server on a TCP port. There may be several, as `[inet_http_server:NAME]`. Whoever reaches it can \
         run anything as the daemon's user: set a password, or keep it on localhost.",
        None,
    ),
    (SectionKind::Program, "program:NAME", "A program, and how many processes of it are run.", None),
    (
        SectionKind::EventListener,
        "eventlistener:NAME",
        "A program that is told about events on its standard input.",
        Some(SectionKind::Program),
    ),
    (
        SectionKind::FcgiProgram,
        "fcgi-program:NAME",
        "A program whose processes share one listening socket as their standard input.",
        Some(SectionKind::Program),
    ),
    (
        SectionKind::Group,
        "group:NAME",
        "Programs that are started and stopped together; they start in the order in which `programs` names \
         them.",
        None,
    ),
    (
        SectionKind::User,
        "user:NAME",
        "Somebody who may use the servers, what proves it, and what may be done then: see [access](access.md).",
        None,
    ),
    (
        SectionKind::Include,
        "include",
        "Further files. They are read after the main file, in the order of the patterns and sorted within each; \
         an `[include]` in them is not followed.",
        None,
    ),
    (
        SectionKind::RpcInterface,
        "rpcinterface:NAME",
        "A namespace of the XML-RPC interface. Nearly every file has one named `supervisor`.",
        None,
    ),
    (SectionKind::Supervisorctl, "supervisorctl", "The client. It reads the main file only.", None),
    (SectionKind::CtlPlugin, "ctlplugin:NAME", "A plug-in of the client.", None),
];

fn page() -> String {
    let mut page = read("configuration.head.md").expect("docs/reference/configuration.head.md is there");
    page += "\n## Kinds of values\n\n";
    for (name, meaning) in kinds() {
        page += &format!("- **{name}**: {meaning}\n");
    }
    for (kind, name, about, base) in SECTIONS {
        page += &format!("\n## [{name}]\n\n{about}\n");
        if base.is_some() {
            page += "It has all options of `[program:NAME]`, and these:\n";
        }
        page += "\n| option | value | default | a change needs | |\n|---|---|---|---|---|\n";
        for row in rows(*kind, *base) {
            page += &line(row);
        }
    }
    page
}

/// Each kind of value once, in the order of the table.
fn kinds() -> Vec<(&'static str, &'static str)> {
    let mut kinds = Vec::new();
    for kind in OPTIONS.iter().map(|row| kind_words(row.kind)) {
        if !kinds.contains(&kind) {
            kinds.push(kind);
        }
    }
    kinds
}

/// The options of a section that its base does not have in the same words.
fn rows(kind: SectionKind, base: Option<SectionKind>) -> impl Iterator<Item = &'static OptionRow> {
    OPTIONS.iter().filter(move |row| {
        row.sections.contains(&kind) && base.is_none_or(|base| !row.sections.contains(&base))
    })
}

fn line(row: &OptionRow) -> String {
    let since = if row.since == "0.1.0" { String::new() } else { format!(" Since {}.", row.since) };
    format!(
        "| `{}` | {} | {} | {} | {}{since} |\n",
        row.name,
        kind_words(row.kind).0,
        default_words(row.default),
        change_words(row.on_change),
        row.doc.replace('|', "\\|"),
    )
}

fn default_words(default: DefaultValue) -> String {
    match default {
        DefaultValue::Required => "must be given".to_owned(),
        DefaultValue::Unset | DefaultValue::Text("") => String::new(),
        DefaultValue::Text(text) => format!("`{text}`"),
        DefaultValue::SameAs(other) => format!("that of `{other}`"),
        DefaultValue::TempDir => "the system's directory for temporary files".to_owned(),
    }
}

fn change_words(change: OnChange) -> &'static str {
    match change {
        OnChange::Update => "`update`",
        OnChange::Live => "`update`, live",
        OnChange::Reread => "`reread`",
        OnChange::Reload => "`reload`",
        OnChange::NextClient => "nothing",
    }
}

/// The command alone, without what it does to processes.
fn command_word(change: OnChange) -> &'static str {
    change_words(change).split('`').find(|word| !word.is_empty()).unwrap_or_default()
}

/// The name of a kind in the tables, and what it takes.
fn kind_words(kind: ValueKind) -> (&'static str, &'static str) {
    match kind {
        ValueKind::Text => ("text", "anything."),
        ValueKind::Integer => ("integer", "a whole number."),
        ValueKind::Boolean => {
            ("yes or no", "`true`, `yes`, `on`, `1`, or `false`, `no`, `off`, `0`, in any case.")
        }
        ValueKind::AutoRestart => ("yes, no or unexpected", "a yes or no, or `unexpected`."),
        ValueKind::ByteSize => ("size", "a number of bytes, or one with `KB`, `MB` or `GB` behind it."),
        ValueKind::Retries => ("retries", "an integer, or `infinite` (also `-1`)."),
        ValueKind::Seconds => ("seconds", "a number with up to three decimals, such as `5` or `0.25`."),
        ValueKind::Fraction => ("fraction", "a number from 0 to 1 with up to three decimals."),
        ValueKind::Backoff => ("curve", "`linear`, `exponential` or `constant`, in any case."),
        ValueKind::StartLimit => ("limit", "a number from 1 to 1000, `/`, and seconds: `5/60`."),
        ValueKind::ProgramType => ("type", "`simple` or `oneshot`, in any case."),
        ValueKind::ExitOn => ("ends", "`none`, `fatal`, `exited` or `all_exited`, in any case."),
        ValueKind::Leftovers => ("choice", "`start`, `refuse`, `adopt` or `stop`, in any case."),
        ValueKind::Octal => ("octal", "a file mode or mask such as `022`."),
        ValueKind::Signal => ("signal", "a name in any case, with or without `SIG`, or a number."),
        ValueKind::ExitCodes => ("exit codes", "numbers from 0 to 255 between commas."),
        ValueKind::Strings => ("names", "names between commas."),
        ValueKind::User => ("user", "a login name, or the number of an account that exists."),
        ValueKind::UserGroup => ("user:group", "a user, and perhaps a colon and a group."),
        ValueKind::Path => {
            ("path", "a path; `~` is a home directory, and what is relative becomes absolute.")
        }
        ValueKind::ExistingDirectory => ("directory", "a directory that exists; `~` is a home directory."),
        ValueKind::PathInDirectory => ("file", "a file in a directory that exists; `~` is a home directory."),
        ValueKind::MainLog => ("main log", "a file, or `syslog`."),
        ValueKind::ChildLog => (
            "child log",
            "a file, `AUTO`, or `NONE` (also `off`, or nothing at all), in any case. Expanded twice: one \
             percent sign is written `%%%%`. Or several of these between commas: files, of which all but \
             the first begin with `/` or `~`, `AUTO` once, `syslog`, a syslog address such as \
             `@udp:loghost:514`, and `journald`.",
        ),
        ValueKind::PoolOverflow => ("events' overflow", "`spill`, `drop` or `block`, in any case."),
        ValueKind::PayloadLength => ("unit", "`auto`, `bytes` or `characters`, in any case."),
        ValueKind::SpillSize => ("size on disk", "a size of at least `1MB`, or `0`."),
        ValueKind::Overflow => ("overflow", "`block` or `drop`, in any case."),
        ValueKind::LogFormat => (
            "format",
            "`text`, `json`, or a pattern. In a pattern `%(asctime)s`, `%(message)s`, `%(process_name)s`, \
             `%(group_name)s`, `%(program_name)s`, `%(pid)s`, `%(channel)s` and `%(hostname)s` stand for \
             what they say of each line, the names that are expanded everywhere are expanded, and one percent \
             sign is written `%%`.",
        ),
        ValueKind::LogPrefix => ("prefix", "`name` or `none`, in any case."),
        ValueKind::Compress => ("compression", "`none`, `gzip` or `zstd`, in any case."),
        ValueKind::LogOwner => ("owner", "`USER`, `USER:GROUP` or `:GROUP`; a number needs no account."),
        ValueKind::SyslogAddress => (
            "syslog address",
            "`local`, `@udp:HOST:PORT` or `@tcp:HOST:PORT`; without `:PORT` it is 514, and an IPv6 address \
             stands in brackets.",
        ),
        ValueKind::SyslogFacility => (
            "facility",
            "`kern`, `user`, `mail`, `daemon`, `auth`, `syslog`, `lpr`, `news`, `uucp`, `cron`, `authpriv`, \
             `ftp` or `local0` to `local7`, in any case.",
        ),
        ValueKind::SyslogSeverity => (
            "severity",
            "`emerg`, `alert`, `crit`, `err`, `warning`, `notice`, `info` or `debug`, in any case.",
        ),
        ValueKind::SyslogTag => {
            ("tag", "1 to 48 letters, digits and signs of ASCII, without blank, colon and bracket.")
        }
        ValueKind::LogLevel => {
            ("level", "`critical`, `error`, `warn`, `info`, `debug`, `trace` or `blather`, in any case.")
        }
        ValueKind::NamePattern => {
            ("name pattern", "a name without blank, colon or slash; `%(process_num)s` numbers it.")
        }
        ValueKind::Environment => (
            "environment",
            "`KEY=\"value\"` pairs between commas. Quotes are needed around whatever is not a letter, a digit \
             or one of `_/.+-():`.",
        ),
        ValueKind::InetAddress => ("address", "`PORT`, `:PORT`, `*:PORT` or `HOST:PORT`."),
        ValueKind::FcgiSocket => ("socket", "`unix:///absolute/path` or `tcp://HOST:PORT`."),
        ValueKind::EventTypes => ("events", "names of event types between commas, in any case."),
        ValueKind::PythonObject => ("Python name", "`module:name`."),
        ValueKind::Url => ("url", "`http://HOST:PORT` or `unix:///path`."),
        ValueKind::Role => ("role", "`viewer`, `operator` or `admin`."),
        ValueKind::Permissions => ("rights", "names of rights between commas."),
        ValueKind::Programs => {
            ("programs", "globs on `group:name` between commas; a group alone is all of it.")
        }
        ValueKind::Accounts => ("accounts", "names or numbers of accounts between commas."),
        ValueKind::AccountGroups => {
            ("account groups", "names or numbers of groups of accounts between commas.")
        }
        ValueKind::Hosts => ("hosts", "host names between commas."),
        ValueKind::GlobPatterns => ("patterns", "paths between blanks, with `*`, `?` and `[a-z]`."),
    }
}

fn schema() -> Json {
    let alone = SECTIONS.iter().filter(|(_, name, ..)| !name.ends_with(":NAME"));
    let named = SECTIONS.iter().filter_map(|(kind, name, ..)| Some((kind, name.strip_suffix(":NAME")?)));
    Json::object([
        ("$schema", "https://json-schema.org/draft/2020-12/schema".into()),
        ("title", "supervisord.conf, read as one object for each section".into()),
        ("type", "object".into()),
        ("required", Json::list(["supervisord"])),
        ("properties", Json::object(alone.map(|(_, name, ..)| (*name, reference(name))))),
        (
            "patternProperties",
            Json::object(named.map(|(_, name)| (format!("^{name}:"), reference(name))).chain(
                ["unix_http_server", "inet_http_server"].map(|name| (format!("^{name}:"), reference(name))),
            )),
        ),
        (
            "$defs",
            Json::object(SECTIONS.iter().map(|(kind, name, about, _)| {
                (name.trim_end_matches(":NAME"), section_schema(*kind, about))
            })),
        ),
    ])
}

fn reference(name: &str) -> Json {
    Json::object([("$ref", format!("#/$defs/{name}").into())])
}

fn section_schema(kind: SectionKind, about: &str) -> Json {
    let required = rows(kind, None).filter(|row| row.default == DefaultValue::Required).map(|row| row.name);
    Json::object([
        ("type", "object".into()),
        ("description", about.into()),
        // Unknown options are warned of and never refused.
        ("additionalProperties", true.into()),
        ("required", Json::list(required)),
        ("properties", Json::object(rows(kind, None).map(|row| (row.name, option_schema(row))))),
    ])
}

/// Values stand in a file as text; a tool may have read numbers and truths out of it.
fn option_schema(row: &OptionRow) -> Json {
    let mut members = vec![
        ("description", row.doc.into()),
        ("x-change-needs", command_word(row.on_change).into()),
        ("x-since", row.since.into()),
        ("x-value", kind_words(row.kind).0.into()),
    ];
    if let DefaultValue::Text(text) = row.default {
        members.push(("default", text.into()));
    }
    match row.kind {
        ValueKind::Integer
        | ValueKind::Retries
        | ValueKind::ByteSize
        | ValueKind::SpillSize
        | ValueKind::ExitCodes => {
            members.push(("type", Json::list(["integer", "string"])));
        }
        ValueKind::Boolean | ValueKind::AutoRestart => {
            members.push(("type", Json::list(["boolean", "integer", "string"])));
        }
        ValueKind::Seconds | ValueKind::Fraction => {
            members.push(("type", Json::list(["number", "string"])));
        }
        ValueKind::LogLevel => {
            members.push(("type", "string".into()));
            let levels = ["critical", "error", "warn", "info", "debug", "trace", "blather"];
            members.push(("examples", Json::list(levels)));
        }
        ValueKind::EventTypes => {
            members.push(("type", "string".into()));
            members.push(("examples", Json::list(EVENT_TYPES.iter().copied())));
        }
        _ => members.push(("type", "string".into())),
    }
    Json::object(members)
}

fn compare(name: &str, now: &str) {
    if blessing() {
        write(name, now);
    }
    let before = read(name).unwrap_or_default();
    let first = before.lines().zip(now.lines()).find(|(before, now)| before != now);
    assert!(
        before == now,
        "docs/reference/{name} is not what the table gives (PROVOST_BLESS=1 mends it): {first:?}"
    );
}

fn place(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference").join(name)
}

#[expect(clippy::disallowed_methods, reason = "a switch for people; the crate is pure, its tests are not")]
fn blessing() -> bool {
    std::env::var_os("PROVOST_BLESS").is_some()
}

#[expect(clippy::disallowed_methods, reason = "the pages lie on the disk")]
fn read(name: &str) -> Option<String> {
    std::fs::read_to_string(place(name)).ok()
}

#[expect(clippy::disallowed_methods, reason = "the pages lie on the disk")]
fn write(name: &str, content: &str) {
    std::fs::write(place(name), content).expect("the page can be written");
}
