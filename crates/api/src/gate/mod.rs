//! The gate: who is asking (`claim.rs` and `users.rs`, and `guard.rs` whether that is true), and whether they may. The only place where rights are looked at.
//!
//! Every [`Command`] passes [`check`], which matches all of them: a new command does not compile until it is decided who may
//! give it.

mod claim;
#[cfg(test)]
mod generated;
mod guard;
mod secrets;
mod standing;
mod users;

use std::fmt;
use std::sync::Arc;

use provost_core::{Command, Fault, GroupDifference, Permission, Programs, Reply, Rights, Target};

use crate::inbox::By;
use crate::pools::PoolReport;

pub(crate) use guard::Guard;
pub(crate) use standing::lost;
pub use users::{Access, DoorRules};
pub(crate) use users::{Refusal, admit};

/// Who asks, and how far that reaches.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    pub(crate) rights: Rights,
    pub(crate) programs: Programs,
    pub(crate) by: Arc<By>,
    /// What was in force then.
    pub(crate) let_in_by: Arc<Access>,
}

/// Why a command goes no further.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Denied {
    /// The right is missing, or does not reach as far as the supervisor itself.
    Missing(Permission),
    /// There is no such thing, as far as this caller is concerned.
    BadName(String),
}

/// What a refusal looks like to whoever asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refused {
    Fault(Fault),
    /// 403, or a fault that says it in words.
    NotAllowed {
        user: String,
        missing: Permission,
    },
}

impl From<Fault> for Refused {
    fn from(fault: Fault) -> Refused {
        Refused::Fault(fault)
    }
}

impl fmt::Display for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.by.user.as_deref().unwrap_or("nobody"))
    }
}

impl Caller {
    /// Whether a command of this kind can ever be accepted; what it may reach is another question.
    pub(crate) fn has(&self, permission: Permission) -> bool {
        self.rights.allow(permission)
    }

    fn need(&self, permission: Permission) -> Result<(), Denied> {
        if self.has(permission) { Ok(()) } else { Err(Denied::Missing(permission)) }
    }

    /// For what concerns the supervisor as a whole.
    fn need_all(&self, permission: Permission) -> Result<(), Denied> {
        self.need(permission)?;
        if self.programs.is_all() { Ok(()) } else { Err(Denied::Missing(permission)) }
    }

    fn need_group(&self, name: &str) -> Result<(), Denied> {
        if self.programs.covers_group(name) { Ok(()) } else { Err(Denied::BadName(name.to_owned())) }
    }

    /// For what is done to the caller's own programs among those that are named.
    fn need_within(&self, permission: Permission, target: &mut Target) -> Result<(), Denied> {
        self.need(permission)?;
        target.programs = self.programs.clone();
        Ok(())
    }
}

/// Whether this caller may give the command, which then reaches no further than the caller does.
pub(crate) fn check(caller: &Caller, command: &mut Command) -> Result<(), Denied> {
    use Permission as P;
    match command {
        // Whoever is let in may see that there is a supervisor.
        Command::Ping => Ok(()),
        Command::ProcessInfo { .. }
        | Command::ProcessHistory { .. }
        | Command::AllProcessInfo
        | Command::GroupNames => caller.need(P::Status),
        Command::Start { target, .. } => caller.need_within(P::Start, target),
        Command::Stop { target, .. } => caller.need_within(P::Stop, target),
        Command::Restart { target, .. } => caller.need_within(P::Restart, target),
        Command::Signal { target, .. } => caller.need_within(P::Signal, target),
        Command::Logs { target, .. } => caller.need_within(P::Clear, target),
        Command::SendStdin { name, .. } => {
            caller.need(P::Stdin)?;
            let (group, process) = name.split_once(':').unwrap_or((name, name));
            if caller.programs.covers(group, process) { Ok(()) } else { Err(Denied::BadName(name.clone())) }
        }
        // Every listener hears it.
        Command::RemoteEvent { .. } => caller.need_all(P::Stdin),
        Command::MainLog { .. } => caller.need_all(P::Clear),
        // A command line may hold what is not for everybody.
        Command::AllConfigInfo | Command::Reread | Command::CompareConfig => caller.need(P::Config),
        Command::AddGroup { name: group }
        | Command::UpdateGroup { name: group, .. }
        | Command::RemoveGroup { name: group }
        | Command::RemoveProcess { group, .. } => {
            caller.need(P::Config)?;
            caller.need_group(group)
        }
        // Whoever may add programs may run anything, as anybody.
        Command::AddProgram { .. } | Command::WriteLog { .. } => caller.need_all(P::Config),
        Command::Shutdown | Command::Reload | Command::Upgrade { .. } => caller.need_all(P::Shutdown),
    }
}

/// Whether the caller may read logs of programs at all; of which ones, [`seen`] says.
pub(crate) fn check_log(caller: &Caller) -> Result<(), Denied> {
    caller.need(Permission::Logs)
}

/// Whether the caller may read the main log, which tells of all programs.
pub(crate) fn check_main_log(caller: &Caller) -> Result<(), Denied> {
    caller.need_all(Permission::Logs)
}

/// Whether the caller may look at listeners and at what waits for them; at which, [`seen_pools`] says.
pub(crate) fn check_pools(caller: &Caller) -> Result<(), Denied> {
    caller.need(Permission::Status)
}

/// Those of the caller's groups. What waits is told nothing of by name, and still is the whole group's.
pub(crate) fn seen_pools(caller: &Caller, pools: Vec<PoolReport>) -> Vec<PoolReport> {
    pools.into_iter().filter(|pool| caller.programs.covers_group(&pool.name)).collect()
}

/// The reply without what this caller may not see. `given` is the name that was asked for.
pub(crate) fn seen(caller: &Caller, reply: Reply, given: Option<String>) -> Reply {
    let programs = &caller.programs;
    match reply {
        Reply::Infos(infos) if !programs.is_all() => {
            Reply::Infos(infos.into_iter().filter(|info| programs.covers(&info.group, &info.name)).collect())
        }
        Reply::Info(info) if !programs.covers(&info.group, &info.name) => {
            Reply::Fault(Fault::BadName { name: given.unwrap_or_default() })
        }
        Reply::History(told) if !programs.covers(&told.info.group, &told.info.name) => {
            Reply::Fault(Fault::BadName { name: given.unwrap_or_default() })
        }
        Reply::Configured(all) if !programs.is_all() => Reply::Configured(
            all.into_iter().filter(|one| programs.covers(&one.group, &one.config.name)).collect(),
        ),
        Reply::Reread { added, changed, removed } => {
            let covered =
                |names: Vec<String>| names.into_iter().filter(|name| programs.covers_group(name)).collect();
            Reply::Reread { added: covered(added), changed: covered(changed), removed: covered(removed) }
        }
        Reply::Names(names) => {
            Reply::Names(names.into_iter().filter(|name| programs.covers_group(name)).collect())
        }
        Reply::Compared(groups) => {
            let covered = |group: &GroupDifference| programs.covers_group(&group.name);
            Reply::Compared(groups.into_iter().filter(covered).collect())
        }
        // Made within what the caller reaches, or about nothing that could be hidden.
        Reply::Done
        | Reply::Fault(_)
        | Reply::Statuses(_)
        | Reply::Info(_)
        | Reply::History(_)
        | Reply::Infos(_)
        | Reply::Configured(_)
        | Reply::Updated(_)
        | Reply::Upgraded(_) => reply,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pools::tests::pool;
    use provost_core::LogDeed;
    use std::time::Duration;

    fn caller(allow: &[Permission], programs: &str) -> Caller {
        let by = By { user: Some("ann".into()), from: "here".into(), door: "unix_http_server".into() };
        Caller {
            rights: Rights::of(allow),
            programs: Programs::parse(programs).unwrap(),
            by: Arc::new(by),
            let_in_by: Arc::default(),
        }
    }

    /// One command of each kind and the right that it takes; `true` where it concerns the supervisor as a whole.
    fn table() -> Vec<(Command, Option<Permission>, bool)> {
        use Permission as P;
        let target = || Target::named("web");
        vec![
            (Command::Ping, None, false),
            (Command::ProcessInfo { name: "web".into() }, Some(P::Status), false),
            (Command::ProcessHistory { name: "web".into() }, Some(P::Status), false),
            (Command::AllProcessInfo, Some(P::Status), false),
            (Command::Start { target: target(), wait: true }, Some(P::Start), false),
            (Command::Stop { target: target(), wait: true }, Some(P::Stop), false),
            (Command::Restart { target: target(), wait: true }, Some(P::Restart), false),
            (Command::Signal { target: target(), signal: "HUP".into() }, Some(P::Signal), false),
            (Command::Logs { target: target(), deed: LogDeed::Clear }, Some(P::Clear), false),
            (Command::SendStdin { name: "web".into(), chars: "x".into() }, Some(P::Stdin), false),
            (Command::RemoteEvent { kind: "x".into(), data: "x".into() }, Some(P::Stdin), true),
            (Command::GroupNames, Some(P::Status), false),
            (
                Command::AddProgram { group: "web".into(), program: "x".into(), options: vec![] },
                Some(P::Config),
                true,
            ),
            (Command::RemoveProcess { group: "web".into(), process: "x".into() }, Some(P::Config), false),
            (
                Command::WriteLog { level: provost_core::LogLevel::Info, message: String::new() },
                Some(P::Config),
                true,
            ),
            (Command::MainLog { deed: LogDeed::Clear }, Some(P::Clear), true),
            (Command::AllConfigInfo, Some(P::Config), false),
            (Command::Reread, Some(P::Config), false),
            (Command::CompareConfig, Some(P::Config), false),
            (Command::AddGroup { name: "web".into() }, Some(P::Config), false),
            (Command::UpdateGroup { name: "web".into(), restart_all: true }, Some(P::Config), false),
            (Command::RemoveGroup { name: "web".into() }, Some(P::Config), false),
            (Command::Shutdown, Some(P::Shutdown), true),
            (Command::Reload, Some(P::Shutdown), true),
            (Command::Upgrade { patience: Duration::ZERO }, Some(P::Shutdown), true),
        ]
    }

    #[test]
    fn each_command_takes_its_right_and_no_other_will_do() {
        for (command, right, whole) in table() {
            let others: Vec<_> = Permission::ALL.iter().copied().filter(|one| Some(*one) != right).collect();
            // Who may start and stop may restart.
            let others = match right {
                Some(Permission::Restart) => {
                    others.into_iter().filter(|one| *one != Permission::Stop).collect()
                }
                _ => others,
            };
            let expected = match right {
                None => Ok(()),
                Some(right) => Err(Denied::Missing(right)),
            };
            assert_eq!(check(&caller(&others, "*"), &mut command.clone()), expected, "{command:?}");
            let mine: Vec<_> = right.into_iter().collect();
            assert!(check(&caller(&mine, "*"), &mut command.clone()).is_ok(), "{command:?}");
            assert_eq!(check(&caller(&mine, "web"), &mut command.clone()).is_ok(), !whole, "{command:?}");
        }
    }

    #[test]
    fn what_is_given_reaches_no_further_than_the_caller() {
        let caller = caller(Permission::ALL, "web:*");
        let mut command = Command::Start { target: Target::all(), wait: true };
        assert_eq!(check(&caller, &mut command), Ok(()));
        let Command::Start { target, .. } = command else { panic!("it is another command") };
        assert!(target.programs.covers("web", "x") && !target.programs.covers("db", "x"));
        let mut command = Command::RemoveGroup { name: "db".into() };
        assert_eq!(check(&caller, &mut command), Err(Denied::BadName("db".into())));
    }

    #[test]
    fn changes_of_the_configuration_are_told_as_far_as_they_concern_the_caller() {
        let reply = Reply::Reread {
            added: vec!["web".into(), "db".into()],
            changed: vec![],
            removed: vec!["old".into()],
        };
        let told = seen(&caller(&[], "web"), reply, None);
        assert_eq!(told, Reply::Reread { added: vec!["web".into()], changed: vec![], removed: vec![] });
    }

    #[test]
    fn listeners_are_for_those_who_may_see_their_whole_group() {
        let others: Vec<_> =
            Permission::ALL.iter().copied().filter(|right| *right != Permission::Status).collect();
        assert_eq!(check_pools(&caller(&others, "*")), Err(Denied::Missing(Permission::Status)));
        assert_eq!(check_pools(&caller(&[Permission::Status], "web")), Ok(()));
        let seen = |programs| {
            let seen = seen_pools(&caller(&[], programs), vec![pool("web"), pool("db")]);
            seen.into_iter().map(|pool| pool.name).collect::<Vec<_>>()
        };
        assert_eq!(seen("*"), ["web", "db"]);
        assert_eq!(seen("w*, x:*"), ["web"]);
        assert_eq!(seen("web:ear"), [""; 0]);
    }
}
