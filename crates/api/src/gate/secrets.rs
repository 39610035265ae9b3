//! What is stored for whom, understood once when a configuration comes into force.
//!
//! In: accounts and doors with their secrets as written. Out: for a name, or for a token that names nobody, what could be the one that was given.
//! What is no hash, though it begins like one, lets nobody in and is told.

use std::collections::BTreeMap;
use std::sync::Arc;

use provost_core::Account;
use provost_secret::Stored;

use super::DoorRules;

/// Whom an entry lets in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Whose {
    /// The one user of the door.
    Door,
    /// The account with this index.
    Account(usize),
}

#[derive(Debug, Default)]
pub(super) struct Secrets {
    doors: BTreeMap<String, Arc<Stored>>,
    /// As many as there are accounts.
    passwords: Vec<Option<Arc<Stored>>>,
    tokens: Vec<Vec<Arc<Stored>>>,
    decoy: Option<Arc<Stored>>,
    unfit: Vec<String>,
}

impl Secrets {
    pub(super) fn of(accounts: &[Account], doors: &BTreeMap<String, DoorRules>) -> Secrets {
        let mut unfit = Vec::new();
        let mut parse = |section: &str, key: &str, text: &str| match Stored::parse(text) {
            Ok(stored) => Some(Arc::new(stored)),
            Err(why) => {
                unfit.push(format!("[{section}] {key}: {why}; nobody can log in by it"));
                None
            }
        };
        let of_door = |(section, rules): (&String, &DoorRules)| {
            let own = rules.own.as_ref()?;
            Some((section.clone(), parse(section, "password", &own.password)?))
        };
        let doors: BTreeMap<_, _> = doors.iter().filter_map(of_door).collect();
        let (mut passwords, mut tokens) = (Vec::new(), Vec::new());
        for account in accounts {
            let section = format!("user:{}", account.name);
            passwords.push(account.password.as_ref().and_then(|text| parse(&section, "password", text)));
            tokens.push(account.tokens.iter().filter_map(|text| parse(&section, "token", text)).collect());
        }
        let slow = |stored: &&Arc<Stored>| !stored.is_quick();
        let decoy = passwords.iter().flatten().chain(doors.values()).find(slow).cloned();
        Secrets { doors, passwords, tokens, decoy, unfit }
    }

    /// What may be given with a name: of the door's own user if it is that one, of the account, or of nobody.
    pub(super) fn of_name(
        &self,
        door: &str,
        is_own: bool,
        account: Option<usize>,
    ) -> Vec<(Arc<Stored>, Whose)> {
        let own = self.doors.get(door).filter(|_| is_own).map(|stored| (Arc::clone(stored), Whose::Door));
        let of_account = account.into_iter().flat_map(|at| {
            let all = self.passwords[at].iter().chain(&self.tokens[at]);
            all.map(move |stored| (Arc::clone(stored), Whose::Account(at)))
        });
        own.into_iter().chain(of_account).collect()
    }

    pub(super) fn tokens(&self) -> Vec<(Arc<Stored>, Whose)> {
        let all = self.tokens.iter().enumerate();
        all.flat_map(|(at, tokens)| tokens.iter().map(move |one| (Arc::clone(one), Whose::Account(at))))
            .collect()
    }

    /// A password that takes its time, for names that nobody has.
    pub(super) fn decoy(&self) -> Option<&Arc<Stored>> {
        self.decoy.as_ref()
    }

    pub(super) fn unfit(&self) -> &[String] {
        &self.unfit
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use provost_core::Credentials;
    use provost_core::{Programs, Rights};

    #[test]
    fn what_is_no_hash_lets_nobody_in_and_is_told() {
        let account = Account {
            name: "jo".into(),
            password: Some("$argon2id$v=19$m=4194304,t=1,p=1$c2FsdHNhbHQ$c2FsdHNhbHRzYWx0c2FsdA".into()),
            tokens: vec!["{SHA256}12".into(), "clear".into()],
            unix_users: vec![],
            unix_groups: vec![],
            rights: Rights::ALL,
            programs: Programs::default(),
        };
        let own = Some(Credentials { username: "jo".into(), password: "{SHA}x".into() });
        let doors =
            BTreeMap::from([("inet_http_server".to_owned(), DoorRules { own, ..DoorRules::default() })]);
        let secrets = Secrets::of(&[account], &doors);
        let left = secrets.of_name("inet_http_server", true, Some(0));
        assert_eq!(left.len(), 1);
        assert!(left[0].0.verify(b"clear") && left[0].1 == Whose::Account(0));
        assert!(secrets.of_name("inet_http_server", true, None).is_empty());
        let starts = [
            "[inet_http_server] password: begins",
            "[user:jo] password: the hash asks",
            "[user:jo] token: begins",
        ];
        for (told, start) in secrets.unfit().iter().zip(starts) {
            assert!(told.starts_with(start) && told.ends_with("nobody can log in by it"), "{told}");
        }
        assert_eq!(secrets.unfit().len(), 3);
    }
}
