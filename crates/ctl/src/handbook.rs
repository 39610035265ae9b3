//! The manual page and the reference of supervisorctl, made from the tables that the program itself goes by.
//!
//! In: [`CHOICES`], the pages of all verbs, and what only a manual says (files, environment, exit statuses), which stands
//! here. Out: `docs/man/supervisorctl.1` and `docs/reference/supervisorctl.md`, which must be what this gives;
//! `PROVOST_BLESS=1` writes them anew. Roff is written by forty lines of ours: a crate would do the escaping, which is four of them.

use std::fmt::Write;
use std::path::PathBuf;

use crate::manual::Page;
use crate::options::CHOICES;
use crate::verbs;

/// Paragraphs of both pages.
const ABOUT: &[&str] = &[
    "With an action, carries it out and exits; all words behind the options are one line, so \"signal USR1\" may come as one word. \
     Without an action it opens a shell, which shows the status and then takes actions line by line; quit, Ctrl-D and Ctrl-C \
     leave it.",
    "It talks to the supervisord of this package and to that of Supervisor 4. What it writes into a pipe or a file is what \
     Supervisor's own client writes. On a terminal there are colours (unless NO_COLOR is set or TERM is dumb), hints on stderr when \
     something fails, and a line that says what is being waited for; control characters in what others have written are shown as ^[ \
     there.",
    "At a terminal lines of the shell are edited with the keys of readline in its emacs mode: arrows, Ctrl-A, Ctrl-E, Ctrl-K, Ctrl-R and the \
     rest. Tab completes actions, their flags, names of processes and groups, signals; twice, it lists what there is. Names are asked of \
     the daemon at that moment; one that does not answer within seven tenths of a second has none. The same for the command lines of \
     bash, zsh and fish comes from the action completion. Ctrl-C leaves the shell, or what it is waiting for, and fg and tail -f come back to \
     the prompt. What is typed ahead of fg is lost; and so is what was typed for a program that ended meanwhile, because it was meant for no \
     one else.",
];

/// How processes are named.
const NAMES: &[(&str, &str)] = &[
    ("name", "A process; that of a program without a group of its own."),
    ("group:name", "A process of a group, or of a program with several processes."),
    ("group:*", "All processes of a group."),
    ("all", "Everything."),
    (
        "web-*, *_0?, [a-c]*",
        "A pattern: every process that is called so, in whatever group. In it * is anything, ? one letter, [a-c] one of these and \
         [!a-c] none of them. Quote it, or the shell of the machine looks for files.",
    ),
    ("web-*:*_0?", "A pattern with a colon: the group has to fit the left side, the process the right one."),
    (
        "web-*",
        "What is really called so, stars and all, comes before what that could mean as a pattern. All that a pattern means is \
         done at once, as with a group; names are done one after the other.",
    ),
];

const ENVIRONMENT: &[(&str, &str)] = &[
    ("SUPERVISORCTL_USERNAME", "The user, where -u is not given."),
    ("SUPERVISORCTL_PASSWORD", "The password, where the command line has none."),
    (
        "SUPERVISORCTL_PASSWORD_FILE",
        "A file whose first line is the password. One of the two is enough, and both are refused.",
    ),
    ("NO_COLOR", "Set to anything: no colours on a terminal."),
    ("TERM", "If it is dumb, or not set: no colours, and no line that changes."),
];

const FILES: &[(&str, &str)] = &[
    (
        "supervisord.conf",
        "Its section [supervisorctl] has serverurl, username, password or password_file, prompt, history_file, and cafile, certfile \
         and keyfile for https. Without -c it is the first that exists of ../etc/supervisord.conf and ../supervisord.conf, seen from the \
         directory of the program; supervisord.conf and etc/supervisord.conf in the current directory; /etc/supervisord.conf; and \
         /etc/supervisor/supervisord.conf. If there is none the server is http://localhost:9001.",
    ),
    (
        "history_file",
        "A line for each that was typed in a shell at a terminal, as readline keeps them, for its owner only. Kept as it is typed, so \
         shells at the same time lose nothing; shortened to 1000 lines when a shell begins. A line that seems to have a password in it \
         (http://user:password@host, -p) is not kept. Without this option, or -r, there is no such file.",
    ),
    (
        "password_file",
        "A regular file of at most 64 KiB; its first line, without blanks behind it, is the password. It is read only where neither \
         the command line nor the environment has a password, and what may not be read is left alone until the server asks for it.",
    ),
];

const PRECEDENCE: &str = "The command line goes before the environment, and that before the configuration. --password, \
    --password-stdin and --password-file exclude each other.";

const STATUSES: &[(&str, &str)] = &[
    (
        "0",
        "Done. Also: start of what is started already, stop of what does not run, and whatever was done in a shell.",
    ),
    (
        "1",
        "Something failed: an unknown name, a wrong use, a refusal. health: something is not well. wait: the time is up.",
    ),
    (
        "2",
        "The options, the configuration or the password are wrong; start without a name, or of an unknown group.",
    ),
    (
        "3",
        "status: some process that is shown is STOPPED, EXITED, FATAL or UNKNOWN. Others: the server has no supervisor interface.",
    ),
    (
        "4",
        "Nobody listens at the address. status: also an unknown name, or any other way of not reaching the server.",
    ),
    ("5", "The server speaks another version of the interface."),
    ("7", "A process could not be started, or does not run; the socket does not exist."),
];

fn man() -> String {
    let mut page = Roff::default();
    page.line(".TH SUPERVISORCTL 1 \"\" \"Provost\" \"User Commands\"");
    page.heading("NAME");
    page.text("supervisorctl - ask a supervisord about its processes, and tell it what they should do");
    page.heading("SYNOPSIS");
    page.line(".B supervisorctl");
    page.line("[\\fIoptions\\fR] [\\fIaction\\fR [\\fIargument\\fR ...]]");
    page.heading("DESCRIPTION");
    page.paragraphs(ABOUT);
    page.heading("OPTIONS");
    for choice in CHOICES.iter().filter(|choice| !choice.does.is_empty()) {
        let short = choice.opt.short.map(|short| format!("\\fB\\-{short}\\fR, ")).unwrap_or_default();
        let long = escaped(&format!("--{}", choice.opt.long));
        page.item(&format!("{short}\\fB{long}\\fR \\fI{}\\fR", choice.value), choice.does);
    }
    page.heading("NAMES");
    page.items(NAMES);
    page.heading("ACTIONS");
    page.text("Every action takes --json, which is described in docs/reference/supervisorctl-json.md.");
    for page_of_verb in pages() {
        page.verb(page_of_verb);
    }
    page.heading("EXIT STATUS");
    page.text("The last thing that went wrong counts.");
    page.items(STATUSES);
    page.heading("ENVIRONMENT");
    page.text(PRECEDENCE);
    page.items(ENVIRONMENT);
    page.heading("FILES");
    page.items(FILES);
    page.heading("SEE ALSO");
    page.line(".BR supervisord (8)");
    page.0
}

/// As `help` lists them, and `help` itself.
fn pages() -> Vec<&'static Page> {
    let mut pages: Vec<&Page> =
        verbs::all().map(|verb| &verb.page).filter(|page| page.name != "EOF").collect();
    pages.sort_by_key(|page| page.name);
    pages
}

/// The text of a manual page, as it grows.
#[derive(Default)]
struct Roff(String);

impl Roff {
    /// As it is.
    fn line(&mut self, line: &str) {
        self.0.push_str(line);
        self.0.push('\n');
    }

    fn heading(&mut self, heading: &str) {
        self.line(&format!(".SH {heading}"));
    }

    fn text(&mut self, text: &str) {
        self.line(&escaped(text));
    }

    fn paragraphs(&mut self, paragraphs: &[&str]) {
        for (at, paragraph) in paragraphs.iter().enumerate() {
            if at > 0 {
                self.line(".PP");
            }
            self.text(paragraph);
        }
    }

    /// `head` is in roff.
    fn item(&mut self, head: &str, text: &str) {
        self.line(".TP");
        self.line(head.trim_end_matches(" \\fI\\fR"));
        self.text(text);
    }

    fn items(&mut self, items: &[(&str, &str)]) {
        for (name, text) in items {
            self.item(&format!("\\fB{}\\fR", escaped(name)), text);
        }
    }

    fn verb(&mut self, page: &Page) {
        self.line(&format!(".SS {}", escaped(page.name)));
        for (synopsis, does) in page.forms {
            self.item(&synopsis_in_roff(synopsis), does);
        }
        for flag in page.flags {
            let value = flag.value.map(|value| format!(" \\fI{value}\\fR")).unwrap_or_default();
            self.item(&format!("\\fB{}\\fR{value}", escaped(flag.name)), flag.does);
        }
        if !page.also.is_empty() {
            self.line(".PP");
            self.text(&format!("Also called {}.", page.also.join(", ")));
        }
        for paragraph in page.about.lines() {
            self.line(".PP");
            self.text(paragraph);
        }
    }
}

/// Words stand in bold, and what stands for another word in italics.
fn synopsis_in_roff(synopsis: &str) -> String {
    let text = escaped(synopsis).replace('<', "\\fR\\fI").replace('>', "\\fR\\fB");
    format!("\\fB{text}\\fR").replace("\\fB\\fR", "")
}

/// Roff's own characters stand for themselves.
fn escaped(text: &str) -> String {
    let text = text.replace('\\', "\\e").replace('-', "\\-");
    // A line that begins so is an order.
    if text.starts_with(['.', '\'']) { format!("\\&{text}") } else { text }
}

fn reference() -> String {
    let mut page = String::from(
        "# supervisorctl\n\nThis page and `supervisorctl(1)` are made from the tables in `crates/ctl/src` that the program goes by.\n",
    );
    let row = |name: &str, text: &str| {
        format!("| `{}` | {} |\n", name.replace('|', "\\|"), text.replace('|', "\\|"))
    };
    let table = |head: &str, items: &[(&str, &str)]| {
        let rows: String = items.iter().map(|(name, text)| row(name, text)).collect();
        format!("\n| {head} | |\n|---|---|\n{rows}")
    };
    let _ = write!(page, "\n    supervisorctl [options] [action [argument ...]]\n");
    for paragraph in ABOUT {
        let _ = write!(page, "\n{paragraph}\n");
    }
    page += "\n## Options\n\n| option | |\n|---|---|\n";
    for choice in CHOICES.iter().filter(|choice| !choice.does.is_empty()) {
        let short = choice.opt.short.map(|short| format!("-{short}, ")).unwrap_or_default();
        page += &row(format!("{short}--{} {}", choice.opt.long, choice.value).trim_end(), choice.does);
    }
    let _ = write!(page, "\n{PRECEDENCE}\n");
    page += &table("variable", ENVIRONMENT);
    page += "\n## Names\n";
    page += &table("name", NAMES);
    page += "\n## Actions\n\nEvery action takes `--json` ([supervisorctl-json.md](supervisorctl-json.md)).\n";
    for verb in pages() {
        let _ = write!(page, "\n### {}\n\n| | |\n|---|---|\n", verb.name);
        for (synopsis, does) in verb.forms {
            page += &row(synopsis, does);
        }
        for flag in verb.flags {
            page += &row(&flag.synopsis(), flag.does);
        }
        if !verb.also.is_empty() {
            page += &row(&verb.also.join(", "), "The same.");
        }
        for paragraph in verb.about.lines() {
            let _ = write!(page, "\n{}\n", in_markdown(paragraph));
        }
    }
    page += "\n## Exit status\n\nThe last thing that went wrong counts.\n";
    page += &table("status", STATUSES);
    page += "\n## Files\n";
    page += &table("file", FILES);
    page
}

/// Markdown's own characters stand for themselves.
fn in_markdown(text: &str) -> String {
    let is_its_own = |char| matches!(char, '*' | '_' | '<' | '|');
    text.chars().flat_map(|char| is_its_own(char).then_some('\\').into_iter().chain([char])).collect()
}

fn compare(name: &str, now: &str) {
    let place = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs").join(name);
    if std::env::var_os("PROVOST_BLESS").is_some() {
        std::fs::write(&place, now).expect("the page can be written");
    }
    let before = std::fs::read_to_string(place).unwrap_or_default();
    let first = before.lines().zip(now.lines()).find(|(before, now)| before != now);
    assert!(before == now, "docs/{name} is not what the tables give (PROVOST_BLESS=1 mends it): {first:?}");
}

#[test]
fn the_pages_are_what_the_tables_give() {
    compare("man/supervisorctl.1", &man());
    compare("reference/supervisorctl.md", &reference());
}

#[test]
fn roff_is_not_taken_at_its_word() {
    assert_eq!(escaped(".so -x \\n"), "\\&.so \\-x \\en");
    assert_eq!(synopsis_in_roff("tail -f <name> [x]"), "\\fBtail \\-f \\fR\\fIname\\fR\\fB [x]\\fR");
}

#[test]
fn every_page_says_something_in_sentences() {
    for page in pages() {
        for text in page.forms.iter().map(|form| form.1).chain(page.flags.iter().map(|flag| flag.does)) {
            assert!(
                text.ends_with(['.', ';']) && text.starts_with(|first: char| first.is_uppercase()),
                "{}: {text}",
                page.name
            );
        }
        assert!(page.forms.iter().all(|(synopsis, _)| synopsis.starts_with(page.name)), "{}", page.name);
    }
}
