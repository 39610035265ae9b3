//! Where the output of a process goes beside, or instead of, one plain file, and in which form: the types, and their
//! names in a configuration.
//!
//! Supervisor has none of this. All of it is off unless written, so it lies in a box of its own ([`LogExtras`]): a
//! large configuration has twenty thousand outputs. How the options are read stands in `channel.rs`, and what they do
//! is the affair of the daemon's log rooms.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

/// What happens to output for which there is no room, on a full disk or in a pipe that nobody reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Overflow {
    /// It waits, and in the end so does the program.
    #[default]
    Block,
    /// It is thrown away and counted; a line in the log says how much.
    Drop,
}

/// What hardly anybody asks for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LogExtras {
    /// Further files; the first one is the `logfile` of the [`Channel`](crate::Channel).
    pub more: Vec<PathBuf>,
    pub format: LogFormat,
    pub compress: Compress,
    /// User and group of the files, either of which may be left as it is.
    pub owner: Option<(Option<u32>, Option<u32>)>,
    /// The mode of the files.
    pub mode: Option<u32>,
    /// Make the directories that the files lie in.
    pub mkdir: bool,
    /// Where and how lines go to syslog, if they do.
    pub syslog: SyslogTo,
    pub journald: bool,
}

/// What becomes of a line on its way into a file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// Nothing: the bytes go as they come.
    #[default]
    Text,
    /// An object for each line.
    Json,
    Pattern(Arc<[Piece]>),
}

/// A part of the pattern that a line is put into.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    Literal(String),
    Asctime,
    Message,
    ProcessName,
    GroupName,
    Pid,
    Channel,
    Hostname,
}

/// What becomes of backups.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Compress {
    #[default]
    None,
    Gzip,
    Zstd,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyslogTo {
    pub address: SyslogAddress,
    pub facility: u8,
    pub severity: u8,
    /// The name of the sender; that of the daemon unless set.
    pub tag: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SyslogAddress {
    /// Of this machine.
    Local,
    Udp {
        /// An IPv6 address stands here without its brackets.
        host: String,
        port: u16,
    },
    Tcp {
        host: String,
        port: u16,
    },
}

impl Overflow {
    pub const ALL: [Overflow; 2] = [Overflow::Block, Overflow::Drop];

    pub fn name(self) -> &'static str {
        match self {
            Overflow::Block => "block",
            Overflow::Drop => "drop",
        }
    }
}

impl Compress {
    pub const ALL: [Compress; 3] = [Compress::None, Compress::Gzip, Compress::Zstd];

    pub fn name(self) -> &'static str {
        match self {
            Compress::None => "none",
            Compress::Gzip => "gzip",
            Compress::Zstd => "zstd",
        }
    }
}

impl Piece {
    /// Those that have a name, under which they stand in a pattern.
    pub const NAMED: [(&'static str, Piece); 7] = [
        ("asctime", Piece::Asctime),
        ("channel", Piece::Channel),
        ("group_name", Piece::GroupName),
        ("hostname", Piece::Hostname),
        ("message", Piece::Message),
        ("pid", Piece::Pid),
        ("process_name", Piece::ProcessName),
    ];

    /// In memory.
    pub(crate) fn size(&self) -> usize {
        let text = if let Piece::Literal(text) = self { text.len() } else { 0 };
        size_of_val(self) + text
    }
}

impl SyslogTo {
    /// The names of the facilities, by their numbers; 12 to 15 have none that all systems agree on.
    pub const FACILITIES: [(&'static str, u8); 20] = [
        ("kern", 0),
        ("user", 1),
        ("mail", 2),
        ("daemon", 3),
        ("auth", 4),
        ("syslog", 5),
        ("lpr", 6),
        ("news", 7),
        ("uucp", 8),
        ("cron", 9),
        ("authpriv", 10),
        ("ftp", 11),
        ("local0", 16),
        ("local1", 17),
        ("local2", 18),
        ("local3", 19),
        ("local4", 20),
        ("local5", 21),
        ("local6", 22),
        ("local7", 23),
    ];

    /// The names of the severities, each under its number.
    pub const SEVERITIES: [&'static str; 8] =
        ["emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"];

    pub fn facility_name(&self) -> &'static str {
        let named = SyslogTo::FACILITIES.iter().find(|(_, number)| *number == self.facility);
        named.map_or("", |(name, _)| name)
    }

    pub fn severity_name(&self) -> &'static str {
        SyslogTo::SEVERITIES.get(usize::from(self.severity)).copied().unwrap_or_default()
    }
}

impl Default for SyslogTo {
    /// As Supervisor does it.
    fn default() -> SyslogTo {
        SyslogTo { address: SyslogAddress::Local, facility: 1, severity: 6, tag: None }
    }
}

/// As it is written in a configuration.
impl fmt::Display for SyslogAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, host, port) = match self {
            SyslogAddress::Local => return f.write_str("local"),
            SyslogAddress::Udp { host, port } => ("udp", host, port),
            SyslogAddress::Tcp { host, port } => ("tcp", host, port),
        };
        if host.contains(':') {
            write!(f, "@{kind}:[{host}]:{port}")
        } else {
            write!(f, "@{kind}:{host}:{port}")
        }
    }
}

/// As it is written in a configuration.
impl fmt::Display for LogFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LogFormat::Text => f.write_str("text"),
            LogFormat::Json => f.write_str("json"),
            LogFormat::Pattern(pieces) => pieces.iter().try_for_each(|piece| match piece {
                Piece::Literal(text) => f.write_str(&text.replace('%', "%%")),
                named => {
                    let name = Piece::NAMED.iter().find(|(_, piece)| piece == named);
                    write!(f, "%({})s", name.expect("every piece but the literal has a name").0)
                }
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Channel;

    #[test]
    fn an_output_that_asks_for_none_of_it_takes_little() {
        assert!(size_of::<Channel>() <= 64, "{}", size_of::<Channel>());
        assert_eq!(size_of::<Option<Box<LogExtras>>>(), size_of::<usize>());
    }
}
