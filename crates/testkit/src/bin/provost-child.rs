//! A program that does what its arguments say, one word after the other, so
//! that a test can write the behaviour of a supervised program into the
//! configuration: `provost-child ignore:TERM hello print:3 after:200ms exit:1`.
//!
//! In: the words below, signals, the environment. Out: lines on stdout and
//! stderr, a datagram per `hello`, an exit status. After its last word it ends
//! with status 0. A word it does not know ends it with status 64 and a line on
//! stderr. `after` is the script's own timer and part of its behaviour.
//!
//! Not here: anything that a test expects. A supervisor's faults must show in
//! what this program reports, so it changes nothing about itself unasked.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "printing is what it is for")]

use std::cell::Cell;
use std::collections::BTreeMap;
use std::error::Error;
use std::io::Write;
use std::os::fd::AsFd;
use std::os::unix::net::UnixDatagram;
use std::process::{Command, ExitCode};
use std::str::FromStr;
use std::time::{Duration, Instant};

use nix::sys::signal::{SigSet, Signal, kill};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::unistd::Pid;
use provost_testkit::{
    Assignment, Author, End, Listening, Pour, StuckDisk, dribble, say, unescaped, until_taken, write_at_once,
};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

const USAGE: &str = "\
words, done in order:
  hello | hello:NAME       tell the harness (PROVOST_HELLO) name, pid and monotonic time
  print:N | eprint:N       N numbered lines on stdout | stderr
  say:TEXT | esay:TEXT     one line on stdout | stderr
  write:TEXT | ewrite:TEXT the same without a line end, in one write; in it \\n, \\r, \\e (ESC), \\s (blank), \\xHH
  taken | etaken           go on when the reader has taken all that was written to stdout | stderr
  after:TIME               go on after TIME (200ms, 3s); signals are answered meanwhile
  exit:N                   end with status N
  raise:SIG                send SIG to itself
  ignore:SIG               from here on SIG does nothing
  on:SIG:exit:N            from here on SIG ends it with status N
  on:SIG:say:TEXT          from here on SIG prints TEXT
  on:SIG:go                from here on SIG lets it go on behind the next await
  await                    stay until such a signal has come
  fork-grandchild          start a copy of itself that says hello:grandchild and stays
  dump-env                 its environment, sorted
  dump-signals             the blocked and ignored signals it was started with (the language's
                           runtime ignores SIGPIPE itself: look at that one with another program)
  dump-fds                 its open descriptors and what they are
  accept:TIME              accept connections on standard input, a listening socket, for this long,
                           and write its pid to each
  lines:ASSIGNMENT         numbered lines on stdout at a rate, with an entry in a ledger of how many, until
                           SIGTERM or of its own accord; rate=BYTES,chunk=BYTES,most=LINES,seed=N,ledger=DIR
  torrent:ORDER            so many bytes that know their place, as fast as they are taken;
                           matter=lines|binary|one-line,bytes=N,write=BYTES,seed=N,to=out|err|each
  stuck-disk:PLACE:FILE    mount a file system there, say so, and be it; it hangs as long as the file is there
  each:N                   N numbered lines on stdout, each when the one before it has been taken
  ready | ok | fail        what event listeners say
  result:TEXT | long:N     the same with any result | with one of so many bytes
  event | event:FILE       read one event, and append it to the file
  head | eat:N             read the line before a payload | so many bytes
  listen:FILE              be a listener that accepts everything, until standard input ends
  early:TIME:FILE          the same, but answer when the first line has been read, and read the rest that much later
  flood:TEXT               say this again and again without end, as fast as it is taken
  dribble:TIME:TEXT        the same as write, byte by byte, with a pause before each
  close:FD                 close a descriptor
  again                    begin with the first word once more
  pid | pgid | cwd | umask one line each
  forever                  stay until a signal ends it";

type Outcome = Result<Flow, Box<dyn Error>>;

/// What follows a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flow {
    Next,
    Again,
    Exit(u8),
}

/// What a signal does.
#[derive(Debug, Clone)]
enum Reaction {
    Nothing,
    Exit(u8),
    Say(String),
    Go,
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if words.is_empty() {
        eprintln!("{USAGE}");
        return ExitCode::from(64);
    }
    let mut script = Script::default();
    let mut next = 0;
    while let Some(word) = words.get(next) {
        next += 1;
        match script.perform(word) {
            Ok(Flow::Next) => {}
            Ok(Flow::Again) => next = 0,
            Ok(Flow::Exit(status)) => return ExitCode::from(status),
            Err(error) => {
                eprintln!("provost-child: {word}: {error}");
                return ExitCode::from(64);
            }
        }
    }
    ExitCode::SUCCESS
}

/// What has been arranged so far.
#[derive(Debug, Default)]
struct Script {
    /// Signals that are blocked and read from a descriptor instead.
    reactions: BTreeMap<i32, Reaction>,
    /// Signals to go on that have come and not been awaited.
    goes: Cell<u32>,
    listening: Listening,
}

impl Script {
    fn perform(&mut self, word: &str) -> Outcome {
        let (verb, rest) = word.split_once(':').unwrap_or((word, ""));
        match verb {
            "hello" => hello(rest)?,
            "print" => numbered(&mut std::io::stdout().lock(), rest)?,
            "eprint" => numbered(&mut std::io::stderr().lock(), rest)?,
            "say" => println!("{rest}"),
            "esay" => eprintln!("{rest}"),
            "write" => write_at_once(std::io::stdout(), &unescaped(rest)?)?,
            "ewrite" => write_at_once(std::io::stderr(), &unescaped(rest)?)?,
            "taken" => until_taken(std::io::stdout())?,
            "etaken" => until_taken(std::io::stderr())?,
            "await" => return self.go_on(),
            "after" => return self.stay(Some(duration(rest)?)),
            "forever" => return self.stay(None),
            "exit" => return Ok(Flow::Exit(rest.parse()?)),
            "raise" => kill(Pid::this(), signal(rest)?)?,
            "ignore" => self.react(rest, Reaction::Nothing)?,
            "on" => self.on(rest)?,
            "fork-grandchild" => fork_grandchild()?,
            "dump-env" => dump_env(),
            "dump-signals" => print_status(&["SigBlk", "SigIgn"])?,
            "dump-fds" => dump_fds()?,
            "accept" => accept(duration(rest)?)?,
            "stuck-disk" => stuck_disk(rest)?,
            "torrent" => rest.parse::<Pour>()?.run()?,
            "lines" => return self.lines(rest.parse()?),
            "each" => each(rest.parse()?)?,
            "ready" => say(b"READY\n")?,
            "ok" => say(b"RESULT 2\nOK")?,
            "fail" => say(b"RESULT 4\nFAIL")?,
            "result" => say(format!("RESULT {}\n{rest}", rest.len()).as_bytes())?,
            "long" => {
                let bytes: usize = rest.parse()?;
                say(&[format!("RESULT {bytes}\n").into_bytes(), vec![b'x'; bytes]].concat())?;
            }
            "event" => {
                if !self.listening.event((!rest.is_empty()).then(|| rest.as_ref()))? {
                    return Ok(Flow::Exit(0));
                }
            }
            "head" => self.listening.head()?,
            "eat" => self.listening.eat(rest.parse()?)?,
            "listen" => self.listening.listen(rest.as_ref())?,
            "early" => {
                let (pause, file) = rest.split_once(':').ok_or("wanted early:TIME:FILE")?;
                self.listening.listen_early(file.as_ref(), duration(pause)?)?;
            }
            "flood" => flood(&unescaped(rest)?)?,
            "dribble" => {
                let (pause, text) = rest.split_once(':').ok_or("wanted dribble:TIME:TEXT")?;
                dribble(&unescaped(text)?, duration(pause)?)?;
            }
            "close" => close(rest)?,
            "again" => return Ok(Flow::Again),
            "umask" => print_status(&["Umask"])?,
            "pid" => println!("{}", std::process::id()),
            "pgid" => println!("{}", rustix::process::getpgrp().as_raw_nonzero()),
            "cwd" => println!("{}", std::env::current_dir()?.display()),
            _ => return Err(format!("no such word\n{USAGE}").into()),
        }
        std::io::stdout().flush()?;
        Ok(Flow::Next)
    }

    fn on(&mut self, rest: &str) -> Result<(), Box<dyn Error>> {
        let mut parts = rest.splitn(3, ':');
        let (name, verb, argument) = (parts.next(), parts.next(), parts.next());
        let reaction = match (verb, argument) {
            (Some("exit"), Some(status)) => Reaction::Exit(status.parse()?),
            (Some("say"), Some(text)) => Reaction::Say(text.to_owned()),
            (Some("go"), None) => Reaction::Go,
            _ => return Err("wanted on:SIG:exit:N, on:SIG:say:TEXT or on:SIG:go".into()),
        };
        self.react(name.unwrap_or_default(), reaction)
    }

    fn react(&mut self, name: &str, reaction: Reaction) -> Result<(), Box<dyn Error>> {
        let signal = signal(name)?;
        self.reactions.insert(signal as i32, reaction);
        SigSet::from(signal).thread_block()?;
        Ok(())
    }

    /// Stays for a while, or for ever, and reacts to signals as arranged.
    fn stay(&self, time: Option<Duration>) -> Outcome {
        let end = time.map(|time| Instant::now() + time);
        let signals = self.signals()?;
        loop {
            if let Some(status) = self.answer(&signals)? {
                return Ok(Flow::Exit(status));
            }
            let left = end.map(|end| end.saturating_duration_since(Instant::now()));
            if left.is_some_and(|left| left.is_zero()) {
                return Ok(Flow::Next);
            }
            wait(&mut [PollFd::new(&signals.as_fd(), PollFlags::IN)], left)?;
        }
    }

    /// Stays until a signal says to go on.
    fn go_on(&self) -> Outcome {
        let signals = self.signals()?;
        loop {
            if let Some(status) = self.answer(&signals)? {
                return Ok(Flow::Exit(status));
            }
            if let Some(left) = self.goes.get().checked_sub(1) {
                self.goes.set(left);
                return Ok(Flow::Next);
            }
            wait(&mut [PollFd::new(&signals.as_fd(), PollFlags::IN)], None)?;
        }
    }

    /// Writes until it has written enough or SIGTERM comes. Unless that was arranged otherwise, it ends it as if it were
    /// its own wish, with the status that belongs to this run.
    fn lines(&mut self, assignment: Assignment) -> Outcome {
        let asked = Signal::SIGTERM as i32;
        let by_itself = !self.reactions.contains_key(&asked);
        if by_itself {
            self.react("TERM", Reaction::Exit(0))?;
        }
        let signals = self.signals()?;
        let name = std::env::var("SUPERVISOR_PROCESS_NAME")?;
        let mut author = Author::begin(&name, assignment)?;
        let stdout = std::io::stdout();
        loop {
            if let Some(status) = self.answer(&signals)? {
                let own = author.end(End::Asked)?;
                return Ok(Flow::Exit(if by_itself { own } else { status }));
            }
            let pause = author.pause();
            let (mut fds, both) = (
                [PollFd::new(&signals, PollFlags::IN), PollFd::new(&stdout, PollFlags::OUT)],
                pause.is_none(),
            );
            wait(&mut fds[..1 + usize::from(both)], pause)?;
            // A pipe that is writable takes a page without blocking.
            if both && !fds[1].revents().is_empty() && !author.write(&stdout)? {
                return Ok(Flow::Exit(author.end(End::Own)?));
            }
        }
    }

    /// Where the signals are read that something was arranged for.
    fn signals(&self) -> Result<SignalFd, Box<dyn Error>> {
        let mut wanted = SigSet::empty();
        for number in self.reactions.keys() {
            wanted.add(Signal::try_from(*number)?);
        }
        Ok(SignalFd::with_flags(&wanted, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?)
    }

    /// Reacts to the signals that have come; the status, if one of them ends it.
    fn answer(&self, signals: &SignalFd) -> Result<Option<u8>, Box<dyn Error>> {
        while let Some(info) = signals.read_signal()? {
            match &self.reactions[&i32::try_from(info.ssi_signo)?] {
                Reaction::Nothing => {}
                Reaction::Exit(status) => return Ok(Some(*status)),
                Reaction::Say(text) => println!("{text}"),
                Reaction::Go => self.goes.set(self.goes.get() + 1),
            }
        }
        Ok(None)
    }
}

/// Waits for one of these, or for this long; an interrupted wait is a short one.
fn wait(fds: &mut [PollFd<'_>], most: Option<Duration>) -> Result<(), Box<dyn Error>> {
    match poll(fds, most.map(Timespec::try_from).transpose()?.as_ref()) {
        Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

fn hello(name: &str) -> Result<(), Box<dyn Error>> {
    let at = provost_testkit::monotonic_ns();
    let address = std::env::var_os("PROVOST_HELLO").ok_or("PROVOST_HELLO is not set")?;
    let given = std::env::var("SUPERVISOR_PROCESS_NAME").unwrap_or_default();
    let name = if name.is_empty() { &given } else { name };
    let text = format!("{name} {} {at}", std::process::id());
    UnixDatagram::unbound()?.send_to(text.as_bytes(), address)?;
    Ok(())
}

fn stuck_disk(rest: &str) -> Result<(), Box<dyn Error>> {
    let (place, file) = rest.split_once(':').ok_or("wanted stuck-disk:PLACE:FILE")?;
    let disk = StuckDisk::mount(place.as_ref(), file.as_ref())?;
    println!("mounted");
    Ok(disk.serve()?)
}

/// Accepts on standard input, as fcgi programs do, for this long at most, and tells everybody its pid.
fn accept(most: Duration) -> Result<(), Box<dyn Error>> {
    let until = Instant::now() + most;
    let listener = std::io::stdin();
    while let Some(left) = until.checked_duration_since(Instant::now()) {
        let timeout = Timespec { tv_sec: left.as_secs() as i64, tv_nsec: left.subsec_nanos().into() };
        if poll(&mut [PollFd::new(&listener, PollFlags::IN)], Some(&timeout))? > 0 {
            let connection = rustix::net::accept(&listener)?;
            rustix::io::write(&connection, format!("{}\n", std::process::id()).as_bytes())?;
        }
    }
    Ok(())
}

/// One write for all lines: what arrives together was written together.
fn numbered(to: &mut dyn Write, count: &str) -> Result<(), Box<dyn Error>> {
    let lines: String = (1..=count.parse::<u64>()?).map(|n| format!("line {n}\n")).collect();
    to.write_all(lines.as_bytes())?;
    Ok(to.flush()?)
}

/// One by one: what arrives alone was written alone.
fn each(count: u64) -> Result<(), Box<dyn Error>> {
    for n in 1..=count {
        say(format!("line {n}\n").as_bytes())?;
        until_taken(std::io::stdout())?;
    }
    Ok(())
}

fn flood(bytes: &[u8]) -> Result<(), Box<dyn Error>> {
    let piece = bytes.repeat(1 + 8192 / bytes.len());
    loop {
        say(&piece)?;
    }
}

fn close(number: &str) -> Result<(), Box<dyn Error>> {
    let number: i32 = number.parse()?;
    Ok(nix::unistd::close(number)?)
}

/// It inherits our output, but not what we block: the standard library gives a
/// new program a clean signal mask.
fn fork_grandchild() -> Result<(), Box<dyn Error>> {
    Command::new(std::env::current_exe()?).args(["hello:grandchild", "forever"]).spawn()?;
    Ok(())
}

fn dump_env() {
    let sorted: BTreeMap<_, _> = std::env::vars_os().collect();
    for (key, value) in sorted {
        println!("{}={}", key.display(), value.display());
    }
}

fn dump_fds() -> Result<(), Box<dyn Error>> {
    let mut open = BTreeMap::new();
    for entry in std::fs::read_dir("/proc/self/fd")? {
        let entry = entry?;
        let number: u32 = entry.file_name().to_string_lossy().parse()?;
        // The descriptor of this very listing is closed again by now.
        if let Ok(target) = std::fs::read_link(format!("/proc/{}/fd/{number}", std::process::id())) {
            open.insert(number, target);
        }
    }
    let listing = format!("/proc/{}/fd", std::process::id());
    for (number, target) in open.iter().filter(|(_, target)| !target.ends_with(&listing)) {
        println!("{number} {}", target.display());
    }
    Ok(())
}

fn print_status(keys: &[&str]) -> Result<(), Box<dyn Error>> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    for line in status.lines() {
        if keys.iter().any(|key| line.split(':').next() == Some(key)) {
            println!("{}", line.replace('\t', " "));
        }
    }
    Ok(())
}

fn signal(name: &str) -> Result<Signal, Box<dyn Error>> {
    Signal::from_str(&format!("SIG{name}")).map_err(|_| format!("{name} is no signal").into())
}

fn duration(text: &str) -> Result<Duration, Box<dyn Error>> {
    if let Some(number) = text.strip_suffix("ms") {
        return Ok(Duration::from_millis(number.parse()?));
    }
    let number = text.strip_suffix('s').ok_or("wanted a time like 200ms or 3s")?;
    Ok(Duration::from_secs(number.parse()?))
}
