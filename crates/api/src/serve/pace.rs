//! What a connection waits for, and how long it may: the client's next request, the rest of one, or that an answer is read.
//!
//! Nobody is cut off while it is our turn: a client that waits for a process to stop, or for a log to grow, waits for ever.
//! And a connection that is kept for later may be kept as long as there is room; `callers.rs` asks here who has made us
//! wait the longest. Time is only looked at where something is missing, so what comes whole and is read at once costs nothing.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::Notify;
use tokio::time::{Instant, Sleep, sleep_until};

/// A header that has begun is complete by then.
const HEADER: Duration = Duration::from_secs(30);
/// A client that reads an answer takes some of it by then.
const READING: Duration = Duration::from_secs(30);
/// All of an answer on a connection that several share, where it does not show whether any of it is read.
const ALL_OF_IT: Duration = Duration::from_secs(600);

/// The order in which connections of a door began to wait for their clients.
#[derive(Debug, Default)]
pub(super) struct Queue {
    last: AtomicU64,
    /// Somebody stands outside, and everybody inside is being served.
    pub(super) is_full: AtomicBool,
    pub(super) one_waits: Notify,
}

impl Queue {
    fn number(&self) -> u64 {
        if self.is_full.load(Ordering::Relaxed) {
            self.one_waits.notify_one();
        }
        self.last.fetch_add(1, Ordering::Relaxed) + 1
    }
}

/// What a whole connection knows of itself. Only its own task and its door's look at it, on one thread; the atomics are for the
/// compiler.
#[derive(Debug)]
pub(crate) struct Pace {
    queue: Arc<Queue>,
    began: Instant,
    /// When it began to wait for its client, as a number of the queue; 0 while it does not.
    waits_since: AtomicU64,
    /// Requests that are being served; only HTTP/2 has several.
    serving: AtomicUsize,
    /// Those of them that are sent something as it grows: whatever is not read is not kept for them.
    live: AtomicUsize,
    /// HTTP/2: what is heard may be part of anything.
    is_shared: AtomicBool,
    /// In milliseconds from `began`; 0 is none.
    header_until: AtomicU64,
    reading_until: AtomicU64,
    answers_until: AtomicU64,
}

impl Pace {
    pub(super) fn new(queue: Arc<Queue>) -> Pace {
        let number = queue.number();
        Pace {
            queue,
            began: Instant::now(),
            waits_since: AtomicU64::new(number),
            serving: AtomicUsize::new(0),
            live: AtomicUsize::new(0),
            is_shared: AtomicBool::new(false),
            header_until: AtomicU64::new(0),
            reading_until: AtomicU64::new(0),
            answers_until: AtomicU64::new(0),
        }
    }

    /// Its place among those that wait for their clients.
    pub(super) fn waits_since(&self) -> Option<u64> {
        Some(self.waits_since.load(Ordering::Relaxed)).filter(|number| *number != 0)
    }

    /// Several requests at a time are spoken here.
    pub(super) fn is_shared(&self) {
        self.is_shared.store(true, Ordering::Relaxed);
        self.header_until.store(0, Ordering::Relaxed);
    }

    /// Nothing has been asked, nothing is owed.
    pub(super) fn is_at_rest(&self) -> bool {
        !self.is_serving() && self.reading_until.load(Ordering::Relaxed) == 0
    }

    fn is_serving(&self) -> bool {
        self.serving.load(Ordering::Relaxed) != 0
    }

    fn is_live(&self) -> bool {
        self.live.load(Ordering::Relaxed) != 0
    }

    /// From here on it is the client's turn.
    pub(crate) fn waits(&self) {
        if self.waits_since.load(Ordering::Relaxed) == 0 {
            self.waits_since.store(self.queue.number(), Ordering::Relaxed);
        }
    }

    /// It is ours again.
    pub(crate) fn goes_on(&self) {
        self.waits_since.store(0, Ordering::Relaxed);
    }

    fn is_heard(&self) {
        let begins = !self.is_serving() && self.header_until.load(Ordering::Relaxed) == 0;
        if begins && !self.is_shared.load(Ordering::Relaxed) {
            self.header_until.store(self.after(HEADER), Ordering::Relaxed);
        }
    }

    fn is_not_read(&self) {
        if self.is_live() || self.reading_until.load(Ordering::Relaxed) != 0 {
            return;
        }
        self.reading_until.store(self.after(READING), Ordering::Relaxed);
        self.waits();
    }

    fn is_read(&self) {
        if self.reading_until.swap(0, Ordering::Relaxed) == 0 {
            return;
        }
        // The youngest of those that wait, as it has just moved.
        self.goes_on();
        if !self.is_serving() {
            self.waits();
        }
    }

    fn after(&self, time: Duration) -> u64 {
        let passed = self.began.elapsed() + time;
        u64::try_from(passed.as_millis()).unwrap_or(u64::MAX).max(1)
    }

    fn deadline(&self) -> Option<Instant> {
        let of = |until: &AtomicU64| Some(until.load(Ordering::Relaxed)).filter(|until| *until != 0);
        let all = [&self.header_until, &self.reading_until, &self.answers_until];
        let first = all.into_iter().filter_map(of).min()?;
        Some(self.began + Duration::from_millis(first))
    }
}

/// Until the connection ends or its client has kept it waiting for too long.
pub(super) struct Punctual<'a, C> {
    pub(super) connection: Pin<&'a mut C>,
    pub(super) pace: &'a Pace,
    alarm: Option<Pin<Box<Sleep>>>,
}

impl<'a, C: Future> Punctual<'a, C> {
    pub(super) fn new(connection: Pin<&'a mut C>, pace: &'a Pace) -> Self {
        Punctual { connection, pace, alarm: None }
    }
}

impl<C: Future> Future for Punctual<'_, C> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        // A connection that breaks is the client's affair.
        if self.connection.as_mut().poll(cx).is_ready() {
            return Poll::Ready(());
        }
        while let Some(deadline) = self.pace.deadline() {
            if deadline <= Instant::now() {
                return Poll::Ready(());
            }
            // One that goes off too early is set again then, which is less work than setting it with every request.
            let alarm = self.alarm.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
            if alarm.is_elapsed() || alarm.deadline() > deadline {
                alarm.as_mut().reset(deadline);
            }
            ready!(alarm.as_mut().poll(cx));
        }
        Poll::Pending
    }
}

/// A request, from its header to the moment when the last of its answer has been handed over, or nobody wants it any more.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) pace: Arc<Pace>,
    is_live: bool,
}

impl Asked {
    /// A header has been understood.
    pub(super) fn begin(pace: Arc<Pace>) -> Asked {
        pace.header_until.store(0, Ordering::Relaxed);
        pace.serving.fetch_add(1, Ordering::Relaxed);
        pace.goes_on();
        Asked { pace, is_live: false }
    }

    /// All of the answer is there.
    pub(super) fn is_answered(&self) {
        let pace = &self.pace;
        if pace.is_shared.load(Ordering::Relaxed) && pace.answers_until.load(Ordering::Relaxed) == 0 {
            pace.answers_until.store(pace.after(ALL_OF_IT), Ordering::Relaxed);
        }
    }

    /// What is sent from here on comes as something grows.
    pub(super) fn goes_live(&mut self) {
        self.is_live = true;
        self.pace.live.fetch_add(1, Ordering::Relaxed);
        self.pace.reading_until.store(0, Ordering::Relaxed);
        self.pace.goes_on();
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        if self.is_live {
            self.pace.live.fetch_sub(1, Ordering::Relaxed);
        }
        let served = self.pace.serving.fetch_sub(1, Ordering::Relaxed) - 1;
        if served == self.pace.live.load(Ordering::Relaxed) {
            self.pace.answers_until.store(0, Ordering::Relaxed);
        }
        if served == 0 {
            self.pace.waits();
        }
    }
}

/// A stream that takes note of what moves.
pub(super) struct Watched<S> {
    pub(super) stream: S,
    pub(super) pace: Arc<Pace>,
}

impl<S> Watched<S> {
    fn note(&self, wrote: &Poll<io::Result<usize>>) {
        match wrote {
            Poll::Pending => self.pace.is_not_read(),
            Poll::Ready(_) => self.pace.is_read(),
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buffer);
        if buffer.filled().len() > before {
            self.pace.is_heard();
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let wrote = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.note(&wrote);
        wrote
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let wrote = Pin::new(&mut self.stream).poll_write_vectored(cx, pieces);
        self.note(&wrote);
        wrote
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
