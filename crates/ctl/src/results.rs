//! What calls return about processes, taken out of XML-RPC's structs.

use provost_wire::{FaultCode, Value};
use serde_json::json;

use crate::call::CallError;
use crate::namespec;

/// One entry of a list of results, or a refusal put into the same shape.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// As people write it.
    pub(crate) namespec: String,
    /// A fault code; 80 is success.
    pub(crate) code: i64,
    /// The fault's text.
    pub(crate) description: String,
}

impl Outcome {
    pub(crate) fn kind(&self) -> Option<FaultCode> {
        FaultCode::from_code(self.code)
    }

    /// Of a word that was meant for a whole group.
    pub(crate) fn is_group(&self) -> bool {
        namespec::split(&self.namespec).process.is_none()
    }

    /// The line for an outcome that its verb has no words for.
    pub(crate) fn unexpected(&self) -> CallError {
        CallError::Other(format!("Unknown result code {} for {}", self.code, self.namespec))
    }
}

/// `NAME: ERROR (REASON)`.
pub(crate) fn error_line(name: &str, reason: &str) -> String {
    format!("{name}: ERROR ({reason})")
}

/// A list of results.
pub(crate) fn outcomes(value: &Value) -> Result<Vec<Outcome>, CallError> {
    items(value)?.iter().map(outcome).collect()
}

fn outcome(value: &Value) -> Result<Outcome, CallError> {
    Ok(Outcome {
        namespec: full_name(value)?,
        code: int(value, "status")?,
        description: text(value, "description")?.to_owned(),
    })
}

/// What became of a call about one process, refusals included.
pub(crate) fn single(namespec: &str, result: Result<Value, CallError>) -> Result<Outcome, CallError> {
    let (code, description) = match result {
        Ok(_) => (FaultCode::Success.code(), "OK".to_owned()),
        Err(CallError::Fault(fault)) => (fault.code, fault.text),
        Err(other) => return Err(other),
    };
    let parts = namespec::split(namespec);
    let namespec = match parts.process {
        Some(process) => namespec::join(parts.group, process),
        None => namespec.to_owned(),
    };
    Ok(Outcome { namespec, code: code.into(), description })
}

/// The namespec of anything that has a name and a group.
pub(crate) fn full_name(value: &Value) -> Result<String, CallError> {
    Ok(namespec::join(text(value, "group")?, text(value, "name")?))
}

pub(crate) fn items(value: &Value) -> Result<&[Value], CallError> {
    value.as_array().ok_or_else(|| CallError::Other("the answer is not a list".to_owned()))
}

pub(crate) fn text<'a>(value: &'a Value, member: &str) -> Result<&'a str, CallError> {
    value.get(member).and_then(Value::as_str).ok_or_else(|| missing(member))
}

pub(crate) fn int(value: &Value, member: &str) -> Result<i64, CallError> {
    value.get(member).and_then(Value::as_int).ok_or_else(|| missing(member))
}

pub(crate) fn truth(value: &Value, member: &str) -> Result<bool, CallError> {
    value.get(member).and_then(Value::as_bool).ok_or_else(|| missing(member))
}

/// As it came.
pub(crate) fn as_json(value: &Value) -> serde_json::Value {
    match value {
        Value::Int(number) => json!(number),
        Value::Bool(truth) => json!(truth),
        Value::Str(text) => json!(text),
        Value::Double(number) => json!(number),
        Value::Nil => json!(null),
        Value::Array(items) => items.iter().map(as_json).collect(),
        Value::Struct(members) => {
            members.iter().map(|(name, value)| (name.clone(), as_json(value))).collect()
        }
    }
}

fn missing(member: &str) -> CallError {
    CallError::Other(format!("the answer lacks {member}"))
}
