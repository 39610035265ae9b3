//! Every verb, a file each, and the table by which they are found.
//!
//! A verb gets the words behind it. The lines that other programs read, and
//! the exit statuses, are Supervisor's; the help is ours.

mod add;
mod avail;
mod clear;
mod completion;
mod fg;
mod hash_password;
mod health;
mod help;
mod listeners;
mod logs;
mod maintail;
mod many;
mod open;
mod pid;
mod quit;
mod reload;
mod remove;
mod reread;
mod restart;
mod rolling;
mod self_signed;
mod shutdown;
mod signal;
mod start;
mod status;
mod stop;
mod tail;
mod update;
mod upgrade;
mod version;
mod wait;
mod why;

use crate::call::CallError;
use crate::manual::Page;
use crate::session::Session;
use crate::words::Words;

#[derive(Debug, Clone, Copy)]
pub(crate) struct Verb {
    pub(crate) page: Page,
    pub(crate) run: fn(&mut Session<'_>, &Words) -> Result<(), CallError>,
}

/// Sorted, as `help` lists them; those that it does not list come last.
const VERBS: &[Verb] = &[
    add::VERB,
    avail::VERB,
    clear::VERB,
    completion::VERB,
    quit::EXIT,
    fg::VERB,
    hash_password::VERB,
    health::VERB,
    listeners::VERB,
    maintail::VERB,
    many::MRESTART,
    many::MSTART,
    many::MSTOP,
    open::VERB,
    pid::VERB,
    quit::VERB,
    reload::VERB,
    remove::VERB,
    logs::REOPEN,
    reread::VERB,
    restart::VERB,
    logs::ROTATE,
    self_signed::VERB,
    shutdown::VERB,
    signal::VERB,
    start::VERB,
    status::VERB,
    stop::VERB,
    tail::VERB,
    update::VERB,
    upgrade::VERB,
    version::VERB,
    wait::VERB,
    why::VERB,
    help::VERB,
    quit::EOF,
];

pub(crate) fn find(word: &str) -> Option<&'static Verb> {
    VERBS.iter().find(|verb| verb.page.name == word || verb.page.also.contains(&word))
}

/// Those that `help` lists, and those that it does not.
pub(crate) fn all() -> impl Iterator<Item = &'static Verb> {
    VERBS.iter()
}

/// What a person might want to type.
pub(crate) fn offered() -> impl Iterator<Item = &'static Verb> {
    VERBS.iter().filter(|verb| verb.page.name != quit::EOF.page.name)
}

fn listed() -> impl Iterator<Item = &'static Verb> {
    VERBS.iter().filter(|verb| !["help", "EOF"].contains(&verb.page.name))
}
