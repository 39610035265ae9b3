//! The end of a lane: for good, or because another brain goes on. What filters hold is given out, what waits is given a moment, and
//! what is lost is said.

use super::*;

impl Lane {
    /// Writes all that is in the main log's pipe.
    pub(super) fn say_all(&mut self) {
        while let Flow::Some(_) = self.read(MAIN_LOG) {}
    }

    /// What is held back of what programs have said goes where it belongs.
    pub(super) fn part(&mut self, parting: Parting) {
        for token in self.sources.keys().copied().collect::<Vec<_>>() {
            self.end_treatment(token, parting);
        }
    }

    /// Whether the end may come: nothing is stuck, or it has been waited for.
    pub(super) fn has_come_to_rest(&self) -> bool {
        let Some(Quitting { until, for_good, .. }) = &self.quitting else { return false };
        let is_stuck = |shared: &Shared| {
            let waits = shared.wait.is_some() && !shared.outlet.has_room();
            shared.outlet.holds() || (*for_good && waits)
        };
        !self.outlets.values().any(is_stuck) || clock::now().mono >= *until
    }

    /// Whether the end has come: nothing waits any more, or it has waited long enough.
    pub(super) fn has_quit(&mut self) -> bool {
        if !self.has_come_to_rest() {
            return false;
        }
        if !std::mem::replace(&mut self.rests, true) {
            // Whoever still writes is no longer heard.
            self.part(Parting::End);
            if !self.has_come_to_rest() {
                return false;
            }
        }
        let Some(Quitting { lines, for_good, .. }) = self.quitting.take() else { return false };
        self.say_all();
        let mut lost = Vec::new();
        for (_, shared) in self.outlets.iter().filter(|(key, _)| **key != Key::MainLog) {
            let pipes = shared.parked.iter().filter_map(|token| self.sources.get(token));
            let unread: u64 = pipes.map(|source| ioctl_fionread(&source.pipe).unwrap_or(0)).sum();
            let unread = if for_good { unread } else { 0 };
            lost.extend(shared.outlet.rest(unread, for_good));
        }
        match self.outlets.get_mut(&Key::MainLog) {
            // The main loop has said its last words, and ours can only be put before them.
            Some(main_log) => {
                let lost: String = lost.iter().map(|text| outlet::main_line(text)).collect();
                let lines = lost + &String::from_utf8_lossy(&lines);
                main_log.outlet.add(&lines, &self.parts.reports);
            }
            None => lost.into_iter().for_each(|text| self.reports().say(LogLevel::Critical, text)),
        }
        true
    }
}
