//! Where cargo puts the programs that tests start, and how they get there.
//!
//! In: the path of the running test executable. Out: paths of `provost-child`, `provost-listener`
//! and of our own binaries. `cargo test` builds the binaries of the package
//! under test only, so the child of this crate is built here when a test of
//! another package is the first to need it or its source is newer.

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::SystemTime;

/// The directory with the finished programs of the profile that we run in.
pub(crate) fn directory() -> PathBuf {
    let test = std::env::current_exe().expect("Linux always knows a program's path");
    let beside = test.parent().expect("a program lies in a directory");
    // Tests and benches lie one level below the programs.
    match beside.file_name() {
        Some(name) if name == "deps" || name == "examples" => {
            beside.parent().expect("deps lies in the profile's directory").to_owned()
        }
        _ => beside.to_owned(),
    }
}

/// The scriptable child program, built if need be.
///
/// # Panics
/// When it cannot be built.
#[must_use]
pub fn provost_child() -> &'static Path {
    static CHILD: OnceLock<PathBuf> = OnceLock::new();
    CHILD.get_or_init(|| of_this_crate("provost-child"))
}

/// The scriptable event listener, built if need be.
///
/// # Panics
/// When it cannot be built.
#[must_use]
pub fn provost_listener() -> &'static Path {
    static LISTENER: OnceLock<PathBuf> = OnceLock::new();
    LISTENER.get_or_init(|| of_this_crate("provost-listener"))
}

fn of_this_crate(name: &str) -> PathBuf {
    let program = directory().join(name);
    if modified(&program) < newest(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src"))) {
        build_programs("provost-testkit", &[name]);
    }
    program
}

/// A differently built supervisord: what an upgrade may find on disk.
///
/// # Panics
/// When it cannot be built.
#[must_use]
pub fn supervisord_next() -> &'static Path {
    static NEXT: OnceLock<PathBuf> = OnceLock::new();
    NEXT.get_or_init(|| {
        // It is made of the same crates as the daemon under test: cargo knows what has changed.
        build_programs("provost-next", &["supervisord-next"]);
        directory().join("supervisord-next")
    })
}

/// Puts a copy of a program in the place of another one, as package managers do: by renaming.
///
/// # Panics
/// When it cannot be copied.
#[track_caller]
pub fn replace_program(program: &Path, place: &Path) {
    let beside = place.with_extension("new");
    // By another process: a descriptor of ours that some fork inherits would make the file busy.
    let copied = Command::new("cp").arg(program).arg(&beside).status();
    assert!(copied.as_ref().is_ok_and(|status| status.success()), "cp {}: {copied:?}", program.display());
    fs::rename(&beside, place)
        .unwrap_or_else(|e| panic!("cannot rename {} to {}: {e}", beside.display(), place.display()));
}

/// A program for a machine that this one is not: a copy of `program` whose header says so.
///
/// # Panics
/// When it cannot be made.
#[track_caller]
pub fn make_foreign(program: &Path, place: &Path) {
    replace_program(program, place);
    let file = fs::OpenOptions::new().write(true).open(place);
    // The field of an ELF header that names the machine.
    let done = file.and_then(|file| file.write_all_at(&0x1337_u16.to_le_bytes(), 18));
    done.unwrap_or_else(|e| panic!("cannot change {}: {e}", place.display()));
}

/// Builds programs of a package of this workspace in the profile that we run in.
///
/// # Panics
/// When cargo is missing or fails.
pub fn build_programs(package: &str, programs: &[&str]) {
    let profile = directory();
    let target = profile.parent().expect("a profile lies in the target directory");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(&cargo);
    command
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args(["build", "--quiet", "--package", package, "--target-dir"])
        .arg(target);
    if profile.ends_with("release") {
        command.arg("--release");
    }
    for program in programs {
        command.args(["--bin", program]);
    }
    let status = command
        .status()
        .unwrap_or_else(|e| panic!("cannot run {} to build {programs:?}: {e}", cargo.display()));
    assert!(status.success(), "cargo could not build {programs:?} of {package}: {status}");
}

fn modified(path: &Path) -> SystemTime {
    fs::metadata(path).and_then(|meta| meta.modified()).unwrap_or(SystemTime::UNIX_EPOCH)
}

/// The time of the youngest source file below `directory`.
fn newest(directory: &Path) -> SystemTime {
    let Ok(entries) = fs::read_dir(directory) else { return SystemTime::UNIX_EPOCH };
    entries
        .filter_map(Result::ok)
        .map(|entry| if entry.path().is_dir() { newest(&entry.path()) } else { modified(&entry.path()) })
        .max()
        .unwrap_or(SystemTime::UNIX_EPOCH)
}
