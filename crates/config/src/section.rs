//! A section's options as typed values, by way of the option table.
//!
//! Each getter looks up the option's row, takes the text that was written or the
//! row's default, expands it, and parses it. A bad value is noted in the
//! [`Reading`] and the default stands in, so that reading goes on and finds the
//! next error too.

use std::path::PathBuf;

use crate::expand::{Scope, expand};
use crate::ini::Value;
use crate::options::{DefaultValue, OptionRow, SectionKind, ValueKind, row};
use crate::reading::Reading;
use crate::{User, advice, python, values};

/// A user and a group, either of which may be left as it is.
type Owner = (Option<u32>, Option<u32>);

pub(crate) struct Section<'a> {
    pub(crate) reading: &'a Reading<'a>,
    pub(crate) name: &'a str,
    /// Decides which rows of the table count.
    kind: SectionKind,
    /// What Supervisor adds to errors found here.
    suffix: String,
}

impl<'a> Section<'a> {
    pub(crate) fn new(reading: &'a Reading<'a>, name: &'a str, kind: SectionKind) -> Section<'a> {
        Section { reading, name, kind, suffix: String::new() }
    }

    /// The options that describe a single process, which programs, listeners and
    /// fcgi programs have alike; Supervisor names section and file in their errors.
    pub(crate) fn of_process(reading: &'a Reading<'a>, name: &'a str) -> Section<'a> {
        let file = reading.ini.section(name).map_or(&*reading.path, |found| &found.place.file);
        let suffix = format!(" in section {} (file: {})", python::repr(name), python::repr(file));
        Section { reading, name, kind: SectionKind::Program, suffix }
    }

    /// What was written, unexpanded.
    pub(crate) fn written(&self, key: &str) -> Option<&'a Value> {
        self.reading.ini.get(self.name, key)
    }

    /// Notes an error at `key`, or at the section's header where the key was not written.
    pub(crate) fn refuse(&self, key: &str, text: String) {
        let place = self.written(key).map(|value| &value.place);
        let header = self.reading.ini.section(self.name).map(|section| &section.place);
        self.reading.refuse(place.or(header), self.name, Some(key), text, &self.suffix);
    }

    /// Notes an error in the section's own name.
    pub(crate) fn refuse_name(&self, text: String) {
        let header = self.reading.ini.section(self.name).map(|section| &section.place);
        self.reading.refuse(header, self.name, None, text, &self.suffix);
    }

    pub(crate) fn advise(&self, key: &str, text: String) {
        let place = self.written(key).map(|value| &value.place);
        self.reading.advise(place, self.name, Some(key), text);
    }

    /// The text of an option as it stands in the file, or as its default would.
    pub(crate) fn raw(&self, key: &str, kind: ValueKind) -> Option<&'a str> {
        let row = self.row(key, kind);
        self.written(key).map(|value| &*value.text).or_else(|| default_text(row))
    }

    /// Expands what was written; `None` when nothing was, or when that failed.
    pub(crate) fn text(&self, key: &str, kind: ValueKind, scope: &Scope<'_>) -> Option<String> {
        self.parsed(key, kind, scope, |text| Ok(text.to_owned()))
    }

    /// The option's value; `None` when there is neither a good value nor a default.
    pub(crate) fn parsed<T>(
        &self,
        key: &str,
        kind: ValueKind,
        scope: &Scope<'_>,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Option<T> {
        let row = self.row(key, kind);
        if let Some(value) = self.written(key) {
            let what = format!("{}.{key}", self.name);
            match expand(&value.text, scope, &what).and_then(|text| parse(&text)) {
                Ok(value) => return Some(value),
                Err(text) => {
                    self.refuse(key, text);
                    self.reading.hint(advice::near_value(kind, &value.text));
                }
            }
        }
        parse(default_text(row)?).ok()
    }

    pub(crate) fn integer(&self, key: &str, scope: &Scope<'_>) -> i64 {
        self.defaulted(key, ValueKind::Integer, scope, python::integer)
    }

    pub(crate) fn boolean(&self, key: &str, scope: &Scope<'_>) -> bool {
        self.defaulted(key, ValueKind::Boolean, scope, values::boolean)
    }

    pub(crate) fn byte_size(&self, key: &str, scope: &Scope<'_>) -> u64 {
        self.defaulted(key, ValueKind::ByteSize, scope, values::byte_size)
    }

    /// An integer that counts something: a negative one has always meant none.
    pub(crate) fn count(&self, key: &str, scope: &Scope<'_>) -> u64 {
        self.integer(key, scope).max(0).unsigned_abs()
    }

    /// How many rotated files are kept.
    pub(crate) fn backups(&self, key: &str, scope: &Scope<'_>) -> u32 {
        u32::try_from(self.count(key, scope)).unwrap_or(u32::MAX)
    }

    pub(crate) fn user(&self, key: &str, scope: &Scope<'_>) -> Option<User> {
        let user = self.parsed(key, ValueKind::User, scope, |text| values::user(text, self.reading.files))?;
        self.advise_on_stranger(key, &user);
        Some(user)
    }

    /// Only a lenient machine lets an unknown account get this far.
    pub(crate) fn advise_on_stranger(&self, key: &str, user: &User) {
        if user.uid == User::UNKNOWN {
            self.advise(key, format!("there is no account {} on this machine", user.name));
        }
    }

    /// `user` or `user:group`; `wrong` words the refusal.
    pub(crate) fn owner(&self, key: &str, scope: &Scope<'_>, wrong: &str) -> Option<Owner> {
        let owner = self.parsed(key, ValueKind::UserGroup, scope, |text| {
            values::user_group(text, self.reading.files).ok_or_else(|| format!("{wrong} {text}"))
        })?;
        self.advise_on_strange_owner(key, owner);
        Some(owner)
    }

    pub(crate) fn advise_on_strange_owner(&self, key: &str, owner: Owner) {
        if owner.0 == Some(User::UNKNOWN) || owner.1 == Some(User::UNKNOWN) {
            self.advise(key, "there is no such account or group on this machine".to_owned());
        }
    }

    pub(crate) fn existing_directory(&self, key: &str, scope: &Scope<'_>) -> Option<PathBuf> {
        self.parsed(key, ValueKind::ExistingDirectory, scope, |text| {
            values::existing_directory(text, self.reading.files)
        })
    }

    /// For options whose row has a default.
    pub(crate) fn defaulted<T>(
        &self,
        key: &str,
        kind: ValueKind,
        scope: &Scope<'_>,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> T {
        self.parsed(key, kind, scope, parse).expect("its row in the table has a default that parses")
    }

    fn row(&self, key: &str, kind: ValueKind) -> &'static OptionRow {
        let row = row(self.kind, key).expect("every option that is read has a row in the table");
        debug_assert_eq!(row.kind, kind, "{key} is read as another kind than its row says");
        row
    }
}

fn default_text(row: &OptionRow) -> Option<&'static str> {
    match row.default {
        DefaultValue::Text(text) => Some(text),
        DefaultValue::Required | DefaultValue::Unset | DefaultValue::SameAs(_) | DefaultValue::TempDir => {
            None
        }
    }
}
