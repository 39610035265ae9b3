//! What states are called, and their codes (SPEC 3.1). Those of every daemon; there are no others.

pub(crate) const STOPPED: i64 = 0;
pub(crate) const STARTING: i64 = 10;
pub(crate) const RUNNING: i64 = 20;
pub(crate) const BACKOFF: i64 = 30;
pub(crate) const STOPPING: i64 = 40;
pub(crate) const EXITED: i64 = 100;
pub(crate) const FATAL: i64 = 200;
pub(crate) const UNKNOWN: i64 = 1000;

pub(crate) const ALL: &[(&str, i64)] = &[
    ("STOPPED", STOPPED),
    ("STARTING", STARTING),
    ("RUNNING", RUNNING),
    ("BACKOFF", BACKOFF),
    ("STOPPING", STOPPING),
    ("EXITED", EXITED),
    ("FATAL", FATAL),
    ("UNKNOWN", UNKNOWN),
];
