//! What clients send for arguments, and what they mean by it.
//!
//! Clients in a dozen languages send 1 for true, "15" for 15 and 15 for SIGTERM; all of that is understood. What
//! cannot be is fault 2 with the offending value, where Supervisor answers HTTP 500.

use provost_core::{NamePattern, State};
use provost_wire::{Fault, FaultCode, Value};

/// In one command.
const MOST_NAMES: usize = 10_000;
/// Each of them is held against every process.
const MOST_PATTERNS: usize = 64;
const LONGEST_PATTERN: usize = 512;

/// The arguments of one call, taken from the front.
pub(crate) struct Arguments(std::vec::IntoIter<Value>);

impl Arguments {
    pub(crate) fn new(params: Vec<Value>) -> Self {
        Arguments(params.into_iter())
    }

    pub(crate) fn text(&mut self) -> Result<String, Fault> {
        match self.next()? {
            Value::Str(text) => Ok(text),
            Value::Int(n) => Ok(n.to_string()),
            other => Err(unfit(&other)),
        }
    }

    /// A text and nothing that stands for one: Supervisor asks for that where the text is somebody else's data.
    pub(crate) fn chars(&mut self) -> Result<String, Fault> {
        match self.next()? {
            Value::Str(text) => Ok(text),
            other => Err(unfit(&other)),
        }
    }

    /// A text that may be left out.
    pub(crate) fn text_if_any(&mut self) -> Result<Option<String>, Fault> {
        if self.0.as_slice().is_empty() { Ok(None) } else { self.text().map(Some) }
    }

    pub(crate) fn int(&mut self) -> Result<i64, Fault> {
        match self.next()? {
            Value::Int(n) => Ok(n),
            Value::Bool(b) => Ok(b.into()),
            Value::Double(d) => Ok(d as i64),
            Value::Str(text) => text.trim().parse().map_err(|_| unfit(&Value::Str(text))),
            other => Err(unfit(&other)),
        }
    }

    /// A number that may be left out.
    pub(crate) fn int_or(&mut self, default: i64) -> Result<i64, Fault> {
        if self.0.as_slice().is_empty() { Ok(default) } else { self.int() }
    }

    /// A flag that may be left out.
    pub(crate) fn flag(&mut self, default: bool) -> Result<bool, Fault> {
        match self.0.next() {
            None => Ok(default),
            Some(Value::Bool(b)) => Ok(b),
            Some(Value::Int(n)) => Ok(n != 0),
            Some(Value::Nil) => Ok(false),
            // As Python would judge it, except for the words that mean no.
            Some(Value::Str(text)) => {
                Ok(!matches!(text.to_ascii_lowercase().as_str(), "" | "0" | "false" | "no" | "off"))
            }
            Some(Value::Double(d)) => Ok(d != 0.0),
            Some(Value::Array(items)) => Ok(!items.is_empty()),
            Some(Value::Struct(members)) => Ok(!members.is_empty()),
        }
    }

    /// A signal, by name or number.
    pub(crate) fn signal(&mut self) -> Result<String, Fault> {
        match self.next()? {
            Value::Str(name) => Ok(name),
            Value::Int(n) => Ok(n.to_string()),
            Value::Bool(b) => Ok(i32::from(b).to_string()),
            Value::Double(d) => Ok((d as i64).to_string()),
            other => Err(unfit(&other)),
        }
    }

    pub(crate) fn array(&mut self) -> Result<Vec<Value>, Fault> {
        match self.next()? {
            Value::Array(items) => Ok(items),
            other => Err(unfit(&other)),
        }
    }

    /// Names and patterns of processes, no more of them than the loop can look up between two other things.
    pub(crate) fn names(&mut self) -> Result<Vec<String>, Fault> {
        let names = self.array()?.into_iter().map(|name| match name {
            Value::Str(name) => Ok(name),
            Value::Int(number) => Ok(number.to_string()),
            other => Err(unfit(&other)),
        });
        let names = names.collect::<Result<Vec<_>, _>>()?;
        let patterns = || names.iter().filter(|name| NamePattern::parse(name).is_some());
        let refused = |why: String| Err(Fault::new(FaultCode::IncorrectParameters, Some(&why)));
        if names.len() > MOST_NAMES {
            return refused(format!("{} names, give {MOST_NAMES} at most", names.len()));
        }
        if patterns().count() > MOST_PATTERNS {
            return refused(format!("{} patterns, give {MOST_PATTERNS} at most", patterns().count()));
        }
        if patterns().any(|pattern| pattern.len() > LONGEST_PATTERN) {
            return refused(format!("a pattern has {LONGEST_PATTERN} letters at most"));
        }
        Ok(names)
    }

    /// States of processes, by name or number: one, or an array of them.
    pub(crate) fn states(&mut self) -> Result<Vec<State>, Fault> {
        let given = match self.next()? {
            Value::Array(items) if items.is_empty() => return Err(unfit(&Value::Array(items))),
            Value::Array(items) => items,
            one => vec![one],
        };
        let state = |value: Value| {
            let is_meant = |state: &State| match &value {
                Value::Str(name) => {
                    name.eq_ignore_ascii_case(state.name()) || *name == state.code().to_string()
                }
                Value::Int(code) => *code == i64::from(state.code()),
                _ => false,
            };
            State::ALL.into_iter().find(is_meant).ok_or_else(|| unfit(&value))
        };
        given.into_iter().map(state).collect()
    }

    /// Options as they stand in a section of a configuration.
    pub(crate) fn options(&mut self) -> Result<Vec<(String, String)>, Fault> {
        let Value::Struct(members) = self.next()? else {
            return Err(Fault::new(FaultCode::IncorrectParameters, None));
        };
        let text = |value: Value| match value {
            Value::Str(text) => Ok(text),
            Value::Int(number) => Ok(number.to_string()),
            Value::Bool(truth) => Ok(truth.to_string()),
            Value::Double(number) => Ok(number.to_string()),
            other => Err(unfit(&other)),
        };
        members.into_iter().map(|(key, value)| Ok((key, text(value)?))).collect()
    }

    /// Anything at all, or nothing.
    pub(crate) fn value_if_any(&mut self) -> Option<Value> {
        self.0.next()
    }

    fn next(&mut self) -> Result<Value, Fault> {
        self.0.next().ok_or_else(|| Fault::new(FaultCode::IncorrectParameters, None))
    }
}

fn unfit(value: &Value) -> Fault {
    let shown = match value {
        Value::Str(text) => text.clone(),
        Value::Int(n) => n.to_string(),
        Value::Bool(b) => b.to_string(),
        Value::Double(d) => d.to_string(),
        Value::Nil => "nil".into(),
        Value::Array(_) => "array".into(),
        Value::Struct(_) => "struct".into(),
    };
    Fault::new(FaultCode::IncorrectParameters, Some(&shown))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stand_for_flags_and_words_for_numbers() {
        let mut args = Arguments::new(vec![1.into(), "0".into(), "15".into(), false.into()]);
        assert_eq!((args.flag(false), args.flag(true)), (Ok(true), Ok(false)));
        assert_eq!((args.int(), args.int()), (Ok(15), Ok(0)));
        assert_eq!(args.flag(true), Ok(true));
        let mut args = Arguments::new(vec![15.into(), "hup".into(), true.into(), Value::Double(1.5)]);
        assert_eq!([(); 4].map(|()| args.signal().unwrap()), ["15", "hup", "1", "1"]);
        let empty =
            [Value::Double(0.0), Value::Array(vec![]), Value::Struct(vec![]), Value::Nil, "No".into()];
        let mut args = Arguments::new(empty.to_vec());
        assert_eq!(empty.map(|_| args.flag(true).unwrap()), [false; 5]);
    }

    #[test]
    fn states_are_known_by_name_and_number() {
        let mut args =
            Arguments::new(vec!["running".into(), vec![200.into(), "STOPPED".into()].into(), "up".into()]);
        assert_eq!(args.states(), Ok(vec![State::Running]));
        assert_eq!(args.states(), Ok(vec![State::Fatal, State::Stopped]));
        assert_eq!(args.states().unwrap_err().text, "INCORRECT_PARAMETERS: up");
        assert_eq!(
            Arguments::new(vec![vec![].into()]).states().unwrap_err().text,
            "INCORRECT_PARAMETERS: array"
        );
    }

    #[test]
    fn a_list_of_names_is_bounded_by_the_work_that_it_makes() {
        let names = |names: Vec<Value>| Arguments::new(vec![names.into()]).names();
        assert_eq!(names(vec!["a".into(), 7.into()]), Ok(vec!["a".to_owned(), "7".to_owned()]));
        assert!(
            names(vec!["a".into(); MOST_NAMES]).is_ok() && names(vec!["a".into(); MOST_NAMES + 1]).is_err()
        );
        assert!(
            names(vec!["?".into(); MOST_PATTERNS]).is_ok()
                && names(vec!["?".into(); MOST_PATTERNS + 1]).is_err()
        );
        assert!(names(vec!["*".repeat(LONGEST_PATTERN + 1).into()]).is_err());
        assert!(names(vec![Value::Nil]).is_err());
    }

    #[test]
    fn what_cannot_be_meant_is_named_in_the_fault() {
        let mut args = Arguments::new(vec!["abc".into(), Value::Array(vec![])]);
        assert_eq!(args.int().unwrap_err().text, "INCORRECT_PARAMETERS: abc");
        assert_eq!(args.text().unwrap_err().text, "INCORRECT_PARAMETERS: array");
        assert_eq!(args.text().unwrap_err().text, "INCORRECT_PARAMETERS");
    }
}
