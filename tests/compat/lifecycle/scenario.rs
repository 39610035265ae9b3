//! What a row of the tables says: a configuration, what is done, and how strictly the two sides are compared.
//!
//! In: nothing. Out: the words that the tables are written in. What the words do is in `play.rs`.

use provost_testkit::Signal;

/// A lifecycle, to be played on both sides.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scenario {
    /// What it shows, unique among all rows.
    pub(crate) name: &'static str,
    /// What follows the usual head; `{dir}` and `{child}` as everywhere.
    pub(crate) config: &'static str,
    pub(crate) steps: &'static [Step],
    pub(crate) order: Order,
    /// Lines of the main log that 4.3.0 writes now one way and now another: a part of each, and why.
    pub(crate) unsettled: &'static [(&'static str, &'static str)],
    pub(crate) place: Place,
}

/// A row that names nothing but its story.
pub(crate) const ROW: Scenario = Scenario {
    name: "",
    config: "",
    steps: &[],
    order: Order::Whole,
    unsettled: &[],
    place: Place::Foreground,
};

/// For rows in which somebody is waited for, for some time.
pub(crate) const REPORTS: (&str, &str) =
    ("INFO waiting for ", "how often it is said depends on the second in which 4.3.0 looks");

/// For rows in which a program ends at once though `startsecs` is 0.
pub(crate) const STAYED_UP: (&str, &str) =
    ("stayed up for > than 0 seconds", "4.3.0 may look before or after the end; the events are the same");

/// Whose events must come in the same order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    /// Everybody's. Only neighbours that were asked to stop together end in any order, and become RUNNING in any.
    Whole,
    /// Each process's, each group's and the daemon's own; 4.3.0 does not say which of two comes first.
    Each,
}

/// What the daemon is started as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Foreground,
    Background,
    /// In the foreground, and only where the tests run as root.
    AsRoot,
}

/// One thing that is done, or waited for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Step {
    /// supervisorctl runs with these words; what it prints is compared.
    Ctl(&'static str),
    /// A stop whose end nobody waits for, which supervisorctl cannot ask for.
    StopUnwaited(&'static str),
    /// A process enters a state: `In("RUNNING", "x")`. Each wait goes on behind the event that the last one found.
    In(&'static str, &'static str),
    /// Several do, in any order.
    AllIn(&'static str, &'static [&'static str]),
    /// An event of another kind is told.
    Told(&'static str),
    /// A line of the main log is written.
    Log(&'static str),
    /// The scriptable child of this name says hello.
    Hello(&'static str),
    /// The child that said hello last under this name gets a signal.
    Signal(&'static str, Signal),
    /// It has ended.
    Gone(&'static str),
    /// The daemon gets a signal.
    Daemon(Signal),
    /// Another configuration is in the file from here on.
    Config(&'static str),
    /// A file that can be executed appears in the sandbox.
    Program(&'static str, &'static str),
    /// A line of a program's captured output, in this file.
    Output(&'static str, &'static str),
    /// What that file holds is compared.
    Text(&'static str),
    /// The daemon ends by itself.
    End,
}
