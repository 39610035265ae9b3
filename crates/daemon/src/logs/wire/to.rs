//! Which syslog, and as what: the settings `*_syslog_address`, `_facility`, `_severity` and `_tag` of a channel.

/// Where and how a channel's lines go to syslog.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::logs) struct SyslogTo {
    pub(in crate::logs) address: SyslogAddress,
    pub(in crate::logs) facility: u8,
    pub(in crate::logs) severity: u8,
    pub(in crate::logs) tag: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::logs) enum SyslogAddress {
    Local,
    Udp { host: String, port: u16 },
    Tcp { host: String, port: u16 },
}

/// As Supervisor: the facility USER at INFO, to this machine's own syslog.
impl Default for SyslogTo {
    fn default() -> SyslogTo {
        SyslogTo { address: SyslogAddress::Local, facility: 1, severity: 6, tag: None }
    }
}
