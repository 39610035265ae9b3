//! Slow hashes, one at a time, on a thread that is there only while there are any.
//!
//! At a low priority, and after each wrong one it rests for three times as long as that has taken: all the
//! guessers of the world together get a quarter of one processor. What is asked by somebody who has gone is not done.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use provost_secret::Stored;
use tokio::sync::oneshot;

use super::lock;

/// Each holds a lane up, so these are as many places at once.
pub(super) const MOST_JOBS: usize = 32;
/// After a wrong one, in times of what it took.
const REST: u32 = 3;
const NICE: i32 = 10;
const LONGEST_REST: Duration = Duration::from_secs(1);

/// What is stored, and which one it is to whoever asks; `None` can never be right.
pub(super) type Entry = (Option<usize>, Arc<Stored>);

#[derive(Debug, Clone)]
pub(super) struct Hasher(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    queue: Mutex<Queue>,
    tidy: fn(),
}

#[derive(Debug, Default)]
struct Queue {
    jobs: VecDeque<Job>,
    is_running: bool,
    #[cfg(test)]
    runs: u32,
}

struct Job {
    entries: Vec<Entry>,
    secret: Box<[u8]>,
    answer: oneshot::Sender<Option<usize>>,
}

impl std::fmt::Debug for Job {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Job").finish_non_exhaustive()
    }
}

impl Hasher {
    pub(super) fn new(tidy: fn()) -> Hasher {
        Hasher(Arc::new(Shared { queue: Mutex::default(), tidy }))
    }

    /// Which of the entries it is, if any; or, outside, `None`: there is no room.
    pub(super) async fn verify(&self, entries: Vec<Entry>, secret: &[u8]) -> Option<Option<usize>> {
        let (answer, answered) = oneshot::channel();
        self.0.add(Job { entries, secret: secret.into(), answer })?;
        // No answer is a mistake of ours in there: nobody is let in by one.
        Some(answered.await.unwrap_or(None))
    }

    /// One that never does anything.
    #[cfg(test)]
    pub(super) fn stalled() -> Hasher {
        let hasher = Hasher::new(|| {});
        lock(&hasher.0.queue).is_running = true;
        hasher
    }

    #[cfg(test)]
    pub(super) fn runs(&self) -> u32 {
        lock(&self.0.queue).runs
    }

    #[cfg(test)]
    pub(super) fn waiting(&self) -> usize {
        lock(&self.0.queue).jobs.len()
    }
}

impl Shared {
    fn add(self: &Arc<Self>, job: Job) -> Option<()> {
        let mut queue = lock(&self.queue);
        if queue.jobs.len() >= MOST_JOBS {
            queue.jobs.retain(Job::is_wanted);
        }
        if queue.jobs.len() >= MOST_JOBS {
            return None;
        }
        if !queue.is_running {
            let this = Arc::clone(self);
            std::thread::Builder::new().name("passwords".into()).spawn(move || this.run()).ok()?;
            queue.is_running = true;
        }
        queue.jobs.push_back(job);
        Some(())
    }

    fn run(&self) {
        let _ = rustix::process::setpriority_process(Some(rustix::thread::gettid()), NICE);
        while let Some(job) = self.next() {
            let began = Instant::now();
            // A panic would end all further verifying; what panics is not right.
            let right = catch_unwind(AssertUnwindSafe(|| job.right())).unwrap_or(None);
            let _ = job.answer.send(right);
            if right.is_none() {
                std::thread::sleep((began.elapsed() * REST).min(LONGEST_REST));
            }
        }
        (self.tidy)();
    }

    fn next(&self) -> Option<Job> {
        let mut queue = lock(&self.queue);
        let wanted = queue.jobs.iter().position(Job::is_wanted);
        // Those before it are wanted by nobody.
        let job = wanted.and_then(|at| queue.jobs.drain(..=at).next_back());
        #[cfg(test)]
        {
            queue.runs += u32::from(job.is_some());
        }
        if job.is_none() {
            queue.jobs.clear();
            queue.is_running = false;
        }
        job
    }
}

impl Job {
    fn is_wanted(&self) -> bool {
        !self.answer.is_closed()
    }

    fn right(&self) -> Option<usize> {
        self.entries.iter().filter(|(_, stored)| stored.verify(&self.secret)).find_map(|(which, _)| *which)
    }
}
