//! What people ask, of whom, and when not.

use std::time::Duration;

use provost_core::{Command, LogDeed, LogLevel, Programs, Target};

use crate::chance::Chance;

/// What a command that reads the configuration will find on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OnDisk {
    AsBefore,
    Changed,
    Broken,
}

/// A command, sensible or not.
pub(crate) fn some_command(chance: &mut Chance) -> (Command, OnDisk) {
    let name = chance
        .pick(&["a", "b", "c", "l:l0", "l:*", "n", "g:d", "g:e", "g:*", "g", "nobody", "b:", ":"])
        .to_owned();
    let group = chance.pick(&["a", "b", "c", "g", "l", "n", "nobody"]).to_owned();
    let mut target = match chance.below(9) {
        0 => Target::all(),
        1 => Target::group(group.clone()),
        2 => Target::matching(some_words(chance)),
        _ => Target::named(name.clone()),
    };
    if chance.one_in(6) {
        let globs = chance.pick(&["a", "g:d, b", "*:e", "g"]);
        target.programs = Programs::parse(globs).expect("these are good");
    }
    let wait = chance.one_in(2);
    let mut on_disk = OnDisk::AsBefore;
    let command = match chance.below(1200) {
        0..350 => Command::Start { target, wait },
        350..680 => Command::Stop { target, wait },
        680..700 => Command::Restart { target, wait },
        700..760 => Command::Signal { target, signal: chance.pick(&["HUP", "9", "TERM", "nonsense"]).into() },
        760..840 => {
            on_disk = match chance.below(4) {
                0 => OnDisk::Broken,
                1 => OnDisk::AsBefore,
                _ => OnDisk::Changed,
            };
            Command::Reread
        }
        840..890 => Command::RemoveGroup { name: group },
        890..950 => Command::AddGroup { name: group },
        950..1010 => {
            let name = chance.pick(&["a", "b", "c", "l", "g", "g", "n", "nobody"]).to_owned();
            Command::UpdateGroup { name, restart_all: chance.one_in(4) }
        }
        1010..1030 => Command::ProcessInfo { name },
        1030..1050 => Command::ProcessHistory { name },
        1050..1080 => Command::AllProcessInfo,
        1080..1100 => Command::AllConfigInfo,
        1100..1130 => Command::Logs { target, deed: some_deed(chance) },
        1130..1140 => Command::MainLog { deed: some_deed(chance) },
        1140 => Command::Shutdown,
        1141 => Command::Reload,
        1142..1150 => {
            on_disk = OnDisk::Broken;
            Command::Reload
        }
        1150..1155 => Command::Upgrade { patience: Duration::from_secs(10) },
        1155..1175 => Command::SendStdin { name, chars: "words\n".into() },
        1175..1180 => Command::RemoteEvent { kind: "deploy".into(), data: String::new() },
        1180..1188 => {
            let (group, program) = someone(chance);
            Command::AddProgram { group, program, options: Vec::new() }
        }
        1188..1196 => {
            let (group, process) = someone(chance);
            Command::RemoveProcess { group, process }
        }
        1196 => Command::GroupNames,
        1198 => {
            on_disk = if chance.one_in(4) { OnDisk::Broken } else { OnDisk::Changed };
            Command::CompareConfig
        }
        1197 => Command::WriteLog { level: LogLevel::Info, message: "hello".into() },
        _ => Command::Ping,
    };
    (command, on_disk)
}

/// Names and patterns; whom the latter mean, `asks.rs` knows by heart.
fn some_words(chance: &mut Chance) -> Vec<&'static str> {
    let words = ["a", "g:d", "g:*", "nobody", "g:", "nobody:*", "?", "[a-c]", "g:[!d]", "*:e", "n*", "z?"];
    (0..chance.below(4)).map(|_| chance.pick(&words)).collect()
}

fn someone(chance: &mut Chance) -> (String, String) {
    let (group, process) = chance.pick(&[
        ("a", "a"),
        ("b", "b"),
        ("g", "d"),
        ("g", "e"),
        ("l", "l0"),
        ("n", "n"),
        ("g", "x"),
        ("x", "a"),
    ]);
    (group.to_owned(), process.to_owned())
}

fn some_deed(chance: &mut Chance) -> LogDeed {
    match chance.below(3) {
        0 => LogDeed::Clear,
        1 => LogDeed::Rotate,
        _ => LogDeed::Reopen,
    }
}
