//! Files in a lane: who uses which outlet, what is done to it on somebody's wish, and what a dead brain had not written there.

use super::*;

impl Lane {
    /// Finishes what a dead brain had begun.
    pub(super) fn recover(&mut self) {
        if let Some(recovered) = self.carrier.journal().map(Journal::recover) {
            self.stalled = told_of(recovered, &self.parts.reports);
        }
        for (journal, stalled) in &mut self.abandoned {
            *stalled = told_of(journal.recover(), &self.parts.reports);
        }
        self.plan_leftovers();
    }

    pub(super) fn plan_leftovers(&mut self) {
        self.abandoned.retain(|(_, stalled)| !stalled.is_empty());
        if !self.stalled.is_empty() || !self.abandoned.is_empty() {
            self.due.insert((clock::now().mono + LOOK_AGAIN, Due::Leftovers));
        }
    }

    /// Tries again what a dead brain could not write.
    pub(super) fn try_leftovers(&mut self) {
        if let Some(journal) = self.carrier.journal() {
            self.stalled = try_again(journal, std::mem::take(&mut self.stalled));
        }
        for (journal, stalled) in &mut self.abandoned {
            *stalled = try_again(journal, std::mem::take(stalled));
        }
        self.plan_leftovers();
    }

    pub(super) fn using(&mut self, key: Key) {
        if let Some(shared) = self.outlets.get_mut(&key) {
            shared.users += 1;
        }
    }

    pub(super) fn release_all(&mut self, child: &Child) {
        for (key, _) in &child.outlets {
            self.release(*key);
        }
    }

    pub(super) fn release(&mut self, key: Key) {
        let Some(shared) = self.outlets.get_mut(&key) else { return };
        shared.users -= 1;
        // What waits for room keeps it.
        if shared.users == 0 && shared.wait.is_none() {
            self.remove(key);
        }
    }

    pub(super) fn remove(&mut self, key: Key) {
        // A program that ends again and again has the same trouble each time.
        match self.outlets.remove(&key) {
            Some(shared) if shared.outlet.is_troubled() => drop(self.troubled.insert(key)),
            _ => drop(self.troubled.remove(&key)),
        }
    }

    /// Whether or not somebody writes there now.
    pub(super) fn do_to(&mut self, key: Key, deed: LogDeed, plan: OutletPlan) -> Result<(), String> {
        let Some(shared) = self.outlets.get_mut(&key) else { return outlet::do_to_closed(deed, plan) };
        let result = shared.outlet.do_to(deed);
        if deed == LogDeed::Clear {
            let of_this = self.sources.values_mut().filter(|source| source.outlet == Some(key));
            of_this
                .filter_map(|source| source.treatment.as_mut())
                .for_each(|treatment| treatment.forget_captured());
        }
        self.try_again(key);
        result
    }

    /// From here on with other customs. Those who write there go on.
    pub(super) fn renew(&mut self, key: Key, plan: OutletPlan) {
        let course = plan.course.clone();
        let children = self.children.values_mut().flat_map(|child| &mut child.outlets);
        for (_, old) in children.filter(|(of, _)| *of == key) {
            old.clone_from(&course);
        }
        let writes = |source: &Source| source.outlet == Some(key) && source.course() != course.as_ref();
        let tokens = self.sources.iter().filter(|(_, source)| writes(source));
        for token in tokens.map(|(token, _)| *token).collect::<Vec<_>>() {
            // Half a line that was held back comes out as it would have.
            self.end_treatment(token, Parting::HandOver);
            let Some(source) = self.sources.get_mut(&token) else { continue };
            if let (Some(child), Some(course), Key::Of(_, output)) = (source.child, &course, key) {
                source.treatment = Some(Treatment::new(child, output, source.pid, course));
            }
        }
        let Some(shared) = self.outlets.get_mut(&key) else { return };
        shared.outlet.renew(plan, &self.parts.reports);
        // It may be dropped by now what has waited.
        self.try_again(key);
    }

    /// Its process writes elsewhere; who is still there goes on where it was.
    pub(super) fn leave_behind(&mut self, key: Key) {
        let Some(shared) = self.outlets.remove(&key) else { return };
        let former = Key::Former(self.next_token);
        self.next_token += 1;
        self.troubled.remove(&key);
        self.outlets.insert(former, shared);
        let sources = self.sources.values_mut().filter(|source| source.outlet == Some(key));
        sources.for_each(|source| source.outlet = Some(former));
        self.rooms.values_mut().filter(|of| **of == key).for_each(|of| *of = former);
        let children = self.children.values_mut().chain(self.endings.values_mut().map(|e| &mut e.entry));
        for (of, _) in children.flat_map(|child| &mut child.outlets).filter(|(of, _)| *of == key) {
            *of = former;
        }
        let renamed = |due: Due| match due {
            Due::Room(of) if of == key => Due::Room(former),
            Due::Tell(of) if of == key => Due::Tell(former),
            other => other,
        };
        self.due = std::mem::take(&mut self.due).into_iter().map(|(at, due)| (at, renamed(due))).collect();
    }

    pub(super) fn reopen(&mut self) {
        // What was said before belongs into the file of before.
        self.say_all();
        for shared in self.outlets.values_mut() {
            shared.outlet.reopen(&self.parts.reports);
        }
        let waiting = self.outlets.iter().filter(|(_, shared)| shared.wait.is_some());
        for key in waiting.map(|(key, _)| *key).collect::<Vec<_>>() {
            self.try_again(key);
        }
    }
}

/// Says what there is to say; what is left.
fn told_of(recovered: Recovered, reports: &Reports) -> Vec<Stalled> {
    for (level, text) in recovered.said {
        reports.say(level, text);
    }
    let told = recovered.stalled.into_iter().map(|(stalled, e)| {
        let (path, bytes) = (stalled.path().display(), stalled.left());
        if e.kind() != io::ErrorKind::WouldBlock {
            let text = format!("cannot write to {path}: {e}; {bytes} bytes that a brain died writing wait");
            reports.say(LogLevel::Critical, text);
        }
        stalled
    });
    told.collect()
}

/// What is left of it.
fn try_again(journal: &mut Journal, stalled: Vec<Stalled>) -> Vec<Stalled> {
    let tried = stalled.into_iter().map(|mut stalled| {
        if let Ok(to) = recovery::open_or_make(stalled.path()) {
            // What remains tells how it went.
            let _ = journal.put_aside(&mut stalled, &to);
        }
        stalled
    });
    tried.filter(|stalled| stalled.left() > 0).collect()
}
