//! What a row of the tables says: a configuration with its listeners, and what is done.
//!
//! In: nothing. Out: the words that the tables are written in. What the words do is in `play.rs`, what a listener does in
//! `provost-listener`, whose words stand in the configurations.

use provost_testkit::Signal;

/// Events and those who hear of them, to be played on both sides.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scenario {
    /// What it shows, unique among all rows.
    pub(super) name: &'static str,
    /// What follows the usual head; `{listener}`, `{childutils}`, `{child}` and `{dir}` stand for what differs.
    pub(super) config: &'static str,
    /// The last of them make sure that nobody has anything left to be told: what is seen is what was told by then.
    pub(super) steps: &'static [Step],
}

/// One thing that is done, or waited for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Step {
    /// A process is started by its full name, and nobody waits for it.
    Start(&'static str),
    /// It is stopped likewise.
    Stop(&'static str),
    /// Somebody sends an event: its type and its data.
    Send(&'static str, &'static str),
    /// The same with data of this many bytes.
    SendMany(&'static str, usize),
    /// supervisorctl runs with these words; what it prints is compared.
    Ctl(&'static str),
    /// The listener has been told what contains this, or has noted it; `…` stands for anything in between. Each wait goes on
    /// behind what the last one found.
    Told(&'static str, &'static str),
    /// It has been told the one event that contains this, and is ready again.
    Last(&'static str, &'static str),
    /// It has been ready for the first time.
    Ready(&'static str),
    /// It has talked nonsense.
    Unknown(&'static str),
    /// What it was told is not compared, as chance decides what comes first; what was waited for has come.
    Aside(&'static str),
    /// The listener may go on.
    Go(&'static str),
    /// A child or listener says hello.
    Hello(&'static str),
    /// The one that said hello last under this name gets a signal.
    Signal(&'static str, Signal),
    /// A line of the main log is written.
    Log(&'static str),
    /// A line of a file.
    Output(&'static str, &'static str),
    /// What that file holds is compared.
    Text(&'static str),
    /// Another configuration is in the file from here on.
    Config(&'static str),
    /// The daemon gets a signal.
    Daemon(Signal),
    /// It has been told what contains this, or the daemon is dead; which of them is compared.
    ToldOrDead(&'static str, &'static str),
}
