//! The web page: programs and what may be done to them, logs, and changes as they happen (SPEC 9).
//!
//! In: a request that the gate has let in and `origin.rs` has found not to come from another site. Out: HTML, redirects, events.
//! Every command goes through the [`Session`] of whoever asks, so the page can do nothing that XML-RPC refuses. It works
//! without its script; `assets/provost.js` spares reloading.
//!
//! `html.rs` is what pages are written with, `page.rs` what is around them; `status.rs` and `tail.rs` are the pages, `actions.rs` what buttons
//! do, `events.rs` tells open pages what changes.

mod actions;
mod events;
mod form;
#[cfg(test)]
mod generated;
mod html;
mod page;
mod status;
mod tail;
mod words;

use std::sync::Arc;

use hyper::body::Incoming;
use hyper::header::{ACCEPT, ALLOW, CACHE_CONTROL, EXPIRES, HeaderValue, LOCATION, PRAGMA};
use hyper::http::request::Parts;
use hyper::{Method, Request, Response, StatusCode};
use provost_core::{Command, Permission, Reply};

use self::actions::Action;
use self::form::{Form, encoded};
use self::html::html;
use self::page::Site;
use self::status::{Filter, May};
use crate::answer::{Answer, error, whole};
use crate::body;
use crate::gate::Caller;
use crate::gate::Refused;
use crate::origin;
use crate::rpc::refusal;
use crate::serve::Client;
use crate::session::Session;
use crate::shared::Shared;

pub(crate) use self::events::MOST as MOST_PAGES;

/// The longest form; ours have a few hundred bytes.
const MAX_FORM: usize = 64 << 10;

const HTML: &str = "text/html;charset=utf-8";
const TEXT: &str = "text/plain;charset=utf-8";

/// The page's own files.
const ASSETS: [(&str, &str, &str); 3] = [
    ("provost.js", "text/javascript;charset=utf-8", include_str!("assets/provost.js")),
    ("stylesheets/supervisor.css", "text/css;charset=utf-8", include_str!("assets/supervisor.css")),
    ("images/icon.svg", "image/svg+xml", include_str!("assets/icon.svg")),
];

/// Whether this asks for a page, to which other sites may link, and nothing happens.
pub(crate) fn is_page(method: &Method, path: &str) -> bool {
    let path = path.trim_start_matches('/');
    let is_stream =
        ["RPC2", "logtail", "mainlogtail", "events"].iter().any(|stream| path.starts_with(stream));
    method != Method::POST && !is_stream
}

/// The answer to a request for a page.
pub(crate) async fn answer(
    request: Request<Incoming>,
    shared: &Arc<Shared>,
    caller: &Caller,
    client: &Client,
) -> Response<Answer> {
    let (parts, body) = request.into_parts();
    let path = match parts.uri.path().trim_start_matches('/') {
        "" => "index.html",
        path => path,
    };
    let visit = Visit { shared, session: Session { shared, caller }, parts: &parts, client };
    let is_read = parts.method == Method::GET || parts.method == Method::HEAD;
    if is_read && let Some((_, content_type, content)) = ASSETS.iter().find(|(name, ..)| *name == path) {
        return asset(content_type, content);
    }
    let body = match (path, &parts.method) {
        ("index.html" | "tail.html" | "mainlog.html" | "ok.html", &Method::POST) => {
            match body::receive(body, MAX_FORM, &parts, &client.rooms.bodies).await {
                Ok(body) => body.bytes,
                Err(refused) => return refused,
            }
        }
        ("index.html" | "tail.html" | "mainlog.html" | "ok.html" | "events", _) if is_read => {
            Default::default()
        }
        _ => return error(StatusCode::NOT_FOUND),
    };
    let form = Form::new(parts.uri.query().unwrap_or_default(), &body);
    let reading = (&visit.session, &client.rooms.answers);
    match path {
        "index.html" => visit.index(&form).await,
        "tail.html" => page(StatusCode::OK, tail::of_process(visit.site(), reading, &form).await),
        "mainlog.html" => page(StatusCode::OK, tail::of_daemon(visit.site(), reading, &form).await),
        "events" => visit.events(&form),
        _ => whole(StatusCode::OK, "text/plain", b"OK".to_vec()),
    }
}

/// The page that is shown to a request from elsewhere.
pub(crate) fn turned_away(shared: &Shared, refusal: &origin::Refusal) -> Response<Answer> {
    let site = Site { identifier: "Provost", version: shared.facts.version, user: None };
    match refusal {
        origin::Refusal::ForeignHost(host) => {
            let text = format!(
                "This server does not know the name {host:?}. If it is a name of its own, or of a proxy in front of it, write \
                 allowed_hosts={host} into its section [inet_http_server]."
            );
            page(StatusCode::MISDIRECTED_REQUEST, page::notice(site, "Unknown name", &text))
        }
        origin::Refusal::CrossSite => {
            let text = "Another site's page has sent this request, and nothing was done. Go to the page of this server and do it there. \
                        If a proxy is in front of it, write the name that browsers know it by into allowed_hosts.";
            page(StatusCode::FORBIDDEN, page::notice(site, "Not from here", text))
        }
    }
}

/// One request, and whoever has sent it.
struct Visit<'a> {
    shared: &'a Arc<Shared>,
    session: Session<'a>,
    parts: &'a Parts,
    client: &'a Client,
}

impl Visit<'_> {
    fn site(&self) -> Site<'_> {
        let facts = &self.shared.facts;
        Site {
            identifier: &facts.identifier,
            version: facts.version,
            user: self.session.caller.by.user.as_deref(),
        }
    }

    fn may(&self) -> May {
        let caller = self.session.caller;
        let may = |permission| caller.has(permission);
        May {
            start: may(Permission::Start),
            stop: may(Permission::Stop),
            restart: may(Permission::Restart),
            clear: may(Permission::Clear),
            logs: may(Permission::Logs),
            main_log: may(Permission::Logs) && caller.programs.is_all(),
        }
    }

    async fn index(&self, form: &Form) -> Response<Answer> {
        let Some(action) = form.get("action") else { return self.programs(form).await };
        let Some(action) = Action::read(action, form.get("processname")) else {
            let text = format!("There is no action {action:?}, or it needs a program.");
            return page(StatusCode::BAD_REQUEST, page::notice(self.site(), "Nothing to do", &text));
        };
        if action != Action::Refresh
            && let Some(answer) = self.doubt(&action, form)
        {
            return answer;
        }
        let outcome = action.perform(&self.session).await;
        if self.wants_text() {
            let status = if outcome.denied { StatusCode::FORBIDDEN } else { StatusCode::OK };
            return hardened(whole(status, TEXT, outcome.text.into_bytes()));
        }
        if outcome.denied {
            return page(StatusCode::FORBIDDEN, page::notice(self.site(), "Not allowed", &outcome.text));
        }
        self.back_to_programs(&outcome.text, form)
    }

    /// The answer that asks back, unless it is certain that somebody wants this.
    fn doubt(&self, action: &Action, form: &Form) -> Option<Response<Answer>> {
        let is_post = self.parts.method == Method::POST;
        if !origin::is_browser(&self.parts.headers) {
            // A script says what it means; and no browser sends what looks like one.
            return if is_post || self.links_act() { None } else { Some(self.no_links()) };
        }
        if is_post && self.shared.tokens.is_of(self.user(), form.get("token")) {
            return None;
        }
        let (status, why) = match is_post {
            true => (StatusCode::CONFLICT, Some("The page was older than this server.")),
            false => (StatusCode::OK, None),
        };
        if self.wants_text() {
            return Some(hardened(whole(status, TEXT, why.unwrap_or_default().into())));
        }
        Some(page(status, self.question(action, form, why)))
    }

    /// Asks for a button, which no other page can press.
    fn question(&self, action: &Action, form: &Form, why: Option<&str>) -> String {
        let token = self.token();
        page::page(self.site(), "Please confirm", |out| {
            html!(out, "<h1>{}</h1>\n", action.question());
            if let Some(why) = why {
                html!(out, "<p>{} Please confirm.</p>\n", why);
            }
            html!(out, "<form method=\"post\" action=\"index.html\" class=\"buttons\">");
            for name in ["action", "processname", "q", "state"] {
                if let Some(value) = form.get(name) {
                    html!(out, "<input type=\"hidden\" name=\"{}\" value=\"{}\">", name, value);
                }
            }
            html!(
                out,
                "<input type=\"hidden\" name=\"token\" value=\"{}\"><button id=\"confirm\">Yes</button>\
                 <a class=\"log\" href=\"index.html\">No</a></form>\n",
                token
            );
        })
    }

    /// Whether scripts may do things by old links.
    fn links_act(&self) -> bool {
        self.shared.access().doors.get(&*self.client.section).is_none_or(|rules| rules.get_actions)
    }

    fn no_links(&self) -> Response<Answer> {
        let text = "Links do nothing here (get_actions=false). Send the same as a POST request.";
        let mut response = page(StatusCode::METHOD_NOT_ALLOWED, page::notice(self.site(), "No links", text));
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("POST"));
        response
    }

    async fn programs(&self, form: &Form) -> Response<Answer> {
        // The version first: what happens meanwhile is told again rather than not at all.
        let version = events::version(self.shared);
        match self.session.ask(Command::AllProcessInfo).await {
            Ok(Reply::Infos(infos)) => {
                let (filter, token) = (Filter::of(form), self.token());
                let troubles = self.session.troubles();
                let (may, token, version) = (self.may(), &*token, &*version);
                let view = status::View { may, token, version, filter: &filter, troubles: &troubles };
                page(StatusCode::OK, status::page(self.site(), &infos, view, form.get("message")))
            }
            Ok(other) => self.cannot(&format!("unexpected reply {other:?}")),
            Err(why) => self.cannot(&refused(why)),
        }
    }

    fn cannot(&self, why: &str) -> Response<Answer> {
        page(StatusCode::SERVICE_UNAVAILABLE, page::notice(self.site(), "Nothing to see", why))
    }

    fn events(&self, form: &Form) -> Response<Answer> {
        let last = self.parts.headers.get("last-event-id").and_then(|id| id.to_str().ok());
        let known = last.or(form.get("version")).unwrap_or_default();
        hardened(events::answer(self.shared, self.session.caller.clone(), self.may(), known))
    }

    /// Where the system has no chance to give there is no token, and none is right.
    fn token(&self) -> Arc<str> {
        self.shared.tokens.of(self.user()).unwrap_or_else(|| "".into())
    }

    /// Whoever was not asked for a name is one user, too.
    fn user(&self) -> &str {
        self.session.caller.by.user.as_deref().unwrap_or_default()
    }

    fn wants_text(&self) -> bool {
        self.parts.headers.get(ACCEPT).is_some_and(|accept| accept == "text/plain")
    }

    /// The address is relative: whatever the client calls us, and below whichever path.
    fn back_to_programs(&self, message: &str, form: &Form) -> Response<Answer> {
        let location = format!("index.html?message={}{}", encoded(message), Filter::of(form).query());
        let status = match self.parts.method {
            Method::POST => StatusCode::SEE_OTHER,
            // As Supervisor does, for scripts that look.
            _ => StatusCode::MOVED_PERMANENTLY,
        };
        let mut response = page(status, String::new());
        let location = HeaderValue::try_from(location).expect("what is encoded is printable ASCII");
        response.headers_mut().insert(LOCATION, location);
        response
    }
}

/// A refusal as Supervisor's pages put it.
fn refused(why: Refused) -> String {
    let why = refusal(why);
    format!("unexpected rpc fault [{}] {}", why.code, why.text)
}

fn page(status: StatusCode, html: String) -> Response<Answer> {
    let mut response = whole(status, HTML, html.into_bytes());
    let headers = response.headers_mut();
    headers.insert(PRAGMA, HeaderValue::from_static("no-cache"));
    headers.insert(EXPIRES, HeaderValue::from_static("Thu, 01 Jan 1970 00:00:00 GMT"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    hardened(response)
}

fn asset(content_type: &'static str, content: &'static str) -> Response<Answer> {
    let mut response = whole(StatusCode::OK, content_type, content.into());
    // Another version of ours may be at this address the next time.
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    hardened(response)
}

fn hardened(mut response: Response<Answer>) -> Response<Answer> {
    origin::harden(response.headers_mut());
    response
}
