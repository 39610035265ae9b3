//! The files of a server while it runs: looked at when somebody connects, and used once they are good.

use std::sync::{Mutex, PoisonError};

use provost_api::{Identity, Renew};
use provost_config::LogLevel;

use super::Files;
use super::papers::{Mark, Papers};
use crate::logs::Notice;
use crate::wake::Post;

/// One server.
#[derive(Debug)]
pub(super) struct Watched {
    files: Files,
    known: Mutex<Known>,
    notices: Post<Notice>,
}

#[derive(Debug)]
struct Known {
    /// What is in use.
    papers: Option<Papers>,
    /// How the files looked when they were read last; what came of it has been told.
    seen: Vec<Option<Mark>>,
}

impl Renew for Watched {
    fn look(&self) -> Option<Identity> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let now: Vec<_> =
            self.files.paths().map(|(_, path)| std::fs::metadata(path).ok().map(|m| Mark::of(&m))).collect();
        // A file that is not there, or that we may not look for, is no news.
        let is_news = |(at, mark): (usize, &Option<Mark>)| mark.is_some() && known.seen.get(at) != Some(mark);
        if !now.iter().enumerate().any(is_news) {
            return None;
        }
        known.seen = now;
        let (identity, papers) = match self.files.read() {
            Ok(read) => read,
            Err(why) => {
                self.say(LogLevel::Warn, format!("{why}; the certificate in use stays"));
                return None;
            }
        };
        if known.papers.as_ref().is_some_and(|old| old.pem() == papers.pem()) {
            return None;
        }
        let files = &self.files;
        self.say(
            LogLevel::Info,
            format!("[{}] uses the new certificate in {}", files.section, files.tls.certfile.display()),
        );
        for text in files.advice(&identity) {
            self.say(LogLevel::Warn, text);
        }
        match papers.share() {
            Ok(fd) => self.send(Notice::Keep { name: files.held_as(), fd }),
            Err(e) => self.say(LogLevel::Warn, format!("cannot keep it for a later brain: {e}")),
        }
        known.papers = Some(papers);
        Some(identity)
    }
}

impl Watched {
    pub(super) fn new(files: Files, papers: Option<Papers>, notices: Post<Notice>) -> Watched {
        let seen = papers.as_ref().map(Papers::marks).unwrap_or_default();
        Watched { files, known: Mutex::new(Known { papers, seen }), notices }
    }

    fn say(&self, level: LogLevel, text: String) {
        self.send(Notice::Say { level, text });
    }

    fn send(&self, notice: Notice) {
        // Nobody hears it when the brain is about to end.
        let _ = self.notices.send(notice);
    }
}
