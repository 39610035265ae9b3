//! What people send to the standard input of programs, on its way there.
//!
//! In: bytes for a child, and from the keeper, on demand, a copy of the pipe that is its standard input: it is asked for when there
//! is something to write and closed when that is done, so that for programs which nobody writes to nothing is held twice.
//! Out: for each sending one answer, at once. Nothing here waits for a child that does not read.
//!
//! What the child's pipe has no room for goes into one more pipe, its *annex*, and is spliced over as the child reads. The
//! keeper holds the annex, too, and the kernel moves what is in it in one piece with the count of it: so a brain that dies loses
//! no byte that somebody was told is written, and none is written twice. Both are as large as the kernel grants to everybody
//! (`fs.pipe-max-size`, usually a megabyte each). Beyond that a sending is refused as a whole, before any of it is written.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use provost_core::{AskId, ChildId, Input, ProcessId, StdinError};
use provost_keeper::{Lent, Link, LinkError, ToKeeper};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::{Errno, ioctl_fionread};
use rustix::param::page_size;
use rustix::pipe::{PipeFlags, SpliceFlags, fcntl_getpipe_size, fcntl_setpipe_size, pipe_with, splice};

use crate::launch::errno_text;

/// Under these names and the child's number the keeper holds the two ends of an annex.
const OUT: &str = "stdin-out:";
const IN: &str = "stdin-in:";

/// How large a pipe may be made where nobody says so.
const USUAL_MOST: usize = 1 << 20;

/// All children that are written to.
#[derive(Debug, Default)]
pub(crate) struct Stdins {
    /// Whether the keeper is of a build that lends what we need.
    is_lent: bool,
    children: BTreeMap<ChildId, Stdin>,
}

/// One child, as long as something is on its way.
#[derive(Debug, Default)]
struct Stdin {
    pipe: Option<OwnedFd>,
    /// Those that wait for the pipe.
    sendings: Vec<Sending>,
    annex: Option<Annex>,
}

#[derive(Debug)]
struct Sending {
    ask: AskId,
    process: ProcessId,
    chars: String,
}

/// What waits for room in the child's pipe.
#[derive(Debug)]
struct Annex {
    out: OwnedFd,
    into: OwnedFd,
}

impl Stdins {
    /// Goes on with what an earlier brain has left; see [`Stdins::are_lent`].
    pub(crate) fn resume(held: &mut Vec<(String, OwnedFd)>) -> Stdins {
        let mut halves = BTreeMap::<ChildId, [Option<OwnedFd>; 2]>::new();
        for (name, fd) in std::mem::take(held) {
            let child = |prefix| name.strip_prefix(prefix).and_then(|id: &str| id.parse().ok()).map(ChildId);
            match (child(OUT), child(IN)) {
                (Some(child), _) => halves.entry(child).or_default()[0] = Some(fd),
                (None, Some(child)) => halves.entry(child).or_default()[1] = Some(fd),
                (None, None) => held.push((name, fd)),
            }
        }
        let annexes = halves.into_iter().filter_map(|(child, [out, into])| {
            Some((child, Stdin { annex: Some(Annex { out: out?, into: into? }), ..Stdin::default() }))
        });
        Stdins { is_lent: false, children: annexes.collect() }
    }

    /// The keeper lends standard inputs. What an earlier brain has left goes on.
    pub(crate) fn are_lent(&mut self, link: &mut Link) -> Result<(), LinkError> {
        if !std::mem::replace(&mut self.is_lent, true) {
            for child in self.children.keys() {
                link.send(ToKeeper::Stdin { id: child.0 })?;
            }
        }
        Ok(())
    }

    /// Sends at once, or asks the keeper for the pipe: then the answer comes with that.
    pub(crate) fn send(
        &mut self,
        (ask, process, child): (AskId, ProcessId, ChildId),
        chars: String,
        link: &mut Link,
    ) -> Result<Option<Input>, LinkError> {
        let sending = Sending { ask, process, chars };
        if !self.is_lent {
            let why =
                "the keeper is of an earlier build and lends no standard input: restart supervisord once";
            return Ok(Some(sending.answered(Err(StdinError::Refused(why.to_owned())))));
        }
        let is_asked_for = self.children.contains_key(&child);
        let stdin = self.children.entry(child).or_default();
        if let Some(pipe) = &stdin.pipe {
            let result = take(child, pipe, &mut stdin.annex, &sending.chars, link)?;
            let answer = sending.answered(result);
            self.go_on(child, link)?;
            return Ok(Some(answer));
        }
        stdin.sendings.push(sending);
        if !is_asked_for {
            link.send(ToKeeper::Stdin { id: child.0 })?;
        }
        Ok(None)
    }

    /// The keeper's answer.
    pub(crate) fn lent(
        &mut self,
        child: ChildId,
        lent: Lent,
        link: &mut Link,
    ) -> Result<Vec<Input>, LinkError> {
        let Some(stdin) = self.children.get_mut(&child) else { return Ok(Vec::new()) };
        let pipe = match lent {
            Lent::Pipe(pipe) => Ok(pipe),
            Lent::Ended => Err(StdinError::Ended),
            Lent::NoPipe => Err(StdinError::Closed),
            Lent::NoRoom => Err(StdinError::Refused("too many open files in supervisord".to_owned())),
        };
        let mut answers = Vec::new();
        for sending in std::mem::take(&mut stdin.sendings) {
            let result = match &pipe {
                Ok(pipe) => take(child, pipe, &mut stdin.annex, &sending.chars, link)?,
                Err(why) => Err(why.clone()),
            };
            answers.push(sending.answered(result));
        }
        stdin.pipe = pipe.ok();
        self.go_on(child, link)?;
        Ok(answers)
    }

    /// The child has ended: what it has not read, nobody will.
    pub(crate) fn ended(&mut self, child: ChildId, link: &mut Link) -> Result<Vec<Input>, LinkError> {
        let Some(stdin) = self.children.remove(&child) else { return Ok(Vec::new()) };
        stdin.release(child, link)?;
        Ok(stdin.sendings.iter().map(|sending| sending.answered(Err(StdinError::Ended))).collect())
    }

    /// The pipes whose room is waited for.
    pub(crate) fn full(&self) -> impl Iterator<Item = (ChildId, BorrowedFd<'_>)> {
        let full = self.children.iter().filter(|(_, stdin)| stdin.annex.is_some());
        full.filter_map(|(child, stdin)| Some((*child, stdin.pipe.as_ref()?.as_fd())))
    }

    /// There may be room in this child's pipe.
    pub(crate) fn go_on(&mut self, child: ChildId, link: &mut Link) -> Result<(), LinkError> {
        let Some(stdin) = self.children.get(&child) else { return Ok(()) };
        let is_done = match (&stdin.pipe, &stdin.annex) {
            (Some(pipe), Some(annex)) => annex.is_emptied_into(pipe),
            (Some(_), None) | (None, _) => true,
        };
        if is_done && let Some(stdin) = self.children.remove(&child) {
            stdin.release(child, link)?;
        }
        Ok(())
    }
}

impl Sending {
    fn answered(&self, result: Result<(), StdinError>) -> Input {
        Input::StdinSent { ask: self.ask, process: self.process, result }
    }
}

impl Stdin {
    fn release(&self, child: ChildId, link: &mut Link) -> Result<(), LinkError> {
        match self.annex {
            Some(_) => release(child, link),
            None => Ok(()),
        }
    }
}

/// Takes all, or nothing.
fn take(
    child: ChildId,
    pipe: &OwnedFd,
    annex: &mut Option<Annex>,
    chars: &str,
    link: &mut Link,
) -> Result<Result<(), StdinError>, LinkError> {
    let bytes = chars.as_bytes();
    // As with Supervisor, which finds out by writing.
    if bytes.is_empty() {
        return Ok(Ok(()));
    }
    if has_no_reader(pipe) {
        return Ok(Err(StdinError::Closed));
    }
    // What is in the annex comes first.
    let direct = match annex {
        Some(_) => 0,
        None => make_room(pipe, bytes.len()).min(bytes.len()),
    };
    let (now, later) = bytes.split_at(direct);
    if later.is_empty() {
        return Ok(write_all(pipe, now));
    }
    let mut made = None;
    let behind = match annex {
        Some(annex) => annex,
        None => match Annex::create() {
            Ok(annex) => made.insert(annex),
            Err(e) => return Ok(Err(StdinError::Refused(format!("no room could be made for it: {e}")))),
        },
    };
    if make_room(&behind.into, later.len()) < later.len() {
        return Ok(Err(no_room(bytes.len(), waiting(pipe) + waiting(&behind.out))));
    }
    if let Some(new) = made {
        new.share(child, link)?;
        if link.wants_to_write() {
            // Were we to die now, the keeper would not have it.
            release(child, link)?;
            return Ok(Err(StdinError::Refused("the keeper is busy, try again".to_owned())));
        }
        *annex = Some(new);
    }
    Ok(write_all(pipe, now).and_then(|()| match annex {
        Some(annex) => write_all(&annex.into, later),
        None => Ok(()),
    }))
}

impl Annex {
    fn create() -> io::Result<Annex> {
        let (out, into) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?;
        Ok(Annex { out, into })
    }

    fn share(&self, child: ChildId, link: &mut Link) -> Result<(), LinkError> {
        for (prefix, fd) in [(OUT, &self.out), (IN, &self.into)] {
            let fd = fd.try_clone().map_err(LinkError::Io)?;
            link.send(ToKeeper::Hold { name: format!("{prefix}{}", child.0), fd })?;
        }
        Ok(())
    }

    /// Moves what there is room for; true if nothing is left, or nobody is there to read it.
    fn is_emptied_into(&self, pipe: &OwnedFd) -> bool {
        loop {
            match waiting(&self.out) {
                0 => return true,
                left => match splice(&self.out, None, pipe, None, left, SpliceFlags::NONBLOCK) {
                    Ok(0) | Err(Errno::AGAIN) => return false,
                    Ok(_) | Err(Errno::INTR) => {}
                    // EPIPE: the child has closed its end.
                    Err(_) => return true,
                },
            }
        }
    }
}

fn release(child: ChildId, link: &mut Link) -> Result<(), LinkError> {
    for prefix in [OUT, IN] {
        link.send(ToKeeper::Release { name: format!("{prefix}{}", child.0) })?;
    }
    Ok(())
}

fn no_room(length: usize, waiting: usize) -> StdinError {
    StdinError::Refused(format!(
        "{waiting} bytes wait for the program to read them, and there is no room for {length} more"
    ))
}

fn write_all(pipe: &OwnedFd, bytes: &[u8]) -> Result<(), StdinError> {
    let mut rest = bytes;
    while !rest.is_empty() {
        match rustix::io::write(pipe, rest) {
            Ok(n) => rest = &rest[n..],
            Err(Errno::INTR) => {}
            Err(Errno::PIPE) => return Err(StdinError::Closed),
            // There was room: the kernel has no memory for it.
            Err(e) => {
                let (written, length) = (bytes.len() - rest.len(), bytes.len());
                let why = errno_text(e.raw_os_error());
                return Err(StdinError::Refused(format!(
                    "only {written} of {length} bytes were written: {why}"
                )));
            }
        }
    }
    Ok(())
}

fn has_no_reader(pipe: &OwnedFd) -> bool {
    let mut fds = [PollFd::new(pipe, PollFlags::empty())];
    poll(&mut fds, Some(&Timespec::default())).is_ok() && fds[0].revents().contains(PollFlags::ERR)
}

fn waiting(pipe: &OwnedFd) -> usize {
    ioctl_fionread(pipe).map_or(0, |bytes| usize::try_from(bytes).unwrap_or(usize::MAX))
}

/// How many bytes certainly fit. A pipe has a place for each of so many pieces of a page at most. What is written is added to the
/// last piece where it fits, so of two that follow one another there is more than a page: at worst every other holds a byte.
fn room(pipe: &OwnedFd) -> usize {
    let page = page_size();
    let places = fcntl_getpipe_size(pipe).map_or(1, |bytes| bytes / page);
    let taken = match waiting(pipe) {
        0 => 0,
        bytes => 2 * bytes.div_ceil(page) + 1,
    };
    places.saturating_sub(taken) * page
}

/// Makes a pipe larger, as far as that is needed and allowed; returns the room in it.
fn make_room(pipe: &OwnedFd, bytes: usize) -> usize {
    let found = room(pipe);
    if found >= bytes {
        return found;
    }
    let size = (2 * waiting(pipe) + bytes + 2 * page_size()).next_power_of_two().min(most());
    if fcntl_getpipe_size(pipe).is_ok_and(|now| now < size) {
        // A user with many large pipes gets no more: what there is has to do.
        let _ = fcntl_setpipe_size(pipe, size);
    }
    room(pipe)
}

/// What the kernel grants to everybody; root could have more, and with it fill the memory.
fn most() -> usize {
    let written = std::fs::read_to_string("/proc/sys/fs/pipe-max-size").ok();
    written.and_then(|text| text.trim().parse().ok()).unwrap_or(USUAL_MOST)
}
