//! What tests upgrade to: the same daemon, built differently, which calls itself another version, and which can be broken.
//!
//! In: a file beside the program, named like it with `.mood` behind, says how; without one it is well. Not here: anything
//! that the real program does not have to bear.

use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

use provost_daemon::Build;
use rustix::process::{Resource, Rlimit, setrlimit};

fn main() -> ExitCode {
    match mood().as_str() {
        "panics" => panic!("as it was told"),
        "exits" => return ExitCode::from(3),
        "hangs" => loop {
            std::thread::park();
        },
        "cramped" => cramp(),
        _ => {}
    }
    let build = match mood().as_str() {
        "incompatible" => Build::of_another_time("next", 9..=9),
        _ => Build::new("next"),
    };
    match provost_keeper::run(&mut |link| provost_daemon::brain(link, &build)) {
        Ok(code) => ExitCode::from(code),
        Err(e) => {
            let _ = writeln!(std::io::stderr(), "Error: the keeper cannot start: {e}");
            ExitCode::FAILURE
        }
    }
}

/// Leaves memory for a trial, and none for the stacks of the threads that come after it.
fn cramp() {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let size =
        status.lines().find_map(|line| line.strip_prefix("VmSize:")?.split_whitespace().next()?.parse().ok());
    let most = size.map(|kib: u64| (kib + 1024) * 1024);
    // Where it is refused the upgrade succeeds, and the test says so.
    let _ = setrlimit(Resource::As, Rlimit { current: most, maximum: most });
}

fn mood() -> String {
    let Ok(program) = std::env::current_exe() else { return String::new() };
    let mut name = OsString::from(program);
    name.push(".mood");
    std::fs::read_to_string(name).map(|mood| mood.trim().to_owned()).unwrap_or_default()
}
