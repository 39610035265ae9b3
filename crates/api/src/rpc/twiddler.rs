//! The methods of supervisor_twiddler: programs that come and go without the configuration file, and lines for the main log.
//!
//! In: a method and its arguments. Out: commands, as everywhere. Which program may be what is not decided here.

use provost_core::{Command, LogLevel};
use provost_wire::{Fault, FaultCode, Value, twiddler};

use super::Rpc;
use super::arguments::Arguments;
use super::call::unknown_method;

impl Rpc<'_> {
    pub(super) async fn twiddler(
        &self,
        method: &str,
        whitelist: &[String],
        args: &mut Arguments,
    ) -> Result<Value, Fault> {
        if !whitelist.is_empty() && !whitelist.iter().any(|allowed| allowed == method) {
            self.alive().await?;
            let (code, name) = twiddler::NOT_IN_WHITELIST;
            return Err(Fault { code, text: format!("{name}: {method}") });
        }
        match method {
            "getAPIVersion" => self.fact(twiddler::API_VERSION.into()).await,
            "getGroupNames" => self.done(Command::GroupNames).await,
            "addProgramToGroup" => {
                let (group, program, options) = (args.text()?, args.text()?, args.options()?);
                self.done(Command::AddProgram { group, program, options }).await
            }
            "removeProcessFromGroup" => {
                self.done(Command::RemoveProcess { group: args.text()?, process: args.text()? }).await
            }
            "log" => {
                let message = args.text()?;
                let level = args.value_if_any();
                let level = level.as_ref().map_or(Some(LogLevel::Info), named_level);
                let level = level.ok_or_else(|| Fault::new(FaultCode::IncorrectParameters, None))?;
                self.done(Command::WriteLog { level, message }).await
            }
            _ => Err(unknown_method()),
        }
    }
}

/// A level by the name or the number that Supervisor's logger has for it.
fn named_level(value: &Value) -> Option<LogLevel> {
    const LEVELS: [(LogLevel, i64, &str); 7] = [
        (LogLevel::Critical, 50, "CRIT"),
        (LogLevel::Error, 40, "ERRO"),
        (LogLevel::Warn, 30, "WARN"),
        (LogLevel::Info, 20, "INFO"),
        (LogLevel::Debug, 10, "DEBG"),
        (LogLevel::Trace, 5, "TRAC"),
        (LogLevel::Blather, 3, "BLAT"),
    ];
    let is_meant = |(_, number, name): &&(LogLevel, i64, &str)| match value {
        Value::Str(text) => text.eq_ignore_ascii_case(name),
        Value::Int(n) => n == number,
        _ => false,
    };
    LEVELS.iter().find(is_meant).map(|(level, ..)| *level)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_is_a_name_or_a_number_of_the_loggers() {
        for (value, level) in [
            (Value::from("warn"), Some(LogLevel::Warn)),
            (Value::from("BLAT"), Some(LogLevel::Blather)),
            (Value::Int(10), Some(LogLevel::Debug)),
            (Value::Int(21), None),
            (Value::from("20"), None),
            (Value::from("debug"), None),
            (Value::Bool(true), None),
        ] {
            assert_eq!(named_level(&value), level, "{value:?}");
        }
    }
}
