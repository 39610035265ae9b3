//! The seam: everything that reading a configuration may ask of the machine.
//!
//! The daemon answers from the real system, tests from [`MemoryFiles`], and
//! `--check` from something more lenient. Also here is the one part of globbing
//! that needs no disk: whether a name fits a pattern.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

use crate::User;
use crate::paths;

/// Questions about the machine. Relative paths are meant relative to [`Files::cwd`].
pub trait Files {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>>;
    /// The same of a file that is written by hand and holds a line or two, such as a password: what is no regular file, or
    /// is larger than that, is refused.
    fn read_small(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.read(path)
    }
    /// The paths that fit an absolute pattern, sorted by bytes. `**` is `*`, and
    /// a pattern without wildcards fits whatever exists under that very name.
    fn glob(&self, pattern: &str) -> Vec<PathBuf>;
    fn is_dir(&self, path: &Path) -> bool;
    fn exists(&self, path: &Path) -> bool;
    /// By login name.
    fn user(&self, name: &str) -> Option<User>;
    fn user_by_id(&self, uid: u32) -> Option<User>;
    fn group(&self, name: &str) -> Option<u32>;
    fn group_exists(&self, gid: u32) -> bool;
    /// What `~` (for `None`: `$HOME` first, then the account) or `~name` stands for.
    fn home(&self, user: Option<&str>) -> Option<PathBuf>;
    fn env(&self) -> &BTreeMap<String, String>;
    /// The node name, as `uname -n` prints it.
    fn hostname(&self) -> String;
    fn cwd(&self) -> PathBuf;
    /// The default for `childlogdir` (SPEC 2.4).
    fn temp_dir(&self) -> PathBuf;
    /// The real user id of this process.
    fn uid(&self) -> u32;
}

/// Whether one path component contains a wildcard.
pub fn has_wildcard(component: &str) -> bool {
    component.contains(['*', '?', '['])
}

/// Whether one path component fits one component of a pattern: `*`, `?`, `[a-z]`
/// and `[!a-z]`. A leading dot must be spelled out, as in Python's `glob`.
pub fn component_fits(pattern: &str, name: &str) -> bool {
    let hidden = name.starts_with('.') && !pattern.starts_with('.');
    !hidden && fits(pattern, name)
}

/// Whether a text fits a glob of `*`, `?`, `[a-z]` and `[!a-z]`.
pub(crate) fn fits(pattern: &str, name: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let name: Vec<char> = name.chars().collect();
    let (mut p, mut n) = (0, 0);
    // Where to go on when a letter does not fit: behind the last star, one letter later.
    let mut retry: Option<(usize, usize)> = None;
    while n < name.len() {
        if pattern.get(p) == Some(&'*') {
            p += 1;
            retry = Some((p, n));
        } else if let Some(next) = letter_fits(&pattern, p, name[n]) {
            (p, n) = (next, n + 1);
        } else if let Some((after_star, from)) = retry {
            (p, n) = (after_star, from + 1);
            retry = Some((after_star, from + 1));
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|&letter| letter == '*')
}

/// The index behind the element at `p` if it accepts `letter`.
fn letter_fits(pattern: &[char], p: usize, letter: char) -> Option<usize> {
    match *pattern.get(p)? {
        '?' => Some(p + 1),
        '[' => match bracket_end(pattern, p) {
            Some(end) => bracket_fits(&pattern[p + 1..end], letter).then_some(end + 1),
            None => (letter == '[').then_some(p + 1),
        },
        other => (letter == other).then_some(p + 1),
    }
}

/// The index of the `]` that closes the bracket at `open`; one that comes first is a member.
fn bracket_end(pattern: &[char], open: usize) -> Option<usize> {
    let mut first = open + 1;
    if pattern.get(first) == Some(&'!') {
        first += 1;
    }
    (first + 1..pattern.len()).find(|&at| pattern[at] == ']')
}

fn bracket_fits(members: &[char], letter: char) -> bool {
    let (negated, members) = match members {
        ['!', rest @ ..] => (true, rest),
        _ => (false, members),
    };
    let mut found = false;
    let mut rest = members;
    while let Some((&low, tail)) = rest.split_first() {
        if let ['-', high, further @ ..] = tail {
            found |= (low..=*high).contains(&letter);
            rest = further;
        } else {
            found |= low == letter;
            rest = tail;
        }
    }
    found != negated
}

/// A machine that exists only in memory.
#[derive(Debug, Clone)]
pub struct MemoryFiles {
    /// Absolute path to content; the directories above each file exist too.
    pub files: BTreeMap<PathBuf, Vec<u8>>,
    pub dirs: BTreeSet<PathBuf>,
    pub users: Vec<User>,
    pub groups: BTreeMap<String, u32>,
    pub homes: BTreeMap<String, PathBuf>,
    pub env: BTreeMap<String, String>,
    pub hostname: String,
    pub cwd: PathBuf,
    pub uid: u32,
}

impl Default for MemoryFiles {
    /// `/`, `/dev`, `/tmp`, `/etc` and an empty `/home/me`; the users `root`, `me` (1000)
    /// and `web` (33); we are `me`, in `/home/me`.
    fn default() -> Self {
        let user = |name: &str, id| User { name: name.to_owned(), uid: id, gid: id };
        MemoryFiles {
            files: BTreeMap::new(),
            dirs: ["/", "/dev", "/tmp", "/etc", "/home", "/home/me"].iter().map(PathBuf::from).collect(),
            users: vec![user("root", 0), user("me", 1000), user("web", 33)],
            groups: [("root", 0), ("me", 1000), ("web", 33), ("adm", 4)]
                .map(|(name, gid)| (name.to_owned(), gid))
                .into(),
            homes: [("root", "/root"), ("me", "/home/me"), ("web", "/var/www")]
                .map(|(name, home)| (name.to_owned(), PathBuf::from(home)))
                .into(),
            env: [("HOME".to_owned(), "/home/me".to_owned())].into(),
            hostname: "testhost".to_owned(),
            cwd: PathBuf::from("/home/me"),
            uid: 1000,
        }
    }
}

impl MemoryFiles {
    /// The default machine with one file more; its directories come into being.
    pub fn with(path: &str, content: &str) -> MemoryFiles {
        let mut files = MemoryFiles::default();
        files.add(path, content);
        files
    }

    pub fn add(&mut self, path: &str, content: &str) {
        let path = self.absolute(Path::new(path));
        for dir in path.ancestors().skip(1) {
            self.dirs.insert(dir.to_owned());
        }
        self.files.insert(path, content.as_bytes().to_owned());
    }

    fn absolute(&self, path: &Path) -> PathBuf {
        PathBuf::from(paths::normal(&self.cwd.join(path).to_string_lossy()))
    }
}

impl Files for MemoryFiles {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let path = self.absolute(path);
        if self.dirs.contains(&path) {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        self.files.get(&path).cloned().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn glob(&self, pattern: &str) -> Vec<PathBuf> {
        let wanted: Vec<&str> = pattern.split('/').filter(|part| !part.is_empty()).collect();
        let fits = |path: &&PathBuf| {
            let parts: Vec<_> = path.iter().skip(1).map(|part| part.to_string_lossy()).collect();
            parts.len() == wanted.len()
                && parts.iter().zip(&wanted).all(|(part, wanted)| {
                    part == wanted || (has_wildcard(wanted) && component_fits(wanted, part))
                })
        };
        self.dirs
            .iter()
            .chain(self.files.keys())
            .filter(fits)
            .cloned()
            .collect::<BTreeSet<_>>()
            .into_iter()
            .collect()
    }

    fn is_dir(&self, path: &Path) -> bool {
        self.dirs.contains(&self.absolute(path))
    }

    fn exists(&self, path: &Path) -> bool {
        let path = self.absolute(path);
        self.dirs.contains(&path) || self.files.contains_key(&path)
    }

    fn user(&self, name: &str) -> Option<User> {
        self.users.iter().find(|user| user.name == name).cloned()
    }

    fn user_by_id(&self, uid: u32) -> Option<User> {
        self.users.iter().find(|user| user.uid == uid).cloned()
    }

    fn group(&self, name: &str) -> Option<u32> {
        self.groups.get(name).copied()
    }

    fn group_exists(&self, gid: u32) -> bool {
        self.groups.values().any(|&known| known == gid)
    }

    fn home(&self, user: Option<&str>) -> Option<PathBuf> {
        match user {
            Some(name) => self.homes.get(name).cloned(),
            None => self.env.get("HOME").map(PathBuf::from),
        }
    }

    fn env(&self) -> &BTreeMap<String, String> {
        &self.env
    }

    fn hostname(&self) -> String {
        self.hostname.clone()
    }

    fn cwd(&self) -> PathBuf {
        self.cwd.clone()
    }

    fn temp_dir(&self) -> PathBuf {
        PathBuf::from("/tmp")
    }

    fn uid(&self) -> u32 {
        self.uid
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_fits_a_pattern() {
        for (pattern, name, fits) in [
            ("*.conf", "a.conf", true),
            ("*.conf", ".conf", false),
            ("*.conf", ".a.conf", false),
            (".*", ".a.conf", true),
            ("**", "anything", true),
            ("?.ini", "a.ini", true),
            ("?.ini", "ab.ini", false),
            ("a*b*c", "axxbyybzc", true),
            ("a*b*c", "axxc", false),
            ("[a-c]1", "b1", true),
            ("[a-c]1", "d1", false),
            ("[!a-c]1", "d1", true),
            ("[]x]", "]", true),
            ("[x", "[x", true),
            ("x[", "xa", false),
            ("[a-]", "-", true),
            ("", "", true),
        ] {
            assert_eq!(component_fits(pattern, name), fits, "{pattern} {name}");
        }
    }

    #[test]
    fn globs_are_sorted_and_see_directories() {
        let mut files = MemoryFiles::with("/etc/s.d/b.conf", "");
        files.add("/etc/s.d/a.conf", "");
        files.add("/etc/s.d/dir.conf/x", "");
        let found = files.glob("/etc/s.d/*.conf");
        let expected = ["/etc/s.d/a.conf", "/etc/s.d/b.conf", "/etc/s.d/dir.conf"];
        assert_eq!(found, expected.map(PathBuf::from));
        assert!(files.glob("/etc/none/*").is_empty());
    }
}
