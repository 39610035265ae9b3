//! One connection: requests in, answers out, until either side has had enough.

use std::convert::Infallible;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use hyper::header::{HeaderValue, SERVER};
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::sync::watch;

use super::pace::{Asked, Pace, Punctual, Watched};
use super::stream::{Accepted, Stream};
use super::{Client, Phase, wait_for};
use crate::answer::Answer;
use crate::door;
use crate::shared::Shared;
use crate::tls::{Secured, TlsDoor};

/// The longest header, its lines together: the longest that a browser sends with all its cookies is a quarter of this.
const MOST_HEADER: usize = 64 * 1024;
/// The most lines of it.
const MOST_LINES: usize = 100;

/// Requests that an HTTP/2 client may have under way on one connection. A page and its streams need a handful, and each
/// may carry a body.
const MOST_STREAMS: u32 = 16;
/// Requests that it may take back before they are accepted: who takes back more wants us to work for nothing.
const MOST_RESETS: usize = 20;
/// All headers of one such request.
const MOST_HEADERS: u32 = 16 * 1024;
/// A connection without any sound is asked whether somebody is there, and closed if not: HTTP/2 streams may last for ever.
const ASK_AFTER: Duration = Duration::from_secs(60);
const ANSWER_WITHIN: Duration = Duration::from_secs(20);

/// Somebody has come through a door.
pub(super) struct Visit {
    pub(super) client: Client,
    pub(super) shared: Arc<Shared>,
    pub(super) pace: Arc<Pace>,
    pub(super) phase: watch::Receiver<Phase>,
}

impl Visit {
    /// Finds out what is spoken, and answers in that.
    pub(super) async fn begin(mut self, stream: Accepted, tls: Option<Arc<TlsDoor>>) {
        match (stream, tls) {
            (Accepted::Tcp(stream), Some(tls)) => {
                let secured = tokio::select! {
                    secured = tls.secure(stream) => secured,
                    () = wait_for(&mut self.phase, Phase::CloseDoors) => None,
                };
                let Some(Secured { stream, certificate, http_2 }) = secured else { return };
                self.client.peer.certificate = certificate;
                let stream = Box::new(stream);
                if http_2 { self.http_2(stream).await } else { self.http_1(stream).await }
            }
            (Accepted::Tcp(stream), None) => self.http_1(Box::new(stream)).await,
            (Accepted::Unix(stream), _) => self.http_1(Box::new(stream)).await,
        }
    }

    async fn http_1(self, stream: Box<dyn Stream>) {
        let Visit { client, shared, pace, mut phase } = self;
        let (client, of_requests) = (Arc::new(client), Arc::clone(&pace));
        let service = service_fn(move |request| answer(request, &shared, &client, &of_requests));
        let mut http = http1::Builder::new();
        // The pace has its own clock, which leaves connections alone that are kept for later.
        http.header_read_timeout(None).max_headers(MOST_LINES);
        http.max_header_size(MOST_HEADER).max_buf_size(MOST_HEADER);
        // As Supervisor writes them: some scripts look for them by name.
        http.title_case_headers(true);
        let stream = TokioIo::new(Watched { stream, pace: Arc::clone(&pace) });
        let mut connection = pin!(http.serve_connection(stream, service));
        tokio::select! {
            () = Punctual::new(connection.as_mut(), &pace) => return,
            () = wait_for(&mut phase, Phase::CloseDoors) => {}
        }
        // No request is begun from here on. One that is half here is asked again elsewhere.
        if pace.is_at_rest() {
            return;
        }
        connection.as_mut().graceful_shutdown();
        Punctual::new(connection, &pace).await;
    }

    async fn http_2(self, stream: Box<dyn Stream>) {
        let Visit { client, shared, pace, mut phase } = self;
        pace.is_shared();
        let (client, of_requests) = (Arc::new(client), Arc::clone(&pace));
        let service = service_fn(move |request| answer(request, &shared, &client, &of_requests));
        let mut http = http2::Builder::new(TokioExecutor::new());
        http.timer(TokioTimer::new())
            .max_concurrent_streams(MOST_STREAMS)
            .max_pending_accept_reset_streams(MOST_RESETS)
            .max_header_list_size(MOST_HEADERS)
            .keep_alive_interval(ASK_AFTER)
            .keep_alive_timeout(ANSWER_WITHIN);
        let stream = TokioIo::new(Watched { stream, pace: Arc::clone(&pace) });
        let mut connection = pin!(http.serve_connection(stream, service));
        tokio::select! {
            () = Punctual::new(connection.as_mut(), &pace) => return,
            () = wait_for(&mut phase, Phase::CloseDoors) => connection.as_mut().graceful_shutdown(),
        }
        Punctual::new(connection, &pace).await;
    }
}

fn answer(
    mut request: Request<Incoming>,
    shared: &Arc<Shared>,
    client: &Arc<Client>,
    pace: &Arc<Pace>,
) -> impl Future<Output = Result<Response<Attended>, Infallible>> + use<> {
    let (shared, client) = (Arc::clone(shared), Arc::clone(client));
    let mut asked = Asked::begin(Arc::clone(pace));
    request.extensions_mut().insert(Arc::clone(pace));
    async move {
        let response = door::answer(request, &shared, &client).await;
        let mut response = client.rooms.keep(response);
        response.headers_mut().insert(SERVER, HeaderValue::from_static("Provost"));
        match response.body() {
            Answer::Growing(_) => asked.goes_live(),
            Answer::Whole(_) => asked.is_answered(),
        }
        Ok(response.map(|answer| Attended { answer, _asked: asked }))
    }
}

/// An answer, and that it was asked for.
struct Attended {
    answer: Answer,
    _asked: Asked,
}

impl Body for Attended {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Pin::new(&mut self.answer).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.answer.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.answer.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
    use tokio::time::{Instant, sleep};

    use super::*;
    use crate::gate::{Access, DoorRules};
    use crate::inbox::{Asked as Question, Asker, Busy, Inbox, Report};
    use crate::peer::{End, Peer};
    use crate::room::Rooms;
    use crate::shared::Facts;

    /// Nobody is asked anything here.
    struct Nobody;

    impl Inbox for Nobody {
        fn ask(&self, _: Question, _: Asker) -> Result<(), Busy> {
            Err(Busy)
        }

        fn report(&self, _: Report) {}
    }

    const HOUR: Duration = Duration::from_secs(3600);

    /// A client's end of a connection that takes 16 bytes before it must be read, and how to end the daemon.
    fn connect(log: Option<std::path::PathBuf>) -> (DuplexStream, watch::Sender<Phase>) {
        let facts = Facts {
            pid: 1,
            identifier: "test".to_owned(),
            supervisor_version: "4.3.0".to_owned(),
            logfile: log,
            version: "0",
            host_names: Vec::new(),
            most_connections: 1,
            most_followers: 1,
            namespaces: crate::rpc::Namespaces::new([]),
            open_log: |path| File::open(path),
            mount_of: |_| 0,
            peer_groups: |_| Vec::new(),
            tidy: || {},
            pools: Arc::new(Vec::new),
        };
        let door = ("unix_http_server".to_owned(), DoorRules::default());
        let access = Access::new(Vec::new(), [door].into(), 0);
        let shared = Arc::new(Shared::new(facts, access, Box::new(Nobody)).unwrap());
        let peer = Peer::new(End::Unix { uid: 0, groups: Vec::new(), pid: 1 });
        let by = Client { peer, section: "unix_http_server".into(), rooms: Arc::new(Rooms::new(1)) };
        let (client, stream) = tokio::io::duplex(16);
        let (phase, watched) = watch::channel(Phase::Serve);
        let pace = Arc::new(Pace::new(Arc::default()));
        let visit = Visit { client: by, shared, pace, phase: watched };
        tokio::spawn(visit.http_1(Box::new(stream)));
        (client, phase)
    }

    /// What comes before the connection ends, and how long that took.
    async fn rest(client: &mut DuplexStream) -> (String, Duration) {
        let began = Instant::now();
        let mut answer = Vec::new();
        let _ = client.read_to_end(&mut answer).await;
        (String::from_utf8(answer).unwrap(), began.elapsed())
    }

    fn is_about(time: Duration, seconds: u64) -> bool {
        (Duration::from_secs(seconds)..Duration::from_secs(seconds + 2)).contains(&time)
    }

    #[tokio::test(start_paused = true)]
    async fn half_a_header_has_its_time_and_no_byte_more_gives_it_another() {
        let (mut client, _phase) = connect(None);
        client.write_all(b"GET / HTTP/1.1\r\n").await.unwrap();
        sleep(Duration::from_secs(20)).await;
        client.write_all(b"Host").await.unwrap();
        let (answer, time) = rest(&mut client).await;
        assert!(answer.is_empty() && is_about(time, 10), "{answer} {time:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_is_kept_for_later_is_kept() {
        let (mut client, phase) = connect(None);
        for _ in 0..3 {
            sleep(HOUR).await;
            client.write_all(b"GET /none HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
            let mut answer = [0; 12];
            client.read_exact(&mut answer).await.unwrap();
            assert_eq!(&answer, b"HTTP/1.1 404");
            let mut seen = Vec::new();
            while !seen.ends_with(b"</body>\r\n") {
                seen.push(client.read_u8().await.unwrap());
            }
        }
        phase.send(Phase::CloseDoors).unwrap();
        let (answer, time) = rest(&mut client).await;
        assert!(answer.is_empty() && time.is_zero(), "{answer} {time:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_stops_is_told_so() {
        let (mut client, _phase) = connect(None);
        client.write_all(b"POST /RPC2 HTTP/1.1\r\nContent-Length: 10\r\n\r\n1234").await.unwrap();
        sleep(Duration::from_secs(20)).await;
        client.write_all(b"5").await.unwrap();
        let (answer, time) = rest(&mut client).await;
        assert!(answer.starts_with("HTTP/1.1 408 ") && is_about(time, 30), "{answer} {time:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_is_not_read_is_given_up() {
        let (mut client, _phase) = connect(None);
        client.write_all(b"GET /none HTTP/1.1\r\n\r\n").await.unwrap();
        sleep(Duration::from_secs(20)).await;
        let mut some = [0; 12];
        client.read_exact(&mut some).await.unwrap();
        sleep(Duration::from_secs(29)).await;
        client.read_exact(&mut some).await.unwrap();
        sleep(Duration::from_secs(31)).await;
        let (answer, time) = rest(&mut client).await;
        assert!(answer.len() <= 16 && time.is_zero(), "{answer} {time:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_log_may_be_left_unread_for_as_long_as_one_likes() {
        let path = std::env::temp_dir().join(format!("provost-connection-{}", std::process::id()));
        std::fs::write(&path, [b'x'; 1000]).unwrap();
        let (mut client, _phase) = connect(Some(path.clone()));
        client.write_all(b"GET /mainlogtail HTTP/1.0\r\n\r\n").await.unwrap();
        sleep(HOUR).await;
        let mut seen = Vec::new();
        while !seen.ends_with(&[b'x'; 1000]) {
            seen.push(client.read_u8().await.unwrap());
        }
        std::fs::remove_file(path).unwrap();
    }
}
