//! Whether every exit was reported, with its real status, once.
//!
//! In: how the runs of a program really ended, in order, and what the main log says of them. Out: what belongs to what, and
//! what is left over on both sides. The main log names no run, so the two are laid side by side as well as they fit.

use std::fmt;

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ended {
    Status(u8),
    /// By the name of the signal.
    Signal(String),
}

/// What the main log says of an end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) ended: Ended,
    /// Whether it was expected; nothing is said of that where somebody asked for the end.
    pub(crate) expected: Option<bool>,
}

/// How the two fit.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Comparison {
    /// Positions of those that are the same.
    pub(crate) matched: Vec<(usize, usize)>,
    /// Ends that nobody told.
    pub(crate) untold: Vec<usize>,
    /// Ends that were told once more.
    pub(crate) again: Vec<usize>,
    /// What was told, and was no end.
    pub(crate) invented: Vec<usize>,
}

/// The longest common subsequence, and the rest.
pub(crate) fn compare(truth: &[Ended], told: &[Told]) -> Comparison {
    let width = told.len() + 1;
    // How much of what begins here fits.
    let mut fits = vec![0usize; (truth.len() + 1) * width];
    for t in (0..truth.len()).rev() {
        for s in (0..told.len()).rev() {
            fits[t * width + s] = if truth[t] == told[s].ended {
                fits[(t + 1) * width + s + 1] + 1
            } else {
                fits[(t + 1) * width + s].max(fits[t * width + s + 1])
            };
        }
    }
    let mut found = Comparison::default();
    let (mut t, mut s) = (0, 0);
    while t < truth.len() || s < told.len() {
        if t < truth.len() && s < told.len() && truth[t] == told[s].ended {
            found.matched.push((t, s));
            (t, s) = (t + 1, s + 1);
        } else if s == told.len() || t < truth.len() && fits[(t + 1) * width + s] >= fits[t * width + s + 1] {
            found.untold.push(t);
            t += 1;
        } else {
            let again = t > 0 && truth[t - 1] == told[s].ended;
            if again {
                found.again.push(s)
            } else {
                found.invented.push(s)
            };
            s += 1;
        }
    }
    found
}

/// What the main log says of the ends of the program `name`.
pub(crate) fn told<'a>(name: &str, log: impl Iterator<Item = &'a str>) -> Vec<Told> {
    let (exited, stopped) = (format!(" exited: {name} ("), format!(" stopped: {name} ("));
    log.filter_map(|line| {
        if let Some((_, rest)) = line.split_once(&exited) {
            let (how, expected) = rest.strip_suffix(')')?.rsplit_once("; ")?;
            return Some(Told { ended: ended(how)?, expected: Some(expected == "expected") });
        }
        let (_, rest) = line.split_once(&stopped)?;
        Some(Told { ended: ended(rest.strip_suffix(')')?)?, expected: None })
    })
    .collect()
}

fn ended(how: &str) -> Option<Ended> {
    match how.strip_prefix("exit status ") {
        Some(status) => Some(Ended::Status(status.parse().ok()?)),
        None => Some(Ended::Signal(how.strip_prefix("terminated by ")?.to_owned())),
    }
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Ended::Status(status) => write!(f, "exit status {status}"),
            Ended::Signal(name) => write!(f, "terminated by {name}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn truth(statuses: &[u8]) -> Vec<Ended> {
        statuses.iter().map(|status| Ended::Status(*status)).collect()
    }

    fn said(statuses: &[u8]) -> Vec<Told> {
        truth(statuses).into_iter().map(|ended| Told { ended, expected: None }).collect()
    }

    /// Positions of what is untold, told again, and invented.
    fn left_over(real: &[u8], reported: &[u8]) -> [Vec<usize>; 3] {
        let found = compare(&truth(real), &said(reported));
        assert_eq!(found.matched.len() + found.untold.len(), real.len());
        [found.untold, found.again, found.invented]
    }

    #[test]
    fn what_fits_leaves_nothing_over() {
        const NOTHING: [Vec<usize>; 3] = [Vec::new(), Vec::new(), Vec::new()];
        assert_eq!(left_over(&[1, 2, 3], &[1, 2, 3]), NOTHING);
        assert_eq!(left_over(&[], &[]), NOTHING);
    }

    #[test]
    fn a_wrong_status_is_an_end_untold_and_another_invented() {
        assert_eq!(left_over(&[1, 2, 3], &[1, 7, 3]), [vec![1], vec![], vec![1]]);
        assert_eq!(left_over(&[1], &[2]), [vec![0], vec![], vec![0]]);
    }

    #[test]
    fn missing_repeated_and_swapped_reports_are_seen() {
        assert_eq!(left_over(&[1, 2, 3], &[1, 3]), [vec![1], vec![], vec![]]);
        assert_eq!(left_over(&[1, 2, 3], &[1, 2]), [vec![2], vec![], vec![]]);
        assert_eq!(left_over(&[1, 2, 3], &[1, 2, 2, 3]), [vec![], vec![2], vec![]]);
        assert_eq!(left_over(&[1, 2, 3], &[1, 2, 3, 3]), [vec![], vec![3], vec![]]);
        let [untold, again, invented] = left_over(&[1, 2, 3], &[2, 1, 3]);
        assert_eq!((untold.len(), again.len() + invented.len()), (1, 1));
    }

    #[test]
    fn lines_of_the_main_log_are_understood() {
        let log = "\
2026-11-22 10:58:51,042 WARN exited: a (exit status 7; not expected)
2026-11-22 10:58:51,042 INFO exited: ab (exit status 8; not expected)
2026-11-22 10:58:51,042 INFO exited: a (exit status 0; expected)
2026-11-22 10:58:51,042 INFO stopped: a (terminated by SIGTERM)
2026-11-22 10:58:51,042 WARN exited: a (terminated by SIGKILL; not expected)";
        let signal = |name: &str| Ended::Signal(name.to_owned());
        let wanted = [
            Told { ended: Ended::Status(7), expected: Some(false) },
            Told { ended: Ended::Status(0), expected: Some(true) },
            Told { ended: signal("SIGTERM"), expected: None },
            Told { ended: signal("SIGKILL"), expected: Some(false) },
        ];
        assert_eq!(told("a", log.lines()), wanted);
    }
}
