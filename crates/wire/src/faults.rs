//! The faults of Supervisor's XML-RPC interface: numbers and names that clients compare.
//!
//! A fault's text is its name, or its name, a colon and what it concerns
//! (`BAD_NAME: web`). Number 5 was never given out.

use std::fmt;

/// A call that was understood and refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    pub code: i32,
    pub text: String,
}

impl Fault {
    /// `NAME`, or `NAME: extra`.
    pub fn new(code: FaultCode, extra: Option<&str>) -> Fault {
        let text = match extra {
            Some(extra) => format!("{}: {extra}", code.name()),
            None => code.name().to_owned(),
        };
        Fault { code: code.code(), text }
    }

    /// Which of ours it is; `None` for a number that somebody else invented.
    pub fn kind(&self) -> Option<FaultCode> {
        FaultCode::from_code(self.code.into())
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "fault {}: {}", self.code, self.text)
    }
}

impl std::error::Error for Fault {}

macro_rules! fault_codes {
    ($($variant:ident = $code:literal $name:literal,)+) => {
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum FaultCode {
            $($variant,)+
        }

        impl FaultCode {
            pub const ALL: &[FaultCode] = &[$(FaultCode::$variant,)+];

            pub fn code(self) -> i32 {
                match self {
                    $(FaultCode::$variant => $code,)+
                }
            }

            pub fn name(self) -> &'static str {
                match self {
                    $(FaultCode::$variant => $name,)+
                }
            }
        }
    };
}

fault_codes! {
    UnknownMethod = 1 "UNKNOWN_METHOD",
    IncorrectParameters = 2 "INCORRECT_PARAMETERS",
    BadArguments = 3 "BAD_ARGUMENTS",
    SignatureUnsupported = 4 "SIGNATURE_UNSUPPORTED",
    ShutdownState = 6 "SHUTDOWN_STATE",
    BadName = 10 "BAD_NAME",
    BadSignal = 11 "BAD_SIGNAL",
    NoFile = 20 "NO_FILE",
    NotExecutable = 21 "NOT_EXECUTABLE",
    Failed = 30 "FAILED",
    AbnormalTermination = 40 "ABNORMAL_TERMINATION",
    SpawnError = 50 "SPAWN_ERROR",
    AlreadyStarted = 60 "ALREADY_STARTED",
    NotRunning = 70 "NOT_RUNNING",
    // Never raised: it is the `status` of what went well in a list of results.
    Success = 80 "SUCCESS",
    AlreadyAdded = 90 "ALREADY_ADDED",
    StillRunning = 91 "STILL_RUNNING",
    CantReread = 92 "CANT_REREAD",
}

impl FaultCode {
    pub fn from_code(code: i64) -> Option<FaultCode> {
        FaultCode::ALL.iter().copied().find(|known| i64::from(known.code()) == code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_the_name_and_what_it_concerns() {
        let fault = Fault::new(FaultCode::BadName, Some("x"));
        assert_eq!(fault, Fault { code: 10, text: "BAD_NAME: x".to_owned() });
        assert_eq!(Fault::new(FaultCode::NoFile, None).text, "NO_FILE");
        assert_eq!(fault.kind(), Some(FaultCode::BadName));
    }

    #[test]
    fn codes_and_variants_name_each_other() {
        for &code in FaultCode::ALL {
            assert_eq!(FaultCode::from_code(code.code().into()), Some(code));
        }
        assert_eq!(FaultCode::from_code(5), None);
    }
}
