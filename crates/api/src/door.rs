//! From one HTTP request to one response: authentication first, then the path (SPEC 6.1).

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Body, Bytes, Frame, Incoming};
use hyper::header::{AUTHORIZATION, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HeaderValue, WWW_AUTHENTICATE};
use hyper::{Method, Request, Response, StatusCode};
use tokio::sync::mpsc;

use crate::follow;
use crate::gate::{Caller, Credentials, Refusal, admit};
use crate::rpc::Rpc;
use crate::serve::Shared;

/// The longest XML-RPC request; the longest that a real client sends is a few kilobytes of standard input.
const MAX_BODY: usize = 4 << 20;

/// A body that is there at once, or one that comes as a log grows.
pub(crate) enum Answer {
    Whole(Full<Bytes>),
    Growing(mpsc::Receiver<Bytes>),
}

impl Body for Answer {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match self.get_mut() {
            Answer::Whole(body) => Pin::new(body).poll_frame(cx),
            Answer::Growing(pieces) => pieces.poll_recv(cx).map(|piece| piece.map(|p| Ok(Frame::data(p)))),
        }
    }

    fn size_hint(&self) -> hyper::body::SizeHint {
        match self {
            Answer::Whole(body) => body.size_hint(),
            Answer::Growing(_) => hyper::body::SizeHint::default(),
        }
    }
}

pub(crate) async fn answer(
    request: Request<Incoming>,
    shared: &Shared,
    credentials: &Option<Credentials>,
) -> Response<Answer> {
    let header = request.headers().get(AUTHORIZATION).map(HeaderValue::as_bytes);
    let caller = match admit(credentials.as_ref(), header) {
        Ok(caller) => caller,
        Err(Refusal::Malformed) => return error(StatusCode::BAD_REQUEST),
        Err(Refusal::Unauthorized) => return unauthorized(),
    };
    let path = request.uri().path();
    // Prefixes, in this order: what follows /RPC2 is ignored, as clients rely on.
    if path.starts_with("/RPC2") {
        return xml_rpc(request, shared, caller).await;
    }
    if path.starts_with("/logtail") || path.starts_with("/mainlogtail") {
        if request.method() != Method::GET {
            return error(StatusCode::BAD_REQUEST);
        }
        return follow::answer(path, shared, caller).await;
    }
    error(StatusCode::NOT_FOUND)
}

async fn xml_rpc(request: Request<Incoming>, shared: &Shared, caller: Caller) -> Response<Answer> {
    if request.method() != Method::POST {
        return error(StatusCode::BAD_REQUEST);
    }
    let chunked = request.body().size_hint().exact().is_none();
    if !request.headers().contains_key(CONTENT_LENGTH) && !chunked {
        return error(StatusCode::LENGTH_REQUIRED);
    }
    let Ok(body) = Limited::new(request.into_body(), MAX_BODY).collect().await else {
        return error(StatusCode::BAD_REQUEST);
    };
    match Rpc::new(shared, caller).answer(&body.to_bytes()).await {
        Ok(xml) => whole(StatusCode::OK, "text/xml", xml),
        Err(_) => error(StatusCode::BAD_REQUEST),
    }
}

fn unauthorized() -> Response<Answer> {
    let mut response = error(StatusCode::UNAUTHORIZED);
    let headers = response.headers_mut();
    headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"default\""));
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

/// The page that Supervisor sends for an error; the log of `tail -f` quotes its status.
pub(crate) fn error(status: StatusCode) -> Response<Answer> {
    let (code, reason) = (status.as_u16(), status.canonical_reason().unwrap_or("Error"));
    let lines = [
        "<head>",
        "<title>Error response</title>",
        "</head>",
        "<body>",
        "<h1>Error response</h1>",
        &format!("<p>Error code {code}."),
        &format!("<p>Message: {reason}."),
        "</body>",
        "",
    ];
    whole(status, "text/html", lines.join("\r\n").into_bytes())
}

fn whole(status: StatusCode, content_type: &'static str, body: Vec<u8>) -> Response<Answer> {
    let mut response = Response::new(Answer::Whole(Full::new(Bytes::from(body))));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}
