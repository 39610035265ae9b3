//! The lines that were typed in the shell, in a file, a line each, as readline keeps them.
//!
//! In: a path, and lines as they are typed. Out: the lines of earlier shells. A line is in the file as soon as it was typed, so
//! shells that run at once lose nothing, nor does one that is killed. Supervisor's client reads the same file; when it leaves it
//! writes all of it anew, as it remembers it. A history that cannot be kept is no reason to fail, or to say anything.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg, OFlag};

/// So many lines stay. Supervisor's file grows for as long as it is used.
pub(crate) const LINES: usize = 1000;

/// The first line of a file that was written by Python with libedit in place of readline.
const LIBEDIT: &str = "_HiStOrY_V2_";

/// How often, and after how long, a file is tried again that somebody else has locked.
const TRIES: u32 = 20;
const PAUSE: Duration = Duration::from_millis(5);

#[derive(Debug)]
pub(crate) struct History {
    path: PathBuf,
    last: Option<String>,
}

impl History {
    pub(crate) fn new(path: PathBuf) -> History {
        History { path, last: None }
    }

    /// What earlier shells have kept, oldest first. A file that has become too long is shortened.
    pub(crate) fn load(&mut self) -> Vec<String> {
        let lines = self.read().unwrap_or_default();
        self.last = lines.last().cloned();
        lines
    }

    /// Keeps a line, unless it says nothing new, or perhaps something secret.
    pub(crate) fn add(&mut self, line: &str) {
        if line.trim().is_empty() || self.last.as_deref() == Some(line) || may_hold_a_password(line) {
            return;
        }
        self.last = Some(line.to_owned());
        let _ = self.append(line);
    }

    fn read(&self) -> io::Result<Vec<String>> {
        if !self.path.try_exists()? {
            return Ok(Vec::new());
        }
        let mut file = self.locked()?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        let text = String::from_utf8_lossy(&bytes);
        let lines: Vec<&str> = text.lines().filter(|line| !line.is_empty() && *line != LIBEDIT).collect();
        let kept = &lines[lines.len().saturating_sub(LINES)..];
        if kept.len() < lines.len() {
            let text = kept.iter().flat_map(|line| [*line, "\n"]).collect::<String>();
            // Over itself: if this stops halfway, lines are there twice, and none is lost.
            file.write_all_at(text.as_bytes(), 0)?;
            file.set_len(text.len() as u64)?;
        }
        Ok(kept.iter().map(|line| (*line).to_owned()).collect())
    }

    fn append(&self, line: &str) -> io::Result<()> {
        let mut file = self.locked()?;
        file.seek(io::SeekFrom::End(0))?;
        file.write_all(format!("{line}\n").as_bytes())
    }

    /// To be read and written by nobody else of us; only its owner may look into it.
    fn locked(&self) -> io::Result<Flock<File>> {
        let mut options = OpenOptions::new();
        // Not for appending: that would also append what is to shorten it.
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let mut file = options.custom_flags(OFlag::O_NONBLOCK.bits()).open(&self.path)?;
        if !file.metadata()?.is_file() {
            // A pipe would be read for ever.
            return Err(io::ErrorKind::InvalidInput.into());
        }
        // Held for the length of a read or a write by us; but whoever may read the file may lock it for as long as he likes.
        for _ in 0..TRIES {
            file = match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
                Ok(locked) => return Ok(locked),
                Err((file, Errno::EWOULDBLOCK)) => file,
                Err((_, errno)) => return Err(errno.into()),
            };
            thread::sleep(PAUSE);
        }
        Err(io::ErrorKind::WouldBlock.into())
    }
}

/// Passwords are not asked for by lines, but `open http://jo:pw@host` has one, and so has an option of the command line, typed
/// where it has no meaning.
fn may_hold_a_password(line: &str) -> bool {
    let mut words = line.split_whitespace();
    words.any(|word| {
        let named = ["-p", "--pass"].iter().any(|option| word.starts_with(option));
        let in_url = word.split_once("://").is_some_and(|(_, rest)| {
            rest.split(['/', '?', '#']).next().is_some_and(|netloc| netloc.contains('@'))
        });
        named || in_url
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    /// A path in the directory for such things, which is removed again.
    struct Place(PathBuf);

    impl Place {
        fn new(name: &str) -> Place {
            Place(std::env::temp_dir().join(format!("provost-history-{name}-{}", std::process::id())))
        }

        fn text(&self) -> String {
            fs::read_to_string(&self.0).unwrap()
        }

        fn history(&self) -> History {
            History::new(self.0.clone())
        }
    }

    impl Drop for Place {
        fn drop(&mut self) {
            let _ = fs::remove_file(&self.0);
        }
    }

    #[test]
    fn a_line_is_kept_at_once_and_for_its_owner_only() {
        let place = Place::new("once");
        let mut history = place.history();
        assert_eq!(history.load(), Vec::<String>::new());
        for line in ["status", "status", "", "  ", "pid a"] {
            history.add(line);
        }
        assert_eq!(place.text(), "status\npid a\n");
        assert_eq!(fs::metadata(&place.0).unwrap().permissions().mode() & 0o777, 0o600);
        let mut later = place.history();
        assert_eq!(later.load(), ["status", "pid a"]);
        later.add("pid a");
        assert_eq!(place.text(), "status\npid a\n");
    }

    #[test]
    fn two_shells_lose_nothing() {
        let place = Place::new("two");
        fs::write(&place.0, "old\n".repeat(LINES + 5)).unwrap();
        let (mut one, mut other) = (place.history(), place.history());
        one.load();
        one.add("from one");
        other.load();
        other.add("from the other");
        one.add("one again");
        assert!(place.text().ends_with("old\nfrom one\nfrom the other\none again\n"), "{}", place.text());
        assert_eq!(place.text().lines().count(), LINES + 2);
    }

    #[test]
    fn a_long_file_is_shortened_from_its_beginning() {
        let place = Place::new("long");
        let text: String = (0..LINES + 7).map(|n| format!("pid {n}\n")).collect();
        fs::write(&place.0, text).unwrap();
        let lines = place.history().load();
        assert_eq!((lines.len(), lines[0].as_str()), (LINES, "pid 7"));
        assert_eq!(place.text().lines().next(), Some("pid 7"));
        assert!(place.text().ends_with(&format!("pid {}\n", LINES + 6)));
    }

    #[test]
    fn what_another_library_wrote_is_read() {
        let place = Place::new("libedit");
        fs::write(&place.0, b"_HiStOrY_V2_\nstatus\n\xff\n").unwrap();
        assert_eq!(place.history().load(), ["status", "\u{fffd}"]);
    }

    #[test]
    fn no_line_with_a_password_is_kept() {
        let place = Place::new("secret");
        let mut history = place.history();
        for line in [
            "open http://jo:pw@host:9001",
            "open https://token@host/",
            "-p pw status",
            "--password=pw",
            "-ppw",
        ] {
            history.add(line);
        }
        assert!(!place.0.exists());
        history.add("open http://host:9001/a@b");
        history.add("start web-p");
        assert_eq!(place.text(), "open http://host:9001/a@b\nstart web-p\n");
    }

    #[test]
    fn who_holds_the_file_holds_nobody_up() {
        let place = Place::new("held");
        fs::write(&place.0, "status\n").unwrap();
        // A right to read is enough for it.
        let held = Flock::lock(File::open(&place.0).unwrap(), FlockArg::LockShared).unwrap();
        let mut history = place.history();
        assert_eq!(history.load(), Vec::<String>::new());
        history.add("pid a");
        assert_eq!(place.text(), "status\n");
        drop(held);
        history.add("pid b");
        assert_eq!(place.text(), "status\npid b\n");
    }

    #[test]
    fn a_pipe_keeps_nothing_and_is_not_waited_for() {
        let place = Place::new("pipe");
        nix::unistd::mkfifo(&place.0, nix::sys::stat::Mode::S_IRWXU).unwrap();
        let mut history = place.history();
        assert_eq!(history.load(), Vec::<String>::new());
        history.add("status");
    }

    #[test]
    fn where_nothing_can_be_kept_nothing_happens() {
        let mut history = History::new("/nonexistent/directory/history".into());
        assert_eq!(history.load(), Vec::<String>::new());
        history.add("status");
    }
}
