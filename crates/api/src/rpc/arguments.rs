//! What clients send for arguments, and what they mean by it.
//!
//! Clients in a dozen languages send 1 for true, "15" for 15 and 15 for SIGTERM; all of that is understood. What
//! cannot be is fault 2 with the offending value, where Supervisor answers HTTP 500.

use provost_wire::{Fault, FaultCode, Value};

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
    fn what_cannot_be_meant_is_named_in_the_fault() {
        let mut args = Arguments::new(vec!["abc".into(), Value::Array(vec![])]);
        assert_eq!(args.int().unwrap_err().text, "INCORRECT_PARAMETERS: abc");
        assert_eq!(args.text().unwrap_err().text, "INCORRECT_PARAMETERS: array");
        assert_eq!(args.text().unwrap_err().text, "INCORRECT_PARAMETERS");
    }
}
