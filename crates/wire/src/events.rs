//! Events as Supervisor's listeners know them: the types with their names and their family tree, and the
//! payload of each.
//!
//! An [`Event`] goes in, its [`EventType`] and its payload come out, to the byte: listeners take payloads apart
//! by blanks and colons. A new type is a row of the table below and, unless it is abstract, a variant of
//! [`Event`]. Not here: the header line before a payload, who has subscribed, and what makes an event happen.

use std::borrow::Cow;
use std::fmt::Write as _;

macro_rules! event_types {
    ($($(#[$doc:meta])* $variant:ident = $name:literal $(in $parent:ident)?,)+) => {
        /// What kind of event it is. Whoever subscribes to a type hears all that descend from it.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum EventType {
            $($(#[$doc])* $variant,)+
        }

        impl EventType {
            pub const ALL: &[EventType] = &[$(EventType::$variant,)+];

            /// The name in `events=` and in the header before a payload.
            pub fn name(self) -> &'static str {
                match self {
                    $(EventType::$variant => $name,)+
                }
            }

            /// The type that it is a kind of; the root is a kind of nothing.
            pub fn parent(self) -> Option<EventType> {
                match self {
                    $(EventType::$variant => event_types!(@parent $($parent)?),)+
                }
            }
        }
    };
    (@parent) => { None };
    (@parent $parent:ident) => { Some(EventType::$parent) };
}

event_types! {
    /// The root: everything. It is abstract, like every type that others descend from.
    Any = "EVENT",
    ProcessState = "PROCESS_STATE" in Any,
    Starting = "PROCESS_STATE_STARTING" in ProcessState,
    Running = "PROCESS_STATE_RUNNING" in ProcessState,
    Backoff = "PROCESS_STATE_BACKOFF" in ProcessState,
    Stopping = "PROCESS_STATE_STOPPING" in ProcessState,
    Exited = "PROCESS_STATE_EXITED" in ProcessState,
    Stopped = "PROCESS_STATE_STOPPED" in ProcessState,
    Fatal = "PROCESS_STATE_FATAL" in ProcessState,
    Unknown = "PROCESS_STATE_UNKNOWN" in ProcessState,
    ProcessCommunication = "PROCESS_COMMUNICATION" in Any,
    CommunicationStdout = "PROCESS_COMMUNICATION_STDOUT" in ProcessCommunication,
    CommunicationStderr = "PROCESS_COMMUNICATION_STDERR" in ProcessCommunication,
    ProcessLog = "PROCESS_LOG" in Any,
    LogStdout = "PROCESS_LOG_STDOUT" in ProcessLog,
    LogStderr = "PROCESS_LOG_STDERR" in ProcessLog,
    RemoteCommunication = "REMOTE_COMMUNICATION" in Any,
    ProcessGroup = "PROCESS_GROUP" in Any,
    GroupAdded = "PROCESS_GROUP_ADDED" in ProcessGroup,
    GroupRemoved = "PROCESS_GROUP_REMOVED" in ProcessGroup,
    SupervisorStateChange = "SUPERVISOR_STATE_CHANGE" in Any,
    SupervisorRunning = "SUPERVISOR_STATE_CHANGE_RUNNING" in SupervisorStateChange,
    SupervisorStopping = "SUPERVISOR_STATE_CHANGE_STOPPING" in SupervisorStateChange,
    Tick = "TICK" in Any,
    Tick5 = "TICK_5" in Tick,
    Tick60 = "TICK_60" in Tick,
    Tick3600 = "TICK_3600" in Tick,
}

impl EventType {
    /// The type of this name.
    pub fn named(name: &str) -> Option<EventType> {
        EventType::ALL.iter().copied().find(|kind| kind.name() == name)
    }

    /// Whether a subscription to `ancestor` includes this type.
    pub fn is_a(self, ancestor: EventType) -> bool {
        self == ancestor || self.parent().is_some_and(|parent| parent.is_a(ancestor))
    }
}

/// Something that listeners are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event<'a> {
    /// `from_state` is the name of the state that the process was in before.
    ProcessState {
        process: &'a str,
        group: &'a str,
        from_state: &'a str,
        change: StateChange,
    },
    /// A process has said something between the tokens for it.
    ProcessCommunication(Said<'a>),
    /// A process has written something.
    ProcessLog(Said<'a>),
    /// Somebody from outside has something to tell, of a kind that only listeners know.
    RemoteCommunication {
        kind: &'a str,
        data: &'a str,
    },
    GroupAdded {
        group: &'a str,
    },
    GroupRemoved {
        group: &'a str,
    },
    SupervisorRunning,
    SupervisorStopping,
    /// A slice of time has begun, at `when` in seconds since 1970.
    Tick {
        slice: Slice,
        when: i64,
    },
}

/// How long a slice of time is, of which the beginning is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Slice {
    FiveSeconds,
    Minute,
    Hour,
}

impl Slice {
    /// In the order in which they are told when several begin at once.
    pub const ALL: [Slice; 3] = [Slice::FiveSeconds, Slice::Minute, Slice::Hour];

    pub fn seconds(self) -> i64 {
        match self {
            Slice::FiveSeconds => 5,
            Slice::Minute => 60,
            Slice::Hour => 3600,
        }
    }

    pub fn event_type(self) -> EventType {
        match self {
            Slice::FiveSeconds => EventType::Tick5,
            Slice::Minute => EventType::Tick60,
            Slice::Hour => EventType::Tick3600,
        }
    }

    /// The beginning of the slice that this second is in.
    pub fn begin(self, second: i64) -> i64 {
        second - second.rem_euclid(self.seconds())
    }
}

/// What a process has written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Said<'a> {
    pub process: &'a str,
    pub group: &'a str,
    pub pid: i32,
    pub channel: Channel,
    pub data: &'a [u8],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Channel {
    Stdout,
    Stderr,
}

/// The state that a process is in now, and what is told beside it. A pid is 0 where there was no child.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StateChange {
    /// `tries` attempts in a row have failed before this one.
    Starting {
        tries: u32,
    },
    Running {
        pid: i32,
    },
    /// `tries` attempts in a row have failed, with this one.
    Backoff {
        tries: u32,
    },
    Stopping {
        pid: i32,
    },
    Exited {
        expected: bool,
        pid: i32,
    },
    Stopped {
        pid: i32,
    },
    Fatal,
    Unknown,
}

impl Event<'_> {
    pub fn event_type(&self) -> EventType {
        match self {
            Event::ProcessState { change, .. } => change.event_type(),
            Event::ProcessCommunication(Said { channel: Channel::Stdout, .. }) => {
                EventType::CommunicationStdout
            }
            Event::ProcessCommunication(Said { channel: Channel::Stderr, .. }) => {
                EventType::CommunicationStderr
            }
            Event::ProcessLog(Said { channel: Channel::Stdout, .. }) => EventType::LogStdout,
            Event::ProcessLog(Said { channel: Channel::Stderr, .. }) => EventType::LogStderr,
            Event::RemoteCommunication { .. } => EventType::RemoteCommunication,
            Event::GroupAdded { .. } => EventType::GroupAdded,
            Event::GroupRemoved { .. } => EventType::GroupRemoved,
            Event::SupervisorRunning => EventType::SupervisorRunning,
            Event::SupervisorStopping => EventType::SupervisorStopping,
            Event::Tick { slice, .. } => slice.event_type(),
        }
    }

    /// The text that follows the header. Only that of a group ends with a line feed of ours.
    pub fn payload(&self) -> String {
        match self {
            Event::ProcessState { process, group, from_state, change } => {
                let mut text = format!("processname:{process} groupname:{group} from_state:{from_state}");
                change.append_to(&mut text);
                text
            }
            Event::ProcessCommunication(said) => said.payload(""),
            Event::ProcessLog(said) => said.payload(match said.channel {
                Channel::Stdout => " channel:stdout",
                Channel::Stderr => " channel:stderr",
            }),
            Event::RemoteCommunication { kind, data } => format!("type:{kind}\n{data}"),
            Event::GroupAdded { group } | Event::GroupRemoved { group } => format!("groupname:{group}\n"),
            Event::SupervisorRunning | Event::SupervisorStopping => String::new(),
            Event::Tick { when, .. } => format!("when:{when}"),
        }
    }
}

impl Said<'_> {
    fn payload(&self, channel: &str) -> String {
        let Said { process, group, pid, data, .. } = self;
        format!("processname:{process} groupname:{group} pid:{pid}{channel}\n{}", decoded(data))
    }
}

/// What a process has written, as text. What is not UTF-8 as a whole is shown as Python shows bytes.
pub fn decoded(data: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(data) {
        Ok(text) => text.into(),
        Err(_) => format!("Undecodable: {}", repr(data)).into(),
    }
}

/// Python's `repr` of bytes.
fn repr(data: &[u8]) -> String {
    // The other quotation marks only where they spare a backslash.
    let quote = if data.contains(&b'\'') && !data.contains(&b'"') { b'"' } else { b'\'' };
    let mut text = String::with_capacity(data.len() + 3);
    text.push('b');
    text.push(quote.into());
    for &byte in data {
        match byte {
            b'\t' => text.push_str("\\t"),
            b'\n' => text.push_str("\\n"),
            b'\r' => text.push_str("\\r"),
            b'\\' => text.push_str("\\\\"),
            _ if byte == quote => {
                text.push('\\');
                text.push(quote.into());
            }
            b' '..=b'~' => text.push(byte.into()),
            _ => write!(text, "\\x{byte:02x}").expect("a String takes whatever is written to it"),
        }
    }
    text.push(quote.into());
    text
}

impl StateChange {
    fn event_type(self) -> EventType {
        match self {
            StateChange::Starting { .. } => EventType::Starting,
            StateChange::Running { .. } => EventType::Running,
            StateChange::Backoff { .. } => EventType::Backoff,
            StateChange::Stopping { .. } => EventType::Stopping,
            StateChange::Exited { .. } => EventType::Exited,
            StateChange::Stopped { .. } => EventType::Stopped,
            StateChange::Fatal => EventType::Fatal,
            StateChange::Unknown => EventType::Unknown,
        }
    }

    fn append_to(self, text: &mut String) {
        let written = match self {
            StateChange::Starting { tries } | StateChange::Backoff { tries } => {
                write!(text, " tries:{tries}")
            }
            StateChange::Running { pid } | StateChange::Stopping { pid } | StateChange::Stopped { pid } => {
                write!(text, " pid:{pid}")
            }
            StateChange::Exited { expected, pid } => {
                write!(text, " expected:{} pid:{pid}", u8::from(expected))
            }
            StateChange::Fatal | StateChange::Unknown => Ok(()),
        };
        written.expect("a String takes whatever is written to it");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(change: StateChange) -> (&'static str, String) {
        let event = Event::ProcessState { process: "cat", group: "pets", from_state: "STARTING", change };
        (event.event_type().name(), event.payload())
    }

    #[test]
    fn payloads_to_the_byte() {
        const BASE: &str = "processname:cat groupname:pets from_state:STARTING";
        let changes = [
            (StateChange::Starting { tries: 0 }, "PROCESS_STATE_STARTING", " tries:0"),
            (StateChange::Running { pid: 2766 }, "PROCESS_STATE_RUNNING", " pid:2766"),
            (StateChange::Backoff { tries: 1 }, "PROCESS_STATE_BACKOFF", " tries:1"),
            (StateChange::Stopping { pid: 2766 }, "PROCESS_STATE_STOPPING", " pid:2766"),
            (StateChange::Exited { expected: true, pid: 7 }, "PROCESS_STATE_EXITED", " expected:1 pid:7"),
            (StateChange::Exited { expected: false, pid: 7 }, "PROCESS_STATE_EXITED", " expected:0 pid:7"),
            (StateChange::Stopped { pid: 0 }, "PROCESS_STATE_STOPPED", " pid:0"),
            (StateChange::Fatal, "PROCESS_STATE_FATAL", ""),
            (StateChange::Unknown, "PROCESS_STATE_UNKNOWN", ""),
        ];
        for (change, name, rest) in changes {
            assert_eq!(told(change), (name, format!("{BASE}{rest}")));
        }
        assert_eq!(Event::GroupAdded { group: "pets" }.payload(), "groupname:pets\n");
        assert_eq!(Event::GroupRemoved { group: "pets" }.payload(), "groupname:pets\n");
        assert_eq!(Event::SupervisorStopping.payload(), "");
        let tick = Event::Tick { slice: Slice::Minute, when: Slice::Minute.begin(1_795_344_799) };
        assert_eq!((tick.event_type().name(), tick.payload()), ("TICK_60", "when:1795344780".to_owned()));
        assert_eq!(Slice::Hour.begin(-1), -3600);
        let remote = Event::RemoteCommunication { kind: "deploy", data: "a: b\n\u{e9}" };
        assert_eq!(remote.payload(), "type:deploy\na: b\n\u{e9}");
        assert_eq!(remote.event_type().name(), "REMOTE_COMMUNICATION");
    }

    /// The right side is what 4.3.0 made of the left one.
    #[test]
    fn what_a_process_said_is_told_to_the_byte() {
        const BASE: &str = "processname:web_00 groupname:web pid:7";
        for (data, told) in [
            (&b"plain\n"[..], "plain\n"),
            (b"", ""),
            ("h\u{e9} \u{1f600}\n".as_bytes(), "h\u{e9} \u{1f600}\n"),
            (b"bad \xff \xfe\n", r"Undecodable: b'bad \xff \xfe\n'"),
            (b"it's \xff", r#"Undecodable: b"it's \xff""#),
            (b"it's \"\xff\"", r#"Undecodable: b'it\'s "\xff"'"#),
            (b"say \"\xff\"", r#"Undecodable: b'say "\xff"'"#),
            (b"\t\r\x00\x7f\\\xc3", r"Undecodable: b'\t\r\x00\x7f\\\xc3'"),
            (b"\xed\xa0\x80", r"Undecodable: b'\xed\xa0\x80'"),
            (b"\xc0\xaf", r"Undecodable: b'\xc0\xaf'"),
        ] {
            let said = |channel| Said { process: "web_00", group: "web", pid: 7, channel, data };
            let log = Event::ProcessLog(said(Channel::Stdout));
            assert_eq!(log.event_type().name(), "PROCESS_LOG_STDOUT");
            assert_eq!(log.payload(), format!("{BASE} channel:stdout\n{told}"));
            let log = Event::ProcessLog(said(Channel::Stderr));
            assert_eq!(log.event_type().name(), "PROCESS_LOG_STDERR");
            assert_eq!(log.payload(), format!("{BASE} channel:stderr\n{told}"));
            let message = Event::ProcessCommunication(said(Channel::Stdout));
            assert_eq!(message.event_type().name(), "PROCESS_COMMUNICATION_STDOUT");
            let message = Event::ProcessCommunication(said(Channel::Stderr));
            assert_eq!(message.event_type().name(), "PROCESS_COMMUNICATION_STDERR");
            assert_eq!(message.payload(), format!("{BASE}\n{told}"));
        }
    }

    #[test]
    fn a_subscription_includes_what_descends_from_its_type_and_nothing_else() {
        assert!(EventType::Exited.is_a(EventType::Exited));
        assert!(EventType::Exited.is_a(EventType::ProcessState));
        assert!(!EventType::ProcessState.is_a(EventType::Exited));
        assert!(!EventType::GroupAdded.is_a(EventType::ProcessState));
    }

    #[test]
    fn everything_descends_from_the_root_and_is_named_after_its_parent() {
        for &kind in EventType::ALL {
            assert!(kind.is_a(EventType::Any), "{kind:?}");
            if let Some(parent) = kind.parent().filter(|parent| *parent != EventType::Any) {
                assert!(kind.name().starts_with(parent.name()), "{} in {}", kind.name(), parent.name());
            }
        }
    }
}
