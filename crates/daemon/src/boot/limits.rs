//! Descriptors and processes: at least as many as configured, for the keeper and so for every program (SPEC 1.8 step 5).

use provost_config::{LogLevel, Message, Supervisord};
use provost_keeper::{Link, ToKeeper};
use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit, setrlimit};

use super::Refusal;

/// Raises what is too low; returns what the log should say about it.
///
/// Descriptors are the keeper's to hand out: it holds several for each program, so it takes as many as it may have, and
/// gives its children what is configured or what it was started with, whichever is more.
pub(super) fn raise(settings: &Supervisord, keeper: i32, link: &mut Link) -> Result<Vec<Message>, Refusal> {
    let wanted = [
        (Resource::Nofile, "RLIMIT_NOFILE", settings.minfds),
        (Resource::Nproc, "RLIMIT_NPROC", settings.minprocs),
    ];
    let mut sayings = Vec::new();
    for (resource, name, least) in wanted {
        let Rlimit { current, maximum } = getrlimit(resource);
        if current.is_none_or(|soft| soft >= least) {
            continue;
        }
        let maximum = maximum.map(|hard| hard.max(least));
        let raised = || Rlimit { current: Some(least), maximum };
        let set = setrlimit(resource, raised())
            .and_then(|()| prlimit(Pid::from_raw(keeper), resource, raised()).map(|_| ()));
        if set.is_err() {
            return Err(Refusal::usage(too_few(name, least, getrlimit(resource).maximum)));
        }
        sayings.push(Message { level: LogLevel::Info, text: format!("Increased {name} limit to {least}") });
    }
    link.send(ToKeeper::Descriptors(settings.minfds))?;
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    // The brain holds no fewer than the keeper. Where it is refused, things are as they were.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
    Ok(sayings)
}

/// Connections that each of so many doors may have open: so many that no client notices, so few that programs always find
/// descriptors.
pub(super) fn connections(doors: usize) -> usize {
    let descriptors = descriptors();
    (descriptors / 8).min(descriptors / 2 / doors.max(1)).clamp(16, 4096)
}

/// Logs that may be followed at each of them: besides the connection that is a descriptor for the file. A quarter stays for programs.
pub(super) fn followers(doors: usize) -> usize {
    (descriptors() / 4 / doors.max(1)).clamp(8, 4096)
}

fn descriptors() -> usize {
    let descriptors = getrlimit(Resource::Nofile).current.unwrap_or(65_536);
    usize::try_from(descriptors).unwrap_or(usize::MAX)
}

fn too_few(name: &str, least: u64, hard: Option<u64>) -> String {
    let hard = hard.map_or("unlimited".to_owned(), |hard| hard.to_string());
    let (what, whose, setting, allowed, remedy) = match name {
        "RLIMIT_NOFILE" => (
            "file descriptors",
            "process",
            "minfds",
            "file descriptors",
            "number of usable file descriptors in your environment (see README.rst) or lower the minfds \
             setting in the config file to allow the process to start.",
        ),
        _ => (
            "available processes",
            "program",
            "minprocs",
            "processes",
            "number of usable processes in your environment (see README.rst) or lower the minprocs setting \
             in the config file to allow the program to start.",
        ),
    };
    format!(
        "The minimum number of {what} required to run this {whose} is {least} as per the \"{setting}\" \
         command-line argument or config file setting. The current environment will only allow you to open \
         {hard} {allowed}.  Either raise the {remedy}"
    )
}
