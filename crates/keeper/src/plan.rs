//! A plan: everything that is needed to become one program, decided beforehand.
//!
//! The brain builds a [`Plan`] and writes it as bytes; the keeper checks the counts, points
//! at the strings where they lie and runs it. Between the two nothing is looked up, searched or interpreted.

use std::ffi::{CStr, CString};

/// Who to be: exactly these ids, looked up by the brain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    pub uid: u32,
    pub gid: u32,
    /// Supplementary groups, as initgroups(3) would set them.
    pub groups: Vec<u32>,
}

/// What to run, and as what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// What the brain calls this child; told again to its successor.
    pub label: String,
    /// The file to execute; never searched for.
    pub path: CString,
    pub argv: Vec<CString>,
    /// `NAME=value` each, on top of the keeper's own environment.
    pub env: Vec<CString>,
    /// Changed to after the ids are set (SPEC 3.4).
    pub directory: Option<CString>,
    pub umask: Option<u32>,
    pub identity: Option<Identity>,
    /// Standard error goes where standard output goes.
    pub merge_stderr: bool,
}

/// The bytes are not a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PlanError;

const HAS_DIRECTORY: u32 = 1;
const HAS_UMASK: u32 = 2;
const HAS_IDENTITY: u32 = 4;
const MERGE_STDERR: u32 = 8;

/// Groups a process may have on Linux (NGROUPS_MAX).
const MAX_GROUPS: u32 = 65_536;

impl Plan {
    /// The name of something that is there already, and that no other can be made after.
    pub(crate) fn of_nothing(label: String) -> Plan {
        let (argv, env, path) = Default::default();
        let (directory, umask, identity, merge_stderr) = (None, None, None, false);
        Plan { label, path, argv, env, directory, umask, identity, merge_stderr }
    }

    /// The bytes that [`PlanView::read`] takes apart: nine numbers, the groups, then every
    /// string with its NUL: label, path, directory, argv, env.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let identity = self.identity.as_ref();
        let groups = identity.map_or(&[][..], |i| &i.groups);
        let mut flags = 0;
        for (set, flag) in [
            (self.directory.is_some(), HAS_DIRECTORY),
            (self.umask.is_some(), HAS_UMASK),
            (identity.is_some(), HAS_IDENTITY),
            (self.merge_stderr, MERGE_STDERR),
        ] {
            if set {
                flags |= flag;
            }
        }
        let count = |n: usize| {
            u32::try_from(n).expect("a plan has fewer than 2^32 of anything: the kernel allows megabytes")
        };
        let numbers = [
            flags,
            self.umask.unwrap_or(0),
            identity.map_or(0, |i| i.uid),
            identity.map_or(0, |i| i.gid),
            count(groups.len()),
            count(self.argv.len()),
            count(self.env.len()),
        ];
        let mut out = Vec::with_capacity(1024);
        for n in numbers.iter().chain(groups) {
            out.extend(n.to_le_bytes());
        }
        // A label is ours and holds no NUL; cut it there if it ever does, rather than shift every string behind it.
        out.extend(self.label.bytes().take_while(|b| *b != 0));
        out.push(0);
        let strings = std::iter::once(&self.path).chain(&self.directory).chain(&self.argv).chain(&self.env);
        for s in strings {
            out.extend(s.as_bytes_with_nul());
        }
        out
    }
}

/// A plan where it lies in the received bytes.
#[derive(Debug)]
pub(crate) struct PlanView<'a> {
    pub(crate) label: &'a CStr,
    pub(crate) path: &'a CStr,
    pub(crate) directory: Option<&'a CStr>,
    pub(crate) argv: Vec<&'a CStr>,
    pub(crate) env: Vec<&'a CStr>,
    pub(crate) umask: Option<u32>,
    pub(crate) identity: Option<Identity>,
    pub(crate) merge_stderr: bool,
}

impl<'a> PlanView<'a> {
    pub(crate) fn read(mut bytes: &'a [u8]) -> Result<Self, PlanError> {
        let mut number = || {
            let (head, tail) = bytes.split_first_chunk::<4>().ok_or(PlanError)?;
            bytes = tail;
            Ok(u32::from_le_bytes(*head))
        };
        let flags = number()?;
        let [umask, uid, gid, group_count, argc, envc] =
            [number()?, number()?, number()?, number()?, number()?, number()?];
        if group_count > MAX_GROUPS {
            return Err(PlanError);
        }
        let groups = (0..group_count).map(|_| number()).collect::<Result<Vec<_>, _>>()?;

        let mut string = || {
            let s = CStr::from_bytes_until_nul(bytes).map_err(|_| PlanError)?;
            bytes = &bytes[s.to_bytes_with_nul().len()..];
            Ok(s)
        };
        let label = string()?;
        let path = string()?;
        let directory = if flags & HAS_DIRECTORY != 0 { Some(string()?) } else { None };
        let argv = (0..argc).map(|_| string()).collect::<Result<Vec<_>, _>>()?;
        let env = (0..envc).map(|_| string()).collect::<Result<Vec<_>, _>>()?;
        Ok(PlanView {
            label,
            path,
            directory,
            argv,
            env,
            umask: (flags & HAS_UMASK != 0).then_some(umask),
            identity: (flags & HAS_IDENTITY != 0).then_some(Identity { uid, gid, groups }),
            merge_stderr: flags & MERGE_STDERR != 0,
        })
    }

    /// The plan's own variables, and those of `base` that it does not replace.
    pub(crate) fn environment<'b>(&'b self, base: &'b [CString]) -> impl Iterator<Item = &'b CStr> {
        let replaced = |entry: &CStr| self.env.iter().any(|own| name(own) == name(entry));
        base.iter()
            .map(CString::as_c_str)
            .filter(move |entry| !replaced(entry))
            .chain(self.env.iter().copied())
    }
}

/// What stands before the `=`.
fn name(entry: &CStr) -> &[u8] {
    entry.to_bytes().split(|byte| *byte == b'=').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan() -> Plan {
        Plan {
            label: "web:web_00".into(),
            path: c"/bin/sleep".into(),
            argv: vec![c"sleep".into(), c"".into(), c"60".into()],
            env: vec![c"A=1".into(), c"B=two words".into()],
            directory: Some(c"/srv".into()),
            umask: Some(0o27),
            identity: Some(Identity { uid: 33, gid: 34, groups: vec![34, 4] }),
            merge_stderr: true,
        }
    }

    #[test]
    fn a_plan_is_read_as_it_was_written() {
        let plan = plan();
        let bytes = plan.to_bytes();
        let view = PlanView::read(&bytes).unwrap();
        assert_eq!(view.label, c"web:web_00");
        assert_eq!(view.path, &*plan.path);
        assert_eq!(view.argv, plan.argv.iter().map(|s| &**s).collect::<Vec<_>>());
        assert_eq!(view.env, plan.env.iter().map(|s| &**s).collect::<Vec<_>>());
        assert_eq!(view.directory, plan.directory.as_deref());
        assert_eq!((view.umask, view.identity, view.merge_stderr), (plan.umask, plan.identity, true));
    }

    #[test]
    fn what_is_absent_stays_absent() {
        let plan =
            Plan { directory: None, umask: None, identity: None, merge_stderr: false, env: vec![], ..plan() };
        let bytes = plan.to_bytes();
        let view = PlanView::read(&bytes).unwrap();
        assert!(
            view.directory.is_none() && view.umask.is_none() && view.identity.is_none() && !view.merge_stderr
        );
        assert_eq!(view.env, Vec::<&CStr>::new());
    }

    #[test]
    fn a_plan_replaces_variables_by_their_whole_name() {
        let bytes = plan().to_bytes();
        let view = PlanView::read(&bytes).unwrap();
        let base = [c"A=0", c"AB=2", c"PATH=/bin", c"odd"].map(CString::from);
        let merged: Vec<&CStr> = view.environment(&base).collect();
        assert_eq!(merged, [c"AB=2", c"PATH=/bin", c"odd", c"A=1", c"B=two words"]);
    }

    #[test]
    fn bytes_cut_anywhere_are_refused() {
        let bytes = plan().to_bytes();
        for cut in 0..bytes.len() {
            assert_eq!(PlanView::read(&bytes[..cut]).err(), Some(PlanError), "cut at {cut}");
        }
    }
}
