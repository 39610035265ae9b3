//! A request's body, whole: as long as it may be, as fast as it must be, and how much all bodies together may take.
//!
//! In: what hyper receives. Out: the bytes, or the page that says what is wrong with them.

use std::sync::Arc;
use std::time::Duration;

use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use hyper::header::{CONNECTION, CONTENT_LENGTH, HeaderValue};
use hyper::http::request::Parts;
use hyper::{Request, Response, StatusCode};
use tokio::time::timeout;

use crate::answer::{Answer, error};
use crate::room::{Room, Share};
use crate::serve::Pace;

/// The longest call; the longest that a real client sends is a few kilobytes of standard input.
const MOST: usize = 4 << 20;
/// A client that sends a body sends some of it by then.
const PAUSE: Duration = Duration::from_secs(30);
/// How much of a body that is too long is taken and thrown away, so that its sender gets to read why.
const REST: usize = 64 << 20;
/// The same of those who have not said who they are.
const MOST_UNKNOWN: usize = 64 << 10;
const REST_TIME: Duration = Duration::from_secs(5);

/// A body, and the room that it takes.
pub(crate) struct Received {
    pub(crate) bytes: Vec<u8>,
    pub(crate) room: Share,
}

/// Receives the body of an XML-RPC call, which must have one.
pub(crate) async fn of_call(request: Request<Incoming>, bodies: &Room) -> Result<Received, Response<Answer>> {
    let chunked = request.body().size_hint().exact().is_none();
    if !request.headers().contains_key(CONTENT_LENGTH) && !chunked {
        return Err(error(StatusCode::LENGTH_REQUIRED));
    }
    let (parts, body) = request.into_parts();
    receive(body, MOST, &parts, bodies).await
}

/// Receives a body of at most so many bytes.
pub(crate) async fn receive(
    mut body: Incoming,
    most: usize,
    head: &Parts,
    bodies: &Room,
) -> Result<Received, Response<Answer>> {
    let pace = head.extensions.get::<Arc<Pace>>();
    let announced = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    if announced > most {
        return Err(refused(body, StatusCode::PAYLOAD_TOO_LARGE));
    }
    let mut bytes = Vec::new();
    let mut room = bodies.none();
    loop {
        if let Some(pace) = pace {
            pace.waits();
        }
        let frame = timeout(PAUSE, body.frame()).await;
        if let Some(pace) = pace {
            pace.goes_on();
        }
        let data = match frame {
            Err(_) => return Err(last(StatusCode::REQUEST_TIMEOUT)),
            Ok(None) => return Ok(Received { bytes, room }),
            // Chunks that are none, or a client that has left.
            Ok(Some(Err(_))) => return Err(last(StatusCode::BAD_REQUEST)),
            Ok(Some(Ok(frame))) => frame.into_data().unwrap_or_default(),
        };
        if bytes.len() + data.len() > most {
            return Err(refused(body, StatusCode::PAYLOAD_TOO_LARGE));
        }
        if !room.grow(data.len()) {
            return Err(refused(body, StatusCode::SERVICE_UNAVAILABLE));
        }
        bytes.extend_from_slice(&data);
    }
}

/// Says no while the rest goes on coming.
fn refused(body: Incoming, status: StatusCode) -> Response<Answer> {
    pass_over(body, REST);
    last(status)
}

/// Lets the body of somebody who may not ask come, and throws it away.
pub(crate) fn pass_over_call(body: Incoming) {
    pass_over(body, MOST_UNKNOWN);
}

/// Takes a body and throws it away, up to so many bytes: a connection that is closed with bytes unread takes the answer with
/// it, and who still writes then (Python sends head and body one after the other) learns of the broken pipe only.
fn pass_over(mut body: Incoming, most: usize) {
    if body.is_end_stream() {
        return;
    }
    let rest = async move {
        let mut left = most;
        while let Some(Ok(frame)) = body.frame().await {
            left = left.saturating_sub(frame.data_ref().map_or(0, |data| data.len()));
            if left == 0 {
                return;
            }
        }
    };
    tokio::spawn(timeout(REST_TIME, rest));
}

/// The last answer of its connection.
fn last(status: StatusCode) -> Response<Answer> {
    let mut response = error(status);
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
}
