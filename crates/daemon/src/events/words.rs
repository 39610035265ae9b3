//! The core's events in the words of Supervisor's listeners.
//!
//! In: an event of the core, or what a process has written, which the core never hears of. Out: the event that is published,
//! and the line of the main log that tells of it at loglevel trace, which 4.3.0 does not have: it lets a person, or a test that
//! plays the same scenario on both, see what listeners are told and in which order.

use provost_core::{Event, State, StateDetail};
use provost_wire::events::{self, Said};

use crate::logs::Word;

/// `event PROCESS_STATE_STARTING processname:x …`: the type and its payload, on one line whatever that holds.
pub(crate) fn line(event: &Event) -> String {
    line_of(&told(event))
}

/// The same of what listeners are told.
pub(crate) fn line_of(told: &events::Event<'_>) -> String {
    let name = told.event_type().name();
    match told.payload() {
        payload if payload.is_empty() => format!("event {name}"),
        payload => format!("event {name} {}", payload.replace('\\', r"\\").replace('\n', r"\n")),
    }
}

/// What a process has written, where its `…_events_enabled` is on, or what it has said between the tokens for it.
pub(crate) fn said(word: Word, said: Said<'_>) -> events::Event<'_> {
    match word {
        Word::Piece => events::Event::ProcessLog(said),
        Word::Message => events::Event::ProcessCommunication(said),
    }
}

/// What listeners are told of it.
pub(crate) fn told(event: &Event) -> events::Event<'_> {
    match event {
        Event::ProcessState { process, group, from, to, detail } => {
            let change = change(*to, *detail);
            events::Event::ProcessState { process, group, from_state: from.name(), change }
        }
        Event::RemoteCommunication { kind, data } => events::Event::RemoteCommunication { kind, data },
        Event::GroupAdded { group } => events::Event::GroupAdded { group },
        Event::GroupRemoved { group } => events::Event::GroupRemoved { group },
        Event::SupervisorRunning => events::Event::SupervisorRunning,
        Event::SupervisorStopping => events::Event::SupervisorStopping,
    }
}

/// Where the core has no detail to tell, there is no child and nothing has failed.
fn change(to: State, detail: StateDetail) -> events::StateChange {
    use events::StateChange;
    let (tries, expected, pid) = match detail {
        StateDetail::None => (0, false, 0),
        StateDetail::Tries(tries) => (tries, false, 0),
        StateDetail::Pid(pid) => (0, false, pid),
        StateDetail::Exited { expected, pid } => (0, expected, pid),
    };
    match to {
        State::Starting => StateChange::Starting { tries },
        State::Running => StateChange::Running { pid },
        State::Backoff => StateChange::Backoff { tries },
        State::Stopping => StateChange::Stopping { pid },
        State::Exited => StateChange::Exited { expected, pid },
        State::Stopped => StateChange::Stopped { pid },
        State::Fatal => StateChange::Fatal,
        State::Unknown => StateChange::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use provost_wire::events::Channel;

    #[test]
    fn an_event_is_one_line() {
        let exited = Event::ProcessState {
            process: "web_00".into(),
            group: "web".into(),
            from: State::Running,
            to: State::Exited,
            detail: StateDetail::Exited { expected: true, pid: 7 },
        };
        let expected =
            "event PROCESS_STATE_EXITED processname:web_00 groupname:web from_state:RUNNING expected:1 pid:7";
        assert_eq!(line(&exited), expected);
        let added = Event::GroupAdded { group: r"a\b".into() };
        assert_eq!(line(&added), r"event PROCESS_GROUP_ADDED groupname:a\\b\n");
        assert_eq!(line(&Event::SupervisorRunning), "event SUPERVISOR_STATE_CHANGE_RUNNING");
        let by = |channel, data| Said { process: "x", group: "g", pid: 7, channel, data };
        let log = said(Word::Piece, by(Channel::Stderr, b"a\\b\nc "));
        let expected = r"event PROCESS_LOG_STDERR processname:x groupname:g pid:7 channel:stderr\na\\b\nc ";
        assert_eq!(line_of(&log), expected);
        let message = said(Word::Message, by(Channel::Stdout, b"\xff"));
        let expected =
            r"event PROCESS_COMMUNICATION_STDOUT processname:x groupname:g pid:7\nUndecodable: b'\\xff'";
        assert_eq!(line_of(&message), expected);
    }
}
