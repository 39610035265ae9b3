//! What the file of a unix socket tells of why nobody can be reached by it.
//!
//! In: its path, and how the connection failed. Out: a sentence. It looks at the file and the directories above it, and at who we are.

use std::fs::Metadata;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use nix::unistd::{Gid, Group, Uid, User, getgroups};

pub(super) fn on_socket(path: &Path, kind: io::ErrorKind) -> Option<String> {
    let shown = path.display();
    if !path.is_absolute() {
        return Some(format!("a unix address has three slashes: unix:///{shown}"));
    }
    match kind {
        io::ErrorKind::NotFound => {
            let missing = path.ancestors().skip(1).find(|dir| dir.exists()).and_then(|dir| {
                path.ancestors().find(|below| below.parent() == Some(dir)).filter(|below| *below != path)
            });
            Some(match missing {
                Some(dir) => format!("there is no directory {}", dir.display()),
                None => format!("there is no socket {shown}"),
            })
        }
        io::ErrorKind::ConnectionRefused => Some(match path.metadata() {
            Ok(found) if !found.file_type().is_socket() => format!("{shown} is no socket"),
            _ => format!(
                "the socket {shown} is there, and nobody listens: who made it has ended, or is just starting"
            ),
        }),
        io::ErrorKind::PermissionDenied => Some(forbidden(path)),
        _ => None,
    }
}

/// Whose it is, and who may.
fn forbidden(path: &Path) -> String {
    // From the root downwards, the first that is not shown to us lies in what is closed.
    let hidden = path.ancestors().collect::<Vec<_>>().into_iter().rev().find(|step| step.metadata().is_err());
    let (closed, is_directory) = match hidden.and_then(Path::parent) {
        Some(dir) => (dir, true),
        None => (path, false),
    };
    let Ok(found) = closed.metadata() else { return format!("{} may not be opened", closed.display()) };
    let me = named(Uid::effective());
    format!("{}; you are {me}{}", whose(closed, &found, is_directory), remedy(&found, is_directory))
}

fn whose(path: &Path, found: &Metadata, is_directory: bool) -> String {
    let (owner, group) = (named(Uid::from_raw(found.uid())), group_named(Gid::from_raw(found.gid())));
    let for_group = found.mode() & if is_directory { 0o010 } else { 0o020 } != 0;
    let who = match (for_group, found.uid()) {
        (true, _) => format!("{owner} and the group {group}"),
        (false, 0) => "root alone".to_owned(),
        (false, _) => format!("{owner} and root alone"),
    };
    let (kind, may) = if is_directory { ("the directory ", "look into it") } else { ("", "use it") };
    let mode = found.mode() & 0o7777;
    format!("{kind}{} is of {owner}:{group} with mode {mode:04o}, so {who} may {may}", path.display())
}

fn remedy(found: &Metadata, is_directory: bool) -> String {
    let (for_group, for_all) = if is_directory { (0o010, 0o001) } else { (0o020, 0o002) };
    let gid = Gid::from_raw(found.gid());
    if found.mode() & for_all != 0 {
        return ", who may by the mode; something else forbids it (SELinux, AppArmor, a sandbox)".to_owned();
    }
    let is_listed =
        Group::from_gid(gid).ok().flatten().is_some_and(|group| group.mem.contains(&named(Uid::effective())));
    let is_active = getgroups().is_ok_and(|groups| groups.contains(&gid));
    if found.mode() & for_group != 0 && is_listed && !is_active {
        return format!(
            ", who is in {0} but was not at the login: log in anew, or newgrp {0}",
            group_named(gid)
        );
    }
    "; try it with sudo, or let chmod= and chown= in [unix_http_server] name a group of yours".to_owned()
}

fn named(uid: Uid) -> String {
    User::from_uid(uid).ok().flatten().map_or_else(|| uid.to_string(), |user| user.name)
}

fn group_named(gid: Gid) -> String {
    Group::from_gid(gid).ok().flatten().map_or_else(|| gid.to_string(), |group| group.name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::net::UnixListener;

    #[test]
    fn a_socket_says_what_it_is() {
        let dir = std::env::temp_dir().join(format!("provost-ctl-socket-{}", std::process::id()));
        std::fs::create_dir(&dir).unwrap();
        let told = |path: &Path, kind| on_socket(path, kind).unwrap();
        let socket = dir.join("s");
        assert_eq!(
            told(&socket, io::ErrorKind::NotFound),
            format!("there is no socket {}", socket.display())
        );
        drop(UnixListener::bind(&socket).unwrap());
        std::fs::set_permissions(&socket, std::fs::Permissions::from_mode(0o700)).unwrap();
        assert!(told(&socket, io::ErrorKind::ConnectionRefused).contains("is there, and nobody listens"));
        let found = socket.metadata().unwrap();
        let (owner, group) = (named(Uid::from_raw(found.uid())), group_named(Gid::from_raw(found.gid())));
        let forbidden = told(&socket, io::ErrorKind::PermissionDenied);
        let wanted = format!("{} is of {owner}:{group} with mode 0700, so {owner}", socket.display());
        assert!(forbidden.starts_with(&wanted), "{forbidden}");
        assert!(forbidden.contains("; try it with sudo, or let chmod="), "{forbidden}");
        std::fs::set_permissions(&socket, std::fs::Permissions::from_mode(0o777)).unwrap();
        assert!(told(&socket, io::ErrorKind::PermissionDenied).contains("something else forbids it"));
        std::fs::remove_file(&socket).unwrap();
        std::fs::write(&socket, "").unwrap();
        assert_eq!(
            told(&socket, io::ErrorKind::ConnectionRefused),
            format!("{} is no socket", socket.display())
        );
        std::fs::remove_dir_all(dir).unwrap();
        assert_eq!(
            told(Path::new("run/s"), io::ErrorKind::NotFound),
            "a unix address has three slashes: unix:///run/s"
        );
    }
}
