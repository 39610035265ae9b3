//! What a question costs: how many are answered in a second, and for how much of the daemon's processor time.
//!
//! In: how many programs. Out: for `getState` and for `getAllProcessInfo`, through the unix socket and through TCP, with one client
//! and with sixteen that keep their connections, a table of Provost, Supervisor 4.3.0, and a bare server in C that sends the same
//! bytes without knowing anything, which is the limit. Last, how long `getState` takes while programs talk at full speed.
//! The clients are `c/asker.c`. Not here: other methods; they cost what one of these two costs.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use provost_testkit::{Daemon, Implementation, Sandbox, build_programs, post};

use crate::listed::Listed;
use crate::logs;
use crate::proc::{self, milliseconds};
use crate::programs::Programs;
use crate::table::{Samples, aligned};

const COUNT: usize = 1000;
const QUESTIONS: [&str; 2] = ["supervisor.getState", "supervisor.getAllProcessInfo"];
const CLIENTS: [usize; 2] = [1, 16];
const ROUNDS: usize = 3;
/// How long clients go on asking; the last answers are waited for.
const ASKING: Duration = Duration::from_secs(1);
/// What programs say in all while they are listened to.
const TALK_MIB: usize = 256;

pub(crate) fn run(programs: &Programs, count: Option<usize>) -> String {
    build_programs("provost", &["supervisord", "supervisorctl"]);
    let count = count.unwrap_or(COUNT);
    let sandbox = Sandbox::new();
    let ours = Listed::start(&Implementation::ours(), programs, count, 0);
    let theirs = Listed::start(&Implementation::supervisor_4_3(), programs, count, 0);
    let parts: Vec<String> = QUESTIONS
        .iter()
        .map(|question| {
            let asked = Question::prepare(question, &sandbox, &ours.daemon);
            let bare = Bare::start(&asked, &sandbox, programs);
            let answerers = [Answerer::of(&ours), Answerer::of(&theirs), bare.answerer()];
            let rows = compare(&asked, &answerers, programs);
            bare.discard();
            format!("{question}, {count} programs, {} bytes\n{}", asked.bytes, aligned(&rows))
        })
        .collect();
    ours.discard();
    theirs.discard();
    let meanwhile = logs::answers_meanwhile(programs, TALK_MIB);
    format!("{}\n\ngetState while {TALK_MIB} MiB are said\n{}", parts.join("\n\n"), aligned(&meanwhile))
}

/// Files with a request, and with the reply to it.
struct Question {
    request: PathBuf,
    reply: PathBuf,
    /// Of the reply, without its headers.
    bytes: usize,
}

impl Question {
    fn prepare(method: &str, sandbox: &Sandbox, daemon: &Daemon) -> Question {
        let body = format!(
            "<?xml version='1.0'?>\n<methodCall>\n<methodName>{method}</methodName>\n<params>\n</params>\n</methodCall>\n"
        );
        let answer = post(&daemon.socket(), "/RPC2", body.as_bytes()).expect("a daemon that runs answers");
        assert_eq!(answer.status, 200);
        let (request, reply) =
            (sandbox.file(&format!("{method}.request")), sandbox.file(&format!("{method}.reply")));
        // As Python's client sends it, and about as we answer.
        let head = format!(
            "POST /RPC2 HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: gzip\r\nContent-Type: text/xml\r\n\
             User-Agent: Python-xmlrpc/3.11\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        write(&request, &[head.as_bytes(), body.as_bytes()].concat());
        let head = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: text/xml\r\ncontent-length: {}\r\n\
             date: Sun, 22 Nov 2026 10:46:00 GMT\r\n\r\n",
            answer.body.len()
        );
        write(&reply, &[head.as_bytes(), &answer.body].concat());
        Question { request, reply, bytes: answer.body.len() }
    }
}

/// Who is asked: its name, its two doors, and the processes whose time counts.
struct Answerer {
    name: &'static str,
    socket: PathBuf,
    port: u16,
    pids: Vec<i32>,
}

impl Answerer {
    fn of(listed: &Listed) -> Answerer {
        let socket = listed.daemon.socket();
        Answerer { name: listed.name, socket, port: listed.port, pids: listed.pids() }
    }
}

/// The server in C with one reply.
struct Bare {
    child: Child,
    socket: PathBuf,
    port: u16,
}

impl Bare {
    fn start(question: &Question, sandbox: &Sandbox, programs: &Programs) -> Bare {
        let socket = sandbox.file("bare.sock");
        let mut command = Command::new(&programs.canned);
        command.arg(&socket).arg(&question.reply).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("it was compiled just now");
        let mut line = String::new();
        let output = child.stdout.take().expect("it has a pipe");
        BufReader::new(output).read_line(&mut line).expect("it says its port");
        let port = line.trim().parse().expect("it says its port");
        Bare { child, socket, port }
    }

    fn answerer(&self) -> Answerer {
        let pid = i32::try_from(self.child.id()).expect("a Linux pid fits an i32");
        Answerer { name: "bare server in C", socket: self.socket.clone(), port: self.port, pids: vec![pid] }
    }

    fn discard(mut self) {
        self.child.kill().expect("our own child can be killed");
        self.child.wait().expect("our own child can be waited for");
        fs::remove_file(&self.socket).expect("it was listening there");
    }
}

/// One cell of the comparison, over all rounds.
#[derive(Default)]
struct Total {
    rate: Samples,
    cpu: Samples,
    p50: Samples,
    p99: Samples,
}

fn compare(question: &Question, answerers: &[Answerer], programs: &Programs) -> Vec<Vec<String>> {
    let head = ["", "door", "clients", "answers/s", "CPU ms", "p50 ms", "p99 ms"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    for is_unix in [true, false] {
        for clients in CLIENTS {
            let mut totals: Vec<Total> = answerers.iter().map(|_| Total::default()).collect();
            for _ in 0..ROUNDS {
                for (answerer, total) in answerers.iter().zip(&mut totals) {
                    let at = match is_unix {
                        true => answerer.socket.to_str().expect("a sandbox has a plain name").to_owned(),
                        false => answerer.port.to_string(),
                    };
                    measure(&programs.asker, (&at, clients, &question.request), &answerer.pids, total);
                }
            }
            for (answerer, total) in answerers.iter().zip(&totals) {
                let door = if is_unix { "unix" } else { "TCP" };
                let mut row = vec![answerer.name.to_owned(), door.to_owned(), clients.to_string()];
                row.extend(
                    [(&total.rate, 0), (&total.cpu, 4)].map(|(samples, digits)| samples.median_cell(digits)),
                );
                row.extend([&total.p50, &total.p99].map(|samples| samples.median_cell(3)));
                rows.push(row);
            }
        }
    }
    rows
}

/// Lets clients ask for a while.
fn measure(asker: &Path, (at, clients, request): (&str, usize, &Path), pids: &[i32], total: &mut Total) {
    let before = proc::threads(pids);
    let mut command = Command::new(asker);
    command.args([at, &clients.to_string(), &ASKING.as_millis().to_string()]).arg(request);
    let output = command.stdin(Stdio::null()).output().expect("it was compiled just now");
    let cpu_ns = proc::between(&before, &proc::threads(pids)).cpu_ns;
    let said = String::from_utf8_lossy(&output.stdout);
    let numbers: Vec<u64> = said.split_whitespace().map_while(|word| word.parse().ok()).collect();
    let [answers, took, p50, p99] = numbers[..] else { panic!("the clients have failed: {output:?}") };
    #[expect(clippy::cast_precision_loss, reason = "answers of a bench fit 52 bits")]
    let answers = answers as f64;
    total.rate.push(answers / (milliseconds(took) / 1000.0));
    total.cpu.push(milliseconds(cpu_ns) / answers);
    total.p50.push(milliseconds(p50));
    total.p99.push(milliseconds(p99));
}

fn write(path: &Path, bytes: &[u8]) {
    fs::write(path, bytes).unwrap_or_else(|e| panic!("cannot write {}: {e}", path.display()));
}
