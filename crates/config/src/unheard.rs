//! Subscriptions of pools to events that no program gives rise to: output and messages become events only where an option
//! of the program says so.
//!
//! In: all groups of a file. Out: advice. Nothing is said where programs may come that no file has.

use crate::options::SectionKind;
use crate::reading::Reading;
use crate::section::Section;
use crate::{Channel, GroupConfig, GroupKind, ProcessConfig, ProcessKind, Publishes, RpcInterface};

/// A kind of event that has to be asked for, by an option of the same name for each output.
struct Optional {
    event: &'static str,
    option: &'static str,
    is_on: fn(&Channel) -> bool,
}

const OPTIONAL: [Optional; 2] = [
    Optional { event: "PROCESS_LOG", option: "events_enabled=true", is_on: |channel| channel.events_enabled },
    Optional {
        event: "PROCESS_COMMUNICATION",
        option: "capture_maxbytes",
        is_on: |channel| channel.capture_maxbytes > 0,
    },
];

pub(crate) fn advise(reading: &Reading<'_>, groups: &[GroupConfig], interfaces: &[RpcInterface]) {
    if interfaces.iter().any(|interface| matches!(interface.publishes(), Publishes::Twiddler { .. })) {
        return;
    }
    let processes = || groups.iter().flat_map(|group| &group.processes);
    for kind in &OPTIONAL {
        let by_stdout = processes().any(|process| speaks(process) && (kind.is_on)(&process.stdout));
        // What goes where standard output goes is not told as anything else.
        let by_stderr = processes().any(|process| !process.redirect_stderr && (kind.is_on)(&process.stderr));
        let Optional { event, option, .. } = kind;
        for (name, published, wanted) in [
            (event.to_string(), by_stdout || by_stderr, format!("stdout_{option} or stderr_{option}")),
            (format!("{event}_STDOUT"), by_stdout, format!("stdout_{option}")),
            (format!("{event}_STDERR"), by_stderr, format!("stderr_{option}")),
        ] {
            let deaf = groups.iter().filter(|group| !published && hears(group, &name));
            for group in deaf {
                let section = format!("eventlistener:{}", group.name);
                let section = Section::new(reading, &section, SectionKind::EventListener);
                section.advise("events", format!("there is never a {name}, because no program has {wanted}"));
            }
        }
    }
}

/// A listener's own standard output is its protocol.
fn speaks(process: &ProcessConfig) -> bool {
    process.kind != ProcessKind::EventListener
}

fn hears(group: &GroupConfig, name: &str) -> bool {
    match &group.kind {
        GroupKind::EventListener(pool) => pool.events.iter().any(|event| event == name),
        GroupKind::Program | GroupKind::Group | GroupKind::Fcgi(_) => false,
    }
}
