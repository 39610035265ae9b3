//! `[eventlistener:x]`: what makes a program's processes a pool that hears events.

use crate::options::{SectionKind, ValueKind};
use crate::program::{Common, processes};
use crate::section::Section;
use crate::{GroupConfig, GroupKind, PoolConfig, ProcessKind, advice, plugins, values};

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

const OUR_HANDLER: &str = "supervisor.dispatchers:default_handler";

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
    plugins::check_object(&section, "result_handler", &result_handler, &[OUR_HANDLER]);
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
    let pool = PoolConfig { buffer_size, events, result_handler };
    Some(GroupConfig::new(name.to_owned(), priority, GroupKind::EventListener(pool), processes))
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
            section.reading.hint(advice::nearest(event, EVENT_TYPES.iter().copied()));
        }
    }
    events.sort();
    events.dedup();
    events
}
