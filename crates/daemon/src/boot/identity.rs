//! Dropping privileges, in keeper and brain alike (SPEC 1.8 step 4).

use nix::unistd::{Gid, Uid, setgid, setgroups, setuid};
use provost_config::{LogLevel, Message, User};
use provost_keeper::{Link, ToKeeper};

use super::Refusal;
use crate::launch;

const AS_ROOT: &str = "Supervisor is running as root.  Privileges were not dropped because no user is \
specified in the config file.  If you intend to run as root, you can set user=root in the config file \
to avoid this message.";

/// Becomes the configured user, if there is one; returns what the log should say about it.
pub(super) fn assume(user: Option<&User>, link: &mut Link) -> Result<Option<Message>, Refusal> {
    let now = Uid::current();
    let Some(user) = user else {
        let message = Message { level: LogLevel::Critical, text: AS_ROOT.to_owned() };
        return Ok(now.is_root().then_some(message));
    };
    if !user.is(now.as_raw(), Gid::current().as_raw()) {
        if !now.is_root() {
            return Err(Refusal::usage("Can't drop privilege as nonroot user"));
        }
        let identity = launch::identity(user);
        let groups: Vec<Gid> = identity.groups.iter().copied().map(Gid::from_raw).collect();
        let refuse = |text: &'static str| move |_| Refusal::usage(text);
        setgroups(&groups).map_err(refuse("Could not set groups of effective user"))?;
        setgid(Gid::from_raw(identity.gid)).map_err(refuse("Could not set group id of effective user"))?;
        setuid(Uid::from_raw(identity.uid)).map_err(refuse("Could not set user id of effective user"))?;
        link.send(ToKeeper::Become(identity))?;
    }
    let text = format!("Set uid to user {} succeeded", user.uid);
    Ok(Some(Message { level: LogLevel::Info, text }))
}
