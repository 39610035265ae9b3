//! The file of a `[unix_http_server]`.
//!
//! A socket is bound under a name of its own and published by a link, complete with mode and owner, so nobody ever meets it half
//! made, and of two daemons that start at once only one can have the name. A name that is taken is tried first: an answer
//! means another daemon, silence a stale file. What is no socket was not made by us, and is not removed.

use std::io;
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use super::inet::BACKLOG;
use super::{refused, taken};
use crate::boot::Refusal;
use crate::console::complain;
use crate::unix_socket;

/// The longest path of a socket; the kernel's structure has one byte more, for the zero.
const LONGEST: usize = 107;

/// Mode and owner.
pub(super) type Access = (u32, Option<u32>, Option<u32>);

pub(super) fn open(section: &str, file: &Path, access: Access) -> Result<UnixListener, Refusal> {
    let place = format!("[{section}] file={}", file.display());
    let length = file.as_os_str().len();
    if length > LONGEST {
        let text = format!(
            "Cannot open an HTTP server: {place}: the path of a socket has at most {LONGEST} bytes, and this has {length}"
        );
        return Err(Refusal::usage(text));
    }
    clear_the_name(section, file)?;
    publish(file, access).map_err(|e| match e.kind() {
        io::ErrorKind::AlreadyExists => Refusal::usage(taken::unix(section, file)),
        _ => refused(&place, &e),
    })
}

pub(super) fn somebody_answers(file: &Path) -> bool {
    match UnixStream::connect(file) {
        Ok(_) => true,
        // A full queue is somebody's too.
        Err(e) => e.kind() == io::ErrorKind::WouldBlock,
    }
}

/// Removes a stale socket; refuses where somebody answers, and where there is something else.
fn clear_the_name(section: &str, file: &Path) -> Result<(), Refusal> {
    if file.symlink_metadata().is_err() {
        return Ok(());
    }
    if somebody_answers(file) {
        return Err(Refusal::usage(taken::unix(section, file)));
    }
    // A link that leads nowhere is as stale as a socket.
    if let Ok(found) = file.metadata()
        && !found.file_type().is_socket()
    {
        let what = if found.is_dir() { "a directory" } else { "a file" };
        let text = format!(
            "Cannot open an HTTP server: [{section}] file={}: there is {what} of this name, which is no socket; \
             remove it, or choose another name",
            file.display()
        );
        return Err(Refusal::usage(text));
    }
    complain(&format!("Unlinking stale socket {}", file.display()));
    std::fs::remove_file(file).map_err(|e| refused(&format!("[{section}] file={}", file.display()), &e))
}

fn publish(file: &Path, (chmod, uid, gid): Access) -> io::Result<UnixListener> {
    let hidden = hidden_name(file);
    // Left over from a daemon of our number that was killed at this very point.
    let _ = std::fs::remove_file(&hidden);
    let listener = unix_socket::for_us_alone(|| UnixListener::bind(&hidden))?;
    let complete = unix_socket::give_away(&hidden, Some(chmod), (uid, gid))
        .and_then(|()| rustix::net::listen(&listener, BACKLOG).map_err(io::Error::from))
        .and_then(|()| std::fs::hard_link(&hidden, file));
    let _ = std::fs::remove_file(&hidden);
    complete.map(|()| listener)
}

/// Supervisor's name for it, or a shorter one where that is too long.
fn hidden_name(file: &Path) -> PathBuf {
    let number = format!(".{}", std::process::id());
    let mut usual = file.as_os_str().to_owned();
    usual.push(&number);
    if usual.len() <= LONGEST { usual.into() } else { file.with_file_name(number) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_just_fits_is_made_under_a_shorter_one() {
        assert_eq!(hidden_name(Path::new("/run/s")), Path::new(&format!("/run/s.{}", std::process::id())));
        let long = format!("/run/{}", "s".repeat(102));
        assert_eq!(hidden_name(Path::new(&long)), Path::new(&format!("/run/.{}", std::process::id())));
    }
}
