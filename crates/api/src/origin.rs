//! Where a request comes from: a script, our own page, or another site's page in somebody's browser.
//!
//! In: the headers, and the names of a door. Out: a [`Refusal`], or that it may go on. A browser sends the user's password with whatever
//! another site's page makes it send, and believes what a foreign name server says of a name (DNS rebinding); nobody but a browser
//! does either. So what is checked here is asked of browsers only, which give themselves away by headers that no page can take
//! off; `curl`, Python and monitoring go by any name and without ceremony.
//!
//! Tokens: each user of a brain has one, in the page's form. A page of another site cannot read it. A new brain draws new ones: whoever
//! comes with an old one has at least been found to come from our own page, and is asked to press the button once more. Who the
//! user is and what it may do is not here, but in the gate.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};

use hyper::Uri;
use hyper::header::{
    ACCEPT_LANGUAGE, CACHE_CONTROL, CONTENT_SECURITY_POLICY, HOST, HeaderMap, HeaderName, HeaderValue,
    ORIGIN, REFERER, REFERRER_POLICY, USER_AGENT, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use hyper::http::uri::Authority;
use subtle::ConstantTimeEq;

/// The names by which browsers may reach a door.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Names<'a> {
    /// What this machine is called, beside addresses and `localhost`. Nothing for a unix socket, which no browser reaches but
    /// through a proxy of somebody's own.
    pub(crate) own: Option<&'a [String]>,
    /// `allowed_hosts`; `*.example.com` is all below it. Also the names of proxies in front of us.
    pub(crate) allowed: &'a [String],
}

/// Why a request goes no further.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// A browser that believes to speak to somebody else, by this name.
    ForeignHost(String),
    /// Another site's page made the browser send it.
    CrossSite,
}

/// What a request may do to us, which decides how closely it is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// A page: other sites may link to it.
    Page,
    /// Streams, and whatever changes something.
    OwnPagesOnly,
}

/// Checks the headers of a request.
pub(crate) fn check(headers: &HeaderMap, uri: &Uri, names: Names<'_>, reach: Reach) -> Result<(), Refusal> {
    if !is_browser(headers) {
        return Ok(());
    }
    // HTTP/2 has it in the address.
    let host = text(headers, &HOST).or_else(|| uri.authority().map(Authority::as_str));
    if let (Some(host), Some(own)) = (host, names.own) {
        let name = name_of(host);
        if !is_ours(name) && !is_among(name, own) && !is_among(name, names.allowed) {
            return Err(Refusal::ForeignHost(name.to_owned()));
        }
    }
    let is_ours = match reach {
        // A link is followed in a window of its own, and whoever has made it does not get to see the page. Where the browser
        // does not say what a page is for, it does as the headers say that come with it.
        Reach::Page => {
            text(headers, &DEST).is_none_or(|dest| dest == "document") || is_own_page(headers, host, names)
        }
        Reach::OwnPagesOnly => is_own_page(headers, host, names),
    };
    if is_ours { Ok(()) } else { Err(Refusal::CrossSite) }
}

/// Whether a person's browser sends this. Every header here is one that a page of another site cannot leave out.
pub(crate) fn is_browser(headers: &HeaderMap) -> bool {
    let of_browsers = [&ORIGIN, &REFERER, &ACCEPT_LANGUAGE, &SITE, &DEST, &MODE];
    of_browsers.iter().any(|name| headers.contains_key(*name))
        // Over plain HTTP to another machine an image of another page, loaded without a referrer, has nothing but this.
        || text(headers, &USER_AGENT).is_some_and(|agent| agent.starts_with("Mozilla/"))
}

const SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const DEST: HeaderName = HeaderName::from_static("sec-fetch-dest");
const MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");

/// Whether a page of ours made the browser send this, or its user did.
fn is_own_page(headers: &HeaderMap, host: Option<&str>, names: Names<'_>) -> bool {
    // "same-site" is not enough: every port of this machine is the same site.
    if text(headers, &SITE).is_some_and(|site| site != "same-origin" && site != "none") {
        return false;
    }
    let from = match headers.get(ORIGIN) {
        Some(origin) => Some(origin),
        // Where the browser has said which site it was, the referrer adds nothing.
        None if headers.contains_key(SITE) => None,
        None => headers.get(REFERER),
    };
    let Some(from) = from else { return true };
    let Some(from) = from.to_str().ok().and_then(authority) else { return false };
    let is_same = host.is_some_and(|host| without_port(from) == without_port(host));
    // A proxy may tell us another host than the browser asked for.
    is_same || is_among(name_of(from), names.allowed)
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    // What is no text is not left out: it is a value that fits nothing.
    headers.get(name).map(|value| value.to_str().unwrap_or("?"))
}

/// `host:port` of an address with a scheme. `null` has none.
fn authority(url: &str) -> Option<&str> {
    let (_, rest) = url.split_once("://")?;
    rest.split(['/', '?', '#']).next()
}

/// Without a port that the scheme implies.
fn without_port(host: &str) -> String {
    let implied = host.strip_suffix(":80").or_else(|| host.strip_suffix(":443"));
    implied.unwrap_or(host).to_ascii_lowercase()
}

/// The host without its port; an IPv6 address without its brackets.
fn name_of(host: &str) -> &str {
    match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, _)) => address,
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    }
}

/// Names that no foreign name server is asked about.
fn is_ours(name: &str) -> bool {
    let lower = name.trim_end_matches('.').to_ascii_lowercase();
    name.parse::<Ipv4Addr>().is_ok()
        || name.parse::<Ipv6Addr>().is_ok()
        || lower == "localhost"
        || lower.ends_with(".localhost")
}

fn is_among(name: &str, names: &[String]) -> bool {
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    names.iter().any(|one| {
        let one = one.to_ascii_lowercase();
        match one.strip_prefix('*') {
            Some(end) => {
                end.is_empty() || (end.starts_with('.') && name.ends_with(end) && name.len() > end.len())
            }
            None => name == one,
        }
    })
}

/// Headers that let a browser do nothing with an answer of ours but show it.
pub(crate) fn harden(headers: &mut HeaderMap) {
    const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
                          img-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";
    let all = [
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_FRAME_OPTIONS, "DENY"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        // With "no-referrer" the browser would not even tell us that a form is our own.
        (REFERRER_POLICY, "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    ];
    for (name, value) in all {
        headers.insert(name, HeaderValue::from_static(value));
    }
    // What never changes says so itself.
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
}

/// What the forms of each user carry.
#[derive(Debug, Default)]
pub(crate) struct Tokens(Mutex<BTreeMap<String, Arc<str>>>);

/// More users than that have never been seen; their tokens are drawn anew.
const MOST_TOKENS: usize = 1000;

impl Tokens {
    /// The user's token, drawn when it is first asked for; none where the system has no chance to give.
    pub(crate) fn of(&self, user: &str) -> Option<Arc<str>> {
        let mut tokens = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(token) = tokens.get(user) {
            return Some(Arc::clone(token));
        }
        if tokens.len() >= MOST_TOKENS {
            tokens.clear();
        }
        let token: Arc<str> = draw()?.into();
        tokens.insert(user.to_owned(), Arc::clone(&token));
        Some(token)
    }

    pub(crate) fn is_of(&self, user: &str, given: Option<&str>) -> bool {
        let right = self.of(user);
        right.zip(given).is_some_and(|(right, given)| right.as_bytes().ct_eq(given.as_bytes()).into())
    }
}

fn draw() -> Option<String> {
    let bytes = provost_secret::random::<16>().ok()?;
    Some(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
#[path = "origin_tests.rs"]
mod tests;
