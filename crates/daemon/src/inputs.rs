//! News of the keeper as the core understands it.

use provost_core::ExitStatus;
use provost_keeper::WaitStatus;

/// How a child ended, out of a wait status.
pub(crate) fn exit_status(status: WaitStatus) -> ExitStatus {
    match (status.code(), status.signal()) {
        (Some(code), _) => ExitStatus::Code(code),
        (None, Some(number)) => ExitStatus::Signal { number, core_dumped: status.core_dumped() },
        // wait(2) without WUNTRACED or WCONTINUED reports nothing else: it was an adopted process that another one reaped.
        (None, None) => ExitStatus::Unknown,
    }
}
