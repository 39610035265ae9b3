//! One call over a fresh connection, and its answer as it can be compared.
//!
//! In: a daemon, and XML that is written out by hand, so that our own writer is not its own judge. Out: the bytes of
//! the answer with DIR, PID, TIME, UPTIME and DATE in them, layout and order untouched; or the HTTP status; or that
//! there was none.

use std::io::ErrorKind;
use std::sync::atomic::{AtomicBool, Ordering};

use provost_testkit::{Daemon, post};

use crate::normalise;

/// A call and its answer.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    /// How the call is spoken of: its method and arguments, and the state it meets.
    pub(super) call: String,
    pub(super) answer: String,
}

/// What makes up a call: `<methodCall>` with these arguments, each the inside of a `<value>`.
pub(crate) fn request(method: &str, params: &[&str]) -> String {
    let params: String =
        params.iter().map(|param| format!("<param><value>{param}</value></param>\n")).collect();
    format!(
        "<?xml version='1.0'?>\n<methodCall>\n<methodName>{method}</methodName>\n<params>\n{params}</params>\n</methodCall>\n"
    )
}

pub(super) fn text(text: &str) -> String {
    format!("<string>{text}</string>")
}

/// Makes one call and tells what came back.
pub(super) fn ask(daemon: &Daemon, method: &str, params: &[&str]) -> String {
    answer(daemon, method, request(method, params).as_bytes())
}

/// The same with whatever body; `method` is what an answer is about, as far as that matters.
pub(super) fn answer(daemon: &Daemon, method: &str, body: &[u8]) -> String {
    let reply = match post(&daemon.socket(), "/RPC2", body) {
        Ok(reply) => reply,
        Err(error) if error.kind() == ErrorKind::InvalidData => return "no answer".into(),
        Err(error) => panic!("{method}: {error}"),
    };
    if reply.status != 200 {
        return format!("HTTP {}", reply.status);
    }
    let content_type = reply.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("content-type"));
    assert_eq!(content_type.map(|(_, value)| value.as_str()), Some("text/xml"), "{method}");
    let body = String::from_utf8(reply.body).unwrap_or_else(|e| panic!("{method} answers no UTF-8: {e}"));
    comparable(&body, method, daemon)
}

/// Does something while another client keeps asking: 4.3.0 looks after calls that wait only when something else happens, or
/// once a second.
pub(super) fn while_awake<T>(daemon: &Daemon, work: impl FnOnce() -> T) -> T {
    struct Done<'a>(&'a AtomicBool);
    impl Drop for Done<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        // Also when the work panics: the scope waits for its threads.
        let _done = Done(&done);
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                let asked = post(&daemon.socket(), "/RPC2", request("supervisor.getState", &[]).as_bytes());
                if asked.is_err() {
                    return;
                }
            }
        });
        work()
    })
}

/// The bytes of an answer, with what differs between any two runs made equal.
fn comparable(body: &str, method: &str, daemon: &Daemon) -> String {
    let directory = daemon.sandbox().path().to_string_lossy().into_owned();
    let mut body = body.replace(&directory, "DIR");
    for member in ["start", "stop", "now"] {
        body = each_inside(&body, &format!("<name>{member}</name>\n<value><int>"), |number| {
            if number == "0" { "0".into() } else { "TIME".into() }
        });
    }
    body = each_inside(&body, "<name>pid</name>\n<value><int>", |number| {
        if number == "0" { "0".into() } else { "PID".into() }
    });
    body = each_inside(&body, "<name>description</name>\n<value><string>", |text| {
        normalise::ctl_line(text, &directory)
    });
    body = each_inside(&body, "---supervisor-", |name| match name.get(8..) {
        Some(rest) => format!("RANDOM{rest}"),
        None => name.to_owned(),
    });
    match method.rsplit('.').next().expect("a split gives something") {
        "getPID" => body.replace(&format!("<int>{}</int>", daemon.pid()), "<int>PID</int>"),
        // What we have besides is not compared.
        "listMethods" => {
            body.split_inclusive('\n').filter(|line| !line.starts_with("<value><string>provost.")).collect()
        }
        // What the main log holds is compared by every scenario; here it would never be the same.
        "readLog" | "readMainLog" => each_inside(&body, "<param>\n<value><string>", |text| {
            if text.is_empty() { String::new() } else { "LOG".into() }
        }),
        // Ours are in our own words.
        "methodHelp" => each_inside(&body, "<param>\n<value><string>", |text| {
            assert!(text.len() > 10, "{text:?} is no help");
            "HELP".into()
        }),
        _ => body,
    }
}

/// Puts something else in the place of every text between `before` and the next tag.
fn each_inside(body: &str, before: &str, change: impl Fn(&str) -> String) -> String {
    let mut result = String::new();
    let mut rest = body;
    while let Some(at) = rest.find(before) {
        let (head, tail) = rest.split_at(at + before.len());
        let (inside, tail) = tail.split_at(tail.find('<').unwrap_or(tail.len()));
        result.push_str(head);
        result.push_str(&change(inside));
        rest = tail;
    }
    result + rest
}

/// An answer in one line: a fault by its number and text, anything else without its wrapping.
pub(super) fn shown(answer: &str) -> String {
    let one_line = answer.replace('\n', "");
    if let Some(fault) = one_line.split_once("<name>faultCode</name><value><int>").map(|(_, rest)| rest)
        && one_line.contains("<fault>")
    {
        let code = fault.split('<').next().unwrap_or_default();
        let text = fault.split_once("<name>faultString</name><value><string>").map_or("", |(_, rest)| rest);
        return format!("fault {code} {}", text.split("</string>").next().unwrap_or_default());
    }
    let inside = one_line
        .strip_prefix("<?xml version='1.0'?><methodResponse><params><param>")
        .and_then(|rest| rest.strip_suffix("</param></params></methodResponse>"));
    inside.unwrap_or(&one_line).to_owned()
}

#[test]
fn what_differs_between_runs_is_made_equal_and_the_layout_stays() {
    let times = each_inside(
        "<name>now</name>\n<value><int>17</int></value>\n",
        "<name>now</name>\n<value><int>",
        |n| format!("{n}{n}"),
    );
    assert_eq!(times, "<name>now</name>\n<value><int>1717</int></value>\n");
    let fault = "<?xml version='1.0'?>\n<methodResponse>\n<fault>\n<value><struct>\n<member>\n<name>faultCode</name>\n\
                 <value><int>10</int></value>\n</member>\n<member>\n<name>faultString</name>\n<value><string>BAD_NAME: x\
                 </string></value>\n</member>\n</struct></value>\n</fault>\n</methodResponse>\n";
    assert_eq!(shown(fault), "fault 10 BAD_NAME: x");
    let value = "<?xml version='1.0'?>\n<methodResponse>\n<params>\n<param>\n<value><int>1</int></value>\n</param>\n\
                 </params>\n</methodResponse>\n";
    assert_eq!(shown(value), "<value><int>1</int></value>");
    assert_eq!(shown("HTTP 500"), "HTTP 500");
}
