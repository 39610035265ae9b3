//! Calls by XML-RPC to a daemon whose brain may die in the middle of them.
//!
//! In: a socket, a method, its parameters. Out: the answer of whichever brain gave one, and how many tries that took; the
//! state of every process as [`Info`]. Reads XML only as far as our own server writes it.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use provost_testkit::{DEADLINE, monotonic_ns, post};

/// An answer, and its story.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) body: String,
    pub(crate) tries: u32,
    pub(crate) sent_ns: u64,
    pub(crate) answered_ns: u64,
}

impl Answer {
    /// The code of the fault, if it is one.
    pub(crate) fn fault(&self) -> Option<i32> {
        let fault = self.body.split("<fault>").nth(1)?;
        member(fault, "faultCode")?.parse().ok()
    }
}

/// Calls until a brain answers.
///
/// # Panics
/// When none does before the deadline.
#[track_caller]
pub(crate) fn call(socket: &Path, method: &str, values: &[&str]) -> Answer {
    let params: String =
        values.iter().map(|value| format!("<param><value>{value}</value></param>")).collect();
    let body = format!("<methodCall><methodName>{method}</methodName><params>{params}</params></methodCall>");
    let (sent_ns, end) = (monotonic_ns(), Instant::now() + DEADLINE);
    for tries in 1.. {
        match post(socket, "/RPC2", body.as_bytes()) {
            Ok(answer) => {
                let body = String::from_utf8(answer.body).unwrap();
                assert_eq!(answer.status, 200, "{method}: {body}");
                return Answer { body, tries, sent_ns, answered_ns: monotonic_ns() };
            }
            // The brain has died; its successor listens on the same socket.
            Err(error) => assert!(Instant::now() < end, "nobody answers {method} {values:?}: {error}"),
        }
        thread::sleep(Duration::from_millis(1));
    }
    unreachable!("the deadline comes first")
}

/// What the daemon says of a process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Info {
    pub(crate) name: String,
    pub(crate) state: String,
    pub(crate) pid: i32,
    pub(crate) start: i64,
    pub(crate) exitstatus: i32,
}

/// Everything that an answer says of processes.
#[track_caller]
pub(crate) fn infos(answer: &Answer) -> Vec<Info> {
    let structs = answer.body.split("<struct>").skip(1);
    structs
        .map(|text| {
            let get = |name| member(text, name).unwrap_or_else(|| panic!("no {name} in {text}"));
            Info {
                name: get("name").to_owned(),
                state: get("statename").to_owned(),
                pid: get("pid").parse().unwrap(),
                start: get("start").parse().unwrap(),
                exitstatus: get("exitstatus").parse().unwrap(),
            }
        })
        .collect()
}

/// The value of a member: what is between the tags of its type.
pub(crate) fn member<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let value = text.split(&format!("<name>{name}</name>")).nth(1)?.split("</value>").next()?;
    value.rsplit_once("</")?.0.rsplit_once('>').map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(body: &str) -> Answer {
        Answer { body: body.to_owned(), tries: 1, sent_ns: 0, answered_ns: 0 }
    }

    #[test]
    fn members_and_faults_are_found() {
        let fault = "<methodResponse><fault><value><struct><member><name>faultCode</name>\
                     <value><int>70</int></value></member><member><name>faultString</name>\
                     <value><string>NOT_RUNNING: a</string></value></member></struct></value></fault>";
        assert_eq!(answer(fault).fault(), Some(70));
        assert_eq!(answer("<boolean>1</boolean>").fault(), None);
    }
}
