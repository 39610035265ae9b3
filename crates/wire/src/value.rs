//! The one value type of XML-RPC, for arguments and results alike.
//!
//! Members of a struct keep the order in which they were written, because
//! Python's dictionaries do and recorded answers are compared byte by byte.

/// What an XML-RPC `<value>` can hold.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Written as `<int>`, clamped to 32 bits: that is all the format has.
    Int(i64),
    Bool(bool),
    Str(String),
    Double(f64),
    Nil,
    Array(Vec<Value>),
    Struct(Vec<(String, Value)>),
}

/// Where the members of a struct are told to, one after the other: a value, or bytes.
pub trait Members {
    fn text(&mut self, name: &str, text: &str);
    fn int(&mut self, name: &str, number: i64);
}

impl Members for Vec<(String, Value)> {
    fn text(&mut self, name: &str, text: &str) {
        self.push((name.to_owned(), text.into()));
    }

    fn int(&mut self, name: &str, number: i64) {
        self.push((name.to_owned(), number.into()));
    }
}

impl Value {
    /// A struct from its members, in this order.
    pub fn members<const N: usize>(members: [(&str, Value); N]) -> Value {
        Value::Struct(members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
    }

    /// About how many bytes of memory it takes.
    pub fn footprint(&self) -> usize {
        /// What every piece of memory takes besides, whatever its size.
        const PIECE: usize = 16;
        let inner = match self {
            Value::Int(_) | Value::Bool(_) | Value::Double(_) | Value::Nil => 0,
            Value::Str(text) => PIECE + text.capacity(),
            Value::Array(items) => PIECE + items.iter().map(Value::footprint).sum::<usize>(),
            Value::Struct(members) => {
                let member = |(name, value): &(String, Value)| {
                    size_of::<String>() + PIECE + name.capacity() + value.footprint()
                };
                PIECE + members.iter().map(member).sum::<usize>()
            }
        };
        size_of::<Value>() + inner
    }

    pub fn as_str(&self) -> Option<&str> {
        match self {
            Value::Str(text) => Some(text),
            _ => None,
        }
    }

    pub fn as_int(&self) -> Option<i64> {
        match self {
            Value::Int(number) => Some(*number),
            _ => None,
        }
    }

    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Value::Bool(truth) => Some(*truth),
            _ => None,
        }
    }

    pub fn as_array(&self) -> Option<&[Value]> {
        match self {
            Value::Array(items) => Some(items),
            _ => None,
        }
    }

    pub fn as_struct(&self) -> Option<&[(String, Value)]> {
        match self {
            Value::Struct(members) => Some(members),
            _ => None,
        }
    }

    /// A member of a struct. Where a name is written twice the last one counts, as in Python.
    pub fn get(&self, member: &str) -> Option<&Value> {
        let members = self.as_struct()?;
        members.iter().rev().find(|(name, _)| name == member).map(|(_, value)| value)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Value {
        Value::Str(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Value {
        Value::Str(text)
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Value {
        Value::Int(number)
    }
}

impl From<i32> for Value {
    fn from(number: i32) -> Value {
        Value::Int(number.into())
    }
}

impl From<bool> for Value {
    fn from(truth: bool) -> Value {
        Value::Bool(truth)
    }
}

impl From<Vec<Value>> for Value {
    fn from(items: Vec<Value>) -> Value {
        Value::Array(items)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_of_two_equal_members_counts() {
        let value = Value::members([("a", 1.into()), ("b", true.into()), ("a", "x".into())]);
        assert_eq!(value.get("a").and_then(Value::as_str), Some("x"));
        assert_eq!(value.get("b").and_then(Value::as_bool), Some(true));
        assert_eq!(value.get("c"), None);
        assert_eq!(Value::Int(1).get("a"), None);
    }
}
