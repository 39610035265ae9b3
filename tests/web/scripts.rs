//! The old addresses and links, as scripts use them (SPEC 9).

use crate::site::{OPEN, Site};

const PROGRAMS: &str = "
[program:cat]
command={child} hello forever
startsecs=0

[program:broken]
command={dir}/not-there
autostart=false
stdout_logfile=NONE

[program:pair]
command={child} forever
process_name=%(program_name)s_%(process_num)d
numprocs=2
startsecs=0
autostart=false
";

fn site() -> Site {
    let mut site = Site::start(&format!("{PROGRAMS}{OPEN}"));
    site.daemon.wait_for_hello("cat");
    site.wait_until_running(&["cat"]);
    site
}

/// Follows an old link, and gives the message behind the redirect.
#[track_caller]
fn follow(site: &Site, query: &str) -> String {
    let answer = site.ask(&format!("GET /{query}"), &["Host: web:9001", "User-Agent: curl/8.5.0"], "");
    assert_eq!(answer.status, 301, "{query}: {answer:?}");
    let location = answer.header("Location").unwrap();
    let message = location.strip_prefix("index.html?message=").unwrap_or_else(|| panic!("{location}"));
    let codes =
        [("%20", " "), ("%3A", ":"), ("%5B", "["), ("%5D", "]"), ("%2C", ","), ("%28", "("), ("%29", ")")];
    codes.iter().fold(message.to_owned(), |text, (code, plain)| text.replace(code, plain))
}

#[test]
fn old_links_do_what_they_did_and_say_what_they_said() {
    let site = site();
    for (query, expected) in [
        ("?action=start&processname=cat", "ERROR: Process cat: already started"),
        ("?action=stop&processname=cat", "Process cat stopped"),
        ("index.html?processname=cat&action=stop", "unexpected rpc fault [70] NOT_RUNNING: cat"),
        ("?action=start&processname=cat", "Process cat started"),
        ("?action=restart&processname=cat", "Process cat restarted"),
        ("?action=clearlog&processname=cat", "Log for cat cleared"),
        ("?action=start&processname=nobody", "No such process named nobody"),
        ("?action=start&processname=broken", "ERROR: Process broken: no such file"),
        ("?action=restart&processname=broken", "ERROR: Process broken: no such file"),
        ("?action=start&processname=pair%3Apair_0", "Process pair:pair_0 started"),
        ("?action=restart&processname=pair%3A*", "Group pair restarted"),
        ("?action=stop&processname=pair%3A*", "Group pair stopped"),
        ("?action=stop&processname=nobody%3A*", "No such group named nobody"),
    ] {
        assert_eq!(follow(&site, query), expected, "{query}");
    }
    assert!(follow(&site, "?action=stopall").starts_with("All stopped at "));
    assert_eq!(site.state("cat"), "STOPPED");
    let said = follow(&site, "?action=restartall");
    assert!(
        said.starts_with("All restarted at ") && said.contains("but not broken (no such file)"),
        "{said}"
    );
    assert_eq!(site.state("cat"), "RUNNING");
    assert!(follow(&site, "?action=refresh").starts_with("Page refreshed at "));
}

#[test]
fn a_script_may_post_without_ceremony() {
    let site = site();
    let answer = site.ask("POST /index.html", &[], "action=stop&processname=cat");
    assert_eq!(
        (answer.status, answer.header("Location")),
        (303, Some("index.html?message=Process%20cat%20stopped"))
    );
    assert_eq!(site.state("cat"), "STOPPED");
    // The form wins over the query.
    let answer = site.ask("POST /?action=stop&processname=cat", &[], "action=start");
    assert_eq!(answer.header("Location"), Some("index.html?message=Process%20cat%20started"));
}

#[test]
fn links_can_be_switched_off() {
    let site = Site::start(&format!("{PROGRAMS}{OPEN}get_actions=false\n"));
    site.wait_until_running(&["cat"]);
    let answer = site.ask("GET /?action=stop&processname=cat", &[], "");
    assert_eq!((answer.status, answer.header("Allow")), (405, Some("POST")));
    assert_eq!(site.state("cat"), "RUNNING");
    assert_eq!(site.ask("POST /?action=stop&processname=cat", &[], "").status, 303);
    assert_eq!(site.state("cat"), "STOPPED");
}

#[test]
fn the_old_addresses_are_there() {
    let site = site();
    let page = site.ask("GET /", &[], "");
    assert_eq!((page.status, page.header("Content-Type")), (200, Some("text/html;charset=utf-8")));
    assert!(page.body.contains("<span class=\"statusrunning\">running</span>"), "{}", page.body);
    assert!(page.body.contains("tail.html?processname=cat\""), "{}", page.body);
    let message = site.ask("GET /?message=a%3Cb%3E", &[], "").body;
    assert!(message.contains("a&lt;b&gt;</div>"), "{message}");
    let ok = site.ask("GET /ok.html", &[], "");
    assert_eq!((ok.status, ok.header("Content-Type"), ok.body.as_str()), (200, Some("text/plain"), "OK"));
    assert_eq!(site.ask("POST /ok.html", &[], "").body, "OK");
    let style = site.ask("GET /stylesheets/supervisor.css", &[], "");
    assert_eq!((style.status, style.header("Content-Type")), (200, Some("text/css;charset=utf-8")));
    assert_eq!(site.ask("HEAD /stylesheets/supervisor.css", &[], "").status, 200);
    for missing in ["/images/supervisor.gif", "/nothing", "/index.htm", "/../etc/passwd", "/tail.html/x"] {
        assert_eq!(site.ask(&format!("GET {missing}"), &[], "").status, 404, "{missing}");
    }
    assert_eq!(site.ask("DELETE /", &[], "").status, 404);
    assert_eq!(site.ask("GET /?action=dance&processname=cat", &[], "").status, 400);
    assert_eq!(site.ask("GET /?action=start", &[], "").status, 400);
    for (query, expected) in [
        ("", "No process name found"),
        ("?processname=zz", "ERROR: unexpected rpc fault [10] BAD_NAME: zz"),
        ("?processname=broken", "No file for broken"),
        ("?processname=cat", "data-stream=\"logtail/cat/stdout\" data-end=\"0\""),
        ("?processname=cat&channel=stderr", "data-stream=\"logtail/cat/stderr\""),
    ] {
        let page = site.ask(&format!("GET /tail.html{query}"), &[], "");
        assert!(page.status == 200 && page.body.contains(expected), "{query}: {page:?}");
    }
    let log = site.ask("GET /mainlog.html", &[], "").body;
    assert!(log.contains("spawned: &#39;cat&#39; with pid"), "{log}");
}
