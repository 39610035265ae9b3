//! Pools of event listeners: what the shell is told of them, so that it can queue events and pass them on.
//!
//! In: a group that comes, changes or goes. Out: [`Action::OpenPool`] and [`Action::ClosePool`], for groups of listeners only. Who of
//! a pool may hear is the process's own affair (`process/machine.rs`). Not here: events, queues, who is told which.

use std::sync::Arc;

use provost_config::{GroupKind, PoolConfig, ProcessKind};

use crate::action::Action;
use crate::group::Group;
use crate::process::Outbox;
use crate::supervisor::Supervisor;

/// A pool as it is to be.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Pool {
    config: PoolConfig,
    processes: Vec<Arc<str>>,
}

impl Supervisor {
    /// The pool that a group is, if it is one.
    pub(super) fn pool(&self, group: &Group) -> Option<Pool> {
        let config = match &group.config.kind {
            GroupKind::EventListener(config) => config.clone(),
            GroupKind::Program | GroupKind::Group | GroupKind::Fcgi(_) => return None,
        };
        let of_group = group.processes.iter().map(|id| &self.processes[id]);
        // A plain program may have come into the group by twiddling, and listens to nothing.
        let listeners = of_group.filter(|process| process.config.kind == ProcessKind::EventListener);
        Some(Pool { config, processes: listeners.map(|process| Arc::clone(&process.name)).collect() })
    }

    /// Says what the pool of a group is now, if that is not what it `was`.
    pub(super) fn open_pool(&self, group: &Group, was: Option<Pool>, out: &mut Outbox) {
        if let Some(pool) = self.pool(group).filter(|pool| was.is_none_or(|was| was != *pool)) {
            let Pool { config, processes } = pool;
            let group = Arc::clone(&group.name);
            out.push(Action::OpenPool { group, config: Arc::new(config), processes });
        }
    }

    /// The group is about to go, and nobody of it lives.
    pub(super) fn close_pool(group: &Group, out: &mut Outbox) {
        if let GroupKind::EventListener(_) = group.config.kind {
            out.push(Action::ClosePool { group: Arc::clone(&group.name) });
        }
    }
}
