//! Bytes in a lane: which pipe is read when, and what becomes of a piece.
//!
//! Most pipes are listened to; one whose program never pauses is read at ticks (`heat.rs`), one whose outlet has no room not at all
//! (`room.rs`).

use super::*;

impl Lane {
    /// A pipe has something, or its time has come.
    pub(super) fn flow(&mut self, token: u64) {
        // What is parked waits, though it was told of in the same breath.
        let Some(source) = self.sources.get(&token).filter(|source| source.watch != Watch::Parked) else {
            return;
        };
        let now = clock::now().mono;
        let most = match source.heat.is_hot() {
            // What comes meanwhile waits for the next time: of a program that never pauses there would be no end.
            true => usize::try_from(ioctl_fionread(&source.pipe).unwrap_or(0)).unwrap_or(usize::MAX).max(1),
            false => 1,
        };
        let mut bytes = 0;
        while bytes < most {
            match self.read(token) {
                Flow::Some(n) => bytes += n,
                Flow::Dry => break,
                Flow::Ended => return self.close(token),
                Flow::NoRoom => return self.park(token),
            }
        }
        self.heat(token, now, bytes);
    }

    pub(super) fn tick(&mut self, token: u64, at: Mono) {
        // It may have been parked meanwhile, or closed.
        if self.sources.get(&token).is_some_and(|source| source.watch == Watch::Tick(at)) {
            self.flow(token);
        }
    }

    /// A pipe was read: when it is read next.
    pub(super) fn heat(&mut self, token: u64, now: Mono, bytes: usize) {
        let Some(source) = self.sources.get_mut(&token) else { return };
        let mut next = source.heat.woke(now, bytes, source.capacity);
        // Whose pipe is found full waits for us: in a larger one it can go on meanwhile. Half of them are kept for who is hot.
        let is_full = bytes >= source.capacity && source.capacity < GROWN;
        let may_grow = next == Next::Grow || (is_full && self.grown < GROWN_AT_MOST / 2);
        if may_grow
            && self.grown < GROWN_AT_MOST
            && let Ok(capacity) = fcntl_setpipe_size(&source.pipe, GROWN)
        {
            source.capacity = capacity;
            self.grown += 1;
        }
        if next == Next::Grow {
            next = source.heat.grown(now, source.capacity);
        }
        match next {
            Next::Listen | Next::Grow => self.listen(token),
            Next::Cool => {
                self.shrink(token);
                self.listen(token);
            }
            Next::At(at) => self.wait_until(token, at),
            // Behind whatever is due now.
            Next::Again => self.wait_until(token, Mono(clock::now().mono.0 + 1)),
        }
    }

    pub(super) fn shrink(&mut self, token: u64) {
        let Some(source) = self.sources.get_mut(&token) else { return };
        if source.capacity >= GROWN
            && let Ok(capacity) = fcntl_setpipe_size(&source.pipe, PIPE)
        {
            source.capacity = capacity;
            self.grown = self.grown.saturating_sub(1);
        }
    }

    pub(super) fn wait_until(&mut self, token: u64, at: Mono) {
        self.unwatch(token);
        if let Some(source) = self.sources.get_mut(&token) {
            source.watch = Watch::Tick(at);
            self.hot += 1;
            self.due.insert((at, Due::Tick(token)));
        }
    }

    pub(super) fn listen(&mut self, token: u64) {
        let Some(source) = self.sources.get(&token) else { return };
        if source.watch == Watch::Listening {
            return;
        }
        self.unwatch(token);
        let Some(source) = self.sources.get_mut(&token) else { return };
        source.watch = Watch::Listening;
        if let Err(e) = listen(&self.poll, &source.pipe, token) {
            let text = format!("cannot watch the output of a program any more: {e}");
            self.parts.reports.say(LogLevel::Critical, text);
        }
    }

    /// From now on nothing is known of it.
    pub(super) fn unwatch(&mut self, token: u64) {
        let Some(source) = self.sources.get_mut(&token) else { return };
        match source.watch {
            // Closing would do, were there not the keeper's copy of the pipe; and what has hung up would be told of again and again.
            Watch::Listening => drop(epoll::delete(&self.poll, &source.pipe)),
            Watch::Tick(at) => {
                self.due.remove(&(at, Due::Tick(token)));
                self.hot -= 1;
            }
            Watch::Parked => {}
        }
        source.watch = Watch::Parked;
    }

    /// One piece out of a pipe, to where it goes.
    pub(super) fn read(&mut self, token: u64) -> Flow {
        let Some(source) = self.sources.get_mut(&token) else { return Flow::Dry };
        let treatment = source.treatment.as_deref_mut();
        if treatment.as_ref().is_some_and(|treatment| treatment.has_to_wait(&self.parts.reports)) {
            return Flow::NoRoom;
        }
        let Some(key) = source.outlet else { return self.carrier.read(&source.pipe).0 };
        let Some(shared) = self.outlets.get_mut(&key) else { return self.carrier.read(&source.pipe).0 };
        if !shared.parked.is_empty() {
            // There may be room by now, but others were here before.
            return Flow::NoRoom;
        }
        let flow = shared.outlet.carry(&source.pipe, treatment, &mut self.carrier, &self.parts.reports);
        self.see_to(key);
        flow
    }

    pub(super) fn close(&mut self, token: u64) {
        self.unwatch(token);
        self.shrink(token);
        self.end_treatment(token, Parting::End);
        let Some(source) = self.sources.remove(&token) else { return };
        if let Some(key) = source.outlet {
            self.release(key);
        }
        if let Some(child) = self.lingering.remove(&token)
            && self.lingering.values().all(|other| *other != child)
        {
            self.notify(Notice::Dry { child });
        }
    }

    /// What a treatment has held back goes where it belongs.
    pub(super) fn end_treatment(&mut self, token: u64, parting: Parting) {
        let Some(source) = self.sources.get_mut(&token) else { return };
        if let (Some(mut treatment), Some(key)) = (source.treatment.take(), source.outlet)
            && let Some(shared) = self.outlets.get_mut(&key)
        {
            shared.outlet.finish(&mut treatment, parting, &mut self.carrier, &self.parts.reports);
            self.see_to(key);
        }
    }
}

pub(super) fn listen(poll: &OwnedFd, pipe: &OwnedFd, token: u64) -> rustix::io::Result<()> {
    epoll::add(poll, pipe, EventData::new_u64(token), EventFlags::IN)
}
