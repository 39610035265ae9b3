//! The files of unix sockets: nobody but us may connect until they have their mode and owner, and nothing else gets these.
//!
//! The directory may be somebody else's, who can put another file in the place of the one that was just made; so it is held by a
//! descriptor, and looked at, before it is given away.

use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use rustix::fs::{AtFlags, CWD, FileType, Gid, Mode, OFlags, Uid, chownat, fstat, openat};

/// Runs a bind(2) whose file is for us alone. The mask is the whole process's, so nothing else is done under it.
pub(crate) fn for_us_alone<T>(bind: impl FnOnce() -> T) -> T {
    let before = rustix::process::umask(Mode::from_raw_mode(0o177));
    let bound = bind();
    rustix::process::umask(before);
    bound
}

/// Gives a socket that we have just made its mode and owner.
pub(crate) fn give_away(
    path: &Path,
    mode: Option<u32>,
    (uid, gid): (Option<u32>, Option<u32>),
) -> io::Result<()> {
    let file = openat(CWD, path, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())?;
    let found = fstat(&file)?;
    // A socket of another directory has two names here.
    if FileType::from_raw_mode(found.st_mode) != FileType::Socket || found.st_nlink != 1 {
        let text = "somebody has put something else in the place of the socket; use a directory where nobody else may write";
        return Err(io::Error::other(text));
    }
    if let Some(mode) = mode {
        let mode = std::fs::Permissions::from_mode(mode);
        let held = format!("/proc/self/fd/{}", file.as_raw_fd());
        match std::fs::set_permissions(held, mode.clone()) {
            // Nobody can take /proc away from under us; here it never was.
            Err(e) if e.kind() == io::ErrorKind::NotFound => std::fs::set_permissions(path, mode)?,
            other => other?,
        }
    }
    if uid.is_some() || gid.is_some() {
        chownat(&file, "", uid.map(Uid::from_raw), gid.map(Gid::from_raw), AtFlags::EMPTY_PATH)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;

    #[test]
    fn only_a_socket_of_ours_is_given_away() {
        let dir = std::env::temp_dir().join(format!("provost-socket-{}", std::process::id()));
        std::fs::create_dir(&dir).unwrap();
        let mode = |name: &str| dir.join(name).metadata().unwrap().permissions().mode() & 0o7777;
        let give = |name: &str| give_away(&dir.join(name), Some(0o751), (None, None));
        let _socket = for_us_alone(|| UnixListener::bind(dir.join("socket"))).unwrap();
        std::fs::write(dir.join("shadow"), "").unwrap();
        std::fs::set_permissions(dir.join("shadow"), PermissionsExt::from_mode(0o600)).unwrap();
        assert_eq!(mode("socket"), 0o600);

        symlink("shadow", dir.join("to-shadow")).unwrap();
        symlink("socket", dir.join("to-socket")).unwrap();
        for other in ["shadow", "to-shadow", "to-socket"] {
            assert!(give(other).is_err(), "{other}");
        }
        std::fs::hard_link(dir.join("socket"), dir.join("second")).unwrap();
        assert!(give("second").is_err());
        assert_eq!((mode("shadow"), mode("socket")), (0o600, 0o600));
        std::fs::remove_file(dir.join("second")).unwrap();
        give("socket").unwrap();
        assert_eq!(mode("socket"), 0o751);
        let (uid, gid) = (rustix::process::getuid().as_raw(), rustix::process::getgid().as_raw());
        give_away(&dir.join("socket"), None, (Some(uid), Some(gid))).unwrap();
        std::fs::remove_dir_all(&dir).unwrap();
    }
}
