//! What is done with the output of one child on its way, besides carrying it: filters, lines, and telling of it.
//!
//! In: a piece as the child wrote it. Out, in buffers of the lane's: what the log gets, and whole lines for sinks that want lines. Told of
//! on the way are pieces, for PROCESS_LOG and for the main log at level debug, and captured messages.

use std::sync::Arc;

use jiff::tz::TimeZone;
use provost_config::LogFormat;
use provost_core::ChildId;
use provost_wire::events::Said;

use super::Output;
use super::filter::{Filter, FilterSettings, Format, Line, Lines, Origin, Stamps, Told};
use super::journal::Voice;
use super::reports::{Reports, Word};
use super::sink::Speaker;
use crate::clock;

/// What is wanted of one output, as configured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Course {
    pub(crate) speaker: Speaker,
    pub(crate) strip_ansi: bool,
    /// Bytes that a captured message may have; 0 for none.
    pub(crate) capture: u64,
    /// Every piece is for those who listen to PROCESS_LOG.
    pub(crate) publishes: bool,
    /// The main log, at level debug, is to be told of every piece.
    pub(crate) tells: bool,
    pub(crate) format: LogFormat,
    /// Some sink takes lines only.
    pub(crate) has_wires: bool,
}

/// The state of one child's output on its way.
#[derive(Debug)]
pub(super) struct Treatment {
    child: ChildId,
    output: Output,
    pid: i32,
    filter: Option<Filter>,
    lines: Option<Lines>,
    format: Option<Format>,
    course: Arc<Course>,
}

/// Why nothing more of an output comes here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Parting {
    /// It has ended.
    End,
    /// Another brain goes on with it.
    HandOver,
}

/// Buffers, of which a lane needs one set.
#[derive(Debug)]
pub(super) struct Bench {
    /// What a filter has left.
    filtered: Vec<u8>,
    /// Lines in their form.
    formed: Vec<u8>,
    lines: Vec<u8>,
    stamps: Stamps,
}

/// What has become of a piece.
#[derive(Debug, Clone, Copy)]
pub(super) struct Treated<'a> {
    /// For files and streams.
    pub(super) bytes: &'a [u8],
    /// For sinks that want lines.
    pub(super) lines: &'a [u8],
}

impl Course {
    /// Whether there is anything to do at all.
    pub(crate) fn is_straight(&self) -> bool {
        !self.strip_ansi
            && self.capture == 0
            && !self.publishes
            && !self.tells
            && !self.has_wires
            && self.format == LogFormat::Text
    }
}

impl Treatment {
    pub(super) fn new(child: ChildId, output: Output, pid: i32, course: &Arc<Course>) -> Box<Treatment> {
        let Speaker { process, group, channel } = &course.speaker;
        let host = rustix::system::uname();
        let hostname = host.nodename().to_string_lossy();
        let origin = Origin { process, group, pid, channel, hostname: &hostname };
        let format = Format::new(&course.format, &origin);
        let settings = FilterSettings { strip_ansi: course.strip_ansi, capture: course.capture };
        Box::new(Treatment {
            child,
            output,
            pid,
            filter: Filter::new(settings),
            lines: (format.is_some() || course.has_wires).then(Lines::default),
            format,
            course: Arc::clone(course),
        })
    }

    pub(super) fn course(&self) -> &Arc<Course> {
        &self.course
    }

    /// Whether what the log gets is something else than what was written.
    pub(super) fn changes_bytes(&self) -> bool {
        self.filter.is_some() || self.format.is_some()
    }

    /// Whose words they are.
    pub(super) fn whose(&self) -> Voice {
        Voice { child: self.child, output: self.output }
    }

    /// The same where somebody listens.
    pub(super) fn voice(&self) -> Option<Voice> {
        self.is_heard().then(|| self.whose())
    }

    fn is_heard(&self) -> bool {
        self.course.publishes || self.course.capture > 0
    }

    /// Whether somebody is to be told of this output, and is behind.
    pub(super) fn has_to_wait(&self, reports: &Reports) -> bool {
        (self.course.tells && reports.are_too_many()) || (self.is_heard() && reports.audience().is_behind())
    }

    /// Does all there is to do with a piece.
    pub(super) fn treat<'a>(
        &mut self,
        piece: &'a [u8],
        bench: &'a mut Bench,
        reports: &Reports,
    ) -> Treated<'a> {
        bench.filtered.clear();
        let course = Arc::clone(&self.course);
        let mut tell = teller(self.child, self.output, self.pid, &course, reports);
        match &mut self.filter {
            Some(filter) => filter.take(piece, &mut bench.filtered, &mut tell),
            None if piece.is_empty() => {}
            None => tell(Told::Plain(piece)),
        }
        self.cut(piece, bench, false);
        self.treated(piece, bench)
    }

    /// What was held back comes out.
    pub(super) fn end<'a>(
        &mut self,
        parting: Parting,
        bench: &'a mut Bench,
        reports: &Reports,
    ) -> Treated<'a> {
        bench.filtered.clear();
        if let Some(filter) = &mut self.filter {
            let mut tell = teller(self.child, self.output, self.pid, &self.course, reports);
            match parting {
                Parting::End => filter.end(&mut bench.filtered, &mut tell),
                Parting::HandOver => filter.let_go(&mut bench.filtered, &mut tell),
            }
        }
        self.cut(&[], bench, true);
        self.treated(&[], bench)
    }

    /// The log was cleared.
    pub(super) fn forget_captured(&mut self) {
        if let Some(filter) = &mut self.filter {
            filter.forget_captured();
        }
    }

    /// Makes whole lines, and their form, out of a piece or what the filter has left of it.
    fn cut(&mut self, piece: &[u8], bench: &mut Bench, is_end: bool) {
        let Bench { filtered, formed, lines, stamps } = bench;
        formed.clear();
        lines.clear();
        let Some(cutter) = &mut self.lines else { return };
        let now = clock::now().wall;
        let mut each = |line: Line<'_>| {
            if self.course.has_wires {
                lines.extend_from_slice(line.text);
                lines.push(b'\n');
            }
            if let Some(format) = &self.format {
                format.render(&line, now, stamps, formed);
            }
        };
        cutter.take(if self.filter.is_some() { filtered } else { piece }, &mut each);
        if is_end {
            cutter.end(&mut each);
        }
    }

    fn treated<'a>(&self, piece: &'a [u8], bench: &'a Bench) -> Treated<'a> {
        let bytes = match (&self.format, &self.filter) {
            (Some(_), _) => &bench.formed,
            (None, Some(_)) => &bench.filtered,
            (None, None) => piece,
        };
        Treated { bytes, lines: &bench.lines }
    }
}

/// Whom to tell of what.
fn teller<'a>(
    child: ChildId,
    output: Output,
    pid: i32,
    course: &'a Course,
    reports: &'a Reports,
) -> impl FnMut(Told<'_>) + 'a {
    let Speaker { process, group, .. } = &course.speaker;
    let channel = output.channel();
    move |told| {
        let (word, data, is_heard) = match told {
            Told::Plain(piece) | Told::Captured(piece) => (Word::Piece, piece, course.publishes),
            Told::Communication(message) => (Word::Message, message, true),
        };
        if is_heard {
            reports.audience().hear(word, &Said { process, group, pid, channel, data });
        }
        if course.tells {
            reports.tell(child, output, word, data);
        }
    }
}

impl Bench {
    pub(super) fn new() -> Bench {
        let (filtered, formed, lines) = Default::default();
        Bench { filtered, formed, lines, stamps: Stamps::new(TimeZone::system()) }
    }
}
