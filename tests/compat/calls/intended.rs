//! The one table of answers that are meant to differ from those of 4.3.0, each with a reason that a user would accept.
//!
//! In: a call and its two answers. Out: whether the difference is meant. A row that fits nothing in its table is out of
//! date, and fails.

use super::line::shown;

/// Answers that differ on purpose.
struct Intended {
    table: &'static str,
    /// What the call contains.
    call: &'static str,
    /// The answers in one line; `…` stands for anything.
    theirs: &'static str,
    ours: &'static str,
    reason: &'static str,
}

const INTENDED: &[Intended] = &[
    row(
        "arguments",
        "",
        "HTTP 500",
        "fault 2 INCORRECT_PARAMETERS: …",
        "an argument that cannot be meant is the client's fault, and it is told which",
    ),
    row(
        "arguments",
        "",
        "fault 2 INCORRECT_PARAMETERS",
        "fault 2 INCORRECT_PARAMETERS: …",
        "the same fault, which names the argument",
    ),
    row(
        "arguments",
        "",
        "fault 10 BAD_NAME…",
        "fault 2 INCORRECT_PARAMETERS: …",
        "what is no text is no name; 4.3.0 prints it as Python would",
    ),
    row(
        "arguments",
        "(<",
        "HTTP 500",
        "fault 10 BAD_NAME: …",
        "a number is taken for a name, and there is none of it",
    ),
    row(
        "arguments",
        "<dateTime",
        "fault 10 BAD_NAME: 2026-01-01 00:00:00",
        "fault 10 BAD_NAME: 20260101T00:00:00",
        "a date is read as text, as it was written",
    ),
    row(
        "arguments",
        "<dateTime",
        "HTTP 500",
        "fault 11 BAD_SIGNAL: …",
        "a date is read as text, and is no signal",
    ),
    row("arguments", "<dateTime", "HTTP 500", "…BAD_SIGNAL…", "the same for several processes"),
    row(
        "arguments",
        "99999999999",
        "HTTP 500",
        "<value>…</value>",
        "4.3.0 cannot read so many bytes at once; we give those that there are",
    ),
    row(
        "arguments",
        "getAllConfigInfo",
        "…<value><string>auto</string></value>…",
        "…<value><string>DIR/one-stdout---supervisor-RANDOM.log</string></value>…",
        "4.3.0 forgets after reloadConfig which automatic log files its programs have",
    ),
    row(
        "bodies",
        "latin-1",
        "no answer",
        "fault 10 BAD_NAME: é",
        "4.3.0 leaves what is not UTF-8 without an answer; what is declared is read",
    ),
    row("bodies", "UTF-16", "no answer", "fault 10 BAD_NAME: é", "the same for UTF-16, which has a mark"),
    row("bodies", "", "no answer", "HTTP 400", "4.3.0 leaves what is not UTF-8 without an answer"),
    row(
        "bodies",
        "a doctype",
        "fault 10 BAD_NAME: é",
        "HTTP 400",
        "document types are what entities come with, and no client sends one",
    ),
    row(
        "bodies",
        "an entity of its own",
        "fault 10 BAD_NAME: é",
        "HTTP 400",
        "entities can grow without bounds, and no client sends one",
    ),
    row(
        "bodies",
        "",
        "HTTP 400",
        "fault 10 BAD_NAME: …",
        "slips that do not change what is meant, and a reader may pass over",
    ),
    row(
        "bodies",
        "no name that XML knows",
        "HTTP 400",
        "fault 2 INCORRECT_PARAMETERS",
        "an unknown element holds no argument",
    ),
    row("bodies", "int and blanks", "HTTP 500", "fault 10 BAD_NAME: 5", "a number is taken for a name"),
    row("bodies", "int and underscores", "fault 10 BAD_NAME: x", "HTTP 400", "only Python writes numbers so"),
    row("bodies", "int in Arabic digits", "fault 10 BAD_NAME: x", "HTTP 400", "only Python reads numbers so"),
    row(
        "bodies",
        "",
        "HTTP 500",
        "fault 2 INCORRECT_PARAMETERS: …",
        "an argument that cannot be meant is the client's fault",
    ),
    row(
        "bodies",
        "a hundred arrays",
        "HTTP 500",
        "HTTP 400",
        "nothing that a client means is sixty elements deep",
    ),
    row(
        "states",
        "startProcess(<string>stopping",
        "<value><boolean>1</boolean></value>",
        "fault 40 ABNORMAL_TERMINATION: …",
        "4.3.0 says that it started what it did not start",
    ),
    row(
        "states",
        "<string>stopping",
        "…<value><int>80</int>…",
        "…<value><int>40</int>…ABNORMAL_TERMINATION…",
        "the same in a list of results",
    ),
    row(
        "multicall",
        "",
        "…<int>30</int>…FAILED: &lt;class …",
        "…<int>2</int>…INCORRECT_PARAMETERS…",
        "an exception of Python's is no answer",
    ),
    row(
        "multicall",
        "<int>5</int>",
        "…<int>30</int>…FAILED: &lt;class …",
        "…<int>10</int>…BAD_NAME: 5…",
        "a number is taken for a name",
    ),
    row(
        "multicall",
        "<value>x</value>",
        "…<int>10</int>…BAD_NAME: x…",
        "…<int>2</int>…INCORRECT_PARAMETERS…",
        "4.3.0 takes a text for a list of its letters",
    ),
    row(
        "multicall",
        "",
        "HTTP 500",
        "…INCORRECT_PARAMETERS: No methodName…",
        "an entry that is no call is a fault among the results",
    ),
    row(
        "multicall",
        "",
        "HTTP 500",
        "fault 2 INCORRECT_PARAMETERS: …",
        "an argument that cannot be meant is the client's fault",
    ),
    row(
        "multicall",
        "",
        "fault 2 INCORRECT_PARAMETERS",
        "fault 2 INCORRECT_PARAMETERS: …",
        "the same fault, which names the argument",
    ),
    row(
        "arguments",
        "sendProcessStdin",
        "fault 2 INCORRECT_PARAMETERS: …",
        "fault 2 INCORRECT_PARAMETERS: …",
        "the same fault; what is no text is named in other words than Python's",
    ),
    row(
        "arguments",
        "sendProcessStdin(<string>one</string>, <dateTime",
        "fault 2 INCORRECT_PARAMETERS: …",
        "<value><boolean>1</boolean></value>",
        "a date is read as text, as it was written",
    ),
    row(
        "arguments",
        "sendProcessStdin(<string>one</string>, <i8>",
        "<value><boolean>1</boolean></value>",
        "fault 2 INCORRECT_PARAMETERS: 5",
        "4.3.0 does not know this type and takes it for text; it is a number",
    ),
    row(
        "arguments",
        "sendRemoteCommEvent(",
        "<value><boolean>1</boolean></value>",
        "fault 2 INCORRECT_PARAMETERS: …",
        "type and data of an event are texts; 4.3.0 tells listeners what Python prints",
    ),
];

const fn row(
    table: &'static str,
    call: &'static str,
    theirs: &'static str,
    ours: &'static str,
    reason: &'static str,
) -> Intended {
    Intended { table, call, theirs, ours, reason }
}

/// What the calls of one table came to.
pub(super) struct Verdict {
    table: &'static str,
    same: usize,
    fits: Vec<usize>,
    unexplained: Vec<(String, String, String)>,
}

impl Verdict {
    pub(super) fn new(table: &str) -> Self {
        let table = INTENDED.iter().map(|row| row.table).find(|known| *known == table).unwrap_or("");
        Verdict { table, same: 0, fits: vec![0; INTENDED.len()], unexplained: Vec::new() }
    }

    pub(super) fn judge(&mut self, call: &str, theirs: &str, ours: &str) {
        if theirs == ours {
            self.same += 1;
            return;
        }
        let (seen, made) = (shown(theirs), shown(ours));
        let row = INTENDED.iter().position(|row| {
            row.table == self.table
                && call.contains(row.call)
                && fits(row.theirs, &seen)
                && fits(row.ours, &made)
        });
        match row {
            Some(row) => self.fits[row] += 1,
            None => self.unexplained.push((call.to_owned(), theirs.to_owned(), ours.to_owned())),
        }
    }

    pub(super) fn summary(&self) -> String {
        let meant: usize = self.fits.iter().sum();
        format!("{} the same, {meant} differ on purpose", self.same)
    }

    pub(super) fn unexplained(&self) -> &[(String, String, String)] {
        &self.unexplained
    }

    #[track_caller]
    pub(super) fn assert_every_row_fits(&self) {
        for (row, fits) in INTENDED.iter().zip(&self.fits) {
            assert!(
                row.table != self.table || *fits > 0,
                "{}: no answer to {:?} differs any more from {:?} to {:?}",
                row.table,
                row.call,
                row.theirs,
                row.ours
            );
        }
    }
}

/// Whether an answer is this one; `…` stands for anything.
pub(crate) fn fits(pattern: &str, answer: &str) -> bool {
    let Some((first, others)) = pattern.split_once('…') else { return answer == pattern };
    let Some(mut rest) = answer.strip_prefix(first) else { return false };
    let (between, last) = others.rsplit_once('…').unwrap_or(("", others));
    for part in between.split('…') {
        let Some((_, behind)) = rest.split_once(part) else { return false };
        rest = behind;
    }
    rest.ends_with(last)
}

#[test]
fn a_pattern_fits_from_end_to_end() {
    assert!(fits("a…c…", "abcd") && fits("a…d", "abcd") && fits("…", "x") && fits("a…b…c", "a-b-c"));
    assert!(!fits("a…c", "abcd") && !fits("b…", "abcd") && !fits("a…x…d", "abcd") && !fits("abc", "abcd"));
}

#[test]
fn every_row_has_a_reason() {
    for row in INTENDED {
        assert!(row.reason.len() > 20, "{:?} needs a reason", row.call);
        assert!(row.theirs != row.ours || row.theirs.contains('…'), "{:?} differs in nothing", row.call);
    }
}
