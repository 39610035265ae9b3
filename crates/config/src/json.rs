//! JSON, as much of it as we write: a value, and its text with keys sorted.
//!
//! Eighty lines of ours, since this crate depends on nothing and reads no JSON.

use std::collections::BTreeMap;
use std::fmt;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Json {
    Null,
    Bool(bool),
    /// Wide enough for every integer of ours, signed or not.
    Integer(i128),
    /// A number with up to three decimals, so many times a thousandth.
    Thousandths(u64),
    Text(String),
    List(Vec<Json>),
    Object(BTreeMap<String, Json>),
}

impl Json {
    pub fn object<K: Into<String>>(members: impl IntoIterator<Item = (K, Json)>) -> Json {
        Json::Object(members.into_iter().map(|(key, value)| (key.into(), value)).collect())
    }

    pub fn list<T: Into<Json>>(items: impl IntoIterator<Item = T>) -> Json {
        Json::List(items.into_iter().map(Into::into).collect())
    }

    fn write(&self, f: &mut fmt::Formatter<'_>, depth: usize) -> fmt::Result {
        match self {
            Json::Null => f.write_str("null"),
            Json::Bool(value) => write!(f, "{value}"),
            Json::Integer(value) => write!(f, "{value}"),
            Json::Thousandths(value) => {
                let decimals = format!(".{:03}", value % 1000);
                write!(f, "{}{}", value / 1000, decimals.trim_end_matches('0').trim_end_matches('.'))
            }
            Json::Text(text) => write_text(f, text),
            Json::List(items) => {
                write_members(f, depth, ['[', ']'], items, |f, item| item.write(f, depth + 1))
            }
            Json::Object(pairs) => write_members(f, depth, ['{', '}'], pairs, |f, (key, value)| {
                write_text(f, key)?;
                f.write_str(": ")?;
                value.write(f, depth + 1)
            }),
        }
    }
}

/// Indented by two blanks a level, for people and for `diff`.
impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f, 0)
    }
}

impl From<bool> for Json {
    fn from(value: bool) -> Json {
        Json::Bool(value)
    }
}

impl From<&str> for Json {
    fn from(text: &str) -> Json {
        Json::Text(text.to_owned())
    }
}

impl From<String> for Json {
    fn from(text: String) -> Json {
        Json::Text(text)
    }
}

macro_rules! from_integers {
    ($($kind:ty),*) => {
        $(impl From<$kind> for Json {
            fn from(value: $kind) -> Json {
                Json::Integer(value.into())
            }
        })*
    };
}

from_integers!(i32, i64, u8, u16, u32, u64);

impl<T: Into<Json>> From<Option<T>> for Json {
    fn from(value: Option<T>) -> Json {
        value.map_or(Json::Null, Into::into)
    }
}

impl From<&BTreeMap<String, String>> for Json {
    fn from(pairs: &BTreeMap<String, String>) -> Json {
        Json::Object(pairs.iter().map(|(key, value)| (key.clone(), value.as_str().into())).collect())
    }
}

fn write_members<T>(
    f: &mut fmt::Formatter<'_>,
    depth: usize,
    [open, close]: [char; 2],
    members: impl IntoIterator<Item = T>,
    mut write_member: impl FnMut(&mut fmt::Formatter<'_>, T) -> fmt::Result,
) -> fmt::Result {
    write!(f, "{open}")?;
    let mut empty = true;
    for member in members {
        let comma = if empty { "" } else { "," };
        write!(f, "{comma}\n{:1$}", "", 2 * (depth + 1))?;
        write_member(f, member)?;
        empty = false;
    }
    if !empty {
        write!(f, "\n{:1$}", "", 2 * depth)?;
    }
    write!(f, "{close}")
}

fn write_text(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    f.write_str("\"")?;
    for letter in text.chars() {
        match letter {
            '"' => f.write_str("\\\"")?,
            '\\' => f.write_str("\\\\")?,
            '\n' => f.write_str("\\n")?,
            '\t' => f.write_str("\\t")?,
            '\r' => f.write_str("\\r")?,
            control if control < ' ' || control == '\u{7f}' => write!(f, "\\u{:04x}", u32::from(control))?,
            other => write!(f, "{other}")?,
        }
    }
    f.write_str("\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_and_their_text() {
        let none: Option<u8> = None;
        for (value, text) in [
            (Json::from(true), "true"),
            (Json::from(u64::MAX), "18446744073709551615"),
            (Json::from(-1), "-1"),
            (Json::Thousandths(0), "0"),
            (Json::Thousandths(60_000), "60"),
            (Json::Thousandths(1_050), "1.05"),
            (Json::Thousandths(5), "0.005"),
            (Json::from(none), "null"),
            (Json::from("a\"\\\n\u{1}é"), r#""a\"\\\n\u0001é""#),
            (Json::list([1, 2]), "[\n  1,\n  2\n]"),
            (Json::List(Vec::new()), "[]"),
            (
                Json::object([("b", 1.into()), ("a", Json::Object(BTreeMap::new()))]),
                "{\n  \"a\": {},\n  \"b\": 1\n}",
            ),
        ] {
            assert_eq!(value.to_string(), text);
        }
    }
}
