//! What is done with the output of one child besides writing it down.

use provost_core::ChildId;

use super::Output;
use super::pump::Notice;
use super::reports::Reports;

/// The state of one child's output on its way.
#[derive(Debug)]
pub(super) struct Treatment {
    child: ChildId,
    output: Output,
}

impl Treatment {
    /// Nothing where nobody looks at the bytes.
    pub(super) fn new(child: ChildId, output: Output, tells: bool) -> Option<Box<Treatment>> {
        tells.then(|| Box::new(Treatment { child, output }))
    }

    /// Whether what arrives is something else than what was written.
    pub(super) fn changes_bytes(&self) -> bool {
        false
    }

    /// Tells of a piece.
    pub(super) fn see(&mut self, piece: &[u8], reports: &Reports) {
        reports.send(Notice::Said { child: self.child, output: self.output, data: piece.into() });
    }
}
