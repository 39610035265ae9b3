//! What a lane has to tell of: to the main loop, which says it in the main log.

use provost_config::LogLevel;

use super::pump::Notice;
use crate::wake::Post;

#[derive(Debug, Clone)]
pub(super) struct Reports(pub(super) Post<Notice>);

impl Reports {
    pub(super) fn send(&self, notice: Notice) {
        // Nobody hears it when the brain is about to end.
        let _ = self.0.send(notice);
    }

    /// A line for the main log.
    pub(super) fn say(&self, level: LogLevel, text: String) {
        self.send(Notice::Say { level, text });
    }
}
