//! The log options of one output of a program: `stdout_…` or `stderr_…`, and what a program says about both.
//!
//! Some are read once for all processes of a program and some for each, as Supervisor does it; which is which decides
//! what they may be made of. Those that Supervisor does not know are read behind all others, so that its first error
//! stays the first. In: a section. Out: a [`Channel`].

use std::path::PathBuf;

use crate::destinations::{Destinations, destinations};
use crate::expand::{Scope, expand};
use crate::options::ValueKind;
use crate::python::repr;
use crate::section::Section;
use crate::{
    Channel, Compress, LogExtras, LogFile, LogFormat, LogLevel, Overflow, Piece, ProcessKind, SyslogAddress,
    SyslogTo, advice, line_format, syslog, values,
};

/// What a program says about both of its outputs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Both {
    overflow: Overflow,
    mkdir: bool,
    prefix: bool,
}

impl Both {
    /// `usual` is what `[supervisord]` says.
    pub(crate) fn read(section: &Section<'_>, scope: &Scope<'_>, usual: Overflow) -> Both {
        Both {
            overflow: section.parsed("log_overflow", ValueKind::Overflow, scope, overflow).unwrap_or(usual),
            mkdir: section.boolean("logfile_mkdir", scope),
            prefix: section.defaulted("log_prefix", ValueKind::LogPrefix, scope, line_format::prefix),
        }
    }
}

pub(crate) fn overflow(text: &str) -> Result<Overflow, String> {
    let lower = text.to_lowercase();
    let known = Overflow::ALL.into_iter().find(|choice| choice.name() == lower);
    known.ok_or_else(|| format!("not block or drop: {}", repr(text)))
}

/// One of the two outputs of the processes of a section.
#[derive(Clone, Copy)]
pub(crate) struct Output<'a> {
    pub(crate) section: &'a Section<'a>,
    /// `stdout` or `stderr`.
    pub(crate) name: &'static str,
    pub(crate) kind: ProcessKind,
}

impl Output<'_> {
    fn key(&self, rest: &str) -> String {
        format!("{}_{rest}", self.name)
    }

    fn is_written(&self, rest: &str) -> bool {
        self.section.written(&self.key(rest)).is_some()
    }

    /// What it says is read by supervisord, and answered.
    fn is_a_protocol(&self) -> bool {
        self.kind == ProcessKind::EventListener && self.name == "stdout"
    }

    /// What is read once and known to Supervisor; the rest is as if nothing were written.
    pub(crate) fn common(&self, scope: &Scope<'_>) -> Channel {
        Channel {
            logfile: LogFile::Auto,
            maxbytes: 0,
            backups: 0,
            capture_maxbytes: self.section.byte_size(&self.key("capture_maxbytes"), scope),
            events_enabled: self.section.boolean(&self.key("events_enabled"), scope),
            syslog: false,
            overflow: Overflow::Block,
            extras: None,
        }
    }

    /// The others that are read once.
    pub(crate) fn extended(&self, scope: &Scope<'_>, both: Both, known: Channel) -> Channel {
        let section = self.section;
        let extras = LogExtras {
            compress: section.defaulted(&self.key("logfile_compress"), ValueKind::Compress, scope, compress),
            owner: self.owner(scope),
            mode: section.parsed(&self.key("logfile_mode"), ValueKind::Octal, scope, mode),
            mkdir: both.mkdir,
            syslog: SyslogTo {
                address: section.defaulted(
                    &self.key("syslog_address"),
                    ValueKind::SyslogAddress,
                    scope,
                    syslog::address,
                ),
                facility: section.defaulted(
                    &self.key("syslog_facility"),
                    ValueKind::SyslogFacility,
                    scope,
                    syslog::facility,
                ),
                severity: section.defaulted(
                    &self.key("syslog_severity"),
                    ValueKind::SyslogSeverity,
                    scope,
                    syslog::severity,
                ),
                tag: None,
            },
            journald: section.boolean(&self.key("journald"), scope),
            format: if both.prefix && !self.is_a_protocol() { line_format::named() } else { LogFormat::Text },
            more: Vec::new(),
        };
        if extras.journald && self.is_a_protocol() {
            section.refuse(&self.key("journald"), protocol(section.name));
        }
        Channel { overflow: both.overflow, extras: boxed(extras), ..known }
    }

    /// What Supervisor reads for each process, on top of what is known of all of them.
    pub(crate) fn of_process(&self, scope: &Scope<'_>, known: Channel) -> Channel {
        let section = self.section;
        let key = self.key("logfile");
        let to = self.destinations(&key, scope, &known);
        let backups = section.backups(&format!("{key}_backups"), scope);
        let maxbytes = section.byte_size(&format!("{key}_maxbytes"), scope);
        let syslog = section.boolean(&self.key("syslog"), scope) || to.syslog;
        if to.is_only_syslog {
            section.reading.say(
                LogLevel::Warn,
                format!(
                    "For [{}], {key}=syslog but this is deprecated and will be removed.  Use \
                     {}_syslog=true to enable syslog instead.",
                    section.name, self.name
                ),
            );
        }
        if to.logfile == LogFile::Auto && maxbytes == 0 {
            section.reading.say(
                LogLevel::Warn,
                format!(
                    "For [{}], AUTO logging used for {key} without rollover, set maxbytes > 0 to \
                     avoid filling up filesystem unintentionally",
                    section.name
                ),
            );
        }
        let extras = self.with_destinations(&key, to.more, to.address, to.journald, known.extras);
        Channel { logfile: to.logfile, maxbytes, backups, syslog, extras, ..known }
    }

    fn owner(&self, scope: &Scope<'_>) -> Option<(Option<u32>, Option<u32>)> {
        let (section, key) = (self.section, self.key("logfile_owner"));
        let files = section.reading.files;
        let owner =
            section.parsed(&key, ValueKind::LogOwner, scope, |text| values::log_owner(text, files))?;
        section.advise_on_strange_owner(&key, owner);
        Some(owner)
    }

    fn destinations(&self, key: &str, scope: &Scope<'_>, known: &Channel) -> Destinations {
        let section = self.section;
        let mkdir = known.extras.as_ref().is_some_and(|extras| extras.mkdir);
        // Expanded for the second time, as Supervisor does it.
        let to = section.defaulted(key, ValueKind::ChildLog, scope, |text| {
            destinations(&expand(text, scope, key)?, mkdir, section.reading.files)
        });
        if let Some(name) = &to.comma {
            let name = name.display();
            section.advise(
                key,
                format!("the file is named {name}: begin the name of a further file with / to have several"),
            );
        }
        to
    }

    fn with_destinations(
        &self,
        key: &str,
        more: Vec<PathBuf>,
        address: Option<SyslogAddress>,
        journald: bool,
        known: Option<Box<LogExtras>>,
    ) -> Option<Box<LogExtras>> {
        if more.is_empty() && address.is_none() && !journald {
            return known;
        }
        let mut extras = *known.unwrap_or_default();
        if journald && self.is_a_protocol() {
            self.section.refuse(key, protocol(self.section.name));
        }
        if let Some(address) = address {
            if self.is_written("syslog_address") && extras.syslog.address != address {
                let text = format!("{key} says another address: {address}");
                self.section.refuse(&self.key("syslog_address"), text);
            }
            extras.syslog.address = address;
        }
        extras.journald |= journald;
        extras.more = more;
        boxed(extras)
    }

    /// What is made of names that belong to one process, when that has a name itself.
    pub(crate) fn of_named_process(&self, scope: &Scope<'_>, process_name: &str, known: Channel) -> Channel {
        let section = self.section;
        let tag = section.parsed(&self.key("syslog_tag"), ValueKind::SyslogTag, scope, syslog::tag);
        let format = self.format(scope, process_name);
        self.advise(&known);
        if tag.is_none() && format.is_none() {
            return known;
        }
        let mut extras = *known.extras.unwrap_or_default();
        extras.syslog.tag = tag;
        extras.format = format.unwrap_or(extras.format);
        Channel { extras: boxed(extras), ..known }
    }

    /// The one option that is not expanded before it is read: its own names look like names to expand.
    fn format(&self, scope: &Scope<'_>, process_name: &str) -> Option<LogFormat> {
        let section = self.section;
        let key = self.key("logfile_format");
        let text = section.raw(&key, ValueKind::LogFormat)?;
        section.written(&key)?;
        let host = section.reading.files.hostname();
        let scope = Scope::within(scope)
            .text("process_name", process_name)
            .text("channel", self.name)
            .text("hostname", &host);
        match line_format::format(text, &scope, &format!("{}.{key}", section.name)) {
            Ok(format) if format != LogFormat::Text && self.is_a_protocol() => {
                section.refuse(&key, protocol(section.name));
                None
            }
            Ok(format) => Some(format),
            Err(why) => {
                section.refuse(&key, why);
                section.reading.hint(advice::near_value(ValueKind::LogFormat, text));
                None
            }
        }
    }

    /// Says what was written and does nothing.
    fn advise(&self, channel: &Channel) {
        let advise = |rest: &str, text: &str| {
            if self.is_written(rest) {
                self.section.advise(&self.key(rest), text.to_owned());
            }
        };
        let extras = channel.extras.as_deref();
        if !channel.syslog {
            let text = format!("has no effect without {}_syslog=true", self.name);
            for key in ["syslog_address", "syslog_facility", "syslog_severity", "syslog_tag"] {
                advise(key, &text);
            }
        }
        if extras.is_some_and(|extras| extras.compress != Compress::None)
            && (channel.maxbytes == 0 || channel.backups == 0)
        {
            advise("logfile_compress", "has no effect, because there are no backups");
        }
        if channel.logfile == LogFile::None {
            for key in ["logfile_compress", "logfile_owner", "logfile_mode"] {
                advise(key, "has no effect, because there is no file");
            }
        }
    }
}

/// The bytes that an output takes beyond its own size, as far as they depend on what was written.
pub(crate) fn size_of(channel: &Channel) -> usize {
    let name = match &channel.logfile {
        LogFile::Path(path) => path.as_os_str().len(),
        LogFile::Auto | LogFile::None => 0,
    };
    let Some(extras) = &channel.extras else { return name };
    let more: usize = extras.more.iter().map(|path| path.as_os_str().len() + size_of_val(path)).sum();
    let format = match &extras.format {
        LogFormat::Pattern(pieces) => pieces.iter().map(Piece::size).sum(),
        LogFormat::Text | LogFormat::Json => 0,
    };
    name + size_of_val(&**extras) + more + format
}

/// Whether any of the files of an output has a name that somebody wrote.
pub(crate) fn has_a_name(channel: &Channel) -> bool {
    matches!(channel.logfile, LogFile::Path(_))
        || channel.extras.as_ref().is_some_and(|extras| !extras.more.is_empty())
}

/// Nothing, where nothing was asked for.
fn boxed(extras: LogExtras) -> Option<Box<LogExtras>> {
    (extras != LogExtras::default()).then(|| Box::new(extras))
}

fn protocol(section: &str) -> String {
    format!(
        "[{section}] logs what its listener says on standard output as it is, because that is the eventlistener \
         protocol"
    )
}

fn compress(text: &str) -> Result<Compress, String> {
    let lower = text.to_lowercase();
    let known = Compress::ALL.into_iter().find(|choice| choice.name() == lower);
    known.ok_or_else(|| format!("not none, gzip or zstd: {}", repr(text)))
}

fn mode(text: &str) -> Result<u32, String> {
    let mode = values::octal(text).ok().filter(|mode| *mode <= 0o777);
    mode.ok_or_else(|| format!("not a file mode from 0 to 0777 such as 0640: {}", repr(text)))
}
