//! `[program:x]` and the part of `[eventlistener:x]` and `[fcgi-program:x]` that is
//! the same: one section in, `numprocs` processes out.
//!
//! The order in which options are read is Supervisor's, because it decides which
//! error is reported first. Which group the processes join is decided elsewhere.

use std::collections::BTreeMap;

use crate::channel::{self, Both, Output};
use crate::environment;
use crate::expand::{Scope, expand};
use crate::options::ValueKind;
use crate::policy::{self, Policies};
use crate::reading::Reading;
use crate::section::Section;
use crate::values;
use crate::{AutoRestart, LogFile, LogLevel, Overflow, ProcessConfig, ProcessKind, signal_number};

/// What all programs of a configuration share.
pub(crate) struct Common<'a> {
    pub(crate) reading: &'a Reading<'a>,
    /// `here`, and the variables of supervisord and of its `environment`.
    pub(crate) scope: &'a Scope<'a>,
    /// `[supervisord] environment`.
    pub(crate) environment: &'a BTreeMap<String, String>,
    /// `[supervisord] log_overflow`.
    pub(crate) overflow: Overflow,
}

/// The processes of a section, sorted by name.
pub(crate) fn processes(
    common: &Common<'_>,
    section_name: &str,
    group_name: &str,
    kind: ProcessKind,
) -> Vec<ProcessConfig> {
    let section = Section::of_process(common.reading, section_name);
    let (_, written_name) = section_name.split_once(':').expect("its kind was told by the colon");
    let program_name = values::name(written_name).unwrap_or_else(|text| {
        section.refuse_name(text);
        written_name.to_owned()
    });
    let scope = Scope::within(common.scope)
        .text("program_name", &program_name)
        .text("group_name", group_name)
        .text("host_node_name", &common.reading.files.hostname());
    let shared = Shared::read(&section, &scope, kind, common.overflow);
    let mut processes = Vec::new();
    let errors_before = common.reading.error_count();
    for number in shared.numbers() {
        let scope = Scope::within(&scope).integer("process_num", number).integer("numprocs", shared.numprocs);
        let process = one_process(&section, &shared, &scope, common.environment);
        if !process.as_ref().is_none_or(|process| common.reading.has_room_for(size_of(process))) {
            let text = format!("{} processes take more memory than a configuration may", shared.numprocs);
            section.refuse("numprocs", text);
        }
        processes.extend(process);
        // The others of this program have the same errors.
        if common.reading.error_count() > errors_before {
            break;
        }
    }
    processes.sort_by(|a, b| a.name.cmp(&b.name));
    processes
}

/// The bytes that a process takes, as far as they depend on its file.
fn size_of(process: &ProcessConfig) -> usize {
    let pairs = process.environment.iter().map(|(key, value)| key.len() + value.len() + 64);
    let outputs = channel::size_of(&process.stdout) + channel::size_of(&process.stderr);
    std::mem::size_of::<ProcessConfig>()
        + process.command.len()
        + process.name.len()
        + pairs.sum::<usize>()
        + outputs
}

/// The options that are read once for all processes of a program.
struct Shared {
    /// All that is known without a process number.
    template: ProcessConfig,
    process_name: String,
    numprocs: i64,
    numprocs_start: i64,
}

impl Shared {
    fn numbers(&self) -> std::ops::Range<i64> {
        self.numprocs_start..self.numprocs_start.saturating_add(self.numprocs)
    }

    fn read(section: &Section<'_>, scope: &Scope<'_>, kind: ProcessKind, overflow: Overflow) -> Shared {
        let priority = section.integer("priority", scope);
        let autostart = section.boolean("autostart", scope);
        let autorestart: AutoRestart =
            section.defaulted("autorestart", ValueKind::AutoRestart, scope, values::auto_restart);
        let startsecs = section.integer("startsecs", scope);
        let startretries = section.defaulted("startretries", ValueKind::Retries, scope, policy::retries);
        let stopsignal = section.defaulted("stopsignal", ValueKind::Signal, scope, signal_number);
        let stopwaitsecs = section.integer("stopwaitsecs", scope);
        let stopasgroup = section.boolean("stopasgroup", scope);
        let killasgroup =
            section.parsed("killasgroup", ValueKind::Boolean, scope, values::boolean).unwrap_or(stopasgroup);
        let exitcodes = section.defaulted("exitcodes", ValueKind::ExitCodes, scope, values::exit_codes);
        let redirect_stderr = section.boolean("redirect_stderr", scope);
        let numprocs = section.integer("numprocs", scope);
        let numprocs_start = section.integer("numprocs_start", scope);
        let outputs = outputs(section, kind);
        let [stdout, stderr] = outputs.map(|output| output.common(scope));
        let serverurl = section
            .text("serverurl", ValueKind::Text, scope)
            .filter(|url| !url.is_empty() && !url.trim().eq_ignore_ascii_case("auto"));
        let user = section.user("user", scope);
        let umask = section.parsed("umask", ValueKind::Octal, scope, values::octal);
        let process_name = process_name(section, numprocs);
        if stopasgroup && !killasgroup {
            let text = "Cannot set stopasgroup=true and killasgroup=false";
            section.refuse("killasgroup", text.to_owned());
        }
        // What Supervisor does not know comes last, as its first error is to stay the first.
        let policies = Policies::read(section, scope, startretries);
        policies.advise(section, autorestart, autostart);
        let both = Both::read(section, scope, overflow);
        let stdout = outputs[0].extended(scope, both, stdout);
        let stderr = outputs[1].extended(scope, both, stderr);
        let template = ProcessConfig {
            name: String::new(),
            kind,
            command: String::new(),
            priority,
            autostart,
            autorestart,
            startsecs,
            startretries,
            restartpause: policies.restartpause,
            backoff: policies.backoff,
            startlimit: policies.startlimit,
            essential: policies.essential,
            program_type: policies.program_type,
            exitcodes,
            stopsignal,
            stopwaitsecs,
            stopasgroup,
            killasgroup,
            user,
            umask,
            directory: None,
            environment: BTreeMap::new(),
            serverurl,
            redirect_stderr,
            stdout,
            stderr,
            socket: None,
        };
        Shared { template, process_name, numprocs, numprocs_start }
    }
}

/// Standard output and standard error.
fn outputs<'a>(section: &'a Section<'a>, kind: ProcessKind) -> [Output<'a>; 2] {
    ["stdout", "stderr"].map(|name| Output { section, name, kind })
}

/// The pattern of the processes' names, not yet expanded.
fn process_name(section: &Section<'_>, numprocs: i64) -> String {
    let pattern = section.raw("process_name", ValueKind::NamePattern).unwrap_or_default();
    let name = values::name(pattern).unwrap_or_else(|text| {
        section.refuse("process_name", text);
        "%(process_num)s".to_owned()
    });
    if numprocs > 1 && !name.contains("%(process_num)") {
        let text = "%(process_num) must be present within process_name when numprocs > 1";
        section.refuse("process_name", text.to_owned());
    }
    name
}

fn one_process(
    section: &Section<'_>,
    shared: &Shared,
    scope: &Scope<'_>,
    outer: &BTreeMap<String, String>,
) -> Option<ProcessConfig> {
    let own = environment(section, scope);
    let scope = &Scope::within(scope).env(&own);
    let directory = section.text("directory", ValueKind::Text, scope);
    let mut process = shared.template.clone();
    let outputs = outputs(section, process.kind);
    let stdout = outputs[0].of_process(scope, process.stdout);
    let mut stderr = outputs[1].of_process(scope, process.stderr);
    if process.redirect_stderr {
        if channel::has_a_name(&stderr) {
            section.reading.say(
                LogLevel::Warn,
                format!(
                    "For [{}], redirect_stderr=true but stderr_logfile has also been set to a \
                     filename, the filename has been ignored",
                    section.name
                ),
            );
        }
        stderr.logfile = LogFile::None;
    }
    if section.written("command").is_none() {
        let text = format!("program section {} does not specify a command", section.name);
        section.refuse("command", text);
    }
    let command = section.text("command", ValueKind::Text, scope)?;
    let name = match expand(&shared.process_name, scope, "process_name") {
        Ok(name) => name,
        Err(text) => {
            section.refuse("process_name", text);
            return None;
        }
    };
    process.name = name;
    process.command = command;
    process.directory = directory.map(Into::into);
    process.environment = outer.clone();
    process.environment.extend(own);
    process.stdout = outputs[0].of_named_process(scope, &process.name, stdout);
    process.stderr = outputs[1].of_named_process(scope, &process.name, stderr);
    if process.redirect_stderr {
        process.stderr.extras = None;
    }
    Some(process)
}

/// The program's own variables.
fn environment(section: &Section<'_>, scope: &Scope<'_>) -> BTreeMap<String, String> {
    let text = section.raw("environment", ValueKind::Environment).unwrap_or_default();
    match expand(text, scope, "environment").and_then(|text| environment::parse(&text)) {
        Ok(environment) => {
            for loss in environment.losses {
                section.advise("environment", loss);
            }
            environment.pairs
        }
        Err(text) => {
            section.refuse("environment", text);
            BTreeMap::new()
        }
    }
}
