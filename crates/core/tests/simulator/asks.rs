//! Everybody who asked: each is answered once, in time, and truthfully.
//!
//! In: commands and replies, and the states of the processes. Out: a verdict, and whose stop has been accepted. A wait
//! may last as long as its process gives a reason for it, and no step longer.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use provost_core::{
    AskId, Command, Fate, Fault, LogDeed, MAIN_LOG, Mono, Programs, Reply, State, StatusEntry, Target,
    UpdatedProcess, Which,
};

use crate::cast::Who;
use crate::closing::Courses;
use crate::course::Course;

/// The longest of all waits in a mortal world: stopwaitsecs, a slow death, a late spawn, one after the other.
const PATIENCE: Duration = Duration::from_secs(120);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wanted {
    Start {
        wait: bool,
    },
    Stop {
        wait: bool,
    },
    Again {
        wait: bool,
    },
    Logs,
    Signal,
    /// Words for a child: whether they have been written, once that is known.
    Stdin {
        written: Option<bool>,
    },
    /// An event, which is published whatever happens.
    Event,
    Removal,
    /// A group is to go over; whether it has.
    Update {
        turned: bool,
    },
    Shutdown,
    Reload,
    /// Something that is answered at once.
    Other,
}

#[derive(Debug)]
struct Ask {
    since: Mono,
    wanted: Wanted,
    /// One process, and how it stood.
    single: Option<State>,
    /// Whom an answer has to name, each once; for a single one, who it is.
    concerned: Vec<Who>,
    /// It has to name the main log, too, or is about that alone.
    main_log: bool,
    /// The words of a list of them, and whom each means.
    words: Option<Vec<(String, Vec<Who>)>>,
    /// What an update does to each.
    fates: BTreeMap<Who, Fate>,
    /// What has to be down before anything of it is started again.
    to_be_down: BTreeSet<Who>,
}

impl Ask {
    fn new(since: Mono, wanted: Wanted, single: Option<State>, concerned: Vec<Who>) -> Ask {
        let (main_log, words, fates, to_be_down) = Default::default();
        Ask { since, wanted, single, concerned, main_log, words, fates, to_be_down }
    }
}

/// What follows from an answer.
#[derive(Debug, Default)]
pub(crate) struct Granted {
    pub(crate) stops: Vec<Who>,
    pub(crate) the_end: bool,
}

#[derive(Debug, Default)]
pub(crate) struct Asks {
    open: BTreeMap<AskId, Ask>,
}

impl Asks {
    pub(crate) fn asked(&mut self, ask_id: AskId, awake: Mono, command: &Command, courses: &Courses) {
        let (wanted, target) = match command {
            Command::Start { target, wait } => (Wanted::Start { wait: *wait }, Some(target)),
            Command::Stop { target, wait } => (Wanted::Stop { wait: *wait }, Some(target)),
            Command::Restart { target, wait } => (Wanted::Again { wait: *wait }, Some(target)),
            Command::Logs { target, .. } => (Wanted::Logs, Some(target)),
            Command::MainLog { .. } => (Wanted::Logs, None),
            Command::Signal { target, .. } => (Wanted::Signal, Some(target)),
            Command::RemoveProcess { group, process } => {
                let who = Who::named(&format!("{group}:{process}")).filter(|who| courses.contains_key(who));
                let concerned = who.into_iter().collect();
                let ask = Ask::new(awake, Wanted::Removal, None, concerned);
                self.open.insert(ask_id, ask);
                return;
            }
            Command::RemoveGroup { name } => {
                let concerned = courses.keys().copied().filter(|who| who.group() == name).collect();
                let ask = Ask::new(awake, Wanted::Removal, None, concerned);
                self.open.insert(ask_id, ask);
                return;
            }
            Command::UpdateGroup { name, .. } => {
                let concerned = courses.keys().copied().filter(|who| who.group() == name).collect();
                let wanted = Wanted::Update { turned: false };
                let ask = Ask::new(awake, wanted, None, concerned);
                self.open.insert(ask_id, ask);
                return;
            }
            Command::SendStdin { name, .. } => {
                let one = match meant(&Target::named(name), courses) {
                    Meant::One(who) => Some(who),
                    Meant::Several { .. } => None,
                };
                let single = one.map(|who| courses[&who].state);
                let concerned = one.into_iter().collect();
                let wanted = Wanted::Stdin { written: None };
                let ask = Ask::new(awake, wanted, single, concerned);
                self.open.insert(ask_id, ask);
                return;
            }
            Command::RemoteEvent { .. } => (Wanted::Event, None),
            Command::Shutdown => (Wanted::Shutdown, None),
            Command::Reload => (Wanted::Reload, None),
            Command::Ping
            | Command::ProcessInfo { .. }
            | Command::ProcessHistory { .. }
            | Command::AllProcessInfo
            | Command::AllConfigInfo
            // Granted, it ends this brain: here it is always refused.
            | Command::Upgrade { .. }
            | Command::Reread
            | Command::AddGroup { .. }
            | Command::CompareConfig
            | Command::AddProgram { .. }
            | Command::GroupNames
            | Command::WriteLog { .. } => (Wanted::Other, None),
        };
        let main_log = match command {
            Command::MainLog { .. } => true,
            Command::Logs { target, deed } => *target == Target::all() && *deed != LogDeed::Clear,
            _ => false,
        };
        let (single, concerned) = match target.map(|target| meant(target, courses)) {
            Some(Meant::One(who)) => (Some(courses[&who].state), vec![who]),
            Some(Meant::Several { all, named }) => {
                let concerns = |who: &Who| match wanted {
                    Wanted::Start { .. } => !courses[who].state.is_running(),
                    Wanted::Stop { .. } => courses[who].state.is_running(),
                    Wanted::Signal => courses[who].state.is_signallable(),
                    Wanted::Again { .. }
                    | Wanted::Logs
                    | Wanted::Stdin { .. }
                    | Wanted::Event
                    | Wanted::Removal
                    | Wanted::Update { .. }
                    | Wanted::Shutdown
                    | Wanted::Reload
                    | Wanted::Other => true,
                };
                (None, all.into_iter().filter(|who| named.contains(who) || concerns(who)).collect())
            }
            None => (None, Vec::new()),
        };
        let words = match target {
            Some(Target { which: Which::Matching(words), programs }) => {
                let means = |word: &String| (word.clone(), meant_by(word, programs, courses).all());
                Some(words.iter().map(means).collect())
            }
            _ => None,
        };
        // One that is UNKNOWN is not waited for: nobody can end it.
        let lives = |who: &&Who| !courses[who].state.is_stopped();
        let to_be_down = match wanted {
            Wanted::Again { .. } => concerned.iter().filter(lives).copied().collect(),
            _ => BTreeSet::new(),
        };
        let ask = Ask::new(awake, wanted, single, concerned);
        self.open.insert(ask_id, Ask { main_log, words, to_be_down, ..ask });
    }

    pub(crate) fn answered(
        &mut self,
        id: AskId,
        reply: &Reply,
        all_stop: bool,
        courses: &Courses,
    ) -> Result<Granted, String> {
        let Some(ask) = self.open.remove(&id) else {
            return Err(format!("{id:?} was answered twice, or never asked"));
        };
        let refused = |fault: &Fault| {
            // While everything stops, that is an answer to anything.
            match fault {
                Fault::ShuttingDown => all_stop && ask.wanted != Wanted::Event,
                _ => ask.may_be(fault, courses),
            }
        };
        let mut granted = Granted::default();
        match reply {
            Reply::Fault(fault) if !refused(fault) => Err(format!("{ask:?} was refused with {fault:?}")),
            Reply::Statuses(entries) => {
                ask.names_all(entries)?;
                // Each was true when it was decided, and need not be so when the last of them is.
                let stays = |who: &Who| courses.get(who).is_some_and(|course| is_stopping(course.state));
                if matches!(ask.wanted, Wanted::Stop { .. }) {
                    let yes = entries.iter().filter(|entry| entry.result.is_ok());
                    let stopped = yes.map(|entry| Who::of(&entry.group, &entry.name)).filter(stays);
                    granted.stops.extend(stopped);
                }
                Ok(granted)
            }
            Reply::Updated(processes) => {
                ask.is_as_foreseen(processes, courses)?;
                Ok(granted)
            }
            Reply::Done => {
                granted.the_end = matches!(ask.wanted, Wanted::Shutdown | Wanted::Reload);
                if let (Some(_), Some(who)) = (ask.single, ask.concerned.first()) {
                    ask.is_true_of(*who, courses, &mut granted)?;
                }
                Ok(granted)
            }
            // It does not run, and whoever wants it stopped does not want it to come back either.
            Reply::Fault(Fault::NotRunning { .. })
                if matches!(ask.wanted, Wanted::Stop { .. }) && ask.single == Some(State::Exited) =>
            {
                granted.stops.extend(ask.concerned);
                Ok(granted)
            }
            Reply::Fault(_)
            | Reply::Info(_)
            | Reply::History(_)
            | Reply::Infos(_)
            | Reply::Names(_)
            | Reply::Reread { .. }
            | Reply::Configured(_)
            | Reply::Compared(_)
            | Reply::Upgraded(_) => Ok(granted),
        }
    }

    /// It is down, or nobody can end it.
    pub(crate) fn is_down(&mut self, who: Who) {
        for ask in self.open.values_mut() {
            ask.to_be_down.remove(&who);
        }
    }

    /// Whether somebody may have it started now.
    pub(crate) fn may_start(&self, who: Who) -> bool {
        let mut concerning = self.open.values().filter(|ask| ask.concerned.contains(&who)).peekable();
        concerning.peek().is_none() || concerning.any(|ask| ask.to_be_down.is_empty())
    }

    /// It comes into a group that may be about to go over.
    pub(crate) fn comes(&mut self, who: Who) {
        let waits = |ask: &&mut Ask| ask.wanted == (Wanted::Update { turned: false });
        let is_of_group = |ask: &&mut Ask| ask.concerned.iter().any(|other| other.group() == who.group());
        self.open.values_mut().filter(waits).filter(is_of_group).for_each(|ask| ask.concerned.push(who));
    }

    /// The group has gone over: what becomes of each process is settled.
    pub(crate) fn turned(&mut self, id: AskId, fates: BTreeMap<Who, Fate>, courses: &Courses) {
        let Some(ask) = self.open.get_mut(&id) else { return };
        ask.wanted = Wanted::Update { turned: true };
        let is_on_its_way = |who: &Who| {
            let starts = |course: &Course| course.state == State::Starting && course.born.is_none();
            courses.get(who).is_some_and(|course| course.wanted_back || starts(course))
        };
        let is_waited_for = |(who, fate): &(&Who, &Fate)| match fate {
            Fate::Restarted | Fate::Added => true,
            Fate::Changed => is_on_its_way(who),
            Fate::Untouched | Fate::Removed => false,
        };
        ask.concerned = fates.iter().filter(is_waited_for).map(|(who, _)| *who).collect();
        // What was down and stays down was not restarted.
        let rests =
            |who: &Who| courses.get(who).is_some_and(|course| course.is_at_rest() && !course.wanted_back);
        let settled = fates.into_iter().map(|(who, fate)| match fate {
            Fate::Restarted if rests(&who) => (who, Fate::Changed),
            fate => (who, fate),
        });
        ask.fates = settled.collect();
    }

    /// The shell has written what somebody sent, or has not.
    pub(crate) fn sent(&mut self, id: AskId, is_written: bool) {
        // Who asked may have been answered already, as everything stops.
        if let Some(Ask { wanted: Wanted::Stdin { written }, .. }) = self.open.get_mut(&id) {
            *written = Some(is_written);
        }
    }

    /// Somebody whose wait has lost its reason, or lasts too long although nobody concerned refuses to die.
    pub(crate) fn overdue(
        &mut self,
        awake: Mono,
        courses: &Courses,
        is_undying: impl Fn(Who) -> bool,
    ) -> Option<String> {
        // A restart has all its starts before it when the last of them has died at last.
        let again = |wanted| matches!(wanted, Wanted::Again { .. } | Wanted::Update { .. });
        let restarts = self.open.values_mut().filter(|ask| again(ask.wanted));
        for ask in restarts.filter(|ask| ask.concerned.iter().any(|who| is_undying(*who))) {
            ask.since = awake;
        }
        self.open.iter().find_map(|(id, ask)| {
            let waited = awake.since(ask.since);
            if !ask.main_log && !ask.concerned.iter().any(|who| ask.has_to_wait_for(*who, courses)) {
                return Some(format!("{id:?} waits for nothing: {ask:?}"));
            }
            let too_long = waited > PATIENCE && !ask.concerned.iter().any(|who| is_undying(*who));
            too_long.then(|| format!("{id:?} has been waiting for {waited:?}: {ask:?}"))
        })
    }

    pub(crate) fn is_open(&self) -> bool {
        !self.open.is_empty()
    }

    pub(crate) fn forget_all(&mut self) {
        self.open.clear();
    }
}

impl Ask {
    /// Whether this refusal can be true.
    fn may_be(&self, fault: &Fault, courses: &Courses) -> bool {
        let is_running = |who: &Who| courses.get(who).is_some_and(|course| course.state.is_running());
        match (self.wanted, fault, self.single) {
            (Wanted::Stop { .. }, Fault::NotRunning { .. }, Some(state)) => !state.is_running(),
            // It may have come back while somebody looked whether it could.
            (Wanted::Start { .. } | Wanted::Again { .. }, Fault::AlreadyStarted { .. }, Some(_)) => {
                self.concerned.iter().all(is_running)
            }
            (Wanted::Signal, Fault::NotRunning { .. }, Some(state)) => !state.is_signallable(),
            (Wanted::Stdin { written: None }, Fault::NotRunning { .. }, Some(_)) => {
                !self.concerned.iter().any(|who| takes_words(*who, courses))
            }
            // The group may have gone since.
            (Wanted::Stdin { .. }, Fault::BadName { .. }, _) => true,
            (Wanted::Stdin { written }, _, Some(_)) => written == Some(false),
            (Wanted::Event, _, _) => false,
            (Wanted::Removal, Fault::StillRunning { .. }, _) => {
                let lives = |who: &Who| courses.get(who).is_some_and(|course| !course.may_go());
                self.concerned.iter().any(lives)
            }
            (Wanted::Update { turned }, Fault::BadName { .. }, _) => !turned,
            (Wanted::Update { turned }, Fault::Failed { .. }, _) => {
                let is_unknown = |who: &Who| courses.get(who).is_some_and(|c| c.state == State::Unknown);
                !turned && self.concerned.iter().any(is_unknown)
            }
            (Wanted::Update { .. }, _, _) => false,
            // Of a process that it knows, nobody says that it does not.
            (Wanted::Stop { .. }, Fault::BadName { .. }, Some(_)) => false,
            _ => true,
        }
    }

    /// An update has done what it was to do, and nothing of it is still to come.
    fn is_as_foreseen(&self, processes: &[UpdatedProcess], courses: &Courses) -> Result<(), String> {
        let told: BTreeMap<Who, Fate> =
            processes.iter().map(|process| (Who::of(&process.group, &process.name), process.fate)).collect();
        if told != self.fates {
            return Err(format!("an update was to do {:?}, and has done {told:?}", self.fates));
        }
        // A failure is as good as an end.
        let is_well = |who: &&Who| {
            let mut of_this = processes.iter().filter(|p| Who::of(&p.group, &p.name) == **who);
            of_this.all(|process| process.result.is_ok())
        };
        // Of several each was true when it was decided.
        let only = self.concerned.iter().filter(|_| self.concerned.len() == 1);
        match only.filter(is_well).find(|who| self.has_to_wait_for(**who, courses)) {
            Some(who) => Err(format!("an update is answered, and {who:?} is {:?}", courses[who].state)),
            None => Ok(()),
        }
    }

    fn names_all(&self, entries: &[StatusEntry]) -> Result<(), String> {
        let words = self.words.as_deref().unwrap_or_default();
        let is_nobody = |entry: &&StatusEntry| word_for_nobody(words, entry).is_some();
        if self.words.is_some() {
            in_order(words, entries)?;
        }
        let (main_log, processes): (Vec<_>, Vec<_>) = entries
            .iter()
            .filter(|entry| !is_nobody(entry))
            .partition(|entry| *entry.name == *MAIN_LOG && *entry.group == *MAIN_LOG);
        if main_log.len() != usize::from(self.main_log) {
            return Err(format!("the main log is named {} times: {:?}", main_log.len(), self.wanted));
        }
        let mut named: Vec<Who> = processes.iter().map(|entry| Who::of(&entry.group, &entry.name)).collect();
        named.sort();
        let mut concerned = self.concerned.clone();
        concerned.sort();
        match named == concerned {
            true => Ok(()),
            false => {
                Err(format!("{concerned:?} were asked for, and {named:?} are answered: {:?}", self.wanted))
            }
        }
    }

    /// A yes must be true when it is said.
    fn is_true_of(&self, who: Who, courses: &Courses, granted: &mut Granted) -> Result<(), String> {
        let Some(course) = courses.get(&who) else { return Ok(()) };
        let state = course.state;
        let is_true = match self.wanted {
            Wanted::Start { wait: true } | Wanted::Again { wait: true } => {
                state == State::Running || (state == State::Exited && course.has_done_its_work())
            }
            Wanted::Start { wait: false } | Wanted::Again { wait: false } => {
                state != State::Starting || course.born.is_some()
            }
            Wanted::Stop { wait } => {
                granted.stops.push(who);
                state == State::Stopped || (!wait && is_stopping(state))
            }
            Wanted::Stdin { written } => written == Some(true),
            Wanted::Logs
            | Wanted::Signal
            | Wanted::Event
            | Wanted::Removal
            | Wanted::Update { .. }
            | Wanted::Shutdown
            | Wanted::Reload
            | Wanted::Other => true,
        };
        match is_true {
            true => Ok(()),
            false => Err(format!("{who:?} is {state:?}, and {:?} was answered with yes", self.wanted)),
        }
    }

    fn has_to_wait_for(&self, who: Who, courses: &Courses) -> bool {
        let Some(course) = courses.get(&who) else { return false };
        match self.wanted {
            Wanted::Start { wait: true } => course.state == State::Starting,
            Wanted::Start { wait: false } => course.state == State::Starting && course.born.is_none(),
            Wanted::Stop { .. } => course.state == State::Stopping,
            Wanted::Again { .. } if course.state == State::Stopping => true,
            Wanted::Again { wait: true } => course.state == State::Starting,
            Wanted::Again { wait: false } => course.state == State::Starting && course.born.is_none(),
            Wanted::Logs => true,
            Wanted::Update { turned: false } => !course.may_go(),
            Wanted::Update { turned: true } => {
                course.state == State::Stopping
                    || (course.state == State::Starting && course.born.is_none())
                    || (course.state == State::Stopped && course.wanted_back)
            }
            Wanted::Stdin { written } => written.is_none(),
            Wanted::Signal
            | Wanted::Event
            | Wanted::Removal
            | Wanted::Shutdown
            | Wanted::Reload
            | Wanted::Other => false,
        }
    }
}

/// Whether there is a child that may be written to.
fn takes_words(who: Who, courses: &Courses) -> bool {
    let takes = |state| matches!(state, State::Starting | State::Running);
    courses.get(&who).is_some_and(|course| course.born.is_some() && takes(course.state))
}

fn is_stopping(state: State) -> bool {
    matches!(state, State::Stopping | State::Stopped)
}

/// The place of the word that this entry says means nobody, if it is one.
fn word_for_nobody(words: &[(String, Vec<Who>)], entry: &StatusEntry) -> Option<usize> {
    let Err(Fault::BadName { name }) = &entry.result else { return None };
    words.iter().position(|(word, all)| word == name && all.is_empty())
}

/// Every word of a list that means nobody is answered, and all answers come in the order of the words.
fn in_order(words: &[(String, Vec<Who>)], entries: &[StatusEntry]) -> Result<(), String> {
    let mut places = Vec::new();
    for entry in entries {
        let means = |(_, all): &(String, Vec<Who>)| all.contains(&Who::of(&entry.group, &entry.name));
        let place = word_for_nobody(words, entry).or_else(|| words.iter().position(means));
        places.push(place.ok_or_else(|| format!("{entry:?} is no answer to {words:?}"))?);
    }
    let nobody = words.iter().filter(|(_, all)| all.is_empty()).count();
    let told = entries.iter().filter(|entry| word_for_nobody(words, entry).is_some()).count();
    match told == nobody && places.is_sorted() {
        true => Ok(()),
        false => Err(format!("{words:?} were asked for, and answered like this: {entries:?}")),
    }
}

/// Whom a command is for.
pub(crate) enum Meant {
    One(Who),
    Several {
        all: Vec<Who>,
        /// Those who are answered for, however they are.
        named: Vec<Who>,
    },
}

impl Meant {
    fn several(all: Vec<Who>) -> Meant {
        Meant::Several { all, named: Vec::new() }
    }

    fn all(self) -> Vec<Who> {
        match self {
            Meant::One(who) => vec![who],
            Meant::Several { all, .. } => all,
        }
    }
}

/// Whom a target means; nobody, where there is no such name.
pub(crate) fn meant(target: &Target, courses: &Courses) -> Meant {
    let Target { which, programs } = target;
    match which {
        Which::All => Meant::several(covered(programs, courses).collect()),
        Which::Group(name) => {
            Meant::several(covered(programs, courses).filter(|who| who.group() == name).collect())
        }
        Which::Named(name) => meant_by(name, programs, courses),
        Which::Matching(words) => {
            let (mut whole, mut named) = (BTreeSet::new(), Vec::new());
            for word in words {
                let meant = meant_by(word, programs, courses);
                if let Meant::One(who) = meant {
                    named.push(who);
                }
                whole.extend(meant.all());
            }
            Meant::Several { all: whole.into_iter().collect(), named }
        }
    }
}

fn meant_by(word: &str, programs: &Programs, courses: &Courses) -> Meant {
    let all = || covered(programs, courses);
    let named = |names: &[&str]| all().filter(|who| names.contains(&who.name())).collect();
    Meant::several(match word {
        "?" => all().filter(|who| who.name().len() == 1).collect(),
        "[a-c]" => named(&["a", "b", "c"]),
        "g:[!d]" | "*:e" => named(&["e"]),
        "n*" => named(&["n"]),
        "z?" => Vec::new(),
        word => match word.strip_suffix(":*").or_else(|| word.strip_suffix(':')) {
            Some(name) => all().filter(|who| who.group() == name).collect(),
            None => match all().find(|who| Who::named(word) == Some(*who)) {
                Some(who) => return Meant::One(who),
                None => Vec::new(),
            },
        },
    })
}

fn covered(programs: &Programs, courses: &Courses) -> impl Iterator<Item = Who> {
    let covers = |who: &Who| programs.covers(who.group(), who.name());
    courses.keys().copied().filter(covers)
}
