//! Supervisor's configuration language: text in, a typed [`Config`] out, or every error at once.
//!
//! [`load`] reads for supervisord, [`load_ctl`] for supervisorctl. The way of a
//! value: `ini` (lines to text with a place) → `expand` (`%(name)s`) → `values`
//! (text to type), led by the table in [`options`] through `section`. The machine
//! outside is asked through [`Files`] only.
mod addition;
mod advice;
pub mod changes;
mod channel;
pub mod cli;
mod ctl;
mod destinations;
pub mod diff;
mod effective;
pub mod environment;
mod errors;
pub mod expand;
mod fcgi;
mod files;
pub mod getopt;
mod groups;
pub mod ini;
pub mod json;
mod leftovers;
mod lenient;
mod line_format;
mod listener;
mod load;
mod logging;
mod model;
pub mod options;
mod paths;
mod pattern;
mod plugins;
mod policy;
mod program;
pub mod python;
mod reading;
mod record;
mod section;
mod servers;
mod signals;
mod supervisord;
mod syslog;
mod unheard;
mod users;
mod values;
pub mod words;

pub use addition::load_program;
pub use cli::{Cli, CliOptions, find_config, parse_supervisord, search_path};
pub use ctl::{CtlConfig, CtlTls, load_ctl};
pub use effective::effective;
pub use errors::{Advice, Error, Errors};
pub use files::{Files, MemoryFiles, component_fits, has_wildcard};
pub use leftovers::Leftovers;
pub use lenient::Lenient;
pub use listener::{EVENT_TYPES, PayloadLength, PoolOverflow, ResultHandler};
pub use load::load;
pub use logging::*;
pub use model::*;
pub use pattern::NamePattern;
pub use policy::{Backoff, Curve, ExitOn, Jitter, ProgramType, Retries, StartLimit};
pub use record::{BadRecording, Recorder, Recording};
pub use signals::{signal_name, signal_number};
pub use supervisord::CliOverrides;
pub use users::{Account, Permission, Programs, Rights};
