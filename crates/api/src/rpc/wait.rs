//! `provost.waitForState`: an answer that comes when a process is as somebody wants it, or when the time is up.
//!
//! In: the loop's word that something has changed (`Shared::changes`), behind which the process is looked at once more. Out: how it is
//! then, and whether that is it. Nothing of this is remembered: with the brain the connection ends, and the client asks again.

use std::time::Duration;

use provost_core::{Command, Fault as CoreFault, ProcessInfo, Reply, State};
use provost_wire::{Fault, FaultCode, Value};
use tokio::time::{Instant, sleep, timeout_at};

use super::arguments::Arguments;
use super::{Rpc, describe, refusal};

/// Further ones are refused: each of them looks whenever anything changes.
pub(crate) const MOST: usize = 64;
/// A day; whoever waits for longer asks again.
const LONGEST: i64 = 24 * 3600;
/// Between two looks, for each that waits: where a thousand processes come up at once, the loop has other things to do.
const PACE: Duration = Duration::from_millis(2);

impl Rpc<'_> {
    /// The INFO struct of the process, and `reached`.
    pub(super) async fn wait_for_state(&self, args: &mut Arguments) -> Result<Value, Fault> {
        let (name, wanted, patience) = (args.text()?, args.states()?, args.int()?);
        if !(0..=LONGEST).contains(&patience) {
            let why = format!("{patience} seconds: give 0 to {LONGEST}");
            return Err(Fault::new(FaultCode::IncorrectParameters, Some(&why)));
        }
        let deadline = Instant::now() + Duration::from_secs(patience.unsigned_abs());
        let Ok(_place) = self.session.shared.waiters.try_acquire() else {
            let detail = format!("{MOST} others wait for states already, ask again later");
            return Err(refusal(CoreFault::Failed { detail }.into()));
        };
        let (is_reached, info) = tokio::select! {
            looked = self.watch(&name, &wanted, deadline) => looked?,
            () = self.session.shared.loses(self.session.caller) => {
                let detail = "who waits is somebody else by now, or may do other things; ask again";
                return Err(refusal(CoreFault::Failed { detail: detail.to_owned() }.into()));
            }
        };
        let Value::Struct(mut members) = describe::info(&info, &self.session.troubles()) else {
            return Err(unexpected());
        };
        members.push(("reached".to_owned(), is_reached.into()));
        Ok(Value::Struct(members))
    }

    fn pace(&self) -> Duration {
        let waiting = MOST - self.session.shared.waiters.available_permits();
        PACE * u32::try_from(waiting).unwrap_or(1)
    }

    async fn watch(
        &self,
        name: &str,
        wanted: &[State],
        deadline: Instant,
    ) -> Result<(bool, Box<ProcessInfo>), Fault> {
        let mut changes = self.session.shared.changes.subscribe();
        loop {
            // Before it is looked at: a change that comes meanwhile is looked at, too.
            changes.borrow_and_update();
            let Reply::Info(info) = self.ask(Command::ProcessInfo { name: name.to_owned() }).await? else {
                return Err(unexpected());
            };
            let is_reached = wanted.contains(&info.state);
            if is_reached || Instant::now() >= deadline {
                return Ok((is_reached, info));
            }
            let pace = sleep(self.pace());
            // One look more when the time is up. A loop that has ended says nothing, and refuses the next question.
            let _ = timeout_at(deadline, changes.changed()).await;
            pace.await;
        }
    }
}

fn unexpected() -> Fault {
    refusal(
        CoreFault::Failed { detail: "the supervisor gave another answer than it was asked for".to_owned() }
            .into(),
    )
}
