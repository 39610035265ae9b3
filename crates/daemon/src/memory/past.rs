//! What is told of a process, as fields of its slot: its last lives, who started and stopped it, and how often.
//!
//! In: a [`History`]. Out: fields, and the history again out of those. None of it decides anything, so unlike with the
//! other fields nothing here is a reason to refuse a slot: what makes no sense is left out.
//!
//! A life is a field of its own, oldest first; inside are its facts, each with a number (1), a length (1) and its bytes. A
//! wish is its time (8), and behind it, where somebody had it, user, origin and door, each with a length (1); a user that
//! nobody asked for is an empty one. Texts are cut, so that eight lives are a few kilobytes at most.

use std::sync::Arc;

use provost_core::{By, Clue, History, Life, Refused, Sent, Then, Wall, Wish};

use super::bytes::{cut, of_status, take, to_status};

mod field {
    pub(super) const LIFE: u16 = 15;
    pub(super) const COUNTS: u16 = 16;
    pub(super) const STARTER: u16 = 17;
    pub(super) const STOPPER: u16 = 18;
    pub(super) const SENT: u16 = 19;
    pub(super) const KILLED: u16 = 20;
    // 21 is not of the past.
    pub(super) const REFUSED: u16 = 22;
}

mod fact {
    pub(super) const PID: u8 = 1;
    pub(super) const STARTED: u8 = 2;
    pub(super) const ENDED: u8 = 3;
    pub(super) const STATUS: u8 = 4;
    pub(super) const EXPECTED: u8 = 5;
    pub(super) const TOO_QUICK: u8 = 6;
    pub(super) const FAILURE: u8 = 7;
    pub(super) const NEVER_RAN: u8 = 8;
    pub(super) const OUT_OF_MEMORY: u8 = 9;
    pub(super) const STOPPED: u8 = 10;
    pub(super) const KILLED: u8 = 11;
    pub(super) const SENT: u8 = 12;
    pub(super) const THEN: u8 = 13;
}

/// Bytes of a text that says why; a length is one byte.
const LONGEST_REASON: usize = 200;
/// Bytes of a name or an address: a wish of three must fit one fact.
const LONGEST_NAME: usize = 72;

// --- writing ---

pub(super) fn fields(history: &History, mut put: impl FnMut(u16, &[u8])) {
    let History { lives, attempts, restarts, since, starter, stopper, refused, sent, killed } = history;
    let Some(since) = since else { return };
    lives.iter().for_each(|life| put(field::LIFE, &of_life(life)));
    let counts = [&attempts.to_le_bytes()[..], &restarts.to_le_bytes(), &since.0.to_le_bytes()].concat();
    put(field::COUNTS, &counts);
    for (number, wish) in [(field::STARTER, starter), (field::STOPPER, stopper)] {
        if let Some(wish) = wish {
            put(number, &of_wish(wish));
        }
    }
    if let Some(refused) = refused {
        put(field::REFUSED, &of_refused(refused));
    }
    if let Some(sent) = sent {
        put(field::SENT, &of_sent(sent));
    }
    if *killed {
        put(field::KILLED, &[]);
    }
}

fn of_life(life: &Life) -> Vec<u8> {
    let Life { pid, started, ended, status, expected, too_quick, failure, clue, stopped, killed, sent, then } =
        life;
    let mut out = Vec::with_capacity(64);
    let mut put = |number: u8, bytes: &[u8]| {
        out.extend([number, u8::try_from(bytes.len()).expect("texts are cut")]);
        out.extend(bytes);
    };
    if let Some(pid) = pid {
        put(fact::PID, &pid.to_le_bytes());
    }
    put(fact::STARTED, &started.0.to_le_bytes());
    put(fact::ENDED, &ended.0.to_le_bytes());
    if let Some(status) = status {
        put(fact::STATUS, &of_status(*status));
    }
    for (number, holds) in
        [(fact::EXPECTED, *expected), (fact::TOO_QUICK, *too_quick), (fact::KILLED, *killed)]
    {
        if holds {
            put(number, &[]);
        }
    }
    if let Some(failure) = failure {
        put(fact::FAILURE, cut(failure, LONGEST_REASON).as_bytes());
    }
    match clue {
        Some(Clue::NeverRan(reason)) => put(fact::NEVER_RAN, cut(reason, LONGEST_REASON).as_bytes()),
        Some(Clue::OutOfMemory) => put(fact::OUT_OF_MEMORY, &[1]),
        Some(Clue::PerhapsOutOfMemory) => put(fact::OUT_OF_MEMORY, &[0]),
        None => {}
    }
    if let Some(wish) = stopped {
        put(fact::STOPPED, &of_wish(wish));
    }
    if let Some(sent) = sent {
        put(fact::SENT, &of_sent(sent));
    }
    match then {
        Then::Nothing => {}
        Then::Restart => put(fact::THEN, &[1]),
        Then::Retry => put(fact::THEN, &[2]),
        Then::GivenUp(attempts) => put(fact::THEN, &[&[3][..], &attempts.to_le_bytes()].concat()),
        Then::TooManyRestarts => put(fact::THEN, &[4]),
    }
    out
}

fn of_wish(wish: &Wish) -> Vec<u8> {
    let mut out = wish.at.0.to_le_bytes().to_vec();
    if let Some(by) = &wish.by {
        for text in [by.user.as_deref().unwrap_or_default(), &by.from, &by.door] {
            let text = cut(text, LONGEST_NAME);
            out.push(u8::try_from(text.len()).expect("it has been cut"));
            out.extend(text.as_bytes());
        }
    }
    out
}

/// The reason with its length (1), and the wish.
fn of_refused(refused: &Refused) -> Vec<u8> {
    let why = cut(&refused.why, LONGEST_REASON);
    let length = u8::try_from(why.len()).expect("it has been cut");
    [&[length][..], why.as_bytes(), &of_wish(&refused.wish)].concat()
}

fn of_sent(sent: &Sent) -> Vec<u8> {
    [&sent.signal.to_le_bytes()[..], &of_wish(&sent.wish)].concat()
}

// --- reading ---

/// Takes note of a field, if it is one of these.
pub(super) fn read(number: u16, bytes: &[u8], history: &mut History) {
    match number {
        field::LIFE => {
            let lives = history.lives.iter().cloned().chain(to_life(bytes));
            history.lives = lives.collect();
        }
        field::COUNTS => {
            if let Some((attempts, restarts, since)) = to_counts(bytes) {
                (history.attempts, history.restarts, history.since) = (attempts, restarts, Some(since));
            }
        }
        field::STARTER => history.starter = to_wish(bytes),
        field::STOPPER => history.stopper = to_wish(bytes),
        field::SENT => history.sent = to_sent(bytes),
        field::REFUSED => history.refused = to_refused(bytes),
        field::KILLED => history.killed = true,
        // Of a newer build, which says more than we know.
        _ => {}
    }
}

fn to_refused(bytes: &[u8]) -> Option<Refused> {
    let (length, rest) = bytes.split_first()?;
    let (why, wish) = rest.split_at_checked((*length).into())?;
    Some(Refused { why: std::str::from_utf8(why).ok()?.into(), wish: to_wish(wish)? })
}

fn to_counts(mut bytes: &[u8]) -> Option<(u32, u32, Wall)> {
    let mut number = || take(&mut bytes).ok().map(u32::from_le_bytes);
    let (attempts, restarts) = (number()?, number()?);
    Some((attempts, restarts, to_wall(bytes)?))
}

fn to_life(mut facts: &[u8]) -> Option<Life> {
    let (mut started, mut ended) = (None, None);
    let mut life = Life {
        pid: None,
        started: Wall(0),
        ended: Wall(0),
        status: None,
        expected: false,
        too_quick: false,
        failure: None,
        clue: None,
        stopped: None,
        killed: false,
        sent: None,
        then: Then::Nothing,
    };
    while let Some(([number, length], rest)) = facts.split_first_chunk() {
        let (bytes, rest) = rest.split_at_checked(usize::from(*length))?;
        facts = rest;
        match *number {
            fact::PID => life.pid = bytes.try_into().ok().map(i32::from_le_bytes),
            fact::STARTED => started = to_wall(bytes),
            fact::ENDED => ended = to_wall(bytes),
            fact::STATUS => life.status = to_status(bytes),
            fact::EXPECTED => life.expected = true,
            fact::TOO_QUICK => life.too_quick = true,
            fact::FAILURE => life.failure = to_text(bytes),
            fact::NEVER_RAN => life.clue = to_text(bytes).map(Clue::NeverRan),
            fact::OUT_OF_MEMORY if bytes == [1] => life.clue = Some(Clue::OutOfMemory),
            fact::OUT_OF_MEMORY => life.clue = Some(Clue::PerhapsOutOfMemory),
            fact::STOPPED => life.stopped = to_wish(bytes),
            fact::KILLED => life.killed = true,
            fact::SENT => life.sent = to_sent(bytes),
            fact::THEN => life.then = to_then(bytes),
            _ => {}
        }
    }
    Some(Life { started: started?, ended: ended?, ..life })
}

fn to_then(bytes: &[u8]) -> Then {
    match bytes.split_first() {
        Some((1, _)) => Then::Restart,
        Some((2, _)) => Then::Retry,
        Some((3, attempts)) => Then::GivenUp(attempts.try_into().map_or(0, u32::from_le_bytes)),
        Some((4, _)) => Then::TooManyRestarts,
        Some(_) | None => Then::Nothing,
    }
}

fn to_sent(mut bytes: &[u8]) -> Option<Sent> {
    let signal = i32::from_le_bytes(take(&mut bytes).ok()?);
    Some(Sent { signal, wish: to_wish(bytes)? })
}

fn to_wish(mut bytes: &[u8]) -> Option<Wish> {
    let at = Wall(i64::from_le_bytes(take(&mut bytes).ok()?));
    let mut text = || {
        let (length, rest) = bytes.split_first()?;
        let (text, rest) = rest.split_at_checked(usize::from(*length))?;
        bytes = rest;
        String::from_utf8(text.to_vec()).ok()
    };
    let by = text().and_then(|user| Some((user, text()?, text()?)));
    let by = by.map(|(user, from, door)| By { user: Some(user).filter(|user| !user.is_empty()), from, door });
    Some(Wish { by: by.map(Arc::new), at })
}

fn to_wall(bytes: &[u8]) -> Option<Wall> {
    bytes.try_into().ok().map(|bytes| Wall(i64::from_le_bytes(bytes)))
}

fn to_text(bytes: &[u8]) -> Option<Arc<str>> {
    std::str::from_utf8(bytes).ok().map(Arc::from)
}

#[cfg(test)]
pub(super) mod tests {
    use provost_core::{ExitStatus, MOST_LIVES};

    use super::*;

    fn wish(n: i64, length: usize) -> Wish {
        let text = |letter: &str| letter.repeat(length);
        let by = By { user: (n % 2 == 0).then(|| text("u")), from: text("f"), door: text("d") };
        Wish { by: (n % 3 > 0).then(|| Arc::new(by)), at: Wall(n) }
    }

    /// A different one for each number, with everything that a life can have.
    fn life(n: i64, length: usize) -> Life {
        let reason = || Arc::<str>::from("r".repeat(length));
        let clues =
            [None, Some(Clue::NeverRan(reason())), Some(Clue::OutOfMemory), Some(Clue::PerhapsOutOfMemory)];
        let thens = [Then::Nothing, Then::Restart, Then::Retry, Then::GivenUp(7), Then::TooManyRestarts];
        let statuses = [
            None,
            Some(ExitStatus::Code(127)),
            Some(ExitStatus::Signal { number: 11, core_dumped: true }),
            Some(ExitStatus::Unknown),
        ];
        Life {
            pid: (n > 0).then_some(n as i32),
            started: Wall(-n),
            ended: Wall(n),
            status: statuses[n as usize % statuses.len()],
            expected: n % 2 == 0,
            too_quick: n % 2 == 1,
            failure: (n % 4 == 0).then(reason),
            clue: clues[n as usize % clues.len()].clone(),
            stopped: (n % 3 > 0).then(|| wish(n, length)),
            killed: n % 5 == 0,
            sent: (n % 2 == 1).then(|| Sent { signal: 15, wish: wish(n, length) }),
            then: thens[n as usize % thens.len()],
        }
    }

    pub(in crate::memory) fn history(length: usize) -> History {
        History {
            lives: (0..MOST_LIVES as i64).map(|n| life(n, length)).collect(),
            attempts: 9,
            restarts: 8,
            since: Some(Wall(1_795_344_000_000)),
            starter: Some(wish(1, length)),
            stopper: Some(wish(2, length)),
            refused: Some(Refused { why: "w".repeat(length).into(), wish: wish(5, length) }),
            sent: Some(Sent { signal: -1, wish: wish(4, length) }),
            killed: true,
        }
    }

    fn there_and_back(history: &History) -> (History, usize) {
        let (mut again, mut size) = (History::default(), 0);
        fields(history, |number, bytes| {
            size += 6 + bytes.len();
            read(number, bytes, &mut again);
        });
        (again, size)
    }

    #[test]
    fn a_history_is_read_as_it_was_written() {
        let told = history(20);
        assert_eq!(there_and_back(&told).0, told);
        assert_eq!(there_and_back(&History::default()).0, History::default());
    }

    #[test]
    fn long_texts_are_cut_and_eight_lives_are_a_few_kilobytes() {
        let (again, size) = there_and_back(&history(5000));
        assert!(size < 8 * 700, "{size} bytes");
        assert_eq!(again.starter.unwrap().by.unwrap().from.len(), LONGEST_NAME);
        let plain = Life { sent: None, stopped: None, failure: None, clue: None, ..life(1, 0) };
        let plain = History { lives: vec![plain; MOST_LIVES].into(), ..History::default() };
        let (_, size) = there_and_back(&History { since: Some(Wall(0)), ..plain });
        assert!(size < 500, "{size} bytes: an ordinary process should fit one slot");
    }

    #[test]
    fn what_makes_no_sense_is_left_out_and_what_is_new_is_passed_over() {
        let mut told = History::default();
        read(field::LIFE, &[fact::PID, 200, 1], &mut told);
        read(field::LIFE, &[], &mut told);
        read(field::COUNTS, &[1, 2], &mut told);
        read(field::STOPPER, &[3], &mut told);
        read(99, &[3], &mut told);
        assert_eq!(told, History::default());
        let newer = [&of_life(&life(3, 5))[..], &[200, 2, 1, 2]].concat();
        read(field::LIFE, &newer, &mut told);
        assert_eq!(*told.lives, [life(3, 5)]);
    }
}
