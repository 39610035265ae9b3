//! For what lasts longer than a request: whether whoever was let in still is who he was, and may what he might.
//!
//! In: the access that somebody was let in by, and the one that is in force. Out: the moment when they differ for this caller. What that
//! means for a stream is its own affair; whoever may still have it comes again.

use std::sync::Arc;

use tokio::sync::watch;

use super::{Access, Caller};

/// Ends when the caller's standing does: not at all, if nobody touches it.
pub(crate) async fn lost(caller: &Caller, mut current: watch::Receiver<Arc<Access>>) {
    // Also what has changed while the caller was let in.
    let lost = current.wait_for(|now| !is_the_same(&caller.let_in_by, now, caller)).await.is_ok();
    if !lost {
        // The sender has gone with the daemon, and the streams go with it.
        std::future::pending::<()>().await;
    }
}

fn is_the_same(then: &Access, now: &Access, caller: &Caller) -> bool {
    let account = |access: &Access| {
        let name = caller.by.user.as_deref();
        access.accounts.iter().find(|account| Some(&*account.name) == name).cloned()
    };
    // Whom the kernel's numbers mean depends on all accounts.
    let numbers = |access: &Access| -> Vec<_> {
        let of =
            |one: &provost_core::Account| (one.name.clone(), one.unix_users.clone(), one.unix_groups.clone());
        access
            .accounts
            .iter()
            .map(of)
            .filter(|(_, users, groups)| !(users.is_empty() && groups.is_empty()))
            .collect()
    };
    then.doors.get(&caller.by.door) == now.doors.get(&caller.by.door)
        && account(then) == account(now)
        && then.accounts.is_empty() == now.accounts.is_empty()
        && numbers(then) == numbers(now)
}
