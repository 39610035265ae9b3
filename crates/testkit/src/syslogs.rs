//! A machine's syslog and journal that are the test's: a supervisord that finds its sockets where the system has them.
//!
//! In: an implementation and a directory with the sockets. Out: the same implementation in a mount namespace of its own, where
//! `/dev/log` and journald's socket lead to these, and nothing else of the kind is to be seen. The machine's own are left alone.
//! Becoming somebody who may mount takes root, or a kernel that lets users have namespaces.

use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::implementation::Implementation;

/// The name of the socket, in the directory, that is to be `/dev/log`; a file, where nobody listens.
pub const DEV_LOG: &str = "dev-log";
/// The same for journald's.
pub const JOURNAL: &str = "journal-socket";

/// Mounts on the way to the words behind it. Nothing of the old /dev is needed but what is linked here.
const SCRIPT: &str = r#"
set -e
dir=$0
mkdir "$dir/dev" "$dir/run"
mount -t tmpfs none "$dir/dev"
mount -t tmpfs none "$dir/run"
touch "$dir/dev/null"
mount --bind /dev/null "$dir/dev/null"
ln -s /proc/self/fd "$dir/dev/fd"
ln -s /proc/self/fd/1 "$dir/dev/stdout"
ln -s /proc/self/fd/2 "$dir/dev/stderr"
if [ -e "$dir/dev-log" ]; then
    touch "$dir/dev/log"
    mount --bind "$dir/dev-log" "$dir/dev/log"
fi
if [ -e "$dir/journal-socket" ]; then
    mkdir -p "$dir/run/systemd/journal"
    touch "$dir/run/systemd/journal/socket"
    mount --bind "$dir/journal-socket" "$dir/run/systemd/journal/socket"
fi
mount --rbind "$dir/dev" /dev
mount --rbind "$dir/run" /run
exec "$@"
"#;

impl Implementation {
    /// This daemon where syslog and journal are the sockets in `directory`; nothing where that cannot be arranged.
    #[must_use]
    pub fn with_syslogs_in(&self, directory: &Path) -> Option<Implementation> {
        let unshare = if rustix::process::geteuid().is_root() { "-m" } else { "-mUr" };
        let can = Command::new("unshare").args([unshare, "true"]).stderr(Stdio::null()).status();
        if !can.is_ok_and(|status| status.success()) {
            return None;
        }
        let words = ["unshare", unshare, "sh", "-c", SCRIPT].map(OsString::from);
        let mut supervisord = words.to_vec();
        supervisord.push(directory.into());
        supervisord.extend(self.supervisord.iter().cloned());
        Some(Implementation { supervisord, ..self.clone() })
    }
}
