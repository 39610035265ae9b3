//! The end of a log on a page of its own, which the script goes on with as it grows.
//!
//! In: a process's name and an output, or the main log. Out: the page. What a log holds is shown as text, whatever it is.

use std::path::PathBuf;

use super::form::{Form, encoded};
use super::html::{Html, html};
use super::page::{self, Site};
use super::refused;
use crate::log_address::Output;
use crate::logs::{self, Allowance, LogError, no_room};
use crate::room::Room;
use crate::session::Session;

/// What is shown where nobody says how much, and the least.
const LEAST: u64 = 1024;
/// More than that in a page helps nobody; the file is there.
const MOST: u64 = 4 << 20;
/// What is offered.
const SIZES: [(u64, &str); 3] = [(LEAST, "1 KB"), (32 << 10, "32 KB"), (1 << 20, "1 MB")];

/// What a page shows: the text, and where the stream goes on from.
struct Shown {
    text: String,
    /// The stream's address, and how far the text reaches; none where there is no log.
    stream: Option<(String, u64)>,
}

impl Shown {
    fn only(text: String) -> Shown {
        Shown { text, stream: None }
    }
}

/// How many bytes are asked for.
fn limit(form: &Form) -> u64 {
    let limit = form.get("limit").filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
    limit.and_then(|text| text.parse().ok()).unwrap_or(LEAST).clamp(LEAST, MOST)
}

/// The end of a process's log.
pub(super) async fn of_process(
    site: Site<'_>,
    (session, answers): (&Session<'_>, &Room),
    form: &Form,
) -> String {
    let (name, limit) = (form.get("processname"), limit(form));
    let (output, channel) = match form.get("channel") {
        Some("stderr") => (Output::Stderr, "stderr"),
        _ => (Output::Stdout, "stdout"),
    };
    let shown = match name {
        None => Shown::only("No process name found".to_owned()),
        Some(name) => process_log((session, answers), name, (output, channel), limit).await,
    };
    let title = format!("Supervisor tail of process {}", name.unwrap_or("None"));
    page::page(site, &title, |out| {
        html!(out, "<h1>Log of <bdi>{}</bdi></h1>\n", name.unwrap_or("no process"));
        let Some(name) = name else { return text(out, &shown) };
        let here = |channel: &str| format!("tail.html?processname={}&channel={channel}", encoded(name));
        html!(out, "<nav class=\"toolbar buttons\">");
        for one in ["stdout", "stderr"] {
            let current = if one == channel { "page" } else { "false" };
            html!(
                out,
                "<a class=\"log\" aria-current=\"{}\" href=\"{}&amp;limit={}\">{}</a>",
                current,
                here(one),
                limit,
                one
            );
        }
        sizes(out, &here(channel), limit);
        html!(out, "</nav>\n");
        text(out, &shown);
    })
}

async fn process_log(
    (session, answers): (&Session<'_>, &Room),
    name: &str,
    (output, channel): (Output, &str),
    limit: u64,
) -> Shown {
    let shown = match session.log_path(name, output).await {
        Ok(Some(path)) => {
            let stream = format!("logtail/{}/{channel}", encoded(name));
            read((session, answers), path, limit, stream).await
        }
        Ok(None) => None,
        Err(why) => Some(Shown::only(format!("ERROR: {}", refused(why)))),
    };
    shown.unwrap_or_else(|| Shown::only(format!("No file for {name}")))
}

/// The end of the daemon's own log.
pub(super) async fn of_daemon(
    site: Site<'_>,
    (session, answers): (&Session<'_>, &Room),
    form: &Form,
) -> String {
    let limit = limit(form);
    let shown = match session.main_log() {
        Ok(Some(path)) => read((session, answers), path, limit, "mainlogtail".to_owned()).await,
        Ok(None) => None,
        Err(why) => Some(Shown::only(format!("ERROR: {}", refused(why)))),
    };
    let shown = shown.unwrap_or_else(|| Shown::only("No file for the main log".to_owned()));
    page::page(site, "Main log", |out| {
        html!(out, "<h1>Main log</h1>\n<nav class=\"toolbar buttons\">");
        sizes(out, "mainlog.html?", limit);
        html!(out, "</nav>\n");
        text(out, &shown);
    })
}

async fn read(
    (session, answers): (&Session<'_>, &Room),
    path: PathBuf,
    limit: u64,
    stream: String,
) -> Option<Shown> {
    let open_log = session.shared.facts.open_log;
    let (name, mut allowance) = (path.display().to_string(), Allowance::new(limit, answers));
    let log = path.clone();
    let read = move || (logs::end(&log, open_log, &mut allowance), allowance);
    let read = session.shared.disks.ask(&path, read).await;
    let (read, _room) = match read {
        Ok((read, room)) => (read, Some(room)),
        Err(e) => (Err(LogError::Failed(e.to_string())), None),
    };
    match read {
        Ok((text, end)) => Some(Shown { text, stream: Some((stream, end)) }),
        Err(LogError::NoFile) => None,
        Err(LogError::Failed(why)) => Some(Shown::only(format!("ERROR: {why}"))),
        Err(LogError::NoRoom) => Some(Shown::only(format!("ERROR: {}", no_room(name)))),
        Err(LogError::BadArguments | LogError::TooMuch) => None,
    }
}

fn sizes(out: &mut Html, here: &str, limit: u64) {
    html!(out, "<a class=\"log\" id=\"refresh\" href=\"{}&amp;limit={}\">Refresh</a>", here, limit);
    for (size, label) in SIZES {
        let current = if size == limit { "true" } else { "false" };
        html!(
            out,
            "<a class=\"log\" aria-current=\"{}\" href=\"{}&amp;limit={}\">{}</a>",
            current,
            here,
            size,
            label
        );
    }
}

fn text(out: &mut Html, shown: &Shown) {
    match &shown.stream {
        Some((stream, end)) => html!(
            out,
            // A line end behind the tag is no part of the text.
            "<pre id=\"log\" tabindex=\"0\" role=\"log\" aria-label=\"The end of the log\" data-stream=\"{}\" \
             data-end=\"{}\">\n{}</pre>\n",
            stream,
            end,
            shown.text
        ),
        None => html!(out, "<pre>\n{}</pre>\n", shown.text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_a_number_and_neither_too_small_nor_too_large() {
        let asked = |query: &str| limit(&Form::new(query, b""));
        assert_eq!(asked(""), 1024);
        assert_eq!(asked("limit=5"), 1024);
        assert_eq!(asked("limit=2048"), 2048);
        assert_eq!(asked("limit=-2048"), 1024);
        assert_eq!(asked("limit=2048x"), 1024);
        assert_eq!(asked("limit=99999999999999999999999"), 1024);
        assert_eq!(asked("limit=99999999999999"), MOST);
    }

    #[test]
    fn what_a_log_holds_is_text() {
        let mut out = Html::default();
        let hostile = "\n</pre><script>alert(1)</script>\x1b[31m\u{202e}";
        text(
            &mut out,
            &Shown { text: hostile.to_owned(), stream: Some(("logtail/a\"b/stdout".to_owned(), 7)) },
        );
        let page = out.into_string();
        assert!(
            page.contains(">\n\n&lt;/pre&gt;&lt;script&gt;alert(1)&lt;/script&gt;␛[31m\u{fffd}</pre>"),
            "{page}"
        );
        assert!(page.contains("data-stream=\"logtail/a&quot;b/stdout\" data-end=\"7\""), "{page}");
    }
}
