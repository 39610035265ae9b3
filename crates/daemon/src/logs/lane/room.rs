//! Waiting for room: outlets that take no more, and the sources that are parked until they do.
//!
//! Whatever waits has a timer, so that nothing is waited for for ever; most are woken by a descriptor long before.

use super::*;

impl Lane {
    /// Nothing is read from this one until its outlet has room.
    pub(super) fn park(&mut self, token: u64) {
        self.unwatch(token);
        let Some(source) = self.sources.get_mut(&token) else { return };
        let Some(key) = source.outlet else { return };
        let Some(shared) = self.outlets.get_mut(&key) else { return };
        shared.parked.push_back(token);
        let is_held_up = !shared.outlet.takes_more();
        match &mut shared.wait {
            // Its listeners have to catch up.
            None => self.begin_to_wait(key),
            // They as well, and nobody knows when there is room.
            Some(Wait { timer: Some(timer), .. }) if !is_held_up => {
                self.due.remove(&(*timer, Due::Room(key)));
                *timer = (*timer).min(clock::now().mono + SHORTLY);
                self.due.insert((*timer, Due::Room(key)));
            }
            Some(_) => {}
        }
    }

    /// Whatever has just been done to an outlet: if something of it is left to do, it waits.
    pub(super) fn see_to(&mut self, key: Key) {
        let Some(shared) = self.outlets.get(&key) else { return };
        if shared.wait.is_none() && (!shared.outlet.has_room() || shared.outlet.owes_a_mark()) {
            self.begin_to_wait(key);
        }
    }

    pub(super) fn begin_to_wait(&mut self, key: Key) {
        let Some(shared) = self.outlets.get_mut(&key) else { return };
        let since = clock::now().mono;
        shared.wait = Some(Wait { since, is_told: false, timer: None });
        self.due.insert((since + LONG, Due::Tell(key)));
        self.wait_for_room(key);
    }

    pub(super) fn wait_for_room(&mut self, key: Key) {
        let Some(Shared { outlet, wait: Some(wait), parked, .. }) = self.outlets.get_mut(&key) else {
            return;
        };
        let mut is_watched = false;
        for fd in outlet.waits_for() {
            let token = self.next_token;
            self.next_token += 1;
            let flags = EventFlags::OUT | EventFlags::ONESHOT;
            // A device that knows no waiting is tried again after a while.
            if epoll::add(&self.poll, fd, EventData::new_u64(token), flags).is_ok() {
                self.rooms.insert(token, key);
                is_watched = true;
            }
        }
        let now = clock::now().mono;
        let at = match outlet.try_again() {
            Some(at) => at.max(now + SHORTLY),
            None if outlet.takes_more() && !parked.is_empty() => now + SHORTLY,
            // A descriptor may be another one by then: a connection that was lost.
            None if is_watched => now + LOOK_AGAIN,
            None => now + TRY_AGAIN,
        };
        wait.timer = Some(at);
        self.due.insert((at, Due::Room(key)));
    }

    /// There may be room: what waits is tried again, and those who were parked go on, in their order.
    pub(super) fn try_again(&mut self, key: Key) {
        let Some(shared) = self.outlets.get_mut(&key) else { return };
        let Some(wait) = &mut shared.wait else { return };
        self.rooms.retain(|_, other| *other != key);
        if let Some(timer) = wait.timer.take() {
            self.due.remove(&(timer, Due::Room(key)));
        }
        for fd in shared.outlet.descriptors() {
            let _ = epoll::delete(&self.poll, fd);
        }
        shared.outlet.push(&mut self.carrier, &self.parts.reports);
        let mut parked = std::mem::take(&mut shared.parked);
        let takes_more =
            |lane: &Lane| lane.outlets.get(&key).is_some_and(|shared| shared.outlet.takes_more());
        while !self.rests
            && takes_more(self)
            && let Some(token) = parked.pop_front()
        {
            self.resume(token);
        }
        let Some(shared) = self.outlets.get_mut(&key) else { return };
        // Who found no room again was the first, and stays it.
        shared.parked.append(&mut parked);
        if !shared.parked.is_empty() || !shared.outlet.has_room() || shared.outlet.owes_a_mark() {
            return self.wait_for_room(key);
        }
        if let Some(wait) = shared.wait.take() {
            self.due.remove(&(wait.since + LONG, Due::Tell(key)));
            if wait.is_told {
                shared.outlet.tell_of_room(&self.parts.reports);
            }
        }
        if shared.users == 0 {
            self.remove(key);
        }
        self.answer_call();
    }

    /// Reads on, until there is no room again.
    pub(super) fn resume(&mut self, token: u64) {
        let Some(source) = self.sources.get(&token) else { return };
        let child = source.child;
        if source.left.is_some() {
            // Until it is parked again, or has nothing more to say.
            self.listen(token);
            self.drain(token);
        } else {
            self.listen(token);
            self.flow(token);
        }
        if let Some(child) = child
            && self.has_said_all(child)
        {
            self.end(child);
        }
    }

    pub(super) fn tell_of(&mut self, key: Key) {
        let Some(Shared { outlet, wait: Some(wait), .. }) = self.outlets.get_mut(&key) else { return };
        if key != Key::MainLog && !std::mem::replace(&mut wait.is_told, true) {
            outlet.tell_of_long(LONG, &self.parts.reports);
        }
    }

    /// Whoever has called is answered when nothing is in our hands that would be gone with us.
    pub(super) fn answer_call(&mut self) {
        if self.is_called && !self.outlets.values().any(|shared| shared.outlet.holds()) {
            self.is_called = false;
            self.notify(Notice::Free);
        }
    }
}
