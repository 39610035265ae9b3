//! `/events`: what changes, told to a page that is open, as server-sent events.
//!
//! In: the loop's word that something has changed (`Shared::changes`). Out: the rows that have changed, as the page has them
//! (`event: row`), or the word that the page should be fetched anew (`event: page`): other programs than before, or a page that was made
//! before what it would miss. Each client is told at its own pace, seldom if there are many, and a slow one misses what is
//! between; nothing is queued. A page says by its version up to where it knows.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::Bytes;
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::{Response, StatusCode};
use provost_core::{Command, ProcessInfo, Reply, Wall};
use tokio::sync::mpsc;

use super::html::Html;
use super::status::{self, Filter, May};
use crate::answer::{Answer, error};
use crate::gate::Caller;
use crate::pools::Troubles;
use crate::session::Session;
use crate::shared::Shared;

/// One client is told this often at most; of many each this often times a quarter of their number.
const PACE: Duration = Duration::from_millis(250);
/// A proxy takes a connection on which nothing is said for dead.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// Further pages do without, and fetch themselves anew now and then.
pub(crate) const MOST: usize = 64;

fn pace(shared: &Shared) -> Duration {
    let many = (MOST - shared.pages.available_permits()).div_ceil(4);
    PACE * u32::try_from(many).unwrap_or(1).max(1)
}

/// What a page knows: which brain made it, and after how many changes.
pub(super) fn version(shared: &Shared) -> String {
    at_version(*shared.changes.borrow())
}

fn at_version(change: u64) -> String {
    format!("{}-{change}", std::process::id())
}

/// The stream for a page of this version.
pub(super) fn answer(shared: &Arc<Shared>, caller: Caller, may: May, known: &str) -> Response<Answer> {
    let Ok(place) = Arc::clone(&shared.pages).try_acquire_owned() else {
        return error(StatusCode::SERVICE_UNAVAILABLE);
    };
    let (sender, receiver) = mpsc::channel(1);
    let (shared, known) = (Arc::clone(shared), known.to_owned());
    tokio::spawn(async move {
        let _place = place;
        tokio::select! {
            () = tell(&shared, &caller, may, known, sender) => {}
            // With other rights, if there are any, the page comes again.
            () = shared.loses(&caller) => {}
        }
    });
    let mut response = Response::new(Answer::Growing(receiver));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    response
}

/// Tells one page, until it is closed or the daemon ends.
async fn tell(shared: &Arc<Shared>, caller: &Caller, may: May, known: String, page: mpsc::Sender<Bytes>) {
    let mut changes = shared.changes.subscribe();
    let mut before: Option<Seen> = None;
    let mut seen = *changes.borrow_and_update();
    if page.send(Bytes::from_static(b"retry: 2000\n\n")).await.is_err() {
        return;
    }
    let mut is_behind = known != at_version(seen);
    loop {
        let Some(now) = look(shared, caller).await else { return };
        let said = match &before {
            None if is_behind => fetch_anew(seen),
            None => String::new(),
            Some(before) => difference(before, &now, may, seen),
        };
        is_behind = false;
        before = Some(now);
        if !said.is_empty() && page.send(said.into()).await.is_err() {
            return;
        }
        let pace = tokio::time::sleep(pace(shared));
        loop {
            tokio::select! {
                () = page.closed() => return,
                changed = changes.changed() => match changed {
                    Ok(()) => break,
                    // The loop has ended.
                    Err(_) => return,
                },
                () = tokio::time::sleep(HEARTBEAT) => {
                    if page.send(Bytes::from_static(b":\n\n")).await.is_err() {
                        return;
                    }
                }
            }
        }
        pace.await;
        seen = *changes.borrow_and_update();
    }
}

/// What there is to be seen at one moment.
#[derive(Default)]
struct Seen {
    infos: Vec<ProcessInfo>,
    troubles: Troubles,
}

/// All that the caller may see.
async fn look(shared: &Arc<Shared>, caller: &Caller) -> Option<Seen> {
    let session = Session { shared, caller };
    match session.ask(Command::AllProcessInfo).await {
        Ok(Reply::Infos(infos)) => Some(Seen { infos, troubles: session.troubles() }),
        _ => None,
    }
}

fn fetch_anew(change: u64) -> String {
    format!("id: {0}\nevent: page\ndata: {0}\n\n", at_version(change))
}

/// Events for what is different now.
fn difference(before: &Seen, now: &Seen, may: May, change: u64) -> String {
    let names = |all: &[ProcessInfo]| -> BTreeSet<_> {
        all.iter().map(|p| (Arc::clone(&p.group), Arc::clone(&p.name))).collect()
    };
    if before.infos.len() != now.infos.len() || names(&before.infos) != names(&now.infos) {
        return fetch_anew(change);
    }
    // Without the time, which always changes.
    let shown =
        |p: &ProcessInfo, seen: &Seen| (ProcessInfo { now: Wall(0), ..p.clone() }, seen.troubles.of(p));
    let mut said = String::new();
    let both = before.infos.iter().zip(&now.infos);
    for (_, new) in both.filter(|(old, new)| shown(old, before) != shown(new, now)) {
        let mut row = Html::default();
        status::row(&mut row, new, may, &Filter::default(), &now.troubles);
        said += &format!("id: {}\nevent: row\n", at_version(change));
        // A line of data each; what is put together again is the same.
        for line in row.into_string().trim_end().split('\n') {
            said += &format!("data: {line}\n");
        }
        said += "\n";
    }
    said
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pools::Pools;
    use crate::pools::tests::{pool, with_listener};
    use provost_core::State;

    fn process(name: &str, state: State) -> ProcessInfo {
        ProcessInfo {
            name: name.into(),
            group: "g".into(),
            state,
            pid: None,
            start: None,
            stop: None,
            now: Wall(7),
            spawnerr: None,
            exit: None,
            restarts: 0,
            stdout_logfile: None,
            stderr_logfile: None,
        }
    }

    fn seen(infos: &[ProcessInfo]) -> Seen {
        Seen { infos: infos.to_vec(), ..Seen::default() }
    }

    #[test]
    fn only_what_has_changed_is_told_and_time_is_no_change() {
        let before = [process("a", State::Stopped), process("b", State::Stopped)];
        let later =
            [ProcessInfo { now: Wall(9), ..process("a", State::Stopped) }, process("b", State::Starting)];
        let said = difference(&seen(&before), &seen(&later), May::default(), 4);
        assert_eq!(said.matches("event: row").count(), 1, "{said}");
        assert!(said.contains("data-name=\"g%3Ab\"") && said.contains("starting"), "{said}");
        assert!(
            said.starts_with(&format!("id: {}-4\n", std::process::id())) && said.ends_with("\n\n"),
            "{said}"
        );
        assert_eq!(difference(&seen(&later), &seen(&later), May::default(), 5), "");
    }

    #[test]
    fn a_listener_that_hears_no_more_is_a_change() {
        let p = ProcessInfo { pid: Some(7), ..process("ear", State::Running) };
        let deaf: Pools = Arc::new(|| vec![with_listener(pool("g"), "UNKNOWN")]);
        let before = seen(&[p]);
        let now = Seen { troubles: Troubles::now(&deaf), ..seen(&before.infos) };
        let said = difference(&before, &now, May::default(), 1);
        assert!(said.contains("event: row") && said.contains("gets no events"), "{said}");
        assert_eq!(difference(&now, &now, May::default(), 2), "");
    }

    #[test]
    fn other_programs_are_another_page() {
        let (a, b) = (process("a", State::Stopped), process("b", State::Stopped));
        for (before, now) in [
            (vec![a.clone()], vec![a.clone(), b.clone()]),
            (vec![a.clone(), b.clone()], vec![b.clone()]),
            (vec![a], vec![b]),
        ] {
            assert!(difference(&seen(&before), &seen(&now), May::default(), 1).contains("event: page"));
        }
    }

    #[test]
    fn a_line_end_in_a_name_or_an_error_begins_no_event_of_its_own() {
        let before = [process("a", State::Stopped)];
        let error = Some("x\n\nevent: page\ndata: y\r\rz".to_owned());
        let now = [ProcessInfo { spawnerr: error, ..process("a", State::Fatal) }];
        let said = difference(&seen(&before), &seen(&now), May::default(), 1);
        let lines: Vec<&str> = said.lines().collect();
        assert!(!said.contains('\r'), "{said:?}");
        assert!(lines.iter().all(|line| !line.starts_with("event: page")), "{said}");
        assert_eq!(said.matches("\n\n").count(), 1, "{said}");
    }
}
