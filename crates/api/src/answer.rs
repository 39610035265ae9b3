//! What goes back: a body that is whole, or one that grows with a log, and Supervisor's error page.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use hyper::body::{Body, Bytes, Frame, SizeHint};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Response, StatusCode};
use tokio::sync::mpsc;

/// A body that is there at once, or one that comes as a log grows.
pub(crate) enum Answer {
    Whole(Bytes),
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
            Answer::Whole(body) if body.is_empty() => Poll::Ready(None),
            Answer::Whole(body) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(body))))),
            Answer::Growing(pieces) => pieces.poll_recv(cx).map(|piece| piece.map(|p| Ok(Frame::data(p)))),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Answer::Whole(body) => body.is_empty(),
            Answer::Growing(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Answer::Whole(body) => SizeHint::with_exact(body.len() as u64),
            Answer::Growing(_) => SizeHint::default(),
        }
    }
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

pub(crate) fn whole(status: StatusCode, content_type: &'static str, body: Vec<u8>) -> Response<Answer> {
    let mut response = Response::new(Answer::Whole(body.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}
