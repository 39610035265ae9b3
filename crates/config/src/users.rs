//! `[user:NAME]`: who may come in, by what, and what they may then do.
//!
//! Out come [`Account`]s with their secrets as written; whether a password fits is found out elsewhere. The rights are a set of
//! [`Permission`]s, and reach as far as the globs of `programs`.

use std::fmt;
use std::sync::Arc;

use crate::advice::advise_on_clear_text;
use crate::expand::Scope;
use crate::files::fits;
use crate::options::{SectionKind, ValueKind, section_kind};
use crate::reading::Reading;
use crate::section::Section;
use crate::{Files, paths, values};

/// Somebody who may use the doors.
#[derive(Clone, PartialEq, Eq)]
pub struct Account {
    /// Also the name that a client certificate must be made out to.
    pub name: String,
    /// A hash, or clear text.
    pub password: Option<String>,
    /// Hashes of tokens.
    pub tokens: Vec<String>,
    /// Whoever comes through a unix socket as one of these is this user.
    pub unix_users: Vec<u32>,
    pub unix_groups: Vec<u32>,
    pub rights: Rights,
    pub programs: Programs,
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Neither a password nor a hash must ever reach a log by way of `{:?}`.
        f.debug_struct("Account")
            .field("name", &self.name)
            .field("rights", &self.rights)
            .field("programs", &self.programs)
            .finish_non_exhaustive()
    }
}

macro_rules! permissions {
    ($($(#[$doc:meta])* $variant:ident = $word:literal,)+) => {
        /// The right that a command needs; in the file, a word of `allow`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Permission {
            $($(#[$doc])* $variant,)+
        }

        impl Permission {
            pub const ALL: &[Permission] = &[$(Permission::$variant,)+];

            /// As it is written in `allow`.
            pub fn word(self) -> &'static str {
                match self {
                    $(Permission::$variant => $word,)+
                }
            }
        }
    };
}

permissions! {
    /// To see what there is and how it is.
    Status = "status",
    Start = "start",
    Stop = "stop",
    /// To stop and start in one go; whoever may do both may do this, too.
    Restart = "restart",
    Signal = "signal",
    /// To send text to programs and event listeners.
    Stdin = "stdin",
    /// To read logs.
    Logs = "logs",
    /// To empty, rotate and reopen logs.
    Clear = "clear",
    /// To read the configuration anew, to add and to remove groups.
    Config = "config",
    /// To stop, reload and upgrade the supervisor itself.
    Shutdown = "shutdown",
}

/// A set of [`Permission`]s.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Rights(u16);

impl Rights {
    pub const ALL: Rights = Rights((1 << Permission::ALL.len()) - 1);

    pub fn of(permissions: &[Permission]) -> Rights {
        Rights(permissions.iter().fold(0, |all, one| all | Rights::bit(*one)))
    }

    pub fn allow(self, permission: Permission) -> bool {
        let both = Rights::bit(Permission::Start) | Rights::bit(Permission::Stop);
        self.0 & Rights::bit(permission) != 0 || (permission == Permission::Restart && self.0 & both == both)
    }

    fn and(self, others: Rights) -> Rights {
        Rights(self.0 | others.0)
    }

    fn bit(permission: Permission) -> u16 {
        1 << permission as u16
    }
}

impl fmt::Debug for Rights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = Permission::ALL.iter().filter(|one| self.0 & Rights::bit(**one) != 0);
        f.debug_set().entries(words.map(|one| one.word())).finish()
    }
}

/// Which programs somebody has to do with: all, or those that globs on group and name fit.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Programs(Option<Arc<[Pattern]>>);

#[derive(Debug, PartialEq, Eq)]
struct Pattern {
    group: String,
    /// `None` is all of the group, whatever is in it.
    name: Option<String>,
}

impl Programs {
    /// Patterns between commas: `group:name`, or a group alone for all of it. `*` is everything.
    pub fn parse(text: &str) -> Result<Programs, String> {
        let mut patterns = Vec::new();
        for item in text.split(',').map(str::trim).filter(|item| !item.is_empty()) {
            let (group, name) = item.split_once(':').unwrap_or((item, "*"));
            if group.is_empty() {
                return Err(format!("{item:?} names no group; write group:name, or * for all"));
            }
            let name = Some(name).filter(|name| !matches!(*name, "" | "*"));
            patterns.push(Pattern { group: group.to_owned(), name: name.map(str::to_owned) });
        }
        if patterns.is_empty() {
            return Err("names no program; leave the option out, or write *, for all".to_owned());
        }
        let is_all = patterns.iter().any(|pattern| pattern.group == "*" && pattern.name.is_none());
        Ok(Programs((!is_all).then(|| patterns.into())))
    }

    /// Nobody is left out, and never will be.
    pub fn is_all(&self) -> bool {
        self.0.is_none()
    }

    pub fn covers(&self, group: &str, name: &str) -> bool {
        let Some(patterns) = &self.0 else { return true };
        patterns.iter().any(|pattern| {
            fits(&pattern.group, group) && pattern.name.as_ref().is_none_or(|glob| fits(glob, name))
        })
    }

    /// Whether all of a group is covered, whatever may be in it one day.
    pub fn covers_group(&self, group: &str) -> bool {
        let Some(patterns) = &self.0 else { return true };
        patterns.iter().any(|pattern| pattern.name.is_none() && fits(&pattern.group, group))
    }
}

/// As they are written.
impl fmt::Display for Programs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(patterns) = &self.0 else { return f.write_str("*") };
        for (n, pattern) in patterns.iter().enumerate() {
            let comma = if n == 0 { "" } else { ", " };
            write!(f, "{comma}{}:{}", pattern.group, pattern.name.as_deref().unwrap_or("*"))?;
        }
        Ok(())
    }
}

/// In file order.
pub(crate) fn users(reading: &Reading<'_>, env: &Scope<'_>) -> Vec<Account> {
    let names = reading.ini.sections().iter().map(|section| section.name.as_str());
    let mut accounts: Vec<Account> = Vec::new();
    for name in names.filter(|name| section_kind(name) == Some(SectionKind::User)) {
        let section = Section::new(reading, name, SectionKind::User);
        let Some(account) = user(&section, env) else { continue };
        // Blanks around a name are no part of it.
        if accounts.iter().any(|other| other.name == account.name) {
            section
                .refuse_name(format!("there is another section of the user {:?}; make it one", account.name));
        }
        accounts.push(account);
    }
    accounts
}

fn user(section: &Section<'_>, env: &Scope<'_>) -> Option<Account> {
    let files = section.reading.files;
    let (_, name) = section.name.split_once(':')?;
    let name = name.trim();
    if name.is_empty() || name.contains(|letter: char| letter == ':' || letter.is_control()) {
        section.refuse_name("a user's name is not empty and holds no colon, write [user:NAME]".to_owned());
        return None;
    }
    let rights = rights(section, env);
    let programs = section.parsed("programs", ValueKind::Programs, env, Programs::parse).unwrap_or_default();
    if rights.allow(Permission::Shutdown) && !programs.is_all() && section.written("allow").is_some() {
        let text = "whoever is limited to programs may not stop, reload or upgrade the supervisor";
        section.advise("programs", text.to_owned());
    }
    let tokens = list(section, "token", env, ValueKind::Strings, |token| Ok(token.to_owned()));
    for token in &tokens {
        advise_on_clear_text(section, "token", token, "supervisorctl hash-password --token");
    }
    Some(Account {
        name: name.to_owned(),
        password: password(section, env),
        tokens,
        unix_users: list(section, "unix_user", env, ValueKind::Accounts, |name| account(name, files)),
        unix_groups: list(section, "unix_group", env, ValueKind::AccountGroups, |name| group(name, files)),
        rights,
        programs,
    })
}

fn rights(section: &Section<'_>, env: &Scope<'_>) -> Rights {
    let allowed: Rights = list(section, "allow", env, ValueKind::Permissions, permission)
        .into_iter()
        .fold(Rights::default(), |all, one| all.and(Rights::of(&[one])));
    match section.parsed("role", ValueKind::Role, env, role) {
        Some(role) => role.and(allowed),
        // Who says what is allowed has said it all.
        None if section.written("allow").is_some() => allowed,
        None => Rights::of(&[Permission::Status]),
    }
}

fn role(text: &str) -> Result<Rights, String> {
    use Permission as P;
    match text {
        "viewer" => Ok(Rights::of(&[P::Status])),
        "operator" => {
            Ok(Rights::of(&[P::Status, P::Start, P::Stop, P::Restart, P::Signal, P::Logs, P::Clear]))
        }
        "admin" => Ok(Rights::ALL),
        other => Err(format!("there is no role {other:?}; write viewer, operator or admin")),
    }
}

fn permission(word: &str) -> Result<Permission, String> {
    Permission::ALL.iter().copied().find(|known| known.word() == word).ok_or_else(|| {
        let known: Vec<_> = Permission::ALL.iter().map(|known| known.word()).collect();
        format!("there is no right {word:?}; the rights are {}", known.join(", "))
    })
}

/// `password`, or the first line of `password_file`.
fn password(section: &Section<'_>, env: &Scope<'_>) -> Option<String> {
    let with_here = Scope::within(env).text("here", &section.reading.here);
    let written = section.text("password", ValueKind::Text, env);
    let file = section.parsed("password_file", ValueKind::Path, &with_here, |text| {
        first_line(text.trim(), section.reading.files)
    });
    if section.written("password").is_some() && section.written("password_file").is_some() {
        section.refuse("password_file", "give password or password_file, not both".to_owned());
    }
    let key = if written.is_some() { "password" } else { "password_file" };
    if let Some(written) = &written {
        // In a file of its own, which others cannot read, it may be as it is.
        advise_on_clear_text(section, "password", written, "supervisorctl hash-password");
    }
    let password = written.or(file)?;
    if password.is_empty() {
        section.refuse(key, "a password is not empty; leave the option out if there is none".to_owned());
        return None;
    }
    Some(password)
}

fn first_line(path: &str, files: &dyn Files) -> Result<String, String> {
    let path = paths::settled(path, files);
    let content = files.read(path.as_ref()).map_err(|e| format!("cannot read {path}: {e}"))?;
    let text = String::from_utf8(content).map_err(|_| format!("{path} is not text"))?;
    let line = text.lines().next().unwrap_or_default().trim_end();
    if line.is_empty() {
        Err(format!("{path} has no password in its first line"))
    } else {
        Ok(line.to_owned())
    }
}

/// A number need not be anybody's on this machine: in a container it seldom is.
fn account(name: &str, files: &dyn Files) -> Result<u32, String> {
    name.parse().or_else(|_| values::user(name, files).map(|user| user.uid))
}

fn group(name: &str, files: &dyn Files) -> Result<u32, String> {
    let known = || files.group(name).ok_or_else(|| format!("there is no group {name:?} on this machine"));
    name.parse().or_else(|_| known())
}

/// Items between commas.
fn list<T>(
    section: &Section<'_>,
    key: &str,
    env: &Scope<'_>,
    kind: ValueKind,
    item: impl Fn(&str) -> Result<T, String>,
) -> Vec<T> {
    let items = section.parsed(key, kind, env, |text| {
        text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(&item).collect()
    });
    items.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{CliOverrides, MemoryFiles, load};
    use std::path::Path;

    fn read(text: &str) -> Result<Vec<Account>, String> {
        let mut files = MemoryFiles::with("/etc/s.conf", &format!("[supervisord]\n{text}"));
        files.files.insert("/etc/secret".into(), b"$argon2id$x\nsecond\n".to_vec());
        load(Path::new("/etc/s.conf"), &CliOverrides::default(), &files)
            .map(|config| config.users)
            .map_err(|errors| errors.to_string())
    }

    fn one(text: &str) -> Account {
        read(&format!("[user:ann]\n{text}")).unwrap().remove(0)
    }

    #[test]
    fn roles_and_allow_add_up() {
        assert_eq!(one("").rights, Rights::of(&[Permission::Status]));
        assert_eq!(one("role=admin").rights, Rights::ALL);
        let mixed = one("role=viewer\nallow=logs, restart").rights;
        assert!(mixed.allow(Permission::Status) && mixed.allow(Permission::Logs));
        assert!(mixed.allow(Permission::Restart) && !mixed.allow(Permission::Stop));
        assert!(!one("allow=start").rights.allow(Permission::Status));
        assert!(one("allow=start,stop").rights.allow(Permission::Restart));
    }

    #[test]
    fn programs_are_globs_on_group_and_name() {
        let programs = one("programs = web:*, worker-*, db:db_0?").programs;
        assert!(programs.covers("web", "x") && programs.covers("worker-1", "worker-1"));
        assert!(programs.covers("worker-1", "other") && programs.covers("db", "db_07"));
        assert!(
            !programs.covers("db", "dump") && !programs.covers("webs", "x") && !programs.covers("x", "web")
        );
        assert!(programs.covers_group("web") && programs.covers_group("worker-9"));
        assert!(!programs.covers_group("db"));
        assert!(
            one("").programs.is_all()
                && one("programs=*").programs.is_all()
                && one("programs=a,*:*").programs.is_all()
        );
        assert!(!one("programs=*:a").programs.covers_group("a"));
    }

    #[test]
    fn secrets_come_from_the_file_or_from_another() {
        assert_eq!(one("password=x").password.as_deref(), Some("x"));
        assert_eq!(one("password_file=%(here)s/secret").password.as_deref(), Some("$argon2id$x"));
        assert_eq!(one("token=a, b").tokens, ["a", "b"]);
        assert!(!format!("{:?}", one("password=hidden\ntoken=hidden")).contains("hidden"));
        let user = one("unix_user=web, 4711\nunix_group=adm, 4712");
        assert_eq!((user.unix_users, user.unix_groups), (vec![33, 4711], vec![4, 4712]));
    }

    #[test]
    fn what_is_wrong_is_said_with_what_is_right() {
        let told = |text: &str| read(text).unwrap_err();
        assert!(told("[user:a]\nrole=root").contains("viewer, operator or admin"));
        assert!(
            told("[user:a]\nallow=start,stpo")
                .contains("there is no right \"stpo\"; the rights are status, start")
        );
        assert!(told("[user:a]\nprograms=,").contains("leave the option out"));
        assert!(told("[user:a]\nprograms=:x").contains("names no group"));
        assert!(told("[user:a]\npassword=x\npassword_file=/etc/secret").contains("not both"));
        assert!(told("[user:a]\npassword_file=/etc/none").contains("cannot read /etc/none"));
        assert!(told("[user:a]\npassword=").contains("not empty"));
        assert!(told("[user:]\n").contains("[user:NAME]"));
        assert!(told("[user:a:b]\n").contains("no colon"));
        assert!(told("[user:a]\n[user: a ]\n").contains("another section of the user \"a\""));
        assert!(told("[user:a]\nunix_group=nobodys").contains("there is no group \"nobodys\""));
    }
}
