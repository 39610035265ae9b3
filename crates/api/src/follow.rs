//! `/logtail/NAME[/CHANNEL]` and `/mainlogtail`: the end of a log, then what is added to it (SPEC 6.9).
//!
//! The kernel says when the file grows or is replaced (`watches.rs`); nobody polls. When another file takes the name (rotation),
//! the old one is read to its end first, then the new one from its beginning.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::Arc;

use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderName, HeaderValue, LAST_MODIFIED};
use hyper::{Response, StatusCode, Uri};
use jiff::Timestamp;
use tokio::sync::mpsc;

use crate::answer::{Answer, error};
use crate::disks::Disks;
use crate::gate::Refused;
use crate::log_address::{self, Wanted};
use crate::room::Rooms;
use crate::session::Session;
use crate::shared::OpenLog;
use crate::watches::Watch;

/// How much of what is already there comes first.
const FIRST: u64 = 1024;
/// One piece of the stream at most; a slow client holds two of these and no more.
const PIECE: usize = 64 * 1024;

/// What Supervisor means to say when a log shrinks in place.
const TRUNCATED: &[u8] = b"==> File truncated <==\n";

pub(crate) async fn answer(address: &Uri, session: Session<'_>, rooms: &Rooms) -> Response<Answer> {
    let wanted = log_address::wanted(address.path());
    let of_process = wanted != Some(Wanted::Main);
    let log = match wanted {
        Some(Wanted::Main) => session.main_log(),
        Some(Wanted::Process { name, output }) => session.log_path(&name, output).await,
        None => Ok(None),
    };
    let from = log_address::from(address.query());
    let log = match log {
        Ok(Some(log)) => log,
        Err(Refused::NotAllowed { .. }) => return error(StatusCode::FORBIDDEN),
        Ok(None) | Err(Refused::Fault(_)) => return error(StatusCode::NOT_FOUND),
    };
    let Ok(place) = Arc::clone(&rooms.followers).try_acquire_owned() else {
        return error(StatusCode::SERVICE_UNAVAILABLE);
    };
    let (open_log, watches) = (session.shared.facts.open_log, session.shared.watches.clone());
    let path = log.clone();
    let open = move || {
        let log = Followed::open(path, from, open_log)?;
        let (modified, watch) = (log.modified(), watches.watch(&log.path));
        Some((log, watch, modified))
    };
    match session.shared.disks.ask(&log, open).await {
        Ok(Some((log, watch, modified))) => {
            let (sender, receiver) = mpsc::channel(1);
            let (shared, caller) = (Arc::clone(session.shared), session.caller.clone());
            tokio::spawn(async move {
                tokio::select! {
                    () = follow(log, watch, Arc::clone(&shared.disks), sender) => {}
                    () = shared.loses(&caller) => {}
                }
                drop(place);
            });
            stream(receiver, modified, of_process)
        }
        Ok(None) => error(StatusCode::NOT_FOUND),
        Err(_) => error(StatusCode::GATEWAY_TIMEOUT),
    }
}

fn stream(pieces: mpsc::Receiver<Bytes>, modified: Option<String>, of_process: bool) -> Response<Answer> {
    let mut response = Response::new(Answer::Growing(pieces));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain;charset=utf-8"));
    if let Some(modified) = modified.and_then(|date| HeaderValue::from_str(&date).ok()) {
        headers.insert(LAST_MODIFIED, modified);
    }
    if of_process {
        headers.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    }
    response
}

fn http_date(seconds: i64) -> String {
    let at = Timestamp::from_second(seconds).unwrap_or_default();
    at.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

/// Sends the log until the client goes away.
async fn follow(mut log: Followed, mut watch: Watch, disks: Arc<Disks>, client: mpsc::Sender<Bytes>) {
    let path = log.path.clone();
    loop {
        loop {
            let more = move || (log.more(), log);
            let (piece, read) = tokio::select! {
                () = client.closed() => return,
                read = disks.work(&path, more) => match read {
                    Ok(read) => read,
                    Err(_) => return,
                },
            };
            log = read;
            match piece {
                Ok(piece) if piece.is_empty() => break,
                Ok(piece) => {
                    if client.send(piece.into()).await.is_err() {
                        return;
                    }
                }
                Err(_) => return,
            }
        }
        tokio::select! {
            () = client.closed() => return,
            () = watch.changed() => {}
        }
    }
}

/// A log by name, and the file that has the name now.
struct Followed {
    path: PathBuf,
    open_log: OpenLog,
    file: File,
    at: u64,
}

impl Followed {
    /// Opens a log near its end, or where the client says, if the log is that long. Only a regular file can be followed.
    fn open(path: PathBuf, from: Option<u64>, open_log: OpenLog) -> Option<Followed> {
        let file = open_log(&path).ok()?;
        let size = file.metadata().ok()?.len();
        let at = from.filter(|from| *from <= size).unwrap_or(size.saturating_sub(FIRST));
        Some(Followed { path, open_log, file, at })
    }

    fn modified(&self) -> Option<String> {
        self.file.metadata().ok().map(|meta| http_date(meta.mtime()))
    }

    /// The next piece; empty where there is nothing new.
    fn more(&mut self) -> io::Result<Vec<u8>> {
        let size = self.file.metadata()?.len();
        if size < self.at {
            self.at = size;
            return Ok(TRUNCATED.to_vec());
        }
        let mut piece = self.read(size)?;
        if piece.is_empty() && self.replaced() {
            // What was written between the two looks comes before all that is in the new file.
            piece = self.read(self.file.metadata()?.len())?;
            if piece.is_empty() {
                self.file = (self.open_log)(&self.path)?;
                self.at = 0;
                return self.more();
            }
        }
        Ok(piece)
    }

    /// What is there, if the file is as large as this. No more room is taken than that: most pieces are a line, and each is held
    /// until its client has read it.
    fn read(&mut self, size: u64) -> io::Result<Vec<u8>> {
        let room = usize::try_from(size.saturating_sub(self.at)).unwrap_or(PIECE).min(PIECE);
        if room == 0 {
            return Ok(Vec::new());
        }
        self.file.seek(SeekFrom::Start(self.at))?;
        let mut piece = vec![0; room];
        let n = self.file.read(&mut piece)?;
        piece.truncate(n);
        self.at += n as u64;
        Ok(piece)
    }

    /// Whether another file has the name by now.
    fn replaced(&self) -> bool {
        let id = |meta: std::fs::Metadata| (meta.dev(), meta.ino());
        match (self.file.metadata(), std::fs::metadata(&self.path)) {
            (Ok(ours), Ok(theirs)) => theirs.is_file() && id(ours) != id(theirs),
            // Between two steps of a rotation the name may be free for a moment.
            (Err(_), _) | (_, Err(_)) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn sample(name: &str, content: &[u8]) -> PathBuf {
        let path = std::env::temp_dir().join(format!("provost-follow-{}-{name}", std::process::id()));
        std::fs::write(&path, content).unwrap();
        path
    }

    #[test]
    fn a_log_is_followed_from_near_its_end_across_a_rotation() {
        let path = sample("rotate", &[b'x'; 3000]);
        let mut log = Followed::open(path.clone(), None, |path| File::open(path)).unwrap();
        assert_eq!(log.more().unwrap().len(), 1024);
        assert_eq!(log.more().unwrap(), b"");

        let mut old = File::options().append(true).open(&path).unwrap();
        let backup = path.with_extension("1");
        std::fs::rename(&path, &backup).unwrap();
        old.write_all(b"last of the old\n").unwrap();
        std::fs::write(&path, b"first of the new\n").unwrap();
        assert_eq!(log.more().unwrap(), b"last of the old\n");
        assert_eq!(log.more().unwrap(), b"first of the new\n");
        for file in [&path, &backup] {
            std::fs::remove_file(file).unwrap();
        }
    }

    #[test]
    fn a_line_is_held_in_no_more_room_than_it_takes() {
        let path = sample("room", b"");
        let mut log = Followed::open(path.clone(), None, |path| File::open(path)).unwrap();
        assert_eq!(log.more().unwrap().capacity(), 0);
        let mut file = File::options().append(true).open(&path).unwrap();
        file.write_all(b"a line\n").unwrap();
        assert_eq!(log.more().unwrap().capacity(), 7);
        file.write_all(&[b'x'; PIECE + 1]).unwrap();
        let pieces = [(); 3].map(|()| log.more().unwrap().len());
        assert_eq!(pieces, [PIECE, 1, 0]);
        std::fs::remove_file(&path).unwrap();
    }

    #[test]
    fn whoever_knows_the_beginning_gets_what_follows_it() {
        let path = sample("from", b"one\ntwo\n");
        let from =
            |at| Followed::open(path.clone(), Some(at), |path| File::open(path)).unwrap().more().unwrap();
        assert_eq!(from(4), b"two\n");
        assert_eq!(from(8), b"");
        assert_eq!(from(9), b"one\ntwo\n", "another file than the client knows");
        std::fs::remove_file(&path).unwrap();
    }

    #[test]
    fn a_log_cut_in_place_says_so_and_goes_on() {
        let path = sample("cut", b"one\ntwo\n");
        let mut log = Followed::open(path.clone(), None, |path| File::open(path)).unwrap();
        assert_eq!(log.more().unwrap(), b"one\ntwo\n");
        std::fs::write(&path, b"").unwrap();
        assert_eq!(log.more().unwrap(), TRUNCATED);
        std::fs::write(&path, b"three\n").unwrap();
        assert_eq!(log.more().unwrap(), b"three\n");
        std::fs::remove_file(&path).unwrap();
    }
}
