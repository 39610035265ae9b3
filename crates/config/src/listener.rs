//! `[eventlistener:x]`: what makes a program's processes a pool that hears events.

use crate::options::{SectionKind, ValueKind};
use crate::program::{Common, processes};
use crate::python::{repr, strip};
use crate::section::Section;
use crate::{GroupConfig, GroupKind, PoolConfig, ProcessConfig, ProcessKind, advice, plugins, values};

/// The names that `events=` may hold, sorted; an abstract one stands for all below it.
pub const EVENT_TYPES: &[&str] = &[
    "EVENT",
    "PROCESS_COMMUNICATION",
    "PROCESS_COMMUNICATION_STDERR",
    "PROCESS_COMMUNICATION_STDOUT",
    "PROCESS_GROUP",
    "PROCESS_GROUP_ADDED",
    "PROCESS_GROUP_REMOVED",
    "PROCESS_LOG",
    "PROCESS_LOG_STDERR",
    "PROCESS_LOG_STDOUT",
    "PROCESS_STATE",
    "PROCESS_STATE_BACKOFF",
    "PROCESS_STATE_EXITED",
    "PROCESS_STATE_FATAL",
    "PROCESS_STATE_RUNNING",
    "PROCESS_STATE_STARTING",
    "PROCESS_STATE_STOPPED",
    "PROCESS_STATE_STOPPING",
    "PROCESS_STATE_UNKNOWN",
    "REMOTE_COMMUNICATION",
    "SUPERVISOR_STATE_CHANGE",
    "SUPERVISOR_STATE_CHANGE_RUNNING",
    "SUPERVISOR_STATE_CHANGE_STOPPING",
    "TICK",
    "TICK_3600",
    "TICK_5",
    "TICK_60",
];

/// Those that are made of what programs write.
const OF_OUTPUT: &[&str] = &[
    "PROCESS_COMMUNICATION",
    "PROCESS_COMMUNICATION_STDERR",
    "PROCESS_COMMUNICATION_STDOUT",
    "PROCESS_LOG",
    "PROCESS_LOG_STDERR",
    "PROCESS_LOG_STDOUT",
];

/// Seconds. Waits that are shorter may be meant.
const LATE: i64 = 10;

/// What becomes of events while the listeners of a pool are behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PoolOverflow {
    /// They wait, the oldest of many on a disk.
    #[default]
    Spill,
    /// The oldest is discarded, as Supervisor does it.
    Drop,
    /// They wait, and so do the programs whose output they are made of.
    Block,
}

impl PoolOverflow {
    pub const ALL: [PoolOverflow; 3] = [PoolOverflow::Spill, PoolOverflow::Drop, PoolOverflow::Block];

    pub fn name(self) -> &'static str {
        match self {
            PoolOverflow::Spill => "spill",
            PoolOverflow::Drop => "drop",
            PoolOverflow::Block => "block",
        }
    }
}

/// What a listener counts when it reads a payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PayloadLength {
    /// Characters for Python programs, bytes for all others.
    #[default]
    Auto,
    /// As in Supervisor's manual.
    Bytes,
    /// Supervisor's way.
    Characters,
}

impl PayloadLength {
    pub const ALL: [PayloadLength; 3] =
        [PayloadLength::Auto, PayloadLength::Bytes, PayloadLength::Characters];

    pub fn name(self) -> &'static str {
        match self {
            PayloadLength::Auto => "auto",
            PayloadLength::Bytes => "bytes",
            PayloadLength::Characters => "characters",
        }
    }
}

/// Who judges what a listener answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ResultHandler {
    /// `OK` accepts the event, and anything else rejects it.
    Default,
    /// That of supervisor_stdout: the answer is written to our standard output, and accepts the event.
    Stdout,
    /// A Python plug-in, in whose place `FAIL` rejects the event, and anything else accepts it.
    Other(String),
}

impl ResultHandler {
    const DEFAULT: &str = "supervisor.dispatchers:default_handler";
    const STDOUT: &str = "supervisor_stdout:event_handler";

    fn named(written: &str) -> ResultHandler {
        match written {
            ResultHandler::DEFAULT => ResultHandler::Default,
            ResultHandler::STDOUT => ResultHandler::Stdout,
            _ => ResultHandler::Other(written.to_owned()),
        }
    }

    /// The Python object that Supervisor would import.
    pub fn name(&self) -> &str {
        match self {
            ResultHandler::Default => ResultHandler::DEFAULT,
            ResultHandler::Stdout => ResultHandler::STDOUT,
            ResultHandler::Other(written) => written,
        }
    }
}

pub(crate) fn pool(common: &Common<'_>, section_name: &str) -> Option<GroupConfig> {
    let section = Section::new(common.reading, section_name, SectionKind::EventListener);
    // Unlike other groups' names this one is neither trimmed nor checked.
    let (_, name) = section_name.split_once(':')?;
    let scope = common.scope;
    let priority = section.integer("priority", scope);
    let buffer_size = section.integer("buffer_size", scope);
    if buffer_size < 1 {
        let text = format!("[{section_name}] section sets invalid buffer_size ({buffer_size})");
        section.refuse("buffer_size", text);
    }
    let result_handler =
        section.defaulted("result_handler", ValueKind::PythonObject, scope, |text| Ok(text.to_owned()));
    plugins::check_object(
        &section,
        "result_handler",
        &result_handler,
        &[ResultHandler::DEFAULT, ResultHandler::STDOUT],
    );
    let events = events(&section, common);
    if section.boolean("redirect_stderr", scope) {
        let text = format!(
            "[{section_name}] section sets redirect_stderr=true but this is not allowed because \
             it will interfere with the eventlistener protocol"
        );
        section.refuse("redirect_stderr", text);
    }
    let processes = processes(common, section_name, name, ProcessKind::EventListener);
    let buffer_size = usize::try_from(buffer_size).unwrap_or(0);
    let pool = PoolConfig {
        buffer_size,
        events,
        result_handler: ResultHandler::named(&result_handler),
        // Behind what Supervisor knows, so that its first error stays the first.
        overflow: section.defaulted("overflow", ValueKind::PoolOverflow, scope, overflow),
        overflow_maxbytes: section.defaulted("overflow_maxbytes", ValueKind::SpillSize, scope, spill_size),
        listener_recover: section.boolean("listener_recover", scope),
        payload_length: section.defaulted("payload_length", ValueKind::PayloadLength, scope, payload_length),
    };
    advise(&section, &pool, processes.first());
    Some(GroupConfig::new(name.to_owned(), priority, GroupKind::EventListener(pool), processes))
}

fn overflow(text: &str) -> Result<PoolOverflow, String> {
    let lower = text.to_lowercase();
    let known = PoolOverflow::ALL.into_iter().find(|choice| choice.name() == lower);
    known.ok_or_else(|| format!("not spill, drop or block: {}", repr(text)))
}

fn payload_length(text: &str) -> Result<PayloadLength, String> {
    let lower = text.to_lowercase();
    let known = PayloadLength::ALL.into_iter().find(|choice| choice.name() == lower);
    known.ok_or_else(|| format!("not auto, bytes or characters: {}", repr(text)))
}

/// Elsewhere a negative size means "no limit"; what lies on a disk always has one.
pub(crate) fn spill_size(text: &str) -> Result<u64, String> {
    const LEAST: u64 = 1 << 20;
    let size = values::byte_size(text)?;
    if strip(text).starts_with('-') || (1..LEAST).contains(&size) {
        return Err(format!("not 0 or at least 1MB: {}", repr(text)));
    }
    Ok(size)
}

/// Says what was written and does nothing, or other than one would think.
fn advise(section: &Section<'_>, pool: &PoolConfig, process: Option<&ProcessConfig>) {
    let advise = |key: &str, text: &str| {
        if section.written(key).is_some() {
            section.advise(key, text.to_owned());
        }
    };
    let hears = |kinds: &[&str]| pool.events.iter().any(|event| kinds.contains(&event.as_str()));
    let keeps_on_disk = pool.overflow != PoolOverflow::Drop && pool.overflow_maxbytes > 0;
    if pool.overflow == PoolOverflow::Drop {
        let text = "has no effect with overflow=drop, which keeps buffer_size events and nothing on disk";
        advise("overflow_maxbytes", text);
    }
    if pool.overflow == PoolOverflow::Block && !hears(&["EVENT"]) && !hears(OF_OUTPUT) {
        let text =
            "is what spill is for these events: none is made of output, so there is nobody to keep waiting";
        advise("overflow", text);
    }
    let Some(process) = process else { return };
    if process.startsecs >= LATE {
        let text = format!(
            "its first event comes {} seconds after its start: only a listener that is RUNNING is told",
            process.startsecs
        );
        advise("startsecs", &text);
    }
    if !process.autostart && keeps_on_disk {
        let text = "events wait for it all the same, up to overflow_maxbytes of them on disk: overflow=drop \
                    keeps no more than buffer_size";
        advise("autostart", text);
    }
    let unused = "has no effect: what a listener writes there is its side of the conversation";
    if process.stdout.events_enabled {
        advise("stdout_events_enabled", unused);
    }
    if process.stdout.capture_maxbytes > 0 {
        advise("stdout_capture_maxbytes", unused);
    }
    if process.stderr.events_enabled && hears(&["EVENT", "PROCESS_LOG", "PROCESS_LOG_STDERR"]) {
        let text = "it is told of its own output: a line that it writes about an event is the next one";
        advise("stderr_events_enabled", text);
    }
}

fn events(section: &Section<'_>, common: &Common<'_>) -> Vec<String> {
    let text = section.text("events", ValueKind::EventTypes, common.scope);
    if text.is_none() && section.written("events").is_some() {
        return Vec::new(); // what is wrong with it has been noted
    }
    let text = text.unwrap_or_default();
    let mut events: Vec<String> = values::strings(&text).iter().map(|event| event.to_uppercase()).collect();
    if events.is_empty() {
        let text = format!("[{}] section requires an \"events\" line", section.name);
        section.refuse("events", text);
    }
    for event in &events {
        if !EVENT_TYPES.contains(&event.as_str()) {
            let text = format!("Unknown event type {event} in [{}] events", section.name);
            section.refuse("events", text);
            section.reading.hint(meant(event));
        }
    }
    events.sort();
    events.dedup();
    events
}

/// The type that an unknown one is nearest to; elsewhere everything has other names.
fn meant(event: &str) -> Option<String> {
    match event {
        "*" | "ALL" | "ANY" => Some("EVENT".to_owned()),
        _ => advice::nearest(event, EVENT_TYPES.iter().copied()),
    }
}
