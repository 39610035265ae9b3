//! Who comes before whom: where an added group stands, in which order processes start, in which waves everything stops.
//!
//! In: groups and what is known of their processes; out: ids in order. Nothing here starts or stops anything, and
//! nothing waits: `supervisor.rs` and `supervisor/ending.rs` ask, and do. Today order is priority alone (SPEC 3.7, 3.8),
//! and all starts are made at once. This is the place for dependencies between programs: [`to_start`] would then leave
//! out who has to wait for another, and [`wave_to_stop`] keep whom another still needs.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::group::Group;
use crate::ids::ProcessId;
use crate::process::Process;

type Processes = BTreeMap<ProcessId, Box<Process>>;

/// Where a group of this priority is added: behind those that stand before or beside it.
pub(crate) fn place_of(groups: &[Arc<Group>], priority: i64) -> usize {
    groups.partition_point(|group| group.config.priority <= priority)
}

/// A group's processes as they start by themselves: in the order of the configuration (SPEC 2.8).
pub(crate) fn to_start(group: &Group) -> Vec<ProcessId> {
    group.processes.clone()
}

/// A group's processes as a command to all of it goes through them: ascending by priority (SPEC 3.7).
pub(crate) fn by_priority(group: &Group, processes: &Processes) -> Vec<ProcessId> {
    let mut ids = group.processes.clone();
    ids.sort_by_key(|id| processes[id].config.priority);
    ids
}

/// The processes that have to be gone before any other is asked to stop, first one first; empty when nothing is left.
///
/// These are the groups of the highest priority that has something left, side by side, from the last to the
/// first; within a group the highest process priority first, as with Supervisor, and equal ones from the last to the first.
pub(crate) fn wave_to_stop(groups: &[Arc<Group>], processes: &Processes) -> Vec<ProcessId> {
    let is_left = |id: &ProcessId| !processes[id].state.is_stopped();
    let Some(last) = groups.iter().rev().find(|group| group.processes.iter().any(is_left)) else {
        return Vec::new();
    };
    let same = groups.iter().rev().filter(|group| group.config.priority == last.config.priority);
    same.flat_map(|group| by_priority(group, processes).into_iter().rev()).filter(is_left).collect()
}
