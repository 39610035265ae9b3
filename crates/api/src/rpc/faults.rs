//! The core's faults in the numbers and names of XML-RPC (SPEC 6.3).

use provost_core::Fault as CoreFault;
use provost_wire::{Fault, FaultCode};

pub(crate) fn fault(fault: CoreFault) -> Fault {
    let (code, extra) = match fault {
        CoreFault::ShuttingDown => (FaultCode::ShutdownState, None),
        CoreFault::IncorrectParameters { detail } => (FaultCode::IncorrectParameters, Some(detail)),
        CoreFault::BadName { name } => (FaultCode::BadName, Some(name)),
        CoreFault::BadSignal { signal } => (FaultCode::BadSignal, Some(signal)),
        CoreFault::NoFile { detail } => (FaultCode::NoFile, Some(detail)),
        CoreFault::NotExecutable { detail } => (FaultCode::NotExecutable, Some(detail)),
        CoreFault::Failed { detail } => (FaultCode::Failed, Some(detail)),
        CoreFault::AbnormalTermination { name } => (FaultCode::AbnormalTermination, Some(name)),
        CoreFault::SpawnError { name } => (FaultCode::SpawnError, Some(name)),
        CoreFault::AlreadyStarted { name } => (FaultCode::AlreadyStarted, Some(name)),
        CoreFault::NotRunning { name } => (FaultCode::NotRunning, Some(name)),
        CoreFault::AlreadyAdded { name } => (FaultCode::AlreadyAdded, Some(name)),
        CoreFault::StillRunning { name } => (FaultCode::StillRunning, Some(name)),
        CoreFault::CantReread { detail } => (FaultCode::CantReread, Some(detail)),
    };
    Fault::new(code, extra.as_deref())
}

/// How the result for one process among several is told.
pub(super) fn code_and_text(result: &Result<(), CoreFault>) -> (i32, String) {
    match result {
        Ok(()) => (FaultCode::Success.code(), "OK".to_owned()),
        Err(f) => {
            let f = fault(f.clone());
            (f.code, f.text)
        }
    }
}
