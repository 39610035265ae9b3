//! A response in the form in which servers write it, read in one pass.
//!
//! In: the text of a response. Out: its value, or `None` for whatever is not quite as Supervisor and we write it: entities by
//! number, comments, faults, types that are seldom, errors. Then `read.rs` has the word, and what this room
//! does understand it understands as that one does; a fuzz target holds the two against each other. A list of a thousand
//! processes is a megabyte in a hundred thousand elements, and whoever typed `status` waits for it.

use memchr::memchr3;

use crate::Value;

/// As deep as `read.rs` goes at least; two elements for each value at the very least.
const DEPTH: usize = 12;

/// The only result of a response.
pub(super) fn response(text: &str) -> Option<Value> {
    let mut rest = Rest(text.trim_ascii_start());
    if let Some(declared) = rest.0.strip_prefix("<?xml ") {
        rest.0 = &declared[declared.find("?>")? + 2..];
    }
    for tag in ["<methodResponse>", "<params>", "<param>"] {
        rest.tag(tag)?;
    }
    let value = rest.value(DEPTH)?;
    for tag in ["</param>", "</params>", "</methodResponse>"] {
        rest.tag(tag)?;
    }
    rest.0.trim_ascii().is_empty().then_some(value)
}

/// What has not been read yet.
struct Rest<'a>(&'a str);

impl Rest<'_> {
    /// This tag comes next, perhaps behind blanks.
    fn tag(&mut self, tag: &str) -> Option<()> {
        self.0 = self.0.trim_ascii_start().strip_prefix(tag)?;
        Some(())
    }

    fn is_next(&mut self, tag: &str) -> bool {
        self.tag(tag).is_some()
    }

    fn value(&mut self, depth: usize) -> Option<Value> {
        let depth = depth.checked_sub(1)?;
        self.tag("<value>")?;
        let value = if self.is_next("<string>") {
            Value::Str(self.text("</string>")?)
        } else if self.is_next("<int>") {
            Value::Int(self.text("</int>")?.parse().ok()?)
        } else if self.is_next("<boolean>") {
            Value::Bool(self.text("</boolean>")? == "1")
        } else if self.is_next("<array>") {
            self.tag("<data>")?;
            let mut values = Vec::new();
            while !self.is_next("</data>") {
                values.push(self.value(depth)?);
            }
            self.tag("</array>")?;
            Value::Array(values)
        } else {
            self.tag("<struct>")?;
            let mut members = Vec::new();
            while !self.is_next("</struct>") {
                self.tag("<member>")?;
                self.tag("<name>")?;
                members.push((self.text("</name>")?, self.value(depth)?));
                self.tag("</member>")?;
            }
            Value::Struct(members)
        };
        self.tag("</value>")?;
        Some(value)
    }

    /// Text up to this tag, which comes next.
    fn text(&mut self, end: &str) -> Option<String> {
        let mut text = String::new();
        loop {
            let at = memchr3(b'<', b'&', b'\r', self.0.as_bytes())?;
            let (before, rest) = self.0.split_at(at);
            text.push_str(before);
            if let Some(rest) = rest.strip_prefix(end) {
                self.0 = rest;
                return Some(text);
            }
            let known = [("&amp;", '&'), ("&lt;", '<'), ("&gt;", '>')];
            let (entity, char) = known.into_iter().find(|(entity, _)| rest.starts_with(entity))?;
            text.push(char);
            self.0 = &rest[entity.len()..];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::xmlrpc::write_response;

    #[test]
    fn what_is_written_is_understood_here() {
        let value = Value::members([
            ("name", "a<b> & c\n\ttab \u{e9}\u{1f600}".into()),
            ("empty", "".into()),
            ("number", (-17).into()),
            ("truth", true.into()),
            ("list", vec![Value::Array(vec![]), Value::Struct(vec![]), "x".into()].into()),
        ]);
        let written = String::from_utf8(write_response(&value)).unwrap();
        assert_eq!(response(&written), Some(value));
    }

    #[test]
    fn everything_else_is_left_to_the_other_reader() {
        let of = |value: &str| {
            response(&format!("<methodResponse><params><param>{value}</param></params></methodResponse>"))
        };
        assert_eq!(of("<value><int>1</int></value>"), Some(Value::Int(1)));
        for value in [
            "<value>bare</value>",
            "<value><int> 1</int></value>",
            "<value><string>a\rb</string></value>",
            "<value><string>a&#233;</string></value>",
            "<value><string><!-- --></string></value>",
            "<value><string/></value>",
            "<value><string>never ends",
            "<value><nil/></value>",
            "<value><int>1</int></value><value><int>1</int></value>",
            "",
        ] {
            assert_eq!(of(value), None, "{value}");
        }
        let deep = |levels| {
            let [open, close] =
                ["<value><array><data>", "</data></array></value>"].map(|tag| tag.repeat(levels));
            of(&format!("{open}{close}"))
        };
        assert!(deep(DEPTH).is_some() && deep(DEPTH + 1).is_none());
    }
}
