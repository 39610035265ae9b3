//! Where the brain may be killed: nowhere in particular, that is everywhere. Tests need places, and these are they.
//!
//! In a program [`may_come`] is nothing at all. In a test [`after`] makes one of its calls the last thing that happens.

/// Between two steps of which the order matters.
#[cfg(not(test))]
#[inline(always)]
pub(crate) fn may_come() {}

#[cfg(test)]
pub(crate) use in_tests::{after, may_come};

#[cfg(test)]
mod in_tests {
    use std::cell::Cell;
    use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

    thread_local! {
        /// Steps that are left.
        static LEFT: Cell<Option<u32>> = const { Cell::new(None) };
    }

    struct Death;

    pub(crate) fn may_come() {
        let left = LEFT.get().map(|left| left - 1);
        LEFT.set(left.filter(|left| *left > 0));
        if left == Some(0) {
            // Without the hook: nobody is to read of it.
            resume_unwind(Box::new(Death));
        }
    }

    /// Runs `life` until it has come to that many steps; whether that was its end.
    pub(crate) fn after(steps: u32, life: impl FnOnce()) -> bool {
        LEFT.set(Some(steps));
        let end = catch_unwind(AssertUnwindSafe(life));
        LEFT.set(None);
        match end {
            Ok(()) => false,
            Err(why) if why.is::<Death>() => true,
            Err(why) => resume_unwind(why),
        }
    }
}
