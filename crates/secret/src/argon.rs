//! argon2id in the form that every tool writes: `$argon2id$v=19$m=7168,t=5,p=1$SALT$HASH`.
//!
//! The costs stand in the text, so whoever writes the text says how much memory and time each guess of a stranger takes
//! from us. Hence the bounds: they let through what common tools make by default, and no gigabytes.

use argon2::{Algorithm, Argon2, Params, Version};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use subtle::ConstantTimeEq;

use crate::Unfit;

/// 256 MiB; the default of argon2-cffi, the largest in common use, is 64 MiB.
const MOST_MEMORY: u32 = 256 * 1024;
/// Memory times passes, in KiB: about a second and a half of one processor.
const MOST_WORK: u64 = 1024 * 1024;
const MOST_LANES: u32 = 16;
const SALT: std::ops::RangeInclusive<usize> = 8..=64;
const OUTPUT: std::ops::RangeInclusive<usize> = 16..=64;

pub(crate) const PREFIX: &str = "$argon2id$";
const KIND: &str = "argon2id";
const SHAPE: &str = "$argon2id$v=19$m=…,t=…,p=…$salt$hash";

#[derive(Clone)]
pub(crate) struct Argon2id {
    version: Version,
    params: Params,
    salt: Box<[u8]>,
    output: Box<[u8]>,
}

impl Argon2id {
    /// What new hashes cost: 7 MiB for 30 ms. More memory would be harder on guessers who have the file, and on
    /// small machines that run us for all guessers who have not.
    pub(crate) fn new(salt: [u8; 16], password: &[u8]) -> Argon2id {
        let params = Params::new(7 * 1024, 5, 1, Some(32)).expect("these are within all bounds");
        let mut new = Argon2id { version: Version::V0x13, params, salt: salt.into(), output: [0; 32].into() };
        new.output = new.run(password).expect("seven megabytes can be had, or the process is at its end");
        new
    }

    pub(crate) fn parse(text: &str) -> Result<Argon2id, Unfit> {
        let malformed = || Unfit::Malformed { kind: KIND, shape: SHAPE };
        let rest = text.strip_prefix(PREFIX).ok_or_else(malformed)?;
        // The first version of the format had no `v=`, and meant 16.
        let (version, rest) = match rest.strip_prefix("v=").and_then(|rest| rest.split_once('$')) {
            Some(("19", rest)) => (Version::V0x13, rest),
            Some(("16", rest)) => (Version::V0x10, rest),
            Some(_) => return Err(malformed()),
            None => (Version::V0x10, rest),
        };
        let mut parts = rest.split('$');
        let (Some(costs), Some(salt), Some(output), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(malformed());
        };
        let [memory, passes, lanes] = numbers(costs).ok_or_else(malformed)?;
        bounded(memory, passes, lanes)?;
        let salt = STANDARD_NO_PAD.decode(salt).map_err(|_| malformed())?;
        let output = STANDARD_NO_PAD.decode(output).map_err(|_| malformed())?;
        within("bytes of salt", salt.len(), &SALT)?;
        within("bytes of hash", output.len(), &OUTPUT)?;
        // Within our bounds, but perhaps not within those of the method: 8 KiB for each lane, one pass.
        let params = Params::new(memory, passes, lanes, Some(output.len())).map_err(|_| malformed())?;
        Ok(Argon2id { version, params, salt: salt.into(), output: output.into() })
    }

    pub(crate) fn verify(&self, given: &[u8]) -> bool {
        // No memory is no proof.
        self.run(given).is_some_and(|output| bool::from(output.ct_eq(&self.output)))
    }

    pub(crate) fn text(&self) -> String {
        let (m, t, p) = (self.params.m_cost(), self.params.t_cost(), self.params.p_cost());
        let (salt, output) = (STANDARD_NO_PAD.encode(&self.salt), STANDARD_NO_PAD.encode(&self.output));
        format!("{PREFIX}v={}$m={m},t={t},p={p}${salt}${output}", u32::from(self.version))
    }

    fn run(&self, password: &[u8]) -> Option<Box<[u8]>> {
        let mut output = vec![0; self.output.len()];
        let argon = Argon2::new(Algorithm::Argon2id, self.version, self.params.clone());
        argon.hash_password_into(password, &self.salt, &mut output).ok()?;
        Some(output.into())
    }
}

/// `m=…,t=…,p=…`, in this order. Some programs put a `data=` or `keyid=` behind it, which nobody here could use.
fn numbers(text: &str) -> Option<[u32; 3]> {
    let mut parts = text.split(',');
    let mut number = |name: &str| -> Option<u32> {
        let digits = parts.next()?.strip_prefix(name)?;
        // No sign and no leading zero: one number, one spelling.
        let plain = digits.bytes().all(|byte| byte.is_ascii_digit()) && !digits.starts_with('0');
        // What does not even fit is as much as can be asked for.
        (plain && !digits.is_empty()).then(|| digits.parse().unwrap_or(u32::MAX))
    };
    let numbers = [number("m=")?, number("t=")?, number("p=")?];
    parts.next().is_none().then_some(numbers)
}

fn bounded(memory: u32, passes: u32, lanes: u32) -> Result<(), Unfit> {
    let most = |what, asked: u64, most: u64| match asked > most {
        true => Err(Unfit::Costly { what, asked, most }),
        false => Ok(()),
    };
    most("KiB of memory (m)", memory.into(), MOST_MEMORY.into())?;
    most("KiB of work (m times t)", u64::from(memory) * u64::from(passes), MOST_WORK)?;
    most("lanes (p)", lanes.into(), MOST_LANES.into())
}

fn within(what: &'static str, asked: usize, bounds: &std::ops::RangeInclusive<usize>) -> Result<(), Unfit> {
    let (asked, least, most) = (asked as u64, *bounds.start() as u64, *bounds.end() as u64);
    match asked {
        _ if asked < least => Err(Unfit::Cheap { what, asked, least }),
        _ if asked > most => Err(Unfit::Costly { what, asked, most }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made by the reference implementation: `printf 'correct horse' | argon2 saltsaltsalt -id -e …`.
    const REAL: [&str; 4] = [
        "$argon2id$v=19$m=64,t=2,p=1$c2FsdHNhbHRzYWx0$aLaJqQFb5f1CILsf1cTEp4693N1unODGCdcToVVKvPA",
        "$argon2id$v=19$m=7168,t=5,p=1$c2FsdHNhbHRzYWx0$qQNP+T963fJl4yGhdg6Pt3D61xvfkeDzoSo7alQ54l0",
        "$argon2id$v=19$m=256,t=3,p=4$c2FsdHNhbHRzYWx0$FnzbUuQrDcnto59g5/k0dYdRR4SzGDem",
        "$argon2id$v=16$m=64,t=2,p=1$c2FsdHNhbHRzYWx0$MA04vQgOGYbRoth1DwTda1tDycgmDAVVF4SJX2l/3Qs",
    ];

    #[test]
    fn what_the_reference_implementation_writes_is_read_and_written_the_same() {
        for text in REAL {
            let stored = Argon2id::parse(text).unwrap_or_else(|e| panic!("{text}: {e}"));
            assert_eq!(stored.text(), text);
            assert!(stored.verify(b"correct horse"), "{text}");
            assert!(!stored.verify(b"correct horsf") && !stored.verify(b""), "{text}");
        }
        let unversioned = REAL[3].replace("v=16$", "");
        assert!(Argon2id::parse(&unversioned).unwrap().verify(b"correct horse"));
    }

    fn refused(costs: &str) -> String {
        let text =
            format!("$argon2id$v=19${costs}$c2FsdHNhbHRzYWx0$aLaJqQFb5f1CILsf1cTEp4693N1unODGCdcToVVKvPA");
        match Argon2id::parse(&text) {
            Ok(_) => panic!("{text} is taken"),
            Err(unfit) => unfit.to_string(),
        }
    }

    #[test]
    fn what_would_take_the_machine_down_is_refused() {
        let remedy = "make a new one with supervisorctl hash-password";
        assert_eq!(
            refused("m=4194304,t=1,p=1"),
            format!(
                "the hash asks for 4194304 KiB of memory (m), and 262144 is the most that is taken: {remedy}"
            )
        );
        assert!(refused("m=99999999999999999999,t=1,p=1").contains(" 4294967295 KiB of memory (m), and "));
        assert!(refused("m=64,t=4294967295,p=1").contains(" KiB of work (m times t), and 1048576 "));
        assert!(refused("m=1024,t=2,p=17").contains(" 17 lanes (p), and 16 "));
        let salt = "A".repeat(100);
        let text = format!("$argon2id$v=19$m=64,t=2,p=1${salt}$aLaJqQFb5f1CILsf1cTEp4693N1unODGCdcToVVKvPA");
        assert_eq!(
            Argon2id::parse(&text).err(),
            Some(Unfit::Costly { what: "bytes of salt", asked: 75, most: 64 })
        );
    }

    #[test]
    fn what_is_no_argon2id_is_refused() {
        for costs in [
            "m=64,t=2",
            "t=2,m=64,p=1",
            "m=64,t=2,p=1,data=AAAA",
            "m=+64,t=2,p=1",
            "m=064,t=2,p=1",
            "m=,t=2,p=1",
            "m=64,t=0,p=1",
            "m=64,t=2,p=0",
            "m=64,t=2,p=16",
            "m=7,t=2,p=1",
            "",
        ] {
            assert!(refused(costs).starts_with("begins like a hash of the kind argon2id "), "{costs}");
        }
        let good = REAL[0];
        let cut = good.len() - 24;
        assert!(matches!(Argon2id::parse(&good[..cut]), Err(Unfit::Malformed { .. } | Unfit::Cheap { .. })));
        for bad in [&good[..40], &good.replace("v=19", "v=18"), &format!("{good}$"), &format!("{good}=")] {
            assert!(matches!(Argon2id::parse(bad), Err(Unfit::Malformed { .. })), "{bad}");
        }
    }
}
