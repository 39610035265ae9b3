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

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::OwnedFd;

use rustix::fs::{AtFlags, RenameFlags, renameat, renameat_with, statat};
use rustix::io::Errno;

use super::death;

/// Moves a full log out of the way; there is then no file of its name. `backups` is at least one.
pub(super) fn shift(dir: &OwnedFd, name: &OsStr, backups: u32) -> io::Result<()> {
    // Whoever cannot be asked is taken to be there: moving it will tell.
    let is_free =
        |n: &u32| statat(dir, numbered(name, *n), AtFlags::SYMLINK_NOFOLLOW).err() == Some(Errno::NOENT);
    let gap = (1..backups).find(is_free).unwrap_or(backups);
    for n in (1..gap).rev() {
        rename_if_there(dir, &numbered(name, n), &numbered(name, n + 1))?;
        death::may_come();
    }
    rename_if_there(dir, name, &numbered(name, 1))?;
    death::may_come();
    Ok(())
}

/// The other way round, after a shift, if there is still no file of that name: the log is again what it was.
pub(super) fn take_back(dir: &OwnedFd, name: &OsStr) {
    // If that fails, too, the log goes on as its own first backup, and the next rotation makes a new one.
    let _ = renameat_with(dir, numbered(name, 1), dir, name, RenameFlags::NOREPLACE);
}

fn numbered(name: &OsStr, n: u32) -> OsString {
    let mut name = name.to_owned();
    name.push(format!(".{n}"));
    name
}

fn rename_if_there(dir: &OwnedFd, from: &OsStr, to: &OsStr) -> io::Result<()> {
    match renameat(dir, from, dir, to) {
        Ok(()) | Err(Errno::NOENT) => Ok(()),
        Err(e) => Err(e.into()),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::fs;

    use super::*;
    use crate::logs::scene::Dir;

    fn all(dir: &Dir) -> BTreeMap<String, String> {
        let entries = fs::read_dir(dir.path()).unwrap().map(Result::unwrap);
        entries
            .map(|e| (e.file_name().into_string().unwrap(), fs::read_to_string(e.path()).unwrap()))
            .collect()
    }

    fn filled(names: &[&str]) -> Dir {
        let dir = Dir::new();
        for name in names {
            fs::write(dir.file(name), format!("was {name}")).unwrap();
        }
        dir
    }

    fn shift_in(dir: &Dir) -> io::Result<()> {
        let dir = fs::File::open(dir.path()).unwrap();
        shift(&dir.into(), OsStr::new("log"), 5)
    }

    const ROWS: [&[&str]; 5] = [
        &["log"],
        &["log", "log.1", "log.2"],
        &["log", "log.1", "log.2", "log.3", "log.4", "log.5"],
        &["log", "log.1", "log.3", "log.5"],
        &["log", "log.2", "log.3", "log.4", "log.5"],
    ];

    #[test]
    fn whenever_it_is_killed_the_next_one_ends_where_it_would_have_ended() {
        for row in ROWS {
            let whole = filled(row);
            shift_in(&whole).unwrap();
            let mut after = 0;
            loop {
                after += 1;
                let dir = filled(row);
                let died = death::after(after, || shift_in(&dir).unwrap());
                if died && dir.file("log").exists() {
                    shift_in(&dir).unwrap();
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
        let at = fs::File::open(dir.path()).unwrap().into();
        shift_in(&dir).unwrap();
        take_back(&at, OsStr::new("log"));
        assert_eq!(dir.content("log").as_deref(), Some("was log"));
        shift_in(&dir).unwrap();
        fs::write(dir.file("log"), "somebody's").unwrap();
        take_back(&at, OsStr::new("log"));
        assert_eq!(dir.content("log").as_deref(), Some("somebody's"));
        assert_eq!(dir.content("log.1").as_deref(), Some("was log"));
        assert_eq!(dir.content("log.2").as_deref(), Some("was log.1"), "a second try shifts no further");
    }

    #[test]
    fn only_the_oldest_of_a_full_row_is_lost_and_nobody_of_one_with_a_gap() {
        let full = filled(ROWS[2]);
        shift_in(&full).unwrap();
        let kept: Vec<_> = all(&full).into_values().collect();
        assert_eq!(kept, ["was log", "was log.1", "was log.2", "was log.3", "was log.4"]);
        let gap = filled(ROWS[3]);
        shift_in(&gap).unwrap();
        let names: Vec<_> = all(&gap).into_iter().map(|(name, was)| format!("{name} {was}")).collect();
        assert_eq!(names, ["log.1 was log", "log.2 was log.1", "log.3 was log.3", "log.5 was log.5"]);
    }
}
