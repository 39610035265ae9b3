//! The page of all programs: a table in Supervisor's columns, grouped, with the buttons that the caller may press.
//!
//! In: what the core answers, what the caller may do, what it wants to see. Out: the page, and single rows for whoever follows
//! the changes: both are written by the same lines. All links are relative, so the page works below any path of a proxy.

use jiff::tz::TimeZone;
use provost_core::{ProcessInfo, State};

use super::form::{Form, encoded};
use super::html::{Html, html};
use super::page::{self, Site};
use super::words::{history, namespec, state_class, state_name};
use crate::pools::Troubles;
use crate::rpc::describe::{description, seconds_up};

/// What the caller may do, which decides what is on the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct May {
    pub(super) start: bool,
    pub(super) stop: bool,
    pub(super) restart: bool,
    pub(super) clear: bool,
    pub(super) logs: bool,
    pub(super) main_log: bool,
}

/// Which programs are to be seen.
#[derive(Debug, Default)]
pub(super) struct Filter {
    text: String,
    state: Wanted,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Wanted {
    #[default]
    All,
    Running,
    NotRunning,
    Failed,
}

impl Wanted {
    const ALL: [(Wanted, &str, &str); 4] = [
        (Wanted::All, "", "all states"),
        (Wanted::Running, "running", "running"),
        (Wanted::NotRunning, "down", "not running"),
        (Wanted::Failed, "failed", "failed"),
    ];

    fn word(self) -> &'static str {
        Wanted::ALL.iter().find(|(state, ..)| *state == self).map_or("", |(_, word, _)| word)
    }

    fn fits(self, p: &ProcessInfo) -> bool {
        match self {
            Wanted::All => true,
            Wanted::Running => p.state == State::Running,
            Wanted::NotRunning => p.state != State::Running,
            Wanted::Failed => has_failed(p),
        }
    }
}

/// Somebody should have a look.
fn has_failed(p: &ProcessInfo) -> bool {
    match p.state {
        State::Fatal | State::Backoff | State::Unknown => true,
        State::Exited => p.spawnerr.is_some(),
        State::Stopped | State::Starting | State::Running | State::Stopping => false,
    }
}

impl Filter {
    pub(super) fn of(form: &Form) -> Filter {
        let state = Wanted::ALL.iter().find(|(_, word, _)| Some(*word) == form.get("state"));
        Filter {
            text: form.get("q").unwrap_or_default().to_lowercase(),
            state: state.map_or(Wanted::All, |(state, ..)| *state),
        }
    }

    fn fits(&self, p: &ProcessInfo) -> bool {
        self.state.fits(p) && namespec(&p.group, &p.name).to_lowercase().contains(&self.text)
    }

    /// As a part of an address, to come back to the same view.
    pub(super) fn query(&self) -> String {
        [("q", self.text.as_str()), ("state", self.state.word())]
            .iter()
            .filter(|(_, value)| !value.is_empty())
            .map(|(name, value)| format!("&{name}={}", encoded(value)))
            .collect()
    }
}

/// What a page is made for.
#[derive(Debug, Clone, Copy)]
pub(super) struct View<'a> {
    pub(super) may: May,
    pub(super) token: &'a str,
    /// Up to where the page knows what happens (`events.rs`).
    pub(super) version: &'a str,
    pub(super) filter: &'a Filter,
    pub(super) troubles: &'a Troubles,
}

/// The whole page. `infos` are sorted by group.
pub(super) fn page(site: Site<'_>, infos: &[ProcessInfo], view: View<'_>, message: Option<&str>) -> String {
    let View { may, filter, troubles, .. } = view;
    page::page(site, "Programs", |out| {
        page::message(out, message);
        heading(out, infos, view);
        toolbar(out, infos, may, filter);
        if infos.is_empty() {
            html!(out, "<p>No programs to manage</p>\n");
            return;
        }
        html!(
            out,
            "<table id=\"statustable\">\n<caption class=\"unseen\">Programs</caption>\n<thead><tr>\
             <th scope=\"col\" class=\"state\">State</th><th scope=\"col\" class=\"desc\">Description</th>\
             <th scope=\"col\" class=\"name\">Name</th><th scope=\"col\" class=\"action\">Action</th></tr></thead>\n"
        );
        for group in infos.chunk_by(|a, b| a.group == b.group) {
            body(out, group, may, filter, troubles);
        }
        html!(out, "</table>\n");
        let hidden = hidden_if(infos.iter().any(|p| filter.fits(p)));
        html!(out, "<p id=\"nothing\"{}>No program fits the filter</p>\n", hidden);
    })
}

/// One group: a line of its own where it is more than its only program.
fn body(out: &mut Html, group: &[ProcessInfo], may: May, filter: &Filter, troubles: &Troubles) {
    let Some(first) = group.first() else { return };
    html!(out, "<tbody data-group=\"{}\">\n", first.group);
    if group.len() > 1 || first.group != first.name {
        let running = group.iter().filter(|p| p.state == State::Running).count();
        html!(
            out,
            "<tr class=\"group\"{}><th colspan=\"4\" scope=\"rowgroup\"><span class=\"groupline\">\
             <bdi class=\"groupname\">{}</bdi> <span class=\"count\">{} of {} running</span><span class=\"buttons\">",
            hidden_if(!group.iter().any(|p| filter.fits(p))),
            first.group,
            running,
            group.len()
        );
        several(out, &format!("{}:*", first.group), "group", &format!("all of {}", first.group), may);
        html!(out, "</span></span></th></tr>\n");
    }
    for p in group {
        row(out, p, may, filter, troubles);
    }
    html!(out, "</tbody>\n");
}

/// One process.
pub(super) fn row(out: &mut Html, p: &ProcessInfo, may: May, filter: &Filter, troubles: &Troubles) {
    let name = namespec(&p.group, &p.name);
    html!(
        out,
        "<tr class=\"process\" data-name=\"{}\" data-state=\"{}\" data-failed=\"{}\"{}>\
         <td class=\"status\"><span class=\"{}\">{}</span></td><td class=\"desc\">",
        encoded(&name),
        state_name(p.state),
        has_failed(p),
        hidden_if(!filter.fits(p)),
        state_class(p.state),
        state_name(p.state)
    );
    let described = description(p, &TimeZone::system(), troubles);
    if p.state == State::Running {
        html!(out, "<span class=\"up\" data-seconds=\"{}\">{}</span>", seconds_up(p), described);
    } else {
        html!(out, "<span>{}</span>", described);
    }
    if let Some(history) = history(p) {
        html!(out, "<span class=\"history\">{}</span>", history);
    }
    html!(out, "</td><td class=\"name\">");
    if may.logs {
        html!(out, "<a href=\"tail.html?processname={}\"><bdi>{}</bdi></a>", encoded(&name), name);
    } else {
        html!(out, "<bdi>{}</bdi>", name);
    }
    html!(out, "</td><td class=\"action\"><span class=\"buttons\">");
    actions(out, p, &name, may);
    html!(out, "</span></td></tr>\n");
}

fn actions(out: &mut Html, p: &ProcessInfo, name: &str, may: May) {
    let is_down = matches!(p.state, State::Stopped | State::Exited | State::Fatal);
    let all = [
        (may.start && is_down, "start", "Start"),
        (may.restart && p.state == State::Running, "restart", "Restart"),
        (may.stop && p.state.is_running(), "stop", "Stop"),
        (may.clear, "clearlog", "Clear Log"),
    ];
    for (_, action, label) in all.iter().filter(|(is_there, ..)| *is_there) {
        button(out, action, label, name, name);
    }
    if may.logs {
        for (channel, label) in [("stdout", "Stdout"), ("stderr", "Stderr")] {
            html!(
                out,
                "<a class=\"log\" href=\"tail.html?processname={}&amp;channel={}\" aria-label=\"{} of {}\">{}</a>",
                encoded(name),
                channel,
                label,
                name,
                label
            );
        }
    }
}

/// Start, restart and stop for several at once.
fn several(out: &mut Html, target: &str, of: &str, whom: &str, may: May) {
    let all =
        [(may.start, "start", "Start"), (may.restart, "restart", "Restart"), (may.stop, "stop", "Stop")];
    for (_, action, label) in all.iter().filter(|(is_there, ..)| *is_there) {
        button(out, action, &format!("{label} {of}"), target, whom);
    }
}

/// All buttons belong to one form, which carries the token; which one was pressed is in its address.
fn button(out: &mut Html, action: &str, label: &str, target: &str, whom: &str) {
    let verb = if action == "clearlog" { "Clear log of" } else { label.split(' ').next().unwrap_or(label) };
    html!(
        out,
        "<button form=\"actions\" data-action=\"{}\" formaction=\"index.html?action={}&amp;processname={}\" \
         aria-label=\"{} {}\">{}</button>",
        action,
        action,
        encoded(target),
        verb,
        whom,
        label
    );
}

/// How many there are, and the one form that all buttons belong to.
fn heading(out: &mut Html, infos: &[ProcessInfo], view: View<'_>) {
    let running = infos.iter().filter(|p| p.state == State::Running).count();
    let failed = infos.iter().filter(|p| has_failed(p)).count();
    html!(out, "<h1>Programs <span class=\"count\" id=\"count\">{} of {} running", running, infos.len());
    if failed > 0 {
        html!(out, ", {} failed", failed);
    }
    html!(
        out,
        "</span></h1>\n<form id=\"actions\" method=\"post\" action=\"index.html\" data-version=\"{}\">\
         <input type=\"hidden\" name=\"token\" value=\"{}\"><input type=\"hidden\" name=\"q\" value=\"{}\">\
         <input type=\"hidden\" name=\"state\" value=\"{}\"></form>\n",
        view.version,
        view.token,
        view.filter.text,
        view.filter.state.word()
    );
}

/// The filter, the main log, and everything at once.
fn toolbar(out: &mut Html, infos: &[ProcessInfo], may: May, filter: &Filter) {
    html!(
        out,
        "<div class=\"toolbar\">\n<form id=\"filter\" method=\"get\" action=\"index.html\" role=\"search\">\
         <label><span class=\"unseen\">Filter by name</span>\
         <input type=\"search\" name=\"q\" value=\"{}\" placeholder=\"Filter by name\" autocomplete=\"off\"></label>\
         <label><span class=\"unseen\">Filter by state</span><select name=\"state\">",
        filter.text
    );
    for (state, word, shown) in Wanted::ALL {
        let selected = if state == filter.state { " selected" } else { "" };
        html!(out, "<option value=\"{}\"{}>{}</option>", word, selected, shown);
    }
    html!(out, "</select></label><button id=\"apply\">Filter</button></form>\n<nav class=\"buttons\">");
    html!(out, "<a class=\"log\" href=\"index.html?action=refresh\" id=\"refresh\">Refresh</a>");
    if may.main_log {
        html!(out, "<a class=\"log\" href=\"mainlog.html\">Main log</a>");
    }
    html!(out, "</nav>\n");
    // A tap too much should not stop everything.
    if (may.start || may.stop) && infos.len() > 1 {
        html!(out, "<details id=\"all\"><summary>All programs</summary><span class=\"buttons\">");
        let all = [
            (may.start, "startall", "Start All"),
            (may.restart, "restartall", "Restart All"),
            (may.stop, "stopall", "Stop All"),
        ];
        for (_, action, label) in all.iter().filter(|(is_there, ..)| *is_there) {
            html!(
                out,
                "<button form=\"actions\" data-action=\"{}\" formaction=\"index.html?action={}\">{}</button>",
                action,
                action,
                label
            );
        }
        html!(out, "</span></details>\n");
    }
    html!(out, "</div>\n");
}

/// The attribute that hides what is not to be seen.
fn hidden_if(hidden: bool) -> &'static str {
    if hidden { " hidden" } else { "" }
}

#[cfg(test)]
#[path = "status_tests.rs"]
mod tests;
