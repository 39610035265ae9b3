//! From a request to a [`Caller`]: a password, a token, a certificate, or what the kernel says of the other end.
//!
//! In: what the configuration says of each door and of all users ([`Access`]), the [`Peer`], the `Authorization` header. Out: a caller,
//! or why there is none. Somebody whom nothing proves to be anybody comes in where nobody is asked for a proof: through a unix
//! socket, or from this machine.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use provost_core::{Account, Credentials, Programs, Rights};

use super::Caller;
use super::claim::{Claim, Unread, claim};
use super::guard::{Guard, Guesses, Place, Verdict};
use super::secrets::{Secrets, Whose};
use crate::inbox::{By, Inbox, Report};
use crate::peer::{End, Peer};

/// Everybody there is, and the rules of every door.
#[derive(Debug, Default)]
pub struct Access {
    pub accounts: Vec<Account>,
    /// By the section of the server.
    pub doors: BTreeMap<String, DoorRules>,
    /// The account that the daemon runs as. It, and root, may do everything through a socket file that does not ask.
    pub uid: u32,
    secrets: Secrets,
}

impl Access {
    pub fn new(accounts: Vec<Account>, doors: BTreeMap<String, DoorRules>, uid: u32) -> Access {
        let secrets = Secrets::of(&accounts, &doors);
        Access { accounts, doors, uid, secrets }
    }

    /// What is written as a password or a token and is none, so that nobody comes in by it: `[user:jo] password: the hash asks for …`.
    pub fn unfit(&self) -> &[String] {
        self.secrets.unfit()
    }
}

/// What a server's own section says.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct DoorRules {
    /// The one user of this door, who may do everything.
    pub own: Option<Credentials>,
    /// `allow_unauthenticated`
    pub open: bool,
    /// Who comes from outside shows a certificate, and is the user whom it names.
    pub certificates: bool,
    pub get_actions: bool,
    pub allowed_hosts: Vec<String>,
}

/// Why nobody was let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// 401: no credentials, or wrong ones.
    Unauthorized,
    /// 400: an `Authorization` header that is not even one.
    Malformed,
    /// 429: so many are ahead that this one has not been looked at.
    Later(Duration),
}

impl From<Unread> for Refusal {
    fn from(unread: Unread) -> Refusal {
        match unread {
            Unread::Nobody => Refusal::Unauthorized,
            Unread::Malformed => Refusal::Malformed,
        }
    }
}

/// Lets somebody in by this door, or not. May take its time, if that is a wrong password.
pub(crate) async fn admit(
    access: &Arc<Access>,
    guard: &Guard,
    inbox: &dyn Inbox,
    (door, peer): (&str, &Peer),
    header: Option<&[u8]>,
) -> Result<Caller, Refusal> {
    let entrance = Entrance { access, rules: access.doors.get(door), door, peer };
    // Where nobody is asked, nobody's header is read, as with Supervisor.
    if entrance.asks_nobody() {
        return Ok(entrance.anyone());
    }
    let claimed = match header.map(claim) {
        Some(Ok(claim)) => entrance.claimed(guard, inbox, &claim).await,
        Some(Err(unread)) => Err(unread.into()),
        None => Err(Refusal::Unauthorized),
    };
    claimed.or_else(|refusal| entrance.recognised().ok_or(refusal))
}

/// One peer in front of one door.
struct Entrance<'a> {
    access: &'a Arc<Access>,
    rules: Option<&'a DoorRules>,
    door: &'a str,
    peer: &'a Peer,
}

impl<'a> Entrance<'a> {
    fn own(&self) -> Option<&'a Credentials> {
        self.rules.and_then(|rules| rules.own.as_ref())
    }

    /// Whether whoever comes to this door may come in and do everything.
    fn asks_nobody(&self) -> bool {
        let Some(rules) = self.rules else { return false };
        // A door that has lost its password while it stood open to the world is not open to the world.
        let unguarded = rules.own.is_none() && !rules.certificates && self.access.accounts.is_empty();
        rules.open || (unguarded && self.peer.is_local())
    }

    async fn claimed(&self, guard: &Guard, inbox: &dyn Inbox, claim: &Claim) -> Result<Caller, Refusal> {
        let secrets = &self.access.secrets;
        let (name, given, candidates, decoy) = match claim {
            Claim::Password { user, password } => {
                let own = self.own().is_some_and(|own| own.username.as_bytes() == user);
                let account = self.access.accounts.iter().position(|account| account.name.as_bytes() == user);
                (&user[..], password, secrets.of_name(self.door, own, account), secrets.decoy())
            }
            Claim::Token(token) => (&b""[..], token, secrets.tokens(), None),
        };
        let (stored, whose): (Vec<_>, Vec<_>) = candidates.into_iter().unzip();
        let told = |guesses: Guesses| inbox.report(Report::Warning(guesses.line(self.peer)));
        let claim = super::guard::Claim { name, secret: given };
        match guard.judge(self.place(), claim, &stored, decoy, told).await {
            Verdict::Right(which) => Ok(match whose[which] {
                Whose::Door => self.admin(self.own().map(|own| own.username.clone())),
                Whose::Account(at) => self.user(&self.access.accounts[at]),
            }),
            Verdict::Wrong => Err(Refusal::Unauthorized),
            Verdict::Later(wait) => Err(Refusal::Later(wait)),
        }
    }

    /// Where guesses from here are counted. Not those of root, nor our own: they could read what is in our memory, and come in anyway.
    fn place(&self) -> Option<Place> {
        match &self.peer.end {
            End::Inet(address) => Some(Place::of(address.ip())),
            End::Unix { uid, .. } => Some(Place::Uid(*uid)).filter(|_| !self.is_ours(*uid)),
        }
    }

    fn is_ours(&self, uid: u32) -> bool {
        uid == 0 || uid == self.access.uid
    }

    /// Somebody who need not say who it is: the system has said it.
    fn recognised(&self) -> Option<Caller> {
        if let Some(name) = &self.peer.certificate {
            // Where no users are told apart, whoever has a certificate is the one there is.
            if self.access.accounts.is_empty() {
                return self.rules.is_some().then(|| self.anyone());
            }
            return self.access.accounts.iter().find(|account| account.name == *name).map(|a| self.user(a));
        }
        let End::Unix { uid, groups, .. } = &self.peer.end else { return None };
        let accounts = &self.access.accounts;
        let by_user = accounts.iter().find(|account| account.unix_users.contains(uid));
        let by_group =
            || accounts.iter().find(|account| account.unix_groups.iter().any(|gid| groups.contains(gid)));
        if let Some(account) = by_user.or_else(by_group) {
            return Some(self.user(account));
        }
        (self.is_ours(*uid) && self.rules.is_some() && self.own().is_none()).then(|| self.anyone())
    }

    fn user(&self, account: &Account) -> Caller {
        Caller {
            rights: account.rights,
            programs: account.programs.clone(),
            by: Arc::new(self.by(Some(account.name.clone()))),
            let_in_by: Arc::clone(self.access),
        }
    }

    fn anyone(&self) -> Caller {
        self.admin(self.peer.certificate.clone())
    }

    fn admin(&self, user: Option<String>) -> Caller {
        let (by, let_in_by) = (Arc::new(self.by(user)), Arc::clone(self.access));
        Caller { rights: Rights::ALL, programs: Programs::default(), by, let_in_by }
    }

    fn by(&self, user: Option<String>) -> By {
        By { user, from: self.peer.to_string(), door: self.door.to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use provost_core::Permission;

    const DOOR: &str = "inet_http_server";

    fn header(text: &str) -> Vec<u8> {
        format!("Basic {}", STANDARD.encode(text)).into_bytes()
    }

    fn access(own: Option<&str>, accounts: Vec<Account>) -> Arc<Access> {
        let own = own.map(|password| Credentials { username: "admin".into(), password: password.into() });
        let rules = DoorRules { own, ..DoorRules::default() };
        Arc::new(Access::new(accounts, [(DOOR.to_owned(), rules)].into(), 1000))
    }

    fn account(name: &str) -> Account {
        Account {
            name: name.into(),
            password: Some(format!("{name}'s")),
            tokens: vec![format!("{name}-token")],
            unix_users: vec![],
            unix_groups: vec![],
            rights: Rights::of(&[Permission::Status]),
            programs: Programs::default(),
        }
    }

    fn inet(address: &str) -> Peer {
        Peer::new(End::Inet(address.parse().unwrap()))
    }

    fn unix(uid: u32, groups: &[u32]) -> Peer {
        Peer::new(End::Unix { uid, groups: groups.to_vec(), pid: 1 })
    }

    /// Nobody hears of what is reported.
    struct Deaf;

    impl Inbox for Deaf {
        fn ask(&self, _: crate::Asked, _: crate::Asker) -> Result<(), crate::Busy> {
            Err(crate::Busy)
        }

        fn report(&self, _: Report) {}
    }

    /// Who came in: a name, "-" for somebody unnamed, and whether that is somebody who may do everything.
    fn who(access: &Arc<Access>, peer: &Peer, header: Option<&[u8]>) -> Result<(String, bool), Refusal> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        let guard = Guard::new(|| {}).unwrap();
        let admitted = admit(access, &guard, &Deaf, (DOOR, peer), header);
        runtime
            .unwrap()
            .block_on(admitted)
            .map(|caller| (caller.by.user.clone().unwrap_or("-".into()), caller.rights == Rights::ALL))
    }

    fn in_as(name: &str, is_admin: bool) -> Result<(String, bool), Refusal> {
        Ok((name.to_owned(), is_admin))
    }

    const OUT: Result<(String, bool), Refusal> = Err(Refusal::Unauthorized);

    #[test]
    fn a_door_without_credentials_lets_everybody_of_this_machine_in() {
        let open = access(None, vec![]);
        assert_eq!(who(&open, &inet("127.0.0.1:5"), None), in_as("-", true));
        assert_eq!(who(&open, &unix(77, &[]), Some(b"Basic !!!")), in_as("-", true));
        assert_eq!(who(&open, &inet("10.0.0.1:5"), None), OUT);
        let mut wide = access(None, vec![account("ann")]);
        Arc::get_mut(&mut wide).unwrap().doors.get_mut(DOOR).unwrap().open = true;
        assert_eq!(who(&wide, &inet("10.0.0.1:5"), None), in_as("-", true));
    }

    #[test]
    fn clear_and_hashed_passwords_are_compared() {
        // The SHA-1 of "secret", as Supervisor's users write it.
        for password in ["secret", "{SHA}e5e9fa1ba31ecd1ae84f75caaa474f3a663f05f4"] {
            let access = access(Some(password), vec![]);
            let peer = inet("10.0.0.1:5");
            assert_eq!(who(&access, &peer, Some(&header("admin:secret"))), in_as("admin", true));
            for wrong in ["admin:Secret", "admin:", "root:secret", "admin", ""] {
                assert_eq!(who(&access, &peer, Some(&header(wrong))), OUT, "{wrong}");
            }
            assert_eq!(who(&access, &unix(0, &[]), None), OUT, "even root is asked for it");
        }
    }

    #[test]
    fn a_password_may_hold_a_colon() {
        let access = access(Some("a:b"), vec![]);
        assert_eq!(who(&access, &inet("10.0.0.1:5"), Some(&header("admin:a:b"))), in_as("admin", true));
    }

    #[test]
    fn other_schemes_and_nonsense_are_refused() {
        let access = access(Some("secret"), vec![]);
        let peer = inet("127.0.0.1:5");
        assert_eq!(who(&access, &peer, None), OUT);
        assert_eq!(who(&access, &peer, Some(b"Bearer abc")), OUT);
        assert_eq!(who(&access, &peer, Some(b"Digest abc")), OUT);
        assert_eq!(who(&access, &peer, Some(b"Basic !!!")), Err(Refusal::Malformed));
        assert_eq!(who(&access, &peer, Some(b"\xff\xfe")), OUT);
    }

    #[test]
    fn users_come_in_by_password_or_token_and_do_what_they_may() {
        let access = access(Some("secret"), vec![account("ann"), account("bob")]);
        let peer = inet("10.0.0.1:5");
        assert_eq!(who(&access, &peer, Some(&header("bob:bob's"))), in_as("bob", false));
        assert_eq!(who(&access, &peer, Some(&header("bob:bob-token"))), in_as("bob", false));
        assert_eq!(who(&access, &peer, Some(b"Bearer ann-token")), in_as("ann", false));
        assert_eq!(who(&access, &peer, Some(&header("admin:secret"))), in_as("admin", true));
        assert_eq!(who(&access, &peer, Some(&header("ann:bob's"))), OUT);
        // A password is no token.
        assert_eq!(who(&access, &peer, Some(b"Bearer ann's")), OUT);
        assert_eq!(who(&access, &inet("127.0.0.1:5"), None), OUT);
    }

    #[test]
    fn the_kernel_says_who_comes_through_a_socket_file() {
        let ann = Account { unix_users: vec![33], ..account("ann") };
        let bob = Account { unix_groups: vec![4], ..account("bob") };
        let access = access(None, vec![bob, ann]);
        assert_eq!(who(&access, &unix(33, &[4]), None), in_as("ann", false), "an account before its groups");
        assert_eq!(who(&access, &unix(34, &[9, 4]), None), in_as("bob", false));
        assert_eq!(who(&access, &unix(34, &[9]), None), OUT);
        assert_eq!(who(&access, &unix(0, &[]), None), in_as("-", true));
        assert_eq!(who(&access, &unix(1000, &[]), None), in_as("-", true));
        // What somebody claims in vain takes nothing from what is known.
        assert_eq!(who(&access, &unix(33, &[]), Some(&header("x:y"))), in_as("ann", false));
        assert_eq!(who(&access, &unix(33, &[]), Some(&header("bob:bob's"))), in_as("bob", false));
    }

    #[test]
    fn a_certificate_is_a_user_by_its_name() {
        let access = access(None, vec![account("ann")]);
        let with = |name: &str| Peer { certificate: Some(name.into()), ..inet("10.0.0.1:5") };
        assert_eq!(who(&access, &with("ann"), None), in_as("ann", false));
        assert_eq!(who(&access, &with("eve"), None), OUT);
        assert_eq!(who(&access, &inet("10.0.0.1:5"), None), OUT);
    }

    #[test]
    fn where_there_are_no_users_a_certificate_is_as_good_as_the_password() {
        let peer = Peer { certificate: Some("eve".into()), ..inet("10.0.0.1:5") };
        for own in [None, Some("secret")] {
            assert_eq!(who(&access(own, vec![]), &peer, None), in_as("eve", true));
        }
    }
}
