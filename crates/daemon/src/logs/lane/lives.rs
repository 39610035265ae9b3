//! A child's life in a lane: its outlets are opened, its pipes watched, its last words written down before its end is told.

use super::super::journal::Leftover;
use super::*;

impl Lane {
    pub(super) fn open(
        &mut self,
        child: ChildId,
        process: ProcessId,
        plans: Vec<(Output, OutletPlan)>,
        on_refusal: OnRefusal,
    ) -> Result<(), i32> {
        let mut entry = Child::default();
        for (output, plan) in plans {
            let key = Key::Of(process, output);
            let course = plan.course.clone();
            // The last child's files may still be open: a grandchild of it writes there.
            if self.outlets.get(&key).is_some_and(|shared| !shared.outlet.goes_to(&plan)) {
                self.leave_behind(key);
            } else if self.outlets.contains_key(&key) {
                self.renew(key, plan.clone());
            }
            if let Entry::Vacant(place) = self.outlets.entry(key) {
                match Outlet::open(plan, on_refusal, &self.parts.reports) {
                    Ok(mut outlet) => {
                        let stalled = std::mem::take(&mut self.stalled).into_iter();
                        self.stalled = stalled.filter_map(|stalled| outlet.adopt(stalled)).collect();
                        if self.troubled.contains(&key) {
                            outlet.go_on_troubled();
                        }
                        place.insert(Shared::new(outlet, 0));
                        self.see_to(key);
                    }
                    Err(e) => {
                        if e.raw_os_error().is_none() {
                            // There is more to say than a number.
                            self.reports().say(LogLevel::Critical, format!("cannot open a log: {e}"));
                        }
                        self.release_all(&entry);
                        return Err(open::errno(&e));
                    }
                }
            }
            self.using(key);
            entry.outlets.push((key, course));
        }
        self.children.insert(child, entry);
        Ok(())
    }

    /// The files of a child that runs already: one that cannot be opened is no reason to end it.
    pub(super) fn inherit(&mut self, Heir { child, process, outlets }: Heir) {
        // Nothing is refused here.
        let _ = self.open(child, process, outlets, OnRefusal::TryAgain);
    }

    pub(super) fn watch_both(
        &mut self,
        child: ChildId,
        pid: i32,
        Pipes { stdout, stderr }: Pipes,
        leftovers: Leftovers,
    ) {
        for (output, pipe) in [(Output::Stdout, Some(stdout)), (Output::Stderr, stderr)] {
            if let Some(pipe) = pipe {
                self.watch(child, pid, output, pipe, &leftovers);
            }
        }
    }

    fn watch(
        &mut self,
        child: ChildId,
        pid: i32,
        output: Output,
        pipe: OwnedFd,
        leftovers: &[(Output, Leftover)],
    ) {
        let entry = self.children.entry(child).or_default();
        let of_this = |(key, _): &&(Key, Option<Arc<Course>>)| matches!(key, Key::Of(_, o) if *o == output);
        let outlet = entry.outlets.iter().find(of_this).cloned();
        let token = self.next_token;
        self.next_token += 1;
        if let Err(e) = listen(&self.poll, &pipe, token) {
            let text = format!("cannot watch the output of a program: {e}");
            return self.reports().say(LogLevel::Critical, text);
        }
        entry.sources.push(token);
        let mut treatment = outlet
            .as_ref()
            .and_then(|(_, course)| course.as_ref())
            .map(|course| Treatment::new(child, output, pid, course));
        let key = outlet.map(|(key, _)| key);
        let leftover = leftovers.iter().find(|(of, _)| *of == output).map(|(_, leftover)| leftover);
        if let (Some(leftover), Some(treatment)) = (leftover, &mut treatment)
            && let Some(shared) = key.and_then(|key| self.outlets.get_mut(&key))
        {
            shared.outlet.take_up(leftover, treatment, &mut self.carrier, &self.parts.reports);
        }
        self.sources.insert(token, Source { pid, ..Source::new(pipe, Some(child), key, treatment) });
        if let Some(key) = key {
            self.using(key);
            if let Some(shared) = self.outlets.get_mut(&key) {
                shared.outlet.is_of(pid);
            }
        }
    }

    /// Writes down what a child has said before it ended, and then answers; where that finds no room, after a while.
    pub(super) fn finish(&mut self, child: ChildId, last_words: Option<String>, answer: Answer) {
        let entry = self.children.remove(&child).unwrap_or_default();
        for token in &entry.sources {
            if let Some(source) = self.sources.get_mut(token) {
                // At most what a pipe can hold, since a grandchild may go on filling it.
                source.left = Some(source.capacity);
            }
        }
        let tokens = entry.sources.clone();
        self.endings.insert(child, Ending { entry, last_words, answer });
        for token in tokens {
            if self.sources.get(&token).is_some_and(|source| source.watch != Watch::Parked) {
                self.drain(token);
            }
        }
        if self.has_said_all(child) {
            self.end(child);
        } else {
            self.due.insert((clock::now().mono + LAST_WORDS, Due::Ending(child)));
        }
    }

    pub(super) fn has_said_all(&self, child: ChildId) -> bool {
        self.endings.get(&child).is_some_and(|ending| {
            let mut sources = ending.entry.sources.iter().filter_map(|token| self.sources.get(token));
            sources.all(|source| source.left.is_none())
        })
    }

    /// A child's end is told, whether or not all it said could be written.
    pub(super) fn end(&mut self, child: ChildId) {
        let Some(Ending { entry, last_words, answer }) = self.endings.remove(&child) else { return };
        if let Some(words) = last_words
            && let Some(key) = entry.outlets.iter().map(|(key, _)| key).max()
            && let Some(shared) = self.outlets.get_mut(key)
        {
            // To standard error, or where that goes.
            let key = *key;
            shared.outlet.add(&words, &self.parts.reports);
            self.see_to(key);
        }
        let open: Vec<u64> =
            entry.sources.iter().copied().filter(|token| self.sources.contains_key(token)).collect();
        let lingers = !open.is_empty();
        self.lingering.extend(open.into_iter().map(|token| (token, child)));
        for (key, _) in &entry.outlets {
            self.limit_lingering(*key);
        }
        self.release_all(&entry);
        match answer {
            Answer::Drained => self.notify(Notice::Drained { child, lingers }),
            Answer::Dry if !lingers => self.notify(Notice::Dry { child }),
            Answer::Dry => {}
        }
    }

    /// Of programs that end again and again while their log takes nothing, only the last runs are kept waiting: each holds descriptors,
    /// and others need some, too.
    pub(super) fn limit_lingering(&mut self, key: Key) {
        let Some(shared) = self.outlets.get(&key) else { return };
        let of_the_dead = shared.parked.iter().copied().filter(|token| self.lingering.contains_key(token));
        let mut of_the_dead: Vec<u64> = of_the_dead.collect();
        of_the_dead.sort_unstable();
        let too_many = of_the_dead.len().saturating_sub(MOST_LINGERING);
        for token in of_the_dead.into_iter().take(too_many) {
            self.give_up(token, key);
        }
    }

    /// What is in this pipe is counted, and not kept.
    pub(super) fn give_up(&mut self, token: u64, key: Key) {
        let Some(source) = self.sources.get_mut(&token) else { return };
        let (mut flow, mut bytes) = (Flow::Some(0), 0);
        // A grandchild may go on filling it.
        while let Flow::Some(_) = flow
            && bytes <= source.capacity
        {
            flow = self.carrier.read(&source.pipe).0;
            bytes += if let Flow::Some(n) = flow { n } else { 0 };
        }
        source.left = None;
        if let Some(shared) = self.outlets.get_mut(&key) {
            shared.outlet.lose(bytes, "its program ended again and again meanwhile", &self.parts.reports);
            if flow == Flow::Ended {
                shared.parked.retain(|parked| *parked != token);
            }
        }
        if flow == Flow::Ended {
            self.close(token);
        }
    }

    /// Reads what was in the pipe when its child ended, as far as there is room for it.
    pub(super) fn drain(&mut self, token: u64) {
        while let Some(left) = self.sources.get(&token).and_then(|source| source.left) {
            self.beat();
            let flow = self.read(token);
            let Some(source) = self.sources.get_mut(&token) else { return };
            match flow {
                Flow::Some(n) if n < left => source.left = Some(left - n),
                Flow::Some(_) | Flow::Dry => source.left = None,
                Flow::Ended => self.close(token),
                Flow::NoRoom => return self.park(token),
            }
        }
    }
}
