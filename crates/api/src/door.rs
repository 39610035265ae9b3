//! From one HTTP request to one response: authentication first, then the path (SPEC 6.1).

use std::sync::Arc;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::header::{AUTHORIZATION, CONNECTION, CONTENT_TYPE, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use hyper::{Method, Request, Response, StatusCode};
use provost_wire::xmlrpc::parse_call;

use crate::answer::{Answer, error, whole};
use crate::body::{self, Received};
use crate::follow;
use crate::gate::{Access, Refusal, admit};
use crate::log_address;
use crate::origin::{self, Reach};
use crate::peer::End;
use crate::rpc::Rpc;
use crate::serve::{Client, Pace};
use crate::session::Session;
use crate::shared::Shared;
use crate::web;

pub(crate) async fn answer(
    request: Request<Incoming>,
    shared: &Arc<Shared>,
    client: &Client,
) -> Response<Answer> {
    // One configuration for the whole request, whatever is read meanwhile.
    let access = shared.access();
    // Before anybody is asked for a password: a page of another site is not to learn whether one is needed.
    if let Err(refusal) = is_from_here(&request, shared, &access, client) {
        return web::turned_away(shared, &refusal);
    }
    let header = request.headers().get(AUTHORIZATION).map(HeaderValue::as_bytes);
    let door = (&*client.section, &client.peer);
    // Until it is known who is there, the next ones have as much right to the place.
    let pace = request.extensions().get::<Arc<Pace>>();
    if let Some(pace) = pace.filter(|_| header.is_some()) {
        pace.waits();
    }
    let admitted = admit(&access, &shared.guard, &*shared.inbox, door, header).await;
    if let Some(pace) = pace {
        pace.goes_on();
    }
    let caller = match admitted {
        Ok(caller) => caller,
        Err(refusal) => {
            body::pass_over_call(request.into_body());
            return match refusal {
                Refusal::Later(wait) => later(wait),
                Refusal::Malformed => error(StatusCode::BAD_REQUEST),
                Refusal::Unauthorized => unauthorized(),
            };
        }
    };
    let session = Session { shared, caller: &caller };
    let path = request.uri().path();
    // Prefixes, in this order: what follows /RPC2 is ignored, as clients rely on.
    if path.starts_with("/RPC2") || is_call_without_path(&request) {
        return xml_rpc(request, session, client).await;
    }
    if log_address::is_one(path) {
        if request.method() != Method::GET {
            return error(StatusCode::BAD_REQUEST);
        }
        return follow::answer(request.uri(), session, &client.rooms).await;
    }
    web::answer(request, shared, &caller, client).await
}

/// Whether a request comes from a script or a page of ours, and not from another site's page.
fn is_from_here(
    request: &Request<Incoming>,
    shared: &Shared,
    access: &Access,
    client: &Client,
) -> Result<(), origin::Refusal> {
    let allowed = access.doors.get(&*client.section).map_or(&[][..], |rules| &rules.allowed_hosts);
    let own = match &client.peer.end {
        End::Unix { .. } => None,
        End::Inet(_) => Some(&shared.facts.host_names[..]),
    };
    let reach =
        if web::is_page(request.method(), request.uri().path()) { Reach::Page } else { Reach::OwnPagesOnly };
    origin::check(request.headers(), request.uri(), origin::Names { own, allowed }, reach)
}

/// Some clients are given `http://host:9001` and ask for just that; their libraries, unlike Python's, add no /RPC2.
fn is_call_without_path(request: &Request<Incoming>) -> bool {
    let is_xml = |kind: &HeaderValue| {
        let kind = kind.as_bytes().split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
        [&b"text/xml"[..], b"application/xml"].iter().any(|xml| kind.eq_ignore_ascii_case(xml))
    };
    request.method() == Method::POST
        && request.uri().path() == "/"
        && request.headers().get(CONTENT_TYPE).is_some_and(is_xml)
}

async fn xml_rpc(request: Request<Incoming>, session: Session<'_>, client: &Client) -> Response<Answer> {
    if request.method() != Method::POST {
        return error(StatusCode::BAD_REQUEST);
    }
    let (call, mut room) = match body::of_call(request, &client.rooms.bodies).await {
        Ok(Received { bytes, room }) => (parse_call(&bytes), room),
        Err(refused) => return refused,
    };
    let Ok(call) = call else { return error(StatusCode::BAD_REQUEST) };
    // Held until it is answered, which for one that waits may be long.
    if !room.grow(call.footprint().saturating_sub(room.size())) {
        return error(StatusCode::SERVICE_UNAVAILABLE);
    }
    let xml = Rpc::new(session, &client.rooms.answers).answer(call).await;
    whole(StatusCode::OK, "text/xml", xml)
}

/// Not looked at: too many wrong passwords from the same place wait for their answers.
fn later(wait: Duration) -> Response<Answer> {
    let mut response = error(StatusCode::TOO_MANY_REQUESTS);
    let headers = response.headers_mut();
    headers.insert(RETRY_AFTER, HeaderValue::from(wait.as_secs().max(1)));
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

fn unauthorized() -> Response<Answer> {
    let mut response = error(StatusCode::UNAUTHORIZED);
    let headers = response.headers_mut();
    headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"default\""));
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
    response
}
