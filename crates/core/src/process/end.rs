//! How a process ends for good by itself, and what the daemon's own exit status is when it goes down with it.

use crate::event::ExitStatus;

/// Nothing starts it again but a person, and no person stopped it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// It is EXITED and does not come back.
    Exited { status: u8 },
    /// It is FATAL.
    Fatal { status: u8 },
}

impl End {
    pub(crate) fn exited(status: ExitStatus) -> End {
        End::Exited { status: as_ours(status) }
    }

    /// `last` is how the last child ended, if there was one. A failure is never a success.
    pub(crate) fn fatal(last: Option<ExitStatus>) -> End {
        End::Fatal { status: last.map_or(1, as_ours).max(1) }
    }

    /// The daemon's exit status.
    pub(crate) fn status(self) -> u8 {
        match self {
            End::Exited { status } | End::Fatal { status } => status,
        }
    }
}

/// As a shell tells it: the exit code, or 128 and the number of the signal.
fn as_ours(status: ExitStatus) -> u8 {
    let number = match status {
        ExitStatus::Code(code) => code,
        ExitStatus::Signal { number, .. } => 128 + number,
        // It may have been a success, but nobody knows.
        ExitStatus::Unknown => 1,
    };
    u8::try_from(number).unwrap_or(u8::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_daemons_status_is_the_programs() {
        let killed = ExitStatus::Signal { number: 9, core_dumped: true };
        assert_eq!(End::exited(ExitStatus::Code(0)).status(), 0);
        assert_eq!(End::exited(ExitStatus::Code(3)).status(), 3);
        assert_eq!(End::exited(killed).status(), 137);
        assert_eq!(End::exited(ExitStatus::Unknown).status(), 1);
        assert_eq!(End::fatal(Some(killed)).status(), 137);
        assert_eq!(End::fatal(Some(ExitStatus::Code(7))).status(), 7);
        assert_eq!(End::fatal(Some(ExitStatus::Code(0))).status(), 1, "a program that never ran well");
        assert_eq!(End::fatal(None).status(), 1);
    }
}
