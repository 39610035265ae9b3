//! What a browser does with pages of other sites that mean us no good, and with programs that do.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::mpsc::{Receiver, channel};

use provost_testkit::DEADLINE;

use crate::browser::Browser;
use crate::site::{OPEN, Site};

fn site(config: &str) -> Site {
    let site = Site::start(&format!(
        "\n[program:cat]\ncommand={{child}} hello forever\nstartsecs=0\n{config}{OPEN}"
    ));
    site.wait_until_running(&["cat"]);
    site
}

/// Another program of this machine that serves one page to whoever asks, and hears what the page sends home.
fn serve(page: String) -> (u16, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (sender, heard) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let mut request = [0; 4096];
            let n = stream.read(&mut request).unwrap_or(0);
            let line = String::from_utf8_lossy(&request[..n]).lines().next().unwrap_or_default().to_owned();
            let body = if line.starts_with("GET /home") { "" } else { &page };
            let _ = write!(
                stream,
                "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
                body.len()
            );
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    (port, heard)
}

/// Everything that a page can do to another site without being asked; it sends home what it has got.
fn hostile_page(target: &str) -> String {
    format!(
        r#"<!DOCTYPE html><title>Cats</title>
<img referrerpolicy="no-referrer" src="{target}/?action=stopall">
<iframe name="sink"></iframe><iframe id="frame" src="{target}/"></iframe>
<form id="f" method="post" target="sink" action="{target}/index.html?action=stop&processname=cat"><input name="token" value="x"></form>
<script src="{target}/logtail/cat"></script>
<script>
const call = "<methodCall><methodName>supervisor.stopAllProcesses</methodName></methodCall>";
const outcome = (promise) => promise.then((a) => a.type === "opaque" ? "sent" : "read", () => "failed");
const loaded = new Promise((done) => addEventListener("load", done));
document.getElementById("f").submit();
(async () => {{
  const outcomes = [
    await outcome(fetch("{target}/RPC2", {{method: "POST", mode: "no-cors", credentials: "include", body: call}})),
    await outcome(fetch("{target}/?action=stopall", {{mode: "no-cors", credentials: "include"}})),
    await outcome(fetch("{target}/", {{credentials: "include"}})),
    await outcome(fetch("{target}/RPC2", {{method: "POST", headers: {{"Content-Type": "text/xml"}}, body: call}})),
    await new Promise((done) => {{
      const events = new EventSource("{target}/events");
      events.onopen = () => done("read");
      events.onerror = () => done("failed");
    }}),
  ];
  await loaded;
  let inside = "nothing";
  try {{ inside = document.getElementById("frame").contentDocument.title; }} catch {{ inside = "closed"; }}
  fetch("/home?" + outcomes.join("-") + "-" + inside);
}})();
</script>"#
    )
}

#[test]
fn a_page_of_another_site_tries_everything_and_gets_nothing() {
    let site = site("");
    let target = format!("http://127.0.0.1:{}", site.port);
    let (port, heard) = serve(hostile_page(&target));
    let mut browser = Browser::start();
    for from in ["evil.example", "127.0.0.1", "localhost"] {
        let mut page = browser.page(900, 700);
        page.go(&format!("http://{from}:{port}/"));
        let home = loop {
            let line = heard.recv_timeout(DEADLINE).unwrap();
            if let Some(rest) = line.strip_prefix("GET /home?") {
                break rest.to_owned();
            }
        };
        // What another site may not even read the answer of "failed"; what it may send, we have refused.
        let outcomes: Vec<&str> = home.split(' ').next().unwrap().split('-').collect();
        assert!(!outcomes.contains(&"read"), "{from}: {outcomes:?}");
        assert_eq!(outcomes[2..5], ["failed", "failed", "failed"], "{from}");
        assert!(page.statuses(&target).contains(&403), "{from}: {:?}", page.statuses(&target));
        assert!(
            page.statuses(&target).iter().all(|status| *status != 200 && *status / 100 != 3),
            "{from}: {:?}",
            page.statuses(&target)
        );
        assert_eq!(site.state("cat"), "RUNNING", "{from}");
    }
}

#[test]
fn a_name_that_was_made_to_lead_here_leads_to_a_refusal() {
    let site = site("");
    let mut browser = Browser::start();
    let mut page = browser.page(900, 700);
    page.go(&format!("http://evil.example:{}/", site.port));
    assert_eq!(page.text("h1"), "Unknown name");
    assert!(page.text("main").contains("allowed_hosts=evil.example"));
    page.picture("unknown-name");
    // As its script would: the same site, as far as the browser knows.
    let status = "fetch('/RPC2', {method: 'POST', body: '<methodCall><methodName>supervisor.getState</methodName></methodCall>'}).then(a => a.status)";
    assert_eq!(page.eval(status), 421);
    assert_eq!(page.eval("fetch('/logtail/cat').then(a => a.status)"), 421);
    assert_eq!(page.eval("fetch('/?action=stopall', {method: 'POST'}).then(a => a.status)"), 421);
    assert_eq!(site.state("cat"), "RUNNING");
    // By its own names it is there.
    page.go(&format!("http://localhost:{}/", site.port));
    assert_eq!(page.text("tr.process .status"), "running");
}

#[test]
fn programs_that_mean_the_page_no_good_are_text() {
    let site = site(
        r#"
[program:"><script>document.title='hacked'<b>&lt;]
command={child} 'write:</pre><script>document.title="hacked"</script><img/src=x/onerror=document.title="hacked">\e[31mred\x00\xff\xe2\x80\xaegpj\n' 'ewrite:x\n' taken forever
startsecs=0
"#,
    );
    let mut browser = Browser::start();
    let mut page = browser.page(1100, 700);
    page.go(&site.url(""));
    page.until("document.querySelector('#live').textContent === 'live'");
    let name = page.text("tr.process .name");
    assert_eq!(name, "\"><script>document.title='hacked'<b>&lt;");
    page.picture("hostile-names");
    // A row that comes as an event is as harmless as one on the page; and its buttons mean this program.
    page.click("tr.process [data-action=stop]");
    page.until("document.querySelector('tr.process .status').textContent === 'stopped'");
    page.until("document.querySelector('#statusmessage').textContent.endsWith('stopped')");
    assert_eq!(page.eval("document.querySelectorAll('b, script:not([src])').length"), 0);
    page.click("tr.process [data-action=start]");
    page.until("document.querySelector('tr.process .status').textContent === 'running'");
    page.click("tr.process .name a");
    page.loaded();
    // Some of it comes with the page, some by the stream.
    page.until("document.querySelector('#log').textContent.split('gpj').length === 3");
    let log = page.text("#log");
    assert!(log.contains("</pre><script>document.title=\"hacked\"</script>"), "{log}");
    assert!(log.contains("\u{241b}[31mred\u{2400}\u{fffd}\u{fffd}gpj"), "{log:?}");
    page.picture("hostile-log");
    assert!(!page.eval("document.title").as_str().unwrap().starts_with("hacked"));
    assert_eq!(page.complaints(), Vec::<String>::new());
}
