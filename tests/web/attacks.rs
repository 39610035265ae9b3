//! Requests that other sites' pages make a browser send, byte by byte as it sends them, and what they do not get.

use crate::site::{OPEN, Site};

const AGENT: &str = "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36";
const FORM: &str = "Content-Type: application/x-www-form-urlencoded";
const STOP: &str = "/?action=stop&processname=cat";

fn site() -> Site {
    let site = Site::start(&format!("\n[program:cat]\ncommand={{child}} hello forever\nstartsecs=0\n{OPEN}"));
    site.wait_until_running(&["cat"]);
    site
}

#[track_caller]
fn still_runs(site: &Site) {
    assert_eq!(site.state("cat"), "RUNNING");
}

#[test]
fn no_request_of_another_site_changes_anything() {
    let site = site();
    let host = site.host();
    let stop = "<methodCall><methodName>supervisor.stopAllProcesses</methodName></methodCall>";
    let cross = ["Sec-Fetch-Site: cross-site", "Origin: http://evil.example", AGENT];
    let neighbour = ["Sec-Fetch-Site: same-site", "Origin: http://127.0.0.1:8000", AGENT];
    // Without Sec-Fetch headers, as browsers are over plain HTTP to another machine.
    let plain = ["Origin: http://evil.example", "Referer: http://evil.example/", AGENT];
    let nowhere = ["Origin: null", AGENT, "Accept-Language: en"];
    for from in [&cross[..], &neighbour, &plain, &nowhere] {
        let headers = [&[host.as_str(), FORM], from].concat();
        for path in [STOP, "/index.html?action=stopall"] {
            assert_eq!(site.ask(&format!("POST {path}"), &headers, "token=x").status, 403, "{headers:?}");
        }
        let text = [&[host.as_str(), "Content-Type: text/plain"], from].concat();
        assert_eq!(site.ask("POST /RPC2", &text, stop).status, 403, "{text:?}");
        for path in ["/events", "/logtail/cat", "/mainlogtail"] {
            assert_eq!(site.ask(&format!("GET {path}"), &text, "").status, 403, "{path}");
        }
        still_runs(&site);
    }
}

#[test]
fn an_image_or_a_link_asks_first() {
    let site = site();
    let host = site.host();
    let image =
        [&host, "Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: no-cors", "Sec-Fetch-Dest: image", AGENT];
    assert_eq!(site.ask(&format!("GET {STOP}"), &image, "").status, 403);
    // A link, an address that was typed, a preview; and an image without a referrer over plain HTTP, which nothing else gives away.
    let link = [&host, "Sec-Fetch-Site: cross-site", "Sec-Fetch-Dest: document", AGENT];
    let typed = [&host, "Sec-Fetch-Site: none", "Sec-Fetch-Dest: document", AGENT];
    let bare = [&host, AGENT];
    for headers in [&link[..], &typed, &bare] {
        let answer = site.ask(&format!("GET {STOP}"), headers, "");
        assert_eq!(answer.status, 200, "{headers:?}");
        assert!(
            answer.body.contains("Stop cat?") && answer.body.contains("method=\"post\""),
            "{}",
            answer.body
        );
    }
    still_runs(&site);
}

#[test]
fn a_token_is_needed_and_must_be_the_right_one() {
    let site = site();
    let (host, origin) = (site.host(), format!("Origin: http://127.0.0.1:{}", site.port));
    let own = [host.as_str(), &origin, "Sec-Fetch-Site: same-origin", FORM, AGENT];
    let token = site.token(&own);
    for wrong in ["", "token=", "token=0123456789abcdef0123456789abcdef", &format!("token={}", &token[..31])]
    {
        let answer = site.ask(&format!("POST {STOP}"), &own, wrong);
        assert_eq!(answer.status, 409, "{wrong}");
        assert!(answer.body.contains(&token), "it may be pressed again: {}", answer.body);
        still_runs(&site);
    }
    assert_eq!(site.ask(&format!("POST {STOP}"), &own, &format!("token={token}")).status, 303);
    assert_eq!(site.state("cat"), "STOPPED");
}

#[test]
fn a_name_of_somebody_elses_is_no_way_in() {
    let site = site();
    // The browser believes that evil.example is this machine, and that its page is ours.
    let rebound =
        |extra: &'static str| ["Host: evil.example:9001", "Sec-Fetch-Site: same-origin", extra, AGENT];
    for (line, extra) in [
        ("GET /", "Sec-Fetch-Dest: document"),
        ("GET /logtail/cat", "Sec-Fetch-Dest: empty"),
        ("GET /events", "Accept: text/event-stream"),
        ("POST /RPC2", "Origin: http://evil.example:9001"),
        ("POST /?action=stopall", "Origin: http://evil.example:9001"),
    ] {
        let answer = site.ask(line, &rebound(extra), "");
        assert_eq!(answer.status, 421, "{line}");
        assert!(answer.body.contains("allowed_hosts=evil.example "), "{}", answer.body);
        assert!(!answer.body.contains("token"), "{}", answer.body);
    }
    still_runs(&site);
    // Whoever is no browser may call us what it likes, or nothing.
    assert_eq!(site.ask("GET /", &["Host: web:9001"], "").status, 200);
    assert_eq!(site.ask("GET /", &[], "").status, 200);
    let call = "<methodCall><methodName>supervisor.getState</methodName></methodCall>";
    assert!(site.ask("POST /RPC2", &["Host: supervisor"], call).body.contains("RUNNING"));
}

#[test]
fn names_can_be_allowed() {
    let site = Site::start(&format!("{OPEN}allowed_hosts=sup.example.com, *.lan.test\n"));
    let status = |host: &str| site.ask("GET /", &[&format!("Host: {host}"), AGENT], "").status;
    assert_eq!(
        [status("sup.example.com"), status("a.lan.test:80"), status("other.example.com")],
        [200, 200, 421]
    );
    // A proxy that tells us its own idea of the host.
    let proxied =
        ["Host: 127.0.0.1:1", "Origin: https://sup.example.com", "Sec-Fetch-Site: same-origin", AGENT];
    assert_eq!(
        site.ask("POST /?action=stopall", &proxied, "").status,
        409,
        "not refused, but asked for a token"
    );
}

#[test]
fn pages_cannot_be_framed_sniffed_or_kept() {
    let site = site();
    for path in ["/", "/tail.html?processname=cat", "/mainlog.html", "/?action=stop&processname=cat"] {
        let answer = site.ask(&format!("GET {path}"), &[&site.host(), AGENT], "");
        let policy = answer.header("Content-Security-Policy").unwrap();
        for part in ["default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'self'"]
        {
            assert!(policy.contains(part), "{policy}");
        }
        assert!(!policy.contains("unsafe"), "{policy}");
        for (name, value) in [
            ("X-Frame-Options", "DENY"),
            ("X-Content-Type-Options", "nosniff"),
            ("Referrer-Policy", "same-origin"),
            ("Cache-Control", "no-store"),
        ] {
            assert_eq!(answer.header(name), Some(value), "{path}");
        }
        assert!(answer.header("Access-Control-Allow-Origin").is_none());
    }
}

#[test]
fn a_token_of_another_user_is_wrong_and_a_viewer_may_not_act() {
    // "ann:a" and "ben:b" as browsers send them.
    let (ann, ben) = ("Authorization: Basic YW5uOmE=", "Authorization: Basic YmVuOmI=");
    let site = Site::start(&format!(
        "\n[program:cat]\ncommand={{child}} hello forever\nstartsecs=0\n\
         [user:ann]\npassword=a\nrole=operator\n[user:ben]\npassword=b\nrole=viewer\n{OPEN}"
    ));
    site.wait_until_running(&["cat"]);
    let (host, origin) = (site.host(), format!("Origin: http://127.0.0.1:{}", site.port));
    let own = |user: &'static str| {
        [host.clone(), origin.clone(), FORM.to_owned(), AGENT.to_owned(), user.to_owned()]
    };
    let ask = |line: &str, user, body: &str| {
        let headers = own(user);
        site.ask(line, &headers.each_ref().map(String::as_str), body)
    };
    let token = |user| site.token(&own(user).each_ref().map(String::as_str));
    assert_eq!(site.ask("GET /", &[&host, AGENT], "").status, 401);
    let (of_ann, of_ben) = (token(ann), token(ben));
    assert_ne!(of_ann, of_ben);
    assert_eq!(ask(&format!("POST {STOP}"), ann, &format!("token={of_ben}")).status, 409);
    let refused = ask(&format!("POST {STOP}"), ben, &format!("token={of_ben}"));
    assert!(refused.status == 403 && refused.body.contains("user ben may not stop"), "{refused:?}");
    // What a script asks for is no more its right.
    let refused = site.ask(&format!("GET {STOP}"), &[ben], "");
    assert!(refused.status == 403 && refused.body.contains("user ben may not stop"), "{refused:?}");
    let page = ask("GET /", ben, "").body;
    assert!(!page.contains("formaction") && page.contains(">running<"), "{page}");
    still_runs(&site);
    assert_eq!(ask(&format!("POST {STOP}"), ann, &format!("token={of_ann}")).status, 303);
    assert_eq!(site.state("cat"), "STOPPED");
}
