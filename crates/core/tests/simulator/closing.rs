//! The rules of the end of everything: who may want it, in which order it goes, and with which status it comes.
//!
//! In: wishes, ends of programs, states. Out: a verdict. What is decided stays decided: a shutdown overrides a restart,
//! and neither overrides an end for a program's sake; all of it outlives a brain that has said `RememberEnding`.

use std::collections::BTreeMap;

use provost_config::{ExitOn, ProcessKind};
use provost_core::{Ending, State};

use crate::cast::Who;
use crate::course::{Course, End, Verdict};
use crate::seen::Seen;

pub(crate) type Courses = BTreeMap<Who, Course>;

/// What everything is to end with.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Wish {
    None,
    Restart,
    Shutdown,
    /// With one of these statuses.
    ForItsSake(Vec<u8>),
}

#[derive(Debug)]
pub(crate) struct Closing {
    exit_on: ExitOn,
    wish: Wish,
    /// Told to somebody: it must not be forgotten.
    is_promised: bool,
    /// It has been announced.
    pub(crate) has_begun: bool,
    ends: u64,
    last_to_stop: Option<(&'static str, i64)>,
}

impl Closing {
    pub(crate) fn new(exit_on: ExitOn) -> Closing {
        Closing {
            exit_on,
            wish: Wish::None,
            is_promised: false,
            has_begun: false,
            ends: 0,
            last_to_stop: None,
        }
    }

    pub(crate) fn is_wanted(&self) -> bool {
        self.wish != Wish::None
    }

    pub(crate) fn wants_shutdown(&mut self, seen: &mut Seen) {
        match self.wish {
            Wish::Restart => seen.saw("a shutdown overrode a restart"),
            Wish::None => {}
            Wish::Shutdown | Wish::ForItsSake(_) => return,
        }
        self.wish = Wish::Shutdown;
    }

    pub(crate) fn wants_restart(&mut self) {
        if self.wish == Wish::None {
            self.wish = Wish::Restart;
        }
    }

    pub(crate) fn promised(&mut self) {
        self.is_promised = true;
    }

    /// A new brain knows what was written down.
    pub(crate) fn resumes(&mut self, ending: Option<Ending>) {
        self.has_begun = false;
        self.wish = match ending {
            None => Wish::None,
            Some(Ending::Renew) => Wish::Restart,
            Some(Ending::Exit { status: 0 }) => Wish::Shutdown,
            Some(Ending::Exit { status }) => Wish::ForItsSake(vec![status]),
        };
    }

    // --- ends of programs ---

    /// This process is down for good by itself, and nothing has been told to stop.
    pub(crate) fn ends(&mut self, who: Who, status: u8, courses: &mut Courses, seen: &mut Seen) -> Verdict {
        self.ends += 1;
        let end = End { status, order: self.ends };
        let course = courses.get_mut(&who).expect("it has just been found");
        course.end = Some(end);
        if self.is_wanted() {
            return Err("ended after the end of everything, which was not announced".to_owned());
        }
        if course.is_job() && status == 0 {
            seen.saw("a job done at once");
        }
        if course.config.essential {
            self.wish = Wish::ForItsSake(vec![status]);
            seen.saw("an end for an essential program");
            return Ok(());
        }
        let (is_fatal, counts) = (course.state == State::Fatal, is_counted(course));
        let statuses = match self.exit_on {
            ExitOn::Fatal if is_fatal => vec![status],
            ExitOn::Exited => vec![status],
            ExitOn::AllExited if counts && all_are_down(courses) => self.statuses_of_all(courses),
            ExitOn::None | ExitOn::Fatal | ExitOn::AllExited => return Ok(()),
        };
        seen.saw("an end by exit_on");
        self.wish = Wish::ForItsSake(statuses);
        Ok(())
    }

    /// As it was written down.
    pub(crate) fn had_ended(&mut self, course: &mut Course, number: Option<u64>) {
        let Some(order) = number else { return };
        self.ends = self.ends.max(order);
        let status = match course.state {
            State::Exited if !course.pending => course.last.map_or(1, as_status),
            State::Fatal => course.last.map_or(1, as_status).max(1),
            _ => return,
        };
        course.end = Some(End { status, order });
    }

    /// The first failure decides.
    fn statuses_of_all(&self, courses: &Courses) -> Vec<u8> {
        let counted = courses.values().filter(|course| is_counted(course));
        let mut ends: Vec<End> = counted.filter_map(|course| course.end).collect();
        ends.sort_by_key(|end| end.order);
        let failures: Vec<u8> = ends.iter().map(|end| end.status).filter(|status| *status != 0).collect();
        vec![failures.first().copied().unwrap_or(0)]
    }

    // --- the order in which everything stops ---

    pub(crate) fn step_begins(&mut self) {
        self.last_to_stop = None;
    }

    /// While everything stops: this process's turn has come.
    pub(crate) fn may_stop(&mut self, who: Who, courses: &Courses, seen: &mut Seen) -> Verdict {
        let course = &courses[&who];
        let comes_before =
            |other: &Course| other.group_priority > course.group_priority && !other.state.is_stopped();
        if let Some((first, _)) = courses.iter().find(|(_, other)| comes_before(other)) {
            return Err(format!("is to stop before {first:?}, which has the higher priority"));
        }
        if courses.values().any(|other| other.group_priority > course.group_priority) {
            seen.saw("a wave after a wave");
        }
        let mine = (who.group(), course.config.priority);
        match self.last_to_stop.replace(mine) {
            Some((group, priority)) if group == mine.0 && priority < mine.1 => {
                Err("stops after another of its group that has the lower priority".to_owned())
            }
            _ => Ok(()),
        }
    }

    /// Whoever's turn it is has been told to stop, and when nothing is left it is over.
    pub(crate) fn is_overdue(&self, courses: &Courses) -> Option<String> {
        if self.is_wanted() != self.has_begun {
            return Some(format!("everything is to end: {:?}; but announced: {}", self.wish, self.has_begun));
        }
        if self.is_promised && !self.has_begun {
            return Some("somebody was told that everything ends, and it does not".to_owned());
        }
        if !self.has_begun {
            return None;
        }
        let left = courses.iter().filter(|(_, course)| !course.state.is_stopped());
        let Some(highest) = left.clone().map(|(_, course)| course.group_priority).max() else {
            return Some("nothing is left, and it does not end".to_owned());
        };
        let is_next = |course: &Course| course.group_priority == highest && course.state != State::Stopping;
        let forgotten = left.clone().find(|(_, course)| is_next(course));
        forgotten.map(|(who, course)| format!("{who:?} is {:?}, and its turn to stop has come", course.state))
    }

    /// What is written down, or done, is what was wished.
    pub(crate) fn is_as_wished(&self, ending: Ending) -> bool {
        match (&self.wish, ending) {
            (Wish::Restart, Ending::Renew) | (Wish::Shutdown, Ending::Exit { status: 0 }) => true,
            (Wish::ForItsSake(allowed), Ending::Exit { status }) => allowed.contains(&status),
            (Wish::None | Wish::Restart | Wish::Shutdown | Wish::ForItsSake(_), _) => false,
        }
    }
}

/// The daemon's own status for a program's.
pub(crate) fn as_status(status: provost_core::ExitStatus) -> u8 {
    match status {
        provost_core::ExitStatus::Code(code) => {
            u8::try_from(code).expect("the world's children end with small codes")
        }
        provost_core::ExitStatus::Signal { number, .. } => {
            128 + u8::try_from(number).expect("signals are small numbers")
        }
        provost_core::ExitStatus::Unknown => 1,
    }
}

fn is_counted(course: &Course) -> bool {
    course.config.kind != ProcessKind::EventListener
}

fn all_are_down(courses: &Courses) -> bool {
    courses.values().filter(|course| is_counted(course)).all(|course| match course.state {
        State::Stopped => !course.wanted_back,
        State::Fatal => true,
        State::Exited => !course.pending,
        State::Starting | State::Running | State::Backoff | State::Stopping | State::Unknown => false,
    })
}
