//! An event listener that does what its arguments say, one word after the other: `provost-listener ready hears says:RESULT\s4\nFAIL
//! good`. What it is told it writes down to the byte.
//!
//! In: the words below, events on standard input, SIGUSR1, the environment. Out: its answers on standard output, and a file
//! NAME.told in the directory that it is started in, NAME being that of its process, to which each life adds: `begins`; for an
//! event `told`, the header, the payload and what came in the same breath behind it, divided by tabs; `noted` and a text. What could
//! not be read there is escaped as Rust does it, bytes that are no text as `\xHH`.
//!
//! A message is as long as its header says. Whoever counts characters sends more, and as no message is written in two parts
//! that fits a page, the rest is there with it and is told as what came behind. Not here: opinions about any of it.

use std::error::Error;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::net::UnixDatagram;
use std::process::ExitCode;
use std::str::FromStr;

use nix::sys::signal::{SigSet, Signal, kill};
use nix::sys::signalfd::SignalFd;
use nix::unistd::Pid;
use provost_testkit::{monotonic_ns, unescaped, until_taken, write_at_once};
use rustix::event::{PollFd, PollFlags, poll};

const USAGE: &str = "\
words, done in order:
  ready | ok | fail        say READY, accept, reject, each in one write
  says:TEXT                say something else, in one write; in it \\n, \\r, \\e (ESC), \\s (blank), \\xHH
  drips:TEXT               the same byte by byte, the next one when the last has been taken
  complains:TEXT           say it on standard error
  hears                    wait for an event and write it down
  good | good:N            be ready, hear and accept, for ever or N times
  fails:N                  be ready, hear and reject, N times
  agrees                   when there is something to hear, accept it and be ready again, and do not hear it
  taken                    go on when the reader has taken all that was said
  await                    go on when SIGUSR1 has come
  note:TEXT                write it down
  hello                    tell the harness (PROVOST_HELLO) name, pid and monotonic time
  shut:in | shut:out       close standard input | output
  raise:SIG                send SIG to itself
  exit:N                   end with status N
  forever                  stay until a signal ends it
Standard input that ends, ends it with status 0, and so does its last word.";

const READY: &[u8] = b"READY\n";
const OK: &[u8] = b"RESULT 2\nOK";
const FAIL: &[u8] = b"RESULT 4\nFAIL";

type Outcome = Result<Flow, Box<dyn Error>>;

/// What follows a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flow {
    Next,
    Exit(u8),
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let outcome = Listener::begin().and_then(|mut listener| listener.perform_all(&words));
    match outcome {
        Ok(status) => ExitCode::from(status),
        Err(error) => {
            // Nobody has to read it: the status says that something is wrong.
            let _ = writeln!(std::io::stderr(), "provost-listener: {error}\n{USAGE}");
            ExitCode::from(64)
        }
    }
}

#[derive(Debug)]
struct Listener {
    name: String,
    record: File,
    /// Heard and not written down yet.
    heard: Vec<u8>,
    /// Where SIGUSR1 is read from.
    goes: SignalFd,
}

impl Listener {
    fn begin() -> Result<Listener, Box<dyn Error>> {
        let name = std::env::var("SUPERVISOR_PROCESS_NAME")?;
        let record = OpenOptions::new().create(true).append(true).open(format!("{name}.told"))?;
        let go = SigSet::from(Signal::SIGUSR1);
        go.thread_block()?;
        let mut listener = Listener { name, record, heard: Vec::new(), goes: SignalFd::new(&go)? };
        listener.write_down("begins")?;
        Ok(listener)
    }

    fn perform_all(&mut self, words: &[String]) -> Result<u8, Box<dyn Error>> {
        for word in words {
            let flow = self.perform(word).map_err(|error| format!("{word}: {error}"))?;
            if let Flow::Exit(status) = flow {
                return Ok(status);
            }
        }
        Ok(0)
    }

    fn perform(&mut self, word: &str) -> Outcome {
        let (verb, rest) = word.split_once(':').unwrap_or((word, ""));
        match verb {
            "ready" => say(READY)?,
            "ok" => say(OK)?,
            "fail" => say(FAIL)?,
            "says" => say(&unescaped(rest)?)?,
            "drips" => drip(&unescaped(rest)?)?,
            "complains" => write_at_once(std::io::stderr(), &unescaped(rest)?)?,
            "hears" => return self.hear(),
            "good" if rest.is_empty() => return self.converse(None, OK),
            "good" => return self.converse(Some(rest.parse()?), OK),
            "fails" => return self.converse(Some(rest.parse()?), FAIL),
            "agrees" => agree()?,
            "taken" => until_taken(std::io::stdout())?,
            "await" => drop(self.goes.read_signal()?),
            "note" => self.write_down(&format!("noted {rest}"))?,
            "hello" => self.hello()?,
            "shut" => shut(rest)?,
            "raise" => kill(Pid::this(), Signal::from_str(&format!("SIG{rest}"))?)?,
            "exit" => return Ok(Flow::Exit(rest.parse()?)),
            "forever" => loop {
                std::thread::park();
            },
            _ => return Err("no such word".into()),
        }
        Ok(Flow::Next)
    }

    fn converse(&mut self, rounds: Option<u64>, answer: &[u8]) -> Outcome {
        let mut done = 0;
        while rounds.is_none_or(|rounds| done < rounds) {
            say(READY)?;
            if let Flow::Exit(status) = self.hear()? {
                return Ok(Flow::Exit(status));
            }
            say(answer)?;
            done += 1;
        }
        Ok(Flow::Next)
    }

    /// Waits for a whole message. What is there behind it by then belongs to nothing, as nobody has said READY.
    fn hear(&mut self) -> Outcome {
        loop {
            if let Some(parts) = message(&self.heard)? {
                let [header, payload, behind] = parts.map(shown);
                self.heard.clear();
                self.write_down(&format!("told\t{header}\t{payload}\t{behind}"))?;
                return Ok(Flow::Next);
            }
            let mut piece = [0; 1 << 16];
            match rustix::io::read(std::io::stdin(), &mut piece)? {
                0 => return Ok(Flow::Exit(0)),
                n => self.heard.extend_from_slice(&piece[..n]),
            }
        }
    }

    fn write_down(&mut self, line: &str) -> std::io::Result<()> {
        // In one write: who reads along sees whole lines.
        self.record.write_all(format!("{line}\n").as_bytes())
    }

    fn hello(&self) -> Result<(), Box<dyn Error>> {
        let address = std::env::var_os("PROVOST_HELLO").ok_or("PROVOST_HELLO is not set")?;
        let text = format!("{} {} {}", self.name, std::process::id(), monotonic_ns());
        UnixDatagram::unbound()?.send_to(text.as_bytes(), address)?;
        Ok(())
    }
}

/// The header, the payload and what is behind it, as soon as the payload is complete.
fn message(heard: &[u8]) -> Result<Option<[&[u8]; 3]>, Box<dyn Error>> {
    let Some(end) = heard.iter().position(|byte| *byte == b'\n') else { return Ok(None) };
    let (header, rest) = (&heard[..end], &heard[end + 1..]);
    let length = header.rsplit(|byte| *byte == b':').next().unwrap_or_default();
    let length: usize = std::str::from_utf8(length)?.parse()?;
    Ok(rest.split_at_checked(length).map(|(payload, behind)| [header, payload, behind]))
}

fn shown(bytes: &[u8]) -> String {
    let mut text = String::new();
    for chunk in bytes.utf8_chunks() {
        for letter in chunk.valid().chars() {
            match letter {
                '\\' => text.push_str("\\\\"),
                letter if letter.is_control() => text.extend(letter.escape_default()),
                letter => text.push(letter),
            }
        }
        text.extend(chunk.invalid().iter().map(|byte| format!("\\x{byte:02x}")));
    }
    text
}

fn say(bytes: &[u8]) -> Result<(), Box<dyn Error>> {
    write_at_once(std::io::stdout(), bytes)
}

fn drip(bytes: &[u8]) -> Result<(), Box<dyn Error>> {
    for byte in bytes {
        say(std::slice::from_ref(byte))?;
        until_taken(std::io::stdout())?;
    }
    Ok(())
}

fn agree() -> Result<(), Box<dyn Error>> {
    let stdin = std::io::stdin();
    poll(&mut [PollFd::new(&stdin, PollFlags::IN)], None)?;
    say(&[OK, READY].concat())
}

/// Until whoever started us has let go of its own end of this pipe, which it may do a moment later: before, what is told finds a reader.
fn until_unread_by_parent(pipe: u64) -> Result<(), Box<dyn Error>> {
    let parent = format!("/proc/{}", nix::unistd::getppid());
    let name = format!("pipe:[{pipe}]");
    for _ in 0..10_000 {
        let mut ends = std::fs::read_dir(format!("{parent}/fd"))?.flatten();
        let reads = |end: std::fs::DirEntry| {
            let info = std::fs::read_to_string(format!("{parent}/fdinfo/{}", end.file_name().display()));
            let flags = info
                .unwrap_or_default()
                .lines()
                .find_map(|line| line.strip_prefix("flags:").map(str::to_owned));
            let flags = flags.and_then(|flags| u32::from_str_radix(flags.trim(), 8).ok());
            let is_it = std::fs::read_link(end.path()).is_ok_and(|to| to.as_os_str() == name.as_str());
            is_it && flags.is_some_and(|flags| flags & 3 == 0)
        };
        if !ends.any(reads) {
            return Ok(());
        }
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    Err("the supervisor keeps a reading end of our standard input".into())
}

fn shut(end: &str) -> Result<(), Box<dyn Error>> {
    let nowhere = File::options().read(true).write(true).open("/dev/null")?;
    match end {
        "in" => {
            let pipe = rustix::fs::fstat(std::io::stdin())?.st_ino;
            rustix::stdio::dup2_stdin(nowhere)?;
            until_unread_by_parent(pipe)?;
        }
        "out" => rustix::stdio::dup2_stdout(nowhere)?,
        _ => return Err("wanted shut:in or shut:out".into()),
    }
    Ok(())
}
