//! JSON Schema, as much of it as docs/reference/supervisorctl-json.schema.json uses; another keyword is a panic.
//!
//! A hundred lines of ours and not a crate: those that there are bring a dozen more, and none can be told to complain of what a
//! schema allows and does not describe, which is the point here. That the file is a schema in the eyes of others was
//! looked at once, by hand.

use serde_json::{Map, Value};

pub(crate) struct Schema(Value);

/// Whether a member that the schema does not name is a complaint.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Strict {
    Yes,
    No,
}

impl Schema {
    pub(crate) fn read(text: &str) -> Schema {
        Schema(serde_json::from_str(text).unwrap())
    }

    /// What is wrong with a document, and which of its members are not described.
    pub(crate) fn complaints(&self, document: &Value) -> Vec<String> {
        let mut complaints = Vec::new();
        self.check(&self.0, document, "", Strict::Yes, &mut complaints);
        complaints
    }

    /// The same by one of its definitions.
    pub(crate) fn complaints_by(&self, definition: &str, document: &Value) -> Vec<String> {
        let mut complaints = Vec::new();
        self.check(&self.0["$defs"][definition], document, "", Strict::Yes, &mut complaints);
        complaints
    }

    /// Every verb that some condition names.
    pub(crate) fn verbs(&self) -> Vec<&str> {
        let branches = self.0["allOf"].as_array().unwrap();
        let conditions = branches.iter().map(|branch| &branch["if"]["properties"]["verb"]);
        conditions.flat_map(|verb| strings_of(&verb["const"]).chain(strings_of(&verb["enum"]))).collect()
    }

    fn check(&self, schema: &Value, value: &Value, at: &str, strict: Strict, complaints: &mut Vec<String>) {
        let schema = schema.as_object().unwrap();
        let before = complaints.len();
        let mut say = |text: String| complaints.push(format!("{at}: {text}"));
        for (keyword, wanted) in schema {
            match keyword.as_str() {
                "type" if !strings_of(wanted).any(|kind| is(value, kind)) => {
                    say(format!("{value} is no {wanted}"))
                }
                "const" if value != wanted => say(format!("{value} is not {wanted}")),
                "enum" if !wanted.as_array().unwrap().contains(value) => {
                    say(format!("{value} is none of {wanted}"))
                }
                "minimum" if value.as_i64() < wanted.as_i64() && value.is_number() => {
                    say(format!("{value} < {wanted}"))
                }
                "maximum" if value.as_i64() > wanted.as_i64() && value.is_number() => {
                    say(format!("{value} > {wanted}"))
                }
                "maxItems" if value.as_array().map(Vec::len) > wanted.as_u64().map(|most| most as usize) => {
                    say(format!("more than {wanted} items"));
                }
                "required" => {
                    for name in
                        strings_of(wanted).filter(|name| value.is_object() && value.get(name).is_none())
                    {
                        say(format!("lacks {name}"));
                    }
                }
                "$schema"
                | "title"
                | "description"
                | "$defs"
                | "type"
                | "const"
                | "enum"
                | "minimum"
                | "maximum"
                | "maxItems"
                | "$ref"
                | "properties"
                | "additionalProperties"
                | "items"
                | "allOf"
                | "if"
                | "then" => {}
                other => panic!("the schema has the keyword {other}, which is not known here"),
            }
        }
        if complaints.len() > before {
            return;
        }
        self.go_on(schema, value, at, strict, complaints);
    }

    /// Into what a schema is made of.
    fn go_on(
        &self,
        schema: &Map<String, Value>,
        value: &Value,
        at: &str,
        strict: Strict,
        complaints: &mut Vec<String>,
    ) {
        if let Some(Value::String(name)) = schema.get("$ref") {
            let target = self.0.pointer(name.trim_start_matches('#')).expect("what is referred to is there");
            self.check(target, value, at, strict, complaints);
        }
        if let (Some(Value::Object(properties)), Value::Object(members)) = (schema.get("properties"), value) {
            let is_open =
                schema.get("additionalProperties") == Some(&Value::Bool(true)) || strict == Strict::No;
            for (name, member) in members {
                match properties.get(name) {
                    Some(known) => self.check(known, member, &format!("{at}/{name}"), strict, complaints),
                    None if is_open => {}
                    None => complaints.push(format!("{at}: {name} is not described")),
                }
            }
        }
        if let (Some(items), Value::Array(values)) = (schema.get("items"), value) {
            for (n, item) in values.iter().enumerate() {
                self.check(items, item, &format!("{at}/{n}"), strict, complaints);
            }
        }
        for part in schema.get("allOf").and_then(Value::as_array).into_iter().flatten() {
            self.check(part, value, at, strict, complaints);
        }
        if let (Some(condition), Some(then)) = (schema.get("if"), schema.get("then")) {
            let mut against = Vec::new();
            self.check(condition, value, at, Strict::No, &mut against);
            if against.is_empty() {
                // It speaks of one member and leaves the others to who spoke of them.
                for (name, wanted) in then["properties"].as_object().unwrap() {
                    self.check(wanted, &value[name], &format!("{at}/{name}"), strict, complaints);
                }
            }
        }
    }
}

fn is(value: &Value, kind: &str) -> bool {
    match kind {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        other => panic!("the schema has the type {other}, which is not known here"),
    }
}

/// One text, or several.
fn strings_of(value: &Value) -> impl Iterator<Item = &str> {
    let several = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
    several.iter().filter_map(Value::as_str)
}
