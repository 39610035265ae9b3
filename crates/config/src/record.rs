//! What the machine was asked while a configuration was read, and what it said: enough to read the same configuration
//! again when the files are no longer what they were.
//!
//! In: a [`Files`], in front of which a [`Recorder`] stands. Out: bytes, which a [`Recording`] answers from. The
//! bytes begin with a version; what cannot be understood is refused as a whole. A question that nobody had asked
//! then, because the reader is newer, goes to the machine. The environment is not recorded: it is the process's own.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::ops::RangeInclusive;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use crate::{Files, User};

const MAGIC: &[u8] = b"provost recording ";

/// The questions; the numbers are a part of the bytes.
#[derive(Debug, Clone, Copy)]
enum Question {
    Read = 1,
    Glob,
    IsDir,
    Exists,
    User,
    UserById,
    Group,
    GroupExists,
    Home,
    Hostname,
    Cwd,
    TempDir,
    Uid,
}

type Answers = BTreeMap<(u8, Vec<u8>), Vec<u8>>;

/// Asks the machine, and takes down what it says.
pub struct Recorder<'a> {
    machine: &'a dyn Files,
    answers: RefCell<Answers>,
}

impl std::fmt::Debug for Recorder<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Recorder").finish_non_exhaustive()
    }
}

impl<'a> Recorder<'a> {
    pub fn new(machine: &'a dyn Files) -> Recorder<'a> {
        Recorder { machine, answers: RefCell::default() }
    }

    /// All that was asked and said so far.
    pub fn into_bytes(self) -> Vec<u8> {
        let mut bytes = [MAGIC, Recording::VERSIONS.end().to_string().as_bytes(), b"\n"].concat();
        for ((question, about), answer) in self.answers.into_inner() {
            bytes.push(question);
            for part in [about, answer] {
                let length = u64::try_from(part.len()).expect("a length in memory fits 64 bits");
                bytes.extend(length.to_le_bytes());
                bytes.extend(part);
            }
        }
        bytes
    }

    fn note(&self, question: Question, about: &[u8], answer: Vec<u8>) {
        self.answers.borrow_mut().insert((question as u8, about.to_vec()), answer);
    }
}

/// Answers as the machine did when it was asked.
pub struct Recording<'a> {
    /// For what was not asked then.
    machine: &'a dyn Files,
    answers: Answers,
}

impl std::fmt::Debug for Recording<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Recording").field("answers", &self.answers.len()).finish_non_exhaustive()
    }
}

impl<'a> Recording<'a> {
    /// Those that this build reads; it writes the newest.
    pub const VERSIONS: RangeInclusive<u32> = 1..=1;

    /// `understood` are the versions that may be read: [`Recording::VERSIONS`].
    pub fn from_bytes(
        bytes: &[u8],
        understood: &RangeInclusive<u32>,
        machine: &'a dyn Files,
    ) -> Result<Recording<'a>, BadRecording> {
        let (version, mut rest) = split_header(bytes).ok_or(BadRecording::Damaged)?;
        if !understood.contains(&version) {
            return Err(BadRecording::Version(version));
        }
        let mut answers = Answers::new();
        while let Some((question, tail)) = rest.split_first() {
            rest = tail;
            let mut part = || {
                let (length, tail) = rest.split_first_chunk::<8>()?;
                let (part, tail) = tail.split_at_checked(u64::from_le_bytes(*length).try_into().ok()?)?;
                rest = tail;
                Some(part.to_vec())
            };
            let (Some(about), Some(answer)) = (part(), part()) else { return Err(BadRecording::Damaged) };
            answers.insert((*question, about), answer);
        }
        Ok(Recording { machine, answers })
    }

    fn answer(&self, question: Question, about: &[u8]) -> Option<&[u8]> {
        self.answers.get(&(question as u8, about.to_vec())).map(Vec::as_slice)
    }
}

/// Why bytes are no recording that can be answered from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadRecording {
    /// Of this version, which is not understood.
    Version(u32),
    Damaged,
}

/// The version, and the answers behind it.
fn split_header(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let rest = bytes.strip_prefix(MAGIC)?;
    let end = rest.iter().position(|byte| *byte == b'\n')?;
    Some((std::str::from_utf8(&rest[..end]).ok()?.parse().ok()?, &rest[end + 1..]))
}

// --- answers as bytes ---

fn of_bool(yes: bool) -> Vec<u8> {
    vec![yes.into()]
}

fn to_bool(bytes: &[u8]) -> bool {
    bytes == [1]
}

fn of_number(number: u32) -> Vec<u8> {
    number.to_le_bytes().to_vec()
}

fn to_number(bytes: &[u8]) -> Option<u32> {
    bytes.try_into().ok().map(u32::from_le_bytes)
}

fn of_path(path: &Path) -> Vec<u8> {
    path.as_os_str().as_bytes().to_vec()
}

fn to_path(bytes: &[u8]) -> PathBuf {
    OsString::from_vec(bytes.to_vec()).into()
}

/// Nothing is no bytes; something begins with a byte of its own.
fn of_option(something: Option<Vec<u8>>) -> Vec<u8> {
    something.map_or_else(Vec::new, |bytes| [&[1], &bytes[..]].concat())
}

fn to_option(bytes: &[u8]) -> Option<&[u8]> {
    bytes.split_first().map(|(_, bytes)| bytes)
}

fn of_user(user: &User) -> Vec<u8> {
    [&of_number(user.uid)[..], &of_number(user.gid), user.name.as_bytes()].concat()
}

fn to_user(bytes: &[u8]) -> Option<User> {
    let (uid, rest) = bytes.split_first_chunk::<4>()?;
    let (gid, name) = rest.split_first_chunk::<4>()?;
    let name = String::from_utf8(name.to_vec()).ok()?;
    Some(User { name, uid: u32::from_le_bytes(*uid), gid: u32::from_le_bytes(*gid) })
}

/// Paths hold no NUL.
fn of_paths(paths: &[PathBuf]) -> Vec<u8> {
    paths.iter().flat_map(|path| [path.as_os_str().as_bytes(), &[0]].concat()).collect()
}

fn to_paths(bytes: &[u8]) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> = bytes.split(|byte| *byte == 0).map(to_path).collect();
    paths.pop();
    paths
}

fn of_read(result: &io::Result<Vec<u8>>) -> Vec<u8> {
    match result {
        Ok(content) => [&[1], &content[..]].concat(),
        Err(e) => [&[0], &e.raw_os_error().unwrap_or(0).to_le_bytes()[..], e.to_string().as_bytes()].concat(),
    }
}

fn to_read(bytes: &[u8]) -> io::Result<Vec<u8>> {
    match bytes.split_first() {
        Some((1, content)) => Ok(content.to_vec()),
        Some((_, error)) => Err(match error.split_first_chunk::<4>() {
            Some((number, text)) => match i32::from_le_bytes(*number) {
                0 => io::Error::other(String::from_utf8_lossy(text).into_owned()),
                number => io::Error::from_raw_os_error(number),
            },
            None => io::ErrorKind::InvalidData.into(),
        }),
        None => Err(io::ErrorKind::InvalidData.into()),
    }
}

/// Both sides of each question: how it is put to the machine, and what the answer looks like as bytes.
macro_rules! both_sides {
    ($( $question:ident: fn $name:ident($($argument:ident: $kind:ty)?) -> $answer:ty,
        about $about:expr, bytes $of:expr, back $to:expr; )*) => {
        impl Files for Recorder<'_> {
            $(fn $name(&self $(, $argument: $kind)?) -> $answer {
                let answer = self.machine.$name($($argument)?);
                let of: fn(&$answer) -> Vec<u8> = $of;
                self.note(Question::$question, $about, of(&answer));
                answer
            })*
            fn env(&self) -> &BTreeMap<String, String> {
                self.machine.env()
            }
        }

        impl Files for Recording<'_> {
            $(fn $name(&self $(, $argument: $kind)?) -> $answer {
                let to: fn(&[u8]) -> $answer = $to;
                match self.answer(Question::$question, $about) {
                    Some(bytes) => to(bytes),
                    None => self.machine.$name($($argument)?),
                }
            })*
            fn env(&self) -> &BTreeMap<String, String> {
                self.machine.env()
            }
        }
    };
}

both_sides! {
    Read: fn read(path: &Path) -> io::Result<Vec<u8>>,
        about path.as_os_str().as_bytes(), bytes of_read, back to_read;
    Glob: fn glob(pattern: &str) -> Vec<PathBuf>,
        about pattern.as_bytes(), bytes |paths| of_paths(paths), back to_paths;
    IsDir: fn is_dir(path: &Path) -> bool,
        about path.as_os_str().as_bytes(), bytes |yes| of_bool(*yes), back to_bool;
    Exists: fn exists(path: &Path) -> bool,
        about path.as_os_str().as_bytes(), bytes |yes| of_bool(*yes), back to_bool;
    User: fn user(name: &str) -> Option<User>,
        about name.as_bytes(), bytes |user| of_option(user.as_ref().map(of_user)), back |b| to_option(b).and_then(to_user);
    UserById: fn user_by_id(uid: u32) -> Option<User>,
        about &uid.to_le_bytes(), bytes |user| of_option(user.as_ref().map(of_user)), back |b| to_option(b).and_then(to_user);
    Group: fn group(name: &str) -> Option<u32>,
        about name.as_bytes(), bytes |gid| of_option(gid.map(of_number)), back |b| to_option(b).and_then(to_number);
    GroupExists: fn group_exists(gid: u32) -> bool,
        about &gid.to_le_bytes(), bytes |yes| of_bool(*yes), back to_bool;
    Home: fn home(user: Option<&str>) -> Option<PathBuf>,
        about &of_option(user.map(|user| user.as_bytes().to_vec())),
        bytes |home| of_option(home.as_deref().map(of_path)), back |b| to_option(b).map(to_path);
    Hostname: fn hostname() -> String,
        about &[], bytes |name| name.clone().into_bytes(), back |b| String::from_utf8_lossy(b).into_owned();
    Cwd: fn cwd() -> PathBuf,
        about &[], bytes |path| of_path(path), back to_path;
    TempDir: fn temp_dir() -> PathBuf,
        about &[], bytes |path| of_path(path), back to_path;
    Uid: fn uid() -> u32,
        about &[], bytes |uid| of_number(*uid), back |b| to_number(b).unwrap_or(User::UNKNOWN);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{CliOverrides, MemoryFiles, load};

    const PATH: &str = "/etc/s.conf";

    fn machine() -> MemoryFiles {
        let text = "[supervisord]\nuser=me\nlogfile=~/main.log\n[include]\nfiles=more/*.conf\n\
                    [program:a]\ncommand=%(here)s/x %(host_node_name)s\nuser=web\ndirectory=~web/x\n";
        let mut machine = MemoryFiles::with(PATH, text);
        machine.files.insert("/etc/more/b.conf".into(), b"[program:b]\ncommand=b\nuser=33\n".to_vec());
        machine
    }

    fn from_bytes<'a>(bytes: &[u8], machine: &'a dyn Files) -> Result<Recording<'a>, BadRecording> {
        Recording::from_bytes(bytes, &Recording::VERSIONS, machine)
    }

    fn read(files: &dyn Files) -> Result<crate::Config, crate::Errors> {
        load(Path::new(PATH), &CliOverrides::default(), files)
    }

    #[test]
    fn what_was_read_once_is_read_again_when_everything_is_gone() {
        let before = machine();
        let recorder = Recorder::new(&before);
        let config = read(&recorder).unwrap();
        let bytes = recorder.into_bytes();
        let nothing =
            MemoryFiles { files: BTreeMap::new(), users: vec![], hostname: "other".into(), ..machine() };
        let recording = from_bytes(&bytes, &nothing).unwrap();
        assert_eq!(read(&recording).unwrap(), config);
        assert!(read(&nothing).is_err(), "it does depend on the machine");
    }

    #[test]
    fn a_refusal_is_the_same_one_again() {
        let mut broken = machine();
        broken.files.insert(PATH.into(), b"[supervisord]\nuser=nobody-here\n[program:x]\n".to_vec());
        let recorder = Recorder::new(&broken);
        let errors = read(&recorder).unwrap_err().to_string();
        let bytes = recorder.into_bytes();
        let fine = machine();
        let recording = from_bytes(&bytes, &fine).unwrap();
        assert_eq!(read(&recording).unwrap_err().to_string(), errors);
    }

    #[test]
    fn bytes_cut_anywhere_but_between_answers_are_refused() {
        let machine = machine();
        let recorder = Recorder::new(&machine);
        read(&recorder).unwrap();
        let bytes = recorder.into_bytes();
        let whole = from_bytes(&bytes, &machine).unwrap().answers.len();
        let shorter = (0..bytes.len()).filter(|cut| from_bytes(&bytes[..*cut], &machine).is_ok()).count();
        assert_eq!(shorter, whole, "one for each answer that is left out at the end");
        assert_eq!(from_bytes(b"", &machine).unwrap_err(), BadRecording::Damaged);
        assert_eq!(from_bytes(b"provost recording 2\n", &machine).unwrap_err(), BadRecording::Version(2));
        assert!(Recording::from_bytes(b"provost recording 2\n", &(1..=2), &machine).is_ok());
    }

    /// What a daemon wrote when this was the newest version.
    #[test]
    fn a_recording_of_the_first_version_is_read_by_every_later_build() {
        let bytes = include_bytes!("../recorded/recording-1.bin");
        let nothing = MemoryFiles::default();
        let recording = from_bytes(bytes, &nothing).unwrap();
        let config = load(Path::new("/srv/example/s.conf"), &CliOverrides::default(), &recording).unwrap();
        let groups: Vec<&str> = config.groups.iter().map(|group| group.name.as_str()).collect();
        assert_eq!(groups, ["backoff", "g", "killed", "running", "stopped", "stopping"]);
        assert_eq!(config.groups[5].processes[0].stopwaitsecs, 3600);
    }
}
