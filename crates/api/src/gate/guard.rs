//! The guard: whether what somebody gave is what stands in the file, at a price for those who guess and for nobody else.
//!
//! In come the place that a request comes from, the name and the secret that it gives, and what is stored for that name; out comes a
//! [`Verdict`]. Three things stand between a guesser and an answer:
//!
//! - What was found right is *remembered* for a while ([`remembered`]), and is right at once. Clients of XML-RPC send
//!   their password with every request.
//! - Everything else stands in the *lane* of its place ([`lanes`]), one behind the other, and each wrong guess makes the next one wait
//!   longer, and its own answer, too. Whoever hangs up has left the lane, but his guess counts.
//! - Slow hashes are run by the *hasher*, one at a time on a thread of its own ([`hasher`]), so that neither this
//!   thread nor those that carry logs wait for them.
//!
//! A place is all that a guesser cannot change cheaply. Behind a proxy everybody has the same, and shares its lane; therefore
//! what is remembered passes by. That is also what the guard cannot hide: whoever guesses from the very
//! place of a client that is at work may try as fast as he connects whether he has that client's password.

mod hasher;
mod lanes;
mod lines;
mod remembered;

use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use provost_secret::{Mark, Marks, Stored};
use tokio::time::{Instant, sleep_until};

use hasher::Hasher;
use lanes::Lanes;
use lines::Lines;
use remembered::Remembered;

/// What one lane belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Place {
    V4([u8; 4]),
    /// The network of 64 bits, all of which one guesser has.
    V6([u8; 8]),
    /// Whoever came through a unix socket.
    Uid(u32),
}

impl Place {
    pub(crate) fn of(address: IpAddr) -> Place {
        match address.to_canonical() {
            // Whoever is on this machine may come from any of sixteen million addresses.
            address if address.is_loopback() => Place::V4(Ipv4Addr::LOCALHOST.octets()),
            IpAddr::V4(address) => Place::V4(address.octets()),
            IpAddr::V6(address) => {
                let mut network = [0; 8];
                network.copy_from_slice(&address.octets()[..8]);
                Place::V6(network)
            }
        }
    }

    /// For marks: what was right here says nothing elsewhere.
    fn bytes(self) -> Vec<u8> {
        match self {
            Place::V4(bytes) => bytes.into(),
            Place::V6(bytes) => bytes.into(),
            Place::Uid(uid) => [b"uid", &uid.to_le_bytes()[..]].concat(),
        }
    }
}

/// What a request says of who is asking.
#[derive(Clone, Copy)]
pub(crate) struct Claim<'a> {
    /// Empty, where a token speaks for itself.
    pub(crate) name: &'a [u8],
    pub(crate) secret: &'a [u8],
}

impl std::fmt::Debug for Claim<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Claim").field("name", &String::from_utf8_lossy(self.name)).finish_non_exhaustive()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is this one of what is stored.
    Right(usize),
    /// And the time for it has been paid.
    Wrong,
    /// Too many others wait. It is not known whether this one is right.
    Later(Duration),
}

/// A wrong password, as it is told to whoever reads the main log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Guesses {
    /// The name that the last one gave.
    pub(crate) name: Vec<u8>,
    /// How many there were from this place, since it was quiet for a while.
    pub(crate) count: u32,
    /// How many such lines have been left out lately.
    pub(crate) untold: u32,
}

impl Guesses {
    /// The name is a stranger's text: in quotes, escaped, and not more of it than anybody would read.
    pub(crate) fn line(&self, from: impl std::fmt::Display) -> String {
        let name: String = String::from_utf8_lossy(&self.name).chars().take(LONGEST_NAME).collect();
        let what =
            if self.name.is_empty() { "token".to_owned() } else { format!("password for user {name:?}") };
        let mut line = format!("wrong {what} from {from}");
        if self.count > 1 {
            line += &format!("; it is number {} from that address", self.count);
        }
        if self.untold > 0 {
            line += &format!("; {} more lines like this were left out", self.untold);
        }
        line
    }
}

const LONGEST_NAME: usize = 64;

/// When the hasher is so far behind, its next place is free after about this long.
const HASHER_BUSY: Duration = Duration::from_secs(2);

pub(crate) struct Guard {
    marks: Marks,
    remembered: Mutex<Remembered>,
    lanes: Arc<Lanes>,
    lines: Mutex<Lines>,
    hasher: Hasher,
}

impl std::fmt::Debug for Guard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Guard").finish_non_exhaustive()
    }
}

impl Guard {
    /// `tidy` gives memory back to the system.
    pub(crate) fn new(tidy: fn()) -> std::io::Result<Guard> {
        Ok(Guard {
            marks: Marks::new()?,
            remembered: Mutex::new(Remembered::default()),
            lanes: Arc::default(),
            lines: Mutex::new(Lines::new(Instant::now())),
            hasher: Hasher::new(tidy),
        })
    }

    /// Finds out whether the secret is one of `stored`. Of a name that nobody has, nothing is stored; `decoy` is then verified
    /// instead, and is never right, so that the time tells nothing. `told` hears of guesses that are worth a line. Those who
    /// come from no place need not guess.
    pub(crate) async fn judge(
        &self,
        place: Option<Place>,
        claim: Claim<'_>,
        stored: &[Arc<Stored>],
        decoy: Option<&Arc<Stored>>,
        told: impl FnOnce(Guesses),
    ) -> Verdict {
        let who = [&place.map_or_else(Vec::new, Place::bytes), claim.name].concat();
        let marks: Vec<_> = stored.iter().map(|one| self.marks.mark(&who, claim.secret, one)).collect();
        if let Some(which) = marks.iter().position(|mark| self.remembered().recognise(mark, Instant::now())) {
            return Verdict::Right(which);
        }
        let Some(place) = place else {
            return match self.verify(claim.secret, stored, decoy).await {
                Some(Some(which)) => self.right(which, marks[which]),
                Some(None) => Verdict::Wrong,
                None => Verdict::Later(HASHER_BUSY),
            };
        };
        let ticket = match Lanes::enter(&self.lanes, place) {
            Ok(ticket) => ticket,
            Err(full) => return Verdict::Later(full.wait),
        };
        let turn = ticket.turn().await;
        let telling = Telling(Some(|| {
            let line = |count| Some((count, lock(&self.lines).one_more(Instant::now())?));
            if let Some((count, untold)) = turn.worth_a_line().and_then(line) {
                told(Guesses { name: claim.name.to_vec(), count, untold });
            }
        }));
        match self.verify(claim.secret, stored, decoy).await {
            Some(Some(which)) => {
                telling.not_needed();
                turn.withdraw();
                self.right(which, marks[which])
            }
            Some(None) => {
                drop(telling);
                sleep_until(turn.over()).await;
                Verdict::Wrong
            }
            None => {
                telling.not_needed();
                turn.withdraw();
                Verdict::Later(HASHER_BUSY)
            }
        }
    }

    fn right(&self, which: usize, mark: Mark) -> Verdict {
        self.remembered().remember(mark, Instant::now());
        Verdict::Right(which)
    }

    /// `None`: there is no room for one more slow hash.
    async fn verify(
        &self,
        secret: &[u8],
        stored: &[Arc<Stored>],
        decoy: Option<&Arc<Stored>>,
    ) -> Option<Option<usize>> {
        if let Some(which) = stored.iter().position(|one| one.is_quick() && one.verify(secret)) {
            return Some(Some(which));
        }
        let slow =
            |(which, one): (usize, &Arc<Stored>)| (!one.is_quick()).then(|| (Some(which), Arc::clone(one)));
        let mut slow: Vec<_> = stored.iter().enumerate().filter_map(slow).collect();
        if stored.is_empty() {
            slow.extend(decoy.filter(|one| !one.is_quick()).map(|one| (None, Arc::clone(one))));
        }
        if slow.is_empty() {
            return Some(None);
        }
        self.hasher.verify(slow, secret).await
    }

    fn remembered(&self) -> MutexGuard<'_, Remembered> {
        lock(&self.remembered)
    }
}

/// Tells when it is dropped: hanging up hides nothing. That it might have been right nobody knows then, nor has gained by it.
struct Telling<F: FnOnce()>(Option<F>);

impl<F: FnOnce()> Telling<F> {
    fn not_needed(mut self) {
        self.0 = None;
    }
}

impl<F: FnOnce()> Drop for Telling<F> {
    fn drop(&mut self) {
        if let Some(tell) = self.0.take() {
            tell();
        }
    }
}

/// What is behind a lock here is whole at any time, whoever panics.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
