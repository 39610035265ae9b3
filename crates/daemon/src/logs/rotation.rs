//! Rotation: the full file becomes the first backup, each backup the next, and the oldest goes (SPEC 4.3).
//!
//! Backups move up only as far as the first number that nobody has. In an unbroken row that is the usual shift, which ends the
//! oldest. And it makes every rename a step after which we may be killed. Each moves one file into the gap above it, from
//! the oldest down, and so leaves the gap one lower:
//!
//! ```text
//! log 1 2 3 4 5  →  log 1 2 3 _ 5  →  log 1 2 _ 4 5  →  log 1 _ 3 4 5  →  log _ 2 3 4 5  →  _ 1 2 3 4 5
//! ```
//!
//! Only the first step ends a file. From each of the others whoever rotates next moves up to that gap: exactly the steps that
//! were left. After the last there is no full file, and a new one is made by whoever opens the log next.
//!
//! Where backups are compressed (`compress.rs`) a number may be that of `log.2.gz` as well as of `log.2`. If it is both, and both are
//! of the same time, somebody died who had just compressed it, and the plain one counts. Else they are two backups: for a while
//! none were to be compressed, and the plain ones did not make room for the others. Then both stay as they are, and move on.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::OwnedFd;

use rustix::fs::{AtFlags, RenameFlags, Stat, renameat, renameat_with, statat, unlinkat};
use rustix::io::Errno;

use crate::death;

/// What the name of a backup may end with behind its number.
const PLAIN: &[&str] = &[""];
const COMPRESSED: &[&str] = &[".gz", ".zst"];
const ALL: &[&str] = &["", ".gz", ".zst"];

/// A log and its backups.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row<'a> {
    dir: &'a OwnedFd,
    name: &'a OsStr,
    is_compressed: bool,
}

impl<'a> Row<'a> {
    pub(super) fn new(dir: &'a OwnedFd, name: &'a OsStr, is_compressed: bool) -> Row<'a> {
        Row { dir, name, is_compressed }
    }

    /// Moves a full log out of the way; there is then no file of its name. `backups` is at least one.
    pub(super) fn shift(self, backups: u32) -> io::Result<()> {
        let gap = (1..backups).find(|n| self.is_free(*n)).unwrap_or(backups);
        if self.is_compressed && gap == backups {
            // A rename ends only what has the same name.
            ALL.iter().try_for_each(|ending| self.remove(gap, ending))?;
        }
        for n in (1..gap).rev() {
            self.settle(n)?;
            for ending in self.endings() {
                self.rename(&self.backup(n, ending), &self.backup(n + 1, ending))?;
            }
        }
        self.rename(self.name, &self.backup(1, ""))
    }

    /// The other way round, after a shift, if there is still no file of that name: the log is again what it was.
    pub(super) fn take_back(self) {
        // If that fails, too, the log goes on as its own first backup, and the next rotation makes a new one.
        let _ = renameat_with(self.dir, self.backup(1, ""), self.dir, self.name, RenameFlags::NOREPLACE);
    }

    /// Whether nobody has this number. Whoever cannot be asked is taken to be there: moving it will tell.
    pub(super) fn is_free(self, n: u32) -> bool {
        self.endings().iter().all(|ending| self.look(n, ending).err() == Some(Errno::NOENT))
    }

    /// Of a plain one and the same compressed, only the plain one stays.
    pub(super) fn settle(self, n: u32) -> io::Result<()> {
        let Some(plain) = self.look(n, "").ok().filter(|_| self.is_compressed) else { return Ok(()) };
        let are_same =
            |ending: &&&str| self.look(n, ending).is_ok_and(|other| are_of_one_time(&other, &plain));
        COMPRESSED.iter().filter(are_same).try_for_each(|ending| self.remove(n, ending))
    }

    /// Whether a compressed backup has this number that is not the plain one of this number.
    pub(super) fn is_shared(self, n: u32) -> bool {
        let plain = self.look(n, "").ok();
        let is_other = |other: Stat| plain.is_none_or(|plain| !are_of_one_time(&plain, &other));
        COMPRESSED.iter().any(|ending| self.look(n, ending).is_ok_and(is_other))
    }

    pub(super) fn look(self, n: u32, ending: &str) -> Result<Stat, Errno> {
        statat(self.dir, self.backup(n, ending), AtFlags::SYMLINK_NOFOLLOW)
    }

    pub(super) fn backup(self, n: u32, ending: &str) -> OsString {
        let mut name = self.name.to_owned();
        name.push(format!(".{n}{ending}"));
        name
    }

    /// If it is there.
    pub(super) fn remove(self, n: u32, ending: &str) -> io::Result<()> {
        step(unlinkat(self.dir, self.backup(n, ending), AtFlags::empty()))
    }

    fn rename(self, from: &OsStr, to: &OsStr) -> io::Result<()> {
        step(renameat(self.dir, from, self.dir, to))
    }

    fn endings(self) -> &'static [&'static str] {
        if self.is_compressed { ALL } else { PLAIN }
    }
}

/// A compressed backup has the time of the plain one.
fn are_of_one_time(one: &Stat, other: &Stat) -> bool {
    (one.st_mtime, one.st_mtime_nsec) == (other.st_mtime, other.st_mtime_nsec)
}

/// What is not there need not be moved, or removed.
fn step(result: Result<(), Errno>) -> io::Result<()> {
    match result {
        Ok(()) => death::may_come(),
        Err(Errno::NOENT) => {}
        Err(e) => return Err(e.into()),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::fs;
    use std::time::{Duration, SystemTime};

    use super::*;
    use crate::logs::scene::Dir;

    fn all(dir: &Dir) -> BTreeMap<String, String> {
        let entries = fs::read_dir(dir.path()).unwrap().map(Result::unwrap);
        entries
            .map(|e| (e.file_name().into_string().unwrap(), fs::read_to_string(e.path()).unwrap()))
            .collect()
    }

    /// What has one number is of one time.
    fn filled(names: &[&str]) -> Dir {
        let dir = Dir::new();
        for name in names {
            fs::write(dir.file(name), format!("was {name}")).unwrap();
            let number = name.split('.').nth(1).map_or(0, |number| number.parse().unwrap());
            touch(&dir, name, number);
        }
        dir
    }

    fn touch(dir: &Dir, name: &str, seconds: u64) {
        let file = fs::File::options().write(true).open(dir.file(name)).unwrap();
        file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)).unwrap();
    }

    fn in_row(dir: &Dir, does: impl FnOnce(Row<'_>)) {
        let at = fs::File::open(dir.path()).unwrap().into();
        does(Row::new(&at, OsStr::new("log"), true));
    }

    fn shift_in(dir: &Dir) {
        in_row(dir, |row| row.shift(5).unwrap());
    }

    const ROWS: [&[&str]; 9] = [
        &["log"],
        &["log", "log.1", "log.2"],
        &["log", "log.1", "log.2", "log.3", "log.4", "log.5"],
        &["log", "log.1", "log.3", "log.5"],
        &["log", "log.2", "log.3", "log.4", "log.5"],
        &["log", "log.1", "log.2.gz", "log.3.gz"],
        &["log", "log.1", "log.2.gz", "log.3.zst", "log.4.gz", "log.5.gz"],
        &["log", "log.1.gz", "log.2.gz", "log.3.gz", "log.4", "log.5.gz"],
        &["log", "log.1", "log.1.gz", "log.2", "log.2.zst", "log.3", "log.4", "log.5", "log.5.gz"],
    ];

    #[test]
    fn whenever_it_is_killed_the_next_one_ends_where_it_would_have_ended() {
        for row in ROWS {
            let whole = filled(row);
            shift_in(&whole);
            let mut after = 0;
            loop {
                after += 1;
                let dir = filled(row);
                let died = death::after(after, || shift_in(&dir));
                if died && dir.file("log").exists() {
                    shift_in(&dir);
                }
                assert_eq!(all(&dir), all(&whole), "{row:?}, killed after step {after}");
                if !died {
                    break;
                }
            }
            assert!(after > 1);
        }
    }

    #[test]
    fn what_was_shifted_can_be_taken_back_but_not_over_somebody_elses_file() {
        let dir = filled(&["log", "log.1"]);
        shift_in(&dir);
        in_row(&dir, |row| row.take_back());
        assert_eq!(dir.content("log").as_deref(), Some("was log"));
        shift_in(&dir);
        fs::write(dir.file("log"), "somebody's").unwrap();
        in_row(&dir, |row| row.take_back());
        assert_eq!(dir.content("log").as_deref(), Some("somebody's"));
        assert_eq!(dir.content("log.1").as_deref(), Some("was log"));
        assert_eq!(dir.content("log.2").as_deref(), Some("was log.1"), "a second try shifts no further");
    }

    #[test]
    fn compressed_backups_keep_their_place_and_half_done_ones_count_once() {
        let after = |row: &[&str]| {
            let dir = filled(row);
            shift_in(&dir);
            let names: Vec<_> = all(&dir).into_iter().map(|(name, was)| format!("{name} {was}")).collect();
            names.join(", ")
        };
        assert_eq!(
            after(ROWS[6]),
            "log.1 was log, log.2 was log.1, log.3.gz was log.2.gz, log.4.zst was log.3.zst, log.5.gz was log.4.gz"
        );
        assert_eq!(
            after(ROWS[8]),
            "log.1 was log, log.2 was log.1, log.3 was log.2, log.4 was log.3, log.5 was log.4"
        );
    }

    #[test]
    fn a_plain_and_a_compressed_backup_of_two_times_are_two_backups() {
        let dir = filled(&["log", "log.1", "log.1.gz", "log.2.zst", "log.2"]);
        touch(&dir, "log.1.gz", 100);
        touch(&dir, "log.2.zst", 200);
        shift_in(&dir);
        let names: Vec<_> = all(&dir).into_iter().map(|(name, was)| format!("{name} {was}")).collect();
        assert_eq!(
            names,
            [
                "log.1 was log",
                "log.2 was log.1",
                "log.2.gz was log.1.gz",
                "log.3 was log.2",
                "log.3.zst was log.2.zst"
            ]
        );
    }

    #[test]
    fn only_the_oldest_of_a_full_row_is_lost_and_nobody_of_one_with_a_gap() {
        let full = filled(ROWS[2]);
        shift_in(&full);
        let kept: Vec<_> = all(&full).into_values().collect();
        assert_eq!(kept, ["was log", "was log.1", "was log.2", "was log.3", "was log.4"]);
        let gap = filled(ROWS[3]);
        shift_in(&gap);
        let names: Vec<_> = all(&gap).into_iter().map(|(name, was)| format!("{name} {was}")).collect();
        assert_eq!(names, ["log.1 was log", "log.2 was log.1", "log.3 was log.3", "log.5 was log.5"]);
    }
}
